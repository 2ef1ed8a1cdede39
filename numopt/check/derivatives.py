"""Are the derivatives right?  Checks of an objective of your own, each of which gives a relative error.

Each compares what the objective answers with central differences, f(θ + d) − f(θ − d), and gives
‖answer − difference‖ / max(‖answer‖, ‖difference‖): 0 where they agree, 2 where the sign is wrong, ½ where a factor 2
is missing.  In double precision a right derivative has an error of 1e-7 or less, and one above 1e-2 is wrong.  In
between, a small part is wrong, one derivative among many, or nothing is and the objective is one of these:

* in single precision: differences of rounded values are right to 3 or 4 digits.  Check at theta.astype(float).
* with kinks, as of ReLU, max or |x|: a difference taken across a kink belongs to neither side.  The error then depends
  on the step; try a smaller one, and another θ.  A unit whose inputs and bias are zero is on its kink.
* with details finer than the step, a cliff for example: a smaller step helps.
* at or near a point where the gradient is zero: what is left is rounding.  Check at a random θ.  This can be built in:
  the sum of a batch normalisation's outputs does not depend on its inputs, so check with a loss of unequal weights.
* random: it must give the same value whenever it is asked.  Of a problem with mini-batches check one, problem.loss(1).

nan says that the objective does not answer the question, inf that the answer has the wrong shape or is not finite.
"""
from functools import wraps
from math import inf, nan, sqrt

import numpy as np


def answered(check):
    """Where the objective does not answer there is no error to give: nan."""

    @wraps(check)
    def checked(objective, theta, **how):
        try:
            return check(objective, floating(theta), **how)
        except NotImplementedError:
            return nan

    return checked


@answered
def check_gradient(objective, theta, *, directions=10, seed=0, step=None):
    """The relative error of the gradient's slopes gᵀd along random directions.

    If one derivative among n is wrong, the error is about its share of the gradient's length; which one it is,
    check_coordinates says.
    """
    g = objective.gradient(theta)
    if np.shape(g) != theta.shape:
        return inf
    pairs = [around(theta, v, step) for v in random_directions(theta, directions, seed)]
    slopes = [np.asarray(g, float) @ (up - down) for up, down in pairs]
    return relative_error(slopes, [objective.value(up) - objective.value(down) for up, down in pairs])


@answered
def check_coordinates(objective, theta, *, step=None):
    """The error of each derivative, relative to the largest of them: an array, in which a wrong one stands out."""
    g = objective.gradient(theta)
    if np.shape(g) != theta.shape:
        return np.full(theta.shape, inf)
    pairs = [around(theta, v, step) for v in np.eye(theta.size)]
    slope = np.array([(objective.value(up) - objective.value(down)) / np.abs(up - down).sum() for up, down in pairs])
    errors = np.full(theta.size, inf)
    finite = np.isfinite(g) & np.isfinite(slope)
    g, slope = np.asarray(g, float)[finite], slope[finite]
    errors[finite] = np.abs(g - slope) / (np.abs([g, slope]).max(initial=0) or 1)
    return errors


@answered
def check_hessian(objective, theta, *, directions=10, seed=0, step=None):
    """The relative error of the Hessian's products with random directions, against differences of the gradient.

    It takes the gradient to be right: check that first.
    """
    H = objective.hessian(theta)
    if getattr(H, "shape", None) != 2 * theta.shape:
        return inf
    pairs = [around(theta, v, step) for v in random_directions(theta, directions, seed)]
    products = [H @ (up - down).astype(theta.dtype) for up, down in pairs]
    return relative_error(products, [objective.gradient(up) - objective.gradient(down) for up, down in pairs])


@answered
def check_gauss_newton(objective, theta, *, step=None):
    """The relative error of the whole Gauss-Newton matrix, against JᵀJ with J made of differences of the residuals.

    For LeastSquares, and any objective ½‖r‖² that has a method `residuals`.  It takes n products: for small problems.
    """
    if not hasattr(objective, "residuals"):
        return nan
    G = objective.gauss_newton(theta)
    if getattr(G, "shape", None) != 2 * theta.shape:
        return inf
    columns = []
    for up, down in (around(theta, v, step) for v in np.eye(theta.size)):
        columns.append((objective.residuals(up) - objective.residuals(down)) / np.abs(up - down).sum())
    J = np.stack(columns, axis=1)
    return relative_error(G @ np.eye(theta.size, dtype=theta.dtype), J.T @ J)


def table(objective, theta, **how):
    """All checks as lines of text: what was asked, its relative error, and how to read that."""
    theta = floating(theta)
    lines = [f"{type(objective).__name__} at a theta of {theta.size} numbers, {theta.dtype}", ""]
    errors = {"gradient": check_gradient(objective, theta, **how), "hessian": check_hessian(objective, theta, **how),
              "gauss_newton": check_gauss_newton(objective, theta)}
    for name, error in errors.items():
        lines.append(f"{name:<14}{error:>9.1e}   {reading(error, theta.dtype)}")
    return "\n".join(lines)


def reading(error, dtype=np.float64):
    """What a relative error says: right below 1.5e-7, wrong above 1e-2; in single precision 3.5e-3 and 0.1."""
    if np.isnan(error):
        return "not answered"
    root = sqrt(np.finfo(dtype).eps)
    return "right" if error < 10 * root else "doubtful" if error < max(1e-2, 300 * root) else "wrong"


def floating(theta):
    """θ in single precision if it came so, otherwise in double."""
    theta = np.asarray(theta)
    return theta.astype(np.result_type(theta, np.float32))


def random_directions(theta, directions, seed):
    """Vectors of length 1, one a row, each as likely as every other."""
    v = np.random.default_rng(seed).standard_normal((directions, theta.size))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def around(theta, v, step=None):
    """θ + hv and θ − hv, in the precision of θ; what counts is the distance d between them after rounding.

    Central differences are wrong by about h², and rounding adds eps / h: least for h about ∛eps, times the size of θ.
    """
    if step is None:
        step = float(np.cbrt(np.finfo(theta.dtype).eps)) * (1 + float(np.linalg.norm(theta)))
    return (theta + step * v).astype(theta.dtype), (theta - step * v).astype(theta.dtype)


def relative_error(answer, difference):
    """‖answer − difference‖ / max(‖answer‖, ‖difference‖), and inf if one of them is not finite."""
    answer, difference = np.asarray(answer, float), np.asarray(difference, float)
    if not (np.isfinite(answer).all() and np.isfinite(difference).all()):
        return inf
    wrong = np.linalg.norm(answer - difference)
    return float(wrong / max(np.linalg.norm(answer), np.linalg.norm(difference))) if wrong else 0.0
