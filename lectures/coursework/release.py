"""python -m lectures release 04 DIR: what students get, a tree that installs, imports and runs, without the answers.

Taken out are the answers (blanks.py), their twins, the tests and their tables of mistakes, records, solutions, and
every figure or sentence that would show an answer; lectures are quoted anew.  What a student sees are the claims that
are shown, as tests with numbers of their own: python -m pytest -m assignment04.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lectures import assignments
from lectures.coursework import blanks, jobs
from lectures.coursework.blanks import packed
from lectures.coursework.judge import DIAGNOSIS, hollow
from lectures.coursework.newcomers import FLOW, LEAST, packed_lines

ROOT = Path(__file__).parents[2]
FILES = "setup.cfg", "setup.py", "MANIFEST.in", "pyproject.toml", "LICENSE", "README.md", "CITATION.cff"
JUDGE = [f"commands/{name}.py" for name in ("grade", "release")] + [f"coursework/{name}.py" for name in (
    "blanks", "bounds", "handouts", "jail", "judge", "newcomers", "release", "reports", "secret", "submissions",
    "worker")]


def written(name, folder, form="tree", solution=False, seed=0, requote=True):
    """The tree (or what a platform wants) of an assignment, in a folder that is new: whole, or not at all."""
    from lectures.coursework import handouts
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already; give a folder that is not, or is empty")
    if not folder.resolve().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {folder.resolve().parent}")
    assignment = assignments.load(name)
    with tempfile.TemporaryDirectory(dir=folder.resolve().parent, prefix=f".{folder.name}-") as place:
        place = Path(place) / "whole"
        if form == "tree":
            tree(assignment, place, solution, seed, requote)
        else:
            handouts.FORMS[form](assignment, place, solution, seed)
        if folder.exists():
            folder.rmdir()
        os.replace(place, folder)
    return folder


def tree(assignment, place, solution=False, seed=0, requote=True):
    """The repository without answers, and with the tests that are shown."""
    leave = shutil.ignore_patterns("__pycache__", "*.nb[ci]", "*.egg-info", "out", "records", "rendered", "solutions",
                                   "assignments", ".*")
    place.mkdir()
    for file in FILES:
        if (ROOT / file).exists():
            shutil.copy(ROOT / file, place)
    for folder in ("numopt", "figures", "lectures", "data_scripts"):
        shutil.copytree(ROOT / folder, place / folder, ignore=leave)
    shutil.copytree(ROOT / "figures" / "rendered", place / "figures" / "rendered")
    for part in JUDGE:
        (place / "lectures" / part).unlink()
    if not solution:
        for file, text in hollow(assignment.name).items():
            (place / file).write_text(text, encoding="utf-8")
        if requote:
            quoted(place)
        silenced(place, answers(assignment))
        hushed(place, assignment)
    tests(assignment, place, seed)
    if assignment.faults:
        (place / DIAGNOSIS).write_text(diagnosis(assignment, solution), encoding="utf-8")
    (place / "ASSIGNMENT.md").write_text(sheet(assignment), encoding="utf-8")


def answers(assignment, least=LEAST):
    """The lines of the answers, blanks apart, by which they are recognised.

    Lines that stand in three files that stay are everybody's, and so are those that are `known` from earlier lectures.
    """
    lines, stay = set(), Counter()
    for module, names in {**assignment.also, **assignment.blanks}.items():
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        taken = [*assignment.blanks.get(module, []), *assignment.also.get(module, [])]
        before, after = map(packed_lines, (source, blanks.blanked(source, taken)))
        lines |= {line for line in before - after if len(line) >= least and not line.startswith(FLOW)}
    for file in (ROOT / "numopt").rglob("*.py"):
        name = str(file.relative_to(ROOT))
        stay.update(packed_lines(hollow(assignment.name).get(name) or file.read_text(encoding="utf-8")))
    wrong = {line for text in assignment.wrong.values() for line in packed_lines(text)}
    return {line for line in lines if stay[line] < 3} - wrong - set(map(packed, assignment.known))


def leaks(place, lines):
    """(file, line) of every answer's line in a tree."""
    for file in sorted(place.rglob("*")):
        if file.suffix in (".py", ".md", ".ipynb", ".json", ".cfg", ".toml", ".cff", ".txt", ".sh"):
            text = file.read_text(encoding="utf-8")
            here = packed_lines(text) if file.suffix == ".py" else packed(text)
            yield from ((file, line) for line in lines if line in here)


def silenced(place, lines):
    """Leave out the figures that show an answer, and the words of lectures and of the README that do."""
    for file, line in sorted(leaks(place, lines), key=lambda leak: -len(leak[1])):
        if file.suffix == ".md":
            text = file.read_text(encoding="utf-8")
            loose = r"\s*".join(map(re.escape, line))
            file.write_text(re.sub(loose, "…", text), encoding="utf-8")
        elif file.parent == place / "figures":
            file.unlink(missing_ok=True)


def hushed(place, assignment):
    """Leave out of docstrings the lines that say an answer in fewer letters: v = mu * v - lr * g."""
    said = {shorter(line) for line in answers(assignment, least=9)}
    for file in sorted((place / "numopt").rglob("*.py")):
        lines, tree = file.read_text(encoding="utf-8").splitlines(), blanks.ast.parse(file.read_text(encoding="utf-8"))
        for node in blanks.ast.walk(tree):
            if isinstance(node, (blanks.ast.Module, blanks.ast.FunctionDef, blanks.ast.ClassDef)) and (
                    blanks.ast.get_docstring(node)):
                for number in range(node.body[0].lineno, node.body[0].end_lineno - 1):  # within the quotation marks
                    if shorter(line := lines[number]) in said:
                        lines[number] = " " * (len(line) - len(line.lstrip())) + "…"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def shorter(line):
    """A line without blanks, and without what stands for the step or the coordinate."""
    return re.sub(r"\(t\)|\[i\]|_i\b", "", packed(line).replace("loss.gradient(theta)", "g"))


def quoted(place):
    """Quote the lectures anew, by the tree's own command; the records that they quote too are there meanwhile."""
    records = place / "figures" / "records"
    records.symlink_to(ROOT / "figures" / "records")
    done = subprocess.run([sys.executable, "-B", "-m", "lectures", "quote"], cwd=place, capture_output=True, text=True)
    records.unlink()
    if done.returncode:
        raise OSError(f"the lectures of the tree cannot be quoted anew: {done.stderr.strip()}")


def shown(assignment, seed):
    """The claims that are shown, each with a job whose numbers follow from the seed, and what should come out."""
    for claim in assignment.claims:
        if claim.shown:
            job = claim.job(assignments.example(assignment, claim, seed))
            expected = {name: part.tolist() for name, part in jobs.perform(json.loads(json.dumps(job))).items()}
            yield {"about": claim.about, "sentence": claim.sentence, "job": job, "expected": expected,
                   "holds": claim.holds.__name__}


def diagnosis(assignment, solution=False):
    """The file in which a student says what was wrong."""
    asked = "\n\n".join(f"{name}: which line is wrong (one of them, if there are several)? Copy it, as it stood there. "
                        f"And what is wrong?\nOne letter:\n\n" + "\n".join(
                            f"    {letter}  {what}" for letter, what in fault.choices().items())
                        for name, fault in assignment.faults.items())
    return f'"""What is wrong?\n\n{asked}\n"""\n{said(assignment, solution)}'


def said(assignment, solution=False):
    """DIAGNOSIS = ..., with the answers or without."""
    rows = [f'    "{name}": {{\n        "line": "{fault.lines[0] if solution else ""}",\n'
            f'        "what": "{fault.letter() if solution else ""}",\n    }},'
            for name, fault in assignment.faults.items()]
    return "\n".join(["DIAGNOSIS = {", *rows, "}"]) + "\n"


TEST = '''"""Assignment {name}: {title}  Run them with  python -m pytest -m assignment{name}

Each test is a sentence of lecture {lecture}; what it is tried on and what should come out is in assignment{name}.json.
"""
import json
from pathlib import Path

import numpy as np
import pytest

from lectures.coursework import holding
from lectures.coursework.jobs import perform

CASES = json.loads((Path(__file__).parent / "assignment{name}.json").read_text(encoding="utf-8"))
pytestmark = pytest.mark.assignment{name}


@pytest.mark.parametrize("case", CASES, ids=[case["sentence"] for case in CASES])
def test_assignment{name}(case):
    expected = {{name: np.array(part, float) for name, part in case["expected"].items()}}
    try:
        got, unwritten = perform(case["job"]), None
    except NotImplementedError as yours:
        unwritten = str(yours)
    said = unwritten or getattr(holding, case["holds"])(case["job"], got, expected)
    if said:
        pytest.fail(f"{{case['about']}}: {{case['sentence']}}\\n{{said}}", pytrace=False)
'''


# The sentences have letters of their own, which pytest would spell out.
AS_WRITTEN = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"


def tests(assignment, place, seed):
    """The tests that are shown, and their marker."""
    folder = place / "tests"
    folder.mkdir()
    (folder / f"assignment{assignment.name}.json").write_text(json.dumps(list(shown(assignment, seed)), indent=1),
                                                              encoding="utf-8")
    (folder / f"test_assignment{assignment.name}.py").write_text(
        TEST.format(name=assignment.name, title=assignment.title, lecture=assignment.lecture), encoding="utf-8")
    settings = place / "setup.cfg"
    text, marker = settings.read_text(encoding="utf-8"), f"    assignment{assignment.name}: {assignment.title}\n"
    text = text.replace("markers =\n", f"markers =\n{marker}")
    settings.write_text(text.replace("[tool:pytest]\n", f"[tool:pytest]\n{AS_WRITTEN}"), encoding="utf-8")


def sheet(assignment):
    """What the student is to do, on a page."""
    lines = [f"# Assignment {assignment.name}: {assignment.title}", "",
             f"It belongs to lecture {assignment.lecture}. These are yours to write:", ""]
    for module, names in assignment.blanks.items():
        lines += [f"- `{name}` in `{module.replace('.', '/')}.py`"
                  + (", where something wrong stands: find it, and mend it" if name in assignment.wrong else "")
                  for name in names]
    lines += ["", "Signatures stay as they are; what you need besides you may write beside them. Then:", "", "```sh",
              "python3 -m venv .venv && .venv/bin/pip install -e '.[test]'",
              f".venv/bin/python -m pytest -m assignment{assignment.name}", "```", "",
              f"Each test is a sentence, and is worth points; there are {assignment.points} points in all:",
              ""]
    lines += [f"- ({claim.points}) {claim.sentence}" for claim in assignment.claims if claim.shown]
    others = sum(claim.points for claim in assignment.claims if not claim.shown)
    lines += [f"- ({others}) what you are not shown"] if others else []
    lines += [f"- ({question.points}) {question.sentence}" for question in assignment.questions()]
    lines += ["", f"The last {len(assignment.questions())} are asked in `{DIAGNOSIS}`, which you hand in too."
              ] if assignment.faults else []
    loops = [name for name, module in assignment.modules().items() if ".optimizers." in module and "." not in name]
    lines += ["", "What every optimizer has to satisfy, `python -m numopt.check` says of yours:", "", "```sh",
              *(f".venv/bin/python -m numopt.check {assignment.modules()[name].replace('.', '/')}.py:{name}"
                for name in loops), "```"] if loops else []
    return "\n".join(lines) + "\n"
