"""A price on Σ |θᵢ| makes parameters exactly zero; a price on Σ θᵢ² makes them all small, and none of them zero.

One pixel of the handwritten digits is predicted from its neighbours by least squares.  Above, from two of them: θ is
where a level line of the loss touches the diamond of L1 or the disc of L2, and a diamond is apt to be touched at a
corner, where one of the two is zero.  The dotted line is the way that θ goes as the price rises, from least squares
(cross) to zero.  Below, the weights of all eight neighbours: under L1 each is dropped at some price, the last when it
is the largest derivative at θ = 0; under L2 their length falls, and none comes to rest at zero, though one passes
through it, and the smallest grows at first.  (To pay a price and to be allowed a norm is the same: the diamond and the
disc are those of the norms that the solutions have.)

Kashyap (2022), Figure 13, after Murphy (2022), on our own data; Tibshirani (1996), Figure 2.          Lecture 13.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, contours, minimum
from numopt.data import digits
from numopt.optimizers import newton, proximal_descent
from numopt.problems import Lasso, Quadratic, Ridge
from numopt.record import path

NEIGHBOURS = {"above": (-1, 0), "left": (0, -1), "below": (1, 0), "above left": (-1, -1), "right": (0, 1),
              "above right": (-1, 1), "below left": (1, -1), "below right": (1, 1)}
COLORS = BLUE, VERMILION, GREEN, BLACK, ORANGE, SKY, PURPLE, "0.6"
LINES = "-", "-", "-", "--", "--", "--", ":", ":"
L1_PRICES, L2_PRICES = np.geomspace(1e-3, 1, 61), np.geomspace(1e-2, 1e3, 61)


def least_squares(names, pixel=(3, 4)):
    """½ the mean of (xᵀθ − y)², for a pixel y and some of its neighbours x, all with mean 0 and deviation 1."""
    images = digits().X_train.reshape(-1, 8, 8)
    row, column = pixel
    X = np.column_stack([images[:, row + i, column + j] for i, j in map(NEIGHBOURS.get, names)])
    y = images[:, row, column]
    if not (X.any(axis=0).all() and y.any()):
        raise ValueError(f"pixel = {pixel}: it, or one of its neighbours, is the same in all images")
    return Quadratic(X.T @ X / len(y), X.T @ y / len(y), y @ y / len(y) / 2)


def lasso(loss, price, theta, steps=80):
    """Where the loss and the price of L1 are least, from θ on."""
    lr = 1 / np.linalg.eigvalsh(loss.A)[-1].item()
    return path(proximal_descent(Lasso(loss, price), theta, lr=lr), steps)[-1]


def ridge(loss, price):
    """The same of L2: it is a quadratic, and Newton's method is there after a step."""
    return path(newton(Ridge(loss, price), np.zeros(loss.size)), 1)[-1]


def lasso_path(loss):
    """The solutions for all the prices; each begins at the one before."""
    thetas = [loss.minimizers[0]]
    for price in L1_PRICES:
        thetas.append(lasso(loss, price, thetas[-1]))
    return np.array(thetas[1:])


def compute(l1=0.38, l2=1.5, pixel=(3, 4)):
    """The solutions at these two prices for the pictures above, and at all of a range for those below.

    The pixel is a row and a column, from 0 to 7; those at the border have no eight neighbours.
    """
    if len(pixel) != 2 or not all(0 < place < 7 for place in pixel):
        raise ValueError(f"pixel = {pixel}: it must be a row and a column, from 1 to 6 each")
    if not min(l1, l2) >= 0:
        raise ValueError(f"l1 = {l1} and l2 = {l2}: a price must be at least 0")
    two, eight = least_squares(["above", "left"], pixel), least_squares(NEIGHBOURS, pixel)
    return {"H": two.A, "b": two.b, "lasso": lasso(two, l1, np.zeros(2)), "ridge": ridge(two, l2),
            "lasso_way": lasso_path(two), "ridge_way": np.array([ridge(two, price) for price in L2_PRICES]),
            "lasso_path": lasso_path(eight), "ridge_path": np.array([ridge(eight, price) for price in L2_PRICES])}


def zeros(theta):
    zero = [f"$\\theta_{i}$" for i in (1, 2) if theta[i - 1] == 0]
    return ["neither is zero", "{} is zero", "both are zero"][len(zero)].format(*zero)


def draw(H, b, lasso, ridge, lasso_way, ridge_way, lasso_path, ridge_path):
    figure, (above, below) = plt.subplots(2, 2, figsize=(7, 7.2), sharey="row", height_ratios=[1, 1.4])
    loss = Quadratic(H, b)
    angle = np.linspace(0, 2 * np.pi, 201)
    disc = np.linalg.norm(ridge) * np.column_stack([np.cos(angle), np.sin(angle)])
    diamond = np.abs(lasso).sum() * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
    centre = loss.minimizers[0]
    low, (right, top) = min(-0.42, *(centre - 0.57)), np.maximum((1.12, 0.78), centre + (0.57, 0.5))
    for ax, theta, allowed, way, title in [(above[0], lasso, diamond, lasso_way, f"L1: {zeros(lasso)}"),
                                           (above[1], ridge, disc, ridge_way, f"L2: {zeros(ridge)}")]:
        ax.fill(*allowed.T, facecolor="0.88", edgecolor="0.5")
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.axvline(0, color="0.6", linewidth=0.8)
        levels = loss.minimum + np.array([0.15, 0.4, 1, 1.7, 2.6]) * (loss.value(theta) - loss.minimum)
        contours(ax, loss, np.linspace(low, right, 78), np.linspace(low, top, 61), levels,
                 colors=["0.75", "0.75", BLACK, "0.75", "0.75"], linewidths=[0.8, 0.8, 1.3, 0.8, 0.8])
        ax.plot(*np.vstack([loss.minimizers, way, [[0, 0]]]).T, color=BLUE, linestyle=":")
        minimum(ax, *loss.minimizers[0])
        ax.plot(*theta, "o", color=BLACK, markersize=7, zorder=4)
        ax.set(aspect="equal", title=title, xlabel="$\\theta_1$ (the pixel above)",
               xlim=(low, right), ylim=(low, top))
    above[0].set_ylabel("$\\theta_2$ (on the left)")
    for ax, prices, thetas, title in [(below[0], L1_PRICES, lasso_path, "L1: dropped, each at its price"),
                                      (below[1], L2_PRICES, ridge_path, "L2: smaller and smaller")]:
        ax.axhline(0, color="0.6", linewidth=0.8)
        for line, color, linestyle in zip(thetas.T, COLORS, LINES):
            ax.semilogx(prices, line, color=color, linestyle=linestyle)
        ax.set(xlabel="price", title=title, xlim=prices[[0, -1]])
    span, above_it = np.ptp(lasso_path), np.inf
    for height, name, color in sorted(zip(lasso_path[0], NEIGHBOURS, COLORS), reverse=True):
        place = height + 0.014826 * span  # a name is written above its line, or below it where there is another
        if place > above_it - 0.065 * span:
            place = min(height - 0.053126 * span, above_it - 0.081311 * span)
        below[0].text(1.2e-3, place, name, color=color, fontsize=9.5)
        above_it = place
    below[0].set_ylabel("weights of the neighbours")
    return figure
