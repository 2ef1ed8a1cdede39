"""One letter a thing, in a table that code can read."""
import ast
import re

from lectures import reading
from lectures.quoting import ROOT


def test_no_letter_and_no_name_stands_for_two_things():
    rows = reading.notation()
    for column in ("letter", "in code", "what it is"):
        entries = [row[column] for row in rows]
        assert len(entries) > 30 and len(set(entries)) == len(entries) and all(entries)


def test_every_source_has_a_column_of_formulas():
    for row in reading.notation():
        assert list(row) == ["letter", "in code", "what it is", "Memon", "Zheng", "Kashyap", "Ravaut", "Ravasi"]
        assert all(re.fullmatch(r"\$[^$]+\$", row[source]) or not row[source] for source in list(row)[3:])


def test_every_name_is_one_that_the_code_has():
    known = set()
    for file in [*(ROOT / "numopt").rglob("*.py"), *(ROOT / "figures").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            known.update(getattr(node, key) for key in ("name", "arg", "id", "attr") if hasattr(node, key))
    names = [row["in code"].strip("`") for row in reading.notation()]
    assert [name for name in names if name not in known] == []
