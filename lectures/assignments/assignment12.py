"""Residuals made small by what was learned before.          Lecture 12.

Generalized conjugate residuals, Anderson's mixing, and nlTGCR.
"""
import numpy as np

from lectures.assignments import Claim, bowl, call, positive, run

BLANKS = {"numopt.linalg.systems": ["gcr_iterates"],
          "numopt.optimizers.residual": ["orthonormal", "gcr", "anderson", "nltgcr"]}
KNOWN = ["theta = theta + alpha * d"]
ALSO = {"numopt.optimizers.residual": ["nltgcr_adaptive", "nltgcr_fisher"],
        "numopt.optimizers.compiled": ["extended"], "numopt.kernels.vectors": ["least_residual"],
        "data_scripts.element_loops": ["nltgcr"]}


def tilted(random, n=5):
    """A matrix that is not symmetric, with xᵀAx > 0."""
    S = random.standard_normal((n, n))
    return positive(random, n) + S - S.T


def with_pairs(random):
    """A direction and its image, made orthonormal to two others."""
    V, _ = np.linalg.qr(random.standard_normal((5, 2)))
    pairs = [[random.standard_normal(5), v, float(random.uniform(1, 2))] for v in V.T]
    return call("numopt.optimizers.residual.orthonormal", *random.standard_normal((2, 5)), pairs)


CLAIMS = [
    Claim("gcr_iterates", "For a matrix that is not symmetric, each step makes the residual as short as it can.",
          lambda random: call("numopt.linalg.systems.gcr", tilted(random), random.standard_normal(5), steps=3), 3),
    Claim("gcr_iterates", "With a window it remembers so many directions.",
          lambda random: call("numopt.linalg.systems.gcr", tilted(random), random.standard_normal(5), steps=4,
                              window=1), 2, shown=False),
    Claim("orthonormal", "Images under the Jacobian are made orthonormal, and directions with them.",
          with_pairs, 2),
    Claim("gcr", "As a loop of a method, it is there after n steps on a quadratic.",
          lambda random: run("gcr", bowl(random), random.standard_normal(4), 3), 3),
    Claim("gcr", "With a window it remembers the last directions.",
          lambda random: run("gcr", bowl(random), random.standard_normal(4), 4, window=1), 1, shown=False),
    Claim("anderson", "Anderson mixes the last points so that their residuals cancel.",
          lambda random: run("anderson", bowl(random), random.standard_normal(4), 4,
                             lr=float(random.uniform(0.01, 0.05)), window=2), 3),
    Claim("nltgcr", "nlTGCR does so for a Jacobian that changes on the way.",
          lambda random: run("nltgcr", {"kind": "Rosenbrock"}, random.uniform(0.6, 1.4, 2), 4, window=2,
                             damping=0.1), 4),
    Claim("nltgcr", "It starts afresh when it was told to.",
          lambda random: run("nltgcr", bowl(random, 6), random.standard_normal(6), 6, lr=0.4, window=4, restart=2),
          shown=False),
    Claim("nltgcr", "A step that would lead uphill is turned round.",
          lambda random: run("nltgcr", {"kind": "Quadratic", "A": [[-1.0, 0.0], [0.0, -2.0]]},
                             random.uniform(0.5, 1, 2), 2, lr=0.1), shown=False),
    Claim("nltgcr", "It remembers no more than its window, and goes on from its memory.",
          lambda random: run("nltgcr", bowl(random), random.standard_normal(4), 3, stops=2, window=2), 2, shown=False),
]
