"""Convolutions of 3 × 3 pixels with fewer multiplications: the same numbers, also where they are not finite."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import convolution, winograd
from numopt.kernels.winograd import BY, matrices
from tests.kernels.both import PRECISIONS, assert_both_agree, needs_numba, normal

# (rows, columns) of y, in squares of 2 × 2 and of 4 × 4, few and many in a row; of channels and outputs, more than one
# tile and part of one, and more than a core's cache has room for
SIDES = [(2, 2), (4, 2), (2, 10), (4, 6), (6, 68), (4, 4), (8, 12), (4, 136)]
CHANNELS = [(16, 16), (48, 32), (16, 80), (64, 144)]


def cases(a, padding, images=5):
    """(x, matrix, dy) of convolutions that are done in squares."""
    for (h, w), (channels, outputs) in product(SIDES, CHANNELS):
        rows, columns = h + 2 - 2 * padding, w + 2 - 2 * padding
        if min(rows, columns) > 0 and h * w * channels * outputs < 1_000_000:
            yield a(images, rows, columns, channels), a(outputs, 9 * channels + 1), a(images, h, w, outputs)


@pytest.mark.parametrize("side", BY)
def test_neighbouring_sums_of_three_products_take_two_multiplications_more_than_there_are_sums(side):
    random, (B, AT, A, G, GT) = np.random.default_rng(0), BY[side]
    d, g = random.standard_normal(side + 2), random.standard_normal(3)
    assert_allclose(AT @ ((G @ g) * (B @ d)), [d[i:i + 3] @ g for i in range(side)], rtol=1e-12)
    for M in B, A:
        assert_array_equal(M.astype(np.float16), M)  # few digits, which are exact in every precision
    assert_array_equal(A.T, AT)
    assert_array_equal(G.T, GT)


@pytest.mark.parametrize("side", BY)
def test_in_two_directions_too_and_the_derivatives_by_the_weights(side):
    random, (B, AT, A, G, GT) = np.random.default_rng(1), BY[side]
    d, dy, g = (random.standard_normal((n, n)) for n in (side + 2, side, 3))
    y = [[(d[i:i + 3, j:j + 3] * g).sum() for j in range(side)] for i in range(side)]
    dg = [[(d[i:i + side, j:j + side] * dy).sum() for j in range(3)] for i in range(3)]
    assert_allclose(AT @ ((G @ g @ GT) * (B @ d @ B.T)) @ A, y, rtol=1e-11)
    assert_allclose(GT @ ((A @ dy @ AT) * (B @ d @ B.T)) @ G, dg, rtol=1e-11)


def test_the_points_are_free_and_opposite_ones_save_additions():
    d, g = np.random.default_rng(2).standard_normal((2, 5))
    B, A, G = matrices([0, 2, -1, 3])
    assert_allclose(A.T @ ((G @ g[:3]) * (B @ d)), [d[i:i + 3] @ g[:3] for i in range(3)], rtol=1e-11)
    for B, _, A, *_ in BY.values():
        signs = (-1.0)**np.arange(len(B))
        assert_array_equal(B[2:-1:2], B[1:-1:2] * signs)
        assert_array_equal(A[2:-1:2], A[1:-1:2] * signs[:-2])


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
@pytest.mark.parametrize("channels, n, size", [(16, 16, 32), (32, 16, 16), (64, 32, 8), (128, 32, 4)])
def test_squares_of_four_round_up_to_three_times_as_much_and_by_weights_up_to_eight_times(
        channels, n, size, monkeypatch):
    a = normal(np.random.default_rng(5), np.float32)
    x, matrix, dy = a(n, size, size, channels), a(channels, 9 * channels + 1), a(n, size, size, channels)

    def off(found, exact):
        return np.sqrt(np.mean((found - exact)**2) / np.mean(exact**2))

    for kernel, arguments, times in [(convolution.convolution, (x, matrix, 3, 1, 1), 3),
                                     (convolution.convolution_by_weights, (x, dy, 3, 1, 1, True), 8),
                                     (convolution.convolution_by_inputs, (dy, matrix, x.shape, 3, 1, 1), 3)]:
        exact = kernel.numpy(*(v.astype(float) if isinstance(v, np.ndarray) else v for v in arguments))
        squares = kernel.compiled(*arguments)
        with monkeypatch.context() as plain:
            plain.setattr(convolution, "in_squares", lambda *how: False)
            direct = kernel.compiled(*arguments)
        assert off(squares, exact) < min(times * off(direct, exact), 1e-6)
        if kernel is convolution.convolution_by_weights:  # by b: as many are added up as there are pixels
            assert off(squares[:, -1], exact[:, -1]) < 6e-7


@needs_numba
@pytest.mark.parametrize("side, times", [(2, 2), (4, 4)])
def test_in_single_precision_it_is_nearly_as_near_to_the_sums_as_what_multiplies_more(side, times, monkeypatch):
    a = normal(np.random.default_rng(4), np.float32)
    x, matrix, dy = a(8, 16, 16, 64), a(64, 9 * 64), a(8, 16, 16, 64)
    for kernel, arguments in [(convolution.convolution, (x, matrix, 3, 1, 1)),
                              (convolution.convolution_by_weights, (x, dy, 3, 1, 1, False)),
                              (convolution.convolution_by_inputs, (dy, matrix, x.shape, 3, 1, 1))]:
        exact = kernel.numpy(*(v.astype(float) if isinstance(v, np.ndarray) else v for v in arguments))
        with monkeypatch.context() as plain:
            plain.setattr(winograd, "side_of", lambda shape: side)
            fewer = np.abs(kernel.compiled(*arguments) - exact).max()
            plain.setattr(convolution, "in_squares", lambda *how: False)
            more = np.abs(kernel.compiled(*arguments) - exact).max()
        assert 0 < fewer < times * more and fewer != more


def test_in_squares_twins_have_any_number_of_weights_and_otherwise_no_more_than_a_cache_has_room_for():
    x, dy, matrix = np.zeros((2, 8, 8, 512)), np.zeros((2, 8, 8, 512)), np.zeros((512, 9 * 512))
    for stride, channels, pays in (1, 512, True), (2, 512, False), (1, 511, False):
        assert convolution.convolution.pays(x[..., :channels], matrix, 3, stride, 1) == pays
        assert convolution.convolution_by_weights.pays(x[..., :channels], dy, 3, stride, 1, False) == pays
        assert convolution.convolution_by_inputs.pays(dy[..., :channels], matrix, x.shape, 3, stride, 1) == pays
    assert not convolution.convolution.pays(x[:, :5], matrix, 3, 1, 1)
    assert convolution.convolution.pays(x[:, :5, :5], matrix[:16, :9 * 512], 3, 1, 1)


@needs_numba
def test_images_and_their_order_do_not_change_what_comes_out_of_each():
    a = normal(np.random.default_rng(5), np.float32)
    x, matrix = a(19, 4, 4, 32), a(16, 9 * 32)
    together = convolution.convolution.compiled(x, matrix, 3, 1, 1)
    for e in range(len(x)):
        assert_array_equal(convolution.convolution.compiled(x[e:e + 1], matrix, 3, 1, 1)[0], together[e])


MISTAKES = [
    ("matrices", "G is not divided by the products of the distances",
     "np.array(G) / np.array(by)[:, None]",
     "np.array(G)",
     "test_the_points_are_free_and_opposite_ones_save_additions"),
    ("matrices", "the coefficients begin with the highest power",
     "np.poly(points)[::-1]",
     "np.poly(points)",
     "test_the_points_are_free_and_opposite_ones_save_additions"),
    ("numopt.kernels.convolution::pays", "many weights with another stride than squares have",
     "in_squares(k, stride, channels, shape)",
     "in_squares(k, 1, channels, shape)",
     "test_in_squares_twins_have_any_number_of_weights_and_otherwise_no_more_than_a_cache_has_room_for"),
]
