"""The cards of lectures 2 to 5: defaults as in the signatures, and what a step asks and keeps, counted."""
import inspect
import re

import numpy as np
import pytest

import numopt.optimizers
from lectures import reading
from numopt.optimizer import memory_names
from numopt.problems import Counted, Lasso, Quadratic
from tests.lectures.test_claims_landscapes import cards

STEPS, SIZE = 40, 6
LECTURES = [lecture for lecture in (2, 3, 4, 5) if lecture in reading.pages()]
ROWS = [(lecture, method) for lecture in LECTURES for method in cards(lecture)]


def usual(text):
    """{"lr": 0.01, ...} of `lr=0.01, ...`; 1e-2 and 0.01 are the same."""
    return {name: float(number) for name, number in re.findall(r"(\w+)=([\w.+-]+)", text)}


@pytest.mark.parametrize("lecture, method", ROWS)
def test_the_usual_numbers_are_those_of_the_signature(lecture, method):
    loop = getattr(numopt.optimizers, method)
    defaults = {name: parameter.default for name, parameter in inspect.signature(loop).parameters.items()}
    said = usual(cards(lecture)[method]["usual numbers"])
    assert said == {name: defaults[name] for name in said}
    numbers = [name for name, value in defaults.items()
               if name not in memory_names(loop) and isinstance(value, float) and name not in ("t", "mu", "beta")]
    assert set(numbers) <= set(said) | {"mu", "weight_decay"}, "the card leaves out a default"


@pytest.mark.parametrize("lecture, method", ROWS)
def test_what_a_step_asks_and_what_is_kept_is_on_the_card(lecture, method):
    counted = Counted(Quadratic(np.diag(np.arange(1.0, SIZE + 1)) / 10))
    problem = Lasso(counted, 0.01) if method == "proximal_descent" else counted
    run = getattr(numopt.optimizers, method)(problem, np.ones(SIZE))
    for _ in range(STEPS):
        next(run)
    row = cards(lecture)[method]
    for name in ("values", "gradients", "products"):
        assert counted.counts[name] / STEPS == pytest.approx(float(row[name]), abs=0.05), name
    kept = sum(np.shape(value) == (SIZE,) for value in run.memory.values())
    assert kept == int(row["vectors"])


@pytest.mark.parametrize("lecture", LECTURES)
def test_every_method_of_the_lecture_has_its_card(lecture):
    assert sorted(cards(lecture)) == sorted(reading.methods()[lecture])
