"""What README.md promises holds."""
import re
from pathlib import Path

import pytest

import figures
import numopt.optimizers
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
