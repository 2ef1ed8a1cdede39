"""Many trainings at a time, on any concurrent.futures.Executor: the machine's cores, or others' through Dask.

    for job, result in sweep(function, jobs): ...      results as they come; an exception is a result too

A process that is killed breaks its ProcessPoolExecutor, and with it all that was waiting: then another one is made,
and what has not come back is handed in again.  A result is let go of as soon as it has been read: Dask would compute
it again if the worker that holds it died.
"""
import os
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

FRUITLESS = 3  # executors in a row that break before anything comes back


def sweep(function, jobs, executor=None, at_a_time=None):
    """(job, function(job)) for every job, as they get done; `executor` is one, or a function that makes one."""
    if isinstance(executor, Executor):
        with_one, makes_more = used(executor), False
    else:
        with_one, makes_more = executor or partial(processes, at_a_time), True
    left, fruitless = list(jobs), 0
    while left:
        with with_one() as pool:
            waiting, broken = {pool.submit(function, job): job for job in left}, None
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    job = waiting.pop(future)
                    try:
                        result = future.result()
                    except BrokenExecutor as error:
                        broken = error
                        continue
                    except Exception as error:
                        result = error
                    left.remove(job)
                    fruitless = -1
                    yield job, result
                done = future = None
        fruitless += 1
        if broken and (fruitless == FRUITLESS or not makes_more):
            yield from ((job, broken) for job in left)
            return


def processes(at_a_time=None):
    """A pool of processes of one thread each: they fill the machine, and sums come out the same whatever it has."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(at_a_time or cores(), mp_context=get_context("spawn"))


def cluster(address):
    """A function that gives the executor of a Dask scheduler that runs at this address; needs the extra `cluster`."""
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("--cluster needs Dask: pip install 'numopt-lectures[cluster]'") from None

    @contextmanager
    def connected():
        with Client(address, set_as_default=False) as client:
            yield client.get_executor(pure=False)

    return connected


def used(executor):
    """An executor that somebody else opened, and will close."""
    @contextmanager
    def as_it_is():
        yield executor

    return as_it_is


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
