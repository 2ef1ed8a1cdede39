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

ROUND = Quadratic(np.eye(2))
LEVELS = np.array([0.5, 1.125])
ANGLE = np.linspace(0, 2 * np.pi, 361)
LINES = (BLUE, "-", "s"), (VERMILION, "--", "o")


def level_lines(objective):
    """Where E = ½ in every direction, and from there to the other levels: E grows with the square of the distance."""
    directions = np.column_stack([np.cos(ANGLE), np.sin(ANGLE)])
    reach = np.sqrt(0.5 / np.array([objective.value(d) for d in directions]))
    return np.sqrt(LEVELS / 0.5)[:, None, None] * (reach[:, None] * directions)


def compute(curvatures=(1.0, 4.0), direction=(2.0, 1.0), at=180):
    """The first of the two curvatures is that in the direction; `at`, in degrees, is where the gradient is drawn."""
    if len(curvatures) != 2 or not 0 < min(curvatures) < 0.99 * max(curvatures):
        raise ValueError(f"curvatures = {curvatures}: they must be two, above 0 and not equal")
    if len(direction) != 2 or not any(direction):
        raise ValueError(f"direction = {direction}: it must be two numbers, and not both 0")
    x, y = direction
    bowl = quadratic_with(curvatures, [[x, -y], [y, x]])
    lam, Q = np.linalg.eigh(bowl.A)
    Q = Q * np.where(Q[1] < -1e-9, -1, 1)  # an eigenvector may be turned round: here both point upwards
    root = Q * np.sqrt(lam) @ Q.T
    ellipses = level_lines(bowl)
    start = ellipses[1, at % 360]
    g, s = bowl.gradient(start), 1 / np.sqrt(lam[0]) * np.linspace(0, 1.8, 181)
    if start @ g > (1 - 1e-6) * np.linalg.norm(start) * np.linalg.norm(g):
        raise ValueError(f"at = {at}: the gradient points away from the minimum there, as it does on every axis")
    return {"lam": lam, "Q": Q, "at": at % 360, "s": s, "ellipses": ellipses, "circles": ellipses @ root,
            "along": np.array([[bowl.value(t * q) for t in s] for q in Q.T]),
            "g": g, "g_u": ROUND.gradient(root @ start)}


def round_below(x):
    """The largest of 1, 2 and 5 times a power of ten that is not above x."""
    return max(c * 10.0**np.floor(np.log10(x)) for c in (1, 2, 5) if c * 10.0**np.floor(np.log10(x)) <= x)


def draw(lam, Q, at, s, ellipses, circles, along, g, g_u):
    reach, short = 1 / np.sqrt(lam)
    figure = plt.figure(figsize=(7, 4.3))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.7, 1], height_ratios=[1, 1.25])
    plane, profile, white = (figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    for ax, lines, gradient, size in [(plane, ellipses, g, reach), (white, circles, g_u, 1)]:
        for line, width, color in zip(lines, [2.4, 1], [BLACK, "0.65"]):
            ax.plot(*line.T, color=color, linewidth=width)
        start = lines[1, at]
        arrow(ax, start, start - 0.85 * size * gradient / np.linalg.norm(gradient), GREY)
        ax.plot(*start, "o", color=GREY, markersize=4)
        ax.plot(0, 0, "o", color=BLACK, markersize=4)
        ax.set(aspect="equal", xticks=round_below(1.4 * size) * np.array([-1, 0, 1]),
               yticks=round_below(1.4 * size) * np.array([-1, 0, 1]))
    # The lengths of the axes are written along the long one: beside its middle, and on the other side of the minimum.
    turned = np.degrees(np.arctan2(Q[1, 0], Q[0, 0]))
    turned = turned - 180 if turned > 90 else turned
    places = Q @ [0.46957 * reach, 0.13416 * reach], Q @ [-0.39802 * reach, max(0.37566 * short, 0.18 * reach)]
    for i, (value, q, energy, (color, linestyle, marker)) in enumerate(zip(lam, Q.T, along, LINES)):
        arrow(plane, (0, 0), q / np.sqrt(value), color, linewidth=2.6)
        profile.plot(s, energy, color=color, linestyle=linestyle)
        profile.plot(1 / np.sqrt(value), 0.5, marker, color=color)
        plane.text(*places[i], f"$1\\,/\\sqrt{{\\lambda_{i + 1}}} = {1 / np.sqrt(value):.3g}$", color=color,
                   ha="center", va="center", rotation=round(turned, 1))
    profile.axhline(0.5, color="0.65", linewidth=1, zorder=0)
    steep, flat = np.sqrt(2 * 1.05 / lam[1]), np.sqrt(2 * 0.66 / lam[0])
    side = -1 if steep > 0.6 * reach else 1  # of the steep line: where there is room
    profile.text(steep + side * 0.10457 * reach, 1.05, f"$\\lambda_2 = {lam[1]:.3g}$", color=LINES[1][0],
                 ha="right" if side < 0 else "left")
    profile.text(flat + 0.1811 * reach, 0.66, f"$\\lambda_1 = {lam[0]:.3g}$", color=LINES[0][0], ha="left")
    profile.set(ylim=(0, 1.3), xlim=(0, s[-1]), yticks=[0, 0.5, 1], xlabel="distance $s$", title="$E$ along each axis")
    plane.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$", title="$E(\\theta)$")
    white.set(xlabel="$u_1$", ylabel="$u_2$", title="$E$ over $u = \\sqrt{H}\\,\\theta$")
    return figure
