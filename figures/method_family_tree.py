"""The methods of the course descend from three, and about half of them turn back into another one at some setting.

In the panel of each method is the path that it takes in the valley of one neuron, ½ the mean of (tanh(w x + b) − y)²,
to the cross; all from the same start, and for the price of 40 gradients, where a product with a curvature matrix
costs two and a value a third.  A method that needs a rate has the best of eleven from 0.001 to 100; all else is as it
is by default.  On the right is what is left of f then.  It is one valley and no race: Newton's method starts where the
curvature is negative, and climbs; GCR takes the gradient for linear; the learned rates have no time to be learned.

Beside each method stands what it changes in the one that its line comes from; the number in the circle is its lecture.
A double line says that with the setting beside its name the method is its parent again, step by step; where a colon
and a name follow, it is that other method.  Nothing of this is drawn on trust: both are run, on the mini-batches of a
net wherever they can be, and the mark is there if they go the same way to 8 digits.  ("J constant" is a linear problem,
"one linear layer" has a squared error; Levenberg-Marquardt takes full Gauss-Newton steps as long as they lower f.)

With a large lr, Zheng's three clipped natural gradients are his three normalized ones; with a large epsilon instead
they are the natural gradient.  L-BFGS that remembers one pair (s, y) and searches exactly is nonlinear conjugate
gradients, in the form of Hestenes and Stiefel.  Sophia is Lion with its two betas alike; FishLeg, without weight
decay, is momentum at the rate (1 − beta) lr.  Every pair is written out in `same`.  A method with two ancestors stands
with the one whose loop is nearer.

Made for this course, from the docstrings of numopt.optimizers.          Lecture 14.
"""
from functools import partial
from importlib import import_module
from math import sqrt
from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np

from figures.making.one_valley import MINIMUM, Neuron, best_walks
from figures.making.one_valley import START as BEGINNING
from figures.making.style import BLACK, BLUE, GREEN, GREY, METHODS, ORANGE, PURPLE, SKY, VERMILION, minimum
from numopt import optimizers
from numopt.line_search import exact, full_step
from numopt.networks import linear, mlp
from numopt.optimizers import (
    adam, adamw, anderson, clipped_natural_gradient, delta_bar_delta, eigenbasis_clipped, eigenbasis_normalized,
    fishleg, full_matrix_adagrad, gauss_newton, gcr, gradient_descent, gradient_norm_clipped, gradient_norm_normalized,
    gradient_rate, kfac, lbfgs, levenberg_marquardt, lion, lookahead, momentum, natural_gradient, nesterov, newton,
    newton_rate, nltgcr, nltgcr_adaptive, nltgcr_fisher, nonlinear_cg, normalized_natural_gradient, polyak,
    proximal_descent, rmsprop, shampoo, sign_descent, sophia, steepest_descent)
from numopt.problems import EmpiricalRisk, LeastSquares, Quadratic, Rosenbrock, grid
from numopt.record import path

# The method, the one it comes from, and what it changes; parents before children, children in the order of the picture.
TREE = [
    ("gradient_descent", None, "a step against the gradient"),
    ("proximal_descent", "gradient_descent", "then a pull to where f has its kink"),
    ("steepest_descent", "gradient_descent", "the best rate at every step"),
    ("nonlinear_cg", "steepest_descent", "directions that are conjugate"),
    ("normalized_descent", "gradient_descent", "the same length at every step"),
    ("sign_descent", "normalized_descent", "the same length in every coordinate"),
    ("rprop", "sign_descent", "longer, or halved when the sign turns"),
    ("lion", "sign_descent", "the sign of a momentum"),
    ("gradient_rate", "gradient_descent", "gradient descent on the rate as well"),
    ("newton_rate", "gradient_rate", "Newton steps for the rate, made safe"),
    ("newton_rate_printed", "newton_rate", "to the letter of the paper"),
    ("vsgd", "gradient_descent", "the best expected rate, by coordinate"),
    ("delta_bar_delta", "gradient_descent", "a gain by coordinate, as signs agree"),
    ("momentum", "gradient_descent", "and a share of the last step"),
    ("nesterov", "momentum", "the gradient where that leads"),
    ("adagrad", "gradient_descent", "divided by the root of the sum of squares"),
    ("rmsprop", "adagrad", "an average that forgets, not a sum"),
    ("adadelta", "rmsprop", "the length of past steps as the rate"),
    ("adam", "rmsprop", "the gradient averaged, too"),
    ("amsgrad", "adam", "by the largest average so far"),
    ("nadam", "adam", "Nesterov's look ahead"),
    ("adamw", "adam", "weight decay beside the step"),
    ("adahessian", "adam", "squares of diag H, not of g"),
    ("sophia", "adahessian", "diag H itself; steps clipped"),
    ("full_matrix_adagrad", "adagrad", "all products g gᵀ, not squares alone"),
    ("shampoo", "full_matrix_adagrad", "as a Kronecker product"),
    ("soap", "shampoo", "Adam along its eigenvectors"),
    ("muon", "shampoo", "of the momentum alone, no sum"),
    ("anderson", "gradient_descent", "from a mixture with the least residual"),
    ("polyak", "gradient_descent", "of this or any method: the mean iterate"),
    ("lookahead", "gradient_descent", "of this or any: part of the way it went"),
    ("newton", None, "to where the quadratic model is least"),
    ("damped_newton", "newton", "|λ| + damping for λ; a line search"),
    ("trust_region", "damped_newton", "a radius instead of damping"),
    ("newton_cg", "newton", "by conjugate gradients, not too exactly"),
    ("hessian_free", "newton_cg", "more damping, the worse the model"),
    ("gauss_newton", "newton", "JᵀJ for H, where f is a sum of squares"),
    ("levenberg_marquardt", "gauss_newton", "more damping, the worse the model"),
    ("sr1", "newton", "H from the steps: B s = y"),
    ("bfgs", "newton", "H⁻¹ from the steps, positive definite"),
    ("lbfgs", "bfgs", "made of the last few pairs"),
    ("natural_gradient", "newton", "the Fisher matrix for H"),
    ("normalized_natural_gradient", "natural_gradient", "of the length ε, measured by F"),
    ("clipped_natural_gradient", "normalized_natural_gradient", "cut only where it is longer"),
    ("gradient_norm_normalized", "natural_gradient", "ε |ĝ| along every eigenvector"),
    ("gradient_norm_clipped", "gradient_norm_normalized", "cut only where it is longer"),
    ("eigenbasis_normalized", "natural_gradient", "ε along every eigenvector"),
    ("eigenbasis_clipped", "eigenbasis_normalized", "cut only where it is longer"),
    ("kfac", "natural_gradient", "G ⊗ A for F, layer by layer; momentum"),
    ("kfac_martens", "kfac", "finds rate and damping by itself"),
    ("fishleg", "natural_gradient", "the inverse of F is learned"),
    ("gcr", None, "directions that leave the least residual"),
    ("nltgcr", "gcr", "J is taken anew at every point"),
    ("nltgcr_adaptive", "nltgcr", "the residual as foretold, while right"),
    ("nltgcr_fisher", "nltgcr", "the Fisher matrix for J; a start by CG"),
]

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 5))
SCORES = X @ RANDOM.standard_normal((5, 3))
NET = EmpiricalRisk(mlp([5, 4, 3]), X, SCORES.argmax(axis=1), batch_size=20, seed=3)
WHOLE = EmpiricalRisk(NET.network, X, NET.Y)
START = NET.network.initial(seed=2)
LINEAR = EmpiricalRisk(linear(5, 3), X, np.tanh(SCORES), batch_size=20, seed=3)
BOWL = Quadratic(np.diag([1.0, 2, 5, 10]), b=np.ones(4))
ROSENBROCK = Rosenbrock()
TIMES = np.linspace(0, 2, 8)
DECAY = LeastSquares(lambda w: w[0] * np.exp(-w[1] * TIMES) - 2 * np.exp(-1.5 * TIMES) - 0.1 * np.cos(9 * TIMES))
LINE = LeastSquares(lambda w: w[0] + w[1] * TIMES - TIMES**2, lambda w: np.column_stack([TIMES**0, TIMES]),
                    lambda w: np.zeros((8, 2, 2)))
LARGE, STEPS = 1e100, 10


def same():
    """{(method, setting, the method that it is then): two runs}; the setting is what is written beside the name."""
    on_net = {"problem": NET, "theta": START}
    on_whole = {"problem": WHOLE, "theta": START, "curvature": "fisher", "damping": 0.1}
    on_bowl = {"problem": BOWL, "theta": np.array([3.0, -2, 1, 2])}
    dense, descent = partial(natural_gradient, **on_net, solver="dense"), partial(gradient_descent, **on_net, lr=0.1)
    return {
        ("proximal_descent", "no kink", "gradient_descent"): (proximal_descent(**on_net, lr=0.1), descent()),
        ("nonlinear_cg", "overlap = 0, exact", "steepest_descent"):
            (nonlinear_cg(**on_bowl, overlap=0, search=exact), steepest_descent(**on_bowl)),
        ("lion", "beta1 = 0", "sign_descent"): (lion(**on_net, beta1=0, lr=0.01), sign_descent(**on_net, lr=0.01)),
        ("gradient_rate", "alpha = 0", "gradient_descent"): (gradient_rate(**on_net, alpha=0, lr=0.1), descent()),
        ("newton_rate", "most = 1", "gradient_descent"): (newton_rate(**on_net, most=1, lr=0.1), descent()),
        ("delta_bar_delta", "kappa = phi = 0", "gradient_descent"):
            (delta_bar_delta(**on_net, kappa=0, phi=0, lr=0.1), descent()),
        ("momentum", "mu = 0", "gradient_descent"): (momentum(**on_net, mu=0, lr=0.1), descent()),
        ("nesterov", "mu = 0", "gradient_descent"): (nesterov(**on_net, mu=0, lr=0.1), descent()),
        ("adam", "beta1 = eps = 0, lr / √(1 − rhoᵗ)", "rmsprop"):
            (adam(**on_net, beta1=0, beta2=0.9, eps=0, lr=lambda t: 0.01 / sqrt(1 - 0.9**t)),
             rmsprop(**on_net, rho=0.9, eps=0, lr=0.01)),
        ("adamw", "weight_decay = 0", "adam"): (adamw(**on_net, weight_decay=0), adam(**on_net)),
        ("sophia", "gamma = 0", "lion"):
            (sophia(**on_net, gamma=0, beta1=0.9, lr=0.01),
             lion(**on_net, beta1=0.9, beta2=0.9, lr=0.01, weight_decay=0.1)),
        ("shampoo", "of vectors", "full_matrix_adagrad"):
            (shampoo(**on_bowl, lr=0.1, eps=1e-4), full_matrix_adagrad(**on_bowl, lr=0.1, eps=1e-4)),
        ("anderson", "window = 0", "gradient_descent"): (anderson(**on_net, window=0, lr=0.1), descent()),
        ("polyak", "window = 1", "gradient_descent"):
            (polyak(**on_net, window=1, inner=partial(gradient_descent, lr=0.1)), descent()),
        ("lookahead", "k = alpha = 1", "gradient_descent"):
            (lookahead(**on_net, k=1, alpha=1, inner=partial(gradient_descent, lr=0.1)), descent()),
        ("gauss_newton", "J constant", "newton"):
            (gauss_newton(LINE, np.zeros(2), search=full_step), newton(LINE, np.zeros(2))),
        ("levenberg_marquardt", "tau = 0", "gauss_newton"):
            (levenberg_marquardt(DECAY, np.ones(2), tau=0), gauss_newton(DECAY, np.ones(2), search=full_step)),
        ("lbfgs", "history = 1, exact", "nonlinear_cg"):
            (lbfgs(**on_bowl, history=1, search=exact),
             nonlinear_cg(**on_bowl, formula="hestenes_stiefel", overlap=LARGE, search=exact)),
        ("natural_gradient", "H for F, damping = 0", "newton"):
            (natural_gradient(ROSENBROCK, ROSENBROCK.start, curvature="hessian", damping=0, solver="dense"),
             newton(ROSENBROCK, ROSENBROCK.start)),
        ("clipped_natural_gradient", "lr large", "normalized_natural_gradient"):
            (clipped_natural_gradient(**on_net, epsilon=0.1, lr=LARGE), normalized_natural_gradient(**on_net, lr=0.1)),
        ("clipped_natural_gradient", "epsilon large", "natural_gradient"):
            (clipped_natural_gradient(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("gradient_norm_clipped", "lr large", "gradient_norm_normalized"):
            (gradient_norm_clipped(**on_net, epsilon=0.1, lr=LARGE), gradient_norm_normalized(**on_net, lr=0.1)),
        ("gradient_norm_clipped", "epsilon large", "natural_gradient"):
            (gradient_norm_clipped(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("eigenbasis_clipped", "lr large", "eigenbasis_normalized"):
            (eigenbasis_clipped(**on_net, epsilon=0.01, lr=LARGE), eigenbasis_normalized(**on_net, lr=0.01)),
        ("eigenbasis_clipped", "epsilon large", "natural_gradient"):
            (eigenbasis_clipped(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("kfac", "one linear layer", "natural_gradient"):
            (kfac(LINEAR, np.zeros(18), lr=0.5, mu=0, damping=0, kappa=LARGE, beta=0, every=1, labels="exact"),
             natural_gradient(LINEAR, np.zeros(18), lr=0.5, damping=0, solver="dense")),
        ("fishleg", "aux_lr = 0", "momentum"):
            (fishleg(**on_net, aux_lr=0, weight_decay=0, beta=0.9, lr=1.0), momentum(**on_net, mu=0.9, lr=0.1)),
        ("nltgcr", "J constant", "gcr"): (nltgcr(**on_bowl, window=2), gcr(**on_bowl, window=2)),
        ("nltgcr_adaptive", "cosine = 1", "nltgcr"): (nltgcr_adaptive(**on_whole, cosine=1), nltgcr(**on_whole)),
        ("nltgcr_fisher", "start = 0", "nltgcr"):
            (nltgcr_fisher(**on_net, start=0, lr=0.1, damping=0.1),
             nltgcr(**on_net, curvature="fisher", safeguard=LARGE, lr=0.1, damping=0.1)),
    }


def compute(budget=40):
    """For each pair how far apart its two runs come, as a share of the way they go; and the walk of every method."""
    apart, steps = [], []
    for runs in same().values():
        one, other = (path(run, STEPS) for run in runs)
        steps.append(min(len(one), len(other)) - 1)  # a run of conjugate directions ends when it has arrived
        apart.append(np.abs(one[:steps[-1] + 1] - other[:steps[-1] + 1]).max() / np.abs(other - other[0]).max())
    paths = []
    for name, *_ in lines():
        walks, best = best_walks(name, budget)
        paths.append(walks[best])
    lengths = np.array([len(walk) for walk in paths])
    valley = Neuron()
    return {"apart": np.array(apart), "steps": np.array(steps), "points": np.concatenate(paths), "lengths": lengths,
            "left": np.array([valley.value(walk[-1]) for walk in paths]) / valley.value(BEGINNING),
            "w": (w := np.linspace(-0.45, 2.05, 45)), "b": (b := np.linspace(-2.2, 1.35, 45)),
            "height": grid(valley, w, b)}


def lines():
    """The TREE; a method that nobody has put there follows the first of its module, with how its docstring begins."""
    found = list(TREE)
    for name in [name for name in optimizers.__all__ if name not in {known for known, *_ in TREE}]:
        parent = next((known for known, *_ in TREE if module(known) == module(name)), TREE[0][0])
        family = {parent}
        for known, over, _ in found:
            if over in family:
                family.add(known)
        last = max(i for i, (known, *_) in enumerate(found) if known in family)
        words = (getattr(optimizers, name).__doc__ or "").strip().split("\n")[0]
        found.insert(last + 1, (name, parent, shorten(words, 42, placeholder=" …")))
    return found


def module(name):
    return getattr(optimizers, name).__module__


def depths():
    """How many ancestors every method has."""
    parents, depth = {name: parent for name, parent, _ in lines()}, {}
    for name, parent in parents.items():
        depth[name] = 0 if parent is None else depth[parent] + 1
    return depth


LECTURES = {2: ("descent", BLACK), 3: ("momentum", BLUE), 4: ("adaptive", VERMILION), 5: ("learning rates", GREEN),
            6: ("Newton", PURPLE), 7: ("conjugate", BLUE), 8: ("quasi-Newton", ORANGE), 9: ("natural", SKY),
            10: ("diagonal", GREEN), 11: ("Kronecker", GREY), 12: ("residual", VERMILION), 13: ("averaging", BLACK)}
WIDTH, ROW, INDENT, PANEL = 432, 29, 15, 42  # lengths in points, as all are here


def lecture(name):
    """What the first line of the method's module ends with."""
    return int(import_module(module(name)).__doc__.split("\n")[0].rstrip(" .").split("Lecture ")[1])


def disc(ax, x, y, number):
    """The number of a lecture in its colour."""
    color = LECTURES.get(number, ("", BLACK))[1]
    ax.plot(x, y, "o", color=color, markersize=14, markeredgewidth=0, zorder=2)
    ax.text(x, y - 0.3, number, fontsize=8.5, color="black" if color in (SKY, ORANGE, PURPLE) else "white",
            weight="bold", ha="center", va="center_baseline")


def line(ax, x, end, y, double):
    """From the left to a method: one line, or two."""
    for shift in (-1.6, 1.6) if double else [0]:
        ax.plot([x, end], [y + shift, y + shift], color="black" if double else "0.6", linewidth=1,
                solid_capstyle="butt", zorder=1)


def panel(ax, x, y, walk, w, b, height):
    """The walk of a method, in its valley."""
    inset = ax.inset_axes([x, y - 0.46 * ROW, PANEL, 0.92 * ROW], transform=ax.transData)
    inset.contour(w, b, height, levels=height.max() * np.geomspace(1e-3, 0.6, 6), colors="0.75", linewidths=0.5)
    minimum(inset, *MINIMUM, markersize=6, markeredgewidth=1.4)
    inset.plot(*walk.T, ".-", color=BLACK, linewidth=0.9, markersize=1.8, zorder=4)
    inset.set(xlim=w[[0, -1]], ylim=b[[0, -1]], xticks=[], yticks=[])
    inset.spines[:].set(visible=True, color="0.75", linewidth=0.6)


def draw(apart, steps, points, lengths, left, w, b, height):
    walks = np.split(points, np.cumsum(lengths)[:-1])
    below = ROW * (len(walks) + 3.2)
    figure = plt.figure(figsize=(WIDTH / 72, (below + 20) / 72), layout="none")
    ax = figure.add_axes([0, 0, 1, 1])
    ax.set(xlim=(-9, WIDTH - 9), ylim=(-below, 20))
    ax.set_axis_off()
    settings, depth, at = {}, depths(), {}
    for (name, setting, other), distance in zip(same(), apart):
        if distance < 1e-8:
            settings.setdefault(name, (setting, other))
    for i, ((name, parent, change), walk, share) in enumerate(zip(lines(), walks, left, strict=True)):
        x, y = at[name] = INDENT * depth[name], -ROW * i
        setting, other = settings.get(name, ("", None))
        if parent is not None:
            from_x, above = at[parent]
            ax.plot([from_x, from_x], [above, y], color="0.6", linewidth=1, zorder=0)
            line(ax, from_x, x, y, double=other == parent)
        disc(ax, x, y, lecture(name))
        panel(ax, x + 10, y, walk, w, b, height)
        title = ax.text(x + PANEL + 15, y + 6.2, METHODS[name][2], fontsize=10.5, weight="bold", va="center_baseline")
        ax.annotate(setting if other in (None, parent) else f"{setting}: {METHODS[other][2]}", (1, 0), xycoords=title,
                    xytext=(4, 0), textcoords="offset points", fontsize=9, va="bottom", color=BLUE)
        ax.text(x + PANEL + 15, y - 6.2, change, fontsize=9.5, color="0.25", va="center_baseline")
        ax.text(WIDTH - 14, y - 6.2, f"{share:.0e}" if share > 1e-16 else "0", fontsize=9.5, ha="right",
                va="center_baseline")
    ax.text(WIDTH - 14, 7, "left of f", fontsize=9.5, ha="right", va="center_baseline")
    legend(ax, -ROW * len(walks))
    return figure


def legend(ax, y):
    line(ax, -4, 10, y, double=True)
    ax.text(15, y, "one and the same, at the setting in blue; the number is the lecture:", fontsize=9.5,
            va="center_baseline")
    for i, (number, (name, _)) in enumerate(LECTURES.items()):
        right, down = 2 + 108 * (i % 4), y - 19 * (i // 4 + 1)
        disc(ax, right, down, number)
        ax.text(right + 10, down, name, fontsize=9.5, va="center_baseline")
