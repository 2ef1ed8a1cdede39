"""Matrices that are only multiplied by vectors, and become arrays where they are small."""
from scipy.sparse.linalg import LinearOperator

from numopt.linalg.systems import dense


class Symmetric(LinearOperator):
    """A symmetric matrix known by its products with vectors; np.asarray makes an array of one that is not too large."""

    most = 10_000

    def __init__(self, product, n, dtype):
        super().__init__(dtype, (n, n))
        self.product = product

    def _matvec(self, v):
        return self.product(v)

    _rmatvec = _matvec

    def dense(self):
        """The array: n products with unit vectors."""
        n = len(self)
        if n > self.most:
            raise ValueError(f"the array of this matrix would have {n:,} × {n:,} numbers, {n * n * 8 / 1e9:.3g} GB: "
                             f"multiply it by vectors, A @ v")
        return dense(self, n)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        return self.dense().astype(self.dtype if dtype is None else dtype, copy=False)
