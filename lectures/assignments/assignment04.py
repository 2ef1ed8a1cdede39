"""A rate for every coordinate.          Lecture 4.

RMSProp forgets what AdaGrad keeps, and Adam corrects for having started at zero.
"""
from lectures.assignments import Claim, between, laws, run, slopes
from lectures.coursework.holding import first_step

BLANKS = {"numopt.optimizers.adaptive": ["rmsprop", "adam"]}
ALSO = {"numopt.optimizers.adaptive": ["adadelta", "amsgrad", "nadam", "adamw"],
        "numopt.kernels.vectors": ["rmsprop", "adam", "adahessian"],
        "numopt.optimizers.adam_family": ["radam", "adabelief", "adan", "lamb"],
        "numopt.optimizers.rate_free": ["prodigy", "schedule_free_adamw"],
        "numopt.optimizers.diagonal": ["adahessian", "ivon"],
        "numopt.optimizers.kronecker": ["soap"], "numopt.optimizers.compiled": ["corrected"],
        "data_scripts.element_loops": ["adam", "rmsprop"]}
KNOWN = ["m = beta1 * m + (1 - beta1) * g"]


def averages(random):
    return {"lr": between(random, 1e-3, 1e-1), "rho": float(random.uniform(0.5, 0.99)),
            "eps": between(random, 1e-8, 1e-2)}


def moments(random):
    return {"lr": between(random, 1e-3, 1e-1), "beta1": float(random.uniform(0.5, 0.95)),
            "beta2": float(random.uniform(0.8, 0.999)), "eps": between(random, 1e-8, 1e-2)}


CLAIMS = [
    *laws("rmsprop", averages, on=slopes),
    Claim("rmsprop", "It forgets: after large gradients the steps grow again.",
          lambda random: run("rmsprop", {"kind": "slopes", "g": [[100.0, 10.0]] + [[0.1, -0.1]] * 30},
                             random.standard_normal(2), 31, **averages(random)), 2),
    *laws("adam", moments, on=slopes, points=2),
    Claim("adam", "Its first step has the length of the rate in every coordinate, whatever the gradient is.",
          lambda random: run("adam", slopes(random), random.standard_normal(4), 1, **moments(random) | {"eps": 1e-12}),
          2, holds=first_step),
    Claim("adam", "The corrections fade: after a thousand steps they are next to nothing, and still right.",
          lambda random: run("adam", slopes(random, steps=7), random.standard_normal(4), 1000, lr=1e-3, beta1=0.9,
                             beta2=float(random.uniform(0.99, 0.999))), 2, shown=False),
]
