"""On a quadratic Newton's method arrives in one step, where gradient descent takes many.

Gradient descent leaves at a right angle to the level line, which is the steepest way and not the way to the minimum.
Newton's step −H⁻¹ g turns that direction by the curvature, and has the right length as well.

Kashyap (2022), Figure 5.          Lecture 6.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS, arrow, contours, label_line, method, minimum, right_angle, trace
from numopt.optimizers import gradient_descent, newton
from numopt.problems import Quadratic, quadratic_with
from numopt.record import path


def compute(lr=0.21, steps=15, eigenvalues=(8.0, 1.0), start=(-3.9, 2.6)):
    valley = quadratic_with(eigenvalues, [[1, 3], [3, -1]])
    return {"A": valley.A, "descent": path(gradient_descent(valley, start, lr=lr), steps),
            "newton": path(newton(valley, start), 1)}


def draw(A, descent, newton):
    valley, start = Quadratic(A), descent[0]
    figure, ax = plt.subplots(figsize=(6, 3.8))
    left, low = np.minimum([-5.6, -2.1], descent.min(axis=0) - 0.8)
    right, high = np.maximum([2.9, 3.5], descent.max(axis=0) + 0.8)
    contours(ax, valley, np.linspace(left, right, 171), np.linspace(low, high, 113),
             levels=np.array([0.05, 0.2, 0.45, 0.8, 1.25]) * valley.value(start) / 0.8)
    trace(ax, descent, **method("gradient_descent"))
    arrow(ax, *newton, METHODS["newton"][0], linewidth=3)
    minimum(ax, 0, 0)
    along_the_line = valley.gradient(start) @ [[0, 1], [-1, 0]]
    right_angle(ax, start + along_the_line, start, descent[1], size=0.25)
    label_line(ax, *start * [19 / 39, 33 / 52], "Newton: 1 step", METHODS["newton"][0], weight="bold")
    label_line(ax, 25 / 26 * start[0], 0, f"gradient descent:\n{len(descent) - 1} steps are drawn", "black", va="top")
    ax.set(aspect="equal", xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
    return figure
