"""What the pages print, once more and straight: gradients of chance, a rate that changes at every step, odd numbers.

An average stands here as the sum that it is, over all of the past with its weights, and not as what a step makes of the
one before.
"""
from functools import partial
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import block_diag, fractional_matrix_power

from numopt import optimizers
from numopt.linalg import newton_schulz
from numopt.problems import Objective
from numopt.record import path

STEPS, N = 10, 6
RATES = np.array([0.3, 0.1, 0.4, 0.15, 0.05, 0.2, 0.25, 0.02, 0.35, 0.12])
MUS = np.array([0.5, 0.9, 0.7, 0.8, 0.6, 0.95, 0.85, 0.4, 0.75, 0.65])
T = np.arange(1, STEPS + 1)[:, None]


def rate(t):
    return RATES[t - 1]


def mu(t):
    return MUS[t - 1]


def blocks(vector):
    return [vector[:4].reshape(2, 2), vector[4:].reshape(1, 2)]


class Given(Objective):
    """f = c + gᵀθ at step t, with gradients g of chance, and a diagonal h for its curvature: wherever it is asked."""

    size, blocks = N, staticmethod(blocks)

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.G = rng.standard_normal((STEPS, N)) * np.exp(rng.standard_normal(N)) + [0, 0, 0, 0, 0, 6]
        self.G[4] = 0  # a step at which nothing is felt is a step
        self.C, self.f, self.start = rng.standard_normal((STEPS, N)), 60 * rng.random(STEPS), rng.standard_normal(N)
        self.F = [[(X @ X.T, Y @ Y.T) for X, Y in ((rng.standard_normal((2, 3)), rng.standard_normal((m, 3)))
                                                   for m in (2, 1))] for t in range(STEPS)]
        self.rows, self.asked = rng.standard_normal((STEPS, 3, N)), []

    def loss(self, t):
        return OfStep(self, t - 1)


class OfStep(Objective):
    blocks, n = staticmethod(blocks), 3

    def __init__(self, all, t):
        self.all, self.g, self.h, self.c = all, all.G[t], all.C[t], all.f[t]
        self.kronecker_factors, self.rows = lambda *_, **__: all.F[t], all.rows[t]

    def value(self, theta):
        return self.c + (self.g @ theta).item()

    def gradient(self, theta):
        self.all.asked.append(theta)
        return self.g

    def hessian(self, theta):
        return np.diag(self.h)

    def fisher_moments(self, theta, U_G, U_A, **how):
        return ((self.rows @ block_diag(*map(np.kron, U_G, U_A)))**2).mean(axis=0)


def weights(beta):
    """In row t the powers of beta for the ages of 1, ..., t."""
    age = np.arange(STEPS)[:, None] - np.arange(STEPS)
    return np.where(age >= 0, float(beta) ** np.maximum(age, 0), 0)


def average(x, beta):
    return (1 - beta) * weights(beta) @ x


def mean(x, beta):
    """The same with weights that add up to 1: corrected for its start."""
    return weights(beta) / weights(beta).sum(axis=1, keepdims=True) @ x


def before(x):
    """What it was one step earlier: 0 at first."""
    return np.vstack([np.zeros_like(x[:1]), x[:-1]])


def walk(start, steps, decay=0.0):
    """θ − α_t (d_t + decay θ) for t = 1, 2, ...; d_t may be a function of θ."""
    thetas = [start]
    for alpha, d in zip(RATES, steps):
        theta = thetas[-1]
        thetas.append(theta - alpha * ((d(theta) if callable(d) else d) + decay * theta))
    return thetas


def velocities(g):
    """Σ over the past of −α_k g_k times all later μ."""
    return -np.array([sum(MUS[k + 1:t + 1].prod() * RATES[k] * g[k] for k in range(t + 1)) for t in range(STEPS)])


def gone(start, steps):
    return np.vstack([start, start + np.cumsum(steps, axis=0)])


def length(v):
    return sqrt((v * v).sum())


ADAM = {"beta1": 0.7, "beta2": 0.8, "eps": 0.05}
WEIGHED = {"lr": rate, "weight_decay": 0.3}


def adams(G, squares=None):
    return mean(G, 0.7) / (np.sqrt(mean(G**2 if squares is None else squares, 0.8)) + 0.05)


def nadam(p):
    mus = 0.7 * (1 - 0.96**(0.5 * np.arange(1, STEPS + 2)) / 2)[:, None]
    seen = np.cumprod(mus, axis=0)
    m_hat = mus[1:] * average(p.G, 0.7) / (1 - seen[1:]) + (1 - mus[:-1]) * p.G / (1 - seen[:-1])
    return walk(p.start, m_hat / (np.sqrt(mean(p.G**2, 0.8)) + 0.05))


def radam(p):
    def variance(rho):
        return rho / (2 * (rho - 2) * (rho - 4))

    rho = 9 - 2 * T * 0.8**T / (1 - 0.8**T)
    assert (rho > 5).any() and (rho < 4).any()
    share = [sqrt(variance(9) / variance(x)) if x > 5 else None for x in rho.ravel()]
    return walk(p.start, [m if r is None else r * d for r, m, d in zip(share, mean(p.G, 0.7), adams(p.G))])


def yogi(p):
    v, seen = np.full(N, 0.5), []
    for g in p.G:
        v = np.where(v > g**2, v - 0.2 * g**2, v + 0.2 * g**2)
        seen.append(v)
    return walk(p.start, mean(p.G, 0.7) / (np.sqrt(seen / (1 - 0.8**T)) + 0.05))


def adabelief(p):
    v = average((p.G - average(p.G, 0.7))**2, 0.8) + 0.05 * weights(0.8).sum(axis=1, keepdims=True)
    return walk(p.start, mean(p.G, 0.7) / (np.sqrt(v / (1 - 0.8**T)) + 0.05))


def adan(p):
    y = np.vstack([np.zeros(N), np.diff(p.G, axis=0)])
    d = (mean(p.G, 0.7) + 0.8 * mean(y, 0.8)) / (np.sqrt(mean((p.G + 0.8 * y)**2, 0.6)) + 0.05)
    thetas = [p.start]
    for alpha, d_t in zip(RATES, d):
        thetas.append((thetas[-1] - alpha * d_t) / (1 + 0.3 * alpha))
    return thetas


def lamb(p):
    def as_long(d):
        def step(theta):
            whole = d + 0.3 * theta
            return np.concatenate([length(W) / length(D) * D.ravel() for W, D in zip(blocks(theta), blocks(whole))])

        return step

    return walk(p.start, map(as_long, adams(p.G)))


def amsgrad(p):
    largest = np.maximum.accumulate(average(p.G**2, 0.8))
    return walk(p.start, average(p.G, 0.7) / (np.sqrt(largest) + 0.05))


def adadelta(p):
    d = np.zeros((0, N))
    for t, s in enumerate(average(p.G**2, 0.7)):
        u = (1 - 0.7) * weights(0.7)[t - 1, :t] @ d**2 if t else 0.0
        d = np.vstack([d, -np.sqrt(u + 0.05) / np.sqrt(s + 0.05) * p.G[t]])
    return gone(p.start, d)


def jacobs(p, compared):
    """Gains in scalars; compared(g, i, t, v) is what the sign of a gradient is compared with."""
    steps, gains = np.zeros((STEPS, N)), np.ones((STEPS, N))
    for i in range(N):
        gain = 1.0
        for t in range(STEPS):
            agree = compared(p.G[:t, i], steps[:t, i]) * p.G[t, i]
            gain = gain + 0.2 if agree > 0 else 0.7 * gain if agree < 0 else gain
            gain = gains[t, i] = min(max(gain, 0.6), 1.3)
            steps[:, i] = velocities(gains * p.G)[:, i]
    return gone(p.start, steps)


def rprop(p):
    d = np.zeros((STEPS, N))
    for i in range(N):
        size, last = 0.1, 0.0
        for t, g in enumerate(p.G[:, i]):
            if last * g > 0:
                size = min(1.3 * size, 0.2)
            elif last * g < 0:
                size, g = max(0.6 * size, 0.05), 0.0
            d[t, i], last = -size * np.sign(g), g
    return gone(p.start, d)


def sophia(p):
    at = np.arange(0, STEPS, 3)
    estimates = 0.4 * np.tril(0.6 ** np.maximum(np.subtract.outer(np.arange(4), np.arange(4)), 0)) @ p.C[at]
    h = np.repeat(estimates, 3, axis=0)[:STEPS]
    return walk(p.start, np.clip(average(p.G, 0.7) / np.maximum(0.5 * h, 0.05), -1, 1), 0.3)


def adahessian(p):
    D = np.array([np.concatenate([np.repeat(np.abs(W).mean(axis=1), 2) for W in blocks(h)]) for h in p.C])
    return walk(p.start, mean(p.G, 0.7) / (mean(D**2, 0.8)**0.25 + 0.05), 0.3)


def momo(p):
    share = 0.2 * weights(0.8)
    share[:, 0] = 0.8**np.arange(STEPS)
    assert_allclose(share.sum(axis=1), 1)
    thetas, cut = [p.start], 0
    for t in range(STEPS):
        f, slopes = zip(*((p.f[k] + p.G[k] @ thetas[k], p.G[k] @ thetas[k]) for k in range(t + 1)))
        d, here = share[t, :t + 1] @ p.G[:t + 1], share[t, :t + 1] @ (np.array(f) - slopes)
        far = max(here + d @ thetas[t] - 0.5, 0) / length(d)**2
        cut += far > RATES[t]
        thetas.append(thetas[t] - min(RATES[t], far) * d)
    assert 0 < cut < STEPS
    return thetas


def sps(p):
    thetas, lr = [p.start], 0.1
    for g, c in zip(p.G, p.f):
        lr = min(3**(1 / 4) * lr, max(c + g @ thetas[-1] - 0.5, 0) / (0.7 * length(g)**2 + 0.05))
        thetas.append(thetas[-1] - lr * g)
    return thetas


def dog(p):
    thetas = [p.start]
    for t in range(STEPS):
        far = max([0.1 * (1 + length(p.start)), *(length(theta - p.start) for theta in thetas)])
        thetas.append(thetas[-1] - RATES[t] * far * p.G[t] / sqrt((p.G[:t + 1]**2).sum() + 0.05))
    return thetas


def prodigy(p):
    thetas, d, root = [p.start], np.array([0.1]), sqrt(0.8)
    for t in range(STEPS):
        now, G, alphas = slice(t + 1), p.G[:t + 1], 10 * RATES[:t + 1]
        m = 0.3 * weights(0.7)[t, now] @ (d[:, None] * G)
        v = 0.2 * weights(0.8)[t, now] @ (d[:, None] * G)**2
        alike = (1 - root) * weights(root)[t, now] * alphas * d**2
        ahead = alike @ [g @ (p.start - theta) for g, theta in zip(G, thetas)]
        thetas.append(thetas[t] - alphas[t] * d[t] * m / (np.sqrt(v) + d[t] * 0.05))
        d = np.append(d, max(d[t], ahead / np.abs(alike @ G).sum()))
    assert d[-1] > d[0]
    return thetas


def schedule_free(p, adamw):
    z, theta, y = [p.start], p.start, []
    share = 0.7
    for t in range(STEPS):
        y.append((1 - share) * z[-1] + share * theta)
        d = p.G[t] / (np.sqrt(mean(p.G**2, 0.8)[t]) + 0.05) + 0.3 * y[-1] if adamw else p.G[t]
        z.append(z[-1] - RATES[t] * d)
        theta = np.average(z[1:], axis=0, weights=np.maximum.accumulate(RATES[:t + 1])**2)
    assert_allclose(p.asked, y)
    return theta


def remembered(p):
    """The momentum of Muon: Σ (1 − μ_k) g_k times all later μ."""
    return np.array([sum(MUS[k + 1:t + 1].prod() * (1 - MUS[k]) * p.G[k] for k in range(t + 1)) for t in range(STEPS)])


def orthogonal(u, factor, steps=5):
    return np.concatenate([(factor(*W.shape) * newton_schulz(W, steps)).ravel() for W in blocks(u)])


def muon(p, nesterov, factor, steps=5):
    u = remembered(p)
    u = MUS[:, None] * u + (1 - MUS[:, None]) * p.G if nesterov else u
    return walk(p.start, [orthogonal(u_t, factor, steps) for u_t in u], 0.3)


def shampoo(p, graft):
    d = []
    for t in range(STEPS):
        parts = []
        for i, W in enumerate(blocks(p.G[t])):
            seen = [blocks(g)[i] for g in p.G[:t - t % 3 + 1]]
            L, R = 0.05 * np.eye(len(W)) + sum(X @ X.T for X in seen), 0.05 * np.eye(2) + sum(X.T @ X for X in seen)
            D = fractional_matrix_power(L, -1 / 4) @ W @ fractional_matrix_power(R, -1 / 4) if i == 0 else \
                W @ fractional_matrix_power(R, -1 / 2)
            like = {"sgd": W, "adagrad": W / (np.sqrt(sum(blocks(g)[i]**2 for g in p.G[:t + 1])))}.get(graft, D)
            parts.append((D / (length(D) or 1) * length(like)).ravel())
        d.append(np.concatenate(parts))
    return gone(p.start, velocities(np.array(d)))


def full_matrix(p):
    sums = [np.eye(N) * 0.05 + p.G[:t + 1].T @ p.G[:t + 1] for t in range(STEPS)]
    return walk(p.start, [fractional_matrix_power(S, -1 / 2) @ g for S, g in zip(sums, p.G)])


# K-FAC's averages with beta = 0.6: the mean of two, which then fades; and when it was that matrices were renewed.
FADING = np.column_stack([0.5 * 0.6**np.maximum(np.arange(STEPS) - 1, 0), 0.5 * 0.6**np.maximum(
    np.arange(STEPS) - 1, 0), 0.4 * weights(0.6)[:, 2:]]) * np.tri(STEPS)
FADING[0, 0] = 1
RENEWED = [0, 1, 2, 3, 3, 3, 3, 7, 7, 7]


def factors(p, t):
    """The averages of [(A, G)]."""
    return [tuple(np.tensordot(FADING[t], [F[i][side] for F in p.F], axes=1) for side in (0, 1)) for i in (0, 1)]


def kfac(p):
    d = []
    for t in range(STEPS):
        parts = []
        for (A, G), U in zip(factors(p, RENEWED[t]), blocks(p.G[t])):
            pi = sqrt(A.trace() / len(A) / (G.trace() / len(G)))
            damped = np.kron(G + sqrt(0.3) / pi * np.eye(len(G)), A + sqrt(0.3) * pi * np.eye(len(A)))
            parts.append(np.linalg.solve(damped, U.ravel()))
        d.append(np.concatenate(parts))
    longest = [sqrt(0.02 / (g @ d_t or 1e-9)) / alpha for g, d_t, alpha in zip(p.G, d, RATES)]
    assert {x < 1 for x in np.delete(longest, 4)} == {True, False}
    return gone(p.start, velocities(np.minimum(1, longest)[:, None] * d))


def ekfac(p):
    seen, d = [], []
    for t in range(STEPS):
        U = block_diag(*(np.kron(np.linalg.eigh(G)[1][:, ::-1], np.linalg.eigh(A)[1][:, ::-1])
                         for A, G in factors(p, RENEWED[t])))
        seen.append(((p.rows[t] @ U)**2).mean(axis=0))
        d.append(U @ (U.T @ p.G[t] / (FADING[t, :t + 1] @ seen + 0.3)))
    return walk(p.start, d)


GAINS = {"lr": rate, "mu": mu, "kappa": 0.2, "phi": 0.3, "least": 0.6, "most": 1.3}
SIDES = {"original": lambda m, n: sqrt(max(1, m / n)), "match_rms_adamw": lambda m, n: 0.2 * sqrt(max(m, n)),
         "spectral": lambda m, n: sqrt(m / n)}

# What is run, its numbers, and where the printed formula leads: a whole path, or its end.
PRINTED = {
    "gradient_descent": ({"lr": rate}, lambda p: walk(p.start, p.G)),
    "normalized_descent": ({"lr": rate}, lambda p: walk(p.start, [g / (length(g) or 1) for g in p.G])),
    "sign_descent": ({"lr": rate}, lambda p: walk(p.start, np.sign(p.G))),
    "sam": ({"lr": rate}, lambda p: walk(p.start, p.G)),
    "momentum": ({"lr": rate, "mu": mu}, lambda p: gone(p.start, velocities(p.G))),
    "nesterov": ({"lr": rate, "mu": mu}, lambda p: gone(p.start, velocities(p.G))),
    "adagrad": ({"lr": rate, "eps": 0.05}, lambda p: walk(p.start, p.G / (np.sqrt(np.cumsum(p.G**2, axis=0)) + 0.05))),
    "rmsprop": ({"lr": rate, "rho": 0.8, "eps": 0.05},
                lambda p: walk(p.start, p.G / (np.sqrt(average(p.G**2, 0.8)) + 0.05))),
    "adadelta": ({"rho": 0.7, "eps": 0.05}, adadelta),
    "adam": ({"lr": rate, **ADAM}, lambda p: walk(p.start, adams(p.G))),
    "adamw": ({**WEIGHED, **ADAM}, lambda p: walk(p.start, adams(p.G), 0.3)),
    "amsgrad": ({"lr": rate, **ADAM}, amsgrad), "nadam": ({"lr": rate, **ADAM, "psi": 0.5}, nadam),
    "lion": ({**WEIGHED, "beta1": 0.7, "beta2": 0.8}, lambda p: walk(
        p.start, np.sign(0.7 * before(average(p.G, 0.8)) + 0.3 * p.G), 0.3)),
    "radam": ({"lr": rate, **ADAM}, radam), "yogi": ({"lr": rate, **ADAM, "v": 0.5}, yogi),
    "adabelief": ({"lr": rate, **ADAM}, adabelief), "adan": ({**WEIGHED, **ADAM, "beta3": 0.6}, adan),
    "lamb": ({**WEIGHED, **ADAM}, lamb),
    "delta_bar_delta": ({**GAINS, "rho": 0.6}, lambda p: jacobs(p, lambda g, v: sum(
        0.4 * 0.6**(len(g) - 1 - k) * g[k] for k in range(len(g))))),
    "delta_bar_velocity": (GAINS, lambda p: jacobs(p, lambda g, v: -v[-1] if len(v) else 0.0)),
    "rprop": ({"lr": 0.1, "eta_minus": 0.6, "eta_plus": 1.3, "least": 0.05, "most": 0.2}, rprop),
    "sophia": ({**WEIGHED, "beta1": 0.7, "beta2": 0.6, "gamma": 0.5, "eps": 0.05, "k": 3}, sophia),
    "adahessian": ({**WEIGHED, **ADAM, "power": 0.5, "averaging": "absolute"}, adahessian),
    "momo": ({"lr": rate, "beta": 0.8, "lower": 0.5}, momo),
    "sps": ({"lr": 0.1, "c": 0.7, "lower": 0.5, "gamma": 3.0, "every": 4, "eps": 0.05}, sps),
    "dog": ({"lr": rate, "share": 0.1, "eps": 0.05}, dog),
    "prodigy": ({"lr": lambda t: 10 * rate(t), **ADAM, "share": 0.1}, prodigy),
    "schedule_free": ({"lr": rate, "beta": 0.7}, partial(schedule_free, adamw=False)),
    "schedule_free_adamw": ({**WEIGHED, **ADAM}, partial(schedule_free, adamw=True)),
    **{f"muon, {scale}, {nesterov}": ({**WEIGHED, "mu": mu, "scale": scale, "nesterov": nesterov, "steps": 3},
                                      partial(muon, nesterov=nesterov, factor=factor, steps=3))
       for scale, factor in SIDES.items() for nesterov in (True, False)},
    "scion": ({**WEIGHED, "mu": mu}, partial(muon, nesterov=False, factor=SIDES["spectral"])),
    "scion, sign": ({**WEIGHED, "mu": mu, "ball": "sign"}, lambda p: walk(p.start, np.sign(remembered(p)), 0.3)),
    "scion, euclidean": ({**WEIGHED, "mu": mu, "ball": "euclidean"}, lambda p: walk(
        p.start, [m / length(m) for m in remembered(p)], 0.3)),
    **{f"shampoo, {graft}": ({"lr": rate, "mu": mu, "eps": 0.05, "every": 3, "graft": graft},
                             partial(shampoo, graft=graft)) for graft in (None, "sgd", "adagrad")},
    "full_matrix_adagrad": ({"lr": rate, "eps": 0.05}, full_matrix),
    "kfac": ({"lr": rate, "mu": mu, "damping": 0.3, "kappa": 0.02, "beta": 0.6, "every": 4}, kfac),
    "ekfac": ({"lr": rate, "damping": 0.3, "beta": 0.6, "every": 4}, ekfac),
    "fishleg": ({**WEIGHED, "beta": 0.7, "scale": 2.0, "every": 100}, lambda p: walk(
        p.start, 2 * average(p.G, 0.7), 0.3)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", PRINTED)
def test_the_steps_are_the_printed_ones_at_every_rate_and_with_every_number_in_its_place(name, seed):
    given, (settings, printed) = Given(seed), PRINTED[name]
    found = path(getattr(optimizers, name.partition(",")[0])(given, given.start, **settings), STEPS)
    expected = np.array(printed(given))
    assert_allclose(found if expected.ndim == 2 else found[-1], expected, rtol=1e-7, atol=1e-9)


def test_nesterov_asks_for_the_gradient_where_the_velocity_leads_and_sam_uphill_of_where_it_is():
    given = Given(0)
    thetas = path(optimizers.nesterov(given, given.start, lr=rate, mu=mu), STEPS)
    assert_allclose(given.asked, thetas[:-1] + MUS[:, None] * before(np.diff(thetas, axis=0)))
    given = Given(0)
    thetas = path(optimizers.sam(given, given.start, lr=rate, rho=0.3), STEPS)
    assert_allclose(given.asked[1::2], thetas[:-1] + 0.3 * np.array([g / (length(g) or 1) for g in given.G]))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_step_of_ivon_is_line_by_line_the_printed_one(seed):
    """Shen et al. (2024), Algorithm 1, with δ = 0.2, λ = 3 and h₀ = 0.5; what is drawn is standard normal."""
    given, theta, h, drawn = Given(seed), Given(seed).start, np.full(N, 0.5), []
    run = optimizers.ivon(given, theta, lr=rate, beta1=0.7, beta2=0.8, ess=3.0, h0=0.5, weight_decay=0.2, seed=seed)
    for t, g in enumerate(given.G):
        next(run)
        drawn.append((given.asked[-1] - theta) * np.sqrt(3 * (h + 0.2)))
        h_hat = np.sqrt(3 * (h + 0.2)) * drawn[-1] * g
        h = 0.8 * h + 0.2 * h_hat + 0.02 * (h - h_hat)**2 / (h + 0.2)
        theta = theta - RATES[t] * (mean(given.G, 0.7)[t] + 0.2 * theta) / (h + 0.2)
        assert_allclose(run.theta, theta)
        assert_allclose(run["h"], h)
    assert 0.7 < np.std(drawn) < 1.3 and np.abs(np.corrcoef(drawn)[np.triu_indices(STEPS, 1)]).max() < 0.999
