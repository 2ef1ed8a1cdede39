"""A gradient step raises the loss where the curvature along the gradient, gᵀHg / gᵀg, is above 2 / α.

To the second order a gradient step changes the loss by −α gᵀg + ½ α² gᵀHg.  Above, that, against what the loss does
if the step from one point of a training is taken at another rate α.  The lecture notes have lost the α of the first
term: their curve says that a step of length 0 changes the loss, and their condition for a rise is that the curvature
is above 2 / α².  Below, all of that training, of a net of 64-16-10 units on 50 handwritten digits, with squared error
and whole batches at α = 0.5; a triangle is a step in which the loss rose, and grey is where gᵀHg / gᵀg is above 2 / α.
(Only the first steps are too long for the second order: there it is above, and the loss falls.  So it is at lower rates
too; at 0.6, one step in thirteen is too long.)

Ravasi's lecture notes, section "Ill-conditioning"; Goodfellow, Bengio and Courville (2016), Section 8.2.1.  Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, VERMILION, end_labels
from numopt.data import digits
from numopt.networks import SquaredError, mlp
from numopt.optimizers import gradient_descent
from numopt.problems import MiniBatch


def problem(examples=50):
    """The loss of the net on the digits, and where its training starts."""
    X, Y, *_ = digits()
    if examples > len(X):
        raise ValueError(f"examples = {examples}: there are {len(X)}")
    network = mlp([64, 16, 10], loss=SquaredError())
    return MiniBatch(network, X[:examples], np.eye(10)[Y[:examples]]), network.initial(seed=0)


def compute(lr=0.5, at=225, steps=400, examples=50):
    """The training for so many steps, and a closer look at the step of number `at`."""
    if at > steps:
        raise ValueError(f"at = {at}: there are {steps} steps only")
    alphas = np.linspace(0, 2 * lr, 101)
    loss, theta = problem(examples)
    run = gradient_descent(loss, theta, lr=lr)
    value, gg, gHg = [], [], []
    for t in range(steps + 1):
        theta = run.theta
        f, g = loss.value_and_gradient(theta)
        value.append(f)
        gg.append(g @ g)
        gHg.append(g @ (loss.hessian(theta) @ g))
        if t == at:
            change = [loss.value(theta - alpha * g) - f for alpha in alphas]
        next(run)
    return {"lr": lr, "at": at, "alphas": alphas, "value": np.array(value), "gg": np.array(gg),
            "gHg": np.array(gHg), "change": np.array(change)}


def draw(lr, at, alphas, value, gg, gHg, change):
    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(6, 7.6), height_ratios=[1.3, 1, 1])
    above.axhline(0, color="0.75", linewidth=1)
    above.plot(alphas, change, color=BLACK, linewidth=5, alpha=0.3)
    above.plot(alphas, -alphas * gg[at] + alphas**2 / 2 * gHg[at], color=BLUE)
    above.plot(alphas, -gg[at] + alphas**2 / 2 * gHg[at], color=VERMILION, linestyle="--")
    above.annotate("what happens (grey), and\n$-\\alpha\\, g^T g + \\frac{1}{2} \\alpha^2 g^T H g$ (blue)",
                   (0.72 * lr, 0.035 * gg[at] / 0.16), color=BLUE, ha="center", va="bottom")
    above.annotate("as printed:\n$-g^T g + \\frac{1}{2} \\alpha^2 g^T H g$", (1.12 * lr, -0.75 * gg[at]),
                   color=VERMILION)
    above.set(xlabel="rate $\\alpha$", ylabel="change of the loss", xlim=(0, alphas[-1]),
              title=f"one step, number {at}")
    if np.max(change) < 0.5 * gg[at]:
        above.set_ylim(top=0.7 * gg[at])  # room for the words
    rose, steps = np.diff(value) > 0, np.arange(len(value))
    middle.semilogy(value, color=BLACK, linewidth=1.2)
    middle.plot(steps[1:][rose], value[1:][rose], "^", color=BLACK, markersize=3.5)
    middle.set(ylabel="loss", title=f"every step at $\\alpha$ = {lr:g}")
    middle.tick_params(labelbottom=False)
    below.plot(gHg / gg, color=BLUE)
    below.axhline(2 / lr, color=BLACK, linewidth=1)
    below.axhline(2 / lr**2, color=VERMILION, linestyle="--")
    below.set(xlabel="step", ylabel="$g^T H g \\,/\\, g^T g$", ylim=(0, max(2.25 / lr, 1.125 * 2 / lr**2)))
    for ax in (middle, below):
        ax.fill_between(steps, 0, 1, where=gHg / gg > 2 / lr, color="0.85", transform=ax.get_xaxis_transform(),
                        linewidth=0, zorder=0)
        ax.set_xlim(0, len(value) - 1)
    end_labels(below, [("$2\\,/\\,\\alpha$", 2 / lr, BLACK), ("$2\\,/\\,\\alpha^2$\nas printed", 2 / lr**2, VERMILION)])
    return figure
