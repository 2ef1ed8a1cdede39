"""The figures of the survey show what their captions claim: tested on the arrays that are drawn."""
from math import factorial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import RectBivariateSpline
from scipy.signal import lfilter
from scipy.special import log_softmax

from figures import (
    adahessian_smoothing, curvature_and_prediction, eigenvectors_of_an_ellipse, l1_and_l2, newton_local_models,
    permutation_symmetry)
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adahessian, newton
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import path

# -------------------------------------------------------------------------------------------- newton_local_models


def derivatives(theta):
    """f, f′ and f″ of ¼θ⁴ − ⅓θ³ − θ², multiplied out."""
    return (theta**4 / 4 - theta**3 / 3 - theta**2, theta**3 - theta**2 - 2 * theta, 3 * theta**2 - 2 * theta - 2)


def test_newton_local_models_each_theta_is_where_the_parabola_before_it_turns(arrays):
    for run in map(arrays("newton_local_models").get, newton_local_models.LINES):
        f, slope, curvature = derivatives(run[:-1])
        for at, value, g, h, end in zip(run, f, slope, curvature, run[1:]):
            parabola = np.poly1d([h / 2, g - h * at, value - g * at + h * at**2 / 2])
            assert_allclose(parabola.deriv()(end), 0, atol=1e-13)
            assert_allclose(newton_local_models.model(at, end), parabola(end), atol=1e-13)


def test_newton_local_models_the_steps_are_too_short_where_f_bends_more_than_at_the_minimum(arrays):
    run = arrays("newton_local_models")["short"]
    _, _, curvature = derivatives(run)
    assert (curvature[:5] > derivatives(2.0)[2]).all()
    assert (np.diff(run[:6]) < 0).all() and (run[:6] > 2).all()
    assert_allclose(run[-1], 2, atol=1e-12)


def test_newton_local_models_the_first_step_is_too_long_where_f_bends_less_and_f_is_higher_after_it(arrays):
    run = arrays("newton_local_models")["long"]
    f, _, curvature = derivatives(run)
    assert 0 < curvature[0] < derivatives(2.0)[2]
    assert run[0] < 2 < run[1] and f[1] > f[0] + 2
    assert (np.diff(f[1:6]) < 0).all()
    assert_allclose(run[-1], 2, atol=1e-10)


def test_newton_local_models_where_the_curvature_is_negative_it_climbs_to_a_maximum(arrays):
    run = arrays("newton_local_models")["wrong"]
    f, _, curvature = derivatives(run)
    assert (curvature < 0).all() and (np.diff(f[:5]) > 0).all()
    assert_allclose(run[-1], 0, atol=1e-12)
    around = np.array([-0.1, 0.1])
    assert (derivatives(around)[0] < derivatives(0.0)[0]).all()


@pytest.mark.parametrize("starts, high, end", [
    (np.arange(2.1, 6, 0.5), False, 2), (np.arange(1.25, 1.55, 0.05), True, 2), (np.arange(1.6, 1.99, 0.05), False, 2),
    (np.arange(-0.35, 0.84, 0.07), None, 0)], ids=["too short", "too long", "a little too long", "up to a maximum"])
def test_newton_local_models_from_starts_around_it_goes_as_from_those_that_are_drawn(starts, high, end):
    for start in starts:
        run = path(newton(newton_local_models.F, np.array([start])), 12)[:, 0]
        f, _, curvature = derivatives(run[:2])
        assert_allclose(run[-1], end, atol=1e-8)
        assert high is None or (f[1] > f[0]) == high
        assert (curvature[0] < 0) == (end == 0)


@pytest.mark.parametrize("start, end", [(-0.54, 2), (0.9, -1), (1.14, -1)])
def test_newton_local_models_nearer_to_where_the_curvature_changes_its_sign_it_leaps_over_the_maximum(start, end):
    assert derivatives(start)[2] < 0
    assert_allclose(path(newton(newton_local_models.F, np.array([start])), 14)[-1], end, atol=1e-8)


def test_newton_local_models_with_the_absolute_value_the_step_is_as_long_and_leads_the_other_way(arrays):
    drawn = arrays("newton_local_models")
    damped, newton = drawn["damped"], drawn["wrong"]
    assert_allclose(damped[1] - damped[0], newton[0] - newton[1])
    f, _, _ = derivatives(damped)
    assert damped[0] == newton[0] and f[1] < f[0] - 1.5


@pytest.mark.parametrize("changed, said", [
    ({"short": 1.9}, "short = 1.9: from the right of 2"), ({"long": 2.2}, "long = 2.2: the first step is too long"),
    ({"long": 1.8}, "f is higher"), ({"wrong": 1.3}, "wrong = 1.3: the curvature is negative"),
    ({"wrong": 0.9}, "wrong = 0.9: .* near to 0 a run ends there"), ({"wrong": -0.5}, "wrong = -0.5")])
def test_newton_local_models_a_start_from_which_its_panel_would_be_false_is_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        newton_local_models.compute(**changed)


def test_newton_local_models_other_starts_are_drawn_where_they_are():
    drawn = newton_local_models.compute(short=4.5, long=1.4, wrong=0.5)
    figure = newton_local_models.draw(**drawn)
    for ax, name in zip(figure.axes, newton_local_models.LINES):
        near, (left, right), (low, high) = drawn[name][:3], ax.get_xlim(), ax.get_ylim()
        assert left < near.min() and near.max() < right
        assert low < newton_local_models.value(near).min() and newton_local_models.value(near).max() < high
    assert [text.get_text() for text in figure.axes[3].get_legend().texts] == ["from 4.5", "from 1.4", "from 0.5"]


def test_newton_local_models_dashed_parabolas_touch_f_and_turn_at_the_cross_from_where_a_dot_lies_on_f(arrays):
    drawn = arrays("newton_local_models")
    assert [drawn[name][0] for name in newton_local_models.LINES] == [3.4, 1.45, 0.8]
    figure = newton_local_models.draw(**drawn)
    bends = {"short": [1, 1], "long": [1, 1], "wrong": [1, -1, 1]}  # −1: with the absolute value of the curvature
    for ax, (name, signs) in zip(figure.axes, bends.items()):
        f, *steps = ax.lines
        assert_allclose(f.get_ydata(), derivatives(f.get_xdata())[0], atol=1e-12)
        starts = drawn[name][[0, 1]] if name != "wrong" else drawn[name][[0, 0, 0]]
        lines = (steps[k::4] for k in range(4))
        for parabola, fall, cross, dots, start, sign in zip(*lines, starts, signs, strict=True):
            form = np.poly1d(np.polyfit(*parabola.get_data(), 2))
            value, slope, curvature = derivatives(start)
            assert_allclose([form(start), form.deriv()(start), form.deriv(2)(start)], [value, slope, sign * curvature])
            end = start - slope / (sign * curvature)
            assert_allclose(cross.get_xydata(), [[end, form(end)]])
            assert_allclose(fall.get_xydata(), [[end, form(end)], [end, derivatives(end)[0]]])
            assert_allclose(dots.get_xydata(), [[start, value], [end, derivatives(end)[0]]])
        words = {text.get_text(): text.xy[0] for text in ax.texts if text.get_text().startswith("$\\theta_")}
        assert_allclose(list(words.values()), drawn[name][:len(words)])
        assert list(words) == [f"$\\theta_{k}$" for k in range(2 + (name != "wrong"))]
    for line, name in zip(figure.axes[3].lines, newton_local_models.LINES):
        assert_allclose(line.get_ydata(), np.abs(drawn[name] - (0 if name == "wrong" else 2)))
    plt.close(figure)


def test_newton_local_models_at_the_end_the_number_of_right_digits_doubles(arrays):
    for name, end in {"short": 2, "long": 2, "wrong": 0}.items():
        run = arrays("newton_local_models")[name]
        assert newton_local_models.end_of(run) == end
        left = np.abs(run - end)
        digits = -np.log10(left[(left < 0.1) & (left > 1e-13)])
        assert len(digits) >= 3 and (digits[1:] > 1.8 * digits[:-1]).all()
        _, _, curvature = derivatives(end)
        third = 6 * end - 2  # the error becomes ½ f‴/f″ of its square
        close = (left[:-1] < 0.05) & (left[1:] > 1e-11)
        assert_allclose(left[1:][close] / left[:-1][close]**2, abs(third / curvature / 2), rtol=0.07)


# --------------------------------------------------------------------------------------- curvature_and_prediction

def test_curvature_and_prediction_the_three_agree_at_the_start_in_value_and_slope(arrays):
    drawn, theta = arrays("curvature_and_prediction"), curvature_and_prediction.THETA
    middle = np.argmin(np.abs(theta))
    assert theta[middle] == 0 and not drawn["curves"][:, middle].any()
    slopes = (drawn["curves"][:, middle + 1] - drawn["curves"][:, middle - 1]) / (theta[middle + 1] - theta[middle - 1])
    assert_allclose(slopes, -1)
    assert_allclose(drawn["tangents"], np.array([-theta] * 3))


def test_curvature_and_prediction_the_gain_differs_from_what_was_promised_by_half_alpha_squared_g_squared_c(arrays):
    drawn = arrays("curvature_and_prediction")
    assert_allclose(drawn["promised"], 1)
    assert_allclose(drawn["gained"], [1.6, 1, 0.4])
    assert_allclose(drawn["promised"] - drawn["gained"], 0.5 * drawn["curvatures"])


@pytest.mark.parametrize("slope, lr", [(-1.0, 0.5), (2.0, 1.0), (-0.3, 2.0)])
def test_curvature_and_prediction_with_other_curvatures_slopes_and_rates_too(slope, lr):
    drawn = curvature_and_prediction.compute(curvatures=(-4.0, 0.3, 5.0), slope=slope, lr=lr)
    assert_allclose(drawn["promised"], lr * slope**2)
    assert_allclose(drawn["promised"] - drawn["gained"], 0.5 * lr**2 * slope**2 * drawn["curvatures"])


def test_curvature_and_prediction_what_was_gained_is_the_way_down_to_the_curve(arrays):
    drawn, theta = arrays("curvature_and_prediction"), curvature_and_prediction.THETA
    for curve, tangent, end, promised, gained in zip(*(drawn[name] for name in (
            "curves", "tangents", "ends", "promised", "gained"))):
        assert_allclose(np.interp(end, theta, curve), -gained, atol=1e-3)
        assert_allclose(np.interp(end, theta, tangent), -promised)


def test_curvature_and_prediction_if_positive_f_is_least_at_1_over_c_and_as_at_the_start_at_2_over_c(arrays):
    theta, curve = curvature_and_prediction.THETA, arrays("curvature_and_prediction")["curves"][2]
    assert_allclose(theta[curve.argmin()], 1 / 1.2, atol=0.011)
    after = theta > 0.01
    assert_allclose(theta[after][np.flatnonzero(curve[after] > 0)[0]], 2 / 1.2, atol=0.021)


# ------------------------------------------------------------------------------------- eigenvectors_of_an_ellipse

def test_eigenvectors_of_an_ellipse_the_farthest_and_the_nearest_points_are_where_the_arrows_end(arrays):
    drawn = arrays("eigenvectors_of_an_ellipse")
    lam, Q, line = drawn["lam"], drawn["Q"], drawn["ellipses"][0]
    distance = np.linalg.norm(line, axis=1)
    assert_allclose(lam, [1, 4])
    for at, value, q in [(distance.argmax(), lam[0], Q[:, 0]), (distance.argmin(), lam[1], Q[:, 1])]:
        assert_allclose(distance[at], 1 / np.sqrt(value), rtol=1e-4)
        assert_allclose(abs(line[at] @ q), distance[at], rtol=1e-4)


def test_eigenvectors_of_an_ellipse_a_level_line_is_one_value(arrays):
    A = np.array([[8, -6], [-6, 17]]) / 5  # with the eigenvectors (2, 1) and (−1, 2)
    for level, line in zip(eigenvectors_of_an_ellipse.LEVELS, arrays("eigenvectors_of_an_ellipse")["ellipses"]):
        assert_allclose([0.5 * theta @ A @ theta for theta in line], level)


def test_eigenvectors_of_an_ellipse_along_an_eigenvector_e_is_half_at_1_over_the_root_of_its_curvature(arrays):
    drawn, s = arrays("eigenvectors_of_an_ellipse"), arrays("eigenvectors_of_an_ellipse")["s"]
    for value, energy in zip(drawn["lam"], drawn["along"]):
        assert_allclose(energy, 0.5 * value * s**2, atol=1e-14)
        assert_allclose(np.interp(1 / np.sqrt(value), s, energy), 0.5, rtol=1e-3)


def test_eigenvectors_of_an_ellipse_the_root_of_the_hessian_makes_circles_and_its_inverse_does_not(arrays):
    drawn = arrays("eigenvectors_of_an_ellipse")
    radius = np.linalg.norm(drawn["circles"], axis=2)
    assert_allclose(radius, np.sqrt(2 * eigenvectors_of_an_ellipse.LEVELS)[:, None] + np.zeros_like(radius))
    A = (drawn["Q"] * drawn["lam"]) @ drawn["Q"].T
    printed = np.linalg.norm(drawn["ellipses"] @ np.linalg.inv(A), axis=2)
    assert (printed.max(axis=1) > 7 * printed.min(axis=1)).all()


def test_eigenvectors_of_an_ellipse_the_gradient_misses_the_minimum_of_the_ellipse_and_not_that_of_the_circle(arrays):
    drawn, at = arrays("eigenvectors_of_an_ellipse"), arrays("eigenvectors_of_an_ellipse")["at"]
    for name, gradient, low, high in [("ellipses", "g", 0.5, 0.9), ("circles", "g_u", 1 - 1e-12, 1 + 1e-12)]:
        point, g = drawn[name][1, at], drawn[gradient]
        assert low < point @ g / np.linalg.norm(point) / np.linalg.norm(g) < high


def test_eigenvectors_of_an_ellipse_a_step_against_the_gradient_by_u_is_newtons_step(arrays):
    drawn, at = arrays("eigenvectors_of_an_ellipse"), arrays("eigenvectors_of_an_ellipse")["at"]
    lam, Q = drawn["lam"], drawn["Q"]
    back = -(Q / np.sqrt(lam)) @ Q.T @ drawn["g_u"]
    assert_allclose(back, -np.linalg.solve((Q * lam) @ Q.T, drawn["g"]), atol=1e-14)
    assert_allclose(drawn["ellipses"][1, at] + back, 0, atol=1e-14)


@pytest.mark.parametrize("curvatures, direction", [((9.0, 0.25), (1.0, 3.0)), ((1.0, 1.3), (-1.0, 0.0))])
def test_eigenvectors_of_an_ellipse_of_other_curvatures_in_other_directions(curvatures, direction):
    drawn = eigenvectors_of_an_ellipse.compute(curvatures=curvatures, direction=direction, at=30)
    assert_allclose(drawn["lam"], sorted(curvatures))
    along = drawn["Q"][:, np.argsort(curvatures).tolist().index(0)]
    assert_allclose(np.abs(along @ direction), np.linalg.norm(direction))  # the first is that in the direction
    for line, reach in zip(drawn["ellipses"][0] @ drawn["Q"] * np.sqrt(drawn["lam"]), np.ones(361)):
        assert_allclose(np.linalg.norm(line), reach)
    assert drawn["s"][-1] > 1 / np.sqrt(min(curvatures))
    assert_allclose(drawn["along"][0][-1], min(curvatures) * drawn["s"][-1]**2 / 2)


@pytest.mark.parametrize("changed", [{"curvatures": (1.0, 1.0)}, {"curvatures": (-1.0, 4.0)}, {"direction": (0.0, 0.0)},
                                     {"curvatures": (1.0, 2.0, 3.0)}, {"direction": (1.0, 0.0), "at": 180},
                                     {"direction": (1.0, 1.0), "at": 45}])
def test_eigenvectors_of_an_ellipse_refuses_circles_and_what_is_no_ellipse(changed):
    with pytest.raises(ValueError, match=list(changed)[-1]):
        eigenvectors_of_an_ellipse.compute(**changed)


# ------------------------------------------------------------------------------------------------------ l1_and_l2

def regression(neighbours):
    """The pixels that are drawn and the one that is predicted, cut out of the images."""
    images = digits().X_train.reshape(-1, 8, 8)
    windows = images[:, 2:5, 3:6].reshape(-1, 9)
    return windows[:, neighbours], windows[:, 4]


TWO, EIGHT = [1, 3], [1, 3, 7, 0, 5, 2, 6, 8]  # in the order of NEIGHBOURS, row by row in the window


def test_l1_and_l2_no_other_theta_of_that_norm_has_less_loss(arrays):
    drawn, angle = arrays("l1_and_l2"), np.linspace(0, 2 * np.pi, 721)
    X, y = regression(TWO)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    diamond = circle / np.abs(circle).sum(axis=1, keepdims=True)
    for theta, border in [(drawn["lasso"], np.abs(drawn["lasso"]).sum() * diamond),
                          (drawn["ridge"], np.linalg.norm(drawn["ridge"]) * circle)]:
        losses = ((border @ X.T - y)**2).mean(axis=1) / 2
        assert losses.min() > ((X @ theta - y)**2).mean() / 2 - 1e-7
        assert np.linalg.norm(border[losses.argmin()] - theta) < 0.01


def test_l1_and_l2_under_l1_one_of_the_two_is_exactly_zero_and_under_l2_neither(arrays):
    drawn = arrays("l1_and_l2")
    assert drawn["lasso"][1] == 0 and drawn["lasso"][0] > 0.2
    assert (drawn["ridge"] > 0.1).all() and (drawn["ridge_way"] > 0).all()
    least_squares = np.linalg.lstsq(*regression(TWO), rcond=None)[0]
    assert (least_squares > 0.2).all(), "without a price neither is zero"


def test_l1_and_l2_under_l1_the_derivative_is_the_price_where_theta_is_not_zero_and_less_where_it_is(arrays):
    X, y = regression(EIGHT)
    for price, theta in zip(l1_and_l2.L1_PRICES, arrays("l1_and_l2")["lasso_path"]):
        g = X.T @ (X @ theta - y) / len(y)
        zero = theta == 0
        assert_allclose(g[~zero], -price * np.sign(theta[~zero]), atol=2e-4)
        assert (np.abs(g[zero]) <= price + 2e-4).all()


def test_l1_and_l2_the_dotted_ways_are_those_of_the_solutions_from_least_squares_to_zero(arrays):
    drawn, (X, y) = arrays("l1_and_l2"), regression(TWO)
    assert_allclose(drawn["H"], X.T @ X / len(y))
    assert_allclose(drawn["b"], X.T @ y / len(y))
    for price, theta in zip(l1_and_l2.L1_PRICES, drawn["lasso_way"]):
        g = X.T @ (X @ theta - y) / len(y)
        assert_allclose(g[theta != 0], -price * np.sign(theta[theta != 0]), atol=1e-6)
        assert (np.abs(g) <= price + 1e-6).all()
    expected = [np.linalg.solve(drawn["H"] + price * np.eye(2), drawn["b"]) for price in l1_and_l2.L2_PRICES]
    assert_allclose(drawn["ridge_way"], expected)
    for way in drawn["lasso_way"], drawn["ridge_way"]:
        assert_allclose(way[0], np.linalg.lstsq(X, y, rcond=None)[0], atol=0.02)
        assert_allclose(way[-1], 0, atol=1e-3)


def test_l1_and_l2_a_solution_of_l2_is_that_of_the_normal_equations(arrays):
    X, y = regression(EIGHT)
    for price, theta in zip(l1_and_l2.L2_PRICES, arrays("l1_and_l2")["ridge_path"]):
        assert_allclose(theta, np.linalg.lstsq(np.vstack([X, np.sqrt(len(y) * price) * np.eye(8)]),
                                               np.append(y, np.zeros(8)), rcond=None)[0], atol=1e-10)


def test_l1_and_l2_under_l1_each_is_dropped_for_good_the_last_at_the_largest_derivative_at_zero(arrays):
    thetas, prices = arrays("l1_and_l2")["lasso_path"], l1_and_l2.L1_PRICES
    there = thetas != 0
    assert there[0].all() and (there[1:] <= there[:-1]).all() and len(set(there.sum(axis=0))) >= 5
    X, y = regression(EIGHT)
    assert np.array_equal(there.any(axis=1), prices < np.abs(X.T @ y / len(y)).max())


@pytest.mark.parametrize("pixel", [(2, 2), (5, 4)])
def test_l1_and_l2_of_another_pixel_is_a_regression_on_its_own_neighbours(pixel):
    drawn, (row, column) = l1_and_l2.compute(pixel=pixel), pixel
    images = digits().X_train.reshape(-1, 8, 8)
    window = images[:, row - 1:row + 2, column - 1:column + 2].reshape(-1, 9)
    least_squares = np.linalg.lstsq(window[:, TWO], window[:, 4], rcond=None)[0]
    assert_allclose(np.linalg.solve(drawn["H"], drawn["b"]), least_squares)
    whole = np.linalg.lstsq(window[:, EIGHT], window[:, 4], rcond=None)[0]
    assert_allclose(drawn["lasso_path"][0], whole, atol=0.02)


@pytest.mark.parametrize("changed", [{"pixel": (0, 4)}, {"pixel": (3, 7)}, {"pixel": (3,)}, {"pixel": (3, 1)},
                                     {"l1": -1.0}])
def test_l1_and_l2_refuses_a_pixel_at_the_border_or_beside_an_empty_one(changed):
    with pytest.raises(ValueError, match=f"{list(changed)[0]} = "):
        l1_and_l2.compute(**changed)


def test_l1_and_l2_under_l2_the_weights_shrink_and_none_is_zero(arrays):
    thetas = arrays("l1_and_l2")["ridge_path"]
    assert thetas.all() and (np.diff(np.linalg.norm(thetas, axis=1)) < 0).all()
    assert np.abs(thetas[-1]).max() < 1e-3
    X, y = regression(EIGHT)
    through = thetas[1:] * thetas[:-1] < 0
    assert through.sum() == 1 and (thetas[-1] * (X.T @ y) > 0).all()  # at high prices θ is nearly Xᵀy by the price
    grows = np.abs(thetas).max(axis=0) > 1.01 * np.abs(thetas[0])
    assert np.flatnonzero(grows) == np.abs(thetas[0]).argmin()


# ------------------------------------------------------------------------------------------- permutation_symmetry

@pytest.fixture(scope="module")
def net():
    """The loss and the weights of the net that is drawn."""
    return permutation_symmetry.trained()


def test_permutation_symmetry_every_copy_gives_the_same_outputs(net):
    X, network = digits().X_test, permutation_symmetry.NETWORK
    z = network.outputs(net[1], X)
    copies = {permutation_symmetry.reordered(net[1], order).tobytes() for order in permutation_symmetry.ORDERS}
    assert len(copies | {net[1].tobytes()}) == factorial(4)
    for copy in copies:
        assert_allclose(network.outputs(np.frombuffer(copy), X), z, atol=1e-12)


def test_permutation_symmetry_the_copies_have_the_same_loss_and_before_each_is_a_barrier(arrays):
    lines = arrays("permutation_symmetry")["lines"]
    assert len(lines) == 23
    assert_allclose(lines[:, 0], lines[0, 0])
    assert_allclose(lines[:, -1], lines[0, 0])
    assert (lines.max(axis=1) > lines[0, 0] + 0.5).all()
    assert (lines[:, 1:-1] > lines[0, 0]).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_permutation_symmetry_before_the_copies_of_other_nets_are_barriers_too(seed, monkeypatch):
    initial = permutation_symmetry.NETWORK.initial
    monkeypatch.setattr(permutation_symmetry.NETWORK, "initial", lambda **how: initial(seed=seed))
    loss, theta = permutation_symmetry.trained()
    for order in permutation_symmetry.ORDERS[::5]:
        heights = permutation_symmetry.line(loss, theta, permutation_symmetry.reordered(theta, order))
        assert_allclose(heights[-1], heights[0])
        assert max(heights) > heights[0] + 0.5


def test_permutation_symmetry_halfway_the_two_units_are_the_same_and_the_net_has_one_unit_less(arrays, net):
    loss, theta = net
    halfway = arrays("permutation_symmetry")["units"][1]
    assert_array_equal(halfway[1], halfway[3])
    ours, _, other = arrays("permutation_symmetry")["units"]
    assert_array_equal(ours.reshape(4, -1), permutation_symmetry.NETWORK.blocks(theta)[0][:, :-1])
    assert_array_equal(other, ours[[0, 3, 2, 1]])
    assert_allclose(halfway, (ours + other) / 2)
    exchanged = permutation_symmetry.reordered(theta, permutation_symmetry.SWAP)
    into, out = permutation_symmetry.NETWORK.blocks((theta + exchanged) / 2)
    smaller = mlp([64, 3, 10])
    together = np.column_stack([out[:, 0], out[:, 1] + out[:, 3], out[:, 2], out[:, 4]])
    X, Y, *_ = digits()
    small = MiniBatch(smaller, X[:400], Y[:400]).value(np.concatenate([into[:3].ravel(), together.ravel()]))
    assert_allclose(small, loss.problem.value((theta + exchanged) / 2))


def test_permutation_symmetry_the_losses_under_the_images_are_those_of_the_line(arrays):
    drawn = arrays("permutation_symmetry")
    line = drawn["lines"][permutation_symmetry.ORDERS.index(permutation_symmetry.SWAP)]
    assert_allclose(drawn["losses"], line[[0, 20, 40]])
    assert_allclose(line, line[::-1])


def test_permutation_symmetry_the_loss_is_that_of_four_hundred_digits_and_of_the_weights_squares(arrays, net):
    into, out = permutation_symmetry.NETWORK.blocks(net[1])
    X, Y, *_ = digits()
    z = np.tanh(X[:400] @ into[:, :-1].T + into[:, -1]) @ out[:, :-1].T + out[:, -1]
    expected = -log_softmax(z, axis=1)[np.arange(400), Y[:400]].mean() + 0.0015 * np.sum(net[1]**2)
    assert_allclose(arrays("permutation_symmetry")["losses"][0], expected)


def test_permutation_symmetry_a_third_of_a_turn_changes_nothing(arrays):
    axis = permutation_symmetry.AXIS
    surface = RectBivariateSpline(axis, axis, arrays("permutation_symmetry")["plane"])
    angle = np.linspace(0, 2 * np.pi, 61)
    for radius in (0.3, 0.7, 1, 1.3):
        around = surface.ev(radius * np.sin(angle), radius * np.cos(angle))
        turned = surface.ev(radius * np.sin(angle + 2 * np.pi / 3), radius * np.cos(angle + 2 * np.pi / 3))
        assert_allclose(turned, around, atol=0.01)
        assert np.ptp(around) > 0.05


def test_permutation_symmetry_the_three_corners_are_minima_of_the_plane(arrays, net):
    plane, axis = arrays("permutation_symmetry")["plane"], permutation_symmetry.AXIS
    x, y = np.meshgrid(axis, axis)
    for angle in np.deg2rad([0, 120, 240]):
        near = np.hypot(x - np.cos(angle), y - np.sin(angle)) < 0.45
        at = np.where(near, plane, np.inf).argmin()
        assert np.hypot(x.flat[at] - np.cos(angle), y.flat[at] - np.sin(angle)) < 0.12
        assert abs(plane.flat[at] - net[0].value(net[1])) < 0.01
    assert plane[15, 15] > 1.5
    between = 0.6 * net[1] + 0.4 * permutation_symmetry.reordered(net[1], permutation_symmetry.ROUND)
    a, b = 0.6 + 0.4 * np.cos(2 * np.pi / 3), 0.4 * np.sin(2 * np.pi / 3)  # a mirrored picture is another one
    assert_allclose(RectBivariateSpline(axis, axis, plane).ev(b, a), net[0].value(between), rtol=1e-3)


def test_permutation_symmetry_a_unit_of_tanh_can_change_its_signs_as_well(net):
    loss, theta = net
    flipped = theta.copy()
    into, out = permutation_symmetry.NETWORK.blocks(flipped)
    into[2] *= -1
    out[:, 2] *= -1
    assert_allclose(loss.value(flipped), loss.value(theta))
    assert 2**4 * factorial(4) == 384


# ------------------------------------------------------------------------------------------- adahessian_smoothing

def test_adahessian_smoothing_f_falls_to_0_from_everywhere_and_its_curvature_goes_from_minus_2_to_4(arrays):
    drawn, x = arrays("adahessian_smoothing"), adahessian_smoothing.X
    assert (np.diff(drawn["f"]) * np.sign(x[1:] + x[:-1]) > 0).all() and drawn["f"].min() == 0
    assert_allclose([drawn["curvature"].min(), drawn["curvature"].max()], [-2, 4], atol=1e-3)
    assert np.abs(drawn["f"] - x**2 / 2).max() < 0.061
    differences = np.diff(drawn["f"], 2) / (x[1] - x[0])**2
    assert_allclose(drawn["curvature"][1:-1], differences, atol=0.01)


def test_adahessian_smoothing_the_root_of_the_mean_square_of_the_curvature_is_2_3_and_its_mean_is_1():
    a_turn = np.linspace(0, 2 * np.pi / 10.0, 100, endpoint=False)
    curvature = [adahessian_smoothing.rippled(3.0, 10.0).hessian(np.array([x]))[0, 0] for x in a_turn]
    assert_allclose(np.mean(curvature), 1)
    assert_allclose(np.sqrt(np.mean(np.square(curvature))), 2.3452, rtol=1e-4)


def test_adahessian_smoothing_averaged_it_arrives_from_everywhere_and_locally_it_may_be_thrown_far_away(arrays):
    local, averaged = (np.abs(arrays("adahessian_smoothing")[name]) for name in ("local", "averaged"))
    assert_array_equal(local[:, 0], averaged[:, 0])
    assert (averaged[:, 100:] < 0.03).all() and averaged.max() == averaged[:, 0].max() == 4
    assert (local.max(axis=1) > 8).any() and (local[:, 100:].max(axis=1) > 0.03).sum() >= 2


def test_adahessian_smoothing_the_first_step_is_no_average_and_where_the_curvature_is_nearly_zero_it_leads_away():
    theta = np.array([(np.arccos(-1 / 3) + 10 * np.pi) / 10 - 1e-3])  # −1/3 makes 1 + 3 cos zero
    curvature = adahessian_smoothing.rippled(3.0, 10.0).hessian(theta)[0, 0]
    assert abs(curvature) < 0.05
    assert np.abs(path(adahessian(adahessian_smoothing.rippled(3.0, 10.0), theta, lr=1.0), 1)[1]) > 20


def test_adahessian_smoothing_without_averages_its_step_is_the_gradient_by_the_absolute_curvature_of_the_place():
    theta = np.array([3.3])
    F = adahessian_smoothing.rippled(3.0, 10.0)
    step = path(adahessian(F, theta, lr=1.0, beta1=0.0, beta2=0.0, eps=0.0), 1)[1] - theta
    assert_allclose(step, -(3.3 + 0.3 * np.sin(33)) / abs(1 + 3 * np.cos(33)))


@pytest.mark.parametrize("name, beta2", [("local", 0.0), ("averaged", 0.999)])
def test_adahessian_smoothing_a_step_is_the_filtered_slope_by_the_root_of_the_filtered_squares(name, beta2, arrays):
    runs, t = arrays("adahessian_smoothing")[name], np.arange(1, 141)
    assert_allclose(runs[:, 0], [3, 3.2, 3.4, 3.6, 3.8, 4])
    x = runs[:, :-1]
    m = lfilter([0.1], [1, -0.9], x + 0.3 * np.sin(10 * x)) / (1 - 0.9**t)
    root = np.sqrt(lfilter([1 - beta2], [1, -beta2], (1 + 3 * np.cos(10 * x))**2) / (1 - beta2**t))
    assert_allclose(np.diff(runs), -m / (root + 1e-4), rtol=1e-6, atol=1e-10)


def test_adahessian_smoothing_f_is_a_bowl_and_the_square_of_a_sine(arrays):
    x = np.linspace(-4, 4, 801)
    assert_allclose(arrays("adahessian_smoothing")["f"], x**2 / 2 + 2 * 0.03 * np.sin(5 * x)**2, atol=1e-14)


@pytest.mark.parametrize("way, how", [(1, {"block": 1}), (3, {"averaging": "absolute"})])
def test_adahessian_smoothing_as_many_steps_as_are_drawn_are_needed(way, how, arrays):
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    risk = EmpiricalRisk(network, images, labels, batch_size=64, seed=0)
    steps = int(arrays("adahessian_smoothing")["steps"][way, 3])
    run = path(adahessian(risk, network.initial(seed=0), lr=0.3, **how), steps)
    losses = [risk.whole.value(theta) for theta in run[::5]]
    assert steps % 5 == 0 and losses[-1] < 0.2 <= min(losses[:-1])


def enough(steps):
    """The steps without averages, 65 to 80 or, as rounding has it, some more than are tried: these too are more."""
    assert steps >= 60 or np.isnan(steps)
    return np.nan_to_num(steps, nan=adahessian_smoothing.MOST)


def test_adahessian_smoothing_without_averages_only_a_small_rate_will_do(arrays):
    local, time, signed, absolute = arrays("adahessian_smoothing")["steps"]
    assert not np.isinf(local[0]) and np.isinf(local[2:]).all()
    assert np.isfinite(time[3]) and np.divide(*arrays("adahessian_smoothing")["rates"][[3, 0]]) > 29
    assert time[3] < enough(local[0])


def test_adahessian_smoothing_averages_of_absolute_values_are_quicker_and_those_of_d_fail_at_the_largest_rate(arrays):
    local, time, signed, absolute = arrays("adahessian_smoothing")["steps"]
    assert (absolute[2:] < time[2:]).all() and absolute[3] == np.nanmin(absolute) < 0.5 * enough(local[0])
    assert np.isinf(signed[3])


@pytest.mark.parametrize("seed", range(4))
def test_adahessian_smoothing_one_rate_beyond_no_way_can_be_trusted(seed):
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    risk, start = EmpiricalRisk(network, images, labels, batch_size=64, seed=seed), network.initial(seed=seed)
    local, time, signed, _ = ([adahessian_smoothing.steps_to_target(risk, start, lr, **how) for lr in (0.3, 1.0)]
                              for how in adahessian_smoothing.WAYS.values())
    assert np.isinf(local).all() and np.isfinite(time[0]) and not np.isfinite([time[1], *signed]).any()


@pytest.mark.slow
def test_adahessian_smoothing_of_20_seeds_17_arrive_by_averages_over_time_and_all_by_those_of_absolute_values():
    images, labels, *_ = digits()
    network, ways = mlp([64, 16, 10]), list(adahessian_smoothing.WAYS.values())
    arrived = []
    for seed in range(20):
        risk, start = EmpiricalRisk(network, images, labels, batch_size=64, seed=seed), network.initial(seed=seed)
        arrived.append([adahessian_smoothing.steps_to_target(risk, start, lr, **ways[way])
                        for way, lr in [(0, 0.1), (1, 0.3), (2, 0.3), (3, 0.3), (1, 1.0), (2, 1.0), (3, 1.0)]])
    local, time, _, absolute, *_ = np.transpose(arrived)
    assert np.isinf(local).all() and (absolute < np.where(np.isfinite(time), time, np.inf)).all()
    assert np.isfinite(arrived).sum(axis=0).tolist() == [0, 17, 0, 20, 0, 0, 3]


def test_adahessian_smoothing_averaged_it_arrives_from_19_of_21_places_and_locally_from_7():
    F, arrived = adahessian_smoothing.rippled(3.0, 10.0), {}
    for beta2 in (0.0, 0.999):
        ends = [np.abs(path(adahessian(F, np.array([theta]), lr=1.0, beta2=beta2), 140)[100:, 0]).max()
                for theta in np.linspace(2.5, 4.5, 21)]
        arrived[beta2] = np.sum(np.array(ends) < 0.03)
    assert arrived == {0.0: 7, 0.999: 19}


@pytest.mark.parametrize("seed", [1, 2])
def test_adahessian_smoothing_it_is_the_same_with_another_start_and_other_batches(seed):
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    risk, start = EmpiricalRisk(network, images, labels, batch_size=64, seed=seed), network.initial(seed=seed)
    ways = list(adahessian_smoothing.WAYS.values())
    local, time, _, absolute = (adahessian_smoothing.steps_to_target(risk, start, 0.3, **how) for how in ways)
    assert np.isinf(local) and absolute < time < adahessian_smoothing.MOST


def test_adahessian_smoothing_the_mean_of_d_over_a_unit_may_be_far_smaller_than_that_of_its_absolute_values():
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    run = adahessian(EmpiricalRisk(network, images, labels, batch_size=64), network.initial(seed=0), lr=0.01, block=1)
    next(run)
    D = network.blocks(run["D"])[0]
    left = np.abs(D.mean(axis=1)) / np.abs(D).mean(axis=1)
    assert left.min() < 0.15
