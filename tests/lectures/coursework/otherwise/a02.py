"""Assignment 02 in place on copies, and with other names."""
import math

import numpy as np

from numopt.line_search import Step, first, fractions, origin
from numopt.schedules import schedule


def gradient_descent(problem, theta, *, lr=1e-2, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta.copy()
        theta -= lr(t) * loss.gradient(theta)
        yield theta


def normalized_descent(problem, theta, *, lr=1e-2, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        down = -loss.gradient(theta)
        length = math.sqrt(float(down @ down))
        if length > 0:
            down = down / length
        theta = theta + down * lr(t)
        yield theta


def sign_descent(problem, theta, *, lr=1e-3, t=0):
    rate = schedule(lr)
    for t, loss in problem.losses(after=t):
        slope, here = loss.gradient(theta), theta.copy()
        here[slope > 0] -= rate(t)
        here[slope < 0] += rate(t)
        theta = here
        yield theta


def backtracking(loss, theta, p, f=None, g=None, *, alpha=1.0, c=1e-4, shrink=0.5, most=50):
    fractions(c=c, shrink=shrink)
    here, step = origin(loss, theta, p, f, g), first(alpha)
    if here.slope == 0:
        return here.step
    for trial in range(most):
        there = float(loss.value(theta + step * p))
        if np.isfinite(there) and there < here.f and here.f - there >= -c * step * here.slope:
            return Step(step, there, None)
        step = step * shrink ** (trial - 30 if trial > 30 else 1)
    return here.step
