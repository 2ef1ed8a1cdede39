"""A trusted radius that is small makes a step down the gradient, a large one Newton's; and the model's success sets it.

On the left, one quadratic model: the point where it is least within a radius moves from the start along −g at first,
and then bends away to Newton's point as the radius grows.  It is −(H + μI)⁻¹g, with less of Levenberg's damping μ for
more of a radius.  Steihaug's conjugate gradients take two straight lines instead, and end on the radius too.  Below, a
run along Rosenbrock's valley with the circles that it trusts: a step ends on the circle, or within as near to Newton's
point as conjugate gradients are asked to come (‖g + Hp‖ is half of ‖g‖ at most), and where f does not do as the model
says (crosses) it is not taken, and the next circle is a quarter as wide.  On the right, the share ρ of the promised
fall that came true, and the radius, step by step.

Made for this course, after Nocedal and Wright (2006), Algorithms 4.1 and 7.2 and Theorem 4.1.          Lecture 6.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, ORANGE, VERMILION, arrow, contours, minimum
from numopt.linalg import steihaug
from numopt.optimizers import trust_region
from numopt.problems import Quadratic, Rosenbrock


def best_within(H, g, dampings):
    """−(H + μI)⁻¹g for each μ: where the model is least within the radius that is this long."""
    lam, Q = np.linalg.eigh(H)
    return -((Q.T @ g) / (lam + np.asarray(dampings)[:, None])) @ Q.T


def compute(curvatures=(1.0, 6.0), angle=0.0, newton=(4.0, 1.5), radii=(0.75, 1.5, 3.0), start=(-1.2, 1.0), steps=26):
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    H, newton, valley = Q @ np.diag(curvatures) @ Q.T, np.array(newton), Rosenbrock()
    g = -H @ newton
    run = trust_region(valley, np.array(start))
    centres, radius, trials, rho, taken = [], [], [], [], []
    for _ in range(steps):
        theta, r = run.theta, run["radius"]
        if next(run, None) is None:  # no radius helps any more
            break
        centres.append(theta)
        radius.append(r)
        trials.append(theta + run["p"])
        rho.append(run["rho"])
        taken.append(not np.array_equal(run.theta, theta))
    return {"H": H, "g": g, "path": best_within(H, g, np.geomspace(1e4, 1e-6, 200)),
            "steihaug": np.array([steihaug(H, 1e-9 * g, 1e-9 * r) * 1e9 for r in radii]), "radii": np.array(radii),
            "centres": np.array(centres), "radius": np.array(radius), "trials": np.array(trials), "rho": np.array(rho),
            "taken": np.array(taken)}


def draw(H, g, path, steihaug, radii, centres, radius, trials, rho, taken):
    figure, panels = plt.subplot_mosaic([["model", "share"], ["model", "radius"], ["run", "run"]], figsize=(6.6, 7.4),
                                        height_ratios=[1, 1, 2.6])
    model(panels["model"], H, g, path, steihaug, radii)
    walk(panels["run"], centres, radius, trials, taken)
    step = np.arange(1, len(rho) + 1)
    for ax, values in ((panels["share"], rho), (panels["radius"], radius)):
        ax.plot(step, values, color=GREY, linewidth=1)
        ax.plot(step[taken], values[taken], "o", color=BLUE, markersize=4)
        ax.plot(step[~taken], values[~taken], "x", color=VERMILION, markersize=6, markeredgewidth=1.8)
    panels["share"].axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    panels["share"].set(ylabel="share $\\rho$", xticklabels=[])
    panels["radius"].set(yscale="log", ylabel="radius", xlabel="step")
    return figure


def model(ax, H, g, path, steihaug, radii):
    q = Quadratic(H, -g)
    newton = path[-1]
    reach = 1.15 * np.linalg.norm(newton)
    x, y = np.linspace(-0.15 * reach, 1.1 * newton[0], 121), np.linspace(-0.15 * reach, 0.75 * reach, 121)
    contours(ax, q, x, y, q.value(newton) * np.array([-0.3, 0, 0.3, 0.55, 0.75, 0.9, 0.98])[::-1])
    turn = np.linspace(0, 2 * np.pi, 200)
    for r in radii:
        ax.plot(r * np.cos(turn), r * np.sin(turn), color=GREY, linewidth=0.8, linestyle="--")
    arrow(ax, (0, 0), -0.9 * g / np.linalg.norm(g), BLACK)
    ax.text(*(-1.05 * g / np.linalg.norm(g)), "$-g$", ha="right", va="bottom")
    ax.plot(*path.T, color=BLUE, label="best")
    ax.plot(*np.array([[0, 0], *steihaug, newton]).T, "s", color=ORANGE, markersize=5, zorder=5,
            label="Steihaug")
    minimum(ax, *newton)
    ax.text(newton[0], newton[1] + 0.06 * reach, "Newton", ha="right", va="bottom")
    ax.legend(fontsize=9, loc="lower right")
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect="equal", xticks=[], yticks=[], title="one model")


def walk(ax, centres, radius, trials, taken):
    valley = Rosenbrock()
    ends = np.concatenate([centres, trials, valley.minimizers])
    (left, low), (right, high) = ends.min(axis=0) - 0.3, ends.max(axis=0) + 0.3
    contours(ax, valley, np.linspace(left, right, 201), np.linspace(low, high, 201), [0.1, 0.5, 2, 5, 20, 60, 150])
    turn = np.linspace(0, 2 * np.pi, 200)
    for c, r in zip(centres[taken], radius[taken]):
        ax.plot(c[0] + r * np.cos(turn), c[1] + r * np.sin(turn), color=BLUE, linewidth=0.5, alpha=0.4)
    for c, p in zip(centres[~taken], trials[~taken]):
        ax.plot(*np.array([c, p]).T, color=VERMILION, linewidth=1, linestyle=":")
    ax.plot(*trials[~taken].T, "x", color=VERMILION, markersize=8, markeredgewidth=2)
    ax.plot(*np.array([*centres, *trials[-1:][taken[-1:]]]).T, "o-", color=BLUE, markersize=4, linewidth=1.4)
    minimum(ax, *valley.minimizers[0])
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal", xticks=[], yticks=[], title="one run")
