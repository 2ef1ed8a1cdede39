"""Break it: BFGS, as a survey prints it.          Lecture 8.

It runs, and M stays symmetric.  Find out what was lost on the way to the page, and mend the update.
"""
from lectures.assignments import Fault
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
FAULTS = {"bfgs_update": Fault(
    ("return M - (1 + y @ My / ys) / ys * np.outer(s, s) - (np.outer(s, My) + np.outer(My, s)) / ys",),
    "the term with s sᵀ has the wrong sign",
    ("the first scale of M is that of the Hessian, and not of its inverse",
     "the terms with My and s have the wrong sign",
     "yᵀMy is divided by yᵀs once too often"))}
CLAIMS = [claim for claim in CLAIMS if claim.about == "bfgs_update"]
