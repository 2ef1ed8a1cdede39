"""A method that no assignment knows of is taken out with the answers that its loop would show, and no other is."""
import pytest

import numopt.optimizers
from lectures import assignments
from lectures.coursework import newcomers

METHODS = {name: getattr(numopt.optimizers, name).__module__ for name in numopt.optimizers.__all__}


@pytest.mark.parametrize("left_out", ["amsgrad", "radam", "schedule_free_adamw"])
def test_a_method_that_shares_lines_with_an_answer_is_found_though_nobody_names_it(left_out):
    assignment = assignments.load("04")
    taken = {module: [name for name in (*assignment.blanks.get(module, []), *assignment.also.get(module, []))
                      if name != left_out] for module in {**assignment.also, **assignment.blanks}}
    more = newcomers.with_newcomers(taken, assignment.known)
    assert left_out in more[METHODS[left_out]]
    assert {name for names in more.values() for name in names} == {left_out} | {
        name for names in taken.values() for name in names}


@pytest.mark.parametrize("name", assignments.names())
def test_a_blank_is_never_among_what_goes_besides(name):
    assignment = assignments.load(name)
    for module, names in assignment.also.items():
        assert names and set(names).isdisjoint(assignment.blanks.get(module, []))


def test_lines_that_are_everybodys_or_known_or_short_tell_nothing():
    taken = {"numopt.optimizers.adaptive": [name for name, place in METHODS.items() if place.endswith("adaptive")]}
    lines = newcomers.telling(taken, [])
    assert lines and lines.isdisjoint({"g=loss.gradient(theta)", "yieldtheta", "g_last=g"})
    assert min(map(len, lines)) >= newcomers.LEAST
    known = sorted(lines)[0]
    assert newcomers.telling(taken, [known]) == lines - {known}
