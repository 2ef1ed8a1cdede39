"""Curvature coordinate by coordinate: the diagonal of the Hessian, estimated from one product.          Lecture 10.

For a vector z of random signs, z * (H z) has the mean diag(H): entry i is H_ii and, for every other j, ± H_ij, which
cancel on average (Hutchinson 1990; Bekas, Kokiopoulou and Saad 2007).  Where H is diagonal one draw gives it exactly.
Whatever is drawn at step t is a function of (seed, t).
"""
import numpy as np

from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def adahessian(problem, theta, *, lr=0.15, beta1=0.9, beta2=0.999, eps=1e-4, power=1.0, weight_decay=0.0,
               averaging="signed", block=None, seed=0, t=0, m=0.0, v=0.0):
    """Adam with an estimate of the Hessian's diagonal in the place of the gradient under the root.

    Yao et al. (2021), Algorithm 1, with their defaults; `power` is their k.  D is averaged over each row of a weight
    matrix [W | b], or over so many numbers of it at a time, `block`: with 1 over none.  The paper averages D as it is,
    its equation 10; averaging="absolute" averages |D|, as the authors' code does, and there chance does not cancel.
    (Their code leaves the biases out, and averages a convolution over the pixels of its kernel for each channel.)
    With power and eps zero it is momentum.  Kashyap (2022) prints Δw = diag(H)^(−k) g: that climbs; a minus is missing.
    In Table 1: curvature H sampled; structure diagonal by row; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        z = signs(theta, seed, t)
        D = z * (loss.hessian(theta) @ z)
        D = spatial_average(loss.blocks(D), averaging, block)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * D**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * (m_hat / (np.sqrt(v_hat)**power + eps) + weight_decay * theta)
        yield theta


@optimizer
def sophia(problem, theta, *, lr=1e-4, beta1=0.96, beta2=0.99, gamma=None, eps=1e-12, weight_decay=0.1, k=10,
           estimator="H", seed=0, t=0, m=0.0, h=0.0):
    """Momentum divided by an estimate of the curvature, and no coordinate further than lr.

    Liu et al. (2024), Algorithm 3.  The curvature h is estimated at every k-th step only: by "H", Hutchinson (their
    Algorithm 1), or by "G", the Gauss-Newton-Bartlett estimator (Algorithm 2), for which the problem must be a network
    on data.  gamma is 0.01 for H and 0.05 for G unless it is given: the larger, the fewer coordinates are clipped; the
    authors have half to nine tenths of them clipped.  Where h ≤ 0 the step is lr by the sign of m, and nearly
    everywhere at the start, as h starts at zero and is not corrected for it.  weight_decay is 0.1 as in their code.
    In Table 1: length each number at most; curvature H or F sampled; structure diagonal; over time average, momentum.
    """
    estimate, usual_gamma = known_estimator(estimator)
    lr, gamma = schedule(lr), usual_gamma if gamma is None else gamma
    h = np.zeros_like(theta) + h
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        if (t - 1) % k == 0:
            h_hat = estimate(loss, theta, seed, t)
            h = beta2 * h + (1 - beta2) * h_hat
        theta = theta - lr(t) * (np.clip(m / np.maximum(gamma * h, eps), -1, 1) + weight_decay * theta)
        yield theta


@optimizer
def ivon(problem, theta, *, lr=0.1, beta1=0.9, beta2=0.99999, ess=1e4, h0=1.0, weight_decay=1e-4, seed=0,
         t=0, h=None, m=0.0):
    """Momentum divided by a curvature that gradients at points of chance tell, by products with their distances.

    Shen et al. (2024), Algorithm 1, with the defaults of their code.  What is learned is a normal distribution of
    weights, with the mean θ and the variance 1 / (ess (h + weight_decay)) of each; it is asked at one draw a step, and
    h_hat, by Price's theorem, is on average the diagonal of the Hessian, smoothed over that distribution.  h cannot
    become negative: its update stays on the manifold of variances (their line 5).  ess is the effective number of
    examples, without default in their code (1e4 is ours): the less, the wider the distribution.  h0 is the first h.
    In Table 1: curvature H sampled; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    h = np.full_like(theta, h0) if h is None else h
    for t, loss in problem.losses(after=t):
        precision = ess * (h + weight_decay)
        noise = np.random.default_rng([seed, t]).standard_normal(theta.size).astype(theta.dtype) / np.sqrt(precision)
        g = loss.gradient(theta + noise)
        h_hat = precision * noise * g
        m = beta1 * m + (1 - beta1) * g
        h = beta2 * h + (1 - beta2) * h_hat + (1 - beta2)**2 / 2 * (h - h_hat)**2 / (h + weight_decay)
        m_hat = m / (1 - beta1**t)
        theta = theta - lr(t) * (m_hat + weight_decay * theta) / (h + weight_decay)
        yield theta


def signs(theta, seed, t):
    """A vector of random signs shaped like θ (Rademacher's distribution)."""
    return np.random.default_rng([seed, t]).choice(np.array([-1, 1], theta.dtype), theta.size)


def hutchinson(loss, theta, seed, t):
    """z * (H z): on average the diagonal of H, which may have negative entries."""
    z = signs(theta, seed, t)
    return z * (loss.hessian(theta) @ z)


def gauss_newton_bartlett(loss, theta, seed, t):
    """B ĝ², where ĝ is the mean gradient of B examples at labels drawn from the model: on average diag(Fisher), ≥ 0.

    Bartlett's identity: at such labels the gradient of an example has the mean 0.  So the B² products in ĝ² leave, on
    average, those of an example with itself: B of them, divided by B².
    """
    g_hat = loss.sampled_gradient(theta, [seed, t])
    return loss.n * g_hat**2


def known_estimator(name):
    """The estimator of that name, and the gamma that Liu et al. take with it."""
    if name not in ("H", "G"):
        raise ValueError(f"estimator is {name!r}; it is H or G")
    return (hutchinson, 0.01) if name == "H" else (gauss_newton_bartlett, 0.05)


def spatial_average(D, averaging, block=None):
    """Matrices D as one vector, each number replaced by the mean of its block: `block` in a row, or the whole row."""
    if averaging not in ("signed", "absolute"):
        raise ValueError(f"averaging is {averaging!r}; it is signed or absolute")
    return np.concatenate([block_means(D_i if averaging == "signed" else np.abs(D_i), block).ravel() for D_i in D])


def block_means(D, block=None):
    """The matrix of the means over every so many numbers of a row, or over what is left of it at its end."""
    starts = np.arange(0, D.shape[1], block or D.shape[1])
    lengths = np.diff(starts, append=D.shape[1])
    means = np.add.reduceat(D, starts, axis=1) / lengths.astype(D.dtype)
    return np.repeat(means, lengths, axis=1)
