"""The ends of what problems, layers, schedules and searches take: all that is allowed, and nothing beyond."""
from math import inf, nan

import numpy as np
import pytest

from numopt import line_search, networks, problems, schedules
from numopt.linalg import spectra
from numopt.optimizers import gradient_descent
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
