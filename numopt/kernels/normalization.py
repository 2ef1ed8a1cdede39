"""The hot loops of batch normalisation, each written twice: see twins.py.

Rows are (example, or place of one; channel).  The twins share out the rows among the threads, and add up as many
neighbouring rows side by side as fill some lanes: a row alone may have no more than a few channels.
"""
import numpy as np

from numopt.kernels.sharing import PIECES, share_out
from numopt.kernels.twins import helper, kernel

WIDTH = 512  # numbers that are added up side by side, or one row


def large(x, *others):
    """Is there enough to do for the twins?"""
    return x.size >= 50_000


def few(x):
    """Is there too little to do for more than one thread?"""
    return x.size < 500_000


def all_finite(results):
    """Are those finite that are one of a channel, and the first row of the others?"""
    return all(np.isfinite(result if result.ndim == 1 else result[0]).all() for result in results)


@kernel("(n,c) (c) (c) .", large, finite=all_finite)
def normalized(x, gamma, beta, eps):
    """(y = γ x̂ + β, x̂, s, mean, variance): x̂ has mean 0 and variance 1 in every channel.

    The twin is 9 times as fast on 65,536 rows of 16 channels.
    """
    mean = x.mean(axis=0)
    variance = ((x - mean)**2).mean(axis=0)
    s = 1 / np.sqrt(variance + eps)
    x_hat = (x - mean) * s
    return gamma * x_hat + beta, x_hat, s, mean, variance


@normalized.twin(shares=True)
def normalized_compiled(x, gamma, beta, eps):
    (n, c), number_of = x.shape, x.dtype.type
    # However far `about` is from the mean, a variance is at least 1/14 of the square of that: a digit cancels at most.
    some, about, sums = x[:max(1, n // PIECES)], np.zeros(c, x.dtype), np.zeros((2, PIECES, c), x.dtype)
    add_rows(some, WIDTH, about)
    about /= number_of(len(some))
    share_out(n, lambda here, number: add_squares(x[here], about, WIDTH, sums[0, number], sums[1, number]), few(x))
    further, squares = sums.sum(axis=1) / number_of(n)
    mean, variance = about + further, np.maximum(squares - further**2, 0)
    x_hat, y = np.empty_like(x), np.empty_like(x)
    s = 1 / np.sqrt(variance + number_of(eps))
    share_out(n, lambda here, number: normalize(x[here], mean, s, gamma, beta, WIDTH, x_hat[here], y[here]), few(x))
    return y, x_hat, s, mean, variance


@kernel("(n,c) (n,c) (c) (c)", large, finite=all_finite)
def normalized_backward(dy, x_hat, gamma, s):
    """The derivatives by x, γ and β, from those by y; mean and variance change with x.

    The twin is 16 times as fast on 65,536 rows of 16 channels.
    """
    d = gamma * dy
    d = d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)
    return s * d, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@normalized_backward.twin(shares=True)
def normalized_backward_compiled(dy, x_hat, gamma, s):
    n, c = dy.shape
    sums, dx = np.zeros((2, PIECES, c), dy.dtype), np.empty_like(dy)
    share_out(n, lambda here, number: add_products(dy[here], x_hat[here], WIDTH, sums[0, number], sums[1, number]),
              few(dy))
    dgamma, dbeta = sums.sum(axis=1)
    along, level = dgamma / dy.dtype.type(n), dbeta / dy.dtype.type(n)
    share_out(n, lambda here, number: put_back(dy[here], x_hat[here], s * gamma, along, level, WIDTH, dx[here]),
              few(dy))
    return dx, dgamma, dbeta


@helper
def wide(width, c):
    """How many numbers are done side by side: as many rows as fit, and at least one."""
    return c * max(1, width // c)


@helper
def repeated(values, width):
    """The numbers of the channels, once for each of the rows that are done side by side."""
    c = values.size
    lanes = np.empty(wide(width, c), values.dtype)
    for start in range(0, lanes.size, c):
        for i in range(c):
            lanes[start + i] = values[i]
    return lanes


@helper
def folded(lanes, sums):
    """Add what the lanes have to the sums of their channels."""
    for start in range(0, lanes.size, sums.size):
        for i in range(sums.size):
            sums[i] += lanes[start + i]


@helper(nogil=True)
def add_rows(x, width, sums):
    flat = x.reshape(-1)
    lanes = np.zeros(wide(width, sums.size), x.dtype)
    for start in range(0, flat.size, lanes.size):
        part = flat[start:start + lanes.size]
        for i in range(part.size):
            lanes[i] += part[i]
    folded(lanes, sums)


@helper(nogil=True)
def add_squares(x, about, width, sums, squares):
    """Add up how far all is from `about`, and the squares of that."""
    flat, middles = x.reshape(-1), repeated(about, width)
    lanes, lanes_of_squares = np.zeros(middles.size, x.dtype), np.zeros(middles.size, x.dtype)
    for start in range(0, flat.size, lanes.size):
        part = flat[start:start + lanes.size]
        for i in range(part.size):
            d = part[i] - middles[i]
            lanes[i] += d
            lanes_of_squares[i] += d * d
    folded(lanes, sums)
    folded(lanes_of_squares, squares)


@helper(nogil=True)
def normalize(x, mean, s, gamma, beta, width, x_hat, y):
    flat, hats, ys = x.reshape(-1), x_hat.reshape(-1), y.reshape(-1)
    means, scales = repeated(mean, width), repeated(s, width)
    gammas, betas = repeated(gamma, width), repeated(beta, width)
    for start in range(0, flat.size, means.size):
        part = flat[start:start + means.size]
        hat, out = hats[start:start + means.size], ys[start:start + means.size]
        for i in range(part.size):
            value = (part[i] - means[i]) * scales[i]
            hat[i] = value
            out[i] = gammas[i] * value + betas[i]


@helper(nogil=True)
def add_products(dy, x_hat, width, dgamma, dbeta):
    flat, hats = dy.reshape(-1), x_hat.reshape(-1)
    products, lanes = np.zeros(wide(width, dbeta.size), dy.dtype), np.zeros(wide(width, dbeta.size), dy.dtype)
    for start in range(0, flat.size, lanes.size):
        part, hat = flat[start:start + lanes.size], hats[start:start + lanes.size]
        for i in range(part.size):
            products[i] += part[i] * hat[i]
            lanes[i] += part[i]
    folded(products, dgamma)
    folded(lanes, dbeta)


@helper(nogil=True)
def put_back(dy, x_hat, factor, along, level, width, dx):
    flat, hats, outs = dy.reshape(-1), x_hat.reshape(-1), dx.reshape(-1)
    factors, alongs, levels = repeated(factor, width), repeated(along, width), repeated(level, width)
    for start in range(0, flat.size, levels.size):
        part, hat = flat[start:start + levels.size], hats[start:start + levels.size]
        out = outs[start:start + levels.size]
        for i in range(part.size):
            out[i] = factors[i] * (part[i] - levels[i] - hat[i] * alongs[i])
