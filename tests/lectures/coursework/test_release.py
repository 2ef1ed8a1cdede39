"""What students get installs, imports and runs, shows no answer, and says what is missing."""
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lectures import assignments
from lectures.__main__ import main
from lectures.coursework import handouts, release
from lectures.coursework.blanks import packed
from lectures.coursework.judge import ROOT

NAMES = assignments.names()


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A function that writes the tree of an assignment once."""
    known = {}

    def write(name):
        if name not in known:
            folder = tmp_path_factory.mktemp("released") / name
            known[name] = release.written(name, folder, requote=False)
        return known[name]

    return write


def student(tree, *arguments):
    """What a student sees who runs python with these in the tree."""
    return subprocess.run([sys.executable, "-B", *map(str, arguments)], cwd=tree, capture_output=True, text=True,
                          env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": ""})


@pytest.mark.parametrize("name", [name if name in ("04", "08b") else pytest.param(name, marks=pytest.mark.slow)
                                  for name in NAMES])
def test_no_answer_shows_anywhere_in_the_tree(name, released):
    tree, assignment = released(name), assignments.load(name)
    lines = release.answers(assignment)
    assert lines, "nothing to look for"
    assert not list(release.leaks(tree, lines))
    for module, names in assignment.blanks.items():
        text = (tree / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert text.count("yours to write") >= len(set(names) - set(assignment.wrong))
    left = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}
    never = r"\.git/|__pycache__|\.npz|\.nb[ci]|solutions|assignments/|judge"
    assert not [file for file in left if re.search(never, file)]
    assert {file for file in left if file.startswith("tests/")} == {
        f"tests/assignment{name}.json", f"tests/test_assignment{name}.py"}


def test_of_grading_there_is_only_what_the_tests_of_the_tree_import(released):
    tree, imported = released("04"), re.compile(r"^ *from lectures\.coursework(?: import |\.)(\w+)", re.MULTILINE)
    files, needed = [*(tree / "tests").glob("*.py"), *(tree / "lectures" / "commands").glob("*.py")], {"__init__"}
    while files:
        new = set(imported.findall(files.pop().read_text(encoding="utf-8"))) - needed
        needed |= new
        files += [tree / "lectures" / "coursework" / f"{name}.py" for name in new]
    assert {file.stem for file in (tree / "lectures" / "coursework").iterdir()} == needed


def test_an_answer_that_is_left_somewhere_is_found(released, tmp_path):
    tree = shutil.copytree(released("04"), tmp_path / "tree")
    lines = release.answers(assignments.load("04"))
    (tree / "numopt" / "hint.py").write_text("def f():\n    v_hat = v / (1 - beta2 ** t)   # so\n")
    (tree / "notes.md").write_text("It is `theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)`, of course.\n")
    (tree / "figures" / "showing.py").write_text("m = 1\nv_hat = v / (1 - beta2**t)\ntheta = theta - lr(t) * m_hat "
                                                 "/ (np.sqrt(v_hat) + eps)\n")
    assert {file.name for file, _ in release.leaks(tree, lines)} == {"hint.py", "notes.md", "showing.py"}
    release.silenced(tree, lines)
    assert {file.name for file, _ in release.leaks(tree, lines)} == {"hint.py"}
    assert not (tree / "figures" / "showing.py").exists() and (tree / "figures" / "zigzag.py").exists()
    assert (tree / "notes.md").read_text() == "It is `…`, of course.\n"


def test_docstrings_and_scripts_do_not_say_the_answer_in_fewer_letters(released):
    said = (released("03") / "numopt" / "optimizer.py").read_text(encoding="utf-8")
    assert "v = mu * v - lr" in (ROOT / "numopt" / "optimizer.py").read_text(encoding="utf-8")
    assert "v = mu * v - lr" not in said and "for t, loss in problem.losses(after=t):\n            …\n" in said
    loops = (released("04") / "data_scripts" / "element_loops.py").read_text(encoding="utf-8")
    assert "beta2 * v[i]" not in loops and "def adam(net" in loops


@pytest.mark.slow
def test_every_blanked_tree_imports(released):
    program = ("import pkgutil, importlib, numopt;"
               "[importlib.import_module(m.name) for m in pkgutil.walk_packages(numopt.__path__, 'numopt.')"
               " if not m.name.endswith('__main__')];"
               "print(numopt.__file__)")
    for name in NAMES:
        done = student(released(name), "-c", program)
        assert done.returncode == 0 and str(released(name)) in done.stdout, (name, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["03", "04b"])
def test_the_tests_that_are_shown_fail_with_a_sentence_and_pass_with_the_answer(name, released, tmp_path):
    tree, assignment = shutil.copytree(released(name), tmp_path / "tree"), assignments.load(name)
    done = student(tree, "-m", "pytest", "-q", "-m", f"assignment{name}", "-p", "no:cacheprovider")
    shown = [claim for claim in assignment.claims if claim.shown]
    assert done.returncode == 1, done.stdout + done.stderr
    assert shown[0].sentence in done.stdout
    assert "yours to write" in done.stdout or assignment.wrong
    for module in assignment.blanks:
        file = f"{module.replace('.', '/')}.py"
        shutil.copy(ROOT / file, tree / file)
    done = student(tree, "-m", "pytest", "-q", "-m", f"assignment{name}", "-p", "no:cacheprovider")
    assert done.returncode == 0 and f"{len(shown)} passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_lectures_are_quoted_anew_in_the_tree(tmp_path):
    tree = release.written("03", tmp_path / "03")
    page = (tree / "lectures" / "03-momentum.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- code: numopt.optimizers.momentum.momentum -->\n(.*?)<!-- end -->", page, re.DOTALL)[1]
    assert "yours to write" in block and "mu(t) * v" not in page
    assert not (tree / "figures" / "records").is_symlink(), "which lead to where the answers are"


def test_another_seed_gives_other_numbers_and_the_same_one_the_same():
    assignment = assignments.load("04")
    one, again, other = (json.dumps(list(release.shown(assignment, seed))) for seed in (1, 1, 2))
    assert one == again != other
    assert [case["sentence"] for case in json.loads(one)] == [
        claim.sentence for claim in assignment.claims if claim.shown] != [claim.sentence for claim in assignment.claims]


def test_the_key_has_the_answers_and_the_tests_that_students_have(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "quoted", lambda place: pytest.fail("nothing in it has changed"))
    tree, assignment = release.written("04b", tmp_path / "key", solution=True, seed=3), assignments.load("04b")
    assert "m_hat = m / (1 - beta1**t)" in (tree / "numopt" / "optimizers" / "adaptive.py").read_text(encoding="utf-8")
    for file in *(ROOT / "figures").glob("*.py"), *(ROOT / "lectures").glob("*.md"), ROOT / "numopt" / "optimizer.py":
        assert (tree / file.relative_to(ROOT)).read_bytes() == file.read_bytes()
    assert json.loads((tree / "tests" / "assignment04b.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(list(release.shown(assignment, 3))))
    namespace = {}
    exec((tree / "diagnosis.py").read_text(encoding="utf-8"), namespace)
    assert namespace["DIAGNOSIS"] == {about: {"line": fault.lines[0], "what": fault.letter()}
                                      for about, fault in assignment.faults.items()}


def test_records_are_there_while_lectures_are_quoted_anew_and_no_longer(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    records, code = tmp_path / "figures" / "records", [0]

    def run(command, *, cwd, **how):
        assert command[1:] == ["-B", "-m", "lectures", "quote"] and cwd == tmp_path
        assert records.resolve() == (ROOT / "figures" / "records").resolve()
        return SimpleNamespace(returncode=code.pop(), stderr=" no such loop\n")

    monkeypatch.setattr(release.subprocess, "run", run)
    release.quoted(tmp_path)
    assert not os.path.lexists(records)
    code.append(1)
    with pytest.raises(OSError, match="lectures of the tree cannot be quoted anew: no such loop$"):
        release.quoted(tmp_path)
    assert not os.path.lexists(records)


def test_a_test_that_is_shown_says_its_sentence_and_what_is_missing_or_wrong(released):
    file = released("04") / "tests" / "test_assignment04.py"
    text = file.read_text(encoding="utf-8").replace("pytestmark = pytest.mark.assignment04\n", "")
    namespace = {"__file__": str(file), "__name__": "of a student"}
    exec(text, namespace)
    case, test = namespace["CASES"][0], namespace["test_assignment04"]
    for each in namespace["CASES"]:
        test(each)  # with the answers

    def unwritten(job):
        raise NotImplementedError("it is yours")

    for perform, said in ((unwritten, "it is yours"), (lambda job: {}, "there is no path")):
        namespace["perform"] = perform
        with pytest.raises(pytest.fail.Exception) as failed:
            test(case)
        assert str(failed.value) == f"{case['about']}: {case['sentence']}\n{said}"
    settings = (released("04") / "setup.cfg").read_text(encoding="utf-8")
    assert f"markers =\n    assignment04: {assignments.load('04').title}\n" in settings
    assert settings.count(release.AS_WRITTEN) == 1 and f"[tool:pytest]\n{release.AS_WRITTEN}" in settings


def test_a_folder_that_is_in_use_or_cannot_be_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["release", "04", str(tmp_path / "mine")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["release", "04", str(tmp_path / "mine" / "thesis.txt")]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path / 'mine' / 'thesis.txt'} is there already; give a folder that is not, or is empty\n")
    assert main(["release", "04", str(tmp_path / "no" / "folder")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert main(["release", "4", str(tmp_path / "new")]) == 1
    assert "there is no assignment '4'; there is 01" in capsys.readouterr().err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


def test_what_is_released_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    given, fails = [], []

    def tree(assignment, place, *how):
        given.append((assignment.name, *how))
        place.mkdir()
        (place / "file").touch()
        if fails:
            raise ValueError("it cannot be written")

    monkeypatch.setattr(release, "tree", tree)
    monkeypatch.setitem(handouts.FORMS, "otter", tree)
    (tmp_path / "empty").mkdir()
    assert release.written("04", tmp_path / "new") == tmp_path / "new"
    release.written("04b", str(tmp_path / "empty"), "tree", True, 4, False)
    release.written("04", tmp_path / "course", "otter", True, 5)
    assert given == [("04", False, 0, True), ("04b", True, 4, False), ("04", True, 5)]
    fails.append(True)
    (tmp_path / "other").mkdir()
    for name in "other", "none":
        with pytest.raises(ValueError, match="it cannot be written"):
            release.written("04", tmp_path / name)
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")} == {
        "new", "new/file", "empty", "empty/file", "course", "course/file", "other"}


def test_the_sheet_says_what_to_write_and_how_to_try_it(released):
    sheet = (released("04") / "ASSIGNMENT.md").read_text(encoding="utf-8")
    assert "`adam` in `numopt/optimizers/adaptive.py`" in sheet and "python -m pytest -m assignment04" in sheet
    hidden = [claim.sentence for claim in assignments.load("04").claims if not claim.shown]
    assert hidden and not any(sentence in sheet for sentence in hidden)


def test_a_sheet_is_whole_in_its_order():
    claims = [assignments.Claim("f", "It moves.", None, 2), assignments.Claim("f", "It ends.", None, 3, shown=False),
              assignments.Claim("C.g", "It falls.", None)]
    fault = assignments.Fault(("a",), "one", ("other",))
    made = assignments.Assignment("99", "To move.", {"numopt.optimizers.a": ["f", "C.g"], "numopt.linalg.b": ["h"]}, {},
                                  {"f": "pass"}, [], claims, 9, {"f": fault})
    text = release.sheet(made)
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- `f` in `numopt/optimizers/a.py`, where something wrong stands: find it, and mend it",
        "- `C.g` in `numopt/optimizers/a.py`", "- `h` in `numopt/linalg/b.py`", "- (2) It moves.", "- (1) It falls.",
        "- (3) what you are not shown", "- (1) The line of f that was wrong is named.",
        "- (1) What was wrong with f is said."]
    assert text.startswith("# Assignment 99: To move.\n\nIt belongs to lecture 9. ") and "there are 8 points" in text
    assert "The last 2 are asked in `diagnosis.py`, which you hand in too." in text
    assert re.findall(r"-m numopt.check (.*)", text) == ["numopt/optimizers/a.py:f"]
    plain = release.sheet(made._replace(faults={}, wrong={}, claims=claims[::2], blanks={"numopt.linalg.b": ["h"]}))
    assert not re.search("diagnosis|not shown|numopt.check|something wrong", plain) and "there are 3 points" in plain


@pytest.mark.parametrize("name", [name for name in NAMES if assignments.load(name).faults])
def test_what_is_wrong_is_asked_in_a_file_of_its_own_and_said_nowhere(name, released):
    tree, assignment = released(name), assignments.load(name)
    asked = (tree / "diagnosis.py").read_text(encoding="utf-8")
    for about, fault in assignment.faults.items():
        assert all(f"    {letter}  {what}\n" in asked for letter, what in fault.choices().items())
        assert set(map(packed, fault.lines)) <= set(map(packed, assignment.wrong[about].splitlines()))
    namespace = {}
    exec(asked, namespace)
    assert namespace["DIAGNOSIS"] == {about: {"line": "", "what": ""} for about in assignment.faults}
    assert "diagnosis.py" in (tree / "ASSIGNMENT.md").read_text(encoding="utf-8")
    for file in tree.rglob("*.md"):
        assert not any(fault.what in file.read_text(encoding="utf-8") for fault in assignment.faults.values())


# ---------------------------------------------------------------------------------------------- platforms

def cells(file):
    return json.loads(file.read_text(encoding="utf-8"))["cells"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["nbgrader", "otter", "gradescope"])
def test_what_a_platform_gets_is_the_same_twice_and_shows_no_answer_in_its_package(form, tmp_path):
    one, two = (release.written("04", tmp_path / name, form) for name in ("one", "two"))
    files = sorted(file.relative_to(one) for file in one.rglob("*") if file.is_file() and file.suffix != ".zip")
    assert files == sorted(file.relative_to(two) for file in two.rglob("*") if file.is_file() and file.suffix != ".zip")
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    if form != "gradescope":
        assert not list(release.leaks(one / "package", release.answers(assignments.load("04"))))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01", "03b", "11", "12"])
@pytest.mark.parametrize("form, file", [("nbgrader", "source/{0}/{0}.ipynb"), ("otter", "{0}.ipynb")])
def test_the_cells_of_a_notebook_pass_with_the_answers_in_them(form, file, name, tmp_path):
    there = cells(release.written(name, tmp_path / form, form) / file.format(name))
    code = ["".join(cell["source"]) for cell in there if cell["cell_type"] == "code"]
    code = [re.sub(r'(?s)""" # BEGIN PROMPT.*?# END PROMPT', "", text) for text in code]
    assert len({cell["id"] for cell in there}) == len(there)
    program = tmp_path / form / "package" / "cells.py"
    program.write_text("\n\n".join(code) + "\nprint('all of it')\n", encoding="utf-8")
    assert "    lectures.coursework\n" in (tmp_path / form / "package" / "setup.cfg").read_text(encoding="utf-8")
    done = student(tmp_path / form / "package", program)
    assert done.stdout.endswith("all of it\n"), done.stderr[-2000:]


@pytest.mark.slow
def test_gradescope_s_zip_file_grades_by_itself(tmp_path):
    from lectures.coursework import jail
    if jail.available() is None:
        pytest.skip("neither bubblewrap nor Landlock works here")
    release.written("03", tmp_path / "gs", "gradescope", seed=3)
    shutil.unpack_archive(tmp_path / "gs" / "autograder.zip", tmp_path / "autograder")
    run = (tmp_path / "autograder" / "run_autograder").read_text()
    assert "grade 03 /autograder/submission --seed 3" in run
    (tmp_path / "submission").mkdir()
    shutil.copy(ROOT / "numopt" / "optimizers" / "momentum.py", tmp_path / "submission")
    done = student(tmp_path / "autograder" / "numopt", "-m", "lectures", "grade", "03", tmp_path / "submission",
                   "--gradescope", tmp_path / "results.json")
    results = json.loads((tmp_path / "results.json").read_text())
    assert done.returncode == 0 and results["score"] == assignments.load("03").points, done.stderr
    assert {test["visibility"] for test in results["tests"]} == {"visible", "after_published"}


def tool(name, *arguments, folder):
    """A platform's own command, of the environment in which these tests run."""
    command = shutil.which(name, path=os.path.dirname(sys.executable))
    done = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, timeout=600,
                          env=os.environ | {
                              "PYTHONPATH": str(folder / "package"),
                              "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answered(file, assignment):
    """Put the answers into the cells of a student's notebook."""
    there = json.loads(file.read_text(encoding="utf-8"))
    for about in assignment.modules():
        before, answer, _ = handouts.texts(assignment, about)
        for cell in there["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code" and before in text and "CLAIMS" not in text:
                cell["source"] = handouts.names_of(assignment, about) + before + "\n" + answer
    for cell in there["cells"]:
        if assignment.faults and cell["cell_type"] == "code" and (
                cell["id"] == "diagnosis" or "DIAGNOSIS = {" in "".join(cell["source"])):
            cell["source"] = release.said(assignment, solution=True)
    file.write_text(json.dumps(there), encoding="utf-8")


@pytest.mark.slow
def test_nbgrader_makes_the_students_notebook_and_gives_right_answers_full_marks(tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install nbgrader")
    place, assignment = release.written("03b", tmp_path / "course", "nbgrader"), assignments.load("03b")
    (place / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.course_id = "c"\n')
    tool("nbgrader", "generate_assignment", "03b", "--create", folder=place)
    page = (place / "release" / "03b" / "03b.ipynb").read_text(encoding="utf-8")
    assert "theta = theta - v" in page and "mu(t) * v - lr(t) * g" not in page and "HIDDEN" not in page
    for name in ("right", "blank"):
        (place / "submitted" / name / "03b").mkdir(parents=True)
        shutil.copy(place / "release" / "03b" / "03b.ipynb", place / "submitted" / name / "03b")
    answered(place / "submitted" / "right" / "03b" / "03b.ipynb", assignment)
    tool("nbgrader", "autograde", "03b", "--create", folder=place)
    tool("nbgrader", "export", folder=place)
    lines = (place / "grades.csv").read_text().splitlines()
    column = lines[0].split(",").index("raw_score")
    student = lines[0].split(",").index("student_id")
    scores = {line.split(",")[student]: float(line.split(",")[column]) for line in lines[1:]}
    assert scores == {"right": assignment.points, "blank": 0}


@pytest.mark.slow
def test_otter_makes_the_students_notebook_and_its_tests_pass_on_the_answers(tmp_path):
    pytest.importorskip("otter", reason="otter-grader is not installed: pip install 'otter-grader[grading]'")
    place, assignment = release.written("03", tmp_path / "course", "otter"), assignments.load("03")
    tool("otter", "assign", "03.ipynb", "dist", "--no-pdfs", folder=place)
    page = (place / "dist" / "student" / "03.ipynb").read_text(encoding="utf-8")
    assert "yours to write" in page and "mu(t) * v - lr(t) * g" not in page and "many steps" not in page
    student_file = place / "dist" / "student" / "03.ipynb"
    blank = shutil.copy(student_file, tmp_path / "blank.ipynb")
    answered(student_file, assignment)
    archive, = (place / "dist" / "autograder").glob("*.zip")

    def score(file):
        tool("otter", "run", str(file), "-a", str(archive), "-o", str(tmp_path), "--no-logo", folder=place)
        results = json.loads((tmp_path / "results.json").read_text())
        return sum(test["score"] for test in results["tests"] if "score" in test)

    assert score(student_file) == pytest.approx(assignment.points) and score(blank) == 0
