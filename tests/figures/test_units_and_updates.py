"""The figures about what a method calls one step show what their captions claim: on the arrays that they draw."""
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from figures import one_matrix_eight_updates as one_matrix
from figures import one_objective, three_balls, unit_balls
from figures.making.style import METHODS

# ----------------------------------------------------------------------------------------------------- unit_balls

OTHERS = [{}, {"lam": (1.0, 100.0), "turn": -1.1, "slope": 2.0}, {"lam": (0.2, 0.3), "turn": 0.1, "slope": -1.0},
          {"lam": (1.0, 3.0), "turn": 2.5, "slope": 4.0}]
PLACES = [(structure, limit) for structure in unit_balls.STRUCTURES for limit in unit_balls.LIMITS]


@pytest.mark.parametrize("settings", OTHERS)
def test_unit_balls_no_step_of_the_set_goes_further_down_than_the_arrow(settings):
    drawn = unit_balls.compute(**settings)
    for rim, step in zip(drawn["rims"], drawn["steps"]):
        furthest = (rim @ drawn["g"]).min()
        assert_allclose(step @ drawn["g"], furthest, rtol=1e-2)  # the points of the rim stand 0.25 degrees apart
        assert step @ drawn["g"] <= furthest + 1e-9 * abs(furthest)


@pytest.mark.parametrize("settings", OTHERS)
def test_unit_balls_the_rim_is_what_the_method_calls_one_and_so_is_the_arrow(settings):
    drawn = unit_balls.compute(**settings)
    for place, rim, step in zip(PLACES, drawn["rims"], drawn["steps"]):
        for d in (*rim[::90], step):
            assert_allclose(unit_balls.length(d, drawn["H"], *place), 1)


def test_unit_balls_the_lengths_are_those_written_above_the_panels():
    H, d = np.array([[4.0, 1], [1, 9]]), np.array([2.0, -1])
    L = np.linalg.eigvalsh(H)[1]
    root = np.array([[np.sqrt(4), 0], [0, np.sqrt(9)]])
    assert_allclose(unit_balls.length(d, H, "LI", "whole"), np.sqrt(L * 5))
    assert_allclose(unit_balls.length(d, H, "LI", "gradient"), (L**0.5 * 5)**0.5)
    assert_allclose(unit_balls.length(d, H, "LI", "eigenvector"), np.sqrt(L) * 2)
    assert_allclose(unit_balls.length(d, H, "diagonal", "whole")**2, 4 * 4 + 9 * 1)
    assert_allclose(unit_balls.length(d, H, "diagonal", "gradient")**2, d @ root @ d)
    assert_allclose(unit_balls.length(d, H, "diagonal", "eigenvector"), max(2 * 2, 3 * 1))
    assert_allclose(unit_balls.length(d, H, "full", "whole")**2, d @ H @ d)
    values, Q = np.linalg.eigh(H)
    assert_allclose(unit_balls.length(d, H, "full", "gradient")**2, d @ (Q * np.sqrt(values) @ Q.T) @ d)


def test_unit_balls_where_the_axes_are_not_those_of_the_curvature_all_rows_differ():
    steps = unit_balls.compute()["steps"]
    directions = (steps / np.linalg.norm(steps, axis=1)[:, None]).reshape(3, 3, 2)
    for column in range(3):
        for a, b in ((0, 1), (0, 2), (1, 2)):
            assert directions[a, column] @ directions[b, column] < 0.999
    straight = unit_balls.compute(turn=0.0)["steps"].reshape(3, 3, 2)
    assert_allclose(straight[1], straight[2], rtol=1e-6)


def test_unit_balls_draws_these_sets_and_arrows(arrays):
    drawn = arrays("unit_balls")
    figure = unit_balls.draw(**drawn)
    for ax, rim, step in zip(figure.axes, drawn["rims"], drawn["steps"]):
        assert_allclose(ax.lines[0].get_xydata(), rim)
        arrow, = (text for text in ax.texts if getattr(text, "arrow_patch", None))
        assert_allclose((arrow.xyann, arrow.xy), ((0, 0), step))
        assert_allclose((ax.lines[2].get_xydata() - step) @ drawn["g"], 0, atol=1e-12)  # the level line that touches
    titles = [ax.get_title().split("\n")[1] for ax in figure.axes]
    assert titles == [name for row in unit_balls.NAMES for name in row]
    plt.close(figure)


# ---------------------------------------------------------------------------------------------------- three_balls

def test_three_balls_the_lengths_are_those_of_the_matrices():
    for x, y in np.random.default_rng(0).standard_normal((20, 2)):
        D = np.array([[x, y], [y, x]])
        assert_allclose([length(x, y) for length in three_balls.LENGTHS.values()],
                        [np.abs(D).max(), np.linalg.norm(D), np.linalg.norm(D, 2)])


@pytest.mark.parametrize("slope", [3.66, 0.2, 2.0, 5.5])
def test_three_balls_scion_steps_to_a_corner_along_the_gradient_or_near_the_orthogonal_matrix(slope):
    drawn, g = three_balls.compute(slope=slope), np.array([np.cos(slope), np.sin(slope)])
    for ball, length in three_balls.LENGTHS.items():
        rim, d = drawn[f"{ball}: rim"], drawn[f"{ball}: step"]
        assert_allclose(length(*rim.T), 1)
        furthest = rim[(rim @ g).argmin()]
        if ball == "spectral":
            values = np.array([d[0] + d[1], d[0] - d[1]])        # of the best step they are −1 or 1
            assert_allclose(np.sign(values), -np.sign([g[0] + g[1], g[0] - g[1]]))
            assert (0.68 < np.abs(values)).all() and (np.abs(values) < 1.21).all()
            corner = [np.sign(values).sum() / 2, (np.sign(values[0]) - np.sign(values[1])) / 2]
            assert_allclose(furthest, corner, atol=0.02)
        else:
            assert_allclose(d, furthest, atol=0.02)
            assert_allclose(length(*d), 1)


def test_three_balls_one_turns_with_the_gradient_and_two_jump_from_corner_to_corner(arrays):
    drawn = arrays("three_balls")
    around = np.degrees(drawn["around"])
    turned = {ball: np.degrees(drawn[f"{ball}: turned"]) % 360 for ball in three_balls.LENGTHS}
    assert_allclose(turned["euclidean"], around)
    assert_allclose(turned["sign"], 45 + 90 * (around // 90))
    away = (turned["spectral"] - 90 * np.round(around / 90) + 180) % 360 - 180
    assert np.abs(away).max() < 16                                # atan((1.21 − 0.68) / (1.21 + 0.68))


# --------------------------------------------------------------------------------------- one_matrix_eight_updates

def spread(values):
    """The largest singular value by the least."""
    return values.max() / values.min()


@pytest.mark.parametrize("settings", [{}, {"seed": 0, "batches": 30}, {"seed": 2, "hidden": 9, "batches": 20},
                                      {"seed": 3, "batches": 30}])
def test_one_matrix_three_make_all_values_alike_and_only_muon_does_once_they_remember_noise(settings, arrays):
    drawn = one_matrix.compute(**settings) if settings else arrays("one_matrix_eight_updates")
    alone, after = (dict(zip(one_matrix.UPDATES, drawn[column])) for column in ("alone", "after"))
    for name in ("shampoo", "soap"):
        assert spread(alone[name]) < 1.01 and spread(after[name]) > 3
        assert spread(after[name]) < spread(drawn["gradient"]) / 2
    assert spread(alone["muon"]) < 1.21 / 0.68 and spread(after["muon"]) < 1.21 / 0.68
    assert spread(drawn["gradient"]) > 10
    assert spread(alone["adam"]) > 3 and spread(alone["kfac"]) > 3 and spread(alone["natural_gradient"]) > 3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_matrix_gradient_descent_and_at_first_full_adagrad_leave_the_proportions(seed):
    drawn = one_matrix.compute(seed=seed, batches=5)
    alone, after = (dict(zip(one_matrix.UPDATES, drawn[column])) for column in ("alone", "after"))
    share = drawn["gradient"] / drawn["gradient"].max()
    for values in (alone["gradient_descent"], after["gradient_descent"], alone["full_matrix_adagrad"]):
        assert_allclose(values / values.max(), share, rtol=1e-5)
    changed = after["full_matrix_adagrad"] / after["full_matrix_adagrad"].max()
    assert np.abs(changed - share).max() > 0.02


def test_one_matrix_adams_first_step_is_by_signs():
    drawn = one_matrix.compute(batches=1)
    adam = dict(zip(one_matrix.UPDATES, drawn["alone"]))["adam"]
    assert_allclose((adam / 1e-3)**2 @ np.ones(len(adam)), 12 * 9, rtol=1e-3)  # ‖±1‖² is the number of entries


def test_one_matrix_draws_these_values_in_these_rows(arrays):
    drawn = arrays("one_matrix_eight_updates")
    figure = one_matrix.draw(**drawn)
    for ax, steps in zip(figure.axes, (drawn["alone"], drawn["after"])):
        strokes = [line for line in ax.lines if line.get_marker() == "|"]
        for y, (line, values) in enumerate(zip(strokes, [drawn["gradient"], *steps], strict=True)):
            assert_allclose(line.get_xdata(), values / values.max())
            assert_allclose(line.get_ydata(), -y)
        assert ax.get_xlim()[0] < min(line.get_xdata().min() for line in strokes)
    plt.close(figure)


# -------------------------------------------------------------------------------------------------- one_objective

LIMITED = [("", 0.3, 0.05), (one_objective.WHOLE, np.inf, 0.05), (one_objective.WHOLE, 0.3, 0.5),
           (one_objective.GRADIENT, np.inf, 0.05), (one_objective.GRADIENT, 0.3, 0.2),
           (one_objective.EACH, np.inf, 0.05), (one_objective.EACH, 0.3, 0.2)]


def allowed(d, lam, g_hat, limit, epsilon):
    """By how much a step of these coordinates exceeds its limit."""
    lengths = np.sqrt(lam) * np.abs(d)
    return {"": -1.0, one_objective.WHOLE: np.linalg.norm(lengths) - epsilon,
            one_objective.GRADIENT: (lengths - epsilon * np.abs(g_hat)).max(),
            one_objective.EACH: (lengths - epsilon).max()}[limit]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit, eta, epsilon", LIMITED)
def test_one_objective_no_step_that_is_allowed_is_lower(limit, eta, epsilon, seed):
    rng = np.random.default_rng(seed)
    Q, lam, g = np.linalg.qr(rng.standard_normal((4, 4)))[0], rng.uniform(0.2, 9, 4), rng.standard_normal(4)
    order = np.argsort(lam)
    H, lam, Q = Q * lam @ Q.T, lam[order], Q[:, order]
    d = Q.T @ one_objective.least(g, H, limit, eta, epsilon)
    assert allowed(d, lam, Q.T @ g, limit, epsilon) < 1e-12

    def objective(x):
        return Q.T @ g @ x + lam @ x**2 / (2 * eta)
    others = 0
    for size in (1e-3, 1e-1):
        for other in d + size * np.abs(d).max() * rng.standard_normal((3000, 4)):
            if allowed(other, lam, Q.T @ g, limit, epsilon) <= 0:
                others += 1
                assert objective(other) >= objective(d) - 1e-12
    assert others > 100


def test_one_objective_sophias_limit_is_one_for_each_coordinate():
    g, H = np.array([3.0, -0.1, 2]), np.diag([1.0, 2, 100])
    assert_allclose(one_objective.least(g, H, one_objective.PLAIN, 1.0, 0.5), [-0.5, 0.05, -0.02])


@pytest.mark.parametrize("settings", [{}, {"batches": 4, "batch_size": 50, "lr": 0.1, "damping": 1e-2}])
def test_one_objective_every_row_is_the_least_of_it_and_no_row_with_another_limit(settings, arrays):
    drawn = arrays("one_objective") if not settings else one_objective.compute(**settings)
    assert drawn["apart"].max() < 1e-6 and np.sort(drawn["apart"])[-3] < 1e-9
    g, H, rng = np.ones(4), np.diag([1.0, 4, 9, 100]), np.random.default_rng(0)
    steps = [one_objective.least(rng.standard_normal(4) + g, H, limit, 0.3, 0.05)
             for limit in ("", one_objective.WHOLE, one_objective.GRADIENT, one_objective.EACH, one_objective.PLAIN)]
    for a, b in combinations(steps, 2):
        assert np.linalg.norm(a - b) > 1e-2 * np.linalg.norm(b)


def test_one_objective_without_a_limit_a_step_falls_like_one_over_lambda_and_with_the_gradients_like_its_root(arrays):
    drawn = arrays("one_objective")
    for (name, *_, limit), lam, ratio in zip(one_objective.ROWS, drawn["lam"], drawn["ratio"], strict=True):
        seen = ~np.isnan(lam)
        if np.ptp(lam[seen]) > 1e-9:
            slope, residual = np.polynomial.polynomial.polyfit(np.log(lam[seen]), np.log(ratio[seen]), 1, full=True)
            expected = {"": -1, one_objective.WHOLE: -1, one_objective.GRADIENT: -0.5}.get(limit)
            if expected is None:
                assert residual[0] > 1, name
            else:
                assert_allclose(slope[1], expected, rtol=1e-3, err_msg=name)


def test_one_objective_a_dot_stands_where_there_is_a_gradient_and_no_guard(arrays):
    lam, ratio = (arrays("one_objective")[key] for key in ("lam", "ratio"))
    assert np.array_equal(np.isfinite(lam), np.isfinite(ratio)) and (ratio[np.isfinite(ratio)] > 0).all()
    dots = dict(zip(one_objective.SETTINGS, np.isfinite(lam).sum(axis=1)))
    whole, theta = one_objective.problem()
    theta = one_objective.path(one_objective.adam(whole, theta, lr=0.03), 30)[-1]
    risk = one_objective.EmpiricalRisk(one_objective.NETWORK, whole.X, whole.Y, batch_size=20)
    D = [one_objective.hutchinson(risk.loss(t), theta, 0, t) for t in range(1, 7)]
    assert dots["sophia"] == np.count_nonzero(0.99**np.arange(6) @ D[::-1] > 0) < theta.size
    for name in "gradient_descent", "normalized_descent", "sign_descent", "adagrad", "adam", "adahessian":
        assert dots[name] == theta.size, name
    assert dots["full_matrix_adagrad"] == 6, "a matrix of six gradients"
    for name in "natural_gradient", "normalized_natural_gradient", "gradient_norm_normalized", "eigenbasis_normalized":
        assert dots[name] == 20 * (one_objective.NETWORK.output_size - 1), "20 examples, whose probabilities sum to 1"


def test_one_objective_draws_these_points_beside_these_names(arrays):
    drawn = arrays("one_objective")
    figure = one_objective.draw(**drawn)
    ax, = figure.axes
    for y, (row, inset, lam, ratio) in enumerate(zip(one_objective.ROWS, ax.child_axes, drawn["lam"], drawn["ratio"],
                                                     strict=True)):
        points, = inset.lines
        assert_allclose(points.get_xydata(), np.column_stack([lam, ratio]))
        texts = {text.get_position()[0]: text.get_text() for text in ax.texts if text.get_position()[1] == -y}
        assert list(texts.values())[:5] == [METHODS[row[0]][2], *(choice or "–" for choice in row[2:])]
        assert texts[6.75] == f"{-np.log10(drawn['apart'][y]):.0f}"
    plt.close(figure)
