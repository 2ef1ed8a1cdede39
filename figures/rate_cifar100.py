"""With a hundred classes the learned rates leave a start that is too low, and end like a fixed one that was searched.

Two handwritten digits side by side are one image, and the number that they make is its class: 00 to 99, a stand-in for
CIFAR-100 where that has not been fetched.  The narrow ResNet of figure "rate_resnet", from the paper's rate of 0.02;
mean and range over 2 seeds, the rates of the first.  At 0.02 the training has hardly begun after 8 epochs.  Both
second-order rates rise, the printed one several times over and the guarded one, which need not ask alpha, to 2 and
back; they end at a tenth of its loss and less, as does the best of six fixed rates, 1.

In single precision (dotted) the printed rate leaps within one step, threefold with one seed, and with the other down to
its lower end, 1e-6, and up again: δ = 1e-6 is added to a denominator that is rounding, and once nearly −δ.  In double
precision it climbs, and never more than doubles but once, to 2.2 times.

Ravaut and Gorti (2018), Figure 10, remade; without --data cifar100 on pairs of digits.          Lecture 5.
"""
from functools import partial

import numpy as np

from figures.making.adaptive_rate import BETTER, LINES, RESNET_NET, gathered, in_seeds, panels, parts, train_resnet

SETS = "digits", "cifar100"
SEED = 0
SEEDS = range(SEED, SEED + 2)
NET, CALLED = RESNET_NET, {"digits": "pairs of digits"}
SEARCHED = 0.05, 0.1, 0.2, 0.5, 1.0, 2.0
BEST = 1.0
DRAWN = {"fixed": ("fixed 0.02", *LINES["gradient_descent"]),
         f"fixed {BEST}": (f"fixed {BEST:g}, searched", *BETTER),
         "printed, double": ("2nd order, printed", *LINES["newton_rate_printed"]),
         "printed": ("the same, single", LINES["newton_rate_printed"][0], ":"),
         "newton": ("2nd order, guarded", *LINES["newton_rate"])}


def images(data):
    """CIFAR-100; or pairs of digits, side by side as one image of 8 × 16 pixels, whose 100 classes are 00 to 99."""
    if data != "digits":
        return parts(data)
    X, Y, X_test, Y_test = parts("digits")
    return *pairs(X, Y, times=2), *pairs(X_test, Y_test, times=1)


def pairs(X, Y, times):
    """Every image on the left so many times, each time beside another one drawn from the same part."""
    left = np.tile(np.arange(len(X)), times)
    random = np.random.default_rng(SEED)
    right = np.concatenate([random.permutation(len(X)) for _ in range(times)])
    return np.concatenate([X[left], X[right]], axis=2), 10 * Y[left] + Y[right]


def runs(data):
    def training(method, lr, **settings):
        return partial(train_resnet, method, data, lr, images=images, **settings)

    return in_seeds(SEEDS, **{"fixed": training("gradient_descent", 0.02),
                              **{f"fixed {lr}": training("gradient_descent", lr) for lr in SEARCHED},
                              "printed": training("newton_rate_printed", 0.02),
                              "printed, double": training("newton_rate_printed", 0.02, dtype=np.float64),
                              "newton": training("newton_rate", 0.02)})


def compute():
    return gathered("rate_cifar100")


def draw(**seen):
    return panels(seen, DRAWN)
