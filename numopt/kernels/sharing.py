"""How the work of a twin is shared out among the cores: threads of our own, while BLAS uses one for each product."""
import os
import threading
from contextlib import contextmanager, suppress
from functools import cache
from queue import SimpleQueue

PIECES = 8  # that work is shared out in, to any number of threads: so sums do not depend on it


def share_out(n, work, alone=False):
    """Call work(here, number) for the slices `here` of range(n), which are numbered, on all threads at once.

    Each thread takes the next slice when it has done one.  The calling thread is one of them, and does everything
    `alone` where there is too little to wake the others for, which takes 0.1 ms.  They really run at the same time
    while `work` is in a helper with nogil=True.
    """
    ends = [n * number // PIECES for number in range(PIECES + 1)]
    slices = iter([(slice(*ends), number) for number, ends in enumerate(zip(ends, ends[1:])) if ends[0] < ends[1]])

    def some():
        for here, number in slices:
            work(here, number)

    ended, others = SimpleQueue(), 0 if alone else threads() - 1
    for _ in range(others):
        helpers().put((some, ended))
    some()
    for _ in range(others):
        if error := ended.get():
            raise error


@cache
def threads():
    """How many threads share out work: one for each core that this process may use, if OMP_NUM_THREADS allows it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(KeyError, ValueError):
        return max(1, min(cores, int(os.environ["OMP_NUM_THREADS"])))
    return cores


@cache
def helpers():
    """What the other threads are to do next: each takes (something to call, where to say how it ended)."""
    todo = SimpleQueue()

    def serve():
        while True:
            call, ended = todo.get()
            try:
                ended.put(call())
            except BaseException as error:
                ended.put(error)
            del call, ended  # or its arrays would be kept until there is something else to do

    for _ in range(1, threads()):
        threading.Thread(target=serve, daemon=True).start()
    return todo


def forked():
    """A fork does not have the threads of its parent."""
    Blas.lock = threading.RLock()
    Blas.inside &= {threading.get_ident()}
    helpers.cache_clear()


@contextmanager
def one_thread_of_blas():
    """Matrix products use one thread each, where twins share out the work: one pool of threads at a time.

    NumPy's and SciPy's copies of BLAS have threads of their own, which stay awake for a while after a product.  With
    those beside ours on two cores, a step of a convolutional network took twice as long.  Where several threads are in
    here at once, the last one that leaves puts back what the first one found; and the main thread does so whenever it
    leaves, as OpenBLAS lets no other thread change what that one has set.
    """
    if blas_has_one_thread():  # only this thread itself changes that
        yield
        return
    inside = False
    try:
        with Blas.lock:
            if not Blas.inside:
                Blas.before = [library.num_threads for library in libraries_of_blas()]
            inside = True
            Blas.inside.add(threading.get_ident())
            set_threads(1 for _ in Blas.before)
        yield
    finally:
        if inside:
            with Blas.lock:
                Blas.inside.discard(threading.get_ident())
                if not Blas.inside or threading.current_thread() is threading.main_thread():
                    set_threads(Blas.before)


def blas_has_one_thread():
    """Is this thread in there?"""
    return threading.get_ident() in Blas.inside


class Blas:
    """Which threads are in there, and how many threads each copy had before."""

    lock, inside, before = threading.RLock(), set(), []


def set_threads(numbers):
    for library, number in zip(libraries_of_blas(), numbers):
        library.set_num_threads(number)


@cache
def libraries_of_blas():
    """Every copy of BLAS in this process."""
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController().select(user_api="blas").lib_controllers
