"""What the sources print and what is meant: the printed form fails, and the corrected one holds.

Each function is about one formula or one claim with numbers; what is to be seen by reading alone has no test.  The
sources: Memon et al. (2024), Zheng (2023), Kashyap (2022), the paper on learning rates, and Ravasi's lecture notes.
"""
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.linalg import conjugate_gradient_iterates, dense
from numopt.line_search import exact, full_step
from numopt.networks import mlp
from numopt.optimizers import (
    bfgs, gauss_newton, hessian_free, levenberg_marquardt, newton, nonlinear_cg, steepest_descent)
from numopt.optimizers.quasi_newton import bfgs_update
from numopt.problems import Counted, EmpiricalRisk, Function, LeastSquares, MiniBatch, Quadratic, Rosenbrock
from numopt.record import path, record

VALLEY = LeastSquares(lambda x: np.sqrt(2) * np.array([10 * (x[1] - x[0]**2), 1 - x[0]]),
                      lambda x: np.sqrt(2) * np.array([[-20 * x[0], 10], [-1, 0]]))


def classifier(examples=12, seed=0):
    """A small network with cross-entropy, and a point."""
    rng = np.random.default_rng(seed)
    network, X = mlp([3, 4, 3]), rng.standard_normal((examples, 3))
    return MiniBatch(network, X, rng.integers(3, size=examples)), network.initial(seed=seed)


# ----------------------------------------------------------- Kashyap (2022), Sections 3, 3.1 and 3.6: lecture 6

def test_kashyaps_hessian_costs_as_many_products_as_parameters_and_not_their_cube():
    for layers in ([3, 4, 2], [3, 8, 2]):
        network, rng = mlp(layers), np.random.default_rng(0)
        whole = EmpiricalRisk(network, rng.standard_normal((20, 3)), rng.integers(2, size=20)).whole
        counted = Counted(whole)
        next(newton(counted, network.initial(seed=0)))
        assert counted.products == network.size and counted.gradients == 1


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.3, -0.4), (2.0, 2.0)])
def test_kashyaps_gauss_newton_and_levenberg_need_a_minus(start):
    x = np.array(start)
    J, g = VALLEY.jacobian(x), VALLEY.gradient(x)
    for method, mu in ((partial(gauss_newton, search=full_step), 0.0),
                       (partial(levenberg_marquardt, scaling="levenberg", mu=2.5), 2.5)):
        printed = np.linalg.solve(J.T @ J + mu * np.eye(2), g)
        assert g @ printed > 0 and VALLEY.value(x + 1e-4 * printed) > VALLEY.value(x)
        run = method(VALLEY, x)
        next(run)
        assert_allclose(run["p"], -printed)


def test_levenberg_marquardt_is_not_a_diagonal_approximation():
    x, mu = np.array([-1.2, 1.0]), 0.1
    J, g = VALLEY.jacobian(x), VALLEY.gradient(x)
    run = levenberg_marquardt(VALLEY, x, scaling="levenberg", mu=mu)
    next(run)
    diagonal = -g / (np.sum(J**2, axis=0) + mu)
    assert_allclose(run["p"], -np.linalg.solve(J.T @ J + mu * np.eye(2), g))
    assert np.linalg.norm(run["p"] - diagonal) > 0.5 * np.linalg.norm(diagonal)


def test_gauss_newton_is_for_every_convex_loss_and_semidefinite_not_definite():
    """JᵀHJ for cross-entropy; its rank is at most the examples times the outputs less one."""
    batch, theta = classifier(examples=4)
    G = dense(batch.gauss_newton(theta), theta.size)
    lam = np.linalg.eigvalsh(G)
    assert lam[0] > -1e-12 and np.sum(lam > 1e-10 * lam[-1]) <= 4 * 2 < theta.size
    v = np.random.default_rng(1).standard_normal(theta.size)
    h = 1e-5
    curvature = [(batch.network.loss.values(z, batch.Y).mean()) for z in (
        batch.network.outputs(theta, batch.X) + k * h * (batch.network.outputs(theta + h * v, batch.X)
                                                         - batch.network.outputs(theta - h * v, batch.X)) / (2 * h)
        for k in (-1, 0, 1))]
    assert_allclose(v @ G @ v, (curvature[0] - 2 * curvature[1] + curvature[2]) / h**2, rtol=1e-3)


def test_the_alpha_that_kashyap_does_not_give_is_three_halves():
    """And where little of the promised fall came true the damping rises."""
    for share, factor in ((0.1, 3 / 2), (0.5, 1.0), (0.9, 2 / 3)):
        slope = Function(lambda x: -share / 2 * x[0], lambda x: np.array([-1.0]), lambda x: np.array([[0.0]]))
        run = hessian_free(slope, [0.0], curvature="hessian", damping=1.0)
        next(run)
        assert_allclose([run["rho"], run["damping"]], [share, factor])


# --------------------------------------------------------------------- Kashyap (2022), Section 3.2: lecture 7

def test_kashyaps_direction_of_conjugate_gradients_needs_a_minus():
    for start in ([-1.2, 1.0], [0.5, 2.0]):
        run = nonlinear_cg(Rosenbrock(), start)
        for _ in zip(range(8), run):
            g, p = run["g"], run["p"]
            memory = p + g
            assert g @ (-g + memory) < 0 < g @ (g + memory)


@pytest.mark.parametrize("seed", range(3))
def test_conjugate_directions_are_not_orthogonal(seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((4, 4))
    H, b = root @ root.T + np.eye(4), rng.standard_normal(4)
    iterates = list(islice(conjugate_gradient_iterates(H, b), 4))
    P, R = np.array([p for _, _, p, _ in iterates]), np.array([b, *(r for _, r, _, _ in iterates[:3])])
    lengths = np.linalg.norm(P, axis=1)
    between = np.triu(np.abs(P @ P.T) / np.outer(lengths, lengths), 1)
    assert np.abs(np.triu(P @ H @ P.T, 1)).max() < 1e-8 and np.abs(np.triu(R @ R.T, 1)).max() < 1e-8
    assert between.max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_orthogonal_to_the_direction_is_no_eigenvector_but_h_times_the_error(seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((4, 4))
    H, b = root @ root.T + np.eye(4), rng.standard_normal(4)
    x, _, d, _ = next(conjugate_gradient_iterates(H, b))
    e = np.linalg.solve(H, b) - x
    assert abs(e @ H @ d) < 1e-8 < 1e-3 < abs(e @ d)
    assert np.abs(np.linalg.eigh(H)[1].T @ d).min() > 1e-8, "no eigenvector is orthogonal to d"


def test_beta_of_zero_at_each_step_is_steepest_descent():
    bowl, start = Quadratic(np.diag([1.0, 3, 30])), np.array([1.0, 1, 1])
    never = path(nonlinear_cg(bowl, start, overlap=0.0, search=exact), 12)
    assert_allclose(never, path(steepest_descent(bowl, start), 12), atol=1e-6)
    assert np.linalg.norm(never[-1]) > 0.01
    assert np.linalg.norm(path(nonlinear_cg(bowl, start, search=exact), 12)[-1]) < 1e-6


@pytest.mark.parametrize("size, width", [(2, 2.0), (10, 2.0), (10, 20.0)])
def test_fletcher_and_reeves_converge_from_far_away(size, width):
    valley = Rosenbrock(size)
    for seed in range(4):
        start = np.random.default_rng(seed).uniform(-width, width, size)
        run = nonlinear_cg(valley, start, formula="fletcher_reeves", overlap=1e9)
        assert record(run, 5000, objective=valley, gradient=1e-5).reason == "gradient"


# ---------------------------------------------------------------------- Kashyap (2022), Section 3.3: lecture 8

def test_kashyaps_bfgs_direction_needs_a_minus():
    for start in ([-1.2, 1.0], [0.5, 2.0]):
        run = bfgs(Rosenbrock(), start)
        next(run)
        for _ in zip(range(8), run):
            assert run["g"] @ run["p"] < 0 < run["g"] @ -run["p"], "printed: +M g"


@pytest.mark.parametrize("seed", range(3))
def test_kashyaps_bfgs_update_needs_a_plus(seed):
    rng = np.random.default_rng(seed)
    root, M = rng.standard_normal((5, 5)), np.diag([1.0, 2, 3, 4, 5])
    delta = rng.standard_normal(5)
    phi = (root @ root.T + np.eye(5)) @ delta
    c = delta @ phi
    middle = (1 + phi @ M @ phi / c) * np.outer(delta, delta) / c
    last = (np.outer(delta, phi) @ M + M @ np.outer(phi, delta)) / c
    printed, meant = M @ middle - last, M + middle - last
    assert np.linalg.norm(printed @ phi - delta) > 1e8 * np.linalg.norm(meant @ phi - delta)
    assert np.linalg.norm(printed - printed.T) > 1e-3, "it is not even symmetric"
    assert_allclose(meant, bfgs_update(M, delta, phi))


def test_a_positive_definite_start_is_not_enough_for_bfgs():
    """With yᵀs < 0, as a search without Wolfe's second condition may bring it, the update is indefinite."""
    s, y = np.array([1.0, 0.0]), np.array([-1.0, 0.5])
    V = np.eye(2) - np.outer(s, y) / (y @ s)
    assert np.linalg.eigvalsh(V @ V.T + np.outer(s, s) / (y @ s))[0] < 0
    assert bfgs_update(np.eye(2), s, y) is not None and np.linalg.eigvalsh(bfgs_update(np.eye(2), s, y))[0] > 0
