"""The layers, each with four passes written out by hand.          Lecture 1.

A layer maps x to y with weights w, its part of theta.  It keeps nothing: what one pass finds out for another is
handed back as `saved`.  An example is a row; images are (example, row, column, channel).

    forward(w, x, mode) -> y, saved
    backward(w, saved, dy, dw) -> dx                 from dL/dy: dL/dx, and dL/dw, written into dw
    jvp(w, saved, v, Rx) -> Ry, Rsaved               R{y}, the change of y when w moves along v and x along Rx
    r_backward(w, saved, v, Rsaved, dy, Rdy, Rdw) -> dx, Rdx
                                                     R{·} of every line of backward (Pearlmutter 1994)
    pairs(w, saved, dy) -> dx, [(layer, x, dy), ...] what meets at each weight matrix: its gradient is dyᵀ [x 1], with
                                                     the patches of x for a convolution

`inputs=False` says that nobody needs dx.  Rx is None where x does not move: below the first layer with weights, which
is the first that is asked.
"""
import inspect
from functools import cached_property
from math import prod

import numpy as np

from numopt.kernels.moments import outer_products, second_moment


def whole(value, name, least=1):
    """The value, if it is a whole number of at least so much: what it would make of another, no pass asks again."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, and is {value!r}")
    return int(value)


def is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


class Mode:
    """How a forward pass treats its batch.

    In training, `seed` draws the masks of dropout, and batch normalisation uses the statistics of the batch.  In
    evaluation nothing is dropped, and `statistics` has (mean, variance) for each batch normalisation, in order.
    """

    def __init__(self, training=True, seed=(0,), statistics=None):
        self.training, self.seed = training, seed
        self.statistics = iter(() if statistics is None else statistics)
        self.seen = []  # (mean, variance) of each batch normalisation on the way

    @cached_property
    def random(self):
        return np.random.default_rng(self.seed)


def call(made):
    """The call that makes an object: its class, and those of its arguments that are not the usual ones."""
    said = []
    for name, parameter in inspect.signature(type(made)).parameters.items():
        value = vars(made).get(name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            said += map(repr, value or ())
        elif value is not None and value is not parameter.default and value != parameter.default:
            said.append(repr(value) if parameter.default is parameter.empty else f"{name}={value!r}")
    return f"{type(made).__name__}({', '.join(said)})"


class Layer:
    """A layer without weights."""

    shapes = ()  # of its weight matrices, in the order in which theta holds them

    def __repr__(self):
        return call(self)

    @property
    def size(self):
        return sum(prod(shape) for shape in self.shapes)

    def initial(self, random, deviation):
        """The weights to start from, one flat vector."""
        return np.zeros(0)

    def output_shape(self, shape):
        return shape

    def pairs(self, w, saved, dy, inputs=True):
        return self.backward(w, saved, dy, None, inputs), []


class Dense(Layer):
    """y = x Wᵀ + b, with one matrix [W | b] of shape (outputs, inputs + 1); without a bias it is W alone."""

    def __init__(self, inputs, outputs, bias=True):
        name = type(self).__name__
        self.inputs, self.outputs = whole(inputs, f"{name}: inputs"), whole(outputs, f"{name}: outputs")
        self.bias = bool(bias)
        self.shapes = [(self.outputs, self.inputs + self.bias)]

    def output_shape(self, shape):
        if shape != (self.inputs,):
            raise ValueError(f"Dense({self.inputs}, {self.outputs}) takes vectors of {self.inputs} numbers "
                             f"and is given {shape}" + ("; put a Flatten() before it" if len(shape) > 1 else ""))
        return (self.outputs,)

    def initial(self, random, deviation):
        weights = np.zeros(self.shapes[0])
        W, b = self.split(weights)
        W[:] = random.standard_normal(W.shape) * deviation(*self.fans())
        return weights.ravel()

    def fans(self):
        """How many inputs a unit has, and how many units see each input."""
        return self.inputs, self.outputs

    def split(self, w):
        """W and b, as views of [W | b]; b has no columns without a bias."""
        matrix = w.reshape(self.shapes[0])
        return (matrix[:, :-1], matrix[:, -1]) if self.bias else (matrix, matrix[:0, 0])

    def forward(self, w, x, mode):
        W, b = self.split(w)
        y = x @ W.T
        if self.bias:
            y += b
        return y, x

    def backward(self, w, x, dy, dw, inputs=True):
        W, _ = self.split(w)
        if dw is not None:
            dW, db = self.split(dw)
            np.matmul(dy.T, x, out=dW)
            if self.bias:
                db[:] = dy.sum(axis=0)
        return dy @ W if inputs else None

    def jvp(self, w, x, v, Rx):
        (W, _), (V, Rb) = self.split(w), self.split(v)
        Ry = x @ V.T
        if self.bias:
            Ry += Rb
        if Rx is not None:
            Ry += Rx @ W.T
        return Ry, Rx

    def r_backward(self, w, x, v, Rx, dy, Rdy, Rdw, inputs=True):
        (W, _), (V, _), (RdW, Rdb) = self.split(w), self.split(v), self.split(Rdw)
        RdW[:] = Rdy.T @ x
        if Rx is not None:
            RdW += dy.T @ Rx
        if self.bias:
            Rdb[:] = Rdy.sum(axis=0)
        return (dy @ W, Rdy @ W + dy @ V) if inputs else (None, None)

    def pairs(self, w, x, dy, inputs=True):
        return self.backward(w, x, dy, None, inputs), [(self, x, dy)]

    def example_gradients(self, x, dy, dw):
        """dy [x 1]ᵀ of each example, written into a row of dw."""
        dw = dw.reshape(len(x), *self.shapes[0])
        outer_products(dy, x, dw[:, :, :-1] if self.bias else dw)
        if self.bias:
            dw[:, :, -1] = dy

    def example_moments(self, x, dy, L, R):
        """The sum over the examples of the squares of Lᵀ dy [x 1]ᵀ R, without any of these matrices."""
        xR = x @ R[:-1] + R[-1] if self.bias else x @ R
        return ((dy @ L)**2).T @ xR**2

    def kronecker_factors(self, x, dy, n, form):
        """A and G, the second moments of the inputs [x 1] and of the derivatives dy of one example's loss.

        Where the matrix is used at T places of each example: "expand" takes A = E[Σ a aᵀ] and G = E[Σ g gᵀ] / T
        (Grosse and Martens 2016, KFC); "reduce" takes the mean a and the sum of g over the places first
        (Eschenhagen et al. 2023).  Second moments, not covariances: nothing is centred.
        """
        x, dy = x.reshape(n, -1, x.shape[1]), dy.reshape(n, -1, self.outputs)
        if form == "reduce":
            x, dy = x.mean(axis=1, keepdims=True), dy.sum(axis=1, keepdims=True)
        places = x.shape[1]
        if self.bias:
            x = np.concatenate([x, np.ones_like(x[:, :, :1])], axis=2)
        x, dy = x.reshape(n * places, -1), dy.reshape(n * places, -1)
        return second_moment(x, n), second_moment(dy, n * places)


class Dropout(Layer):
    """In training, set each number to zero with probability `rate`, and divide the others by 1 − rate.

    Srivastava et al. (2014), in the form that needs no change in evaluation.  The mask is a function of the mode's
    seed, so the value, the gradient and the products of one loss see the same one.
    """

    def __init__(self, rate=0.5):
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout drops a share of its inputs, in [0, 1); {rate} was asked for")
        self.rate = rate

    def forward(self, w, x, mode):
        if not mode.training:
            return x, None
        mask = (mode.random.random(x.shape, np.float32) >= self.rate).astype(x.dtype) / (1 - self.rate)
        return mask * x, mask

    def backward(self, w, mask, dy, dw, inputs=True):
        return dy if mask is None else mask * dy

    def jvp(self, w, mask, v, Rx):
        return self.backward(w, mask, Rx, None), None

    def r_backward(self, w, mask, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        return self.backward(w, mask, dy, None), self.backward(w, mask, Rdy, None)
