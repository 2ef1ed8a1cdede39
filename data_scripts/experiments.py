"""The papers' experiments, as a table: which network, which sets, which methods with which settings, how long.

`python -m data_scripts run` runs them: see runs.py.  Of every method the first setting is that of the paper, as far as
it says; `searched` are the numbers that are searched for, one after the other, each with the factor from one value to
the next: from the paper's value on until the best has worse ones on both sides.
"""
from functools import partial
from typing import Callable, NamedTuple

import numpy as np

from numopt.networks import cnn, lenet, linear, logistic, mlp, resnet18

TENTH, THIRD = 10.0, 10**0.5


class Then(NamedTuple):
    """What takes over from another method: after so many epochs, from where that has come to, or afresh."""
    optimizer: str
    settings: dict                     # a rate of None is the one that the other has learned
    after: int = 1
    afresh: bool = False


class Method(NamedTuple):
    """A method of numopt.optimizers, its settings in the paper, and what is searched for, by which factor."""
    optimizer: str
    settings: dict
    searched: dict = {}
    probe: bool = False                # do mini-batches of the validation part judge the rate?
    network: dict = {}                 # what differs in the network: dropout
    then: Then = None


class Experiment(NamedTuple):
    about: str                         # what, and after which table or figure of whom
    net: str                           # the network in a few words
    network: Callable                  # (shape of an example, classes, **of the method) -> Network
    methods: dict                      # {label: Method}
    epochs: int                        # as in the paper
    batch_size: int
    seeds: tuple = (0, 1, 2)
    search_epochs: int = 5
    sets: tuple = ("cifar10", "fashion_mnist", "mnist", "digits")  # the usual one first, one that numopt has last
    images: bool = False               # are the examples images, or rows of numbers?
    minutes: float = 15                # what a method may take with all its seeds: fewer epochs where it is more


def dense(hidden, shape, classes, dropout=0.0):
    return mlp([int(np.prod(shape)), *hidden, classes], dropout=dropout)


def convolutional(shape, classes):
    return cnn(shape, classes, channels=min(32, 2 * shape[0]))


def softmax(shape, classes):
    return logistic(int(np.prod(shape)), classes)


def le_net(shape, classes, dropout=0.0):
    """LeNet; images too small for its patches of 5 × 5 get a border of zeros and 3 × 3."""
    from figures.making.adaptive_rate import small_lenet
    return lenet(shape, classes, dropout) if min(shape[:2]) >= 16 else small_lenet(shape, classes, dropout)


def regression(shape, classes):
    return linear(*shape)


def narrow_resnet(shape, classes, dropout=0.0):
    return resnet18(shape, classes, 16 if shape[0] >= 16 else 4, dropout)


# Memon et al. (2024): a constant rate of 0.001 for all.  Their window and damping are not known: 10 and 0.01 here.
RATE = {"lr": THIRD}
FIRST_ORDER = {
    "momentum": Method("momentum", {"lr": 1e-3, "mu": 0.9}, RATE),
    "RMSProp": Method("rmsprop", {"lr": 1e-3}, RATE),
    "Adam": Method("adam", {"lr": 1e-3}, RATE),
}
NLTGCR = {"lr": 1e-3, "damping": 1e-2, "window": 10}
BOTH = {"lr": THIRD, "damping": TENTH}
PLAIN = Method("nltgcr_fisher", NLTGCR | {"start": 0}, BOTH)
STARTED = Method("nltgcr_fisher", NLTGCR | {"start": 1}, BOTH)
KFAC = Method("kfac", {"lr": 1e-3, "damping": 1e-2}, BOTH)
# What a part of nlTGCR is good for, at the paper's rate and at the one that plain nlTGCR is best with on CIFAR-10.
ABLATION = {
    "nlTGCR, history": Method("nltgcr_fisher", NLTGCR | {"start": 1, "columns": 10}),
    "nlTGCR, K-FAC": Method("nltgcr_fisher", NLTGCR | {"start": 1, "preconditioned": True}, BOTH),
    "nlTGCR, at 0.32": Method("nltgcr_fisher", NLTGCR | {"start": 1, "lr": 0.32}),
    "nlTGCR, no start, at 0.32": Method("nltgcr_fisher", NLTGCR | {"start": 0, "lr": 0.32}),
    "nlTGCR, history, at 0.32": Method("nltgcr_fisher", NLTGCR | {"start": 1, "columns": 10, "lr": 0.32}),
    "nlTGCR, K-FAC, at 0.32": Method("nltgcr_fisher", NLTGCR | {"start": 1, "preconditioned": True, "lr": 0.32}),
}
LATER = {
    "Shampoo": Method("shampoo", {"lr": 1e-3, "every": 20}, RATE),
    "FishLeg": Method("fishleg", {"lr": 5e-2}, RATE),
    "natural gradient": Method("natural_gradient", {"lr": 1e-3, "damping": 1e-2, "cg_steps": 10}, BOTH),
    "Adam, dropout": Method("adam", {"lr": 1e-3}, RATE, network={"dropout": 0.2}),
}
DENSE = FIRST_ORDER | {"nlTGCR": STARTED, "nlTGCR, no start": PLAIN, "K-FAC": KFAC}

# Ravaut and Gorti (2018): epsilon 1e-5 and delta 1e-6 are the defaults of the printed method.
DROPOUT = {"dropout": 0.5}
LENET = {
    "fixed": Method("gradient_descent", {"lr": 0.01}, RATE, network=DROPOUT),
    "second order, printed": Method("newton_rate_printed", {"lr": 0.01}, network=DROPOUT),
    "first order": Method("gradient_rate", {"lr": 0.01, "alpha": 4e-4}, network=DROPOUT),
    "second order, guarded": Method("newton_rate", {"lr": 0.01}, network=DROPOUT),
    "second order, momentum": Method("newton_rate_printed", {"lr": 0.01, "beta": 0.9}, network=DROPOUT),
    "second order, probe": Method("newton_rate_printed", {"lr": 0.01}, network=DROPOUT, probe=True),
    "fixed, no dropout": Method("gradient_descent", {"lr": 0.01}),
    "second order, no dropout": Method("newton_rate_printed", {"lr": 0.01}),
    "Adam": Method("adam", {"lr": 0.1}, {"lr": TENTH}, network=DROPOUT),
    "second order, then Adam": Method("newton_rate_printed", {"lr": 0.01}, network=DROPOUT,
                                      then=Then("adam", {"lr": 1e-3})),
    "second order, then its rate": Method("newton_rate_printed", {"lr": 0.01}, network=DROPOUT,
                                          then=Then("gradient_descent", {"lr": None})),
    "Adam at the learned rate": Method("newton_rate_printed", {"lr": 0.01}, network=DROPOUT,
                                       then=Then("adam", {"lr": None}, afresh=True)),
}
RESNET = {
    "fixed": Method("gradient_descent", {"lr": 0.1}, RATE),
    "second order, printed": Method("newton_rate_printed", {"lr": 0.1}),
    "second order, printed, from 0.05": Method("newton_rate_printed", {"lr": 0.05}),
    "second order, printed, from 0.01": Method("newton_rate_printed", {"lr": 0.01}),
    "second order, momentum": Method("newton_rate_printed", {"lr": 0.1, "beta": 0.9}),
    "second order, probe": Method("newton_rate_printed", {"lr": 0.1}, probe=True),
    "second order, dropout": Method("newton_rate_printed", {"lr": 0.1}, network=DROPOUT),
    "fixed, dropout": Method("gradient_descent", {"lr": 0.1}, network=DROPOUT),
    "Adam": Method("adam", {"lr": 0.1}, RATE),
}

EXPERIMENTS = {
    "mlp_2x90": Experiment("nlTGCR against others on a dense net: Memon et al. (2024), Figure 1a, Table 2",
                           "2 × 90 tanh", partial(dense, (90, 90)), DENSE | ABLATION | LATER, 100, 128,
                           search_epochs=3),
    "mlp_5x30": Experiment("nlTGCR against others on a deeper net: Memon et al. (2024), Figure 1b, Table 2",
                           "5 × 30 tanh", partial(dense, (30,) * 5), DENSE, 100, 128, search_epochs=3),
    "cnn": Experiment("nlTGCR against others on a convolutional net: Memon et al. (2024), Figure 1c, Table 2",
                      "CNN of 32 channels", convolutional,
                      FIRST_ORDER | {"nlTGCR": PLAIN, "nlTGCR, start": STARTED, "K-FAC": KFAC}, 30, 128, (0, 1), 2,
                      images=True, minutes=30),
    "logistic": Experiment("does the learned rate of softmax regression go to 0.4?  Ravaut and Gorti (2018), Figure 3",
                           "softmax regression", softmax, {
                               "fixed": Method("gradient_descent", {"lr": 0.1}, RATE),
                               "first order, paper": Method("gradient_rate", {"lr": 0.1, "alpha": 1e-6}),
                               "first order": Method("gradient_rate", {"lr": 0.1, "alpha": 4e-4}),
                               "second order, printed": Method("newton_rate_printed", {"lr": 0.1}),
                               "second order, guarded": Method("newton_rate", {"lr": 0.1})},
                           20, 128, sets=("mnist", "fashion_mnist", "digits")),
    "lenet": Experiment("LeNet with dropout and a learned rate: Ravaut and Gorti (2018), Figures 5 and 7",
                        "LeNet, dropout 0.5", le_net, LENET, 50, 32, (0, 1), 2,
                        ("cifar10", "cifar100", "digits"), True, 20),
    "resnet": Experiment("a narrow ResNet and a learned rate: Ravaut and Gorti (2018), Figures 6 to 9 and 14",
                         "ResNet-18 of width 16", narrow_resnet, RESNET, 30, 256, (0, 1), 2,
                         ("cifar10", "cifar100", "digits"), True, 20),
    "boston": Experiment("linear regression, in whole batches, with a learned rate: Ravaut and Gorti (2018), Figure 1",
                         "linear regression, standardised", regression, {
                             "fixed": Method("gradient_descent", {"lr": 0.1}, RATE),
                             "first order": Method("gradient_rate", {"lr": 0.01, "alpha": 1e-5}, {"alpha": TENTH}),
                             "second order, printed": Method("newton_rate_printed", {"lr": 0.01}),
                             "second order, guarded": Method("newton_rate", {"lr": 0.01})},
                         100, 360, search_epochs=100, sets=("boston",)),
}
