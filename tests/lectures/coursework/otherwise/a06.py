"""Assignment 06 with inverses and normal equations in place of factors."""
import numpy as np

from numopt.linalg.spectra import eigenbasis
from numopt.linalg.systems import dense
from numopt.line_search import backtracking, gain_ratio, remembering
from numopt.optimizers.least_squares import damped_step, half_square, residuals_and_jacobian, scales


def newton(problem, theta, *, t=0):
    for t, loss in problem.losses(after=t):
        H = dense(loss.hessian(theta), theta.size)
        theta = theta + np.linalg.solve(H, -loss.gradient(theta))
        yield theta


def damped_newton(problem, theta, *, damping=1e-3, t=0):
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        lam, Q = eigenbasis(dense(loss.hessian(theta), theta.size), g, damping)
        positive = (Q * (np.abs(lam) + damping)) @ Q.T
        p = np.linalg.solve(positive, -g)
        step = backtracking(loss, theta, p, f, g)
        if step.alpha == 0:
            return
        theta = theta + step.alpha * p
        yield theta


def gauss_newton(problem, theta, *, search=backtracking, t=0):
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        g = J.T @ r
        p = -np.linalg.solve(J.T @ J, g)
        alpha = search(loss, theta, p, half_square(r), g).alpha
        if not alpha:
            return
        theta = theta + alpha * p
        yield theta


def levenberg_marquardt(problem, theta, *, scaling="marquardt", tau=1e-3, t=0, mu=None, nu=2.0, D=0.0):
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        D = scales(J, D, scaling)
        if mu is None:
            mu = tau * float((((J / D)**2).sum(axis=0)).max())
        p = damped_step(r, J, D, mu)
        new = theta + p
        if not (new != theta).any():
            return
        predicted = float(p @ (mu * D * D * p - J.T @ r)) / 2
        ratio = gain_ratio(half_square(r), half_square(loss.residuals(new)), predicted, theta.dtype)
        if ratio <= 0:
            mu, nu = mu * nu, 2 * nu
        else:
            theta, nu = new, 2.0
            mu = mu * max(1 - (2 * ratio - 1)**3, 1 / 3)
        yield theta
