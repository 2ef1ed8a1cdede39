"""Assignment 12 with least squares solved anew at every step."""
from numopt.line_search import remembering
from numopt.linalg.systems import deque, np, start
from numopt.optimizers.residual import combined, damped, inf, residual, schedule, searched


def gcr_iterates(A, b, x=None, window=None):
    x, r = start(A, b, x)
    kept = deque(maxlen=window)
    while (r != 0).any():
        p, v = orthogonal(r, A @ r, kept)
        length = np.sqrt(v @ v)
        if length <= 1e-14 * np.linalg.norm(A @ r):
            return
        p, v = p / length, v / length
        kept.append((p, v))
        x, r = x + (r @ v) * p, r - (r @ v) * v
        yield x, r


def orthogonal(p, v, kept):
    if kept:
        images = np.array([image for _, image in kept])
        shares = images @ v
        p, v = p - shares @ np.array([direction for direction, _ in kept]), v - shares @ images
    return p, v


def orthonormal(p, v, pairs=()):
    most = 10 * np.finfo(v.dtype).eps * float(np.sqrt(v @ v))
    w = float(abs(p).max())
    for one in pairs:
        tau = float(one[1] @ v)
        p = p - one[0] * tau
        v = v - one[1] * tau
        w += one[2] * abs(tau)
    length = float(np.sqrt(v @ v))
    return (p / length, v / length, w / length) if length > most else (p, v, inf)


def gcr(problem, theta, *, curvature="hessian", window=None, t=0, pairs=()):
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, curvature)
        pairs = tuple(pairs)
        p, v, w = orthonormal(r, getattr(loss, curvature)(theta) @ r, pairs)
        if w == inf:
            return
        pairs += ((p, v, w),)
        if window:
            pairs = pairs[max(0, len(pairs) - window):]
        theta = np.add(theta, np.dot(r, v) * p)
        yield theta


def anderson(problem, theta, *, lr=0.1, equations="gradient", window=5, t=0, thetas=(), residuals=()):
    lr = schedule(lr)
    if equations not in ("gradient", "residuals"):
        raise ValueError(f"equations is {equations!r}; it is gradient or residuals")
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, equations)
        thetas = (*thetas, theta)[-(window + 1):]
        residuals = (*residuals, r)[-(window + 1):]
        # weights of the last points, which sum to one
        back = np.array([old - r for old in residuals[:-1]]).reshape(len(residuals) - 1, r.size).T
        weights = np.linalg.lstsq(back, -r, rcond=None)[0]
        weights = np.append(weights, 1 - weights.sum())
        theta = sum(weight * (point + lr(t) * rest) for weight, point, rest in zip(weights, thetas, residuals))
        yield theta


def nltgcr(problem, theta, *, lr=1.0, curvature="hessian", damping=0.0, window=10, restart=50, safeguard=1e3,
           search=None, t=0, pairs=()):
    lr = schedule(lr)
    for t, loss in remembering(problem.losses(after=t)):
        r = residual(loss, theta, curvature)
        J = damped(getattr(loss, curvature)(theta), damping)
        if (t - 1) % restart == 0:
            pairs = ()
        p, v, w = orthonormal(r, J @ r, pairs)
        if w > safeguard:
            pairs = ()
            p, v, w = orthonormal(r, J @ r)
        if w == inf:
            return
        first, pairs = pairs == (), ((*pairs, (p, v, w)))[-window:]
        d = combined(pairs, r)
        uphill = np.dot(r, d) < 0
        d = np.negative(d) if uphill and curvature != "jacobian" else d
        rate = lr(t)
        if search is not None:
            rate = searched(search, loss, theta, d, rate)
            if rate == 0 and first:
                return
        if rate <= 0:
            pairs = ()
        theta = rate * d + theta
        yield theta
