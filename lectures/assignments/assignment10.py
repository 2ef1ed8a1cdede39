"""A diagonal from random signs.          Lecture 10.

Hutchinson's estimate, and the two methods that divide by it.
"""
from lectures.assignments import Claim, between, laws, net, run

BLANKS = {"numopt.optimizers.diagonal": ["hutchinson", "adahessian", "sophia"]}
ALSO = {"numopt.kernels.vectors": ["adahessian"]}
KNOWN = ["m = beta1 * m + (1 - beta1) * g", "m_hat = m / (1 - beta1**t)", "v_hat = v / (1 - beta2**t)"]


def draw(random):
    return {"lr": between(random, 1e-3, 1e-2), "beta1": float(random.uniform(0.5, 0.95)),
            "beta2": float(random.uniform(0.8, 0.999)), "seed": int(random.integers(1000))}


def sophias(random):
    return draw(random) | {"gamma": float(random.uniform(0.01, 1)), "k": int(random.integers(1, 5)),
                           "weight_decay": float(random.uniform(0, 0.2))}


CLAIMS = [
    *laws("adahessian", draw),
    Claim("adahessian", "Its diagonal has the signs of H's, and is averaged over a matrix's rows.",
          lambda random: run("adahessian", {"kind": "net", **net(random, (4, 3, 2))}, random.standard_normal(23), 4,
                             **draw(random), block=3), 2),
    Claim("adahessian", "Its power takes it from the averaged gradient to Newton's step.",
          lambda random: run("adahessian", {"kind": "Rosenbrock"}, random.uniform(-1, 1, 2), 10,
                             **draw(random), power=float(random.uniform(0, 1)), weight_decay=0.1), 2),
    *laws("sophia", sophias),
    Claim("hutchinson", "z ∘ Hz, for signs z, is the diagonal of H on the average.",
          lambda random: run("sophia", {"kind": "Rosenbrock"}, random.uniform(-1, 1, 2), 10, **sophias(random),
                             estimator="H"), 3),
]
