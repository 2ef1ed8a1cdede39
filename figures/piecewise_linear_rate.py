"""Of the rates in use only one falls slowly enough to get anywhere, and fast enough to settle there: η / (β + t).

Above, a thousand steps at each rate, all of which start at 0.1 or warm up to it; the third panel has those that do
both, for a run of known length: one that is stable until it is to end (WSD), and one cycle up and far down.  "Reduce on
plateau" depends on what it sees: here on the loss of gradient descent in a noisy valley, shown to it every 10 steps.
Below, what becomes of the others.
With noise it takes Σ α_t = ∞ to get there from anywhere, and Σ α_t² < ∞ to settle: a line that in the long run falls
more steeply than t^(−½), but no more steeply than 1 / t, as in the grey wedge.  The straight line that becomes a
constant, which the lecture notes recommend right after these two conditions, does not meet the second.

Ravasi's lecture notes, figure "PWLR"; the conditions are those of Robbins and Monro (1951).          Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, end_labels
from numopt import schedules
from numopt.optimizers import gradient_descent
from numopt.problems import Noisy, Quadratic
from numopt.record import record

STEPS = 1000
LINES = {"constant": (GREY, "--"), "piecewise_linear": (VERMILION, "-"), "step": (ORANGE, "-"),
         "warm_up": (PURPLE, "--"), "exponential": (GREEN, "-"), "inverse_time": (BLUE, "-"), "cosine": (SKY, "-"),
         "reduce_on_plateau": (BLACK, "-"), "warmup_stable_decay": (BLUE, "--"), "one_cycle": (VERMILION, "--")}
FIRST = np.arange(1, STEPS + 1)
LONG_RUN = np.unique(np.geomspace(1, 1e6, 400).astype(int))


def schedules_from(lr):
    return {"constant": schedules.constant(lr),
            "piecewise_linear": schedules.piecewise_linear(lr, lr / 100, 800),
            "step": schedules.step(lr, 300),
            "exponential": schedules.exponential(lr, 0.995),
            "inverse_time": schedules.inverse_time(100 * lr, 99),
            "cosine": schedules.cosine(lr, STEPS),
            "warm_up": schedules.warm_up(schedules.cosine(lr, STEPS - 150), 150),
            "warmup_stable_decay": schedules.warmup_stable_decay(lr, STEPS, rise=100, fall=200),
            "one_cycle": schedules.one_cycle(lr, STEPS)}


def on_a_plateau(lr):
    """The rates that reduce_on_plateau gave to a run: each was asked for before the look that may lower the next."""
    valley, rate = Quadratic(np.diag([1.0, 10.0])), schedules.reduce_on_plateau(lr, factor=0.3)
    run = gradient_descent(Noisy(valley, 1.0), [3.0, 1.0], lr=rate)
    watched = {"loss": valley.value, "rate": lambda theta: rate(run["t"])}
    seen = record(run, STEPS, every=10, measure=watched, plateau=(rate, "loss"))
    return np.repeat(seen["rate"][1:], 10)


def compute(lr=0.1):
    rates = schedules_from(lr).values()
    first = [[rate(t) for t in FIRST.tolist()] for rate in rates] + [on_a_plateau(lr)]
    long_run = [[rate(t) for t in LONG_RUN.tolist()] for rate in rates]
    return {"lr": lr, "first": np.array(first), "long_run": np.array(long_run)}


def draw(lr, first, long_run):
    figure, (one, two, three, below) = plt.subplots(4, 1, figsize=(6, 8.8), height_ratios=[1, 1, 1, 1.5])
    known = schedules_from(lr)
    rates = dict(zip([*known, "reduce_on_plateau"], first))
    at = {"constant": (760, 0.104), "piecewise_linear": (310, 0.0135), "step": (210, 0.035), "warm_up": (620, 0.048),
          "exponential": (75, 0.0035), "inverse_time": (1012, 0.007), "cosine": (570, 0.045),
          "reduce_on_plateau": (275, 0.095), "warmup_stable_decay": (505, 0.104), "one_cycle": (585, 0.066)}
    for i, (name, (color, style)) in enumerate(LINES.items()):
        ax = (one, two, three)[i // 4]
        ax.plot(FIRST, rates[name], color=color, linestyle=style)
        x, y = at[name]
        ax.annotate(name.replace("_", " "), (x, y * lr / 0.1), color=color, annotation_clip=False)
    for ax in (one, two, three):
        ax.set(xlim=(0, STEPS), ylim=(0, 1.15 * lr), yticks=[0, lr / 2, lr], ylabel="rate $\\alpha_t$")
        ax.tick_params(labelbottom=ax is three)
    three.set_xlabel("step $t$")
    for name, rate in zip(known, long_run):
        color, style = LINES[name]
        below.loglog(LONG_RUN, np.where(rate > 0, rate, np.nan), color=color, linestyle=style)
    t, start = np.array([2e3, 1e6]), known["inverse_time"](2e3)
    below.fill_between(t, start * t[0] / t, start * (t[0] / t)**0.5, color="0.88", linewidth=0, zorder=0)
    below.set(xlabel="step $t$", ylabel="rate $\\alpha_t$", xlim=(1, 1e6), ylim=(1e-6 * lr, 3 * lr))
    below.text(1.1e5, 3.3e-3 * lr, "$1 / \\sqrt{t}$", color="0.35", va="top", ha="left")
    end_labels(below, [(name.replace("_", " "), rate[-1], LINES[name][0]) for name, rate in zip(known, long_run)
                       if rate[-1] > 1e-6 * lr])
    below.text(2.6e3, 4e-5 * lr, "exponential, step,\ncosine, warm up,\nWSD: too soon", color=BLACK, va="center")
    return figure
