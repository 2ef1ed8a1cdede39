"""What a search finds.          Lecture 14.

The quantiles of the best of a search, over all searches of the trials that were made.
"""
import numpy as np

from lectures.assignments import Claim, call

BLANKS = {"numopt.searches": ["best_of_search"]}


def found(trials=(8, 13), search=(2, 6), diverged=0):
    def job(random):
        values = random.standard_normal(int(random.integers(*trials)))**2
        values[:diverged] = np.inf
        return call("numopt.searches.best_of_search", random.permutation(values), float(random.uniform(0.1, 0.9)),
                    int(random.integers(*search)))
    return job


CLAIMS = [
    Claim("best_of_search", "A search of one trial finds what the trials are.", found(search=(1, 2)), 2),
    Claim("best_of_search", "Of all searches of some of the trials it is the quantile of the best.", found(), 4),
    Claim("best_of_search", "It is so of hundreds of trials, too many to write all searches down.",
          found((150, 300), (20, 60)), 2, shown=False),
    Claim("best_of_search", "A search of all trials finds the best.", found((6, 7), (6, 7)), 1, shown=False),
    Claim("best_of_search", "Trials that diverged stay in: a method that diverges is no better for it.",
          found(search=(4, 7), diverged=3), 2),
]
