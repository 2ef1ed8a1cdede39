"""Every optimizer there is, by name: numopt.optimizers.adam, numopt.optimizers.momentum.

Where a module is called as a method of its is, momentum and newton, the name is the method; what else the module has is
imported from it: from numopt.optimizers.momentum import nesterov.
"""
import numopt.optimizers.compiled  # noqa: F401  (it gives four of them their twins)
from numopt import unknown
from numopt.optimizers.adam_family import adabelief, adan, lamb, radam, yogi
from numopt.optimizers.adaptive import (
    adadelta, adagrad, adam, adamw, amsgrad, delta_bar_delta, delta_bar_velocity, lion, nadam, rmsprop, rprop)
from numopt.optimizers.around import by_layer, decayed
from numopt.optimizers.averaging import lookahead, polyak
from numopt.optimizers.conjugate import nonlinear_cg
from numopt.optimizers.descent import (
    gradient_descent, normalized_descent, proximal_descent, sign_descent, steepest_descent)
from numopt.optimizers.diagonal import adahessian, ivon, sophia
from numopt.optimizers.kronecker import ekfac, full_matrix_adagrad, kfac, kfac_martens, muon, shampoo, soap
from numopt.optimizers.learning_rate import gradient_rate, newton_rate, newton_rate_printed, vsgd
from numopt.optimizers.least_squares import gauss_newton, levenberg_marquardt
from numopt.optimizers.lmo import scion
from numopt.optimizers.momentum import momentum, nesterov
from numopt.optimizers.natural import (
    block_tridiagonal, clipped_natural_gradient, eigenbasis_clipped, eigenbasis_normalized, gradient_norm_clipped,
    gradient_norm_normalized, natural_gradient, normalized_natural_gradient)
from numopt.optimizers.newton import damped_newton, hessian_free, newton, newton_cg, trust_region
from numopt.optimizers.quasi_newton import bfgs, lbfgs, sr1
from numopt.optimizers.rate_free import (
    barzilai_borwein, dog, momo, prodigy, schedule_free, schedule_free_adamw, sps)
from numopt.optimizers.residual import anderson, fishleg, gcr, nltgcr, nltgcr_adaptive, nltgcr_fisher
from numopt.optimizers.two_gradients import sam, svrg

__all__ = [
    "gradient_descent", "steepest_descent", "normalized_descent", "sign_descent", "proximal_descent",
    "momentum", "nesterov",
    "delta_bar_delta", "delta_bar_velocity", "rprop", "adagrad", "rmsprop", "adadelta", "adam", "amsgrad", "nadam",
    "adamw", "lion",
    "gradient_rate", "newton_rate", "newton_rate_printed", "vsgd",
    "barzilai_borwein", "sps", "momo", "dog", "prodigy", "schedule_free", "schedule_free_adamw",
    "newton", "damped_newton", "trust_region", "newton_cg", "hessian_free", "gauss_newton", "levenberg_marquardt",
    "nonlinear_cg",
    "sr1", "bfgs", "lbfgs",
    "natural_gradient", "block_tridiagonal",
    "normalized_natural_gradient", "gradient_norm_normalized", "eigenbasis_normalized",
    "clipped_natural_gradient", "gradient_norm_clipped", "eigenbasis_clipped",
    "adahessian", "sophia", "ivon", "radam", "yogi", "adabelief", "adan", "lamb",
    "full_matrix_adagrad", "kfac", "kfac_martens", "ekfac", "shampoo", "soap", "muon", "scion",
    "gcr", "anderson", "nltgcr", "nltgcr_adaptive", "nltgcr_fisher", "fishleg",
    "polyak", "lookahead", "sam", "svrg", "decayed", "by_layer",
]


# What others call them, in small letters without underscores.
SYNONYMS = {"sgd": "gradient_descent", "gd": "gradient_descent", "heavyball": "momentum", "nag": "nesterov",
            "cg": "nonlinear_cg", "conjugategradient": "nonlinear_cg", "lm": "levenberg_marquardt",
            "gn": "gauss_newton", "ngd": "natural_gradient", "saddlefreenewton": "damped_newton",
            "hf": "hessian_free", "signsgd": "sign_descent", "hypergradient": "gradient_rate", "orthomin": "gcr",
            "bb": "barzilai_borwein", "polyakstep": "sps", "dadaptation": "prodigy", "lmo": "scion"}


def __getattr__(name):
    """An unknown name is answered with what it may mean."""
    if name.startswith("_"):
        raise AttributeError(name)
    raise unknown(__name__, name, __all__, SYNONYMS)
