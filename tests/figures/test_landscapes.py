"""The figures about the shape of the land show what their captions claim: tested on the arrays that are drawn."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

import figures
from figures import (
    batch_and_stochastic, clipping_at_a_cliff, condition_number, nesterov_step, newton_one_step, saddle, zigzag)
from numopt.problems import Clipped, Objective, Quadratic, Saddle, quadratic_with


def heights(objective, points):
    return np.array([objective.value(point) for point in points])


# --------------------------------------------------------------------------------------------------------- zigzag

def test_zigzag_steps_are_orthogonal_and_its_iterates_those_of_the_closed_form(arrays):
    gamma, x = arrays("zigzag")["gamma"], arrays("zigzag")["descent"]
    steps = np.diff(x, axis=0)
    assert_allclose(np.sum(steps[1:] * steps[:-1], axis=1), 0, atol=1e-10)
    rate, k = (gamma - 1) / (gamma + 1), np.arange(len(x))
    assert_allclose(x, np.column_stack([gamma * rate**k, (-rate)**k]))


def test_zigzag_every_step_leaves_nine_elevenths_of_the_distance(arrays):
    distance = np.linalg.norm(arrays("zigzag")["descent"], axis=1)
    assert_allclose(distance[1:] / distance[:-1], 9 / 11)


@pytest.mark.parametrize("gamma, steps, corners", [(10.0, 20, 4), (10.0, 5, 4), (0.2, 4, 3), (2.5, 3, 2), (4.4, 1, 0),
                                                   (1.0, 3, 0)])
def test_zigzag_from_its_start_on_the_whole_path_is_seen_with_its_corners(gamma, steps, corners, monkeypatch):
    def shown(figure, show, frames):
        assert frames == 10 * min(steps, 8) + 1
        for frame in range(frames):
            show(frame)
        return figure

    arrays = zigzag.compute(gamma=gamma, steps=steps)
    monkeypatch.setattr(zigzag, "animation", shown)
    with figures.drawing():
        for figure in zigzag.draw(**arrays), zigzag.animate(**arrays):
            path, *angles, minimum = figure.axes[0].lines
            assert len(angles) == corners and all(len(angle.get_xdata()) == 3 for angle in angles)
            assert_allclose(path.get_xydata(), arrays["descent"])
            assert_allclose(minimum.get_xydata(), [[0, 0]])
            for at, limits in zip(arrays["descent"].T, (figure.axes[0].get_xlim(), figure.axes[0].get_ylim())):
                assert limits[0] < at.min() and at.max() < limits[1]


@pytest.mark.parametrize("gamma", [2.0, 50.0])
def test_zigzag_with_other_condition_numbers_a_step_leaves_the_share_that_the_closed_form_says(gamma):
    distance = np.linalg.norm(zigzag.compute(gamma=gamma, steps=12)["descent"], axis=1)
    assert_allclose(distance[1:] / distance[:-1], (gamma - 1) / (gamma + 1))


# ----------------------------------------------------------------------------------------------- condition number

def test_the_canyon_has_five_times_more_curvature_along_one_one_than_along_one_minus_one():
    H = quadratic_with(condition_number.compute()["eigenvalues"], condition_number.Q).hessian(condition_number.START)
    assert_allclose(H @ [1, 1], [5, 5])
    assert_allclose(H @ [1, -1], [1, -1])


def test_every_step_crosses_the_canyon_and_none_turns_back_along_it(arrays):
    across, along = arrays("condition_number")["along"].T
    assert (across[1:] * across[:-1] < 0).all()
    assert (along > 0).all() and (np.diff(along) < 0).all()


def test_the_distance_along_an_eigenvector_shrinks_by_one_minus_rate_times_eigenvalue(arrays):
    drawn = arrays("condition_number")
    k = np.arange(len(drawn["along"]))
    assert_allclose(drawn["along"], np.column_stack([2.4 * (-0.75)**k, 7.0 * 0.65**k]))
    # the same two numbers, taken from the path on the left: (x₁ + x₂) / √2 and (x₁ − x₂) / √2
    x, y = drawn["descent"].T
    assert_allclose(drawn["along"], np.column_stack([x + y, x - y]) / np.sqrt(2))


def test_level_lines_of_a_steeper_canyon_are_drawn_where_it_is_as_much_higher():
    levels = []
    for times in 1, 10:
        figure = condition_number.draw(**condition_number.compute((5.0 * times, 1.0 * times), lr=0.35 / times))
        levels.append(figure.axes[0].collections[0].levels)
        plt.close(figure)
    assert_allclose(levels[1], 10 * levels[0])


@pytest.mark.parametrize("lr, bounces, arrives", [
    (0.19, False, True), (0.21, True, True), (0.39, True, True), (0.41, True, False)])
def test_it_bounces_at_rates_from_a_fifth_on_and_arrives_at_those_up_to_two_fifths(lr, bounces, arrives):
    across, along = condition_number.compute(lr=lr, steps=12)["along"].T
    assert (across[1:] * across[:-1] < 0).all() == bounces and (along > 0).all()
    assert (abs(across[-1]) < abs(across[0])) == arrives


def test_no_rate_leaves_less_than_two_thirds_along_both_eigenvectors():
    rates = np.linspace(0, 0.5, 301)
    left = np.abs(1 - np.outer(rates, [5.0, 1.0])).max(axis=1)
    assert_allclose([rates[left.argmin()], left.min()], [1 / 3, 2 / 3])


# --------------------------------------------------------------------------------------------------------- saddle

PASS = Saddle(a=0.5, b=0.8, c=0.3)


def test_on_the_ridge_gradient_descent_stays_and_comes_to_rest_on_the_saddle(arrays):
    drawn = arrays("saddle")
    assert_array_equal(drawn["on"][:, 1], 0)
    assert (np.diff(drawn["f_on"]) < 0).all() and 0 < drawn["f_on"][-1] < 1e-12
    end = drawn["on"][-1]
    assert np.linalg.norm(PASS.gradient(end)) < 1e-6
    assert np.linalg.eigvalsh(PASS.hessian(end))[0] < 0, "it is not a minimum"


def test_noise_leaves_the_saddle_whatever_the_seed_and_sooner_than_a_start_a_millionth_beside_the_ridge(arrays):
    drawn = arrays("saddle")
    left = (drawn["f_noisy"] < -0.1).argmax(axis=1)
    beside = (drawn["f_beside"] < -0.1).argmax()
    assert (0 < left).all() and left.max() < 50 < 80 < beside
    assert_allclose(drawn["f_noisy"][:, -1], PASS.minimum, atol=0.01)
    assert_allclose(drawn["f_beside"][-1], PASS.minimum)


@pytest.mark.parametrize("sigma", [0.02, 0.2, 0.4])
def test_with_thirty_other_seeds_and_less_noise_or_more_it_leaves_before_the_start_beside_the_ridge(sigma):
    drawn = saddle.compute(sigma=sigma, seeds=30, steps=100)
    left = (drawn["f_noisy"] < -0.1).argmax(axis=1)
    assert (0 < left).all() and left.max() < (drawn["f_beside"] < -0.1).argmax()


@pytest.mark.parametrize("changed", [{"a": 2.0, "lr": 0.05, "steps": 300}, {"start": -3.0},
                                     {"b": 0.3, "c": 1.0, "sigma": 0.03, "steps": 500}, {"beside": -0.01}])
def test_on_other_saddles_the_runs_end_there_and_at_the_minima(changed):
    drawn = saddle.compute(**changed)
    f = Saddle(drawn["a"], drawn["b"], drawn["c"])
    assert_array_equal(drawn["on"][0], [changed.get("start", 1.4), 0])
    assert_allclose(drawn["f_on"][-1], 0, atol=1e-4)
    assert_allclose(drawn["f_beside"][-1], f.minimum, rtol=0.1)
    assert (drawn["f_noisy"][:, -1] < 0.5 * f.minimum).all()


@pytest.mark.parametrize("changed, says", [
    ({"c": 0.0}, "no minimum"), ({"lr": 1e-3}, "go down"), ({"start": 0.0}, "go down"), ({"steps": 20}, "go down"),
    ({"beside": 0.0}, "beside"), ({"steps": 90}, "beside"), ({"sigma": 0.0}, "noise")])
def test_a_saddle_on_which_the_picture_would_be_false_is_refused(changed, says):
    with pytest.raises(ValueError, match=says):
        saddle.compute(**changed)


def test_beside_the_ridge_nothing_seems_to_happen_for_a_long_time(arrays):
    drawn = arrays("saddle")
    assert_allclose(drawn["f_beside"][40:70], 0, atol=1e-3)


def test_the_paths_lie_on_the_surface(arrays):
    drawn = arrays("saddle")
    x, y = drawn["noisy"][0].T
    assert_allclose(drawn["f_noisy"][0], 0.5 * x**2 - 0.8 * y**2 + 0.3 * y**4)
    assert_allclose(drawn["f_on"], 0.5 * drawn["on"][:, 0]**2)


def test_saddle_across_the_bowl_and_at_first_along_the_pass_every_step_is_a_factor_and_its_noise(arrays):
    drawn = arrays("saddle")
    t = np.arange(161)
    x, y = 1.4 * 0.9**t, 1e-6 * 1.16**t
    assert_allclose(drawn["on"][:, 0], x)
    assert_allclose(drawn["f_beside"][:70], (0.5 * x**2 - 0.8 * y**2)[:70], rtol=1e-3)
    xi = np.array([[np.random.default_rng([seed, step]).standard_normal(2)[0] for step in t[1:]] for seed in range(8)])
    assert_allclose(drawn["noisy"][:, 1:, 0], x[1:] + lfilter([-0.1 * 0.2], [1, -0.9], xi), atol=1e-12)


def test_saddle_the_words_stand_right_of_their_curves_and_left_of_the_next(arrays):
    drawn = arrays("saddle")
    figure = saddle.draw(**drawn)
    words = {text.get_text().split("\n")[0]: text.get_position() for text in figure.axes[1].texts}
    plt.close(figure)
    below = {"started a": [drawn["f_beside"]], "with": drawn["f_noisy"]}
    arrived = {word: max(np.argmax(f < words[word][1]) for f in curves) for word, curves in below.items()}
    for word, step in arrived.items():
        assert step < words[word][0] < step + 0.08 * 160
    assert words["with"][0] < arrived["started a"] - 0.2 * 160
    assert words["started on the ridge"][0] == 160 and 0 < words["started on the ridge"][1] < 0.05 * drawn["f_on"][0]


def test_started_on_the_other_side_the_words_on_the_surface_stand_on_the_other_side(arrays):
    found = []
    for drawn in arrays("saddle"), saddle.compute(start=-1.4):
        figure = saddle.draw(**drawn)
        found.append({text.get_text(): (text.get_position_3d()[0], text.get_ha()) for text in figure.axes[0].texts})
        plt.close(figure)
    turned = {"left": "right", "right": "left"}
    assert found[0]["start"][1] == "right" and found[0]["saddle"][1] == "left"
    for word in "start", "saddle":
        (x, side), (other, its_side) = (words[word] for words in found)
        assert_allclose(other, -x)
        assert its_side == turned[side]


# ------------------------------------------------------------------------------------------- batch and stochastic

def test_batch_descent_goes_downhill_at_every_step_and_no_stochastic_path_does(arrays):
    drawn = arrays("batch_and_stochastic")
    assert (np.diff(drawn["f_batch"]) < 0).all()
    assert (np.diff(drawn["f_stochastic"]) > 0).any(axis=1).all()


def test_the_mean_of_the_first_stochastic_steps_is_the_batch_step_within_its_standard_error(arrays):
    drawn = arrays("batch_and_stochastic")
    error = drawn["stochastic"][:, 1] - drawn["batch"][1]
    standard_error = error.std(axis=0) / np.sqrt(len(error))
    assert (np.abs(error.mean(axis=0)) < 3 * standard_error).all()
    assert (standard_error < 0.07 * np.abs(np.diff(drawn["batch"][:2], axis=0))).all(), "and that says something"


def test_the_mean_of_the_stochastic_paths_keeps_to_the_batch_path(arrays):
    drawn = arrays("batch_and_stochastic")
    mean, spread = drawn["stochastic"].mean(axis=0), drawn["stochastic"].std(axis=0)
    assert np.linalg.norm(mean - drawn["batch"], axis=1).max() < 0.05 < 0.1 < spread[1:].min()


@pytest.mark.parametrize("changed", [{"batch_size": 1}, {"batch_size": 8}, {"lr": 0.15}, {"lr": 0.5}], ids=str)
def test_it_is_so_with_other_batches_and_rates_but_that_small_steps_hardly_ever_go_uphill(changed):
    drawn = batch_and_stochastic.compute(**changed)
    mean, spread = drawn["stochastic"].mean(axis=0), drawn["stochastic"].std(axis=0)
    assert (np.diff(drawn["f_batch"]) < 0).all() and (np.diff(drawn["f_stochastic"].mean(axis=0)[:12]) < 0).all()
    assert (np.diff(drawn["f_stochastic"]) > 0).any(axis=1).mean() > 0.98
    assert np.linalg.norm(mean - drawn["batch"], axis=1).max() < spread[1:].min() / 2


def test_on_average_stochastic_descent_goes_downhill_and_comes_to_rest_above_the_least_loss(arrays):
    drawn = arrays("batch_and_stochastic")
    mean = drawn["f_stochastic"].mean(axis=0)
    assert (np.diff(mean[:12]) < 0).all()
    x, y = batch_and_stochastic.pixels()
    slope, intercept = np.polyfit(x[:, 0], y, 1)
    least = np.mean((slope * x[:, 0] + intercept - y)**2) / 2
    assert drawn["f_batch"][-1] < 1.01 * least and (mean[-5:] > 1.1 * least).all()


# ------------------------------------------------------------------------------------------------ newton, one step

def test_newton_arrives_in_one_step_and_gradient_descent_is_still_on_its_way_after_fifteen(arrays):
    drawn = arrays("newton_one_step")
    start, end = drawn["newton"]
    assert_array_equal(start, drawn["descent"][0])
    assert_allclose(end, 0, atol=1e-14)
    assert_allclose(Quadratic(drawn["A"]).gradient(end), 0, atol=1e-13)
    assert len(drawn["descent"]) == 16 and (np.linalg.norm(drawn["descent"], axis=1) > 0.01).all()


def test_newton_one_step_another_start_and_all_that_is_drawn_are_in_the_window():
    drawn = newton_one_step.compute(eigenvalues=(3.0, 0.2), start=(8.0, 5.0), lr=0.3)
    ax, = newton_one_step.draw(**drawn).axes
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    places = [*drawn["descent"], *(text.get_position() for text in ax.texts)]
    assert all(left <= x <= right and low <= y <= high for x, y in places)
    assert_allclose(np.linalg.eigvalsh(drawn["A"]), [0.2, 3.0])


def test_nesterov_step_other_valleys_have_level_lines_around_where_the_step_begins():
    for curvatures, start in [((5.0, 12.4), (-3.0, 4.5)), ((0.5, 1.24), (-30.0, 45.0))]:
        drawn = nesterov_step.compute(lr=0.02, curvatures=curvatures, start=start)
        valley = Quadratic(np.diag(drawn["curvatures"]))
        levels = np.concatenate([lines.levels for lines in nesterov_step.draw(**drawn).axes[0].collections
                                 if hasattr(lines, "levels")])
        assert levels.min() < valley.value(drawn["theta"]) / 5 and levels.max() > 2 * valley.value(drawn["theta"])


@pytest.mark.parametrize("share", [0.2, 0.5, 16 / 9 / 2, 0.99])
def test_no_rate_takes_gradient_descent_there_in_fifteen_steps(share):
    drawn = newton_one_step.compute(lr=share * 2 / 8)  # the largest curvature
    assert (np.linalg.norm(drawn["descent"], axis=1) > 0.01).all()


def test_gradient_descent_leaves_at_a_right_angle_to_the_level_line_and_newton_does_not(arrays):
    drawn, valley = arrays("newton_one_step"), Quadratic(arrays("newton_one_step")["A"])
    start = drawn["descent"][0]
    step, newton_step = drawn["descent"][1] - start, drawn["newton"][1] - start
    tangent = np.array([-step[1], step[0]]) / np.linalg.norm(step) * 1e-4
    rise = valley.value(start + tangent) - valley.value(start - tangent)
    assert abs(rise) < 1e-12, "along the tangent f does not change"
    assert step @ newton_step / np.linalg.norm(step) / np.linalg.norm(newton_step) < 0.9


# -------------------------------------------------------------------------------------------------- nesterov, step

def test_both_steps_are_the_jump_and_a_gradient_step_and_differ_only_in_where_the_gradient_is_asked(arrays):
    drawn, valley = arrays("nesterov_step"), Quadratic(np.diag(arrays("nesterov_step")["curvatures"]))
    theta, jump = drawn["theta"], drawn["jump"]
    assert_allclose(theta + jump + drawn["momentum_step"], drawn["momentum_end"])
    assert_allclose(theta + jump + drawn["nesterov_step"], drawn["nesterov_end"])
    assert_allclose(drawn["momentum_step"], -0.25 * valley.gradient(theta))
    assert_allclose(drawn["nesterov_step"], -0.25 * valley.gradient(theta + jump))


def test_the_velocity_is_that_of_two_steps_of_momentum_by_hand(arrays):
    # the gradient is (0.5 θ₁, 1.24 θ₂); v₁ = −0.25 (−1.5, 5.58), v₂ = 0.9 v₁ − 0.25 (−1.3125, 3.8502)
    drawn = arrays("nesterov_step")
    v = 0.9 * np.array([0.375, -1.395]) - 0.25 * np.array([-1.3125, 3.8502])
    assert_allclose(drawn["jump"], 0.9 * v)
    assert_allclose(drawn["theta"], [-2.625 + v[0], 3.105 + v[1]])


def test_across_the_valley_momentum_overshoots_further_and_nesterov_points_back(arrays):
    drawn, valley = arrays("nesterov_step"), Quadratic(np.diag(arrays("nesterov_step")["curvatures"]))
    jump = drawn["jump"][1]
    assert drawn["theta"][1] * (drawn["theta"][1] + jump) < 0, "the jump leads to the other slope"
    assert drawn["momentum_step"][1] * jump > 0 > drawn["nesterov_step"][1] * jump
    assert drawn["momentum_step"] @ drawn["jump"] > 0 > drawn["nesterov_step"] @ drawn["jump"]
    assert valley.value(drawn["nesterov_end"]) < 0.5 * valley.value(drawn["momentum_end"])


@pytest.mark.parametrize("mu", [0.5, 0.8, 0.99])
@pytest.mark.parametrize("lr", [0.25, 0.5, 0.8])
def test_whenever_a_jump_leads_to_the_other_slope_momentum_overshoots_further_and_nesterov_points_back(lr, mu):
    other_slopes = 0
    for before in range(1, 9):
        drawn = nesterov_step.compute(lr=lr, mu=mu, before=before)
        jump = drawn["jump"][1]
        if drawn["theta"][1] * (drawn["theta"][1] + jump) < 0:
            other_slopes += 1
            assert drawn["momentum_step"][1] * jump > 0 > drawn["nesterov_step"][1] * jump
    assert other_slopes


# -------------------------------------------------------------------------------------------- clipping at a cliff

def test_the_face_of_the_cliff_is_far_steeper_than_the_land_around_it(arrays):
    plain, cliff = arrays("clipping_at_a_cliff")["plain"], clipping_at_a_cliff.CLIFF
    assert_allclose(plain[0], clipping_at_a_cliff.START)
    assert_allclose(np.diff(plain, axis=0), [-0.2 * cliff.gradient(theta) for theta in plain[:-1]], atol=1e-12)
    slopes = np.array([np.linalg.norm(cliff.gradient(theta)) for theta in plain])
    assert_allclose(np.linalg.norm(cliff.gradient(np.zeros(2))), 12.5)
    assert slopes.max() > 11 and np.sort(slopes)[-2] < 2.5
    land = [(x, y) for x in np.linspace(-2.5, 1.2, 38) if abs(x) > 0.25 for y in np.linspace(-2, 2, 21)]
    assert max(np.linalg.norm(cliff.gradient(np.array(theta))) for theta in land) < 3.25


def test_without_clipping_one_step_is_ten_times_as_long_as_with_it_and_leads_far_from_the_foot(arrays):
    drawn, (foot, _) = arrays("clipping_at_a_cliff"), clipping_at_a_cliff.CLIFF.minimizers[0]
    lengths = {name: np.linalg.norm(np.diff(drawn[name], axis=0), axis=1).max()
               for name in ("plain", "by_norm", "by_element")}
    assert lengths["plain"] > 10 * lengths["by_norm"] > 0
    assert_allclose(lengths["by_norm"], 0.2 * 1.0)
    assert drawn["plain"][:, 0].min() < foot - 1.5
    assert drawn["by_norm"][:, 0].min() > foot - 0.1 and drawn["by_element"][:, 0].min() > foot - 0.1


def test_from_half_of_the_starts_above_it_is_thrown_and_with_clipping_from_none(monkeypatch):
    foot, random, thrown = clipping_at_a_cliff.CLIFF.minimizers[0][0], np.random.default_rng(1), []
    for _ in range(30):
        start = np.array([random.uniform(0.3, 1.2), random.uniform(-1.8, 1.8)])
        monkeypatch.setattr(clipping_at_a_cliff, "START", start)
        drawn = clipping_at_a_cliff.compute()
        thrown.append([drawn[name][:, 0].min() < foot - 1 for name in ("plain", "by_norm", "by_element")])
    plain, *clipped = np.mean(thrown, axis=0)
    assert 0.3 < plain < 0.7 and clipped == [0, 0]


@pytest.mark.parametrize("most", [0.5, 4.0])
def test_with_another_limit_it_stays_as_well(most):
    drawn, foot = clipping_at_a_cliff.compute(most=most), clipping_at_a_cliff.CLIFF.minimizers[0]
    for name in ("by_norm", "by_element"):
        assert drawn[name][:, 0].min() > foot[0] - 0.5 and np.linalg.norm(drawn[name][-1] - foot) < 0.01


@pytest.mark.parametrize("name", ["by_norm", "by_element"])
def test_with_clipping_it_goes_down_the_cliff_and_arrives_at_the_foot(name, arrays):
    path, cliff = arrays("clipping_at_a_cliff")[name], clipping_at_a_cliff.CLIFF
    before = path[:-1][path[:-1, 0] > 0]
    after = path[1:len(before) + 1]
    assert (heights(cliff, after) < heights(cliff, before)).all()
    assert_allclose(path[-1], cliff.minimizers[0], atol=1e-3)


def test_by_norm_a_clipped_step_keeps_its_direction_and_by_element_it_turns(arrays):
    drawn, cliff = arrays("clipping_at_a_cliff"), clipping_at_a_cliff.CLIFF
    g = cliff.gradient(clipping_at_a_cliff.START)
    by_norm, by_element = drawn["by_norm"][1] - drawn["by_norm"][0], drawn["by_element"][1] - drawn["by_element"][0]
    assert_allclose(by_norm, -0.2 * g / np.linalg.norm(g))
    assert_allclose(by_element, [-0.2 * g[0], -0.2]), "only the second derivative is above 1"
    assert abs(g[0]) < 1 < g[1]


def test_the_printed_rule_leaves_a_derivative_of_minus_one_hundred_as_it_is_and_clipping_does_not(arrays):
    drawn = arrays("clipping_at_a_cliff")
    negative = drawn["g"] < -1
    assert_allclose(drawn["printed"][negative], drawn["g"][negative])
    assert_allclose(drawn["clipped"][negative], -1)
    assert_allclose(drawn["printed"][~negative], drawn["clipped"][~negative])

    class Slope(Objective):
        """f(θ) = −100 θ"""
        size = 1

        def gradient(self, theta):
            return np.array([-100.0])

    g = Slope().gradient(np.zeros(1))
    assert np.minimum(g, 1) == -100
    assert Clipped(Slope(), element=1).gradient(np.zeros(1)) == -1 == Clipped(Slope(), norm=1).gradient(np.zeros(1))
