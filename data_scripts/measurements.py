"""What the sources say of landscapes, matrices and noise, measured: a function of the set and the seed for each.

`quick` asks for a short form on few examples, to see that everything runs.  See runs.py for the command.
"""
from math import inf, nan
from typing import Callable, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from numopt import data as sets
from numopt.linalg import dense, power_iteration
from numopt.networks import lenet1, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import adahessian, adam, gradient_descent, momentum, nesterov
from numopt.problems import EmpiricalRisk, MiniBatch
from numopt.record import record


class Measurement(NamedTuple):
    about: str                         # what, and after whom
    net: str                           # on what, in a few words
    function: Callable                 # (data, seed, quick) -> {name: array}
    seeds: tuple = (0, 1, 2)
    sets: tuple = ("mnist", "digits")  # the usual one first, one that numopt has last


def examples(data, n, images=False):
    """The first n training and test examples of a set, in double precision; images of 28 × 28 shrunk to 16 × 16."""
    X, Y, X_test, Y_test = (part[:n] for part in getattr(sets, data)(images=images, dtype=np.float64)[:4])
    return (shrunk(X), Y, shrunk(X_test), Y_test) if images and X.shape[1] == 28 else (X, Y, X_test, Y_test)


def shrunk(X):
    """A border of two pixels of what the corner has, and means of 2 × 2 pixels: the format of LeCun et al. (1998)."""
    X = np.pad(X, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    return X.reshape(len(X), 16, 2, 16, 2, -1).mean(axis=(2, 4))


def trained(network, X, Y, seed, target, steps):
    """Weights at the start, and once Adam has brought the loss on all examples down to the target."""
    start, loss = network.initial(seed), MiniBatch(network, X, Y)
    run = adam(EmpiricalRisk(network, X, Y, min(32, len(X)), seed), start, lr=0.003)
    record(run, steps, objective=loss, target=target, every=10)
    return loss, start, run.theta


# ------------------------------------------------------------------------------------------------------ landscapes

def spectrum(data, seed, quick):
    """All eigenvalues of the Hessian of a small net with shared weights, at the start and after training."""
    X, Y, *_ = examples(data, 24 if quick else 320, images=True)
    loss, *thetas = trained(lenet1(X.shape[1:]), X, Y, seed, 0.02, 20 if quick else 20_000)
    hessians = [dense(loss.hessian(theta), theta.size) for theta in thetas]
    values = np.array([np.linalg.eigvalsh((H + H.T) / 2) for H in hessians])
    largest = np.abs(values).max(axis=1)
    return {"eigenvalues": values.astype(np.float32), "loss": np.array([loss.value(theta) for theta in thetas]),
            "largest": largest, "near 0": (np.abs(values) < 0.01 * largest[:, None]).mean(axis=1),
            "negative": (values < 0).mean(axis=1), "lowest": values.min(axis=1) / largest}


def straight_path(data, seed, quick):
    """The loss on the straight line from the start to where training ended, and a quarter of it beyond."""
    found = {"share": np.linspace(0, 1.25, 51)}
    for name, images in ("dense", False), ("shared weights", True):
        X, Y, *_ = examples(data, 100 if quick else 2000, images)
        network = lenet1(X.shape[1:]) if images else mlp([X.shape[1], 32, 32, 10])
        loss, start, end = trained(network, X, Y, seed, 0.02, 50 if quick else 5000)
        found[name] = np.array([loss.value(start + share * (end - start)) for share in found["share"]])
        within = found[name][found["share"] <= 1]
        found[f"{name}, largest rise"] = np.array([max(0.0, np.diff(within).max())])
        found[f"{name}, share of the loss half way"] = np.array([within[len(within) // 2] / within[0]])
    return found


BATCHES = {"small": (0.1, 16), "large, same rate": (0.1, 256), "large, same rate over batch": (1.6, 256),
           "small, same rate over batch as large": (0.00625, 16)}


def large_batches(data, seed, quick):
    """The sharpness where small and large batches end, at the same training loss; and the test loss there."""
    X, Y, X_test, Y_test = examples(data, 256 if quick else 2048)
    network = mlp([X.shape[1], 32, 10])
    loss, test = MiniBatch(network, X, Y), MiniBatch(network, X_test, Y_test)
    found = {}
    for name, (lr, batch) in BATCHES.items():
        run = gradient_descent(EmpiricalRisk(network, X, Y, batch, seed), network.initial(seed), lr=lr)
        came, target = nan, 0.5 if quick else 0.2
        try:
            every = 16 if batch > 100 else 64
            came = record(run, 200 if quick else 60_000, objective=loss, target=target, every=every)["t"][-1]
        except Diverged:
            pass
        H = loss.hessian(run.theta)
        sharpest = power_iteration(H, run.theta.size, steps=50, tolerance=1e-3)[0]
        found |= {f"{name}: {key}": np.array([value]) for key, value in {
            "steps": came, "training loss": loss.value(run.theta), "sharpness": sharpest,
            "test loss": test.value(run.theta), "test accuracy": test.accuracy(run.theta)}.items()}
    return found


STARTS = {"too small": ("unit", 0.01), "Glorot's": ("glorot", 1.0), "too large": ("unit", 1.0)}
MOMENTA = 0.0, 0.9, 0.99
RATES = 10.0**np.arange(-3, 1, 0.5)


def starts_and_momenta(data, seed, quick):
    """The training loss of a deep net after a number of steps: starts × momenta × rates, plain and Nesterov's."""
    X, Y, *_ = examples(data, 100 if quick else 1000)
    network, steps = mlp([X.shape[1], *(30,) * 5, 10]), 20 if quick else 200
    loss = MiniBatch(network, X, Y)
    found = {}
    for name, method in ("momentum", momentum), ("nesterov", nesterov):
        ends = np.full((len(STARTS), len(MOMENTA), len(RATES)), inf)
        for i, (initialisation, scale) in enumerate(STARTS.values()):
            for j, mu in enumerate(MOMENTA):
                for k, lr in enumerate(RATES[:4:3] if quick else RATES):
                    start = network.initial(seed, initialisation, scale)
                    run = method(EmpiricalRisk(network, X, Y, 50, seed), start, lr=lr, mu=mu)
                    ends[i, j, k] = after(run, steps, loss)
        found |= {f"{name}: loss": ends, f"{name}: best": ends.min(axis=2), f"{name}: at": ends.argmin(axis=2)}
        for i, start in enumerate(STARTS):
            for j, mu in enumerate(MOMENTA):
                found[f"{name}, {start}, {mu:g}"] = ends[i, j].min(keepdims=True)
    return found


def after(run, steps, loss):
    """The loss that a run has after so many steps, infinite if it diverges."""
    try:
        for _ in range(steps):
            next(run)
    except Diverged:
        return inf
    value = loss.value(run.theta)
    return value if np.isfinite(value) else inf


def adahessian_averages(data, seed, quick):
    """In how many steps AdaHessian comes to the foot of a rippled bowl, with and without its averages."""
    from figures.adahessian_smoothing import rippled
    starts, most = np.random.default_rng(seed).uniform(2.5, 4.5, 5 if quick else 100), 50 if quick else 1000
    found = {}
    for name, settings in ("local", {"beta2": 0.0}), ("averaged", {}):
        steps = []
        for start in starts:
            theta, bowl = np.array([start]), rippled(3.0, 10.0)
            run = adahessian(bowl, theta, lr=1.0, **settings)
            there = (t for t, theta in zip(range(1, most + 1), run) if abs(theta[0]) < 0.1)
            steps.append(next(there, inf))
        steps = np.array(steps)
        arrived = steps[np.isfinite(steps)]
        found |= {name: np.minimum(steps, most), f"{name}: share that arrives": np.array([np.isfinite(steps).mean()]),
                  f"{name}: steps of those": np.array([np.median(arrived) if len(arrived) else most])}
    return found


# -------------------------------------------------------------------------------------------------------- matrices

STRUCTURES = "diagonal", "block-diagonal", "K-FAC", "block-tridiagonal, cut", "block-tridiagonal inverse"
DAMPING = 1e-3


def fisher_structures(data, seed, quick):
    """How much of what a natural gradient step gains is left, if the Fisher matrix is taken to have a structure.

    The share is (gᵀd)² / (dᵀFd · gᵀF⁻¹g), for d = S⁻¹g: of the best step along d, in the model with the damped Fisher
    matrix F; it is 1 for S = F.  Above it the smallest eigenvalue of S: what is cut to block-tridiagonal need not be
    positive.  The last is the matrix with the same blocks beside the diagonal whose inverse is block-tridiagonal
    (Martens and Grosse 2015, Section 4.3), of the exact blocks.
    """
    X, Y, *_ = examples(data, 60 if quick else 500)
    network = mlp([X.shape[1], 10, 10, 10, 10])
    loss = MiniBatch(network, X, Y)
    run = adam(EmpiricalRisk(network, X, Y, 50, seed), network.initial(seed), lr=0.003)
    shares, lowest, far = [], [], []
    for steps in (0, 5) if quick else (0, 50, 450):
        for _ in range(steps):
            next(run)
        F, g = dense(loss.fisher(run.theta), network.size), loss.gradient(run.theta)
        F = (F + F.T) / 2 + DAMPING * np.eye(network.size)
        best = g @ np.linalg.solve(F, g)
        approximations = structured(F, loss, run.theta, [A.size for A in loss.blocks(run.theta)])
        row = []
        for S in approximations.values():
            d = np.linalg.solve(S, g)
            row.append((g @ d)**2 / (d @ F @ d) / best)
        shares.append(row)
        lowest.append([np.linalg.eigvalsh(S)[0] for S in approximations.values()])
        far.append([np.linalg.norm(S - F) / np.linalg.norm(F) for S in approximations.values()])
    found = {"share": np.array(shares), "lowest eigenvalue": np.array(lowest), "distance": np.array(far)}
    return found | {f"{name}: {what}": values[:, i] for i, name in enumerate(STRUCTURES)
                    for what, values in list(found.items())}


def structured(F, loss, theta, sizes):
    """{structure: the damped matrix F with it}."""
    layer = np.repeat(np.arange(len(sizes)), sizes)
    apart = np.abs(layer[:, None] - layer)
    kfac = block_diag(*(np.kron(G, A) for A, G in loss.kronecker_factors(theta, labels="exact")))
    return dict(zip(STRUCTURES, (np.diag(np.diag(F)), np.where(apart == 0, F, 0), kfac + DAMPING * np.eye(len(F)),
                                 np.where(apart <= 1, F, 0), np.linalg.inv(tridiagonal_inverse(F, sizes)))))


def tridiagonal_inverse(F, sizes):
    """The block-tridiagonal inverse of the matrix that has F's blocks on the diagonal and beside it.

    Of a Gaussian chain in which each layer, given the next, does not depend on those after it: Ξᵀ Λ Ξ, with 1 on the
    diagonal of Ξ and −Ψ = −F[i, i+1] F[i+1, i+1]⁻¹ beside it, and Λ the inverse of what Ψ leaves of F[i, i].
    """
    ends = np.cumsum([0, *sizes])
    at = [slice(ends[i], ends[i + 1]) for i in range(len(sizes))]
    Xi, Lambda = np.eye(len(F)), np.zeros_like(F)
    for i, here in enumerate(at):
        left = F[here, here]
        if i + 1 < len(at):
            Psi = np.linalg.solve(F[at[i + 1], at[i + 1]], F[at[i + 1], here]).T
            Xi[here, at[i + 1]] = -Psi
            left = left - Psi @ F[at[i + 1], here]
        Lambda[here, here] = np.linalg.inv(left)
    return Xi.T @ Lambda @ Xi


SIZES = 1, 4, 16, 64


def fisher_of_batches(data, seed, quick):
    """The mean of g gᵀ for the mean gradient g of a batch of B, by its trace: labels of the model, and of the data.

    Zheng (2023) has F + Σ/B and F̃ + Σ/B; as batches are drawn independently, it is F/B, and F̃/B + (1 − 1/B) ḡ ḡᵀ.
    """
    X, Y, *_ = examples(data, 60 if quick else 1000)
    network = mlp([X.shape[1], 16, 10])
    loss = MiniBatch(network, X, Y)
    run = adam(EmpiricalRisk(network, X, Y, 50, seed), network.initial(seed), lr=0.003)
    for _ in range(5 if quick else 60):
        next(run)
    theta, rng, draws = run.theta, np.random.default_rng(seed), 50 if quick else 4000
    z, _, _ = loss.forward(theta)
    g = loss.per_example_gradients(theta)
    gram, mean, F = g @ g.T, loss.gradient(theta), np.trace(dense(loss.fisher(theta), network.size))
    model = loss.per_example_gradients(theta, network.loss.gradient(z, network.loss.sample(z, rng)))
    found = {"data": [], "model": []}
    for B in SIZES:
        drawn = rng.integers(len(X), size=(draws, B))
        found["data"].append(np.mean([gram[np.ix_(each, each)].mean() for each in drawn]))
        lengths = []
        for each in drawn[:max(50, draws // B)]:
            dz = network.loss.gradient(z[each], network.loss.sample(z[each], rng))
            batch = MiniBatch(network, X[each], Y[each])
            lengths.append((batch.per_example_gradients(theta, dz).mean(axis=0)**2).sum())
        found["model"].append(np.mean(lengths))
    B, F_tilde = np.array(SIZES), np.trace(gram) / len(X)
    Sigma = F_tilde - mean @ mean
    return {name: np.array(values) for name, values in found.items()} | {
        "model, printed": F + (model**2).sum() / len(X) / B, "model, F over B": F / B,
        "data, printed": F_tilde + Sigma / B, "data, derived": F_tilde / B + (1 - 1 / B) * (mean @ mean), "B": B}


# ----------------------------------------------------------------------------------------------------------- noise

SHARP, WIDE = 50.0, 1.0
NOISES = 10.0**np.arange(-2, 4.01, 0.5)


def two_minima(x):
    """The slope and the curvature of −log(e^(−SHARP (x + 1)² / 2) + e^(−WIDE (x − 2)² / 2))."""
    sharp, wide = -SHARP * (x + 1)**2 / 2, -WIDE * (x - 2)**2 / 2
    p = 1 / (1 + np.exp(np.clip(wide - sharp, -500, 500)))
    a, b = SHARP * (x + 1), WIDE * (x - 2)
    return p * a + (1 - p) * b, p * SHARP + (1 - p) * WIDE - p * (1 - p) * (a - b)**2


STEPS = {"gradient": 0.0, "root of the curvature": 0.5, "Newton": 1.0}


def leaving_a_sharp_minimum(data, seed, quick):
    """The share of runs that have left a sharp minimum for a wide one, where the noise has the curvature's size.

    The steps are α |h|⁻ᵖ (slope + noise) with p = 0, ½ and 1, and the noise has the variance (k/B) |h|, as in Zheng,
    Section 2.  α once for the same speed in the wide minimum, α WIDE^(1−p) = 0.03, and once in the sharp one.
    """
    runs, steps = (50, 50) if quick else (1000, 1000)
    found = {"noise": NOISES}
    for where, curvature in ("wide", WIDE), ("sharp", SHARP):
        for name, power in STEPS.items():
            alpha, left = 0.03 / curvature**(1 - power), []
            for noise in NOISES:
                x, rng = np.full(runs, -1.0), np.random.default_rng([seed, 1])
                for _ in range(steps):
                    slope, h = two_minima(x)
                    h = np.maximum(np.abs(h), WIDE / 10)
                    x = x - alpha * h**-power * (slope + np.sqrt(noise * h) * rng.standard_normal(runs))
                left.append((x > 0).mean())
            found[f"same speed in the {where} one: {name}"] = np.array(left)
            for noise in 1, 100:
                at = np.isclose(NOISES, noise)
                found[f"{where}, {name}, noise {noise}"] = np.array(left)[at]
    return found


MEASUREMENTS = {
    "spectrum": Measurement("the spectrum of the Hessian at 16 × 16 pixels: Kashyap (2022), Figure 9, after LeCun et "
                            "al. (1998)", "net of shared weights on 320 images", spectrum),
    "straight_path": Measurement("the loss on the straight line from start to end: Goodfellow et al. (2015), in "
                                 "Kashyap (2022)", "2 × 32 tanh, and shared weights, 2,000 images", straight_path),
    "large_batches": Measurement("do large batches end in sharp minima, or does rate over batch count?  Keskar et al. "
                                 "(2017), in Kashyap (2022)", "32 tanh, 2,048 images", large_batches),
    "starts_and_momenta": Measurement("start × momentum: Sutskever et al. (2013), in Kashyap (2022)",
                                      "5 × 30 tanh, 1,000 images, 200 steps", starts_and_momenta),
    "adahessian_averages": Measurement("1000 iterations without an average, 7 with one: Kashyap (2022), Figure 14",
                                       "a rippled bowl", adahessian_averages, sets=("digits",)),
    "fisher_structures": Measurement("diagonal, block-diagonal, block-tridiagonal: Zheng (2023), Section 1",
                                     "4 layers of 10 tanh, 500 images", fisher_structures, sets=("digits",)),
    "fisher_of_batches": Measurement("the mean of the noisy Fisher matrices F_b: Zheng (2023), Section 2",
                                     "16 tanh, 1,000 images", fisher_of_batches, sets=("digits",)),
    "leaving_a_sharp_minimum": Measurement("noise, and the ability to leave a sharp minimum: Zheng (2023), Section 2",
                                           "two minima of a function of one number", leaving_a_sharp_minimum,
                                           sets=("digits",)),
}
