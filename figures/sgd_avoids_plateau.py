"""From a plateau where the gradient is zero SGD is led away by its noise, long before gradient descent by rounding.

A net of 16 hidden units on 200 handwritten digits starts where it answers how frequent the classes are, whatever it is
shown: all weights are 0 but the biases.  No answer that ignores the image is better, and the gradient of the whole loss
is 0 there; but not that of a mini-batch of 10, in which the classes are not as frequent as in all.

Above, the loss in the plane of the two directions in which SGD moves most (its path's principal components, seen from
the start), and its path of 400 steps, at the height of its real loss.  They hold 99% of the path.  Gradient descent is
after as many steps where it was (square).  Below, the loss against the step.  Any noise will do: rounding errors of
1e-16 grow by a constant factor a step as well, and lead gradient descent away in the end, here after 500 steps (how
many depends on the machine); and started 0.001 beside it, in every weight by chance, it leaves no later than SGD.  So
the plateau is no trap, but a saddle, and whoever starts at random does not start on it.

Kashyap (2022), Figure 1, after Goodfellow et al. (2015), "Qualitatively characterizing neural network optimization
problems"; our own net, from a start chosen for the purpose, where SGD does not avoid the plateau, but leaves it.
Lecture 2.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, GREY, VERMILION, label_line
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import gradient_descent
from numopt.problems import EmpiricalRisk
from numopt.record import path

EXAMPLES, HIDDEN = 200, 16
STEPS, SHOWN, EVERY = 700, 400, 10
GRID = 25
IN_WORDS = "no", "one", "two", "three", "four", "five"


def problem(batch_size=None, seed=0):
    X, Y, *_ = digits()
    return EmpiricalRisk(mlp([X.shape[1], HIDDEN, 10]), X[:EXAMPLES], Y[:EXAMPLES], batch_size, seed)


def plateau(risk):
    """Weights with which the net answers the logarithms of the frequencies of the classes."""
    theta = np.zeros(risk.size)
    first, second = risk.network.blocks(theta)
    first[:, -1] = 0.5 * np.random.default_rng(0).standard_normal(HIDDEN)
    second[:, -1] = np.log(np.bincount(risk.Y) / risk.n)
    return theta


def plane(walk):
    """The two directions in which a path moves most from its start, with the signs that take its end to be positive."""
    _, _, V = np.linalg.svd(walk - walk[0], full_matrices=False)
    return V[:2] * np.sign(V[:2] @ (walk[-1] - walk[0]))[:, None]


def compute(lr=0.1, batch_size=10, beside=1e-3, seeds=3):
    whole, start = problem(), plateau(problem())
    moved = start + beside * np.random.default_rng(0).standard_normal(start.size)
    paths = {"sgd": [path(gradient_descent(problem(batch_size, seed), start, lr=lr), STEPS) for seed in range(seeds)],
             "descent": [path(gradient_descent(whole, theta, lr=lr), STEPS) for theta in (start, moved)]}
    walk = paths["sgd"][0][:SHOWN + 1]
    directions = plane(walk)
    at = (walk - start) @ directions.T
    axes = [np.linspace(low - 0.15 * (high - low), high + 0.15 * (high - low), GRID)
            for low, high in zip(at.min(axis=0), at.max(axis=0))]
    loss = whole.whole.value
    return {"surface": np.array([[loss(start + [a, b] @ directions) for a in axes[0]] for b in axes[1]]),
            "axes": np.array(axes), "walk": at, "heights": np.array([loss(theta) for theta in walk]),
            "stayed": (paths["descent"][0][SHOWN] - start) @ directions.T,
            **{name: np.array([[loss(theta) for theta in each[::EVERY]] for each in those])
               for name, those in paths.items()}}


def in_words(orders):
    return f"{IN_WORDS[orders] if orders < len(IN_WORDS) else orders} order" + "s" * (orders > 1)


def draw(surface, axes, walk, heights, stayed, sgd, descent):
    figure = plt.figure(figsize=(6, 7.4))
    above, below = figure.subfigures(2, 1, height_ratios=[2, 1])
    ax = above.add_subplot(projection="3d", computed_zorder=False)
    ax.plot_surface(*np.meshgrid(*axes), surface, cmap="cividis", alpha=0.85, linewidth=0, rcount=GRID, ccount=GRID)
    ax.plot(*walk.T, heights, color="white", linewidth=5)
    ax.plot(*walk.T, heights, color=VERMILION, linewidth=2.5)
    ax.plot(*stayed, heights[0], marker="s", markersize=9, color=BLACK)
    ax.text(*walk[250], heights[250] + 0.2, "SGD", color="white", ha="center")
    ax.text(*stayed, heights[0] + 0.2, "gradient descent", ha="center")
    ax.set(xlabel="first component", ylabel="second component", zlabel="loss",
           xticks=[0, 2, 4, 6], yticks=[-1, 0, 1], zticks=[0.5, 1, 1.5, 2])
    ax.set_box_aspect(None, zoom=0.95)
    ax.view_init(elev=32, azim=-60)
    ax = below.add_subplot()
    t = EVERY * np.arange(sgd.shape[1])
    ax.plot(t, sgd.T, color=VERMILION)
    ax.plot(t, descent[0], color=BLACK)
    ax.plot(t, descent[1], color=GREY, linestyle="--")
    ax.set(xlabel="step", ylabel="loss", xlim=(0, STEPS), ylim=(0, None))
    label_line(ax, 185, 1.45, f"SGD, the examples\nin {in_words(len(sgd))}", VERMILION)
    label_line(ax, 290, 2.08, "gradient descent", BLACK)
    label_line(ax, 2, 0.35, "started a\nlittle beside", GREY)
    return figure
