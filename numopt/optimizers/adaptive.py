"""A learning rate for every coordinate.          Lecture 4.

The letters are the same throughout: m averages gradients, v and s average or add up their squares, and a hat marks
an average corrected for its start at zero.  Squares, roots, signs and quotients are taken coordinate by coordinate.
"""
import numpy as np

from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def delta_bar_delta(problem, theta, *, lr=1e-2, mu=0.0, kappa=0.05, phi=0.05, rho=0.7, least=0.1, most=10.0,
                    t=0, gain=1.0, g_bar=0.0, v=0.0):
    """Raise the rate of a coordinate by a little while its gradient keeps its sign, and cut it when the sign turns.

    Jacobs (1988), whose rate is lr · gain, whose κ is lr · kappa, and whose θ is rho; the gains, their limits and
    kappa = phi = 0.05 are Hinton's (2012), lecture 6d.  For whole batches, or large ones: a sign must not be chance.
    The sign is compared with that of the average ḡ of the past; Kashyap (2022) and Ravasi's lecture print the previous
    gradient, which is rho = 0.  With mu > 0 the weights have momentum.
    In Table 1: curvature signs; structure diagonal; over time gains.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    gain = np.full_like(theta, gain)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        agree = np.sign(g_bar) * np.sign(g)
        gain = np.where(agree > 0, gain + kappa, np.where(agree < 0, (1 - phi) * gain, gain))
        gain = np.clip(gain, least, most)
        g_bar = (1 - rho) * g + rho * g_bar
        v = mu(t) * v - lr(t) * gain * g
        theta = theta + v
        yield theta


@optimizer
def delta_bar_velocity(problem, theta, *, lr=1e-2, mu=0.9, kappa=0.05, phi=0.05, least=0.1, most=10.0,
                       t=0, gain=1.0, v=0.0):
    """Raise the rate of a coordinate while its velocity goes down the gradient, and cut it when it goes up.

    Hinton (2012), lecture 6d, who credits Jacobs (1989), and Kashyap (2022), Section 2.3: delta-bar-delta with
    momentum, which needs no average of gradients, for the velocity is one, in steps that were made.  With mu = 0 the
    velocity is the last step, and this is delta-bar-delta with rho = 0.
    In Table 1: curvature signs; structure diagonal; over time gains, momentum.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    gain = np.full_like(theta, gain)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        agree = -np.sign(v) * np.sign(g)
        gain = np.where(agree > 0, gain + kappa, np.where(agree < 0, (1 - phi) * gain, gain))
        gain = np.clip(gain, least, most)
        v = mu(t) * v - lr(t) * gain * g
        theta = theta + v
        yield theta


@optimizer
def rprop(problem, theta, *, eta_minus=0.5, eta_plus=1.2, least=1e-6, most=50.0, t=0, lr=1e-2, g_last=0.0):
    """Step by the sign of the gradient alone, further while it keeps its sign, and half as far when it has turned.

    Riedmiller and Braun (1993).  Where the sign has turned the coordinate waits for one step, which does not count as
    a turn; the original also takes the last step back (this form is iRprop⁻ of Igel and Hüsken, 2000, as in PyTorch).
    lr is the length of the first step, and from then on what was learned, a length for every coordinate.  For whole
    batches: gradients of 0.1 on nine mini-batches and −0.9 on a tenth should cancel, and here are nine growing steps
    one way and none back (Hinton 2012, lecture 6e).
    In Table 1: length each; curvature signs; structure diagonal; over time lengths.
    """
    lr = np.full_like(theta, lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        agree = np.sign(g_last) * np.sign(g)
        lr = np.where(agree > 0, eta_plus * lr, np.where(agree < 0, eta_minus * lr, lr))
        lr = np.clip(lr, least, most)
        g_last = np.where(agree < 0, 0, g)
        theta = theta - lr * np.sign(g_last)
        yield theta


@optimizer
def adagrad(problem, theta, *, lr=1e-2, eps=1e-10, t=0, s=0.0):
    """Divide each coordinate by the root of the sum of its squared gradients.

    Duchi, Hazan and Singer (2011), Figure 1, with a diagonal matrix.  The rate lr / √s never increases; Ravasi's
    lecture says that small gradients "will have an increase of the LR", where it only falls less.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time sum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        s = s + g**2
        theta = theta - lr(t) * g / (np.sqrt(s) + eps)
        yield theta


@optimizer
def rmsprop(problem, theta, *, lr=1e-3, rho=0.9, eps=1e-8, t=0, s=0.0):
    """AdaGrad that forgets: the sum of squares becomes a moving average.

    Hinton (2012), lecture 6e.  The average starts at zero and is not corrected for it, so the first steps are longer
    than lr by up to 1/√(1 − rho).  (Memon et al. (2024) print the mean of all squares for s, which forgets nothing:
    AdaGrad with a rate lr √t.  And their M⁻¹ = diag(√s + ε) is M.)
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        s = rho * s + (1 - rho) * g**2
        theta = theta - lr(t) * g / (np.sqrt(s) + eps)
        yield theta


@optimizer
def adadelta(problem, theta, *, rho=0.95, eps=1e-6, t=0, s=0.0, u=0.0):
    """Step by a root mean square of past steps for each root mean square of past gradients: there is no rate to set.

    Zeiler (2012), Algorithm 1: s averages g², u averages d².  But for eps, the step has the units of θ and does not
    change if the loss is multiplied by a number.  As u starts at zero, eps sets how long the first steps are.
    In Table 1: length each by gradient and the way gone; curvature F̃; structure diagonal; over time average.
    """
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        s = rho * s + (1 - rho) * g**2
        d = -np.sqrt((u + eps) / (s + eps)) * g
        u = rho * u + (1 - rho) * d**2
        theta = theta + d
        yield theta


@optimizer
def adam(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, t=0, m=0.0, v=0.0):
    """RMSProp on an averaged gradient, both averages corrected for having started at zero.

    Kingma and Ba (2015), Algorithm 1.  (Ravasi's lecture has 1e-6 for eps; Memon et al. (2024) leave out both
    corrections, and their M⁻¹ = diag(√s + ε) is M.)
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)
        yield theta


@optimizer
def amsgrad(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, t=0, m=0.0, v=0.0, v_max=0.0):
    """Adam that remembers the largest v it has seen, so that no rate ever increases.

    Reddi, Kale and Kumar (2018), Algorithm 2, to which eps is added.  As printed there, the maximum is of v, and
    neither average is corrected: the first steps are longer than Adam's, up to 6.6 times.  PyTorch corrects m and then
    the maximum, which is this with lr(t) = α √(1 − beta2ᵗ) / (1 − beta1ᵗ); a rate may then increase.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, largest, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = np.maximum(v_max, v)
        theta = theta - lr(t) * m / (np.sqrt(v_max) + eps)
        yield theta


@optimizer
def nadam(problem, theta, *, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, psi=4e-3, t=0, m=0.0, v=0.0, mu_product=1.0):
    """Adam with Nesterov's look ahead: the momentum of the next step is used in this one.

    Dozat (2016), Algorithm 2, with its schedule μ_t = β₁ (1 − ½ 0.96^(t psi)).  As in PyTorch, m itself decays by β₁,
    where the paper has μ_t there as well.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        mu = beta1 * (1 - 0.96**(t * psi) / 2)
        mu_next = beta1 * (1 - 0.96**((t + 1) * psi) / 2)
        mu_product = mu_product * mu
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = mu_next * m / (1 - mu_product * mu_next) + (1 - mu) * g / (1 - mu_product)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * m_hat / (np.sqrt(v_hat) + eps)
        yield theta


@optimizer
def adamw(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-2, t=0, m=0.0, v=0.0):
    """Adam with weight decay beside the adapted step, not inside the gradient, where it would be adapted too.

    Loshchilov and Hutter (2019), Algorithm 2, with lr for their η α.  As in PyTorch, every step shrinks θ by the share
    lr · weight_decay; the paper's share is η λ, so that its λ is α · weight_decay.
    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr(t) * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta)
        yield theta


@optimizer
def lion(problem, theta, *, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.0, t=0, m=0.0):
    """Step by the sign of a momentum that counts the newest gradient more than the momentum that is kept does.

    Chen et al. (2023), Algorithm 2: found by a search over programs.  Every coordinate moves by the whole of lr,
    further than under Adam; Section 5 advises a rate 3 to 10 times smaller and a weight_decay as many times larger.
    In Table 1: length each; structure LI; over time momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        c = beta1 * m + (1 - beta1) * g
        theta = theta - lr(t) * (np.sign(c) + weight_decay * theta)
        m = beta2 * m + (1 - beta2) * g
        yield theta
