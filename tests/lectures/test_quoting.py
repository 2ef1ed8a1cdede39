"""Quotations say what the code, the figures and the records say, and what cannot be quoted is named."""
import inspect
import re

import numpy as np
import pytest

import numopt.optimizers
from figures import caption
from figures.making.records import recorded
from lectures import quoting, reading, rules, unified
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
    ("rate_lenet; fixed, seed 0; test loss; last; mean; .3f", "named by record; run; array; words; format, and not by"),
    ("no_such; x; y; last; .3f", "no record"),
    ("rate_lenet; no such run; test loss; last; .3f", "no run"),
    ("rate_lenet; fixed, seed 0; no such; last; .3f", "no array"),
    ("rate_lenet; fixed, seed 0; test loss; final; .3f", "'final' is not one of"),
    ("rate_lenet; fixed, seed *; test loss; last; .3f", "not one number"),
])
def test_a_number_that_is_not_one_is_refused(words, trouble):
    with pytest.raises(ValueError, match=trouble):
        quoting.number(words)


RUNS = {"lr [0.1], seed 0": {"x": np.array([4.0, 1.0, 9.0]), "one": np.array([0.25])},
        "lr [0.1], seed 1": {"x": np.array([2.0, 3.0, 5.0]), "one": np.array([0.5])},
        "lr 0, seed 0": {"x": np.array([7.0, 7.0, 8.0]), "one": np.array([1.0])},
        "what?": {"x": np.array([1.0, 1.0, 1.0])}, "whats": {"x": np.array([6.0, 6.0, 6.0])}}


@pytest.mark.parametrize("pattern, reductions, number", [
    ("lr [0.1], seed 0", "last", 9), ("lr [0.1], seed 0", "first", 4), ("lr [0.1], seed 0", "least", 1),
    ("lr [0.1], seed 0", "most", 9), ("lr [0.1], seed 0", "mean", 14 / 3), ("lr [0.1], seed 0", "median", 4),
    ("lr [0.1], seed 0", "size", 3), ("lr [0.1], seed 0", "last percent", 900), ("what?", "mean", 1),
    ("lr 0, seed 0", "last", 8), ("lr [[]0.1], seed *", "last mean", 7), ("lr [[]0.1], seed *", "first median", 3),
    ("*, seed 0", "last most", 9), ("*, seed [01]", "first size", 3), ("lr*", "least", 1), ("wh*", "mean", 3.5)])
def test_a_run_is_meant_by_its_own_name_whatever_letters_are_in_it_and_several_by_a_pattern(
        pattern, reductions, number, monkeypatch):
    monkeypatch.setattr(quoting, "loaded", lambda name: {"runs": RUNS, "made": {}})
    assert float(quoting.number(f"rate_lenet; {pattern}; x; {reductions}; .6f")) == pytest.approx(number, abs=1e-6)


def test_a_number_of_a_run_that_is_no_dictionary_is_named_without_an_array(monkeypatch):
    monkeypatch.setattr(quoting, "loaded", lambda name: {"compile": 21.25, "pair": [3.0, 4.0]})
    assert quoting.number("timing; compile; ; ; .2f") == quoting.number("timing; compile; ; mean; .2f") == "21.25"
    assert quoting.number("timing; pair; ; last first; .1f") == "4.0"


@pytest.mark.parametrize("pattern, array", [("compile", "x"), ("pair", "x"), ("run", "y"), ("*", "x")])
def test_an_array_that_a_run_has_not_is_said_so_whatever_the_run_is(pattern, array, monkeypatch):
    monkeypatch.setattr(quoting, "loaded", lambda name: {"compile": 21.25, "pair": np.ones(2), "run": {"x": 1.0}})
    with pytest.raises(ValueError, match=rf"^'timing', '{re.escape(pattern)}' has no array '{array}'$"):
        quoting.number(f"timing; {pattern}; {array}; last; .2f")


def test_what_there_is_is_said_where_a_run_is_not_there(monkeypatch):
    monkeypatch.setattr(quoting, "loaded", lambda name: {f"run {k}": {"x": np.ones(1)} for k in range(12)})
    with pytest.raises(ValueError, match="is called 'no'; there is run 0, .*, run 7$"):
        quoting.number("timing; no; x; last; .2f")


MODULE = """
def outer(x):
    def inner(y):
        return y
    return inner


class Outer:
    def outer(self):
        \"\"\"Only this.\"\"\"

    @property
    def two(self):
        \"\"\"First.\"\"\"
        return 2

    def outer_too(self):
        return 3


@one
@two(
    3)
def decorated():
    \"\"\"What
    it does.\"\"\"

    return 4
"""


def test_a_definition_comes_with_its_decorators_and_without_docstrings_but_where_nothing_else_is_there(monkeypatch):
    monkeypatch.setattr(quoting, "source_of", lambda module: MODULE if module == "made.up" else None)
    assert quoting.definition("made.up.decorated") == "@one\n@two(\n    3)\ndef decorated():\n\n    return 4"
    assert quoting.definition("made.up.Outer.two") == "@property\ndef two(self):\n    return 2"
    assert quoting.definition("made.up.Outer.outer") == 'def outer(self):\n    """Only this."""'
    assert quoting.definition("made.up.Outer.outer_too") == "def outer_too(self):\n    return 3"
    assert quoting.definition("made.up.Outer").splitlines() == [
        "class Outer:", "    def outer(self):", '        """Only this."""', "", "    @property", "    def two(self):",
        "        return 2", "", "    def outer_too(self):", "        return 3"]
    for name in "made.up.outer.inner.y", "made.up.two", "made.up":
        monkeypatch.setattr(quoting, "import_module", lambda module: None)
        with pytest.raises(ValueError, match=f"there is no definition '{name}' to quote"):
            quoting.definition(name)


def test_after_a_class_s_docstring_no_line_is_empty_and_a_module_comes_before_a_function_of_its_name(monkeypatch):
    sources = {"made": 'def up():\n    def f():\n        return 1\n    return f\n',
               "made.up": 'def far():\n    return 1\n\n\ndef f():\n    return 2\n\n\n'
                          'class Of(Base):\n    """What\n    it is."""\n\n'
                          '    def f(self):\n        """So."""\n\n        return 3\n'}
    monkeypatch.setattr(quoting, "source_of", sources.get)
    assert quoting.definition("made.up.f") == "def f():\n    return 2"
    assert quoting.definition("made.up.Of") == "class Of(Base):\n    def f(self):\n\n        return 3"


def test_every_page_is_looked_at_lectures_solutions_and_the_readme():
    names = {file.relative_to(quoting.ROOT).as_posix() for file in quoting.pages()}
    there = {file.relative_to(quoting.ROOT).as_posix() for file in quoting.HERE.rglob("*.md")
             if "assignments" not in file.parts}
    assert names == there | {"README.md"} and len(quoting.pages()) == len(names)


def test_lectures_are_in_the_order_of_their_numbers_and_pages_are_they_the_other_words_solutions_and_the_readme(
        tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    for name in "10-c.md", "02-b.md", "01-a.md", "1-x.md", "notes.md", "11-d.txt", "solutions/02-b.md":
        (tmp_path / name).touch()
    monkeypatch.setattr(quoting, "HERE", tmp_path)
    monkeypatch.setattr(quoting, "README", tmp_path / "README.md")
    assert [file.name for file in quoting.files()] == ["01-a.md", "02-b.md", "10-c.md"]
    assert [str(file.relative_to(tmp_path)) for file in quoting.pages()] == [
        "01-a.md", "02-b.md", "1-x.md", "10-c.md", "notes.md", "solutions/02-b.md", "README.md"]
    assert list(reading.pages().items()) == [
        (1, tmp_path / "01-a.md"), (2, tmp_path / "02-b.md"), (10, tmp_path / "10-c.md")]


@pytest.mark.parametrize("text", [
    "<!-- code: a -->", "x <!-- end -->", "<!-- code: a --><!-- number: b --><!-- end --><!-- end -->",
    "<!-- code: a --><!-- figure: b --><!-- end -->",
    "<!-- number: a --> 1 <!-- end --> <!-- end -->"])
def test_markers_that_do_not_fit_are_said_with_the_page(text):
    with pytest.raises(ValueError, match="^01-x.md: a marker is not closed by <!-- end -->, or closed twice$"):
        quoting.rewritten(quoting.HERE / "01-x.md", text)


def test_other_comments_are_no_markers_and_words_around_quotations_stay():
    text = "a <!-- note: x --> b <!-- number: timing; compile; ; ; .1f -->old<!-- end --> c"
    new = quoting.rewritten(quoting.HERE / "01-x.md", text)
    assert re.fullmatch(r"a <!-- note: x --> b <!-- number: timing; compile; ; ; \.1f -->[\d.]+<!-- end --> c", new)
    assert quoting.quoted(text, "number") == ["timing; compile; ; ; .1f"] and quoting.quoted(text, "code") == []


def test_a_table_is_written_row_by_row_for_its_page_and_what_is_none_is_said_with_those_that_there_are(monkeypatch):
    monkeypatch.setattr(reading, "table", lambda file: [("a", "b"), ("---", "---"), (file.name, "")])
    monkeypatch.setattr(unified, "table", lambda file: [("of", "all")])
    file = quoting.HERE / "01-x.md"
    text = "".join(f"<!-- table: {name} --><!-- end -->" for name in ("reading", "unified"))
    assert quoting.rewritten(file, text) == (
        "<!-- table: reading -->\n| a | b |\n| --- | --- |\n| 01-x.md |  |\n<!-- end -->"
        "<!-- table: unified -->\n| of | all |\n<!-- end -->")
    with pytest.raises(ValueError, match="^01-x.md: there is no table 'no'; there is 'reading', 'unified'$"):
        quoting.rewritten(file, "<!-- table: no --><!-- end -->")


def test_a_link_goes_up_as_far_as_its_page_is_deep():
    assert quoting.to("a/b.py", quoting.README) == "a/b.py"
    assert quoting.to("a/b.py", quoting.HERE / "01-x.md") == "../a/b.py"
    assert quoting.to("a/b.py", quoting.HERE / "solutions" / "01-x.md") == "../../a/b.py"


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


def test_where_something_is_out_of_date_a_check_says_what_and_changes_nothing(page, monkeypatch, capsys):
    page.write_text("<!-- code: numopt.optimizers.adam -->\n<!-- end -->\n", encoding="utf-8")
    before = page.read_bytes()
    for faults, answer, said in ([("a page", "it is old")], 1, "a page: it is old\n"), (
            [], 0, "all is as it should be\n"):
        monkeypatch.setattr(rules, "faults", lambda faults=faults: iter(faults))
        assert main(["quote", "--check"]) == answer and capsys.readouterr().out == said
        assert page.read_bytes() == before


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
