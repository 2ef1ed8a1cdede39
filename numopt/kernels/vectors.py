"""The hot loops over long vectors, and over small systems of equations, each written twice: see twins.py."""
from math import isfinite

import numpy as np

from numopt.kernels.twins import IN_ORDER, helper, kernel, machine_code

PIECE = 1024  # so many numbers of two dozen vectors are in a near cache at once


@kernel("(n) (n) (n) . .", pays=lambda theta, *others: theta.size >= 5_000)
def momentum(theta, g, v, lr, mu):
    """θ and v after a step of gradient descent with momentum.

    On 285,670 weights the twin is 1.7 times as fast, on 5,000 as fast.
    """
    v = mu * v - lr * g
    return theta + v, v


@momentum.twin(**IN_ORDER)
def momentum_compiled(theta, g, v, lr, mu):
    lr, mu = theta.dtype.type(lr), theta.dtype.type(mu)
    theta_new, v_new = np.empty_like(theta), np.empty_like(theta)
    for i in range(theta.size):
        v_new[i] = mu * v[i] - lr * g[i]
        theta_new[i] = theta[i] + v_new[i]
    return theta_new, v_new


@kernel("(n) (n) (n) . . .", pays=lambda theta, *others: theta.size >= 5_000)
def rmsprop(theta, g, s, lr, rho, eps):
    """θ and s after a step of RMSProp.

    0 s is nan where a square has overflowed, in place of a step of 0 from then on; so in the next two.
    The twin is 3.5 times as fast on 285,670 weights, 1.3 on 5,000.
    """
    s = rho * s + (1 - rho) * g**2
    return theta - (lr * g / (np.sqrt(s) + eps) + 0 * s), s


@rmsprop.twin(**IN_ORDER)
def rmsprop_compiled(theta, g, s, lr, rho, eps):
    number = theta.dtype.type
    lr, eps, keep, add, zero = number(lr), number(eps), number(rho), number(1 - rho), number(0)
    theta_new, s_new = np.empty_like(theta), np.empty_like(theta)
    for i in range(theta.size):
        s_i = keep * s[i] + add * (g[i] * g[i])
        s_new[i] = s_i
        theta_new[i] = theta[i] - (lr * g[i] / (np.sqrt(s_i) + eps) + zero * s_i)
    return theta_new, s_new


@kernel("(n) (n) (n) (n) . . . . i", pays=lambda theta, *others: theta.size >= 5_000)
def adam(theta, g, m, v, lr, beta1, beta2, eps, t):
    """θ, m and v after step t of Adam.

    The twin is 4 times as fast on 285,670 weights, 1.3 to 2 on 5,000.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - (lr * m_hat / (np.sqrt(v_hat) + eps) + 0 * v), m, v


@adam.twin(**IN_ORDER)
def adam_compiled(theta, g, m, v, lr, beta1, beta2, eps, t):
    number = theta.dtype.type
    lr, eps, zero = number(lr), number(eps), number(0)
    unbias_m, unbias_v = number(1 / (1 - beta1**t)), number(1 / (1 - beta2**t))
    keep1, add1, keep2, add2 = number(beta1), number(1 - beta1), number(beta2), number(1 - beta2)
    theta_new, m_new, v_new = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
    for i in range(theta.size):
        m_i = keep1 * m[i] + add1 * g[i]
        v_i = keep2 * v[i] + add2 * (g[i] * g[i])
        m_new[i], v_new[i] = m_i, v_i
        theta_new[i] = theta[i] - (lr * (unbias_m * m_i) / (np.sqrt(unbias_v * v_i) + eps) + zero * v_i)
    return theta_new, m_new, v_new


@kernel("(n) (n) (n) (n) (n) . . . . . . i", pays=lambda theta, *others: theta.size >= 5_000)
def adahessian(theta, g, D, m, v, lr, beta1, beta2, eps, power, weight_decay, t):
    """θ, m and v after step t of AdaHessian, with the averaged diagonal D of the Hessian.

    The twin is 5 times as fast on 285,670 weights, 1.8 on 5,000.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * D**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - lr * (m_hat / (np.sqrt(v_hat)**power + eps) + weight_decay * theta + 0 * v), m, v


@adahessian.twin(**IN_ORDER)
def adahessian_compiled(theta, g, D, m, v, lr, beta1, beta2, eps, power, weight_decay, t):
    number = theta.dtype.type
    lr, decay, zero = number(lr), number(weight_decay), number(0)
    unbias_m, unbias_v = number(1 / (1 - beta1**t)), number(1 / (1 - beta2**t))
    keep1, add1, keep2, add2, eps = number(beta1), number(1 - beta1), number(beta2), number(1 - beta2), number(eps)
    theta_new, m_new, v_new = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
    for i in range(theta.size):
        m_i = keep1 * m[i] + add1 * g[i]
        v_i = keep2 * v[i] + add2 * (D[i] * D[i])
        m_new[i], v_new[i] = m_i, v_i
        root = np.sqrt(unbias_v * v_i)
        if power != 1:
            root = root**number(power)
        theta_new[i] = theta[i] - lr * (unbias_m * m_i / (root + eps) + decay * theta[i] + zero * v_i)
    return theta_new, m_new, v_new


@kernel("(n) (n) k?(n) k?(n) (known?,known?) i", pays=lambda r, *others: r.size >= 5_000,
        further=lambda r, Jr, P, V, products, skipped: len(products) <= len(V) and skipped >= 0,
        finite=lambda result: isfinite(result[4]))
def least_residual(r, Jr, P, V, products, skipped):
    """r and Jr as p and v, with v made orthonormal to the unit vectors in V; and d = Σ (vᵢᵀr) pᵢ, for these as well.

    V are the images of the vectors in P, of which the first in d are skipped.  Also τ, how much of each vᵢ there was in
    Jr, the length of what was left, and the largest number in r: see optimizers/residual.py.  The products vᵢᵀvⱼ for
    j < i are handed out at last, of which the first are known from the step before: rounding makes them differ from 0.

    The twin is 3 times as fast on 285,670 numbers and ten vectors.
    """
    k, known, before = len(V), len(products), products
    products, tau = np.zeros((k, k), r.dtype), np.zeros(k, r.dtype)
    products[:known, :known] = before
    for i in range(known, k):
        for j in range(i):
            products[i, j] = V[i] @ V[j]
    p, v = r, Jr
    for i in range(k):
        tau[i] = V[i] @ Jr - products[i, :i] @ tau[:i]  # what is left of Jr without those before
        p, v = p - tau[i] * P[i], v - tau[i] * V[i]
    length = float(np.linalg.norm(v))
    p, v = p / length, v / length
    d = (v @ r) * p
    for p_i, v_i in zip(P[skipped:], V[skipped:]):
        d = d + (v_i @ r) * p_i
    return p, v, d, tau, length, float(np.abs(r).max()), products


@least_residual.twin()
def least_residual_compiled(r, Jr, P, V, products, skipped):
    number, k, known = r.dtype.type, len(V), len(products)
    tau, alpha, largest = np.zeros(k, r.dtype), np.zeros(k, r.dtype), number(0)
    before, products = products, np.zeros((k, k), r.dtype)
    for i in range(known * known):  # not as slices, for which Numba would compile the words of an error
        products[i // known, i % known] = before[i // known, i % known]
    for start in range(0, r.size, PIECE):  # all the products of two vectors that are not known
        r_piece, Jr_piece = r[start:start + PIECE], Jr[start:start + PIECE]
        for i in range(r_piece.size):
            largest = max(largest, abs(r_piece[i]))
        for i in range(0, k, 2):  # two at once, as the memory takes its time before it sends the first numbers of each
            j = min(i + 1, k - 1)
            found = dots(piece(V[i], start, r_piece), piece(V[j], start, r_piece), Jr_piece, r_piece)
            tau[i], alpha[i] = tau[i] + found[0], alpha[i] + found[1]
            if j > i:
                tau[j], alpha[j] = tau[j] + found[2], alpha[j] + found[3]
        for i in range(known, k):
            v_i = piece(V[i], start, r_piece)
            for j in range(i):
                products[i, j] += dot(v_i, piece(V[j], start, r_piece))
    for i in range(k):
        for j in range(i):
            tau[i] -= products[i, j] * tau[j]
        if i < skipped:
            alpha[i] = 0
    p, v, d = np.empty_like(r), np.empty_like(r), np.empty_like(r)
    vv, vr = number(0), number(0)
    for start in range(0, r.size, PIECE):
        r_piece, Jr_piece = r[start:start + PIECE], Jr[start:start + PIECE]
        p_piece, v_piece, d_piece = p[start:start + PIECE], v[start:start + PIECE], d[start:start + PIECE]
        for q in range(r_piece.size):
            p_piece[q], v_piece[q], d_piece[q] = r_piece[q], Jr_piece[q], 0
        for i in range(0, k, 2):
            j = min(i + 1, k - 1)
            p_i, v_i, p_j, v_j = (piece(P[i], start, r_piece), piece(V[i], start, r_piece),
                                  piece(P[j], start, r_piece), piece(V[j], start, r_piece))
            tau_i, alpha_i = tau[i], alpha[i]
            tau_j, alpha_j = (tau[j], alpha[j]) if j > i else (number(0), number(0))
            for q in range(r_piece.size):
                v_piece[q] -= tau_i * v_i[q] + tau_j * v_j[q]
                p_piece[q] -= tau_i * p_i[q] + tau_j * p_j[q]
                d_piece[q] += alpha_i * p_i[q] + alpha_j * p_j[q]
        vv += dot(v_piece, v_piece)
        vr += dot(v_piece, r_piece)
    for q in range(r.size if vr != vr else 0):  # no comparison tells of a NaN
        largest = largest if r[q] == r[q] else r[q]
    length = np.sqrt(vv)
    shorter, last = 1 / length, vr / vv
    for q in range(r.size):
        d[q] += last * p[q]
        p[q] *= shorter
        v[q] *= shorter
    return p, v, d, tau, float(length), float(largest), products


@helper
def dot(a, b):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@helper
def dots(a, b, c, d):
    """aᵀc, aᵀd, bᵀc and bᵀd."""
    ac = ad = bc = bd = a.dtype.type(0)
    for q in range(a.size):
        ac += a[q] * c[q]
        ad += a[q] * d[q]
        bc += b[q] * c[q]
        bd += b[q] * d[q]
    return ac, ad, bc, bd


@machine_code
def piece(context, address, start, like):
    """So many numbers as there are in `like`, from number `start` on of the vector that begins at this address."""
    from numba.core import types
    from numba.np.arrayobj import populate_array

    kind, size = types.Array(like.dtype, 1, "C", readonly=True), like.dtype.bitwidth // 8

    def generate(context, builder, signature, arguments):
        address, start, like = arguments
        shape = context.make_array(signature.args[2])(context, builder, like).shape
        place = builder.add(address, builder.mul(start, start.type(size)))
        numbers, found = context.get_data_type(kind.dtype).as_pointer(), context.make_array(kind)(context, builder)
        populate_array(found, builder.inttoptr(place, numbers), shape, [start.type(size)], start.type(size), None)
        return found._getvalue()

    return kind(address, start, like), generate


@kernel("(n) (n) (n) (n) . .", pays=lambda x, *others: x.size >= 5_000,
        further=lambda x, r, p, Ap, rr, damping: rr != 0,
        finite=lambda result: isfinite(result[3]) and isfinite(result[4]))
def conjugate_step(x, r, p, Ap, rr, damping):
    """x, r, p and rᵀr after a step of conjugate gradients for A + damping I, and pᵀ(A + damping I)p: linalg/systems.py.

    Where that is not positive, the step has length 0.  The twin is twice as fast on 285,670 numbers.
    """
    Ap = Ap + damping * p
    curvature = float(p @ Ap)
    alpha = rr / curvature if curvature > 0 else 0.0
    x = x + alpha * p
    r = r - alpha * Ap
    rr, rr_before = float(r @ r), rr
    return x, r, r + rr / rr_before * p, rr, curvature


@conjugate_step.twin()
def conjugate_step_compiled(x, r, p, Ap, rr, damping):
    number, x_new, r_new, p_new = x.dtype.type, np.empty_like(x), np.empty_like(x), np.empty_like(x)
    damping, pAp, pp, rr_new = number(damping), number(0), number(0), number(0)
    for i in range(x.size):
        pAp += p[i] * Ap[i]
        pp += p[i] * p[i]
    curvature = float(pAp + damping * pp)
    alpha = number(rr / curvature if curvature > 0 else 0.0)
    for i in range(x.size):
        x_new[i] = x[i] + alpha * p[i]
        r_i = r[i] - alpha * (Ap[i] + damping * p[i])
        r_new[i] = r_i
        rr_new += r_i * r_i
    beta = number(rr_new / rr)
    for i in range(x.size):
        p_new[i] = r_new[i] + beta * p[i]
    return x_new, r_new, p_new, float(rr_new), curvature


@kernel("(n,n) (n) i .", pays=lambda A, b, steps, tolerance: 10 <= b.size <= 400)
def dense_conjugate_gradient(A, b, steps, tolerance):
    """x with Ax = b, by so many steps of conjugate gradients, and pᵀAp in the last direction: linalg/systems.py.

    From pᵀAp is taken what may be rounding in it, beside that of a direction before, of the same length.
    The twin is at least 15 times as fast for 10 unknowns, 3 to 7 for 100, and 2 for 400.
    """
    x, r, p, rr, curvature = np.zeros_like(b), b, b, b @ b, 1.0
    pp, least, rounding, enough = rr, 0.0, 10 * np.finfo(b.dtype).eps, tolerance**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        Ap = A @ p
        curvature = p @ Ap
        least = max(least, rounding * curvature / pp)
        if not curvature > least * pp:
            break
        alpha = rr / curvature
        x, r = x + alpha * p, r - alpha * Ap
        rr, rr_before = r @ r, rr
        p, pp = r + rr / rr_before * p, rr + (rr / rr_before)**2 * pp
    return x, float(curvature - least * pp)


@dense_conjugate_gradient.twin()
def dense_conjugate_gradient_compiled(A, b, steps, tolerance):
    x, r, p, Ap, rr, curvature = np.zeros_like(b), b.copy(), b.copy(), np.empty_like(b), dot(b, b), b.dtype.type(1)
    pp, least, rounding, enough = rr, 0 * rr, 10 * np.finfo(b.dtype).eps, b.dtype.type(tolerance)**2 * rr
    for _ in range(steps):
        if rr <= enough:
            break
        for i in range(b.size):
            Ap[i] = dot(A[i], p)
        curvature = dot(p, Ap)
        least = max(least, rounding * curvature / pp)
        if not curvature > least * pp:
            break
        alpha = rr / curvature
        for i in range(b.size):
            x[i] += alpha * p[i]
            r[i] -= alpha * Ap[i]
        rr, rr_before = dot(r, r), rr
        pp = rr + (rr / rr_before)**2 * pp
        for i in range(b.size):
            p[i] = r[i] + rr / rr_before * p[i]
    return x, float(curvature - least * pp)
