"""Newton's method jumps to where a parabola turns: that may be too near, too far, or a maximum.

At each θ the parabola has the value, the slope and the curvature of f there (dashed); its turning point is the next θ.
From 3.4, where f bends more than at the minimum, the steps are too short, and lead there all the same.  From 1.45,
where f bends less, the parabola is too wide: the first step is too long, and f is higher after it (as from all starts
below 1.55).  From 0.8, where the curvature is negative, the turning point is a maximum of the parabola, and the method
climbs to a maximum of f, as from all starts from −0.35 to 0.8; nearer to where the curvature changes its sign it leaps
across.  (It "will diverge" there, writes Kashyap; it converges, to the wrong point.)  With the absolute value of the
curvature, damped_newton without damping, the step is as long and leads the other way.  Below on the right, wherever a
run ends, it ends fast: the number of right digits doubles.

Kashyap (2022), Figure 8, on our own function.          Lecture 6.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, GREY, PURPLE, VERMILION
from numopt.optimizers import damped_newton, newton
from numopt.problems import Function
from numopt.record import path

# f′(θ) = θ (θ − 2) (θ + 1): minima at −1 and 2, and a maximum at 0
F = Function(lambda theta: theta[0]**4 / 4 - theta[0]**3 / 3 - theta[0]**2,
             jac=lambda theta: theta * (theta - 2) * (theta + 1),
             hess=lambda theta: np.diag(3 * theta**2 - 2 * theta - 2), size=1)
STATIONARY = np.array([-1.0, 0.0, 2.0])
LINES = {"short": (BLUE, "o"), "long": (VERMILION, "s"), "wrong": (PURPLE, "^")}
LABELS = {"short": [((-7, 3), "right"), ((-8, 2), "right"), ((0, -15), "center")],
          "long": [((-7, -10), "right"), ((7, -5), "left"), ((8, -8), "left")],
          "wrong": [((-5, -13), "right"), ((-2, -15), "center")]}  # of θ₀, θ₁ and θ₂, and on which side


def compute(steps=6, short=3.4, long=1.45, wrong=0.8):
    """The runs from the three starts; the first two steps of each are shown one by one."""
    if steps < 2:
        raise ValueError(f"steps = {steps}: two are needed")
    starts = {"short": short, "long": long, "wrong": wrong}
    runs = {name: path(newton(F, np.array([start])), steps)[:, 0] for name, start in starts.items()}
    refuse(runs)
    return runs | {"damped": path(damped_newton(F, np.array([wrong]), damping=0.0), 1)[:, 0]}


def refuse(runs):
    """A start from which the steps are not those that its panel is about."""
    short, long, wrong = runs.values()
    if not (np.diff(short) <= 0).all() or short[-1] < 2 - 1e-9:
        raise ValueError(f"short = {short[0]:g}: from the right of 2 the steps are too short")
    if not 2 < long[1] < 10 or value(long[1]) <= value(long[0]) or abs(long[-1] - 2) > abs(long[0] - 2):
        raise ValueError(f"long = {long[0]:g}: the first step is too long a little to the right of 1.2, and "
                         "f is higher after it only as far as 1.5 or so")
    if bend(wrong[0]) >= 0 or abs(wrong[-1]) > 0.1:
        raise ValueError(f"wrong = {wrong[0]:g}: the curvature is negative between -0.5 and 1.2, and near to 0 a run "
                         "ends there")


def bend(theta):
    return F.hessian(np.array([theta]))[0, 0]


def end_of(run):
    """The point at which a run comes to rest, where f' is 0."""
    return STATIONARY[np.abs(STATIONARY - run[-1]).argmin()]


def value(x):
    return np.array([F.value(np.array([theta])) for theta in np.ravel(x)])


def model(start, x, bend=1):
    """The parabola that has the value, the slope and `bend` times the curvature of f at a point."""
    theta = np.array([start])
    g, H = F.gradient(theta)[0], bend * F.hessian(theta)[0, 0]
    return F.value(theta) + g * (x - start) + H * (x - start)**2 / 2


def step(ax, start, end, color, marker, bend=1):
    """The parabola at a point, beyond its turning point, and the way from there to f."""
    x = np.linspace(start + 0.3 * (start - end), end + 0.8 * (end - start), 200)
    ax.plot(x, model(start, x, bend), color=color, linestyle="--", linewidth=1.3)
    top = model(start, end, bend)
    ax.plot([end, end], [top, value(end)[0]], color=color, linestyle=":", linewidth=1.5)
    ax.plot(end, top, "x", color=color, markersize=6, markeredgewidth=1.6)
    ax.plot([start, end], value([start, end]), marker, color=color, markersize=6, zorder=4)


def draw(short, long, wrong, damped):
    figure, axes = plt.subplots(2, 2, figsize=(6.6, 6))
    (first, second), (third, ends) = axes
    views = {"short": (first, (1.2, 3.65, -4.6, 11)), "long": (second, (1.05, 3.4, -4.1, 3.2)),
             "wrong": (third, (-1.5, 2.5, -3.1, 1))}
    titles = {"short": "steps too short", "long": "the first step too long", "wrong": "up to a maximum"}
    runs = {"short": short, "long": long, "wrong": wrong}
    for name, (ax, (left, right, low, high)) in views.items():
        color, marker = LINES[name]
        near = runs[name][:3]
        left, right = min(left, near.min() - 0.2), max(right, near.max() + 0.2)
        high = max(high, 1.1 * value(near).max())
        x = np.linspace(left, right, 200)
        ax.plot(x, value(x), color=BLACK)
        for start, end in zip(runs[name][:1 if name == "wrong" else 2], runs[name][1:]):
            step(ax, start, end, color, marker)
        for k, ((dx, dy), ha) in enumerate(LABELS[name]):
            theta = runs[name][k]
            ax.annotate(f"$\\theta_{k}$", (theta, value(theta)[0]), (dx, dy), textcoords="offset points", ha=ha,
                        color=color)
        ax.set(xlim=(left, right), ylim=(low, high), xlabel="$\\theta$", title=titles[name])
        ends.semilogy(np.abs(runs[name] - end_of(runs[name])), marker=marker, color=color, markersize=5,
                      label=f"from {runs[name][0]:g}")
    step(third, *damped, GREY, "D", bend=-1)
    step(third, *wrong[:2], LINES["wrong"][0], "^")
    third.text(damped[1], -1.3, "with $|f\\,''|$", color=GREY, ha="center")
    ends.legend(loc="lower left")
    ends.set(xlabel="step", ylim=(1e-12, 20), xlim=(-0.3, max(map(len, runs.values())) - 0.7),
             title="distance from the end of each run")
    return figure
