"""Break it: BFGS, as a survey prints it.          Lecture 8.

One sign of the correction was lost on the way to the page.  It runs, and M stays symmetric.  Mend the update.
"""
from lectures.assignments.assignment08 import CLAIMS

BLANKS = {"numopt.optimizers.quasi_newton": ["bfgs_update"]}
WRONG = {"bfgs_update": '''if not s.any():
    return None
if not curved(s, y):
    return M
s, y = balanced(s, y)
if M is None:
    M = np.eye(len(s), dtype=s.dtype) * ((s @ y) / (y @ y))
My, ys = M @ y, y @ s
return M - (1 + y @ My / ys) / ys * np.outer(s, s) - (np.outer(s, My) + np.outer(My, s)) / ys'''}
CLAIMS = [claim for claim in CLAIMS if claim.about == "bfgs_update"]
