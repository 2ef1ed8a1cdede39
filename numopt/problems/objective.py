"""What an optimizer may ask of a function."""
from itertools import count

import numpy as np

from numopt.linalg.norms import reach
from numopt.linalg.operators import Symmetric


class Objective:
    """A function f of a vector of parameters theta, and the questions that can be asked of it.

    A subclass answers `value` and `gradient`; the rest have defaults, exact up to rounding or marked
    as unanswerable.  A curvature matrix is anything that can be multiplied by a vector with @: an
    array where the problem is small, a scipy LinearOperator where it is not: np.asarray(H) is its array.
    """

    size = None  # how many numbers theta must have; None where any number will do

    def __repr__(self):
        return f"<{type(self).__name__}" + (">" if self.size is None else f" of {self.size} parameters>")

    def value(self, theta):
        """f(θ), a float."""
        raise NotImplementedError(f"{type(self).__name__} has no value; write its method `value(theta)`")

    def gradient(self, theta):
        """The vector of partial derivatives at θ."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient; write its method `gradient(theta)`")

    def value_and_gradient(self, theta):
        """Both, for the price of the gradient where they share work."""
        return self.value(theta), self.gradient(theta)

    def hessian(self, theta):
        """The matrix of second derivatives; here its products are central differences of the gradient."""

        def product(v):
            v = np.ravel(v)
            if not v.any():
                return np.zeros_like(theta)
            h = reach(theta, v, np.cbrt(np.finfo(theta.dtype).eps))
            return (self.gradient(theta + h * v) - self.gradient(theta - h * v)) / (2 * h)

        return Symmetric(product, theta.size, theta.dtype)

    def gauss_newton(self, theta):
        """JᵀHJ, the Hessian without the curvature of the model."""
        raise NotImplementedError(f"{type(self).__name__} is not a model followed by a loss")

    def fisher(self, theta):
        """E[g gᵀ] with labels drawn from the model."""
        raise NotImplementedError(f"{type(self).__name__} is not a likelihood")

    def sampled_fisher(self, theta):
        """E[g gᵀ] with one label for each example drawn from the model."""
        raise NotImplementedError(f"{type(self).__name__} is not a likelihood")

    def empirical_fisher(self, theta):
        """E[g gᵀ] with the labels of the data."""
        raise NotImplementedError(f"{type(self).__name__} is not a mean over examples")

    def sampled_gradient(self, theta, seed=None):
        """The gradient at labels drawn from the model."""
        raise NotImplementedError(f"{type(self).__name__} is not a likelihood")

    def kronecker_factors(self, theta, **how):
        """[(A, G)], whose products G ⊗ A are near to the blocks of the Fisher matrix, one for each layer."""
        raise NotImplementedError(f"{type(self).__name__} is not a network on a mini-batch")

    @property
    def smooth(self):
        """The part of f that has a gradient everywhere: all of it, unless a price with a kink was added."""
        return self

    def proximal(self, theta, lr):
        """argmin over x of lr · (f − its smooth part)(x) + ½‖x − θ‖²: θ itself, where nothing has a kink."""
        return theta

    def blocks(self, vector):
        """A vector shaped like θ as the matrices it is made of: views, one for each layer."""
        return [vector.reshape(-1, 1)]

    def loss(self, t):
        """The objective of step t: here the same at every step."""
        return self

    def losses(self, after=0):
        """(t, the objective of step t) for t = after + 1, after + 2, ..."""
        return ((t, self.loss(t)) for t in count(after + 1))
