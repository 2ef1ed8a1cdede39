"""The ends of what problems, layers, schedules and searches take: all that is allowed, and nothing beyond."""
from math import inf, nan

import numpy as np
import pytest

from numopt import line_search, networks, problems, schedules
from numopt.linalg import spectra, systems
from numopt.optimizers import by_layer, gradient_descent
from numopt.record import path, record

TINY, ONE = 5e-324, 1 - 2**-53  # the number next to 0, and that next below 1
FROM_0, ABOVE_0 = ([0, TINY, 1e300], [-TINY, inf, nan]), ([TINY, 1e300], [0, -TINY, inf, nan])
BELOW_1, BETWEEN = ([0, ONE], [-TINY, 1, nan]), ([TINY, ONE], [0, 1, nan])
BOWL, NET = problems.Quadratic([[1.0]]), networks.mlp([1, 2])
RISK = NET, [[0.0], [1.0], [2.0]], [0, 1, 1]


def searched(search, **how):
    return search(BOWL, np.ones(1), -np.ones(1), **how)


NUMBERS = {
    "HEquation: c": (lambda x: problems.HEquation(3, x), [TINY, 1], [0, 1 + 2**-52, nan]),
    "Cliff: height": (lambda x: problems.Cliff(height=x), *ABOVE_0),
    "Cliff: width": (lambda x: problems.Cliff(width=x), *ABOVE_0),
    "Plateau": (problems.Plateau, [1e-300, 1e300], [0, inf]),
    "Saddle: a": (lambda x: problems.Saddle(a=x), *ABOVE_0), "Saddle: b": (lambda x: problems.Saddle(b=x), *ABOVE_0),
    "Saddle: c": (lambda x: problems.Saddle(c=x), [0, 1e-300, 1e300], [-TINY, inf, nan]),
    "Ridge": (lambda x: problems.Ridge(BOWL, x), *FROM_0), "Lasso": (lambda x: problems.Lasso(BOWL, x), *FROM_0),
    "Noisy": (lambda x: problems.Noisy(BOWL, x), *FROM_0),
    "Clipped: element": (lambda x: problems.Clipped(BOWL, element=x), *ABOVE_0),
    "Clipped: norm": (lambda x: problems.Clipped(BOWL, norm=x), *ABOVE_0),
    "Dropout": (networks.Dropout, *BELOW_1), "LeakyReLU": (networks.LeakyReLU, *BETWEEN),
    "ELU": (networks.ELU, *ABOVE_0), "BatchNorm: eps": (lambda x: networks.BatchNorm(1, x), *ABOVE_0),
    "RunningStatistics": (networks.RunningStatistics, *BELOW_1),
    "schedule": (schedules.schedule, *FROM_0), "schedule below 1": (lambda x: schedules.schedule(x, "mu", 1), *BELOW_1),
    "one_cycle: share": (lambda x: schedules.one_cycle(1.0, 9, x), *BELOW_1),
    "reduce_on_plateau: factor": (lambda x: schedules.reduce_on_plateau(1.0, x), *BELOW_1),
    "reduce_on_plateau: tolerance": (lambda x: schedules.reduce_on_plateau(1.0, tolerance=x), *BELOW_1),
    "exact: tolerance": (lambda x: searched(line_search.exact, tolerance=x), *BETWEEN),
    "backtracking: c": (lambda x: searched(line_search.backtracking, c=x), *BETWEEN),
    "backtracking: shrink": (lambda x: searched(line_search.backtracking, shrink=x), *BETWEEN),
    "strong_wolfe: c1": (lambda x: searched(line_search.strong_wolfe, c1=x), [TINY, 0.89], [0, 0.9, nan]),
    "strong_wolfe: c2": (lambda x: searched(line_search.strong_wolfe, c2=x), [2e-4, ONE], [1e-4, 1, nan]),
    **{f"{search.__name__}: alpha": (lambda x, search=search: searched(search, alpha=x), *ABOVE_0)
       for search in (line_search.exact, line_search.backtracking, line_search.strong_wolfe)}}
COUNTS = {
    "Rosenbrock": (problems.Rosenbrock, 2), "Rastrigin": (problems.Rastrigin, 2), "Ackley": (problems.Ackley, 2),
    "HEquation": (problems.HEquation, 1), "Bratu": (problems.Bratu, 1), "LennardJones": (problems.LennardJones, 2),
    "Accumulated": (lambda x: problems.Accumulated(BOWL, x), 1), "Noisy": (lambda x: problems.Noisy(BOWL, 1, x), 0),
    "EmpiricalRisk": (lambda x: problems.EmpiricalRisk(*RISK, batch_size=x), 1),
    "EmpiricalRisk: seed": (lambda x: problems.EmpiricalRisk(*RISK, seed=x), 0),
    "Whole": (lambda x: problems.Whole(*RISK, batch_size=x), 1), "initial": (NET.initial, 0),
    "Function: size": (lambda x: problems.Function(sum, size=x), 1), "mlp": (lambda x: networks.mlp([x, 2]), 1),
    "inputs": (lambda x: networks.Network(networks.Flatten(), inputs=[2, x]), 1),
    "BatchNorm": (networks.BatchNorm, 1), "MaxPool": (networks.MaxPool, 1),
    "Dense": (lambda x: networks.Dense(x, 1), 1),
    "step": (lambda x: schedules.step(1, x), 1), "cosine": (lambda x: schedules.cosine(1, x), 1),
    "piecewise_linear": (lambda x: schedules.piecewise_linear(1, 0, x), 1),
    "warm_up": (lambda x: schedules.warm_up(1, x), 1), "one_cycle": (lambda x: schedules.one_cycle(1, x), 2),
    "rise": (lambda x: schedules.warmup_stable_decay(1, 9, x, 1), 0),
    "fall": (lambda x: schedules.warmup_stable_decay(1, 9, 1, x), 1),
    "reduce_on_plateau: patience": (lambda x: schedules.reduce_on_plateau(1, patience=x), 0),
    "record: steps": (lambda x: record(gradient_descent(BOWL, [1.0]), x), 0),
    "record: every": (lambda x: record(gradient_descent(BOWL, [1.0]), 2, every=x), 1),
    "path": (lambda x: path(gradient_descent(BOWL, [1.0]), x), 0),
    "signs": (lambda x: list(spectra.signs(np.eye(2), 2, x, 0)), 1)}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_be_all_that_its_range_holds_to_the_very_ends_and_nothing_beyond(name):
    make, taken, refused = NUMBERS[name]
    with np.errstate(all="ignore"):
        for x in taken:
            make(x)
        for x in refused:
            with pytest.raises(ValueError):
                make(x)


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_begins_at_its_least_and_is_whole(name):
    make, least = COUNTS[name]
    for x in least, least + 1, np.int64(least):
        make(x)
    for x in least - 1, least + 0.5, nan, None if name == "signs" else "a":
        with pytest.raises((ValueError, TypeError)):
            make(x)


BATCH, START = problems.MiniBatch(*RISK), NET.initial(0)
NORMED = networks.Network(networks.Dense(1, 3), networks.BatchNorm(3), networks.Dense(3, 2), inputs=1)
PAIRS = 2 * [np.ones((2, 3))]
LENGTHS = {  # what is made with so many numbers, rows or pairs, and how many it takes
    **{f"θ of {ask}": (lambda n, ask=ask: getattr(BATCH, ask)(np.zeros(n)), NET.size) for ask in (
        "value", "gradient", "value_and_gradient", "hessian", "gauss_newton", "fisher", "empirical_fisher", "jacobian",
        "sampled_gradient", "per_example_gradients", "kronecker_factors", "fisher_rows", "accuracy", "statistics_of")},
    "θ of Whole": (lambda n: problems.Whole(*RISK).value(np.zeros(n)), NET.size),
    "θ of outputs": (lambda n: NET.outputs(np.zeros(n), [[1.0]]), NET.size),
    "θ of a run": (lambda n: gradient_descent(BATCH, np.zeros(n)), NET.size),
    **{f"θ of {type(f).__name__}": (lambda n, f=f: f.gradient(np.arange(n) / n), f.size) for f in (
        problems.Rosenbrock(3), problems.Ackley(3), problems.Beale(), problems.Quadratic(np.eye(3)), problems.Bratu(2),
        problems.HEquation(3), problems.LennardJones(2), problems.Function(np.sum, size=3),
        problems.LeastSquares(np.atleast_1d, size=3))},
    "labels": (lambda n: problems.MiniBatch(NET, RISK[1], [0] * n), 3),
    "targets": (lambda n: problems.MiniBatch(networks.linear(1), RISK[1], [0.0] * n), 3),
    "numbers of a target": (lambda n: problems.MiniBatch(networks.linear(1, 2), [[1.0]], np.ones((1, n))), 2),
    "numbers of an example": (lambda n: NET.outputs(START, np.ones((2, n))), 1),
    "statistics": (lambda n: NORMED.outputs(NORMED.initial(0), RISK[1], (PAIRS * 2)[:n]), 1),
    "statistics that run": (lambda n: [running.saw(PAIRS), running.saw((PAIRS * 2)[:n])] if (
        running := networks.RunningStatistics()) else None, 2),
    "rates": (lambda n: next(by_layer(BATCH, START, rates=[1.0] * n)), 1),
    "b": (lambda n: problems.Quadratic(np.eye(3), np.ones(n)), 3),
    "eigenvalues": (lambda n: problems.quadratic_with(np.ones(n), np.eye(3)), 3),
    "residuals": (lambda n: problems.LeastSquares(
        lambda x: np.ones(n), lambda x: np.ones((3, 2))).gradient([1, 2]), 3),
    "derivatives": (lambda n: problems.Function(np.sum, jac=lambda x: np.ones(n)).gradient([1, 2, 3]), 3),
    "rows of a Hessian": (lambda n: problems.Function(np.sum, hess=lambda x: np.ones((n, 3))).hessian([1, 2, 3]), 3),
    "dampings": (lambda n: systems.damped(np.eye(3), np.ones(n)), 3),
    "p": (lambda n: line_search.exact(BOWL, np.ones(1), -np.ones(n)), 1),
    **{solve.__name__: (lambda n, solve=solve: solve(np.eye(3), np.ones(n)), 3)
       for solve in (systems.conjugate_gradient, systems.gcr, systems.truncated_conjugate_gradient)},
    **{f"x of {solve.__name__}": (lambda n, solve=solve: solve(np.eye(3), np.ones(3), np.zeros(n)), 3)
       for solve in (systems.conjugate_gradient, systems.gcr, systems.truncated_conjugate_gradient)}}


@pytest.mark.parametrize("name", LENGTHS)
def test_what_is_one_too_short_is_refused_and_so_is_what_is_one_too_long(name):
    make, right = LENGTHS[name]
    make(right)
    for wrong in {right - 1, right + 1} - {0 if name == "rates" else -1}:
        with pytest.raises(ValueError):
            make(wrong)
