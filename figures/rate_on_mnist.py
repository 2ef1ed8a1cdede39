"""On logistic regression the printed second-order rate is the first-order one, and both lose to a better fixed rate.

Softmax regression on handwritten digits, mini-batches of 128, all rates from the same start (0.1 on the 8 × 8 digits);
mean and range over 5 seeds.  With ε = 1e-5 and δ = 1e-6 the printed Newton step divides by 4 ε² f'' + δ, and as f'' is
small here that is δ: it is a gradient step with an alpha of 4 ε² / δ = 4e-4, and the first-order method with this alpha
(the paper has 1e-6, with which the rate hardly moves) gives the same curves for less.  They beat the fixed rate that
they start from, but not one that was searched for (4).  With the Newton step that was meant, guarded, the rate goes far
beyond that: it is quick at first, but what suits the mini-batch it was learned from is too large for the next.  Over
the last five epochs its training loss is anything from a seventh of the slow fixed rate's to twice as much, with the
seed, and always above that of the rate that was searched for; its test accuracy is lower than that of both, with every
seed.

Ravaut and Gorti (2018), Figure 3, remade; without --data mnist on smaller digits.          Lecture 5.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.adaptive_rate import BETTER, LINES, gathered, in_seeds, parts, train
from figures.making.style import band, end_labels
from numopt.networks import logistic

SETS = "digits", "mnist"
SEED = 0
SEEDS = range(SEED, SEED + 5)
ALPHA = 4e-4
# where the rates begin, a lower start, and the fixed rate that was searched for
SETTINGS = {"digits": {"start": 0.1, "low": 0.01, "searched": 4.0, "epochs": 30},
            "mnist": {"start": 0.1, "low": 0.01, "searched": 0.3, "epochs": 10}}
NET = {data: f"softmax regression, {settings['epochs']} epochs" for data, settings in SETTINGS.items()}
DRAWN = {"fixed": ("fixed rate", *LINES["gradient_descent"]),
         "first order": ("first order", *LINES["gradient_rate"]),
         "printed": ("2nd order, printed", *LINES["newton_rate_printed"]),
         "newton": ("2nd order, guarded", *LINES["newton_rate"]),
         "searched": ("fixed, searched", *BETTER)}


def training(method, data, lr, seed, **settings):
    """Softmax regression on the set."""
    X, Y, X_test, Y_test = parts(data, images=False)
    return train(method, (X, Y, X_test, Y_test), logistic(X.shape[1], Y.max() + 1), lr=lr, seed=seed,
                 epochs=SETTINGS[data]["epochs"], batch_size=128, **settings)


def runs(data):
    start, low, searched = (SETTINGS[data][name] for name in ("start", "low", "searched"))
    return in_seeds(SEEDS, **{
        "fixed": partial(training, "gradient_descent", data, start),
        "searched": partial(training, "gradient_descent", data, searched),
        "first order": partial(training, "gradient_rate", data, start, alpha=ALPHA),
        "printed": partial(training, "newton_rate_printed", data, start),
        "newton": partial(training, "newton_rate", data, start),
        "printed from low": partial(training, "newton_rate_printed", data, low),
        "newton from low": partial(training, "newton_rate", data, low)})


def compute():
    return gathered("rate_on_mnist")


def draw(**seen):
    figure, (above, below) = plt.subplots(2, 1, figsize=(6.5, 6), sharex=True)
    ends = []
    for run, (label, color, linestyle) in DRAWN.items():
        loss, accuracy = seen[f"{run}: training loss"], 100 * seen[f"{run}: test accuracy"]
        epoch = np.arange(loss.shape[1])
        zorder = 3 if run == "first order" else 2
        band(above, epoch, loss, color, linestyle, zorder=zorder)
        band(below, epoch, accuracy, color, linestyle, zorder=zorder)
        ends.append((label, loss[:, -1].mean(), color))
    above.set(ylabel="training loss", yscale="log")
    below.set(xlabel="epoch", ylabel="test accuracy, %", xlim=(0, epoch[-1]), ylim=(accuracy[:, -1].mean() - 9, 100))
    end_labels(above, ends)
    return figure
