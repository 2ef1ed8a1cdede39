"""Assignment 05 with all trials made at once."""
from numopt.optimizers.learning_rate import np


def gradient_rate(problem, theta, *, alpha=1e-2, beta=0.0, delta=1e-6, probe=None, t=0, lr=1e-2, v=0.0):
    for t, loss in problem.losses(after=t):
        g = np.array(loss.gradient(theta))
        theta = theta + -lr * g
        judge = probe.loss(t) if probe else loss
        change = beta * v + alpha * np.sum(judge.gradient(theta) * g).item()
        after = max(delta, change + lr)
        lr, v = after, after - lr
        yield theta


def newton_rate(problem, theta, *, epsilon=0.1, beta=0.0, delta=1e-6, most=2.0, probe=None, t=0, lr=1e-2, v=0.0):
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        judge = probe.loss(t) if probe else loss
        h = lr * epsilon
        rates = lr + h * np.arange(-2, 3)
        f = np.array([judge.value(theta - float(rate) * g) for rate in rates])
        slope = float(f @ [0, -1, 0, 1, 0]) / h / 2
        bend = float(f @ [1, 0, -2, 0, 1]) / h / h / 4
        theta = theta - g * lr
        last, lr = lr, lr - slope / (np.abs(bend).item() + delta) + beta * v
        lr = max(min(lr, last * most), last / most)
        v = lr - last
        yield theta
