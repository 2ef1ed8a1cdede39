"""Many trainings at a time, on any concurrent.futures.Executor: the machine's cores, or others' through Dask.

    for job, result in sweep(function, jobs): ...      results as they come; an exception is a result too

What is not done as its process was killed is handed in again; so is all that was waiting, in another executor, where
one breaks as a whole, as a ProcessPoolExecutor does.  A result is let go of as soon as it has been read: Dask would
compute it again if the worker that holds it died.
"""
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import contextmanager
from functools import partial

from figures.making.processes import Died, Processes

FRUITLESS = 3  # executors in a row that break before anything comes back, or deaths of one job


def sweep(function, jobs, executor=None, at_a_time=None, tries=FRUITLESS):
    """(job, function(job)) for every job, as they get done; `executor` is one, or a function that makes one.

    A job whose process dies is given up after so many tries; the error is its result then.
    """
    if isinstance(executor, Executor):
        with_one, makes_more = used(executor), False
    else:
        with_one, makes_more = executor or partial(Processes, at_a_time), True
    left, fruitless = list(jobs), 0
    while left:
        with with_one() as pool:
            waiting, broken, deaths = {pool.submit(function, job): job for job in left}, None, []
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
                        deaths += [job] if isinstance(error, Died) else []
                        if isinstance(error, Died) and deaths.count(job) < tries:
                            waiting[pool.submit(function, job)] = job
                            continue
                        result = error
                    left.remove(job)
                    fruitless = -1
                    yield job, result
                done = future = None
        fruitless += 1
        if broken and (fruitless == FRUITLESS or not makes_more):
            yield from ((job, broken) for job in left)
            return


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
