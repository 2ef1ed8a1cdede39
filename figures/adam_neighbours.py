"""After one large gradient Yogi's steps stay short for longest; steady gradients make AdaBelief's long.

The same gradients for five loops: 1 and some noise, and at step 300 once 30.  Drawn is the length of each step, in
units of the rate, with β₂ = 0.99.  RAdam begins with the averaged gradient, then with little, and rises to Adam's
steps, a warm-up.  Adam forgets the large square by a hundredth of it a step, Yogi by a hundredth of the newest one.
AdaBelief divides by the noise alone.  Adan looks ahead with the last change, of which the large gradient makes two:
its steps are short for twice as long as Adam's.  (Short is less than half of what a method's own steps were before.
With a large gradient of 25 and less AdaBelief's are short for longest, whose steps had been so long.)

Made for this course, after Zaheer et al. (2018), Liu et al. (2020), Zhuang et al. (2020) and Xie et al. (2022).
Lecture 10.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import METHODS, method
from numopt.optimizers import adabelief, adam, adan, radam, yogi
from numopt.problems import Function, Objective
from numopt.record import path

LOOPS = {"adam": adam, "radam": radam, "yogi": yogi, "adabelief": adabelief, "adan": adan}


class Given(Objective):
    """A linear function at every step, of a slope that is written down beforehand."""

    size = 1

    def __init__(self, slopes):
        self.slopes = slopes

    def loss(self, t):
        slope = self.slopes[t - 1]
        return Function(lambda theta: slope * theta.sum(), lambda theta: np.full(1, slope), size=1)


def compute(large=30.0, at=300, noise=0.3, steps=1200, seed=0):
    slopes = 1 + noise * np.random.default_rng(seed).standard_normal(steps)
    slopes[at - 1] = large
    found = {}
    for name, loop in LOOPS.items():
        betas = {"beta3": 0.99} if name == "adan" else {"beta2": 0.99}
        found[name] = -np.diff(path(loop(Given(slopes), [0.0], lr=1.0, **betas), steps)[:, 0])
    return {"at": at, **found}


def draw(at, **found):
    figure, axes = plt.subplots(len(found), 1, figsize=(6, 5.6), sharex=True)
    for ax, (name, lengths) in zip(axes, found.items()):
        ax.plot(np.arange(1, len(lengths) + 1), lengths, **method(name, label=None, linewidth=1.2))
        ax.axvline(at, color="0.7", linewidth=1, zorder=0)
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set_title(METHODS[name][2], loc="left", fontsize=10)
        ax.set(ylim=(min(-0.2, np.quantile(lengths, 0.001)), 1.1 * np.quantile(lengths, 0.99)), ylabel="step")
    axes[-1].set(xlabel="step $t$", xlim=(1, len(lengths)))
    return figure
