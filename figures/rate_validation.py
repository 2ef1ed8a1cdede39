"""A rate that is judged by examples held back stays lower, and the test accuracy is no better for it.

The narrow ResNet of figure "rate_resnet" on digits, from 0.1: a fifth of the training images is held back from all
four trainings, and its mini-batches judge the rate of two of them (the paper's equations 22 and 23); mean and range
over 3 seeds, the rates of the first.  Judged by images that it is not trained on, the guarded Newton rate never gets
as high as when it is judged by the mini-batch of the step, and in the end it is lower; but the training loss is no
lower, and the test accuracy, which this was for, is a few images in a hundred behind.

Ravaut and Gorti (2018), Figure 13, remade; without --data cifar10 on digits.          Lecture 5.
"""
from functools import partial

from figures.making.adaptive_rate import LINES, RESNET_NET, gathered, in_seeds, panels, parts, train_resnet

SETS = "digits", "cifar10"
SEED = 0
SEEDS = range(SEED, SEED + 3)
NET = RESNET_NET
HELD_BACK = {"digits": 287, "cifar10": 10_000}


def fewer(data):
    """The set without the training images that are held back."""
    X, Y, X_test, Y_test = parts(data)
    return X[:-HELD_BACK[data]], Y[:-HELD_BACK[data]], X_test, Y_test


DRAWN = {"fixed, fewer": ("fixed 0.1", *LINES["gradient_descent"]),
         "printed, probe": ("printed, held back", *LINES["newton_rate_printed"]),
         "newton, fewer": ("guarded, mini-batch", LINES["newton_rate"][0], ":"),
         "newton, probe": ("guarded, held back", *LINES["newton_rate"])}


def runs(data):
    return in_seeds(SEEDS, **{
        "fixed, fewer": partial(train_resnet, "gradient_descent", data, 0.1, held_back=HELD_BACK[data]),
        "printed, probe": partial(train_resnet, "newton_rate_printed", data, 0.1, held_back=HELD_BACK[data]),
        "newton, probe": partial(train_resnet, "newton_rate", data, 0.1, held_back=HELD_BACK[data]),
        "newton, fewer": partial(train_resnet, "newton_rate", data, 0.1, images=fewer)})


def compute():
    return gathered("rate_validation")


def draw(**seen):
    return panels(seen, DRAWN)
