"""What a search finds, against all searches written down."""
from itertools import combinations
from math import inf

import numpy as np
import pytest

from numopt.searches import best_of_search

VALUES = np.array([3.0, inf, 0.5, 7.0, 2.0, 11.0, 0.25, 5.0])


@pytest.mark.parametrize("search", [1, 2, 3, 7, 8])
def test_the_quantiles_are_those_over_all_searches(search):
    best = [min(some) for some in combinations(VALUES, search)]
    for share in (0, 0.1, 0.26, 0.49, 0.76, 0.99, 1, *(k / 8 for k in range(8) if search in (1, 7, 8))):
        assert best_of_search(VALUES, share, search) == np.quantile(best, share, method="inverted_cdf")


def test_what_diverged_counts():
    assert best_of_search(VALUES, 0.9, 1) > best_of_search(VALUES[np.isfinite(VALUES)], 0.9, 1)
    assert best_of_search(np.array([inf, 1.0]), 0.9, 1) == inf


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("best_of_search", "* the trials of a search are drawn with replacement",
     "comb(n - i, search) / comb(n, search)",
     "((n - i) / n)**search",
     "test_the_quantiles_are_those_over_all_searches"),
    ("best_of_search", "counted from 0", "range(1, n + 1)", "range(n)",
     "test_the_quantiles_are_those_over_all_searches"),
    ("best_of_search", "the quantile of the trials", "[np.searchsorted(among_the_first, share)]",
     "[np.searchsorted(np.arange(1, n + 1) / n, share)]", "test_the_quantiles_are_those_over_all_searches"),
    ("best_of_search", "* what diverged is left out", "n = len(values)",
     "values = values[np.isfinite(values)]; n = len(values)", "test_what_diverged_counts"),
]
