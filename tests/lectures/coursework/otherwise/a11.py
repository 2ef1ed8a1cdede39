"""Assignment 11 with einsum, and with eigenvalues for powers."""
import numpy as np

from numopt.networks.layers import Layer
from numopt.optimizers.kronecker import SCALES, flat, grafted, inverse_roots, known, lengthened, schedule


def newton_schulz(X, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    if X.ndim != 2:
        raise ValueError("a matrix, please")
    tall = X.shape[0] > X.shape[1]
    Y = (X.T if tall else X).copy()
    if not Y.any():
        return X
    Y /= np.sqrt(np.sum(Y * Y))
    a, b, c = coefficients
    for _ in range(steps):
        S = Y @ Y.T
        Y = (a * np.eye(len(S), dtype=S.dtype) + b * S + c * S @ S) @ Y
    return Y.T if tall else Y


def damped_cholesky(A, G, gamma):
    left, right = [], []
    for a, g in zip(A, G):
        pi = np.sqrt(np.trace(a) * len(g) / (np.trace(g) * len(a)))
        left.append(np.linalg.cholesky(a + pi * gamma * np.eye(len(a))))
        right.append(np.linalg.cholesky(g + gamma / pi * np.eye(len(g))))
    return left, right


def shampoo(problem, theta, *, lr=0.1, mu=0.0, eps=1e-4, every=1, graft=None, t=0, L=(), R=(), L_root=(), R_root=(),
            s=0.0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    L = L or [eps * np.eye(W_i.shape[0], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    R = R or [eps * np.eye(W_i.shape[1], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        matrices = loss.blocks(g)
        L = [sums + np.einsum("ij,kj->ik", G, G) for sums, G in zip(L, matrices)]
        R = [sums + np.einsum("ji,jk->ik", G, G) for sums, G in zip(R, matrices)]
        if every == 1 or t % every == 1:
            roots = [inverse_roots(*sums) for sums in zip(L, R)]
            L_root, R_root = [root for root, _ in roots], [root for _, root in roots]
        d = np.concatenate([(left @ G @ right).ravel() for left, G, right in zip(L_root, matrices, R_root)])
        s = s + g * g
        if graft is not None:
            d = lengthened(loss.blocks(d), loss.blocks(grafted(graft, g, s)))
        v = -lr(t) * d + v * mu(t)
        theta = v + theta
        yield theta


def muon(problem, theta, *, lr=0.02, mu=0.95, weight_decay=0.0, nesterov=True, scale="original", steps=5,
         coefficients=(3.4445, -4.7750, 2.0315), t=0, m=0.0):
    lr, mu, factor = schedule(lr), schedule(mu, "mu", below=1), known(SCALES, "scale", scale)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = m + (1 - mu(t)) * (g - m)
        u = m + (1 - mu(t)) * (g - m) if nesterov else m
        d = flat([newton_schulz(U, steps, coefficients) * factor(*U.shape) for U in loss.blocks(u)])
        theta = theta * (1 - lr(t) * weight_decay) - lr(t) * d
        yield theta


class Dense(Layer):
    def kronecker_factors(self, x, dy, n, form):
        x, dy = x.reshape(n, -1, x.shape[-1]), dy.reshape(n, -1, dy.shape[-1])
        if form == "reduce":
            x, dy = x.mean(1)[:, None], dy.sum(1)[:, None]
        if self.bias:
            x = np.pad(x, ((0, 0), (0, 0), (0, 1)), constant_values=1)
        return np.einsum("npi,npj->ij", x, x) / n, np.einsum("npi,npj->ij", dy, dy) / (n * x.shape[1])
