"""Assignment 03 with a velocity that is changed in place, on a copy."""
import numpy as np

from numopt.schedules import schedule


def momentum(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        v = np.zeros_like(theta) + v
        v *= mu(t)
        v -= lr(t) * loss.gradient(theta)
        theta = v + theta
        yield theta


def nesterov(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        carried = mu(t) * v
        ahead = theta + carried
        step = lr(t) * loss.gradient(ahead)
        v = carried - step
        theta = ahead - step
        yield theta
