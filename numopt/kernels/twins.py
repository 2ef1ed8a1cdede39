"""The hot loops, each written twice: first in NumPy, to be read, and underneath for the compiler.

    adam(theta, g, m, ...)                  the compiled twin, where there is Numba and enough to do
    with reading(): adam(theta, g, ...)     the NumPy version
    adam.numpy, adam.compiled               each by its name

The NumPy version is the definition.  Its twin agrees with it to rounding, and is here only because it is faster for
sizes that somebody uses: the docstring says how much, measured on two cores in single precision.  Both hand out new
arrays and write into none that they are given.  This is what makes a twin of a loop; the loops are in
vectors.py, dense.py, convolution.py and pooling.py.
"""
import ctypes
import logging
import os
import threading
from contextlib import contextmanager, suppress
from functools import cache
from queue import SimpleQueue

import numpy as np

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc
USUAL = {"no_cfunc_wrapper": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}  # for Numba
PIECES = 8  # that work is shared out in, to any number of threads: so sums do not depend on it


class Kernel:
    """One hot loop, in two versions.

    Its twin runs where `pays` says of the arguments that there is enough to do, and all of their numbers have one
    precision, single or double.  Numba is imported at the first such call; what it has compiled it keeps on the disk
    for the next process.  Where it is missing, the NumPy versions run, and a line says so.
    """

    known = []          # every kernel there is
    uncompiled = []     # (function, options) of the twins that Numba has not been given yet, and of what they call
    reading = False     # are the NumPy versions asked for?
    numba = None        # the module; False where there is none
    lock = threading.RLock()  # held while something is compiled, or work shared out

    def __init__(self, function, pays):
        self.numpy, self.pays = function, pays
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        Kernel.known.append(self)

    def twin(self, shares=False):
        """Decorator: this function, compiled, does the same; or it shares out the work to compiled helpers."""

        def remember(function):
            self.twin_function, self.shares = function if shares else helper(function), shares
            return function

        return remember

    def __call__(self, *arguments):
        if Kernel.reading or not self.pays(*arguments) or not one_precision(arguments) or not started():
            return self.numpy(*arguments)
        return self.compiled(*arguments)

    def compiled(self, *arguments):
        if not started():
            raise ImportError(f"{self.__name__}.compiled needs Numba; {self.__name__}.numpy does not")
        if Kernel.uncompiled:
            compile_all()
        compiled = self.twin_function.__globals__[self.twin_function.__name__]
        arguments = [constant(argument) for argument in arguments]  # which must be there as long as it runs
        if not self.shares:
            return compiled(*map(plain, arguments))
        with Kernel.lock, one_thread_of_blas():
            return compiled(*map(plain, arguments))

    def __repr__(self):
        return f"<kernel {self.__module__}.{self.__name__}>"


def kernel(pays):
    """Decorator: this is the NumPy version of a kernel, whose twin stands underneath."""
    return lambda function: Kernel(function, pays)


def helper(function=None, **options):
    """Decorator: a function that twins call, compiled with these options."""
    if function is None:
        return lambda function: helper(function, **options)
    Kernel.uncompiled.append((function, options))
    return function


def machine_code(function):
    """Decorator: a function that writes, in the compiler's own language, what stands where twins call it."""
    return helper(function, written=True)


@contextmanager
def reading():
    """Run the NumPy versions."""
    before, Kernel.reading = Kernel.reading, True
    try:
        yield
    finally:
        Kernel.reading = before


def one_precision(arguments):
    """Are all arrays, but for those of whole numbers, of one precision, single or double?"""
    arrays = [array for argument in arguments for array in (argument if vectors(argument) else (argument,))
              if isinstance(array, np.ndarray)]
    return {array.dtype.char for array in arrays} - set("bBhHiIlLqQ") in ({"f"}, {"d"})


def vectors(argument):
    """Is it a tuple of arrays?"""
    return isinstance(argument, tuple) and all(isinstance(array, np.ndarray) for array in argument)


def constant(argument):
    """An array as one that is contiguous and cannot be written into: for the compiler all are then of one type."""
    if isinstance(argument, np.ndarray):
        argument = np.ascontiguousarray(argument).view()
        argument.flags.writeable = False
    elif vectors(argument):
        argument = tuple(map(np.ascontiguousarray, argument))
    return argument


def plain(argument):
    """Several vectors as the addresses that they begin at: for the compiler, any number of them is of one type."""
    if vectors(argument):
        return np.array([array.__array_interface__["data"][0] for array in argument], np.int64)
    return argument


def worth_compiling(theta, least=5_000):
    """Is there enough to do in a vector as long as θ for the twins, and Numba, and does nobody want to read?"""
    return theta.size >= least and not Kernel.reading and started()


def started():
    """Is there Numba?  It is imported when this is first asked."""
    if Kernel.numba is None:
        Kernel.numba = False
        try:
            import numba
        except Exception as missing:  # not installed, or not made for this Python or this NumPy
            logging.getLogger("numopt").warning("numopt runs its NumPy versions, for there is no Numba: %s", missing)
            return False
        if not numba.config.DISABLE_JIT:
            Kernel.numba = numba
            keep_freed_memory()
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=forked)
    return bool(Kernel.numba)


def keep_freed_memory():
    """Let the C library keep up to 256 MB of freed memory for the next arrays, where it is glibc.

    It would return the arrays of a step to the system and ask for them again at the next, page by page: of a step of
    Adam on the 2 × 90 net, with 1.1 MB for every vector of its weights, that was a third.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 256 * 2**20)


def compile_all():
    """Give Numba the twins, and put what it makes of each in its place in its module: it compiles when one is called.

    Division by zero gives inf, as it does in NumPy: a loop that has to look out for it is not vectorised.  Sums may be
    taken in any order, and a sum and a product may be rounded as one.
    """
    with Kernel.lock:
        while Kernel.uncompiled:
            function, options = Kernel.uncompiled[0]
            if "written" in options:
                compiled = Kernel.numba.extending.intrinsic(prefer_literal=True)(function)
            else:
                try:
                    compiled = Kernel.numba.njit(cache=True, **USUAL | options)(function)
                except RuntimeError:  # there is no folder that the compiled code could be kept in
                    compiled = Kernel.numba.njit(**USUAL | options)(function)
            function.__globals__[function.__name__] = compiled
            Kernel.uncompiled.pop(0)  # only now, as another thread may be waiting for it


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
    Kernel.lock = threading.RLock()
    helpers.cache_clear()


@contextmanager
def one_thread_of_blas():
    """Matrix products use one thread each, where twins share out the work: one pool of threads at a time.

    NumPy's and SciPy's copies of BLAS have threads of their own, which stay awake for a while after a product.  With
    those beside ours on two cores, a step of a convolutional network took twice as long.
    """
    libraries = libraries_of_blas()
    before = [library.num_threads for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, number in zip(libraries, before):
            library.set_num_threads(number)


@cache
def libraries_of_blas():
    """Every copy of BLAS in this process."""
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController().select(user_api="blas").lib_controllers
