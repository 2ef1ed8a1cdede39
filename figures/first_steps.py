"""Without its two corrections Adam would begin with steps several times too long; and RMSProp does.

A slope that is the same everywhere, so that the right step is the rate at every t.  Adam, whose averages are divided by
what their weights add up to, takes it from the first step on.  Left uncorrected, as in AMSGrad, the average of g, which
looks back over ten steps, arrives long before that of g², which looks back over a thousand: the steps grow to 6.6 times
the rate, and are twice too long after 250.  RMSProp averages only g², over ten steps, and begins with 1/√0.1 = 3.2
times the rate.  AdaGrad's steps, which divide by a sum, fall like 1/√t.

Made for this course, after Kingma and Ba (2015), Section 3.          Lecture 4.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS
from numopt.optimizers import adagrad, adam, amsgrad, rmsprop
from numopt.problems import Function
from numopt.record import path

SHOWN = {"adam": adam, "amsgrad": amsgrad, "rmsprop": rmsprop, "adagrad": adagrad}


def compute(slope=3.0, steps=3000):
    if not slope > 0:
        raise ValueError(f"the slope must be above 0, and is {slope}")
    line = Function(lambda theta: slope * theta.sum(), lambda theta: np.full(1, slope), size=1)
    lengths = [-np.diff(path(method(line, [0.0], lr=1.0), steps)[:, 0]) for method in SHOWN.values()]
    return {"names": list(SHOWN), "lengths": np.array(lengths)}


def draw(names, lengths):
    figure, ax = plt.subplots(figsize=(6, 3.8))
    t = np.arange(1, lengths.shape[1] + 1)
    for name, length in zip(names, lengths):
        color, line, label = METHODS[name]
        label += ": Adam without corrections" if name == "amsgrad" else ""
        ax.loglog(t, length, color=color, linestyle=line, linewidth=4 if name == "adam" else 2, label=label)
    ax.set(xlabel="step t", ylabel="length of the step / rate", ylim=(0.015, 9), yticks=[0.1, 0.3, 1, 3],
           yticklabels=["0.1", "0.3", "1", "3"])
    ax.legend(loc="lower left")
    return figure
