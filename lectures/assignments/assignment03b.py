"""Break it: a look ahead that leads astray.          Lecture 3.

Somebody keeps the velocity with the other sign and looks the wrong way.  It still learns.  Mend the loop.
"""
from lectures.assignments import Claim, laws, run
from lectures.assignments.assignment03 import ALSO as KERNELS
from lectures.assignments.assignment03 import draw

BLANKS = {"numopt.optimizers.momentum": ["nesterov"]}
ALSO = KERNELS | {"numopt.optimizers.momentum": ["momentum"]}
WRONG = {"nesterov": """g = loss.gradient(theta + mu(t) * v)
v = mu(t) * v + lr(t) * g
theta = theta - v
yield theta"""}

CLAIMS = [
    *laws("nesterov", draw, points=2),
    Claim("nesterov", "With momentum it is done earlier than without: the velocity helps, and does not hinder.",
          lambda random: run("nesterov", {"kind": "Quadratic", "A": [[1.0, 0.0], [0.0, 25.0]]},
                             random.uniform(1, 2, 2), 40, lr=0.02, mu=0.8), 2),
]
