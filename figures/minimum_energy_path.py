"""Two minima that a straight line joins over a mountain are joined by a bent path on which the loss hardly rises.

A net of 10 hidden units is trained from two seeds on 400 handwritten digits, with a price on its weights, so that where
it ends are true minima.  Above, the loss on the way from one to the other: on the straight line it rises to seven or
eight times that of the minima, on the path by a seventh at most (thin lines: two other pairs of seeds).  The path is a
*nudged elastic band*, see `Band` below: a row of nets, each of which slides down across the path, and springs that keep
them apart.  It begins as the straight line, and ends nearly twice as long.

Below, the loss in the plane through the two minima (crosses) and the mean of the path's nets, with both ways projected
on it.  The path goes round the mountain.  It does not stay in the plane: it is longer by a third than its projection.

Kashyap (2022), Figure 2, after Draxler et al. (2018), "Essentially no barriers in neural network energy landscape", on
our own net; the band is that of Henkelman and Jónsson (2000).          Lecture 1.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import BLUE, VERMILION, label_line
from numopt import data as sets
from numopt.networks import mlp
from numopt.optimizers import lbfgs, momentum
from numopt.problems import MiniBatch, Objective, Ridge
from numopt.record import path, record

SETS = ("digits", "mnist", "fashion_mnist")
NET = "10 hidden units, to the minimum"
SEED, PAIRS = 0, 3
SEEDS = 2 * PAIRS
EXAMPLES, HIDDEN, PRICE = 400, 10, 1e-3
NETS, SPRING, RATE, STEPS = 20, 0.3, 0.2, 400
BETWEEN = 8  # how often the loss is looked at between two nets of the path
LEVELS = [0.08, 0.1, 0.15, 0.25, 0.4, 0.7, 1.2, 2]
AXES = np.linspace(-0.3, 1.3, 49), np.linspace(-0.3, 1.1, 43)  # the plane, in units of the minima's distance


class Band(Objective):
    """A row of nets between two that are fixed, as one vector; its minimum is a path that nothing pushes sideways.

    A net feels the slope of the loss across the path, and the springs along it: of the slope along the path it would
    slide down to the minima, and of the springs across it would cut the corners.  Both at once are no gradient of any
    function; but an optimizer does not ask.  (Only, it must leave directions as they are: Adam, with a rate of its own
    for every number, makes the band long and knotted.)
    """

    def __init__(self, f, start, end, spring):
        self.f, self.start, self.end, self.spring = f, start, end, spring

    def nets(self, theta):
        return np.vstack([self.start, theta.reshape(-1, self.start.size), self.end])

    def gradient(self, theta):
        x = self.nets(theta)
        f, g = zip(*map(self.f.value_and_gradient, x))
        push = np.empty_like(x)
        for i in range(1, len(x) - 1):
            tau = x[i + 1] - x[i] if f[i + 1] > f[i - 1] else x[i] - x[i - 1]  # towards the higher neighbour
            tau = tau / np.linalg.norm(tau)
            stretch = np.linalg.norm(x[i + 1] - x[i]) - np.linalg.norm(x[i] - x[i - 1])
            push[i] = g[i] - (g[i] @ tau) * tau - self.spring * stretch * tau
        return push[1:-1].ravel()


def runs(data):
    return {f"pair {k}": partial(joined, data, SEED + 2 * k) for k in range(PAIRS)}


def joined(data, seed):
    """The loss along the straight line and the path between the minima of two seeds, and in the plane of the path."""
    loss = problem(data)
    start, end = (minimum_from(loss, seed) for seed in (seed, seed + 1))
    band = Band(loss, start, end, SPRING)
    line = np.linspace(start, end, NETS + 2)
    nets = band.nets(path(momentum(band, line[1:-1].ravel(), lr=RATE), STEPS)[-1])
    straight, directions = np.linalg.norm(end - start), plane(nets)
    on_it = [[loss.value(start + straight * (a * directions[0] + b * directions[1])) for a in AXES[0]] for b in AXES[1]]
    share, length = way(nets)
    return {"line": losses(loss, line), "path": losses(loss, nets), "way": share, "length": length / straight,
            "projected": (nets - start) @ np.transpose(directions) / straight, "plane": np.array(on_it)}


def problem(data):
    X, Y, *_ = getattr(sets, data)(images=False, dtype=np.float64)
    network = mlp([X.shape[1], HIDDEN, Y.max() + 1])
    loss = MiniBatch(network, X[:EXAMPLES], Y[:EXAMPLES])
    return Ridge(loss, PRICE)


def minimum_from(loss, seed):
    run = lbfgs(loss, loss.network.initial(seed))
    record(run, 10_000, objective=loss, gradient=1e-6, every=10)
    return run.theta


def losses(loss, nets):
    """The loss at the nets, and at equal distances between every two."""
    return np.array([loss.value(between) for one, next in zip(nets, nets[1:])
                     for between in np.linspace(one, next, BETWEEN, endpoint=False)] + [loss.value(nets[-1])])


def plane(nets):
    """Two directions: from the first net to the last, and at a right angle to that towards the mean of all."""
    along = nets[-1] - nets[0]
    along = along / np.linalg.norm(along)
    up = nets.mean(axis=0) - nets[0]
    up = up - (up @ along) * along
    return along, up / np.linalg.norm(up)


def way(nets):
    """How far along the path each of the values of `losses` lies, as a share of its length; and that length."""
    pieces = np.linalg.norm(np.diff(nets, axis=0), axis=1)
    return np.append(0, np.cumsum(np.repeat(pieces / BETWEEN, BETWEEN))) / pieces.sum(), pieces.sum()


def compute():
    first, *others = recorded("minimum_energy_path").values()
    return {"projected": first["projected"], "plane": first["plane"],
            **{name: np.array([pair[name] for pair in (first, *others)]) for name in ("line", "path", "way", "length")}}


def draw(line, path, way, length, projected, plane):
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 7), height_ratios=[1, 1.5])
    for k in reversed(range(len(line))):
        width = {"linewidth": 2.2} if k == 0 else {"linewidth": 0.7}
        above.plot(np.linspace(0, 1, len(line[k])), line[k], color=VERMILION, linestyle="--", **width)
        above.plot(way[k], path[k], color=BLUE, **width)
    above.set(xlabel="share of the way", ylabel="loss", xlim=(0, 1), ylim=(0, 1.1 * line.max()))
    above.text(0.5, 0.45 * line[0].max(), "straight line", color=VERMILION, ha="center")
    above.text(0.5, path[0].max() + 0.03 * line.max(), f"path, {length[0]:.2g} times as long", color=BLUE, ha="center")
    colors = plt.get_cmap("cividis_r")(np.linspace(0, 0.85, len(LEVELS)))
    below.contourf(*AXES, plane, levels=[0, *LEVELS], colors=colors, extend="max")
    lines = below.contour(*AXES, plane, levels=LEVELS, colors="black", linewidths=0.5)
    below.clabel(lines, LEVELS[1:], fmt="%g", fontsize=9)
    below.plot([0, 1], [0, 0], color=VERMILION, linestyle="--", linewidth=2.2)
    below.plot(*projected.T, color=BLUE, marker="o", markersize=4)
    below.plot([0, 1], [0, 0], linestyle="none", marker="X", markersize=11, color="black", markeredgecolor="white")
    label_line(below, 0.5, 0, "straight line", "white", xytext=(0, 8), ha="center")
    label_line(below, *projected[len(projected) // 3], "path", "black", xytext=(-6, 8), ha="right")
    below.set(aspect="equal", xlabel="along the straight line", ylabel="towards the path's mean")
    return figure
