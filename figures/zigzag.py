"""Steepest descent with exact line search zig-zags when the condition number is 10.

It goes on until a level line is touched, so that it has to turn by a right angle after every step; and each step leaves
a share of (γ − 1) / (γ + 1) = 9/11 of the distance, for ever.

Kashyap (2022), Figure 11, after Boyd and Vandenberghe (2004), Section 9.3.2.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.moving import animation
from figures.making.style import contours, method, minimum, right_angle, trace
from numopt.optimizers import steepest_descent
from numopt.problems import Quadratic
from numopt.record import path


def valley(gamma):
    return Quadratic(np.diag([1.0, gamma]))


def compute(gamma=10.0, steps=20):
    return {"gamma": gamma, "descent": path(steepest_descent(valley(gamma), np.array([gamma, 1.0])), steps)}


def draw(gamma, descent):
    figure, ax = plt.subplots(figsize=(6, 3))
    f, far, high = valley(gamma), max(1, gamma), max(4.5, gamma)  # the start is (γ, 1)
    contours(ax, f, 1.1 * np.linspace(-far, far, 221), 0.4 * np.linspace(-high, high, 161),
             levels=np.unique([f.value(theta) for theta in descent[:8]]))
    trace(ax, descent, **method("steepest_descent"))
    for corner in range(1, min(5, len(descent) - 1)):
        if (descent[corner + 1] != descent[corner]).any():  # where γ = 1 a step is enough
            right_angle(ax, *descent[corner - 1:corner + 2], size=0.3)
    for k in range(min(4, len(descent))):
        ax.annotate(f"$x^{{({k})}}$", descent[k], (0, -6 if k % 2 else 6), textcoords="offset points",
                    ha="center", va="top" if k % 2 else "bottom")
    minimum(ax, 0, 0)
    ax.set(xlim=(-0.25 * far, 1.1 * far), ylim=(-0.26 * high, 0.26 * high), aspect="equal",
           xlabel="$x_1$", ylabel="$x_2$",
           title=rf"$f(x) = \frac{{1}}{{2}}(x_1^2 + {gamma:g} x_2^2)$, exact line search")
    return figure


def animate(gamma, descent):
    """Eight steps one by one, each in ten parts, and then the others at once."""
    figure, first = draw(gamma, descent), descent[:9]
    line, *corners, _ = figure.axes[0].lines  # the last is the minimum's cross
    parts = np.linspace(first[:-1], first[1:], 10, endpoint=False, axis=1).reshape(-1, 2)

    def show(frame):
        """A corner's right angle appears with the first part of the step that leaves it."""
        there = frame == len(parts)
        line.set(data=descent.T if there else parts[:frame + 1].T, markevery=1 if there else 10)
        for k, corner in enumerate(corners, start=1):
            corner.set_visible(frame > 10 * k)
        return line, *corners

    return animation(figure, show, len(parts) + 1)
