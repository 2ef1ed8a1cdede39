"""The solutions of lecture 13, checked."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.linalg import power_iteration
from numopt.networks import BatchNorm, Mode, mlp
from numopt.optimizers import gradient_descent, lookahead
from numopt.problems import EmpiricalRisk, MiniBatch, Quadratic
from numopt.record import path


def test_solution_13_1_how_long_the_start_is_remembered():
    assert_allclose(10 / (0.1 * 10**4), 1 / np.sqrt(10**4))
    left, noise = 10 * 0.9**50, np.sqrt(0.1 / 1.9)
    assert left < 0.06 and abs(noise - 0.23) < 0.01
    assert noise / (0.1 * 5) > 1 / np.sqrt(5) and noise / (0.1 * 6) < 1 / np.sqrt(6)
    rng, e, walk = np.random.default_rng(0), np.full(4000, 10.0), []
    for _ in range(400):
        walk.append(e)
        e = 0.9 * e - 0.1 * rng.standard_normal(4000)
    squares = [np.mean(np.mean(walk[first:], axis=0)**2) for first in (0, 50)]
    assert_allclose(squares[0], (100 / 400)**2 + 1 / 400, rtol=0.1)
    assert squares[1] < squares[0] / 15


@pytest.mark.parametrize("k, largest", [(5, 1 + 3**0.2), (4, 2.0)])
def test_solution_13_2_the_largest_rate_of_lookahead(k, largest):
    for factor, stable in ((0.99, True), (1.01, False)):
        inner = partial(gradient_descent, lr=factor * largest)
        end = path(lookahead(Quadratic(np.eye(1)), [1.0], inner=inner, k=k, alpha=0.5), 200)[-1, 0]
        assert (abs(end) < 1) == stable


@pytest.mark.parametrize("examples", [2, 3, 20])
def test_solution_13_4_what_normalisation_takes_out_of_a_gradient(examples):
    rng, layer = np.random.default_rng(0), BatchNorm(1, eps=1e-12)
    x, dy = rng.standard_normal((examples, 1)), rng.standard_normal((examples, 1))
    out, saved = layer.forward(layer.initial(None, 1.0), x, Mode())
    dx = layer.backward(layer.initial(None, 1.0), saved, dy, None)
    assert_allclose((dx.sum(), (dx * (x - x.mean())).sum()), 0, atol=1e-9)
    assert (np.abs(dx).max() < 1e-8) == (examples == 2)


def test_solution_13_5_rate_over_batch_is_what_counts():
    images, labels, test_images, test_labels, *_ = digits()
    network = mlp([64, 32, 10])
    whole, ends = MiniBatch(network, images, labels), {}
    for B, lr in ((16, 0.1), (256, 0.1), (256, 1.6)):
        risk = EmpiricalRisk(network, images, labels, batch_size=B, seed=0)
        theta = path(gradient_descent(risk, network.initial(seed=0), lr=lr), 30 * risk.steps_per_epoch)[-1]
        ends[B, lr] = whole.value(theta), power_iteration(whole.hessian(theta), theta.size, steps=200)[0]
    assert_allclose(ends[16, 0.1], ends[256, 1.6], rtol=0.15)
    assert ends[256, 0.1][0] > 10 * ends[16, 0.1][0] and ends[256, 0.1][1] > 3 * ends[16, 0.1][1]


def test_solution_13_6_a_batch_of_one_teaches_nothing_below():
    assert 1025 == 8 * 128 + 1
    layer, x = BatchNorm(4), np.random.default_rng(0).standard_normal((1, 4))
    w = np.column_stack([np.ones(4), np.arange(4.0)]).ravel()
    with pytest.raises(ValueError, match="one example"):
        layer.forward(w, x, Mode())
    out, saved = layer.forward(w, np.repeat(x, 2, axis=0), Mode())  # twice the same has the same mean and variance
    assert_allclose(out, [[0, 1, 2, 3]] * 2)
    assert_allclose(layer.backward(w, saved, np.ones((2, 4)), None), 0, atol=1e-12)
