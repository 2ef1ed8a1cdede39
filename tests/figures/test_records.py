"""Records of trainings: what is written is what is read, they know what made them, and a sweep loses no job."""
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from itertools import count

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import figures
from figures.making import digests, processes, records
from figures.making.digests import digest
from figures.making.processes import Died, Processes
from figures.making.sweep import sweep
from tests.figures.errands import killed, killed_with_a_child, squared, squared_but_killed_once, trouble, until

RUN = {"loss": np.array([2.5, 1.25], np.float32), "none": np.zeros((0, 3)), "t": np.arange(3), "name": "text"}
MADE = {"set": "digits", "seed": 3, "date": "2026-01-02", "settings": {"lr": 0.1}}


def test_what_is_read_is_what_was_written(tmp_path):
    records.write(tmp_path / "one.npz", {"runs": {"a, seed 0": RUN, "b": RUN}, "made": {"a, seed 0": MADE, "b": MADE}})
    seen = records.read(tmp_path / "one.npz")
    assert seen["made"] == {"a, seed 0": MADE, "b": MADE} and list(seen["runs"]) == ["a, seed 0", "b"]
    for key, value in RUN.items():
        assert_array_equal(seen["runs"]["b"][key], value)
        assert np.asarray(seen["runs"]["b"][key]).dtype == np.asarray(value).dtype


@pytest.mark.parametrize("name", [name for name in figures.names() if hasattr(figures.load(name), "runs")])
def test_a_record_was_made_with_the_numbers_and_seeds_that_the_runs_have(name, monkeypatch):
    """As far as it tells: the oldest of them have no settings, and older ones the place of a function in memory."""
    monkeypatch.setattr(records, "making", lambda data, seed, settings, *code: {"seed": seed, "settings": settings})
    told = {run: each for run, each in records.whole(name)["made"].items() if each["settings"]}
    for run, each in told.items():
        now = records.how(name, each["set"], run)
        assert now["seed"] == each["seed"] and now["settings"] == {
            key: re.sub(r"^<function (\w+) at \w+>$", r"\1", f"{value}") if isinstance(value, str) else value
            for key, value in each["settings"].items()}, run


@pytest.mark.parametrize("name", [name for name in figures.names() if hasattr(figures.load(name), "runs")])
def test_no_two_runs_of_a_figure_are_the_same_training(name):
    jobs = [(run.func, run.args, sorted(run.keywords.items())) for run in figures.load(name).runs("digits").values()]
    assert len(jobs) > 1 and all(job not in jobs[:i] for i, job in enumerate(jobs))


def test_one_more_run_is_added_to_a_record_and_one_of_the_same_name_replaced(tmp_path):
    file = tmp_path / "records" / "one.npz"
    for run, loss in ("a", 1.0), ("b", 2.0), ("a", 3.0):
        records.add(file, {run: {"loss": np.array([loss])}}, {run: MADE | {"loss": loss}})
    seen = records.read(file)
    assert {run: arrays["loss"].item() for run, arrays in seen["runs"].items()} == {"a": 3.0, "b": 2.0}
    assert {run: made["loss"] for run, made in seen["made"].items()} == {"a": 3.0, "b": 2.0}
    assert os.listdir(file.parent) == ["one.npz"]


def test_a_record_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    records.add(tmp_path / "one.npz", {"a": RUN}, {"a": MADE})

    def half(file, **arrays):
        file.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="full"):
        records.add(tmp_path / "one.npz", {"b": RUN}, {"b": MADE})
    assert os.listdir(tmp_path) == ["one.npz"] and list(records.read(tmp_path / "one.npz")["runs"]) == ["a"]


def test_two_may_write_a_record_at_once_and_the_one_that_ends_last_stays(tmp_path, monkeypatch):
    usual, file = np.savez_compressed, tmp_path / "one.npz"

    def meanwhile(temporary, **arrays):
        usual(temporary, **arrays)
        monkeypatch.setattr(np, "savez_compressed", usual)
        records.write(file, {"runs": {"other": RUN}, "made": {}})

    monkeypatch.setattr(np, "savez_compressed", meanwhile)
    records.write(file, {"runs": {"one": RUN}, "made": {}})
    assert os.listdir(tmp_path) == ["one.npz"] and list(records.read(file)["runs"]) == ["one"]


def test_a_pickle_in_a_record_is_not_read(tmp_path):
    np.savez(tmp_path / "bad.npz", outline=np.array({"a": 1}, dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        records.read(tmp_path / "bad.npz")


def test_a_set_that_differs_in_one_number_has_another_checksum(monkeypatch):
    first, data = records.checksum("digits"), records.sets.digits(normalise=False)
    Y = data.Y_test.copy()
    Y[0] = (Y[0] + 1) % 10
    monkeypatch.setattr(records.sets, "digits", lambda **how: data._replace(Y_test=Y))
    records.checksum.cache_clear()
    assert records.checksum("digits") != first
    records.checksum.cache_clear()


def test_the_corner_says_net_set_seeds_and_date(monkeypatch):
    made = {f"seed {k}": {"set": "digits", "seed": k, "date": f"2026-01-0{k + 1}", "net": "2 × 90"} for k in range(3)}
    monkeypatch.setattr(records, "whole", lambda name: {"made": made})
    assert records.note("any") == "2 × 90; digits; seeds 0–2; 2026-01-03"
    assert records.note("any", ["seed 0", "seed 1"]) == "2 × 90; digits; seeds 0–1; 2026-01-02"
    for k, each in enumerate(made.values()):
        each["epochs"] = 80 + k
    assert records.note("any") == "2 × 90, 80 to 82 epochs; digits; seeds 0–2; 2026-01-03"
    assert records.note("any", ["seed 1"]) == "2 × 90, 81 epochs; digits; seed 1; 2026-01-02"
    assert records.span([4]) == "seed 4" and records.span([0, 2]) == "seeds 0, 2"


@pytest.mark.parametrize("name", [name for name in figures.names() if records.named(name)])
def test_the_corner_of_every_picture_says_what_was_trained_on_what_how_often_and_when(name):
    script = figures.load(name)
    runs = script.drawn() if hasattr(script, "drawn") else None
    *net, data, seeds, when = records.note(records.named(name), runs).split("; ")
    assert len(net) == 1 and date.fromisoformat(when)
    assert any(word in net[0] for word in ("epochs", "steps", "passes", "to a loss", "to the minimum", "seconds"))
    usual = {"rate_cifar100": "pairs of digits", "rate_free": "mnist"}.get(
        name, "cifar10" if name.endswith("on_cifar10") else "digits")
    assert data in (usual, "numbers drawn at random")
    of_runs = {seed for run, each in records.whole(records.named(name))["made"].items() if runs is None or run in runs
               for seed in np.ravel(each["seed"])}
    assert seeds == records.span(sorted(of_runs))


def test_every_record_says_how_each_of_its_runs_was_made_and_all_are_small():
    files = sorted(records.RECORDS.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < 8e6
    for file in files:
        record = records.read(file)
        assert record["runs"].keys() == record["made"].keys()
        for made in record["made"].values():
            assert {"set", "seed", "date", "versions"} <= made.keys()


# ------------------------------------------------------------------------------------------------ what made them

CODE = '''
"""A module."""
import numpy as np
from numopt.optimizers import adam

STEPS = 3
OTHER = 4


def inner(x):
    """What it does."""
    if x is None:
        raise ValueError(f"there is no {x}")
    return x + STEPS  # a comment


def outer(x):
    return inner(x) + np.sqrt(adam(x, x))


def unused(x):
    return x
'''


NUMBERS = count()  # no module is imported twice


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function: from the text of a module of ours to the digest of its function `outer`."""
    monkeypatch.syspath_prepend(tmp_path)

    def outer(text):
        name = f"changing{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(digests, "OURS", ("numopt", name))
        found = {}
        digests.follow(name, "outer", found)
        return sorted((unit, text) for (_, unit), text in found.items())

    return outer


@pytest.mark.parametrize("before, after", [
    ("x + STEPS", "x - STEPS"), ("STEPS = 3", "STEPS = 4"), ("np.sqrt", "np.exp"), ("adam", "nadam"),
    ("x is None", "x == 0"), ("raise ValueError", "raise TypeError"), ("raise ValueError", "print")])
def test_a_digest_changes_with_the_code_that_is_called(module, before, after):
    assert module(CODE) != module(CODE.replace(before, after))


@pytest.mark.parametrize("before, after", [
    ("A module.", "Another."), ("there is no", "there never was"), ("What it does.", "Much."),
    ("# a comment", "# another"), ("OTHER = 4", "OTHER = 5"), ("    return x\n", "    return -x\n")])
def test_a_digest_does_not_change_with_prose_or_with_what_is_not_called(module, before, after):
    assert module(CODE) == module(CODE.replace(before, after))


def test_a_digest_knows_what_is_imported_by_another_name(module):
    renamed = CODE.replace("import adam", "import adam as step").replace("adam(x, x)", "step(x, x)")
    assert {name for name, _ in module(renamed)} == {name for name, _ in module(CODE)}
    assert module(renamed) != module(renamed.replace("import adam", "import nadam"))


def test_a_digest_reaches_from_a_training_to_the_loop_and_the_layers():
    from numopt.networks import mlp
    from numopt.optimizers import adam, momentum
    found = {}
    digests.follow("numopt.networks.models", "mlp", found)
    assert {"Dense", "Tanh", "SoftmaxCrossEntropy", "INITIALISATIONS"} <= {name for _, name in found}
    assert digest(mlp, adam) != digest(mlp, momentum) and digest(partial(mlp, [2, 3]), adam) == digest(mlp, adam)


# ------------------------------------------------------------------------------------------------------- sweeps

def test_a_sweep_takes_any_executor_and_an_exception_is_a_result(tmp_path):
    jobs = [(str(tmp_path / "done"), k) for k in range(-1, 5)]
    with ThreadPoolExecutor(2) as pool:
        found = dict(sweep(squared, jobs, pool))
    assert isinstance(found.pop(jobs[0]), ValueError) and found == {job: job[1]**2 for job in jobs[1:]}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_process_that_is_killed_loses_nothing(tmp_path):
    jobs = [(str(tmp_path / "done"), k) for k in range(6)]
    results = list(sweep(squared_but_killed_once, jobs, partial(Processes, 2)))
    assert sorted(results) == [(job, job[1]**2) for job in jobs]  # each once


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_job_that_always_kills_its_process_is_given_up_with_the_reason():
    (job, error), = sweep(killed, [1], partial(Processes, 1))
    assert job == 1 and isinstance(error, Died) and "killed by SIGKILL" in str(error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_that_has_died_is_not_waited_for_though_a_child_of_it_lives_on(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.1)
    try:
        with Processes(1) as pool:
            dead, next_one = pool.submit(killed_with_a_child, tmp_path / "enough"), pool.submit(pow, 3, 2)
            error = dead.exception(timeout=20)
            assert isinstance(error, Died) and "killed by SIGKILL" in str(error) and next_one.result(timeout=20) == 9
    finally:
        (tmp_path / "enough").touch()


def test_what_cannot_be_sent_between_processes_is_an_error_of_its_own_job_only():
    with Processes(1) as pool:
        found = {kind: pool.submit(trouble, kind) for kind in
                 ("an error of its own", "an error of the system", "a function", "nothing", "a number")}
        none_of_ours = pool.submit(lambda: 1)
        assert "Unsendable: 1" in str(found["an error of its own"].exception())
        assert isinstance(found["an error of the system"].exception(), EOFError)
        assert found["a function"].exception() is not None and none_of_ours.exception() is not None
        assert found["nothing"].result() is None and found["a number"].result() == 1
        assert pool.submit(trouble, "a number").result() == 1


def test_a_pool_that_is_left_by_an_error_ends_its_processes_and_one_that_is_not_waits(monkeypatch):
    waitpid = os.waitpid

    def slowly(*which):  # the thread that hears of an end tells it late
        found = waitpid(*which)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
        return found

    monkeypatch.setattr(os, "waitpid", slowly)
    with pytest.raises(ZeroDivisionError), Processes(2) as pool:
        slow = [pool.submit(time.sleep, 60) for _ in range(4)]
        assert until(lambda: sum(future.running() for future in slow) == 2)
        workers = [process for process, _ in pool.workers.values()]
        raise ZeroDivisionError
    assert len(workers) == 2 and not any(process.is_alive() for process in workers)
    with Processes(1) as pool:
        several = [pool.submit(time.sleep, 0.1), pool.submit(pow, 3, 2), pool.submit(pow, 4, 2)]
    assert [one.result(timeout=0) for one in several] == [None, 9, 16] and pool.workers == {}
    pool = Processes(1)
    begun, *waiting = [pool.submit(time.sleep, 0.1) for _ in range(3)]
    assert until(begun.running)
    pool.shutdown(cancel_futures=True)
    assert begun.result(timeout=0) is None and all(one.cancelled() for one in waiting)


@pytest.mark.slow
def test_on_a_cluster_of_which_a_worker_is_killed_each_job_is_counted_once(tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' (Dask) is not installed")
    from figures.making.sweep import cluster
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None, processes=True) as local:
        jobs = [(str(tmp_path / "done"), k) for k in range(12)]
        results, begun = [], time.monotonic()
        for job, result in sweep(squared_but_killed_once, jobs, cluster(local.scheduler_address)):
            results.append((job, result))
            assert time.monotonic() - begun < 60
    assert sorted(results) == [(job, job[1]**2) for job in jobs]
