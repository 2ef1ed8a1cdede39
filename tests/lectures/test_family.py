"""A method that is quoted nowhere comes into the lecture of its family, with its loop and its row of the card."""
import re

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
    assert family.row("adahessian", heads)[3:] == ["1 gradient, 1 product", "$m$, $v$"]


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
    assert main(["quote", "--check"]) == 1 and "no lecture quotes momentum" in capsys.readouterr().out
