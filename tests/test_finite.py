"""Numbers that are too large, and NumPy, which is silent about them in a step and not outside."""
import warnings
from contextvars import ContextVar
from math import inf, nan

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from numopt.finite import is_finite
from numopt.optimizer import Diverged
from numopt.optimizers import gradient_descent
from numopt.problems import Function, Objective

SAID = ContextVar("said", default=0)


class Listening(Objective):
    """A slope that notes what is said around it, and in which a number becomes too large."""

    def __init__(self):
        self.heard = []

    def gradient(self, theta):
        self.heard.append(SAID.get())
        np.exp(1000.0 * theta)
        return np.ones_like(theta)


def test_a_step_sees_what_was_set_around_it_and_numpy_warns_as_before_outside():
    run, outside = gradient_descent(slope := Listening(), np.ones(2)), np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for said in (0, 1, np.arange(3), np.arange(3), 2):  # of two arrays nobody can say whether they are the same
            token = SAID.set(said)
            next(run)
            next(run)
            SAID.reset(token)
        assert_array_equal(np.concatenate([np.ravel(said) for said in slope.heard]),
                           [0, 0, 1, 1, *4 * [0, 1, 2], 2, 2])
        assert np.geterr() == outside and np.geterrcall() is None
        with np.errstate(over="raise"):
            next(run)
            assert np.geterr()["over"] == "raise"
        with pytest.raises(RuntimeWarning):
            np.exp(np.array([1000.0]))


@pytest.mark.parametrize("number", [2, 7, 8, 6000])
@pytest.mark.parametrize("dtype, size", [(np.float32, 3e38), (np.float64, 1.5e308)])
def test_an_iterate_whose_sum_and_square_are_too_large_is_finite_all_the_same(number, dtype, size):
    run = gradient_descent(Function(lambda x: 0.0, np.zeros_like), np.full(number, size, dtype), lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(next(run), dtype(size))
    for wrong in (nan, inf, -inf):
        run = gradient_descent(Function(lambda x: 0.0, lambda x: np.where(np.arange(number) == 1, wrong, 0 * x)),
                               np.ones(number, dtype))
        with pytest.raises(Diverged):
            next(run)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (10,), (2, 5)])
def test_an_array_is_finite_if_all_its_numbers_are(shape, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good = np.full(shape, np.finfo(dtype).max)
        assert is_finite(good) and is_finite(-good)
        for number in (nan, inf, -inf):
            for place in (0, -1):
                for bad in good.copy(), np.ones(shape, dtype):  # of the ones the others' sum is finite
                    bad.flat[place] = number
                    assert not is_finite(bad)
            assert not is_finite(number) and not is_finite(np.float32(number))
    assert is_finite(np.arange(10)) and is_finite(None) and is_finite(1) and is_finite(2.5)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("numopt.optimizer::Run.__next__", "what was set since the first step is not seen",
     "if not is_like(outside := copy_context(), self._outside):",
     "if not is_like(outside := self._outside or copy_context(), self._outside):",
     "test_a_step_sees_what_was_set_around_it_and_numpy_warns_as_before_outside"),
    ("is_finite", "a sum that is too large is a divergence",
     "isfinite(total) or bool(np.isfinite(value).all())",
     "isfinite(total)",
     "test_an_iterate_whose_sum_and_square_are_too_large_is_finite_all_the_same"),
    ("silent", "for all that comes afterwards",
     "inside.run(set)",
     "set()",
     "test_a_step_sees_what_was_set_around_it_and_numpy_warns_as_before_outside"),
]
