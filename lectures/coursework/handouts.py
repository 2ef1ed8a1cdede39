"""What platforms want of an assignment: notebooks for nbgrader and otter, a zip file for Gradescope.

Notebooks teach and are convenient; their graders run tests in the student's own process, where a student who wants to
can make them say anything.  The grade to trust is that of python -m lectures grade, which takes notebooks as well.
"""
import inspect
import json
import shutil
import tempfile
import textwrap
import zipfile
from pathlib import Path

from lectures import assignments
from lectures.coursework import blanks, jobs

ROOT = Path(__file__).parents[2]
TESTED = inspect.cleandoc('''
    import numpy as np
    from lectures.coursework import holding
    from lectures.coursework.jobs import perform, put
    put({module!r}, {name!r}, {last})
    for sentence, holds, job, expected in CLAIMS:
        expected = {{name: np.array(part, float) for name, part in expected.items()}}
        said = getattr(holding, holds)(job, perform(job), expected)
        assert not said, f"{{sentence}} {{said}}"
''')


def cell(kind, text, identity, **metadata):
    """A cell of a notebook: with an id of its own, so that two writings are equal."""
    extra = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": identity, "metadata": metadata, "source": text.splitlines(keepends=True)} | extra


def notebook(cells):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
                       "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def texts(assignment, about):
    """A blank as it is defined in a cell: (what stands before its answer, the answer, what stands in its place)."""
    module = assignment.modules()[about]
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    whole, tree = source.splitlines(), blanks.ast.parse(source)
    function = blanks.found(tree, about)
    body, place = blanks.answer(function)
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list
                                    if not blanks.ast.unparse(decorator).startswith("kernel("))])
    before, answer = whole[first - 1:body[0].lineno - 1], whole[body[0].lineno - 1:body[-1].end_lineno]
    indent = " " * body[0].col_offset
    if about in assignment.wrong:
        place = assignment.wrong[about].splitlines()
    if "." in about:  # a method, written as a function of self
        before, answer = (textwrap.dedent("\n".join(before + answer)).splitlines()[part] for part in (
            slice(0, len(before)), slice(len(before), None)))
        indent = indent[4:]
    return "\n".join(before), "\n".join(answer), "\n".join(indent + line for line in place)


def claims(assignment, about, seed, shown):
    """The claims about a blank as Python's own words: (sentence, when it holds, job, what should come out)."""
    rows, points = [], 0
    for claim in assignment.claims:
        if claim.about == about and claim.shown == shown:
            job = json.loads(json.dumps(claim.job(assignments.example(assignment, claim, seed))))
            truth = {name: part.tolist() for name, part in jobs.perform(job).items()}
            rows.append((claim.sentence, claim.holds.__name__, job, truth))
            points += claim.points
    return rows, points


def tested(assignment, about, rows):
    last = about.rpartition(".")[2]
    return f"CLAIMS = {rows!r}\n" + TESTED.format(module=assignment.modules()[about], name=about, last=last)


def opening(assignment):
    return (f"# Assignment {assignment.name}: {assignment.title}\n\nIt belongs to lecture {assignment.lecture}. "
            "Write what is missing, and run the cells below it: they name the sentence that does not hold yet.")


def mended(about, before, instead):
    """The wrong version, to be read: nbgrader leaves nothing where an answer was."""
    return f"This runs, and something of it is wrong. Find out what, and write `{about}` as it should be:\n\n" \
           f"```python\n{before}\n{instead}\n```"


def asked(assignment):
    """The questions about what is wrong, and what an answer looks like."""
    from lectures.coursework import release
    words = blanks.ast.get_docstring(blanks.ast.parse(release.diagnosis(assignment)))
    return f"{words}\n\n```python\n{release.said(assignment)}```"


def right(assignment):
    """Asserts of what is wrong."""
    rows = [(name, sorted(map(blanks.packed, fault.lines)), fault.letter())
            for name, fault in assignment.faults.items()]
    return (f"for name, lines, letter in {rows!r}:\n    assert ''.join(DIAGNOSIS[name]['line'].split()) in lines, "
            "'it is another line'\n    assert DIAGNOSIS[name]['what'].strip() == letter, 'it is something else'\n")


def names_of(assignment, about):
    """The names that a blank's own module gives it to work with, but for those that other cells define."""
    module = assignment.modules()[about]
    tree = blanks.ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    there = {*blanks.defined(tree), *(alias.asname or alias.name for node in tree.body for alias in getattr(
        node, "names", []))} - {name for names in assignment.blanks.values() for name in names}
    used = {part.id for part in blanks.ast.walk(blanks.found(tree, about)) if isinstance(part, blanks.ast.Name)}
    return f"from {module} import {', '.join(sorted({'np', *used} & there))}\n\n\n"


def nbgrader(assignment, place, solution=False, seed=0):
    """source/NN/NN.ipynb of a course, with answers between the markers of nbgrader: for its generate_assignment."""
    from lectures.coursework import release

    def graded(identity, points=None, **kinds):
        about = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3,
                 "grade_id": identity} | kinds
        return {"nbgrader": about | ({"points": points} if points else {})}

    cells = [cell("markdown", opening(assignment), "opening", **graded("opening", locked=True))]
    for about in assignment.modules():
        name = about.replace(".", "-")
        before, answer, instead = texts(assignment, about)
        indent = " " * (len(answer) - len(answer.lstrip()))
        if about in assignment.wrong:
            cells.append(cell("markdown", mended(about, before, instead), f"{name}-wrong",
                              **graded(f"{name}-wrong", locked=True)))
        body = f"{indent}### BEGIN SOLUTION\n{answer}\n{indent}### END SOLUTION"
        cells.append(cell("code", names_of(assignment, about) + before + "\n" + body, name,
                          **graded(name, solution=True)))
        for kind, shown in (("shown", True), ("hidden", False)):
            rows, points = claims(assignment, about, seed, shown)
            if rows:
                text = tested(assignment, about, rows)
                text = text if shown else f"### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS"
                cells.append(cell("code", text, f"{name}-{kind}",
                                  **graded(f"{name}-{kind}", points, grade=True, locked=True)))
    if assignment.faults:
        cells += [cell("markdown", asked(assignment), "diagnosis-words", **graded("diagnosis-words", locked=True)),
                  cell("code", f"### BEGIN SOLUTION\n{release.said(assignment, True)}### END SOLUTION", "diagnosis",
                       **graded("diagnosis", solution=True)),
                  cell("code", f"### BEGIN HIDDEN TESTS\n{right(assignment)}### END HIDDEN TESTS", "diagnosis-hidden",
                       **graded("diagnosis-hidden", len(assignment.questions()), grade=True, locked=True))]
    folder = place / "source" / assignment.name
    folder.mkdir(parents=True)
    (folder / f"{assignment.name}.ipynb").write_text(notebook(cells), encoding="utf-8")
    support(assignment, place, solution)


def otter(assignment, place, solution=False, seed=0):
    """The master notebook for otter assign, NN.ipynb: raw cells say what is what, and test cells assert."""
    from lectures.coursework import release

    def raw(text, identity):
        return cell("raw", text, identity)

    cells = [raw(f"# ASSIGNMENT CONFIG\nname: assignment{assignment.name}\ninit_cell: false\nexport_cell: false\n"
                 f"run_tests: false\n", "config"), cell("markdown", opening(assignment), "opening")]
    for about in assignment.modules():
        name = about.replace(".", "_").replace("__", "_")
        before, answer, instead = texts(assignment, about)
        points = sum(claim.points for claim in assignment.claims if claim.about == about)
        indent = " " * (len(answer) - len(answer.lstrip()))
        cells += [raw(f"# BEGIN QUESTION\nname: {name}\npoints: {points}\n", f"{name}-question"),
                  cell("markdown", f"**{about}** ({points} points)", f"{name}-words"),
                  raw("# BEGIN SOLUTION", f"{name}-solution"),
                  cell("code", names_of(assignment, about) + before + f"\n{indent}# BEGIN SOLUTION NO PROMPT\n"
                       f"{answer}\n{indent}# END SOLUTION\n{indent}\"\"\" # BEGIN PROMPT\n{instead}\n"
                       f"{indent}\"\"\" # END PROMPT",
                       f"{name}-answer"),
                  raw("# END SOLUTION", f"{name}-solved"), raw("# BEGIN TESTS", f"{name}-tests")]
        for kind, shown in (("shown", True), ("hidden", False)):
            rows, _ = claims(assignment, about, seed, shown)
            if rows:
                cells.append(cell("code", ("" if shown else "# HIDDEN\n") + tested(assignment, about, rows),
                                  f"{name}-{kind}"))
        cells += [raw("# END TESTS", f"{name}-tested"), raw("# END QUESTION", f"{name}-end")]
    if assignment.faults:
        points = len(assignment.questions())
        cells += [raw(f"# BEGIN QUESTION\nname: diagnosis\npoints: {points}\n", "diagnosis-question"),
                  cell("markdown", asked(assignment), "diagnosis-words"), raw("# BEGIN SOLUTION", "diagnosis-solution"),
                  cell("code", f"# BEGIN SOLUTION NO PROMPT\n{release.said(assignment, True)}# END SOLUTION\n"
                       f'""" # BEGIN PROMPT\n{release.said(assignment)}""" # END PROMPT', "diagnosis-answer"),
                  raw("# END SOLUTION", "diagnosis-solved"), raw("# BEGIN TESTS", "diagnosis-tests"),
                  cell("code", f"# HIDDEN\n{right(assignment)}", "diagnosis-hidden"),
                  raw("# END TESTS", "diagnosis-tested"), raw("# END QUESTION", "diagnosis-end")]
    place.mkdir()
    (place / f"{assignment.name}.ipynb").write_text(notebook(cells), encoding="utf-8")
    support(assignment, place, solution)


def support(assignment, place, solution):
    """What the notebooks import: the package without the answers, to be installed or laid beside them."""
    from lectures.coursework import release
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        release.tree(assignment, tree, solution, requote=False)
        for part in ("numopt", "lectures"):
            shutil.copytree(tree / part, place / "package" / part)
        for part in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(tree / part, place / "package")
        settings = place / "package" / "setup.cfg"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("    numopt.*\n", "    numopt.*\n    lectures\n    lectures.coursework\n"),
                            encoding="utf-8")


SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when the image is built.
set -euo pipefail
apt-get update && apt-get install -y python3 python3-venv bubblewrap
python3 -m venv /autograder/venv
/autograder/venv/bin/pip install /autograder/source/numopt
(umask 077; head -c 32 /dev/urandom | base64 > /autograder/grading-secret)  # once: for all submissions the same
"""
RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission.  Student code runs in a jail; where the image allows none nothing is graded.
cd /autograder/source/numopt
/autograder/venv/bin/python -m lectures grade {name} /autograder/submission --seed {seed} \\
    --secret /autograder/grading-secret --gradescope /autograder/results/results.json
"""


def gradescope(assignment, place, solution=False, seed=0):
    """autograder.zip: setup.sh, run_autograder and the whole of this repository, which is the judge."""
    place.mkdir()
    leave = shutil.ignore_patterns("__pycache__", "*.nb[ci]", "*.egg-info", ".*")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(place / "autograder.zip", "w",
                                                                  zipfile.ZIP_DEFLATED) as archive:
        source = Path(folder) / "numopt"
        source.mkdir()
        for part in ("numopt", "lectures"):
            shutil.copytree(ROOT / part, source / part, ignore=leave)
        for part in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / part, source)
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN.format(name=assignment.name, seed=seed))):
            there = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            there.external_attr = 0o755 << 16
            archive.writestr(there, text)
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))


def of_gradescope(report):
    """A report as Gradescope's results.json: what is not shown stays hidden until marks are published."""
    return {"score": report["points"], "output": "\n".join(report["words"]), "tests": [
        {"name": claim["sentence"], "score": claim["points"], "max_score": claim["of"],
         "status": "failed" if claim["message"] else "passed", "output": claim["message"] or "",
         "visibility": "visible" if claim["shown"] else "after_published"} for claim in report["claims"]]}


FORMS = {"nbgrader": nbgrader, "otter": otter, "gradescope": gradescope}
