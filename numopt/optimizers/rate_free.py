"""Methods whose rate follows from what they see: differences, values of the loss, the way gone.          Lecture 5.

    barzilai_borwein                     the curvature along the last step
    sps, momo                            how far the loss is above the least that it can be (Polyak's step)
    dog, prodigy                         how far the weights have come
    schedule_free, schedule_free_adamw   a rate that need not fall, for what is handed out is an average
"""
from math import sqrt

import numpy as np

from numopt.linalg.norms import inner, norm
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def barzilai_borwein(problem, theta, *, formula="long", t=0, lr=1e-2, s=0.0, g_last=0.0):
    """Gradient descent whose rate is one over the curvature that the last step has met.

    Barzilai and Borwein (1988), Section 2, with s = θ_t − θ_{t−1} and y = g_t − g_{t−1}.  The "long" rate, sᵀs / sᵀy,
    is one over the number that brings B s nearest to y; the "short" one, sᵀy / yᵀy, is the number that brings B⁻¹y
    nearest to s.  Where sᵀy ≤ 0 there is no such rate, and the last one stays.  The loss need not fall at every step.
    It needs a `loss` that is the same at every step: the gradients of two mini-batches differ by more than curvature.
    In Table 1: curvature changes of g; structure cI; over time last pair.
    """
    if formula not in ("long", "short"):
        raise ValueError(f"formula is {formula!r}; it is long or short")
    for t, loss in problem.losses(after=t):
        g = np.array(loss.gradient(theta))
        y = g - g_last
        sy = inner(s, y) if t > 1 else 0.0
        if sy > 0:
            lr = inner(s, s) / sy if formula == "long" else sy / inner(y, y)
        s, g_last = -lr * g, g
        theta = theta + s
        yield theta


@optimizer
def sps(problem, theta, *, c=0.5, lower=0.0, gamma=2.0, every=500, eps=1e-8, t=0, lr=1.0):
    """Go to where the tangent of the mini-batch's loss has come down to the least that this loss can be.

    Loizou et al. (2021), equation 2, SPS_max, which is Polyak's step at c = 1.  `lower` is a bound below the loss of
    every mini-batch, 0 for most losses of networks.  The rate grows by no more than a factor of gamma in `every` steps,
    one epoch of the code, whose defaults are these.  It suits models that can fit all their data; others never settle.
    In Table 1: length rate at most; curvature fall; structure cI; over time rate.
    """
    for t, loss in problem.losses(after=t):
        f, g = loss.value_and_gradient(theta)
        lr = min(max(float(f) - lower, 0.0) / (c * norm(g)**2 + eps), gamma**(1 / every) * lr)
        theta = theta - lr * g
        yield theta


@optimizer
def momo(problem, theta, *, lr=1.0, beta=0.9, lower=0.0, t=0, d=None, f_bar=None, gamma=None):
    """Momentum that goes to where its model of the loss, an average of tangents, has come down to a lower bound.

    Schaipp et al. (2024), Algorithm 1.  The model of the past is f̄ + dᵀx − γ, of averages of f, of g and of gᵀθ, and
    h is what it says at θ.  lr is the longest rate, not the usual one.  As in the paper and the code, the first
    averages are the first values.
    In Table 1: length rate at most; curvature fall; structure cI; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        f, g = loss.value_and_gradient(theta)
        f, slope = float(f), inner(g, theta)
        d = beta * (g if d is None else d) + (1 - beta) * g
        f_bar = beta * (f if f_bar is None else f_bar) + (1 - beta) * f
        gamma = beta * (slope if gamma is None else gamma) + (1 - beta) * slope
        h = f_bar + inner(d, theta) - gamma
        tau = min(max(h - lower, 0.0) / (norm(d)**2 or 1.0), lr(t))
        theta = theta - tau * d
        yield theta


@optimizer
def dog(problem, theta, *, lr=1.0, share=1e-4, eps=1e-8, t=0, way=0.0, r=None, G=0.0):
    """The rate is a distance over a root: of how far it ever was from the start, and of all squares of gradients.

    Ivgi, Hinder and Carmon (2023), Algorithm 1 and equation 4, "distance over gradients".  The first step has the
    length share · (1 + ‖θ₀‖), and may be far too short: the distance grows by itself, up to that of a minimum.  The
    share is 1e-6 in their code, which asks for 100 times that, as here, where the rate does not grow for a few hundred
    steps.  lr = 1 is the method.  As in the code eps is
    added once, to the sum.  What the paper vouches for is an average of the iterates: optimizers.polyak around it.
    In Table 1: length each by gradient and the way gone; curvature F̃; structure cI; over time sum.
    """
    lr = schedule(lr)
    r, way = share * (1 + norm(theta)) if r is None else r, np.zeros_like(theta) + way
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        r = max(r, norm(way))
        G = G + norm(g)**2
        step = -lr(t) * r / sqrt(G + eps) * g
        theta, way = theta + step, way + step
        yield theta


@optimizer
def prodigy(problem, theta, *, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, share=1e-6, t=0, way=0.0, d=None,
            r=0.0, s=0.0, m=0.0, v=0.0):
    """Adam whose rate is a lower bound on the distance to the minimum, which grows as gradients agree.

    Mishchenko and Defazio (2024), Algorithm 4.  If f is convex and not noisy, d is no larger than the largest number of
    θ₀ − θ*: gᵀ(θ₀ − θ) adds up to less than sᵀ(θ₀ − θ*).  The first d is `share`.  m and v are those of d g, and not
    corrected, as in the code; lr = 1 is the method, and a schedule of the rate multiplies it.
    In Table 1: length each by gradient and the way gone; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr, beta3 = schedule(lr), sqrt(beta2)
    d, way = share if d is None else d, np.zeros_like(theta) + way
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        rate = lr(t) * d
        r = beta3 * r + (1 - beta3) * rate * d * -inner(g, way)
        s = beta3 * s + (1 - beta3) * rate * d * g
        m = beta1 * m + (1 - beta1) * d * g
        v = beta2 * v + (1 - beta2) * d**2 * g**2
        step = -rate * m / (np.sqrt(v) + d * eps)
        theta, way = theta + step, way + step
        d = max(d, r / (np.abs(s).sum().item() or 1.0))
        yield theta


@optimizer
def schedule_free(problem, theta, *, lr=1.0, beta=0.9, t=0, z=None, most=0.0, total=0.0):
    """Gradient steps on z, the average of all z as iterate θ, and gradients at y, most of the way from z to θ.

    Defazio et al. (2024), equations 2 to 4, as in their code: the average weighs every z by the square of the largest
    rate so far.  With beta = 0 it is Polyak's average of gradient descent.  What is handed out is the average, their x;
    the gradient is that at their y, so that whoever saves or judges y has another model.
    In Table 1: structure LI; over time mean of iterates.
    """
    lr = schedule(lr)
    z = theta if z is None else z
    for t, loss in problem.losses(after=t):
        y = (1 - beta) * z + beta * theta
        g = loss.gradient(y)
        z = z - lr(t) * g
        most = max(most, lr(t))
        total = total + most**2
        c = most**2 / (total or 1.0)
        theta = (1 - c) * theta + c * z
        yield theta


@optimizer
def schedule_free_adamw(problem, theta, *, lr=2.5e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, t=0, z=None,
                        v=0.0, most=0.0, total=0.0):
    """The same with the steps of AdamW: the average of the iterates takes the place of that of the gradients.

    Defazio et al. (2024), Algorithm 1, with the defaults of their code.  There v is corrected and then eps added; the
    paper multiplies the rate by √(1 − beta2ᵗ) instead, so that these first rates also weigh less.  Weights decay at y.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, mean of iterates.
    """
    lr = schedule(lr)
    z = theta if z is None else z
    for t, loss in problem.losses(after=t):
        y = (1 - beta1) * z + beta1 * theta
        g = loss.gradient(y)
        v = beta2 * v + (1 - beta2) * g**2
        v_hat = v / (1 - beta2**t)
        z = z - lr(t) * (g / (np.sqrt(v_hat) + eps) + weight_decay * y)
        most = max(most, lr(t))
        total = total + most**2
        c = most**2 / (total or 1.0)
        theta = (1 - c) * theta + c * z
        yield theta
