"""Momentum on the rate carries the guarded Newton rate to its ruin, and changes nothing that the seeds do not explain.

The narrow ResNet of figure "rate_resnet" on digits, from 0.1, with a momentum of 0.9 on the rate (the paper's
equations 20 and 21); mean and range over 3 seeds, the rates of the first.  The printed second-order rate is not far
from where it is without momentum, and two of the three seeds end lower, one higher.  The guarded Newton rate swings
ever wider about the lowest point of f, as what has momentum does: within 5 epochs it is above 1000, and every training
is lost.

Ravaut and Gorti (2018), Figure 12, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, gathered, in_seeds, panels, train_resnet
from figures.making.style import BLUE

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
DRAWN = {"fixed": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed": ("printed", BLUE, ":"),
         "printed, momentum": ("printed, momentum", *LINES["newton_rate_printed"]),
         "newton, momentum": ("guarded, momentum", *LINES["newton_rate"])}


def runs(data):
    return in_seeds(SEEDS, **{
        "printed, momentum": partial(train_resnet, "newton_rate_printed", data, 0.1, beta=0.9),
        "newton, momentum": partial(train_resnet, "newton_rate", data, 0.1, beta=0.9)})


def compute():
    return gathered("rate_resnet", "rate_momentum")


def draw(**seen):
    return panels(seen, DRAWN)
