"""A method that no assignment knows of is taken out with the answers that its loop would show, and no other is."""
from types import SimpleNamespace

import pytest

import numopt.optimizers
from lectures import assignments
from lectures.coursework import blanks, newcomers, release

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


@pytest.mark.parametrize("line, others, tells", [
    ("step = rate * gradient", 0, True), ("step = rate * gradient", 2, True), ("step = rate * gradient", 3, False),
    ("step = rate * sloping", 0, False), ("if step > rate * gradient: pass", 0, False)])
def test_an_answer_is_told_by_lines_of_eighteen_letters_that_do_not_stand_in_three_files_that_stay(
        line, others, tells, tmp_path, monkeypatch):
    (tmp_path / "numopt").mkdir()
    answer = f"def f(rate, gradient):\n    {line}\n    return 1\n"
    (tmp_path / "numopt" / "answer.py").write_text(answer)
    for k in range(others):
        (tmp_path / "numopt" / f"other{k}.py").write_text(f"{line}\n")
    monkeypatch.setattr(newcomers, "ROOT", tmp_path)
    monkeypatch.setattr(newcomers, "source", newcomers.source.__wrapped__)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "hollow", lambda name: {"numopt/answer.py": blanks.blanked(answer, ["f"])})
    assignment = SimpleNamespace(name="made up", also={}, blanks={"numopt.answer": ["f"]}, wrong={}, known=[])
    assert newcomers.telling(assignment.blanks, []) == ({line.replace(" ", "")} if tells else set())
    assert release.answers(assignment) == newcomers.telling(assignment.blanks, [])
    assignment.wrong = {"f": f"x = 1\n{line}  # which is shown, to be mended\n"}
    assert release.answers(assignment) == set()
    assignment.wrong, assignment.known = {}, [line]
    assert release.answers(assignment) == set()
