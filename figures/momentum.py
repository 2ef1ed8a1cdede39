"""In a narrow valley momentum takes tens of steps where gradient descent takes hundreds.

Each method with the rate and the mu that theory gives it for the condition number κ = 100.  Above, the first 40 steps:
gradient descent bounces from wall to wall, while a velocity adds up what its steps agree on.  (The heavy ball bounces
ever higher at first; at Nesterov's rate, 1 / κ, the steep direction is done with after one step.)  Below, how far there
is left to go.  A step of gradient descent leaves (κ − 1) / (κ + 1) = 0.98 of the distance; in the long run one of the
heavy ball leaves √mu = (√κ − 1) / (√κ + 1) = 0.82, and one of Nesterov's method 1 − 1 / √κ = 0.9.

Ravasi's lecture notes, figure "momentum"; the rates are those of Polyak (1964) and Nesterov (2004).          Lecture 3.
"""
from math import sqrt

import matplotlib.pyplot as plt
import numpy as np

from figures.making.moving import revealed
from figures.making.style import contours, label_line, mark, method, minimum, trace
from numopt.optimizers import gradient_descent, momentum, nesterov
from numopt.problems import Quadratic
from numopt.record import path


def share_left(kappa):
    """What each method leaves of the distance at every step."""
    return {"gradient_descent": (kappa - 1) / (kappa + 1),
            "momentum": (sqrt(kappa) - 1) / (sqrt(kappa) + 1),
            "nesterov": 1 - 1 / sqrt(kappa)}


def compute(kappa=100, steps=400, start=(10.0, 1.0)):
    """From the start, whose second coordinate is the steep one."""
    if len(start) != 2 or not all(start):
        raise ValueError(f"start = {start}: it must be two numbers, neither of them 0, or there is no valley to cross")
    start = np.array(start)
    valley, root = Quadratic(np.diag([1.0, kappa])), share_left(kappa)["momentum"]
    return {"kappa": kappa,
            "gradient_descent": path(gradient_descent(valley, start, lr=2 / (1 + kappa)), steps),
            "momentum": path(momentum(valley, start, lr=4 / (1 + sqrt(kappa))**2, mu=root**2), steps),
            "nesterov": path(nesterov(valley, start, lr=1 / kappa, mu=root), steps)}


def draw(kappa, **paths):
    valley, steps = Quadratic(np.diag([1.0, kappa])), len(paths["momentum"]) - 1
    start = paths["momentum"][0]
    length, height = start[0] / 10, max(abs(start[1]), 0.2273 * abs(np.array([*paths.values()])[:, :41, 1]).max())
    heights = valley.value(start) / 100 * np.array([3, 12, 30, 60, 150, 500])
    figure, (*valleys, below) = plt.subplots(4, 1, figsize=(6, 6.6), height_ratios=[1, 1, 1, 2.8])
    for ax, (name, x) in zip(valleys, paths.items()):
        line = method(name)
        contours(ax, valley, length * np.linspace(-2.2, 10.6, 201), height * np.linspace(-4.4, 4.4, 201), heights)
        trace(ax, x[:41], color=line["color"], marker=mark(name), linewidth=1, markersize=3.5)
        minimum(ax, 0, 0)
        ax.text(-2 * length, 2.6 * height, line["label"], color=line["color"], backgroundcolor="white",
                ha="left" if length > 0 else "right")
        ax.set(xticks=[], yticks=[], ylim=(-4.4 * height, 4.4 * height))
        ax.spines[:].set_visible(False)
        left = np.linalg.norm(x, axis=1) / np.linalg.norm(start)
        below.semilogy(left, **line)
    for name, x, y in [("gradient_descent", 190, 6e-2), ("momentum", 2, 5e-7), ("nesterov", 122, 5e-5)]:
        line = method(name)
        left = np.linalg.norm(paths[name], axis=1) / np.linalg.norm(start)
        if name == "nesterov" and left[-1] < y:
            x = (400 / steps) * (np.argmax(left < y) + 0.0075 * steps)
        label_line(below, x * steps / 400, y, f"{line['label']}\n{share_left(kappa)[name]:.2f} a step", line["color"])
    below.set(xlabel="step", ylabel="share of the distance left", ylim=(1e-7, 2), xlim=(0, steps))
    return figure


def animate(**paths):
    """The first 40 steps one by one, the others by tens."""
    return revealed(draw(**paths), [*range(41), *range(50, len(paths["momentum"]), 10)])
