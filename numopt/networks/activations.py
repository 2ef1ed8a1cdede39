"""Activations: layers that take each number alone.          Lecture 1."""
from math import pi, sqrt

import numpy as np
from scipy.special import ndtr

from numopt.kernels.pooling import relu, relu_backward
from numopt.networks.layers import Layer


class Activation(Layer):
    """y = φ(x) for each number alone: `value(x)` is φ, `slope(y)` φ' and `bend(y)` φ'', both known from y.

    Where they are not, a subclass saves something else: see GELU.  `initialisation` is the one that suits it.
    """

    initialisation = "glorot"

    def forward(self, w, x, mode):
        y = self.value(x)
        return y, y

    def backward(self, w, y, dy, dw, inputs=True):
        return self.slope(y) * dy

    def jvp(self, w, y, v, Rx):
        return self.slope(y) * Rx, Rx

    def r_backward(self, w, y, v, Rx, dy, Rdy, Rdw, inputs=True):
        slope = self.slope(y)
        return slope * dy, slope * Rdy + self.bend(y) * Rx * dy


class Tanh(Activation):
    def value(self, x):
        return np.tanh(x)

    def slope(self, y):
        return 1 - y**2

    def bend(self, y):
        return -2 * y * (1 - y**2)


class Sigmoid(Activation):
    def value(self, x):
        return (1 + np.tanh(x / 2)) / 2  # 1 / (1 + exp(−x)), without overflow

    def slope(self, y):
        return y * (1 - y)

    def bend(self, y):
        return y * (1 - y) * (1 - 2 * y)


class ReLU(Activation):
    """max(x, 0); at the kink its derivative is taken to be 0."""

    initialisation = "he"

    def value(self, x):
        return relu(x)

    def backward(self, w, y, dy, dw, inputs=True):
        return relu_backward(y, dy)

    def jvp(self, w, y, v, Rx):
        return relu_backward(y, Rx), Rx

    def r_backward(self, w, y, v, Rx, dy, Rdy, Rdw, inputs=True):
        return relu_backward(y, dy), relu_backward(y, Rdy)


class LeakyReLU(Activation):
    """x where it is positive and `slope` times x elsewhere, also at the kink (Maas, Hannun and Ng 2013)."""

    initialisation = "he"

    def __init__(self, slope=0.01):
        if not 0 < slope < 1:
            raise ValueError(f"LeakyReLU has a slope in (0, 1) where x is negative; {slope} was asked for")
        self.negative = float(slope)

    def __repr__(self):
        return f"LeakyReLU(slope={self.negative})"

    def value(self, x):
        return np.where(x.real > 0, x, self.negative * x)

    def slope(self, y):
        return np.where(y.real > 0, 1.0, self.negative).astype(y.dtype)

    def bend(self, y):
        return np.zeros_like(y)


class ELU(Activation):
    """x where it is positive and alpha (eˣ − 1) elsewhere (Clevert, Unterthiner and Hochreiter 2016)."""

    initialisation = "he"

    def __init__(self, alpha=1.0):
        if not 0 < alpha < np.inf:
            raise ValueError(f"ELU goes down to −alpha, a number above 0; {alpha} was asked for")
        self.alpha = float(alpha)

    def value(self, x):
        return np.where(x.real > 0, x, self.alpha * np.expm1(np.where(x.real > 0, 0, x)))

    def slope(self, y):
        return np.where(y.real > 0, np.ones_like(y), y + self.alpha)

    def bend(self, y):
        return np.where(y.real > 0, np.zeros_like(y), y + self.alpha)


class Softplus(Activation):
    """log(1 + eˣ), a ReLU without a kink (Dugas et al. 2001); its slope 1 − e⁻ʸ is the sigmoid of x."""

    initialisation = "he"

    def value(self, x):
        positive = x.real > 0
        return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))  # log(1 + eˣ), without overflow

    def slope(self, y):
        return -np.expm1(-y)

    def bend(self, y):
        return -np.expm1(-y) * np.exp(-y)


class GELU(Activation):
    """x Φ(x), with Φ the distribution function of a standard normal number (Hendrycks and Gimpel 2016).

    The same y may come from two x, so what is saved is x.
    """

    initialisation = "he"

    def forward(self, w, x, mode):
        return self.value(x), x

    def value(self, x):
        return x * ndtr(x)

    def slope(self, x):
        return ndtr(x) + x * self.density(x)

    def bend(self, x):
        x = self.near(x)
        return (2 - x**2) * self.density(x)

    def density(self, x):
        return np.exp(-self.near(x)**2 / 2) / sqrt(2 * pi)

    def near(self, x):
        """x, or 40 where it is so far from 0 that the density is 0 in any precision."""
        return np.where(np.abs(x.real) < 40, x, 40.0).astype(x.dtype)
