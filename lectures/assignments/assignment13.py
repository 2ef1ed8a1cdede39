"""Averages of iterates, and of batches.          Lecture 13.

Polyak's average, Lookahead, and both passes of batch normalisation.
"""
from lectures.assignments import Claim, between, bowl, layer, run

BLANKS = {"numopt.optimizers.averaging": ["polyak", "lookahead"],
          "numopt.networks.normalization": ["BatchNorm.forward", "BatchNorm.backward"]}

ALSO = {"numopt.networks.normalization": ["BatchNorm.jvp", "BatchNorm.r_normalize", "BatchNorm.r_backward"],
        "numopt.optimizers.around": ["decayed", "by_layer"]}


def inner(random):
    return {"bound": "numopt.optimizers.momentum.momentum", "to": {"lr": between(random, 1e-3, 1e-2), "mu": 0.7}}


def averaged(method, steps=8, **how):
    return lambda random: run(method, bowl(random), random.standard_normal(4), steps, inner=inner(random), **how)


def normalised(backward):
    def job(random):
        n, channels = (int(number) for number in random.integers(3, 7, 2))
        parts = {"w": random.standard_normal(2 * channels), "x": 3 * random.standard_normal((n, channels)) + 1}
        parts |= {"dy": random.standard_normal((n, channels))} if backward else {}
        return layer("BatchNorm", channels, **parts)
    return job


CLAIMS = [
    Claim("polyak", "The mean of all iterates so far is handed out, and the inner method does not notice.",
          averaged("polyak"), 2),
    Claim("polyak", "With a window it is the mean of the last few.", averaged("polyak", window=3), 2),
    Claim("polyak", "It goes on from its memory.", averaged("polyak", stops=4), 1, shown=False),
    Claim("lookahead", "After k steps of the inner method the slow weights go part of the way to the fast ones.",
          averaged("lookahead", steps=4, k=3, alpha=0.5), 3),
    Claim("lookahead", "It goes on from its memory, wherever α leads.",
          lambda random: run("lookahead", bowl(random), random.standard_normal(4), 4, stops=2, k=2,
                             alpha=float(random.uniform(0.2, 0.9)), inner=inner(random)), 2, shown=False),
    Claim("BatchNorm.forward", "Every channel has mean β and standard deviation γ over the batch.",
          normalised(False), 3),
    Claim("BatchNorm.forward", "In evaluation it takes the mean and the variance that it is given.",
          lambda random: layer("BatchNorm", 3, w=random.standard_normal(6), x=random.standard_normal((4, 3)),
                               training=False, statistics=random.uniform(0.5, 2, (2, 3))), 1, shown=False),
    Claim("BatchNorm.backward", "A derivative goes back through the mean and the variance, too.", normalised(True), 4),
]
