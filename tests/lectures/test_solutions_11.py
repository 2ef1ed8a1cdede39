"""The solutions of lecture 11, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.linalg import inverse_root
from numopt.networks import mlp
from numopt.optimizers import kfac
from numopt.problems import EmpiricalRisk


def positive(size, seed):
    M = np.random.default_rng(seed).standard_normal((size, size))
    return M @ M.T + np.eye(size)


def test_solution_11_1_powers_and_eigenvalues_of_a_kronecker_product():
    L, R, W = positive(3, 0), positive(2, 1), np.random.default_rng(2).standard_normal((3, 2))
    assert_allclose(np.kron(L, R) @ W.ravel(), (L @ W @ R.T).ravel())
    assert_allclose(np.kron(L, R) @ np.kron(L, R), np.kron(L @ L, R @ R))
    assert_allclose(inverse_root(np.kron(L, R), 4), np.kron(inverse_root(L, 4), inverse_root(R, 4)), atol=1e-12)
    products = np.sort(np.outer(np.linalg.eigvalsh(L), np.linalg.eigvalsh(R)).ravel())
    assert_allclose(np.linalg.eigvalsh(np.kron(L, R)), products)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_solution_11_2_the_bound_and_when_it_is_tight(rank):
    rng = np.random.default_rng(rank)
    G = rng.standard_normal((4, rank)) @ rng.standard_normal((rank, 3))
    U, sigma, Vt = np.linalg.svd(G, full_matrices=False)
    roots = np.kron(U * sigma @ U.T, Vt.T * sigma @ Vt)
    slack = np.linalg.eigvalsh(rank * roots - np.outer(G.ravel(), G.ravel()))
    assert slack[0] > -1e-10
    assert (np.abs(slack).max() < 1e-10) == (rank == 1)


def test_solution_11_4_k_fac_does_not_mind_its_rate():
    images, labels, *_ = digits()
    network = mlp([64, 32, 10])
    risk, taken = EmpiricalRisk(network, images, labels, batch_size=128, seed=0), []
    for lr in (0.03, 0.3, 1.0):
        run, limited = kfac(risk, network.initial(seed=0), lr=lr), []
        for n, theta in enumerate(run, start=1):
            limited.append(run["nu"] < 1)
            if n % 5 == 0 and risk.whole.value(theta) < 0.05:
                break
        taken.append(n)
        assert np.mean(limited) >= 0.9
    assert min(taken) >= 25 and max(taken) <= 35


def test_solution_11_5_with_the_wrong_exponent_steps_fall_like_one_over_t():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((400, 5, 4))
    for p, power in ((2, -1.0), (4, -0.5)):
        L, R, sizes = 1e-4 * np.eye(5), 1e-4 * np.eye(4), []
        for G in gradients:
            L, R = L + G @ G.T, R + G.T @ G
            sizes.append(np.linalg.norm(inverse_root(L, p) @ G @ inverse_root(R, p)))
        late = np.arange(50, 400)
        assert_allclose(np.polyfit(np.log(late), np.log(sizes[50:]), 1)[0], power, atol=0.1)


def test_solution_11_6_a_centred_factor_has_no_bias():
    X = np.random.default_rng(0).standard_normal((500, 3)) + 2
    inputs = np.column_stack([X, np.ones(500)])
    wrong, right = np.cov(inputs.T), inputs.T @ inputs / 500
    assert_allclose(wrong[-1], 0, atol=1e-15)
    damping = 0.001**0.5
    of_bias = [np.linalg.inv(A + damping * np.eye(4))[-1, -1] for A in (wrong, right)]
    assert_allclose(of_bias[0], 1 / damping)
    assert of_bias[0] > 2 * of_bias[1]
    assert np.abs(np.linalg.inv(right)[-1, :-1]).min() > 0.1, "the means of the inputs are undone by the right one"
