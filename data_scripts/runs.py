"""python -m data_scripts run NAME: the papers' experiments, run by run, into the records that figures draw.

    python -m data_scripts run                                    what there is
    python -m data_scripts run mlp_2x90 --epochs 10               on its usual set, with each of its seeds
    python -m data_scripts run mlp_2x90 --methods Adam K-FAC --seeds 0 --search
    python -m data_scripts run mlp_2x90 --images 10000 --minutes 5      fewer images; fewer epochs, for slow methods
    python -m data_scripts run cnn --methods Adam --settings lr=0.01    at a number of one's own, not at the paper's
    python -m data_scripts run mlp_2x90 --table           after equal epochs, and after equal seconds
    python -m data_scripts run --quick                            all, on a few digits, to see that they run
    python -m data_scripts run --stale                            the runs that are older than their code
    python -m data_scripts run --confirm                          the first epoch of those, again

Stopped by Ctrl-C, or killed, the same command goes on: finished runs are in the record, the others go on from their
last epoch, to the same bits.  On the cores of the machine by default (-j), or with --cluster on a Dask scheduler's.
"""
import sys
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from data_scripts import comparing
from data_scripts.experiments import EXPERIMENTS
from data_scripts.formats import DataError
from data_scripts.jobs import declared, examples, job, key, perform
from data_scripts.measurements import MEASUREMENTS
from data_scripts.renewing import confirm, stale
from figures.making import records
from figures.making.processes import cores
from figures.making.sweep import cluster, sweep

AROUND = -1, 0, 1  # the exponents of a factor that a search begins with


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


def jobs_of(name, data, labels, seeds, epochs, whole, quick, search, record, images=None, minutes=inf, changes={}):
    """What is to be done next of an experiment, given what its record has: first the searches, then the long runs.

    The long runs are at the paper's numbers, but for the `changes`, and where there is a search also at those it found.
    """
    experiment, known, jobs = EXPERIMENTS[name], record["runs"], []
    brief, part = min(experiment.search_epochs, epochs), (whole, quick, images)
    for label in labels:
        own = tuple((setting, changes[setting]) for setting, usual in experiment.methods[label].settings.items()
                    if changes.get(setting, usual) != usual)
        affordable = within(minutes, seeds, job(name, data, label, seeds[0], (), epochs, *part), record)
        jobs += [job(name, data, label, seed, own, affordable, *part) for seed in seeds if affordable]
        jobs += [] if affordable else [job(name, data, label, seeds[0], own, 1, *part)]
        more, found = searching(name, data, label, known, brief, *part) if search else ([], own)
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


def run(name, data=None, labels=None, seeds=None, epochs=None, whole=False, quick=False, search=False, executor=None,
        at_a_time=None, folder=records.RECORDS, checkpoints=records.PARTS, images=None, minutes=inf, changes={}):
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
            jobs = jobs_of(name, data, labels, seeds, epochs, whole, quick, search, record, images, minutes, changes)
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
    parser.add_argument("--settings", nargs="+", metavar="NAME=NUMBER", default=[],
                        help="other numbers for these methods than the paper's")
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


def changed(name, labels, words):
    """{setting: number} that were given as words; each is a setting of all these methods of the experiment."""
    changes = {}
    for setting, _, number in (word.partition("=") for word in words):
        try:
            changes[setting] = int(number) if number.isdecimal() else float(number)
        except ValueError:
            raise DataError(f"--settings takes NAME=NUMBER, such as lr=0.01; given was {setting}={number}") from None
        if not abs(changes[setting]) < inf or float(f"{changes[setting]:.4g}") != changes[setting]:
            raise DataError(f"a run is named by its numbers, to four digits; {setting}={number} is not one of those")
        for label in labels:
            if setting not in (usual := EXPERIMENTS[name].methods[label].settings):
                raise DataError(f"{label} has no {setting}; it has {', '.join(usual)}")
    return changes


def main(given):
    """Do what the options say; the exit code."""
    for name in given.names:
        if name not in EXPERIMENTS | MEASUREMENTS:
            raise DataError(f"there is no experiment {name}; there are {', '.join(EXPERIMENTS | MEASUREMENTS)}")
        if name in MEASUREMENTS and any((given.methods, given.epochs, given.images, given.whole, given.search,
                                         given.settings)):
            raise DataError(f"{name} is a measurement, with seeds and a set, and no other options")
        unknown = set(given.methods or ()) - set(getattr(declared(name), "methods", ()))
        if unknown:
            raise DataError(f"{name} has no method {', '.join(sorted(unknown))}; it has "
                            f"{', '.join(EXPERIMENTS[name].methods)}")
        if given.data and given.data not in declared(name).sets:
            raise DataError(f"{name} is not run on {given.data}; it is on {', '.join(declared(name).sets)}")
    if given.j < 1 or any(number is not None and number < 1 for number in (given.epochs, given.images)):
        raise DataError("--epochs, --images and -j are whole numbers of at least 1")
    if given.settings and (len(given.names) != 1 or not given.methods or given.search):
        raise DataError("--settings is for one experiment with --methods, and not with --search")
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
    executor = cluster(given.cluster) if given.cluster else None
    return 1 if sum(run(name, given.data, given.methods, given.seeds, given.epochs, given.whole, False, given.search,
                        executor, given.j, images=given.images,
                        minutes=given.minutes or getattr(declared(name), "minutes", inf),
                        changes=changed(name, given.methods, given.settings))
                    for name in given.names) else 0
