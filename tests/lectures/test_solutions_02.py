"""The solutions of lecture 2, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import gradient_descent, proximal_descent
from numopt.problems import EmpiricalRisk, Function, Lasso, Quadratic
from numopt.record import path


@pytest.mark.parametrize("kappa, best, safe", [(10, 12, 22), (100, 116, 230), (1000, 1152, 2302)])
def test_solution_2_1_steps_to_a_tenth(kappa, best, safe):
    for lr, steps in ((2 / (kappa + 1), best), (1 / kappa, safe)):
        error = np.abs(path(gradient_descent(Quadratic(np.diag([1.0, kappa])), [1.0, 1.0], lr=lr), steps)).max(axis=1)
        assert error[-1] <= 0.1 < error[-2]


@pytest.mark.parametrize("eta, converges", [(0.3, True), (0.39, True), (0.41, False)])
def test_solution_2_2_noise_that_ends_with_the_error(eta, converges):
    lam, sigma = 1.0, 2.0  # the edge is 2 λ / (λ² + σ²) = 0.4
    share = (1 - eta * lam)**2 + eta**2 * sigma**2
    assert (share < 1) == converges == (eta < 2 * lam / (lam**2 + sigma**2))
    rng = np.random.default_rng(0)
    e = np.ones(400_000)
    for _ in range(3):
        e = (1 - eta * lam) * e - eta * sigma * e * rng.standard_normal(e.size)
    assert_allclose(np.mean(e**2), share**3, rtol=0.03)


def test_solution_2_4_the_two_pulls():
    u, eta, gamma, x = 1.7, 0.3, 0.8, np.linspace(-3, 3, 60_001)
    for r, answer in ((gamma * x**2 / 2, u / (1 + eta * gamma)), (gamma * np.abs(x), u - eta * gamma)):
        assert abs(x[np.argmin(r + (x - u)**2 / (2 * eta))] - answer) < 1e-4
    for slope in (-1.5, -0.5, 0.5, 1.5):  # at 0, with the price 0.8: it stays if the slope is less
        line = Lasso(Function(lambda theta: slope * theta.sum(), lambda theta: np.full(1, slope), size=1), 0.8)
        stays = next(proximal_descent(line, [0.0], lr=0.1))[0] == 0
        downhill = min(line.value(np.array([d])) for d in (-1e-3, 1e-3)) < line.value(np.zeros(1))
        assert stays == (abs(slope) <= 0.8) == (not downhill)


def test_solution_2_5_a_rate_proportional_to_the_batch_gives_the_same_loss_for_small_batches():
    data = digits()
    network = mlp([64, 16, 10])

    def loss(size, lr):
        risk = EmpiricalRisk(network, data.X_train, data.Y_train, batch_size=size, seed=0)
        *_, theta = path(gradient_descent(risk, network.initial(seed=0), lr=lr), 3 * risk.steps_per_epoch)
        return risk.whole.value(theta)

    reference = loss(16, 0.05)
    assert abs(loss(32, 0.1) / reference - 1) < 0.1 and abs(loss(64, 0.2) / reference - 1) < 0.15
    assert loss(64, 0.05) > 2 * reference


@pytest.mark.parametrize("lam", [0.05, 0.5])
def test_solution_2_6_a_decay_for_every_mini_batch_ends_before_the_goal(lam):
    along = Quadratic([[lam]])
    left = path(gradient_descent(along, [1.0], lr=lambda t: 0.1 * 0.95**(t - 1)), 3000)[:, 0]
    assert_allclose(left[-1], np.exp(-lam * 0.1 / 0.05), rtol=0.02)  # Σ α = 2
    assert_allclose(left[-1], left[300], rtol=1e-5)
