"""Second moments and averages by blocks, against the same in one piece."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels.moments import averaged, second_moment

DTYPES = pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])


@DTYPES
@pytest.mark.parametrize("rows, columns, block", [(7, 5, 384), (7, 5, 2), (3, 8, 4), (1, 1, 1), (20, 9, 3), (4, 10, 7)])
def test_a_second_moment_is_the_mean_of_outer_products_and_symmetric(rows, columns, block, dtype, rtol):
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    A = second_moment(x, 5, block)
    assert A.dtype == dtype
    assert_array_equal(A, A.T)
    assert_allclose(A, sum(np.outer(x_i, x_i) for x_i in x.astype(float)) / 5, rtol=rtol, atol=rtol)


def test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal():
    x = np.random.default_rng(1).standard_normal((6, 900)).astype(np.float32)
    A = second_moment(x, 6)
    assert_array_equal(A, A.T)
    assert_allclose(A, x.T.astype(float) @ x / 6, atol=1e-5)


@DTYPES
@pytest.mark.parametrize("numbers", [1, 7, 12, 1000])
def test_an_average_is_the_same_numbers_whatever_is_done_at_a_time(numbers, dtype, rtol):
    old, new = np.random.default_rng(2).standard_normal((2, 5, 4)).astype(dtype)
    before = old.copy(), new.copy()
    found = averaged(old, new, 0.9, numbers)
    assert found.dtype == dtype
    assert_array_equal(found, dtype(0.9) * old + dtype(1 - 0.9) * new)
    assert_array_equal(averaged(0.0, new, 0.0, numbers), new)
    assert_array_equal((old, new), before)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("second_moment", "the other side of the diagonal is forgotten",
     "A[there, here] = part.T",
     "A[there, here] = part.T if i == j else 0",
     "test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal"),
    ("second_moment", "the block is not turned round",
     "A[there, here] = part.T",
     "A[there, here] = part.reshape(part.T.shape)",
     "test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal"),
    ("averaged", "a block of the old for all",
     "beta * old[here]",
     "beta * old[:len(new[here])]",
     "test_an_average_is_the_same_numbers_whatever_is_done_at_a_time"),
]
