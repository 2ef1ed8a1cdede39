"""The solutions of lecture 10, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import gradient_descent, natural_gradient, sophia
from numopt.problems import EmpiricalRisk, Quadratic, Saddle, quadratic_with

SIGNS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])


def test_solution_10_1_two_by_two():
    H = np.array([[3.0, 1], [1, 3]])
    estimates = SIGNS * (SIGNS @ H)
    assert_allclose(estimates, [[4, 4], [2, 2], [2, 2], [4, 4]])
    assert_allclose((estimates.mean(axis=0), estimates.var(axis=0)), ([3, 3], [1, 1]))
    for a, b, c in ((5.0, 1, 2), (5.0, 1, 0.5)):
        found = SIGNS * (SIGNS @ np.array([[a, c], [c, b]]))
        assert found[:, 0].min() > 0 and (found[:, 1] < 0).mean() == (0.5 if c > b else 0)


def test_solution_10_2_normal_numbers_add_twice_the_square_of_the_diagonal():
    rng, H = np.random.default_rng(0), np.array([[3.0, 1, -2], [1, 0.5, 0], [-2, 0, 1]])
    z = rng.standard_normal((400_000, 3))
    estimates = z * (z @ H)
    beside = np.sum(H**2, axis=1) - np.diag(H)**2
    assert_allclose(estimates.mean(axis=0), np.diag(H), atol=0.03)
    assert_allclose(estimates.var(axis=0), 2 * np.diag(H)**2 + beside, rtol=0.03)
    signs = np.sign(z)
    assert_allclose((signs * (signs @ H)).var(axis=0), beside, rtol=0.03)


def fewest(methods, bowl, start, most=1000):
    """Steps of the quickest of them: each takes one in turn."""
    for n, thetas in zip(range(1, most), zip(*methods)):
        if min(map(bowl.value, thetas)) < 1e-6 * bowl.value(start):
            return n
    return most


@pytest.mark.parametrize("angle, condition, expected", [(0, 1, 2), (5, 4.7, 17), (10, 13.4, 47), (30, 75.5, 275),
                                                        (45, 100, 344)])
def test_solution_10_4_a_turned_valley(angle, condition, expected):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    Q = np.array([[c, -s], [s, c]])
    bowl, start = quadratic_with([1, 100], Q), Q @ np.array([1.0, 0.1])
    root = np.diag(bowl.A)**-0.5
    lam = np.linalg.eigvalsh(root[:, None] * bowl.A * root)
    assert_allclose(lam[1] / lam[0], condition, rtol=0.01)
    shares = 0.99 * np.linspace(0.1, 1, 10)
    exactly = {"curvature": "hessian", "damping": 0.0, "solver": "diagonal"}
    diagonal = fewest([natural_gradient(bowl, start, lr=2 / lam[1] * share, **exactly) for share in shares],
                      bowl, start)
    descent = fewest([gradient_descent(bowl, start, lr=2 / 100 * share) for share in shares], bowl, start)
    assert_allclose((diagonal, descent), (expected, 344), rtol=0.05)


def test_solution_10_5_the_share_that_is_clipped():
    images, labels, *_ = digits()
    network = mlp([64, 32, 10])
    risk, shares, ends = EmpiricalRisk(network, images, labels, batch_size=128, seed=0), {}, {}
    for gamma in (0.01, 0.5):
        run = sophia(risk, network.initial(seed=1), lr=3e-3, gamma=gamma, weight_decay=0.0)
        shares[gamma] = []
        for _, _ in zip(range(300), run):
            shares[gamma].append(np.mean(np.abs(run["m"]) > np.maximum(gamma * run["h"], 1e-12)))
        ends[gamma] = risk.whole.value(run.theta)
    assert_allclose([shares[0.01][t] for t in (9, 149, 299)], [0.96, 0.9, 0.4], atol=0.05)
    assert_allclose(shares[0.5][149], 0.4, atol=0.1)
    assert ends[0.01] < 3e-4 < 1e-3 < ends[0.5]
    assert np.mean((np.array(shares[0.01]) > 0.5)) > 0.7


def clipped_divisor(problem, theta, lr, rho=0.04, eps=1e-15):
    """What the port does, with the exact diagonal and no averages."""
    g, h = problem.gradient(theta), np.diag(problem.hessian(theta))
    return theta - lr * g / np.minimum(h + eps, rho)


def test_solution_10_6_clipping_the_divisor():
    bowl, start, lr = Quadratic(np.diag([1e-6, 20.0]), b=np.ones(2)), np.zeros(2), 0.01
    wrong = clipped_divisor(bowl, start, lr)
    assert_allclose(wrong, [lr * 1e6, lr / 0.04], rtol=1e-6)
    assert_allclose(lr / 0.04 / (lr / 20), 500)
    right = next(sophia(bowl, start, lr=lr, k=1, weight_decay=0.0))
    assert np.abs(right).max() <= lr < np.abs(wrong).max()
    saddle, start = Saddle(1.0, 50.0), np.array([0.7, 0.3])
    g = saddle.gradient(start)
    assert (g * (next(sophia(saddle, start, lr=lr, k=1, weight_decay=0.0)) - start) < 0).all()
    assert (g * (clipped_divisor(saddle, start, lr) - start) > 0).any(), "uphill where the curvature is negative"
