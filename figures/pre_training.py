"""CLAIM."""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.records import recorded
from figures.style import BLACK, BLUE, GREY, VERMILION, label_line
from numopt import data as sets
from numopt.layers import Dense, Tanh
from numopt.network import Network, mlp
from numopt.optimizers import gradient_descent
from numopt.record import record
from numopt.risk import EmpiricalRisk

SETS = ("digits", "mnist", "fashion_mnist")
SEED, SEEDS = 0, 5
DEPTH, WIDTH, BATCH, RATE, EPOCHS = 12, 32, 64, 0.1, 60
A_LAYER = 2                                   # epochs for each layer that is put on
TASKS, A_TASK = (2, 4, 6, 8), 6               # how many classes there are at first, and epochs for each of these tasks
PRE_TRAINING = DEPTH * A_LAYER, len(TASKS) * A_TASK


def runs(data):
    return {f"{start.__name__}, {k}": partial(start, data, SEED + k)
            for start in (at_random, layer_by_layer, easy_first, better_random) for k in range(SEEDS)}


def at_random(data, seed):
    """The whole net from small random weights, as was the custom before 2010."""
    X, Y, *_ = examples(data)
    network = deep(X, Y)
    return curve(train(network, customary(network, seed), X, Y, EPOCHS, seed)[1])


def better_random(data, seed):
    """The whole net from random weights of the size that keeps the signal as strong in every layer."""
    X, Y, *_ = examples(data)
    network = deep(X, Y)
    return curve(train(network, network.initial(seed, "glorot", dtype=np.float32), X, Y, EPOCHS, seed)[1])


def layer_by_layer(data, seed):
    """Train a layer and the outputs; keep the layer as it is, discard the outputs, and put the next one on; then all."""
    X, Y, *_ = examples(data)
    features, layers, losses = X, [], []
    for depth in range(DEPTH):
        small = mlp([features.shape[1], WIDTH, classes(Y)])
        theta, seen = train(small, customary(small, [seed, depth]), features, Y, A_LAYER, [seed, depth])
        layer, outputs = small.blocks(theta)
        features = hidden(layer).outputs(layer.ravel(), features)
        layers.append(layer)
        losses.extend(seen[:-1])
    theta = np.concatenate([matrix.ravel() for matrix in (*layers, outputs)])
    return curve(losses + train(deep(X, Y), theta, X, Y, EPOCHS - len(losses), seed)[1])


def easy_first(data, seed):
    """The whole net on the examples of few classes, then of more, then of all."""
    X, Y, *_ = examples(data)
    network = deep(X, Y)
    theta, losses = customary(network, seed), []
    for task in TASKS:
        theta, seen = train(network, theta, X, Y, A_TASK, seed, easy=Y < task)
        losses.extend(seen[:-1])
    return curve(losses + train(network, theta, X, Y, EPOCHS - len(losses), seed)[1])


def examples(data):
    return getattr(sets, data)(images=False, dtype=np.float32)


def classes(Y):
    return Y.max() + 1


def deep(X, Y):
    return mlp([X.shape[1], *[WIDTH] * DEPTH, classes(Y)])


def hidden(layer):
    """One layer with tanh, as a network of its own."""
    outputs, inputs = layer.shape
    return Network(Dense(inputs - 1, outputs), Tanh(), inputs=inputs - 1)


def customary(network, seed):
    """Weights of variance 1 / (3 n) for n inputs: the start that Glorot and Bengio (2010) found too small."""
    return network.initial(seed, "lecun", scale=3**-0.5, dtype=np.float32)


def train(network, theta, X, Y, epochs, seed, easy=slice(None)):
    """SGD: the weights at the end, and the loss on all examples before and after every epoch.

    An epoch on the easy examples alone takes as many steps as one on all.
    """
    every = EmpiricalRisk(network, X, Y, BATCH, 0).steps_per_epoch
    run = gradient_descent(EmpiricalRisk(network, X[easy], Y[easy], BATCH, np.ravel(seed).tolist()), theta, lr=RATE)
    seen = record(run, epochs * every, every=every, measure={"loss": EmpiricalRisk(network, X, Y).whole.value})
    return run.theta, seen["loss"].tolist()


def curve(losses):
    return {"loss": np.array(losses, np.float32)}
