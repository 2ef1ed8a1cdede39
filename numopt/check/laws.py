"""The laws that every optimizer keeps, and which of them a loop of your own breaks.

    print(numopt.check.optimizer(yogi))             a line for each law: does it hold, what was seen, what is likely
    numopt.check.optimizer(yogi, Rosenbrock())      on a problem of your choice

Without a problem it is the loss of a small network, on mini-batches or, for methods that need one loss for all steps,
on all the data; or a convex one, or least squares: the first on which the method learns, with the first of a few rates.
"""
import ast
import copy
import inspect
import textwrap
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from numopt.networks.losses import SquaredError
from numopt.networks.models import logistic, mlp
from numopt.problems.minibatch import MiniBatch
from numopt.problems.risk import EmpiricalRisk
from numopt.problems.wrappers import Ridge
from numopt.record import load, path, save

RATES = {}, {"lr": 0.01}, {"lr": 0.1}, {"lr": 0.3}, {"lr": 1.0}
STEPS = 30


class Finding(NamedTuple):
    """Whether a law holds (None where it says nothing about this loop), what was seen, and the likely mistake."""

    law: str
    holds: bool | None
    seen: str
    likely: str = ""

    def __str__(self):
        verdict = {True: "holds", False: "BROKEN", None: "-"}[self.holds]
        advice = f"\n        {self.likely}" if self.likely and self.holds is False else ""
        return f"{verdict:<8}{self.law}: {self.seen}{advice}"


class Report(list):
    """The findings, one a law.  `holds` where no law is broken."""

    def __init__(self, name, findings):
        super().__init__(findings)
        self.name = name

    @property
    def holds(self):
        return all(finding.holds is not False for finding in self)

    def __str__(self):
        broken = sum(finding.holds is False for finding in self)
        verdict = f"{broken} laws broken" if broken > 1 else "1 law broken" if broken else "all laws hold"
        return "\n".join([f"{self.name}: {verdict}", *map(str, self)])

    __repr__ = __str__


@cache
def problems(dtype=np.float64):
    """{what it is: (problem, where to start)}, from the hardest to the easiest to learn on."""
    random, network = np.random.default_rng(0), mlp([5, 4, 3])
    X = random.standard_normal((60, 5))
    labels = (X @ random.standard_normal((5, 3))).argmax(axis=1)
    wide = np.tanh(np.concatenate([X, X**2, X[:, :2] + 1], axis=1)).astype(dtype)
    X = X.astype(dtype)
    convex = Ridge(EmpiricalRisk(logistic(12, 3), wide, labels), strength=0.1)
    squares = MiniBatch(mlp([5, 4, 3], loss=SquaredError()), X, np.eye(3, dtype=dtype)[labels]).least_squares()
    start = network.initial(seed=2, dtype=dtype)
    return {"mini-batches of a small network": (EmpiricalRisk(network, X, labels, batch_size=20, seed=3), start),
            "a small network on all its data": (EmpiricalRisk(network, X, labels), start),
            "logistic regression with a ridge": (convex, start), "a least-squares fit": (squares, start)}


def optimizer(loop_or_name, problem=None, theta=None):
    """A report on the laws of an optimizer: a loop under @optimizer, one with functools.partial, or a name of numopt's.

    theta is where to start on the problem; without it, where the problem says, or at random numbers.
    """
    method = loop_or_name
    if isinstance(method, str):
        method = getattr(import_module("numopt.optimizers"), method)
    start = method.func if isinstance(method, partial) else method
    name = getattr(start, "__name__", repr(start))
    if not hasattr(start, "memory"):
        return Report(name, [Finding("it is an optimizer", False, f"{name} is a {type(start).__name__}",
                                     f"write @optimizer above def {name}(problem, theta, *, ..., t=0, ...)")])
    given = {"the given problem": (problem, starting_point(problem, theta))} if problem is not None else None
    learned, case = learns(method, start, given)
    if case is None:
        return Report(name, [learned])
    findings = [learned]
    for law in LAWS:
        try:
            findings.append(law(case))
        except Exception as error:
            findings.append(Finding(law.__doc__, False, f"{type(error).__name__}: {error}"))
    return Report(name, findings)


def starting_point(problem, theta):
    """θ as given, or where the problem says, or random numbers."""
    if theta is None and hasattr(problem, "network"):
        theta = problem.network.initial(seed=0)
    theta = getattr(problem, "start", None) if theta is None else theta
    if theta is None and problem.size is None:
        raise ValueError(f"{type(problem).__name__} takes any number of parameters: say where to start, with theta=")
    return np.random.default_rng(0).standard_normal(problem.size) if theta is None else np.asarray(theta, float)


class Case(NamedTuple):
    """A method with the settings it learned with, on the problem on which it did."""

    method: partial
    start: object  # the optimizer itself, without settings
    what: str
    problem: object
    theta: np.ndarray
    given: bool

    def path(self, steps, **settings):
        return path(self.method(self.problem, self.theta, **settings), steps)


def learns(method, start, given):
    """The finding about learning, and the case for the other laws; None if the method cannot even be run."""
    law, tried, case = "it learns", [], None
    for what, (problem, theta) in (given or problems()).items():
        whole = getattr(problem, "whole", problem)
        before = whole.value(theta)
        enough = before - 1e-8 * (1 + abs(before)) if given else before - 0.1
        for rate in RATES:
            if rate and ("lr" not in start.__wrapped__.__kwdefaults__ or "lr" in getattr(method, "keywords", ())):
                continue
            candidate = Case(partial(method, **rate), start, what, problem, theta, bool(given))
            said = ", ".join([what, *(f"{name} = {value:g}" for name, value in rate.items())])
            try:
                after = whole.value(candidate.path(STEPS)[-1])
            except Exception as error:
                tried.append((f"{type(error).__name__}: {error} ({said})", error))
                continue
            case = case or candidate
            seen = f"the loss went from {before:.3g} to {after:.3g} in {STEPS} steps: {said}"
            if after < enough:
                return Finding(law, True, seen), candidate
            tried.append((seen, None))
    usual = NotImplementedError, ArithmeticError
    for seen, error in tried:
        if error is not None and not isinstance(error, usual):
            return Finding(law, False, seen), case
    return Finding(law, False, tried[0][0], "does it climb?  theta has to go against the gradient; or the steps "
                                            "are much too short, or too long"), case


def same_twice(case):
    """the same run twice is the same"""
    one, other = case.path(10), case.path(10)
    return Finding(same_twice.__doc__, np.array_equal(one, other), first_difference(one, other),
                   "random numbers must be a function of seed= and t: np.random.default_rng([seed, t])")


def forgets_other_runs(case):
    """it remembers nothing from another run"""
    first = case.path(4)
    path(case.method(case.problem, case.theta + 1), 4)
    again = case.path(4)
    return Finding(forgets_other_runs.__doc__, np.array_equal(first, again), first_difference(first, again),
                   "a default like pairs=[] is one list for all runs, and a global variable is one for all: "
                   "use pairs=(), and (*pairs, new)")


def goes_on(case):
    """interrupted, saved and continued it is the same run, to the last bit"""
    whole = case.path(9)
    with TemporaryDirectory() as folder:
        for steps in 1, 2, 7:
            run = case.method(case.problem, case.theta)
            path(run, steps)
            save(Path(folder) / "run.npz", theta=run.theta, **run.memory)
            saved = load(Path(folder) / "run.npz")
            rest = path(case.method(case.problem, saved.pop("theta"), **saved), 9 - steps)
            if not np.array_equal(rest, whole[steps:]):
                seen = f"interrupted after {steps} steps, {first_difference(rest, whole[steps:])}"
                return Finding(goes_on.__doc__, False, seen, "what one step leaves for the next must stand behind t in "
                               "the signature, and t must be used: for t, loss in problem.losses(after=t)")
    return Finding(goes_on.__doc__, True, "after 1, 2 and 7 of 9 steps")


def keeps_memory(case):
    """what it remembered is not written over"""
    run = case.method(case.problem, case.theta)
    for _ in range(3):
        next(run)
        before, copied = run.memory, copy.deepcopy(run.memory)
        next(run)
        for name in before:
            if not same(before[name], copied[name]):
                return Finding(keeps_memory.__doc__, False, f"the next step changed {name}",
                               f"make a new one: {name} = {name} + ..., not {name} += ... or {name}[...] = ...")
    return Finding(keeps_memory.__doc__, True, ", ".join(run.memory))


def keeps_precision(case):
    """it keeps the precision it was given"""
    seen = {}
    for dtype in np.float32, np.float64:
        problem, theta = (case.problem, case.theta.astype(dtype)) if case.given else problems(dtype)[case.what]
        run = case.method(problem, theta)
        name = np.dtype(dtype).name
        seen["the iterates"] = path(run, 3).dtype.name
        seen |= {key: array.dtype.name for key, value in run.memory.items() for array in arrays(value)
                 if array.dtype.kind == "f"}
        for what, found in seen.items():
            if found != name:
                return Finding(keeps_precision.__doc__, False, f"from {name}, {what} became {found}",
                               "np.sqrt(2), np.eye(n) and np.zeros(n) are double: math.sqrt(2), dtype=theta.dtype and "
                               "np.zeros_like(theta) are not; and does the problem's gradient keep it?")
    return Finding(keeps_precision.__doc__, True, "float32 and float64")


def obeys_schedule(case):
    """a schedule is asked at every step and obeyed"""
    defaults = case.start.__wrapped__.__kwdefaults__
    if "lr" not in defaults or "lr" in case.start.memory:
        return Finding(obeys_schedule.__doc__, None, "it has no lr= that could be one")
    asked = []
    likely = "begin with lr = schedule(lr), and write lr(t) in the loop"
    case.path(5, lr=lambda t: asked.append(t) or 0.01)
    if sorted(set(asked)) != [1, 2, 3, 4, 5]:
        return Finding(obeys_schedule.__doc__, False, f"in 5 steps it was asked at t = {sorted(set(asked))}", likely)
    dropped, kept = case.path(5, lr=lambda t: 0.01 if t < 3 else 0.001), case.path(5, lr=0.01)
    obeyed = np.array_equal(dropped[:3], kept[:3]) and not np.array_equal(dropped[3], kept[3])
    return Finding(obeys_schedule.__doc__, obeyed, "a rate that drops at t = 3 changes step 3"
                   if obeyed else "a rate that drops at t = 3 does not change step 3 first", likely)


def remembers_what_changes(case):
    """its memory is what the loop rebinds"""
    function = source_tree(case.start)
    if function is None:
        return Finding(remembers_what_changes.__doc__, None, "its source cannot be read")
    loops = [node for node in function.body if isinstance(node, (ast.For, ast.While))]
    rebound = {node.id for loop in loops for node in ast.walk(loop)
               if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    hyperparameters = case.start.__wrapped__.__kwdefaults__.keys() - set(case.start.memory)
    if wrong := sorted(rebound & hyperparameters):
        return Finding(remembers_what_changes.__doc__, False,
                       f"the loop rebinds {', '.join(wrong)}, which stands before t",
                       "what changes from step to step stands behind t")
    if wrong := [name for name in case.start.memory if name not in rebound]:
        return Finding(remembers_what_changes.__doc__, False, f"the loop never rebinds {', '.join(wrong)}",
                       "what stays as it is stands before t")
    return Finding(remembers_what_changes.__doc__, True, ", ".join(case.start.memory))


def writes_nowhere(case):
    """the loop writes into no array"""
    function, values = source_tree(case.start), {"theta", *case.start.memory}
    if function is None:
        return Finding(writes_nowhere.__doc__, None, "its source cannot be read")
    for node in ast.walk(function):
        in_place = isinstance(node, ast.AugAssign)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target] if in_place else []:
            if isinstance(target, ast.Subscript) or in_place and getattr(target, "id", None) in values:
                return Finding(writes_nowhere.__doc__, False, ast.unparse(node),
                               "others may hold that array: make a new one, x = x + ..., or np.where(...)")
    return Finding(writes_nowhere.__doc__, True, "no -=, no v[...] =")


LAWS = (same_twice, forgets_other_runs, goes_on, keeps_memory, keeps_precision, obeys_schedule, remembers_what_changes,
        writes_nowhere)


def source_tree(start):
    """The loop's definition as a tree; None where its source is not to be had."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(start.__wrapped__))).body[0]
    except (OSError, SyntaxError):
        return None


def first_difference(one, other):
    """Where two paths differ first, in words."""
    if one.shape != other.shape:
        return f"the paths have {len(one) - 1} and {len(other) - 1} steps"
    different = np.flatnonzero((one != other).any(axis=1))
    return f"the paths differ from step {different[0]} on" if different.size else f"{len(one) - 1} steps"


def arrays(value):
    """All arrays in what is remembered, however deep."""
    if isinstance(value, np.ndarray):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ():
        yield from arrays(inner)


def same(a, b):
    """Are two memories the same, number for number?"""
    try:
        np.testing.assert_equal(a, b)
    except AssertionError:
        return False
    return True
