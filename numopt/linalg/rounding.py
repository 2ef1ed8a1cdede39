"""What of a curvature, or of a residual, is only rounding.          Lectures 6 and 9."""
import math

import numpy as np

from numopt.linalg.norms import inner, norm


class Rounding:
    """What of a curvature or a residual may be rounding.

    A curvature is suspected where it is little beside the largest so far of directions as long, a residual where it is
    short beside what it is calculated from, for next to nothing.  Only then is pᵀAp compared with |p|ᵀ|A||p|, and r
    with |b| + |A||θ|, number by number: these do not depend on the units of the parameters (Oettli and Prager 1964).
    """

    def __init__(self, A, b, theta):
        self.A, self.b, self.theta, self.known = A, b, theta, None
        self.eps = 10 * float(np.finfo(b.dtype).eps)
        self.least, self.short = 0.0, -1.0
        if isinstance(A, np.ndarray):
            self.compare(float(A.diagonal().max(initial=0)))

    def compare(self, most):
        """From now on with a curvature as large as this."""
        self.least = self.eps * most
        if self.theta is not None:
            self.short = self.eps * norm(self.b) + self.b.size * self.least * norm(self.theta)

    def may_be(self, curvature, p):
        """Is the curvature along p, or its size where it is negative, next to nothing beside the largest so far?"""
        pp, size = inner(p, p), abs(curvature)
        if size * self.eps > self.least * pp:
            self.compare(size / pp)
        return size <= self.least * pp

    def is_curved(self, p, curvature):
        """Is the curvature along p, or its size where it is negative, more than rounding?"""
        share = np.abs(p)
        return abs(curvature) > self.eps * inner(share, absolute(self.A, share))

    def has_share(self, x, r, p):
        """Is the share of the residual r = b - Ax in p more than rounding?"""
        known = np.abs(self.b) + absolute(self.A, np.abs(x))
        return abs(inner(r, p)) > self.eps * inner(np.abs(p), known)

    def is_all(self, r):
        """Is every number of the residual rounding beside those that b, a gradient at θ, is calculated from?"""
        if self.theta is None or not norm(r) <= self.short < math.inf:
            return False
        if self.known is None:
            self.known = self.eps * (np.abs(self.b) + absolute(self.A, np.abs(self.theta)))
        return bool((np.abs(r) <= self.known).all())


def absolute(A, v):
    """|A| v for numbers v ≥ 0; of a matrix that is no array nearly, from its products with v in other signs."""
    if isinstance(A, np.ndarray):
        return np.abs(A) @ v
    random = np.random.default_rng(0)
    signs = [(-1)**np.arange(v.size), *random.choice([-1, 1], (3, v.size))]
    return np.max([np.abs(A @ (z.astype(v.dtype) * v)) for z in signs], axis=0)
