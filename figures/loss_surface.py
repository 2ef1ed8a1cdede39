"""A picture of a loss surface shows the size of the weights, unless each unit is moved in proportion to its own.

The loss of a trained net of 64-32-10 units with ReLU on 400 handwritten digits, in a plane of two random directions
through its weights (cross).  On the right the same net, written with five times the weights in the first layer and a
fifth in the second, which ReLU does not notice: it computes the same outputs.  Above, random directions as they are:
one and the same net is wide on the left and narrow on the right.  Below, each unit's share of a direction is made as
long as the weights of that unit ("filter normalization"), and the biases stay: the pictures are the same.

Li et al. (2018), "Visualizing the loss landscape of neural nets", Section 4, on our own net.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import minimum
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adam
from numopt.problems import EmpiricalRisk
from numopt.record import path

NETWORK = mlp([64, 32, 10], activation="relu")
AXIS = np.linspace(-1, 1, 25)
LEVELS = [0.1, 0.3, 1, 3, 10, 30]


def trained():
    """The loss, and the weights of the net after its training."""
    X, Y, *_ = digits()
    risk = EmpiricalRisk(NETWORK, X[:400], Y[:400], batch_size=50)
    return risk.whole, path(adam(risk, NETWORK.initial(seed=0), lr=0.003), 400)[-1]


def rescaled(theta, factor):
    """The same net in other weights: ReLU of 5 x is 5 times ReLU of x, as for any positive factor."""
    theta = theta.copy()
    first, second = NETWORK.blocks(theta)
    first *= factor
    second[:, :-1] /= factor
    return theta


def direction(theta, seed, filterwise):
    """Random numbers of deviation 0.2, or with each row of weights as long as that of θ; either way biases at rest."""
    delta = 0.2 * np.random.default_rng(seed).standard_normal(theta.size)
    for D, W in zip(NETWORK.blocks(delta), NETWORK.blocks(theta)):
        D[:, -1] = 0
        if filterwise:
            D *= np.linalg.norm(W[:, :-1], axis=1, keepdims=True) / np.linalg.norm(D, axis=1, keepdims=True)
    return delta


def plane(loss, theta, filterwise):
    """The loss at θ + a δ + b ε, at [j, i] for a = AXIS[i] and b = AXIS[j]."""
    delta, epsilon = (direction(theta, seed, filterwise) for seed in (1, 2))
    return [[loss.value(theta + a * delta + b * epsilon) for a in AXIS] for b in AXIS]


def compute(factor=5):
    loss, theta = trained()
    return {name: np.array([plane(loss, weights, filterwise) for weights in (theta, rescaled(theta, factor))])
            for name, filterwise in [("plain", False), ("filterwise", True)]}


def draw(plain, filterwise):
    figure, axes = plt.subplots(2, 2, figsize=(6, 6.2), sharex=True, sharey=True)
    for row, name, pair in zip(axes, ["as they are", "unit by unit"], [plain, filterwise]):
        for ax, values in zip(row, pair):
            ax.contourf(AXIS, AXIS, values, levels=[0, *LEVELS, 1e9], norm="log",
                        colors=plt.get_cmap("cividis_r")(np.linspace(0, 0.8, len(LEVELS) + 1)))
            lines = ax.contour(AXIS, AXIS, values, levels=LEVELS, colors="black", linewidths=0.6)
            ax.clabel(lines, fmt="%g", fontsize=9)
            minimum(ax, 0, 0)
            ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        row[0].set_ylabel(f"directions {name}")
    axes[0, 0].set_title("a net")
    axes[0, 1].set_title("the same, in other weights")
    return figure
