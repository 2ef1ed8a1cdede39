"""Convolutions and pools: what they compute; that their derivatives are right is tested with all the other layers."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate2d

from numopt.kernels.patches import patches
from numopt.networks import AveragePool, Conv2D, Dense, MaxPool, Mode, ReLU
from numopt.networks.convolution import joined


def close(a, b):
    assert a.shape == b.shape
    assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("rows, columns", [(7, 5), (4, 6)])
@pytest.mark.parametrize("k, stride, padding", [
    (1, 1, 0), (3, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0), (2, 3, 2), (4, 1, 3)])
def test_a_convolution_correlates_every_channel_and_adds_them_up(rows, columns, k, stride, padding):
    random = np.random.default_rng(5)
    layer = Conv2D(2, 3, k, stride, padding)
    w, x = random.standard_normal(layer.size), random.standard_normal((2, rows, columns, 2))
    matrix = w.reshape(3, -1)
    kernels, biases = matrix[:, :-1].reshape(3, k, k, 2), matrix[:, -1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    y, _ = layer.forward(w, x, Mode())
    for image, answer in zip(padded, y):
        for kernel, b, map_ in zip(kernels, biases, answer.transpose(2, 0, 1)):
            full = sum(correlate2d(image[:, :, c], kernel[:, :, c], mode="valid") for c in range(2))
            close(map_, full[::stride, ::stride] + b)


@pytest.mark.parametrize("layer", [Conv2D(3, 4, 3), Conv2D(3, 4, 2, 2, 1), MaxPool(2), AveragePool(3, 1)])
@pytest.mark.parametrize("rows, columns", [(7, 12), (12, 7)])
def test_the_shape_that_is_foretold_is_that_of_the_outputs(layer, rows, columns):
    mode = Mode(training=True)
    y, _ = layer.forward(np.zeros(layer.size), np.ones((2, rows, columns, 3)), mode)
    assert layer.output_shape((rows, columns, 3)) == y.shape[1:]


def test_a_convolution_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y, _ = Conv2D(1, 1, 2).forward(np.array([1.0, 0.0, 0.0, -1.0, 0.5]), x, Mode())  # upper left − lower right + 0.5
    assert_array_equal(y[0, :, :, 0], np.full((2, 2), -3.5))


def test_a_patch_is_laid_out_as_row_column_channel():
    image = np.arange(2 * 3 * 2.0).reshape(1, 2, 3, 2)
    assert_array_equal(patches(image, 2, 1, 0), [[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]])


def test_a_convolution_of_the_whole_image_is_a_dense_layer():
    random = np.random.default_rng(0)
    w, x = random.standard_normal(3 * 19), random.standard_normal((4, 3, 3, 2))
    y, _ = Conv2D(2, 3, 3).forward(w, x, Mode())
    close(y[:, 0, 0], Dense(18, 3).forward(w, x.reshape(4, -1), Mode())[0])


def test_a_convolution_starts_with_the_deviation_of_its_patches():
    fans = []
    Conv2D(3, 8, 5).initial(np.random.default_rng(0), lambda *given: fans.append(given) or 1.0)
    assert fans == [(75, 200)]


def windows(x, k, stride):
    """(place in the output, window) one after the other."""
    for i in range((x.shape[0] - k) // stride + 1):
        for j in range((x.shape[1] - k) // stride + 1):
            yield (i, j), x[i * stride:i * stride + k, j * stride:j * stride + k]


@pytest.mark.parametrize("k, stride", [(2, 2), (2, 1), (3, 2), (1, 2), (3, 3)])
@pytest.mark.parametrize("pool, number", [(MaxPool, np.max), (AveragePool, np.mean)])
def test_a_pool_has_one_number_for_each_window(pool, number, k, stride):
    x = np.random.default_rng(0).standard_normal((2, 7, 5, 3))
    y, _ = pool(k, stride).forward(np.zeros(0), x, Mode())
    for image, answer in zip(x, y):
        for place, window in windows(image, k, stride):
            close(answer[place], number(window, axis=(0, 1)))


def test_the_windows_of_a_pool_are_side_by_side_unless_said_otherwise():
    assert MaxPool(2).stride == 2 and MaxPool(3, 1).stride == 1


def test_of_equal_numbers_the_first_is_the_largest_and_gets_the_whole_derivative():
    x = np.array([[5.0, 5.0, 1.0], [5.0, 5.0, 1.0]]).reshape(1, 2, 3, 1)
    pool = MaxPool(2, 1)
    y, saved = pool.forward(np.zeros(0), x, Mode())
    dx = pool.backward(np.zeros(0), saved, np.array([1.0, 10.0]).reshape(y.shape), None)
    assert_array_equal(dx[0, :, :, 0], [[1, 10, 0], [0, 0, 0]])


def test_overlapping_windows_add_their_derivatives():
    x = np.array([[1.0, 9.0, 2.0]] * 2).reshape(1, 2, 3, 1)
    pool = MaxPool(2, 1)
    _, saved = pool.forward(np.zeros(0), x, Mode())
    dx = pool.backward(np.zeros(0), saved, np.array([1.0, 10.0]).reshape(1, 1, 2, 1), None)
    assert_array_equal(dx[0, :, :, 0], [[0, 11, 0], [0, 0, 0]])


def test_a_window_may_be_larger_than_a_byte_can_count():
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 16] = 1
    y, saved = MaxPool(17).forward(np.zeros(0), x, Mode())
    assert_array_equal(MaxPool(17).backward(np.zeros(0), saved, np.ones_like(y), None), x)


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_windows_lie_side_by_side_unless_a_stride_is_given(pool, k):
    assert pool(k).output_shape((12, 13, 2)) == (12 // k, 13 // k, 2)
    x = np.random.default_rng(0).standard_normal((2, 12, 12, 2))
    y, _ = pool(k).forward(None, x, Mode())
    blocks = x.reshape(2, 12 // k, k, 12 // k, k, 2)
    assert_allclose(y, blocks.max(axis=(2, 4)) if pool is MaxPool else blocks.mean(axis=(2, 4)))


@pytest.mark.parametrize("first, second", [(type("Mine", (ReLU,), {}), MaxPool), (ReLU, type("Mine", (MaxPool,), {}))])
def test_what_is_derived_from_a_relu_or_a_pooling_is_run_as_it_is(first, second):
    layers = first(), second(2)
    assert joined(layers) == [*layers] and len(joined([ReLU(), MaxPool(2)])) == 1
