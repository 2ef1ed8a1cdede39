"""A Hessian learned on the way.          Lecture 8.

The corrections of SR1 and BFGS, and the two loops of L-BFGS.
"""
import numpy as np

from lectures.assignments import Claim, bowl, call, positive, run
from lectures.coursework.holding import makes_s_of_y, makes_y_of_s

BLANKS = {"numopt.optimizers.quasi_newton": ["sr1_update", "bfgs_update", "two_loops"]}
UPDATE = "numopt.optimizers.quasi_newton."


def update(name):
    def job(random):
        H, s = positive(random, 5), random.standard_normal(5)
        return call(UPDATE + name, positive(random, 5), s, H @ s)
    return job


def loops(random):
    H, pairs = positive(random, 5), []
    for _ in range(3):
        s = random.standard_normal(5)
        pairs.append([s, H @ s])
    return call(UPDATE + "two_loops", pairs, random.standard_normal(5))


CLAIMS = [
    Claim("sr1_update", "After SR1's correction, B s = y.", update("sr1_update"), 2, holds=makes_y_of_s),
    Claim("sr1_update", "It is the correction of rank one of the lecture.", update("sr1_update"), 2),
    Claim("bfgs_update", "After BFGS's correction, M y = s.", update("bfgs_update"), 2, holds=makes_s_of_y),
    Claim("bfgs_update", "It is the correction of rank two of the lecture.", update("bfgs_update"), 3),
    Claim("bfgs_update", "A pair without positive curvature teaches nothing.",
          lambda random: call(UPDATE + "bfgs_update", positive(random, 3), np.array([1.0, 2.0, -1.0]),
                              -random.uniform(0.5, 2) * np.array([1.0, 2.0, -1.0])), shown=False),
    Claim("sr1_update", "Where y − Bs is nearly orthogonal to s, B stays what it is.",
          lambda random: call(UPDATE + "sr1_update", np.eye(3), np.array([1.0, 0, 0]),
                              np.array([1 + 1e-11, random.uniform(0.5, 2), 0])), shown=False),
    Claim("two_loops", "The two loops give M g without M.", loops, 4),
    Claim("bfgs_update", "With it, BFGS takes the path of the lecture.",
          lambda random: run("bfgs", bowl(random), random.standard_normal(4), 6), 2, shown=False),
    Claim("two_loops", "With them, L-BFGS does.",
          lambda random: run("lbfgs", bowl(random), random.standard_normal(4), 6, history=3), 2, shown=False),
    Claim("sr1_update", "With it, so does SR1.",  # for four steps: then B is known, and what it learns is rounding
          lambda random: run("sr1", bowl(random), random.standard_normal(4), 4), 1, shown=False),
]
