"""Assignment 10 in place on copies."""
from numopt.optimizers.diagonal import known_estimator, np, schedule, signs, spatial_average


def product(loss, theta, z):
    return z * np.asarray(loss.hessian(theta) @ z)


def hutchinson(loss, theta, seed, t):
    return product(loss, theta, signs(theta, seed, t))


def adahessian(problem, theta, *, lr=0.15, beta1=0.9, beta2=0.999, eps=1e-4, power=1.0, weight_decay=0.0,
               averaging="signed", block=None, seed=0, t=0, m=0.0, v=0.0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        D = spatial_average(loss.blocks(product(loss, theta, signs(theta, seed, t))), averaging, block)
        m, v = np.zeros_like(theta) + m, np.zeros_like(theta) + v
        m *= beta1
        m += (1 - beta1) * loss.gradient(theta)
        v *= beta2
        v += (1 - beta2) * np.square(D)
        d = (m / (1 - beta1**t)) / (np.power(np.sqrt(v / (1 - beta2**t)), power) + eps)
        theta = theta - lr(t) * weight_decay * theta - lr(t) * d
        yield theta


def sophia(problem, theta, *, lr=1e-4, beta1=0.96, beta2=0.99, gamma=None, eps=1e-12, weight_decay=0.1, k=10,
           estimator="H", seed=0, t=0, m=0.0, h=0.0):
    estimate, usual_gamma = known_estimator(estimator)
    lr, gamma = schedule(lr), usual_gamma if gamma is None else gamma
    h = np.zeros_like(theta) + h
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m, since = m + (g - m) * (1 - beta1), (t - 1) % k
        if not since:
            h = h + (estimate(loss, theta, seed, t) - h) * (1 - beta2)
        bottom = np.maximum(eps, h * gamma)
        u = np.sign(m) * np.minimum(np.abs(m) / bottom, 1)
        new = theta.copy()
        new -= lr(t) * u
        new -= lr(t) * weight_decay * theta
        theta = new
        yield theta
