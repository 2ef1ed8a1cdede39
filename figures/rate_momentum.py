"""Momentum on the rate changes nothing that the seeds do not explain, neither as printed nor guarded.

The narrow ResNet of figure "rate_resnet" on digits, from 0.1, with a momentum of 0.9 on the rate (the paper's
equations 20 and 21); mean and range over 3 seeds, the rates of the first.  "Such a momentum does not seem to bring any
particular improvement", the paper says, and so it is: with it or without, the printed rate stays within half of where
it starts and ends like the fixed one, and the guarded one goes to three and more times as much, and its loss ends
higher with every seed.  What is carried on is the change that was made.  If it is the one that was asked for, and
refused by the guard, it adds up, and the rate runs away (see `newton_rate`).

Ravaut and Gorti (2018), Figure 12, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, RESNET_NET, gathered, in_seeds, panels, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
DRAWN = {"fixed": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed": ("printed", LINES["newton_rate_printed"][0], ":"),
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
