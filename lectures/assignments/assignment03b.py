"""Break it: Nesterov's method, as somebody has it.          Lecture 3.

Somebody's loop: it runs, and it learns, later than it should.  Find out why, and mend it.
"""
from lectures.assignments import Claim, Fault, laws, run
from lectures.assignments.assignment03 import ALSO as KERNELS
from lectures.assignments.assignment03 import draw

BLANKS = {"numopt.optimizers.momentum": ["nesterov"]}
ALSO = KERNELS | {"numopt.optimizers.momentum": ["momentum"]}
KNOWN = ["A_chol, G_chol = damped_cholesky(A, G, sqrt(damping))"]  # of K-FAC, which has a velocity too
WRONG = {"nesterov": """g = loss.gradient(theta + mu(t) * v)
v = mu(t) * v + lr(t) * g
theta = theta - v
yield theta"""}
FAULTS = {"nesterov": Fault(
    ("g = loss.gradient(theta + mu(t) * v)",),
    "the gradient is asked for at a place that the velocity leads away from",
    ("the gradient is asked for at θ, before the velocity has moved it",
     "the rate multiplies the velocity once more at every step",
     "the velocity is added to θ before it has been made shorter"))}

CLAIMS = [
    *laws("nesterov", draw, points=2),
    Claim("nesterov", "With momentum it is done earlier than without: the velocity helps, and does not hinder.",
          lambda random: run("nesterov", {"kind": "Quadratic", "A": [[1.0, 0.0], [0.0, 25.0]]},
                             random.uniform(1, 2, 2), 40, lr=0.02, mu=0.8), 2),
]
