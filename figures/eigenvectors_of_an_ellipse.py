"""The level lines of a quadratic are ellipses along the eigenvectors of its Hessian, with half-axes as 1 / √λ.

On the left E(θ) = ½ θᵀHθ, with its level line at ½ (thick) and the eigenvectors of H, each drawn 1 / √λ long: where the
curvature λ is small, the axis is long.  Above on the right E over the distance from the minimum, along each
eigenvector: it is ½ λ s², which is ½ at s = 1 / √λ.  Below, the same E over u = √H θ: the ellipses have become circles,
and the negative gradient (arrow) points to the minimum, which on the left it misses.  (It is the root of H that makes
them circles.  Kashyap has the inverse of H: by that the gradient by θ is multiplied in Newton's step, which is the step
against the gradient by u.)

Kashyap (2022), Figure 7, after LeCun et al. (1998), "Efficient BackProp".          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, VERMILION, arrow
from numopt.problems import Quadratic, quadratic_with

BOWL = quadratic_with([1, 4], [[2, -1], [1, 2]])
ROUND = Quadratic(np.eye(2))
LEVELS = np.array([0.5, 1.125])
ANGLE = np.linspace(0, 2 * np.pi, 361)
S = np.linspace(0, 1.8, 181)
AT = 180  # the angle at which the gradient is drawn, in degrees
LINES = (BLUE, "-", "s"), (VERMILION, "--", "o")
PLACES = (0.36, 0.33), (-0.44, -0.01)  # where the lengths of the axes are written


def level_lines(objective):
    """Where E = ½ in every direction, and from there to the other levels: E grows with the square of the distance."""
    directions = np.column_stack([np.cos(ANGLE), np.sin(ANGLE)])
    reach = np.sqrt(0.5 / np.array([objective.value(d) for d in directions]))
    return np.sqrt(LEVELS / 0.5)[:, None, None] * (reach[:, None] * directions)


def compute():
    lam, Q = np.linalg.eigh(BOWL.A)
    Q = Q * np.sign(Q[1])  # an eigenvector may be turned round: here both point upwards
    root = Q * np.sqrt(lam) @ Q.T
    ellipses = level_lines(BOWL)
    return {"lam": lam, "Q": Q, "ellipses": ellipses, "circles": ellipses @ root,
            "along": np.array([[BOWL.value(s * q) for s in S] for q in Q.T]),
            "g": BOWL.gradient(ellipses[1, AT]), "g_u": ROUND.gradient(root @ ellipses[1, AT])}


def draw(lam, Q, ellipses, circles, along, g, g_u):
    figure = plt.figure(figsize=(7, 4.3))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.7, 1], height_ratios=[1, 1.25])
    plane, profile, white = (figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    for ax, lines, gradient in [(plane, ellipses, g), (white, circles, g_u)]:
        for line, width, color in zip(lines, [2.4, 1], [BLACK, "0.65"]):
            ax.plot(*line.T, color=color, linewidth=width)
        start = lines[1, AT]
        arrow(ax, start, start - 0.85 * gradient / np.linalg.norm(gradient), GREY)
        ax.plot(*start, "o", color=GREY, markersize=4)
        ax.plot(0, 0, "o", color=BLACK, markersize=4)
        ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    for i, (value, q, energy, (color, linestyle, marker)) in enumerate(zip(lam, Q.T, along, LINES)):
        arrow(plane, (0, 0), q / np.sqrt(value), color, linewidth=2.6)
        profile.plot(S, energy, color=color, linestyle=linestyle)
        profile.plot(1 / np.sqrt(value), 0.5, marker, color=color)
        x, y = PLACES[i]
        plane.text(x, y, f"$1\\,/\\sqrt{{\\lambda_{i + 1}}} = {1 / np.sqrt(value):g}$", color=color,
                   ha="center", va="center", rotation=26.6)
    profile.axhline(0.5, color="0.65", linewidth=1, zorder=0)
    profile.text(0.62, 1.05, f"$\\lambda_2 = {lam[1]:g}$", color=LINES[1][0], ha="right")
    profile.text(1.33, 0.66, f"$\\lambda_1 = {lam[0]:g}$", color=LINES[0][0], ha="left")
    profile.set(ylim=(0, 1.3), xlim=(0, 1.8), yticks=[0, 0.5, 1], xlabel="distance $s$", title="$E$ along each axis")
    plane.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", title="$E(\\theta)$")
    white.set(xlabel="$u_1$", ylabel="$u_2$", title="$E$ over $u = \\sqrt{H}\\,\\theta$")
    return figure
