"""Averages of iterates, and of batches.          Lecture 13.

Polyak's average, Lookahead, and both passes of batch normalisation.
"""
import numpy as np

from lectures.assignments import Claim, between, bowl, call, run

BLANKS = {"numopt.optimizers.averaging": ["polyak", "lookahead"],
          "numopt.kernels.normalization": ["normalized", "normalized_backward"]}

ALSO = {"numopt.kernels.normalization": ["wide", "repeated", "folded", "add_rows", "add_squares", "normalize",
                                         "add_products", "put_back"],
        "numopt.networks.normalization": ["BatchNorm.evaluated", "BatchNorm.evaluated_backward", "BatchNorm.jvp",
                                          "BatchNorm.r_normalize", "BatchNorm.r_backward"],
        "numopt.optimizers.around": ["decayed", "by_layer"]}


def inner(random):
    return {"bound": "numopt.optimizers.momentum.momentum", "to": {"lr": between(random, 1e-3, 1e-2), "mu": 0.7}}


def averaged(method, steps=8, **how):
    return lambda random: run(method, bowl(random), random.standard_normal(4), steps, inner=inner(random), **how)


def drawn(random, deviation=3.0):
    """x, γ and β of a few channels."""
    n, channels = random.integers(3, 7, 2)
    return deviation * random.standard_normal((n, channels)) + 1, *random.standard_normal((2, channels))


def forward(deviation, eps):
    def job(random):
        x, gamma, beta = drawn(random, deviation)
        return call("numopt.kernels.normalization.normalized", x, gamma, beta, eps) | {
            "results": ["y", "x_hat", "s", "mean", "variance"]}
    return job


def backward(random):
    x, gamma, _ = drawn(random)
    s = 1 / np.sqrt(x.var(axis=0) + 1e-5)
    return call("numopt.kernels.normalization.normalized_backward", random.standard_normal(x.shape),
                (x - x.mean(axis=0)) * s, gamma, s) | {"results": ["dx", "dgamma", "dbeta"]}


CLAIMS = [
    Claim("polyak", "The mean of all iterates so far is handed out, and the inner method does not notice.",
          averaged("polyak"), 2),
    Claim("polyak", "With a window it is the mean of the last few.", averaged("polyak", window=3), 2),
    Claim("polyak", "It goes on from its memory.", averaged("polyak", stops=4), 1, shown=False),
    Claim("lookahead", "After k steps of the inner method the slow weights go part of the way to the fast ones.",
          averaged("lookahead", steps=4, k=3, alpha=0.5), 3),
    Claim("lookahead", "It goes on from its memory, wherever α leads.",
          lambda random: run("lookahead", bowl(random), random.standard_normal(4), 4, stops=2, k=2,
                             alpha=float(random.uniform(0.2, 0.9)), inner=inner(random)), 2, shown=False),
    Claim("normalized", "Every channel has mean β and standard deviation γ over the batch.", forward(3.0, 1e-5), 3),
    Claim("normalized", "A channel that hardly varies is not blown up: ε is added to the variance.",
          forward(0.01, 1e-3), 1, shown=False),
    Claim("normalized_backward", "A derivative goes back through the mean and the variance, too.", backward, 4),
]
