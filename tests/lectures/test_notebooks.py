"""Lectures as notebooks: every quoted loop defines what it says, puts it to use, and changes its picture."""
import json
import re
import sys

import numpy as np
import pytest

from lectures import notebooks, quoting
from lectures.__main__ import main
from numopt import optimizers
from numopt.problems import Quadratic


def cells(file):
    return json.loads(notebooks.notebook(file))["cells"]


@pytest.fixture
def put_back(monkeypatch):
    """Whatever a cell puts in place of the package's own is taken out again."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("numopt", "figures")]
    classes = [value for module in modules for value in vars(module).values()
               if isinstance(value, type) and value.__module__.startswith("numopt")]
    before = [(holder, dict(vars(holder))) for holder in [*modules, *classes]]
    yield
    for holder, namespace in before:
        for key, value in namespace.items():
            if vars(holder).get(key) is not value:
                setattr(holder, key, value)


@pytest.mark.parametrize("file", quoting.files(), ids=lambda file: file.stem)
def test_every_loop_of_a_lecture_is_a_cell_that_runs(file, put_back):
    text, names = file.read_text(encoding="utf-8"), {}
    code = ["".join(cell["source"]) for cell in cells(file) if cell["cell_type"] == "code"]
    for cell in code:
        if not cell.startswith("show("):
            exec(compile(cell, file.name, "exec"), names)
    defined = [cell for cell in code if "\nuse(" in cell]
    assert len(defined) == len(quoting.quoted(text, "code"))
    shown = [cell for cell in code if cell.startswith("show(")]
    assert len(shown) == len(quoting.quoted(text, "figure"))


@pytest.mark.parametrize("file", quoting.files(), ids=lambda file: file.stem)
def test_two_writings_are_equal_and_cells_have_ids_of_their_own(file):
    assert notebooks.notebook(file) == notebooks.notebook(file)
    ids = [cell["id"] for cell in cells(file)]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one) for one in ids)
    assert not any("<!--" in "".join(cell["source"]) for cell in cells(file))


def test_a_changed_loop_is_what_the_package_runs_from_then_on(put_back):
    code = next("".join(cell["source"]) for cell in cells(notebooks.lecture(3))
                if "def momentum" in "".join(cell["source"]))
    start, problem = np.array([1.0, 1.0]), Quadratic(np.eye(2))
    before = next(optimizers.momentum(problem, start, lr=0.1))
    exec(code.replace("theta = theta + v", "theta = theta + 2 * v"), {"use": notebooks.use})
    after = next(optimizers.momentum(problem, start, lr=0.1))
    np.testing.assert_allclose(after - start, 2 * (before - start))


def test_a_notebook_of_a_lecture_that_is_not_is_refused(tmp_path, capsys):
    assert main(["notebook", "99", "--out", str(tmp_path / "new")]) == 1
    assert "there is no lecture '99'; there is 01, 02" in capsys.readouterr().err
    assert main(["notebook", "03", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "03-momentum.ipynb").exists()


def test_a_notebook_runs_from_top_to_bottom():
    nbclient, nbformat = (pytest.importorskip(name, reason=f"{name} is not installed: pip install {name}")
                          for name in ("nbclient", "nbformat"))
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install ipykernel")
    notebook = nbformat.reads(notebooks.notebook(notebooks.lecture(3)), as_version=4)
    nbformat.validate(notebook)
    done = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(quoting.ROOT)}}).execute()
    pictures = [cell for cell in done.cells if cell.cell_type == "code" and "show(" in cell.source
                and cell.source.startswith("show")]
    assert pictures and all(any("image/png" in output.get("data", {}) for output in cell.outputs) for cell in pictures)
