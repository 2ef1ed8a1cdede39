"""The hot loops of convolution: each twin does what its NumPy version does, wherever the border is."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.kernels import convolution
from numopt.kernels.patches import places
from numopt.kernels.twins import reading
from numopt.networks import cnn
from numopt.problems import MiniBatch
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, images, needs_numba, run


def outputs_of(x, k, stride, padding, channels, a):
    h, w = (places(length, k, stride, padding) for length in x.shape[1:3])
    return a(len(x), h, w, channels)


CASES = {
    "convolution": lambda a: ((x, a(o, k * k * x.shape[3] + bias), k, stride, padding)
                              for (x, k, stride, padding), o, bias in product(images(a), (1, 5, 40), (0, 1))),
    "convolution_by_weights": lambda a: (
        (x, outputs_of(x, k, stride, padding, outputs, a), k, stride, padding, bias)
        for (x, k, stride, padding), outputs, bias in product(images(a), (5, 64), (False, True))),
    "convolution_by_inputs": lambda a: ((outputs_of(x, k, stride, padding, 5, a), a(5, k * k * x.shape[3]), x.shape, k,
                                         stride, padding) for x, k, stride, padding in images(a)),
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(convolution, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(convolution, name), cases_of(CASES, name, seed=1)[-1])


SUMS = """
import numpy as np
from numopt.kernels.convolution import convolution_by_weights
random = np.random.default_rng(0)
x, dy = random.standard_normal((20, 9, 9, 40)), random.standard_normal((20, 9, 9, 8))
print(convolution_by_weights.compiled(x, dy, 3, 1, 1, True).tobytes().hex())
"""


@needs_numba
def test_sums_do_not_depend_on_the_number_of_threads():
    one, several = run(SUMS, OMP_NUM_THREADS="1"), run(SUMS, OMP_NUM_THREADS="8")
    assert one.stdout == several.stdout and len(one.stdout) > 16 * 8 * 361, one.stderr


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_convolutional_network_has_the_same_derivatives_compiled(dtype):
    random, network = np.random.default_rng(2), cnn((12, 12, 3), channels=16)
    X, Y = random.standard_normal((40, 12, 12, 3)).astype(dtype), random.integers(0, 10, 40)
    theta, v = network.initial(0, dtype=dtype), random.standard_normal(network.size).astype(dtype)
    theta.flags.writeable = False

    def derivatives():
        loss = MiniBatch(network, X, Y)
        return [loss.gradient(theta), loss.hessian(theta) @ v, loss.fisher(theta) @ v]

    compiled = derivatives()
    with reading():
        for a, b in zip(compiled, derivatives()):
            assert a.dtype == dtype
            assert_allclose(a, b, rtol=0, atol=2000 * np.finfo(dtype).eps * np.abs(b).max())
