"""The hot loops of small networks of dense layers, each written twice: see kernels.py.

In a large one BLAS takes nearly all the time of a Fisher product, and there is nothing to be gained.
"""
import numpy as np

from numopt import tiles
from numopt.kernels import helper, kernel

TILES = 0x008026a6  # of tiles.py: see there


@kernel(pays=lambda z, u: z.size >= 5_000)
def softmax_hessian_product(z, u):
    """H u for each example, a row, where H = diag(p) − p pᵀ and p = softmax(z).

    The twin is 2 to 3 times as fast for 500 examples of 10 classes.
    """
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return p * u - p * (p * u).sum(axis=1, keepdims=True)


@softmax_hessian_product.twin()
def softmax_hessian_product_compiled(z, u):
    out = np.empty_like(z)
    for e in range(len(z)):
        largest = z[e, 0]
        for c in range(1, z.shape[1]):
            largest = max(largest, z[e, c])
        total = weighted = z.dtype.type(0)
        for c in range(z.shape[1]):
            out[e, c] = np.exp(z[e, c] - largest)
            total += out[e, c]
            weighted += out[e, c] * u[e, c]
        for c in range(z.shape[1]):
            out[e, c] = out[e, c] / total * (u[e, c] - weighted / total)
    return out


@kernel(pays=lambda theta, X, S, U, shapes, v: X.size >= 1_000)
def dense_fisher_product(theta, X, S, U, shapes, v):
    """F v for F = 1/n Σ Jᵀ u uᵀ J, of a network of dense layers: over n examples, and over several u for each.

    A layer has the matrix [W | b], and a row (outputs, inputs) in shapes.  X holds its inputs [x 1], one example a row,
    one layer after the other, and S likewise the slopes of what follows on it.  U has the shape (number of u, n,
    outputs of the last).

    The twin is 1.5 times as fast on the digits net of 64-32-32-10 units, half of it laying out; in a solve 4 times.
    """
    parts = list(layers(theta, X, S, U.shape[1], shapes, v))
    Ry = np.zeros((U.shape[1], 0), v.dtype)
    for W, V, x, s in parts:
        Ry = s * (x @ V.T + Ry @ W.T)
    dy = (U * (U * Ry).sum(axis=2, keepdims=True)).sum(axis=0) / U.shape[1]
    Fv = []
    for W, V, x, s in reversed(parts):
        dy = s * dy
        Fv = [(dy.T @ x).ravel(), *Fv]
        dy = dy @ W
    return np.concatenate(Fv)


@dense_fisher_product.twin()
def dense_fisher_product_compiled(theta, X, S, U, shapes, v):
    Fv = np.empty_like(v)
    multiply(*laid_out(theta, X, S, U, shapes), shapes, v.copy(), Fv)
    return Fv


def layers(theta, X, S, n, shapes, v):
    """(W, V, x, s) of each layer: views; the W of the first has no columns, for nothing before it has weights."""
    start = start_x = start_s = before = 0
    for o, i in shapes:
        yield (theta[start:start + o * i].reshape(o, i)[:, :before], v[start:start + o * i].reshape(o, i),
               X[start_x:start_x + n * i].reshape(n, i), S[start_s:start_s + n * o].reshape(n, o))
        start, start_x, start_s, before = start + o * i, start_x + n * i, start_s + n * o, o


@helper
def laid_out(theta, X, S, U, shapes):
    """The same, as `multiply` takes it: X also, and S and U only, with an example a column."""
    n, wide = U.shape[1], tiles.sixteens(U.shape[1])
    inputs = inputs_wide = outputs = most = 0
    for layer in range(len(shapes)):
        outputs, inputs = outputs + shapes[layer, 0], inputs + shapes[layer, 1]
        inputs_wide += tiles.sixteens(shapes[layer, 1])
        most = max(most, shapes[layer, 0], shapes[layer, 1])
    x, x_columns = tiles.zeros(n * inputs_wide, X), tiles.zeros(inputs * wide, X)
    s_columns = tiles.zeros(outputs * wide, X)
    u_columns = tiles.zeros(U.shape[0] * U.shape[2] * wide, X).reshape(len(U), U.shape[2] * wide)
    start = start_wide = start_columns = start_s = 0
    for layer in range(len(shapes)):
        o, i = shapes[layer]
        i_wide = tiles.sixteens(i)
        for e in range(n):
            for j in range(i):
                x[start_wide + e * i_wide + j] = X[start + e * i + j]
        columns(X[start:start + n * i], i, wide, x_columns[start_columns:])
        columns(S[start_s:start_s + n * o], o, wide, s_columns[start_s // n * wide:])
        start, start_wide, start_columns, start_s = (start + n * i, start_wide + n * i_wide, start_columns + i * wide,
                                                     start_s + n * o)
    for c in range(U.shape[0]):
        columns(U[c].reshape(-1), U.shape[2], wide, u_columns[c])
    room = (tiles.zeros(most * wide, X), tiles.zeros(most * wide, X), tiles.zeros(most * tiles.sixteens(most), X),
            tiles.zeros(wide, X), tiles.zeros(32, X))
    return theta.copy(), x, x_columns, s_columns, u_columns, n, room


@helper
def columns(rows, length, wide, out):
    """Rows of that length, as columns of a matrix that has so many, `wide`."""
    for j in range(length):
        for e in range(len(rows) // length):
            out[j * wide + e] = rows[e * length + j]


@helper
def multiply(theta, x, x_columns, s, u, n, room, shapes, v, Fv):
    """F v, into `Fv`: see dense_fisher_product, of which this takes what laid_out makes."""
    wide, (y, other, sums, uy, nothing) = tiles.sixteens(n), room
    zero, one = n - n, n // n  # 0 and 1 as they stand would be types of their own, and all called with them as well
    start = start_x = start_s = start_columns = before = zero
    for layer in range(len(shapes)):
        o, i = shapes[layer]
        product(o, i, v, start, i, one, x_columns, start_columns, wide, nothing, other)
        if layer > 0:
            product(o, before, theta, start, i, one, y, zero, wide, other, other)
        y, other = other, y
        scale(y, s[start_s:start_s + o * wide])
        start, start_x, start_s, start_columns, before = (start + o * i, start_x + n * tiles.sixteens(i),
                                                          start_s + o * wide, start_columns + i * wide, o)
    outer_products(u, y, other, uy, n)
    y, other = other, y
    for layer in range(len(shapes) - 1, -1, -1):
        o, i = shapes[layer]
        i_wide = tiles.sixteens(i)
        start, start_x, start_s = start - o * i, start_x - n * i_wide, start_s - o * wide
        scale(y, s[start_s:start_s + o * wide])
        product(o, n, y, zero, wide, one, x, start_x, i_wide, nothing, sums)
        for k in range(o):
            for j in range(i):
                Fv[start + k * i + j] = sums[k * i_wide + j]
        if layer > 0:
            product(shapes[layer - 1, 0], o, theta, start, one, i, y, zero, wide, nothing, other)
            y, other = other, y


@helper
def product(rows, terms, a, a0, ap, at, b, b0, wide, begin, out):
    """The product of a matrix with so many rows and columns, `terms`, and one with so many columns, `wide`: into `out`.

    Of a, (p, t) is number a0 + p ap + t at; b begins at b0.  `out` begins with `begin`, a row, or itself.
    """
    further, one = wide if len(begin) == len(out) else 0, wide // wide
    for q in range(0, wide, 32):
        tiles.fill(rows, min(32, wide - q), a, (a0, ap, ap, at), b, (b0 + q, wide, wide), (one, terms),
                   begin, (q if further > 0 else 0, further), out, (q, wide))


@helper
def scale(y, s):
    for k in range(len(s)):
        y[k] *= s[k]


@helper
def outer_products(u, y, out, uy, n):
    """1/n Σ u uᵀ y for each example, a column: into `out`, by way of `uy`."""
    wide, share = len(uy), y.dtype.type(1 / n)
    outputs = u.shape[1] // wide
    for k in range(u.shape[1]):
        out[k] = 0
    for c in range(len(u)):
        for e in range(wide):
            uy[e] = 0
        for o in range(outputs):
            for e in range(wide):
                uy[e] += u[c, o * wide + e] * y[o * wide + e]
        for o in range(outputs):
            for e in range(wide):
                out[o * wide + e] += u[c, o * wide + e] * uy[e] * share


@kernel(pays=lambda theta, X, S, U, shapes, b, damping, steps, tolerance: X.size >= 1_000)
def dense_fisher_solve(theta, X, S, U, shapes, b, damping, steps, tolerance):
    """The solution of (F + damping I) x = b by conjugate gradients; see dense_fisher_product, and linalg.py.

    The twin is 4.5 times as fast on the digits net; with all that is done around it, a solve is 4 times as fast.
    """
    x, r, p, rr = np.zeros_like(b), b, b, b @ b
    enough = tolerance**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        Ap = dense_fisher_product.numpy(theta, X, S, U, shapes, p) + damping * p
        alpha = rr / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rr, rr_before = r @ r, rr
        p = r + rr / rr_before * p
    return x


@dense_fisher_solve.twin()
def dense_fisher_solve_compiled(theta, X, S, U, shapes, b, damping, steps, tolerance):
    number = b.dtype.type
    laid = laid_out(theta, X, S, U, shapes)
    x, r, p, Fp, rr = np.zeros_like(b), b.copy(), b.copy(), np.empty_like(b), number(0)
    for i in range(b.size):
        rr += r[i] * r[i]
    enough = number(tolerance)**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        multiply(*laid, shapes, p, Fp)
        pAp = number(0)
        for i in range(b.size):
            Fp[i] += number(damping) * p[i]
            pAp += p[i] * Fp[i]
        alpha, rr_before, rr = rr / pAp, rr, number(0)
        for i in range(b.size):
            x[i] += alpha * p[i]
            r[i] -= alpha * Fp[i]
            rr += r[i] * r[i]
        for i in range(b.size):
            p[i] = r[i] + rr / rr_before * p[i]
    return x
