"""Eight misprints, each beside what is meant: what is printed climbs, diverges, or misses what it is to meet.

Grey and dashed what is printed, blue what is meant.  A minimum clips nothing that is negative.  Taylor's second order,
without its α, is −gᵀg for a step of no length.  Lookahead's weights add up to more than 1.  An eigenbasis step without
√λ leaves the length ε.  Gauss-Newton, conjugate gradients and BFGS without their minus go uphill.  BFGS without
its plus never comes near the inverse.  A velocity without a rate runs away.  A guard that is added to f″ itself makes
the quotient infinite where it should keep it finite.

Ravasi's lecture notes; Kashyap (2022), Sections 3.1 to 3.3 and 3.7; Zheng (2023), Section 1; Ravaut and Gorti (2018),
equations 17 and 18.          Lecture 14.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE
from numopt.optimizers import bfgs, momentum, nonlinear_cg
from numopt.optimizers.quasi_newton import bfgs_update
from numopt.problems import LeastSquares, Quadratic
from numopt.record import path

VALLEY = LeastSquares(lambda x: np.sqrt(2) * np.array([10 * (x[1] - x[0]**2), 1 - x[0]]),
                      lambda x: np.sqrt(2) * np.array([[-20 * x[0], 10], [-1, 0]]))
PRINTED, MEANT = {"color": "0.5", "linestyle": "--"}, {"color": BLUE, "linestyle": "-"}


def compute(most=1.0, keep=0.6, epsilon=1.0, gamma=0.9, lr=0.05, delta=0.5, start=(0.0, 1.0), steps=12, seed=0):
    """Pairs of rows, the printed one first."""
    g = np.linspace(-3, 3, 61)
    clip = [np.minimum(g, most), np.clip(g, -most, most)]

    rates, bowl, theta = np.linspace(0, 1, 51), Quadratic(np.diag([1.0, 3.0])), np.array([1.0, -1.0])
    slope = bowl.gradient(theta)
    gg, bend = slope @ slope, rates**2 * (slope @ bowl.A @ slope) / 2
    change = np.array([bowl.value(theta - rate * slope) - bowl.value(theta) for rate in rates])

    T = 5  # excursions; the last weight is that of the start
    ages = np.arange(T)
    weights = [np.append(keep * (1 - keep)**np.minimum(ages, T - 2), (1 - keep)**(T - 1)),
               np.append(keep * (1 - keep)**ages, (1 - keep)**T)]

    lam = np.geomspace(0.1, 10, 5)
    lengths = np.sqrt(lam) * epsilon * np.array([np.ones(5), lam**-0.5])

    return {"g": g, "clip": np.array(clip), "rates": rates, "change": change,
            "taylor": np.array([-gg + bend, -rates * gg + bend]), "ages": np.arange(T + 1),
            "weights": np.array(weights), "lam": lam, "lengths": lengths, **minus(np.array(start)),
            "errors": learned(steps, seed), "velocity": ran(gamma, lr), **guarded(delta)}


def minus(start):
    """Cosines of the gradient with the directions of GN, CG and BFGS, as printed and as meant: above 0 is uphill."""
    J, g = VALLEY.jacobian(start), VALLEY.gradient(start)
    newton = np.linalg.solve(J.T @ J, g)
    g_cg, p = third(nonlinear_cg, start)  # p = −g + β d, with d the direction before
    g_bfgs, q = third(bfgs, start)        # q = −M g
    pairs = [(g, newton, -newton), (g_cg, p + 2 * g_cg, p), (g_bfgs, -q, q)]
    return {"slopes": np.array([[g @ d / np.linalg.norm(g) / np.linalg.norm(d) for d in both] for g, *both in pairs]).T}


def third(method, start):
    """The gradient and the direction of the third step of a method in the valley."""
    run = method(VALLEY, start)
    for _ in zip(range(3), run):
        pass
    return run["g"], run["p"]


def learned(steps, seed):
    """Distances of BFGS's M to the inverse, by the formula as printed and as meant, with the same exact pairs."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((4, 4))
    H = root @ root.T / 4 + np.eye(4)
    printed, meant, errors = np.eye(4), np.eye(4), []
    inverse = np.linalg.inv(H)
    for _ in range(steps + 1):
        errors.append([np.linalg.norm(M - inverse) / np.linalg.norm(inverse) for M in (printed, meant)])
        s = rng.standard_normal(4)
        y = H @ s
        c = s @ y
        last = (np.outer(s, y) @ printed + printed @ np.outer(y, s)) / c
        printed = printed @ ((1 + y @ printed @ y / c) * np.outer(s, s) / c) - last
        meant = bfgs_update(meant, s, y)
    return np.array(errors).T


def ran(gamma, lr, steps=15):
    """The distance from the minimum of ½ · 5 θ² with v = γ v − g, and with v = γ v − α g."""
    bowl = Quadratic([[5.0]])
    return np.abs([path(momentum(bowl, [1.0], lr=rate, mu=gamma), steps)[:, 0] for rate in (1.0, lr)])


def guarded(delta):
    """1 / (f″ + δ), and 1 / (|f″| + δ); at −δ itself the first has no value."""
    bends = np.linspace(-2, 2, 80)
    bends[np.argmin(np.abs(bends + delta))] = -delta
    with np.errstate(divide="ignore"):
        return {"bends": bends, "factors": np.array([1 / (bends + delta), 1 / (np.abs(bends) + delta)])}


def draw(g, clip, rates, change, taylor, ages, weights, lam, lengths, slopes, errors, velocity, bends, factors):
    figure, axes = plt.subplots(2, 4, figsize=(9, 5.2))
    clipping, expansion, look, basis, signs, inverse, speed, guard = axes.ravel()
    pair(clipping, g, clip)
    clipping.set(title="clipping:\nwhat is left", xlabel="derivative", xticks=[-2, 0, 2], yticks=[-2, 0])
    expansion.plot(rates[::5], change[::5], color="black", marker="o", linestyle="none", markersize=4)
    pair(expansion, rates, taylor)
    expansion.set(title="Taylor's step:\nchange of $f$ (dots)", xlabel="rate α")
    bars(look, ages, weights)
    for row, style, y in zip(weights, (PRINTED, MEANT), (0.85, 0.7)):
        look.text(0.97, y, f"sum {row.sum():.2f}", color=style["color"], ha="right", transform=look.transAxes)
    look.set(title="Lookahead:\nweights", xlabel="excursions ago", xticks=ages, xticklabels=[*ages[:-1], "start"])
    pair(basis, lam, lengths, marker="o")
    basis.set(title="eigenbasis step:\nits lengths", xlabel="eigenvalue λ", xscale="log", ylim=(0, None))
    bars(signs, np.arange(3), slopes)
    signs.axhline(0, color="black", linewidth=0.8)
    signs.set(title="no minus:\nslope on the way", xlabel="method", xticks=range(3), xticklabels=["GN", "CG", "BFGS"])
    pair(inverse, np.arange(len(errors[0])), errors)
    inverse.set(title="BFGS without its plus:\nerror of $M$", xlabel="step", yscale="log")
    pair(speed, np.arange(len(velocity[0])), velocity)
    speed.set(title="velocity without α:\ndistance", xlabel="step", yscale="log")
    pair(guard, bends, np.where(np.isfinite(factors), factors, np.nan))
    guard.set(title="guarded quotient:\nfactor of $f′$", xlabel="$f″$", ylim=(-6, 6), yticks=[-5, 0, 5])
    for text, y, style in [("printed", -2.4, PRINTED), ("meant", -0.75, MEANT)]:
        clipping.text(2.9, y, text, color=style["color"], ha="right", va="top")
    return figure


def bars(ax, x, rows):
    """The same side by side."""
    for row, style, shift in zip(rows, (PRINTED, MEANT), (-0.2, 0.2)):
        grey = style is PRINTED
        ax.bar(x + shift, row, width=0.38, color="white" if grey else BLUE, edgecolor=style["color"],
               hatch="////" if grey else None)


def pair(ax, x, rows, **style):
    """What is printed, and what is meant."""
    for row, look in zip(rows, (PRINTED, MEANT)):
        ax.plot(x, row, **look | {"linewidth": 2, "markersize": 5} | style)
