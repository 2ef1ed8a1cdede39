"""Break it: what a batch normalisation hands back.          Lecture 13.

The backward pass runs, has the right shape, and γ and β learn as they should.  Find out what is wrong, and mend it.
"""
from lectures.assignments import Claim, Fault
from lectures.assignments.assignment13 import ALSO as OTHERS
from lectures.assignments.assignment13 import normalised
from lectures.coursework.holding import balance

KNOWN = ['t, memory = run["t"], run.memory']
BLANKS = {"numopt.networks.normalization": ["BatchNorm.backward"]}
ALSO = OTHERS
WRONG = {"BatchNorm.backward": '''gamma, _ = w.reshape(-1, 2).T
x_hat, s, training, shape = saved
dy = dy.reshape(x_hat.shape)
if dw is not None:
    dw.reshape(-1, 2).T[:] = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
d = gamma * dy
if training:
    d = d - x_hat * (d * x_hat).mean(axis=0)
return (s * d).reshape(shape)'''}
FAULTS = {"BatchNorm.backward": Fault(
    ("d = d - x_hat * (d * x_hat).mean(axis=0)",),
    "the mean of the batch is taken for a constant",
    ("the variance of the batch is taken for a constant",
     "the derivative by x̂ is without γ",
     "it is done in training, and should be in evaluation"))}


CLAIMS = [
    Claim("BatchNorm.backward", "A derivative goes back through the mean and the variance, too.", normalised(True), 4),
    Claim("BatchNorm.backward", "Moving all examples alike changes nothing: the derivatives by x sum to zero.",
          normalised(True), 2, holds=balance),
    Claim("BatchNorm.backward", "It holds for any batch and number of channels.", normalised(True), 2, shown=False),
]
