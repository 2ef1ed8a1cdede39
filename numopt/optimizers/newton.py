"""Second-order steps, and how to trust them.          Lecture 6.

Each goes towards where the quadratic model q(p) = f + gᵀp + ½ pᵀHp is least.  Where H has negative curvature there is
no such place, and far from here the model is wrong: the five differ in what they do about that.  The first two make H
an array and are for small problems; the others only multiply with it, and leave the choice of `curvature` to you:
"hessian", "gauss_newton", or any other that the problem answers to.

Numbers are those of Nocedal and Wright, Numerical Optimization (2nd edition, 2006).  (Kashyap (2022) has O(N³) for
computing H, which is N² numbers for the price of N gradients; to solve with it is O(N³).)
"""
import math
from itertools import islice

import numpy as np
from scipy.sparse import diags_array

from numopt.linalg.norms import forcing, inner, norm, reach, unit, widest
from numopt.linalg.operators import Symmetric, dense
from numopt.linalg.spectra import eigenbasis, solution
from numopt.linalg.systems import curved_iterates, damped, steihaug, truncated_conjugate_gradient
from numopt.line_search import backtracking, gain_ratio, remembering, slope
from numopt.optimizer import optimizer


@optimizer
def newton(problem, theta, *, t=0):
    """Go to where the quadratic model has no gradient: in one step to the minimum, if f is quadratic and convex.

    Nocedal and Wright (2006), equation 2.15; Kashyap (2022), Section 3, who has Cholesky's factors find the step: that
    they exist says that H is positive definite, and the step leads down.  Near a minimum the number of right digits
    doubles at every step, in whatever coordinates.  But any point without gradient will do, and saddles attract it.
    In Table 1: curvature H.
    """
    for t, loss in problem.losses(after=t):
        g, H = loss.gradient(theta), dense(loss.hessian(theta), theta.size)
        theta = theta - solved(H, g)
        yield theta


@optimizer
def damped_newton(problem, theta, *, damping=1e-3, t=0):
    """Newton's step with |λ| + damping for the curvatures λ, shortened until f falls: now saddles repel.

    Dauphin et al. (2014), Section 6, "saddle-free Newton", with the backtracking of Nocedal and Wright (2006),
    Algorithm 3.2.  Along an eigenvector of negative curvature the step is as long as Newton's and leads the other way.
    (A shift H + μI with μ above |λ_min|, as in Levenberg (1944), repels too, but shortens the step in all directions.)
    With damping = 0, and where H is positive definite, the direction is Newton's; where neither H nor g has a share in
    a direction, it is left out.  It ends when no step lowers f.
    In Table 1: length damping and search; curvature |H|.
    """
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        lam, Q = eigenbasis(dense(loss.hessian(theta), theta.size), g, damping, theta)
        p = -Q @ ((Q.T @ g) / (np.abs(lam) + damping))
        alpha, *_ = backtracking(loss, theta, p, f, g)
        if alpha == 0:
            not_hidden(lam, damping)
            return
        theta = theta + alpha * p
        yield theta


@optimizer
def trust_region(problem, theta, *, curvature="hessian", eta=0.15, most=1000.0, cg_steps=250, t=0, radius=1.0,
                 first=None):
    """Go to where the model is least within a radius, which grows while the model is right and shrinks where it is not.

    Nocedal and Wright (2006), Algorithm 4.1, with the step of their Algorithm 7.2 (Steihaug 1983).  The numbers are
    scipy's.  Where less than the share eta of the promised fall comes true, θ stays.  It ends when no radius helps.
    How exactly a step is found, to min(½, √‖g‖) of ‖g‖, is theirs and scipy's as well; g under this root is measured in
    the `first` one, or the path would depend on the units of f.  The radius and `most` are lengths, in those of θ.
    In Table 1: length radius; curvature H; over time radius, first length.
    """
    radius = radius if t else widest(radius, theta)
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        B, first = getattr(loss, curvature)(theta), norm(g) if first is None else first
        p = steihaug(B, g, radius, steps=cg_steps, first=first, theta=theta)
        if np.array_equal(theta + p, theta):
            return
        rho = gain_ratio(f, loss.value(theta + p), -(slope(g, p) + slope(B @ p, p) / 2), theta.dtype)
        if rho > eta:
            theta = theta + p
        if rho < 1 / 4:
            radius = radius / 4
        elif rho > 3 / 4 and norm(p) > 0.999 * radius:
            radius = min(2 * radius, most)
        yield theta


@optimizer
def newton_cg(problem, theta, *, curvature="hessian", cg_steps=250, t=0, first=None):
    """Newton's direction from conjugate gradients, no more exactly than is worth it, and then a line search.

    Nocedal and Wright (2006), Algorithm 7.1; Kashyap (2022), Section 3.6.  curvature="differences" multiplies with H
    by differences of gradients, as Kashyap prints, which any problem can answer; otherwise the products are exact.
    He calls the Gauss-Newton matrix always positive definite: it is semidefinite.  The √‖g‖ of the forcing sequence is
    √(‖g‖ / `first`), with the length of the first gradient: so the path does not depend on the units of f.
    In Table 1: length search; curvature H; over time first length.
    """
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        H = differences(loss, theta, g) if curvature == "differences" else getattr(loss, curvature)(theta)
        first = norm(g) if first is None else first
        p = inexact_newton(H, g, cg_steps, first, theta)
        alpha, *_ = backtracking(loss, theta, p, f, g)
        theta = theta + alpha * p
        yield theta


@optimizer
def hessian_free(problem, theta, *, curvature="gauss_newton", preconditioned=True, eps=5e-4, cg_steps=250,
                 t=0, damping=1.0, p=0.0):
    """Many steps of conjugate gradients on a damped model, and more damping the worse the model predicts.

    Martens (2010), Sections 4.1 to 4.7; the damping rule, which Kashyap (2022) prints in Section 3.6 without saying
    that α is 3/2, compares f with the damped model.  Conjugate gradients go on from 0.95 times the last p, until the
    model has all but stopped falling; then it goes back along the points on their way as long as f falls.  For
    networks, on large mini-batches, for p fits the batch.  With damping = 0 it is Newton's method with that curvature.
    In Table 1: length damping and search; curvature G; over time damping, last direction.
    """
    p = np.zeros_like(theta) + p
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        B = damped(getattr(loss, curvature)(theta), damping)
        M = preconditioner(loss, theta, damping) if preconditioned else None
        points = truncated_conjugate_gradient(B, -g, 0.95 * p, eps=eps, most=cg_steps, preconditioner=M)
        p = points[-1]
        d = downhill(lowest(loss, theta, points), g, theta)
        rho = gain_ratio(f, loss.value(theta + d), -(slope(g, d) + slope(B @ d, d) / 2), theta.dtype)
        if rho < 1 / 4 and d.any():
            damping = damping * 3 / 2
        elif rho > 3 / 4:
            damping = damping * 2 / 3
        alpha, *_ = backtracking(loss, theta, d, f, g, c=1e-2, shrink=0.8, most=60)
        theta = theta + alpha * d
        yield theta


def solved(H, g):
    """H⁻¹g, if there is one."""
    p = solution(H, g)
    if p is None:
        raise ValueError("the Hessian is singular, and Newton's step is not defined: its model has no minimum, or "
                         "many; use damped_newton, trust_region or newton_cg")
    return p


def not_hidden(lam, damping):
    """An error where a method has come to its end only because damping made its steps too short to change θ."""
    most = float(np.abs(lam).max(initial=0))
    if 0 < most < damping * np.finfo(lam.dtype).eps:
        raise ValueError(f"damping is {damping:g}, beside which the largest curvature, {most:.3g}, is nothing, and no "
                         "step is left: give a damping in its units")


def inexact_newton(H, g, cg_steps, first=None, theta=None):
    """Where conjugate gradients lead until the residual is small, or the next direction has no positive curvature.

    The inner loop of Nocedal and Wright (2006), Algorithm 7.1, but for a first direction without positive curvature.
    There they step by −g, whose length depends on the units of f: here it is as long as if the curvature had the other
    sign, and 1 if there is none.
    """
    p, enough = np.zeros_like(g), forcing(g, first)
    for p, r, d, curvature in islice(curved_iterates(H, -g, theta=theta), cg_steps):
        if not curvature > 0:
            return p if p.any() else inner(r, d) / -curvature * d if curvature < 0 else unit(d)
        if norm(r) <= enough:
            break
    return p


def differences(loss, theta, g):
    """The Hessian, with products (∇f(θ + hd) − ∇f(θ)) / h, where hd is short against θ and not yet rounding."""

    def product(d):
        d = d.ravel()
        h = reach(theta, d, 2 * math.sqrt(np.finfo(theta.dtype).eps))
        return (loss.gradient(theta + h * d) - g) / h

    return Symmetric(product, theta.size, theta.dtype)


def preconditioner(loss, theta, damping):
    """(diag(Σ gᵢ²/n) + damping I)^(−¾), for the gradients gᵢ of the n examples; None if the loss is not about examples.

    Martens (2010), Section 4.7, who writes the sum; f is a mean, and so is this, or damping would mean another thing.
    """
    if not hasattr(loss, "per_example_gradients"):
        return None
    rows = loss.per_example_gradients(theta)
    squares = np.einsum("ei,ei->i", rows, rows) / len(rows) + damping
    return diags_array(np.where(squares > 0, squares, 1)**-0.75)


def lowest(loss, theta, points):
    """The last of the points, or while f is lower there, the one before: Martens (2010), Section 4.6."""
    best, f_best = points[-1], loss.value(theta + points[-1])
    for p in points[-2::-1]:
        f = loss.value(theta + p)
        if math.isfinite(f_best) and not f < f_best:
            break
        best, f_best = p, f
    return best


def downhill(p, g, theta):
    """p if it leads downhill, and otherwise the negative gradient, of length 1 (see `widest`): it has no units of f."""
    return p if slope(g, p) < 0 else -widest(1.0, theta) * unit(g)
