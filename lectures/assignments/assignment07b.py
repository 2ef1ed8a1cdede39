"""Neither too long nor too short.          Lecture 7.

A line search for the strong Wolfe conditions: any that meets them will do.
"""
import numpy as np

from lectures.assignments import Claim, between, call
from lectures.coursework.holding import meets_both

BLANKS = {"numopt.line_search": ["strong_wolfe"]}
ALSO = {"numopt.line_search": ["exact"]}  # whose steps meet the conditions


def searched(low, high, **how):
    """A search down the gradient of a curved valley, from a first trial between these."""
    return lambda random: call("lectures.coursework.jobs.searched", "strong_wolfe", {"kind": "Rosenbrock"},
                               random.uniform(-2, 2, 2), between(random, low, high), **how)


def at_once(random):
    """In a round bowl, from a first trial that is nearly exact."""
    a = between(random, 0.1, 10)
    bowl = {"kind": "Quadratic", "A": (a * np.eye(3)).tolist()}
    return call("lectures.coursework.jobs.searched", "strong_wolfe", bowl, random.standard_normal(3),
                float(random.uniform(0.8, 1.2)) / a)


CLAIMS = [
    Claim("strong_wolfe", "A step that was too short is made longer, until both conditions hold.", searched(1e-8, 1e-5),
          3, holds=meets_both),
    Claim("strong_wolfe", "A step that was too long is made shorter.", searched(0.1, 10), 3, holds=meets_both),
    Claim("strong_wolfe", "The slope is as flat as it was told to make it.", searched(1e-6, 1, c2=0.1), 3,
          holds=meets_both),
    Claim("strong_wolfe", "f falls as far as it was told to make it.", searched(1e-5, 1e-2, c1=0.45, c2=0.55), 2,
          shown=False, holds=meets_both),
    Claim("strong_wolfe", "A first trial that meets both is taken as it is.", at_once, 2, shown=False),
    Claim("strong_wolfe", "Where there is no slope, there is no step.",
          lambda random: call("lectures.coursework.jobs.searched", "strong_wolfe", {"kind": "Rosenbrock"}, np.ones(2),
                              between(random, 0.1, 1)), shown=False),
]
