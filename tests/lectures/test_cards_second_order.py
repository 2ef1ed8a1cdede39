"""The cards of lectures 6 to 13: every method has its row, and its numbers are those of the signature."""
import inspect
import re

import numpy as np
import pytest

import numopt.linalg
import numopt.optimizers
from lectures import reading
from numopt.networks import mlp
from numopt.optimizer import memory_names
from numopt.problems import Counted, EmpiricalRisk

LECTURES = [lecture for lecture in range(6, 14) if lecture in reading.pages()]
# Numbers that are no part of the method as it is published, or none at all.
UNSAID = {"nltgcr": {"damping"}, "nltgcr_adaptive": {"lr", "window", "safeguard", "damping"}}


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
                   and not isinstance(value, bool) and key not in ("seed", *memory_names(loop))}
        assert numbers <= set(said) | UNSAID.get(name, set()), "the card leaves out a default"


@pytest.mark.parametrize("lecture, name", [(lecture, name) for lecture in (10, 11, 13) if lecture in LECTURES
                                           for name in rows(lecture)])
def test_a_step_asks_for_as_many_gradients_as_the_card_says(lecture, name):
    rng, network = np.random.default_rng(0), mlp([3, 4, 3])
    counted = Counted(EmpiricalRisk(network, rng.standard_normal((40, 3)), rng.integers(3, size=40), batch_size=10))
    run, asked = getattr(numopt.optimizers, name)(counted, network.initial(seed=0)), []
    for _ in range(21):
        before = counted.counts["gradients"]
        next(run)
        asked.append(counted.counts["gradients"] - before)
    said = re.search(r"(\d|\$k\$ times what the inner|what the inner) (?:one costs|gradient)", rows(lecture)[name])[1]
    assert np.median(asked) == {"what the inner": 1, "$k$ times what the inner": 5}.get(said) or int(said)
