"""The hot loops of convolution, each written twice: see twins.py.

The NumPy versions copy out the patches and multiply by one large matrix.  The twins share out the images among the
threads, and copy out nothing: the numbers of a patch are in its image already, at fixed distances from each other.  All
are sums of one form, which is told in tiles.py, and differ in where the factors are: each twin makes a table of
the sums for one image, a row of the numbers in that form for each, and `add_up` does what it says for one image after
the other.  Where the channels are too few for that, pixels.py has other tables; where there are many, and 3 × 3 pixels
in a patch, winograd.py multiplies less.
"""
from functools import cache
from math import isfinite, prod

import numpy as np

from numopt.kernels import tiles
from numopt.kernels.patches import are_places, overlapped, patches, places
from numopt.kernels.pixels import by_runs, by_runs_of_each, few, over_pixels, side_by_side
from numopt.kernels.sharing import PIECES, share_out
from numopt.kernels.tiles import sixteens
from numopt.kernels.twins import helper, kernel
from numopt.kernels.winograd import in_squares, over_squares, weights_over_squares

TILES = 0x58a46629  # of tiles.py: see there


def outputs_fit(x, matrix, k, stride, padding):
    """Also, that no weight is infinite or undefined where there are zeros around the images, for it may skip those."""
    return (are_places(x.shape, k, stride, padding) and 0 <= matrix.shape[1] - k * k * x.shape[3] <= 1
            and (padding == 0 or isfinite(matrix.sum())))


def weights_fit(x, dy, k, stride, padding, bias):
    return are_places(x.shape, k, stride, padding, dy.shape) and 0 <= bias <= 1


def inputs_fit(dy, matrix, shape, k, stride, padding):
    """Also, that no weight is infinite or undefined: the twin would multiply it by the zeros around the images."""
    return (are_places(shape, k, stride, padding, dy.shape) and matrix.shape[1] >= k * k * shape[3]
            and isfinite(matrix.sum()))


def pays(x, weights, k, stride, channels, shape):
    """Is there enough to do for the twins, with a matrix that stays in the cache, or in squares?"""
    return x.size >= 5_000 and (weights <= 200_000 or in_squares(k, stride, channels, shape))


def pays_forwards(x, matrix, k, stride, padding):
    n, rows, columns, channels = x.shape
    shape = n, rows + 2 * padding - 2, columns + 2 * padding - 2, len(matrix)  # for the k and stride of squares
    return pays(x, matrix.size, k, stride, channels, shape)


@kernel("(n,r,c,ch) (o,w) i i i", pays_forwards, outputs_fit)
def convolution(x, matrix, k, stride, padding):
    """[W | b] times every patch [x 1] of the images: images with an output of W in each channel.

    Where there is no b, the matrix is W alone, here and below.

    On two cores the twin is 3 times as fast on the first layer of the CNN, and 4 times on the second.
    """
    n, rows, columns, channels = x.shape
    W, b = matrix[:, :k * k * channels], matrix[:, k * k * channels:]
    y = patches(x, k, stride, padding) @ W.T + b.sum(axis=1)
    return y.reshape(n, places(rows, k, stride, padding), places(columns, k, stride, padding), len(W))


@convolution.twin(shares=True)
def convolution_compiled(x, matrix, k, stride, padding):
    n, rows, columns, channels = x.shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    W, b = matrix[:, :k * k * channels].reshape(-1, k, k, channels), matrix[:, k * k * channels:]
    if stride == 1 and side_by_side(len(matrix), w):
        return over_pixels(x, W.transpose(0, 2, 1, 3), b, padding, (n, h, w, len(matrix)))
    if in_squares(k, stride, channels, (n, h, w, len(matrix))):
        y = over_squares(x, W, b, padding, (n, h, w, len(matrix)))
        if y is not None:
            return y
    table, W = outputs_table(x.shape[1:], len(matrix), k, stride, padding), by_columns(matrix, k * k * channels)
    y = aligned((n, h, w, len(matrix)), x.dtype)
    add_up_all(table, x, padding, W, x[:0], y, few(y, k, channels))
    return y


@cache
def outputs_table(shape, outputs, k, stride, padding):
    """The sums by which an image becomes another: for each of its rows, its places p and outputs q."""
    rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    wide, across, run = sixteens(outputs), (columns + 2 * padding) * channels, k * channels
    return np.array([(w, min(32, wide - q), r * stride * across, stride * channels, across, 1,
                      q, run * wide, wide, k, run, k * run * wide + q, 0, r * w * wide + q, wide)
                     for q in range(0, wide, 32) for r in range(h)])


def by_columns(matrix, length):
    """[W | b] a column after the other; b is 0 if it is not there."""
    columns = aligned((length + 1, sixteens(len(matrix))), matrix.dtype)
    columns[:] = 0
    columns[:matrix.shape[1], :len(matrix)] = matrix.T
    return columns.ravel()


def pays_for_weights(x, dy, k, stride, *others):
    return pays(x, k * k * x.shape[3] * dy.shape[3], k, stride, x.shape[3], dy.shape)


@kernel("(n,r,c,ch) (n,h,w,o) i i i i", pays_for_weights, weights_fit)
def convolution_by_weights(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b], from those by y.

    On two cores the twin is 4.5 times as fast on the first layer of the CNN, and 5 times on the second.
    """
    dy = dy.reshape(-1, dy.shape[3])
    dW = dy.T @ patches(x, k, stride, padding)
    return np.column_stack([dW, dy.sum(axis=0)]) if bias else dW


@convolution_by_weights.twin(shares=True)
def convolution_by_weights_compiled(x, dy, k, stride, padding, bias):
    run, outputs = k * x.shape[3], dy.shape[3]
    if side_by_side(outputs, run):
        return by_runs(x, dy, k, stride, padding, bias)
    if in_squares(k, stride, x.shape[3], dy.shape):
        dW = weights_over_squares(x, dy, padding, bias)
        if dW is not None:
            return dW
    table, W = weights_table(x.shape[1:], outputs, k, stride, padding), np.empty(0, x.dtype)
    sums = np.zeros((PIECES, 1, 1, k * run + 1, sixteens(outputs)), x.dtype)
    add_up_all(table, x, padding, W, dy, sums, few(dy, k, x.shape[3]))
    return np.ascontiguousarray(sums.sum(axis=(0, 1, 2))[:k * run + bias, :outputs].T)


@kernel("(n,r,c,ch) (n,h,w,o) i i i i",
        lambda x, dy, k, *others: x.size >= 5_000 and k * k * x.shape[3] * dy.shape[3] <= 200_000, weights_fit)
def convolution_by_weights_of_each(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b] of each image, from those by its y: the sum over images is what they are for all.

    On two cores the twin is 3 to 6 times as fast on the CNN's layers, and 4.5 times on the first of LeNet.
    """
    dy = dy.reshape(len(x), -1, dy.shape[3])
    dW = dy.transpose(0, 2, 1) @ patches(x, k, stride, padding).reshape(*dy.shape[:2], -1)
    return np.concatenate([dW, dy.sum(axis=1)[:, :, None]], axis=2) if bias else dW


@convolution_by_weights_of_each.twin(shares=True)
def convolution_by_weights_of_each_compiled(x, dy, k, stride, padding, bias):
    run, outputs = k * x.shape[3], dy.shape[3]
    if side_by_side(outputs, run):
        return by_runs_of_each(x, dy, k, stride, padding, bias)
    table = weights_table(x.shape[1:], outputs, k, stride, padding)
    dW = np.empty((len(x), outputs, k * run + bias), x.dtype)
    share_out(len(x), lambda here, number: add_up_each(table, x[here], padding, dy[here], k * run + 1, dW[here]),
              few(dy, k, x.shape[3]))
    return dW


@cache
def weights_table(shape, outputs, k, stride, padding):
    """The sums over an image's places: for each row i of the patches, its numbers p and outputs q; the last for b."""
    rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    wide, across, run = sixteens(outputs), (columns + 2 * padding) * channels, k * channels
    one = (rows + 2 * padding) * across  # where add_up has a 1
    a = [(run, i * across, 1, stride * across, stride * channels) for i in range(k)] + [(1, one, 0, 0, 0)]
    return np.array([(P, min(32, wide - q), a0, ap, au, at,
                      q, w * wide, wide, h, w, i * run * wide + q, wide, i * run * wide + q, wide)
                     for q in range(0, wide, 32) for i, (P, a0, ap, au, at) in enumerate(a)])


@kernel("(n,h,w,o) (o,m) [n,r,c,ch] i i i",
        lambda dy, matrix, shape, k, stride, padding: pays(dy, matrix.size, k, stride, dy.shape[3], shape), inputs_fit)
def convolution_by_inputs(dy, matrix, shape, k, stride, padding):
    """The derivatives by x, images of this shape, from those by y.

    On two cores the twin is 8.5 times as fast on the second layer of the CNN.
    """
    W = matrix[:, :k * k * shape[3]]
    return overlapped(dy.reshape(-1, dy.shape[3]) @ W, shape, k, stride, padding)


@convolution_by_inputs.twin(shares=True)
def convolution_by_inputs_compiled(dy, matrix, shape, k, stride, padding):
    if stride == 1 and padding < k:
        W = matrix[:, :k * k * shape[3]].reshape(-1, k, k, shape[3])[:, ::-1, ::-1]
        b = np.zeros((shape[3], 0), dy.dtype)
        if side_by_side(shape[3], shape[2]):
            return over_pixels(dy, W.transpose(3, 2, 1, 0), b, k - 1 - padding, shape)
        if in_squares(k, stride, dy.shape[3], shape):
            dx = over_squares(dy, W.transpose(3, 1, 2, 0), b, k - 1 - padding, shape)
            if dx is not None:
                return dx
    table, border = inputs_table(shape[1:], dy.shape[1:], k, stride, padding)
    W, dx = in_order(matrix, k, stride, shape[3]), aligned(shape, dy.dtype)
    add_up_all(table, dy, border, W, dy[:0], dx, few(dy, k, shape[3]))
    return dx


# Pixel (r, c) is at (i, j) in the patch of dy[r', c'] if r + padding = stride r' + i and c + padding = stride c' + j.
# When such a j goes up by stride, c' goes down by 1.  So W is laid out with the j that belong together beside each
# other, backwards: there are `many` that leave a certain remainder, and `before` them those that leave a smaller one.

def many(remainder, k, stride):
    return (k - 1 - remainder) // stride + 1


@cache
def inputs_table(shape, shape_y, k, stride, padding):
    """The sums over the patches that a pixel is in: for each row, its pixels p with one remainder and channels q; and
    the zeros that dy needs around it."""
    (rows, columns, channels), (h, w, outputs) = shape, shape_y
    border = max(0, (k - 2 - padding) // stride + 1, *((side - 1 + padding) // stride - length + 1
                                                       for side, length in ((rows, h), (columns, w))))
    wide, across = sixteens(channels), (w + 2 * border) * outputs
    one, table = outputs * wide, []
    for q in range(0, wide, 32):
        for r in range(rows):
            i, row = (r + padding) % stride, (r + padding) // stride + border
            for c in range(min(stride, columns)):
                j, column = (c + padding) % stride, (c + padding) // stride + border
                before = sum(many(smaller, k, stride) for smaller in range(j))
                table.append(((columns - c - 1) // stride + 1, min(32, wide - q),
                              row * across + (column - many(j, k, stride) + 1) * outputs, outputs, -across, 1,
                              (i * k + before) * one + q, stride * k * one, wide,
                              many(i, k, stride), many(j, k, stride) * outputs,
                              k * k * one, 0, (r * columns + c) * wide + q, stride * wide))
    return np.array(table), border


def in_order(matrix, k, stride, channels):
    """W as (i, number of j, output, channel), one after the other, and behind it zeros to start from."""
    outputs, wide = len(matrix), sixteens(channels)
    order = [j for remainder in range(min(k, stride)) for j in reversed(range(remainder, k, stride))]
    numbers = aligned((k * k * outputs * wide + 32,), matrix.dtype)
    numbers[:] = 0
    W = matrix[:, :k * k * channels].reshape(outputs, k, k, channels)
    numbers[:-32].reshape(k, k, outputs, wide)[..., :channels] = W[:, :, order].transpose(1, 2, 0, 3)
    return numbers


def aligned(shape, dtype):
    """Room for such an array, from where the processor can fetch 64 bytes at once."""
    size, itemsize = prod(shape), np.dtype(dtype).itemsize
    room = np.empty(size + 64 // itemsize, dtype)
    first = -room.ctypes.data % 64 // itemsize
    return room[first:first + size].reshape(shape)


def add_up_all(table, x, border, W, dy, y, alone):
    """add_up for all images; where there are dy, y has one image for each piece of the work."""
    share_out(len(x), lambda here, number: add_up(table, x[here], border, W, dy[here], y[number if len(dy) else here]),
              alone)


@helper(nogil=True)
def add_up(table, x, border, W, dy, y):
    """The sums of a table, of which a are the images x with a border of zeros, and behind each a 1.

    Where there are images dy, these are b, and all sums start from the one image of y, and go into it; otherwise b is
    W, from which the sums start, and they go into the images y.
    """
    image = tiles.zeros((x.shape[1] + 2 * border) * (x.shape[2] + 2 * border) * x.shape[3] + 1, x)
    image[-1] = 1
    wide, wide_dy = tiles.sixteens(y.shape[3]), tiles.sixteens(dy.shape[3])
    sums = tiles.zeros(y.shape[1] * y.shape[2] * wide if wide > y.shape[3] else 0, x)
    derivatives = tiles.zeros(dy.shape[1] * dy.shape[2] * wide_dy if wide_dy > dy.shape[3] else 0, x)
    for e in range(len(x)):
        tiles.put_inside(x[e], border, image)
        b, start, out = W, W, y[0 if len(dy) > 0 else e].reshape(-1)
        if len(dy) > 0:
            start = out
        if len(sums) > 0:
            out = sums
        if len(dy) > 0:
            b = dy[e].reshape(-1)
            if len(derivatives) > 0:
                put_channels(dy[e], derivatives.reshape(dy.shape[1], dy.shape[2], wide_dy))
                b = derivatives
        for row in range(len(table)):
            s = table[row]
            tiles.fill(s[0], s[1], image, (s[2], s[3], s[4], s[5]), b, (s[6], s[7], s[8]), (s[9], s[10]),
                       start, (s[11], s[12]), out, (s[13], s[14]))
        if len(sums) > 0:
            put_channels(sums.reshape(y.shape[1], y.shape[2], wide), y[e])


@helper(nogil=True)
def add_up_each(table, x, border, dy, numbers, dW):
    """The sums of a weights_table, so many `numbers` for each output, of each image alone: into `dW`, by outputs."""
    wide = tiles.sixteens(dy.shape[3])
    sums = tiles.zeros(numbers * wide, x)
    for e in range(len(x)):
        for i in range(len(sums)):
            sums[i] = 0
        add_up(table, x[e:e + 1], border, sums[:0], dy[e:e + 1], sums.reshape(1, 1, numbers, wide))
        for p in range(dW.shape[1]):
            for i in range(dW.shape[2]):
                dW[e, p, i] = sums[i * wide + p]


@helper
def put_channels(x, y):
    """As many channels as both have."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            for channel in range(min(x.shape[2], y.shape[2])):
                y[r, c, channel] = x[r, c, channel]
