"""The solutions of lecture 1, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import mlp
from numopt.networks.losses import SoftmaxCrossEntropy, softmax
from numopt.problems import EmpiricalRisk, MiniBatch


def test_solution_1_1_the_canyon():
    eigenvalues, Q = np.linalg.eigh([[3, 2], [2, 3]])
    assert_allclose(eigenvalues, [1, 5])
    assert_allclose(np.abs(Q), np.full((2, 2), np.sqrt(0.5)))
    assert_allclose(1 - (1 / 3) * eigenvalues, [2 / 3, -2 / 3])


def test_solution_1_2_softmax():
    z, rng = np.array([[0.3, -1.0, 2.0]]), np.random.default_rng(0)
    p, loss, y = softmax(z)[0], SoftmaxCrossEntropy(), np.array([1])
    h, e = 1e-5, np.eye(3)
    slope = [(loss.values(z + h * d, y) - loss.values(z - h * d, y)).item() / (2 * h) for d in e]
    assert_allclose(slope, p - e[1], atol=1e-9)
    H = np.array([(loss.gradient(z + h * d, y) - loss.gradient(z - h * d, y))[0] / (2 * h) for d in e])
    assert_allclose(H, np.diag(p) - np.outer(p, p), atol=1e-9)
    assert_allclose(sum(p[c] * np.outer(p - e[c], p - e[c]) for c in range(3)), H, atol=1e-9)
    assert_allclose((np.diag(p) - np.outer(p, p)) @ np.ones(3), 0, atol=1e-15)
    shift = rng.standard_normal()
    assert_allclose(loss.values(z + shift, y), loss.values(z, y))


def test_solution_1_4_at_a_minimum_of_a_relu_net_the_hessian_has_a_zero_for_each_hidden_unit():
    # for each unit the identity aᵀ ∂f/∂a = bᵀ ∂f/∂b, and its derivative along the scaling: H s = −D g, with D = ±1
    rng = np.random.default_rng(0)
    network = mlp([4, 5, 3], activation="relu")
    loss = MiniBatch(network, rng.standard_normal((20, 4)), rng.integers(3, size=20))
    theta = network.initial(seed=1) + 0.1
    g, H = loss.gradient(theta), loss.hessian(theta)
    for unit in range(5):
        a, b = network.blocks(theta)[0][unit], network.blocks(theta)[1][:, unit]
        da, db = network.blocks(g)[0][unit], network.blocks(g)[1][:, unit]
        assert_allclose(a @ da, b @ db, atol=1e-14)
        s, D = np.zeros_like(theta), np.zeros_like(theta)
        network.blocks(s)[0][unit], network.blocks(s)[1][:, unit] = a, -b
        network.blocks(D)[0][unit], network.blocks(D)[1][:, unit] = 1, -1
        assert_allclose(H @ s, -D * g, atol=1e-13)  # which is zero where g is


@pytest.mark.parametrize("n, share", [(1, 0.5), (2, 0.1464), (3, 0.0249), (4, 0.0025)])
def test_solution_1_5_the_shares(n, share):
    rng = np.random.default_rng(n)
    A = rng.standard_normal((40_000, n, n))
    found = np.mean(np.linalg.eigvalsh(A + A.transpose(0, 2, 1))[:, 0] > 0)
    assert abs(found - share) < 4 * np.sqrt(share / 40_000)
    assert share <= 0.5**n and (n == 1 or share < 0.6 * 0.5**n) and (n < 3 or share < np.exp(-n))


def test_solution_1_5_at_its_start_a_small_net_has_about_as_many_negative_eigenvalues_as_positive():
    rng = np.random.default_rng(0)
    network = mlp([6, 8, 4])
    risk = EmpiricalRisk(network, rng.standard_normal((60, 6)), rng.integers(4, size=60))
    for seed in range(3):
        H = risk.whole.hessian(network.initial(seed=seed)) @ np.eye(network.size)
        assert 0.2 < np.mean(np.linalg.eigvalsh(H) < 0) < 0.55


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_slope(x):
    return sigmoid(x) * (1 - sigmoid(x))


def backward(X, y, W1, W2, slope):
    """The derivatives of ½‖p − y‖² by W1 and W2, with a function for the slopes of a = σ(·) from a."""
    a = sigmoid(X @ W1)
    p = sigmoid(a @ W2)
    delta = (p - y) * slope(p)
    return X.T @ (delta @ W2.T * slope(a)), a.T @ delta


def test_solution_1_6_the_slope_of_the_slope():
    rng = np.random.default_rng(0)
    X, y = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1.0]]), np.array([[0], [1], [1], [0.0]])
    W1, W2 = rng.standard_normal((3, 4)), rng.standard_normal((4, 1))

    def value(W1, W2):
        return ((sigmoid(sigmoid(X @ W1) @ W2) - y)**2).sum() / 2

    right, wrong = (backward(X, y, W1, W2, slope) for slope in (lambda a: a * (1 - a), sigmoid_slope))
    for k, W in enumerate((W1, W2)):
        for i in np.ndindex(W.shape):
            d = np.zeros_like(W)
            d[i] = 1e-6
            moved = [(W1 + s * d, W2) if k == 0 else (W1, W2 + s * d) for s in (1, -1)]
            slope = (value(*moved[0]) - value(*moved[1])) / 2e-6
            assert_allclose(right[k][i], slope, atol=1e-9)
            assert abs(wrong[k][i] - slope) > 1e-4
    slopes = sigmoid_slope(np.linspace(0, 1, 101))
    assert_allclose([slopes.min(), slopes.max()], [0.1966, 0.25], atol=1e-4)
    x, y = X[1:2], y[1:2]  # of a single example every sign is right
    assert all((np.sign(a) == np.sign(b)).all() for a, b in zip(
        backward(x, y, W1, W2, lambda a: a * (1 - a)), backward(x, y, W1, W2, sigmoid_slope)))
    for _ in range(5000):  # and it learns
        d1, d2 = backward(X, np.array([[0], [1], [1], [0.0]]), W1, W2, sigmoid_slope)
        W1, W2 = W1 - d1, W2 - d2
    assert (np.round(sigmoid(sigmoid(X @ W1) @ W2)).ravel() == [0, 1, 1, 0]).all()
