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

TINY = 1e-300


def compute(steps=200, points=120, widest=4.0, marked_al=(0.1, 1.0, 2.0, 3.1), marked_mu=(0.2, 0.8, 0.1, 0.5),
            shown=15):
    """`widest` is the largest α λ, and marked_al and marked_mu those of the runs that are shown by themselves."""
    if len(marked_al) != len(marked_mu) or not 1 <= len(marked_al) <= 6:
        raise ValueError(f"marked_al and marked_mu are of {len(marked_al)} and {len(marked_mu)} runs; as many, 1 to 6")
    # All curvatures at once: a valley whose eigenvalues are those of al, at the rate 1.
    al, mus = np.linspace(0.005, widest, points), np.linspace(0.0, 0.99, points)
    valleys = Quadratic(np.diag(al))
    rate, flips = [], []
    for mu in mus.tolist():
        x = path(momentum(valleys, np.ones_like(al), lr=1.0, mu=mu), steps)
        size = np.hypot(x[1:], x[:-1]) + TINY  # of two iterates, as one alone may be passing through 0
        half = np.arange(steps // 2, steps)
        rate.append(np.exp(np.polyfit(half, np.log(size[half]), 1)[0]))
        flips.append(np.mean((x[1:] * x[:-1] < 0)[:steps // 2], axis=0))
    marks = np.transpose([marked_al, marked_mu])
    examples = [path(momentum(Quadratic([[a]]), [1.0], lr=1.0, mu=mu), shown)[:, 0] for a, mu in marks.tolist()]
    return {"al": al, "mu": mus, "rate": np.array(rate), "flips": np.array(flips), "marks": marks,
            "examples": np.array(examples)}


def kind(al, mu):
    """What a run does there."""
    edges = {"creeps": (1 - mu**0.5)**2, "swings": (1 + mu**0.5)**2, "flips": 2 * (1 + mu)}
    return next((name for name, edge in edges.items() if al < edge), "diverges")


def draw(al, mu, rate, flips, marks, examples):
    letters = "abcdef"[:len(marks)]
    figure, panels = plt.subplot_mosaic([["map"] * len(marks), list(letters)], figsize=(6, 6), height_ratios=[3, 1])
    ax = panels["map"]
    levels = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]
    shades = plt.get_cmap("cividis")(np.linspace(1, 0.3, len(levels) - 1))
    filled = ax.contourf(al, mu, rate, levels=levels, colors=shades)
    figure.colorbar(filled, ax=ax, ticks=levels, label="share of the distance that a step leaves", spacing="uniform")
    root = np.linspace(0, 1, 200)
    ax.plot((1 - root)**2, root**2, color="black")
    ax.plot((1 + root)**2, root**2, color="black")
    ax.plot([2, 4], [0, 1], color=VERMILION, linewidth=3)
    ax.text(1.3, 0.52, "a pair of complex roots:\na step leaves $\\sqrt{\\mu}$", ha="center", va="center", clip_on=True)
    ax.text(3.3, 0.25, "diverges", ha="center", color=VERMILION, clip_on=True)
    for letter, mark in zip(letters, marks):
        ax.annotate(letter, mark, ha="center", va="center", fontsize=9, fontweight="bold",
                    bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"})
    ax.set(xlim=(0, al[-1]), ylim=(0, mu[-1]), ylabel="momentum $\\mu$",
           xlabel="$\\alpha\\,\\lambda$, rate times curvature")
    for letter, mark, x in zip(letters, marks, examples):
        below, name, ticks = panels[letter], kind(*mark), range(0, len(x), max(1, (len(x) - 1) // 3))
        most = np.log10(np.abs(x).max())  # one that diverges leaves its panel, as it would any
        most = 10.0**max(0, np.floor(most) if name == "diverges" else np.ceil(most - np.log10(1.2)))
        below.axhline(0, color="0.75", linewidth=1)
        below.plot(x, color=VERMILION if name == "diverges" else BLUE, marker="o", markersize=2.5, linewidth=1)
        below.set(title=f"{letter}  {name}", ylim=(-1.2 * most, 1.2 * most), xticks=ticks, yticks=[-most, 0, most],
                  xlabel="step")
    panels["a"].set_ylabel("$x$")
    return figure
