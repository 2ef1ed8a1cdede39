"""Assignment 07 with the residual computed anew, and formulas of its own."""
from functools import partial

import numpy as np

from numopt.line_search import remembering, strong_wolfe
from numopt.linalg.systems import Iterate, start
from numopt.optimizers.conjugate import first_trial, named


def conjugate_gradient_iterates(A, b, x=None, preconditioner=None):
    x, r = start(A, b, x)
    p, before = None, None
    while np.any(r):
        y = r if preconditioner is None else preconditioner @ r
        product = float(r @ y)
        p = y if p is None else y + (product / before) * p
        bend = p @ (A @ p)
        if bend <= 0:
            yield Iterate(x, r, p, bend)
            return
        alpha = product / bend
        x = x + alpha * p
        r = b - A @ x
        yield Iterate(x, r, p, bend)
        before = product


def nonlinear_cg(problem, theta, *, formula="polak_ribiere_plus", overlap=0.1, search=partial(strong_wolfe, c2=0.1),
                 t=0, p=None, g_last=None, fall=None):
    beta = named(formula)
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        again = t % theta.size == 1 or theta.size == 1
        if not again and fall:
            again = abs(float(g @ g_last)) >= overlap * float(g @ g)
        again = again or not fall
        if again:
            p = -g
        else:
            p = beta(g, g_last, p) * p - g
            if float(g @ p) >= 0:
                p = -g
        step = search(loss, theta, p, f, g, alpha=first_trial(theta, g, p, fall))
        if again and step.alpha == 0:
            return
        fall, g_last = step.alpha * float(g @ p), g
        theta = theta + step.alpha * p
        yield theta
