"""The solutions of lecture 9, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from numopt.data import digits
from numopt.linalg import dense, hutchinson_trace
from numopt.networks import mlp
from numopt.optimizers import adam, muon, natural_gradient
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import path


@pytest.mark.parametrize("p", [0.5, 0.1, 0.99])
def test_solution_9_1_the_fisher_matrix_of_a_coin(p):
    theta, h = np.log(p / (1 - p)), 1e-6
    by_p = p * (1 / p)**2 + (1 - p) * (1 / (1 - p))**2
    by_theta = p * (1 - p)**2 + (1 - p) * p**2
    slope = (1 / (1 + np.exp(-theta - h)) - 1 / (1 + np.exp(-theta + h))) / (2 * h)
    assert_allclose((by_p, by_theta), (1 / (p * (1 - p)), p * (1 - p)))
    assert_allclose(by_theta, slope**2 * by_p, rtol=1e-6)
    phi = (2 * np.arcsin(np.sqrt(p + h / 100)) - 2 * np.arcsin(np.sqrt(p - h / 100))) / (2 * h / 100)
    assert_allclose(by_p / phi**2, 1, rtol=1e-5)


@pytest.mark.parametrize("r", [0.01, 0.3, 10])
def test_solution_9_2_a_parabola_on_an_interval(r):
    for g, lam, eta in ((1.3, 2.0, 0.7), (-0.2, 9.0, 3.0)):
        found = minimize_scalar(lambda x: g * x + lam * x**2 / (2 * eta), bounds=(-r, r), method="bounded",
                                options={"xatol": 1e-10}).x
        assert_allclose(found, -min(eta * abs(g) / lam, r) * np.sign(g), rtol=1e-4)


def test_solution_9_4_muon_is_a_row_of_the_table():
    rng = np.random.default_rng(0)
    batch = MiniBatch(mlp([6, 4]), rng.standard_normal((40, 6)), rng.standard_normal((40, 4)).argmax(axis=1))
    theta = batch.network.initial(seed=0)
    G = batch.blocks(batch.gradient(theta))[0][:3]  # of full rank: the rows of a softmax's gradient add up to zero
    lam, Q = np.linalg.eigh(np.kron(G @ G.T, np.eye(7)))
    step = -(Q @ (Q.T @ G.ravel() / np.sqrt(lam))).reshape(G.shape)
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    assert_allclose(step, -U @ Vt, atol=1e-10)
    whole = MiniBatch(mlp([6, 4, 9]), batch.X, batch.Y)
    start = whole.network.initial(seed=0)
    run = muon(whole, start, lr=1.0, mu=0.0, steps=60, coefficients=(1.875, -1.25, 0.375))
    U, _, Vt = np.linalg.svd(whole.blocks(whole.gradient(start))[0], full_matrices=False)
    assert_allclose(whole.blocks(next(run) - start)[0], -U @ Vt, atol=1e-6)


def test_solution_9_5_the_empirical_fisher_matrix_fades_and_its_step_grows():
    images, labels, *_ = digits()
    network = mlp([64, 16, 10])
    batch = MiniBatch(network, images, labels)
    thetas = path(adam(EmpiricalRisk(network, images, labels, batch_size=128), network.initial(seed=0), lr=0.01), 400)
    share = [(batch.per_example_gradients(theta)**2).sum(axis=1).mean()
             / hutchinson_trace(batch.fisher(theta), theta.size, 8) for theta in thetas[[0, 50, 200, 400]]]
    assert_allclose(share, [1.2, 0.43, 0.2, 0.06], rtol=0.1)
    lengths = [np.linalg.norm(next(natural_gradient(batch, thetas[-1], curvature=kind, damping=1e-4)) - thetas[-1])
               for kind in ("fisher", "empirical_fisher")]
    assert 1.5 < lengths[0] < 3 and lengths[1] > 10 * lengths[0]


def test_solution_9_6_the_square_of_a_batchs_gradient_is_a_bth():
    rng = np.random.default_rng(0)
    network = mlp([3, 4, 3])
    batch, theta, B = MiniBatch(network, rng.standard_normal((300, 3)), np.zeros(300, int)), network.initial(seed=0), 20
    diagonal = np.diag(dense(batch.fisher(theta), theta.size))
    squares = []
    for draw in range(600):
        rows = rng.integers(300, size=B)
        z = network.outputs(theta, batch.X[rows])
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        y = (rng.random((B, 1)) > p.cumsum(axis=1)).sum(axis=1)  # as the net predicts, so do the labels fall
        squares.append(MiniBatch(network, batch.X[rows], y).gradient(theta)**2)
    assert_allclose(np.mean(squares, axis=0).sum(), diagonal.sum() / B, rtol=0.1)
