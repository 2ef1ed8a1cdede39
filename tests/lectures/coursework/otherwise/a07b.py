"""Assignment 07b: doubled until there is a bracket, and halved from then on."""
import numpy as np

from numopt.line_search import Step, origin


def strong_wolfe(loss, theta, p, f=None, g=None, *, alpha=1.0, c1=1e-4, c2=0.9, most=25):
    start = origin(loss, theta, p, f, g)
    low, high, step = 0.0, np.inf, alpha
    for _ in range(100 if start.slope else 0):
        value, gradient = loss.value_and_gradient(theta + step * p)
        slope = gradient @ p
        if not np.isfinite(value) or value > start.f + c1 * step * start.slope:
            high = step
        elif slope < c2 * start.slope:
            low = step
        elif abs(slope) > -c2 * start.slope:
            high = step
        else:
            return Step(step, float(value), gradient)
        step = 2 * step if high == np.inf else (low + high) / 2
    return start.step
