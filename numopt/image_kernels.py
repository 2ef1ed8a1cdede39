"""The hot loops of the layers for images, each written twice: see kernels.py.

Images are (example, row, column, channel).  A patch is k × k pixels, `stride` apart from the next one, of an image with
`padding` zeros around it; it is laid out as (row, column, channel), and the patches of an image row by row.  The twins
share out the images among the threads, and take one after the other through all that is to be done, while it is in the
processor's cache.
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from numopt.kernels import helper, kernel, prange


def large(x, *others):
    """Is there enough to do for the twins?"""
    return x.size >= 50_000


@helper
def places(length, k, stride, padding):
    """How many patches there are along a side."""
    return (length + 2 * padding - k) // stride + 1


def offsets(k, stride, h, w):
    """For each place (i, j) in a k × k window: where an image has what stands there, in all its h × w windows."""
    for i in range(k):
        for j in range(k):
            yield i, j, (slice(None), slice(i, i + stride * h, stride), slice(j, j + stride * w, stride))


def patches(x, k, stride, padding):
    """Every patch of every image, one a row (im2col)."""
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(x, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, k * k * x.shape[3])


@helper
def copy_patches(x, k, stride, padding, out):
    """The patches of one image, into `out`, each followed by a 1 if there is a column for it.

    A patch is k runs of numbers that are beside each other in the image too.
    """
    rows, columns, channels = x.shape
    h, w, width = places(rows, k, stride, padding), places(columns, k, stride, padding), k * channels
    bordered = np.zeros((rows + 2 * padding, columns + 2 * padding, channels), x.dtype)
    for r in range(rows):
        for c in range(columns):
            for channel in range(channels):
                bordered[padding + r, padding + c, channel] = x[r, c, channel]
    bordered = bordered.reshape(rows + 2 * padding, -1)
    for i in range(k):
        for r in range(h):
            row = bordered[r * stride + i]
            for c in range(w):
                run = row[c * stride * channels:c * stride * channels + width]
                target = out[r * w + c, i * width:(i + 1) * width]
                if width == 9:  # three pixels of three colours: the compiler does not count, it copies
                    for q in range(9):
                        target[q] = run[q]
                else:
                    for q in range(width):
                        target[q] = run[q]
    if out.shape[1] > k * width:
        out[:, k * width] = 1


def overlapped(dpatches, shape, k, stride, padding):
    """Every pixel's sum over the patches that it is in (col2im): images of this shape."""
    n, rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    dpatches = dpatches.reshape(n, h, w, k, k, channels)
    dx = np.zeros((n, rows + 2 * padding, columns + 2 * padding, channels), dpatches.dtype)
    for i, j, there in offsets(k, stride, h, w):
        dx[there] += dpatches[:, :, :, i, j]
    return dx[:, padding:padding + rows, padding:padding + columns]


@helper
def add_patches(dpatches, k, stride, padding, dx):
    """The sums of the patches of one image, into `dx`, run by run."""
    rows, columns, channels = dx.shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    width, dpatches = k * channels, dpatches.reshape(h, w, k, k * channels)
    bordered = np.zeros((rows + 2 * padding, (columns + 2 * padding) * channels), dx.dtype)
    for r in range(h):
        for i in range(k):
            row = bordered[r * stride + i]
            for c in range(w):
                run = row[c * stride * channels:c * stride * channels + width]
                for q in range(width):
                    run[q] += dpatches[r, c, i, q]
    bordered = bordered.reshape(rows + 2 * padding, columns + 2 * padding, channels)
    for r in range(rows):
        for c in range(columns):
            for channel in range(channels):
                dx[r, c, channel] = bordered[padding + r, padding + c, channel]


@kernel(pays=large)
def convolution(x, matrix, k, stride, padding):
    """[W | b] times every patch [x 1] of the images: images with an output of W in each channel.

    Where there is no b, the matrix is W alone, here and below.

    The twin is about twice as fast on either layer of the CNN.
    """
    n, rows, columns, channels = x.shape
    W, b = matrix[:, :k * k * channels], matrix[:, k * k * channels:]
    y = patches(x, k, stride, padding) @ W.T + b.sum(axis=1)
    return y.reshape(n, places(rows, k, stride, padding), places(columns, k, stride, padding), len(W))


@convolution.twin(parallel=True)
def convolution_compiled(x, matrix, k, stride, padding):
    h, w = places(x.shape[1], k, stride, padding), places(x.shape[2], k, stride, padding)
    transposed = np.ascontiguousarray(matrix.T)
    y = np.empty((len(x), h * w, len(matrix)), x.dtype)
    for e in prange(len(x)):
        inputs = np.empty((h * w, len(transposed)), x.dtype)
        copy_patches(x[e], k, stride, padding, inputs)
        np.dot(inputs, transposed, y[e])
    return y.reshape(len(x), h, w, len(matrix))


@kernel(pays=large)
def convolution_by_weights(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b], from those by y.

    The twin is 2.2 times as fast on either layer of the CNN.
    """
    dy = dy.reshape(-1, dy.shape[3])
    dW = dy.T @ patches(x, k, stride, padding)
    return np.column_stack([dW, dy.sum(axis=0)]) if bias else dW


@convolution_by_weights.twin(parallel=True)
def convolution_by_weights_compiled(x, dy, k, stride, padding, bias):
    n, parts, outputs, patch = len(x), 8, dy.shape[3], k * k * x.shape[3] + bias
    dy = dy.reshape(n, -1, outputs)
    sums = np.zeros((parts, patch, outputs), x.dtype)
    for part in prange(parts):
        inputs, product = np.empty((dy.shape[1], patch), x.dtype), np.empty((patch, outputs), x.dtype)
        for e in range(part * n // parts, (part + 1) * n // parts):
            copy_patches(x[e], k, stride, padding, inputs)
            np.dot(inputs.T, dy[e], product)
            add(product, sums[part])
    for part in range(1, parts):
        add(sums[part], sums[0])
    return np.ascontiguousarray(sums[0].T)


@helper
def add(product, total):
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += product[i, j]


@kernel(pays=large)
def convolution_by_inputs(dy, matrix, shape, k, stride, padding):
    """The derivatives by x, images of this shape, from those by y.

    The twin is 6 times as fast on the CNN's second layer.
    """
    W = matrix[:, :k * k * shape[3]]
    return overlapped(dy.reshape(-1, dy.shape[3]) @ W, shape, k, stride, padding)


@convolution_by_inputs.twin(parallel=True)
def convolution_by_inputs_compiled(dy, matrix, shape, k, stride, padding):
    dy = dy.reshape(shape[0], -1, dy.shape[3])
    W = np.ascontiguousarray(matrix[:, :k * k * shape[3]])
    dx = np.empty(shape, dy.dtype)
    for e in prange(shape[0]):
        add_patches(np.dot(dy[e], W), k, stride, padding, dx[e])
    return dx


@kernel(pays=large)
def max_pool(x, k, stride):
    """The largest number of each window in every channel, and which one it is, the first where there are several.

    The twin is 15 times as fast on the CNN's first layer.
    """
    h, w = places(x.shape[1], k, stride, 0), places(x.shape[2], k, stride, 0)
    (_, _, there), *others = offsets(k, stride, h, w)
    y = x[there]
    which = np.zeros(y.shape, np.uint16)
    for i, j, there in others:
        which = np.where(x[there] > y, np.uint16(i * k + j), which)
        y = np.maximum(y, x[there])
    return y, which


@max_pool.twin(parallel=True)
def max_pool_compiled(x, k, stride):
    n, rows, columns, channels = x.shape
    h, w = places(rows, k, stride, 0), places(columns, k, stride, 0)
    y, which = np.empty((n, h, w, channels), x.dtype), np.empty((n, h, w, channels), np.uint16)
    for e in prange(n):
        pool_one(x[e], k, stride, y[e], which[e])
    return y, which


@helper
def pool_one(x, k, stride, y, which):
    """The largest numbers of one image, into `y`, and which they are."""
    h, w, channels = y.shape
    for r in range(h):
        for c in range(w):
            for channel in range(channels):
                y[r, c, channel] = x[r * stride, c * stride, channel]
                which[r, c, channel] = 0
            for number in range(1, k * k):
                row, column, number_here = r * stride + number // k, c * stride + number % k, np.uint16(number)
                for channel in range(channels):
                    larger = x[row, column, channel] > y[r, c, channel]
                    y[r, c, channel] = x[row, column, channel] if larger else y[r, c, channel]
                    which[r, c, channel] = number_here if larger else which[r, c, channel]


@kernel(pays=large)
def max_pool_chosen(x, which, k, stride):
    """Of each window the number that was the largest in other images.

    The twin is 3 times as fast on the CNN's first layer.
    """
    y = np.zeros_like(which, x.dtype)
    for i, j, there in offsets(k, stride, *which.shape[1:3]):
        y += x[there] * (which == i * k + j)
    return y


@max_pool_chosen.twin(parallel=True)
def max_pool_chosen_compiled(x, which, k, stride):
    n, h, w, channels = which.shape
    y = np.empty((n, h, w, channels), x.dtype)
    for e in prange(n):
        for r in range(h):
            for c in range(w):
                for channel in range(channels):
                    number = which[e, r, c, channel]
                    y[e, r, c, channel] = x[e, r * stride + number // k, c * stride + number % k, channel]
    return y


@kernel(pays=large)
def max_pool_backward(dy, which, shape, k, stride):
    """The derivatives by x, images of this shape, from those by the largest number of each window.

    The twin is 8 times as fast on the CNN's first layer.
    """
    dx = np.zeros(shape, dy.dtype)
    for i, j, there in offsets(k, stride, dy.shape[1], dy.shape[2]):
        dx[there] += dy * (which == i * k + j)
    return dx


@max_pool_backward.twin(parallel=True)
def max_pool_backward_compiled(dy, which, shape, k, stride):
    dx = np.empty(shape, dy.dtype)
    for e in prange(len(dy)):
        put_one(dy[e], which[e], k, stride, dx[e])
    return dx


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
