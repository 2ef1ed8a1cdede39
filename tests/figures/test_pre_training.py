"""The figure about pre-training shows what its caption claims: tested on the arrays that are drawn."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from figures.making.records import recorded
from figures import pre_training
from numopt.data import digits
from numopt.networks import mlp

EVERY = pre_training.EVERY


def test_pre_training_the_random_start_stays_at_guessing_for_hundreds_of_steps_and_glorots_does_not(arrays):
    drawn = arrays("pre_training")
    assert_allclose(drawn["random"][:, :250 // EVERY], np.log(10), atol=0.02)
    assert np.all(drawn["glorot"][:, 250 // EVERY] < 1)


def test_pre_training_layer_by_layer_is_past_the_plateau_once_it_is_put_together_and_ends_lower_with_every_seed(arrays):
    drawn = arrays("pre_training")
    together = int(drawn["greedy, before"]) // EVERY
    assert together * EVERY == pre_training.DEPTH * pre_training.STAGE
    assert np.all(drawn["greedy"][:, together + 4] < 0.5)
    stages = drawn["greedy"][:, :together].reshape(len(drawn["greedy"]), pre_training.DEPTH, -1)
    assert np.all(np.diff(stages, axis=2) < 0) and np.all(stages[:, 1:, 0] > 2 * stages[:, :-1, -1]), "a saw"
    assert drawn["greedy"][:, -1].max() < 0.01 < drawn["random"][:, -1].min()


def test_pre_training_from_easy_to_hard_the_loss_on_all_digits_rises_and_the_end_is_no_better_than_at_random(arrays):
    drawn = arrays("pre_training")
    before = int(drawn["easy, before"]) // EVERY
    assert drawn["easy"][:, before - 1].mean() > 7
    assert drawn["easy"][:, -1].mean() > drawn["random"][:, -1].mean()


def test_pre_training_glorots_start_ends_like_the_greedy_one_without_any(arrays):
    drawn = arrays("pre_training")
    assert drawn["glorot, before"] == 0 and drawn["glorot"][:, -1].max() < 0.01
    ratio = mlp([20, 20]).initial(0).std() / mlp([20, 20]).initial(0, **pre_training.OLD).std()
    assert ratio == pytest.approx(3**0.5)


def test_pre_training_a_recorded_run_comes_out_again(monkeypatch):
    """To rounding, which grows tenfold from one look to the next: the first steps."""
    run, kept = "glorot, seed 2", recorded("pre_training")["glorot, seed 2"]
    assert kept["loss"].shape == (1 + pre_training.STEPS // EVERY,)
    monkeypatch.setattr(pre_training, "STEPS", 9 * EVERY)
    again = pre_training.runs("digits")[run]()
    assert_allclose(again["loss"], kept["loss"][:10], rtol=0.005)
    assert again["pre"] == kept["pre"]


def test_pre_training_the_easy_examples_are_zeros_and_ones_and_then_all(monkeypatch):
    seen, taken = [], []

    def train(net, X, Y, theta, steps, *rest):
        seen.append({*Y.tolist()}), taken.append(steps)
        return theta, np.arange(3)  # the loss before the first step, and after every 25

    monkeypatch.setattr(pre_training, "train", train)
    found = pre_training.run("easy", "digits", 0)
    assert seen == [{0, 1}, {*range(10)}]
    assert list(found["loss"]) == [0, 1, 0, 1, 2], "where one ends the other begins, and that is one place"
    assert found["pre"] == 2 * EVERY and taken == [pre_training.EASY, pre_training.STEPS - 2 * EVERY]


def test_pre_training_the_layers_of_the_deep_net_are_those_of_the_small_ones(monkeypatch):
    monkeypatch.setattr(pre_training, "DEPTH", 3)
    monkeypatch.setattr(pre_training, "STAGE", 25)
    X, Y, *_ = digits()
    theta, losses = pre_training.greedy(X, Y, 10, seed=1)
    small = mlp([64, 20, 10])
    first, _ = pre_training.train(small, X, Y, small.initial([1, 0], **pre_training.OLD), 25, 1, X, Y)
    deep = mlp([64, 20, 20, 20, 10])
    assert theta.size == deep.size and len(losses) == 3
    assert_allclose(deep.blocks(theta)[0], small.blocks(first)[0])
    from numopt.problems import MiniBatch
    assert MiniBatch(deep, X, Y).value(theta) == pytest.approx(losses[-1], rel=1e-12)
