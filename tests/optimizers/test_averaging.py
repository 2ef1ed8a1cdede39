"""Lecture 13 in tests, where it is about averages of iterates."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizer import optimizer
from numopt.optimizers import adam, gradient_descent, lookahead, momentum, polyak, rprop
from numopt.problems import Objective, Quadratic
from numopt.record import load, path, record, save

BOWL, START = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]])), [1.0, -2.0]


class Noisy(Objective):
    """Mini-batches of f(θ) = ‖θ‖² / 2, each with its own error in the gradient; it notes which were asked for."""

    errors = np.random.default_rng(0).standard_normal((500, 2))

    def __init__(self):
        self.asked = []

    def loss(self, t):
        self.asked.append(t)
        return Quadratic(np.eye(2), self.errors[t - 1])


class Slope(Objective):
    """f(θ) = θ"""

    def gradient(self, theta):
        return np.ones(1)


@optimizer
def three_steps(problem, theta, *, t=0):
    """A method that comes to its end: θ grows by 1 at each of three steps."""
    for t, loss in problem.losses(after=t):
        if t > 3:
            return
        theta = theta + 1
        yield theta


# --------------------------------------------------------------------------------------------------------- polyak

def test_polyak_is_the_mean_of_all_iterates_so_far():
    iterates = path(momentum(Noisy(), START), 40)[1:]
    averages = path(polyak(Noisy(), START, inner=momentum), 40)
    assert_allclose(averages[1:], np.cumsum(iterates, axis=0) / np.arange(1, 41)[:, None], rtol=1e-12)


def test_with_a_window_polyak_is_the_mean_of_the_last_iterates_as_in_ravasis_lecture():
    iterates = path(momentum(Noisy(), START), 40)[1:]
    averages = path(polyak(Noisy(), START, inner=momentum, window=8), 40)[1:]
    assert_allclose(averages[39], sum(iterates[39 - i] for i in range(8)) / 8, rtol=1e-12)
    assert_allclose(averages[4], iterates[:5].mean(axis=0), rtol=1e-12)  # so far there are no more than five


def test_the_mean_of_one_iterate_is_that_iterate():
    assert_array_equal(path(polyak(BOWL, START, window=1), 20), path(gradient_descent(BOWL, START), 20))


def test_where_descent_bounces_for_ever_between_two_points_the_mean_of_the_last_two_is_the_minimum():
    bouncing = {"inner": partial(gradient_descent, lr=0.5)}  # exactly 2 / λ: θ = −1, 1, −1, ...
    f, t = Quadratic(np.array([[4.0]])), np.arange(1, 21)
    assert_array_equal(path(polyak(f, [1.0], window=2, **bouncing), 20)[2:], np.zeros((19, 1)))
    assert_allclose(path(polyak(f, [1.0], **bouncing), 20)[1:, 0], np.where(t % 2, -1 / t, 0), atol=1e-15)


def test_the_inner_method_does_not_notice_that_it_is_averaged():
    run = polyak(Noisy(), START, inner=adam)
    inner = path(adam(Noisy(), START), 15)
    for t, _ in zip(range(1, 16), run):
        assert_array_equal(run["last"], inner[t])


def test_averaging_takes_away_what_noise_a_constant_rate_leaves():
    run = polyak(Noisy(), START, inner=partial(gradient_descent, lr=0.3))
    path(run, 500)
    minimum = Noisy.errors.mean(axis=0)
    assert np.linalg.norm(run.theta - minimum) < np.linalg.norm(run["last"] - minimum) / 5


def test_polyak_can_begin_when_the_inner_method_has_been_under_way_for_a_while():
    run = momentum(Noisy(), START)
    path(run, 10)
    averages = polyak(Noisy(), run.theta, inner=momentum, t=run["t"], memory=run.memory)
    assert_allclose(path(averages, 10)[-1], path(momentum(Noisy(), START), 20)[11:].mean(axis=0), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------ lookahead

def test_lookahead_by_one_step_that_goes_all_the_way_is_the_inner_method():
    ahead = path(lookahead(Noisy(), START, inner=momentum, k=1, alpha=1), 30)
    assert_allclose(ahead, path(momentum(Noisy(), START), 30), rtol=1e-9)


def test_lookahead_that_goes_all_the_way_is_every_kth_iterate_of_the_inner_method():
    ahead = path(lookahead(Noisy(), START, inner=adam, k=4, alpha=1), 10)
    assert_allclose(ahead, path(adam(Noisy(), START), 40)[::4], rtol=1e-9)


def test_lookahead_that_goes_no_way_stays():
    assert_array_equal(path(lookahead(BOWL, START, alpha=0), 5), [START] * 6)


def test_along_an_eigenvector_lookahead_goes_the_share_alpha_of_what_k_steps_of_descent_go():
    inner = partial(gradient_descent, lr=0.1)
    x = path(lookahead(Quadratic(np.array([[2.0]])), [1.0], inner=inner, k=3, alpha=0.25), 20)
    assert_allclose(x[:, 0], (1 - 0.25 * (1 - 0.8**3))**np.arange(21))


def test_half_way_back_stops_an_oscillation_that_would_never_decay():
    f, bouncing = Quadratic(np.array([[4.0]])), partial(gradient_descent, lr=0.5)  # exactly 2 / λ
    assert_array_equal(path(lookahead(f, [1.0], inner=bouncing, k=5, alpha=0.5), 1), [[1.0], [0.0]])


def test_lookahead_keeps_the_velocity_of_the_inner_method_from_one_excursion_to_the_next():
    slow = path(lookahead(Slope(), [0.0], inner=partial(momentum, lr=0.1, mu=0.9), k=5, alpha=0.5), 6)[:, 0]
    speeds = 0.1 * (1 - 0.9**np.arange(1, 31)) / (1 - 0.9)
    assert_allclose(-np.diff(slow), 0.5 * speeds.reshape(6, 5).sum(axis=1))


def test_lookahead_counts_mini_batches_and_uses_each_of_them_once():
    problem = Noisy()
    run = lookahead(problem, START, k=5)
    seen = record(run, steps=4)
    assert_array_equal(seen["step"], [0, 1, 2, 3, 4])
    assert_array_equal(seen["t"], [0, 5, 10, 15, 20])
    assert problem.asked == list(range(1, 21))


def excursions(alpha, T):
    """φ₀, the slow weights φ_T, and where the excursions ended: θ_t = φ_{t−1} + (φ_t − φ_{t−1}) / α."""
    phi = path(lookahead(Noisy(), START, inner=partial(gradient_descent, lr=0.1), k=3, alpha=alpha), T)
    return phi[0], phi[-1], phi[:-1] + np.diff(phi, axis=0) / alpha


def test_the_slow_weights_are_an_exponential_average_of_the_ends_of_the_excursions():
    alpha, T = 0.3, 8
    start, end, fast = excursions(alpha, T)
    weights = alpha * (1 - alpha)**np.arange(T)
    assert_allclose(end, weights @ fast[::-1] + (1 - alpha)**T * start)
    assert_allclose(weights.sum() + (1 - alpha)**T, 1)


def test_the_exponents_that_kashyap_prints_for_lookahead_do_not_make_an_average():
    alpha, T = 0.3, 4  # the last excursion is his t = T − 1
    start, end, fast = excursions(alpha, T)
    printed, of_start = alpha * (1 - alpha)**np.array([0, 1, 2, 2]), (1 - alpha)**3
    assert_allclose(printed.sum() + of_start, 1 + alpha * (1 - alpha)**2)  # which should be 1
    assert not np.allclose(printed @ fast[::-1] + of_start * start, end, rtol=1e-2)


@pytest.mark.parametrize("settings, message", [
    ({"k": 0}, "k is 0; it must be a whole number"), ({"k": 2.5}, "k is 2.5"), ({"k": 5.0}, "k is 5.0"),
    ({"alpha": 1.5}, "alpha is 1.5"), ({"alpha": float("nan")}, "alpha is nan")])
def test_lookahead_refuses_what_makes_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        lookahead(BOWL, START, **settings)


@pytest.mark.parametrize("window", [0, -3, 2.0, 1.5])
def test_polyak_refuses_a_window_that_is_no_number_of_iterates(window):
    with pytest.raises(ValueError, match="window is .*; it must be a whole number of at least 1"):
        polyak(BOWL, START, window=window)


# -------------------------------------------------------------------------------------------------- both of them

INNER = [partial(gradient_descent, lr=0.1), momentum, partial(adam, lr=0.05), rprop,
         partial(lookahead, inner=partial(momentum, lr=0.05), k=2), partial(polyak, inner=momentum, window=3)]
WRAPPERS = [polyak, partial(polyak, window=4), lookahead, partial(lookahead, k=3, alpha=0.8)]


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_saved_and_continued_it_is_the_same_run_to_the_last_bit(wrapper, inner, tmp_path):
    whole = path(wrapper(Noisy(), START, inner=inner), 12)
    for steps in (0, 1, 2, 7):
        run = wrapper(Noisy(), START, inner=inner)
        first = path(run, steps)
        save(tmp_path / "run.npz", theta=run.theta, **run.memory)
        saved = load(tmp_path / "run.npz")
        rest = path(wrapper(Noisy(), saved.pop("theta"), inner=inner, **saved), 12 - steps)
        assert_array_equal(np.concatenate([first, rest[1:]]), whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_it_keeps_the_precision_it_was_given(wrapper, dtype):
    run = wrapper(Quadratic(np.eye(2, dtype=dtype)), np.ones(2, dtype), inner=momentum)
    assert path(run, 6).dtype == dtype


def test_when_the_inner_method_has_come_to_its_end_so_has_the_one_that_watches_it():
    assert_array_equal(path(polyak(Slope(), [0.0], inner=three_steps), 10)[:, 0], [0, 1, 1.5, 2])
    assert_array_equal(path(lookahead(Slope(), [0.0], inner=three_steps, k=2, alpha=0.5), 10)[:, 0], [0, 1, 1.5])


@pytest.mark.parametrize("wrapper", [polyak, partial(lookahead, k=3)])
def test_broken_off_within_a_step_it_goes_on_from_the_last_whole_one(wrapper):
    class Interrupted(Noisy):
        def loss(self, t):
            if t == 8 and t not in self.asked:
                self.asked.append(t)
                raise KeyboardInterrupt
            return super().loss(t)

    whole = path(wrapper(Noisy(), START, inner=momentum), 9)
    run = wrapper(Interrupted(), START, inner=momentum)
    seen = [run.theta]
    with pytest.raises(KeyboardInterrupt):
        for theta in run:
            seen.append(theta)
    assert_array_equal(run.theta, seen[-1])
    assert_array_equal(np.concatenate([seen, path(run, 10 - len(seen))[1:]]), whole)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("polyak", "the mean is divided by one more than there are",
     "(last - average) / n",
     "(last - average) / (n + 1)",
     "test_polyak_is_the_mean_of_all_iterates_so_far"),
    ("polyak", "the window holds one iterate too many",
     "[-window:]",
     "[-window - 1:]",
     "test_with_a_window_polyak_is_the_mean_of_the_last_iterates_as_in_ravasis_lecture"),
    ("polyak", "the inner method goes on from the mean",
     "average = average + (last - average) / n",
     "last = average = average + (last - average) / n",
     "test_the_inner_method_does_not_notice_that_it_is_averaged"),
    ("lookahead", "it goes the share 1 - alpha",
     "theta + alpha * (fast - theta)",
     "fast + alpha * (theta - fast)",
     "test_along_an_eigenvector_lookahead_goes_the_share_alpha_of_what_k_steps_of_descent_go"),
    ("lookahead", "the inner method forgets everything at every excursion",
     "**(memory or {\"t\": t})",
     "t=t",
     "test_lookahead_keeps_the_velocity_of_the_inner_method_from_one_excursion_to_the_next"),
    ("lookahead", "one step more than k",
     "islice(run, k)",
     "islice(run, k + 1)",
     "test_lookahead_counts_mini_batches_and_uses_each_of_them_once"),
]
