"""What a clever student tries, and what the machine of the judge has to stand."""
import ctypes
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from lectures import assignments
from lectures.__main__ import main
from lectures.coursework import blanks, bounds, jail, judge, secret, submissions
from tests.lectures.coursework.test_judge import BLANK, EMPTY, JAILS, LOOP, points, submission

ALONE = [pytest.param(name, marks=[*name_.marks, pytest.mark.slow]) for name_ in JAILS for name in name_.values]


@pytest.fixture
def room():
    with jail.room() as folder:
        for part in ("tree", "box"):
            (folder / part).mkdir()
        yield folder


def run(name, room, program, **how):
    (room / "tree" / "program.py").write_text(program)
    return jail.run(name, [room / "tree" / "program.py"], readable=[room / "tree"], writable=room / "box", **how)


# ------------------------------------------------------------------------------------------------ hidden numbers

def drawn(monkeypatch, tmp_path, secret, loop=LOOP):
    asked = []
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: asked.append(work) or truths)
    judge.graded("04", submission(tmp_path / "one", loop), None, 7, secret)
    return asked[0]


def test_hidden_numbers_follow_from_the_teachers_secret_and_those_of_the_example_do_not(tmp_path, monkeypatch):
    one, again, other = (drawn(monkeypatch, tmp_path, secret) for secret in (b"one", b"one", b"other"))
    assert one == again
    shown = range(0, len(one), judge.DRAWS + 1)
    assert all((a == b) == (number in shown) for number, (a, b) in enumerate(zip(one, other)))


def test_hidden_numbers_follow_from_the_assignment_every_file_the_seed_and_the_secret():
    usual = {"name": "04", "sources": {"a.py": "x", "b.py": "y"}, "seed": 0, "secret": b"one"}
    others = [{"name": "04b"}, {"sources": {"a.py": "x", "b.py": "y "}}, {"sources": {"a.py": "y", "b.py": "x"}},
              {"sources": {"a.py": "x"}}, {"seed": 1}, {"secret": b"two"}, {}]
    assert len({judge.drawing(**usual | other).random() for other in others}) == len(others)
    assert judge.drawing("04", {"b.py": "y", "a.py": "x"}, 0, b"one").random() == judge.drawing(**usual).random()


def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path, monkeypatch):
    first = secret.kept(tmp_path / "a")
    assert secret.kept(tmp_path / "a") == first != secret.kept(tmp_path / "b") and len(first) >= secret.LEAST
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0 and len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(secret, "USUAL", tmp_path / "home" / "numopt" / "usual")
    assert secret.kept() == secret.kept()
    (tmp_path / "a").write_text("short")
    with pytest.raises(ValueError, match="16 are the least"):
        secret.kept(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        secret.kept(tmp_path / "no" / "a")
    (tmp_path / "short").write_bytes(b" " + bytes(range(65, 65 + secret.LEAST)) + b"\n")  # as few bytes as may be
    assert len(secret.kept(tmp_path / "short")) == secret.LEAST == 16
    (tmp_path / "short").write_bytes(b"A" * 15 + b" \n")
    with pytest.raises(ValueError, match="has 15 bytes; 16 are the least"):
        secret.kept(tmp_path / "short")


def test_a_grading_is_done_with_the_secret_that_is_named(tmp_path, monkeypatch):
    known = []
    monkeypatch.setattr(judge, "graded", lambda *how: known.append(how[-1]) or judge.could_not_be("04", how[1], ""))
    for file in ("a", "b", "a"):
        assert main(["grade", "04", str(submission(tmp_path / "one")), "--unsafe", "--secret",
                     str(tmp_path / file)]) == 0
    assert known[0] == known[2] != known[1] and known[0] == (tmp_path / "a").read_bytes().strip()


# --------------------------------------------------------------------------------------------- marks for nothing

LAZY = {("04", "first_step"): lambda truth: {"path": 2 * truth["path"][:1] - truth["path"]},
        ("02", "one_length"): lambda truth: {"path": 2 * truth["path"][:1] - truth["path"]},
        ("13b", "balance"): lambda truth: {"dx": 0 * truth["dx"]}}


@pytest.mark.parametrize("name, holds", LAZY)
def test_what_is_easily_had_is_not_enough(name, holds):
    from lectures.coursework import jobs
    claim, = [claim for claim in assignments.load(name).claims if claim.holds.__name__ == holds]
    for seed in range(5):
        job = json.loads(json.dumps(claim.job(np.random.default_rng(seed))))
        truth = jobs.perform(job)
        assert claim.holds(job, truth, truth) is None
        assert claim.holds(job, truth | LAZY[name, holds](truth), truth)


# --------------------------------------------------------------------------------------- the machine of the judge

@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("program", [
    "import os\nkept = []\nfor i in range(60):\n    kept.append(open('x', 'wb'))\n    os.unlink('x')\n"
    "    kept[-1].write(bytes(2**23))\n    kept[-1].flush()\nimport time; time.sleep(5)",
    "import os\nkept = [os.memfd_create('x') for _ in range(60)]\nfor one in kept: os.write(one, bytes(2**23))\n"
    "import time; time.sleep(5)",
    "import os, time\nos.fork(); os.fork()\nx = bytearray(2**27); x[::4096] = b'1' * len(x[::4096])\ntime.sleep(5)",
])
def test_files_without_names_and_memory_of_all_processes_are_counted(name, program, room, monkeypatch):
    monkeypatch.setattr(bounds, "HELD", 2**28)
    assert run(name, room, program, seconds=20).how == "heavy"


@pytest.mark.parametrize("name", JAILS)
def test_there_is_no_shared_memory_that_would_stay(name, room):
    program = "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.shmget({}, 4096, 0o1666) < 0".format
    there = ctypes.CDLL(None).shmget(0x6E6F, 4096, 0o1666)  # of somebody else, for all to use
    try:
        assert run(name, room, program("0x6E6F")).how == "done"
        if os.geteuid() == 0:
            assert run(name, room, program("0")).how == "done"
    finally:
        ctypes.CDLL(None).shmctl(there, 0, None)


@pytest.mark.parametrize("name", ALONE)
def test_a_chain_of_processes_that_runs_away_is_caught(name, room):
    """Each of them forks the next and ends, faster than /proc can be read."""
    mark = f"chain-{os.getpid()}-{name}"
    (room / "tree" / "chain.py").write_text(
        "import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    end = time.time() + 60\n"
        "    while time.time() < end:\n        if os.fork(): os._exit(0)\ntime.sleep(0.5)\n")
    jail.run(name, [room / "tree" / "chain.py", mark], readable=[room / "tree"], writable=room / "box")
    for _ in range(20):
        time.sleep(0.02)
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert mark.encode() not in file.read_bytes()
            except OSError:
                continue


@pytest.mark.parametrize("name", ALONE)
def test_time_that_others_had_the_processors_is_nobodys_fault(name, room, monkeypatch):
    program = "import time; time.sleep(1.5)"
    assert run(name, room, program, seconds=0.5).how == "late"
    monkeypatch.setattr(bounds, "waited", lambda process: 10.0)
    assert run(name, room, program, seconds=0.5).how == "done"
    monkeypatch.setattr(jail, "PATIENCE", 2)
    assert run(name, room, program, seconds=0.5).how == "late"


# ---------------------------------------------------------------------------------------------------- honest work

def accepted(loop, before):
    """The text that would run, when it has run: the module's names."""
    text = blanks.answered(EMPTY, before + "\n" + EMPTY.replace(BLANK, loop), "adam")
    namespace = {"__name__": "numopt.optimizers.adaptive"}
    exec(compile(text, "an answer", "exec"), namespace)
    return namespace


def test_names_that_an_answer_gives_itself_bring_nothing_of_a_notebook_with_them():
    tried = ("import matplotlib.pyplot as plt\ng = np.load('mine.npy')\ntheta = g\nloss = 1 / 0\nm = v = theta\n"
             "for t in range(3):\n    plt.plot(theta)\nadam(1, 2)\n")
    assert "plt" not in accepted(LOOP, tried)


def test_what_an_answer_needs_comes_with_it_however_it_was_written():
    needed = ("TABLE = []\nfor k in range(3):\n    TABLE.append(k)\nSUM = 0\nSUM += 2\nLIST = [1]\nLIST.append(7)\n"
              "try:\n    from math import prod\nexcept ImportError:\n    prod = None\n"
              "if SUM:\n    def helper(x):\n        return x\n")
    there = accepted(LOOP.replace("yield theta", "yield helper(theta) * TABLE[1] * SUM * LIST[0] * prod([1])"), needed)
    assert there["TABLE"] == [0, 1, 2] and there["SUM"] == 2 and there["LIST"] == [1, 7] and there["helper"](3) == 3


def test_a_notebook_with_its_pictures_is_read_and_one_of_endless_code_is_not(tmp_path):
    def read(code, output):
        cell = {"cell_type": "code", "source": code, "outputs": [{"data": {"image/png": output}}]}
        (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
        return submissions.handed_in(tmp_path / "a.ipynb", {"adaptive.py"})["a.ipynb"]

    assert read("x = 1", "A" * 5_000_000) == "x = 1"
    with pytest.raises(blanks.Unusable, match="code in a.ipynb has more than"):
        read("x = 1\n" * 100_000, "")
    with pytest.raises(blanks.Unusable, match="more than 8,388,608 bytes"):
        read("x = 1", "A" * 9_000_000)


# ------------------------------------------------------------------------------------------- words about the judge

@pytest.mark.parametrize("said", ['{"adam": {"line": 0x' + "f" * 9000 + '}}', '{"adam": {"what": [[]]}}',
                                  '{("adam",): {"line": "x"}}', '{["adam"]: 1}', '{"adam": {"line": b"m"}}'])
def test_a_diagnosis_that_is_no_text_is_wrong_and_nothing_else(said, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: truths)
    submission(tmp_path)
    (tmp_path / "diagnosis.py").write_text(f"DIAGNOSIS = {said}\n")
    report = judge.graded("04b", tmp_path, None)
    assert [claim["points"] for claim in report["claims"][-2:]] == [0, 0] and report["points"] == report["of"] - 2


def test_what_python_reads_and_will_not_compile_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "worked", lambda sources, work, truths, jailed: truths)
    report = judge.graded("04", submission(tmp_path / "one", "x = 1; global x\n        yield theta\n"), None)
    assert points(report) == 0 and any("Python cannot read adam" in word for word in report["words"])
