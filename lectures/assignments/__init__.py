"""The assignments: assignmentNN.py says what is taken out of the sources, and what has to hold of what comes back.

An assignment is a module with a docstring, whose first line is its title, and

    BLANKS    {module: [names]}: what the student writes, what others stand on first
    ALSO      {module: [names]}: what would show the answer, and goes as well; methods that have come since, and share a
              line with it, go by themselves
    KNOWN     lines of answers that stand elsewhere too, as an earlier lecture has taught them
    WRONG     {name: text}: a wrong version that stands in the place of a blank, to be diagnosed and mended
    FAULTS    {name: Fault}: what is wrong with it
    CLAIMS    [Claim]: sentences, each with its points and a job whose result must be that of the lecture

A claim draws its job from a random generator, so that nobody can know the numbers beforehand; `shown` claims are the
tests that the student gets, with numbers of their own.
"""
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from lectures.coursework.holding import agrees, kept
from lectures.coursework.jobs import plain
from lectures.coursework.newcomers import with_newcomers

HERE = Path(__file__).parent


class Claim(NamedTuple):
    """A sentence, the blank that it is about, and the job that shows whether it holds."""
    about: str
    sentence: str
    job: Callable
    points: int = 1
    shown: bool = True
    holds: Callable = agrees


class Fault(NamedTuple):
    """What is wrong with a version: the lines one of which is to be named, and what to choose from."""
    lines: tuple
    what: str
    others: tuple

    def choices(self):
        """{letter: what may be wrong}."""
        return dict(zip("abcdefgh", sorted([self.what, *self.others])))

    def letter(self):
        return next(letter for letter, what in self.choices().items() if what == self.what)


class Question(NamedTuple):
    """What is asked about a wrong version, as a part of a report."""
    about: str
    part: str
    sentence: str
    points: int = 1
    shown: bool = False


class Assignment(NamedTuple):
    name: str
    title: str
    blanks: dict
    also: dict
    wrong: dict
    known: list
    claims: list
    lecture: int
    faults: dict = {}

    @property
    def points(self):
        return sum(part.points for part in self.parts())

    def parts(self):
        """Everything that is worth points: claims, and questions about what is wrong."""
        return [*self.claims, *self.questions()]

    def questions(self):
        return [Question(name, part, sentence.format(name)) for name in self.faults for part, sentence in (
            ("line", "The line of {} that was wrong is named."), ("what", "What was wrong with {} is said."))]

    def modules(self):
        """{name of a blank: its module}."""
        return {name: module for module, names in self.blanks.items() for name in names}


def names():
    """Every assignment there is: "01", "04", "04b"."""
    return sorted(file.stem.removeprefix("assignment") for file in HERE.glob("assignment*.py"))


def load(name):
    """The assignment of that name."""
    if name not in names():
        raise ValueError(f"there is no assignment {name!r}; there is {', '.join(names())}")
    module = import_module(f"lectures.assignments.assignment{name}")
    title = module.__doc__.strip().splitlines()[0].split("   ")[0].strip()
    return Assignment(name, title, module.BLANKS, also(module), getattr(module, "WRONG", {}), known(module),
                      list(module.CLAIMS), int(name[:2]), getattr(module, "FAULTS", {}))


@cache
def also(module):
    """What goes besides the blanks: what ALSO says, and the methods that have come since and show an answer."""
    named = getattr(module, "ALSO", {})
    taken = {place: [*module.BLANKS.get(place, []), *named.get(place, [])] for place in {**named, **module.BLANKS}}
    more = with_newcomers(taken, known(module))
    return {place: rest for place, names in more.items()
            if (rest := [name for name in names if name not in module.BLANKS.get(place, [])])}


def known(module):
    return getattr(module, "KNOWN", [])


def example(assignment, claim, seed):
    """Random numbers for the example of a claim: the numbers that a release with this seed shows."""
    return np.random.default_rng([seed, 11, assignment.claims.index(claim)])


# ------------------------------------------------------------------------------------- what claims are made of

def run(method, on, theta, steps, stops=0, **hyperparameters):
    """The job of a run."""
    return {"do": "run", "method": method, "on": {name: plain(part) for name, part in on.items()},
            "theta": plain(theta), "steps": steps, "stops": stops, "with": hyperparameters}


def call(function, *arguments, **keywords):
    """The job of a call."""
    return {"do": "call", "function": function, "arguments": [plain(argument) for argument in arguments],
            "keywords": {name: plain(part) for name, part in keywords.items()}}


def layer(*kind, **parts):
    """The job of a layer's passes."""
    return {"do": "layer", "layer": list(kind), **{name: plain(part) for name, part in parts.items()}}


def positive(random, n, kappa=30.0):
    """A symmetric positive definite matrix of that condition, turned at random."""
    Q, _ = np.linalg.qr(random.standard_normal((n, n)))
    return (Q * np.geomspace(1, kappa, n)) @ Q.T


def bowl(random, n=4, kappa=30.0):
    """A quadratic, as a part of a job."""
    A = positive(random, n, kappa)
    return {"kind": "Quadratic", "A": (A + A.T) / 2, "b": random.standard_normal(n)}


def fit(random):
    """Two numbers of an exponential, from points with noise: a problem of least squares."""
    x = np.linspace(0, 2, 9)
    y = random.uniform(1, 3) * np.exp(random.uniform(-1, 0.5) * x) + 0.05 * random.standard_normal(9)
    return {"kind": "fit", "x": x, "y": y}


def slopes(random, n=4, steps=12):
    """Gradients that have nothing to do with θ, of every size."""
    return {"kind": "slopes", "g": random.standard_normal((steps, n)) * 10.0**random.integers(-2, 2, (1, n))}


def net(random, sizes=(5, 4, 3), n=12, **how):
    """A small network with data, as a part of a job."""
    return {"sizes": list(sizes), "X": random.standard_normal((n, sizes[0])),
            "Y": random.integers(0, sizes[-1], n), "seed": int(random.integers(1000)), **how}


def between(random, low, high):
    """A number drawn evenly in its logarithm."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def falling(random):
    """A rate that falls at every step."""
    return {"made": "numopt.schedules.exponential", "of": {"a": between(random, 1e-3, 1e-2), "decay": 0.8}}


def laws(method, draw, on=None, steps=15, points=1, schedule=True):
    """The claims that every method has: its path is the lecture's, where and however it is run; and it has manners.

    draw(random) gives its hyperparameters; of a rate that may be a `schedule`, it is one in the last claim.
    """
    on = on or bowl

    def start(random, problem):
        size = np.shape(problem.get("g", problem.get("A")))[-1] if problem["kind"] in ("slopes", "Quadratic") else 2
        return random.standard_normal(size)

    def job(make, **how):
        def drawn(random):
            problem = make(random)
            theta = start(random, problem).astype(how.get("dtype", float))
            rate = {"lr": falling(random)} if how.get("falls") else {}
            return run(method, problem, theta, how.get("steps", steps), how.get("stops", 0), **draw(random) | rate)
        return drawn

    return [
        Claim(method, f"The first two steps of {method} are those of the lecture.", job(on, steps=2), points),
        Claim(method, f"So is the path of {method}, whatever the hyperparameters.", job(on), points),
        Claim(method, f"{method} stopped and begun again from its memory goes on as if nothing had happened.",
              job(on, stops=5), points),
        Claim(method, f"{method} leaves its input alone, and single precision single.", job(on, dtype="float32"),
              points, holds=kept),
        Claim(method, f"{method} does the same after many steps.", job(on, steps=4 * steps), points, shown=False),
        *([Claim(method, f"{method} asks for its rate at every step.", job(on, falls=True), points, shown=False)]
          if schedule else []),
    ]
