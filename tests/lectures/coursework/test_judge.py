"""What is handed in can't be trusted: each attack costs its own submission its points, and nobody else's anything."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy

from lectures import assignments
from lectures.__main__ import main
from lectures.coursework import blanks, jail, judge, reports, submissions
from lectures.coursework.judge import ROOT

ADAPTIVE = (ROOT / "numopt" / "optimizers" / "adaptive.py").read_text(encoding="utf-8")
EMPTY = judge.hollow("04")["numopt/optimizers/adaptive.py"]
LOOP = """g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)
        yield theta
"""
BLANK = 'raise NotImplementedError("adam: the body of this loop is yours to write")\n        yield theta\n'

needs_jail = pytest.mark.skipif(jail.available() is None, reason="neither bubblewrap nor Landlock works here")
JAILS = [pytest.param(name, marks=pytest.mark.skipif(not jail.probed(name), reason=f"{name} does not work here"))
         for name in jail.JAILS]


def submission(folder, loop=LOOP, before="", name="adaptive.py"):
    """A submission of Adam alone, with this as the body of its loop and that at the top of its file."""
    assert BLANK in EMPTY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(before + "\n" + EMPTY.replace(BLANK, loop), encoding="utf-8")
    return folder


def points(report, about="adam"):
    return sum(claim["points"] for claim in report["claims"] if claim["about"] == about)


FULL = sum(claim.points for claim in assignments.load("04").claims if claim.about == "adam")


# --------------------------------------------------------------------------------------------------- attacks

ATTACKS = {
    "loops for ever": ("", "while True: 1\n"),
    "eats memory": ("", "x = [bytearray(2**30) for _ in range(100)]\n        yield theta\n"),
    "prints without end": ("", "while True: print('x' * 10000)\n"),
    "forks": ("import os", "while os.fork() >= 0: 1\n        yield theta\n"),
    "exits": ("import os", "os._exit(0)\n        yield theta\n"),
    "exits at import": ("import os\nHERE = os._exit(0)", LOOP.replace("beta1 * m", "(HERE or m)")),
    "kills its parent": ("import os, signal", "os.kill(os.getppid(), signal.SIGKILL); os.kill(-1, signal.SIGKILL)\n"
                                              "        yield theta\n"),
    "deletes files": ("import shutil", "shutil.rmtree(TREE); yield theta\n".replace(
        "TREE", "__import__('pathlib').Path(__file__).parents[2]")),
    "writes into the tree": ("", "open(__file__, 'a').write('x')\n        yield theta\n"),
    "reads the solution": ("", f"open({str(ROOT / 'numopt' / 'optimizers' / 'adaptive.py')!r}).read()\n"
                               "        yield theta\n"),
    "reads the judge": ("", f"open({str(ROOT / 'lectures' / 'coursework' / 'judge.py')!r}).read()\n"
                            "        yield theta\n"),
    "opens a socket": ("import socket", "socket.create_connection(('127.0.0.1', 9), 1)\n        yield theta\n"),
    "hands back a false equal": ("class Yes(float):\n    __eq__ = __le__ = __lt__ = lambda self, other: True",
                                 "yield np.array([Yes(1)] * theta.size, object)\n"),
    "hands back a pickle": ("", "yield [lambda: 1]\n"),
    "hands back NaN": ("", "yield theta * np.nan\n"),
    "hands back a gigabyte": ("", "yield np.zeros(2**27)\n"),
    "patches NumPy": ("import numpy.testing\nnp.allclose = np.isclose = np.array_equal = lambda *a, **k: True\n"
                      "np.testing.assert_allclose = lambda *a, **k: None", "yield theta\n"),
    "patches pytest": ("import sys\nsys.modules['_pytest.python'] = None\nsys.exitfunc = lambda: 0", "yield theta\n"),
    "writes its own results": ("import os", "[open(f'{i}.done', 'w') for i in range(30)]; os._exit(0)\n"
                                            "        yield theta\n"),
    "writes links for results": ("import os", "[os.symlink('/etc/hostname', f'{i}-path.npy') for i in range(30)];"
                                              "[open(f'{i}.done', 'w') for i in range(30)]; os._exit(0)\n"
                                              "        yield theta\n"),
    "fills the disk with files": ("i = [0]", "while True: i.append(1); open(f'{len(i)}.x', 'w')\n"),
    "nests folders deeper than can be followed": ("import os", "for _ in range(1500): os.mkdir('d'); os.chdir('d')\n"
                                                               "        yield theta * 0\n"),
    "hands back numbers of no shape": ("import os\nimport numpy as np", "[np.save(f'{i}-path.npy', np.array(1.0)) "
                                       "for i in range(60)]; [open(f'{i}.done', 'w') for i in range(60)]\n"
                                       "        os._exit(0); yield theta\n"),
    "says that it kept what it wrote into": ("import numpy as np\nnp.array_equal = lambda *a, **k: True",
                                             "theta -= lr(t) * loss.gradient(theta)\n        yield theta\n"),
    "raises what cannot be printed": ("class Evil(Exception):\n    __str__ = __repr__ = lambda self: 1 / 0",
                                      "raise Evil; yield theta\n"),
    "has another optimizer do its work": ("", "from numopt.optimizers import adahessian, lion as other\n"
                                          "        yield from iter(other(problem, theta, lr=lr(1)))\n"),
    "has scipy's minimiser do its work": ("import importlib", "o = importlib.import_module('scipy.optimize')\n"
                                                              "        yield o.minimize(loss.value, theta).x\n"),
    "has scipy's solver do its work": ("import importlib, sys", "for n in [n for n in sys.modules if 'scipy' in n]:\n"
                                       "            del sys.modules[n]\n"
                                       "        importlib.import_module('scipy.optimize'); yield theta\n"),
    "sleeps until the limit": ("import time", "time.sleep(1000)\n        yield theta\n"),
}


@pytest.mark.slow
@needs_jail
@pytest.mark.parametrize("attack", [attack if attack in ("exits", "patches NumPy") else pytest.param(
    attack, marks=pytest.mark.slow) for attack in ATTACKS])
def test_an_attack_costs_its_own_points_and_nothing_else(attack, tmp_path, monkeypatch):
    monkeypatch.setattr(jail, "SECONDS", 4.0)
    before, loop = ATTACKS[attack]
    there = {file: file.read_bytes() for file in (ROOT / "numopt" / "optimizers").glob("*.py")}
    report = judge.graded("04", submission(tmp_path / "evil", loop, before), jail.available())
    assert points(report) == 0 and report["of"] == assignments.load("04").points
    assert there == {file: file.read_bytes() for file in (ROOT / "numopt" / "optimizers").glob("*.py")}
    assert all(claim["message"] for claim in report["claims"] if claim["about"] == "adam")


@pytest.fixture
def room():
    """A folder that whoever has given up root may pass through, as pytest's own is not."""
    with jail.room() as folder:
        for part in ("tree", "box", "outside"):
            (folder / part).mkdir()
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("name", JAILS)
def test_nothing_that_a_program_starts_outlives_it(name, room):
    mark = f"daemon-{os.getpid()}-{name}"
    program = room / "tree" / "daemon.py"
    program.write_text("import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
                       "        time.sleep(60)\n    os._exit(0)\ntime.sleep(0.3)\n")
    assert jail.run(name, [program, mark], readable=[room / "tree"], writable=room / "box").how == "done"
    time.sleep(0.2)
    running = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if os.access(file, os.R_OK)]
    assert not any(mark.encode() in line for line in running)


@pytest.fixture
def port():
    """One of this machine on which somebody listens, outside the jail."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("name", JAILS)
def test_what_is_outside_cannot_be_read_written_or_reached(name, room, port):
    (room / "outside" / "secret").write_text("secret")
    program = room / "tree" / "try.py"
    program.write_text(f"""
import os, socket
done = []
def attempt(name, what):
    try:
        what()
        done.append(name)
    except Exception:
        return
attempt("read", lambda: open({str(room / 'outside' / 'secret')!r}).read())
attempt("list", lambda: os.listdir({str(ROOT)!r}))
attempt("import", lambda: __import__("numopt"))
attempt("matplotlib", lambda: __import__("matplotlib"))
attempt("optimize", lambda: __import__("scipy.optimize").optimize.minimize)
attempt("isolve", lambda: __import__("scipy.sparse.linalg"))
attempt("solver", lambda: open({str(Path(scipy.__file__).parent / 'sparse/linalg/_isolve/iterative.py')!r}).read())
attempt("write", lambda: open({str(room / 'tree' / 'new')!r}, "w"))
attempt("write outside", lambda: open({str(room / 'outside' / 'new')!r}, "w"))
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("send", lambda: socket.create_connection(("127.0.0.1", {port}), 1))
attempt("root", lambda: os.setuid(0) if os.getuid() else 1 / 0)
attempt("huge", lambda: open("huge", "wb").write(bytes(64 * 2**20)))
attempt("good", lambda: open("mine", "w").write("x"))
open("done", "w").write(" ".join(done))
""")
    ended = jail.run(name, [program], readable=[room / "tree"], writable=room / "box")
    assert ended.how == "done", ended.said
    assert (room / "box" / "done").read_text() == "good"


def test_where_there_is_no_jail_nothing_is_run_unless_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jail, "available", lambda: None)
    one = submission(tmp_path / "one")
    assert main(["grade", "04", str(one)]) == 1
    assert "no jail here" in capsys.readouterr().err
    assert main(["grade", "04", str(one), "--unsafe"]) == 0


@pytest.mark.slow
@needs_jail
@pytest.mark.parametrize("name", ["01", "06", "07", "12"])
def test_whole_modules_with_what_they_import_and_their_twins_have_full_marks(name, tmp_path):
    shutil.copytree(ROOT / "numopt", tmp_path / "tree" / "numopt", ignore=shutil.ignore_patterns("__pycache__"))
    report = judge.graded(name, tmp_path / "tree", jail.available())
    assert report["points"] == report["of"], report


def test_an_expression_that_is_nested_too_deeply_costs_nobody_else_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: ["was not run"] * len(work))
    for number in 500, 980, 2_000, 100_000:
        deep = submission(tmp_path / str(number), "x = " + "+".join(["1"] * number) + "\n        yield theta\n")
        report = judge.graded("04", deep, None)
        assert report["points"] == 0
        assert number < 100_000 or re.search("recursion|nested too deeply", report["words"][0])


def test_what_is_long_is_read_in_a_time_that_is_not(tmp_path):
    """Where the time grew with the square of the length, this would not end."""
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "\n" * 400_000}]}))
    assert submissions.handed_in(tmp_path / "a.ipynb", {"adaptive.py"})["a.ipynb"].strip() == ""
    chain = "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(8000))
    there = submission(tmp_path / "chain", LOOP.replace("theta = theta", "f0(); theta = theta"), chain)
    text = blanks.answered(EMPTY, submissions.handed_in(there, {"adaptive.py"})["adaptive.py"], "adam")
    assert text.count("def f") >= 8000


def test_no_other_optimizer_is_there_to_do_an_answers_work():
    assignment = assignments.load("04")
    work = [claim.job(np.random.default_rng(0)) for claim in assignment.claims if claim.about == "adam"]
    sources = judge.alone(judge.hollow("04"), assignment, work)
    for file, text in sources.items():
        if file.startswith("numopt/optimizers/") and "compiled" not in file:
            loops = [node for node in blanks.ast.parse(text).body if isinstance(node, blanks.ast.FunctionDef)
                     and blanks.loop_of(node) is not None]
            assert all("yours to write" in blanks.ast.unparse(loop) for loop in loops)
    assert "twin_of(" not in sources["numopt/optimizers/compiled.py"].replace("def twin_of(", "")


def test_links_pipes_and_heaps_of_files_are_not_read(tmp_path):
    submission(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "heap").mkdir()
    for number in range(submissions.MEMBERS + 1):
        (tmp_path / "heap" / f"{number}.txt").touch()
    for number in range(submissions.MOST + 1):
        submission(tmp_path / "many" / str(number))
    for name in "two", "one":
        submission(tmp_path / name / "hw")
        shutil.make_archive(tmp_path / "two" / f"of {name}", "zip", tmp_path / name / "hw")
        shutil.rmtree(tmp_path / name / "hw")
    assert submissions.handed_in(tmp_path / "two", {"adaptive.py"}) == {}, "which of two is not said"
    (tmp_path / "two" / "of one.zip").unlink()
    assert list(submissions.handed_in(tmp_path / "two", {"adaptive.py"})) == ["adaptive.py"]
    for name, words in (("link", "is a link"), ("pipe.zip", "not an ordinary file"), ("heap", "more than 2000 files"),
                        ("many", "hand in one of each")):
        with pytest.raises(blanks.Unusable, match=words):
            submissions.handed_in(tmp_path / name, {"adaptive.py"})


def test_submissions_of_one_name_have_pages_of_their_own():
    def report():
        return {"submission": "hw.py"}

    told = reports.told_apart([report(), report(), report()], [Path("/x/ann/hw.py"), Path("/x/bob/hw.py"),
                                                               Path("/y/bob/hw.py")])
    assert [report["submission"] for report in told] == ["ann/hw.py", "bob/hw.py", "bob/hw.py (2)"]
    assert len({reports.file_name(report["submission"]) for report in told}) == 3


def test_where_the_judge_itself_stumbles_the_others_have_their_grades(tmp_path, monkeypatch, capsys):
    graded = judge.graded
    monkeypatch.setattr(judge, "graded", lambda name, path, *how: 1 / 0 if path.name == "b" else graded(
        name, path, *how))
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: truths)
    for name in "ab":
        submission(tmp_path / name)
    assert main(["grade", "04", str(tmp_path), "--unsafe", "--csv", str(tmp_path / "grades.csv")]) == 0
    lines = (tmp_path / "grades.csv").read_text().splitlines()
    assert lines[1].startswith(f"a,{FULL},") and lines[2].startswith("b,0,") and "could not be graded" in lines[2]


# --------------------------------------------------------------------------------------------- honest answers

@pytest.mark.slow
@needs_jail
def test_the_same_submission_twice_has_the_same_grade(tmp_path):
    there = submission(tmp_path / "one", LOOP.replace("lr(t)", "lr(1)"))
    first, second = (judge.graded("04", there, jail.available()) for _ in range(2))
    assert first == second and 0 < points(first) < FULL


def test_the_numbers_follow_from_what_runs_and_are_others_for_another_program(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: asked.append(work) or truths)
    loop = LOOP.replace("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)")  # right or wrong, as eps is drawn
    for body in (loop, loop, loop.replace("lr(t)", "lr(t) ") + "        # again\n", loop.replace("eps)", "eps + 0)")):
        judge.graded("04", submission(tmp_path / "one", body), None, seed=7)
    first, second, spaced, other = asked
    assert first == second == spaced
    shown = range(0, len(first), judge.DRAWS + 1)
    assert all((a == b) == (number in shown) for number, (a, b) in enumerate(zip(first, other)))
    assert all(first[number + 1] != first[number + 2] for number in shown), "each is tried on more than one"
    assignment = assignments.load("04")
    assert [first[number] for number in shown] == [claim.job(assignments.example(assignment, claim, 7)) for claim in
                                                   assignment.claims if claim.about == "adam"]


def test_what_is_graded_has_all_the_answers_of_a_submission_in_it_each_in_its_place(tmp_path, monkeypatch):
    planted = []
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: planted.append(sources) or truths)
    (tmp_path / "adaptive.py").write_text(ADAPTIVE, encoding="utf-8")
    report = judge.graded("04", tmp_path, None)
    assert report["points"] == report["of"] and len(planted) == 2 and not report["words"]
    for sources in planted:
        text = sources["numopt/optimizers/adaptive.py"]
        assert blanks.same(text, ADAPTIVE, "adam") and blanks.same(text, ADAPTIVE, "rmsprop")
        assert not blanks.same(text, ADAPTIVE, "amsgrad")


@pytest.mark.slow
@needs_jail
@pytest.mark.parametrize("loop", [
    LOOP.replace("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),                              # eps is small or not
    LOOP.replace("yield theta", "yield theta * (1 + 1e-6 * np.sin(1e6 * theta))")])            # as near as is forgiven
def test_ten_gradings_of_what_is_nearly_right_give_one_grade(loop, tmp_path):
    there = submission(tmp_path / "one", loop)
    assert len({json.dumps(judge.graded("04", there, jail.available())) for _ in range(10)}) == 1


@needs_jail
def test_a_failure_tells_the_sentence_and_what_the_example_shows_and_no_hidden_number(tmp_path):
    there = submission(tmp_path / "one", LOOP.replace("m / (1 - beta1**t)", "m"))
    report = judge.graded("04", there, jail.available())
    first = next(claim for claim in report["claims"] if claim["about"] == "adam")
    assert re.search(r"step 1, coordinate 0: expected -?[\d.]+, got -?[\d.]+", first["message"])
    assert {claim["message"] for claim in report["claims"] if not claim["shown"]} <= {
        None, "it does not hold", "rmsprop is as it was handed out"}


@pytest.mark.parametrize("said, marks", [
    ('{"nesterov": {"line": "  g = loss.gradient(theta+mu(t) * v)  # so", "what": "LETTER"}}', (1, 1)),
    ('{"nesterov": {"line": "theta = theta - v", "what": "LETTER"}}', (0, 1)),
    ('{"nesterov": {"line": "", "what": "abcd"}}', (0, 0)), ('{"nesterov": "everything"}', (0, 0)), ("[1]", (0, 0)),
    ("__import__('os')._exit(0)", (0, 0)), ("{", (0, 0))])
def test_what_was_wrong_is_read_and_not_run(said, marks, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: ["was not run"] * len(work))
    assignment = assignments.load("03b")
    said = said.replace("LETTER", assignment.faults["nesterov"].letter())
    shutil.copy(ROOT / "numopt" / "optimizers" / "momentum.py", tmp_path)
    (tmp_path / "diagnosis.py").write_text(f"DIAGNOSIS = {said}\n")
    report = judge.graded("03b", tmp_path, None)
    asked = report["claims"][-2:]
    assert tuple(claim["points"] for claim in asked) == marks and report["of"] == assignment.points
    assert all((claim["message"] is None) == bool(claim["points"]) for claim in asked)
    assert {claim["message"] for claim in report["claims"][:-2]} == {"was not run"}


def test_who_only_says_what_was_wrong_has_the_points_for_that_and_is_told_which_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda *given: pytest.fail("there is nothing to run"))
    fault = assignments.load("04b").faults["adam"]
    (tmp_path / "diagnosis.py").write_text(f"DIAGNOSIS = {{'adam': {{'what': '{fault.letter()}'}}}}\n")
    for there in tmp_path, tmp_path / "diagnosis.py":
        report = judge.graded("04b", there, None)
        assert report["words"] == ["there is no adaptive.py in it"] and report["points"] == 1
        assert [claim["message"] for claim in report["claims"][-2:]] == ["diagnosis.py does not say it", None]


# -------------------------------------------------------------------------------------------------- what comes

def zipped(file, **members):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_py", ".py").replace("_zip", ".zip"), text)
    return file


@needs_jail
def test_it_may_come_as_a_tree_a_module_a_zip_file_or_a_notebook(tmp_path):
    whole = EMPTY.replace(BLANK, LOOP)
    tree = submission(tmp_path / "tree" / "numopt" / "optimizers").parents[1]
    notebook = tmp_path / "answer.ipynb"
    notebook.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# mine"]},
                                              {"cell_type": "code", "source": "%matplotlib inline\n" + whole},
                                              {"cell_type": "code", "source": ["adam\n"]}]}), encoding="utf-8")
    crlf = tmp_path / "adaptive.py"
    crlf.write_bytes(b"\xef\xbb\xbf" + whole.replace("\n", "\r\n").encode())
    archive = zipped(tmp_path / "a.zip", my_work__numopt__optimizers__adaptive_py=whole)
    assert all(map(accepted, (tree, notebook, crlf, archive)))
    assert points(judge.graded("04", archive, jail.available())) == FULL


def accepted(there):
    """What the judge would run of a submission: the text that Adam is taken from."""
    found = submissions.handed_in(there, {"adaptive.py"})
    text = blanks.answered(EMPTY, submissions.chosen(found, "numopt/optimizers/adaptive.py", alone=True), "adam")
    return blanks.same(text, blanks.answered(EMPTY, EMPTY.replace(BLANK, LOOP), "adam"), "adam")


def test_what_editors_systems_and_notebooks_add_changes_nothing(tmp_path):
    whole = EMPTY.replace(BLANK, LOOP)
    (tmp_path / "utf16").mkdir()
    (tmp_path / "utf16" / "adaptive.py").write_bytes(whole.replace("\n", "\r\n").encode("utf-16"))
    (tmp_path / "utf16" / "._adaptive.py").write_bytes(b"\0\5\26\7")
    cells = ["adam?", "This is how it goes:", "%%time\n" + EMPTY, whole.replace("theta, *", "theta: object, *"), "1 +"]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": text} for text in cells]}))
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for name in "__MACOSX/._adaptive.py", "__MACOSX/hw/._a.ipynb", ".ipynb_checkpoints/adaptive.ipynb":
            archive.writestr(name, b"\0\5\26\7")
        archive.writestr("../../../etc/numopt/optimizers/adaptive.py", whole)
    with zipfile.ZipFile(tmp_path / "absolute.zip", "w") as archive:
        archive.writestr("/etc/adaptive.py", whole)
    for there in ("utf16", "a.ipynb", "mac.zip", "absolute.zip"):
        assert accepted(tmp_path / there), there
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.ipynb", "absolute.zip", "mac.zip", "utf16"]


@pytest.mark.parametrize("make, words", [
    (lambda folder: submission(folder / "a", "theta = = 2\n"), "Python cannot read the file, line"),
    (lambda folder: folder / "nothing", "there is no nothing"),
    (lambda folder: zipped(folder / "z.zip", inner_zip=b"PK"), "holds another zip file"),
    (lambda folder: (folder / "z.zip").write_bytes(b"PK\3\4 broken") and folder / "z.zip", "is not a whole zip file"),
    (lambda folder: (folder / "a.txt").write_text("x") and folder / "a.txt", "neither a folder, a zip file"),
    (lambda folder: (folder / "adaptive.py").write_text("x = 1\n") and folder / "adaptive.py",
     "there is no function adam in it"),
    (lambda folder: (folder / "adaptive.py").write_bytes(b"\xff\xfe\x00") and folder / "adaptive.py",
     "not text in UTF-8"),
    (lambda folder: (folder / "adaptive.py").write_text("x = 1\n" * 300_000) and folder / "adaptive.py", "more than"),
    (lambda folder: (folder / "a.ipynb").write_text("{}") and folder / "a.ipynb", "not a whole notebook"),
    (lambda folder: submission(folder / "a", before="import torch"), "it imports torch"),
    (lambda folder: submission(folder / "a", before="import torch.nn"), "it imports torch"),
    (lambda folder: submission(folder / "a", before="from scipy import optimize"), "it imports scipy"),
    (lambda folder: submission(folder / "a", before="from scipy.optimize import minimize"),
     "it imports scipy.optimize"),
    (lambda folder: submission(folder / "a", LOOP + "        import scipy.optimize as o\n"), "it imports scipy"),
    (lambda folder: (folder / "adaptive.py").write_text("def adam(problem, theta, lr=1): yield theta\n"
                                                        "def rmsprop(): 1\n") and folder / "adaptive.py",
     r"another signature; it must be def adam\(problem, theta, \*, lr=0.001"),
    (lambda folder: (folder / "adaptive.py").symlink_to("/etc/passwd") or folder, "is a link: hand in the file itself"),
    (lambda folder: (folder / "mine.ipynb").symlink_to("/etc/passwd") or folder, "levels of symbolic links"),
    (lambda folder: (folder / "adaptive.py").touch() or folder, "there is no function adam in it"),
    (lambda folder: (folder / "adaptive.py").mkdir() or folder, "there is none of its files in it: adaptive.py"),
    (lambda folder: zipped(folder / "z.zip", notes_txt="x"), "there is none of its files in it"),
    (lambda folder: (folder / "adaptive.py").write_bytes("x = 1".encode("utf-32")) and folder / "adaptive.py",
     "Python cannot read the file|not text in UTF-8"),
])
def test_what_cannot_be_graded_is_told_in_plain_words(make, words, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: ["was not run"] * len(work))
    report = judge.graded("04", make(tmp_path), None)
    assert report["points"] == 0 and any(re.search(words, word) for word in report["words"]), report["words"]


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("adaptive.py", b" " * 2**25)
    with pytest.raises(blanks.Unusable, match="more than"):
        submissions.handed_in(tmp_path / "bomb.zip", {"adaptive.py"})


def test_an_array_that_is_handed_back_is_believed_to_be_nothing_but_numbers(tmp_path):
    def refused(write, why=None):
        file = tmp_path / "0-path.npy"
        write(file)
        with pytest.raises((ValueError, OSError), match=why):
            judge.numbers(file)
        file.unlink()

    right = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "right.npy", np.asfortranarray(right))
    assert (judge.numbers(tmp_path / "right.npy") == right).all()
    refused(lambda file: np.save(file, np.array([print], object), allow_pickle=True))
    refused(lambda file: np.save(file, np.array(["text"])))
    refused(lambda file: file.write_bytes((tmp_path / "right.npy").read_bytes()[:-8]), "not as large as it says")
    refused(lambda file: file.write_bytes((tmp_path / "right.npy").read_bytes() + bytes(8)), "not as large as it says")
    refused(lambda file: np.save(file, right.astype(np.int64)), "not as large as it says")
    refused(lambda file: file.write_bytes(b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, "
                                          b"'shape': (10000000000000,), }" + b" " * 20))
    refused(lambda file: file.symlink_to(tmp_path / "right.npy"))
    refused(lambda file: os.mkfifo(file))
    np.save(tmp_path / "right.npy", np.ones(2**19 - 16))  # with its head of 128 bytes as large as an answer can be
    assert len(judge.numbers(tmp_path / "right.npy")) == 2**19 - 16
    refused(lambda file: np.save(file, np.ones(2**19 - 15)), "too large")


# --------------------------------------------------------------------------------------------------- a class

@needs_jail
def test_a_folder_of_submissions_becomes_a_table_pages_and_a_test_report(tmp_path, capsys):
    class_ = tmp_path / "class"
    submission(class_ / "right")
    submission(class_ / "=wrong", LOOP.replace("- lr(t)", "+ lr(t)"))
    (class_ / "empty").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    assert main(["grade", "04", str(class_), "--csv", f"{out}/grades.csv", "--json", f"{out}/grades.json",
                 "--junit", f"{out}/grades.xml", "--pages", f"{out}/pages"]) == 0
    reports = {report["submission"]: report for report in json.loads((out / "grades.json").read_text())}
    assert points(reports["right"]) == FULL and reports["empty"]["points"] == 0
    lines = (out / "grades.csv").read_text().splitlines()
    assert len(lines) == 4 and lines[1].startswith("'=wrong,") and lines[3].startswith("right,")
    assert "<failure" in (out / "grades.xml").read_text()
    assert len(list((out / "pages").iterdir())) == 3
    assert f"{reports['right']['points']:3} of {reports['right']['of']}" in capsys.readouterr().out


def test_a_mistaken_command_says_so_before_anything_is_run(tmp_path, capsys):
    assert main(["grade", "99", str(tmp_path)]) == 1
    assert "there is no assignment '99'; there is 01, 01b, 02" in capsys.readouterr().err
    assert main(["grade", "04", str(tmp_path), "--csv", str(tmp_path / "no" / "grades.csv")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert main(["grade", "04", str(tmp_path), "-j", "0"]) == 1
    assert "-j is 0; it must be at least 1" in capsys.readouterr().err


def test_the_judge_never_imports_what_was_handed_in():
    for file in ("judge.py", "submissions.py", "reports.py", "blanks.py"):
        text = (ROOT / "lectures" / "coursework" / file).read_text(encoding="utf-8")
        assert not re.search(r"\b(exec|eval|import_module|__import__|runpy|pickle)\b(?!\")", text)


@needs_jail
def test_the_worker_has_neither_claims_nor_answers_to_read(tmp_path, monkeypatch):
    judge.planted(tmp_path / "tree", judge.hollow("04"))
    there = sorted(str(file.relative_to(tmp_path / "tree")) for file in (tmp_path / "tree" / "lectures").rglob("*"))
    assert there == ["lectures/coursework", "lectures/coursework/jobs.py", "lectures/coursework/worker.py"]
    program = ("import sys; sys.path.insert(0, sys.argv[1]); import lectures.coursework.jobs, numopt;"
               "print(numopt.__file__)")
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "tree"], capture_output=True, text=True, cwd="/")
    assert str(tmp_path / "tree") in done.stdout, done.stderr
