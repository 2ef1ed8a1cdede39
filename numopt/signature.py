"""What the signature of a loop says: its hyperparameters, each with a meaning and a range, and what it remembers.

    def adam(problem, theta, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, t=0, m=0.0, v=0.0)

Before `t` stand hyperparameters; `t` and what follows is the memory, with what is remembered at the start.  What a
hyperparameter means and what it has to be goes by its name, in the table below: the same in every method that has it.
A loop with a name, or a use of a name, that is not there says the range itself: @optimizer(beta3=DECAY).
"""
import inspect
from collections import namedtuple
from math import inf, isfinite

import numpy as np

Range = namedtuple("Range", "wanted good")


def real(x):
    """Is it a finite real number?  10**400 is none: no float is as large."""
    try:
        return isinstance(x, (int, float, np.number)) and not isinstance(x, (bool, complex, np.complexfloating)) \
            and isfinite(float(x))
    except OverflowError:
        return False


def whole(x):
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


RATE = Range("a number of at least 0", lambda x: real(x) and 0 <= x < inf)
POSITIVE = Range("a number above 0", lambda x: real(x) and 0 < x < inf)
DECAY = Range("a number in [0, 1)", lambda x: real(x) and 0 <= x < 1)
FRACTION = Range("a number in [0, 1]", lambda x: real(x) and 0 <= x <= 1)
SHARE = Range("a number in (0, 1]", lambda x: real(x) and 0 < x <= 1)
GROWTH = Range("a number of at least 1", lambda x: real(x) and 1 <= x < inf)
BOUND = Range("a number of at least 0, or inf", lambda x: x == inf or RATE.good(x))
COSINE = Range("a number in [-1, 1]", lambda x: real(x) and -1 <= x <= 1)
COUNT = Range("a whole number of at least 1", lambda x: whole(x) and x >= 1)
WHOLE = Range("a whole number of at least 0", lambda x: whole(x) and x >= 0)
NUMBER = Range("a number", real)
SWITCH = Range("True or False", lambda x: isinstance(x, (bool, np.bool_)))
SEARCH = Range("a function of numopt.line_search, exact, backtracking, strong_wolfe or full_step, or one like them: "
               "search(loss, theta, p, f, g)", callable)
METHOD = Range("a method, such as adam, or functools.partial(adam, lr=0.1)",
               lambda x: callable(x) and hasattr(getattr(x, "func", x), "memory"))
PROBLEM = Range("a problem, with a method loss(t)", lambda x: hasattr(x, "loss"))
NUMBERS = Range("a tuple of numbers", lambda x: isinstance(x, (tuple, list)) and all(map(real, x)))


def one_of(*texts):
    """The range of a text."""
    return Range(" or ".join(filter(None, [", ".join(map(repr, texts[:-1])), repr(texts[-1])])),
                 lambda x: isinstance(x, str) and x in texts)


# Those that a loss answers; what a problem answers besides, jacobian for example, is a curvature, too.
CURVATURES = "hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher"

# The meaning and the range of what has this name, in every method, or in the one whose name stands before it.
HYPERPARAMETERS = {
    "lr": ("the learning rate", RATE),
    "newton_rate.lr": ("the learning rate of the first step", POSITIVE),
    "newton_rate_printed.lr": ("the learning rate of the first step", POSITIVE),
    "rprop.lr": ("the length of the first step", RATE),
    "mu": ("the momentum: the share of the velocity that is kept", DECAY),
    "levenberg_marquardt.mu": ("the damping", RATE),
    "beta": ("the share of an average that is kept", DECAY),
    "beta1": ("the share that the averaged gradient keeps of itself", DECAY),
    "beta2": ("the share that the averaged squares, or curvatures, keep of themselves", DECAY),
    "rho": ("the share that an average keeps of itself", DECAY),
    "sam.rho": ("how far uphill the gradient is taken", RATE),
    "eps": ("a small number: what keeps a quotient finite, or when an inner loop ends", RATE),
    "weight_decay": ("the share of θ, in units of lr, that each step takes away", RATE),
    "damping": ("what is added to the diagonal of the curvature matrix", RATE),
    "radius": ("the length of step up to which the model is trusted", RATE),
    "alpha": ("the share of the way to the fast weights that is gone", FRACTION),
    "gradient_rate.alpha": ("the learning rate of the learning rate", RATE),
    "kappa": ("what is added to a gain while its gradient keeps its sign", RATE),
    "kfac.kappa": ("the longest step, as the change it makes to what the model says", RATE),
    "phi": ("the share by which a gain shrinks when the sign turns", FRACTION),
    "eta_minus": ("the factor of a step whose sign has turned", FRACTION),
    "eta_plus": ("the factor of a step whose sign has stayed", GROWTH),
    "eta": ("the share of the promised fall that makes a step", FRACTION),
    "kfac_martens.eta": ("the strength of the ridge around the problem", FRACTION),
    "least": ("the smallest gain, or length of a step", RATE),
    "most": ("the largest gain, or length of a step", RATE),
    "trust_region.most": ("the largest radius", POSITIVE),
    "newton_rate.most": ("the largest factor by which the rate changes in a step", GROWTH),
    "psi": ("how fast the momentum rises", RATE),
    "delta": ("a small number: the least rate, or what is added to a denominator", RATE),
    "epsilon": ("the longest step, in the length that the method limits", RATE),
    "newton_rate.epsilon": ("the distance of the differences, as a share of the rate", SHARE),
    "newton_rate_printed.epsilon": ("the distance of the differences", SHARE),
    "near": ("the largest denominator to which delta is added", BOUND),
    "tau": ("an average's length in steps, or the first damping's share of the largest curvature", RATE),
    "power": ("the power of the averaged curvature that a step is divided by", FRACTION),
    "gamma": ("the scale of the curvature, or of the factors' damping", RATE),
    "momo.gamma": ("the average of gᵀθ", NUMBER),
    "overlap": ("the cosine of successive gradients at which directions start afresh", RATE),
    "cosine": ("the cosine of residual and model above which the model is taken for right", COSINE),
    "safeguard": ("the error bound at which directions start afresh", RATE),
    "scale": ("the first Q is this times the identity", RATE),
    "muon.scale": ("of a matrix of a step", one_of("original", "match_rms_adamw", "spectral")),
    "nesterov": ("is the newest gradient counted twice?", SWITCH),
    "ball": ("in which a step is furthest", one_of("sign", "euclidean", "spectral")),
    "sps.c": ("the loss above its bound is divided by this", POSITIVE),
    "lower": ("what no mini-batch's loss is below", NUMBER),
    "sps.gamma": ("the largest factor by which the rate grows in `every` steps", GROWTH),
    "sps.every": ("the number of steps in which the rate may grow by gamma", COUNT),
    "share": ("the length of the first step, as a share of 1 + ‖θ₀‖, or the first d", POSITIVE),
    "ess": ("the effective number of examples", POSITIVE),
    "h0": ("the curvature at the start", POSITIVE),
    "aux_lr": ("the learning rate of Q", RATE),
    "slow": ("the factor by which the first variances are enlarged", GROWTH),
    "k": ("the number of steps between two of the outer kind", COUNT),
    "window": ("how many of the last iterates, or directions, are kept", COUNT),
    "anderson.window": ("how many of the last differences are kept", WHOLE),
    "history": ("how many of the last pairs are kept", COUNT),
    "cg_steps": ("the most steps of conjugate gradients", COUNT),
    "every": ("the number of steps from one renewal of matrices to the next", COUNT),
    "T1": ("the number of steps from one adaptation of the damping to the next", COUNT),
    "T2": ("the number of steps from one adaptation of the factors' damping to the next", COUNT),
    "T3": ("the number of steps from one inversion of the factors to the next", COUNT),
    "block": ("how many neighbours share a curvature", COUNT),
    "muon.steps": ("the steps of the Newton-Schulz iteration", COUNT),
    "restart": ("after how many steps directions start afresh", COUNT),
    "columns": ("how many columns the Nyström approximation has", COUNT),
    "samples": ("how many first steps only look", COUNT),
    "seed": ("what the random numbers are a function of", WHOLE),
    "start": ("steps of conjugate gradients on all the data before the first", WHOLE),
    "curvature": ("the matrix, as the problem's method is called", one_of(*CURVATURES)),
    "newton_cg.curvature": ("the matrix, as the problem's method is called, or differences of gradients",
                            one_of(*CURVATURES, "differences")),
    **dict.fromkeys(("gcr.curvature", "nltgcr.curvature", "nltgcr_adaptive.curvature"),
                    ("the matrix, as the problem's method is called", one_of(*CURVATURES, "jacobian"))),
    "structure": ("how much of the matrix is used", one_of("full", "diagonal")),
    "solver": ("how the system is solved", one_of("cg", "dense", "diagonal")),
    "scaling": ("in which units steps are measured", one_of("marquardt", "levenberg")),
    "formula": ("how β is computed", one_of("fletcher_reeves", "polak_ribiere", "polak_ribiere_plus",
                                            "hestenes_stiefel")),
    "barzilai_borwein.formula": ("the longer or the shorter of the two rates", one_of("long", "short")),
    "averaging": ("how the curvatures of neighbours are averaged", one_of("signed", "absolute")),
    "estimator": ("of the curvature: Hutchinson's, or from drawn labels", one_of("H", "G")),
    "form": ("of the factors of convolutions", one_of("expand", "reduce")),
    "labels": ("of the Fisher matrix", one_of("sampled", "exact", "data")),
    "graft": ("the method whose length of step is taken", one_of("sgd", "adagrad")),
    "equations": ("what is to be zero", one_of("gradient", "residuals")),
    "preconditioned": ("is the system preconditioned?", SWITCH),
    "rates": ("what each layer's part of a step is multiplied by", NUMBERS),
    "coefficients": ("of the Newton-Schulz iteration", NUMBERS),
    "search": ("the line search", SEARCH),
    "inner": ("the method that is watched, its hyperparameters bound with functools.partial", METHOD),
    "probe": ("the problem that judges a rate; None is the mini-batch itself", PROBLEM),
}
# These may be functions of t as well.
SCHEDULES = {"lr", "mu"}


def memory_names(loop):
    """The keyword arguments from `t` onwards."""
    names = list(defaults(loop))
    return names[names.index("t"):]


def defaults(loop):
    """The keyword arguments, as they are where nothing else is said."""
    return inspect.unwrap(loop).__kwdefaults__


def checked_loop(loop):
    """The loop, if it can be an optimizer; otherwise a TypeError says what to change."""
    if not inspect.isfunction(loop):
        raise TypeError(f"@optimizer stands above the loop of a method, and was given {loop!r}")
    name, parameters = loop.__name__, inspect.signature(loop).parameters.values()
    example = f"def {name}(problem, theta, *, lr=0.01, t=0)"
    if not inspect.isgeneratorfunction(loop):
        raise TypeError(f"{name} yields nothing: after each step its loop has to say `yield theta`")
    if [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD][2:]:
        raise TypeError(f"{name}: what follows theta has to be given by name; put a * after theta, as in {example}")
    if len(parameters) < 2 or any(p.kind != p.POSITIONAL_OR_KEYWORD for p in list(parameters)[:2]):
        raise TypeError(f"{name} has to take a problem and theta, as in {example}")
    keywords = {p.name: p for p in list(parameters)[2:]}
    if "t" not in keywords:
        raise TypeError(f"{name} has no t=0 in its signature: hyperparameters stand before it, and what the method "
                        f"remembers behind it, as in {example}")
    for p in keywords.values():
        if p.kind != p.KEYWORD_ONLY or p.default is p.empty:
            raise TypeError(f"{name}: {p} needs a default, {p.name}=..., a hyperparameter's usual value or what is "
                            f"remembered at the start; as in {example}")
    if not whole(keywords["t"].default):
        raise TypeError(f"{name}: t counts mini-batches and begins at t=0, not at {keywords['t'].default!r}")
    return loop


def ranges_of(loop, own):
    """{name: (meaning, range)} of a loop's keywords: those it says itself, and those of the table."""
    memory, known = memory_names(loop), {}
    for name, default in defaults(loop).items():
        for key in f"{loop.__name__}.{name}", name, name.rstrip("0123456789"):
            if key in HYPERPARAMETERS:
                known[name] = HYPERPARAMETERS[key]
                break
        if name in own:
            known[name] = own[name] if not isinstance(own[name], Range) else ("", own[name])
        if name not in known and name not in memory and real(default):
            raise TypeError(f"{loop.__name__}: nobody knows what {name} may be; say so, as in @optimizer({name}=DECAY) "
                            f"for {DECAY.wanted}; numopt.signature has RATE, DECAY, FRACTION, COUNT and others")
    if unknown := set(own) - set(defaults(loop)):
        raise TypeError(f"{loop.__name__} has no {', '.join(sorted(unknown))}, whose range @optimizer was given")
    return known


def described(method):
    """A line for each hyperparameter: what it means, what it may be, and what it is unless said otherwise."""
    lines = []
    for name, default in defaults(method).items():
        if name not in method.memory:
            meaning, (wanted, _) = method.ranges.get(name, ("", ("", None)))
            wanted += ", or a function of t: a schedule" if name in SCHEDULES else ""
            text = getattr(default, "__name__", None) or ("a function" if callable(default) else repr(default))
            lines.append(f"{name:<14}  {': '.join(filter(None, [meaning, wanted]))}; {text}")
    return "\n    ".join([*lines, f"{'memory':<14}  {', '.join(method.memory)}"])


def checked_precision(name, arguments, dtype):
    """Refuse an eps, or a rate or damping, above 0 that the precision of θ rounds to 0."""
    for key in {"eps", "lr", "damping", "least", "weight_decay"} & arguments.keys():
        value = arguments[key]
        if isinstance(value, (int, float)) and value > 0 and dtype.type(value) == 0:
            raise ValueError(f"{name}: {key} is {value!r}, which {dtype} rounds to 0; the smallest number it has is "
                             f"{np.finfo(dtype).smallest_subnormal:.1g}")


def checked_arguments(method, arguments, problem=None):
    """The arguments, if the method has them and they are within their ranges; NumPy's numbers as Python's own.

    Python numbers leave single precision single, NumPy's double ones do not.
    """
    name, known, accepted = method.__name__, defaults(method), {}
    for key, value in arguments.items():
        if key not in known:
            raise TypeError(f"{name} has no argument {key!r}; it has {', '.join(known)}")
        _, (wanted, good) = method.ranges.get(key, ("", (None, None)))
        remembered = key in method.memory
        may_be_other = (isinstance(value, (np.ndarray, np.generic)) if remembered
                        else callable(value) and key in SCHEDULES
                        or key == "curvature" and isinstance(value, str) and callable(getattr(problem, value, None)))
        if wanted and not may_be_other and not (value is None and known[key] is None) and not good(value):
            raise ValueError(f"{name}: {key} is {short(value)}; it must be {wanted}"
                             + (", or a schedule" if key in SCHEDULES and not remembered else "")
                             + (", or another method of the problem" if key == "curvature" else ""))
        if isinstance(value, np.generic) and not remembered and real(value):
            value = int(value) if whole(value) else float(value)
        accepted[key] = value
    if not (whole(t := accepted.get("t", 0)) and t >= 0):
        raise ValueError(f"{name}: t is {t!r}; it counts mini-batches: a whole number of at least 0")
    return accepted


def short(value):
    """Its representation, or the beginning of that."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def checked_memory(name, value, default, theta):
    """What a method is to remember, if it can: numbers, and arrays of the precision of θ that nobody writes into."""
    if isinstance(value, np.ndarray):
        if value.dtype != theta.dtype:
            raise ValueError(f"{name} holds {value.dtype} and theta {theta.dtype}: a run has one precision; "
                             f"convert one of them with .astype")
        if value.flags.writeable or not value.flags.owndata:
            value = value.copy()
        value.flags.writeable = False
    elif type(value) in (tuple, list):
        return type(value)(checked_memory(f"{name}[{i}]", item, None, theta) for i, item in enumerate(value))
    elif type(value) is dict:
        return {key: checked_memory(f"{name}[{key!r}]", item, None, theta) for key, item in value.items()}
    elif real(default) and not isinstance(value, (int, float, np.number)) or isinstance(value, (str, complex)):
        raise ValueError(f"{name} is {value!r}; what a method remembers are numbers and arrays")
    return value


def said(value):
    """What it is, in short: a vector of 5 numbers (float32), or a tuple, or None."""
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__} of shape {value.shape} ({value.dtype})".replace("ndarray", "an array")
    if value is None or isinstance(value, (bool, int, float, complex, np.generic)):
        return repr(value)
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
