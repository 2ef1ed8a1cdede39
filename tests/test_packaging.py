"""What is handed out is whole: the package, the source distribution, and the page of a package index."""
import configparser
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

from numopt import data

ROOT = Path(__file__).parent.parent
SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT / "setup.cfg", encoding="utf-8")


@pytest.fixture
def described(monkeypatch):
    """What setup.py hands to setuptools."""
    handed = {}
    setuptools = ModuleType("setuptools")
    setuptools.setup = handed.update
    monkeypatch.setitem(sys.modules, "setuptools", setuptools)
    runpy.run_path(str(ROOT / "setup.py"))
    return handed["long_description"]


def test_on_the_page_of_an_index_no_link_leads_nowhere_and_no_word_is_missing(described):
    assert re.findall(r"\]\((?!https?:)", described) == [] and "![" not in described
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"\]\((?!https?:)", readme)) > 50
    for words in ("## How to read it", "| adaptive | delta_bar_delta", "Begin with optimizer.py, what an optimizer is"):
        assert words in described


def test_the_source_distribution_holds_every_folder_and_page_of_the_repository():
    kept = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()
    made = {"build", "dist"}
    for entry in ROOT.iterdir():
        if entry.is_dir() and any(entry.glob("*.py")) and entry.name not in made:
            assert entry.name in kept
        if entry.suffix in (".md", ".cff"):
            assert entry.name in kept


def test_one_version_is_said_everywhere():
    version = SETTINGS["metadata"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest[1] == version


def test_without_the_repository_it_is_said_that_fetching_needs_it(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError) as here:
        data.mnist()
    monkeypatch.setattr(data, "__file__", str(tmp_path / "site-packages" / "numopt" / "data.py"))
    with pytest.raises(FileNotFoundError) as installed:
        data.mnist()
    assert "not installed with the package" in str(installed.value)
    assert "not installed with the package" not in str(here.value)


def test_an_editable_install_puts_the_repository_on_the_path_so_that_a_figure_can_be_run_by_itself():
    """setuptools does so where all packages stand in one folder that package_dir names; otherwise it maps numopt alone,
    and `python figures/zigzag.py` would not find `figures.making`."""
    assert SETTINGS["options"]["package_dir"].split() == ["=", "."]
    build = pytest.importorskip("setuptools.command.editable_wheel")
    packages = [".".join(file.relative_to(ROOT).parent.parts) for file in (ROOT / "numopt").rglob("__init__.py")]
    assert build._simple_layout(packages, {"": "."}, ROOT)
