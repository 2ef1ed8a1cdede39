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


def heights(f, paths):
    return np.apply_along_axis(f.value, -1, paths)


def compute(a=0.5, b=0.8, c=0.3, start=1.4, beside=1e-6, lr=0.1, sigma=0.2, steps=160, seeds=8):
    """The runs on a x² − b y² + c y⁴ from (start, 0), without noise and with, and from so far beside it."""
    f = Saddle(a, b, c)
    ridge = np.array([start, 0.0])
    on = path(gradient_descent(f, ridge, lr=lr), steps)
    near = path(gradient_descent(f, ridge + [0.0, beside], lr=lr), steps)
    noisy = np.array([path(gradient_descent(Noisy(f, sigma, seed), ridge, lr=lr), steps) for seed in range(seeds)])
    found = {"on": on, "f_on": heights(f, on), "f_beside": heights(f, near), "noisy": noisy,
             "f_noisy": heights(f, noisy)}
    refuse(f, start, **found)
    return {"a": a, "b": b, "c": c, "beside": beside} | found


def refuse(f, start, on, f_on, f_beside, noisy, f_noisy):
    """Values with which the runs do not end where the picture says."""
    if f.c == 0:
        raise ValueError("c = 0: beside the ridge there is no minimum to go to")
    if not 0 < np.abs(on[-1, 0]) < 0.05 * np.abs(start) or not (np.diff(f_on) <= 0).all():
        raise ValueError(f"in {len(on) - 1} steps the run on the ridge does not go down to the saddle; "
                         "it takes a start that is not 0, lr below 1 / a, and steps enough")
    if not f_beside[-1] < 0.9 * f.minimum:
        raise ValueError(f"in {len(on) - 1} steps the run beside the ridge does not come to a minimum; "
                         "try more steps, or a start farther beside it")
    if not (f_noisy[:, -1] < 0.5 * f.minimum).all():
        raise ValueError("with so little noise in so many steps, or with so much, not every run ends near a minimum; "
                         "try another sigma, or more steps")


def draw(a, b, c, beside, on, f_on, f_beside, noisy, f_noisy):
    f = Saddle(a, b, c)
    wide, deep, aside = np.abs(on[0, 0]), -f.minimum, f.minimizers[1, 1]  # of the ridge, the pass and its minima
    figure = plt.figure(figsize=(7, 3.6))
    left, right = figure.add_gridspec(1, 2, width_ratios=[1.2, 1])
    surface = figure.add_subplot(left, projection="3d", computed_zorder=False)
    x, y = np.linspace(-wide, wide, 29), aside * np.sqrt(27) / 4 * np.linspace(-1, 1, 31)
    surface.plot_surface(*np.meshgrid(x, y), grid(f, x, y), cmap="Greys",
                         vmin=-3.75 * deep, vmax=max(15 * deep, 8.1 * f_on[0]),
                         edgecolor="0.7", linewidth=0.4, rcount=31, ccount=31, clip_on=False, zorder=1)
    surface.plot(*on.T, f_on, **method("gradient_descent", linewidth=3), marker="o", markersize=5.5, zorder=3)
    surface.plot(*noisy[0].T, f_noisy[0], color=VERMILION, marker="o", markersize=2.5, linewidth=1.6, zorder=4)
    sides = ("right", "left") if on[0, 0] > 0 else ("left", "right")
    side = np.sign(noisy[0, -1, 1])  # of the ridge, to which the run that is drawn goes
    for text, x, y, z, ha in [("start", 1.0357 * on[0, 0], 0, 1.0714 * f_on[0], sides[0]),
                              ("saddle", -on[0, 0] / 14, 0, f_on[0] / 9.8, sides[1]),
                              ("minimum", -0.1429 * wide, 1.0392 * side * aside, -1.0313 * deep, "left")]:
        surface.text(x, y, z, text, ha=ha, zorder=5)
    surface.set_title(f"$f = {a:g}\\,x^2 - {b:g}\\,y^2 + {c:g}\\,y^4$")
    surface.view_init(elev=38, azim=65)
    surface.set_box_aspect((1, 1, 0.75), zoom=1.35)
    surface.set_axis_off()

    time = figure.add_subplot(right)
    time.plot(f_noisy.T, color=VERMILION, linewidth=0.8)
    time.plot(f_beside, **method("gradient_descent", linestyle="--"))
    time.plot(f_on, **method("gradient_descent"))
    steps = len(on) - 1
    amount = "a\nmillionth" if beside == 1e-6 else f"\n{beside:g}"
    time.text(steps, 0.0204 * f_on[0], "started on the ridge", ha="right", va="bottom")
    left = (f_beside < -deep / 2).argmax()
    time.text(left + 0.05 * steps, -0.46875 * deep, f"started {amount}\nbeside it", va="center")
    noise = (f_noisy < -deep / 2).argmax(axis=1).max()
    if left - noise > 0.25 * steps:
        time.text(noise + 0.0375 * steps, -0.5625 * deep, "with\nnoise", va="center", color=VERMILION)
    else:
        time.text(steps, -0.9 * deep, "with noise", ha="right", color=VERMILION)
    time.set(xlabel="step", title="loss")
    return figure


def animate(**arrays):
    """All runs step by step."""
    return revealed(draw(**arrays), range(0, len(arrays["on"]), 2))
