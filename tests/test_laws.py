"""What is true of every optimizer, whatever its method."""
import ast
import copy
import inspect
import textwrap
from functools import partial

import numpy as np
import pytest

import numopt.optimizers
from numopt.networks import SquaredError, logistic, mlp
from numopt.optimizers import adam, momentum
from numopt.problems import EmpiricalRisk, LeastSquares, MiniBatch, Ridge
from numopt.record import load, path, save

# Rates with which a method learns within the 30 steps it is given here; all others go by their defaults.
SETTINGS = {
    "gradient_descent": {"lr": 0.2}, "proximal_descent": {"lr": 0.2},
    "normalized_descent": {"lr": 0.1}, "sign_descent": {"lr": 0.02},
    "momentum": {"lr": 0.05}, "nesterov": {"lr": 0.05},
    "delta_bar_delta": {"lr": 0.2}, "adagrad": {"lr": 0.1}, "rmsprop": {"lr": 0.02},
    "adadelta": {"rho": 0.5, "eps": 1e-3},
    "adam": {"lr": 0.02}, "amsgrad": {"lr": 0.02}, "nadam": {"lr": 0.02}, "adamw": {"lr": 0.02}, "lion": {"lr": 0.02},
    "gradient_rate": {"lr": 0.1}, "newton_rate": {"lr": 0.1}, "newton_rate_printed": {"lr": 0.1},
    "natural_gradient": {"lr": 0.3, "damping": 0.1}, "eigenbasis_normalized": {"damping": 0.1},
    "sophia": {"lr": 0.02}, "full_matrix_adagrad": {"lr": 0.1}, "kfac_martens": {"damping": 1.0}, "soap": {"lr": 0.02},
    "gcr": {"window": 1}, "anderson": {"lr": 0.5}, "nltgcr": {"curvature": "fisher", "damping": 0.1},
    "nltgcr_adaptive": {"curvature": "fisher", "damping": 0.1},
    "nltgcr_fisher": {"lr": 0.1, "columns": 10, "preconditioned": True}, "fishleg": {"lr": 0.5, "every": 2},
    "polyak": {"inner": partial(momentum, lr=0.1)}, "lookahead": {"inner": partial(adam, lr=0.05)},
}
# Methods for an objective that is the same at every step; on mini-batches they have no promise to keep.
WHOLE_ONLY = {"steepest_descent", "newton", "damped_newton", "nonlinear_cg", "anderson", "nltgcr_adaptive"}
# The first two ask for a Hessian that is positive definite everywhere, the others for residuals.
CONVEX, SQUARES = {"newton", "gcr"}, {"gauss_newton", "levenberg_marquardt"}
WRAPPERS = {"polyak", "lookahead"}

NETWORK = mlp([5, 4, 3])
X = np.random.default_rng(0).standard_normal((60, 5))
LABELS = (X @ np.random.default_rng(1).standard_normal((5, 3))).argmax(axis=1)
START = NETWORK.initial(seed=2)


def problem(name, dtype=np.float64):
    if name in CONVEX:  # of 39 parameters, as the network is
        wide = np.tanh(np.concatenate([X, X**2, X[:, :2] + 1], axis=1))
        return Ridge(EmpiricalRisk(logistic(12, 3), wide.astype(dtype), LABELS, seed=3), strength=0.1)
    if name in SQUARES:
        batch = MiniBatch(mlp([5, 4, 3], loss=SquaredError()), X.astype(dtype), np.eye(3, dtype=dtype)[LABELS])
        root = len(X)**0.5
        fit = LeastSquares(lambda theta: (batch.network.outputs(theta, batch.X) - batch.Y).ravel() / root,
                           lambda theta: batch.jacobian(theta).reshape(-1, theta.size) / root, size=START.size)
        fit.whole = fit
        return fit
    return EmpiricalRisk(NETWORK, X.astype(dtype), LABELS, batch_size=None if name in WHOLE_ONLY else 20, seed=3)


@pytest.fixture(params=numopt.optimizers.__all__)
def name(request):
    return request.param


@pytest.fixture
def optimizer(name):
    return partial(getattr(numopt.optimizers, name), **SETTINGS.get(name, {}))


def test_it_learns(name, optimizer):
    whole = problem(name).whole
    assert whole.value(path(optimizer(problem(name), START), 30)[-1]) < whole.value(START) - 0.1


def test_the_same_run_twice_is_the_same(name, optimizer):
    assert np.array_equal(path(optimizer(problem(name), START), 10), path(optimizer(problem(name), START), 10))


def test_it_leaves_its_starting_point_alone(name, optimizer):
    theta = START.copy()
    path(optimizer(problem(name), theta), 3)
    assert np.array_equal(theta, START) and theta.flags.writeable


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_run_interrupted_saved_and_continued_is_the_same_run(name, optimizer, steps, tmp_path):
    run = optimizer(problem(name), START)
    first = path(run, steps)
    save(tmp_path / "run.npz", theta=run.theta, **run.memory)
    saved = load(tmp_path / "run.npz")
    rest = path(optimizer(problem(name), saved.pop("theta"), **saved), 9 - steps)
    assert np.array_equal(np.concatenate([first, rest[1:]]), path(optimizer(problem(name), START), 9))


def test_what_it_remembered_is_not_written_over(name, optimizer):
    run = optimizer(problem(name), START)
    for _ in range(3):
        next(run)
        before, copied = run.memory, copy.deepcopy(run.memory)
        next(run)
        np.testing.assert_equal(before, copied)


def test_it_remembers_nothing_from_another_run(name, optimizer):
    """A second run does not start with what the first has learned, as it would with a list for a default."""
    first = path(optimizer(problem(name), START), 4)
    path(optimizer(problem(name), START + 1), 4)
    assert np.array_equal(path(optimizer(problem(name), START), 4), first)


def test_a_schedule_is_asked_at_every_step_and_obeyed(name, optimizer):
    names = list(inspect.signature(optimizer.func).parameters)
    if "lr" not in names[:names.index("t")]:
        pytest.skip(f"{name} has no learning rate to set")
    asked = []
    path(partial(optimizer, lr=lambda t: asked.append(t) or 0.01)(problem(name), START), 5)
    assert sorted(set(asked)) == [1, 2, 3, 4, 5]
    dropped = path(partial(optimizer, lr=lambda t: 0.01 if t < 3 else 0.001)(problem(name), START), 5)
    kept = path(partial(optimizer, lr=0.01)(problem(name), START), 5)
    assert np.array_equal(dropped[:3], kept[:3]) and not np.array_equal(dropped[3], kept[3])


def test_the_memory_is_what_the_loop_rebinds(name, optimizer):
    function = ast.parse(textwrap.dedent(inspect.getsource(optimizer.func.__wrapped__))).body[0]
    body = next(node for node in function.body if isinstance(node, (ast.For, ast.While)))
    rebound = {node.id for node in ast.walk(body) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = [argument.arg for argument in function.args.kwonlyargs]
    hyperparameters, memory = names[:names.index("t")], names[names.index("t"):]
    assert not rebound & set(hyperparameters) and rebound >= set(memory)


def test_the_loop_writes_into_no_array(name, optimizer):
    """It rebinds names and never assigns to elements, which somebody else may be holding."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(optimizer.func.__wrapped__)))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AugAssign), f"{name} changes {ast.unparse(node.target)} in place"
        targets = node.targets if isinstance(node, ast.Assign) else []
        assert not any(isinstance(target, ast.Subscript) for target in targets)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_keeps_the_precision_it_was_given(name, optimizer, dtype):
    run = optimizer(problem(name, dtype), START.astype(dtype))
    assert path(run, 3).dtype == dtype

    def arrays(value):
        if isinstance(value, np.ndarray):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ():
            yield from arrays(inner)

    assert all(array.dtype == dtype for array in arrays(run.memory) if array.dtype.kind == "f")


def test_it_says_what_it_is_and_where_it_comes_from(name, optimizer):
    idea, *rest = optimizer.func.__wrapped__.__doc__.split("\n\n")
    assert "\n" not in idea and idea.endswith((".", ":")) or idea.count("\n") == 0
    source = "".join(rest)
    assert any(character.isdigit() for character in source) or "Zheng" in source, f"{name} names no source"


def test_every_optimizer_of_every_module_is_in_the_registry():
    for module in vars(numopt.optimizers).values():
        if inspect.ismodule(module) and module.__name__.startswith("numopt.optimizers."):
            for name, function in vars(module).items():
                if hasattr(function, "__wrapped__") and function.__module__ == module.__name__:
                    assert getattr(numopt.optimizers, name) is function and name in numopt.optimizers.__all__
