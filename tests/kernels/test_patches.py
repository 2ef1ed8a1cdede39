"""Where the patches of an image are, and what is in them, against numbers counted by hand."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels.patches import are_places, overlapped, patches, places
from tests.kernels.both import images, normal


@pytest.mark.parametrize("length, k, stride, padding", [(5, 3, 1, 0), (5, 3, 1, 1), (6, 2, 2, 0), (7, 2, 3, 1),
                                                        (4, 4, 9, 0), (1, 5, 2, 3)])
def test_there_are_as_many_patches_along_a_side_as_can_be_put_there_one_by_one(length, k, stride, padding):
    starts = range(-padding, length + padding - k + 1, stride)
    assert places(length, k, stride, padding) == len(starts)


def test_a_patch_is_a_row_of_rows_of_pixels_and_a_pixel_beyond_the_border_is_0():
    x = np.arange(1.0, 13.0).reshape(1, 2, 3, 2)
    assert_array_equal(patches(x, 2, 1, 0), [[1, 2, 3, 4, 7, 8, 9, 10], [3, 4, 5, 6, 9, 10, 11, 12]])
    far_corner = patches(x, 2, 2, 1)[-1]  # rows 1 and 2, columns 1 and 2: the second row is beyond the border
    assert_array_equal(far_corner, [9, 10, 11, 12, 0, 0, 0, 0])


def test_overlapped_is_the_transpose_of_patches():
    random = np.random.default_rng(0)
    for x, k, stride, padding in images(normal(random, np.float64)):
        rows = patches(x, k, stride, padding)
        P = random.standard_normal(rows.shape)
        assert_allclose((P * rows).sum(), (overlapped(P, x.shape, k, stride, padding) * x).sum(), rtol=1e-10)


def test_patches_that_do_not_fit_are_known():
    assert are_places((1, 5, 5, 1), 5, 1, 0) and are_places((1, 3, 5, 1), 5, 1, 1, (1, 1, 3, 7))
    for shape, k, stride, padding in [((1, 4, 5, 1), 5, 1, 0), ((1, 5, 4, 1), 5, 1, 0), ((1, 5, 5, 1), 0, 1, 0),
                                      ((1, 5, 5, 1), 3, 0, 0), ((1, 5, 5, 1), 3, -1, 0), ((1, 5, 5, 1), 3, 1, -1)]:
        assert not are_places(shape, k, stride, padding)
    assert not are_places((1, 5, 5, 1), 3, 1, 0, (1, 3, 2, 1)) and not are_places((1, 5, 5, 1), 3, 1, 0, (1, 2, 3, 1))
