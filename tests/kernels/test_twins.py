"""Every hot loop stands twice, and both versions are the same; where there is no Numba, the NumPy versions run."""
import inspect
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import weakref
import zlib
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info

from numopt.kernels import convolution, dense, pooling, sharing, twins, vectors
from numopt.kernels.patches import places
from numopt.kernels.twins import Kernel, reading
from numopt.linalg import conjugate_gradient, damped
from numopt.networks import Dense, Dropout, Network, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, cnn, mlp
from numopt.optimizers import natural_gradient
from numopt.problems import DenseFisher, EmpiricalRisk, MiniBatch

ROOT = Path(__file__).parents[2]
PRECISIONS = [np.float32, np.float64]

needs_numba = pytest.mark.skipif(not twins.started(), reason="there is no Numba, or it is switched off")


@pytest.fixture(autouse=True)
def not_reading(monkeypatch):
    monkeypatch.setattr(Kernel, "reading", False)


# --------------------------------------------------------------------------------------- both versions agree

def normal(random, dtype):
    return lambda *shape: random.standard_normal(shape).astype(dtype)


def long_vectors(a):
    """One weight, an odd number of them, and more than a processor takes at a time."""
    for n in (1, 7, 1003):
        yield [a(n), a(n), a(n), a(n)**2]


def images(a):
    """(images, k, stride, padding): odd sides, patches that leave pixels over, overlap, or reach beyond the border."""
    for shape, k, stride, padding in [((1, 3, 3, 1), 3, 1, 1), ((3, 7, 5, 2), 3, 2, 1), ((2, 5, 8, 3), 2, 2, 0),
                                      ((9, 6, 6, 4), 5, 1, 2), ((2, 4, 5, 1), 1, 1, 0), ((2, 6, 7, 2), 2, 3, 0),
                                      ((2, 3, 13, 20), 3, 1, 1), ((3, 5, 9, 35), 1, 2, 0)]:
        yield a(*shape), k, stride, padding


def outputs_of(x, k, stride, padding, channels, a):
    h, w = (places(length, k, stride, padding) for length in x.shape[1:3])
    return a(len(x), h, w, channels)


def nets(a):
    """The arguments of dense_fisher_product: one layer or three, with biases or without, one example or many, and no
    further terms in M, one or several."""
    for n, terms, shapes in [(1, 1, [(1, 1, 0)]), (5, 3, [(3, 4, 1), (2, 3, 1)]), (600, 0, [(7, 150, 0), (3, 7, 1)]),
                             (3, 2, [(17, 4, 1), (40, 17, 0), (2, 40, 1)]), (20, 1, [(33, 300, 1), (33, 33, 0)])]:
        shapes = np.array(shapes)
        outputs, inputs, _ = shapes.sum(axis=0)
        weights = sum(o * (i + bias) for o, i, bias in shapes)
        by_outputs = a(n, shapes[-1, 0]), a(terms, n, shapes[-1, 0]), a(terms, n, shapes[-1, 0])
        yield a(weights), a(n * inputs), a(n * outputs), *by_outputs, shapes, a(weights)


def positive_nets(a):
    """The same, with M no less than 0, and damping so large that rounding is not magnified."""
    for theta, X, S, D, A, _, shapes, v in nets(a):
        yield 0.1 * theta, X, S, abs(D), A, A, shapes, v


def positive(n, a):
    A = a(n, n)
    return A @ A.T / n + np.eye(n, dtype=A.dtype)


def pairs_of(n, k, a):
    """k vectors, and k others that are orthogonal and of length 1."""
    return tuple(a(k, n)), tuple(np.linalg.qr(a(n, max(k, 1)))[0].T[:k])


CASES = {
    "momentum": lambda a: ((x, g, v, 0.1, 0.9) for x, g, v, _ in long_vectors(a)),
    "rmsprop": lambda a: ((x, g, s, 0.1, 0.9, 1e-8) for x, g, _, s in long_vectors(a)),
    "adam": lambda a: ((x, g, m, v, 0.1, 0.9, 0.999, 1e-8, t)
                       for (x, g, m, v), t in product(long_vectors(a), (1, 100))),
    "adahessian": lambda a: ((x, g, D, m, v, 0.1, 0.9, 0.99, 1e-4, power, 0.01, 3)
                             for (x, g, D, v), m, power in zip(long_vectors(a), (a(1), a(7), a(1003)), (1.0, 0.5, 0))),
    "conjugate_step": lambda a: ((x, r, p, sign * p + 0.01 * Ap, float(r @ r), 0.3) for sign in (1, -1)
                                 for x, r, p, Ap in long_vectors(a)),
    "least_residual": lambda a: ((a(n), a(n), *pairs_of(n, k, a), 0.01 * np.tril(a(known, known), -1), skipped)
                                 for n, k, known, skipped in [(1, 0, 0, 0), (40, 7, 0, 2), (1000, 3, 3, 0),
                                                              (2537, 10, 9, 1)]),
    "relu": lambda a: [(a(1),), (a(7, 3),), (a(2, 5, 3, 4),)],
    "relu_backward": lambda a: [(a(1), a(1)), (a(2, 5, 3, 4), a(2, 5, 3, 4))],
    "dense_conjugate_gradient": lambda a: ((positive(n, a), a(n), steps, 1e-3)
                                           for n, steps in [(1, 1), (9, 5), (33, 7)]),
    "softmax_hessian_product": lambda a: [(a(1, 2), a(1, 2)), (a(7, 10), a(7, 10)), (100 * a(5, 3), a(5, 3))],
    "dense_fisher_product": lambda a: nets(a),
    "dense_fisher_solve": lambda a: ((*net, 1.0, steps, 1e-3)
                                     for net, steps in zip(positive_nets(a), (1, 4, 3, 3, 2))),
    "convolution": lambda a: ((x, a(o, k * k * x.shape[3] + bias), k, stride, padding)
                              for (x, k, stride, padding), o, bias in product(images(a), (1, 5, 40), (0, 1))),
    "convolution_by_weights": lambda a: (
        (x, outputs_of(x, k, stride, padding, outputs, a), k, stride, padding, bias)
        for (x, k, stride, padding), outputs, bias in product(images(a), (5, 64), (False, True))),
    "convolution_by_inputs": lambda a: ((outputs_of(x, k, stride, padding, 5, a), a(5, k * k * x.shape[3]), x.shape, k,
                                         stride, padding) for x, k, stride, padding in images(a)),
    "max_pool": lambda a: ((x, k, stride, least) for x, k, stride, _ in images(a) for least in (-np.inf, 0.3)),
    "max_pool_chosen": lambda a: ((x, which_of(x, k, stride), k, stride) for x, k, stride, _ in images(a)),
    "max_pool_backward": lambda a: ((outputs_of(x, k, stride, 0, x.shape[3], a), which_of(x, k, stride),
                                     x.shape, k, stride) for x, k, stride, _ in images(a)),
}


def which_of(x, k, stride):
    return pooling.max_pool.numpy(x, k, stride, -np.inf)[1]


def arrays_of(result):
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]


def test_every_kernel_is_tried_here():
    assert sorted(kernel.__name__ for kernel in Kernel.known) == sorted(CASES)


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("kernel", Kernel.known, ids=lambda kernel: kernel.__name__)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(kernel, dtype):
    cases = list(CASES[kernel.__name__](normal(np.random.default_rng(0), dtype)))
    assert len(cases) >= 2
    for arguments in cases:
        before = [np.copy(argument) for argument in arguments]
        both = arrays_of(kernel.numpy(*arguments)), arrays_of(kernel.compiled(*arguments))
        for mine, other in zip(*both, strict=True):
            assert mine.shape == other.shape and mine.dtype == other.dtype
            scale = np.abs(mine).max(initial=1.0)
            assert_allclose(other, mine, rtol=0, atol=300 * np.finfo(dtype).eps * scale)
        for argument, copy in zip(arguments, before):
            assert_array_equal(argument, copy)


@needs_numba
@pytest.mark.parametrize("kernel", Kernel.known, ids=lambda kernel: kernel.__name__)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(kernel):
    *_, arguments = CASES[kernel.__name__](normal(np.random.default_rng(1), np.float64))
    views = [np.repeat(argument, 2, axis=-1)[..., ::2] if isinstance(argument, np.ndarray) else argument
             for argument in arguments]
    for view in views:
        if isinstance(view, np.ndarray):
            view.flags.writeable = False
    for mine, other in zip(arrays_of(kernel.numpy(*arguments)), arrays_of(kernel.compiled(*views)), strict=True):
        assert_allclose(other, mine, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kernel", Kernel.known, ids=lambda kernel: kernel.__name__)
def test_the_twin_stands_directly_underneath_with_the_same_arguments(kernel):
    assert inspect.signature(kernel.twin_function) == inspect.signature(kernel.numpy)
    assert kernel.twin_function.__name__ == f"{kernel.__name__}_compiled" and kernel.__doc__
    source = inspect.getsource(sys.modules[kernel.__module__])
    definitions = [line.split("(")[0].removeprefix("def ") for line in source.splitlines() if line.startswith("def ")]
    assert definitions[definitions.index(kernel.__name__) + 1] == f"{kernel.__name__}_compiled"


# ---------------------------------------------------------------------------------------- when which one runs

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


def run(program, **environment):
    path = {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                          env=os.environ | path | environment)


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


# --------------------------------------------------------------------------------------------------- threads

def threads():
    return {library["filepath"]: library["num_threads"] for library in threadpool_info()
            if library["user_api"] == "blas"}


def test_where_twins_share_out_the_work_blas_has_one_thread_and_afterwards_what_it_had_before():
    before = threads()
    with sharing.one_thread_of_blas():
        assert set(threads().values()) == {1}
    assert threads() == before


@pytest.mark.parametrize("n", [0, 1, 7, 8, 100])
@pytest.mark.parametrize("number", [1, 3])
def test_work_that_is_shared_out_is_done_once_by_as_many_threads_as_there_are(n, number, monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: number)
    monkeypatch.setattr(sharing, "helpers", cache(sharing.helpers.__wrapped__))
    done, workers = [], set()

    def work(here, piece):
        time.sleep(0.001)
        workers.add(threading.get_ident())
        done.append((piece, list(range(n))[here]))

    sharing.share_out(n, work)
    assert [i for _, some in sorted(done) for i in some] == list(range(n))
    assert len({piece for piece, _ in done}) == len(done) == min(n, sharing.PIECES) and len(workers) <= number


def test_the_calling_thread_wakes_nobody_where_there_is_little_to_do(monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    monkeypatch.setattr(sharing, "helpers", None)
    workers = []
    sharing.share_out(8, lambda here, piece: workers.append(threading.get_ident()), alone=True)
    assert workers == 8 * [threading.get_ident()]


def test_an_error_in_another_thread_reaches_the_caller_and_the_threads_go_on(monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    monkeypatch.setattr(sharing, "helpers", cache(sharing.helpers.__wrapped__))
    here = threading.get_ident()

    def work(where, piece):
        if threading.get_ident() != here:
            raise ZeroDivisionError(f"in piece {piece}")
        time.sleep(0.01)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="in piece"):
            sharing.share_out(8, work)


def test_no_thread_keeps_what_it_worked_on(monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    monkeypatch.setattr(sharing, "helpers", cache(sharing.helpers.__wrapped__))
    x = np.empty(1000)
    kept = weakref.ref(x)
    sharing.share_out(8, lambda here, piece, x=x: time.sleep(0.001))
    del x
    end = time.monotonic() + 10
    while kept() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert kept() is None


def test_no_more_threads_than_were_asked_for(monkeypatch):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for asked, number in [("1", 1), ("0", 1), ("1000", cores), ("many", cores)]:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert sharing.threads.__wrapped__() == number


SUMS = """
import numpy as np
from numopt.kernels.convolution import convolution_by_weights
random = np.random.default_rng(0)
x, dy = random.standard_normal((20, 9, 9, 40)), random.standard_normal((20, 9, 9, 8))
print(convolution_by_weights.compiled(x, dy, 3, 1, 1, True).tobytes().hex())
"""


@needs_numba
def test_sums_do_not_depend_on_the_number_of_threads():
    one, several = run(SUMS, OMP_NUM_THREADS="1"), run(SUMS, OMP_NUM_THREADS="8")
    assert one.stdout == several.stdout and len(one.stdout) > 16 * 8 * 361, one.stderr


def test_files_with_twins_that_call_the_tiles_change_with_them():
    source = (ROOT / "numopt" / "kernels" / "tiles.py").read_text(encoding="utf-8")
    assert dense.TILES == convolution.TILES == zlib.crc32(source.encode()), "put it into both files"
    callers = [file.stem for file in (ROOT / "numopt").rglob("*.py") if "import tiles" in file.read_text("utf-8")]
    assert sorted(callers) == ["convolution", "dense"]


@needs_numba
def test_two_threads_may_call_a_twin_at_once():
    x = np.random.default_rng(0).standard_normal((64, 32, 32, 8))
    wanted, found = pooling.max_pool.numpy(x, 2, 2, 0.0)[0], []

    def work():
        found.extend(pooling.max_pool(x, 2, 2, 0.0)[0] for _ in range(5))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 10
    for y in found:
        assert_array_equal(y, wanted)


def in_the_child(queue, x):
    queue.put(pooling.relu.compiled(x).sum())


@needs_numba
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_which_has_no_threads_of_its_parent_has_its_own(monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    x = np.random.default_rng(0).standard_normal((1000, 1000))
    pooling.relu.compiled(x)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_the_child, args=(queue, x))
    child.start()
    total = queue.get(timeout=60)
    child.join()
    assert total == pytest.approx(np.maximum(x, 0).sum())


# --------------------------------------------------------------------------- what is made of the kernels elsewhere

@needs_numba
@pytest.mark.parametrize("dtype, close", [(np.float32, 1e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("matrix", ["fisher", "sampled_fisher", "gauss_newton", "empirical_fisher"])
def test_a_solve_with_a_fisher_matrix_is_that_of_the_layers(matrix, activation, dtype, close):
    random = np.random.default_rng(2)
    network = mlp([20, 15, 12, 4], activation=activation, dropout=0.1)
    loss = MiniBatch(network, random.standard_normal((30, 20)).astype(dtype), random.integers(0, 4, 30))
    theta = network.initial(0, dtype=dtype)
    theta.flags.writeable = False
    g = loss.gradient(theta)
    F = getattr(loss, matrix)(theta)
    compiled = conjugate_gradient(damped(F, 0.1), g, steps=8), F @ g, F @ (F @ g)
    with reading():
        F = getattr(loss, matrix)(theta)
        mine = conjugate_gradient(damped(F, 0.1), g, steps=8), F @ g, F @ (F @ g)
    for a, b in zip(compiled, mine):
        assert a.dtype == b.dtype == dtype
        assert_allclose(a, b, rtol=0, atol=close * np.abs(b).max())


@needs_numba
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()], ids=["softmax", "squared error"])
def test_a_net_without_some_biases_and_with_activations_at_both_ends_has_the_same_fisher_matrix(loss):
    random = np.random.default_rng(5)
    network = Network(Tanh(), Dropout(0.2), Dense(20, 15, bias=False), Tanh(), Dropout(0.2), Sigmoid(), Dense(15, 18),
                      Dense(18, 4, bias=False), Tanh(), inputs=20, loss=loss)
    Y = random.integers(0, 4, 30) if isinstance(loss, SoftmaxCrossEntropy) else random.standard_normal((30, 4))
    batch, theta = MiniBatch(network, random.standard_normal((30, 20)), Y), network.initial(0)
    for F in (batch.fisher(theta), batch.gauss_newton(theta), batch.fisher(theta, samples=3, seed=0)):
        v = random.standard_normal(network.size)
        assert isinstance(F, DenseFisher)
        assert_allclose(dense.dense_fisher_product.numpy(*F.arguments(), v), F.F @ v, rtol=1e-9, atol=1e-12)
        assert_allclose(dense.dense_fisher_product.compiled(*F.arguments(), v), F.F @ v, rtol=1e-9, atol=1e-12)


@needs_numba
def test_a_net_with_many_inputs_multiplies_by_its_fisher_matrix_the_way_of_the_layers():
    random, network = np.random.default_rng(2), mlp([2000, 5, 3])
    F = MiniBatch(network, random.standard_normal((60, 2000)), random.integers(0, 3, 60)).fisher(network.initial(0))
    v = random.standard_normal(network.size)
    assert isinstance(F, DenseFisher)
    for _ in range(3):
        assert_array_equal(F @ v, F.F @ v)
    solution = F.solve(v, 0.1, 300, 1e-12)
    assert_allclose(F.F @ solution + 0.1 * solution, v, atol=1e-8)


@needs_numba
def test_a_natural_gradient_step_solves_in_one_compiled_call(monkeypatch):
    calls = []
    original = dense.dense_fisher_solve.twin_function
    monkeypatch.setattr("numopt.problems.minibatch.dense_fisher_solve",
                        lambda *how: calls.append(how) or np.zeros_like(how[7]))
    random, network = np.random.default_rng(2), mlp([20, 25, 4])
    risk = EmpiricalRisk(network, random.standard_normal((30, 20)), random.integers(0, 4, 30))
    next(natural_gradient(risk, network.initial(0), cg_steps=7, damping=0.3))
    assert len(calls) == 1 and calls[0][8:10] == (0.3, 7) and original


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_convolutional_network_has_the_same_derivatives_compiled(dtype):
    random, network = np.random.default_rng(2), cnn((12, 12, 3), channels=16)
    X, Y = random.standard_normal((40, 12, 12, 3)).astype(dtype), random.integers(0, 10, 40)
    theta, v = network.initial(0, dtype=dtype), random.standard_normal(network.size).astype(dtype)
    theta.flags.writeable = False

    def derivatives():
        loss = MiniBatch(network, X, Y)
        return [loss.gradient(theta), loss.hessian(theta) @ v, loss.fisher(theta) @ v]

    compiled = derivatives()
    with reading():
        for a, b in zip(compiled, derivatives()):
            assert a.dtype == dtype
            assert_allclose(a, b, rtol=0, atol=2000 * np.finfo(dtype).eps * np.abs(b).max())
