"""What an optimizer is: a loop that yields one iterate per step, and nothing else.

    @optimizer
    def momentum(problem, theta, *, lr=0.01, mu=0.9, t=0, v=0.0):
        for t, loss in problem.losses(after=t):
            v = mu * v - lr * loss.gradient(theta)
            theta = theta + v
            yield theta

Keyword arguments before `t` are hyperparameters.  `t`, the number of mini-batches used so far, and
everything after it is the memory of the method; the defaults say what it remembers at the start.
Whoever iterates decides when to stop, what to measure and what to save.
"""
import functools
import inspect
from math import inf, isfinite

import numpy as np

RATE = "a number of at least 0", lambda x: 0 <= x < inf
DECAY = "a number in [0, 1)", lambda x: 0 <= x < 1
FRACTION = "a number in [0, 1]", lambda x: 0 <= x <= 1
GROWTH = "a number of at least 1", lambda x: 1 <= x < inf
COUNT = "a whole number of at least 1", lambda x: isinstance(x, (int, np.integer)) and x >= 1
WHOLE = "a whole number of at least 0", lambda x: isinstance(x, (int, np.integer)) and x >= 0

# What a hyperparameter of this name has to be, in every method that has one.
HYPERPARAMETERS = {
    **dict.fromkeys(["lr", "eps", "weight_decay", "damping", "kappa", "least", "most", "psi", "delta", "epsilon",
                     "tau", "overlap", "radius", "gamma", "gradient_rate.alpha",
                     "levenberg_marquardt.mu", "safeguard", "aux_lr", "scale"], RATE),
    **dict.fromkeys(["beta", "mu", "rho", "beta1", "beta2"], DECAY),
    **dict.fromkeys(["phi", "alpha", "eta_minus", "eta", "power"], FRACTION),
    **dict.fromkeys(["eta_plus"], GROWTH),
    **dict.fromkeys(["k", "window", "history", "cg_steps", "every", "block", "T1", "T2", "T3", "muon.steps",
                     "restart", "columns"], COUNT),
    **dict.fromkeys(["seed", "start", "anderson.window"], WHOLE),
    "cosine": ("a number in [-1, 1]", lambda x: -1 <= x <= 1),
}
# These may be functions of t as well.
SCHEDULES = {"lr", "mu"}


class Diverged(ArithmeticError):
    """An iterate was no longer a vector of finite numbers; t says at which mini-batch."""

    def __init__(self, message, t):
        super().__init__(message, t)
        self.t = t

    def __str__(self):
        return self.args[0]


def optimizer(loop):
    """Make an optimizer of a loop: calling it gives a Run."""

    @functools.wraps(loop)
    def start(problem, theta, **arguments):
        return Run(loop, problem, theta, arguments, start.twin)

    start.twin = None  # a function of θ that gives the same loop with a compiled update: see optimizers/compiled.py
    return start


class Run:
    """An optimizer at work.  Iterate over it to get θ₁, θ₂, ...

    run.theta      the last iterate
    run.memory     what the method remembers: passed back as keyword arguments, it goes on from here
    run["v"]       any variable of the loop, under the name it has in the source

    A step that is broken off, by Ctrl-C or by an error, leaves all three as they were after the last whole
    step, and the next step starts from there.  An iterate with an infinite or undefined coordinate is never
    handed out: it raises Diverged.
    """

    def __init__(self, loop, problem, theta, arguments, twin=None):
        self.name = loop.__name__
        check_arguments(loop, arguments)
        self.theta = starting_point(problem, theta, self.name)
        self._memory_names = memory_names(loop)
        # Python numbers leave single precision single, NumPy's double ones do not.
        arguments = {name: value.item() if isinstance(value, np.generic) and name not in self._memory_names else value
                     for name, value in arguments.items()}
        self._loop = functools.partial(twin and twin(self.theta) or loop, problem, **defaults(loop) | arguments)
        self._generator = self._loop(self.theta)
        self._variables = inspect.getgeneratorlocals(self._generator).copy()

    def __iter__(self):
        return self

    def __next__(self):
        try:
            with np.errstate(all="ignore"):
                theta = next(self._generator)
                finite = isfinite(theta @ theta) or np.isfinite(theta).all()
        except StopIteration:
            raise
        except BaseException as error:
            self._generator = self._loop(self.theta, **self.memory)
            if isinstance(error, FloatingPointError):
                raise Diverged(f"{self.name} became non-finite after step {self['t']}: {error}", self["t"]) from error
            raise
        variables = inspect.getgeneratorlocals(self._generator).copy()
        if not finite:
            t = variables["t"]
            raise Diverged(f"{self.name} became non-finite at step {t}: try a smaller learning rate, more damping or "
                           f"clipped gradients (the last finite iterate is in run.theta)", t)
        self.theta, self._variables = frozen(theta), variables
        return self.theta

    def __getitem__(self, name):
        if name not in self._variables:
            raise KeyError(f"the loop of {self.name} has no variable {name!r} yet; it has "
                           f"{', '.join(sorted(self._variables))}")
        value = self._variables[name]
        return value.function(*value.arguments) if isinstance(value, Later) else value

    @property
    def memory(self):
        return {name: self[name] for name in self._memory_names}

    def __repr__(self):
        return f"<{self.name} after {self['t']} mini-batches>"


class Later:
    """A variable of a compiled loop that is computed only if somebody asks the run for it."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


def memory_names(loop):
    """The keyword arguments from `t` onwards."""
    names = list(inspect.signature(loop).parameters)
    return names[names.index("t"):]


def defaults(loop):
    """The keyword arguments, as they are where nothing else is said."""
    parameters = inspect.signature(loop).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY}


def frozen(theta):
    """An iterate is a value: writing into one that was handed out is an error."""
    theta.flags.writeable = False
    return theta


def check_arguments(loop, arguments):
    """Refuse a keyword that the method does not have, and a hyperparameter outside its range."""
    known = list(inspect.signature(loop).parameters)[2:]
    for name, value in arguments.items():
        if name not in known:
            raise TypeError(f"{loop.__name__} has no argument {name!r}; it has {', '.join(known)}")
        wanted, good = HYPERPARAMETERS.get(f"{loop.__name__}.{name}") or HYPERPARAMETERS.get(name, (None, None))
        may_be_none = inspect.signature(loop).parameters[name].default is None
        may_be_other = (isinstance(value, np.ndarray) if name in memory_names(loop)
                        else callable(value) and name in SCHEDULES)
        if wanted and not may_be_other and not (value is None and may_be_none):
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not good(value):
                raise ValueError(f"{loop.__name__}: {name} is {value!r}; it must be {wanted}"
                                 + (", or a schedule" if name in SCHEDULES else ""))
    if not (isinstance(t := arguments.get("t", 0), (int, np.integer)) and t >= 0):
        raise ValueError(f"{loop.__name__}: t is {t!r}; it counts mini-batches: a whole number of at least 0")


def starting_point(problem, theta, name):
    """A frozen copy of theta, in single precision if it came so, otherwise in double."""
    if not hasattr(problem, "losses"):
        raise TypeError(f"{name} needs a problem to minimise and was given {problem!r}; "
                        f"wrap a function of your own as numopt.problems.Function(fun)")
    theta = np.asarray(theta)
    if theta.dtype.kind not in "fiub":
        raise ValueError(f"{name}: theta must be real numbers; it was given as {theta.dtype}")
    if theta.ndim != 1 or theta.size == 0:
        raise ValueError(f"{name}: theta must be a vector, one number a parameter; it has shape {theta.shape}")
    if problem.size is not None and theta.size != problem.size:
        raise ValueError(f"{name}: theta has {theta.size} numbers; {type(problem).__name__} takes {problem.size}")
    if not np.isfinite(theta).all():
        first = int(np.flatnonzero(~np.isfinite(theta))[0])
        raise ValueError(f"{name}: theta[{first}] is {theta[first]}; start from finite numbers")
    return frozen(theta.astype(np.result_type(theta, np.float32) if theta.dtype.kind == "f" else float))
