"""A learned rate goes after the lowest point of the loss along the gradient, which moves on with every step.

A net of 64-16-10 units on 300 handwritten digits, in whole batches.  Each curve is f(η) = L(w − η g), the loss after a
step of rate η from where the net is, as a share of f(0): at the 1st, the 9th and the 24th step of a rate that learns by
Newton's method.  The ring is the rate that the step was taken with, the dot the rate of the next step.  The first steps
only double it, as far as a step may; where it is free, Newton's method takes it near the lowest point.  (From other
starts, not always as near, but nearer than it was, nine times of ten.)  But that is the lowest point along this g, and
that of the next curve may lie far away: here one step in five ends above f(0).

Ravaut and Gorti (2018), Sections 3 and 4.2.          Lecture 5.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.moving import animation
from figures.making.style import BLACK, BLUE, GREY
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import newton_rate
from numopt.problems import EmpiricalRisk


def etas(lowest=0.02, highest=200.0):
    """The rates at which the loss is looked at."""
    return np.geomspace(lowest, highest, 120)


def compute(shown=(1, 9, 24), lr=0.05, steps=60, lowest=0.02, highest=200.0, examples=300):
    if max(shown) > steps:
        raise ValueError(f"of {steps} steps, step {max(shown)} cannot be shown")
    if not 0 < lowest < highest:
        raise ValueError(f"lowest = {lowest} and highest = {highest}: 0 < lowest < highest is needed")
    X, Y, *_ = digits()
    if examples > len(X):
        raise ValueError(f"examples = {examples}: there are {len(X)}")
    network = mlp([64, 16, 10])
    risk = EmpiricalRisk(network, X[:examples], Y[:examples])
    run = newton_rate(risk, network.initial(seed=0), lr=lr)
    curves, rates = [], [lr]
    for _ in range(steps):
        theta, g = run.theta, risk.whole.gradient(run.theta)
        curves.append([risk.whole.value(theta - eta * g) / risk.whole.value(theta) for eta in etas(lowest, highest)])
        next(run)
        rates.append(run["lr"])
    if not lowest <= min(rates) <= max(rates) <= highest:
        raise ValueError(f"the rates of the steps go from {min(rates):.2g} to {max(rates):.2g}, and lowest and highest "
                         f"are {lowest:g} and {highest:g}: they must be as far apart at least")
    return {"shown": np.array(shown), "curves": np.array(curves), "rates": np.array(rates), "lowest": lowest,
            "highest": highest}


def along(curve, rate, lowest=0.02, highest=200.0):
    """The height of a curve at a rate."""
    return np.interp(np.log(rate), np.log(etas(lowest, highest)), curve)


def dress(ax, lowest, highest):
    ax.set(xscale="log", xlim=(lowest, highest), ylim=(0, 1.7), xlabel="rate η of the step")


def draw(shown, curves, rates, lowest, highest):
    between = lowest, highest
    figure, axes = plt.subplots(1, len(shown), figsize=(6.5, 2.9), sharey=True, squeeze=False)
    axes = axes[0]
    for ax, step in zip(axes, shown):
        curve, rate, after = curves[step - 1], *rates[step - 1:step + 1]
        ax.plot(etas(*between), curve, color=BLACK)
        ax.axhline(1, color=GREY, linestyle=":", linewidth=1)
        ax.plot(rate, along(curve, rate, *between), "o", color=BLUE, markerfacecolor="white", markersize=8,
                markeredgewidth=1.8)
        ax.plot(after, along(curve, after, *between), "o", color=BLUE, markersize=7)
        dress(ax, *between)
        ax.set_title(f"step {step}")
    axes[0].set_ylabel("f(η) / f(0)")
    return figure


def animate(shown, curves, rates, lowest, highest):
    """Step by step: f(η) with the rate and the next one, and the rates so far."""
    between = lowest, highest
    figure, (above, below) = plt.subplots(2, 1, figsize=(5, 5), height_ratios=[1.4, 1])
    curve, = above.plot(etas(*between), curves[0], color=BLACK)
    ring, = above.plot([], [], "o", color=BLUE, markerfacecolor="white", markersize=9, markeredgewidth=1.8)
    dot, = above.plot([], [], "o", color=BLUE, markersize=8)
    above.axhline(1, color=GREY, linestyle=":", linewidth=1)
    dress(above, *between)
    above.set_ylabel("f(η) / f(0)")
    below.semilogy(etas(*between)[curves.argmin(axis=1)], color=GREY, linewidth=1)
    below.text(0.98, 0.08, "grey: the lowest point of each curve", transform=below.transAxes, ha="right", fontsize=9)
    learned, = below.plot([], [], color=BLUE)
    below.set(xlabel="step", ylabel="rate", xlim=(0, len(curves)), ylim=(1.5 * lowest, highest))

    def show(frame):
        k = frame // 2
        curve.set_ydata(curves[k])
        ring.set_data([rates[k]], [along(curves[k], rates[k], *between)])
        dot.set_data([rates[k + 1]], [along(curves[k], rates[k + 1], *between)] if frame % 2 else [np.nan])
        learned.set_data(range(k + 1), rates[:k + 1])
        above.set_title(f"step {k + 1}", y=1)
        return curve, ring, dot, learned, above.title

    return animation(figure, show, 2 * len(curves))
