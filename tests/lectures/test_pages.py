"""What stands in the lectures holds: quotations, links, tests of claims, structure."""
import pytest

from lectures import quoting, reading, rules

LECTURES = list(reading.pages().values())


def faults(checks, file):
    text = file.read_text(encoding="utf-8")
    return [fault for check in checks for fault in check(text, file)]


@pytest.mark.parametrize("file", quoting.pages(), ids=lambda file: file.name)
def test_every_page_is_up_to_date_and_its_links_and_tests_are_there(file):
    assert faults(rules.EVERYWHERE, file) == []


@pytest.mark.parametrize("file", LECTURES, ids=lambda file: file.name)
def test_every_lecture_has_what_a_lecture_has(file):
    assert faults(rules.OF_A_LECTURE, file) == []


def test_every_method_and_figure_of_a_lecture_is_quoted_by_one():
    assert [fault for fault in rules.quoted_nowhere() if not fault.startswith("there is no lecture")] == []


def test_there_are_fourteen_lectures():
    assert sorted(reading.pages()) == list(rules.LECTURES)
