"""Assignment 07b as the book has it, in two functions: Nocedal and Wright, Algorithms 3.5 and 3.6."""
from numopt.line_search import cubic, look, math, origin


def strong_wolfe(loss, theta, p, f=None, g=None, *, alpha=1.0, c1=1e-4, c2=0.9, most=25):
    start = origin(loss, theta, p, f, g)
    if not start.slope:
        return start.step
    last = start
    for i in range(most):
        trial = look(loss, theta, p, alpha)
        if trial.f > start.f + c1 * alpha * start.slope or (i and trial.f >= last.f):
            return zoomed(loss, theta, p, start, last, trial, c1, c2)
        if abs(trial.slope) <= -c2 * start.slope:
            return trial.step
        if trial.slope >= 0:
            return zoomed(loss, theta, p, start, trial, last, c1, c2)
        last, alpha = trial, 4 * alpha
    return last.step


def zoomed(loss, theta, p, start, low, high, c1, c2):
    for _ in range(60):
        width = abs(high.alpha - low.alpha)
        alpha = cubic(low, high) if math.isfinite(high.f) else math.nan
        left = min(low.alpha, high.alpha)
        if not left + 0.1 * width <= alpha <= left + 0.9 * width:
            alpha = left + 0.5 * width
        trial = look(loss, theta, p, alpha)
        if trial.f > start.f + c1 * alpha * start.slope or trial.f >= low.f:
            high = trial
            continue
        if abs(trial.slope) <= -c2 * start.slope:
            return trial.step
        if trial.slope * (high.alpha - low.alpha) >= 0:
            high = low
        low = trial
    return low.step
