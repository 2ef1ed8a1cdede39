"""Lecture 2 in tests: each says something the lecture says."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizer import Diverged
from numopt.optimizers import gradient_descent, normalized_descent, proximal_descent, sign_descent, steepest_descent
from numopt.problems import Counted, Lasso, Objective, Quadratic, Ridge
from numopt.record import path, record

BOWL = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]]))


class Slope(Objective):
    """f(θ) = gᵀ θ"""

    def __init__(self, *g):
        self.g = np.array(g, float)

    def value(self, theta):
        return float(self.g @ theta)

    def gradient(self, theta):
        return self.g


class Noisy(Objective):
    """Mini-batches of f(θ) = ‖θ‖² / 2, each with its own error in the gradient; the errors add up to zero."""

    errors = np.random.default_rng(0).standard_normal((1000, 2))
    errors -= errors.mean(axis=0)

    def loss(self, t):
        return Quadratic(np.eye(2), self.errors[(t - 1) % 1000])


# ------------------------------------------------------------------------------------------------------ all of them

@pytest.mark.parametrize("optimizer", [gradient_descent, normalized_descent, sign_descent, proximal_descent])
def test_a_step_whose_rate_is_zero_goes_nowhere(optimizer):
    x = path(optimizer(Lasso(BOWL, 0.1), [1.0, 3.0], lr=lambda t: 0.0 if t == 2 else 0.1), 3)
    assert_array_equal(x[2], x[1])
    assert (x[1] != x[0]).all() and (x[3] != x[2]).all()


# ----------------------------------------------------------------------------------------------- gradient descent

def test_two_steps_of_gradient_descent_by_hand():
    # the gradient of (3x² + 2xy + 2y²) / 2 is (3x + y, x + 2y): at (1, 1) it is (4, 3), at (0.6, 0.7) it is (2.5, 2)
    assert_allclose(path(gradient_descent(BOWL, [1.0, 1.0], lr=0.1), 2), [[1, 1], [0.6, 0.7], [0.35, 0.5]])


@pytest.mark.parametrize("lr", [0.03, 0.1, 0.15, 0.19])
def test_along_an_eigenvector_the_error_shrinks_by_one_minus_lr_lambda(lr):
    eigenvalues = np.array([1.0, 4.0, 10.0])
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    x = path(gradient_descent(Quadratic(Q @ np.diag(eigenvalues) @ Q.T), Q @ np.ones(3), lr=lr), 50)
    assert_allclose(x @ Q, (1 - lr * eigenvalues)**np.arange(51)[:, None], atol=1e-12)


def test_at_a_rate_of_exactly_two_over_lambda_the_error_never_decays_where_kashyap_says_that_it_oscillates():
    x = path(gradient_descent(Quadratic(np.diag([4.0])), [1.0], lr=0.5), 1000)[:, 0]
    assert_array_equal(x, (-1.0)**np.arange(1001))


def test_beyond_two_over_lambda_it_diverges_and_says_at_which_step():
    # the error doubles at every step, and 4 · 2¹⁰²², the gradient of step 1023, is no longer a number
    run = gradient_descent(Quadratic(np.diag([4.0])), [1.0], lr=0.75)
    with pytest.raises(Diverged, match="gradient_descent became non-finite at step 1023: try a smaller") as error:
        path(run, 2000)
    assert error.value.t == 1023 and run["t"] == 1022 and abs(run.theta[0]) == 2.0**1022


def test_with_the_rate_two_over_the_sum_of_extreme_eigenvalues_both_errors_shrink_alike():
    least, most = 1.0, 9.0
    x = path(gradient_descent(Quadratic(np.diag([least, most])), [1.0, 1.0], lr=2 / (least + most)), 20)
    rate = (most - least) / (most + least)
    assert_allclose(x, np.column_stack([rate**np.arange(21), (-rate)**np.arange(21)]))


def test_at_a_constant_rate_stochastic_descent_settles_around_the_minimum_and_at_one_over_t_in_it():
    # lr = 1/t makes θ_t the mean of the first t errors, and after all of them zero
    around = path(gradient_descent(Noisy(), [5.0, 5.0], lr=0.5), 1000)
    inside = path(gradient_descent(Noisy(), [5.0, 5.0], lr=lambda t: 1 / t), 1000)
    assert_allclose(inside[1:], np.cumsum(Noisy.errors, axis=0) / np.arange(1, 1001)[:, None], atol=1e-12)
    assert_allclose(inside[-1], 0, atol=1e-12)
    # the variance of the errors times lr / (2 − lr)
    assert_allclose(np.mean(around[100:]**2), 0.5 / 1.5 * np.mean(Noisy.errors**2), rtol=0.1)


# ----------------------------------------------------------------------------------------------- steepest descent

def test_steepest_descent_zigzags_as_boyd_and_vandenberghe_say():
    # f = (x² + γ y²) / 2 from (γ, 1): equation 9.20
    gamma = 10.0
    x = path(steepest_descent(Quadratic(np.diag([1.0, gamma])), [gamma, 1.0]), 40)
    rate, k = (gamma - 1) / (gamma + 1), np.arange(41)
    assert_allclose(x, np.column_stack([gamma * rate**k, (-rate)**k]), rtol=1e-7)


def test_every_step_of_steepest_descent_is_orthogonal_to_the_last():
    A = np.array([[5.0, 2.0, 0.0], [2.0, 3.0, -1.0], [0.0, -1.0, 2.0]])
    steps = np.diff(path(steepest_descent(Quadratic(A), [1.0, -2.0, 3.0]), 12), axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    assert_allclose(np.sum(steps[1:] * steps[:-1], axis=1) / (lengths[1:] * lengths[:-1]), 0, atol=1e-6)


def test_steepest_descent_is_there_at_once_where_the_curvature_is_the_same_all_around():
    assert_allclose(path(steepest_descent(Quadratic(7 * np.eye(3)), [1.0, -2.0, 3.0]), 1)[1], 0, atol=1e-9)


def test_no_fixed_rate_does_better_in_the_first_step_than_steepest_descent():
    first = BOWL.value(path(steepest_descent(BOWL, [1.0, 1.0]), 1)[1])
    for lr in np.linspace(0.01, 1, 100):
        assert first <= BOWL.value(path(gradient_descent(BOWL, [1.0, 1.0], lr=lr), 1)[1])


def test_at_the_minimum_steepest_descent_stays():
    assert_array_equal(path(steepest_descent(BOWL, [0.0, 0.0]), 3), np.zeros((4, 2)))


# ------------------------------------------------------------------------------------ normalized and sign descent

def test_every_step_of_normalized_descent_has_the_length_of_the_learning_rate():
    x = path(normalized_descent(BOWL, [3.0, -1.0], lr=0.01), 200)
    assert_allclose(np.linalg.norm(np.diff(x, axis=0), axis=1), 0.01)
    assert_allclose(x[1] - x[0], -0.01 * np.array([8.0, 1.0]) / np.sqrt(65))


def test_normalized_descent_crosses_a_plateau_as_fast_as_a_cliff():
    for slope in (1e-12, 1e12):
        assert_allclose(path(normalized_descent(Slope(3 * slope, -4 * slope), [0.0, 0.0], lr=1.0), 1)[1], [-0.6, 0.8])


def test_normalized_descent_comes_to_rest_only_if_its_rate_falls():
    kept = path(normalized_descent(Quadratic(np.eye(1)), [1.003], lr=0.01), 500)[-10:]
    assert_allclose(np.abs(kept), 0.005, atol=0.003)
    assert abs(path(normalized_descent(Quadratic(np.eye(1)), [1.003], lr=lambda t: 1 / t), 500)[-1, 0]) < 0.003


@pytest.mark.parametrize("optimizer", [gradient_descent, normalized_descent, sign_descent])
def test_where_the_gradient_is_zero_it_stays(optimizer):
    run = optimizer(Slope(0.0, 0.0), [1.0, -2.0], lr=0.1)
    assert record(run, steps=3).reason == "steps"
    assert_array_equal(run.theta, [1, -2])


def test_sign_descent_moves_every_coordinate_by_the_learning_rate():
    x = path(sign_descent(Slope(1e-9, -7.0, 0.0), [0.0, 0.0, 0.0], lr=0.1), 10)
    assert_allclose(x, np.outer(np.arange(11), [-0.1, 0.1, 0]), atol=1e-15)


def test_along_one_coordinate_normalized_and_sign_descent_are_the_same():
    f = Quadratic(np.array([[2.0]]))
    assert_allclose(path(sign_descent(f, [1.0], lr=0.03), 60), path(normalized_descent(f, [1.0], lr=0.03), 60))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", [gradient_descent, steepest_descent, normalized_descent, sign_descent])
def test_it_keeps_the_precision_it_was_given(optimizer, dtype):
    assert path(optimizer(Quadratic(np.eye(2, dtype=dtype)), np.ones(2, dtype)), 3).dtype == dtype


def lasso(strength=0.5):
    return Lasso(Quadratic(np.diag([1.0, 2.0]), b=[1.0, 0.4]), strength)


def test_proximal_descent_makes_small_parameters_exactly_zero_and_gradient_descent_never_does():
    # ½x² − x + ½|x| is least at x = ½; y² − 0.4 y + ½|y| is least at y = 0
    assert_allclose(path(proximal_descent(lasso(), [3.0, -2.0], lr=0.4), 200)[-1], [0.5, 0], atol=1e-12)
    assert path(proximal_descent(lasso(), [3.0, -2.0], lr=0.4), 200)[-1, 1] == 0
    assert (path(gradient_descent(lasso(), [3.0, -2.0], lr=0.4), 200)[1:] != 0).all()


def test_one_proximal_step_is_a_gradient_step_and_a_pull_towards_zero():
    theta, lr = np.array([3.0, -0.1]), 0.1
    after = theta - lr * np.array([1.0 * 3 - 1, 2 * -0.1 - 0.4])     # (2.8, -0.04), then 0.05 nearer to 0
    assert_allclose(path(proximal_descent(lasso(), theta, lr=lr), 1)[1], [after[0] - 0.05, 0])


def test_where_nothing_has_a_kink_proximal_descent_is_gradient_descent():
    bowl = Quadratic(np.diag([1.0, 2.0]))
    for problem in (bowl, Ridge(bowl, 0.3)):
        assert np.array_equal(path(proximal_descent(problem, [1.0, 2.0], lr=0.1), 5),
                              path(gradient_descent(problem, [1.0, 2.0], lr=0.1), 5))


def test_a_price_inside_or_outside_another_wrapper_pulls_the_same():
    bowl = Quadratic(np.diag([1.0, 2.0]), b=[1.0, 0.4])
    inside, outside = Ridge(Lasso(bowl, 0.5), 0.3), Lasso(Ridge(bowl, 0.3), 0.5)
    assert np.array_equal(path(proximal_descent(inside, [3.0, -2.0], lr=0.1), 9),
                          path(proximal_descent(outside, [3.0, -2.0], lr=0.1), 9))
    counted = Counted(outside)
    path(proximal_descent(counted, [3.0, -2.0], lr=0.1), 9)
    assert counted.gradients == 9


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("gradient_descent", "it climbs",
     "theta - lr(t) * g",
     "theta + lr(t) * g",
     "test_two_steps_of_gradient_descent_by_hand"),
    ("gradient_descent", "the schedule is asked once",
     "lr(t)",
     "lr(1)",
     "test_a_step_whose_rate_is_zero_goes_nowhere"),
    ("steepest_descent", "the search went along the unit vector, and the step along g",
     "theta + alpha * p",
     "theta - alpha * g",
     "test_steepest_descent_is_there_at_once_where_the_curvature_is_the_same_all_around"),
    ("normalized_descent", "divided by the squared length",
     "unit(g)",
     "g / (g @ g or 1)",
     "test_every_step_of_normalized_descent_has_the_length_of_the_learning_rate"),
    ("normalized_descent", "0/0 where the gradient is zero",
     "unit(g)",
     "g / np.linalg.norm(g)",
     "test_where_the_gradient_is_zero_it_stays"),
    ("sign_descent", "the largest coordinate has the length, not every one",
     "np.sign(g)",
     "g / np.abs(g).max()",
     "test_sign_descent_moves_every_coordinate_by_the_learning_rate"),
    ("proximal_descent", "the pull forgets the rate",
     "lr(t) * g, lr(t))",
     "lr(t) * g, 1.0)",
     "test_one_proximal_step_is_a_gradient_step_and_a_pull_towards_zero"),
    ("proximal_descent", "the kink is in the gradient as well",
     "loss.smooth.gradient(theta)",
     "loss.gradient(theta)",
     "test_a_price_inside_or_outside_another_wrapper_pulls_the_same"),
]
