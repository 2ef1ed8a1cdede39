"""What the tests of all kernels share: numbers to try them on, and that both versions of one agree."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import twins

ROOT = Path(__file__).parents[2]
PRECISIONS = [np.float32, np.float64]

needs_numba = pytest.mark.skipif(not twins.started(), reason="there is no Numba, or it is switched off")


def normal(random, dtype):
    return lambda *shape: random.standard_normal(shape).astype(dtype)


def arrays_of(result):
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]


def cases_of(cases, name, dtype=np.float64, seed=0):
    """The lists of arguments of one kernel, by the table of its module."""
    found = [tuple(case) for case in cases[name](normal(np.random.default_rng(seed), dtype))]
    assert len(found) >= 2
    return found


def assert_both_agree(kernel, arguments, dtype):
    """In shape, precision and, to rounding, in every number; and neither writes into what it is given."""
    before = [np.copy(argument) for argument in arguments]
    both = arrays_of(kernel.numpy(*arguments)), arrays_of(kernel.compiled(*arguments))
    for mine, other in zip(*both, strict=True):
        assert mine.shape == other.shape and mine.dtype == other.dtype
        finite = np.isfinite(mine)
        assert_array_equal(np.isfinite(other), finite)
        scale = np.abs(mine[finite]).max(initial=1.0)
        assert_allclose(other[finite], mine[finite], rtol=0, atol=300 * np.finfo(dtype).eps * scale)
    for argument, copy in zip(arguments, before):
        assert_array_equal(argument, copy)


def assert_views_will_do(kernel, arguments):
    """Arrays that are not contiguous, and that nobody may write into."""
    def view(argument):
        if isinstance(argument, tuple):
            return tuple(map(view, argument))
        if isinstance(argument, np.ndarray):
            argument = np.repeat(argument, 2, axis=-1)[..., ::2]
            argument.flags.writeable = False
        return argument

    views = map(view, arguments)
    for mine, other in zip(arrays_of(kernel.numpy(*arguments)), arrays_of(kernel.compiled(*views)), strict=True):
        assert_allclose(other, mine, rtol=1e-10, atol=1e-10)


def run(program, **environment):
    """What a process of its own prints."""
    path = {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                          env=os.environ | path | environment)


def images(a):
    """(images, k, stride, padding): odd sides, patches that leave pixels over, overlap, or reach beyond the border; and
    sides and numbers of images that are larger than what is done at a time."""
    for shape, k, stride, padding in [((1, 3, 3, 1), 3, 1, 1), ((3, 7, 5, 2), 3, 2, 1), ((2, 5, 8, 3), 2, 2, 0),
                                      ((9, 6, 6, 4), 5, 1, 2), ((2, 4, 5, 1), 1, 1, 0), ((2, 6, 7, 2), 2, 3, 0),
                                      ((2, 3, 13, 20), 3, 1, 1), ((3, 5, 9, 35), 1, 2, 0),
                                      ((2, 67, 35, 1), 3, 1, 1), ((600, 3, 4, 1), 2, 1, 0)]:
        yield a(*shape), k, stride, padding
