"""On CIFAR-10 all the training losses go on falling, and all the test losses turn round long before the end.

A dense net of 90 + 90 hidden units (tanh) on 40,000 images of CIFAR-10, in batches of 128, with four methods, each at
the rate (and nlTGCR at the damping) that a search of three epochs found by the validation loss: the loss on these
images, and loss and accuracy on 5,000 others, after every epoch; means over three seeds and their range.  The dots are
where a test loss is least.  The runs are those of `python -m data_scripts run mlp_2x90 --epochs 100 --search`: a method
gets a quarter of an hour of the processor for three seeds, which is 82 epochs for nlTGCR.

Memon et al. end after 100 epochs, with 54.5 % for nlTGCR and 51.3 % for Adam.  Here none of the four comes to 47 % at
any time, and by the end all have lost some of it again: what is compared after 100 epochs is how far a net has learned
its training images by heart.  In that nlTGCR is the slowest.

Memon et al. (2024), Figure 1a and Table 2.          Lecture 14.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import METHODS, band

RECORD = "mlp_2x90"
SET = "cifar10"
OWN = {"momentum": {"lr": 0.01}, "rmsprop": {"lr": 0.00032}, "adam": {"lr": 0.00032},
       "nltgcr_fisher": {"lr": 0.32, "damping": 0.001}}
SHOWN = {"training loss": 1, "test loss": 1, "test accuracy": 100}


def label(method):
    return METHODS[method][2].removesuffix(", Fisher")


def longest(record, method):
    """The runs of a method with the most epochs, one a seed."""
    begin, found = f"{SET}, {label(method)}{''.join(f', {key} {value:g}' for key, value in OWN[method].items())}, ", {}
    for run in record:
        epochs, *seed = run.removeprefix(begin).split(" epochs, ")
        if run.startswith(begin) and epochs.isdigit() and len(seed) == 1:
            found.setdefault(int(epochs), []).append(run)
    return sorted(found[max(found)])


def drawn():
    """The runs of the record that the picture shows."""
    record = recorded(RECORD)
    return [run for method in OWN for run in longest(record, method)]


def compute():
    """Of each method and quantity a row a seed: after every epoch, from the first on."""
    record = recorded(RECORD)
    return {f"{method}, {quantity}": factor * np.stack([record[run][quantity][1:] for run in longest(record, method)])
            for method in OWN for quantity, factor in SHOWN.items()}


def draw(**curves):
    figure, axes = plt.subplots(1, 3, figsize=(6.5, 3))
    for ax, quantity in zip(axes, SHOWN):
        for method in OWN:
            rows, (color, line, _) = curves[f"{method}, {quantity}"], METHODS[method]
            mean = rows.mean(axis=0)
            band(ax, np.arange(1, len(mean) + 1), rows, color, line, label=label(method))
            if quantity == "test loss":
                ax.plot(mean.argmin() + 1, mean.min(), "o", color=color)
        ax.set(xscale="log", xlabel="epoch", title=f"{quantity}{', %' if 'accuracy' in quantity else ''}")
        ax.xaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(OWN))
    return figure
