"""Assignment 02 in one line each, and with a search that calls itself."""
from numopt.line_search import Step, first, fractions, origin
from numopt.optimizers.descent import np, schedule


def gradient_descent(problem, theta, *, lr=1e-2, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        yield (theta := theta - loss.gradient(theta) * lr(t))


def direction(g):
    return g / (np.sqrt(np.sum(g * g)) or 1)


def normalized_descent(problem, theta, *, lr=1e-2, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        yield (theta := theta - direction(loss.gradient(theta)) * lr(t))


def sign_descent(problem, theta, *, lr=1e-3, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta = np.where(g > 0, theta - lr(t), np.where(g < 0, theta + lr(t), theta)).astype(theta.dtype)
        yield theta


def backtracking(loss, theta, p, f=None, g=None, *, alpha=1.0, c=1e-4, shrink=0.5, most=50):
    alpha = first(alpha)
    fractions(c=c, shrink=shrink)
    start = origin(loss, theta, p, f, g)

    def shorter(alpha, left):
        if left == 0 or not start.slope:
            return start.step
        value = float(loss.value(theta + p * alpha))
        fell = value < start.f and value - start.f - alpha * start.slope * c <= 0
        return Step(alpha, value, None) if fell else shorter(shrink**max(most - left - 30, 1) * alpha, left - 1)

    return shorter(alpha, most)
