"""python -m numopt.check: what it finds by name, and what its exit code says."""
import subprocess
import sys
from pathlib import Path

import pytest

from numopt.check import main as check_command

ROOT = Path(__file__).parents[2]
MINE = """
import numpy as np
from functools import partial
from numopt.networks import Activation, Loss, Network, mlp
from numopt.optimizer import optimizer
from numopt.problems import Function, Objective, Plane
from numopt.schedules import schedule

network = mlp([3, 2])

def another():
    return mlp([3, 2])

@optimizer
def descent(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - lr(t) * loss.gradient(theta)
        yield theta

@optimizer
def ascent(problem, theta, *, lr=0.1, t=0):
    for t, loss in problem.losses(after=t):
        theta = theta + lr * loss.gradient(theta)
        yield theta

def bare(problem, theta, *, t=0):
    yield theta

class Valley(Plane):
    start = [1.0, 2.0]
    def f(self, x, y): return x**2 + 3 * y**2
    def df(self, x, y): return 2 * x, 6 * y
    def ddf(self, x, y): return [[2, 0], [0, 6]]

class Wrong(Valley):
    def df(self, x, y): return 2 * x, 3 * y

class Bent(Valley):
    def ddf(self, x, y): return [[2, 1], [1, 6]]

class Cube(Activation):
    def forward(self, w, x, mode): return x**3, x
    def slope(self, x): return 3 * x**2
    def bend(self, x): return 6 * x

class Square(Loss):
    def values(self, z, y): return ((z - y)**2).sum(axis=1)
    def gradient(self, z, y): return 2 * (z - y)

class NotQuite(Square):
    def gradient(self, z, y): return z - y

faster = partial(descent, lr=0.3)
seven = 7
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine_to_check.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    yield
    sys.modules.pop("mine_to_check", None)


def test_it_prints_a_table_of_a_network_and_says_whether_all_is_right(capsys):
    assert check_command(["mlp:5,4,3"]) == 0
    printed = capsys.readouterr().out
    assert "39 weights" in printed and printed.count("right") == 7


@pytest.mark.parametrize("what", ["mlp:5,4,3", "Tanh", "SquaredError", "Beale"])
def test_the_numbers_that_it_is_tried_on_are_drawn_with_the_seed(what, capsys):
    printed = []
    for seed in "1", "2", "1":
        assert check_command([what, "--seed", seed]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[2] != printed[1]


@pytest.mark.parametrize("what, words", [
    ("mine_to_check:network", "8 weights"), ("mine_to_check.py:another", "8 weights"),
    ("mine_to_check.py:faster", "descent"),
    ("mine_to_check.py:Valley", "Valley at a theta of 2"), ("mine_to_check.py:Cube", "a layer of 0 weights"),
    ("mine_to_check.py:Square", "hessian_product"), ("mine_to_check.py:descent", "descent: all laws hold"),
    ("./mine_to_check.py:descent", "descent: all laws hold"), ("momentum", "momentum: all laws hold"),
    ("Beale", "Beale at a theta"), ("SquaredError", "fisher_product"), ("Tanh", "r_backward"),
    ("linear:4", "5 weights")])
def test_what_is_right_has_the_exit_code_0(what, words, capsys):
    assert check_command([what]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("name, words", [
    ("ascent", "BROKEN  it learns"), ("bare", "write @optimizer above"), ("Wrong", "wrong"),
    ("Bent", "wrong"), ("NotQuite", "wrong")])
def test_what_is_wrong_has_the_exit_code_1_alone_or_among_others(name, words, capsys):
    assert check_command([f"mine_to_check.py:{name}"]) == 1
    assert words in capsys.readouterr().out
    for order in [name, "Cube"], ["Cube", name]:
        assert check_command([f"mine_to_check.py:{each}" for each in order]) == 1


def test_one_wrong_answer_of_several_is_enough(capsys, tmp_path):
    (tmp_path / "bent.py").write_text("from numopt.networks import *\n"
                                      "class Bent(Tanh):\n    def bend(self, y): return y\n"
                                      "network = Network(Dense(3, 3), Bent(), Dense(3, 2), inputs=3)\n")
    assert check_command(["bent.py:network"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0].strip(",") for line in lines if line.endswith("wrong")] == ["hessian"]


@pytest.mark.parametrize("loop, words", [
    ("def yogi(problem, theta, *, lr=0.1):\n    yield theta", "no t=0 in its signature"),
    ("def yogi(problem, theta, *, lr=0.1, t=0):\n    return theta", "yields nothing"),
    ("def yogi(problem, theta, *, lr=0.1, t=0):\n    yield", "yielded None"),
    ("def yogi(problem, theta, *, lr=0.1, t=0):\n    theta -= 1\n    yield theta", "writes into an array")])
def test_an_authors_mistake_is_printed_and_has_the_exit_code_1(loop, words, capsys, tmp_path):
    (tmp_path / "theirs.py").write_text(f"from numopt.optimizer import optimizer\n@optimizer\n{loop}\n")
    assert check_command(["theirs.py:yogi"]) == 1
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("what, words", [
    ("lenett", "there is no 'lenett'; there is lenet"), ("mlp:5", "two at least"),
    ("linear:1,2,3", "linear takes other"), ("nowhere:network", "No module named 'nowhere'"),
    ("mlp:a,b", "invalid literal"), ("nowhere.py:x", "there is no file"),
    ("mine_to_check.py:Vally", "mine_to_check.py has no 'Vally'; it has Valley"),
    ("Dense", "cannot be made without arguments"),
    ("mine_to_check.py:seven", "is a int; there are checks for")])
def test_it_says_what_it_does_not_know(what, words, capsys):
    assert check_command([what]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text, words", [
    ("x = (", "was never closed"), ("def x(:", "invalid syntax"), ("import nowhere_at_all", "nowhere_at_all"),
    ("from math import nothing", "nothing"), ("import math\nmath.nothing", "nothing"),
    ("open('nowhere.txt')", "nowhere.txt"), ("x = int('seven')", "seven")])
def test_a_file_that_cannot_be_read_has_the_exit_code_2_and_says_why(text, words, capsys, tmp_path):
    (tmp_path / "unreadable.py").write_text(text)
    assert check_command(["unreadable.py:x", "Tanh"]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and "r_backward" in printed.out


def test_it_is_a_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "numopt.check", "mine_to_check.py:ascent", "linear:2"], text=True,
                          capture_output=True, env={"PYTHONPATH": str(ROOT), "PATH": ""}, cwd=tmp_path)
    assert done.returncode == 1 and "BROKEN" in done.stdout and "3 weights" in done.stdout
