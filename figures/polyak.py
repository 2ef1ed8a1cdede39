"""The iterates of noisy gradient descent bounce around the minimum; their mean lies much closer to it.

As in the figure "cooling" the gradient has noise of standard deviation σ = 1; the rate is fixed.  Above, one run, and
in blue the mean of its iterates so far, up to the large dot.  Below, the squared distance from the minimum, in the mean
over 500 runs.  That of the mean of all n iterates falls like Σ σ² / (λ² n), summed over the curvatures λ = 1 and 4
(dashed), whatever the rate, once the start is forgotten.  The mean of the last 30 stops coming closer, but forgets
where the run came from.

Ravasi's lecture notes, figure "Polyak", for the last N; Polyak and Juditsky (1992) for all.          Lecture 13.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE, contours, end_labels, method, minimum, trace
from numopt.optimizers import gradient_descent, polyak
from numopt.problems import Noisy, Quadratic
from numopt.record import path


def compute(rate=0.2, sigma=1.0, last=30, steps=300, runs=500, curvatures=(1.0, 4.0), start=(-1.0, 0.5)):
    curvatures = np.array(curvatures)
    # All runs at once: the valley so many times over, in one long vector, where every coordinate has its own noise.
    valleys, start = Noisy(Quadratic(np.diag(np.tile(curvatures, runs))), sigma), np.tile(start, runs)
    descent = partial(gradient_descent, lr=rate)
    return {"curvatures": curvatures, "last": last, "limit": np.sum(sigma**2 / curvatures**2),
            "iterates": path(descent(valleys, start), steps).reshape(-1, runs, 2),
            "window": path(polyak(valleys, start, inner=descent, window=last), steps).reshape(-1, runs, 2),
            "all": path(polyak(valleys, start, inner=descent), steps).reshape(-1, runs, 2)}


def draw(curvatures, last, limit, iterates, window, all):
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 6.4))
    valley, start = Quadratic(np.diag(curvatures)), iterates[0, 0]
    wide, high = np.maximum([1.5, 0.7], 1.1 * np.abs(iterates[:, 0]).max(axis=0))
    contours(above, valley, np.linspace(-wide, wide, 101), np.linspace(-high, high, 101),
             levels=np.array([0.05, 0.2, 0.5, 1, 2]) * valley.value(start))
    trace(above, iterates[:, 0], color="0.55", linewidth=0.6, markersize=3)
    trace(above, all[:, 0], color=BLUE, linewidth=3, markersize=0)
    above.plot(*all[-1, 0], "o", color=BLUE, markersize=9, markeredgecolor="white", zorder=2.5)
    minimum(above, 0, 0)
    above.text(-1.45 * (wide / 1.5), -0.62 * (high / 0.7), "the iterates", color="0.4")
    above.text(-0.95 * (wide / 1.5), 0.55 * (high / 0.7), "their mean so far", color=BLUE)
    above.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$", xticks=[-abs(start[0]), 0, abs(start[0])],
              yticks=[-abs(start[1]), 0, abs(start[1])])
    n, ends, (least, most) = np.arange(1, len(all)), [], (0.002, 1.2)
    tens = [10**k for k in range(9) if 10**k <= n[-1]]
    for x, label, line in [(iterates, "the iterates", method("gradient_descent")),
                           (window, f"mean of the last {last}", method("polyak")),
                           (all, "mean of all", method("polyak", linestyle="-"))]:
        distance = np.sum(x**2, axis=-1).mean(axis=1)[1:]
        least, most = min(least, distance.min() / 1.5), max(most, distance.max())
        below.loglog(n, distance, **line)
        ends.append((label, distance[-1], line["color"]))
    below.loglog(n[9:], limit / n[9:], color="0.5", linewidth=1.2, linestyle="--")
    below.set(xlabel="step $n$", ylabel="mean squared distance", xlim=(1, n[-1]), ylim=(least, most),
              xticks=tens, xticklabels=tens)
    end_labels(below, ends)
    return figure
