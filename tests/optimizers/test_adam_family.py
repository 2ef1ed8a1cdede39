"""Neighbours of Adam in tests: each says something lecture 10 says."""
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizers import adabelief, adahessian, adam, adamw, adan, lamb, nadam, radam, yogi
from numopt.record import path
from tests.optimizers.test_adaptive import Gradients, Slope, some_gradients, steps

ALL = [radam, adabelief, adan, lamb]


class OfLayers(Slope):
    def blocks(self, vector):
        return [vector[:4].reshape(2, 2), vector[4:].reshape(1, 2)]


class Layers(Gradients):
    """Gradients written down beforehand, of a 2 x 2 and a 1 x 2 matrix."""

    blocks = OfLayers.blocks

    def loss(self, t):
        return OfLayers(self.gradients[t - 1])


# --------------------------------------------------------------------------------------------------------- of all

@pytest.mark.parametrize("method, squared", [
    (adam, lambda run: run["g"]**2), (adamw, lambda run: run["g"]**2), (radam, lambda run: run["g"]**2),
    (nadam, lambda run: run["g"]**2), (lamb, lambda run: run["g"]**2),
    (adabelief, lambda run: (run["g"] - run["m"])**2),
    (adan, lambda run: (run["g"] + 0.92 * run["y"])**2), (adahessian, lambda run: run["D"]**2)])
def test_what_has_a_hat_is_early_and_late_a_mean_of_what_was_seen_whose_weights_add_up_to_one(method, squared):
    class Curved(OfLayers):
        def hessian(self, theta):
            return np.diag(self.g)

    class Problem(Layers):
        def loss(self, t):
            return Curved(self.gradients[t - 1])

    run, gradients, squares = method(Problem(*some_gradients(1200, 6)), np.ones(6), lr=1e-3), [], []
    beta1, beta2 = run.hyperparameters["beta1"], run.hyperparameters["beta3" if method is adan else "beta2"]
    for t in range(1, 1201):
        next(run)
        gradients.append(run["g"])
        squares.append(squared(run))
        if t in (1, 2, 3, 10, 60, 300, 1200):
            past = np.arange(t)[::-1]
            assert_allclose(run["v_hat"], np.average(squares, axis=0, weights=beta2**past), rtol=1e-6, atol=1e-12)
            if method is not nadam:
                assert_allclose(run["m_hat"], np.average(gradients, axis=0, weights=beta1**past), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("c", [1e-3, 1e3])
@pytest.mark.parametrize("method", ALL[1:])
def test_the_scale_of_the_loss_does_not_matter(method, c):
    gradients = some_gradients(30, 3)
    plain, scaled = (path(method(Gradients(*scale * gradients), np.ones(3), lr=0.01, eps=0.0), 30) for scale in (1, c))
    assert_allclose(scaled, plain)


def test_to_radam_it_matters_until_its_squares_take_part():
    gradients = some_gradients(30, 3)
    plain, scaled = (steps(radam(Gradients(*c * gradients), np.ones(3), lr=0.01, eps=0.0), 30) for c in (1, 10))
    assert_allclose(scaled[:5], 10 * plain[:5], rtol=1e-10)
    assert_allclose(scaled[5:], plain[5:], rtol=1e-10)


# ------------------------------------------------------------------------------------------------------------ Yogi

def test_two_steps_of_yogi_by_hand():
    run = yogi(Gradients([4.0], [1.0]), [0.0], lr=0.5, beta1=0.0, beta2=0.75, eps=0.0, v=0.0)
    next(run)
    assert_allclose([run["v"], run.theta], [[4.0], [-0.5]])       # v = ¼ · 16; corrected it is 16
    next(run)
    assert_allclose([run["v"], run.theta], [[3.75], [-0.5 - 0.5 / np.sqrt(3.75 / (1 - 0.75**2))]])


@pytest.mark.parametrize("large", [3.0, 100.0])
def test_after_a_large_gradient_yogi_forgets_by_the_small_squares_and_adam_by_a_share_of_the_large_one(large):
    gradients = [[large], *[[0.1]] * 200]
    averages = {}
    for method in yogi, adam:
        run = method(Gradients(*gradients), [0.0], beta2=0.9, **({"v": 0.0} if method is yogi else {}))
        steps(run, 201)
        averages[method] = run["v"].item()
    first = 0.1 * large**2
    assert averages[yogi] == pytest.approx(first - 200 * 0.1 * 0.1**2) and averages[yogi] > 0.7 * first
    assert averages[adam] == pytest.approx(0.1**2, rel=1e-2)


def test_while_gradients_grow_fast_yogi_takes_the_squares_in_full_where_adam_forgets():
    gradients = np.power(2.0, np.arange(20))[:, None]
    run = yogi(Gradients(*gradients), [0.0], beta2=0.9, v=0.0)
    steps(run, 20)
    assert run["v"] == pytest.approx(0.1 * (gradients**2).sum())  # v < g² at every step: all squares are added up


# ----------------------------------------------------------------------------------------------------------- RAdam

def test_the_first_steps_of_radam_are_the_averaged_gradient_at_the_rate():
    gradients = some_gradients(5, 3)
    m = [sum(0.1 * 0.9**(t - k) * gradients[k] for k in range(t + 1)) / (1 - 0.9**(t + 1)) for t in range(5)]
    assert_allclose(steps(radam(Gradients(*gradients), np.zeros(3), lr=0.5), 5), -0.5 * np.array(m))


def test_radam_becomes_adam_as_its_squares_have_seen_enough():
    """The share r of Adam's step rises to 1: what a warm-up does."""
    g = Slope([3.0])
    r = np.divide(*(steps(method(g, [0.0], lr=1.0, beta2=0.99), 2000)[:, 0] for method in (radam, adam)))
    assert (np.diff(r[5:]) > -1e-9).all() and r[5] < 0.1 and 0.3 < r[30] < 0.6 and r[-1] > 1 - 1e-4


def test_its_share_is_the_root_of_the_variances_of_one_over_v_in_the_limit_and_at_t():
    # the approximation Var ≈ ρ / (2 (ρ − 2) (ρ − 4)) of the paper's equation 5, for chi-squared with ρ degrees
    def variance(rho):
        return rho / (2 * (rho - 2) * (rho - 4))

    run = radam(Slope([1.0]), [0.0])
    path(run, 50)
    assert_allclose(run["r"], sqrt(variance(1999) / variance(run["rho"])))
    seen = (1 - 0.999**50)**2 / sum((0.001 * 0.999**(50 - i))**2 for i in range(1, 51))  # 1 / Σ w²
    assert_allclose(run["rho"], seen, rtol=0.02)  # about the number of gradients that v is an average of


# ------------------------------------------------------------------------------------------------------- AdaBelief

def test_with_no_average_of_gradients_to_expect_adabelief_has_only_eps_to_divide_by():
    x = path(adabelief(Gradients([3.0]), [0.0], beta1=0.0, lr=1e-9, eps=1e-4), 1)[-1, 0]
    assert_allclose(x, -3e-9 / (sqrt(1e-4 / 0.001) + 1e-4))


def test_two_steps_of_adabelief_by_hand():
    # β₁ = β₂ = ½: m = 1, v = ½ (2 − 1)² = ½, m̂ = 2, v̂ = 1;  m = 1.5, v = ¼ + ½ ½² = ⅜, m̂ = 2, v̂ = ½
    x = steps(adabelief(Gradients([2.0], [2.0]), [0.0], beta1=0.5, beta2=0.5, lr=0.1, eps=0.0), 2)[:, 0]
    assert_allclose(x, [-0.2, -0.2 / sqrt(0.5)])


def test_where_gradients_are_what_was_expected_adabelief_walks_faster_than_adam():
    moved = [abs(path(method(Slope([0.3]), [0.0], lr=1e-3, eps=1e-12), 300)[-1, 0]) for method in (adabelief, adam)]
    assert moved[0] > 3 * moved[1]


def test_where_they_are_noise_it_does_not():
    noise = some_gradients(3000, 1)
    moved = [np.abs(steps(method(Gradients(*noise), [0.0]), 3000))[1000:].mean() for method in (adabelief, adam)]
    assert_allclose(moved[0], moved[1], rtol=0.2)


# ------------------------------------------------------------------------------------------------------------ Adan

def test_two_steps_of_adan_by_hand():
    # β = ½, ¼, ¾: m̂ = 2, û = 0, v̂ = 4;  m̂ = (½ 1 + ½ 4) / ¾ = 10/3, û = ¾ 2 / (15/16) = 8/5, v = ¾ 1 + ¼ (4 + ½)²
    x = steps(adan(Gradients([2.0], [4.0]), [0.0], beta1=0.5, beta2=0.25, beta3=0.75, lr=0.1, eps=0.0), 2)[:, 0]
    assert_allclose(x, [-0.1, -0.1 * (10 / 3 + 2 / 5) / sqrt(5.8125 / (7 / 16))])


def test_under_a_gradient_that_does_not_change_adan_is_adam():
    settings = {"lr": 0.01, "eps": 1e-8}
    assert_allclose(path(adan(Slope([3.0, -1.0]), np.zeros(2), **settings), 30),
                    path(adam(Slope([3.0, -1.0]), np.zeros(2), **settings), 30))


def test_under_one_that_rises_evenly_its_step_is_that_of_the_gradients_to_come():
    gradients = np.arange(1.0, 4001)[:, None]
    run = adan(Gradients(*gradients), [0.0], beta1=0.9, beta2=0.9)
    path(run, 4000)
    assert_allclose(run["m_hat"] + 0.9 * run["u_hat"], [4000 - 9 + 0.9])  # it lags by 9; 0.9 comes back
    assert_allclose(run["u_hat"], [1.0])


def test_the_weights_of_adan_decay_by_a_quotient():
    assert_allclose(path(adan(Slope([0.0]), [1.0], lr=0.1, weight_decay=0.5, eps=1.0), 2)[:, 0], 1.05**-np.arange(3.0))


# ------------------------------------------------------------------------------------------------------------ LAMB

def test_every_layer_turns_by_the_rate_whatever_its_size():
    start = np.array([100.0, 200, -100, 50, 1e-3, 2e-3])
    d = steps(lamb(Layers(*some_gradients(5, 6)), start, lr=0.01), 1)[0]
    for part in slice(4), slice(4, 6):
        assert_allclose(np.linalg.norm(d[part]), 0.01 * np.linalg.norm(start[part]))


def test_a_layer_goes_the_way_of_adamw():
    start, gradients = np.arange(1.0, 7), some_gradients(1, 6)
    d, of_adamw = (steps(method(Layers(*gradients), start, eps=1e-6, weight_decay=0.1), 1)[0]
                   for method in (lamb, adamw))
    for part in slice(4), slice(4, 6):
        assert_allclose(d[part] / np.linalg.norm(d[part]), of_adamw[part] / np.linalg.norm(of_adamw[part]))


@pytest.mark.parametrize("c", [1e-3, 1e3])
def test_a_layer_in_other_units_walks_the_same_way_in_those(c):
    units = np.array([c] * 4 + [1.0] * 2)
    start, gradients = np.arange(1.0, 7), some_gradients(20, 6)
    plain = path(lamb(Layers(*gradients), start, lr=0.01, weight_decay=0.0, eps=0.0), 20)
    scaled = path(lamb(Layers(*(gradients / units)), start * units, lr=0.01, weight_decay=0.0, eps=0.0), 20)
    assert_allclose(scaled, plain * units)


def test_from_zero_lamb_steps_as_adam():
    assert_allclose(path(lamb(Slope([2.0]), [0.0], lr=0.1, eps=0.0), 1)[-1], [-0.1])


MISTAKES = [
    ("yogi", "the average forgets by multiplying, as Adam's does",
     "v - (1 - beta2) * np.sign(v - g**2) * g**2",
     "beta2 * v + (1 - beta2) * g**2",
     "test_after_a_large_gradient_yogi_forgets_by_the_small_squares_and_adam_by_a_share_of_the_large_one"),
    ("yogi", "the sign the other way round", "np.sign(v - g**2)", "np.sign(g**2 - v)",
     "test_two_steps_of_yogi_by_hand"),
    ("radam", "it waits too short a time", "if rho > 5", "if rho > 4",
     "test_to_radam_it_matters_until_its_squares_take_part"),
    ("radam", "the rectification upside down",
     "lr(t) * r * m_hat",
     "lr(t) / r * m_hat",
     "test_radam_becomes_adam_as_its_squares_have_seen_enough"),
    ("adabelief", "* the squares are those of the gradient",
     "(g - m)**2",
     "g**2",
     "test_two_steps_of_adabelief_by_hand"),
    ("adabelief", "eps is not in the average",
     "(g - m)**2 + eps",
     "(g - m)**2",
     "test_with_no_average_of_gradients_to_expect_adabelief_has_only_eps_to_divide_by"),
    ("adan", "the first gradient counts as a change",
     "g - g_last if t > 1 else np.zeros_like(g)",
     "g - g_last",
     "test_under_a_gradient_that_does_not_change_adan_is_adam"),
    ("adan", "the changes are not looked ahead with under the root",
     "(g + beta2 * y)**2",
     "g**2",
     "test_two_steps_of_adan_by_hand"),
    ("lamb", "one length for all layers",
     "as_long_as(loss.blocks(theta), loss.blocks(d))",
     "as_long_as([theta], [d])",
     "test_every_layer_turns_by_the_rate_whatever_its_size"),
    ("lamb", "the weights decay apart from the length",
     "+ weight_decay * theta\n",
     "\n        theta = theta - lr(t) * weight_decay * theta\n",
     "test_a_layer_goes_the_way_of_adamw"),
    ("adabelief", "nothing is corrected after fifty steps",
     "v / (1 - beta2**t)", "v / (1 - beta2**t if t < 50 else 1)",
     "test_what_has_a_hat_is_early_and_late_a_mean_of_what_was_seen_whose_weights_add_up_to_one"),
    ("adan", "the look ahead by the wrong beta",
     "m_hat + beta2 * u_hat", "m_hat + beta1 * u_hat",
     "test_two_steps_of_adan_by_hand"),
]
