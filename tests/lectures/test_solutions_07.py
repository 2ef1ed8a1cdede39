"""The solutions of lecture 7, checked."""
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.linalg import conjugate_gradient_iterates
from numopt.optimizers import nonlinear_cg
from numopt.problems import Counted, Rosenbrock
from numopt.record import record


def test_solution_7_1_two_steps_by_hand():
    H, start = np.diag([1.0, 4.0]), np.array([4.0, 1.0])
    (x1, r1, p0, _), (x2, r2, p1, _) = islice(conjugate_gradient_iterates(H, -H @ start), 2)
    assert_allclose([start + x1, r1, p0, p1], [[2.4, -0.6], [-2.4, 2.4], [-4, -4], [-3.84, 0.96]])
    assert_allclose([p0 @ H @ p1, r1 @ p0, *(start + x2)], 0, atol=1e-12)


@pytest.mark.parametrize("kappa", [4.0, 100.0])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_solution_7_4_chebyshevs_polynomial(kappa, k):
    T = np.polynomial.chebyshev.Chebyshev.basis(k)
    lam = np.linspace(1, kappa, 1001)
    P = T((kappa + 1 - 2 * lam) / (kappa - 1)) / T((kappa + 1) / (kappa - 1))
    z = (np.sqrt(kappa) + 1) / (np.sqrt(kappa) - 1)
    assert_allclose((z + 1 / z) / 2, (kappa + 1) / (kappa - 1))
    assert_allclose(T((kappa + 1) / (kappa - 1)), (z**k + z**-k) / 2)
    assert z**-k < np.abs(P).max() < 2 * z**-k


@pytest.mark.parametrize("alone, predicted, counted, bound", [
    ([], 14, 13, 14), ([1e3], 15, 15, 230), ([1e3, 1e4], 16, 17, 726), ([1e3, 3e3, 1e4], 17, 21, 726)])
def test_solution_7_5_outliers_cost_a_step_or_two(alone, predicted, counted, bound):
    lam = np.concatenate([np.linspace(1, 4, 30), alone])
    left = [np.sqrt(np.sum(lam * (x - 1)**2) / np.sum(lam))
            for x, *_ in islice(conjugate_gradient_iterates(np.diag(lam), lam), 40)]
    assert next(k for k, share in enumerate(left, 1) if share < 1e-6) == pytest.approx(counted, abs=1)
    assert np.ceil(np.log(2e6) / np.log(3)) + len(alone) == predicted
    root = np.sqrt(lam.max())
    assert np.ceil(np.log(2e6) / np.log((root + 1) / (root - 1))) == bound


def test_solution_7_6_powells_rule():
    def gradients(formula, overlap):
        asked = []
        for seed in range(5):
            valley = Rosenbrock(30)
            counted, start = Counted(valley), np.random.default_rng(seed).uniform(*valley.box)
            run = nonlinear_cg(counted, start, formula=formula, overlap=overlap)
            record(run, 5000, objective=valley, gradient=1e-4)
            asked.append(counted.gradients)
        return np.array(asked)

    pr = {overlap: gradients("polak_ribiere_plus", overlap) for overlap in (0.1, 0.5, 1e9)}
    fr = {overlap: gradients("fletcher_reeves", overlap) for overlap in (0.1, 0.5, 1e9)}
    assert pr[0.1].min() > pr[1e9].max()
    assert np.median(pr[0.5]) < 1.1 * np.median(pr[1e9])
    assert np.median(fr[0.5]) < 0.95 * np.median(fr[1e9])
    assert fr[0.1].min() <= fr[1e9].max() and fr[1e9].min() <= fr[0.1].max(), "not to be told apart"


def residuals(H, b, wrong, steps):
    """Lengths of the residual, with (7.5) or with the old residual in its place."""
    x, r = np.zeros_like(b), b
    p, lengths = r, []
    for _ in range(steps):
        alpha = r @ r / (p @ (H @ p))
        x = x + alpha * p
        r_new = r - alpha * (H @ p)
        p = (r if wrong else r_new) + r_new @ r_new / (r @ r) * p
        r = r_new
        lengths.append(np.linalg.norm(b - H @ x) / np.linalg.norm(b))
    return np.array(lengths)


@pytest.mark.parametrize("kappa", [1.5, 3.0, 10.0, 100.0])
def test_solution_7_7_the_old_residual(kappa):
    b = np.random.default_rng(0).standard_normal(30)
    H = np.diag(np.geomspace(1, kappa, 30))
    right, wrong = residuals(H, b, False, 12), residuals(H, b, True, 12)
    assert_allclose(wrong[0], right[0])
    assert wrong[1:].min() > 0.9 * wrong[0] and right[-1] < wrong[-1] / 10
    two = residuals(np.diag([1.0, 4.0]), np.array([1.0, 1.0]), False, 2)
    assert two[1] < 1e-12 < 0.1 < residuals(np.diag([1.0, 4.0]), np.array([1.0, 1.0]), True, 2)[1]
