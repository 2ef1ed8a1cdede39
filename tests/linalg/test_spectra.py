"""Eigenvalues, traces and diagonals from products: each test says something lectures 1, 10 and 11 say."""
import math
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import trapezoid
from scipy.linalg import eigvalsh_tridiagonal
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from numopt.linalg import (
    density, hutchinson, hutchinson_diagonal, hutchinson_trace, lanczos, power_iteration, signs, slq)
from numopt.linalg.spectra import solution, units

MAKERS = pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])


def symmetric(eigenvalues, seed=0):
    """A matrix with these eigenvalues."""
    n = len(eigenvalues)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return Q * np.array(eigenvalues) @ Q.T


def vector(n, seed=1):
    return np.random.default_rng(seed).standard_normal(n)


def tridiagonal(alpha, beta):
    return np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1)


# ---- power iteration

@MAKERS
@pytest.mark.parametrize("eigenvalues", [[1, 2, 3, 10], [-10, 1, 2, 9], [7.0, 7.0, 1.0]])
def test_power_iteration_finds_the_eigenvalue_furthest_from_zero(make, eigenvalues):
    A = symmetric(eigenvalues)
    eigenvalue, v = power_iteration(make(A), len(A), tolerance=1e-10)
    assert_allclose(eigenvalue, max(eigenvalues, key=abs))
    assert_allclose(A @ v, eigenvalue * v, atol=1e-8)
    assert_allclose(np.linalg.norm(v), 1)
    assert type(eigenvalue) is float


def test_the_tolerance_of_power_iteration_bounds_the_distance_to_an_eigenvalue():
    eigenvalues = np.linspace(1, 10, 30)
    A = symmetric(eigenvalues)
    for tolerance in 1e-1, 1e-2, 1e-3:
        eigenvalue, v = power_iteration(A, 30, tolerance=tolerance)
        assert np.abs(eigenvalues - eigenvalue).min() <= tolerance * eigenvalue
        assert np.linalg.norm(A @ v - eigenvalue * v) <= tolerance * eigenvalue


def test_how_exact_an_eigenvalue_is_does_not_depend_on_units_nor_on_its_sign():
    A = symmetric(np.linspace(1, 10, 30))
    eigenvalue, v = power_iteration(A, 30)
    for c in 2.0**-30, 2.0**30, -1.0:
        scaled, v_scaled = power_iteration(c * A, 30)
        assert scaled == c * eigenvalue
        assert_array_equal(np.abs(v_scaled), np.abs(v))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_start_that_is_not_finite_has_no_direction(wrong):
    start = np.array([1.0, wrong, 2.0])
    for ask in lambda: lanczos(np.eye(3), start, 2), lambda: power_iteration(np.eye(3), 3, start=start):
        with pytest.raises(ValueError, match="start must be a vector of finite numbers that are not all zero"):
            ask()


def test_it_stays_where_it_starts_if_that_is_an_eigenvector_and_goes_nowhere_in_a_matrix_of_zeros():
    eigenvalue, v = power_iteration(np.diag([1.0, 5.0]), 2, start=np.array([3.0, 0.0]))
    assert eigenvalue == 1 and np.array_equal(v, [1, 0])
    assert power_iteration(np.zeros((3, 3)), 3)[0] == 0


# ---- Lanczos

@MAKERS
def test_lanczos_run_to_the_end_has_all_eigenvalues(make):
    eigenvalues = np.geomspace(1e-3, 100, 40)
    A = symmetric(eigenvalues)
    alpha, beta, Q = lanczos(make(A), vector(40), 40)
    assert_allclose(eigvalsh_tridiagonal(alpha, beta), eigenvalues, rtol=1e-8)
    assert_allclose(Q.T @ Q, np.eye(40), atol=1e-13)
    assert_allclose(Q @ tridiagonal(alpha, beta) @ Q.T, A, atol=1e-11)


def test_what_lanczos_sees_of_a_matrix_is_tridiagonal():
    A, start = symmetric(np.linspace(-3, 5, 30)), vector(30)
    alpha, beta, Q = lanczos(A, start, 12)
    assert (alpha.shape, beta.shape, Q.shape) == ((12,), (11,), (30, 12))
    assert_allclose(Q[:, 0], start / np.linalg.norm(start))
    assert_allclose(Q.T @ A @ Q, tridiagonal(alpha, beta), atol=1e-12)
    assert np.all(beta > 0)


def test_the_ends_of_the_spectrum_come_first():
    A = symmetric([*np.linspace(0, 1, 96), -5.0, 4.0, 6.0, 20.0])
    seen = eigvalsh_tridiagonal(*lanczos(A, vector(100), 20)[:2])
    assert_allclose(seen[[0, -3, -2, -1]], [-5, 4, 6, 20], rtol=1e-9)


def test_columns_stay_orthonormal_long_after_an_eigenvalue_has_been_found():
    # without making them orthogonal again they lose it as soon as the outlier has converged
    A, start = symmetric([*np.linspace(0, 1, 79), 1e4]), vector(80)
    Q = lanczos(A, start, 60)[2]
    assert_allclose(Q.T @ Q, np.eye(60), atol=1e-13)
    q, before, beta, plain = start / np.linalg.norm(start), 0, 0, []
    for _ in range(60):
        plain.append(q)
        w = A @ q - beta * before
        w = w - (w @ q) * q
        before, beta = q, np.linalg.norm(w)
        q = w / beta
    assert np.abs(np.array(plain) @ np.array(plain).T - np.eye(60)).max() > 0.5


@pytest.mark.parametrize("eigenvalues", [[3.0] * 6, [1, 4] * 3, [0, 0, 0, 0, 2, 5], [0.0] * 6])
def test_it_ends_when_the_space_is_used_up(eigenvalues):
    alpha, beta, Q = lanczos(symmetric(eigenvalues), vector(6), 6)
    different = sorted(set(eigenvalues))
    assert len(alpha) == len(different) == Q.shape[1] == len(beta) + 1
    assert_allclose(eigvalsh_tridiagonal(alpha, beta), different, atol=1e-12)


def test_more_steps_than_dimensions_are_no_more_than_those():
    assert len(lanczos(np.diag([1.0, 2.0, 3.0]), np.ones(3), 100)[0]) == 3


# ---- stochastic Lanczos quadrature

def test_weights_sum_to_one_and_are_not_negative():
    nodes, weights = slq(symmetric(np.linspace(-1, 4, 50)), 50, steps=10, probes=7, seed=3)
    assert nodes.shape == weights.shape == (70,)
    assert_allclose(weights.sum(), 1)
    assert np.all(weights >= 0)


def test_the_quadrature_of_one_probe_is_exact_for_polynomials_of_degree_less_than_twice_the_steps():
    n, m = 20, 4
    A = symmetric(np.linspace(-1, 2, n))
    nodes, weights = slq(A, n, steps=m, probes=1, seed=5)
    z, = signs(A, n, 1, 5)
    moments = [z @ np.linalg.matrix_power(A, k) @ z / n for k in range(2 * m + 1)]
    quadrature = [weights @ nodes**k for k in range(2 * m + 1)]
    assert_allclose(quadrature[:-1], moments[:-1], atol=1e-12)
    assert abs(quadrature[-1] - moments[-1]) > 1e-3


def test_with_all_squared_entries_of_the_eigenvectors_for_weights_it_is_wrong():
    # a mistake that was in use for years; every column of an orthogonal matrix has squares that sum to 1
    n = 20
    A = symmetric(np.linspace(0, 2, n)**3)
    z, = signs(A, n, 1, 5)
    alpha, beta, Q = lanczos(A, z, 4)
    nodes, U = np.linalg.eigh(tridiagonal(alpha, beta))
    wrong = np.mean(U**2, axis=0)
    right = slq(A, n, steps=4, probes=1, seed=5)[1]
    moment = z @ A @ z / n
    assert_allclose(right @ nodes, moment)
    assert abs(wrong @ nodes - moment) > 0.1 * moment


@MAKERS
def test_the_density_is_that_of_the_eigenvalues(make):
    n, sigma = 200, 0.15
    eigenvalues = np.concatenate([np.random.default_rng(0).normal(0, 0.4, n - 10), np.linspace(4, 6, 10)])
    grid = np.linspace(-3, 8, 500)
    exact = density(eigenvalues, np.full(n, 1 / n), grid, sigma)
    estimate = density(*slq(make(symmetric(eigenvalues)), n, steps=30, probes=80), grid, sigma)
    assert trapezoid(np.abs(estimate - exact), grid) < 0.03


def test_a_density_is_positive_and_integrates_to_one_and_one_node_is_a_normal_density():
    grid = np.linspace(-5, 8, 4000)
    y = density(np.array([-1.0, 2.0]), np.array([0.25, 0.75]), grid, 0.3)
    assert np.all(y >= 0)
    assert_allclose(trapezoid(y, grid), 1)
    assert_allclose(density(np.array([2.0]), np.ones(1), [2.0, 2.3], 0.3) * 0.3 * math.sqrt(2 * math.pi),
                    [1, math.exp(-0.5)])


# ---- Hutchinson

def all_signs(n):
    return np.array(list(product([-1.0, 1.0], repeat=n)))


def test_over_all_vectors_of_signs_the_mean_is_the_diagonal():
    A = symmetric([1.0, -2, 3, 5, 8])
    Z = all_signs(5)
    assert_allclose(np.mean(Z * (Z @ A), axis=0), np.diag(A), atol=1e-13)
    off = A - np.diag(np.diag(A))
    assert_allclose(np.var(Z * (Z @ A), axis=0), np.sum(off**2, axis=1))
    assert_allclose(np.var(np.sum(Z * (Z @ A), axis=1)), 2 * np.sum(off**2))


def test_estimates_come_nearer_like_one_over_the_root_of_the_number_of_probes():
    A = symmetric(np.linspace(-1, 5, 30))
    off = A - np.diag(np.diag(A))
    for probes in 50, 400:
        # twenty estimates each, whose mean square error has itself a spread of about a third
        traces = [hutchinson_trace(A, 30, probes, seed) for seed in range(20)]
        assert 0.4 < np.mean((np.array(traces) - np.trace(A))**2) / (2 * np.sum(off**2) / probes) < 2
        diagonal = hutchinson_diagonal(A, 30, probes)
        assert 0.3 < np.sum((diagonal - np.diag(A))**2) / (np.sum(off**2) / probes) < 2.5


def test_of_a_diagonal_matrix_one_probe_is_exact():
    d = vector(10)
    assert_allclose(hutchinson_diagonal(np.diag(d), 10, probes=1), d)
    assert_allclose(hutchinson_trace(np.diag(d), 10, probes=1), d.sum())


def test_trace_and_diagonal_are_means_over_the_same_probes():
    A = symmetric(np.linspace(-1, 5, 8))
    rows = np.array(list(hutchinson(A, 8, 50, seed=4)))
    assert rows.shape == (50, 8)
    assert_allclose(hutchinson_diagonal(A, 8, 50, seed=4), rows.mean(axis=0))
    assert_allclose(hutchinson_trace(A, 8, 50, seed=4), rows.sum(axis=1).mean())


# ---- what all have in common

@MAKERS
def test_single_precision_stays_single(make):
    A = make(symmetric(np.linspace(1, 5, 12)).astype(np.float32))
    assert power_iteration(A, 12)[1].dtype == np.float32
    assert all(part.dtype == np.float32 for part in lanczos(A, vector(12).astype(np.float32), 5))
    assert all(part.dtype == np.float32 for part in slq(A, 12, 5, 2))
    assert hutchinson_diagonal(A, 12, 3).dtype == np.float32
    assert type(hutchinson_trace(A, 12, 3)) is float
    assert_allclose(power_iteration(A, 12)[0], 5, rtol=1e-4)


def test_the_seed_decides():
    A = symmetric(np.linspace(1, 5, 12))
    assert_array_equal(slq(A, 12, 4, 2, seed=(1, 7)), slq(A, 12, 4, 2, seed=(1, 7)))
    diagonals = [tuple(hutchinson_diagonal(A, 12, 3, seed)) for seed in (0, 1, (0, 1), (1, 0), (1, 1))]
    assert len(set(diagonals)) == 5
    # more probes go on from the fewer
    few, many = (list(hutchinson(A, 12, probes, 1)) for probes in (2, 5))
    assert_array_equal(few, many[:2])
    assert len({tuple(row) for row in many}) == 5


def test_one_product_a_step_and_a_probe():
    A, products = symmetric(np.linspace(1, 5, 12)), []
    operator = LinearOperator((12, 12), lambda v: products.append(1) or A @ v, dtype=float)
    for ask, expected in [(lambda: lanczos(operator, vector(12), 5), 5), (lambda: slq(operator, 12, 5, 3), 15),
                          (lambda: hutchinson_trace(operator, 12, 4), 4)]:
        products.clear()
        ask()
        assert len(products) == expected


def test_no_probes_are_none():
    for ask in hutchinson_trace, hutchinson_diagonal, lambda A, n, probes: slq(A, n, 2, probes):
        with pytest.raises(ValueError, match="probes = 0 must be at least 1"):
            ask(np.eye(3), 3, probes=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lanczos_ends_where_a_matrix_has_no_more_eigenvalues_in_either_precision(rank, dtype):
    """Of a matrix of that rank these are `rank` of its own, and 0."""
    for seed in range(5):
        A = np.diag([*range(1, rank + 1), *[0] * 20]).astype(dtype)
        alpha, beta, _ = lanczos(A, vector(20 + rank, seed + 1).astype(dtype), 15)
        assert_allclose(eigvalsh_tridiagonal(alpha, beta), range(rank + 1), atol=1e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype, small", [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_rounding_is_no_eigenvalue_beside_a_large_one_also_where_a_small_one_came_last(dtype, small):
    A = np.diag([1, small, *[0] * 4]).astype(dtype)
    for seed in range(20):
        alpha, beta, _ = lanczos(A, vector(6, seed).astype(dtype), 6)
        assert_allclose(eigvalsh_tridiagonal(alpha, beta), [0, small, 1], atol=100 * np.finfo(dtype).eps)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("slq", "* all squared entries of the eigenvectors for weights, not the first ones",
     "U[0]**2 / probes",
     "(U**2).mean(axis=0) / probes",
     "test_the_quadrature_of_one_probe_is_exact_for_polynomials_of_degree_less_than_twice_the_steps"),
    ("signs", "heads and tails are 0 and 1, not -1 and 1",
     "np.array([-1, 1], precision(A))",
     "np.array([0, 1], precision(A))",
     "test_of_a_diagonal_matrix_one_probe_is_exact"),
    ("lanczos", "new columns are made orthogonal to the last two only, and lose it to the others",
     "basis = np.array(Q)",
     "basis = np.array(Q[-2:])",
     "test_columns_stay_orthonormal_long_after_an_eigenvalue_has_been_found"),
    ("power_iteration", "how exact it is depends on the units of the matrix",
     "tolerance * abs(eigenvalue)", "tolerance",
     "test_how_exact_an_eigenvalue_is_does_not_depend_on_units_nor_on_its_sign"),
]


@pytest.mark.parametrize("orders", [1, 10, 100])
def test_in_units_of_its_own_the_largest_number_of_every_row_of_a_matrix_is_about_1_whatever_they_were(orders):
    D = 10.0**np.linspace(-orders, orders, 6)
    H = symmetric([-3.0, -1, 1, 2, 4, 5]) * D * D[:, None]
    d, eigenvalues, Q = units(H)
    assert_allclose(np.abs(H / d / d[:, None]).max(axis=1), 1, atol=0.25)
    assert_allclose(Q * eigenvalues @ Q.T, H / d / d[:, None], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
def test_a_pivot_that_is_rounding_is_no_solution_in_any_units(dtype, unit):
    g, eps = np.ones(2, dtype), np.finfo(dtype).eps
    for rounding in 2, 8:
        assert solution(np.array([[unit, unit], [unit, unit * (1 + rounding * eps)]], dtype), g) is None
    near = np.array([[unit, unit], [unit, unit * (1 + 100 * eps)]], dtype)
    assert_allclose(near.astype(float) @ solution(near, g), g, atol=0.1)
