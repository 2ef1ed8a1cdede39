"""Work is shared out once, to as many threads as there are, and BLAS has one thread of its own meanwhile."""
import multiprocessing
import os
import threading
import time
import weakref
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from numopt.kernels import pooling, sharing
from tests.kernels.both import needs_numba, run


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


@pytest.mark.parametrize("kind", [ZeroDivisionError, IndexError, StopIteration])
def test_an_error_in_another_thread_reaches_the_caller_and_the_threads_go_on(kind, monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    monkeypatch.setattr(sharing, "helpers", cache(sharing.helpers.__wrapped__))
    here = threading.get_ident()

    def work(where, piece):
        if threading.get_ident() != here:
            raise kind(f"in piece {piece}")
        time.sleep(0.01)

    for _ in range(2):
        with pytest.raises(kind, match="in piece"):
            sharing.share_out(8, work)


@pytest.mark.parametrize("kind", [ZeroDivisionError, IndexError, StopIteration])
def test_an_error_in_the_calling_thread_is_raised(kind):
    def work(where, piece):
        raise kind(f"in piece {piece}")

    with pytest.raises(kind, match="in piece"):
        sharing.share_out(8, work, alone=True)


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
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert sharing.threads.__wrapped__() == cores


BLAS = """
from threading import Event, Thread
import numpy as np
from threadpoolctl import ThreadpoolController
from numopt.kernels import pooling, sharing
x = np.ones((3, 4, 4, 1))
libraries = ThreadpoolController().select(user_api="blas")
libraries.lib_controllers[0].set_num_threads(2)

def threads():
    return [library.num_threads for library in libraries.lib_controllers]

before, inside = threads(), []
sharing.share_out = lambda *how, **more: inside.append(threads())
pooling.share_out = sharing.share_out
pooling.relu.compiled(x)
after = threads()

def fails(*how, **more):
    raise ZeroDivisionError

pooling.share_out = fails
try:
    pooling.relu.compiled(x)
except ZeroDivisionError:
    after_error = threads()

def other_leaves(wait_for, left):
    with sharing.one_thread_of_blas(), sharing.one_thread_of_blas():
        entered.set()
        wait_for.wait(10)
    left.set()

for other_first in (True, False):
    entered, may_leave, left = Event(), Event(), Event()
    other = Thread(target=other_leaves, args=(may_leave, left))
    with sharing.one_thread_of_blas():
        with sharing.one_thread_of_blas():
            other.start()
            entered.wait(10)
        inside.append(threads())
        if other_first:
            may_leave.set()
            left.wait(10)
            inside.append(threads())
    may_leave.set()
    other.join()
    after_overlap = threads()
    if after_overlap != before:
        break
print(max(before), before == after == after_error == after_overlap, {number for some in inside for number in some})
"""


@needs_numba
def test_a_shared_call_leaves_blas_the_threads_that_it_had_also_where_calls_overlap_or_fail():
    found = run(BLAS, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2", MKL_NUM_THREADS="2")
    if found.stdout.startswith("1 "):
        pytest.skip("BLAS has one thread here")
    assert found.stdout == "2 True {1}\n", found.stderr


class Library:
    """A copy of BLAS."""

    def __init__(self, number):
        self.num_threads = number

    def set_num_threads(self, number):
        self.num_threads = number


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_every_copy_of_blas_has_one_thread_until_the_last_of_several_threads_has_left(first_leaves_first, monkeypatch):
    libraries = [Library(4), Library(3), Library(1)]
    monkeypatch.setattr(sharing, "libraries_of_blas", lambda: libraries)
    entered, leave = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    def work(i):
        with sharing.one_thread_of_blas(), sharing.one_thread_of_blas():
            entered[i].set()
            leave[i].wait(10)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for worker, event in zip(workers, entered):
        worker.start()
        event.wait(10)
    for i in (0, 1) if first_leaves_first else (1, 0):
        assert [library.num_threads for library in libraries] == [1, 1, 1]
        leave[i].set()
        workers[i].join()
    assert [library.num_threads for library in libraries] == [4, 3, 1]
    with pytest.raises(ZeroDivisionError), sharing.one_thread_of_blas():
        assert [library.num_threads for library in libraries] == [1, 1, 1]
        raise ZeroDivisionError
    assert [library.num_threads for library in libraries] == [4, 3, 1]


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
def test_a_fork_does_not_wait_for_those_of_its_parents_threads_that_were_sharing_out(monkeypatch):
    """What a thread finds, it puts back: it is the only one in there, whoever was when the process was forked."""
    monkeypatch.setattr(sharing.Blas, "inside", {-1, threading.get_ident()})
    monkeypatch.setattr(sharing.Blas, "before", [1 for _ in sharing.libraries_of_blas()])
    monkeypatch.setattr(sharing.Blas, "lock", sharing.Blas.lock)
    monkeypatch.setattr(sharing, "helpers", cache(sharing.helpers.__wrapped__))
    sharing.forked()
    assert sharing.Blas.inside == {threading.get_ident()}
    sharing.Blas.inside.clear()

    def share():
        with sharing.one_thread_of_blas():
            pass

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        thread = threading.Thread(target=share)
        thread.start()
        thread.join()
        assert threads() == before


@needs_numba
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_which_has_no_threads_of_its_parent_has_its_own(monkeypatch):
    monkeypatch.setattr(sharing, "threads", lambda: 2)
    x = np.random.default_rng(0).standard_normal((1000, 1000))
    pooling.relu.compiled(x)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_the_child, args=(queue, x), daemon=True)  # if it hangs, it ends with this one
    child.start()
    total = queue.get(timeout=60)
    child.join()
    assert total == pytest.approx(np.maximum(x, 0).sum())
