"""Quotations say what the code, the figures and the records say, and what cannot be quoted is named."""
import inspect
import re

import numpy as np
import pytest

import numopt.optimizers
from figures import caption
from figures.making.records import recorded
from lectures import quoting, reading
from lectures.__main__ import main
from numopt.optimizers import momentum
from numopt.problems import Quadratic
from numopt.record import path


@pytest.mark.parametrize("name", numopt.optimizers.__all__)
def test_every_method_is_quoted_as_it_stands_without_its_docstring(name):
    quoted = quoting.definition(f"numopt.optimizers.{name}")
    source = inspect.getsource(getattr(numopt.optimizers, name).__wrapped__)
    assert quoted == re.sub(r'    """.*?"""\n', "", source, flags=re.DOTALL).rstrip("\n")


def test_a_quoted_loop_is_code_that_runs():
    names = dict(vars(inspect.getmodule(momentum.__wrapped__)))
    exec(quoting.definition("numopt.optimizers.momentum"), names)
    bowl = Quadratic(np.diag([1.0, 9.0]))
    assert (path(names["momentum"](bowl, [1.0, 1.0]), 5) == path(momentum(bowl, [1.0, 1.0]), 5)).all()


@pytest.mark.parametrize("one, other", [("adam", "radam"), ("adam", "adan"), ("adamw", "lamb"), ("bfgs", "sr1")])
def test_a_difference_is_what_has_to_go_and_what_has_to_come_and_all_else_is_the_same(one, other):
    before, after = (quoting.definition(f"numopt.optimizers.{name}").splitlines() for name in (one, other))
    _, fence, *changed, end, _ = quoting.difference(f"numopt.optimizers.{one} to numopt.optimizers.{other}").split("\n")
    gone, come = ([line[2:] for line in changed if line[0] == sign] for sign in "-+")
    assert (fence, end) == ("```diff", "```") and gone and come and len(gone + come) == len(changed)
    for lines, taken in (before, gone), (after, come):
        for line in taken:
            lines.remove(line)
    assert before == after


@pytest.mark.parametrize("names, message", [
    ("numopt.optimizers.adam", "one to other"), ("numopt.optimizers.adam to numopt.optimizers.adam", "no difference"),
    ("numopt.optimizers.adam to numopt.optimizers.no_such", "no definition")])
def test_what_is_no_difference_is_said_so(names, message):
    with pytest.raises(ValueError, match=message):
        quoting.difference(names)


@pytest.mark.parametrize("name", ["numopt.networks.layers.Dense.backward", "numopt.networks.Dense.backward"])
def test_a_method_of_a_class_is_quoted_from_its_first_column(name):
    assert quoting.definition(name).startswith("def backward(self")


def test_a_class_is_quoted_without_any_docstring():
    quoted = quoting.definition("numopt.problems.Quadratic")
    assert quoted.startswith("class Quadratic") and '"""' not in quoted


def test_a_helper_is_found_by_its_full_place_where_a_method_has_the_name_of_its_module():
    assert quoting.definition("numopt.optimizers.newton.inexact_newton").startswith("def inexact_newton(")


@pytest.mark.parametrize("name", ["numopt.optimizers.no_such", "no_such.thing", "numopt.problems.Quadratic.no_such"])
def test_what_is_not_there_cannot_be_quoted(name):
    with pytest.raises(ValueError, match="no definition"):
        quoting.code(name)


def test_a_figure_comes_with_its_caption_and_its_script():
    text = quoting.figure("zigzag", quoting.HERE / "01-x.md")
    assert text.count(caption("zigzag")) == 2
    assert "(../figures/rendered/zigzag.png)" in text and "(../figures/zigzag.py)" in text
    assert "(figures/rendered/zigzag.png)" in quoting.figure("zigzag", quoting.README)
    with pytest.raises(ValueError, match="no figures/no_such.py"):
        quoting.figure("no_such", quoting.README)


def test_a_number_is_that_of_the_record():
    runs = recorded("rate_lenet")
    alone = runs["fixed, seed 0"]["test loss"]
    assert quoting.number("rate_lenet; fixed, seed 0; test loss; last; .6f") == f"{alone[-1]:.6f}"
    assert quoting.number("rate_lenet; fixed, seed 0; test loss; least; .6f") == f"{alone.min():.6f}"
    several = [runs[name]["test loss"][-1] for name in runs if name.startswith("fixed, seed ")]
    assert len(several) > 1
    assert quoting.number("rate_lenet; fixed, seed *; test loss; last mean; .6f") == f"{np.mean(several):.6f}"
    assert quoting.number("rate_lenet; fixed, seed *; test loss; last size; d") == str(len(several))


@pytest.mark.parametrize("words, trouble", [
    ("rate_lenet; fixed, seed 0; test loss; .3f", "named by"),
    ("no_such; x; y; last; .3f", "no record"),
    ("rate_lenet; no such run; test loss; last; .3f", "no run"),
    ("rate_lenet; fixed, seed 0; no such; last; .3f", "no array"),
    ("rate_lenet; fixed, seed 0; test loss; final; .3f", "'final' is not one of"),
    ("rate_lenet; fixed, seed *; test loss; last; .3f", "not one number"),
])
def test_a_number_that_is_not_one_is_refused(words, trouble):
    with pytest.raises(ValueError, match=trouble):
        quoting.number(words)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A place with one lecture, which the command takes for all there is."""
    (tmp_path / "lectures").mkdir()
    file = tmp_path / "lectures" / "01-page.md"
    monkeypatch.setattr(quoting, "ROOT", tmp_path)
    monkeypatch.setattr(quoting, "pages", lambda: [file])
    return file


def test_the_command_writes_what_stands_between_markers_and_nothing_else(page, capsys):
    page.write_text("before\n<!-- code: numopt.optimizers.adam -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    assert main(["quote"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- code: numopt.optimizers.adam -->\n```python\n@optimizer\ndef adam(")
    assert text.endswith("        yield theta\n```\n<!-- end -->\nafter\n") and "old" not in text
    assert capsys.readouterr().out == "lectures/01-page.md\n"
    assert main(["quote"]) == 0 and page.read_text(encoding="utf-8") == text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["<!-- code: numopt.optimizers.adam -->\n", "<!-- end -->\n",
                                  "<!-- code: no.such -->\n<!-- end -->\n"])
def test_the_command_changes_nothing_where_a_marker_is_wrong_and_names_the_page(text, page, capsys):
    page.write_text(text, encoding="utf-8")
    assert main(["quote"]) == 1 and "01-page.md" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == text


def test_a_page_is_written_whole_or_not_at_all(page, monkeypatch):
    page.write_text("<!-- code: numopt.optimizers.adam -->\n<!-- end -->\n", encoding="utf-8")
    before = page.read_text(encoding="utf-8")

    def full(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(type(page), "replace", full)
    assert main(["quote"]) == 1
    assert page.read_text(encoding="utf-8") == before and list(page.parent.iterdir()) == [page]


def test_what_does_not_exist_is_no_command(capsys):
    with pytest.raises(SystemExit):
        main(["no-such"])
    assert "quote" in capsys.readouterr().err


def test_the_reading_table_has_every_method_and_every_figure_once():
    rows = list(reading.rows(quoting.README))
    assert sorted(name for row in rows for name in row[2].split(", ") if name) == sorted(numopt.optimizers.__all__)
    drawn = [name for row in rows for name in re.findall(r"\(figures/(\w+)\.py\)", row[3])]
    assert sorted(drawn) == sorted(file.stem for file in (quoting.ROOT / "figures").glob("[!_]*.py"))


def test_runs_are_quoted_as_the_table_that_the_command_prints(capsys):
    from data_scripts.__main__ import main as run
    assert run(["run", "boston", "--table"]) == 0
    assert quoting.runs("boston; boston").strip() in capsys.readouterr().out
    some = quoting.runs("boston; boston; fixed; first order")
    assert "| fixed |" in some and "| second order, printed |" not in some


@pytest.mark.parametrize("words, trouble", [
    ("boston", "record; set; methods"), ("no_such; boston", "no record"), ("boston; mnist", "no runs on 'mnist'")])
def test_runs_that_are_not_there_are_refused(words, trouble):
    with pytest.raises(ValueError, match=trouble):
        quoting.runs(words)
