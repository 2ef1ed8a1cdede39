"""The layers: what they compute, and the derivatives of it.

Derivatives are checked with the complex step, f(x + ih v) = f(x) + ih f'(x)v + O(h²): the layers follow the dtype of
what they are given, so that their own passes, run on complex numbers, say what the next pass should be.
"""
from math import prod, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels.patches import patches
from numopt.networks import (
    ACTIVATIONS, AveragePool, BatchNorm, Chain, Conv2D, Dense, Dropout, Flatten, MaxPool, Mode, ReLU, Residual, Sigmoid,
    Tanh)

IMAGE = (5, 4, 2)
STATISTICS = [(np.array([0.3, -0.2]), np.array([0.5, 2.0]))]
TRAINING, EVALUATION = {"seed": (4, 2)}, {"training": False, "statistics": STATISTICS}

# name: layer, shape of an example, how it is run
CASES = {
    "Dense": (Dense(4, 3), (4,), TRAINING),
    "Dense without bias": (Dense(4, 3, bias=False), (4,), TRAINING),
    "Conv2D": (Conv2D(2, 3, 3), IMAGE, TRAINING),
    "Conv2D without bias": (Conv2D(2, 3, 2, bias=False), IMAGE, TRAINING),
    "Conv2D padded": (Conv2D(2, 3, 3, padding=1), IMAGE, TRAINING),
    "Conv2D in strides": (Conv2D(2, 3, 2, stride=2, padding=1), IMAGE, TRAINING),
    "Conv2D in strides longer than its patch": (Conv2D(2, 2, 1, stride=3), IMAGE, TRAINING),
    "MaxPool": (MaxPool(2), IMAGE, TRAINING),
    "MaxPool overlapping": (MaxPool(3, 1), IMAGE, TRAINING),
    "AveragePool": (AveragePool(2), IMAGE, TRAINING),
    "AveragePool overlapping": (AveragePool(3, 1), IMAGE, TRAINING),
    "AveragePool in strides longer than its window": (AveragePool(1, 2), IMAGE, TRAINING),
    "Flatten": (Flatten(), IMAGE, TRAINING),
    **{name: (activation(), IMAGE, TRAINING) for name, activation in ACTIVATIONS.items()},
    "BatchNorm": (BatchNorm(2), (2,), TRAINING),
    "BatchNorm of images": (BatchNorm(2), IMAGE, TRAINING),
    "BatchNorm in evaluation": (BatchNorm(2), IMAGE, EVALUATION),
    "Dropout": (Dropout(0.4), IMAGE, TRAINING),
    "Dropout in evaluation": (Dropout(0.4), IMAGE, EVALUATION),
    "Chain": (Chain(Conv2D(2, 2, 2), BatchNorm(2), Tanh(), MaxPool(2, 1), Flatten(), Dropout(0.3), Dense(12, 3)), IMAGE,
              TRAINING),
    "Chain of chains": (Chain(Chain(Dense(4, 3), Sigmoid()), Chain(), Chain(Dense(3, 2))), (4,), TRAINING),
    "Chain that starts without weights": (Chain(Tanh(), Flatten(), Dense(40, 2)), IMAGE, TRAINING),
    "Chain that starts with one weight": (Chain(Dense(1, 1, bias=False), Tanh(), Dense(1, 2)), (1,), TRAINING),
    "Residual": (Residual([Dense(4, 3), Tanh(), Dense(3, 4)]), (4,), TRAINING),
    "Residual with a projection": (Residual([Conv2D(2, 3, 3, 2, 1), BatchNorm(3), Tanh()], [Conv2D(2, 3, 1, 2)]), IMAGE,
                                   TRAINING),
    "Residual of two long ways": (Residual([Dense(4, 3), Tanh()], [Sigmoid(), Dense(4, 5, False), Tanh(), Dense(5, 3)]),
                                  (4,), TRAINING),
    "Residual in evaluation": (Residual([BatchNorm(2), ReLU(), Conv2D(2, 2, 3, 1, 1)]), IMAGE, EVALUATION),
}
EACH = pytest.mark.parametrize("name", CASES)
WITH_WEIGHTS = pytest.mark.parametrize("name", [name for name, (layer, _, _) in CASES.items() if layer.size])


class Setting:
    """A layer, and random vectors in all the places where its passes take one."""

    def __init__(self, name, n=3, dtype=float):
        self.layer, shape, self.how = CASES[name]
        random = np.random.default_rng(11)

        def draw(*shape):
            return random.standard_normal(shape).astype(dtype)

        self.w, self.v = draw(self.layer.size), draw(self.layer.size)
        self.x, self.Rx = draw(n, *shape), draw(n, *shape)
        self.y, self.saved = self.forward(self.w, self.x)
        self.dy, self.Rdy = draw(*self.y.shape), draw(*self.y.shape)

    def forward(self, w, x):
        return self.layer.forward(w, x, Mode(**self.how))

    def backward(self, w, x, dy, **how):
        """dx and dw, from the inputs on; what stood in dw before does not matter."""
        dw = np.full_like(w, np.nan)
        return self.layer.backward(w, self.forward(w, x)[1], dy, dw, **how), dw

    def r_backward(self, Rx, **how):
        """dx, Rdx and Rdw."""
        Rdw = np.full_like(self.w, np.nan)
        _, Rsaved = self.layer.jvp(self.w, self.saved, self.v, Rx)
        dx, Rdx = self.layer.r_backward(self.w, self.saved, self.v, Rsaved, self.dy, self.Rdy, Rdw, **how)
        return dx, Rdx, Rdw

    def along(self, h):
        """All inputs, moved along their directions by ih."""
        return self.w + 1j * h * self.v, self.x + 1j * h * self.Rx, self.dy + 1j * h * self.Rdy


def close(a, b):
    assert a.shape == b.shape
    assert_allclose(a, b, rtol=1e-12, atol=1e-13)


# ------------------------------------------------------------------------------------ what is true of all the layers

@EACH
def test_the_output_has_the_announced_shape(name):
    case = Setting(name)
    assert case.y.shape == (3, *case.layer.output_shape(CASES[name][1]))


@EACH
def test_a_layer_is_as_large_as_its_matrices(name):
    layer = CASES[name][0]
    assert layer.size == sum(prod(shape) for shape in layer.shapes)
    assert layer.initial(np.random.default_rng(0), lambda inputs, outputs: 1.0).shape == (layer.size,)


@EACH
def test_backward_gives_the_derivatives_of_forward(name):
    case = Setting(name)
    h = 1e-30
    dx, dw = case.backward(case.w, case.x, case.dy)
    along_w = [np.sum(case.dy * case.forward(case.w + 1j * h * e, case.x + 0j)[0].imag) / h
               for e in np.eye(case.w.size)]
    along_x = [np.sum(case.dy * case.forward(case.w + 0j, case.x + 1j * h * e.reshape(case.x.shape))[0].imag) / h
               for e in np.eye(case.x.size)]
    close(dw, np.array(along_w))
    close(dx, np.reshape(along_x, case.x.shape))


@EACH
def test_jvp_gives_the_derivative_of_forward_along_a_direction(name):
    case = Setting(name)
    Ry, _ = case.layer.jvp(case.w, case.saved, case.v, case.Rx)
    w, x, _ = case.along(1e-30)
    close(Ry, case.forward(w, x)[0].imag / 1e-30)


@EACH
def test_jvp_and_backward_are_adjoint(name):
    case = Setting(name)
    dx, dw = case.backward(case.w, case.x, case.dy)
    Ry, _ = case.layer.jvp(case.w, case.saved, case.v, case.Rx)
    assert_allclose(np.sum(case.dy * Ry), np.sum(dx * case.Rx) + dw @ case.v, rtol=1e-12)


@EACH
def test_r_backward_gives_the_derivative_of_backward_along_a_direction(name):
    case = Setting(name)
    dx, Rdx, Rdw = case.r_backward(case.Rx)
    w, x, dy = case.along(1e-30)
    expected_dx, expected_dw = case.backward(w, x, dy)
    close(dx, case.backward(case.w, case.x, case.dy)[0])
    close(Rdx, expected_dx.imag / 1e-30)
    close(Rdw, expected_dw.imag / 1e-30)


@WITH_WEIGHTS
def test_no_change_of_x_is_the_same_as_a_change_of_zero(name):
    case = Setting(name)
    none, _ = case.layer.jvp(case.w, case.saved, case.v, None)
    zero, _ = case.layer.jvp(case.w, case.saved, case.v, np.zeros_like(case.x))
    close(none, zero)
    close(case.r_backward(None, inputs=False)[2], case.r_backward(np.zeros_like(case.x))[2])


@WITH_WEIGHTS
def test_without_inputs_the_derivatives_by_the_weights_are_the_same(name):
    case = Setting(name)
    dw = case.backward(case.w, case.x, case.dy)[1]
    assert_array_equal(case.backward(case.w, case.x, case.dy, inputs=False)[1], dw)
    assert_array_equal(case.r_backward(case.Rx, inputs=False)[2], case.r_backward(case.Rx)[2])


@EACH
def test_without_a_place_for_dw_dx_is_the_same(name):
    case = Setting(name)
    dx = case.backward(case.w, case.x, case.dy)[0]
    assert_array_equal(case.layer.backward(case.w, case.saved, case.dy, None), dx)


def gradient(layer, x, dy):
    """dyᵀ [x 1], or dyᵀ x without a bias; x are the patches, where it is a convolution."""
    if isinstance(layer, Conv2D):
        x, dy = patches(x, layer.k, layer.stride, layer.padding), dy.reshape(-1, layer.outputs)
    return dy.T @ (np.hstack([x, np.ones((len(x), 1))]) if layer.bias else x)


@pytest.mark.parametrize("name", [name for name in CASES if "BatchNorm" not in name and "evaluation" not in name
                                  and name not in ("Chain", "Residual with a projection")])
def test_the_gradient_of_each_weight_matrix_is_what_meets_there(name):
    case = Setting(name)
    dx, pairs = case.layer.pairs(case.w, case.saved, case.dy)
    expected_dx, dw = case.backward(case.w, case.x, case.dy)
    close(dx, expected_dx)
    met = [gradient(layer, x, dy) for layer, x, dy in pairs]
    assert [matrix.shape for matrix in met] == list(case.layer.shapes)
    close(np.concatenate([matrix.ravel() for matrix in met] + [[]]), dw)
    each = [np.empty((3, layer.size)) for layer, _, _ in pairs]
    for (layer, x, dy), rows in zip(pairs, each):
        layer.example_gradients(x, dy, rows)
    each = [rows.sum(axis=0) for rows in each]
    close(np.concatenate([*each, []]), dw)


def frozen(thing):
    """The same nest of tuples and lists, with every array in it read-only."""
    if isinstance(thing, np.ndarray):
        thing.flags.writeable = False
    elif isinstance(thing, (tuple, list)):
        for item in thing:
            frozen(item)
    return thing


@EACH
def test_no_pass_writes_into_what_it_was_given(name):
    case = Setting(name)
    given = case.w, case.v, case.x, case.Rx, case.dy, case.Rdy
    before = [array.copy() for array in given]
    frozen(given)
    y, saved = frozen(case.forward(case.w, case.x))
    dw, Rdw = np.empty_like(case.w), np.empty_like(case.w)
    dx = case.layer.backward(case.w, saved, case.dy, dw)
    Ry, Rsaved = frozen(case.layer.jvp(case.w, saved, case.v, case.Rx))
    case.layer.r_backward(case.w, saved, case.v, Rsaved, case.dy, case.Rdy, Rdw)
    again = np.zeros_like(dw)
    assert_array_equal(case.layer.backward(case.w, saved, case.dy, again), dx)
    assert_array_equal(again, dw)
    for array, old in zip(given, before):
        assert_array_equal(array, old)


@EACH
def test_single_precision_stays_single(name):
    case, double = Setting(name, dtype=np.float32), Setting(name)
    dx, Rdx, Rdw = case.r_backward(case.Rx)
    Ry, _ = case.layer.jvp(case.w, case.saved, case.v, case.Rx)
    for single in (case.y, case.backward(case.w, case.x, case.dy)[0], Ry, dx, Rdx):
        assert single.dtype == np.float32
    assert_allclose(case.y, double.y, atol=1e-5)
    assert_allclose(Rdx, double.r_backward(double.Rx)[1], atol=1e-3)


# ----------------------------------------------------------------------------------------------------- dense layers

def test_a_dense_layer_by_hand():
    w = np.array([1.0, 2.0, 10.0, 3.0, 4.0, 20.0])  # [W | b], row by row
    y, _ = Dense(2, 2).forward(w, np.array([[1.0, 1.0], [2.0, 0.0]]), Mode())
    assert_array_equal(y, [[13, 27], [12, 26]])


def test_weights_start_normal_and_biases_at_zero():
    layer = Dense(300, 200)
    W, b = layer.split(layer.initial(np.random.default_rng(0), lambda inputs, outputs: sqrt(2 / (inputs + outputs))))
    assert_allclose(W.std(), sqrt(2 / 500), rtol=0.01)
    assert_allclose([W.mean(), (W**4).mean() / W.var()**2], [0, 3], atol=0.05)
    assert_array_equal(b, 0)


@pytest.mark.parametrize("layer, fans", [(Dense(7, 3), (7, 3)), (Dense(7, 3, bias=False), (7, 3)),
                                         (Conv2D(2, 5, 3), (18, 45)), (Conv2D(2, 5, 3, 2, 1, bias=False), (18, 45))])
def test_a_bias_is_none_of_the_inputs_by_which_the_deviation_is_chosen(layer, fans):
    given = []
    layer.initial(np.random.default_rng(0), lambda *inputs_and_outputs: given.append(inputs_and_outputs) or 1.0)
    assert given == [fans]


@pytest.mark.parametrize("layer, shape, message", [
    (Dense(4, 3), (5,), r"Dense\(4, 3\) takes vectors of 4 numbers and is given \(5,\)$"),
    (Dense(8, 3), (2, 2, 2), r"is given \(2, 2, 2\); put a Flatten\(\) before it"),
    (Conv2D(3, 8, 3), (8, 8, 1), r"Conv2D takes images of shape \(rows, columns, 3\) and is given \(8, 8, 1\)"),
    (Conv2D(3, 8, 3), (192,), r"is given \(192,\)"),
    (Conv2D(1, 8, 5), (4, 9, 1), "a 5 × 5 patch does not fit into an image of 4 × 9"),
    (Conv2D(1, 8, 5), (9, 4, 1), "a 5 × 5 patch does not fit into an image of 9 × 4"),
    (MaxPool(3), (2, 9, 1), r"MaxPool\(3\) takes images of at least 3 × 3 pixels and is given \(2, 9, 1\)"),
    (MaxPool(3), (9, 2, 1), r"MaxPool\(3\) takes images of at least 3 × 3 pixels and is given \(9, 2, 1\)"),
    (AveragePool(2), (6,), r"AveragePool\(2\) takes images of at least 2 × 2 pixels and is given \(6,\)"),
    (BatchNorm(3), (4, 4, 2), r"BatchNorm\(3\) is given \(4, 4, 2\), which has 2 channels"),
    (Residual([Dense(4, 3)]), (4,), r"must end alike; they give \(3,\) and \(4,\)"),
    (Chain(Conv2D(1, 2, 3), Dense(8, 2)), (4, 4, 1), r"is given \(2, 2, 2\); put a Flatten\(\) before it"),
])
def test_a_layer_that_does_not_fit_says_what_it_takes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, 2.5, True, None, "2", (3, 3), np.nan])
@pytest.mark.parametrize("make, name, least", [
    (lambda number: Conv2D(number, 2, 3), "Conv2D: channels", 1), (lambda number: Conv2D(2, 2, number), "Conv2D: k", 1),
    (lambda number: Conv2D(2, number, 3), "outputs", 1),
    (lambda number: Conv2D(2, 2, 3, stride=number), "Conv2D: stride", 1),
    (lambda number: Conv2D(2, 2, 3, padding=number), "Conv2D: padding", 0),
    (lambda number: MaxPool(number), "MaxPool: k", 1), (lambda number: MaxPool(2, number), "MaxPool: stride", 1),
    (lambda number: AveragePool(number), "AveragePool: k", 1),
    (lambda number: AveragePool(2, number), "AveragePool: stride", 1),
    (lambda number: Dense(number, 2), "inputs", 1), (lambda number: Dense(2, number), "outputs", 1)])
def test_a_layer_refuses_a_size_a_stride_and_a_border_that_make_no_sense_when_it_is_made(make, name, least, wrong):
    if wrong == 0 and least == 0 or wrong is None and name in ("MaxPool: stride", "AveragePool: stride"):
        make(wrong)  # no border; the windows side by side
        return
    with pytest.raises(ValueError, match=f"{name} .*must be a whole number of at least {least}"):
        make(wrong)
    make(np.int64(2))


@pytest.mark.parametrize("bias, columns", [(None, 4), (0, 4), (np.False_, 4), (1, 5), (np.True_, 5)])
def test_a_bias_is_there_or_not(bias, columns):
    assert Dense(4, 3, bias=bias).shapes == [(3, columns)] and Dense(4, 3, bias=bias).size == 3 * columns
    assert repr(Dense(4, 3, bias=bias)) == f"Dense(4, 3{', bias=False' * (columns == 4)})"


# ---------------------------------------------------------------------------------------------------------- dropout

def dropped(rate=0.3, seed=(0, 1), shape=(200, 100), dtype=float, **how):
    return Dropout(rate).forward(np.zeros(0), np.ones(shape, dtype), Mode(seed=seed, **how))[0]


def test_unless_said_otherwise_dropout_drops_half():
    y = Dropout().forward(np.zeros(0), np.ones((200, 100)), Mode())[0]
    assert set(np.unique(y)) == {0, 2} and abs((y == 0).mean() - 0.5) < 4 * sqrt(0.25 / y.size)


def test_dropout_drops_its_share_and_divides_the_rest_by_what_is_left():
    y = dropped(0.3)
    assert set(np.unique(y)) == {0, 1 / 0.7}
    assert abs((y == 0).mean() - 0.3) < 4 * sqrt(0.3 * 0.7 / y.size)


def test_dropout_leaves_the_mean_as_it_is():
    assert abs(np.mean([dropped(0.5, (0, t)) for t in range(20)]) - 1) < 4 / sqrt(20 * 20_000)


def test_dropout_drops_every_number_independently_of_its_neighbours():
    y = dropped(0.5) - 1  # −1 and 1
    assert abs((y[1:] * y[:-1]).mean()) < 0.03 and abs((y[:, 1:] * y[:, :-1]).mean()) < 0.03


def test_the_mask_is_a_function_of_the_seed():
    assert_array_equal(dropped(seed=(0, 1)), dropped(seed=(0, 1)))
    assert (dropped(seed=(0, 1)) != dropped(seed=(0, 2))).mean() > 0.3


def test_the_mask_is_the_same_in_both_precisions():
    assert_array_equal(dropped(dtype=np.float32) == 0, dropped(dtype=np.float64) == 0)


def test_two_dropout_layers_of_a_network_have_masks_of_their_own():
    y, (first, second) = Chain(Dropout(0.5), Dropout(0.5)).forward(np.zeros(0), np.ones((100, 100)), Mode())
    assert abs((y != 0).mean() - 0.25) < 0.02 and (first != second).any()


def test_in_evaluation_nothing_is_dropped():
    assert_array_equal(dropped(training=False), 1)


def test_a_rate_of_zero_drops_nothing():
    assert_array_equal(dropped(0.0), 1)


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan")])
def test_dropout_says_what_share_it_can_drop(rate):
    with pytest.raises(ValueError, match=rf"Dropout drops a share of its inputs, in \[0, 1\); {rate} was asked for"):
        Dropout(rate)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("Dense.backward", "the mean over the examples, where what arrives is a mean already",
     "dy.sum(axis=0)",
     "dy.mean(axis=0)",
     "test_backward_gives_the_derivatives_of_forward"),
    ("Dropout.forward", "what is left is not divided by its share",
     ".astype(x.dtype) / (1 - self.rate)",
     ".astype(x.dtype)",
     "test_dropout_leaves_the_mean_as_it_is"),
    ("Dense.kronecker_factors", "* the factors are centred, as covariances are",
     "second_moment(x, n)",
     "second_moment(x - x.mean(axis=0), n)",
     "problems.test_minibatch::test_the_factors_are_second_moments_and_not_covariances"),
    ("Dense.kronecker_factors", "* a constant is forgotten: G is twice too large",
     "second_moment(dy, n * places)",
     "2 * second_moment(dy, n * places)",
     "problems.test_minibatch::test_for_one_linear_layer_and_squared_error_it_is_for_any_batch"),
    ("Dense.kronecker_factors", "* off by the number of places at which a convolution uses its weights",
     "second_moment(dy, n * places)",
     "second_moment(dy, n)",
     "problems.test_minibatch::test_the_expanded_form_sums_a_and_averages_g_over_the_places"),
]
