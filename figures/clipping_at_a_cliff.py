"""A cliff throws gradient descent far away; with its gradient clipped it steps down and stays.

The face of the cliff has a slope of 12.5, the land above and below one of 3.2 at most.  Gradient descent comes down
from above, happens to set foot on the face, and its next step is as long as the face is steep.  Clipped by norm the
step keeps its direction, clipped by element each of its coordinates is cut; either way it climbs down to the foot,
where the minimum is.  (From about half of the starts on the land above gradient descent steps over the face and is not
thrown; clipped, it is thrown from none.)  Right, one derivative clipped to [−1, 1], and min(g, 1) as Ravasi's lecture
prints it, which leaves −100 as it is.

Ravasi's lecture notes, "Cliffs"; Goodfellow, Bengio and Courville (2016), Figure 10.17.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE, VERMILION, method
from numopt.optimizers import gradient_descent
from numopt.problems import Cliff, Clipped, Quadratic, grid
from numopt.record import path

CLIFF = Cliff(height=4, width=0.08)
START = np.array([0.7, 1.8])


def compute(lr=0.2, most=1.0, steps=40):
    def descent(problem):
        return path(gradient_descent(problem, START, lr=lr), steps)

    g = np.linspace(-3, 3, 61)
    bowl = Clipped(Quadratic([[1.0]]), element=most)  # the gradient of ½ g² is g
    return {"plain": descent(CLIFF), "by_norm": descent(Clipped(CLIFF, norm=most)),
            "by_element": descent(Clipped(CLIFF, element=most)),
            "g": g, "clipped": np.array([bowl.gradient(np.array([x]))[0] for x in g]),
            "printed": np.minimum(g, most), "most": most}


def draw(plain, by_norm, by_element, g, clipped, printed, most):
    figure = plt.figure(figsize=(7, 3.8))
    left, right = figure.add_gridspec(1, 2, width_ratios=[2.2, 1])
    surface = figure.add_subplot(left, projection="3d", computed_zorder=False)
    x, y = np.linspace(-2.5, 1.2, 75), np.linspace(-0.6, 2, 27)
    surface.plot_surface(*np.meshgrid(x, y), grid(CLIFF, x, y), cmap="Greys", vmin=-2, vmax=25, edgecolor="0.75",
                         linewidth=0.4, rcount=27, ccount=75, clip_on=False, zorder=1)
    for descent, style in [(plain, method("gradient_descent", marker="o", linewidth=2.2)),
                           (by_norm, {"color": BLUE, "marker": "s"}),
                           (by_element, {"color": VERMILION, "marker": "^"})]:
        heights = np.apply_along_axis(CLIFF.value, 1, descent)
        surface.plot(*descent.T, heights, **style, markersize=4, zorder=3)
    for text, place, color in [("not clipped", (-2.1, 0.85, 3.3), "black"), ("by norm", (0.6, 1, 4.8), BLUE),
                               ("clipped by element", (0.4, 1.7, 5.5), VERMILION)]:
        surface.text(*place, text, color=color, ha="right" if color == VERMILION else "left", zorder=5)
    surface.view_init(elev=35, azim=-110)
    surface.set_box_aspect((3.7, 2.6, 2), zoom=1.4)
    surface.set_axis_off()

    rule = figure.add_subplot(right)
    rule.plot(g, printed, color="0.5", linestyle="--")
    rule.plot(g, clipped, color=VERMILION)
    rule.text(-3, -0.85, "clipped", color=VERMILION, va="bottom")
    rule.text(-1.4, -2.4, f"min($g$, {most:g})", color="0.4")
    rule.set(aspect="equal", xlabel="derivative $g$", title="what is left of $g$",
             xticks=[-3, -most, 0, most, 3], yticks=[-3, -most, 0, most])
    return figure
