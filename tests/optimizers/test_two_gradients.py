"""SAM and SVRG in tests: each says something lecture 13 says."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import linear, mlp
from numopt.optimizers import gradient_descent, sam, svrg
from numopt.problems import EmpiricalRisk, Objective, Quadratic
from numopt.record import path

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 3))
Y = X @ RANDOM.standard_normal((3, 1)) + RANDOM.standard_normal((40, 1))
RISK = EmpiricalRisk(linear(3, 1), X, Y, batch_size=4, seed=1)
BEST = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), Y, rcond=None)[0].ravel()


class Narrowing(Objective):
    """f(x, y) = ½ (1 + x²) y²: minima all along y = 0, the widest at x = 0, with the sharpness 1 + x²."""

    def value(self, theta):
        return (1 + theta[0]**2) * theta[1]**2 / 2

    def gradient(self, theta):
        return np.array([theta[0] * theta[1]**2, (1 + theta[0]**2) * theta[1]])


# ------------------------------------------------------------------------------------------------------------- SAM

def test_sam_of_radius_zero_is_gradient_descent():
    assert_array_equal(path(sam(RISK, np.zeros(4), lr=0.1, rho=0), 20),
                       path(gradient_descent(RISK, np.zeros(4), lr=0.1), 20))


def test_on_a_parabola_the_gradient_is_that_rho_further_up():
    x = path(sam(Quadratic(np.array([[2.0]])), [1.0], lr=0.1, rho=0.5), 2)[:, 0]
    assert_allclose(x, [1, 1 - 0.2 * 1.5, 0.7 - 0.2 * 1.2])


@pytest.mark.parametrize("curvature, lr, rho", [(1.0, 0.1, 0.05), (10.0, 0.1, 0.05), (10.0, 0.15, 0.5)])
def test_sam_does_not_come_to_rest_but_steps_to_and_fro(curvature, lr, rho):
    x = path(sam(Quadratic(np.array([[curvature]])), [1.0], lr=lr, rho=rho), 2000)[-2:, 0]
    width = lr * curvature * rho / (2 - lr * curvature)
    assert_allclose(np.sort(x), [-width, width])


@pytest.mark.parametrize("start", [1.0, 2.0, -1.5])
def test_along_a_valley_of_minima_sam_goes_to_where_it_is_widest_and_gradient_descent_does_not(start):
    settings = {"lr": 0.2}
    walked = path(sam(Narrowing(), [start, 0.5], rho=0.4, **settings), 4000)[-1]
    plain = path(gradient_descent(Narrowing(), [start, 0.5], **settings), 2000)
    assert abs(walked[0]) < 0.2 * abs(start)
    assert abs(plain[-1, 0]) > 0.9 * abs(start) and np.abs(plain[-1] - plain[-2]).max() < 1e-12


@pytest.mark.parametrize("rho", [0.05, 0.2])
@pytest.mark.parametrize("seed", range(6))
def test_sam_ends_where_a_net_is_less_sharp_than_where_gradient_descent_does_and_fits_about_as_well(seed, rho):
    rng, network = np.random.default_rng(seed), mlp([4, 8, 3])
    X = rng.standard_normal((60, 4))
    Y = np.argmax(X @ rng.standard_normal((4, 3)) + 0.5 * rng.standard_normal((60, 3)), axis=1)
    risk, ends = EmpiricalRisk(network, X, Y, batch_size=20, seed=seed), []
    for method in partial(sam, rho=rho), gradient_descent:
        theta = path(method(risk, network.initial(seed=seed), lr=0.5), 600)[-1]
        sharpest = np.linalg.eigvalsh(risk.whole.hessian(theta) @ np.eye(theta.size))[-1]
        ends.append([sharpest, risk.whole.value(theta)])
    assert ends[0][0] < 0.95 * ends[1][0] and ends[0][1] < 1.5 * ends[1][1]


# ------------------------------------------------------------------------------------------------------------ SVRG

def test_at_the_anchor_the_gradient_of_svrg_is_that_of_all_the_data():
    theta = RANDOM.standard_normal(4)
    for t in (0, 7, 8):
        run = svrg(RISK, theta, t=7 * t, lr=0.1, every=7)
        next(run)
        assert_allclose(run["g"], RISK.whole.gradient(theta))


def test_away_from_it_the_mean_over_the_batches_of_an_epoch_is_that_of_all_the_data():
    theta, anchor = RANDOM.standard_normal(4), RANDOM.standard_normal(4)
    found = []
    for t in range(10, 20):
        run = svrg(RISK, theta, every=1000, t=t, anchor=anchor, whole=RISK.whole.gradient(anchor))
        next(run)
        found.append(run["g"])
    assert_allclose(np.mean(found, axis=0), RISK.whole.gradient(theta))
    assert np.ptp(found, axis=0).min() > 0.01


@pytest.mark.parametrize("seed", range(3))
def test_at_a_constant_rate_svrg_arrives_where_mini_batches_leave_gradient_descent_wandering(seed):
    risk = EmpiricalRisk(RISK.network, X, Y, batch_size=4, seed=seed)
    ends = [np.abs(path(method, 1500)[-1] - BEST).max()
            for method in (svrg(risk, np.zeros(4), lr=0.1, every=20), gradient_descent(risk, np.zeros(4), lr=0.1))]
    assert ends[0] < 1e-8 < 1e-2 < ends[1]


def test_svrg_asks_for_all_the_data_at_every_so_many_steps_only():
    asked = []

    class Whole(Quadratic):
        def gradient(self, theta):
            asked.append(theta)
            return super().gradient(theta)

    class Batches(Quadratic):
        whole = Whole(np.eye(2))

    path(svrg(Batches(np.eye(2)), [1.0, 1.0], every=5), 11)
    assert len(asked) == 3


MISTAKES = [
    ("sam", "the worst point is taken for the next iterate",
     "theta - lr(t) * loss",
     "uphill - lr(t) * loss",
     "test_on_a_parabola_the_gradient_is_that_rho_further_up"),
    ("sam", "the way uphill is as long as the gradient",
     "rho * unit(g)",
     "rho * g",
     "test_sam_does_not_come_to_rest_but_steps_to_and_fro"),
    ("sam", "the worst point is looked for downhill",
     "theta + rho",
     "theta - rho",
     "test_along_a_valley_of_minima_sam_goes_to_where_it_is_widest_and_gradient_descent_does_not"),
    ("svrg", "the whole gradient is left out",
     "loss.gradient(anchor) + whole",
     "loss.gradient(anchor)",
     "test_at_the_anchor_the_gradient_of_svrg_is_that_of_all_the_data"),
    ("svrg", "the batch at the anchor is added",
     "g - loss.gradient(anchor) + whole",
     "g + loss.gradient(anchor) - whole",
     "test_at_a_constant_rate_svrg_arrives_where_mini_batches_leave_gradient_descent_wandering"),
]
