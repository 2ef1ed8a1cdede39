"""From gradients alone IVON learns the diagonal of the Hessian: its mean over where it asks, near or far from θ.

Softmax regression of 60 examples with 5 inputs and 3 classes, whole batches; IVON with beta2 = 0.998 begins with
h = 0.1 for each of the 18 weights.  It asks for the gradient beside θ, with noise of the variance 1 / (ess h).  On the
left ess = 10⁴, as by default here, and it is near; on the right ess = 10, and it is far.  Above, what h is at the end,
over the diagonal of the Hessian at θ (rings) and over the mean of that diagonal over such noise (dots).  Below, how far
h is from either, as a share of its length.  (Too near, and noise is all there is to learn: with ess = 10⁷ what g is at
θ, times the noise over its variance, outweighs the curvature, and h stays hundreds of times too large.)

Made for this course, after Shen et al. (2024), Section 3.          Lecture 10.
"""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from figures.making.style import BLUE, VERMILION
from numopt.networks import logistic
from numopt.optimizers import ivon
from numopt.problems import MiniBatch

INPUTS, CLASSES = 5, 3
WIDTHS = [("asked near θ", "near"), ("asked far from θ", "far")]
TRUTHS = [("mean", "mean over the noise", BLUE, "-"), ("diagonal", "at θ", VERMILION, "--")]


def problem(seed, n=60):
    """Examples whose labels are those of a linear map and much noise, so that no weights fit them all."""
    rng, network = np.random.default_rng(seed), logistic(INPUTS, CLASSES)
    X, W = rng.standard_normal((n, INPUTS)) * np.geomspace(0.5, 2, INPUTS), rng.standard_normal((INPUTS, CLASSES))
    scores = 3 * X @ W / np.linalg.norm(W) + 2 * rng.gumbel(size=(n, CLASSES))
    return MiniBatch(network, X, scores.argmax(axis=1)), network.initial(seed=seed)


def diagonal(loss, thetas):
    """The diagonal of the Hessian, p (1 − p) x² on average, and that on average over rows of weights."""
    X = np.column_stack([loss.X, np.ones(len(loss.X))])
    scores = np.einsum("nj,skj->snk", X, thetas.reshape(len(thetas), CLASSES, -1))
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return np.einsum("snk,nj->kj", p * (1 - p), X**2).ravel() / (len(thetas) * len(X))


def compute(near=1e4, far=10.0, beta2=0.998, h0=0.1, lr=0.02, steps=3000, every=100, draws=200, seed=0):
    """Of each ess the rows of h, and of both diagonals, at every so many steps."""
    found = {"steps": np.arange(every, steps + 1, every)}
    for (_, name), ess in zip(WIDTHS, (near, far)):
        loss, theta = problem(seed)
        run = ivon(loss, theta, ess=ess, beta2=beta2, h0=h0, lr=lr, seed=seed)
        rng, rows = np.random.default_rng(seed), []
        for t, theta in zip(range(1, steps + 1), run):
            if t % every == 0:
                noise = rng.standard_normal((draws, theta.size)) / np.sqrt(ess * (run["h"] + 1e-4))
                rows.append((run["h"], diagonal(loss, theta[None]), diagonal(loss, theta + noise)))
        found |= {f"{name}: {key}": np.array(row) for key, row in zip(("h", "diagonal", "mean"), zip(*rows))}
    return found


def off(h, truth):
    """How far the rows of h are from those of the truth, as a share of their lengths."""
    return np.linalg.norm(h - truth, axis=1) / np.linalg.norm(truth, axis=1)


def draw(steps, **found):
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.8), sharey="row")
    for (scatter, curves), (title, name) in zip(axes.T, WIDTHS):
        h = found[f"{name}: h"]
        for key, label, color, line in TRUTHS:
            truth = found[f"{name}: {key}"]
            scatter.plot(truth[-1], h[-1], "o", color=color, label=label, markersize=6,
                         markerfacecolor=color if key == "mean" else "none")
            curves.plot(steps, off(h, truth), line, color=color, label=label)
        limits = [0.7 * min(found[f"{name}: {key}"][-1].min() for key in ("h", "diagonal", "mean")),
                  1.4 * max(found[f"{name}: {key}"][-1].max() for key in ("h", "diagonal", "mean"))]
        scatter.plot(limits, limits, color="0.7", linewidth=1, zorder=0)
        scatter.set(xscale="log", yscale="log", title=title, xlabel="diagonal of the Hessian")
        curves.set(xlabel="step", xlim=(0, steps[-1]), yscale="log")
        curves.xaxis.set_major_locator(MaxNLocator(3))
        curves.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        curves.yaxis.set_major_formatter("{x:g}")
        curves.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set(ylabel="$h$")
    axes[1, 0].set(ylabel="share that is off")
    axes[0, 0].legend(loc="upper left")
    axes[1, 1].legend()
    return figure
