"""Assignment 12 with everything made orthonormal twice, or by a projection."""
from math import inf

import numpy as np

from numopt.line_search import remembering
from numopt.linalg.systems import start
from numopt.optimizers.residual import damped, residual, schedule, searched


def gcr_iterates(A, b, x=None, window=None):
    x, r = start(A, b, x)
    P, V = [], []
    while np.any(r):
        p, v = r.copy(), A @ r
        size = np.linalg.norm(v)
        for q, u in zip(P, V):
            beta = float(u @ v)
            p -= beta * q
            v = v - beta * u
        length = np.linalg.norm(v)
        if not length > 1e-14 * size:
            return
        P, V = [*P, p / length], [*V, v / length]
        if window is not None:
            P, V = P[-window:], V[-window:]
        step = float(V[-1] @ r)
        x, r = x + step * P[-1], r - step * V[-1]
        yield x, r


def orthonormal(p, v, pairs=()):
    size, before = float(np.max(np.abs(p))), float(np.linalg.norm(v))
    for direction, image, width in pairs:
        share = float(np.dot(image, v))
        p, v, size = p - share * direction, v - share * image, size + abs(share) * width
    after = float(np.linalg.norm(v))
    if after <= 10 * np.finfo(v.dtype).eps * before:
        return p, v, inf
    return p / after, v / after, size / after


def gcr(problem, theta, *, curvature="hessian", window=None, t=0, pairs=()):
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, curvature)
        image = getattr(loss, curvature)(theta) @ r
        p, v, w = orthonormal(r, image, pairs)
        if np.isinf(w):
            return
        pairs = pairs + ((p, v, w),) if len(pairs) else ((p, v, w),)
        pairs = pairs[-window:] if window else pairs
        theta = theta + float(r @ v) * p
        yield theta


def anderson(problem, theta, *, lr=0.1, equations="gradient", window=5, t=0, thetas=(), residuals=()):
    lr = schedule(lr)
    if equations not in ("gradient", "residuals"):
        raise ValueError(f"equations is {equations!r}; it is gradient or residuals")
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, equations)
        thetas, residuals = (*thetas, theta), (*residuals, r)
        thetas, residuals = thetas[-window - 1:], residuals[-window - 1:]
        mixed = theta + lr(t) * r
        if len(thetas) > 1:
            dX = np.column_stack([b - a for a, b in zip(thetas, thetas[1:])])
            dR = np.column_stack([b - a for a, b in zip(residuals, residuals[1:])])
            gamma = np.linalg.pinv(dR) @ r
            mixed = mixed - (dX + lr(t) * dR) @ gamma
        theta = mixed
        yield theta


def nltgcr(problem, theta, *, lr=1.0, curvature="hessian", damping=0.0, window=10, restart=50, safeguard=1e3,
           search=None, t=0, pairs=()):
    lr = schedule(lr)
    for t, loss in remembering(problem.losses(after=t)):
        r = residual(loss, theta, curvature)
        Jr = damped(getattr(loss, curvature)(theta), damping) @ r
        new = orthonormal(r, Jr, pairs)
        if restart == 1 or t % restart == 1 or new[2] > safeguard:
            pairs, new = (), orthonormal(r, Jr)
        if new[2] == inf:
            return
        alone = len(pairs) == 0
        pairs = (*pairs, new)[-window:]
        d = np.column_stack([p for p, _, _ in pairs]) @ (np.array([v for _, v, _ in pairs]) @ r)
        if curvature != "jacobian" and float(d @ r) < 0:
            d = -d
        alpha = searched(search, loss, theta, d, lr(t)) if search is not None else lr(t)
        if search is not None and alpha == 0 and alone:
            return
        if not alpha > 0:
            pairs = ()
        theta = theta + d * alpha
        yield theta
