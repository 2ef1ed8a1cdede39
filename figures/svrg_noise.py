"""At a constant rate SVRG arrives; gradient descent on mini-batches stays in its noise, and by cooling comes slowly.

A linear regression with noisy answers: 200 examples of five inputs, in batches of 4, from zero.  Drawn is the squared
distance from the minimum over passes through the data; those of SVRG at its anchors, one at each pass of steps, and the
second gradient of its steps are counted, so that it makes one step where the others make three.  Lines are medians over
eight seeds, of data and batches, and bands reach from the least to the most.  The falling rate is α / (1 + t / 200),
that is α at first and half of it after four passes.  Early SVRG is behind: far from the minimum noise is not what is in
the way.  So it is at rates from 0.02 to 0.2; at 0.01 thirty passes are too few for SVRG to arrive, and at 0.5 what
corrects its gradients is too old, and it ends above the falling rate.

Made for this course, after Johnson and Zhang (2013), Figure 2.          Lecture 13.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS, SKY, VERMILION, band, end_labels
from numopt.networks import linear
from numopt.optimizers import gradient_descent, svrg
from numopt.problems import EmpiricalRisk
from numopt.record import path
from numopt.schedules import inverse_time

LABELS = {"fixed": "fixed rate", "falling": "falling rate", "svrg": "SVRG"}
COLORS = {"fixed": METHODS["gradient_descent"][0], "falling": VERMILION, "svrg": SKY}
LINES = {"fixed": "-", "falling": "--", "svrg": METHODS["svrg"][1]}
GRADIENTS = {"fixed": 1, "falling": 1, "svrg": 3}  # what a step costs, SVRG's anchors at each pass included
COOLING = 200  # steps until the falling rate is half of what it was


def problem(seed, n=200, inputs=5, batch_size=4):
    """A regression whose answers have noise of standard deviation 1, and its minimum."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, inputs))
    Y = X @ rng.standard_normal((inputs, 1)) + rng.standard_normal((n, 1))
    best = np.linalg.lstsq(np.column_stack([X, np.ones(n)]), Y, rcond=None)[0].ravel()
    return EmpiricalRisk(linear(inputs, 1), X, Y, batch_size=batch_size, seed=seed), best


def compute(rate=0.05, passes=30, seeds=tuple(range(8))):
    """Squared distances, a row for each seed, after every pass through the data that was paid for."""
    found = {name: [] for name in LABELS}
    for seed in seeds:
        risk, best = problem(seed)
        a_pass, start = len(risk.X) // risk.batch_size, np.zeros_like(best)
        for name, run in {"fixed": gradient_descent(risk, start, lr=rate),
                          "falling": gradient_descent(risk, start, lr=inverse_time(rate * COOLING, COOLING)),
                          "svrg": svrg(risk, start, lr=rate, every=a_pass)}.items():
            steps = np.arange(passes + 1) * a_pass // GRADIENTS[name]
            found[name].append(np.sum((path(run, steps[-1])[steps] - best)**2, axis=1))
    return {"rate": rate, **{name: np.array(rows) for name, rows in found.items()}}


def draw(rate, **found):
    figure, ax = plt.subplots(figsize=(6, 3.8))
    passes = np.arange(found["svrg"].shape[1])
    ax.set(yscale="log", xlabel="passes through the data", ylabel="squared distance", xlim=(0, passes[-1]),
           title=f"rate $\\alpha = {rate:g}$")
    for name, rows in found.items():
        band(ax, passes, rows, COLORS[name], LINES[name], middle=np.median)
    end_labels(ax, [(LABELS[name], np.median(rows[:, -1]), COLORS[name]) for name, rows in found.items()])
    return figure
