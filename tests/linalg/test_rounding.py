"""Systems that are singular but for rounding: each test says something lectures 6 and 9 say."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import aslinearoperator

from numopt.linalg import conjugate_gradient, steihaug
from numopt.linalg.rounding import Rounding, absolute
from tests.linalg.test_systems import symmetric, vector


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
@pytest.mark.parametrize("n", [5, 12])
def test_a_singular_system_that_has_solutions_gets_the_shortest_and_one_that_has_none_an_error(n, make, dtype):
    atol, near = (1e-8, 1e-10) if dtype is np.float64 else (1e-3, 1e-5)
    for seed in range(10):
        A = symmetric([*np.linspace(1, 4, 4), *np.zeros(n - 4)], seed)
        b, other, A = (A @ vector(n, seed + 1)).astype(dtype), vector(n, seed + 2).astype(dtype), A.astype(dtype)
        shortest = np.linalg.pinv(A.astype(float), rcond=1e-4) @ b
        assert_allclose(conjugate_gradient(make(A), b, tolerance=near), shortest, atol=atol * np.abs(shortest).max())
        assert_allclose(conjugate_gradient(make(A), b, other, tolerance=near) - other,
                        np.linalg.pinv(A.astype(float), rcond=1e-4) @ (b - A @ other), atol=30 * atol)
        for x in None, other:
            with pytest.raises(ValueError, match="not positive definite"):
                conjugate_gradient(make(A), b + dtype(0.01) * other, x)


def test_what_rounding_of_theta_has_left_of_a_gradient_is_solved_by_no_step():
    for seed in range(20):
        A, theta = symmetric([1.0, 2, 0, 0], seed), vector(4, seed)
        g = 1e-16 * np.abs(A) @ np.abs(theta) * vector(4, seed + 1)
        for solve in conjugate_gradient, lambda A, g, theta: steihaug(A, g, 1.0, theta=theta):
            for unit in 2.0**-600, 1.0, 2.0**600:
                assert_array_equal(solve(unit * A, unit * g, theta=theta), 0)


@pytest.mark.parametrize("n", [1, 30, 300])
@pytest.mark.parametrize("make", [np.ones, np.zeros, lambda shape: np.eye(*shape)], ids=["1", "0", "I"])
def test_what_may_be_rounding_of_each_number_is_so_however_many_there_are(n, make):
    """Of a matrix of ones each number is a sum of n: the bound for them all together has to be as many times larger."""
    A, theta, b = make((n, n)), np.ones(n), vector(n, 1)
    rounding = Rounding(A, b, theta)
    each = 10 * np.finfo(float).eps * (np.abs(b) + np.abs(A) @ theta)
    assert rounding.is_all(0.99 * each) and not rounding.is_all(1.01 * each)


def test_a_curvature_is_rounding_beside_the_numbers_that_cancel_in_it_whatever_the_units():
    for unit in 1e-20, 1.0, 1e16:
        D = np.diag([1.0, unit])
        A = D @ np.array([[1.0, -1], [-1, 1]]) @ D
        for M in A, aslinearoperator(A):
            flat, other = np.array([1, 1 / unit]), np.array([0.0, 1 / unit])
            rounding = Rounding(M, np.ones(2), None)
            assert not rounding.is_curved(flat, 1e-16) and not rounding.is_curved(flat, -1e-16)
            assert rounding.is_curved(other, other @ A @ other) and rounding.is_curved(flat, 1e-13)
            assert rounding.is_curved(flat, -1e-13)
            assert_allclose(absolute(M, flat), np.abs(A) @ flat)


def test_a_residual_is_rounding_beside_b_and_beside_what_cancels_in_the_product():
    A, flat = np.array([[1.0, -1], [-1, 1]]), np.ones(2)
    for M in A, aslinearoperator(A):
        rounding = Rounding(M, np.array([1.0, -1]), None)
        for x, rounded in (np.zeros(2), 1e-15), (np.full(2, 1e3), 1e-12):
            assert not rounding.has_share(x, np.full(2, rounded), flat)
            assert rounding.has_share(x, np.full(2, 100 * rounded), flat)
        for b, r, is_rounding in ([1, -1], [1e-15, 1e-15], True), ([1, -1], [1e-15, 1e-13], False), (
                [1, 1e-8], [1e-15, 1e-15], False):
            at_the_origin = Rounding(M, np.array(b, float), np.zeros(2))
            at_the_origin.may_be(1.0, flat)
            assert at_the_origin.is_all(np.array(r)) == is_rounding


@pytest.mark.parametrize("n", [7, 200])
def test_of_second_differences_which_are_no_array_what_cancels_is_found_as_well(n):
    """|−1 2 −1| adds up to 4."""
    A = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    assert_allclose(absolute(aslinearoperator(A), np.ones(n)), absolute(A, np.ones(n)))
    assert_array_equal(absolute(A, np.ones(n))[1:-1], 4)


@pytest.mark.parametrize("make", [np.asarray, aslinearoperator], ids=["array", "operator"])
def test_what_cancels_in_no_order_is_found_nearly(make):
    for seed in range(20):
        A, v = symmetric([1.0, 2, 3, 4], seed), np.abs(vector(4, seed))
        found, right = absolute(make(A), v), np.abs(A) @ v
        assert (found <= right * (1 + 1e-12)).all() and (found >= 0.4 * right).all()


def test_where_the_bound_on_rounding_is_no_number_nothing_is_called_rounding():
    rounding = Rounding(1e200 * np.eye(2), np.ones(2), np.full(2, 1e200))
    assert rounding.short == np.inf and not rounding.is_all(np.ones(2))


def test_a_small_curvature_of_a_parameter_in_small_units_is_none():
    """By conjugate gradients as well as by elimination."""
    A, b = np.diag([1.0, 1e-20, 1e-9]), np.array([1.0, 2e-20, 3e-9])
    for M in A, aslinearoperator(A):
        assert_allclose(conjugate_gradient(M, b, tolerance=1e-30), [1, 2, 3], rtol=1e-9)
