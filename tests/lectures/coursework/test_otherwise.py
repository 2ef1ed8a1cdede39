"""Right answers, written otherwise than ours, have full marks: otherwise/ has two submissions for each assignment.

In place on copies, with other names, in another order, vectorised otherwise, by formulas that are the same but for
rounding.  What they are tried on is drawn anew at each grading, so they are tried on many draws.
"""
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import blanks, jail, jobs, judge
from numopt.kernels import reading
from tests.test_mutants import executed, found, put_in_place

HERE = Path(__file__).parent / "otherwise"
FILES = sorted(HERE.glob("*.py"))
GRADINGS = 10


def answers(file, assignment, monkeypatch):
    """(our function, theirs) for each of a submission, whose own names our modules are given."""
    theirs = file.read_text(encoding="utf-8")
    for about, module in assignment.modules().items():
        source = blanks.answered((judge.ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"), theirs,
                                 about)
        namespace, ours = executed(source, f"{file.name} in {module}", module), sys.modules[module]
        for name in namespace.keys() - vars(ours).keys():
            monkeypatch.setattr(ours, name, namespace[name], raising=False)
        yield found(vars(ours), about), found(namespace, about)


def test_there_are_two_for_ten_assignments_or_more():
    names = [file.stem[1:] for file in FILES]
    assert len(set(names)) >= 10 and all(names.count(name) == 2 for name in names)


@cache
def cases(assignment):
    """What is drawn for both of its submissions, and what our answers make of it."""
    return [(claim, job, jobs.perform(job)) for claim in assignments.load(assignment).claims for seed in range(GRADINGS)
            for job in [json.loads(json.dumps(claim.job(np.random.default_rng([17, seed]))))]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_holds_whatever_is_drawn(file, monkeypatch):
    assignment = assignments.load(file.stem[1:])
    with reading(), np.errstate(all="ignore"):
        drawn = cases(file.stem[1:])
        for ours, theirs in list(answers(file, assignment, monkeypatch)):
            put_in_place(monkeypatch, ours, theirs)
        for claim, job, truth in drawn:
            got = jobs.perform(job)
            assert judge.misshapen(got, truth) is None
            assert claim.holds(job, got, truth) is None, (claim.sentence, job)


@pytest.mark.slow
@pytest.mark.skipif(jail.available() is None, reason="neither bubblewrap nor Landlock works here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_has_full_marks(file):
    report = judge.graded(file.stem[1:], file, jail.available())
    assert report["points"] == report["of"], [claim for claim in report["claims"] if claim["message"]]
