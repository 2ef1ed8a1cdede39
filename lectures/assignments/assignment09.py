"""Lengths that the model feels.          Lecture 9.

The natural gradient, and what becomes of it when its length is fixed or cut.
"""
from lectures.assignments import Claim, net, run

BLANKS = {"numopt.optimizers.natural": ["natural_gradient", "normalized_natural_gradient", "clipped_natural_gradient"]}
ALSO = {"numopt.optimizers.natural": ["gradient_norm_normalized", "eigenbasis_normalized", "gradient_norm_clipped",
                                      "eigenbasis_clipped"],
        "data_scripts.element_loops": ["natural_gradient"]}
SIZES = (3, 3, 2)
WEIGHTS = sum((i + 1) * o for i, o in zip(SIZES, SIZES[1:]))


def on_a_net(method, **how):
    def job(random):
        return run(method, {"kind": "net", **net(random, SIZES)}, random.standard_normal(WEIGHTS), 4,
                   damping=float(random.uniform(0.01, 0.1)), **how)
    return job


CLAIMS = [
    Claim("natural_gradient", "Natural gradient solves (F + damping I) d = g and steps against d.",
          on_a_net("natural_gradient", lr=0.5, solver="dense"), 3),
    Claim("natural_gradient", "So it does with conjugate gradients.", on_a_net("natural_gradient", lr=0.3), 2),
    Claim("natural_gradient", "And with the Gauss-Newton matrix in place of Fisher's.",
          on_a_net("natural_gradient", lr=0.2, curvature="gauss_newton"), 1, shown=False),
    Claim("normalized_natural_gradient", "The normalized one has the same length in the norm of F at every step.",
          on_a_net("normalized_natural_gradient", lr=0.1), 3),
    Claim("normalized_natural_gradient", "So it has with F's diagonal alone.",
          on_a_net("normalized_natural_gradient", lr=0.2, structure="diagonal"), 2, shown=False),
    Claim("clipped_natural_gradient", "The clipped one is as long as the natural gradient, and no longer than ε.",
          on_a_net("clipped_natural_gradient", epsilon=0.1), 3),
    Claim("clipped_natural_gradient", "Where ε is large, nothing is cut.",
          on_a_net("clipped_natural_gradient", lr=0.1, epsilon=1e3), 2, shown=False),
]
