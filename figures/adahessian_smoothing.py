"""Divided by the curvature of one place, or of one draw, a step may lead anywhere; an average can mostly be trusted.

Above, a bowl with ripples that can hardly be seen: f falls towards 0 everywhere, but its curvature, 1 in the mean, goes
from −2 to 4.  AdaHessian at the rate 1, from six places: with beta2 = 0 it divides by the |f″| of the place, and where
that is nearly zero the step leads far away; with beta2 = 0.999 it divides by the root of the mean of all f″² so far,
and arrives from all six.  (Of the squares: that root is 2.3 for these ripples, not the 1 of the bowl.  It does not
arrive from everywhere, but from 19 of 21 places from 2.5 to 4.5: the first average is of one value, and where f″ is
nearly zero that step leads far away.)

Below, a net of 64-16-10 units on the handwritten digits.  For each step the curvature D of the weights is estimated
from one draw on 64 images.  Without an average the loss explodes at 0.1 and more, averages over time allow 0.3 (with
17 of 20 seeds), and quicker still there are those of |D| over the inputs of each unit as well (with all 20), which is
what the authors' program takes.  In the mean of D itself, as the paper has it, much cancels, and where little is left
the step is too long: at 0.3 it does not get there, with any of the 20.  At 1 none does that has not an average of |D|,
and that one with 3 of 20.

Kashyap (2022), Figure 14, after Yao et al. (2021), on our own problems; there, 1000 iterations and 7.       Lecture 10.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, ORANGE
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adahessian
from numopt.problems import EmpiricalRisk, Function
from numopt.record import path

STARTS = np.linspace(3, 4, 6)
X = np.linspace(-4, 4, 801)
WAYS = {"nothing": {"beta2": 0.0, "block": 1},
        "over time": {"block": 1},
        "over time, D over units": {},
        "over time, |D| over units": {"averaging": "absolute"}}
TARGET, MOST = 0.2, 80


def rippled(ripples, frequency):
    """A bowl whose second derivative is one with ripples."""
    return Function(lambda theta: theta[0]**2 / 2 + ripples / frequency**2 * (1 - np.cos(frequency * theta[0])),
                    jac=lambda theta: theta + ripples / frequency * np.sin(frequency * theta),
                    hess=lambda theta: np.diag(1 + ripples * np.cos(frequency * theta)), size=1)


def steps_to_target(risk, theta, lr, **how):
    """How many steps it takes, counted in fives; infinite where the loss explodes, nan where there are not enough."""
    loss = risk.whole
    for t, theta in zip(range(1, MOST + 1), adahessian(risk, theta, lr=lr, **how)):
        if t % 5 == 0:
            f = loss.value(theta)
            if f < TARGET:
                return t
            if f > 10:
                return np.inf
    return np.nan


def compute(ripples=3.0, frequency=10.0, rates=(0.01, 0.03, 0.1, 0.3), steps=140, seed=0):
    F = rippled(ripples, frequency)
    curvature = [F.hessian(np.array([x]))[0, 0] for x in X]
    runs = {name: np.array([path(adahessian(F, np.array([theta]), lr=1.0, beta2=beta2), steps)[:, 0]
                            for theta in STARTS]) for name, beta2 in [("local", 0.0), ("averaged", 0.999)]}
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    risk, start = EmpiricalRisk(network, images, labels, batch_size=64, seed=seed), network.initial(seed=seed)
    counts = [[steps_to_target(risk, start, lr, **how) for lr in rates] for how in WAYS.values()]
    return runs | {"ripples": ripples, "rates": np.array(rates), "f": np.array([F.value(np.array([x])) for x in X]),
                   "curvature": np.array(curvature), "steps": np.array(counts)}


def draw(local, averaged, ripples, rates, f, curvature, steps):
    figure = plt.figure(figsize=(7, 5.6))
    above, below = figure.add_gridspec(2, 1, height_ratios=[1.5, 1])
    left, right = above.subgridspec(1, 2, width_ratios=[1, 1.35])
    bowl, bends = (figure.add_subplot(place) for place in left.subgridspec(2, 1))
    bowl.plot(X, f, color=BLACK)
    bowl.set(title="$f$", xticks=[], ylim=(0, max(9, f.max())))
    bends.plot(X, curvature, color=BLACK, linewidth=1)
    bends.set(title="$f\\,''$", xlabel="$\\theta$", yticks=[1 - ripples, 1, 1 + ripples])
    way = figure.add_subplot(right)
    way.semilogy(np.abs(local).T, color=ORANGE, linewidth=1)
    way.semilogy(np.abs(averaged).T, color=BLUE, linewidth=1.4)
    way.set(title="distance from the minimum", xlabel="step", ylim=(1e-5, 1e5), xlim=(0, local.shape[1] - 1))
    way.text(75, 2e3, "divided by $|f\\,''|$", color=ORANGE, ha="right")
    way.text(4, 1.2e-4, "divided by\nan average", color=BLUE, va="center")
    table = figure.add_subplot(below)
    table.imshow(np.where(np.isfinite(steps), steps, np.nan), cmap="cividis_r", vmin=0, vmax=180, aspect="auto")
    for i, j in np.ndindex(steps.shape):
        count = steps[i, j]
        word = f"{count:.0f}" if np.isfinite(count) else "explodes" if np.isinf(count) else f"over {MOST}"
        table.text(j, i, word, ha="center", va="center", color=BLACK if np.isfinite(count) else "0.4")
    table.set(xticks=range(len(rates)), xticklabels=[f"{rate:g}" for rate in rates], xlabel="rate",
              yticks=range(len(WAYS)), yticklabels=WAYS, title=f"digits: steps to a loss of {TARGET}, averaging ...")
    table.tick_params(length=0)
    table.spines[:].set_visible(False)
    return figure
