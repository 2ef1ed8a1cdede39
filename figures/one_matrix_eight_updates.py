"""From one gradient, Shampoo, SOAP and Muon make all singular values alike; once they remember noise, only Muon does.

A stroke is a singular value of one and the same gradient, that of the first layer [W | b] of a net on the digits, as a
share of the largest; below it those of the steps that eight methods make of it.  On the left they know nothing but that
gradient.  On the right they have seen, at the same place, 60 mini-batches of 10 examples each; what SOAP and Shampoo
have gathered then is mostly noise, and they divide by that.  Gradient descent and full-matrix AdaGrad, which has
no more than one direction to divide by at first, leave the values in their proportions; Adam's first step is by signs,
entry by entry, which makes new singular vectors.  K-FAC and the natural gradient have the Fisher matrix from the model
and not from noise; its eigenvalues that are zero stand at the damping, 0.001.

Made for this course; cf. Bernstein and Newhouse (2024), "Old Optimizer, New Norm".          Lecture 11.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, GREY, METHODS
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adam, full_matrix_adagrad, gradient_descent, kfac, muon, natural_gradient, shampoo, soap
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import path

UPDATES = {
    "gradient_descent": gradient_descent,
    "adam": partial(adam, beta1=0.0),
    "full_matrix_adagrad": full_matrix_adagrad,
    "shampoo": partial(shampoo, eps=1e-10),
    "soap": partial(soap, beta1=0.0, weight_decay=0.0),
    "muon": partial(muon, mu=0.0),
    "kfac": partial(kfac, mu=0.0, labels="exact"),
    "natural_gradient": partial(natural_gradient, solver="dense", damping=1e-3)}


def singular_values(loss, vector):
    """Those of the first layer."""
    return np.linalg.svd(loss.blocks(vector)[0], compute_uv=False)


def update(method, loss, gathered, theta, steps):
    """The step on the loss, by a method that has first seen so many mini-batches at θ."""
    run = method(gathered, theta, lr=0.0)
    path(run, steps)
    return next(method(loss, theta, **(run.memory if steps else {}))) - theta


def compute(hidden=12, examples=200, batch_size=10, batches=60, seed=1):
    """Singular values: of the gradient, and of every step, from that gradient alone and after many mini-batches."""
    X, Y, *_ = digits(images=True)
    X = X.mean(axis=-2).reshape(len(X), -1)[:examples]
    network = mlp([X.shape[1], hidden, 10])
    loss, theta = MiniBatch(network, X, Y[:examples]), network.initial(seed=seed)
    few = EmpiricalRisk(network, X, Y[:examples], batch_size=batch_size, seed=seed)
    alone = [update(method, loss, loss, theta, 1 if name == "soap" else 0) for name, method in UPDATES.items()]
    after = [update(method, loss, few, theta, batches) for method in UPDATES.values()]
    return {"gradient": singular_values(loss, loss.gradient(theta)),
            "alone": np.array([singular_values(loss, d) for d in alone]),
            "after": np.array([singular_values(loss, d) for d in after])}


def draw(gradient, alone, after):
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 4.8), sharey=True, sharex=True)
    least = min((values / values.max()).min() for values in (gradient, *alone, *after))
    for ax, steps, title in zip(axes, (alone, after), ("from this gradient alone", "after many mini-batches")):
        for y, values in enumerate([gradient, *steps]):
            ax.plot([least / 1.5, 1], [-y, -y], color="0.85", linewidth=0.8, zorder=0)
            ax.plot(values / values.max(), np.full(len(values), -y), "|", markersize=17, markeredgewidth=2,
                    color=BLACK if y else GREY)
        ax.set(xscale="log", xlim=(least / 1.5, 1.5), title=title, xlabel="singular value, of the largest")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(-np.arange(len(alone) + 1), ["the gradient", *(METHODS[name][2] for name in UPDATES)])
    return figure
