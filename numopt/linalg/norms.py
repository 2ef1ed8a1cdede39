"""Lengths of vectors whose squares are too large or too small for their precision, and units in which they are not.

In single precision the square of 1e20 is infinite and that of 1e-23 is 0, in double precision those of 1e155 and
1e-163.  Whatever is divided by a power of 2 keeps all its digits: so a system, or a pair of vectors, is brought to such
units and back, and the answer does not depend on those it came in.          Lectures 6, 7, 8 and 12.
"""
import math

import numpy as np


class NotFinite(FloatingPointError, ValueError):
    """A number is infinite or undefined: a Run says Diverged where it meets one, others may take it for a bad value."""


class Limits(dict):
    """By the letter of a precision: between these a sum of squares has all its digits, and is finite."""

    def __missing__(self, char):
        info = np.finfo(char if np.dtype(char).kind == "f" else float)  # whole numbers are of no precision
        self[char] = float(info.tiny) / float(info.eps)**2, float(info.max)
        return self[char]


class Middle(dict):
    """Half of all orders of magnitude: neither these squares nor what they are multiplied by is near the limits."""

    def __missing__(self, char):
        far = math.sqrt(LIMITS[char][1])
        self[char] = 1 / far, far
        return self[char]


LIMITS, MIDDLE = Limits(), Middle()  # looked up in a tenth of the time of an inner product


def power_of_two(x):
    """The power of 2 next below a positive number."""
    return math.ldexp(1.0, math.frexp(x)[1] - 1)


def largest(v):
    """The largest |v_i| if it is positive and finite, otherwise None."""
    size = float(np.abs(v).max(initial=0))
    return size if 0 < size < math.inf else None


def scale(*vectors):
    """1 where the squares of all these vectors are far from overflow and underflow, otherwise a power of 2.

    It is that next below the largest number of the first one, by which all are to be divided.  Of a vector of zeros, or
    one that is not finite, it is 1.
    """
    return 1.0 if squares_fit(*vectors) else power_of_two(largest(vectors[0]) or 1.0)


def squares_fit(*vectors):
    """Are the squares of all these vectors far from overflow and underflow?"""
    near, far = MIDDLE[vectors[0].dtype.char]
    for v in vectors:
        if not near < np.vdot(v, v) < far and v.any():
            return False
    return True


def inner(a, b):
    """aᵀb as a Python float: in double precision, and in other units, where the products are too large or too small."""
    product, (least, most) = float(np.vdot(a, b)), LIMITS[a.dtype.char]  # vdot is silent where a @ b warns
    if least < abs(product) < most or not (size := largest(a)) or not (other := largest(b)):
        return product
    c, d = power_of_two(size), power_of_two(other)
    return c * float(np.vdot(a.astype(float) / c, b.astype(float) / d)) * d


def finite_inner(a, b):
    """aᵀb in double precision, as a number of NumPy's, if it is finite: a step divided by inf would be a standstill."""
    product = np.float64(inner(a, b))
    if product == math.inf:
        raise NotFinite("an inner product is infinite in double precision")
    return product


def norm(v):
    """‖v‖ as a Python float, of a vector of any length: the root of the sum of squares, also of a matrix."""
    square, (least, most) = float(np.vdot(v, v)), LIMITS[v.dtype.char]
    if least < square <= most:
        return math.sqrt(square)
    if (size := largest(v)) is None:
        return float(np.abs(v).max(initial=0))  # 0, inf or nan
    c = power_of_two(size)
    return c * math.sqrt(float(np.vdot(v / c, v / c)))


def unit(v):
    """v / ‖v‖, and v itself where that is 0; nan where it is not finite."""
    if (c := scale(v)) != 1:
        v = v / c
    length = norm(v)
    if length == 0:
        return v
    return v / length if length < math.inf else v * math.nan


def image(J, r):
    """(u, Ju) for the direction u = r: where its squares would overflow or underflow, in units in which they do not."""
    u = r if (c := scale(r)) == 1 else r / c
    return u, J @ u


def column_norms(A):
    """The length of every column of A; 1 in place of 0."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(A, axis=0)
    least, most = LIMITS[A.dtype.char]
    if not ((math.sqrt(least) < lengths) & (lengths <= most)).all():
        lengths = np.array([norm(column) or 1.0 for column in A.T], A.dtype)
    return lengths


def balanced(s, y):
    """(s / c, y / c) for a power of 2 with ‖s‖ ‖y‖ of about c²: for a matrix with M y = s the same equation.

    Where nothing overflows as it is, c is 1.
    """
    if squares_fit(s, y):
        return s, y
    c = math.sqrt(norm(s)) * math.sqrt(norm(y))
    return (s / power_of_two(c), y / power_of_two(c)) if 0 < c < math.inf else (s, y)


def widest(radius, theta):
    """The radius, but no shorter than half of θ's digits: a step of less could be lost in the rounding of θ."""
    return max(radius, math.sqrt(np.finfo(theta.dtype).eps) * norm(theta))


def reach(theta, d, share):
    """The h for which hd changes no number of θ by more than the share of it, or where it is below 1, of 1."""
    return share / float((np.abs(d) / np.maximum(1, np.abs(theta))).max())


def to_radius(p, d, radius):
    """The two numbers τ with ‖p + τd‖ = radius; 0 twice where the radius is 0, for then p is 0 as well."""
    if radius == 0:
        return 0.0, 0.0
    length, size = norm(d), norm(p)
    along = float((p / radius) @ (d / length))  # in units of the radius, whose square may be no number
    root = math.sqrt(along * along + max((1 - size / radius) * (1 + size / radius), 0))
    return (-along - root) * radius / length, (-along + root) * radius / length


def forcing(g, first=None):
    """How small the residual of Newton's equation has to be: the smaller g is, the smaller also as a share of it.

    Nocedal and Wright (2006), Algorithm 7.1: min(½, √‖g‖) ‖g‖, for which Newton's method is faster than linear.  Given
    the length of the `first` gradient, ‖g‖ / first stands under the root: then the units of f make no difference.
    """
    length = norm(g)
    return min(0.5, math.sqrt(length / first if first else length)) * length


def finite(v, what):
    """v, if all its numbers are finite."""
    if not math.isfinite(norm(v)) and not np.isfinite(v).all():
        raise NotFinite(f"{what} has entries that are not finite")
    return v


def vector(v):
    """An array of floating-point numbers, in single precision if they were."""
    if type(v) is np.ndarray and v.dtype.char in "fd":
        return v
    v = real(np.asarray(real(v)))
    return v.astype(np.result_type(v.dtype, np.float32), copy=False)


def real(A, name="the vector"):
    """A itself, and a refusal of what is not made of real numbers, or has some of them masked."""
    if getattr(getattr(A, "dtype", None), "kind", "f") == "c" or isinstance(A, (list, tuple)) and np.iscomplexobj(A):
        raise TypeError(f"{name} is complex, and must be real: write z = x + iy as twice as many real numbers")
    if isinstance(A, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would not be seen: leave those entries out or fill them "
                        "in")
    if getattr(getattr(A, "dtype", None), "kind", "f") not in "fiub":
        raise TypeError(f"{name} is made of {A.dtype}, and must be made of real numbers: see .astype(float)")
    return A


def matrix(A):
    """A, if it can be multiplied by vectors."""
    if not hasattr(A, "__matmul__"):
        raise TypeError(f"A is a {type(A).__name__}, and must be an array of real numbers, or anything that is "
                        "multiplied by a vector with @: see np.asarray")
    return real(A, "A")


def precision(A):
    """The precision of the vectors that go with A."""
    return np.result_type(matrix(A).dtype, np.float32)
