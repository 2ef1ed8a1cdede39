"""The gradient promises what a step gains, but only without curvature does the step gain what was promised.

Three quadratics with the same value and the same slope g at the start, and one step of gradient descent with the same
rate α.  By the tangent (dashed) f falls by α g².  In truth it falls by α g² − ½ α² g² c, where c is the curvature: by
more if c is negative, by less if it is positive.  There f is least after a step of α = 1/c; then it rises, and beyond
α = 2/c it is higher than at the start.

Kashyap (2022), Figure 6, after Goodfellow, Bengio and Courville (2016), Figure 4.4.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, VERMILION, arrow
from numopt.optimizers import gradient_descent
from numopt.problems import Quadratic
from numopt.record import path

START = np.zeros(1)
THETA = np.arange(-18, 109) / 50


def compute(curvatures=(-1.2, 0.0, 1.2), slope=-1.0, lr=1.0):
    objectives = [Quadratic([[c]], b=[-slope]) for c in curvatures]
    ends = [path(gradient_descent(f, START, lr=lr), 1)[1] for f in objectives]
    return {"curvatures": np.array(curvatures),
            "curves": np.array([[f.value(np.array([theta])) for theta in THETA] for f in objectives]),
            "tangents": np.array([f.value(START) + f.gradient(START) * THETA for f in objectives]),
            "ends": np.array(ends)[:, 0],
            "promised": np.array([lr * f.gradient(START)[0]**2 for f in objectives]),
            "gained": np.array([f.value(START) - f.value(end) for f, end in zip(objectives, ends)])}


def draw(curvatures, curves, tangents, ends, promised, gained):
    figure, axes = plt.subplots(1, len(curvatures), figsize=(7, 3.6), sharex=True, sharey=True, squeeze=False)
    axes, lowest = axes[0], min(-2.3, -0.2 - max(promised.max(), gained.max()))
    for ax, c, curve, tangent, end, promise, gain in zip(axes, curvatures, curves, tangents, ends, promised, gained):
        ax.axhline(0, color="0.75", linewidth=0.8)
        ax.plot(THETA, curve, color=BLACK, linewidth=2.2)
        ax.plot(THETA, tangent, color=BLUE, linestyle="--", linewidth=1.4)
        for side, drop, word, color, ha in [(-0.1, promise, "promised", BLUE, "right"),
                                            (0.1, gain, "gained", VERMILION, "left")]:
            arrow(ax, (end + side, 0), (end + side, -drop), color)
            ax.text(end + 0.5 * side, 0.06, f"{word}\n{drop:.1f}", color=color, ha=ha, fontsize=10)
        ax.plot([0, end], [0, -gain], "o", color=BLACK, markersize=6.5, zorder=4)
        ax.set(xlabel="$\\theta$", ylim=(lowest, 0.72), yticks=[0, -1, -2],
               title=f"curvature {c:g}".replace("-", "−"))
    axes[0].set_ylabel("$f$")
    marks = [(1, "$1/c$", (-10, 5)), (2, "$2/c$", (14, -14))] if curvatures[-1] > 0 else []
    for reach, word, offset in marks:
        theta = reach / curvatures[-1]
        axes[-1].plot(theta, np.interp(theta, THETA, curves[-1]), "o", color=BLACK, markerfacecolor="white", zorder=4)
        axes[-1].annotate(word, (theta, np.interp(theta, THETA, curves[-1])), offset, textcoords="offset points",
                          ha="center")
    return figure
