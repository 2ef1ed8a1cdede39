"""errata.md: every row has its test or is reading alone, and every test of misprints has its row."""
import pytest

from lectures import reading
from lectures.quoting import HERE, ROOT
from lectures.rules import misprints

PAGE = HERE / "errata.md"
THERE = reading.tests(ROOT / "tests" / "test_errata.py")
HEAD = "| place | printed | right | why | shown by |\n|---|---|---|---|---|\n"
GOOD = "| 3.1 | a | b | c | [`test_it`](../tests/test_errata.py) |\n"


def test_every_misprint_names_its_test_and_every_test_is_named():
    assert THERE and list(misprints(PAGE.read_text(encoding="utf-8"), PAGE, THERE)) == []


@pytest.mark.parametrize("row, fault", [
    ("| 3.1 | a | b | c | `test_it` |\n", "shown by '`test_it`'"),
    ("| 3.1 | a | b | c | [`test_it` nearly](../tests/test_errata.py) |\n", "shown by '[`test_it` nearly]"),
    ("| 3.1 | a | b | c | seen |\n", "shown by 'seen'"),
    ("| 3.1 | a | b | | reading |\n", "has a place"),
    ("| 3.1 | a | b | reading |\n", "has a place"),
    ("| 3.1 | a | b | c | the same |\n", "shown by 'the same'"),
    ("| 3.1 | a | b | c | reading |\n", "no row names test_it"),
    ("| 3.1 | a | b | c | [`test_it`](../tests/test_other.py) |\n", "no row names test_it"),
])
def test_a_row_without_its_test_is_found(row, fault):
    assert any(fault in found for found in misprints(HEAD + row, PAGE, {"test_it"}))


def test_a_good_row_has_no_fault():
    same = "| 3.2 | d | e | f | the same |\n" * 2 + "| 3.3 | g | h | i | reading |\n"
    assert list(misprints(HEAD + GOOD + same, PAGE, {"test_it"})) == []


@pytest.mark.parametrize("last", ["| 3.2 | d | e | f | reading |\n| 3.3 | g | h | i | the same |\n", HEAD
                                  + "| 3.3 | g | h | i | the same |\n"])
def test_the_same_is_what_stands_right_above(last):
    assert any("the same" in found for found in misprints(HEAD + GOOD + last, PAGE, {"test_it"}))
