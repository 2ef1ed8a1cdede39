"""Tuned alike, Adam beats all methods without a memory, momentum does seven times of eight; who leads is mostly luck.

Every method of Lectures 2, 3, 4 and 13 has the same budget: a search of 20 trials, each of 200 gradients from the
customary start.  What counts is the value of f that a trial ends at, and of a search the best of them.  A trial draws
every hyperparameter that its method has, from the range in this script that goes by that hyperparameter's name, the
same for all methods; one that diverges counts as infinite.  Of 60 trials any 20 are a search: the dot is the median
over all of these, the bar runs from the first to the third quartile.  Steepest descent has nothing to tune, but its
line search takes several gradients a step; Polyak averaging and Lookahead watch gradient descent, and draw its rate.

The rings are methods that know one gradient at a time: momentum and Adam are ahead of them on both functions.  But most
neighbours' bars overlap, and other trials would change their order: of eight blocks of 60 trials, of which this is the
first, gradient descent is ahead of momentum on Rosenbrock's function in one, the second, but of Adam in none.  And
Rprop, in the middle on the left, is among the first on the right.

Made for this course; on fair budgets, Choi et al. (2019), "On Empirical Comparisons".          Lectures 2, 3, 4 and 13.
"""
import inspect
from functools import partial
from itertools import islice
from math import exp, inf, log

import matplotlib.pyplot as plt
import numpy as np

from figures.making.moving import animation
from figures.making.style import METHODS, contours, method, minimum
from numopt import optimizers
from numopt.optimizer import Diverged
from numopt.problems import Beale, Counted, Rosenbrock
from numopt.searches import best_of_search

FUNCTIONS = {"Rosenbrock": Rosenbrock(), "Beale": Beale()}
FAMILIES = "descent", "momentum", "adaptive", "averaging"
GRADIENT_DESCENT_HERE = {"proximal_descent"}  # where nothing has a kink
WITHOUT_MEMORY = "gradient_descent", "steepest_descent", "normalized_descent", "sign_descent"
GRADIENTS, SEARCH, TRIALS = 200, 20, 60
RACERS = "gradient_descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam"  # in the moving picture


def uniform(low, high):
    return lambda random: random.uniform(low, high)


def logarithmic(low, high):
    """As likely to lie between 0.001 and 0.01 as between 0.1 and 1."""
    return lambda random: exp(random.uniform(log(low), log(high)))


def below_one(low, high):
    """A decay, whose distance from 1 is what matters."""
    return lambda random: 1 - logarithmic(low, high)(random)


def whole(low, high):
    return lambda random: round(logarithmic(low, high)(random))


RANGES = {
    "lr": logarithmic(1e-4, 10), "eps": logarithmic(1e-10, 1), "weight_decay": logarithmic(1e-6, 1),
    "mu": below_one(0.01, 1), "beta1": below_one(0.01, 1), "beta2": below_one(0.001, 1), "rho": below_one(0.001, 1),
    "psi": logarithmic(1e-4, 1), "kappa": logarithmic(1e-3, 1), "phi": logarithmic(1e-3, 1),
    "least": logarithmic(1e-6, 1), "most": logarithmic(1, 100),
    "eta_minus": uniform(0.2, 0.9), "eta_plus": uniform(1.05, 2),
    "k": whole(2, 20), "alpha": uniform(0.1, 1), "window": whole(2, 50),
    "inner": lambda random: partial(optimizers.gradient_descent, lr=RANGES["lr"](random)),
}


def competitors():
    """All methods of the modules that belong to the four lectures."""
    methods = {name: getattr(optimizers, name) for name in optimizers.__all__ if name not in GRADIENT_DESCENT_HERE}
    return {name: method for name, method in methods.items() if method.__module__.split(".")[-1] in FAMILIES}


def drawn(method, seed):
    """The hyperparameters of one trial; the length of Rprop's first step, lr, is one of them."""
    random = np.random.default_rng(seed)
    return {name: RANGES[name](random) for name in inspect.signature(method).parameters if name in RANGES}


def reached(method, f, hyperparameters, budget=GRADIENTS):
    """The value of f at the last iterate that the budget of gradients allows."""
    counted, theta = Counted(f), f.start
    try:
        for after in islice(method(counted, theta, **hyperparameters), budget):
            if counted.gradients <= budget:
                theta = after
            if counted.gradients >= budget:
                break
    except Diverged:
        return inf
    return f.value(theta)


def gradients_and_iterates(method, f, hyperparameters, budget=GRADIENTS):
    """How many gradients it had taken, and where it was, before every step within the budget."""
    counted, taken, places = Counted(f), [0], [f.start]
    for theta in islice(method(counted, f.start, **hyperparameters), budget):
        if counted.gradients > budget:
            break
        taken.append(counted.gradients)
        places.append(theta)
    return np.array(taken), np.array(places)


def compute(gradients=GRADIENTS, search=SEARCH, trials=TRIALS):
    if search > trials:
        raise ValueError(f"a search of {search} trials cannot be drawn from {trials} trials")
    ends = {name: np.array([[reached(method, f, drawn(method, trial), gradients) for trial in range(trials)]
                            for method in competitors().values()])
            for name, f in FUNCTIONS.items()}
    return {"gradients": gradients, "search": search, **ends}


def draw(gradients, search, **ends):
    first, median, third = ({name: np.array([best_of_search(values, share, search) for values in ends[name]])
                             for name in ends} for share in (0.25, 0.5, 0.75))
    names = list(competitors())
    styles = [METHODS[name] for name in names]
    order = np.argsort(-median["Rosenbrock"], kind="stable")
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 1.1 + 0.25 * len(names)), sharey=True)
    for ax, name in zip(axes, ends):
        for row, i in enumerate(order):
            color, *_ = styles[i]
            ax.plot([first[name][i], third[name][i]], [row, row], color=color, linewidth=3.5, alpha=0.45)
            ax.plot(median[name][i], row, "o", color=color, markersize=7, markeredgewidth=1.8,
                    markerfacecolor="white" if names[i] in WITHOUT_MEMORY else color)
        ax.set(xscale="log", title=name)
        ax.grid(axis="y", color="0.92")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(names)), [styles[i][2] for i in order])
    for label, i in zip(axes[0].get_yticklabels(), order):
        label.set_color(styles[i][0])
    axes[1].text(0.02, 0.04, "dot: the median search\nbar: the middle half\nring: without a memory",
                 transform=axes[1].transAxes, fontsize=10, bbox={"color": "white", "pad": 2})
    figure.supxlabel(f"$f$ after {gradients} gradients, in the best of {search} trials", fontsize=11)
    return figure


def animate(gradients, search, **ends):
    """Six of them on Rosenbrock's valley, each in its best trial: where they are after so many gradients."""
    f, all_of_them = FUNCTIONS["Rosenbrock"], competitors()
    figure, axes = plt.subplots(2, 3, figsize=(6.5, 5.2), sharex=True, sharey=True)
    runs, moving = {}, {}
    for ax, name in zip(axes.flat, RACERS):
        best = int(np.argmin(ends["Rosenbrock"][list(all_of_them).index(name)]))
        runs[name] = gradients_and_iterates(all_of_them[name], f, drawn(all_of_them[name], best), gradients)
        contours(ax, f, np.linspace(-1.6, 2.7, 173), np.linspace(-0.6, 3.2, 153), levels=np.geomspace(0.05, 2000, 10))
        minimum(ax, 1, 1)
        look = method(name)
        line, = ax.plot([], [], **method(name, linewidth=1.2))
        dot, = ax.plot([], [], "o", color=look["color"], markersize=6, zorder=4)
        ax.set_title(look["label"], color=look["color"])
        ax.set(xlim=(-1.6, 2.7), ylim=(-0.6, 3.2), aspect="equal", xticks=[-1, 0, 1, 2], yticks=[0, 1, 2, 3])
        moving[name] = line, dot, ax.text(0.98, 0.04, "", transform=ax.transAxes, ha="right", fontsize=10)
    clock = figure.suptitle(f"after {gradients} gradients", fontsize=12)

    def show(frame):
        for name, (taken, places) in runs.items():
            line, dot, value = moving[name]
            seen = places[taken <= 2 * frame]
            line.set_data(*seen.T)
            dot.set_data(*seen[-1:].T)
            value.set_text(f"f = {f.value(seen[-1]):.2g}")
        clock.set_text(f"after {2 * frame} gradients")
        return [clock, *(artist for artists in moving.values() for artist in artists)]

    return animation(figure, show, gradients // 2 + 1)
