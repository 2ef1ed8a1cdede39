"""The solutions of lecture 6, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from numopt.line_search import full_step
from numopt.linalg import steihaug
from numopt.optimizer import Diverged
from numopt.optimizers import damped_newton, gauss_newton, newton, newton_cg, trust_region
from numopt.problems import Counted, Function, Himmelblau, LeastSquares, Quadratic
from numopt.record import path, record
from tests.optimizers.test_least_squares import regression


def test_solution_6_1_the_error_is_squared_and_beyond_two_too():
    valley = Function(lambda x: x[0] - np.log(abs(x[0])), lambda x: 1 - 1 / x, lambda x: np.diag(1 / x**2))
    for start in (0.01, 0.7, 1.99):
        x = path(newton(valley, [start]), 4)[:, 0]
        assert_allclose(1 - x, (1 - start)**2.0**np.arange(5), rtol=1e-8)
    assert_allclose(path(newton(valley, [2.0]), 1)[-1], 0, atol=1e-12)
    assert path(newton(valley, [2.5]), 3)[-1] < -20
    with pytest.raises((Diverged, ValueError)):
        path(newton(valley, [2.5]), 30)


def test_solution_6_2_three_steps_at_a_saddle():
    saddle, theta = Quadratic(np.diag([100.0, -1.0]), [-1.0, -0.01]), np.zeros(2)
    g, H = saddle.gradient(theta), saddle.hessian(theta)
    assert_allclose(g, [1, 0.01])
    steps = [path(newton(saddle, theta), 1)[1], -g / [100, 1], -np.linalg.solve(H + 1.01 * np.eye(2), g)]
    assert_allclose(steps, [[-0.01, 0.01], [-0.01, -0.01], [-1 / 101.01, -1]])
    assert all(g @ p < 0 for p in steps)
    assert_allclose(saddle.gradient(steps[0]), 0, atol=1e-12)
    assert_allclose(path(damped_newton(saddle, theta, damping=0.0), 1)[1], steps[1])
    for mu, expected in ((2, [-1 / 102, -0.01]), (100, [-1 / 200, -0.01 / 99])):
        assert_allclose(-np.linalg.solve(H + mu * np.eye(2), g), expected)


def best(H, g, radius):
    """The lowest point of the model within the radius."""
    lam, Q = np.linalg.eigh(H)
    g_hat = Q.T @ g

    def p(mu):
        return -Q @ (g_hat / (lam + mu))

    if lam[0] > 0 and np.linalg.norm(p(0)) <= radius:
        return p(0)
    least = max(0, -lam[0])
    return p(brentq(lambda mu: 1 / np.linalg.norm(p(mu)) - 1 / radius, least + 1e-12,
                    least + np.linalg.norm(g) / radius + 1))


@pytest.mark.parametrize("negative", [0, 5])
def test_solution_6_4_steihaugs_step_against_the_best(negative):
    shares = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        Q = np.linalg.qr(rng.standard_normal((30, 30)))[0]
        lam = np.geomspace(0.1, 100, 30) * np.where(np.arange(30) < negative, -1, 1)
        model, g = Quadratic(Q * lam @ Q.T), rng.standard_normal(30)
        for radius in (0.1, 0.5, 1.0, 3.0):
            exact, found = best(model.A, g, radius), steihaug(model.A, g, radius)
            assert np.linalg.norm(exact) <= radius * (1 + 1e-8)
            shares.append((g @ found + model.value(found)) / (g @ exact + model.value(exact)))
    assert 0.6 < min(shares) and max(shares) < 1 + 1e-8 and 0.7 < np.median(shares) < 0.8


def test_solution_6_5_a_share_above_one():
    def bent(c):
        return LeastSquares(lambda x: np.array([x[0] + 1, c * x[0]**2 + x[0] - 1]),
                            lambda x: np.array([[1.0], [2 * c * x[0] + 1]]))

    for c in (1.5, -1.5):
        problem = bent(c)
        assert_allclose(problem.gradient([0.0]), 0, atol=1e-12)
        assert_allclose(problem.hessian([0.0]), 2 - 2 * c, rtol=1e-6)
        x = path(gauss_newton(problem, [1e-3], search=full_step), 1)[:, 0]
        assert_allclose(x[1] / x[0], c, rtol=1e-2)
        with_search = path(gauss_newton(problem, [0.1]), 40)
        assert np.all(np.diff([problem.value(x) for x in with_search]) < 0)
    assert_allclose(path(gauss_newton(bent(-1.5), [0.1]), 60)[-1], 0, atol=1e-5)


def test_solution_6_6_where_they_end_and_what_safety_costs():
    valley = Himmelblau()
    starts, seen = np.random.default_rng(0).uniform(*valley.box, (300, 2)), {}
    for method in (newton, damped_newton, trust_region, newton_cg):
        rows = []
        for start in starts:
            counted = Counted(valley)
            run = method(counted, start)
            assert record(run, 200, objective=valley, gradient=1e-6).reason == "gradient"
            positive = (np.linalg.eigvalsh(valley.hessian(run.theta)) > 0).sum()
            rows.append([positive, counted.gradients, counted.products, counted.values])
        seen[method.__name__] = np.array(rows)
    assert np.bincount(seen["newton"][:, 0]).tolist() == [23, 112, 165]
    assert all((seen[name][:, 0] == 2).all() for name in ("damped_newton", "trust_region", "newton_cg"))
    means = [seen[name][:, 1:].mean(axis=0) for name in ("newton", "damped_newton", "trust_region", "newton_cg")]
    assert_allclose(means, [[5.8, 12, 0], [6, 12, 8], [6.7, 17, 8], [6.9, 10, 9.2]], rtol=0.08)


def levenberg(problem, theta, piled, most):
    """Marquardt's method with a factor of 10, right, or with the damping of all rejections at once; θ, and its step."""
    damping, p = 0.1, None
    for _ in range(most):
        r, J = problem.residuals(theta), problem.jacobian(theta)
        A, factor = J.T @ J, 1.0
        for _ in range(20):
            factor = factor * (1 + damping) if piled else 1 + damping
            p = np.linalg.solve(A + (factor - 1) * np.diag(np.diag(A)), -J.T @ r)
            if problem.value(theta + p) < problem.value(theta):
                break
            damping *= 10
        else:
            break
        theta, damping = theta + p, damping / 10
    return theta, p


def test_solution_6_7_damping_that_piles_up():
    assert_allclose(1.1 * 2 * 11 * 101, 2444.2)
    # f falls only for a step shorter than 1/50: the fourth trial
    wall = LeastSquares(lambda x: np.array([1 + x[0] if x[0] > -0.02 else 9.0]), lambda x: np.array([[1.0]]))
    for piled, length in ((False, 1 / 101), (True, 1 / 2444.2)):
        assert_allclose(levenberg(wall, np.zeros(1), piled, 1)[1], -length)
    problem, _, near, certified = regression("MGH10")
    with np.errstate(all="ignore"):
        right, wrong = (np.abs(levenberg(problem, near, piled, 465)[0] / certified - 1).max()
                        for piled in (False, True))
    assert right < 1e-4 < 1e-2 < wrong
