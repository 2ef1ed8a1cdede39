"""Break it: Adam, as a dozen repositories have it.          Lecture 4.

It runs, and its first step is right.  Find out what is wrong with the others, and mend it.
"""
from lectures.assignments import Fault, laws, slopes
from lectures.assignments.assignment04 import ALSO, CLAIMS, moments

BLANKS = {"numopt.optimizers.adaptive": ["adam"]}
ALSO = ALSO | {"numopt.optimizers.adaptive": [*ALSO["numopt.optimizers.adaptive"], "rmsprop"]}
KNOWN = ["m = beta1 * m + (1 - beta1) * g"]
WRONG = {"adam": """g = loss.gradient(theta)
m = beta1 * m + (1 - beta1) * g
v = beta2 * v + (1 - beta2) * g**2
m = m / (1 - beta1**t)
v = v / (1 - beta2**t)
theta = theta - lr(t) * m / (np.sqrt(v) + eps)
yield theta"""}
FAULTS = {"adam": Fault(
    ("m = m / (1 - beta1**t)", "v = v / (1 - beta2**t)"),
    "what is remembered is corrected itself, and then once more at every step",
    ("the corrections are of step t − 1, for t begins at 1",
     "m and v are averages of the wrong gradients, those of the step before",
     "ε stands beside the root of what is not corrected"))}
CLAIMS = [*laws("adam", moments, on=slopes, points=2),
          *[claim for claim in CLAIMS if claim.about == "adam" and "corrections" in claim.sentence]]
