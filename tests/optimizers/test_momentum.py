"""Lecture 3 in tests: each says something the lecture says."""
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizers import gradient_descent, momentum, nesterov
from numopt.problems import Function, Objective, Quadratic
from numopt.record import path

BOTH = [momentum, nesterov]
BOWL = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]]))


class Slope(Objective):
    """f(θ) = gᵀ θ"""

    def __init__(self, *g):
        self.g = np.array(g, float)

    def gradient(self, theta):
        return self.g


class Gradients(Objective):
    """A problem that answers with gradients written down beforehand, wherever it is asked."""

    def __init__(self, *gradients):
        self.gradients = gradients

    def loss(self, t):
        return Slope(self.gradients[t - 1])


def along_eigenvector(eigenvalue):
    """f(θ) = λ θ² / 2, what a quadratic is along an eigenvector."""
    return Quadratic(np.array([[eigenvalue]]))


# ---------------------------------------------------------------------------------------------------- by hand

def test_three_steps_of_momentum_by_hand():
    # g = 2, 1.6, 1.08, so v = −0.2, −0.1 − 0.16 = −0.26, −0.13 − 0.108 = −0.238
    x = path(momentum(Quadratic(np.array([[2.0]])), [1.0], lr=0.1, mu=0.5), 3)[:, 0]
    assert_allclose(x, [1, 0.8, 0.54, 0.302])


def test_three_steps_of_nesterov_by_hand():
    # it looks at 1, 0.8 − 0.1 and 0.56 − 0.12, where g = 2, 1.4, 0.88: v = −0.2, −0.1 − 0.14, −0.12 − 0.088
    x = path(nesterov(Quadratic(np.array([[2.0]])), [1.0], lr=0.1, mu=0.5), 3)[:, 0]
    assert_allclose(x, [1, 0.8, 0.56, 0.352])


@pytest.mark.parametrize("optimizer", BOTH)
def test_without_momentum_it_is_gradient_descent(optimizer):
    assert_allclose(path(optimizer(BOWL, [1.0, -2.0], lr=0.1, mu=0), 30),
                    path(gradient_descent(BOWL, [1.0, -2.0], lr=0.1), 30))


# ------------------------------------------------------------------------------------------- velocity as memory

@pytest.mark.parametrize("optimizer", BOTH)
def test_the_velocity_weighs_a_gradient_by_the_power_of_its_age(optimizer):
    g = np.random.default_rng(0).standard_normal(20)
    run = optimizer(Gradients(*g), [0.0], lr=0.1, mu=0.8)
    path(run, 20)
    assert_allclose(run["v"], -0.1 * np.sum(0.8**np.arange(19, -1, -1.0) * g))


@pytest.mark.parametrize("optimizer", BOTH)
def test_down_a_constant_slope_the_velocity_grows_to_one_over_one_minus_mu(optimizer):
    speed = -np.diff(path(optimizer(Slope(2.0), [0.0], lr=0.01, mu=0.9), 300)[:, 0])
    assert_allclose(speed, 0.01 * 2 * (1 - 0.9**np.arange(1, 301)) / (1 - 0.9))
    assert_allclose(speed[-1], 0.2)


@pytest.mark.parametrize("optimizer", BOTH)
def test_gradients_that_turn_at_every_step_nearly_cancel(optimizer):
    speed = np.abs(np.diff(path(optimizer(Gradients(*(-1.0)**np.arange(300)), [0.0], lr=0.01, mu=0.9), 300)[:, 0]))
    assert_allclose(speed[-1], 0.01 / (1 + 0.9))


@pytest.mark.parametrize("optimizer", BOTH)
def test_the_gradient_is_not_clipped(optimizer):
    assert_allclose(path(optimizer(Slope(-1e6, 3e4), [0.0, 0.0], lr=0.1), 1)[1], [1e5, -3e3])


@pytest.mark.parametrize("optimizer", BOTH)
def test_a_lower_rate_does_not_shrink_the_velocity_that_has_been_gathered(optimizer):
    x = path(optimizer(Slope(1.0), [0.0], lr=lambda t: 0.1 if t <= 3 else 0.0, mu=0.5), 6)[:, 0]
    assert_allclose(np.diff(x), [-0.1, -0.15, -0.175, -0.0875, -0.04375, -0.021875])


@pytest.mark.parametrize("optimizer", BOTH)
def test_mu_may_be_a_schedule_and_a_velocity_of_zero_share_is_forgotten(optimizer):
    x = path(optimizer(Slope(1.0), [0.0], lr=0.1, mu=lambda t: {1: 0.9, 2: 0.5, 3: 0.0}[t]), 3)[:, 0]
    assert_allclose(np.diff(x), [-0.1, -0.15, -0.1])


def test_how_far_nesterov_looks_ahead_follows_the_schedule_of_mu():
    # a share of zero at the second step: it looks nowhere else, and takes a step of gradient descent from 0.8
    x = path(nesterov(Quadratic(np.array([[2.0]])), [1.0], lr=0.1, mu=lambda t: {1: 0.5, 2: 0.0}[t]), 2)[:, 0]
    assert_allclose(x, [1, 0.8, 0.64])


@pytest.mark.parametrize("optimizer", BOTH)
def test_a_run_taken_up_from_its_memory_keeps_its_velocity(optimizer):
    run = optimizer(BOWL, [1.0, -2.0])
    first = path(run, 7)
    rest = path(optimizer(BOWL, run.theta, **run.memory), 8)
    assert_array_equal(np.concatenate([first, rest[1:]]), path(optimizer(BOWL, [1.0, -2.0]), 15))


# ------------------------------------------------------------------------------------- closed forms on a quadratic

@pytest.mark.parametrize("a", [0.1, 1.0, 1.9, 3.7])  # a = lr λ
def test_along_an_eigenvector_momentum_multiplies_theta_and_v_by_a_matrix_of_determinant_mu(a):
    mu = 0.9
    M = np.array([[1 - a, mu], [-a, mu]])
    assert_allclose(np.linalg.det(M), mu)
    x = path(momentum(along_eigenvector(a), [1.0], lr=1.0, mu=mu), 40)[:, 0]
    assert_allclose(x, [np.linalg.matrix_power(M, k)[0, 0] for k in range(41)], atol=1e-12)


@pytest.mark.parametrize("a", [0.1, 0.5, 1.0])
def test_along_an_eigenvector_nesterov_is_momentum_with_its_share_mu_lowered_by_the_curvature(a):
    mu = 0.9
    M = np.array([[1 - a, (1 - a) * mu], [-a, (1 - a) * mu]])
    assert_allclose(np.linalg.det(M), (1 - a) * mu)
    x = path(nesterov(along_eigenvector(a), [1.0], lr=1.0, mu=mu), 40)[:, 0]
    assert_allclose(x, [np.linalg.matrix_power(M, k)[0, 0] for k in range(41)], atol=1e-12)
    assert_allclose(x, path(momentum(along_eigenvector(a), [1.0], lr=1.0, mu=(1 - a) * mu), 40)[:, 0], atol=1e-12)


def test_with_the_best_mu_the_error_of_momentum_falls_by_one_minus_the_root_of_lr_lambda():
    # a double root r = √mu = 1 − √(lr λ) of r² − (1 + mu − lr λ) r + mu: θ_k = (1 + B k) rᵏ, with B from θ₁ = 1 − lr λ
    a, k = 0.01, np.arange(201)
    r = 1 - sqrt(a)
    x = path(momentum(along_eigenvector(a), [1.0], lr=1.0, mu=r**2), 200)[:, 0]
    assert_allclose(x, (1 + ((1 - a) / r - 1) * k) * r**k, rtol=1e-6)


def test_with_the_best_mu_the_error_of_nesterov_falls_by_one_minus_the_root_of_lr_lambda():
    # a double root r = 1 − √(lr λ) of r² − (1 + mu)(1 − lr λ) r + mu (1 − lr λ), for mu = (1 − √(lr λ)) / (1 + √(lr λ))
    a, k = 0.01, np.arange(201)
    r = 1 - sqrt(a)
    x = path(nesterov(along_eigenvector(a), [1.0], lr=1.0, mu=r / (1 + sqrt(a))), 200)[:, 0]
    assert_allclose(x, (1 + ((1 - a) / r - 1) * k) * r**k, rtol=1e-6)


def test_momentum_is_stable_up_to_a_rate_of_two_plus_two_mu_over_lambda_where_gradient_descent_ends_at_two():
    for mu in (0.5, 0.9):
        limit = 2 + 2 * mu
        inside = path(momentum(along_eigenvector(1.0), [1.0], lr=0.99 * limit, mu=mu), 2000)
        beyond = path(momentum(along_eigenvector(1.0), [1.0], lr=1.01 * limit, mu=mu), 200)
        assert abs(inside[-1, 0]) < 1e-3 and abs(beyond[-1, 0]) > 10


def test_on_an_ill_conditioned_quadratic_momentum_needs_a_root_of_the_steps_of_gradient_descent():
    # Polyak (1964): lr = 4 / (√L + √l)², mu = ((√L − √l) / (√L + √l))²
    def steps_needed(run):
        return next(k for k, theta in enumerate(run, 1) if np.linalg.norm(theta) < 1e-6)

    least, most = 1.0, 2500.0
    bowl, start = Quadratic(np.diag([least, most])), [1.0, 1.0]
    best = {"lr": 4 / (sqrt(most) + sqrt(least))**2, "mu": ((sqrt(most) - 1) / (sqrt(most) + 1))**2}
    plain = steps_needed(gradient_descent(bowl, start, lr=2 / (most + least)))
    heavy = steps_needed(momentum(bowl, start, **best))
    assert plain > 15 * heavy


def of_roots(w):
    """Σ w (√(w² + x²) − w): a bowl of curvature 1 as wide as w, with straight sides."""
    return Function(lambda x: (w * (np.sqrt(w**2 + x**2) - w)).sum(), lambda x: w * x / np.sqrt(w**2 + x**2), size=16)


def test_with_a_rising_mu_nesterovs_error_on_a_convex_function_is_of_order_one_over_t_squared():
    # mu(t) = (t − 1) / (t + 2): f(θ_t) − f* ≤ 4 ‖θ₀ − θ*‖² / (lr (t + 2)²) for lr = 1 / L, on any convex function
    eigenvalues = 10.0**np.arange(0, -8, -0.5)
    bowl, start = Quadratic(np.diag(eigenvalues)), np.ones(16)

    def accelerated(f, theta):
        return nesterov(f, theta, lr=1, mu=lambda t: (t - 1) / (t + 2))

    t = np.arange(1, 501)
    errors = np.array([bowl.value(theta) for theta in path(accelerated(bowl, start), 500)[1:]])
    assert (errors <= 4 * 16 / (t + 2)**2).all()
    bend, far = of_roots(0.01), np.linspace(0.5, 3, 16)  # convex, and no bowl: its curvature is 1 at 0 and soon nothing
    bent, plain = (np.array([bend.value(theta) for theta in path(run, 500)[1:]])
                   for run in (accelerated(bend, far), gradient_descent(bend, far, lr=1)))
    bound = 4 * far @ far / (t + 2)**2
    assert (bent <= bound).all() and (plain > bound).any()
    flat = Quadratic(np.array([[1 / 500]]))  # where gradient descent is at its worst after 250 steps: of order 1/t
    slow, fast = path(gradient_descent(flat, [1.0], lr=1), 250)[-1], path(accelerated(flat, [1.0]), 250)[-1]
    assert flat.value(slow) > 4 / 252**2 > flat.value(fast)


def test_looking_ahead_nesterov_stays_in_the_minimum_that_momentum_swings_through():
    heavy, ahead = (path(f(along_eigenvector(2.0), [1.0], lr=0.5, mu=0.9), 20)[:, 0] for f in BOTH)
    assert_allclose(heavy[:4], [1, 0, -0.9, -0.81])
    assert_allclose(ahead, np.r_[1, np.zeros(20)])


# -------------------------------------------------------------------------------------------------------- PyTorch

def torch_path(problem, theta, steps, **settings):
    torch = pytest.importorskip("torch")
    parameters = torch.tensor(theta, dtype=torch.float64)
    theirs, seen = torch.optim.SGD([parameters], **settings), [np.array(theta)]
    for _ in range(steps):
        parameters.grad = torch.from_numpy(problem.gradient(parameters.numpy()))
        theirs.step()
        seen.append(parameters.numpy().copy())
    return np.array(seen)


def test_at_a_constant_rate_momentum_takes_the_steps_that_pytorch_takes():
    theirs = torch_path(BOWL, [1.0, -2.0], 60, lr=0.02, momentum=0.9)
    assert_allclose(path(momentum(BOWL, [1.0, -2.0], lr=0.02, mu=0.9), 60), theirs, rtol=1e-10, atol=1e-12)


def test_pytorchs_nesterov_stands_where_ours_looks():
    run = nesterov(BOWL, [1.0, -2.0], lr=0.02, mu=0.9)
    looks = [run.theta] + [theta + 0.9 * run["v"] for _, theta in zip(range(60), run)]
    theirs = torch_path(BOWL, [1.0, -2.0], 60, lr=0.02, momentum=0.9, nesterov=True)
    assert_allclose(looks, theirs, rtol=1e-10, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("momentum", "* every gradient counts 1 - mu, as in an average",
     "lr(t) * g",
     "(1 - mu(t)) * lr(t) * g",
     "test_down_a_constant_slope_the_velocity_grows_to_one_over_one_minus_mu"),
    ("momentum", "the rate is in the step, not in the velocity: a lower rate shrinks what was gathered",
     "v = mu(t) * v - lr(t) * g\n        theta = theta + v",
     "v = mu(t) * v - g\n        theta = theta + lr(t) * v",
     "test_a_lower_rate_does_not_shrink_the_velocity_that_has_been_gathered"),
    ("momentum", "mu multiplies the new step too",
     "mu(t) * v - lr(t) * g",
     "mu(t) * (v - lr(t) * g)",
     "test_three_steps_of_momentum_by_hand"),
    ("nesterov", "* it looks back, not ahead",
     "theta + mu(t) * v)",
     "theta - mu(t) * v)",
     "test_three_steps_of_nesterov_by_hand"),
    ("nesterov", "it does not look ahead: this is momentum",
     "loss.gradient(theta + mu(t) * v)",
     "loss.gradient(theta)",
     "test_along_an_eigenvector_nesterov_is_momentum_with_its_share_mu_lowered_by_the_curvature"),
    ("nesterov", "it looks ahead by all of the velocity",
     "theta + mu(t) * v)",
     "theta + v)",
     "test_looking_ahead_nesterov_stays_in_the_minimum_that_momentum_swings_through"),
    ("nesterov", "* gradients are silently clipped to [-1, 1]",
     "loss.gradient(theta + mu(t) * v)",
     "loss.gradient(theta + mu(t) * v).clip(-1, 1)",
     "test_the_gradient_is_not_clipped"),
]
