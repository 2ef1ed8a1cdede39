"""Any optimizer as a method of scipy.optimize.minimize.

    from scipy.optimize import minimize
    minimize(fun, x0, jac=jac, method=scipy_method(adam, lr=0.05), tol=1e-6, options={"maxiter": 5000})
"""
import inspect

import numpy as np
from scipy.optimize import OptimizeResult

from numopt.optimizer import Diverged
from numopt.problems.functions import Function
from numopt.problems.minibatch import symmetric

# How a run ended, in scipy's numbers: 0 is success, 1 the limit of steps, 99 the callback.
STATUS = {"gradient": 0, "change": 0, "steps": 1, "finished": 2, "diverged": 3, "callback": 99}


def scipy_method(optimizer, **hyperparameters):
    """What to give minimize as its `method`: a function that drives the optimizer and reports as scipy's methods do.

    Options: maxiter (1000 steps), gtol (stop when no derivative is larger; 1e-5, or minimize's tol), ftol (stop when
    the value changes by no more in a step; not asked for by default), disp.  `callback` is called after every step,
    with the parameters or, if its one argument is called intermediate_result, with an OptimizeResult; StopIteration
    ends the run.  Without `jac` gradients are central differences.  Bounds and constraints are refused.
    """

    def method(fun, x0, args=(), jac=None, hess=None, hessp=None, bounds=None, constraints=(), callback=None,
               maxiter=1000, tol=None, gtol=None, ftol=None, disp=False, **unknown):
        if bounds is not None or constraints:
            raise ValueError("numopt's optimizers know neither bounds nor constraints; minimize without them")
        if unknown:
            raise TypeError(f"unknown options: {', '.join(unknown)}; there are maxiter, tol, gtol, ftol and disp")
        if maxiter < 1:
            raise ValueError(f"maxiter must be at least 1, and is {maxiter}")
        if gtol is None:
            gtol = 1e-5 if tol is None else tol
        problem = Minimized(fun, args, jac, hess, hessp)
        run = optimizer(problem, x0, **hyperparameters)
        x, steps, why = run.theta, 0, None
        f = problem.value(x)
        if not np.isfinite(f):
            raise ValueError(f"fun is {f} at x0; start where it is finite")
        while why is None:
            if np.abs(problem.gradient(x)).max() <= gtol:
                why = "gradient", f"no derivative is larger than gtol = {gtol:g}"
            elif steps == maxiter:
                why = "steps", f"it took the {maxiter} steps of maxiter"
            else:
                try:
                    theta = next(run)
                except StopIteration:
                    why = "finished", f"{run.name} had nothing left to do after {steps} steps"
                except Diverged as error:
                    why = "diverged", str(error)
                else:
                    f_before, f_now, steps = f, problem.value(theta), steps + 1
                    if not np.isfinite(f_now):
                        why = "diverged", f"fun was {f_now} after step {steps}; x is where it last was finite"
                        continue
                    x, f = theta, f_now
                    if wants_no_more(callback, x, f):
                        why = "callback", "callback raised StopIteration"
                    elif ftol is not None and abs(f - f_before) <= ftol:
                        why = "change", f"the value changed by no more than ftol = {ftol:g}"
        reason, message = why
        if disp:
            print(f"{message}; the value is {f:g}")
        return OptimizeResult(
            x=x.copy(), fun=f, jac=problem.gradient(x), nit=steps, nfev=problem.counts["fun"],
            njev=problem.counts["jac"], nhev=problem.counts["hess"], status=STATUS[reason],
            success=STATUS[reason] == 0, message=message)

    return method


class Minimized(Function):
    """A function and its derivatives in the form that minimize is given them, counting how often each is called.

    The value and the gradient at an iterate are asked for twice, by the loop and by its driver, and computed once.
    """

    def __init__(self, fun, args, jac, hess, hessp):
        self.counts = {"fun": 0, "jac": 0, "hess": 0}
        self._last = {"value": (None, None), "gradient": (None, None)}

        def counted(f, name):
            if not callable(f):
                return None

            def call(*arguments):
                self.counts[name] += 1
                return f(*arguments, *args)

            return call

        self._hessp = counted(hessp, "hess")
        super().__init__(counted(fun, "fun"), counted(jac, "jac"), counted(hess, "hess"))

    def value(self, theta):
        return self.once("value", theta, super().value)

    def gradient(self, theta):
        return self.once("gradient", theta, super().gradient)

    def once(self, name, theta, compute):
        """What was computed at this very theta, if nobody can have changed it since.  It may overflow."""
        if self._last[name][0] is theta:
            return self._last[name][1]
        with np.errstate(all="ignore"):
            answer = compute(theta)
        if not theta.flags.writeable:
            self._last[name] = theta, answer
        return answer

    def hessian(self, theta):
        if self._hess is not None or self._hessp is None:
            return super().hessian(theta)

        def product(v):
            return np.asarray(self._hessp(theta, np.ravel(v)))

        return symmetric(product, theta)


def wants_no_more(callback, theta, f):
    """Call the callback, in either of scipy's two ways, and see whether it raises StopIteration."""
    if callback is None:
        return False
    try:
        if list(inspect.signature(callback).parameters) == ["intermediate_result"]:
            callback(intermediate_result=OptimizeResult(x=theta.copy(), fun=f))
        else:
            callback(theta.copy())
    except StopIteration:
        return True
    return False
