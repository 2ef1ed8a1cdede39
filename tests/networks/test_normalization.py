"""Batch normalisation: what it makes of a batch, and what it uses where there is none.  Its derivatives are checked
with those of all layers, in test_layers.py."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import BatchNorm, Conv2D, Dense, Flatten, Mode, Network, RunningStatistics, Tanh
from numopt.problems import EmpiricalRisk, MiniBatch, Whole
from numopt.record import load, save

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((40, 4, 3, 2))
LABELS = RANDOM.integers(3, size=40)
NETWORK = Network(Conv2D(2, 3, 2, bias=False), BatchNorm(3), Tanh(), Flatten(), Dense(18, 4), BatchNorm(4), Dense(4, 3),
                  inputs=(4, 3, 2))
THETA = NETWORK.initial(0)


def normalized(x, gamma=1.0, beta=0.0, **mode):
    channels = x.shape[-1]
    mode = Mode(**mode)
    w = np.stack([np.broadcast_to(gamma, channels), np.broadcast_to(beta, channels)], axis=1).ravel().astype(x.dtype)
    return BatchNorm(channels).forward(w, x, mode)[0], mode


def test_every_channel_comes_out_with_mean_zero_and_variance_one():
    x = 5 + 3 * RANDOM.standard_normal((20, 6, 5, 3))
    y, _ = normalized(x)
    assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-13)
    assert_allclose(y.var(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_four_numbers_by_hand():
    # mean 3, variance ((−2)² + (−1)² + 1² + 2²) / 4 = 2.5, and eps beside it
    y, _ = normalized(np.array([[1.0], [2.0], [4.0], [5.0]]), gamma=2, beta=10)
    assert_allclose(y[:, 0], 10 + 2 * np.array([-2, -1, 1, 2]) / np.sqrt(2.5 + 1e-5), rtol=1e-14)


def test_gamma_and_beta_stretch_and_shift_each_channel():
    x = RANDOM.standard_normal((20, 2))
    y, _ = normalized(x, gamma=[2.0, -1.0], beta=[0.5, 7.0])
    assert_allclose(y, normalized(x)[0] * [2, -1] + [0.5, 7])


def test_what_comes_out_does_not_depend_on_the_scale_of_what_goes_in():
    x = RANDOM.standard_normal((20, 4))
    assert_allclose(normalized(100 * x - 30)[0], normalized(x)[0], atol=1e-4)


def test_a_batch_norm_starts_as_the_normalisation_alone():
    assert_array_equal(BatchNorm(3).initial(np.random.default_rng(0), None).reshape(3, 2), [[1, 0]] * 3)


def test_training_notes_the_mean_and_variance_of_the_batch():
    x = RANDOM.standard_normal((7, 3, 2, 2))
    (mean, variance), = normalized(x)[1].seen
    assert_allclose(mean, x.mean(axis=(0, 1, 2)))
    assert_allclose(variance, x.var(axis=(0, 1, 2)))


def test_evaluation_uses_the_statistics_that_it_is_given():
    x = RANDOM.standard_normal((5, 2))
    y, mode = normalized(x, training=False, statistics=[([1.0, 2.0], [4.0, 9.0])])
    assert_allclose(y, (x - [1, 2]) / np.sqrt([4 + 1e-5, 9 + 1e-5]))
    assert mode.seen == []


def test_evaluation_with_the_statistics_of_the_batch_is_training():
    batch = MiniBatch(NETWORK, X, LABELS)
    again = MiniBatch(NETWORK, X, LABELS, training=False, statistics=batch.statistics_of(THETA))
    assert_allclose(again.value(THETA), batch.value(THETA), rtol=1e-13)
    assert_allclose(NETWORK.outputs(THETA, X, batch.statistics_of(THETA)), batch.forward(THETA)[0], rtol=1e-11)


def test_statistics_in_double_precision_do_not_widen_a_network_in_single():
    batch = MiniBatch(NETWORK, X, LABELS)
    z = NETWORK.outputs(THETA.astype(np.float32), X, batch.statistics_of(THETA))
    assert z.dtype == np.float32


def test_in_evaluation_examples_do_not_know_of_each_other():
    statistics = MiniBatch(NETWORK, X, LABELS).statistics_of(THETA)
    assert_allclose(NETWORK.outputs(THETA, X[:5], statistics), NETWORK.outputs(THETA, X, statistics)[:5], rtol=1e-12)
    in_chunks = Whole(NETWORK, X, LABELS, batch_size=7, statistics=statistics)
    at_once = Whole(NETWORK, X, LABELS, statistics=statistics)
    assert_allclose(in_chunks.gradient(THETA), at_once.gradient(THETA), atol=1e-14)
    v = RANDOM.standard_normal(NETWORK.size)
    for kind in ("hessian", "gauss_newton", "fisher", "empirical_fisher"):
        assert_allclose(getattr(in_chunks, kind)(THETA) @ v, getattr(at_once, kind)(THETA) @ v, atol=1e-13)


def test_evaluation_without_statistics_says_where_they_come_from():
    with pytest.raises(ValueError, match=r"in evaluation, BatchNorm\(3\) needs a mean and a variance of each channel, "
                                         r"and there are none left; pass statistics=.*RunningStatistics"):
        NETWORK.outputs(THETA, X)
    with pytest.raises(ValueError, match="pass statistics="):
        EmpiricalRisk(NETWORK, X, LABELS).whole.value(THETA)


def test_too_few_statistics_are_an_error():
    with pytest.raises(ValueError, match=r"BatchNorm\(4\) needs .* there are none left"):
        NETWORK.outputs(THETA, X, MiniBatch(NETWORK, X, LABELS).statistics_of(THETA)[:1])


def test_too_many_statistics_are_an_error():
    statistics = MiniBatch(NETWORK, X, LABELS).statistics_of(THETA)
    with pytest.raises(ValueError, match="more pairs than this network has batch normalisations"):
        NETWORK.outputs(THETA, X, [*statistics, statistics[0]])
    with pytest.raises(ValueError, match="more pairs than this network has batch normalisations"):
        MiniBatch(NETWORK, X, LABELS, training=False, statistics=[*statistics, statistics[0]]).value(THETA)


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (3,), (2, 3, 1)])
def test_statistics_are_a_mean_and_a_variance_and_nothing_else(shape):
    _, second = MiniBatch(NETWORK, X, LABELS).statistics_of(THETA)
    with pytest.raises(ValueError, match=r"BatchNorm\(3\) needs .* is given those of shape"):
        NETWORK.outputs(THETA, X, [np.ones(shape), second])


def test_statistics_of_other_layers_are_an_error():
    statistics = MiniBatch(NETWORK, X, LABELS).statistics_of(THETA)
    with pytest.raises(ValueError, match=r"BatchNorm\(3\) needs .* is given those of shape \(2, 4\)"):
        NETWORK.outputs(THETA, X, statistics[::-1])


# ------------------------------------------------------------------------------------------------ running statistics

def pair(mean, variance):
    return np.array(mean, float), np.array(variance, float)


def test_running_statistics_by_hand():
    running = RunningStatistics(decay=0.75)
    running.saw([pair([4.0], [8.0])])
    assert_array_equal(running.statistics, [[[4], [8]]])
    running.saw([pair([8.0], [0.0])])
    assert_array_equal(running.statistics, [[[5], [6]]])
    running.saw([pair([1.0], [2.0])])
    assert_array_equal(running.statistics, [[[4], [5]]])
    usual, last = RunningStatistics(), RunningStatistics(0)
    for running, found in (usual, 0.1), (last, 1):
        running.saw([pair([0.0], [0.0])])
        running.saw([pair([1.0], [1.0])])
        assert_allclose(running.statistics, [[[found], [found]]])


def test_running_statistics_of_batches_that_are_all_the_same_are_theirs():
    running, batch = RunningStatistics(), MiniBatch(NETWORK, X, LABELS)
    for _ in range(5):
        running.saw(batch.statistics_of(THETA))
    for found, expected in zip(running.statistics, batch.statistics_of(THETA), strict=True):
        assert_allclose(found, expected, rtol=1e-13)
    evaluation = Whole(NETWORK, X, LABELS, statistics=running.statistics)
    assert_allclose(evaluation.value(THETA), batch.value(THETA), rtol=1e-12)


def test_running_statistics_come_near_to_those_of_all_the_data():
    risk, running = EmpiricalRisk(NETWORK, X, LABELS, batch_size=10), RunningStatistics(0.98)
    whole = MiniBatch(NETWORK, X, LABELS)
    for t in range(1, 201):
        running.saw(risk.loss(t).statistics_of(THETA))
    one = risk.loss(1).statistics_of(THETA)
    for found, batch, all_data in zip(running.statistics, one, whole.statistics_of(THETA)):
        assert np.linalg.norm(found[0] - all_data[0]) < 0.3 * np.linalg.norm(batch[0] - all_data[0])


def test_running_statistics_go_on_from_their_memory(tmp_path):
    risk = EmpiricalRisk(NETWORK, X, LABELS, batch_size=8)
    straight, before = RunningStatistics(0.8), RunningStatistics(0.8)
    for t in range(1, 11):
        straight.saw(risk.loss(t).statistics_of(THETA))
    for t in range(1, 5):
        before.saw(risk.loss(t).statistics_of(THETA))
    save(tmp_path / "statistics.npz", **before.memory)
    after = RunningStatistics(0.8, **load(tmp_path / "statistics.npz"))
    for t in range(5, 11):
        after.saw(risk.loss(t).statistics_of(THETA))
    for one, other in zip(straight.statistics, after.statistics, strict=True):
        assert_array_equal(one, other)


def test_what_was_handed_out_does_not_change():
    running = RunningStatistics(0.5)
    running.saw([pair([1.0], [2.0])])
    before = running.statistics
    running.saw([pair([3.0], [4.0])])
    assert_array_equal(before, [[[1], [2]]])


def test_running_statistics_stay_in_single_precision():
    running, batch = RunningStatistics(), MiniBatch(NETWORK, X, LABELS)
    for _ in range(2):
        running.saw(batch.statistics_of(THETA.astype(np.float32)))
    assert {pair.dtype for pair in running.statistics} == {np.dtype(np.float32)}


def test_running_statistics_of_another_network_are_an_error():
    running = RunningStatistics()
    running.saw([pair([1.0], [2.0])] * 2)
    for n in 0, 1, 3:
        with pytest.raises(ValueError, match=f"there were 2 batch normalisations before, and now {n}"):
            running.saw([pair([1.0], [2.0])] * n)


@pytest.mark.parametrize("decay", [1, -0.1, "much", float("nan")])
def test_the_decay_is_a_share(decay):
    with pytest.raises(ValueError, match=r"decay is .*; it must be a number in \[0, 1\)"):
        RunningStatistics(decay)


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_a_single_image_has_pixels_to_be_normalised_by():
    y, _ = normalized(X[:1])
    assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-13)
    assert_allclose(y.var(axis=(0, 1, 2)), 1, rtol=1e-3)


def test_a_single_example_is_not_normalised_by_itself():
    """Every x̂ would be 0, and nothing below would learn."""
    network = Network(Dense(3, 4), BatchNorm(4), Dense(4, 2), inputs=3)
    X, Y = np.random.default_rng(0).standard_normal((9, 3)), np.arange(9) % 2
    theta = network.initial(seed=1)
    risk = EmpiricalRisk(network, X, Y, batch_size=4, seed=0)
    for t in (1, 2):
        risk.loss(t).gradient(theta)
    with pytest.raises(ValueError, match="one example .* batch_size"):
        risk.loss(3).gradient(theta)
    MiniBatch(network, X[:1], Y[:1], training=False, statistics=[np.ones((2, 4))]).gradient(theta)


MISTAKES = [
    ("numopt.kernels.normalization::normalized", "divided by the variance, not by its root",
     "1 / np.sqrt(variance + eps)",
     "1 / (variance + eps)",
     "test_four_numbers_by_hand"),
    ("BatchNorm.evaluated", "divided by the variance, not by its root",
     "1 / np.sqrt(variance + self.eps)",
     "1 / (variance + self.eps)",
     "test_evaluation_uses_the_statistics_that_it_is_given"),
    ("BatchNorm.forward", "in evaluation the batch normalises itself",
     "if mode.training:",
     "if True:",
     "test_evaluation_uses_the_statistics_that_it_is_given"),
    ("numopt.kernels.normalization::normalized", "ε is added to the root",
     "1 / np.sqrt(variance + eps)",
     "1 / (np.sqrt(variance) + eps)",
     "test_four_numbers_by_hand"),
    ("numopt.kernels.normalization::normalized_backward", "the mean is taken for a constant",
     "d - d.mean(axis=0) - x_hat",
     "d - x_hat",
     "networks.test_layers::test_backward_gives_the_derivatives_of_forward"),
    ("numopt.kernels.normalization::normalized_backward", "the variance is taken for a constant",
     "d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)",
     "d - d.mean(axis=0)",
     "networks.test_layers::test_backward_gives_the_derivatives_of_forward"),
    ("RunningStatistics.saw", "the old and the new have each other's share",
     "self.decay * before + (1 - self.decay) * now",
     "(1 - self.decay) * before + self.decay * now",
     "test_running_statistics_by_hand"),
]
