"""How a run is driven, and that what was saved comes back whole or not at all."""
import io
import os
import pickle
import sys
import zipfile
from collections import namedtuple
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizer import optimizer
from numopt.optimizers import adam, gradient_descent, lbfgs, lookahead, momentum, polyak, rprop
from numopt.problems import Function, Quadratic
from numopt.record import load, packed, path, record, save, unpacked
from numopt.schedules import constant

BOWL, START = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]])), [1.0, -2.0]
LINE = Quadratic(np.array([[1.0]]))  # under a rate of 1/2, θ and the gradient halve at every step, f is quartered


def halving():
    return gradient_descent(LINE, [1.0], lr=0.5)


@optimizer
def three_steps(problem, theta, *, t=0):
    """A method that comes to its end."""
    for t, loss in problem.losses(after=t):
        if t > 3:
            return
        theta = theta / 2
        yield theta


# ----------------------------------------------------------------------------------------------------------- path

def test_a_path_begins_with_the_start_and_has_one_row_for_every_step():
    assert_array_equal(path(halving(), 3)[:, 0], [1, 0.5, 0.25, 0.125])
    assert path(adam(BOWL, START), 0).tolist() == [START]


def test_a_path_can_be_continued():
    run = halving()
    assert_array_equal(np.concatenate([path(run, 2), path(run, 2)])[:, 0], [1, 0.5, 0.25, 0.25, 0.125, 0.0625])


def test_a_path_is_shorter_where_the_method_has_come_to_its_end():
    assert_array_equal(path(three_steps(LINE, [8.0]), 10)[:, 0], [8, 4, 2, 1])


def test_a_path_takes_no_step_more_than_it_shows():
    run = halving()
    path(run, 4)
    assert run["t"] == 4


@pytest.mark.parametrize("count", [-1, 2.5, "3", True, None])
def test_a_number_of_steps_is_a_whole_one(count):
    with pytest.raises(ValueError, match="steps must be a whole number of at least 0"):
        path(halving(), count)
    if count is not None:
        with pytest.raises(ValueError, match="steps must be a whole number of at least 0"):
            record(halving(), steps=count)


# --------------------------------------------------------------------------------------------------- what is seen

def test_it_measures_at_the_start_after_every_so_many_steps_and_at_the_end():
    seen = record(halving(), steps=7, every=3, measure={"theta": lambda theta: theta[0], "loss": LINE.value})
    assert list(seen) == ["step", "t", "seconds", "theta", "loss"]
    assert_array_equal(seen["step"], [0, 3, 6, 7])
    assert_array_equal(seen["t"], [0, 3, 6, 7])
    assert_array_equal(seen["theta"], 0.5**np.array([0, 3, 6, 7]))
    assert_array_equal(seen["loss"], 0.5 * 0.25**np.array([0, 3, 6, 7]))


def test_a_last_look_that_has_been_taken_is_not_taken_twice():
    assert_array_equal(record(halving(), steps=6, every=3)["step"], [0, 3, 6])
    assert_array_equal(record(halving(), steps=0, every=3)["step"], [0])


def test_with_an_objective_its_value_is_measured():
    assert_array_equal(record(halving(), steps=2, objective=LINE)["value"], [0.5, 0.125, 0.03125])


def test_t_counts_mini_batches_where_step_counts_steps():
    seen = record(lookahead(BOWL, START, k=4), steps=3)
    assert_array_equal(seen["step"], [0, 1, 2, 3])
    assert_array_equal(seen["t"], [0, 4, 8, 12])


def test_a_record_of_a_continued_run_goes_on_counting_mini_batches():
    run = halving()
    record(run, steps=3)
    assert_array_equal(record(run, steps=2)["t"], [3, 4, 5])


def test_the_seconds_of_a_record_leave_out_the_measuring(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow(Quadratic):
        def gradient(self, theta):
            clock[0] += 2.0
            return super().gradient(theta)

    def measure(theta):
        clock[0] += 100.0
        return 0.0

    seen = record(gradient_descent(Slow(np.eye(1)), [1.0]), steps=3, measure={"slow": measure})
    assert_array_equal(seen["seconds"], [0, 2, 4, 6])


# ------------------------------------------------------------------------------------------------- why it stopped

def test_it_stops_after_the_steps_it_was_given():
    seen = record(halving(), steps=5)
    assert (seen.reason, seen.stopped) == ("steps", "it took the 5 steps it was given")


def test_it_stops_when_the_gradient_is_small_enough():
    seen = record(halving(), objective=LINE, gradient=0.13)
    assert seen.reason == "gradient" and seen["step"][-1] == 3
    assert seen.stopped == "the gradient's norm 0.125 was at most 0.13 at step 3"
    slope = Function(lambda theta: theta @ [3, 4], lambda theta: np.array([3.0, 4.0]))
    for limit, reason in (4.9, "steps"), (5.1, "gradient"):
        assert record(gradient_descent(slope, [0.0, 0.0]), steps=2, objective=slope, gradient=limit).reason == reason


def test_it_stops_when_the_value_has_changed_by_little_since_the_last_look():
    seen = record(halving(), objective=LINE, change=0.01)  # 0.5, 0.125, 0.031, 0.0078, 0.00195
    assert seen.reason == "change" and seen["step"][-1] == 4 and "at most 0.01, at step 4" in seen.stopped
    assert record(halving(), objective=LINE, change=0.5)["step"].tolist() == [0, 1]
    assert record(halving(), objective=LINE, change=0.375)["step"].tolist() == [0, 1]
    coarser = record(halving(), objective=LINE, change=0.01, every=2)  # 0.5, 0.031, 0.00195, 0.00012
    assert_array_equal(coarser["step"], [0, 2, 4, 6])


def test_it_stops_when_the_value_has_reached_the_target():
    seen = record(halving(), objective=LINE, target=0.03125)
    assert seen.reason == "target" and seen["step"][-1] == 2
    assert seen.stopped == "the value 0.03125 reached the target 0.03125 at step 2"


def test_it_stops_at_the_start_where_there_is_nothing_to_do():
    run = gradient_descent(LINE, [0.0])
    assert record(run, steps=9, objective=LINE, gradient=0.0)["step"].tolist() == [0]
    assert record(run, steps=9, objective=LINE, target=0.0).reason == "target"
    assert run["t"] == 0


def test_it_stops_when_its_time_is_over(monkeypatch):
    clock = iter(np.arange(0, 1000, 0.5))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))  # every step takes half a second
    seen = record(halving(), seconds=2, every=100)
    assert seen.reason == "seconds" and seen.stopped == "the 2 s it was given were over after 4 steps, 2 s"
    assert_array_equal(seen["step"], [0, 4])


def test_a_method_that_has_nothing_left_to_do_is_finished():
    seen = record(three_steps(LINE, [8.0]), steps=10, every=2, measure={"theta": lambda theta: theta[0]})
    assert (seen.reason, seen.stopped) == ("finished", "three_steps had nothing left to do after 3 steps")
    assert_array_equal(seen["theta"], [8, 2, 1])


def test_a_run_that_diverges_says_at_which_step_and_keeps_what_came_before():
    run = gradient_descent(Quadratic(np.array([[4.0]])), [1.0], lr=0.75)  # doubles; the gradient overflows at step 1023
    seen = record(run, steps=5000, every=500)
    assert seen.reason == "diverged" and "gradient_descent became non-finite at step 1023" in seen.stopped
    assert_array_equal(seen["step"], [0, 500, 1000])


def test_a_measurement_that_is_not_finite_is_a_divergence_too():
    run = gradient_descent(Quadratic(np.array([[4.0]])), [1.0], lr=0.75)  # f = 2 θ² overflows before θ does
    seen = record(run, steps=5000, measure={"loss": Quadratic(np.array([[4.0]])).value})
    assert seen.reason == "diverged" and seen.stopped == "loss was inf at step 512 of gradient_descent"
    assert seen["step"][-1] == 511 and np.isfinite(seen["loss"]).all()
    assert record(halving(), steps=3, measure={"bad": lambda theta: nan}).stopped.startswith("bad was nan at step 0")


def test_the_first_limit_that_is_reached_is_the_reason():
    limits = {"steps": 4, "objective": LINE, "target": 1e-9, "gradient": 0.2, "change": 1e-9}
    assert record(halving(), **limits).reason == "gradient"
    assert record(halving(), **{**limits, "steps": 1}).reason == "steps"


def test_at_the_last_step_a_limit_that_is_met_comes_before_the_number_of_steps():
    assert record(halving(), steps=3, every=2, objective=LINE, gradient=0.125).reason == "gradient"


def test_a_record_has_to_know_when_to_stop():
    with pytest.raises(ValueError, match="must know when to stop: give it steps, seconds, or an objective"):
        record(halving())
    with pytest.raises(ValueError, match="give record one, for example risk.whole"):
        record(halving(), target=0.1)
    with pytest.raises(ValueError, match="every must be a whole number of at least 1"):
        record(halving(), steps=3, every=0)
    with pytest.raises(ValueError, match="every must be a whole number of at least 1"):
        record(halving(), steps=3, every=True)


def test_an_interrupted_record_leaves_the_run_to_be_continued():
    class Interrupting(Quadratic):
        patience = 5

        def gradient(self, theta):
            self.patience -= 1
            if self.patience == 0:
                raise KeyboardInterrupt
            return super().gradient(theta)

    run = gradient_descent(Interrupting(np.eye(1)), [1.0], lr=0.5)
    with pytest.raises(KeyboardInterrupt):
        record(run, steps=10)
    seen = record(run, steps=6)
    assert_array_equal(seen["t"], [4, 5, 6, 7, 8, 9, 10])
    assert run.theta == 0.5**10


def test_a_bar_shows_the_steps_and_changes_nothing(capsys):
    seen = record(halving(), steps=7, progress=True)
    assert "7/7" in capsys.readouterr().err and seen["step"][-1] == 7
    record(halving(), steps=7)
    assert capsys.readouterr().err == ""


def test_in_a_notebook_the_bar_is_that_of_notebooks():
    """Which of its forms suits the place, tqdm.auto finds out."""
    class Bar:
        made = []

        def __init__(self, **how):
            self.how, self.count, self.closed = how, 0, False
            self.made.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.closed = True

        def update(self):
            self.count += 1

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
        record(halving(), steps=7, every=3, progress=True)
        record(three_steps(LINE, [8.0]), seconds=1000, progress=True)
    assert [bar.count for bar in Bar.made] == [7, 3] and all(bar.closed for bar in Bar.made)
    assert [bar.how["total"] for bar in Bar.made] == [7, None] and Bar.made[0].how["desc"] == "gradient_descent"


def test_a_record_is_shown_as_a_table_without_the_middle_of_many_rows():
    seen = record(halving(), steps=3, measure={"loss": LINE.value})
    head, *rows, why = repr(seen).splitlines()
    assert head.split() == ["step", "t", "seconds", "loss"] and why == "it took the 3 steps it was given"
    assert [row.split()[-1] for row in rows] == ["0.5", "0.125", "0.03125", "0.0078125"]
    assert len({len(line) for line in (head, *rows)}) == 1
    assert len(repr(record(halving(), steps=11)).splitlines()) == 14 and "more" not in repr(record(halving(), steps=11))
    assert "... 3 more ..." in repr(record(halving(), steps=12))
    head, *rows, why = repr(record(halving(), steps=99)).splitlines()
    assert len(rows) == 11 and rows[5] == "... 90 more ..." and rows[-1].split()[0] == "99"
    assert len(repr(record(halving(), steps=11)).splitlines()) == 14 and "... 3 more ..." in repr(
        record(halving(), steps=12))


# -------------------------------------------------------------------------------------------------- save and load

def same(a, b):
    """Equal in type, in structure and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a.hex() == b.hex() if isinstance(a, float) else a == b


@pytest.mark.parametrize("value", [
    0, -7, 10**30, True, False, None, "", "θ → ∞ \" \\ \n", 0.1, -0.0, 5e-324, inf, -inf, nan, 1 / 3,
    np.float32(0.1), np.float64(inf), np.int64(-3), np.bool_(True), np.str_("text"),
    np.arange(6.0).reshape(2, 3), np.array([0.1, -0.0, inf, nan], np.float32), np.array(3.5), np.zeros((0, 4)),
    np.array([True, False]), np.array(["a", "bcd"]), np.arange(6).reshape(2, 3).T, np.array([1 + 2j]),
    (), [], {}, (1,), [1], (1.5, [2, (None, "x")], np.ones(2)), [(), [], {}],
    {"a": {"b": (np.zeros(2), 1)}, "": None}, {1: 2.0, (1, "x"): [3], None: True}, {"float": "not a number"}],
    ids=lambda value: f"{type(value).__name__}")
def test_what_was_saved_comes_back_the_same_in_type_and_in_every_bit(value, tmp_path):
    save(tmp_path / "run.npz", value=value)
    assert same(load(tmp_path / "run.npz"), {"value": value})


def test_names_that_mean_something_to_the_file_itself_are_only_names(tmp_path):
    values = {"array0": 1, "outline": np.ones(2), "dict": {"array": "array0"}, "args": 3, "kwds": np.zeros(1)}
    save(tmp_path / "run.npz", **values)
    assert same(load(tmp_path / "run.npz"), values)


def test_a_checkpoint_of_any_run_continues_it_to_the_last_bit(tmp_path):
    def start(theta=START, **memory):
        return polyak(BOWL, theta, inner=adam, window=3, **memory)

    run, file = start(), tmp_path / "run.npz"
    first = path(run, 5)
    save(file, theta=run.theta, **run.memory)
    saved = load(file)
    assert same(saved, {"theta": run.theta, **run.memory})
    with pytest.raises(ValueError, match="read-only"):
        saved["theta"][0] = 1
    assert_array_equal(np.concatenate([first, path(start(**saved), 5)[1:]]), path(start(), 10))


def test_the_name_of_the_file_is_the_one_that_was_given(tmp_path):
    for name in ("run", "run.npz", "run.checkpoint", "läuft.npz"):
        save(str(tmp_path / name), t=1)
        assert load(str(tmp_path / name)) == {"t": 1}
    assert sorted(os.listdir(tmp_path)) == sorted(["run", "run.npz", "run.checkpoint", "läuft.npz"])


class Mischief:
    """When it is unpickled it leaves a trace."""

    done = []

    def __reduce__(self):
        return self.done.append, (1,)


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("value", [Mischief(), lambda t: t, {1, 2}, b"bytes", [object()], {"x": 1j}, Pair(1, 2),
                                   np.array([None, 1], object), (1, np.array([{}], object))])
def test_what_cannot_be_saved_without_pickle_is_refused_and_the_old_file_stays(value, tmp_path):
    file = tmp_path / "run.npz"
    save(file, t=1)
    with pytest.raises(TypeError, match="v.* (cannot be saved|only numbers and texts can be saved)"):
        save(file, v=value)
    assert load(file) == {"t": 1} and os.listdir(tmp_path) == ["run.npz"]


def test_reading_a_file_of_pickles_runs_no_code(tmp_path):
    plain, wrapped, hidden = tmp_path / "plain", tmp_path / "wrapped", tmp_path / "hidden"
    plain.write_bytes(pickle.dumps({"theta": Mischief()}))
    stream = io.BytesIO()
    np.save(stream, np.array([Mischief()], object), allow_pickle=True)
    wrapped.write_bytes(stream.getvalue())
    save(hidden, theta=np.zeros(2))
    with zipfile.ZipFile(hidden, "a") as archive:
        archive.writestr("array1.npy", stream.getvalue())
    for file in (plain, wrapped, hidden):
        with pytest.raises(ValueError, match="is not a whole checkpoint"):
            load(file)
    assert Mischief.done == []


def checkpoint(file):
    run = adam(BOWL, START)
    path(run, 5)
    save(file, theta=run.theta, history=[np.arange(50.0), {"a": (1, 2.5)}], **run.memory)
    return file.read_bytes()


def test_a_file_that_was_cut_short_is_refused_wherever_it_was_cut(tmp_path):
    file = tmp_path / "run.npz"
    whole = checkpoint(file)
    for length in [0, 1, 3, 30, 100, 500, len(whole) // 2, len(whole) - 200, len(whole) - 22, len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="run.npz is not a whole checkpoint written by numopt.record.save"):
            load(file)


def test_a_file_with_flipped_bits_is_refused_or_reads_as_it_was(tmp_path):
    # the bits of names, dates and paddings in the container carry nothing; those of the contents are all checked
    file, rng = tmp_path / "run.npz", np.random.default_rng(0)
    whole = checkpoint(file)
    good, refused = load(file), 0
    for _ in range(400):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        try:
            assert same(load(file), good)
        except ValueError as error:
            assert "is not a whole checkpoint" in str(error)
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("contents", [
    b"", b"text", b"PK\x03\x04", b"\x93NUMPY", b"\x00" * 1000, pickle.dumps({"theta": [1.0]})])
def test_what_is_no_checkpoint_is_refused(contents, tmp_path):
    (tmp_path / "file").write_bytes(contents)
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        load(tmp_path / "file")


def test_an_archive_of_arrays_that_save_did_not_write_is_refused(tmp_path):
    outlines = [None, "", "{", "[]", "3", "null", '{"t": {}}', '{"t": {"float": 3}}', '{"t": {"array": "missing"}}',
                '{"t": {"strange": []}}', '{"t": {"tuple": 3}}', '{"t": {"float": "x", "array": "y"}}',
                '{"t": {"dict": [1]}}', '{"t": {"dict": [[{"list": []}, 1]]}}', '{"t": {"array": []}}']
    for outline in outlines:
        np.savez(tmp_path / "run.npz", **({} if outline is None else {"outline": outline}), theta=np.zeros(2))
        with pytest.raises(ValueError, match="is not a whole checkpoint"):
            load(tmp_path / "run.npz")
    np.save(tmp_path / "run.npy", np.zeros(2))
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        load(tmp_path / "run.npy")


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.npz")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("where", ["savez", "replace"])
def test_a_save_that_is_broken_off_leaves_the_old_file_whole_and_nothing_beside_it(where, error, tmp_path, monkeypatch):
    file = tmp_path / "run.npz"
    before = checkpoint(file)

    def broken(*arguments, **named):
        if where == "savez":
            arguments[0].write(b"half of it")
        raise error

    monkeypatch.setattr(np if where == "savez" else os, where, broken)
    with pytest.raises(error):
        save(file, theta=np.zeros(3))
    monkeypatch.undo()
    assert file.read_bytes() == before and os.listdir(tmp_path) == ["run.npz"]


def test_what_is_saved_others_may_read_as_any_other_file(tmp_path):
    save(tmp_path / "run.npz", t=1)
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "run.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_record_is_the_same_whether_the_run_was_saved_half_way_or_not(tmp_path):
    run = momentum(BOWL, START)
    whole = record(momentum(BOWL, START), steps=10, objective=BOWL)["value"]
    first = record(run, steps=4, objective=BOWL)["value"]
    save(tmp_path / "run.npz", theta=run.theta, **run.memory)
    saved = load(tmp_path / "run.npz")
    rest = record(momentum(BOWL, saved.pop("theta"), **saved), steps=6, objective=BOWL)["value"]
    assert_array_equal(np.concatenate([first, rest[1:]]), whole)


def test_ctrl_c_brings_what_was_measured_and_the_run_goes_on():
    bowl = Quadratic(np.eye(1))
    run = gradient_descent(bowl, [1.0], lr=0.1)

    def measured(theta):
        if run["t"] == 3:
            raise KeyboardInterrupt
        return theta[0]

    with pytest.raises(KeyboardInterrupt) as stopped:
        record(run, steps=10, measure={"x": measured})
    assert_allclose(stopped.value.record["x"], 0.9**np.arange(3))
    assert stopped.value.record.reason == "interrupted"
    assert_allclose(next(run), 0.9**4)


def test_a_measurement_must_be_a_number_and_a_limit_finite():
    run = gradient_descent(Quadratic(np.eye(2)), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"'theta' gave an array of shape \(2,\)"):
        record(run, steps=3, measure={"theta": lambda theta: theta})
    with pytest.raises(ValueError, match="seconds must be a finite number"):
        record(run, seconds=float("nan"))


def test_whether_something_is_so_may_be_measured():
    seen = record(gradient_descent(Quadratic(np.eye(2)), [1.0, 2.0], lr=0.5), steps=2, measure={
        "near": lambda theta: theta[0] < 0.6, "far": lambda theta: bool(theta[0] > 0.6)})
    assert seen["near"].tolist() == [False, True, True] and seen["far"].tolist() == [True, False, False]


# -------------------------------------------------------------------------------------------- what is driven, and how

@pytest.mark.parametrize("driver", [lambda run: record(run, steps=3), lambda run: path(run, 3)])
@pytest.mark.parametrize("thing, message", [
    (lambda: BOWL, r"drives a run, and was given a problem: .*\(adam\(problem, theta\)"),
    (lambda: adam, r"was given adam itself: .*\(adam\(problem, theta\)"),
    (lambda: adam.__wrapped__(BOWL, np.array(START)), "write @optimizer above def adam"), (lambda: 3, "was given 3")])
def test_what_is_no_run_is_answered_with_what_is_meant(driver, thing, message):
    with pytest.raises(TypeError, match=message):
        driver(thing())


@pytest.mark.parametrize("how, error, message", [
    ({"measure": BOWL.value}, TypeError, 'measure is .*measure={"loss": risk.whole.value}'),
    ({"measure": {"loss": 3}}, TypeError, "'loss' must be a function of theta, and is 3"),
    *(({"measure": {name: BOWL.value}}, ValueError, f"record counts {name!r} itself") for name in (
        "step", "t", "seconds")),
    ({"measure": {"loss": lambda theta: None}}, ValueError, "'loss' gave None, not a number"),
    ({"measure": {"loss": BOWL.value}, "plateau": "loss"}, TypeError, r"plateau=\(lr, \"loss\"\), and not 'loss'"),
    ({"stop": 3}, ValueError, "stop is 3; it must be a function")])
def test_how_it_is_measured_and_ended_is_answered_with_what_is_meant(how, error, message):
    with pytest.raises(error, match=message):
        record(adam(BOWL, START), steps=3, **how)


def test_a_variable_of_the_loop_is_missing_at_the_start_and_a_wrong_name_is_an_error():
    run = adam(BOWL, START)
    seen = record(run, steps=2, measure={"m": lambda theta: run["m_hat"][0], "loss": BOWL.value})
    assert seen.reason == "steps" and np.isnan(seen["m"][0]) and np.isfinite(seen["m"][1:]).all()
    assert np.isfinite(seen["loss"]).all()
    with pytest.raises(KeyError, match="no variable 'nonsense'; it has"):
        record(adam(BOWL, START), steps=2, measure={"m": lambda theta: adam(BOWL, START)["nonsense"]})


def test_stop_is_asked_at_every_look_and_may_say_why():
    looks = []
    seen = record(halving(), steps=20, every=2, stop=lambda seen: looks.append(len(seen["t"])))
    assert looks == [*range(1, 12)] and seen.reason == "steps"
    seen = record(halving(), steps=20, measure={"x": lambda theta: theta[0]}, stop=lambda seen: seen["x"][-1] < 0.2)
    assert seen.reason == "stop" and seen["step"][-1] == 3 and "step 3" in seen.stopped
    assert record(halving(), steps=20, stop=lambda seen: "enough").stopped == "enough"


# ----------------------------------------------------------------------------- a run is saved with what it was given

@pytest.mark.parametrize("method, settings", [
    (adam, {"lr": 0.05, "beta1": 0.8}), (momentum, {"mu": 0.5}), (lbfgs, {"history": 3}), (rprop, {"lr": 0.1})])
def test_a_run_that_was_saved_goes_on_without_its_hyperparameters_being_named(method, settings, tmp_path):
    run = method(BOWL, START, **settings)
    path(run, 4)
    save(tmp_path / "run.npz", run)
    again = method(BOWL, **load(tmp_path / "run.npz"))
    assert again.hyperparameters == run.hyperparameters
    assert_array_equal(path(again, 5), path(run, 5))


def test_a_schedule_is_not_saved_and_has_to_be_named_again(tmp_path):
    rate = constant(0.1)
    run = adam(BOWL, START, lr=rate)
    path(run, 3)
    save(tmp_path / "run.npz", run, note="half way")
    saved = load(tmp_path / "run.npz")
    assert saved.pop("note") == "half way"
    with pytest.raises(ValueError, match="lr is <a function, which a file cannot hold: name it again>; it must be"):
        adam(BOWL, **saved)
    assert_array_equal(path(adam(BOWL, **saved | {"lr": rate}), 3), path(run, 3))


def kept(run, **values):
    """What a file holds of a run."""
    with TemporaryDirectory() as folder:
        save(Path(folder) / "run.npz", run, **values)
        return load(Path(folder) / "run.npz")


def test_a_file_holds_hyperparameters_and_memory_and_says_what_it_cannot_hold():
    run = adam(BOWL, START, beta1=0.8)
    path(run, 3)
    saved = kept(run)
    assert list(saved) == ["theta", "lr", "beta1", "beta2", "eps", "t", "m", "v"]
    assert saved["beta1"] == 0.8 and saved["t"] == 3 and same(saved["m"], run["m"])
    assert "a function" in repr(kept(adam(BOWL, START, lr=constant(0.1))).get("lr"))
    assert "inner" not in kept(lookahead(BOWL, START))    # a function too, but the usual one
    assert kept(run, note="half way", beta1=0.7)["beta1"] == 0.7


def test_a_number_is_written_to_its_last_bit():
    for number in (1 / 3, 0.1, 5e-324, -0.0, inf):
        assert unpacked(packed(number, {}, "x"), {}).hex() == number.hex()


MISTAKES = [
    ("state", "the hyperparameters are forgotten: it goes on with the usual ones",
     "**kept, **run.memory",
     "**run.memory",
     "test_a_file_holds_hyperparameters_and_memory_and_says_what_it_cannot_hold"),
    ("state", "the memory is forgotten: it begins anew where it was",
     "**kept, **run.memory",
     "**kept",
     "test_a_file_holds_hyperparameters_and_memory_and_says_what_it_cannot_hold"),
    ("state", "a schedule is dropped in silence, and the usual rate taken",
     "value = Unsaved(type(value).__name__)",
     "continue",
     "test_a_file_holds_hyperparameters_and_memory_and_says_what_it_cannot_hold"),
    ("packed", "numbers are written with fifteen digits",
     "value.hex()",
     "float(f'{value:.15g}').hex()",
     "test_a_number_is_written_to_its_last_bit"),
    ("record", "stop is not asked before the first step",
     "if stop is not None and (why",
     "if stop is not None and step and (why",
     "test_stop_is_asked_at_every_look_and_may_say_why"),
    ("record", "whatever stop gives ends the run",
     "if stop is not None and (why := stop(seen)):",
     "if stop is not None and ((why := stop(seen)) or True):",
     "test_stop_is_asked_at_every_look_and_may_say_why"),
    ("record", "why it was to stop is not said",
     "why if isinstance(why, str) else f",
     "f",
     "test_stop_is_asked_at_every_look_and_may_say_why"),
    ("counter", "the bar is always that of a terminal",
     "from tqdm.auto import tqdm",
     "from tqdm import tqdm",
     "test_in_a_notebook_the_bar_is_that_of_notebooks"),
]
