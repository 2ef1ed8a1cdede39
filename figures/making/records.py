"""Trainings that take too long to be repeated for every picture: what they gave is kept in a file, run by run.

A record is {run: {name: array}}, and for every run how it was made: set and checksum, seed, settings, date, versions
and a digest of the code.  So one more method or seed is one more run.  `python -m data_scripts run` writes records of
the papers' experiments, and a figure that draws from trainings of its own has, besides compute and draw,

    SETS = ("digits", "mnist")    the sets of numopt.data that it can be made from; the first is the usual one
    SEED = 0                      what all its randomness follows from
    NET = "ResNet-18, width 4"    what was trained, for the corner of the picture; or {set: what was trained}
    def runs(data):               {name: function without arguments that returns arrays by name}: its trainings

and its compute() begins with recorded("its name"), what these functions returned.  A figure of another's trainings has
RECORD = "the other's name" instead.

    python -m figures NAME --recompute                  make the record again, in --out; go on where that was stopped
    python -m figures NAME --recompute --data mnist     from another set
    python -m figures NAME --recompute --maintain       in figures/records
    python -m figures --stale                           the records that are older than their code
"""
import hashlib
import json
import platform
import secrets
import shutil
from datetime import date
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from urllib.parse import quote

import numpy as np
import scipy

from figures.making.digests import bare, digest
from numopt import data as sets
from numopt.record import load, packed, save, unpacked

RECORDS = Path(__file__).parents[1] / "records"
PARTS = Path(__file__).parents[1] / "out" / "parts"


class NotThere(FileNotFoundError):
    """There is no record to draw from."""


# ------------------------------------------------------------------------------------------------- any record

def recorded(name):
    """{run: {name: array}} of a record."""
    return whole(name)["runs"]


def whole(name):
    """{"runs": {run: {name: array}}, "made": {run: how}} of a record."""
    file = RECORDS / f"{name}.npz"
    if not file.exists():
        raise NotThere(f"there is no {file}; make it with python -m figures {name} --recompute")
    return read(file)


def read(file):
    """What `write` wrote.  No pickle: a record that somebody hands you runs no code."""
    with np.load(file, allow_pickle=False) as archive:
        numbers = {name: archive[name] for name in archive.files}
    outline, places = json.loads(str(numbers.pop("outline")))
    arrays = {key: numbers[kind][start:start + int(np.prod(shape))].reshape(shape)
              for key, (kind, start, shape) in places.items()}
    return unpacked(outline, arrays)


def write(file, record):
    """Write a record, whole or not at all: the numbers of one kind one after the other, and compressed together."""
    arrays, numbers, places = {}, {}, {}
    outline = packed(record, arrays, "record")
    for key, array in arrays.items():
        before = numbers.setdefault(array.dtype.name, [])
        places[key] = array.dtype.name, sum(map(np.size, before)), array.shape
        before.append(array.ravel())
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.stem}-{secrets.token_hex(4)}.npz")
    try:
        np.savez_compressed(temporary, outline=np.array(json.dumps([outline, places])),
                            **{kind: np.concatenate(parts) for kind, parts in numbers.items()})
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def add(file, runs, made):
    """Put runs into a record beside those that it has, in place of those of the same name."""
    record = read(file) if file.exists() else {"runs": {}, "made": {}}
    write(file, {"runs": record["runs"] | runs, "made": record["made"] | made})


def making(data, seed, settings, *code):
    """How a run was made, for its record."""
    return {"set": data, "checksum": checksum(data), "seed": seed, "settings": settings, "digest": digest(*code),
            "date": date.today().isoformat(), "versions": versions()}


def versions():
    return (f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}, "
            f"{platform.machine()}")


@cache
def checksum(data):
    """Of all the numbers of a set as it is here: two that differ are not the same set."""
    found = hashlib.blake2b(digest_size=8)
    for array in getattr(sets, data)(normalise=False)[:4]:
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def note(name, runs=None):
    """Where a record comes from, for the corner of a picture: net, set, seeds and date; of these runs, or of all.

    A script says in NET what its net is, and in CALLED what a set is called that is changed before it is used.
    """
    made = [each for run, each in whole(name)["made"].items() if runs is None or run in runs]
    data, dates = (dict.fromkeys(each[key] for each in made) for key in ("set", "date"))
    figure = script(name) if find_spec(f"figures.{name}") else None
    nets = getattr(figure, "NET", None) or {each["set"]: each["net"] for each in made if "net" in each}
    if isinstance(nets, dict) and (epochs := sorted({each["epochs"] for each in made if "epochs" in each})):
        how_many = " to ".join(map(str, dict.fromkeys([epochs[0], epochs[-1]])))
        nets = {data: f"{net}, {how_many} epochs" for data, net in nets.items()}
    nets = dict.fromkeys(nets[one] for one in data if one in nets) if isinstance(nets, dict) else [nets]
    called = getattr(figure, "CALLED", {})
    seeds = sorted({seed for each in made for seed in np.ravel(each["seed"]).tolist()})
    return "; ".join([*nets, " and ".join(called.get(one, one) for one in data), span(seeds), max(dates)])


def span(seeds):
    """"seed 0", "seeds 0–4", "seeds 0, 2, 5"."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    together = seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"seeds {seeds[0]}–{seeds[-1]}" if together else f"seeds {', '.join(map(str, seeds))}"


# ------------------------------------------------------------------------------ the trainings of one figure

def script(name):
    return import_module(f"figures.{name}")


def named(figure):
    """The name of the record that a figure draws from; None if it computes all it draws."""
    return getattr(script(figure), "RECORD", figure if hasattr(script(figure), "runs") else None)


def remade(figure):
    """The name of its record, if --recompute makes it: other commands measure times and run experiments."""
    name = named(figure)
    return name if name and find_spec(f"figures.{name}") and hasattr(script(name), "runs") else None


def how(name, data, run):
    """How a run of a figure is made: its function's arguments are its settings."""
    figure, function = script(name), script(name).runs(data)[run]
    arguments = {"arguments": function.args, **function.keywords} if isinstance(function, partial) else {}
    settings = {key: value if isinstance(value, (int, float, str)) else
                value.__name__ if isinstance(value, FunctionType) else repr(value) for key, value in arguments.items()}
    seeds = getattr(figure, "SEEDS", 1)  # how many there are from SEED on, or which
    seeds = range(figure.SEED, figure.SEED + seeds) if isinstance(seeds, int) else seeds
    net = getattr(figure, "NET", "")
    return making(data, settings.pop("seed", list(seeds)), settings, function) | {
        "net": net[data] if isinstance(net, dict) else net}


def stale(name):
    """The runs of a record that are older than the code which makes them, or are no longer made by it."""
    made = whole(name)["made"]
    known = {data: script(name).runs(data) for data in {each["set"] for each in made.values()}}
    now = cache(digest)  # many runs are of one function
    return [run for run, each in made.items()
            if run not in known[each["set"]] or each["digest"] != now(bare(known[each["set"]][run]))]


def folder(name, data):
    """Where finished runs wait for the others."""
    return PARTS / f"{name}-{data}"


def part(name, data, run):
    """Its file; what other code has made has another name, and is not used."""
    return folder(name, data) / f"{quote(run, safe=' ')}-{digest(script(name).runs(data)[run])}.npz"


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
    write(RECORDS / f"{name}.npz", {"runs": runs, "made": {run: how(name, data, run) for run in runs}})
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
