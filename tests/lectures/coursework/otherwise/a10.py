"""Assignment 10 with averages that go part of the way."""
import numpy as np

from numopt.optimizers.diagonal import known_estimator, schedule, signs, spatial_average


def hutchinson(loss, theta, seed, t):
    z = signs(theta, seed, t)
    return np.multiply(loss.hessian(theta) @ z, z)


def adahessian(problem, theta, *, lr=0.15, beta1=0.9, beta2=0.999, eps=1e-4, power=1.0, weight_decay=0.0,
               averaging="signed", block=None, seed=0, t=0, m=0.0, v=0.0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g, z = loss.gradient(theta), signs(theta, seed, t)
        diagonal = spatial_average(loss.blocks((loss.hessian(theta) @ z) * z), averaging, block)
        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (diagonal * diagonal - v)
        bottom = (v / (1 - beta2**t))**(power / 2) + eps
        theta = theta * (1 - lr(t) * weight_decay) - lr(t) / (1 - beta1**t) * m / bottom
        yield theta


def sophia(problem, theta, *, lr=1e-4, beta1=0.96, beta2=0.99, gamma=None, eps=1e-12, weight_decay=0.1, k=10,
           estimator="H", seed=0, t=0, m=0.0, h=0.0):
    estimate, usual_gamma = known_estimator(estimator)
    lr, gamma = schedule(lr), usual_gamma if gamma is None else gamma
    h = np.zeros_like(theta) + h
    for t, loss in problem.losses(after=t):
        m = (1 - beta1) * loss.gradient(theta) + beta1 * m
        if t % k == 1 or k == 1:
            h = (1 - beta2) * estimate(loss, theta, seed, t) + h * beta2
        step = m / np.where(gamma * h > eps, gamma * h, eps)
        theta = theta * (1 - lr(t) * weight_decay) - lr(t) * np.minimum(np.maximum(step, -1), 1)
        yield theta
