"""The layers for images, which are (example, row, column, channel).          Lecture 1."""
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from numopt.layers import Dense, Layer


def offsets(k, stride, h, w):
    """For each place (i, j) in a k × k window: where an image has what stands there, in all its h × w windows."""
    for i in range(k):
        for j in range(k):
            yield i, j, (slice(None), slice(i, i + stride * h, stride), slice(j, j + stride * w, stride))


class Conv2D(Dense):
    """A dense layer on every k × k patch of an image, with one matrix [W | b] of shape (outputs, k k channels + 1).

    A patch is laid out as (row, column, channel).  Zeros are put around the image, `padding` wide.
    """

    def __init__(self, channels, outputs, k, stride=1, padding=0, bias=True):
        super().__init__(k * k * channels, outputs, bias)
        self.channels, self.k, self.stride, self.padding = channels, k, stride, padding

    def output_shape(self, shape):
        if len(shape) != 3 or shape[2] != self.channels:
            raise ValueError(f"Conv2D takes images of shape (rows, columns, {self.channels}) and is given {shape}")
        h, w = self.places(shape[0]), self.places(shape[1])
        if min(h, w) < 1:
            raise ValueError(f"a {self.k} × {self.k} patch does not fit into an image of {shape[0]} × {shape[1]}")
        return h, w, self.outputs

    def fans(self):
        return self.k**2 * self.channels, self.k**2 * self.outputs

    def places(self, length):
        """How many patches there are along a side."""
        return (length + 2 * self.padding - self.k) // self.stride + 1

    def rows(self, x):
        """Every patch of every image, one a row (im2col)."""
        p = self.padding
        if p:
            x = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        patches = sliding_window_view(x, (self.k, self.k), axis=(1, 2))[:, ::self.stride, ::self.stride]
        return patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, self.inputs)

    def by_inputs(self, dy, W, shape):
        """dy W, the derivatives by the patches, added up at every pixel over the patches it is in (col2im)."""
        n, h, w, p = shape[0], self.places(shape[1]), self.places(shape[2]), self.padding
        kernels = W.reshape(self.outputs, -1, self.channels).transpose(1, 0, 2)
        dpatches = (dy @ kernels).reshape(self.k, self.k, n, h, w, self.channels)
        dx = np.zeros((n, shape[1] + 2 * p, shape[2] + 2 * p, self.channels), dy.dtype)
        for i, j, there in offsets(self.k, self.stride, h, w):
            dx[there] += dpatches[i, j]
        return dx[:, p:p + shape[1], p:p + shape[2]]

    def shaped(self, y, shape):
        return y.reshape(shape[0], self.places(shape[1]), self.places(shape[2]), self.outputs)


class Pool(Layer):
    """One number for each k × k window, `stride` apart, in every channel; what does not fill a window is left out."""

    def __init__(self, k, stride=None):
        self.k, self.stride = k, stride or k

    def output_shape(self, shape):
        if len(shape) != 3 or min(shape[:2]) < self.k:
            raise ValueError(f"{type(self).__name__}({self.k}) takes images of at least {self.k} × {self.k} pixels "
                             f"and is given {shape}")
        return *((length - self.k) // self.stride + 1 for length in shape[:2]), shape[2]

    def windows(self, shape):
        """(number within the window, where in the images it is taken from), for each place in the window."""
        h, w, _ = self.output_shape(shape[1:])
        return [(i * self.k + j, there) for i, j, there in offsets(self.k, self.stride, h, w)]


class MaxPool(Pool):
    """The largest value of each window; the first, where several are."""

    def forward(self, w, x, mode):
        (_, there), *others = self.windows(x.shape)
        y = x[there]
        which = np.zeros(y.shape, np.min_scalar_type(self.k**2))
        for number, there in others:
            which = np.where(x[there] > y, which.dtype.type(number), which)
            y = np.maximum(y, x[there])
        return y, (which, x.shape)

    def backward(self, w, saved, dy, dw, inputs=True):
        which, shape = saved
        dx = np.zeros(shape, dy.dtype)
        for number, there in self.windows(shape):
            dx[there] += dy * (which == number)
        return dx

    def jvp(self, w, saved, v, Rx):
        which, shape = saved
        return sum(Rx[there] * (which == number) for number, there in self.windows(shape)), None

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        return self.backward(w, saved, dy, None), self.backward(w, saved, Rdy, None)


class AveragePool(Pool):
    """The mean of each window."""

    def forward(self, w, x, mode):
        return sum(x[there] for _, there in self.windows(x.shape)) / self.k**2, x.shape

    def backward(self, w, shape, dy, dw, inputs=True):
        dx = np.zeros(shape, dy.dtype)
        for _, there in self.windows(shape):
            dx[there] += dy / self.k**2
        return dx

    def jvp(self, w, shape, v, Rx):
        return self.forward(w, Rx, None)[0], None

    def r_backward(self, w, shape, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        return self.backward(w, shape, dy, None), self.backward(w, shape, Rdy, None)


class Flatten(Layer):
    """An image as one long row."""

    def output_shape(self, shape):
        return (prod(shape),)

    def forward(self, w, x, mode):
        return x.reshape(len(x), -1), x.shape

    def backward(self, w, shape, dy, dw, inputs=True):
        return dy.reshape(shape)

    def jvp(self, w, shape, v, Rx):
        return Rx.reshape(len(Rx), -1), None

    def r_backward(self, w, shape, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        return dy.reshape(shape), Rdy.reshape(shape)
