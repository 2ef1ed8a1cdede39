"""Every hot loop stands twice, and where there is no Numba, or nobody wants it, the NumPy versions run."""
import inspect
import sys
import threading
import time

import numpy as np
import pytest

from numopt.kernels import convolution, dense, normalization, pooling, twins, vectors
from numopt.kernels.twins import Kernel, reading
from numopt.linalg import conjugate_gradient, damped
from numopt.networks import BatchNorm, Conv2D, Dense, Flatten, MaxPool, Network, ReLU, mlp
from numopt.networks.layers import Mode
from numopt.optimizers import adahessian, adam, momentum, natural_gradient, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, MiniBatch
from tests.kernels import test_convolution, test_dense, test_normalization, test_pooling, test_vectors
from tests.kernels.both import needs_numba, run


def test_every_kernel_is_tried_in_the_tests_of_its_module():
    tried = {vectors: test_vectors, dense: test_dense, convolution: test_convolution, pooling: test_pooling,
             normalization: test_normalization}
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


@needs_numba
def test_whatever_stands_for_the_same_numbers_is_of_one_type_for_the_compiler():
    x, on_two = np.ones(7), np.ones((7, 2))
    constant = np.ones(7)
    constant.flags.writeable = False
    vectors.momentum.compiled(x, x, x, 0.5, 0.25)
    compiled = vectors.momentum_compiled
    before = len(compiled.signatures)
    for array in x, constant, on_two[:, 0], on_two[::-1, 1], np.ones(8)[1:]:
        for number in 1, 0.5, True, np.float64(0.25), np.int8(1):
            vectors.momentum.compiled(array, x, array, number, 0.25)
    P = (x, on_two[:, 0], constant)
    for k in 1, 2, 3:
        vectors.least_residual.compiled(x, x, P[:k], P[:k], np.zeros((0, 0)), 0)
    known = len(vectors.least_residual_compiled.signatures)
    vectors.least_residual.compiled(constant, on_two[:, 0], P, P, np.zeros((2, 2)), np.int64(1))
    assert len(compiled.signatures) == before and len(vectors.least_residual_compiled.signatures) == known


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


# ------------------------------------------------------------------------------------------- who else runs, and when

def at_once(*calls):
    """The results of functions that run in a thread each."""
    results = [None] * len(calls)

    def call(i):
        results[i] = calls[i]()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def test_two_threads_that_need_numba_first_wait_for_one_import(monkeypatch):
    imports = []

    def imported():
        imports.append(1)
        time.sleep(0.05)
        return "numba"

    monkeypatch.setattr(Kernel, "numba", None)
    monkeypatch.setattr(twins, "imported", imported)
    assert at_once(twins.started, twins.started, twins.started) == [True, True, True] and len(imports) == 1


def test_two_threads_that_call_a_twin_first_both_call_what_was_compiled(monkeypatch):
    made = []

    def njit(**options):
        def compiled(function):
            made.append(function)
            time.sleep(0.05)
            return lambda *arguments: "compiled"
        return compiled

    def some(x):
        return "NumPy"

    def some_compiled(x):
        return "not compiled"

    monkeypatch.setattr(Kernel, "known", [])
    monkeypatch.setattr(Kernel, "numba", type("Numba", (), {"njit": staticmethod(njit)}))
    monkeypatch.setattr(Kernel, "uncompiled", [])
    monkeypatch.setattr(twins, "kept", lambda function, options: njit()(function))
    kernel = twins.kernel("(n)", pays=lambda x: True)(some)
    monkeypatch.setitem(globals(), "some_compiled", some_compiled)
    kernel.twin()(some_compiled)
    assert at_once(*[lambda: kernel(np.ones(3))] * 3) == 3 * ["compiled"] and made == [some_compiled]


def test_a_ctrl_c_while_numba_is_imported_leaves_the_question_open(monkeypatch):
    import builtins
    true_import, asked = builtins.__import__, []

    def interrupted(name, *more):
        if name == "numba" and not asked:
            asked.append(name)
            raise KeyboardInterrupt
        return true_import(name, *more)

    monkeypatch.setattr(Kernel, "numba", None)
    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        twins.started()
    assert Kernel.numba is None and asked
    started = twins.started()
    assert Kernel.numba is not None and started is bool(Kernel.numba)
    assert at_once(twins.started) == [started]  # and nobody holds the lock


def test_who_reads_in_one_thread_makes_no_other_thread_read():
    one_reads, other_reads, one_left = threading.Event(), threading.Event(), threading.Event()

    def one():
        with reading():
            one_reads.set()
            other_reads.wait(10)
        one_left.set()
        return twins.reads()

    def other():
        one_reads.wait(10)
        before = twins.reads()
        with reading():
            other_reads.set()
            one_left.wait(10)
            while_reading = twins.reads()
        return before, while_reading, twins.reads()

    assert at_once(one, other) == [False, (False, True, False)] and not twins.reads()


@needs_numba
def test_a_twin_whose_results_are_not_finite_leaves_them_to_the_numpy_version():
    x = np.ones(3)
    p = np.array([-np.inf, 1.0, 1.0])
    with np.errstate(invalid="ignore"):
        wanted = vectors.conjugate_step.numpy(x, x, p, x, 1.0, 0.3)
        found = vectors.conjugate_step.compiled(x, x, p, x, 1.0, 0.3)
    for mine, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(other, mine)


# ------------------------------------------------------------------------------------------- no twin stands by idly

@needs_numba
def test_every_twin_runs_where_networks_and_methods_are_large_enough(monkeypatch):
    entered, enter = set(), Kernel.enter
    monkeypatch.setattr(Kernel, "enter", lambda kernel, given: entered.add(kernel.__name__) or enter(kernel, given))
    random = np.random.default_rng(0)
    X, Y = random.standard_normal((64, 32, 32, 3)).astype(np.float32), random.integers(0, 10, 64)
    images = Network(Conv2D(3, 8, 3, padding=1), ReLU(), MaxPool(2), Conv2D(8, 4, 3, padding=1), Flatten(),
                     Dense(1024, 10), inputs=(32, 32, 3))
    theta = images.initial(0, dtype=np.float32)
    batch = MiniBatch(images, X, Y)
    batch.hessian(theta) @ theta, batch.per_example_gradients(theta)
    y, saved = ReLU().forward(None, np.concatenate([X, X, X]), Mode())
    ReLU().backward(None, saved, y, None)
    normalisation = BatchNorm(3)
    y, saved = normalisation.forward(np.ones(6, np.float32), X, Mode(training=True))
    normalisation.backward(np.ones(6, np.float32), saved, y, None)
    small = EmpiricalRisk(mlp([90, 60, 10]), random.standard_normal((600, 90)), random.integers(0, 10, 600),
                          batch_size=500)
    for method in (momentum, rmsprop, adam, adahessian, nltgcr_fisher, natural_gradient):
        for _ in zip(range(2), method(small, small.network.initial(0), lr=0.01)):
            pass
    batch = MiniBatch(small.network, random.standard_normal((50, 90)), random.integers(0, 10, 50))
    theta = small.network.initial(0)
    F = batch.fisher(theta)
    F @ theta, F @ theta
    conjugate_gradient(damped(batch.hessian(theta), 1e6), theta, steps=3)
    conjugate_gradient(np.eye(40) + 1, np.ones(40), steps=3)
    wanted = {kernel.__name__ for kernel in Kernel.known}
    assert entered == wanted, wanted - entered


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


@pytest.mark.parametrize("error", [ImportError("no module"), RuntimeError("not for this NumPy"), OSError("no LLVM"),
                                   AttributeError("np.MachAr"), SystemError("initialization failed")])
def test_a_numba_that_cannot_be_imported_for_whatever_reason_is_not_there(error, monkeypatch, caplog):
    import builtins
    true_import = builtins.__import__

    def failing(name, *more):
        if name == "numba":
            raise error
        return true_import(name, *more)

    monkeypatch.setattr(builtins, "__import__", failing)
    assert twins.imported() is False
    assert [str(error) in record.getMessage() for record in caplog.records] == [True]


@needs_numba
def test_a_twin_that_refuses_says_what_it_takes_and_what_it_was_given():
    x = np.ones(3)
    with pytest.raises(ValueError) as error:
        vectors.momentum.compiled(x, x, np.ones((2, 4), np.float32), 0.5, "a")
    message = str(error.value)
    assert "momentum.compiled takes (n) (n) (n) . ." in message and "momentum.numpy says what is wrong" in message
    assert "was given float64[3], float64[3], float32[2, 4], 0.5, 'a';" in message
    with pytest.raises(ValueError, match=r"given float64\[3\], float64\[3\], \(float64\[3\], 7\), \(\), "):
        vectors.least_residual.compiled(x, x, (x, 7), (), np.zeros((0, 0)), 0)


def test_the_c_library_is_told_once_how_much_freed_memory_to_keep_and_another_one_nothing(monkeypatch):
    told = {}

    class Glibc:
        @staticmethod
        def mallopt(parameter, number):
            told[parameter] = number

    monkeypatch.setattr("ctypes.CDLL", lambda name: Glibc)
    twins.keep_freed_memory()
    assert told == {-3: 2**25, -1: 2**28}  # M_MMAP_THRESHOLD, at most 32 MB; M_TRIM_THRESHOLD (mallopt(3))

    def missing(name):
        raise OSError("no such library")

    for other in missing, lambda name: object():
        monkeypatch.setattr("ctypes.CDLL", other)
        twins.keep_freed_memory()


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


class Store:
    """What Numba keeps on the disk, where reading or writing fails."""

    def __init__(self, reading, writing):
        self.errors, self.flushed = (reading, writing), 0

    def load_overload(self, *arguments):
        if self.errors[0]:
            raise self.errors[0]
        return "loaded"

    def save_overload(self, *arguments):
        if self.errors[1]:
            raise self.errors[1]

    def flush(self):
        self.flushed += 1


@pytest.mark.parametrize("reading, writing", [(EOFError("Ran out of input"), None), (None, OSError("no space left")),
                                              (ValueError("bad marshal data"), OSError("no space left")), (None, None)])
def test_what_cannot_be_read_or_written_is_compiled_and_one_line_says_so(reading, writing, monkeypatch, caplog):
    store = Store(reading, writing)
    numba = type("Numba", (), {"njit": staticmethod(lambda **options: lambda function: function)})
    monkeypatch.setattr(Kernel, "numba", numba)
    monkeypatch.setattr(Kernel, "told", False)

    def some_twin(x):
        return x

    some_twin._cache = store
    compiled = twins.kept(some_twin, {})
    for _ in range(2):
        assert compiled._cache.load_overload() == (None if reading else "loaded")
        assert compiled._cache.save_overload() is None
    assert store.flushed == (2 if reading else 0)
    assert len(caplog.records) == bool(reading or writing)
    assert not caplog.records or "compiles its hot loops again" in caplog.text


MOMENTUM = """
import numpy as np
from numopt.kernels.vectors import momentum
print(momentum.compiled(np.ones(3), np.ones(3), np.ones(3), 0.5, 0.25))
"""
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


@needs_numba
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of a file to be set")
def test_a_damaged_a_cut_short_and_a_full_cache_folder_are_not_in_the_way(tmp_path):
    def momentum(before=""):
        return run(before + MOMENTUM, NUMBA_CACHE_DIR=str(tmp_path))

    full = momentum(FULL)
    assert "compiles its hot loops again" in full.stderr and len(full.stderr.splitlines()) == 1
    usual = momentum()
    files = [file for file in tmp_path.rglob("*") if file.suffix in (".nbc", ".nbi")]
    assert usual.stderr == "" and "0.75" in usual.stdout and len(files) >= 2
    for content in (b"", None):
        for file in files:
            file.write_bytes(file.read_bytes()[:100] if content is None else content)
        damaged, again = momentum(), momentum()
        assert damaged.stdout == again.stdout == full.stdout == usual.stdout, damaged.stderr
        assert len(damaged.stderr.splitlines()) == 1 and again.stderr == ""


FIRST = """
import threading
import numpy as np
from numopt.kernels.vectors import momentum
found, x = [], np.ones(6000)
workers = [threading.Thread(target=lambda: found.append(momentum(x, x, x, 0.5, 0.25)[0].sum())) for _ in range(4)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(found == 4 * [4500.0])
"""


@needs_numba
@pytest.mark.slow
def test_the_first_use_may_be_in_several_threads_at_once():
    assert run(FIRST).stdout == "True\n"
