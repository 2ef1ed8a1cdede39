"""With batch normalization a deep net learns from half to eight times Glorot's weights, and without it from one or two.

Nets of eight hidden layers of 32 units with tanh learn handwritten digits, in mini-batches of 100 at the rate 0.3, from
Glorot's weights times ½, 1 and 4; once as they are and once normalized before every tanh.  Above, what one unit of the
last hidden layer is given: the median and the middle 70% over 500 examples.  Half as large, the weights let everything
vanish on the way, and nothing is learned for long; four times as large, they saturate the units.  Normalized, all three
begin with the same inputs, of mean 0 and variance 1, whose mean β and deviation γ are then learned.  (The lecture notes
say that they are distributed as N(0, 1); they have its mean and variance, not its shape.)  It does not make every size
good: what is normalized moves the less for a step the larger it is, and from a tenth of Glorot's weights, or twenty
times them, 200 steps leave a loss several times as high.

Ravasi's lecture notes, section "Batch Normalization"; cf. Ioffe and Szegedy (2015), Figure 1.          Lecture 13.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, VERMILION, band, end_labels
from numopt.data import digits
from numopt.networks import BatchNorm, Dense, Mode, Network, Tanh
from numopt.optimizers import gradient_descent
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import path

SCALES = 0.5, 1.0, 4.0
LINES = {0.5: (BLUE, "--"), 1.0: (BLACK, "-"), 4.0: (VERMILION, "-.")}
UNITS, HIDDEN, UNIT = 32, 8, 3
EVERY, SEEN = 10, 500
MIDDLE = 15, 85  # percent


def net(normalized):
    """The whole net, and that of its layers that end where the last tanh begins."""
    layers = []
    for inputs in [64] + [UNITS] * (HIDDEN - 1):
        layers += [Dense(inputs, UNITS, bias=False), BatchNorm(UNITS)] if normalized else [Dense(inputs, UNITS)]
        layers.append(Tanh())
    return Network(*layers, Dense(UNITS, 10), inputs=64), Network(*layers[:-1], inputs=64)


def train(normalized, scale, steps, lr, seed=0):
    """What one unit is given, for each of the examples, and the loss, at the start and after every so many steps."""
    X, Y, *_ = digits(dtype=np.float32)
    network, lower = net(normalized)
    run = gradient_descent(EmpiricalRisk(network, X[:1400], Y[:1400], batch_size=100, seed=seed),
                           network.initial(seed=seed, scale=scale, dtype=np.float32), lr=lr)
    given, loss, watched = [], [], MiniBatch(network, X[:SEEN], Y[:SEEN])
    for theta in path(run, steps)[::EVERY]:
        z, _ = lower.forward(theta[:lower.size], X[:SEEN], Mode(training=True))
        given.append(z[:, UNIT])
        loss.append(watched.value(theta))
    return given, loss


def compute(lr=0.3, steps=200):
    found = [train(normalized, scale, steps, lr) for normalized in (False, True) for scale in SCALES]
    given, loss = zip(*found)
    return {"given": np.array(given).reshape(2, len(SCALES), -1, SEEN),
            "loss": np.array(loss).reshape(2, len(SCALES), -1)}


def draw(given, loss):
    figure, axes = plt.subplots(2, 2, figsize=(6, 6), sharex=True, sharey="row")
    t = EVERY * np.arange(loss.shape[-1])
    for above, below, title, inputs, losses in zip(*axes, ["as it is", "batch-normalized"], given, loss):
        for (scale, (color, style)), z, value in zip(LINES.items(), inputs, losses):
            band(above, t, z.T, color, style, middle=np.median, reach=MIDDLE)
            above.plot(t, np.percentile(z, MIDDLE, axis=1).T, color=color, linestyle=style, linewidth=1)
            below.semilogy(t, value, color=color, linestyle=style)
        end_labels(below, [(f"× {scale:g}", np.median(value[-5:]), LINES[scale][0])
                           for scale, value in zip(SCALES, losses)])
        above.set_title(title)
        below.set_xlabel("step")
    axes[0, 0].set_ylabel("input of a deep unit")
    axes[1, 0].set(ylabel="loss", xlim=(0, t[-1]))
    return figure
