"""Windows in lanes: what is written behind a pixel's own channels is overwritten, whatever their number."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from numopt.kernels import pooling
from tests.kernels.both import PRECISIONS, needs_numba
from tests.kernels.test_tiles import assert_callers_change_with


def test_files_with_twins_that_call_the_lanes_change_with_them():
    assert_callers_change_with("lanes", {"pooling"})


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_any_number_of_channels_is_pooled_as_it_is_in_numpy(dtype):
    for channels, (rows, columns, k, stride) in product((1, 2, 6, 15, 16, 17, 33), [(4, 6, 2, 2), (5, 7, 2, 2),
                                                                                    (6, 6, 3, 3), (5, 6, 3, 2)]):
        x = np.random.default_rng(channels).standard_normal((10, rows, columns, channels)).astype(dtype)
        for image in range(10):
            x[image].flat[-1 - image] = np.nan if image % 2 else np.inf
        y, which = pooling.max_pool.numpy(x, k, stride, 0.0)
        for mine, other in zip((y, which), pooling.max_pool.compiled(x, k, stride, 0.0), strict=True):
            assert_array_equal(other, mine)
        assert_array_equal(pooling.max_pool_chosen.compiled(x, which, k, stride),
                           pooling.max_pool_chosen.numpy(x, which, k, stride))
        assert_array_equal(pooling.max_pool_backward.compiled(1 + y, which, x.shape, k, stride) == 0,
                           pooling.max_pool_backward.numpy(1 + y, which, x.shape, k, stride) == 0)
