"""The judge of a submission, who never imports it.

The functions of a submission are put into a copy of the package without answers, and a worker in a jail (jail.py) runs
them on jobs, plain data (jobs.py), whose constants are drawn anew at each grading.  It hands back plain arrays.  The
judge computes the truth from the package it stands in, and compares.
"""
import io
import json
import os
import shutil
import stat
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from lectures import assignments
from lectures.coursework import blanks, jail, jobs
from lectures.coursework.blanks import Unusable
from lectures.coursework.submissions import chosen, handed_in

ROOT = Path(__file__).parents[2]
DRAWS = 2  # fresh constants for each claim, besides those of the example that may be told
ENDS = {"late": "it did not end in time", "loud": "it printed without end",
        "failed": "the program ended before it was done"}


def file_names(assignment):
    """The names of the files that answers stand in."""
    return {Path(file).name for file in files(assignment).values()}


def files(assignment):
    """{module: file name in the package}."""
    return {module: f"{module.replace('.', '/')}.py" for module in {**assignment.blanks, **assignment.also}}


@cache
def hollow(name):
    """{file: source} of the modules of an assignment, without the answers."""
    assignment, sources = assignments.load(name), {}
    taken = {module: [*assignment.blanks.get(module, []), *assignment.also.get(module, [])]
             for module in {**assignment.blanks, **assignment.also}}
    for module, file in files(assignment).items():
        sources[file] = blanks.blanked((ROOT / file).read_text(encoding="utf-8"), taken[module], assignment.wrong)
    compiled = "numopt/optimizers/compiled.py"
    text = sources.get(compiled) or (ROOT / compiled).read_text(encoding="utf-8")
    for method in (name for names in taken.values() for name in names):
        text = blanks.without_twin(text, method)
    return sources | {compiled: text}


def graded(name, submission, jailed, seed=0):
    """The report of one submission: {"points": ..., "of": ..., "claims": [...], "words": [...]}."""
    assignment, words, sources = assignments.load(name), {}, dict(hollow(name))
    ours = file_names(assignment)
    try:
        found = handed_in(submission, ours)
    except (Unusable, OSError) as error:
        found, words = {}, {about: str(error) for about in assignment.modules()}
    if not found:
        words = words or {about: "there is none of its files in it: " + ", ".join(sorted(ours))
                          for about in assignment.modules()}
    for about, module in assignment.modules().items():
        file = files(assignment)[module]
        try:
            if about not in words:
                theirs = chosen(found, file, alone=len(found) == 1)
                sources[file] = blanks.answered(sources[file], theirs, about)
                if blanks.same(sources[file], hollow(name)[file], about):
                    words[about] = f"{about} is as it was handed out"
        except Unusable as error:
            words[about] = str(error)
    random, claims = np.random.default_rng(), []
    for about in assignment.modules():
        mine = [claim for claim in assignment.claims if claim.about == about]
        work = [claim.job(drawn) for claim in mine
                for drawn in [assignments.example(assignment, claim, seed), *random.spawn(DRAWS)]]
        if about in words:
            results = [words[about]] * len(work)
        else:
            results = worked(sources, work, jailed)
        for number, claim in enumerate(mine):
            here = slice(number * (DRAWS + 1), (number + 1) * (DRAWS + 1))
            claims.append(judged(claim, work[here], results[here]))
    order = {claim.sentence: number for number, claim in enumerate(assignment.claims)}
    claims.sort(key=lambda claim: order[claim["sentence"]])
    return {"submission": Path(submission).name, "assignment": name, "points": sum(claim["points"] for claim in claims),
            "of": assignment.points, "words": sorted(set(words.values())), "claims": claims}


def judged(claim, work, results):
    """One claim of the report: it holds if it does so for the example and for all that was drawn."""
    wrong = []
    for job, got in zip(work, results):
        if isinstance(got, str):
            wrong.append(got)
            continue
        with np.errstate(all="ignore"):
            wrong.append(claim.holds(job, got, jobs.perform(job)))
    message = wrong[0] or ("it holds for the numbers of the example, and not for others" if any(wrong) else None)
    if not claim.shown and message and not isinstance(results[0], str):
        message = "it does not hold"
    return {"about": claim.about, "sentence": claim.sentence, "points": 0 if message else claim.points,
            "of": claim.points, "shown": claim.shown, "message": message}


def worked(sources, work, jailed):
    """What the worker hands back for each job: {name: array}, or in words what became of it."""
    with jail.room() as folder:
        tree, box = folder / "tree", folder / "box"
        planted(tree, sources)
        box.mkdir()
        (tree / "jobs.json").write_text(json.dumps(work), encoding="utf-8")
        ended = jail.run(jailed, [tree / "lectures" / "coursework" / "worker.py", tree, tree / "jobs.json", box],
                         readable=[tree], writable=box)
        results = []
        for number, job in enumerate(work):
            if (box / f"{number}.done").is_file():
                results.append(handed_back(box, number))
            elif (box / f"{number}.txt").is_file():
                results.append(said(box / f"{number}.txt"))
            else:
                last = ended.said.strip().splitlines()[-1:] if ended.how == "failed" else []
                results.append(": ".join([ENDS.get(ended.how, "it ended without a result"), *last])[:300])
        return results


def planted(tree, sources):
    """The package without answers and without what the judge knows, with a student's functions in it."""
    shutil.copytree(ROOT / "numopt", tree / "numopt", ignore=shutil.ignore_patterns("__pycache__", "*.nb[ci]"))
    coursework = tree / "lectures" / "coursework"
    coursework.mkdir(parents=True)
    for part in ("jobs.py", "worker.py"):
        shutil.copy(ROOT / "lectures" / "coursework" / part, coursework)
    for file, text in sources.items():
        (tree / file).write_text(text, encoding="utf-8")


def handed_back(box, number):
    """The arrays of a job: ordinary files of numbers, no larger than an answer can be."""
    arrays, prefix = {}, f"{number}-"
    for file in sorted(box.glob(f"{prefix}*.npy"))[:20]:
        try:
            arrays[file.name.removeprefix(prefix).removesuffix(".npy")] = numbers(file)
        except (ValueError, OSError, SyntaxError, EOFError) as error:
            return f"what it handed back is not an array of numbers ({error})"
    return arrays


def numbers(file, most=2**22):
    """An array of float64 from a file that somebody else has written."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as opened:
        size = os.fstat(handle)
        if not stat.S_ISREG(size.st_mode) or size.st_size > most:
            raise ValueError("too large")
        content = io.BytesIO(opened.read(most + 1))
    if npy.read_magic(content) != (1, 0):
        raise ValueError("another format")
    shape, columns, kind = npy.read_array_header_1_0(content, max_header_size=1000)
    if kind != np.float64 or np.prod(shape, dtype=float) * 8 != len(content.getvalue()) - content.tell():
        raise ValueError("not as large as it says")
    return np.frombuffer(content.read(), float).reshape(shape, order="F" if columns else "C")


def said(file):
    """The error that a worker has left, one line that can be printed."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as opened:
            text = opened.read(500).decode("utf-8", "replace")
    except OSError:
        return "it ended without a result"
    return "".join(letter if letter.isprintable() else " " for letter in text).strip() or "it ended without a result"
