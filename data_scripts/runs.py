"""python -m data_scripts run NAME: the papers' experiments, run by run, into the records that figures draw.

    python -m data_scripts run                                    what there is
    python -m data_scripts run mlp_2x90 --epochs 10               on its usual set, with each of its seeds
    python -m data_scripts run mlp_2x90 --methods Adam K-FAC --seeds 0 --search
    python -m data_scripts run mlp_2x90 --images 10000 --minutes 5      fewer images; fewer epochs, for slow methods
    python -m data_scripts run mlp_2x90 --table           after equal epochs, and after equal seconds
    python -m data_scripts run --quick                            all, on a few digits, to see that they run
    python -m data_scripts run --stale                            the runs that are older than their code
    python -m data_scripts run --confirm                          the first epoch of those, again

Stopped by Ctrl-C, or killed, the same command goes on: finished runs are in the record, the others go on from their
last epoch, to the same bits.  On the cores of the machine by default (-j), or with --cluster on a Dask scheduler's.
"""
import os
import sys
from contextlib import nullcontext
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from data_scripts import comparing, training
from data_scripts.experiments import EXPERIMENTS
from data_scripts.formats import DataError
from data_scripts.measurements import MEASUREMENTS
from figures.making import records
from figures.making.digests import digest
from figures.making.sweep import cluster, cores, processes, sweep
from numopt import optimizers

AROUND = -1, 0, 1  # the exponents of a factor that a search begins with


def job(name, data, label, seed, changes=(), epochs=None, whole=False, quick=False, images=None):
    """One run: all that says what it is, as a tuple that another process can be given, and a record's key made of."""
    epochs = epochs or (EXPERIMENTS[name].epochs if name in EXPERIMENTS else 1)
    return name, data, label, seed, tuple(changes), epochs, whole, quick, images


def key(job):
    """Its name in the record."""
    name, data, label, seed, changes, epochs, whole, quick, images = job
    if name in MEASUREMENTS:
        return f"{data}{', quick' if quick else ''}, seed {seed}"
    changed = "".join(f", {setting} {value:.4g}" for setting, value in changes)
    return f"{data}{examples(whole, images)}, {label}{changed}, {epochs} epochs, seed {seed}"


def examples(whole, images):
    """How a name says which of a set's training examples."""
    return f"{', whole' if whole else ''}{f', {images} images' if images else ''}"


def settings(job):
    method = EXPERIMENTS[job[0]].methods[job[2]]
    return method.settings | dict(job[4])


def code(job):
    """What a run is made with: the training, the loop of the method, the network; or what measures."""
    if job[0] in MEASUREMENTS:
        return MEASUREMENTS[job[0]].function,
    experiment = EXPERIMENTS[job[0]]
    method = experiment.methods[job[2]]
    then = [training.train_in_two, getattr(optimizers, method.then.optimizer)] if method.then else []
    return training.train, getattr(optimizers, method.optimizer), experiment.network, *then


def network(job):
    name, data, label, _, _, _, whole, *_ = job
    experiment = EXPERIMENTS[name]
    X, Y = training.parts(data, experiment.images, whole).training
    return experiment.network(X.shape[1:], int(Y.max()) + 1, **experiment.methods[label].network)


def perform(job, folder=None, tell=None):
    """Its arrays, and how they were made; with a checkpoint in the folder that is gone when it is done."""
    name, data, label, seed, _, epochs, whole, quick, images = job
    if name in MEASUREMENTS:
        return measured(name, data, seed, quick, code(job))
    experiment, method = EXPERIMENTS[name], EXPERIMENTS[name].methods[label]
    made = records.making(data, seed, settings(job), *code(job)) | {
        "net": experiment.net, "experiment": name, "method": label, "optimizer": method.optimizer,
        "epochs": epochs, "batch": experiment.batch_size, "whole": whole, "images": images,
        "threads": os.environ.get("OMP_NUM_THREADS")}
    with nullcontext(folder) if folder else TemporaryDirectory() as kept_in:
        checkpoint = Path(kept_in) / f"{name}, {key(job)}, {made['digest']}.npz"
        how = {"epochs": epochs, "batch_size": experiment.batch_size, "seed": seed, "checkpoint": checkpoint,
               "tell": tell, "probe": method.probe}
        parts, first = training.parts(data, experiment.images, whole, quick, images), (method.optimizer, settings(job))
        if method.then:
            optimizer, its_settings, after, afresh = method.then
            arrays = training.train_in_two(network(job), parts, first, (optimizer, its_settings),
                                           after=min(after, epochs), afresh=afresh, **how)
        else:
            arrays = training.train(network(job), parts, *first, **how)
        checkpoint.unlink(missing_ok=True)
    made["came"] = len(arrays["training loss"]) - 1
    return arrays, made


def measured(name, data, seed, quick, code):
    """The same of a measurement."""
    made = records.making(data, seed, {}, *code) | {"net": MEASUREMENTS[name].net, "experiment": name, "quick": quick,
                                                    "threads": os.environ.get("OMP_NUM_THREADS")}
    return MEASUREMENTS[name].function(data, seed, quick), made


def score(arrays, epochs):
    """What is chosen by: the validation loss at the end; infinite for a run that did not come so far."""
    return float(arrays["validation loss"][-1]) if len(arrays["validation loss"]) > epochs else inf


def wanted(scores):
    """The exponents to try next: the neighbours of the best, as long as one of them is not known."""
    best = least(scores) if scores else 0
    return [k for k in ([best + step for step in AROUND] if scores else AROUND) if k not in scores]


def least(scores):
    """The exponent of the best score; of equal ones, where a number no longer matters, the nearest to 0.

    Where all runs diverge it is the smallest, and so the search goes on below.
    """
    return min(scores, key=lambda k: (scores[k], abs(k) if scores[k] < inf else k))


def searching(name, data, label, known, epochs, whole=False, quick=False, images=None):
    """(the jobs that the search still needs, what it has found so far); at its end there are no more jobs.

    One number after the other, from the paper's on by factors; what is better has worse ones on both sides then.
    """
    method, found = EXPERIMENTS[name].methods[label], ()
    for setting, factor in method.searched.items():
        scores = {}
        while exponents := wanted(scores):
            jobs = {k: job(name, data, label, 0, found + value(method, setting, factor, k), epochs, whole, quick,
                           images) for k in exponents}
            missing = [each for each in jobs.values() if key(each) not in known]
            if missing:
                return missing, found
            scores |= {k: score(known[key(each)], epochs) for k, each in jobs.items()}
        found += value(method, setting, factor, least(scores))
    return [], found


def value(method, setting, factor, k):
    """((setting, value),) with two digits, which are what is used; nothing where it is the paper's own."""
    return ((setting, float(f"{method.settings[setting] * factor**k:.2g}")),) if k else ()


def jobs_of(name, data, labels, seeds, epochs, whole, quick, search, record, images=None, minutes=inf):
    """What is to be done next of an experiment, given what its record has: first the searches, then the long runs."""
    experiment, known, jobs = EXPERIMENTS[name], record["runs"], []
    brief, part = min(experiment.search_epochs, epochs), (whole, quick, images)
    for label in labels:
        affordable = within(minutes, seeds, job(name, data, label, seeds[0], (), epochs, *part), record)
        jobs += [job(name, data, label, seed, (), affordable, *part) for seed in seeds if affordable]
        jobs += [] if affordable else [job(name, data, label, seeds[0], (), 1, *part)]
        more, found = searching(name, data, label, known, brief, *part) if search else ([], ())
        jobs += more or [job(name, data, label, seed, found, affordable, *part) for seed in seeds if affordable]
    return [each for each in dict.fromkeys(jobs) if key(each) not in known]


def within(minutes, seeds, job, record):
    """For so many epochs a method runs with all its seeds in the minutes that it has; None where it was never timed.

    By the first run of it that the record has, of whatever epochs and settings, on the same examples: so that what is
    decided once stays, and the same command goes on to the same end.
    """
    if minutes == inf:
        return job[5]
    for run, made in record["made"].items():
        if alike(made, job) and made["came"]:
            seconds = float(record["runs"][run]["processor"][-1]) / made["came"]
            return max(1, min(job[5], int(60 * minutes / (len(seeds) * seconds))))
    return None


def alike(made, job):
    """Is it a run of the same method on the same examples?"""
    name, data, label, _, _, _, whole, _, images = job
    return (made["method"], made["set"], made["whole"], made.get("images")) == (label, data, whole, images)


def declared(name):
    """The experiment or the measurement of this name."""
    return EXPERIMENTS[name] if name in EXPERIMENTS else MEASUREMENTS[name]


def run(name, data=None, labels=None, seeds=None, epochs=None, whole=False, quick=False, search=False, executor=None,
        at_a_time=None, folder=records.RECORDS, checkpoints=records.PARTS, images=None, minutes=inf):
    """Do all that is missing of an experiment, and put each run into its record as it comes; how many failed."""
    experiment = declared(name)
    data, seeds = data or experiment.sets[0], experiment.seeds if seeds is None else seeds
    if name in EXPERIMENTS:
        labels, epochs = labels or list(experiment.methods), epochs or experiment.epochs
    file, failed = folder / f"{name}.npz", set()
    while True:
        record = records.read(file) if file.exists() else {"runs": {}, "made": {}}
        if name in MEASUREMENTS:
            jobs = [job(name, data, None, seed, quick=quick) for seed in seeds]
            jobs += [job(name, experiment.sets[-1], None, 0, quick=True)]  # which a test can repeat
            jobs = [each for each in jobs if key(each) not in record["runs"]]
        else:
            jobs = jobs_of(name, data, labels, seeds, epochs, whole, quick, search, record, images, minutes)
        jobs = [each for each in jobs if each not in failed]
        if not jobs:
            return len(failed)
        for each, result in done(jobs, executor, at_a_time, checkpoints):
            if isinstance(result, Exception):
                failed.add(each)
                tqdm.write(f"{name}, {key(each)}: {type(result).__name__}: {result}", file=sys.stderr)
            else:
                arrays, made = result
                records.add(file, {key(each): arrays}, {key(each): made})


def done(jobs, executor, at_a_time, checkpoints):
    """(job, result) as they come: in this process with a bar over the epochs, or in others with one over the runs."""
    if executor is None and at_a_time == 1:
        for each in jobs:
            with tqdm(total=each[5], desc=key(each), unit="epoch", leave=False) as bar:
                try:
                    yield each, perform(each, checkpoints, partial(told, bar))
                except Exception as error:
                    yield each, error
        return
    with tqdm(total=len(jobs), unit="run", leave=False) as bar:
        for each, result in sweep(partial(perform, folder=checkpoints), jobs, executor, at_a_time):
            bar.update()
            if not isinstance(result, Exception):
                bar.set_postfix_str(f"{key(each)}{come_to(result[0])}")
            yield each, result


def come_to(arrays):
    return f": {shown({name: array[-1] for name, array in arrays.items()})}" if "test loss" in arrays else ""


def told(bar, row):
    bar.update()
    bar.set_postfix_str(shown(row))


def shown(row):
    return (f"loss {row['training loss']:.4g}, test loss {row['test loss']:.4g}, "
            f"accuracy {100 * row['test accuracy']:.1f} %")


def stale(name, folder=records.RECORDS):
    """The runs of a record that are older than the code which makes them, or are no longer in the table."""
    made = records.read(folder / f"{name}.npz")["made"] if (folder / f"{name}.npz").exists() else {}
    return [run for run, each in made.items()
            if name in EXPERIMENTS and each["method"] not in EXPERIMENTS[name].methods
            or each["digest"] != digest(*code((name, None, each.get("method"))))]


def job_of(made):
    """The job that gave a run, by what its record says."""
    if made["experiment"] in MEASUREMENTS:
        return job(made["experiment"], made["set"], None, made["seed"], quick=made["quick"])
    usual = EXPERIMENTS[made["experiment"]].methods[made["method"]].settings
    changes = tuple((key, value) for key, value in made["settings"].items() if usual.get(key) != value)
    return job(made["experiment"], made["set"], made["method"], made["seed"], changes, made["epochs"], made["whole"],
               images=made.get("images"))


def confirm(name, whole=False, folder=records.RECORDS):
    """Repeat the beginning of each stale run; where it comes out again, the record says so and is stale no longer.

    With `whole` what comes out otherwise is run again from start to end, and takes the place of what there was.

    The beginning is an epoch, and one more where a method takes over from another; a measurement is repeated whole.
    It comes out again if the losses are the same to four digits.  Returned are the runs that are stale still: those
    that come out otherwise, which have to be made again, and those of methods that are no longer in the table.
    """
    file, left = folder / f"{name}.npz", []
    if not file.exists():
        return left
    for run in tqdm(stale(name, folder), desc=name, unit="run", leave=False):
        record = records.read(file)
        arrays, made = record["runs"][run], record["made"][run]
        if name in EXPERIMENTS and made["method"] not in EXPERIMENTS[name].methods:
            left.append(run)
            continue
        again, how = perform(beginning(job_of(made)))
        if all(comes_out_again(arrays[key], again[key]) for key in again if key not in COST):
            how = made | {"digest": how["digest"], "confirmed": how["date"]}
            records.add(file, {run: arrays}, {run: how})
        elif whole:
            arrays, how = perform(job_of(made))
            records.add(file, {run: arrays}, {run: how})
        else:
            left.append(run)
    return left


COST = "seconds", "processor", "step", "step loss", "step rate"  # of a run, and its steps, which are thinned by length


def beginning(job):
    """The same job for an epoch only, or until another method has had one."""
    if job[0] in MEASUREMENTS:
        return job
    then = EXPERIMENTS[job[0]].methods[job[2]].then
    return (*job[:5], min(job[5], then.after + 1 if then else 1), *job[6:])


def comes_out_again(kept, again):
    """Are these the same numbers, to four digits, as far as the second go?"""
    kept, again = np.asarray(kept), np.asarray(again)
    return len(kept) >= len(again) and np.allclose(kept[:len(again)], again, rtol=1e-4, atol=1e-6)


def quick():
    """Every experiment and measurement on a few digits, into a folder that is gone afterwards; how many failed."""
    with TemporaryDirectory() as folder:
        return sum(run(name, declared(name).sets[-1], seeds=[0], epochs=2, quick=True, search=False, at_a_time=1,
                       folder=Path(folder), checkpoints=Path(folder)) for name in EXPERIMENTS | MEASUREMENTS)


def listing():
    """Every experiment in three lines, every measurement in two."""
    lines = []
    for name, experiment in EXPERIMENTS.items():
        lines += [f"{name:10s} {experiment.about}",
                  f"{'':10s} {experiment.net}; {', '.join(experiment.methods)}",
                  f"{'':10s} {' or '.join(experiment.sets)}; {experiment.epochs} epochs, "
                  f"{records.span(list(experiment.seeds))}; {experiment.minutes} minutes a method"]
    for name, each in MEASUREMENTS.items():
        lines += [f"{name:10s} {each.about}",
                  f"{'':10s} {each.net}; {' or '.join(each.sets)}; {records.span(list(each.seeds))}"]
    return "\n".join(lines)


def arguments(parser):
    """The options of this command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments; without any they are listed")
    parser.add_argument("--set", dest="data", help="the set, if not the usual one")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="some of the methods")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="other seeds")
    parser.add_argument("--epochs", type=int, metavar="N", help="so many epochs, not as many as the paper")
    parser.add_argument("--images", type=int, metavar="N", help="train on the first N training examples only")
    parser.add_argument("--minutes", type=float, metavar="M", help="what a method may take with all its seeds, if not "
                        "as the table says: fewer epochs where it would take longer")
    parser.add_argument("--whole", action="store_true", help="train on all training images and report the official "
                        "test images, as the papers do (needs the whole set)")
    parser.add_argument("--search", action="store_true", help="each method also with its numbers searched for")
    parser.add_argument("--quick", action="store_true", help="on a few digits, to see that everything runs")
    parser.add_argument("--table", action="store_true", help="what the runs came to, after equal epochs and "
                        "after equal seconds; run nothing")
    parser.add_argument("--stale", action="store_true", help="list the runs that are older than their code")
    parser.add_argument("--confirm", action="store_true", help="repeat the first epoch of stale runs: those that come "
                        "out again are stale no longer")
    parser.add_argument("--again", action="store_true", help="the same, and those that come out otherwise are made "
                        "again, from start to end")
    parser.add_argument("--cluster", metavar="ADDRESS", help="hand the runs to this Dask scheduler")
    parser.add_argument("-j", type=int, default=cores(), metavar="N", help="so many at a time (%(default)s)")
    return parser


def main(given):
    """Do what the options say; the exit code."""
    for name in given.names:
        if name not in EXPERIMENTS | MEASUREMENTS:
            raise DataError(f"there is no experiment {name}; there are {', '.join(EXPERIMENTS | MEASUREMENTS)}")
        if name in MEASUREMENTS and any((given.methods, given.epochs, given.images, given.whole, given.search)):
            raise DataError(f"{name} is a measurement, with seeds and a set, and no other options")
        unknown = set(given.methods or ()) - set(getattr(declared(name), "methods", ()))
        if unknown:
            raise DataError(f"{name} has no method {', '.join(sorted(unknown))}; it has "
                            f"{', '.join(EXPERIMENTS[name].methods)}")
        if given.data and given.data not in declared(name).sets:
            raise DataError(f"{name} is not run on {given.data}; it is on {', '.join(declared(name).sets)}")
    if given.j < 1 or any(number is not None and number < 1 for number in (given.epochs, given.images)):
        raise DataError("--epochs, --images and -j are whole numbers of at least 1")
    if given.minutes is not None and not given.minutes > 0:
        raise DataError("--minutes is more than 0")
    if given.confirm or given.again:
        left = {name: confirm(name, given.again) for name in given.names or EXPERIMENTS | MEASUREMENTS}
        print("\n".join(f"{name}: {each}" for name, runs in left.items() for each in runs) or "all came out again")
        return 1 if any(left.values()) else 0
    if given.stale:
        found = {name: stale(name) for name in given.names or EXPERIMENTS | MEASUREMENTS}
        print("\n".join(f"{name}: {each}" for name, runs in found.items() for each in runs) or "none is stale")
        return 0
    if given.table:
        for name in given.names or [name for name in EXPERIMENTS if (records.RECORDS / f"{name}.npz").exists()]:
            where = f"{given.data or declared(name).sets[0]}{examples(given.whole, given.images)}"
            print("\n".join([f"{name}, {where}", "", *comparing.lines(name, where, given.methods), ""]))
        return 0
    if given.quick:
        return 1 if quick() else 0
    if not given.names:
        print(listing())
        return 0
    executor = cluster(given.cluster) if given.cluster else partial(processes, given.j) if given.j > 1 else None
    return 1 if sum(run(name, given.data, given.methods, given.seeds, given.epochs, given.whole, False, given.search,
                        executor, given.j, images=given.images,
                        minutes=given.minutes or getattr(declared(name), "minutes", inf))
                    for name in given.names) else 0
