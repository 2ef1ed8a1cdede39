"""Lecture 4 in tests: each says something the lecture says."""
import inspect
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import root

from numopt.optimizers import (
    adadelta, adagrad, adam, adamw, amsgrad, delta_bar_delta, delta_bar_velocity, gradient_descent, lion, momentum,
    nadam, rmsprop, rprop, sign_descent)
from numopt.problems import Objective, Quadratic
from numopt.record import path

ALL = [delta_bar_delta, rprop, adagrad, rmsprop, adadelta, adam, amsgrad, nadam, adamw, lion]


class Gradients(Objective):
    """A problem that answers with gradients written down beforehand, wherever it is asked."""

    def __init__(self, *gradients):
        self.gradients = np.array(gradients, float)

    def loss(self, t):
        return Slope(self.gradients[t - 1])


class Slope(Objective):
    """f(θ) = gᵀ θ"""

    def __init__(self, g):
        self.g = np.array(g, float)

    def gradient(self, theta):
        return self.g.astype(theta.dtype)


class Valley(Objective):
    """f(θ) = Σ log cosh(A θ − b)ᵢ + ‖θ‖² / 20: smooth, not quadratic, with one minimum."""

    A = np.array([[2.0, -1.0, 0.5], [0.3, 4.0, 1.0], [-1.0, 0.2, 0.1], [1.0, 1.0, -1.0]])
    b = np.array([1.0, -2.0, 0.5, 3.0])

    def gradient(self, theta):
        return self.A.T @ np.tanh(self.A @ theta - self.b) + theta / 10


def steps(run, count):
    """θ_t − θ_{t−1} for t = 1, 2, ..., count."""
    return np.diff(path(run, count), axis=0)


def some_gradients(count, size, seed=0):
    return np.random.default_rng(seed).standard_normal((count, size))


# ---------------------------------------------------------------------------------------------------- all of them

@pytest.mark.parametrize("optimizer", [
    adagrad, adam, partial(adamw, weight_decay=0), lion, sign_descent, partial(rmsprop, rho=0),
    partial(amsgrad, beta1=0, beta2=0), partial(nadam, beta1=0)])
def test_the_first_step_has_the_length_of_the_learning_rate_in_every_coordinate(optimizer):
    settings = {} if "eps" not in inspect.signature(optimizer).parameters else {"eps": 0}
    first = path(optimizer(Gradients([1e-3, -5.0, 200.0]), np.zeros(3), lr=0.01, **settings), 1)[1]
    assert_allclose(first, [-0.01, 0.01, -0.01])


@pytest.mark.parametrize("optimizer", [delta_bar_delta, adagrad, rmsprop, adam, amsgrad, nadam, adamw, lion])
def test_a_step_whose_rate_is_zero_goes_nowhere_and_shrinks_nothing(optimizer):
    x = path(optimizer(Valley(), [1.0, 2.0, 3.0], lr=lambda t: 0.0 if t == 2 else 0.1), 3)
    assert_array_equal(x[2], x[1])
    assert (x[1] != x[0]).all() and (x[3] != x[2]).all()


@pytest.mark.parametrize("optimizer", [
    adagrad, adam, partial(adamw, weight_decay=0), partial(rmsprop, rho=0), partial(amsgrad, beta1=0, beta2=0),
    partial(nadam, beta1=0)])
def test_eps_is_added_to_the_root(optimizer):
    first = path(optimizer(Gradients([1e-4, 3e-4]), np.zeros(2), lr=1.0, eps=1e-4), 1)[1]
    assert_allclose(first, [-1 / 2, -3 / 4])


@pytest.mark.parametrize("optimizer", [
    rprop, partial(adagrad, eps=0), partial(rmsprop, eps=0), partial(adam, eps=0), partial(amsgrad, eps=0),
    partial(nadam, eps=0), partial(adamw, eps=0, weight_decay=0), lion])
def test_the_scale_of_each_coordinate_of_the_gradient_does_not_matter(optimizer):
    gradients = some_gradients(50, 3)
    plain = path(optimizer(Gradients(*gradients), np.zeros(3), lr=0.01), 50)
    scaled = path(optimizer(Gradients(*(gradients * [1e3, 1.0, 1e-6])), np.zeros(3), lr=0.01), 50)
    assert_allclose(scaled, plain)


@pytest.mark.parametrize("optimizer", ALL)
def test_coordinates_do_not_see_each_other(optimizer):
    gradients = some_gradients(20, 3)
    together = path(optimizer(Gradients(*gradients), np.ones(3)), 20)
    for i in range(3):
        assert_array_equal(path(optimizer(Gradients(*gradients[:, [i]]), np.ones(1)), 20)[:, 0], together[:, i])


@pytest.mark.parametrize("optimizer", ALL)
def test_a_coordinate_without_gradients_stays_where_it_is(optimizer):
    settings = {"weight_decay": 0} if optimizer is adamw else {}
    x = path(optimizer(Gradients(*([1.0, 0.0],) * 20), [0.5, 0.5], **settings), 20)
    assert x[-1, 0] < 0.5 and (x[:, 1] == 0.5).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ALL)
def test_it_keeps_the_precision_it_was_given_in_theta_and_in_memory(optimizer, dtype):
    run = optimizer(Quadratic(np.diag([1, 10]).astype(dtype)), np.array([1, -1], dtype))
    assert path(run, 3).dtype == dtype
    assert all(value.dtype == dtype for value in run.memory.values() if isinstance(value, np.ndarray))


@pytest.mark.parametrize("optimizer", ALL)
def test_a_run_taken_up_from_its_memory_is_the_same_run(optimizer):
    gradients = Gradients(*some_gradients(20, 3))
    run = optimizer(gradients, np.ones(3))
    first = path(run, 8)
    rest = path(optimizer(gradients, run.theta, **run.memory), 12)
    assert_array_equal(np.concatenate([first, rest[1:]]), path(optimizer(gradients, np.ones(3)), 20))


@pytest.mark.parametrize("optimizer", [
    partial(delta_bar_delta, lr=0.01), rprop, partial(adagrad, lr=0.5),
    partial(rmsprop, lr=lambda t: 0.5 / t), partial(adam, lr=lambda t: 3 / (9 + t)), partial(amsgrad, lr=0.1),
    partial(nadam, lr=lambda t: 3 / (9 + t)), partial(adamw, lr=lambda t: 3 / (9 + t), weight_decay=0),
    partial(lion, lr=lambda t: 0.5 / t)])
def test_it_finds_the_minimum_of_a_valley(optimizer):
    minimum = root(Valley().gradient, np.zeros(3)).x
    assert_allclose(path(optimizer(Valley(), np.zeros(3)), 2000)[-1], minimum, atol=2e-3)


# ------------------------------------------------------------------------------------------------ delta-bar-delta

def gains(gradients, **settings):
    """The gain of the one coordinate after each step."""
    run = delta_bar_delta(Gradients(*np.reshape(gradients, (-1, 1))), [0.0], **settings)
    return np.array([run["gain"][0] for _ in run_for(run, len(gradients))])


def run_for(run, count):
    return zip(range(count), run)


def test_two_steps_of_delta_bar_delta_by_hand():
    # the second gradient agrees with the first: gain 1.5; the third turns: gain 1.5 (1 - 0.2) = 1.2
    x = steps(delta_bar_delta(Gradients([2.0], [4.0], [-3.0]), [0.0], lr=0.1, kappa=0.5, phi=0.2), 3)[:, 0]
    assert_allclose(x, [-0.1 * 2, -0.1 * 1.5 * 4, 0.1 * 1.2 * 3])


def test_the_rate_of_delta_bar_delta_grows_by_adding_and_shrinks_by_multiplying():
    assert_allclose(gains([1.0] * 10, kappa=0.3, most=100), 1 + 0.3 * np.arange(10))
    turning = (-1.0)**np.arange(10)
    assert_allclose(gains(turning, phi=0.2, rho=0, least=0), 0.8**np.arange(10))


def test_the_gain_of_delta_bar_delta_stays_within_its_limits():
    assert gains([1.0] * 500).max() == 10 and gains((-1.0)**np.arange(500), rho=0).min() == 0.1


def test_a_zero_gradient_leaves_the_rate_of_delta_bar_delta_as_it_is():
    assert_allclose(gains([1.0, 0.0, 0.0, 1.0], kappa=0.3), [1, 1, 1, 1.3])


def test_delta_bar_delta_compares_with_the_average_where_kashyap_and_ravasi_print_the_previous_gradient():
    small_turn = [1.0, 1.0, -0.1, -0.1, -0.1]  # against the past every one of the last three turns
    assert_array_equal(np.sign(np.diff(gains(small_turn, rho=0.7))), [1, -1, -1, -1])
    assert_array_equal(np.sign(np.diff(gains(small_turn, rho=0.0))), [1, -1, 1, 1])


def test_the_momentum_of_delta_bar_delta_may_be_a_schedule():
    problem = Gradients([1.0], [1.0], [1.0])
    moved = steps(delta_bar_delta(problem, [0.0], lr=0.1, kappa=0.0, mu=lambda t: {1: 0.9, 2: 0.5, 3: 0.0}[t]), 3)
    assert_allclose(moved[:, 0], [-0.1, -0.15, -0.1])


def test_the_average_of_delta_bar_delta_weighs_the_past_by_rho():
    # after 1 the average is 0.3; after -c it is 0.21 - 0.3 c, which is negative for c > 0.7
    assert np.diff(gains([1.0, -0.69, -1.0]))[-1] < 0 < np.diff(gains([1.0, -0.71, -1.0]))[-1]


def test_delta_bar_delta_that_never_changes_its_rates_is_gradient_descent_with_momentum():
    for mu, plain in [(0.0, gradient_descent), (0.9, partial(momentum, mu=0.9))]:
        fixed = path(delta_bar_delta(Valley(), np.zeros(3), lr=0.02, mu=mu, kappa=0, phi=0), 50)
        assert_allclose(fixed, path(plain(Valley(), np.zeros(3), lr=0.02), 50))


# ------------------------------------------------------------------------------------------- delta-bar-delta, velocity

@pytest.mark.parametrize("seed", range(3))
def test_without_momentum_the_velocity_is_the_last_step_and_this_is_delta_bar_delta_that_looks_back_one_step(seed):
    A = np.random.default_rng(seed).standard_normal((4, 4))
    problem = Quadratic(A @ A.T + 0.1 * np.eye(4))
    same = [path(method, 40) for method in (delta_bar_velocity(problem, np.ones(4), mu=0.0, lr=0.05),
                                            delta_bar_delta(problem, np.ones(4), rho=0.0, lr=0.05))]
    assert np.array_equal(*same)


def test_a_velocity_keeps_its_sign_for_a_while_where_the_gradient_turns_and_is_cut_at_once():
    """After g = 8, −1 it still goes the old way: the next −1 is against it, and agrees with the last gradient."""
    gradients = Gradients([8.0], [-1.0], [-1.0])
    runs = [method(gradients, [0.0], lr=0.1, mu=0.9)
            for method in (delta_bar_velocity, partial(delta_bar_delta, rho=0.0))]
    for run in runs:
        steps(run, 3)
    assert_allclose([run["gain"] for run in runs], [[0.95**2], [0.95 + 0.05]])


@pytest.mark.parametrize("beyond", [1.05, 1.2, 1.5])
@pytest.mark.parametrize("mu", [0.6, 0.8, 0.9, 0.95])
def test_signs_against_the_velocity_bring_back_a_rate_at_which_momentum_diverges_sooner_than_against_the_gradient(
        mu, beyond):
    ends = []
    for method in (delta_bar_velocity, partial(delta_bar_delta, rho=0.0), momentum):
        run = method(Quadratic(np.eye(1)), [1.0], lr=beyond * 2 * (1 + mu), mu=mu)
        ends.append(max(abs(next(run).item()) for _ in range(300)) if method is momentum else
                    abs(path(run, 600)[-20:]).max())
    assert ends[0] < 1e-3 * ends[1] and ends[2] > 1e10


def test_delta_bar_delta_gives_the_flat_direction_of_a_valley_the_higher_rate():
    run = delta_bar_delta(Quadratic(np.diag([1.0, 100.0])), [1.0, 1.0], lr=0.015)
    x = path(run, 100)
    assert run["gain"][0] > 5 and run["gain"][1] < 1
    plain = path(gradient_descent(Quadratic(np.diag([1.0, 100.0])), [1.0, 1.0], lr=0.015), 100)
    assert abs(x[-1, 0]) < abs(plain[-1, 0]) / 10


# ---------------------------------------------------------------------------------------------------------- rprop

def test_steps_of_rprop_by_hand():
    # grows by 1.2 while the sign stays; the turn halves the length and waits; then the halved length, neither changed
    x = steps(rprop(Gradients([3.0], [0.1], [5.0], [-2.0], [-9.0], [-9.0]), [0.0], lr=1.0), 6)[:, 0]
    assert_allclose(x, [-1, -1.2, -1.44, 0, 0.72, 0.864])


def test_rprop_reads_nothing_but_signs():
    signs = np.sign(some_gradients(40, 5))
    sizes = np.exp(5 * some_gradients(40, 5, seed=1))
    assert_array_equal(path(rprop(Gradients(*signs), np.zeros(5)), 40),
                       path(rprop(Gradients(*(signs * sizes)), np.zeros(5)), 40))


def test_gradients_too_small_to_multiply_still_have_signs():
    for optimizer in (rprop, delta_bar_delta, delta_bar_velocity):
        tiny = optimizer(Gradients([1e-200], [1e-200], [-1e-200]), [0.0])
        plain = optimizer(Gradients([1.0], [1.0], [-1.0]), [0.0])
        path(tiny, 3), path(plain, 3)
        name = "lr" if optimizer is rprop else "gain"
        assert_array_equal(tiny[name], plain[name])


def test_the_steps_of_rprop_stay_within_their_limits():
    growing, turning = rprop(Slope([1.0]), [0.0]), rprop(Gradients(*([1.0], [-1.0], [-1.0], [1.0]) * 50), [0.0])
    path(growing, 200), path(turning, 200)
    assert growing["lr"] == 50 and turning["lr"] == 1e-6


def test_a_zero_gradient_is_no_turn_for_rprop():
    x = steps(rprop(Gradients([1.0], [0.0], [-1.0], [0.0], [1.0]), [0.0], lr=0.1), 5)[:, 0]
    assert_allclose(x, [-0.1, 0, 0.1, 0, -0.1])


def test_rprop_lets_nine_small_gradients_outweigh_a_large_one_that_cancels_them():
    x = steps(rprop(Gradients(*[[0.1]] * 9, [-0.9]), [0.0]), 10)[:, 0]
    assert (x[:9] < 0).all() and x[9] == 0


# -------------------------------------------------------------------------------------------------------- adagrad

def test_two_steps_of_adagrad_by_hand():
    assert_allclose(steps(adagrad(Gradients([3.0], [4.0]), [0.0], lr=1.0, eps=0), 2)[:, 0], [-3 / 3, -4 / 5])


def test_adagrad_slows_down_like_one_over_root_t():
    assert_allclose(steps(adagrad(Slope([7.0]), [0.0], lr=1.0, eps=0), 100)[:, 0], -1 / np.sqrt(np.arange(1, 101)))


def test_the_rate_of_adagrad_never_increases_although_ravasis_lecture_says_so_of_small_gradients():
    gradients = some_gradients(200, 3) * [1.0, 1e-3, 1e-6]
    rates = -steps(adagrad(Gradients(*gradients), np.zeros(3)), 200) / gradients
    assert (np.diff(rates, axis=0) <= 1e-12 * rates[1:]).all()


def test_the_steps_of_adagrad_along_the_gradients_sum_to_at_most_twice_the_root_of_the_sum_of_squares():
    g = some_gradients(300, 1)[:, 0]
    descents = -np.cumsum(g * steps(adagrad(Gradients(*g[:, None]), [0.0], lr=1.0, eps=0), 300)[:, 0])
    roots = np.sqrt(np.cumsum(g**2))
    assert (roots <= descents + 1e-12).all() and (descents <= 2 * roots).all()


# -------------------------------------------------------------------------------------------------------- rmsprop

def test_two_steps_of_rmsprop_by_hand():
    # s = 0.1 · 9 = 0.9, then 0.81 + 0.1 · 16 = 2.41
    x = steps(rmsprop(Gradients([3.0], [4.0]), [0.0], lr=1.0, eps=0), 2)[:, 0]
    assert_allclose(x, [-3 / np.sqrt(0.9), -4 / np.sqrt(2.41)])


def test_the_steps_of_rmsprop_begin_too_long_for_want_of_a_correction_and_settle_at_the_learning_rate():
    x = -steps(rmsprop(Slope([3.0]), [0.0], lr=0.01, rho=0.9, eps=0), 300)[:, 0]
    assert_allclose(x, 0.01 / np.sqrt(1 - 0.9**np.arange(1, 301)))
    assert_allclose([x[0], x[-1]], [0.01 / np.sqrt(0.1), 0.01])


def test_rmsprop_forgets_a_large_gradient_and_adagrad_does_not():
    g = Gradients(*[[100.0]] * 5, *[[1.0]] * 200)
    assert_allclose(steps(rmsprop(g, [0.0], lr=0.01), 205)[-1], -0.01, rtol=1e-3)
    assert -steps(adagrad(g, [0.0], lr=0.01), 205)[-1] < 0.01 / 200


def test_the_mean_of_all_squares_that_memon_et_al_print_for_rmsprop_is_adagrad_with_a_growing_rate():
    g = np.concatenate([100 * np.ones(5), np.ones(200)])
    printed = -0.01 * g / np.sqrt(np.cumsum(g**2) / np.arange(1, 206))
    of_adagrad = steps(adagrad(Gradients(*g[:, None]), [0.0], lr=lambda t: 0.01 * t**0.5, eps=0), 205)[:, 0]
    assert_allclose(of_adagrad, printed)
    of_rmsprop = steps(rmsprop(Gradients(*g[:, None]), [0.0], lr=0.01), 205)[:, 0]
    assert -printed[-1] < 0.001 < 0.0099 < -of_rmsprop[-1]  # the mean has not forgotten the first five


def test_the_matrix_that_memon_et_al_print_as_inverse_lengthens_steps_where_they_have_to_be_shortened():
    for g in (1e-2, 1.0, 1e2):
        step = -steps(rmsprop(Slope([g]), [0.0], lr=0.01), 300)[-1, 0]
        printed = 0.01 * (g + 1e-8) * g  # M⁻¹ g, with √s = g as it is after many steps
        assert_allclose([step, printed], [0.01, 0.01 * g**2], rtol=1e-5)


# ------------------------------------------------------------------------------------------------------- adadelta

def test_two_steps_of_adadelta_by_hand():
    # rho = 1/2, eps = 1:  s = 2, d = -2 √(1 / 3), u = 2/3;  then s = 1 + 9/2 = 5.5, d = -3 √((2/3 + 1) / 6.5)
    x = steps(adadelta(Gradients([2.0], [3.0]), [0.0], rho=0.5, eps=1.0), 2)[:, 0]
    assert_allclose(x, [-2 * np.sqrt(1 / 3), -3 * np.sqrt(5 / 3 / 6.5)])


def test_adadelta_has_no_rate_to_set():
    with pytest.raises(TypeError, match="no argument 'lr'"):
        adadelta(Slope([1.0]), [0.0], lr=0.1)


def test_multiplying_the_loss_does_not_change_the_steps_of_adadelta():
    g = some_gradients(50, 3)
    plain = path(adadelta(Gradients(*g), np.zeros(3), eps=0, u=1e-4), 50)
    assert_allclose(path(adadelta(Gradients(*1e3 * g), np.zeros(3), eps=0, u=1e-4), 50), plain)


def test_the_steps_of_adadelta_have_the_units_of_theta():
    # θ counted in units c times smaller: numbers c times larger, gradients c times smaller, u c² times larger
    g, c = some_gradients(50, 3), 1000
    plain = path(adadelta(Gradients(*g), np.ones(3), eps=0, u=1e-4), 50)
    assert_allclose(path(adadelta(Gradients(*g / c), c * np.ones(3), eps=0, u=1e-4 * c**2), 50), c * plain)


def test_the_first_step_of_adadelta_is_set_by_eps():
    for eps in (1e-4, 1e-6, 1e-8):
        first = -steps(adadelta(Slope([100.0]), [0.0], eps=eps), 1)[0, 0]
        assert_allclose(first, np.sqrt(eps / 0.05), rtol=1e-5)


# ----------------------------------------------------------------------------------------------------------- adam

def test_two_steps_of_adam_by_hand():
    # m = 0.1, 0.29; v = 0.001, 0.004999; corrected by 0.1, 0.19 and 0.001, 0.001999
    x = path(adam(Gradients([1.0], [2.0]), [0.0], lr=0.1, eps=0), 2)[:, 0]
    assert_allclose(x, [0, -0.1, -0.1 - 0.1 * (0.29 / 0.19) / np.sqrt(0.004999 / 0.001999)])


@pytest.mark.parametrize("beta1, beta2", [(0.9, 0.999), (0.0, 0.5), (0.99, 0.9)])
def test_under_a_constant_gradient_every_step_of_adam_has_the_length_of_the_learning_rate(beta1, beta2):
    x = steps(adam(Slope([7.0, -1e-3]), [0.0, 0.0], lr=0.01, beta1=beta1, beta2=beta2, eps=0), 1000)
    assert_allclose(x, np.tile([-0.01, 0.01], (1000, 1)))


def test_the_averages_of_adam_weigh_a_gradient_by_the_power_of_its_age():
    g, beta1, beta2 = some_gradients(30, 2), 0.8, 0.95
    run = adam(Gradients(*g), np.zeros(2), beta1=beta1, beta2=beta2)
    path(run, 30)
    for name, beta, terms in [("m_hat", beta1, g), ("v_hat", beta2, g**2)]:
        assert_allclose(run[name], np.average(terms, axis=0, weights=beta**np.arange(29, -1, -1.0)))


def test_adam_without_momentum_is_rmsprop_with_a_correction():
    g = Gradients(*some_gradients(30, 4))
    plain = steps(rmsprop(g, np.zeros(4), lr=1.0, rho=0.99, eps=0), 30)
    corrected = steps(adam(g, np.zeros(4), lr=1.0, beta1=0, beta2=0.99, eps=0), 30)
    t = np.arange(1, 31)[:, None]
    assert_allclose(corrected, plain * np.sqrt(1 - 0.99**t))


def test_the_steps_of_adam_are_bounded_by_the_learning_rate_times_a_constant():
    # Kingma and Ba, Section 2.1: |Δ| ≤ lr (1 − β₁) / √(1 − β₂), met by one gradient after nothing but zeros
    x = steps(adam(Gradients(*[[0.0]] * 3000, [1.0]), [0.0], lr=0.01), 3001)[:, 0]
    assert_allclose(-x[-1], 0.01 * 0.1 / np.sqrt(0.001), rtol=0.03)
    random = steps(adam(Gradients(*some_gradients(300, 20)**3), np.zeros(20), lr=0.01), 300)
    assert np.abs(random).max() <= 0.01 * 0.1 / np.sqrt(0.001)


def test_with_the_eps_of_ravasis_lecture_small_gradients_of_adam_are_not_scaled_up():
    small = Slope([1e-7])
    assert_allclose(-steps(adam(small, [0.0], lr=1.0), 1), 10 / 11)
    assert_allclose(-steps(adam(small, [0.0], lr=1.0, eps=1e-6), 1), 1 / 11)


# -------------------------------------------------------------------------------------------------------- amsgrad

def reddi(C, period, optimizer, **settings):
    """Where θ gets to in 20 periods of one gradient C and then −1s: C > period − 1, so that downhill is to the left."""
    gradients = np.where(np.arange(20 * period) % period == 0, C, -1.0)
    assert gradients.mean() > 0
    return path(optimizer(Gradients(*gradients[:, None]), [0.0], lr=0.1, **settings), len(gradients))[-1, 0]


@pytest.mark.parametrize("C, period, settings", [
    (3.0, 3, {"beta1": 0.0, "beta2": 1 / (1 + 3.0**2)}),  # Reddi et al. (2018), Theorem 1
    (101.0, 101, {"beta1": 0.9, "beta2": 0.99})])  # their Section 5, where gradients are ten times these
def test_on_reddis_example_adam_goes_the_wrong_way_and_amsgrad_does_not(C, period, settings):
    assert reddi(C, period, adam, **settings) > 0.5
    assert reddi(C, period, amsgrad, **settings) < -0.1


def test_three_steps_of_amsgrad_by_hand():
    # beta2 = 1/2: v = 8, then 4 + 1/2 and the maximum stays 8, then 2.25 + 8; m = 0.4, 0.36 + 0.1, 0.414 + 0.4
    x = steps(amsgrad(Gradients([4.0], [1.0], [4.0]), [0.0], lr=1.0, beta2=0.5, eps=0), 3)[:, 0]
    assert_allclose(x, [-0.4 / np.sqrt(8), -0.46 / np.sqrt(8), -0.814 / np.sqrt(10.25)])


def test_the_rate_of_amsgrad_never_increases_and_that_of_adam_does():
    g = some_gradients(200, 3)
    rates = {f: -steps(f(Gradients(*g), np.zeros(3), beta1=0, beta2=0.9, eps=0), 200) / g for f in (amsgrad, adam)}
    assert (np.diff(rates[amsgrad], axis=0) <= 1e-12).all() and (np.diff(rates[adam], axis=0) > 0).any()


def test_while_gradients_grow_amsgrad_is_adam_without_corrections():
    g = 1.1**np.arange(40)[:, None]
    t = np.arange(1, 41)[:, None]
    uncorrected = steps(adam(Gradients(*g), [0.0], eps=0), 40) * (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    assert_allclose(steps(amsgrad(Gradients(*g), [0.0], eps=0), 40), uncorrected)


# ---------------------------------------------------------------------------------------------------------- nadam

def test_two_steps_of_nadam_by_hand():
    # psi = 0: every μ is β₁ / 2 = 0.4.  m = 0.2, 0.56; m̂ = 0.4 m / (1 − 0.4^(t+1)) + 0.6 g / (1 − 0.4^t)
    # beta2 = 1/2: v = 1/2, 2.25; v̂ = 1, 3
    x = steps(nadam(Gradients([1.0], [2.0]), [0.0], lr=1.0, beta1=0.8, beta2=0.5, eps=0, psi=0), 2)[:, 0]
    assert_allclose(x, [-(0.08 / 0.84 + 0.6 / 0.6), -(0.224 / 0.936 + 1.2 / 0.84) / np.sqrt(3)])


def test_the_momentum_of_nadam_rises_from_half_of_beta1_to_beta1():
    def mu(t):
        run = nadam(Slope([1.0]), [0.0], t=t - 1)
        next(run)
        return run["mu"]

    assert_allclose([mu(250), mu(500), mu(10**6)], [0.9 * (1 - 0.96 / 2), 0.9 * (1 - 0.96**2 / 2), 0.9])
    assert 0.45 < mu(1) < mu(2) < 0.4502


def test_a_step_of_nadam_uses_the_momentum_of_this_step_and_of_the_next():
    # psi = 1: mu = 0.9 (1 − 0.48) = 0.468, and then 0.9 (1 − 0.4608) = 0.48528; m = 0.1
    first = steps(nadam(Slope([1.0]), [0.0], lr=1.0, eps=0, psi=1), 1)[0, 0]
    assert_allclose(-first, 0.48528 * 0.1 / (1 - 0.468 * 0.48528) + (1 - 0.468) / (1 - 0.468))


def test_nadam_corrects_by_the_product_of_its_momenta():
    run = nadam(Slope([1.0]), [0.0])
    product = np.prod([run["mu"] for _ in run_for(run, 30)])
    assert_allclose(run.memory["mu_product"], product)


def test_with_a_momentum_that_does_not_change_nadam_uses_the_one_of_the_next_step():
    # under a constant gradient m = (1 − β₁ᵗ) g; for large psi every μ is β₁
    t = np.arange(1, 31)
    x = -steps(nadam(Slope([5.0]), [0.0], lr=1.0, psi=1e6, eps=0), 30)[:, 0]
    assert_allclose(x, 0.9 * (1 - 0.9**t) / (1 - 0.9**(t + 1)) + 0.1 / (1 - 0.9**t))


def test_without_momentum_there_is_nothing_to_look_ahead_with_and_nadam_is_adam():
    g = Gradients(*some_gradients(30, 3))
    assert_allclose(path(nadam(g, np.zeros(3), lr=0.1, beta1=0), 30), path(adam(g, np.zeros(3), lr=0.1, beta1=0), 30))


# ---------------------------------------------------------------------------------------------------------- adamw

def test_adamw_without_decay_is_adam():
    assert_array_equal(path(adamw(Valley(), np.ones(3), weight_decay=0), 50), path(adam(Valley(), np.ones(3)), 50))


def test_without_gradients_adamw_shrinks_theta_by_the_same_share_at_every_step():
    x = path(adamw(Slope([0.0, 0.0]), [1.0, -50.0], lr=0.1, weight_decay=0.5), 30)
    assert_allclose(x, np.outer(0.95**np.arange(31), [1, -50]))


def test_decay_inside_the_gradient_of_adam_does_not_depend_on_its_strength_and_beside_it_does():
    theta = np.array([3.0, -0.1])
    inside = [steps(adam(Quadratic(strength * np.eye(2)), theta, lr=0.01), 1)[0] for strength in (0.01, 1.0)]
    assert_allclose(inside, [[-0.01, 0.01]] * 2, rtol=1e-4)
    beside = [steps(adamw(Slope([0.0, 0.0]), theta, lr=0.01, weight_decay=strength), 1)[0] for strength in (0.01, 1.0)]
    assert_allclose(beside, [-0.0001 * theta, -0.01 * theta])


@pytest.mark.parametrize("optimizer", [partial(adamw, eps=0), lion])
def test_under_a_constant_gradient_decay_stops_theta_at_one_over_its_strength(optimizer):
    x = path(optimizer(Slope([1e-3, -70.0]), [0.0, 0.0], lr=0.1, weight_decay=0.5), 200)
    reached = (1 - 0.95**np.arange(201)) / 0.5
    assert_allclose(x, np.column_stack([-reached, reached]))


# ----------------------------------------------------------------------------------------------------------- lion

def test_three_steps_of_lion_by_hand():
    # c = 0.1; m = 0.01; then c = 0.009 − 0.1 · 0.05 = 0.004; m = 0.0094; then c = 0.00846 − 0.1 · 0.1 = −0.00154
    x = steps(lion(Gradients([1.0], [-0.05], [-0.1]), [0.0], lr=0.01), 3)[:, 0]
    assert_allclose(x, [-0.01, -0.01, 0.01])


def test_lion_steps_by_the_sign_before_it_updates_its_momentum():
    # after ten gradients of 1, m = 1 − 0.99¹⁰ = 0.0956; a gradient of −1 turns 0.9 m − 0.1 and not the m that is kept
    run = lion(Gradients(*[[1.0]] * 10, [-1.0]), [0.0], lr=0.01)
    assert_allclose(steps(run, 11)[-1], 0.01)
    assert_allclose(run["m"], 0.99 * (1 - 0.99**10) - 0.01)
    assert run["m"] > 0


def test_lion_does_not_see_the_scale_of_the_gradient():
    g = some_gradients(50, 4)
    plain = path(lion(Gradients(*g), np.ones(4), weight_decay=0.1), 50)
    assert_array_equal(path(lion(Gradients(*2.0**-60 * g), np.ones(4), weight_decay=0.1), 50), plain)


def test_lion_without_momentum_is_descent_along_signs():
    assert_array_equal(path(lion(Valley(), np.zeros(3), lr=0.01, beta1=0), 50),
                       path(sign_descent(Valley(), np.zeros(3), lr=0.01), 50))


# -------------------------------------------------------------------------------------------------------- PyTorch

def corrections_of_adam(t):
    """The rate that makes PyTorch's amsgrad of the paper's, for eps = 0."""
    return 0.05 * (1 - 0.999**t)**0.5 / (1 - 0.9**t)


@pytest.mark.parametrize("ours, name, settings", [
    (partial(rprop, lr=0.05), "Rprop", {"lr": 0.05}),
    (adagrad, "Adagrad", {}),
    (partial(adagrad, lr=0.3), "Adagrad", {"lr": 0.3}),
    (rmsprop, "RMSprop", {"lr": 1e-3, "alpha": 0.9}),  # PyTorch's rho is called alpha, and is 0.99
    (partial(adadelta, rho=0.9), "Adadelta", {}),  # Zeiler's rho is 0.95; PyTorch multiplies by a rate of 1
    (adam, "Adam", {}),
    (partial(adam, lr=0.05, beta1=0.5, beta2=0.9, eps=1e-3), "Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3}),
    (partial(amsgrad, lr=corrections_of_adam, eps=0), "Adam", {"lr": 0.05, "amsgrad": True, "eps": 0}),
    (nadam, "NAdam", {}),
    (partial(nadam, lr=0.05, psi=0.1), "NAdam", {"lr": 0.05, "momentum_decay": 0.1}),
    (adamw, "AdamW", {}),
    (partial(adamw, lr=0.05, weight_decay=0.3), "AdamW", {"lr": 0.05, "weight_decay": 0.3})])
def test_it_takes_the_steps_that_pytorch_takes(ours, name, settings):
    torch = pytest.importorskip("torch")
    parameters = torch.zeros(3, dtype=torch.float64)
    theirs, seen = getattr(torch.optim, name)([parameters], **settings), [np.zeros(3)]
    for _ in range(60):
        parameters.grad = torch.from_numpy(Valley().gradient(parameters.numpy()))
        theirs.step()
        seen.append(parameters.numpy().copy())
    rtol = 1e-6 if name == "NAdam" else 1e-10  # PyTorch keeps NAdam's product of momenta in single precision
    assert_allclose(path(ours(Valley(), np.zeros(3)), 60), seen, rtol=rtol, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("delta_bar_velocity", "the velocity points down, and is taken for a gradient",
     "-np.sign(v) * np.sign(g)", "np.sign(v) * np.sign(g)",
     "test_a_velocity_keeps_its_sign_for_a_while_where_the_gradient_turns_and_is_cut_at_once"),
    ("delta_bar_delta", "† the sign is compared with that of the last gradient, not of their average",
     "(1 - rho) * g + rho * g_bar",
     "g",
     "test_delta_bar_delta_compares_with_the_average_where_kashyap_and_ravasi_print_the_previous_gradient"),
    ("delta_bar_delta", "the gain falls by subtracting, as it rises by adding",
     "(1 - phi) * gain",
     "gain - phi",
     "test_the_rate_of_delta_bar_delta_grows_by_adding_and_shrinks_by_multiplying"),
    ("delta_bar_delta", "the gains have no limits",
     "np.clip(gain, least, most)",
     "gain",
     "test_the_gain_of_delta_bar_delta_stays_within_its_limits"),
    ("rprop", "it steps although the sign has turned",
     "g_last = np.where(agree < 0, 0, g)",
     "g_last = np.where(agree < 0, g, g)",
     "test_rprop_lets_nine_small_gradients_outweigh_a_large_one_that_cancels_them"),
    ("rprop", "the two factors are exchanged",
     "agree > 0, eta_plus * lr, np.where(agree < 0, eta_minus * lr, lr)",
     "agree > 0, eta_minus * lr, np.where(agree < 0, eta_plus * lr, lr)",
     "test_steps_of_rprop_by_hand"),
    ("adagrad", "eps is inside the root",
     "np.sqrt(s) + eps",
     "np.sqrt(s + eps)",
     "test_eps_is_added_to_the_root"),
    ("adagrad", "the root is missing",
     "np.sqrt(s) + eps",
     "s + eps",
     "test_two_steps_of_adagrad_by_hand"),
    ("adagrad", "the sum has become a mean, and the rate falls no more",
     "s + g**2",
     "s + (g**2 - s) / t",
     "test_adagrad_slows_down_like_one_over_root_t"),
    ("rmsprop", "† the mean of all squares, which forgets nothing",
     "rho * s + (1 - rho) * g**2",
     "s + (g**2 - s) / t",
     "test_rmsprop_forgets_a_large_gradient_and_adagrad_does_not"),
    ("rmsprop", "the weights are exchanged: it remembers a tenth",
     "rho * s + (1 - rho) * g**2",
     "(1 - rho) * s + rho * g**2",
     "test_two_steps_of_rmsprop_by_hand"),
    ("rmsprop", "† multiplied by M, not by its inverse",
     "g / (np.sqrt(s) + eps)",
     "g * (np.sqrt(s) + eps)",
     "test_the_matrix_that_memon_et_al_print_as_inverse_lengthens_steps_where_they_have_to_be_shortened"),
    ("rmsprop", "* eps is inside the root",
     "np.sqrt(s) + eps",
     "np.sqrt(s + eps)",
     "test_eps_is_added_to_the_root"),
    ("adadelta", "the root is missing",
     "np.sqrt((u + eps) / (s + eps))",
     "(u + eps) / (s + eps)",
     "test_multiplying_the_loss_does_not_change_the_steps_of_adadelta"),
    ("adadelta", "u averages the squares of gradients, as s does",
     "(1 - rho) * d**2",
     "(1 - rho) * g**2",
     "test_the_steps_of_adadelta_have_the_units_of_theta"),
    ("adadelta", "no eps above: it never starts",
     "(u + eps)",
     "u",
     "test_the_first_step_of_adadelta_is_set_by_eps"),
    ("adam", "* the correction forgets the power t",
     "m / (1 - beta1**t)",
     "m / (1 - beta1)",
     "test_under_a_constant_gradient_every_step_of_adam_has_the_length_of_the_learning_rate"),
    ("adam", "* the correction of v forgets the power t",
     "v / (1 - beta2**t)",
     "v / (1 - beta2)",
     "test_the_averages_of_adam_weigh_a_gradient_by_the_power_of_its_age"),
    ("adam", "* the correction multiplies",
     "v / (1 - beta2**t)",
     "v * (1 - beta2**t)",
     "test_two_steps_of_adam_by_hand"),
    ("adam", "† nothing is corrected",
     "m_hat = m / (1 - beta1**t)\n        v_hat = v / (1 - beta2**t)",
     "m_hat = m\n        v_hat = v",
     "test_the_first_step_has_the_length_of_the_learning_rate_in_every_coordinate"),
    ("adam", "* t is one too high",
     "m / (1 - beta1**t)",
     "m / (1 - beta1**(t + 1))",
     "test_under_a_constant_gradient_every_step_of_adam_has_the_length_of_the_learning_rate"),
    ("adam", "* t starts again with every epoch of ten batches",
     "m / (1 - beta1**t)",
     "m / (1 - beta1**((t - 1) % 10 + 1))",
     "test_the_averages_of_adam_weigh_a_gradient_by_the_power_of_its_age"),
    ("adam", "† 1 - beta2 squared, printed for 1 - beta2 to the t",
     "v / (1 - beta2**t)",
     "v / (1 - beta2**2)",
     "test_adam_without_momentum_is_rmsprop_with_a_correction"),
    ("adam", "* eps is inside the root",
     "np.sqrt(v_hat) + eps",
     "np.sqrt(v_hat + eps)",
     "test_eps_is_added_to_the_root"),
    ("adam", "* eps is added after the division",
     "m_hat / (np.sqrt(v_hat) + eps)",
     "(m_hat / np.sqrt(v_hat) + eps)",
     "test_eps_is_added_to_the_root"),
    ("adam", "* m and v are one and the same list",
     "v = beta2 * v + (1 - beta2) * g**2",
     "v = m = beta2 * m + (1 - beta2) * g**2",
     "test_two_steps_of_adam_by_hand"),
    ("adam", "* v starts with the first g squared, and is corrected all the same",
     "v = beta2 * v + (1 - beta2) * g**2",
     "v = beta2 * v + (1 - beta2) * g**2 if t > 1 else g**2",
     "test_the_first_step_has_the_length_of_the_learning_rate_in_every_coordinate"),
    ("adam", "† eps is 1e-6",
     "eps=1e-8",
     "eps=1e-6",
     "test_with_the_eps_of_ravasis_lecture_small_gradients_of_adam_are_not_scaled_up"),
    ("amsgrad", "it forgets the largest v: this is Adam without corrections",
     "np.maximum(v_max, v)",
     "v",
     "test_the_rate_of_amsgrad_never_increases_and_that_of_adam_does"),
    ("amsgrad", "the maximum becomes the average, and decays",
     "v_max = np.maximum(v_max, v)",
     "v = v_max = np.maximum(v_max, v)",
     "test_three_steps_of_amsgrad_by_hand"),
    ("nadam", "the momentum of this step, not of the next: it does not look ahead",
     "mu_next = beta1 * (1 - 0.96**((t + 1) * psi) / 2)",
     "mu_next = beta1 * (1 - 0.96**(t * psi) / 2)",
     "test_a_step_of_nadam_uses_the_momentum_of_this_step_and_of_the_next"),
    ("nadam", "the correction of m forgets the next momentum",
     "1 - mu_product * mu_next",
     "1 - mu_product",
     "test_with_a_momentum_that_does_not_change_nadam_uses_the_one_of_the_next_step"),
    ("adamw", "the decay is adapted, as it was in Adam",
     "m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta",
     "(m_hat + weight_decay * theta) / (np.sqrt(v_hat) + eps)",
     "test_decay_inside_the_gradient_of_adam_does_not_depend_on_its_strength_and_beside_it_does"),
    ("adamw", "the decay does not follow the schedule of the rate",
     "lr(t) * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta)",
     "lr(t) * m_hat / (np.sqrt(v_hat) + eps) - lr(1) * weight_decay * theta",
     "test_a_step_whose_rate_is_zero_goes_nowhere_and_shrinks_nothing"),
    ("lion", "the momentum that is kept is the one that steps",
     "m = beta2 * m + (1 - beta2) * g",
     "m = c",
     "test_lion_steps_by_the_sign_before_it_updates_its_momentum"),
    ("lion", "the two betas are exchanged",
     "c = beta1 * m + (1 - beta1) * g",
     "c = beta2 * m + (1 - beta2) * g",
     "test_three_steps_of_lion_by_hand"),
    ("lion", "the decay is inside the sign",
     "np.sign(c) + weight_decay * theta",
     "np.sign(c + weight_decay * theta)",
     "test_lion_does_not_see_the_scale_of_the_gradient"),
]
