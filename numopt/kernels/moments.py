"""Products of all pairs of numbers: their means, the averages of these over the past, and those of each example.

On a layer of 3,073 inputs a matrix takes 38 MB, and each look at all of it as long as several steps of Adam: so it is
looked at by blocks, for which the cache has room.
"""
import numpy as np
from numpy.lib.stride_tricks import as_strided

from numopt.kernels.sharing import blas_has_one_thread, share_out
from numopt.kernels.twins import compile_all, constant, helper, worth_compiling


def second_moment(x, n, block=384):
    """xᵀx / n, the mean of the products of all pairs of numbers in n examples; x has a row for each, or several.

    It is symmetric, so a block on one side of the diagonal is computed for both.
    """
    columns = x.shape[1]
    if columns <= block:
        return x.T @ x / n
    A = np.empty((columns, columns), x.dtype)
    for i in range(0, columns, block):
        for j in range(i, columns, block):
            here, there = slice(i, i + block), slice(j, j + block)
            part = x[:, here].T @ x[:, there] / n
            A[here, there] = part
            A[there, here] = part.T
    return A


def averaged(old, new, beta, numbers=100_000):
    """beta · old + (1 − beta) · new, so many numbers at a time; old is a matrix like new, or one number for all."""
    if new.size <= numbers:
        return beta * old + (1 - beta) * new
    A, old = np.empty(new.shape, np.result_type(old, new)), np.broadcast_to(old, new.shape)
    rows = max(1, numbers // new.shape[1])
    for i in range(0, len(new), rows):
        here = slice(i, i + rows)
        np.add(beta * old[here], (1 - beta) * new[here], out=A[here])
    return A


def outer_products(a, b, out):
    """a bᵀ of each example, into `out`, on all threads at once where they have nothing else to do.

    On LeNet's widest layer np.multiply takes twice as long as np.einsum, and that one and a half times as long as its
    twin on one thread.
    """
    compiled = are_rows(a, b, out) and worth_compiling(out, least=100_000)
    if compiled:
        compile_all()
        a, b = constant(a), constant(b)

    def some(here, number):
        if compiled:
            fill_rows(a[here], b[here], *in_a_row(out[here]))
        else:
            np.einsum("eo,ei->eoi", a[here], b[here], out=out[here])

    share_out(len(a), some, alone=out.size < 500_000 or not blas_has_one_thread())


def are_rows(a, b, out):
    """Are the shapes and precisions what the twin takes, and the numbers of a row of `out` beside each other?"""
    (across, along, one), size = out.strides, out.itemsize
    return (out.dtype.char in "fd" and a.dtype == b.dtype == out.dtype and out.shape == (*a.shape, b.shape[1])
            and len(b) == len(a) and one == size and min(across, along) >= 0 and across % size == along % size == 0)


def in_a_row(out):
    """`out` as one long vector, with what lies between its rows, and how far apart examples and rows are in it."""
    (across, along), (n, rows, columns) = (stride // out.itemsize for stride in out.strides[:2]), out.shape
    return as_strided(out, [(n - 1) * across + (rows - 1) * along + columns], [out.itemsize]), across, along


@helper(nogil=True)
def fill_rows(a, b, out, across, along):
    """The twin of outer_products."""
    for e in range(a.shape[0]):
        for o in range(a.shape[1]):
            first, factor = e * across + o * along, a[e, o]
            row, numbers = out[first:first + b.shape[1]], b[e]
            for i in range(len(numbers)):
                row[i] = factor * numbers[i]
