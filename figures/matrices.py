"""Six matrices go by the name of curvature: two of them are the same, and the others only look alike.

A net of 8-6-6-5 units that tells the digits 0 to 4 by the sums over the rows of their images, 131 weights, after 30
steps of Adam; the shades are entries, from below zero (blue) to above (yellow), and the lines separate the layers.  The
Gauss-Newton matrix is the Fisher matrix, to the last digits.  The Hessian has the curvature of the net besides; the
sampled Fisher matrix the luck of one label for each example; the empirical one the labels of the data, which are no
draw from the model.  K-FAC keeps only the blocks of the layers, and makes of each a Kronecker product.  Last, how far
each is from F, ‖M − F‖ / ‖F‖, at the start and after the 30 steps.  K-FAC's blocks, which are compared with those of F,
are near at the start, when the inputs of a layer do not yet tell how wrong the net is, and then no longer.

Made for this course, after Martens and Grosse (2015), Figure 2, and Kunstner et al. (2019).          Lecture 11.
"""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import SymLogNorm
from scipy.linalg import block_diag

from figures.making.moving import animation
from figures.making.style import BLACK, BLUE, GREY
from numopt.data import digits
from numopt.linalg import dense
from numopt.networks import mlp
from numopt.optimizers import adam
from numopt.problems import MiniBatch
from numopt.record import path

NAMES = "Hessian", "Gauss-Newton", "Fisher F", "sampled Fisher", "empirical Fisher", "K-FAC"
NETWORK = mlp([8, 6, 6, 5])
ENDS = np.cumsum([block.size for block in NETWORK.blocks(np.zeros(NETWORK.size))])


def problem():
    """The loss of the net on the digits 0 to 4, and where its training starts."""
    X, Y, *_ = digits(images=True, normalise=False)
    rows = X.sum(axis=(2, 3))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return MiniBatch(NETWORK, rows[Y < 5], Y[Y < 5]), NETWORK.initial(seed=0)


def matrices(loss, theta):
    """One for each name."""
    of_layers = loss.kronecker_factors(theta, labels="exact")
    operators = (loss.hessian(theta), loss.gauss_newton(theta), loss.fisher(theta),
                 loss.fisher(theta, samples=1, seed=0), loss.empirical_fisher(theta))
    kfac = block_diag(*(np.kron(G, A) for A, G in of_layers))
    return [*(dense(operator, theta.size) for operator in operators), kfac]


def compute(lr=0.03, steps=30):
    loss, start = problem()
    end = path(adam(loss, start, lr=lr), steps)[-1]
    return {"lr": lr, "steps": steps,
            "before": np.array(matrices(loss, start)), "after": np.array(matrices(loss, end))}


def blocks(F):
    """F without what is between layers."""
    return block_diag(*(F[a:b, a:b] for a, b in zip([0, *ENDS], ENDS)))


def distances(stack):
    """‖M − F‖ / ‖F‖ for each matrix M; for K-FAC within the blocks of the layers."""
    F = stack[NAMES.index("Fisher F")]
    wholes = [F] * 5 + [blocks(F)]
    return [np.linalg.norm(M - whole) / np.linalg.norm(whole) for M, whole in zip(stack, wholes)]


def draw(lr, steps, before, after):
    figure = plt.figure(figsize=(6, 5.9))
    above, below = figure.subfigures(2, 1, height_ratios=[1.3, 1])
    axes = above.subplots(2, 4)
    error = after[NAMES.index("K-FAC")] - blocks(after[NAMES.index("Fisher F")])
    largest = np.abs(after).max()
    for ax, name, M in zip(axes.flat, [*NAMES, "error of K-FAC"], [*after, error]):
        shown = ax.imshow(M, norm=signed(largest), interpolation="nearest")
        for end in ENDS[:-1]:
            ax.axhline(end - 0.5, color="white", linewidth=0.7)
            ax.axvline(end - 0.5, color="white", linewidth=0.7)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(name, fontsize=10)
    axes[1, 3].set_axis_off()
    bar = above.colorbar(shown, cax=axes[1, 3].inset_axes([0, 0.45, 1, 0.12]), orientation="horizontal",
                         ticks=[-0.1, 0, 0.1], format="{x:g}")
    bar.ax.minorticks_off()
    bar.set_label("entry", fontsize=10)
    ax, y, far = below.subplots(), np.arange(6)[::-1], max(2.1, 1.05 * np.max([distances(before), distances(after)]))
    ax.hlines(y, 0, far, color="0.88", linewidth=1, zorder=0)
    ax.plot(distances(before), y, "o", color=BLACK, markerfacecolor="white", markersize=7, markeredgewidth=1.5)
    ax.plot(distances(after), y, "o", color=BLACK, markersize=7)
    ax.text(distances(before)[0], 4.6, "at the start", ha="center", va="top")
    ax.text(distances(after)[0] + 0.05, 4.6, f"after {steps} steps", ha="center", va="top")
    ax.set(xlabel="distance from F, as a share of F", xlim=(-0.05, far), ylim=(-0.7, 5.7),
           xticks=np.arange(0, far, 0.5))
    ax.set_yticks(y, [*NAMES[:5], "K-FAC, its blocks"])
    return figure


def sampled(lr=0.03, steps=30, draws=256):
    """F after the training, and the means of the first 1, 2, ..., `draws` Fisher matrices with one label drawn each."""
    loss, start = problem()
    theta = path(adam(loss, start, lr=lr), steps)[-1]
    z, _, _ = loss.forward(theta)
    means = np.empty((draws, theta.size, theta.size))
    for seed in range(draws):
        labels = NETWORK.loss.sample(z, np.random.default_rng(seed))
        G = loss.per_example_gradients(theta, NETWORK.loss.gradient(z, labels))
        means[seed] = G.T @ G / loss.n
    return dense(loss.fisher(theta), theta.size), np.cumsum(means, axis=0) / np.arange(1, draws + 1)[:, None, None]


def animate(lr, steps, before, after):
    """More and more labels are drawn for each example: the sampled Fisher matrix becomes the exact one."""
    F, means = sampled(lr, steps)
    error = np.linalg.norm(means - F, axis=(1, 2)) / np.linalg.norm(F)
    draws = np.arange(1, len(means) + 1)
    numbers = np.repeat(np.unique(np.geomspace(1, len(means), 48).round().astype(int)), 2)
    figure = plt.figure(figsize=(6.5, 4.8))
    figure.get_layout_engine().set(h_pad=0.1)
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.05])
    norm, pictures = signed(np.abs(F).max()), {}
    for ax, name in zip(above.subplots(1, 3), ("Fisher F", "sampled", "sampled minus F")):
        pictures[name] = ax.imshow(F, norm=norm, interpolation="nearest")
        ax.set(xticks=[], yticks=[], title=name)
        ax.spines[:].set_visible(False)
    ax = below.subplots()
    ax.loglog(draws, error[0] / np.sqrt(draws), color=GREY, linestyle=":")
    ax.text(18, error[0] / 3, "1 / √number", color=GREY)
    line, = ax.plot([], [], color=BLUE)
    dot, = ax.plot([], [], "o", color=BLUE, markersize=6)
    ax.set(xlabel="labels drawn for each example", ylabel="distance from F,\nas a share of F",
           ylim=(error[0] / 30, error[0] * 1.5), xticks=[1, 10, 100], xticklabels=["1", "10", "100"],
           yticks=[0.01, 0.1], yticklabels=["0.01", "0.1"])

    def show(frame):
        n = numbers[frame]
        pictures["sampled"].set_data(means[n - 1])
        pictures["sampled minus F"].set_data(means[n - 1] - F)
        line.set_data(draws[:n], error[:n])
        dot.set_data(draws[n - 1:n], error[n - 1:n])
        return pictures["sampled"], pictures["sampled minus F"], line, dot

    return animation(figure, show, len(numbers))


def signed(largest):
    """Shades for entries of both signs: zero in the middle, and the logarithm of their size on both sides of it."""
    return SymLogNorm(largest / 1e2, linscale=0.5, vmin=-largest, vmax=largest)
