"""Functions whose shape is known: valleys, saddles, cliffs, plateaus and many minima.          Lecture 1.

    valley = Rosenbrock()
    valley.value(valley.start)             24.2
    valley.minimizers, valley.minimum      [[1, 1]], 0

All derivatives are exact.  Problems made of your own functions are in `functions.py`, those made of other problems in
`wrappers.py`; the saddles, the cliff and the plateau are in `shapes.py`.
"""
from functools import cached_property
from itertools import pairwise
from math import e, pi, sqrt

import numpy as np

from numopt.problems.functions import vector, whole_number
from numopt.problems.shapes import Landscape, Plane, fixed


def grid(objective, x, y):
    """The values of a function of two numbers for a contour plot: [j, i] is the value at (x[i], y[j])."""
    if type(objective) is Quadratic and objective.size == 2:  # all at once
        return objective.values(np.stack(np.meshgrid(x, y), axis=-1))
    return np.array([[objective.value(np.array([a, b], float)) for a in x] for b in y])


class Quadratic(Landscape):
    """½ θᵀAθ − bᵀθ + c: the valley that every smooth function is, close enough to a minimum.

    A must be symmetric.  If it is positive definite the minimizer is A⁻¹b; if it is only semidefinite there are many,
    or none, and `minimizers` holds the one nearest to the origin.
    """

    def __init__(self, A, b=None, c=0.0):
        A = np.asarray(A)
        precision = np.finfo(A.dtype).eps if A.dtype.kind == "f" else 0.0
        A = A.astype(float)
        if A.ndim != 2 or A.shape[0] != A.shape[1] or not A.size:
            raise ValueError(f"A must be a square matrix; it has shape {A.shape}")
        b = np.zeros(len(A)) if b is None else np.array(b, float)
        if b.shape != (len(A),):
            raise ValueError(f"b must have {len(A)} numbers, as many as A has rows; it has shape {b.shape}")
        for name, numbers in {"A": A, "b": b, "c": float(c)}.items():
            if not np.isfinite(numbers).all():
                raise ValueError(f"{name} holds a number that is infinite or not a number")
        skew = np.abs(A - A.T)
        if skew.max() > sqrt(precision) * np.abs(A).max():
            i, j = np.unravel_index(skew.argmax(), A.shape)
            raise ValueError(f"A must be symmetric, but A[{i}, {j}] is {A[i, j]:g} and A[{j}, {i}] is {A[j, i]:g}; "
                             f"(A + A.T) / 2 is symmetric and gives the same values")
        self.A, self.b, self.c, self.size = fixed((A + A.T) / 2), fixed(b), float(c), len(A)

    def value(self, theta):
        theta = vector(self, theta)
        return (0.5 * theta @ (self.A @ theta) - self.b @ theta + self.c).item()

    def values(self, thetas):
        """At many points, whose coordinates stand along the last axis: to the bit the same."""
        rows, columns = thetas[..., None, :], thetas[..., None]
        return (0.5 * rows @ (self.A @ columns))[..., 0, 0] - (self.b @ columns)[..., 0] + self.c

    def gradient(self, theta):
        theta = vector(self, theta)
        return (self.A @ theta - self.b).astype(theta.dtype, copy=False)

    def value_and_gradient(self, theta):
        theta = vector(self, theta)
        Atheta = self.A @ theta
        f = 0.5 * theta @ Atheta - self.b @ theta + self.c
        return f.item(), (Atheta - self.b).astype(theta.dtype, copy=False)

    def hessian(self, theta):
        return self.A.astype(vector(self, theta).dtype, copy=False)

    @cached_property
    def minimizers(self):
        eigenvalues, Q = np.linalg.eigh(self.A)
        rounding = self.size * np.finfo(float).eps * np.abs(eigenvalues).max()
        flat, b = np.abs(eigenvalues) <= rounding, Q.T @ self.b
        if eigenvalues.min() < -rounding or np.abs(b[flat]).max(initial=0) > 1e-12 * np.abs(b).max():
            return None
        return fixed([Q[:, ~flat] @ (b[~flat] / eigenvalues[~flat])])

    @cached_property
    def minimum(self):
        return None if self.minimizers is None else self.value(self.minimizers[0])


def quadratic_with(eigenvalues, eigenvectors, b=None, c=0.0):
    """The Quadratic with these curvatures along these directions: columns, as np.linalg.eigh gives them, of any length.

        quadratic_with([5, 1], [[1, 1], [1, -1]])          Kashyap (2022), Fig. 10: condition number 5
    """
    eigenvalues, Q = np.array(eigenvalues, float), np.array(eigenvectors, float)
    if eigenvalues.ndim != 1 or Q.shape != 2 * eigenvalues.shape:
        raise ValueError(f"{eigenvalues.size} eigenvalues need as many directions of as many numbers; "
                         f"the array of directions has shape {Q.shape}")
    lengths = np.linalg.norm(Q, axis=0)
    if not lengths.all():
        raise ValueError("a direction must not be zero")
    Q = Q / lengths
    if np.abs(Q.T @ Q - np.eye(len(Q))).max() > 1e-8:
        raise ValueError("the directions must be orthogonal to one another; np.linalg.qr(directions)[0] makes them so")
    return Quadratic((Q * eigenvalues) @ Q.T, b, c)


class Rosenbrock(Landscape):
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²: a curved, narrow valley, easy to find and slow to follow.

    Rosenbrock (1960) for two numbers.  The start is that of Moré, Garbow and Hillstrom (1981), problems 1 and 21; the
    box De Jong's (1975).  From four numbers on there is a second, local minimum near (−1, 1, ..., 1).
    """

    minimum = 0.0

    def __init__(self, size=2):
        self.size = whole_number(size, "size", least=2)
        self.minimizers = fixed([[1.0] * size])
        self.start = fixed(([-1.2, 1.0] * size)[:size])
        self.box = fixed([-2.048] * size), fixed([2.048] * size)

    def value(self, theta):
        f = 0.0
        for x, y in pairwise(vector(self, theta).tolist()):
            u, v = y - x * x, 1 - x
            f += 100 * u * u + v * v
        return f

    def gradient(self, theta):
        theta = vector(self, theta)
        g = [0.0] * self.size
        for i, (x, y) in enumerate(pairwise(theta.tolist())):
            u = y - x * x
            g[i] += -400 * x * u - 2 * (1 - x)
            g[i + 1] = 200 * u
        return np.array(g, theta.dtype)

    def hessian(self, theta):
        theta = vector(self, theta)
        H = np.zeros((self.size, self.size), theta.dtype)
        for i, (x, y) in enumerate(pairwise(theta.tolist())):
            H[i, i] += 1200 * x * x - 400 * y + 2
            H[i, i + 1] = H[i + 1, i] = -400 * x
            H[i + 1, i + 1] = 200
        return H


class Beale(Plane):
    """(1.5 − x (1 − y))² + (2.25 − x (1 − y²))² + (2.625 − x (1 − y³))²: flat, with steep walls at the corners.

    Beale (1958); the start is that of Moré, Garbow and Hillstrom (1981), problem 5.  At (0, 1) there is a saddle.
    """

    minimizers, minimum = fixed([[3, 0.5]]), 0.0
    start = fixed([1, 1])
    box = fixed([-4.5, -4.5]), fixed([4.5, 4.5])

    def f(self, x, y):
        a, b, c = 1.5 - x * (1 - y), 2.25 - x * (1 - y * y), 2.625 - x * (1 - y * y * y)
        return a * a + b * b + c * c

    def df(self, x, y):
        p, q, r = 1 - y, 1 - y * y, 1 - y * y * y
        a, b, c = 1.5 - x * p, 2.25 - x * q, 2.625 - x * r
        return -2 * (a * p + b * q + c * r), 2 * x * (a + 2 * y * b + 3 * y * y * c)

    def ddf(self, x, y):
        p, q, r = 1 - y, 1 - y * y, 1 - y * y * y
        a, b, c = 1.5 - x * p, 2.25 - x * q, 2.625 - x * r
        fxy = 2 * (a + 2 * y * b + 3 * y * y * c - x * (p + 2 * y * q + 3 * y * y * r))
        fyy = 2 * x * (2 * b + 6 * y * c + x * (1 + 4 * y * y + 9 * y * y * y * y))
        return (2 * (p * p + q * q + r * r), fxy), (fxy, fyy)


class Booth(Plane):
    """(x + 2y − 7)² + (2x + y − 5)²: a quadratic of condition number 9.  Jamil and Yang (2013)."""

    minimizers, minimum = fixed([[1, 3]]), 0.0
    box = fixed([-10, -10]), fixed([10, 10])

    def f(self, x, y):
        u, v = x + 2 * y - 7, 2 * x + y - 5
        return u * u + v * v

    def df(self, x, y):
        u, v = x + 2 * y - 7, 2 * x + y - 5
        return 2 * u + 4 * v, 4 * u + 2 * v

    def ddf(self, x, y):
        return (10, 8), (8, 10)


class Himmelblau(Plane):
    """(x² + y − 11)² + (x + y² − 7)²: four minima, all of them zero, around a maximum.  Himmelblau (1972)."""

    minimizers = fixed([[3, 2], [-2.805118086952745, 3.131312518250573],
                        [-3.779310253377747, -3.283185991286170], [3.584428340330492, -1.848126526964404]])
    minimum = 0.0
    box = fixed([-5, -5]), fixed([5, 5])

    def f(self, x, y):
        u, v = x * x + y - 11, x + y * y - 7
        return u * u + v * v

    def df(self, x, y):
        u, v = x * x + y - 11, x + y * y - 7
        return 4 * x * u + 2 * v, 2 * u + 4 * y * v

    def ddf(self, x, y):
        u, v = x * x + y - 11, x + y * y - 7
        return (4 * u + 8 * x * x + 2, 4 * (x + y)), (4 * (x + y), 4 * v + 8 * y * y + 2)


class Rastrigin(Landscape):
    """Σ xᵢ² + 10 (1 − cos 2πxᵢ): a bowl full of holes, a local minimum near every point of whole numbers.

    Rastrigin (1974) for two numbers; Mühlenbein, Schomisch and Born (1991) for any.
    """

    minimum = 0.0

    def __init__(self, size=2):
        self.size = whole_number(size, "size", least=2)
        self.minimizers = fixed([[0.0] * size])
        self.box = fixed([-5.12] * size), fixed([5.12] * size)

    def value(self, theta):
        theta = vector(self, theta)
        return (theta @ theta + 10 * (1 - np.cos(2 * pi * theta)).sum()).item()

    def gradient(self, theta):
        theta = vector(self, theta)
        return 2 * theta + 20 * pi * np.sin(2 * pi * theta)

    def hessian(self, theta):
        return np.diag(2 + 40 * pi**2 * np.cos(2 * pi * vector(self, theta)))


class Ackley(Landscape):
    """20 (1 − exp(−s / 5)) + e − exp(c), with s² the mean of xᵢ² and c that of cos 2πxᵢ: holes on a plain, a funnel.

    Ackley (1987) for two numbers; Bäck (1996) for any.  The bottom of the funnel is a kink: there the gradient is
    taken to be zero, and there is no Hessian.
    """

    minimum = 0.0

    def __init__(self, size=2):
        self.size = whole_number(size, "size", least=2)
        self.minimizers = fixed([[0.0] * size])
        self.box = fixed([-32.768] * size), fixed([32.768] * size)

    def means(self, theta):
        """s and c."""
        return np.sqrt(theta @ theta / self.size), np.cos(2 * pi * theta).sum() / self.size

    def value(self, theta):
        s, c = self.means(vector(self, theta))
        return (-20 * np.expm1(-s / 5) - e * np.expm1(c - 1)).item()  # exp(x) − 1, exact to the last digit near x = 0

    def gradient(self, theta):
        theta = vector(self, theta)
        s, c = self.means(theta)
        ds = theta / (self.size * s) if s else theta
        return 4 * np.exp(-s / 5) * ds + 2 * pi / self.size * np.exp(c) * np.sin(2 * pi * theta)

    def hessian(self, theta):
        theta = vector(self, theta)
        s, c = self.means(theta)
        if not s:
            raise ValueError("Ackley has a kink at the origin, and no Hessian there")
        ds, dc = theta / (self.size * s), -2 * pi / self.size * np.sin(2 * pi * theta)
        dds = np.eye(self.size, dtype=theta.dtype) / (self.size * s) - np.outer(ds, ds) / s
        ddc = -4 * pi**2 / self.size * np.diag(np.cos(2 * pi * theta))
        return 4 * np.exp(-s / 5) * (dds - np.outer(ds, ds) / 5) - np.exp(c) * (ddc + np.outer(dc, dc))
