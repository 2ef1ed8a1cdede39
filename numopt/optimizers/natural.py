"""Natural gradients, and the ways to limit the length of their steps.          Lecture 9.

After Zheng, "A Unified View of Optimizers from an Approximated Curvature Perspective", Section 1.  H is any curvature
matrix (`curvature`: "hessian", "gauss_newton", "fisher", "sampled_fisher" or "empirical_fisher"), plus damping · I; its
eigenvalues are λ, its eigenvectors the columns of Q, and a hat marks coordinates along them, ĝ = Qᵀg.  With
structure="diagonal" only the diagonal of H is used, as if Q were I: these are the forms that Adam, AdaHessian and
Sophia approximate.  Each method is one line about d̂; `anatomy` says what any step d gains, and how long it is.
"""
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from numopt.linalg.norms import norm
from numopt.linalg.operators import dense
from numopt.linalg.spectra import solution, without_flat
from numopt.linalg.systems import conjugate_gradient, damped
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def natural_gradient(problem, theta, *, lr=1.0, curvature="fisher", damping=1e-2, solver="cg", cg_steps=50, t=0):
    """Step against the gradient as measured by the distance between what the model says before and after.

    Amari (1998), equation 5; Martens (2020), Section 5.  H⁻¹g comes from so many steps of conjugate gradients, which
    serve networks of any size; with solver="dense" from elimination, for small ones; with "diagonal" from a division.
    (Zheng writes that KL(p(θ) ‖ p(θ + d)) is about ½‖d‖_H; it is half the square, ½‖d‖²_H.)
    In Table 1: curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        H = damped(getattr(loss, curvature)(theta), damping)
        theta = theta - lr(t) * solved(H, g, solver, cg_steps, theta)
        yield theta


@optimizer
def block_tridiagonal(problem, theta, *, lr=1.0, curvature="fisher", damping=1e-2, t=0):
    """A natural gradient that knows what each layer has to do with the next, and infers the rest from that.

    Zheng names the structure; Martens and Grosse (2015), Section 4.3, without their Kronecker products.  Of all
    matrices that are H in the blocks of a layer with itself and with its neighbours, the one of the largest determinant
    has an inverse without other blocks: as if, in a chain, a layer were linked to others through its neighbours alone.
    For nets so small that H can be an array; with one or two layers nothing is left out.
    In Table 1: curvature F; structure blocks of neighbours.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        H = damped(dense(getattr(loss, curvature)(theta), theta.size), damping)
        theta = theta - lr(t) * solved_in_a_chain(H, g, loss.blocks(g))
        yield theta


@optimizer
def normalized_natural_gradient(problem, theta, *, lr=0.1, curvature="fisher", damping=1e-2, structure="full", t=0):
    """A natural gradient step of the length ‖d‖_H = ε, which is lr.

    Zheng, "Normalized Natural Gradient Descent".  (Its diagonal form is printed with the denominator λᵀd², where
    √(Σ g²/λ) is meant.)
    In Table 1: length whole; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        d_hat = -lr(t) * g_hat / lam / (length(g_hat / lam, lam) or 1)
        theta = theta + Q @ d_hat
        yield theta


@optimizer
def gradient_norm_normalized(problem, theta, *, lr=0.1, curvature="fisher", damping=1e-2, structure="full", t=0):
    """Step by H^(−½) g: the length along each eigenvector is ε |ĝ|, however strong its curvature.

    Zheng, "Gradient-Norm Normalized NGD", whose ε is lr.  It gains along every eigenvector if ε < 2/√λ_max.  (Δ_d is
    printed as a matrix times a norm; it is ε gᵀH^(−½)g − ½ε²‖g‖².)
    In Table 1: length each by gradient; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        d_hat = -lr(t) * g_hat / np.sqrt(lam)
        theta = theta + Q @ d_hat
        yield theta


@optimizer
def eigenbasis_normalized(problem, theta, *, lr=0.01, curvature="fisher", damping=1e-2, structure="full", t=0):
    """Step by the sign of the gradient along every eigenvector, to the same length ε there.

    Zheng, "Eigenbasis Normalized NGD", whose ε is lr.  (d̂ is printed as −ε sign(ĝ), without the division by √λ that
    its own formula for d has; so is the gain, ε|ĝ|/√λ − ½ε².)
    In Table 1: length each; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        d_hat = -lr(t) * np.sign(g_hat) / np.sqrt(lam)
        theta = theta + Q @ d_hat
        yield theta


@optimizer
def clipped_natural_gradient(problem, theta, *, lr=1.0, epsilon=0.1, curvature="fisher", damping=1e-2,
                             structure="full", t=0):
    """A natural gradient step, shortened to the length ‖d‖_H = ε where it is longer.

    Zheng, "Clipped NGD", with lr for α: C = ε/α, and the norm in the quotient is not squared, as it is in print.
    In Table 1: length whole at most; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        step = lr(t) * length(g_hat / lam, lam)
        d_hat = -lr(t) * min(1, epsilon / (step or epsilon)) * g_hat / lam
        theta = theta + Q @ d_hat
        yield theta


@optimizer
def gradient_norm_clipped(problem, theta, *, lr=1.0, epsilon=1.0, curvature="fisher", damping=1e-2,
                          structure="full", t=0):
    """A natural gradient step, no longer along any eigenvector than ε |ĝ|.

    Zheng, "Gradient-Norm Clipped NGD", with lr for α: it clips where α > ε √λ, where the curvature is small.
    In Table 1: length each by gradient at most; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        d_hat = -np.minimum(lr(t), epsilon * np.sqrt(lam)) * g_hat / lam
        theta = theta + Q @ d_hat
        yield theta


@optimizer
def eigenbasis_clipped(problem, theta, *, lr=1.0, epsilon=0.02, curvature="fisher", damping=1e-2,
                       structure="full", t=0):
    """A natural gradient step, no longer than ε along any eigenvector.

    Zheng, "Eigenbasis Clipped NGD", with lr for α.  Sophia clips to |d̂| ≤ ε instead, in its diagonal form.
    In Table 1: length each at most; curvature F.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g_hat = Q.T @ loss.gradient(theta)
        most = epsilon / np.sqrt(lam)
        d_hat = -np.clip(lr(t) * g_hat / lam, -most, most)
        theta = theta + Q @ d_hat
        yield theta


def solved(H, g, solver, cg_steps, theta=None):
    """H⁻¹g."""
    if solver == "cg":
        return conjugate_gradient(H, g, steps=cg_steps, theta=theta)
    if solver == "dense":
        H = dense(H, g.size)
        if (d := solution(H, g)) is not None:
            return d
        lam, Q = without_flat(*np.linalg.eigh(H), H, g, theta)
        return Q @ ((Q.T @ g) / lam)
    if solver == "diagonal":
        h = np.diag(dense(H, g.size))
        lam, Q = without_flat(h, np.eye(g.size, dtype=g.dtype), np.diag(h), g, theta)
        return Q @ ((Q.T @ g) / lam)
    raise ValueError(f"solver is {solver!r}; it is cg, dense or diagonal")


def solved_in_a_chain(H, g, layers):
    """The inverse of the chain's matrix times g: what the next layer tells of a layer is taken off, and given back."""
    ends = np.cumsum([0, *(W.size for W in layers)])
    parts = [slice(*pair) for pair in pairwise(ends.tolist())]
    told = [times_inverse(H[b, b], H[b, a]).T for a, b in pairwise(parts)]  # Ψ = H_ab H_bb⁻¹
    left = [H[a, a] - Psi @ H[b, a] for Psi, (a, b) in zip(told, pairwise(parts))]
    d = [times_inverse(S, g[a] - Psi @ g[b]) for S, Psi, (a, b) in zip(left, told, pairwise(parts))]
    d.append(times_inverse(H[parts[-1], parts[-1]], g[parts[-1]]))
    return np.concatenate([d[0], *(d_b - Psi.T @ d_a for d_a, d_b, Psi in zip(d, d[1:], told))])


def times_inverse(H, G):
    """H⁻¹G for a block of a curvature matrix, if there is one."""
    d = solution(H, G)
    if d is None:
        raise ValueError("the curvature matrix of a layer is singular, and the step is not defined: give it some "
                         "damping")
    return d


def eigenbasis(loss, theta, curvature, damping, structure):
    """The eigenvalues of the damped curvature matrix, none below the damping, and its eigenvectors: for small nets.

    Without damping, directions in which neither the matrix nor the gradient has a share are left out.
    """
    if structure not in ("full", "diagonal"):
        raise ValueError(f"structure is {structure!r}; it is full or diagonal")
    H = dense(getattr(loss, curvature)(theta), theta.size)
    lam, Q = np.linalg.eigh(H) if structure == "full" else (np.diag(H), np.eye(theta.size, dtype=theta.dtype))
    if damping == 0:
        H = H if structure == "full" else np.diag(lam)
        lam, Q = without_flat(np.maximum(lam, 0), Q, H, loss.gradient(theta), theta)
    return np.maximum(lam, 0) + damping, Q


def length(d_hat, lam):
    """‖d‖_H = √(dᵀHd)."""
    return norm(np.sqrt(lam) * d_hat)


class Anatomy(NamedTuple):
    """What a step does to the quadratic model of the loss: as a whole, and along each eigenvector (ascending λ)."""

    decrease: float        # Δ_d = −(gᵀd + ½ dᵀHd)
    length: float          # ‖d‖_H
    lam: np.ndarray        # λ_i
    g_hat: np.ndarray      # ĝ_i
    d_hat: np.ndarray      # d̂_i
    decreases: np.ndarray  # Δ_d^i = −(ĝ_i d̂_i + ½ λ_i d̂_i²), which add up to Δ_d
    lengths: np.ndarray    # ‖d_i‖_H = √λ_i |d̂_i|, whose squares add up to ‖d‖²_H


def anatomy(H, g, d):
    """The quantities of Zheng, Section 1, for any step d: by its gain, by its length, and by eigenvector.

    H must be positive semidefinite for lengths to be real.  (The paper defines Δ_d^i with the sign the other way
    round, and then gives all its examples with this one.)
    """
    lam, Q = np.linalg.eigh(dense(H, len(g)))
    g_hat, d_hat = Q.T @ g, Q.T @ d
    decreases, squares = -(g_hat * d_hat + lam * d_hat**2 / 2), np.maximum(lam, 0) * d_hat**2
    return Anatomy(decreases.sum().item(), np.sqrt(squares.sum()).item(), lam, g_hat, d_hat,
                   decreases, np.sqrt(squares))


class Noise(NamedTuple):
    """What the noise of a mini-batch adds to a step: to the expected loss, and along each eigenvector of H."""

    increase: float        # N_b = ½ E[d_ξᵀ H d_ξ]
    lam: np.ndarray        # λ_i
    squares: np.ndarray    # E‖d_ξi‖², the mean squared length along e_i


def noise(H, A, Sigma_b):
    """The noise in a step A g_b, where g_b is the mean gradient of a batch and Sigma_b its covariance.

    Zheng, Section 2: N_b = ½ tr(H A Σ_b Aᵀ).  The covariance of the mean of B examples is Σ/B, and where Σ is near kH,
    Σ_b = kH/B.  Then N_b = ½ (k/B) α² n for A = αH⁻¹, ½ (k/B) α² tr H for A = αH^(−½), and ½ (k/B) α² tr H² for A = αI.
    (The paper has α for α² in the first two, leaves it out of the third, and leaves the n out of the first.)
    """
    lam, Q = np.linalg.eigh(dense(H, len(A)))
    covariance = Q.T @ A @ Sigma_b @ A.T @ Q
    squares = np.diag(covariance)
    return Noise((lam @ squares).item() / 2, lam, squares)
