"""What figures share, by its parts: how a run is described, who does it, what it is in the dark and while it moves."""
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from itertools import count, islice
from types import ModuleType, SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from numpy.testing import assert_allclose, assert_array_equal

import figures
from figures.making import (
    adaptive_rate, digests, ground, moving, one_valley, parameters, processes, records, rendering, sheet, style)
from figures.making.processes import Died, Processes
from figures.making.sweep import FRUITLESS, sweep
from numopt.networks import BatchNorm, Conv2D, Dense, Network, lenet, logistic
from numopt.optimizers import adam, gradient_rate, newton_rate
from numopt.problems import EmpiricalRisk, MiniBatch, Whole
from tests.figures.errands import until

# ------------------------------------------------------------------------------------------------------ records


@pytest.fixture
def script(monkeypatch):
    """A figure of made-up trainings."""
    made = ModuleType("figures.made_up")
    made.SETS, made.SEED, made.NET = ("digits", "boston"), 3, {"digits": "a net", "boston": "another"}
    made.runs = lambda data: {"usual": partial(adam, "one", lr=0.1), "seeded": partial(adam, seed=7, rates=(1, 2)),
                              "bare": adam, "given": partial(adam, images=until)}
    monkeypatch.setattr(records, "script", lambda name: made)
    return made


def test_how_a_run_was_made_is_its_arguments_its_seed_and_its_net(script):
    usual, seeded, bare = (records.how("made_up", "digits", run) for run in ("usual", "seeded", "bare"))
    assert usual["settings"] == {"arguments": "('one',)", "lr": 0.1} and usual["seed"] == [3]
    assert seeded["settings"] == {"arguments": "()", "rates": "(1, 2)"} and seeded["seed"] == 7
    assert records.how("made_up", "digits", "given")["settings"] == {"arguments": "()", "images": "until"}
    assert bare["settings"] == {} and (bare["net"], bare["set"]) == ("a net", "digits")
    assert bare["digest"] == usual["digest"] == digests.digest(adam)
    script.SEEDS = 2
    assert records.how("made_up", "boston", "usual")["seed"] == [3, 4]
    script.SEEDS, script.NET = (5, 9), "one net"
    other = records.how("made_up", "boston", "usual")
    assert other["seed"] == [5, 9] and other["net"] == "one net"


def test_a_record_is_made_from_the_first_of_its_sets_unless_another_is_asked_for(script):
    assert records.checked("made_up", None) == "digits" and records.checked("made_up", "boston") == "boston"


def test_one_number_that_is_not_finite_is_no_run_to_keep(script, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "PARTS", tmp_path)
    for wrong in np.nan, np.inf:
        script.runs = lambda data: {"one": lambda: {"loss": np.array([1.0, wrong]), "t": np.arange(2)}}
        monkeypatch.setattr(records, "part", lambda name, data, run: tmp_path / "part")
        with pytest.raises(ValueError, match="in the run 'one' the array 'loss' is not finite"):
            records.perform("made_up", "digits", "one")
    assert list(tmp_path.iterdir()) == []


ONE = """
from .{other} import inner as of_another
import {other} as whole
from {other} import LIMIT


def outer(x):
    return of_another(x) + whole.beside(x) + LIMIT
"""
OTHER = """
LIMIT = 3


def inner(x):
    return x + 1


def beside(x):
    return x + 2


def elsewhere(x):
    return x + 3
"""


def test_a_digest_goes_through_other_names_and_through_modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    number = count()

    def found(one, other):
        names = [f"going{next(number)}_{which}" for which in ("one", "other")]
        monkeypatch.setattr(digests, "OURS", names)
        (tmp_path / f"{names[0]}.py").write_text(one.replace(".{other}", names[1]).replace("{other}", names[1]))
        (tmp_path / f"{names[1]}.py").write_text(other)
        texts = {}
        digests.follow(names[0], "outer", texts)
        return sorted((name, text.replace(names[1], "other")) for (_, name), text in texts.items())

    usual = found(ONE, OTHER)
    assert [name for name, _ in usual] == ["LIMIT", "beside", "inner", "outer"]
    for changed in OTHER.replace("+ 1", "+ 4"), OTHER.replace("+ 2", "+ 4"), OTHER.replace("= 3", "= 4"):
        assert found(ONE, changed) != usual
    assert found(ONE, OTHER.replace("+ 3", "+ 4")) == usual == found(ONE, OTHER)


def test_a_digest_goes_through_what_a_package_hands_on_under_another_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(digests, "OURS", (*digests.OURS, "handing_on"))
    (tmp_path / "handing_on.py").write_text("from numopt.networks import mlp as method\n\n\ndef outer():\n"
                                            "    return method\n")
    texts = {}
    digests.follow("handing_on", "outer", texts)
    assert ("numopt.networks.models", "mlp") in texts


def test_all_code_of_ours_counts_in_a_digest():
    from data_scripts.experiments import EXPERIMENTS
    texts = {}
    digests.follow("data_scripts.experiments", EXPERIMENTS["cnn"].network.__name__, texts)
    assert {module.split(".")[0] for module, _ in texts} == {"data_scripts", "numopt"}
    assert set(digests.OURS) == {"numopt", "figures", "data_scripts"}


# ---------------------------------------------------------------------------------------------------- processes

def test_how_a_process_has_ended_is_told_by_its_signal_or_its_code():
    for code, words in {-9: "killed by SIGKILL (out of memory?)", -15: "killed by SIGTERM", 9: "with exit code 9",
                        0: "with exit code 0", None: "with exit code None"}.items():
        process = SimpleNamespace(join=lambda patience: None, exitcode=code)
        assert processes.last_words(process) == words


class Process:
    """It is told to end, and does after so many tellings; what it is told stands in a list that several may share."""

    def __init__(self, name, tellings, said):
        self.name, self.left, self.said = name, tellings, said

    def told(self, word):
        self.said.append(f"{self.name} {word}")
        self.left -= 1

    def terminate(self):
        self.told("terminate")

    def kill(self):
        self.told("kill")

    def join(self, patience=None):
        self.said.append(f"{self.name} join {patience}")

    def is_alive(self):
        return self.left > 0


def test_who_is_told_to_end_has_some_patience_and_is_killed_then_and_all_are_told_before_one_is_waited_for():
    said = []
    processes.dismiss([Process("quick", 1, said), Process("deaf", 2, said), Process("late", 1, said)])
    assert said == ["quick terminate", "deaf terminate", "late terminate", "quick join 5",
                    "deaf join 5", "deaf kill", "deaf join None", "late join 5"]


@pytest.mark.parametrize("tellings, more", [(0, []), (1, ["terminate", "join 5"]),
                                            (2, ["terminate", "join 5", "kill", "join None"])])
def test_a_process_without_a_job_is_waited_for_and_dismissed_if_it_does_not_end(tellings, more):
    pool, said = SimpleNamespace(waiting=[], workers={}, lock=threading.Lock()), []
    pipe = SimpleNamespace(close=lambda: said.append("it closed"))
    Processes.give_next(pool, pipe, Process("it", tellings, said))
    assert said == ["it closed", "it join 5", *(f"it {word}" for word in more)] and pool.workers == {}


def test_a_process_ends_with_the_command_and_at_once_if_it_cannot_tidy_up(monkeypatch):
    said = []
    monkeypatch.setattr(processes, "parent_process", lambda: SimpleNamespace(sentinel="the command"))
    monkeypatch.setattr(processes, "connection", SimpleNamespace(wait=said.append))
    monkeypatch.setattr(processes, "time", SimpleNamespace(sleep=said.append))
    monkeypatch.setattr(processes, "os", SimpleNamespace(getpid=lambda: 7, kill=lambda *how: said.append(how),
                                                         _exit=said.append))
    processes.end_with_the_command()
    assert said == [["the command"], (7, signal.SIGTERM), 5, 1]


def test_jobs_are_done_in_their_order_and_no_more_at_a_time_than_asked_for(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with Processes(1) as pool:
        first = pool.submit(time.sleep, 0.3)
        futures = [pool.submit(pow, k, 2) for k in range(5)]
        cancelled = futures[3].cancel()
        done = []
        for k, future in enumerate(futures):
            future.add_done_callback(lambda future, k=k: done.append(k))
        assert len(pool.workers) <= 1 and not first.done()
        assert until(lambda: len(done) == 5 or len(pool.workers) > 1) and len(pool.workers) <= 1
    assert cancelled and [k for k in done if k != 3] == [0, 1, 2, 4]
    assert [future.result() for k, future in enumerate(futures) if k != 3] == [0, 1, 4, 16]
    assert all(os.environ[f"{library}_NUM_THREADS"] == "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"))


def test_where_no_process_can_be_started_nobody_waits_in_vain(monkeypatch):
    def none_left():
        raise OSError("no more processes")

    monkeypatch.setattr(processes, "hired", none_left)
    with Processes(2) as pool:
        jobs = [pool.submit(pow, 3, k) for k in range(3)]
        jobs += [pool.submit(pow, 3, 2)] if until(lambda: pool.broken) else []
        for job in jobs:
            error = job.exception(timeout=5)
            assert isinstance(error, BrokenExecutor) and "no more processes" in str(error)
    assert len(jobs) == 4


class Fake(Executor):
    """Jobs are done at once, by a function that may raise; `fails` says whose process dies, or who breaks all."""

    opened = 0

    def __init__(self, trouble=lambda job: None):
        self.trouble = trouble
        Fake.opened += 1

    def submit(self, function, job):
        future = Future()
        error = self.trouble(job)
        if error:
            future.set_exception(error)
        else:
            future.set_result(function(job))
        return future


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_job_whose_process_dies_is_handed_in_so_many_times_and_then_its_death_is_its_result(tries):
    handed_in = []

    def trouble(job):
        handed_in.append(job)
        return Died("its process died") if job == 2 else None

    found = dict(sweep(lambda job: -job, [1, 2, 3], Fake(trouble), tries=tries))
    assert found[1] == -1 and found[3] == -3 and isinstance(found[2], Died) and handed_in.count(2) == tries


def test_an_executor_that_breaks_is_followed_by_another_while_something_comes_back():
    broken, results = [], []

    def breaks_after(job):  # each executor does one job and breaks
        if Fake.opened in broken:
            return BrokenExecutor("broken")
        broken.append(Fake.opened)

    Fake.opened = 0
    results = list(sweep(lambda job: -job, [1, 2, 3, 4, 5], lambda: Fake(breaks_after)))
    assert sorted(results) == [(k, -k) for k in range(1, 6)] and Fake.opened == 5
    Fake.opened = 0
    results = list(sweep(lambda job: -job, [1, 2], lambda: Fake(lambda job: BrokenExecutor("for ever"))))
    assert [job for job, _ in results] == [1, 2] and all(isinstance(error, BrokenExecutor) for _, error in results)
    assert Fake.opened == FRUITLESS == 3
    handed_in = []
    own = Fake(lambda job: handed_in.append(job) or BrokenExecutor("somebody's own"))
    assert len(list(sweep(abs, [1, 2], own))) == 2 and handed_in == [1, 2], "there is no other to hand them in to"


def test_what_comes_back_makes_up_for_the_executors_that_broke_before():
    done, Fake.opened = [], 0

    def breaks(job):  # the first and the fourth do one job each
        if Fake.opened not in (1, 4) or Fake.opened in done:
            return BrokenExecutor("broken")
        done.append(Fake.opened)

    assert sorted(sweep(lambda job: -job, [1, 2], lambda: Fake(breaks))) == [(1, -1), (2, -2)]
    assert Fake.opened == 4 == 1 + FRUITLESS


def test_a_signal_that_ends_the_program_ends_it_with_143_and_what_was_there_before_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with processes.ended_by_sigterm():
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    seen = []

    def elsewhere():  # where no signal can be caught
        with processes.ended_by_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


# ------------------------------------------------------------------------------------------------ what is drawn

def test_in_the_dark_greys_are_turned_round_dark_colours_made_lighter_and_light_ones_left():
    assert_allclose(ground.turned("black"), [*ground.LIGHT, 1])
    assert_allclose(ground.turned((1, 1, 1, 0.3)), [*ground.DARK, 0.3])
    assert_allclose(ground.turned("0.25")[:3], ground.LIGHT + 0.25 * (ground.DARK - ground.LIGHT), atol=0.003)
    assert_allclose(ground.turned((0.4, 0.0, 0.0, 0.5)), [1, 0.2, 0.2, 0.5])      # hue and saturation stay
    assert_allclose(ground.turned((0.5, 0.6, 0.9)), [0.5, 0.6, 0.9, 1])           # its lightness is 0.7
    assert_allclose(ground.turned((0.5, 0.53, 0.5))[1], 0.6 * 2 - ground.turned((0.5, 0.53, 0.5))[0])
    assert ground.all_turned("none") == "none" and ground.all_turned(np.eye(4)[:2]) == [
        ground.turned(row) for row in np.eye(4)[:2]]


def test_what_is_coloured_by_values_has_in_the_dark_the_colours_that_it_had():
    figure, ax = plt.subplots()
    A = np.random.default_rng(0).random((4, 5))
    mapped = [ax.scatter(A[0], A[1], c=A[2]), ax.pcolormesh(A), ax.contour(A), ax.contourf(A),
              ax.add_collection(LineCollection([A[:, :2], A[:, 2:4]], array=[0.2, 0.9]))]
    plain = ax.add_collection(LineCollection([A[:, :2]], colors="black"))
    colors = []
    for change in (lambda figure: figure, ground.darken):
        change(figure).canvas.draw()
        colors.append([np.array(one) for it in mapped for one in (it.get_facecolor(), it.get_edgecolor())])
    for before, after in zip(*colors, strict=True):
        assert_allclose(before, after)
    assert_allclose(plain.get_edgecolor(), [[*ground.LIGHT, 1]])
    plt.close(figure)


def test_what_moves_shows_so_many_steps_in_each_frame_and_rests_at_the_end():
    with figures.drawing():
        figure, (ax, other) = plt.subplots(1, 2)
        line, = ax.plot(np.arange(6.0), np.arange(6.0)**2)
        level, = ax.plot([0, 5], [1, 1])
        beside, = other.plot(np.arange(4.0), np.arange(4.0))
        made = moving.revealed(figure, [0, 2, 5], [ax])
        shown = []
        for frame in range(3 + moving.PAUSE):
            made._func(frame)
            shown.append(len(line.get_xdata()))
        assert shown == [1, 3, 6] + [6] * moving.PAUSE
        assert_array_equal(line.get_ydata(), np.arange(6.0)**2)
        assert len(level.get_xdata()) == 2 and len(beside.get_xdata()) == 4
        assert len(list(made.new_frame_seq())) == 3 + moving.PAUSE and moving.PAUSE >= moving.A_SECOND
        made._draw_was_started = True


def test_a_page_has_as_many_rows_as_its_pictures_need(tmp_path, monkeypatch):
    for name in figures.names()[:sheet.COLUMNS]:
        plt.imsave(tmp_path / f"{name}.png", np.zeros((4, 4, 3)))
    pages = []
    monkeypatch.setattr(plt, "subplots", lambda *given, real=plt.subplots, **how: pages.append(given) or real(
        *given, **how))
    monkeypatch.setattr(rendering, "saved", lambda out, name, save: (out, name))
    assert sheet.drawn(figures.names(), tmp_path) == (tmp_path, "sheet.png")
    plt.imsave(tmp_path / f"{figures.names()[-1]}.png", np.zeros((4, 4, 3)))
    sheet.drawn(figures.names(), tmp_path)
    assert pages == [(1, sheet.COLUMNS), (2, sheet.COLUMNS)] and sheet.drawn(figures.names()[6:9], tmp_path) is None
    damaged = tmp_path / f"{figures.names()[-1]}.png"
    damaged.write_bytes(damaged.read_bytes()[:40])  # in the middle of a chunk's name
    assert set(sheet.missing(figures.names(), tmp_path)) == set(figures.names()[sheet.COLUMNS:])


def test_a_right_angle_is_a_square_between_its_two_sides():
    with figures.drawing():
        line, = style.right_angle(plt.gca(), np.array([5.0, 1.0]), np.array([1.0, 1.0]), np.array([1.0, 4.0]), 0.5)
    assert_allclose(line.get_xydata(), [[1.5, 1], [1.5, 1.5], [1, 1.5]])


def test_labels_of_one_and_of_two_lines_have_half_the_height_of_both_between_them():
    with figures.drawing():
        figure, ax = plt.subplots(figsize=(4, 3), dpi=100)
        ax.set(ylim=(0, 1), xlim=(0, 1))
        style.end_labels(ax, [("one", 0.5, "red"), ("two\nlines", 0.5001, "red"), ("last", 0.5002, "red"),
                              ("far", 0.1, "red")], size=9)
        at = [text.xy[1] * ax.bbox.height for text in ax.texts]
    line = 1.25 * 9 * 100 / 72
    assert [text.get_text() for text in ax.texts] == ["far", "one", "two\nlines", "last"]
    assert_allclose(np.diff(at)[1:], [1.5 * line] * 2, rtol=1e-6)
    assert_allclose(at[0], 0.1 * ax.bbox.height, rtol=1e-6)


def test_the_note_stands_in_a_strip_of_its_own_below_the_picture():
    with figures.drawing():
        figure, ax = plt.subplots(figsize=(4, 2))
        rendering.in_the_corner(figure, "a note")
        figure.canvas.draw()
        note, = figure.texts
        box = note.get_window_extent()
        assert box.y1 <= 0.17 * figure.dpi + 2 and box.y0 >= 0 and box.x1 <= figure.bbox.x1
        assert ax.get_tightbbox().y0 >= 0.17 * figure.dpi - 1 and note.get_text() == "a note"


def test_a_file_says_nothing_that_changes_from_day_to_day(tmp_path, monkeypatch):
    def draw():
        return plt.subplots(figsize=(1, 1))[0]

    monkeypatch.setattr(rendering, "load", lambda name: SimpleNamespace(compute=lambda: {}, draw=draw))
    monkeypatch.setattr(records, "named", lambda name: None)
    for kind, words in ("pdf", (b"CreationDate", b"Producer", b"Creator")), ("svg", (b"dc:date", b"dc:creator")), (
            "png", (b"Software",)):
        content = rendering.render("made_up", tmp_path, kind).read_bytes()
        assert content and not any(word in content for word in words)


def test_a_figure_stands_in_the_order_of_its_first_lecture():
    for name in figures.names():
        first, where, _ = rendering.place(name)
        assert first == rendering.lectures(name)[0]
        page, = (file for file in (rendering.HERE.parent / "lectures").glob(f"{first:02d}-*.md"))
        mark = f"<!-- figure: {name} -->"
        assert where == (page.read_text("utf-8").index(mark) if mark in page.read_text("utf-8") else 10**9)


@pytest.mark.parametrize("default, good, bad", [
    (5, ["1", "7"], ["0", "-1", "1.5", "True", "x"]), (0, ["0", "3"], ["-1"]), (-2, ["-2", "0"], ["-3"]),
    (0.5, ["0", "-1.5", "1e300"], ["1e999", "True", "x", "1j"]), (True, ["False"], ["0", "1"]),
    ((1, 2), ["3", "3,4,5"], ["0", "3,0", "1.5", "()", ""]), ((0.1,), ["1", "0.5,2"], ["x", "1e999"]),
    (range(3), ["4,5", "0"], ["-1"]), ("word", ["1", "x,y"], [])])
def test_a_value_is_of_the_kind_of_the_default(default, good, bad):
    for text in good:
        value = parameters.like(default, text, "figure: key")
        kind = tuple if isinstance(default, range) else type(default)
        assert type(value) is kind and (not isinstance(value, tuple) or {type(v) for v in value} == {type(default[0])})
    for text in bad:
        with pytest.raises(ValueError, match="figure: key must be .*and not"):
            parameters.like(default, text, "figure: key")


def test_what_is_asked_for_stands_in_the_order_of_the_parameters_without_what_is_as_usual():
    made = SimpleNamespace(compute=lambda a=1, b=(1, 2), c=0.5, d="x": None)
    changed = parameters.asked("made_up", made, ["c=2", "a=1", "b=3", "a=7", "d=x"])
    assert list(changed.items()) == [("a", 7), ("b", (3,)), ("c", 2.0)]
    assert parameters.file_name("made_up", changed, "dark") == "made_up-a=7-b=3-c=2.0-dark"


# ---------------------------------------------------------------------------------------- trainings that are shared

def test_a_product_costs_two_gradients_and_three_values_one():
    assert one_valley.cost(SimpleNamespace(gradients=5, products=7, values=12)) == 5 + 14 + 4


@pytest.mark.parametrize("kept, every", [(4, 3), (3, 3), (2, 5), (9, 1), (100, 1)])  # of nine steps
def test_a_training_keeps_what_is_measured_and_its_rates_over_epochs(kept, every, monkeypatch):
    monkeypatch.setattr(adaptive_rate, "KEPT", kept)
    parts = [part[:60] for part in adaptive_rate.parts("digits", images=False)]
    X, Y, X_test, Y_test = parts
    network = logistic(64, 10)
    seen = adaptive_rate.train("gradient_rate", parts, network, lr=0.05, seed=2, epochs=3, batch_size=15, held_back=20,
                               alpha=1e-3)
    probe = EmpiricalRisk(network, X[40:], Y[40:], 15, 2)
    risk = EmpiricalRisk(network, X[:40], Y[:40], 15, 2)
    run = gradient_rate(risk, network.initial(2, dtype=np.float32), lr=0.05, alpha=1e-3, probe=probe)
    rows, rates = [run.theta], [(0, 0.05)]
    for epoch in range(3):
        for _ in range(risk.steps_per_epoch):
            next(run)
            if run["t"] % every == 0:
                rates.append((run["t"] / risk.steps_per_epoch, run["lr"]))
        rows.append(run.theta)
    assert_allclose(np.column_stack([seen["epoch"], seen["rate"]]), rates, rtol=1e-6)
    here, elsewhere = MiniBatch(network, X[:40], Y[:40]), MiniBatch(network, X_test, Y_test)
    assert_allclose(seen["training loss"], [here.value(theta) for theta in rows], rtol=1e-5)
    assert_allclose(seen["test loss"], [elsewhere.value(theta) for theta in rows], rtol=1e-5)
    assert_allclose(seen["training accuracy"], [here.accuracy(theta) for theta in rows])
    assert_allclose(seen["test accuracy"], [elsewhere.accuracy(theta) for theta in rows])
    few = adaptive_rate.train("newton_rate", parts, network, lr=0.05, seed=2, epochs=1, batch_size=15, held_back=5)
    run = newton_rate(EmpiricalRisk(network, X[:55], Y[:55], 15, 2), network.initial(2, dtype=np.float32), lr=0.05,
                      probe=EmpiricalRisk(network, X[55:], Y[55:], 5, 2))
    for _ in range(4):
        next(run)
    assert_allclose(few["training loss"][-1], Whole(network, X[:55], Y[:55]).value(run.theta), rtol=1e-4)


@pytest.mark.parametrize("name", adaptive_rate.METHODS)
def test_the_rate_that_is_kept_is_the_one_that_the_method_has_learned_or_the_one_it_was_given(name):
    parts, network = [part[:60] for part in adaptive_rate.parts("digits", images=False)], logistic(64, 10)
    rates = adaptive_rate.train(name, parts, network, lr=0.05, seed=2, epochs=2, batch_size=30)["rate"]
    run = adaptive_rate.METHODS[name](EmpiricalRisk(network, *parts[:2], 30, 2), network.initial(2, dtype=np.float32),
                                      lr=0.05)
    learned = [0.05, *(run["lr"] for _ in islice(run, 4))]
    assert_allclose(rates, learned, rtol=1e-6)
    assert (len(set(rates.tolist())) > 3) == ("_rate" in name)


def test_one_that_diverges_ends_early_and_a_fixed_rate_is_fixed():
    parts, network = [part[:60] for part in adaptive_rate.parts("digits", images=False)], logistic(64, 10)
    with np.errstate(all="ignore"):
        seen = adaptive_rate.train("gradient_descent", parts, network, lr=1e38, seed=0, epochs=3, batch_size=20)
    assert 1 <= len(seen["training loss"]) < 4 and np.isfinite(seen["training loss"]).all()
    assert set(seen["rate"].tolist()) == {float(np.float32(1e38))}


@pytest.mark.parametrize("wrong", range(4))
@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_training_ends_before_the_first_epoch_after_which_anything_is_not_finite(last, wrong, monkeypatch):
    rows = [[float(row)] * 4 for row in range(4)]
    rows[last + 1][wrong] = np.inf
    monkeypatch.setattr(adaptive_rate, "measured", lambda *_: rows.pop(0))
    parts = [part[:20] for part in adaptive_rate.parts("digits", images=False)]
    seen = adaptive_rate.train("gradient_descent", parts, logistic(64, 10), lr=0.1, seed=0, epochs=3, batch_size=20)
    for name in adaptive_rate.MEASURED:
        assert seen[name].tolist() == [*range(last + 1)]
    assert seen["rate"].size == seen["epoch"].size == last + 2


def test_images_of_sixteen_by_sixteen_are_large_enough_for_lenet_and_smaller_ones_have_a_border():
    theirs, small = (make((16, 16, 1), 10, 0.0).size for make in (lenet, adaptive_rate.small_lenet))
    assert theirs == small
    network = adaptive_rate.small_lenet((16, 15, 1), 10, 0.0)
    assert [layer.padding for layer in network.layers if isinstance(layer, Conv2D)] == [1, 1]


def test_statistics_are_those_of_the_first_two_thousand_training_examples():
    random, network = np.random.default_rng(0), Network(BatchNorm(3), Dense(3, 2), inputs=3)
    X, Y = random.standard_normal((2300, 3)), random.integers(0, 2, 2300)
    theta = network.initial(0)

    def losses(X):
        return adaptive_rate.measured(network, theta, X, Y, X[:5], Y[:5])[:2]

    X[2000:] *= 3
    later, first = X.copy(), X.copy()
    later[2001], first[1999] = 50.0, 50.0
    assert losses(later)[1] == losses(X)[1] != losses(first)[1]
    statistics = MiniBatch(network, X[:2000], Y[:2000]).statistics_of(theta)
    assert losses(X)[0] == pytest.approx(Whole(network, X, Y, statistics=statistics).value(theta))


def test_runs_of_several_seeds_are_rows_that_end_where_they_did_and_of_one_set(monkeypatch):
    runs = {"one": {"a, seed 0": {"loss": np.array([1.0, 2, 3])}, "a, seed 1": {"loss": np.array([4.0])}},
            "two": {"c, seed 0": {"loss": np.ones(2)}}}
    sets = {"one": "digits", "two": "digits", "three": "mnist"}
    monkeypatch.setattr(records, "whole", lambda name: {"made": {"a": {"set": sets[name]}}})
    monkeypatch.setattr(records, "recorded", runs.get)
    found = adaptive_rate.gathered("one", "two")
    assert_array_equal(found["a: loss"], [[1, 2, 3], [4, np.nan, np.nan]])
    assert_array_equal(found["c: loss"], [[1, 1]])
    with pytest.raises(ValueError, match="one and three are made from different sets.*figures one three --recompute"):
        adaptive_rate.gathered("one", "three")
    named = adaptive_rate.in_seeds((4, 6), x=dict)
    assert {name: function() for name, function in named.items()} == {f"x, seed {k}": {"seed": k} for k in (4, 6)}


def test_where_a_run_diverges_there_is_a_cross_and_costs_are_in_passes():
    def seen(epochs):
        return {"training loss": np.array([[3.0, 2, 1][:epochs + 1] + [np.nan] * (2 - epochs)]),
                "test loss": np.array([[3.0, 2.5, 2]]), "test accuracy": np.array([[0.1, 0.5, 0.9]]),
                "rate": np.array([[0.1, 0.2, 0.3][:epochs + 1] + [np.nan] * (2 - epochs)]),
                "epoch": np.array([[0.0, 1, 2][:epochs + 1] + [np.nan] * (2 - epochs)])}

    arrays = {f"{run}: {key}": value for run, epochs in (("whole", 2), ("short", 1))
              for key, value in seen(epochs).items()}
    drawn = {"whole": ("whole", "red", "-"), "short": ("short", "blue", "--")}
    with figures.drawing():
        figure = adaptive_rate.panels(arrays, drawn, passes={"whole": 3, "short": 6})
        axes = {ax.get_ylabel(): ax for ax in figure.axes}
        assert [text.get_text() for text in axes["rate"].texts] == ["diverges"]
        assert axes["rate"].texts[0].xy == (1.0, 0.2) and axes["rate"].get_xlim() == (0, 2)
        accuracy = axes["test accuracy, %"]
        assert_array_equal(accuracy.lines[0].get_xydata(), [[0, 10], [3, 50], [6, 90]])
        assert_array_equal(accuracy.lines[1].get_xdata(), [0, 6, 12])
        assert accuracy.get_xlim() == (0, 12) and accuracy.get_yscale() == "linear"
        assert axes["training loss"].get_yscale() == axes["rate"].get_yscale() == "log"


# ------------------------------------------------------------------------------------------------ one figure by name

@pytest.mark.parametrize("last, numbers", [
    ("Lecture 3.", [3]), ("Lecture 14.", [14]), ("Lectures 12 and 14.", [12, 14]), ("Lectures 2, 3, 4 and 13.  ",
                                                                                    [2, 3, 4, 13]),
    ("As in Lecture 9, and more.          Lecture 10.", [10]), ("Lecture 3, Figure 2", None), ("No. 5.", None)])
def test_a_figure_belongs_to_the_lectures_that_its_docstring_ends_with(last, numbers, monkeypatch):
    monkeypatch.setattr(rendering, "load", lambda name: SimpleNamespace(__doc__=f"A line.\n\nMade by hand.  {last}\n"))
    if numbers:
        assert rendering.lectures("made_up") == numbers and rendering.caption("made_up") == "A line."
    else:
        with pytest.raises(ValueError, match="docstring of figures/made_up.py must end with its lecture"):
            rendering.lectures("made_up")


@pytest.mark.parametrize("how, name", [
    ({}, "made_up.png"), ({"format": "pdf"}, "made_up.pdf"), ({"style": "dark"}, "made_up-dark.png"),
    ({"transparent": True, "a": 2}, "made_up-a=2-transparent.png"),
    ({"style": "dark", "transparent": True, "format": "svg"}, "made_up-dark-transparent.svg")])
def test_the_name_of_a_picture_says_all_that_is_not_as_usual(how, name, tmp_path, monkeypatch):
    script = SimpleNamespace(compute=lambda a=1: {"a": a}, draw=lambda a: plt.subplots(figsize=(1, a))[0])
    monkeypatch.setattr(rendering, "load", lambda name: script)
    monkeypatch.setattr(records, "named", lambda name: None)
    assert rendering.render("made_up", tmp_path, **how) == tmp_path / name
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("changed, words", [
    ({}, "Traceback"), ({"a": 2, "b": (1, 3)}, "there is no picture with a=2, b=1,3: ZeroDivisionError: by hand")])
def test_what_goes_wrong_with_other_parameters_is_a_line_and_without_any_it_is_told_whole(changed, words, monkeypatch):
    def render(name, **how):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(rendering, "render", render)
    picture, said = rendering.attempt({"name": "made_up", "changed": changed})
    assert picture is None and said.startswith(words) and ("by hand" in said)
