"""A method that is quoted nowhere comes into the lecture of its family, with its loop and its row of the card."""
import re
from types import SimpleNamespace

import numpy as np
import pytest

import numopt.optimizers
from lectures import family, quoting, reading, rules, unified
from lectures.__main__ import main

PLACES = {name: number for number, names in reading.methods().items() for name in names}


def without(name):
    """The text of a method's lecture as if nobody had written about it."""
    text = reading.pages()[PLACES[name]].read_text(encoding="utf-8")
    text = re.sub(rf"<!-- (code|difference): [^>]*\b{name} -->.*?<!-- end -->\n", "", text, flags=re.DOTALL)
    return re.sub(rf"^\| `{name}` \|.*\n", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["adamw", "vsgd", "lamb", "muon", "sam"])
def test_it_is_put_where_it_belongs_once_and_the_rest_stays(name, tmp_path):
    names = reading.methods()[PLACES[name]]
    before = without(name)
    after = family.welcomed(before, names, set(names) - {name})
    assert family.welcomed(after, names, set(names)) == after
    section, = re.findall(r"^## Also in this family\n.*?(?=^## The card)", after, re.DOTALL | re.MULTILINE)
    idea, = re.findall(rf"^\*\*`{name}`\.\*\* (.*)$", section, re.MULTILINE)
    assert idea.startswith(numopt.optimizers.__dict__[name].__doc__.split("\n")[0]) and re.search(r"\(\d{4}\)", idea)
    assert quoting.quoted(section, "code") == [f"numopt.optimizers.{name}"]
    row, = re.findall(rf"^\| `{name}` \|.*\n", after, re.MULTILINE)
    assert after.replace(section, "").replace(row, "") == before
    page = tmp_path / "page.md"
    page.write_text(section, encoding="utf-8")
    assert quoting.definition(f"numopt.optimizers.{name}") in quoting.rewritten(page)


PAGE = """# 4 Made up

<!-- code: numopt.optimizers.adam -->
<!-- end -->

## The card

<!-- card: 4 -->
| method | own | vectors |
|---|---|---|
| `adam` | mine | 2 |
<!-- end -->

| `lion` | elsewhere | |

## Exercises
"""


def test_two_newcomers_share_a_section_and_what_is_quoted_without_a_row_has_one_too(monkeypatch):
    monkeypatch.setattr(family, "about", lambda name: (f"The idea of {name}.", f"Their {name}"))
    monkeypatch.setattr(family, "row", lambda name, heads: [f"`{name}`", "", "7"][:len(heads)])
    entries = "".join(f"**`{name}`.** The idea of {name}. Their {name}.\n\n<!-- code: numopt.optimizers.{name} -->\n"
                      "<!-- end -->\n\n" for name in ("lion", "sam"))
    after = family.welcomed(PAGE, ["adam", "lion", "sam", "muon"], {"adam", "muon"})
    assert after == PAGE.replace("## The card\n", f"## Also in this family\n\n{entries}## The card\n").replace(
        "| mine | 2 |\n", "| mine | 2 |\n| `lion` | | 7 |\n| `sam` | | 7 |\n| `muon` | | 7 |\n")
    assert family.welcomed(after, ["adam", "lion", "sam", "muon"], {"adam", "lion", "sam", "muon"}) == after
    for bare in PAGE.split("## The card")[0], PAGE.replace("## The card", "## A card"):
        assert family.welcomed(bare, ["lion"], set()) == bare, "where there is no card nothing is said either"
    apart = PAGE.replace("<!-- card: 4 -->\n", "<!-- card: 4 -->\n\n")
    assert family.welcomed(apart, ["sam"], {"sam"}) == apart.replace("mine | 2 |\n", "mine | 2 |\n| `sam` | | 7 |\n")
    bare = re.sub("<!-- card.*?end -->", "", PAGE, flags=re.DOTALL)
    assert family.welcomed(bare, ["adam"], {"adam"}) == bare


@pytest.mark.parametrize("docstring, idea, source", [
    ("It falls\n    slowly.\n\n    They (1999).  So says Lecture 3.\n", "It falls slowly.", "They (1999)"),
    ("It falls.\n\nThey and\n  others (1999), equations 2.1 and 3.\nMore.\n\nYou (2000)", "It falls.",
     "They and others (1999), equations 2.1 and 3"),
    ("It falls.\n\nThey (1999) ; and others (2000).", "It falls.", "They (1999)"),
    ("It falls.\n\nThe e.g. of They (1999), Section 5.", "It falls.", "The e.g. of They (1999), Section 5"),
    ("It falls.\n\nFolklore; as ever.", "It falls.", "Folklore"), ("It falls.", "It falls.", "")])
def test_of_a_docstring_the_first_paragraph_is_the_idea_and_what_has_a_year_the_source(
        docstring, idea, source, monkeypatch):
    def method():
        pass

    method.__wrapped__ = SimpleNamespace(__doc__=docstring)
    monkeypatch.setattr(numopt.optimizers, "made_up", method, raising=False)
    assert family.about("made_up") == (idea, source)


@pytest.mark.parametrize("source, place", [
    ("They (1999)", "They (1999)"), ("They (1999), Algorithm 2", "They (1999), Algorithm 2"),
    ("They (1999), Algorithms 1, 2 and 3, for ever", "They (1999), Algorithms 1, 2 and 3"),
    ("They and others (1999), Section 3.1 and equation 4.2b", "They and others (1999), Section 3.1 and equation 4.2b"),
    ("They (1999), equations 2, 3.1 to 5, with a slip", "They (1999), equations 2, 3.1 to 5"),
    ("They (1999), Figure 4, Theorem 2, and You (2000)", "They (1999), Figure 4, Theorem 2"),
    ("They (1999) and lecture 3", "They (1999) and lecture 3"), ("They (1999), page 3", "They (1999)"),
    ("They (1999) and You (2000)", "They (1999)"), ("Folklore, since ever", "Folklore"), ("", "")])
def test_where_a_method_stands_is_its_source_with_its_numbers_and_no_words_about_it(source, place):
    assert family.PLACE.match(source)[0] == place


def test_what_is_counted_is_a_run_from_where_there_is_something_to_do(monkeypatch):
    from numopt.optimizer import optimizer
    starts = []

    @optimizer
    def watching(problem, theta, *, t=0):
        for t, loss in problem.losses(after=t):
            starts.append(np.linalg.norm(loss.gradient(theta)))
            yield theta

    monkeypatch.setattr(numopt.optimizers, "watching", watching, raising=False)
    for on_a_network in True, False:
        assert family.counted("watching", on_a_network) == ({"gradients": 1, "products": 0, "values": 0}, 0, [])
    assert len(starts) == 2 * family.STEPS and min(starts) > 1e-3


def test_all_lectures_are_looked_at_for_what_is_quoted_and_each_has_the_methods_of_its_own(tmp_path, monkeypatch):
    pages = {number: tmp_path / f"{number:02}-x.md" for number in (3, 4, 5)}
    for number, text in (3, "three"), (4, "four"), (5, "five"):
        pages[number].write_text(text, encoding="utf-8")
    monkeypatch.setattr(reading, "pages", lambda: pages)
    monkeypatch.setattr(reading, "methods", lambda: {4: ["adam", "lion"], 3: ["momentum"], 6: ["sam"]})
    monkeypatch.setattr(reading, "quoted_methods", lambda texts: set(texts))
    monkeypatch.setattr(family, "welcomed", lambda text, names, quoted: (text, names, quoted))
    everything = {"three", "four", "five"}
    assert family.new() == {pages[3]: ("three", ["momentum"], everything),
                            pages[4]: ("four", ["adam", "lion"], everything)}


@pytest.mark.parametrize("name", ["adamw", "adadelta", "lion", "momentum"])
def test_what_is_counted_for_a_card_is_what_somebody_has_written_there(name):
    lines = reading.pages()[PLACES[name]].read_text(encoding="utf-8").split("<!-- card: ")[1].splitlines()
    heads = unified.split(next(line for line in lines if line.startswith("| method")))
    written = dict(zip(heads, unified.split(next(line for line in lines if line.startswith(f"| `{name}` ")))))
    made = dict(zip(heads, family.row(name, heads)))
    same = [head for head in heads if head not in ("equation", "usual numbers", *unified.HEADS)]
    assert {head: made[head] for head in same} == {head: written[head] for head in same}
    numbers = [dict(re.findall(r"(\w+)=([\w.+-]+)", row["usual numbers"])) for row in (made, written)]
    assert set(numbers[1]) <= set(numbers[0])
    assert all(float(numbers[0][key]) == float(number) for key, number in numbers[1].items())


def test_a_step_that_asks_for_more_says_so_and_so_does_a_method_that_keeps_nothing():
    heads = "", "equation", "official numbers", "a step costs", "it remembers"
    assert family.row("sam", heads) == [
        "`sam`", "Foret et al. (2021), Algorithm 1 and equation 2", "`lr=0.01`, `rho=0.05`", "2 gradients", "nothing"]
    usual = family.row("muon", heads)[2]
    assert "`mu=0.95`" in usual and "nesterov" not in usual, "which is no number"
    assert family.row("adahessian", heads)[3:] == ["1 gradient, 1 product", "$m$, $v$"]


def test_what_a_step_asks_for_is_counted_over_forty_of_them_and_on_a_network_usual_steps_count(monkeypatch):
    from numopt.optimizer import optimizer
    steps = []

    @optimizer
    def changing(problem, theta, *, t=0, pairs=(), v=0.0, history=None, two=np.ones(2),
                 matrix=np.eye(6), twice=np.ones(12)):
        for t, loss in problem.losses(after=t):
            steps.append(t)
            for _ in range(41 if t == 40 else 2 if t % 2 else 1):
                v = loss.gradient(theta)
            pairs, history = (*pairs, v)[:1], [v, history and 0]
            yield theta

    monkeypatch.setattr(numopt.optimizers, "changing", changing, raising=False)
    alone, vectors, kept = family.counted("changing", on_a_network=False)
    assert alone == {"gradients": (20 * 2 + 19 + 41) / 40, "products": 0, "values": 0}
    assert steps == list(range(1, 41)) and vectors == 1 and kept == [
        "pairs", "v", "history", "two", "matrix", "twice"]
    assert family.counted("changing", on_a_network=True)[0]["gradients"] == 2.0
    monkeypatch.setattr(numopt.optimizers, "of_squares", numopt.optimizers.gauss_newton, raising=False)
    assert family.counted("of_squares", on_a_network=True)[0] == {}


def test_on_a_network_each_step_has_examples_of_its_own_and_on_a_quadratic_all_are_alike(monkeypatch):
    from numopt.optimizer import optimizer

    @optimizer
    def watching(problem, theta, *, t=0, g=None):
        for t, loss in problem.losses(after=t):
            before, g = g, loss.gradient(theta)
            if before is not None and not np.allclose(before, g, rtol=1e-6):
                loss.value(theta)
            yield theta

    monkeypatch.setattr(numopt.optimizers, "watching", watching, raising=False)
    for on_a_network, values in (True, 1), (False, 0):
        assert family.counted("watching", on_a_network)[0] == {"gradients": 1, "products": 0, "values": values}


def test_a_method_s_numbers_are_told_and_neither_its_memory_nor_its_seed_nor_what_is_no_number(monkeypatch):
    from numopt.optimizer import optimizer

    @optimizer
    def many(problem, theta, *, lr=0.5, history=10, nesterov=True, rule="x", at=None, seed=3, t=0, v=0.25):
        """Many.

        They (1999), Algorithm 7, for ever.
        """
        for t, loss in problem.losses(after=t):
            v = v + 0.5
            yield theta + v

    @optimizer
    def none(problem, theta, *, t=0):
        """None."""
        for t, loss in problem.losses(after=t):
            yield theta

    for method in many, none:
        monkeypatch.setattr(numopt.optimizers, method.__name__, method, raising=False)
    monkeypatch.setattr(unified, "row", lambda name: {"structure": f"that of {name}"})
    for head, name, told in [("method", "many", "`lr=0.5, history=10`"), ("by name", "many", "`lr=0.5`, `history=10`"),
                             ("method", "none", "none"), ("by name", "none", "none")]:
        heads = head, "equation", "usual numbers", "official numbers", "gradients", "vectors", "structure", "own"
        assert family.row(name, heads) == [
            f"`{name}`", "They (1999), Algorithm 7" if name == "many" else "", told, told, "0", "0",
            f"that of {name}", ""]


def test_one_is_told_as_one_and_more_as_more(monkeypatch):
    heads = "", "a step costs", "it remembers", "vectors"
    for counts, words in {(1, 0, 0): "1 gradient", (2, 1, 0): "2 gradients, 1 product", (0, 0, 1.5): "1.5 values",
                          (0.5, 1, 1): "0.5 gradients, 1 product, 1 value", (1.04, 0, 0): "1 gradient",
                          (0.96, 2, 0): "1 gradient, 2 products", (1.06, 0, 0): "1.1 gradients", (0, 0, 0): ""}.items():
        asked = dict(zip(("gradients", "products", "values"), counts))
        monkeypatch.setattr(family, "counted", lambda name, on_a_network, asked=asked: (asked, 1, ["v", "pairs", "mu"]))
        assert family.row("adam", heads)[1:] == [words, "$v$, `pairs`, `mu`", "1"]


def test_a_card_s_own_cells_stay_and_rows_that_are_no_methods_too():
    lines = ["| method | length limited | curvature from | structure | over time | own |", "|---|---|---|---|---|---|",
             "| `adam` | old | old | old | old | mine |", "| adam | a | b | c | d | e |",
             "| `other` | a | b | c | d | e |"]
    head, rule, adam, plain, other = unified.filled(lines)
    row = unified.row("adam")
    assert unified.split(adam) == ["`adam`", *(row[head] for head in unified.HEADS), "mine"]
    assert [head, rule, plain, other] == [lines[0], lines[1], *lines[3:]]
    with pytest.raises(ValueError):
        list(unified.filled([*lines[:2], "| `adam` | a | b |"]))
    with pytest.raises(ValueError, match="a card has the columns length limited"):
        list(unified.filled(["| method | length limited |"]))


def test_in_the_table_of_all_methods_those_that_differ_over_time_alone_stand_in_one_row():
    heads, rule, *rows = unified.table()
    assert len(heads) == len(rule) == 5
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(numopt.optimizers.__all__) and len({row[1:4] for row in rows}) == len(rows)
    for row in rows:
        groups = [re.findall(r"`(\w+)`", group) for group in row[0].split("; ")]
        times = [list(unified.row(name).values()) for group in groups for name in group]
        assert {tuple(cells[:3]) for cells in times} == {row[1:4]}
        told = [{list(unified.row(name).values())[3] for name in group} for group in groups]
        assert all(len(time) == 1 for time in told) and len(set(map(tuple, told))) == len(told)
        said = [time.pop() or "–" for time in told]
        assert row[4] == ("" if set(said) == {"–"} else "; ".join(said))


def test_the_command_finds_nothing_to_do_where_every_method_is_quoted():
    assert all(file.read_text(encoding="utf-8") == text for file, text in family.new().items())


def test_the_section_makes_no_lecture_too_long():
    file = reading.pages()[4]
    section = f"{family.HEAD}\n\n" + 300 * "A line.\n" + "\n"
    text = file.read_text(encoding="utf-8").replace(family.CARD, section + family.CARD)
    assert not [fault for fault in rules.shape(text, file) if "lines" in fault]


def test_numbers_are_written_in_as_few_letters_as_say_them():
    for number in (1, 0.1, 1e-8, 0.999, 1 / 3, 0.99999999, 150.0, np.float64(2.5)):
        assert float(family.shortest(number)) == number
    assert family.shortest(1.0) == "1" and family.shortest(1e-3) == "0.001"


def test_check_says_that_a_method_is_quoted_nowhere(capsys, monkeypatch):
    monkeypatch.setattr(reading, "quoted_methods", lambda texts: {"adam"})
    for of_a_page in "EVERYWHERE", "OF_A_LECTURE":  # the other rules, which take seconds
        monkeypatch.setattr(rules, of_a_page, ())
    assert main(["quote", "--check"]) == 1 and "no lecture quotes momentum" in capsys.readouterr().out
