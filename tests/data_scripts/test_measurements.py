"""What is measured of landscapes, matrices and noise: its parts by closed forms, and by matrices built another way."""
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_scripts import measurements
from data_scripts.measurements import DAMPING, STRUCTURES
from numopt.linalg import dense
from numopt.networks import lenet1, mlp
from numopt.optimizers import gradient_descent
from numopt.problems import MiniBatch, Quadratic


def test_images_of_28_by_28_become_16_by_16_of_the_same_light():
    X = np.random.default_rng(0).random((3, 28, 28, 1))
    bright = measurements.shrunk(X + 1)  # no border: what is added has the light of the corner of the image
    assert_allclose(bright[1, 0, 0, 0], X[1, 0, 0, 0] + 1)
    assert_allclose(bright[1, 0, 5, 0], X[1, 0, 8:10, 0].mean() + 1)
    assert_allclose(bright[1, 15, 15, 0], X[1, 27, 27, 0] + 1)
    X[:, [0, -1]] = X[:, :, [0, -1]] = 0  # a black border, as MNIST has it
    small = measurements.shrunk(X)
    assert small.shape == (3, 16, 16, 1)
    assert_allclose(4 * small.sum(axis=(1, 2, 3)), X.sum(axis=(1, 2, 3)))
    assert_allclose(small[1, 4, 9, 0], X[1, 6:8, 16:18, 0].mean())


def positive(n, seed=0):
    A = np.random.default_rng(seed).standard_normal((n, n + 3))
    return A @ A.T


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 4, 1), (5,)])
def test_a_block_tridiagonal_inverse_has_no_other_blocks_and_its_matrix_the_blocks_of_f(sizes):
    F = positive(sum(sizes))
    found = measurements.tridiagonal_inverse(F, sizes)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    apart = np.abs(layer[:, None] - layer)
    assert_allclose(found[apart > 1], 0, atol=1e-10)
    assert_allclose(np.linalg.inv(found)[apart <= 1], F[apart <= 1], rtol=1e-6, atol=1e-8)
    assert np.linalg.eigvalsh(found)[0] > 0


def test_where_the_inverse_is_block_tridiagonal_anyway_it_is_the_inverse():
    precision = positive(4) * (np.abs(np.subtract.outer(np.arange(4), np.arange(4))) <= 1) + 5 * np.eye(4)
    assert_allclose(measurements.tridiagonal_inverse(np.linalg.inv(precision), (1, 1, 1, 1)), precision, rtol=1e-8)


def test_the_structures_of_a_fisher_matrix_are_parts_of_it_and_kfac_is_exact_for_one_example():
    random = np.random.default_rng(0)
    network = mlp([3, 2, 2, 2])
    loss, theta = MiniBatch(network, random.standard_normal((1, 3)), np.array([1])), network.initial(0)
    F = dense(loss.fisher(theta), network.size) + DAMPING * np.eye(network.size)
    sizes = [W.size for W in loss.blocks(theta)]
    found = measurements.structured(F, loss, theta, sizes)
    assert tuple(found) == STRUCTURES
    ends = np.cumsum([0, *sizes])
    for i, (a, b) in enumerate(zip(ends, ends[1:])):
        for name in "block-diagonal", "block-tridiagonal, cut", "block-tridiagonal inverse", "K-FAC":
            assert_allclose(found[name][a:b, a:b], F[a:b, a:b], atol=1e-8, err_msg=name)
        assert_allclose(found["block-diagonal"][a:b, b:], 0)
    assert_allclose(found["block-tridiagonal, cut"][:ends[1], ends[2]:], 0)
    assert_allclose(found["block-tridiagonal, cut"][:ends[1], ends[1]:ends[2]], F[:ends[1], ends[1]:ends[2]])
    assert_allclose(found["diagonal"], np.diag(np.diag(F)))


def test_slope_and_curvature_of_the_two_minima_are_derivatives():
    x, h = np.linspace(-1.5, 2.5, 41), 1e-5
    slope, curvature = measurements.two_minima(x)

    def f(x):
        sharp, wide = -measurements.SHARP * (x + 1)**2 / 2, -measurements.WIDE * (x - 2)**2 / 2
        return -np.logaddexp(sharp, wide)

    assert_allclose(slope, (f(x + h) - f(x - h)) / (2 * h), rtol=1e-5, atol=1e-5)
    later, before = measurements.two_minima(x + h)[0], measurements.two_minima(x - h)[0]
    assert_allclose(curvature, (later - before) / (2 * h), rtol=1e-4, atol=1e-4)


def test_the_loss_after_some_steps_is_infinite_where_a_run_diverges():
    bowl = Quadratic(np.diag([1.0, 4.0]))
    start = np.array([1.0, 1.0])
    assert measurements.after(gradient_descent(bowl, start, lr=0.25), 1, bowl) == pytest.approx(0.75**2 / 2)
    assert measurements.after(gradient_descent(bowl, start, lr=1e200), 5, bowl) == np.inf
    for beyond in np.nan, -np.inf:
        assert measurements.after(gradient_descent(bowl, start), 1, SimpleNamespace(value=lambda _: beyond)) == np.inf


class Bowl(Quadratic):
    """With a curvature at its start and another where Adam is said to have come to."""

    def hessian(self, theta):
        return self.A if theta[0] < 1 else np.diag([-4.0, 1.0, 0.03, 0.05])


def test_a_spectrum_is_told_by_its_lowest_and_by_how_many_are_near_nothing_or_negative(monkeypatch):
    bowl, asked = Bowl(np.diag([1.0, -0.005, 2.0, 0.005])), []

    def trained(network, X, Y, seed, target, steps):
        asked.append((network.size, X.shape, seed, target, steps))
        return bowl, np.zeros(4), np.ones(4)

    monkeypatch.setattr(measurements, "trained", trained)
    found = measurements.spectrum("digits", 7, True)
    size, shape, *how = asked.pop()
    assert (size, shape[0], how) == (lenet1(shape[1:]).size, 24, [7, 0.02, 20])
    assert_allclose(found["eigenvalues"], [[-0.005, 0.005, 1, 2], [-4, 0.03, 0.05, 1]], rtol=1e-6)
    assert_allclose(found["largest"], [2, 4])
    assert_allclose(found["near 0"], [0.5, 0.25])  # of 0.02 and 0.04: 0.03 is one of them
    assert_allclose(found["negative"], [0.25, 0.25])
    assert_allclose(found["lowest"], [-0.0025, -1])
    assert_allclose(found["loss"], [0, bowl.value(np.ones(4))])


def test_the_share_of_a_structure_is_of_the_best_step_along_its_direction_and_1_for_the_matrix_itself(monkeypatch):
    random = np.random.default_rng(0)
    X, Y = random.standard_normal((60, 4)), random.integers(0, 3, 60)
    monkeypatch.setattr(measurements, "examples", lambda data, n: (X, Y, X, Y))
    monkeypatch.setattr(measurements, "mlp", lambda sizes: mlp([sizes[0], 3, 3]))
    monkeypatch.setattr(measurements, "structured", lambda F, *_: {
        "itself": F, "twice": 2 * F, "diagonal": np.diag(np.diag(F)), "negative": F - 2 * np.eye(len(F))})
    monkeypatch.setattr(measurements, "STRUCTURES", ("itself", "twice", "diagonal", "negative"))
    found = measurements.fisher_structures("any", 3, True)
    network = mlp([4, 3, 3])
    run = measurements.adam(measurements.EmpiricalRisk(network, X, Y, 50, 3), network.initial(3), lr=0.003)
    for row, steps in enumerate((0, 5)):
        for _ in range(steps):
            next(run)
        loss = MiniBatch(network, X, Y)
        F, g = dense(loss.fisher(run.theta), network.size) + DAMPING * np.eye(network.size), loss.gradient(run.theta)
        d = g / np.diag(F)
        falls = [(g @ step) * t - t**2 / 2 * (step @ F @ step) for step in (d, np.linalg.solve(F, g))
                 for t in [(g @ step) / (step @ F @ step)]]
        assert_allclose(found["share"][row, :3], [1, 1, falls[0] / falls[1]], rtol=1e-6)
        off = F - np.diag(np.diag(F))
        assert_allclose(found["distance"][row, :3], [0, 1, np.sqrt((off**2).sum() / (F**2).sum())], atol=1e-9)
        lowest = np.linalg.eigvalsh(F).min()
        assert_allclose(found["lowest eigenvalue"][row], [lowest, 2 * lowest, np.diag(F).min(), lowest - 2], rtol=1e-6)
    assert_allclose(found["negative: lowest eigenvalue"], found["lowest eigenvalue"][:, 3])
    assert_allclose(found["diagonal: share"], found["share"][:, 2])


def test_whoever_is_trained_comes_to_the_target_and_is_looked_at_every_ten_steps():
    X, Y, *_ = measurements.examples("digits", 40)
    network = mlp([64, 8, 10])
    loss, start, end = measurements.trained(network, X, Y, 2, 1.0, 5000)
    assert_allclose(start, network.initial(2))
    run = measurements.adam(measurements.EmpiricalRisk(network, X, Y, 32, 2), start, lr=0.003)
    path = [loss.value(start)]
    while not np.array_equal(run.theta, end):
        assert len(path) < 1000
        next(run)
        path.append(loss.value(run.theta))
    assert (len(path) - 1) % 10 == 0 and path[-1] <= 1.0 < path[-11]
    assert measurements.examples("digits", 40, images=True)[2].shape == (40, 8, 8, 1)
    assert [len(part) for part in measurements.examples("digits", 9)] == [9] * 4


def test_the_steps_of_those_that_arrive_are_theirs_alone_and_the_last_step_counts(monkeypatch):
    """Of five starts one arrives after 3 steps, one after 9, one with the last of 50, one a step later, one never."""
    arrive = iter([3, 9, 50, 51, 1000] * 2)

    def adahessian(bowl, theta, lr, **settings):
        last = next(arrive)
        for t in range(1, 200):
            yield np.array([-0.05 if t == last else -0.5])

    monkeypatch.setattr(measurements, "adahessian", adahessian)
    found = measurements.adahessian_averages("digits", 0, True)
    for name in "local", "averaged":
        assert found[name].tolist() == [3, 9, 50, 50, 50]
        assert found[f"{name}: share that arrives"] == [0.6] and found[f"{name}: steps of those"] == [9]


@pytest.mark.parametrize("quick, rates, steps", [(True, [0, 3], 20), (False, range(8), 200)])
def test_every_start_and_momentum_is_tried_at_every_rate_and_the_best_of_them_is_told(quick, rates, steps, monkeypatch):
    X, Y, asked = np.zeros((60, 3)), np.arange(60) % 10, []
    monkeypatch.setattr(measurements, "examples", lambda data, n: (X, Y, X, Y))
    for name in "momentum", "nesterov":
        monkeypatch.setattr(measurements, name, lambda risk, start, lr, mu, name=name: (name, np.std(start), lr, mu))
    monkeypatch.setattr(measurements, "after", lambda run, steps, loss: asked.append((*run, steps)) or (
        abs(np.log10(run[2] / 0.03)) + run[3]))
    found = measurements.starts_and_momenta("digits", 1, quick)
    for name in "momentum", "nesterov":
        mine = [each for each in asked if each[0] == name]
        assert len(mine) == 3 * 3 * len(rates) and {each[4] for each in mine} == {steps}
        assert sorted({each[2] for each in mine}) == pytest.approx([10**(-3 + k / 2) for k in rates])
        assert {each[3] for each in mine} == {0.0, 0.9, 0.99} and len({f"{each[1]:.6g}" for each in mine}) == 3
        losses = found[f"{name}: loss"]
        assert losses.shape == (3, 3, 8) and np.isfinite(losses[0, 0]).nonzero()[0].tolist() == list(range(len(rates)))
        best = min(abs(-3 + k / 2 - np.log10(0.03)) for k in rates)
        assert_allclose(found[f"{name}: best"], np.tile([best, best + 0.9, best + 0.99], (3, 1)))
        assert found[f"{name}, too large, 0.9"] == pytest.approx([best + 0.9])
        assert set(found[f"{name}: at"].ravel()) == {1 if quick else 3}
