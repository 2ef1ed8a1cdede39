"""One training as the papers describe theirs, with all that is looked at on the way, and a checkpoint every epoch."""
import time
from contextlib import contextmanager
from functools import cache
from math import isfinite
from typing import NamedTuple

import numpy as np

from numopt import data as sets
from numopt import optimizers
from numopt.optimizer import Diverged
from numopt.problems import EmpiricalRisk, MiniBatch, Whole
from numopt.record import load, save

FIRST, KEPT = 20, 300           # so many steps from the start are written down, and about so many of all
STATISTICS = 2000               # so many training examples give batch normalisations their statistics
QUICK = 400                     # so many training examples are enough to see that everything runs


class Parts(NamedTuple):
    """What is trained on, what is chosen by, what is reported, and for CIFAR-10 what there is of the official test."""
    training: tuple
    validation: tuple
    test: tuple
    official: tuple = None


@cache
def parts(data, images, whole=False, quick=False, first=None):
    """A set in its parts, in single precision; with `first` no more than so many examples in each.

    The last tenth of the training examples is the validation part, and the test part is the official one.  Of CIFAR-10
    few have the official test images: 40,000 images are trained on, the next 5,000 choose, the last 5,000 report, and
    what there is of the official ones is looked at beside; with `whole` it is as the papers have it, all 50,000 to
    train on and the official ones to report (and to choose by: so they say no more than the papers do).
    """
    read = getattr(sets, data)
    how = {} if data == "boston" else {"images": images}
    if data == "cifar10" and not whole:
        X, Y, X_last, Y_last, mean, sd, *_ = read(**how, held_out=10_000, dtype=np.float32)
        pixels, labels = read(normalise=False, **how)[2:4]
        seen = (((pixels / np.float32(255) - mean) / sd).astype(np.float32), labels)
        found = Parts((X, Y), (X_last[:5000], Y_last[:5000]), (X_last[5000:], Y_last[5000:]), seen)
    else:
        X, Y, X_test, Y_test, *_ = read(**how, dtype=np.float32)
        if data == "boston":
            Y, Y_test = Y[:, None], Y_test[:, None]
        n = len(X) if whole else len(X) - len(X) // 10
        found = Parts((X[:n], Y[:n]), (X_test, Y_test) if whole else (X[n:], Y[n:]), (X_test, Y_test))
    most = QUICK if quick else first
    return Parts(*(part and (part[0][:most], part[1][:most]) for part in found))


@contextmanager
def counting(network, batch_size):
    """Counts what passes through a network, in mini-batches: {"forward": ..., "backward": ...}."""
    counts, forward, backward = {"forward": 0.0, "backward": 0.0}, network.forward, network.backward

    def counted_forward(w, x, mode):
        counts["forward"] += len(x) / batch_size
        return forward(w, x, mode)

    def counted_backward(w, saved, dy, dw, inputs=True):
        counts["backward"] += len(dy) / batch_size
        return backward(w, saved, dy, dw, inputs)

    network.forward, network.backward = counted_forward, counted_backward
    try:
        yield counts
    finally:
        del network.forward, network.backward


def train(network, parts, method, settings, *, epochs, batch_size, seed, probe=False, checkpoint=None, tell=None):
    """{name: array} of one training; it ends early, without an error, where it diverges.

    epoch ... accuracies       losses and accuracies of the parts at the start and after every epoch, and what it cost
                               until then: seconds (of the clock, and of the processor), passes, in mini-batches
    step, step loss, step rate the loss on the mini-batch before the step, and the rate; the first steps, then fewer

    After every epoch the `checkpoint`, a file, is written, and the same call goes on from there, to the same bits;
    `tell` is called with a row.  With a `probe` the validation part judges the rate, where the method learns it.
    """
    risk = EmpiricalRisk(network, *parts.training, batch_size, seed)
    if probe:
        X, Y = parts.validation
        settings = settings | {"probe": EmpiricalRisk(network, X, Y, min(batch_size, len(X)), seed)}
    every = max(1, epochs * risk.steps_per_epoch // KEPT)
    if checkpoint is not None and checkpoint.exists():
        saved = load(checkpoint)
        run = getattr(optimizers, method)(risk, saved["theta"], **settings | saved["memory"])
        rows, steps, spent = list(saved["rows"]), list(saved["steps"]), saved["spent"]
    else:
        run = getattr(optimizers, method)(risk, network.initial(seed, dtype=np.float32), **settings)
        spent = {"seconds": 0.0, "processor": 0.0, "forward": 0.0, "backward": 0.0}
        rows, steps = [row(network, run.theta, parts, spent)], []
    while len(rows) <= epochs:
        try:
            one_epoch(run, risk, every, network, spent, steps)
            rows.append(row(network, run.theta, parts, spent))
        except Diverged:
            break
        if checkpoint is not None:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            save(checkpoint, theta=run.theta, memory=run.memory, rows=rows, steps=steps, spent=spent)
        if tell is not None:
            tell(rows[-1])
    table = {key: np.array([each[key] for each in rows], np.float32) for key in rows[0]}
    return table | dict(zip(("step", "step loss", "step rate"), np.array(steps, np.float32).reshape(-1, 3).T))


def train_in_two(network, parts, first, then, *, after, afresh, checkpoint, **how):
    """One method for `after` epochs, then another from where it has come to; or afresh, with only the rate it learned.

    Both are (method, settings); a rate of None, of the second, is the one that the first has learned.  What the first
    has cost counts, for a fresh start as well.
    """
    before = checkpoint.with_name(f"{checkpoint.stem}, before.npz")
    if not checkpoint.exists():
        table = train(network, parts, *first, checkpoint=before, **how | {"epochs": after})
        if len(table["training loss"]) <= after:
            return table
        saved = load(before)
        if afresh:
            saved |= {"theta": network.initial(how["seed"], dtype=np.float32), "steps": [],
                      "rows": [saved["rows"][0] | saved["spent"]]}
        save(checkpoint, **saved | {"memory": {"t": 0 if afresh else saved["memory"]["t"]}})
    learned = load(before)["memory"].get("lr")
    settings = {key: learned if value is None else value for key, value in then[1].items()}
    table = train(network, parts, then[0], settings, checkpoint=checkpoint, **how)
    before.unlink()
    return table


def one_epoch(run, risk, every, network, spent, steps):
    """All mini-batches once; the thinned losses go to `steps`, the cost to `spent`, which stays if it diverges."""
    with counting(network, risk.batch_size) as counts:
        for _ in range(risk.steps_per_epoch):
            before, clock, processor = run.theta, time.perf_counter(), time.process_time()
            next(run)
            spent["seconds"] += time.perf_counter() - clock
            spent["processor"] += time.process_time() - processor
            t = run["t"]
            if t <= FIRST or t % every == 0:
                passed = dict(counts)
                loss, rate = run["loss"].value(before), float(run["lr"] if not callable(run["lr"]) else run["lr"](t))
                counts.update(passed)
                if not isfinite(loss):
                    raise Diverged(f"the loss was {loss} at step {t}", t)
                steps.append((t, loss, rate))
    for key in counts:
        spent[key] += counts[key]


def row(network, theta, parts, spent):
    """Loss and accuracy of each part at theta, beside what it has cost to get there."""
    first = (part[:STATISTICS] for part in parts.training)
    statistics = MiniBatch(network, *first).statistics_of(theta)
    found = {}
    for name, part in zip(parts._fields, parts):
        if part is not None:
            loss, accuracy = loss_and_accuracy(Whole(network, *part, batch_size=500, statistics=statistics), theta)
            if not isfinite(loss):
                raise Diverged(f"the {name} loss was {loss}", 0)
            found |= {f"{name} loss": loss, f"{name} accuracy": accuracy}
    return found | spent


def loss_and_accuracy(whole, theta):
    loss = accuracy = 0.0
    with np.errstate(all="ignore"):
        for share, batch in whole.shares():
            loss += share * batch.value(theta)
            accuracy += share * batch.accuracy(theta) if batch.network.output_size > 1 else 0.0
    return float(loss), float(accuracy)
