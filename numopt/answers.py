"""What a problem answers, looked at the first time that a run asks.

A gradient of one number, or of another shape than θ, would be broadcast, a mask would be dropped, half precision
refused by LAPACK in words of its own.  From the second answer on a problem is asked itself.
"""
from itertools import islice

import numpy as np

from numopt.signature import said


class LookedAt:
    """A problem, or a loss, whose first answers are looked at."""

    def __init__(self, problem):
        self.problem = problem

    def __getattr__(self, name):
        if name == "problem":  # while it is being copied
            raise AttributeError(name)
        answer = getattr(self.problem, name)
        return self.looked_at(name, answer) if name in CHECKS and callable(answer) else answer

    def looked_at(self, name, answer):
        """The method of that name, until it has been asked."""

        def first(theta, *which, **how):
            found = CHECKS[name](name.replace("_", " "), self.problem, answer(theta, *which, **how), theta)
            if name in ("residuals", "jacobian") and (
                    rows := vars(self).setdefault("rows", found.shape[0])) != found.shape[0]:
                raise refused(name, self.problem, found, f"as long as the other of residuals and jacobian, {rows}")
            setattr(self, name, answer)
            return found

        return first

    def losses(self, after=0):
        losses = self.problem.losses(after=after)
        for t, loss in islice(losses, 1):
            first = FirstLoss(loss)
            yield t, first
            for t, other in losses:
                yield t, first if other is loss else other


class FirstLoss(LookedAt):
    """The objective of the first step, which is that of all steps where there are no mini-batches."""

    @property
    def smooth(self):
        return FirstLoss(self.problem.smooth)


def refused(what, loss, found, wanted):
    return ValueError(f"the {what} of {type(loss).__name__} is {said(found)}; it must be {wanted}")


def is_real(array, kinds="fdiu"):
    """Is it an array of real numbers in single or double precision, or of whole ones, without a mask?"""
    return (isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)
            and (array.dtype.char in kinds or array.dtype.kind in "iu" and "i" in kinds))


def checked_value(what, loss, f, theta):
    """The value, if it is one real number."""
    if isinstance(f, (int, float, np.integer, np.floating)) or is_real(f) and f.ndim == 0:
        return f
    raise refused(what, loss, f, "one real number, a float: of an array f.mean() or f.item()")


def checked_gradient(what, loss, g, theta):
    """The gradient, if it is a vector of real numbers, one for each of θ."""
    if is_real(g) and g.shape == theta.shape:
        return g
    raise refused(what, loss, g, f"an array of {theta.size} real numbers, shape {theta.shape}, as theta is, in single "
                                 "or double precision")


def checked_both(what, loss, both, theta):
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise refused(what, loss, both, "a pair, (f, g)")
    return checked_value("value", loss, both[0], theta), checked_gradient("gradient", loss, both[1], theta)


def checked_matrix(what, loss, H, theta):
    """A curvature, if it can be multiplied by vectors like θ: an array, or anything with @."""
    n, known = theta.size, getattr(H, "shape", None)
    if getattr(getattr(H, "dtype", None), "kind", "f") == "c":
        raise TypeError(f"the {what} of {type(loss).__name__} is complex, and must be real")
    real = is_real(H) if isinstance(H, np.ndarray) else hasattr(H, "__matmul__")
    if real and known in (None, (n, n)):
        return H
    raise refused(what, loss, H, f"a matrix of real numbers, an array of shape {(n, n)} or anything of that shape that "
                                 "is multiplied by a vector with @")


def checked_residuals(what, loss, r, theta):
    if is_real(r, "fd") and r.ndim == 1 and r.size:
        return r
    raise refused(what, loss, r, "a vector of real numbers, in single or double precision: see .astype(float)")


def checked_rows(what, loss, J, theta):
    """A Jacobian, or the gradients of examples: a row for each, and in it a number for each of θ."""
    if (not isinstance(J, np.ndarray) and hasattr(J, "__matmul__") and getattr(J, "shape", ())[1:] == (theta.size,)
            and getattr(getattr(J, "dtype", None), "kind", "f") != "c"):
        return J
    if is_real(J, "fd") and J.ndim == 2 and len(J) and J.shape[1] == theta.size:
        return J
    raise refused(what, loss, J, f"an array of real numbers with {theta.size} in each row, shape (m, {theta.size}), in "
                                 "single or double precision: see .astype(float)")


def checked_factors(what, loss, factors, theta):
    """[(A, G)], pairs of square matrices."""
    if isinstance(factors, (tuple, list)) and all(isinstance(pair, (tuple, list)) and len(pair) == 2
                                                  for pair in factors):
        wrong = [A for pair in factors for A in pair if not (is_real(A, "fd") and A.ndim == 2 and len(A) == len(A.T))]
        if not wrong and sum(len(A) * len(G) for A, G in factors) == theta.size:
            return factors
        factors = wrong[0] if wrong else factors
    raise refused(what, loss, factors, "a list of pairs (A, G) of square arrays of real numbers, one for each layer, "
                                       f"whose sizes multiplied add up to the {theta.size} numbers of theta")


CURVATURES = "hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher"
CHECKS = {"value": checked_value, "gradient": checked_gradient, "value_and_gradient": checked_both,
          "sampled_gradient": checked_gradient, **dict.fromkeys(CURVATURES, checked_matrix),
          "residuals": checked_residuals, "jacobian": checked_rows, "per_example_gradients": checked_rows,
          "fisher_rows": checked_rows, "fisher_moments": checked_gradient, "kronecker_factors": checked_factors}
