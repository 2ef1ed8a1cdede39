"""The rate as a function of t, the number of the mini-batch.          Lecture 2.

    adam(risk, theta, lr=cosine(1e-3, steps=1000))

A schedule is any function of t = 1, 2, 3, ... that gives a rate; those below are made of numbers.  They
count mini-batches, not epochs: for a rate that changes every epoch, multiply by risk.steps_per_epoch.
With rates α_t, stochastic gradient descent settles if Σ α_t = ∞ and Σ α_t² < ∞ (Robbins and Monro 1951);
of these only inverse_time meets both: the others end at a constant, or too early.
"""
from math import cos, inf, pi


def schedule(rate, name="lr", below=inf):
    """The function of t that `rate` stands for: itself, or the same number at every step.

    What it gives is checked whenever it is asked, and is a Python float, which leaves single precision single.
    """
    if not callable(rate):
        value = checked(rate, name, below)
        return lambda t: value
    return lambda t: checked(rate(t), f"{name}, which the schedule gives at t = {t},", below)


def checked(value, name, below=inf):
    """The value as a float, if it is a number of at least 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or a function of t, not {value!r}") from None
    if not 0 <= number < below:
        raise ValueError(f"{name} must be at least 0 and below {below}, and is {number}")
    return number


def counted(value, name, least=1):
    """The value, if it is a whole number of at least 1, or of another least."""
    try:
        whole = value >= least and value == int(value)
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(f"{name} must be a whole number of at least {least}, and is {value!r}")
    return int(value)


def constant(a):
    """α_t = a."""
    return schedule(a)


def piecewise_linear(a_0, a_tau, tau):
    """From a₀ down a straight line to a_τ, reached at step τ and kept.

    Goodfellow, Bengio and Courville (2016), equation 8.14: α_t = (1 − β) a₀ + β a_τ with β = t / τ.  They advise
    τ of a few hundred epochs' steps and a_τ = a₀ / 100.  It rises where a_τ > a₀: as a momentum coefficient, from
    0.5 to 0.99.  (Ravasi's lecture asks for Σ α² < ∞ and then recommends this rule, whose constant tail has Σ α² = ∞.)
    """
    a_0, a_tau, tau = checked(a_0, "a_0"), checked(a_tau, "a_tau"), counted(tau, "tau")

    def rate(t):
        beta = min(t / tau, 1.0)
        return (1 - beta) * a_0 + beta * a_tau

    return rate


def step(a, every, factor=0.1):
    """Multiply by `factor` after every so many steps."""
    a, every, factor = checked(a, "a"), counted(every, "every"), checked(factor, "factor")
    return lambda t: a * factor ** ((t - 1) // every)


def exponential(a, decay):
    """α_t = a · decay^(t − 1)."""
    a, decay = checked(a, "a"), checked(decay, "decay")
    return lambda t: a * decay ** (t - 1)


def inverse_time(eta, beta):
    """α_t = η / (β + t), the decay that Ravaut and Gorti (2018), Section 2, call popular.

    Σ α_t = ∞ and Σ α_t² < ∞: the one schedule here with the guarantee of Robbins and Monro.
    """
    eta, beta = checked(eta, "eta"), checked(beta, "beta")
    return lambda t: eta / (beta + t)


def cosine(a, steps, least=0.0):
    """Half a period of a cosine, from a at t = 1 to `least` after so many steps, and there it stays.

    Loshchilov and Hutter (2017), equation 5, without restarts.
    """
    a, steps, least = checked(a, "a"), counted(steps, "steps"), checked(least, "least")
    return lambda t: least + (a - least) * (1 + cos(pi * min((t - 1) / steps, 1.0))) / 2


def warm_up(rate, steps):
    """Rise along a straight line for so many steps, and then follow `rate`, a number or a schedule, from its start."""
    after, steps = schedule(rate), counted(steps, "steps")
    return lambda t: after(1) * t / (steps + 1) if t <= steps else after(t - steps)


def warmup_stable_decay(a, steps, rise, fall, least=0.0):
    """Rise along a straight line for `rise` steps, stay at a, and fall along another in the last `fall` of them all.

    Hu et al. (2024), MiniCPM, equation 1, WSD.  A run that is to go on does so from where it begins to fall.
    """
    a, steps, least = checked(a, "a"), counted(steps, "steps"), checked(least, "least")
    rise, fall = counted(rise, "rise", 0), counted(fall, "fall")
    if rise + fall > steps:
        raise ValueError(f"rise and fall are {rise} and {fall} steps, and there are {steps}")
    return lambda t: a * t / (rise + 1) if t <= rise else least + (a - least) * min(1.0, max(0.0, (steps - t) / fall))


def one_cycle(a, steps, share=0.3, first=1 / 25, last=1e-4):
    """Half a period of a cosine up to a, within a share of so many steps, and another one down, far below the start.

    Smith and Topin (2018), with the numbers and the cosines of PyTorch's OneCycleLR: from first · a at t = 1 to
    last · first · a at t = steps.  The paper also lowers the momentum as the rate rises: give mu a schedule of its own.
    """
    a, steps, share = checked(a, "a"), counted(steps, "steps", 2), checked(share, "share", 1)
    start, end = a * checked(first, "first"), a * first * checked(last, "last")
    top = max(share * steps - 1, 0.0)

    def rate(t):
        if t - 1 < top:
            return a + (start - a) * (1 + cos(pi * (t - 1) / top)) / 2
        return end + (a - end) * (1 + cos(pi * min((t - 1 - top) / (steps - 1 - top), 1.0))) / 2

    return rate


class reduce_on_plateau:
    """Multiply the rate by `factor` when what you watch has not fallen for `patience` looks, of 0 or 1 at the first.

        lr = reduce_on_plateau(0.1)
        run = gradient_descent(risk, theta, lr=lr)
        record(run, steps=1000, every=100, measure={"loss": validation.value}, plateau=(lr, "loss"))

    The one schedule that cannot be a function of t alone: whoever drives the run shows it each new value with
    `saw(value)`.  A value counts as lower when it is below (1 − tolerance) times the least so far.  `memory`,
    given back as keyword arguments, restores it.
    """

    def __init__(self, a, factor=0.1, patience=10, tolerance=1e-4, *, reductions=0, best=inf, waited=0):
        self.a, self.factor = checked(a, "a"), checked(factor, "factor", 1)
        self.patience, self.tolerance = counted(patience, "patience", 0), checked(tolerance, "tolerance", 1)
        self.reductions, self.best, self.waited = reductions, best, waited

    def __call__(self, t):
        return self.a * self.factor ** self.reductions

    def saw(self, value):
        """Take note of the value of what is watched, a validation loss for example."""
        if value < (self.best - self.tolerance * abs(self.best) if self.best < inf else inf):
            self.best, self.waited = float(value), 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.reductions, self.waited = self.reductions + 1, 0

    @property
    def memory(self):
        return {"reductions": self.reductions, "best": self.best, "waited": self.waited}
