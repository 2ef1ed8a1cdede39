"""The patches of images: what a convolution multiplies by its matrix, and a pooling takes the largest number of.

Images are (example, row, column, channel).  A patch is k × k pixels, `stride` apart from the next one, of an image with
`padding` zeros around it; it is laid out as (row, column, channel), and the patches of an image row by row.
                                                                                                        Lecture 1.
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def places(length, k, stride, padding):
    """How many patches there are along a side."""
    return (length + 2 * padding - k) // stride + 1


def are_places(shape, k, stride, padding, found=None):
    """Are there such patches in images of this shape?  And as many as there are pixels in other images, if given?"""
    n, rows, columns, channels = shape
    if k < 1 or stride < 1 or padding < 0 or min(rows, columns) + 2 * padding < k:
        return False
    return found is None or found[1:3] == (places(rows, k, stride, padding), places(columns, k, stride, padding))


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


def overlapped(dpatches, shape, k, stride, padding):
    """Every pixel's sum over the patches that it is in (col2im): images of this shape."""
    n, rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    dpatches = dpatches.reshape(n, h, w, k, k, channels)
    dx = np.zeros((n, rows + 2 * padding, columns + 2 * padding, channels), dpatches.dtype)
    for i, j, there in offsets(k, stride, h, w):
        dx[there] += dpatches[:, :, :, i, j]
    return dx[:, padding:padding + rows, padding:padding + columns]
