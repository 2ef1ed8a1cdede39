"""Curvature in two factors.          Lecture 11.

Damped Kronecker factors, ready to solve with, the orthogonal matrix next to one, and the loops around them.
"""
from lectures.assignments import Claim, call, net, positive, run

BLANKS = {"numopt.linalg.roots": ["newton_schulz"],
          "numopt.optimizers.kronecker": ["damped_cholesky", "shampoo", "muon"],
          "numopt.networks.layers": ["Dense.kronecker_factors"]}
ALSO = {"numopt.optimizers.lmo": ["scion"]}
KNOWN = ["theta = theta - lr(t) * (d + weight_decay * theta)"]  # decoupled decay, of lecture 4
SIZES = (4, 3, 2)
WEIGHTS = sum((i + 1) * o for i, o in zip(SIZES, SIZES[1:]))


def on_a_net(method, steps=5, **how):
    def job(random):
        drawn = {name: make(random) if callable(make) else make for name, make in how.items()}
        return run(method, {"kind": "net", **net(random, SIZES)}, random.standard_normal(WEIGHTS), steps, **drawn)
    return job


CLAIMS = [
    Claim("damped_cholesky", "The damping is shared out so that both factors feel it alike.",
          lambda random: call("numopt.optimizers.kronecker.damped_cholesky", [positive(random, 4)],
                              [positive(random, 3)], float(random.uniform(0.1, 1))), 3),
    Claim("Dense.kronecker_factors", "A and G are second moments: with them K-FAC takes the path of the lecture.",
          on_a_net("kfac", lr=0.05, damping=0.1, labels="data", every=1), 3),
    Claim("Dense.kronecker_factors", "A convolution's are sums over its places, shared out among them.",
          lambda random: call("lectures.coursework.jobs.factors", 2, 0, random.standard_normal((2, 4, 4, 1)),
                              random.standard_normal((2, 3, 3, 2)), random.standard_normal(10), "expand"), 2,
          shown=False),
    Claim("newton_schulz", "Singular values above one are brought below it first.",
          lambda random: call("numopt.linalg.roots.newton_schulz", 50 * random.uniform(0.9, 1, (4, 4))), shown=False),
    Claim("newton_schulz", "Its polynomial, five times, drives all singular values towards one.",
          lambda random: call("numopt.linalg.roots.newton_schulz", random.standard_normal((4, 3))), 3),
    Claim("newton_schulz", "A wide matrix is treated as its transpose.",
          lambda random: call("numopt.linalg.roots.newton_schulz", random.standard_normal((3, 6))), 1, shown=False),
    Claim("shampoo", "Shampoo multiplies from both sides by roots of sums.",
          on_a_net("shampoo", lr=0.1, eps=lambda random: float(random.uniform(1e-3, 1e-1))), 4),
    Claim("shampoo", "It does so with momentum, and with roots that are renewed now and then.",
          on_a_net("shampoo", lr=0.1, mu=0.7, every=2, steps=7), 2, shown=False),
    Claim("muon", "Muon's step is the orthogonal matrix next to its averaged gradient.",
          on_a_net("muon", lr=0.02, mu=lambda random: float(random.uniform(0.5, 0.95))), 3),
    Claim("muon", "It looks ahead, and does not where it is told not to.",
          on_a_net("muon", lr=0.02, nesterov=False), 1, shown=False),
    Claim("muon", "Its weights decay apart from that.", on_a_net("muon", lr=0.02, weight_decay=0.1), 1, shown=False),
]
