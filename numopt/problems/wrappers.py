"""A problem changed a little: with its gradients clipped, or with a price for large parameters.          Lecture 13."""
import copy

import numpy as np

from numopt.linalg.systems import damped
from numopt.problems.objective import Objective


class Wrapped(Objective):
    """A problem that answers as another one does; its subclasses change some of the answers.

    What they do not mention is about the other problem alone, `accuracy` and `per_example_gradients` for example.
    """

    def __init__(self, problem):
        self.problem, self.size = problem, problem.size

    def around(self, problem):
        """The same change, on another problem."""
        changed = copy.copy(self)
        changed.problem, changed.size = problem, problem.size
        return changed

    def loss(self, t):
        return self.around(self.problem.loss(t))

    @property
    def whole(self):
        return self.around(self.problem.whole)

    @property
    def smooth(self):
        return self.around(self.problem.smooth)

    def proximal(self, theta, lr):
        return self.problem.proximal(theta, lr)

    def value(self, theta):
        return self.problem.value(theta)

    def gradient(self, theta):
        return self.problem.gradient(theta)

    def hessian(self, theta):
        return self.problem.hessian(theta)

    def gauss_newton(self, theta):
        return self.problem.gauss_newton(theta)

    def fisher(self, theta, **how):
        return self.problem.fisher(theta, **how)

    def sampled_fisher(self, theta):
        return self.problem.sampled_fisher(theta)

    def empirical_fisher(self, theta):
        return self.problem.empirical_fisher(theta)

    def sampled_gradient(self, theta, seed=None):
        return self.problem.sampled_gradient(theta, seed)

    def kronecker_factors(self, theta, **how):
        return self.problem.kronecker_factors(theta, **how)

    def blocks(self, vector):
        return self.problem.blocks(vector)

    def __getattr__(self, name):
        if name.startswith("__") or name == "problem":  # while it is being unpickled it has no problem yet
            raise AttributeError(name)
        return getattr(self.problem, name)


class Clipped(Wrapped):
    """Gradients cut down to size: each number to [−element, element], or the whole vector to a length of `norm`.

    Goodfellow, Bengio and Courville (2016), Section 10.11.1; Pascanu et al. (2013), Algorithm 1, for the norm.
    Ravasi's lecture notes print min(∇J, th), which leaves a derivative of −100 as it is.
    """

    def __init__(self, problem, element=None, norm=None):
        super().__init__(problem)
        if (element is None) == (norm is None):
            raise ValueError("Clipped takes one of element= and norm=: the most that a number, or the length, may be")
        self.element, self.norm = element, norm
        if number("element" if norm is None else "norm", element if norm is None else norm) == 0:
            raise ValueError("clipped to 0, there is no gradient left; give Clipped a number above 0")

    def gradient(self, theta):
        g = self.problem.gradient(theta)
        if self.norm is None:
            return np.clip(g, -self.element, self.element)
        length = np.linalg.norm(g.astype(float)).item()  # in double precision, where the squares do not overflow
        return g * (self.norm / length) if length > self.norm else g


class Ridge(Wrapped):
    """A problem and ½ strength ‖θ‖²: L2 regularisation, which shrinks θ in proportion (Hoerl and Kennard 1970)."""

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = number("strength", strength)

    def value(self, theta):
        return self.problem.value(theta) + self.strength * (theta @ theta).item() / 2

    def gradient(self, theta):
        return self.problem.gradient(theta) + self.strength * theta

    def hessian(self, theta):
        return damped(self.problem.hessian(theta), self.strength)

    def gauss_newton(self, theta):
        return damped(self.problem.gauss_newton(theta), self.strength)


class Lasso(Wrapped):
    """A problem and strength ‖θ‖₁: L1 regularisation, which makes small parameters zero (Tibshirani 1996).

    Where θ_i = 0 its derivative is taken to be 0.  Gradient steps hop over the kink; optimizers.proximal_descent
    meets it, with a gradient step on the `smooth` part, the problem alone, and a pull towards 0 by lr · strength.
    """

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = number("strength", strength)

    def value(self, theta):
        return self.problem.value(theta) + self.strength * np.abs(theta).sum().item()

    def gradient(self, theta):
        return self.problem.gradient(theta) + self.strength * np.sign(theta)

    @property
    def smooth(self):
        return self.problem.smooth

    def proximal(self, theta, lr):
        """argmin over x of lr · strength ‖x‖₁ + ½‖x − θ‖²: soft thresholding."""
        return np.sign(theta) * np.maximum(np.abs(theta) - lr * self.strength, 0)


def number(name, value):
    if not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0, and is {value!r}")
    return float(value)
