"""On a quadratic Newton's method arrives in one step, where gradient descent takes many.

Gradient descent leaves at a right angle to the level line, which is the steepest way and not the way to the minimum.
Newton's step −H⁻¹ g turns that direction by the curvature, and has the right length as well.

Kashyap (2022), Figure 5.          Lecture 6.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS, arrow, contours, label_line, method, minimum, right_angle, trace
from numopt.optimizers import gradient_descent, newton
from numopt.problems import quadratic_with
from numopt.record import path

VALLEY = quadratic_with([8, 1], [[1, 3], [3, -1]])
START = np.array([-3.9, 2.6])


def compute(lr=0.21, steps=15):
    return {"descent": path(gradient_descent(VALLEY, START, lr=lr), steps), "newton": path(newton(VALLEY, START), 1)}


def draw(descent, newton):
    figure, ax = plt.subplots(figsize=(6, 3.8))
    contours(ax, VALLEY, np.linspace(-5.6, 2.9, 171), np.linspace(-2.1, 3.5, 113),
             levels=np.array([0.05, 0.2, 0.45, 0.8, 1.25]) * VALLEY.value(START) / 0.8)
    trace(ax, descent, **method("gradient_descent"))
    arrow(ax, *newton, METHODS["newton"][0], linewidth=3)
    minimum(ax, 0, 0)
    along_the_line = VALLEY.gradient(START) @ [[0, 1], [-1, 0]]
    right_angle(ax, START + along_the_line, START, descent[1], size=0.25)
    label_line(ax, -1.9, 1.65, "Newton: 1 step", METHODS["newton"][0], weight="bold")
    label_line(ax, -3.75, 0, f"gradient descent:\n{len(descent) - 1} steps are drawn", "black", va="top")
    ax.set(aspect="equal", xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
    return figure
