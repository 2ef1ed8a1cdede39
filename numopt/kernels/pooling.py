"""The hot loops of ReLU and of max-pooling, each written twice: see twins.py.

Images are (example, row, column, channel).  A window is k × k pixels, `stride` apart from the next one.  The twins
share out the images among the threads.
"""
import numpy as np

from numopt.kernels.patches import offsets, places
from numopt.kernels.twins import helper, kernel, share_out


def large(x, *others):
    """Is there enough to do for the twins of max-pooling?"""
    return x.size >= 50_000


def very_large(x, *others):
    """Is there enough to do for those of ReLU, and for more than one thread?"""
    return x.size >= 500_000


@kernel(pays=very_large)
def relu(x):
    """max(x, 0).

    The twin is 2 to 3 times as fast on four million numbers.
    """
    return np.maximum(x, 0)


@relu.twin(shares=True)
def relu_compiled(x):
    flat, y = x.reshape(-1), np.empty(x.size, x.dtype)
    share_out(x.size, lambda here, number: rectify(flat[here], y[here]))
    return y.reshape(x.shape)


@helper(nogil=True)
def rectify(x, y):
    for i in range(x.size):
        y[i] = 0 if x[i] < 0 else x[i]


@kernel(pays=very_large)
def relu_backward(y, dy):
    """The derivatives by x, from those by y = max(x, 0).

    The twin is 3 times as fast on four million numbers.
    """
    return (y > 0) * dy


@relu_backward.twin(shares=True)
def relu_backward_compiled(y, dy):
    y_flat, dy_flat, dx = y.reshape(-1), dy.reshape(-1), np.empty(y.size, y.dtype)
    share_out(y.size, lambda here, number: keep_positive(y_flat[here], dy_flat[here], dx[here]))
    return dx.reshape(y.shape)


@helper(nogil=True)
def keep_positive(y, dy, dx):
    for i in range(y.size):
        dx[i] = dy[i] if y[i] > 0 else 0


@kernel(pays=large)
def max_pool(x, k, stride, least):
    """The largest number of each window in every channel, and which one it is, the first where there are several.

    Where none is above `least`, it is `least` itself, and it is number k²: in no place of the window.

    The twin is 15 times as fast on the CNN's first layer.
    """
    h, w = places(x.shape[1], k, stride, 0), places(x.shape[2], k, stride, 0)
    y = np.full((len(x), h, w, x.shape[3]), least, x.dtype)
    which = np.full(y.shape, k * k, np.uint16)
    for i, j, there in offsets(k, stride, h, w):
        which = np.where(x[there] > y, np.uint16(i * k + j), which)
        y = np.maximum(y, x[there])
    return y, which


@max_pool.twin(shares=True)
def max_pool_compiled(x, k, stride, least):
    n, rows, columns, channels = x.shape
    h, w = (rows - k) // stride + 1, (columns - k) // stride + 1
    y, which = np.empty((n, h, w, channels), x.dtype), np.empty((n, h, w, channels), np.uint16)
    share_out(n, lambda here, number: pool_all(x[here], k, stride, x.dtype.type(least), y[here], which[here]),
              alone=not very_large(x))
    return y, which


@helper(nogil=True)
def pool_all(x, k, stride, least, y, which):
    for e in range(len(x)):
        pool_one(x[e], k, stride, least, y[e], which[e])


@helper
def pool_one(x, k, stride, least, y, which):
    """The largest numbers of one image, into `y`, and which they are."""
    h, w, channels = y.shape
    for r in range(h):
        for c in range(w):
            for channel in range(channels):
                y[r, c, channel] = least
                which[r, c, channel] = k * k
            for number in range(k * k):
                row, column, number_here = r * stride + number // k, c * stride + number % k, np.uint16(number)
                for channel in range(channels):
                    larger = x[row, column, channel] > y[r, c, channel]
                    y[r, c, channel] = x[row, column, channel] if larger else y[r, c, channel]
                    which[r, c, channel] = number_here if larger else which[r, c, channel]


@kernel(pays=large)
def max_pool_chosen(x, which, k, stride):
    """Of each window the number that was the largest in other images.

    The twin is 4 to 6 times as fast on the CNN's first layer.
    """
    y = np.zeros_like(which, x.dtype)
    for i, j, there in offsets(k, stride, *which.shape[1:3]):
        y += x[there] * (which == i * k + j)
    return y


@max_pool_chosen.twin(shares=True)
def max_pool_chosen_compiled(x, which, k, stride):
    y = np.empty(which.shape, x.dtype)
    share_out(len(x), lambda here, number: choose_all(x[here], which[here], k, stride, y[here]),
              alone=not very_large(x))
    return y


@helper(nogil=True)
def choose_all(x, which, k, stride, y):
    for e in range(len(x)):
        choose_one(x[e], which[e], k, stride, y[e])


@helper
def choose_one(x, which, k, stride, y):
    """The chosen numbers of one image, into `y`."""
    h, w, channels = y.shape
    nothing = y.dtype.type(0)
    for r in range(h):
        for c in range(w):
            for channel in range(channels):
                y[r, c, channel] = 0
            for number in range(k * k):
                row, column, number_here = r * stride + number // k, c * stride + number % k, np.uint16(number)
                for channel in range(channels):
                    y[r, c, channel] += x[row, column, channel] if which[r, c, channel] == number_here else nothing


@kernel(pays=large)
def max_pool_backward(dy, which, shape, k, stride):
    """The derivatives by x, images of this shape, from those by the largest number of each window.

    The twin is 8 times as fast on the CNN's first layer.
    """
    dx = np.zeros(shape, dy.dtype)
    for i, j, there in offsets(k, stride, dy.shape[1], dy.shape[2]):
        dx[there] += dy * (which == i * k + j)
    return dx


@max_pool_backward.twin(shares=True)
def max_pool_backward_compiled(dy, which, shape, k, stride):
    dx = np.empty(shape, dy.dtype)
    share_out(len(dy), lambda here, number: put_all(dy[here], which[here], k, stride, dx[here]),
              alone=not very_large(dx))
    return dx


@helper(nogil=True)
def put_all(dy, which, k, stride, dx):
    for e in range(len(dy)):
        put_one(dy[e], which[e], k, stride, dx[e])


@helper
def put_one(dy, which, k, stride, dx):
    """The derivatives by one image, into `dx`."""
    h, w, channels = dy.shape
    whole = stride == k and h * k == dx.shape[0] and w * k == dx.shape[1]  # every pixel is in exactly one window
    if not whole:
        for r in range(dx.shape[0]):
            for c in range(dx.shape[1]):
                for channel in range(channels):
                    dx[r, c, channel] = 0
    for r in range(h):
        for c in range(w):
            for number in range(k * k):
                row, column, number_here = r * stride + number // k, c * stride + number % k, np.uint16(number)
                for channel in range(channels):
                    here = dy[r, c, channel] if which[r, c, channel] == number_here else dy.dtype.type(0)
                    dx[row, column, channel] = here if whole else dx[row, column, channel] + here
