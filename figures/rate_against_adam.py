"""At the paper's rate of 0.1 Adam ends with twice the loss of a learned rate; at 0.01 it ends with the same.

The narrow ResNet of figure "rate_resnet" on digits; mean and range over 3 seeds, the rates of the first.  The paper
compares its second-order method with Adam at 0.1, a hundred times Adam's usual rate, and sees it ahead in the first
epochs; so it is here, with every seed, in the loss, though Adam's test accuracy is the higher one in the end.  At the
best of the rates 0.1, 0.01 and 0.001, the second, Adam is as quick from the start, and ends like the learned rate and
like gradient descent at 0.1.  At its usual 0.001 it is far behind after 8 epochs: its rate has to be searched for like
any other.

Ravaut and Gorti (2018), Figure 14, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, RESNET_NET, gathered, in_seeds, panels, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
ADAM_RATES = 0.1, 0.01, 0.001
DRAWN = {"fixed": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed": ("2nd order, printed", *LINES["newton_rate_printed"]),
         "adam 0.01": ("Adam 0.01", *LINES["adam"]),
         "adam 0.1": ("Adam 0.1", LINES["adam"][0], "--"),
         "adam 0.001": ("Adam 0.001", LINES["adam"][0], ":")}


def runs(data):
    return in_seeds(SEEDS, **{f"adam {lr}": partial(train_resnet, "adam", data, lr) for lr in ADAM_RATES})


def compute():
    return gathered("rate_resnet", "rate_against_adam")


def draw(**seen):
    return panels(seen, DRAWN)
