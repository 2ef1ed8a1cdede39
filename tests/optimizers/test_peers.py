"""The same steps as others take: PyTorch's optimizers and Optax's, where they are installed, on gradients of chance."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizers import (
    adabelief, adadelta, adagrad, adam, adamw, adan, gradient_descent, lamb, lion, momentum, muon, nadam, radam,
    rmsprop, rprop, sign_descent, yogi)
from numopt.problems import Objective

STEPS, SHAPE = 30, (3, 4)


class Given(Objective):
    """Gradients of chance, of one matrix, whatever θ is; their sizes differ by coordinate and grow and shrink."""

    size = 12

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        sizes = np.exp(rng.standard_normal(12)) * np.exp(np.sin(np.arange(STEPS) / 3))[:, None]
        self.gradients = rng.standard_normal((STEPS, 12)) * sizes
        self.start, self.g = rng.standard_normal(12), None

    def loss(self, t):
        one = Given.__new__(Given)
        one.g = self.gradients[t - 1]
        return one

    def gradient(self, theta):
        return self.g

    def blocks(self, vector):
        return [vector.reshape(SHAPE)]


def ours(method, given, **settings):
    run = method(given, given.start, **settings)
    return np.array([next(run) for _ in range(STEPS)])


# Ours, its settings; theirs, and its settings.  AMSGrad's maximum is of another number there, and is left out.
OF_TORCH = {
    "SGD": (gradient_descent, {"lr": 0.1}, {"lr": 0.1}),
    "SGD, momentum": (momentum, {"lr": 0.1, "mu": 0.8}, {"lr": 0.1, "momentum": 0.8}),
    "Adam": (adam, {}, {}), "AdamW": (adamw, {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.1, "weight_decay": 0.3}),
    "NAdam": (nadam, {}, {}), "RAdam": (radam, {"lr": 0.1}, {"lr": 0.1}), "Adagrad": (adagrad, {}, {}),
    "RMSprop": (rmsprop, {"lr": 0.1, "rho": 0.9}, {"lr": 0.1, "alpha": 0.9}),
    "Adadelta": (adadelta, {"rho": 0.9}, {"rho": 0.9, "lr": 1.0}), "Rprop": (rprop, {}, {})}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OF_TORCH)
def test_steps_are_those_of_pytorch(name, seed):
    torch = pytest.importorskip("torch")
    method, settings, theirs = OF_TORCH[name]
    given = Given(seed)
    x = torch.tensor(given.start, requires_grad=True)
    optimizer, path = getattr(torch.optim, name.split(",")[0])([x], **theirs), []
    for g in given.gradients:
        x.grad = torch.tensor(g)
        optimizer.step()
        path.append(x.detach().numpy().copy())
    assert_allclose(ours(method, given, **settings), path, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", ["original", "match_rms_adamw"])
def test_steps_of_muon_are_those_of_pytorch_which_makes_them_in_half_precision(scale, seed):
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    given = Given(seed)
    x = torch.tensor(given.start.reshape(SHAPE), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Muon([x], lr=0.1, momentum=0.9, weight_decay=0.2, adjust_lr_fn=scale)
    path = [given.start]
    for g in given.gradients:
        x.grad = torch.tensor(g.reshape(SHAPE), dtype=torch.float32)
        optimizer.step()
        path.append(x.detach().numpy().ravel().copy())
    found = np.diff([given.start, *ours(muon, given, lr=0.1, mu=0.9, weight_decay=0.2, scale=scale)], axis=0)
    theirs = np.diff(path, axis=0)
    off = np.linalg.norm(found - theirs, axis=1) / np.linalg.norm(theirs, axis=1)
    assert np.median(off) < 0.03 and off.max() < 0.15
    other = np.diff([given.start, *ours(muon, given, lr=0.1, mu=0.9, weight_decay=0.2, scale=scale, nesterov=False)],
                    axis=0)
    assert np.median(np.linalg.norm(other - theirs, axis=1) / np.linalg.norm(theirs, axis=1)) > 0.1


OF_OPTAX = {
    "sgd": (gradient_descent, {"lr": 0.1}, {"learning_rate": 0.1}),
    "adam": (adam, {"lr": 0.1}, {"learning_rate": 0.1}),
    "adabelief": (adabelief, {"lr": 0.1, "eps": 1e-8}, {"learning_rate": 0.1, "eps": 1e-8, "eps_root": 1e-8}),
    "yogi": (yogi, {"lr": 0.1, "m": 1e-6}, {"learning_rate": 0.1}),
    "radam": (radam, {"lr": 0.1}, {"learning_rate": 0.1}),
    "lion": (lion, {"lr": 0.1, "weight_decay": 1e-3}, {"learning_rate": 0.1}),
    "sign_sgd": (sign_descent, {"lr": 0.1}, {"learning_rate": 0.1}),
    "lamb": (lamb, {"lr": 0.1, "weight_decay": 0.2}, {"learning_rate": 0.1, "weight_decay": 0.2})}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OF_OPTAX)
def test_steps_are_those_of_optax(name, seed):
    optax = pytest.importorskip("optax", reason="Optax is not installed: pip install optax")
    jax = pytest.importorskip("jax")
    method, settings, theirs = OF_OPTAX[name]
    given = Given(seed)
    assert_allclose(ours(method, given, **settings), of_optax(optax, jax, name, given, theirs), rtol=1e-6, atol=1e-9)


def of_optax(optax, jax, name, given, settings):
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        optimizer = getattr(optax, name)(**settings)
        x = jax.numpy.asarray(given.start.reshape(SHAPE))
        state, path = optimizer.init(x), []
        for g in given.gradients:
            updates, state = optimizer.update(jax.numpy.asarray(g.reshape(SHAPE)), state, x)
            x = optax.apply_updates(x, updates)
            path.append(np.asarray(x).ravel())
    return np.array(path)


# ------------------------------------------------------------------------------------------------------------ Adan

BETAS = 0.98, 0.92, 0.99


def adan_without_a_loop(given, ahead, lr=0.1, eps=1e-8):
    """Where Adan comes to, from sums over all gradients: a change of the gradient counts so much `ahead`."""
    g, t = given.gradients, np.arange(1, STEPS + 1)[:, None]
    y = np.diff(g, axis=0, prepend=g[:1])
    weights = [np.tril((1 - beta) * beta**(t - t.T.astype(float))) / (1 - beta**t) for beta in BETAS]
    m, u, v = (rows @ seen for rows, seen in zip(weights, (g, y, (g + ahead * y)**2)))
    return given.start - lr * np.cumsum((m + ahead * u) / (np.sqrt(v) + eps), axis=0)


@pytest.mark.parametrize("seed", range(3))
def test_adan_looks_ahead_by_beta2_as_in_the_authors_code(seed):
    given = Given(seed)
    path = ours(adan, given, lr=0.1)
    assert_allclose(path, adan_without_a_loop(given, BETAS[1]), rtol=1e-9)
    assert np.abs(path - adan_without_a_loop(given, 1 - BETAS[1])).max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_adan_of_optax_looks_ahead_by_one_minus_beta2_or_has_been_mended(seed):
    optax = pytest.importorskip("optax", reason="Optax is not installed: pip install optax")
    given = Given(seed)
    theirs = of_optax(optax, pytest.importorskip("jax"), "adan", given, {"learning_rate": 0.1, "eps_root": 0.0})
    assert min(np.abs(theirs - adan_without_a_loop(given, ahead)).max() for ahead in (1 - BETAS[1], BETAS[1])) < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_the_weights_of_optaxs_adan_decay_by_a_product_and_ours_by_a_quotient(seed):
    optax = pytest.importorskip("optax", reason="Optax is not installed: pip install optax")
    given = Given(seed)
    given.gradients = np.zeros((STEPS, 12))
    theirs = of_optax(optax, pytest.importorskip("jax"), "adan", given, {"learning_rate": 0.1, "weight_decay": 0.2})
    t = np.arange(1, STEPS + 1)[:, None]
    assert_allclose(theirs, given.start * (1 - 0.1 * 0.2)**t, rtol=1e-9)
    assert_allclose(ours(adan, given, lr=0.1, weight_decay=0.2), given.start / (1 + 0.1 * 0.2)**t, rtol=1e-9)
