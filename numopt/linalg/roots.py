"""Roots of matrices, and the orthogonal matrix next to one.          Lecture 11."""
import math
from contextlib import nullcontext
from weakref import ref

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from numopt.kernels.sharing import one_thread_of_blas
from numopt.linalg.norms import finite, largest, norm, power_of_two, vector
from numopt.linalg.systems import damped


def inverse_root(A, p, *, damping=0.0, eps=None):
    """(A + damping I)^(-1/p) of a symmetric positive semidefinite array, from its eigenvalues and eigenvectors.

    Rounding leaves small eigenvalues anywhere about 0: those below eps times the largest are raised to that, where eps
    is the rounding error of 1 if it is not given.
    """
    eigenvalues, Q = eigh(square(A))
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    rounding = float(np.finfo(eigenvalues.dtype).eps)
    eigenvalues = np.maximum(eigenvalues, (rounding if eps is None else float(eps)) * largest) + float(damping)
    if not eigenvalues[0] > 0 or smallest < -math.sqrt(rounding) * largest:
        raise ValueError(f"no power -1/{p} of a matrix with the eigenvalue {smallest}: add damping to A")
    return Q * eigenvalues**(-1 / p) @ Q.T


def eigh(A):
    """The eigenvalues of a symmetric array, the smallest first, and its eigenvectors.

    np.linalg calculates in double precision whatever it is given.  What is wide and single stays single, in half of the
    time and of the memory: that is what it is accurate to.
    """
    if len(A) <= NARROW or A.dtype != np.float32:
        return np.linalg.eigh(A)
    with threads_for(A):
        return linalg.eigh(finite(A, "a matrix whose eigenvectors are asked for"), driver="evd", check_finite=False)


def orthogonal_factor(A):
    """The Q of A = QR, for a square array.  Here, too, what is wide and single stays single."""
    if len(A) <= NARROW or A.dtype != np.float32:
        return np.linalg.qr(A).Q
    finite(A, "a matrix that is to be made orthogonal")
    with threads_for(A):
        reflections, lengths, _, _ = lapack.sgeqrf(A, lwork=64 * len(A))
        return np.ascontiguousarray(lapack.sorgqr(reflections, lengths, lwork=64 * len(A), overwrite_a=1)[0])


WIDE = 1024  # rows


def threads_for(A):
    """One thread for SciPy's LAPACK, but where there is much to do: its own stay awake afterwards, beside NumPy's.

    On two cores a step of K-FAC on LeNet took more than twice as long with them, and a step of Shampoo on a layer of
    3,073 inputs, with its eigenvectors, takes half as long again without.
    """
    return one_thread_of_blas() if len(A) < WIDE else nullcontext()


def cholesky(A, damping):
    """The lower triangular L with A = L Lᵀ, of a symmetric positive definite array that has this damping in it.

    Without any, A may be singular: that is judged with all diagonal entries brought to 1, so that units make no
    difference.  With some, however little, eigenvalues that rounding has brought to 0 are raised above it.
    """
    factor = lapack.spotrf if finite(A, "a matrix to solve with").dtype == np.float32 else lapack.dpotrf
    with threads_for(A):
        upper, failed = factor(A.T, lower=0)  # in the order in which LAPACK takes A, and gives it back, that is L
    if damping == 0 and (failed or nearly_singular(A, upper.T)):
        raise ValueError("a matrix to solve with is singular: give it some damping")
    L = finite(raised(A) if failed else upper.T, "the Cholesky factor")
    L.setflags(write=False)
    return L


def raised(A):
    """The same of an array that is positive definite but for its rounding: eigenvalues below that are raised to it."""
    eigenvalues, Q = eigh(A)
    smallest, largest, eps = float(eigenvalues[0]), float(eigenvalues[-1]), float(np.finfo(A.dtype).eps)
    if not largest > 0 or smallest < -math.sqrt(eps) * largest:
        raise ValueError(f"a matrix to solve with has the eigenvalue {smallest}: give it more damping")
    roots = np.sqrt(np.maximum(eigenvalues, len(A) * eps * largest))
    return np.ascontiguousarray(np.linalg.qr(roots[:, None] * Q.T, mode="r").T)


def solved(L, B):
    """A⁻¹B for A = L Lᵀ, from the Cholesky factor: by two triangular systems, or by the inverse, where A is narrow."""
    if len(L) <= NARROW:
        return inverse(L) @ B
    solve = lapack.spotrs if L.dtype == np.float32 else lapack.dpotrs
    with one_thread_of_blas():  # at every step
        return solve(L.T, B, lower=0)[0]


# Up to so many rows ten products with the inverse, which BLAS is made for, take less time than ten times two triangular
# systems, with what it takes to compute it: a third at 64 rows.  Each is kept as long as the factor that it belongs to.
NARROW, INVERSES = 256, {}


def inverse(L):
    """A⁻¹ for A = L Lᵀ, computed once, if nobody can write into L."""
    factor, A_inv = INVERSES.get(id(L), (None, None))
    if factor is None or factor() is not L:
        invert = lapack.spotri if L.dtype == np.float32 else lapack.dpotri
        with threads_for(L):
            half = np.triu(invert(L.T, lower=0)[0])
        A_inv = half + np.triu(half, 1).T
        if not L.flags.writeable:
            INVERSES[id(L)] = ref(L, lambda _, key=id(L): INVERSES.pop(key, None)), A_inv
    return A_inv


def divided(g, s, damping):
    """The same of a diagonal matrix, times a vector: g / (s + damping); without any, no s may be 0 or rounding."""
    if damping == 0 and not (s > 10 * np.finfo(s.dtype).eps * s.max()).all():
        raise ValueError("there is no curvature along a direction, and so no step: give it some damping")
    return g / (s + damping)


def nearly_singular(A, L):
    """Is the condition number of A = L Lᵀ, with a diagonal of 1, so large that its inverse is rounding?"""
    d = np.sqrt(np.diag(A))
    A_inv = solved(L, np.eye(len(A), dtype=A.dtype))
    return norm(A / d / d[:, None]) * norm(A_inv * d * d[:, None]) > 1 / (len(A) * np.finfo(A.dtype).eps)


def inverse_root_newton(A, p, *, damping=0.0, steps=100):
    """(A + damping I)^(-1/p) of a symmetric positive definite array, from products only: coupled Newton iteration.

    Guo and Higham (2006), Section 3, scaled as Anil et al. (2020) do for Shampoo.  M = Xᵖ A throughout, and goes to I.
    Small eigenvalues of M first grow by (1 + 1/p)ᵖ at a time; near I the number of right digits doubles.  The scaling
    is exact: of c A it is the root of A, divided by c^(1/p).
    """
    A = damped(square(A), damping)
    if not A.any():
        raise ValueError(f"no power -1/{p} of a matrix of zeros; add damping")
    c = power_of_two(largest(A))
    A = A / c
    identity = np.eye(len(A), dtype=A.dtype)
    z = (1 + p) / (2 * norm(A))
    X, M, error = z**(1 / p) * identity, z * A, math.inf
    for _ in range(steps):
        T = ((p + 1) * identity - M) / p
        X, M = X @ T, np.linalg.matrix_power(T, p) @ M
        before, error = error, norm(M - identity)
        if before / 2 <= error < 0.1:  # no longer doubling: what is left is rounding
            return X * c**(-1 / p)
        if not error < 1e3 * len(A):
            break
    raise ValueError(f"no power -1/{p} found in {steps} steps: A is nearly singular or not positive: add damping to A")


def newton_schulz(X, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    """Nearly the orthogonal matrix next to X: its singular vectors, with singular values of about 1.

    Jordan et al. (2024), for Muon: five steps of an odd polynomial, σ ← aσ + bσ³ + cσ⁵, which with their coefficients
    lifts small singular values fast: all above 0.002 ‖X‖ end between 0.68 and 1.21.  With (1.875, -1.25, 0.375) they go
    to 1 itself, but slowly (Björck and Bowie 1971).
    """
    a, b, c = coefficients
    X = vector(X)
    if X.ndim != 2:
        raise ValueError(f"newton_schulz takes a matrix, not an array of shape {X.shape}")
    if len(X) > len(X.T):
        return newton_schulz(X.T, steps, coefficients).T
    X = finite(X, "the matrix")
    if not X.any():
        return X
    X = X / power_of_two(largest(X))  # in two steps, for the length itself may be no number
    X = X / norm(X)
    for _ in range(steps):
        A = X @ X.T
        B = b * A + c * A @ A
        X = a * X + B @ X
    return X


def square(A):
    """A dense symmetric matrix, which it is up to the caller to know."""
    A = finite(vector(A), "the matrix")
    if A.ndim != 2 or len(A) != len(A.T):
        raise ValueError(f"expected a square array, not one of shape {A.shape}; `dense` makes an array of an operator")
    return A
