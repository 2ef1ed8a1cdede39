"""Compiled or not, a step of nlTGCR takes longer than a step of Adam; what the paper timed is the form of the code.

Seconds an epoch of 50,000 colour images in batches of 128, of five methods on the three nets of Memon et al. (2024),
in four forms: plain Python, a loop for every number; NumPy; NumPy with compiled twins; and PyTorch.  Plain Python was
timed on a small net, and is multiplied by the number of multiplications.  The crosses are the paper's Table 3: 7.02 s
for Adam and 7.10 s for RMSProp, which it did not compile, and 0.42 s for nlTGCR, which it did.  It reads a factor of
17 as a merit of the method.  Here every method is in every form, and in each form nlTGCR costs more than Adam: it
computes Adam's gradient, and a product with the Fisher matrix besides.  Nearly all that there is to gain lies between
plain Python and NumPy; compiling gains where NumPy leaves much to do around the matrix products.

Memon et al. (2024), Table 3, remeasured by python -m data_scripts timing --against torch.          Lectures 12 and 14.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import BLACK, BLUE, GREY, ORANGE, VERMILION

RECORD = "timing"
NET = "seconds in batches of 128, single precision, 2 threads"
NETS = "2x90 MLP", "5x30 MLP", "CNN"
METHODS = "Adam", "RMSProp", "nlTGCR", "K-FAC", "natural gradient"
FORMS = "Python", "NumPy", "compiled", "PyTorch"
STYLES = {"Python": (GREY, "s"), "NumPy": (ORANGE, "o"), "compiled": (BLUE, "D"), "PyTorch": (BLACK, "|")}
PRINTED = {"Adam": 7.02, "RMSProp": 7.10, "nlTGCR": 0.42}


def compute():
    epochs = recorded("timing")["epochs"]
    return {form: np.array([[epochs.get(f"{net} | {method} | {form}", np.nan) for method in METHODS] for net in NETS])
            for form in FORMS}


def draw(**epochs):
    figure, axes = plt.subplots(3, 1, figsize=(6.5, 6.8), sharex=True)
    for ax, net, row in zip(axes, NETS, range(len(NETS))):
        for form, (color, marker) in STYLES.items():
            ax.plot(epochs[form][row], range(len(METHODS)), marker, color=color, markersize=12 if marker == "|" else 7,
                    markeredgewidth=2.5 if marker == "|" else 1, label=form)
        ax.grid(axis="y", color="0.92")
        ax.set(xscale="log", ylim=(len(METHODS) - 0.5, -0.5), title=net.replace("x", " × "))
        ax.set_yticks(range(len(METHODS)), METHODS)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    for method, seconds in PRINTED.items():
        axes[1].plot(seconds, METHODS.index(method), "x", color=VERMILION, markersize=9, markeredgewidth=2)
    axes[1].annotate("as printed, compiled", (PRINTED["nlTGCR"], METHODS.index("nlTGCR")), (0, -9),
                     textcoords="offset points", va="top", ha="center", fontsize=8.5, color=VERMILION)
    axes[1].annotate("as printed, not compiled", (PRINTED["RMSProp"], 0.5), (12, 0), textcoords="offset points",
                     va="center", fontsize=8.5, color=VERMILION)
    axes[2].set_xlim(left=0.05)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(FORMS))
    axes[2].set_xlabel("seconds an epoch")
    return figure
