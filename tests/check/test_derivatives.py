"""The checks pass what is right and find what is wrong, in both precisions."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.check import check_coordinates, check_gauss_newton, check_gradient, check_hessian, reading, table
from numopt.problems import Beale, Cliff, Function, LeastSquares, Noisy, Objective, Quadratic, Rosenbrock

N = 6
START = np.random.default_rng(0).uniform(0.5, 1.5, N)


class Changed(Objective):
    """Rosenbrock's function, with derivatives that pass through the functions g and H."""

    def __init__(self, g=lambda g: g, H=lambda H: H):
        self.right, self.change_g, self.change_H = Rosenbrock(N), g, H

    def value(self, theta):
        return self.right.value(theta)

    def gradient(self, theta):
        return self.change_g(self.right.gradient(theta))

    def hessian(self, theta):
        return self.change_H(self.right.hessian(theta))


def one_sign(g, i=3):
    return np.where(np.arange(len(g)) == i, -g, g)


PRECISIONS = pytest.mark.parametrize("dtype, right", [(np.float64, 1e-8), (np.float32, 1e-3)])


@PRECISIONS
def test_right_derivatives_pass(dtype, right):
    theta = START.astype(dtype)
    assert check_gradient(Changed(), theta) < right
    assert check_coordinates(Changed(), theta).max() < right
    assert check_hessian(Changed(), theta) < right


@PRECISIONS
def test_the_error_of_a_wrong_sign_is_two_and_of_a_missing_factor_two_a_half(dtype, right):
    theta = START.astype(dtype)
    assert abs(check_gradient(Changed(g=lambda g: -g), theta) - 2) < right
    assert abs(check_gradient(Changed(g=lambda g: g / 2), theta) - 0.5) < right
    assert abs(check_gradient(Changed(g=lambda g: 2 * g), theta) - 0.5) < right
    assert abs(check_hessian(Changed(H=lambda H: -H), theta) - 2) < right
    assert abs(check_hessian(Changed(H=lambda H: 2 * H), theta) - 0.5) < right


@PRECISIONS
def test_one_wrong_coordinate_is_found_and_named(dtype, right):
    theta = START.astype(dtype)
    wrong = Changed(g=one_sign)
    g = np.abs(wrong.right.gradient(theta))
    errors = check_coordinates(wrong, theta)
    assert check_gradient(wrong, theta) > 20 * right
    assert errors.argmax() == 3 and abs(errors[3] - 2 * g[3] / g.max()) < right
    assert np.delete(errors, 3).max() < right


@PRECISIONS
@pytest.mark.parametrize("factor", [1e-3, 1e3, -1e3])
def test_an_error_is_a_share_of_the_larger_of_answer_and_difference(dtype, right, factor):
    theta, wrong = START.astype(dtype), Changed(g=lambda g: dtype(factor) * g)
    share = abs(factor - 1) / max(abs(factor), 1)
    assert abs(check_gradient(wrong, theta) - share) < right
    assert abs(check_coordinates(wrong, theta).max() - share) < right
    flat = Function(lambda theta: 3.0, lambda theta: np.arange(N) * dtype(factor))
    assert check_gradient(flat, theta) == 1
    assert_allclose(check_coordinates(flat, theta), np.arange(N) / (N - 1), rtol=right)


@PRECISIONS
def test_one_wrong_number_in_the_hessian_is_found(dtype, right):
    def slip(H):
        H[1, 2] *= -1
        return H

    assert check_hessian(Changed(H=slip), START.astype(dtype)) > 20 * right


@PRECISIONS
def test_a_right_gauss_newton_matrix_passes_and_a_wrong_jacobian_is_found(dtype, right):
    theta = np.array([0.8, -1.2], dtype)

    def residuals(theta):
        x, y = theta
        return np.array([x * y, np.sin(x), y**2 - x], theta.dtype)

    def jacobian(theta, slip=1):
        x, y = theta
        return np.array([[y, x], [slip * np.cos(x), 0], [-1, 2 * y]], theta.dtype)

    assert check_gauss_newton(LeastSquares(residuals, jacobian), theta) < right
    assert check_gauss_newton(LeastSquares(residuals, lambda theta: jacobian(theta, slip=2)), theta) > 0.05
    halved = LeastSquares(residuals, jacobian)
    halved.gauss_newton = lambda theta: jacobian(theta).T @ jacobian(theta) / 2
    assert abs(check_gauss_newton(halved, theta) - 0.5) < right


def test_what_an_objective_does_not_answer_has_no_error():
    class Value(Objective):
        def value(self, theta):
            return float(theta @ theta)

    assert np.isnan([check(Value(), START) for check in (check_gradient, check_coordinates, check_hessian)]).all()
    assert np.isnan(check_gauss_newton(Rosenbrock(), [1.0, 2.0]))


def test_an_answer_of_the_wrong_shape_or_not_finite_is_infinitely_wrong():
    assert check_gradient(Changed(g=lambda g: g[:-1]), START) == np.inf
    assert check_gradient(Changed(g=lambda g: g[:, None]), START) == np.inf
    assert (check_coordinates(Changed(g=lambda g: g[:, None]), START) == np.inf).all()
    assert check_hessian(Changed(H=lambda H: H[:-1]), START) == np.inf
    assert check_gradient(Changed(g=lambda g: g * np.nan), START) == np.inf
    assert check_coordinates(Changed(g=lambda g: np.where(np.arange(N) == 2, np.inf, g)), START)[2] == np.inf


def test_beside_a_derivative_with_no_value_on_one_side_the_others_have_their_errors():
    edge = Function(lambda x: x @ x if x[1] <= 1 else np.inf, lambda x: np.array([2, 2, -2]) * x)
    with np.errstate(invalid="raise"):
        errors = check_coordinates(edge, [2.0, 1.0, 4.0])
    assert_allclose(errors, [0, np.inf, 2], atol=1e-8)


def test_where_both_are_exactly_zero_there_is_no_error():
    flat = Function(lambda theta: 3.0, lambda theta: 0 * theta, lambda theta: np.zeros((2, 2)))
    assert check_gradient(flat, [1.0, 2.0]) == 0 and check_hessian(flat, [1.0, 2.0]) == 0
    assert (check_coordinates(flat, [1.0, 2.0]) == 0).all()


def test_a_difference_across_a_kink_is_wrong_until_the_step_is_shorter_than_the_way_to_it():
    kinked = Function(lambda theta: np.abs(theta).sum(), np.sign)
    theta = [1.0, 1e-7]
    assert check_coordinates(kinked, theta)[1] > 0.5
    assert check_coordinates(kinked, theta, step=1e-8).max() < 1e-6
    assert check_gradient(kinked, theta, step=1e-8) < 1e-6


def test_on_a_cliff_in_single_precision_the_right_hessian_is_doubtful_and_in_double_precision_right():
    theta = np.array([0.01, 0.5])
    single = check_hessian(Cliff(), theta.astype(np.float32))
    assert reading(single, np.float32) == "doubtful"
    assert reading(check_hessian(Cliff(), theta)) == "right"


@pytest.mark.parametrize("far", [1e4, -1e6])
def test_far_from_the_origin_the_step_is_as_much_longer_and_what_is_right_is_right(far):
    waves = Function(lambda x: np.sin(x / far).sum(), lambda x: np.cos(x / far) / far,
                     lambda x: -np.diag(np.sin(x / far)) / far**2)
    theta = far * np.array([1.0, 0.5, -0.3])
    assert check_gradient(waves, theta) < 1e-8 and check_hessian(waves, theta) < 1e-8
    assert check_coordinates(waves, theta).max() < 1e-8


def test_one_mini_batch_of_a_noisy_problem_can_be_checked():
    assert check_gradient(Noisy(Beale(), sigma=3.0, seed=1).loss(5), [1.0, 2.0]) < 1e-8


def test_the_directions_are_a_function_of_the_seed():
    errors = [check_gradient(Beale(), [1.0, 2.0], seed=seed) for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


def test_the_checks_leave_theta_alone():
    theta = START.copy()
    table(Changed(), theta)
    check_coordinates(Changed(), theta)
    assert np.array_equal(theta, START)


@pytest.mark.parametrize("error, dtype, word", [
    (1e-9, np.float64, "right"), (1e-4, np.float64, "doubtful"), (0.5, np.float64, "wrong"),
    (np.inf, np.float64, "wrong"), (1e-3, np.float32, "right"), (2e-2, np.float32, "doubtful"),
    (0.5, np.float32, "wrong"), (1.4e-7, np.float64, "right"), (1.6e-7, np.float64, "doubtful"),
    (9e-3, np.float64, "doubtful"), (1.1e-2, np.float64, "wrong"), (3.3e-3, np.float32, "right"),
    (3.7e-3, np.float32, "doubtful"), (0.1, np.float32, "doubtful"), (0.11, np.float32, "wrong"),
    (np.nan, np.float64, "not answered")])
def test_an_error_has_a_reading_that_depends_on_the_precision(error, dtype, word):
    assert reading(error, dtype) == word


def test_the_table_has_a_line_for_every_question():
    lines = table(Changed(g=one_sign), START).splitlines()
    words = {line.split()[0]: line.split(maxsplit=2)[2] for line in lines[2:]}
    assert words == {"gradient": "wrong", "hessian": "wrong", "gauss_newton": "not answered"}
    assert table(Quadratic(np.eye(2)), [1, 2]).count("right") == 2
    assert table(Quadratic(np.eye(2)), [1, 2]).startswith("Quadratic at a theta of 2 numbers, float64")
    assert table(Quadratic(np.eye(2)), np.ones(2, np.float32)).startswith("Quadratic at a theta of 2 numbers, float32")


def test_as_many_directions_are_tried_as_are_asked_for():
    """A third of the curvature along one coordinate of twenty is missing, which shows in some directions more."""
    A = np.eye(20)
    wrong = Function(lambda x: x @ x / 2 + x[0]**2 / 4, lambda x: x + np.eye(20)[0] * x[0] / 2, lambda x: A)
    errors = {check_hessian(wrong, np.ones(20), directions=n, seed=3) for n in (1, 2, 5, 40)}
    assert len(errors) == 4
