"""Break it: Adam, as a dozen repositories have it.          Lecture 4.

Its averages are corrected once and for all in place: each step corrects what was corrected before.  Mend the loop.
"""
from lectures.assignments import laws, slopes
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
CLAIMS = [*laws("adam", moments, on=slopes, points=2),
          *[claim for claim in CLAIMS if claim.about == "adam" and "corrections" in claim.sentence]]
