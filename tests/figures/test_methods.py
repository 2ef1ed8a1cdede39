"""The figures that compare methods show what their captions claim: tested on the arrays that are drawn."""
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_scripts.experiments import EXPERIMENTS
from data_scripts.runs import searching
from figures import HERE, accuracy_table, loss_histories
from figures import method_family_tree as tree
from figures import on_cifar10, race, sensitivity
from figures.making import one_valley
from figures.making.records import recorded
from figures.making.style import METHODS
from numopt import data, optimizers
from numopt.optimizers import (
    adam, adamw, clipped_natural_gradient, gradient_descent, lion, lookahead, momentum, natural_gradient, nltgcr,
    nltgcr_adaptive, normalized_natural_gradient, sign_descent)
from numopt.problems import Counted
from numopt.record import path

# --------------------------------------------------------------------------------------------- method_family_tree


@pytest.fixture(scope="module")
def drawn_tree(arrays):
    """The picture, drawn once for those who only look at it."""
    with plt.style.context(HERE / "making" / "lectures.mplstyle"):
        figure = tree.draw(**arrays("method_family_tree"))
    figure.canvas.draw()
    yield figure
    plt.close(figure)


def test_method_family_tree_every_optimizer_is_there_once_and_after_the_one_that_it_comes_from():
    names = [name for name, *_ in tree.lines()]
    assert sorted(names) == sorted(optimizers.__all__)
    for i, (_, parent, _) in enumerate(tree.lines()):
        assert parent is None or parent in names[:i]


def test_method_family_tree_it_descends_from_three():
    assert [name for name, parent, _ in tree.lines() if parent is None] == ["gradient_descent", "newton", "gcr"]


def test_method_family_tree_what_is_called_the_same_goes_the_same_way(arrays):
    drawn = arrays("method_family_tree")
    assert drawn["apart"].max() < 1e-8 and drawn["steps"].min() >= 4  # in four dimensions conjugate directions arrive
    assert 0.4 < len({name for name, *_ in tree.same()}) / len(optimizers.__all__) < 0.6  # about half


def test_method_family_tree_how_far_apart_two_runs_come_is_a_share_of_the_way_that_they_go(monkeypatch):
    one = np.array([[100.0, 7], [101, 7], [102, 7]])                           # it ends earlier
    other = np.array([[100.0, 7], [101, 7.5], [102, 7], [102, 3]])
    monkeypatch.setattr(tree, "same", lambda: {("a", "some setting", "b"): (one, other)})
    monkeypatch.setattr(tree, "path", lambda run, steps: run)
    monkeypatch.setattr(tree, "lines", lambda: [("gradient_descent", None, "")])
    found = tree.compute(budget=2)
    assert found["apart"] == [0.5 / 4] and found["steps"] == [2]


def test_method_family_tree_the_runs_that_are_compared_are_of_the_methods_that_are_named():
    for (name, _, other), runs in tree.same().items():
        assert [run.name for run in runs] == [name, other]


@pytest.mark.parametrize("child, parent", [
    (momentum(tree.NET, tree.START, lr=0.1, mu=0.1), gradient_descent(tree.NET, tree.START, lr=0.1)),
    (lion(tree.NET, tree.START, lr=0.1, beta1=0.9), sign_descent(tree.NET, tree.START, lr=0.1)),
    (adamw(tree.NET, tree.START, weight_decay=0.1), adam(tree.NET, tree.START)),
    (lookahead(tree.NET, tree.START, k=1, alpha=0.9), gradient_descent(tree.NET, tree.START)),
    (clipped_natural_gradient(tree.NET, tree.START, epsilon=1), normalized_natural_gradient(tree.NET, tree.START)),
    (clipped_natural_gradient(tree.NET, tree.START, lr=0.1),
     natural_gradient(tree.NET, tree.START, lr=0.1, solver="dense")),
    (nltgcr_adaptive(tree.WHOLE, tree.START, curvature="fisher", damping=0.1, cosine=0),
     nltgcr(tree.WHOLE, tree.START, curvature="fisher", damping=0.1)),
], ids=lambda run: run.name)
def test_method_family_tree_at_another_setting_it_goes_another_way(child, parent):
    one, other = path(child, tree.STEPS), path(parent, tree.STEPS)
    assert np.abs(one - other).max() > 1e-4 * np.abs(other - other[0]).max()


def test_method_family_tree_a_double_line_leads_to_the_parent_and_a_name_is_that_of_another_method(drawn_tree):
    figure = drawn_tree
    texts = {text.get_text() for text in figure.axes[0].texts}
    parents = {name: parent for name, parent, _ in tree.lines()}
    to_parent = {name for name, _, other in tree.same() if other == parents[name]}
    double = [line for line in figure.axes[0].lines if line.get_color() == "black" and line.get_linestyle() == "-"]
    assert len(double) == 2 * (len(to_parent) + 1), "one more is in the legend"
    assert {"mu = 0", "weight_decay = 0", "mu = 0: gradient descent", "gamma = 0: Lion"} <= texts


def test_method_family_tree_a_line_is_single_where_the_runs_part(arrays):
    drawn = arrays("method_family_tree")
    figure = tree.draw(**drawn | {"apart": np.ones_like(drawn["apart"])})
    assert sum(line.get_color() == "black" and line.get_linestyle() == "-" for line in figure.axes[0].lines) == 2
    plt.close(figure)


def test_method_family_tree_no_text_lies_on_another_or_leaves_the_picture(drawn_tree):
    figure = drawn_tree
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for box, text in zip(boxes, texts):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0, text.get_text()
    points = figure.dpi / 72
    for (a, first), (b, second) in combinations(zip(boxes, texts), 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 0 or up < 3 * points, (first.get_text(), second.get_text())  # the room of ascenders and tails


def walks(arrays):
    drawn = arrays("method_family_tree")
    return np.split(drawn["points"], np.cumsum(drawn["lengths"])[:-1])


@pytest.mark.parametrize("name", ["gradient_descent", "adam", "newton", "lbfgs", "hessian_free", "kfac", "lookahead"])
@pytest.mark.parametrize("budget", [10, 40])
def test_method_family_tree_no_walk_costs_more_than_the_others_may(name, budget):
    found, best = one_valley.best_walks(name, budget)
    settings = one_valley.candidates(name)[best]
    counted = Counted(one_valley.Neuron())
    run = getattr(optimizers, name)(counted, one_valley.START, **settings)
    for expected in found[best][1:]:
        assert_allclose(next(run), expected)
    assert one_valley.cost(counted) <= budget
    assert next(run, None) is None or one_valley.cost(counted) > budget, "it would have had another step"


def test_method_family_tree_the_rate_is_the_best_of_those_tried_and_at_neither_end():
    for name in optimizers.__all__:
        found, best = one_valley.best_walks(name, 40)
        ends = [one_valley.Neuron().value(points[-1]) for points in found]
        assert ends[best] == min(ends)
        assert len(found) == 1 or 0 < best < len(found) - 1, name


def test_method_family_tree_the_valley_is_one_neurons_and_the_cross_is_its_minimum():
    neuron, theta = one_valley.Neuron(), np.array([0.3, -0.2])
    r, J = neuron.residuals(theta), neuron.jacobian(theta)
    assert_allclose(r @ r / 2, neuron.value(theta))
    assert_allclose(J.T @ r, neuron.gradient(theta))
    assert_allclose(J.T @ J, neuron.gauss_newton(theta) @ np.eye(2))
    assert neuron.value(one_valley.MINIMUM) == 0
    assert np.linalg.eigvalsh(neuron.hessian(one_valley.START) @ np.eye(2))[0] < 0, "where Newton's method climbs"


def test_method_family_tree_every_panel_has_the_walk_of_its_method_and_what_is_left(drawn_tree, arrays):
    figure, drawn = drawn_tree, arrays("method_family_tree")
    ax, corners_of_the_valley = figure.axes[0], ([drawn["w"][0], drawn["b"][0]], [drawn["w"][-1], drawn["b"][-1]])
    panels = [line for line in ax.lines if line.get_marker() == "."]
    assert len(panels) == len(tree.lines()) == sum(line.get_marker() == "+" for line in ax.lines)
    names = {text.get_position()[1]: text.get_text() for text in figure.axes[0].texts}
    for i, (line, walk) in enumerate(zip(panels, walks(arrays))):
        assert_allclose(line.get_xydata(), walk)
        to_points = line.get_transform() - ax.transData
        middle = to_points.transform(corners_of_the_valley).mean(axis=0)
        assert names[-tree.ROW * i + 6.2] == METHODS[tree.lines()[i][0]][2] and abs(middle[1] + tree.ROW * i) < 1
        assert_allclose(drawn["left"][i], one_valley.Neuron().value(walk[-1]) / one_valley.Neuron().value(walk[0]))


def test_method_family_tree_newton_climbs_and_gcr_is_lost_and_bfgs_arrives(arrays):
    left = dict(zip([name for name, *_ in tree.lines()], arrays("method_family_tree")["left"]))
    assert left["newton"] > 1 and left["gcr"] > 1
    assert max(left["bfgs"], left["gauss_newton"]) < 1e-12 < left["newton_cg"] < 1e-8 < left["gradient_descent"]


def test_method_family_tree_the_number_of_a_method_is_its_lecture():
    assert {name: tree.lecture(name) for name in ("adam", "newton", "gauss_newton", "kfac", "lookahead")} == {
        "adam": 4, "newton": 6, "gauss_newton": 6, "kfac": 11, "lookahead": 13}
    assert {tree.lecture(name) for name in optimizers.__all__} == set(tree.LECTURES)


@pytest.fixture
def newcomers(monkeypatch):
    """Seven methods that nobody has told the figures of."""
    names = [f"newcomer_{k}" for k in range(7)]
    for name in names:
        def new(problem, theta, *, lr=1e-3, t=0):
            """A step of another kind, which takes many words to say what it is and what it is good for."""

        new.__module__ = momentum.__module__
        monkeypatch.setattr(optimizers, name, new, raising=False)
    monkeypatch.setattr(optimizers, "__all__", [*optimizers.__all__, *names])
    return names


def test_a_method_that_nobody_has_told_the_figures_of_has_a_look_of_its_own(newcomers):
    looks = [METHODS[name] for name in optimizers.__all__]
    assert len({look[:2] for look in looks[-7:]}) == 7
    assert {look[:2] for look in looks[-7:]}.isdisjoint(look[:2] for look in looks[:-7])
    assert looks[-1][2] == "newcomer 6" and METHODS["nowhere_registered"][2] == "nowhere registered"


def test_the_tree_makes_room_for_methods_that_nobody_has_told_it_of(newcomers, arrays):
    drawn = arrays("method_family_tree")
    names = [name for name, *_ in tree.lines()]
    first = names.index(newcomers[0])
    drawn = drawn | {"points": np.insert(drawn["points"], drawn["lengths"][:first].sum(), np.zeros((7, 2)), axis=0),
                     "lengths": np.insert(drawn["lengths"], first, 7 * [1]),
                     "left": np.insert(drawn["left"], first, 7 * [1.0])}
    figure = tree.draw(**drawn)
    figure.canvas.draw()
    texts = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    assert {f"newcomer {k}" for k in range(7)} <= set(texts)
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for text, box in texts.items() if text)
    last = max(i for i, (name, *_) in enumerate(tree.lines()) if name in newcomers)
    assert [parent for name, parent, _ in tree.lines()[last - 6:last + 1]] == ["momentum"] * 7
    plt.close(figure)


@pytest.mark.parametrize("more", [0, 1, 5])
def test_sensitivity_and_the_race_lay_themselves_out_for_any_number_of_methods(more, newcomers, arrays):
    losses = arrays("sensitivity")
    losses = losses | {name: next(iter(losses.values())) for name in newcomers[:more]}
    figure = sensitivity.draw(**losses)
    assert sum(ax.axison for ax in figure.axes) == len(losses)
    plt.close(figure)
    names = race.competitors()
    figure = race.draw(gradients=200, search=3, **{name: np.ones((len(names), 5)) for name in race.FUNCTIONS})
    assert len(figure.axes[0].get_yticklabels()) == len(names)
    plt.close(figure)


def test_every_method_has_a_color_and_a_line_of_its_own_among_its_family():
    assert set(METHODS) <= set(optimizers.__all__)
    for one, other in combinations(optimizers.__all__, 2):
        if tree.lecture(one) == tree.lecture(other):
            assert METHODS[one][:2] != METHODS[other][:2], (one, other)
    assert len({label for *_, label in map(METHODS.__getitem__, optimizers.__all__)}) == len(optimizers.__all__)


# ---------------------------------------------------------------------------------------------------- sensitivity

def windows(arrays):
    return {name: sensitivity.window(losses) for name, losses in arrays("sensitivity").items()}


def test_sensitivity_every_first_order_method_with_a_rate_is_there(arrays):
    drawn = arrays("sensitivity")
    without_rate = {"steepest_descent", "adadelta"}
    assert {tree.lecture(name) for name in drawn} == {2, 3, 4, 13}
    assert set(drawn) == {name for name in optimizers.__all__ if tree.lecture(name) in (2, 3, 4, 13)} - without_rate - {
        "proximal_descent", "delta_bar_velocity", "sam", "svrg", "decayed", "by_layer"}
    assert all(losses.shape == (5, len(sensitivity.RATES)) for losses in drawn.values())


def test_sensitivity_tuned_every_method_but_rprop_does_well(arrays):
    for name, losses in arrays("sensitivity").items():
        assert (np.median(losses, axis=0).min() < 0.01) == (name != "rprop"), name
        assert (sensitivity.window(losses) is None) == (name == "rprop"), name


def test_sensitivity_the_windows_are_factors_of_18_to_121_and_adams_is_much_like_momentums(arrays):
    wide = {name: found[1] / found[0] for name, found in windows(arrays).items() if found}
    assert 18 <= min(wide.values()) and max(wide.values()) <= 121.5
    assert round(wide["adam"]) == 55 and round(wide["momentum"]) == 58
    assert wide["lion"] == min(wide.values())


@pytest.mark.parametrize("without", range(5))
def test_sensitivity_four_of_its_five_seeds_say_the_same(without, arrays):
    four = {name: np.delete(losses, without, axis=0) for name, losses in arrays("sensitivity").items()}
    wide = {name: found[1] / found[0] for name, losses in four.items() if (found := sensitivity.window(losses))}
    assert min(wide, key=wide.get) == "lion" and 18 < wide["lion"] < 19 and 115 < max(wide.values()) < 130
    assert 0.85 < wide["adam"] / wide["momentum"] < 1


def test_sensitivity_the_best_rate_of_every_method_has_worse_ones_on_both_sides(arrays):
    for name, losses in arrays("sensitivity").items():
        assert 0 < np.median(losses, axis=0).argmin() < len(sensitivity.RATES) - 1, name


def test_sensitivity_a_window_ends_where_the_median_crosses_its_limit_and_not_at_a_rate_that_was_tried():
    rates = np.log10(sensitivity.RATES)
    losses = 0.1 * 10**(np.abs(rates[None] + 1.1) - 1.37)   # crosses 0.1 at 10 to the power −1.1 ± 1.37
    low, high, best = sensitivity.window(losses)
    np.testing.assert_allclose(np.log10([low, high]), [-1.1 - 1.37, -1.1 + 1.37], atol=1e-9)
    assert best == sensitivity.RATES[np.abs(rates + 1.1).argmin()]


def test_sensitivity_the_windows_are_not_broken_by_bad_rates(arrays):
    for name, found in windows(arrays).items():
        if found:
            inside = (sensitivity.RATES >= found[0]) & (sensitivity.RATES <= found[1])
            assert (np.median(arrays("sensitivity")[name][:, inside], axis=0) < sensitivity.GOOD).all()


def test_sensitivity_the_rates_of_the_first_window_are_400_times_those_of_lion(arrays):
    names = sensitivity.ordered(arrays("sensitivity"))
    assert names[-2:] == ["lion", "rprop"]
    (a, b, _), (c, d, _) = (windows(arrays)[name] for name in (names[0], "lion"))
    assert 350 < np.sqrt(a * b / (c * d)) < 450


def test_sensitivity_for_rprop_the_rate_hardly_matters_and_the_loss_is_bad(arrays):
    median = np.median(arrays("sensitivity")["rprop"], axis=0)
    start = median[sensitivity.RATES <= 0.11]
    assert start.min() > 0.1 and start.max() / start.min() < 2.5
    adam_there = np.median(arrays("sensitivity")["adam"], axis=0)[sensitivity.RATES <= 0.11]
    assert adam_there.max() / adam_there.min() > 1000


def test_sensitivity_each_curve_is_high_on_both_sides(arrays):
    for name, losses in arrays("sensitivity").items():
        assert np.median(losses, axis=0)[-1] > 2, name
        assert name == "rprop" or np.median(losses, axis=0)[0] > 2, name


@pytest.mark.parametrize("name, i, k", [("gradient_descent", 16, 0), ("adam", 8, 1), ("lookahead", 18, 4)])
def test_sensitivity_the_record_is_what_the_script_computes(name, i, k, arrays, monkeypatch):
    """To the rounding of single precision: one step or one example more is ten times as much."""
    monkeypatch.setattr(sensitivity, "RATES", sensitivity.RATES[i:i + 1])
    found = sensitivity.runs("digits")[f"{name}, {k}"]()["loss"]
    assert found == pytest.approx(arrays("sensitivity")[name][k, i], rel=3e-4)


# ------------------------------------------------------------------------------------------------- loss_histories

NETS, COMPARED = list(loss_histories.NETS), list(loss_histories.COMPARED)
ADAM, RMSPROP, NLTGCR, KFAC = range(4)


def histories(arrays):
    """(at the paper's rate, each at its best): the mean over the seeds, [net, method, epoch]."""
    drawn = arrays("loss_histories")
    mean = drawn["loss"].mean(axis=3)
    best = np.take_along_axis(mean, drawn["best"][:, :, None, None], axis=2)[:, :, 0]
    return mean[:, :, loss_histories.RATES.index(0.001)], best


def test_loss_histories_at_the_rate_of_the_paper_nltgcr_ends_at_ten_times_the_loss_of_the_next(arrays):
    ends = histories(arrays)[0][..., -1]
    assert COMPARED == ["adam", "rmsprop", "nltgcr_fisher", "kfac"]
    assert (ends[:, NLTGCR] > 10 * np.delete(ends, NLTGCR, axis=1).max(axis=1)).all()


def test_loss_histories_at_that_rate_four_fifths_of_its_fall_on_dense_nets_are_in_the_first_epoch(arrays):
    paper = histories(arrays)[0][:2, NLTGCR]
    assert ((paper[:, 0] - paper[:, 1]) > 0.8 * (paper[:, 0] - paper[:, -1])).all()
    others = histories(arrays)[0][:2, [ADAM, RMSPROP]]
    assert ((others[..., 0] - others[..., 1]) < 0.7 * (others[..., 0] - others[..., -1])).all()


def test_loss_histories_a_loss_is_cut_off_where_the_picture_ends_and_so_is_a_run_that_diverges(monkeypatch):
    monkeypatch.setattr(loss_histories, "record", lambda run, *given, **how: {"loss": [2.0, 50.0, 1.0]})
    seen = loss_histories.histories("digits", "2 × 90", "adam", 0.001)["loss"]
    assert seen.shape == (loss_histories.SEEDS, loss_histories.EPOCHS + 1)
    assert (seen[:, :4] == [2, loss_histories.CEILING, 1, loss_histories.CEILING]).all()


def test_loss_histories_the_jump_is_that_of_the_conjugate_gradients():
    X, Y, *_ = data.digits(dtype=np.float32)
    network = loss_histories.NETS["2 × 90"]((64,), 10)
    risk, theta = loss_histories.EmpiricalRisk(network, X, Y, batch_size=128), network.initial(0, dtype=np.float32)
    first = {start: risk.whole.value(path(optimizers.nltgcr_fisher(risk, theta, start=start), 1)[-1])
             for start in (0, 1)}
    assert first[0] > 0.99 * risk.whole.value(theta) and first[1] < 0.4 * risk.whole.value(theta)


def test_loss_histories_nltgcrs_own_rates_are_about_one_and_two(arrays):
    assert [loss_histories.RATES[k] for k in arrays("loss_histories")["best"][:, NLTGCR]] == [1.8, 2.5, 1.0]


def test_loss_histories_the_best_rate_of_every_method_is_not_at_an_end_of_those_that_were_tried(arrays):
    best = arrays("loss_histories")["best"]
    assert best.min() > 0 and best.max() < len(loss_histories.RATES) - 1


def late_of_every_seed(arrays):
    """At [net, method, seed] the mean loss over the last five epochs, each with its best rate."""
    drawn = arrays("loss_histories")
    return np.array([[drawn["loss"][i, j, k, :, -5:].mean(axis=-1) for j, k in enumerate(row)]
                     for i, row in enumerate(drawn["best"])])


def test_loss_histories_with_the_best_rates_nltgcr_ends_lowest_on_one_dense_net_and_last_on_the_cnn(arrays):
    two, five, convolutional = late_of_every_seed(arrays)
    assert five.mean(axis=1).argmin() == NLTGCR and five[NLTGCR].max() < five[KFAC].min()
    assert two[NLTGCR].min() > two[[ADAM, KFAC]].max()
    assert convolutional[NLTGCR].min() > np.delete(convolutional, NLTGCR, axis=0).max()


def test_loss_histories_the_best_rate_of_nltgcr_is_a_narrow_one(arrays):
    late = dict(zip(loss_histories.RATES, loss_histories.late(arrays("loss_histories")["loss"])[1, NLTGCR]))
    assert late[1.8] > 70 * late[2.5] and late[3.0] > 200 * late[2.5]


def test_loss_histories_at_the_rate_of_the_paper_kfac_ends_lowest(arrays):
    assert (histories(arrays)[0][..., -1].argmin(axis=1) == KFAC).all()


def test_loss_histories_all_methods_start_at_the_same_loss(arrays):
    start = arrays("loss_histories")["loss"][..., 0]
    np.testing.assert_allclose(start, np.broadcast_to(start[:, :1, :1], start.shape), rtol=1e-6)


@pytest.mark.parametrize("net, name, lr", [("5 × 30", "nltgcr_fisher", 1.0), ("2 × 90", "kfac", 0.001),
                                           ("CNN", "adam", 0.001)])
def test_loss_histories_the_record_is_what_the_script_computes(net, name, lr, monkeypatch):
    seed = {"kfac": 0, "adam": 1, "nltgcr_fisher": 2}[name]
    monkeypatch.setattr(loss_histories, "SEED", seed)
    monkeypatch.setattr(loss_histories, "SEEDS", 1)
    monkeypatch.setattr(loss_histories, "EPOCHS", 1 if net == "CNN" else 2)
    found = loss_histories.histories("digits", net, name, lr)["loss"]
    kept = recorded("loss_histories")[f"{net}, {name}, {lr:g}"]["loss"]
    np.testing.assert_allclose(found[0], kept[seed, :found.shape[1]], rtol=2e-3)


def test_loss_histories_the_script_takes_images_of_another_size_with_colors(monkeypatch):
    random = np.random.default_rng(0)
    small = data.Dataset(random.standard_normal((37, 12, 12, 3)).astype(np.float32), np.arange(37) % 4,
                         random.standard_normal((8, 12, 12, 3)).astype(np.float32), np.arange(8) % 4,
                         None, None, (), (), "")
    monkeypatch.setattr(data, "cifar10", lambda images, dtype: small)
    monkeypatch.setattr(loss_histories, "BATCH", 8)
    monkeypatch.setattr(loss_histories, "EPOCHS", 6)
    assert len(loss_histories.runs("cifar10")) == 3 * 4 * len(loss_histories.RATES)
    for net in NETS:
        found = loss_histories.histories("cifar10", net, "adam", 0.01)
        assert found["loss"].shape == (3, 7) and found["accuracy"].shape == (3,)
        assert (8 * found["accuracy"] % 1 == 0).all()  # a share of the 8 images to test with, not of the 37
        assert found["loss"][:, -1].mean() < found["loss"][:, 0].mean()


# ------------------------------------------------------------------------------------------------- accuracy_table

def test_accuracy_table_at_the_rate_of_the_paper_nltgcr_is_last_in_everything(arrays):
    drawn = arrays("accuracy_table")
    assert (drawn["accuracy"][:, :, 0].mean(axis=-1).argmin(axis=1) == NLTGCR).all()
    assert (drawn["loss"][:, :, 0].mean(axis=-1).argmax(axis=1) == NLTGCR).all()
    assert drawn["accuracy"][NETS.index("CNN"), NLTGCR, 0].mean() < 15, "by chance it is 10"


def test_accuracy_table_with_its_own_rate_nothing_tells_it_from_the_others_on_dense_nets(arrays):
    for accuracy in arrays("accuracy_table")["accuracy"][:2, :, 1]:
        assert accuracy_table.winner(accuracy) is None
        for other in (ADAM, RMSPROP, KFAC):
            assert accuracy[NLTGCR].min() <= accuracy[other].max() and accuracy[other].min() <= accuracy[NLTGCR].max()


def test_accuracy_table_and_last_on_the_convolutional_net(arrays):
    accuracy = arrays("accuracy_table")["accuracy"][NETS.index("CNN"), :, 1].mean(axis=-1)
    assert accuracy.argmin() == NLTGCR and np.sort(accuracy)[1] - accuracy[NLTGCR] > 1


def test_accuracy_table_the_losses_are_those_of_the_histories(arrays):
    drawn = arrays("accuracy_table")
    for c, mean in enumerate(histories(arrays)):
        np.testing.assert_allclose(drawn["loss"][:, :, c].mean(axis=-1), mean[..., -5:].mean(axis=-1), rtol=1e-5)
    assert (drawn["rate"][..., 0] == 0.001).all()


def test_accuracy_table_a_winner_is_ahead_with_every_seed():
    assert accuracy_table.winner(np.array([[1.0, 2.0], [3.0, 2.5], [0.0, 0.0]])) == 1
    assert accuracy_table.winner(np.array([[1.0, 2.6], [3.0, 2.5], [0.0, 0.0]])) is None


def test_accuracy_table_what_is_bold_is_the_best_of_its_net_and_column_with_every_seed(arrays):
    drawn = arrays("accuracy_table")
    with plt.style.context(HERE / "making" / "lectures.mplstyle"):
        figure = accuracy_table.draw(**drawn)
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    expected = []
    for i in range(3):
        for c in range(2):
            accuracy, loss = drawn["accuracy"][i, :, c], drawn["loss"][i, :, c]
            if (j := accuracy_table.winner(accuracy)) is not None:
                expected.append(f"{accuracy[j].mean():.1f} ± {accuracy[j].std(ddof=1):.1f}")
            if (j := accuracy_table.winner(-loss)) is not None:
                expected.append(accuracy_table.digits(loss[j].mean()))
    assert set(expected) <= set(bold) and expected
    assert len(bold) == len(expected), "what is ahead with every seed, and nothing else"
    plt.close(figure)


def test_accuracy_table_numbers_have_two_digits_and_no_exponent():
    assert [accuracy_table.digits(x) for x in (3.68, 0.0578, 0.000199, 1.0)] == ["3.7", "0.058", "0.0002", "1"]


@pytest.mark.parametrize("name", ["accuracy_table", "sensitivity", "loss_histories"])
def test_no_text_of_these_figures_lies_on_another(name, arrays):
    script = {"accuracy_table": accuracy_table, "sensitivity": sensitivity, "loss_histories": loss_histories}[name]
    with plt.style.context(HERE / "making" / "lectures.mplstyle"):
        figure = script.draw(**arrays(name))
        figure.canvas.draw()
        for ax in figure.axes:
            boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
            for a, b in combinations(boxes, 2):
                across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
                assert across <= 0 or up < 4 * figure.dpi / 72
    plt.close(figure)


# ---------------------------------------------------------------------------------------------------- on_cifar10

def on_cifar(arrays, quantity):
    """{method: a row a seed, a column an epoch}"""
    return {method: arrays("on_cifar10")[f"{method}, {quantity}"] for method in on_cifar10.OWN}


def test_on_cifar10_the_training_losses_fall_from_one_doubling_of_the_epochs_to_the_next(arrays):
    for losses in on_cifar(arrays, "training loss").values():
        doublings = losses[:, 2 ** np.arange(7) - 1]      # after 1, 2, 4, ..., 64 epochs
        assert np.all(np.diff(doublings) < 0) and np.all(losses[:, -1] < doublings[:, -1])


def test_on_cifar10_every_test_loss_turns_round_before_a_quarter_of_the_epochs_with_every_seed(arrays):
    for losses in on_cifar(arrays, "test loss").values():
        assert np.all(losses.argmin(axis=1) + 1 <= losses.shape[1] / 4)
        assert np.all(losses[:, -1] > 1.15 * losses.min(axis=1))


def test_on_cifar10_nobody_comes_to_47_percent_and_all_lose_two_points_of_it_again(arrays):
    for right in on_cifar(arrays, "test accuracy").values():
        assert 45.5 < right.max() < 47
        assert np.all(right[:, -5:].mean(axis=1) < right.max(axis=1) - 2)


def test_on_cifar10_nltgcr_is_the_slowest_with_the_training_images_after_as_many_epochs(arrays):
    losses = on_cifar(arrays, "training loss")
    ours = losses.pop("nltgcr_fisher")
    for others in losses.values():
        assert np.all(ours[:, [9, 19, 39, -1]].min(axis=0) > others[:, [9, 19, 39, ours.shape[1] - 1]].max(axis=0))


def test_on_cifar10_each_has_what_the_search_found():
    experiment = EXPERIMENTS["mlp_2x90"]
    for method, own in on_cifar10.OWN.items():
        label = on_cifar10.label(method)
        jobs, found = searching("mlp_2x90", on_cifar10.SET, label, recorded("mlp_2x90"), experiment.search_epochs)
        assert jobs == [] and dict(found) == own


@pytest.mark.parametrize("method, run", [("momentum", "momentum, lr 0.01"), ("rmsprop", "RMSProp, lr 0.00032"),
                                         ("adam", "Adam, lr 0.00032")])
def test_on_cifar10_every_line_is_of_the_runs_that_lecture_14_quotes(method, run, arrays):
    for seed in range(3):
        kept = recorded("mlp_2x90")[f"cifar10, {run}, 100 epochs, seed {seed}"]
        for quantity, scale in ("training loss", 1), ("test loss", 1), ("test accuracy", 100):
            drawn = arrays("on_cifar10")[f"{method}, {quantity}"][seed]
            assert_allclose(drawn, scale * kept[quantity][-len(drawn):], rtol=1e-6)


def test_on_cifar10_the_dots_are_where_the_mean_of_a_test_loss_is_least(arrays):
    drawn = arrays("on_cifar10")
    with plt.style.context(HERE / "making" / "lectures.mplstyle"):
        ax = on_cifar10.draw(**drawn).axes[1]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    for dot, losses in zip(dots, on_cifar(arrays, "test loss").values(), strict=True):
        mean = losses.mean(axis=0)
        assert dot.get_ydata()[0] == mean.min() == mean[dot.get_xdata()[0] - 1]
