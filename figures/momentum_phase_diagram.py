"""With momentum the rate may be as large as 2 (1 + μ) / λ, and in a wide band a step leaves √μ, whatever λ is.

Along an eigenvector of curvature λ the heavy ball is x ← (1 + μ − α λ) x − μ x_last, whose roots are those of
z² − (1 + μ − α λ) z + μ; in the long run a step leaves the larger |z| of the distance.  The colours are measured, in
a run at each of 14,400 pairs of α λ and μ; the curves are closed forms.  Up to α λ = (1 − √μ)² (left curve) the roots
are positive and x creeps to 0 from one side; on the curve itself it is fastest.  Up to (1 + √μ)² (right curve) they
are a pair of complex numbers of size √μ, and x swings; beyond, they are negative and it changes sign at every step;
and from 2 (1 + μ) on (straight line) it diverges.  Below, a run at each of the marks.

Made for this course, after Polyak (1964) and Goh (2017), "Why momentum really works".          Lecture 3.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLUE, VERMILION
from numopt.optimizers import momentum
from numopt.problems import Quadratic
from numopt.record import path

AL = np.linspace(0.005, 4.0, 120)  # α λ
MU = np.linspace(0.0, 0.99, 120)
MARKS = {"creeps": (0.1, 0.2), "swings": (1.0, 0.8), "flips": (2.0, 0.1), "diverges": (3.1, 0.5)}  # α λ, mu
TINY = 1e-300


def compute(steps=200):
    # All curvatures at once: a valley whose eigenvalues are those of AL, at the rate 1.
    valleys = Quadratic(np.diag(AL))
    rate, flips = [], []
    for mu in MU.tolist():
        x = path(momentum(valleys, np.ones_like(AL), lr=1.0, mu=mu), steps)
        size = np.hypot(x[1:], x[:-1]) + TINY  # of two iterates, as one alone may be passing through 0
        half = np.arange(steps // 2, steps)
        rate.append(np.exp(np.polyfit(half, np.log(size[half]), 1)[0]))
        flips.append(np.mean((x[1:] * x[:-1] < 0)[:steps // 2], axis=0))
    examples = [path(momentum(Quadratic([[al]]), [1.0], lr=1.0, mu=mu), 15)[:, 0] for al, mu in MARKS.values()]
    return {"rate": np.array(rate), "flips": np.array(flips), "examples": np.array(examples)}


def draw(rate, flips, examples):
    figure, panels = plt.subplot_mosaic([["map"] * 4, list(MARKS)], figsize=(6, 6), height_ratios=[3, 1])
    ax = panels["map"]
    levels = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]
    shades = plt.get_cmap("cividis")(np.linspace(1, 0.3, len(levels) - 1))
    filled = ax.contourf(AL, MU, rate, levels=levels, colors=shades)
    figure.colorbar(filled, ax=ax, ticks=levels, label="share of the distance that a step leaves", spacing="uniform")
    root = np.linspace(0, 1, 200)
    ax.plot((1 - root)**2, root**2, color="black")
    ax.plot((1 + root)**2, root**2, color="black")
    ax.plot([2, 4], [0, 1], color=VERMILION, linewidth=3)
    ax.text(1.3, 0.52, "a pair of complex roots:\na step leaves $\\sqrt{\\mu}$", ha="center", va="center")
    ax.text(3.3, 0.25, "diverges", ha="center", color=VERMILION)
    for letter, (al, mu) in zip("abcd", MARKS.values()):
        ax.annotate(letter, (al, mu), ha="center", va="center", fontsize=9, fontweight="bold",
                    bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"})
    ax.set(xlim=(0, 4), ylim=(0, 0.99), xlabel="$\\alpha\\,\\lambda$, rate times curvature", ylabel="momentum $\\mu$")
    for letter, name, x in zip("abcd", MARKS, examples):
        below = panels[name]
        below.axhline(0, color="0.75", linewidth=1)
        below.plot(x, color=VERMILION if name == "diverges" else BLUE, marker="o", markersize=2.5, linewidth=1)
        below.set(title=f"{letter}  {name}", ylim=(-1.2, 1.2), xticks=[0, 5, 10, 15], yticks=[-1, 0, 1], xlabel="step")
    panels["creeps"].set_ylabel("$x$")
    panels["diverges"].set(ylim=(-12, 12), yticks=[-10, 0, 10])
    return figure
