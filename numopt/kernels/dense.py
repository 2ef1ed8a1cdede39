"""The hot loops of small networks of dense layers, each written twice: see twins.py.

In a large one BLAS takes nearly all the time of a Fisher product, and there is nothing to be gained.
"""
from math import isfinite

import numpy as np

from numopt.kernels import tiles
from numopt.kernels.twins import helper, kernel

TILES = 0x58a46629  # of tiles.py: see there


@kernel("(n,c) (n,c)", pays=lambda z, u: z.size >= 5_000)
def softmax_hessian_product(z, u):
    """H u for each example, a row, where H = diag(p) − p pᵀ and p = softmax(z).

    The twin is 2 to 3 times as fast for 500 examples of 10 classes.
    """
    rows, most = np.arange(len(z)), z.argmax(axis=1)
    p = np.exp(z - z[rows, most, None])
    p = p / p.sum(axis=1, keepdims=True)
    u = u - u[rows, most, None]  # which changes nothing, but that where p is nearly 1 nothing is lost in rounding
    return p * u - p * (p * u).sum(axis=1, keepdims=True)


@softmax_hessian_product.twin()
def softmax_hessian_product_compiled(z, u):
    out = np.empty_like(z)
    for e in range(len(z)):
        most = 0
        for c in range(1, z.shape[1]):
            if z[e, c] > z[e, most]:
                most = c
        largest, base = z[e, most], u[e, most]
        total = weighted = z.dtype.type(0)
        for c in range(z.shape[1]):
            out[e, c] = np.exp(z[e, c] - largest)
            total += out[e, c]
            weighted += out[e, c] * (u[e, c] - base)
        for c in range(z.shape[1]):
            if c != most:
                out[e, c] = out[e, c] / total * (u[e, c] - base - weighted / total)
        out[e, most] = -out[e, most] / total * (weighted / total)
    return out


def belong_together(theta, X, S, D, A, B, shapes, *others):
    """Are these the arrays of one network, layer by layer?"""
    layers = shapes.tolist()
    outputs, inputs, biases = zip(*layers)
    return (min(outputs + inputs) > 0 and set(biases) <= {0, 1} and inputs[1:] == outputs[:-1]
            and D.shape[1] == outputs[-1] and theta.size == sum(o * (i + bias) for o, i, bias in layers)
            and X.size == len(D) * sum(inputs) and S.size == len(D) * sum(outputs))


@kernel("(w) (x) (s) (n,o) (t?,n,o) (t?,n,o) int(layers,3) (w)", further=belong_together,
        pays=lambda theta, X, *others: 1_000 <= X.size < 100_000)
def dense_fisher_product(theta, X, S, D, A, B, shapes, v):
    """F v for F = 1/n Σ Jᵀ M J, of a network of dense layers, with M = diag(d) + Σ a bᵀ for each of n examples.

    A layer has a row (outputs, inputs, 1 if there is a bias) in shapes.  X holds its inputs, one example a row, one
    layer after the other, and S likewise the slopes of what follows on it.  D has a row d for each example, and A and B
    as many such arrays as there are terms in the sum.

    The twin is 2.5 times as fast on the digits net of 64-32-32-10 units, half of it laying out; for larger nets it pays
    only within a solve.
    """
    parts, n = list(layers(theta, X, S, shapes, v, len(D))), len(D)
    Ry = np.zeros((n, 0), v.dtype)
    for W, V, Rb, x, s in parts:
        Ry = s * (x @ V.T + Ry @ W.T + Rb.sum(axis=1))
    dy = (D * Ry + (A * (B * Ry).sum(axis=2, keepdims=True)).sum(axis=0)) / n
    Fv = []
    for W, _, Rb, x, s in reversed(parts):
        dy = s * dy
        dW, db = dy.T @ x, dy.sum(axis=0)[:, None]
        Fv = [np.hstack([dW, db] if Rb.size else [dW]).ravel(), *Fv]
        dy = dy @ W
    return np.concatenate(Fv)


@dense_fisher_product.twin()
def dense_fisher_product_compiled(theta, X, S, D, A, B, shapes, v):
    place, size = places(shapes)
    Fv = tiles.zeros(size, v)
    multiply(laid_out(theta, X, S, D, A, B, shapes, place, size), shapes, len(D), by_columns(v, place, size), Fv)
    return by_rows(Fv, place)


def layers(theta, X, S, shapes, v, n):
    """(W, V, Rb, x, s) of each layer: views; the W of the first has no columns, for nothing before it has weights, and
    Rb has none without a bias."""
    start = start_x = start_s = before = 0
    for o, i, bias in shapes:
        end = start + o * (i + bias)
        matrix = v[start:end].reshape(o, i + bias)
        yield (theta[start:end].reshape(o, i + bias)[:, :before], matrix[:, :i], matrix[:, i:],
               X[start_x:start_x + n * i].reshape(n, i), S[start_s:start_s + n * o].reshape(n, o))
        start, start_x, start_s, before = end, start_x + n * i, start_s + n * o, o


@helper
def places(shapes):
    """Where each weight is when the matrices [W | b] stand a column after the other, with zeros behind each and a
    column for b in all; and how many numbers that takes."""
    weights = size = k = 0
    for layer in range(len(shapes)):
        o, i, bias = shapes[layer]
        weights, size = weights + o * (i + bias), size + (i + 1) * tiles.sixteens(o)
    place, first = np.empty(weights, np.int64), 0
    for layer in range(len(shapes)):
        o, i, bias = shapes[layer]
        for row in range(o):
            for column in range(i + bias):
                place[k] = first + column * tiles.sixteens(o) + row
                k += 1
        first += (i + 1) * tiles.sixteens(o)
    return place, size


@helper
def by_columns(v, place, size):
    """The weights v in that order."""
    columns = tiles.zeros(size, v)
    for k in range(len(place)):
        columns[place[k]] = v[k]
    return columns


@helper
def by_rows(columns, place):
    """The weights again as a vector like theta."""
    v = np.empty(len(place), columns.dtype)
    for k in range(len(place)):
        v[k] = columns[place[k]]
    return v


@helper
def laid_out(theta, X, S, D, A, B, shapes, place, size):
    """The same network as `multiply` takes it: W by columns, and by rows; and zeros behind every row."""
    n, outputs_wide, inputs_wide, W_size, most = len(D), 0, 0, 0, 0
    for layer in range(len(shapes)):
        o, i, _ = shapes[layer]
        outputs_wide, inputs_wide = outputs_wide + tiles.sixteens(o), inputs_wide + apart(i)
        W_size, most = W_size + o * tiles.sixteens(i), max(most, tiles.sixteens(o), tiles.sixteens(i))
    x, s, W_rows = tiles.zeros(n * inputs_wide, X), tiles.zeros(n * outputs_wide, X), tiles.zeros(W_size, X)
    start = start_x = start_s = from_x = from_s = from_W = 0
    for layer in range(len(shapes)):
        o, i, bias = shapes[layer]
        end, end_x, end_s = start + o * (i + bias), start_x + n * i, start_s + n * o
        spread(X[start_x:end_x].reshape(n, i), i, apart(i), x[from_x:])
        spread(S[start_s:end_s].reshape(n, o), o, tiles.sixteens(o), s[from_s:])
        spread(theta[start:end].reshape(o, i + bias), i, tiles.sixteens(i), W_rows[from_W:])
        start, start_x, start_s = end, end_x, end_s
        from_x, from_s, from_W = from_x + n * apart(i), from_s + n * tiles.sixteens(o), from_W + o * tiles.sixteens(i)
    c, o = len(A), D.shape[1]
    wide = tiles.sixteens(o)
    d, a, b = tiles.zeros(n * wide, X), tiles.zeros(c * n * wide, X), tiles.zeros(c * n * wide, X)
    spread(D, o, wide, d)
    spread(A.reshape(c * n, o), o, wide, a)
    spread(B.reshape(c * n, o), o, wide, b)
    outputs = d.reshape(n, wide), a.reshape(c, n, wide), b.reshape(c, n, wide)
    room = tiles.zeros(n * most, X), tiles.zeros(n * most, X), tiles.zeros(most, X)
    return x, s, by_columns(theta, place, size), W_rows, outputs, room


@helper
def apart(number):
    """How far apart rows of so many numbers are: an odd multiple of 16, or they would meet in the cache."""
    return (number + 15) // 32 * 32 + 16


@helper
def spread(rows, kept, wide, out):
    """So many numbers of each row, into `out`, each row so `wide`."""
    out = out[:len(rows) * wide].reshape(len(rows), wide)
    for e in range(len(rows)):
        for k in range(kept):
            out[e, k] = rows[e, k]


@helper
def multiply(network, shapes, n, v, Fv):
    """F v, into `Fv`, both by columns: see dense_fisher_product; `network` is what laid_out makes."""
    x, s, W, W_rows, (d, a, b), (y, other, nothing) = network
    zero, one = n - n, n // n  # 0 and 1 as they stand would be types of their own, and all called with them as well
    start = start_x = start_s = start_rows = before = zero
    for layer in range(len(shapes)):
        o, i, _ = shapes[layer]
        wide = tiles.sixteens(o)
        product(n, i, x, (start_x, apart(i), one), v, start, wide, v, (start + i * wide, zero), other, zero)
        if layer > 0:
            product(n, i, y, (zero, before, one), W, start, wide, other, (zero, wide), other, zero)
        y, other = other, y
        scale(y, s[start_s:start_s + n * wide])
        start, start_x, start_s, before = start + (i + 1) * wide, start_x + n * apart(i), start_s + n * wide, wide
        start_rows += o * tiles.sixteens(i)
    by_outputs(d, a, b, y[:d.size].reshape(d.shape), other[:d.size].reshape(d.shape))
    y, other = other, y
    for layer in range(len(shapes) - 1, -1, -1):
        o, i, bias = shapes[layer]
        wide, before = tiles.sixteens(o), tiles.sixteens(i)
        start, start_x, start_s = start - (i + 1) * wide, start_x - n * apart(i), start_s - n * wide
        start_rows -= o * before
        scale(y, s[start_s:start_s + n * wide])
        product(i, n, x, (start_x, one, apart(i)), y, zero, wide, nothing, (zero, zero), Fv, start)
        if bias > 0:
            add_up(y[:n * wide].reshape(n, wide), Fv[start + i * wide:start + (i + 1) * wide])
        if layer > 0:
            product(n, o, y, (zero, wide, one), W_rows, start_rows, before, nothing, (zero, zero), other, zero)
            y, other = other, y


@helper
def product(rows, terms, a, a_at, b, b0, wide, start, start_at, out, out0):
    """The product of a matrix with so many rows and columns, `terms`, and one with so many columns, `wide`.

    Of a, (p, t) is number a0 + p ap + t at; b begins at b0, `out` at out0, and sums at number s0 + p sp of `start`.
    The terms come in parts, of which the first level of the cache has room for the rows of b.
    """
    (a0, ap, at), (s0, sp), one = a_at, start_at, wide // wide
    for first in range(0, terms, 128):
        for q in range(0, wide, 32):
            tiles.fill(rows, min(32, wide - q), a, (a0 + first * at, ap, ap, at), b,
                       (b0 + first * wide + q, wide, wide), (one, min(128, terms - first)),
                       start, (s0 + q, sp), out, (out0 + q, wide))
        start, s0, sp = out, out0, wide


@helper
def scale(y, s):
    for k in range(len(s)):
        y[k] *= s[k]


@helper
def by_outputs(d, a, b, y, out):
    """1/n (diag(d) + Σ a bᵀ) y for each of n examples, a row: into `out`."""
    share = y.dtype.type(1 / len(y))
    for e in range(len(y)):
        for k in range(y.shape[1]):
            out[e, k] = share * d[e, k] * y[e, k]
    for c in range(len(a)):
        for e in range(len(y)):
            by = share - share
            for k in range(y.shape[1]):
                by += share * b[c, e, k] * y[e, k]
            for k in range(y.shape[1]):
                out[e, k] += by * a[c, e, k]


@helper
def add_up(rows, out):
    """The sum of the rows: into `out`."""
    for k in range(len(out)):
        out[k] = 0
    for e in range(len(rows)):
        for k in range(len(out)):
            out[k] += rows[e, k]


@kernel("(w) (x) (s) (n,o) (t?,n,o) (t?,n,o) int(layers,3) (w) . i .", further=belong_together,
        finite=lambda x: isfinite(x.sum()), pays=lambda theta, X, *others: X.size >= 1_000)
def dense_fisher_solve(theta, X, S, D, A, B, shapes, b, damping, steps, tolerance):
    """The solution of (F + damping I) x = b by conjugate gradients; see dense_fisher_product, and linalg.py.

    The twin is 6 times as fast on the digits net, 1.7 times on the 5 × 30 net; with all that is done around it, a
    solve on the digits net is 4.5 to 5.5 times as fast.
    """
    x, r, p, rr = np.zeros_like(b), b, b, b @ b
    enough = tolerance**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        Ap = dense_fisher_product.numpy(theta, X, S, D, A, B, shapes, p) + damping * p
        alpha = rr / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rr, rr_before = r @ r, rr
        p = r + rr / rr_before * p
    return x


@dense_fisher_solve.twin()
def dense_fisher_solve_compiled(theta, X, S, D, A, B, shapes, b, damping, steps, tolerance):
    number, (place, size) = b.dtype.type, places(shapes)
    network = laid_out(theta, X, S, D, A, B, shapes, place, size)
    r, rr = by_columns(b, place, size), number(0)
    x, p, Fp = np.zeros_like(r), r.copy(), np.zeros_like(r)
    for i in range(p.size):
        rr += r[i] * r[i]
    enough = number(tolerance)**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        multiply(network, shapes, len(D), p, Fp)
        pAp = number(0)
        for i in range(p.size):
            Fp[i] += number(damping) * p[i]
            pAp += p[i] * Fp[i]
        alpha, rr_before, rr = rr / pAp, rr, number(0)
        for i in range(p.size):
            x[i] += alpha * p[i]
            r[i] -= alpha * Fp[i]
            rr += r[i] * r[i]
        for i in range(p.size):
            p[i] = r[i] + rr / rr_before * p[i]
    return by_rows(x, place)
