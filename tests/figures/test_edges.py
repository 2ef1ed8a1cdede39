"""What the figures' runs begin with, how often they are looked at, and what counts as arrived: by hand."""
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from data_scripts import element_loops, side_by_side
from figures import (
    eigenvalue_spectrum, eigenvectors_of_an_ellipse, ill_conditioned_taylor, learning_curves, matrices,
    method_family_tree, minimum_energy_path, momentum_and_noise, momentum_phase_diagram, permutation_symmetry,
    piecewise_linear_rate, pre_training, race, rate_cifar100, rate_free, rate_on_boston, rate_on_mnist,
    rate_over_time_boston, rate_validation, residual_polynomials, second_order_cost, saddle, self_correction,
    sensitivity, sgd_avoids_plateau, three_balls, trust_region_path, turned_valley, unit_balls)
from figures.making import adaptive_rate, command, digests, records, rendering
from figures.making.style import METHODS
from numopt import schedules
from numopt.data import digits
from numopt.optimizer import Diverged
from numopt.optimizers import gradient_descent
from numopt.problems import Noisy, Quadratic


def test_momentum_and_noise_every_run_begins_elsewhere_as_far_away_as_it_will_stay(monkeypatch):
    begun = []
    monkeypatch.setattr(momentum_and_noise, "momentum", lambda bowl, begin, **how: begun.append((begin, how)) or how)
    monkeypatch.setattr(momentum_and_noise, "gradient_descent", lambda bowl, begin, **how: how)
    monkeypatch.setattr(momentum_and_noise, "path", lambda run, steps: np.full((steps + 1, 900), run.get("lr")))
    momentum_and_noise.compute(size=900, steps=3)
    drawn = [begin / np.sqrt(momentum_and_noise.level(how["lr"], how["mu"])) for begin, how in begun[:-1]]
    assert len(drawn) == 12
    assert_allclose([np.mean(z**2) for z in drawn], 1, atol=0.2)
    assert_allclose(np.corrcoef(drawn), np.eye(12), atol=0.2)
    assert not begun[-1][0].any() and begun[-1][1] == {"lr": 0.01, "mu": 0.9}


def test_momentum_phase_diagram_the_share_is_that_of_the_second_half_where_one_root_is_left():
    found = momentum_phase_diagram.compute(steps=200, points=5, widest=0.4, marked_al=(0.1,), marked_mu=(0.2,), shown=3)
    for i, mu in enumerate(found["mu"][:3]):
        for j, al in enumerate(found["al"]):
            large, small = sorted(np.abs(np.roots([1, -(1 + mu - al), mu])), reverse=True)
            if small < 0.8 * large and large > 0.1:
                assert_allclose(found["rate"][i, j], large, rtol=1e-8)


def test_piecewise_linear_rate_a_rate_is_drawn_for_the_ten_steps_that_were_taken_at_it(monkeypatch):
    monkeypatch.setattr(piecewise_linear_rate, "STEPS", 300)
    valley, rate = Quadratic(np.diag([1.0, 10.0])), schedules.reduce_on_plateau(0.1, factor=0.3)
    run, used = gradient_descent(Noisy(valley, 1.0), [3.0, 1.0], lr=rate), []
    rate.saw(valley.value(run.theta))
    for t in range(1, 301):
        used.append(rate(t))
        next(run)
        if t % 10 == 0:
            rate.saw(valley.value(run.theta))
    assert_allclose(piecewise_linear_rate.on_a_plateau(0.1), used)
    assert len(set(used)) > 1


def test_rate_validation_the_images_that_are_held_back_are_the_last_and_nobody_trains_on_them(monkeypatch):
    X = np.arange(400)
    monkeypatch.setattr(rate_validation, "parts", lambda data: (X, X + 1, X[:9], X[:9] + 2))
    found = rate_validation.fewer("digits")
    assert [part.tolist() for part in found] == [[*range(113)], [*range(1, 114)], [*range(9)], [*range(2, 11)]]


def test_residual_polynomials_methods_have_the_numbers_of_theory():
    lam = np.array([1.0, 4.0, 9.0])
    valley, ones = Quadratic(np.diag(lam)), np.ones(3)
    runs = residual_polynomials.methods(valley, ones, 1.0, 9.0, 5)
    lr, mu = (2 / (1 + 3))**2, ((3 - 1) / (3 + 1))**2  # Polyak's
    heavy = [ones, ones - lr * lam]
    heavy.append(heavy[1] - lr * lam * heavy[1] + mu * (heavy[1] - heavy[0]))
    heavy.append(heavy[2] - lr * lam * heavy[2] + mu * (heavy[2] - heavy[1]))
    nesterov, share = [ones, ones - lam / 9], (3 - 1) / (3 + 1)
    ahead = nesterov[1] + share * (nesterov[1] - nesterov[0])
    nesterov.append(ahead - lam / 9 * ahead)
    for name, wanted in (("momentum", heavy), ("nesterov", nesterov),
                         ("gradient_descent", [ones * (1 - 0.2 * lam)**t for t in range(4)])):
        for there in wanted[1:]:
            assert_allclose(next(runs[name]), there, atol=1e-12)


def test_self_correction_wrong_pairs_are_those_of_the_inverse_and_have_chance_of_their_own():
    H = np.diag([1.0, 4.0])
    pairs = self_correction.wrong_pairs(H, 3, seed=5)
    assert len(pairs) == 3
    for s, y in pairs:
        assert_allclose(H @ y, s)
    steps = np.array([s for s, _ in pairs])
    assert not np.isclose(steps[0], np.random.default_rng(5).standard_normal(2)).any(), "which made the axes"
    assert not np.isclose(steps, [s for s, _ in self_correction.wrong_pairs(H, 3, seed=6)]).any()


def test_trust_region_path_a_step_is_taken_where_the_place_is_another_after_it():
    for start in (-1.2, 1.0), (0.9186217857197763, -1.297377517589764):  # the second has a share of 0.12, too little
        found = trust_region_path.compute(start=start, steps=20)
        moved = (np.diff(found["centres"], axis=0) != 0).any(axis=1)
        assert (found["taken"][:-1] == moved).all()
        assert_allclose(found["centres"][1:][moved], found["trials"][:-1][moved])


@pytest.mark.parametrize("distances, needed", [
    ([1, 0.5, 0.001, 0.001], 2), ([1, 0.001, 0.5, 0.001, 0.001], 3), ([1, 0.001, 1, 0.001], 3), ([1, 1, 0.5], np.inf),
    ([1, 0.01, 0.0099], 1), ([1, 0.011, 0.01], 2)])
def test_turned_valley_has_arrived_who_stays_within_a_hundredth(distances, needed, monkeypatch):
    monkeypatch.setattr(turned_valley, "path", lambda run, limit: np.array([[d, 0.0] for d in distances]))
    assert turned_valley.steps_needed("momentum", 4.0, np.eye(2), len(distances) - 1)[0] == needed


class Seen(dict):
    """What a training has come to."""
    reason = "steps"


def test_learning_curves_a_rate_that_diverged_is_never_the_best(monkeypatch):
    """The loss held back is least at the rate 0.3; at 1 and more it would be less still, but those runs diverged."""
    asked = []

    def train(optimizer, rate, seed, X, Y, epochs, measure):
        asked.append((rate, seed, len(X), epochs))
        seen = Seen(loss=np.array([2.3, abs(np.log(rate / 0.3)) if rate < 1 else -9.0]), accuracy=np.zeros(2))
        seen.reason = "diverged" if rate >= 1 else "steps"
        return seen

    monkeypatch.setattr(learning_curves, "train", train)
    found = learning_curves.compute(seeds=(3,), epochs=7, search_seeds=(5, 6), search_epochs=2)
    assert found["best"].tolist() == [0.3] * 6 and np.isinf(found["search"][:, 6:]).all()
    assert {(seed, n, epochs) for _, seed, n, epochs in asked} == {(5, 1437 - 287, 2), (6, 1437 - 287, 2), (3, 1437, 7)}


def test_eigenvalue_spectrum_the_products_follow_from_its_seed(monkeypatch):
    asked = []
    loss = SimpleNamespace(hessian=lambda theta: theta, value=lambda theta: 1.0)
    monkeypatch.setattr(eigenvalue_spectrum, "nets", lambda data, images: (loss, np.zeros(3), np.ones(3)))
    monkeypatch.setattr(eigenvalue_spectrum, "slq", lambda *given: asked.append(given[1:]) or (np.ones(2), np.zeros(2)))
    found = eigenvalue_spectrum.some_products("digits")
    assert asked == [(3, 100, 6, 0)] * 2 and found["size"] == 3 and found["nodes"].all() and not found["weights"].any()


@pytest.mark.parametrize("lr", [0.25, 0.5])
def test_ill_conditioned_taylor_the_loss_is_looked_at_up_to_twice_the_rate(lr):
    found = ill_conditioned_taylor.compute(lr=lr, at=1, steps=1, examples=20)
    assert found["alphas"][0] == 0 and found["alphas"][-1] == 2 * lr and len(found["alphas"]) == 101
    assert_allclose(found["alphas"][50], lr)
    loss, theta = ill_conditioned_taylor.problem(20)
    theta = theta - lr * loss.gradient(theta)
    g = loss.gradient(theta)
    assert_allclose(found["change"][[0, 30]], [0, loss.value(theta - 0.6 * lr * g) - loss.value(theta)], atol=1e-12)
    assert_allclose([found["gg"][1], found["value"][1]], [g @ g, loss.value(theta)])


def test_parts_of_a_record_wait_beside_it_and_for_the_repository_in_the_usual_folder(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(command, "recompute", lambda again, j, records_in, parts_in: asked.append(
        (again, records_in, parts_in)) or True)
    monkeypatch.setattr(command, "writable", lambda parser, out: None)
    name = "rate_on_mnist"
    assert command.obey([name, "--recompute", "--out", str(tmp_path / "out")]) == 1
    assert asked == [({name: "digits"}, tmp_path / "out" / "records", tmp_path / "out" / "parts")]
    monkeypatch.setattr(rendering, "drawn_with", lambda: rendering.DRAWN_WITH.read_text().strip())
    assert command.obey([name, "--recompute", "--maintain"]) == 1
    assert asked[1] == ({name: "digits"}, rendering.HERE / "records", rendering.OUT / "parts")


def test_constants_that_are_given_together_are_found_one_by_one(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("A, (B, C) = 1, (2, 3)\nD = E = 4\nfrom x import f as g, h\ndef k(): pass\nB[0] = 1\n")
    assert set(digests.defined(str(file), 0)) == {*"ABCDE", "g", "h", "k"}


def test_runs_that_nobody_makes_any_more_are_stale_and_those_of_this_code_are_not(monkeypatch):
    def made():
        return {}

    script = SimpleNamespace(runs=lambda data: {"a": made, "b": made})
    monkeypatch.setattr(records, "script", lambda name: script)
    monkeypatch.setattr(records, "digest", lambda function: "now")
    whole = {"made": {"a": {"set": "digits", "digest": "now"}, "b": {"set": "digits", "digest": "then"},
                      "gone": {"set": "digits", "digest": "now"}, "gone too": {"set": "mnist", "digest": "then"}}}
    monkeypatch.setattr(records, "whole", lambda name: whole)
    assert records.stale("one") == ["b", "gone", "gone too"]


@pytest.mark.parametrize("figure, drawn_from, made_again", [
    ("zigzag", None, None), ("sensitivity", "sensitivity", "sensitivity"), ("timing", "timing", None),
    ("accuracy_table", "loss_histories", "loss_histories"), ("on_cifar10", "mlp_2x90", None),
    ("second_order_cost", "second_order_cost", None)])
def test_a_record_is_made_again_only_where_it_is_of_the_trainings_of_a_figure(figure, drawn_from, made_again):
    assert (records.named(figure), records.remade(figure)) == (drawn_from, made_again)


def test_in_plain_python_a_step_that_would_lead_uphill_is_turned_round():
    """On −θ² / 2 from 1: r = 1, its image is −1, and so the direction is −1: it is gone against."""
    net = SimpleNamespace(gradient=lambda theta, X, Y: [-theta[0]], fisher_product=lambda theta, X, v: [-v[0]])
    run = element_loops.nltgcr(net, [1.0], None, None, lr=0.1, damping=0.0, window=1)
    assert_allclose(next(run), [1.1])
    net = SimpleNamespace(gradient=lambda theta, X, Y: [theta[0]], fisher_product=lambda theta, X, v: [v[0]])
    run = element_loops.nltgcr(net, [1.0], None, None, lr=0.1, damping=0.0, window=1)
    assert_allclose(next(run), [0.9])


@pytest.mark.parametrize("platform, kilobytes", [("darwin", 3), ("linux", 3 * 1024)])
def test_what_a_process_has_at_most_is_in_kilobytes_where_the_system_counts_bytes_too(platform, kilobytes, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(side_by_side, "Path", lambda place: SimpleNamespace(exists=lambda: False))
    monkeypatch.setattr(side_by_side, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=3 * 1024))
    assert side_by_side.peak() == kilobytes


@pytest.mark.parametrize("value, told", [(0.5, 0.5), (9.5, 9.5), (10.5, 10.0), (np.inf, 10.0), (np.nan, 10.0)])
def test_sensitivity_a_loss_that_is_no_number_or_too_large_is_at_the_ceiling(value, told, monkeypatch):
    class Run(dict):
        def __iter__(self):
            for self["t"] in range(1, 1000):
                yield self["t"]

    asked = []
    assert sensitivity.last_loss(SimpleNamespace(value=lambda theta: asked.append(theta) or value), Run()) == told
    assert asked == [230]
    gone = SimpleNamespace(value=None)

    def diverges():
        raise Diverged("gone", 3)
        yield

    assert sensitivity.last_loss(gone, diverges()) == 10.0


def test_method_family_tree_only_what_agrees_to_eight_digits_is_one_and_the_same(monkeypatch):
    rows = [("gradient_descent", None, "the first"), ("momentum", "gradient_descent", "a"), ("newton", "momentum", "b")]
    pairs = [("momentum", "mu = 0", "gradient_descent"), ("newton", "far = 0", "momentum")]
    monkeypatch.setattr(method_family_tree, "panel", lambda *given: None)
    monkeypatch.setattr(method_family_tree, "lines", lambda: rows)
    monkeypatch.setattr(method_family_tree, "same", lambda: dict.fromkeys(pairs))
    left, points = np.array([0.25, 1e-17, 3e-16]), np.zeros((3, 2))
    figure = method_family_tree.draw(np.array([9e-9, 1.1e-8]), None, points, np.ones(3, int), left, *"wbh")
    try:
        texts = [text.get_text() for text in figure.axes[0].texts]
    finally:
        plt.close(figure)
    assert "mu = 0" in texts and "far = 0" not in texts
    assert [text for text in texts if text in ("2e-01", "0", "1e-17", "3e-16")] == ["2e-01", "0", "3e-16"]


def test_minimum_energy_path_losses_lie_at_equal_distances_and_their_places_are_shares_of_the_length():
    bowl, nets = Quadratic(np.eye(2)), np.array([[0.0, 0], [8, 0], [8, 16]])
    losses, (share, length) = minimum_energy_path.losses(bowl, nets), minimum_energy_path.way(nets)
    first, second = np.arange(8.0), 2 * np.arange(9.0)
    assert_allclose(losses, [*first**2 / 2, *(64 + second**2) / 2])
    assert_allclose(share * 24, [*first, *(8 + second)])
    assert length == 24
    along, up = minimum_energy_path.plane(nets)
    assert_allclose(along, np.array([1, 2]) / 5**0.5)
    assert_allclose(up, np.array([2, -1]) / 5**0.5)


def test_minimum_energy_path_a_pair_is_of_two_seeds_and_lengths_are_those_of_the_straight_line(monkeypatch):
    """In a bowl, between two places, of a band that some optimizer has lifted by 1 everywhere between its ends."""
    seeds, ends = [], {4: np.array([0.0, 0, 0]), 5: np.array([3.0, 4, 0])}
    monkeypatch.setattr(minimum_energy_path, "problem", lambda data: Quadratic(np.eye(3)))
    monkeypatch.setattr(minimum_energy_path, "minimum_from", lambda loss, seed: seeds.append(seed) or ends[seed])
    monkeypatch.setattr(minimum_energy_path, "momentum", lambda band, line, lr: (line, lr))
    bent = []

    def path(run, steps):
        line, lr = run
        nets = line.reshape(-1, 3) + [0, 0, 1.0]
        bent.append((nets, lr, steps))
        return [line, nets.ravel()]

    monkeypatch.setattr(minimum_energy_path, "path", path)
    found = minimum_energy_path.joined("digits", 4)
    nets, lr, steps = bent[0]
    assert seeds == [4, 5] and (lr, steps, len(nets)) == (0.2, 400, 20)
    whole = np.vstack([ends[4], nets, ends[5]])
    assert_allclose(found["length"], np.linalg.norm(np.diff(whole, axis=0), axis=1).sum() / 5)
    assert_allclose(found["line"][[0, 84, 168]], [0, 25 / 8, 25 / 2])
    assert_allclose(found["path"][[0, 8, 168]], [0, (nets[0] @ nets[0]) / 2, 12.5])
    assert_allclose(found["projected"][[0, 10, -1]], [[0, 0], [10 / 21, 0.2], [1, 0]], atol=1e-12)
    a, b = (list(axis) for axis in minimum_energy_path.AXES)
    assert_allclose(found["plane"][5][7], 25 / 2 * (a[7]**2 + b[5]**2))


@pytest.mark.parametrize("f, uphill", [([0, 1, 2, 3], [1, 1]), ([3, 2, 1, 0], [-1, -1]), ([0, 5, 1, 0], [1, -1])])
def test_minimum_energy_path_the_way_along_a_band_is_towards_the_higher_neighbour(f, uphill):
    """With a slope along x alone, and nets on a corner, what is left of the slope is what is across that way."""
    places = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    slope = np.array([1.0, 0.0])

    def value_and_gradient(x):
        return f[[place.tolist() for place in places].index(x.tolist())], slope

    band = minimum_energy_path.Band(SimpleNamespace(value_and_gradient=value_and_gradient), places[0], places[3], 0.3)
    ways = np.diff(places, axis=0)
    wanted = []
    for i, sign in zip((1, 2), uphill):
        tau = ways[i] if sign > 0 else ways[i - 1]
        wanted += [slope - (slope @ tau) * tau]  # the springs are of one length
    assert_allclose(band.gradient(places[1:3].ravel()), np.ravel(wanted))


def test_matrices_are_of_all_the_digits_below_five_by_the_sums_of_their_rows():
    X, Y, *_ = digits(images=True, normalise=False)
    loss, theta = matrices.problem()
    sums = np.einsum("nijc->ni", X.astype(float))
    sums = (sums - sums.mean(axis=0)) / np.sqrt((sums**2).mean(axis=0) - sums.mean(axis=0)**2)
    assert loss.n == np.isin(Y, range(5)).sum() and theta.size == 131
    assert_allclose(loss.X, sums[np.isin(Y, range(5))], rtol=1e-8, atol=1e-10)
    assert (loss.Y == Y[np.isin(Y, range(5))]).all()


def test_rate_cifar100_every_image_is_on_the_left_beside_others_each_time():
    X, Y = np.arange(10.0)[:, None, None, None] * np.ones((1, 2, 2, 1)), np.arange(10)
    images, labels = rate_cifar100.pairs(X, Y, times=2)
    left, right = images[:, 0, 0, 0], images[:, 0, 2, 0]
    assert images.shape == (20, 2, 4, 1) and (labels == 10 * left + right).all()
    parts, single = rate_cifar100.images("digits"), digits(images=True, dtype=np.float32)[:4]
    for pairs, of, times in (parts[:2], single[:2], 2), (parts[2:], single[2:], 1):
        assert_array_equal(pairs[0][:, :, :8], np.concatenate([of[0]] * times))
        assert_array_equal(pairs[1] // 10, np.tile(of[1], times))
    assert left.tolist() == [*range(10)] * 2 and sorted(right[:10]) == sorted(right[10:]) == [*range(10)]
    assert (right[:10] != right[10:]).any()
    runs = rate_cifar100.runs("digits")
    double, single = (runs[f"{name}, seed 0"] for name in ("printed, double", "printed"))
    assert double.keywords.get("dtype") is np.float64 and "dtype" not in single.keywords


def test_rate_on_boston_the_best_is_the_lowest_of_those_that_have_not_diverged():
    runs = [np.array([[3.0, 2.0], [0, 0]]), np.array([[3.0, 1.0], [0, 0]]), np.full((2, 2), np.nan)]
    assert rate_on_boston.best(runs) is runs[1] and rate_on_boston.best(runs[::-1]) is runs[1]
    risen = np.array([[0.5, 9.0], [0, 0]])
    assert rate_on_boston.best([*runs, risen]) is risen, "the lowest on the way, not at the end"
    with pytest.raises(ValueError, match="every one of them diverges"):
        rate_on_boston.best(runs[2:])
    bowl = Quadratic([[1.0]])
    assert_allclose(rate_on_boston.follow(gradient_descent(bowl, [4.0], lr=0.5), bowl, 2), [[8, 2, 0.5], [np.nan] * 3])
    with np.errstate(all="ignore"):
        assert np.isnan(rate_on_boston.follow(gradient_descent(bowl, [4.0], lr=1e200), bowl, 5)).all()
    assert rate_over_time_boston.rises(np.array([3.0, 4, 2, 2, 5])).tolist() == [0, 3]


def test_sgd_avoids_plateau_it_begins_with_the_frequencies_of_the_classes_and_its_plane_leads_to_the_end():
    words = [sgd_avoids_plateau.in_words(n) for n in (1, 2, 5, 6)]
    assert words == ["one order", "two orders", "five orders", "6 orders"]
    for signs in ([1, 1, 1], [-1, 1, 1], [1, -1, 1], [-1, -1, 1]):
        walk = np.array([[0.0, 0, 0], [0, -3, 0], [1, -8, 0]]) * signs
        first, second = sgd_avoids_plateau.plane(walk)
        assert first @ walk[-1] > 0 and second @ walk[-1] > 0 and abs(first @ second) < 1e-12
        assert first[1] * signs[1] < -0.9
    risk = sgd_avoids_plateau.problem()
    z = risk.network.outputs(sgd_avoids_plateau.plateau(risk), risk.X)
    assert_allclose(np.exp(z), np.tile(np.bincount(risk.Y) / 200, (200, 1)), atol=1e-12)


def test_pre_training_a_layer_goes_on_from_what_the_one_below_gives_with_its_bias(monkeypatch):
    given = []

    def train(network, X, Y, theta, steps, seed, X_all, Y_all):
        given.append(X)
        return np.linspace(-1, 1, theta.size), [3.0, 2.0]

    monkeypatch.setattr(pre_training, "train", train)
    X = np.array([[1.0, 2.0], [0.5, -1.0]])
    weights, losses = pre_training.greedy(X, np.array([0, 1]), 2, seed=0)
    first = np.linspace(-1, 1, 20 * 3 + 21 * 2)[:60].reshape(20, 3)
    assert len(given) == 12 and losses == [2.0] * 12
    assert_allclose(given[1], np.tanh(X @ first[:, :2].T + first[:, 2]))
    assert len(weights) == 60 + 11 * 420 + 42


def test_words_of_a_cost_say_how_many_where_it_is_not_one():
    assert second_order_cost.words([2.0, 1.0, 10.0]) == "2 f, g, 10 Hv"
    assert second_order_cost.words([0.0, 1.5, 0.1]) == "1.5 g, 0.1 Hv" and second_order_cost.words([0, 0, 0]) == ""


def test_whoever_has_no_cost_is_named_with_why_and_whoever_is_newer_than_the_record_too(monkeypatch):
    cost = {"asked": {"adam": [0, 1, 0]}, "cannot": {"bfgs": "a matrix", "sr1": "a matrix"}}
    monkeypatch.setattr(second_order_cost, "recorded", lambda name: {"cost": cost})
    monkeypatch.setattr(second_order_cost.optimizers, "__all__", ["adam", "bfgs", "lion", "sr1"])
    bfgs, sr1, lion = (METHODS[name][2] for name in ("bfgs", "sr1", "lion"))
    assert second_order_cost.excluded().split("\n") == [f"Not here: {bfgs}, {sr1} (a matrix).",
                                                        f"Not here: {lion} (not measured yet)."]


def test_rows_that_end_early_are_not_numbers_after_their_end():
    found = adaptive_rate.padded([np.array([1.0, 2]), np.array([3.0]), np.array([4.0, 5, 6])])
    assert_allclose(found, [[1, 2, np.nan], [3, np.nan, np.nan], [4, 5, 6]])


def test_unit_balls_the_length_of_a_step_is_by_the_root_of_each_curvature():
    H = np.array([[4.0, 0], [0, 9]])
    d = np.array([1.0, 2.0])
    wanted = {("LI", "whole"): np.sqrt(45), ("LI", "gradient"): np.sqrt(15), ("LI", "eigenvector"): 6,
              ("full", "whole"): np.sqrt(40), ("full", "gradient"): np.sqrt(14), ("full", "eigenvector"): 6,
              ("diagonal", "whole"): np.sqrt(40), ("diagonal", "eigenvector"): 6}
    for (structure, limit), length in wanted.items():
        assert_allclose(unit_balls.length(d, H, structure, limit), length)


def test_eigenvectors_of_an_ellipse_by_the_root_of_h_level_lines_are_circles():
    found = eigenvectors_of_an_ellipse.compute(curvatures=(0.5, 3.0), direction=(1.0, 2.0), at=100)
    assert_allclose(np.linalg.norm(found["circles"], axis=2), np.sqrt([[1.0], [2.25]]) * np.ones((1, 361)))


def test_three_balls_a_step_leads_down():
    found = three_balls.compute(slope=3.66, points=8)
    around = found["around"]
    for ball in "sign", "euclidean", "spectral":
        turned = found[f"{ball}: turned"]
        assert (np.cos(turned - around) > 0.7).all()
        assert found[f"{ball}: step"] @ [np.cos(3.66), np.sin(3.66)] < 0


def test_permutation_symmetry_three_copies_are_the_corners_of_a_triangle_with_equal_sides():
    places = []
    theta = np.random.default_rng(0).standard_normal(permutation_symmetry.NETWORK.size)
    permutation_symmetry.plane(SimpleNamespace(value=lambda place: places.append(place) or 0.0), theta)
    places = np.array(places).reshape(31, 31, -1)
    x, y = (places[15, 25] - places[15, 15]), (places[25, 15] - places[15, 15])  # one unit along each axis
    assert_allclose([np.linalg.norm(x), x @ y], [np.linalg.norm(y), 0], rtol=1e-9, atol=1e-9)
    assert_allclose(places[15, 25], theta)


def test_races_and_rates_begin_where_they_are_said_to():
    random = np.random.default_rng(0)
    for name, low, high in (("eta_minus", 0.2, 0.9), ("eta_plus", 1.05, 2), ("alpha", 0.1, 1), ("mu", 0, 0.99),
                            ("beta2", 0, 0.999), ("lr", 1e-4, 10), ("k", 2, 20), ("window", 2, 50)):
        drawn = np.array([race.RANGES[name](random) for _ in range(400)])
        assert low <= drawn.min() and drawn.max() <= high and drawn.max() - drawn.min() > 0.9 * (high - low) - 1
    starts = [rate_free.problem("houses", "digits", seed)[1] for seed in (0, 1)]
    assert not np.isclose(*starts).any() and 0.03 < np.std(starts) < 0.2
    settings = rate_on_mnist.SETTINGS["digits"]
    begun = {name: run.args[2] for name, run in rate_on_mnist.runs("digits").items()}
    for name in begun:
        wanted = "low" if "low" in name else "searched" if "searched" in name else "start"
        assert begun[name] == settings[wanted]


def test_saddle_every_noisy_run_has_noise_of_its_own():
    noisy = saddle.compute(seeds=3)["noisy"]
    assert len(np.unique(np.round(noisy[:, 5, 1], 12))) == 3 and not noisy[:, 0, 1].any()
