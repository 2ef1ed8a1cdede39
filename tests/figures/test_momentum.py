"""The figure of lecture 3 about noise shows what its caption claims: tested on the arrays that are drawn."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from figures.momentum_and_noise import compute, level


def test_momentum_and_noise_what_is_measured_is_the_formula(arrays):
    drawn = arrays("momentum_and_noise")
    wanted = [[level(lr, mu) for mu in drawn["mus"]] for lr in drawn["rates"]]
    assert_allclose(drawn["left"], wanted, rtol=0.08)


@pytest.mark.parametrize("seed", [1, 2])
def test_momentum_and_noise_it_is_so_with_other_seeds(seed):
    drawn = compute(rates=(0.03, 0.5), mus=(0.0, 0.9), seed=seed)
    wanted = [[level(lr, mu) for mu in drawn["mus"]] for lr in drawn["rates"]]
    assert_allclose(drawn["left"], wanted, rtol=0.08)


def test_momentum_and_noise_for_a_small_rate_it_is_the_level_of_descent_at_a_higher_one_and_for_a_large_one_less():
    for mu in (0.3, 0.9, 0.95):
        assert_allclose(level(0.01, mu), level(0.01 / (1 - mu), 0), rtol=0.1)
    assert level(0.3, 0.8) < 0.5 * level(0.3 / 0.2, 0)


def test_momentum_and_noise_the_same_wandering_only_smoother(arrays):
    heavy, plain = arrays("momentum_and_noise")["heavy"], arrays("momentum_and_noise")["plain"]
    assert_allclose(heavy.std(), plain.std(), rtol=0.2)
    assert np.corrcoef(heavy[10:], plain[:-10])[0, 1] > 0.75
    assert np.abs(np.diff(heavy)).mean() < 0.4 * np.abs(np.diff(plain)).mean()
