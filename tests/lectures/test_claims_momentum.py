"""What lecture 3 claims and no other test holds."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizers import gradient_descent, momentum, nesterov
from numopt.problems import Function, Noisy, Quadratic
from numopt.record import path


def slope(x):
    """Lessard, Recht and Packard (2016), equation 4.11: curvature 25, between 1 and 2 only 1."""
    return np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24))


LESSARD = Function(lambda x: 0.0, slope, size=1)


def test_on_lessards_function_the_heavy_ball_runs_in_a_circle_and_the_others_arrive():
    assert (np.diff(slope(np.linspace(-5, 5, 1001))) > 0).all()  # convex
    best = {"lr": 4 / (5 + 1)**2, "mu": ((5 - 1) / (5 + 1))**2}
    for start in (3.2, 3.3, 3.4):
        ball = path(momentum(LESSARD, [start], **best), 3000)[-30:, 0]
        assert_allclose(ball[3:], ball[:-3], atol=1e-8)  # three points in turn
        assert np.ptp(ball) > 2
    assert abs(path(momentum(Quadratic([[25.0]]), [3.3], **best), 300)[-1, 0]) < 1e-12  # on a quadratic it arrives
    assert abs(path(gradient_descent(LESSARD, [3.3], lr=1 / 25), 300)[-1, 0]) < 1e-6
    for mu in (best["mu"], 2 / 3, lambda t: (t - 1) / (t + 2)):
        assert abs(path(nesterov(LESSARD, [3.3], lr=1 / 25, mu=mu), 300)[-1, 0]) < 1e-6


@pytest.mark.parametrize("mu, eta, lam", [(0.0, 0.5, 1.0), (0.5, 0.5, 2.0), (0.9, 0.02, 1.0), (0.9, 1.0, 3.0)])
def test_what_noise_leaves_of_momentum_is_what_it_leaves_of_descent_at_a_higher_rate(mu, eta, lam):
    level = eta * (1 + mu) / (lam * (1 - mu) * (2 * (1 + mu) - eta * lam))
    # (e, v) → M (e, v) − η ξ (1, 1): at rest C = M C Mᵀ + η² 1 1ᵀ, solved by summing
    M, C = np.array([[1 - eta * lam, mu], [-eta * lam, mu]]), np.zeros((2, 2))
    for _ in range(5000):
        C = M @ C @ M.T + eta**2
    assert_allclose(C[0, 0], level)
    x = path(momentum(Noisy(Quadratic(lam * np.eye(200)), 1.0), np.zeros(200), lr=eta, mu=mu), 600)[300:]
    assert_allclose(np.mean(x**2), level, rtol=0.1)
    if eta * lam < 0.1:
        rate = eta / (1 - mu)
        assert_allclose(level, rate / (lam * (2 - rate * lam)), rtol=0.12)
