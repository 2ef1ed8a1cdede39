"""The command python -m figures: what it says, what it leaves behind, and what it answers when something goes wrong."""
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import figures
from figures.making import records
from figures.making.command import main
from numopt.record import load

ROOT = Path(__file__).parents[2]

GOOD = '''
"""A line."""
import matplotlib.pyplot as plt
import numpy as np


def compute():
    return {"line": np.arange(3.0)}


def draw(line):
    figure, ax = plt.subplots()
    ax.plot(line)
    return figure
'''

# Diverged takes two arguments, and so cannot be unpickled by the process that hears of it.
BROKEN = GOOD.replace("    return {", """    from numopt.optimizer import Diverged
    raise Diverged("adam became non-finite at step 7", 7)
    return {""")

# It leaves a mark when it has begun, and then waits to be interrupted: in short sleeps, as a signal that comes just
# before a sleep does not end it.
ENDLESS = GOOD.replace("    return {", """    import pathlib, time
    pathlib.Path("begun").touch()
    while True:
        time.sleep(0.05)
    return {""")


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder of figures of their own, around the command, and gives the arguments to run it."""
    package = tmp_path / "figures"
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "figures" / name, package)
    shutil.copytree(ROOT / "figures" / "making", package / "making", ignore=shutil.ignore_patterns("__pycache__"))

    def command(*arguments, **scripts):
        for name, script in scripts.items():
            (package / f"{name}.py").write_text(script, encoding="utf-8")
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return {"args": [sys.executable, "-m", "figures", *arguments], "cwd": tmp_path, "text": True,
                "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": os.environ | {"PYTHONPATH": path}}

    return command


def files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


# ------------------------------------------------------------------------------------------ what it says

def test_list_says_what_there_is_and_draws_nothing(capsys, tmp_path):
    assert main(["--list", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == figures.names() and files(tmp_path) == []
    assert all(line.endswith(figures.caption(name)) for name, line in zip(figures.names(), lines))


def test_list_of_some_names_lists_those(capsys):
    assert main(["--list", "saddle", "zigzag"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["saddle", "zigzag"]


def test_an_unknown_name_is_answered_with_the_nearest_ones_and_nothing_is_drawn(capsys, tmp_path):
    assert main(["zigzag", "zigzga", "sadle", "--out", str(tmp_path)]) == 2
    seen = capsys.readouterr()
    assert "there is no figure 'zigzga'; there is zigzag" in seen.err
    assert "there is no figure 'sadle'; there is saddle" in seen.err
    assert seen.out == "" and files(tmp_path) == []


def test_a_name_like_no_other_is_answered_with_all_there_are(capsys):
    assert main(["0123456789"]) == 2
    assert ", ".join(figures.names()) in capsys.readouterr().err


@pytest.mark.parametrize("arguments, said", [
    (["-j", "0"], "-j must be at least 1"), (["--format", "jpg"], "invalid choice: 'jpg'"),
    (["--out", __file__], "--out must be a folder")])
def test_arguments_that_make_no_sense_are_refused(arguments, said, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(["zigzag", *arguments])
    assert refusal.value.code == 2 and said in capsys.readouterr().err


def test_neither_the_style_nor_a_file_of_the_package_is_a_figure():
    assert {"style", "records", "moving", "sheet", "__init__", "__main__"}.isdisjoint(figures.names())


# ---------------------------------------------------------------------------- what it leaves, and answers

def test_a_figure_that_fails_does_not_stop_the_others(folder, tmp_path):
    done = subprocess.run(**folder("-j", "2", a_line=GOOD, broken=BROKEN, c_line=GOOD, no_python="def compute(:"))
    assert done.returncode == 1
    assert files(tmp_path / "figures" / "out") == ["a_line.png", "c_line.png"]
    assert sorted(Path(line).stem for line in done.stdout.split()) == ["a_line", "c_line"]
    assert "numopt.optimizer.Diverged: adam became non-finite at step 7" in done.stderr
    assert "SyntaxError" in done.stderr and "2 of 4 failed: broken, no_python" in done.stderr


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of this kind are those of Unix")
def test_ctrl_c_answers_130_and_leaves_only_whole_pictures(folder, tmp_path):
    running = subprocess.Popen(**folder("-j", "1", "--out", "pictures", endless=ENDLESS), start_new_session=True)
    try:
        while not (tmp_path / "begun").exists() and running.poll() is None:
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        _, said = running.communicate()
    finally:
        running.kill()
    assert running.returncode == 130 and "stopped; what has been drawn is whole" in said
    assert files(tmp_path / "pictures") == []


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
def test_a_picture_is_written_whole_or_not_at_all(error, monkeypatch, tmp_path):
    def half(self, file, **how):
        Path(file).write_bytes(b"half a picture")
        raise error

    (tmp_path / "zigzag.png").write_bytes(b"an earlier picture")
    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(type(error)):
        figures.render("zigzag", tmp_path)
    assert files(tmp_path) == ["zigzag.png"] and (tmp_path / "zigzag.png").read_bytes() == b"an earlier picture"


@pytest.mark.parametrize("format, beginning", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_the_same_script_gives_the_same_bytes_in_every_format(format, beginning, monkeypatch, tmp_path):
    first = figures.render("nesterov_step", tmp_path / "first", format).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")    # another day
    second = figures.render("nesterov_step", tmp_path / "second", format).read_bytes()
    assert first.startswith(beginning) and first == second and b"1970" not in second


def test_a_picture_can_be_read_by_everybody(tmp_path):
    assert figures.render("nesterov_step", tmp_path).stat().st_mode & 0o777 == 0o644


def test_drawing_closes_its_figure_and_leaves_the_settings_alone(tmp_path):
    import matplotlib
    import matplotlib.pyplot as plt
    before, size = plt.get_fignums(), matplotlib.rcParams["font.size"]
    figures.render("nesterov_step", tmp_path)
    assert plt.get_fignums() == before and matplotlib.rcParams["font.size"] == size


# ------------------------------------------------------------------------------ pictures drawn from a record

# Two runs, of which the second fails as long as there is a file of the name "trouble".
RECORDED = '''
"""A line.

Lecture 1.
"""
import pathlib
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded

SETS = ("digits", "boston")
SEED = 5


def runs(data):
    return {"a/1": partial(run, data, 1), "b 2": partial(run, data, 2)}


def run(data, number):
    with open("done", "a") as file:
        file.write(f"{number}")
    if number == 2 and pathlib.Path("trouble").exists():
        return {"line": np.array([1.0, np.nan])}
    return {"line": np.random.default_rng([SEED, number]).normal(size=len(data))}


def compute():
    return {name[0]: arrays["line"] for name, arrays in recorded("line").items()}


def draw(a, b):
    figure, ax = plt.subplots()
    ax.plot(a)
    ax.plot(b)
    return figure
'''


def test_a_record_is_made_once_and_drawn_from_until_it_is_made_again(folder, tmp_path):
    first = subprocess.run(**folder("--recompute", "--data", "boston", line=RECORDED))
    assert first.returncode == 0 and (tmp_path / "done").read_text() in ("12", "21")
    assert files(tmp_path / "figures" / "records") == ["line.npz"] and "line.npz" in first.stdout
    record = load(tmp_path / "figures" / "records" / "line.npz")
    assert (record["set"], record["seed"], record["date"]) == ("boston", 5, date.today().isoformat())
    assert "NumPy" in record["made_with"] and record["runs"]["b 2"]["line"].shape == (len("boston"),)
    picture = tmp_path / "figures" / "out" / "line.png"
    drawn = picture.read_bytes()
    assert subprocess.run(**folder("line")).returncode == 0
    assert picture.read_bytes() == drawn and len((tmp_path / "done").read_text()) == 2
    assert files(tmp_path / "figures" / "out") == ["line.png"]     # nothing is left of the parts


@pytest.fixture
def line(tmp_path, monkeypatch):
    """The script above as figures.line, with a place for its record."""
    (tmp_path / "line.py").write_text(RECORDED, encoding="utf-8")
    specification = importlib.util.spec_from_file_location("figures.line", tmp_path / "line.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    monkeypatch.setitem(sys.modules, "figures.line", script)
    monkeypatch.setattr(records, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(records, "PARTS", tmp_path / "parts")
    monkeypatch.chdir(tmp_path)


def test_what_was_done_before_a_run_failed_is_not_repeated(line, tmp_path):
    records.perform("line", "digits", "a/1")
    (tmp_path / "trouble").touch()
    with pytest.raises(ValueError, match="in the run 'b 2' the array 'line' is not finite"):
        records.perform("line", "digits", "b 2")
    assert records.missing("line", "digits") == ["b 2"] and records.missing("line", "boston") == ["a/1", "b 2"]
    (tmp_path / "trouble").unlink()
    records.perform("line", "digits", "b 2")
    assert records.complete("line", "digits") == tmp_path / "records" / "line.npz"
    assert list(records.recorded("line")) == ["a/1", "b 2"] and files(tmp_path / "parts") == []


def test_what_another_version_of_the_script_has_left_is_not_used(line, tmp_path):
    records.perform("line", "digits", "a/1")
    (tmp_path / "line.py").write_text(RECORDED + "# changed", encoding="utf-8")
    assert records.missing("line", "digits") == ["a/1", "b 2"]


@pytest.mark.parametrize("arguments, said", [
    (["zigzag", "--recompute"], "nothing is recorded of zigzag"), (["zigzag", "--data", "digits"], "needs --recompute"),
    (["line", "--recompute", "--data", "iris"], "cannot be made from 'iris'; it can be from digits, boston")])
def test_what_cannot_be_recomputed_is_refused_with_the_reason(arguments, said, folder):
    refused = subprocess.run(**folder(*arguments, line=RECORDED, zigzag=GOOD))
    assert refused.returncode == 2 and said in refused.stderr


def test_without_its_record_a_figure_says_how_to_make_it(folder):
    refused = subprocess.run(**folder("line", line=RECORDED))
    assert refused.returncode == 1 and "make it with python -m figures line --recompute" in refused.stderr
