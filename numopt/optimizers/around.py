"""What any loop can be given from outside: weight decay beside its step, and rates layer by layer.          Lecture 13.

    decayed(risk, theta, inner=partial(lion, lr=1e-4), lr=1e-4, weight_decay=0.1)

For methods that know where they are from θ alone; not for polyak or schedule_free, whose memory has other iterates.
"""
import numpy as np

from numopt.optimizer import optimizer
from numopt.optimizers.descent import gradient_descent
from numopt.schedules import schedule


@optimizer
def decayed(problem, theta, *, inner=gradient_descent, lr=1e-2, weight_decay=1e-2, t=0, memory=None):
    """Let the inner method take its step, and shrink the weights beside it, by a share that its scaling does not see.

    Loshchilov and Hutter (2019), Algorithms 1 and 2: decoupled.  Coupled is wrappers.Ridge around the problem, whose
    gradient the method sees.  lr is that of the decay: give it what the inner method has.
    In Table 1: the inner method's.
    """
    lr = schedule(lr)
    while True:
        run = inner(problem, theta, **(memory or {"t": t}))
        after = next(run, None)
        if after is None:
            return
        t, memory = run["t"], run.memory
        theta = after - lr(t) * weight_decay * theta
        yield theta


@optimizer
def by_layer(problem, theta, *, inner=gradient_descent, rates=(), t=0, memory=None):
    """Let the inner method take its step, and go each layer's part of it as many times as the layer's rate says.

    Howard and Ruder (2018), Section 3.2, "discriminative fine-tuning".  `rates` has a number for each block of the
    problem; 0 leaves a layer as it is, and none at all is 1 for each.  The memory is the inner method's, of whole
    steps.
    In Table 1: the inner method's.
    """
    blocks = problem.blocks(theta)
    if len(rates) not in (0, len(blocks)):
        raise ValueError(f"by_layer: rates has {len(rates)} numbers; the problem has {len(blocks)} blocks, one each")
    rates_or_ones = rates or [1] * len(blocks)
    factors = np.concatenate([np.full(W.size, rate, theta.dtype) for W, rate in zip(blocks, rates_or_ones)])
    while True:
        run = inner(problem, theta, **(memory or {"t": t}))
        after = next(run, None)
        if after is None:
            return
        t, memory = run["t"], run.memory
        theta = theta + factors * (after - theta)
        yield theta
