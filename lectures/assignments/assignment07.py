"""Directions that do not undo each other.          Lecture 7.

Conjugate gradients for a system of equations, and for any function.
"""
import numpy as np

from lectures.assignments import Claim, call, positive, run

BLANKS = {"numopt.linalg.systems": ["conjugate_gradient_iterates"],
          "numopt.optimizers.conjugate": ["nonlinear_cg"]}
ALSO = {"numopt.linalg.systems": ["compiled_iterates"],
        "numopt.kernels.vectors": ["conjugate_step", "dense_conjugate_gradient"],
        "numopt.kernels.dense": ["dense_fisher_solve"]}


def after(steps, n=6, **keywords):
    def job(random):
        A, b = positive(random, n, 100.0), random.standard_normal(n)
        how = {name: make(random) for name, make in keywords.items()}
        return call("lectures.coursework.jobs.conjugate", A, b, steps, **how)
    return job


def formulas(formula, points, shown=True):
    return Claim("nonlinear_cg", f"The path with the formula {formula.replace('_', ' ')} is that of the lecture.",
                 lambda random: run("nonlinear_cg", {"kind": "Rosenbrock"}, random.uniform(-1.5, 1.5, 2), 6,
                                    formula=formula), points, shown)


CLAIMS = [
    Claim("conjugate_gradient_iterates", "The first step is the best one down the gradient.", after(1), 2),
    Claim("conjugate_gradient_iterates", "Every step after it is conjugate to those before.", after(4), 3),
    Claim("conjugate_gradient_iterates", "After n steps it is there.", after(6), 2),
    Claim("conjugate_gradient_iterates", "It may begin anywhere.",
          after(3, x=lambda random: random.standard_normal(6)), 2, shown=False),
    Claim("conjugate_gradient_iterates", "With a matrix near to A's inverse its directions are conjugate all the same.",
          after(3, preconditioner=lambda random: np.diag(random.uniform(0.05, 1, 6))), 2, shown=False),
    formulas("polak_ribiere_plus", 3), formulas("fletcher_reeves", 2, shown=False),
    formulas("hestenes_stiefel", 2, shown=False),
]
