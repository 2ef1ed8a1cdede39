"""The further uphill SAM asks for its gradient, the less sharp is the net where it trains, at an edge of its own.

A net of 64-16-10 units on 100 handwritten digits, with squared error and whole batches at the rate η = 0.4.  Above, the
largest eigenvalue of the Hessian, for four distances ρ; at ρ = 0 it is gradient descent, and rises to 2 / η (dashed).
In the middle, the same divided by the curvature at which a step of SAM would change the sign of what is left along it,
‖g‖ / (2 ρ) (√(1 + 8 ρ / (η ‖g‖)) − 1), which falls with ‖g‖.  Below, the loss: what it costs.  Lines are means over
four seeds, of weights and digits, and bands reach from the least to the most.  (Of 28 others 25 stay so near to
the edge, within a quarter; three train for long at 1.4 to 1.6 times it, by descent, and one of them at ρ = 0.2 as well,
at 1.2 to 1.5 times it, as roundings have it.)  At ρ = 0.6 it is so still; at 1, a third of the length of all weights at
the start, the loss ends above its start.

Made for this course, after Foret et al. (2021) and Long and Bartlett (2024).          Lecture 13.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, PURPLE, VERMILION, band, end_labels
from numopt.data import digits
from numopt.linalg import power_iteration
from numopt.networks import SquaredError, mlp
from numopt.optimizers import sam
from numopt.problems import MiniBatch

COLORS = BLACK, VERMILION, BLUE, PURPLE
LINES = "-", "--", "-.", (0, (7, 1.8))


def problem(seed, n=100):
    """The loss of a net on some of the digits, and where its training starts."""
    X, Y, *_ = digits()
    some, network = np.random.default_rng(seed).permutation(len(X))[:n], mlp([64, 16, 10], loss=SquaredError())
    return MiniBatch(network, X[some], np.eye(10)[Y[some]]), network.initial(seed=seed, scale=0.5)


def edge(rate, rho, length):
    """The curvature λ at which η λ (1 + ρ λ / ‖g‖) is 2."""
    return 2 / rate if rho == 0 else length / (2 * rho) * (np.sqrt(1 + 8 * rho / (rate * length)) - 1)


def compute(rate=0.4, rhos=(0.0, 0.05, 0.1, 0.2), seeds=(0, 1, 2, 3), steps=800, every=40):
    """Arrays (rho, seed, time)."""
    found = []
    for rho in rhos:
        for seed in seeds:
            loss, theta = problem(seed)
            v = None
            for t, theta in zip(range(1, steps + 1), sam(loss, theta, lr=rate, rho=rho)):
                if t % every == 0:
                    largest, v = power_iteration(loss.hessian(theta), theta.size, start=v, steps=30, tolerance=0.03)
                    f, g = loss.value_and_gradient(theta)
                    found.append((largest, largest / edge(rate, rho, np.linalg.norm(g)), f))
    sharpness, share, losses = np.moveaxis(np.reshape(found, (len(rhos), len(seeds), -1, 3)), -1, 0)
    return {"rate": rate, "rhos": np.array(rhos), "steps": np.arange(every, steps + 1, every),
            "sharpness": sharpness, "share": share, "losses": losses}


def draw(rate, rhos, steps, sharpness, share, losses):
    figure, axes = plt.subplots(3, 1, figsize=(6, 6.6), sharex=True, height_ratios=[3, 2, 2])
    axes[0].axhline(2 / rate, color="0.6", linewidth=1.2, linestyle="--")
    axes[1].axhline(1, color="0.6", linewidth=1.2, linestyle="--")
    axes[0].set(ylabel="sharpness", ylim=(0, 1.1 * sharpness.max()))
    axes[1].set(ylabel="share of its edge", ylim=(0, 1.15 * share.max()))
    axes[2].set(ylabel="loss", yscale="log", xlabel="step", xlim=(0, steps[-1]))
    for ax, curves in zip(axes, (sharpness, share, losses)):
        ends = []
        for rho, rows, color, line in zip(rhos, curves, COLORS, LINES):
            band(ax, steps, rows, color, line)
            ends.append((f"$\\rho = {rho:g}$", rows[:, -1].mean(), color))
        if ax is not axes[1]:
            end_labels(ax, ends)
    return figure
