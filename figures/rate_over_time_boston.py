"""The second-order rate leaps because it is one over a curvature, seen at one step and used at the next.

The rates of figure "rate_on_boston".  On a quadratic f'(η) and f''(η) give exactly η = gᵀg / gᵀHg: one over the mean of
the curvatures λ, weighted by what the gradient has of each direction.  So it lies between 1 / λ_max and 1 / λ_min,
eight powers of ten apart for these houses (dotted), and where the gradient has nothing left of the steep directions, it
is large.  But above 2 / λ_max (dashed) a step enlarges what there is of the steepest one: below, the loss rises only
after rates above that line (dots).  Soon the gradient is all steep direction, the rate is 1 / λ_max, and the leap is
over.  The first-order rate does not leap: it rises while successive gradients agree, and stays below the line.  The
printed form is kept from the highest rates by its δ, which outweighs the curvature where gᵀHg < δ / (4 ε²) = 2500.

Ravaut and Gorti (2018), Figure 2, remade with another split of the houses.          Lecture 5.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.adaptive_rate import LINES
from figures.making.style import VERMILION, end_labels
from figures.rate_on_boston import follow, problem, with_ones
from numopt.optimizers import gradient_rate, newton_rate, newton_rate_printed

LABELS = {"newton_rate": "second order", "newton_rate_printed": "its printed form", "gradient_rate": "first order"}


def compute(shown=100, alpha=1e-14, steps=400, lr=1e-7, printed_lr=1e-2):
    """The methods begin at the rate lr, the printed form at its own."""
    if shown > steps:
        raise ValueError(f"of {steps} steps, the first {shown} cannot be shown")
    risk, start = problem(), np.zeros(14)
    A, L = with_ones(risk.X), risk.whole
    return {"shown": shown,
            "gradient_rate": follow(gradient_rate(risk, start, lr=lr, alpha=alpha, delta=0), L, steps),
            "newton_rate": follow(newton_rate(risk, start, lr=lr, most=1e9), L, steps),
            "newton_rate_printed": follow(newton_rate_printed(risk, start, lr=printed_lr), L, steps),
            "curvatures": np.linalg.eigvalsh(A.T @ A / risk.n)}


def rises(loss):
    """The steps after which the loss is higher."""
    return np.flatnonzero(loss[1:] > loss[:-1])


def draw(shown, curvatures, **found):
    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(6.5, 7.4), height_ratios=[2, 1.2, 1.2])
    edge, ends = 2 / curvatures[-1], []
    for name, label in LABELS.items():
        color, linestyle = LINES[name]
        rate = found[name][1]
        above.semilogy(rate, color=color, linestyle=linestyle, linewidth=1.3)
        ends.append((label, np.exp(np.log(rate[-50:]).mean()), color))
    for height in 1 / curvatures[[0, -1]]:
        above.axhline(height, color="0.3", linestyle=":", linewidth=1.2)
    ends += [(f"$1\\,/\\,\\lambda_{{{which}}}$", 1 / curvatures[i], "0.3") for which, i in [("min", 0), ("max", -1)]]
    rates = np.concatenate([[1 / curvatures[0]], *(seen[1] for seen in found.values())])
    lowest, highest = np.nanmin(rates), np.nanmax(rates)
    loss, rate = found["newton_rate"][:, :shown + 1]
    up = rises(loss)
    color, linestyle = LINES["newton_rate"]
    for ax, row in (middle, rate), (below, loss):
        ax.semilogy(row, color=color, linestyle="-", linewidth=1.3)
        ax.plot(up, row[up], "o", color=VERMILION, markersize=4)
        ax.set_xlim(0, shown)
    middle.axhline(edge, color="0.3", linestyle="--", linewidth=1.2)
    top = 4 * 10**np.ceil(np.log10(highest / 4))
    above.set(ylabel="rate", xlim=(0, len(found["newton_rate"][1]) - 1), ylim=(0.3 * lowest, top),
              title="the rates")
    middle.set(ylabel="rate", title=f"second order, the first {shown} steps; dots: the loss is about to rise")
    below.set(xlabel="step", ylabel="loss")
    end_labels(above, ends)
    end_labels(middle, [(r"$2\,/\,\lambda_{max}$", edge, "0.3")])
    return figure
