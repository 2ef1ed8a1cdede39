"""A rate that is learned.          Lecture 5.

Gradient descent on the learning rate, and Newton's method on it.
"""
from lectures.assignments import Claim, between, bowl, laws, run

BLANKS = {"numopt.optimizers.learning_rate": ["gradient_rate", "newton_rate"]}
ALSO = {"numopt.optimizers.learning_rate": ["newton_rate_printed"]}


def first_order(random):
    return {"lr": between(random, 1e-3, 1e-2), "alpha": between(random, 1e-8, 1e-6)}


def second_order(random):
    return {"lr": between(random, 1e-3, 1e-2), "epsilon": float(random.uniform(0.05, 0.3))}


CLAIMS = [
    *laws("gradient_rate", first_order, schedule=False),
    Claim("gradient_rate", "However bad the steps were, the rate stays above δ.",
          lambda random: run("gradient_rate", {"kind": "slopes", "g": [[1.0, -2.0], [-3.0, 1.0]]},
                             random.standard_normal(2), 6, lr=1e-2, alpha=1.0, delta=between(random, 1e-4, 1e-2),
                             probe={"made": "lectures.coursework.jobs.problem",
                                    "of": {"kind": "slopes", "g": [[-1.0, 2.0], [3.0, -1.0]]}}), shown=False),
    Claim("gradient_rate", "A probe judges the rate, and leaves the step to the batch.",
          lambda random: run("gradient_rate", bowl(random), random.standard_normal(4), 6, lr=1e-3, alpha=1e-6,
                             probe={"made": "lectures.coursework.jobs.problem",
                                    "of": {"kind": "Quadratic", "A": [[2.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 3.0, 0],
                                                                      [0, 0, 0, 1.0]]}}), shown=False),
    Claim("gradient_rate", "The rate grows while successive gradients agree, and has a momentum of its own.",
          lambda random: run("gradient_rate", {"kind": "slopes", "g": [[1.0, 2.0]]}, random.standard_normal(2), 20,
                             lr=1e-3, alpha=between(random, 1e-5, 1e-4), beta=0.5), 2),
    *laws("newton_rate", second_order, steps=6, schedule=False),
    Claim("newton_rate", "Where f bends the wrong way along the gradient the rate does not go to the maximum.",
          lambda random: run("newton_rate", {"kind": "Quadratic", "A": [[-1.0, 0.2], [0.2, -0.5]]},
                             random.uniform(-1.5, 1.5, 2), 5, lr=1e-2, epsilon=0.1), 2),
    Claim("newton_rate", "It neither grows nor falls by more than it may at a step.",
          lambda random: run("newton_rate", {"kind": "Quadratic", "A": [[10.0, 0.0], [0.0, 10.0]]},
                             random.uniform(0.5, 1.5, 2), 5, lr=between(random, 2, 4), epsilon=0.1,
                             most=float(random.uniform(1.2, 1.8)))),
    Claim("newton_rate", "It looks at a distance that follows the rate, in a curved valley.",
          lambda random: run("newton_rate", {"kind": "Rosenbrock"}, random.uniform(-1.5, 1.5, 2), 8,
                             lr=1e-4, epsilon=0.1), shown=False),
]
