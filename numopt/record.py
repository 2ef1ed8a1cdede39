"""Driving a run: how far to go, what to write down on the way, and how to save it.

    run = adam(risk, theta)
    seen = record(run, steps=1000, every=10, measure={"loss": risk.whole.value}, seconds=60)
    seen["t"], seen["loss"], seen.stopped
    save("adam.npz", run)                       # theta, hyperparameters and memory

    run = adam(risk, **load("adam.npz"))        # the same run, to the last bit

To the last bit: with the same versions of numopt, NumPy, SciPy and Numba, on the same kind of processor, with as many
threads of BLAS, and both times compiled or both times reading.  A sum that is taken in another order is rounded
otherwise, and that is what each of these may change: of 51 convolutional set-ups, seven differ between one thread of
BLAS and two.
"""
import inspect
import json
import time
from contextlib import contextmanager
from math import isfinite, nan

import numpy as np

from numopt.checkpoint import read, write
from numopt.optimizer import Diverged, NotYet


def path(run, steps):
    """The iterates θ₀, θ₁, ... as the rows of an array; fewer than steps + 1 where the method has come to its end."""
    checked_run(run, "path")
    whole_number(steps, "steps", least=0)
    thetas = [run.theta]
    for _, theta in zip(range(steps), run):
        thetas.append(theta)
    return np.array(thetas)


class Record(dict):
    """What was seen on the way: one array a measurement, all of the same length.

    record["step"], record["t"]     steps taken, and mini-batches used, when it was measured
    record["seconds"]               time spent in the steps, the measuring not counted
    record.reason, record.stopped   why it ended, in a word and in a sentence
    """

    reason = stopped = None

    def __repr__(self):
        """A table: a row each time that was measured, without the middle of many, and why it ended."""
        columns = [[name, *(f"{value:.6g}" for value in values)] for name, values in self.items()]
        widths = [max(map(len, column)) for column in columns]
        head, *rows = ("  ".join(f"{text:>{width}}" for text, width in zip(row, widths)) for row in zip(*columns))
        shown = rows if len(rows) <= 12 else [*rows[:5], f"... {len(rows) - 10} more ...", *rows[-5:]]
        return "\n".join([head, *shown, *([self.stopped] if self.stopped else [])])


def record(run, steps=None, *, every=1, measure={}, objective=None, gradient=None, change=None, target=None,
           seconds=None, plateau=None, stop=None, progress=False):
    """Drive a run until the first of its limits, and measure at the start, after every so many steps, and at the end.

    measure     {name: function of theta that gives a number}; with an `objective`, its value is measured as "value"
    steps       at most so many steps: reason "steps"
    gradient    stop when the norm of objective.gradient is at most this: "gradient"
    change      stop when objective.value has changed by at most this since the last look: "change"
    target      stop when objective.value is at most this: "target"
    seconds     stop when the steps have taken so long: "seconds".  A step is never broken off, however long it takes
    plateau     (schedule, name): show schedule.saw each new value of that measurement
    stop        a function called at every look with what was seen so far, {name: list}: where it gives True, or a text
                that says why, the run ends with "stop".  For early stopping, or as a callback
    progress    show a bar

    A run whose iterate, or whose measurement, is no longer finite ends with the reason "diverged", and `stopped` says
    at which step; the record holds what came before.  A variable of the loop that is measured, run["m_hat"], is missing
    (nan) at the start, where the loop does not have it yet.  A method that has nothing left to do ends with "finished".
    Ctrl-C goes on to the caller: the KeyboardInterrupt has the record so far as its `record`, and the run can go on.
    """
    checked_run(run, "record")
    checked_measurements(measure, plateau)
    if stop is not None and not callable(stop):
        raise ValueError(f"stop is {stop!r}; it must be a function of what was seen, stop=lambda seen: ...")
    limits = [limit for limit in (gradient, change, target) if limit is not None]
    if steps is seconds is None and not limits:
        raise ValueError("record must know when to stop: give it steps, seconds, or an objective and a tolerance")
    if limits and objective is None:
        raise ValueError("gradient, change and target are about an objective: give record one, for example risk.whole")
    whole_number(every, "every", least=1)
    if steps is not None:
        whole_number(steps, "steps", least=0)
    if objective is not None:
        measure = {"value": objective.value, **measure}
    for name, limit in {"gradient": gradient, "change": change, "target": target, "seconds": seconds}.items():
        if limit is not None and not isfinite(limit):
            raise ValueError(f"{name} must be a finite number, and is {limit}")
    if plateau is not None and plateau[1] not in measure:
        raise ValueError(f"plateau watches {plateau[1]!r}, which is not measured; measured are {', '.join(measure)}")
    seen = {name: [] for name in ("step", "t", "seconds", *measure)}
    step, spent = 0, 0.0

    def look():
        """Measure, and say why to stop, if there is a reason."""
        with np.errstate(all="ignore"):
            row = {"step": step, "t": run["t"], "seconds": spent}
            missing = set()
            for name, f in measure.items():
                try:
                    row[name] = f(run.theta)
                except NotYet:
                    row[name] = nan
                    missing.add(name)
        for name, value in row.items():
            if np.ndim(value):
                raise ValueError(f"the measurement {name!r} gave an array of shape {np.shape(value)}, not a number")
            if not isinstance(value, (int, float, np.number, np.bool_)):
                raise ValueError(f"the measurement {name!r} gave {value!r}, not a number")
            if not isfinite(value) and name not in missing:
                return "diverged", f"{name} was {value} at step {row['t']} of {run.name}"
        for name, value in row.items():
            seen[name].append(value)
        if plateau is not None:
            plateau[0].saw(row[plateau[1]])
        if target is not None and row["value"] <= target:
            return "target", f"the value {row['value']:.6g} reached the target {target:g} at step {row['t']}"
        if gradient is not None and (norm := np.linalg.norm(objective.gradient(run.theta))) <= gradient:
            return "gradient", f"the gradient's norm {norm:.3g} was at most {gradient:g} at step {row['t']}"
        if change is not None and step and (moved := abs(seen["value"][-1] - seen["value"][-2])) <= change:
            return "change", f"the value changed by {moved:.3g}, at most {change:g}, at step {row['t']}"
        if stop is not None and (why := stop(seen)):
            return "stop", why if isinstance(why, str) else f"stop() said so at step {row['t']}"

    def result(why):
        found = Record({name: np.array(values) for name, values in seen.items()})
        found.reason, found.stopped = why
        return found

    try:
        why = look()
        with counter(steps, progress, run.name) as tick:
            while why is None:
                if steps is not None and step == steps:
                    why = "steps", f"it took the {steps} steps it was given"
                elif seconds is not None and spent >= seconds:
                    why = "seconds", f"the {seconds:g} s it was given were over after {step} steps, {spent:.3g} s"
                else:
                    start = time.perf_counter()
                    try:
                        next(run)
                    except Diverged as error:
                        why = "diverged", str(error)
                    except StopIteration:
                        why = "finished", f"{run.name} had nothing left to do after {step} steps"
                    else:
                        spent, step = spent + time.perf_counter() - start, step + 1
                        tick()
                        if step % every == 0:
                            why = look()
        if why[0] != "diverged" and seen["step"][-1] != step:
            why = look() or why
    except KeyboardInterrupt as interruption:
        interruption.record = result(("interrupted", f"{run.name} was interrupted after {step} steps"))
        raise
    return result(why)


@contextmanager
def counter(steps, progress, name):
    """A function to call after each step: it moves a bar, if one is wanted."""
    if not progress:
        yield lambda: None
        return
    from tqdm.auto import tqdm  # in a notebook, its form for notebooks
    with tqdm(total=steps, desc=name, unit="step") as bar:
        yield bar.update


def checked_run(run, name):
    """Say what is driven, where it is no run."""
    if hasattr(run, "theta") and hasattr(run, "__next__"):
        return
    if inspect.isgenerator(run):
        raise TypeError(f"{name} was given what a loop without @optimizer gives: write @optimizer above "
                        f"def {run.__name__}(...)")
    if hasattr(run, "losses"):
        raise TypeError(f"{name} drives a run, and was given a problem: {name}(adam(problem, theta), ...)")
    if callable(run):
        raise TypeError(f"{name} drives a run, and was given {getattr(run, '__name__', run)} itself: "
                        f"{name}({getattr(run, '__name__', 'adam')}(problem, theta), ...)")
    raise TypeError(f"{name} drives a run, as adam(problem, theta) gives one, and was given {run!r}")


def checked_measurements(measure, plateau):
    """Are they functions, under names that are free, and is plateau a pair?"""
    if not isinstance(measure, dict):
        raise TypeError('measure is {name: function of theta}, as in measure={"loss": risk.whole.value}, and not '
                        f"{measure!r}")
    for name, f in measure.items():
        if name in ("step", "t", "seconds"):
            raise ValueError(f"record counts {name!r} itself; give the measurement another name")
        if not callable(f):
            raise TypeError(f"the measurement {name!r} must be a function of theta, and is {f!r}")
    if plateau is not None and not (isinstance(plateau, (tuple, list)) and len(plateau) == 2
                                    and hasattr(plateau[0], "saw")):
        raise TypeError("plateau is (schedule, name), as in lr = reduce_on_plateau(0.1) and plateau=(lr, \"loss\"), "
                        f"and not {plateau!r}")


class Unsaved:
    """A hyperparameter that a file cannot hold, a function for example: no method takes it, and says what it was."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"<a {self.kind}, which a file cannot hold: name it again>"


def state(run):
    """θ, hyperparameters and memory of a run: the keywords with which its method goes on."""
    usual, kept = run.method.__wrapped__.__kwdefaults__, {}
    for name, value in run.hyperparameters.items():
        try:
            packed(value, {}, name)
        except TypeError:
            if value is usual[name]:
                continue
            value = Unsaved(type(value).__name__)
        kept[name] = value
    return {"theta": run.theta, **kept, **run.memory}


def save(file, run=None, /, **values):
    """Write named values to a file, whole or not at all: arrays, numbers, texts, None; tuples, lists, dicts of them.

    A run is written as theta, its hyperparameters and its memory: adam(risk, **load(file)) goes on with it.
    The file is a NumPy archive without pickle: reading one that somebody hands you runs no code.  See checkpoint.py.
    """
    values = (state(run) if run is not None else {}) | values
    arrays = {}
    outline = json.dumps({name: packed(value, arrays, name) for name, value in values.items()})
    write(file, {"outline": np.array(outline), **arrays})


def load(file):
    """The dict of values that `save` wrote; ValueError where the file is damaged, cut short, or something else."""
    try:
        arrays = read(file)
        outline = json.loads(str(arrays.pop("outline")))
        return {name: unpacked(value, arrays) for name, value in outline.items()}
    except (MemoryError, OSError):  # which say nothing about what is in the file
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise ValueError(f"{file} is not a whole checkpoint written by numopt.record.save ({error}); "
                         f"go back to an earlier one, or start again") from error


def packed(value, arrays, name):
    """A value as JSON; arrays and NumPy scalars go to `arrays`, and a reference to them stays."""
    if isinstance(value, (np.ndarray, np.generic)):  # before float and str, of which some NumPy scalars are a kind
        if value.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects; only numbers and texts can be saved")
        key = f"array{len(arrays)}"
        arrays[key] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": key}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if type(value) in (tuple, list):  # and no named tuple, which could not be made again
        return {type(value).__name__: [packed(item, arrays, f"{name}[{i}]") for i, item in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": [[packed(key, arrays, name), packed(item, arrays, f"{name}[{key!r}]")]
                         for key, item in value.items()]}
    if isinstance(value, Unsaved):
        return {"unsaved": value.kind}
    raise TypeError(f"{name} is a {type(value).__name__}, which cannot be saved; "
                    f"it can be an array, a number, a text, None, or a tuple, list or dict of them")


def unpacked(value, arrays):
    """What `packed` was given.  Arrays come back read-only: what a method remembers is a value."""
    if not isinstance(value, dict):
        return value
    (kind, inner), = value.items()
    if kind == "float":
        return float.fromhex(inner)
    if kind == "array":
        arrays[inner].flags.writeable = False
        return arrays[inner]
    if kind == "unsaved":
        return Unsaved(inner)
    if kind == "scalar":
        return arrays[inner][()]
    if kind == "dict":
        return {unpacked(key, arrays): unpacked(item, arrays) for key, item in inner}
    return {"tuple": tuple, "list": list}[kind](unpacked(item, arrays) for item in inner)


def whole_number(value, name, least):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, and is {value!r}")
