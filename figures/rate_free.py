"""Three rates hardly depend on what they are told, and of these Prodigy's alone ends where a searched rate does.

Behind each name stands what a step costs in forward passes, going backward counting as two; all have as many passes.
Circles: told what is usual, in ten seeds; triangles: a tenth of that (left) and ten times that (right), from the seed's
same start.  What they are told is the rate of the rate (first order), the first rate (second order, Barzilai-Borwein),
the share c of SPS, the largest rate of MoMo, the first distance of DoG and Prodigy, and the rate of Schedule-Free and
of gradient descent.  The grey line is the fixed rate that is best of nine: that is what tuning costs.

Who is told nothing right goes nowhere: the loss on the right edge is that of the start, where a run has diverged.  The
rates that learn by trials (first and second order) depend on where they start, and cost two or three times as much.
Barzilai-Borwein is far below the best fixed rate in whole batches, and far above it in mini-batches, whose gradients
differ by more than curvature; DoG is told little and comes late.  The houses are 400, in raw units and whole batches,
the lowest loss so far; the net is 64-30-10 on digits in mini-batches of 64; softmax regression has batches of 128.

Made for this course, after Ravaut and Gorti (2018), Figures 1 and 3, and the papers of each rate.          Lecture 5.
"""
from contextlib import suppress
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from figures.making.adaptive_rate import parts
from figures.making.records import recorded
from figures.making.style import BLACK, BLUE, GREY, METHODS, VERMILION
from numopt.data import boston
from numopt.networks import linear, logistic, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import (
    barzilai_borwein, dog, gradient_descent, gradient_rate, momo, newton_rate, prodigy, schedule_free, sps)
from numopt.problems import EmpiricalRisk

SETS = "digits", "mnist"
SEED = 0
SEEDS = range(SEED, SEED + 10)
# What each has to be told, at its default, and how many forward passes a step costs; going backward counts as two.
TOLD = {"gradient_rate": (gradient_rate, "alpha", 1e-2, 6), "newton_rate": (newton_rate, "lr", 1e-2, 8),
        "barzilai_borwein": (barzilai_borwein, "lr", 1e-2, 3), "sps": (sps, "c", 0.5, 3), "momo": (momo, "lr", 1.0, 3),
        "dog": (dog, "share", 1e-4, 3), "prodigy": (prodigy, "share", 1e-6, 3),
        "schedule_free": (schedule_free, "lr", 1.0, 3), "gradient_descent": (gradient_descent, "lr", 1e-2, 3)}
FACTORS = 0.1, 1.0, 10.0
MARKS = [(BLUE, "<", "told a tenth"), (BLACK, "o", "what is usual"), (VERMILION, ">", "ten times that")]
# The fixed rates that are searched for the one to compare with.
GRIDS = {"houses": np.geomspace(1e-7, 1e-5, 9), "net": np.geomspace(0.01, 100, 9),
         "softmax": np.geomspace(0.01, 100, 9)}
PASSES = {"houses": 1200, "net": 2400, "softmax": 2400}
NET = {data: f"linear and softmax regression ({data}), 64-30-10, {PASSES['houses']} and {PASSES['net']} passes"
       for data in SETS}
TITLES = {"houses": "houses", "net": "net", "softmax": "softmax"}


def problem(name, data, seed):
    """The problem, where it starts, and the forward passes there are, of a mini-batch each."""
    if name == "houses":
        X, Y, *_ = boston(normalise=False)
        return EmpiricalRisk(linear(13), X, Y[:, None]), 0.1 * np.random.default_rng(seed).standard_normal(14)
    X, Y, *_ = parts("digits" if name == "net" else data, images=False)
    network = mlp([X.shape[1], 30, Y.max() + 1]) if name == "net" else logistic(X.shape[1], Y.max() + 1)
    return EmpiricalRisk(network, X, Y, 64 if name == "net" else 128, seed), network.initial(seed, dtype=np.float32)


def trained(name, data, seed, method, passes, **told):
    """(the loss on all the data, the share of the steps that it went): of whole batches the lowest so far."""
    risk, theta = problem(name, data, seed)
    whole, run, steps, lowest = risk.whole, method(risk, theta, **told), PASSES[name] // passes, np.inf
    with suppress(Diverged), np.errstate(all="ignore"):
        for _ in range(steps):
            next(run)
            if name == "houses":
                lowest = min(lowest, whole.value(run.theta))
    if name != "houses":
        lowest = whole.value(run.theta)
    return min(lowest, whole.value(theta)), run["t"] / steps


def training(name, data, method, seed):
    """Both, for every factor of what it is told; or for a fixed rate, for every rate of the grid."""
    if method == "fixed":
        found = [trained(name, data, seed, gradient_descent, 3, lr=lr) for lr in GRIDS[name].tolist()]
    else:
        function, key, default, passes = TOLD[method]
        found = [trained(name, data, seed, function, passes, **{key: factor * default}) for factor in FACTORS]
    return dict(zip(("loss", "gone"), np.array(found).T))


def runs(data):
    return {f"{name}: {method}, seed {seed}": partial(training, name, data, method, seed=seed)
            for name in PASSES for seed in SEEDS for method in ("fixed", *TOLD)}


def compute():
    """{"problem: method": (quantity, seed, what it is told)} of the loss and of the share of steps gone."""
    found = {}
    for run, arrays in recorded("rate_free").items():
        found.setdefault(run.split(", seed")[0], []).append([arrays["loss"], arrays["gone"]])
    return {name: np.array(rows).transpose(1, 0, 2) for name, rows in found.items()}


def searched(name, found):
    """The losses, seed by seed, of the fixed rate that is best on the average."""
    losses = found[f"{name}: fixed"][0]
    return losses[:, losses.mean(axis=0).argmin()]


def draw(**found):
    figure, axes = plt.subplots(1, len(PASSES), figsize=(6.5, 4.6), sharey=True)
    y = -np.arange(len(TOLD))
    for ax, (name, title) in zip(axes, TITLES.items()):
        best = searched(name, found)
        ax.axvspan(best.min(), best.max(), color="0.85", linewidth=0, zorder=0)
        ax.axvline(best.mean(), color=GREY, linewidth=1, zorder=0)
        for base, method in zip(y, TOLD):
            losses = found[f"{name}: {method}"][0]
            for column, (color, marker, _) in enumerate(MARKS):
                level = base + 0.25 * (1 - column)
                ax.plot([losses[:, column].min(), losses[:, column].max()], [level, level], color=color, linewidth=1)
                ax.plot(losses[:, column], np.full(len(losses), level), marker, color=color, markersize=3, alpha=0.7)
        ax.set(xscale="log", title=title, xlabel="loss", ylim=(y[-1] - 0.6, 0.6))
        low, high = ax.get_xlim()
        steps = (1, 3) if high / low < 100 else (1,)
        ticks = [step * 10.0**power for power in range(-12, 12) for step in steps if low < step * 10.0**power < high]
        ax.set_xticks(ticks if len(ticks) < 4 else ticks[::2], minor=False)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.hlines(y[:-1] - 0.5, *ax.get_xlim(), color="0.9", linewidth=0.6, zorder=0)
    axes[0].set_yticks(y, [f"{METHODS[method][2]}, {TOLD[method][3]}" for method in TOLD])
    axes[0].tick_params(axis="y", length=0)
    keys = [Line2D([], [], color=color, marker=marker, linestyle="none", label=told) for color, marker, told in MARKS]
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys))
    return figure
