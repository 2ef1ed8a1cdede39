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

GAMMA = 10
VALLEY = Quadratic(np.diag([1.0, GAMMA]))
START = np.array([GAMMA, 1.0])


def compute(steps=20):
    return {"descent": path(steepest_descent(VALLEY, START), steps)}


def draw(descent):
    figure, ax = plt.subplots(figsize=(6, 3))
    contours(ax, VALLEY, np.linspace(-11, 11, 221), np.linspace(-4, 4, 161),
             levels=[VALLEY.value(theta) for theta in descent[7::-1]])
    trace(ax, descent, **method("steepest_descent", color="black"))
    for corner in range(1, 5):
        right_angle(ax, *descent[corner - 1:corner + 2], size=0.3)
    for k in range(4):
        ax.annotate(f"$x^{{({k})}}$", descent[k], (0, -6 if k % 2 else 6), textcoords="offset points",
                    ha="center", va="top" if k % 2 else "bottom")
    minimum(ax, 0, 0)
    ax.set(xlim=(-2.5, 11), ylim=(-2.6, 2.6), xlabel="$x_1$", ylabel="$x_2$", aspect="equal",
           title=rf"$f(x) = \frac{{1}}{{2}}(x_1^2 + {GAMMA} x_2^2)$, exact line search")
    return figure


def animate(descent):
    """Eight steps one by one, each in ten parts, and then the others at once."""
    figure = draw(descent)
    line, *corners = (line for line in figure.axes[0].lines if len(line.get_xdata()) > 2)
    parts = np.linspace(descent[:8], descent[1:9], 10, endpoint=False, axis=1).reshape(-1, 2)

    def show(frame):
        """A corner's right angle appears with the first part of the step that leaves it."""
        there = frame == len(parts)
        line.set(data=descent.T if there else parts[:frame + 1].T, markevery=1 if there else 10)
        for k, corner in enumerate(corners, start=1):
            corner.set_visible(frame > 10 * k)
        return line, *corners

    return animation(figure, show, len(parts) + 1)
