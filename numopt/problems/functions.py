"""Problems made of functions.          Lecture 1.

    LeastSquares    ½‖r(θ)‖², made of its residuals
    Function        a function of your own

Derivatives that are not given are central differences: right to about 10 digits in double precision, 4 in single.
"""
import numpy as np

from numopt.problems.objective import Objective


def vector(objective, theta):
    """θ as an array of floating-point numbers, if it has as many as the objective takes."""
    if not isinstance(theta, np.ndarray) or theta.dtype.kind not in "fc":
        theta = np.asarray(theta)
        if theta.dtype.kind not in "biufc":
            raise ValueError(f"{type(objective).__name__} takes numbers; it was given {theta.dtype}")
        theta = theta.astype(np.result_type(theta, np.float32))
    if theta.ndim != 1:
        raise ValueError(f"{type(objective).__name__} takes a vector; it was given an array of shape {theta.shape}")
    if theta.size != objective.size and objective.size is not None:
        raise ValueError(f"{type(objective).__name__} takes {objective.size} numbers; it was given {theta.size}")
    return theta


def whole_number(value, name, least):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, and is {value!r}")
    return int(value)


def differences(f, theta, power=1 / 3):
    """∂f/∂θ by central differences; the derivative by θᵢ is [..., i], whatever the shape of f.

    The step is h = eps^power max(1, |θᵢ|): the formula is wrong by about h², and rounding f adds eps / h, which
    together are least for a power of 1/3.  For differences of differences rounding adds eps / h², and it is 1/4.

    A θᵢ below 1000 h may be a parameter in small units, a time of 1e-7 s, along which f bends within h.  There a step
    of eps^power |θᵢ| is tried as well, and taken where the two differ by more than the rounding in it.
    """
    eps = float(np.finfo(theta.dtype).eps)
    h = eps**power

    def slope(i, x, h):
        """The slope with that step, and how much of it may be rounding."""
        up, down = theta.copy(), theta.copy()
        up[i], down[i] = x + h, x - h
        above, below, distance = f(up), f(down), float(up[i]) - float(down[i])  # the distance after rounding
        return (above - below) / distance, 10 * eps**(4 * power - 1 / 3) * (abs(above) + abs(below)) / distance

    columns = []
    with np.errstate(all="ignore"):
        for i, x in enumerate(theta.tolist()):
            wide, _ = slope(i, x, h * max(1, abs(x)))
            if 0 < abs(x) < 1000 * h:
                near, rounding = slope(i, x, h * abs(x))
                wide = np.where(np.isfinite(near) & ~(abs(wide - near) <= rounding), near, wide)
            columns.append(wide)
    return np.stack(columns, axis=-1).astype(theta.dtype, copy=False)


def answer(values, shape, theta, name, meaning):
    """What a given function returned, as an array of its own in the precision of θ, if it has that shape."""
    if np.ma.isMaskedArray(values):
        raise ValueError(f"{name} gave a masked array, whose mask would not be seen: leave those entries out, or fill "
                         "them in")
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} gave {values.dtype} instead of real numbers; does it return its result?")
    if len(shape) != values.ndim or any(n not in (None, m) for n, m in zip(shape, values.shape)):
        shape = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
        raise ValueError(f"{name} gave an array of shape {values.shape}; it must be {meaning}, of shape {shape}")
    return np.array(values, theta.dtype)


def check_functions(needed, **functions):
    for name, function in functions.items():
        if not callable(function) and (function is not None or name == needed):
            raise TypeError(f"{name} must be a function of theta, not {function!r}")


class LeastSquares(Objective):
    """Half the sum of the squared residuals, ½‖r(θ)‖²: the problem of Gauss, Newton, Levenberg and Marquardt.

    residuals   function of θ that gives the vector r, of length m
    jacobian    function of θ that gives the matrix J of ∂rᵢ/∂θⱼ, of shape (m, n)
    second      function of θ that gives the Hessians ∇²rᵢ, of shape (m, n, n)
    size        n, if it is to be checked

    The gradient is Jᵀr, the Gauss-Newton matrix JᵀJ, the Hessian JᵀJ + Σ rᵢ ∇²rᵢ.  Nocedal and Wright (2006),
    equations 10.4 and 10.5.  It is a sum, not a mean: twice the data, twice the curvature.
    """

    def __init__(self, residuals, jacobian=None, second=None, size=None):
        check_functions("residuals", residuals=residuals, jacobian=jacobian, second=second)
        self._residuals, self._jacobian, self._second = residuals, jacobian, second
        self.size = None if size is None else whole_number(size, "size", least=1)

    def residuals(self, theta):
        """The vector r(θ)."""
        theta = vector(self, theta)
        r = self._residuals(theta.copy())  # into which it may write
        return answer(r, (None,), theta, "residuals", "a vector, one number for each residual")

    def jacobian(self, theta):
        """The matrix J of ∂rᵢ/∂θⱼ."""
        theta = vector(self, theta)
        if self._jacobian is None:
            return differences(self.residuals, theta)
        return answer(self._jacobian(theta.copy()), (None, theta.size), theta, "jacobian", "one row for each residual")

    def both(self, theta):
        """r and J, if they have the same number of rows."""
        r, J = self.residuals(theta), self.jacobian(theta)
        if len(r) != len(J):
            raise ValueError(f"residuals gave {len(r)} numbers and jacobian {len(J)} rows; each residual has its row")
        return r, J

    def value(self, theta):
        r = self.residuals(theta)
        return 0.5 * (r @ r).item()

    def gradient(self, theta):
        return self.value_and_gradient(theta)[1]

    def value_and_gradient(self, theta):
        r, J = self.both(theta)
        return 0.5 * (r @ r).item(), J.T @ r

    def gauss_newton(self, theta):
        J = self.jacobian(theta)
        return J.T @ J

    def hessian(self, theta):
        theta = vector(self, theta)
        r, J = self.both(theta)
        if self._second is not None:
            shape = len(r), *2 * theta.shape
            second = answer(self._second(theta.copy()), shape, theta, "second", "a Hessian a residual")
        elif self._jacobian is not None:
            second = differences(self.jacobian, theta)
        else:
            second = differences(lambda x: differences(self.residuals, x, 1 / 4), theta, 1 / 4)
        H = J.T @ J + np.tensordot(r, second, axes=1)
        return (H + H.T) / 2


class Function(Objective):
    """A function of your own, and its derivatives if you have them.

        Function(lambda theta: theta @ theta, jac=lambda theta: 2 * theta)

    fun     function of θ that gives a number
    jac     function of θ that gives the gradient; without it, central differences: 2 n values for each gradient,
            up to 4 n where parameters are small
    hess    function of θ that gives the Hessian, or anything that multiplies a vector with @; without it, differences
            of `jac`, product by product; without `jac` as well a matrix of second differences, for 4 n² values
    size    n, if it is to be checked
    """

    def __init__(self, fun, jac=None, hess=None, size=None):
        check_functions("fun", fun=fun, jac=jac, hess=hess)
        self._fun, self._jac, self._hess = fun, jac, hess
        self.size = None if size is None else whole_number(size, "size", least=1)

    def value(self, theta):
        f = self._fun(vector(self, theta).copy())  # into which it may write
        if isinstance(f, np.ndarray) and f.size == 1 and f.dtype.kind in "biuf":
            return float(f.item())
        if np.ndim(f):
            raise ValueError(f"fun gave an array of shape {np.shape(f)}; an objective is one number: return the mean")
        try:
            return float(f)
        except (TypeError, ValueError):
            raise ValueError(f"fun gave {f!r} instead of a real number; does it return its result?") from None

    def gradient(self, theta):
        theta = vector(self, theta)
        if self._jac is None:
            return differences(self.value, theta)
        return answer(self._jac(theta.copy()), theta.shape, theta, "jac", "one derivative for each parameter")

    def hessian(self, theta):
        theta = vector(self, theta)
        if self._hess is not None:
            H = self._hess(theta.copy())
            if hasattr(H, "__matmul__") and not isinstance(H, np.ndarray) and H.shape == 2 * theta.shape:
                return H
            return answer(H, 2 * theta.shape, theta, "hess", "one row and one column for each parameter")
        if self._jac is not None:
            return super().hessian(theta)
        H = differences(lambda x: differences(self.value, x, 1 / 4), theta, 1 / 4)
        return (H + H.T) / 2
