"""LAMB moves every layer by the same share of its length, so that it does not matter in which units a net is written.

A net of 64-20-20-10 units with ReLU on 200 handwritten digits, whole batches.  It begins as drawn, and twice more as
the same function: the first layer's weights multiplied and the last layer's divided by 5, and the other way round.
Above, how far a step moves each layer, as a share of the length of its weights, where the first layer is five times as
long: with AdamW the short layer turns quickly and the long one hardly, with LAMB all at the rate.  Below, the loss from
each of the three starts.  (With LAMB the curves are not quite one: what a layer adds, the bias, is part of its length,
and at the last layer has units of its own.  At a rate of 0.05, a twentieth of its length a step, a layer turns too far
to settle: the loss leaps, and after a while the curves have nothing in common.)

Made for this course, after You et al. (2020), Algorithm 2.          Lecture 10.
"""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from figures.making.style import BLACK, BLUE, METHODS, ORANGE, VERMILION, end_labels
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adamw, lamb
from numopt.problems import MiniBatch
from numopt.record import path

LOOPS = {"adamw": adamw, "lamb": lamb}
LAYERS = [("first", BLACK, "-"), ("middle", BLUE, "--"), ("last", ORANGE, "-.")]
UNITS = [("first ÷ {:g}", BLUE, "--"), ("as drawn", BLACK, "-"), ("first × {:g}", VERMILION, "-.")]


def problem(seed, sizes=(64, 20, 20, 10), n=200):
    """The loss of a net with ReLU on some of the digits, and where its training starts."""
    X, Y, *_ = digits()
    some, network = np.random.default_rng(seed).permutation(len(X))[:n], mlp(sizes, "relu")
    return MiniBatch(network, X[some], Y[some]), network.initial(seed=seed)


def in_other_units(layers, factor):
    """The weights of the same function: all between the first weights and the last ones is so many times as large."""
    first, *middle, last = (W.copy() for W in layers)
    first *= factor
    for W in middle:
        W[:, -1] *= factor
    last[:, :-1] /= factor
    return np.concatenate([W.ravel() for W in (first, *middle, last)])


def compute(lr_adamw=3e-3, lr_lamb=0.02, factor=5.0, steps=60, seed=0):
    """Of each method the shares (unit, step, layer) and the losses (unit, step)."""
    loss, start = problem(seed)
    found = {"factor": factor}
    for name, lr in (("adamw", lr_adamw), ("lamb", lr_lamb)):
        paths = [path(LOOPS[name](loss, in_other_units(loss.blocks(start), c), lr=lr), steps)
                 for c in (1 / factor, 1.0, factor)]
        found[f"{name}: loss"] = np.array([[loss.value(theta) for theta in way] for way in paths])
        found[f"{name}: share"] = np.array([
            [[np.linalg.norm(D) / np.linalg.norm(W) for D, W in zip(loss.blocks(d), loss.blocks(theta))]
             for d, theta in zip(np.diff(way, axis=0), way)] for way in paths])
    return found


def draw(factor, **found):
    figure, axes = plt.subplots(2, len(LOOPS), figsize=(6.4, 5.2), sharex=True, sharey="row")
    for (above, below), name in zip(axes.T, LOOPS):
        shares, losses = found[f"{name}: share"][-1], found[f"{name}: loss"]
        for (_, color, line), column in zip(LAYERS, shares.T):
            above.plot(np.arange(1, len(shares) + 1), column, color=color, linestyle=line)
        for (_, color, line), row in zip(UNITS, losses):
            below.plot(row, color=color, linestyle=line)
        above.set(yscale="log", title=METHODS[name][2])
        below.set(yscale="log", xlabel="step", xlim=(0, len(shares)), ylim=(0.03, None))
        for ax in (above, below):
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set(ylabel=f"step / weights, first × {factor:g}")
    axes[1, 0].set(ylabel="loss")
    for ax, looks, key in ((axes[0, 0], LAYERS, "share"), (axes[1, 0], UNITS, "loss")):
        rows = found[f"adamw: {key}"]
        ends = rows[-1][-1] if key == "share" else rows[:, -1]
        end_labels(ax, [(label.format(factor), height, color) for (label, color, _), height in zip(looks, ends)])
    axes[0, 1].text(0.5 * len(shares), 1.1 * shares[0, 0], "all layers", ha="center", va="bottom")
    return figure
