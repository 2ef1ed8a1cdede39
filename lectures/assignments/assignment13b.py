"""Break it: what a batch normalisation hands back.          Lecture 13.

The backward pass runs, has the right shape, and γ and β learn as they should.  Find out what is wrong, and mend it.
"""
from lectures.assignments import Claim, Fault
from lectures.assignments.assignment13 import backward
from lectures.coursework.holding import balance

BLANKS = {"numopt.kernels.normalization": ["normalized_backward"]}
ALSO = {"numopt.kernels.normalization": ["add_products", "put_back"],
        "numopt.networks.normalization": ["BatchNorm.jvp", "BatchNorm.r_normalize", "BatchNorm.r_backward"]}
WRONG = {"normalized_backward": '''d = gamma * dy
d = d - x_hat * (d * x_hat).mean(axis=0)
return s * d, (dy * x_hat).sum(axis=0), dy.sum(axis=0)'''}
FAULTS = {"normalized_backward": Fault(
    ("d = d - x_hat * (d * x_hat).mean(axis=0)",),
    "the mean of the batch is taken for a constant",
    ("the variance of the batch is taken for a constant",
     "the derivative by x̂ is without γ",
     "the derivatives by γ and β should be means"))}


CLAIMS = [
    Claim("normalized_backward", "A derivative goes back through the mean and the variance, too.", backward, 4),
    Claim("normalized_backward", "Moving all examples alike changes nothing: the derivatives by x sum to zero.",
          backward, 2, holds=balance),
    Claim("normalized_backward", "It holds for any batch and number of channels.", backward, 2, shown=False),
]
