"""The solutions of lecture 8, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizers import lbfgs, quasi_newton
from numopt.optimizers.quasi_newton import bfgs_update, sr1_update
from numopt.problems import Counted, Function, Quadratic, Rosenbrock
from numopt.record import path, record


def test_solution_8_1_by_hand():
    s, y = np.array([1.0, 0.0]), np.array([4.0, 3.0])
    M = bfgs_update(np.eye(2), s, y)
    assert_allclose(M, [[13 / 16, -3 / 4], [-3 / 4, 1]])
    assert_allclose(M @ y, s, atol=1e-12)
    assert_allclose(np.linalg.det(M), 1 / 4)
    B = sr1_update(np.eye(2), s, y)
    assert_allclose(B, [[4, 3], [3, 4]])
    assert_allclose(np.linalg.eigvalsh(B), [1, 7])


def test_solution_8_2_a_step_down_a_hill():
    x, s = 0.5, 0.5
    assert np.cos(x + s) < np.cos(x) - 1e-4 * np.sin(x) * s
    y = -np.sin(x + s) + np.sin(x)
    assert_allclose([np.cos(x) - np.cos(x + s), -np.sin(x), -np.sin(x + s), y], [0.34, -0.48, -0.84, -0.36], atol=5e-3)
    assert y * s < 0


@pytest.mark.parametrize("seed", range(3))
def test_solution_8_4_the_determinant(seed):
    rng = np.random.default_rng(seed)
    root, s, y = rng.standard_normal((5, 5)), rng.standard_normal(5), rng.standard_normal(5)
    B = root @ root.T + np.eye(5)
    a, b, c, d = -s, B @ s / (s @ B @ s), np.linalg.solve(B, y), y / (y @ s)
    factor = np.eye(5) + np.outer(a, b) + np.outer(c, d)
    assert_allclose(B @ factor, B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (y @ s))
    assert_allclose([1 + b @ a, a @ d, b @ c], [0, -1, (s @ y) / (s @ B @ s)], atol=1e-12)
    assert_allclose(np.linalg.det(factor), (y @ s) / (s @ B @ s))


def most(update, curvature):
    """The most steps that any of twelve starts needs to have 1e-4 left."""
    needed = []
    for angle in np.linspace(0.01, 1.5, 12):
        theta, B, steps = np.array([np.cos(angle), np.sin(angle)]), np.diag([1.0, curvature]), 0
        while np.linalg.norm(theta) >= 1e-4:
            s = -np.linalg.solve(B, theta)
            theta, B, steps = theta + s, update(B, s, s), steps + 1
        needed.append(steps)
    return max(needed)


def test_solution_8_5_powells_experiment():
    def bfgs(B, s, y):
        return np.linalg.inv(bfgs_update(np.linalg.inv(B), s, y))

    def dfp(B, s, y):
        return bfgs_update(B, y, s)

    curvatures = 10.0**np.arange(1, 5)
    assert_allclose([most(bfgs, x) for x in curvatures], [8, 10, 12, 13], atol=1)
    assert_allclose([most(dfp, x) for x in curvatures], [16, 100, 677, 1565], rtol=0.1)
    assert_allclose([most(bfgs, 1 / x) for x in curvatures], [6, 5, 7, 4], atol=1)
    assert_allclose([most(dfp, 1 / x) for x in curvatures], [5, 5, 3, 2], atol=1)


@pytest.mark.parametrize("eigenvalues, counted", [
    (np.linspace(1, 1e4, 60), [121, 79, 60, 53, 52, 52, 52]),
    (np.geomspace(1, 1e4, 60), [519, 453, 363, 322, 296, 243, 159]),
    (np.concatenate([np.linspace(1, 4, 57), [1e2, 1e3, 1e4]]), [333, 229, 157, 122, 85, 63, 55])],
    ids=["even", "logarithm", "heap"])
def test_solution_8_6_three_spectra(eigenvalues, counted):
    """With short histories to 30 %, for rounding grows from step to step; with long ones there are fewer steps."""
    valley, start, found = Quadratic(np.diag(eigenvalues)), np.random.default_rng(0).standard_normal(60), []
    for history in (1, 3, 5, 10, 20, 40, 80):
        problem = Counted(valley)
        record(lbfgs(problem, start, history=history), 5000, objective=valley, target=1e-9 * valley.value(start))
        found.append(problem.gradients)
    assert_allclose(found[:4], counted[:4], rtol=0.3)
    assert_allclose(found[4:], counted[4:], rtol=0.05)


UNITS = 1.0, 1e-8, 1e-12, 1e-14


def test_solution_8_7_a_rule_with_units(monkeypatch):
    valley, kept, ends = Rosenbrock(10), {}, {}
    for rule in ("cosine", "units"):
        if rule == "units":
            monkeypatch.setattr(quasi_newton, "curved", lambda s, y: y @ s > 1e-10)
        for unit in UNITS:
            f = Function(lambda x: unit * valley.value(x), lambda x: unit * valley.gradient(x))
            run = lbfgs(f, 0.5 * valley.start)
            ends[rule, unit] = valley.value(path(run, 60)[-1])
            kept[rule, unit] = len(run["pairs"])
    assert ends["units", 1.0] == ends["cosine", 1.0] and all(kept["cosine", unit] == 10 for unit in UNITS)
    for unit in (1e-12, 1e-14):
        assert kept["units", unit] <= 1 and ends["units", unit] > 5 > 0.1 > ends["cosine", unit]
    assert kept["units", 1e-14] == 0
