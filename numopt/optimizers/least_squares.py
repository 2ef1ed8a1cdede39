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

from numopt.line_search import backtracking, gain_ratio, remembering
from numopt.optimizer import optimizer


@optimizer
def gauss_newton(problem, theta, *, search=backtracking, t=0):
    """Go to where the residuals would be least if they were linear: p = −(JᵀJ)⁻¹Jᵀr.

    Nocedal and Wright (2006), equation 10.23, with a line search; search=full_step is the method without one, which
    may diverge.  Where JᵀJ is singular, p is the shortest of many; where it is nearly so, as for most networks, p is
    far too long.  It ends when no step lowers f.  (Kashyap (2022), Section 3.1, prints p without its minus: uphill.)
    """
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        p = -np.linalg.lstsq(J, r, rcond=None)[0]
        alpha, *_ = search(loss, theta, p, r @ r / 2, J.T @ r)
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
    believed to be good, otherwise 1e-3 or 1.  It ends when no step is left that changes θ.
    """
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        D = scales(J, D, scaling)
        mu = tau * float(np.sum((J / D)**2, axis=0).max()) if mu is None else mu
        p = damped_step(r, J, D, mu)
        if np.array_equal(theta + p, theta):
            return
        r_new = loss.residuals(theta + p)
        rho = gain_ratio(r @ r / 2, r_new @ r_new / 2, p @ (mu * D**2 * p - J.T @ r) / 2, theta.dtype)
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
        raise ValueError("the Jacobian is not finite here: start where it is, and use levenberg_marquardt, which takes "
                         "shorter steps")
    return r, J


def scales(J, D, scaling):
    """The units in which each parameter is measured: all 1, or the length of its column of J, no less than before."""
    if scaling not in ("levenberg", "marquardt"):
        raise ValueError(f"scaling is {scaling!r}; it is levenberg or marquardt")
    if scaling == "levenberg":
        return np.ones(J.shape[1], J.dtype)
    D = np.maximum(np.linalg.norm(J, axis=0), D)
    return np.where(D > 0, D, 1).astype(J.dtype)


def damped_step(r, J, D, mu):
    """The p with least ‖r + Jp‖² + μ‖Dp‖², the solution of (JᵀJ + μD²) p = −Jᵀr."""
    n = len(D)
    A = np.vstack([J / D, math.sqrt(mu) * np.eye(n, dtype=J.dtype)])
    b = np.concatenate([-r, np.zeros(n, r.dtype)])
    return np.linalg.lstsq(A, b, rcond=None)[0] / D
