"""Where numbers are no longer finite: what says so, and NumPy kept from saying it as well."""
from math import isfinite

import numpy as np


def is_finite(value):
    """Is an iterate, a gradient or a loss finite?  A sum that is says so, one that is not does not."""
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and value.dtype.kind == "f":
            total = sum(value.tolist()) if value.size < 8 else np.vdot(value, value)  # neither of which warns
            return isfinite(total) or bool(np.isfinite(value).all())
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    return not isinstance(value, (float, np.floating)) or isfinite(value)


def silent(outside, overflow):
    """A function that calls others in a copy of this context, in which NumPy warns of nothing and calls `overflow`.

    np.errstate would do so for a step as well, and takes a third of the time that all else around a small one does.
    """
    if np.__version__.startswith("1."):  # there it is no part of the context
        return np.errstate(all="ignore", over="call", call=overflow)(lambda function, argument: function(argument))

    def set():
        np.seterr(all="ignore", over="call")
        np.seterrcall(overflow)

    inside = outside.copy()
    inside.run(set)
    return inside.run


def is_like(context, other):
    """Has nothing been set in one context that the other has not?  It is, as a rule, the same."""
    try:
        return context == other
    except ValueError:  # there are arrays in them
        return False


class Overflow:
    """What NumPy calls in a step in which a number became too large, at no cost in the others."""

    seen = True  # at the first step all is looked at

    def __call__(self, *what):
        self.seen = True


def numerical(error):
    """Does an error say that numbers became too large, or undefined?"""
    return isinstance(error, (FloatingPointError, OverflowError)) or (
        isinstance(error, np.linalg.LinAlgError) and "converge" in str(error))  # as LAPACK says where it finds nan


def all_finite(value):
    """Are all arrays finite in what a method remembers: an array, a tuple, a list or a dictionary of them?"""
    if isinstance(value, (tuple, list, dict)):
        return all(map(all_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, np.ndarray) or value.dtype.kind != "f" or bool(np.isfinite(value).all())
