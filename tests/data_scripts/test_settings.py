"""What is handed on from a command to a run: settings, seeds, parts and ends, each to where it belongs."""
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from data_scripts import __main__ as command
from data_scripts import comparing, experiments, jobs, measurements, renewing, runs, timing, training
from data_scripts.deadline import in_time
from data_scripts.experiments import EXPERIMENTS, Method, Then
from data_scripts.formats import DataError
from figures.making import processes
from numopt.networks import Dropout, mlp, resnet18
from numopt.optimizer import Diverged
from numopt.problems import EmpiricalRisk, MiniBatch, Whole


@pytest.fixture
def made_up(monkeypatch):
    """Two methods on rows of digits: one judged by a probe, and one that another takes over from, afresh."""
    monkeypatch.setitem(EXPERIMENTS, "made up", EXPERIMENTS["mlp_5x30"]._replace(methods={
        "plain": Method("newton_rate_printed", {"lr": 0.1, "beta": 0.0}),
        "probe": Method("newton_rate_printed", {"lr": 0.1}, probe=True),
        "then": Method("newton_rate_printed", {"lr": 0.1}, then=Then("adam", {"lr": None}, 2, True))}))


def test_a_run_is_given_all_that_its_job_says(made_up, monkeypatch):
    asked = []

    def train(network, parts, method, settings, **how):
        asked.append((len(parts.training[0]), method, settings, how))
        return {"training loss": np.zeros(how["epochs"] + 1)}

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "train_in_two", lambda network, parts, *two, after, afresh, **how: asked.append(
        (len(parts.training[0]), *two, after, afresh, how)) or {"training loss": np.zeros(2)})
    for label, epochs, images, whole, quick in (("plain", 3, 50, False, False), ("probe", 2, None, True, False),
                                                ("probe", 2, None, False, True)):
        told = []
        job = jobs.job("made up", "digits", label, 7, (), epochs, whole, quick, images)
        _, made = jobs.perform(job, tell=told.append)
        n, method, settings, how = asked[-1]
        assert n == (50 if images else 400 if quick else 1437 if whole else 1294)
        assert (method, settings) == ("newton_rate_printed", EXPERIMENTS["made up"].methods[label].settings)
        assert (how["epochs"], how["seed"], how["batch_size"], how["probe"]) == (epochs, 7, 128, label == "probe")
        how["tell"](1)
        assert told == [1] and made["came"] == epochs
        assert how["checkpoint"].name == f"made up, {jobs.key(job)}, {made['digest']}.npz"
    jobs.perform(jobs.job("made up", "digits", "then", 3, (), 1))
    _, first, then, after, afresh, how = asked[-1]
    assert first == ("newton_rate_printed", {"lr": 0.1}) and then == ("adam", {"lr": None}) and afresh is True
    assert after == 1 and how["epochs"] == 1 and how["probe"] is False


def test_settings_that_differ_are_changes_and_those_that_do_not_are_none(made_up):
    job = jobs.job("made up", "digits", "plain", 2, (("lr", 0.03162),), 4)
    assert jobs.settings(job) == {"lr": 0.03162, "beta": 0.0} and "lr 0.03162, 4 epochs" in jobs.key(job)
    made = {"experiment": "made up", "set": "digits", "method": "plain", "seed": 2, "epochs": 4, "whole": False}
    assert jobs.job_of(made | {"settings": jobs.settings(job)}) == job
    usual = made | {"settings": {"lr": 0.1, "beta": 0.0}}
    assert jobs.job_of(usual) == jobs.job("made up", "digits", "plain", 2, (), 4)


@pytest.mark.parametrize("label, epochs, begun", [("plain", 1, 1), ("plain", 9, 1), ("then", 9, 3), ("then", 3, 3),
                                                  ("then", 2, 2), ("then", 1, 1)])
def test_the_beginning_of_a_run_is_never_longer_than_the_run(label, epochs, begun, made_up):
    job = jobs.job("made up", "digits", label, 5, (("lr", 0.2),), epochs, True, False, 60)
    assert renewing.beginning(job) == jobs.job("made up", "digits", label, 5, (("lr", 0.2),), begun, True, False, 60)


@pytest.mark.parametrize("minutes, epochs, changes", [(None, 9, {}), (None, 9, {"lr": 0.5}), (1.0, 1, {"lr": 0.5}),
                                                      (1.0, 1, {})])
def test_whoever_was_never_timed_is_timed_at_the_numbers_asked_for(minutes, epochs, changes, made_up):
    found = runs.jobs_of("made up", "digits", ["plain"], [4, 6], 9, False, False, False, {"runs": {}, "made": {}},
                         minutes=minutes or np.inf, changes=changes)
    seeds = [4, 6] if minutes is None else [4]
    assert found == [jobs.job("made up", "digits", "plain", seed, tuple(changes.items()), epochs) for seed in seeds]


def test_a_method_s_minutes_are_shared_by_its_seeds_on_the_same_examples(made_up):
    job = jobs.job("made up", "digits", "plain", 0, (), 50, images=100)
    made = {"method": "plain", "set": "digits", "whole": False, "images": 100, "came": 4}
    record = {"runs": {"a": {"processor": np.array([0.0, 12.0])}}, "made": {"a": made}}
    assert runs.within(1.0, [0, 1], job, record) == 10  # of 3 s each, with two seeds
    assert runs.within(1.0, [0], job, record) == 20 and runs.within(60.0, [0], job, record) == 50
    assert runs.within(0.001, [0], job, record) == 1 and runs.within(np.inf, [0], job, record) == 50
    for other in {"images": None}, {"set": "mnist"}, {"method": "then"}, {"whole": True}, {"came": 0}:
        assert runs.within(1.0, [0], job, {"runs": record["runs"], "made": {"a": made | other}}) is None


def test_what_a_search_chooses_by_is_the_end_of_a_run_that_came_so_far():
    loss = {"validation loss": np.array([3.0, 2.0, 1.0])}
    assert runs.score(loss, 2) == 1.0 and runs.score(loss, 1) == 1.0 and runs.score(loss, 3) == np.inf
    assert runs.least({0: 2.0, 1: 1.0, -1: 1.0, -2: 1.0}) in (1, -1) and runs.least({2: 1.0, -1: 1.0}) == -1
    assert runs.least({0: np.inf, 1: np.inf, -1: np.inf}) == -1


def test_a_learned_rate_goes_on_from_a_checkpoint_and_not_from_its_setting(tmp_path):
    network, parts = mlp([64, 6, 10]), training.parts("digits", False, quick=True)
    how = {"batch_size": 100, "seed": 2, "epochs": 3}
    whole = training.train(network, parts, "newton_rate_printed", {"lr": 0.05}, **how)
    file = tmp_path / "a.npz"
    training.train(network, parts, "newton_rate_printed", {"lr": 0.05}, checkpoint=file, **how | {"epochs": 1})
    again = training.train(network, parts, "newton_rate_printed", {"lr": 0.05}, checkpoint=file, **how)
    for name in "training loss", "step rate", "step":
        assert_array_equal(whole[name], again[name])
    assert len(set(whole["step rate"].tolist())) > 3


def test_the_batches_of_a_probe_follow_from_the_seed_and_are_no_larger_than_there_are(monkeypatch):
    asked = []
    monkeypatch.setattr(training, "EmpiricalRisk", lambda network, X, Y, batch, seed: asked.append(
        (len(X), batch, seed)) or EmpiricalRisk(network, X, Y, batch, seed))
    parts = training.parts("digits", False, first=30)
    how = {"epochs": 0, "batch_size": 20, "seed": 5, "probe": True}
    training.train(mlp([64, 10]), parts, "newton_rate_printed", {"lr": 0.1}, **how)
    assert asked == [(30, 20, 5), (30, 20, 5)]
    few = parts._replace(validation=tuple(part[:8] for part in parts.validation))
    training.train(mlp([64, 10]), few, "newton_rate_printed", {"lr": 0.1}, **how)
    assert asked[2:] == [(30, 20, 5), (8, 8, 5)]


def test_what_is_told_of_an_epoch_is_what_is_kept_of_it():
    told, parts = [], training.parts("digits", False, first=60)
    seen = training.train(mlp([64, 10]), parts, "gradient_descent", {"lr": 0.1}, epochs=3, batch_size=20, seed=0,
                          tell=told.append)
    for name in told[0]:
        assert_array_equal(np.float32([row[name] for row in told]), seen[name][1:])
    assert len(told) == 3


def test_loss_and_accuracy_of_shares_are_those_of_the_whole():
    rng, network = np.random.default_rng(0), mlp([3, 2])
    X, Y = rng.standard_normal((7, 3)), np.array([0, 1, 1, 0, 1, 0, 0])
    theta, batch = rng.standard_normal(8), MiniBatch(network, X, Y)
    for size in 3, 7, 100:
        found = training.loss_and_accuracy(Whole(network, X, Y, batch_size=size), theta)
        assert_allclose(found, (batch.value(theta), batch.accuracy(theta)), rtol=1e-12)


def test_what_passes_is_counted_in_mini_batches_and_looking_at_a_loss_is_not():
    network, parts = mlp([64, 10]), training.parts("digits", False, first=60)
    seen = training.train(network, parts, "gradient_descent", {"lr": 0.1}, epochs=2, batch_size=20, seed=0)
    assert seen["forward"].tolist() == seen["backward"].tolist() == [0, 3, 6]
    assert seen["step"].tolist() == [*range(1, 7)]
    network = mlp([64, 10])
    with training.counting(network, 20) as counts:
        MiniBatch(network, *(part[:30] for part in parts.training)).gradient(network.initial(0))
    assert counts == {"forward": 1.5, "backward": 1.5}


def test_along_a_straight_path_only_what_is_within_counts_for_its_rise(monkeypatch):
    """A loss that falls from 8 to 0 at the end, where it has risen once by ¼, and rises steeply beyond."""
    def value(theta):
        share = theta[0] - 1
        return 8 * (1 - share)**3 + 0.25 * (share > 0.71) if share <= 1 else 100 * share

    problem = SimpleNamespace(value=value)
    monkeypatch.setattr(measurements, "trained", lambda *given: (problem, np.array([1.0]), np.array([2.0])))
    found = measurements.straight_path("digits", 0, True)
    for name in "dense", "shared weights":
        assert_allclose(found[name][[0, 20, 40, 50]], [8, 1, 0.25, 125])
        assert_allclose(found[f"{name}, share of the loss half way"], 1 / 8)
        steps = np.array([value([1 + share]) for share in np.arange(41) / 40])
        assert_allclose(found[f"{name}, largest rise"], np.diff(steps).max())
        assert 0 < found[f"{name}, largest rise"][0] < 0.25


def test_what_has_taken_too_long_is_not_waited_for_and_what_is_done_is_told():
    bar, go = SimpleNamespace(most=5, address="there"), threading.Event()
    begun = time.monotonic()
    with pytest.raises(DataError, match="there takes too long: a set of this size should come in 120 s, and 20,000"):
        in_time(time.monotonic() - 1, bar, go.wait, 0.5)
    assert bar.most == -1 and time.monotonic() - begun < 0.4
    go.set()
    bar = SimpleNamespace(most=5, address="there")
    assert in_time(time.monotonic() + 60, bar, lambda x, y: x - y, 5, y=3) == 2 and bar.most == 5
    with pytest.raises(ZeroDivisionError):
        in_time(time.monotonic() + 60, bar, lambda: 1 / 0)


def test_a_set_is_in_place_or_in_part_or_not_here(monkeypatch, tmp_path):
    monkeypatch.setattr(command.data, "folder", lambda: tmp_path)
    monkeypatch.setattr(command, "in_place", lambda stored, prefix=False: {
        "whole": True, "part": prefix, "none": False}[stored.name])
    sources = {name: SimpleNamespace(about=f"about {name}", mirrors=("http://one/", "http://two/"))
               for name in ("whole", "part", "none")}
    lines = [line.strip() for line in command.listing(sources).splitlines()]
    assert lines[0].startswith(f"kept in {tmp_path}") and lines[2].split(maxsplit=1) == ["whole", "about whole"]
    assert [lines[k] for k in (3, 5, 7)] == [f"{state}; from http://one/" for state in (
        "in place", "in place, in part", "not here")]
    assert command.unknown("A-B-C-D", ["a_b_c_d", "x"]) == "there is no A-B-C-D; did you mean a_b_c_d?"


def test_a_table_is_of_the_runs_on_just_these_examples_with_at_least_two_seeds_and_the_most_epochs():
    names = [f"{where}, {group}, {epochs} epochs, seed {seed}" for where in (
        "digits", "digits, whole", "digits, 100 images", "mnist") for group, epochs in (
        ("Adam", 2), ("Adam", 3), ("Adam, lr 0.1", 2), ("K-FAC", 2)) for seed in (0, 1)]
    names.append("digits, momentum, 2 epochs, seed 0")
    made = {name: {"method": method, "epochs": int(name.split(" epochs")[0].split()[-1]),
                   "came": 1 if "100 images, K-FAC, 2 epochs, seed 1" in name else 9}
            for name in names for method in ("Adam", "K-FAC", "momentum") if method in name}
    record = {"made": made, "runs": {name: name for name in names}}
    for where in "digits", "digits, whole", "digits, 100 images":
        groups, diverged = comparing.grouped(record, where)
        assert groups["Adam"] == [f"{where}, Adam, 3 epochs, seed {seed}" for seed in (0, 1)]
        assert [*groups, *diverged] == ["Adam", "Adam, lr 0.1", "K-FAC"] and len(diverged) == ("100" in where)
    assert [*comparing.grouped(record, "digits", ["K-FAC"])[0]] == ["K-FAC"]


def test_a_table_compares_where_the_quickest_has_come_to_and_the_least_that_all_have():
    def run(seconds, losses):
        return {"processor": np.array(seconds), "training loss": np.array(losses), "test loss": np.array(losses) + 1,
                "test accuracy": np.zeros(len(losses))}

    groups = {"slow": [run([0, 10, 20], [9, 5, 3]), run([0, 12, 24], [9, 6, 4])],
              "quick": [run([0, 3, 6, 10.4], [9, 4, 2, 1]), run([0, 3, 6, 9.6], [9, 5, 3, 2])]}
    epochs, seconds, rows = comparing.compared(groups)
    assert epochs == 2 and seconds == 10.0  # the mean of both of the quickest
    assert rows["slow"]["whole epochs then"] == 0 and rows["slow"]["then"].tolist() == [5, 9]
    assert rows["quick"]["whole epochs then"] == 3 and rows["quick"]["then"].tolist() == [1, 2]
    assert rows["slow"]["training loss"].tolist() == [3, 4] and rows["quick"]["test loss"].tolist() == [3, 4]
    assert rows["quick"]["epochs"] == 3 and rows["slow"]["seeds"] == 2 and rows["slow"]["seconds"].tolist() == [20, 24]
    assert [comparing.two_digits(x) for x in (99.4, 99.6, 9.96, 0.0123)] == ["99", "100", "10", "0.012"]
    assert comparing.ahead({"a": {"q": np.array([1, 2])}, "b": {"q": np.array([3, 4])}}, "q", -1) == "a"
    assert comparing.ahead({"a": {"q": np.array([1, 3])}, "b": {"q": np.array([3, 4])}}, "q", 1) == "nobody"
    assert comparing.ahead({"a": {"q": np.array([1, 3])}}, "q", 1) == "nobody"


def test_networks_of_experiments_are_as_wide_as_their_images_allow_and_have_what_their_method_asks_for():
    assert experiments.convolutional((8, 8, 1), 10).layers[0].outputs == 16
    assert experiments.convolutional((32, 32, 3), 10).layers[0].outputs == 32
    sizes = [experiments.narrow_resnet((side, side, 3), 10).size for side in (8, 15, 16)]
    assert sizes == [resnet18((side, side, 3), 10, width).size for side, width in ((8, 4), (15, 4), (16, 16))]
    methods = EXPERIMENTS["lenet"].methods
    assert methods["Adam"].settings == {"lr": 0.1} and methods["fixed"].settings == {"lr": 0.01}
    network = jobs.network(jobs.job("mlp_2x90", "digits", "Adam, dropout", 0))
    assert [layer.rate for layer in network.layers if isinstance(layer, Dropout)] == [0.2, 0.2]
    network = jobs.network(jobs.job("mlp_2x90", "digits", "Adam", 0))
    assert not any(isinstance(layer, Dropout) for layer in network.layers)
    assert jobs.job("mlp_2x90", "digits", "Adam", 0)[5] == 100 and jobs.job("spectrum", "digits", None, 0)[5] == 1


def test_every_experiment_is_as_long_as_in_its_paper_and_has_three_seeds_or_where_an_epoch_is_long_two():
    found = {name: each[4:8] + (each.minutes,) for name, each in EXPERIMENTS.items()}  # epochs, batch, seeds, a search
    three, two = (0, 1, 2), (0, 1)
    assert found == {"mlp_2x90": (100, 128, three, 3, 15), "mlp_5x30": (100, 128, three, 3, 15),
                     "cnn": (30, 128, two, 2, 30), "logistic": (20, 128, three, 5, 15), "lenet": (50, 32, two, 2, 20),
                     "resnet": (30, 256, two, 2, 20), "boston": (100, 360, three, 100, 15)}
    assert {each.seeds for each in measurements.MEASUREMENTS.values()} == {three}
    assert all(each.sets[-1] in ("digits", "boston") for each in (EXPERIMENTS | measurements.MEASUREMENTS).values())


def test_a_search_is_no_longer_than_the_runs_it_is_for_and_a_row_is_told_in_percent(monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "searching", lambda *given: asked.append(given[4]) or ([], ()))
    for epochs in 2, 50:
        runs.jobs_of("mlp_2x90", "digits", ["Adam"], [0], epochs, False, False, True, {"runs": {}, "made": {}})
    assert asked == [2, 3]
    told = runs.shown({"training loss": 0.25, "test loss": 1.5, "test accuracy": 0.876})
    assert told == "loss 0.25, test loss 1.5, accuracy 87.6 %"


@pytest.mark.parametrize("x, said", [(0.01234, "0.012"), (9.7, "9.7"), (9.96, "10"), (12.4, "12"), (99.4, "99"),
                                     (99.6, "100"), (270.4, "270"), (12345.6, "12346")])
def test_seconds_have_two_digits_or_all_before_the_point(x, said):
    assert comparing.two_digits(x) == said


@pytest.mark.parametrize("accuracies, shown", [([0, 0], False), ([0, 0.5], True), ([0.5, 0.5], True)])
def test_a_table_has_a_column_of_accuracies_where_any_is_known(accuracies, shown):
    record = {"runs": {}, "made": {}}
    for method, accuracy in zip(("one", "other"), accuracies):
        for seed in 0, 1:
            run = f"digits, {method}, 1 epochs, seed {seed}"
            record["runs"][run] = {"processor": np.array([0.0, 1.0]), "training loss": np.array([2.0, 1.0]),
                                   "test loss": np.array([2.0, 1.5]), "test accuracy": np.array([0.0, seed * accuracy])}
            record["made"][run] = {"method": method, "epochs": 1, "came": 1}
    heads, rule, *rows, _, ahead = comparing.lines("any", "digits", record=record)
    assert ("| test loss | test accuracy, % | seconds |" in heads) == shown == ("by the test accuracy" in ahead)
    assert "| test loss |" in heads and {row.count("|") for row in (heads, rule, *rows)} == {8 if shown else 7}


@pytest.mark.parametrize("seconds, then", [(5, "3.000 (3.000–3.000)"), (5.3, "4.000 (4.000–4.000)"),
                                           (10.4, "4.000 (4.000–4.000)"), (10.6, "no whole epoch")])
def test_after_equal_seconds_a_method_has_what_it_had_after_its_last_whole_epoch_if_it_had_one(seconds, then):
    record = {"runs": {}, "made": {}}
    for method, an_epoch in ("quick", 5), ("slow", seconds):  # the quick one is done after 10 s, and 5 % are nothing
        for seed in 0, 1:
            losses = np.array([5.0, 4.0, 3.0])
            run = {"processor": an_epoch * np.arange(3.0), "training loss": losses, "test loss": losses}
            record["runs"][f"digits, {method}, 2 epochs, seed {seed}"] = run | {"test accuracy": np.zeros(3)}
            record["made"][f"digits, {method}, 2 epochs, seed {seed}"] = {"method": method, "epochs": 2, "came": 2}
    heads, _, quick, slow, *_ = comparing.lines("any", "digits", record=record)
    assert heads.endswith(" after 10 s |") and quick.endswith("| 10 | 3.000 (3.000–3.000) |")
    assert slow.endswith(f"| {then} |")


def test_a_table_has_accuracies_in_percent():
    made = {"method": "Adam", "epochs": 1, "came": 1}
    run = {"processor": np.array([0.0, 2.0]), "training loss": np.array([2.0, 1.0]), "test loss": np.array([2.0, 1.5]),
           "test accuracy": np.array([0.1, 0.625])}
    record = {"runs": {f"digits, Adam, 1 epochs, seed {k}": run for k in range(2)},
              "made": {f"digits, Adam, 1 epochs, seed {k}": made for k in range(2)}}
    assert "| 62.5 (62.5–62.5) |" in comparing.lines("one", "digits", record=record)[2]


@pytest.mark.parametrize("afresh, t", [(False, 6), (True, 0)])
def test_a_second_method_counts_on_from_the_steps_of_the_first_or_afresh(afresh, t, tmp_path, monkeypatch):
    begun, made = [], training.optimizers.gradient_descent
    monkeypatch.setattr(training.optimizers, "gradient_descent", lambda *given, **how: begun.append(
        how.get("t", 0)) or made(*given, **how))
    parts = training.parts("digits", False, first=60)
    how = {"epochs": 3, "batch_size": 20, "seed": 0, "checkpoint": tmp_path / "a.npz"}
    training.train_in_two(mlp([64, 10]), parts, ("newton_rate_printed", {"lr": 0.1}),
                          ("gradient_descent", {"lr": 0.1}), after=2, afresh=afresh, **how)
    assert begun == [t]


@pytest.mark.parametrize("afresh, diverges_in, whole_epochs", [
    (False, 1, 0), (False, 2, 1), (False, 3, 2), (False, 4, 3), (False, 9, 4),
    (True, 1, 0), (True, 2, 1), (True, 3, 0), (True, 4, 1), (True, 9, 4)])
def test_a_second_method_takes_over_only_from_a_first_that_came_to_the_end_of_its_epochs(
        afresh, diverges_in, whole_epochs, tmp_path, monkeypatch):
    methods, one_epoch = [], training.one_epoch

    def epoch(run, *given):
        methods.append(run.name)
        if len(methods) == diverges_in:
            raise Diverged("by hand", 0)
        one_epoch(run, *given)

    monkeypatch.setattr(training, "one_epoch", epoch)
    parts = training.parts("digits", False, first=60)
    how = {"epochs": 4, "batch_size": 20, "seed": 0, "checkpoint": tmp_path / "a.npz"}
    table = training.train_in_two(mlp([64, 10]), parts, ("momentum", {"lr": 0.1}), ("gradient_descent", {"lr": 0.1}),
                                  after=2, afresh=afresh, **how)
    assert methods[:2] == ["momentum"] * min(2, diverges_in) and set(methods[2:]) <= {"gradient_descent"}
    assert len(methods) == min(diverges_in, 6 if afresh else 4) and len(table["training loss"]) == 1 + whole_epochs


@pytest.mark.parametrize("words, given", [
    (["timing"], (None, None)), (["timing", "--rows", "LeNet", "cost"], (None, ["LeNet", "cost"])),
    (["timing", "--against", "torch", "--rows", "two"], ("torch", ["two"]))])
def test_what_is_to_be_timed_is_handed_on(words, given, monkeypatch, capsys):
    monkeypatch.setattr(timing, "main", lambda *given: given)
    assert command.main(words) == 0 and capsys.readouterr().out == f"{given}\n"


@pytest.mark.parametrize("words, given, how", [
    ([], (None, None, None, None, False, False, False, None), {"images": None, "minutes": 15}),
    (["--set", "mnist", "--seeds", "3", "5", "--epochs", "7", "--whole", "--search", "-j", "1"],
     ("mnist", None, [3, 5], 7, True, False, True, None), {"images": None, "minutes": 15}),
    (["--methods", "Adam", "--images", "90", "--minutes", "0.5", "--cluster", "here", "--settings", "lr=0.5"],
     (None, ["Adam"], None, None, False, False, False, "connected to here"),
     {"images": 90, "minutes": 0.5, "changes": {"lr": 0.5}})])
def test_what_is_to_be_run_is_handed_on_and_a_failure_of_any_is_the_answer(words, given, how, monkeypatch):
    asked, failed = [], {"mlp_2x90": 0, "mlp_5x30": 2}
    monkeypatch.setattr(runs, "run", lambda name, *given, **how: asked.append((name, given, how)) or failed[name])
    monkeypatch.setattr(runs, "cluster", "connected to {}".format)
    names = ["mlp_2x90"] if "--settings" in words else ["mlp_5x30", "mlp_2x90"]
    assert command.main(["run", *names, *words]) == (len(names) > 1)
    for name, (asked_for, *others) in zip(names, asked, strict=True):
        assert asked_for == name and others[0][:-1] == given and others[1] == {"changes": {}} | how
        assert others[0][-1] == (1 if "-j" in words else processes.cores())


def test_an_interrupted_command_says_what_is_kept_and_answers_130(monkeypatch, capsys):
    def interrupted(*given, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    assert command.main(["run", "cnn"]) == 130
    assert capsys.readouterr().err == "data_scripts: interrupted; the same command goes on from the last epoch\n"
    monkeypatch.setattr(command, "fetch", interrupted)
    assert command.main(["mnist"]) == 130
    assert capsys.readouterr().err == "data_scripts: interrupted; nothing of mnist was stored\n"
