"""A net with its hidden units in another order is the same net at another place, and there is a barrier in between.

A net of 64-4-10 units with tanh, trained on 400 handwritten digits with a small price on Σ θᵢ², which the loss
contains.  Above, the weights of its four units as images (grey is 0, white positive): of the net, of the same net with
units 2 and 4 exchanged, and halfway, where the two are equal, so that the net has one unit less.  Below on the left,
the loss on the straight lines from the net to all its copies, which all have its loss: there are 4! orders of the
units.  On the right, the plane through the three copies in which units 1, 2 and 3 go round: they are equal minima at
the corners of a triangle, and a third of a turn changes nothing.  (A unit of tanh may change the signs of its weights
on both sides as well, and so the net is at 2⁴ 4! = 384 places; Kashyap counts 4!.)

Kashyap (2022), Figure 12, after Grosse and Ba, on our own net.          Lecture 1.
"""
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, minimum
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adam
from numopt.problems import EmpiricalRisk, Ridge
from numopt.record import path

UNITS = 4
NETWORK = mlp([64, UNITS, 10])
ORDERS = [order for order in permutations(range(UNITS)) if order != tuple(range(UNITS))]
SWAP, ROUND = (0, 3, 2, 1), (1, 2, 0, 3)
NAMES = "a net", "halfway", "2 and 4 exchanged"
ALONG = np.linspace(0, 1, 41)
AXIS = np.linspace(-1.5, 1.5, 31)
LEVELS = [0.5, 0.75, 1, 1.25, 1.5, 2]


def trained(steps=400):
    """The loss, and the weights of the net after its training."""
    X, Y, *_ = digits()
    risk = Ridge(EmpiricalRisk(NETWORK, X[:400], Y[:400], batch_size=100), 0.003)
    return risk.whole, path(adam(risk, NETWORK.initial(seed=0), lr=0.02), steps)[-1]


def reordered(theta, order):
    """The same net with its hidden units in another order: the rows into them, and the columns out of them."""
    into, out = NETWORK.blocks(theta)
    return np.concatenate([into[list(order)].ravel(), out[:, [*order, UNITS]].ravel()])  # in the last column the biases


def line(loss, start, end):
    """The loss on the straight line between two places."""
    return [loss.value((1 - a) * start + a * end) for a in ALONG]


def plane(loss, theta):
    """The loss at middle + a x + b y, at [j, i] for a = AXIS[i] and b = AXIS[j]; the net is at a = 1, b = 0."""
    second = reordered(theta, ROUND)
    third = reordered(second, ROUND)
    middle = (theta + second + third) / 3
    x, y = theta - middle, (second - third) / np.sqrt(3)
    return [[loss.value(middle + a * x + b * y) for a in AXIS] for b in AXIS]


def compute(steps=400):
    loss, theta = trained(steps)
    exchanged = reordered(theta, SWAP)
    places = theta, (theta + exchanged) / 2, exchanged
    return {"units": np.array([NETWORK.blocks(place)[0][:, :-1].reshape(UNITS, 8, 8) for place in places]),
            "losses": np.array([loss.value(place) for place in places]),
            "lines": np.array([line(loss, theta, reordered(theta, order)) for order in ORDERS]),
            "plane": np.array(plane(loss, theta))}


def draw(units, losses, lines, plane):
    figure = plt.figure(figsize=(7, 5.2), layout="none")
    most = 0.8 * np.abs(units).max()
    for k, (place, name, value) in enumerate(zip(units, NAMES, losses)):
        for i, image in enumerate(place):
            ax = figure.add_axes((0.03 + 0.335 * k + 0.0705 * i, 0.83, 0.066, 0.1))
            ax.imshow(image, cmap="gray", vmin=-most, vmax=most)
            ax.set_axis_off()
        figure.text(0.17 + 0.335 * k, 0.95, name, ha="center", fontsize=11)
        figure.text(0.17 + 0.335 * k, 0.785, f"loss {value:.2f}", ha="center", fontsize=11)
    ax = figure.add_axes((0.09, 0.1, 0.36, 0.58))
    ax.plot(ALONG, lines.T, color="0.65", linewidth=0.8)
    ax.plot(ALONG, lines[ORDERS.index(SWAP)], color=BLACK, linewidth=2.4)
    ax.text(0.5, 0.2, "thick: 2 and 4 exchanged", ha="center", va="center")
    ax.set(xlim=(0, 1), ylim=(0, None), yticks=[0, 0.5, 1, 1.5, 2], title=f"loss on the way to {len(lines)} copies",
           xticks=[0, 0.5, 1], xticklabels=["the net", "halfway", "a copy"])
    ax = figure.add_axes((0.53, 0.1, 0.45, 0.58))
    ax.contourf(AXIS, AXIS, plane, levels=[0, *LEVELS, 1e9],
                colors=plt.get_cmap("cividis_r")(np.linspace(0, 0.8, len(LEVELS) + 1)))
    contour = ax.contour(AXIS, AXIS, plane, levels=LEVELS, colors=BLACK, linewidths=0.6)
    ax.clabel(contour, [0.75, 1, 1.5], fmt="%g", fontsize=9)
    for angle, name in zip([0, 2 * np.pi / 3, 4 * np.pi / 3], ["1 2 3 4", "2 3 1 4", "3 1 2 4"]):
        minimum(ax, np.cos(angle), np.sin(angle))
        ax.text(np.cos(angle), np.sin(angle) + 0.12, name, ha="center")
    ax.set(aspect="equal", xticks=[], yticks=[], title="three copies in their plane")
    return figure
