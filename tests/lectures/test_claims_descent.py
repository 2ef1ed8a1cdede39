"""What lecture 2 claims and no other test holds."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizers import gradient_descent, normalized_descent, sign_descent
from numopt.problems import Clipped, Function, Quadratic
from numopt.record import path

# Hills and valleys of curvature between −1 and 1: L = 1, and f is at least −size.
HILLS = Function(lambda theta: np.cos(theta).sum(), lambda theta: -np.sin(theta), size=8)


@pytest.mark.parametrize("seed", range(4))
def test_one_of_the_gradients_is_as_small_as_the_fall_allows(seed):
    start = np.random.default_rng(seed).uniform(-1.5, 1.5, 8)
    thetas = path(gradient_descent(HILLS, start, lr=1.0), 60)
    values = np.array([HILLS.value(theta) for theta in thetas])
    squares = np.sum(np.sin(thetas)**2, axis=1)
    assert (values[1:] <= values[:-1] - squares[:-1] / 2 + 1e-12).all()
    for T in (1, 5, 20, 60):
        assert squares[:T].min() <= 2 * (values[0] + 8) / T
    faster = path(gradient_descent(HILLS, start, lr=2.5), 60)  # beyond 2/L a step may raise f
    values = np.array([HILLS.value(theta) for theta in faster])
    assert (np.diff(values) > 0).any()


def test_clipped_to_little_descent_is_normalized_and_by_number_it_is_sign_descent():
    bowl, start, c, lr = Quadratic(np.diag([1.0, 5.0, 2.0])), [3.0, -2.0, 1.0], 1e-3, 0.7
    assert_allclose(path(gradient_descent(Clipped(bowl, norm=c), start, lr=lr), 50),
                    path(normalized_descent(bowl, start, lr=lr * c), 50))
    assert_allclose(path(gradient_descent(Clipped(bowl, element=c), start, lr=lr), 50),
                    path(sign_descent(bowl, start, lr=lr * c), 50))
    loose = path(gradient_descent(Clipped(bowl, norm=1e3), start, lr=0.1), 50)
    assert_allclose(loose, path(gradient_descent(bowl, start, lr=0.1), 50))
