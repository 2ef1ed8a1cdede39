"""The loss of a network on data: on one mini-batch after the other, and on all of it.          Lecture 1.

    risk = EmpiricalRisk(network, X, Y, batch_size=128, seed=0)
    risk.loss(t)            the mini-batch of step t: a function of (seed, t) and of nothing else
    risk.whole              the mean over all the data
"""
from functools import cached_property

import numpy as np

from numopt.networks.layers import is_whole
from numopt.networks.models import checked_seed
from numopt.problems.minibatch import ORDER, MiniBatch, constant, symmetric
from numopt.problems.objective import Objective


class Whole(Objective):
    """The mean loss over all the data, in the memory of one batch: everything is added up batch by batch.

    Dropout drops nothing here, and a network with batch normalisation needs the `statistics` to use.
    """

    def __init__(self, network, X, Y, batch_size=256, statistics=None):
        if not is_whole(batch_size) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}; it must be a whole number of at least 1")
        X = network.checked_inputs(X)
        Y = network.loss.checked(Y, len(X), network.output_size)
        self.size, self.n = network.size, len(X)
        self.batches = [MiniBatch(network, X[i:i + batch_size], Y[i:i + batch_size], seed=(0, i), training=False,
                                  statistics=statistics, checked=True) for i in range(0, len(X), batch_size)]

    def __repr__(self):
        return f"<the loss on all {self.n} examples, for {self.batches[0].network.brief()}>"

    def shares(self):
        """(share of the examples, batch) one after the other; none of several keeps what it knows."""
        for batch in self.batches:
            yield batch.n / self.n, batch
            if len(self.batches) > 1:
                batch._kept = None

    def value(self, theta):
        return sum(share * batch.value(theta) for share, batch in self.shares())

    def gradient(self, theta):
        return sum(share * batch.gradient(theta) for share, batch in self.shares())

    def value_and_gradient(self, theta):
        f, g = 0.0, 0.0
        for share, batch in self.shares():
            value, gradient = batch.value_and_gradient(theta)
            f, g = f + share * value, g + share * gradient
        return f, g

    def accuracy(self, theta):
        """The share of examples whose largest output is that of their label, or of their largest target."""
        return sum(share * batch.accuracy(theta) for share, batch in self.shares())

    def blocks(self, vector):
        return self.batches[0].blocks(vector)

    def operator(self, theta, matrix):
        """The mean of the batches' matrices, each of which is made anew for every product."""
        if len(self.batches) == 1:
            return matrix(self.batches[0], theta)
        theta = constant(theta)
        return symmetric(lambda v: sum(share * (matrix(batch, theta) @ v) for share, batch in self.shares()), theta)

    def hessian(self, theta):
        return self.operator(theta, MiniBatch.hessian)

    def gauss_newton(self, theta):
        return self.operator(theta, MiniBatch.gauss_newton)

    def fisher(self, theta, samples=None, seed=None):
        def of_batch(batch, theta):
            return batch.fisher(theta, samples, seed if seed is None else [*np.ravel(seed), batch.seed[-1]])

        return self.operator(theta, of_batch)

    def sampled_fisher(self, theta):
        return self.fisher(theta, samples=1)

    def empirical_fisher(self, theta):
        return self.operator(theta, MiniBatch.empirical_fisher)


class EmpiricalRisk:
    """A problem made of a network and data: at step t, the loss on the t-th mini-batch.

    Every epoch goes once through the data, in an order that is a function of (seed, epoch); the last batch of an
    epoch is smaller where batch_size does not divide the number of examples.  So two methods given the same seed see
    the same batches, and a run that goes on from step t sees what it would have seen.
    """

    def __init__(self, network, X, Y, batch_size=None, seed=0):
        self.network, self.X = network, network.checked_inputs(X)
        self.Y = network.loss.checked(Y, len(self.X), network.output_size)
        self.size, self.n = network.size, len(self.X)
        self.batch_size = self.n if batch_size is None else batch_size
        if not is_whole(self.batch_size) or not 1 <= self.batch_size <= self.n:
            raise ValueError(f"batch_size is {batch_size!r}; with {self.n} examples it must be a whole number "
                             f"from 1 to {self.n}, or None for all of them")
        self.seed = checked_seed(seed)
        self.steps_per_epoch = -(-self.n // self.batch_size)
        self._order = None, None

    def __repr__(self):
        return (f"<EmpiricalRisk on {self.n} examples, {self.batch_size} a mini-batch, seed {self.seed}, for "
                f"{self.network.brief()}>")

    def __getattr__(self, name):
        if hasattr(MiniBatch, name) and not name.startswith("_"):
            raise AttributeError(f"EmpiricalRisk has no {name}: that is asked of risk.whole, all the data, or of "
                                 f"risk.loss(t), the mini-batch of step t")
        raise AttributeError(f"EmpiricalRisk has no {name!r}; it has loss, losses, whole, n, size, batch_size, "
                             f"steps_per_epoch, seed and network")

    def loss(self, t):
        """The mini-batch of step t = 1, 2, 3, ..."""
        if not is_whole(t) or t < 1:
            raise ValueError(f"steps are counted from 1; there is no mini-batch of step {t!r}")
        epoch, i = divmod(t - 1, self.steps_per_epoch)
        chosen = self.order(epoch)[i * self.batch_size:(i + 1) * self.batch_size]
        return MiniBatch(self.network, self.X[chosen], self.Y[chosen], seed=(self.seed, t), checked=True)

    def losses(self, after=0):
        return Objective.losses(self, after)

    def order(self, epoch):
        """The order of the examples in that epoch."""
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch, ORDER]).permutation(self.n)
        return self._order[1]

    @cached_property
    def whole(self):
        """The objective over all the data, in the memory of 256 examples or of a batch, whichever is more."""
        return Whole(self.network, self.X, self.Y, max(self.batch_size, 256))

    def blocks(self, vector):
        return self.network.blocks(vector)
