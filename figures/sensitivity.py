"""Methods that adapt their rates need them tuned like others: only the window of good rates lies elsewhere.

The training loss of a net of 32 hidden units after 230 mini-batches of 64, against the rate that it was trained with:
the median of five seeds, and their range; in grey the other methods, for comparison.  All other hyperparameters are
the customary ones, and Polyak averaging and Lookahead watch gradient descent.  A run that diverged, or ended above 10,
is at the upper edge; a net that knows nothing would be at ln 10 = 2.3.  The bar is the window of rates with which a
method gets below 0.1, and its number the ratio of the largest of them to the smallest; between two of the rates that
were tried, a factor of 1.8 apart, its ends are where a straight line between the medians crosses 0.1.

The methods stand in the order of their windows, from the largest rates down: the first one's are 400 times those of
Lion.  Each gets to 0.01 with the best of its rates, and the windows are factors of 18 to 121, Adam's 55 much like
momentum's 58.  The exception is Rprop, whose rate is that of its first step only: from 1e-5 to 0.1 it hardly matters
which.  But Rprop is made for whole batches, and on small ones it does badly with all of them.

Made for this course, after Choi et al. (2019) and Schmidt et al. (2021), who tune each method.          Lecture 4.
"""
import inspect
from functools import partial
from math import isfinite

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import METHODS, band
from numopt import data as sets
from numopt import optimizers
from numopt.networks import mlp
from numopt.optimizer import Diverged
from numopt.problems import EmpiricalRisk

SETS = ("digits", "mnist", "fashion_mnist")
NET = "32 hidden units, 230 steps"
SEED, SEEDS = 0, 5
RATES = 10.0**np.arange(-5, 2.1, 0.25)
STEPS, BATCH = 230, 64
CEILING, GOOD = 10.0, 0.1
FAMILIES = "descent", "momentum", "adaptive", "averaging"
GRADIENT_DESCENT_HERE = {"proximal_descent"}  # where nothing has a kink


def methods():
    """Every first-order method with a rate to set, by name: a function of a problem, theta and lr."""
    found = {}
    for name in optimizers.__all__:
        method = getattr(optimizers, name)
        arguments = inspect.signature(method).parameters
        if method.__module__.split(".")[-1] in FAMILIES and name not in GRADIENT_DESCENT_HERE:
            if "lr" in arguments:
                found[name] = method
            elif "inner" in arguments:
                found[name] = partial(around_gradient_descent, method)
    return found


def around_gradient_descent(method, problem, theta, lr):
    return method(problem, theta, inner=partial(optimizers.gradient_descent, lr=lr))


def runs(data):
    return {f"{name}, {k}": partial(losses, data, name, SEED + k) for name in methods() for k in range(SEEDS)}


def losses(data, name, seed):
    """The training loss at the end for every rate: each with the same first weights and order of examples."""
    X, Y, *_ = getattr(sets, data)(images=False, dtype=np.float32)
    network = mlp([X.shape[1], 32, Y.max() + 1])
    risk = EmpiricalRisk(network, X, Y, batch_size=BATCH, seed=seed)
    theta = network.initial(seed, dtype=np.float32)
    reached = [last_loss(risk.whole, methods()[name](risk, theta, lr=lr)) for lr in RATES.tolist()]
    return {"loss": np.array(reached, np.float32)}


def last_loss(whole, run):
    """After so many mini-batches, and no more than the CEILING."""
    try:
        theta = next(theta for theta in run if run["t"] >= STEPS)
    except Diverged:
        return CEILING
    value = whole.value(theta)
    return min(value, CEILING) if isfinite(value) else CEILING


def compute():
    """For every method that is recorded the losses: [k, i] of the k-th seed with the i-th rate."""
    record = recorded("sensitivity")
    return {name: np.array([record[f"{name}, {k}"]["loss"] for k in range(SEEDS)])
            for name in methods() if f"{name}, {SEEDS - 1}" in record}


def window(losses):
    """Between which rates the median is below GOOD, and the best one that was tried; None where there is none."""
    median = np.median(losses, axis=0)
    good, = np.nonzero(median < GOOD)
    if not good.size:
        return None
    first, last = good[0], good[-1]
    return crossing(median, first - 1, first), crossing(median, last + 1, last), RATES[median.argmin()]


def crossing(median, outside, inside):
    """The rate at which the median gets below GOOD, by a straight line in logarithms."""
    high, low = np.log(median[[outside, inside]])
    share = (np.log(GOOD) - low) / (high - low)
    return RATES[inside] * (RATES[outside] / RATES[inside])**share


def ordered(losses):
    """The names, from the window of the largest rates to that of the smallest; last those that have none."""
    def middle(name):
        found = window(losses[name])
        return -np.sqrt(found[0] * found[1]) if found else 0.0

    return sorted(losses, key=middle)


def draw(**losses):
    columns = 4
    rows = -(-len(losses) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(6.5, 0.4 + 1.7 * rows), sharex=True, sharey=True, squeeze=False)
    medians = {name: np.median(each, axis=0) for name, each in losses.items()}
    for ax, name in zip(axes.ravel(), ordered(losses)):
        color, _, label = METHODS[name]
        ax.plot(RATES, np.transpose([medians[other] for other in losses]), color="0.86", linewidth=0.7, zorder=0)
        band(ax, RATES, losses[name], color, middle=np.median, linewidth=2)
        if found := window(losses[name]):
            low, high, _ = found
            ax.plot([low, high], [GOOD, GOOD], color="black", linewidth=3, solid_capstyle="butt")
            ax.annotate(f"{high / low:.0f}", (np.sqrt(low * high), GOOD), (0, 3), textcoords="offset points",
                        ha="center", fontsize=10)
        ax.set_title(label, color=color, fontsize=10)
        ax.set(xscale="log", yscale="log", xlim=(RATES[0], RATES[-1]), ylim=(1e-3, CEILING),
               xticks=[1e-4, 1e-2, 1], yticks=[1e-3, 0.1, 10])
        ax.minorticks_off()
    for ax in axes.ravel()[len(losses):]:
        ax.set_axis_off()
    for ax in axes.ravel()[max(0, len(losses) - columns):len(losses)]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("rate")
    figure.supylabel("training loss", fontsize=11)
    return figure
