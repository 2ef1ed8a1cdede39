"""A velocity.          Lecture 3.

The heavy ball, and Nesterov's look ahead.
"""
from lectures.assignments import Claim, between, laws, run

BLANKS = {"numopt.optimizers.momentum": ["momentum", "nesterov"]}
ALSO = {"numopt.kernels.vectors": ["momentum"], "numopt.optimizers.adaptive": ["delta_bar_delta"],
        "numopt.optimizers.kronecker": ["kfac", "shampoo"]}
KNOWN = ["A_chol, G_chol = damped_cholesky(A, G, sqrt(damping))"]  # of K-FAC, which has a velocity too


def draw(random):
    return {"lr": between(random, 1e-3, 1e-2), "mu": float(random.uniform(0.5, 0.95))}


def down_a_slope(random):
    g = random.standard_normal(3)
    return run("momentum", {"kind": "slopes", "g": [g.tolist()]}, random.standard_normal(3), 60,
               lr=0.01, mu=float(random.uniform(0.4, 0.8)))


CLAIMS = [
    *laws("momentum", draw, points=2),
    Claim("momentum", "Down a constant slope the velocity grows to 1 / (1 − μ) steps.", down_a_slope, 2),
    *laws("nesterov", draw, points=2),
    Claim("nesterov", "The gradient is asked for where the velocity is about to lead, in a curved valley too.",
          lambda random: run("nesterov", {"kind": "Rosenbrock"}, random.uniform(-1, 1, 2), 20, lr=1e-4, mu=0.9), 2),
]
