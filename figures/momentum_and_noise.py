"""Momentum does not average noise away: what is left is what descent leaves at the rate η / (1 − μ).

A bowl of curvature 1, with noise of standard deviation 1 in every derivative, as if it came from mini-batches.  Left,
the mean squared distance from the minimum at rest against μ, for two rates: the points are measured, in 400 coordinates
over 300 steps; the lines are η (1 + μ) / ((1 − μ) (2 (1 + μ) − η)), and dashed is the level of gradient descent at
η / (1 − μ), as far as that is stable: for a small rate they are one.  Right, the first coordinate of momentum at
η = 0.01, μ = 0.9 and of descent at 0.1, under the same noise: the same wandering, only smoother.

Made for this course; equations 2.5 and 3.9 of the lectures.          Lecture 3.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, METHODS, VERMILION
from numopt.optimizers import gradient_descent, momentum
from numopt.problems import Noisy, Quadratic
from numopt.record import path


def level(lr, mu):
    """Equation 3.9 for λ = σ = 1."""
    return lr * (1 + mu) / ((1 - mu) * (2 * (1 + mu) - lr))


def compute(rates=(0.01, 0.3), mus=(0.0, 0.3, 0.6, 0.8, 0.9, 0.95), size=400, steps=300, seed=0):
    bowl = Noisy(Quadratic(np.eye(size)), 1.0, seed)
    left = np.zeros((len(rates), len(mus)))
    for i, lr in enumerate(rates):
        for j, mu in enumerate(mus):
            begin = np.sqrt(level(lr, mu)) * np.random.default_rng([seed, i, j]).standard_normal(size)
            x = path(momentum(bowl, begin, lr=lr, mu=mu), 2 * steps)[steps:]
            left[i, j] = np.mean(x**2)
    heavy = path(momentum(bowl, np.zeros(size), lr=0.01, mu=0.9), steps)[:, 0]
    plain = path(gradient_descent(bowl, np.zeros(size), lr=0.1), steps)[:, 0]
    return {"rates": np.array(rates), "mus": np.array(mus), "left": left, "heavy": heavy, "plain": plain}


def draw(rates, mus, left, heavy, plain):
    figure, (levels, walk) = plt.subplots(1, 2, figsize=(7.4, 3.8))
    mu = np.linspace(0, max(mus), 200)
    for lr, measured, color, marker in zip(rates, left, [BLUE, VERMILION], "os"):
        levels.semilogy(mu, level(lr, mu), color=color, linewidth=1.4)
        levels.semilogy(mus, measured, color=color, marker=marker, linestyle="", label=f"η = {lr:g}, measured")
        higher = lr / (1 - mu)
        stable = higher < 1.9
        levels.semilogy(mu[stable], level(higher[stable], 0), color=BLACK, linestyle="--", linewidth=1.2,
                        label="descent at η / (1 − μ)" if lr == rates[-1] else None)
    levels.set(xlabel="share of the velocity that is kept, μ", title="squared distance that stays")
    levels.legend(loc="upper left", fontsize=9)
    walk.axhline(0, color="0.75", linewidth=0.8)
    walk.plot(plain, color=METHODS["gradient_descent"][0], linewidth=0.9, label="descent, η = 0.1")
    walk.plot(heavy, color=METHODS["momentum"][0], linewidth=2, label="momentum, η = 0.01, μ = 0.9")
    top = 1.1 * max(np.abs(plain).max(), np.abs(heavy).max())
    walk.set(xlabel="step", title="one coordinate", ylim=(-top, 1.5 * top))
    walk.legend(loc="upper left", fontsize=9)
    return figure
