"""Every hot loop in both versions, at the sizes at which the nets of the papers use it, in single precision."""
import numpy as np

BATCH = 128


def matrix_products(sizes):
    """A function that multiplies what the gradient of a net of dense layers multiplies, and does nothing else: how much
    faster than that can a step not become?"""
    random = np.random.default_rng(0)
    layers = [[random.standard_normal(shape, np.float32) for shape in ((BATCH, i), (o, i + 1), (BATCH, o))]
              for i, o in zip(sizes[:-1], sizes[1:])]

    def products():
        for number, (x, matrix, dy) in enumerate(layers):
            np.matmul(x, matrix[:, :-1].T)
            np.matmul(dy.T, x)
            if number > 0:
                np.matmul(dy, matrix[:, :-1])

    return products


def cases():
    """{kernel: {what it is used for: its arguments}}."""
    random = np.random.default_rng(0)

    def a(*shape):
        return random.standard_normal(shape, np.float32)

    def net(*sizes):
        """The arguments of dense_fisher_product, for a net of dense layers with biases and a softmax."""
        shapes = np.array([(o, i, 1) for i, o in zip(sizes[:-1], sizes[1:])])
        outputs, inputs, _ = shapes.sum(axis=0)
        weights, p = sum(o * (i + 1) for o, i, _ in shapes), np.full((BATCH, sizes[-1]), 1 / sizes[-1], np.float32)
        return a(weights), a(BATCH * inputs), a(BATCH * outputs), p, -p[None], p[None], shapes, a(weights)

    def vectors(update):
        return {f"{n:,} weights": update(n) for n in (5_000, 285_670)}

    first, second = a(BATCH, 32, 32, 3), a(BATCH, 16, 16, 32)  # what the two convolutions of the CNN are given
    y_first, y_second = a(BATCH, 32, 32, 32), a(BATCH, 16, 16, 32)
    which = random.integers(0, 4, (BATCH, 16, 16, 32), np.uint16)
    A = a(100, 100)
    digits, narrow = net(64, 32, 32, 10), net(3072, 30, 30, 30, 30, 30, 10)
    return {
        "momentum": vectors(lambda n: (a(n), a(n), a(n), 0.01, 0.9)),
        "rmsprop": vectors(lambda n: (a(n), a(n), a(n)**2, 1e-3, 0.9, 1e-8)),
        "adam": vectors(lambda n: (a(n), a(n), a(n), a(n)**2, 1e-3, 0.9, 0.999, 1e-8, 10)),
        "adahessian": vectors(lambda n: (a(n), a(n), a(n), a(n), a(n)**2, 0.1, 0.9, 0.999, 1e-4, 1.0, 0.0, 10)),
        "conjugate_step": vectors(lambda n: (a(n), a(n), a(n), a(n), 1.0, 0.01)),
        "least_residual": vectors(lambda n: (a(n), a(n), tuple(a(10, n)), tuple(a(10, n) / n**0.5), a(9, 9), 1)),
        "relu": {"four million numbers": (y_first,)},
        "relu_backward": {"four million numbers": (y_first, y_first)},
        "dense_conjugate_gradient": {f"{n} unknowns, 20 steps": (np.eye(n, dtype=np.float32) + A[:n, :n] @ A[:n, :n].T,
                                                                 a(n), 20, 0.0) for n in (10, 100)},
        "softmax_hessian_product": {f"{n} examples": (a(n, 10), a(n, 10)) for n in (500, 5_000)},
        "dense_fisher_product": {"digits net": digits},
        "dense_fisher_solve": {"digits net, 10 steps": (*digits, 0.01, 10, 0.0),
                               "5x30 MLP, 10 steps": (*narrow, 0.01, 10, 0.0)},
        "convolution": {"first of the CNN": (first, a(32, 28), 3, 1, 1), "second": (second, a(32, 289), 3, 1, 1)},
        "convolution_by_weights": {"first of the CNN": (first, y_first, 3, 1, 1, True),
                                   "second": (second, y_second, 3, 1, 1, True)},
        "convolution_by_weights_of_each": {"first of the CNN": (first, y_first, 3, 1, 1, True),
                                           "second": (second, y_second, 3, 1, 1, True)},
        "convolution_by_inputs": {"second of the CNN": (y_second, a(32, 288), second.shape, 3, 1, 1)},
        "normalized": {"first of a ResNet of width 16": (a(65_536, 16), a(16), a(16), 1e-5)},
        "normalized_backward": {"first of a ResNet of width 16": (a(65_536, 16), a(65_536, 16), a(16), a(16)**2)},
        "max_pool": {"first of the CNN": (y_first, 2, 2, 0.0)},
        "max_pool_chosen": {"first of the CNN": (y_first, which, 2, 2)},
        "max_pool_backward": {"first of the CNN": (second, which, y_first.shape, 2, 2)},
    }
