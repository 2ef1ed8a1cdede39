"""The printed second-order rate creeps and does not forget where it began; a guarded one does, and goes too far.

The rates of figure "rate_on_mnist", over the first of its seeds; thin, the same from a tenth of the start.  The printed
form, and upon it the first-order method with an alpha of 4e-4, creeps from 0.1 to 0.12 and from 0.01 to 0.07, slower
from epoch to epoch.  So where it "stabilizes" says as much about the start, and about ε and δ, as about the problem.
The guarded Newton rate has left its start after some ten steps.  Then it goes up and down by factors of up to 2, the
most that it may, around several times the fixed rate that was searched for (4): each mini-batch would have it so large
for itself, and the next one suffers.

Ravaut and Gorti (2018), Figure 4, remade; without --data mnist on smaller digits.          Lecture 5.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.adaptive_rate import BETTER, LINES, gathered
from figures.making.style import end_labels
from figures.rate_on_mnist import DRAWN

RECORD = "rate_on_mnist"
LOW = {"printed from low": LINES["newton_rate_printed"], "newton from low": LINES["newton_rate"]}


def compute():
    seen = gathered(RECORD)
    return {key: seen[key][0] for key in seen if key.endswith((": rate", ": epoch"))}


def draw(**seen):
    figure, ax = plt.subplots(figsize=(6.5, 4.6))
    ends = []
    for run, (label, color, linestyle) in DRAWN.items():
        if run not in ("fixed", "searched"):
            ax.semilogy(seen[f"{run}: epoch"], seen[f"{run}: rate"], color=color, linestyle=linestyle, linewidth=1.4,
                        zorder=3 if run == "first order" else 2)
            ends.append((label, seen[f"{run}: rate"][-1], color))
    for run, (color, linestyle) in LOW.items():
        ax.semilogy(seen[f"{run}: epoch"], seen[f"{run}: rate"], color=color, linestyle=linestyle, linewidth=0.8)
    ends.append(("from a lower start", seen["printed from low: rate"][-1], LINES["newton_rate_printed"][0]))
    searched = seen["searched: rate"][0]
    ax.axhline(searched, color=BETTER[0], linestyle=BETTER[1], linewidth=1.2)
    ax.set(xlabel="epoch", ylabel="rate", xlim=(0, np.nanmax(seen["newton: epoch"])))
    end_labels(ax, [*ends, ("fixed, searched", searched, BETTER[0])])
    return figure
