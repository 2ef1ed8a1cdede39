"""The command python -m numopt.check: what a name stands for, and the check that fits it."""
import argparse
import importlib
import importlib.util
import inspect
import sys
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np

from numopt.check import derivatives, laws
from numopt.check.networks import layer_errors, loss_errors, network_errors
from numopt.networks import losses, models
from numopt.networks.layers import Layer
from numopt.problems.objective import Objective

MODELS = {model.__name__: model for model in (models.linear, models.logistic, models.mlp, models.cnn, models.lenet,
                                              models.lenet1, models.resnet18)}


def named(what):
    """What a name on the command line stands for: a model and its sizes, a name of numopt's, or file.py:name."""
    name, _, rest = what.rpartition(":") if what.count(":") and what.rpartition(":")[0] else (what, "", "")
    if not rest:
        return of_numopt(name)
    if name in MODELS:
        try:
            sizes = [int(size) for size in rest.split(",")]
            return MODELS[name](sizes) if name == "mlp" else MODELS[name](*sizes)
        except TypeError:
            raise ValueError(f"{name} takes other sizes; {MODELS[name].__doc__.splitlines()[0]}") from None
    module = module_of(name)
    if not hasattr(module, rest):
        near = get_close_matches(rest, public := [key for key in vars(module) if not key.startswith("_")]) or public
        raise ValueError(f"{name} has no {rest!r}; it has {', '.join(near)}")
    return getattr(module, rest)


def of_numopt(name):
    """A model, an optimizer, a problem, a layer or a loss of numopt, by its name."""
    if name in MODELS:
        return MODELS[name]()
    rooms = [importlib.import_module(f"numopt.{room}") for room in ("optimizers", "problems", "networks")]
    for room in rooms:
        if name in dir(room) or name in getattr(room, "__all__", ()):
            return getattr(room, name)
    every = {*MODELS, *(key for room in rooms for key in (*dir(room), *getattr(room, "__all__", ())))}
    near = get_close_matches(name, every) or sorted(MODELS)
    raise ValueError(f"there is no {name!r}; there is {', '.join(near)}, or file.py:name of your own")


def module_of(name):
    """The module in a file, path/to/mine.py, or of that name in this folder, mine."""
    if not name.endswith(".py"):
        sys.path.insert(0, "")
        return importlib.import_module(name)
    file = Path(name)
    if not file.is_file():
        raise ValueError(f"there is no file {name}")
    sys.path.insert(0, str(file.resolve().parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    spec.loader.exec_module(module)
    return module


def made(thing):
    """An instance of a class that needs no arguments; what a function without arguments gives; the thing itself."""
    if inspect.isclass(thing) or inspect.isfunction(thing) and not hasattr(thing, "memory") \
            and not inspect.isgeneratorfunction(thing):
        try:
            return thing()
        except TypeError as error:
            raise ValueError(f"{thing.__name__} cannot be made without arguments ({error}); name one that is made, "
                             f"example = {thing.__name__}(...)") from None
    return thing


def checked(what, thing, seed):
    """(text, is it right?) for anything that there is a check for."""
    thing = made(thing)
    if inspect.isgeneratorfunction(thing) or hasattr(thing, "memory") and callable(thing) or isinstance(thing, partial):
        report = laws.optimizer(thing)
        return str(report), report.holds
    for kind, errors_of, said in ((models.Network, network_errors, "network of {} weights"),
                                  (Layer, layer_errors, "layer of {} weights"), (losses.Loss, loss_errors, "loss")):
        if isinstance(thing, kind):
            errors = errors_of(thing, seed=seed)
            return f"{what}, a {said.format(getattr(thing, 'size', ''))}\n{errors}", errors.right
    if isinstance(thing, Objective) or hasattr(thing, "losses"):
        theta = laws.starting_point(thing, None)
        theta = theta + 0.1 * np.random.default_rng(seed).standard_normal(theta.size)
        text = derivatives.table(thing.loss(1), theta)
        return text, "   wrong" not in text
    raise ValueError(f"{what} is a {type(thing).__name__}; there are checks for optimizers, problems, networks, layers "
                     f"and losses")


def main(arguments=None):
    """Print what each thing's check finds; 0 if all is right, 1 if something is wrong, 2 if there is no such thing."""
    parser = argparse.ArgumentParser(prog="python -m numopt.check", description="Check optimizers, problems, networks, "
                                     "layers and losses, numopt's and your own.")
    parser.add_argument("what", metavar="WHAT", nargs="+",
                        help="path/to/mine.py:name, or adam, Rosenbrock, mlp:64,32,10")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    codes = []
    for what in options.what:
        try:
            thing = named(what)
        except TypeError as error:  # what @optimizer says about a loop that cannot be one
            print(f"{what}: {error}")
            codes.append(1)
            continue
        except (ValueError, ImportError, AttributeError, OSError, SyntaxError) as error:
            print(error, file=sys.stderr)
            codes.append(2)
            continue
        try:
            text, right = checked(what, thing, options.seed)
        except ValueError as error:
            print(error, file=sys.stderr)
            codes.append(2)
            continue
        print(text)
        codes.append(0 if right else 1)
    return max(codes)
