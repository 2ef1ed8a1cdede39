"""One gradient, nine arrows: what a method calls one step decides which way is steepest.

Shaded is every step d that a method calls no longer than one, and the arrow is the one of them that goes furthest down:
there a level line of gᵀd touches the set.  The gradient, dotted, is the same in all panels, and so is the curvature H.
From top to bottom it is taken for L I, for its diagonal, and as it is (Zheng's structure approximation); from left to
right the limit is one for the whole length ‖d‖_H, one of ε |ĝ_i| for each eigenvector, which is one for the length that
the root of H measures, and one of ε for each eigenvector (his length limitation).  Nine loops take the steps, and not
these sets.  Methods that estimate H by something else than H stand where they would stand if the estimate were right.

After Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Table 1.          Lecture 9.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, VERMILION, arrow
from numopt.optimizers import (
    eigenbasis_normalized, gradient_descent, gradient_norm_normalized, natural_gradient, normalized_descent,
    sign_descent)
from numopt.problems import quadratic_with

STRUCTURES = "LI", "diagonal", "full"
LIMITS = "whole", "gradient", "eigenvector"
NAMES = [["normalized descent", "gradient descent", "sign descent"],
         ["Sophia, AdaHessian", "AdaGrad, RMSProp", "(none)"],
         ["Newton, natural", "full AdaGrad, Shampoo", "eigenbasis norm."]]
SETS = [["$\\sqrt{L}\\ \\|d\\|\\leq 1$", "$L^{1/4}\\ \\|d\\|\\leq 1$", "$\\sqrt{L}\\ |d_i|\\leq 1$"],
        ["$\\sum H_{ii}\\ d_i^2\\leq 1$", "$\\sum\\sqrt{H_{ii}}\\ d_i^2\\leq 1$", "$\\sqrt{H_{ii}}\\ |d_i|\\leq 1$"],
        ["$d^T H d\\leq 1$", "$d^T H^{1/2}d\\leq 1$", "$\\sqrt{\\lambda_i}\\ |\\hat{d}_i|\\leq 1$"]]


def structured(H, structure):
    """The eigenvalues and eigenvectors of what is taken for H."""
    if structure == "LI":
        return np.full(len(H), np.linalg.eigvalsh(H)[-1]), np.eye(len(H))
    return np.linalg.eigh(H) if structure == "full" else (np.diag(H), np.eye(len(H)))


def length(d, H, structure, limit):
    """How long a method calls a step: the one number that is at most 1 within its set."""
    lam, Q = structured(H, structure)
    d_hat = Q.T @ d
    if limit == "eigenvector":
        return (np.sqrt(lam) * np.abs(d_hat)).max()
    return np.sqrt((lam if limit == "whole" else np.sqrt(lam)) @ d_hat**2)


def loops(structure):
    """The methods of a row, one for each limit."""
    if structure == "LI":
        return normalized_descent, gradient_descent, sign_descent
    how = {"curvature": "hessian", "damping": 0.0}
    natural = {"solver": "dense" if structure == "full" else "diagonal"}
    return [lambda valley, theta, method=method, extra=extra: method(valley, theta, **how, **extra)
            for method, extra in [(natural_gradient, natural), (gradient_norm_normalized, {"structure": structure}),
                                  (eigenbasis_normalized, {"structure": structure})]]


def compute(lam=(1.0, 12.0), turn=0.5, slope=0.35, points=1440):
    """The rims of the sets, the steps made as long as that, the gradient and H; angles in radians."""
    Q = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    valley = quadratic_with(lam, Q)
    g = -np.array([np.cos(slope), np.sin(slope)])
    theta = np.linalg.solve(valley.A, g)
    angles = np.linspace(0, 2 * np.pi, points + 1)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    rims, steps = [], []
    for structure in STRUCTURES:
        for limit, loop in zip(LIMITS, loops(structure)):
            rims.append([d / length(d, valley.A, structure, limit) for d in around])
            d = next(loop(valley, theta)) - theta
            steps.append(d / length(d, valley.A, structure, limit))
    return {"rims": np.array(rims), "steps": np.array(steps), "g": g, "H": valley.A}


def draw(rims, steps, g, H):
    figure, axes = plt.subplots(3, 3, figsize=(6.4, 6.9))
    for k, (ax, rim, d) in enumerate(zip(axes.flat, rims, steps)):
        i, j = divmod(k, len(LIMITS))
        far = 1.25 * np.abs(rim).max()
        ax.fill(*rim.T, color=BLUE, alpha=0.18, linewidth=0)
        ax.plot(*rim.T, color=BLUE, linewidth=1.2)
        ax.plot(*np.array([[0, 0], -far * g / np.linalg.norm(g)]).T, ":", color=GREY, linewidth=1.6)
        along = np.array([-g[1], g[0]]) / np.linalg.norm(g)
        ax.plot(*np.array([d - 3 * far * along, d + 3 * far * along]).T, "--", color=BLACK, linewidth=0.9)
        arrow(ax, (0, 0), d, VERMILION)
        ax.set(xlim=(-far, far), ylim=(-far, far), xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.set_title(f"{SETS[i][j]}\n{NAMES[i][j]}", fontsize=9.5)
    axes[0, 0].text(*(-1.3 * np.abs(rims[0]).max() * g / np.linalg.norm(g)), "$-g$", color=GREY, ha="left", va="center")
    for ax, text in zip(axes[:, 0], ("$H\\approx L\\,I$", "diagonal of $H$", "$H$ itself")):
        ax.set_ylabel(text)
    for ax, text in zip(axes[-1], ("limit on the whole", "limit $\\varepsilon\\ |\\hat{g}_i|$ each",
                                   "limit $\\varepsilon$ each")):
        ax.set_xlabel(text)
    return figure
