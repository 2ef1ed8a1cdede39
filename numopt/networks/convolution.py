"""The layers for images, which are (example, row, column, channel).          Lecture 1."""
from math import inf, prod

import numpy as np

from numopt.kernels.convolution import (
    convolution, convolution_by_inputs, convolution_by_weights, convolution_by_weights_of_each)
from numopt.kernels.patches import offsets, patches, places
from numopt.kernels.pooling import max_pool, max_pool_backward, max_pool_chosen
from numopt.networks.activations import ReLU
from numopt.networks.layers import Dense, Layer, whole


class Conv2D(Dense):
    """A dense layer on every k × k patch of an image, with one matrix [W | b] of shape (outputs, k k channels + 1).

    A patch is laid out as (row, column, channel).  Zeros are put around the image, `padding` wide.
    """

    def __init__(self, channels, outputs, k, stride=1, padding=0, bias=True):
        self.channels, self.k = whole(channels, "Conv2D: channels"), whole(k, "Conv2D: k")
        self.stride, self.padding = whole(stride, "Conv2D: stride"), whole(padding, "Conv2D: padding", least=0)
        super().__init__(self.k**2 * self.channels, outputs, bias)

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
        return places(length, self.k, self.stride, self.padding)

    def matrix(self, w):
        return w.reshape(self.shapes[0])

    def weights(self, w):
        """W alone."""
        return self.split(w)[0]

    def convolve(self, x, matrix):
        """[W | b] times every patch of the images; W times them, if the matrix is W."""
        return convolution(x, matrix, self.k, self.stride, self.padding)

    def by_weights(self, x, dy, bias):
        """The derivatives by [W | b], or by W, from those by y."""
        return convolution_by_weights(x, dy, self.k, self.stride, self.padding, bias)

    def by_inputs(self, dy, W, shape):
        """The derivatives by x, images of that shape, from those by y."""
        return convolution_by_inputs(dy, W, shape, self.k, self.stride, self.padding)

    def forward(self, w, x, mode):
        return self.convolve(x, self.matrix(w)), x

    def backward(self, w, x, dy, dw, inputs=True):
        if dw is not None:
            self.matrix(dw)[:] = self.by_weights(x, dy, self.bias)
        return self.by_inputs(dy, self.weights(w), x.shape) if inputs else None

    def jvp(self, w, x, v, Rx):
        Ry = self.convolve(x, self.matrix(v))
        if Rx is not None:
            Ry += self.convolve(Rx, self.weights(w))
        return Ry, Rx

    def r_backward(self, w, x, v, Rx, dy, Rdy, Rdw, inputs=True):
        self.matrix(Rdw)[:] = self.by_weights(x, Rdy, self.bias)
        if Rx is not None:
            self.weights(Rdw)[:] += self.by_weights(Rx, dy, False)
        if not inputs:
            return None, None
        W, V = self.weights(w), self.weights(v)
        return self.by_inputs(dy, W, x.shape), self.by_inputs(Rdy, W, x.shape) + self.by_inputs(dy, V, x.shape)

    def pairs(self, w, x, dy, inputs=True):
        return self.backward(w, x, dy, None, inputs), [(self, x, dy)]

    def example_gradients(self, x, dy, dw):
        """The derivatives by [W | b] of each example, written into a row of dw."""
        each = self.by_weights_of_each(x, dy)
        dw.reshape(each.shape)[:] = each

    def example_moments(self, x, dy, L, R):
        """The sum over the examples of the squares of Lᵀ M R, with the derivatives M by [W | b] of each."""
        each = self.by_weights_of_each(x, dy)
        return ((L.T @ (each @ R))**2).sum(axis=0)

    def by_weights_of_each(self, x, dy):
        return convolution_by_weights_of_each(x, dy, self.k, self.stride, self.padding, self.bias)

    def kronecker_factors(self, x, dy, n, form):
        """A and G of the patches."""
        rows = patches(x, self.k, self.stride, self.padding)
        return super().kronecker_factors(rows, dy.reshape(-1, self.outputs), n, form)


class Pool(Layer):
    """One number for each k × k window, `stride` apart, in every channel; what does not fill a window is left out."""

    def __init__(self, k, stride=None):
        name = type(self).__name__
        self.k = whole(k, f"{name}: k")
        self.stride = self.k if stride is None else whole(stride, f"{name}: stride")

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

    least = -inf

    def forward(self, w, x, mode):
        y, which = max_pool(x, self.k, self.stride, self.least)
        return y, (which, x.shape)

    def backward(self, w, saved, dy, dw, inputs=True):
        which, shape = saved
        return max_pool_backward(dy, which, shape, self.k, self.stride)

    def jvp(self, w, saved, v, Rx):
        which, _ = saved
        return max_pool_chosen(Rx, which, self.k, self.stride), None

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        return self.backward(w, saved, dy, None), self.backward(w, saved, Rdy, None)


class PositiveMaxPool(MaxPool):
    """ReLU and MaxPool at one go: the largest value of each window, or 0 where none is positive, which has no slope."""

    least = 0.0


def joined(layers):
    """What is run for these layers in a row: a ReLU and the MaxPool behind it look at the images once, not twice."""
    steps = []
    for layer in layers:
        if type(layer) is MaxPool and steps and type(steps[-1]) is ReLU:
            steps[-1] = PositiveMaxPool(layer.k, layer.stride)
        else:
            steps.append(layer)
    return steps


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
