"""Every hot loop stands twice, and where there is no Numba, or nobody wants it, the NumPy versions run."""
import inspect
import sys

import numpy as np
import pytest

from numopt.kernels import convolution, dense, pooling, twins, vectors
from numopt.kernels.twins import Kernel, reading
from tests.kernels import test_convolution, test_dense, test_pooling, test_vectors
from tests.kernels.both import needs_numba, run


def test_every_kernel_is_tried_in_the_tests_of_its_module():
    tried = {vectors: test_vectors, dense: test_dense, convolution: test_convolution, pooling: test_pooling}
    for module, tests in tried.items():
        assert sorted(k.__name__ for k in Kernel.known if k.__module__ == module.__name__) == sorted(tests.CASES)
    assert {kernel.__module__ for kernel in Kernel.known} == {module.__name__ for module in tried}


@pytest.mark.parametrize("kernel", Kernel.known, ids=lambda kernel: kernel.__name__)
def test_the_twin_stands_directly_underneath_with_the_same_arguments(kernel):
    assert inspect.signature(kernel.twin_function) == inspect.signature(kernel.numpy)
    assert kernel.twin_function.__name__ == f"{kernel.__name__}_compiled" and kernel.__doc__
    source = inspect.getsource(sys.modules[kernel.__module__])
    definitions = [line.split("(")[0].removeprefix("def ") for line in source.splitlines() if line.startswith("def ")]
    assert definitions[definitions.index(kernel.__name__) + 1] == f"{kernel.__name__}_compiled"


class Seen(Exception):
    """The NumPy version was called."""


@pytest.fixture
def caught(monkeypatch):
    """A kernel whose NumPy version tells that it was called."""
    def tell(*arguments):
        raise Seen

    monkeypatch.setattr(vectors.momentum, "numpy", tell)
    return vectors.momentum


def arguments_of(n, dtype=np.float32, other=None):
    return np.ones(n, dtype), np.ones(n, dtype), np.ones(n, other or dtype), 0.1, 0.9


@needs_numba
def test_the_twin_runs_where_there_is_enough_to_do_in_one_precision(caught):
    caught(*arguments_of(10_000))
    for few_or_mixed in (arguments_of(10), arguments_of(10_000, np.float32, np.float64),
                         arguments_of(10_000, np.longdouble)):
        with pytest.raises(Seen):
            caught(*few_or_mixed)


def test_while_reading_the_numpy_versions_run_and_afterwards_what_ran_before(caught):
    before = Kernel.reading
    with reading():
        with reading(), pytest.raises(Seen):
            caught(*arguments_of(10_000))
        with pytest.raises(Seen):
            caught(*arguments_of(10_000))
    assert Kernel.reading is before


TRAINING = """
import numpy as np
from numopt.networks import mlp
from numopt.optimizers import adam
from numopt.problems import EmpiricalRisk
random = np.random.default_rng(0)
X, Y, network = random.standard_normal((40, 90)), random.integers(0, 3, 40), mlp([90, 60, 3])
run = adam(EmpiricalRisk(network, X, Y), network.initial(0), lr=0.01)
for theta in [next(run) for _ in range(20)]: pass
print(f"{EmpiricalRisk(network, X, Y).whole.value(theta):.9f}")
"""


@needs_numba
def test_without_numba_the_numpy_versions_run_and_one_line_says_so():
    without = run("import sys; sys.modules['numba'] = None\n" + TRAINING)
    assert without.returncode == 0, without.stderr
    assert without.stderr.count("numopt runs its NumPy versions, for there is no Numba") == 1
    assert len(without.stderr.splitlines()) == 1
    switched_off, usual = run(TRAINING, NUMBA_DISABLE_JIT="1"), run(TRAINING)
    assert switched_off.stderr == usual.stderr == ""
    assert without.stdout == switched_off.stdout == usual.stdout


def test_asking_for_a_twin_without_numba_says_what_there_is_instead(monkeypatch):
    monkeypatch.setattr(Kernel, "numba", False)
    with pytest.raises(ImportError, match="adam.compiled needs Numba; adam.numpy does not"):
        vectors.adam.compiled()


@needs_numba
def test_where_nothing_can_be_kept_on_the_disk_the_twins_are_compiled_all_the_same(monkeypatch):
    asked = []

    def njit(**options):
        def compiled(function):
            asked.append(options)
            if options.get("cache"):
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return compiled

    def some_twin(x):
        return x + 1

    monkeypatch.setattr(Kernel, "numba", type("Numba", (), {"njit": staticmethod(njit)}))
    monkeypatch.setattr(Kernel, "uncompiled", [(some_twin, {})])
    monkeypatch.setitem(some_twin.__globals__, "some_twin", some_twin)
    twins.compile_all()
    assert [options.get("cache", False) for options in asked] == [True, False] and Kernel.uncompiled == []
