"""What an answer is asked to do, as plain data, and doing it: the judge and the worker run the same lines.

A job is a dictionary of texts, numbers, lists and arrays, {"array": nested lists, "dtype": "float64"}:

    {"do": "run", "method": "adam", "on": {a problem}, "theta": array, "with": {hyperparameters}, "steps": 20}
    {"do": "call", "function": "numopt.linalg.systems.conjugate_gradient", "arguments": [...], "keywords": {...},
     "results": their names, where there are several}
    {"do": "layer", "layer": ["Dense", 3, 2], "w": array, "x": array, "v": array, "pass": "backward" ...}
    {"do": "product", "net": {...}, "theta": array, "v": array, "matrix": "gauss_newton"}

What is done gives arrays by name.  A run that "stops" after so many steps is begun anew from its memory, and must come
to the same; a run gives the path it took, and what then stands in what it was given.
"""
import sys
from functools import partial
from importlib import import_module
from itertools import islice

import numpy as np

from numopt import line_search, linalg, networks, optimizers, problems


def array(values, dtype="float64"):
    """An array as part of a job."""
    return {"array": np.asarray(values).tolist(), "dtype": dtype}


def plain(value):
    """A value as part of a job: an array where it is one, or has some."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return array(value, str(value.dtype)) if isinstance(value, np.ndarray) else value


def made(value):
    """What a part of a job stands for: its arrays, and its functions by name, at any depth."""
    if isinstance(value, dict) and "array" in value:
        return np.array(value["array"], value["dtype"])
    if isinstance(value, dict) and "bound" in value:  # a function with some of its arguments
        return partial(named(value["bound"]), **made(value.get("to", {})))
    if isinstance(value, dict) and "made" in value:   # what a function gives
        return named(value["made"])(**made(value.get("of", {})))
    if isinstance(value, dict):
        return {name: made(part) for name, part in value.items()}
    return tuple(made(part) for part in value) if isinstance(value, (list, tuple)) else value


def named(name):
    """What has that name: "numopt.linalg.systems.gcr"."""
    module, _, name = name.rpartition(".")
    return getattr(import_module(module), name)


def problem(kind, **how):
    """What a run minimises."""
    if kind == "net":
        return risk(**how)
    if kind == "slopes":
        return Slopes(how["g"])
    if kind in MADE_HERE:
        return MADE_HERE[kind](**how)
    return getattr(problems, kind)(**how)


def network(sizes, activation="tanh", loss="SoftmaxCrossEntropy", **how):
    return networks.mlp(list(sizes), activation=activation, loss=getattr(networks, loss)(), **how)


def risk(X, Y, batch_size=None, seed=0, ridge=0.0, **net):
    made_of = problems.EmpiricalRisk(network(**net), X, Y, batch_size=batch_size or len(X), seed=seed)
    return problems.Ridge(made_of, ridge) if ridge else made_of


def fit(x, y):
    """Two numbers of y ≈ θ₁ exp(θ₂ x), by least squares."""
    def jacobian(theta):
        return np.exp(theta[1] * x)[:, None] * np.array([np.ones_like(x), theta[0] * x]).T

    return problems.LeastSquares(lambda theta: theta[0] * np.exp(theta[1] * x) - y, jacobian, size=2)


def ridged():
    """Residuals with waves in them: models of them are right here and wrong there."""
    def residuals(theta):
        return np.array([theta[0] + np.sin(3 * theta[0]), 50 * (theta[1] - np.sin(2 * theta[0])), np.cos(3 * theta[1])])

    def jacobian(theta):
        return np.array([[1 + 3 * np.cos(3 * theta[0]), 0], [-100 * np.cos(2 * theta[0]), 50],
                         [0, -3 * np.sin(3 * theta[1])]])

    return problems.LeastSquares(residuals, jacobian, size=2)


MADE_HERE = {"fit": fit, "ridged": ridged}


class Slopes(problems.Objective):
    """A problem that has the gradient g[t − 1] at step t, wherever θ is, and the value gᵀθ."""

    def __init__(self, g, t=None):
        self.g, self.t, self.size = np.asarray(g), t, np.shape(g)[1]

    def loss(self, t):
        return Slopes(self.g, t)

    def value(self, theta):
        return float(self.g[(self.t - 1) % len(self.g)] @ theta)

    def gradient(self, theta):
        return self.g[(self.t - 1) % len(self.g)].astype(theta.dtype)


def perform(job):
    """{name: array} of what was asked for."""
    return {"run": run, "call": call, "layer": layer, "product": product}[job["do"]](**made(
        {name: part for name, part in job.items() if name != "do"}))


def run(method, on, theta, steps, stops=0, **how):
    method = partial(getattr(optimizers, method), **how.get("with", {}))
    before, loss, path = theta.copy(), problem(**on), []
    going = method(loss, theta)
    for step in range(steps):
        if stops and step == stops:
            going = method(loss, going.theta, **going.memory)
        now = next(going, None)
        if now is None:
            break
        path.append(np.array(now))
    return {"path": np.array([before, *path], float), "given": np.array(theta, float)}


def call(function, arguments=(), keywords=None, results=()):
    result = named(function)(*arguments, **keywords or {})
    if not isinstance(result, tuple):
        return {"result": np.asarray(result, float)}
    names = results or [f"result {number}" for number in range(1, len(result) + 1)]
    return {name: np.asarray(part, float) for name, part in zip(names, result)}


def layer(layer, w, x, dy=None, v=None, Rx=None, Rdy=None, training=True,
          statistics=None):
    """All passes of a layer that the job has something for; `pass` has no need of a name."""
    kind, *how = layer
    there = getattr(networks, kind)(*how)
    mode = networks.Mode() if training else networks.Mode(training=False, statistics=[statistics])
    y, saved = there.forward(w, x, mode)
    results = {"y": y}
    if dy is not None:
        dw = np.full(len(w), np.nan)
        results |= {"dx": there.backward(w, saved, dy, dw), "dw": dw}
    if v is not None:
        results["Ry"], Rsaved = there.jvp(w, saved, v, Rx)
        if Rdy is not None:
            Rdw = np.full(len(w), np.nan)
            _, Rdx = there.r_backward(w, saved, v, Rsaved, dy, Rdy, Rdw)
            results |= {"Rdx": Rdx, "Rdw": Rdw}
    return {name: np.asarray(part, float) for name, part in results.items()}


def product(net, theta, matrix, v):
    loss = risk(**net).loss(1)
    return {"result": np.asarray(loss.gradient(theta) if matrix == "gradient" else getattr(loss, matrix)(theta) @ v)}


def several(method, on, thetas, steps, **how):
    """Where runs from several starts are after so many steps."""
    method = partial(getattr(optimizers, method), **how)
    return np.array([[theta, *islice(method(problem(**on), theta), steps)][-1] for theta in thetas])


def conjugate(A, b, steps, x=None, preconditioner=None):
    """x and its residual after so many iterates of conjugate gradients."""
    *_, last = islice(linalg.conjugate_gradient_iterates(A, b, x, preconditioner), steps)
    return last.x, last.r


def searched(search, on, theta, alpha, **how):
    """The step along the negative gradient that a line search takes, and the value there."""
    loss = problem(**on)
    step = getattr(line_search, search)(loss, theta, -loss.gradient(theta), alpha=alpha, **how)
    return np.array([step.alpha, step.f])


def derivatives(z, y, order="C"):
    """Those of the cross-entropy by the outputs, which lie row by row in the memory, or ("F") column by column."""
    return networks.SoftmaxCrossEntropy().gradient(np.asarray(z, order=order), y)


def factors(k, padding, x, dy, w, form):
    """A and G of a convolution."""
    there = networks.Conv2D(x.shape[3], dy.shape[3], k, 1, padding)
    _, [(dense, rows, columns)] = there.pairs(w, x, dy)
    return dense.kronecker_factors(rows, columns, len(x), form)


def put(module, name, function):
    """A notebook's own function in the place of the package's, wherever that has been imported to."""
    place, (*outer, name) = import_module(module), name.split(".")
    if outer:
        setattr(getattr(place, outer[0]), name, function)
        return
    before = getattr(place, name)
    for other in [module for name, module in sys.modules.items() if name.partition(".")[0] == "numopt"]:
        for known in [known for known, value in vars(other).items() if value is before]:
            setattr(other, known, function)
