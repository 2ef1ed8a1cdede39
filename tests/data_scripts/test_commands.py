"""The commands of lecture 14 ask for the runs that its claims are held by, and for no others."""
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from data_scripts import jobs, runs
from data_scripts.__main__ import main
from figures.making import records

LECTURE = Path(__file__).parents[2] / "lectures" / "14-experiments.md"
ROWS = [line for line in LECTURE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and "`python -m data_scripts run " in line]


def commands(row):
    """The words of the commands of a row; options alone say how one differs from that before."""
    found = []
    for text in re.findall("`([^`]+)`", row):
        if text.startswith("python -m data_scripts run "):
            found.append(shlex.split(text)[3:])
        elif text.startswith("--"):
            found.append([*found[-1], *shlex.split(text)])
    return found


class Asked(dict):
    """Runs of a record, and the names by which it was asked whether it has them."""
    def __init__(self, *given):
        super().__init__(*given)
        self.names = set()

    def __contains__(self, name):
        self.names.add(name)
        return super().__contains__(name)


@pytest.mark.parametrize("row", ROWS, ids=[row.strip("| ")[:40] for row in ROWS])
def test_the_command_of_a_claim_asks_for_the_runs_that_are_quoted_and_all_it_asks_for_is_recorded(row, monkeypatch):
    asked = {}

    def read(file):
        record = known[file] if file in known else known.setdefault(file, reading(file))
        runs_of = asked.setdefault(file.stem, Asked(record["runs"]))
        return record | {"runs": runs_of}

    known, reading = {}, records.read
    monkeypatch.setattr(records, "read", read)
    monkeypatch.setattr(runs, "done", lambda missing, *how: pytest.fail(f"not recorded: {[*map(jobs.key, missing)]}"))
    for words in commands(row):
        assert main(words) == 0, words
    quoted = {(name, run) for name, pattern in re.findall("<!-- number: ([^;]+); ([^;]+);", row)
              if name in asked for run in asked[name] if fnmatchcase(run, pattern)}
    assert quoted <= {(name, run) for name, runs_of in asked.items() for run in runs_of.names}
