"""Convolutions with few channels, whose tiles have pixels side by side: the same numbers, and nothing out of place."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import convolution, pixels
from numopt.kernels.patches import places
from numopt.kernels.tiles import sixteens
from tests.kernels.both import PRECISIONS, assert_both_agree, needs_numba, normal
from tests.kernels.test_convolution import SHAPES, assert_inside


@pytest.mark.parametrize("channels, outputs", [(1, 1), (3, 16), (2, 40), (17, 33)])
def test_no_table_leads_out_of_its_arrays(channels, outputs):
    for rows, columns, k, stride, padding in SHAPES:
        h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
        image = (rows + 2 * padding) * (columns + 2 * padding) * channels
        sums = (k + 1) * outputs * sixteens(k * channels)
        assert_inside(pixels.runs_table((rows, columns, channels), outputs, k, stride, padding),
                      {"a": h * w * outputs, "b": image + 32 + channels, "start": sums, "out": sums})
        if stride == 1:
            assert_inside(pixels.pixels_table((rows, columns, channels), (h, w, outputs), k, padding),
                          {"a": k * k * channels * outputs, "b": rows * channels * (sixteens(w) + k - 1),
                           "start": 32 * outputs, "out": h * outputs * sixteens(w)})


def test_every_sum_is_in_the_table_once():
    for rows, columns, k, stride, padding in SHAPES:
        h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
        sums = [o0 + p * op + q for P, Q, *_, o0, op in pixels.runs_table((rows, columns, 2), 5, k, stride, padding)
                for p in range(P) for q in range(Q)]
        of_b = k * 5 * sixteens(2 * k)
        assert sorted(sums) == [*range(of_b), *(of_b + p * sixteens(2 * k) + q for p in range(5) for q in range(16))]
        if stride == 1:
            table = pixels.pixels_table((rows, columns, 2), (h, w, 5), k, padding)
            sums = [o0 + p * op + q for P, Q, *_, o0, op in table for p in range(P) for q in range(Q)]
            assert sorted(sums) == list(range(h * 5 * sixteens(w)))


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k, padding", [(1, 0), (3, 0), (3, 1), (3, 2), (5, 0), (5, 4), (2, 3)])
def test_few_channels_give_what_they_give_in_numpy(k, padding, dtype):
    a = normal(np.random.default_rng(k), dtype)
    full = 16 + k - 1 - 2 * padding  # as wide as a tile, with the last pixel of a patch at the last of a row
    for rows, columns, channels, outputs in [(5, 13, 3, 6), (6, 16, 1, 1), (9, 31, 2, 4), (5, 40, 6, 3),
                                             (6, full, 2, 3)]:
        x, h, w = a(9, rows, columns, channels), places(rows, k, 1, padding), places(columns, k, 1, padding)
        dy, matrix = a(9, h, w, outputs), a(outputs, k * k * channels + 1)
        assert pixels.side_by_side(outputs, w)
        assert_both_agree(convolution.convolution, (x, matrix, k, 1, padding), dtype)
        assert_both_agree(convolution.convolution_by_weights, (x, dy, k, 1, padding, True), dtype)
        assert_both_agree(convolution.convolution_by_weights_of_each, (x, dy, k, 1, padding, True), dtype)
        assert_both_agree(convolution.convolution_by_inputs, (dy, matrix, x.shape, k, 1, padding), dtype)


@needs_numba
def test_an_infinite_weight_times_a_zero_around_the_images_is_not_lost():
    x, matrix = np.ones((9, 12, 13, 4)), np.ones((2, 36))
    matrix[0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        y = convolution.convolution(x, matrix, 3, 1, 1)
        assert_array_equal(y, convolution.convolution.numpy(x, matrix, 3, 1, 1))
    assert np.isnan(y[:, 0, :, 0]).all() and np.isinf(y[:, 1:, 1:, 0]).all() and np.isfinite(y[..., 1]).all()


@needs_numba
@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("channels, outputs, k, stride, padding", [(2, 3, 3, 1, 0), (20, 17, 3, 1, 1), (2, 3, 2, 3, 1)])
def test_what_is_not_finite_among_weights_images_or_derivatives_comes_out_where_it_does_in_numpy(
        channels, outputs, k, stride, padding, number):
    a = normal(np.random.default_rng(3), float)
    x = a(2, 6, 8, channels)
    dy = a(2, places(6, k, stride, padding), places(8, k, stride, padding), outputs)
    matrix = a(outputs, k * k * channels + 1)
    for array in x, dy, matrix:
        for place in 0, array.size // 2, -2:  # the last number of the matrix is a bias
            before, array.flat[place] = array.flat[place], number
            for kernel, arguments in [(convolution.convolution, (x, matrix)),
                                      (convolution.convolution_by_weights, (x, dy)),
                                      (convolution.convolution_by_weights_of_each, (x, dy)),
                                      (convolution.convolution_by_inputs, (dy, matrix, x.shape))]:
                arguments = (*arguments, k, stride, padding)
                arguments += (True,) if "by_weights" in kernel.__name__ else ()
                with np.errstate(invalid="ignore"):
                    wanted = kernel.numpy(*arguments)
                    found = (kernel.compiled if kernel.lets_in(arguments) else kernel)(*arguments)
                assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
            array.flat[place] = before


@needs_numba
def test_the_sums_of_a_derivative_by_a_weight_do_not_depend_on_the_other_images_of_a_piece():
    a = normal(np.random.default_rng(3), float)
    x, dy = a(17, 8, 9, 3), a(17, 6, 7, 4)
    one_by_one = sum(convolution.convolution_by_weights.compiled(x[i:i + 1], dy[i:i + 1], 3, 1, 0, True)
                     for i in range(17))
    assert_allclose(convolution.convolution_by_weights.compiled(x, dy, 3, 1, 0, True), one_by_one, atol=1e-12)
