"""The papers' experiments: stopped anywhere they go on to the same bits; a search ends inside its grid; all run."""
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from data_scripts import comparing, jobs, renewing, runs, training
from data_scripts.__main__ import main
from data_scripts.experiments import EXPERIMENTS, Method, Then
from data_scripts.measurements import MEASUREMENTS
from figures.making import records
from numopt import data as sets
from numopt.networks import BatchNorm, Dense, Network, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import adam, gradient_descent, newton_rate_printed
from numopt.problems import EmpiricalRisk, MiniBatch, Whole

ROOT = Path(__file__).parents[2]
TIMES = "seconds", "processor"


def same(one, other):
    """All but the times, to the last bit."""
    assert one.keys() == other.keys()
    for key in one.keys() - set(TIMES):
        assert_array_equal(one[key], other[key], key)


def a_job(label="Adam", epochs=3, name="mlp_5x30", seed=1):
    return jobs.job(name, "digits", label, seed, (), epochs, quick=True)


# ---------------------------------------------------------------------------------------------------- a training

def test_a_training_is_that_of_the_loop_with_its_losses_and_what_it_cost(monkeypatch):
    clock, processor = count(), count(0, 10)  # at every look one second later, and ten
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=clock.__next__, process_time=processor.__next__))
    network, parts = mlp([64, 8, 10]), training.parts("digits", False, quick=True)
    seen = training.train(network, parts, "adam", {"lr": 0.01}, epochs=2, batch_size=50, seed=3)
    risk = EmpiricalRisk(network, *parts.training, 50, seed=3)
    run = adam(risk, network.initial(3, dtype=np.float32), lr=0.01)
    for t in range(1, 17):
        before = run.theta
        next(run)
        assert seen["step"][t - 1] == t and seen["step rate"][t - 1] == np.float32(0.01)
        assert seen["step loss"][t - 1] == np.float32(risk.loss(t).value(before))
    for name, part in zip(parts._fields, parts[:3]):
        assert seen[f"{name} loss"][-1] == pytest.approx(Whole(network, *part).value(run.theta), rel=1e-5)
        assert seen[f"{name} accuracy"][-1] == pytest.approx(Whole(network, *part).accuracy(run.theta))
    assert_array_equal(seen["backward"], [0, 8, 16])
    assert_array_equal(seen["forward"], [0, 8, 16])
    assert_array_equal(seen["seconds"], [0, 8, 16])
    assert_array_equal(seen["processor"], [0, 80, 160])
    assert vars(network).keys() == vars(mlp([64, 8, 10])).keys(), "nobody counts any more"


def test_the_first_steps_are_all_kept_and_after_them_about_so_many_of_all(monkeypatch):
    monkeypatch.setattr(training, "FIRST", 3)
    monkeypatch.setattr(training, "KEPT", 4)
    network, parts = mlp([64, 8, 10]), training.parts("digits", False, quick=True)
    seen = training.train(network, parts, "adam", {"lr": 0.01}, epochs=2, batch_size=50, seed=3)
    assert_array_equal(seen["step"], [1, 2, 3, 4, 8, 12, 16])


def test_a_learned_rate_costs_five_forward_passes_more():
    network, parts = mlp([64, 8, 10]), training.parts("digits", False, quick=True)
    seen = training.train(network, parts, "newton_rate_printed", {"lr": 0.1}, epochs=1, batch_size=50, seed=0)
    assert seen["backward"][-1] == 8 and seen["forward"][-1] == 6 * 8


def test_with_a_probe_the_validation_part_judges_the_rate_and_the_test_part_does_not():
    network, parts = mlp([64, 8, 10]), training.parts("digits", False, quick=True)

    def rates(**labels):
        changed = {name: (getattr(parts, name)[0], Y) for name, Y in labels.items()}
        return training.train(network, parts._replace(**changed), "newton_rate_printed", {"lr": 0.1}, epochs=1,
                              batch_size=50, seed=0, probe=True)["step rate"]

    assert_array_equal(rates(), rates(test=parts.test[1][::-1]))
    assert not np.array_equal(rates(), rates(validation=parts.validation[1][::-1]))


def test_batch_normalisation_goes_by_the_training_examples_whatever_the_others_are():
    network, parts = Network(BatchNorm(64), Dense(64, 10), inputs=64), training.parts("digits", False, quick=True)
    theta = network.initial(0, dtype=np.float32)
    one = training.row(network, theta, parts, {})
    other = training.row(network, theta, parts._replace(test=(3 * parts.test[0], parts.test[1])), {})
    assert one["training loss"] == other["training loss"] and one["test loss"] != other["test loss"]
    assert one["training loss"] == pytest.approx(MiniBatch(network, *parts.training).value(theta), rel=1e-5)


def test_of_one_output_there_is_no_accuracy():
    parts, experiment = training.parts("boston", False), EXPERIMENTS["boston"]
    network = experiment.network((13,), 1)
    row = training.row(network, network.initial(0, dtype=np.float32), parts, {})
    for name in "training", "validation", "test":
        assert row[f"{name} accuracy"] == 0 < row[f"{name} loss"]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ["training", "validation", "test", "official"])
def test_weights_at_which_a_loss_is_not_finite_have_no_row(name, value, monkeypatch):
    parts, network = training.parts("digits", False, first=5), mlp([64, 10])
    parts, losses = parts._replace(official=parts.test), dict.fromkeys(training.Parts._fields, 1.0) | {name: value}
    told = iter(losses.values())
    monkeypatch.setattr(training, "loss_and_accuracy", lambda whole, theta: (next(told), 0.5))
    with pytest.raises(Diverged, match=f"the {name} loss was {value}"):
        training.row(network, network.initial(0, dtype=np.float32), parts, {})


def test_a_training_that_diverges_ends_early_with_what_it_has():
    network, parts = mlp([64, 8, 10], "relu"), training.parts("digits", False, quick=True)
    with np.errstate(all="ignore"):
        seen = training.train(network, parts, "gradient_descent", {"lr": 1e6}, epochs=5, batch_size=50, seed=0)
    assert len(seen["training loss"]) <= 5 and np.isfinite(seen["training loss"]).all()


def test_the_parts_of_a_set_do_not_overlap_and_leave_nothing_out():
    parts, whole = training.parts("digits", False), sets.digits(dtype=np.float32)
    assert len(parts.validation[0]) == 143 and len(parts.training[0]) == 1437 - 143
    assert_array_equal(np.concatenate([parts.training[0], parts.validation[0]]), whole.X_train)
    assert_array_equal(parts.test[0], whole.X_test)
    papers = training.parts("digits", False, whole=True)
    assert_array_equal(papers.training[0], whole.X_train)


def test_of_cifar10_four_batches_are_trained_on_and_the_fifth_chooses_and_reports(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path))
    monkeypatch.setitem(sets.STORED, "cifar10", ((1, 1, 3), (10,)))  # images of one point, or it would take seconds
    (tmp_path / "cifar10").mkdir()
    for part, n in ("train", 50_000), ("test", 7):
        np.save(tmp_path / "cifar10" / f"X_{part}.npy", random.integers(0, 256, (n, 1, 1, 3), np.uint8))
        np.save(tmp_path / "cifar10" / f"Y_{part}.npy", np.arange(n, dtype=np.uint8) % 10)
    parts = training.parts.__wrapped__("cifar10", True)
    assert [len(part[0]) for part in parts] == [40_000, 5000, 5000, 7]
    X, Y, X_test, Y_test, mean, sd, *_ = sets.cifar10(held_out=10_000)
    assert_array_equal(parts.training[0], X)
    assert_array_equal(parts.training[1], Y)
    for place in 0, 1:
        assert_array_equal(np.concatenate([parts.validation[place], parts.test[place]]), (X_test, Y_test)[place])
    official = sets.cifar10(normalise=False).X_test
    np.testing.assert_allclose(parts.official[0] * sd + mean, official / 255, atol=1e-6)
    papers = training.parts.__wrapped__("cifar10", True, whole=True)
    assert [len(part[0]) for part in papers[:3]] == [50_000, 7, 7] and papers.official is None
    assert_array_equal(papers.test[1], np.arange(7))


def test_so_many_images_are_the_first_ones_of_every_part():
    some, all_of_them = training.parts("digits", False, first=100), training.parts("digits", False)
    for few, whole in zip(some[:3], all_of_them[:3]):
        assert_array_equal(few[0], whole[0][:100])
        assert_array_equal(few[1], whole[1][:100])
    job = jobs.job("mlp_5x30", "digits", "Adam", 0, (), 2, images=256)
    arrays, made = jobs.perform(job)
    assert arrays["forward"][-1] == 2 * 2 and made["images"] == 256
    assert jobs.key(job) == "digits, 256 images, Adam, 2 epochs, seed 0" and jobs.job_of({**made, "came": 2}) == job


def test_a_record_says_all_that_a_run_was_made_with(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    job = jobs.job("mlp_5x30", "digits", "Adam", 4, (("lr", 0.00316),), 2, whole=True, images=130)
    arrays, made = jobs.perform(job)
    assert jobs.key(job) == "digits, whole, 130 images, Adam, lr 0.00316, 2 epochs, seed 4"
    assert jobs.job_of(made) == job and made["settings"] == {"lr": 0.00316} and made["came"] == 2
    assert (made["batch"], made["optimizer"], made["threads"], made["net"]) == (128, "adam", "3", "5 × 30 tanh")
    assert arrays["step rate"][0] == np.float32(0.00316)
    quick = jobs.job("leaving_a_sharp_minimum", "digits", None, 2, quick=True)
    assert jobs.key(quick) == "digits, quick, seed 2" and jobs.key((*quick[:7], False, None)) == "digits, seed 2"


def test_what_a_run_is_made_with_is_its_code_and_that_of_what_takes_over(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "made up", of_two(afresh=False))
    network = EXPERIMENTS["made up"].network
    assert jobs.code(a_job("first", name="made up")) == (training.train, newton_rate_printed, network)
    assert jobs.code(a_job("two", name="made up")) == (training.train, newton_rate_printed, network,
                                                       training.train_in_two, gradient_descent)
    assert jobs.code(jobs.job("spectrum", "digits", None, 0)) == (MEASUREMENTS["spectrum"].function,)


def test_a_run_that_ends_before_another_method_would_take_over_is_of_the_first_alone(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "made up", of_two(afresh=False, after=5))
    alone, seen = (jobs.perform(a_job(label, 2, "made up"))[0] for label in ("first", "two"))
    assert len(seen["training loss"]) == 3
    same(seen, alone)


def of_two(afresh, after=1, rate=None):
    """A method that learns its rate for some epochs, and gradient descent after it."""
    then = Then("gradient_descent", {"lr": rate}, after, afresh)
    return EXPERIMENTS["mlp_5x30"]._replace(methods={
        "two": Method("newton_rate_printed", {"lr": 0.1}, then=then),
        "first": Method("newton_rate_printed", {"lr": 0.1})})


@pytest.mark.parametrize("afresh", [False, True])
def test_a_second_method_goes_on_from_where_the_first_has_come_to_or_afresh_at_its_rate(afresh, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "made up", of_two(afresh))
    seen = jobs.perform(a_job("two", 3, "made up"))[0]
    first = jobs.perform(a_job("first", 1, "made up"))[0]
    parts = training.parts("digits", False, quick=True)
    network = EXPERIMENTS["made up"].network((64,), 10)
    risk = EmpiricalRisk(network, *parts.training, 128, seed=1)
    start = newton_rate_printed(risk, network.initial(1, dtype=np.float32), lr=0.1)
    for _ in range(4):
        next(start)
    theta, t, epochs = (network.initial(1, dtype=np.float32), 0, 3) if afresh else (start.theta, 4, 2)
    run = gradient_descent(risk, theta, lr=start["lr"], t=t)
    for _ in range(4 * epochs):
        next(run)
    assert seen["training loss"][-1] == pytest.approx(Whole(network, *parts.training).value(run.theta), rel=1e-5)
    assert seen["training loss"][0] == first["training loss"][0], "both begin with the first weights of the seed"
    assert_array_equal(seen["step"], np.arange(1, 13), "of a fresh start its own steps alone")
    assert len(seen["training loss"]) == 4 and seen["step rate"][-1] == np.float32(start["lr"]) != np.float32(0.1)
    cost = first["forward"][-1] + 4 * epochs * 400 / 512
    assert seen["forward"][-1] == pytest.approx(cost), "what the first has cost counts"
    assert seen["forward"][0] == (first["forward"][-1] if afresh else 0), "from a fresh start's first row on"


# ------------------------------------------------------------------------------------------- stopped, and going on

@pytest.mark.parametrize("label", ["Adam", "nlTGCR", "K-FAC", "momentum"])
def test_interrupted_in_the_middle_it_goes_on_to_the_same_bits(label, tmp_path):
    whole, _ = jobs.perform(a_job(label))

    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.perform(a_job(label), tmp_path, stop)
    assert len(list(tmp_path.iterdir())) == 1
    rest, _ = jobs.perform(a_job(label), tmp_path)
    same(whole, rest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("afresh", [False, True])
@pytest.mark.parametrize("stopped_at", [1, 2, 3])
def test_of_two_methods_each_goes_on_to_the_same_bits(stopped_at, afresh, tmp_path, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "made up", of_two(afresh, after=2))
    whole, _ = jobs.perform(a_job("two", 4, "made up"))
    rows = []

    def stop(row):
        rows.append(row)
        if len(rows) == stopped_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.perform(a_job("two", 4, "made up"), tmp_path, stop)
    rest, _ = jobs.perform(a_job("two", 4, "made up"), tmp_path)
    same(whole, rest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_in_the_middle_the_same_command_goes_on_to_the_same_bits(tmp_path):
    program = ("import sys; from pathlib import Path; from data_scripts import runs\n"
               "folder = Path(sys.argv[1])\n"
               "runs.run('mlp_5x30', 'digits', ['Adam'], [1], 40, at_a_time=1, folder=folder, checkpoints=folder)")
    command = [sys.executable, "-c", program, str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob("mlp_5x30, *.npz")) and running.poll() is None:
            time.sleep(0.01)
    finally:
        running.kill()
        running.wait()
    assert not (tmp_path / "mlp_5x30.npz").exists()
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    job = jobs.job("mlp_5x30", "digits", "Adam", 1, (), 40)
    same(records.read(tmp_path / "mlp_5x30.npz")["runs"][jobs.key(job)], jobs.perform(job)[0])
    assert os.listdir(tmp_path) == ["mlp_5x30.npz"]


def test_what_is_in_the_record_is_not_done_again_and_one_more_seed_is_one_more_run(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(runs, "perform", lambda job, *how: done.append(job) or ({"training loss": np.zeros(3)}, {}))
    for seeds in [0], [0, 1], [0, 1]:
        runs.run("mlp_5x30", "digits", ["Adam"], seeds, 2, at_a_time=1, folder=tmp_path, checkpoints=tmp_path)
    assert [job[3] for job in done] == [0, 1] and len(records.read(tmp_path / "mlp_5x30.npz")["runs"]) == 2


def test_a_run_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def perform(job, *how):
        if job[2] == "Adam":
            raise ZeroDivisionError("by hand")
        return {"training loss": np.zeros(3)}, {}

    monkeypatch.setattr(runs, "perform", perform)
    failed = runs.run("mlp_5x30", "digits", ["Adam", "momentum"], [0], 2, at_a_time=1, folder=tmp_path)
    assert failed == 1 and "ZeroDivisionError: by hand" in capsys.readouterr().err
    assert len(records.read(tmp_path / "mlp_5x30.npz")["runs"]) == 1


@pytest.mark.parametrize("executor, at_a_time, here", [(None, 1, True), (None, 2, False), ("theirs", 1, False)])
def test_one_at_a_time_runs_are_done_in_this_process_and_otherwise_by_whoever_is_given(
        executor, at_a_time, here, tmp_path, monkeypatch):
    swept, done, wanted = [], [], [a_job(seed=seed) for seed in (0, 1)]

    def perform(job, folder=None, tell=None):
        done.append((job, folder, tell is not None))
        if job[3] == 0:
            raise ZeroDivisionError("by hand")
        row = {"training loss": 1.0, "test loss": 2.0, "test accuracy": 0.5}
        if tell:
            tell(row)
        return {name: np.array([number]) for name, number in row.items()}, {"seed": job[3]}

    def sweep(function, jobs, *how):
        swept.append(how)
        for job in jobs:
            try:
                yield job, function(job)
            except ZeroDivisionError as error:
                yield job, error

    monkeypatch.setattr(runs, "perform", perform)
    monkeypatch.setattr(runs, "sweep", sweep)
    (one, error), (other, (arrays, made)) = runs.done(wanted, executor, at_a_time, tmp_path)
    assert [one, other] == wanted and isinstance(error, ZeroDivisionError) and made == {"seed": 1}
    assert done == [(job, tmp_path, here) for job in wanted] and swept == ([] if here else [(executor, at_a_time)])
    assert runs.come_to(arrays) == ": loss 1, test loss 2, accuracy 50.0 %" and runs.come_to({"share": arrays}) == ""


# ------------------------------------------------------------------------------------------------------- a search

def searched_to(minimum):
    """The rates that a search asks for, whose score is least at 10 to the power `minimum`, and what it finds."""
    known, asked = {}, []
    while True:
        asking, found = runs.searching("made up", "digits", "one", known, 1)
        if not asking:
            return asked, dict(found)
        for job in asking:
            asked.append(jobs.settings(job)["lr"])
            known[jobs.key(job)] = {"validation loss": np.array([9, abs(np.log10(asked[-1]) - minimum)])}


@pytest.mark.parametrize("minimum", [-6, -4, -3, 0.2, 2])
def test_a_grid_grows_until_the_best_has_worse_ones_on_both_sides(minimum, monkeypatch):
    method = Method("momentum", {"lr": 1e-3}, {"lr": 10.0})
    monkeypatch.setitem(EXPERIMENTS, "made up", EXPERIMENTS["mlp_5x30"]._replace(methods={"one": method}))
    asked, found = searched_to(minimum)
    best = found.get("lr", 1e-3)
    assert abs(np.log10(best) - minimum) <= 0.5 and min(asked) < best < max(asked) and len(set(asked)) == len(asked)


def test_a_searched_number_has_the_two_digits_that_its_name_says():
    method = Method("adam", {"lr": 1e-3}, {"lr": 10**0.5})
    found = [runs.value(method, "lr", method.searched["lr"], k) for k in (-2, -1, 0, 1)]
    assert found == [(("lr", 1e-4),), (("lr", 3.2e-4),), (), (("lr", 3.2e-3),)]


def test_a_run_that_diverged_is_never_the_best():
    assert runs.score({"validation loss": np.array([2.0, 0.1])}, epochs=2) == np.inf
    assert runs.wanted({-1: 1.0, 0: np.inf, 1: np.inf}) == [-2]


def test_where_a_number_no_longer_matters_the_search_ends():
    assert runs.wanted({-3: 1.0, -2: 1.0, -1: 1.0, 0: 2.0, 1: 3.0}) == [] and runs.least({-2: 1.0, -1: 1.0}) == -1
    assert runs.wanted({-1: np.inf, 0: np.inf, 1: np.inf}) == [-2]


def test_with_numbers_of_ones_own_a_run_is_the_one_that_a_search_names_the_same(monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "run", lambda name, *given, **how: asked.append((name, given, how)) or 0)
    words = ["run", "mlp_2x90", "--methods", "K-FAC", "nlTGCR", "--settings", "damping=0.1", "lr=1e-2", "--epochs", "4"]
    assert main(words) == 0
    (name, (_, labels, _, epochs, *_), how), record = asked[0], {"runs": {}, "made": {}}

    def jobs_at(changes):
        return runs.jobs_of(name, "cifar10", labels, [0, 5], epochs, False, False, False, record, changes=changes)

    assert [jobs.key(each) for each in jobs_at(how["changes"])] == [
        f"cifar10, {label}, lr 0.01, damping 0.1, 4 epochs, seed {seed}" for label in labels for seed in (0, 5)]
    assert all(dict(each[4]) == {"lr": 0.01, "damping": 0.1} for each in jobs_at(how["changes"]))
    assert [each[4] for each in jobs_at({"lr": 1e-3, "damping": 0.5})] == [(("damping", 0.5),)] * 4  # 1e-3 is printed
    assert [each[4] for each in jobs_at({"damping": 0.01})] == [()] * 4


@pytest.mark.parametrize("words, numbers", [
    (["window=5"], {"window": 5}), (["lr=1", "damping=0"], {"lr": 1, "damping": 0}), (["lr=3.2e-4"], {"lr": 3.2e-4}),
    (["lr=-0.1234", "damping=1234"], {"lr": -0.1234, "damping": 1234}), ([], {})])
def test_a_whole_number_stays_one_and_four_digits_are_taken(words, numbers):
    read = runs.changed("mlp_2x90", ["nlTGCR"], words)
    assert read == numbers and all(type(read[name]) is type(number) for name, number in numbers.items())


def test_what_was_never_timed_is_timed_at_the_numbers_that_were_asked_for(tmp_path):
    how = {"at_a_time": 1, "folder": tmp_path, "checkpoints": tmp_path, "images": 128, "minutes": 60}
    assert runs.run("mlp_5x30", "digits", ["Adam"], [0], 2, changes={"lr": 0.25}, **how) == 0
    record = records.read(tmp_path / "mlp_5x30.npz")["made"]
    assert list(record) == [f"digits, 128 images, Adam, lr 0.25, {epochs} epochs, seed 0" for epochs in (1, 2)]
    assert all(made["settings"]["lr"] == 0.25 for made in record.values())


# ---------------------------------------------------------------------------------------------- minutes, and tables

def a_record(**runs_of):
    """A record of made-up runs: {method: (epochs, seconds an epoch, the loss at the end with each seed)}."""
    record = {"runs": {}, "made": {}}
    for method, (epochs, seconds, losses) in runs_of.items():
        for seed, loss in enumerate(losses):
            run = f"digits, {method}, {epochs} epochs, seed {seed}"
            falling = np.linspace(loss + epochs, loss, epochs + 1)
            record["runs"][run] = {"processor": seconds * np.arange(epochs + 1.0), "training loss": falling,
                                   "test loss": falling, "test accuracy": 1 / falling}
            record["made"][run] = {"method": method, "set": "digits", "whole": False, "images": None, "came": epochs,
                                   "epochs": epochs}
    return record


def test_a_method_gets_fewer_epochs_where_all_its_seeds_would_take_longer():
    record = a_record(Adam=(2, 3.0, [1.0]), momentum=(2, 0.1, [1.0]))

    def epochs(label, minutes, seeds=(0, 1), wanted=30, **how):
        return runs.within(minutes, seeds, jobs.job("mlp_5x30", "digits", label, 0, (), wanted, **how), record)

    assert epochs("Adam", 2) == 20 and epochs("Adam", 2, (0, 1, 2, 3)) == 10 and epochs("Adam", 2, wanted=5) == 5
    assert epochs("momentum", 2) == 30 and epochs("Adam", 0.01) == 1 and epochs("Adam", np.inf) == 30
    assert epochs("RMSProp", 2) is None and epochs("Adam", 2, images=100) is None
    record["made"]["digits, Adam, 2 epochs, seed 0"]["came"] = 0  # it diverged at once, and so was not timed
    assert epochs("Adam", 2) is None


def test_what_was_never_timed_is_timed_by_an_epoch_and_then_held_to_its_minutes(tmp_path):
    def run(minutes):
        return runs.run("mlp_5x30", "digits", ["Adam"], [0, 1], 5, at_a_time=1, folder=tmp_path, checkpoints=tmp_path,
                        images=128, minutes=minutes)

    assert run(1e-9) == 0
    one = ["digits, 128 images, Adam, 1 epochs, seed 0", "digits, 128 images, Adam, 1 epochs, seed 1"]
    assert list(records.read(tmp_path / "mlp_5x30.npz")["runs"]) == one
    assert run(60) == 0
    more = [run for run in records.read(tmp_path / "mlp_5x30.npz")["runs"] if "5 epochs" in run]
    assert len(more) == 2


def test_a_table_compares_after_equal_epochs_and_after_equal_seconds():
    record, shorter = a_record(quick=(10, 1.0, [3.0, 3.2]), slow=(4, 4.0, [2.0, 2.1]), one=(20, 1.0, [0.1])), a_record(
        quick=(2, 1.0, [0.5, 0.5]))
    record = {part: shorter[part] | record[part] for part in record}  # those of the most epochs count
    epochs, seconds, rows = comparing.compared(comparing.grouped(record, "digits")[0])
    assert epochs == 4 and seconds == 10 and set(rows) == {"quick", "slow"}
    assert_array_equal(rows["quick"]["training loss"], [9.0, 9.2])  # after 4 of 10 epochs
    assert_array_equal(rows["slow"]["then"], [4.0, 4.1])             # after 2 of 4
    text = "\n".join(comparing.lines("any", "digits", record=record))
    assert "| quick | 10, 2 | 9.100 (9.000–9.200) |" in text and "training loss after 10 s" in text
    assert "by the training loss slow;" in text and "by the test accuracy slow;" in text
    assert "equal seconds quick." in text


def test_within_the_spread_of_the_seeds_nobody_is_ahead():
    record = a_record(one=(2, 1.0, [1.0, 1.3]), other=(2, 1.0, [1.2, 1.5]))
    text = "\n".join(comparing.lines("any", "digits", record=record))
    assert text.count("nobody") == 4 and "diverged" not in text
    tied = comparing.lines("any", "digits", record=a_record(one=(2, 1.0, [1.0, 1.2]), other=(2, 1.0, [1.2, 1.5])))
    assert tied[-1].count("nobody") == 4
    record["made"]["digits, other, 2 epochs, seed 1"]["came"] = 1
    text = "\n".join(comparing.lines("any", "digits", record=record))
    assert "| other |" not in text and "diverged: other." in text
    with pytest.raises(ValueError, match="no runs on 'mnist' with at least two seeds"):
        comparing.lines("any", "mnist", record=record)


def test_a_stale_run_that_comes_out_again_is_stale_no_longer(tmp_path):
    file = tmp_path / "mlp_5x30.npz"
    right, how = jobs.perform(a_job("Adam", 2)[:7] + (False, 128))
    name = jobs.key(jobs.job_of(how))
    records.write(file, {"runs": {name: right}, "made": {name: how | {"digest": "of old"}}})
    assert renewing.stale("mlp_5x30", tmp_path) == [name]
    assert renewing.confirm("mlp_5x30", folder=tmp_path) == [] == renewing.stale("mlp_5x30", tmp_path)
    same(records.read(file)["runs"][name], right)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A record of two runs, one of them of a method that there is no more, and what repeating one gives."""
    monkeypatch.setitem(EXPERIMENTS, "made up", of_two(afresh=False, after=2))
    asked = []

    def write(loss, again, label="two"):
        how = {"set": "digits", "seed": 1, "settings": {"lr": 0.1}, "epochs": 9, "whole": False, "images": None,
               "experiment": "made up", "date": "2020-01-01", "digest": "of old"}
        arrays = {"training loss": np.array(loss), "step": np.arange(9), "seconds": np.array([1.0]),
                  "step loss": np.arange(9.0), "step rate": np.ones(9), "processor": np.array([1.0])}
        records.write(tmp_path / "made up.npz", {"runs": {"run": arrays}, "made": {"run": how | {"method": label}}})

        def perform(job):
            asked.append(job)
            cost = {"seconds": np.array([7.0, 8.0]), "processor": np.array([7.0, 8.0]), "step": np.array([0, 7]),
                    "step loss": np.array([0, 7.0]), "step rate": np.array([1, 2.0])}
            return arrays | cost | {"training loss": np.array(again)}, how | {
                "method": label, "digest": "new", "date": "2026-07-07"}

        monkeypatch.setattr(renewing, "perform", perform)

    return write, asked, lambda: records.read(tmp_path / "made up.npz"), tmp_path


def test_what_it_cost_and_which_steps_were_kept_may_be_otherwise_and_the_record_says_when_it_was_repeated(kept):
    write, asked, record, folder = kept
    write([3.0, 2.0, 1.0], [3.0, 2.015])
    assert renewing.confirm("made up", folder=folder) == []
    made = record()["made"]["run"]
    assert (made["digest"], made["confirmed"], made["date"]) == ("new", "2026-07-07", "2020-01-01")
    assert record()["runs"]["run"]["seconds"].tolist() == [1.0] and len(record()["runs"]["run"]["step"]) == 9
    assert [job[5] for job in asked] == [3], "two epochs, and one of the method that takes over"


@pytest.mark.parametrize("name, kept, again, same", [
    ("test loss", [2.0, 1.0], [2.0001, 0.991], True), ("test loss", [2.0, 1.0], [2.001, 1.0], False),
    ("test loss", [2.0, 1.0], [2.0, 0.989], False), ("test accuracy", [0.1, 0.5], [0.1, 0.509], True),
    ("test accuracy", [0.1, 0.5], [0.1, 0.511], False), ("test accuracy", [0.1, 0.5], [0.101, 0.5], False),
    ("backward", [0, 5000.0], [0, 5000.4], True), ("backward", [0, 5000.0], [0, 5001.0], False),
    ("noise", [2.0, 1.0], [2.0, 0.9999], True), ("noise", [2.0, 1.0], [2.0, 0.995], False),
    ("test loss", [2.0], [2.0, 1.0], False)])
def test_how_near_a_repeated_run_comes_is_rounding_that_an_epoch_let_grow(name, kept, again, same):
    assert renewing.comes_out_again(name, kept, again) == same


def test_runs_that_begin_alike_are_repeated_once(tmp_path, monkeypatch):
    asked, arrays = [], {"training loss": np.array([2.0, 1.0, 0.5])}
    made = [jobs.job("mlp_5x30", "digits", "Adam", 0, epochs=epochs, images=100) for epochs in (2, 1)]
    how = {jobs.key(job): {"set": "digits", "seed": 0, "settings": jobs.settings(job), "epochs": job[5], "images": 100,
                           "whole": False, "experiment": "mlp_5x30", "method": "Adam", "digest": "old"} for job in made}
    records.write(tmp_path / "mlp_5x30.npz", {"runs": dict.fromkeys(how, arrays), "made": how})
    monkeypatch.setattr(renewing, "perform", lambda job: asked.append(job) or (
        {"training loss": arrays["training loss"][:2]}, {"digest": "new", "date": "today"}))
    assert renewing.confirm("mlp_5x30", folder=tmp_path) == [] and asked == made[1:]


@pytest.mark.parametrize("again", [[3.0, 2.03], [3.0, 2.0, 1.0, 0.5]])
def test_a_run_that_comes_out_otherwise_or_gets_further_has_to_be_made_again(kept, again):
    write, asked, record, folder = kept
    write([3.0, 2.0, 1.0], again)
    before = record()
    assert renewing.confirm("made up", folder=folder) == ["run"] == renewing.stale("made up", folder)
    assert record()["made"] == before["made"]
    assert renewing.confirm("made up", True, folder) == []
    assert [job[5] for job in asked] == [3, 3, 9] and record()["made"]["run"]["date"] == "2026-07-07"
    assert record()["runs"]["run"]["training loss"].tolist() == again


@pytest.mark.parametrize("differs", ["training loss", "test loss", "test accuracy", "validation loss", "forward",
                                     "seconds", "processor", "step", "step loss", "step rate"])
def test_all_that_a_run_comes_to_has_to_come_out_again_but_not_its_times_and_thinned_steps(
        differs, tmp_path, monkeypatch):
    names = ("training loss", "test loss", "test accuracy", "validation loss", "forward", *renewing.COST)
    arrays, job = {name: np.array([1.0, 1.0]) for name in names}, jobs.job("mlp_5x30", "digits", "Adam", 0, epochs=1)
    how = {"set": "digits", "seed": 0, "settings": jobs.settings(job), "epochs": 1, "whole": False,
           "experiment": "mlp_5x30", "method": "Adam", "digest": "old"}
    records.write(tmp_path / "mlp_5x30.npz", {"runs": {"run": arrays}, "made": {"run": how}})
    monkeypatch.setattr(renewing, "perform", lambda job: (
        arrays | {differs: np.array([1.0, 2.0])}, {"digest": "new", "date": "today"}))
    cost = "seconds", "processor", "step", "step loss", "step rate"
    assert renewing.confirm("mlp_5x30", folder=tmp_path) == ([] if differs in cost else ["run"])


def test_a_run_of_a_method_that_there_is_no_more_is_stale_and_left_and_of_no_record_nothing_is(kept):
    write, asked, record, folder = kept
    write([3.0], [3.0], label="gone")
    assert renewing.confirm("made up", True, folder) == ["run"] == renewing.stale("made up", folder)
    assert asked == [] and renewing.confirm("other", folder=folder) == [] == renewing.stale("other", folder)


def test_a_measurement_is_repeated_whole_and_once(tmp_path, monkeypatch):
    job, asked = jobs.job("leaving_a_sharp_minimum", "digits", None, 0, quick=True), []
    arrays, how = jobs.perform(job)
    records.write(tmp_path / f"{job[0]}.npz", {"runs": {"run": arrays | {"noise": arrays["noise"] + 1}},
                                               "made": {"run": how | {"digest": "of old"}}})
    monkeypatch.setattr(renewing, "perform", lambda job: asked.append(job) or (arrays, how))
    assert renewing.confirm(job[0], folder=tmp_path) == ["run"]
    assert renewing.confirm(job[0], True, tmp_path) == [] and asked == [job, job]
    same(records.read(tmp_path / f"{job[0]}.npz")["runs"]["run"], arrays)


# ------------------------------------------------------------------------------------------------- the command

def test_the_list_names_every_experiment(capsys):
    assert main(["run"]) == 0
    seen = capsys.readouterr().out
    assert all(name in seen and each.about in seen for name, each in (EXPERIMENTS | MEASUREMENTS).items())


@pytest.mark.parametrize("arguments, said", [
    (["mlp"], "there is no experiment mlp"), (["cnn", "--set", "boston"], "not run on boston"),
    (["cnn", "--methods", "Adams"], "cnn has no method Adams; it has momentum"),
    (["cnn", "--epochs", "0"], "at least 1"), (["cnn", "--images", "0"], "at least 1"),
    (["cnn", "-j", "0"], "at least 1"), (["cnn", "--minutes", "0"], "more than 0"),
    (["cnn", "--methods", "Adam", "--settings", "lr"], "NAME=NUMBER, such as lr=0.01; given was lr="),
    (["cnn", "--methods", "Adam", "--settings", "lr=fast"], "given was lr=fast"),
    (["cnn", "--methods", "Adam", "--settings", "lr=nan"], "lr=nan is not one of those"),
    (["cnn", "--methods", "Adam", "--settings", "lr=inf"], "lr=inf is not one of those"),
    (["cnn", "--methods", "Adam", "--settings", "lr=0.12345"], "to four digits; lr=0.12345 is not"),
    (["cnn", "--methods", "K-FAC", "Adam", "--settings", "damping=0.1"], "Adam has no damping; it has lr"),
    (["cnn", "--settings", "lr=0.1"], "with --methods"), (["spectrum", "--settings", "lr=0.1"], "is a measurement"),
    (["cnn", "--methods", "Adam", "--settings", "lr=0.1", "--search"], "not with --search"),
    (["cnn", "lenet", "--methods", "Adam", "--settings", "lr=0.1"], "one experiment"),
    (["cnn", "--minutes", "nan"], "more than 0"), (["spectrum", "--epochs", "3"], "spectrum is a measurement")])
def test_what_cannot_be_run_is_refused_with_the_reason(arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(runs, "run", lambda *given, **how: 0)  # or what is not refused would train for hours
    assert main(["run", *arguments]) == 1 and said in capsys.readouterr().err


@pytest.mark.parametrize("arguments, function, found, code, said", [
    (["--confirm"], "confirm", [], 0, "all came out again"), (["--confirm"], "confirm", ["a run"], 1, "cnn: a run"),
    (["--again"], "confirm", ["a run"], 1, "cnn: a run"), (["--stale"], "stale", [], 0, "none is stale"),
    (["--stale"], "stale", ["a run"], 0, "cnn: a run"), (["--quick"], "quick", 0, 0, ""),
    (["--quick"], "quick", 2, 1, ""), ([], "run", 0, 0, ""), ([], "run", 3, 1, "")])
def test_what_is_left_stale_or_has_failed_is_in_the_exit_code(
        arguments, function, found, code, said, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(runs, function, lambda *given, **how: asked.append(given) or found)
    assert main(["run", "cnn", *arguments]) == code and said in capsys.readouterr().out
    assert [given[:1] for given in asked] == ([()] if function == "quick" else [("cnn",)])
    assert function != "confirm" or asked[0][1] == (arguments == ["--again"])


@pytest.mark.parametrize("error, code, said", [
    (ValueError("no runs\nthere"), 1, "data_scripts: no runs there\n"), (OSError("full"), 1, "data_scripts: full\n"),
    (KeyboardInterrupt(), 130, "data_scripts: interrupted; the same command goes on from the last epoch\n")])
def test_what_ends_the_experiments_is_said_in_one_line_and_by_the_exit_code(error, code, said, monkeypatch, capsys):
    def fail(given):
        raise error

    monkeypatch.setattr(runs, "main", fail)
    assert main(["run", "cnn"]) == code and capsys.readouterr().err == said


def test_beside_the_bar_stands_what_the_last_run_has_come_to(monkeypatch, capsys):
    arrays = {"training loss": np.array([2.0, 0.5]), "test loss": np.array([3.0, 0.75]),
              "test accuracy": np.array([0.1, 0.875])}
    monkeypatch.setattr(runs, "sweep", lambda function, jobs, *_: [(job, (arrays, {})) for job in jobs])
    jobs_of_two = [a_job(seed=seed) for seed in (0, 1)]
    assert [job for job, _ in runs.done(jobs_of_two, None, 2, None)] == jobs_of_two
    assert f"{jobs.key(jobs_of_two[1])}: loss 0.5, test loss 0.75, accuracy 87.5 %" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cnn", "logistic"])
def test_what_is_not_said_is_as_in_the_table_all_methods_on_the_usual_set_with_its_seeds_and_epochs(
        name, tmp_path, monkeypatch):
    asked, usual = [], EXPERIMENTS[name]
    monkeypatch.setattr(runs, "done", lambda jobs, *_: asked.extend(jobs) or [(job, OSError("full")) for job in jobs])
    assert runs.run(name, folder=tmp_path) == len(asked) == len(usual.methods) * len(usual.seeds)
    assert asked == [jobs.job(name, usual.sets[0], label, seed, (), usual.epochs)
                     for label in usual.methods for seed in usual.seeds]


def test_an_experiment_is_listed_in_three_lines_and_a_measurement_in_two(monkeypatch):
    one = EXPERIMENTS["cnn"]._replace(about="what it asks", net="a net", methods={"a": None, "b": None}, epochs=7,
                                      seeds=(0, 1, 2, 3), search_epochs=5, sets=("mnist", "digits"), minutes=11)
    other = MEASUREMENTS["spectrum"]._replace(about="what it measures", net="two nets", seeds=(4,), sets=("digits",))
    monkeypatch.setattr(runs, "EXPERIMENTS", {"one": one})
    monkeypatch.setattr(runs, "MEASUREMENTS", {"other": other})
    assert [" ".join(line.split()) for line in runs.listing().splitlines()] == [
        "one what it asks", "a net; a, b", "mnist or digits; 7 epochs, seeds 0–3; 11 minutes a method",
        "other what it measures", "two nets; digits; seed 4"]


def test_quickly_everything_runs_on_its_last_set_and_the_failures_are_added_up(monkeypatch):
    asked = {}
    monkeypatch.setattr(runs, "run", lambda name, data, **how: asked.update({name: (data, how)}) or 2)
    assert runs.quick() == 2 * len(asked) and asked.keys() == EXPERIMENTS.keys() | MEASUREMENTS.keys()
    for name, (data, how) in asked.items():
        assert data == jobs.declared(name).sets[-1] in ("digits", "boston")
        assert how["quick"] and not how["search"] and how["seeds"] == [0] and not how["folder"].exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_method_of_every_experiment_runs_on_a_few_examples(name, tmp_path):
    assert runs.run(name, EXPERIMENTS[name].sets[-1], seeds=[0], epochs=1, quick=True, at_a_time=1, folder=tmp_path,
                    checkpoints=tmp_path) == 0
    record = records.read(tmp_path / f"{name}.npz")
    assert {made["method"] for made in record["made"].values()} == set(EXPERIMENTS[name].methods)
    assert renewing.stale(name, tmp_path) == []


@pytest.mark.parametrize("other, to_do", [(False, 1), (True, 2)])
def test_a_run_goes_on_from_a_checkpoint_of_the_same_code_only(tmp_path, monkeypatch, other, to_do):
    each, told = jobs.job("mlp_5x30", "digits", "Adam", 0, (), 2, quick=True), []

    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.perform(each, tmp_path, stop)
    assert len(list(tmp_path.iterdir())) == 1
    if other:
        making = records.making
        monkeypatch.setattr(records, "making", lambda *given: making(*given) | {"digest": "of other code"})
    jobs.perform(each, tmp_path, lambda row: told.append(row))
    assert len(told) == to_do
