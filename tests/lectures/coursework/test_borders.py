"""What graders take and write, from both sides of each border."""
import codecs
import csv
import json
import mmap
import os
import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import blanks, bounds, handouts, judge, release, reports, submissions, worker
from lectures.coursework.blanks import Unusable


def test_what_a_spreadsheet_takes_for_a_formula_is_told_as_text():
    for sign in "=+-@\t\r":
        assert reports.safe(f"{sign}1") == f"'{sign}1"
    assert reports.safe("1=2") == "1=2" and reports.safe("") == ""


@pytest.mark.parametrize("wrong, shown, message", [
    ((), True, None), ((), False, None), ((0,), True, "off"), ((0, 2), True, "off"),
    ((0, 1, 2), False, "it does not hold"),
    ((2,), True, "it holds for the numbers of the example, and not for others"), ((1,), False, "it does not hold")])
def test_a_claim_holds_where_it_does_for_the_example_and_for_all_that_was_drawn(wrong, shown, message):
    claim = SimpleNamespace(about="f", sentence="It is 1.", points=3, shown=shown,
                            holds=lambda job, got, truth: None if got["x"] == truth["x"] else "off")
    results = [{"x": np.array(2.0 if k in wrong else 1.0)} for k in range(3)]
    told = judge.judged(claim, [{}] * 3, [{"x": np.array(1.0)}] * 3, results)
    assert told == {"about": "f", "sentence": "It is 1.", "points": 0 if wrong else 3, "of": 3, "shown": shown,
                    "message": message}
    assert judge.judged(claim, [{}] * 3, [{}] * 3, ["it took too long"] * 3)["message"] == "it took too long"


@pytest.mark.parametrize("shown", [True, False])
def test_a_question_is_shown_or_not_as_it_says(shown):
    question = SimpleNamespace(about="f", sentence="Which?", part="what", points=1, shown=shown)
    fault = SimpleNamespace(letter=lambda: "b")
    told = judge.answered(question, fault, {"f": {"what": " B "}})
    assert (told["shown"], told["points"], told["message"]) == (shown, 1, None)


@pytest.mark.parametrize("said, message", [
    ("a = 1", None), ("  b=2  # as it stood", None), ("c = 3", "it is something else"), ("a", "it is something else"),
    ("", "diagnosis.py does not say it"), ("  ", "diagnosis.py does not say it"), (7, "diagnosis.py does not say it"),
    ("a = 1" + " " * 2000, None), ("#" * 2000, "it is something else")])
def test_of_several_wrong_lines_any_may_be_named(said, message):
    question = assignments.Question("f", "line", "Which?", points=2)
    fault = assignments.Fault(("a = 1", "b = 2"), "what", ())
    told = judge.answered(question, fault, {"f": {"line": said, "what": "a"}, "g": {"line": "a = 1"}})
    assert told == {"about": "f", "sentence": "Which?", "points": 0 if message else 2, "of": 2, "shown": False,
                    "message": message}
    assert judge.answered(question, fault, {"g": {"line": said}})["message"] == "diagnosis.py does not say it"


@pytest.mark.parametrize("name", ["03b", "04"])
@pytest.mark.parametrize("form, begins, ends", [("nbgrader", "### BEGIN HIDDEN TESTS\n", "### END HIDDEN TESTS"),
                                                ("otter", "# HIDDEN\n", "")])
def test_of_a_notebook_a_platform_hides_the_tests_that_are_not_shown(form, begins, ends, name, tmp_path, monkeypatch):
    monkeypatch.setattr(handouts, "support", lambda *given: None)
    getattr(handouts, form)(assignments.load(name), tmp_path / "course")
    file, = (tmp_path / "course").rglob("*.ipynb")
    texts = {cell["id"]: "".join(cell["source"]) for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]}
    kinds = {kind: [text for key, text in texts.items() if key.endswith(kind)] for kind in ("-shown", "-hidden")}
    assert kinds["-shown"] and kinds["-hidden"] and not any("HIDDEN" in text for text in kinds["-shown"])
    assert all(text.startswith(begins) and text.endswith(ends) for text in kinds["-hidden"])


def test_of_two_definitions_of_a_name_the_last_counts_and_annotations_are_no_other_signature():
    ours = "def f(x, *rest, y=1, **more):\n    return 0\n"
    theirs = "def f(x):\n    return 1\n\n\ndef f(x: int, *rest: int, y: float=1, **more: int):\n    return 2\n"
    assert blanks.answered(ours, theirs, "f").strip() == ours.replace("return 0", "return 2").strip()
    with pytest.raises(Unusable, match="f has another signature; it must be def f"):
        blanks.answered(ours, theirs.replace("y: float=1", "y: float=2"), "f")


def test_a_zip_file_that_leads_out_of_its_folder_is_read_and_what_is_hidden_is_not(tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        for name in "../up/adaptive.py", ".hidden/momentum.py", "a/._descent.py", "__MACOSX/newton.py":
            archive.writestr(name, f"# {name}\n")
    names = {"adaptive.py", "momentum.py", "descent.py", "._descent.py", "newton.py"}
    assert submissions.unzipped(tmp_path / "one.zip", names) == {
        "../up/adaptive.py": "# ../up/adaptive.py\n"}


@pytest.mark.parametrize("change", [
    lambda local, central: (local + 6, central + 8, 1), lambda local, central: (local + 8, central + 10, 99),
    lambda local, central: (local + 41, local + 41, 255), lambda local, central: (local, local, 0)],
    ids=["a password", "another method", "damage within", "damage before"])
def test_a_zip_file_that_cannot_be_opened_is_told_in_words(change, tmp_path):
    file = tmp_path / "one.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("adaptive.py", "x = 1\n" * 50)
    assert list(submissions.unzipped(file, {"adaptive.py"})) == ["adaptive.py"]
    content = bytearray(file.read_bytes())
    *places, value = change(0, content.index(b"PK\1\2"))
    for place in places:
        content[place] = value
    file.write_bytes(content)
    with pytest.raises(Unusable, match="^one.zip is not a whole zip file "):
        submissions.unzipped(file, {"adaptive.py"})


def test_a_report_can_be_read_by_all_whatever_was_there_before(tmp_path):
    for text in "one", "two":
        reports.save(tmp_path / "page.md", text)
        assert (tmp_path / "page.md").read_text() == text and [file.name for file in tmp_path.iterdir()] == ["page.md"]
        if os.name == "posix":
            assert (tmp_path / "page.md").stat().st_mode & 0o777 == 0o644
            (tmp_path / "page.md").chmod(0o600)


def test_two_of_one_name_are_told_apart_also_where_capitals_are_no_difference():
    told = reports.told_apart([{"submission": name} for name in ("hw", "hw", "one", "ONE", "a b", "a_b")], [
        Path(f"/x/{k}/hw") for k in range(6)])
    names = [report["submission"] for report in told]
    assert names == ["0/hw", "1/hw", "one", "ONE (2)", "a b", "a_b (2)"]
    assert len({reports.file_name(name) for name in names}) == 6 and reports.file_name("Ä b.PY") == "__b.py.md"


def test_as_many_files_as_there_may_be_are_read_and_one_more_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST", 3)
    for k in range(3):
        (tmp_path / f"{k}").mkdir()
        (tmp_path / f"{k}" / "adaptive.py").write_text(f"x = {k}\n")
    assert len(submissions.handed_in(tmp_path, {"adaptive.py"})) == 3
    (tmp_path / "adaptive.py").write_text("x = 3\n")
    with pytest.raises(Unusable, match="more than 3 files"):
        submissions.handed_in(tmp_path, {"adaptive.py"})


def test_a_test_report_can_be_read_whatever_letters_there_are_in_a_message():
    claims = [{"about": "adam", "sentence": "It moves & <stops>.", "message": message} for message in (
        "at \x1b[31mstep\x00 1 <&>", None)]
    suite, = ElementTree.fromstring(reports.junit([{"submission": "a\x07b", "assignment": "04", "claims": claims}]))
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("ab", "2", "1")
    assert [case.get("name") for case in suite] == ["It moves & <stops>."] * 2
    assert [[failure.get("message") for failure in case] for case in suite] == [["at [31mstep 1 <&>"], []]


def test_a_platform_shows_at_once_what_is_shown_and_the_rest_when_marks_are_published():
    claims = [{"sentence": sentence, "points": points, "of": 2, "shown": shown, "message": message}
              for sentence, points, shown, message in (("one", 2, True, None), ("two", 0, False, "it does not hold"))]
    told = handouts.of_gradescope({"points": 2, "words": ["read", "it"], "claims": claims})
    assert (told["score"], told["output"]) == (2, "read\nit") and told["tests"] == [
        {"name": "one", "score": 2, "max_score": 2, "status": "passed", "output": "", "visibility": "visible"},
        {"name": "two", "score": 0, "max_score": 2, "status": "failed", "output": "it does not hold",
         "visibility": "after_published"}]


@pytest.mark.parametrize("files, many", [
    (["ann/adaptive.py", "bob/notes.txt", "=eve/x.ipynb"], True), (["ann.zip", "bob.py", "eve.ipynb.zip"], True),
    (["ann/adaptive.py", ".DS_Store"], True), (["adaptive.py", "ann/adaptive.py"], False),
    (["numopt/optimizers/adaptive.py"], False), (["ann/numopt/optimizers/adaptive.py"], True),
    (["hw.ipynb", "ann/x.py"], False), (["notes.txt", "ann/x.py"], False), ([], False)])
def test_a_folder_of_submissions_is_told_from_one(files, many, tmp_path):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    inside = sorted(entry for entry in tmp_path.iterdir() if not entry.name.startswith("."))
    assert submissions.each([tmp_path], {"adaptive.py"}) == (inside if many else [tmp_path])
    assert submissions.each([tmp_path / "hw.py", tmp_path / "gone"], {"adaptive.py"}) == [
        tmp_path / "hw.py", tmp_path / "gone"]


@pytest.mark.parametrize("text", ["a = 1\nb = 'ä'\n", "a = 1\r\nb = 'ä'\r\n", "a = 1\rb = 'ä'\r"])
def test_a_text_is_read_with_any_line_ends_and_any_mark_of_its_order(text):
    for mark, coding in ((b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                         (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert submissions.text_of("x.py", mark + text.encode(coding)) == "a = 1\nb = 'ä'\n"


def test_a_folder_is_heavy_by_its_files_or_by_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "FILES", 3)
    monkeypatch.setattr(bounds, "WRITTEN", 10_000)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one").write_bytes(bytes(10))
    (tmp_path / "two").touch()
    assert not bounds.heavy(tmp_path)  # a folder and two files
    (tmp_path / "three").touch()
    assert bounds.heavy(tmp_path)
    (tmp_path / "three").unlink()
    (tmp_path / "deep" / "one").write_bytes(bytes(10_001))
    assert bounds.heavy(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes are looked up in /proc")
def test_what_a_process_holds_are_its_memory_and_open_files_without_a_name(tmp_path):
    def held():
        return bounds.held(Path("/proc/self"))

    before, size = held(), 2**25
    with open(tmp_path / "file", "wb") as file:
        for _ in range(32):
            file.write(b"x" * 2**20)  # no more than what a process keeps of freed memory anyway
        file.flush()
        assert abs(held() - before) < size / 2  # it has a name, and is found in its folder
        (tmp_path / "file").unlink()
        assert abs(held() - before - size) < size / 2
    with mmap.mmap(-1, size) as filled:  # which, unlike an array, is never memory that was there before
        for page in range(0, size, mmap.PAGESIZE):
            filled[page] = 1
        assert abs(held() - before - size) < size / 2
    assert bounds.held(tmp_path / "no process") == 0


def test_a_folder_is_as_heavy_as_what_is_in_it_and_not_as_what_its_links_lead_to(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "WRITTEN", 1000)
    (tmp_path / "large").write_bytes(bytes(2000))
    (tmp_path / "box" / "deep").mkdir(parents=True)
    size = sum(entry.stat().st_size for entry in (tmp_path / "box").iterdir())
    monkeypatch.setattr(bounds, "WRITTEN", size + 1000)
    (tmp_path / "box" / "link").symlink_to(tmp_path / "large")
    assert not bounds.heavy(tmp_path / "box")
    (tmp_path / "box" / "deep" / "real").write_bytes(bytes(2000))
    assert bounds.heavy(tmp_path / "box")


def test_what_the_system_says_of_a_process_is_read_from_the_right_place(tmp_path):
    (tmp_path / "fd").mkdir()
    (tmp_path / "statm").write_text("900 3 2 1 0 4 0\n")
    (tmp_path / "schedstat").write_text("7000000000 2500000000 31\n")
    assert bounds.held(tmp_path) == 3 * os.sysconf("SC_PAGE_SIZE") and bounds.waited(tmp_path) == 2.5
    assert bounds.held(tmp_path / "no process") == 0 == bounds.waited(tmp_path / "no process")


def test_what_a_worker_has_left_is_one_line_or_nothing_and_results_have_the_shape_of_the_truth(tmp_path):
    for text, told in (("", "it ended without a result"), ("\n \n", "it ended without a result"),
                       ("ValueError\x1b: one\ntwo", "ValueError : one two")):
        (tmp_path / "0.txt").write_text(text)
        assert judge.said(tmp_path / "0.txt") == told
    assert judge.said(tmp_path / "1.txt") == "it ended without a result"
    truth = {"x": np.ones((2, 3))}
    assert judge.misshapen({"x": np.ones((2, 3)), "more": np.ones(1)}, truth) is None
    assert judge.misshapen({"x": np.ones((3, 2))}, truth) == "x has the shape (3, 2); it should have (2, 3)"
    assert judge.misshapen({}, truth) == "there is no x"
    assert judge.misshapen({"x": np.full((2, 3), np.inf)}, truth) == "x has entries that are not finite"


@pytest.mark.parametrize("name", ["04", "04b"])
def test_where_the_judge_stumbled_nothing_is_given_of_all_that_there_is(name, tmp_path):
    assignment = assignments.load(name)
    told = judge.could_not_be(name, tmp_path / "hw", ZeroDivisionError("1 / 0"))
    assert (told["submission"], told["points"], told["of"]) == ("hw", 0, assignment.points)
    assert sum(claim["of"] for claim in told["claims"]) == assignment.points and not any(
        claim["points"] for claim in told["claims"])
    assert told["words"] == ["it could not be graded (ZeroDivisionError): look at it yourself"]
    assert {claim["message"] for claim in told["claims"]} == set(told["words"])
    assert [claim["shown"] for claim in told["claims"]] == [part.shown for part in assignment.parts()]


@pytest.mark.parametrize("name", ["03", "04b", "13"])
def test_the_points_on_a_sheet_are_all_that_there_are(name):
    assignment, sheet = assignments.load(name), release.sheet(assignments.load(name))
    told = [int(points) for points in re.findall(r"^- \((\d+)\) ", sheet, re.MULTILINE)]
    assert sum(told) == assignment.points and f"there are {assignment.points} points in all" in sheet
    hidden = sum(claim.points for claim in assignment.claims if not claim.shown)
    assert f"- ({hidden}) what you are not shown\n" in sheet
    assert ("diagnosis.py" in sheet) == bool(assignment.faults)


def test_a_table_of_grades_has_a_line_for_each_in_which_nothing_is_a_formula(tmp_path):
    claims = [SimpleNamespace(sentence=f"=It holds, {k}.") for k in range(2)]
    report = {"submission": "=1+1", "points": 2, "of": 5, "words": ["=cmd()", "and more, said"], "claims": [
        {"points": 0}, {"points": 2}]}
    options = SimpleNamespace(csv=tmp_path / "a.csv", json=tmp_path / "a.json", junit=None, gradescope=None, pages=None)
    reports.written(options, SimpleNamespace(parts=lambda: claims), [report, report | {"submission": "b", "words": []}])
    with open(tmp_path / "a.csv", newline="") as file:
        head, first, second = csv.reader(file)
    assert head == ["submission", "points", "of", "=It holds, 0.", "=It holds, 1.", "words"]
    assert first == ["'=1+1", "2", "5", "0", "2", "'=cmd(); and more, said"]
    assert second == ["b", "2", "5", "0", "2", ""]
    assert [each["submission"] for each in json.loads((tmp_path / "a.json").read_text())] == ["=1+1", "b"]


def test_each_report_that_is_asked_for_is_written_and_no_other(tmp_path):
    reports_ = [{"submission": name, "assignment": "04", "points": k, "of": 5, "words": [name], "claims": [
        {"about": "adam", "sentence": "It moves.", "points": k, "of": 5, "shown": True, "message": None}]}
        for k, name in enumerate(("ann", "Bob"), 1)]
    assignment, nothing = assignments.load("04"), dict.fromkeys(("json", "csv", "junit", "gradescope", "pages"))
    for kind in nothing:
        reports.written(SimpleNamespace(**nothing | {kind: str(tmp_path / kind)}), assignment, reports_)
        there = {str(file.relative_to(tmp_path)): file.read_text("utf-8") for file in tmp_path.rglob("*")
                 if file.is_file()}
        if kind == "pages":
            assert there == {f"pages/{each['submission'].lower()}.md": reports.page(assignment, each)
                             for each in reports_}
        else:
            assert list(there) == [kind] and there[kind]
            (tmp_path / kind).unlink()
        if kind == "gradescope":
            assert json.loads(there[kind]) == handouts.of_gradescope(reports_[0])
        if kind == "json":
            assert json.loads(there[kind]) == reports_
        if kind == "junit":
            assert there[kind] == reports.junit(reports_)


def test_more_than_two_of_one_name_and_one_folder_are_told_apart_too():
    told = reports.told_apart([{"submission": "hw"} for _ in range(4)], ["/x/ann/hw"] * 4)
    assert [report["submission"] for report in told] == ["ann/hw", "ann/hw (2)", "ann/hw (3)", "ann/hw (4)"]


def test_files_are_counted_over_all_folders_and_as_many_as_there_may_be_are_no_heap(tmp_path, monkeypatch):
    for k in range(3):
        (tmp_path / f"{k}").mkdir()
        (tmp_path / f"{k}" / "adaptive.py").write_text("x = 1\n")
    for most, read in ((6, True), (5, False)):  # three folders and three files
        monkeypatch.setattr(submissions, "MEMBERS", most)
        if read:
            assert len(submissions.handed_in(tmp_path, {"adaptive.py"})) == 3
        else:
            with pytest.raises(Unusable, match="holds more than 5 files"):
                submissions.handed_in(tmp_path, {"adaptive.py"})
    monkeypatch.setattr(submissions, "MEMBERS", 2)
    for members in 2, 3:
        with zipfile.ZipFile(tmp_path / f"{members}.zip", "w") as archive:
            for k in range(members):
                archive.writestr(f"{k}/adaptive.py", "x = 1\n")
        if members == 2:
            assert len(submissions.unzipped(tmp_path / "2.zip", {"adaptive.py"})) == 2
        else:
            with pytest.raises(Unusable, match="holds 3 files; 2 are the most"):
                submissions.unzipped(tmp_path / "3.zip", {"adaptive.py"})


def test_commands_of_a_notebook_are_left_out_wherever_they_stand():
    code = "%load_ext x\ndef f(x):\n    %time y = 1\n\t!ls\n    return x % 2\n"
    text = json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)},
                                 {"cell_type": "code", "source": "  \n"}, {"cell_type": "raw", "source": "x = ="},
                                 {"cell_type": "markdown", "source": "def f(x): return 0"}]})
    read = submissions.text_of("a.ipynb", text.encode())
    assert [line for line in read.splitlines() if line.strip()] == ["def f(x):", "    return x % 2"]


def test_of_several_files_the_same_path_is_chosen_then_the_same_name_then_a_notebook():
    file, several = "numopt/optimizers/adaptive.py", {"b.ipynb": "notebook", "x/adaptive.py": "name",
                                                      "y/numopt/optimizers/adaptive.py": "path"}
    assert submissions.chosen(several, file, alone=False) == "path"
    assert submissions.chosen({"my_numopt/optimizers/adaptive.py": "other", file: "path"}, file, False) == "path"
    old = {"z/old_numopt/optimizers/adaptive.py": "first", f"a/{file}": "path"}
    assert submissions.chosen(old, file, alone=False) == "path"
    del several["y/numopt/optimizers/adaptive.py"]
    assert submissions.chosen(several, file, alone=False) == "name"
    assert submissions.chosen({"b.ipynb": "notebook", "c.py": "other"}, file, alone=False) == "notebook"
    assert submissions.chosen({"c.py": "other"}, file, alone=True) == "other"
    for found, alone in (({"c.py": "other"}, False), ({"c.py": "", "d.py": ""}, True)):
        with pytest.raises(Unusable, match="there is no adaptive.py in it"):
            submissions.chosen(found, file, alone)


def test_a_worker_tells_where_in_the_tree_an_error_was_last_in_few_letters(tmp_path):
    (tmp_path / "tree.py").write_text("def outer(f):\n    inner(f)\n\n\ndef inner(f):\n    f()\n")
    namespace = {}
    exec(compile((tmp_path / "tree.py").read_text(), str(tmp_path / "tree.py"), "exec"), namespace)

    def told(error):
        def stumble():
            raise error
        with pytest.raises(type(error)) as caught:
            namespace["outer"](stumble)
        return worker.explained(caught.value, str(tmp_path))

    assert told(ValueError("no")) == "ValueError, in inner: no"
    assert told(ValueError("x" * 900)) == ("ValueError, in inner: " + "x" * 900)[:500]
    assert worker.explained(KeyError("a"), "/no") == "KeyError: 'a'"


@pytest.mark.parametrize("name", ["04", "07", "12"])
def test_all_that_an_assignment_takes_out_is_out_with_the_loops_that_are_its_twins(name):
    assignment, hollow = assignments.load(name), judge.hollow(name)
    compiled = "numopt/optimizers/compiled.py"
    assert set(hollow) == {*judge.files(assignment).values(), compiled}
    for taken in assignment.blanks, assignment.also:
        for module, names in taken.items():
            text = hollow[judge.files(assignment)[module]]
            ours = (judge.ROOT / judge.files(assignment)[module]).read_text(encoding="utf-8")
            tree = blanks.ast.parse(text)
            assert not any(blanks.found(tree, each) and blanks.same(text, ours, each) for each in names)
            assert not any(f"@twin_of({each})" in hollow[compiled] for each in names)
    assert "@twin_of(momentum)" in hollow[compiled] and (name == "04") != ("@twin_of(adam)" in hollow[compiled])


def test_what_is_planted_is_the_package_with_every_source_in_its_place_and_nothing_that_the_judge_knows(
        tmp_path, monkeypatch):
    root, tree = tmp_path / "root", tmp_path / "tree"
    for file in ("numopt/a.py", "numopt/sub/b.py", "numopt/sub/c.py", "numopt/__pycache__/a.pyc", "figures/a.py",
                 "lectures/assignments/assignment01.py", *(f"lectures/coursework/{name}.py" for name in (
                     "jobs", "worker", "judge", "holding"))):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("ours")
    monkeypatch.setattr(judge, "ROOT", root)
    judge.planted(tree, {"numopt/a.py": "α", "numopt/sub/b.py": "theirs", "diagnosis.py": "said"})
    assert {file.relative_to(tree).as_posix(): file.read_text("utf-8") for file in tree.rglob("*") if file.is_file()
            } == {"numopt/a.py": "α", "numopt/sub/b.py": "theirs", "numopt/sub/c.py": "ours",
                  "lectures/coursework/jobs.py": "ours", "lectures/coursework/worker.py": "ours"}


def test_a_worker_does_one_job_after_the_other_whatever_becomes_of_them(tmp_path, monkeypatch):
    from lectures.coursework import jobs

    def perform(job):
        if "raises" in job:
            raise ValueError(job["raises"])
        return {name: part for name, part in job.items()}

    monkeypatch.setattr(jobs, "perform", perform)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    for name in "scipy.sparse.linalg._isolve", "scipy.sparse.linalg._isolve.iterative":
        monkeypatch.setitem(sys.modules, name, None)
    work = [{"x": [[1, 2]], "y": 3}, {"raises": "no" * 900}, {"x": "text"}, {"z": 5}]
    (tmp_path / "jobs.json").write_text(json.dumps(work))
    (tmp_path / "box").mkdir()
    worker.main("/a/tree", str(tmp_path / "jobs.json"), str(tmp_path / "box"))
    assert {file.name for file in (tmp_path / "box").iterdir()} == {
        "0-x.npy", "0-y.npy", "0.done", "1.txt", "2.txt", "3-z.npy", "3.done"}
    assert judge.numbers(tmp_path / "box" / "0-x.npy").tolist() == [[1, 2]]
    assert (tmp_path / "box" / "1.txt").read_text() == ("ValueError: " + "no" * 900)[:500]
    assert sys.path[0] == "/a/tree" and sys.meta_path[0] is worker.Closed
    from scipy.sparse.linalg._isolve import cg
    with pytest.raises(NotImplementedError, match="that is yours to write"):
        cg(1, 2)
    with pytest.raises(AttributeError):
        sys.modules["scipy.sparse.linalg._isolve"].__file__


def test_a_package_that_cannot_be_read_is_not_there(tmp_path, monkeypatch):
    (tmp_path / "here.py").touch()
    assert worker.Closed.find_spec("here", [str(tmp_path)]).origin == str(tmp_path / "here.py")
    assert worker.Closed.find_spec("gone", [str(tmp_path)]) is None

    def shut(place, how):
        raise PermissionError(place)

    monkeypatch.setattr(worker, "open", shut, raising=False)
    with pytest.raises(ModuleNotFoundError, match="there is no here here: it is to be written with NumPy"):
        worker.Closed.find_spec("here", [str(tmp_path)])


def names(text, of=blanks.bound):
    tree = blanks.ast.parse(text)
    return of(tree.body[0]) if of is blanks.bound else set(of(tree))


@pytest.mark.parametrize("text, given", [
    ("import a.b", {"a"}), ("import a.b as c, d", {"c", "d"}), ("from a.b import c, d as e", {"c", "e"}),
    ("A = B = 1", {"A", "B"}), ("A, (B, *C) = 1, (2, 3)", {"A", "B", "C"}), ("A: int = 1", {"A"}), ("A += 1", {"A"}),
    ("A[0].b += 1", {"A"}), ("A[0].append(1)", {"A"}), ("A.b[1].update(x)", {"A"}),
    ("f(A)", set()), ("f().b(A)", set()),
    ("for k in A:\n    B = k\n    import c.d", {"k", "B", "c"}),
    ("if A:\n    def f(): x = 1\nelse:\n    B = 1", {"f", "B", "x"}),
    ("with open(A) as B:\n    C = 1", {"B", "C"}),
    ("def f(): pass", {"f"}), ("class C:\n    x = 1", {"C"}), ("1", set())])
def test_what_a_line_at_the_top_of_a_module_gives_something_to(text, given):
    assert names(text) == given


def test_what_is_imported_is_told_by_its_whole_place_wherever_it_stands():
    text = "import a.b, c as d\ndef f():\n    from e.f import g as h, i\n    import j.k as l\nfrom . import m\n"
    assert names(text, blanks.imported) == {"a.b", "c", "e.f.g", "e.f.i", "j.k", "None.m"}
    others = [f"import {name}.x" for name in ("torch", "jax", "tensorflow", "sklearn", "optax", "autograd")]
    scipy = "from scipy import optimize", "import scipy.optimize as o", "from scipy.sparse.linalg import cg"
    for line in *others, *scipy:
        with pytest.raises(Unusable, match="f is to be written with NumPy"):
            blanks.answered("def f(x):\n    return 0\n", f"{line}\ndef f(x):\n    return x\n", "f")


OURS = "import numpy as np\nfrom numopt.linalg import dense\n\nHERE = 1\n\n\ndef f(x):\n    return 0\n"


@pytest.mark.parametrize("before, needs, brought, left", [
    ("from numopt.linalg import damped as d, slq, dense", "d(x)", "from numopt.linalg import damped as d, slq", "None"),
    ("from numopt.linalg import damped as d, dense", "d(dense(x))", "from numopt.linalg import damped as d", "d, den"),
    ("from numopt.linalg import *", "slq(x)", "from numopt.linalg import *", "None"),
    ("from math import *\nimport os.path", "os.sep + pi", "from math import *\nimport os.path", "None"),
    ("from __future__ import annotations\nfrom math import pi, tau", "pi", "from math import pi, tau", "annotations"),
    ("HERE = 2\nAWAY = 3\nOTHER = 4", "HERE + AWAY", "AWAY = 3", "OTHER"),
    ("A = B = 2\nB[0] = 1", "B", "A = B = 2\nB[0] = 1", "None"),
    ("def g(x):\n    return h(x)\n\ndef h(x):\n    return K\nK = 1", "g(x)", "K = 1", "None"),
    ("@h.twin\ndef h_compiled(x):\n    return x\n\n\ndef h(x):\n    return x", "h(x) or h_compiled(x)", "def h(x):",
     "twin"),
    ("C = [1]\nC[0].append(2)\nD = [C]", "C", "C[0].append(2)", "D")])
def test_an_answer_comes_with_what_it_needs_and_with_nothing_else(before, needs, brought, left):
    text = blanks.answered(OURS, f"{before}\n\n\ndef f(x):\n    return {needs}\n", "f")
    compile(text, "an answer", "exec")
    top, _, answer = text.partition("def f(x):")
    assert brought in top and left not in text.replace(brought, "") and f"return {needs}" in answer
    assert text.count("HERE = ") == 1 and text.count("import numpy as np") == 1
    lines = [line for line in top.splitlines() if line.strip()]
    assert lines[:3] == ["import numpy as np", "from numopt.linalg import dense", "HERE = 1"]


def test_what_others_have_is_put_before_the_class_of_a_method_and_decorators_stay_ours():
    ours = "import numpy as np\n\n\n@one\nclass C:\n    @two\n    def f(self, x):\n        return 0\n\n    y = 1\n"
    theirs = "K = 2\n\n\nclass C:\n    @other\n    def f(self, x):\n        return K * x\n"
    mine = ours.partition("\n\n\n")[2].replace("return 0", "return K * x")
    assert blanks.answered(ours, theirs, "C.f").split("\n\n\n") == ["import numpy as np", "K = 2", mine]


def test_a_helper_of_twins_goes_whole_with_its_decorator():
    source = "import a\n\n\n@helper(inline=1)\ndef f(x):\n    return 1\n\n\ndef g(x):\n    return 2\n"
    assert blanks.blanked(source, ["f"]) == "import a\n\n\ndef g(x):\n    return 2\n"
    other = blanks.blanked(source, ["g"])
    assert "everything after its docstring" in other and "return 1" in other and "return 2" not in other


def test_files_are_refused_from_their_largest_size_on(tmp_path):
    """A source of 256 KiB, a notebook of 8 MiB, a zip file of 32 MiB: these, and a byte more."""
    assert submissions.text_of("a.py", b" " * 2**18) == " " * 2**18
    for name, most in (("a.py", 2**18), ("a.ipynb", 2**23)):
        assert submissions.most(name) == most
        with pytest.raises(Unusable, match=f"{name} has more than {most:,} bytes"):
            submissions.text_of(name, b" " * (most + 1))
    with open(tmp_path / "a.zip", "wb") as file:
        file.truncate(2**25 + 1)
    with pytest.raises(Unusable, match="a.zip has more than 33,554,432 bytes"):
        submissions.unzipped(tmp_path / "a.zip", {"a.py"})
    with open(tmp_path / "a.zip", "wb") as file:
        file.truncate(2**25)
    with pytest.raises(Unusable, match="not a whole zip file"):
        submissions.unzipped(tmp_path / "a.zip", {"a.py"})
    assert (bounds.FILES, bounds.WRITTEN, bounds.HELD) == (2000, 2**28, 3 * 2**30)


@pytest.mark.parametrize("how, words", [
    ("late", "it did not end in time"), ("loud", "it printed without end"), ("failed", "before it was done: the last"),
    ("heavy", "it wrote files or took memory without end"), ("done", "it ended without a result")])
def test_what_became_of_a_job_is_its_result_or_its_error_or_how_the_program_ended(how, words, monkeypatch):
    def run(jailed, arguments, *, readable, writable):
        assert jailed == "a jail" and arguments[1:] == [readable[0], readable[0] / "jobs.json", writable]
        assert json.loads(arguments[2].read_text()) == [{"a": 1}, {}, {}]
        np.save(writable / "0-path.npy", np.ones(2))
        (writable / "0.done").touch()
        (writable / "1.txt").write_text("KeyError: x")
        return judge.jail.Ended(how, "first\nthe last\n")

    monkeypatch.setattr(judge.jail, "run", run)
    monkeypatch.setattr(judge, "planted", lambda tree, sources: tree.mkdir())
    truths = [{"path": np.zeros(2), "given": 0}, {"path": 0}, {"path": 0}]
    first, second, third = judge.worked({}, [{"a": 1}, {}, {}], truths, "a jail")
    assert list(first) == ["path"] and first["path"].tolist() == [1, 1] and second == "KeyError: x"
    assert words in third and ("last" in third) == (how == "failed") and judge.DRAWS >= 2


@pytest.mark.parametrize("solution", [True, False])
def test_what_a_notebook_imports_is_laid_beside_it_with_the_answers_for_teachers_alone(solution, monkeypatch, tmp_path):
    def tree(assignment, place, solution, requote):
        for file in ("numopt/a.py", "lectures/coursework/jobs.py", "figures/b.py", "pyproject.toml", "README.md",
                     "LICENSE"):
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(f"{file} {solution} {requote}")
        (place / "setup.cfg").write_text("include =\n    numopt\n    numopt.*\n[other]\n")

    monkeypatch.setattr(release, "tree", tree)
    handouts.support(assignments.load("04"), tmp_path, solution)
    there = {str(file.relative_to(tmp_path / "package")): file.read_text() for file in (tmp_path / "package").rglob("*")
             if file.is_file()}
    assert there.pop("setup.cfg") == (
        "include =\n    numopt\n    numopt.*\n    lectures\n    lectures.coursework\n[other]\n")
    assert there == {file: f"{file} {solution} False" for file in (
        "numopt/a.py", "lectures/coursework/jobs.py", "pyproject.toml", "README.md", "LICENSE")}


def test_what_is_taken_out_of_a_function_is_all_but_its_docstring_and_its_own_twin():
    source = ("@kernel(like(0), pays=lambda x: True)\ndef f(x):\n    y = x\n    return y\n\n\n@f.twin\n"
              "def f_compiled(x):\n    return x\n\n\n@f2.twin\ndef f2_compiled(x):\n    return x\n\n\nf.known = 1\n")
    text = blanks.blanked(source, ["f"])
    assert "y = x" not in text and "f_compiled" not in text.replace("f2_compiled", "") and "f2_compiled" in text
    assert text.startswith("@kernel(like(0), pays=lambda *arguments: False)\ndef f(x):\n    raise NotImplementedError(")
    told = blanks.blanked('def f(x):\n    """Say."""\n    return x\n', ["f"], {"f": "x = 2\nreturn x"})
    assert told == 'def f(x):\n    """Say."""\n    x = 2\n    return x\n'
    with pytest.raises(ValueError, match="there is no g to blank"):
        blanks.blanked(source, ["g"])
    with pytest.raises(Unusable, match="Python cannot read the file, line 3: "):
        blanks.answered("def f(x): pass\n", "x = 1\n\ny = = 2\n", "f")
    assert blanks.same("def f(x): return  x\nA = 1\n", "# so\ndef f(x):\n    return x\n", "f")
    assert not blanks.same("def f(x): return x\n", "def f(x): return -x\n", "f")


def test_linear_operators_may_be_imported_where_ours_are():
    theirs = "from scipy.sparse.linalg import LinearOperator\n\n\ndef f(x):\n    return LinearOperator(x)\n"
    assert "import LinearOperator" in blanks.answered("def f(x):\n    return 0\n", theirs, "f")


@pytest.mark.parametrize("name, about", [("01", "Dense.backward"), ("04", "adam"), ("04b", "adam"),
                                         ("13", "normalized"), ("01", "convolution_by_weights")])
def test_a_blank_of_a_notebook_can_be_read_with_its_answer_and_with_what_stands_in_its_place(name, about):
    assignment, last = assignments.load(name), about.rpartition(".")[2]
    before, answer, instead = handouts.texts(assignment, about)
    for rest in answer, instead:
        function, = blanks.ast.parse(f"{before}\n{rest}\n").body
        assert function.name == last
        assert not any("kernel" in blanks.ast.unparse(decorator) for decorator in function.decorator_list)
    module = assignment.modules()[about]
    ours = (judge.ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    mine, whole = blanks.ast.parse(f"{before}\n{answer}\n"), blanks.found(blanks.ast.parse(ours), about)
    assert list(map(blanks.ast.dump, mine.body[0].body)) == list(map(blanks.ast.dump, whole.body))
    assert (instead.strip() == "\n".join(" " * 8 + line for line in assignment.wrong[about].splitlines()).strip()
            if about in assignment.wrong else "yours to write" in instead)


def test_processes_are_those_of_a_user_or_of_a_name_and_all_their_threads_count(tmp_path, monkeypatch):
    me = os.getuid()
    for number, (name, threads) in enumerate([(b"JAIL=one", 2), (b"JAIL=two", 1)], 1):
        for thread in range(threads):
            (tmp_path / f"{number}" / "task" / f"{thread}").mkdir(parents=True)
        (tmp_path / f"{number}" / "environ").write_bytes(b"PATH=/\0" + name + b"\0A=JAIL=one\0")
    (tmp_path / "no number").mkdir()
    monkeypatch.setattr(bounds, "Path", lambda place: tmp_path)
    assert bounds.already(me) == 3 and bounds.already(me + 1) == 0
    assert {process.name for process in bounds.processes(me, b"JAIL=three")} == {"1", "2"}
    assert {process.name for process in bounds.processes(None, b"JAIL=one")} == {"1"}


def test_root_is_given_up_for_good_and_for_a_user_that_nobody_else_is(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in "setgroups", "setresgid", "setresuid":
        monkeypatch.setattr(os, name, lambda *given, name=name: asked.append((name, *given)))
    bounds.become(77)
    assert asked == [("setgroups", []), ("setresgid", 77, 77, 77), ("setresuid", 77, 77, 77)]
    users = {bounds.nobody() for _ in range(20)}
    assert len(users) == 20 and min(users) > bounds.NOBODY and max(users) < 2**31
    with judge.jail.room() as folder:
        assert folder.stat().st_mode & 0o777 == 0o711
    assert not folder.exists()


def test_a_job_is_plain_data_at_any_depth_and_comes_back_as_it_was():
    from lectures.coursework import jobs
    job = jobs.plain([np.array([1.5, 2]), (np.array([1], np.float32), 3), "text"])
    assert json.loads(json.dumps(job)) == job
    one, (two, three), text = jobs.made(job)
    assert one.tolist() == [1.5, 2] and two.dtype == np.float32 and (three, text) == (3, "text")
    rate = jobs.made({"lr": {"made": "numopt.schedules.exponential", "of": {"a": 2.0, "decay": 0.5}}})["lr"]
    assert rate(1) / rate(2) == 2
    assert jobs.call("numpy.divmod", (7, 2), results=("q", "r")) == {"q": 3, "r": 1}
    assert list(jobs.call("numpy.divmod", (7, 2))) == ["result 1", "result 2"]
    assert jobs.call("numpy.add", (7, 2)) == {"result": 9}


def test_a_function_is_put_wherever_the_package_has_it_and_a_method_into_its_class(monkeypatch):
    from lectures.coursework import jobs
    from numopt.networks import layers

    def before():
        """In the places of three modules, under two names, and of one that is not the package's."""

    places = {name: ModuleType(name) for name in ("numopt.one", "numopt.one.two", "numoptic", "other")}
    for name, place in places.items():
        monkeypatch.setitem(sys.modules, name, place)
        place.f = place.g = before
    jobs.put("numopt.one", "f", "mine")
    assert [(place.f, place.g) for place in places.values()] == [("mine", "mine")] * 2 + [(before, before)] * 2
    monkeypatch.setattr(layers.Dense, "backward", layers.Dense.backward)
    forward = layers.Dense.forward
    jobs.put("numopt.networks.layers", "Dense.backward", "theirs")
    assert layers.Dense.backward == "theirs" and layers.Dense.forward is forward


def test_a_run_tells_what_stands_in_what_it_was_given_and_a_layer_what_it_has_not_written(monkeypatch):
    from lectures.coursework import jobs

    def spoils(loss, theta):
        for _ in range(2):
            theta -= 1
            yield theta

    monkeypatch.setattr(jobs.optimizers, "spoils", spoils, raising=False)
    done = jobs.run("spoils", {"kind": "Rosenbrock"}, np.array([1.0, 2.0]), 5)
    assert done["given"].tolist() == [-1, 0] and done["path"].tolist() == [[1, 2], [0, 1], [-1, 0]]
    asked = []
    there = SimpleNamespace(forward=lambda w, x, mode: asked.append(mode) or (x, None),
                            backward=lambda w, saved, dy, dw: dw.put(0, 3) or dy)
    monkeypatch.setattr(jobs.networks, "Dense", lambda *how: there)
    done = jobs.layer(["Dense", 1, 1], np.ones(2), np.ones((1, 1)), dy=np.ones((1, 1)))
    assert done["dw"][0] == 3 and np.isnan(done["dw"][1]) and asked[0].training
    jobs.layer(["Dense", 1, 1], np.ones(2), np.ones((1, 1)), training=False, statistics=5)
    assert not asked[1].training and list(asked[1].statistics) == [5]


def test_a_page_says_each_sentence_and_what_was_wrong_as_it_is():
    report = {"submission": "a\x07b", "points": 3, "of": 5, "claims": [
        {"about": "adam", "points": 3, "of": 3, "sentence": "One.", "message": None},
        {"about": "adam", "points": 0, "of": 2, "sentence": "Two.", "message": "at `x`\n<b>"}]}
    lines = reports.page(SimpleNamespace(name="04", title="Rates."), report).splitlines()
    assert lines == ["# Assignment 04: Rates.", "", "ab: **3 of 5 points**", "", "- ✔ 3/3 One.", "- ✘ 0/2 Two.",
                     "  adam: `at 'x'<b>`"]


def test_other_notebooks_are_read_too_and_all_of_their_code_together_is_bounded(tmp_path, monkeypatch):
    def notebook(*code):
        return json.dumps({"cells": [{"cell_type": "code", "source": text} for text in code]})

    (tmp_path / "mine.ipynb").write_text(notebook("x = 1"))
    (tmp_path / "adaptive.ipynb").write_text(notebook("x = 2"))
    for folder in "__pycache__", ".hidden":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "adaptive.py").write_text("x = 3\n")
    assert submissions.handed_in(tmp_path, {"adaptive.py"}) == {"adaptive.ipynb": "x = 2", "mine.ipynb": "x = 1"}
    monkeypatch.setattr(submissions, "LARGEST", 20)
    assert submissions.text_of("a.ipynb", notebook("x = 123456", "y = 123456").encode()) == "x = 123456\n\ny = 123456"
    with pytest.raises(Unusable, match="the code in a.ipynb has more than 20 letters"):
        submissions.text_of("a.ipynb", notebook("x = 123456", "y = 1234567").encode())
    (tmp_path / "link.py").symlink_to(tmp_path / "mine.ipynb")
    with pytest.raises(Unusable, match="link.py is a link: hand in the files themselves"):
        submissions.handed_in(tmp_path / "link.py", {"adaptive.py"})
