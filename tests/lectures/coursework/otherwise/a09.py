"""Assignment 09 with whole matrices where the lecture has eigenvalues."""
import numpy as np

from numopt.optimizers.natural import damped, eigenbasis, schedule, solved


def natural_gradient(problem, theta, *, lr=1.0, curvature="fisher", damping=1e-2, solver="cg", cg_steps=50, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        F = getattr(loss, curvature)(theta)
        d = solved(damped(F, damping), -loss.gradient(theta), solver, cg_steps)
        theta = theta + d * lr(t)
        yield theta


def normalized_natural_gradient(problem, theta, *, lr=0.1, curvature="fisher", damping=1e-2, structure="full", t=0):
    rate = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        H, g = (Q * lam) @ Q.T, loss.gradient(theta)
        d = np.linalg.solve(H, g)
        long = np.sqrt(d @ (H @ d)) or 1
        theta = theta - d * (rate(t) / long)
        yield theta


def clipped_natural_gradient(problem, theta, *, lr=1.0, epsilon=0.1, curvature="fisher", damping=1e-2,
                             structure="full", t=0):
    rate = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        H = Q @ np.diag(lam) @ Q.T
        d = -rate(t) * np.linalg.solve(H, loss.gradient(theta))
        long = np.sqrt(d @ H @ d)
        if long > epsilon:
            d = d * epsilon / long
        theta = theta + d
        yield theta
