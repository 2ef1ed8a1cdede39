"""Networks: layers in a row, a loss at the end, and one flat vector theta of all their weights.          Lecture 1.

    network = mlp([64, 32, 10])
    theta = network.initial(seed=0)
    z = network.outputs(theta, X)

The models of the sources have names: linear, logistic, mlp, cnn, lenet, lenet1, resnet18.
"""
from contextlib import nullcontext
from difflib import get_close_matches
from math import prod, sqrt

import numpy as np

from numopt.kernels.sharing import one_thread_of_blas
from numopt.kernels.twins import reads, started
from numopt.networks.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from numopt.networks.composition import Chain, Residual
from numopt.networks.convolution import AveragePool, Conv2D, Flatten, MaxPool
from numopt.networks.layers import Dense, Dropout, Layer, Mode, is_whole, whole
from numopt.networks.losses import Loss, SoftmaxCrossEntropy, SquaredError, unmasked
from numopt.networks.normalization import BatchNorm

ACTIVATIONS = {"tanh": Tanh, "sigmoid": Sigmoid, "relu": ReLU, "leaky_relu": LeakyReLU, "elu": ELU,
               "softplus": Softplus, "gelu": GELU}

# The standard deviation of a weight at the start, for a unit with so many inputs and outputs.
INITIALISATIONS = {
    "glorot": lambda inputs, outputs: sqrt(2 / (inputs + outputs)),  # Glorot and Bengio (2010), for tanh
    "he": lambda inputs, outputs: sqrt(2 / inputs),                  # He et al. (2015), for ReLU
    "lecun": lambda inputs, outputs: sqrt(1 / inputs),               # LeCun et al. (1998), Efficient BackProp
    "unit": lambda inputs, outputs: 1.0,                             # to be multiplied by `scale`
}


class Network(Chain):
    """Layers in a row, what shape of example they take, and the loss that judges their outputs.

    `initialisation` is the one that suits its activations; `initial` takes another on request.
    """

    def __init__(self, *layers, inputs, loss=None, initialisation="glorot"):
        super().__init__(*layers)
        inputs = (inputs,) if np.ndim(inputs) == 0 else tuple(inputs)
        self.inputs = tuple(whole(length, "each length of inputs") for length in inputs)
        self.loss = SoftmaxCrossEntropy() if loss is None else checked_loss(loss)
        self.initialisation = initialisation
        shape = self.output_shape(self.inputs)
        if len(shape) != 1:
            raise ValueError(f"a network must end with a vector for each example; this one ends with {shape}: "
                             f"put a Flatten() before its last Dense layer")
        self.output_size, = shape

    def initial(self, seed, initialisation=None, scale=1.0, dtype=np.float64):
        """Weights to start from: normal, with the standard deviation of the initialisation times `scale`; biases 0."""
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"weights are float32 or float64, and not {np.dtype(dtype)}")
        deviation = known(initialisation or self.initialisation, INITIALISATIONS, "initialisation")
        random = np.random.default_rng(checked_seed(seed))
        return super().initial(random, lambda *fans: scale * deviation(*fans)).astype(dtype)

    def brief(self):
        return f"a network of {self.size:,} weights"

    def __repr__(self):
        """A table: each layer, the shape of what it makes of an example, and its weights."""
        shape, rows = self.inputs, []
        for layer in self.layers:
            shape = layer.output_shape(shape)
            name = repr(layer) if len(repr(layer)) < 40 else f"{type(layer).__name__}(...)"
            rows.append((name, " × ".join(map(str, shape)), f"{layer.size:,}" if layer.size else "",
                         " × ".join(map(str, layer.shapes[0])) if len(layer.shapes) == 1 else ""))
        first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
        lines = [f"  {name:<{first}}  {shape:<{second}}  {size:>{third}}  {matrix}".rstrip()
                 for name, shape, size, matrix in rows]
        head = f"{type(self).__name__}: {self.size:,} weights, examples of {' × '.join(map(str, self.inputs))}"
        return "\n".join([f"{head}, {self.loss!r}", *lines])

    def threads(self):
        """The twins of convolutions share out the images; the products of the other layers leave them their cores."""
        return one_thread_of_blas() if len(self.inputs) == 3 and not reads() and started() else nullcontext()

    def forward(self, w, x, mode):
        with self.threads():
            z, saved = super().forward(w, x, mode)
        if not mode.training and next(mode.statistics, None) is not None:
            raise ValueError("statistics= has more pairs than this network has batch normalisations")
        return z, saved

    def backward(self, w, saved, dy, dw, inputs=True):
        with self.threads():
            return super().backward(w, saved, dy, dw, inputs)

    def jvp(self, w, saved, v, Rx):
        with self.threads():
            return super().jvp(w, saved, v, Rx)

    def r_backward(self, w, saved, v, Rsaved, dy, Rdy, Rdw, inputs=True):
        with self.threads():
            return super().r_backward(w, saved, v, Rsaved, dy, Rdy, Rdw, inputs)

    def pairs(self, w, saved, dy, inputs=True):
        with self.threads():
            return super().pairs(w, saved, dy, inputs)

    def blocks(self, vector):
        """A vector shaped like theta as one matrix a layer: views [W | b]."""
        ends = np.cumsum([prod(shape) for shape in self.shapes])
        return [vector[end - prod(shape):end].reshape(shape) for end, shape in zip(ends, self.shapes)]

    def outputs(self, theta, X, statistics=None):
        """What the network answers, in evaluation: a row of outputs for each example."""
        mode = Mode(training=False, statistics=statistics)
        return self.forward(self.checked_theta(theta), self.checked_inputs(X).astype(theta.dtype, copy=False), mode)[0]

    def checked_theta(self, theta):
        if type(theta) is not np.ndarray or theta.dtype.kind not in "fc":
            given = f"one of {theta.dtype}" if type(theta) is np.ndarray else f"of type {type(theta).__name__}"
            raise ValueError("theta must be an array of float32 or float64, as initial() gives it; it is "
                             f"{given}: np.array(theta, float) makes one")
        if theta.shape != (self.size,):
            raise ValueError(f"this network has {self.size} weights; theta has shape {theta.shape}")
        return theta

    def checked_inputs(self, X):
        """X, if it is real, finite, and shaped as the network's examples."""
        X = unmasked(X, "X")
        if X.ndim == 0 or X.shape[1:] != self.inputs:
            hint = ""
            if len(self.inputs) == 3 and X.ndim == 4 and X.shape[1:] == (self.inputs[2], *self.inputs[:2]):
                hint = "; its channels come first: X.transpose(0, 2, 3, 1) has them last, as here"
            elif X.ndim and len(X) and prod(X.shape[1:]) == prod(self.inputs):
                hint = f"; X.reshape{(-1, *self.inputs)} makes them so"
            elif X.shape == self.inputs:
                hint = "; X[None] is a batch of this one example"
            raise ValueError(f"this network takes examples of shape {self.inputs}, X of shape (n, "
                             f"{', '.join(map(str, self.inputs))}); X has shape {X.shape}{hint}")
        if len(X) == 0:
            raise ValueError("X holds no examples")
        if X.dtype.kind not in "fiub":
            raise ValueError(f"X must be real numbers; it holds {X.dtype}")
        if X.dtype.kind == "f" and not np.isfinite(X).all():
            wrong = np.argwhere(~np.isfinite(X))[0]
            raise ValueError(f"X{wrong.tolist()} is {X[tuple(wrong)]}; leave that example out or fill the value in")
        return X


def known(name, choices, kind):
    """The choice of that name, or an error with the nearest ones."""
    if name not in choices:
        near = get_close_matches(str(name).lower(), choices) or choices
        raise ValueError(f"there is no {kind} {name!r}; there is {', '.join(near)}")
    return choices[name]


def maker(activation):
    """The function that makes the activation's layer, given as a name, as a layer or as such a function."""
    if isinstance(activation, str):
        return known(activation, ACTIVATIONS, "activation")
    if isinstance(activation, Layer):
        return lambda: activation
    if callable(activation) and isinstance(activation(), Layer):
        return activation
    raise ValueError(f"activation is {activation!r}; it must be one of {', '.join(ACTIVATIONS)}, or a layer such as "
                     f"LeakyReLU(0.1), or a function that makes one")


def checked_loss(loss):
    """The loss, if it is one; its class is not."""
    if isinstance(loss, type):
        raise TypeError(f"{loss.__name__} is a class of losses; write loss={loss.__name__}(), which makes one")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss is {loss!r}; it must be SoftmaxCrossEntropy(), SquaredError() or another subclass of "
                        f"numopt.networks.Loss")
    return loss


def checked_seed(seed):
    """The seed, if it is a whole number of at least 0, or several: what is random here is a function of it."""
    if not all(is_whole(s) and s >= 0 for s in (seed if isinstance(seed, (tuple, list)) and seed else [seed])):
        raise ValueError(f"seed is {seed!r}; it must be a whole number of at least 0: the same seed, the same numbers")
    return seed


def image(shape, model, least):
    """(rows, columns, channels), if the images are large enough."""
    shape = tuple(shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"{model} takes images, shape (rows, columns, channels), and not {shape}")
    if min(shape[:2]) < least:
        raise ValueError(f"{model} takes images of at least {least} × {least} pixels, not {shape[0]} × {shape[1]}")
    return shape


def dropping(rate):
    """A dropout layer, or none where nothing is dropped."""
    return [Dropout(rate)] if rate else []


def linear(inputs, outputs=1):
    """Linear regression, with squared error."""
    return Network(Dense(inputs, outputs), inputs=inputs, loss=SquaredError())


def logistic(inputs, classes):
    """Logistic regression of several classes: one dense layer and softmax cross-entropy."""
    return Network(Dense(inputs, classes), inputs=inputs)


def mlp(sizes, activation="tanh", loss=None, dropout=0.0):
    """A multilayer perceptron: mlp([3072, 90, 90, 10]) is the 2 × 90 net of Memon et al. (2024), 285,670 weights.

    The activation is a name of ACTIVATIONS, or a layer, LeakyReLU(0.1), or a function that makes one.
    """
    if np.ndim(sizes) == 0:
        raise ValueError(f"sizes are given as one list, as in mlp([64, 32, 10]); given {sizes!r}")
    if len(sizes) < 2 or not all(is_whole(size) and size >= 1 for size in sizes):
        raise ValueError(f"sizes are the numbers of inputs, of each layer's units and of outputs, two at least, all of "
                         f"them whole numbers of at least 1; given {sizes}")
    between = maker(activation)
    layers = []
    for inputs, outputs in zip(sizes[:-2], sizes[1:-1]):
        layers += [Dense(inputs, outputs), between(), *dropping(dropout)]
    layers.append(Dense(*sizes[-2:]))
    return Network(*layers, inputs=sizes[0], loss=loss, initialisation=getattr(between(), "initialisation", "glorot"))


def cnn(shape=(32, 32, 3), classes=10, channels=32):
    """Convolution 3 × 3, ReLU, max-pooling, twice, then a dense layer: Memon et al. (2024), 30,634 weights on CIFAR."""
    image(shape, "cnn", least=4)
    features = Chain(
        Conv2D(shape[2], channels, 3, padding=1), ReLU(), MaxPool(2),
        Conv2D(channels, channels, 3, padding=1), ReLU(), MaxPool(2), Flatten())
    return Network(*features.layers, Dense(*features.output_shape(tuple(shape)), classes), inputs=shape,
                   initialisation="he")


def lenet(shape=(32, 32, 3), classes=10, dropout=0.0):
    """LeNet-5 as Ravaut and Gorti (2018) use it: two convolutional and three dense layers, 62,006 weights on CIFAR.

    With `dropout`, that share of the outputs of the first two dense layers is dropped in training.
    """
    image(shape, "lenet", least=16)
    features = Chain(
        Conv2D(shape[2], 6, 5), ReLU(), MaxPool(2),
        Conv2D(6, 16, 5), ReLU(), MaxPool(2), Flatten())
    size, drop = *features.output_shape(tuple(shape)), dropping(dropout)
    return Network(
        *features.layers, Dense(size, 120), ReLU(), *drop, Dense(120, 84), ReLU(), *drop, Dense(84, classes),
        inputs=shape, initialisation="he")


def lenet1(shape=(16, 16, 1), classes=10):
    """The four-layer net with shared weights whose Hessian spectrum LeCun et al. (1998), Efficient BackProp, show.

    Convolution, averaging, convolution, averaging, and a dense layer of outputs, with tanh; smaller images than
    16 × 16 get 3 × 3 patches and a border of zeros instead of 5 × 5 and none.
    """
    image(shape, "lenet1", least=4)
    k, padding = (5, 0) if min(shape[:2]) >= 16 else (3, 1)
    first, second = Conv2D(shape[2], 4, k, padding=padding), Conv2D(4, 12, k, padding=padding)
    features = Chain(first, Tanh(), AveragePool(2), second, Tanh(), AveragePool(2), Flatten())
    return Network(*features.layers, Dense(*features.output_shape(tuple(shape)), classes), inputs=shape)


def resnet18(shape=(32, 32, 3), classes=10, width=64, dropout=0.0):
    """ResNet-18 for small images (He et al. 2016, with a 3 × 3 stem): 11,173,962 weights on CIFAR, or less wide.

    With `dropout`, that share of the features that the last layer sees is dropped in training.
    """

    def convolution(inputs, outputs, k, stride=1):
        return [Conv2D(inputs, outputs, k, stride, padding=k // 2, bias=False), BatchNorm(outputs)]

    image(shape, "resnet18", least=1)
    layers, inputs = [*convolution(shape[2], width, 3), ReLU()], width
    for outputs, stride in zip([width, width, 2 * width, 2 * width, 4 * width, 4 * width, 8 * width, 8 * width],
                               [1, 1, 2, 1, 2, 1, 2, 1]):
        main = [*convolution(inputs, outputs, 3, stride), ReLU(), *convolution(outputs, outputs, 3)]
        shortcut = convolution(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else []
        layers += [Residual(main, shortcut), ReLU()]
        inputs = outputs
    rows, columns, _ = Chain(*layers).output_shape(tuple(shape))
    layers += [AveragePool(min(rows, columns)), Flatten()]
    features, = Chain(*layers).output_shape(tuple(shape))
    return Network(*layers, *dropping(dropout), Dense(features, classes), inputs=shape, initialisation="he")
