"""Trainings that take too long to be repeated for every picture: what they gave is kept in a file.

A figure that draws from a record has, besides compute and draw,

    SETS = ("digits", "mnist")    the sets of numopt.data that it can be made from; the first is the usual one
    SEED = 0                      what all its randomness follows from
    def runs(data):               {name: function without arguments that returns arrays by name}: its trainings

and its compute() begins with recorded("its name"), what these functions returned.  A figure of another's trainings has
RECORD = "the other's name" instead.  The record says from which set, with which seed, when and with what it was made;
so does a corner of the picture.

    python -m figures NAME --recompute                  make the record again, in --out; go on where that was stopped
    python -m figures NAME --recompute --data mnist     from another set
    python -m figures NAME --recompute --maintain       in figures/records
"""
import hashlib
import platform
import shutil
from datetime import date
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import numpy as np

from numopt import data as sets
from numopt.record import load, save

RECORDS = Path(__file__).parents[1] / "records"
PARTS = Path(__file__).parents[1] / "out" / "parts"


class NotThere(FileNotFoundError):
    """There is no record to draw from."""


def script(name):
    return import_module(f"figures.{name}")


def named(figure):
    """The name of the record that a figure draws from; None if it computes all it draws."""
    return getattr(script(figure), "RECORD", figure if hasattr(script(figure), "runs") else None)


def remade(figure):
    """The name of its record, if --recompute makes it: another command measures the times."""
    name = named(figure)
    return name if name and hasattr(script(name), "runs") else None


def recorded(name):
    """{run: {name: array}} of a record."""
    return whole(name)["runs"]


def whole(name):
    file = RECORDS / f"{name}.npz"
    if not file.exists():
        raise NotThere(f"there is no {file}; make it with python -m figures {name} --recompute")
    return load(file)


def note(name):
    """Where a record comes from, for the corner of a picture."""
    record = whole(name)
    return f"from a record: {record['set']}, seed {record['seed']}, {record['date']}"


def folder(name, data):
    """Where finished runs wait for the others.  What another version of the script has left there is not used."""
    version = hashlib.sha256(Path(script(name).__file__).read_bytes()).hexdigest()[:12]
    return PARTS / f"{name}-{data}-{version}"


def part(name, data, run):
    return folder(name, data) / f"{quote(run, safe=' ')}.npz"


def missing(name, data):
    """The runs that are not done yet."""
    return [run for run in script(name).runs(data) if not part(name, data, run).exists()]


def perform(name, data, run):
    """Do one run, and keep what it returns."""
    arrays = script(name).runs(data)[run]()
    for key, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{name}: in the run {run!r} the array {key!r} is not finite; "
                             f"let the run end where it diverges, and record how far it came")
    folder(name, data).mkdir(parents=True, exist_ok=True)
    save(part(name, data, run), **{key: np.asarray(array) for key, array in arrays.items()})


def complete(name, data):
    """Write the record of all runs, and forget the parts."""
    runs = {run: load(part(name, data, run)) for run in script(name).runs(data)}
    RECORDS.mkdir(parents=True, exist_ok=True)
    save(RECORDS / f"{name}.npz", set=data, seed=script(name).SEED, date=date.today().isoformat(),
         made_with=f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}", runs=runs)
    shutil.rmtree(folder(name, data))
    return RECORDS / f"{name}.npz"


def checked(name, data):
    """The set to make a record from; ValueError where the figure cannot be made from it, or it is not there yet."""
    known = script(name).SETS
    if data is None:
        return known[0]
    if data not in known:
        raise ValueError(f"{name} cannot be made from {data!r}; it can be from {', '.join(known)}")
    getattr(sets, data)()
    return data
