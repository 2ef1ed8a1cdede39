"""The solutions of lecture 12, checked."""
from math import inf

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.linalg import conjugate_gradient_iterates, gcr_iterates
from numopt.optimizers import anderson, nltgcr, nltgcr_adaptive
from numopt.optimizers.residual import combined, orthonormal, projected
from numopt.problems import Bratu, Counted, HEquation, LeastSquares, Quadratic
from numopt.record import path


def test_solution_12_1_the_first_steps():
    H, r = np.diag([1.0, 4.0]), np.array([1.0, 1.0])
    x_cg, r_cg, *_ = next(conjugate_gradient_iterates(H, r))
    x_gcr, r_gcr = next(gcr_iterates(H, r))
    assert_allclose([x_cg, x_gcr], [0.4 * r, 5 / 17 * r])
    assert_allclose([r_cg, r_gcr], [[0.6, -0.6], [12 / 17, -3 / 17]])
    assert_allclose([np.linalg.norm(left) / np.linalg.norm(r) for left in (r_cg, r_gcr)], [0.6, 0.515], atol=1e-3)
    energy = [left @ np.linalg.solve(H, left) / (r @ np.linalg.solve(H, r)) for left in (r_cg, r_gcr)]
    assert_allclose(energy, [0.36, 0.405], atol=1e-3)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        root, r = rng.standard_normal((4, 4)), rng.standard_normal(4)
        H = root @ root.T + 0.1 * np.eye(4)
        assert (r @ H @ r) / (r @ H @ H @ r) <= (r @ r) / (r @ H @ r)


def test_solution_12_2_a_turn_by_a_right_angle():
    J, r = np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([1.0, 0.0])
    (x, left), *more = gcr_iterates(J, r)
    assert not x.any() and (left == r).all() and more == []
    P = np.column_stack([r, J @ r])
    assert_allclose(J @ P @ np.linalg.lstsq(J @ P, r, rcond=None)[0], r)


def test_solution_12_4_the_order_of_the_secant_method():
    cube = LeastSquares(lambda x: x**3 - 2, lambda x: np.diag(3 * x**2))
    x = path(anderson(cube, [1.0], equations="residuals", window=1, lr=0.2), 6)[:, 0]
    error = np.log(np.abs(x - 2**(1 / 3)))
    assert_allclose(error[3:] / error[2:-1], [1.72, 1.62, 1.64, 1.62], atol=0.01)


@pytest.mark.parametrize("lr, full, short", [(1e-3, 1e-4, 1e-3), (1e-2, 1e-12, 1e-5), (0.1, 1e-12, 1e-3),
                                             (1.0, 1e-12, inf), (10.0, 1e-12, inf)])
def test_solution_12_5_which_rates_anderson_survives(lr, full, short):
    lam = np.array([1, 1.3, 1.6, 2, 2.4, 2.8, 3.3, 4, 20, 45, 100])
    valley, start = Quadratic(np.diag(lam)), np.ones(11)

    def left(window, steps):
        end = path(anderson(valley, start, lr=lr, window=window), steps)[-1]
        return np.linalg.norm(lam * end) / np.linalg.norm(lam)

    assert left(30, 13) < full and (lr > 1e-3 or left(30, 13) > 1e-7)
    assert left(3, 60) > 1e3 if short == inf else left(3, 60) < short


def until_solved(method, **settings):
    """Steps and residuals until ‖f‖ < 1e-10."""
    problem, steps = Bratu(40), 0
    counted = Counted(problem)
    run = method(counted, problem.start, curvature="jacobian", **settings)
    while np.linalg.norm(problem.residuals(run.theta)) >= 1e-10:
        next(run)
        steps += 1
    return steps, counted.values


def test_solution_12_6_bratus_products():
    """To a few steps, for rounding has a say in a hundred of them."""
    never = {window: until_solved(nltgcr, window=window, restart=10**6) for window in (1, 2, 5, 10, 30)}
    assert all(steps == residuals for steps, residuals in never.values())
    assert_allclose([never[window][0] for window in never], [100, 98, 96, 95, 75], rtol=0.08)
    assert_allclose(until_solved(nltgcr, window=10)[0], 120, rtol=0.08)
    for restart, counted in ((20, (384, 40)), (50, (122, 6)), (100, (147, 4))):
        found = until_solved(nltgcr_adaptive, cosine=-1, restart=restart, every=10**6)
        assert_allclose(found, counted, rtol=0.15, atol=1)
    assert_allclose(until_solved(nltgcr_adaptive), (109, 13), rtol=0.15, atol=1)


def adaptive(problem, steps, agrees):
    """nltgcr_adaptive with another rule; how many residuals it computed, and the length of the last."""
    theta, pairs, guess, linear, computed = problem.start, (), None, 0, 0
    for t in range(1, steps + 1):
        r, J = guess, problem.jacobian(theta)
        if linear == 0 or (t - linear) % 10 == 0:
            true, computed = -problem.residuals(theta), computed + 1
            agree = guess is not None and agrees(true, guess)
            r, pairs = guess if linear and agree else true, () if linear and not agree else pairs
            linear = (linear or t) if agree else 0
        p, v, w = orthonormal(r, J @ r, pairs)
        if w > 1e3:
            computed, r, pairs, linear = computed + 1, -problem.residuals(theta), (), 0
            p, v, w = orthonormal(r, J @ r)
        if w == inf:
            break
        pairs = (*pairs, (p, v, w))[-10:]
        theta, guess = theta + combined(pairs, r), r - projected(pairs, r)
    return computed, np.linalg.norm(problem.residuals(theta))


def alike(a, b, share):
    """Is the cosine above the share?"""
    return a @ b > share * np.linalg.norm(a) * np.linalg.norm(b)


def orthogonal(a, b):
    """What that code asks."""
    return not (alike(a, b, 0.001) or alike(-a, b, 0.001))


def test_solution_12_7_a_similarity_that_is_called_a_distance():
    problem = Bratu(12)
    right = adaptive(problem, 60, lambda a, b: alike(a, b, 0.99))
    wrong = adaptive(problem, 60, orthogonal)
    assert right[0] <= 20 and wrong[0] >= 60 and max(right[1], wrong[1]) < 1e-10
    counted = Counted(problem)
    path(nltgcr_adaptive(counted, problem.start, curvature="jacobian"), 60)
    assert counted.values == right[0], "the loop with the right rule is the method"
    assert adaptive(HEquation(100, 0.9), 60, orthogonal)[1] < 1e-10
