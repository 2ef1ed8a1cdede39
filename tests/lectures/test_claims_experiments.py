"""The claims of lecture 14: what a comparison can show, and what the records show."""
import re
from itertools import permutations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_scripts.experiments import EXPERIMENTS
from data_scripts.runs import searching
from figures import on_cifar10
from figures.accuracy_table import winner
from figures.making.records import recorded
from numopt.optimizers import adam, gradient_descent
from numopt.problems import Function, Quadratic
from numopt.record import path
from numopt.searches import best_of_search

OWN = {"momentum": "lr 0.01, ", "RMSProp": "lr 0.00032, ", "Adam": "lr 0.00032, ", "nlTGCR": "lr 0.32, damping 0.001, "}


def curves(method, array, changes=""):
    """Of every seed of ten epochs with 2 × 90 units on CIFAR-10."""
    record = recorded("mlp_2x90")
    return np.array([record[run][array] for run in record
                     if run.startswith(f"cifar10, {method}, {changes}10 epochs, seed ")])


def own(array):
    """{method: what it reached with each seed}, each with the numbers that were searched for."""
    return {method: curves(method, array, changes)[:, -1] for method, changes in OWN.items()}


@pytest.mark.parametrize("methods, seeds, known", [(2, 2, 1 / 3), (2, 3, 1 / 10), (4, 3, 1 / 55)])
def test_if_all_are_alike_one_is_ahead_with_every_seed_as_often_as_counting_orders_says(methods, seeds, known):
    assert_allclose(methods / comb(methods * seeds, seeds), known)
    if methods * seeds < 7:
        orders = [winner(np.reshape(order, (methods, seeds))) for order in permutations(range(methods * seeds))]
        assert_allclose(np.mean([order is not None for order in orders]), known)
    else:
        rng, draws = np.random.default_rng(0), 20_000
        found = np.mean([winner(rng.standard_normal((methods, seeds))) is not None for _ in range(draws)])
        assert abs(found - known) < 4 * np.sqrt(known / draws)


def test_with_the_same_seeds_the_difference_is_better_known_than_the_two():
    """Two rates of gradient descent on one bowl, from starts that a seed gives: (14.3)."""
    ends = {"same": [], "other": []}
    bowl = Quadratic(np.diag([1.0, 3.0]))
    for seed in range(200):
        for seeds, second in ("same", seed), ("other", seed + 1000):
            one, two = (bowl.value(path(gradient_descent(bowl, np.random.default_rng(s).standard_normal(2), lr=lr),
                                        10)[-1]) for s, lr in ((seed, 0.1), (second, 0.11)))
            ends[seeds].append((one, two))
    same, other = (np.transpose(ends[seeds]) for seeds in ("same", "other"))
    assert_allclose(np.var(same[0] - same[1], ddof=1),
                    np.var(same[0], ddof=1) + np.var(same[1], ddof=1) - 2 * np.cov(same)[0, 1])
    assert np.std(same[0] - same[1]) < np.std(other[0] - other[1]) / 3


def test_in_other_units_of_the_loss_the_same_rate_for_all_names_another_winner():
    left = {}
    for c in (1.0, 50.0):
        bowl = Function(lambda x: c * x @ x / 2, lambda x: c * x, size=1)
        for method in gradient_descent, adam:
            left[method.__name__, c] = path(method(bowl, np.array([1.0]), lr=0.02), 30)
    ends = {key: abs(walk[-1, 0]) for key, walk in left.items()}
    assert ends["adam", 1] < ends["gradient_descent", 1] and ends["gradient_descent", 50] < ends["adam", 50]
    assert_allclose(left["adam", 1], left["adam", 50], rtol=1e-5)


@pytest.mark.parametrize("m, share", [(20, 0.5), (20, 0.25), (5, 0.5)])
def test_the_median_of_the_best_of_m_is_a_quantile_of_one(m, share):
    trials = np.random.default_rng(0).random(20_000)  # so that the quantile at p is p
    assert_allclose(best_of_search(trials, share, m), 1 - (1 - share)**(1 / m), rtol=0.05)


def test_what_was_best_after_three_epochs_is_after_ten_worse_than_the_printed_rate_with_two_seeds_of_three():
    record = recorded("mlp_2x90")
    for method in "Adam", "RMSProp":
        three = [record[f"cifar10, {method}, {changes}3 epochs, seed 0"]["validation loss"][-1]
                 for changes in ("lr 0.00032, ", "")]
        assert three[0] < three[1]
        x, y = (curves(method, "validation loss", changes)[:, -1] for changes in ("lr 0.00032, ", ""))
        assert (x > y).tolist() == [True, True, False]
        t = (x.mean() - y.mean()) / np.sqrt((np.var(x, ddof=1) + np.var(y, ddof=1)) / len(x))
        assert abs(t) < 2.8, "(14.2): neither is better"


def test_the_damping_of_nltgcr_changes_the_validation_loss_in_the_fourth_digit():
    record = recorded("mlp_2x90")
    found = [record[f"cifar10, nlTGCR, lr 0.32, {damping}3 epochs, seed 0"]["validation loss"][-1]
             for damping in ("damping 0.1, ", "", "damping 0.001, ", "damping 0.0001, ")]
    assert 0 < np.ptp(found) < 1e-3
    assert np.ptp(found) < np.ptp(own("validation loss")["nlTGCR"]) / 10, "other seeds change more"


def test_training_loss_validation_loss_and_test_say_three_different_things():
    training, validation = own("training loss"), own("validation loss")
    others = [method for method in OWN if method != "nlTGCR"]
    assert all(training["nlTGCR"].min() > training[method].max() for method in others)
    assert all((validation["nlTGCR"] < validation[method]).all() for method in others)  # seed by seed
    assert all(validation["nlTGCR"][:2].max() < validation[method][:2].min() for method in others)
    assert winner(-np.array(list(validation.values()))) is None
    assert min((validation[method].min(), method) for method in others)[1] == "Adam"
    for array, sign in ("test loss", -1), ("test accuracy", 1):
        assert winner(sign * np.array(list(own(array).values()))) is None


def test_for_the_backward_passes_of_four_epochs_of_nltgcr_adam_has_eight_and_is_further():
    ours, adams = (curves(method, "backward", OWN[method]) for method in ("nlTGCR", "Adam"))
    assert (adams[:, 8] <= ours[:, 4]).all() and round((ours[:, -1] / adams[:, -1]).mean() * 10) == 22
    assert (curves("Adam", "training loss", OWN["Adam"])[:, 8].max()
            < curves("nlTGCR", "training loss", OWN["nlTGCR"])[:, 4].min())


@pytest.mark.parametrize("rate", [1e-3, 3e-4])
def test_in_single_precision_gradient_descent_stands_still_where_an_update_is_half_a_unit_in_the_last_place(rate):
    ends = {}
    for dtype in np.float32, np.float64:
        bowl = Quadratic(np.eye(1, dtype=dtype), b=np.ones(1, dtype))
        walk = path(gradient_descent(bowl, np.zeros(1, dtype), lr=rate), int(25 / rate))
        ends[dtype] = abs(float(walk[-1, 0]) - 1)
        assert (walk[-1] == walk[-2]).all() == (dtype == np.float32)
    below_one = np.spacing(np.float32(1)) / 2  # the distance of the numbers below 1 is u
    assert_allclose(ends[np.float32], below_one / 2 / rate, rtol=0.02)
    assert ends[np.float64] < 1e-9


def test_the_trace_of_a_hessian_is_above_two_before_and_after_training():
    eigenvalues = recorded("eigenvalue_spectrum")["shared weights"]["eigenvalues"]
    assert eigenvalues.shape == (2, 974) and (eigenvalues.sum(axis=1) > 2).all()


# ------------------------------------------------------------------------------- numbers that the page writes by hand

PAGE = (Path(__file__).parents[2] / "lectures" / "14-experiments.md").read_text(encoding="utf-8")


def found_by_search(method):
    """(the paper's rate, the one that the search came to)"""
    experiment = EXPERIMENTS["mlp_2x90"]
    jobs, changes = searching("mlp_2x90", "cifar10", method, recorded("mlp_2x90"), experiment.search_epochs)
    assert jobs == []
    printed = experiment.methods[method].settings["lr"]
    return printed, dict(changes).get("lr", printed)


def test_the_rates_on_the_card_are_the_printed_ones_and_those_that_the_search_found():
    row, = re.findall(r"\| rate printed, and found \|(.*)\|", PAGE)
    assert [tuple(map(float, cell.split(","))) for cell in row.split("|")] == [found_by_search(name) for name in OWN]


def test_the_rates_in_the_names_of_runs_are_those_that_the_search_found():
    for method, changes in OWN.items():
        assert changes.startswith(f"lr {found_by_search(method)[1]:g}, ")
    times, = re.findall(r"at a printed value (\d+) times too low", PAGE)
    printed, found = found_by_search("nlTGCR")
    assert float(times) == pytest.approx(found / printed)


def test_the_passes_of_nltgcr_in_those_of_adam():
    ours, adam = (curves(method, "backward")[:, -1] for method in ("nlTGCR", "Adam"))
    ten, = re.findall(r"ten epochs of nlTGCR are (\d+) of Adam", PAGE)
    one, = re.findall(r"whose steps cost 1, ([\d.]+) and 6 passes", PAGE)
    assert np.all(np.round(10 * ours / adam[:len(ours)]) == float(ten))
    assert np.all(np.round(ours / adam[:len(ours)], 1) == float(one))


def few(method, array="training loss", epochs=5):
    """An array of all seeds on the first 10,000 images of Fashion-MNIST, a row a seed."""
    runs = recorded("mlp_2x90")
    return np.array([runs[f"fashion_mnist, 10000 images, {method}, {epochs} epochs, seed {seed}"][array]
                     for seed in (0, 1)])


def test_kfac_as_a_preconditioner_of_nltgcr_lowers_the_loss_after_equal_epochs_at_every_rate():
    for rate in "", ", at 0.32":
        preconditioned, plain = few(f"nlTGCR, K-FAC{rate}"), few(f"nlTGCR{rate}")
        assert np.all(preconditioned[:, 0] == plain[:, 0])              # the same start
        assert np.all(preconditioned[:, -1] < plain[:, -1])             # seed by seed
        its, plain_its = (few(f"nlTGCR{form}{rate}", "processor")[:, -1] for form in (", K-FAC", ""))
        assert its.min() > 3 * plain_its.max()
    assert 3 * preconditioned[:, -1].max() < plain[:, -1].min()         # at 0.32


def test_with_a_history_of_ten_columns_nltgcr_is_better_at_a_small_rate_and_climbs_at_a_larger():
    assert few("nlTGCR, history")[:, -1].max() < few("nlTGCR")[:, -1].min()
    climbed = few("nlTGCR, history, at 0.32")
    assert climbed[:, -1].min() > 100 * climbed[:, 0].max()


def test_at_a_rate_that_suits_the_start_of_nltgcr_makes_no_difference_after_five_epochs():
    started, plain = few("nlTGCR, at 0.32"), few("nlTGCR, no start, at 0.32")
    assert np.all(started[:, 0] == plain[:, 0])
    gap = np.abs(started - plain)[:, -1].max()
    assert gap < np.ptp(started[:, -1]) + np.ptp(plain[:, -1])          # less than their seeds differ
    assert np.all(np.abs(started - plain)[:, 1] > gap)                  # after one epoch there was one


def long_runs(method):
    """Of every seed of the longest runs on CIFAR-10: (training losses, test accuracies), from epoch 1 on."""
    drawn = on_cifar10.compute()
    return drawn[f"{method}, training loss"], drawn[f"{method}, test accuracy"]


def test_after_many_epochs_the_slowest_classifies_best_and_the_others_did_as_well_at_its_training_loss():
    slow, its = long_runs("nltgcr_fisher")
    end, right, beside = slow[:, -1].mean(), its[:, -5:].mean(axis=1), []   # over the last epochs: they are noisy
    for method in on_cifar10.OWN.keys() - {"nltgcr_fisher"}:
        losses, accuracies = long_runs(method)
        assert len(losses) == len(slow) == 3
        assert losses[:, slow.shape[1] - 1].max() < slow[:, -1].min()
        assert accuracies[:, slow.shape[1] - 5:slow.shape[1]].mean(axis=1).max() < right.min() - 0.5
        then = [int(np.argmin(np.abs(loss - end))) for loss in losses]
        beside += [accuracy[k - 2:k + 3].mean() for k, accuracy in zip(then, accuracies)]
        assert all(30 < k + 1 < 37 for k in then)                           # "31 to 36 epochs"
    assert round(min(beside)) == 42 and round(max(beside)) == 44
    assert min(beside) < right.min() and right.max() < max(beside)          # its own lie between theirs


def ends(record, runs, array="training loss"):
    """The last value of every seed of these runs, all of which came to their end."""
    found = [each for run, each in recorded(record).items() if re.fullmatch(rf"{re.escape(runs)}, seed \d", run)]
    epochs = int(re.search(r"(\d+) epochs", runs)[1])
    assert len(found) >= 2 and all(len(each["training loss"]) == epochs + 1 for each in found)
    return np.array([each[array][-1] for each in found])


def test_lenet_after_eight_epochs_the_learned_rate_is_last_or_gone_and_adam_at_a_searched_rate_first():
    adam, tenth, printed = (ends("lenet", f"cifar10, {method}, 8 epochs")
                            for method in ("Adam, lr 0.001", "fixed, lr 0.1", "fixed"))
    assert adam.max() < tenth.min() - 0.3 and tenth.max() < printed.min()
    learned = [recorded("lenet")[f"cifar10, second order, printed, 8 epochs, seed {seed}"] for seed in (0, 1)]
    assert [len(each["training loss"]) - 1 for each in learned] == [8, 4]   # the other diverges in its fifth
    assert all(each["training loss"][-1] > printed.max() + 0.4 for each in learned)
    assert learned[0]["step rate"][-1] > 60 * 0.01


def test_on_the_cnn_nltgcr_is_far_behind_adam_at_every_rate_and_its_start_does_not_make_it_diverge():
    plain, started, own, adam = (ends("cnn", f"cifar10, 10000 images, {method}, 4 epochs") for method in
                                 ("nlTGCR", "nlTGCR, start", "nlTGCR, lr 0.32, damping 10", "Adam"))
    first = [recorded("cnn")[f"cifar10, 10000 images, nlTGCR, start, 4 epochs, seed {seed}"]["training loss"][0]
             for seed in (0, 1)]
    assert adam.max() < own.min() - 0.3 and own.max() < started.min() < started.max() < plain.min()
    assert np.all(started < first)


def test_on_5_times_30_units_nltgcr_ends_above_the_three_after_a_hundred_epochs_with_every_seed():
    ours = ends("mlp_5x30", "cifar10, nlTGCR, lr 0.32, 100 epochs")
    assert len(ours) == 3
    for method in "Adam, lr 0.00032", "RMSProp, lr 0.00032", "momentum, lr 0.01":
        assert ours.min() > ends("mlp_5x30", f"cifar10, {method}, 100 epochs").max() + 0.1


@pytest.mark.parametrize("net, epochs, factor", [("mlp_2x90", 82, 3), ("mlp_5x30", 100, 1.6)])
def test_at_the_printed_rate_nltgcr_is_far_behind_after_a_hundred_epochs_too(net, epochs, factor):
    ours, right = (ends(net, f"cifar10, nlTGCR, {epochs} epochs", of) for of in ("training loss", "test accuracy"))
    assert len(ours) == 3
    for method in "Adam", "RMSProp", "momentum":
        losses = ends(net, f"cifar10, {method}, 100 epochs")
        assert len(losses) == 3 and factor * losses.max() < ours.min()
        assert ends(net, f"cifar10, {method}, 100 epochs", "test accuracy").min() > right.max() + 0.03


def test_kfac_is_in_seven_epochs_where_adam_is_in_75_at_three_times_the_cost_and_no_better_with_other_images():
    runs, sooner = recorded("mlp_2x90"), []
    for seed in 0, 1, 2:
        its, adam, ours = (runs[f"cifar10, {run}, seed {seed}"] for run in (
            "K-FAC, 7 epochs", "Adam, lr 0.00032, 100 epochs", "nlTGCR, lr 0.32, damping 0.001, 82 epochs"))
        then = int(np.argmax(adam["training loss"] <= its["training loss"][-1]))
        sooner.append(then)
        assert ours["training loss"][-1] > its["training loss"][-1] + 0.3
        assert 2.5 < its["processor"][-1] / adam["processor"][then] < 4         # "in a third of the processor's time"
        assert 20 < its["processor"][-1] / 7 / (adam["processor"][-1] / 100) < 45                       # "some thirty"
        assert abs(its["test accuracy"][-1] - adam["test accuracy"][then]) < 0.01
        assert its["test loss"].argmin() == 2
    assert (min(sooner), max(sooner)) == (74, 78)
    assert found_by_search("K-FAC") == (0.001, 0.001)


@pytest.mark.parametrize("run, epochs, adams, dearer, below", [
    ("natural gradient, lr 0.032, damping 0.1", 12, (11, 12), 18, True), ("FishLeg, lr 0.16", 10, (30, 31), 9, True),
    ("Shampoo, lr 0.032", 5, (2, 3), 100, False)])
def test_on_all_images_fishleg_is_ahead_after_equal_epochs_and_adam_after_equal_seconds(
        run, epochs, adams, dearer, below):
    runs, ratios, rights = recorded("mlp_2x90"), [], []
    for seed in 0, 1, 2:
        its, adam, ours = (runs[f"cifar10, {each}, seed {seed}"] for each in (
            f"{run}, {epochs} epochs", "Adam, lr 0.00032, 100 epochs", "nlTGCR, lr 0.32, damping 0.001, 82 epochs"))
        then = int(np.argmax(adam["training loss"] <= its["training loss"][-1]))
        assert adams[0] <= then <= adams[1]
        ratios.append(its["processor"][-1] / adam["processor"][then])
        assert (ours["training loss"][epochs] > its["training loss"][-1]) == below   # nlTGCR, after as many epochs
        assert (its["training loss"][-1] < adam["training loss"][epochs] - 0.3) == (adams[0] == 30)
        rights += [its["test accuracy"][-1], adam["test accuracy"][epochs], ours["test accuracy"][epochs]]
    assert 0.8 * dearer < np.mean(ratios) < 1.2 * dearer
    assert np.ptp([np.mean(rights[i::3]) for i in range(3)]) < 0.03
    assert 60 * 15 > 3 * its["processor"][-1] > 60 * 10                              # "a quarter of an hour"


def test_on_the_cnn_every_first_order_method_is_far_ahead_of_nltgcr_after_four_epochs_and_after_thirty():
    ours = ends("cnn", "cifar10, 10000 images, nlTGCR, lr 0.32, damping 10, 4 epochs")
    for method in "Adam", "momentum, lr 0.01", "RMSProp, lr 0.0032":
        assert ends("cnn", f"cifar10, 10000 images, {method}, 4 epochs").max() < ours.min() - 0.25
    ours, right = (ends("cnn", "cifar10, 10000 images, nlTGCR, lr 0.32, damping 10, 30 epochs", of)
                   for of in ("training loss", "test accuracy"))
    for method in "Adam", "momentum, lr 0.01", "RMSProp, lr 0.0032":
        losses, theirs = (ends("cnn", f"cifar10, 10000 images, {method}, 30 epochs", of)
                          for of in ("training loss", "test accuracy"))
        assert losses.max() < ours.min() / 3 and theirs.min() > right.max() + 0.04
    started = ends("cnn", "cifar10, 10000 images, nlTGCR, start, 30 epochs")
    assert ours.max() + 1 < started.min() and started.max() < 2.5


def test_on_the_cnn_with_all_images_nltgcr_has_a_larger_loss_after_thirty_epochs_than_adam_after_three():
    ours, right = (ends("cnn", "cifar10, nlTGCR, lr 0.32, damping 10, 30 epochs", of)
                   for of in ("training loss", "test accuracy"))
    adam = [recorded("cnn")[f"cifar10, Adam, 30 epochs, seed {seed}"] for seed in (0, 1)]
    assert all(each["training loss"][3] < ours.min() for each in adam)
    assert all(each["test accuracy"][3] > right.max() for each in adam)
    theirs = ends("cnn", "cifar10, K-FAC, damping 0.001, 20 epochs")
    for method in "momentum, lr 0.01", "RMSProp, lr 0.0032", "Adam":
        losses = ends("cnn", f"cifar10, {method}, 30 epochs")
        assert losses.max() < ours.min() - 0.4 and theirs.max() < losses.min() - 0.1
        assert ends("cnn", f"cifar10, {method}, 30 epochs", "test accuracy").min() > right.max() + 0.02
    started = ends("cnn", "cifar10, nlTGCR, start, lr 0.32, damping 10, 30 epochs")
    assert abs(started - ours).max() < 0.02                                              # "makes no difference"


def test_on_the_cnn_the_start_makes_no_difference_at_the_numbers_that_the_search_finds_with_it_and_without():
    runs, searched = recorded("cnn"), EXPERIMENTS["cnn"].search_epochs
    for label in "nlTGCR", "nlTGCR, start":
        assert searching("cnn", "cifar10", label, runs, searched, images=10000) == (
            [], (("lr", 0.32), ("damping", 10.0)))
    without, with_it = (ends("cnn", f"cifar10, 10000 images, {method}, lr 0.32, damping 10, 30 epochs")
                        for method in ("nlTGCR", "nlTGCR, start"))
    assert with_it.min() < without.max() and without.min() < with_it.max()  # the seeds overlap
    assert abs(with_it - without).max() < 0.02                              # and each differs by less than they do
    assert abs(without[0] - without[1]) > 0.02


def test_on_the_resnet_the_learned_rate_comes_to_the_same_zone_from_three_starts_which_is_not_0_05():
    runs = recorded("resnet")
    starts = "", ", from 0.05", ", from 0.01"
    rates = {(start, epochs, seed): runs[f"cifar10, 10000 images, second order, printed{start}, {epochs} epochs, "
                                         f"seed {seed}"]["step rate"]
             for start in starts for epochs, seed in ((2, 0), (2, 1), (8, 0))}
    for (start, epochs, _), rate in rates.items():
        assert len(rate) == 40 * epochs                                             # "80 steps", "320 steps"
        assert 0.06 < rate[70:].min() and rate[70:].max() < 0.11                    # "0.06 to 0.11", "does not leave"
        assert abs(np.log(rate[0] / {"": 0.1, ", from 0.05": 0.05, ", from 0.01": 0.02}[start])) < 0.4  # from there
    high, middle, low = (rates[start, 8, 0] for start in starts)
    assert (high[80:] > middle[80:]).all() and (high[80:] > low[80:]).all()         # "stays above"
    for epochs, seed in (2, 0), (2, 1), (8, 0):
        learned, fixed = (runs[f"cifar10, 10000 images, {method}, {epochs} epochs, seed {seed}"]["processor"]
                          for method in ("second order, printed", "fixed"))
        assert 2.5 < learned[-1] / fixed[-1] < 3.5 and learned[-1] / epochs > 60        # "three times as long"


def test_on_the_resnet_dropout_makes_the_gap_smaller_at_a_fixed_rate_and_the_test_loss_no_lower():
    (fixed, of_fixed), (dropped, of_dropped), (learned, of_learned), (both, of_both) = (
        [ends("resnet", f"digits, {method}, 30 epochs", f"{part} loss") for part in ("training", "test")]
        for method in ("fixed", "fixed, dropout", "second order, printed", "second order, dropout"))
    assert len(fixed) == len(dropped) == len(learned) == len(both) == 3
    assert (0 < of_dropped - dropped).all() and (of_dropped - dropped < of_fixed - fixed - 0.03).all()
    assert (dropped > fixed + 0.1).all() and (of_dropped > of_fixed + 0.1).all()
    assert of_both.min() < of_learned.max() and of_learned.min() < of_both.max()        # "the seeds overlap"
    assert (of_both - both).min() < (of_learned - learned).max()
    assert (of_learned - learned).min() < (of_both - both).max()


def test_on_the_resnet_dropout_makes_the_gap_smaller_on_cifar10_too_and_the_test_losses_overlap():
    for plain, dropped in ("fixed", "fixed, dropout"), ("second order, printed", "second order, dropout"):
        (training, test), (of_dropped, test_of_dropped) = (
            [ends("resnet", f"cifar10, 10000 images, {method}, 2 epochs", f"{part} loss")
             for part in ("training", "test")] for method in (plain, dropped))
        assert len(test) == len(test_of_dropped) == 2
        assert (0 < test_of_dropped - of_dropped).all() and (test_of_dropped - of_dropped < test - training).all()
        assert test_of_dropped.min() < test.max() and test.min() < test_of_dropped.max()


def test_on_the_resnet_momentum_and_a_probe_make_no_difference_and_adam_at_a_tenth_is_behind_the_learned_rate():
    printed, momentum, probe, adam = (ends("resnet", f"cifar10, 10000 images, {method}, 2 epochs") for method in (
        "second order, printed", "second order, momentum", "second order, probe", "Adam"))
    for other in momentum, probe:
        assert other.min() < printed.max() and printed.min() < other.max()
    assert adam.min() > max(printed.max(), momentum.max(), probe.max())
    epochs = EXPERIMENTS["resnet"].search_epochs
    assert searching("resnet", "cifar10", "Adam", recorded("resnet"), epochs, images=10000) == ([], (("lr", 0.0032),))
    for lr in "0.0032", "0.001":
        assert ends("resnet", f"cifar10, 10000 images, Adam, lr {lr}, 2 epochs").max() < min(
            printed.min(), adam.min()) - 0.3


def test_on_the_cnn_kfac_is_ahead_of_adam_after_equal_epochs_and_with_its_own_damping_after_equal_seconds():
    runs, last = recorded("cnn"), {}
    for run in "K-FAC", "K-FAC, damping 0.001":
        for seed in 0, 1:
            its, adam = (runs[f"cifar10, 10000 images, {each}, seed {seed}"] for each in (
                f"{run}, 4 epochs", "Adam, 30 epochs"))
            then = int(np.argmax(adam["training loss"] <= its["training loss"][-1]))
            last.setdefault(run, []).append(then)
            assert (adam["processor"][then] > its["processor"][-1]) == (run != "K-FAC")
            assert 4 < its["processor"][-1] / 4 / (adam["processor"][-1] / 30) < 6        # "five or so of Adam's"
            assert its["test accuracy"].max() < adam["test accuracy"].max() + 0.01
    assert last == {"K-FAC": [14, 14], "K-FAC, damping 0.001": [29, 28]}
    ends_of_others = [ends("cnn", f"cifar10, 10000 images, {each}, 30 epochs") for each in (
        "Adam", "momentum, lr 0.01", "RMSProp, lr 0.0032", "nlTGCR, lr 0.32, damping 10")]
    assert ends("cnn", "cifar10, 10000 images, K-FAC, damping 0.001, 30 epochs").max() < np.min(ends_of_others) / 2
    for seed in 0, 1:
        assert runs[f"cifar10, 10000 images, K-FAC, damping 0.001, 30 epochs, seed {seed}"]["test loss"].argmin() == 2
    net = EXPERIMENTS["cnn"].network((32, 32, 3), 10)
    assert max(i for layer in net.layers for _, i in layer.shapes) == 2_049
    jobs, found = searching("cnn", "cifar10", "K-FAC", runs, EXPERIMENTS["cnn"].search_epochs, images=10000)
    assert jobs == [] and found == (("damping", 0.001),)
