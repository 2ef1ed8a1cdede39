"""Assignment 08 with M built up in place of two loops, and corrections in place on copies."""
from numopt.optimizers.quasi_newton import curved, np


def sr1_update(B, s, y):
    rest = y - np.dot(B, s)
    if not np.abs(np.vdot(rest, s)) > 1e-8 * np.sqrt(np.vdot(rest, rest) * np.vdot(s, s)):
        return B
    B = B.copy()
    B += np.outer(rest / np.vdot(rest, s), rest)
    return B


def bfgs_update(M, s, y):
    if not s.any():
        return None
    if not curved(s, y):
        return M
    if M is None:
        M = np.diag(np.full(len(s), (s @ y) / (y @ y), s.dtype))
    M, sy, My = M.copy(), float(np.sum(s * y)), M.dot(y)
    cross = np.outer(My, s)
    M -= (cross + cross.T) / sy
    M += np.outer(s, s) * (sy + My.dot(y)) / sy**2
    return M


def two_loops(pairs, g):
    s, y = pairs[-1]
    M = (s @ y) / (y @ y) * np.eye(len(g), dtype=g.dtype)
    for s, y in pairs:
        V = np.eye(len(g), dtype=g.dtype) - np.outer(y, s) / (y @ s)
        M = V.T @ M @ V + np.outer(s, s) / (y @ s)
    return M @ g
