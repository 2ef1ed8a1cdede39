"""Linear systems, and matrices made of matrices.

A matrix A is anything that can be multiplied by a vector with @: an array where it is small, a scipy LinearOperator
where it is not.  Results have the precision of the vectors: what is single stays single.

    systems     conjugate_gradient, truncated_conjugate_gradient, steihaug, gcr, and the iterates behind them
    matrices    damped, nystrom                                                      Lectures 6, 9, 11 and 12.
"""
import math
from collections import deque
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from numopt.kernels.twins import worth_compiling
from numopt.kernels.vectors import conjugate_step, dense_conjugate_gradient
from numopt.linalg.norms import NotFinite, forcing, inner, matrix, norm, precision, scale, to_radius, vector
from numopt.linalg.operators import Operator, Symmetric
from numopt.linalg.rounding import Rounding


class Iterate(NamedTuple):
    """Where conjugate gradients are: x, the residual r = b - Ax, and the direction p of the last step, with pᵀAp."""

    x: Any
    r: Any
    p: Any
    curvature: float


def conjugate_gradient_iterates(A, b, x=None, preconditioner=None):
    """Solve Ax = b by a step along each of a row of directions that are conjugate: pᵢᵀApⱼ = 0.

    Hestenes and Stiefel (1952); Nocedal and Wright (2006), Algorithms 5.2 and 5.3.  For A symmetric and positive
    definite, when every x is the least ½ xᵀAx - bᵀx that its directions reach.  It starts from x (from 0), and gives an
    Iterate after every step, for one product each.  The preconditioner is a matrix near to A⁻¹, symmetric and positive
    definite as well: for a diagonal D that is near to A, scipy.sparse.diags_array(1 / D).

    Along a direction of no curvature or a negative one there is no least: the last Iterate is then the x it leads away
    from and the p itself, with its curvature ≤ 0, for whoever knows how far to go (Steihaug 1983).  No Iterate follows
    a residual of 0.

    Where the squares of r would overflow or underflow, the system is solved in units in which they do not: what a
    direction p is long, and so its curvature, is in these.
    """
    x, r = start(A, b, x)
    if (c := scale(r)) != 1:
        for y, r, p, curvature in conjugate_gradient_iterates(A, r / c, None, preconditioner):
            yield Iterate(x + c * y, c * r, p, curvature)
        return
    if preconditioner is None and worth_compiling(r):
        yield from compiled_iterates(A, x, r)
        return
    y = r if preconditioner is None else preconditioner @ r
    p, ry = y, inner(r, y)
    while ry != 0:
        if ry < 0:
            raise ValueError(f"the preconditioner is not positive definite: its product with r has rᵀ(M r) = {ry}")
        Ap = A @ p
        curvature = inner(p, Ap)
        if not 0 < curvature < math.inf:
            yield Iterate(x, r, p, checked(curvature))
            return
        alpha = ry / curvature
        x = x + alpha * p
        r = r - alpha * Ap
        yield Iterate(x, r, p, curvature)
        y = r if preconditioner is None else preconditioner @ r
        ry, ry_before = inner(r, y), ry
        p = y + ry / ry_before * p


def compiled_iterates(A, x, r):
    """The same without a preconditioner, for long vectors: in one kernel, with the damping if A is `damped`."""
    A, damping = getattr(A, "parts", (A, 0.0))
    p, rr = r, float(r @ r)
    while rr != 0:
        x_next, r_next, p_next, rr_next, curvature = conjugate_step(x, r, p, A @ p, rr, damping)
        if not checked(curvature) > 0:
            yield Iterate(x, r, p, curvature)
            return
        x, r, rr = x_next, r_next, rr_next
        yield Iterate(x, r, p, curvature)
        p = p_next


def curved_iterates(A, b, x=None, preconditioner=None, theta=None):
    """The same iterates, without those that rounding makes.

    Where A is singular, but has a solution, rounding gives the residual a share in a direction that is flat, and that
    direction a curvature: a step along it would be as long as one likes.  A curvature that is only rounding is 0 here;
    and where there is nothing left of the residual but rounding, or nothing else of its share in such a direction, the
    iterates end.  If b is, but for its sign, a gradient at θ, the rounding of Aθ is in it as well.
    """
    b, A = vector(b), matrix(A)
    rounding, x_before, r_before = Rounding(A, b, theta), x, b if x is None else None
    if x is None and rounding.is_all(b):
        return
    for iterate in conjugate_gradient_iterates(A, b, x, preconditioner):
        x, r, p, curvature = iterate
        if rounding.may_be(curvature, p):
            if not rounding.is_curved(p, curvature):
                x = np.zeros_like(b) if x_before is None else vector(x_before)
                r = b - A @ x if r_before is None else r_before
                if rounding.has_share(x, r, p):
                    yield Iterate(x, r, p, 0.0)
                return
        yield iterate
        if rounding.is_all(r):
            return
        x_before, r_before = x, r


def conjugate_gradient(A, b, x=None, *, steps=None, tolerance=1e-10, preconditioner=None, theta=None):
    """The solution of Ax = b for a symmetric positive definite A, by conjugate gradients from x (from 0).

    Until ‖b - Ax‖ ≤ tolerance ‖b‖, and at most so many steps (10 n).  The arguments are those of
    `conjugate_gradient_iterates`.  To meet a direction of no curvature, or negative one, is an error.  From 0, an array
    or a matrix with a method `solve` goes all the steps in one compiled call.
    """
    b, steps = start(A, b, None)[1], 10 * np.size(b) if steps is None else steps
    if x is None and (c := scale(b)) != 1:
        return c * conjugate_gradient(A, b / c, steps=steps, tolerance=tolerance, preconditioner=preconditioner,
                                      theta=None if theta is None else theta / c)
    if x is None and preconditioner is None and hasattr(A, "solve"):
        return A.solve(b, steps, tolerance)
    if x is None and preconditioner is None and isinstance(A, np.ndarray) and (
            theta is None or norm(b) > Rounding(A, b, theta).short):
        solution, curvature = dense_conjugate_gradient(A, b, steps, tolerance)
        if 0 < curvature < math.inf:
            return solution  # otherwise it is looked at again, more closely
    iterates = curved_iterates(A, b, x, preconditioner, theta)
    x = np.zeros_like(b) if x is None else vector(x)
    enough = tolerance * norm(b)
    for x, r, p, curvature in islice(iterates, steps):
        positive(curvature, x)
        if norm(r) <= enough:
            break
    return x


def checked(curvature):
    """pᵀAp, if it is a finite number."""
    if not math.isfinite(curvature):
        raise NotFinite(f"A is not finite, or too large for this precision, or singular: there is a direction with "
                        f"pᵀAp = {curvature}")
    return curvature


def positive(curvature, x):
    """x, or an error if the direction that led there has no positive curvature."""
    if not curvature > 0:
        raise ValueError(f"A is not positive definite: there is a direction with pᵀAp = {curvature}; add damping, "
                         "or use conjugate_gradient_iterates and decide what to do there")
    return x


def truncated_conjugate_gradient(A, b, x=None, *, eps=5e-4, most=250, preconditioner=None):
    """Conjugate gradients until the model q(x) = ½ xᵀAx - bᵀx hardly falls any more; the list of iterates on the way.

    Martens (2010).  The end, his Section 4.4: after i steps, if q(x_i) < 0 and over the last k = max(10, 0.1 i) of
    them q fell by less than k eps of itself.  The list, his Section 4.6: x_1, x_2, x_3, x_4, x_5, x_7, ..., at the
    steps ⌈1.3ʲ⌉, and the last.  The later of them are better for the model, an earlier one may be for f.

    A direction of curvature ≤ 0 is an end too, and if it is the first, the list is the starting point alone.
    """
    b = vector(b)
    if (c := scale(b)) != 1:
        x = None if x is None else vector(x) / c
        return [c * x for x in truncated_conjugate_gradient(A, b / c, x, eps=eps, most=most,
                                                            preconditioner=preconditioner)]
    kept = {math.ceil(1.3**j) for j in range(math.ceil(math.log(most, 1.3)) + 1)}
    iterates = conjugate_gradient_iterates(A, b, x, preconditioner)
    x, i, path, q = np.zeros_like(b) if x is None else vector(x), 0, [], []
    for i, (x, r, p, curvature) in enumerate(islice(iterates, most), 1):
        if not curvature > 0:
            i = i - 1
            break
        if i in kept:
            path.append(x)
        q.append(-x @ (b + r) / 2)
        k = max(10, i // 10)
        if i > k and q[-1] < 0 and (q[-1] - q[-1 - k]) / q[-1] < k * eps:
            break
    return path if path and i in kept else path + [x]


def steihaug(B, g, radius, *, steps=250, first=None, theta=None):
    """Towards the p of length at most `radius` that makes gᵀp + ½ pᵀBp least, for B of any curvature.

    Steihaug (1983); Nocedal and Wright (2006), Algorithm 7.2.  Conjugate gradients start at 0 and go away from it at
    every step.  Where they would leave the radius, or meet a direction of negative curvature, p ends on the radius;
    otherwise when the residual is small enough for Newton's method, see `forcing`, which is told `first`.  With the
    theta at which g is the gradient, no p leads along what only rounding has made of it.
    """
    g = vector(g)
    p, enough = np.zeros_like(g), forcing(g, first)
    for x, r, d, curvature in islice(curved_iterates(B, -g, theta=theta), steps):
        if not curvature > 0:
            return p + min(to_radius(p, d, radius), key=lambda tau: tau * (tau * curvature / 2 - inner(r, d))) * d
        if norm(x) >= radius:
            return p + max(to_radius(p, d, radius)) * d
        p = x
        if norm(r) <= enough:
            break
    return p


def gcr_iterates(A, b, x=None, window=None):
    """Solve Ax = b by steps whose images under A are orthogonal: each makes the residual as short as it can.

    The generalized conjugate residual method of Eisenstat, Elman and Schultz (1983), Section 2, for an A that need not
    be symmetric, but has xᵀAx > 0 (not only for symmetric A, as Memon et al. (2024) put it).  Every direction is kept,
    and ‖b - Ax‖ is the least that they all reach.  With a window, only so many of the last are kept (there called
    Orthomin); if A is symmetric, 1 is enough.
    It starts from x (from 0), and gives (x, r) after every step, for one product each.

    It ends where no step is left: if A r lies in the span of the images already, or (seen without a window) is
    nothing but rounding, because A is singular, say, or has not xᵀAx > 0.
    """
    x, r = start(A, b, x)
    if (c := scale(r)) != 1:  # as for conjugate gradients
        yield from ((x + c * y, c * r) for y, r in gcr_iterates(A, r / c, None, window))
        return
    directions, stretch = deque(maxlen=window), 0.0
    while r.any():
        p, v = r, A @ r
        stretch = max(norm(v) / norm(r), stretch)  # the most that A has been seen to do; a NaN, if it comes, stays
        if not math.isfinite(stretch):
            raise NotFinite("A r has entries that are not finite")
        for p_i, v_i in directions:
            beta = v @ v_i
            p, v = p - beta * p_i, v - beta * v_i
        length = norm(v)
        if length <= 10 * np.finfo(v.dtype).eps * stretch * norm(r):
            return
        p, v = p / length, v / length
        directions.append((p, v))
        alpha = v @ r
        x = x + alpha * p
        r = r - alpha * v
        yield x, r


def gcr(A, b, x=None, *, steps=None, window=None, tolerance=1e-10):
    """The solution of Ax = b by generalized conjugate residuals from x (from 0): see `gcr_iterates`.

    Until ‖b - Ax‖ ≤ tolerance ‖b‖, and at most so many steps (10 n).  Where no step is left, it is the x so far.
    """
    b = vector(b)
    iterates = gcr_iterates(A, b, x, window)
    x = np.zeros_like(b) if x is None else vector(x)
    for x, r in islice(iterates, 10 * b.size if steps is None else steps):
        if norm(r) <= tolerance * norm(b):
            break
    return x


def damped(A, damping):
    """A + damping I, an array if A is one.  With a vector of dampings it is A + diag(damping)."""
    n = matrix(A).shape[0]
    if np.ndim(damping) and np.shape(damping) != (n,):
        raise ValueError(f"damping must be a number or have shape ({n},), and has shape {np.shape(damping)}")
    damping = np.asarray(damping, precision(A))
    if isinstance(A, np.ndarray):
        (B := A.astype(np.result_type(A, damping)))[np.diag_indices(n)] += damping
        return B
    B = Operator(lambda v: A @ v + damping * v, lambda v: A.T @ v + damping * v, A.shape, damping.dtype)
    if damping.ndim == 0:
        B.parts = A, damping.item()
    if hasattr(A, "solve") and damping.ndim == 0 and damping > 0:
        B.solve = lambda b, steps, tolerance: A.solve(b, damping.item(), steps, tolerance)
    return B


class Nystrom(Symmetric):
    """C W⁺ Cᵀ, of rank at most k, for C with n rows and k columns and a symmetric W with k of each."""

    def __init__(self, C, W):
        self.C, self.W = C, W
        d = np.sqrt(np.abs(np.diag(W)))
        d = np.where(d > 0, d, 1)  # with a diagonal of 1, what is rounding does not depend on units
        self.W_inverse = np.linalg.pinv(W / d / d[:, None], rcond=10 * len(W) * np.finfo(W.dtype).eps,
                                        hermitian=True) / d / d[:, None]
        super().__init__(None, len(C), C.dtype)

    def _matvec(self, v):
        return self.C @ (self.W_inverse @ (self.C.T @ v))

    _matmat = _matvec


def nystrom(A, indices):
    """What some columns I of a symmetric positive semidefinite A tell of it all: A[:, I] A[I, I]⁺ A[I, :].

    Williams and Seeger (2001).  It is A itself if A[I, I] has the rank of A.  C = A[:, I] and W = A[I, I] are its
    factors, at one product a column.  Memon et al. (2024) print the last factor of (8) as A[I, :]ᵀ, whose shape does
    not fit, and an inverse, which A[I, I] need not have: it is semidefinite.
    """
    n, indices = matrix(A).shape[0], np.asarray(indices)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or not np.all((0 <= indices) & (indices < n)):
        raise ValueError(f"indices must be a row of whole numbers from 0 to {n - 1}, not {indices}")
    C = np.column_stack([A @ np.eye(1, n, i, dtype=precision(A))[0] for i in indices])
    return Nystrom(C, C[indices])


def start(A, b, x):
    """x and b - Ax, for x = 0 without a product."""
    b = vector(b)
    matrix(A)
    if b.ndim != 1 or getattr(A, "shape", (b.size, b.size)) != (b.size, b.size):
        raise ValueError(f"A has shape {A.shape} and b has shape {b.shape}: they must be (n, n) and (n,)")
    if not math.isfinite(np.vdot(b, b)) and not np.isfinite(b).all():
        raise NotFinite("b has entries that are not finite")
    if x is None:
        return np.zeros_like(b), b
    if np.shape(x) != b.shape:
        raise ValueError(f"x has shape {np.shape(x)}, but b has shape {b.shape}")
    return vector(x), b - A @ vector(x)
