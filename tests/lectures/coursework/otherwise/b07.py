"""Assignment 07 with directions made conjugate one after the other, and with updates in place on copies."""
from functools import partial

from numopt.line_search import remembering, slope, strong_wolfe
from numopt.linalg.systems import Iterate, np, start
from numopt.optimizers.conjugate import downhill, first_trial, named


def conjugate_gradient_iterates(A, b, x=None, preconditioner=None):
    x, r = start(A, b, x)
    x, r, directions = x.copy(), r.copy(), []
    while np.abs(r).max() > 0:
        p = (r if preconditioner is None else preconditioner @ r).copy()
        for q, Aq in directions:
            p -= (p @ Aq) / (q @ Aq) * q
        Ap = A @ p
        curvature = float(p @ Ap)
        if not curvature > 0:
            yield Iterate(x.copy(), r.copy(), p, curvature)
            return
        alpha = float(p @ r) / curvature
        x += alpha * p
        r -= alpha * Ap
        directions.append((p, Ap))
        yield Iterate(x.copy(), r.copy(), p, curvature)


def nonlinear_cg(problem, theta, *, formula="polak_ribiere_plus", overlap=0.1, search=partial(strong_wolfe, c2=0.1),
                 t=0, p=None, g_last=None, fall=None):
    beta = named(formula)
    for t, loss in remembering(problem.losses(after=t)):
        value, g = loss.value_and_gradient(theta)
        restart = (not fall) or ((t - 1) % len(theta) == 0) or (abs(slope(g_last, g)) >= slope(g, g) * overlap)
        direction = -1 * g
        if not restart:
            direction += beta(g, g_last, p) * p
            direction = downhill(direction, g)
        p = direction
        alpha, _, _ = search(loss, theta, p, value, g, alpha=first_trial(theta, g, p, fall))
        if alpha == 0 and restart:
            return
        fall = slope(g, p) * alpha
        theta, g_last = alpha * p + theta, g
        yield theta
