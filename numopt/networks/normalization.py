"""Batch normalisation, and the statistics that take the batch's place in evaluation.          Lecture 13."""
from math import inf

import numpy as np

from numopt.kernels.normalization import normalized, normalized_backward
from numopt.networks.layers import Layer, whole


class BatchNorm(Layer):
    """y = γ x̂ + β, where x̂ has mean 0 and variance 1 in every channel over the batch.          Lecture 13.

    Ioffe and Szegedy (2015), Algorithm 1; one matrix [γ | β] of shape (channels, 2).  In evaluation the mean and
    variance are those handed to the mode.  In training each x̂ depends on every example of the batch, so the loss is
    no longer a sum over examples: there are no gradients of single examples and no Fisher matrix of them.
    """

    def __init__(self, channels, eps=1e-5):
        self.channels, self.eps = whole(channels, "BatchNorm: channels"), eps
        if not 0 < eps < inf:
            raise ValueError(f"BatchNorm: eps must be a number above 0, and is {eps!r}: a channel may be constant")
        self.shapes = [(channels, 2)]

    def output_shape(self, shape):
        if shape[-1] != self.channels:
            raise ValueError(f"BatchNorm({self.channels}) is given {shape}, which has {shape[-1]} channels")
        return shape

    def initial(self, random, deviation):
        return np.tile([1.0, 0.0], self.channels)

    def forward(self, w, x, mode):
        gamma, beta = w.reshape(-1, 2).T
        rows = x.reshape(-1, self.channels)
        if mode.training:
            if len(rows) == 1:
                raise ValueError(f"BatchNorm({self.channels}) is given one example to normalise by itself, whose "
                                 "outputs do not depend on it: choose a batch_size that leaves no batch of one, or "
                                 "evaluate with statistics")
            y, x_hat, s, mean, variance = normalized(rows, gamma, beta, self.eps)
            mode.seen.append((mean, variance))
        else:
            y, x_hat, s = self.evaluated(rows, gamma, beta, *self.given(mode, x.dtype))
        return y.reshape(x.shape), (x_hat, s, mode.training, x.shape)

    def given(self, mode, dtype):
        """The next mean and variance of those that the mode was given for evaluation."""
        statistics = next(mode.statistics, None)
        if statistics is None or np.shape(statistics) != (2, self.channels):
            given = "there are none left" if statistics is None else f"is given those of shape {np.shape(statistics)}"
            raise ValueError(f"in evaluation, BatchNorm({self.channels}) needs a mean and a variance of each channel, "
                             f"and {given}; pass statistics=, a pair for every batch normalisation: those of a batch, "
                             f"from MiniBatch.statistics_of(theta), or those that RunningStatistics has kept")
        return np.asarray(statistics, dtype)

    def evaluated(self, x, gamma, beta, mean, variance):
        """(y, x̂, s) with a mean and a variance that are given."""
        s = 1 / np.sqrt(variance + self.eps)
        x_hat = (x - mean) * s
        return gamma * x_hat + beta, x_hat, s

    def backward(self, w, saved, dy, dw, inputs=True):
        gamma, _ = w.reshape(-1, 2).T
        x_hat, s, training, shape = saved
        dy = dy.reshape(x_hat.shape)
        through = normalized_backward if training else self.evaluated_backward
        dx, dgamma, dbeta = through(dy, x_hat, gamma, s)
        if dw is not None:
            dw.reshape(-1, 2).T[:] = dgamma, dbeta
        return dx.reshape(shape)

    def evaluated_backward(self, dy, x_hat, gamma, s):
        """The derivatives by x, γ and β where mean and variance do not change with x."""
        return s * (gamma * dy), (dy * x_hat).sum(axis=0), dy.sum(axis=0)

    def jvp(self, w, saved, v, Rx):
        (gamma, _), (Rgamma, Rbeta) = w.reshape(-1, 2).T, v.reshape(-1, 2).T
        x_hat, s, training, shape = saved
        Rx_hat, Rlog_s = self.r_normalize(saved, Rx)
        return (Rgamma * x_hat + gamma * Rx_hat + Rbeta).reshape(shape), (Rx_hat, Rlog_s)

    def r_normalize(self, saved, Rx):
        """R{x̂}, and R{s} / s, where s = 1 / √(variance + eps)."""
        x_hat, s, training, _ = saved
        Rrows = np.zeros_like(x_hat) if Rx is None else Rx.reshape(x_hat.shape)
        if not training:
            return s * Rrows, np.zeros_like(s)
        Rlog_s = -s * (x_hat * Rrows).mean(axis=0)
        return s * (Rrows - Rrows.mean(axis=0)) + x_hat * Rlog_s, Rlog_s

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        (gamma, _), (Rgamma, _) = w.reshape(-1, 2).T, v.reshape(-1, 2).T
        (x_hat, s, training, shape), (Rx_hat, Rlog_s) = saved, Rsaved
        dx = self.backward(w, saved, dy, None)
        dy, Rdy = dy.reshape(x_hat.shape), Rdy.reshape(x_hat.shape)
        Rdw.reshape(-1, 2).T[:] = (Rdy * x_hat + dy * Rx_hat).sum(axis=0), Rdy.sum(axis=0)
        d, Rd = gamma * dy, Rgamma * dy + gamma * Rdy
        if training:
            Rd = (Rd - Rd.mean(axis=0) - Rx_hat * (d * x_hat).mean(axis=0)
                  - x_hat * (Rd * x_hat + d * Rx_hat).mean(axis=0))
        return dx, (s * Rd).reshape(shape) + Rlog_s * dx

    def pairs(self, w, saved, dy, inputs=True):
        raise NotImplementedError("batch normalisation ties the examples of a batch together: there is no gradient of "
                                  "one example, no Fisher matrix and no Kronecker factor; use gauss_newton or hessian")


class RunningStatistics:
    """Means over the last batches of the statistics of each batch normalisation, to evaluate with.

        running = RunningStatistics(decay=0.9)
        for theta in islice(run, 1000):
            running.saw(risk.loss(run["t"]).statistics_of(theta))
        Whole(network, X, Y, statistics=running.statistics)

    They start with those of the first batch; then each batch has a share of 1 − decay.  Ioffe and Szegedy (2015),
    Algorithm 2, multiply the variance by m / (m − 1), for m numbers of a channel in a batch; here it is as in training.
    `memory`, given back as keyword arguments, goes on from there.
    """

    def __init__(self, decay=0.9, *, statistics=()):
        if not isinstance(decay, (int, float, np.number)) or not 0 <= decay < 1:
            raise ValueError(f"decay is {decay!r}; it must be a number in [0, 1), the share of what was seen before")
        self.decay, self.statistics = float(decay), [np.asarray(pair) for pair in statistics]

    def saw(self, statistics):
        """Take note of a batch's (mean, variance) of each batch normalisation."""
        new = [np.asarray(pair) for pair in statistics]
        if self.statistics and len(new) != len(self.statistics):
            raise ValueError(f"there were {len(self.statistics)} batch normalisations before, and now {len(new)}")
        old = self.statistics or new
        self.statistics = [self.decay * before + (1 - self.decay) * now for before, now in zip(old, new)]

    @property
    def memory(self):
        return {"statistics": self.statistics}
