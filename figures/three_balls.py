"""One oracle, three balls: the step furthest down is a corner, the gradient itself, or an orthogonal matrix.

Steps are matrices [[x, y], [y, x]], and their length is the largest number (sign descent), the root of the sum of
squares (normalised descent), or the largest singular value (Muon), which is |x| + |y| for these matrices.  Shaded are
the steps no longer than one; the level line of the slope touches them in the point that goes furthest down, and Scion,
with this ball, steps there.  Below, in which direction, while the gradient, dotted above, turns once around: one ball
follows it, and the two others know four corners, which one of them has where the other has its edges.  (To Muon's
corner, where both singular values are 1, the loop comes near: its five steps of Newton and Schulz end between 0.68 and
1.21.)

Made for this course, after Pethick et al. (2025), Section 2.          Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, METHODS, VERMILION, arrow
from numopt.optimizers import scion
from numopt.problems import Objective

LENGTHS = {"sign": lambda x, y: np.maximum(np.abs(x), np.abs(y)), "euclidean": lambda x, y: np.sqrt(2 * (x**2 + y**2)),
           "spectral": lambda x, y: np.abs(x) + np.abs(y)}
NAMES = {"sign": "sign_descent", "euclidean": "normalized_descent", "spectral": "muon"}
SETS = {"sign": "$\\max|D_{ij}|\\leq 1$", "euclidean": "$\\sum D_{ij}^2\\leq 1$", "spectral": "$\\sigma_1(D)\\leq 1$"}


class Slope(Objective):
    """A linear function of a 2 x 2 matrix, whose gradient is [[x, y], [y, x]]."""

    size = 4

    def __init__(self, x, y):
        self.g = np.array([x, y, y, x])

    def loss(self, t):
        return self

    def gradient(self, theta):
        return self.g

    def blocks(self, vector):
        return [vector.reshape(2, 2)]


def step(ball, angle):
    """(x, y) of the step that Scion takes with this ball, where the gradient has this angle."""
    return next(scion(Slope(np.cos(angle), np.sin(angle)), np.zeros(4), lr=1.0, ball=ball))[:2]


def compute(slope=3.66, points=360):
    """Of each ball the rim, the step for one gradient, and the angles of the steps for others all around."""
    around = (np.arange(points) + 0.5) * 2 * np.pi / points
    rays = np.column_stack([np.cos(around), np.sin(around)])
    found = {"slope": slope, "around": around}
    for ball, length in LENGTHS.items():
        steps = np.array([step(ball, angle + np.pi) for angle in around])
        found |= {f"{ball}: rim": rays / length(*rays.T)[:, None], f"{ball}: step": step(ball, slope),
                  f"{ball}: turned": np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))}
    return found


def draw(slope, around, **found):
    figure, axes = plt.subplot_mosaic([list(LENGTHS), ["turned"] * len(LENGTHS)], figsize=(6.4, 5.6))
    down = -np.array([np.cos(slope), np.sin(slope)])
    along = np.array([-down[1], down[0]])
    for ball in LENGTHS:
        ax, rim, d = axes[ball], found[f"{ball}: rim"], found[f"{ball}: step"]
        ax.fill(*rim.T, color=BLUE, alpha=0.18, linewidth=0)
        ax.plot(*rim.T, color=BLUE, linewidth=1.2)
        ax.plot(*np.array([0 * down, 1.5 * down]).T, ":", color=GREY, linewidth=1.6)
        touching = down * (rim @ down).max()
        ax.plot(*np.array([touching - 3 * along, touching + 3 * along]).T, "--", color=BLACK, linewidth=0.9)
        arrow(ax, (0, 0), d, VERMILION)
        ax.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.set_title(f"{METHODS[NAMES[ball]][2]}\n{SETS[ball]}", fontsize=10)
    ax = axes["turned"]
    for ball in LENGTHS:
        color, line, label = METHODS[NAMES[ball]]
        ax.plot(np.degrees(around), np.degrees(found[f"{ball}: turned"]), linestyle=line, color=color, label=label)
    turns = np.arange(0, 361, 90)
    ax.set(xlabel="direction of −gradient", ylabel="direction of step", xlim=(0, 360), xticks=turns, yticks=turns)
    ax.xaxis.set_major_formatter("{x:g}°")
    ax.yaxis.set_major_formatter("{x:g}°")
    ax.legend(loc="upper left")
    return figure
