"""The figures about curvature show what their captions claim: tested on the arrays that are drawn."""
import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.linalg import eigsh
from scipy.special import log_softmax, softmax

from figures import (
    batch_normalization, edge_of_stability, gradient_noise, ill_conditioned_taylor, length_limits, loss_surface,
    matrices, momentum_phase_diagram, nearer_to_fisher, piecewise_linear_rate,
    sam_and_sharpness, unified_table, vanishing_and_exploding)
from numopt import schedules
from numopt.data import digits
from numopt.linalg import dense
from numopt.networks import mlp
from numopt.optimizers import adam, gradient_descent, sam
from numopt.problems import EmpiricalRisk, MiniBatch, quadratic_with
from numopt.record import path

# ----------------------------------------------------------------------------------------- momentum_phase_diagram


def companion_radius(al, mu):
    """The larger |eigenvalue| of (x, x_last) -> ((1 + mu - al) x - mu x_last, x)."""
    return np.abs(np.linalg.eigvals(np.array([[1 + mu - al, -mu], [1.0, 0.0]]))).max()


def test_momentum_phase_diagram_a_run_shrinks_as_the_companion_matrix_says(arrays):
    AL, MU, rate = map(arrays("momentum_phase_diagram").get, ("al", "mu", "rate"))
    expected = np.array([[companion_radius(al, mu) for al in AL] for mu in MU])
    assert_allclose(rate[1:], expected[1:], atol=0.025)
    assert np.median(np.abs(rate - expected)) < 1e-3


def test_momentum_phase_diagram_it_diverges_from_twice_1_plus_mu_on(arrays):
    AL, MU, rate = map(arrays("momentum_phase_diagram").get, ("al", "mu", "rate"))
    edge = 2 * (1 + MU[:, None])
    clear = np.abs(AL - edge) > 0.05
    assert np.array_equal((rate > 1)[clear], (edge < AL)[clear]) and clear.mean() > 0.95


def test_momentum_phase_diagram_between_the_curves_a_step_leaves_the_root_of_mu(arrays):
    AL, MU, rate = map(arrays("momentum_phase_diagram").get, ("al", "mu", "rate"))
    mu = MU[:, None]
    between = ((1 - mu**0.5)**2 < AL - 0.05) & (AL + 0.05 < (1 + mu**0.5)**2)
    assert_allclose(rate[between], np.broadcast_to(mu**0.5, rate.shape)[between], atol=0.01)
    assert between.mean() > 0.4


def test_momentum_phase_diagram_to_the_left_no_sign_changes_and_to_the_right_every_one(arrays):
    AL, MU, flips = map(arrays("momentum_phase_diagram").get, ("al", "mu", "flips"))
    mu = MU[:, None]
    assert (flips[AL <= (1 - mu**0.5)**2 * (1 - 1e-9)] == 0).all()
    assert (flips[(AL > (1 + mu**0.5)**2 + 0.05) & (AL < 4)] > 0.98).all()


def test_momentum_phase_diagram_at_a_given_rate_it_is_fastest_on_the_left_curve(arrays):
    AL, MU, rate = map(arrays("momentum_phase_diagram").get, ("al", "mu", "rate"))
    some = (AL > 0.02) & (AL < 0.9)
    best = MU[rate[:, some].argmin(axis=0)]
    assert_allclose(best, (1 - AL[some]**0.5)**2, atol=0.03)


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.9])
def test_momentum_phase_diagram_what_a_run_is_called_is_what_its_roots_say(mu):
    for al in np.linspace(0.01, 4.5, 40):
        roots = np.roots([1, al - 1 - mu, mu])
        wanted = ("diverges" if np.abs(roots).max() > 1 else "swings" if np.iscomplex(roots).any()
                  else "flips" if roots.min() < 0 else "creeps")
        assert momentum_phase_diagram.kind(al, mu) == wanted, al


def test_momentum_phase_diagram_other_marks_have_panels_that_say_what_they_do():
    drawn = momentum_phase_diagram.compute(steps=20, points=9, widest=2.5, marked_al=(0.1, 3.9), marked_mu=(0.5, 0.1))
    figure = momentum_phase_diagram.draw(**drawn)
    assert [ax.get_title() for ax in figure.axes[1:3]] == ["a  swings", "b  diverges"]
    assert figure.axes[0].get_xlim() == (0, 2.5)
    with pytest.raises(ValueError, match="marked_al and marked_mu are of 2 and 1 runs"):
        momentum_phase_diagram.compute(marked_al=(1.0, 2.0), marked_mu=(0.5,))


def test_momentum_phase_diagram_the_marked_runs_are_of_the_four_kinds(arrays):
    creeps, swings, flips, diverges = examples = arrays("momentum_phase_diagram")["examples"]
    assert (examples[:, 0] == 1).all()
    assert [momentum_phase_diagram.kind(*mark) for mark in arrays("momentum_phase_diagram")["marks"]] == [
        "creeps", "swings", "flips", "diverges"]
    assert (np.diff(creeps) < 0).all() and (creeps > 0).all()
    assert 3 <= np.sum(swings[1:] * swings[:-1] < 0) <= 7
    assert (flips[1:] * flips[:-1] < 0).all() and np.abs(flips[-1]) < 0.1
    assert (diverges[1:] * diverges[:-1] < 0).all() and np.abs(diverges[-1]) > 5


# ----------------------------------------------------------------------------------------- ill_conditioned_taylor

def test_ill_conditioned_taylor_the_second_order_says_what_one_step_does_at_every_rate(arrays):
    drawn = arrays("ill_conditioned_taylor")
    at, alpha = drawn["at"], drawn["alphas"]
    gg, gHg, change = drawn["gg"][at], drawn["gHg"][at], drawn["change"]
    assert_allclose(change, -alpha * gg + alpha**2 / 2 * gHg, atol=0.02 * np.abs(change).max())
    crossing = alpha[1:][np.flatnonzero(change[1:] > 0)[0]]
    assert_allclose(crossing, 2 * gg / gHg, rtol=0.05)


def test_ill_conditioned_taylor_the_printed_form_changes_the_loss_by_a_step_of_length_0(arrays):
    drawn = arrays("ill_conditioned_taylor")
    at, alpha = drawn["at"], drawn["alphas"]
    printed = -drawn["gg"][at] + alpha**2 / 2 * drawn["gHg"][at]
    assert alpha[0] == 0 and drawn["change"][0] == 0 and printed[0] < -0.9 * np.abs(printed).max()


def test_ill_conditioned_taylor_the_loss_rises_where_the_curvature_is_above_2_over_alpha(arrays):
    drawn = arrays("ill_conditioned_taylor")
    alpha = drawn["lr"]
    rose, curvature = np.diff(drawn["value"]) > 0, (drawn["gHg"] / drawn["gg"])[:-1]
    assert np.mean(rose == (curvature > 2 / alpha)) > 0.98 and 50 < rose.sum() < 150
    assert not (curvature > 2 / alpha**2).any()


@pytest.mark.parametrize("lr, agree", [(0.3, 0.99), (0.4, 0.99), (0.6, 0.9)])
def test_ill_conditioned_taylor_at_other_rates_too_and_at_0_6_in_twelve_of_thirteen_steps(lr, agree):
    drawn = ill_conditioned_taylor.compute(lr=lr)
    rose, curvature = np.diff(drawn["value"]) > 0, (drawn["gHg"] / drawn["gg"])[:-1]
    assert np.mean(rose == (curvature > 2 / lr)) > agree


def test_ill_conditioned_taylor_grey_are_the_steps_at_which_the_curvature_is_above_2_over_alpha(arrays):
    drawn = arrays("ill_conditioned_taylor")
    figure = ill_conditioned_taylor.draw(**drawn)
    for ax in figure.axes[1:]:
        grey = np.concatenate([np.unique(area.vertices[:, 0]) for area in ax.collections[0].get_paths()])
        assert set(grey) == set(np.flatnonzero(drawn["gHg"] > 2 / drawn["lr"] * drawn["gg"]))
    plt.close(figure)


def test_ill_conditioned_taylor_only_the_first_steps_are_too_long_for_the_second_order(arrays):
    drawn = arrays("ill_conditioned_taylor")
    alpha = drawn["lr"]
    actual = np.diff(drawn["value"])
    taylor = (-alpha * drawn["gg"] + alpha**2 / 2 * drawn["gHg"])[:-1]
    curvature = (drawn["gHg"] / drawn["gg"])[:-1]
    assert actual[0] < 0 < taylor[0] and curvature[0] > 2 / alpha
    assert np.corrcoef(actual[5:], taylor[5:])[0, 1] > 0.99
    assert_allclose(np.polyfit(taylor[5:], actual[5:], 1)[0], 1, atol=0.06)


# ------------------------------------------------------------------------------------------ piecewise_linear_rate

def test_piecewise_linear_rate_every_schedule_is_drawn():
    public = {name for name, thing in inspect.getmembers(schedules, callable)
              if thing.__module__ == schedules.__name__ and thing.__doc__ and "checked" not in name}
    assert set(piecewise_linear_rate.LINES) == public - {"schedule", "counted"}


def test_piecewise_linear_rate_all_start_at_a_tenth_or_warm_up_to_it(arrays):
    first = arrays("piecewise_linear_rate")["first"]
    assert first.shape == (len(piecewise_linear_rate.LINES), piecewise_linear_rate.STEPS)
    assert_allclose(first.max(axis=1), 0.1, rtol=2e-3)
    rises = "warm_up", "warmup_stable_decay", "one_cycle"
    falls = np.array([name not in rises for name in [*piecewise_linear_rate.schedules_from(0.1), "reduce_on_plateau"]])
    assert (np.diff(first[falls]) <= 1e-17).all() and (first[~falls, 0] < 0.1 / 24).all()
    up_and_down = np.sign(np.diff(first[~falls])).astype(int)
    assert all(list(dict.fromkeys(line[line != 0])) == [1, -1] for line in up_and_down)


def test_piecewise_linear_rate_the_curves_are_lines_powers_and_squares_of_cosines(arrays):
    t, drawn = piecewise_linear_rate.FIRST, arrays("piecewise_linear_rate")
    down, up = (lambda share: 0.1 * np.cos(np.pi / 2 * share)**2), (lambda share: np.sin(np.pi / 2 * share)**2)
    expected = {"constant": np.full(1000, 0.1),
                "piecewise_linear": np.interp(t, [0, 800], [0.1, 0.001]),
                "step": np.repeat([0.1, 0.01, 0.001, 0.0001], 300)[:1000],
                "exponential": 0.1 * np.exp(np.log(0.995) * (t - 1)),
                "inverse_time": 10 / (99 + t),
                "cosine": down((t - 1) / 1000),
                "warm_up": np.where(t <= 150, t / 1510, down((t - 151) / 850)),
                "warmup_stable_decay": np.interp(t, [0, 101, 800, 1000], [0, 0.1, 0.1, 0]),
                "one_cycle": np.where(t < 300, 0.004 + 0.096 * up((t - 1) / 299),
                                      4e-7 + (0.1 - 4e-7) * down((t - 300) / 700) / 0.1)}
    for name, first, long_run in zip(piecewise_linear_rate.schedules_from(0.1), drawn["first"], drawn["long_run"]):
        assert_allclose(first, expected[name], rtol=1e-9, atol=1e-15, err_msg=name)
        early = piecewise_linear_rate.LONG_RUN[piecewise_linear_rate.LONG_RUN <= 1000]
        assert_allclose(long_run[:len(early)], first[early - 1])


def test_piecewise_linear_rate_on_a_plateau_the_rate_falls_right_after_ten_looks_that_saw_nothing_lower(arrays):
    rates = arrays("piecewise_linear_rate")["first"][-1]
    theta, losses = np.array([3.0, 1.0]), [9.5]
    for t, rate in enumerate(rates, start=1):
        xi = np.random.default_rng([0, t]).standard_normal(2)
        theta = (1 - rate * np.array([1.0, 10.0])) * theta - rate * xi
        losses.append((theta[0]**2 + 10 * theta[1]**2) / 2)
    looks, falls, waited = np.array(losses[::10]), [], 0
    for look in range(1, 100):
        waited = 0 if looks[look] < (1 - 1e-4) * looks[:look].min() else waited + 1
        if waited == 10:
            falls, waited = [*falls, 10 * look], 0
    assert len(falls) > 3
    assert_allclose(rates, 0.1 * 0.3**np.searchsorted(falls, np.arange(1000), side="right"))


def test_piecewise_linear_rate_wsd_is_at_its_height_for_longest_and_one_cycle_comes_furthest_down(arrays):
    drawn = arrays("piecewise_linear_rate")
    rates = dict(zip([*piecewise_linear_rate.schedules_from(0.1), "reduce_on_plateau"], drawn["first"]))
    high = {name: np.mean(rate > 0.095) for name, rate in rates.items() if name != "constant"}
    assert max(high, key=high.get) == "warmup_stable_decay" and high["warmup_stable_decay"] > 0.69
    assert 0 < rates["one_cycle"][-1] < 1e-3 * rates["one_cycle"][0]


@pytest.mark.parametrize("name", piecewise_linear_rate.schedules_from(0.1))
def test_piecewise_linear_rate_only_inverse_time_meets_both_conditions(name, arrays):
    t, rate = piecewise_linear_rate.LONG_RUN, arrays("piecewise_linear_rate")["long_run"]
    rate = dict(zip(piecewise_linear_rate.schedules_from(0.1), rate))[name]
    width = np.diff(t, append=t[-1])
    ends = np.array([1e4, 1e5, 1e6])
    sums, squares = (np.array([np.sum((power * width)[t < end]) for end in ends]) for power in (rate, rate**2))
    assert t[0] == 1 and rate[0] == piecewise_linear_rate.schedules_from(0.1)[name](1)
    still_grows, settles = np.diff(sums)[1] > 0.9 * np.diff(sums)[0] > 0, \
        np.diff(squares)[1] <= 0.2 * np.diff(squares)[0] + 1e-12 * squares[0]
    assert (still_grows and settles) == (name == "inverse_time")
    assert still_grows == (name in ("inverse_time", "constant", "piecewise_linear", "one_cycle"))
    assert settles == (name not in ("constant", "piecewise_linear", "one_cycle"))


def test_piecewise_linear_rate_in_the_long_run_one_line_alone_has_the_steepness_that_is_asked_for(arrays):
    t, rates = piecewise_linear_rate.LONG_RUN, arrays("piecewise_linear_rate")["long_run"]
    late = t > 1e5
    steep = {name: np.polyfit(np.log(t[late]), np.log(rate[late]), 1)[0]
             for name, rate in zip(piecewise_linear_rate.schedules_from(0.1), rates) if (rate[late] > 0).all()}
    assert [name for name, power in steep.items() if -1.001 <= power < -0.5] == ["inverse_time"]


# ---------------------------------------------------------------------------------------- vanishing_and_exploding

def test_vanishing_and_exploding_a_part_grows_by_its_eigenvalue_at_every_power(arrays):
    parts = arrays("vanishing_and_exploding")["parts"]
    N = np.arange(len(parts))[:, None]
    assert_allclose(parts[0], [1, 0.5, 1, 1])
    assert_allclose(parts, parts[0] * arrays("vanishing_and_exploding")["eigenvalues"]**N, rtol=1e-9)
    grown = np.abs(parts[-1] / parts[0])
    assert grown[0] > 100 and grown[1] > 100 and grown[3] < 0.01
    assert arrays("vanishing_and_exploding")["eigenvalues"][1] < 1  # and so it would have to vanish, as printed


def per_layer(norms):
    """The factor from one layer to the next, in the geometric mean over the middle layers and the seeds."""
    return np.exp(np.diff(np.log(norms[:, 5:-5]), axis=1).mean())


def test_vanishing_and_exploding_glorots_weights_keep_the_size_of_both(arrays):
    drawn = arrays("vanishing_and_exploding")
    for name in ("forwards", "backwards"):
        norms = drawn[name][0]
        assert norms.max() / norms.min() < 40 and 0.95 < per_layer(norms) < 1.05
        assert 4 < norms.max(axis=1).mean() / norms.min(axis=1).mean() < 20


def test_vanishing_and_exploding_with_half_the_weights_both_halve(arrays):
    drawn = arrays("vanishing_and_exploding")
    assert_allclose(per_layer(drawn["forwards"][1]), 0.5, rtol=0.03)
    assert_allclose(per_layer(drawn["backwards"][1]), 2.0, rtol=0.03)
    assert drawn["backwards"][1, :, 0].max() < 1e-13


def test_vanishing_and_exploding_with_deviation_1_units_are_saturated_and_derivatives_double(arrays):
    drawn, units = arrays("vanishing_and_exploding"), 64
    forwards, backwards = drawn["forwards"][2, :, 1:], drawn["backwards"][2]
    assert (forwards > 0.93 * units**0.5).all() and (forwards <= units**0.5).all()
    # With inputs of ±1 a unit's sum z is normal with variance 64: E tanh'(z)² over its density, times 64 weights of 1.
    z = np.linspace(-60, 60, 20001)
    slope = np.cosh(z)**-4 * np.exp(-z**2 / (2 * 0.9 * units)) / np.sqrt(2 * np.pi * 0.9 * units)
    assert_allclose(1 / per_layer(backwards), (units * slope.sum() * (z[1] - z[0]))**0.5, rtol=0.05)
    assert backwards[:, 0].min() > 1e13 and 1.9 < 1 / per_layer(backwards) < 2.3


@pytest.mark.parametrize("units", [32, 128])
def test_vanishing_and_exploding_in_other_widths_too_but_the_derivatives_grow_with_the_fourth_root_of_the_width(units):
    drawn = vanishing_and_exploding.compute(units=units, layers=30, seeds=2)
    for name in ("forwards", "backwards"):
        assert 0.93 < per_layer(drawn[name][0]) < 1.07
    assert_allclose([per_layer(drawn["forwards"][1]), per_layer(drawn["backwards"][1])], [0.5, 2], rtol=0.03)
    assert_allclose(1 / per_layer(drawn["backwards"][2]), 2.07 * (units / 64)**0.25, rtol=0.05)


def test_vanishing_and_exploding_the_derivatives_are_those_of_the_gradient(arrays):
    X, Y, *_ = digits()
    network = mlp([64, *[64] * 49, 10])
    loss = MiniBatch(network, X[:1], Y[:1])
    for start in vanishing_and_exploding.STARTS.values():
        theta = network.initial(0, **start)
        bias = [np.linalg.norm(g[:, -1]) for g in loss.blocks(loss.gradient(theta))]
        A, G = zip(*loss.kronecker_factors(theta, labels="data"))
        assert_allclose([np.sqrt(np.trace(G_i)) for G_i in G], bias, rtol=1e-9)


# ------------------------------------------------------------------------------------------------------- matrices

def named(stack):
    return dict(zip(matrices.NAMES, stack))


@pytest.fixture(scope="module")
def trained():
    """The net of `matrices` after its training, with the Jacobian of its outputs and their probabilities."""
    loss, theta = matrices.problem()
    theta = path(adam(loss, theta, lr=0.03), 30)[-1]
    z = loss.network.outputs(theta, loss.X)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return loss, theta, loss.jacobian(theta), p / p.sum(axis=1, keepdims=True)


def test_matrices_the_fisher_matrix_is_the_mean_over_labels_that_the_model_draws(arrays, trained):
    loss, _, J, p = trained
    g = [np.einsum("nc,ncj->nj", p - y, J) for y in np.eye(5)]  # for each label
    expected = sum((p[:, [c]] * g[c]).T @ g[c] for c in range(5)) / loss.n
    assert_allclose(named(arrays("matrices")["after"])["Fisher F"], expected, atol=1e-12)


def test_matrices_gauss_newton_is_the_fisher_matrix(arrays, trained):
    loss, _, J, p = trained
    H = np.einsum("nc,cd->ncd", p, np.eye(5)) - p[:, :, None] * p[:, None, :]
    expected = np.einsum("nci,ncd,ndj->ij", J, H, J, optimize=True) / loss.n
    drawn = named(arrays("matrices")["after"])
    assert_allclose(drawn["Gauss-Newton"], expected, atol=1e-12)
    assert_allclose(drawn["Gauss-Newton"], drawn["Fisher F"], atol=1e-12)


def test_matrices_the_empirical_fisher_is_that_of_the_data_s_own_labels(arrays, trained):
    loss, theta, *_ = trained
    g = loss.per_example_gradients(theta)
    assert_allclose(named(arrays("matrices")["after"])["empirical Fisher"], g.T @ g / loss.n, atol=1e-12)


def test_matrices_the_hessian_is_the_derivative_of_the_gradient(arrays, trained):
    loss, theta, *_ = trained
    columns = [(loss.gradient(theta + 1e-5 * e) - loss.gradient(theta - 1e-5 * e)) / 2e-5 for e in np.eye(theta.size)]
    assert_allclose(named(arrays("matrices")["after"])["Hessian"], np.array(columns), atol=1e-8)


def test_matrices_many_draws_lead_from_the_sampled_to_the_exact_fisher_matrix(arrays, trained):
    loss, theta, *_ = trained
    drawn = named(arrays("matrices")["after"])
    off = np.linalg.norm(drawn["sampled Fisher"] - drawn["Fisher F"])
    draws = dense(loss.fisher(theta, samples=25, seed=1), theta.size)
    assert np.linalg.norm(draws - drawn["Fisher F"]) < off / 2


def test_matrices_kfac_has_blocks_only_and_these_are_near_at_the_start_alone(arrays):
    for stack, low, high in [(arrays("matrices")["before"], 0.2, 0.35), (arrays("matrices")["after"], 0.6, 0.8)]:
        kfac, F = named(stack)["K-FAC"], named(stack)["Fisher F"]
        assert_allclose(matrices.blocks(kfac), kfac)
        assert low < np.linalg.norm(kfac - matrices.blocks(F)) / np.linalg.norm(matrices.blocks(F)) < high
        for a, b in zip([0, *matrices.ENDS], matrices.ENDS):  # every block of rank one, once it is rearranged
            outputs = 5 if b == matrices.ENDS[-1] else 6
            rearranged = kfac[a:b, a:b].reshape(outputs, -1, outputs, (b - a) // outputs).transpose(0, 2, 1, 3)
            assert np.linalg.matrix_rank(rearranged.reshape(outputs**2, -1), tol=1e-10) == 1


def test_matrices_the_others_come_nearer_to_the_fisher_matrix_in_training(arrays):
    drawn = arrays("matrices")
    before, after = (dict(zip(matrices.NAMES, matrices.distances(drawn[when]))) for when in ("before", "after"))
    assert before["Hessian"] > 1.5 and before["empirical Fisher"] > 0.7
    assert 0.2 < after["Hessian"] < 0.5 and 0.2 < after["empirical Fisher"] < 0.5 and after["sampled Fisher"] < 0.3


@pytest.mark.parametrize("seed, steps", [(1, 10), (2, 60)])
def test_matrices_so_it_is_from_other_starts_and_after_fewer_steps_and_more(seed, steps):
    loss, _ = matrices.problem()
    start = matrices.NETWORK.initial(seed=seed)
    end = path(adam(loss, start, lr=0.03), steps)[-1]
    before, after = (dict(zip(matrices.NAMES, matrices.distances(np.array(matrices.matrices(loss, theta)))))
                     for theta in (start, end))
    assert max(before["Gauss-Newton"], after["Gauss-Newton"]) < 1e-12
    for name in ("Hessian", "empirical Fisher"):
        assert 0.1 < after[name] < 0.8 * before[name]
    assert 0.2 < before["K-FAC"] < 0.4 and after["K-FAC"] > 0.5 and after["sampled Fisher"] > 0.1


# -------------------------------------------------------------------------------------------------- unified_table

def row(drawn, name):
    """λ, ĝ and d̂ of the step of that method, as it was taken."""
    return drawn[list(unified_table.METHODS).index(name)]


def gain_and_length(lam, g_hat, d_hat):
    """Δ_d and ‖d‖_H."""
    return -(g_hat @ d_hat + lam @ d_hat**2 / 2), (lam @ d_hat**2)**0.5


def test_unified_table_along_every_eigenvector_it_starts_about_as_high(arrays):
    lam, g_hat, _ = row(arrays("unified_table")["quadratic"], "sign descent")
    random = np.random.default_rng(1)
    random.standard_normal(100)
    assert_allclose(lam, 10**(np.arange(10) / 3))
    assert_allclose(np.abs(g_hat) / np.sqrt(lam), random.uniform(0.5, 1.5, 10))


def test_unified_table_on_the_net_its_eigenvalues_are_those_of_the_damped_fisher_matrix(arrays):
    lam, g_hat, _ = row(arrays("unified_table")["net"], "gradient descent")
    loss, theta = matrices.problem()
    theta = path(adam(loss, theta, lr=0.03), 30)[-1]
    assert_allclose(lam - 1e-3, np.linalg.eigvalsh(arrays("matrices")["after"][2]), rtol=1e-6, atol=1e-9)
    assert_allclose(g_hat @ g_hat, np.sum(loss.gradient(theta)**2))


@pytest.mark.parametrize("problem", ["quadratic", "net"])
def test_unified_table_the_formulas_are_the_steps(problem, arrays):
    for name, formula in unified_table.FORMULAS.items():
        lam, g_hat, d_hat = row(arrays("unified_table")[problem], name)
        expected = formula(lam, g_hat)
        scale = d_hat[-1] / expected[-1]
        seen = np.abs(g_hat) > 1e-7 * np.abs(g_hat).max()  # where F is 0 there is no gradient, and rounding has no sign
        assert seen.mean() > 0.9 and scale > 0
        assert_allclose(d_hat[seen], scale * expected[seen], rtol=1e-4)


@pytest.mark.parametrize("problem", ["quadratic", "net"])
def test_unified_table_gains_and_lengths_are_zheng_s_once_corrected(problem, arrays):
    drawn = arrays("unified_table")[problem]
    lam, g_hat, _ = row(drawn, "Newton, natural")
    gg, gHg, g_tilde = g_hat @ g_hat, lam @ g_hat**2, (g_hat**2 / lam).sum()**0.5
    root = (g_hat**2 / lam**0.5).sum()
    expected = {"Newton, natural": (g_tilde**2 / 2, g_tilde),                            # α = 1
                "GN-normalized": (0.1 * root - 0.1**2 / 2 * gg, 0.1 * gg**0.5),           # ε = 0.1
                "gradient descent": (0.01 * gg - 0.01**2 / 2 * gHg, 0.01 * gHg**0.5)}     # α / L = 0.01
    for name, (gain, length) in expected.items():
        assert_allclose(gain_and_length(*row(drawn, name)), (gain, length), rtol=1e-6)
    printed = 0.01 * gg - 0.01**2 * gHg  # without the ½
    assert abs(printed / expected["gradient descent"][0] - 1) > 1e-3
    lam, g_hat, d_hat = row(drawn, "eigenbasis norm.")
    seen = np.abs(g_hat) > 1e-7 * np.abs(g_hat).max()
    gains = -(g_hat * d_hat + lam * d_hat**2 / 2)[seen]
    assert_allclose((np.sqrt(lam) * np.abs(d_hat))[seen], 0.01, rtol=1e-6)
    assert_allclose(gains, (0.01 * np.abs(g_hat) / np.sqrt(lam) - 0.01**2 / 2)[seen], rtol=1e-4, atol=1e-10)
    assert not np.allclose(gains, (-0.01 * np.abs(g_hat) + 0.01**2 * lam / 2)[seen], rtol=0.1, atol=0)  # as printed


@pytest.mark.parametrize("problem", ["quadratic", "net"])
def test_unified_table_a_step_of_the_best_length_gains_half_its_square(problem, arrays):
    for lam, g_hat, d_hat in arrays("unified_table")[problem]:
        if not np.isnan(d_hat).any():
            best = unified_table.best(lam, g_hat, d_hat)
            gain, length = gain_and_length(lam, g_hat, best)
            assert_allclose(gain, length**2 / 2)
            assert all(gain_and_length(lam, g_hat, scale * best)[0] < gain for scale in (0.99, 1.01))


def test_unified_table_without_single_examples_adam_is_sign_descent_and_shampoo_gradient_descent(arrays):
    drawn = arrays("unified_table")["quadratic"]
    for one, other in [("Adam", "sign descent"), ("Shampoo", "gradient descent")]:
        a, b = (unified_table.best(*row(drawn, name)) for name in (one, other))
        assert_allclose(a, b, rtol=1e-4, atol=1e-6 * np.abs(b).max())
    assert np.isnan(row(drawn, "K-FAC")[2]).all()


def test_unified_table_gradient_descent_serves_the_steep_and_newton_all(arrays):
    for problem in ("quadratic", "net"):
        gains = {name: unified_table.shares(*row(arrays("unified_table")[problem], name))[1]
                 for name in unified_table.FORMULAS}
        assert_allclose(gains["Newton, natural"], 1, rtol=1e-6)
        assert (gains["gradient descent"][:3] < 0.03).all()
        assert (gains["GN-normalized"][:3] > 5 * gains["gradient descent"][:3]).all()
        assert (gains["Newton, natural"][:3] > 3 * gains["GN-normalized"][:3]).all()


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_unified_table_on_other_quadratics_the_steep_are_served_by_descent_and_all_by_newton(seed):
    random = np.random.default_rng(seed)
    lam, (Q, _) = np.geomspace(0.1, 10.0**seed, 10), np.linalg.qr(random.standard_normal((10, 10)))
    valley, theta = quadratic_with(lam, Q), Q @ (random.uniform(0.5, 1.5, 10) / np.sqrt(lam))
    gains = {}
    for name in unified_table.FORMULAS:
        step = unified_table.first_step(name, valley, theta, "hessian", 0.0, valley)
        g_hat, d_hat = Q.T @ valley.gradient(theta), Q.T @ step
        gains[name] = unified_table.shares(lam, g_hat, d_hat)[1]
    assert_allclose(gains["Newton, natural"], 1, rtol=1e-6)
    assert (gains["gradient descent"][:3] < 0.05).all() and gains["gradient descent"][-3:].max() > 0.7
    assert (gains["GN-normalized"][:3] > 2 * gains["gradient descent"][:3]).all()
    assert (gains["Newton, natural"][:3] > 3 * gains["GN-normalized"][:3]).all()


def test_unified_table_on_the_net_the_nearer_to_its_curvature_the_more_is_gained(arrays):
    whole = {name: unified_table.shares(*row(arrays("unified_table")["net"], name))[2]
             for name in unified_table.METHODS}
    assert whole["GN-normalized"] > whole["K-FAC"] > whole["Shampoo"] > whole["Adam"] > whole["sign descent"]
    assert_allclose(whole["Newton, natural"], 1, rtol=1e-6)
    assert min(whole["K-FAC"], whole["L-BFGS"]) > 2 * max(whole["gradient descent"], whole["sign descent"])


# -------------------------------------------------------------------------------------------------- length_limits

@pytest.fixture
def lengths(arrays):
    """{method: ‖d_i‖_H for every eigenvector}"""
    names = [method.__name__ for method, _ in length_limits.limited_by(1, 1, 1)]
    return dict(zip(names, arrays("length_limits")["lengths"]))


def test_length_limits_the_natural_gradient_is_longest_where_the_curvature_is_small(lengths):
    LAM, G_HAT = length_limits.LAM, length_limits.G_HAT
    assert_allclose(lengths["natural_gradient"], G_HAT / np.sqrt(LAM), rtol=1e-6)
    assert np.argmax(lengths["natural_gradient"]) == 0 and np.argmin(lengths["natural_gradient"]) == len(LAM) - 1


@pytest.mark.parametrize("whole, gradient, eigenvector", [(1.0, 0.3, 0.2), (30.0, 3.0, 4.0)])
def test_length_limits_whatever_they_are_each_does_what_it_says(whole, gradient, eigenvector):
    drawn = length_limits.compute(whole=whole, gradient=gradient, eigenvector=eigenvector)
    lengths = dict(zip([method.__name__ for method, _ in length_limits.limited_by(1, 1, 1)], drawn["lengths"]))
    natural = lengths["natural_gradient"]
    assert_allclose(lengths["normalized_natural_gradient"], natural * whole / np.linalg.norm(natural), rtol=1e-6)
    assert_allclose(lengths["gradient_norm_normalized"], gradient * length_limits.G_HAT, rtol=1e-6)
    assert_allclose(lengths["eigenbasis_normalized"], eigenvector, rtol=1e-6)
    for name in ("gradient_norm", "eigenbasis"):
        assert_allclose(lengths[f"{name}_clipped"], np.minimum(natural, lengths[f"{name}_normalized"]), rtol=1e-6)


def test_length_limits_a_limit_on_the_whole_step_only_shifts_it(lengths):
    natural = lengths["natural_gradient"]
    for name in ("normalized_natural_gradient", "clipped_natural_gradient"):
        assert_allclose(np.linalg.norm(lengths[name]), 10.0, rtol=1e-6)
        assert_allclose(lengths[name] / natural, lengths[name][0] / natural[0], rtol=1e-6)
        assert lengths[name][0] < natural[0] / 5


def test_length_limits_normalized_along_every_eigenvector_nothing_of_the_curvature_is_left(lengths):
    eps, G_HAT = {"gradient": 1.0, "eigenvector": 1.0}, length_limits.G_HAT
    assert_allclose(lengths["gradient_norm_normalized"], eps["gradient"] * G_HAT, rtol=1e-6)
    assert_allclose(lengths["eigenbasis_normalized"], eps["eigenvector"], rtol=1e-6)


@pytest.mark.parametrize("name, normalized", [("gradient_norm_clipped", "gradient_norm_normalized"),
                                              ("eigenbasis_clipped", "eigenbasis_normalized")])
def test_length_limits_a_clipped_form_is_the_shorter_of_the_two(name, normalized, lengths):
    natural, limit = lengths["natural_gradient"], lengths[normalized]
    assert_allclose(lengths[name], np.minimum(natural, limit), rtol=1e-6)
    assert 0.2 < np.mean(natural > limit) < 0.8


def test_length_limits_gradient_norm_clipping_starts_at_one_curvature_and_eigenbasis_clipping_where_a_step_is_long(
        lengths):
    clipped = {name: lengths[name] < lengths["natural_gradient"] * (1 - 1e-6)
               for name in ("gradient_norm_clipped", "eigenbasis_clipped")}
    at = 1 / 1.0**2  # α > ε √λ is clipped
    assert np.array_equal(clipped["gradient_norm_clipped"], length_limits.LAM < at * (1 - 1e-9))
    assert np.count_nonzero(np.diff(clipped["eigenbasis_clipped"].astype(int))) > 1


# ------------------------------------------------------------------------------------------------- gradient_noise

def test_gradient_noise_batches_have_the_noise_that_the_formula_lets_expect(arrays):
    drawn = arrays("gradient_noise")
    assert_allclose(drawn["sampled"], drawn["exact"], rtol=0.05)
    for p, squares in zip(gradient_noise.POWERS, drawn["squares"]):  # A = α H^(-p/2) has α λ^(-p/2) along e_i
        expected = drawn["alpha"]**2 * drawn["lam"]**-p * drawn["sigma"] / drawn["batch_size"]
        steep = drawn["lam"] > 1.5 * drawn["damping"]
        assert_allclose(squares[steep], expected[steep], rtol=0.3)
        assert_allclose(np.mean(squares[steep] / expected[steep]), 1, rtol=0.02)


def test_gradient_noise_its_matrices_are_sums_over_examples_and_over_the_labels_that_the_net_expects(arrays):
    drawn, (loss, theta) = arrays("gradient_noise"), matrices.problem()
    theta = path(adam(loss, theta, lr=0.03), 30)[-1]
    p = softmax(matrices.NETWORK.outputs(theta, loss.X), axis=1)
    F = 0.001 * np.eye(theta.size)
    for label in range(5):
        g = MiniBatch(matrices.NETWORK, loss.X, np.full(loss.n, label)).per_example_gradients(theta)
        F += (p[:, label] / loss.n * g.T) @ g
    G = np.array([MiniBatch(matrices.NETWORK, loss.X[[i]], loss.Y[[i]]).gradient(theta) for i in range(loss.n)])
    G -= G.mean(axis=0)
    Sigma = G.T @ G / loss.n
    k = np.trace(Sigma) / np.trace(F)
    lam, sigma = drawn["lam"], drawn["sigma"]
    assert_allclose(lam, np.linalg.eigvalsh(F), rtol=1e-6, atol=1e-12)
    assert_allclose([drawn["k"], sigma.sum()], [k, np.trace(Sigma)])
    assert_allclose(sigma @ lam, np.sum(Sigma * F))
    assert_allclose(drawn["distance"], np.linalg.norm(Sigma - k * F) / np.linalg.norm(Sigma))
    assert_allclose(drawn["exact"], [0.1**2 / 40 * np.sum(lam**(1 - power) * sigma) for power in (2, 1, 0)])


def test_gradient_noise_where_there_is_but_damping_nothing_is_drawn(arrays):
    drawn = arrays("gradient_noise")
    steep = drawn["lam"] > 1.5 * drawn["damping"]
    figure = gradient_noise.draw(**drawn)
    dots = [line.get_xdata() for ax in figure.axes[:2] for line in ax.lines if line.get_marker() == "."]
    assert len(dots) == 4 and 0 < steep.sum() < len(steep)
    for x in dots:
        assert_allclose(x, drawn["lam"][steep])
    plt.close(figure)


def test_gradient_noise_the_covariance_is_near_k_times_the_curvature(arrays):
    drawn = arrays("gradient_noise")
    lam, sigma, k = drawn["lam"], drawn["sigma"], drawn["k"]
    ratio = sigma / (k * lam)
    assert drawn["distance"] < 0.3
    assert np.mean(np.abs(np.log2(ratio[lam > 0.004])) < 1) > 0.9
    assert np.median(ratio[(0.0015 < lam) & (lam < 0.003)]) < 0.6  # of which the damping is much, and has no noise


def test_gradient_noise_by_newton_the_flat_are_noisy_by_descent_the_steep_and_in_between_all_alike(arrays):
    drawn = arrays("gradient_noise")
    middle = drawn["lam"] > 0.01
    slopes = [np.polyfit(np.log(drawn["lam"][middle]), np.log(squares[middle]), 1)[0] for squares in drawn["squares"]]
    assert_allclose(slopes, [-1, 0, 1], atol=0.15)


def test_gradient_noise_zheng_s_totals_are_right_once_corrected_and_wrong_as_printed(arrays):
    drawn = arrays("gradient_noise")
    known = [drawn[name] for name in ("lam", "k", "alpha", "batch_size")]
    corrected, printed = gradient_noise.predicted(*known), gradient_noise.printed(*known)
    assert_allclose(corrected[1:], drawn["sampled"][1:], rtol=0.1)
    assert 1 < corrected[0] / drawn["sampled"][0] < 2  # it counts all n directions, some of which have no noise
    assert (np.abs(np.log(printed / drawn["sampled"])) > np.log(5)).all()
    n, alpha, tr = len(drawn["lam"]), drawn["alpha"], drawn["lam"].sum()
    share = drawn["k"] / drawn["batch_size"]
    assert_allclose(corrected, share * alpha**2 / 2 * np.array([n, tr, (drawn["lam"]**2).sum()]))


# ---------------------------------------------------------------------------------------------- edge_of_stability

def test_edge_of_stability_the_sharpness_rises_to_2_over_the_rate_and_stays_there(arrays):
    descent = arrays("edge_of_stability")["descent"]
    for rate, sharpness in zip(arrays("edge_of_stability")["rates"], descent):
        assert sharpness[0] < 0.95 * 2 / rate < sharpness.max() < 1.3 * 2 / rate
        assert_allclose(sharpness[-12:], 2 / rate, rtol=0.05)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rate, share", [(0.1, 0.33), (0.2, 0.74), (0.3, 1.0), (0.7, 1.01)])
def test_edge_of_stability_from_0_3_on_it_gets_there_in_a_thousand_steps(rate, share, seed):
    loss, _ = edge_of_stability.problem()
    run = gradient_descent(loss, loss.network.initial(seed=seed, scale=0.5), lr=rate)
    late = rate / 2 * np.array(edge_of_stability.sharpness(run, loss, 1000)[-12:])
    assert_allclose(np.median(late), share, atol=0.04)


def test_edge_of_stability_adam_s_own_sharpness_stays_at_the_edge_of_its_moving_average(arrays):
    drawn = arrays("edge_of_stability")
    for beta1, sharpness in zip(drawn["betas"], drawn["adam"]):
        late = drawn["adam_rate"] * sharpness[len(sharpness) // 2:] / edge_of_stability.edge(beta1)
        assert 0.95 < late.mean() < 1.12 and late.min() > 0.85 and late.max() < 1.2
    assert_allclose(edge_of_stability.edge(0.9), 38)
    assert arrays("edge_of_stability")["adam"][0, 0] < 0.1 * 38 / arrays("edge_of_stability")["adam_rate"]


@pytest.mark.parametrize("beta1, low, high", [(0.0, 1.1, 1.5), (0.9, 0.93, 1.07)])
def test_edge_of_stability_with_longer_steps_adam_stays_there_by_its_average_and_without_it_above(beta1, low, high):
    loss, _ = edge_of_stability.problem()
    run = adam(loss, loss.network.initial(seed=1, scale=0.5), lr=0.01, beta1=beta1, beta2=0.99)
    late = 0.01 * np.array(edge_of_stability.sharpness(run, loss, 500)[-8:]) / edge_of_stability.edge(beta1)
    assert low < np.median(late) < high


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_edge_of_stability_on_a_quadratic_a_moving_average_of_gradients_diverges_beyond_that_edge(beta1):
    for share, diverges in [(0.99, False), (1.01, True)]:
        lam = share * edge_of_stability.edge(beta1)  # the rate is 1; the state is (m, x)
        step = np.array([[beta1, (1 - beta1) * lam], [-beta1, 1 - (1 - beta1) * lam]])
        assert (np.abs(np.linalg.eigvals(step)).max() > 1) == diverges


def test_edge_of_stability_the_sharpness_is_the_largest_eigenvalue():
    loss, theta = edge_of_stability.problem()
    run = gradient_descent(loss, theta, lr=0.4)
    sharpness = edge_of_stability.sharpness(run, loss, 100)
    expected, = eigsh(loss.hessian(run.theta), k=1, which="LA", v0=np.ones(theta.size), return_eigenvectors=False)
    assert_allclose(sharpness[-1], expected, rtol=0.01)


def test_edge_of_stability_there_the_training_goes_on():
    loss, theta = edge_of_stability.problem()
    values = np.array([loss.value(theta) for theta in path(gradient_descent(loss, theta, lr=0.5), 1000)])
    assert values[1000] < values[200] / 5 and np.sum(np.diff(values[200:]) > 0) > 50


# --------------------------------------------------------------------------------------------------- loss_surface

def test_loss_surface_the_two_are_the_same_net():
    X, *_ = digits()
    _, theta = loss_surface.trained()
    other = loss_surface.rescaled(theta, 5)
    outputs, same = (loss_surface.NETWORK.outputs(weights, X) for weights in (theta, other))
    assert_allclose(same, outputs, atol=1e-10)
    assert np.linalg.norm(other) > 3 * np.linalg.norm(theta)


def test_loss_surface_random_directions_make_it_look_narrower_where_its_weights_are_small(arrays):
    one, other = arrays("loss_surface")["plain"]
    middle = len(loss_surface.AXIS) // 2
    assert_allclose(one[middle, middle], other[middle, middle])
    assert np.mean(one < 0.3) > 4 * np.mean(other < 0.3) > 0


@pytest.mark.parametrize("factor, narrower", [(2, 1.3), (10, 20)])
def test_loss_surface_in_other_directions_and_with_other_factors_it_looks_narrower_as_well(factor, narrower):
    loss, theta = loss_surface.trained()
    delta, epsilon = (loss_surface.direction(theta, seed, False) for seed in (3, 4))
    axis = loss_surface.AXIS[::2] if factor < 5 else loss_surface.AXIS
    wide = [[np.mean([loss.value(weights + a * delta + b * epsilon) < 0.3 for a in axis]) for b in axis]
            for weights in (theta, loss_surface.rescaled(theta, factor))]
    one, other = np.mean(wide, axis=1)
    assert one > narrower * other > 0


def test_loss_surface_moved_in_proportion_to_every_unit_the_pictures_are_the_same(arrays):
    one, other = arrays("loss_surface")["filterwise"]
    assert_allclose(one, other, rtol=1e-9)
    assert one.min() < 0.1 and one.max() > 3
    middle = len(loss_surface.AXIS) // 2
    loss, theta = loss_surface.trained()
    assert_allclose([one[middle, middle], arrays("loss_surface")["plain"][0, middle, middle]], loss.value(theta))


def test_loss_surface_every_unit_s_share_of_a_direction_is_as_long_as_its_weights():
    network = loss_surface.NETWORK
    theta = network.initial(seed=5)
    delta, epsilon = (loss_surface.direction(theta, seed, True) for seed in (1, 2))
    for W, D, E in zip(*map(network.blocks, (theta, delta, epsilon))):
        for M in (D, E):
            assert_allclose(np.linalg.norm(M, axis=1), np.linalg.norm(W[:, :-1], axis=1))
            assert not M[:, -1].any()
    assert abs(delta @ epsilon) < 0.1 * np.linalg.norm(delta) * np.linalg.norm(epsilon)


# -------------------------------------------------------------------------------------------- batch_normalization

def test_batch_normalization_a_deep_net_learns_from_weights_of_several_sizes(arrays):
    plain, normalized = np.median(arrays("batch_normalization")["loss"][:, :, -5:], axis=2)
    assert plain[1] < 0.05 and plain[0] > 0.7 and plain[2] > 0.7
    small, _, large = arrays("batch_normalization")["loss"][0]
    assert_allclose(small[:10], np.log(10), atol=0.02)  # guessing, for a hundred steps
    assert large[0] > 2 * np.log(10) and large[10] < np.log(10)
    assert (normalized < 0.1).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batch_normalization_it_does_from_half_to_eight_times_glorots_size_and_not_far_beyond(seed):
    def late(scale):
        return np.median(batch_normalization.train(True, scale, 200, 0.3, seed)[1][-5:])

    within = max(late(0.5), late(8.0))
    assert within < 0.2 and min(late(0.1), late(20.0)) > 2 * within  # rounding alone moves that of 20 by a half


@pytest.mark.parametrize("seed", [1, 2])
def test_batch_normalization_without_it_from_glorots_size_and_twice_that_but_not_from_half_or_four_times(seed):
    late = [np.median(batch_normalization.train(False, scale, 200, 0.3, seed)[1][-5:]) for scale in (0.5, 1, 2, 4)]
    assert max(late[1:3]) < 0.05 and min(late[0], late[3]) > 0.7


def test_batch_normalization_all_three_begin_with_the_same_inputs_of_mean_0_and_variance_1(arrays):
    given = arrays("batch_normalization")["given"][1, :, 0]
    assert_allclose(given, np.broadcast_to(given[1], given.shape), atol=2e-3)
    assert_allclose(given.mean(axis=1), 0, atol=1e-5)
    assert_allclose(given.var(axis=1), 1, rtol=1e-3)


def test_batch_normalization_without_it_they_vanish_or_saturate(arrays):
    small, glorot, large = arrays("batch_normalization")["given"][0, :, 0].std(axis=1)
    assert small < 0.01 and 0.1 < glorot < 1 and large > 3
    normalized = arrays("batch_normalization")["given"][1].std(axis=2)
    assert 0.8 < normalized.min() and normalized.max() < 1.5


def test_batch_normalization_what_a_unit_is_given_then_is_its_beta_and_gamma(arrays):
    given = arrays("batch_normalization")["given"][1]
    assert abs(given[1, -1].mean()) > 0.03 and given[1, -1].std() > 1.05  # they are learned
    again, _ = batch_normalization.train(True, 1.0, batch_normalization.EVERY, 0.3)
    assert_allclose(again[-1], given[1, 1], atol=1e-5)
    X, Y, *_ = digits(dtype=np.float32)
    network, _ = batch_normalization.net(True)
    risk = EmpiricalRisk(network, X[:1400], Y[:1400], batch_size=100)
    run = gradient_descent(risk, network.initial(seed=0, dtype=np.float32), lr=0.3)
    theta = path(run, batch_normalization.EVERY)[-1]
    gamma, beta = network.blocks(theta)[-2][batch_normalization.UNIT]
    assert_allclose([again[-1].std(), again[-1].mean()], [gamma, beta], atol=1e-4)


def test_batch_normalization_given_and_loss_are_those_of_eight_layers_of_tanh_by_hand(arrays):
    drawn = arrays("batch_normalization")
    X, Y, *_ = digits(dtype=np.float32)
    for normalized, name in enumerate(("plain", "normalized")):
        network, _ = batch_normalization.net(bool(normalized))
        for i, scale in enumerate((0.5, 1.0, 4.0)):
            start = network.initial(seed=0, scale=scale, dtype=np.float32)
            run = gradient_descent(EmpiricalRisk(network, X[:1400], Y[:1400], batch_size=100), start, lr=0.3)
            for row, theta in enumerate(path(run, 10)[::10]):
                *layers, last = network.blocks(theta)
                a = X[:500]
                for W, after in zip(layers[::1 + normalized], layers[1::2] if normalized else layers):
                    z = a @ W.T if normalized else a @ W[:, :-1].T + W[:, -1]
                    if normalized:
                        z = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) * after[:, 0] + after[:, 1]
                    a = np.tanh(z)
                guess = log_softmax(a @ last[:, :-1].T + last[:, -1], axis=1)
                assert_allclose(drawn["given"][normalized, i, row], z[:, 3], rtol=2e-3, atol=2e-4 * np.ptp(z[:, 3]))
                assert_allclose(drawn["loss"][normalized, i, row], -guess[np.arange(500), Y[:500]].mean(), rtol=1e-3)


def test_batch_normalization_the_inputs_are_not_normal_for_that(arrays):
    for given in arrays("batch_normalization")["given"][1, :2, -1].astype(float):
        z = (given - given.mean()) / given.std()
        assert (z**4).mean() < 2.3  # 3 for a normal distribution, within 0.2 for 500 numbers


# ----------------------------------------------------------------------------------------------- nearer_to_fisher

@pytest.mark.parametrize("changed", [{}, {"seeds": (8, 9), "steps": 250}, {"seeds": (10,), "damping": 1e-4},
                                     {"seeds": (11,), "sizes": (4, 6, 3, 5, 4, 3), "steps": 100}], ids=str)
def test_nearer_to_fisher_each_block_and_each_axis_that_is_given_up_leads_further_away(changed, arrays):
    found = nearer_to_fisher.compute(**changed) if changed else arrays("nearer_to_fisher")
    for measure, factor in ("squares", 0.5), ("KL", 0.25):
        chain, layers, ekfac, kfac, diagonal = (found[f"{name}: {measure}"] for name in nearer_to_fisher.LOOKS)
        assert np.all(chain < factor * layers), "most of what layers miss is between neighbours"
        assert np.all(layers < ekfac) and np.all(ekfac < kfac)
    assert np.all(kfac < diagonal), "measured, and by KL alone; no law"


def test_nearer_to_fisher_what_is_wrong_is_a_share_of_f_without_what_is_added_to_its_diagonal():
    found = nearer_to_fisher.compute(seeds=(3,), steps=0)
    batch, theta = nearer_to_fisher.problem((6, 5, 5, 5, 3), 3)
    F = dense(batch.fisher(theta), theta.size)
    assert_allclose(1 - found["diagonal: squares"]**2, np.sum(np.diag(F)**2) / np.sum(F**2))


# ---------------------------------------------------------------------------------------------- sam_and_sharpness

@pytest.mark.parametrize("changed", [{}, {"seeds": (4, 5, 6), "steps": 840}, {"seeds": (8, 9), "rate": 0.2},
                                     {"seeds": (10, 11), "rhos": (0.0, 0.03, 0.6)}], ids=str)
def test_sam_and_sharpness_the_further_uphill_it_asks_the_less_sharp_it_is_at_an_edge_of_its_own(changed, arrays):
    drawn = sam_and_sharpness.compute(**changed) if changed else arrays("sam_and_sharpness")
    late = {name: np.median(drawn[name][:, :, 8:], axis=-1) for name in ("sharpness", "share", "losses")}
    assert np.all(np.diff(late["sharpness"], axis=0) < 0)
    of_sam = np.median(late["share"], axis=1)[1:]
    edges, rate = drawn["sharpness"] / drawn["share"], drawn["rate"]
    assert_allclose(edges[0], 2 / rate)
    for rho, edge in zip(drawn["rhos"][1:], edges[1:]):  # below descent's: with ‖g‖ = η ρ λ² / (2 − η λ) at the edge λ
        assert (edge < 2 / rate).all() and (0 < rate * rho * edge**2 / (2 - rate * edge)).all()
    assert np.all(late["share"][1:] > 0.95) and np.all(of_sam < 1.25)
    assert np.all(np.diff(late["losses"].mean(axis=1)) > 0), "what it costs"


@pytest.mark.parametrize("rho, trains", [(0.6, True), (1.0, False)])
def test_sam_and_sharpness_too_far_uphill_it_does_not_train(rho, trains):
    for seed in 0, 1:
        loss, theta = sam_and_sharpness.problem(seed)
        assert 2.7 < np.linalg.norm(theta) < 3.3
        way = path(sam(loss, theta, lr=0.4, rho=rho), 300)
        assert (loss.value(way[-1]) < loss.value(theta) / 5) == trains
        assert trains or loss.value(way[-1]) > loss.value(theta)


@pytest.mark.slow
def test_sam_and_sharpness_with_three_seeds_of_32_descent_trains_beyond_the_edge_and_the_order_is_the_same():
    drawn = sam_and_sharpness.compute(seeds=(5, 20, 26), rhos=(0.0, 0.2))
    late = {name: np.median(drawn[name][:, :, 8:], axis=-1) for name in ("sharpness", "share")}
    assert np.all(late["sharpness"][1] < late["sharpness"][0] / 2)
    descent, uphill = late["share"]
    assert np.all((1.3 < descent) & (descent < 1.7)) and 1.15 < uphill[0] < 1.5 and np.all(uphill[1:] < 1.15)


@pytest.mark.parametrize("rho, length", [(0.05, 0.1), (0.2, 1.0), (1.0, 0.01)])
def test_sam_and_sharpness_beyond_the_edge_a_step_of_sam_leaves_more_on_a_quadratic(rho, length):
    for share, grows in (0.95, False), (1.05, True):
        lam = share * sam_and_sharpness.edge(0.4, rho, length)
        start = np.array([length / lam])  # where the gradient has this length
        assert (abs(path(sam(quadratic_with([lam], np.eye(1)), start, lr=0.4, rho=rho), 1)[1, 0]) > start[0]) == grows
