"""BFGS corrects a matrix that is wrong everywhere, however wide the spectrum; L-BFGS forgets it, and knows too little.

Each method starts on a quadratic with M near to H in place of H⁻¹: stiff directions are thought flat, and flat ones
stiff.  Above, step by step, the eigenvalues of M H, all of which are 1 if M = H⁻¹.  BFGS brings in first those that are
far too large, whose steps are far too long, then the others; from then on it is Newton's method.  L-BFGS has lost the
ten wrong pairs after ten steps, but what it knows is about ten directions of twenty, and of others again later: its
eigenvalues never settle.  Below, gradients until f − f* is 1e-9 of what it was, against the condition number: for BFGS
from its own first matrix, from that wrong one, and from one with all its axes wrong; for L-BFGS from nothing and from
wrong pairs, which is the same.  The lines are medians over the starts.

Made for this course, after Nocedal and Wright (2006), Sections 6.1 and 7.2.          Lecture 8.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, METHODS
from numopt.optimizers import bfgs, lbfgs
from numopt.optimizers.quasi_newton import two_loops
from numopt.problems import Counted, quadratic_with
from numopt.record import record

BFGS, LBFGS = METHODS["bfgs"][0], METHODS["lbfgs"][0]  # their colours
LINES = {"own": (BFGS, "-", "o", "BFGS, its own M"), "reversed": (BFGS, "--", "s", "BFGS, M = H"),
         "turned": (BFGS, ":", "^", "BFGS, wrong axes"), "limited": (LBFGS, "-", "o", "L-BFGS"),
         "wrong_pairs": (LBFGS, ":", "s", "L-BFGS, wrong pairs")}


def quadratic(size, condition, seed):
    """A quadratic with eigenvalues around 1, in axes of no account; a start; and other axes."""
    rng = np.random.default_rng(seed)
    Q, other = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    spectrum = np.geomspace(condition**-0.5, condition**0.5, size)
    return quadratic_with(spectrum, Q), rng.standard_normal(size), (other * spectrum) @ other.T


def wrong_pairs(H, history, seed):
    """Steps, and changes of the gradient as if H⁻¹ were the Hessian."""
    steps = np.random.default_rng([seed, 1]).standard_normal((history, len(H)))
    return tuple(zip(steps, np.linalg.solve(H, steps.T).T))


def beginnings(valley, turned, history, seed):
    """Each method with what it begins with."""
    pairs = wrong_pairs(valley.A, history, seed)
    return {"own": (bfgs, {}), "reversed": (bfgs, {"M": valley.A}), "turned": (bfgs, {"M": turned}),
            "limited": (lbfgs, {"history": history}), "wrong_pairs": (lbfgs, {"history": history, "pairs": pairs})}


def gradients(method, valley, start, memory):
    """How many it takes to have 1e-9 of f left; infinitely many if it does not come so far."""
    counted = Counted(valley)
    seen = record(method(counted, start, **memory), 5000, objective=valley, target=1e-9 * valley.value(start))
    return counted.gradients if seen.reason == "target" else np.inf


def spectrum(run, H):
    """The eigenvalues of M H."""
    matrix = run["M"] if run.name == "bfgs" else None
    if run.name == "lbfgs" and run["pairs"]:
        matrix = np.column_stack([two_loops(run["pairs"], e) for e in np.eye(len(H))])
    return np.sort(np.linalg.eigvals(np.eye(len(H)) @ H if matrix is None else matrix @ H).real)


def spectra(valley, start, method, memory, steps):
    run = method(valley, start, **memory)
    return [spectrum(run, valley.A), *(spectrum(run, valley.A) for _, _ in zip(range(steps), run))]


def compute(size=20, condition=1e3, steps=80, history=10, conditions=(1e1, 1e2, 1e3, 1e4, 1e5), starts=3):
    valley, start, turned = quadratic(size, condition, seed=0)
    begin = beginnings(valley, turned, history, seed=0)
    asked = {name: [] for name in LINES}
    for kappa in conditions:
        found = {name: [] for name in LINES}
        for seed in range(starts):
            bowl, x, other = quadratic(size, kappa, seed)
            for name, (method, memory) in beginnings(bowl, other, history, seed).items():
                found[name].append(gradients(method, bowl, x, memory))
        for name in LINES:
            asked[name].append(found[name])
    return {"bfgs": np.array(spectra(valley, start, *begin["reversed"], steps)),
            "lbfgs": np.array(spectra(valley, start, *begin["wrong_pairs"], steps)),
            "conditions": np.array(conditions), "asked": np.array([asked[name] for name in LINES], float)}


def draw(bfgs, lbfgs, conditions, asked):
    figure, panels = plt.subplot_mosaic([["bfgs", "lbfgs"], ["cost", "cost"]], figsize=(6.6, 6.4))
    for name, values, color, title in (("bfgs", bfgs, BFGS, "BFGS"), ("lbfgs", lbfgs, LBFGS, "L-BFGS")):
        ax = panels[name]
        ax.axhline(1, color=BLACK, linewidth=3, alpha=0.3)
        ax.semilogy(values, color=color, linewidth=0.9)
        ax.set(title=title, xlabel="step", xlim=(0, max(len(bfgs), len(lbfgs)) - 1),
               ylim=(min(bfgs.min(), lbfgs.min()) / 2, 2 * max(bfgs.max(), lbfgs.max())))
    panels["bfgs"].set_ylabel("eigenvalues of $M H$")
    panels["lbfgs"].set_yticklabels([])
    ax = panels["cost"]
    for (color, line, marker, label), found in zip(LINES.values(), np.median(asked, axis=-1)):
        ax.loglog(conditions, found, color=color, linestyle=line, marker=marker, markersize=5, label=label)
    ax.legend(fontsize=9, loc="upper left")
    reach = [n for power in range(1, 6) for n in (10**power, 2 * 10**power, 5 * 10**power)
             if np.nanmin(asked) / 2 < n < 2 * asked.max()]
    ax.set_yticks(reach, [f"{n:,}" for n in reach])
    ax.yaxis.minorticks_off()
    ax.set(xlabel="condition number", ylabel="gradients")
    return figure
