"""Newton's method with a Hessian that is learned from the gradients on the way.          Lecture 8.

A step s that changed the gradient by y has felt the curvature: H s = y, on the average between its ends.  SR1 keeps a
matrix B, near to H, with B s = y for the last step (the secant equation); BFGS keeps M, near to H⁻¹, with M y = s, and
searches along p = −M g.  Before it knows anything p is −g / ‖g‖; if no step leads down it forgets what it knows, and
if then there is still none, it ends.  A first step has length 1, or in SR1 that of the radius, and where θ is so large
that this is rounding, half of its digits: so f may be in any units.

On mini-batches y has to come from one batch, or it holds the noise between two: the gradient of this batch is taken
where the step ends as well, and the next batch begins with its own.  (Where the loss is the same at every step, that is
one and the same gradient, and is computed once.)

Equations and algorithms are those of Nocedal and Wright, Numerical Optimization (2nd edition, 2006).
"""
from math import inf

import numpy as np

from numopt.linalg.norms import balanced, inner, norm, scale, unit, widest
from numopt.linalg.systems import steihaug
from numopt.line_search import gain_ratio, remembering, slope, strong_wolfe
from numopt.optimizer import optimizer


@optimizer
def sr1(problem, theta, *, eta=1e-3, t=0, radius=1.0, B=None, first=None):
    """The simplest correction that gives B s = y, of rank one: n steps are enough to know the Hessian of a quadratic.

    Nocedal and Wright (2006), Algorithm 6.2.  B need not be positive definite, and so can be right where there is
    negative curvature.  −B⁻¹g may then lead uphill; so in place of a search there is a radius to trust B in, within
    which `steihaug` finds the step.  B learns from steps that are not taken, too, but for those before the first that
    is: a first radius may be too long by orders of magnitude.  Until then it is so many times I that the step ends on
    the radius: scaled to the curvature sᵀy / sᵀs of that step, it would skip the pair.
    In Table 1: length radius; curvature changes of g; structure rank 1; over time all pairs, radius, first length.
    """
    radius = radius if t else widest(radius, theta)
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        M, first = initial(B, g, radius), norm(g) if first is None else first
        s = steihaug(M, g, radius, first=first)
        if np.array_equal(theta + s, theta):
            return
        f_new, g_new = loss.value_and_gradient(theta + s)
        y = g_new - g
        rho = gain_ratio(f, f_new, -(slope(g, s) + slope(M @ s, s) / 2), theta.dtype)
        B = sr1_update(M, s, y) if rho > eta or B is not None else None
        if rho > eta:
            theta = theta + s
        if rho < 0.1:
            radius = radius / 2
        elif rho > 3 / 4 and norm(s) > 0.8 * radius:
            radius = radius * 2
        yield theta


@optimizer
def bfgs(problem, theta, *, search=strong_wolfe, t=0, M=None):
    """The correction of rank two that changes M least, keeps it positive definite, and forgets its own errors.

    Broyden, Fletcher, Goldfarb and Shanno (1970): Nocedal and Wright (2006), Algorithm 6.1; Kashyap (2022), Section
    3.3, with δ for s and φ for y, who prints p = +M g, which leads uphill.  M takes n² numbers.
    In Table 1: length search; curvature changes of g; structure rank 2; over time all pairs.
    """
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        p = downhill(None if M is None else -(M @ g), g, theta)
        alpha, *_ = search(loss, theta, p, f, g)
        if alpha == 0 and M is None:
            return
        s = alpha * p
        y = loss.gradient(theta + s) - g
        M = bfgs_update(M, s, y)
        theta = theta + s
        yield theta


@optimizer
def lbfgs(problem, theta, *, history=10, search=strong_wolfe, t=0, pairs=()):
    """BFGS that remembers the last few pairs (s, y) and makes M g of them at every step: for any number of parameters.

    Nocedal (1980); Nocedal and Wright (2006), Algorithm 7.5.  With the Wolfe search every pair has positive curvature;
    with backtracking alone many have not, and are left out.
    In Table 1: length search; curvature changes of g; structure rank 2; over time last pairs.
    """
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        p = downhill(-two_loops(pairs, g) if pairs else None, g, theta)
        alpha, *_ = search(loss, theta, p, f, g)
        if alpha == 0 and not pairs:
            return
        s = alpha * p
        y = loss.gradient(theta + s) - g
        pairs = appended(pairs, s, y, history)
        theta = theta + s
        yield theta


def initial(B, g, radius):
    """The matrix B, or of a number B as many times I; before anything is known, of ‖g‖ / radius.

    Of fewer, where that is too large for gᵀBg: to where the radius ends a step leads all the same.
    """
    if B is None:
        u = g / scale(g)
        most = float(np.finfo(u.dtype).max) / (2 * max(inner(u, u), 1))
        B = min(norm(g) / radius if radius else inf, most) or 1.0
    return B if np.ndim(B) else float(B) * np.eye(g.size, dtype=g.dtype)


def downhill(p, g, theta):
    """p, if there is one and it leads downhill; otherwise the negative gradient, of length 1: see `widest`."""
    return p if p is not None and -np.inf < slope(g, p) < 0 else -widest(1.0, theta) * unit(g)


def sr1_update(B, s, y):
    """B + uuᵀ / uᵀs with u = y − Bs, unless u and s are nearly orthogonal.

    Nocedal and Wright (2006), equation 6.24 and the skipping rule 6.26, with their 1e-8.
    """
    s, y = balanced(s, y)
    u = y - B @ s
    if not abs(inner(u, s)) > 1e-8 * norm(u) * norm(s):
        return B
    return B + np.outer(u, u) / (u @ s)


def bfgs_update(M, s, y):
    """M + (1 + yᵀMy / yᵀs) ssᵀ / yᵀs − (s yᵀM + M y sᵀ) / yᵀs; nothing after a step of length 0.

    This is (I − s yᵀ/yᵀs) M (I − y sᵀ/yᵀs) + s sᵀ/yᵀs, equation 6.17, for n² multiplications, not n³.  Kashyap (2022)
    prints it without the first +.  The first M is sᵀy / yᵀy times I (6.20), and a pair without positive curvature,
    with which M would no longer be positive definite, is left out.
    """
    if not s.any():
        return None
    s, y = balanced(s, y)
    if not curved(s, y):
        return M
    if M is None:
        M = (s @ y) / (y @ y) * np.eye(len(s), dtype=s.dtype)
    My, ys = M @ y, y @ s
    sMy = np.outer(s, My)
    return M + (1 + y @ My / ys) / ys * np.outer(s, s) - (sMy + sMy.T) / ys


def two_loops(pairs, g):
    """M g, for the M that BFGS makes of the pairs, the oldest first, if it starts with sᵀy / yᵀy of the last times I.

    Nocedal and Wright (2006), Algorithm 7.4 and equation 7.20: 4 n multiplications for each pair.
    """
    q, alphas, curvatures = g, [], [y @ s for s, y in pairs]
    for (s, y), ys in zip(reversed(pairs), reversed(curvatures)):
        alpha = (s @ q) / ys
        q = q - alpha * y
        alphas.append(alpha)
    s, y = pairs[-1]
    r = (s @ y) / (y @ y) * q
    for (s, y), ys, alpha in zip(pairs, curvatures, reversed(alphas)):
        beta = (y @ r) / ys
        r = r + (alpha - beta) * s
    return r


def appended(pairs, s, y, history):
    """The pairs and the new one if its curvature is positive, no more than so many; none after a step of length 0."""
    if not s.any():
        return ()
    s, y = balanced(s, y)
    return (*pairs, (s, y))[-history:] if curved(s, y) else pairs


def curved(s, y):
    """Is the curvature along s positive: yᵀs > 1e-10 ‖y‖ ‖s‖?  (PyTorch has 1e-10 alone, which depends on units.)"""
    return inner(y, s) > 1e-10 * norm(y) * norm(s)
