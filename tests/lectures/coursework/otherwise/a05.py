"""Assignment 05 with other names, and in another order."""
import numpy as np


def gradient_rate(problem, theta, *, alpha=1e-2, beta=0.0, delta=1e-6, probe=None, t=0, lr=1e-2, v=0.0):
    for t, loss in problem.losses(after=t):
        old = loss.gradient(theta).copy()
        theta = theta - old * lr
        new = (probe.loss(t) if probe is not None else loss).gradient(theta)
        wanted = lr + beta * v + alpha * float(np.dot(new, old))
        wanted = delta if wanted < delta else wanted
        v, lr = wanted - lr, wanted
        yield theta


def newton_rate(problem, theta, *, epsilon=0.1, beta=0.0, delta=1e-6, most=2.0, probe=None, t=0, lr=1e-2, v=0.0):
    for t, loss in problem.losses(after=t):
        g, apart = loss.gradient(theta), epsilon * lr
        judge = loss if probe is None else probe.loss(t)

        def value(rate):
            return judge.value(theta - rate * g)

        first = (value(lr + apart) - value(lr - apart)) / (2 * apart)
        second = (value(lr + 2 * apart) - 2 * value(lr) + value(lr - 2 * apart)) / (2 * apart)**2
        theta = theta - lr * g
        new = lr + beta * v - first / (abs(second) + delta)
        new = float(np.clip(new, lr / most, most * lr))
        v, lr = new - lr, new
        yield theta
