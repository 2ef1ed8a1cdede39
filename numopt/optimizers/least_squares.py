"""Newton's method for sums of squares, without second derivatives.          Lecture 6.

For f = ½‖r(θ)‖² with the Jacobian J of r, the gradient is Jᵀr and the Hessian JᵀJ + Σ rᵢ ∇²rᵢ.  Both methods leave the
sum out, which is small where the residuals are, or where they are nearly linear.  JᵀJ is not formed, for it has the
square of the condition number of J: a step p solves the linear least-squares problem "least ‖r + Jp‖" instead.

The problem has to answer `residuals(theta)` and `jacobian(theta)`, as problems.LeastSquares does.  Kashyap (2022),
Section 3.1, has the method for squares alone; for networks with other losses `newton_cg` and `hessian_free` go with
curvature="gauss_newton", which is JᵀHJ (Schraudolph 2002).
"""
import math

import numpy as np

from numopt.linalg.norms import NotFinite, column_norms, finite, norm
from numopt.line_search import backtracking, gain_ratio, remembering, slope
from numopt.optimizer import optimizer


@optimizer
def gauss_newton(problem, theta, *, search=backtracking, t=0):
    """Go to where the residuals would be least if they were linear: p = −(JᵀJ)⁻¹Jᵀr.

    Nocedal and Wright (2006), equation 10.23, with a line search; search=full_step is the method without one, which
    may diverge.  Where JᵀJ is singular, p is the shortest of many; where it is nearly so, as for most networks, p is
    far too long.  What is singular is judged with the columns of J brought to length 1, so that a parameter may be in
    any units.  It ends when no step lowers f.  (Kashyap (2022), Section 3.1, prints p without its minus: uphill.)
    In Table 1: length search; curvature G.
    """
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        p = -shortest(J, r)
        alpha, *_ = search(loss, theta, p, half_square(r), J.T @ r)
        if alpha == 0:
            return
        theta = theta + alpha * p
        yield theta


@optimizer
def levenberg_marquardt(problem, theta, *, scaling="marquardt", tau=1e-3, t=0, mu=None, nu=2.0, D=0.0):
    """Gauss-Newton where its model is right, short steps down the gradient where it is not, and all between by damping.

    (JᵀJ + μD²) p = −Jᵀr.  With scaling="levenberg" D is I (Levenberg 1944; Kashyap (2022), Section 3.1, who leaves out
    the minus, and calls JᵀJ a diagonal approximation).  With "marquardt" D holds the largest lengths that the columns
    of J have had (Marquardt 1963; Moré 1978), and a parameter may be in metres or in miles: that changes nothing.
    μ follows the gain ratio as Nielsen (1999) has it: Madsen, Nielsen and Tingleff (2004), Algorithm 3.16.  At first μ
    is tau times the largest entry of the diagonal of JᵀJ, in units of D²; they take a tau of 1e-6 for a start that is
    believed to be good, otherwise 1e-3 or 1.  It ends when a step is no more than rounding.
    In Table 1: length damping; curvature G; over time damping.
    """
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        D = scales(J, D, scaling)
        mu = tau * float(np.sum((J / D).astype(float)**2, axis=0).max()) if mu is None else mu
        p = damped_step(r, J, D, mu)
        if is_rounding(p, theta, r, J):
            return
        r_new = loss.residuals(theta + p)
        predicted = slope(p, mu * D.astype(float)**2 * p - J.T @ r) / 2
        rho = gain_ratio(half_square(r), half_square(r_new), predicted, theta.dtype)
        if rho > 0:
            theta = theta + p
            mu, nu = mu * max(1 / 3, 1 - (2 * rho - 1)**3), 2.0
        else:
            mu, nu = mu * nu, nu * 2
        yield theta


def residuals_and_jacobian(loss, theta):
    """r and J, if the loss has them."""
    if not hasattr(loss, "residuals") or not hasattr(loss, "jacobian"):
        raise NotImplementedError("gauss_newton and levenberg_marquardt take a sum of squares that answers "
                                  "residuals(theta) and jacobian(theta): write it as numopt.problems.LeastSquares; for "
                                  'other losses there is hessian_free, and newton_cg with curvature="gauss_newton"')
    r, J = loss.residuals(theta), loss.jacobian(theta)
    if not np.isfinite(J).all():
        raise NotFinite("the Jacobian is not finite here: start where it is, and use levenberg_marquardt, which takes "
                        "shorter steps")
    return finite(r, "the vector of residuals"), J


def half_square(r):
    """½‖r‖²."""
    return slope(r, r) / 2


def is_rounding(p, theta, r, J):
    """Is a step no longer than the rounding of θ and r, when each parameter is measured by what it does to r?

    To wait until it changes no digit would be to wait for ever: from a system solved with rounding comes now one last
    digit, now another.
    """
    D = J.any(axis=0) * column_norms(J)
    return not p.any() or norm(D * p) < 10 * np.finfo(theta.dtype).eps * (norm(D * theta) + norm(r))


def shortest(J, r):
    """Of all p with the least ‖r − Jp‖ the shortest: how many there are is judged with columns of length 1."""
    D = column_norms(J)
    p, _, rank, _ = np.linalg.lstsq(J / D, r, rcond=None)
    return p / D if rank == len(D) else np.linalg.lstsq(J, r, rcond=None)[0]


def scales(J, D, scaling):
    """The units in which each parameter is measured: all 1, or the length of its column of J, no less than before."""
    if scaling not in ("levenberg", "marquardt"):
        raise ValueError(f"scaling is {scaling!r}; it is levenberg or marquardt")
    if scaling == "levenberg":
        return np.ones(J.shape[1], J.dtype)
    return np.maximum(np.where(J.any(axis=0), column_norms(J), np.where(np.equal(D, 0), 1, D)), D).astype(J.dtype)


def damped_step(r, J, D, mu):
    """The p with least ‖r + Jp‖² + μ‖Dp‖², the solution of (JᵀJ + μD²) p = −Jᵀr."""
    n = len(D)
    A = np.vstack([J / D, math.sqrt(mu) * np.eye(n, dtype=J.dtype)])
    b = np.concatenate([-r, np.zeros(n, r.dtype)])
    return np.linalg.lstsq(A, b, rcond=None)[0] / D
