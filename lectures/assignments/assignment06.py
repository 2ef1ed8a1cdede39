"""Newton's step, and when to trust it.          Lecture 6.

Newton's method and two that stand on it: with eigenvalues turned the right way up, and with a damping that learns.
"""
from lectures.assignments import Claim, bowl, call, fit, run

BLANKS = {"numopt.optimizers.newton": ["newton", "damped_newton"],
          "numopt.optimizers.least_squares": ["gauss_newton", "levenberg_marquardt"]}


def far_away(method, **how):
    return lambda random: run(method, {"kind": "Rosenbrock"}, random.uniform(-2, 2, 2), 5, **how)


def fitted(method, **how):
    return lambda random: run(method, fit(random), random.uniform(-1, 1, 2), 6, **how)


CLAIMS = [
    Claim("newton", "On a quadratic Newton's method is there after one step.",
          lambda random: run("newton", bowl(random), random.standard_normal(4), 1), 3),
    Claim("newton", "In a curved valley it takes the steps of the lecture.", far_away("newton"), 2),
    Claim("newton", "It goes to whatever point has no slope: to a saddle's, too.",
          lambda random: run("newton", {"kind": "Quadratic", "A": [[2.0, 0.5], [0.5, -1.0]]},
                             random.standard_normal(2), 1), 2, shown=False),
    Claim("damped_newton", "With |λ| + damping for λ it leads down, and away from a saddle.",
          lambda random: run("damped_newton", {"kind": "Quadratic", "A": [[2.0, 0.5], [0.5, -1.0]]},
                             random.standard_normal(2), 4, damping=float(random.uniform(0.1, 1))), 3),
    Claim("damped_newton", "The step is shortened where f would not fall.", far_away("damped_newton", damping=1e-4), 2,
          shown=False),
    Claim("damped_newton", "In a bowl it is Newton's method with λ + damping.",
          lambda random: run("damped_newton", bowl(random), random.standard_normal(4), 6,
                             damping=float(random.uniform(0.01, 1))), 2, shown=False),
    Claim("gauss_newton", "Gauss-Newton solves JᵀJ p = −Jᵀr and shortens the step where it must.",
          fitted("gauss_newton"), 3),
    Claim("levenberg_marquardt", "The damping falls where the model is right, and rises where it is not.",
          fitted("levenberg_marquardt"), 3),
    Claim("levenberg_marquardt", "Failures after a success are punished from the beginning.",
          lambda random: call("lectures.coursework.jobs.several", "levenberg_marquardt", {"kind": "ridged"},
                              random.uniform(-3, 3, (10, 2)), 14, tau=1e-8), 2, shown=False),
    Claim("levenberg_marquardt", "It does so with Levenberg's scaling too, stopped and begun again.",
          fitted("levenberg_marquardt", stops=3, scaling="levenberg"), 2, shown=False),
]
