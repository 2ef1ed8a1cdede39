"""What several test modules share."""
import gc
import os

# Before anything imports NumPy: the matrices here are small, and one thread is faster with them than two.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest  # noqa: E402

import figures  # noqa: E402
from numopt.kernels.twins import Kernel  # noqa: E402
from numopt.record import load, save  # noqa: E402
from tests.draws import afresh  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--reading", action="store_true", help="run the NumPy version of every hot loop, not its twin")


def pytest_configure(config):
    Kernel.reading = config.getoption("--reading")


def pytest_sessionstart():
    """While tests are collected nothing becomes garbage, and afterwards nobody has to look for it in what they are."""
    gc.disable()


def pytest_collection_finish():
    gc.enable()
    gc.freeze()


@pytest.fixture(autouse=True)
def draws_of_its_own(request):
    """The order in which tests run, and which of them do, changes no test's data."""
    afresh(request.module)


@pytest.fixture(scope="session")
def arrays(tmp_path_factory):
    """What a figure draws, by its name: computed once for all the tests, and so not to be written into.

    Where the tests run in several processes, what one has computed is there for the others.
    """
    known, folder = {}, tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def compute(name):
        file = folder / f"{name}.arrays"
        if name not in known and not file.exists():
            save(file, **figures.load(name).compute())
        if name not in known:
            known[name] = load(file)
        return known[name]

    return compute
