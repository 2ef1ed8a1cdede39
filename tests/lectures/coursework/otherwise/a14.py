"""Assignment 14 by adding up how many searches have each trial for their best."""
import math

import numpy as np


def best_of_search(values, share, search=20):
    values, n = sorted(values), len(values)
    total, so_far = math.comb(n, search), 0
    for i, value in enumerate(values):
        so_far += math.comb(n - i - 1, search - 1)
        if so_far >= share * total:
            return np.float64(value)
    return np.float64(values[-1])
