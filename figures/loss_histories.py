"""At the paper's rate nlTGCR hardly moves after its first step; at its own, lowest on a dense net, last on the CNN.

The training loss on the digits of two dense nets, with 90 + 90 and with 5 times 30 hidden units (tanh), and of a
convolutional one, over 20 epochs: the mean of three seeds and their range.  Above, as Memon et al. have it: batches of
128, a constant rate of 0.001 for all, and on the dense nets a step of conjugate gradients on all the data before the
first.  (They go on for 100 epochs of CIFAR-10, and do not say what window and damping they have; here they are 10 and
0.01.  Our images are small, and so is the convolutional net.)  Below, each method with that of thirteen rates, from
0.0001 to 10, with which its loss is least over the last five epochs; the rate stands beside the line.

In the paper nlTGCR ends lowest on all three nets.  Here, at 0.001, it ends highest, at ten times the loss of the next:
it finds the whole way to where the residual is least, and then goes a thousandth of it.  Four fifths and more of its
fall on the dense nets are in the first epoch, the jump that the paper sees too, and lays to the conjugate gradients.
Its own rates are 1.8, 2.5 and 1: on 5 × 30 it ends lowest then, below K-FAC with every seed; on 2 × 90 above Adam
and K-FAC with every seed; on the convolutional net last by far.  But its best rate is a narrow one: of the two
next to 2.5, 1.8 leaves 80 times the loss and 3 more.  K-FAC, which the paper leaves for later, ends lowest at 0.001 on
every net.

Memon et al. (2024), Figure 1, on other data, and with K-FAC.          Lecture 14.
"""
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import METHODS, band, end_labels
from numopt import data as sets
from numopt.networks import cnn, mlp
from numopt.optimizers import adam, kfac, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, Whole
from numopt.record import record

SETS = ("digits", "cifar10", "fashion_mnist", "mnist")
SEED, SEEDS, EPOCHS, BATCH = 0, 3, 20, 128
NETS = {"2 × 90": lambda shape, classes: mlp([np.prod(shape), 90, 90, classes]),
        "5 × 30": lambda shape, classes: mlp([np.prod(shape), 30, 30, 30, 30, 30, classes]),
        "CNN": lambda shape, classes: cnn(shape, classes, channels=min(2 * shape[0], 32))}
COMPARED = {"adam": adam, "rmsprop": rmsprop, "nltgcr_fisher": nltgcr_fisher, "kfac": kfac}
OF_THE_PAPER = 0.001
RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 1.8, 2.5, 3.0, 10.0]
NET = "2 × 90 and 5 × 30 tanh, CNN of 2 channels, 20 epochs"
CEILING = 10.0


def runs(data):
    return {f"{net}, {name}, {lr:g}": partial(histories, data, net, name, lr)
            for net in NETS for name in COMPARED for lr in RATES}


def histories(data, net, name, lr):
    """The training loss before the first and after every epoch, and at the end the accuracy on the test part."""
    X, Y, X_test, Y_test, *_ = getattr(sets, data)(images=True, dtype=np.float32)
    network = NETS[net](X.shape[1:], Y.max() + 1)
    X, X_test = (images.reshape(-1, *network.inputs) for images in (X, X_test))
    test = Whole(network, X_test, Y_test)
    start = {"start": 0 if net == "CNN" else 1} if name == "nltgcr_fisher" else {}
    loss, accuracy = np.full((SEEDS, EPOCHS + 1), CEILING, np.float32), []
    for k in range(SEEDS):
        risk = EmpiricalRisk(network, X, Y, batch_size=BATCH, seed=SEED + k)
        run = COMPARED[name](risk, network.initial(SEED + k, dtype=np.float32), lr=lr, **start)
        seen = record(run, EPOCHS * risk.steps_per_epoch, every=risk.steps_per_epoch,
                      measure={"loss": risk.whole.value})["loss"]
        loss[k, :len(seen)] = np.minimum(seen, CEILING)
        accuracy.append(test.accuracy(run.theta))
    return {"loss": loss, "accuracy": np.array(accuracy)}


def compute():
    """loss[i, j, k, l]: of net i, method j, rate k and seed l the loss before the first and after every epoch."""
    record = recorded("loss_histories")
    found = {key: np.array([[[record[f"{net}, {name}, {lr:g}"][key] for lr in RATES] for name in COMPARED]
                            for net in NETS]) for key in ("loss", "accuracy")}
    return {"loss": found["loss"], "best": best(found["loss"])}


def late(loss):
    """The mean over the last five epochs, and over the seeds."""
    return loss[..., -5:].mean(axis=(-2, -1))


def best(loss):
    """The index of the rate with the least mean loss over the last five epochs, for every net and method."""
    return late(loss).argmin(axis=-1)


def draw(loss, best):
    figure, axes = plt.subplots(2, 3, figsize=(6.5, 5.4), sharex=True, sharey="row")
    epochs = np.arange(loss.shape[-1])
    for i, net in enumerate(NETS):
        for ax, choice in zip(axes[:, i], [np.full(len(COMPARED), RATES.index(OF_THE_PAPER)), best[i]]):
            ends = []
            for j, name in enumerate(COMPARED):
                color, line, label = METHODS[name]
                label = label.removesuffix(", Fisher")
                each = loss[i, j, choice[j]]
                band(ax, epochs, each, color, line, label=label)
                ends.append((f"{RATES[choice[j]]:g}", each[:, -1].mean(), color))
            ax.set(yscale="log", ylim=(1e-3 if ax is axes[0, i] else 1e-4, CEILING), xlim=(0, epochs[-1]),
                   xticks=epochs[::max(1, epochs[-1] // 2)])
            ax.minorticks_off()
            if ax is axes[1, i]:
                end_labels(ax, ends)
        axes[0, i].set_title(net)
        axes[1, i].set_xlabel("epoch")
    axes[0, 0].set_ylabel(f"training loss, rate {OF_THE_PAPER:g}")
    axes[1, 0].set_ylabel("training loss, best rates")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(COMPARED))
    return figure
