"""A learned rate makes up for a start that is too low: from 0.01 it ends where a fixed rate ends that is well chosen.

The narrow ResNet of figure "rate_resnet" on digits, from the rates 0.01 and 0.05; mean and range over 3 seeds, the
rates of the first.  Left at 0.01, the rate is far too low.  The printed second-order rate leaves it, six times as high
by the end and more, and ends at a tenth of the fixed rate's loss, like the fixed rates of 0.05 and 0.1.  From 0.05 the
two do not differ.  So what is learned is what a short search finds as well, at 3 forward passes a step against 8.

Ravaut and Gorti (2018), Figures 8 and 11, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import BETTER, LINES, RESNET_NET, gathered, in_seeds, panels, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
STARTS = 0.01, 0.05
METHODS = {"fixed": "gradient_descent", "printed": "newton_rate_printed", "newton": "newton_rate"}
DRAWN = {"fixed from 0.01": ("fixed 0.01", *LINES["gradient_descent"]),
         "fixed from 0.05": ("fixed 0.05", *BETTER),
         "printed from 0.01": ("printed, from 0.01", *LINES["newton_rate_printed"]),
         "printed from 0.05": ("printed, from 0.05", LINES["newton_rate_printed"][0], ":")}


def runs(data):
    return in_seeds(SEEDS, **{f"{name} from {lr}": partial(train_resnet, method, data, lr)
                              for name, method in METHODS.items() for lr in STARTS})


def compute():
    return gathered("rate_initial_values")


def draw(**seen):
    return panels(seen, DRAWN)
