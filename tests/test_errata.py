"""What the sources print and what is meant: the printed form fails, and the corrected one holds.

Each function is about one formula or one claim with numbers; what is to be seen by reading alone has no test.  The
sources: Memon et al. (2024), Zheng (2023), Kashyap (2022), the paper on learning rates, and Ravasi's lecture notes.
"""
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.data import digits
from numopt.linalg import conjugate_gradient_iterates, dense, gcr, nystrom
from numopt.line_search import exact, full_step
from numopt.networks import BatchNorm, Mode, logistic, mlp, softmax
from numopt.optimizers import (
    adagrad, adahessian, adam, bfgs, clipped_natural_gradient, delta_bar_delta, eigenbasis_normalized,
    full_matrix_adagrad, gauss_newton, gradient_descent, gradient_norm_normalized, hessian_free, kfac,
    levenberg_marquardt, lookahead, momentum, natural_gradient, newton, newton_rate, newton_rate_printed, nltgcr,
    nltgcr_fisher, nonlinear_cg, normalized_descent, normalized_natural_gradient, rmsprop, sign_descent, sophia,
    steepest_descent)
from numopt.optimizers.natural import noise
from numopt.optimizers.quasi_newton import bfgs_update
from numopt.problems import (
    Cliff, Clipped, Counted, EmpiricalRisk, Function, LeastSquares, MiniBatch, Noisy, Quadratic, Ridge, Rosenbrock,
    Saddle, quadratic_with)
from numopt.record import path, record
from numopt.schedules import inverse_time, piecewise_linear

VALLEY = LeastSquares(lambda x: np.sqrt(2) * np.array([10 * (x[1] - x[0]**2), 1 - x[0]]),
                      lambda x: np.sqrt(2) * np.array([[-20 * x[0], 10], [-1, 0]]))


def classifier(examples=12, seed=0):
    """A small network with cross-entropy, and a point."""
    rng = np.random.default_rng(seed)
    network, X = mlp([3, 4, 3]), rng.standard_normal((examples, 3))
    return MiniBatch(network, X, rng.integers(3, size=examples)), network.initial(seed=seed)


# ------------------------------------------------------------------------- Zheng (2023), Sections 1 and 2: lecture 9

ZHENG_LAM = np.array([0.1, 1.0, 5.0, 40.0])
ZHENG_Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
ZHENG = quadratic_with(ZHENG_LAM, ZHENG_Q)
ZHENG_START = np.array([1.0, 2.0, -1.0, 0.5])
ZHENG_G = ZHENG.gradient(ZHENG_START)
ZHENG_G_HAT = ZHENG_Q.T @ ZHENG_G


def zheng_step(method, **settings):
    """One step on his quadratic: f before and after it, and d."""
    theta = next(method(ZHENG, ZHENG_START, **settings))
    return ZHENG.value(ZHENG_START) - ZHENG.value(theta), theta - ZHENG_START


def natural_step(method, **settings):
    return zheng_step(method, curvature="hessian", damping=0.0, **settings)


def test_zhengs_gain_along_an_eigenvector_needs_a_minus_as_his_examples_have_it():
    gain, d = natural_step(natural_gradient, solver="dense", lr=0.3)
    d_hat = ZHENG_Q.T @ d
    printed = ZHENG_G_HAT * d_hat + ZHENG_LAM * d_hat**2 / 2
    assert (printed < 0).all() and gain > 0
    assert_allclose(-printed.sum(), gain)
    assert_allclose(-printed, 0.3 * (1 - 0.3 / 2) * ZHENG_G_HAT**2 / ZHENG_LAM)  # his own example, with α = 0.3


def test_zhengs_norm_is_that_of_coordinates_times_the_root_of_lambda():
    d = np.array([1.0, -2.0, 0.5, 3.0])
    d_hat = ZHENG_Q.T @ d
    assert_allclose(np.linalg.norm(np.sqrt(ZHENG_LAM) * d_hat)**2, d @ ZHENG.A @ d)
    assert np.linalg.norm(ZHENG_LAM * d_hat)**2 > 5 * (d @ ZHENG.A @ d)


def test_zhengs_divergence_is_half_the_squared_length_and_not_half_the_length():
    rng = np.random.default_rng(0)
    batch = MiniBatch(logistic(3, 4), rng.standard_normal((20, 3)), rng.integers(4, size=20))
    theta, d = rng.standard_normal(16), 1e-3 * rng.standard_normal(16)
    p, q = (softmax(batch.network.outputs(x, batch.X)) for x in (theta, theta + d))
    divergence = (p * np.log(p / q)).sum(axis=1).mean()
    squared = d @ (batch.fisher(theta) @ d)
    assert_allclose(divergence, squared / 2, rtol=1e-2)
    assert np.sqrt(squared) / 2 > 100 * divergence


def test_zhengs_gain_of_the_gradient_norm_normalized_step_is_a_number_and_no_matrix():
    epsilon = 0.2
    gain, d = natural_step(gradient_norm_normalized, lr=epsilon)
    root = ZHENG_Q * ZHENG_LAM**-0.5 @ ZHENG_Q.T
    assert_allclose(gain, epsilon * ZHENG_G @ root @ ZHENG_G - epsilon**2 / 2 * ZHENG_G @ ZHENG_G)
    assert np.ndim(epsilon * (root - epsilon / 2 * np.eye(4)) * np.linalg.norm(ZHENG_G)) == 2
    assert_allclose(d @ ZHENG.A @ d, epsilon**2 * ZHENG_G @ ZHENG_G)


def test_zhengs_coordinate_of_the_gradient_is_not_divided_by_lambda():
    assert_allclose(ZHENG_Q @ ZHENG_G_HAT, ZHENG_G)
    assert np.linalg.norm(ZHENG_Q @ (ZHENG_G_HAT / ZHENG_LAM) - ZHENG_G) > np.linalg.norm(ZHENG_G) / 2


def test_zhengs_eigenbasis_step_lacks_the_root_of_lambda_and_so_does_its_gain():
    epsilon = 0.05
    gain, d = natural_step(eigenbasis_normalized, lr=epsilon)
    d_hat, printed = ZHENG_Q.T @ d, -epsilon * np.sign(ZHENG_G_HAT)
    assert_allclose(np.sqrt(ZHENG_LAM) * np.abs(d_hat), epsilon)  # his ‖d_i‖_H
    assert np.ptp(np.sqrt(ZHENG_LAM) * np.abs(printed)) > epsilon
    assert_allclose(d, -epsilon * (ZHENG_Q * ZHENG_LAM**-0.5 @ np.sign(ZHENG_G_HAT)))  # his own formula for d
    assert_allclose(gain, np.sum(epsilon * np.abs(ZHENG_G_HAT) / np.sqrt(ZHENG_LAM) - epsilon**2 / 2))
    assert np.sum(-epsilon * np.abs(ZHENG_G_HAT) + epsilon**2 * ZHENG_LAM / 2) < 0 < gain


def test_zhengs_gains_of_gradient_descent_have_a_half_and_a_square():
    alpha, L = 0.7, ZHENG_LAM.max()
    gain, d = zheng_step(gradient_descent, lr=alpha / L)
    gg, gHg = ZHENG_G @ ZHENG_G, ZHENG_G @ ZHENG.A @ ZHENG_G
    assert_allclose(gain, alpha / L * gg - alpha**2 / L**2 * gHg / 2)
    assert abs(alpha / L * gg - alpha**2 / L**2 * gHg - gain) > 0.2 * gain
    model = -(ZHENG_G @ d + L * d @ d / 2)
    assert_allclose(model, np.sum(alpha / L * (1 - alpha / 2) * ZHENG_G_HAT**2))
    assert abs(np.sum(alpha / L * (1 - alpha / 2) * ZHENG_G_HAT) - model) > model / 2


def test_zhengs_gain_of_normalized_descent_has_the_norm_over_the_root_of_l():
    epsilon, L = 0.3, ZHENG_LAM.max()
    _, d = zheng_step(normalized_descent, lr=epsilon / np.sqrt(L))
    norm = np.linalg.norm(ZHENG_G)
    assert_allclose(-(ZHENG_G @ d + L * d @ d / 2), epsilon * norm / np.sqrt(L) - epsilon**2 / 2)
    assert abs(epsilon * norm**2 / L - epsilon * norm / np.sqrt(L)) > 0.5


def test_zhengs_sign_descent_takes_the_sign_of_the_gradient_and_has_lengths_not_squares():
    epsilon, L = 0.3, ZHENG_LAM.max()
    _, d = zheng_step(sign_descent, lr=epsilon / np.sqrt(L))
    assert_allclose(np.sqrt(L) * np.abs(d), epsilon)
    assert np.abs(L * d**2 - epsilon).min() > 0.1  # the printed square
    assert_allclose(d, -epsilon / np.sqrt(L) * np.sign(ZHENG_G))  # and not of d, which is what we look for
    _, d = zheng_step(gradient_descent, lr=epsilon / np.sqrt(L))  # with the limit by the gradient
    assert_allclose(np.sqrt(L) * np.abs(d), epsilon * np.abs(ZHENG_G))
    assert np.abs(L * d**2 - epsilon * ZHENG_G).min() > 0.1  # the printed square, of a sign that no square has


def test_zhengs_diagonal_normalized_step_is_divided_by_the_length_of_g_over_lambda():
    diagonal, epsilon = np.diag(ZHENG.A), 0.3
    _, d = natural_step(normalized_natural_gradient, lr=epsilon, structure="diagonal")
    assert_allclose(diagonal @ d**2, epsilon**2)
    assert_allclose(d, -epsilon * ZHENG_G / diagonal / np.sqrt(np.sum(ZHENG_G**2 / diagonal)))
    printed = -epsilon * ZHENG_G / diagonal / (diagonal @ d**2)  # with the very d that is to come out
    assert abs(np.sqrt(diagonal @ printed**2) - epsilon) > epsilon


def test_zhengs_clipping_has_the_norm_and_not_its_square():
    epsilon, alpha = 0.3, 0.8
    _, d = natural_step(clipped_natural_gradient, lr=alpha, epsilon=epsilon)
    natural = np.linalg.solve(ZHENG.A, ZHENG_G)
    squared = natural @ ZHENG.A @ natural
    assert_allclose(d @ ZHENG.A @ d, epsilon**2)
    printed = -alpha * min(1, epsilon / alpha / squared) * natural
    assert abs(np.sqrt(printed @ ZHENG.A @ printed) - epsilon) > epsilon / 2


def test_zhengs_step_by_the_inverse_root_has_the_length_of_the_gradient_and_is_not_normalized():
    """A = α H^(-1/2), headed "normalized" in his Section 2: twice the gradient makes it twice as long."""
    alpha, root = 0.3, ZHENG_Q * ZHENG_LAM**-0.5 @ ZHENG_Q.T
    for scale in (1.0, 2.0, 5.0):
        bowl = quadratic_with(scale * ZHENG_LAM, ZHENG_Q)  # a gradient, and a Hessian, of this scale
        g = bowl.gradient(ZHENG_START)
        d = -alpha * (root / np.sqrt(scale) @ g)
        assert_allclose(np.sqrt(d @ bowl.A @ d), alpha * np.linalg.norm(g))
        same = next(gradient_norm_normalized(bowl, ZHENG_START, lr=alpha, curvature="hessian", damping=0.0))
        assert_allclose(same - ZHENG_START, d)
        other = next(normalized_natural_gradient(bowl, ZHENG_START, lr=alpha, curvature="hessian", damping=0.0))
        assert_allclose((other - ZHENG_START) @ bowl.A @ (other - ZHENG_START), alpha**2)
        assert np.linalg.norm(other - ZHENG_START - d) > np.linalg.norm(d) / 2


@pytest.mark.parametrize("power, exponent", [(1.0, -1.0), (0.5, -0.5)])
def test_zhengs_table_has_adahessian_right_for_the_power_a_half_and_its_default_is_one(power, exponent):
    bowl, start = Quadratic(np.diag(ZHENG_LAM)), ZHENG_START
    settings = {} if power == 1.0 else {"power": power}  # 1 is the default
    d = next(adahessian(bowl, start, lr=0.1, eps=0.0, block=1, **settings)) - start
    assert_allclose(d, -0.1 * bowl.gradient(start) * ZHENG_LAM**exponent)


def test_zhengs_gradient_is_the_mean_over_the_examples_and_then_the_noise_has_none():
    batch, theta = classifier()
    gradients, g = batch.per_example_gradients(theta), batch.gradient(theta)
    assert_allclose((gradients - g).mean(axis=0), 0, atol=1e-15)
    assert np.abs((gradients - gradients.sum(axis=0)).mean(axis=0)).max() > 0.1


def test_zhengs_covariance_of_a_step_is_a_matrix_and_what_he_prints_is_its_trace():
    rng = np.random.default_rng(0)
    A, xi = rng.standard_normal((3, 3)), rng.standard_normal((500, 3))
    steps, Sigma = xi @ A.T, xi.T @ xi / 500
    assert_allclose(steps.T @ steps / 500, A @ Sigma @ A.T)
    printed = np.mean([step @ step for step in steps])
    assert_allclose(printed, np.trace(A @ Sigma @ A.T))
    H = np.diag([1.0, 2, 30])
    added = np.mean([step @ H @ step for step in steps]) / 2       # ½ E[d_ξᵀ H d_ξ]
    assert_allclose(added, np.trace(H @ A @ Sigma @ A.T) / 2)
    assert abs(np.mean([x @ H @ x for x in xi]) / 2 - added) > 1    # ½ E[ξᵀ H ξ], as printed once


@pytest.mark.parametrize("seed", range(3))
def test_zhengs_noise_has_its_covariance_between_a_and_its_transpose(seed):
    """For powers of H it is one; not for the diagonal of H, with which most of his methods divide."""
    rng = np.random.default_rng(seed)
    xi = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 4))
    Sigma = xi.T @ xi / 300
    for A, same in ((np.linalg.inv(ZHENG.A), True), (np.diag(1 / np.diag(ZHENG.A)), False)):
        steps = xi @ A.T
        added = np.mean([step @ ZHENG.A @ step for step in steps]) / 2
        assert_allclose(np.trace(ZHENG.A @ A @ Sigma @ A.T) / 2, added)
        assert_allclose(noise(ZHENG.A, A, Sigma).increase, added)
        assert (abs(np.trace(ZHENG.A @ A.T @ A @ Sigma) / 2 / added - 1) < 0.01) == same


def test_zhengs_fisher_matrix_of_a_batch_is_a_bth_of_f_at_the_models_labels_and_no_sum():
    batch, theta = classifier(examples=6)
    F, n, rng = dense(batch.fisher(theta), theta.size), 6, np.random.default_rng(0)
    g_b = np.array([batch.sampled_gradient(theta, [0, draw]) for draw in range(4000)])
    F_b = g_b.T @ g_b / len(g_b)
    distance = partial(np.linalg.norm)
    assert distance(F_b - F / n) < 0.1 * distance(F / n)
    assert distance(F_b - (F + F / n)) > 0.5 * distance(F)          # F + Σ/B, where Σ = F as the mean is zero
    rows = batch.per_example_gradients(theta)                      # at the labels of the data, with a mean
    mean, F_tilde, B = rows.mean(axis=0), rows.T @ rows / n, 3
    Sigma = F_tilde - np.outer(mean, mean)
    drawn = rows[rng.integers(n, size=(20000, B))].mean(axis=1)
    F_tilde_b = drawn.T @ drawn / len(drawn)
    assert distance(F_tilde_b - (np.outer(mean, mean) + Sigma / B)) < 0.05 * distance(F_tilde_b)
    assert distance(F_tilde_b - (F_tilde + Sigma / B)) > 0.5 * distance(F_tilde_b)


@pytest.mark.parametrize("power", [2, 1, 0])
@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_zhengs_noise_goes_with_the_square_of_the_rate(power, alpha):
    k, B, n = 2.0, 8, 4
    A = alpha * (ZHENG_Q * ZHENG_LAM**(-power / 2) @ ZHENG_Q.T)
    found = noise(ZHENG.A, A, k / B * ZHENG.A)
    trace = ZHENG_LAM.sum()
    meant, printed = {2: (alpha**2 * n, alpha), 1: (alpha**2 * trace, alpha * trace),
                      0: (alpha**2 * np.sum(ZHENG_LAM**2), np.sum(ZHENG_LAM**2))}[power]
    assert_allclose(found.increase, k / B * meant / 2)
    assert abs(printed / meant - 1) > 0.1
    assert_allclose(found.squares, k / B * alpha**2 * ZHENG_LAM**(1 - power))  # α in print


def test_zhengs_trace_of_the_hessian_is_not_smaller_than_one():
    images, labels, *_ = digits()
    batch, theta = MiniBatch(mlp([64, 10]), images[:300], labels[:300]), mlp([64, 10]).initial(seed=0)
    assert np.trace(dense(batch.hessian(theta), theta.size)) > 10
    trained = path(adam(batch, theta, lr=0.03), 30)[-1]
    assert np.trace(dense(batch.hessian(trained), theta.size)) > 1


def test_zhengs_sophia_is_the_clip_of_the_paper_without_its_guard():
    eta, gamma = 0.1, 0.5
    bowl, start = Quadratic(np.diag(ZHENG_LAM)), ZHENG_START
    g = bowl.gradient(start)
    settings = {"lr": eta, "gamma": gamma, "beta1": 0.0, "beta2": 0.0, "weight_decay": 0.0}
    d = next(sophia(bowl, start, **settings)) - start
    alpha, epsilon = eta / gamma, gamma
    assert_allclose(d, -alpha * np.minimum(1, ZHENG_LAM * epsilon / np.abs(g)) * g / ZHENG_LAM)
    flat = Quadratic(np.diag([0.0, 2.0]), b=np.ones(2))
    g = flat.gradient(np.ones(2))
    d = next(sophia(flat, np.ones(2), **settings)) - 1
    assert_allclose(d[0], -eta * np.sign(g[0]))  # without curvature the guard makes it a step by the sign
    with np.errstate(invalid="ignore"):
        assert np.isnan(-alpha * np.minimum(1, 0.0 * epsilon / np.abs(g)) * g / np.array([0.0, 2]))[0]


# ------------------------------------------------------- Kashyap (2022), Section 3.7, and Ravasi's notes: lecture 13

def test_kashyaps_exponents_of_lookahead_do_not_add_up_to_one():
    alpha, T = 0.3, 4  # the last excursion is his t = T − 1
    noisy = Noisy(Quadratic(np.diag([1.0, 5])), sigma=1.0, seed=0)
    slow = path(lookahead(noisy, np.array([2.0, 1]), inner=partial(gradient_descent, lr=0.1), k=3, alpha=alpha), T)
    ends = (slow[:-1] + np.diff(slow, axis=0) / alpha)[::-1]
    meant, of_start = alpha * (1 - alpha)**np.arange(T), (1 - alpha)**T
    assert_allclose(meant.sum() + of_start, 1)
    assert_allclose(meant @ ends + of_start * slow[0], slow[-1])
    printed, of_start = alpha * (1 - alpha)**np.array([0, 1, 2, 2]), (1 - alpha)**(T - 1)
    assert abs(printed.sum() + of_start - 1) > 0.1
    assert np.abs(printed @ ends + of_start * slow[0] - slow[-1]).max() > 0.1


def test_kashyaps_inner_step_of_lookahead_with_the_last_place_halves_the_rate_that_is_stable():
    bowl = Quadratic(np.eye(1))
    for lr, stable in ((0.9, True), (1.1, False), (1.9, False)):
        before, theta = np.ones(1), np.ones(1)
        for _ in range(200):
            before, theta = theta, theta - lr * bowl.gradient(before)
        assert (abs(theta[0]) < 1) == stable
        assert abs(path(gradient_descent(bowl, np.ones(1), lr=lr), 200)[-1, 0]) < 1


def ravasis_batch(examples=400):
    """What a layer is given, skew; and its outputs normalised."""
    X = np.random.default_rng(0).exponential(size=(examples, 3))
    out, _ = BatchNorm(3).forward(BatchNorm(3).initial(None, 1.0), X, Mode())
    return X, out


def test_ravasis_normalisation_goes_down_the_columns_and_not_along_the_rows():
    X, out = ravasis_batch()
    assert_allclose((out.mean(axis=0), out.std(axis=0)), ([0] * 3, [1] * 3), atol=1e-4)
    rows = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    assert np.abs(out - rows).max() > 1 and np.abs(out.mean(axis=1)).max() > 1


def test_ravasis_normalised_activations_are_not_normal():
    _, out = ravasis_batch()
    assert_allclose((out.mean(axis=0), (out**2).mean(axis=0)), ([0] * 3, [1] * 3), atol=1e-4)
    assert (out**3).mean(axis=0).min() > 1 and out.min() > -1.5  # a normal variable has 0, and no least value


def test_ravasis_layer_multiplies_examples_in_rows_by_the_transpose():
    network, rng = mlp([4, 2], loss=None), np.random.default_rng(0)
    X, theta = rng.standard_normal((5, 4)), network.initial(seed=0)
    W, b = network.blocks(theta)[0][:, :-1], network.blocks(theta)[0][:, -1]
    assert_allclose(network.outputs(theta, X), X @ W.T + b)
    with pytest.raises(ValueError):
        W @ X


# --------------------------------------- Memon et al. (2024), Sections 1 and 2, and Zheng's Table 1: lecture 11

def test_memons_full_matrix_adagrad_is_an_inverse_root_of_a_sum_at_each_step():
    gradients = np.random.default_rng(0).standard_normal((5, 3))
    following = iter(gradients)
    problem = Function(lambda theta: 0.0, jac=lambda theta: next(following))
    thetas = path(full_matrix_adagrad(problem, np.zeros(3), lr=1.0, eps=1e-3), 5)
    S = gradients.T @ gradients + 1e-3 * np.eye(3)
    lam, Q = np.linalg.eigh(S)
    assert_allclose(thetas[5] - thetas[4], -(Q / np.sqrt(lam)) @ Q.T @ gradients[4])
    smoothed = gradients.T @ gradients / 5 + 1e-3 * np.eye(3)
    for printed in (np.linalg.inv(S), np.linalg.inv(smoothed)):
        assert np.linalg.norm(printed @ gradients[4] + thetas[5] - thetas[4]) > 0.2 * np.linalg.norm(gradients[4])
    assert np.abs(np.diff(thetas, axis=0)).max(axis=1).min() > 0, "at each step, not at each epoch"


def test_memons_a_is_a_moment_of_inputs_and_knows_no_gradient():
    batch, theta = classifier()
    (A, _), *_ = batch.kronecker_factors(theta, labels="exact")
    inputs = np.column_stack([batch.X, np.ones(batch.n)])
    assert_allclose(A, inputs.T @ inputs / batch.n)
    elsewhere = batch.kronecker_factors(batch.network.initial(seed=7), labels="exact")[0][0]
    assert_allclose(A, elsewhere)  # the gradient of the inputs changes with the weights
    other = MiniBatch(batch.network, batch.X, (batch.Y + 1) % 3).kronecker_factors(theta, labels="exact")[0][0]
    assert_allclose(A, other)


def test_memons_kronecker_product_is_for_columns_and_rows_want_it_the_other_way_round():
    rng = np.random.default_rng(0)
    G, A, X = rng.standard_normal((3, 3)), rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    G, A = G @ G.T + np.eye(3), A @ A.T + np.eye(2)
    meant = np.linalg.solve(G, X) @ np.linalg.inv(A)  # Θ is outputs × inputs
    printed = np.kron(np.linalg.inv(A), np.linalg.inv(G))
    assert_allclose(printed @ X.ravel(order="F"), meant.ravel(order="F"))
    assert np.linalg.norm(printed @ X.ravel() - meant.ravel()) > 0.1 * np.linalg.norm(meant)
    assert_allclose(np.kron(np.linalg.inv(G), np.linalg.inv(A)) @ X.ravel(), meant.ravel())
    g, a = rng.standard_normal(3), rng.standard_normal(2)
    assert np.outer(g, a).shape == X.shape, "g aᵀ has as many rows as there are outputs, and not inputs"


def test_memons_fisher_matrix_is_the_hessian_on_average_over_the_models_labels_only():
    rng = np.random.default_rng(0)
    network, X = mlp([3, 4, 3]), rng.standard_normal((1, 3))
    theta = network.initial(seed=0)
    hessians = np.array([dense(MiniBatch(network, X, np.array([y])).hessian(theta), theta.size) for y in range(3)])
    F = dense(MiniBatch(network, X, np.array([0])).fisher(theta), theta.size)
    of_model = np.tensordot(softmax(network.outputs(theta, X))[0], hessians, axes=1)
    assert_allclose(of_model, F, atol=1e-12)
    for H in (*hessians, hessians.mean(axis=0)):
        assert np.linalg.norm(H - F) > 0.1 * np.linalg.norm(F)  # at any label, and with all alike


def test_zhengs_k_fac_draws_its_labels_from_the_model():
    batch, theta = classifier(examples=40)
    batch = MiniBatch(batch.network, batch.X, np.zeros(40, int))  # labels that the model would hardly draw
    factors = [next_factor(batch, theta, seed) for seed in range(60)]
    exact, of_data = (batch.kronecker_factors(theta, labels=labels)[1][1] for labels in ("exact", "data"))
    assert np.linalg.norm(np.mean(factors, axis=0) - exact) < 0.1 * np.linalg.norm(exact)
    assert np.linalg.norm(np.mean(factors, axis=0) - of_data) > 0.2 * np.linalg.norm(exact)


def next_factor(batch, theta, seed):
    """G of the last layer, as the loop has it after a step with the defaults."""
    run = kfac(batch, theta, seed=seed)
    next(run)
    return run["G"][1]


# --------------------------------------------------------------------------- Kashyap (2022), Section 3.5: lecture 10

@pytest.mark.parametrize("power", [0.5, 1.0])
def test_kashyaps_adahessian_needs_a_minus_and_averages_of_squares(power):
    bowl, start = Quadratic(np.diag(ZHENG_LAM)), ZHENG_START
    g = bowl.gradient(start)
    printed = ZHENG_LAM**-power * g
    settings = {"lr": 0.1, "beta1": 0.0, "eps": 0.0, "block": 1, "power": power}
    assert g @ printed > 0 and bowl.value(start + 0.1 * printed) > bowl.value(start)
    assert_allclose(next(adahessian(bowl, start, **settings)) - start, -0.1 * printed)
    saddle = Quadratic(np.diag([-1.0, 2.0]), b=np.ones(2))
    g = saddle.gradient(np.zeros(2))
    with np.errstate(invalid="ignore"):
        printed = -np.array([-1.0, 2.0])**-power * g  # with the minus, but without the root of squares
    assert not g[0] * printed[0] < 0, "uphill along the negative curvature, or not a number"
    d = next(adahessian(saddle, np.zeros(2), **settings))
    assert (g * d < 0).all()


def test_the_adahessian_of_the_paper_and_that_of_the_program_are_two():
    A = np.eye(8) + np.ones((8, 8))
    z = np.random.default_rng(0).choice([-1.0, 1.0], (4000, 8))
    D = z * (z @ A)
    assert_allclose(np.abs(z @ A), np.abs(D))  # |Hz| is |D|
    signed, absolute = D.mean(axis=1), np.abs(D).mean(axis=1)
    assert_allclose(signed.mean(), 2, rtol=0.05)
    assert absolute.mean() > 1.2 * signed.mean()


# ----------------------------------------------------------- Kashyap (2022), Sections 3, 3.1 and 3.6: lecture 6

def test_kashyaps_hessian_costs_as_many_products_as_parameters_and_not_their_cube():
    for layers in ([3, 4, 2], [3, 8, 2]):
        network, rng = mlp(layers), np.random.default_rng(0)
        whole = EmpiricalRisk(network, rng.standard_normal((20, 3)), rng.integers(2, size=20)).whole
        counted = Counted(Ridge(whole, 0.01))  # without it the Hessian of a softmax is singular
        next(newton(counted, network.initial(seed=0)))
        assert counted.products == network.size and counted.gradients == 1


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.3, -0.4), (2.0, 2.0)])
def test_kashyaps_gauss_newton_and_levenberg_need_a_minus(start):
    x = np.array(start)
    J, g = VALLEY.jacobian(x), VALLEY.gradient(x)
    for method, mu in ((partial(gauss_newton, search=full_step), 0.0),
                       (partial(levenberg_marquardt, scaling="levenberg", mu=2.5), 2.5)):
        printed = np.linalg.solve(J.T @ J + mu * np.eye(2), g)
        assert g @ printed > 0 and VALLEY.value(x + 1e-4 * printed) > VALLEY.value(x)
        run = method(VALLEY, x)
        next(run)
        assert_allclose(run["p"], -printed)


def test_levenberg_marquardt_is_not_a_diagonal_approximation():
    x, mu = np.array([-1.2, 1.0]), 0.1
    J, g = VALLEY.jacobian(x), VALLEY.gradient(x)
    run = levenberg_marquardt(VALLEY, x, scaling="levenberg", mu=mu)
    next(run)
    diagonal = -g / (np.sum(J**2, axis=0) + mu)
    assert_allclose(run["p"], -np.linalg.solve(J.T @ J + mu * np.eye(2), g))
    assert np.linalg.norm(run["p"] - diagonal) > 0.5 * np.linalg.norm(diagonal)


def test_gauss_newton_is_for_every_convex_loss_and_semidefinite_not_definite():
    """JᵀHJ for cross-entropy; its rank is at most the examples times the outputs less one."""
    batch, theta = classifier(examples=4)
    G = dense(batch.gauss_newton(theta), theta.size)
    lam = np.linalg.eigvalsh(G)
    assert lam[0] > -1e-12 and np.sum(lam > 1e-10 * lam[-1]) <= 4 * 2 < theta.size
    v = np.random.default_rng(1).standard_normal(theta.size)
    h = 1e-5
    curvature = [(batch.network.loss.values(z, batch.Y).mean()) for z in (
        batch.network.outputs(theta, batch.X) + k * h * (batch.network.outputs(theta + h * v, batch.X)
                                                         - batch.network.outputs(theta - h * v, batch.X)) / (2 * h)
        for k in (-1, 0, 1))]
    assert_allclose(v @ G @ v, (curvature[0] - 2 * curvature[1] + curvature[2]) / h**2, rtol=1e-3)


def test_the_alpha_that_kashyap_does_not_give_is_three_halves():
    """And where little of the promised fall came true the damping rises."""
    for share, factor in ((0.1, 3 / 2), (0.5, 1.0), (0.9, 2 / 3)):
        slope = Function(lambda x: -share / 2 * x[0], lambda x: np.array([-1.0]), lambda x: np.array([[0.0]]))
        run = hessian_free(slope, [0.0], curvature="hessian", damping=1.0)
        next(run)
        assert_allclose([run["rho"], run["damping"]], [share, factor])


# --------------------------------------------------------------------- Kashyap (2022), Section 3.2: lecture 7

def test_kashyaps_direction_of_conjugate_gradients_needs_a_minus():
    for start in ([-1.2, 1.0], [0.5, 2.0]):
        run = nonlinear_cg(Rosenbrock(), start)
        for _ in zip(range(8), run):
            g, p = run["g"], run["p"]
            memory = p + g
            assert g @ (-g + memory) < 0 < g @ (g + memory)


@pytest.mark.parametrize("seed", range(3))
def test_conjugate_directions_are_not_orthogonal(seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((4, 4))
    H, b = root @ root.T + np.eye(4), rng.standard_normal(4)
    iterates = list(islice(conjugate_gradient_iterates(H, b), 4))
    P, R = np.array([p for _, _, p, _ in iterates]), np.array([b, *(r for _, r, _, _ in iterates[:3])])
    lengths = np.linalg.norm(P, axis=1)
    between = np.triu(np.abs(P @ P.T) / np.outer(lengths, lengths), 1)
    assert np.abs(np.triu(P @ H @ P.T, 1)).max() < 1e-8 and np.abs(np.triu(R @ R.T, 1)).max() < 1e-8
    assert between.max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_orthogonal_to_the_direction_is_no_eigenvector_but_h_times_the_error(seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((4, 4))
    H, b = root @ root.T + np.eye(4), rng.standard_normal(4)
    x, _, d, _ = next(conjugate_gradient_iterates(H, b))
    e = np.linalg.solve(H, b) - x
    assert abs(e @ H @ d) < 1e-8 < 1e-3 < abs(e @ d)
    assert np.abs(np.linalg.eigh(H)[1].T @ d).min() > 1e-8, "no eigenvector is orthogonal to d"


def test_beta_of_zero_at_each_step_is_steepest_descent():
    bowl, start = Quadratic(np.diag([1.0, 3, 30])), np.array([1.0, 1, 1])
    never = path(nonlinear_cg(bowl, start, overlap=0.0, search=exact), 12)
    assert_allclose(never, path(steepest_descent(bowl, start), 12), atol=1e-6)
    assert np.linalg.norm(never[-1]) > 0.01
    assert np.linalg.norm(path(nonlinear_cg(bowl, start, search=exact), 12)[-1]) < 1e-6


@pytest.mark.parametrize("size, width", [(2, 2.0), (10, 2.0), (10, 20.0)])
def test_fletcher_and_reeves_converge_from_far_away(size, width):
    valley = Rosenbrock(size)
    for seed in range(4):
        start = np.random.default_rng(seed).uniform(-width, width, size)
        run = nonlinear_cg(valley, start, formula="fletcher_reeves", overlap=1e9)
        assert record(run, 5000, objective=valley, gradient=1e-5).reason == "gradient"


# ---------------------------------------------------------------------- Kashyap (2022), Section 3.3: lecture 8

def test_kashyaps_bfgs_direction_needs_a_minus():
    for start in ([-1.2, 1.0], [0.5, 2.0]):
        run = bfgs(Rosenbrock(), start)
        next(run)
        for _ in zip(range(8), run):
            assert run["g"] @ run["p"] < 0 < run["g"] @ -run["p"], "printed: +M g"


@pytest.mark.parametrize("seed", range(3))
def test_kashyaps_bfgs_update_needs_a_plus(seed):
    rng = np.random.default_rng(seed)
    root, M = rng.standard_normal((5, 5)), np.diag([1.0, 2, 3, 4, 5])
    delta = rng.standard_normal(5)
    phi = (root @ root.T + np.eye(5)) @ delta
    c = delta @ phi
    middle = (1 + phi @ M @ phi / c) * np.outer(delta, delta) / c
    last = (np.outer(delta, phi) @ M + M @ np.outer(phi, delta)) / c
    printed, meant = M @ middle - last, M + middle - last
    assert np.linalg.norm(printed @ phi - delta) > 1e8 * np.linalg.norm(meant @ phi - delta)
    assert np.linalg.norm(printed - printed.T) > 1e-3, "it is not even symmetric"
    assert_allclose(meant, bfgs_update(M, delta, phi))


def test_a_positive_definite_start_is_not_enough_for_bfgs():
    """With yᵀs < 0, as a search without Wolfe's second condition may bring it, the update is indefinite."""
    s, y = np.array([1.0, 0.0]), np.array([-1.0, 0.5])
    V = np.eye(2) - np.outer(s, y) / (y @ s)
    assert np.linalg.eigvalsh(V @ V.T + np.outer(s, s) / (y @ s))[0] < 0
    assert bfgs_update(np.eye(2), s, y) is not None and np.linalg.eigvalsh(bfgs_update(np.eye(2), s, y))[0] > 0


# ------------------------------------------------------- Ravasi and Kashyap on landscapes: lecture 1

@pytest.mark.parametrize("alpha", [0.02, 0.5])
def test_ravasis_taylor_step_has_lost_an_alpha(alpha):
    bowl, theta = Quadratic(np.diag([1.0, 3.0])), np.array([1.0, -2.0])
    g, H = bowl.gradient(theta), bowl.hessian(theta)
    change = bowl.value(theta - alpha * g) - bowl.value(theta)
    assert_allclose(-alpha * g @ g + alpha**2 * g @ H @ g / 2, change)
    assert abs(-g @ g + alpha**2 * g @ H @ g / 2 - change) > 0.3 * abs(change)
    # his condition for a rise, at a rate where f falls for one curvature and rises for another
    for c, rises in ((3.0, False), (5.0, True)):  # α = 0.5: the edge is at 2/α = 4, and not at 2/α² = 8
        along = Quadratic([[c]])
        assert (along.value(np.array([1 - 0.5 * c])) > along.value(np.array([1.0]))) == rises
        assert (0.5 * 0.5 * c > 1) == rises and not 0.5 * 0.5**2 * c > 1


@pytest.mark.parametrize("height", [-7.0, 3.0])
def test_ravasis_saddles_and_cliffs_are_known_by_the_gradient_and_not_by_the_height(height):
    class Raised(Saddle):
        def value(self, theta):
            return super().value(theta) + height

    at_the_pass = Raised(a=0.5, b=0.8, c=0.3)
    assert not at_the_pass.gradient(np.zeros(2)).any()
    assert at_the_pass.value(np.zeros(2)) == height  # J → 0, as printed, only if the pass happens to lie at 0
    for width in (1e-2, 1e-4, 1e-6):
        cliff = Cliff(height=1.0, width=width)
        face = np.zeros(2)
        assert np.linalg.norm(cliff.gradient(face)) > 0.2 / width  # grows as the wall gets steeper, and J does not
        assert 0 <= cliff.value(face) <= 1


def test_ravasis_eigenvalues_need_absolute_values():
    W = np.array([[0.0, 1.1], [1.1, 0.0]])  # eigenvalues 1.1 and −1.1
    falls = np.array([1.0, -1.0])           # the eigenvector of −1.1, which as printed would vanish
    assert_allclose(W @ falls, -1.1 * falls)
    assert np.linalg.norm(np.linalg.matrix_power(W, 100) @ falls) > 1e4
    assert np.linalg.norm(np.linalg.matrix_power(0.9 / 1.1 * W, 100) @ falls) < 1e-4


def test_kashyaps_inverse_hessian_does_not_make_circles():
    H = np.array([[3.0, 2.0], [2.0, 3.0]])
    eigenvalues, Q = np.linalg.eigh(H)
    root, inverse = Q * np.sqrt(eigenvalues) @ Q.T, np.linalg.inv(H)

    def condition(change):  # of the Hessian over u, for θ = change⁻¹ u
        back = np.linalg.inv(change)
        return np.linalg.cond(back.T @ H @ back)

    assert_allclose(condition(root), 1)
    assert_allclose(condition(inverse), 125)  # and over u = H⁻¹θ, κ³ in place of κ = 5
    assert_allclose(np.linalg.cond(H), 5)


# ------------------------------------------------------------------ Kashyap and Ravasi on descent: lecture 2

def test_at_kashyaps_rate_of_two_over_lambda_descent_never_decays():
    for lr, decays in ((1.99 / 3, True), (2 / 3, False)):
        x = np.abs(path(gradient_descent(Quadratic([[3.0]]), [1.0], lr=lr), 2000)[:, 0])
        assert (x[-1] < 1e-6) == decays and x[-1] < 1 + 1e-9
    assert_allclose(x, 1)


def test_ravasis_minimum_clips_nothing_that_is_negative():
    g = np.array([-100.0, 0.5, 100.0])
    assert np.abs(np.minimum(g, 1)).max() == 100
    clipped = Clipped(Function(lambda theta: g @ theta, lambda theta: g, size=3), element=1)
    assert_allclose(clipped.gradient(np.zeros(3)), [-1, 0.5, 1])


def test_ravasis_line_that_ends_constant_does_not_settle_as_its_own_condition_would():
    bowl = Quadratic([[1.0]])

    def distance(lr):
        runs = [path(gradient_descent(Noisy(bowl, 1.0, seed=seed), [1.0], lr=lr), 2000)[1500:] for seed in range(4)]
        return np.mean(np.square(runs))

    # the line's tail keeps a level of α / (2 − α) with α = 0.02; 1/t has Σ α² < ∞ and goes on falling
    assert 0.5 * 0.0101 < distance(piecewise_linear(0.5, 0.02, tau=100)) < 2 * 0.0101
    assert distance(inverse_time(1.0, 1.0)) < 0.15 * 0.0101


# ------------------------------------------------------------------------------- Ravasi on momentum: lecture 3

def test_ravasis_velocity_needs_the_rate():
    gamma, alpha, bowl = 0.9, 0.1, Quadratic([[5.0]])

    def velocities(share):
        theta, v = np.array([1.0]), 0.0
        for _ in range(100):
            v = gamma * v - share * bowl.gradient(theta)
            theta = theta + v
            yield theta

    printed, meant = list(velocities(1)), list(velocities(alpha))
    assert abs(printed[-1]) > 1e20 and abs(meant[-1]) < 0.05
    assert_allclose(meant, path(momentum(bowl, [1.0], lr=alpha, mu=gamma), 100)[1:])


# ------------------------------------------------- Memon, Ravasi and Kashyap on adaptive rates: lecture 4

def test_memons_inverse_is_the_matrix_itself():
    # one step of RMSProp with rho = 0 is lr · sign(g); by the printed M⁻¹ = diag(√s + ε) it is lr g |g|
    g = np.array([10.0, 0.1])
    slope = Function(lambda theta: g @ theta, lambda theta: g, size=2)
    step = -next(rmsprop(slope, np.zeros(2), lr=1.0, rho=0.0))
    s = g**2
    assert_allclose(step, g / (np.sqrt(s) + 1e-8))
    assert_allclose(g * (np.sqrt(s) + 1e-8), [100, 0.01], rtol=1e-6)
    assert_allclose(step, [1, 1], rtol=1e-6)


def test_memons_mean_of_all_squares_forgets_nothing_and_a_moving_average_does():
    g = np.r_[100.0, np.ones(2000)]
    mean, moving = np.cumsum(g**2) / np.arange(1, 2002), 0.0
    for each in g:
        moving = 0.9 * moving + 0.1 * each**2
    assert mean[-1] > 5.9 and abs(moving - 1) < 1e-9


def test_ravasis_small_gradients_have_their_rate_lowered_too():
    g = np.array([5.0, 1e-3])
    run = adagrad(Function(lambda theta: g @ theta, lambda theta: g, size=2), np.zeros(2), lr=1.0)
    rates = np.array([1 / (np.sqrt(run["s"]) + 1e-10) for _ in islice(run, 50)])
    assert (np.diff(rates, axis=0) < 0).all()
    assert_allclose(rates[-1] / rates[0], 50**-0.5, rtol=1e-5)  # by the same share, small or large


def test_the_average_that_delta_bar_delta_compares_with_is_not_the_previous_gradient():
    g = [1.0, 1.0, 1.0, -0.1, 1.0]  # one small slip: as printed the rate falls twice, by the average once

    class Given(Function):
        def loss(self, t):
            return Function(lambda theta: 0.0, lambda theta: np.array([g[t - 1]]), size=1)

    given = Given(lambda theta: 0.0, size=1)
    gains = {rho: [float(run["gain"][0]) for _ in islice(run, 5)]
             for rho in (0.7, 0.0) for run in [delta_bar_delta(given, [0.0], rho=rho)]}
    falls = {rho: int((np.diff(gain) < 0).sum()) for rho, gain in gains.items()}
    assert falls == {0.7: 1, 0.0: 2}


def test_ravasis_stabiliser_of_adam_is_felt_where_gradients_are_a_millionth():
    slope = Function(lambda theta: 1e-6 * theta.sum(), lambda theta: np.full(1, 1e-6), size=1)
    assert_allclose(-next(adam(slope, [0.0], lr=1.0)), 1, rtol=0.02)
    assert_allclose(-next(adam(slope, [0.0], lr=1.0, eps=1e-6)), 0.5)


# ------------------------------------------------------------- Ravaut and Gorti on learned rates: lecture 5

def along_its_gradient(eta=0.3):
    """f(η) = L(w − η g) on a net, with g, and the point w − η g."""
    loss, w = classifier()
    g = loss.gradient(w)
    return loss, w, g, w - eta * g, eta


def test_ravauts_second_derivative_needs_a_second_g():
    loss, w, g, there, eta = along_its_gradient()
    right, h = g @ (loss.hessian(there) @ g), 1e-4
    f = [loss.value(w - (eta + k * h) * g) for k in (-1, 0, 1)]
    assert_allclose(right, (f[0] - 2 * f[1] + f[2]) / h**2, rtol=1e-5)
    assert np.ndim(g @ dense(loss.hessian(there), g.size)) == 1  # as printed it is a row of numbers, not one


def test_ravauts_dot_product_needs_its_minus():
    loss, w, g, there, eta = along_its_gradient()
    h = 1e-5
    slope = (loss.value(w - (eta + h) * g) - loss.value(w - (eta - h) * g)) / (2 * h)
    assert_allclose(-g @ loss.gradient(there), slope, rtol=1e-6)
    assert abs(g @ loss.gradient(there) - slope) > abs(slope)


def test_ravauts_guard_makes_the_denominator_zero_that_it_is_to_keep_from_zero():
    # f(η) = −c η²: the denominator of equation 16 is −8 c ε², and −1e-6 for the c below
    epsilon, delta = 1e-3, 1e-6
    c = delta / (8 * epsilon**2)

    def f(eta):
        return -c * eta**2

    bend = f(2 * epsilon) + f(-2 * epsilon) - 2 * f(0)
    assert abs(bend + delta) < 1e-9 * delta
    steps = np.array([2 * epsilon / (bend + delta) for bend in delta * np.array([-1.001, -0.999])])
    assert steps[0] < -999 * 2 * epsilon / delta and steps[1] > 999 * 2 * epsilon / delta
    meant = 2 * epsilon / (delta * np.array([1.001, 0.999]) + delta)
    assert_allclose(meant, epsilon / delta, rtol=1e-3)


def test_where_f_bends_down_ravauts_newton_step_goes_to_the_maximum():
    # L(w) = cos w from w = 0.5, so that f(η) = cos(0.5 + η sin 0.5), with the maximum at η < 0 and f'' < 0 for small η
    wave, start = Function(lambda w: np.cos(w).sum(), lambda w: -np.sin(w), size=1), np.array([0.5])
    printed = newton_rate_printed(wave, start, lr=0.1, epsilon=1e-2, delta=1e-12)
    guarded = newton_rate(wave, start, lr=0.1)
    next(printed), next(guarded)
    assert printed["lr"] < 0.1 < guarded["lr"]  # f falls with η here: the rate has to rise


def test_in_single_precision_ravauts_epsilon_sees_only_rounding():
    loss, w, g, there, eta = along_its_gradient()
    curvature = g @ (loss.hessian(there) @ g)
    w, g = w.astype(np.float32), g.astype(np.float32)

    def bend(h):
        f = [np.float64(loss.value(w - np.float32(eta + k * h) * g)) for k in (-2, 0, 2)]
        return (f[0] - 2 * f[1] + f[2]) / (4 * h**2)

    assert abs(bend(1e-5) - curvature) > 2 * abs(curvature)
    assert_allclose(bend(0.1), curvature, rtol=0.05)


def test_a_step_of_ravauts_takes_five_values_and_a_single_gradient():
    for method in (newton_rate, newton_rate_printed):
        loss, w = classifier()
        counted = Counted(loss)
        next(method(counted, w))
        assert (counted.values, counted.gradients) == (5, 1)


# -------------------------------------------------------------------- Memon et al. (2024), Section 2: lecture 12

def test_memons_linear_model_starts_from_the_outputs_of_its_own_example():
    loss, theta = classifier()
    change = 1e-3 * np.random.default_rng(1).standard_normal(theta.size)
    here, there = (loss.network.outputs(x, loss.X) for x in (theta, theta + change))
    h = 1e-6  # J_i (θ′ − θ), by differences of the outputs
    ahead, behind = (loss.network.outputs(theta + way * change, loss.X) for way in (h, -h))
    slope = (ahead - behind) / (2 * h)
    assert np.abs(here + slope - there).max() < 1e-4
    assert np.abs(here.mean(axis=0) + slope - there).max() > 0.1  # the best single f(θ) for all examples


@pytest.mark.parametrize("examples", [2, 5])
def test_memons_nystrom_has_a_transpose_too_many_and_an_inverse_that_need_not_be(examples):
    """Equation (8)."""
    batch, theta = classifier(examples)
    F = dense(batch.fisher(theta), theta.size)
    rank = np.linalg.matrix_rank(F)
    chosen = np.random.default_rng(1).permutation(theta.size)[:rank + 3]
    C, W = F[:, chosen], F[np.ix_(chosen, chosen)]
    with pytest.raises(ValueError, match="mismatch"):
        C @ np.linalg.pinv(W) @ F[chosen, :].T
    assert np.linalg.matrix_rank(W) < len(chosen), "and so it has no inverse"
    meant = C @ np.linalg.pinv(W, rcond=1e-12, hermitian=True) @ F[chosen, :]
    assert_allclose(meant[:, chosen], C, atol=1e-8)
    assert_allclose(meant, F, atol=1e-6 * np.abs(F).max())
    assert_allclose(nystrom(F, chosen) @ np.ones(theta.size), F @ np.ones(theta.size), atol=1e-6)


@pytest.mark.parametrize("examples", [1, 3, 6])
def test_a_fisher_matrix_is_semidefinite_and_so_is_any_square_of_it(examples):
    """"Clearly" positive definite, and F[I, I] "guaranteed": the rank is at most examples times free outputs."""
    batch, theta = classifier(examples)
    F = dense(batch.fisher(theta), theta.size)
    lam = np.linalg.eigvalsh(F)
    assert lam[0] > -1e-12 and np.sum(lam > 1e-10 * lam[-1]) <= 2 * examples < theta.size
    square = F[:2 * examples + 1, :2 * examples + 1]
    assert np.linalg.eigvalsh(square)[0] < 1e-10 * lam[-1]


@pytest.mark.parametrize("seed", range(3))
def test_gcr_is_not_only_for_symmetric_matrices(seed):
    """xᵀAx > 0 is what it needs; conjugate gradients need symmetry, and fail here."""
    rng = np.random.default_rng(seed)
    skew, b = rng.standard_normal((6, 6)), rng.standard_normal(6)
    A = np.eye(6) + skew - skew.T
    assert np.abs(A - A.T).max() > 0.5
    assert_allclose(gcr(A, b), np.linalg.solve(A, b), atol=1e-8)
    *_, last = islice(conjugate_gradient_iterates(A, b), 6)
    assert np.linalg.norm(b - A @ last.x) > 1e-3


def test_memons_residual_is_minus_the_gradient():
    """r = −f(x; θ), with the outputs of the network, has not even as many numbers as there are weights."""
    batch, theta = classifier()
    assert batch.network.outputs(theta, batch.X[:1]).size != theta.size
    run = nltgcr_fisher(batch, theta, start=0)
    next(run)
    assert_allclose(run["r"], -batch.gradient(theta))


@pytest.mark.parametrize("window", [1, 3, 4])
def test_of_the_directions_that_are_kept_the_first_is_j_less_m_plus_one(window):
    """Equation (6): p_{j_m}, p_{j_m + 1}, …, p_j with j_m = max(1, j − m + 1)."""
    batch, theta = classifier()
    run, made = nltgcr(batch, theta, curvature="fisher", damping=0.1, window=window), []
    for j in range(1, 9):
        next(run)
        made.append(run["pairs"][-1][0])
        first = max(1, j - window + 1)
        assert len(run["pairs"]) == j - first + 1
        for kept, there in zip(run["pairs"], made[first - 1:], strict=True):
            assert_allclose(kept[0], there)


def test_the_fisher_matrix_is_the_mean_hessian_over_the_models_own_labels_and_not_over_those_of_the_data():
    """Memon et al. (2024), Section 1: "in expectation … is the Hessian"."""
    batch, theta = classifier(examples=4)
    F, H = (dense(matrix(theta), theta.size) for matrix in (batch.fisher, batch.hessian))
    assert np.linalg.norm(H - F) > 0.1 * np.linalg.norm(F)
    mean = np.zeros_like(F)
    for x, p in zip(batch.X, softmax(batch.network.outputs(theta, batch.X))):
        for label in range(3):
            one = MiniBatch(batch.network, x[None], np.array([label]))
            mean += p[label] * dense(one.hessian(theta), theta.size) / len(batch.X)
    assert_allclose(mean, F, atol=1e-10)
