"""Curvature layer by layer: a matrix for the rows of a weight matrix and one for its columns.          Lecture 11.

The curvature of a layer with weights [W | b] of m rows and n columns has (m n)² numbers.  If it is a Kronecker product
of an m x m and an n x n matrix, L ⊗ R, it is known by m² + n², and its powers by those of L and R: with W flattened row
by row, as here, (L ⊗ R)^p vec(W) = vec(L^p W R^p) for symmetric L and R; by columns, as in Memon et al. (2024), R ⊗ L.

    full_matrix_adagrad      the sum of all g gᵀ, of all layers at once: what the others avoid
    kfac, kfac_martens       factors of the Fisher matrix
    ekfac                    their eigenvectors, with eigenvalues of its own
    shampoo, soap            factors of that sum
    muon                     the last gradients alone

A, G, L, R and Q are lists with a matrix for every layer, and A_i is that of layer i.  The letters are those of the
papers: G is a factor in K-FAC, and the gradient in Shampoo and SOAP.
"""
from itertools import repeat
from math import nan, sqrt

import numpy as np

from numopt.kernels.moments import averaged
from numopt.linalg.norms import finite, finite_inner, norm, unit
from numopt.linalg.roots import cholesky, divided, eigh, inverse_root, newton_schulz, orthogonal_factor, solved
from numopt.linalg.systems import damped
from numopt.optimizer import optimizer
from numopt.schedules import schedule


@optimizer
def full_matrix_adagrad(problem, theta, *, lr=1e-2, eps=1e-10, t=0, S=0.0):
    """Multiply the gradient by the inverse root of the sum of all outer products g gᵀ.

    Duchi, Hazan and Singer (2011), Figure 1, with full matrices: for small nets.  eps I is added to the sum S, as
    in Gupta, Koren and Singer (2018); Duchi et al. add it to the root.  It is AdaGrad without a choice of coordinates:
    if θ is turned, so is its path.  (Memon et al. (2024) call S smoothed, where it is a sum, and have it inverted "at
    each epoch": it is the inverse square root, at each step.)
    In Table 1: length each by gradient; curvature F̃; over time sum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        S = S + np.outer(g, g)
        theta = theta - lr(t) * inverse_root(S, 2, damping=eps) @ g
        yield theta


@optimizer
def kfac(problem, theta, *, lr=0.1, mu=0.9, damping=1e-3, kappa=1e-3, beta=0.95, every=10, labels="sampled",
         form="expand", seed=0, t=0, A=(), G=(), A_chol=(), G_chol=(), v=0.0):
    """A natural gradient step, with the Fisher matrix of each layer taken to be the Kronecker product G ⊗ A.

    Martens and Grosse (2015), Section 4.2, for dense layers, and Grosse and Martens (2016) for convolutions, with
    momentum at a fixed rate.  A is the second moment of the inputs [x 1] of a layer, and G that of the derivatives by
    its outputs, at labels drawn from the model.  Both are averages over the past and damped as in their Section 6.3;
    their Cholesky factors are renewed at the first three steps and then at `every` so many.  A step lr d whose squared
    length lr² dᵀF̃d = lr² gᵀd is above kappa, with the damped F̃, is shortened to it (Ba, Grosse and Martens 2017).
    (Memon et al. (2024) call A the gradient of the inputs; it is about the inputs themselves.)
    In Table 1: length whole at most; curvature F; structure G ⊗ A; over time average, momentum.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        eps = min(1 - 1 / t, beta)
        A_t, G_t = zip(*loss.kronecker_factors(theta, seed=[seed, t], labels=labels, form=form))
        A, G = average(A, A_t, eps), average(G, G_t, eps)
        if t <= 3 or t % every == 0:
            A_chol, G_chol = damped_cholesky(A, G, sqrt(damping))
        d = between_inverses(G_chol, loss.blocks(g), A_chol)
        nu = min(1, np.sqrt(kappa / (lr(t)**2 * finite_inner(g, d))).item())
        v = mu(t) * v - nu * lr(t) * d
        theta = theta + v
        yield theta


@optimizer
def kfac_martens(problem, theta, *, eta=0.0, T1=5, T2=20, T3=20, beta=0.95, labels="sampled", form="expand", seed=0,
                 t=0, damping=150.0, gamma=None, A=(), G=(), A_chol=(), G_chol=(), delta=0.0):
    """K-FAC that finds its rate, its momentum and its damping by itself, from products with the Fisher matrix.

    Martens and Grosse (2015), Algorithm 2, with their constants.  The step is αΔ + μδ, from the proposal
    Δ = −F̃⁻¹g and the last step δ, and has the least M = gᵀx + ½ xᵀ(F + (λ + η)I)x of all such x, where λ is `damping`
    and F the exact Fisher matrix of the batch; there M is ½ gᵀx.  Every T1 steps λ falls if M foretold the change of
    the loss well, and rises if badly.  Every T2 steps γ, the damping of the factors, becomes that of γ, ω₂γ and γ/ω₂
    with the least M.  Every T3 steps, and at the first three, the Cholesky factors are renewed.  λ = 150 is for losses
    as large as those of the paper's autoencoders, sums over pixels: start near 1 for a classifier.  eta is the strength
    of a Ridge around the problem, 1e-5 in the paper, which g has in it and F has not.
    In Table 1: length damping; curvature F; structure G ⊗ A; over time average, damping, last direction.
    """
    omega1, omega2 = (19 / 20)**T1, sqrt(19 / 20)**T2
    gamma = sqrt(damping + eta) if gamma is None else gamma
    delta = np.zeros_like(theta) + delta
    for t, loss in problem.losses(after=t):
        f, g = loss.value_and_gradient(theta)
        eps = min(1 - 1 / t, beta)
        A_t, G_t = zip(*loss.kronecker_factors(theta, seed=[seed, t], labels=labels, form=form))
        A, G = average(A, A_t, eps), average(G, G_t, eps)
        F = damped(loss.fisher(theta), damping + eta)
        trials = []
        for gamma_i in [gamma, omega2 * gamma, gamma / omega2] if t % T2 == 0 else [gamma]:
            if t <= 3 or t % T2 == 0 or t % T3 == 0:
                A_chol, G_chol = damped_cholesky(A, G, gamma_i)
            Delta = -between_inverses(G_chol, loss.blocks(g), A_chol)
            alpha, mu = least_on_plane(F, g, Delta, delta)
            delta_i = alpha * Delta + mu * delta
            trials.append(((g @ delta_i).item() / 2, gamma_i, A_chol, G_chol, delta_i))
        M, gamma, A_chol, G_chol, delta = min(trials, key=lambda trial: trial[0])
        theta = theta + delta
        if t % T1 == 0 and M < 0:
            rho = (loss.value(theta) - f) / M
            damping = omega1 * damping if rho > 3 / 4 else damping / omega1 if rho < 1 / 4 else damping
        yield theta


@optimizer
def ekfac(problem, theta, *, lr=0.1, damping=1e-3, beta=0.95, every=10, labels="sampled", form="expand", seed=0, t=0,
          A=(), G=(), U_A=(), U_G=(), s=0.0):
    """K-FAC's eigenvectors, with the second moments that gradients have along them in place of its eigenvalues.

    George et al. (2018), Algorithm 1, with momentum left out.  Those of K-FAC are products of two eigenvalues; of all
    matrices with these eigenvectors, that of the moments s is the nearest to the Fisher matrix (Section 3.1), and so
    never further from it than K-FAC's.  The eigenvectors are renewed at the first three steps and then at `every` so
    many, s at every step, by single examples' gradients; A, G and s are averages over the past.
    In Table 1: curvature F; structure diagonal turned; over time average.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        eps = min(1 - 1 / t, beta)
        A_t, G_t = zip(*loss.kronecker_factors(theta, seed=[seed, t], labels=labels, form=form))
        A, G = average(A, A_t, eps), average(G, G_t, eps)
        if t <= 3 or t % every == 0:
            U_A, U_G = eigenvectors(A), eigenvectors(G)
        s_t = loss.fisher_moments(theta, U_G, U_A, seed=[seed, t], labels=labels)
        s = eps * s + (1 - eps) * s_t
        d = divided(between(transposed(U_G), loss.blocks(g), U_A), s, damping)
        theta = theta - lr(t) * between(U_G, loss.blocks(d), transposed(U_A))
        yield theta


@optimizer
def shampoo(problem, theta, *, lr=0.1, mu=0.0, eps=1e-4, every=1, graft=None, t=0, L=(), R=(), L_root=(), R_root=(),
            s=0.0, v=0.0):
    """Divide a gradient matrix by the fourth roots of the sums of G Gᵀ, on its left, and of GᵀG, on its right.

    Gupta, Koren and Singer (2018), Algorithm 1; the roots are renewed at `every` so many steps.  The exponent is
    −1/(2k) for an array of k dimensions, hence −¼ for a matrix (some packages have −1/k, which divides twice).  A block
    with one row or one column is a vector, with k = 1: there it is full-matrix AdaGrad.  The lengths of these steps
    are hard to foresee; with graft="sgd" or "adagrad" each block of a step gets the length that its gradient or its
    AdaGrad step has (Anil et al. 2020).  With mu > 0 the weights have momentum.
    In Table 1: length each by gradient; curvature F̃; structure √(L ⊗ R); over time sum.
    """
    lr, mu = schedule(lr), schedule(mu, "mu", below=1)
    L = L or [eps * np.eye(W_i.shape[0], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    R = R or [eps * np.eye(W_i.shape[1], dtype=theta.dtype) for W_i in problem.blocks(theta)]
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        G = loss.blocks(g)
        L = [L_i + G_i @ G_i.T for L_i, G_i in zip(L, G)]
        R = [R_i + G_i.T @ G_i for R_i, G_i in zip(R, G)]
        if (t - 1) % every == 0:
            L_root, R_root = zip(*map(inverse_roots, L, R))
        d = between(L_root, G, R_root)
        s = s + g**2
        if graft is not None:
            d = lengthened(loss.blocks(d), loss.blocks(grafted(graft, g, s)))
        v = mu(t) * v - lr(t) * d
        theta = theta + v
        yield theta


@optimizer
def soap(problem, theta, *, lr=3e-3, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, every=10,
         t=0, L=(), R=(), Q_L=(), Q_R=(), m=0.0, v=0.0):
    """Adam in the coordinates in which Shampoo's matrices are diagonal.

    Vyas et al. (2024), Algorithm 3, with the defaults of their code, which also skips the first step: its gradient
    only says what the coordinates are.  At `every` so many steps they are renewed by a product and a QR decomposition
    (Algorithm 4), which keeps the order of the columns of Q, and so what v stands for; the code sorts both.
    In Table 1: length each by gradient; curvature F̃; structure diagonal turned; over time average, momentum.
    """
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        G = loss.blocks(g)
        rate = lr(t)
        if t > 1:
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * between(transposed(Q_L), G, Q_R)**2
            m_hat = m / (1 - beta1**(t - 1))
            v_hat = v / (1 - beta2**(t - 1))
            d = between(transposed(Q_L), loss.blocks(m_hat), Q_R) / (np.sqrt(v_hat) + eps)
            theta = theta - rate * (between(Q_L, loss.blocks(d), transposed(Q_R)) + weight_decay * theta)
        L = average(L, [G_i @ G_i.T for G_i in G], beta2)
        R = average(R, [G_i.T @ G_i for G_i in G], beta2)
        if t == 1:
            Q_L, Q_R = eigenvectors(L), eigenvectors(R)
        elif (t - 1) % every == 0:
            Q_L = [orthogonal_factor(L_i @ Q_i) for L_i, Q_i in zip(L, Q_L)]
            Q_R = [orthogonal_factor(R_i @ Q_i) for R_i, Q_i in zip(R, Q_R)]
        yield theta


@optimizer
def muon(problem, theta, *, lr=0.02, mu=0.95, weight_decay=0.0, nesterov=True, scale="original", steps=5,
         coefficients=(3.4445, -4.7750, 2.0315), t=0, m=0.0):
    """Step by the orthogonal matrix next to the momentum: as far along every one of its singular vectors.

    Jordan et al. (2024), with momentum and Nesterov's look ahead as in their code.  `steps` of Newton and Schulz with
    these coefficients bring singular values between about 0.7 and 1.2; see linalg/roots.py.  They give only
    the matrices of hidden layers to Muon, and first and last layer and biases to AdamW.  Here it has every block
    [W | b], the bias a column like the others: the weights of an input that is always 1.

    `scale` is what an m x n step is multiplied by: √max(1, m/n) in the "original"; 0.2 √max(m, n) in "match_rms_adamw",
    whose numbers are as large as those of Adam's steps (Liu et al. 2025, equation 4; its users take lr=1e-3,
    weight_decay=0.1); √(m/n) in "spectral", as scion has it.  Some of them leave out Nesterov's look ahead.
    In Table 1: length each by gradient; curvature F̃; structure L ⊗ I; over time momentum.
    """
    lr, mu, factor = schedule(lr), schedule(mu, "mu", below=1), known(SCALES, "scale", scale)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = mu(t) * m + (1 - mu(t)) * g
        u = mu(t) * m + (1 - mu(t)) * g if nesterov else m
        d = [factor(*U_i.shape) * newton_schulz(U_i, steps, coefficients) for U_i in loss.blocks(u)]
        theta = theta - lr(t) * (flat(d) + weight_decay * theta)
        yield theta


SCALES = {"original": lambda m, n: sqrt(max(1, m / n)), "match_rms_adamw": lambda m, n: 0.2 * sqrt(max(m, n)),
          "spectral": lambda m, n: sqrt(m / n)}


def known(table, name, value):
    """What the table has under this value of a hyperparameter."""
    if value not in table:
        raise ValueError(f"{name} is {value!r}; it is one of {', '.join(table)}")
    return table[value]


def flat(W):
    """Matrices as one vector: the other way round than `blocks`."""
    return np.concatenate([W_i.ravel() for W_i in W])


def between(L, W, R):
    """The vector of the matrices L_i W_i R_i: (L_i ⊗ R_iᵀ) vec(W_i), where vec goes row by row."""
    return flat(L_i @ W_i @ R_i for L_i, W_i, R_i in zip(L, W, R, strict=True))


def between_inverses(G_chol, W, A_chol):
    """The vector of the matrices G_i⁻¹ W_i A_i⁻¹, from the Cholesky factors of G_i and A_i."""
    return flat(solved(G_i, solved(A_i, W_i.T).T) for G_i, W_i, A_i in zip(G_chol, W, A_chol, strict=True))


def transposed(Q):
    return [Q_i.T for Q_i in Q]


def average(old, new, beta):
    """beta · old + (1 − beta) · new, matrix by matrix; the old ones start at zero."""
    return [averaged(old_i, new_i, beta) for old_i, new_i in zip(old or repeat(0.0), new)]


def damped_cholesky(A, G, gamma):
    """The Cholesky factors of A + πγ I and of G + γ/π I for every layer, with π² = (tr A / d_A) / (tr G / d_G).

    Martens and Grosse (2015), Section 6.3: about G ⊗ A + γ² I, which is no Kronecker product.  With this π, a change of
    units that makes A larger and G smaller changes nothing.
    """
    pi = [balance(A_i, G_i) for A_i, G_i in zip(A, G)]
    return ([cholesky(damped(A_i, pi_i * gamma), gamma) for A_i, pi_i in zip(A, pi)],
            [cholesky(damped(G_i, gamma / pi_i), gamma) for G_i, pi_i in zip(G, pi)])


def balance(A, G):
    """π, the root of the mean eigenvalue of A over that of G; 1 if one of them is zero."""
    if not A.any() or not G.any():
        return 1.0
    return sqrt(A.trace() / len(A)) / sqrt(G.trace() / len(G)) or nan  # 0 where only G is infinite


def least_on_plane(F, g, Delta, delta):
    """(α, μ) with the least gᵀx + ½ xᵀFx for x = αΔ + μδ; the shortest pair, where several are (δ is 0 at first)."""
    lengths = np.array([norm(Delta) or 1, norm(delta) or 1])  # of which the rank must not depend
    plane = np.column_stack([Delta, delta]) / lengths.astype(Delta.dtype)
    F_plane = np.column_stack([finite(F @ x, "the Fisher matrix, times a step,") for x in plane.T])
    return np.linalg.lstsq(plane.T @ F_plane, -plane.T @ g, rcond=None)[0] / lengths.astype(Delta.dtype)


def inverse_roots(L, R):
    """L^(−1/2k) and R^(−1/2k), for k the number of sides longer than 1; a shorter side stays as it is."""
    one = np.ones((1, 1), L.dtype)
    if len(R) == 1:
        return inverse_root(L, 2), one
    if len(L) == 1:
        return one, inverse_root(R, 2)
    return inverse_root(L, 4), inverse_root(R, 4)


def grafted(name, g, s):
    """The step whose length is wanted: that of gradient descent, or of AdaGrad."""
    if name not in ("sgd", "adagrad"):
        raise ValueError(f"graft is {name!r}; it is None, sgd or adagrad")
    return g if name == "sgd" else g / (np.sqrt(s) + 1e-10)


def lengthened(D, onto):
    """Every matrix of D with the length (Frobenius norm) of the one in its place in `onto`, as one vector."""
    return flat(norm(onto_i) * unit(D_i) for D_i, onto_i in zip(D, onto))


def eigenvectors(L):
    """Of every matrix its eigenvectors, those of the largest eigenvalues first."""
    return [np.ascontiguousarray(eigh(L_i)[1][:, ::-1]) for L_i in L]
