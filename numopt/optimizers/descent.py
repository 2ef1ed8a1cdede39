"""Down the gradient: with a given rate, with the best rate, and by length or sign alone.          Lecture 2."""
import numpy as np

from numopt.linalg.norms import unit
from numopt.line_search import exact
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def gradient_descent(problem, theta, *, lr=1e-2, t=0):
    """Step against the gradient; on mini-batches this is stochastic gradient descent.

    Cauchy (1847); Robbins and Monro (1951) for mini-batches.  Kashyap (2022), Section 3: on a quadratic the error
    along an eigenvector shrinks by |1 − lr λ| a step, so it diverges beyond lr = 2/λ_max and, where his list says
    that it "oscillates", never decays at exactly 2/λ.
    In Table 1: structure LI.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta = theta - lr(t) * g
        yield theta


@optimizer
def steepest_descent(problem, theta, *, t=0):
    """Go along the negative gradient as far as it leads down: gradient descent with an exact line search.

    Boyd and Vandenberghe (2004), Algorithm 9.3.  Each step is orthogonal to the last.  It needs a `loss` that is
    the same at every step: the lowest point of one mini-batch says little about the others.  p has length 1, so that
    the first trial does not depend on the units of f.
    In Table 1: length search; curvature H along g; structure cI.
    """
    for t, loss in problem.losses(after=t):
        f, g = loss.value_and_gradient(theta)
        p = -unit(g)
        alpha, *_ = exact(loss, theta, p, f, g)
        theta = theta + alpha * p
        yield theta


@optimizer
def normalized_descent(problem, theta, *, lr=1e-2, t=0):
    """Step against the gradient by a length that does not depend on the gradient's.

    Nesterov (2004), Section 3.2.3; Zheng, "Normalized Gradient Descent", whose ε L^(−½) is lr.  It crosses plateaus
    and cliffs alike, and comes to rest only if lr falls.
    In Table 1: length whole; structure LI.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta = theta - lr(t) * unit(g)
        yield theta


@optimizer
def sign_descent(problem, theta, *, lr=1e-3, t=0):
    """Step by the same length in every coordinate, against the sign of its derivative.

    Bernstein et al. (2018), Algorithm 1; Zheng, "Sign Gradient Descent", who writes sign(Qᵀd) and means sign(Qᵀg).
    In Table 1: length each; structure LI.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta = theta - lr(t) * np.sign(g)
        yield theta


@optimizer
def proximal_descent(problem, theta, *, lr=1e-2, t=0):
    """Step against the gradient of the smooth part, and then let the part with a kink pull θ in, exactly.

    Daubechies, Defrise and De Mol (2004), equation 1.5, known as ISTA; Beck and Teboulle (2009), equation 1.4.  For
    wrappers.Lasso the pull is soft thresholding, which makes parameters exactly zero; where nothing has a kink this is
    gradient descent.  On a convex problem it converges for lr ≤ 1/λ_max, as it would without the kink.
    In Table 1: structure LI.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.smooth.gradient(theta)
        theta = loss.proximal(theta - lr(t) * g, lr(t))
        yield theta
