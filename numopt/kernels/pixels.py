"""Convolutions with few channels, by tiles whose columns are pixels: see convolution.py, whose twins these are then.

With six channels of outputs, of the sixteen columns of a tile ten would be added to 0.  So the columns are pixels that
stand side by side, and the rows the channels; and for the derivatives by [W | b] they are the numbers of a patch that
do.  Of LeNet's two convolutions that takes half as long.
"""
from functools import cache

import numpy as np

from numopt.kernels import tiles
from numopt.kernels.patches import places
from numopt.kernels.sharing import PIECES, share_out
from numopt.kernels.tiles import sixteens
from numopt.kernels.twins import helper

TILES = 0x58a46629  # of tiles.py: see there


def side_by_side(channels, w):
    """Is less added to 0 where the columns of a tile are the pixels of a row, and not the channels of a pixel?"""
    return channels * sixteens(w) < sixteens(channels) * w


def few(images, k, channels):
    """Are there too few multiplications for more than one thread: for every number of these images those of a patch?"""
    return images.size * k * k * channels < 8_000_000


def over_pixels(x, W, b, border, shape):
    """Images of this shape: for each of their channels the sum over W[channel, j, i, from] times pixel (r + i, c + j)
    of the images x, with a border of zeros, and b."""
    channels, k = W.shape[:2]
    starts = np.zeros((channels, 32), x.dtype)
    starts[:] = b.sum(axis=1, keepdims=True)
    table, y = pixels_table(x.shape[1:], shape[1:], k, border), np.empty(shape, x.dtype)
    W, starts = np.array(W, order="C").reshape(-1), starts.reshape(-1)  # a copy: to the compiler all are of one type
    share_out(len(x), lambda here, number: add_up_pixels(table, x[here], border, sixteens(shape[2]) + k - 1, W, starts,
                                                         y[here]), alone=few(y, k, x.shape[3]))
    return y


@cache
def pixels_table(shape, shape_y, k, border):
    """The sums for each row of an image: its channels p and pixels q.  They are over the rows i of a patch that are not
    in the border, and the images are laid out as (row, channel, column)."""
    (rows, _, channels), (h, w, outputs) = shape, shape_y
    wide, across, run, table = sixteens(w), sixteens(w) + k - 1, k * channels, []
    for q in range(0, wide, 32):
        for r in range(h):
            first = min(k, max(0, border - r))
            last = max(first, min(k, rows + border - r))
            table.append((outputs, min(32, wide - q), first * channels, k * run, run, 1,
                          (r + first - border) * channels * across + q, 1, across, k, (last - first) * channels,
                          0, 32, r * outputs * wide + q, wide))
    return np.array(table)


@helper(nogil=True)
def add_up_pixels(table, x, border, across, W, starts, y):
    """The sums of a pixels_table, of which a is W and b are the images x, so many numbers across."""
    rows, columns, inputs = x.shape[1:]
    h, w, outputs = y.shape[1:]
    image, sums = tiles.zeros(rows * inputs * across, x), tiles.zeros(h * outputs * tiles.sixteens(w), x)
    inside = image.reshape(rows, inputs, across)[:, :, border:]
    found = sums.reshape(h, outputs, tiles.sixteens(w))
    for e in range(len(x)):
        for r in range(rows):
            for channel in range(inputs):
                for c in range(columns):
                    inside[r, channel, c] = x[e, r, c, channel]
        for row in range(len(table)):
            s = table[row]
            tiles.fill(s[0], s[1], W, (s[2], s[3], s[4], s[5]), image, (s[6], s[7], s[8]), (s[9], s[10]),
                       starts, (s[11], s[12]), sums, (s[13], s[14]))
        for r in range(h):
            row = y[e, r].reshape(-1)
            for channel in range(outputs):
                numbers = found[r, channel]
                for c in range(w):
                    row[c * outputs + channel] = numbers[c]


def by_runs(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b]."""
    run, outputs = k * x.shape[3], dy.shape[3]
    wide, table = sixteens(run), runs_table(x.shape[1:], outputs, k, stride, padding)
    sums = np.zeros((PIECES, (k + 1) * outputs * wide), x.dtype)
    share_out(len(x), lambda here, number: add_up_runs(table, x[here], padding, dy[here], sums[number]),
              alone=few(dy, k, x.shape[3]))
    sums = sums.sum(axis=0).reshape(k + 1, outputs, wide)
    dW = sums[:k, :, :run].transpose(1, 0, 2).reshape(outputs, -1)
    return np.column_stack([dW, sums[k, :, 0]]) if bias else dW


def by_runs_of_each(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b] of each image."""
    run, outputs = k * x.shape[3], dy.shape[3]
    table = runs_table(x.shape[1:], outputs, k, stride, padding)
    dW = np.empty((len(x), outputs, k * run + bias), x.dtype)
    share_out(len(x), lambda here, number: add_up_runs_of_each(table, x[here], padding, dy[here], k, dW[here]),
              alone=few(dy, k, x.shape[3]))
    return dW


@cache
def runs_table(shape, outputs, k, stride, padding):
    """The sums over an image's places: for each row i of the patches, its outputs p and numbers q; the last for b."""
    rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    run, across = k * channels, (columns + 2 * padding) * channels
    wide, one = sixteens(run), (rows + 2 * padding) * across  # where add_up_runs has a 1
    b = [(i * across, stride * across, stride * channels, wide) for i in range(k)] + [(one, 0, 0, 16)]
    return np.array([(outputs, min(32, together - q), 0, 1, w * outputs, outputs, b0 + q, bu, bt, h, w,
                      i * outputs * wide + q, wide, i * outputs * wide + q, wide)
                     for i, (b0, bu, bt, together) in enumerate(b) for q in range(0, together, 32)])


@helper(nogil=True)
def add_up_runs(table, x, border, dy, sums):
    """The sums of a runs_table, of which a are the images dy, and b the images x with a border of zeros, and behind
    each a 1."""
    size = (x.shape[1] + 2 * border) * (x.shape[2] + 2 * border) * x.shape[3]
    image = tiles.zeros(size + 32 + x.shape[3], x)
    image[size] = 1
    for e in range(len(x)):
        tiles.put_inside(x[e], border, image)
        for row in range(len(table)):
            s = table[row]
            tiles.fill(s[0], s[1], dy[e].reshape(-1), (s[2], s[3], s[4], s[5]), image, (s[6], s[7], s[8]),
                       (s[9], s[10]), sums, (s[11], s[12]), sums, (s[13], s[14]))


@helper(nogil=True)
def add_up_runs_of_each(table, x, border, dy, k, dW):
    """The sums of each image alone: into `dW`, of an output those of one row of the patches after the other."""
    run, outputs = k * x.shape[3], dy.shape[3]
    wide = tiles.sixteens(run)
    sums = tiles.zeros((k + 1) * outputs * wide, x)
    for e in range(len(x)):
        for i in range(len(sums)):
            sums[i] = 0
        add_up_runs(table, x[e:e + 1], border, dy[e:e + 1], sums)
        for p in range(outputs):
            for i in range(k):
                for q in range(run):
                    dW[e, p, i * run + q] = sums[(i * outputs + p) * wide + q]
            if dW.shape[2] > k * run:
                dW[e, p, k * run] = sums[(k * outputs + p) * wide]
