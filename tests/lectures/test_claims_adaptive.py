"""What lecture 4 claims and no other test holds."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import mlp
from numopt.optimizers import adam, rmsprop
from numopt.problems import MiniBatch, Noisy, Function, quadratic_with
from numopt.record import path
from numopt.schedules import exponential


def steps_in_a_valley(method, kappa, turned, limit=300):
    """The fewest steps to a hundredth of the distance, over rates and decays from a grid."""
    directions = [[1, 1], [1, -1]] if turned else np.eye(2)
    valley, start = quadratic_with([1, kappa], directions), np.array([1.0, 0.3])
    fewest = limit
    for lr in (0.03, 0.1, 0.3):
        for decay in (0.9, 0.97, 0.99):
            near = np.linalg.norm(path(method(valley, start, lr=exponential(lr, decay)), limit), axis=1) < 0.01
            if near[-1]:
                fewest = min(fewest, limit - int(np.argmin(near[::-1])) + 1)
    return fewest


@pytest.mark.parametrize("method", [adam, rmsprop])
def test_a_valley_along_the_axes_costs_diagonal_methods_little_and_a_turned_one_much(method):
    straight = [steps_in_a_valley(method, kappa, turned=False) for kappa in (1, 100)]
    turned = steps_in_a_valley(method, 100, turned=True)
    assert straight[1] < 1.5 * straight[0] and turned > 2.5 * straight[1]


def test_the_derivative_by_a_coordinates_rate_is_minus_the_product_of_its_gradients():
    rng = np.random.default_rng(0)
    network = mlp([3, 4, 3])
    loss = MiniBatch(network, rng.standard_normal((9, 3)), rng.integers(3, size=9))
    theta, lr, h = network.initial(seed=0), np.linspace(0.1, 0.5, network.size), 1e-5
    g = loss.gradient(theta)
    after = loss.gradient(theta - lr * g)
    for i in range(0, network.size, 5):
        d = h * np.eye(network.size)[i]
        slope = (loss.value(theta - (lr + d) * g) - loss.value(theta - (lr - d) * g)) / (2 * h)
        assert_allclose(slope, -after[i] * g[i], atol=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 5.0])
def test_adams_mean_step_is_that_of_a_sign_discounted_by_its_noise(sigma):
    slope = Function(lambda theta: 2 * theta.sum(), lambda theta: np.full(theta.shape, 2.0), size=200)
    x = path(adam(Noisy(slope, sigma), np.zeros(200), lr=1.0), 3000)
    assert_allclose((x[1000] - x[-1]).mean() / 2000, 1 / np.sqrt(1 + sigma**2 / 4), rtol=0.02)
