"""The hot loops of ReLU and of max-pooling: each twin does what its NumPy version does, where numbers tie too."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import pooling
from numopt.kernels.patches import places
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, images, needs_numba


def which_of(x, k, stride):
    return pooling.max_pool.numpy(x, k, stride, -np.inf)[1]


def outputs_of(x, k, stride, padding, channels, a):
    h, w = (places(length, k, stride, padding) for length in x.shape[1:3])
    return a(len(x), h, w, channels)


CASES = {
    "relu": lambda a: [(a(1),), (a(7, 3),), (a(2, 5, 3, 4),)],
    "relu_backward": lambda a: [(a(1), a(1)), (a(2, 5, 3, 4), a(2, 5, 3, 4))],
    "max_pool": lambda a: ((x, k, stride, least) for x, k, stride, _ in images(a) for least in (-np.inf, 0.3)),
    "max_pool_chosen": lambda a: ((x, which_of(x, k, stride), k, stride) for x, k, stride, _ in images(a)),
    "max_pool_backward": lambda a: ((outputs_of(x, k, stride, 0, x.shape[3], a), which_of(x, k, stride),
                                     x.shape, k, stride) for x, k, stride, _ in images(a)),
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(pooling, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(pooling, name), cases_of(CASES, name, seed=1)[-1])


# ------------------------------------------------------------------------------------- where a twin may go its own way

@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k, stride", [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_of_equal_numbers_the_twin_takes_the_first_too(k, stride, dtype):
    x = np.random.default_rng(0).integers(-1, 3, (9, 7, 8, 5)).astype(dtype)
    for least in (-np.inf, 0.0, 2.0):
        y, which = pooling.max_pool.compiled(x, k, stride, least)
        assert_array_equal(y, pooling.max_pool.numpy(x, k, stride, least)[0])
        assert_array_equal(which, pooling.max_pool.numpy(x, k, stride, least)[1])
    assert np.all(pooling.max_pool.compiled(np.ones_like(x), k, stride, 0.0)[1] == 0)
    assert np.all(pooling.max_pool.compiled(np.ones_like(x), k, stride, 1.0)[1] == k * k)


@needs_numba
def test_a_nan_comes_out_of_every_window_that_has_one_wherever_it_stands():
    for place in range(9):
        x = np.zeros((1, 3, 3, 1))
        x.flat[place] = np.nan
        assert np.isnan(pooling.max_pool.compiled(x, 3, 1, -np.inf)[0])
        assert np.flatnonzero(np.isnan(pooling.relu.compiled(x))) == place


@needs_numba
def test_at_the_kink_the_twin_has_no_slope():
    y, dy = np.array([0.0, -0.0, -1.0, 1e-300, 2.0]), np.array([3.0, 3.0, 3.0, 3.0, 3.0])
    assert_array_equal(pooling.relu_backward.compiled(y, dy), [0, 0, 0, 3, 3])


@needs_numba
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17])
@pytest.mark.parametrize("k, stride, rows, columns", [(2, 2, 7, 6), (2, 2, 6, 7), (2, 3, 8, 9), (3, 2, 8, 10),
                                                      (1, 4, 6, 5)])
def test_what_no_window_reaches_has_no_derivative_and_no_image_is_left_out(k, stride, rows, columns, n):
    random = np.random.default_rng(n)
    x = random.standard_normal((n, rows, columns, 3))
    which = which_of(x, k, stride)
    dy = random.standard_normal(which.shape)
    dx = pooling.max_pool_backward.compiled(dy, which, x.shape, k, stride)
    h, w = places(rows, k, stride, 0), places(columns, k, stride, 0)
    assert np.all(dx[:, (h - 1) * stride + k:] == 0) and np.all(dx[:, :, (w - 1) * stride + k:] == 0)
    assert_allclose(dx, pooling.max_pool_backward.numpy(dy, which, x.shape, k, stride), rtol=1e-14, atol=1e-15)
    assert_allclose((dx * x).sum(), (dy * pooling.max_pool_chosen.compiled(x, which, k, stride)).sum(), rtol=1e-10)


@needs_numba
@pytest.mark.parametrize("k, number", [(255, 255**2 - 1), (256, 2**16 - 1)])
def test_a_window_may_be_larger_than_16_bits_can_count(k, number):
    x = np.zeros((1, k, k, 1), np.float32)
    none = pooling.max_pool.compiled(x, k, 1, 0.0)[1]
    assert none.item() == k * k
    assert np.all(pooling.max_pool_backward.compiled(np.ones((1, 1, 1, 1), np.float32), none, x.shape, k, 1) == 0)
    x[0, -1, -1] = 2
    y, which = pooling.max_pool.compiled(x, k, 1, 0.0)
    dx = pooling.max_pool_backward.compiled(y, which, x.shape, k, 1)
    assert (y.item(), which.item()) == (2, number) and pooling.max_pool_chosen.compiled(x, which, k, 1).item() == 2
    assert np.flatnonzero(dx).tolist() == [number]
