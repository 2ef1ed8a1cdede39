"""The first-order rate does on a ResNet what the printed second-order rate does, for less, if its alpha is right.

The narrow ResNet of figure "rate_resnet" on digits; mean and range over 3 seeds, the rates of the first.  With an alpha
of 4e-4 the rate that starts at 0.1 stays there, and the one that starts at 0.01 comes up to 0.067 and more: both end
like the fixed 0.1.  With 1e-2 the rate moves faster, to 0.18 and more and partly back, and the losses end within the
range of the others.  A step costs 6 forward passes, of the second-order method 8 and of gradient descent 3.  The
second-order method was to do away with the choice of alpha; in its printed form 4 ε² / δ = 4e-4 is an alpha too.

Ravaut and Gorti (2018), Figure 9, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, PASSES, RESNET_NET, gathered, in_seeds, panels, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
DRAWN = {"fixed": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed": ("2nd order, printed", *LINES["newton_rate_printed"]),
         "small alpha": ("alpha 4e-4", *LINES["gradient_rate"]),
         "from 0.01": ("alpha 4e-4, from 0.01", LINES["gradient_rate"][0], ":"),
         "large alpha": ("alpha 1e-2", LINES["gradient_rate"][0], "-")}
COST = {run: PASSES["gradient_rate"] for run in DRAWN} | {"fixed": PASSES["gradient_descent"],
                                                          "printed": PASSES["newton_rate_printed"]}


def runs(data):
    return in_seeds(SEEDS, **{
        "small alpha": partial(train_resnet, "gradient_rate", data, 0.1, alpha=4e-4),
        "large alpha": partial(train_resnet, "gradient_rate", data, 0.1, alpha=1e-2),
        "from 0.01": partial(train_resnet, "gradient_rate", data, 0.01, alpha=4e-4)})


def compute():
    return gathered("rate_resnet", "rate_first_order_resnet")


def draw(**seen):
    return panels(seen, DRAWN, COST)
