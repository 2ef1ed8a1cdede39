"""Trained layer by layer a deep net leaves the plateau of a small random start; a start of the right size does too.

A net of twelve hidden layers of 20 tanh units learns 1,437 handwritten digits, by momentum on mini-batches of 64; the
training loss, the median over five seeds, with their range.  The weights of the old random start have the variance
1 / (3n), for n inputs: after twelve layers hardly anything is left of the images, nor of the gradient in the first
ones.  For 250 steps and more the loss stays at log 10, that of guessing, and later it is never steady.  Layer by layer:
a net with one hidden layer is trained for 100 steps; its units are the inputs of the next such net, and so on.  (The
dotted saw is the loss of the small net of the moment; each begins with a new output layer.)  Put together, it is past
the plateau, and ends lower than the random start with any seed.  From easy to hard, 1,000 steps on the digits 0 and 1
and then all digits, is no help: it makes the net sure of the two, the loss on all of them rises to 8 (dotted), and
what comes after is no better than a random start.  Glorot and Bengio's start, with weights larger by a factor of 1.7,
needs no pre-training, and that is why hardly anybody does it any more.

Ravasi's lecture notes, "Supervised pre-training"; Bengio et al. (2007); Glorot and Bengio (2010).          Lecture 13.
"""
from functools import partial
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import BLACK, BLUE, GREEN, VERMILION, band
from numopt import data as sets
from numopt.networks import mlp
from numopt.optimizers import momentum
from numopt.problems import EmpiricalRisk

SETS = "digits", "mnist", "fashion_mnist"
SEED = 0
SEEDS = range(SEED, SEED + 5)
NET = "12 × 20 tanh, 4,000 steps"
DEPTH, WIDTH, BATCH, LR = 12, 20, 64, 0.02
STEPS, STAGE, EASY, EVERY = 4000, 100, 1000, 25
OLD = {"initialisation": "lecun", "scale": 3**-0.5}
LINES = {"random": (BLACK, "-", "random start"), "greedy": (BLUE, "-", "layer by layer"),
         "easy": (VERMILION, "--", "easy to hard"), "glorot": (GREEN, "-.", "Glorot's start")}


def train(network, X, Y, theta, steps, seed, X_all, Y_all):
    """The weights after so many steps, and the loss on all the data every EVERY steps, from the start on."""
    risk = EmpiricalRisk(network, X, Y, BATCH, seed)
    whole = EmpiricalRisk(network, X_all, Y_all).whole
    losses = [whole.value(theta)]
    for step, theta in enumerate(islice(momentum(risk, theta, lr=LR), steps), 1):
        if step % EVERY == 0:
            losses.append(whole.value(theta))
    return theta, losses


def greedy(X, Y, classes, seed):
    """The weights of the deep net, one layer after the other, and the losses of the small nets on the way."""
    weights, losses, H = [], [], X
    for layer in range(DEPTH):
        small = mlp([H.shape[1], WIDTH, classes])
        theta, seen = train(small, H, Y, small.initial([seed, layer], dtype=X.dtype, **OLD), STAGE, seed, H, Y)
        W, out = small.blocks(theta)
        H = np.tanh(H @ W[:, :-1].T + W[:, -1])
        weights.append(W)
        losses += seen[1:]
    return np.concatenate([W.ravel() for W in [*weights, out]]), losses


def run(start, data, seed):
    """The loss at every EVERY-th step of one training, its pre-training included."""
    X, Y, *_ = getattr(sets, data)(dtype=np.float32)
    X, classes = X.reshape(len(X), -1), int(Y.max()) + 1
    deep = mlp([X.shape[1], *[WIDTH] * DEPTH, classes])
    theta, before = deep.initial(seed, dtype=X.dtype, **({} if start == "glorot" else OLD)), []
    if start == "greedy":
        theta, before = greedy(X, Y, classes, seed)
    elif start == "easy":
        two = Y < 2
        theta, before = train(deep, X[two], Y[two], theta, EASY, seed, X, Y)
        before = before[:-1]
    _, after = train(deep, X, Y, theta, STEPS - EVERY * len(before), seed, X, Y)
    return {"loss": np.array([*before, *after], np.float32), "pre": np.array(EVERY * len(before))}


def runs(data):
    return {f"{start}, seed {seed}": partial(run, start, data, seed) for start in LINES for seed in SEEDS}


def compute():
    known = recorded("pre_training")
    found = {start: np.array([known[f"{start}, seed {seed}"]["loss"] for seed in SEEDS]) for start in LINES}
    return found | {f"{start}, before": known[f"{start}, seed {SEED}"]["pre"].copy() for start in LINES}


def draw(**found):
    figure, ax = plt.subplots(figsize=(6.5, 4.2))
    for start, (color, linestyle, label) in LINES.items():
        rows, pre = found[start], int(found[f"{start}, before"]) // EVERY
        steps = EVERY * np.arange(rows.shape[1])
        ax.plot(steps[:pre + 1], np.median(rows, axis=0)[:pre + 1], color=color, linestyle=":", linewidth=1.2)
        band(ax, steps[pre:], rows[:, pre:], color, linestyle, middle=np.median, label=label)
    ax.set(xlabel="step, all trainings counted", ylabel="training loss", yscale="log", xlim=(0, STEPS))
    ax.legend(loc="lower left")
    return figure
