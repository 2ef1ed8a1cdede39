"""The defaults are the published ones, whose source is named, and of every other number it is said that it is ours."""
import inspect
import pkgutil
from functools import partial
from importlib import import_module
from math import inf

import numpy as np
import pytest

import numopt.optimizers
from numopt import line_search, linalg, networks, problems, schedules, searches
from numopt.linalg import roots, spectra, systems

ADAM = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

# method: (where the numbers are printed, the numbers)
PUBLISHED = {
    "momentum": ("Goodfellow et al. (2016), Section 8.3.2", {"mu": 0.9}),
    "nesterov": ("Goodfellow et al. (2016), Section 8.3.2", {"mu": 0.9}),
    "delta_bar_delta": ("Hinton (2012), lecture 6d; Jacobs (1988) for rho",
                        {"kappa": 0.05, "phi": 0.05, "rho": 0.7, "least": 0.1, "most": 10.0, "gain": 1.0}),
    "delta_bar_velocity": ("Hinton (2012), lecture 6d; Goodfellow et al. (2016), Section 8.3.2, for mu",
                           {"mu": 0.9, "kappa": 0.05, "phi": 0.05, "least": 0.1, "most": 10.0, "gain": 1.0}),
    "rprop": ("Riedmiller and Braun (1993); PyTorch for the limits and the first length",
              {"eta_minus": 0.5, "eta_plus": 1.2, "least": 1e-6, "most": 50.0, "lr": 1e-2}),
    "adagrad": ("PyTorch", {"lr": 1e-2, "eps": 1e-10}),
    "rmsprop": ("Hinton (2012), lecture 6e; PyTorch for eps", {"rho": 0.9, "eps": 1e-8}),
    "adadelta": ("Zeiler (2012), Section 4.1", {"rho": 0.95, "eps": 1e-6}),
    "adam": ("Kingma and Ba (2015), Algorithm 1", ADAM),
    "amsgrad": ("PyTorch", ADAM),
    "nadam": ("PyTorch", {**ADAM, "lr": 2e-3, "psi": 4e-3, "mu_product": 1.0}),
    "adamw": ("PyTorch", {**ADAM, "weight_decay": 1e-2}),
    "lion": ("Chen et al. (2023), Algorithm 2 and code", {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99,
                                                          "weight_decay": 0.0}),
    "newton_rate_printed": ("Ravaut and Gorti (2018)", {"epsilon": 1e-5}),
    "vsgd": ("Schaul, Zhang and LeCun (2013), and their code", {"samples": 10, "slow": 2.0, "eps": 1e-9}),
    "sps": ("Loizou et al. (2021), code", {"c": 0.5, "gamma": 2.0, "every": 500, "eps": 1e-8, "lr": 1.0}),
    "momo": ("Schaipp et al. (2024), code", {"lr": 1.0, "beta": 0.9, "lower": 0.0}),
    "dog": ("Ivgi, Hinder and Carmon (2023), code; its README for share", {"lr": 1.0, "eps": 1e-8, "share": 1e-4}),
    "prodigy": ("Mishchenko and Defazio (2024), code", {**ADAM, "lr": 1.0, "share": 1e-6}),
    "schedule_free": ("Defazio et al. (2024), code", {"lr": 1.0, "beta": 0.9}),
    "schedule_free_adamw": ("Defazio et al. (2024), code", {**ADAM, "lr": 2.5e-3, "weight_decay": 0.0}),
    "trust_region": ("scipy.optimize, trust-ncg", {"eta": 0.15, "most": 1000.0, "radius": 1.0}),
    "hessian_free": ("Martens (2010), Sections 4.1 to 4.7",
                     {"eps": 5e-4, "cg_steps": 250, "damping": 1.0, "curvature": "gauss_newton",
                      "preconditioned": True}),
    "levenberg_marquardt": ("Madsen, Nielsen and Tingleff (2004), Algorithm 3.16", {"tau": 1e-3, "nu": 2.0}),
    "nonlinear_cg": ("Nocedal and Wright (2006), equations 5.45 and 5.52",
                     {"formula": "polak_ribiere_plus", "overlap": 0.1}),
    "sr1": ("Nocedal and Wright (2006), Algorithm 6.2", {"eta": 1e-3}),
    "lbfgs": ("optax", {"history": 10}),
    "adahessian": ("Yao et al. (2021), Algorithm 1, and code",
                   {"lr": 0.15, "beta1": 0.9, "beta2": 0.999, "eps": 1e-4, "power": 1.0, "weight_decay": 0.0,
                    "averaging": "signed"}),
    "sophia": ("Liu et al. (2024), Section 3.1; code for lr and weight_decay",
               {"lr": 1e-4, "beta1": 0.96, "beta2": 0.99, "eps": 1e-12, "weight_decay": 0.1, "k": 10}),
    "ivon": ("Shen et al. (2024), code", {"beta1": 0.9, "beta2": 0.99999, "h0": 1.0, "weight_decay": 1e-4}),
    "radam": ("Liu et al. (2020), code", ADAM),
    "yogi": ("Zaheer et al. (2018), code: TensorFlow Addons", {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-3,
                                                               "v": 1e-6}),
    "adabelief": ("Zhuang et al. (2020), code", {**ADAM, "eps": 1e-16}),
    "adan": ("Xie et al. (2022), code", {"lr": 1e-3, "beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": 1e-8,
                                         "weight_decay": 0.0}),
    "lamb": ("You et al. (2020), Section 4", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-6, "weight_decay": 1e-2}),
    "kfac": ("Martens and Grosse (2015), Section 5", {"beta": 0.95, "labels": "sampled", "form": "expand"}),
    "kfac_martens": ("Martens and Grosse (2015), Sections 5, 6.5, 6.6 and 8",
                     {"T1": 5, "T2": 20, "T3": 20, "beta": 0.95, "damping": 150.0, "labels": "sampled",
                      "form": "expand"}),
    "soap": ("Vyas et al. (2024), code", {"lr": 3e-3, "beta1": 0.95, "beta2": 0.95, "eps": 1e-8,
                                          "weight_decay": 0.01, "every": 10}),
    "muon": ("Jordan et al. (2024), code", {"lr": 0.02, "mu": 0.95, "nesterov": True, "steps": 5,
                                            "coefficients": (3.4445, -4.7750, 2.0315)}),
    "scion": ("Pethick et al. (2025), code", {"mu": 0.0, "ball": "spectral"}),
    "nltgcr": ("He et al. (2024), code", {"lr": 1.0, "window": 10, "restart": 50, "safeguard": 1e3}),
    "nltgcr_adaptive": ("He et al. (2024), code", {"lr": 1.0, "cosine": 0.99, "every": 10, "window": 10,
                                                   "safeguard": 1e3}),
    "nltgcr_fisher": ("Memon et al. (2024)", {"lr": 1e-3, "labels": "sampled", "start": 1, "curvature": "fisher"}),
    "fishleg": ("Garcia et al. (2023), code", {"lr": 5e-2, "beta": 0.9, "aux_lr": 1e-4, "damping": 0.5, "every": 10,
                                               "scale": 1.0, "weight_decay": 1e-5}),
    "lookahead": ("Zhang et al. (2019), Section 3", {"k": 5, "alpha": 0.5}),
    "sam": ("Foret et al. (2021), Section 3.1", {"rho": 0.05}), "decayed": ("PyTorch, AdamW", {"weight_decay": 1e-2})}

# Numbers for which no source is followed: mostly the rates of methods whose rate is always tuned.
OURS = {
    "gradient_descent": {"lr": 1e-2}, "normalized_descent": {"lr": 1e-2}, "sign_descent": {"lr": 1e-3},
    "proximal_descent": {"lr": 1e-2}, "momentum": {"lr": 1e-2}, "nesterov": {"lr": 1e-2},
    "delta_bar_delta": {"lr": 1e-2, "mu": 0.0}, "delta_bar_velocity": {"lr": 1e-2}, "rmsprop": {"lr": 1e-3},
    "gradient_rate": {"alpha": 1e-2, "beta": 0.0, "delta": 1e-6, "lr": 1e-2},
    "newton_rate": {"epsilon": 0.1, "beta": 0.0, "delta": 1e-6, "most": 2.0, "lr": 1e-2},
    "newton_rate_printed": {"beta": 0.0, "delta": 1e-6, "lr": 1e-2}, "vsgd": {"tau": 1.0},
    "barzilai_borwein": {"lr": 1e-2}, "sps": {"lower": 0.0}, "damped_newton": {"damping": 1e-3},
    "trust_region": {"cg_steps": 250}, "newton_cg": {"cg_steps": 250}, "sr1": {"radius": 1.0},
    "natural_gradient": {"lr": 1.0, "damping": 1e-2, "cg_steps": 50},
    "block_tridiagonal": {"lr": 1.0, "damping": 1e-2}, "normalized_natural_gradient": {"lr": 0.1, "damping": 1e-2},
    "gradient_norm_normalized": {"lr": 0.1, "damping": 1e-2}, "eigenbasis_normalized": {"lr": 1e-2, "damping": 1e-2},
    "clipped_natural_gradient": {"lr": 1.0, "epsilon": 0.1, "damping": 1e-2},
    "gradient_norm_clipped": {"lr": 1.0, "epsilon": 1.0, "damping": 1e-2},
    "eigenbasis_clipped": {"lr": 1.0, "epsilon": 0.02, "damping": 1e-2},
    "ivon": {"lr": 0.1, "ess": 1e4}, "lamb": {"lr": 1e-3}, "full_matrix_adagrad": {"lr": 1e-2, "eps": 1e-10},
    "kfac": {"lr": 0.1, "mu": 0.9, "damping": 1e-3, "kappa": 1e-3, "every": 10}, "kfac_martens": {"eta": 0.0},
    "ekfac": {"lr": 0.1, "damping": 1e-3, "beta": 0.95, "every": 10},
    "shampoo": {"lr": 0.1, "mu": 0.0, "eps": 1e-4, "every": 1}, "muon": {"weight_decay": 0.0},
    "scion": {"lr": 1e-3, "weight_decay": 0.0}, "anderson": {"lr": 0.1, "window": 5},
    "nltgcr": {"damping": 0.0}, "nltgcr_adaptive": {"damping": 0.0}, "nltgcr_fisher": {"damping": 1e-2, "window": 10},
    "decayed": {"lr": 1e-2}, "sam": {"lr": 1e-2}, "svrg": {"lr": 1e-2, "every": 100}}


def defaults(method):
    return method.__wrapped__.__kwdefaults__


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@pytest.mark.parametrize("name", sorted({*PUBLISHED, *OURS}))
def test_every_number_is_the_published_one_or_said_to_be_ours(name):
    method, (_, published), ours = (getattr(numopt.optimizers, name), PUBLISHED.get(name, ("", {})),
                                    OURS.get(name, {}))
    assert not published.keys() & ours.keys()
    listed = {**published, **ours}
    assert {key: defaults(method)[key] for key in listed} == listed
    # t, seeds, and memory that starts at nothing are not constants of a method.
    assert {key for key, value in defaults(method).items() if is_number(value) and key not in ("t", "seed")
            and not (key in method.memory and value == 0)} <= listed.keys()


def test_the_tables_speak_of_methods_that_there_are():
    assert {*PUBLISHED, *OURS} <= set(numopt.optimizers.__all__)


CIFAR = {"shape": (32, 32, 3), "classes": 10}
FUNCTIONS = [
    (line_search.backtracking, {"c": 1e-4, "shrink": 0.5, "most": 50}),     # Nocedal and Wright (2006), Algorithm 3.1
    (line_search.strong_wolfe, {"c1": 1e-4, "c2": 0.9, "most": 25}),        # the same, Section 3.1: for Newton's method
    (systems.truncated_conjugate_gradient, {"eps": 5e-4, "most": 250}),     # Martens (2010), Section 4.4
    (roots.newton_schulz, {"steps": 5, "coefficients": (3.4445, -4.7750, 2.0315)}),        # Jordan et al. (2024)
    (schedules.step, {"factor": 0.1}), (schedules.one_cycle, {"share": 0.3, "first": 1 / 25, "last": 1e-4}),  # PyTorch
    (schedules.reduce_on_plateau, {"factor": 0.1, "patience": 10, "tolerance": 1e-4}),     # PyTorch
    (networks.BatchNorm, {"eps": 1e-5}), (networks.RunningStatistics, {"decay": 0.9}),     # PyTorch: 1 - 0.1
    (networks.LeakyReLU, {"slope": 0.01}), (networks.ELU, {"alpha": 1.0}), (networks.Dropout, {"rate": 0.5}),
    (networks.cnn, {**CIFAR, "channels": 32}), (networks.lenet, CIFAR),     # Memon et al. (2024), Ravaut and Gorti
    (networks.lenet1, {"shape": (16, 16, 1), "classes": 10}),               # LeCun et al. (1998)
    (networks.resnet18, {**CIFAR, "width": 64}),                            # He et al. (2016)
    (problems.Bratu, {"alpha": 0.0, "lam": 0.5}),                           # He et al. (2024)
    # These are ours.
    (line_search.exact, {"most": 50}), (spectra.power_iteration, {"steps": 1000, "tolerance": 1e-4}),
    (roots.inverse_root_newton, {"steps": 100}), (systems.conjugate_gradient, {"tolerance": 1e-10}),
    (systems.gcr, {"tolerance": 1e-10}), (systems.steihaug, {"steps": 250}), (searches.best_of_search, {"search": 20}),
    (problems.differences, {"power": 1 / 3}), (problems.Whole, {"batch_size": 256}), (problems.Plateau, {"edge": 12.0}),
    (problems.Cliff, {"height": 10.0, "width": 0.02}), (problems.HEquation, {"n": 100, "c": 0.9}),
    *((landscape, {"size": 2}) for landscape in (problems.Rosenbrock, problems.Rastrigin, problems.Ackley))]


@pytest.mark.parametrize("function, numbers", FUNCTIONS)
def test_searches_schedules_layers_and_inner_iterations_have_the_published_numbers(function, numbers):
    parameters = inspect.signature(function).parameters
    assert {key: parameters[key].default for key in numbers} == numbers


def test_no_other_function_has_a_number_but_0_and_1_where_none_is_given():
    rooms = line_search, schedules, searches, linalg, networks, problems
    modules = [import_module(f"{room.__name__}.{each.name}" if each else room.__name__) for room in rooms
               for each in (pkgutil.iter_modules(room.__path__) if hasattr(room, "__path__") else [None])]
    own = [each for module in modules for each in vars(module).values()
           if getattr(each, "__module__", None) == module.__name__]
    functions = [each for some in (own, *(vars(each).values() for each in own if inspect.isclass(each)))
                 for each in some if inspect.isfunction(each)]
    found = {(each.__qualname__.removesuffix(".__init__"), key)
             for each in functions for key, parameter in inspect.signature(each).parameters.items()
             for value in np.atleast_1d(parameter.default).tolist() if is_number(value) and value not in (0, 1, inf)}
    assert found == {(function.__qualname__, key) for function, numbers in FUNCTIONS for key, value in numbers.items()
                     if value not in (0, 1)}


def test_conjugate_gradients_look_along_a_line_more_exactly_than_quasi_newton_methods_do():
    """Nocedal and Wright (2006), Section 3.1: c₂ = 0.1 for nonlinear conjugate gradients, 0.9 for the others."""
    search = defaults(numopt.optimizers.nonlinear_cg)["search"]
    assert isinstance(search, partial) and (search.func, search.keywords) == (line_search.strong_wolfe, {"c2": 0.1})
    for name in ("bfgs", "lbfgs"):
        assert defaults(getattr(numopt.optimizers, name))["search"] is line_search.strong_wolfe
    assert defaults(numopt.optimizers.gauss_newton)["search"] is line_search.backtracking
