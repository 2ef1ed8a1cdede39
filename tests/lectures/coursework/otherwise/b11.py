"""Assignment 11 with the polynomial on the other side, and loops over examples and layers."""
from numopt.linalg.roots import newton_schulz as ours  # noqa: F401  (a name that nothing needs)
from numopt.networks.layers import np
from numopt.optimizers.kronecker import SCALES, between, flat, grafted, inverse_roots, known, lengthened, schedule


def newton_schulz(X, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    if np.ndim(X) != 2:
        raise ValueError(f"no matrix: {X.shape}")
    if X.shape[0] < X.shape[1]:
        return newton_schulz(X.T, steps, coefficients).T
    length = np.linalg.norm(X)
    X = X / (length if length else 1)
    for a, b, c in steps * [coefficients]:
        A = X.T @ X
        XA = X @ A
        X = a * X + b * XA + c * (XA @ A)
    return X


def eye(matrix):
    return np.eye(len(matrix), dtype=matrix.dtype)


def mean(matrix):
    return np.diag(matrix).mean()


def damped_cholesky(A, G, gamma):
    pis = [(mean(a) / mean(g))**0.5 for a, g in zip(A, G)]
    return ([column_by_column(a + gamma * pi * eye(a)) for pi, a in zip(pis, A)],
            [column_by_column(g + gamma * eye(g) / pi) for pi, g in zip(pis, G)])


def column_by_column(S):
    L = np.zeros_like(S)
    for j in range(len(S)):
        column = S[j:, j] - L[j:, :j] @ L[j, :j]
        L[j:, j] = column / column[0]**0.5
    return L


def shampoo(problem, theta, *, lr=0.1, mu=0.0, eps=1e-4, every=1, graft=None, t=0, L=(), R=(), L_root=(), R_root=(),
            s=0.0, v=0.0):
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    L = L or [eps * np.eye(W_i.shape[0], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    R = R or [eps * np.eye(W_i.shape[1], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        G, left, right = loss.blocks(g), [], []
        for i in range(len(G)):
            left.append(np.dot(G[i], G[i].T) + L[i])
            right.append(np.dot(G[i].T, G[i]) + R[i])
        L, R = left, right
        if not (t - 1) % every:
            pairs = [inverse_roots(*pair) for pair in zip(L, R)]
            L_root, R_root = ([pair[side] for pair in pairs] for side in (0, 1))
            L_root, R_root = tuple(L_root), tuple(R_root)
        d, s = between(L_root, G, R_root), np.square(g) + s
        if graft is not None:
            d = lengthened(loss.blocks(d), loss.blocks(grafted(graft, g, s)))
        v = mu(t) * v + d * -lr(t)
        theta = theta + v
        yield theta


def muon(problem, theta, *, lr=0.02, mu=0.95, weight_decay=0.0, nesterov=True, scale="original", steps=5,
         coefficients=(3.4445, -4.7750, 2.0315), t=0, m=0.0):
    lr, mu, factor = schedule(lr), schedule(mu, "mu", below=1), known(SCALES, "scale", scale)
    for t, loss in problem.losses(after=t):
        g, new = loss.gradient(theta), 1 - mu(t)
        m = new * g + mu(t) * m
        u = m * mu(t) + g * new if nesterov else m
        d = []
        for U in loss.blocks(u):
            d.append(newton_schulz(U, steps, coefficients))
            d[-1] = d[-1] * factor(*U.shape)
        theta = theta - lr(t) * flat(d) - lr(t) * weight_decay * theta
        yield theta


class Dense:
    def kronecker_factors(self, x, dy, n, form):
        x, dy = x.reshape(n, -1, x.shape[1]), dy.reshape(n, -1, dy.shape[1])
        if form == "reduce":
            x, dy = np.mean(x, 1, keepdims=True), np.sum(dy, 1, keepdims=True)
        A = G = 0
        for rows, slopes in zip(x, dy):
            rows = np.hstack([rows, np.ones((len(rows), 1), x.dtype)]) if self.bias else rows
            A, G = A + rows.T @ rows / n, G + slopes.T @ slopes / n / len(rows)
        return A, G
