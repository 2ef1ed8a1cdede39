"""The methods of the course descend from three, and about half of them turn back into another one at some setting.

In the panel of each method is the path that it takes in the valley of one neuron, ½ the mean of (tanh(w x + b) − y)²,
to the cross; all from the same start, and for the price of 40 gradients, where a product with a curvature matrix
costs two and a value a third.  A method that needs a rate has the best of eleven from 0.001 to 100; all else is as it
is by default.  On the right is what is left of f then.  It is one valley and no race: Newton's method starts where the
curvature is negative, and climbs; GCR takes the gradient for linear; the learned rates have no time to be learned.

Beside each method stands what it changes in the one that its line comes from; the number in the circle is its lecture.
A double line says that with the setting beside its name the method is its parent again, step by step; where a colon
and a name follow, it is that other method.  Nothing of this is drawn on trust: both are run, on the mini-batches of a
net wherever they can be, and the mark is there if they go the same way to 8 digits.  ("J constant" is a linear problem,
"one linear layer" has a squared error; Levenberg-Marquardt takes full Gauss-Newton steps as long as they lower f.)

With a large lr, Zheng's three clipped natural gradients are his three normalized ones; with a large epsilon instead
they are the natural gradient.  L-BFGS that remembers one pair (s, y) and searches exactly is nonlinear conjugate
gradients, in the form of Hestenes and Stiefel.  Sophia is Lion with its two betas alike; FishLeg, without weight
decay, is momentum at the rate (1 − beta) lr.  Every pair is written out in `same`.  A method with two ancestors stands
with the one whose loop is nearer.

Made for this course, from the docstrings of numopt.optimizers.          Lecture 14.
"""
from importlib import import_module
from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox, BboxTransform

from figures.making.ancestry import NET, START, STEPS, TREE, WHOLE, same  # noqa: F401  (NET, WHOLE: tests)
from figures.making.one_valley import MINIMUM, Neuron, best_walks
from figures.making.one_valley import START as BEGINNING
from figures.making.style import BLACK, BLUE, GREEN, GREY, METHODS, ORANGE, PURPLE, SKY, VERMILION, minimum
from numopt import optimizers
from numopt.problems import grid
from numopt.record import path


def compute(budget=40):
    """For each pair how far apart its two runs come, as a share of the way they go; and the walk of every method."""
    apart, steps = [], []
    for runs in same().values():
        one, other = (path(run, STEPS) for run in runs)
        steps.append(min(len(one), len(other)) - 1)  # a run of conjugate directions ends when it has arrived
        apart.append(np.abs(one[:steps[-1] + 1] - other[:steps[-1] + 1]).max() / np.abs(other - other[0]).max())
    paths = []
    for name, *_ in lines():
        walks, best = best_walks(name, budget)
        paths.append(walks[best])
    lengths = np.array([len(walk) for walk in paths])
    valley = Neuron()
    return {"apart": np.array(apart), "steps": np.array(steps), "points": np.concatenate(paths), "lengths": lengths,
            "left": np.array([valley.value(walk[-1]) for walk in paths]) / valley.value(BEGINNING),
            "w": (w := np.linspace(-0.45, 2.05, 45)), "b": (b := np.linspace(-2.2, 1.35, 45)),
            "height": grid(valley, w, b)}


def lines():
    """The TREE; a method that nobody has put there follows the first of its module, with how its docstring begins."""
    found = list(TREE)
    for name in [name for name in optimizers.__all__ if name not in {known for known, *_ in TREE}]:
        parent = next((known for known, *_ in TREE if module(known) == module(name)), TREE[0][0])
        family = {parent}
        for known, over, _ in found:
            if over in family:
                family.add(known)
        last = max(i for i, (known, *_) in enumerate(found) if known in family)
        words = (getattr(optimizers, name).__doc__ or "").strip().split("\n")[0]
        found.insert(last + 1, (name, parent, shorten(words, 42, placeholder=" …")))
    return found


def module(name):
    return getattr(optimizers, name).__module__


def depths():
    """How many ancestors every method has."""
    parents, depth = {name: parent for name, parent, _ in lines()}, {}
    for name, parent in parents.items():
        depth[name] = 0 if parent is None else depth[parent] + 1
    return depth


LECTURES = {2: ("descent", BLACK), 3: ("momentum", BLUE), 4: ("adaptive", VERMILION), 5: ("learning rates", GREEN),
            6: ("Newton", PURPLE), 7: ("conjugate", BLUE), 8: ("quasi-Newton", ORANGE), 9: ("natural", SKY),
            10: ("diagonal", GREEN), 11: ("Kronecker", GREY), 12: ("residual", VERMILION), 13: ("averaging", BLACK)}
WIDTH, ROW, INDENT, PANEL = 432, 29, 15, 42  # lengths in points, as all are here


def lecture(name):
    """What the first line of the method's module ends with."""
    return int(import_module(module(name)).__doc__.split("\n")[0].rstrip(" .").split("Lecture ")[1])


def disc(ax, x, y, number):
    """The number of a lecture in its colour."""
    color = LECTURES.get(number, ("", BLACK))[1]
    ax.plot(x, y, "o", color=color, markersize=14, markeredgewidth=0, zorder=2)
    ax.text(x, y - 0.3, number, fontsize=8.5, color="black" if color in (SKY, ORANGE, PURPLE) else "white",
            weight="bold", ha="center", va="center_baseline")


def line(ax, x, end, y, double):
    """From the left to a method: one line, or two."""
    for shift in (-1.6, 1.6) if double else [0]:
        ax.plot([x, end], [y + shift, y + shift], color="black" if double else "0.6", linewidth=1,
                solid_capstyle="butt", zorder=1)


def panel(ax, x, y, walk, w, b, height):
    """The walk of a method, in its valley; no axes of their own, of which seventy take seconds."""
    box = Bbox.from_bounds(x, y - 0.46 * ROW, PANEL, 0.92 * ROW)
    frame = ax.add_patch(Rectangle(box.p0, box.width, box.height, facecolor="none", edgecolor="0.75", linewidth=0.6))
    inside = BboxTransform(Bbox.from_extents(w[0], b[0], w[-1], b[-1]), box) + ax.transData
    levels = ax.contour(w, b, height, levels=height.max() * np.geomspace(1e-3, 0.6, 6), colors="0.75", linewidths=0.5,
                        transform=inside)
    lines = [*minimum(ax, *MINIMUM, markersize=6, markeredgewidth=1.4, transform=inside),
             *ax.plot(*walk.T, ".-", color=BLACK, linewidth=0.9, markersize=1.8, zorder=4, transform=inside)]
    for part in levels, *lines:
        part.set_clip_path(frame)


def draw(apart, steps, points, lengths, left, w, b, height):
    walks = np.split(points, np.cumsum(lengths)[:-1])
    below = ROW * (len(walks) + 3.2)
    figure = plt.figure(figsize=(WIDTH / 72, (below + 20) / 72), layout="none")
    ax = figure.add_axes([0, 0, 1, 1])
    ax.set(xlim=(-9, WIDTH - 9), ylim=(-below, 20))
    ax.set_axis_off()
    settings, depth, at = {}, depths(), {}
    for (name, setting, other), distance in zip(same(), apart):
        if distance < 1e-8:
            settings.setdefault(name, (setting, other))
    for i, ((name, parent, change), walk, share) in enumerate(zip(lines(), walks, left, strict=True)):
        x, y = at[name] = INDENT * depth[name], -ROW * i
        setting, other = settings.get(name, ("", None))
        if parent is not None:
            from_x, above = at[parent]
            ax.plot([from_x, from_x], [above, y], color="0.6", linewidth=1, zorder=0)
            line(ax, from_x, x, y, double=other == parent)
        disc(ax, x, y, lecture(name))
        panel(ax, x + 10, y, walk, w, b, height)
        title = ax.text(x + PANEL + 15, y + 6.2, METHODS[name][2], fontsize=10.5, weight="bold", va="center_baseline")
        ax.annotate(setting if other in (None, parent) else f"{setting}: {METHODS[other][2]}", (1, 0), xycoords=title,
                    xytext=(4, 0), textcoords="offset points", fontsize=9, va="bottom", color=BLUE)
        ax.text(x + PANEL + 15, y - 6.2, change, fontsize=9.5, color="0.25", va="center_baseline")
        ax.text(WIDTH - 14, y - 6.2, f"{share:.0e}" if share > 1e-16 else "0", fontsize=9.5, ha="right",
                va="center_baseline")
    ax.text(WIDTH - 14, 7, "left of f", fontsize=9.5, ha="right", va="center_baseline")
    legend(ax, -ROW * len(walks))
    return figure


def legend(ax, y):
    line(ax, -4, 10, y, double=True)
    ax.text(15, y, "one and the same, at the setting in blue; the number is the lecture:", fontsize=9.5,
            va="center_baseline")
    for i, (number, (name, _)) in enumerate(LECTURES.items()):
        right, down = 2 + 108 * (i % 4), y - 19 * (i // 4 + 1)
        disc(ax, right, down, number)
        ax.text(right + 10, down, name, fontsize=9.5, va="center_baseline")
