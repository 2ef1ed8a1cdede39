"""Least residuals: how much of the residual the last few directions can take away.          Lecture 12.

The residual r = −∇f(θ) is to become 0.  A step p changes it by −Jp, to first order, where J is the matrix that
`curvature` names: "hessian", or "fisher" and the other stand-ins for it.  These methods keep the last few directions p
together with their images v = Jp, which are made orthonormal, so that what is left of r after a step Σ αᵢ pᵢ is least
for αᵢ = vᵢᵀr.  With curvature="jacobian" they solve a system of equations f(θ) = 0 that need be no gradient, see
`systems`: then r = −f(θ), and J is the Jacobian of f, of which no transpose is needed.

(Memon et al. (2024) write r = −f(x; θ) where f is their network: −∇L is meant.  Of the m directions that are kept at
step j the first is p_{j−m+1}, then p_{j−m+2}: in their equation (6) the 1 has slipped into a second subscript.)

    gcr                  for linear systems
    anderson             without J: the differences of the last residuals tell of it
    nltgcr               the nonlinear form of gcr
    nltgcr_adaptive      that trusts its prediction of the next residual while it is right
    nltgcr_fisher        for networks: Fisher matrix, its history, K-FAC, and a start with conjugate gradients
    fishleg              an inverse of the Fisher matrix that is learned: what Memon et al. compare with
"""
from math import inf, sqrt

import numpy as np

from numopt.linalg.norms import column_norms, finite, image, inner, norm, unit, vector
from numopt.linalg.rounding import Rounding
from numopt.linalg.systems import Nystrom, conjugate_gradient, damped, nystrom
from numopt.line_search import remembering
from numopt.optimizer import Diverged, optimizer
from numopt.optimizers.kronecker import between_inverses, damped_cholesky
from numopt.schedules import schedule


@optimizer
def gcr(problem, theta, *, curvature="hessian", window=None, t=0, pairs=()):
    """Go to where the residual is least along one more direction, whose image is orthogonal to those of the others.

    Eisenstat, Elman and Schultz (1983), "generalized conjugate residuals", with a window "Orthomin"; as a loop that
    can be watched: `linalg.gcr` solves a system in one go.  J need not be symmetric, only have xᵀJx > 0 for all x ≠ 0
    (Memon et al. (2024) say that it solves symmetric positive definite systems: for these a window of 1 is enough, and
    it becomes the method of conjugate residuals).  It is made for a quadratic f, and ends where no step is left.
    In Table 1: curvature H; structure pairs; over time last pairs.
    """
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, curvature)
        p, v, w = orthonormal(*image(getattr(loss, curvature)(theta), r), pairs)
        if w == inf:
            return
        pairs = (*pairs, (p, v, w))[-window:] if window else (*pairs, (p, v, w))
        theta = theta + (v @ r) * p
        yield theta


@optimizer
def anderson(problem, theta, *, lr=0.1, equations="gradient", window=5, t=0, thetas=(), residuals=()):
    """Of all the mixtures of the last few points take that whose residual should be least, and from there a step lr r.

    Anderson (1965), with lr for his β, in the form of Walker and Ni (2011), Section 2: if the residual were linear, the
    one of θ − ΔX γ would be r − ΔR γ, with the differences of the last points and residuals as columns.  A window of 0
    is gradient descent.  On a linear system and with a window that keeps all, the step goes from where GMRES has got
    to (their Theorem 2.2).  The equations are "gradient", r = −∇f, or "residuals", r = −f.  For losses that are the
    same at every step: between two mini-batches the difference of two residuals is noise.
    In Table 1: curvature changes of g; structure pairs; over time last pairs.
    """
    lr = schedule(lr)
    if equations not in ("gradient", "residuals"):
        raise ValueError(f"equations is {equations!r}; it is gradient or residuals")
    for t, loss in problem.losses(after=t):
        r = residual(loss, theta, equations)
        thetas, residuals = (*thetas, theta)[-window - 1:], (*residuals, r)[-window - 1:]
        dX, dR = np.diff(thetas, axis=0).T, np.diff(residuals, axis=0).T
        gamma = least_squares(dR, r)
        theta = theta - dX @ gamma + lr(t) * (r - dR @ gamma)
        yield theta


@optimizer
def nltgcr(problem, theta, *, lr=1.0, curvature="hessian", damping=0.0, window=10, restart=50, safeguard=1e3,
           search=None, t=0, pairs=()):
    """Step to the least residual that the last few directions can reach, to first order.

    He, Tang, Zhao, Saad and Xi (2024), "nonlinear truncated generalized conjugate residuals", with the numbers of their
    code.  J is taken anew at every point, and r = −∇f is no longer orthogonal to the images that it has left behind:
    so the step goes along all the directions of the window, not only the newest.  On a linear system it is `gcr`.

    It starts afresh, with the newest direction alone, every `restart` steps, too soon for a large system, and when w is
    above the safeguard: w is a bound on the largest entry of p, which grows as the images become dependent, in units of
    ‖r‖ / ‖Jr‖, as the path depended on those of f.  A step that would lead uphill is turned round.  A `search`, such as
    line_search.backtracking, looks for a point where f is lower, or ½‖f‖² for a system, first at lr times the step; if
    there is none, the method starts afresh or ends.  (The authors' first trial depends on the last one; their C code
    takes any point, for it compares f with itself.)  In Table 1: curvature H; structure pairs; over time last pairs.
    """
    lr = schedule(lr)
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residual(loss, theta, curvature), damped(getattr(loss, curvature)(theta), damping)
        u, Ju = image(J, r)
        p, v, w = orthonormal(u, Ju, pairs)
        if (t - 1) % restart == 0 or w > safeguard * norm(u) / (norm(Ju) or inf):
            pairs, (p, v, w) = (), orthonormal(u, Ju)
        if w == inf:
            return
        fresh, pairs = not pairs, (*pairs, (p, v, w))[-window:]
        d = combined(pairs, r)
        d = -d if r @ d < 0 and curvature != "jacobian" else d
        alpha = lr(t) if search is None else searched(search, loss, theta, d, lr(t))
        if alpha == 0 and search is not None and fresh:
            return
        pairs = pairs if alpha > 0 else ()
        theta = theta + alpha * d
        yield theta


@optimizer
def nltgcr_adaptive(problem, theta, *, lr=1.0, cosine=0.99, every=10, curvature="hessian", damping=0.0, window=10,
                    restart=None, safeguard=1e3, t=0, pairs=(), guess=None, linear=0):
    """Take the residual to be what was predicted, as long as that is nearly what it is: it need not be computed then.

    He et al. (2024), the adaptive update.  It begins with true residuals, and turns linear at the step, called `linear`
    here, where the truth and the guess r − Σ αᵢ vᵢ have a cosine above `cosine`.  From then on it looks again after
    `every` so many steps, and if they no longer agree it starts afresh with true residuals, for which `linear` is 0, or
    ends, where these are only rounding.  (A PyTorch code of theirs turns linear where the two are nearly orthogonal: it
    takes the cosine for a distance.)  With cosine=1 it never turns linear, and is `nltgcr`; with −1 it does at once,
    and is their linear update: with a `restart` an inexact Newton method, of which each restart is a step.
    In Table 1: curvature H; structure pairs; over time last pairs.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        if restart and (t - 1) % restart == 0:
            pairs, guess, linear = (), None, 0
        r, J = guess, damped(getattr(loss, curvature)(theta), damping)
        if linear == 0 or (t - linear) % every == 0:
            true = residual(loss, theta, curvature)
            agree = guess is not None and inner(true, guess) > cosine * norm(true) * norm(guess)
            r = guess if linear and agree else true
            pairs = () if linear and not agree else pairs
            linear = (linear or t) if agree else 0
        u, Ju = image(J, r)
        p, v, w = orthonormal(u, Ju, pairs)
        if w > safeguard * norm(u) / (norm(Ju) or inf):
            r, pairs, linear = residual(loss, theta, curvature), (), 0
            p, v, w = orthonormal(*image(J, r))
        if w == inf or not pairs and Rounding(J, vector(r), theta).is_all(r):
            return
        pairs = (*pairs, (p, v, w))[-window:]
        d = combined(pairs, r)
        alpha = -lr(t) if r @ d < 0 and curvature != "jacobian" else lr(t)
        theta, guess = theta + alpha * d, r - alpha * projected(pairs, r)
        yield theta


@optimizer
def nltgcr_fisher(problem, theta, *, lr=1e-3, curvature="fisher", damping=1e-2, window=10, columns=None,
                  preconditioned=False, labels="sampled", start=1, seed=0, t=0, pairs=(), C=0.0):
    """nlTGCR on mini-batches, with a Fisher matrix in the place of the Jacobian.

    Memon, Upadhyia, Negi and Scott (2024), whose runs have lr = 1e-3 and batches of 128, and who do not say what their
    window and their damping are.  F is that of the batch, or with `columns` their equation (8): of the mean of all
    Fisher matrices so far, as much as so many of its columns, drawn with the seed, tell of it; then C holds these.
    (As printed, F[:, I] F[I, I]⁻¹ F[I, :]ᵀ, the last factor does not fit, and the inverse need not exist: a Fisher
    matrix is not positive definite, as they say, but semidefinite.)  If it is preconditioned, both sides of F p = r are
    multiplied by the inverse of K-FAC's F̃, of the same batch.  The first step comes after `start` steps of conjugate
    gradients on all the data.  In the paper this helped dense networks, and made a convolutional one diverge: if the
    loss on all the data is higher afterwards, it is an error.
    In Table 1: curvature F; structure pairs; over time last pairs.
    """
    lr = schedule(lr)
    indices = np.random.default_rng(seed).choice(theta.size, min(columns or 0, theta.size), replace=False)
    if t == 0:
        theta = started(problem, theta, curvature, damping, start)
    for t, loss in problem.losses(after=t):
        F = getattr(loss, curvature)(theta)
        if columns is not None:
            C = C + (nystrom(F, indices).C - C) / t
            F = Nystrom(C, C[indices])
        M = kfac_inverse(loss, theta, damping, [seed, t], labels) if preconditioned else lambda u: u
        g = loss.gradient(theta)
        r = -M(g)
        p, v, w = orthonormal(r, M(damped(F, damping) @ r), pairs)
        pairs = (*pairs, (p, v, w))[-window:] if w < inf else pairs
        d = combined(pairs, r)
        theta = theta + lr(t) * (-d if g @ d > 0 else d)
        yield theta


@optimizer
def fishleg(problem, theta, *, lr=5e-2, beta=0.9, aux_lr=1e-4, damping=0.5, every=10, scale=1.0, weight_decay=1e-5,
            curvature="sampled_fisher", t=0, lam=None, m=0.0, v=0.0, d=0.0):
    """Learn an inverse Q(λ) of the Fisher matrix, by the least of ½ uᵀQFQu − uᵀQu, and step along Qg.

    Garcia et al. (2023), "Fisher-Legendre", with the defaults of their PyTorch code.  Q = F⁻¹ is best, whatever u is.
    Of a layer with gradient U, Q makes A * (RᵀR (A * U) LLᵀ), with R upper and L lower triangular: a Kronecker product
    between two diagonals.  At first Q is scale · I, and the method is gradient descent with momentum.  λ takes a step
    of Adam at `every` so many steps, with u = g/‖g‖, as in their other codes, and with the damped F of this mini-batch,
    where they take another one, at labels drawn from the model.  (The PyTorch code has (ĝᵀQu)² for uᵀQFQu, with the
    mean gradient ĝ of a batch of B at such labels: on average 1/B of it.)
    In Table 1: curvature F sampled; structure triangles; over time learned, momentum.
    """
    lr = schedule(lr)
    lam = scaled_identity(problem.blocks(theta), scale) if lam is None else lam
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        if t % every == 0:
            k = t // every
            F = damped(getattr(loss, curvature)(theta), damping)
            a = auxiliary_gradient(lam, F, unit(g), loss.blocks)
            m = 0.9 * m + (1 - 0.9) * a
            v = 0.999 * v + (1 - 0.999) * a**2
            m_hat = m / (1 - 0.9**k)
            v_hat = v / (1 - 0.999**k)
            lam = lam - aux_lr * m_hat / (np.sqrt(v_hat) + 1e-8)
        d = beta * d + (1 - beta) * inverse_times(lam, loss.blocks(g))
        theta = theta - lr(t) * (d + weight_decay * theta)
        yield theta


def residual(loss, theta, kind):
    """−∇f(θ), but −f(θ) where "jacobian" or "residuals" are asked for: then f = 0 is a system of equations."""
    if kind not in ("jacobian", "residuals"):
        return -finite(loss.gradient(theta), "the gradient")
    if not hasattr(loss, "residuals"):
        raise NotImplementedError(f"{kind!r} is for a system of equations f(θ) = 0 that answers residuals(theta) "
                                  "and jacobian(theta), as numopt.problems.Bratu does; others have r = −∇f")
    r = -finite(loss.residuals(theta), "the vector of residuals")
    if r.shape != theta.shape:
        raise ValueError(f"there are {r.size} equations for {theta.size} unknowns, and must be as many: "
                         "gauss_newton and levenberg_marquardt take others")
    return r


def orthonormal(p, v, pairs=()):
    """(p, v, w): v made orthonormal to the v of all the pairs, p so that v is still its image, and w ≥ max |p|,
    infinite if v lies in the span of the others already.
    """
    w, before = float(np.abs(p).max()), norm(finite(v, "the image of a direction"))
    for p_i, v_i, w_i in pairs:
        tau = float(v @ v_i)
        v, p, w = v - tau * v_i, p - tau * p_i, w + abs(tau) * w_i
    length = norm(v)
    if not length > 10 * np.finfo(v.dtype).eps * before:
        return p, v, inf
    return p / length, v / length, w / length


def least_squares(dR, r):
    """The γ with the least ‖r − dR γ‖, for columns of any length."""
    D = column_norms(dR)
    return np.linalg.lstsq(finite(dR / D, "the matrix of differences"), r, rcond=None)[0] / D


def combined(pairs, r):
    """Σ αᵢ pᵢ with αᵢ = vᵢᵀr: of all sums of the directions the one whose image is nearest to r."""
    return sum(((v @ r) * p for p, v, w in pairs), np.zeros_like(r))


def projected(pairs, r):
    """Σ αᵢ vᵢ, the image of that."""
    return sum(((v @ r) * v for p, v, w in pairs), np.zeros_like(r))


def searched(search, loss, theta, d, alpha):
    """How far to go along d, tried first at alpha; 0 where d leads uphill, as it may in a system."""
    return search(loss, theta, d, alpha=alpha).alpha if loss.gradient(theta) @ d <= 0 else 0.0


def started(problem, theta, curvature, damping, steps):
    """θ after so many steps of conjugate gradients for (F + damping I) p = −∇f, where f is the loss on all the data."""
    if steps == 0:
        return theta
    whole = getattr(problem, "whole", problem)
    before, g = whole.value_and_gradient(theta)
    p = conjugate_gradient(damped(getattr(whole, curvature)(theta), damping), -g, steps=steps)
    after = whole.value(theta + p)
    if not after <= before:
        raise Diverged(f"nltgcr_fisher: the start, {steps} steps of conjugate gradients, took the loss on all the data "
                       f"from {before:.6g} to {after:.6g}: leave it out, with start=0, or use more damping", 0)
    return theta + p


def kfac_inverse(loss, theta, damping, seed, labels):
    """The function u ↦ F̃⁻¹u, where F̃ is K-FAC's Fisher matrix of this batch, damped."""
    A, G = zip(*loss.kronecker_factors(theta, seed=seed, labels=labels))
    A_chol, G_chol = damped_cholesky(A, G, sqrt(damping))
    return lambda u: between_inverses(G_chol, loss.blocks(u), A_chol)


def scaled_identity(blocks, scale):
    """λ with Q(λ) = scale · I: for every block the matrices L = I, R = I and A = √scale, as one vector."""
    return np.concatenate([part.ravel() for U in blocks for part in (
        np.eye(U.shape[1], dtype=U.dtype), np.eye(U.shape[0], dtype=U.dtype), np.full_like(U, sqrt(scale)))])


def parts(lam, blocks):
    """L, R, A and U of every block: views into λ, and the block."""
    start = 0
    for U in blocks:
        m, n = U.shape
        L, R, A = np.split(lam[start:start + n * n + m * m + m * n], [n * n, n * n + m * m])
        yield L.reshape(n, n), R.reshape(m, m), A.reshape(m, n), U
        start += n * n + m * m + m * n


def inverse_times(lam, blocks):
    """Q(λ)u, from the blocks of u."""
    return np.concatenate([(A * (R.T @ R @ (A * U) @ L @ L.T)).ravel() for L, R, A, U in parts(lam, blocks)])


def auxiliary_loss(lam, F, u, blocks):
    """½ uᵀQFQu − uᵀQu: at Q = F⁻¹ it is least, whatever u is, and there −½ uᵀF⁻¹u."""
    z = inverse_times(lam, blocks(u))
    return z @ (F @ z) / 2 - u @ z


def auxiliary_gradient(lam, F, u, blocks):
    """Its derivative by λ.  F and Q are symmetric, so it is that of hᵀQ(λ)u with the vector h = FQu − u held fixed."""
    z = inverse_times(lam, blocks(u))
    gradients = []
    for (L, R, A, U), H in zip(parts(lam, blocks(u)), blocks(F @ z - u)):
        B, K = A * U, A * H
        RBL, RKL = R @ B @ L, R @ K @ L
        gradients += [np.tril((R @ B).T @ RKL + (R @ K).T @ RBL), np.triu(RKL @ (B @ L).T + RBL @ (K @ L).T),
                      H * (R.T @ RBL @ L.T) + U * (R.T @ RKL @ L.T)]
    return np.concatenate([gradient.ravel() for gradient in gradients])
