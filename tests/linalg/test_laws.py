"""What is true of every solver and of all that is drawn, whatever matrix, units and precision they are given."""
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import aslinearoperator

from numopt.linalg import (
    conjugate_gradient, conjugate_gradient_iterates, damped, dense, gcr, gcr_iterates, hutchinson_diagonal,
    hutchinson_trace, inverse_root, inverse_root_newton, lanczos, newton_schulz, nystrom, power_iteration, slq,
    steihaug, truncated_conjugate_gradient)
from numopt.linalg.spectra import signs
from tests.linalg.test_systems import nonsymmetric, symmetric, vector

N = 9
A = symmetric(np.geomspace(0.5, 20, N))
B = np.random.default_rng(5).standard_normal(N)
X = np.random.default_rng(6).standard_normal(N)
FORMS = {"array": lambda A: A, "operator": aslinearoperator,
         "damped array": lambda A: damped(A - 0.25 * np.eye(N, dtype=A.dtype), 0.25),
         "damped operator": lambda A: damped(aslinearoperator(A - 0.25 * np.eye(N, dtype=A.dtype)), 0.25),
         "product alone": lambda A: type("Product", (), {"__matmul__": lambda self, v: A @ v})()}
NEAR = damped(np.diag(1 / np.diag(A)), 0.01)  # a preconditioner
CG, CGP = conjugate_gradient, partial(conjugate_gradient, preconditioner=NEAR)
SOLVERS = {  # the solver, what it goes through, the matrix
    "cg": (CG, conjugate_gradient_iterates, A),
    "cg preconditioned": (CGP, partial(conjugate_gradient_iterates, preconditioner=NEAR), A),
    "gcr": (gcr, gcr_iterates, nonsymmetric(N)), "gcr of a symmetric matrix": (gcr, gcr_iterates, A),
    "gcr with a window": (partial(gcr, window=3), partial(gcr_iterates, window=3), A)}
EVERY = pytest.mark.parametrize("name", SOLVERS)
STARTS = {"0": None, "zeros": np.zeros(N), "elsewhere": X, "far away": 1e3 * X}


@EVERY
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("x", STARTS.values(), ids=STARTS)
def test_it_stops_at_the_first_iterate_that_is_good_enough_or_after_so_many_steps(name, form, x):
    solve, iterates, M = SOLVERS[name]
    M = FORMS[form](M)
    way = list(islice(iterates(M, B, x), 2 * N))
    xs, lengths = [np.zeros(N) if x is None else x, *(it[0] for it in way)], [np.linalg.norm(it[1]) for it in way]
    for tolerance in 0.9, 0.3, 1e-2, 1e-6:
        steps = 1 + int(np.argmax(np.array(lengths) <= tolerance * np.linalg.norm(B)))
        assert_allclose(solve(M, B, x, tolerance=tolerance), xs[steps], rtol=1e-8, atol=1e-8)
    for steps in range(5):
        assert_allclose(solve(M, B, x, steps=steps), xs[steps], rtol=1e-8, atol=1e-8)


@EVERY
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_solves_in_its_precision_from_anywhere_in_any_units_and_changes_nothing_that_it_was_given(name, form, dtype):
    solve, _, M = SOLVERS[name]
    units, near = (1e-12, 1, 1e12) if dtype is np.float32 else (1e-140, 1, 1e140), 2e-5 if dtype is np.float32 else 1e-8
    exact = np.linalg.solve(M, B)
    if name == "cg preconditioned":
        solve = partial(conjugate_gradient, preconditioner=NEAR.astype(dtype))
    for c in (units if "preconditioned" not in name else [1]):
        for d in units:
            given, b = (c * M).astype(dtype), (d * B).astype(dtype)
            matrix = FORMS[form](given) if "damped" not in form or c == 1 else given
            for x in STARTS.values():
                if x is not None and (name == "cg preconditioned" or np.abs(x).max() > 10) and dtype is np.float32:
                    continue
                x = None if x is None else (d / c * x).astype(dtype)
                copies = given.copy(), b.copy(), None if x is None else x.copy()
                found = solve(matrix, b, x, tolerance=near / 10)
                assert found.dtype == dtype
                assert_allclose(found.astype(float) / d * c, exact, atol=50 * near * np.abs(exact).max())
                for now, before in zip((given, b, x), copies):
                    assert_array_equal(now, before)


@EVERY
def test_a_right_side_of_zero_and_a_start_at_the_solution_are_answered_with_what_they_are(name):
    solve, iterates, M = SOLVERS[name]
    for form in FORMS.values():
        assert_array_equal(solve(form(M), np.zeros(N)), np.zeros(N))
        assert list(iterates(form(M), np.zeros(N))) == []
        whole = np.arange(1.0, N + 1)
        assert_array_equal(solve(form(np.diag(whole)), whole**2, whole), whole)


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_an_error_and_no_answer(name, bad):
    solve, _, M = SOLVERS[name]
    b, wrong = B.copy(), M.copy()
    b[3], wrong[2, 5], wrong[5, 2] = bad, bad, bad
    for form in FORMS.values():
        for matrix, side in ((M, b), (wrong, B)):
            with pytest.raises((ArithmeticError, ValueError)), np.errstate(all="ignore"):
                solve(form(matrix), side)


@EVERY
@pytest.mark.parametrize("make", [lambda M: M[:-1], lambda M: M[:, :-1], lambda M: M[:-1, :-1], lambda M: M + 0j])
def test_a_matrix_that_is_not_square_or_not_real_is_refused(name, make):
    with pytest.raises((TypeError, ValueError)):
        SOLVERS[name][0](make(SOLVERS[name][2]), B)


@pytest.mark.parametrize("x", [None, X])
@pytest.mark.parametrize("M", [None, NEAR])
@pytest.mark.parametrize("c", [1e-160, 1.0, 1e160])
def test_the_truncated_way_is_that_of_conjugate_gradients_in_any_units(x, M, c):
    start = None if x is None else c * x
    points = truncated_conjugate_gradient(A, c * B, start, preconditioner=M, eps=1e-12)
    way = [it.x for it in conjugate_gradient_iterates(A, B, x, M)]
    for k, p in zip((1, 2, 3, 4, 5, 7, 9), points):
        assert_allclose(p / c, way[k - 1], rtol=1e-6, atol=1e-9)
    for most in range(1, 8):
        last = truncated_conjugate_gradient(A, c * B, start, preconditioner=M, most=most)[-1]
        assert_allclose(last / c, way[most - 1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_no_step_within_the_radius_that_goes_downhill_first_is_lower_than_steihaugs_along_the_way(seed):
    M = symmetric(np.random.default_rng(seed).uniform(-3, 6, N), seed)
    g = vector(N, seed)
    for radius in 0.05, 0.3, 1.0, 4.0:
        p = steihaug(M, g, radius)
        assert np.linalg.norm(p) <= radius * (1 + 1e-9)

        def q(p):
            return g @ p + p @ M @ p / 2

        cauchy = -g * min(radius / np.linalg.norm(g), g @ g / (g @ M @ g) if g @ M @ g > 0 else np.inf)
        assert q(p) <= q(cauchy) + 1e-12
        for turned in np.linalg.qr(np.random.default_rng(seed).standard_normal((N, N)))[:1]:
            assert_allclose(steihaug(turned @ M @ turned.T, turned @ g, radius), turned @ p, atol=1e-6)


# ------------------------------------------------------------------------------------------------- spectra and probes

@pytest.mark.parametrize("lam", [[1, 2, 3, 10.0], [-10, 1, 2, 3.0], [-10, -9, 5, 0.0], [7.0, 0, 0, 0]])
@pytest.mark.parametrize("c", [1e-150, 1.0, 1e150])
def test_the_power_iteration_ends_as_near_to_an_eigenvalue_as_it_says_and_no_later(lam, c):
    M, largest = c * symmetric(np.array(lam)), max(lam, key=abs)
    for tolerance in 0.3, 1e-2, 1e-6:
        found, v = power_iteration(M, 4, tolerance=tolerance)
        assert np.linalg.norm((M / c) @ v - found / c * v) <= tolerance * abs(found / c)
        assert_allclose(np.linalg.norm(v), 1)
        assert tolerance > 0.1 or abs(found / c - largest) <= tolerance * abs(largest) * 1.1
    start = vector(4)
    w = M @ (start / np.linalg.norm(start))
    assert_allclose(power_iteration(M, 4, start=start, steps=1)[1], w / c / np.linalg.norm(w / c), atol=1e-12)


@pytest.mark.parametrize("n, steps", [(1, 1), (2, 5), (6, 3), (6, 6), (6, 9)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanczos_sees_the_matrix_from_an_orthonormal_basis(n, steps, dtype):
    M = symmetric(np.linspace(-2, 5, n)).astype(dtype)
    alpha, beta, Q = lanczos(M, vector(n).astype(dtype), steps)
    k, atol = min(n, steps), 1e-5 if dtype is np.float32 else 1e-12
    assert alpha.shape == (k,) and beta.shape == (k - 1,) and Q.shape == (n, k)
    assert alpha.dtype == beta.dtype == Q.dtype == dtype
    assert_allclose(Q.T @ Q, np.eye(k), atol=atol)
    assert_allclose(Q.T @ M @ Q, np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1), atol=10 * atol)


def test_probes_are_exact_where_nothing_is_beside_the_diagonal_and_a_mean_of_different_ones_elsewhere():
    D = np.diag(np.arange(1.0, N + 1))
    for probes in 1, 2, 5:
        assert_allclose(hutchinson_trace(D, N, probes), 45)
        assert_allclose(hutchinson_diagonal(D, N, probes), np.arange(1, N + 1))
        nodes, weights = slq(A, N, N, probes, seed=3)
        assert_allclose(weights.sum(), 1)
    for ask in (hutchinson_trace, lambda *how: hutchinson_diagonal(*how)[0],
                lambda M, n, *how: slq(M, n, 3, *how)[0].sum()):
        several = [float(ask(A, N, 4, seed)) for seed in (0, 1, 2, (0, 1), (1, 0), (0, 2))]
        assert len(set(several)) == 6 and several[0] == float(ask(A, N, 4, 0))
    assert len({z.tobytes() for z in signs(A, 60, 4000, 1)}) == 4000
    assert len({next(signs(A, 60, 1, (1, t))).tobytes() for t in range(4000)}) == 4000


@pytest.mark.parametrize("rank", [1, 3, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nystrom_is_the_matrix_itself_where_the_columns_have_its_rank(rank, dtype):
    L = np.random.default_rng(rank).standard_normal((N, rank))
    units, atol = np.geomspace(1, 1e3, N), 1e-4 if dtype is np.float32 else 1e-10
    for d in np.ones(N), units:
        M = (d[:, None] * (L @ L.T) * d).astype(dtype)
        for indices in range(rank), [*range(rank), 0], [*range(rank), N - 1], range(N):
            found = nystrom(M, indices) @ np.eye(N, dtype=dtype)
            assert found.dtype == dtype
            assert_allclose(found / d[:, None] / d, L @ L.T, atol=atol * 30)


ASK = {
    "conjugate_gradient": conjugate_gradient, "from elsewhere": lambda A, b: conjugate_gradient(A, b, X), "gcr": gcr,
    "steihaug": lambda A, b: steihaug(A, b, 1.0), "truncated": truncated_conjugate_gradient,
    "damped": lambda A, b: damped(A, 0.5), "nystrom": lambda A, b: nystrom(A, [0, 1]),
    "dense": lambda A, b: dense(A, N),
    "power_iteration": lambda A, b: power_iteration(A, N, start=b),
    "lanczos": lambda A, b: lanczos(A, b, 3),
    "slq": lambda A, b: slq(A, N, 2, 2), "trace": lambda A, b: hutchinson_trace(A, N, 2),
    "inverse_root": lambda A, b: inverse_root(A, 2), "inverse_root_newton": lambda A, b: inverse_root_newton(A, 2),
    "newton_schulz": lambda A, b: newton_schulz(A)}
NO_NUMBERS = {"complex": lambda a: a + 0j, "masked": lambda a: np.ma.masked_array(a, np.ones(a.shape, bool)),
              "objects": lambda a: a.astype(object), "text": lambda a: a.astype(str), "None": lambda a: None}


@pytest.mark.parametrize("name", ASK)
@pytest.mark.parametrize("what", NO_NUMBERS)
def test_what_is_not_made_of_real_numbers_is_refused_with_what_it_has_to_be(name, what):
    with pytest.raises(TypeError, match="must be|mask would not be seen"):
        ASK[name](NO_NUMBERS[what](A), B)
    if name in list(ASK)[:5] + ["lanczos"]:
        with pytest.raises(TypeError, match="must be|mask would not be seen"):
            ASK[name](A, NO_NUMBERS[what](B))
