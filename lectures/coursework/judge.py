"""The judge of a submission, who never imports it.

The functions of a submission are put into a copy of the package without answers, and a worker in a jail (jail.py) runs
them on jobs, plain data (jobs.py), whose constants are drawn anew for each program.  It hands back plain arrays.  The
judge computes the truth from the package it stands in, and compares.
"""
import hmac
import io
import json
import os
import shutil
import stat
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

import numopt.optimizers
from lectures import assignments
from lectures.coursework import blanks, jail, jobs
from lectures.coursework.blanks import Unusable
from lectures.coursework.submissions import chosen, handed_in
from numopt.kernels import reading

ROOT = Path(__file__).parents[2]
DIAGNOSIS = "diagnosis.py"
DRAWS = 2  # fresh constants for each claim, besides those of the example that may be told
ENDS = {"late": "it did not end in time", "loud": "it printed without end",
        "heavy": "it wrote files or took memory without end", "failed": "the program ended before it was done"}


def file_names(assignment):
    """The names of the files that answers stand in."""
    names = {f"{module.rpartition('.')[2]}.py" for module in assignment.blanks}
    return names | {DIAGNOSIS} if assignment.faults else names


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
    return sources | {compiled: blanks.without_twins(text, {name for names in taken.values() for name in names})}


def graded(name, submission, jailed, seed=0, secret=b""):
    """The report of one submission: {"points": ..., "of": ..., "claims": [...], "words": [...]}."""
    assignment, words, sources = assignments.load(name), {}, dict(hollow(name))
    ours = file_names(assignment)
    try:
        found = handed_in(submission, ours)
    except (Unusable, OSError) as error:
        found, words = {}, {about: printable(error) for about in assignment.modules()}
    if not found:
        words = words or {about: "there is none of its files in it: " + ", ".join(sorted(ours))
                          for about in assignment.modules()}
    theirs = diagnosed(found) if assignment.faults else {}
    found = {file: text for file, text in found.items() if Path(file).name != DIAGNOSIS}
    asked = [answered(question, assignment.faults[question.about], theirs) for question in assignment.questions()]
    for about, module in assignment.modules().items():
        file = files(assignment)[module]
        try:
            if about not in words:
                text = blanks.answered(sources[file], chosen(found, file, alone=len(found) == 1), about)
                if blanks.same(text, hollow(name)[file], about):
                    words[about] = f"{about} is as it was handed out"
                sources[file] = text
        except Unusable as error:
            words[about] = printable(error)
        except (RecursionError, MemoryError):
            words[about] = "something in it is nested too deeply to be read"
        except ValueError as error:  # of Python itself, which reads more than it can write
            words[about] = f"Python cannot write it anew: {printable(error)}"
    random, claims = drawing(name, sources, seed, secret), []
    for about in assignment.modules():
        mine = [claim for claim in assignment.claims if claim.about == about]
        work = [claim.job(drawn) for claim in mine
                for drawn in [assignments.example(assignment, claim, seed), *random.spawn(DRAWS)]]
        with np.errstate(all="ignore"), reading():  # in NumPy, as the worker does
            truths = [jobs.perform(job) for job in work]
        if about in words:
            results = [words[about]] * len(work)
        else:
            results = worked(alone(sources, assignment, work), work, truths, jailed)
        for number, claim in enumerate(mine):
            here = slice(number * (DRAWS + 1), (number + 1) * (DRAWS + 1))
            claims.append(judged(claim, work[here], truths[here], results[here]))
    order = {claim.sentence: number for number, claim in enumerate(assignment.claims)}
    claims = sorted(claims, key=lambda claim: order[claim["sentence"]]) + asked
    return {"submission": printable(Path(submission).resolve().name), "assignment": name,
            "points": sum(claim["points"] for claim in claims), "of": assignment.points,
            "words": sorted(set(words.values())), "claims": claims}


def drawing(name, sources, seed, secret=b""):
    """The random numbers of a grading, which follow from all that will run, and from the teacher's secret: whoever
    writes them into a program has another program, and so others; nobody without the secret can try at home which
    comment makes a wrong program pass; and the same program has the same grade again."""
    whole = json.dumps([name, seed, sorted(sources.items())]).encode()
    return np.random.default_rng(int.from_bytes(hmac.digest(secret, whole, "sha256"), "big"))


def could_not_be(name, submission, error):
    """The report of a submission at which the judge itself stumbled: its own points, and nobody else's."""
    assignment = assignments.load(name)
    words = f"it could not be graded ({type(error).__name__}): look at it yourself"
    return {"submission": printable(Path(submission).resolve().name), "assignment": name, "points": 0,
            "of": assignment.points, "words": [words], "claims": [
                {"about": part.about, "sentence": part.sentence, "points": 0, "of": part.points,
                 "shown": part.shown, "message": words} for part in assignment.parts()]}


def diagnosed(found):
    """{name: {"line": ..., "what": ...}}: what a submission says about what was wrong, read and not run."""
    for text in found.values():
        try:
            for node in blanks.ast.parse(text).body:
                if isinstance(node, blanks.ast.Assign) and blanks.bound(node) == {"DIAGNOSIS"}:
                    said = blanks.ast.literal_eval(node.value)
                    return {name: part for name, part in said.items() if isinstance(part, dict)}
        except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
            continue
    return {}


def answered(question, fault, said):
    """One question of the report."""
    part = said.get(question.about, {}).get(question.part, "")
    part = part[:1000].strip() if isinstance(part, str) else ""
    right = (blanks.packed(part) in map(blanks.packed, fault.lines) if question.part == "line" else
             part.lower() == fault.letter())
    message = None if right else "it is something else" if part else f"{DIAGNOSIS} does not say it"
    return {"about": question.about, "sentence": question.sentence, "points": question.points if right else 0,
            "of": question.points, "shown": question.shown, "message": message}


def alone(sources, assignment, work):
    """The sources, and the optimizers that no job is about without their loops: none does an answer's work."""
    text = json.dumps(work)
    stay = frozenset(name for name in numopt.optimizers.__all__ if f'"{name}"' in text or f'.{name}"' in text)
    rest, optimizers = {}, ROOT / "numopt" / "optimizers"
    for path in sorted(optimizers.glob("*.py")):
        file = str(path.relative_to(ROOT))
        source = sources.get(file) or path.read_text(encoding="utf-8")
        rest[file] = without_loops(source, stay | set(assignment.modules()))
    rest["numopt/optimizers/compiled.py"] = blanks.without_twins(rest["numopt/optimizers/compiled.py"],
                                                                 numopt.optimizers.__all__)
    return sources | rest


@lru_cache(200)
def without_loops(source, stay):
    """A module of optimizers without the loops of all but these."""
    loops = [node.name for node in blanks.ast.parse(source).body if isinstance(node, blanks.ast.FunctionDef)
             and blanks.loop_of(node) is not None and node.name not in stay]
    return blanks.blanked(source, loops) if loops else source


def judged(claim, work, truths, results):
    """One claim of the report: it holds if it does so for the example and for all that was drawn."""
    wrong = []
    for job, truth, got in zip(work, truths, results):
        with np.errstate(all="ignore"):
            wrong.append(got if isinstance(got, str) else misshapen(got, truth) or claim.holds(job, got, truth))
    message = wrong[0] or ("it holds for the numbers of the example, and not for others" if any(wrong) else None)
    if not claim.shown and message and not isinstance(results[0], str):
        message = "it does not hold"
    return {"about": claim.about, "sentence": claim.sentence, "points": 0 if message else claim.points,
            "of": claim.points, "shown": claim.shown, "message": message}


def misshapen(got, truth):
    """What keeps results from being compared, if something does: no claim has to look out for it."""
    for name, right in truth.items():
        if name not in got:
            return f"there is no {name}"
        if got[name].shape != np.shape(right):
            return f"{name} has the shape {got[name].shape}; it should have {np.shape(right)}"
        if not np.isfinite(got[name]).all():
            return f"{name} has entries that are not finite"
    return None


def worked(sources, work, truths, jailed):
    """What the worker hands back for each job: {name: array}, or in words what became of it."""
    with jail.room() as folder:
        tree, box = folder / "tree", folder / "box"
        planted(tree, sources)
        box.mkdir()
        (tree / "jobs.json").write_text(json.dumps(work), encoding="utf-8")
        ended = jail.run(jailed, [tree / "lectures" / "coursework" / "worker.py", tree, tree / "jobs.json", box],
                         readable=[tree], writable=box)
        results = []
        for number in range(len(work)):
            if (box / f"{number}.done").is_file():
                results.append(handed_back(box, number, truths[number]))
            elif (box / f"{number}.txt").is_file():
                results.append(said(box / f"{number}.txt"))
            else:
                last = ended.said.strip().splitlines()[-1:] if ended.how == "failed" else []
                results.append(printable(": ".join([ENDS.get(ended.how, "it ended without a result"), *last]))[:300])
        return results


def planted(tree, sources):
    """The package without answers and without what the judge knows, with a student's functions in it."""
    shutil.copytree(ROOT / "numopt", tree / "numopt", ignore=shutil.ignore_patterns("__pycache__", "*.nb[ci]"))
    coursework = tree / "lectures" / "coursework"
    coursework.mkdir(parents=True)
    for part in ("jobs.py", "worker.py"):
        shutil.copy(ROOT / "lectures" / "coursework" / part, coursework)
    for file, text in sources.items():
        if file.startswith("numopt/"):
            (tree / file).write_text(text, encoding="utf-8")


def handed_back(box, number, names):
    """The arrays of a job, of the names that it has: ordinary files of numbers, no larger than an answer can be."""
    arrays = {}
    for name in names:
        try:
            arrays[name] = numbers(box / f"{number}-{name}.npy")
        except FileNotFoundError:
            continue
        except (ValueError, OSError, SyntaxError, EOFError, MemoryError, RecursionError, OverflowError,
                TypeError) as error:
            return printable(f"what it handed back is not an array of numbers ({error})")[:300]
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
    return printable(text) or "it ended without a result"


def printable(text):
    """One line of it, of letters that change nothing on a screen."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()
