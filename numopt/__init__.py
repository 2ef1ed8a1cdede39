"""How neural networks are optimized, in plain NumPy.

    from numopt.landscapes import Rosenbrock
    from numopt.optimizers import adam
    from numopt.record import path

    path(adam(Rosenbrock(), [-1.2, 1.0], lr=0.05), steps=500)[-1]

Read `optimizer.py` for what an optimizer is, `objective.py` for what it may ask of a problem, and then any
file of `optimizers/` beside its lecture.
"""
__version__ = "0.1.0"
