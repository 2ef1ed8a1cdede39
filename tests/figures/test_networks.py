"""The figures about the losses of networks show what their captions claim: tested on the arrays that are drawn."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import RegularGridInterpolator
from scipy.linalg import eigvalsh_tridiagonal
from scipy.sparse.linalg import eigsh

from figures import eigenvalue_spectrum, minimum_energy_path, sgd_avoids_plateau
from figures.making.records import recorded
from numopt.data import digits
from numopt.linalg import lanczos, slq
from numopt.networks import lenet1
from numopt.optimizers import gradient_descent
from numopt.problems import Function, MiniBatch, Quadratic
from numopt.record import path

START, TRAINED = 0, 1


# -------------------------------------------------------------------------------------------- eigenvalue_spectrum

def spectra(drawn, when):
    """(eigenvalues as shares of the largest, the weight of each) of the two nets; the weights of a net sum to 1."""
    exact, nodes = drawn["eigenvalues"][when], drawn["nodes"][when]
    return [(exact / exact.max(), np.full(exact.size, 1 / exact.size)), (nodes / nodes.max(), drawn["weights"][when])]


def test_eigenvalue_spectrum_after_training_nine_of_ten_eigenvalues_are_within_a_hundredth_of_the_largest(arrays):
    drawn = arrays("eigenvalue_spectrum")
    for (before, weight), (after, weight_after) in zip(spectra(drawn, START), spectra(drawn, TRAINED)):
        assert weight[abs(before) < 0.01].sum() < 0.75
        assert weight_after[abs(after) < 0.01].sum() > 0.92
        assert 0 < weight_after[after > 0.1].sum() < 0.01


def test_eigenvalue_spectrum_at_the_start_as_many_directions_bend_down_as_up_and_almost_as_much(arrays):
    for eigenvalues, weight in spectra(arrays("eigenvalue_spectrum"), START):
        down = eigenvalues < 0
        assert 0.45 < weight[down].sum() < 0.55
        assert 0.8 < -np.sum((weight * eigenvalues)[down]) / np.sum((weight * eigenvalues)[~down]) < 1
        assert eigenvalues.min() < -0.5


def test_eigenvalue_spectrum_after_training_what_is_negative_is_minute_but_still_there(arrays):
    drawn = arrays("eigenvalue_spectrum")
    for (eigenvalues, weight), share in zip(spectra(drawn, TRAINED), (0.3, 0.5)):
        assert -1 / 30 < eigenvalues.min() < 0
        assert_allclose(weight[eigenvalues < -1e-8].sum(), share, atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_eigenvalue_spectrum_with_other_starts_and_batches_the_lower_net_has_such_a_spectrum_too(seed, monkeypatch):
    monkeypatch.setattr(eigenvalue_spectrum, "SEED", seed)
    loss, *thetas = eigenvalue_spectrum.nets("digits", images=False)
    spectra = [slq(loss.hessian(theta), theta.size, 70, 2, seed) for theta in thetas]
    (start, weight), (after, weight_after) = ((nodes / nodes.max(), weights) for nodes, weights in spectra)
    down = start < 0
    assert 0.8 < -np.sum((weight * start)[down]) / np.sum((weight * start)[~down]) < 1 and start.min() < -0.5
    assert weight[abs(start) < 0.01].sum() < 0.75 and weight_after[abs(after) < 0.01].sum() > 0.9
    assert 0 < weight_after[after > 0.1].sum() < 0.01 and -1 / 30 < after.min() < 0


def test_eigenvalue_spectrum_the_nets_are_those_that_the_caption_names(arrays):
    drawn = arrays("eigenvalue_spectrum")
    assert drawn["eigenvalues"].shape == (2, 974) and drawn["size"] == 14_950
    assert_allclose(drawn["weights"].sum(axis=1), 1)
    assert drawn["nodes"].shape == (2, eigenvalue_spectrum.PROBES * eigenvalue_spectrum.LANCZOS_STEPS)


def test_eigenvalue_spectrum_bars_and_areas_count_every_eigenvalue_once(arrays):
    drawn = arrays("eigenvalue_spectrum")
    figure = eigenvalue_spectrum.draw(**drawn)
    for column, (above, below) in enumerate(zip(figure.axes[:2], figure.axes[2:])):
        heights = np.array([bar.get_height() for bar in above.patches])
        middles = np.array([bar.get_x() + bar.get_width() / 2 for bar in above.patches])
        exact = drawn["eigenvalues"][column]
        assert heights.sum() == 974
        for share in (-0.5, -0.1, 0, 0.1, 0.5):
            assert heights[middles > share].sum() == np.sum(exact > share * exact.max())
        x, y = below.collections[0].get_paths()[0].vertices.T
        assert_allclose(abs(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)) / 0.02, 14_950, rtol=0.01)
        nodes, top = drawn["nodes"][column], y > 0
        assert_allclose(np.average(x[top], weights=y[top]), drawn["weights"][column] @ nodes / nodes.max(), atol=2e-3)
    plt.close(figure)


@pytest.mark.parametrize("probes", [1, 3])
def test_eigenvalue_spectrum_of_known_matrices_the_weighted_nodes_are_the_eigenvalues(probes, monkeypatch):
    """The mean is exact with any probe; with as many steps as different eigenvalues, each of them is a node."""
    spectra = np.array([1.0, -2, 0.5, 4, 1, 1]), np.array([3.0, 3, 0, 0, 7, -1])
    bowl, asked = Quadratic(np.eye(6)), []

    def nets(data, images):
        asked.append((data, images))
        return bowl, np.zeros(6), np.ones(6)

    monkeypatch.setattr(bowl, "hessian", lambda theta: np.diag(spectra[int(theta[0])]))
    for name, value in {"nets": nets, "PROBES": probes, "LANCZOS_STEPS": 4}.items():
        monkeypatch.setattr(eigenvalue_spectrum, name, value)
    drawn = eigenvalue_spectrum.some_products("digits")
    assert drawn["nodes"].shape == drawn["weights"].shape == (2, 4 * probes) and drawn["size"] == 6
    for nodes, weights, spectrum in zip(drawn["nodes"], drawn["weights"], spectra):
        assert_allclose(weights.sum(), 1)
        for k in 1, 2, 3:
            assert_allclose(weights @ nodes**k, np.mean(spectrum**k), rtol=1e-8)
        assert_allclose(nodes.reshape(probes, 4), np.tile(sorted(set(spectrum)), (probes, 1)), atol=1e-9)
    exact = eigenvalue_spectrum.every_eigenvalue("digits")
    assert_allclose(exact["eigenvalues"], np.sort(spectra, axis=1))
    assert_allclose(exact["loss"], [0, 3])
    assert_allclose(exact["theta"], [np.zeros(6), np.ones(6)])
    assert asked == [("digits", False), ("digits", True)]


def test_eigenvalue_spectrum_it_is_that_of_the_hessian_at_the_recorded_weights():
    record = recorded("eigenvalue_spectrum")["shared weights"]
    X, Y, *_ = digits(images=True)
    loss = MiniBatch(lenet1(X.shape[1:]), X[:320], Y[:320])
    theta, eigenvalues = record["theta"][TRAINED], record["eigenvalues"][TRAINED]
    assert_allclose(loss.value(theta), record["loss"][TRAINED], rtol=1e-6)
    assert record["loss"][TRAINED] <= eigenvalue_spectrum.TARGET
    alpha, beta, _ = lanczos(loss.hessian(theta), np.random.default_rng(0).standard_normal(theta.size), 60)
    assert_allclose(eigvalsh_tridiagonal(alpha, beta)[-5:], eigenvalues[-5:], rtol=1e-6)


# -------------------------------------------------------------------------------------------- minimum_energy_path

def over_the_minima(losses):
    """How many times the higher of both ends the highest loss is, for each pair of minima."""
    return losses.max(axis=1) / np.maximum(losses[:, 0], losses[:, -1])


def test_minimum_energy_path_the_straight_line_goes_over_a_mountain_and_the_path_round_it(arrays):
    drawn = arrays("minimum_energy_path")
    assert_allclose(drawn["line"][:, [0, -1]], drawn["path"][:, [0, -1]])
    assert len(drawn["line"]) == 3
    assert (over_the_minima(drawn["line"]) > 7).all() and (over_the_minima(drawn["line"]) < 9).all()
    assert (over_the_minima(drawn["path"]) < 1 + 1 / 7).all()


def test_minimum_energy_path_each_pair_is_drawn_with_its_own_path_and_length(arrays):
    drawn, pairs = arrays("minimum_energy_path"), recorded("minimum_energy_path")
    assert list(pairs) == [f"pair {k}" for k in range(minimum_energy_path.PAIRS)]
    for k, pair in enumerate(pairs.values()):
        for name in ("line", "path", "way", "length"):
            assert_array_equal(drawn[name][k], pair[name])
    assert_array_equal(drawn["projected"], pairs["pair 0"]["projected"])
    ends = drawn["path"][:, [0, -1]].ravel()
    assert np.diff(np.sort(ends)).min() > 1e-6, "with its ends a path says whose it is"


def test_minimum_energy_path_the_path_is_nearly_twice_as_long_and_its_nets_are_equally_far_apart(arrays):
    drawn = arrays("minimum_energy_path")
    assert (1.7 < drawn["length"]).all() and (drawn["length"] < 2).all()
    for way in drawn["way"]:
        pieces = np.diff(way)
        assert way[0] == 0 and abs(way[-1] - 1) < 1e-12
        assert pieces.max() < 1.05 * pieces.min()


def test_minimum_energy_path_the_path_is_longer_by_a_third_than_its_projection(arrays):
    drawn = arrays("minimum_energy_path")
    x = drawn["projected"]
    assert_allclose(x[[0, -1]], [[0, 0], [1, 0]], atol=1e-9)
    assert_allclose(drawn["length"][0] / np.linalg.norm(np.diff(x, axis=0), axis=1).sum(), 4 / 3, rtol=0.06)


def test_minimum_energy_path_the_plane_shows_the_losses_at_the_minima_and_on_the_straight_line(arrays):
    drawn = arrays("minimum_energy_path")
    a, b = minimum_energy_path.AXES
    plane = RegularGridInterpolator((b, a), drawn["plane"], method="cubic")
    along = np.linspace(0, 1, drawn["line"].shape[1])
    assert_allclose(plane(np.stack([0 * along, along], axis=-1)), drawn["line"][0], rtol=0.01)


def pass_of_height_one(c=5.0):
    """(x² - 1)² + c (y - 1 + x²)²: minima at (-1, 0) and (1, 0), and a pass of height 1 at (0, 1) between them."""
    def gradient(theta):
        x, y = theta
        off = y - 1 + x**2
        return np.array([4 * x * (x**2 - 1) + 4 * c * x * off, 2 * c * off])

    return Function(lambda theta: (theta[0]**2 - 1)**2 + c * (theta[1] - 1 + theta[0]**2)**2, jac=gradient)


def test_minimum_energy_path_a_band_finds_the_pass_between_two_valleys_and_nothing_pushes_it_aside():
    f, ends = pass_of_height_one(), (np.array([-1.0, 0.0]), np.array([1.0, 0.0]))
    band = minimum_energy_path.Band(f, *ends, spring=3.0)
    straight = np.linspace(*ends, 13)
    x = band.nets(path(gradient_descent(band, straight[1:-1].ravel(), lr=0.005), 3000)[-1])
    assert max(map(f.value, straight)) == 6
    assert_allclose(x[6], [0, 1], atol=0.02)
    assert_allclose(max(map(f.value, x)), 1, atol=0.01)
    assert_allclose(band.gradient(x[1:-1].ravel()), 0, atol=1e-6)
    for i in [*range(1, 6), *range(7, 12)]:  # the slope is along the path
        higher = x[i + 1] if i < 6 else x[i - 1]
        tau, g = (higher - x[i]) / np.linalg.norm(higher - x[i]), f.gradient(x[i])
        assert_allclose(abs(g @ tau), np.linalg.norm(g), rtol=1e-5)


def test_minimum_energy_path_no_net_is_in_two_pairs():
    seeds = [seed for run in minimum_energy_path.runs("digits").values() for seed in (run.args[1], run.args[1] + 1)]
    assert seeds == list(range(minimum_energy_path.SEED, minimum_energy_path.SEED + minimum_energy_path.SEEDS))


def test_minimum_energy_path_the_ends_are_minima():
    loss = minimum_energy_path.problem("digits")
    theta = minimum_energy_path.minimum_from(loss, 0)
    assert np.linalg.norm(loss.gradient(theta)) <= 1e-6
    assert eigsh(loss.hessian(theta), 1, which="SA", tol=1e-3)[0] > 0
    assert_allclose(loss.value(theta), recorded("minimum_energy_path")["pair 0"]["line"][0], rtol=1e-4)


# --------------------------------------------------------------------------------------------- sgd_avoids_plateau

def test_sgd_avoids_plateau_the_start_has_no_gradient_but_on_mini_batches():
    risk = sgd_avoids_plateau.problem(10)
    start = sgd_avoids_plateau.plateau(risk)
    share = np.bincount(risk.Y) / risk.n
    assert_allclose(risk.whole.value(start), -share @ np.log(share))  # the entropy: of answers that ignore X, the best
    assert np.linalg.norm(risk.whole.gradient(start)) < 1e-14
    for t in range(1, 21):
        assert np.linalg.norm(risk.loss(t).gradient(start)) > 0.1


def test_sgd_avoids_plateau_the_start_is_a_saddle():
    whole = sgd_avoids_plateau.problem().whole
    start = sgd_avoids_plateau.plateau(sgd_avoids_plateau.problem())
    lowest, highest = eigsh(whole.hessian(start), 2, which="BE", return_eigenvectors=False)
    assert lowest < -0.5 and highest > 0.5


def test_sgd_avoids_plateau_sgd_is_in_the_valley_when_gradient_descent_has_not_moved(arrays):
    drawn = arrays("sgd_avoids_plateau")
    shown = sgd_avoids_plateau.SHOWN // sgd_avoids_plateau.EVERY
    assert (drawn["sgd"][:, shown] < 0.3).all() and drawn["heights"][-1] == drawn["sgd"][0, shown]
    assert_allclose(drawn["descent"][0, :shown + 1], drawn["heights"][0], atol=1e-4)
    assert_allclose(drawn["stayed"], 0, atol=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_sgd_avoids_plateau_with_every_order_of_the_examples_it_leaves_long_before_gradient_descent(seed, arrays):
    risk = sgd_avoids_plateau.problem(10, seed)
    walk = path(gradient_descent(risk, sgd_avoids_plateau.plateau(risk), lr=0.1), 300)
    descent = arrays("sgd_avoids_plateau")["descent"][0]
    assert risk.whole.value(walk[300]) < descent[0] / 2 and descent[30] > 0.999 * descent[0]
    assert descent[-1] < descent[0] / 2, "in the end rounding leads it away too"


def test_sgd_avoids_plateau_a_start_a_little_beside_leaves_no_later_than_sgd(arrays):
    drawn = arrays("sgd_avoids_plateau")
    halved = [np.argmax(losses < drawn["heights"][0] / 2) for losses in (drawn["descent"][1], *drawn["sgd"])]
    assert 0 < halved[0] <= min(halved[1:])


def test_sgd_avoids_plateau_the_plane_holds_the_path_and_goes_through_the_start(arrays):
    drawn = arrays("sgd_avoids_plateau")
    risk = sgd_avoids_plateau.problem(10)
    start = sgd_avoids_plateau.plateau(risk)
    walk = path(gradient_descent(risk, start, lr=0.1), sgd_avoids_plateau.SHOWN)
    assert_allclose(drawn["walk"][0], 0, atol=1e-12)
    assert np.sum(drawn["walk"]**2) > 0.99 * np.sum((walk - start)**2)
    a, b = drawn["axes"]
    surface = RegularGridInterpolator((b, a), drawn["surface"], method="cubic")
    assert_allclose(surface(drawn["walk"][:, ::-1]), drawn["heights"], atol=0.1)


def test_sgd_avoids_plateau_the_beginning_is_flat_and_then_it_goes_down(arrays):
    heights = arrays("sgd_avoids_plateau")["heights"]
    assert heights[40] > 0.98 * heights[0] and heights[200] < 0.6 * heights[0]
