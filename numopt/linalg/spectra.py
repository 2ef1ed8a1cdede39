"""What products with a matrix tell of its eigenvalues, its trace and its diagonal.

A matrix A is anything that can be multiplied by a vector with @, and symmetric; n is the length of the vector.  What is
random follows from the seed, a number or a row of them, as in (seed, t).              Lectures 1, 10 and 11.
"""
import math
from contextlib import suppress

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from numopt.linalg.norms import NotFinite, matrix, norm, precision, unit, vector


def power_iteration(A, n, *, start=None, seed=0, steps=1000, tolerance=1e-4):
    """The eigenvalue furthest from 0, and its eigenvector: what is left of any vector multiplied by A often enough.

    It ends when ‖Av - λv‖ ≤ tolerance |λ|, so that some eigenvalue is as near to λ = vᵀAv as that; or after so many
    steps, as when two eigenvalues are equally far from 0 on either side, which no number of steps tells apart.
    """
    v = np.random.default_rng(seed).standard_normal(n).astype(precision(A)) if start is None else start
    v, A = direction(v), matrix(A)
    for _ in range(steps):
        Av = A @ v
        eigenvalue = float(v @ Av)
        if not math.isfinite(eigenvalue):
            raise NotFinite("A, multiplied by a vector of length 1, gives numbers that are not finite")
        if norm(Av - eigenvalue * v) <= tolerance * abs(eigenvalue):
            break
        v = unit(Av)
    return eigenvalue, v


def lanczos(A, start, steps):
    """(alpha, beta, Q): A seen from the space of start, A start, A² start, ...: the tridiagonal T = Qᵀ A Q.

    Lanczos (1950); Golub and Van Loan (2013), Algorithm 10.1.1.  alpha is the diagonal of T and beta what is beside it;
    the columns of Q are orthonormal, the first along start.  Rounding makes them lose that, hence each is made
    orthogonal to all before it, twice.  If the space has fewer dimensions than steps, T has as many rows as it has.
    """
    q = direction(start)
    matrix(A)
    alpha, beta, Q, scale = [], [], [q], 0.0
    for _ in range(min(steps, q.size)):
        w = A @ q
        scale = max(norm(w), scale)  # in this order nan if the first is
        if not math.isfinite(scale):
            raise NotFinite("A, multiplied by a vector of length 1, gives numbers that are not finite")
        alpha.append(q @ w)
        basis = np.array(Q)
        for _ in range(2):
            w = w - basis.T @ (basis @ w)
        length = norm(w)
        if len(alpha) == min(steps, q.size) or length <= 10 * np.finfo(w.dtype).eps * scale:
            break
        q = w / length
        beta.append(length)
        Q.append(q)
    return np.array(alpha), np.array(beta, q.dtype), np.array(Q).T


def direction(start):
    """A vector of length 1 along start, in its precision."""
    q = vector(start)
    if q.ndim != 1 or not q.any() or not np.isfinite(q).all():
        raise ValueError("start must be a vector of finite numbers that are not all zero: there is no direction in "
                         f"{np.array2string(q, threshold=6)}")
    return unit(q)


def eigenbasis(H, g, damping=0.0, theta=None):
    """The eigenvalues and eigenvectors of a symmetric array, and if there is no damping, without those that are flat.

    Along a flat one H has no curvature but rounding, and without damping a step in it is not defined: it is left out
    where g has no share in it either, and otherwise an error.  Into a gradient at θ goes the rounding of Hθ.
    """
    lam, Q = np.linalg.eigh(H)
    return (lam, Q) if damping > 0 else without_flat(lam, Q, H, g, theta)


def without_flat(lam, Q, H, g, theta=None):
    """Those eigenvalues and eigenvectors along which H has a curvature, of all of H, or of what is not negative of it.

    How many have none does not depend on units if it is asked of H in `units` of its own; nor does the share of g.
    """
    d, kappa, Z = units(H)
    if not (lam < 0).any():
        kappa = np.maximum(kappa, 0)
    rounding = 10 * len(lam) * np.finfo(H.dtype).eps
    none, known = np.abs(kappa) <= rounding, np.abs(g) if theta is None else np.abs(g) + np.abs(H) @ np.abs(theta)
    if (np.abs(Z[:, none].T @ (g / d)) > rounding * norm(known / d)).any():
        raise ValueError("there is no curvature along a direction in which the gradient has a share, and so no step: "
                         "give it some damping")
    kept = np.sort(np.argsort(np.abs(lam), kind="stable")[np.count_nonzero(none):])
    return lam[kept], Q[:, kept]


def units(H):
    """d for which the largest number in each row of Hᵢⱼ / dᵢdⱼ is about 1, and that matrix's eigenvalues and vectors.

    Ruiz (2001).  If H is positive definite it is the root of its diagonal.
    """
    d, S = np.ones(len(H)), H.astype(float)
    for _ in range(20):
        rows = np.sqrt(np.abs(S).max(axis=1))
        rows = np.where(rows > 0, rows, 1)
        d, S = d * rows, S / rows / rows[:, None]
        if (np.abs(rows - 1) < 0.1).all():
            break
    return d, *np.linalg.eigh(S)


def solution(H, g):
    """H⁻¹g for a symmetric array; None where it is singular, or only rounding keeps it from that.

    By Cholesky's factors if H is positive definite, for half the price, and by elimination if it is not.  The square of
    a pivot is what of a column no other one has said already: where it is little, the eigenvalues are asked as well.
    """
    eps, factor = float(np.finfo(H.dtype).eps), None
    with suppress(np.linalg.LinAlgError):
        factor = cho_factor(H, lower=True, check_finite=False)
        if (np.diag(factor[0])**2 > math.sqrt(eps) * np.diag(H)).all():
            return cho_solve(factor, g, check_finite=False)
    if (np.abs(units(H)[1]) <= 10 * math.sqrt(len(H)) * eps).any():
        return None
    with suppress(np.linalg.LinAlgError):
        return np.linalg.solve(H, g) if factor is None else cho_solve(factor, g, check_finite=False)


def slq(A, n, steps, probes, seed=0):
    """Nodes and weights, so that the mean of φ(λ) over the eigenvalues λ of A is nearly the sum of weight φ(node).

    Stochastic Lanczos quadrature: Ubaru, Chen and Saad (2017), Algorithm 1; Ghorbani, Krishnan and Xiao (2019), for
    Hessians of networks.  Each probe is a vector of random signs, from which `lanczos` makes T: the nodes are the
    eigenvalues of T and the weights the squares of the *first* numbers of its eigenvectors.  For one probe this is
    exact for polynomials φ of degree up to 2 steps - 1.  The weights of all probes sum to 1.
    """
    nodes, weights = [], []
    for z in signs(A, n, probes, seed):
        alpha, beta, Q = lanczos(A, z, steps)
        eigenvalues, U = np.linalg.eigh(np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1))
        nodes.append(eigenvalues)
        weights.append(U[0]**2 / probes)
    return np.concatenate(nodes), np.concatenate(weights)


def density(nodes, weights, grid, sigma):
    """The density of eigenvalues at the points of a grid: every node a normal density of width sigma, times its weight.

    With the eigenvalues themselves for nodes and weights 1/n it is the exact density, as smooth.
    """
    z = (np.asarray(grid)[:, None] - nodes) / sigma
    return np.exp(-z * z / 2) @ weights / (sigma * math.sqrt(2 * math.pi))


def hutchinson(A, n, probes, seed=0):
    """z * (A z) for every probe z, a vector of random signs: on average the diagonal of A, and its sum the trace.

    Hutchinson (1990); Bekas, Kokiopoulou and Saad (2007) for the diagonal.  What is not on the diagonal makes the
    error: entry i of one probe has the variance Σ_j≠i A_ij², the sum of all the variance 2 Σ_i≠j A_ij².
    """
    return (z * (A @ z) for z in signs(A, n, probes, seed))


def hutchinson_diagonal(A, n, probes, seed=0):
    """The diagonal of A, from the mean of probes; see `hutchinson`."""
    return sum(hutchinson(A, n, probes, seed)) / probes


def hutchinson_trace(A, n, probes, seed=0):
    """The trace of A, from the mean of probes; see `hutchinson`."""
    return sum(float(product.sum()) for product in hutchinson(A, n, probes, seed)) / probes


def signs(A, n, probes, seed):
    """Random vectors of 1 and -1 (Rademacher's distribution), in the precision of A."""
    if probes < 1:
        raise ValueError(f"probes = {probes} must be at least 1")
    for probe in range(probes):
        yield np.random.default_rng([*np.atleast_1d(seed), probe]).choice(np.array([-1, 1], precision(A)), n)
