"""Gradient descent with a velocity.          Lecture 3."""
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def momentum(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    """Keep a share mu of the last step, and add a gradient step to it: the heavy ball.

    Polyak (1964); Kashyap (2022), Section 2.1, with mu for his α.  lr and mu may be schedules: mu often rises from
    0.5 to 0.99.  The rate multiplies the gradient on its way into v, so a lower rate does not shrink the velocity
    that has been gathered; with v = mu v + g and θ = θ − lr v, the other usual form, it does.  At a constant rate
    they are the same.  (Ravasi's lecture writes v = γ v − g with the rate inside g, and then names the momentum α.)
    In Table 1: structure LI; over time momentum.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        v = mu(t) * v - lr(t) * g
        theta = theta + v
        yield theta


@optimizer
def nesterov(problem, theta, *, lr=1e-2, mu=0.9, t=0, v=0.0):
    """Momentum that looks where the velocity is about to take it, and corrects the step by the gradient there.

    Nesterov (1983) in the form of Sutskever et al. (2013), equations 3 and 4; Kashyap (2022), Section 2.2.  On convex
    functions, without noise, mu(t) = (t − 1)/(t + 2) gives an error of order 1/t² against gradient descent's 1/t.
    In Table 1: structure LI; over time momentum.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta + mu(t) * v)
        v = mu(t) * v - lr(t) * g
        theta = theta + v
        yield theta
