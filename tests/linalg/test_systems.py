"""Linear systems, and matrices made of matrices: each test says something lectures 6, 9 and 12 say."""
import math
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import diags_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigsh, minres

from numopt.kernels import reading
from numopt.linalg import (
    conjugate_gradient, conjugate_gradient_iterates, damped, dense, gcr, gcr_iterates, nystrom, steihaug,
    truncated_conjugate_gradient)

EPS = {np.float32: 1e-5, np.float64: 1e-13}


def symmetric(eigenvalues, seed=0):
    """A matrix with these eigenvalues."""
    n = len(eigenvalues)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return Q * np.array(eigenvalues) @ Q.T


def vector(n, seed=1):
    return np.random.default_rng(seed).standard_normal(n)


def nonsymmetric(n, seed=2):
    """A matrix with xᵀAx > 0 that is far from symmetric."""
    M = np.random.default_rng(seed).standard_normal((n, n))
    return symmetric(np.linspace(1, 5, n)) + (M - M.T) / 2


def counted(A):
    """A as an operator, and the list that grows by one with every product."""
    products = []
    return LinearOperator(A.shape, lambda v: products.append(1) or A @ v, dtype=A.dtype), products


def krylov(A, r, k):
    """An orthonormal basis of r, Ar, ..., Aᵏ⁻¹r."""
    columns = [r / np.linalg.norm(r)]
    for _ in range(k - 1):
        w = A @ columns[-1]
        columns.append(np.linalg.qr(np.column_stack([*columns, w]))[0][:, -1])
    return np.column_stack(columns)


# ---- conjugate gradients

@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
def test_conjugate_gradients_solve_a_system(make):
    A, b = symmetric(np.geomspace(1, 1e4, 30)), vector(30)
    assert_allclose(conjugate_gradient(make(A), b), np.linalg.solve(A, b), rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("eigenvalues", [[3] * 12, [1, 5] * 6, [1, 2, 50] * 4, [1, 10, 100, 1000] * 3])
def test_they_take_as_many_steps_as_there_are_different_eigenvalues(eigenvalues):
    A, b = symmetric(eigenvalues), vector(12)
    steps = len(set(eigenvalues))
    residuals = [np.linalg.norm(i.r) for i in islice(conjugate_gradient_iterates(A, b), steps)]
    assert residuals[-1] < 1e-9 * np.linalg.norm(b)
    assert all(r > 1e-4 * np.linalg.norm(b) for r in residuals[:-1])


def test_the_error_falls_at_least_as_fast_as_the_root_of_the_condition_number_says():
    # Nocedal and Wright (5.36): ‖x_k - x*‖_A <= 2 ((√κ - 1) / (√κ + 1))^k ‖x_0 - x*‖_A
    kappa = 100
    A, b = symmetric(np.linspace(1, kappa, 60)), vector(60)
    solution = np.linalg.solve(A, b)
    rate = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    for k, iterate in enumerate(islice(conjugate_gradient_iterates(A, b), 40), 1):
        e = iterate.x - solution
        assert e @ A @ e <= (2 * rate**k)**2 * (solution @ A @ solution)


def test_directions_are_conjugate_and_residuals_orthogonal():
    A, b = symmetric(np.linspace(1, 20, 10)), vector(10)
    iterates = list(islice(conjugate_gradient_iterates(A, b), 9))
    P = np.array([i.p for i in iterates])
    R = np.array([b, *(i.r for i in iterates)])
    for gram in P @ A @ P.T, R @ R.T:
        scale = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
        assert_allclose((gram / scale)[~np.eye(len(gram), dtype=bool)], 0, atol=1e-9)
    assert_allclose([i.curvature for i in iterates], np.diag(P @ A @ P.T))
    assert_allclose(R[1:], [b - A @ i.x for i in iterates], atol=1e-12)


def test_every_iterate_is_the_best_in_the_krylov_space():
    A, b, x0 = symmetric(np.geomspace(1, 50, 12)), vector(12), vector(12, 5)
    r0 = b - A @ x0
    for k, iterate in enumerate(islice(conjugate_gradient_iterates(A, b, x0), 8), 1):
        K = krylov(A, r0, k)
        best = x0 + K @ np.linalg.solve(K.T @ A @ K, K.T @ r0)
        assert_allclose(iterate.x, best, rtol=1e-7, atol=1e-9)


def test_the_inverse_as_preconditioner_solves_in_one_step():
    A, b = symmetric(np.geomspace(1, 1e3, 10)), vector(10)
    x = conjugate_gradient(A, b, steps=1, preconditioner=np.linalg.inv(A))
    assert_allclose(x, np.linalg.solve(A, b))


def test_preconditioning_is_a_change_of_coordinates():
    # with M = C Cᵀ it is plain CG on CᵀAC y = Cᵀb, where x = C y
    A, b = symmetric(np.geomspace(1, 100, 10)), vector(10)
    C = np.tril(np.random.default_rng(7).standard_normal((10, 10))) + 4 * np.eye(10)
    plain = islice(conjugate_gradient_iterates(C.T @ A @ C, C.T @ b), 6)
    preconditioned = islice(conjugate_gradient_iterates(A, b, preconditioner=C @ C.T), 6)
    for p, q in zip(plain, preconditioned):
        assert_allclose(q.x, C @ p.x, rtol=1e-7, atol=1e-9)


def test_a_diagonal_preconditioner_makes_a_badly_scaled_system_easy():
    D = np.geomspace(1, 1e6, 40)
    A = np.sqrt(np.outer(D, D)) * symmetric(np.linspace(1, 2, 40))
    b = vector(40)
    M = diags_array(1 / np.diag(A))
    scaled = np.linalg.norm(b - A @ conjugate_gradient(A, b, steps=20, preconditioner=M))
    plain = np.linalg.norm(b - A @ conjugate_gradient(A, b, steps=20))
    assert scaled < 1e-6 * plain


def test_so_many_steps_cost_so_many_products_and_a_start_one_more():
    A, b = symmetric(np.geomspace(1, 1e4, 30)), vector(30)
    for x, products in (None, 7), (vector(30, 3), 8):
        operator, made = counted(A)
        conjugate_gradient(operator, b, x=x, steps=7)
        assert len(made) == products


def test_a_good_start_is_taken_up_and_left_as_it_was():
    A, b = symmetric(np.geomspace(1, 1e3, 20)), vector(20)
    start = np.linalg.solve(A, b) + 1e-6 * vector(20, 3)
    kept = start.copy()
    warm, cold = (np.linalg.norm(b - A @ conjugate_gradient(A, b, x=x, steps=5)) for x in (start, None))
    assert warm < 1e-3 * cold
    assert_array_equal(start, kept)


def test_the_solution_as_start_is_the_solution():
    A = np.diag([1.0, 2.0, 4.0])
    assert_array_equal(conjugate_gradient(A, A @ np.ones(3), x=np.ones(3)), np.ones(3))
    assert_array_equal(conjugate_gradient(A, np.zeros(3)), np.zeros(3))
    assert list(conjugate_gradient_iterates(A, np.zeros(3))) == []


def test_a_looser_tolerance_ends_sooner_and_keeps_its_word():
    A, b = symmetric(np.geomspace(1, 1e3, 50)), vector(50)
    made = []
    for tolerance in 1e-2, 1e-6, 1e-10:
        operator, products = counted(A)
        x = conjugate_gradient(operator, b, tolerance=tolerance)
        assert np.linalg.norm(b - A @ x) <= 1.01 * tolerance * np.linalg.norm(b)
        made.append(len(products))
    assert made == sorted(set(made))


@pytest.mark.parametrize("solver", [conjugate_gradient, gcr])
@pytest.mark.parametrize("make", [np.asarray, lambda A: counted(A)[0]], ids=["array", "operator"])
def test_the_tolerance_is_a_share_of_b_and_without_a_step_the_answer_is_the_start(solver, make):
    A, b = symmetric(np.geomspace(1, 30, 20)), vector(20)
    x = solver(make(A), b, tolerance=1e-2)
    assert 1e-4 < np.linalg.norm(b - A @ x) / np.linalg.norm(b) <= 1e-2
    for units in 2.0**-20, 2.0**20:  # which rounding does not notice
        assert_allclose(solver(make(A), units * b, tolerance=1e-2), units * x, rtol=1e-6)
    assert_allclose(solver(make(A), b, x, steps=0), x)
    assert_allclose(solver(make(A), b, steps=0), 0)


def test_an_indefinite_matrix_is_refused():
    with pytest.raises(ValueError, match=r"not positive definite: there is a direction with pᵀAp = -"):
        conjugate_gradient(symmetric([-1.0, 1.0, 2.0, 3.0]), vector(4))
    with pytest.raises(ValueError, match="not positive definite"):
        conjugate_gradient(np.zeros((3, 3)), np.ones(3))


def test_the_iterates_end_with_the_direction_of_negative_curvature_and_the_point_before_it():
    A, b = symmetric([-0.1, 1.0, 2.0, 3.0]), vector(4)
    *before, last = conjugate_gradient_iterates(A, b)
    assert all(i.curvature > 0 for i in before)
    assert_allclose(last.curvature, last.p @ A @ last.p)
    assert last.curvature < 0 and before
    assert_array_equal(last.x, before[-1].x)
    # from there f falls along p without end
    q = [(x @ A @ x) / 2 - b @ x for x in (last.x + alpha * last.p for alpha in (0, 1, 10, 100))]
    assert np.all(np.diff(q) < 0)


def test_steihaugs_method_is_a_small_loop_over_the_iterates():
    def to_the_boundary(x, p, radius):
        a, h, c = p @ p, x @ p, x @ x - radius**2
        return x + (-h + math.sqrt(h * h - a * c)) / a * p

    def steihaug(B, g, radius):
        z = np.zeros_like(g)
        for x, r, p, curvature in conjugate_gradient_iterates(B, -g):
            if curvature <= 0 or np.linalg.norm(x) >= radius:
                return to_the_boundary(z, p, radius)
            if np.linalg.norm(r) <= 1e-10 * np.linalg.norm(g):
                return x
            z = x

    g = vector(4)
    inside = steihaug(symmetric([1.0, 2, 3, 4]), g, 100.0)
    assert_allclose(inside, -np.linalg.solve(symmetric([1.0, 2, 3, 4]), g))
    for B in symmetric([1.0, 2, 3, 4]), symmetric([-0.1, 1, 2, 3]), symmetric([-4.0, -3, -2, -1]):
        p = steihaug(B, g, 0.5)
        assert_allclose(np.linalg.norm(p), 0.5)
        # at least as good as the Cauchy point, Nocedal and Wright (4.11) and (4.12)
        length, curvature = np.linalg.norm(g), g @ B @ g
        tau = 1 if curvature <= 0 else min(1, length**3 / (0.5 * curvature))
        cauchy = -tau * 0.5 / length * g
        assert g @ p + p @ B @ p / 2 <= g @ cauchy + cauchy @ B @ cauchy / 2 + 1e-12


def test_along_negative_curvature_steihaug_goes_to_the_lower_of_both_ends_which_may_lie_behind():
    behind = []
    for seed in range(30):
        B, g = symmetric([-3.0, -0.2, 0.1, 1, 10], seed), vector(5, seed)
        *_, (x, _, d, curvature) = conjugate_gradient_iterates(B, -g)
        if curvature < 0 and x.any():
            radius = 1.5 * np.linalg.norm(x)
            ends = np.roots([d @ d, 2 * x @ d, x @ x - radius**2])
            lowest = min(ends, key=lambda tau: g @ (x + tau * d) + (x + tau * d) @ B @ (x + tau * d) / 2)
            assert_allclose(steihaug(B, g, radius), x + lowest * d, rtol=1e-7)
            behind.append(bool(lowest < 0))
    assert {*behind} == {False, True}


def test_a_matrix_that_solves_its_own_system_does_so_with_damping_and_without_any_curvature_is_looked_at():
    class Solving(LinearOperator):
        def __init__(self):
            super().__init__(float, (3, 3))

        def _matvec(self, v):
            return np.diag([1.0, 2, -1]) @ v

        def solve(self, b, damping, steps, tolerance):
            return 7 * b / damping

    assert_array_equal(conjugate_gradient(damped(Solving(), 0.5), np.ones(3)), 14)
    with pytest.raises(ValueError, match="A is not positive definite"):
        conjugate_gradient(damped(Solving(), 0.0), np.array([0.0, 0, 1]))


# ---- truncated conjugate gradients

def test_the_truncated_ones_are_kept_at_powers_of_one_point_three():
    A, b = symmetric(np.geomspace(1, 1e6, 60)), vector(60)
    path = truncated_conjugate_gradient(A, b, eps=0, most=33)
    steps = [1, 2, 3, 4, 5, 7, 9, 11, 14, 18, 24, 31, 33]
    assert len(path) == len(steps)
    iterates = list(islice(conjugate_gradient_iterates(A, b), 33))
    for x, k in zip(path, steps):
        assert_allclose(x, iterates[k - 1].x, rtol=1e-10)


@pytest.mark.parametrize("kappa, start", [(1e2, 0.0), (1e4, 0.0), (1e4, 3.0), (3e4, 0.0)])
def test_they_end_when_the_model_fell_by_less_than_the_share_of_it(kappa, start):
    A, b = symmetric(np.geomspace(1, kappa, 200)), vector(200)
    x0 = start * vector(200, 4)
    operator, products = counted(A)
    last = truncated_conjugate_gradient(operator, b, x0)[-1]
    ends = len(products) - 1
    xs = [i.x for i in islice(conjugate_gradient_iterates(A, b, x0), ends)]
    assert_allclose(last, xs[-1])
    q = np.array([x @ A @ x / 2 - b @ x for x in xs])
    over = [i for i in range(11, ends + 1) for k in [max(10, i // 10)]
            if q[i - 1] < 0 and (q[i - 1] - q[i - 1 - k]) / q[i - 1] < k * 5e-4]
    assert over == [ends]


def test_their_model_falls_from_one_to_the_next():
    A, b = symmetric(np.geomspace(1, 1e4, 100)), vector(100)
    q = [x @ A @ x / 2 - b @ x for x in truncated_conjugate_gradient(A, b, vector(100, 3))]
    assert np.all(np.diff(q) < 0)


def test_without_curvature_there_is_only_the_start():
    b, start = vector(3), np.ones(3)
    path = truncated_conjugate_gradient(-np.eye(3), b, start)
    assert len(path) == 1 and np.array_equal(path[0], start)
    path = truncated_conjugate_gradient(np.eye(3), np.zeros(3))
    assert len(path) == 1 and np.array_equal(path[0], np.zeros(3))
    # and where it ends on the way, at one product or another, the last before that
    A, b = symmetric(np.geomspace(1, 100, 20)), vector(20)
    for ends in range(2, 12):
        products = []
        operator = LinearOperator(A.shape, lambda v: products.append(1) or (-1)**(len(products) == ends) * (A @ v),
                                  dtype=float)
        path = truncated_conjugate_gradient(operator, b)
        assert len(path) == sum(k < ends for k in [1, 2, 3, 4, 5, 7, 9, 11]) + (ends - 1 in (6, 8, 10))
        assert_allclose(path[-1], conjugate_gradient(A, b, steps=ends - 1))


# ---- generalized conjugate residuals

def test_conjugate_residuals_have_the_shortest_residual_that_the_krylov_space_allows():
    A, b, x0 = nonsymmetric(12), vector(12), vector(12, 5)
    r0 = b - A @ x0
    for k, (x, r) in enumerate(islice(gcr_iterates(A, b, x0), 10), 1):
        K = krylov(A, r0, k)
        shortest = r0 - A @ K @ np.linalg.lstsq(A @ K, r0, rcond=None)[0]
        assert_allclose(r, shortest, atol=1e-9)
        assert_allclose(r, b - A @ x, atol=1e-11)


@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
def test_they_solve_a_system_that_is_not_symmetric_in_at_most_n_steps(make):
    A, b = nonsymmetric(20), vector(20)
    assert_allclose(gcr(make(A), b, steps=20), np.linalg.solve(A, b), rtol=1e-8)


def test_for_a_symmetric_matrix_one_direction_is_enough():
    # generalized conjugate residuals are then conjugate residuals, which are MINRES
    A, b = symmetric(np.geomspace(1, 20, 15)), vector(15)
    for k in 1, 2, 5, 9:
        full = gcr(A, b, steps=k)
        assert_allclose(gcr(A, b, steps=k, window=1), full, rtol=1e-8)
        assert_allclose(minres(A, b, maxiter=k)[0], full, rtol=1e-6)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_an_image_is_orthogonal_to_as_many_before_it_as_the_window_holds_and_to_no_more(window):
    A, b = nonsymmetric(30), vector(30)
    residuals = np.array([b, *(r for _, r in islice(gcr_iterates(A, b, window=window), 8))])
    images = np.diff(residuals, axis=0)
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    for i in range(8):
        assert_allclose(images[max(0, i - window):i] @ images[i], 0, atol=1e-12)
        if i > window:
            assert abs(images[i - window - 1] @ images[i]) > 1e-6


def test_for_a_matrix_that_is_not_symmetric_a_window_costs_something_but_it_still_converges():
    A, b = nonsymmetric(30), vector(30)
    full, two = (np.linalg.norm(b - A @ gcr(A, b, steps=12, window=w)) for w in (None, 2))
    assert two > 1.05 * full
    assert_allclose(gcr(A, b, window=2, steps=300), np.linalg.solve(A, b), rtol=1e-7)


@pytest.mark.parametrize("n", [2, 6, 30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_next_image_lies_in_the_span_of_those_before_but_for_rounding_gcr_ends(n, dtype):
    """A quarter turn in a plane: A r is orthogonal to r, and no step along it makes r any shorter."""
    for seed in range(8):
        Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0].astype(dtype)
        A, b = np.outer(Q[:, 0], Q[:, 1]) - np.outer(Q[:, 1], Q[:, 0]), Q[:, 0]
        (x, r), = islice(gcr_iterates(A, b), 20)
        assert_allclose([x, r], [0 * b, b], atol=10 * np.finfo(dtype).eps)


def test_their_residual_never_grows_and_is_at_most_that_of_conjugate_gradients():
    A, b = symmetric(np.geomspace(1, 1e3, 40)), vector(40)
    residual = [np.linalg.norm(r) for x, r in islice(gcr_iterates(A, b), 25)]
    theirs = [np.linalg.norm(i.r) for i in islice(conjugate_gradient_iterates(A, b), 25)]
    assert np.all(np.diff(residual) <= 0) and np.all(np.array(residual) <= np.array(theirs) * (1 + 1e-9))


def test_a_step_of_conjugate_residuals_costs_one_product():
    A, b = nonsymmetric(30), vector(30)
    for x, products in (None, 7), (vector(30, 3), 8):
        operator, made = counted(A)
        gcr(operator, b, x=x, steps=7)
        assert len(made) == products


def test_they_end_where_no_step_is_left():
    # a rotation by a quarter turn: A r is at right angles to r, and A² r is -r
    A, b = np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([1.0, 0.0])
    (x, r), = gcr_iterates(A, b)
    assert_array_equal(x, 0)
    assert_array_equal(gcr(A, b), 0)
    # a little more than a quarter: the second image is nearly the first, and is what solves it
    A = np.array([[1e-7, -1.0], [1.0, 1e-7]])
    assert_allclose(A @ gcr(A, b), b, atol=1e-8)
    # a singular system: the part of b in the range is solved
    assert_allclose(gcr(np.diag([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 1.0]))[:2], [1, 0.5])


@pytest.mark.parametrize("n, units", [(3, 1.0), (5, 2.0**-300), (8, 2.0**300), (30, 1.0)])
def test_where_a_singular_system_has_no_solution_they_end_at_the_least_residual(n, units):
    A, b = symmetric(units * np.arange(float(n))), vector(n)
    rest = (v := np.linalg.eigh(A)[1][:, 0]) * (v @ b)  # what A cannot give
    *_, (x, r) = islice(gcr_iterates(A, b), 10 * n)
    assert_allclose(A @ x, b - rest, atol=1e-7)
    assert_allclose(r, rest, atol=1e-7)
    assert np.abs(units * x).max() < 10 * np.abs(b).max()
    assert len(list(islice(gcr_iterates(A, b), 10 * n))) < 10 * n  # no step is left


# ---- what both have in common

SOLVERS = [conjugate_gradient, gcr, lambda A, b, x=None, **k: truncated_conjugate_gradient(A, b, x, eps=0, **k)[-1]]


@pytest.mark.parametrize("solve", SOLVERS)
def test_single_precision_stays_single(solve):
    A = symmetric(np.linspace(1, 5, 20)).astype(np.float32)
    b = vector(20).astype(np.float32)
    for matrix in A, aslinearoperator(A), damped(aslinearoperator(A), 0.5):
        for x in None, np.zeros(20, np.float32):
            assert solve(matrix, b, x).dtype == np.float32
    assert_allclose(solve(A, b), np.linalg.solve(A.astype(float), b), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("c", [2.0**-560, 2.0**540])
@pytest.mark.parametrize("begin", [False, True], ids=["from 0", "from a start"])
@pytest.mark.parametrize("M", [None, diags_array(np.geomspace(1, 0.05, 10))], ids=["plain", "preconditioned"])
def test_where_squares_are_no_numbers_every_iterate_is_the_one_in_other_units(M, begin, c):
    A, b, x = symmetric(np.geomspace(1, 30, 10)), vector(10), 2 * vector(10, 3) if begin else None
    there = None if x is None else c * x
    for A_i in A, aslinearoperator(A):
        plain, scaled = (list(islice(conjugate_gradient_iterates(A_i, *given, M), 8)) for given in ((b, x),
                                                                                                    (c * b, there)))
        for one, other in zip(plain, scaled, strict=True):
            assert_allclose(other.x / c, one.x)
            assert_allclose(other.r / c, one.r, atol=1e-13)
        for solver in conjugate_gradient, truncated_conjugate_gradient:
            how = {"preconditioner": M, **({"steps": 5} if solver is conjugate_gradient else {"most": 8})}
            assert_allclose(np.divide(solver(A_i, c * b, there, **how), c), solver(A_i, b, x, **how))
    for window in None, 1, 3:
        pairs = (list(islice(gcr_iterates(nonsymmetric(10), *given, window), 7)) for given in ((b, x), (c * b, there)))
        assert_allclose(*(np.divide(found, unit) for found, unit in zip(pairs, (1, c))), atol=1e-13)


@pytest.mark.parametrize("damping", [None, 0.5, -3.0])
def test_the_iterates_of_a_long_system_are_those_of_the_readable_loop_with_their_residuals_and_directions(damping):
    """With the last damping there is a direction of negative curvature on the way, which ends them."""
    A, b, x = aslinearoperator(diags_array(np.linspace(1, 9, 6000))), vector(6000), vector(6000, 3)
    A = A if damping is None else damped(A, damping)
    found = list(islice(conjugate_gradient_iterates(A, b, x), 6))
    with reading():
        expected = list(islice(conjugate_gradient_iterates(A, b, x), 6))
    assert len(found) == len(expected) and (expected[-1].curvature < 0) == (damping == -3)
    for one, other in zip(found, expected):
        for mine, theirs in zip(one, other):
            assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
@pytest.mark.parametrize("solve, A", [(conjugate_gradient, symmetric(np.geomspace(1e-9, 1, 30))),
                                      (partial(gcr, window=1), nonsymmetric(30))], ids=["conjugate gradients", "gcr"])
def test_n_steps_need_not_be_enough_and_there_are_ten_times_as_many(solve, A, make):
    """With κ = 10⁹, by rounding, or with one direction where all are needed, the residual is still large after n."""
    b = vector(30)
    left = [np.linalg.norm(b - A @ solve(make(A), b, tolerance=1e-6, **steps)) / np.linalg.norm(b)
            for steps in ({"steps": 30}, {"steps": 300}, {})]
    assert left[0] > 10 * left[1] and left[2] == left[1]


@pytest.mark.parametrize("solve", SOLVERS)
def test_whole_numbers_are_numbers(solve):
    assert_allclose(solve(2 * np.eye(3, dtype=int), [2, 4, 5]), [1, 2, 2.5])


@pytest.mark.parametrize("solve", SOLVERS)
def test_systems_that_are_none_are_refused(solve):
    A = np.eye(3)
    for bad in np.nan, np.inf:
        with pytest.raises(ValueError, match="b has entries that are not finite"):
            solve(A, np.array([1.0, bad, 2.0]))
    with pytest.raises(ValueError, match=r"A has shape \(3, 3\) and b has shape \(4,\)"):
        solve(A, np.ones(4))
    with pytest.raises(ValueError, match=r"A has shape \(3, 2\)"):
        solve(A[:, :2], np.ones(3))
    with pytest.raises(ValueError, match=r"x has shape \(2,\), but b has shape \(3,\)"):
        solve(A, np.ones(3), np.ones(2))


def test_a_preconditioner_that_points_backwards_is_refused():
    with pytest.raises(ValueError, match="preconditioner is not positive definite"):
        conjugate_gradient(np.eye(3), np.ones(3), preconditioner=-np.eye(3))


# ---- matrices made of matrices

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("damping", [0.5, np.float64(0.5), np.arange(4.0)], ids=["number", "scalar", "vector"])
def test_damping_is_added_to_the_diagonal(dtype, damping):
    A, v = symmetric([1.0, 2, 3, 4]).astype(dtype), vector(4).astype(dtype)
    expected = A.astype(float) + np.diag(np.broadcast_to(damping, 4))
    array, operator = damped(A, damping), damped(aslinearoperator(A), damping)
    assert isinstance(array, np.ndarray) and array.dtype == operator.dtype == (operator @ v).dtype == dtype
    assert_allclose(array, expected, rtol=1e-6)
    assert_allclose(operator @ v, expected @ v, rtol=1e-5)
    assert_allclose(operator @ np.eye(4, 2, dtype=dtype), expected[:, :2], atol=1e-6)
    assert_allclose(dense(operator, 4), expected, atol=1e-6)


def test_the_transpose_of_a_damped_matrix_is_that_of_the_matrix_damped():
    A, v = nonsymmetric(5), vector(5)
    for damping in 0.5, np.arange(5.0):
        expected = A.T + np.diag(np.broadcast_to(damping, 5))
        for matrix in A, aslinearoperator(A):
            assert_allclose(damped(matrix, damping).T @ v, expected @ v)


def test_a_damped_operator_can_be_given_to_scipy():
    operator = damped(aslinearoperator(symmetric(np.arange(1.0, 11))), 5.0)
    assert_allclose(eigsh(operator, 1, return_eigenvectors=False), 15)


def test_damping_leaves_the_matrix_as_it_was():
    A = np.eye(3)
    damped(A, 1.0)
    assert_array_equal(A, np.eye(3))
    with pytest.raises(ValueError, match=r"a number or have shape \(3,\)"):
        damped(A, np.ones(2))


def test_dense_is_the_array_of_an_operator():
    M = np.random.default_rng(0).standard_normal((5, 5))
    operator, products = counted(M)
    assert_allclose(dense(operator, 5), M)
    assert len(products) == 5
    assert dense(aslinearoperator(M.astype(np.float32)), 5).dtype == np.float32


def low_rank(n=12, rank=4, seed=3):
    """A Fisher matrix of few examples: the mean of g gᵀ over as many gradients as its rank."""
    gradients = np.random.default_rng(seed).standard_normal((rank, n))
    return gradients.T @ gradients / rank


@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
@pytest.mark.parametrize("k", [12, 4, 7])
def test_nystrom_is_exact_when_there_are_as_many_columns_as_the_rank(make, k):
    """Also with all twelve in another order, which make a square C, of which the transpose fits in either place."""
    F, indices = low_rank(), np.random.default_rng(0).permutation(12)[:k]
    F_hat = nystrom(make(F), indices)
    assert_allclose(dense(F_hat, 12), F, atol=1e-8)
    assert_allclose(F_hat @ np.eye(12), F, atol=1e-8)
    assert_allclose(F_hat.T @ np.ones(12), F @ np.ones(12), atol=1e-8)
    assert_array_equal(F_hat.C, F[:, indices])
    assert_array_equal(F_hat.W, F[np.ix_(indices, indices)])


def test_of_an_eigenvalue_that_is_small_and_not_rounding_nystrom_has_its_part():
    F = symmetric(np.geomspace(1, 1e-8, 5))
    assert_allclose(dense(nystrom(F, np.arange(5)), 5), F, atol=1e-8)


def test_nystrom_of_fewer_columns_agrees_on_those_and_is_nowhere_too_large():
    F, indices = low_rank(rank=10), [1, 5, 8]
    F_hat = dense(nystrom(F, indices), 12)
    assert_allclose(F_hat[:, indices], F[:, indices], atol=1e-10)
    assert np.linalg.eigvalsh(F - F_hat)[0] > -1e-10
    assert np.linalg.matrix_rank(F_hat) == 3


def test_nystrom_as_memon_et_al_print_it_cannot_be_multiplied_and_need_not_have_an_inverse():
    F, indices = low_rank(), np.arange(7)
    C, W, rows = F[:, indices], F[np.ix_(indices, indices)], F[indices, :]
    with pytest.raises(ValueError):
        C @ np.linalg.pinv(W) @ rows.T
    assert_allclose(C @ np.linalg.pinv(W, rcond=1e-12) @ rows, F, atol=1e-8)
    # W has 7 rows and rank 4: an inverse of it is rounding.  Where there is no rounding there is no inverse.
    assert np.linalg.matrix_rank(W) == 4
    F = np.outer([1.0, 2, 3], [1.0, 2, 3])
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(F[:2, :2])
    assert_allclose(dense(nystrom(F, [0, 1]), 3), F)


def test_nystrom_keeps_its_precision_and_asks_for_one_product_a_column():
    operator, products = counted(low_rank().astype(np.float32))
    F_hat = nystrom(operator, [0, 3, 4, 9])
    assert len(products) == 4
    assert F_hat.dtype == (F_hat @ np.ones(12, np.float32)).dtype == np.float32
    assert_allclose(dense(F_hat, 12), low_rank(), atol=1e-4)


def test_nystrom_refuses_columns_that_there_are_not():
    for indices in [0, 12], [-1], [0.5], [[1, 2]], 3:
        with pytest.raises(ValueError, match="whole numbers from 0 to 11"):
            nystrom(low_rank(), indices)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("conjugate_gradient_iterates", "beta upside down",
     "ry / ry_before * p",
     "ry_before / ry * p",
     "test_directions_are_conjugate_and_residuals_orthogonal"),
    ("conjugate_gradient_iterates", "the last direction is subtracted",
     "p = y + ry / ry_before * p",
     "p = y - ry / ry_before * p",
     "test_directions_are_conjugate_and_residuals_orthogonal"),
    ("conjugate_gradient_iterates", "the preconditioner is in the direction, but not in beta",
     "ry, ry_before = inner(r, y), ry",
     "ry, ry_before = r @ r, ry",
     "test_preconditioning_is_a_change_of_coordinates"),
    ("conjugate_gradient", "the tolerance is a length, not a share of b",
     "tolerance * norm(b)",
     "tolerance",
     "test_the_tolerance_is_a_share_of_b_and_without_a_step_the_answer_is_the_start"),
    ("truncated_conjugate_gradient", "the fall per step, not over the last k",
     "< k * eps",
     "< eps",
     "test_they_end_when_the_model_fell_by_less_than_the_share_of_it"),
    ("truncated_conjugate_gradient", "the model is taken for r^T x: b is forgotten",
     "-x @ (b + r) / 2",
     "-x @ r / 2",
     "test_they_end_when_the_model_fell_by_less_than_the_share_of_it"),
    ("steihaug", "along negative curvature it stops where it is",
     "return p + min(to_radius(p, d, radius), key=lambda tau: tau * (tau * curvature / 2 - inner(r, d))) * d",
     "return p",
     "optimizers.test_newton::test_the_guarded_methods_are_repelled_by_the_saddle_and_reach_a_minimum"),
    ("steihaug", "along negative curvature it goes on, though it is lower behind",
     "key=lambda tau: tau * (tau * curvature / 2 - inner(r, d))", "key=lambda tau: -tau",
     "test_along_negative_curvature_steihaug_goes_to_the_lower_of_both_ends_which_may_lie_behind"),
    ("steihaug", "on the radius, but behind",
     "max(to_radius(p, d, radius)) * d",
     "min(to_radius(p, d, radius)) * d",
     "optimizers.test_newton::test_steihaug_goes_to_newtons_point_or_to_the_radius_whichever_is_first"),
    ("numopt.linalg.norms::forcing", "the share does not fall with the gradient: convergence is linear",
     "min(0.5, math.sqrt(length / first if first else length)) * length",
     "0.5 * length",
     "optimizers.test_newton::test_the_equation_is_solved_more_exactly_the_smaller_the_gradient_is"),
    ("Nystrom._matvec", "† the last factor is transposed, and does not fit",
     "self.C.T @ v",
     "self.C @ v",
     "test_nystrom_is_exact_when_there_are_as_many_columns_as_the_rank"),
    ("Nystrom.__init__", "† an inverse, which a semidefinite matrix need not have",
     "np.linalg.pinv(W / d / d[:, None], rcond=10 * len(W) * np.finfo(W.dtype).eps,\n"
     "                                        hermitian=True)",
     "np.linalg.inv(W / d / d[:, None])",
     "test_nystrom_is_exact_when_there_are_as_many_columns_as_the_rank"),
    ("gcr_iterates", "the window holds one direction more",
     "deque(maxlen=window)", "deque(maxlen=window and window + 1)",
     "test_an_image_is_orthogonal_to_as_many_before_it_as_the_window_holds_and_to_no_more"),
]
