"""What a method leaves of an eigenvalue is a polynomial in it; some put its zeros where they help, others by a plan.

One quadratic with eleven eigenvalues, eight in a heap and three far above, as in networks; along each eigenvector the
error begins as 1.  Down the rows, step by step, what is left of it.  Descent multiplies each by the same number at
every step, and the smallest stay.  The heavy ball serves a whole band alike, and Nesterov's method ends the largest in
one step.  Conjugate gradients and residuals need no rate: each step puts one more zero where most is left, first on the
three that stand alone, and as many steps as there are eigenvalues leave nothing.  The first have the least energy
½ eᵀHe of all polynomials of their degree, GCR has the shortest residual ‖He‖: no line of the last panel is below its.
CG keep no old directions, and so rounding brings the largest eigenvalue back (step 10), which costs a step more.
L-BFGS, whose steps are not exact, follows far behind.  Anderson's method takes a plain step from where GCR was: it is
one step late.

Made for this course, after Saad (2003), Chapter 6, and Walker and Ni (2011), Theorem 2.2.          Lecture 12.
"""
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import mark, method
from numopt.linalg import conjugate_gradient_iterates
from numopt.optimizers import anderson, gcr, gradient_descent, lbfgs, momentum, nesterov
from numopt.problems import Quadratic
from numopt.record import path

NAMES = {"gradient_descent": "descent", "momentum": "heavy ball", "nesterov": "Nesterov", "lbfgs": "L-BFGS",
         "conjugate_gradient": "CG", "gcr": "GCR", "anderson": "Anderson"}


def methods(valley, start, low, high, steps):
    """The methods, each with the numbers that theory gives it for curvatures from low to high."""
    root = (np.sqrt(high / low) - 1) / (np.sqrt(high / low) + 1)
    middle = float(2 / (low + high))
    return {"gradient_descent": gradient_descent(valley, start, lr=middle),
            "momentum": momentum(valley, start, lr=float(2 / (np.sqrt(low) + np.sqrt(high)))**2, mu=float(root)**2),
            "nesterov": nesterov(valley, start, lr=float(1 / high), mu=float(root)),
            "lbfgs": lbfgs(valley, start),
            "gcr": gcr(valley, start),
            "anderson": anderson(valley, start, lr=middle, window=steps)}


def compute(eigenvalues=(1.0, 1.3, 1.6, 2.0, 2.4, 2.8, 3.3, 4.0, 20.0, 45.0, 100.0), steps=20):
    lam = np.array(eigenvalues, float)
    valley, start = Quadratic(np.diag(lam)), np.ones(len(lam))
    left = {name: path(run, steps) for name, run in methods(valley, start, lam.min(), lam.max(), steps).items()}
    iterates = islice(conjugate_gradient_iterates(valley.A, valley.A @ -start), steps)
    left["conjugate_gradient"] = np.array([start, *(start + x for x, *_ in iterates)])
    # A method that has come to its end stays where it is.
    ended = {name: np.concatenate([x, np.tile(x[-1], (steps + 1 - len(x), 1))]) for name, x in left.items()}
    return {"eigenvalues": lam} | {name: ended[name] for name in NAMES}


def draw(eigenvalues, **left):
    figure = plt.figure(figsize=(6.6, 8.2))
    maps, below = figure.subfigures(2, 1, height_ratios=[5.2, 3])
    axes = maps.subplots(2, 4)
    gaps = np.flatnonzero(eigenvalues[1:] > 2.5 * eigenvalues[:-1]) + 1
    marks = sorted({0, *gaps.tolist(), len(eigenvalues) - 1})
    for ax, (name, label) in zip(axes.flat, NAMES.items()):
        size = np.log10(np.maximum(np.abs(left[name]), 1e-300))
        shades = ax.pcolormesh(size, vmin=-6, vmax=0, cmap="cividis")
        ax.set(title=label, xticks=[k + 0.5 for k in marks], xticklabels=[f"{eigenvalues[k]:g}" for k in marks],
               ylim=(len(size), 0), yticks=np.arange(0, len(size), 5) + 0.5)
        ax.set_xticklabels(ax.get_xticklabels(), fontsize=8)
        ax.set_yticklabels(range(0, len(size), 5) if ax in axes[:, 0] else [])
        ax.tick_params(length=2)
    for ax in axes[:, 0]:
        ax.set_ylabel("step")
    for ax in axes[1, :3]:
        ax.set_xlabel("eigenvalue")
    axes[1, 3].set_axis_off()
    bar = maps.colorbar(shades, cax=axes[1, 3].inset_axes([0.3, 0, 0.15, 0.6]), ticks=range(-6, 1, 2))
    bar.ax.set_yticklabels([f"$10^{{{k}}}$" if k else "1" for k in range(-6, 1, 2)])
    axes[1, 3].text(0.5, 1, "what is left\nof the error\nalong an\neigenvector", ha="center", va="top", fontsize=9,
                    transform=axes[1, 3].transAxes)
    ax = below.subplots()
    for name, x in left.items():
        length = np.linalg.norm(eigenvalues * x, axis=1) / np.linalg.norm(eigenvalues * x[0])
        known = name if name != "conjugate_gradient" else "nonlinear_cg"
        ax.semilogy(length, **method(known, label=NAMES[name]), marker=mark(known), markersize=3.5)
    ax.legend(loc="lower left", fontsize=9)
    ax.set(ylabel="length of the residual", xlabel="step", ylim=(1e-6, 10), xlim=(0, len(x) - 1),
           xticks=range(0, len(x), 5))
    return figure
