"""What a search among hyperparameters finds.          Lecture 14."""
from math import comb

import numpy as np


def best_of_search(values, share, search=20):
    """The quantile, over all searches of so many of the trials, of the best value that is found.

    Lecture 14, equation 8: the best is the i-th lowest or less unless all are from the rest.  A trial that diverged has
    the value ∞.  After Dodge et al. (2019), *Show your work*, who draw the trials of a search with replacement.
    """
    n = len(values)
    among_the_first = [1 - comb(n - i, search) / comb(n, search) for i in range(1, n + 1)]  # the first i, when sorted
    return np.sort(values)[np.searchsorted(among_the_first, share)]
