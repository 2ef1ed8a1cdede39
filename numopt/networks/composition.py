"""Layers made of layers: one after the other, and side by side.          Lecture 1."""
from itertools import accumulate

import numpy as np

from numopt.networks.convolution import joined
from numopt.networks.layers import Layer


def checked_layer(layer):
    """The layer, if it is one; a class of layers is not."""
    if isinstance(layer, type):
        raise TypeError(f"{layer.__name__} is a class of layers; write {layer.__name__}(...), which makes one")
    if not hasattr(layer, "forward"):
        raise TypeError(f"{layer!r} is no layer: a layer is Dense(64, 32), Tanh(), ... or another subclass of Layer")
    return layer


class Chain(Layer):
    """Layers one after the other; `steps` are what is run for them."""

    def __init__(self, *layers):
        self.layers, self.steps = layers, joined(map(checked_layer, layers))
        self.shapes = [shape for step in self.steps for shape in step.shapes]
        ends = list(accumulate((step.size for step in self.steps), initial=0))
        self.slices = [slice(*ends) for ends in zip(ends[:-1], ends[1:])]

    def output_shape(self, shape):
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def initial(self, random, deviation):
        return np.concatenate([layer.initial(random, deviation) for layer in self.layers] or [np.zeros(0)])

    def forward(self, w, x, mode):
        saved = []
        for step, here in zip(self.steps, self.slices):
            x, kept = step.forward(w[here], x, mode)
            saved.append(kept)
        return x, saved

    def downwards(self, inputs):
        """(number, step, its slice, does anybody need its dx), from the last layer to the first with weights."""
        for i in reversed(range(len(self.steps))):
            if inputs or self.slices[i].stop > 0:
                yield i, self.steps[i], self.slices[i], inputs or self.slices[i].start > 0

    def backward(self, w, saved, dy, dw, inputs=True):
        for i, step, here, needed in self.downwards(inputs):
            dy = step.backward(w[here], saved[i], dy, None if dw is None else dw[here], needed)
        return dy

    def jvp(self, w, saved, v, Rx):
        Rsaved = []
        for step, here, kept in zip(self.steps, self.slices, saved):
            Rkept = None
            if step.size or Rx is not None:
                Rx, Rkept = step.jvp(w[here], kept, v[here], Rx)
            Rsaved.append(Rkept)
        return Rx, Rsaved

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        for i, step, here, needed in self.downwards(inputs):
            dy, Rdy = step.r_backward(w[here], saved[i], v[here], Rsaved[i], dy, Rdy, Rdw[here], needed)
        return dy, Rdy

    def pairs(self, w, saved, dy, inputs=True):
        found = []
        for i, step, here, needed in self.downwards(inputs):
            dy, pairs = step.pairs(w[here], saved[i], dy, needed)
            found = pairs + found
        return dy, found


class Residual(Layer):
    """y = main(x) + shortcut(x), both chains of layers; a shortcut of no layers is x itself (He et al. 2016)."""

    def __init__(self, main, shortcut=()):
        self.main, self.shortcut = Chain(*main), Chain(*shortcut)
        self.shapes = self.main.shapes + self.shortcut.shapes

    def halves(self, w):
        return (None, None) if w is None else (w[:self.main.size], w[self.main.size:])

    def output_shape(self, shape):
        main, shortcut = self.main.output_shape(shape), self.shortcut.output_shape(shape)
        if main != shortcut:
            raise ValueError(f"the two ways through Residual must end alike; they give {main} and {shortcut}")
        return main

    def initial(self, random, deviation):
        return np.concatenate([self.main.initial(random, deviation), self.shortcut.initial(random, deviation)])

    def forward(self, w, x, mode):
        (w_main, w_short) = self.halves(w)
        (y_main, main), (y_short, short) = self.main.forward(w_main, x, mode), self.shortcut.forward(w_short, x, mode)
        return y_main + y_short, (main, short, x.shape)

    def backward(self, w, saved, dy, dw, inputs=True):
        (w_main, w_short), (dw_main, dw_short), (main, short, _) = self.halves(w), self.halves(dw), saved
        dx_main = self.main.backward(w_main, main, dy, dw_main, inputs)
        dx_short = self.shortcut.backward(w_short, short, dy, dw_short, inputs)
        return dx_main + dx_short if inputs else None

    def jvp(self, w, saved, v, Rx):
        (w_main, w_short), (v_main, v_short), (main, short, shape) = self.halves(w), self.halves(v), saved
        if Rx is None:
            Rx = np.zeros(shape, w.dtype)
        Ry_main, Rmain = self.main.jvp(w_main, main, v_main, Rx)
        Ry_short, Rshort = self.shortcut.jvp(w_short, short, v_short, Rx)
        return Ry_main + Ry_short, (Rmain, Rshort)

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        (w_main, w_short), (v_main, v_short), (Rdw_main, Rdw_short) = self.halves(w), self.halves(v), self.halves(Rdw)
        (main, short, _), (Rmain, Rshort) = saved, Rsaved
        dx_main, Rdx_main = self.main.r_backward(w_main, main, v_main, Rmain, dy, Rdy, Rdw_main, inputs)
        dx_short, Rdx_short = self.shortcut.r_backward(w_short, short, v_short, Rshort, dy, Rdy, Rdw_short, inputs)
        return (dx_main + dx_short, Rdx_main + Rdx_short) if inputs else (None, None)

    def pairs(self, w, saved, dy, inputs=True):
        (w_main, w_short), (main, short, _) = self.halves(w), saved
        dx_main, pairs_main = self.main.pairs(w_main, main, dy, inputs)
        dx_short, pairs_short = self.shortcut.pairs(w_short, short, dy, inputs)
        return dx_main + dx_short if inputs else None, pairs_main + pairs_short
