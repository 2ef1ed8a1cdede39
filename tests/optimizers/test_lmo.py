"""Steps in a ball, in tests: each says something lecture 11 says."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import mlp
from numopt.optimizers import muon, normalized_descent, scion, sign_descent
from numopt.optimizers.lmo import BALLS
from numopt.problems import EmpiricalRisk
from numopt.record import path

RANDOM = np.random.default_rng(0)
NETWORK = mlp([4, 5, 3])
RISK = EmpiricalRisk(NETWORK, RANDOM.standard_normal((30, 4)), RANDOM.integers(3, size=30), batch_size=10)
START = NETWORK.initial(seed=2)

# How long a step is, for each of the balls: a layer's part of it counts by its own length.
LENGTHS = {"sign": lambda d: np.abs(d).max(), "euclidean": np.linalg.norm,
           "spectral": lambda d: max(np.linalg.norm(D, 2) * np.sqrt(len(D.T) / len(D)) for D in NETWORK.blocks(d))}
DUALS = {"sign": lambda g: np.abs(g).sum(), "euclidean": np.linalg.norm,
         "spectral": lambda g: sum(np.linalg.norm(G, "nuc") * np.sqrt(len(G) / len(G.T)) for G in NETWORK.blocks(g))}


@pytest.mark.parametrize("ball, method", [
    ("sign", sign_descent), ("euclidean", normalized_descent),
    ("spectral", partial(muon, mu=0.0, scale="spectral"))])
def test_sign_descent_normalised_descent_and_muon_are_one_loop_with_three_balls_to_the_last_bit(ball, method):
    assert_array_equal(path(scion(RISK, START, lr=0.02, ball=ball), 40), path(method(RISK, START, lr=0.02), 40))


def test_with_momentum_and_weight_decay_it_is_muon_without_look_ahead_to_the_last_bit():
    settings = {"lr": 0.02, "mu": 0.9, "weight_decay": 0.1}
    one = path(scion(RISK, START, **settings), 40)
    assert_array_equal(one, path(muon(RISK, START, scale="spectral", nesterov=False, **settings), 40))
    assert np.abs(one - path(muon(RISK, START, scale="spectral", **settings), 40)).max() > 1e-3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ball", BALLS)
def test_no_step_of_the_same_length_goes_further_along_the_gradient(ball, seed):
    random = np.random.default_rng(seed)
    g = RISK.loss(seed + 1).gradient(START)
    d = BALLS[ball](g, NETWORK.blocks)
    near = 0.35 if ball == "spectral" else 1e-12  # five steps of Newton and Schulz leave values of 0.7 to 1.2
    assert_allclose([LENGTHS[ball](d), g @ d / DUALS[ball](g)], 1, atol=near)
    for _ in range(50):
        other = random.standard_normal(g.size)
        assert g @ other / LENGTHS[ball](other) < g @ d / LENGTHS[ball](d)


@pytest.mark.parametrize("ball", ["sign", "euclidean"])
def test_with_weight_decay_the_weights_stay_in_the_ball_whose_radius_is_one_over_it(ball):
    start = START / LENGTHS[ball](START)
    x = path(scion(RISK, start, lr=0.1, ball=ball, weight_decay=0.5), 200)
    assert max(map(LENGTHS[ball], x)) <= 2 + 1e-12
    assert max(map(LENGTHS[ball], path(scion(RISK, start, lr=0.1, ball=ball), 200))) > 2


def test_an_unknown_ball_is_refused():
    with pytest.raises(ValueError, match="ball is 'cube'; it must be 'sign', 'euclidean' or 'spectral'"):
        next(scion(RISK, START, ball="cube"))


MISTAKES = [
    ("scion", "it looks ahead",
     "furthest(m, loss.blocks)",
     "furthest(mu(t) * m + (1 - mu(t)) * g, loss.blocks)",
     "test_with_momentum_and_weight_decay_it_is_muon_without_look_ahead_to_the_last_bit"),
    ("scion", "the weights grow where they have to decay",
     "d + weight_decay",
     "d - weight_decay",
     "test_with_weight_decay_the_weights_stay_in_the_ball_whose_radius_is_one_over_it"),
]
