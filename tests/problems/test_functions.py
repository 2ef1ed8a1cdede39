"""Problems made of functions and of other problems: what they answer, refuse and count."""
import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.problems import Beale, Counted, Function, LeastSquares, Noisy, Quadratic

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
    for question in (f.gradient, f.hessian, f.gauss_newton, f.residuals, f.jacobian):
        assert question(theta.astype(np.float32)).dtype == np.float32


def test_of_linear_residuals_the_gauss_newton_matrix_is_the_hessian():
    X, y = np.random.default_rng(0).standard_normal((7, 3)), np.arange(7.0)
    f = LeastSquares(lambda theta: X @ theta - y, lambda theta: X)
    assert_allclose(f.hessian(np.ones(3)), f.gauss_newton(np.ones(3)), atol=1e-9)
    assert_allclose(f.gradient(np.linalg.lstsq(X, y, rcond=None)[0]), 0, atol=1e-12)


@pytest.mark.parametrize("f, message", [
    (LeastSquares(lambda theta: 3.0), r"residuals gave an array of shape \(\); it must be a vector"),
    (LeastSquares(residuals, lambda theta: jacobian(theta).T), r"jacobian gave .* \(2, 3\).* of shape \(any, 2\)"),
    (LeastSquares(residuals, lambda theta: jacobian(theta)[:2]), "residuals gave 3 numbers and jacobian 2 rows"),
    (LeastSquares(residuals, lambda theta: None), "jacobian gave object instead of real numbers"),
    (LeastSquares(residuals, jacobian, lambda theta: second(theta)[0]), "second gave"),
    (LeastSquares(residuals, size=3), "LeastSquares takes 3 numbers; it was given 2"),
    (Function(lambda theta: theta), r"fun gave an array of shape \(2,\); an objective is one number"),
    (Function(lambda theta: None), "fun gave None instead of a real number; does it return"),
    (Function(lambda theta: 1j), "instead of a real number"),
    (Function(sum, lambda theta: np.ones(3)), r"jac gave an array of shape \(3,\); it must be .* of shape \(2,\)"),
    (Function(sum, lambda theta: 1j * theta), "jac gave complex128 instead of real numbers"),
    (Function(sum, hess=lambda theta: np.ones(2)), r"hess gave .* of shape \(2, 2\)"),
    (Function(sum, size=3), "Function takes 3 numbers; it was given 2")])
def test_a_function_of_the_readers_that_returns_the_wrong_thing_is_told_what_is_wanted(f, message):
    with pytest.raises(ValueError, match=message):
        f.value_and_gradient(np.array([0.5, 1.0]))
        f.hessian(np.array([0.5, 1.0]))


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
        assert_allclose(mine.hessian(theta) @ [1.0, 2.0], f.hessian(theta) @ [1, 2], rtol=digits)
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


def test_the_noise_is_a_function_of_the_seed_and_the_step_alone():
    theta = np.array([1.0, 2.0])
    noisy = Noisy(Beale(), sigma=0.5, seed=3)
    later = noisy.loss(9).gradient(theta)
    first = noisy.loss(1).gradient(theta)
    assert np.array_equal(Noisy(Beale(), 0.5, seed=3).loss(1).gradient(theta), first)
    assert np.array_equal(noisy.loss(9).gradient(theta), later)
    assert not np.array_equal(first, later)
    assert not np.array_equal(Noisy(Beale(), 0.5, seed=4).loss(1).gradient(theta), first)
    assert_allclose(noisy.loss(9).gradient(2 * theta) - Beale().gradient(2 * theta), later - Beale().gradient(theta))


def test_the_mean_of_the_noise_is_zero_and_its_covariance_sigma_squared():
    theta, sigma, n = np.array([1.0, 2.0]), 0.5, 4000
    noisy = Noisy(Beale(), sigma, seed=1)
    noise = np.array([noisy.loss(t).gradient(theta) for t in range(1, n + 1)]) - Beale().gradient(theta)
    assert np.abs(noise.mean(axis=0)).max() < 4 * sigma / np.sqrt(n)
    assert_allclose(noise.T @ noise / n, sigma**2 * np.eye(2), atol=6 * sigma**2 / np.sqrt(n))


def test_each_noisy_loss_has_the_gradient_it_says_and_the_curvature_of_the_problem():
    theta = np.array([1.0, 2.0])
    loss = Noisy(Beale(), sigma=3.0, seed=5).loss(2)
    assert_allclose(loss.gradient(theta), central(loss.value, theta, 1e-6), rtol=1e-7)
    assert np.array_equal(loss.hessian(theta), Beale().hessian(theta))
    f, g = loss.value_and_gradient(theta)
    assert f == loss.value(theta) and np.array_equal(g, loss.gradient(theta))
    assert loss.gradient(theta.astype(np.float32)).dtype == np.float32 and type(f) is float


def test_asked_itself_a_noisy_problem_answers_without_noise():
    theta = np.array([1.0, 2.0])
    noisy = Noisy(Beale(), sigma=3.0)
    assert noisy.value(theta) == Beale().value(theta) and noisy.size == 2
    assert np.array_equal(noisy.gradient(theta), Beale().gradient(theta))
    assert_allclose(Noisy(Beale(), sigma=0).loss(7).gradient(theta), Beale().gradient(theta))


def test_values_gradients_and_products_are_counted():
    counted, theta = Counted(Quadratic(A)), np.ones(3)
    counted.value(theta), counted.value(theta), counted.gradient(theta), counted.value_and_gradient(theta)
    assert (counted.values, counted.gradients, counted.products) == (3, 2, 0)
    H = counted.hessian(theta)
    assert counted.products == 0
    assert_allclose(H @ theta, A @ theta)
    assert counted.products == 1
    assert_allclose(H @ np.ones((3, 2)), A @ np.ones((3, 2)))
    assert_allclose(H.T @ theta, A @ theta)
    assert counted.products == 4


def test_a_matrix_used_as_an_array_counts_as_a_product_for_each_column():
    counted, theta = Counted(Quadratic(A)), np.ones(3)
    assert_allclose(np.linalg.solve(counted.hessian(theta), theta), np.linalg.solve(A, theta))
    assert counted.products == 3
    assert_allclose(counted.hessian(theta) + np.eye(3), A + np.eye(3))
    assert_allclose(np.eye(3) + counted.hessian(theta), A + np.eye(3))
    assert counted.products == 9
    squares, J = Counted(LeastSquares(residuals, jacobian)), jacobian([1.0, 1.0])
    assert_allclose(squares.gauss_newton([1.0, 1.0]) @ np.ones(2), J.T @ J @ np.ones(2))
    assert squares.products == 1


def test_all_steps_of_a_problem_are_counted_together():
    counted = Counted(Noisy(Quadratic(A), 1.0))
    for t, loss in zip(range(4), (loss for _, loss in counted.losses())):
        loss.gradient(np.ones(3))
        loss.hessian(np.ones(3)) @ np.ones(3)
    assert (counted.values, counted.gradients, counted.products) == (0, 4, 4)
    assert np.array_equal(counted.loss(3).gradient(np.ones(3)), counted.problem.loss(3).gradient(np.ones(3)))


def test_what_else_a_counted_problem_knows_it_still_knows():
    assert Counted(Beale()).box is Beale.box and Counted(Beale()).size == 2
    assert np.array_equal(Counted(Beale()).minimizers, [[3, 0.5]])
    assert Counted(Beale()).loss(4).minimum == 0
    squares = Counted(LeastSquares(residuals, jacobian))
    squares.residuals([1, 2]), squares.jacobian([1, 2]), squares.jacobian([1, 2])
    assert (squares.values, squares.gradients) == (1, 2)
    with pytest.raises(AttributeError, match="nonsense"):
        Counted(Beale()).nonsense
    with pytest.raises(NotImplementedError, match="Beale is not a likelihood"):
        Counted(Beale()).fisher([1, 2])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda problem: pickle.loads(pickle.dumps(problem))])
def test_a_copy_goes_on_counting_by_itself(duplicate):
    counted = Counted(Noisy(Beale(), 1.0))
    counted.gradient([1, 2])
    other = duplicate(counted)
    other.loss(1).gradient(np.array([1.0, 2.0]))
    assert (counted.gradients, other.gradients) == (1, 2)


@pytest.mark.parametrize("unit", [1e-9, 1e-7, 1e-3, 1.0, 1e3])
def test_differences_know_a_parameter_in_small_units(unit):
    """exp(−1/τ) at τ = 0.7 in these units, beside a parameter of usual size."""
    f = Function(lambda x: np.exp(-unit / x[0]) + 3 * x[1])
    residuals = LeastSquares(lambda x: np.array([np.exp(-unit / x[0]), x[1]]))
    x, slope = np.array([0.7 * unit, 2.0]), np.exp(-1 / 0.7) / 0.7**2
    assert_allclose(f.gradient(x) * [unit, 1], [slope, 3], rtol=1e-6)
    assert_allclose(residuals.jacobian(x) * [unit, 1], [[slope, 0], [0, 1]], rtol=1e-6, atol=1e-8)
    exact = Function(lambda x: (x[0] / unit)**4 / 12, lambda x: np.array([x[0]**3 / unit**4 / 3, 0.0]))
    if unit >= 1:
        assert_allclose(exact.hessian(x) @ np.array([1.0, 0.0]) * unit**2, [0.49, 0], rtol=1e-6)


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
