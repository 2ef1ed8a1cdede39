"""Who may import whom, and that names which belong together agree."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NUMOPT = sorted((ROOT / "numopt").rglob("*.py"))

# What each module of the package may import from the package.
NOTHING = set()
ARROWS = {
    "objective": NOTHING, "optimizer": NOTHING, "schedules": NOTHING, "line_search": NOTHING,
    "data": NOTHING, "kernels": NOTHING, "__init__": NOTHING,
    "vector_kernels": {"kernels"}, "patches": NOTHING, "tiles": {"kernels"}, "dense_kernels": {"", "kernels"},
    "pooling_kernels": {"kernels", "patches"}, "convolution_kernels": {"", "kernels", "patches", "tiles"},
    "linalg": {"kernels", "vector_kernels"}, "roots": {"linalg"}, "losses": {"dense_kernels"},
    "layers": {"pooling_kernels"}, "record": {"optimizer"}, "spectra": {"linalg"},
    "problems": {"objective", "wrappers"}, "shapes": {"objective", "problems"}, "landscapes": {"problems", "shapes"},
    "convolution": {"layers", "patches", "pooling_kernels", "convolution_kernels"},
    "composition": {"layers", "convolution"},
    "normalization": {"layers"},
    "network": {"layers", "convolution", "composition", "normalization", "losses",
                "kernels"},
    "minibatch": {"objective", "layers", "losses", "problems", "kernels", "dense_kernels"},
    "wrappers": {"objective", "linalg"},
    "risk": {"objective", "minibatch", "wrappers"},
    "systems": {"problems", "shapes"},
    "interop": {"optimizer", "problems"},
    "check": {"", "losses", "risk"},
}
# Modules whose tests stand with those of another.
TESTED_WITH = {"convolution": "layers", "patches": "layers", "composition": "layers", "shapes": "landscapes",
               "minibatch": "curvature", "roots": "linalg", "compiled": "kernels",
               "vector_kernels": "kernels", "dense_kernels": "kernels", "pooling_kernels": "kernels",
               "convolution_kernels": "kernels", "tiles": "kernels"}
OPTIMIZERS_MAY = {"optimizer", "schedules", "linalg", "roots", "spectra", "line_search", "kernels", "vector_kernels"}
OPTIMIZERS_SHARE = {"averaging": {"optimizers.descent"}, "residual": {"optimizers.kronecker"},
                    "compiled": {"", "optimizers.adaptive", "optimizers.diagonal", "optimizers.momentum",
                                 "optimizers.residual"}}


def imports(file):
    """The names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively; write the whole name"
            yield node.module


def inside(file):
    """What a file imports from the package: 'objective', 'optimizers.descent'."""
    return {name.removeprefix("numopt").lstrip(".") for name in imports(file) if name.split(".")[0] == "numopt"}


@pytest.mark.parametrize("file", NUMOPT, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_arrows_point_one_way(file):
    if file.parent.name == "optimizers":
        if file.stem != "__init__":
            assert inside(file) <= OPTIMIZERS_MAY | OPTIMIZERS_SHARE.get(file.stem, set())
    elif file.parent.name == "numopt":
        assert inside(file) <= ARROWS[file.stem]


@pytest.mark.parametrize("file", NUMOPT, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_package_needs_little(file):
    outside = {name.split(".")[0] for name in imports(file)} - set(sys.stdlib_module_names) - {"numopt"}
    assert outside <= {"numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "tqdm"}  # llvmlite is Numba's


def test_importing_the_package_brings_in_neither_numba_nor_matplotlib_nor_a_network_client():
    program = ("import sys, numopt.optimizers, numopt.landscapes, numopt.risk, numopt.record, numopt.data;"
               "known = 'numba', 'threadpoolctl', 'matplotlib', 'tqdm', 'pooch', 'requests';"
               "print([m for m in known if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_no_optimizer_reads_a_pickle():
    for file in [*NUMOPT, *(ROOT / "data_scripts").glob("*.py")]:
        assert "pickle" not in {name.split(".")[0] for name in imports(file)}, file


def test_every_module_has_its_tests():
    for file in NUMOPT:
        if file.stem != "__init__":
            stem = TESTED_WITH.get(file.stem, file.stem)
            assert (ROOT / "tests" / f"test_{stem}.py").exists(), f"no tests/test_{stem}.py"


def test_no_file_is_long():
    for folder in ("numopt", "figures", "lectures", "data_scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 320, f"{file} holds more than one idea"
