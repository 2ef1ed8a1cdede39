"""Gradient descent that starts on the ridge comes to rest on the saddle; the noise of stochastic descent takes it away.

On the ridge y = 0 the derivative by y is zero, so that gradient descent stays on it down to the saddle, where the whole
gradient is zero although the loss is not least.  Started a millionth beside it, it leaves at last, after a long stay in
which nothing seems to happen.  Noise of standard deviation 0.2 in the gradient, like that of mini-batches, soon leads
away from the ridge, whatever the seed, and the slope does the rest.

Ravasi's lecture notes, "Saddle points and other flat regions"; Kashyap (2022), Section 1.          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.moving import revealed
from figures.making.style import VERMILION, method
from numopt.optimizers import gradient_descent
from numopt.problems import Noisy, Saddle, grid
from numopt.record import path

PASS = Saddle(a=0.5, b=0.8, c=0.3)
RIDGE, BESIDE = np.array([1.4, 0.0]), np.array([1.4, 1e-6])


def heights(paths):
    return np.apply_along_axis(PASS.value, -1, paths)


def compute(lr=0.1, sigma=0.2, steps=160, seeds=8):
    on = path(gradient_descent(PASS, RIDGE, lr=lr), steps)
    beside = path(gradient_descent(PASS, BESIDE, lr=lr), steps)
    noisy = np.array([path(gradient_descent(Noisy(PASS, sigma, seed), RIDGE, lr=lr), steps) for seed in range(seeds)])
    return {"on": on, "f_on": heights(on), "f_beside": heights(beside), "noisy": noisy, "f_noisy": heights(noisy)}


def draw(on, f_on, f_beside, noisy, f_noisy):
    figure = plt.figure(figsize=(7, 3.6))
    left, right = figure.add_gridspec(1, 2, width_ratios=[1.2, 1])
    surface = figure.add_subplot(left, projection="3d", computed_zorder=False)
    x, y = np.linspace(-1.4, 1.4, 29), np.linspace(-1.5, 1.5, 31)
    surface.plot_surface(*np.meshgrid(x, y), grid(PASS, x, y), cmap="Greys", vmin=-2, vmax=8,
                         edgecolor="0.7", linewidth=0.4, rcount=31, ccount=31, clip_on=False, zorder=1)
    surface.plot(*on.T, f_on, **method("gradient_descent", linewidth=3), marker="o", markersize=5.5, zorder=3)
    surface.plot(*noisy[0].T, f_noisy[0], color=VERMILION, marker="o", markersize=2.5, linewidth=1.6, zorder=4)
    for text, x, y, z, ha in [("start", 1.45, 0, 1.05, "right"), ("saddle", -0.1, 0, 0.1, "left"),
                              ("minimum", -0.2, 1.2, -0.55, "left")]:
        surface.text(x, y, z, text, ha=ha, zorder=5)
    surface.set_title(f"$f = {PASS.a}\\,x^2 - {PASS.b}\\,y^2 + {PASS.c}\\,y^4$")
    surface.view_init(elev=38, azim=65)
    surface.set_box_aspect((1, 1, 0.75), zoom=1.35)
    surface.set_axis_off()

    time = figure.add_subplot(right)
    time.plot(f_noisy.T, color=VERMILION, linewidth=0.8)
    time.plot(f_beside, **method("gradient_descent", linestyle="--"))
    time.plot(f_on, **method("gradient_descent"))
    steps = len(on) - 1
    time.text(steps, 0.02, "started on the ridge", ha="right", va="bottom")
    time.text(0.61875 * steps, -0.25, "started a\nmillionth\nbeside it", va="center")
    time.text(0.34375 * steps, -0.3, "with\nnoise", va="center", color=VERMILION)
    time.set(xlabel="step", title="loss")
    return figure


def animate(**arrays):
    """All runs step by step."""
    return revealed(draw(**arrays), range(0, len(arrays["on"]), 2))
