"""The solutions of lecture 5, checked."""
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.networks import logistic
from numopt.optimizers import gradient_rate, newton_rate, newton_rate_printed
from numopt.problems import Counted, EmpiricalRisk, Quadratic
from numopt.record import path

BOWL = Quadratic(np.diag([1.0, 4.0, 9.0]))
START = np.array([1.0, -1.0, 0.5])


def test_solution_5_1_barzilai_and_borwein():
    g = BOWL.gradient(START)
    best = g @ g / (g @ BOWL.A @ g)
    assert 1 / 9 < best < 1
    for eta in (0.05, 0.2):
        s = -eta * g
        y = BOWL.gradient(START + s) - g
        assert_allclose(s @ s / (s @ y), best)
        assert_allclose(BOWL.value(START + s), BOWL.value(START) - eta * g @ g + eta**2 / 2 * g @ BOWL.A @ g)


@pytest.mark.parametrize("c", [0.1, 10.0])
def test_solution_5_2_a_scale(c):
    plain = path(gradient_rate(BOWL, START, lr=0.02, alpha=1e-4), 50)
    assert_allclose(path(gradient_rate(Quadratic(c * BOWL.A), START, lr=0.02 / c, alpha=1e-4 / c**3), 50), plain)
    assert not np.allclose(path(gradient_rate(Quadratic(c * BOWL.A), START, lr=0.02 / c, alpha=1e-4 / c), 3), plain[:4])


def test_solution_5_3_two_gradients():
    counted = Counted(BOWL)
    list(islice(gradient_rate(counted, START, lr=0.02, alpha=1e-4), 10))
    assert counted.gradients == 20


@pytest.mark.parametrize("dtype, best", [(np.float32, 0.03), (np.float64, 2e-4)])
def test_solution_5_4_the_distance(dtype, best):
    eps = float(np.finfo(dtype).eps)
    assert_allclose((3 * eps)**0.25, best, rtol=0.3)

    def wrong(h):  # in the mean over points nearby, as rounding is chance
        x = np.linspace(0.25, 0.35, 50)
        f = [np.cos((x + k * h).astype(dtype)).astype(float) for k in (-2, 0, 2)]
        exact = [(x + k * h).astype(dtype).astype(float) for k in (-2, 2)]
        step = (exact[1] - exact[0]) / 4  # the distance after rounding
        return np.abs((f[0] - 2 * f[1] + f[2]) / (4 * step**2) + np.cos(x)).mean()

    assert wrong(best) < 0.3 * wrong(best / 20) and wrong(best) < 0.3 * wrong(best * 20)


def test_solution_5_5_one_rate_for_all():
    e, rng = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0)
    H, root = BOWL.A, rng.standard_normal((3, 3))
    mean, covariance = H @ e, root @ root.T
    draws = mean + rng.standard_normal((200_000, 3)) @ root.T
    best = mean @ mean / (mean @ H @ mean + np.trace(H @ covariance))

    def expected(eta):
        left = e - eta * draws
        return np.einsum("ki,ij,kj->k", left, H, left).mean() / 2

    assert expected(best) < min(expected(0.95 * best), expected(1.05 * best))
    assert best < mean @ mean / (mean @ H @ mean)


def test_solution_5_6_which_method_forgets_its_start():
    data, network = digits(), logistic(64, 10)
    risk = EmpiricalRisk(network, data.X_train, data.Y_train, batch_size=128, seed=0)
    starts, theta = (1e-3, 1e-1), network.initial(seed=0)

    def spread(method, **settings):
        ends = []
        for lr in starts:
            run = method(risk, theta, lr=lr, **settings)
            for _ in islice(run, 2 * risk.steps_per_epoch):
                pass
            ends.append(run["lr"])
        return ends[1] / ends[0]

    assert spread(newton_rate) < 4
    printed, first = spread(newton_rate_printed), spread(gradient_rate, alpha=4e-4)
    assert 2 < printed < 20 and abs(first / printed - 1) < 0.3


def test_solution_5_7_the_gradient_that_was_written_over():
    theta, lr, rates = START, 0.23, []  # above 2/9, where the steepest direction grows
    g_last = g = BOWL.gradient(theta).copy()
    for _ in range(6):
        g[:] = BOWL.gradient(theta)
        lr = lr + 1e-3 * (g @ g_last)
        theta = theta - lr * g
        g_last = g
        rates.append(lr)
    assert (np.diff(rates) > 0).all()
    assert np.linalg.norm(theta) > 1
    repaired = gradient_rate(BOWL, START, lr=0.23, alpha=1e-3)
    right = [repaired["lr"] for _ in islice(repaired, 30)]
    assert right[0] < 0.23 and np.linalg.norm(repaired.theta) < 0.1
