"""Where momentum carries a coordinate uphill its rate is cut all the way up if signs are against the velocity.

One coordinate on a parabola of curvature 1, with momentum.  Grey are the steps on which the velocity leads uphill.  A
triangle is a step at which the rate is cut, a dot one at which it is raised.  Delta-bar-delta compares the gradient
with an average of the gradients before, which turns a few steps after the gradient has turned; from then on the two
agree again, and the rate rises on the way up as it does on the way down.  Compared with the velocity, which turns only
at the top, the gradient disagrees as long as it goes up.  So the rate, below, stays near where it was, or climbs.
(Where swings are as short as that average remembers, nothing tells the two: with μ = 0.5 either cuts all the way up.)

Made for this course, after Jacobs (1988) and Hinton (2012), lecture 6d.          Lecture 4.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE, METHODS, VERMILION, end_labels, method
from numopt.optimizers import delta_bar_delta, delta_bar_velocity
from numopt.problems import Quadratic

LOOPS = {"delta_bar_delta": delta_bar_delta, "delta_bar_velocity": delta_bar_velocity}


def compute(lr=0.01, mu=0.95, steps=100):
    """Of each method where it is, whether its velocity leads uphill, whether signs agree, and the gain."""
    found = {}
    for name, loop in LOOPS.items():
        run = loop(Quadratic([[1.0]]), [1.0], lr=lr, mu=mu)
        at, v, rows = 1.0, 0.0, []
        for _ in range(steps):
            next(run)
            rows.append((at, v * run["g"].item() > 0, run["agree"].item(), run["gain"].item()))
            at, v = run.theta.item(), run["v"].item()
        found |= {f"{name}: {key}": column for key, column in zip(("at", "uphill", "agree", "gain"), np.array(rows).T)}
    return found


def draw(**found):
    figure, axes = plt.subplots(3, 1, figsize=(6, 5.4), sharex=True)
    ends = []
    for ax, name in zip(axes, LOOPS):
        at, uphill, agree, gain = (found[f"{name}: {key}"] for key in ("at", "uphill", "agree", "gain"))
        t = np.arange(len(at))
        ax.fill_between(t, 0, 1, where=uphill > 0, step="mid", transform=ax.get_xaxis_transform(), color="0.88",
                        linewidth=0, label="velocity leads uphill")
        ax.plot(t, at, color="0.6", linewidth=1)
        ax.plot(t[agree > 0], at[agree > 0], ".", color=BLUE, markersize=4, label="rate raised")
        ax.plot(t[agree < 0], at[agree < 0], "v", color=VERMILION, markersize=5.5, label="rate cut")
        ax.set_title(METHODS[name][2], loc="left", fontsize=10)
        ax.set(ylabel="$\\theta$")
        axes[-1].plot(t, gain, **method(name, label=None))
        ends.append((METHODS[name][2].replace(", ", ",\n"), gain[-1], METHODS[name][0]))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    axes[-1].set(ylabel="gain", xlabel="step", xlim=(0, len(t) - 1), ylim=(0, None))
    end_labels(axes[-1], ends)
    return figure
