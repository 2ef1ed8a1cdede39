"""From a good rate a learned one gains nothing on a ResNet: printed, it hardly moves, and guarded, it overshoots.

A narrow ResNet-18 (width 4) learns handwritten digits in mini-batches of 64, from the paper's rate of 0.1; mean and
range over 3 seeds, the rates of the first.  The printed second-order rate stays within a quarter of where it starts,
and ends like the fixed one.  The guarded Newton rate goes to three and more times as much, and its loss ends several
times higher: it is learned along one gradient, and used along the next.  The paper sees its second-order method ahead
of the fixed rate; here there is no difference that the seeds would not explain.

Ravaut and Gorti (2018), Figures 6 and 7, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, RESNET_NET, gathered, in_seeds, panels, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
DRAWN = {"fixed": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed": ("2nd order, printed", *LINES["newton_rate_printed"]),
         "newton": ("2nd order, guarded", *LINES["newton_rate"])}


def runs(data):
    return in_seeds(SEEDS, **{
        "fixed": partial(train_resnet, "gradient_descent", data, 0.1),
        "printed": partial(train_resnet, "newton_rate_printed", data, 0.1),
        "newton": partial(train_resnet, "newton_rate", data, 0.1)})


def compute():
    return gathered("rate_resnet")


def draw(**seen):
    return panels(seen, DRAWN)
