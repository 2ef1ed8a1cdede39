"""The loops of some methods again, each with its update compiled: a pass or two over the weights, not a dozen.

These are what runs for many weights, with the same variables and, to rounding, the same numbers; what each method does
is to be read in its own module, and its update in kernels/vectors.py.  Within `kernels.reading()` a new run takes the
loop of its module.
"""
import numpy as np

from numopt.kernels import vectors
from numopt.kernels.twins import worth_compiling
from numopt.linalg.norms import norm
from numopt.linalg.systems import Nystrom, damped, nystrom
from numopt.optimizer import Later
from numopt.optimizers.adaptive import adam, rmsprop
from numopt.optimizers.diagonal import adahessian, signs, spatial_average
from numopt.optimizers.momentum import momentum
from numopt.optimizers.residual import combined, kfac_inverse, nltgcr_fisher, orthonormal, started
from numopt.schedules import schedule


def twin_of(method):
    """Decorator: this loop in place of the method's own, where there is Numba and enough to do."""

    def remember(loop):
        method.twin = lambda theta: loop if worth_compiling(theta) else None
        return loop

    return remember


def remembered(m, theta):
    """What is remembered of each weight, as it is: 0 added to −0 would be 0.  At the start it is one number for all."""
    return m if isinstance(m, np.ndarray) else np.full_like(theta, m)


@twin_of(momentum)
def compiled_momentum(problem, theta, *, lr, mu, t, v):
    lr, mu, v = schedule(lr), schedule(mu, "mu", below=1), remembered(v, theta)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, v = vectors.momentum(theta, g, v, lr(t), mu(t))
        yield theta


@twin_of(rmsprop)
def compiled_rmsprop(problem, theta, *, lr, rho, eps, t, s):
    lr, s = schedule(lr), remembered(s, theta)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, s = vectors.rmsprop(theta, g, s, lr(t), rho, eps)
        yield theta


def corrected(m, v, beta1, beta2, t):
    """m and v without their bias, which are computed when they are looked at."""
    return Later(np.divide, m, 1 - beta1**t), Later(np.divide, v, 1 - beta2**t)


@twin_of(adam)
def compiled_adam(problem, theta, *, lr, beta1, beta2, eps, t, m, v):
    lr, m, v = schedule(lr), remembered(m, theta), remembered(v, theta)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta, m, v = vectors.adam(theta, g, m, v, lr(t), beta1, beta2, eps, t)
        m_hat, v_hat = corrected(m, v, beta1, beta2, t)
        yield theta


@twin_of(adahessian)
def compiled_adahessian(problem, theta, *, lr, beta1, beta2, eps, power, weight_decay, averaging, block, seed, t, m, v):
    lr, m, v = schedule(lr), remembered(m, theta), remembered(v, theta)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        z = signs(theta, seed, t)
        D = z * (loss.hessian(theta) @ z)
        D = spatial_average(loss.blocks(D), averaging, block)
        theta, m, v = vectors.adahessian(theta, g, D, m, v, lr(t), beta1, beta2, eps, power, weight_decay, t)
        m_hat, v_hat = corrected(m, v, beta1, beta2, t)
        yield theta


@twin_of(nltgcr_fisher)
def compiled_nltgcr_fisher(problem, theta, *, lr, curvature, damping, window, columns, preconditioned, labels, start,
                           seed, t, pairs, C):
    lr = schedule(lr)
    indices = np.random.default_rng(seed).choice(theta.size, min(columns or 0, theta.size), replace=False)
    if t == 0:
        theta = started(problem, theta, curvature, damping, start)
    products = np.zeros((0, 0), theta.dtype)
    for t, loss in problem.losses(after=t):
        F = getattr(loss, curvature)(theta)
        if columns is not None:
            C = C + (nystrom(F, indices).C - C) / t
            F = Nystrom(C, C[indices])
        M = kfac_inverse(loss, theta, damping, [seed, t], labels) if preconditioned else lambda u: u
        g = loss.gradient(theta)
        r = -M(g)
        pairs, d, products = extended(pairs, r, M(damped(F, damping) @ r), window, products)
        theta = theta + lr(t) * (-d if g @ d > 0 else d)
        yield theta


def extended(pairs, r, Jr, window, products):
    """The pairs with one more, made of r and its image, and Σ αᵢ pᵢ: `orthonormal` and `combined` in one kernel.

    Also the products of the vectors v that stay: those are not computed again in the next step.
    """
    P, V, W = zip(*pairs) if pairs else ((), (), ())
    gone = max(0, len(pairs) + 1 - window)
    p, v, d, tau, length, largest, products = vectors.least_residual(r, Jr, P, V, products, gone)
    if not 0 < length < np.inf:  # there the squares may be no numbers, and the loops are more careful
        p, v, w = orthonormal(r, Jr, pairs)
        pairs = (*pairs, (p, v, w))[-window:] if w < np.inf else pairs
        return pairs, combined(pairs, r), products[:0, :0]
    if not length > 10 * np.finfo(r.dtype).eps * norm(Jr):
        return pairs, combined(pairs, r), products
    w = (largest + float(abs(tau) @ np.array(W))) / length
    return (*pairs, (p, v, w))[-window:], d, products[gone:, gone:]
