"""After one bad direction Fletcher and Reeves take tiny steps for as long as they are let; the others are back at once.

On the left, the cosine of the angle between each direction and −g on a quadratic, in a run that begins with a direction
at nearly a right angle to −g, as if the last step had hardly moved.  Then g is nearly g₀: Fletcher and Reeves make
β = gᵀg / g₀ᵀg₀ nearly 1 of that, and keep the direction and its angle; Polak and Ribière, and Hestenes and Stiefel,
have g − g₀ above the line, make β nearly 0, and go down the gradient.  A fresh start, here after as many steps as there
are parameters, is the only way out.  On the right, what that costs on Rosenbrock's valley from starts all over its
box: gradients until their length is 1e-4, the median and the range over the starts.  All runs arrive, those of Fletcher
and Reeves too.  With the rule that starts afresh where gradients are far from orthogonal, all formulas cost the same.

Made for this course, after Powell (1977) and Nocedal and Wright (2006), Section 5.2.          Lecture 7.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREEN, VERMILION
from numopt.optimizers import nonlinear_cg
from numopt.problems import Counted, Quadratic, Rosenbrock
from numopt.record import record

LINES = {"fletcher_reeves": (VERMILION, "s", "Fletcher-Reeves"),
         "polak_ribiere_plus": (BLUE, "o", "Polak-Ribière+"),
         "hestenes_stiefel": (GREEN, "^", "Hestenes-Stiefel"),
         "with_the_rule": (BLACK, "x", "any, with the rule")}
FREE = 1e9  # an overlap of gradients that never is: without the rule


def cosines(formula, size, condition, tilt, steps):
    """Of the angle between −g and the direction, in a run whose last direction had the cosine `tilt`."""
    valley, start = Quadratic(np.diag(np.geomspace(1, condition, size))), np.ones(size)
    g = valley.gradient(start)
    aside = np.where(np.arange(size) % 2, 1.0, -1.0)
    aside = aside - (aside @ g) / (g @ g) * g
    bad = np.linalg.norm(g) / tilt * aside / np.linalg.norm(aside) - g
    run = nonlinear_cg(valley, start, formula=formula, overlap=FREE, t=1, p=bad, g_last=g, fall=-float(g @ g))
    seen = []
    for _, _ in zip(range(steps), run):
        g, p = run["g"], run["p"]
        seen.append(-g @ p / np.linalg.norm(g) / np.linalg.norm(p))
    return seen


def gradients(formula, overlap, size, seed):
    """How many it takes to follow Rosenbrock's valley from a start anywhere in its box; infinitely many if in vain."""
    valley = Rosenbrock(size)
    counted, start = Counted(valley), np.random.default_rng(seed).uniform(*valley.box)
    seen = record(nonlinear_cg(counted, start, formula=formula, overlap=overlap), 200 * size, objective=valley,
                  gradient=1e-4)
    return counted.gradients if seen.reason == "gradient" else np.inf


def compute(size=60, condition=100.0, tilt=0.01, steps=75, sizes=(10, 20, 40), starts=4):
    formulas = [name for name in LINES if name != "with_the_rule"]
    asked = {name: [[gradients(name, FREE, n, seed) for seed in range(starts)] for n in sizes] for name in formulas}
    asked["with_the_rule"] = [[gradients(formulas[seed % 3], 0.1, n, seed) for seed in range(starts)] for n in sizes]
    return {"cosine": np.array([cosines(name, size, condition, tilt, steps) for name in formulas]),
            "sizes": np.array(sizes), "asked": np.array([asked[name] for name in LINES], float)}


def draw(cosine, sizes, asked):
    figure, (angle, cost) = plt.subplots(1, 2, figsize=(7, 3.9))
    for (color, marker, label), c in zip(LINES.values(), cosine):
        angle.semilogy(np.arange(1, len(c) + 1), c, color=color, marker=marker, markersize=3, markevery=4,
                       linewidth=1.4)
    fresh = np.flatnonzero((cosine[0][1:] > 0.999) & (cosine[0][:-1] < 0.5)) + 2
    for t in fresh[:1]:
        angle.annotate("a fresh\nstart", (t, 1), (t - 3, 0.25), ha="right", va="center",
                       arrowprops={"arrowstyle": "->"})
    angle.set(xlabel="step", ylabel="cosine of the angle to $-g$", ylim=(cosine.min() / 2, 1.4),
              title="after a bad direction")
    for (color, marker, label), found in zip(LINES.values(), asked):
        middle = np.median(found, axis=1)
        reach = np.abs(np.array([found.min(axis=1), found.max(axis=1)]) - middle)
        cost.errorbar(sizes, middle, reach, color=color, marker=marker, markersize=5, label=label, capsize=2,
                      linewidth=1.4)
    cost.set(xscale="log", yscale="log", xlabel="parameters", ylabel="gradients", title="from starts all over",
             xticks=sizes, xticklabels=[f"{n:g}" for n in sizes])
    cost.minorticks_off()
    ticks = [n for power in range(1, 6) for n in (10**power, 2 * 10**power, 5 * 10**power)
             if asked.min() / 2 < n < 2 * asked.max()]
    cost.set_yticks(ticks, [f"{n:,}" for n in ticks])
    cost.legend(fontsize=9, loc="upper left")
    return figure
