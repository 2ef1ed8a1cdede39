"""The hot loops, each written twice: first in NumPy, to be read, and underneath for the compiler.

    adam(theta, g, m, ...)                  the compiled twin, where there is Numba and enough to do
    with reading(): adam(theta, g, ...)     the NumPy version
    adam.numpy, adam.compiled               each by its name

The NumPy version is the definition.  Its twin agrees with it to rounding, and in what is not finite; it is here only
because it is faster for sizes that somebody uses: the docstring says how much, measured on two cores in single
precision.  What the twin was not compiled for, gate.py keeps out: the NumPy version then takes it, or says what is
wrong.  Both hand out new arrays and write into none that they are given.  This is what makes a twin of a loop; the
loops are in vectors.py, dense.py, convolution.py, pooling.py and normalization.py.
"""
import ctypes
import logging
import os
import threading
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import numpy as np

from numopt.kernels import sharing
from numopt.kernels.gate import gate
from numopt.kernels.sharing import one_thread_of_blas

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc
USUAL = {"no_cfunc_wrapper": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}  # for Numba
IN_ORDER = {"fastmath": {"contract"}}  # for twins without sums: a square is taken, and overflows, before it is scaled
READS = ContextVar("reading", default=False)  # are the NumPy versions asked for, in this thread?


class Kernel:
    """One hot loop, in two versions.

    Its twin runs where `pays` says of the arguments that there is enough to do, and the gate lets them in.  Numba is
    imported at the first such call; what it has compiled it keeps on the disk for the next process.  Where it is
    missing, the NumPy versions run, and a line says so.
    """

    known = []          # every kernel there is
    uncompiled = []     # (function, options) of the twins that Numba has not been given yet, and of what they call
    reading = False     # are the NumPy versions asked for, in all threads?
    numba = None        # the module; False where there is none
    told = False        # that it cannot keep on the disk what it compiles?
    lock = threading.RLock()  # held while something is compiled, or work shared out

    def __init__(self, function, form, pays, further, finite):
        self.numpy, self.words, self.pays, self.lets_in = function, form.split(), pays, gate(form, further)
        self.finite = finite
        self.prepared = [PREPARED.get(word, contiguous if word.startswith("k") else constant) for word in self.words]
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        Kernel.known.append(self)

    def twin(self, shares=False, **options):
        """Decorator: this function, compiled with these options, does the same; or it shares out the work to compiled
        helpers."""

        def remember(function):
            self.twin_function, self.shares = function if shares else helper(function, **options), shares
            return function

        return remember

    def __call__(self, *arguments):
        if reads() or not self.pays(*arguments) or not self.lets_in(arguments) or not started():
            return self.numpy(*arguments)
        return self.enter(arguments)

    def compiled(self, *arguments):
        if not started():
            raise ImportError(f"{self.__name__}.compiled needs Numba; {self.__name__}.numpy does not")
        if not self.lets_in(arguments):
            raise ValueError(f"{self.__name__}.compiled takes {' '.join(self.words)} (kernels/gate.py), and was given "
                             f"{', '.join(map(described, arguments))}; {self.__name__}.numpy says what is wrong")
        return self.enter(arguments)

    def enter(self, arguments):
        """The twin's results for arguments that the gate has let in."""
        if Kernel.uncompiled:
            compile_all()
        compiled = self.twin_function.__globals__[self.twin_function.__name__]
        kept = [prepared(argument) for prepared, argument in zip(self.prepared, arguments)]  # as long as it runs
        given = kept
        if contiguous in self.prepared:
            given = [addresses(argument) if prepared is contiguous else argument
                     for prepared, argument in zip(self.prepared, kept)]
        if self.shares:
            with Kernel.lock, one_thread_of_blas():
                result = compiled(*given)
        else:
            result = compiled(*given)
        return result if self.finite is None or self.finite(result) else self.numpy(*arguments)

    def __repr__(self):
        return f"<kernel {self.__module__}.{self.__name__}>"


def kernel(form, pays, further=None, finite=None):
    """Decorator: this is the NumPy version of a kernel, whose twin stands underneath; the form is that of gate.py.

    Where the twin's results are not `finite`, those of the NumPy version are taken: what infinity times 0 makes of a
    sum depends on its order.
    """
    return lambda function: Kernel(function, form, pays, further, finite)


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
    """Run the NumPy versions, in this thread."""
    before = READS.set(True)
    try:
        yield
    finally:
        READS.reset(before)


def reads():
    """Are the NumPy versions asked for, here or everywhere?"""
    return READS.get() or Kernel.reading


def described(argument):
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}{list(argument.shape)}"
    if isinstance(argument, tuple):
        return f"({', '.join(map(described, argument))})"
    return repr(argument)


def constant(argument):
    """An array as one that is contiguous and cannot be written into: for the compiler all are then of one type."""
    if isinstance(argument, np.ndarray):
        argument = np.ascontiguousarray(argument).view()
        argument.setflags(write=False)
    return argument


def contiguous(vectors):
    return [np.ascontiguousarray(vector) for vector in vectors]


def addresses(vectors):
    """Several vectors as the addresses that they begin at: for the compiler, any number of them is of one type."""
    return np.array([vector.__array_interface__["data"][0] for vector in vectors], np.int64)


PREPARED = {".": float, "i": int}  # a number as Python's own, whole or not, by its word in the form


def worth_compiling(theta, least=5_000):
    """Is there enough to do in a vector as long as θ for the twins, and Numba, and does nobody want to read?"""
    return theta.size >= least and not reads() and started()


def started():
    """Is there Numba?  It is imported when this is first asked; other threads wait, and a Ctrl-C leaves it open."""
    if Kernel.numba is None:
        with Kernel.lock:
            if Kernel.numba is None:
                Kernel.numba = imported()
    return bool(Kernel.numba)


def imported():
    """Numba; False where it cannot be had."""
    try:
        import numba
    except Exception as missing:  # not installed, or not made for this Python or this NumPy
        say("numopt runs its NumPy versions, for there is no Numba: %s", missing)
        return False
    if numba.config.DISABLE_JIT:
        return False
    keep_freed_memory()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forked)
    return numba


def forked():
    """Nobody in a fork will open what its parent had locked."""
    Kernel.lock = threading.RLock()
    sharing.forked()


def say(*line):
    logging.getLogger("numopt").warning(*line)


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
                compiled = kept(function, USUAL | options)
            function.__globals__[function.__name__] = compiled
            Kernel.uncompiled.pop(0)  # only now, as another thread may be waiting for it


def kept(function, options):
    """The function, compiled, and kept on the disk for the next process if there is a place for it.

    What cannot be read there, as it was cut short, is compiled and written anew; what cannot be written is compiled by
    each process for itself.  A line says so, once.
    """
    try:
        compiled = Kernel.numba.njit(cache=True, **options)(function)
    except (RuntimeError, OSError) as error:  # there is no folder that the compiled code could be kept in
        uncached(error)
        return Kernel.numba.njit(**options)(function)
    store = compiled._cache
    load, save = store.load_overload, store.save_overload

    def load_overload(*arguments):
        try:
            return load(*arguments)
        except Exception as error:  # damaged files can raise nearly anything
            uncached(error)
            with suppress(Exception):
                store.flush()

    def save_overload(*arguments):
        try:
            save(*arguments)
        except Exception as error:
            uncached(error)

    store.load_overload, store.save_overload = load_overload, save_overload
    return compiled


def uncached(error):
    if not Kernel.told:
        Kernel.told = True
        say("numopt compiles its hot loops again: what Numba keeps on the disk cannot be read or written: %s %s",
            type(error).__name__, error)
