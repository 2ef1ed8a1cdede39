"""Assignment 03 in one line, and with the velocity of the other sign while it is computed."""
from numopt.optimizers.momentum import schedule


def momentum(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        v, theta = (new := v * mu(t) + loss.gradient(theta) * -lr(t)), theta + new
        yield theta


def nesterov(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        backwards = -v
        g = loss.gradient(theta - backwards * mu(t))
        backwards = backwards * mu(t) + g * lr(t)
        v, theta = -backwards, theta - backwards
        yield theta
