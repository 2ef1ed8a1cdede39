"""With five times more curvature along [1, 1] than along [1, −1], gradient descent bounces between the canyon walls.

A step multiplies the coordinate along an eigenvector by 1 − α λ.  At the rate α = 0.35 that is −0.75 if the curvature
is λ = 5: every step crosses the canyon and lands on the other wall.  Where λ = 1 it is 0.65, and the path never turns
back.  (At every rate from 1/5 to 2/5 it bounces; at lower ones no step crosses, and at higher ones it diverges.)  No
rate leaves less than 2/3 in both, and α = 2 / (5 + 1) leaves just that.

Kashyap (2022), Figure 10, after Goodfellow, Bengio and Courville (2016), Figure 4.6.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, arrow, contours, method, minimum, trace
from numopt.optimizers import gradient_descent
from numopt.problems import quadratic_with
from numopt.record import path

Q = np.array([[1, 1], [1, -1]]) / np.sqrt(2)  # its columns are the eigenvectors
START = Q @ [2.4, 7.0]


def compute(eigenvalues=(5.0, 1.0), lr=0.35, steps=16):
    if len(eigenvalues) != 2:
        raise ValueError(f"a plane has two eigenvalues, not {len(eigenvalues)}")
    descent = path(gradient_descent(quadratic_with(eigenvalues, Q), START, lr=lr), steps)
    return {"eigenvalues": np.array(eigenvalues), "lr": lr, "descent": descent, "along": descent @ Q}


def draw(eigenvalues, lr, descent, along):
    figure, (plane, time) = plt.subplots(1, 2, figsize=(7, 3.6))
    x = np.linspace(-3.6, 7.4, 201)
    contours(plane, quadratic_with(eigenvalues, Q), x, x - 3.2,
             levels=eigenvalues.max() / 5 * np.array([0.5, 2, 5, 10, 18, 28, 40]))
    trace(plane, descent, **method("gradient_descent"))
    minimum(plane, 0, 0)
    for q, name in zip(Q.T, ["[1, 1]", "[1, −1]"]):
        arrow(plane, [4, 2], [4, 2] + 1.6 * q, "0.4")
        plane.text(*([4.1, 2] + 1.6 * q), name, color="0.3", va="center")
    plane.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", title=f"gradient descent, rate {lr:g}")

    across, on = [f"{1 - lr * eigenvalue:.2f}".replace("-", "−") for eigenvalue in eigenvalues]
    time.axhline(0, color="0.75", linewidth=0.8)
    time.plot(along[:, 1], color=BLUE, marker="s", markersize=3.5)
    time.plot(along[:, 0], color=BLACK, marker="o", markersize=3.5)
    steep, flat = eigenvalues
    time.text(3.2, 3.6, f"along [1, −1]: λ = {flat:g}\neach step leaves {on}", color=BLUE, va="center")
    time.text(3.6, -1.75, f"along [1, 1]: λ = {steep:g}\neach step leaves {across}", color=BLACK, va="center")
    time.set(xlabel="step", xticks=range(0, len(along), -(-len(along) // 5)),
             ylim=(min(-2.7, 1.1 * along.min()), max(7.4, along.max() + 0.4)), title="coordinates of the iterates")
    return figure
