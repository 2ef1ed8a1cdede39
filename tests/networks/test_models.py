"""The networks by name, their weights, and what they say to inputs that do not fit."""
import re
import tracemalloc
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import accumulate
from math import prod, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax

from numopt.kernels.twins import Kernel, reading, started
from numopt.networks import (
    ACTIVATIONS, ELU, INITIALISATIONS, AveragePool, BatchNorm, Chain, Conv2D, Dense, Dropout, Flatten, LeakyReLU, Loss,
    MaxPool, Mode, Network, ReLU, Residual, SoftmaxCrossEntropy, SquaredError, Tanh, cnn, lenet, lenet1, linear,
    logistic, mlp, models, resnet18)
from numopt.problems import MiniBatch

RANDOM = np.random.default_rng(5)


# --------------------------------------------------------------------------------------------------- the named models

def dense(*sizes):
    """How many weights and biases dense layers of those sizes have."""
    return sum((inputs + 1) * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:]))


def resnet18_size(width, depth=3, classes=10):
    """Convolutions without biases, two numbers a channel for each batch normalisation, and the last dense layer."""
    def convolution(inputs, outputs, k):
        return k * k * inputs * outputs + 2 * outputs

    size, inputs = convolution(depth, width, 3), width
    for outputs in (width, 2 * width, 4 * width, 8 * width):
        size += convolution(inputs, outputs, 3) + 3 * convolution(outputs, outputs, 3)
        size += convolution(inputs, outputs, 1) if inputs != outputs else 0
        inputs = outputs
    return size + dense(inputs, classes)


@pytest.mark.parametrize("network, size, by_hand", [
    (mlp([3072, 90, 90, 10]), 285_670, dense(3072, 90, 90, 10)),
    (mlp([3072, 30, 30, 30, 30, 30, 10]), 96_220, dense(3072, 30, 30, 30, 30, 30, 10)),
    (cnn(), 30_634, dense(9 * 3, 32) + dense(9 * 32, 32) + dense(8 * 8 * 32, 10)),
    (lenet(), 62_006, dense(25 * 3, 6) + dense(25 * 6, 16) + dense(5 * 5 * 16, 120, 84, 10)),
    (lenet((28, 28, 1)), 44_426, dense(25, 6) + dense(25 * 6, 16) + dense(4 * 4 * 16, 120, 84, 10)),
    (lenet1(), 1_446, dense(25, 4) + dense(25 * 4, 12) + dense(12, 10)),
    (lenet1((8, 8, 1)), 974, dense(9, 4) + dense(9 * 4, 12) + dense(2 * 2 * 12, 10)),
    (resnet18(), 11_173_962, resnet18_size(64)),
    (resnet18((8, 8, 1), 3, width=4), 44_319, resnet18_size(4, 1, 3)),
    (linear(5), 6, 6), (logistic(5, 3), 18, 18),
], ids=["2 × 90", "5 × 30", "cnn", "lenet", "lenet of digits", "lenet1", "lenet1 of small images", "resnet18",
        "a narrow resnet18", "linear", "logistic"])
def test_a_model_has_as_many_weights_as_its_sizes_say(network, size, by_hand):
    assert network.size == size == by_hand


SMALL = {
    "mlp": mlp([6, 5, 4]), "relu mlp": mlp([6, 5, 4], "relu", dropout=0.2), "cnn": cnn((9, 8, 2), 4, channels=3),
    "lenet": lenet((16, 18, 1), 4), "lenet1": lenet1((9, 8, 1), 4), "resnet18": resnet18((16, 8, 1), 4, width=1),
    "linear": linear(6, 4), "logistic": logistic(6, 4)}
EACH = pytest.mark.parametrize("network", SMALL.values(), ids=SMALL)


def labels(network):
    """Something for three examples to be."""
    return np.zeros((3, 4)) if isinstance(network.loss, SquaredError) else np.zeros(3, int)


@EACH
def test_a_network_gives_a_row_of_outputs_for_each_example(network):
    X = RANDOM.standard_normal((3, *network.inputs))
    theta = network.initial(0)
    batch = MiniBatch(network, X, labels(network))
    assert network.outputs(theta, X, batch.statistics_of(theta)).shape == (3, 4)
    assert batch.gradient(theta).shape == (network.size,) and np.isfinite(batch.gradient(theta)).all()


def kinds(layers):
    """What the layers are, with the size of their patches or windows."""
    return " ".join(type(layer).__name__ + str(getattr(layer, "k", "")) for layer in layers)


def test_the_layers_of_a_model_are_those_of_its_publication():
    assert kinds(cnn().layers) == "Conv2D3 ReLU MaxPool2 " * 2 + "Flatten Dense"
    assert kinds(lenet().layers) == "Conv2D5 ReLU MaxPool2 " * 2 + "Flatten Dense ReLU Dense ReLU Dense"
    assert kinds(lenet1().layers) == "Conv2D5 Tanh AveragePool2 " * 2 + "Flatten Dense"
    for shape in (16, 15, 1), (15, 16, 1), (4, 40, 1):
        assert kinds(lenet1(shape).layers) == "Conv2D3 Tanh AveragePool2 " * 2 + "Flatten Dense"
    assert kinds(mlp([4, 3, 3, 2], "relu").layers) == "Dense ReLU Dense ReLU Dense"
    residual = resnet18((40, 32, 3), width=2)
    assert kinds(residual.layers) == "Conv2D3 BatchNorm ReLU " + "Residual ReLU " * 8 + "AveragePool4 Flatten Dense"
    blocks = [layer for layer in residual.layers if isinstance(layer, Residual)]
    assert {kinds(block.main.layers) for block in blocks} == {"Conv2D3 BatchNorm ReLU Conv2D3 BatchNorm"}
    assert [kinds(block.shortcut.layers) for block in blocks] == 2 * [""] + 3 * ["Conv2D1 BatchNorm", ""]
    shapes, shape = [], residual.inputs
    for layer in residual.layers[:-3]:
        shape = layer.output_shape(shape)
        shapes.append(shape)
    assert shapes[:3] == 3 * [(40, 32, 2)]
    assert shapes[3::4] == [(40, 32, 2), (20, 16, 4), (10, 8, 8), (5, 4, 16)]
    assert all(layer.shapes == [(layer.outputs, layer.k**2 * layer.channels)] for block in blocks
               for layer in (*block.main.layers, *block.shortcut.layers) if isinstance(layer, Conv2D))


@pytest.mark.parametrize("make, least", [(cnn, 4), (lenet, 16), (lenet1, 4), (partial(resnet18, width=1), 1)])
def test_the_least_images_of_a_model_and_long_ones_either_way_are_large_enough(make, least):
    for shape in (least, least, 1), (least, 3 * least + 1, 2), (3 * least + 1, least, 2):
        network = make(shape, 3)
        X = RANDOM.standard_normal((4, *shape))
        batch = MiniBatch(network, X, [0, 1, 2, 1])
        assert batch.forward(network.initial(0))[0].shape == (4, 3) and network.inputs == shape


def test_an_odd_image_is_averaged_over_its_whole_height_and_width():
    assert resnet18((28, 28, 1), width=1).size == resnet18((32, 32, 1), width=1).size
    assert isinstance(resnet18((28, 28, 1), width=1).layers[-3], AveragePool)
    assert resnet18((28, 28, 1), width=1).layers[-3].k == 4


def test_logistic_regression_is_softmax_regression():
    network = logistic(6, 4)
    X, Y, theta = RANDOM.standard_normal((9, 6)), RANDOM.integers(4, size=9), RANDOM.standard_normal(28)
    W, b = theta.reshape(4, 7)[:, :6], theta.reshape(4, 7)[:, 6]
    assert_allclose(MiniBatch(network, X, Y).value(theta), -log_softmax(X @ W.T + b, axis=1)[np.arange(9), Y].mean())
    p = np.exp(log_softmax(X @ W.T + b, axis=1)) - np.eye(4)[Y]
    assert_allclose(MiniBatch(network, X, Y).gradient(theta), (p.T @ np.hstack([X, np.ones((9, 1))]) / 9).ravel())


def test_the_least_squares_solution_is_where_the_gradient_of_linear_regression_is_zero():
    X, Y = RANDOM.standard_normal((30, 6)), RANDOM.standard_normal((30, 2))
    batch = MiniBatch(linear(6, 2), X, Y)
    theta = np.linalg.lstsq(np.hstack([X, np.ones((30, 1))]), Y, rcond=None)[0].T.ravel()
    assert_allclose(batch.gradient(theta), 0, atol=1e-14)
    start = batch.network.initial(0)
    newton = start - np.linalg.solve(batch.hessian(start) @ np.eye(14), batch.gradient(start))
    assert_allclose(newton, theta)


def test_a_multilayer_perceptron_by_hand():
    # x = (1, 2), hidden tanh(x₁ − x₂) = tanh(−1) and tanh(0.5), outputs h₁ + h₂ and 3 h₂ − 1
    theta = np.array([1, -1, 0, 0, 0, 0.5, 1, 1, 0, 0, 3, -1.0])
    z = mlp([2, 2, 2]).outputs(theta, [[1.0, 2.0]])
    assert_allclose(z, [[np.tanh(-1) + np.tanh(0.5), 3 * np.tanh(0.5) - 1]])


def test_dropout_stands_behind_each_hidden_layer_and_only_where_asked_for():
    def dropping(network):
        return [i for i, layer in enumerate(network.layers) if isinstance(layer, Dropout)]

    assert dropping(mlp([4, 3, 3, 2])) == dropping(lenet()) == []
    for rate in 0.1, 0.6:
        for network, where in (mlp([4, 3, 3, 2], dropout=rate), [2, 5]), (lenet(dropout=rate), [9, 12]), (
                resnet18((8, 8, 1), width=1, dropout=rate), [21]):
            assert dropping(network) == where and {network.layers[i].rate for i in where} == {rate}
    assert mlp([4, 3, 2], dropout=0.1).size == mlp([4, 3, 2]).size


def test_the_loss_of_a_network_can_be_chosen():
    assert isinstance(mlp([4, 2]).loss, SoftmaxCrossEntropy) and isinstance(linear(4).loss, SquaredError)
    assert isinstance(mlp([4, 2], loss=SquaredError()).loss, SquaredError)


# ------------------------------------------------------------------------------------------------- one flat vector θ

@EACH
def test_the_blocks_are_views_of_theta_one_after_the_other(network):
    vector = np.arange(float(network.size))
    blocks = network.blocks(vector)
    assert [block.shape for block in blocks] == list(network.shapes)
    assert_array_equal(np.concatenate([block.ravel() for block in blocks]), vector)
    assert all(np.shares_memory(block, vector) for block in blocks)
    blocks[-1][0, 0] = -7
    assert -7 in vector


def test_every_block_is_the_matrix_of_one_layer():
    network = Network(Dense(4, 3), Residual([Dense(3, 3)], [Dense(3, 3, bias=False)]), Tanh(), Dense(3, 2), inputs=4)
    assert network.shapes == [(3, 5), (3, 4), (3, 3), (2, 4)]
    theta, x = RANDOM.standard_normal(network.size), RANDOM.standard_normal((2, 4))
    first, main, shortcut, last = network.blocks(theta)
    h = x @ first[:, :4].T + first[:, 4]
    h = np.tanh(h @ main[:, :3].T + main[:, 3] + h @ shortcut.T)
    assert_allclose(network.outputs(theta, x), h @ last[:, :3].T + last[:, 3])
    first, main, shortcut, last = network.blocks(network.initial(0))
    assert not any(block[:, -1].any() for block in (first, main, last)) and shortcut.all()


# -------------------------------------------------------------------------------------------------- where to start

@pytest.mark.parametrize("name, deviations", [
    ("glorot", [sqrt(2 / 700), sqrt(2 / 500)]), ("he", [sqrt(2 / 400), sqrt(2 / 300)]),
    ("lecun", [sqrt(1 / 400), sqrt(1 / 300)]), ("unit", [1, 1])])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_weights_start_with_the_deviation_of_their_initialisation(name, deviations, scale):
    network = mlp([400, 300, 200])
    for block, deviation in zip(network.blocks(network.initial(3, name, scale)), deviations):
        assert_allclose(block[:, :-1].std(), scale * deviation, rtol=0.01)
        assert abs(block[:, :-1].mean()) < 4 * scale * deviation / sqrt(block.size)
        assert_array_equal(block[:, -1], 0)


def test_a_unit_of_a_convolution_has_as_many_inputs_as_its_patch():
    network = Network(Conv2D(16, 64, 5), ReLU(), Flatten(), Dense(64, 2), inputs=(5, 5, 16))
    for name, deviation in [("he", sqrt(2 / 400)), ("glorot", sqrt(2 / (400 + 1600)))]:
        assert_allclose(network.blocks(network.initial(0, name))[0][:, :-1].std(), deviation, rtol=0.02)


def test_relu_networks_start_as_he_says_and_others_as_glorot_says():
    bent = {*ACTIVATIONS} - {"tanh", "sigmoid"}
    for network, name in [*((mlp([4, 3], each), "he" if each in bent else "glorot") for each in ACTIVATIONS),
                          (mlp([4, 3]), "glorot"), (cnn(), "he"), (lenet(), "he"), (lenet1(), "glorot"),
                          (resnet18(width=1), "he")]:
        assert network.initialisation == name
        assert_array_equal(network.initial(0), network.initial(0, name))


def test_he_keeps_the_size_of_signals_through_many_relu_layers():
    network = mlp([200] * 21, "relu")
    z = network.outputs(network.initial(0), RANDOM.standard_normal((50, 200)))
    assert 1 / 4 < (z**2).mean() / 2 < 4
    z = network.outputs(network.initial(0, "lecun"), RANDOM.standard_normal((50, 200)))
    assert (z**2).mean() < 2.0**-15


def test_the_start_is_a_function_of_the_seed():
    network = mlp([6, 5, 4])
    assert_array_equal(network.initial(3), network.initial(3))
    seeds = [*range(40), 1000, 2**32, 2**70, (1, 2), [2, 1], np.int64(12345)]
    assert len({network.initial(seed).tobytes() for seed in seeds}) == len(seeds)
    assert_array_equal(network.initial(np.uint8(3)), network.initial(3))


def test_single_precision_starts_where_double_does():
    network = cnn((8, 8, 1), channels=2)
    single = network.initial(0, dtype=np.float32)
    assert single.dtype == np.float32 and network.initial(0).dtype == np.float64
    assert_array_equal(single, network.initial(0).astype(np.float32))


@EACH
def test_a_network_in_single_precision_answers_in_single_precision(network):
    theta, X = network.initial(0, dtype=np.float32), RANDOM.standard_normal((3, *network.inputs))
    batch = MiniBatch(network, X, labels(network))
    z = network.outputs(theta, X, batch.statistics_of(theta))
    answers = [z, batch.gradient(theta), batch.hessian(theta) @ theta, batch.gauss_newton(theta) @ theta]
    if network is not SMALL["resnet18"]:
        answers += [batch.fisher(theta) @ theta, batch.sampled_fisher(theta) @ theta,
                    batch.empirical_fisher(theta) @ theta, batch.per_example_gradients(theta),
                    batch.gauss_newton_diagonal(theta), batch.jacobian(theta), *sum(batch.kronecker_factors(theta), ())]
    assert {answer.dtype for answer in answers} == {np.dtype(np.float32)}
    assert isinstance(batch.value(theta), float)


# -------------------------------------------------------------------------------------------------------- mistakes

@pytest.mark.parametrize("make, message", [
    (lambda: mlp([6]), r"sizes are the numbers of inputs, .* two at least, .*; given \[6\]"),
    (lambda: mlp([6, 0, 3]), r"given \[6, 0, 3\]"),
    (lambda: mlp([6, 5, 3], "rleu"), "there is no activation 'rleu'; there is relu"),
    (lambda: mlp([6, 5, 3], dropout=-0.5), "Dropout drops a share"),
    (lambda: mlp([6, 5, 3]).initial(0, "gloro"), "there is no initialisation 'gloro'; there is glorot"),
    (lambda: mlp([6, 5, 3]).initial(0, "x"), f"there is {', '.join(INITIALISATIONS)}"),
    (lambda: Network(Dense(4, 3), Dense(4, 3), inputs=4), r"takes vectors of 4 numbers and is given \(3,\)"),
    (lambda: Network(Conv2D(1, 2, 3), inputs=(5, 5, 1)), r"this one ends with \(3, 3, 2\): put a Flatten\(\)"),
    (lambda: Network(Conv2D(1, 2, 3), Dense(18, 2), inputs=(5, 5, 1)), r"\(3, 3, 2\); put a Flatten\(\) before it"),
    (lambda: Network(MaxPool(2), Flatten(), Dense(4, 2), inputs=(1, 9, 1)), "at least 2 × 2 pixels"),
    (lambda: cnn((3, 32, 3)), "cnn takes images of at least 4 × 4 pixels, not 3 × 32"),
    (lambda: cnn((32, 3, 3)), "cnn takes images of at least 4 × 4 pixels, not 32 × 3"),
    (lambda: lenet((28, 15, 1)), "lenet takes images of at least 16 × 16 pixels, not 28 × 15"),
    (lambda: lenet1((8, 3, 1)), "lenet1 takes images of at least 4 × 4"),
    (lambda: resnet18((8, 0, 1)), "resnet18 takes images"), (lambda: resnet18((8, 8, 0)), "resnet18 takes images"),
    (lambda: lenet((15, 28, 1)), "lenet takes images of at least 16 × 16 pixels, not 15 × 28"),
    (lambda: lenet((28, 28)), r"lenet takes images, shape \(rows, columns, channels\), and not \(28, 28\)"),
    (lambda: lenet1((3, 8, 1)), "lenet1 takes images of at least 4 × 4"),
    (lambda: resnet18((0, 8, 1)), "resnet18 takes images"),
    (lambda: mlp(64, 32, 10), r"sizes are given as one list, as in mlp\(\[64, 32, 10\]\); given 64"),
    (lambda: mlp([64.0, 10]), "all of them whole numbers of at least 1"), (lambda: mlp([64, 0]), "of at least 1"),
    (lambda: mlp([64, True]), "of at least 1"),
    (lambda: BatchNorm(3, eps=0.0), "eps must be a number above 0, and is 0.0"),
    (lambda: BatchNorm(3, eps=np.inf), "eps must be a number above 0, and is inf"),
    (lambda: mlp([4, 3, 2], activation="ReLu6"), "there is no activation 'ReLu6'; there is relu"),
    (lambda: mlp([4, 3, 2], activation=3), r"activation is 3; it must be one of tanh, .* LeakyReLU\(0.1\)"),
    (lambda: mlp([4, 3, 2], activation=list), "activation is <class 'list'>; it must be"),
    (lambda: mlp([4, 2]).initial(0, dtype=int), "weights are float32 or float64, and not int64"),
    (lambda: mlp([4, 2]).initial(None), "seed is None; it must be a whole number of at least 0"),
    (lambda: mlp([4, 2]).initial(-1), "seed is -1"), (lambda: mlp([4, 2]).initial("now"), "seed is 'now'"),
    (lambda: mlp([4, 2]).initial(0.5), "seed is 0.5"), (lambda: mlp([4, 2]).initial([1, -2]), r"seed is \[1, -2\]"),
])
def test_layers_that_do_not_fit_are_refused_when_the_network_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make, message", [
    (lambda: Network(Dense, inputs=4), r"Dense is a class of layers; write Dense\(...\)"),
    (lambda: Network(Dense(4, 2), Tanh, inputs=4), r"Tanh is a class of layers"),
    (lambda: Network(Dense(4, 2), "tanh", inputs=4), "'tanh' is no layer"),
    (lambda: Residual([Dense(4, 4), ReLU]), "ReLU is a class of layers"),
    (lambda: mlp([4, 2], loss=SquaredError), r"SquaredError is a class of losses; write loss=SquaredError\(\)"),
    (lambda: mlp([4, 2], loss="mse"), r"loss is 'mse'; it must be SoftmaxCrossEntropy\(\)")])
def test_a_class_in_place_of_a_layer_or_a_loss_is_named(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("activation", ["leaky_relu", LeakyReLU, LeakyReLU(0.01), lambda: LeakyReLU(0.01)])
def test_an_activation_may_be_a_name_a_layer_or_a_function_that_makes_one(activation):
    network = mlp([4, 3, 2], activation=activation)
    assert type(network.layers[1]) is LeakyReLU and network.initialisation == "he"
    assert mlp([4, 3, 2], activation=Tanh()).initialisation == mlp([4, 3, 2]).initialisation == "glorot"


def test_a_network_is_shown_as_a_table_of_its_layers():
    lines, network = repr(lenet((28, 28, 1))).splitlines(), lenet((28, 28, 1))
    assert lines[0] == "Network: 44,426 weights, examples of 28 × 28 × 1, SoftmaxCrossEntropy()"
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[1:]]
    assert rows[0] == ["Conv2D(1, 6, 5)", "24 × 24 × 6", "156", "6 × 26"] and rows[1] == ["ReLU()", "24 × 24 × 6"]
    assert len(rows) == len(network.layers)
    assert sum(int(row[2].replace(",", "")) for row in rows if len(row) > 2) == network.size == 44_426
    assert repr(Chain(Conv2D(2, 3, 3, padding=1), Tanh())) == "Chain(Conv2D(2, 3, 3, padding=1), Tanh())"
    assert "Residual(...)" in repr(resnet18(width=2))
    usual, others = Chain(Dropout(float("0.5")), BatchNorm(3, 1e-5), ELU(float("1"))), Chain(BatchNorm(3, 0.1), ELU(2))
    assert repr(usual) == "Chain(Dropout(), BatchNorm(3), ELU())"
    assert repr(others) == "Chain(BatchNorm(3, eps=0.1), ELU(alpha=2.0))"


def test_a_loss_says_what_it_is_with_what_it_was_given():
    class Huber(Loss):
        def __init__(self, delta=1.0):
            self.delta = delta

    assert repr(Huber()) == "Huber()" and repr(SquaredError()) == "SquaredError()"
    assert repr(Network(Dense(2, 1), inputs=2, loss=Huber(2.0))).splitlines()[0].endswith(", Huber(delta=2.0)")


@pytest.mark.parametrize("X, message", [
    (np.zeros((5, 3)), r"takes examples of shape \(4,\), X of shape \(n, 4\); X has shape \(5, 3\)$"),
    (np.zeros((5, 2, 2)), r"X has shape \(5, 2, 2\); X.reshape\(-1, 4\) makes them so"),
    (np.zeros(4), r"X has shape \(4,\); X\[None\] is a batch of this one example"),
    (1.0, r"X has shape \(\)"),
    (np.zeros((0, 4)), "X holds no examples"),
    (np.full((3, 4), "a"), "X must be real numbers; it holds <U1"),
    (np.full((3, 4), 1j), "X must be real numbers; it holds complex128"),
    ([[1, 2, 3, 4], [1, 2, np.nan, 4]], r"X\[1, 2\] is nan; leave that example out or fill the value in"),
    ([[1, 2, 3, 4], [1, 2, 3, -np.inf]], r"X\[1, 3\] is -inf"),
    (np.ma.masked_greater([[1.0, 2.0, 3.0, 9e9]], 1e9), "X is a masked array: leave the masked entries out"),
])
def test_examples_that_do_not_fit_are_refused(X, message):
    network = mlp([4, 3, 2])
    with pytest.raises(ValueError, match=message):
        network.outputs(network.initial(0), X)
    with pytest.raises(ValueError, match=message):
        MiniBatch(network, X, [0])


def test_images_that_do_not_fit_are_refused():
    network = cnn((8, 8, 1))
    with pytest.raises(ValueError, match=r"of shape \(8, 8, 1\), X of shape \(n, 8, 8, 1\); X has shape \(5, 64\); "
                                         r"X.reshape\(-1, 8, 8, 1\) makes them so"):
        network.outputs(network.initial(0), np.zeros((5, 64)))
    with pytest.raises(ValueError, match=r"X has shape \(8, 8, 1\); X\[None\] is a batch of this one example"):
        network.outputs(network.initial(0), np.zeros((8, 8, 1)))


def test_images_whose_channels_come_first_are_turned_and_not_scrambled():
    network, images = cnn((8, 9, 3)), np.arange(2 * 8 * 9 * 3.0).reshape(2, 8, 9, 3)
    first = images.transpose(0, 3, 1, 2)
    with pytest.raises(ValueError, match=r"its channels come first: X.transpose\(0, 2, 3, 1\)") as error:
        network.outputs(network.initial(0), first)
    assert "reshape" not in str(error.value)
    assert_array_equal(first.transpose(0, 2, 3, 1), images)
    for other in first[:, :, :7], first.transpose(0, 1, 3, 2)[..., :7]:
        with pytest.raises(ValueError, match=r"X has shape \(2, 3, \d, \d\)$"):
            network.outputs(network.initial(0), other)


@pytest.mark.parametrize("theta", [np.zeros(22), np.zeros((23, 1))])
def test_a_theta_of_another_size_is_refused(theta):
    with pytest.raises(ValueError, match="this network has 23 weights; theta has shape"):
        mlp([4, 3, 2]).outputs(theta, np.zeros((1, 4)))


def test_sizes_may_be_numpy_numbers_and_examples_whole_ones():
    network = mlp(np.array([4, 3, 2]))
    assert network.inputs == (4,) and network.size == 23
    for kind in (np.uint8, np.int64, bool):
        assert_array_equal(network.outputs(network.initial(0), np.ones((2, 4), kind)),
                           network.outputs(network.initial(0), np.ones((2, 4))))
    assert linear(np.int64(4)).inputs == (4,)


# ---------------------------------------------------------------------------------------------------------- memory

def test_the_gradient_of_the_cnn_on_128_images_fits_into_two_hundred_megabytes():
    network = cnn()
    batch = MiniBatch(network, RANDOM.standard_normal((128, 32, 32, 3), np.float32), RANDOM.integers(10, size=128))
    theta = network.initial(0, dtype=np.float32)
    tracemalloc.start()
    try:
        with reading():  # what the twins take is not traced: the same arrays, and the patches of two images, not of all
            batch.gradient(theta)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200e6


# --------------------------------------------------------------------------------------------------------- threads

@pytest.mark.skipif(not started(), reason="there is no Numba, or it is switched off")
def test_every_pass_over_images_leaves_the_cores_to_the_twins_and_every_other_to_blas(monkeypatch):
    inside = []

    @contextmanager
    def one_thread_of_blas():
        inside.append(1)
        yield

    monkeypatch.setattr(models, "one_thread_of_blas", one_thread_of_blas)
    monkeypatch.setattr(Kernel, "reading", False)
    for name, reads, found in [("lenet1", False, 6), ("lenet1", True, 0), ("mlp", False, 0)]:
        network = SMALL[name]
        batch = MiniBatch(network, np.ones((3, *network.inputs)), np.zeros(3, int))
        theta = network.initial(0)
        theta.flags.writeable = False
        inside.clear()
        with reading() if reads else nullcontext():
            batch.gradient(theta), batch.hessian(theta) @ theta, batch.per_example_gradients(theta)
        assert len(inside) == found  # forward, backward, jvp, r_backward, pairs, and the rows


# ------------------------------------------------------------------------- the same networks, differentiated by PyTorch

def as_torch(torch, network, theta):
    """The network as a function of a list of tensors [W | b], on examples laid out as here; and those tensors."""
    F = torch.nn.functional
    matrices = [torch.tensor(block, requires_grad=True) for block in network.blocks(theta)]

    def run(layers, x, left):
        for layer in layers:
            if isinstance(layer, Residual):
                main = run(layer.main.layers, x, left)
                x = main + run(layer.shortcut.layers, x, left)
            elif layer.size == 0:
                x = {"Tanh": torch.tanh, "ReLU": torch.relu, "Sigmoid": torch.sigmoid,
                     "MaxPool": lambda x: F.max_pool2d(x, layer.k, layer.stride),
                     "AveragePool": lambda x: F.avg_pool2d(x, layer.k, layer.stride),
                     "Flatten": lambda x: x.permute(0, 2, 3, 1).flatten(1)}[type(layer).__name__](x)
            else:
                matrix = left.pop(0)
                if type(layer).__name__ == "BatchNorm":
                    gamma, beta = matrix.T.contiguous()  # PyTorch's gradient is wrong for columns as they are
                    x = F.batch_norm(x, None, None, gamma, beta, training=True, eps=layer.eps)
                    continue
                W, b = (matrix[:, :-1], matrix[:, -1]) if layer.bias else (matrix, None)
                if isinstance(layer, Conv2D):  # a patch is (row, column, channel) here, (channel, row, column) there
                    W = W.reshape(-1, layer.k, layer.k, layer.channels).permute(0, 3, 1, 2)
                    x = F.conv2d(x, W, b, layer.stride, layer.padding)
                else:
                    x = F.linear(x, W, b)
        return x

    def outputs(X, matrices):
        x = torch.tensor(X)
        return run(network.layers, x.permute(0, 3, 1, 2) if x.ndim == 4 else x, list(matrices))

    return outputs, matrices


AGAINST_TORCH = {
    "mlp": mlp([8, 7, 6, 5]), "relu mlp": mlp([8, 7, 6, 5], "relu"),
    "mlp, squared error": mlp([8, 7, 5], loss=SquaredError()),
    "cnn": cnn((12, 8, 3), 5, channels=4), "lenet": lenet((20, 16, 3), 5), "lenet1": lenet1((16, 16, 1), 5),
    "resnet18": resnet18((16, 16, 3), 5, width=4)}


@pytest.mark.parametrize("name", AGAINST_TORCH)
def test_pytorch_finds_the_same_value_gradient_and_hessian_product(name):
    torch = pytest.importorskip("torch")
    network = AGAINST_TORCH[name]
    random = np.random.default_rng(1)
    X, v = random.standard_normal((6, *network.inputs)), random.standard_normal(network.size)
    theta = network.initial(0) + 0.05 * random.standard_normal(network.size)
    if isinstance(network.loss, SquaredError):
        Y = random.standard_normal((6, 5))
    else:
        Y = random.integers(5, size=6)
    outputs, matrices = as_torch(torch, network, theta)
    z = outputs(X, matrices)
    if isinstance(network.loss, SquaredError):
        value = ((z - torch.tensor(Y))**2).sum() / 12
    else:
        value = torch.nn.functional.cross_entropy(z, torch.tensor(Y))
    gradient = torch.autograd.grad(value, matrices, create_graph=True)
    slope = sum((g * torch.tensor(block)).sum() for g, block in zip(gradient, network.blocks(v)))
    product = torch.autograd.grad(slope, matrices)

    def flat(tensors):
        return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])

    batch = MiniBatch(network, X, Y)
    assert_allclose(batch.forward(theta)[0], z.detach().numpy(), rtol=1e-10, atol=1e-12)
    assert_allclose(batch.value(theta), value.item(), rtol=1e-12)
    for found, expected in [(batch.gradient(theta), flat(gradient)), (batch.hessian(theta) @ v, flat(product))]:
        assert np.linalg.norm(found - expected) < 1e-10 * np.linalg.norm(expected)


def test_the_slices_of_a_chain_are_its_steps_parts_of_theta():
    network = SMALL["cnn"]
    ends = list(accumulate((sum(prod(shape) for shape in step.shapes) for step in network.steps), initial=0))
    assert [(s.start, s.stop) for s in network.slices] == list(zip(ends[:-1], ends[1:]))
    assert [shape for layer in network.layers for shape in layer.shapes] == list(network.shapes)


def test_relu_and_the_max_pooling_after_it_are_run_as_one_step_and_are_the_same_function():
    class Own(MaxPool):
        pass

    assert [type(step) for step in Chain(ReLU(), Own(2)).steps] == [ReLU, Own]
    layers = [Conv2D(2, 5, 3), ReLU(), MaxPool(2, 1), Tanh(), MaxPool(2), ReLU()]
    chain = Chain(*layers)
    assert [type(step).__name__ for step in chain.steps] == ["Conv2D", "PositiveMaxPool", "Tanh", "MaxPool", "ReLU"]
    assert chain.layers == tuple(layers)
    random, v = np.random.default_rng(1), np.random.default_rng(2).standard_normal(chain.size)
    w, (x, Rx) = random.standard_normal(chain.size), random.standard_normal((2, 4, 13, 12, 2))
    y, saved = chain.forward(w, x, Mode())
    dy, Rdy = random.standard_normal(y.shape), random.standard_normal(y.shape)

    apart = Chain(*layers)
    apart.steps = layers
    apart.slices = [slice(0, chain.size)] + 5 * [slice(chain.size, chain.size)]
    y_apart, saved_apart = apart.forward(w, x, Mode())
    assert_allclose(y, y_apart, rtol=1e-13)
    results = []
    for who, kept in ((chain, saved), (apart, saved_apart)):
        dw, Rdw = np.empty_like(w), np.empty_like(w)
        dx = who.backward(w, kept, dy, dw)
        Ry, Rkept = who.jvp(w, kept, v, Rx)
        results.append([dx, dw, Ry, *who.r_backward(w, kept, v, Rkept, dy, Rdy, Rdw), Rdw])
    for mine, theirs in zip(*results, strict=True):
        assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
