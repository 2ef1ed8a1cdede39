"""The hot loops of ReLU and of max-pooling: each twin does what its NumPy version does, where numbers tie too."""
import numpy as np
import pytest

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
