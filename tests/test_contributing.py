"""What CONTRIBUTING.md says is done, in a copy of the repository, and does what it says."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r'<!-- (.+?) -->\n```\w+\n(.*?)```', re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The repository in another place, without what is made from it."""
    place = tmp_path_factory.mktemp("contributing") / "numopt"
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "out", "*.egg-info")
    shutil.copytree(ROOT, place, ignore=leave_out)
    return place


def put(place, where, block):
    """Put a block where the line above it says."""
    how, _, name = where.partition(": ")
    file = place / name
    if how == "new file":
        assert not file.exists()
        file.write_text(block, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    before = {"before MISTAKES in": "MISTAKES = [\n", "first in MISTAKES of": "MISTAKES = [\n",
              'before "## Sources" in': "## Sources\n"}
    if how == "at the end of":
        file.write_text(text.rstrip("\n") + "\n" + block, encoding="utf-8")
    elif how == "in":
        lines = re.findall(r"^-(.*)\n\+(.*)$", block, re.MULTILINE)
        assert lines and all(text.count(old) == 1 for old, _ in lines), "bring the page up to date"
        for old, new in lines:
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
    else:
        mark = before[how]
        assert text.count(mark) == 1
        after = how.startswith("first in")
        file.write_text(text.replace(mark, mark + block if after else block + mark), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_what_it_says_of_adding_can_be_done_and_does_what_it_says(section, copy):
    steps = STEP.findall(SECTIONS[section])
    assert steps
    said = ""
    for where, block in steps:
        if not where.startswith("run"):
            put(copy, where, block)
            continue
        for command in block.strip().splitlines():
            program, *arguments = command.split()
            assert program == "python"
            done = subprocess.run([sys.executable, *arguments], cwd=copy, capture_output=True, text=True,
                                  env=os.environ | {"PYTHONPATH": str(copy)})
            said = done.stdout + done.stderr
            assert (done.returncode != 0) == ("it fails" in where), f"{command}:\n{said}"
            assert "no tests ran" not in said
    if section == "A method":
        assert re.search(r"\badam, adamax, amsgrad\b", (copy / "README.md").read_text(encoding="utf-8"))
        lecture = (copy / "lectures" / "04-adaptive.md").read_text(encoding="utf-8")
        assert "<!-- code: numopt.optimizers.adamax -->\n```python\n@optimizer\ndef adamax(" in lecture
        assert "\n| `adamax` | Kingma and Ba (2015), Algorithm 2 | `lr=0.002, beta1=0.9" in lecture
    if section == "A figure":
        assert (copy / "figures" / "out" / "stable_rates-curvature=10.0.png").exists()
    if section == "A lecture":
        assert "lectures/15-pruning.md" in said
    if section == "An exercise":
        assert "exercise 1.7 has no solution" in said
