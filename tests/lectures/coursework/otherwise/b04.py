"""Assignment 04 in place on copies; Adam with both corrections in the rate and in epsilon, as its paper suggests."""
from numopt.optimizers.adaptive import np, schedule


def rmsprop(problem, theta, *, lr=1e-3, rho=0.9, eps=1e-8, t=0, s=0.0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        square = np.square(d := loss.gradient(theta))
        s = (1 - rho) * square + rho * s
        theta = theta + -lr(t) * np.divide(d, eps + np.sqrt(s))
        yield theta


def adam(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, t=0, m=0.0, v=0.0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m, v = np.zeros_like(theta) + m, np.zeros_like(theta) + v
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        root = (1 - beta2**t)**0.5
        rate = lr(t) * root / (1 - beta1**t)
        theta = theta - rate * m / (np.sqrt(v) + eps * root)
        yield theta
