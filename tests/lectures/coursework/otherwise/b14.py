"""Assignment 14 with a product in place of binomial numbers."""
from numopt.searches import np


def best_of_search(values, share, search=20):
    values, n = np.sort(values), len(values)
    i = np.arange(1, n + 1)
    none = np.prod([np.maximum(n - i - k, 0) / (n - k) for k in range(search)], axis=0)
    return values[np.argmax(1 - none >= share)]
