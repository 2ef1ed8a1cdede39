"""The cards of lectures 6, 7, 8 and 12: every method has its row, and its numbers are those of the signature."""
import inspect
import re

import pytest

import numopt.linalg
import numopt.optimizers
from lectures import reading
from numopt.optimizer import memory_names

LECTURES = [lecture for lecture in (6, 7, 8, 12) if lecture in reading.pages()]
# Numbers that are no part of the method as it is published, or none at all.
UNSAID = {"nltgcr": {"damping"}, "nltgcr_adaptive": {"lr", "window", "safeguard", "damping"}, "nltgcr_fisher": {"seed"}}


def rows(lecture):
    """{method: what its row says}."""
    text = reading.pages()[lecture].read_text(encoding="utf-8")
    card = text.split("\n## The card\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*)\|$", card, re.MULTILINE))


@pytest.mark.parametrize("lecture", LECTURES)
def test_every_method_of_the_lecture_has_a_row(lecture):
    assert set(reading.methods()[lecture]) <= set(rows(lecture))


@pytest.mark.parametrize("lecture, name", [(lecture, name) for lecture in LECTURES for name in rows(lecture)])
def test_the_usual_numbers_are_those_of_the_signature(lecture, name):
    loop = getattr(numopt.optimizers, name) if name in numopt.optimizers.__all__ else getattr(numopt.linalg, name)
    defaults = {key: parameter.default for key, parameter in inspect.signature(loop).parameters.items()}
    said = {key: float(number) for key, number in re.findall(r"`(\w+)=([\d.e+-]+)`", rows(lecture)[name])}
    assert said == {key: defaults[key] for key in said}
    if name in numopt.optimizers.__all__:
        numbers = {key for key, value in defaults.items() if isinstance(value, (int, float))
                   and not isinstance(value, bool) and key not in memory_names(loop)}
        assert numbers <= set(said) | UNSAID.get(name, set()), "the card leaves out a default"
