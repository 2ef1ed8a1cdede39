"""The figures about methods at work show what their captions claim: tested on the arrays that are drawn."""
import inspect
from functools import partial
from itertools import islice, pairwise
from math import inf

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

from figures import cooling, learning_curves, momentum, polyak, race, svrg_noise
from numopt import optimizers
from numopt.data import digits
from numopt.optimizer import Diverged
from numopt.problems import Beale, EmpiricalRisk, Noisy, Quadratic, Rosenbrock
from numopt.record import path
from numopt.schedules import constant, inverse_time


def mean_squared_distance(x):
    """Of runs (step, run, coordinate) from the origin, in the mean over the runs."""
    return np.sum(x**2, axis=-1).mean(axis=1)


# -------------------------------------------------------------------------------------------------------- cooling

FALLING = inverse_time(cooling.A, cooling.B)


def expected_of_descent(rates, steps):
    """E‖θ_t‖² for every t, from E x² of one step: (1 − α λ)² E x² + α² σ²."""
    squares = [cooling.START**2]
    for alpha in rates[:steps]:
        squares.append((1 - alpha * cooling.CURVATURES)**2 * squares[-1] + alpha**2)
    return np.sum(squares, axis=1)


@pytest.mark.parametrize("name, rate", [("fixed", constant(0.19)), ("falling", FALLING)],
                         ids=["fixed", "falling"])
def test_cooling_the_distance_is_the_one_that_the_noise_lets_expect(name, rate, arrays):
    distance = mean_squared_distance(arrays("cooling")[name])
    rates = [rate(t) for t in range(1, len(distance))]
    assert_allclose(distance, expected_of_descent(rates, len(rates)), rtol=0.25)  # 500 runs: 6% is one standard error


def test_cooling_at_the_fixed_rate_the_distance_stays_at_its_level(arrays):
    distance = mean_squared_distance(arrays("cooling")["fixed"])
    for part in np.split(distance[61:], 8):
        assert_allclose(part.mean(), arrays("cooling")["level"], rtol=0.1)


def test_cooling_at_the_falling_rate_the_distance_falls_like_the_rate(arrays):
    distance = mean_squared_distance(arrays("cooling")["falling"])
    assert distance[-1] < arrays("cooling")["level"] / 10
    t = np.array([100, 200, 300])
    shares = distance[t] / [FALLING(k) for k in t]
    assert shares.max() / shares.min() < 1.4 and distance[100] / distance[300] > 2


@pytest.mark.parametrize("changed", [{"rate": 0.1}, {"rate": 0.3}, {"sigma": 2.0}], ids=str)
def test_cooling_at_other_fixed_rates_and_with_more_noise_it_stays_at_its_level_as_well(changed):
    drawn = cooling.compute(runs=200, **changed)
    fixed, falling = (mean_squared_distance(drawn[name]) for name in ("fixed", "falling"))
    assert_allclose(fixed[-150:].mean(), drawn["level"], rtol=0.1)
    assert falling[-1] < drawn["level"] / 5 and falling[100] > 2 * falling[300]


def test_cooling_both_rates_start_alike_and_meet_the_same_noise(arrays):
    drawn = arrays("cooling")
    assert_allclose(FALLING(1), drawn["rate"], rtol=0.01)
    first = {name: drawn[name][1, :, 0] for name in ("fixed", "falling")}
    assert np.corrcoef(first["fixed"], first["falling"])[0, 1] > 0.999


def test_cooling_the_level_is_where_the_noise_of_a_step_makes_up_for_what_it_forgets(arrays):
    assert_allclose(arrays("cooling")["level"], 0.19 / (2 - 0.19) + 0.19 / (4 * (2 - 4 * 0.19)))
    assert_allclose(cooling.compute(rate=0.1, sigma=3.0, steps=1, runs=1)["level"], 0.9 / 1.9 + 0.9 / (4 * 1.6))


def test_cooling_at_the_fixed_rate_every_run_is_filtered_noise(arrays):
    drawn = arrays("cooling")["fixed"]
    xi = np.array([np.random.default_rng([0, t]).standard_normal(1000) for t in range(1, 301)]).reshape(-1, 500, 2)
    for i, (curvature, start) in enumerate([(1.0, -3.0), (4.0, 1.5)]):
        kept = 1 - 0.19 * curvature
        noise = lfilter([-0.19], [1, -kept], xi[..., i], axis=0)
        assert_allclose(drawn[1:, :, i], kept**np.arange(1, 301)[:, None] * start + noise, atol=1e-10)


# ------------------------------------------------------------------------------------------------------- momentum

START = np.array([10.0, 1.0])


def double_root(z, first, k):
    """(1 + c k) zᵏ, which is 1 at k = 0 and `first` at k = 1: what a step with velocity does at its best rate."""
    return (1 + (first / z - 1) * k) * z**k


def test_momentum_gradient_descent_leaves_99_of_101_of_either_coordinate(arrays):
    x = arrays("momentum")["gradient_descent"]
    k = np.arange(len(x))
    assert_allclose(x / START, np.column_stack([(99 / 101)**k, (-99 / 101)**k]), rtol=1e-9)


def test_momentum_the_heavy_ball_leaves_nine_elevenths_in_the_long_run(arrays):
    x = arrays("momentum")["momentum"]
    k, lr = np.arange(len(x)), 4 / 121
    expected = [double_root(9 / 11, 1 - lr, k), double_root(-9 / 11, 1 - 100 * lr, k)]
    assert_allclose(x / START, np.column_stack(expected), rtol=1e-5, atol=1e-12)


def test_momentum_nesterov_leaves_nine_tenths_and_is_done_with_the_steep_direction_at_once(arrays):
    x = arrays("momentum")["nesterov"] / START
    assert_allclose(x[:, 0], double_root(0.9, 0.99, np.arange(len(x))), rtol=1e-5, atol=1e-12)
    assert_allclose(x[1:, 1], 0, atol=1e-12)


def test_momentum_takes_tens_of_steps_to_a_thousandth_of_the_distance_and_gradient_descent_hundreds(arrays):
    paths = {name: x for name, x in arrays("momentum").items() if name != "kappa"}
    left = {name: np.linalg.norm(x, axis=1) / np.linalg.norm(x[0]) for name, x in paths.items()}
    steps = {name: int(np.argmax(shares <= 1e-3)) for name, shares in left.items()}
    assert 300 < steps["gradient_descent"] and 0 < steps["momentum"] < 60 and 60 < steps["nesterov"] < 100


def test_momentum_the_heavy_ball_bounces_higher_at_first(arrays):
    height = np.abs(arrays("momentum")["momentum"][:, 1])
    assert height.max() > 3 * height[0] and height[40] < height[0] / 10


def test_momentum_from_another_start_every_coordinate_shrinks_as_it_does_from_this(arrays):
    drawn = momentum.compute(start=(-3.0, 2.0))
    for name in momentum.share_left(100):
        assert_allclose(drawn[name] / [-3, 2], arrays("momentum")[name] / START, rtol=1e-7, atol=1e-12)
    for start in (0.0, 1.0), (1.0, 0.0), (1.0,), (1.0, 2.0, 3.0):
        with pytest.raises(ValueError, match="start"):
            momentum.compute(start=start)


@pytest.mark.parametrize("start, side", [((10.0, 1.0), "left"), ((-10.0, 1.0), "right")])
def test_momentum_a_valley_has_its_name_where_the_run_does_not_come_from(start, side):
    figure = momentum.draw(**momentum.compute(start=start))
    for ax in figure.axes[:3]:
        name, = ax.texts
        assert name.get_ha() == side and name.get_position()[0] == -start[0] / 5
    plt.close(figure)


@pytest.mark.parametrize("kappa", [25, 400])
def test_momentum_with_other_condition_numbers_a_step_leaves_what_theory_says(kappa):
    drawn = momentum.compute(kappa=kappa, steps=300)
    for name, share in momentum.share_left(kappa).items():
        left = np.linalg.norm(drawn[name], axis=1)
        late = slice(len(left) // 2, None) if left[-1] > 1e-9 else slice(20, int(np.argmax(left < 1e-9)))
        steps = np.arange(len(left))[late]
        slope = np.polyfit(steps, np.log(left[late] / steps**(name != "gradient_descent")), 1)[0]
        assert_allclose(np.exp(slope), share, rtol=0.02)


# --------------------------------------------------------------------------------------------------------- polyak

def expected_of_mean(weights):
    """E‖θ̄_n‖² for every n, where θ̄_n are the means with these weights, a row for each n, of θ₁, θ₂, ...

    θ_k = aᵏ θ₀ − α Σ_j a^(k − j) σ ξ_j with a = 1 − α λ, so that θ̄_n is θ₀ and independent ξ_j with known factors.
    """
    k = np.arange(1, len(weights) + 1)
    total = 0
    for curvature, start in zip((1.0, 4.0), (-1.0, 0.5)):
        a = 1 - 0.2 * curvature
        noise = 0.2 * 1.0 * np.tril(a**np.abs(k[:, None] - k))
        total = total + (weights @ a**k * start)**2 + ((weights @ noise)**2).sum(axis=1)
    return total


def test_polyak_the_distances_are_those_that_the_noise_lets_expect(arrays):
    drawn = arrays("polyak")
    steps = len(drawn["all"]) - 1
    of_all = np.tril(np.ones((steps, steps)))
    of_last = of_all - np.tril(of_all, -30)
    for name, weights in [("iterates", np.eye(steps)), ("all", of_all), ("window", of_last)]:
        expected = expected_of_mean(weights / weights.sum(axis=1, keepdims=True))
        assert_allclose(mean_squared_distance(drawn[name])[1:], expected, rtol=0.25, err_msg=name)


def test_polyak_the_iterates_are_filtered_noise_and_the_means_are_theirs(arrays):
    drawn, t = arrays("polyak"), np.arange(1, 301)[:, None]
    xi = np.array([np.random.default_rng([0, step]).standard_normal(1000) for step in t[:, 0]]).reshape(-1, 500, 2)
    for i, (kept, start) in enumerate([(0.8, -1.0), (0.2, 0.5)]):
        iterates = kept**t * start + lfilter([-0.2], [1, -kept], xi[..., i], axis=0)
        sums = lfilter([1], [1, -1], iterates, axis=0)
        assert_allclose(drawn["iterates"][1:, :, i], iterates, atol=1e-10)
        assert_allclose(drawn["all"][1:, :, i], sums / t, atol=1e-10)
        assert_allclose(drawn["window"][1:, :, i], lfilter(np.ones(30), 1, iterates, axis=0) / np.minimum(t, 30),
                        atol=1e-10)


def test_polyak_the_dashed_line_is_what_this_noise_and_these_curvatures_leave():
    drawn = polyak.compute(sigma=3.0, curvatures=(1.0, 2.0), runs=2, steps=40)
    assert drawn["limit"] == 9 / 1 + 9 / 4 and polyak.compute(runs=1, steps=40)["limit"] == 1 + 1 / 16


def test_polyak_both_means_lie_much_closer_than_the_iterates_at_the_end(arrays):
    iterates, window, all = (mean_squared_distance(arrays("polyak")[name])[-50:].mean()
                             for name in ("iterates", "window", "all"))
    assert window < iterates / 4 and all < window / 4


def test_polyak_the_mean_of_the_last_is_ahead_until_the_start_is_forgotten(arrays):
    window, all = (mean_squared_distance(arrays("polyak")[name]) for name in ("window", "all"))
    n = 30
    assert_allclose(window[:n + 1], all[:n + 1])
    assert window[n + 5] < all[n + 5] and window[3 * n] > all[3 * n]


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_polyak_the_mean_of_all_comes_as_close_at_every_rate(rate):
    runs, steps = 500, 300
    valleys = Noisy(Quadratic(np.diag(np.tile([1.0, 4.0], runs))), 1.0, seed=1)
    run = optimizers.polyak(valleys, np.zeros(2 * runs), inner=partial(optimizers.gradient_descent, lr=rate))
    end = path(run, steps)[-1].reshape(runs, 2)
    assert_allclose(np.sum(end**2, axis=1).mean(), np.sum(1 / np.array([1.0, 4.0])**2) / steps, rtol=0.2)


# ----------------------------------------------------------------------------------------------------- svrg_noise

@pytest.mark.parametrize("changed", [{}, {"seeds": (8, 9, 10, 11), "passes": 40}, {"seeds": (12, 13), "rate": 0.02},
                                     {"seeds": (14, 15, 16), "rate": 0.2}], ids=str)
def test_svrg_noise_at_a_constant_rate_svrg_arrives_where_descent_stays_in_its_noise_and_cooling_is_slow(
        changed, arrays):
    drawn = svrg_noise.compute(**changed) if changed else arrays("svrg_noise")
    fixed, falling, svrg = (np.median(drawn[name], axis=0) for name in svrg_noise.LABELS)
    half = len(svrg) // 2
    assert 1 / 3 < fixed[-10:].mean() / fixed[half:half + 10].mean() < 3
    assert falling[-1] < fixed[-10:].mean() / 20 and falling[-1] > falling[half] / 300
    assert svrg[-1] < falling[-1] / 10 and svrg[-1] < svrg[half] / 300
    starts = [np.sum(svrg_noise.problem(seed)[1]**2) for seed in changed.get("seeds", range(8))]
    for name in svrg_noise.LABELS:
        assert_allclose(drawn[name][:, 0], starts)
    assert svrg[2] > falling[2], "far from the minimum noise is not what is in the way"


@pytest.mark.parametrize("rate, ahead, seeds", [(0.01, "fixed", (8, 9, 10)), (0.5, "falling", (16, 17, 18))])
def test_svrg_noise_at_a_lower_rate_and_at_a_higher_one_it_does_not_arrive(rate, ahead, seeds):
    drawn = svrg_noise.compute(rate=rate, seeds=seeds)
    end = {name: np.median(drawn[name][:, -1]) for name in svrg_noise.LABELS}
    assert min(end, key=end.get) == ahead and end["svrg"] > 1.2 * end[ahead] and end["svrg"] > 1e-4


# ----------------------------------------------------------------------------------------------------------- race

@pytest.fixture(scope="module")
def medians(arrays):
    """{function: {method: what half of the searches end below}}"""
    return {function: {name: race.best_of_search(values, 0.5) for name, values in zip(race.competitors(), ends)}
            for function, ends in arrays("race").items() if function in race.FUNCTIONS}


def test_race_is_between_all_methods_of_its_lectures_and_no_others():
    names = set(race.competitors())
    assert {"steepest_descent", "nesterov", "rprop", "lion", "lookahead"} <= names
    assert not names & {"newton", "lbfgs", "nonlinear_cg", "kfac", "natural_gradient", "gradient_rate", "adahessian"}
    assert names >= set(race.WITHOUT_MEMORY)


def test_race_what_is_left_out_for_being_gradient_descent_is_gradient_descent():
    f = Rosenbrock()
    expected = path(optimizers.gradient_descent(f, f.start, lr=1e-3), 20)
    for name in race.GRADIENT_DESCENT_HERE:
        assert_array_equal(path(getattr(optimizers, name)(f, f.start, lr=1e-3), 20), expected)


@pytest.mark.parametrize("name", race.competitors())
def test_race_every_hyperparameter_of_a_method_is_drawn(name):
    method = race.competitors()[name]
    _, _, *arguments = inspect.signature(method).parameters
    hyperparameters = arguments[:arguments.index("t")]
    chosen = race.drawn(method, seed=0)
    assert set(hyperparameters) <= set(chosen)
    assert chosen == race.drawn(method, seed=0) or "inner" in chosen
    assert all(chosen[one] != race.drawn(method, seed=1)[one] for one in hyperparameters if one not in ("k", "window"))


def test_race_a_method_is_judged_by_what_the_budget_of_gradients_allows():
    f = Rosenbrock()
    descent = partial(optimizers.gradient_descent, lr=1e-3)
    assert race.reached(descent, f, {}) == f.value(path(descent(f, f.start), 200)[-1])
    for k in range(2, 9):  # of three gradients, 200 are one less than 67 steps need
        ahead = partial(optimizers.lookahead, inner=descent, k=k)
        assert race.reached(ahead, f, {}) == f.value(path(ahead(f, f.start), 200 // k)[-1])
    assert race.reached(optimizers.gradient_descent, f, {"lr": 1.0}) == inf

    def breaks_off(problem, theta, at):
        """Two gradients a step, and what comes `at` that step diverges."""
        for t in range(1, 1000):
            theta = theta - 1e-4 * problem.gradient(theta) - 1e-4 * problem.gradient(theta)
            if t == at:
                raise Diverged("by hand", t)
            yield theta

    ended = list(islice(breaks_off(f, f.start, at=5), 4))[-1]
    assert race.reached(breaks_off, f, {"at": 5}, budget=8) == f.value(ended), "what is beyond the budget is not done"
    assert race.reached(breaks_off, f, {"at": 4}, budget=8) == inf


@pytest.mark.parametrize("name", race.competitors())
def test_race_no_trial_gets_more_gradients_than_another(name, monkeypatch):
    seen = []

    class Witness(race.Counted):
        def value(self, theta):
            raise AssertionError("a value is not in the budget")

        def gradient(self, theta):
            seen.append(theta)
            return super().gradient(theta)

        def value_and_gradient(self, theta):
            seen.append(theta)
            return super().value_and_gradient(theta)

    monkeypatch.setattr(race, "Counted", Witness)
    method = race.competitors()[name]
    f = Beale()
    reached = race.reached(method, f, race.drawn(method, seed=6))
    asked = len(seen)
    assert asked == race.GRADIENTS or name in ("steepest_descent", "lookahead") or reached == inf
    assert asked <= race.GRADIENTS + 20


def medians_of_a_block(function, block):
    """What half of the searches among other trials end below."""
    f, methods = race.FUNCTIONS[function], race.competitors()
    trials = range(race.TRIALS * block, race.TRIALS * (block + 1))
    return {name: race.best_of_search(np.array([race.reached(methods[name], f, race.drawn(methods[name], trial))
                                                for trial in trials]), 0.5)
            for name in ("momentum", "adam", *race.WITHOUT_MEMORY)}


@pytest.mark.parametrize("function, block, ahead", [
    ("Rosenbrock", 1, False), ("Rosenbrock", 2, True),
    *(pytest.param(name, block, True, marks=pytest.mark.slow) for name in race.FUNCTIONS for block in range(1, 8)
      if (name, block) not in (("Rosenbrock", 1), ("Rosenbrock", 2)))])
def test_race_with_other_trials_adam_is_ahead_again_and_momentum_but_for_those_of_the_second_block(
        function, block, ahead):
    medians = medians_of_a_block(function, block)
    rival = min(race.WITHOUT_MEMORY, key=medians.get)
    assert medians["adam"] < medians[rival] and (medians["momentum"] < medians[rival]) == ahead
    assert ahead or rival == "gradient_descent"


def test_race_all_trials_may_be_one_search_and_no_search_may_have_more():
    drawn = race.compute(gradients=2, search=2, trials=2)
    assert all(drawn[name].shape == (len(race.competitors()), 2) for name in race.FUNCTIONS)
    with pytest.raises(ValueError, match="a search of 3 trials cannot be drawn from 2"):
        race.compute(gradients=2, search=3, trials=2)


@pytest.mark.parametrize("function", race.FUNCTIONS)
def test_race_momentum_and_adam_beat_every_method_without_a_memory(function, medians):
    rival = min(medians[function][name] for name in race.WITHOUT_MEMORY)
    for name in ("momentum", "nesterov", "adam", "amsgrad", "adamw"):
        assert medians[function][name] < 0.7 * rival, name


@pytest.mark.parametrize("function", race.FUNCTIONS)
def test_race_the_luck_of_the_search_is_larger_than_most_differences_between_neighbours(function, arrays, medians):
    ends = dict(zip(race.competitors(), arrays("race")[function]))
    order = sorted(ends, key=medians[function].get)
    overlaps = [race.best_of_search(ends[better], 0.75) >= race.best_of_search(ends[worse], 0.25)
                for better, worse in pairwise(order)]
    assert sum(overlaps) >= 2 / 3 * len(overlaps)


def test_race_rprop_is_in_the_middle_on_one_function_and_among_the_first_on_the_other(medians):
    place = {function: sorted(values, key=values.get).index("rprop") for function, values in medians.items()}
    assert 6 <= place["Rosenbrock"] <= 12 and place["Beale"] <= 4


# ------------------------------------------------------------------------------------------------ learning curves

def test_learning_curves_no_best_rate_is_at_the_edge_of_those_that_were_tried(arrays):
    best = arrays("learning_curves")["best"]
    assert (best > min(learning_curves.RATES)).all() and (best < max(learning_curves.RATES)).all()


def test_learning_curves_a_rate_ten_times_off_costs_more_than_the_choice_of_the_method(arrays):
    search = arrays("learning_curves")["search"]
    least = search.min(axis=1)
    between_methods = least.max() / least.min()
    ten_times_off = [losses[i] / losses.min() for losses in search
                     for i in (losses.argmin() - 2, losses.argmin() + 2) if 0 <= i < len(losses)]
    assert between_methods < 1.3 < 1.45 < min(ten_times_off)
    assert_allclose(np.divide(learning_curves.RATES[2:], learning_curves.RATES[:-2]), 10)


def test_learning_curves_all_methods_start_from_the_same_weights(arrays):
    loss = arrays("learning_curves")["loss"]
    assert_array_equal(loss[:, :, 0], np.broadcast_to(loss[0, :, 0], loss.shape[:2]))
    assert len(set(loss[0, :, 0])) == loss.shape[1]


def test_learning_curves_training_losses_end_apart_and_test_accuracies_together(arrays):
    loss, accuracy = (arrays("learning_curves")[name][:, :, -1].mean(axis=1) for name in ("loss", "accuracy"))
    assert loss.max() / loss.min() > 3 and loss.max() < 0.02
    assert accuracy.min() > 0.97 and accuracy.max() - accuracy.min() < 0.0125


def test_learning_curves_each_is_of_its_method_at_its_best_rate(arrays):
    drawn, (X, Y, X_test, Y_test, *_) = arrays("learning_curves"), digits(dtype=np.float32)
    whole, test = (EmpiricalRisk(learning_curves.NETWORK, *part).whole for part in ((X, Y), (X_test, Y_test)))
    for i, (optimizer, rate) in enumerate(zip(learning_curves.OPTIMIZERS, drawn["best"].tolist())):
        seen = learning_curves.train(optimizer, rate, 1, X, Y, 1, {"loss": whole.value, "accuracy": test.accuracy})
        assert_allclose(drawn["loss"][i, 1, :2], seen["loss"], rtol=1e-3)
        assert_allclose(drawn["accuracy"][i, 1, :2], seen["accuracy"], atol=0.006)  # two images
        assert rate == learning_curves.RATES[drawn["search"][i].argmin()]


def test_learning_curves_a_seed_fixes_the_run(arrays):
    X, Y, *_ = digits(dtype=np.float32)
    seen = [learning_curves.train(optimizers.adam, 0.01, seed, X, Y, 1, {"first": lambda theta: theta[0]})["first"]
            for seed in (0, 0, 1)]
    assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
