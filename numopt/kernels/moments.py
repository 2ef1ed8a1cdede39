"""Second moments of many numbers, and their averages over the past: by blocks, for which the cache has room.

On a layer of 3,073 inputs a matrix takes 38 MB, and each look at all of it as long as several steps of Adam.
"""
import numpy as np


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
