"""What README.md promises holds."""
import re
from pathlib import Path

import pytest

import figures
import numopt.optimizers
from numopt.check.command import main as check_command
from numopt.optimizers import adam

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = [line for line in README.splitlines() if line.startswith("| ")][1:]


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links), links


def test_the_table_has_every_optimizer_and_every_figure_once():
    table = "\n".join(TABLE)
    for name in numopt.optimizers.__all__:
        module = getattr(numopt.optimizers, name).__module__.rsplit(".")[-1]
        row, = [row for row in TABLE if re.search(rf"\b{name}\b", row.split("|")[3])]
        assert f"[{module}](numopt/optimizers/{module}.py)" in row
    assert sorted(re.findall(r"\(figures/(\w+)\.py\)", table)) == figures.names()


def test_adam_stands_in_it_as_it_stands_in_the_source():
    import inspect
    block = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "def adam" in block)
    source = inspect.getsource(adam.__wrapped__)
    without_docstring = re.sub(r'    """.*?"""\n', "", source, flags=re.DOTALL)
    assert block == without_docstring


PROGRAMS = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import" in block]


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_every_program_in_it_runs_by_itself(program, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out


def test_the_loss_of_ones_own_is_right_and_is_learned(tmp_path, monkeypatch):
    program = next(program for program in PROGRAMS if "class Huber(Loss)" in program)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), names)
    start, first = names["network"].initial(seed=0), names["risk"].whole.value
    assert first(names["run"].theta) < first(start) / 5
    Path("my_losses.py").write_text(program.split("X, prices")[0], encoding="utf-8")
    assert check_command(["my_losses.py:Huber"]) == 0
    Path("wrong.py").write_text(program.split("X, prices")[0].replace("u, 0)", "2 * u, 0)"), encoding="utf-8")
    assert check_command(["wrong.py:Huber"]) == 1


def test_its_program_runs(tmp_path, monkeypatch, capsys):
    program = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import digits" in block)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    assert "it took the 300 steps it was given" in capsys.readouterr().out
    assert next(names["run"]).shape == (64 * 32 + 32 + 32 * 10 + 10,)
    assert names["seen"]["loss"][-1] < 0.2


@pytest.mark.parametrize("marker", ["figures", "tests"])
def test_each_command_makes_its_own_environment(marker):
    command, = re.findall(rf"<!-- {marker} -->\n```sh\n(.*)\n```", README)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -e ")
