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
    written = notebooks.notebook(file)
    assert written == notebooks.notebook(file)
    ids = [cell["id"] for cell in json.loads(written)["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one) for one in ids)
    assert "<!--" not in written


def test_a_changed_loop_is_what_the_package_runs_from_then_on(put_back):
    code = next("".join(cell["source"]) for cell in cells(notebooks.lecture(3))
                if "def momentum" in "".join(cell["source"]))
    start, problem = np.array([1.0, 1.0]), Quadratic(np.eye(2))
    before = next(optimizers.momentum(problem, start, lr=0.1))
    exec(code.replace("theta = theta + v", "theta = theta + 2 * v"), {"use": notebooks.use})
    after = next(optimizers.momentum(problem, start, lr=0.1))
    np.testing.assert_allclose(after - start, 2 * (before - start))


MADE_UP = """# 1 A title

First words, [a link](../x.md) and ![a picture](../y.png).
<!-- code: numopt.optimizers.momentum -->
old
<!-- end -->
Words between, of <!-- number: a; b; c; d; e -->1.5<!-- end -->.

<!-- figure: zigzag -->
old
<!-- end -->

The last words,
on two lines.
"""


def test_all_the_words_are_there_in_their_order_before_between_and_after_the_loops_and_pictures(tmp_path):
    file = tmp_path / "01-made-up.md"
    file.write_text(MADE_UP, encoding="utf-8")
    opening, first, loop, between, picture, last = cells(file)
    assert "".join(opening["source"]).endswith("from lectures.notebooks import show, use")
    assert "".join(first["source"]) == ("# 1 A title\n\nFirst words, [a link](../x.md) and ![a picture](../y.png).")
    assert "".join(between["source"]) == "Words between, of 1.5."
    assert last["source"] == ["The last words,\n", "on two lines."]
    assert [cell["cell_type"] for cell in (opening, first, loop, between, picture, last)] == [
        "code", "markdown", "code", "markdown", "code", "markdown"]
    assert picture["source"] == ['show("zigzag")'] and "old" not in "".join(loop["source"])
    assert loop["outputs"] == [] and loop["execution_count"] is None and "outputs" not in last
    whole = json.loads(notebooks.notebook(file))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    file.write_text(MADE_UP.replace("last words", "letter θ"), encoding="utf-8")
    assert "The letter θ,\\n" in notebooks.notebook(file), "which can be read as it is"
    assert whole["metadata"]["kernelspec"]["name"] == "python3" and notebooks.notebook(file).endswith("}\n")


@pytest.mark.parametrize("text, words", [
    ("# 1 A title\n\nWords.", ["# 1 A title\n\nWords."]),
    ("Before<!-- figure: a --><!-- end -->between<!-- figure: b --><!-- end -->behind",
     ["Before", "between", "behind"]),
    ("<!-- figure: a --><!-- end -->\n\n<!-- figure: b --><!-- end -->\n", []),
    ("<!-- figure: a --><!-- end -->  * a\n  * b\n\n", ["  * a\n  * b"]),
    ("<!-- note -->A <!-- card: 1 -->card<!-- end -->, <!-- to do: b -->\n", ["A card, "])])
def test_words_beside_a_marker_are_kept_and_where_there_are_none_no_cell_is(text, words, tmp_path):
    file = tmp_path / "01-made-up.md"
    file.write_text(text, encoding="utf-8")
    assert ["".join(cell["source"]) for cell in cells(file) if cell["cell_type"] == "markdown"] == words


@pytest.mark.parametrize("file", quoting.files(), ids=lambda file: file.stem)
def test_no_word_of_a_lecture_is_lost(file):
    text = file.read_text(encoding="utf-8")
    prose = quoting.QUOTATION.sub(lambda found: "" if found[2] in ("code", "figure") else found[4], text).split()
    told = " ".join("".join(cell["source"]) for cell in cells(file) if cell["cell_type"] == "markdown")
    assert told.split() == [word for word in " ".join(prose).split()]


def test_what_is_put_in_place_is_there_under_every_name_that_anybody_imported_it_by(put_back, monkeypatch):
    from figures import nesterov_step
    from numopt import kernels, networks
    from numopt.kernels import vectors
    before = networks.Dense.backward
    monkeypatch.setattr(nesterov_step, "under_another_name", optimizers.momentum, raising=False)

    def momentum(problem, theta):
        return "other"

    assert notebooks.use(momentum, "numopt.optimizers.momentum:momentum") is momentum
    assert sys.modules["numopt.optimizers.momentum"].momentum is optimizers.momentum is momentum
    assert nesterov_step.under_another_name is momentum and nesterov_step.momentum is momentum

    def backward(self):
        return "other"

    notebooks.use(backward, "numopt.networks.layers:Dense.backward")
    assert networks.Dense.backward is backward is not before

    def adam(theta):
        return "kernel"

    adam.__module__ = "numopt.kernels.vectors"
    notebooks.use(adam)
    assert vectors.adam is adam and kernels is not None
    kernel = vectors.momentum
    assert notebooks.use(kernel, "numopt.kernels.vectors:momentum") is kernel.numpy is vectors.momentum


def test_a_picture_is_computed_with_the_parameters_that_are_given_and_drawn_large_enough(monkeypatch):
    from io import BytesIO
    from types import ModuleType

    import figures
    from matplotlib.image import imread
    shown, given = [], []
    there = ModuleType("IPython.display")
    there.Image, there.display = bytes, shown.append
    monkeypatch.setitem(sys.modules, "IPython.display", there)

    def compute(**parameters):
        given.append(parameters)
        return {"size": 2}

    def draw(size):
        import matplotlib.pyplot as plt
        return plt.subplots(figsize=(size, 1))[0]

    script = ModuleType("made_up")
    script.compute, script.draw = compute, draw
    monkeypatch.setattr(figures, "load", lambda name: script if name == "made_up" else None)
    notebooks.show("made_up", gamma=3)
    assert given == [{"gamma": 3}] and imread(BytesIO(shown[0])).shape[:2] == (90, 180)


def test_a_kernel_is_defined_without_what_it_was_registered_with():
    text = notebooks.defined("numopt.kernels.normalization.normalized")
    assert "@kernel" not in text and "def normalized(" in text
    assert text.endswith('use(normalized, "numopt.kernels.normalization:normalized")')
    assert "@optimizer\ndef adam(" in notebooks.defined("numopt.optimizers.adam")


MODULE = """
import os.path as paths
import numpy as np
from functools import partial as part, wraps

LEAST, MOST = 3, 4


def helper(x):
    return x


@part
@kernel(1, pays=lambda x: True)
def power(x, n):
    if n < LEAST:
        return helper(x) * power(x, n - 1) + np.log(paths.sep) + unseen(x) + len(x)


class Of:
    @twin_of(power)
    def helper(self):
        return wraps
"""


def test_a_cell_takes_from_its_module_what_it_uses_and_nothing_else(monkeypatch):
    from types import ModuleType
    made_up = ModuleType("made.up")
    names = {name: name for name in ("paths", "np", "part", "wraps", "LEAST", "MOST", "helper", "power", "Of")}
    vars(made_up).update(names)
    monkeypatch.setattr(notebooks, "import_module", {"made.up": made_up}.get)
    monkeypatch.setattr(quoting, "source_of", lambda module: MODULE if module == "made.up" else None)
    assert notebooks.defined("made.up.power").splitlines() == [
        "from made.up import LEAST, helper, np, part, paths", "", "@part", "def power(x, n):", "    if n < LEAST:",
        "        return helper(x) * power(x, n - 1) + np.log(paths.sep) + unseen(x) + len(x)", "",
        'use(power, "made.up:power")']
    assert notebooks.defined("made.up.helper") == 'def helper(x):\n    return x\n\nuse(helper, "made.up:helper")'
    assert notebooks.defined("made.up.Of.helper") == (
        'from made.up import wraps\n\ndef helper(self):\n    return wraps\n\nuse(helper, "made.up:Of.helper")')
    del made_up.np, made_up.paths  # as what is deleted at the end of a module
    assert notebooks.defined("made.up.power").startswith("from made.up import LEAST, helper, part\n")


def test_a_lecture_is_found_by_its_number_however_it_is_written():
    for number in "03", "3", 3:
        assert notebooks.lecture(number).name == "03-momentum.md"
    for number in "x", "-3", "0", 99, "³":
        with pytest.raises(ValueError, match=f"there is no lecture {number!r}; there is 01, 02, .*14$"):
            notebooks.lecture(number)


def test_a_notebook_of_a_lecture_that_is_not_is_refused(tmp_path, capsys):
    assert main(["notebook", "99", "--out", str(tmp_path / "new")]) == 1
    assert "there is no lecture '99'; there is 01, 02" in capsys.readouterr().err
    for _ in range(2):
        assert main(["notebook", "03", "--out", str(tmp_path / "a" / "b")]) == 0
    assert (tmp_path / "a" / "b" / "03-momentum.ipynb").exists() and not (tmp_path / "new").exists()


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
