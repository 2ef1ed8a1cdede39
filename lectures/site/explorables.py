"""What a reader moves: runs for every position of a slider, computed by the loops of the lectures when a site is built.

An explorable has a title, sliders {name: values}, and a function of one value of each that gives what is drawn:

    {"path": [[x, y], ...], ...}          runs in a plane, over the level lines of `levels`
    {"curves": {label: [y, ...]}, ...}    numbers over steps, with "log" the scale of y

The last entry but one names the quotation that it stands beneath: what moves was computed by that loop.
"""
import json
from functools import partial
from itertools import islice, product

import numpy as np

from numopt import optimizers
from numopt.networks import mlp
from numopt.problems import EmpiricalRisk, LeastSquares, Noisy, Quadratic, Rosenbrock, Saddle


def path(method, problem, start, steps, **how):
    """The iterates of a run, as far as it stays near; it may end, or diverge."""
    iterates = [np.asarray(start, float)]
    try:
        for theta in islice(getattr(optimizers, method)(problem, np.asarray(start, float), **how), steps):
            if not np.abs(theta).max() < 1e3:
                break
            iterates.append(theta)
    except ArithmeticError:
        iterates = iterates[:]
    return np.array(iterates)


def valley(kappa):
    return Quadratic(np.diag([1.0, kappa]))


def errors(method, problem, start, steps, **how):
    """How far f is above its minimum along a run."""
    return [problem.value(theta) - problem.minimum for theta in path(method, problem, start, steps, **how)]


def zigzag(condition):
    return {"path": path("steepest_descent", valley(condition), [condition, 1.0], 25) / [condition, 1.0]}


def plane(method, problem, start, steps, **how):
    return {"path": path(method, problem, start, steps, **how)}


def descent(rate):
    return plane("gradient_descent", valley(10.0), [9.0, 1.0], 40, lr=rate)


def momentum(rate, momentum):
    return plane("momentum", valley(10.0), [9.0, 1.0], 60, lr=rate, mu=momentum)


def adam(rate, beta2):
    return plane("adam", Rosenbrock(), [-1.2, 1.0], 150, lr=rate, beta2=beta2)


def learned(start, alpha):
    run, rates = optimizers.gradient_rate(valley(10.0), np.array([9.0, 1.0]), lr=start, alpha=alpha), [start]
    try:
        for _ in islice(run, 60):
            rates.append(run["lr"])
    except ArithmeticError:
        return {"curves": {"rate": rates}}
    return {"curves": {"rate": rates, "1 / largest eigenvalue": [0.1] * len(rates)}}


def damped(damping):
    fit = LeastSquares(lambda theta: np.array([10 * (theta[1] - theta[0]**2), 1 - theta[0]]),
                       lambda theta: np.array([[-20 * theta[0], 10], [-1.0, 0]]), size=2)
    return plane("levenberg_marquardt", fit, [-1.2, 1.0], 30, tau=damping)


def conjugate(formula, start):
    return plane("nonlinear_cg", Rosenbrock(), [start, 1.0], 40, formula=formula)


def history(pairs, condition):
    spectrum = np.geomspace(1, condition, 20)
    problem = Quadratic(np.diag(spectrum))
    return {"curves": {"L-BFGS": errors("lbfgs", problem, np.ones(20), 40, history=pairs)}, "log": True}


def natural(damping):
    random = np.random.default_rng(0)
    X = random.standard_normal((40, 2)) * [1.0, 0.2]
    risk = EmpiricalRisk(mlp([2, 2]), X, (X @ [1.0, 3.0] > 0).astype(int))
    theta, curves = np.zeros(6), {}
    for name, method, how in (("natural gradient", "natural_gradient", {"damping": damping, "lr": 0.5}),
                              ("gradient descent", "gradient_descent", {"lr": 1.0})):
        curves[name] = [risk.whole.value(at) for at in path(method, risk, theta, 40, **how)]
    return {"curves": curves}


def signs(power, noise):
    problem = Noisy(valley(30.0), noise, seed=0)
    return plane("adahessian", problem, [3.0, 1.0], 60, lr=0.1, power=power)


def roots(steps, smallest):
    from numopt.linalg import newton_schulz
    singular = np.geomspace(smallest, 1.0, 12)
    X = newton_schulz(np.diag(singular), steps=steps) if steps else np.diag(singular)
    return {"curves": {"singular values": sorted(np.linalg.svd(X, compute_uv=False)), "one": [1.0] * 12}}


def window(window, condition):
    problem = Quadratic(np.diag(np.geomspace(1, condition, 20)))
    return {"curves": {"GCR": [np.linalg.norm(problem.gradient(theta)) for theta in
                               path("gcr", problem, np.ones(20), 40, window=window)]}, "log": True}


def averaged(rate, noise):
    problem, start = Noisy(valley(3.0), noise, seed=1), [3.0, 2.0]
    inner = partial(optimizers.gradient_descent, lr=rate)
    return {"curves": {"gradient descent": [valley(3.0).value(theta) for theta in
                                            path("gradient_descent", problem, start, 150, lr=rate)],
                       "its average": [valley(3.0).value(theta) for theta in
                                       path("polyak", problem, start, 150, inner=inner)]}, "log": True}


def escape(start, rate):
    return plane("gradient_descent", Saddle(), [1.0, start], 60, lr=rate)


def rounded(values):
    return [float(f"{value:.3g}") for value in values]


# name: (title, sliders, function, the quotation it stands beneath, what is behind the paths)
ALL = {
    "escape": ("How long a saddle holds a run that begins near its ridge",
               {"start": rounded(np.geomspace(1e-8, 0.3, 9)), "rate": [0.05, 0.1, 0.2, 0.3]}, escape,
               "figure saddle", Saddle()),
    "zigzag": ("Exact steps down a valley of this condition", {"condition": [1, 2, 3, 5, 8, 12, 20, 30, 50]}, zigzag,
               "code steepest_descent", valley(1.0)),
    "descent": ("One rate for two curvatures, 1 and 10: it diverges above 0.2",
                {"rate": [0.01, 0.02, 0.05, 0.1, 0.15, 0.18, 0.19, 0.2, 0.205]}, descent,
                "code gradient_descent", valley(10.0)),
    "momentum": ("A ball in the same valley", {"rate": [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3],
                                               "momentum": [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95]}, momentum,
                 "code momentum", valley(10.0)),
    "adam": ("Adam along Rosenbrock's valley", {"rate": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
                                                "beta2": [0.5, 0.9, 0.99, 0.999]}, adam,
             "code adam", Rosenbrock()),
    "learned": ("A rate that is learned, from too small and from too large",
                {"start": [0.001, 0.003, 0.01, 0.03, 0.1, 0.15], "alpha": [1e-7, 1e-6, 1e-5, 1e-4, 1e-3]}, learned,
                "code gradient_rate", None),
    "damped": ("Levenberg and Marquardt, from damping at the start", {"damping": [1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1, 10]},
               damped, "code levenberg_marquardt", Rosenbrock()),
    "conjugate": ("Conjugate directions along Rosenbrock's valley",
                  {"formula": ["fletcher_reeves", "polak_ribiere_plus", "hestenes_stiefel"],
                   "start": [-1.8, -1.2, -0.5, 0.0, 0.5, 1.5]}, conjugate,
                  "code nonlinear_cg", Rosenbrock()),
    "history": ("How many pairs are worth remembering", {"pairs": [1, 2, 3, 5, 10, 20, 40],
                                                         "condition": [3, 10, 100, 1000, 10000]}, history,
                "code lbfgs", None),
    "natural": ("What damping makes of a natural gradient, on a classifier of two features, one five times the other",
                {"damping": [1e-4, 1e-3, 1e-2, 0.1, 1, 10]}, natural,
                "code natural_gradient", None),
    "signs": ("From the averaged gradient (power 0) to Newton's step (power 1), with noise",
              {"power": [0.0, 0.25, 0.5, 0.75, 1.0], "noise": [0.0, 0.1, 0.3, 1.0]}, signs,
              "code adahessian", valley(30.0)),
    "roots": ("What the polynomial makes of singular values from this to 1",
              {"steps": [0, 1, 2, 3, 4, 5, 7, 10], "smallest": [0.001, 0.01, 0.1, 0.5]}, roots,
              "code muon", None),
    "window": ("How many directions are worth remembering", {"window": [1, 2, 3, 5, 10, 20],
                                                             "condition": [3, 10, 100, 1000]}, window,
               "code gcr", None),
    "averaged": ("What an average makes of noise", {"rate": [0.01, 0.03, 0.1, 0.3, 0.5],
                                                    "noise": [0.0, 0.1, 0.3, 1.0, 3.0]}, averaged,
                 "code polyak", None),
}


def places():
    """{name: the quotation that it stands beneath}."""
    return {name: after for name, (_, _, _, after, _) in ALL.items()}


def computed():
    """Everything that moves, as compact lists: the results in the order of the sliders' positions, the last fastest."""
    return {name: {"title": title, "sliders": sliders, "back": ground(back, results) if back is not None else None,
                   "results": results}
            for name, (title, sliders, function, _, back) in ALL.items()
            for results in [[short(function(**dict(zip(sliders, chosen)))) for chosen in product(*sliders.values())]]}


def short(result):
    """The same with four digits."""
    def digits(values):
        return [float(f"{value:.4g}") for value in values]
    if "path" in result:
        return {"path": [digits(point) for point in result["path"]]}
    return {"curves": {label: digits(values) for label, values in result["curves"].items()},
            "log": bool(result.get("log"))}


def ground(objective, results):
    """The level lines beneath paths: {"box": [x0, x1, y0, y1], "lines": [[[x, y], ...], ...]}."""
    from contourpy import contour_generator
    inside = np.array([point for result in results for point in result["path"][:20]])
    inside = inside[np.abs(inside).max(axis=1) < 12]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.1 * (high - low) + 0.1
    low, high = low - margin, high + margin
    x, y = (np.linspace(a, b, 61) for a, b in zip(low, high))
    z = np.array([[objective.value(np.array([a, b])) for a in x] for b in y])
    lines = [line for level in np.quantile(z, [0.02, 0.08, 0.2, 0.4, 0.65, 0.9])
             for line in contour_generator(x, y, z).lines(level)]
    return {"box": [float(f"{value:.4g}") for value in (low[0], high[0], low[1], high[1])],
            "lines": [[rounded(point) for point in line[::2]] for line in lines if len(line) > 3]}


def markup(name, told):
    """An explorable as it stands in a page: its data, which explore.js draws."""
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    return (f'\n```{{raw}} html\n<figure class="explore" id="explore-{name}" aria-label="{told["title"]}">'
            f'<script type="application/json">{data}</script></figure>\n```\n')
