"""Two gradients a step: to see how sharp it is here, or what of a gradient is noise.          Lecture 13."""
import numpy as np

from numopt.linalg.norms import unit
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def sam(problem, theta, *, lr=1e-2, rho=0.05, t=0):
    """Step by the gradient found a little uphill, at the worst point within a distance of rho.

    Foret et al. (2021), Algorithm 1 and equation 2, around gradient descent.  To first order it descends f + rho ‖∇f‖,
    and so, along a valley of minima, towards where it is wide.  It does not come to rest: near a minimum of curvature λ
    it ends in steps to and fro, of the width lr λ rho / (2 − lr λ) either way.
    In Table 1: structure LI.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        uphill = theta + rho * unit(g)
        theta = theta - lr(t) * loss.gradient(uphill)
        yield theta


@optimizer
def svrg(problem, theta, *, lr=1e-2, every=100, t=0, anchor=0.0, whole=0.0):
    """Take away from a mini-batch's gradient what it had too much at the anchor, where all the data were asked.

    Johnson and Zhang (2013), Figure 1, option I, with a new anchor, their w̃, at `every` so many steps: the problem's
    `whole` answers there for all the data, at the price of an epoch.  The mean over the batches is the whole gradient,
    as before; the noise goes with the distance from the anchor, and so to nothing, and the rate need not fall.
    In Table 1: structure LI; over time anchor.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        if (t - 1) % every == 0:
            anchor, whole = theta, np.array(getattr(problem, "whole", problem).gradient(theta))
        g = np.array(loss.gradient(theta))
        g = g - loss.gradient(anchor) + whole
        theta = theta - lr(t) * g
        yield theta
