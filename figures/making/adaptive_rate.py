"""The experiment of Ravaut and Gorti (2018) that the figures rate_*.py share: one net, trained by a fixed rate and by
rates that learn.          Lecture 5.

    train("newton_rate_printed", parts("digits"), network, lr=0.1, seed=0, epochs=8, batch_size=64)

gives what a record keeps of one run, `gathered` puts the runs of several seeds together, and `panels` draws them.
"""
from contextlib import suppress
from functools import partial
from math import ceil, isfinite

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator

from figures.making import records, style
from numopt import data as sets
from numopt.networks import Conv2D, Dense, Flatten, MaxPool, Network, ReLU, dropping, lenet, resnet18
from numopt.optimizer import Diverged
from numopt.optimizers import adam, gradient_descent, gradient_rate, newton_rate, newton_rate_printed
from numopt.problems import EmpiricalRisk, MiniBatch, Whole

METHODS = {"gradient_descent": gradient_descent, "gradient_rate": gradient_rate, "newton_rate": newton_rate,
           "newton_rate_printed": newton_rate_printed, "adam": adam}
LEARN_THE_RATE = "gradient_rate", "newton_rate", "newton_rate_printed"
# What a step costs in forward passes, where going backward counts as two.
PASSES = {"gradient_descent": 3, "gradient_rate": 6, "newton_rate": 8, "newton_rate_printed": 8, "adam": 3}

LINES = {name: style.METHODS[name][:2] for name in METHODS}  # color and line
BETTER = LINES["gradient_descent"][0], "--"  # the same method at a rate that was searched for

# Narrower than the paper's ResNet, of width 64, and for fewer epochs: in NumPy that would take weeks.
RESNET = {"digits": {"width": 4, "batch_size": 64, "epochs": 8},
          "cifar10": {"width": 16, "batch_size": 256, "epochs": 5},
          "cifar100": {"width": 16, "batch_size": 256, "epochs": 5}}
RESNET_NET = {data: f"ResNet-18 of width {size['width']}, {size['epochs']} epochs" for data, size in RESNET.items()}
MEASURED = "training loss", "test loss", "training accuracy", "test accuracy"
KEPT = 1500  # rates of a run


def parts(data, images=True):
    """X, Y, X_test, Y_test of a set in single precision."""
    return getattr(sets, data)(images=images, dtype=np.float32)[:4]


def small_lenet(shape, classes, dropout):
    """LeNet with patches of 3 × 3 and a border of zeros, where images are too small for its 5 × 5 without one."""
    if min(shape[:2]) >= 16:
        return lenet(shape, classes, dropout)
    rows, columns = shape[0] // 4, shape[1] // 4
    return Network(Conv2D(shape[2], 6, 3, padding=1), ReLU(), MaxPool(2), Conv2D(6, 16, 3, padding=1), ReLU(),
                   MaxPool(2), Flatten(), Dense(rows * columns * 16, 120), ReLU(), *dropping(dropout),
                   Dense(120, 84), ReLU(), *dropping(dropout), Dense(84, classes),
                   inputs=shape, initialisation="he")


def train(method, parts, network, *, lr, seed, epochs, batch_size, held_back=0, dtype=np.float32, **settings):
    """Losses and accuracies at the start and after every epoch, as far as it came, and the rates on the way.

    So many of the training examples as are `held_back` are not trained on: their mini-batches judge the rate, where
    the method learns it.
    """
    X, Y, X_test, Y_test = parts
    n = len(X) - held_back
    if held_back and method in LEARN_THE_RATE:
        settings["probe"] = EmpiricalRisk(network, X[n:], Y[n:], min(batch_size, held_back), seed)
    X, Y = X[:n], Y[:n]
    risk = EmpiricalRisk(network, X, Y, batch_size, seed)
    run = METHODS[method](risk, network.initial(seed, dtype=dtype), lr=lr, **settings)
    every = ceil(epochs * risk.steps_per_epoch / KEPT)
    rows, rates = [measured(network, run.theta, X, Y, X_test, Y_test)], [(0, lr)]
    with suppress(Diverged):
        while len(rows) <= epochs and np.isfinite(rows[-1]).all():
            for _ in range(risk.steps_per_epoch):
                next(run)
                rate = run["lr"] if method in LEARN_THE_RATE else lr
                if run["t"] % every == 0 and isfinite(rate):
                    rates.append((run["t"] / risk.steps_per_epoch, rate))
            rows.append(measured(network, run.theta, X, Y, X_test, Y_test))
    rows = [row for row in rows if np.isfinite(row).all()]
    return {**dict(zip(MEASURED, np.array(rows, np.float32).T)),
            **dict(zip(("epoch", "rate"), np.array(rates, np.float32).T))}


def measured(network, theta, X, Y, X_test, Y_test):
    """What is MEASURED; batch normalizations take their statistics from the first 2,000 training examples."""
    statistics = MiniBatch(network, X[:2000], Y[:2000]).statistics_of(theta)
    with np.errstate(all="ignore"):
        there, elsewhere = (Whole(network, *part, statistics=statistics) for part in ((X, Y), (X_test, Y_test)))
        return there.value(theta), elsewhere.value(theta), there.accuracy(theta), elsewhere.accuracy(theta)


def train_resnet(method, data, lr, seed, images=None, **settings):
    """A ResNet-18 on a set, or on other `images` in the form of `parts`."""
    X, Y, X_test, Y_test = parts(data) if images is None else images(data)
    size = RESNET[data]
    network = resnet18(X.shape[1:], Y.max() + 1, size["width"])
    return train(method, (X, Y, X_test, Y_test), network, lr=lr, seed=seed, epochs=size["epochs"],
                 batch_size=size["batch_size"], **settings)


def in_seeds(seeds, **trainings):
    """{"name, seed 0": the training with this seed, ...}, each a function without arguments."""
    return {f"{name}, seed {seed}": partial(training, seed=seed)
            for name, training in trainings.items() for seed in seeds}


def gathered(*names):
    """{"run: quantity": an array (seed, epoch)} of these records; NaN after the end of a run that diverged."""
    made_from = {each["set"] for name in names for each in records.whole(name)["made"].values()}
    if len(made_from) > 1:
        raise ValueError(f"the records of {' and '.join(names)} are made from different sets; make them from one: "
                         f"python -m figures {' '.join(names)} --recompute --data SET")
    found = {}
    for name in names:
        for run, arrays in records.recorded(name).items():
            for quantity, array in arrays.items():
                found.setdefault(f"{run.split(', seed')[0]}: {quantity}", []).append(array)
    return {key: padded(arrays) for key, arrays in found.items()}


def padded(arrays):
    """Arrays of different lengths as the rows of one; all NaN where a row has ended."""
    longest = max(map(len, arrays))
    return np.array([np.pad(array, (0, longest - len(array)), constant_values=np.nan) for array in arrays])


PANELS = {"training loss": "training loss", "test loss": "test loss", "accuracy": "test accuracy, %", "rate": "rate"}


def panels(seen, drawn, passes=None):
    """Losses on the training and the test part, and the test accuracy (mean and range over the seeds); the rates of the
    first seed; and above, the key.

    `drawn` is {run: (label, color, line)}.  A cross marks where a run diverges.  With `passes`, {run: what a step costs
    in forward passes}, all but the rates is drawn against this cost.
    """
    figure, axes = plt.subplot_mosaic([["training loss", "test loss"], ["accuracy", "rate"]], figsize=(6.5, 6))
    epochs = max(seen[f"{run}: training loss"].shape[1] for run in drawn) - 1
    for run, (label, color, linestyle) in drawn.items():
        come = np.isfinite(seen[f"{run}: rate"][0])
        epoch, rate = seen[f"{run}: epoch"][0][come], seen[f"{run}: rate"][0][come]
        for panel, rows in {"training loss": seen[f"{run}: training loss"], "test loss": seen[f"{run}: test loss"],
                            "accuracy": 100 * seen[f"{run}: test accuracy"]}.items():
            cost = passes[run] if passes else 1
            style.band(axes[panel], cost * np.arange(rows.shape[1]), rows, color, linestyle)
        axes["rate"].plot(epoch, rate, color=color, linestyle=linestyle, linewidth=1.4, label=label)
        if epoch[-1] < 0.99 * epochs:
            axes["rate"].plot(epoch[-1], rate[-1], "x", color=color, markersize=8, markeredgewidth=2)
            axes["rate"].annotate("diverges", (epoch[-1], rate[-1]), (9, 0), textcoords="offset points",
                                  va="center", color=color, fontsize=10)
    for name, label in PANELS.items():
        axes[name].set(xlabel="epoch", ylabel=label, xlim=(0, epochs), yscale="linear" if name == "accuracy" else "log")
        if passes and name != "rate":
            axes[name].set(xlabel="forward passes of each image", xlim=(0, epochs * max(passes.values())))
        bottom, top = axes[name].get_ylim()
        if name != "accuracy" and top < 100 * bottom:  # hardly a power of ten in sight
            axes[name].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes[name].yaxis.set_major_formatter("{x:g}")
            axes[name].minorticks_off()
    figure.legend(*axes["rate"].get_legend_handles_labels(), loc="outside upper center", ncols=min(3, len(drawn)),
                  handlelength=3)
    return figure
