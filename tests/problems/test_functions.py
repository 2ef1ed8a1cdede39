"""Problems made of functions: what they answer, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.problems import Beale, Function, LeastSquares

A = np.array([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]])


def complex_step(f, theta, h=1e-30):
    """∂f/∂θ without a difference, hence without rounding: Im f(θ + ih) / h (Squire and Trapp 1998)."""
    return np.stack([np.imag(f(theta + 1j * h * e)) / h for e in np.eye(theta.size)], axis=-1)


def central(f, theta, h):
    return np.stack([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(theta.size)], axis=-1)


def residuals(theta):
    x, y = theta
    return np.array([np.exp(x * y) - 2, x - y**2, np.sin(x)])


def jacobian(theta):
    x, y = theta
    return np.array([[y * np.exp(x * y), x * np.exp(x * y)], [1, -2 * y], [np.cos(x), 0]])


def second(theta):
    x, y = theta
    z = np.exp(x * y)
    return np.array([[[y * y * z, (1 + x * y) * z], [(1 + x * y) * z, x * x * z]], [[0, 0], [0, -2]],
                     [[-np.sin(x), 0], [0, 0]]])


@pytest.mark.parametrize("given, digits", [((), 1e-6), ((jacobian,), 1e-9), ((jacobian, second), 1e-13)])
def test_least_squares_has_its_derivatives_from_its_residuals(given, digits):
    theta = np.array([0.6, -0.8])
    f = LeastSquares(residuals, *given, size=2)
    r, J, H = residuals(theta), jacobian(theta), second(theta)
    exact = complex_step(lambda theta: jacobian(theta).T @ residuals(theta), theta)
    assert_allclose(exact, J.T @ J + r[0] * H[0] + r[1] * H[1] + r[2] * H[2])
    assert_allclose(f.value(theta), (r[0]**2 + r[1]**2 + r[2]**2) / 2)
    assert_allclose(f.residuals(theta), r)
    assert_allclose(f.jacobian(theta), J, atol=digits)
    assert_allclose(f.gradient(theta), complex_step(lambda theta: (residuals(theta)**2).sum() / 2, theta), atol=digits)
    assert_allclose(f.gauss_newton(theta), J.T @ J, atol=digits)
    assert_allclose(f.hessian(theta), exact, atol=digits)
    assert_array_equal(f.hessian(theta), f.hessian(theta).T)
    for question in (f.gradient, f.hessian, f.gauss_newton, f.residuals, f.jacobian):
        assert question(theta.astype(np.float32)).dtype == np.float32


def test_second_derivatives_by_differences_are_right_to_about_ten_digits():
    f = LeastSquares(lambda x: np.array([np.sin(3 * x[0] * x[1])]),
                     lambda x: 3 * np.cos(3 * x[0] * x[1]) * np.array([[x[1], x[0]]]))
    for x in np.random.default_rng(0).uniform(-1, 1, (5, 2)):
        s, c, (a, b) = np.sin(3 * x[0] * x[1]), np.cos(3 * x[0] * x[1]), x
        exact = 9 * c**2 * np.outer([b, a], [b, a]) + s * (
            3 * c * np.array([[0, 1], [1, 0]]) - 9 * s * np.outer([b, a], [b, a]))
        assert_allclose(f.hessian(x), exact, atol=2e-9)


def test_of_linear_residuals_the_gauss_newton_matrix_is_the_hessian():
    X, y = np.random.default_rng(0).standard_normal((7, 3)), np.arange(7.0)
    f = LeastSquares(lambda theta: X @ theta - y, lambda theta: X)
    assert_allclose(f.hessian(np.ones(3)), f.gauss_newton(np.ones(3)), atol=1e-9)
    assert_allclose(f.gradient(np.linalg.lstsq(X, y, rcond=None)[0]), 0, atol=1e-12)


@pytest.mark.parametrize("f, message", [
    (LeastSquares(lambda theta: 3.0), r"residuals gave an array of shape \(\); it must be a vector"),
    (LeastSquares(residuals, lambda theta: jacobian(theta).T), r"jacobian gave .* \(2, 3\).* of shape \(any, 2\)"),
    (LeastSquares(residuals, lambda theta: jacobian(theta)[:2]), "residuals gave 3 numbers and jacobian 2 rows"),
    (LeastSquares(residuals, lambda theta: np.ones((4, 2))), "residuals gave 3 numbers and jacobian 4 rows"),
    (LeastSquares(residuals, lambda theta: None), "jacobian gave object instead of real numbers"),
    (LeastSquares(residuals, lambda theta: np.ma.masked_array(jacobian(theta))), "jacobian gave a masked array"),
    (LeastSquares(lambda theta: np.ma.masked_array(residuals(theta), [1, 0, 0]), jacobian), "residuals gave a masked"),
    (LeastSquares(residuals, jacobian, lambda theta: second(theta)[0]), "second gave"),
    (LeastSquares(residuals, size=3), "LeastSquares takes 3 numbers; it was given 2"),
    (Function(lambda theta: theta), r"fun gave an array of shape \(2,\); an objective is one number"),
    (Function(lambda theta: None), "fun gave None instead of a real number; does it return"),
    (Function(lambda theta: 1j), "instead of a real number"), (Function(lambda theta: np.array([1j])), "fun gave"),
    (Function(lambda theta: np.array(["3.0"])), "fun gave an array"),
    (Function(sum, lambda theta: np.ones(3)), r"jac gave an array of shape \(3,\); it must be .* of shape \(2,\)"),
    (Function(sum, lambda theta: np.ones(1)), r"jac gave an array of shape \(1,\); it must be .* of shape \(2,\)"),
    (Function(sum, lambda theta: 1j * theta), "jac gave complex128 instead of real numbers"),
    (Function(sum, hess=lambda theta: np.ones(2)), r"hess gave .* of shape \(2, 2\)"),
    (Function(sum, size=3), "Function takes 3 numbers; it was given 2")])
def test_a_function_of_the_readers_that_returns_the_wrong_thing_is_told_what_is_wanted(f, message):
    with pytest.raises(ValueError, match=message):
        f.value_and_gradient(np.array([0.5, 1.0]))
        f.hessian(np.array([0.5, 1.0]))


def spoilt(f):
    """The same function, which uses its argument up."""

    def spoiling(theta):
        result = np.array(f(theta))
        theta[:] = np.nan
        return result

    return spoiling


@pytest.mark.parametrize("f, other", [
    (LeastSquares(spoilt(residuals), spoilt(jacobian), spoilt(second)), LeastSquares(residuals, jacobian, second)),
    (LeastSquares(spoilt(residuals)), LeastSquares(residuals)),
    (Function(spoilt(sum), spoilt(np.ones_like), spoilt(np.diag)), Function(sum, np.ones_like, np.diag)),
    (Function(spoilt(sum), spoilt(np.ones_like)), Function(sum, np.ones_like))])
def test_a_function_may_write_into_what_it_is_given(f, other):
    theta = np.array([0.5, 1.0])
    for _ in range(2):
        for mine, right in zip(f.value_and_gradient(theta), other.value_and_gradient(theta)):
            assert_allclose(mine, right)
        assert_allclose(f.value(theta), other.value(theta))
        assert_allclose(np.asarray(f.hessian(theta)), np.asarray(other.hessian(theta)), atol=1e-9)
        assert_array_equal(theta, [0.5, 1.0])
        theta.flags.writeable = False


@pytest.mark.parametrize("make", [lambda: Function(3), lambda: Function(None), lambda: Function(sum, 0),
                                  lambda: LeastSquares(None), lambda: LeastSquares(sum, [[1]])])
def test_what_is_not_a_function_is_refused(make):
    with pytest.raises(TypeError, match="must be a function of theta"):
        make()


def test_a_function_of_the_readers_agrees_with_the_landscape_it_is():
    f, theta = Beale(), np.array([1.3, -0.7])
    for mine, digits in ((Function(f.value), 1e-6), (Function(f.value, f.gradient), 1e-8),
                         (Function(f.value, f.gradient, f.hessian), 1e-15)):
        assert mine.value(theta) == f.value(theta)
        assert_allclose(mine.gradient(theta), f.gradient(theta), rtol=1e-9)
        H = np.asarray(mine.hessian(theta))
        assert_allclose(mine.hessian(theta) @ [1.0, 2.0], f.hessian(theta) @ [1, 2], rtol=digits)
        assert_allclose(H, H.T, rtol=digits) if mine._jac else assert_array_equal(H, H.T)
        single = mine.gradient(theta.astype(np.float32))
        assert single.dtype == np.float32
        assert_allclose(single, f.gradient(theta), rtol=1e-3)


def test_a_function_hands_out_a_gradient_of_its_own():
    buffer = np.zeros(2)

    def jac(theta):
        buffer[:] = 2 * theta
        return buffer

    f = Function(lambda theta: theta @ theta, jac)
    first = f.gradient([1, 2])
    f.gradient([3, 4])
    assert_allclose(first, [2, 4])


@pytest.mark.parametrize("unit", [1e-9, 1e-7, 1e-3, 1.0, 1e3, -1e-9, -1e-7, -1e-3, -1.0, -1e3])
def test_differences_know_a_parameter_in_small_units(unit):
    """exp(−1/τ) at τ = 0.7 in these units, beside a parameter of usual size."""
    f = Function(lambda x: np.exp(-unit / x[0]) + 3 * x[1])
    residuals = LeastSquares(lambda x: np.array([np.exp(-unit / x[0]), x[1]]))
    x, slope = np.array([0.7 * unit, 2.0]), np.exp(-1 / 0.7) / 0.7**2
    assert_allclose(f.gradient(x) * [unit, 1], [slope, 3], rtol=1e-6)
    assert_allclose(residuals.jacobian(x) * [unit, 1], [[slope, 0], [0, 1]], rtol=1e-6, atol=1e-8)
    exact = Function(lambda x: (x[0] / unit)**4 / 12, lambda x: np.array([x[0]**3 / unit**4 / 3, 0.0]))
    if abs(unit) >= 1:
        assert_allclose(exact.hessian(x) @ np.array([1.0, 0.0]) * unit**2, [0.49, 0], rtol=1e-6)


@pytest.mark.parametrize("x", [1e-9, 1e-7, 1e-6])
def test_a_small_parameter_has_its_derivative_where_beyond_0_there_is_no_function(x):
    f, theta = Function(lambda x: np.log(x[0]) + x[1]), np.array([x, 2.0])
    assert_allclose(f.gradient(theta), [1 / x, 1], rtol=1e-6)
    r = LeastSquares(lambda x: np.array([np.sqrt(x[0]), x[1]]))
    assert_allclose(r.jacobian(theta), [[0.5 / np.sqrt(x), 0], [0, 1]], rtol=1e-6)


@pytest.mark.parametrize("x", [3e5, -3e5, 2.0, -2.0, -1e-3])
@pytest.mark.parametrize("dtype, digits", [(float, 1e-9), (np.float32, 1e-3)])
def test_differences_are_as_exact_on_either_side_of_zero_and_far_from_it(x, dtype, digits):
    """The sine of θ/x, of which a step of 1e-5 far away would see nothing but rounding."""
    wave, theta = Function(lambda theta: np.sin(theta[0] / x) + 0 * theta[1]), np.array([x, 1.0], dtype)
    assert_allclose(wave.gradient(theta)[0] * x, np.cos(1), rtol=digits)
    if dtype is float:
        assert_allclose(wave.hessian(theta)[0, 0] * x * x, -np.sin(1), rtol=1e-4)


@pytest.mark.parametrize("x", [1e-12, 1e-7, 1e-4, 0.0])
def test_a_number_that_merely_is_small_loses_no_digits(x):
    f = Function(lambda x: (x[0] - 1)**2 + 5)
    assert_allclose(f.gradient(np.array([x])), [2 * (x - 1)], rtol=1e-7)


def test_a_function_may_write_into_its_argument_and_into_what_it_handed_out():
    buffer = np.zeros(2)

    def fun(x):
        x *= 2
        return float(x @ x) / 8

    def jac(x):
        buffer[:] = x
        x[:] = np.nan
        return buffer

    x = np.array([1.0, -2.0])
    f = Function(fun, jac)
    first = f.gradient(x)
    f.gradient(3 * x)
    assert f.value(x) == 2.5 and first.tolist() == x.tolist() == [1.0, -2.0]


def test_a_value_in_an_array_of_one_is_that_number():
    for one in (np.array([4.0]), np.array([[4.0]]), np.array(4)):
        assert Function(lambda x: one).value(np.zeros(1)) == 4.0
    with pytest.raises(ValueError, match="return the mean"):
        Function(lambda x: np.ones(2)).value(np.zeros(1))
