"""Directions that do not undo each other's work.          Lecture 7.

The gradient after an exact step is orthogonal to that step, so steepest descent turns by a right angle every time.
Conjugate directions, with pᵢᵀHpⱼ = 0, keep what was gained: on a quadratic of n parameters the n-th step ends at the
minimum.  (Kashyap (2022), Section 3.2, calls them orthogonal, which is the case only for H = I.)  For linear systems
see `linalg.conjugate_gradient`.

Formulas for β, all the same on a quadratic with exact steps; g is the gradient, g₀ and p₀ are those of the last step:

    fletcher_reeves      gᵀg / g₀ᵀg₀                  after a bad direction it may take many small steps
    polak_ribiere        gᵀ(g − g₀) / g₀ᵀg₀           near 0, a fresh start, when g hardly changes; may cycle for ever
    polak_ribiere_plus   the same, at least 0         which is proved to converge
    hestenes_stiefel     gᵀ(g − g₀) / p₀ᵀ(g − g₀)     keeps pᵀ(g − g₀) = 0 however exact the steps are
"""
from functools import partial

from numopt.linalg.norms import norm, scale, widest
from numopt.line_search import remembering, slope, strong_wolfe
from numopt.optimizer import optimizer

FORMULAS = {
    "fletcher_reeves": lambda g, g_last, p: (g @ g) / (g_last @ g_last),
    "polak_ribiere": lambda g, g_last, p: g @ (g - g_last) / (g_last @ g_last),
    "polak_ribiere_plus": lambda g, g_last, p: max(g @ (g - g_last) / (g_last @ g_last), 0),
    "hestenes_stiefel": lambda g, g_last, p: g @ (g - g_last) / (p @ (g - g_last)),
}


@optimizer
def nonlinear_cg(problem, theta, *, formula="polak_ribiere_plus", overlap=0.1, search=partial(strong_wolfe, c2=0.1),
                 t=0, p=None, g_last=None, fall=None):
    """Go down the gradient, plus as much of the last direction as makes the two conjugate.

    Nocedal and Wright (2006), Algorithm 5.4 with the formulas of Fletcher and Reeves (1964), Polak and Ribière (1969)
    and Hestenes and Stiefel (1952): equations 5.41a, 5.44, 5.45 and 5.46.  It starts afresh down the gradient every n
    steps; when successive gradients are far from orthogonal, |gᵀg₀| ≥ overlap · gᵀg (5.52); and when p would not lead
    down.  To first order, the first trial is to change f by as much as the last step did, which is `fall` (their
    Section 3.5).  It needs a `loss` that is the same at every step.  (Kashyap (2022) prints p = +g + βp, which leads
    uphill, and sets β to zero at each step, which is steepest descent: it is set to zero now and then.)
    In Table 1: length search; curvature changes of g; over time last direction.
    """
    beta = named(formula)
    for t, loss in remembering(problem.losses(after=t)):
        f, g = loss.value_and_gradient(theta)
        fresh = not fall or (t - 1) % theta.size == 0 or abs(slope(g, g_last)) >= overlap * slope(g, g)
        p = -g if fresh else downhill(-g + beta(g, g_last, p) * p, g)
        alpha, *_ = search(loss, theta, p, f, g, alpha=first_trial(theta, g, p, fall))
        if alpha == 0 and fresh:
            return
        g_last, fall = g, alpha * slope(g, p)
        theta = theta + alpha * p
        yield theta


def downhill(p, g):
    """p if it leads downhill, and otherwise the negative gradient."""
    return p if slope(g, p) < 0 else -g


def first_trial(theta, g, p, fall):
    """The α with α gᵀp = fall; if that is not known, one for a step of length 1: see `widest`."""
    return min(max(fall / (slope(g, p) or -1), 1e-300), 1e300) if fall else widest(1.0, theta) / (norm(p) or 1)


def named(formula):
    """The formula of that name: a function of g, g₀ and p₀, which it is given in units in which squares are numbers."""
    if formula not in FORMULAS:
        raise ValueError(f"formula is {formula!r}; it is {', '.join(FORMULAS)}")

    def beta(g, g_last, p):
        c = scale(g_last, g)
        return FORMULAS[formula](g, g_last, p) if c == 1 else FORMULAS[formula](g / c, g_last / c, p / c)

    return beta
