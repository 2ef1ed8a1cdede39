"""Methods that watch another method run: Polyak averaging and Lookahead.          Lecture 13.

    polyak(risk, theta, inner=partial(momentum, lr=0.1))

`inner` is any optimizer, its hyperparameters bound with functools.partial.  `memory` is the inner method's memory,
kept inside this one's, so that both go on where they were.
"""
from itertools import islice

import numpy as np

from numopt.optimizer import optimizer
from numopt.optimizers.descent import gradient_descent


@optimizer
def polyak(problem, theta, *, inner=gradient_descent, window=None,
           t=0, n=0, average=0.0, last=None, recent=(), memory=None):
    """The mean of the iterates of the inner method: of all so far, or of the last few, so many as the window.

    Polyak and Juditsky (1992) take all; the last N are the formula of Ravasi's lecture.  The inner method does not
    notice: it goes on from its own iterate, `last`.  To leave out the first steps, take them with the inner method,
    and then start here, from where it got to, with its memory: polyak(risk, run.theta, t=run["t"], memory=run.memory).
    In Table 1: the inner method's; over time mean of iterates.
    """
    run = inner(problem, theta if last is None else last, **(memory or {"t": t}))
    for last in run:
        t, n, memory = run["t"], n + 1, run.memory
        if window is None:
            average = average + (last - average) / n
        else:
            recent = (*recent, last)[-window:]
            average = np.mean(recent, axis=0)
        yield average


@optimizer
def lookahead(problem, theta, *, inner=gradient_descent, k=5, alpha=0.5, t=0, memory=None):
    """Let the inner method run ahead for k steps, then go part of the way to where it got.

    Zhang, Lucas, Hinton and Ba (2019), Algorithm 1, where φ is our theta and θ is `fast`.  The slow weights are an
    average of the ends of the excursions, θ₁, θ₂, ..., θ_T: α Σⱼ (1 − α)ʲ θ_{T−j} + (1 − α)ᵀ φ₀, with j = 0 ... T − 1.
    (The paper and Kashyap (2022) print this with the last exponents one too low.)  The inner method keeps its memory
    from one excursion to the next; to clear it, as a variant in the paper does, would mislead corrections such as
    Adam's, which count mini-batches from the start of the run.
    In Table 1: the inner method's; over time mean of iterates.
    """
    while True:
        run, fast = inner(problem, theta, **(memory or {"t": t})), None
        for fast in islice(run, k):
            t, memory = run["t"], run.memory
        if fast is None:
            return
        theta = theta + alpha * (fast - theta)
        yield theta
