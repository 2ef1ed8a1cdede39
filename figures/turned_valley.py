"""Rates for every coordinate make a valley round if it lies along the axes, but not if it is turned by 45°.

A quadratic with the curvatures 1 and κ, and the start at the same place of it.  Above, twenty steps of Adam and Rprop
for κ = 100: along the axes they go as if the valley were round, and turned they go to and fro across it.  Below, how
many steps it takes to stay within a hundredth of the minimum, each at the best of a grid of rates and, for Adam, of
rates that fall by a share at every step: solid along the axes, dotted turned.  Momentum, with the rate and the mu of
theory, takes about √κ, whichever way the valley lies.  (Where a point is missing, 400 steps were not enough.  One rate
for both coordinates, (κ − 1) / (κ + 1) of the distance left by each step, takes 233 for κ = 100: since they change with
time, Adam and Rprop need half of that in the turned valley, but no less for κ = 30.)

Made for this course; cf. Kashyap (2022), Section 2.5, on eigenvectors along the axes.          Lecture 4.
"""
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS, contours, mark, minimum
from numopt.optimizers import adam, momentum, rprop
from numopt.problems import quadratic_with
from numopt.record import path
from numopt.schedules import exponential

TURNED = np.array([[1, 1], [1, -1]]) / np.sqrt(2)  # its columns are the eigenvectors
LIES = {"along the axes": np.eye(2), "turned by 45°": TURNED}
START = np.array([1.0, 0.3])  # in eigenvectors
NEAR = 0.01


def trials(name, kappa):
    """The settings that a method is tried with."""
    if name == "momentum":
        root = np.sqrt(kappa)
        return [{"lr": 4 / (root + 1)**2, "mu": ((root - 1) / (root + 1))**2}]
    if name == "rprop":
        return [{"lr": lr} for lr in (0.01, 0.03, 0.1)]
    return [{"lr": exponential(lr, decay)} for lr, decay in product((0.03, 0.1, 0.3), (0.9, 0.95, 0.98, 0.99))]


def steps_needed(name, kappa, Q, limit):
    """(the fewest steps after which it stays near the minimum, its path); infinite where `limit` are not enough."""
    valley, best = quadratic_with([1, kappa], Q), (np.inf, None)
    for settings in trials(name, kappa):
        x = path({"adam": adam, "rprop": rprop, "momentum": momentum}[name](valley, Q @ START, **settings), limit)
        far = np.linalg.norm(x, axis=1) > NEAR
        needed = np.inf if far[-1] else len(far) - int(np.argmax(far[::-1]))
        if needed < best[0] or best[1] is None:
            best = (needed, x)
    return best


def compute(kappas=(1, 3, 10, 30, 100, 300), shown=100, steps=20, limit=400):
    names = ["adam", "rprop", "momentum"]
    if shown not in kappas:
        raise ValueError(f"the paths are shown for one of the condition numbers {kappas}, and not for {shown}")
    needed, paths = np.zeros((len(LIES), len(names), len(kappas))), np.zeros((len(LIES), len(names), steps + 1, 2))
    for (i, Q), (j, name), (k, kappa) in product(enumerate(LIES.values()), enumerate(names), enumerate(kappas)):
        needed[i, j, k], x = steps_needed(name, kappa, Q, limit)
        if kappa == shown:
            paths[i, j] = x[:steps + 1]
    return {"names": names, "kappas": np.array(kappas), "shown": shown, "needed": needed, "paths": paths}


def draw(names, kappas, shown, needed, paths):
    figure, panels = plt.subplot_mosaic([list(LIES), ["steps"] * 2], figsize=(6.4, 6.6), height_ratios=[1, 0.9])
    side = np.linspace(-1.35, 1.35, 161)
    for (lie, Q), drawn in zip(LIES.items(), paths):
        ax = panels[lie]
        contours(ax, quadratic_with([1, shown], Q), side, side, levels=[0.05, 0.5, 2, 6, 15, 35])
        for name, x in list(zip(names, drawn))[:2]:
            color, _, label = METHODS[name]
            ax.plot(*x.T, color=color, marker=mark(name), markersize=4, linewidth=1.4, label=label)
        minimum(ax, 0, 0)
        ax.set(title=f"{lie}, κ = {shown:g}", aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1],
               xlim=(-1.35, 1.35), ylim=(-1.35, 1.35))
    panels["along the axes"].legend(loc="lower left")
    ax = panels["steps"]
    for j, name in enumerate(names):
        color, _, label = METHODS[name]
        for i, line in enumerate(["-", ":"]):
            ax.loglog(kappas, np.where(np.isfinite(needed[i, j]), needed[i, j], np.nan), color=color, linestyle=line,
                      marker=mark(name), markersize=5, markerfacecolor=color if i == 0 else "white",
                      label=f"{label}, {list(LIES)[i]}")
    ax.set(xlabel="condition number κ", ylabel="steps to a hundredth")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
