"""With its own rate nlTGCR classifies digits as well as the others on dense nets, with the paper's far worse.

The share of 360 test images that is classified rightly after 20 epochs, the mean of three seeds ± their standard
deviation, and the mean training loss over the last five epochs.  Bold is what is better than all others of its net with
every seed; where the seeds of two overlap, nothing is.  On the left all methods have the rate 0.001 of Memon et al., on
the right each the one with which this loss is least: test images have no part in the choice.  The runs are those of the
figure of loss histories.

In the paper's Table 2, on CIFAR-10, nlTGCR is first on both dense nets, with 54.5 and 53.9 %, and last on the
convolutional one, with 65.8 %.  Here, if each has its best rate, nothing tells the methods apart on the dense nets: one
image is 0.3 %.  On the convolutional net nlTGCR is last here too.  At 0.001 it is last in everything, on the
convolutional net no better than chance.

Memon et al. (2024), Table 2, on other data, and with K-FAC.          Lecture 14.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures import loss_histories
from figures.making.records import recorded
from figures.making.style import METHODS

RECORD = "loss_histories"
NETS, NAMES, RATES = list(loss_histories.NETS), list(loss_histories.COMPARED), loss_histories.RATES
RIGHT = {"accuracy": 0.475, "loss": 0.59, "rate": 0.68, "best accuracy": 0.87, "best loss": 1.0}  # edges of columns


def compute():
    """At [i, j, c, k] what net i reached with method j and seed k: c = 0 at the paper's rate, c = 1 at the best."""
    record = recorded(RECORD)
    best = loss_histories.compute()["best"]
    rates = np.stack([np.full_like(best, RATES.index(loss_histories.OF_THE_PAPER)), best], axis=-1)
    found = {key: np.array([[[record[f"{net}, {name}, {RATES[k]:g}"][key] for k in rates[i, j]]
                             for j, name in enumerate(NAMES)] for i, net in enumerate(NETS)])
             for key in ("accuracy", "loss")}
    return {"accuracy": 100 * found["accuracy"], "loss": found["loss"][..., -5:].mean(axis=-1),
            "rate": np.array(RATES)[rates]}


def draw(accuracy, loss, rate):
    figure, ax = plt.subplots(figsize=(6.5, 4.4))
    ax.set(xlim=(-0.01, 1.01), ylim=(len(NETS) * (len(NAMES) + 0.5) + 0.1, -1.7))
    ax.set_axis_off()
    for column, title in [("accuracy", "accuracy (%)"), ("loss", "loss"), ("rate", "rate"),
                          ("best accuracy", "accuracy (%)"), ("best loss", "loss")]:
        ax.text(RIGHT[column], -0.5, title, ha="right", va="center")
    for left, right, title in [(0.285, RIGHT["loss"], f"rate {loss_histories.OF_THE_PAPER:g}, as in the paper"),
                               (0.62, RIGHT["best loss"], "each with its best rate")]:
        ax.text((left + right) / 2, -1.35, title, ha="center", va="center")
        ax.plot([left, right], [-0.95, -0.95], color="black", linewidth=0.6)
    ax.plot([0, 1], [-0.05, -0.05], color="black", linewidth=1)
    for i, net in enumerate(NETS):
        top = i * (len(NAMES) + 0.5)
        ax.text(0, top + 0.5, net, va="center")
        for j, name in enumerate(NAMES):
            color, _, label = METHODS[name]
            ax.text(0.125, top + j + 0.5, label.removesuffix(", Fisher"), color=color, va="center")
            ax.text(RIGHT["rate"], top + j + 0.5, f"{rate[i, j, 1]:g}", ha="right", va="center")
        for c, columns in enumerate([("accuracy", "loss"), ("best accuracy", "best loss")]):
            mean, sd = accuracy[i, :, c].mean(axis=-1), accuracy[i, :, c].std(axis=-1, ddof=1)
            write(ax, RIGHT[columns[0]], top, [f"{a:.1f} ± {b:.1f}" for a, b in zip(mean, sd)],
                  winner(accuracy[i, :, c]))
            write(ax, RIGHT[columns[1]], top, [digits(a) for a in loss[i, :, c].mean(axis=-1)],
                  winner(-loss[i, :, c]))
        bottom = top + len(NAMES) + 0.2
        ax.plot([0, 1], [bottom, bottom], color="0.7" if i < len(NETS) - 1 else "black", linewidth=0.6)
    return figure


def winner(reached):
    """The row (of a method, over seeds) that is above all others with every seed; None where there is no such row."""
    best = reached.mean(axis=-1).argmax()
    return best if reached[best].min() > np.delete(reached, best, axis=0).max() else None


def write(ax, x, top, column, best):
    """A column of one net, the best of it in bold, if there is one."""
    for j, text in enumerate(column):
        ax.text(x, top + j + 0.5, text, ha="right", va="center", weight="bold" if j == best else "normal")


def digits(number):
    """Two of them, without an exponent."""
    return np.format_float_positional(number, precision=2, unique=False, fractional=False, trim="-")
