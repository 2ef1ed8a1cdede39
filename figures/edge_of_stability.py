"""Training makes the loss more curved, until the steps are on the edge of diverging; and there it goes on.

A net of 64-32-10 units on 100 handwritten digits, with squared error and whole batches.  Above, the sharpness (the
largest eigenvalue of the Hessian) under gradient descent: it rises to 2 / η, where on a quadratic gradient descent
would begin to diverge (dashed), for rates η from 0.3 to 0.7.  (At 0.2 and 0.1 the 1,000 steps are not enough: it is
still rising, at three quarters and a third of 2 / η.)  Below, Adam at η = 0.003 and beta2 = 0.99: here it is the
sharpness as Adam sees it, of P^(−½) H P^(−½) with P = diag(√v̂), times η, and the edge is that of gradient descent with
the moving average m: 2 (1 + beta1) / (1 − beta1), which is 38 for the usual 0.9.  (There P changes from step
to step, and without an average the sharpness stays a little above the edge; at η = 0.01, with steps three times as
long, a fifth above it and more, and with the usual average where it was.)

Cohen et al. (2021), Figure 1, and Cohen et al. (2022), Figure 1, remade on another net.          Lectures 2 and 4.
"""
from functools import partial
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import LinearOperator

from figures.making.style import BLACK, BLUE, VERMILION, end_labels
from numopt.data import digits
from numopt.linalg import power_iteration
from numopt.networks import SquaredError, mlp
from numopt.optimizers import adam, gradient_descent
from numopt.problems import MiniBatch

EVERY = 25
COLORS = VERMILION, BLACK, BLUE
EXAMPLES = 100


def problem():
    """The loss of the net on the digits, and where its training starts."""
    X, Y, *_ = digits()
    network = mlp([64, 32, 10], loss=SquaredError())
    return MiniBatch(network, X[:EXAMPLES], np.eye(10)[Y[:EXAMPLES]]), network.initial(seed=0, scale=0.5)


def sharpness(run, loss, steps):
    """The largest eigenvalue of P^(−½) H P^(−½) after every so many steps; P is I for gradient descent."""
    found, v = [], None
    for t, theta in zip(range(1, steps + 1), run):
        if t % EVERY == 0:
            H = loss.hessian(theta)
            if run.name == "adam":
                H = between(H, 1 / np.sqrt(np.sqrt(run["v_hat"]) + 1e-8))
            largest, v = power_iteration(H, theta.size, start=v, steps=30, tolerance=0.03)
            found.append(largest)
    return found


def between(H, root):
    """diag(root) H diag(root)."""
    return LinearOperator(H.shape, lambda u: root * (H @ (root * u.ravel())), dtype=H.dtype)


def compute(rates=(0.5, 0.4, 0.3), betas=(0.9, 0.5, 0.0), adam_rate=0.003, steps=1000):
    loss, theta = problem()
    of_descent = [sharpness(gradient_descent(loss, theta, lr=rate), loss, steps) for rate in rates]
    start = partial(adam, loss, theta, lr=adam_rate, beta2=0.99)
    of_adam = [sharpness(start(beta1=beta1), loss, steps) for beta1 in betas]
    return {"rates": np.array(rates), "betas": np.array(betas), "adam_rate": adam_rate,
            "descent": np.array(of_descent), "adam": np.array(of_adam)}


def edge(beta1):
    """η times the sharpness at which gradient descent with a moving average of gradients begins to diverge."""
    return 2 * (1 + beta1) / (1 - beta1)


def draw(rates, betas, adam_rate, descent, adam):
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 6.4), sharex=True)
    ends, t = {above: [], below: []}, EVERY * np.arange(1, descent.shape[1] + 1)
    for ax, curves, limits, words in [
            (above, descent, [2 / rate for rate in rates], [f"$\\eta = {rate}$" for rate in rates]),
            (below, adam_rate * adam, [edge(beta1) for beta1 in betas], [f"$\\beta_1 = {beta1}$" for beta1 in betas])]:
        for curve, limit, word, color in zip(curves, limits, words, cycle(COLORS)):
            ax.axhline(limit, color=color, linewidth=1.2, linestyle="--")
            ax.plot(t, curve, color=color)
            ends[ax].append((word, limit, color))
    above.set(ylabel="sharpness", title="gradient descent, and $2\\,/\\,\\eta$ (dashed)")
    below.set(xlabel="step", ylabel="sharpness seen by Adam, times $\\eta$",
              title="Adam, and $2\\,(1 + \\beta_1)\\,/\\,(1 - \\beta_1)$",
              yscale="log", yticks=sorted([1, 10, 100, *map(edge, betas)]), xlim=(0, t[-1]))
    below.yaxis.set_major_formatter("{x:g}")
    below.minorticks_off()
    for ax in ends:
        end_labels(ax, ends[ax])
    return figure
