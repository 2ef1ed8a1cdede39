"""At a fixed rate noisy gradient descent keeps bouncing around the minimum; at a falling rate it settles.

The gradient has noise of standard deviation σ = 1 in every coordinate, as if it came from a mini-batch; it is the same
noise at both rates.  Above, 200 steps, of which the last 50 are the large dots.  Below, the squared distance from the
minimum, in the mean over 500 runs.  At a fixed rate α it stays at Σ α² σ² / (1 − (1 − α λ)²), summed over the
curvatures λ = 1 and 4 (dashed); at the rate 4 / (20 + t) it falls like the rate.

Ravasi's lecture notes, figure "cooling".          Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, contours, end_labels, minimum, trace
from numopt.optimizers import gradient_descent
from numopt.problems import Noisy, Quadratic
from numopt.record import path
from numopt.schedules import inverse_time

CURVATURES = np.array([1.0, 4.0])
START = np.array([-3.0, 1.5])
A, B = 4, 20  # the falling rate is A / (B + t)


def compute(rate=0.19, sigma=1.0, steps=300, runs=500):
    # All runs at once: the valley so many times over, in one long vector, where every coordinate has its own noise.
    valleys = Noisy(Quadratic(np.diag(np.tile(CURVATURES, runs))), sigma)
    fixed = gradient_descent(valleys, np.tile(START, runs), lr=rate)
    falling = gradient_descent(valleys, np.tile(START, runs), lr=inverse_time(A, B))
    level = np.sum(rate**2 * sigma**2 / (1 - (1 - rate * CURVATURES)**2))
    return {"rate": rate, "level": level,
            "fixed": path(fixed, steps).reshape(-1, runs, 2), "falling": path(falling, steps).reshape(-1, runs, 2)}


def draw(rate, level, fixed, falling):
    figure, panels = plt.subplot_mosaic([["fixed", "falling"], ["distance", "distance"]], figsize=(6, 5.4))
    below, steps, ends = panels["distance"], len(fixed) - 1, []
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
        ends.append((f"{name} rate", distance[-1], color))
    panels["fixed"].set_title(f"fixed rate $\\alpha = {rate:g}$")
    panels["falling"].set_title(f"falling rate $\\alpha_t = {A}\\,/\\,({B} + t)$")
    below.axhline(level, color="0.75", linewidth=1.5, linestyle="--", zorder=3)
    below.set(xlabel="step $t$", ylabel="mean squared distance", ylim=(0.004, 15), xlim=(0, steps),
              xticks=range(0, steps + 1, max(1, steps // 6)))
    end_labels(below, ends)
    return figure
