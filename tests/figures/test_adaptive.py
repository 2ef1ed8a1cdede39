"""The figures of lectures 4 and 10 that need no record show what their captions claim, on the arrays that are drawn."""
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import lfilter
from scipy.special import softmax

from figures import (
    adam_neighbours, first_steps, ivon_diagonal, lamb_layers, signs_against_velocity, turned_valley)
from numopt.data import digits
from numopt.linalg.operators import dense
from numopt.networks import mlp
from numopt.optimizers import ivon
from numopt.problems import MiniBatch, quadratic_with
from numopt.record import path


def test_turned_valley_along_the_axes_nothing_depends_on_kappa_and_turned_it_does(arrays):
    drawn = arrays("turned_valley")
    straight, turned = (dict(zip(drawn["names"], needed)) for needed in drawn["needed"])
    at = {kappa: k for k, kappa in enumerate(drawn["kappas"].tolist())}
    for name in ("adam", "rprop"):
        assert len(set(straight[name])) == 1
        assert turned[name][at[100]] > 2.5 * straight[name][at[100]]
        assert (np.diff(turned[name][at[10]:at[100] + 1]) > 0).all()
    assert np.isinf(turned["adam"][at[300]]) and turned["rprop"][at[300]] > 10 * straight["rprop"][at[300]]


def test_turned_valley_momentum_does_not_care_how_it_lies(arrays):
    drawn = arrays("turned_valley")
    j = drawn["names"].index("momentum")
    assert_allclose(drawn["needed"][0, j], drawn["needed"][1, j])
    assert_allclose(drawn["paths"][1, j], drawn["paths"][0, j] @ turned_valley.TURNED.T, atol=1e-9)
    large = drawn["kappas"] >= 10
    ratio = drawn["needed"][0, j][large] / np.sqrt(drawn["kappas"][large])
    assert ratio.max() < 1.4 * ratio.min()


def test_turned_valley_turned_they_need_half_of_what_one_rate_does_at_100_and_no_less_at_30(arrays):
    drawn = arrays("turned_valley")
    turned = dict(zip(drawn["names"], drawn["needed"][1]))
    for kappa, low, high in ((30, 0.95, 1.5), (100, 0.4, 0.5)):
        left = np.linalg.norm(turned_valley.START) * ((kappa - 1) / (kappa + 1))**np.arange(1000)  # of its best rate
        one_rate = np.argmax(left <= turned_valley.NEAR)
        assert kappa != 100 or one_rate == 233
        for name in ("adam", "rprop"):
            assert low < turned[name][drawn["kappas"] == kappa].item() / one_rate < high


@pytest.mark.parametrize("start", [(1.0, -0.5), (0.6, 0.8)])
def test_turned_valley_it_is_the_same_from_other_starts(start, monkeypatch):
    monkeypatch.setattr(turned_valley, "START", np.array(start))
    for name in ("adam", "rprop"):
        straight, turned = (turned_valley.steps_needed(name, 100, Q, 300)[0] for Q in turned_valley.LIES.values())
        assert turned > 2 * straight


def test_turned_valley_the_paths_begin_at_the_same_place_of_the_valley(arrays):
    values = [quadratic_with([1, 100], Q).value(path[0, 0])
              for Q, path in zip(turned_valley.LIES.values(), arrays("turned_valley")["paths"])]
    assert_allclose(values[0], values[1])


def test_turned_valley_along_the_axes_they_go_as_if_it_were_round_and_turned_to_and_fro_across_it(arrays):
    drawn = arrays("turned_valley")
    for name in ("adam", "rprop"):
        straight, turned = drawn["paths"][:, drawn["names"].index(name)]
        _, in_a_round_one = turned_valley.steps_needed(name, 1, np.eye(2), 400)
        assert_allclose(straight, in_a_round_one[:len(straight)], atol=1e-6)
        across = (turned @ turned_valley.TURNED)[:, 1]
        assert np.sum(across[1:] * across[:-1] < 0) >= 5 and not np.allclose(np.abs(turned), np.abs(straight), atol=0.1)


def test_turned_valley_a_condition_number_that_is_not_computed_cannot_be_shown():
    with pytest.raises(ValueError, match="not for 7"):
        turned_valley.compute(shown=7)


@pytest.mark.parametrize("slope", [1e-3, 3.0, 1e4])
def test_first_steps_adam_s_are_the_rate_from_the_first_on(slope):
    drawn = first_steps.compute(slope=slope, steps=300)
    lengths = dict(zip(drawn["names"], drawn["lengths"]))
    assert_allclose(lengths["adam"], 1, rtol=1e-4)
    assert_allclose(lengths["adagrad"], np.arange(1, 301)**-0.5, rtol=1e-4)
    assert_allclose(lengths["rmsprop"][[0, -1]], [10**0.5, 1], rtol=1e-4)


def test_first_steps_uncorrected_they_grow_to_six_and_a_half_times_the_rate_and_are_twice_too_long_after_250(arrays):
    drawn = arrays("first_steps")
    lengths = dict(zip(drawn["names"], drawn["lengths"]))["amsgrad"]
    t = np.arange(1, len(lengths) + 1)
    assert_allclose(lengths, (1 - 0.9**t) / np.sqrt(1 - 0.999**t), rtol=1e-6)
    assert 6.5 < lengths.max() < 6.6 and 2 < lengths[249] < 2.2 and lengths[-1] < 1.05


# ------------------------------------------------------------------------------------------------------ adam_neighbours

def usual_and_short(found):
    """Of every method its usual step before the large gradient, and for how many steps after it less than half."""
    usual = {name: np.median(lengths[100:found["at"] - 5]) for name, lengths in found.items() if name != "at"}
    return usual, {name: np.sum(found[name][found["at"] + 5:] < usual[name] / 2) for name in usual}


@pytest.mark.parametrize("changed", [{}, {"seed": 1}, {"seed": 2, "large": 40.0, "steps": 2400},
                                     {"noise": 0.2, "at": 250}, {"noise": 0.1}, {"noise": 0.4, "seed": 3}])
def test_adam_neighbours_after_one_large_gradient_the_steps_of_yogi_stay_short_for_longest(changed):
    found = adam_neighbours.compute(**changed)
    usual, short = usual_and_short(found)
    assert max(short, key=short.get) == "yogi" and short["yogi"] > 3 * short["adam"] > 0
    assert short["yogi"] > short["adabelief"] > short["adan"] > 1.6 * short["adam"] and short["radam"] <= short["adam"]
    assert usual["adabelief"] > 2 * usual["adam"] and usual["adabelief"] == max(usual.values())
    assert np.median(found["radam"][5:9]) < 0.2 < 0.7 < np.median(found["radam"][:5])
    assert (np.diff(found["radam"][5:100:10] / found["adam"][5:100:10]) > 0).all(), "a warm-up"
    assert_allclose(found["radam"][-100:], found["adam"][-100:], rtol=0.02)


@pytest.mark.parametrize("name", ["adam", "radam", "adan"])
def test_adam_neighbours_a_hundredth_of_a_large_square_is_forgotten_at_every_step(name):
    """Where all other gradients are 1, a step is 1 over the root of 1 and of what is left of that square."""
    lengths = adam_neighbours.compute(noise=0.0, steps=700)[name]
    left = 1 / lengths[550:]**2 - 1
    assert_allclose(left[1:] / left[:-1], 0.99, rtol=2e-3)


@pytest.mark.parametrize("name", ["adam", "radam", "adabelief", "adan"])
def test_adam_neighbours_the_steps_are_quotients_of_filtered_gradients(name, arrays):
    g, t = 1 + 0.3 * np.random.default_rng(0).standard_normal(1200), np.arange(1, 1201)
    g[299] = 30

    def average(kept, x):
        return lfilter([1 - kept], [1, -kept], x) / (1 - kept**t)

    m, change = average(0.9, g), np.diff(g, prepend=g[0])
    most = 2 / (1 - 0.99) - 1
    seen = np.maximum(most - 2 * t * 0.99**t / (1 - 0.99**t), 4)  # of how many gradients RAdam's mean square is made
    rectified = np.sqrt((seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen))
    expected = {"adam": m / np.sqrt(average(0.99, g**2)),
                "radam": np.where(seen > 5, rectified / np.sqrt(average(0.99, g**2)), 1) * m,
                "adabelief": m / np.sqrt(average(0.99, (g - m * (1 - 0.9**t))**2)),
                "adan": (average(0.98, g) + 0.92 * average(0.92, change))
                / np.sqrt(average(0.99, (g + 0.92 * change)**2))}
    assert_allclose(arrays("adam_neighbours")[name], expected[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("large, seed", [(25.0, 0), (25.0, 4), (15.0, 1)])
def test_adam_neighbours_after_a_gradient_that_is_not_so_large_the_steps_of_adabelief_do(large, seed):
    _, short = usual_and_short(adam_neighbours.compute(large=large, seed=seed))
    assert max(short, key=short.get) == "adabelief"


# ----------------------------------------------------------------------------------------------- signs_against_velocity

@pytest.mark.parametrize("mu", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("lr", [0.003, 0.01, 0.02, 0.05])
def test_signs_against_velocity_on_the_way_up_a_rate_is_cut_all_the_way_and_against_an_average_for_part_of_it(
        lr, mu):
    found = signs_against_velocity.compute(lr=lr, mu=mu)
    cut, gains = {}, {}
    for name in signs_against_velocity.LOOPS:
        uphill, agree = found[f"{name}: uphill"] > 0, found[f"{name}: agree"]
        assert 20 <= uphill.sum() <= 60 and (agree[1:][~uphill[1:]] > 0).all()
        cut[name], gains[name] = (agree[uphill] < 0).mean(), found[f"{name}: gain"][50:].mean()
    assert cut["delta_bar_velocity"] == 1 and 0.2 < cut["delta_bar_delta"] < 0.6
    assert gains["delta_bar_delta"] > 1.5 * gains["delta_bar_velocity"]


@pytest.mark.parametrize("lr, mu, least", [(0.2, 0.95, 0.6), (0.5, 0.9, 0.7), (0.1, 0.5, 1.0), (1.0, 0.5, 1.0)])
def test_signs_against_velocity_on_short_swings_an_average_of_gradients_cuts_the_rate_as_well(lr, mu, least):
    found = signs_against_velocity.compute(lr=lr, mu=mu)
    cut = {name: (found[f"{name}: agree"][found[f"{name}: uphill"] > 0] < 0).mean()
           for name in signs_against_velocity.LOOPS}
    assert cut["delta_bar_velocity"] == 1 and cut["delta_bar_delta"] >= least


@pytest.mark.parametrize("lr, mu", [(0.01, 0.95), (0.2, 0.9)])
def test_signs_against_velocity_gains_and_signs_are_those_of_where_it_has_been(lr, mu, arrays):
    """The gradient of ½θ² is θ, and a velocity the difference of two places: so the places tell all else."""
    found = arrays("signs_against_velocity") if lr == 0.01 else signs_against_velocity.compute(lr=lr, mu=mu)
    for name in signs_against_velocity.LOOPS:
        at, uphill, agree, gain = (found[f"{name}: {key}"] for key in ("at", "uphill", "agree", "gain"))
        v = np.diff(at)
        assert at[0] == 1 and len(at) == 100
        assert_allclose(gain[1:-1], (mu * v[:-1] - v[1:]) / (lr * at[1:-1]), rtol=1e-8)
        assert_allclose(uphill[1:], v * at[1:] > 0)
        past = -v if name == "delta_bar_velocity" else lfilter([0.3], [1, -0.7], at)[:-1]
        assert_allclose(agree[1:], np.sign(past) * np.sign(at[1:]))
        factor, rise = gain[1:] / gain[:-1], np.diff(gain)
        assert_allclose(np.where(agree[1:] > 0, rise, 0.05), 0.05)
        assert_allclose(np.where((agree[1:] < 0) & (gain[1:] > 0.1), factor, 0.95), 0.95)


# ---------------------------------------------------------------------------------------------------------- lamb_layers

@pytest.mark.parametrize("changed", [{}, {"seed": 1, "factor": 10.0}, {"seed": 2, "lr_lamb": 0.01, "lr_adamw": 1e-3,
                                                                       "steps": 120}])
def test_lamb_layers_every_layer_moves_by_the_rate_and_it_does_not_matter_in_which_units_the_net_is_written(changed):
    found = lamb_layers.compute(**changed)
    assert_allclose(found["lamb: share"], changed.get("lr_lamb", 0.02), rtol=1e-9)
    shares = found["adamw: share"]
    assert (shares[-1, :, 2] > 3 * shares[-1, :, 0]).all() and (shares[0, :30, 0] > 3 * shares[0, :30, 2]).all()
    halved = {name: (found[f"{name}: loss"] > found[f"{name}: loss"][:, :1] / 2).sum(axis=1)
              for name in lamb_layers.LOOPS}
    assert np.ptp(halved["lamb"]) <= 0.2 * halved["lamb"].max() and 2 * halved["adamw"].min() < halved["adamw"].max()


@pytest.mark.parametrize("seed", [0, 1])
def test_lamb_layers_at_twice_the_rate_and_more_the_loss_leaps_and_the_units_matter_in_the_end(seed):
    calm, leaping = (lamb_layers.compute(lr_lamb=lr, seed=seed)["lamb: loss"] for lr in (0.02, 0.05))
    assert (np.diff(calm, axis=1) > 0).sum(axis=1).max() <= 1 and (np.diff(leaping, axis=1) > 0).sum(axis=1).min() > 10
    assert leaping[:, -1].max() > 10 * leaping[:, -1].min()


def test_lamb_layers_the_first_step_of_adamw_is_the_rate_in_every_weight_that_has_a_gradient(arrays):
    X, Y, *_ = digits()
    some = np.random.default_rng(0).permutation(len(X))[:200]
    network = mlp([64, 20, 20, 10], "relu")
    loss, (first, middle, last) = MiniBatch(network, X[some], Y[some]), network.blocks(network.initial(seed=0))
    assert_allclose(arrays("lamb_layers")["adamw: loss"][1, 0], loss.value(network.initial(seed=0)))
    for share, factor in zip(arrays("lamb_layers")["adamw: share"][:, 0], (0.2, 1.0, 5.0)):
        middle_too = np.column_stack([middle[:, :-1], factor * middle[:, -1]])
        layers = factor * first, middle_too, np.column_stack([last[:, :-1] / factor, last[:, -1]])
        g = network.blocks(loss.gradient(np.concatenate([W.ravel() for W in layers])))
        expected = [3e-3 * np.sqrt(np.count_nonzero(G)) / np.linalg.norm(W) for G, W in zip(g, layers)]
        assert_allclose(share, expected, rtol=0.01)


def test_lamb_layers_the_net_in_other_units_is_the_same_function(arrays):
    for name in lamb_layers.LOOPS:
        assert_allclose(arrays("lamb_layers")[f"{name}: loss"][:, 0], arrays("lamb_layers")[f"{name}: loss"][0, 0])
    loss, theta = lamb_layers.problem(seed=0)
    theta = theta + np.linspace(-0.1, 0.1, theta.size)  # no biases are 0, nor alike
    assert_allclose(loss.value(lamb_layers.in_other_units(loss.blocks(theta), 4.0)), loss.value(theta))


# -------------------------------------------------------------------------------------------------------- ivon_diagonal

@pytest.mark.parametrize("changed", [{"seed": 1, "near": 1e5, "far": 5.0},
                                     {"seed": 2, "near": 1e3, "far": 20.0, "beta2": 0.997, "steps": 2000}])
def test_ivon_diagonal_h_comes_to_the_mean_of_the_diagonal_over_where_it_asks_and_near_to_that_at_theta(changed):
    found = ivon_diagonal.compute(every=250, **changed)
    off = {}
    for name in ("near", "far"):
        for truth in ("mean", "diagonal"):
            h, diagonal = (found[f"{name}: {key}"] for key in ("h", truth))
            late = (rows[len(rows) // 2:].mean(axis=0) for rows in (h, diagonal))
            off[name, truth] = np.linalg.norm(np.subtract(*late)) / np.linalg.norm(diagonal.mean(axis=0))
    assert off["near", "mean"] < 0.1 and off["near", "diagonal"] < 0.1 and off["far", "mean"] < 0.12
    assert off["far", "diagonal"] > 1.5 * off["far", "mean"]


@pytest.mark.parametrize("near, low, high", [(1e5, 0.5, 1.5), (1e7, 100, np.inf)])
def test_ivon_diagonal_asked_too_near_it_learns_its_own_noise(near, low, high):
    found = ivon_diagonal.compute(near=near, seed=2, steps=600, every=200, draws=2)
    share = found["near: h"].sum(axis=1) / found["near: diagonal"].sum(axis=1)
    assert (share > low).all() and (share < high).all()


def test_ivon_diagonal_what_it_is_compared_with_is_the_diagonal_of_the_hessian():
    loss, theta = ivon_diagonal.problem(seed=3)
    others = np.array([theta, 2 * theta + 1])
    expected = [np.diag(dense(loss.hessian(one), theta.size)) for one in others]
    assert_allclose(ivon_diagonal.diagonal(loss, others), np.mean(expected, axis=0))


def test_ivon_diagonal_the_mean_is_that_over_normal_scores_of_the_variance_that_ivon_has():
    """Scores of weights that are normal are normal too: their mean is a sum over the nodes of Gauss and Hermite."""
    how = {"h0": 1e-3, "beta2": 0.99, "lr": 0.05, "seed": 1}  # where weight_decay is a tenth of h
    found = ivon_diagonal.compute(near=1e4, far=2500.0, steps=4, every=2, draws=2000, **how)
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    normal = np.stack(np.meshgrid(nodes, nodes, nodes), axis=-1).reshape(-1, 3)
    weights = np.multiply.outer(np.outer(weights, weights), weights).ravel() / weights.sum()**3
    for name, ess in ("near", 1e4), ("far", 2500.0):
        loss, theta = ivon_diagonal.problem(seed=1)
        thetas = path(ivon(loss, theta, ess=ess, **how), 4)
        X = np.column_stack([loss.X, np.ones(len(loss.X))])
        for row, theta in enumerate(thetas[2::2]):
            h = found[f"{name}: h"][row]
            spread = np.sqrt(X**2 @ (1 / (ess * (h + 1e-4))).reshape(3, -1).T)
            p = softmax((X @ theta.reshape(3, -1).T)[:, None] + spread[:, None] * normal, axis=-1)
            mean = (np.einsum("nsk,s->kn", p * (1 - p), weights) @ X**2).ravel() / len(X)
            assert np.linalg.norm(found[f"{name}: mean"][row] - mean) < 0.012 * np.linalg.norm(mean)
