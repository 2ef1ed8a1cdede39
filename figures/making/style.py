"""The drawing that figures share: one colour, one line and one mark for each method, everywhere."""
from functools import cache
from itertools import product
from zlib import crc32

import numpy as np

from numopt import optimizers
from numopt.problems import grid

# The hues of Okabe and Ito, which the colour-blind tell apart, made light or dark so that a photocopy tells them apart
# too: the greys of these are 0, 49, 67, 88, 106, 127, 147 and 166 of 255.  Methods of the same colour differ in their
# line and in their mark, and never meet in one panel.
BLACK, PURPLE, BLUE, VERMILION, GREEN, GREY, ORANGE, SKY = (
    "#000000", "#6E0860", "#00549F", "#C23206", "#00A06A", "#7F7F7F", "#DF8900", "#5ABFF0")

COLORS = BLACK, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY
LONG, DOTS = (0, (7, 1.8)), (0, (5, 1.3, 1, 1.3, 1, 1.3))  # dashes that are nearly a line; dash, dot, dot
MARKS = "osD^vXP<>ph*d8"
SPARE = (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)), (0, (2, 2)), (0, (6, 1, 2, 1, 2, 1))  # for the unknown


class Looks(dict):
    """{method: (colour, line, label)}; one that nobody has given a look gets one that no other has."""
    def __missing__(self, name):
        unknown = [other for other in optimizers.__all__ if other not in self]
        taken = {(color, line) for color, line, _ in self.values()}
        free = [(color, line) for line, color in product(SPARE, COLORS) if (color, line) not in taken]
        place = unknown.index(name) if name in unknown else crc32(name.encode())
        return *free[place % len(free)], name.replace("_", " ")


METHODS = Looks({
    "gradient_descent": (BLACK, "-", "gradient descent"),
    "steepest_descent": (GREY, "-", "steepest descent"),
    "normalized_descent": (GREY, "--", "normalized descent"),
    "sign_descent": (GREY, ":", "sign descent"),
    "proximal_descent": (BLACK, "--", "proximal descent"),
    "momentum": (BLUE, "-", "momentum"),
    "nesterov": (SKY, "-", "Nesterov"),
    "delta_bar_delta": (GREEN, ":", "delta-bar-delta"),
    "delta_bar_velocity": (GREEN, "--", "delta-bar-delta, velocity"),
    "rprop": (GREEN, "-.", "Rprop"),
    "adagrad": (GREEN, "-", "AdaGrad"),
    "rmsprop": (ORANGE, "-", "RMSProp"),
    "adadelta": (ORANGE, "--", "Adadelta"),
    "adam": (VERMILION, "-", "Adam"),
    "amsgrad": (VERMILION, "--", "AMSGrad"),
    "nadam": (VERMILION, ":", "NAdam"),
    "adamw": (VERMILION, "-.", "AdamW"),
    "lion": (PURPLE, "-", "Lion"),
    "gradient_rate": (ORANGE, (0, (4, 1)), "gradient rate"),
    "newton_rate": (BLUE, (0, (2, 0.8)), "Newton rate"),
    "newton_rate_printed": (SKY, "-", "Newton rate, printed"),
    "vsgd": (GREY, "-.", "vSGD"),
    "barzilai_borwein": (BLACK, "-", "Barzilai-Borwein"),
    "sps": (GREEN, "--", "SPS"),
    "momo": (GREEN, ":", "MoMo"),
    "dog": (PURPLE, "-", "DoG"),
    "prodigy": (VERMILION, "--", "Prodigy"),
    "schedule_free": (BLUE, LONG, "Schedule-Free"),
    "schedule_free_adamw": (VERMILION, DOTS, "Schedule-Free AdamW"),
    "newton": (PURPLE, "-", "Newton"),
    "damped_newton": (PURPLE, "--", "damped Newton"),
    "trust_region": (PURPLE, "-.", "trust region"),
    "newton_cg": (PURPLE, ":", "Newton-CG"),
    "hessian_free": (PURPLE, LONG, "Hessian-free"),
    "gauss_newton": (ORANGE, "-.", "Gauss-Newton"),
    "levenberg_marquardt": (ORANGE, ":", "Levenberg-Marquardt"),
    "nonlinear_cg": (BLUE, "-.", "nonlinear CG"),
    "sr1": (GREEN, "--", "SR1"),
    "bfgs": (BLUE, "-", "BFGS"),
    "lbfgs": (VERMILION, "-", "L-BFGS"),
    "natural_gradient": (GREEN, LONG, "natural gradient"),
    "block_tridiagonal": (GREEN, ":", "block-tridiagonal"),
    "normalized_natural_gradient": (SKY, LONG, "normalized natural gradient"),
    "gradient_norm_normalized": (ORANGE, LONG, "gradient-norm normalized"),
    "eigenbasis_normalized": (PURPLE, LONG, "eigenbasis normalized"),
    "clipped_natural_gradient": (SKY, DOTS, "clipped natural gradient"),
    "gradient_norm_clipped": (ORANGE, DOTS, "gradient-norm clipped"),
    "eigenbasis_clipped": (PURPLE, DOTS, "eigenbasis clipped"),
    "adahessian": (VERMILION, DOTS, "AdaHessian"),
    "sophia": (PURPLE, "--", "Sophia"),
    "ivon": (GREEN, "-.", "IVON"),
    "radam": (VERMILION, LONG, "RAdam"),
    "yogi": (GREY, "--", "Yogi"),
    "adabelief": (ORANGE, "--", "AdaBelief"),
    "adan": (SKY, "-.", "Adan"),
    "lamb": (GREY, "-", "LAMB"),
    "full_matrix_adagrad": (GREEN, DOTS, "full-matrix AdaGrad"),
    "kfac": (BLACK, LONG, "K-FAC"),
    "kfac_martens": (BLACK, DOTS, "K-FAC, Martens"),
    "ekfac": (BLUE, "-.", "EKFAC"),
    "shampoo": (GREY, LONG, "Shampoo"),
    "soap": (GREY, DOTS, "SOAP"),
    "muon": (VERMILION, LONG, "Muon"),
    "scion": (VERMILION, ":", "Scion"),
    "gcr": (SKY, "-.", "GCR"),
    "anderson": (SKY, ":", "Anderson"),
    "nltgcr": (BLUE, "--", "nlTGCR"),
    "nltgcr_adaptive": (BLUE, DOTS, "nlTGCR, adaptive"),
    "nltgcr_fisher": (BLUE, LONG, "nlTGCR, Fisher"),
    "fishleg": (GREEN, "--", "FishLeg"),
    "polyak": (BLUE, "--", "Polyak averaging"),
    "lookahead": (BLUE, ":", "Lookahead"),
    "sam": (PURPLE, LONG, "SAM"),
    "decayed": (GREY, LONG, "weight decay"),
    "by_layer": (GREEN, LONG, "rates by layer"),
    "svrg": (SKY, LONG, "SVRG"),
})


def mark(name):
    """The mark of a method: no other of its colour has it, nor its neighbours in the table."""
    known = dict.fromkeys([*METHODS, *optimizers.__all__, name])
    return marks(tuple((other, METHODS[other][0]) for other in known))[name]


@cache
def marks(methods):
    """{name: mark} of all of these (name, colour)."""
    given = {}
    for name, color in methods:
        of_its_color = [given[other] for other, same in methods[:len(given)] if same == color]
        free = [one for one in MARKS if one not in of_its_color] or MARKS
        given[name] = min(free, key=list(given.values()).count)
    return given


def method(name, **changes):
    """The colour, the line and the label of a method, as keywords for plot."""
    color, linestyle, label = METHODS[name]
    return {"color": color, "linestyle": linestyle, "label": label} | changes


def contours(ax, objective, x, y, levels, **style):
    """Level sets of a function of two parameters."""
    return ax.contour(x, y, grid(objective, x, y), levels=levels,
                      **{"colors": "0.75", "linewidths": 0.8, "linestyles": "solid"} | style)


def trace(ax, path, label=None, **style):
    """The iterates of a run, joined up."""
    return ax.plot(*path.T, **{"marker": "o", "markersize": 3.5, "label": label} | style)


def label_line(ax, x, y, text, color, **style):
    """A name written beside its line, instead of a legend."""
    return ax.annotate(text, (x, y), **{"xytext": (5, 0), "textcoords": "offset points", "va": "center", "color": color}
                       | style)


def end_labels(ax, ends, size=10):
    """Names on the right of a panel, each as near to the height at which its line ends as the others let it.

    `ends` are (text, height, color).
    """
    ax.get_ylim()  # from here on the limits are those of what has been plotted
    heights = ax.transData.transform([(ax.get_xlim()[0], height) for _, height, _ in ends])[:, 1]
    bottom, top = ax.bbox.y0, ax.bbox.y1
    order = np.argsort(np.clip(heights, bottom, top), kind="stable")
    at = np.clip(heights, bottom, top)[order]
    rooms = 1.25 * size * ax.figure.dpi / 72 * np.array([1 + ends[i][0].count("\n") for i in order])
    gaps = (rooms[1:] + rooms[:-1]) / 2
    for i, gap in enumerate(gaps):
        at[i + 1] = max(at[i + 1], at[i] + gap)
    at[-1] = min(at[-1], top)
    for i, gap in reversed(list(enumerate(gaps))):
        at[i] = min(at[i], at[i + 1] - gap)
    for i, height in zip(order, at):
        text, _, color = ends[i]
        ax.annotate(text, (1, (height - bottom) / (top - bottom)), (5, 0), xycoords="axes fraction",
                    textcoords="offset points", color=color, va="center", fontsize=size)


def band(ax, x, rows, color, linestyle="-", middle=np.mean, reach=(0, 100), **style):
    """The middle of the rows, and a band from one percentile of them to another: from the least to the largest."""
    x = x[:rows.shape[1]]
    if len(rows) > 1:
        ax.fill_between(x, *np.percentile(rows, reach, axis=0), color=color, alpha=0.17, linewidth=0)
    return ax.plot(x, middle(rows, axis=0), color=color, linestyle=linestyle, **style)


def minimum(ax, x, y, **style):
    """The cross that marks a minimum."""
    return ax.plot(x, y, **{"marker": "+", "color": VERMILION, "markersize": 12, "markeredgewidth": 2.5,
                            "linestyle": "none", "zorder": 3} | style)


def right_angle(ax, before, corner, after, size):
    """The little square that marks a right angle."""
    a, b = (size * (end - corner) / np.linalg.norm(end - corner) for end in (before, after))
    return ax.plot(*np.array([corner + a, corner + a + b, corner + b]).T, color="black", linewidth=0.8)


def arrow(ax, start, end, color, **style):
    """An arrow from point to point."""
    return ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 2,
                                                   "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14} | style)
