"""What is true of every optimizer, whatever its method: the laws of numopt.check, and what is said of it."""
import pkgutil
from functools import partial
from importlib import import_module
from types import ModuleType

import pytest

import numopt.check
import numopt.optimizers
from numopt.optimizer import optimizer
from numopt.optimizers import (
    adam, full_matrix_adagrad, gcr, kfac_martens, lookahead, momentum, natural_gradient, nltgcr, nltgcr_fisher, polyak)

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
