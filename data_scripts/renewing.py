"""Runs that are older than their code: which they are, and whether they would come out again."""
from functools import cache

import numpy as np
from tqdm import tqdm

from data_scripts.experiments import EXPERIMENTS
from data_scripts.jobs import code, job_of, perform
from data_scripts.measurements import MEASUREMENTS
from figures.making import records
from figures.making.digests import digest

COST = "seconds", "processor", "step", "step loss", "step rate"  # of a run, and its steps, which are thinned by length


def stale(name, folder=records.RECORDS):
    """The runs of a record that are older than the code which makes them, or are no longer in the table."""
    made = records.read(folder / f"{name}.npz")["made"] if (folder / f"{name}.npz").exists() else {}
    now = cache(lambda method: digest(*code((name, None, method))))  # many runs are of one method
    return [run for run, each in made.items()
            if name in EXPERIMENTS and each["method"] not in EXPERIMENTS[name].methods
            or each["digest"] != now(each.get("method"))]


def confirm(name, whole=False, folder=records.RECORDS):
    """Repeat the beginning of each stale run; where it comes out again, the record says so and is stale no longer.

    With `whole` what comes out otherwise is run again from start to end, and takes the place of what there was.

    The beginning is an epoch, and one more where a method takes over from another; a measurement is repeated whole.
    Runs that begin alike are repeated once.  Returned are those that are stale still: they come out otherwise, and have
    to be made again, or are of methods that are no longer in the table.
    """
    file, left, begun = folder / f"{name}.npz", [], cache(lambda job: perform(job))
    if not file.exists():
        return left
    for run in tqdm(stale(name, folder), desc=name, unit="run", leave=False):
        record = records.read(file)
        arrays, made = record["runs"][run], record["made"][run]
        if name in EXPERIMENTS and made["method"] not in EXPERIMENTS[name].methods:
            left.append(run)
            continue
        again, how = begun(beginning(job_of(made)))
        if all(comes_out_again(key, arrays[key], again[key]) for key in again if key not in COST):
            how = made | {"digest": how["digest"], "confirmed": how["date"]}
            records.add(file, {run: arrays}, {run: how})
        elif whole:
            all_of_it = beginning(job_of(made)) == job_of(made)
            arrays, how = (again, how) if all_of_it else perform(job_of(made))
            records.add(file, {run: arrays}, {run: how})
        else:
            left.append(run)
    return left


def beginning(job):
    """The same job for an epoch only, or until another method has had one."""
    if job[0] in MEASUREMENTS:
        return job
    then = EXPERIMENTS[job[0]].methods[job[2]].then
    return (*job[:5], min(job[5], then.after + 1 if then else 1), *job[6:])


def comes_out_again(name, kept, again):
    """Are these the same numbers, to four digits, as far as the second go; losses and accuracies, after the start, to a
    hundredth?  Sums in another order differ in the seventh digit, and an epoch lets that grow."""
    kept, again = np.asarray(kept), np.asarray(again)
    if len(kept) < len(again):
        return False
    grown = {"loss": (0.01, 0.0), "accuracy": (0.0, 0.01)}.get(name.split()[-1], (0.0, 0.0))
    kept = kept[:len(again)]
    return np.allclose(kept, again, rtol=1e-4, atol=1e-6) or (
        np.allclose(kept[:1], again[:1], rtol=1e-4, atol=1e-6) and np.allclose(kept[1:], again[1:], *grown))
