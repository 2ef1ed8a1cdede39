"""Neighbours of Adam: the same loop but for a line or two, which are what each is about.          Lecture 10."""
from math import sqrt

import numpy as np

from numopt.linalg.norms import norm
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def radam(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, t=0, m=0.0, v=0.0):
    """Adam that warms up by itself: until v has seen enough it takes no part, and then the step is shortened.

    Liu et al. (2020), Algorithm 2.  rho is the number of gradients that v is worth; r is the rectification.  Their
    code, and PyTorch's, wait until rho > 5, the paper until rho > 4, which is one step earlier with beta2 = 0.999.
    Meanwhile paper and PyTorch step by m_hat; the authors' code stands still, unless told to degenerated_to_sgd.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    rho_inf = 2 / (1 - beta2) - 1
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 5:
            r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            theta = theta - lr(t) * r * m_hat / (np.sqrt(v_hat) + eps)
        else:
            theta = theta - lr(t) * m_hat
        yield theta


@optimizer
def yogi(problem, theta, *, lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-3, t=0, m=0.0, v=1e-6):
    """Adam whose average of squares falls by no more than a share of the newest square, and so forgets slowly.

    Zaheer et al. (2018), Algorithm 2, with the defaults and the corrections of their code, which the paper leaves out.
    (There eps is added before the correction.)  As v starts at 1e-6, not at 0, v_hat begins at 1000 times that.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = v - (1 - beta2) * np.sign(v - g**2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)
        yield theta


@optimizer
def adabelief(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, t=0, m=0.0, v=0.0):
    """Adam that divides by how far gradients are from what was expected, not by how large they are.

    Zhuang et al. (2020), Algorithm 2, whose s is v here.  eps is added twice, to v at every step and to its root, and
    is 1e-16, as in their code (1e-8 in the paper): under gradients that do not change, it is all that there is.  Since
    0.1 their code also rectifies, as RAdam does, unless told not to.
    In Table 1: length each by gradient; curvature covariance; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g - m)**2 + eps
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)
        yield theta


@optimizer
def adan(problem, theta, *, lr=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0.0, t=0, m=0.0, u=0.0,
         v=0.0, g_last=0.0):
    """Adam with Nesterov's look ahead, made of the changes of the gradient: none is asked for elsewhere.

    Xie et al. (2022), Algorithm 1, with u for their v and v for their n.  The betas are the shares that are kept, as in
    their code, which also corrects the three averages (the paper does not); the paper's are one minus these.  (Optax
    0.2.8 keeps the shares of the code but looks ahead by 1 − beta2, as if beta2 were the paper's, so by 0.08 and not by
    0.92; and its weights decay as in AdamW, by a factor 1 − lr · weight_decay.)
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = np.array(loss.gradient(theta))
        y = g - g_last if t > 1 else np.zeros_like(g)
        m = beta1 * m + (1 - beta1) * g
        u = beta2 * u + (1 - beta2) * y
        v = beta3 * v + (1 - beta3) * (g + beta2 * y)**2
        m_hat = m / (1 - beta1**t)
        u_hat = u / (1 - beta2**t)
        v_hat = v / (1 - beta3**t)
        theta = theta - lr(t) * (m_hat + beta2 * u_hat) / (np.sqrt(v_hat) + eps)
        theta = theta / (1 + lr(t) * weight_decay)
        g_last = g
        yield theta


@optimizer
def lamb(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=1e-2, t=0, m=0.0, v=0.0):
    """AdamW whose step has, layer by layer, the length of the weights, so that every layer turns at the same rate.

    You et al. (2020), Algorithm 2, with φ(x) = x, and the decay of their runs (0 in their code, which in ALBERT's
    repository corrects neither average).  A layer is a block [W | b] of the problem, its bias included.  Where the
    weights or the step are 0 the step is as it is.
    In Table 1: length layers by their weights; curvature F̃; structure diagonal by layer; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        d = m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta
        theta = theta - lr(t) * as_long_as(loss.blocks(theta), loss.blocks(d))
        yield theta


def as_long_as(W, D):
    """Every matrix of D with the length (Frobenius norm) of the one in its place in W, as one vector."""
    lengths = [(norm(W_i), norm(D_i)) for W_i, D_i in zip(W, D)]
    ratios = [of_W / of_D if of_W and of_D else 1.0 for of_W, of_D in lengths]
    return np.concatenate([ratio * D_i.ravel() for ratio, D_i in zip(ratios, D)])
