"""Matrices that are only multiplied by vectors, and become arrays where they are small."""
import numpy as np
from scipy.sparse.linalg import LinearOperator

from numopt.linalg.norms import precision


def dense(A, n):
    """The n x n array of a matrix that can only be multiplied by vectors: its products with the n unit vectors."""
    return np.column_stack([A @ e for e in np.eye(n, dtype=precision(A))])


class Operator(LinearOperator):
    """A matrix known by its products with vectors, and by those of its transpose.

    np.asarray makes an array of one that is not too large, and of sums, products and multiples of them as well.
    """

    most = 10_000

    def __init__(self, product, transposed, shape, dtype):
        super().__init__(dtype, shape)
        self.product, self.transposed = product, transposed

    def _matvec(self, v):
        return self.product(v.ravel())

    def _rmatvec(self, v):
        return self.transposed(v.ravel())

    def _adjoint(self):
        return Operator(self.rmatvec, self.matvec, self.shape[::-1], self.dtype)

    def _transpose(self):
        return self._adjoint()

    def dense(self):
        """The array: a product with each unit vector."""
        m, n = self.shape
        if max(m, n) > self.most:
            raise ValueError(f"the array of this matrix would have {m:,} × {n:,} numbers, {m * n * 8 / 1e9:.3g} GB: "
                             f"multiply it by vectors, A @ v")
        return dense(self, n)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        return self.dense().astype(self.dtype if dtype is None else dtype, copy=False)

    def dot(self, other):
        return with_an_array(super().dot(other))

    def __add__(self, other):
        return self.dense() + other if isinstance(other, np.ndarray) else with_an_array(super().__add__(other))
    __radd__ = __add__

    def __neg__(self):
        return with_an_array(super().__neg__())

    def __rmul__(self, other):
        return with_an_array(super().__rmul__(other))

    def __truediv__(self, other):
        return with_an_array(super().__truediv__(other))

    def __pow__(self, power):
        return with_an_array(super().__pow__(power))


class Symmetric(Operator):
    """An operator that is its own transpose."""

    def __init__(self, product, n, dtype):
        super().__init__(product, product, (n, n), dtype)

    def _rmatvec(self, v):
        return self._matvec(v)

    def _adjoint(self):
        return self


def with_an_array(A):
    """What scipy makes of operators, as an Operator; everything else as it is."""
    if isinstance(A, Operator) or not isinstance(A, LinearOperator):
        return A
    return Operator(A.matvec, A.rmatvec, A.shape, A.dtype)
