"""Each block and each axis that is given up leads further from the Fisher matrix: chain, layers, EKFAC, K-FAC.

A net of 6-5-5-5-3 units, trained by Adam on 100 examples; lines are means over the seeds, and bands hold the
middle half of them.  The chain is F in the blocks of a layer with itself and with its neighbours, and infers the rest;
layers are F in the blocks of each layer alone, and 0 beside them; EKFAC and K-FAC have two factors for each of these
blocks; the diagonal, of lecture 10, is for comparison.  Above, the root of the sum of squares of what they have wrong,
as a share of that of F.  Below, how far the normal distribution with this covariance is from that with F (KL), where
each of the matrices has 0.01 on its diagonal besides.  There the order of the four is a law.

Made for this course, after Martens and Grosse (2015), Section 4, and George et al. (2018), Section 3.1.
Lecture 11.
"""
import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import block_diag

from figures.making.style import GREY, METHODS, VERMILION, band, end_labels
from numopt.linalg.operators import dense
from numopt.networks import mlp
from numopt.optimizers import adam, ekfac
from numopt.optimizers.natural import solved_in_a_chain
from numopt.problems import MiniBatch
from numopt.record import path

LOOKS = {"chain": (*METHODS["block_tridiagonal"][:2], "chain"), "layers": (VERMILION, "-", "layers"),
         "ekfac": METHODS["ekfac"], "kfac": METHODS["kfac"], "diagonal": (GREY, "-", "diagonal")}


def problem(sizes, seed, n=100):
    """Examples whose labels are those of a linear map, and a net's weights before its training."""
    rng, network = np.random.default_rng(seed), mlp(sizes)
    X = rng.standard_normal((n, sizes[0]))
    labels = np.argmax(X @ rng.standard_normal((sizes[0], sizes[-1])), axis=1)
    return MiniBatch(network, X, labels), network.initial(seed=seed)


def matrices(batch, theta, damping):
    """The Fisher matrix, and those that stand for it, all with so much on the diagonal."""
    more, layers = damping * np.eye(theta.size), batch.blocks(theta)
    F = dense(batch.fisher(theta), theta.size) + more
    run = ekfac(batch, theta, labels="exact")
    next(run)
    U = block_diag(*map(np.kron, run["U_G"], run["U_A"]))
    inverse = np.column_stack([solved_in_a_chain(F, e, layers) for e in np.eye(theta.size)])
    return F, {"chain": np.linalg.inv(inverse), "layers": F * block_diag(*(np.ones((W.size, W.size)) for W in layers)),
               "ekfac": U @ np.diag(run["s"]) @ U.T + more,
               "kfac": block_diag(*map(np.kron, run["G"], run["A"])) + more, "diagonal": np.diag(np.diag(F))}


def divergence(F, M):
    """KL(N(0, F) ‖ N(0, M))."""
    return (np.trace(np.linalg.solve(M, F)) - len(F) + np.linalg.slogdet(M)[1] - np.linalg.slogdet(F)[1]) / 2


def compute(sizes=(6, 5, 5, 5, 3), seeds=tuple(range(8)), steps=200, every=50, damping=1e-2):
    found = {f"{name}: {measure}": [] for name in LOOKS for measure in ("squares", "KL")}
    for seed in seeds:
        batch, theta = problem(sizes, seed)
        for weights in path(adam(batch, theta, lr=0.01), steps)[::every]:
            F, stand_ins = matrices(batch, weights, damping)
            size = np.linalg.norm(F - damping * np.eye(len(F)))
            for name, M in stand_ins.items():
                found[f"{name}: squares"].append(np.linalg.norm(F - M) / size)
                found[f"{name}: KL"].append(divergence(F, M))
    return {"steps": np.arange(0, steps + 1, every),
            **{name: np.reshape(rows, (len(seeds), -1)) for name, rows in found.items()}}


def draw(steps, **found):
    figure, axes = plt.subplots(2, 1, figsize=(6, 5.8), sharex=True)
    axes[0].set(ylim=(0, 1), ylabel="$\\|F-M\\|\\,/\\,\\|F\\|$", xlim=(steps[0], steps[-1]))
    axes[1].set(yscale="log", ylabel="KL", xlabel="step", yticks=[1, 3, 10, 30])
    axes[1].yaxis.set_major_formatter("{x:g}")
    axes[1].minorticks_off()
    for ax, measure in zip(axes, ("squares", "KL")):
        ends = []
        for name, (color, line, label) in LOOKS.items():
            rows = found[f"{name}: {measure}"]
            band(ax, steps, rows, color, line, reach=(25, 75))
            ends.append((label, rows[:, -1].mean(), color))
        end_labels(ax, ends)
    return figure
