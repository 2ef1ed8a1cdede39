"""How far to go along a direction: three searches, from the most exact to the cheapest.

Each looks at f(θ + αp) as a function of the one number α, whose slope is g(θ + αp)ᵀp.  The slope at α = 0 has to be
negative: p must lead downhill.  Each is told f and g at θ if the caller has them, and answers with a Step:

    alpha, f, g = strong_wolfe(loss, theta, p, f, g)
    theta = theta + alpha * p

Nothing here depends on the units of f or θ: where no trial has led down at all, the next are ever more times shorter.
No step raises f.  A step of length 0 says that none was found that lowers it: the slope is zero already, or the
change in f is lost in its rounding.  Where f or g is not finite the step was too long, and a shorter one is tried.

A method that trusts its model instead of a search asks `gain_ratio` whether it may; and `remembering` keeps either from
asking the same of a loss twice.

Nocedal and Wright, Numerical Optimization (2nd edition, 2006), Chapter 3.          Lectures 2, 6, 7 and 8.
"""
import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np


class Step(NamedTuple):
    """How far to go along p, as a Python float (which leaves theta its precision), and f and g where that leads."""

    alpha: float
    f: float
    g: Any  # None where the search had no need of the gradient


class Trial(NamedTuple):
    """A Step and the slope where it ends."""

    alpha: float
    f: float
    g: Any
    slope: float

    @property
    def step(self):
        return Step(self.alpha, self.f, self.g)


def exact(loss, theta, p, f=None, g=None, *, alpha=1.0, tolerance=None, most=50):
    """Go to where the slope is zero: to a minimum of f along the line.

    If the slope were a straight line it would vanish at the `secant` of any two of its values: that is the next trial.
    On a quadratic it is one, so the second trial is -gᵀp / pᵀHp.  The first is alpha, and the next go on, at most
    tenfold at a time, until the slope has changed its sign or f is above f(θ).  From then on a zero lies between a,
    the last trial, and b.  While b stays where it is its slope is halved, to draw the next trial to its side (the
    Illinois method; Dowell and Jarratt 1971), and if it has stayed twice the next trial is in the middle.

    The search ends when the slope is `tolerance` of what it was at θ; by default the root of the precision of theta.
    After `most` trials, or when rounding leaves nothing between a and b, the answer is the lowest point seen.
    """
    start = best = a = origin(loss, theta, p, f, g)
    alpha = first(alpha)
    b, stayed = None, 0
    if tolerance is None:
        tolerance = math.sqrt(eps(theta.dtype))
    fractions(tolerance=tolerance)
    for _ in range(most if start.slope else 0):
        trial = look(loss, theta, p, alpha)
        if trial.f > start.f and not trial.slope > -start.slope:
            trial = trial._replace(slope=math.inf)  # behind a hill, where the slope says nothing about this valley
        if abs(trial.slope) <= -tolerance * start.slope:
            return trial.step
        if trial.f < best.f:
            best = trial
        if (a.slope < 0) != (trial.slope < 0):
            b, stayed = a, 0
        elif b is not None:
            b, stayed = b._replace(slope=b.slope / 2), stayed + 1
        before, a = a, trial
        if b is None:
            alpha = min(secant(before, a), 10 * a.alpha) if before.slope < a.slope else 10 * a.alpha
            continue
        alpha = secant(a, b) if stayed < 2 else a.alpha
        if alpha in (a.alpha, b.alpha):
            alpha, stayed = middle(a, b), 0
        if alpha in (a.alpha, b.alpha):
            break
    return best.step


def backtracking(loss, theta, p, f=None, g=None, *, alpha=1.0, c=1e-4, shrink=0.5, most=50):
    """Shorten the step until f falls by at least a fraction c of what the slope at θ promises.

    Nocedal and Wright, Algorithm 3.1; the condition is that of Armijo (1966).  Only values of f are asked for, one a
    trial, so the Step has no gradient.  After `most` trials it is 0.
    """
    fractions(c=c, shrink=shrink)
    start = origin(loss, theta, p, f, g)
    alpha = first(alpha)
    for k in range(most if start.slope else 0):
        with np.errstate(all="ignore"):
            f = float(loss.value(theta + alpha * p))
        if math.isfinite(f) and f <= start.f + c * alpha * start.slope and f < start.f:
            return Step(alpha, f, None)
        alpha = shrink**max(1, k - 30) * alpha
    return start.step


def strong_wolfe(loss, theta, p, f=None, g=None, *, alpha=1.0, c1=1e-4, c2=0.9, most=25):
    """A step that is not too long, for f falls enough, and not too short, for the slope flattens enough.

        f(θ + αp) ≤ f(θ) + c₁ α gᵀp        |g(θ + αp)ᵀp| ≤ c₂ |gᵀp|

    Nocedal and Wright, Algorithms 3.5 and 3.6, here one loop.  `low` is the lowest trial so far that meets the first
    condition, and between it and `high` lies a step that meets both; until there is a high the trials grow.
    c₂ = 0.9 for Newton and quasi-Newton directions, 0.1 for conjugate gradients.  One value and gradient a trial.

    After `most` trials the answer is `low`, which meets the first condition but may miss the second.
    """
    fractions(c1=c1, c2=c2)
    if c1 >= c2:
        raise ValueError(f"c1 = {c1} must be less than c2 = {c2}, or no step need meet both conditions")
    start = low = origin(loss, theta, p, f, g)
    alpha, high = first(alpha), None
    for k in range(most if start.slope else 0):
        trial = look(loss, theta, p, alpha)
        if trial.f > start.f + c1 * alpha * start.slope or trial.f > low.f:
            high = trial
        elif abs(trial.slope) <= -c2 * start.slope:
            return trial.step
        else:
            if trial.slope * (alpha - low.alpha) >= 0:
                high = low
            low = trial
        if high is None:
            alpha = min(max(2 * low.alpha, cubic(start, low)), 10 * low.alpha)
        else:
            width = high.alpha - low.alpha
            part = (cubic(low, high) - low.alpha) / width
            least = 0.1**max(1, k - 10) if low is start else 0.1
            alpha = low.alpha + min(max(least, part), 0.9) * width  # in this order the least if part is nan
            if alpha in (low.alpha, high.alpha):
                break
    return low.step if low.f < start.f else start.step


def full_step(loss, theta, p, f=None, g=None):
    """No search: all of p, wherever it leads."""
    return Step(1.0, None, None)


def gain_ratio(f, f_new, predicted, dtype):
    """ρ: how much f fell, for every unit that its model `predicted`; 1 where the model is right, below 0 where f rose.

    Nocedal and Wright (4.4).  To both falls is added what rounding does to f, so that 1 is also the answer where they
    are lost in it (Conn, Gould and Toint 2000, Section 17.4.2).  Where f_new is not finite, or the model itself
    promises nothing, the answer is -inf; where f is not finite there is none.
    """
    if not math.isfinite(f) or predicted == math.inf:
        raise FloatingPointError(f"a model is made where f is finite; here f is {f}, and it is to fall by {predicted}")
    rounding = 10 * eps(dtype) * abs(float(f))
    fall, predicted = float(f) - float(f_new) + rounding, float(predicted) + rounding
    return fall / predicted if math.isfinite(fall) and predicted > 0 else -math.inf


@cache
def eps(dtype):
    """The rounding error of 1."""
    return float(np.finfo(dtype).eps)


def remembering(losses):
    """The same (t, loss), with losses that do not compute an answer again that they have given a moment ago.

    The search has been where the next step begins.  On one and the same loss it has left f and g there; where the
    next mini-batch has another loss, they are computed.
    """
    memory = None
    for t, loss in losses:
        if memory is None or loss is not memory.loss:
            memory = Remembering(loss)
        yield t, memory


class Remembering:
    """A loss that remembers what it answered at the last two points that it was asked about."""

    def __init__(self, loss):
        self.loss, self.points = loss, []

    def at(self, theta):
        """The answers at θ so far.  Nobody may write into θ, nor, as they are copies, into them."""
        if self.points and self.points[0][0] is theta:
            return self.points[0][1]
        theta.setflags(False)
        numbers = theta.tobytes()  # which are compared in a tenth of the time of a short array
        known = next((known for known in self.points if known[0].tobytes() == numbers), (theta, {}))
        self.points = [known, *(other for other in self.points if other is not known)][:2]
        return known[1]

    def value(self, theta):
        known = self.at(theta)
        if "f" not in known:
            known["f"] = self.loss.value(theta)
        return known["f"]

    def gradient(self, theta):
        known = self.at(theta)
        if "g" not in known:
            known["g"] = np.array(self.loss.gradient(theta))
        return known["g"]

    def value_and_gradient(self, theta):
        known = self.at(theta)
        if "f" not in known and "g" not in known:
            known["f"], g = self.loss.value_and_gradient(theta)
            known["g"] = np.array(g)
        if "f" in known and "g" in known:
            return known["f"], known["g"]
        return self.value(theta), self.gradient(theta)

    def __getattr__(self, question):
        if question == "loss":  # while it is being copied it has no loss yet
            raise AttributeError(question)
        ask = getattr(self.loss, question)

        def answer(theta):
            known = self.at(theta)
            if question not in known:
                given = ask(theta)
                known[question] = given.copy() if isinstance(given, np.ndarray) else given
            return known[question]

        return answer


def slope(g, p):
    """gᵀp as a Python float, in double precision where single is not enough."""
    product = float(np.vdot(g, p))  # which is silent where g @ p warns
    if g.dtype.char == "f" and not 1e-30 < abs(product) < math.inf:
        return float(np.vdot(g.astype(float), p.astype(float)))
    return product


def secant(a, b):
    """Where the slope would be zero if it were a straight line through a and b."""
    if abs(a.slope) > abs(b.slope):
        a, b = b, a  # from the end that is nearer to the zero, for the rounding of the step from there is the error
    return a.alpha - a.slope * (b.alpha - a.alpha) / (b.slope - a.slope)


def middle(a, b):
    """Half way between two trials in orders of magnitude; one order below the other if one is 0."""
    return math.sqrt(a.alpha) * math.sqrt(b.alpha) or max(a.alpha, b.alpha) / 10


def cubic(a, b):
    """Where the cubic that has the values and slopes of f at a and b is least; nan if nowhere.

    Nocedal and Wright (3.59).
    """
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.alpha - b.alpha)
    size = max(abs(d1), abs(a.slope), abs(b.slope))
    c = math.ldexp(0.5, math.frexp(size)[1]) if 0 < size < math.inf else 1.0  # in its units squares are numbers
    square = (d1 / c) * (d1 / c) - (a.slope / c) * (b.slope / c)
    if not square >= 0:
        return math.nan
    d2 = math.copysign(c * math.sqrt(square), b.alpha - a.alpha)
    bottom = b.slope - a.slope + 2 * d2
    return b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / bottom if bottom else math.nan


def origin(loss, theta, p, f, g):
    """The trial α = 0, and a refusal to go uphill."""
    if np.shape(p) != theta.shape:
        raise ValueError(f"p has shape {np.shape(p)}, but theta has shape {theta.shape}")
    if f is None or g is None:
        f, g = loss.value_and_gradient(theta)
    down = slope(g, p)
    if not math.isfinite(f) or not math.isfinite(down):
        raise FloatingPointError(f"a line search starts where f and its slope are finite; they are {f} and {down}")
    if down > 0:
        raise ValueError(f"p is not a direction of descent: its slope gᵀp is {down}, not negative, as it is for -g")
    return Trial(0.0, float(f), g, down)


def look(loss, theta, p, alpha):
    """The trial α.  It may overflow: then it counts as infinitely high."""
    with np.errstate(all="ignore"):
        f, g = loss.value_and_gradient(theta + alpha * p)
        f, down = float(f), slope(g, p)
    if not math.isfinite(f) or not math.isfinite(down):
        f, down = math.inf, math.nan
    return Trial(alpha, f, g, down)


def first(alpha):
    """The length of the first trial."""
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha = {alpha}, the first step to try, must be positive and finite")
    return float(alpha)


def fractions(**numbers):
    """A refusal of what does not lie between 0 and 1."""
    for name, number in numbers.items():
        if not 0 < number < 1:
            raise ValueError(f"{name} = {number} must lie between 0 and 1, and be neither")
