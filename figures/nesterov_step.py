"""Nesterov's momentum jumps first and corrects by the gradient where it lands; momentum asks before it jumps.

Both stand at θ with the same velocity v, gathered in two steps of momentum down the same valley, and jump by μ v to the
other slope.  Momentum adds a step of gradient descent from where it stood, and overshoots all the further.  Nesterov's
adds one from where it has landed, at a right angle to the level line there (dark), and that one points back.

Kashyap (2022), Figure 3, after Hinton (2012), lecture 6c; equations of Sutskever et al. (2013).          Lecture 3.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, VERMILION, arrow, contours, minimum
from numopt.optimizers import momentum, nesterov
from numopt.problems import Quadratic
from numopt.record import path


def compute(lr=0.25, mu=0.9, before=2, curvatures=(0.5, 1.24), start=(-3.0, 4.5)):
    valley = Quadratic(np.diag(curvatures))
    run = momentum(valley, start, lr=lr, mu=mu)
    path(run, before)
    here = {"lr": lr, "mu": mu, **run.memory}
    heavy, ahead = momentum(valley, run.theta, **here), nesterov(valley, run.theta, **here)
    return {"curvatures": np.array(curvatures), "theta": run.theta, "jump": mu * run["v"],
            "momentum_end": next(heavy), "momentum_step": -lr * heavy["g"],
            "nesterov_end": next(ahead), "nesterov_step": -lr * ahead["g"]}


def draw(curvatures, theta, jump, momentum_end, momentum_step, nesterov_end, nesterov_step):
    valley = Quadratic(np.diag(curvatures))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), sharex=True, sharey=True)
    points = [theta, theta + jump, theta + momentum_step, momentum_end, nesterov_end]
    low, high = np.min([[-2.6, -1.7], *points], axis=0) - 0.2, np.max([[0.2, 1.3], *points], axis=0) + 0.2
    for ax, end, asked, title in [(left, momentum_end, theta, "momentum: gradient, then jump"),
                                  (right, nesterov_end, theta + jump, "Nesterov: jump, then gradient")]:
        x, y = np.linspace(*np.transpose([low, high])[0], 65), np.linspace(*np.transpose([low, high])[1], 69)
        here, others = valley.value(asked), np.array([0.15, 0.6, 2.4, 3.7]) * valley.value(theta) / 1.4475293852062503
        contours(ax, valley, x, y, levels=sorted([here, *others]))
        contours(ax, valley, x, y, levels=[here], colors="0.45", linewidths=1.2)
        minimum(ax, 0, 0)
        arrow(ax, theta, end, BLACK, linestyle=(0, (4, 2)), linewidth=1.5)
        ax.plot(*theta, "o", color=BLACK, zorder=3)
        write(ax, r"$\theta$", theta, (-6, 6), BLACK)
        ax.set(title=title, aspect="equal", xlabel=r"$\theta_1$",
               xticks=np.arange(np.ceil(low[0]), high[0]), yticks=np.arange(np.ceil(low[1]), high[1]))
    arrow(left, theta, theta + momentum_step, VERMILION)
    arrow(left, theta + momentum_step, momentum_end, BLUE)
    write(left, r"$-\alpha\,g(\theta)$", theta + momentum_step / 2, (32, 6), VERMILION)
    write(left, r"$\mu v$", momentum_end - jump / 2, (14, 0), BLUE)
    write(left, "new $v$", (theta + momentum_end) / 2, (-26, -8), BLACK)
    arrow(right, theta, theta + jump, BLUE)
    arrow(right, theta + jump, nesterov_end, VERMILION)
    write(right, r"$-\alpha\,g(\theta + \mu v)$", nesterov_end - nesterov_step / 2, (48, -5), VERMILION)
    write(right, r"$\mu v$", theta + jump / 2, (-14, 0), BLUE)
    write(right, "new $v$", (theta + nesterov_end) / 2, (28, 6), BLACK)
    left.set(ylabel=r"$\theta_2$")
    return figure


def write(ax, text, place, offset, color):
    ax.annotate(text, place, offset, textcoords="offset points", color=color, ha="center", va="center")
