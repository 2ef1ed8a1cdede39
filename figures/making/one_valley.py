"""Every method in the same valley, from the same start, for the same cost.

The valley is the mean squared error of one neuron, tanh(w x + b), on data that another such neuron made: a network of
two weights, so that methods for least squares, for likelihoods and for layers can all be asked to walk in it.
"""
from functools import partial
from inspect import signature

import numpy as np

from numopt import optimizers
from numopt.networks import Dense, Network, SquaredError, Tanh
from numopt.optimizer import Diverged
from numopt.problems import Counted, MiniBatch

START, MINIMUM = np.array([0.0, 1.0]), np.array([1.0, -1.0])
RATES = np.geomspace(1e-3, 1e2, 11)
SETTINGS = {"kfac_martens": {"damping": 1.0}}  # 150 is for losses as large as those of the paper


class Neuron(MiniBatch):
    """½ the mean of (tanh(w x + b) − y)², which is also ½‖r‖²."""

    def __init__(self):
        X = np.linspace(0.5, 2.5, 9)[:, None]
        super().__init__(Network(Dense(1, 1), Tanh(), inputs=1, loss=SquaredError()), X,
                         np.tanh(MINIMUM[0] * X + MINIMUM[1]))

    def residuals(self, theta):
        return (self.network.outputs(theta, self.X) - self.Y).ravel() / np.sqrt(self.n)

    def jacobian(self, theta):
        slope = 1 - self.network.outputs(theta, self.X)**2
        return slope * np.column_stack([self.X, np.ones(self.n)]) / np.sqrt(self.n)


def cost(counted):
    """In gradients: a value is a third of one, and a product with a curvature matrix two."""
    return counted.gradients + 2 * counted.products + counted.values / 3


def walk(method, budget, **settings):
    """The points that a method reaches for so much."""
    counted, points = Counted(Neuron()), [START]
    try:
        for theta in method(counted, START, **settings):
            if cost(counted) > budget or not np.isfinite(theta).all():
                break
            points.append(theta)
    except (Diverged, np.linalg.LinAlgError):
        pass
    return np.array(points)


def candidates(name):
    """The settings to try: a method that needs a rate has one of each size; all else is as it is by default."""
    takes, fixed = signature(getattr(optimizers, name)).parameters, SETTINGS.get(name, {})
    if "inner" in takes:
        return [{"inner": partial(optimizers.gradient_descent, lr=rate), **fixed} for rate in RATES]
    return [{"lr": rate, **fixed} for rate in RATES] if "lr" in takes else [fixed]


def best_walks(name, budget):
    """All walks of the method, and which of them ends lowest."""
    walks = [walk(getattr(optimizers, name), budget, **settings) for settings in candidates(name)]
    return walks, int(np.argmin([Neuron().value(points[-1]) for points in walks]))
