"""The hot loops over long vectors and small systems: each twin does what its NumPy version does."""
from itertools import product

import numpy as np
import pytest

from numopt.kernels import vectors
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, needs_numba


def long_vectors(a):
    """One weight, an odd number of them, and more than a processor takes at a time."""
    for n in (1, 7, 1003):
        yield [a(n), a(n), a(n), a(n)**2]


def positive(n, a):
    A = a(n, n)
    return A @ A.T / n + np.eye(n, dtype=A.dtype)


def pairs_of(n, k, a):
    """k vectors, and k others that are orthogonal and of length 1."""
    return tuple(a(k, n)), tuple(np.linalg.qr(a(n, max(k, 1)))[0].T[:k])


CASES = {
    "momentum": lambda a: ((x, g, v, 0.1, 0.9) for x, g, v, _ in long_vectors(a)),
    "rmsprop": lambda a: ((x, g, s, 0.1, 0.9, 1e-8) for x, g, _, s in long_vectors(a)),
    "adam": lambda a: ((x, g, m, v, 0.1, 0.9, 0.999, 1e-8, t)
                       for (x, g, m, v), t in product(long_vectors(a), (1, 100))),
    "adahessian": lambda a: ((x, g, D, m, v, 0.1, 0.9, 0.99, 1e-4, power, 0.01, 3)
                             for (x, g, D, v), m, power in zip(long_vectors(a), (a(1), a(7), a(1003)), (1.0, 0.5, 0))),
    "conjugate_step": lambda a: ((x, r, p, sign * p + 0.01 * Ap, float(r @ r), 0.3) for sign in (1, -1)
                                 for x, r, p, Ap in long_vectors(a)),
    "least_residual": lambda a: ((a(n), a(n), *pairs_of(n, k, a), 0.01 * np.tril(a(known, known), -1), skipped)
                                 for n, k, known, skipped in [(1, 0, 0, 0), (40, 7, 0, 2), (1000, 3, 3, 0),
                                                              (2537, 10, 9, 1)]),
    "dense_conjugate_gradient": lambda a: ((positive(n, a), a(n), steps, 1e-3)
                                           for n, steps in [(1, 1), (9, 5), (33, 7)]),
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(vectors, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(vectors, name), cases_of(CASES, name, seed=1)[-1])
