"""The shapes that make minimising hard: saddles, a cliff, a plateau.          Lecture 1.

The functions on which methods are usually tried are in `landscapes.py`.
"""
from functools import cached_property
from math import inf, sqrt

import numpy as np

from numopt.problems.functions import vector
from numopt.problems.objective import Objective


def fixed(numbers):
    """An array that nobody can write into."""
    array = np.array(numbers, float)
    array.flags.writeable = False
    return array


def point(theta):
    return f"({', '.join(f'{x:.4g}' for x in theta)})"


class Landscape(Objective):
    """An objective, and what is known about its shape; None is what is not known, or not there.

    minimizers   the points where it is least, one a row
    minimum      its value there
    box          (lower corner, upper corner) of the region in which it is usually drawn
    start        a customary starting point
    """

    minimizers = minimum = box = start = None

    def __repr__(self):
        said = super().__repr__()
        return said if self.size is None or self.size > 4 else f"{said[:-1]}{self.known()}>"

    def known(self):
        """What is known, in words, for a function of few numbers."""
        said = []
        if self.minimum is not None:
            points = [] if self.minimizers is None else [point(theta) for theta in self.minimizers]
            where = " and ".join(points) if len(points) <= 4 else f"{len(points)} points"
            where = f" at {where}" * bool(points)
            said.append(f"least {self.minimum:.6g}{where}")
        if self.start is not None:
            said.append(f"start {point(self.start)}")
        return ": " * bool(said) + ", ".join(said)


class Plane(Landscape):
    """A landscape of two numbers, written down as f(x, y), its gradient df and its Hessian ddf.

    The arithmetic is that of Python's own numbers, which is several times faster than that of arrays so small; it is in
    double precision and rounded to that of θ at the end.  The formulas have products in place of powers: a product
    that is too large is infinite, but a power is an error.
    """

    size = 2

    def value(self, theta):
        return self.f(*vector(self, theta).tolist())

    def gradient(self, theta):
        theta = vector(self, theta)
        return np.array(self.df(*theta.tolist()), theta.dtype)

    def hessian(self, theta):
        theta = vector(self, theta)
        return np.array(self.ddf(*theta.tolist()), theta.dtype)


class Saddle(Plane):
    """a x² − b y² + c y⁴: a pass between two slopes.

    Gradient descent that starts on the ridge y = 0 comes to rest on the pass (0, 0), which is no minimum; the least
    noise takes it away.  With c > 0 there is somewhere to go: the minima at y = ±√(b / 2c).
    """

    start = fixed([1, 0])
    box = fixed([-1.5, -1.5]), fixed([1.5, 1.5])

    def __init__(self, a=1.0, b=1.0, c=0.0):
        if not (a > 0 and b > 0 and c >= 0 and a + b + c < inf):
            raise ValueError(f"a saddle needs a > 0, b > 0 and c of at least 0; they are {a}, {b} and {c}")
        self.a, self.b, self.c = float(a), float(b), float(c)
        if c:
            y = sqrt(b / (2 * c))
            self.minimizers, self.minimum = fixed([[0, -y], [0, y]]), -self.b * self.b / (4 * self.c)
            self.box = fixed([-1.5, -1.5 * max(1, y)]), fixed([1.5, 1.5 * max(1, y)])

    def f(self, x, y):
        return self.a * x * x - self.b * y * y + self.c * y * y * y * y

    def df(self, x, y):
        return 2 * self.a * x, -2 * self.b * y + 4 * self.c * y * y * y

    def ddf(self, x, y):
        return (2 * self.a, 0), (0, -2 * self.b + 12 * self.c * y * y)


class MonkeySaddle(Plane):
    """x³ − 3xy²: three ways down, the third for the tail.  On the pass (0, 0) the Hessian is zero as well."""

    box = fixed([-1, -1]), fixed([1, 1])

    def f(self, x, y):
        return x * x * x - 3 * x * y * y

    def df(self, x, y):
        return 3 * (x * x - y * y), -6 * x * y

    def ddf(self, x, y):
        return (6 * x, -6 * y), (-6 * y, -6 * x)


class Cliff(Plane):
    """½ (x² + y²) + h σ(x / w): a bowl with a wall of height h across it, with σ(z) = 1 / (1 + exp(−z)).

    The minimum is at the foot of the wall, whose face is h / 4w steep.  A step that ends on the face is followed by
    one that leads far away, unless the gradient is clipped.  The shape is that of Pascanu, Mikolov and Bengio (2013),
    Fig. 6, where it is made by a recurrent network.
    """

    box = fixed([-2, -2]), fixed([2, 2])

    def __init__(self, height=10.0, width=0.02):
        if not (0 < height < inf and 0 < width < inf):
            raise ValueError(f"height and width of a cliff must be above 0; they are {height} and {width}")
        self.h, self.w = float(height), float(width)

    def sigma(self, x):
        return (1 + np.tanh(x / (2 * self.w)).item()) / 2

    def f(self, x, y):
        return (x * x + y * y) / 2 + self.h * self.sigma(x)

    def df(self, x, y):
        s = self.sigma(x)
        return x + self.h / self.w * s * (1 - s), y

    def ddf(self, x, y):
        s = self.sigma(x)
        return (1 + self.h / (self.w * self.w) * s * (1 - s) * (1 - 2 * s), 0), (0, 1)

    @cached_property
    def minimizers(self):
        from scipy.optimize import brentq  # here, because it takes as long to import as all of numopt
        x = brentq(lambda x: self.df(x, 0.0)[0], -self.h / (4 * self.w), 0.0, xtol=1e-300, rtol=1e-15)
        return fixed([[x, 0]])

    @cached_property
    def minimum(self):
        return self.value(self.minimizers[0])


class Plateau(Plane):
    """tanh q + log(1 + exp(q − edge)), q = ½ (x² + y²): a hole in a plain that is ringed by a slope.

    The slope dies out at about q = edge and the hole begins at about q = 2.  On the plain between them the gradient
    points the right way and is as good as zero.
    """

    minimizers = fixed([[0, 0]])

    def __init__(self, edge=12.0):
        if not 0 < edge < inf:
            raise ValueError(f"edge must be a number above 0, and is {edge}")
        self.edge, self.minimum, side = float(edge), softplus(-float(edge)), 1.25 * sqrt(2 * edge)
        self.box = fixed([-side, -side]), fixed([side, side])

    def slopes(self, x, y):
        """The first and the second derivative by q."""
        q = (x * x + y * y) / 2
        tanh, sigma = np.tanh(q).item(), (1 + np.tanh((q - self.edge) / 2).item()) / 2
        return 1 - tanh * tanh + sigma, -2 * tanh * (1 - tanh * tanh) + sigma * (1 - sigma)

    def f(self, x, y):
        q = (x * x + y * y) / 2
        return np.tanh(q).item() + softplus(q - self.edge)

    def df(self, x, y):
        d, _ = self.slopes(x, y)
        return d * x, d * y

    def ddf(self, x, y):
        d, dd = self.slopes(x, y)
        return (d + dd * x * x, dd * x * y), (dd * x * y, d + dd * y * y)


def softplus(z):
    """log(1 + exp(z)), which is z + log(1 + exp(−z)): whichever does not overflow."""
    return (z + np.log1p(np.exp(-z)) if z.real > 0 else np.log1p(np.exp(z))).item()
