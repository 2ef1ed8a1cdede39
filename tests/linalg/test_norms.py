"""Lengths whose squares are no numbers, and what stands on them: no answer depends on the units that it is asked in."""
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.linalg import (
    balanced, column_norms, conjugate_gradient, conjugate_gradient_iterates, finite, forcing, gcr, hutchinson_trace,
    image, inner, inverse_root, inverse_root_newton, lanczos, newton_schulz, norm, power_iteration, power_of_two,
    precision, reach, scale, slq, steihaug, to_radius, truncated_conjugate_gradient, unit, vector, widest)

FAR = [(np.float32, 1e-42), (np.float32, 1e-30), (np.float32, 1e-20), (np.float32, 1.0), (np.float32, 1e19),
       (np.float32, 1e36), (np.float64, 1e-310), (np.float64, 1e-200), (np.float64, 1.0), (np.float64, 1e160),
       (np.float64, 1e306)]
BOTH = pytest.mark.parametrize("dtype, size", FAR)
# far from 1, but so that the matrices themselves, and the solutions, are numbers of full precision
UNITS = pytest.mark.parametrize("dtype, size", [(np.float32, 1e-30), (np.float32, 1e20), (np.float32, 1e30),
                                                (np.float64, 1e-250), (np.float64, 1e160), (np.float64, 1e250)])
A = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
X = np.array([1.0, -2.0, 3.0])
DIGITS = {np.float32: 1e-5, np.float64: 1e-12}


@BOTH
def test_whatever_the_units_what_is_single_stays_single_and_what_is_double_double(dtype, size):
    v, M = np.array([3, -4, 0, 1]).astype(dtype) * dtype(size), np.diag([3, -4, 0, 1]).astype(dtype) * dtype(size)
    positive, middle = np.eye(4, dtype=dtype) * dtype(size), 1e-30 < size < 1e30
    found = {"unit": [unit(v), unit(0 * v)], "column_norms": [column_norms(M), column_norms(0 * M)],
             "balanced": [*balanced(v, v), *balanced(v, np.ones(4, dtype))], "image": image(M, v),
             "newton_schulz": [newton_schulz(M), newton_schulz(0 * M)],
             "column_norms of a column": [column_norms(v[:, None])]}
    if middle:
        found |= {"conjugate_gradient": [conjugate_gradient(positive, v)], "gcr": [gcr(positive, v)],
                  "steihaug": [steihaug(positive, v, 1.0), steihaug(-positive, v, 1.0), steihaug(0 * M, v, 1.0)],
                  "inverse_root": [inverse_root(positive, 2), inverse_root_newton(positive, 2)],
                  "lanczos": lanczos(M, v, 3), "power_iteration": power_iteration(M, 4)[1:]}
    for name, arrays in found.items():
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}, name


@BOTH
def test_from_the_sphere_itself_and_from_beyond_by_rounding_there_is_a_way_to_the_sphere(dtype, size):
    """Along a tangent it has length 0: the root of what is negative by rounding is that of 0."""
    if not 1e-30 < size < 1e30:
        return
    eps, p, tangent = float(np.finfo(dtype).eps), np.array([3, 4], dtype) * dtype(size), np.array([-4, 3], dtype)
    for share in 1, 1 - 4 * eps, 1 + 4 * eps:
        for tau in to_radius(p, tangent, 5 * size * share):
            assert abs(tau) <= 10 * math.sqrt(eps) * size
    inwards = to_radius(p, -p, 5 * size * (1 - 4 * eps))
    assert_allclose(inwards, [0, 2], atol=10 * math.sqrt(eps))


@pytest.mark.parametrize("given, kept", [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64),
                                         (np.int64, np.float64)])
def test_numbers_of_half_precision_become_single_and_whole_ones_double(given, kept):
    assert vector(np.array([1, 2]).astype(given)).dtype == np.dtype(kept) == precision(np.eye(2).astype(given))
    assert vector([1, 2]).dtype == vector([1.0, 2]).dtype == np.float64


@BOTH
def test_three_four_five_in_any_units(dtype, size):
    v = np.array([3 * size, -4 * size], dtype)
    digits = 1e-2 if size in (1e-42, 1e-310) else DIGITS[dtype]  # these have few
    assert_allclose(norm(v), 5 * size, rtol=digits)
    assert isinstance(norm(v), float)
    assert_allclose(unit(v), [0.6, -0.8], rtol=digits)
    assert unit(v).dtype == dtype
    assert_allclose(column_norms(np.array([[3 * size, 1.0, 0.0], [4 * size, 1.0, 0.0]], dtype)),
                    [5 * size, math.sqrt(2), 1], rtol=digits)


@pytest.mark.parametrize("dtype, orders", [(np.float32, range(-37, 38)), (np.float64, range(-307, 308))])
def test_columns_of_all_lengths_that_have_all_digits_have_all_of_them_in_their_norms(dtype, orders):
    for size in (10.0**order for order in orders):
        assert_allclose(column_norms(np.array([[3 * size], [4 * size]], dtype)) / size, 5, rtol=DIGITS[dtype])


@pytest.mark.parametrize("dtype, size", [(np.float32, 1.03e-21), (np.float64, 1.03e-160)])
def test_of_many_small_numbers_the_squares_may_have_few_digits_and_their_sum_all(dtype, size):
    v = np.full(20_000, size, dtype)  # more numbers, and single precision adds them up to fewer digits
    assert_allclose([norm(v) / size, inner(v, v) / size / size], [math.sqrt(20_000), 20_000], rtol=1e-5)


@pytest.mark.parametrize("size", [2.0**-60, 2.0**60])
def test_an_inner_product_of_singles_that_are_far_from_1_is_in_double_precision(size):
    assert inner(size * np.float32([4097, 1]), size * np.float32([4097, -4096 * 4098])) == size * size


def test_the_length_may_be_too_large_for_the_precision_and_the_direction_is_there_all_the_same():
    v = np.full(16, 3e38, np.float32)
    assert_allclose(norm(v), 1.2e39)
    assert_allclose(unit(v), 0.25)


def test_lengths_of_nothing_and_of_what_is_not_finite():
    assert norm(np.zeros(3)) == 0 and not unit(np.zeros(3)).any() and norm(np.zeros(0)) == 0
    assert norm(np.array([1.0, np.inf])) == math.inf and math.isnan(norm(np.array([1.0, np.nan])))
    for wrong in np.inf, -np.inf, np.nan:
        assert np.isnan(unit(np.array([wrong, 1.0]))).all()


def test_a_vector_of_finite_numbers_is_finite_also_where_its_length_is_none():
    v = np.full(4, 1.7e308)
    assert norm(v) == math.inf and finite(v, "it") is v
    for wrong in np.inf, np.nan:
        with pytest.raises(FloatingPointError, match="it has entries that are not finite"):
            finite(np.array([1.0, wrong]), "it")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_radius_is_no_shorter_than_half_of_the_digits_of_theta_in_its_precision(dtype):
    theta = np.array([3e6, -4e6], dtype)
    assert_allclose([widest(1e-3, theta), widest(1e9, theta)], [5e6 * np.finfo(dtype).eps**0.5, 1e9])
    assert widest(0.25, 0 * theta) == 0.25


def test_units_are_powers_of_2_and_1_where_nothing_is_in_danger():
    assert [power_of_two(x) for x in (1, 1.5, 2, 0.7, 1e-310)] == [1, 1, 2, 0.5, 2.0**-1030]
    assert scale(np.array([1e5, 1.0])) == scale(np.zeros(2)) == scale(np.array([np.nan])) == 1
    assert scale(np.array([3e200, 1.0])) == power_of_two(3e200)
    assert scale(np.ones(2), np.array([1e-200, 0.0])) == 1  # that of the first
    s, y = balanced(np.array([3e-170]), np.array([5e-190]))
    assert_array_equal(s / y, 3e-170 / 5e-190)
    assert 0.1 < s[0] * y[0] < 10
    s, y = np.ones(2), np.ones(2)
    assert balanced(s, y)[0] is s


@UNITS
@pytest.mark.parametrize("solve", [
    conjugate_gradient, gcr, lambda A, b: truncated_conjugate_gradient(A, b, eps=0)[-1],
    lambda A, b: [i.x for i in conjugate_gradient_iterates(A, b)][-1],
    lambda A, b: -steihaug(A, b, 1e300, first=1e-300),
    lambda A, b: conjugate_gradient(A, b, preconditioner=np.eye(3, dtype=A.dtype))])
def test_a_system_has_one_solution_in_whatever_units(solve, dtype, size):
    M, b, x = A.astype(dtype), (size * A @ X).astype(dtype), (size * X).astype(dtype)
    assert_allclose(solve(M, b) / size, X, rtol=1e-4 if dtype is np.float32 else 1e-8)       # of the right side
    assert_allclose(solve((size * A).astype(dtype), b), X, rtol=1e-4 if dtype is np.float32 else 1e-8)  # of both
    assert x.dtype == solve(M, b).dtype == dtype


@UNITS
@pytest.mark.parametrize("solve", [
    conjugate_gradient, gcr, lambda A, b, x: truncated_conjugate_gradient(A, b, x, eps=0)[-1],
    lambda A, b, x: [i.x for i in conjugate_gradient_iterates(A, b, x)][-1]])
def test_so_has_it_from_wherever_one_starts(solve, dtype, size):
    M, b, start = A.astype(dtype), (size * A @ X).astype(dtype), (size * np.array([5.0, 1, -4])).astype(dtype)
    assert_allclose(solve(M, b, start) / size, X, rtol=1e-4 if dtype is np.float32 else 1e-8)


@UNITS
def test_a_step_to_the_radius_ends_there_in_any_units(dtype, size):
    g = (size * X).astype(dtype)
    for B in A, -A:
        for radius in 1e-3 * size, 1e-3:
            p = steihaug(B.astype(dtype), g, radius) if radius < norm(g) else None
            assert p is None or math.isclose(norm(p), radius, rel_tol=1e-5)
    tau = max(to_radius(np.zeros(3, dtype), g, 2.0))
    assert_allclose(tau * norm(g), 2.0)


def test_the_share_that_newtons_equation_is_solved_to_does_not_depend_on_units_if_it_knows_where_it_began():
    for c in 1e-10, 1.0, 1e10:
        assert_allclose(forcing(np.array([c]), c) / c, 0.5)
        assert_allclose(forcing(np.array([c / 100]), c) / c, 1e-3)
    assert forcing(np.array([0.01])) == 0.1 * 0.01
    assert_allclose([forcing(np.array([x])) for x in (0.16, 0.2499, 0.36, 9.0)], [0.064, 0.2499**1.5, 0.18, 4.5])
    assert_allclose(forcing(np.array([9.0]), 100.0), 0.3 * 9)


@UNITS
def test_spectra_scale_with_the_matrix(dtype, size):
    M, start = (size * A).astype(dtype), np.ones(3, dtype)
    lam = np.linalg.eigvalsh(A)
    alpha, beta, Q = lanczos(M, size * start, 3)
    found = np.linalg.eigvalsh(np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1)).astype(float) / size
    assert_allclose(found, lam, rtol=1e-5)
    assert_allclose(power_iteration(M, 3, tolerance=1e-6, start=size * start)[0] / size, lam[-1], rtol=1e-4)
    assert_allclose(hutchinson_trace(np.diag(np.diag(M)), 3, 2) / size, 9, rtol=1e-5)
    assert_allclose(slq(M, 3, 3, 4)[0] / size, slq(A, 3, 3, 4)[0], rtol=1e-4)


@UNITS
def test_roots_scale_with_the_matrix_and_the_orthogonal_matrix_next_to_it_stays(dtype, size):
    for root in inverse_root, inverse_root_newton:
        for p in 2, 4:
            R = root((size * A).astype(dtype), p).astype(float) * size**(1 / p)
            assert_allclose(np.linalg.matrix_power(R, p) @ A, np.eye(3), atol=2e-3 if dtype is np.float32 else 1e-8)
    W = A[:2].astype(dtype)
    assert_allclose(newton_schulz((size * W).astype(dtype)), newton_schulz(W), atol=1e-3)
    assert not newton_schulz(np.zeros((2, 3), dtype)).any()


# ------------------------------------------------------------------------------- what cannot be answered says so

@pytest.mark.parametrize("ask", [
    lambda bad: conjugate_gradient(A, bad), lambda bad: gcr(A, bad), lambda bad: lanczos(A, bad, 2),
    lambda bad: power_iteration(A, 3, start=bad), lambda bad: truncated_conjugate_gradient(A, bad)])
@pytest.mark.parametrize("bad, error", [
    (X.astype(complex), TypeError), (np.ma.masked_array(X, [True, False, False]), TypeError), ([1j, 0, 0], TypeError),
    (np.array([1.0, np.nan, 0.0]), ValueError), (np.array([1.0, np.inf, 0.0]), ValueError)])
def test_a_vector_that_is_not_of_real_finite_numbers_is_refused(ask, bad, error):
    with pytest.raises(error, match="complex|masked|finite"):
        ask(bad)


@pytest.mark.parametrize("ask", [
    lambda bad: conjugate_gradient(bad, X), lambda bad: gcr(bad, X), lambda bad: lanczos(bad, X, 2),
    lambda bad: power_iteration(bad, 3), lambda bad: inverse_root(bad, 2), lambda bad: inverse_root_newton(bad, 2),
    lambda bad: hutchinson_trace(bad, 3, 1), lambda bad: slq(bad, 3, 2, 1),
    lambda bad: truncated_conjugate_gradient(bad, X)])
@pytest.mark.parametrize("bad", [A.astype(complex), np.ma.masked_array(A, A == 0)])
def test_a_matrix_that_is_not_of_real_numbers_is_refused(ask, bad):
    with pytest.raises(TypeError, match="complex|masked"):
        ask(bad)


@pytest.mark.parametrize("ask", [
    lambda bad: conjugate_gradient(bad, X), lambda bad: gcr(bad, X), lambda bad: lanczos(bad, X, 2),
    lambda bad: power_iteration(bad, 3), lambda bad: inverse_root(bad, 2), lambda bad: inverse_root_newton(bad, 2),
    lambda bad: newton_schulz(bad), lambda bad: steihaug(bad, X, 1.0), lambda bad: slq(bad, 3, 2, 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_matrix_that_is_not_finite_gives_no_answer(ask, value):
    """A FloatingPointError, of which a run makes Diverged."""
    with pytest.raises(FloatingPointError, match="finite"):
        with np.errstate(all="ignore"):
            ask(np.full((3, 3), value))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_reach_changes_no_number_by_more_than_a_share_of_it_or_of_1_whatever_its_sign(sign):
    theta, d = sign * np.array([1e6, 3.0, 1e-3]), np.array([-2.0, 1.0, 0.0])
    assert_allclose(reach(theta, d, 1e-5), 3e-5)
    assert_allclose(reach(theta, np.array([1e4, 0.0, 0.0]), 1e-5), 1e-3)
    assert_allclose(reach(theta, np.array([0.0, 0.0, -4.0]), 1e-5), 1e-5 / 4)


def test_a_start_of_zeros_has_no_direction():
    for ask in lanczos, lambda A, start, n: power_iteration(A, n, start=start):
        with pytest.raises(ValueError, match="no direction"):
            ask(A, np.zeros(3), 3)


def test_conjugate_residuals_with_a_window_come_to_an_end():
    """A is no longer positive: with two directions they go round in circles, and ended only where steps= was given."""
    products = []

    class Turning:
        shape, dtype = (3, 3), np.dtype(float)

        def __matmul__(self, v):
            products.append(1)
            return np.array([[0.1, -1.0, 0.0], [1.0, 0.1, -1.0], [0.0, 1.0, 0.1]]) @ v

    gcr(Turning(), X, window=1, tolerance=0)
    assert len(products) <= 31
