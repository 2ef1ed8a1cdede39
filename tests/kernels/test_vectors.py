"""The hot loops over long vectors and small systems: each twin does what its NumPy version does."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import vectors
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, needs_numba, normal


def long_vectors(a):
    """One weight, an odd number of them, more than a processor takes at a time, and more than a near cache holds."""
    for n in (1, 7, 1003, 20_011):
        yield [a(n), a(n), a(n), a(n)**2]


def positive(n, a):
    A = a(n, n)
    return A @ A.T / n + np.eye(n, dtype=A.dtype)


def pairs_of(n, k, a):
    """k vectors, and k others that are nearly orthogonal, as rounding leaves them, and nearly of length 1."""
    V = np.linalg.qr(a(n, max(k, 1)))[0].T[:k]
    return tuple(a(k, n)), tuple(V + a(k, n) / (10 * n))


CASES = {
    "momentum": lambda a: ((x, g, v, 0.1, 0.9) for x, g, v, _ in long_vectors(a)),
    "rmsprop": lambda a: ((x, g, s, 0.1, 0.9, 1e-8) for x, g, _, s in long_vectors(a)),
    "adam": lambda a: ((x, g, m, v, 0.1, 0.9, 0.999, 1e-8, t)
                       for (x, g, m, v), t in product(long_vectors(a), (1, 100))),
    "adahessian": lambda a: ((x, g, D, m, v, 0.1, 0.9, 0.99, 1e-4, power, 0.01, 3)
                             for (x, g, D, v), power in zip(long_vectors(a), (1.0, 0.5, 0, 0.7)) for m in [a(x.size)]),
    "conjugate_step": lambda a: ((x, r, p, sign * p + 0.01 * Ap, float(r @ r), 0.3) for sign in (1, -1)
                                 for x, r, p, Ap in long_vectors(a)),
    "least_residual": lambda a: ((a(n), a(n), *pairs_of(n, k, a), 0.01 * np.tril(a(known, known), -1), skipped)
                                 for n, k, known, skipped in [(1, 0, 0, 0), (40, 7, 0, 2), (1000, 3, 3, 0),
                                                              (40, 3, 0, 3), (40, 2, 1, 5), (2537, 10, 9, 1)]),
    "dense_conjugate_gradient": lambda a: ((positive(n, a), size * a(n), most, tolerance)
                                           for n, steps in [(1, 1), (9, 5), (33, 7)]
                                           for size, most, tolerance in [(1, steps, 1e-3), (1, 30, 0.5), (1, 30, 0.1),
                                                                         (1, 30, 1.0), (1, 0, 0.1), (0, 30, 0.1)]),
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


# ------------------------------------------------------------------------------------- where a twin may go its own way

@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("t", [1, 2, 999, 1000, 1001, 1002, 10_000, 10_001, 100_000])
def test_late_steps_of_adam_and_adahessian_are_corrected_as_the_first_ones(t, dtype):
    theta, g, m = normal(np.random.default_rng(t), dtype)(3, 1003)
    for kernel, arguments in [(vectors.adam, (theta, g, m, g * g, 0.1, 0.9999, 0.99999, 1e-8, t)),
                              (vectors.adahessian, (theta, g, m, m, g * g, 0.1, 0.9999, 0.99999, 1e-4, 1.0, 0.01, t))]:
        for mine, other in zip(kernel.numpy(*arguments), kernel.compiled(*arguments), strict=True):
            assert_allclose(other, mine, rtol=1e-4 if dtype is np.float32 else 1e-10, atol=1e-5)


@pytest.mark.parametrize("dtype, large", [(np.float32, 2e19), (np.float64, 2e154)])
@pytest.mark.parametrize("version", ["numpy", pytest.param("compiled", marks=needs_numba)])
def test_where_a_square_overflows_and_nowhere_else_the_step_is_not_a_number(version, dtype, large):
    """Also where what it is weighed by, 1 − β₂, would make it small enough."""
    theta, g, m, v = np.ones((4, 101), dtype)
    for place in 0, 50, 100:
        g[:] = 1
        g[place] = large  # whose square is infinite, and a thousandth of that is not
        for kernel, arguments in [(vectors.rmsprop, (theta, g, v, 0.1, 0.999, 1e-8)),
                                  (vectors.adam, (theta, g, m, v, 0.1, 0.9, 0.999, 1e-8, 1)),
                                  (vectors.adahessian, (theta, m, g, m, v, 0.1, 0.9, 0.999, 1e-4, 1.0, 0.0, 1))]:
            with np.errstate(over="ignore", invalid="ignore"):
                moved, *_, square = getattr(kernel, version)(*arguments)
            assert np.flatnonzero(np.isnan(moved)) == np.flatnonzero(np.isinf(square)) == [place]


@needs_numba
@pytest.mark.parametrize("beta", [0.9, 0.999, 0.99999, 0.999999])
def test_what_a_square_is_weighed_by_is_not_rounded_before_it_is_subtracted_from_1(beta):
    theta, g, zero = np.zeros(7, np.float32), np.full(7, 2, np.float32), np.zeros(7, np.float32)
    _, s = vectors.rmsprop.compiled(theta, g, zero, 0.1, beta, 1e-8)
    _, m, v = vectors.adam.compiled(theta, g, zero, zero, 0.1, beta, beta, 1e-8, 1)
    _, m_too, v_too = vectors.adahessian.compiled(theta, g, g, zero, zero, 0.1, beta, beta, 1e-4, 1.0, 0.0, 1)
    for square in (s, v, v_too):
        assert_allclose(square, 4 * (1 - beta), rtol=3e-7)
    for mean in (m, m_too):
        assert_allclose(mean, 2 * (1 - beta), rtol=3e-7)


@pytest.mark.parametrize("curvature", [-3.0, 0.0, np.nan])
@pytest.mark.parametrize("version", ["numpy", pytest.param("compiled", marks=needs_numba)])
def test_a_dense_system_is_left_where_the_curvature_is_not_positive_and_that_is_told(version, curvature):
    A = np.diag([1.0, *11 * [curvature]])
    x, found = getattr(vectors.dense_conjugate_gradient, version)(A, np.repeat([0.0, 1], [1, 11]), 40, 1e-10)
    if not np.isnan(curvature):
        assert_array_equal(x, 0)
    assert_array_equal(found, 11 * curvature)


@pytest.mark.parametrize("version", ["numpy", pytest.param("compiled", marks=needs_numba)])
def test_a_dense_system_that_has_no_solution_has_none_either_where_rounding_gives_it_a_curvature(version):
    for seed in range(20):
        random = np.random.default_rng(seed)
        Q, lam = np.linalg.qr(random.standard_normal((12, 12)))[0], np.append(np.geomspace(1e-6, 1, 5), np.zeros(7))
        A = Q * lam @ Q.T
        b, solve = random.standard_normal(12), getattr(vectors.dense_conjugate_gradient, version)
        assert solve((A + A.T) / 2, b, 99, 1e-10)[1] <= 0


@needs_numba
@pytest.mark.parametrize("place", [0, 5, 1023, 2000])
def test_a_residual_that_is_not_a_number_somewhere_has_no_largest_one(place):
    a = normal(np.random.default_rng(0), np.float64)
    r, Jr, (P, V) = a(2001), a(2001), pairs_of(2001, 2, a)
    r[place] = np.nan
    for version in vectors.least_residual.numpy, vectors.least_residual.compiled:
        *_, length, largest, _ = version(r, Jr, P, V, np.zeros((0, 0)), 0)
        assert np.isfinite(length) and np.isnan(largest)


@needs_numba
@pytest.mark.parametrize("curvature", [-1.0, 0.0, np.nan])
def test_the_twin_takes_no_step_where_the_curvature_is_not_positive(curvature):
    x, r, p = normal(np.random.default_rng(0), np.float64)(3, 1003)
    x_new, r_new, p_new, rr, found = vectors.conjugate_step.compiled(x, r, p, curvature * p, 2.0, 0.0)
    with np.errstate(invalid="ignore"):
        wanted = vectors.conjugate_step.numpy(x, r, p, curvature * p, 2.0, 0.0)
    for mine, other in zip(wanted, (x_new, r_new, p_new, rr, found), strict=True):
        assert_allclose(other, mine, rtol=1e-12)
    if not np.isnan(curvature):
        assert_array_equal(x_new, x)
