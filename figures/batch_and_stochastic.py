"""Batch gradient descent goes downhill at every step; stochastic gradient descent does so only on average.

A straight line is fitted to real data: it predicts a pixel of a handwritten digit from the pixel above it, both from
−1 to 1.  Mini-batches of two images lead almost anywhere, and now and then uphill.  But the mean of their gradients
is that of the whole batch, and the mean of 200 stochastic paths (rings) keeps to the batch path.  The mean of their
losses comes to rest above the least: the noise stays.

Kashyap (2022), Figure 4, after Grosse.          Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE, VERMILION, contours, method, trace
from numopt.data import digits
from numopt.networks import linear
from numopt.optimizers import gradient_descent
from numopt.problems import EmpiricalRisk
from numopt.record import path

LINE = linear(1)
START = np.array([-1.5, 1.5])


def pixels():
    """A pixel of every image, and the one below it."""
    images = digits(normalise=False).X_train.reshape(-1, 8, 8) / 8 - 1
    return images[:, 2, 4, None], images[:, 3, 4]


def compute(lr=0.3, batch_size=2, steps=20, seeds=200):
    x, y = pixels()
    whole = EmpiricalRisk(LINE, x, y)
    noisy = [EmpiricalRisk(LINE, x, y, batch_size, seed) for seed in range(seeds)]
    batch = path(gradient_descent(whole, START, lr=lr), steps)
    stochastic = np.array([path(gradient_descent(risk, START, lr=lr), steps) for risk in noisy])
    loss = whole.whole.value
    return {"batch": batch, "f_batch": np.apply_along_axis(loss, 1, batch),
            "stochastic": stochastic, "f_stochastic": np.apply_along_axis(loss, 2, stochastic)}


def draw(batch, f_batch, stochastic, f_stochastic):
    figure, (plane, time) = plt.subplots(1, 2, figsize=(7, 3.8))
    w, b = np.linspace(-2, 2, 61), np.linspace(-1.6, 2.2, 61)
    contours(plane, EmpiricalRisk(LINE, *pixels()).whole, w, b, levels=[0.2, 0.35, 0.6, 1, 1.5, 2.2])
    noisy = {"color": VERMILION, "linewidth": 1, "markersize": 3}
    trace(plane, stochastic[0], **noisy)
    trace(plane, batch, **method("gradient_descent", label="batch"))
    ring = {"linestyle": "none", "marker": "o", "markersize": 6, "markerfacecolor": "none", "color": BLUE}
    trace(plane, stochastic.mean(axis=0), **ring)
    plane.set(aspect="equal", xlabel="slope $w$", ylabel="intercept $b$", title=r"fitting $y \approx w x + b$")

    time.plot(f_stochastic[0], marker="o", **noisy, label="stochastic")
    time.plot(f_batch, marker="o", markersize=3.5, **method("gradient_descent", label="batch"))
    time.plot(f_stochastic.mean(axis=0), **ring, label=f"mean of {len(stochastic)} stochastic")
    time.set(xlabel="step", title="loss on all the data", yscale="log")
    time.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    time.set_yticks([], minor=True)
    time.legend()
    return figure
