"""The loops of four methods again, each with its update compiled: one pass over the weights instead of a dozen.

These are what runs for many weights, with the same variables and, to rounding, the same numbers; what each method does
is to be read in its own module, and its update in vector_kernels.py.  Within `kernels.reading()` a new run takes the
loop of its module.
"""
import numpy as np

from numopt import vector_kernels
from numopt.kernels import worth_compiling
from numopt.optimizer import Later
from numopt.optimizers.adaptive import adam, rmsprop
from numopt.optimizers.diagonal import adahessian, signs, spatial_average
from numopt.optimizers.momentum import momentum
from numopt.schedules import schedule


def twin_of(method):
    """Decorator: this loop in place of the method's own, where there is Numba and enough to do."""

    def remember(loop):
        method.twin = lambda theta: loop if worth_compiling(theta) else None
        return loop

    return remember


@twin_of(momentum)
def compiled_momentum(problem, theta, *, lr, mu, t, v):
    lr, mu, v = schedule(lr), schedule(mu, "mu", below=1), np.zeros_like(theta) + v
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, v = vector_kernels.momentum(theta, g, v, lr(t), mu(t))
        yield theta


@twin_of(rmsprop)
def compiled_rmsprop(problem, theta, *, lr, rho, eps, t, s):
    lr, s = schedule(lr), np.zeros_like(theta) + s
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, s = vector_kernels.rmsprop(theta, g, s, lr(t), rho, eps)
        yield theta


@twin_of(adam)
def compiled_adam(problem, theta, *, lr, beta1, beta2, eps, t, m, v):
    lr, m, v = schedule(lr), np.zeros_like(theta) + m, np.zeros_like(theta) + v
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, m, v = vector_kernels.adam(theta, g, m, v, lr(t), beta1, beta2, eps, t)
        m_hat, v_hat = Later(np.divide, m, 1 - beta1**t), Later(np.divide, v, 1 - beta2**t)
        yield theta


@twin_of(adahessian)
def compiled_adahessian(problem, theta, *, lr, beta1, beta2, eps, power, weight_decay, averaging, block, seed, t, m, v):
    lr, m, v = schedule(lr), np.zeros_like(theta) + m, np.zeros_like(theta) + v
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        z = signs(theta, seed, t)
        D = z * (loss.hessian(theta) @ z)
        D = spatial_average(loss.blocks(D), averaging, block)
        theta, m, v = vector_kernels.adahessian(theta, g, D, m, v, lr(t), beta1, beta2, eps, power, weight_decay, t)
        m_hat, v_hat = Later(np.divide, m, 1 - beta1**t), Later(np.divide, v, 1 - beta2**t)
        yield theta
