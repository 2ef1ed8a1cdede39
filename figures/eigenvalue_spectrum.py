"""Nearly all directions are flat and a few are steep; and before training as many bend down as up.

The eigenvalues of the Hessian of the training loss, as shares of the largest: how many there are in a bin 0.02 wide, on
a logarithmic scale.  Above, all 974 of a net with shared weights: convolution, averaging, convolution, averaging, and a
dense layer, with tanh, on 320 handwritten digits.  Below, a net of two hidden layers of 90 units, whose 14,950 are too
many to be computed one by one: their density is estimated from 600 products with the Hessian (stochastic Lanczos
quadrature), and smoothed as by a normal density of width 0.02.

At the start the pictures are nearly symmetric: half of the directions bend down, and almost as much as the others bend
up, as near to a saddle, and not to a minimum.  After training to a loss of 0.02 more than nine of ten eigenvalues are
within 1% of the largest, and less than one in a hundred is above a tenth of it.  What is negative is minute then, at
most 1/30 of the largest, but there is hardly less of it: a third of the directions of the upper net still bends down a
little, and half of those of the lower one.

Kashyap (2022), Figure 9, after LeCun et al. (1998), "Efficient BackProp", whose net had 16 × 16 pixels, on our own
nets; the method of the lower row is that of Ghorbani, Krishnan and Xiao (2019).          Lecture 1.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import BLUE, VERMILION
from numopt import data as sets
from numopt.linalg import dense, density, slq
from numopt.networks import lenet1, mlp
from numopt.optimizers import adam
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import record

SETS = ("digits", "mnist", "fashion_mnist")
NET = "lenet1 with 974 weights, 2 × 90 tanh, to a loss of 0.02"
SEED = 0
EXAMPLES, BATCH, RATE, TARGET = 320, 32, 0.003, 0.02
PROBES, LANCZOS_STEPS = 6, 100
BIN = 0.02


def runs(data):
    return {"shared weights": partial(every_eigenvalue, data), "two hidden layers": partial(some_products, data)}


def nets(data, images):
    """The loss of a net, and its weights before and after training."""
    X, Y, *_ = getattr(sets, data)(images=images, dtype=np.float64)
    X, Y = X[:EXAMPLES], Y[:EXAMPLES]
    network = lenet1(X.shape[1:]) if images else mlp([X.shape[1], 90, 90, Y.max() + 1])
    loss, start = MiniBatch(network, X, Y), network.initial(SEED)
    run = adam(EmpiricalRisk(network, X, Y, BATCH, SEED), start, lr=RATE)
    record(run, objective=loss, target=TARGET, every=10)
    return loss, start, run.theta


def every_eigenvalue(data):
    """The Hessian column by column: as many products as there are weights."""
    loss, *thetas = nets(data, images=True)
    hessians = [dense(loss.hessian(theta), theta.size) for theta in thetas]
    return {"eigenvalues": np.array([np.linalg.eigvalsh((H + H.T) / 2) for H in hessians]),
            "loss": np.array([loss.value(theta) for theta in thetas]), "theta": np.array(thetas)}


def some_products(data):
    """The nodes and weights whose sums are nearly means over the eigenvalues."""
    loss, *thetas = nets(data, images=False)
    quadratures = [slq(loss.hessian(theta), theta.size, LANCZOS_STEPS, PROBES, SEED) for theta in thetas]
    nodes, weights = np.transpose(quadratures, (1, 0, 2))
    return {"nodes": nodes, "weights": weights, "size": np.array(thetas[0].size),
            "loss": np.array([loss.value(theta) for theta in thetas])}


def compute():
    shared, dense_net = recorded("eigenvalue_spectrum").values()
    return {"eigenvalues": shared["eigenvalues"],
            **{name: dense_net[name] for name in ("nodes", "weights", "size")}}


def draw(eigenvalues, nodes, weights, size):
    figure, axes = plt.subplots(2, 2, figsize=(6.5, 5), sharex=True, sharey="row")
    edges, at = BIN * np.arange(-50, 52), np.linspace(-1.06, 1.06, 1000)
    for column, (color, when) in enumerate([(BLUE, "at the start"), (VERMILION, "after training")]):
        above, below = axes[:, column]
        above.set(title=when, yscale="log", ylim=(0.5, 3000))
        below.set(yscale="log", ylim=(0.2, 90_000), xlabel="eigenvalue / the largest", xlim=(-1, 1.06),
                  xticks=[-1, -0.5, 0, 0.5, 1], xticklabels=["-1", "-0.5", "0", "0.5", "1"])
        largest = eigenvalues[column, -1], nodes[column].max()
        above.hist(eigenvalues[column] / largest[0], edges, color=color)
        below.fill_between(at, size * BIN * density(nodes[column] / largest[1], weights[column], at, BIN), color=color)
        for ax, value in zip((above, below), largest):
            ax.axvline(0, color="0.5", linewidth=0.8, zorder=0)
            ax.text(0.99, 0.93, f"largest: {value:.2g}", ha="right", va="top", transform=ax.transAxes)
    axes[0, 0].set_ylabel("shared weights:\neigenvalues in a bin")
    axes[1, 0].set_ylabel("two hidden layers:\neigenvalues in a bin")
    return figure
