"""What an optimizer is: a loop that yields one iterate per step, and nothing else.

    @optimizer
    def momentum(problem, theta, *, lr=0.01, mu=0.9, t=0, v=0.0):
        for t, loss in problem.losses(after=t):
            v = mu * v - lr * loss.gradient(theta)
            theta = theta + v
            yield theta

Keyword arguments before `t` are hyperparameters.  `t`, the number of mini-batches used so far, and
everything after it is the memory of the method; the defaults say what it remembers at the start.
Whoever iterates decides when to stop, what to measure and what to save.
"""
import functools
import inspect
import traceback
from contextlib import suppress
from contextvars import copy_context

import numpy as np

from numopt.answers import LookedAt
from numopt.finite import Overflow, all_finite, is_finite, is_like, numerical, silent
from numopt.signature import (
    SCHEDULES, checked_arguments, checked_loop, checked_memory, checked_precision, defaults, described, memory_names,
    ranges_of, said, short)


MET = {"f": "loss", "g": "gradient", "g_hat": "gradient"}  # what a step begins with, by its letter in the loops


class Diverged(ArithmeticError):
    """An iterate, what the method remembers or what it was told of f is not finite; t says at which mini-batch."""

    def __init__(self, message, t):
        super().__init__(message, t)
        self.t = t

    def __str__(self):
        return self.args[0]


class NotYet(KeyError):
    """A variable of the loop was asked for that it has only after a first step."""

    def __str__(self):
        return self.args[0]


def optimizer(loop=None, /, **ranges):
    """Make an optimizer of a loop: calling it gives a Run.

    @optimizer(beta3=DECAY) also says what a hyperparameter may be whose name numopt.signature does not know.
    """
    if loop is None:
        return functools.partial(optimizer, **ranges)

    @functools.wraps(checked_loop(loop))
    def start(problem, theta, **arguments):
        return Run(start, problem, theta, arguments)

    start.twin = None  # a function of θ that gives the same loop with a compiled update: see optimizers/compiled.py
    start.memory, start.ranges = memory_names(loop), ranges_of(loop, ranges)
    start.__doc__ = f"{(loop.__doc__ or loop.__name__).rstrip()}\n\n    {described(start)}\n    "
    return start


class Run:
    """An optimizer at work.  Iterate over it to get θ₁, θ₂, ...

    run.theta             the last iterate
    run.memory            what the method remembers: passed back as keyword arguments, it goes on from here
    run.hyperparameters   the others
    run["v"]              any variable of the loop, under the name it has in the source; a schedule is what it gives

    A step that is broken off, by Ctrl-C or by an error, leaves all of them as they were after the last whole
    step, and the next step starts from there.  An iterate with an infinite or undefined coordinate is never
    handed out: it raises Diverged, as does a memory in which a square has overflowed, for it would stand still, and a
    loss or a gradient that is not finite: infinity has a sign, and a step by signs would go on.
    """

    def __init__(self, method, problem, theta, arguments):
        self.method, self.problem, self.name = method, problem, method.__name__
        arguments = checked_arguments(method, arguments, problem)
        self.theta = starting_point(problem, theta, self.name)
        checked_precision(self.name, arguments, self.theta.dtype)
        self._given = [name for name in method.memory if isinstance(arguments.get(name), (np.ndarray, tuple, list))]
        initial = defaults(method)
        for name in arguments.keys() & set(method.memory):
            arguments[name] = checked_memory(f"{self.name}: {name}", arguments[name], initial[name], self.theta)
        loop = method.twin and method.twin(self.theta) or method.__wrapped__
        self._loop = functools.partial(loop, LookedAt(problem), **initial | arguments)
        self._generator = self._loop(self.theta)
        self._variables = inspect.getgeneratorlocals(self._generator).copy()
        self._begun, self._overflow = False, Overflow()
        self._shape, self._remembered = self.theta.shape, [name for name in method.memory if name != "t"]
        self._met = [name for name in MET if name in loop.__code__.co_varnames]
        self._outside = self._inside = None

    def __iter__(self):
        return self

    def __next__(self):
        try:
            if not is_like(outside := copy_context(), self._outside):
                self._outside, self._inside = outside, silent(outside, self._overflow)
            theta = self._inside(next, self._generator)
            if type(theta) is not np.ndarray or theta.shape != self._shape or theta.dtype.kind != "f":
                raise TypeError(f"{self.name} yielded {said(theta)}; it has to `yield theta`, a vector of "
                                f"{self.theta.size} numbers as it was given")
        except StopIteration:
            raise
        except BaseException as error:
            self._generator = self._loop(self.theta, **self.memory)
            if numerical(error):
                t = self._step_of(error)
                raise self._diverged(t, f"{'at' if t > self['t'] else 'after'} step {t}: {error}", error) from error
            if isinstance(error, (TypeError, ValueError)) and (likely := self._likely_mistake(error)):
                raise (TypeError if isinstance(error, TypeError) else ValueError)(likely) from error
            raise
        variables = self._generator.gi_frame.f_locals.copy()
        if not is_finite(theta):
            raise self._diverged(variables["t"], f"at step {variables['t']}: try a smaller learning rate, more damping "
                                 "or clipped gradients (the last finite iterate is in run.theta)")
        for name in self._met:
            if not is_finite(variables.get(name)):
                self._break_off(variables["t"], f"the {MET[name]} was infinite or undefined")
        if self._overflow.seen:  # or it is the first step
            self._compare_with_what_was_given(variables)
            self._look_for_overflow(variables)
            self._begun, self._overflow.seen = True, False
        for name in self._remembered:
            if type(value := variables[name]) is np.ndarray:  # as `frozen` does, in a third of the time
                value.setflags(False)
            elif isinstance(value, (float, np.floating)):
                if value != value:
                    self._break_off(variables["t"], f"{name}, which it remembers, is not a number")
            else:
                frozen(value)
        theta.setflags(False)
        self.theta, self._variables = theta, variables
        return theta

    def _look_for_overflow(self, variables):
        """After an overflow, and at the first step: is all that the method remembers finite?"""
        for name in self.method.memory:
            if not all_finite(variables[name]):
                precision = "single" if self.theta.dtype == np.float32 else "double"
                self._break_off(variables["t"], f"{name}, which it remembers, is infinite or undefined in {precision} "
                                "precision; multiply f by a small number or clip its gradients")

    def _break_off(self, t, why):
        self._generator = self._loop(self.theta, **self.memory)
        raise self._diverged(t, f"at step {t}: {why} (the last iterate is in run.theta)")

    def _step_of(self, error):
        """The step in which the loop was when the error came."""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code is self._loop.func.__code__:
                return frame.f_locals["t"]
        return self["t"]

    def _diverged(self, t, what, error=None):
        """The error: in the first step of a run it may be f that is not finite."""
        if not self._begun:
            with suppress(Exception), np.errstate(all="ignore"):
                _, loss = next(iter(self.problem.losses(after=self["t"])))
                f, g = loss.value(self.theta), np.asarray(loss.gradient(self.theta))
                if not np.isfinite(f) or not np.isfinite(g).all():
                    first = "" if np.isfinite(g).all() else (
                        f", its derivative by theta[{(i := int(np.flatnonzero(~np.isfinite(g))[0]))}] {g[i]}")
                    said = f"{error}; where it starts" if error else "where it starts"
                    what = f"at step {self['t'] + 1}: {said} f is {f:.6g}{first}; start where both are finite"
        return Diverged(f"{self.name} became non-finite {what}", t)

    def __getitem__(self, name):
        if name not in self._variables:
            is_there_later = name in self._loop.func.__code__.co_varnames
            raise (NotYet if is_there_later else KeyError)(
                f"the loop of {self.name} has no variable {name!r}{' yet' * is_there_later}; it has "
                f"{', '.join(sorted(self._variables))}")
        value = self._variables[name]
        if name in SCHEDULES and callable(value):
            return value(max(self._variables["t"], 1))
        return value.function(*value.arguments) if isinstance(value, Later) else value

    @property
    def memory(self):
        return {name: self[name] for name in self.method.memory}

    @property
    def hyperparameters(self):
        given = self._loop.keywords
        return {name: given[name] for name in defaults(self.method) if name not in self.method.memory}

    def __repr__(self):
        t, given = self["t"], self.hyperparameters
        said = ", ".join(f"{name}={getattr(value, '__name__', None) or short(value)}" for name, value in given.items())
        return f"<{self.name}({said}) after {t} mini-batch{'es' * (t != 1)} of {self.problem!r}>"

    def _ipython_key_completions_(self):
        return list(self._variables)

    def __reduce__(self):
        """What is needed to go on: a loop cannot be copied, but what it remembers can."""
        return resumed, (self.method, self.problem, self.theta, self.hyperparameters | self.memory)

    def _likely_mistake(self, error):
        """What the author of a loop may have meant, in an error that says something else."""
        text, (*_, (innermost, _)) = str(error), traceback.walk_tb(error.__traceback__)
        names = innermost.f_locals
        if "read-only" in text:
            return (f"{innermost.f_code.co_name} writes into an array, after step {self['t']} of {self.name} ({text}): "
                    f"iterates and what is remembered are values, which others hold, too; theta = theta - ... and "
                    f"v = mu * v + ... make new ones, theta -= ..., v += ... and v[:] = ... do not")
        if innermost.f_code is self._loop.func.__code__ and "'function'" in text:
            for name in sorted(name for name in SCHEDULES & names.keys() if callable(names[name])):
                return (f"{self.name} calculates with {name}, which is a schedule, a function of t: begin with "
                        f"`{name} = schedule({name})`, and write {name}(t) ({text})")
        if innermost.f_code is self._loop.func.__code__ and "not callable" in text:
            for name in sorted(name for name in SCHEDULES & names.keys() if not callable(names[name])):
                return f"{self.name} asks {name} for its value at t: begin with `{name} = schedule({name})` ({text})"
        if self._given and any(word in text for word in ("shape", "broadcast", "dimension", "unpack")):
            given = ", ".join(f"{name}: {said(self._loop.keywords[name])}" for name in self._given)
            return f"{text}.  Is the memory that {self.name} was given, {given}, that of another problem or method?"
        return None

    def _compare_with_what_was_given(self, variables):
        """Once, after the first step: an array that a step makes larger had the wrong shape."""
        for name in self._given:
            before, after = self._loop.keywords[name], variables[name]
            if isinstance(before, np.ndarray) and isinstance(after, np.ndarray) and before.shape != after.shape:
                raise ValueError(f"{self.name} was given {name}: {said(before)}, and remembers {said(after)}; leave it "
                                 f"out, or give it what another run had in run.memory")
        self._given = []


def resumed(method, problem, theta, arguments):
    return method(problem, theta, **arguments)


class Later:
    """A variable of a compiled loop that is computed only if somebody asks the run for it."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


def frozen(value):
    """An iterate, and what is remembered, is a value: writing into one that was handed out is an error."""
    if isinstance(value, np.ndarray):
        value.setflags(False)  # write: as a keyword it takes four times as long
    elif isinstance(value, (tuple, list)):
        for item in value:
            frozen(item)
    return value


def starting_point(problem, theta, name):
    """A frozen copy of theta, in single precision if it came so, otherwise in double."""
    if not hasattr(problem, "losses"):
        raise TypeError(f"{name} needs a problem to minimise and was given {problem!r}; "
                        f"wrap a function of your own as numopt.problems.Function(fun)")
    if isinstance(theta, np.ma.MaskedArray):
        raise ValueError(f"{name}: theta is a masked array, whose mask would not be seen: give the numbers themselves, "
                         "as in theta.filled(0)")
    theta = np.asarray(theta)
    if theta.dtype.kind not in "fiub":
        raise ValueError(f"{name}: theta must be real numbers; it was given as {theta.dtype}")
    if theta.ndim != 1 or theta.size == 0:
        raise ValueError(f"{name}: theta must be a vector, one number a parameter; it has shape {theta.shape}")
    if problem.size is not None and theta.size != problem.size:
        raise ValueError(f"{name}: theta has {theta.size} numbers; {type(problem).__name__} takes {problem.size}")
    if not np.isfinite(theta).all():
        first = int(np.flatnonzero(~np.isfinite(theta))[0])
        raise ValueError(f"{name}: theta[{first}] is {theta[first]}; start from finite numbers")
    return frozen(theta.astype(np.float32 if theta.dtype.kind == "f" and theta.dtype.itemsize <= 4 else float))
