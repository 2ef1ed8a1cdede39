"""The figures of Newton's methods and of those that imitate them show what their captions claim."""
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from figures import conjugate_from_bad_starts as bad_starts
from figures import residual_polynomials, self_correction, trust_region_path
from numopt import optimizers
from numopt.problems import Quadratic, Rosenbrock

# ------------------------------------------------------------------------------------------- residual_polynomials

SPECTRA = {"drawn": {}, "clusters": {"eigenvalues": (1, 1.05, 1.1, 9, 9.2, 60), "steps": 14},
           "even": {"eigenvalues": tuple(np.linspace(2, 30, 9)), "steps": 18}}


@pytest.fixture(params=SPECTRA, scope="module")
def polynomials(request, arrays):
    settings = SPECTRA[request.param]
    return residual_polynomials.compute(**settings) if settings else arrays("residual_polynomials")


def least(lam, weights, k):
    """The least √Σ w p(λ)² of all polynomials p of degree k with p(0) = 1."""
    scaled = lam / lam.max()
    b = np.sqrt(weights)
    basis = np.linalg.qr(b[:, None] * scaled[:, None]**np.arange(1, k + 1))[0]
    return np.linalg.norm(b - basis @ (basis.T @ b))


def test_residual_polynomials_descent_multiplies_by_the_same_number_at_every_step(polynomials):
    lam, left = polynomials["eigenvalues"], polynomials["gradient_descent"]
    share = 1 - 2 * lam / (lam.min() + lam.max())
    assert_allclose(left, share**np.arange(len(left))[:, None], atol=1e-12)


def test_residual_polynomials_every_method_begins_with_an_error_of_one_and_drawn_are_seven(polynomials):
    names = set(polynomials) - {"eigenvalues"}
    assert names == set(residual_polynomials.NAMES) and len(names) == 7
    for name in names:
        assert_array_equal(polynomials[name][0], 1)


def test_residual_polynomials_gcr_has_the_shortest_residual_and_cg_the_least_energy_of_all_polynomials(polynomials):
    lam = polynomials["eigenvalues"]
    for k in range(6):
        assert_allclose(np.linalg.norm(lam * polynomials["gcr"][k]), least(lam, lam**2, k), rtol=1e-6, atol=1e-9)
        energy = np.sqrt(np.sum(lam * polynomials["conjugate_gradient"][k]**2))
        assert_allclose(energy, least(lam, lam, k), rtol=1e-6, atol=1e-9)


def test_residual_polynomials_no_line_is_below_that_of_gcr(polynomials):
    lam = polynomials["eigenvalues"]
    length = {name: np.linalg.norm(lam * x, axis=1) for name, x in polynomials.items() if name != "eigenvalues"}
    for name in ("gradient_descent", "momentum", "nesterov", "conjugate_gradient", "anderson"):
        assert (length["gcr"] <= length[name] * (1 + 1e-9) + 1e-9).all(), name
    assert (length["gcr"] <= length["lbfgs"] * (1 + 1e-9) + 1e-9)[:2].all(), "later it has asked for more gradients"


def test_residual_polynomials_as_many_steps_of_gcr_as_there_are_eigenvalues_leave_nothing_and_one_less_something(
        polynomials):
    n = len(polynomials["eigenvalues"])
    assert np.abs(polynomials["gcr"][n]).max() < 1e-9 < 1e-6 < np.abs(polynomials["gcr"][n - 1]).max()


def test_residual_polynomials_anderson_is_a_plain_step_from_where_gcr_was(polynomials):
    lam, n = polynomials["eigenvalues"], len(polynomials["eigenvalues"])
    plain = 1 - 2 * lam / (lam.min() + lam.max())
    assert_allclose(polynomials["anderson"][1:n], plain * polynomials["gcr"][:n - 1], atol=1e-6)


def test_residual_polynomials_the_three_that_stand_alone_go_first_and_rounding_brings_the_largest_back(arrays):
    drawn = arrays("residual_polynomials")
    cg, gcr = np.abs(drawn["conjugate_gradient"]), np.abs(drawn["gcr"])
    for left in (cg, gcr):
        assert left[5, -3:].max() < 1e-3 < 0.1 < left[5, :8].max()
    assert cg[7, -1] < 1e-8 < 1e-5 < cg[10, -1] and gcr[10, -1] < 1e-12
    n = len(drawn["eigenvalues"])
    assert np.abs(cg[n]).max() > 1e-5 > 1e-6 > np.abs(cg[n + 1]).max()


def test_residual_polynomials_nesterov_ends_the_largest_at_once_and_the_heavy_ball_is_the_slowest_at_first(arrays):
    drawn = arrays("residual_polynomials")
    assert np.abs(drawn["nesterov"][1, -1]) < 1e-12
    lam = drawn["eigenvalues"]
    assert np.linalg.norm(lam * drawn["momentum"][5]) > np.linalg.norm(lam * drawn["gradient_descent"][5])
    assert np.linalg.norm(lam * drawn["lbfgs"][9]) > 100 * np.linalg.norm(lam * drawn["gcr"][9])


def test_residual_polynomials_draws_these_shares(arrays):
    drawn = arrays("residual_polynomials")
    figure = residual_polynomials.draw(**drawn)
    maps = {ax.get_title(): ax.collections[0].get_array() for ax in figure.axes if ax.get_title()}
    for name, label in residual_polynomials.NAMES.items():
        assert_allclose(np.ravel(maps[label]), np.ravel(np.log10(np.maximum(np.abs(drawn[name]), 1e-300))))
    lines = next(ax for ax in figure.axes if ax.get_ylabel() == "length of the residual").lines
    lengths = [np.linalg.norm(drawn["eigenvalues"] * drawn[name], axis=1) for name in residual_polynomials.NAMES]
    for line, length in zip(lines, lengths, strict=True):
        assert_allclose(line.get_ydata(), length / length[0])
    plt.close(figure)


# ---------------------------------------------------------------------------------------------- trust_region_path

MODELS = {"drawn": {},
          "turned": {"curvatures": (0.6, 2.4), "angle": 0.6, "newton": (1.0, 2.0), "radii": (0.3, 1.0, 1.9)},
          "wide": {"curvatures": (0.1, 20.0), "newton": (6.0, 0.5), "radii": (0.4, 2.0, 5.0),
                   "start": (-0.5, 2.0), "steps": 12}}


@pytest.fixture(params=MODELS, scope="module")
def trusted(request, arrays):
    settings = MODELS[request.param]
    return trust_region_path.compute(**settings) if settings else arrays("trust_region_path")


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_trust_region_path_begins_along_the_gradient_and_ends_at_newtons_point_and_turns_all_the_way(trusted):
    H, g, path = trusted["H"], trusted["g"], trusted["path"]
    assert cosine(path[0], -g) > 1 - 1e-5
    assert_allclose(path[-1], -np.linalg.solve(H, g), rtol=1e-4)
    turns = [cosine(p, -g) for p in path]
    assert np.all(np.diff(turns) <= 1e-12) and np.all(np.diff(np.linalg.norm(path, axis=1)) > 0)


def test_trust_region_path_no_point_of_the_circle_is_lower_in_the_model(trusted):
    q = Quadratic(trusted["H"], -trusted["g"])
    turn = np.linspace(0, 2 * np.pi, 721)
    for p in trusted["path"][::20]:
        around = np.linalg.norm(p) * np.column_stack([np.cos(turn), np.sin(turn)])
        for share in (0.25, 0.5, 0.75, 0.95, 1.0):
            assert q.value(p) <= min(q.value(share * other) for other in around) + 1e-12


def test_trust_region_path_steihaugs_points_lie_on_the_circles_between_the_best_and_the_gradient_step(trusted):
    H, g = trusted["H"], trusted["g"]
    q = Quadratic(H, -g)
    for p, r in zip(trusted["steihaug"], trusted["radii"]):
        assert_allclose(np.linalg.norm(p), r)
        down = -min(r / np.linalg.norm(g), g @ g / (g @ H @ g)) * g
        length = np.linalg.norm(trusted["path"], axis=1)
        best = trusted["path"][np.abs(length - r).argmin()]
        assert q.value(best) <= q.value(p) + 0.02 * abs(q.value(p)) and q.value(p) <= q.value(down) + 1e-12


def test_trust_region_path_every_trial_ends_within_its_circle_and_a_refused_one_makes_the_next_a_quarter(trusted):
    valley = Rosenbrock()
    length = np.linalg.norm(trusted["trials"] - trusted["centres"], axis=1)
    assert np.all(length <= trusted["radius"] * (1 + 1e-12))
    stayed = np.all(trusted["centres"][1:] == trusted["centres"][:-1], axis=1)
    assert_allclose(trusted["radius"][1:][stayed], trusted["radius"][:-1][stayed] / 4)
    assert_allclose(trusted["centres"][1:][~stayed], trusted["trials"][:-1][~stayed])
    f = [valley.value(theta) for theta in trusted["centres"]]
    assert np.all(np.diff(f)[~stayed] < 0) and np.all(trusted["rho"][:-1][stayed] <= 0.15)
    for centre, trial, radius, rho in zip(*(trusted[key] for key in ("centres", "trials", "radius", "rho"))):
        g, Hp, p = valley.gradient(centre), valley.hessian(centre) @ (trial - centre), trial - centre
        assert_allclose(valley.value(centre) - valley.value(trial), -rho * (g @ p + p @ Hp / 2), rtol=1e-6, atol=1e-15)
        on_the_circle = np.linalg.norm(p) > radius * (1 - 1e-9)
        assert on_the_circle or np.linalg.norm(g + Hp) <= np.linalg.norm(g) / 2


@pytest.mark.parametrize("steps, refused, points", [(26, [2, 8, 12], 27), (9, [2, 8], 9), (99, [2, 8, 12], 31)])
def test_trust_region_path_what_is_refused_has_a_cross_and_no_small_step_has(steps, refused, points, arrays):
    """Of 9 steps the last is refused, and the path ends before it; of 99 the run takes 30, the last ones tiny."""
    drawn = arrays("trust_region_path") if steps == 26 else trust_region_path.compute(steps=steps)
    assert_array_equal(np.flatnonzero(drawn["rho"] <= 0.15), refused)
    figure = trust_region_path.draw(**drawn)
    run = next(ax for ax in figure.axes if ax.get_title() == "one run")
    crosses, walk = ([line.get_xydata() for line in run.lines if line.get_marker() == mark] for mark in ("x", "o"))
    assert_allclose(crosses[0], drawn["trials"][refused])
    assert len(walk[0]) == points
    share = next(ax for ax in figure.axes if ax.get_ylabel() == "share $\\rho$")
    assert_allclose(share.lines[0].get_ydata(), drawn["rho"])
    plt.close(figure)


# ------------------------------------------------------------------------------------------------- self_correction

@pytest.fixture(params=["drawn", "smaller", "wider"], scope="module")
def corrected(request, arrays):
    if request.param == "drawn":
        return arrays("self_correction")
    size, condition, history = (12, 300.0, 6) if request.param == "smaller" else (16, 1e4, 8)
    return self_correction.compute(size=size, condition=condition, steps=7 * size, history=history,
                                   conditions=(1e2, 1e5), starts=2)


def test_self_correction_bfgs_ends_near_the_inverse_from_a_matrix_that_was_wrong_everywhere(corrected):
    first, last = corrected["bfgs"][0], corrected["bfgs"][-1]
    assert first.max() / first.min() > 1e4
    assert 0.5 < last.min() < 1 < last.max() < 2


def test_self_correction_what_is_too_large_is_brought_in_before_what_is_too_small(corrected):
    within = [(np.abs(np.log2(corrected["bfgs"][:, i])) > 1).sum() for i in range(corrected["bfgs"].shape[1])]
    small, large = np.array(within[:len(within) // 2]), np.array(within[len(within) // 2:])
    assert large.max() < small[:len(small) // 2].min()


def test_self_correction_lbfgs_never_settles(corrected):
    half = corrected["lbfgs"][len(corrected["lbfgs"]) // 2:]
    assert (half.max(axis=1) / half.min(axis=1)).min() > 10 * corrected["bfgs"][-1].max() / corrected["bfgs"][-1].min()


@pytest.mark.parametrize("seed", [0, 1])
def test_self_correction_after_ten_steps_lbfgs_has_lost_its_ten_wrong_pairs(seed):
    valley, start, turned = self_correction.quadratic(20, 1e3, seed)
    method, memory = self_correction.beginnings(valley, turned, 10, seed)["wrong_pairs"]
    run, left = method(valley, start, **memory), []
    for t in range(11):
        left.append(sum(np.array_equal(s, wrong) for s, _ in run["pairs"] for wrong, _ in memory["pairs"]))
        next(run)
    assert left == list(range(10, -1, -1))
    for s, y in run["pairs"]:
        assert_allclose(y, valley.A @ s, atol=1e-9)


def test_self_correction_on_wide_spectra_the_wrong_matrix_costs_bfgs_less_than_the_limited_memory(corrected):
    own, back, turned, limited, wrong = np.median(corrected["asked"], axis=-1)
    assert np.isfinite(corrected["asked"]).all() and corrected["conditions"][-1] == 1e5
    for bfgs in (own, back, turned):
        assert bfgs[-1] < limited[-1] / 2
    assert max(back[-1], turned[-1]) < 1.3 * own[-1]
    assert_allclose(wrong[-1], limited[-1], rtol=0.35)


def test_self_correction_draws_these_numbers(arrays):
    drawn = arrays("self_correction")
    figure = self_correction.draw(**drawn)
    first, second, cost = figure.axes
    assert_allclose(np.transpose([line.get_ydata() for line in first.lines[1:]]), drawn["bfgs"])
    assert_allclose(np.transpose([line.get_ydata() for line in second.lines[1:]]), drawn["lbfgs"])
    assert_allclose([line.get_ydata() for line in cost.lines], np.median(drawn["asked"], axis=-1))
    plt.close(figure)


@pytest.mark.parametrize("figure, goal", [(self_correction, "target"), (bad_starts, "gradient")])
@pytest.mark.parametrize("reason", ["steps", "diverged", "ended", "target", "gradient"])
def test_who_does_not_come_so_far_takes_infinitely_many_gradients(figure, goal, reason, monkeypatch):
    monkeypatch.setattr(figure, "record", lambda run, *_, **how: SimpleNamespace(reason=reason))
    how = {self_correction: (optimizers.bfgs, Rosenbrock(), np.zeros(2), {}),
           bad_starts: ("fletcher_reeves", 0.1, 4, 0)}[figure]
    assert np.isfinite(figure.gradients(*how)) == (reason == goal)


# --------------------------------------------------------------------------------------- conjugate_from_bad_starts

@pytest.mark.parametrize("size, condition, tilt", [(60, 100.0, 0.01), (30, 1000.0, 0.003), (100, 10.0, 0.03)])
def test_conjugate_from_bad_starts_only_fletcher_and_reeves_keep_a_bad_direction_until_they_start_afresh(
        size, condition, tilt):
    fr, pr, hs = (np.array(bad_starts.cosines(name, size, condition, tilt, size + 2))
                  for name in ("fletcher_reeves", "polak_ribiere_plus", "hestenes_stiefel"))
    assert fr[:size - 1].max() < 3 * tilt
    assert_allclose(fr[size - 1], 1)
    for other in (pr, hs):
        assert other[0] > 0.99 and other.min() > 10 * tilt


def test_conjugate_from_bad_starts_all_arrive_and_the_more_parameters_the_more_fletcher_and_reeves_pay(arrays):
    asked = arrays("conjugate_from_bad_starts")["asked"]
    assert np.isfinite(asked).all()
    fr, pr, hs, rule = np.median(asked, axis=-1)
    assert np.all(np.diff(fr / pr) > 0) and fr[-1] > 1.3 * max(pr[-1], hs[-1])
    assert asked[0, -1].min() > asked[1:3, -1].max()
    assert rule[-1] > 1.2 * pr[-1], "the rule costs Polak and Ribière something"


def test_conjugate_from_bad_starts_with_the_rule_all_formulas_cost_about_the_same():
    costs = np.array([[bad_starts.gradients(name, 0.1, 25, seed) for seed in range(10, 14)]
                      for name in ("fletcher_reeves", "polak_ribiere_plus", "hestenes_stiefel")])
    middle = np.median(costs, axis=1)
    assert middle.max() < 1.15 * middle.min()
    free = np.median([[bad_starts.gradients(name, bad_starts.FREE, 45, seed) for seed in (10, 11)]
                      for name in ("fletcher_reeves", "polak_ribiere_plus")], axis=1)
    assert free[0] > 1.3 * free[1]


def test_conjugate_from_bad_starts_draws_these_numbers(arrays):
    drawn = arrays("conjugate_from_bad_starts")
    figure = bad_starts.draw(**drawn)
    angle, cost = figure.axes
    assert_allclose([line.get_ydata() for line in angle.lines[:3]], drawn["cosine"])
    middles = [container.lines[0].get_ydata() for container in cost.containers]
    assert_allclose(middles, np.median(drawn["asked"], axis=-1))
    plt.close(figure)


def test_conjugate_from_bad_starts_there_are_ticks_down_to_the_cheapest_formula(arrays):
    drawn = arrays("conjugate_from_bad_starts")
    figure = bad_starts.draw(**drawn | {"asked": drawn["asked"] * np.array([0.1, 1, 1, 10])[:, None, None]})
    ticks = figure.axes[1].get_yticks()
    assert ticks[0] < 2 * drawn["asked"][0].min() / 10 and ticks[-1] > drawn["asked"][3].max() * 10 / 2
    plt.close(figure)
