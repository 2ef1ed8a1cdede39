"""python -m data_scripts run NAME: the papers' experiments, run by run, into the records that figures draw.

    python -m data_scripts run                                    what there is
    python -m data_scripts run mlp_2x90 --epochs 10               on its usual set, with each of its seeds
    python -m data_scripts run mlp_2x90 --methods Adam K-FAC --seeds 0 --search
    python -m data_scripts run --quick                            all, on a few digits, to see that they run
    python -m data_scripts run --stale                            the runs that are older than their code

Stopped by Ctrl-C, or killed, the same command goes on: finished runs are in the record, the others go on from their
last epoch, to the same bits.  On the cores of the machine by default (-j), or with --cluster on a Dask scheduler's.
"""
import os
import sys
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from data_scripts import training
from data_scripts.experiments import EXPERIMENTS
from data_scripts.formats import DataError
from figures.making import records
from figures.making.digests import digest
from figures.making.sweep import cluster, cores, processes, sweep
from numopt import optimizers

AROUND = -1, 0, 1  # the exponents of a factor that a search begins with


def job(name, data, label, seed, changes=(), epochs=None, whole=False, quick=False):
    """One run: all that says what it is, as a tuple that another process can be given, and a record's key made of."""
    return name, data, label, seed, tuple(changes), epochs or EXPERIMENTS[name].epochs, whole, quick


def key(job):
    """Its name in the record."""
    name, data, label, seed, changes, epochs, whole, quick = job
    changed = "".join(f", {setting} {value:.4g}" for setting, value in changes)
    return f"{data}{', whole' if whole else ''}, {label}{changed}, {epochs} epochs, seed {seed}"


def settings(job):
    method = EXPERIMENTS[job[0]].methods[job[2]]
    return method.settings | dict(job[4])


def code(job):
    """What a run is made with: the training, the loop of the method, the network."""
    experiment = EXPERIMENTS[job[0]]
    return training.train, getattr(optimizers, experiment.methods[job[2]].optimizer), experiment.network


def network(job):
    name, data, label, _, _, _, whole, quick = job
    experiment = EXPERIMENTS[name]
    X, Y = training.parts(data, experiment.images, whole).training
    return experiment.network(X.shape[1:], int(Y.max()) + 1, **experiment.methods[label].network)


def perform(job, folder=None, tell=None):
    """Its arrays, and how they were made; with a checkpoint in the folder that is gone when it is done."""
    name, data, label, seed, _, epochs, whole, quick = job
    experiment = EXPERIMENTS[name]
    made = records.making(data, seed, settings(job), *code(job)) | {
        "net": experiment.net, "experiment": name, "method": label, "optimizer": experiment.methods[label].optimizer,
        "epochs": epochs, "batch": experiment.batch_size, "whole": whole, "threads": os.environ.get("OMP_NUM_THREADS")}
    checkpoint = folder and Path(folder) / f"{name}, {key(job)}, {made['digest']}.npz"
    arrays = training.train(network(job), training.parts(data, experiment.images, whole, quick),
                            experiment.methods[label].optimizer, settings(job), epochs=epochs,
                            batch_size=experiment.batch_size, seed=seed, probe=experiment.methods[label].probe,
                            checkpoint=checkpoint, tell=tell)
    made["came"] = len(arrays["training loss"]) - 1
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return arrays, made


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


def searching(name, data, label, known, epochs, whole=False, quick=False):
    """(the jobs that the search still needs, what it has found so far); at its end there are no more jobs.

    One number after the other, from the paper's on by factors; what is better has worse ones on both sides then.
    """
    method, found = EXPERIMENTS[name].methods[label], ()
    for setting, factor in method.searched.items():
        scores = {}
        while exponents := wanted(scores):
            jobs = {k: job(name, data, label, 0, found + value(method, setting, factor, k), epochs, whole, quick)
                    for k in exponents}
            missing = [each for each in jobs.values() if key(each) not in known]
            if missing:
                return missing, found
            scores |= {k: score(known[key(each)], epochs) for k, each in jobs.items()}
        found += value(method, setting, factor, least(scores))
    return [], found


def value(method, setting, factor, k):
    """((setting, value),) with two digits, which are what is used; nothing where it is the paper's own."""
    return ((setting, float(f"{method.settings[setting] * factor**k:.2g}")),) if k else ()


def jobs_of(name, data, labels, seeds, epochs, whole, quick, search, known):
    """What is to be done next of an experiment, given what is `known`: first the searches, then the long runs."""
    experiment = EXPERIMENTS[name]
    brief = min(experiment.search_epochs, epochs)
    jobs = [job(name, data, label, seed, (), epochs, whole, quick) for label in labels for seed in seeds]
    for label in labels if search else ():
        more, found = searching(name, data, label, known, brief, whole, quick)
        jobs += more or [job(name, data, label, seed, found, epochs, whole, quick) for seed in seeds]
    return [each for each in dict.fromkeys(jobs) if key(each) not in known]


def run(name, data=None, labels=None, seeds=None, epochs=None, whole=False, quick=False, search=False, executor=None,
        at_a_time=None, folder=records.RECORDS, checkpoints=records.PARTS):
    """Do all that is missing of an experiment, and put each run into its record as it comes; how many failed."""
    experiment = EXPERIMENTS[name]
    data, labels = data or experiment.sets[0], labels or list(experiment.methods)
    seeds, epochs = experiment.seeds if seeds is None else seeds, epochs or experiment.epochs
    file, failed = folder / f"{name}.npz", set()
    while True:
        record = records.read(file) if file.exists() else {"runs": {}, "made": {}}
        jobs = jobs_of(name, data, labels, seeds, epochs, whole, quick, search, record["runs"])
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
                bar.set_postfix_str(f"{key(each)}: {shown({k: v[-1] for k, v in result[0].items()})}")
            yield each, result


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
            if each["method"] not in EXPERIMENTS[name].methods
            or each["digest"] != digest(*code((name, None, each["method"])))]


def quick():
    """Every experiment with every method on a few digits, into a folder that is gone afterwards; how many failed."""
    with TemporaryDirectory() as folder:
        return sum(run(name, "digits", seeds=[0], epochs=2, quick=True, search=False, at_a_time=1, folder=Path(folder),
                       checkpoints=Path(folder)) for name in EXPERIMENTS)


def listing():
    """Every experiment in three lines."""
    lines = []
    for name, experiment in EXPERIMENTS.items():
        lines += [f"{name:10s} {experiment.about}",
                  f"{'':10s} {experiment.net}; {', '.join(experiment.methods)}",
                  f"{'':10s} {' or '.join(experiment.sets)}; {experiment.epochs} epochs, "
                  f"{records.span(list(experiment.seeds))}"]
    return "\n".join(lines)


def arguments(parser):
    """The options of this command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments; without any they are listed")
    parser.add_argument("--set", dest="data", help="the set, if not the usual one")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="some of the methods")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="other seeds")
    parser.add_argument("--epochs", type=int, metavar="N", help="so many epochs, not as many as the paper")
    parser.add_argument("--whole", action="store_true", help="train on all training images and report the official "
                        "test images, as the papers do (needs the whole set)")
    parser.add_argument("--search", action="store_true", help="each method also with its numbers searched for")
    parser.add_argument("--quick", action="store_true", help="on a few digits, to see that everything runs")
    parser.add_argument("--stale", action="store_true", help="list the runs that are older than their code")
    parser.add_argument("--cluster", metavar="ADDRESS", help="hand the runs to this Dask scheduler")
    parser.add_argument("-j", type=int, default=cores(), metavar="N", help="so many at a time (%(default)s)")
    return parser


def main(given):
    """Do what the options say; the exit code."""
    for name in given.names:
        if name not in EXPERIMENTS:
            raise DataError(f"there is no experiment {name}; there are {', '.join(EXPERIMENTS)}")
        unknown = set(given.methods or ()) - set(EXPERIMENTS[name].methods)
        if unknown:
            raise DataError(f"{name} has no method {', '.join(sorted(unknown))}; it has "
                            f"{', '.join(EXPERIMENTS[name].methods)}")
        if given.data and given.data not in EXPERIMENTS[name].sets:
            raise DataError(f"{name} is not run on {given.data}; it is on {', '.join(EXPERIMENTS[name].sets)}")
    if given.epochs is not None and given.epochs < 1 or given.j < 1:
        raise DataError("--epochs and -j are whole numbers of at least 1")
    if given.stale:
        found = {name: stale(name) for name in given.names or EXPERIMENTS}
        print("\n".join(f"{name}: {each}" for name, runs in found.items() for each in runs) or "none is stale")
        return 0
    if given.quick:
        return 1 if quick() else 0
    if not given.names:
        print(listing())
        return 0
    executor = cluster(given.cluster) if given.cluster else partial(processes, given.j) if given.j > 1 else None
    return 1 if sum(run(name, given.data, given.methods, given.seeds, given.epochs, given.whole, False, given.search,
                        executor, given.j) for name in given.names) else 0
