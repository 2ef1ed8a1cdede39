"""Products with the curvature cost a few gradients on any net, and inverses and roots the cube of a layer's width.

A step of every method that can take one on a net of this size, in steps of Adam that were timed beside it, on three
nets, in batches of 128 colour images.  On the right, what a step asks of the mini-batch, on a small
net: gradients g, values f and products with a curvature matrix H v; K-FAC and its kin have one gradient more for
the second moments, and EKFAC another for those along its eigenvectors.  What costs more than it asks for is spent on
matrices of its own, and the words say on which; L-BFGS and nlTGCR have ten pairs of vectors.  Whatever is renewed now
and then is renewed once in ten steps here, and shares its time among them; inner solves have ten steps; all else is as
by default.  The widest layer of the dense net has 3,073 inputs with the bias, that of the CNN 2,049 and that of LeNet
401.

Made for this course, by python -m data_scripts timing --rows cost.          Lecture 11.
"""
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.transforms import blended_transform_factory

from figures.making.records import recorded
from figures.making.style import BLUE, GREEN, METHODS, ORANGE
from numopt import optimizers

RECORD = "second_order_cost"
NET = "steps with 128 images, single precision"
STYLES = {"2 × 90": (BLUE, "o"), "CNN": (ORANGE, "s"), "LeNet": (GREEN, "D")}
LIMITS = {  # of those that spend much on something else than what they ask for
    "kfac": "second moments, Cholesky factors",
    "kfac_martens": "second moments, Cholesky factors",
    "ekfac": "second moments, eigenvectors, products with U",
    "shampoo": "second moments, eigenvectors",
    "soap": "second moments, products with Q",
    "muon": "products of every matrix",
    "scion": "products of every matrix",
    "fishleg": "products of its factors",
    "vsgd": "gradients of single examples",
    "svrg": "all examples, now and then"}


def compute():
    cost = recorded("second_order_cost")["cost"]
    return {"steps_of_adam": np.array([[cost[f"{net} | {name}"][1] for net in STYLES] for name in cost["asked"]]),
            "asked": np.array(list(cost["asked"].values()))}


def names():
    """The methods, in the order of the rows: {module: [name]}, as they stand in the package."""
    found = {}
    for name in recorded("second_order_cost")["cost"]["asked"]:
        found.setdefault(getattr(optimizers, name).__module__.rpartition(".")[2], []).append(name)
    return found


def words(asked):
    """2 f, g, 10 Hv: how many of each, where there are any."""
    said = [(count, letters) for count, letters in zip(asked, ("f", "g", "Hv")) if count]
    return ", ".join(letters if count == 1 else f"{count:.2g} {letters}" for count, letters in said)


def excluded():
    """Who cannot take a step on such a net, and why; and whoever is newer than the record."""
    cost, reasons = recorded("second_order_cost")["cost"], {}
    for name in optimizers.__all__:
        if name not in cost["asked"]:
            reasons.setdefault(cost["cannot"].get(name, "not measured yet"), []).append(METHODS[name][2])
    return "\n".join(fill(f"Not here: {', '.join(those)} ({why}).", 125, break_on_hyphens=False)
                     for why, those in reasons.items())


def draw(steps_of_adam, asked):
    modules, row, ticks = names(), 0, {}
    order = list(recorded("second_order_cost")["cost"]["asked"])
    figure, ax = plt.subplots(figsize=(8, 11))
    for module, those in modules.items():
        ax.text(1.02, row, module.replace("_", " "), transform=ax.get_yaxis_transform(), va="center", fontsize=7,
                fontweight="bold")
        for name in those:
            row += 1
            ticks[name] = row
            said = ": ".join(filter(None, [words(asked[order.index(name)]), LIMITS.get(name)]))
            ax.text(1.02, row, said, transform=ax.get_yaxis_transform(), va="center", fontsize=7)
        row += 1
    places = [ticks[name] for name in order]
    for column, (net, (color, marker)) in enumerate(STYLES.items()):
        ax.plot(steps_of_adam[:, column], places, marker, color=color, markersize=4.5, label=net)
    ax.axvline(1, color="0.6", linewidth=1)
    ax.grid(axis="y", color="0.92")
    ax.set(xscale="log", ylim=(row - 0.5, -0.7), xlabel="a step, in steps of Adam")
    ax.set_yticks(places, [METHODS[name][2] for name in order], fontsize=7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=len(STYLES))
    left = blended_transform_factory(figure.transFigure, ax.transAxes)
    ax.text(0.01, -0.06, excluded(), transform=left, fontsize=7, va="top")
    return figure
