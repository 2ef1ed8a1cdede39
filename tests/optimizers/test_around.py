"""Weight decay and rates by layer around any loop, in tests."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import mlp
from numopt.optimizers import adam, adamw, by_layer, decayed, gradient_descent, lion, momentum, muon, rmsprop
from numopt.problems import EmpiricalRisk, Quadratic, Ridge
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


def test_there_must_be_a_rate_for_every_layer():
    with pytest.raises(ValueError, match="rates has 3 numbers; the problem has 2 blocks"):
        next(by_layer(RISK, START, rates=(1, 1, 1)))


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
]
