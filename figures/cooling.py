"""At a fixed rate noisy gradient descent keeps bouncing around the minimum; at a falling rate it settles.

The gradient has noise of standard deviation σ = 1 in every coordinate, as if it came from a mini-batch; it is the same
noise at both rates.  Above, 200 steps, of which the last 50 are the large dots.  Below, the squared distance from the
minimum, in the mean over 500 runs.  At a fixed rate α it stays at Σ α² σ² / (1 − (1 − α λ)²), summed over the
curvatures λ = 1 and 4 (dashed); at the rate 4 / (20 + t) it falls like the rate.

Ravasi's lecture notes, figure "cooling".          Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, contours, label_line, minimum, trace
from numopt.optimizers import gradient_descent
from numopt.problems import Noisy, Quadratic
from numopt.record import path
from numopt.schedules import inverse_time

CURVATURES = np.array([1.0, 4.0])
START = np.array([-3.0, 1.5])
SIGMA = 1.0
FIXED, FALLING = 0.19, inverse_time(4, 20)
LEVEL = np.sum(FIXED**2 * SIGMA**2 / (1 - (1 - FIXED * CURVATURES)**2))


def compute(steps=300, runs=500):
    # All runs at once: the valley so many times over, in one long vector, where every coordinate has its own noise.
    valleys = Noisy(Quadratic(np.diag(np.tile(CURVATURES, runs))), SIGMA)
    fixed = gradient_descent(valleys, np.tile(START, runs), lr=FIXED)
    falling = gradient_descent(valleys, np.tile(START, runs), lr=FALLING)
    return {"fixed": path(fixed, steps).reshape(-1, runs, 2), "falling": path(falling, steps).reshape(-1, runs, 2)}


def draw(fixed, falling):
    figure, panels = plt.subplot_mosaic([["fixed", "falling"], ["distance", "distance"]], figsize=(6, 5.4))
    below = panels["distance"]
    for name, x, color in [("fixed", fixed, BLACK), ("falling", falling, BLUE)]:
        ax = panels[name]
        contours(ax, Quadratic(np.diag(CURVATURES)), np.linspace(-3.4, 1.6, 101), np.linspace(-1.6, 1.8, 101),
                 levels=[0.25, 1, 2.5, 5, 9])
        trace(ax, x[:201, 0], color=color, linewidth=0.6, markersize=0, alpha=0.6)
        trace(ax, x[151:201, 0], color=color, linewidth=0, markersize=3)
        minimum(ax, 0, 0)
        ax.set(aspect="equal", xticks=[-3, -2, -1, 0, 1], yticks=[-1, 0, 1], xlabel="$x_1$", ylabel="$x_2$")
        distance = np.sum(x**2, axis=-1).mean(axis=1)
        below.semilogy(distance, color=color)
        label_line(below, len(x), distance[-1], f"{name} rate", color)
    panels["fixed"].set_title(f"fixed rate $\\alpha = {FIXED}$")
    panels["falling"].set_title("falling rate $\\alpha_t = 4\\,/\\,(20 + t)$")
    below.axhline(LEVEL, color="0.75", linewidth=1.5, linestyle="--", xmax=300 / 375, zorder=3)
    below.set(xlabel="step $t$", ylabel="mean squared distance", ylim=(0.004, 15), xlim=(0, 375),
              xticks=range(0, 301, 50))
    return figure
