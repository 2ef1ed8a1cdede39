"""Seen along the eigenvectors of the curvature, methods differ in which of them they serve: the flat or the steep.

One step d of each method of Zheng's Table 1 from the same point, made as long as gains it most.  Left in each half, how
its length is shared out, ‖d_i‖_H, from the flattest eigenvector to the steepest; right, its gain Δ_i as a share of the
most there is to gain along that eigenvector, downwards where it loses (a point is where it loses more than there is
room for); and as a number its whole gain Δ_d, as a share of Newton's, ½ ‖g̃‖²_H.  (At this length Δ_d = ½
‖d‖²_H.  Normalized forms have the same d at another length.) The rings are Zheng's formulas, where he has one, with
their misprints corrected.

The quadratic has ten curvatures from 1 to 1,000, in directions of chance, and much the same to gain along each.  The
net is that of the figure "matrices" after its 30 steps, with H the Fisher matrix and 0.001 I, and its 131 eigenvectors
in ten groups; the steepest have been served in those steps, and whoever serves them most now overshoots there.
What a method remembers it has gathered at that point, from single examples: on the quadratic there are none, so Adam
is sign descent there, and Shampoo gradient descent.  L-BFGS knows ten steps.  There is no momentum, as in the paper.

Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Table 1.          Lecture 9.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, VERMILION
from figures.matrices import NETWORK, problem
from numopt.linalg import damped, dense
from numopt.optimizers import (
    adahessian, adam, eigenbasis_normalized, gradient_descent, gradient_norm_normalized, kfac, lbfgs, natural_gradient,
    shampoo, sign_descent, sophia)
from numopt.optimizers.natural import anatomy
from numopt.problems import EmpiricalRisk, quadratic_with
from numopt.record import path

LEAST = -0.3  # where a loss is cut off
# What a step is proportional to along an eigenvector, in Zheng's formulas.
FORMULAS = {"Newton, natural": lambda lam, g_hat: -g_hat / lam,
            "GN-normalized": lambda lam, g_hat: -g_hat / np.sqrt(lam),
            "eigenbasis norm.": lambda lam, g_hat: -np.sign(g_hat) / np.sqrt(lam),
            "gradient descent": lambda lam, g_hat: -g_hat}
METHODS = {
    "Newton, natural": partial(natural_gradient, solver="dense"),
    "GN-normalized": gradient_norm_normalized,
    "eigenbasis norm.": eigenbasis_normalized,
    "gradient descent": gradient_descent,
    "sign descent": sign_descent,
    "L-BFGS": lbfgs,
    "K-FAC": partial(kfac, mu=0.0, labels="exact"),
    "Shampoo": partial(shampoo, every=200),
    "Adam": partial(adam, beta1=0.0),
    "AdaHessian": partial(adahessian, beta1=0.0, block=1),
    "Sophia": partial(sophia, beta1=0.0, gamma=1e6, k=1, weight_decay=0.0)}  # so large a gamma that nothing is clipped
OF_SINGLE_EXAMPLES = "Shampoo", "Adam", "AdaHessian", "Sophia"


def first_step(name, loss, theta, curvature, damping, examples):
    """θ₁ − θ₀, after the method has gathered what it remembers at θ₀; None where the problem cannot answer it."""
    method, memory = METHODS[name], {}
    if name in list(FORMULAS)[:3]:
        method = partial(method, curvature=curvature, damping=damping)
    if name == "K-FAC":
        method = partial(method, damping=damping)
    if name == "Sophia":
        method = partial(method, estimator="G" if curvature == "fisher" else "H")
    if name == "L-BFGS":
        run = method(loss, theta)
        path(run, 10)
        memory = {"pairs": run.memory["pairs"]}
    if name in OF_SINGLE_EXAMPLES:
        run = method(examples, theta, lr=0.0)
        path(run, 200)
        memory = run.memory
    try:
        return next(method(loss, theta, **memory)) - theta
    except NotImplementedError:
        return None


def dissected(H, *arguments):
    """For every method λ, ĝ and d̂ of its step; d̂ is not a number where there is no step."""
    loss, theta, *_ = arguments
    found = []
    for name in METHODS:
        d = first_step(name, *arguments)
        seen = anatomy(H, loss.gradient(theta), np.full(theta.size, np.nan) if d is None else d)
        found.append([seen.lam, seen.g_hat, seen.d_hat])
    return np.array(found)


def compute(damping=1e-3, condition=1000.0, seed=1, steps=30):
    """`condition` and `seed` are those of the quadratic, `damping` and `steps` those of the net."""
    if not 1 <= condition < np.inf or not 0 < damping < np.inf:
        raise ValueError(f"condition = {condition:g} must be at least 1 and damping = {damping:g} above 0")
    lam, random = np.geomspace(1, condition, 10), np.random.default_rng(seed)
    Q, _ = np.linalg.qr(random.standard_normal((10, 10)))
    valley = quadratic_with(lam, Q)
    quadratic = dissected(valley.A, valley, Q @ (random.uniform(0.5, 1.5, 10) / np.sqrt(lam)), "hessian", 0.0, valley)
    loss, theta = problem()
    theta = path(adam(loss, theta, lr=0.03), steps)[-1]
    H = damped(dense(loss.fisher(theta), theta.size), damping)
    net = dissected(H, loss, theta, "fisher", damping, EmpiricalRisk(NETWORK, loss.X, loss.Y, batch_size=1))
    return {"quadratic": quadratic, "net": net}


def best(lam, g_hat, d_hat):
    """d̂ at the length at which it gains most: there gᵀd = −dᵀHd."""
    return -(g_hat @ d_hat) / (lam @ d_hat**2) * d_hat


def shares(lam, g_hat, d_hat, groups=10):
    """Of a step at its best length: ‖d_i‖_H / ‖d‖_H and Δ_i / (ĝ_i² / 2λ_i) for each group, and Δ_d / ½‖g̃‖²_H."""
    d_hat = best(lam, g_hat, d_hat)
    squares, gains, most = lam * d_hat**2, -(g_hat * d_hat + lam * d_hat**2 / 2), g_hat**2 / (2 * lam)
    squares, gains, most = (np.array([part.sum() for part in np.array_split(values, groups)])
                            for values in (squares, gains, most))
    return np.sqrt(squares / squares.sum()), gains / most, gains.sum() / most.sum()


def draw(quadratic, net):
    figure, axes = plt.subplots(1, 4, figsize=(6, 0.9 + 0.5 * len(METHODS)), sharey=True,
                                width_ratios=[1, 1.45, 1, 1.45])
    y = -np.arange(len(METHODS))
    for (lengths, gains), steps, title in [(axes[:2], quadratic, "quadratic"), (axes[2:], net, "net")]:
        for name, base, step in zip(METHODS, y, steps):
            if np.isnan(step).any():
                lengths.text(4.5, base, "–", ha="center", va="bottom", color=GREY)
                continue
            length, gain, whole = shares(*step)
            lengths.bar(np.arange(10), 0.75 * length, bottom=base, color=BLACK)
            up, down = np.clip(gain, 0, 1), np.clip(gain, LEAST, 0)
            gains.bar(np.arange(10), 0.75 * up, bottom=base, color=BLUE)
            gains.bar(np.arange(10), 0.75 * down, bottom=base, color=VERMILION)
            for cut in np.flatnonzero(gain < LEAST):
                gains.plot(cut, 0.75 * LEAST - 0.06 + base, "v", color=VERMILION, markersize=4)
            gains.text(14.8, base + 0.2, f"{100 * whole:.0f}%", ha="right")
            if name in FORMULAS:
                length, gain, _ = shares(*step[:2], FORMULAS[name](*step[:2]))
                ring = {"marker": "o", "markersize": 3, "linestyle": "none", "markerfacecolor": "white",
                        "markeredgecolor": BLACK, "markeredgewidth": 0.8}
                lengths.plot(0.75 * length + base, **ring)
                gains.plot(0.75 * np.clip(gain, LEAST, 1) + base, **ring)
        lengths.set_title(f"{title}\nlength", loc="left")
        gains.set_title("\ngain", loc="left")
        gains.set_title("all", loc="right")
    for ax in axes:
        ax.hlines(y, -0.6, 9.6, color="0.75", linewidth=0.8)
        ax.set(xticks=[0, 9], ylim=(y[-1] - 0.35, 1))
        ax.set_xticklabels(["flat", "steep"], fontsize=9)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    axes[0].set_yticks(y + 0.25, METHODS)
    return figure
