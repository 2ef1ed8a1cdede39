"""Systems of equations f(θ) = 0, as many as there are unknowns, and clusters of atoms at rest.          Lecture 12.

    system = Bratu(16)
    nltgcr(system, system.start, curvature="jacobian")

These are problems of He et al. (2024) and of the code beside it.  A system answers residuals(θ), which is f, and
jacobian(θ), the matrix J of ∂fᵢ/∂θⱼ, to be multiplied with by @.  Whoever speaks of the residual r of a linear system
b − Aθ = 0 has the sign turned round: r = −f, and a step p changes it by −Jp.
"""
import numpy as np

from numopt.linalg.operators import Operator, Symmetric
from numopt.problems.functions import vector, whole_number
from numopt.problems.shapes import Landscape, fixed


class System(Landscape):
    """Equations f(θ) = 0.  A subclass answers `residuals` and `jacobian`; seen as an objective it is ½‖f(θ)‖²."""

    minimum = 0.0

    def residuals(self, theta):
        """The vector f(θ)."""
        raise NotImplementedError(f"{type(self).__name__} has no equations; write its method `residuals(theta)`")

    def jacobian(self, theta):
        """The matrix of ∂fᵢ/∂θⱼ."""
        raise NotImplementedError(f"{type(self).__name__} has no Jacobian; write its method `jacobian(theta)`")

    def value(self, theta):
        f = self.residuals(theta)
        return 0.5 * (f @ f).item()

    def gradient(self, theta):
        return self.jacobian(theta).T @ self.residuals(theta)

    def gauss_newton(self, theta):
        J = self.jacobian(theta)
        return J.T @ J


class Bratu(System):
    """Δu + α ∂u/∂x + λ exp(u) = 0 on the unit square, with u = 0 on its border: how hot does a burning body get?

    Five-point differences on a grid of m × m inner points, times −h²: He et al. (2024), with their α = 0 and λ = ½.
    u is held row by row.  With α = 0 the Jacobian is symmetric, and positive definite up to the λ of about 6.81 above
    which the body explodes: no u is left that solves the equation.
    """

    def __init__(self, m, alpha=0.0, lam=0.5):
        self.m, self.size, self.h = whole_number(m, "m", least=1), m * m, 1 / (m + 1)
        self.alpha, self.lam = float(alpha), float(lam)
        self.start = fixed(np.zeros(self.size))

    def differences(self, u, alpha):
        """−h² (Δu + α ∂u/∂x)."""
        u = np.pad(u.reshape(self.m, self.m), 1)
        east, west = 1 + alpha * self.h / 2, 1 - alpha * self.h / 2
        return (4 * u[1:-1, 1:-1] - east * u[1:-1, 2:] - west * u[1:-1, :-2] - u[2:, 1:-1] - u[:-2, 1:-1]).ravel()

    def residuals(self, theta):
        u = vector(self, theta)
        return self.differences(u, self.alpha) - self.h**2 * self.lam * np.exp(u)

    def jacobian(self, theta):
        u = vector(self, theta)
        heat = self.h**2 * self.lam * np.exp(u)
        return Operator(lambda v: self.differences(v, self.alpha) - heat * v,
                        lambda v: self.differences(v, -self.alpha) - heat * v, 2 * u.shape, u.dtype)


class HEquation(System):
    """H(μ) = 1 / (1 − c/2 ∫ μ H(ν) / (μ + ν) dν) for μ from 0 to 1: the light that a foggy sky sends back.

    Chandrasekhar (1950), with the integral as the mean over n midpoints (Kelley 1995, Section 5.6).  c is the share of
    light that is scattered and not swallowed.  Of any solution, whatever n is, the mean M satisfies M = 1 + c/4 M²;
    that of the physical one is 2 (1 − √(1 − c)) / c.  At c = 1 the Jacobian becomes singular there.
    """

    def __init__(self, n=100, c=0.9):
        self.size, self.c = whole_number(n, "n", least=1), float(c)
        if not 0 < self.c <= 1:
            raise ValueError(f"c is {c}; a share of the light is above 0 and at most 1")
        mu = (np.arange(n) + 0.5) / n
        self.kernel = fixed(self.c / (2 * n) * mu[:, None] / (mu[:, None] + mu))
        self.start = fixed(np.ones(n))

    def residuals(self, theta):
        H = vector(self, theta)
        return H - 1 / (1 - self.kernel.astype(H.dtype, copy=False) @ H)

    def jacobian(self, theta):
        H = vector(self, theta)
        K = self.kernel.astype(H.dtype, copy=False)
        return np.eye(self.size, dtype=H.dtype) - K / (1 - K @ H)[:, None]**2


class LennardJones(Landscape):
    """Σ 4 (r⁻¹² − r⁻⁶) over all pairs of atoms at distances r: they attract one another, but will not be squeezed.

    θ holds x, y and z of the first atom, then those of the second, and so on.  To move or turn the cluster changes
    nothing: six eigenvalues of the Hessian are 0 where the forces, −∇f, are.  Local minima are many, about 1500 for 13
    atoms; `minimum` is the least energy that is known (Wales and Doye 1997, Table 1).  He et al. (2024) take 108 atoms.

    The start is a piece of the lattice in which atoms of argon settle: the points nearest to one of its points, or to
    the middle of one of its cubes, if the energy is lower.  For 38 atoms that is the shape of the best cluster known;
    for 13 it is a saddle, from which an icosahedron is to be found.
    """

    LEAST = {2: -1.0, 3: -3.0, 4: -6.0, 13: -44.326801, 38: -173.928427}

    def __init__(self, atoms):
        self.atoms, self.size = whole_number(atoms, "atoms", least=2), 3 * atoms
        self.minimum = self.LEAST.get(atoms)
        self.start = fixed(min((piece_of_lattice(atoms, middle) for middle in (0.0, 0.5)), key=self.value))

    def pairs(self, theta):
        """The vectors d from each atom to each other, an (atoms, atoms, 3) array, and s = r⁻²; of itself s is 0."""
        x = vector(self, theta).reshape(-1, 3)
        d = x[:, None] - x
        return d, 1 / ((d**2).sum(axis=2) + np.diag(np.full(self.atoms, np.inf, x.dtype)))

    def value(self, theta):
        _, s = self.pairs(theta)
        return (2 * (s**3 * (s**3 - 1)).sum()).item()

    def gradient(self, theta):
        d, s = self.pairs(theta)
        slope = 24 * s**4 - 48 * s**7
        return (slope[:, :, None] * d).sum(axis=1).ravel()

    def hessian(self, theta):
        d, s = self.pairs(theta)
        slope, bend = 24 * s**4 - 48 * s**7, 672 * s**8 - 192 * s**5

        def product(v):
            v = v.reshape(-1, 3)
            w = v[:, None] - v
            along = (d * w).sum(axis=2)
            return (slope[:, :, None] * w + (bend * along)[:, :, None] * d).sum(axis=1).ravel()

        return Symmetric(product, self.size, s.dtype)


def piece_of_lattice(atoms, middle):
    """The points of the face-centred cubic lattice nearest to (middle, 0, 0), with neighbours 2^(1/6) apart."""
    reach = 2 + round(atoms**(1 / 3))
    cubes = np.stack(np.meshgrid(*3 * [np.arange(-reach, reach + 1)], indexing="ij"), axis=-1).reshape(-1, 3)
    faces = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    points = (cubes[:, None] + faces).reshape(-1, 3) - [middle, 0, 0]
    nearest = np.argsort((points**2).sum(axis=1).round(9), kind="stable")[:atoms]
    return (2**(1 / 6) * np.sqrt(2) * points[nearest]).ravel()
