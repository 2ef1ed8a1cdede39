"""The solutions of lecture 3, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import momentum, nesterov
from numopt.optimizer import Diverged
from numopt.problems import EmpiricalRisk, Function, Quadratic
from numopt.record import path


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.9])
def test_solution_3_1_roots(mu):
    x = np.linspace(1e-6, 4, 4001)
    size = np.array([np.abs(np.roots([1, -(1 + mu - each), mu])).max() for each in x])
    assert (size[x < 2 * (1 + mu) - 1e-3] < 1).all() and (size[x > 2 * (1 + mu) + 1e-3] > 1).all()
    between = ((1 + mu**0.5)**2 + 2 * (1 + mu)) / 2
    ball = path(momentum(Quadratic([[1.0]]), [1.0], lr=between, mu=mu), 60)[:, 0]
    assert (ball[30:-1] * ball[31:] < 0).all()


@pytest.mark.parametrize("mu", [0.5, 0.9])
def test_solution_3_3_nesterovs_largest_rate(mu):
    edge = 2 * (1 + mu) / (1 + 2 * mu)
    along = Quadratic([[1.0]])
    assert abs(path(nesterov(along, [1.0], lr=0.99 * edge, mu=mu), 3000)[-1, 0]) < 1e-6
    assert abs(path(nesterov(along, [1.0], lr=1.01 * edge, mu=mu), 3000)[-1, 0]) > 1e3
    assert edge < 2 < 2 * (1 + mu)


def test_solution_3_4_two_conventions():
    mu, t_cut = 0.9, 300
    slope = Function(lambda theta: theta.sum(), lambda theta: np.ones(1), size=1)

    def lr(t):
        return 0.01 if t <= t_cut else 0.001

    ours = -np.diff(path(momentum(slope, [0.0], lr=lr, mu=mu), 310)[:, 0])
    u, theirs = 0.0, []
    for t in range(1, 311):
        u = mu * u + 1
        theirs.append(lr(t) * u)
    assert_allclose(ours[:t_cut], theirs[:t_cut])
    assert_allclose(ours[t_cut], 0.9 * 0.1 + 0.001, rtol=1e-6)
    assert_allclose(theirs[t_cut], 0.01, rtol=1e-6)
    same = path(momentum(slope, [0.0], lr=lr, mu=lambda t: mu * (lr(t) / lr(t - 1) if t > 1 else 1)), 310)[:, 0]
    assert_allclose(-np.diff(same), theirs)


def final(mu, total, seeds):
    data, network = digits(), mlp([64, 32, 10])
    losses = []
    for seed in seeds:
        risk = EmpiricalRisk(network, data.X_train, data.Y_train, batch_size=128, seed=seed)
        run = momentum(risk, network.initial(seed=seed), lr=total * (1 - mu), mu=mu)
        try:
            for _ in range(10 * risk.steps_per_epoch):
                theta = next(run)
            losses.append(risk.whole.value(theta))
        except Diverged:
            losses.append(np.inf)
    return np.array(losses)


def test_solution_3_5_at_a_small_rate_momentum_changes_nothing_and_at_a_large_one_a_little():
    plain, heavy = final(0.0, 0.5, range(2)), final(0.9, 0.5, range(2))
    assert (np.abs(heavy / plain - 1) < 0.1).all()
    assert (final(0.98, 0.5, range(1)) > 1.4 * plain[:1]).all()
    ratios = final(0.0, 5.0, range(4)) / final(0.9, 5.0, range(4))
    assert (ratios > 1).all() and ratios.mean() > 1.1


def test_solution_3_6_looking_back():
    mu, edge = 0.9, 1 / 0.9 - 1

    def wrong(a, steps):
        theta, v = 1.0, 0.0
        for _ in range(steps):
            v = mu * v + a * (theta + mu * v)
            theta = theta - v
        return abs(theta)

    for a in (0.02, 0.1):
        M = np.array([[1 - a, -mu * (1 + a)], [a, mu * (1 + a)]])
        assert_allclose(np.linalg.det(M), mu * (1 + a))
    assert wrong(0.95 * edge, 9000) < 1e-6 and wrong(1.05 * edge, 5000) > 1e3
    assert 2 * (1 + mu) / (1 + 2 * mu) > 12 * edge
