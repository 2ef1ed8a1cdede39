"""The hot loops of small networks of dense layers, each written twice: see kernels.py.

In a large one BLAS takes nearly all the time of a Fisher product, and there is nothing to be gained: on the 2 × 90 net
a compiled solve took twice as long in training, as the threads of NumPy's BLAS, which had just computed the gradient,
stay awake for some time, and SciPy's, which the twins call, have to share the cores with them.
"""
import numpy as np

from numopt.kernels import helper, kernel


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


@kernel(pays=lambda X, D, shapes, v: X.size >= 1_000)
def dense_fisher_product(X, D, shapes, v):
    """F v for F = 1/n Σ g gᵀ, where the g are R for each of n examples, and gradients of a network of dense layers.

    A layer has the matrix [W | b], and a row (outputs, inputs) in shapes.  X holds its inputs [x 1], one example a row,
    one layer after the other, and D the derivatives at its outputs, (R, outputs, n): g is then d xᵀ, layer by layer.

    The twin is 3 times as fast on the digits net of 64-32-32-10 units.
    """
    parts = list(layers(X, D, shapes, v))
    gv = sum(np.sum(d * (V @ x.T), axis=1) for V, x, d in parts)
    return np.concatenate([(np.sum(gv[:, None] * d, axis=0) @ x).ravel() for V, x, d in parts]) / gv.shape[1]


@dense_fisher_product.twin(shares=True)
def dense_fisher_product_compiled(X, D, shapes, v):
    v, Fv = v.copy(), np.empty_like(v)  # to be compiled once: in a solve it is a vector that may be written into
    multiply(X, transposed(X, shapes), D, shapes, v, Fv)
    return Fv


def layers(X, D, shapes, v):
    """(V, x, d) of each layer: views of the three vectors."""
    n = X.size // shapes[:, 1].sum()
    roots = D.size // (n * shapes[:, 0].sum())
    start = start_x = start_d = 0
    for o, i in shapes:
        yield (v[start:start + o * i].reshape(o, i), X[start_x:start_x + n * i].reshape(n, i),
               D[start_d:start_d + roots * o * n].reshape(roots, o, n))
        start, start_x, start_d = start + o * i, start_x + n * i, start_d + roots * o * n


@helper
def transposed(X, shapes):
    """The inputs of each layer with an example a column."""
    out, inputs, start = np.empty_like(X), 0, 0
    for layer in range(len(shapes)):
        inputs += shapes[layer, 1]
    n = X.size // inputs
    for layer in range(len(shapes)):
        i = shapes[layer, 1]
        x, x_transposed = X[start:start + n * i].reshape(n, i), out[start:start + n * i].reshape(i, n)
        for e in range(n):
            for j in range(i):
                x_transposed[j, e] = x[e, j]
        start += n * i
    return out


@helper
def multiply(X, X_transposed, D, shapes, v, Fv):
    """1/n Σ g (gᵀv), into `Fv`."""
    outputs = inputs = start = start_x = start_d = 0
    for layer in range(len(shapes)):
        outputs, inputs = outputs + shapes[layer, 0], inputs + shapes[layer, 1]
    n = X.size // inputs
    roots = D.size // (n * outputs)
    gv = np.zeros((roots, n), v.dtype)
    for layer in range(len(shapes)):
        o, i = shapes[layer]
        z = np.dot(v[start:start + o * i].reshape(o, i), X_transposed[start_x:start_x + i * n].reshape(i, n))
        for c in range(roots):
            for k in range(o):
                d = D[start_d + (c * o + k) * n:start_d + (c * o + k + 1) * n]
                for e in range(n):
                    gv[c, e] += d[e] * z[k, e]
        start, start_x, start_d = start + o * i, start_x + n * i, start_d + roots * o * n
    for c in range(roots):
        for e in range(n):
            gv[c, e] /= n
    start = start_x = start_d = 0
    for layer in range(len(shapes)):
        o, i = shapes[layer]
        z = np.zeros((o, n), v.dtype)
        for c in range(roots):
            for k in range(o):
                d = D[start_d + (c * o + k) * n:start_d + (c * o + k + 1) * n]
                for e in range(n):
                    z[k, e] += d[e] * gv[c, e]
        np.dot(z, X[start_x:start_x + n * i].reshape(n, i), Fv[start:start + o * i].reshape(o, i))
        start, start_x, start_d = start + o * i, start_x + n * i, start_d + roots * o * n


@kernel(pays=lambda X, D, shapes, b, damping, steps, tolerance: X.size >= 1_000)
def dense_fisher_solve(X, D, shapes, b, damping, steps, tolerance):
    """The solution of (F + damping I) x = b by conjugate gradients; see dense_fisher_product, and linalg.py.

    The twin is 5 to 6 times as fast on the digits net; with all that is done around it, 2.7 times.
    """
    x, r, p, rr = np.zeros_like(b), b, b, b @ b
    enough = tolerance**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        Ap = dense_fisher_product.numpy(X, D, shapes, p) + damping * p
        alpha = rr / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rr, rr_before = r @ r, rr
        p = r + rr / rr_before * p
    return x


@dense_fisher_solve.twin(shares=True)
def dense_fisher_solve_compiled(X, D, shapes, b, damping, steps, tolerance):
    number = b.dtype.type
    X_transposed, Fp = transposed(X, shapes), np.empty_like(b)
    x, r, p, rr = np.zeros_like(b), b.copy(), b.copy(), np.dot(b, b)
    enough = number(tolerance)**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        multiply(X, X_transposed, D, shapes, p, Fp)
        alpha = rr / (np.dot(p, Fp) + number(damping) * np.dot(p, p))
        for i in range(b.size):
            x[i] += alpha * p[i]
            r[i] -= alpha * (Fp[i] + number(damping) * p[i])
        rr, rr_before = np.dot(r, r), rr
        for i in range(b.size):
            p[i] = r[i] + rr / rr_before * p[i]
    return x
