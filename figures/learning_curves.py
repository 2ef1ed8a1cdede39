"""On handwritten digits a rate that is ten times off costs more than the choice of the method.

A net of 64-32-10 units, mini-batches of 128, single precision.  Above, the search: for every method nine rates, and the
loss on 287 examples that were held back, after 10 epochs, in the mean over 2 seeds.  Below, each method at its best
rate (the large mark), trained on all 1,437 examples: the mean and the range over 5 seeds.  A seed gives all methods
the same first weights and the same batches.  Only the rate is searched for: mu is 0.9, and the other hyperparameters
are those that the methods have by themselves.  The training losses end several times apart, the test accuracies within
about one point.

Made for this course, on the digits of Alpaydin and Kaynak (1998); cf. Kingma and Ba (2015), Figure 2.  Lectures 3, 4.
"""
from math import inf

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import band, end_labels, mark, method
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adagrad, adam, gradient_descent, momentum, nesterov, rmsprop
from numopt.problems import EmpiricalRisk
from numopt.record import record

OPTIMIZERS = gradient_descent, momentum, nesterov, adagrad, rmsprop, adam
NAMES = [optimizer.__name__ for optimizer in OPTIMIZERS]
RATES = 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0
HELD_BACK = 287
NETWORK = mlp([64, 32, 10])


def train(optimizer, rate, seed, X, Y, epochs, measure):
    """What is seen of the net at its start and after every epoch."""
    risk = EmpiricalRisk(NETWORK, X, Y, batch_size=128, seed=seed)
    run = optimizer(risk, NETWORK.initial(seed, dtype=np.float32), lr=rate)
    return record(run, epochs * risk.steps_per_epoch, every=risk.steps_per_epoch, measure=measure)


def compute(seeds=range(5), epochs=20, search_seeds=(100, 101), search_epochs=10):
    X, Y, X_test, Y_test, *_ = digits(dtype=np.float32)
    X_held, Y_held = X[-HELD_BACK:], Y[-HELD_BACK:]
    held_back = {"loss": EmpiricalRisk(NETWORK, X_held, Y_held).whole.value}

    def loss_held_back(optimizer, rate, seed):
        seen = train(optimizer, rate, seed, X[:-HELD_BACK], Y[:-HELD_BACK], search_epochs, held_back)
        return inf if seen.reason == "diverged" else seen["loss"][-1]

    search = np.array([[np.mean([loss_held_back(optimizer, rate, seed) for seed in search_seeds]) for rate in RATES]
                       for optimizer in OPTIMIZERS])
    best = np.array(RATES)[search.argmin(axis=1)]
    seen_of = {"loss": EmpiricalRisk(NETWORK, X, Y).whole.value,
               "accuracy": EmpiricalRisk(NETWORK, X_test, Y_test).whole.accuracy}
    seen = [[train(optimizer, rate, seed, X, Y, epochs, seen_of) for seed in seeds]
            for optimizer, rate in zip(OPTIMIZERS, best.tolist())]
    loss, accuracy = (np.array([[run[name] for run in runs] for runs in seen]) for name in seen_of)
    return {"search": search, "best": best, "loss": loss, "accuracy": accuracy}


def draw(search, best, loss, accuracy):
    figure, panels = plt.subplot_mosaic([3 * ["search"], ["loss", "accuracy", "ends"]], figsize=(6.5, 6.4),
                                        width_ratios=[1, 0.85, 0.6])
    above, left, right, beside = panels.values()
    epoch, ends = np.arange(loss.shape[-1]), []
    for i, name in enumerate(NAMES):
        line, color, marker, percent = method(name), method(name)["color"], mark(name), 100 * accuracy[i]
        above.loglog(RATES, search[i], **line, marker=marker, markersize=4)
        above.plot(best[i], search[i].min(), marker, color=color, markersize=9)
        ends.append((line["label"], search[i, -1], color))
        band(left, epoch, loss[i], color, marker=marker, markersize=5, markevery=[-1])
        right.plot(epoch, percent.mean(axis=0), **line)
        beside.plot([i, i], [percent[:, -1].min(), percent[:, -1].max()], color=color)
        beside.plot(i, percent[:, -1].mean(), marker, color=color, markersize=6)
    above.set(xlabel="rate", ylabel="held-back loss", xlim=(8e-4, 10), xticks=10.0**np.arange(-3, 2),
              title="the search")
    above.minorticks_off()
    end_labels(above, ends)
    ticks = range(0, len(epoch), max(1, len(epoch) // 4))
    left.set(xlabel="epoch", ylabel="training loss", yscale="log", xticks=ticks, title="at the best rates")
    right.set(xlabel="epoch", ylabel="test accuracy, %", xticks=ticks, ylim=(94, 99.5), title="at the best rates")
    beside.set(ylim=right.get_ylim(), xticks=[], yticks=[], xlim=(-1, len(NAMES)), xlabel="range",
               title="at the end")
    beside.spines["left"].set_visible(False)
    return figure
