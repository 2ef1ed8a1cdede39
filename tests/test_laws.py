"""What is true of every optimizer, whatever its method: the laws of numopt.check, and what is said of it."""
import pkgutil
from functools import cache, partial
from importlib import import_module
from itertools import islice, zip_longest
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import numopt.check
import numopt.optimizers
from numopt.linalg.operators import Symmetric
from numopt.networks import SquaredError, mlp
from numopt.optimizer import optimizer
from numopt.optimizers import (
    adam, full_matrix_adagrad, gcr, kfac_martens, lookahead, momentum, natural_gradient, nltgcr, nltgcr_fisher, polyak)
from numopt.problems import EmpiricalRisk, MiniBatch, Quadratic, Wrapped
from numopt.record import path
from numopt.signature import CURVATURES, SCHEDULES

# Other ways through a method than its defaults take.
VARIANTS = {
    "nltgcr with the Fisher matrix": partial(nltgcr, curvature="fisher", damping=0.1, lr=0.3),
    "nltgcr_fisher preconditioned": partial(nltgcr_fisher, lr=0.1, columns=10, preconditioned=True),
    "gcr with a window": partial(gcr, window=1), "kfac_martens of little damping": partial(kfac_martens, damping=1.0),
    "natural_gradient solved exactly": partial(natural_gradient, solver="dense", lr=0.3, damping=0.1),
    "polyak of momentum": partial(polyak, inner=partial(momentum, lr=0.1)),
    "polyak with a window": partial(polyak, inner=partial(momentum, lr=0.1), window=3),
    "lookahead of adam": partial(lookahead, inner=partial(adam, lr=0.05)),
    "full_matrix_adagrad": partial(full_matrix_adagrad, lr=0.1),
}
METHODS = {name: getattr(numopt.optimizers, name) for name in numopt.optimizers.__all__}


@pytest.mark.parametrize("method", [*METHODS, *VARIANTS])
def test_it_keeps_the_laws_of_an_optimizer(method):
    report = numopt.check.optimizer({**METHODS, **VARIANTS}[method])
    assert report.holds, f"\n{report}"


# ------------------------------------------------------------------------------------------------- late in a run

RANDOM = np.random.default_rng(0)
BATCH = MiniBatch(mlp([4, 3, 2]), RANDOM.standard_normal((20, 4)), RANDOM.integers(2, size=20))
FIT = MiniBatch(mlp([4, 3, 2], loss=SquaredError()), BATCH.X, RANDOM.standard_normal((20, 2))).least_squares()
BOWL = Quadratic(np.diag(np.geomspace(1, 10, 23)), np.ones(23))
PROBLEMS = {"newton": BOWL, "gcr": BOWL, "gauss_newton": FIT, "levenberg_marquardt": FIT}
LATER = 23 * 2_772_000  # steps: a multiple of all numbers of steps from which something is renewed
WHAT_COUNTS_STEPS = {  # what of a method is about the number of the step, and is left out here
    "vsgd": {"samples": 2}, "fishleg": {"every": 1000}, "sophia": {"k": 1000}, "nltgcr_adaptive": {"cosine": 1.0},
    **dict.fromkeys(["kfac", "kfac_martens", "ekfac"], {"labels": "data"})}
DRAWN = {"adahessian", "ivon"}  # other numbers at every step
FIRST = {"vsgd": 4, "kfac": 4, "kfac_martens": 4, "ekfac": 4}  # the first steps are others, so many; elsewhere one


def in_so_many_steps(memory, steps):
    return {key: in_so_many_steps(value, steps) if isinstance(value, dict) else value + steps if key == "t" else value
            for key, value in memory.items()}


def continued(name, later, after=LATER, **how):
    """Eight steps from what a method remembers after the first, the next or much later, with corrections that are 1."""
    method, problem = METHODS[name], PROBLEMS.get(name, BATCH)
    theta = 0.3 * np.random.default_rng(1).standard_normal(23)
    betas = {key: 0.0 for key in method.__wrapped__.__kwdefaults__ if key.startswith("beta")}
    how = {**betas, **WHAT_COUNTS_STEPS.get(name, {}), **how}
    run = method(problem, theta, **how)
    path(run, FIRST.get(name, 1))
    return path(method(problem, run.theta, **how, **in_so_many_steps(run.memory, after if later else 0)), 8)


@pytest.mark.parametrize("name", sorted(set(METHODS) - DRAWN))
def test_what_a_method_does_is_the_same_so_many_steps_later(name):
    assert_allclose(continued(name, later=True), continued(name, later=False), rtol=1e-9, atol=1e-12)


COUNTS = {"every", "restart", "k", "T1"}  # of steps, after which something else happens, or after n


@pytest.mark.parametrize("name", sorted(name for name in {*METHODS} - DRAWN - {"nonlinear_cg"}
                                        if not COUNTS & METHODS[name].__wrapped__.__kwdefaults__.keys()))
def test_what_counts_no_steps_does_nothing_new_where_their_number_can_be_divided_by_any_other(name):
    assert_allclose(continued(name, later=True, after=LATER - 6), continued(name, later=False), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name, rate", [
    (name, rate) for name, method in METHODS.items() for rate in sorted(SCHEDULES)
    if rate in method.__wrapped__.__kwdefaults__ and rate not in method.memory])
def test_a_schedule_is_asked_about_the_steps_that_are_taken_also_late(name, rate):
    asked = []
    continued(name, later=True, **{rate: lambda t: asked.append(t) or 0.01})
    first = FIRST.get(name, 1)
    assert {*asked} == {*range(1, first + 1), *range(LATER + first + 1, LATER + first + 9)}


@pytest.mark.parametrize("name", sorted({name for name, method in METHODS.items() for rate in SCHEDULES
                                         if rate in method.__wrapped__.__kwdefaults__ and rate not in method.memory}))
def test_a_step_goes_by_the_rates_of_its_own_number_and_of_no_other(name):
    """As runs of one step each do, whose rates are numbers: from one to the next they know what is remembered alone."""
    method, problem, steps = METHODS[name], PROBLEMS.get(name, BATCH), 6
    schedules = {key: lambda t, least=least: least + 0.3 * (5 * t % 7) / 7 for key, least in (("lr", 0.01), ("mu", 0.3))
                 if key in method.__wrapped__.__kwdefaults__}
    how = {"vsgd": {"samples": 2}, "fishleg": {"every": 2}}.get(name, {})
    run = method(problem, 0.3 * np.random.default_rng(1).standard_normal(23), **how, **schedules)
    theta, memory = run.theta, run.memory
    for _, expected in zip(range(steps), run):
        one = method(problem, theta, **how, **{key: f(memory["t"] + 1) for key, f in schedules.items()}, **memory)
        theta, memory = next(one), one.memory
        assert_array_equal(theta, expected)


class Counting(Wrapped):
    """It keeps which steps' losses were asked for."""

    def __init__(self, problem):
        super().__init__(problem)
        self.asked = []

    def loss(self, t):
        self.asked.append(t)
        return self.problem.loss(t)


@pytest.mark.parametrize("name", [name for name in METHODS if "inner" in METHODS[name].__wrapped__.__kwdefaults__])
def test_around_a_method_a_run_that_begins_later_begins_with_the_mini_batch_that_is_next(name):
    problem = Counting(BATCH)
    run = METHODS[name](problem, 0.3 * np.random.default_rng(1).standard_normal(23), t=7)
    next(run)
    assert problem.asked == [*range(8, run["t"] + 1)]


@pytest.mark.parametrize("name", [name for name in METHODS if isinstance(
    METHODS[name].__wrapped__.__kwdefaults__.get("curvature"), str)])
def test_of_the_curvature_matrices_the_named_one_is_asked_for_and_no_other(name):
    def question(kind):
        return lambda self, theta: self.asked.append(kind) or getattr(self.problem, kind)(theta)

    Asked = type("Asked", (Counting,), {kind: question(kind) for kind in CURVATURES})
    for kind in CURVATURES:
        problem, method = Asked(BATCH), METHODS[name]
        problem.loss = lambda t: problem
        how = {key: 1 for key in ("damping", "every") if key in method.__wrapped__.__kwdefaults__}
        path(method(problem, 0.3 * np.random.default_rng(1).standard_normal(23), curvature=kind, **how), 2)
        assert {*problem.asked} == {kind}


class Drawing(Wrapped):
    """It keeps what it was asked at random: the vectors that its Hessian is multiplied by, and seeds."""

    def __init__(self, problem):
        super().__init__(problem)
        self.drawn = []

    def hessian(self, theta):
        H = self.problem.hessian(theta)
        return Symmetric(lambda v: self.drawn.append(tuple(v)) or H @ v, theta.size, theta.dtype)

    def sampled_gradient(self, theta, seed=None):
        self.drawn.append(tuple(seed))
        return self.problem.sampled_gradient(theta, seed)

    def kronecker_factors(self, theta, seed=None, **how):
        self.drawn.append(tuple(seed))
        return self.problem.kronecker_factors(theta, seed=seed, **how)

    def fisher_moments(self, theta, *along, seed=None, **how):
        assert tuple(seed) == self.drawn[-1]  # the labels of the factors
        return self.problem.fisher_moments(theta, *along, seed=seed, **how)


@pytest.mark.parametrize("name, how, every", [
    ("adahessian", {}, 1), ("sophia", {"k": 3}, 3), ("sophia", {"k": 3, "estimator": "G"}, 3), ("kfac", {}, 1),
    ("ekfac", {}, 1), ("kfac_martens", {}, 1), ("nltgcr_fisher", {"preconditioned": True}, 1)])
def test_at_no_step_is_drawn_again_what_was_drawn_at_another_or_with_another_seed(name, how, every):
    drawn = []
    for seed in 0, 1:
        for t in (0, 240) if name in ("adahessian", "sophia") else (0,):
            problem = Drawing(BATCH)
            path(METHODS[name](problem, 0.3 * np.random.default_rng(1).standard_normal(23), seed=seed, t=t, **how), 24)
            assert len(problem.drawn) == 24 // every
            drawn += problem.drawn
    assert len({*drawn}) == len(drawn)


# ------------------------------------------------------------------------------------------- what a run is given

def lent(value, owned):
    """The same numbers in arrays that can only be read, and that somebody else may write into: the `owned`."""
    if isinstance(value, np.ndarray):
        owned.append(value.copy())
        view = owned[-1][...]
        view.flags.writeable = False
        return view
    if isinstance(value, dict):
        return {key: lent(item, owned) for key, item in value.items()}
    return type(value)(lent(item, owned) for item in value) if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("name", [*METHODS, *VARIANTS])
def test_what_happens_later_to_the_arrays_that_a_run_was_given_is_nothing_to_it(name):
    method, problem, owned = {**METHODS, **VARIANTS}[name], PROBLEMS.get(name, BATCH), []
    run = method(problem, 0.3 * np.random.default_rng(1).standard_normal(23))
    path(run, 3)
    same = method(problem, lent(run.theta, owned), **lent(run.memory, owned))
    for array in owned:
        array.fill(np.nan)
    assert_array_equal(path(same, 2), path(run, 2))


DEAD = RANDOM.standard_normal((20, 4)) * [1, 0, 1, 1]
WITHOUT_DAMPING = {"hessian_free undamped": {"damping": 0.0},
                   "hessian_free by itself": {"damping": 0.0, "preconditioned": False}}


TURNED = {"soap", "eigenbasis_normalized"}  # of eigenvectors of one eigenvalue it is chance which are taken


@pytest.mark.parametrize("name", [*sorted(set(METHODS) - {"newton", "gcr"} - TURNED), *WITHOUT_DAMPING])
def test_the_weights_of_an_input_that_is_always_0_stay_as_they_are(name):
    """Neither gradient nor curvature has a share in them: that is no reason for an error, nor for a step."""
    method, random = METHODS[name.split()[0]], np.random.default_rng(1)
    network = mlp([4, 3, 2], loss=SquaredError() if name in PROBLEMS else None)
    Y = random.standard_normal((20, 2)) if name in PROBLEMS else random.integers(2, size=20)
    batch = MiniBatch(network, DEAD, Y)
    theta = 0.3 * random.standard_normal(23)
    how = {key: 0.0 for key in method.__wrapped__.__kwdefaults__ if key == "weight_decay"}
    how |= {"vsgd": {"samples": 2}, **WITHOUT_DAMPING}.get(name, {})
    thetas = path(method(batch.least_squares() if name in PROBLEMS else batch, theta, **how), 6)
    dead = batch.blocks(np.arange(23))[0][:, 1]
    assert len(thetas) > 1 and not np.array_equal(thetas[-1], theta)
    assert_allclose(thetas[:, dead], np.broadcast_to(theta[dead], (len(thetas), 3)), rtol=0, atol=1e-9)


class Buffered(Wrapped):
    """Its gradients are one and the same array, written anew whenever it is asked."""

    def __init__(self, problem):
        super().__init__(problem)
        self.buffer = np.empty(23)

    def gradient(self, theta):
        self.buffer[...] = self.problem.gradient(theta)
        return self.buffer


@pytest.mark.parametrize("name", METHODS)
def test_a_problem_may_hand_out_one_buffer_for_all_its_gradients(name):
    problem, theta = PROBLEMS.get(name, BATCH), 0.3 * np.random.default_rng(1).standard_normal(23)
    how = {"vsgd": {"samples": 2}}.get(name, {})
    assert_array_equal(*(path(METHODS[name](each, theta, **how), 5) for each in (problem, Buffered(problem))))


# ------------------------------------------------------------------------------------------- what can be asked for

RISK = EmpiricalRisk(BATCH.network, BATCH.X, BATCH.Y, batch_size=5)
VALUES = 0, 1e-9, 1e-4, 0.1, 0.5, 0.9, 1, 2, 3, 7, 100, 1e6
WITH = {  # what makes the others of a method count
    "nltgcr_fisher": {"columns": 5}, "shampoo": {"graft": None}}


@cache
def usual(name, problem):
    """The first steps of a method as it is."""
    return path(METHODS[name](problem, np.random.default_rng(1).standard_normal(23), **WITH.get(name, {})), 25)


@pytest.mark.parametrize("name, key", [
    (name, key) for name, method in METHODS.items() for key, default in method.__wrapped__.__kwdefaults__.items()
    if key not in method.memory and isinstance(default, (bool, int, float))])
def test_every_number_that_can_be_asked_for_makes_a_difference(name, key):
    method, theta = METHODS[name], np.random.default_rng(1).standard_normal(23)
    default = method.__wrapped__.__kwdefaults__[key]
    for problem in (PROBLEMS[name],) if name in PROBLEMS else (RISK, BATCH):
        for value in (not default,) if isinstance(default, bool) else VALUES:
            if value == default:
                continue
            try:
                other = method(problem, theta, **{**WITH.get(name, {}), key: value})
                if any(not np.array_equal(*both) for both in zip_longest(usual(name, problem)[1:], islice(other, 25))):
                    return
            except (ValueError, ArithmeticError):  # not for this value, and so it makes one as well
                continue
    raise AssertionError(f"{name} does the same whatever {key} is")


@pytest.mark.parametrize("name", METHODS)
def test_from_0_to_1_whatever_the_range_of_a_number_holds_it_runs_with(name):
    """All but matrices without damping, which may be singular: that is said; and SOAP without eps, whose first step has
    no gradient along some of its axes, and would be 0 / 0.
    """
    method, theta = METHODS[name], 0.3 * np.random.default_rng(1).standard_normal(23)
    singular = {("damping", 0), ("eps", 0)} if name == "soap" else {("damping", 0)}
    for key, default in method.__wrapped__.__kwdefaults__.items():
        if key not in method.memory and key in method.ranges and not isinstance(default, (bool, str)):
            for value in 0, 1:
                if method.ranges[key][1].good(value) and (key, value) not in singular:
                    path(method(PROBLEMS.get(name, BATCH), theta, **{key: value}), 2)


@pytest.fixture(params=numopt.optimizers.__all__)
def name(request):
    return request.param


def test_it_says_what_it_is_and_where_it_comes_from(name):
    idea, *rest = getattr(numopt.optimizers, name).__wrapped__.__doc__.split("\n\n")
    assert idea.count("\n") == 0
    source = "".join(rest)
    assert any(character.isdigit() for character in source) or "Zheng" in source, f"{name} names no source"


def modules():
    """All modules of the package, whether somebody has imported them or not."""
    names = [found.name for found in pkgutil.iter_modules(numopt.optimizers.__path__)]
    return [import_module(f"numopt.optimizers.{name}") for name in names]


def unregistered(module):
    """The optimizers that a module defines and the registry does not have."""
    own = {name: method for name, method in vars(module).items()
           if hasattr(method, "memory") and method.__module__ == module.__name__}
    return [name for name, method in own.items() if METHODS.get(name) is not method]


def test_every_optimizer_of_every_module_is_in_the_registry():
    assert {module.__name__: unregistered(module) for module in modules() if unregistered(module)} == {}


@pytest.mark.parametrize("stem", ["adaptive", "momentum", "newton", "some_new_module"])
def test_one_that_is_not_registered_is_found_in_any_module(stem):
    module = ModuleType(f"numopt.optimizers.{stem}")

    def unknown(problem, theta, *, t=0):
        yield theta

    unknown.__module__ = module.__name__
    module.unknown, module.momentum = optimizer(unknown), momentum
    assert unregistered(module) == ["unknown"]


def test_where_a_module_and_a_method_have_one_name_the_package_has_the_method_and_the_module_is_imported_from():
    assert numopt.optimizers.momentum is momentum and numopt.optimizers.newton is METHODS["newton"]
    from numopt.optimizers.momentum import nesterov
    assert nesterov is numopt.optimizers.nesterov
    assert import_module("numopt.optimizers.momentum").nesterov is nesterov
