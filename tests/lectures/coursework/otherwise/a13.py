"""Assignment 13 with sums, and with a derivative by the book."""
from itertools import islice

import numpy as np

from numopt.optimizers.descent import gradient_descent


def polyak(problem, theta, *, inner=gradient_descent, window=None,
           t=0, n=0, average=0.0, last=None, recent=(), memory=None):
    run = inner(problem, theta if last is None else last, **(memory or {"t": t}))
    for last in run:
        n, t, memory = n + 1, run["t"], run.memory
        if window is not None:
            recent = (*recent, last)[-window:]
            average = sum(recent) / len(recent)
        else:
            average = ((n - 1) * average + last) / n
        yield average


def lookahead(problem, theta, *, inner=gradient_descent, k=5, alpha=0.5, t=0, memory=None):
    while True:
        run = inner(problem, theta, **(memory or {"t": t}))
        steps = list(islice(run, k))
        if not steps:
            return
        t, memory = run["t"], run.memory
        theta = (1 - alpha) * theta + alpha * steps[-1]
        yield theta


class BatchNorm:
    def forward(self, w, x, mode):
        gamma, beta = w[::2], w[1::2]
        rows = x.reshape(-1, self.channels)
        if mode.training:
            if len(rows) == 1:
                raise ValueError("one example has no variance")
            mean, variance = np.mean(rows, 0), np.var(rows, 0)
            mode.seen.append((mean, variance))
        else:
            mean, variance = self.given(mode, x.dtype)
        s = (variance + self.eps)**-0.5
        x_hat = s * (rows - mean)
        y = x_hat.copy()
        y *= gamma
        y += beta
        return y.reshape(x.shape), (x_hat, s, mode.training, x.shape)

    def backward(self, w, saved, dy, dw, inputs=True):
        x_hat, s, training, shape = saved
        rows, n = dy.reshape(-1, self.channels), len(x_hat)
        if dw is not None:
            dw[::2] = np.einsum("nc,nc->c", rows, x_hat)
            dw[1::2] = rows.sum(0)
        dx_hat = rows * w[::2]
        if not training:
            return (dx_hat * s).reshape(shape)
        dx = s / n * (n * dx_hat - dx_hat.sum(0) - x_hat * (dx_hat * x_hat).sum(0))
        return dx.reshape(shape)
