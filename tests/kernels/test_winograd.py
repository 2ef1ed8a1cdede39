"""Convolutions of 3 × 3 pixels with fewer multiplications: the same numbers, also where they are not finite."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import convolution, winograd
from numopt.kernels.winograd import A, B, G
from tests.kernels.both import PRECISIONS, assert_both_agree, needs_numba, normal

# (rows, columns) of y, few and many squares in a row; of channels and outputs, more than one tile and part of one
SIDES, CHANNELS = [(2, 2), (4, 2), (2, 10), (4, 6), (6, 68)], [(16, 16), (48, 32), (16, 80)]


def cases(a, padding, images=5):
    """(x, matrix, dy) of convolutions that are done in squares."""
    for (h, w), (channels, outputs) in product(SIDES, CHANNELS):
        rows, columns = h + 2 - 2 * padding, w + 2 - 2 * padding
        if min(rows, columns) > 0:
            yield a(images, rows, columns, channels), a(outputs, 9 * channels + 1), a(images, h, w, outputs)


def test_two_sums_of_three_products_take_four_multiplications():
    d, g = np.random.default_rng(0).standard_normal((2, 4))
    g = g[:3]
    assert_allclose(A.T @ ((G @ g) * (B.T @ d)), [d[:3] @ g, d[1:] @ g], rtol=1e-13)
    assert {*A.ravel(), *B.ravel()} == {-1, 0, 1} and all((M > 0).any(axis=1).all() for M in winograd.BY)


def test_in_two_directions_sixteen_and_each_of_the_four_has_what_is_added_at_one_place():
    d, g = np.random.default_rng(1).standard_normal((2, 4, 4))
    g = g[:3, :3]
    wanted = [[(d[i:i + 3, j:j + 3] * g).sum() for j in range(2)] for i in range(2)]
    assert_allclose(A.T @ ((G @ g @ G.T) * (B.T @ d @ B)) @ A, wanted, rtol=1e-12)
    place = np.eye(16)[winograd.ALL].reshape(4, 4)
    assert_array_equal(A.T @ place @ A, np.ones((2, 2)))
    assert_allclose((A @ np.array(wanted) @ A.T).ravel()[winograd.ALL], np.sum(wanted))


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_in_squares_comes_out_what_comes_out_in_numpy(padding, dtype):
    tried = 0
    for x, matrix, dy in cases(normal(np.random.default_rng(padding), dtype), padding):
        assert winograd.in_squares(3, 1, x.shape[3], dy.shape)
        assert_both_agree(convolution.convolution, (x, matrix, 3, 1, padding), dtype)
        assert_both_agree(convolution.convolution, (x, matrix[:, :-1], 3, 1, padding), dtype)
        assert_both_agree(convolution.convolution_by_weights, (x, dy, 3, 1, padding, True), dtype)
        assert_both_agree(convolution.convolution_by_weights, (x, dy, 3, 1, padding, False), dtype)
        tried += 1
    assert tried >= 6


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_so_do_the_derivatives_by_the_inputs(padding, dtype):
    tried = 0
    for dy, matrix, x in cases(normal(np.random.default_rng(padding), dtype), 2 - padding):
        matrix = np.ascontiguousarray(matrix[:, :-1].reshape(-1, 9, dy.shape[3]).T.reshape(dy.shape[3], -1))
        assert winograd.in_squares(3, 1, dy.shape[3], x.shape)
        assert_both_agree(convolution.convolution_by_inputs, (dy, matrix, x.shape, 3, 1, padding), dtype)
        tried += 1
    assert tried >= 6


@needs_numba
def test_an_odd_side_or_a_channel_more_is_done_otherwise_and_right():
    a = normal(np.random.default_rng(2), float)
    for h, w, channels, outputs, k, stride in [(5, 6, 16, 16, 3, 1), (6, 5, 16, 16, 3, 1), (6, 6, 17, 16, 3, 1),
                                               (6, 6, 16, 15, 3, 1), (6, 6, 16, 16, 1, 1), (4, 4, 16, 16, 3, 2)]:
        x, dy = a(3, stride * (h - 1) + k, stride * (w - 1) + k, channels), a(3, h, w, outputs)
        assert not winograd.in_squares(k, stride, channels, dy.shape)
        matrix = a(outputs, k * k * channels)
        assert_both_agree(convolution.convolution, (x, matrix, k, stride, 0), float)
        assert_both_agree(convolution.convolution_by_weights, (x, dy, k, stride, 0, True), float)
        assert_both_agree(convolution.convolution_by_inputs, (dy, matrix, x.shape, k, stride, 0), float)


@needs_numba
@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, 1e308])
@pytest.mark.parametrize("padding", [0, 1])
def test_what_is_not_finite_or_would_not_be_on_the_way_comes_out_where_it_does_in_numpy(number, padding):
    a = normal(np.random.default_rng(3), float)
    x, matrix, dy = a(2, 8 - 2 * padding, 10 - 2 * padding, 16), 0.1 * a(32, 9 * 16), 0.1 * a(2, 6, 8, 32)
    for array in x, dy, matrix:
        for place in 0, array.size // 2, -1:
            before, array.flat[place] = array.flat[place], number
            for kernel, arguments in [(convolution.convolution, (x, matrix, 3, 1, padding)),
                                      (convolution.convolution_by_weights, (x, dy, 3, 1, padding, False)),
                                      (convolution.convolution_by_inputs, (dy, matrix, x.shape, 3, 1, padding))]:
                with np.errstate(invalid="ignore", over="ignore"):
                    wanted = kernel.numpy(*arguments)
                    found = (kernel.compiled if kernel.lets_in(arguments) else kernel)(*arguments)
                finite = np.isfinite(wanted)
                assert_array_equal(found[~finite], wanted[~finite])
                largest = np.abs(wanted[finite]).max()
                assert_allclose(found[finite], wanted[finite], rtol=1e-10, atol=1e-10 + 1e-14 * largest)
            array.flat[place] = before


@needs_numba
def test_in_single_precision_it_is_as_near_to_the_sums_as_what_multiplies_more(monkeypatch):
    a = normal(np.random.default_rng(4), np.float32)
    x, matrix, dy = a(8, 16, 16, 64), a(64, 9 * 64), a(8, 16, 16, 64)
    for kernel, arguments in [(convolution.convolution, (x, matrix, 3, 1, 1)),
                              (convolution.convolution_by_weights, (x, dy, 3, 1, 1, False)),
                              (convolution.convolution_by_inputs, (dy, matrix, x.shape, 3, 1, 1))]:
        exact = kernel.numpy(*(v.astype(float) if isinstance(v, np.ndarray) else v for v in arguments))
        with monkeypatch.context() as plain:
            fewer = np.abs(kernel.compiled(*arguments) - exact).max()
            plain.setattr(convolution, "in_squares", lambda *how: False)
            more = np.abs(kernel.compiled(*arguments) - exact).max()
        assert 0 < fewer < 2 * more and fewer != more


@needs_numba
def test_images_and_their_order_do_not_change_what_comes_out_of_each():
    a = normal(np.random.default_rng(5), np.float32)
    x, matrix = a(19, 4, 4, 32), a(16, 9 * 32)
    together = convolution.convolution.compiled(x, matrix, 3, 1, 1)
    for e in range(len(x)):
        assert_array_equal(convolution.convolution.compiled(x[e:e + 1], matrix, 3, 1, 1)[0], together[e])
