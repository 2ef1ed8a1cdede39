"""Weight decay and rates by layer around any loop, in tests."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import mlp
from numopt.optimizers import (
    adahessian, adam, adamw, adan, by_layer, decayed, fishleg, gradient_descent, lion, lookahead, momentum, muon,
    rmsprop, scion, soap, sophia)
from numopt.problems import EmpiricalRisk, Objective, Quadratic, Ridge
from numopt.record import path
from tests.optimizers.test_adam_family import Layers
from tests.optimizers.test_adaptive import some_gradients

RANDOM = np.random.default_rng(0)
NETWORK = mlp([4, 5, 3])
RISK = EmpiricalRisk(NETWORK, RANDOM.standard_normal((30, 4)), RANDOM.integers(3, size=30), batch_size=10)
START = NETWORK.initial(seed=2)


@pytest.mark.parametrize("inner, whole", [(adam, adamw), (lion, lion), (muon, muon)])
def test_adam_lion_and_muon_with_weight_decay_around_them_are_those_with_it_inside(inner, whole):
    outside = decayed(RISK, START, inner=partial(inner, lr=0.01), lr=0.01, weight_decay=0.3)
    assert_allclose(path(outside, 30), path(whole(RISK, START, lr=0.01, weight_decay=0.3), 30), atol=1e-12)


def test_for_gradient_descent_coupled_and_decoupled_decay_are_the_same_and_for_adam_they_are_not():
    for method, same in (gradient_descent, True), (rmsprop, False), (adam, False):
        inner = partial(method, lr=0.01)
        beside = path(decayed(RISK, START, inner=inner, lr=0.01, weight_decay=0.3), 30)
        assert np.allclose(beside, path(inner(Ridge(RISK, 0.3), START), 30), atol=1e-10) == same


def test_the_weights_of_a_flat_loss_shrink_by_the_schedule():
    x = path(decayed(Quadratic(np.zeros((1, 1))), [1.0], lr=lambda t: t / 10, weight_decay=1.0), 3)[:, 0]
    assert_allclose(x, [1, 0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7])


class Elsewhere(Objective):
    """A matrix of 3 x 4 numbers, whose gradient at step t, and whose curvature, do not depend on where it is."""

    def __init__(self, t=None):
        self.t = t

    def loss(self, t):
        return Elsewhere(t)

    def gradient(self, theta):
        return 30 * np.random.default_rng(self.t).standard_normal(12)

    def hessian(self, theta):
        return np.diag(np.linspace(1, 3, 12))

    def blocks(self, vector):
        return [vector.reshape(3, 4)]


@pytest.mark.parametrize("method, how", [
    (adamw, {}), (lion, {}), (adahessian, {}), (sophia, {}), (soap, {"every": 4}), (muon, {}), (scion, {}), (adan, {}),
    (fishleg, {"curvature": "hessian"}), (partial(decayed, inner=gradient_descent), {})])
def test_beside_its_step_every_weight_of_any_size_decays_by_the_rate_of_this_step_early_and_late(method, how):
    def rate(t):
        return 0.1 / (1 + t / 10)

    how = {"lr": rate, **how}
    start = np.geomspace(0.01, 1000, 12) * np.resize([1, -1], 12)
    bare, with_decay = (path(method(Elsewhere(), start, weight_decay=w, **how), 25) for w in (0.0, 0.3))
    for t in range(2 if method is soap else 1, 26):  # soap's first step only looks
        step, share = bare[t] - bare[t - 1], rate(t) * 0.3
        after = (with_decay[t - 1] + step) / (1 + share) if method is adan else (1 - share) * with_decay[t - 1] + step
        assert_allclose(with_decay[t], after, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("inner", [gradient_descent, momentum, adam, rmsprop])
def test_each_layer_goes_as_with_the_rate_of_its_own(inner):
    gradients, start = Layers(*some_gradients(20, 6)), np.arange(6.0)
    x = path(by_layer(gradients, start, inner=partial(inner, lr=0.1), rates=(1.0, 0.25)), 20)
    assert_allclose(x[:, :4], path(inner(gradients, start, lr=0.1), 20)[:, :4])
    assert_allclose(x[:, 4:], path(inner(gradients, start, lr=0.025), 20)[:, 4:])


def test_a_layer_of_rate_zero_is_frozen_and_without_rates_it_is_the_inner_method():
    x = path(by_layer(RISK, START, inner=momentum, rates=(0, 1)), 20)
    first = NETWORK.blocks(START)[0].size
    assert_array_equal(x[:, :first], np.tile(START[:first], (21, 1)))
    assert (x[-1, first:] != START[first:]).all()
    assert_allclose(path(by_layer(RISK, START, inner=momentum), 20), path(momentum(RISK, START), 20))


@pytest.mark.parametrize("around", [by_layer, partial(decayed, weight_decay=0.1)])
def test_they_count_the_mini_batches_that_the_inner_method_has_used(around):
    run = around(RISK, START, inner=partial(lookahead, k=4))
    assert [run["t"] for _ in zip(range(3), run)] == [4, 8, 12]


def test_there_must_be_a_rate_for_every_layer():
    for rates in (1, 1, 1), (1,):
        with pytest.raises(ValueError, match=f"rates has {len(rates)} numbers; the problem has 2 blocks"):
            next(by_layer(RISK, START, rates=rates))


def test_rates_by_layer_leave_single_precision_single():
    assert next(by_layer(RISK, START.astype(np.float32), rates=(0.5, 2.0))).dtype == np.float32


MISTAKES = [
    ("decayed", "the decay is of where the step has led",
     "after - lr(t) * weight_decay * theta",
     "(1 - lr(t) * weight_decay) * after",
     "test_adam_lion_and_muon_with_weight_decay_around_them_are_those_with_it_inside"),
    ("decayed", "the inner method forgets",
     "**(memory or {\"t\": t})",
     "t=t",
     "test_adam_lion_and_muon_with_weight_decay_around_them_are_those_with_it_inside"),
    ("by_layer", "the rates multiply the weights too",
     "theta + factors * (after - theta)",
     "factors * after",
     "test_each_layer_goes_as_with_the_rate_of_its_own"),
    ('by_layer', 'steps are counted, not mini-batches',
     't, memory = run["t"], run.memory', 't, memory = t + 1, run.memory',
     'test_they_count_the_mini_batches_that_the_inner_method_has_used'),
]
