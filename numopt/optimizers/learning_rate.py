"""Methods that learn their learning rate as they go.          Lecture 5.

The first three look at f(η) = L(w − η g), the loss after a step of rate η, and move η towards its minimum: by a
gradient step or by a Newton step on that one number.  `probe` is the problem that judges a rate: leave it out to ask
the mini-batch that g comes from, or give the risk on a validation set (Ravaut and Gorti 2018, equations 22 and 23).

The paper's δ is two things: the small number of equations 18 and 19 is `delta` here, the momentum of 20 and 21 is v,
the change of the rate at the last step: the one that was made (21), not what was asked for before the rate was kept
above delta, or from more than doubling.  (What is asked for and refused, step after step, would add up, and let the
rate run away when it is no longer refused.)
"""
import math

import numpy as np

from numopt.optimizer import optimizer


@optimizer
def gradient_rate(problem, theta, *, alpha=1e-2, beta=0.0, delta=1e-6, probe=None, t=0, lr=1e-2, v=0.0):
    """Gradient descent on the weights, and gradient descent on its learning rate.

    Ravaut and Gorti (2018), equations 5 to 7, with momentum on the rate as in 20 and 21 if beta > 0, and the rate kept
    above delta by 19.  Where the loss is the same at every step, f'(η) = −g(t)ᵀ g(t + 1), equation 8, and this is
    hypergradient descent (Almeida et al. 1998; Baydin et al. 2018), which the paper does not name.  It is not
    invariant to the scale of the loss: ten times the loss calls for a thousandth of alpha.  (Equation 3 has
    f : ℝⁿ → ℝ; η is one number.)
    In Table 1: curvature agreement; structure cI; over time rate.
    """
    for t, loss in problem.losses(after=t):
        g = np.array(loss.gradient(theta))
        judge = loss if probe is None else probe.loss(t)
        theta = theta - lr * g
        slope = -(g @ judge.gradient(theta)).item()
        before, lr = lr, max(lr + beta * v - alpha * slope, delta)
        v = lr - before
        yield theta


@optimizer
def newton_rate(problem, theta, *, epsilon=0.1, beta=0.0, delta=1e-6, most=2.0, probe=None, t=0, lr=1e-2, v=0.0):
    """Gradient descent whose learning rate takes Newton steps on f(η), from five values of the loss.

    Ravaut and Gorti (2018), equations 9, 10, 14 and 15, and 20 and 21 if beta > 0, made safe in three places.  |f''|
    stands for f'', since where f'' < 0 Newton goes to the maximum.  The differences are taken at a distance of
    epsilon · η, so that they are not lost in the rounding of f, in single precision either.  And the rate changes by
    no more than a factor of `most` a step, which also keeps it positive.  `newton_rate_printed` has none of this.
    What no guard here prevents: the rate is learned at one point and used at the next, where the loss may be steeper.
    In Table 1: length rate at most; curvature H along g; structure cI; over time rate.
    """
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        judge = loss if probe is None else probe.loss(t)
        h = epsilon * lr
        f = {k: judge.value(theta - (lr + k * h) * g) for k in (-2, -1, 0, 1, 2)}
        slope = (f[1] - f[-1]) / (2 * h)
        bend = (f[2] + f[-2] - 2 * f[0]) / (4 * h**2)
        theta = theta - lr * g
        before, lr = lr, min(max(lr + beta * v - slope / (abs(bend) + delta), lr / most), lr * most)
        v = lr - before
        yield theta


@optimizer
def newton_rate_printed(problem, theta, *, epsilon=1e-5, beta=0.0, delta=1e-6, near=None, probe=None, t=0, lr=1e-2,
                        v=0.0):
    """The same to the letter of the paper, whose guards do not hold.

    Ravaut and Gorti (2018), equations 16 to 21.  Equation 18 adds δ to the denominator where that is "≈ 0" (17), and
    how near is not said.  Three readings:

    near=None    where it is no larger than δ (the usual one here).  The denominator is 4 ε² f'': with their ε = 1e-5 it
                 is that small unless |f''| > 2500, and then the rate is learned by a gradient step of about
                 4 ε² / δ = 4e-4; a larger one is a Newton step, and if it is negative to a maximum of f
    near=inf     always, as if 18 stood alone: the same, but that δ is added to larger ones too
    near=0       where it is 0 ("underflow"): Newton steps from what is, in single precision, rounding

    A denominator of −δ is made zero, not safe, by the first two.
    In Table 1: curvature δ; structure cI; over time rate.
    """
    near = delta if near is None else near
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        judge = loss if probe is None else probe.loss(t)
        f = {k: np.float64(judge.value(theta - (lr + k * epsilon) * g)) for k in (-2, -1, 0, 1, 2)}
        theta = theta - lr * g
        bend = f[2] + f[-2] - 2 * f[0]
        bend = bend + delta if abs(bend) <= near else bend
        before, lr = lr, max(float(lr + beta * v - 2 * epsilon * (f[1] - f[-1]) / bend), delta)
        v = lr - before
        yield theta


@optimizer
def vsgd(problem, theta, *, samples=10, slow=2.0, eps=1e-9, t=0, g_bar=0.0, v_bar=0.0, h_bar=0.0, tau=1.0):
    """For every coordinate the rate that lowers the expected loss most, if the loss is a noisy quadratic.

    Schaul, Zhang and LeCun (2013), Algorithm 1, vSGD-l: η = ḡ² / (h̄ v̄), from averages of the gradient, of its square
    and of the curvature.  An average looks back over τ steps: over few where the gradient has a clear direction, over
    more where it is noise.  The first steps only look, at so many `samples`; then v̄ is made `slow` times larger.
    The curvature h is a difference of gradients at a distance of ḡ (Schaul and LeCun 2013, vSGD-fd), which any problem
    can answer, in place of the paper's backpropagated diagonal.
    In Table 1: curvature changes of g; structure diagonal; over time average.
    """
    least = math.sqrt(np.finfo(theta.dtype).eps)  # a shorter difference would be rounding
    g_bar = np.zeros_like(theta) + g_bar
    for t, loss in problem.losses(after=t):
        g = np.array(loss.gradient(theta))
        d = np.where(np.abs(g_bar) > least, g_bar, least).astype(theta.dtype)
        h = np.abs((loss.gradient(theta + d) - g) / d)
        weight = 1 / t if t <= samples else 1 / tau
        g_bar = (1 - weight) * g_bar + weight * g
        v_bar = (1 - weight) * v_bar + weight * g**2
        h_bar = (1 - weight) * h_bar + weight * h
        if t == samples:
            v_bar, tau = slow * v_bar, np.full_like(theta, samples)
        elif t > samples:
            share = g_bar**2 / (v_bar + eps)
            tau = (1 - share) * tau + 1
            theta = theta - share / (h_bar + eps) * g
        yield theta
