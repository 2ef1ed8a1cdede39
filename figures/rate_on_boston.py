"""On linear regression the learned rate is that of Barzilai and Borwein: lower than any fixed rate, by wild leaps.

The prices of 400 houses from 13 numbers as they are in the table, in whole batches; the loss is half the mean squared
error.  Above, the loss at every step; below, the lowest so far, and dotted the least that is possible.  The best of 5
fixed rates, the largest of them just under the 2 / λ_max at which descent diverges, is still at three times that after
400 steps, and so is the first-order method, which starts at the paper's 1e-7.  (It has the best of four alphas, 1e-14:
with ten times that, or with the paper's 1e-9, it diverges.)  The second-order rate leads to the lowest point along one
gradient and is used along the next: on a quadratic this is the method of Barzilai and Borwein (1988).  It does not go
downhill all the time, and its leaps are the spikes that the paper "cannot really explain".  (`most` is 1e9 here, so
that the rate is free to fall.)  The printed form starts at the paper's 1e-2, and is back from 2e9 after a few steps.
A step of a second-order method costs 8 forward passes, of the first-order one 6 and of gradient descent 3, if going
backward counts as two.

Ravaut and Gorti (2018), Figure 1, remade with another split of the houses.          Lecture 5.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.adaptive_rate import LINES
from figures.making.style import end_labels
from numopt.data import boston
from numopt.networks import linear
from numopt.optimizer import Diverged
from numopt.optimizers import gradient_descent, gradient_rate, newton_rate, newton_rate_printed
from numopt.problems import EmpiricalRisk

LABELS = {"gradient_descent": "best fixed rate", "gradient_rate": "first order", "newton_rate": "second order",
          "newton_rate_printed": "its printed form"}


def problem():
    """The mean loss on the training houses."""
    X, Y, *_ = boston(normalise=False)
    return EmpiricalRisk(linear(13), X, Y[:, None])


def with_ones(X):
    """The inputs of linear regression, and a column for its bias."""
    return np.column_stack([X, np.ones(len(X))])


def follow(run, loss, steps):
    """The loss of every iterate and the rate of every step: (2, steps + 1), with NaN for a run that diverges."""
    seen = np.full((2, steps + 1), np.nan)
    try:
        for i in range(steps + 1):
            rate = run["lr"] if run.name != "gradient_descent" else np.nan  # of the step that is taken next
            with np.errstate(over="ignore"):
                seen[:, i] = loss.value(run.theta), rate
            next(run)
    except Diverged:
        return np.full_like(seen, np.nan)
    return seen


def best(found):
    """The run that has come lowest, of those that have not diverged."""
    lowest = [seen[0].min() for seen in found]
    if np.isnan(lowest).all():
        raise ValueError("every one of them diverges; try lower ones")
    return found[np.nanargmin(lowest)]


def compute(steps=400, lowest=1e-7, highest=6.3e-6, rates=5, alphas=(1e-16, 1e-15, 1e-14, 1e-13), lr=1e-7,
            printed_lr=1e-2):
    """So many fixed rates are tried, from the lowest to the highest; the methods that learn the rate begin at lr."""
    risk, start = problem(), np.zeros(14)
    L = risk.whole
    A = with_ones(risk.X)
    fixed = np.geomspace(lowest, highest, rates)
    found = {"gradient_descent": best([follow(gradient_descent(risk, start, lr=rate), L, steps) for rate in fixed]),
             "gradient_rate": best([follow(gradient_rate(risk, start, lr=lr, alpha=a, delta=0), L, steps)
                                    for a in alphas]),
             "newton_rate": follow(newton_rate(risk, start, lr=lr, most=1e9), L, steps),
             "newton_rate_printed": follow(newton_rate_printed(risk, start, lr=printed_lr), L, steps)}
    return {**found, "least": np.array(L.value(np.linalg.lstsq(A, risk.Y[:, 0], rcond=None)[0]))}


def draw(least, **found):
    figure, (above, below) = plt.subplots(2, 1, figsize=(6.5, 6), sharex=True)
    ends = []
    for name, label in LABELS.items():
        color, linestyle = LINES[name]
        loss = found[name][0]
        lowest = np.minimum.accumulate(loss)
        above.semilogy(loss, color=color, linestyle=linestyle, linewidth=1.3)
        below.semilogy(lowest, color=color, linestyle=linestyle)
        ends.append((label, lowest[-1], color))
    below.axhline(least, color="0.3", linestyle=":", linewidth=1.2)
    above.set(ylabel="loss", title="the leaps")
    below.set(xlabel="step", ylabel="lowest loss so far", xlim=(0, len(loss) - 1), ylim=(10, 400),
              yticks=[10, 20, 40, 100, 300])
    below.yaxis.set_major_formatter("{x:g}")
    below.minorticks_off()
    end_labels(below, [*ends, ("least possible", least, "0.3")])
    return figure
