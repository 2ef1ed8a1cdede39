"""Rates that nobody sets, in tests: each says something a lecture says."""
from functools import partial
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizers import (
    adamw, barzilai_borwein, dog, gradient_descent, momo, polyak, prodigy, schedule_free, schedule_free_adamw, sps)
from numopt.problems import Function, Noisy, Objective, Quadratic, Rosenbrock
from numopt.record import path

RANDOM = np.random.default_rng(0)
M = RANDOM.standard_normal((5, 5))
BOWL = Quadratic(M @ M.T + 0.1 * np.eye(5), b=RANDOM.standard_normal(5))
START = RANDOM.standard_normal(5)
FREE = {"gamma": 1e9, "every": 1, "lr": 1e9}  # no bound on the rate of sps
TURN = np.linalg.qr(RANDOM.standard_normal((5, 5)))[0]


def along_eigenvector(curvature):
    return Quadratic(np.array([[float(curvature)]]))


class Scaled(Objective):
    """c f, and what it is asked at."""

    def __init__(self, problem, c=1.0):
        self.problem, self.c, self.asked = problem, c, []

    def value(self, theta):
        return self.c * self.problem.value(theta)

    def gradient(self, theta):
        self.asked.append(theta)
        return self.c * self.problem.gradient(theta)


class Equations(Objective):
    """½ (aᵀθ − b)², an equation a step; all of them hold at `solution`."""

    rows, solution = RANDOM.standard_normal((4, 5)), RANDOM.standard_normal(5)

    def __init__(self, i=0):
        self.i = i

    def loss(self, t):
        return Equations((t - 1) % 4)

    def value(self, theta):
        return float(self.rows[self.i] @ (theta - self.solution))**2 / 2

    def gradient(self, theta):
        return self.rows[self.i] * (self.rows[self.i] @ (theta - self.solution))


class Corner(Objective):
    """f(θ) = ‖θ − c‖₁: convex, with a gradient that says nothing of the distance."""

    def __init__(self, *corner):
        self.corner = np.array(corner, float)

    def value(self, theta):
        return np.abs(theta - self.corner).sum()

    def gradient(self, theta):
        return np.sign(theta - self.corner)


# ------------------------------------------------------------------------------------------------ Barzilai-Borwein

@pytest.mark.parametrize("curvature", [1e-8, 1e-3, 1.0, 7.0, 1e4, 1e8])
@pytest.mark.parametrize("formula", ["long", "short"])
def test_in_one_dimension_the_second_step_is_newtons(formula, curvature):
    run = barzilai_borwein(along_eigenvector(curvature), [1.0], lr=0.1 / curvature, formula=formula)
    assert_allclose(path(run, 2)[-1], 0, atol=1e-12)
    assert_allclose(run["lr"], 1 / curvature)


def test_the_long_rate_is_the_one_that_would_have_been_the_best_at_the_step_before():
    run = barzilai_borwein(BOWL, START, lr=0.01)
    points = [START, next(run)]
    for _ in range(8):
        points.append(next(run))
        g = BOWL.gradient(points[-3])
        assert_allclose(run["lr"], g @ g / (g @ BOWL.A @ g))  # of the exact line search there


def test_the_short_rate_is_no_longer_than_the_long_one_and_both_lie_between_the_curvatures():
    long, short = (barzilai_borwein(BOWL, START, lr=0.01, formula=formula) for formula in ("long", "short"))
    least, *_, most = np.linalg.eigvalsh(BOWL.A)
    next(long), next(short), next(long), next(short)  # the same first step
    assert 1 / most <= short["lr"] < long["lr"] <= 1 / least


def test_barzilai_borwein_arrives_where_no_fixed_rate_does_in_so_many_steps():
    valley, start = Quadratic(np.diag([1.0, 10.0, 100.0])), np.ones(3)
    best = max(abs(1 - 2 / 101), abs(1 - 200 / 101))**60  # of all fixed rates
    assert np.abs(path(barzilai_borwein(valley, start), 60)[-1]).max() < 1e-6 < 0.1 < best


def test_where_the_curvature_is_negative_the_rate_stays():
    run = barzilai_borwein(Quadratic(np.diag([-1.0, -2.0])), [1.0, 1.0], lr=0.1)
    path(run, 3)
    assert run["lr"] == 0.1


@pytest.mark.parametrize("formula", ["long", "short"])
def test_every_rate_is_that_of_the_last_two_points_alone_or_if_they_met_no_curvature_the_one_before(formula):
    waves = Function(lambda x: np.sin(x).sum(), np.cos)
    run = barzilai_borwein(waves, [1.0, 2.2, 4.0], lr=0.5, formula=formula)
    x, rate, kept = path(run, 1), 0.5, []
    for _ in range(25):
        s, y = x[-1] - x[-2], np.cos(x[-1]) - np.cos(x[-2])
        kept.append(s @ y <= 0)
        rate = rate if kept[-1] else s @ s / (s @ y) if formula == "long" else s @ y / (y @ y)
        assert_allclose(next(run), x[-1] - rate * np.cos(x[-1]))
        x = [x[-1], run.theta]
    assert 1 < sum(kept) < 20


# --------------------------------------------------------------------------------------------------- Polyak's step

@pytest.mark.parametrize("curvature", [1e-2, 1.0, 1e2])
def test_on_a_parabola_half_of_polyaks_divisor_arrives_at_once_and_the_whole_goes_half_way(curvature):
    for c, left in (0.5, 0.0), (1.0, 0.5), (2.0, 0.75):
        run = sps(along_eigenvector(curvature), [1.0], c=c, eps=0.0, **FREE)
        assert_allclose(next(run), left, atol=1e-12)


def test_for_single_equations_sps_is_kaczmarz_which_projects_on_each_of_them():
    theta = START
    for t, after in zip(range(1, 30), sps(Equations(), START, eps=0.0, **FREE)):
        row = Equations.rows[(t - 1) % 4]
        expected = theta - row * (row @ (theta - Equations.solution)) / (row @ row)
        assert_allclose(after, expected, atol=1e-12)
        theta = after


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("method", [partial(sps, c=0.5), partial(sps, c=1.0), partial(momo, beta=0.0)])
def test_where_all_examples_can_be_fitted_no_step_leads_away_from_where_they_are(method, seed):
    start = np.random.default_rng(seed).standard_normal(5)
    distances = np.linalg.norm(path(method(Equations(), start), 50) - Equations.solution, axis=1)
    assert (np.diff(distances) <= 1e-12).all() and distances[-1] < distances[0]


@pytest.mark.parametrize("method", [partial(sps, eps=0.0, **FREE), partial(momo, lr=1e9)])
@pytest.mark.parametrize("c", [1e-3, 1e3])
def test_multiplying_the_loss_does_not_change_the_steps(method, c):
    assert_allclose(path(method(Scaled(Rosenbrock(), c), [0.5, 2.0]), 20),
                    path(method(Rosenbrock(), [0.5, 2.0]), 20), rtol=1e-6)


def test_the_rate_of_sps_doubles_in_an_epoch_at_most():
    run = sps(along_eigenvector(1e-6), [1.0], every=10)
    rates = []
    for _ in range(20):
        next(run)
        rates.append(run["lr"])
    assert_allclose(rates, 2**(np.arange(1, 21) / 10))


@pytest.mark.parametrize("method", [sps, momo])
def test_below_their_bound_sps_and_momo_stand_still(method):
    assert_array_equal(path(method(along_eigenvector(1.0), [1.0], lower=3.0), 3), np.ones((4, 1)))


def test_without_memory_momo_is_the_polyak_step_that_is_no_longer_than_lr():
    expected = path(sps(Rosenbrock(), [0.5, 2.0], c=1.0, eps=0.0, **FREE), 20)
    assert_allclose(path(momo(Rosenbrock(), [0.5, 2.0], beta=0.0, lr=1e9), 20), expected, rtol=1e-8)
    assert_allclose(path(momo(BOWL, START, beta=0.0, lr=1e-3, lower=-1e6), 20),
                    path(gradient_descent(BOWL, START, lr=1e-3), 20))


def test_momo_goes_on_from_an_average_of_either_sign():
    for start in 5.0, -5.0:
        run = momo(BOWL, start * np.ones(START.size), lr=0.01)
        whole = path(momo(BOWL, run.theta, lr=0.01), 12)
        for k in range(1, 6):
            next(run)
            assert_allclose(path(momo(BOWL, run.theta, lr=0.01, **run.memory), 12 - k), whole[k:])
    shifted = momo(Quadratic(np.eye(2), [3.0, 3.0]), [1.0, 1.0])  # gᵀθ = −4
    next(shifted)
    assert shifted["gamma"] < 0
    momo(Quadratic(np.eye(2), [3.0, 3.0]), shifted.theta, **shifted.memory)


def test_after_a_step_of_momo_its_model_of_the_past_is_at_the_bound():
    run = momo(Rosenbrock(), [0.5, 2.0], lr=1e9, lower=-0.3)
    for _, theta in zip(range(15), run):
        if run["h"] > -0.3:
            assert_allclose(run["f_bar"] + run["d"] @ theta - run["gamma"], -0.3, atol=1e-8)
    assert run["tau"] >= 0


def test_the_model_of_momo_weighs_the_tangents_as_its_direction_weighs_the_gradients():
    run, beta, points = momo(Rosenbrock(), [0.5, 2.0], lr=1e-3, beta=0.7), 0.7, []
    for _ in range(6):
        points.append(run.theta)
        next(run)
    weights = np.array([beta**5, *((1 - beta) * beta**(5 - np.arange(1, 6)))])
    x = np.array([0.3, -0.2])
    tangents = [Rosenbrock().value(p) + Rosenbrock().gradient(p) @ (x - p) for p in points]
    assert_allclose(run["f_bar"] + run["d"] @ x - run["gamma"], weights @ tangents)


# --------------------------------------------------------------------------------------------- rates from distances

def test_two_steps_of_dog_by_hand():
    # r = 0.1 (1 + 0), g = −1, G = 1: a step of 0.1; then the distance is 0.1, G = 2
    x = path(dog(Corner(5.0), [0.0], share=0.1, eps=0.0), 2)[:, 0]
    assert_allclose(x, [0, 0.1, 0.1 + 0.1 / sqrt(2)])


def test_the_distance_of_dog_is_the_farthest_so_far():
    # at 0.1 it is beyond the corner and turns back, to 0.03: the next step is 0.1 / √3 all the same
    x = path(dog(Corner(0.05), [0.0], share=0.1, eps=0.0), 3)[:, 0]
    assert_allclose(x, np.cumsum([0, 0.1, -0.1 / sqrt(2), 0.1 / sqrt(3)]))


@pytest.mark.parametrize("c", [1e-4, 1e4])
def test_neither_the_scale_of_the_loss_nor_a_turn_of_the_coordinates_changes_the_path_of_dog(c):
    plain = path(dog(BOWL, START, eps=0.0), 40)
    assert_allclose(path(dog(Scaled(BOWL, c), START, eps=0.0), 40), plain)
    turned = Quadratic(TURN.T @ BOWL.A @ TURN, b=TURN.T @ BOWL.b)
    assert_allclose(path(dog(turned, TURN.T @ START, eps=0.0), 40) @ TURN.T, plain)


@pytest.mark.parametrize("away", [1.0, 100.0])
def test_dog_comes_near_from_a_first_step_that_is_far_too_short_wherever_the_minimum_is(away):
    run = dog(Corner(away), [0.0], share=1e-4)
    x = path(run, 2000)
    assert abs(x[-200:].mean() - away) < 0.1 * away and away / 2 < run["r"] < 3 * away
    assert abs(x[1, 0]) < 2e-4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scales", [(0.1, 1.0, 30.0), (1.0, 1.0, 1.0)])
def test_without_noise_the_d_of_prodigy_is_a_lower_bound_on_the_distance(seed, scales):
    corner = np.random.default_rng(seed).choice([-1.0, 1.0], 3) * scales
    run = prodigy(Corner(*corner), np.zeros(3))
    for _ in range(1000):
        next(run)
        assert run["d"] <= np.abs(corner).max()
    assert run["d"] > np.abs(corner).max() / 10


def test_the_sums_of_prodigy_are_weighed_alike_by_powers_of_the_root_of_beta2():
    run, rate = prodigy(Corner(5.0, -3.0), [0.5, 2.0], beta2=0.81, share=0.01, lr=lambda t: 1 + 1 / t), 0.9
    r, s, theta, d = [], [], run.theta, 0.01
    for t in range(1, 13):
        next(run)
        g = run["g"]
        r.append((1 + 1 / t) * d**2 * g @ ([0.5, 2.0] - theta))
        s.append((1 + 1 / t) * d**2 * g)
        weights = (1 - rate) * rate**np.arange(t)[::-1]
        assert_allclose(run["r"], weights @ r, atol=1e-15)
        assert_allclose(run["s"], weights @ s)
        theta, d = run.theta, max(d, run["r"] / np.abs(run["s"]).sum())
        assert_allclose(run["d"], d)
    assert d > 0.01


@pytest.mark.parametrize("c", [1e-4, 1e4])
def test_the_scale_of_the_loss_does_not_matter_to_prodigy(c):
    assert_allclose(path(prodigy(Scaled(BOWL, c), START, eps=0.0), 60), path(prodigy(BOWL, START, eps=0.0), 60))


def test_the_first_step_of_prodigy_is_that_of_adam_uncorrected_at_the_rate_of_its_first_d():
    x = path(prodigy(Corner(5.0), [0.0], share=0.01), 1)[-1, 0]
    assert_allclose(x, 0.01 * 0.1 / sqrt(0.001), rtol=1e-5)


def test_the_memory_of_prodigy_leads_on_from_where_it_was():
    run = prodigy(Corner(3.0), [0.0])
    path(run, 300)
    assert_allclose(run["way"], run.theta)  # from 0
    assert run["d"] > 1000 * 1e-6


# --------------------------------------------------------------------------------------------------- Schedule-Free

def test_with_beta_zero_schedule_free_is_the_mean_of_gradient_descent():
    assert_allclose(path(schedule_free(BOWL, START, beta=0.0, lr=0.02), 40),
                    path(polyak(BOWL, START, inner=partial(gradient_descent, lr=0.02)), 40))


@pytest.mark.parametrize("method, share", [(partial(schedule_free, beta=0.8, lr=0.02), 0.8),
                                           (partial(schedule_free_adamw, beta1=0.8), 0.8)])
def test_it_hands_out_the_average_and_asks_for_the_gradient_between_it_and_z(method, share):
    problem = Scaled(BOWL)
    run, zs = method(problem, START), [START]
    for t in range(1, 20):
        y = (1 - share) * zs[-1] + share * run.theta
        next(run)
        assert_allclose(problem.asked[-1], y)
        zs.append(run["z"])
        assert_allclose(run.theta, np.mean(zs[1:], axis=0))
        if t > 2:
            assert np.abs(run.theta - y).max() > 1e-6


def test_the_average_weighs_by_the_square_of_the_largest_rate_so_far():
    rates = [0.01, 0.03, 0.02, 0.04]
    run, zs = schedule_free(BOWL, START, lr=lambda t: rates[t - 1]), []
    for _ in rates:
        next(run)
        zs.append(run["z"])
    assert_allclose(run.theta, np.average(zs, axis=0, weights=np.square([0.01, 0.03, 0.03, 0.04])))


def test_a_rate_of_zero_at_the_start_moves_nothing():
    x = path(schedule_free(BOWL, START, lr=lambda t: 0.0 if t == 1 else 0.02), 2)
    assert_array_equal(x[1], x[0])
    assert (x[2] != x[1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_at_a_constant_rate_schedule_free_comes_nearer_than_the_steps_that_it_averages(seed):
    noisy = Noisy(Quadratic(np.diag([1.0, 3.0])), sigma=1.0, seed=seed)
    run = schedule_free(noisy, [3.0, 3.0], lr=0.2)
    averages, steps = [], []
    for t, theta in zip(range(2000), run):
        if t > 500:
            averages.append(theta @ theta), steps.append(run["z"] @ run["z"])
    assert np.mean(averages) < np.mean(steps) / 20


def test_a_step_of_schedule_free_adamw_is_that_of_adamw_without_averaged_gradients():
    first = path(schedule_free_adamw(BOWL, START, lr=0.1, weight_decay=0.1, eps=0.0), 1)[-1]
    assert_allclose(first, path(adamw(BOWL, START, lr=0.1, weight_decay=0.1, eps=0.0, beta1=0.0), 1)[-1])


def test_its_weights_decay_at_the_point_where_the_gradient_is_asked_for():
    flat = Quadratic(np.zeros((1, 1)))
    run = schedule_free_adamw(flat, [1.0], lr=0.1, beta1=0.5, weight_decay=1.0, eps=1.0)
    assert_allclose(next(run), 0.9)
    assert_allclose(next(run), (0.9 + 0.81) / 2)
    z, theta = run["z"], run.theta
    next(run)
    assert_allclose(run["z"], z - 0.1 * (z + theta) / 2)


# -------------------------------------------------------------------------------------------------------- mistakes

MISTAKES = [
    ("barzilai_borwein", "the long rate is divided by yᵀy",
     "inner(s, s) / sy if",
     "inner(s, s) / inner(y, y) if",
     "test_the_long_rate_is_the_one_that_would_have_been_the_best_at_the_step_before"),
    ("barzilai_borwein", "a negative curvature makes a negative rate",
     "if sy > 0:",
     "if sy:",
     "test_where_the_curvature_is_negative_the_rate_stays"),
    ("sps", "the gradient's length for its square",
     "norm(g)**2 + eps",
     "norm(g) + eps",
     "test_for_single_equations_sps_is_kaczmarz_which_projects_on_each_of_them"),
    ("sps", "the rate is free to grow from one step to the next",
     ", gamma**(1 / every) * lr)",
     ", gamma**every * lr)",
     "test_the_rate_of_sps_doubles_in_an_epoch_at_most"),
    ("momo", "the tangents are not moved to where θ is",
     "inner(d, theta) - gamma",
     "0.0",
     "test_after_a_step_of_momo_its_model_of_the_past_is_at_the_bound"),
    ("momo", "averages begin at zero",
     "beta * (f if f_bar is None else f_bar)",
     "beta * (0.0 if f_bar is None else f_bar)",
     "test_the_model_of_momo_weighs_the_tangents_as_its_direction_weighs_the_gradients"),
    ("dog", "the last distance, not the largest so far",
     "max(r, norm(way))",
     "norm(way) or r",
     "test_the_distance_of_dog_is_the_farthest_so_far"),
    ("dog", "divided by the sum and not by its root",
     "sqrt(G + eps)",
     "(G + eps)",
     "test_neither_the_scale_of_the_loss_nor_a_turn_of_the_coordinates_changes_the_path_of_dog"),
    ("prodigy", "the bound is by the largest number of s, not by their sum",
     "np.abs(s).sum()",
     "np.abs(s).max()",
     "test_without_noise_the_d_of_prodigy_is_a_lower_bound_on_the_distance"),
    ("prodigy", "the squares are those of g, and not of d g",
     "d**2 * g**2",
     "g**2",
     "test_the_first_step_of_prodigy_is_that_of_adam_uncorrected_at_the_rate_of_its_first_d"),
    ("schedule_free", "* the gradient is that at the average",
     "g = loss.gradient(y)",
     "g = loss.gradient(theta)",
     "test_it_hands_out_the_average_and_asks_for_the_gradient_between_it_and_z"),
    ("schedule_free", "the point between is nearer to z",
     "(1 - beta) * z + beta * theta",
     "beta * z + (1 - beta) * theta",
     "test_with_beta_zero_schedule_free_is_the_mean_of_gradient_descent"),
    ("schedule_free", "the weight is that of the present rate",
     "most = max(most, lr(t))",
     "most = lr(t)",
     "test_the_average_weighs_by_the_square_of_the_largest_rate_so_far"),
    ("schedule_free_adamw", "weights decay at z",
     "weight_decay * y",
     "weight_decay * z",
     "test_its_weights_decay_at_the_point_where_the_gradient_is_asked_for"),
    ("schedule_free_adamw", "the squares are not corrected",
     "v / (1 - beta2**t)",
     "v",
     "test_a_step_of_schedule_free_adamw_is_that_of_adamw_without_averaged_gradients"),
    ("prodigy", "one sum forgets faster than the other",
     "beta3 * r + (1 - beta3)", "beta2 * r + (1 - beta2)",
     "test_the_sums_of_prodigy_are_weighed_alike_by_powers_of_the_root_of_beta2"),
    ("momo", "below the bound it steps as if it were above",
     "max(h - lower, 0.0)", "abs(h - lower)",
     "test_below_their_bound_sps_and_momo_stand_still"),
]
