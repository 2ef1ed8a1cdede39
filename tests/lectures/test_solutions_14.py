"""The solutions of lecture 14, checked."""
from itertools import combinations
from math import comb, inf, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from figures.accuracy_table import winner
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import adam, momentum
from numopt.problems import EmpiricalRisk
from numopt.record import path
from numopt.searches import best_of_search


def test_solution_14_1_two_rules_for_six_numbers():
    x, y = np.array([43.2, 43.3, 43.4]), np.array([43.7, 43.8, 45.3])
    assert_allclose((x.mean(), x.std(ddof=1), y.mean(), y.std(ddof=1)), (43.30, 0.10, 44.27, 0.90), atol=0.006)
    t = stats.ttest_ind(x, y).statistic
    assert_allclose(t, (x.mean() - y.mean()) / sqrt((x.var(ddof=1) + y.var(ddof=1)) / 3))
    assert_allclose(t, -1.86, atol=0.005)
    limits = [stats.t.ppf(0.975, 2 * k - 2) for k in (2, 3, 5, 10)]
    assert_allclose(limits, [4.3, 2.8, 2.3, 2.1], atol=0.05)
    assert abs(t) < limits[1] and winner(np.array([x, y])) == 1
    assert 2 / comb(6, 3) == 1 / 10
    assert_allclose((54.5 - 51.3) / (sqrt(2) * 50 / sqrt(10_000)), 4.5, atol=0.05)


def test_solution_14_2_the_best_of_ten_that_are_alike():
    p = 1 - 0.5**(1 / 10)
    assert_allclose((p, stats.norm.ppf(p)), (0.067, -1.50), atol=0.005)
    draws = np.sort(np.random.default_rng(0).standard_normal((40_000, 10)))
    assert_allclose(np.median(draws[:, 0]), stats.norm.ppf(p), atol=0.02)
    assert_allclose((draws[:, -1].mean(), (draws[:, -1] - draws[:, :-1].mean(axis=1)).mean()), (1.54, 1.71), atol=0.02)


@pytest.mark.parametrize("search", [1, 3, 8])
def test_solution_14_3_all_searches_of_eight_trials(search):
    values = np.array([0.3, inf, 0.2, 5.0, 0.9, inf, 0.1, 0.4])
    best = [min(some) for some in combinations(values, search)]
    for share in 0.1, 0.3, 0.5, 0.9:
        assert best_of_search(values, share, search) == np.quantile(best, share, method="inverted_cdf")
    kept = values[np.isfinite(values)]
    if search == 3:
        assert best_of_search(kept, 0.9, search) < best_of_search(values, 0.9, search), "left out, it looks better"


def test_solution_14_4_defaults_and_searched_rates_name_different_winners():
    data, network, rates = digits(), mlp([64, 32, 10]), {momentum: (0.1, 0.32, 1.0), adam: (0.01, 0.032, 0.1)}

    def ends(method, **lr):
        """After one epoch and after ten, with each seed."""
        found = []
        for seed in range(3):
            risk = EmpiricalRisk(network, data.X_train, data.Y_train, batch_size=64, seed=seed)
            walk = path(method(risk, network.initial(seed=seed), **lr), 10 * risk.steps_per_epoch)
            found.append([risk.whole.value(walk[step]) for step in (risk.steps_per_epoch, -1)])
        return -np.transpose(found)

    assert winner(np.array([ends(method)[1] for method in rates])) == 0
    found = {method: np.array([ends(method, lr=lr) for lr in grid]) for method, grid in rates.items()}
    for one in found.values():
        assert (one.mean(axis=-1).argmax(axis=0) == 1).all(), "worse on both sides, after one epoch and after ten"
    assert winner(np.array([found[method][1, 0] for method in rates])) is None
    assert winner(np.array([found[method][1, 1] for method in rates])) == 1


def test_solution_14_5_thirty_copies_of_one_method():
    assert_allclose(100 * sqrt(0.97 * 0.03 / 360), 0.9, atol=0.005)
    assert_allclose((100 * sqrt(0.45 * 0.55 / 5000)), 0.7, atol=0.005)
    rng = np.random.default_rng(0)
    assert_allclose(rng.standard_normal((40_000, 30)).max(axis=1).mean(), 2.04, atol=0.02)
    gain = 100 * (rng.binomial(360, 0.97, (40_000, 30)).max(axis=1).mean() / 360 - 0.97)
    assert 1.5 < gain < 2.04 * 0.9
