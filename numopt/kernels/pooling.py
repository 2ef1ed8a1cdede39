"""The hot loops of ReLU and of max-pooling, each written twice: see twins.py.

Images are (example, row, column, channel).  A window is k × k pixels, `stride` apart from the next one.  The twins
share out the images among the threads.
"""
import numpy as np

from numopt.kernels import lanes
from numopt.kernels.patches import are_places, offsets, places
from numopt.kernels.sharing import share_out
from numopt.kernels.twins import helper, kernel

LANES = 0xa423398e  # of lanes.py: see tiles.py


def index_of(k):
    """The kind of number that a place in a k × k window, or k² for none, is kept in."""
    return np.uint16 if k * k < 2**16 else np.uint32


def large(x, *others):
    """Is there enough to do for the twins of max-pooling?"""
    return x.size >= 5_000


def very_large(x, *others):
    """Is there enough to do for those of ReLU, and for more than one thread?"""
    return x.size >= 500_000


@kernel("(...)", very_large)
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


@kernel("(...) (...)", very_large)
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
        dx[i] = dy[i] * (1 if y[i] > 0 else 0)


@kernel("(n,r,c,ch) i i .", large, lambda x, k, stride, least: least == least and are_places(x.shape, k, stride, 0))
def max_pool(x, k, stride, least):
    """The largest number of each window in every channel, and which one it is, the first where there are several.

    Where none is above `least`, it is `least` itself, and it is number k²: in no place of the window.

    The twin is 15 times as fast on the CNN's first layer.
    """
    h, w = places(x.shape[1], k, stride, 0), places(x.shape[2], k, stride, 0)
    y = np.full((len(x), h, w, x.shape[3]), least, x.dtype)
    which = np.full(y.shape, k * k, index_of(k))
    for i, j, there in offsets(k, stride, h, w):
        which = np.where(x[there] > y, which.dtype.type(i * k + j), which)
        y = np.maximum(y, x[there])
    return y, which


@max_pool.twin(shares=True)
def max_pool_compiled(x, k, stride, least):
    n, rows, columns, channels = x.shape
    h, w = (rows - k) // stride + 1, (columns - k) // stride + 1
    y, which = np.empty((n, h, w, channels), x.dtype), np.empty((n, h, w, channels), index_of(k))
    share_out(n, lambda here, number: pool_all(x[here], k, stride, x.dtype.type(least), y[here], which[here]),
              alone=not very_large(x))
    return y, which


@helper(nogil=True)
def pool_all(x, k, stride, least, y, which):
    for e in range(len(x)):
        pool_one(x[e], k, stride, least, y[e], which[e])


@helper
def pool_one(x, k, stride, least, y, which):
    """The largest numbers of one image, into `y`, and which they are.

    Sixteen at a time, while there are so many behind: what is written behind a pixel's own channels is overwritten when
    it is the next one's turn.
    """
    h, w, channels = y.shape
    numbers, out, which_out = x.reshape(-1), y.reshape(-1), which.reshape(-1)
    across = x.shape[1] * channels
    for r in range(h):
        for c in range(w):
            here, there, channel = r * stride * across + c * stride * channels, (r * w + c) * channels, 0
            last = here + (k - 1) * (across + channels)
            while channel < channels:
                at = here + channel, across, channels
                if last + channel + 16 <= numbers.size and there + channel + 16 <= out.size:
                    lanes.largest(16, numbers, at, k, least, out, which_out, there + channel)
                    channel += 16
                else:
                    lanes.largest(1, numbers, at, k, least, out, which_out, there + channel)
                    channel += 1


@kernel("(n,r,c,ch) index(n,h,w,ch) i i", large,
        lambda x, which, k, stride: are_places(x.shape, k, stride, 0, which.shape))
def max_pool_chosen(x, which, k, stride):
    """Of each window the number that was the largest in other images.

    The twin is 4 to 6 times as fast on the CNN's first layer.
    """
    y = np.zeros_like(which, x.dtype)
    for i, j, there in offsets(k, stride, *which.shape[1:3]):
        y = np.where(which == i * k + j, x[there], y)
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
    numbers, out, which_out = x.reshape(-1), y.reshape(-1), which.reshape(-1)
    across = x.shape[1] * channels
    for r in range(h):
        for c in range(w):
            here, there, channel = r * stride * across + c * stride * channels, (r * w + c) * channels, 0
            last = here + (k - 1) * (across + channels)
            while channel < channels:
                at = here + channel, across, channels
                if last + channel + 16 <= numbers.size and there + channel + 16 <= out.size:
                    lanes.chosen(16, numbers, at, k, which_out, out, there + channel)
                    channel += 16
                else:
                    lanes.chosen(1, numbers, at, k, which_out, out, there + channel)
                    channel += 1


@kernel("(n,h,w,ch) index(n,h,w,ch) [n,r,c,ch] i i", large,
        lambda dy, which, shape, k, stride: are_places(shape, k, stride, 0, dy.shape))
def max_pool_backward(dy, which, shape, k, stride):
    """The derivatives by x, images of this shape, from those by the largest number of each window.

    The twin is 8 times as fast on the CNN's first layer.
    """
    dx = np.zeros(shape, dy.dtype)
    for i, j, there in offsets(k, stride, dy.shape[1], dy.shape[2]):
        dx[there] += np.where(which == i * k + j, dy, 0)
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
    numbers, out, which_in = dy.reshape(-1), dx.reshape(-1), which.reshape(-1)
    across = dx.shape[1] * channels
    if not whole:
        for i in range(out.size):
            out[i] = 0
    for r in range(h):
        for i in range(k):  # row by row, for the same reason
            for c in range(w):
                for j in range(k):
                    here = (r * w + c) * channels
                    there = (r * stride + i) * across + (c * stride + j) * channels
                    channel = 0
                    while channel < channels:
                        if channel + 16 <= channels or (whole and here + channel + 16 <= numbers.size
                                                        and there + channel + 16 <= out.size):
                            lanes.put(16, numbers, which_in, here + channel, i * k + j, whole, out, there + channel)
                            channel += 16
                        else:
                            lanes.put(1, numbers, which_in, here + channel, i * k + j, whole, out, there + channel)
                            channel += 1
