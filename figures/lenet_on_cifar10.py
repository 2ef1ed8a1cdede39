"""On CIFAR-10 the rate that LeNet learns rises past what the net can bear, and Adam and fixed rates go lower.

LeNet with dropout of one half on 40,000 images of CIFAR-10, in batches of 32: losses on these images and on 5,000
others, and accuracy on those, after every epoch (mean and range over two seeds), and the rates of the first seed; of
the learned one both seeds by themselves.  It starts at the paper's 0.01, which is also the first of the fixed rates;
the other fixed one and Adam's are those that a search of two epochs found by the validation loss.  After one epoch it
is ahead of the fixed 0.01, by a little, and never again.  Dotted is the next fixed rate of that search, at which the
net diverges in its first epoch: the learned one climbs past it by small steps, and the loss goes up again towards that
of guessing, log 10 = 2.3.  With the second seed it falls back to a third of 0.1, too late: the run diverges in the
fifth epoch.

In eight epochs none of them overfits: the two losses stay within 0.1 of each other.  The paper's 35 epochs and more
are not run here.  A learned step costs six forward passes where a fixed one costs one, and as many backward.  The runs
are those of `python -m data_scripts run lenet --epochs 8 --search`.

Ravaut and Gorti (2018), Figures 5 and 7.          Lecture 14.
"""
from figures.making.adaptive_rate import BETTER, LINES, padded, panels
from figures.making.records import recorded, whole
from figures.making.style import METHODS

RECORD = "lenet"
SETTING = "cifar10, {}, {} epochs, seed {}"
EPOCHS, SEEDS = 8, (0, 1)
DRAWN = {"fixed": ("fixed 0.01", *LINES["gradient_descent"]),
         "fixed, lr 0.1": ("fixed 0.1, searched", *BETTER),
         "Adam, lr 0.001": ("Adam 0.001, searched", *LINES["adam"]),
         "second order, printed; 0": ("learned, 1st seed", METHODS["newton_rate_printed"][0], "-"),
         "second order, printed; 1": ("learned, 2nd seed", METHODS["newton_rate_printed"][0], (0, (1, 0.8)))}
TOO_LARGE = "fixed, lr 0.32"
SHOWN = "training loss", "test loss", "test accuracy"


def runs_of(name):
    """The runs of the record behind a line: one a seed, or the one seed that it names."""
    method, _, seed = name.partition("; ")
    return [SETTING.format(method, EPOCHS, seed) for seed in ([int(seed)] if seed else SEEDS)]


def drawn():
    """The runs of the record that the picture shows."""
    return [run for name in DRAWN for run in runs_of(name)]


def compute():
    """Of every line a row a seed: losses and accuracies at the start and after every epoch, and its rates."""
    record, made, found = recorded(RECORD), whole(RECORD)["made"], {}
    for name in DRAWN:
        runs = [record[run] for run in runs_of(name)]
        found |= {f"{name}: {quantity}": padded([run[quantity] for run in runs]) for quantity in SHOWN}
        steps = runs[0]["backward"][1]  # in an epoch
        found |= {f"{name}: epoch": runs[0]["step"][None] / steps, f"{name}: rate": runs[0]["step rate"][None]}
    return found | {"too large": made[SETTING.format(TOO_LARGE, 2, 0)]["settings"]["lr"]}


def draw(**seen):
    too_large = seen.pop("too large")
    figure = panels(seen, DRAWN)
    ax = next(ax for ax in figure.axes if ax.get_ylabel() == "rate")
    ax.axhline(too_large, color="black", linestyle=":", linewidth=1.2)
    ax.annotate("fixed: diverges", (1, too_large), xycoords=("axes fraction", "data"), xytext=(0, -3),
                textcoords="offset points", ha="right", va="top", fontsize=10)
    return figure
