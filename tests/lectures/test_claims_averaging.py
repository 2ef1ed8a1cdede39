"""What lecture 13 claims and no other test holds: noise, normalisation, dropout, regularisation, sharp minima."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import BatchNorm, Dense, Dropout, Mode, Network, SquaredError, Tanh, mlp
from numopt.optimizers import gradient_descent, lookahead, polyak
from numopt.problems import Counted, Function, MiniBatch, Noisy, Quadratic, Ridge, quadratic_with
from numopt.record import path

LAM = np.array([0.5, 2.0, 8.0])


@pytest.mark.parametrize("lr", [0.05, 0.2])
def test_a_constant_rate_leaves_eta_sigma_squared_over_lambda_times_two_minus_eta_lambda(lr):
    thetas = path(gradient_descent(Noisy(Quadratic(np.diag(LAM)), sigma=1.0, seed=0), np.zeros(3), lr=lr), 8000)[400:]
    assert_allclose((thetas**2).mean(axis=0), lr / (LAM * (2 - lr * LAM)), rtol=0.25)


@pytest.mark.parametrize("lr", [0.05, 0.2])
def test_the_mean_of_n_iterates_is_off_by_the_way_gone_and_the_mean_noise_and_by_nothing_else(lr):
    noisy, start, n = Noisy(Quadratic(np.diag(LAM)), sigma=1.0, seed=0), np.array([3.0, -1, 2]), 50
    thetas = path(gradient_descent(noisy, start, lr=lr), n)
    noise = [noisy.loss(t).gradient(thetas[t - 1]) - LAM * thetas[t - 1] for t in range(1, n + 1)]
    mean = thetas[:-1].mean(axis=0)
    assert_allclose(mean, (start - thetas[-1]) / (lr * n * LAM) - np.mean(noise, axis=0) / LAM)


@pytest.mark.parametrize("rate_times_curvature", [0.3, 1.5, 1.99])
def test_of_an_error_an_excursion_leaves_one_minus_alpha_and_alpha_times_what_descent_leaves(rate_times_curvature):
    inner = partial(gradient_descent, lr=rate_times_curvature)
    slow = path(lookahead(Quadratic(np.eye(1)), [1.0], inner=inner, k=4, alpha=0.3), 6)[:, 0]
    assert_allclose(slow, (0.7 + 0.3 * (1 - rate_times_curvature)**4)**np.arange(7))


@pytest.mark.parametrize("inner_costs, method, settings", [(1, polyak, {}), (1, polyak, {"window": 10}),
                                                           (5, lookahead, {}), (8, lookahead, {"k": 8})])
def test_what_a_step_of_each_costs(inner_costs, method, settings):
    counted = Counted(Quadratic(np.diag(LAM)))
    run = method(counted, np.ones(3), **settings)
    for step in range(1, 13):
        next(run)
        assert (counted.values, counted.gradients, counted.products) == (0, inner_costs * step, 0)
    assert len(run.memory["recent"]) == settings["window"] if "window" in settings else True


def normalised(seed=0):
    """A net whose first layer is normalised, and a batch."""
    network = Network(Dense(4, 5, bias=False), BatchNorm(5, eps=1e-12), Tanh(), Dense(5, 3), inputs=4)
    rng = np.random.default_rng(seed)
    return MiniBatch(network, rng.standard_normal((30, 4)), rng.integers(3, size=30)), network.initial(seed=1)


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_before_a_normalisation_only_the_direction_of_weights_matters_and_the_gradient_falls_as_they_grow(scale):
    batch, theta = normalised()
    scaled = theta.copy()
    batch.blocks(scaled)[0][:] *= scale
    assert_allclose(batch.value(scaled), batch.value(theta), rtol=1e-6)
    g, of_scaled = (batch.blocks(batch.gradient(x))[0] for x in (theta, scaled))
    assert_allclose(of_scaled, g / scale, rtol=1e-5)
    assert_allclose(np.sum(g * batch.blocks(theta)[0], axis=1), 0, atol=1e-9)


def test_so_gradient_descent_makes_weights_before_a_normalisation_longer_at_every_step():
    batch, theta = normalised()
    thetas = path(gradient_descent(batch, theta, lr=0.5), 20)
    for before, after in zip(thetas, thetas[1:]):
        W, W_after, g = (batch.blocks(x)[0] for x in (before, after, batch.gradient(before)))
        assert_allclose(np.sum(W_after**2), np.sum(W**2) + 0.25 * np.sum(g**2))


def test_of_a_product_of_weights_a_step_changes_more_than_each_gradient_foretells():
    """ŷ = w₁ … w_l: a step on all at once has terms of second order and higher, which grow with the depth."""
    errors = []
    for depth in (2, 6, 12):
        product = Function(lambda w: 3 - np.prod(w))
        theta, lr = np.full(depth, 1.0), 0.1
        g = product.gradient(theta)
        change = product.value(theta - lr * g) - product.value(theta)
        errors.append(change / (-lr * g @ g))
    assert_allclose(errors, [((1 + 0.1)**depth - 1) / (0.1 * depth) for depth in (2, 6, 12)], rtol=1e-6)
    assert errors[0] < 1.06 < 1.7 < errors[-1]


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_of_the_inputs_of_linear_regression_is_on_average_a_price_on_squared_weights(rate):
    rng = np.random.default_rng(0)
    X, w, y = rng.standard_normal((1, 4)), rng.standard_normal(4), 0.7
    layer, losses = Dropout(rate), []
    for seed in range(6000):
        dropped, _ = layer.forward(None, np.repeat(X, 5, axis=0), Mode(seed=(seed,)))
        losses.append(np.mean((dropped @ w - y)**2))
    expected = (X[0] @ w - y)**2 + rate / (1 - rate) * np.sum(w**2 * X[0]**2)
    assert_allclose(np.mean(losses), expected, rtol=0.03)
    assert abs(np.mean(losses) / (X[0] @ w - y)**2 - 1) > 0.1


def test_ridge_leaves_of_each_eigenvector_lambda_over_lambda_plus_the_strength():
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    best, strength = np.array([1.0, -2.0, 3.0]), 0.7
    bowl = quadratic_with(LAM, Q, b=Q * LAM @ Q.T @ best)
    shrunk = Q @ (LAM / (LAM + strength) * (Q.T @ best))
    assert_allclose(Ridge(bowl, strength).gradient(shrunk), 0, atol=1e-12)


def test_stopping_early_is_nearly_a_ridge_of_the_strength_one_over_rate_times_steps():
    lam = np.geomspace(1e-3, 1, 200)
    best = np.ones(200)
    bowl = Quadratic(np.diag(lam), b=lam * best)
    for steps in (10, 100, 1000):
        theta = path(gradient_descent(bowl, np.zeros(200), lr=0.1), steps)[-1]
        assert_allclose(theta, 1 - (1 - 0.1 * lam)**steps)
        apart = np.abs(theta - lam / (lam + 1 / (0.1 * steps)))
        assert apart.max() < 0.21


@pytest.mark.parametrize("B", [1, 4, 16])
@pytest.mark.parametrize("lr", [0.3, 0.9, 1.5])
def test_a_minimum_that_all_examples_share_is_left_if_their_curvatures_differ_too_much_for_the_batch(lr, B):
    """f_x = ½ λ_x θ² with λ_x of mean 1 and variance 0.64: stable in the mean square iff (1 − η)² + η² 0.64 / B < 1."""
    rng = np.random.default_rng(0)
    curvatures = 1 + 0.8 * rng.choice([-1.0, 1.0], (200_000, B)).mean(axis=1)
    left = np.mean((1 - lr * curvatures)**2)
    expected = (1 - lr)**2 + lr**2 * 0.64 / B
    assert_allclose(left, expected, rtol=0.02, atol=0.003)


def test_small_batches_leave_minima_that_large_ones_stay_in():
    shares = {B: (1 - 1.5)**2 + 1.5**2 * 0.64 / B for B in (1, 4, 1000)}
    assert shares[1] > 1 > shares[4] > shares[1000]
    rng, far = np.random.default_rng(0), {}
    for B in (1, 4):
        theta = np.full(2000, 1e-3)
        for _ in range(60):
            theta = theta * (1 - 1.5 * (1 + 0.8 * rng.choice([-1.0, 1.0], (2000, B)).mean(axis=1)))
        far[B] = np.mean(theta**2)
    assert far[1] > 1e-3 > 1e-12 > far[4]


@pytest.mark.parametrize("lr, B", [(0.02, 1), (0.04, 2), (0.16, 8)])
def test_what_noise_leaves_depends_on_rate_over_batch(lr, B):
    rng, theta, seen = np.random.default_rng(0), np.zeros(800), []
    for step in range(1200):
        theta = theta - lr * (theta + rng.standard_normal((800, B)).mean(axis=1))
        if step >= 800:
            seen.append(np.mean(theta**2))
    assert_allclose(np.mean(seen), 0.02 / 2, rtol=0.1)


def test_a_network_knows_no_shift_in_evaluation_and_its_neighbours_in_training():
    network = Network(Dense(4, 5, bias=False), BatchNorm(5), Dense(5, 1), inputs=4, loss=SquaredError())
    rng = np.random.default_rng(0)
    X, theta = rng.standard_normal((8, 4)), network.initial(seed=0)
    other = np.concatenate([X[:1], 5 * rng.standard_normal((7, 4))])
    statistics = MiniBatch(network, X, np.zeros((8, 1))).statistics_of(theta)
    first = [network.outputs(theta, batch, statistics)[0] for batch in (X, other)]
    assert_allclose(*first)
    values = [MiniBatch(network, batch, np.zeros((8, 1))).statistics_of(theta)[0][0] for batch in (X, other)]
    assert np.abs(values[0] - values[1]).max() > 0.1


def test_fine_tuning_from_a_related_task_begins_lower_than_from_nothing():
    """Toy data: two tasks whose labels come from the same hidden units."""
    rng = np.random.default_rng(0)
    X, hidden = rng.standard_normal((300, 6)), rng.standard_normal((6, 4))
    features = np.tanh(X @ hidden)
    tasks = [(features @ rng.standard_normal((4, 3))).argmax(axis=1) for _ in range(2)]
    network, losses = mlp([6, 8, 3]), {}
    one, two = MiniBatch(network, X, tasks[0]), MiniBatch(network, X[:40], tasks[1][:40])
    test = MiniBatch(network, X[40:], tasks[1][40:])
    for seed in range(3):
        start = network.initial(seed=seed)
        moved = path(gradient_descent(one, start, lr=0.5), 600)[-1].copy()
        network.blocks(moved)[1][:] = network.blocks(start)[1]  # a new output layer
        for name, theta in (("nothing", start), ("transfer", moved)):
            losses[name, seed] = test.value(path(gradient_descent(two, theta, lr=0.5), 40)[-1])
    assert all(losses["transfer", seed] < losses["nothing", seed] for seed in range(3))
