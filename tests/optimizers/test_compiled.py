"""The loops with compiled updates are the loops of their modules, with all their variables."""
import inspect
import re
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import LinearOperator

import numopt.optimizers
from numopt.kernels import twins
from numopt.kernels.twins import Kernel, reading
from numopt.networks import mlp
from numopt.optimizers import adahessian, adam, momentum, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, Quadratic

PRECISIONS = [np.float32, np.float64]
METHODS = {
    "momentum": (momentum, {"lr": lambda t: 0.02 / t, "mu": lambda t: 1 - 1 / (t + 1), "v": 0.1}),
    "rmsprop": (rmsprop, {"lr": lambda t: 0.02 / t, "rho": 0.8, "eps": 1e-2, "s": 0.3}),
    "adam": (adam, {"lr": lambda t: 0.02 / t, "beta1": 0.8, "beta2": 0.95, "eps": 1e-2, "m": 0.1, "v": 0.3}),
    "adahessian": (adahessian, {"lr": lambda t: 0.05 / t, "beta1": 0.8, "beta2": 0.95, "power": 0.7, "eps": 1e-2,
                                "weight_decay": 0.1, "averaging": "absolute", "block": 7, "seed": 3, "v": 0.3}),
    "adahessian by rows": (adahessian, {"lr": 0.05})}

needs_numba = pytest.mark.skipif(not twins.started(), reason="there is no Numba, or it is switched off")


@pytest.fixture(autouse=True)
def not_reading(monkeypatch):
    monkeypatch.setattr(Kernel, "reading", False)


def wide(dtype):
    """A quadratic of 6,000 coordinates, enough for the twins, and where to start."""
    random = np.random.default_rng(3)
    A = LinearOperator((6000, 6000), lambda v, d=random.uniform(0.5, 2, 6000).astype(dtype): d * v.ravel(), dtype=dtype)

    class Wide(Quadratic):
        size = 6000

        def __init__(self):
            pass

        def value(self, theta):
            return float(theta @ (A @ theta)) / 2

        def gradient(self, theta):
            return A @ theta

        def hessian(self, theta):
            return A

        def blocks(self, vector):
            return [vector[:5000].reshape(50, 100), vector[5000:].reshape(100, 10)]

    return Wide(), random.standard_normal(6000).astype(dtype)


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", METHODS)
def test_the_compiled_loop_is_the_loop_of_its_module_with_all_its_variables(name, dtype):
    method, hyperparameters = METHODS[name]
    problem, theta = wide(dtype)
    fast = method(problem, theta, **hyperparameters)
    with reading():
        slow = method(problem, theta, **hyperparameters)
    assert fast._loop.func is not slow._loop.func
    for _ in range(7):
        next(fast)
        with reading():
            next(slow)
    names = set(inspect.signature(method).parameters) | {"g"} | {"m_hat", "v_hat"} & set(slow._variables)
    assert names - {"theta"} <= set(fast._variables)
    assert fast.theta.dtype == dtype and set(fast.memory) == set(slow.memory)
    for variable in ["theta", *fast.memory, *names & {"m_hat", "v_hat", "g"}]:
        assert_allclose(fast[variable], slow[variable], rtol=1e-3 if dtype == np.float32 else 1e-11, atol=1e-6)


@needs_numba
@pytest.mark.parametrize("dtype, close", [(np.float32, 2e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("settings", [{"window": 3}, {"window": 50}, {"preconditioned": True},
                                      {"preconditioned": True, "labels": "data"}, {"columns": 7, "seed": 5}],
                         ids=["short window", "long window", "preconditioned", "by the labels of the data", "columns"])
def test_the_compiled_loop_of_nltgcr_is_that_of_its_module_and_goes_on_to_the_last_bit(settings, dtype, close):
    random, network = np.random.default_rng(4), mlp([90, 60, 3])
    X, Y = random.standard_normal((60, 90)).astype(dtype), random.integers(0, 3, 60)
    risk = EmpiricalRisk(network, X, Y, batch_size=20, seed=1)
    theta, settings = network.initial(0, dtype=dtype), {"lr": 0.1, "damping": 0.1} | settings
    fast = nltgcr_fisher(risk, theta, **settings)
    with reading():
        slow = nltgcr_fisher(risk, theta, **settings)
        slowly = list(islice(slow, 6))
    assert fast._loop.func is not slow._loop.func
    for step, expected in enumerate(slowly, 1):
        assert_allclose(next(fast), expected, rtol=0, atol=close * np.abs(expected).max())
        assert len(fast["pairs"]) == min(step, settings.get("window", 10))
        if step == 4:
            resumed = nltgcr_fisher(risk, fast.theta, **settings, **fast.memory)
    assert_allclose(fast["C"], slow["C"], rtol=0, atol=close * np.abs(slow["C"]).max())
    for mine, its in zip(fast["pairs"], slow["pairs"], strict=True):
        for a, b in zip(mine, its):
            assert_allclose(a, b, rtol=0, atol=close * np.abs(b).max())
    assert_array_equal(list(islice(resumed, 2))[-1], fast.theta)


def another(method, key, default):
    """A value of this hyperparameter that is not the usual one."""
    wanted, good = method.ranges[key][1]
    candidates = [not default] if isinstance(default, bool) else [*re.findall(r"'(\w+)'", wanted), 0.37, 3]
    return next(value for value in candidates if value != default and good(value))


def net():
    """The risk of a network of 5,643 weights, enough for the twins, and where to start."""
    random, network = np.random.default_rng(4), mlp([90, 60, 3])
    X, Y = random.standard_normal((40, 90)), random.integers(0, 3, 40)
    return EmpiricalRisk(network, X, Y, batch_size=20, seed=1), network.initial(0)


WITH_TWINS = [name for name in numopt.optimizers.__all__
              if (found := getattr(numopt.optimizers, name)).twin and found.twin(np.zeros(10**6))]


@needs_numba
@pytest.mark.parametrize("name", WITH_TWINS)
def test_whatever_it_is_asked_for_a_compiled_loop_hears_it_as_the_loop_of_its_module_does(name):
    """On a net, whose Hessian has negative curvature: on a bowl the sign of a curvature is heard by none."""
    method, (risk, theta) = getattr(numopt.optimizers, name), net()
    for key, default in method.__wrapped__.__kwdefaults__.items():
        if key not in method.memory:
            how = {"columns": 3} if key == "seed" and name == "nltgcr_fisher" else {}
            how[key] = another(method, key, default)
            fast = method(risk, theta, **how)
            with reading():
                slow = method(risk, theta, **how)
                slowly = list(islice(slow, 4))[-1]
            assert fast._loop.func is not slow._loop.func
            assert_allclose(list(islice(fast, 4))[-1], slowly, rtol=1e-7, atol=1e-9, err_msg=key)


@needs_numba
@pytest.mark.parametrize("name", WITH_TWINS)
def test_a_compiled_loop_that_is_interrupted_after_any_of_its_steps_goes_on_to_the_last_bit(name):
    method, (risk, theta) = getattr(numopt.optimizers, name), net()
    run = method(risk, theta)
    for step in range(4):
        resumed = method(risk, run.theta, **run.memory)
        assert resumed._loop.func is not method.__wrapped__
        assert_array_equal(next(resumed), next(run), err_msg=f"after {step} steps")


@needs_numba
@pytest.mark.parametrize("dtype, tiny", [(np.float32, 1e-30), (np.float64, 1e-200)])
def test_an_image_of_any_length_or_of_none_is_the_same_to_the_compiled_loop_of_nltgcr(dtype, tiny):
    """Where its squares are 0 or infinite the kernel knows no length; where it is 0 there is no direction."""
    problem, theta = wide(dtype)
    u, other = ((v / np.linalg.norm(v)).astype(dtype) for v in np.random.default_rng(5).standard_normal((2, 6000)))
    problem.gradient = lambda theta: -other
    for length in 0, tiny, 1, 1 / tiny:
        problem.hessian = lambda theta: LinearOperator((6000, 6000), lambda v: dtype(length) * v.ravel(), dtype=dtype)
        how = {"curvature": "hessian", "lr": 1.0, "start": 0, "damping": 0.0, "window": 5, "pairs": ((u, u, 1.0),)}
        fast = nltgcr_fisher(problem, theta, **how)
        with reading():
            slow = nltgcr_fisher(problem, theta, **how)
            slowly = next(slow)
        assert_allclose(next(fast), slowly, rtol=1e-4 if dtype == np.float32 else 1e-9)
        assert len(fast["pairs"]) == len(slow["pairs"]) == (2 if length else 1)
        for mine, its in zip(fast["pairs"], slow["pairs"]):
            for a, b in zip(mine, its):
                assert_allclose(a, b, rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-6 * np.abs(b).max())


@needs_numba
def test_the_compiled_loop_of_nltgcr_leaves_out_a_direction_that_is_none():
    problem, theta = wide(np.float64)
    run = nltgcr_fisher(problem, theta, curvature="hessian", lr=1.0, start=0, damping=0.0, window=5,
                        pairs=(unit := ((theta, theta / np.linalg.norm(theta), 1.0),)))
    problem.hessian = lambda theta: LinearOperator((6000, 6000), lambda v: unit[0][1] * (unit[0][1] @ v.ravel()))
    problem.gradient = lambda theta: -unit[0][1]
    assert_allclose(next(run), theta + unit[0][0], rtol=1e-9)
    (kept,) = run["pairs"]
    assert_array_equal(kept[0], theta)
    assert_array_equal(kept[1], unit[0][1])


@needs_numba
@pytest.mark.parametrize("name", METHODS)
def test_the_compiled_loop_goes_on_to_the_last_bit_and_asks_its_schedule(name):
    method, hyperparameters = METHODS[name]
    problem, theta = wide(np.float32)
    asked = []

    def rate(t):
        asked.append(t)
        return 0.02 / t

    whole = method(problem, theta, **hyperparameters | {"lr": rate})
    first = [next(whole) for _ in range(3)][-1]
    memory = {key: value if np.ndim(value) == 0 else value.copy() for key, value in whole.memory.items()}
    kept = {key: np.copy(value) for key, value in whole.memory.items()}
    last = list(islice(whole, 3))[-1]
    assert asked == [1, 2, 3, 4, 5, 6]
    resumed = method(problem, first, **hyperparameters | {"lr": rate} | memory)
    assert_array_equal(list(islice(resumed, 3))[-1], last)
    for key, value in kept.items():
        assert_array_equal(memory[key], value)
    assert not last.flags.writeable


@needs_numba
@pytest.mark.parametrize("t", [999, 1000, 10_000])
@pytest.mark.parametrize("method", [adam, adahessian])
def test_a_run_that_goes_on_late_is_corrected_late_too(method, t):
    problem, theta = wide(np.float64)
    memory = {"t": t, "m": 0.1 * theta, "v": 0.1 + theta**2, "beta1": 0.9999, "beta2": 0.99999}
    fast = method(problem, theta, **memory)
    with reading():
        slow = method(problem, theta, **memory)
        last = list(islice(slow, 3))[-1]
    assert fast._loop.func is not slow._loop.func
    assert_allclose(list(islice(fast, 3))[-1], last, rtol=1e-10)
    for name in ("m_hat", "v_hat"):
        assert_allclose(fast[name], slow[name], rtol=1e-10)
        assert_allclose(fast[name], fast[name[0]] / (1 - {"m": 0.9999, "v": 0.99999}[name[0]]**(t + 3)), rtol=1e-10)


@needs_numba
def test_the_signs_of_the_compiled_loop_are_those_of_its_module_and_do_not_repeat():
    problem, theta = wide(np.float64)
    fast = adahessian(problem, theta, seed=3)
    with reading():
        slow = adahessian(problem, theta, seed=3)
    drawn = []
    for _ in range(13):
        next(fast)
        with reading():
            next(slow)
        assert_array_equal(fast["z"], slow["z"])
        assert all(abs(fast["z"] @ z) < 600 for z in drawn)
        drawn.append(fast["z"])


@needs_numba
def test_the_compiled_loop_of_nltgcr_turns_round_where_it_would_climb():
    problem, theta = wide(np.float64)
    u = theta / np.linalg.norm(theta)
    problem.gradient = lambda theta: u
    problem.hessian = lambda theta: LinearOperator((6000, 6000), lambda v: u * (u @ v.ravel()))
    how = {"curvature": "hessian", "lr": 1.0, "start": 0, "damping": 0.0, "window": 5, "pairs": ((-2 * u, u, 1.0),)}
    fast = nltgcr_fisher(problem, theta, **how)
    with reading():
        slow = nltgcr_fisher(problem, theta, **how)
        assert_allclose(next(slow), theta - 2 * u, rtol=1e-12)  # d = (uᵀ(−u)) (−2u) = 2u climbs
    assert fast._loop.func is not slow._loop.func
    assert_allclose(next(fast), theta - 2 * u, rtol=1e-12)
