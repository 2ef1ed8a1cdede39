"""Noise shaped like the curvature reaches steep eigenvectors by gradient descent, and flat ones by Newton's method.

The net is that of the figure "matrices" after its 30 steps, with H the Fisher matrix and 0.001 I, and Σ the covariance
of its gradient from one example.  Zheng takes Σ for kH.  Above on the left, Σ along each eigenvector of H, and kλ: it
is right within a factor of two, but for the flat end, where much of λ is the 0.001.  On the right, the noise along each
in a step A g, E‖d_ξi‖², where g is the mean of B = 20 examples: dots, in 2,000 such batches; lines, kα²/Bλ, kα²/B and
kα²λ/B.  Below, what it adds to the expected loss, N_b = ½ E[d_ξᵀ H d_ξ]: in those batches, by the formula with Σ (dots
within the rings), and with kH.  Zheng prints α in place of α², or leaves it out, and has no n for Newton's method: the
crosses are what comes of it, at α = 0.1.

Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Section 2.          Lecture 9.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, METHODS, VERMILION
from figures.matrices import problem
from numopt.linalg import damped, dense, inverse_root
from numopt.optimizers import adam
from numopt.optimizers.natural import noise
from numopt.record import path

NAMES = "Newton's method", "GN-normalized", "gradient descent"
COLORS = [METHODS[name][0] for name in ("newton", "gradient_norm_normalized", "gradient_descent")]
POWERS = 2, 1, 0  # A is α H^(-p/2)


def compute(alpha=0.1, batch_size=20, batches=2000, damping=1e-3):
    loss, theta = problem()
    theta = path(adam(loss, theta, lr=0.03), 30)[-1]
    H = damped(dense(loss.fisher(theta), theta.size), damping)
    gradients = loss.per_example_gradients(theta)
    Sigma = np.cov(gradients.T, bias=True)
    k = np.trace(Sigma) / np.trace(H)
    lam, Q = np.linalg.eigh(H)
    # A batch of examples drawn one by one is how often it has each of them.
    counts = np.random.default_rng(0).multinomial(batch_size, np.full(loss.n, 1 / loss.n), batches)
    xi = counts / batch_size @ (gradients - gradients.mean(axis=0))
    sampled, squares, exact = [], [], []
    for A in (alpha * np.linalg.inv(H), alpha * inverse_root(H, 2), alpha * np.eye(theta.size)):
        d = (xi @ A.T) @ Q
        sampled.append((d**2 @ lam).mean() / 2)
        squares.append((d**2).mean(axis=0))
        exact.append(noise(H, A, Sigma / batch_size).increase)
    return {"alpha": alpha, "batch_size": batch_size, "damping": damping, "lam": lam, "k": np.array(k),
            "sigma": np.diag(Q.T @ Sigma @ Q), "sampled": np.array(sampled),
            "squares": np.array(squares), "exact": np.array(exact),
            "distance": np.array(np.linalg.norm(Sigma - k * H) / np.linalg.norm(Sigma))}


def predicted(lam, k, alpha, B):
    """N_b for each method if Σ = kH: ½ k/B α² tr H^(2 - p)."""
    return np.array([k / B * alpha**2 * np.sum(lam**(2 - p)) / 2 for p in POWERS])


def printed(lam, k, alpha, B):
    """The same as Zheng prints it."""
    return np.array([k / B * alpha / 2, k / B * alpha * lam.sum() / 2, k / B * np.sum(lam**2) / 2])


def draw(alpha, batch_size, damping, lam, sigma, k, sampled, squares, exact, distance):
    figure, panels = plt.subplot_mosaic([["sigma", "noise"], ["increase", "increase"]], figsize=(6, 5.6),
                                        height_ratios=[1.5, 1])
    ax, beside, below = panels.values()
    seen = lam > 1.5 * damping
    ends = np.array([lam[seen][0], lam[-1]])
    ax.loglog(lam[seen], sigma[seen], ".", color=BLACK, markersize=5)
    ax.loglog(ends, k * ends, color=BLUE)
    ax.text(0.05, 0.95, "$e_i^T\\,\\Sigma\\,e_i$", transform=ax.transAxes, va="top")
    ax.text(0.95, 0.05, f"$k\\lambda_i$, $k$ = {k:.2f}", transform=ax.transAxes, ha="right", color=BLUE)
    ax.set(xlabel="curvature $\\lambda_i$", title="noise, against curvature")
    for p, square, color in zip(POWERS, squares, COLORS):
        beside.loglog(lam[seen], square[seen], ".", color=color, markersize=4)
        beside.loglog(ends, k * alpha**2 / batch_size * ends**(1 - p), color=color)
    corners = [(0.98, 0.93, "right"), (0.02, 0.585, "left"), (0.98, 0.03, "right")]
    for name, color, (x, y, where) in zip(NAMES, COLORS, corners):
        beside.text(x, y, name, color=color, ha=where, transform=beside.transAxes)
    beside.set(xlabel="curvature $\\lambda_i$", title="noise in a step")
    y, by_kH, wrong = np.arange(3)[::-1], *(form(lam, k, alpha, batch_size) for form in (predicted, printed))
    below.plot(sampled, y, "o", color=BLACK, markersize=9, markerfacecolor="white", markeredgewidth=1.5)
    below.plot(exact, y, ".", color=BLACK, markersize=7)
    below.plot(by_kH, y, "|", color=BLUE, markersize=16, markeredgewidth=2.5)
    below.plot(wrong, y, "x", color=VERMILION, markersize=8, markeredgewidth=2)
    for x, text, color, where in [(wrong[0], "as printed", VERMILION, "center"),
                                  (sampled[0], "in batches", BLACK, "right"),
                                  (by_kH[0], " by kH", BLUE, "left")]:
        below.text(x, 2.3, text, color=color, ha=where)
    all_of_them = np.concatenate([wrong, exact, sampled, by_kH])
    below.set(xscale="log", ylim=(-0.5, 2.8),
              xlim=(min(1e-3, 0.8 * all_of_them.min()), max(0.2, 1.2 * all_of_them.max())),
              xlabel="what the noise adds to the loss, $N_b$")
    below.set_yticks(y, NAMES)
    return figure
