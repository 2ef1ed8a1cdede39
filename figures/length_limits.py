"""A limit on the whole step only shifts a natural gradient; one for every eigenvector flattens what is long.

The length ‖d_i‖_H = √λ_i |d̂_i| of one step along each eigenvector of a quadratic with 61 curvatures λ, whose gradient
waves up and down.  Grey, in all panels, the natural gradient −ĝ/λ, which is longest where the curvature is small.  Blue
on the left, steps that are normalized: as a whole, to ‖d‖_H = ε, which keeps the shape; along each eigenvector to the
length ε |ĝ_i|, which keeps only the waves of the gradient; or to ε, which keeps nothing.  Blue on the right, the
clipped forms: the natural gradient, wherever it is shorter than that.

Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Section 1.          Lecture 9.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE
from numopt.optimizers import (
    clipped_natural_gradient, eigenbasis_clipped, eigenbasis_normalized, gradient_norm_clipped,
    gradient_norm_normalized, natural_gradient, normalized_natural_gradient)
from numopt.optimizers.natural import anatomy
from numopt.problems import quadratic_with

LAM = np.geomspace(1e-3, 1e3, 61)
G_HAT = np.exp(np.cos(np.linspace(0, 7 * np.pi, 61)))


def limited_by(whole, gradient, eigenvector):
    """(method, its keywords): the natural gradient, and it with each kind of limit."""
    return [(natural_gradient, {"solver": "dense"}),
            (normalized_natural_gradient, {"lr": whole}), (clipped_natural_gradient, {"epsilon": whole}),
            (gradient_norm_normalized, {"lr": gradient}), (gradient_norm_clipped, {"epsilon": gradient}),
            (eigenbasis_normalized, {"lr": eigenvector}), (eigenbasis_clipped, {"epsilon": eigenvector})]


def compute(whole=10.0, gradient=1.0, eigenvector=1.0):
    """The lengths along the eigenvectors, with these three limits ε."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((LAM.size, LAM.size)))
    valley, theta = quadratic_with(LAM, Q), Q @ (G_HAT / LAM)
    steps = [next(method(valley, theta, curvature="hessian", damping=0.0, **limits)) - theta
             for method, limits in limited_by(whole, gradient, eigenvector)]
    return {"lengths": np.array([anatomy(valley.A, valley.gradient(theta), d).lengths for d in steps])}


def draw(lengths):
    figure, axes = plt.subplots(3, 2, figsize=(6, 6.6), sharex=True, sharey=True)
    natural, *limited = lengths
    words = ["$\\|d\\|_H = \\varepsilon$", "$\\|d\\|_H \\leq \\varepsilon$",
             "$\\|d_i\\|_H = \\varepsilon\\,|\\hat{g}_i|$", "$\\|d_i\\|_H \\leq \\varepsilon\\,|\\hat{g}_i|$",
             "$\\|d_i\\|_H = \\varepsilon$", "$\\|d_i\\|_H \\leq \\varepsilon$"]
    for ax, length, word in zip(axes.flat, limited, words):
        ax.loglog(LAM, natural, color="0.75", linewidth=4)
        ax.loglog(LAM, length, color=BLUE)
        ax.text(0.95, 0.95, word, color=BLUE, transform=ax.transAxes, ha="right", va="top")
    axes[0, 0].set_title("normalized")
    axes[0, 1].set_title("clipped")
    axes[0, 0].text(3e-2, 13, "natural gradient", color="0.4", rotation=-30, ha="left", va="center")
    for ax in axes[2]:
        ax.set(xlabel="curvature $\\lambda_i$", xticks=[1e-3, 1e0, 1e3])
    for ax in axes[:, 0]:
        ax.set_ylabel("$\\|d_i\\|_H$")
    return figure
