"""Who may import whom, and that names which belong together agree."""
import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NUMOPT = sorted((ROOT / "numopt").rglob("*.py"))

# What each room, and each single file, may import from the package; whoever is in a room may import its neighbours.
NOTHING = set()
ARROWS = {
    "__init__": NOTHING, "signature": NOTHING, "schedules": NOTHING, "line_search": NOTHING, "data": NOTHING,
    "checkpoint": NOTHING, "view": NOTHING, "searches": NOTHING, "finite": NOTHING,
    "kernels": NOTHING, "embedded": NOTHING,
    "answers": {"signature"}, "optimizer": {"signature", "answers", "finite"},
    "linalg": {"kernels"},
    "networks": {"kernels"},
    "problems": {"networks", "linalg", "kernels"},
    "optimizers": {"optimizer", "schedules", "line_search", "linalg", "kernels"},
    "record": {"optimizer", "checkpoint"},
    "interop": {"optimizer", "problems"},
    "check": {"problems", "networks", "optimizer", "record"},
}


def imports(file):
    """The names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively; write the whole name"
            yield node.module


def inside(file):
    """What a file imports from the package: 'schedules', 'problems.objective'; the package itself is no arrow."""
    return {name.removeprefix("numopt.") for name in imports(file) if name.startswith("numopt.")}


def place(file):
    """(room, module): ("problems", "problems.risk"); of a single file both are its name."""
    parts = file.relative_to(ROOT / "numopt").with_suffix("").parts
    return parts[0], ".".join(parts)


@pytest.mark.parametrize("file", NUMOPT, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_arrows_point_one_way(file):
    room, _ = place(file)
    assert {name.split(".")[0] for name in inside(file)} - {room} <= ARROWS[room]


def test_no_module_leads_back_to_itself():
    arrows = {place(file)[1]: inside(file) for file in NUMOPT}
    list(TopologicalSorter(arrows).static_order())


def test_a_circle_is_found():
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


@pytest.mark.parametrize("file", NUMOPT, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_package_needs_little(file):
    outside = {name.split(".")[0] for name in imports(file)} - set(sys.stdlib_module_names) - {"numopt"}
    assert outside <= {"numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "tqdm"}  # llvmlite is Numba's


def test_importing_the_package_brings_in_neither_numba_nor_matplotlib_nor_a_network_client():
    program = ("import sys, numopt.optimizers, numopt.record, numopt.data;"
               "from numopt.problems import EmpiricalRisk; from numopt.networks import mlp;"
               "known = 'numba', 'threadpoolctl', 'matplotlib', 'tqdm', 'pooch', 'requests';"
               "print([m for m in known if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_no_optimizer_reads_a_pickle():
    for file in [*NUMOPT, *(ROOT / "data_scripts").glob("*.py")]:
        assert "pickle" not in {name.split(".")[0] for name in imports(file)}, file


def test_every_module_has_its_tests():
    for file in NUMOPT:
        if file.stem not in ("__init__", "__main__"):
            tests = ROOT / "tests" / file.relative_to(ROOT / "numopt").parent / f"test_{file.stem}.py"
            assert tests.exists(), f"no {tests}"


def test_no_file_is_long():
    for folder in ("numopt", "figures", "lectures", "data_scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 320, f"{file} holds more than one idea"
