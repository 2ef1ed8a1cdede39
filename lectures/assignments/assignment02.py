"""Down the gradient.          Lecture 2.

The loops of descent, and a search that stops where f has fallen far enough.
"""
from lectures.assignments import Claim, between, call, laws, run, slopes
from lectures.coursework.holding import one_length

BLANKS = {"numopt.optimizers.descent": ["gradient_descent", "normalized_descent", "sign_descent"],
          "numopt.line_search": ["backtracking"]}
ALSO = {"numopt.optimizers.descent": ["proximal_descent"], "numopt.optimizers.two_gradients": ["sam", "svrg"]}


def rate(random):
    return {"lr": between(random, 1e-3, 1e-2)}


def searched(low, high, c=1e-4):
    """A search down the gradient of a curved valley, from a first step between these."""
    return lambda random: call("lectures.coursework.jobs.searched", "backtracking", {"kind": "Rosenbrock"},
                               random.uniform(-2, 2, 2), between(random, low, high), c=c)


CLAIMS = [
    *laws("gradient_descent", rate),
    *laws("normalized_descent", rate, on=slopes),
    Claim("normalized_descent", "Every step has the length of the rate, whatever the gradient's.",
          lambda random: run("normalized_descent", slopes(random), random.standard_normal(4), 10, **rate(random)),
          holds=one_length),
    *laws("sign_descent", rate, on=slopes),
    Claim("backtracking", "The step is shortened until f has fallen by a share of what the slope promises.",
          searched(1, 10), 3),
    Claim("backtracking", "A step that is short enough is taken as it is.", searched(1e-9, 1e-7), 2, shown=False),
    Claim("backtracking", "After thirty trials in vain the next are shorter by shrink², shrink³ and so on.",
          searched(1e20, 1e30), 1),
    Claim("backtracking", "It asks for the share that it was told to.", searched(0.01, 1, c=0.9), 2, shown=False),
    Claim("normalized_descent", "Where the gradient is zero it stays.",
          lambda random: run("normalized_descent", {"kind": "slopes", "g": [[0.0, 0.0], [3.0, -4.0]]},
                             random.standard_normal(2), 4, **rate(random)), shown=False),
]
