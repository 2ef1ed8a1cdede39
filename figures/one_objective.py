"""Every row of Zheng's Table 1 is the least of one objective: they differ in what they take for H and what they allow.

Each method takes a step d on the net of the figure "matrices".  Beside its name stand its choices: what curvature is
taken for H, with what structure, how it is gathered over time, and what limits the step.  The objective is always
gᵀd + (1 / 2η) dᵀH′d, and d may be anything, or ‖d‖_H′ ≤ ε, or ‖d_i‖_H′ ≤ ε |ĝ_i|, or ‖d_i‖_H′ ≤ ε.  The least of it
is what the method does, to so many digits as stand on the right: the loop against the formula, with an H′ made without
the loop.  A dot is an eigenvector of H′: to the right its eigenvalue λ, upwards how far the step goes along it for its
gradient, |d̂_i| / |ĝ_i|, both by powers of ten and to the same scale.  Without a limit, or with one on the whole, it
falls like 1/λ; with ε |ĝ_i| like 1/√λ; with ε for each it is a cloud, since then the gradient does not matter.

Three rows differ from the paper's: K-FAC draws its labels from the model (F, not F̃); AdaHessian divides by the
curvature and not by its root, unless its power is ½; Sophia limits |d_i|, not ‖d_i‖_H′.  There is no momentum.

Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Table 1.          Lecture 9.
"""
from inspect import signature

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import block_diag

from figures.making.style import BLACK, BLUE, METHODS
from figures.matrices import NETWORK, problem
from numopt.linalg import damped, dense
from numopt.optimizers import (
    adagrad, adahessian, adam, damped_newton, eigenbasis_normalized, full_matrix_adagrad, gradient_descent,
    gradient_norm_normalized, kfac, lbfgs, natural_gradient, normalized_descent, normalized_natural_gradient, shampoo,
    sign_descent, soap, sophia)
from numopt.optimizers.diagonal import hutchinson
from numopt.optimizers.kronecker import balance, eigenvectors
from numopt.problems import EmpiricalRisk
from numopt.record import path
from numopt.view import place

WHOLE, GRADIENT, EACH = "whole, $\\varepsilon$", "$\\varepsilon\\,|\\hat{g}_i|$", "$\\varepsilon$"
PLAIN = "$|d_i|\\leq\\varepsilon$"
# How the words of numopt.view are written here; a limit that is not here does not bind, with the settings below.
WORDS = {"whole": WHOLE, "each by gradient": GRADIENT, "each": EACH, "each number at most": PLAIN,
         "|H|": "$|H|$", "F": "$F$", "F̃": "$\\tilde{F}$", "changes of g": "pairs $s, y$",
         "H sampled": "$H$, sampled", "H or F sampled": "$H$, sampled", "LI": "$L\\,I$", "rank 2": "rank 2 each",
         "G ⊗ A": "$G\\otimes A$", "√(L ⊗ R)": "$(L\\otimes R)^{1/2}$", "diagonal turned": "diag., turned",
         "diagonal": "diagonal", "diagonal by row": "diagonal", "sum": "sum", "average": "average",
         "last pairs": "last 10"}
SETTINGS = {
    "damped_newton": {},
    "natural_gradient": {"solver": "dense"},
    "normalized_natural_gradient": {},
    "gradient_norm_normalized": {},
    "eigenbasis_normalized": {},
    "gradient_descent": {},
    "normalized_descent": {},
    "sign_descent": {},
    "lbfgs": {},
    "kfac": {"labels": "exact", "kappa": 1e100, "mu": 0.0, "every": 1},
    "shampoo": {"every": 1},
    "soap": {"beta1": 0.0, "weight_decay": 0.0},
    "full_matrix_adagrad": {},
    "adagrad": {},
    "adam": {"beta1": 0.0},
    "adahessian": {"beta1": 0.0, "block": 1},
    "sophia": {"beta1": 0.0, "k": 1, "weight_decay": 0.0, "gamma": 1.0}}
LOOPS = {loop.__name__: loop for loop in (
    damped_newton, natural_gradient, normalized_natural_gradient, gradient_norm_normalized, eigenbasis_normalized,
    gradient_descent, normalized_descent, sign_descent, lbfgs, kfac, shampoo, soap, full_matrix_adagrad, adagrad,
    adam, adahessian, sophia)}


def choices(method):
    """What the method says of its place in Table 1, in the words of the picture: curvature, structure, time, limit."""
    limit, curvature, structure, over_time = place(method)
    over_time = over_time.removesuffix("momentum").removesuffix(", ")
    return (WORDS.get(curvature, ""), WORDS[structure] if structure else "full", WORDS.get(over_time, ""),
            WORDS.get(limit, ""))


# The method, its settings; curvature, structure, over time, limit.
ROWS = [(name, settings, *choices(LOOPS[name])) for name, settings in SETTINGS.items()]


def least(g, H, limit, eta, epsilon):
    """The d with the least gᵀd + (1 / 2η) dᵀHd under the limit; η may be infinite where there is one."""
    lam, Q = np.linalg.eigh(H)
    g_hat = Q.T @ g
    most = {WHOLE: epsilon / np.sqrt(np.sum(g_hat**2 / lam)), GRADIENT: epsilon * np.sqrt(lam),
            EACH: epsilon * np.sqrt(lam) / np.maximum(np.abs(g_hat), 1e-300)}
    rates = np.minimum(eta, most.get(limit, np.inf))
    d = Q @ (-rates * g_hat / lam)
    return np.clip(d, -epsilon, epsilon) if limit == PLAIN else d  # where H is diagonal, each has its own parabola


def average(terms, beta, start=0.0):
    """The moving average of the terms, corrected for its start at zero; or not, if start is None."""
    weights = (1 - beta) * beta**np.arange(len(terms))[::-1]
    total = np.tensordot(weights, np.array(terms), axes=1)
    return total if start is None else total / weights.sum()


def of_layers(left, right):
    """The matrix that multiplies vec(W), row by row, as L W R does, for every layer."""
    return block_diag(*(np.kron(L, R) for L, R in zip(left, right)))


def power(A, p):
    lam, Q = np.linalg.eigh(A)
    return Q * lam**p @ Q.T


def taken_for_H(name, losses, theta, damping):
    """H′ made of what all the mini-batches say at θ, without the loop."""
    loss = losses[-1]
    g = [batch.gradient(theta) for batch in losses]
    G = [loss.blocks(g_t) for g_t in g]
    if name in ("gradient_descent", "normalized_descent", "sign_descent"):
        return np.eye(theta.size)
    if name == "adagrad":
        return np.diag((np.sqrt(np.square(g).sum(axis=0)) + 1e-10)**2)
    if name == "adam":
        return np.diag((np.sqrt(average(np.square(g), 0.999)) + 1e-8)**2)
    if name == "full_matrix_adagrad":
        return np.transpose(g) @ g + 1e-10 * np.eye(theta.size)
    if name == "shampoo":
        L, R = ([1e-4 * np.eye(len(side(G_i))) + sum(side(G_t[i]) @ side(G_t[i]).T for G_t in G)
                 for i, G_i in enumerate(G[0])] for side in (np.asarray, np.transpose))
        return of_layers([power(L_i, 0.5) for L_i in L], [power(R_i, 0.5) for R_i in R])
    if name == "soap":
        few = 1 - 0.95  # the loop's factor: where eigenvalues are zero the eigenvectors hang on the last digit
        T = of_layers(eigenvectors([few * (G_i @ G_i.T) for G_i in G[0]]),
                      eigenvectors([few * (G_i.T @ G_i) for G_i in G[0]]))
        v = average([(T.T @ g_t)**2 for g_t in g[1:]], 0.95)
        return T * (np.sqrt(v) + 1e-8)**2 @ T.T
    if name == "kfac":
        of_batches = [batch.kronecker_factors(theta, labels="exact") for batch in losses]
        A, factors = ([sum(pairs[i][side] for pairs in of_batches) / len(losses) for i in range(len(G[0]))]
                      for side in (0, 1))
        pi = [balance(A_i, G_i) for A_i, G_i in zip(A, factors)]
        return of_layers([damped(G_i, damping**0.5 / pi_i) for G_i, pi_i in zip(factors, pi)],
                         [damped(A_i, damping**0.5 * pi_i) for A_i, pi_i in zip(A, pi)])
    if name in ("adahessian", "sophia"):
        D = [hutchinson(batch, theta, 0, t) for t, batch in enumerate(losses, start=1)]
        return np.diag(np.sqrt(average(np.square(D), 0.999)) + 1e-4 if name == "adahessian"
                       else np.maximum(average(D, 0.99, start=None), 1e-12))
    return damped(dense(loss.fisher(theta), theta.size), damping)


def secant(pairs):
    """What the last pairs make of the multiple of I that the very last suggests: BFGS for H, not for its inverse."""
    s, y = pairs[-1]
    B = y @ y / (s @ y) * np.eye(len(s))
    for s, y in pairs:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    return B


def absolute(loss, theta, damping):
    """H with |λ| + damping for every λ."""
    lam, Q = np.linalg.eigh(dense(loss.hessian(theta), theta.size))
    return Q * (np.abs(lam) + damping) @ Q.T


def compute(batches=6, batch_size=20, lr=0.01, damping=1e-3):
    """For every row the eigenvalues of H′, |d̂| / |ĝ| along them, and how far the loop is from the formula."""
    whole, theta = problem()
    theta = path(adam(whole, theta, lr=0.03), 30)[-1]
    risk = EmpiricalRisk(NETWORK, whole.X, whole.Y, batch_size=batch_size)
    losses = [risk.loss(t) for t in range(1, batches + 1)]
    lam, ratio, apart = [], [], []
    for name, settings, *_, limit in ROWS:
        extra = {"damping": damping} if "damping" in signature(LOOPS[name]).parameters else {}
        if "lr" not in signature(LOOPS[name]).parameters:  # a search finds the rate, on the whole
            run = LOOPS[name](whole, theta, **extra)
            before = path(run, batches if name == "lbfgs" else 0)[-1]
            H = secant(run.memory["pairs"]) if name == "lbfgs" else absolute(whole, theta, damping)
            g, d = whole.gradient(before), next(run) - before
            rates = {"eta": d @ H @ d / -(g @ d), "epsilon": np.inf}
        else:
            run = LOOPS[name](risk, theta, lr=lambda t: lr * (t == batches), **settings, **extra)
            d = path(run, batches)[-1] - theta
            H, g = taken_for_H(name, losses, theta, damping), losses[-1].gradient(theta)
            rates = {"eta": lr if limit in ("", PLAIN) else np.inf, "epsilon": lr}
        values, Q = np.linalg.eigh(H)
        g_hat, d_hat, expected = Q.T @ g, Q.T @ d, Q.T @ least(g, H, limit, **rates)
        seen = np.abs(g_hat) > 1e-9 * np.abs(g_hat).max()  # where F is 0 there is none, and rounding has no sign
        apart.append(np.linalg.norm((d_hat - expected)[seen]) / np.linalg.norm(expected[seen]))
        seen &= values > 1e-9 * values.max()  # Sophia's guard stands where its estimate is negative
        lam.append(np.where(seen, values, np.nan))
        ratio.append(np.divide(np.abs(d_hat), np.abs(g_hat), out=np.full(d_hat.shape, np.nan), where=seen))
    return {"lam": np.array(lam), "ratio": np.array(ratio), "apart": np.array(apart)}


def draw(lam, ratio, apart):
    height = 0.36
    figure = plt.figure(figsize=(6.9, height * (len(ROWS) + 1.6)), layout="none")
    ax = figure.add_axes([0, 0, 1, 1])
    ax.set(xlim=(0, 6.9), ylim=(-len(ROWS) - 0.2, 1.4))
    ax.set_axis_off()
    middles = [np.sqrt(np.nanquantile(x, few, axis=1) * np.nanquantile(x, 1 - few, axis=1))
               for x, few in ((lam, 0), (ratio, 0.02))]
    decades = 0.3 + np.log10(np.nanmax(lam, axis=1) / middles[0]).max()
    columns = {"for H": 2.17, "structure": 3.07, "over time": 4.05, "limit": 4.9}
    for title, x in {"method": 0.08, **columns, "digits": 6.34}.items():
        ax.text(x, 0.75, title, weight="bold", fontsize=9.5, va="center")
    ax.text(5.72, 0.75, "by λ", weight="bold", fontsize=9.5, va="center")
    for y, ((name, _, *choices), values, along, distance) in enumerate(zip(ROWS, lam, ratio, apart, strict=True)):
        ax.axhline(0.5 - y, color="0.85", linewidth=0.7)
        ax.text(0.08, -y, METHODS[name][2], fontsize=9.5, va="center")
        for x, choice in zip(columns.values(), choices, strict=True):
            ax.text(x, -y, choice or "–", fontsize=9.5, va="center", color=BLACK if choice else "0.6")
        ax.text(6.75, -y, f"{-np.log10(distance):.0f}", fontsize=9.5, va="center", ha="right")
        inset = ax.inset_axes([5.68, -y - 0.43, 0.52, 0.86], transform=ax.transData)
        inset.loglog(values, along, ".", color=BLUE, markersize=2.2)
        for limits, middle in ((inset.set_xlim, middles[0][y]), (inset.set_ylim, middles[1][y])):
            limits(middle / 10**decades, middle * 10**decades)
        inset.set(xticks=[], yticks=[])
        inset.tick_params(which="both", length=0)
        inset.minorticks_off()
        inset.spines[:].set(visible=True, color="0.75", linewidth=0.6)
    return figure
