"""When a result is the lecture's: each takes a job, what came of it, and what should, and says in words what does not
hold, or None.  Judge and students' tests ask the same ones.
"""
import numpy as np

from lectures.coursework.jobs import made, problem

WRITTEN_INTO = "it wrote into the θ that it was given; make a new array: θ = θ − …"
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # how near a right answer comes: sums may be taken in another order


def agrees(job, got, truth, relative=RELATIVE, absolute=ABSOLUTE):
    """The results are those of the lecture, but for rounding."""
    for name, right in truth.items():
        mine = got.get(name)
        if mine is None:
            return f"there is no {name}"
        if mine.shape != right.shape:
            return f"{name} has the shape {mine.shape}; it should have {right.shape}"
        if not np.isfinite(mine).all():
            return f"{name} has entries that are not finite"
        scale = np.abs(right).max(initial=0.0)
        apart = np.abs(mine - right) > absolute + relative * scale + relative * np.abs(right)
        if apart.any():
            if name == "given":
                return WRITTEN_INTO
            at = tuple(int(i) for i in np.argwhere(apart)[0])
            where = f"step {at[0]}, coordinate {at[1]}" if name == "path" else f"{name}[{', '.join(map(str, at))}]"
            return f"at {where}: expected {right[at]:.10g}, got {mine[at]:.10g}"
    return None


def agrees_closely(job, got, truth):
    """They are, and nearer than differences of the gradient come."""
    return agrees(job, got, truth, 1e-11, 1e-13)


def kept(job, got, truth):
    """A run leaves its input alone, and single precision single."""
    if "given" not in got or "path" not in got:
        return "the run gave nothing"
    if not np.allclose(got["given"], truth["given"], rtol=1e-9, atol=0):
        return WRITTEN_INTO
    if not np.allclose(got["path"], got["path"].astype("float32"), rtol=1e-11, atol=0):
        return "θ was given in single precision and did not stay in it"
    mine, right = got["path"], truth["path"]
    far = np.abs(right - right[0]).max()
    near = mine.shape == right.shape and np.allclose(mine, right, rtol=1e-4, atol=0.02 * far)
    return None if near else "in single precision it goes somewhere else"


def one_length(job, got, truth):
    """Every step has the length of the rate."""
    steps, lr = np.diff(got.get("path", np.zeros((1, 1))), axis=0), job["with"]["lr"]
    wrong = [t for t, step in enumerate(steps, 1) if not np.isclose(np.linalg.norm(step), lr, rtol=1e-6)]
    if len(steps) != job["steps"]:
        return f"the run took {len(steps)} steps; it should take {job['steps']}"
    if wrong:
        return f"step {wrong[0]} has the length {np.linalg.norm(steps[wrong[0] - 1]):.6g}; expected {lr:.6g}"
    uphill = (steps * np.diff(truth["path"], axis=0)).sum(axis=1) <= 0
    return f"step {np.flatnonzero(uphill)[0] + 1} leads away" if uphill.any() else None


def first_step(job, got, truth):
    """Every coordinate moves by the rate."""
    path = got.get("path")
    if path is None or len(path) < 2:
        return "the run took no step"
    step, right = path[1] - path[0], np.copysign(job["with"]["lr"], np.diff(truth["path"][:2], axis=0)[0])
    off = ~np.isclose(step, right, rtol=1e-4)
    return (f"coordinate {np.flatnonzero(off)[0]} moved by {step[off][0]:.6g}; expected {right[off][0]:.6g}"
            if off.any() else None)


def meets_both(job, got, truth):
    """f has fallen, and the slope is flat, as the strong Wolfe conditions want it, wherever the step ends."""
    _, on, theta, _ = made(job["arguments"])
    if "result" not in got or not np.isfinite(got["result"]).all():
        return "there is no step"
    loss, (alpha, f) = problem(**on), got["result"]
    c1, c2 = (job["keywords"].get(name, usual) for name, usual in (("c1", 1e-4), ("c2", 0.9)))
    g = loss.gradient(theta)
    slope, there = -g @ g, theta - alpha * g
    if not alpha > 0:
        return f"the step is {alpha:.6g}; it should be positive"
    if not np.isclose(f, loss.value(there), rtol=1e-6):
        return f"at its step f is {loss.value(there):.8g}; got {f:.8g}"
    if f > loss.value(theta) + c1 * alpha * slope + 1e-9 * abs(loss.value(theta)):
        return f"at its step f is {f:.8g}; it should be {loss.value(theta) + c1 * alpha * slope:.8g} or less"
    after = abs(loss.gradient(there) @ g)
    return None if after <= -c2 * slope * (1 + 1e-6) else \
        f"at its step the slope is {after:.6g}; it should be {-c2 * slope:.6g} or less"


def makes_y_of_s(job, got, truth):
    """B s = y."""
    B, s, y = made(job["arguments"])
    return leads(got.get("result"), B.shape, s, y)


def makes_s_of_y(job, got, truth):
    """M y = s."""
    M, s, y = made(job["arguments"])
    return leads(got.get("result"), M.shape, y, s)


def leads(matrix, shape, this, there):
    if matrix is None or matrix.shape != shape:
        return f"it should give an array of shape {shape}"
    apart = float(np.abs(matrix @ this - there).max())
    return None if apart <= 1e-8 * np.abs(there).max() else f"it is off by {apart:.3g}"


def balance(job, got, truth):
    """What moves all examples alike changes nothing: the derivatives by x sum to zero in every channel."""
    if "dx" not in got:
        return "there is no dx"
    off, nothing = abs(got["dx"].sum(axis=0)).max(), not got["dx"].any() and truth["dx"].any()
    if nothing:
        return "all derivatives are zero"
    return None if off <= 1e-9 * (1 + abs(truth["dx"]).max()) else f"in a channel they sum to {off:.6g}; expected 0"
