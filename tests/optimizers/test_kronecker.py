"""Lecture 11 in tests: each says something the lecture says."""
from itertools import islice
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import block_diag, polar, sqrtm
from scipy.optimize import minimize, minimize_scalar

from numopt.networks import Conv2D, Dense, Flatten, Network, SquaredError, Tanh, linear, mlp
from numopt.optimizers import (
    adagrad, adam, ekfac, full_matrix_adagrad, gradient_descent, kfac, kfac_martens, muon, natural_gradient, shampoo,
    soap)
from numopt.optimizers.kronecker import (
    balance, between, between_inverses, damped_cholesky, inverse_roots, least_on_plane)
from numopt.problems import Counted, EmpiricalRisk, MiniBatch, Objective, Quadratic, Ridge, Wrapped
from numopt.record import path

RANDOM = np.random.default_rng(0)
NETWORK = mlp([4, 3, 2], loss=SquaredError())
X, Y = RANDOM.standard_normal((30, 4)) + 1, RANDOM.standard_normal((30, 2))
THETA = NETWORK.initial(seed=1)
CLASSIFIER = mlp([4, 5, 3])
LABELS = RANDOM.integers(3, size=30)
WEIGHTS = CLASSIFIER.initial(seed=2)
M = RANDOM.standard_normal((6, 6))
A6, B6, W6 = M @ M.T + 0.1 * np.eye(6), RANDOM.standard_normal(6), RANDOM.standard_normal(6)
P, Q = (np.linalg.qr(RANDOM.standard_normal((n, n)))[0] for n in (2, 3))

# K-FAC without anything around it: the whole step, undamped, by exact factors of the newest batch.
PLAIN = {"lr": 1.0, "mu": 0.0, "damping": 0.0, "kappa": 1e12, "beta": 0.0, "every": 1, "labels": "exact"}


class OfMatrix(Quadratic):
    """A quadratic function of a 2 x 3 matrix."""

    def blocks(self, vector):
        return [vector.reshape(2, 3)]


class Sequence(Objective):
    """Gradients that do not depend on θ: the t-th of a list at step t, as a matrix of so many columns."""

    def __init__(self, gradients, columns=1, now=None):
        self.gradients, self.columns, self.now = gradients, columns, now

    def loss(self, t):
        return Sequence(self.gradients, self.columns, self.gradients[(t - 1) % len(self.gradients)])

    def gradient(self, theta):
        return np.ravel(self.now)

    def blocks(self, vector):
        return [vector.reshape(-1, self.columns)]


MATRICES = [RANDOM.standard_normal((4, 3)) for _ in range(6)]
PROBLEM = Sequence(MATRICES, columns=3)
ZERO = np.zeros(12)


def steps(method, problem, start, n, **settings):
    """The first n steps of a method."""
    return np.diff(path(method(problem, start, **settings), n), axis=0)


def least_squares(X, Y):
    """The weights [W | b] with the least squared error, flat."""
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), Y, rcond=None)[0].T.ravel()


def power(S, p):
    """A power of a symmetric positive definite matrix."""
    lam, U = np.linalg.eigh(S)
    return U @ np.diag(lam**p) @ U.T


@pytest.mark.parametrize("optimizer", [full_matrix_adagrad, kfac, shampoo, soap, muon])
def test_a_step_whose_rate_is_zero_goes_nowhere(optimizer):
    momentum = {"mu": 0.0} if optimizer in (kfac, shampoo) else {}
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS)
    x = path(optimizer(risk, WEIGHTS, lr=lambda t: 0.0 if t == 3 else 0.1, **momentum), 4)
    assert np.array_equal(x[3], x[2])
    assert not np.allclose(x[2], x[1]) and not np.allclose(x[4], x[3])


@pytest.mark.parametrize("optimizer", [kfac, shampoo])
def test_a_velocity_of_which_a_schedule_keeps_no_share_is_forgotten(optimizer):
    run = optimizer(EmpiricalRisk(CLASSIFIER, X, LABELS), WEIGHTS, lr=0.01, mu=lambda t: {1: 0.9, 2: 0.0}[t])
    x = path(run, 2)
    assert_allclose(x[2] - x[1], -0.01 * (run["nu"] if optimizer is kfac else 1) * run["d"], atol=1e-15)


# Full-matrix AdaGrad


def test_full_matrix_adagrad_multiplies_by_the_inverse_root_of_the_sum_of_outer_products():
    gradients = [G.ravel() for G in MATRICES]
    d = steps(full_matrix_adagrad, Sequence(gradients), ZERO, 6, lr=0.1, eps=1e-3)
    for t in range(1, 7):
        S = sum(np.outer(g, g) for g in gradients[:t]) + 1e-3 * np.eye(12)
        assert_allclose(d[t - 1], -0.1 * np.linalg.solve(sqrtm(S), gradients[t - 1]), rtol=1e-8)


def test_its_first_step_has_the_length_of_the_rate_along_the_gradient():
    g = MATRICES[0].ravel()
    assert_allclose(steps(full_matrix_adagrad, PROBLEM, ZERO, 1, lr=0.1)[0], -0.1 * g / np.linalg.norm(g), rtol=1e-7)


def test_turning_the_coordinates_turns_its_path_and_not_that_of_adagrad():
    turn = np.kron(P, Q)
    plain, turned = Quadratic(A6, B6), Quadratic(turn.T @ A6 @ turn, turn.T @ B6)
    for method, same in ((full_matrix_adagrad, True), (adagrad, False)):
        expected = path(method(plain, W6, lr=0.1), 10) @ turn
        assert np.allclose(path(method(turned, turn.T @ W6, lr=0.1), 10), expected, rtol=1e-5) == same


def test_it_is_adagrad_where_every_gradient_lies_along_an_axis():
    problem = Sequence(np.eye(4)[[0, 2, 2, 1, 0, 3]] * np.array([1.0, -2, 3, 0.5, -1, 4])[:, None])
    assert_allclose(path(full_matrix_adagrad(problem, np.zeros(4), lr=0.1), 12),
                    path(adagrad(problem, np.zeros(4), lr=0.1), 12), rtol=1e-8)


def test_the_outer_products_are_summed_so_under_a_constant_gradient_the_steps_fall_with_the_root_of_t():
    """Smoothed, as Memon et al. (2024) have it, G would stay the same, and so would the step."""
    d = steps(full_matrix_adagrad, Sequence(MATRICES[:1]), ZERO, 9, lr=0.1)
    assert_allclose(np.linalg.norm(d, axis=1), 0.1 / np.sqrt(np.arange(1, 10)), rtol=1e-6)


def test_with_the_root_the_scale_of_the_loss_does_not_matter_and_with_the_inverse_it_would():
    gradients = [G.ravel() for G in MATRICES]
    once, thrice = (steps(full_matrix_adagrad, Sequence([c * g for g in gradients]), ZERO, 6) for c in (1, 3))
    assert_allclose(thrice, once, rtol=1e-6)
    S = sum(np.outer(g, g) for g in gradients) + np.eye(12)
    inverse = [np.linalg.solve(c**2 * S, c * gradients[-1]) for c in (1, 3)]
    assert_allclose(inverse[1], inverse[0] / 3)


# Shampoo


def test_shampoo_is_the_power_of_a_kronecker_product_on_the_flat_gradient():
    d = steps(shampoo, PROBLEM, ZERO, 6, lr=0.1, eps=0.01)
    L, R = 0.01 * np.eye(4), 0.01 * np.eye(3)
    for t, G in enumerate(MATRICES):
        L, R = L + G @ G.T, R + G.T @ G
        assert_allclose(d[t], -0.1 * power(np.kron(L, R), -1 / 4) @ G.ravel(), rtol=1e-9)


def test_every_layer_has_its_own_factors():
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS)
    g = risk.loss(1).gradient(WEIGHTS)
    whole = block_diag(*(power(np.kron(G @ G.T + 0.1 * np.eye(len(G)), G.T @ G + 0.1 * np.eye(len(G.T))), -1 / 4)
                         for G in CLASSIFIER.blocks(g)))
    assert_allclose(steps(shampoo, risk, WEIGHTS, 1, lr=1.0, eps=0.1)[0], -whole @ g)


def test_its_first_step_has_singular_values_of_one_and_with_the_exponent_of_other_packages_of_one_over_s():
    G = MATRICES[0]
    U, S, Vt = np.linalg.svd(G, full_matrices=False)
    assert_allclose(steps(shampoo, PROBLEM, ZERO, 1, lr=1.0, eps=1e-12)[0].reshape(4, 3), -U @ Vt, atol=1e-5)
    L, R = power(G @ G.T + 1e-9 * np.eye(4), -1 / 2), power(G.T @ G + 1e-9 * np.eye(3), -1 / 2)
    assert_allclose(L @ G @ R, U @ np.diag(1 / S) @ Vt, rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 12])
def test_on_a_vector_standing_or_lying_it_is_full_matrix_adagrad(columns):
    assert_allclose(path(shampoo(Sequence(MATRICES, columns), ZERO, lr=0.1, eps=1e-3), 6),
                    path(full_matrix_adagrad(Sequence(MATRICES), ZERO, lr=0.1, eps=1e-3), 6), rtol=1e-9)


def test_on_a_single_number_it_is_adagrad():
    problem = Sequence([np.array([2.0]), np.array([-1.0]), np.array([3.0])])
    assert_allclose(steps(shampoo, problem, np.zeros(1), 3, lr=0.1, eps=0.0).ravel(),
                    -0.1 * np.array([2, -1, 3]) / np.sqrt([4, 5, 14]))


def test_its_root_is_nearer_to_that_of_full_matrix_adagrad_than_the_diagonal_one_is():
    """For gradients that are a fixed left and right matrix around noise, whose second moment is a Kronecker product."""
    left, right = RANDOM.standard_normal((3, 3)), RANDOM.standard_normal((3, 3))
    G = [left @ RANDOM.standard_normal((3, 3)) @ right for _ in range(2000)]
    full = sum(np.outer(g, g) for g in map(np.ravel, G))
    L, R = sum(g @ g.T for g in G), sum(g.T @ g for g in G)
    apart = [np.linalg.norm(S / np.trace(S) - sqrtm(full) / np.trace(sqrtm(full)))
             for S in (power(np.kron(L, R), 1 / 2), np.diag(np.sqrt(np.diag(full))))]
    assert apart[0] < apart[1] / 2


@pytest.mark.parametrize("graft", ["sgd", "adagrad"])
def test_grafting_keeps_the_direction_of_each_block_and_takes_the_length_of_the_other_method(graft):
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10)
    method = {"sgd": gradient_descent, "adagrad": adagrad}[graft]
    ours, bare = (steps(shampoo, risk, WEIGHTS, 1, lr=0.3, graft=name)[0] for name in (graft, None))
    other = steps(method, risk, WEIGHTS, 1, lr=0.3)[0]
    for own, alone, length in zip(*map(CLASSIFIER.blocks, (ours, bare, other))):
        assert_allclose(np.linalg.norm(own), np.linalg.norm(length))
        assert_allclose(own / np.linalg.norm(own), alone / np.linalg.norm(alone))


def test_grafted_to_adagrad_every_step_is_as_long_as_adagrads():
    assert_allclose(np.linalg.norm(steps(shampoo, PROBLEM, ZERO, 6, lr=0.1, graft="adagrad"), axis=1),
                    np.linalg.norm(steps(adagrad, PROBLEM, ZERO, 6, lr=0.1), axis=1))


def test_the_first_step_of_shampoo_is_orthogonal_however_unlike_the_singular_values_of_the_gradient():
    """(GGᵀ)^(−¼) G (GᵀG)^(−¼) = UVᵀ; of squares below a millionth of the largest, too."""
    U, V = (np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0] for seed in (0, 1))
    G = U * [1.0, 0.1, 1e-2, 1e-4] @ V.T
    L_root, R_root = inverse_roots(G @ G.T, G.T @ G)
    assert_allclose(L_root @ G @ R_root, U @ V.T, atol=1e-5)


def test_turning_the_rows_and_the_columns_turns_the_path_of_shampoo():
    turn = np.kron(P, Q)
    expected = path(shampoo(OfMatrix(A6, B6), W6), 10) @ turn
    assert_allclose(path(shampoo(OfMatrix(turn.T @ A6 @ turn, turn.T @ B6), turn.T @ W6), 10), expected, rtol=1e-8)


def test_between_renewals_the_roots_are_kept_and_the_sums_go_on():
    run = shampoo(PROBLEM, ZERO, every=3)
    renewed, before = [], ()
    for t in range(1, 8):
        next(run)
        renewed, before = renewed + [t] * (run["L_root"] is not before), run["L_root"]
    assert renewed == [1, 4, 7]
    assert_allclose(run["L"][0], 1e-4 * np.eye(4) + sum(G @ G.T for G in MATRICES) + MATRICES[0] @ MATRICES[0].T)


def test_its_momentum_is_that_of_the_heavy_ball():
    bare, heavy = (steps(shampoo, PROBLEM, ZERO, 6, lr=0.1, mu=mu) for mu in (0.0, 0.8))
    assert_allclose(heavy, [sum(0.8**(t - s) * bare[s] for s in range(t + 1)) for t in range(6)])


def test_an_unknown_graft_is_refused():
    with pytest.raises(ValueError, match="graft is 'adam'; it must be 'sgd' or 'adagrad'"):
        next(shampoo(PROBLEM, ZERO, graft="adam"))


# K-FAC


def test_row_by_row_the_fisher_matrix_of_a_layer_is_g_kron_a_and_its_inverse_acts_from_both_sides():
    """For one example it is so exactly; Memon et al. (2024) write A ⊗ G, which is so column by column."""
    batch = MiniBatch(NETWORK, X[:1], Y[:1])
    F = batch.fisher(THETA) @ np.eye(NETWORK.size)
    ends = np.cumsum([0] + [W.size for W in NETWORK.blocks(THETA)])
    V = NETWORK.blocks(RANDOM.standard_normal(NETWORK.size))
    for i, (A, G) in enumerate(batch.kronecker_factors(THETA, labels="exact")):
        block = F[ends[i]:ends[i + 1], ends[i]:ends[i + 1]]
        assert_allclose(np.kron(G, A), block, atol=1e-12)
        assert not np.allclose(np.kron(A, G), block, rtol=0.1)
        A, G = A + np.eye(len(A)), G + np.eye(len(G))
        acted = between([np.linalg.inv(G)], [V[i]], [np.linalg.inv(A)])
        assert_allclose(acted, np.linalg.solve(np.kron(G, A), V[i].ravel()))
        columns = np.linalg.solve(np.kron(A, G), V[i].ravel(order="F"))
        assert_allclose(acted, columns.reshape(V[i].shape, order="F").ravel())


def test_for_linear_regression_it_is_the_natural_gradient_and_arrives_in_one_step():
    network = linear(4, 2)
    thetas = path(kfac(EmpiricalRisk(network, X, Y), network.initial(seed=3), **PLAIN), 2)
    assert_allclose(thetas[1], least_squares(X, Y), rtol=1e-9)
    assert_allclose(thetas[2], least_squares(X, Y), rtol=1e-9)


def test_with_centred_factors_it_would_not():
    """np.cov is about the mean; the Fisher matrix is a second moment about zero."""
    network = linear(4, 2)
    batch, theta = MiniBatch(network, X, Y), network.initial(seed=3)
    (A, G), = batch.kronecker_factors(theta, labels="exact")
    F = batch.fisher(theta) @ np.eye(network.size)
    centred = np.cov(np.column_stack([X, np.ones(30)]).T, bias=True)
    assert_allclose(np.kron(G, A), F, atol=1e-12)
    assert np.linalg.norm(np.kron(G, centred) - F) > 0.3 * np.linalg.norm(F)
    assert np.linalg.matrix_rank(centred) == 4, "the bias never varies: its row is zero"


def test_it_does_not_matter_in_which_units_the_inputs_come():
    """x' = Bx + c is undone by other first weights; the path of K-FAC is the same, that of gradient descent is not."""
    B, c = RANDOM.standard_normal((4, 4)) + 2 * np.eye(4), RANDOM.standard_normal(4)
    J = np.block([[B, c[:, None]], [np.zeros(4), np.ones(1)]])

    def in_other_units(theta):
        first, second = NETWORK.blocks(theta)
        return np.concatenate([(first @ np.linalg.inv(J)).ravel(), second.ravel()])

    settings = {**PLAIN, "lr": 0.3, "beta": 0.9, "mu": 0.5}
    plain, other = EmpiricalRisk(NETWORK, X, Y), EmpiricalRisk(NETWORK, X @ B.T + c, Y)
    assert_allclose(plain.loss(1).value(THETA), other.loss(1).value(in_other_units(THETA)))
    for method, settings, same in ((kfac, settings, True), (gradient_descent, {"lr": 0.01}, False)):
        expected = [in_other_units(theta) for theta in path(method(plain, THETA, **settings), 6)]
        found = path(method(other, in_other_units(THETA), **settings), 6)
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-8) == same


def test_pi_by_hand():
    assert balance(np.diag([2.0, 4.0]), np.diag([1.0, 1.0, 4.0])) == pytest.approx(sqrt(3 / 2))
    assert balance(np.eye(2), np.zeros((3, 3))) == 1


def test_pi_makes_what_factored_damping_adds_too_much_as_small_as_it_can_be():
    """(A + πγI) ⊗ (G + γ/π I) = A ⊗ G + γ²I + γ (A ⊗ I / π + π I ⊗ G), whose last term should be small."""
    A, G = M[:4] @ M[:4].T, M[:3] @ M[:3].T

    def excess(log_pi):
        pi, gamma = np.exp(log_pi), 0.3
        damped = np.kron(G + gamma / pi * np.eye(3), A + pi * gamma * np.eye(4))
        return np.trace(damped - np.kron(G, A) - gamma**2 * np.eye(12))

    assert_allclose(np.exp(minimize_scalar(excess, bounds=(-5, 5)).x), balance(A, G), rtol=1e-4)


def test_the_damped_factors_do_not_depend_on_how_a_factor_two_is_shared_between_a_and_g():
    A, G = [M[:4] @ M[:4].T], [M[:3] @ M[:3].T]
    (A_chol,), (G_chol,) = damped_cholesky(A, G, 0.3)
    (A_other,), (G_other,) = damped_cholesky([2 * A[0]], [G[0] / 2], 0.3)
    assert_allclose(np.kron(G_chol, A_chol), np.kron(G_other, A_other))
    pi = sqrt(np.trace(A[0]) / 4 / (np.trace(G[0]) / 3))
    assert_allclose(A_chol @ A_chol.T, A[0] + 0.3 * pi * np.eye(4))
    assert_allclose(G_chol @ G_chol.T, G[0] + 0.3 / pi * np.eye(3))


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-4), (np.float64, 1e-11)])
@pytest.mark.parametrize("m, n", [(3, 5), (5, 3), (1, 4), (4, 1), (3, 300), (300, 5)])
def test_between_the_inverses_of_the_factors_is_the_inverse_of_their_kronecker_product(m, n, dtype, rtol):
    """The same where a factor is so wide that no inverse is formed."""
    random = np.random.default_rng(m)
    A, G = (S @ S.T + np.eye(len(S)) for S in (random.standard_normal((n, n)), random.standard_normal((m, m))))
    W = random.standard_normal((m, n))
    A_chol, G_chol = ([np.linalg.cholesky(S).astype(dtype)] for S in (A, G))
    found = between_inverses(G_chol, [W.astype(dtype)], A_chol)
    assert found.dtype == dtype and found.shape == (m * n,)
    if m * n < 100:
        assert_allclose(found, np.linalg.solve(np.kron(G, A), W.ravel()), rtol=rtol, atol=rtol)
    assert_allclose(G @ found.reshape(m, n) @ A, W, atol=300 * n * rtol)


@pytest.mark.parametrize("beta, weights", [(0.95, [1, 1, 1, 1, 1]), (0.5, [1, 1, 2, 4, 8])])
def test_the_factors_are_means_at_first_and_forget_when_that_many_are_gathered(beta, weights):
    risk = EmpiricalRisk(NETWORK, X, Y, batch_size=6)
    run = kfac(risk, THETA, beta=beta)
    path(run, 5)
    inputs = [np.column_stack([risk.loss(t).X, np.ones(6)]) for t in range(1, 6)]
    moments = sum(w * x.T @ x / 6 for w, x in zip(weights, inputs)) / sum(weights)
    assert_allclose(run["A"][0], moments)


def test_the_labels_are_drawn_anew_at_every_step_as_a_function_of_seed_and_step():
    batch = MiniBatch(CLASSIFIER, X, LABELS)  # the same at every step
    run = kfac(batch, WEIGHTS, lr=0.0, beta=0.0)
    drawn = []
    for t in (1, 2):
        next(run)
        drawn.append(run["G"])
        assert_allclose(run["G"][1], batch.kronecker_factors(WEIGHTS, seed=[0, t])[1][1])
    assert not np.allclose(drawn[0][1], drawn[1][1], rtol=1e-3)
    other = kfac(batch, WEIGHTS, lr=0.0, beta=0.0, seed=1)
    next(other)
    assert not np.allclose(drawn[0][1], other["G"][1], rtol=1e-3)


@pytest.mark.parametrize("labels", ["sampled", "exact", "data"])
def test_whose_labels_is_a_hyperparameter(labels):
    batch = MiniBatch(CLASSIFIER, X, LABELS)
    run = kfac(batch, WEIGHTS, labels=labels)
    next(run)
    for i, (A, G) in enumerate(batch.kronecker_factors(WEIGHTS, seed=[0, 1], labels=labels)):
        assert_allclose(run["A"][i], A)
        assert_allclose(run["G"][i], G)


def test_a_step_is_no_longer_than_the_root_of_kappa_as_the_damped_factors_measure_it():
    risk, damping, kappa = EmpiricalRisk(CLASSIFIER, X, LABELS), 0.01, 1e-3
    free, clipped = (kfac(risk, WEIGHTS, lr=0.5, mu=0.0, damping=damping, kappa=k) for k in (1e9, kappa))
    d_free, d_clipped = next(free) - WEIGHTS, next(clipped) - WEIGHTS
    F = block_diag(*(np.kron(G + sqrt(damping) / balance(A, G) * np.eye(len(G)),
                             A + sqrt(damping) * balance(A, G) * np.eye(len(A))) for A, G in zip(free["A"], free["G"])))
    assert d_free @ F @ d_free > kappa
    assert_allclose(d_clipped @ F @ d_clipped, kappa)
    assert_allclose(d_clipped / np.linalg.norm(d_clipped), d_free / np.linalg.norm(d_free))
    assert_allclose(d_free, -0.5 * np.linalg.solve(F, risk.loss(1).gradient(WEIGHTS)))
    run, theta = kfac(risk, WEIGHTS, lr=lambda t: t / 2, mu=0.0, damping=damping, kappa=kappa), WEIGHTS
    for _ in range(3):
        d, theta = next(run) - theta, run.theta
        F = block_diag(*(np.kron(G @ G.T, A @ A.T) for A, G in zip(run["A_chol"], run["G_chol"])))
        assert_allclose(d @ F @ d, kappa, rtol=1e-6)


@pytest.mark.parametrize("method, settings, steps", [
    (kfac, {"every": 4}, [1, 2, 3, 4, 8, 12]),
    (kfac_martens, {"T2": 100, "T3": 4}, [1, 2, 3, 4, 8, 12]),
    (kfac_martens, {"T2": 5, "T3": 100}, [1, 2, 3, 5, 10])])
def test_the_cholesky_factors_are_renewed_at_the_first_three_steps_and_then_now_and_then(method, settings, steps):
    run = method(EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10), WEIGHTS, **settings)
    renewed, before = [], ()
    for t in range(1, 13):
        next(run)
        renewed, before = renewed + [t] * (run["A_chol"] is not before), run["A_chol"]
    assert renewed == steps


@pytest.mark.parametrize("form", ["expand", "reduce"])
def test_a_convolution_is_a_layer_like_another(form):
    network = Network(Conv2D(1, 3, 3), Tanh(), Flatten(), Dense(48, 3), inputs=(6, 6, 1))
    images, labels = RANDOM.standard_normal((40, 6, 6, 1)), RANDOM.integers(3, size=40)
    risk = EmpiricalRisk(network, images, labels, batch_size=20)
    theta = network.initial(seed=4)
    run = kfac(risk, theta, form=form, lr=0.3, kappa=1e-2)
    g = risk.loss(1).gradient(theta)
    assert (next(run) - theta) @ g < 0
    for (A, G), A_run in zip(risk.loss(1).kronecker_factors(theta, form=form), run["A"]):
        assert_allclose(A, A_run)
    assert risk.whole.value(path(run, 20)[-1]) < 0.5 * risk.whole.value(theta)


# K-FAC by itself: Martens and Grosse's Algorithm 2


def model(batch, theta, damping):
    """M(δ) − M(0) with the dense, damped Fisher matrix."""
    g, F = batch.gradient(theta), batch.fisher(theta) @ np.eye(theta.size) + damping * np.eye(theta.size)
    return lambda d: g @ d + d @ F @ d / 2


def proposal(batch, theta, A, G, gamma):
    """Δ = −F̃⁻¹g from dense Kronecker products."""
    F = block_diag(*(np.kron(G_i + gamma / balance(A_i, G_i) * np.eye(len(G_i)),
                             A_i + gamma * balance(A_i, G_i) * np.eye(len(A_i))) for A_i, G_i in zip(A, G)))
    return -np.linalg.solve(F, batch.gradient(theta))


def test_the_least_on_a_plane_is_what_a_general_minimizer_finds():
    g, Delta, delta = RANDOM.standard_normal((3, 6))
    alpha, mu = least_on_plane(A6, g, Delta, delta)
    found = minimize(lambda c: g @ (c[0] * Delta + c[1] * delta)
                     + (c[0] * Delta + c[1] * delta) @ A6 @ (c[0] * Delta + c[1] * delta) / 2, [0, 0])
    assert_allclose([alpha, mu], found.x, rtol=1e-4)
    assert_allclose(g @ (alpha * Delta + mu * delta) / 2, found.fun)


@pytest.mark.parametrize("long, last", [(1, 1e-12), (1, 1e12), (1e-150, 1e150), (1e150, 1e-150), (1e-100, 1e-100)])
def test_how_long_proposal_and_last_step_are_says_nothing_about_their_plane(long, last):
    g, Delta, delta = RANDOM.standard_normal((3, 6))
    alpha, mu = least_on_plane(A6, g, long * Delta, last * delta)
    plane = np.column_stack([Delta, delta])
    assert_allclose([alpha * long, mu * last], -np.linalg.solve(plane.T @ A6 @ plane, plane.T @ g), rtol=1e-9)


def test_without_a_last_step_it_is_the_least_along_the_proposal():
    g, Delta = RANDOM.standard_normal((2, 6))
    alpha, mu = least_on_plane(A6, g, Delta, np.zeros(6))
    assert_allclose([alpha, mu], [-(g @ Delta) / (Delta @ A6 @ Delta), 0])


def test_every_step_is_the_least_of_the_damped_model_over_proposal_and_last_step():
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10)
    run = kfac_martens(risk, WEIGHTS, damping=0.7, T1=100, T2=100)
    theta, last = WEIGHTS, np.zeros(WEIGHTS.size)
    for t in (1, 2, 3):
        new, batch = next(run), risk.loss(t)
        m, Delta = model(batch, theta, 0.7), proposal(batch, theta, run["A"], run["G"], sqrt(0.7))
        found = minimize(lambda c: m(c[0] * Delta + c[1] * last), [0.1, 0.1], tol=1e-12)
        assert_allclose(new - theta, found.x[0] * Delta + found.x[1] * last, atol=1e-5)
        assert_allclose(run["M"], found.fun, rtol=1e-6)
        theta, last = new, new - theta


def test_it_finds_the_rate_itself_and_arrives_where_the_model_is_right():
    network = linear(4, 2)
    run = kfac_martens(EmpiricalRisk(network, X, Y), network.initial(seed=3), damping=0.0, labels="exact")
    assert_allclose(next(run), least_squares(X, Y), rtol=1e-8)
    assert_allclose(run["alpha"], 1.0)
    assert_allclose(path(run, 6)[-1], least_squares(X, Y), rtol=1e-8)


def test_the_fisher_matrix_does_not_see_a_ridge_and_eta_says_it():
    """The loss is quadratic: the model foretells its change exactly if it knows of the ridge."""
    network, strength = linear(4, 2), 0.3
    problem, theta = Ridge(EmpiricalRisk(network, X, Y), strength), network.initial(seed=3)
    for eta, right in ((strength, True), (0.0, False)):
        run = kfac_martens(problem, theta, eta=eta, damping=0.0, gamma=0.1, labels="exact")
        change = problem.loss(1).value(next(run)) - problem.loss(1).value(theta)
        assert np.isclose(change, run["M"], rtol=1e-9) == right


class Told(Wrapped):
    """A problem whose changes of value are told as so many times what they are."""

    def __init__(self, problem, factor):
        super().__init__(problem)
        self.factor = factor

    def value(self, theta):
        return self.factor * self.problem.value(theta)

    def value_and_gradient(self, theta):
        return self.value(theta), self.problem.gradient(theta)


@pytest.mark.parametrize("factor, power", [(1.0, 1), (0.76, 1), (0.74, 0), (0.26, 0), (0.24, -1), (-1.0, -1)])
def test_damping_falls_where_the_model_foretold_the_change_and_rises_where_it_did_not(factor, power):
    network = linear(4, 2)
    run = kfac_martens(Told(EmpiricalRisk(network, X, Y), factor), network.initial(seed=3), damping=1e-9, T1=1,
                       labels="exact")
    next(run)
    assert run["damping"] == pytest.approx(1e-9 * (19 / 20)**power)


def test_damping_changes_at_every_t1_steps_only_and_by_as_much_more():
    run = kfac_martens(Told(EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10), -1.0), WEIGHTS, damping=1.0, T1=4)
    dampings = [run["damping"] for _ in islice(run, 9)]
    assert_allclose(dampings, np.repeat([1, (20 / 19)**4, (20 / 19)**8], [3, 4, 2]))


def test_gamma_goes_where_the_model_is_least_which_may_be_down_up_or_nowhere():
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10)
    ways = set()
    for gamma in (1e-3, 0.1, 0.3, 0.5, 10.0):
        run = kfac_martens(risk, WEIGHTS, damping=0.5, gamma=gamma, T1=100, T2=4)
        theta = path(run, 3)[-1]
        last, batch = run["delta"], risk.loss(4)
        assert run["gamma"] == gamma
        next(run)
        m, trials = model(batch, theta, 0.5), {}
        for way in (-1, 0, 1):
            tried = gamma * sqrt(20 / 19)**(4 * way)
            Delta = proposal(batch, theta, run["A"], run["G"], tried)
            trials[way] = minimize(lambda c: m(c[0] * Delta + c[1] * last), [0.1, 0.1], tol=1e-12).fun
        best = min(trials, key=trials.get)
        assert run["gamma"] == pytest.approx(gamma * sqrt(20 / 19)**(4 * best))
        assert run["M"] == pytest.approx(trials[best], rel=1e-6)
        ways.add(best)
    assert {-1, 1} <= ways, "gamma must be able to rise as well as to fall"


def test_at_first_gamma_is_the_root_of_the_damping_and_eta():
    run = kfac_martens(EmpiricalRisk(CLASSIFIER, X, LABELS), WEIGHTS, damping=0.6, eta=0.1)
    next(run)
    assert run["gamma"] == pytest.approx(sqrt(0.7))


def test_at_a_minimum_it_stays_and_leaves_its_damping_alone():
    network = linear(4, 2)
    run = kfac_martens(EmpiricalRisk(network, np.zeros((3, 4)), np.zeros((3, 2))), np.zeros(10), damping=2.0, T1=1)
    assert np.array_equal(path(run, 3), np.zeros((4, 10))) and run["damping"] == 2.0


# SOAP


def test_the_first_gradient_says_what_the_coordinates_are_and_moves_nothing():
    run = soap(PROBLEM, ZERO)
    assert np.array_equal(next(run), ZERO)
    G = MATRICES[0]
    for Q_i, S in ((run["Q_L"][0], G @ G.T), (run["Q_R"][0], G.T @ G)):
        assert_allclose(Q_i.T @ Q_i, np.eye(len(S)), atol=1e-12)
        lam = Q_i.T @ S @ Q_i
        assert_allclose(lam, np.diag(np.diag(lam)), atol=1e-10)
        assert (np.diff(np.diag(lam)) < 1e-10).all(), "the largest first"


def test_its_second_step_is_the_sign_of_the_gradient_in_those_coordinates():
    """But for eps, which is added to the root of the square."""
    U, _, Vt = np.linalg.svd(MATRICES[0])
    turned = U.T @ MATRICES[1] @ Vt.T
    for eps in (0.0, 0.5):
        d = steps(soap, PROBLEM, ZERO, 2, lr=0.1, eps=eps, weight_decay=0.0)[1].reshape(4, 3)
        assert_allclose(d, -0.1 * U @ (turned / (np.abs(turned) + eps)) @ Vt, atol=1e-10)


def test_where_shampoos_matrices_are_diagonal_it_is_adam():
    diagonals = RANDOM.standard_normal((8, 3)) * [5, 2, 0.3]
    problem = Sequence([np.diag(d) for d in diagonals], columns=3)
    run = soap(problem, np.zeros(9), lr=0.1, weight_decay=0.0, every=2)
    after_first = Sequence([np.diag(d) for d in diagonals[1:]])
    assert_allclose(path(run, 8)[1:], path(adam(after_first, np.zeros(9), lr=0.1, beta1=0.95, beta2=0.95), 7),
                    atol=1e-8)


def test_turning_the_rows_and_the_columns_turns_the_path_of_soap_and_not_that_of_adam():
    turn = np.kron(P, Q)
    plain, turned = OfMatrix(A6, B6), OfMatrix(turn.T @ A6 @ turn, turn.T @ B6)
    for method, same in ((soap, True), (adam, False)):
        expected = path(method(plain, W6, lr=0.05), 25) @ turn
        assert np.allclose(path(method(turned, turn.T @ W6, lr=0.05), 25), expected, rtol=1e-4) == same


def test_its_coordinates_follow_the_eigenvectors_by_a_product_and_a_qr_decomposition_now_and_then():
    run = soap(PROBLEM, ZERO, every=2)
    renewed, before = [], ()
    for t in range(1, 201):
        next(run)
        renewed, before = renewed + [t] * (run["Q_L"] is not before), run["Q_L"]
    assert renewed == [1, *range(3, 201, 2)]
    for Q_i, S in ((run["Q_L"][0], run["L"][0]), (run["Q_R"][0], run["R"][0])):
        assert_allclose(Q_i.T @ Q_i, np.eye(len(S)), atol=1e-12)
        lam = Q_i.T @ S @ Q_i
        assert np.linalg.norm(lam - np.diag(np.diag(lam))) < 0.1 * np.linalg.norm(lam)
        assert_allclose(np.sort(np.diag(lam)), np.linalg.eigvalsh(S), rtol=0.1)


def test_its_matrices_are_averages_from_zero():
    run = soap(PROBLEM, ZERO, beta2=0.5)
    path(run, 3)
    G = MATRICES
    assert_allclose(run["L"][0], G[0] @ G[0].T / 8 + G[1] @ G[1].T / 4 + G[2] @ G[2].T / 2)
    assert_allclose(run["R"][0], G[0].T @ G[0] / 8 + G[1].T @ G[1] / 4 + G[2].T @ G[2] / 2)


def test_its_weight_decay_shrinks_every_weight_alike():
    bare, decayed = (path(soap(PROBLEM, np.ones(12), lr=0.1, weight_decay=w), 2)[2] for w in (0.0, 0.3))
    assert_allclose(bare - decayed, 0.1 * 0.3)


# Muon


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (12, 1), (1, 12)])
def test_all_singular_values_of_a_step_are_about_one_times_its_scale(shape):
    problem = Sequence([G.reshape(shape) for G in MATRICES], columns=shape[1])
    scale = sqrt(max(1, shape[0] / shape[1]))
    for d in steps(muon, problem, ZERO, 6, lr=0.1):
        values = np.linalg.svd(d.reshape(shape), compute_uv=False) / (0.1 * scale)
        assert (0.65 < values).all() and (values < 1.25).all()


EXACT = {"steps": 40, "coefficients": (1.875, -1.25, 0.375)}


def test_with_coefficients_that_converge_a_step_is_the_orthogonal_polar_factor():
    d = steps(muon, PROBLEM, ZERO, 1, lr=0.1, **EXACT)[0].reshape(4, 3)
    assert_allclose(d, -0.1 * sqrt(4 / 3) * polar(MATRICES[0])[0], rtol=1e-9)
    lying = Sequence([MATRICES[0].T], columns=4)
    assert_allclose(steps(muon, lying, ZERO, 1, lr=0.1, **EXACT)[0].reshape(3, 4), -0.1 * polar(MATRICES[0].T)[0])


def test_the_quick_coefficients_keep_its_singular_vectors():
    d = steps(muon, PROBLEM, ZERO, 1, lr=1.0)[0].reshape(4, 3)
    U, _, Vt = np.linalg.svd(MATRICES[0], full_matrices=False)
    seen = -U.T @ d @ Vt.T
    assert_allclose(seen, np.diag(np.diag(seen)), atol=1e-12)
    assert_allclose(U @ seen @ Vt, -d, atol=1e-12)
    assert (np.diag(seen) > 0).all()


def test_its_first_step_is_shampoos_but_for_the_scale():
    problem = Sequence([MATRICES[0].T], columns=4)
    assert_allclose(steps(muon, problem, ZERO, 1, lr=0.1, **EXACT),
                    steps(shampoo, problem, ZERO, 1, lr=0.1, eps=1e-13), rtol=1e-4)


def test_its_momentum_looks_ahead():
    mu, d = 0.8, steps(muon, PROBLEM, ZERO, 3, lr=1.0, mu=0.8, **EXACT)
    m = sum((1 - mu) * mu**(2 - s) * MATRICES[s] for s in range(3))
    ahead = mu * m + (1 - mu) * MATRICES[2]
    assert_allclose(d[2].reshape(4, 3), -sqrt(4 / 3) * polar(ahead)[0], rtol=1e-6)
    assert not np.allclose(polar(ahead)[0], polar(m)[0], rtol=1e-2)


def test_turning_the_rows_and_the_columns_turns_the_path_of_muon():
    turn = np.kron(P, Q)
    expected = path(muon(OfMatrix(A6, B6), W6), 10) @ turn
    assert_allclose(path(muon(OfMatrix(turn.T @ A6 @ turn, turn.T @ B6), turn.T @ W6), 10), expected, rtol=1e-8)


def test_the_scale_of_the_loss_does_not_matter_to_it():
    assert_allclose(steps(muon, Sequence([1e3 * G for G in MATRICES], columns=3), ZERO, 6),
                    steps(muon, PROBLEM, ZERO, 6), atol=1e-7)


def test_the_bias_is_a_column_of_the_matrix_that_is_made_orthogonal():
    risk = EmpiricalRisk(CLASSIFIER, X, LABELS)
    d = CLASSIFIER.blocks(steps(muon, risk, WEIGHTS, 1, lr=1.0, **EXACT)[0])
    for D, G in zip(d, CLASSIFIER.blocks(risk.loss(1).gradient(WEIGHTS))):
        values = np.linalg.svd(G, compute_uv=False)
        if values[-1] > 1e-3 * values[0]:
            assert_allclose(D @ D.T if len(D) < len(D.T) else D.T @ D,
                            max(1, len(D) / len(D.T)) * np.eye(min(D.shape)), atol=1e-6)


def test_its_weight_decay_is_beside_the_orthogonal_step():
    bare, decayed = (steps(muon, PROBLEM, np.ones(12), 1, lr=0.1, weight_decay=w)[0] for w in (0.0, 0.3))
    assert_allclose(bare - decayed, 0.1 * 0.3)


@pytest.mark.parametrize("scale, factor", [
    ("original", sqrt(4 / 3)), ("match_rms_adamw", 0.4), ("spectral", sqrt(4 / 3))])
def test_the_scales_of_its_users_multiply_one_and_the_same_step(scale, factor):
    d = steps(muon, PROBLEM, ZERO, 1, lr=1.0, scale=scale, **EXACT)[0].reshape(4, 3)
    assert_allclose(d, -factor * polar(MATRICES[0])[0], rtol=1e-6)
    lying = steps(muon, Sequence([G.T for G in MATRICES], columns=4), ZERO, 1, lr=1.0, scale=scale, **EXACT)[0]
    assert_allclose(lying.reshape(3, 4), -polar(MATRICES[0])[0].T * {"original": 1, "spectral": sqrt(3 / 4)}.get(
        scale, factor), rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (32, 8), (8, 32), (20, 50)])
def test_scaled_to_match_adamw_its_numbers_have_a_root_mean_square_of_a_fifth(shape):
    problem = Sequence([RANDOM.standard_normal(shape)], columns=shape[1])
    d = steps(muon, problem, np.zeros(np.prod(shape)), 1, lr=1.0, scale="match_rms_adamw", **EXACT)[0]
    assert_allclose(np.sqrt(np.mean(d**2)), 0.2, rtol=1e-3)


def test_without_look_ahead_muon_steps_by_the_momentum_itself():
    d = steps(muon, PROBLEM, ZERO, 2, lr=1.0, mu=0.8, nesterov=False, **EXACT)[1]
    m = 0.8 * 0.2 * MATRICES[0] + 0.2 * MATRICES[1]
    assert_allclose(d.reshape(4, 3), -sqrt(4 / 3) * polar(m)[0], rtol=1e-6)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="scale is 'none'; it must be 'original', 'match_rms_adamw' or 'spectral'"):
        next(muon(PROBLEM, ZERO, scale="none"))


# EKFAC

LOSS = EmpiricalRisk(CLASSIFIER, X, LABELS)
BARE = {"beta": 0.0, "every": 1}


def of_layers(M):
    """The blocks of the layers of a matrix, and zeros beside them."""
    sizes = [W.size for W in CLASSIFIER.blocks(WEIGHTS)]
    return block_diag(*(M[end - size:end, end - size:end] for size, end in zip(sizes, np.cumsum(sizes))))


def both_models(theta, labels, seed=0):
    """F, the matrix of EKFAC, and that of K-FAC: of the same batch, at the same labels."""
    run = ekfac(LOSS, theta, labels=labels, seed=seed, **BARE)
    next(run)
    rows = LOSS.loss(1).fisher_rows(theta, seed=[seed, 1], labels=labels)
    U = block_diag(*map(np.kron, run["U_G"], run["U_A"]))
    return rows.T @ rows / 30, U @ np.diag(run["s"]) @ U.T, block_diag(*map(np.kron, run["G"], run["A"]))


@pytest.mark.parametrize("labels", ["sampled", "exact", "data"])
@pytest.mark.parametrize("seed", range(5))
def test_ekfac_is_nearer_to_the_fisher_matrix_than_kfac_always(labels, seed):
    theta = CLASSIFIER.initial(seed=seed, scale=1.0 + seed)
    F, of_ekfac, of_kfac = both_models(theta, labels, seed)
    near, far = (np.linalg.norm(of_layers(F) - model) for model in (of_ekfac, of_kfac))
    assert near < far
    for factor in 0.9, 1.1:  # and than any other with its eigenvectors
        assert near < np.linalg.norm(of_layers(F) - factor * of_ekfac)


def test_along_its_eigenvectors_ekfac_has_the_diagonal_of_the_fisher_matrix():
    run = ekfac(LOSS, WEIGHTS, labels="exact", **BARE)
    next(run)
    U = block_diag(*map(np.kron, run["U_G"], run["U_A"]))
    assert_allclose(run["s"], np.diag(U.T @ np.asarray(LOSS.loss(1).fisher(WEIGHTS) @ U)), atol=1e-12)


def test_the_rows_of_the_fisher_matrix_make_it_up():
    batch = LOSS.loss(1)
    for labels, F in ("exact", batch.fisher(WEIGHTS)), ("data", batch.empirical_fisher(WEIGHTS)):
        rows = batch.fisher_rows(WEIGHTS, labels=labels)
        assert_allclose(rows.T @ rows / batch.n, F @ np.eye(WEIGHTS.size), atol=1e-12)
    assert len(rows) == batch.n


def test_where_kfac_is_exact_ekfac_is_the_natural_gradient():
    network = linear(4, 2)
    risk = EmpiricalRisk(network, X, Y)
    d = steps(ekfac, risk, np.zeros(10), 1, lr=1.0, labels="exact", damping=0.1, **BARE)[0]
    assert_allclose(d, steps(natural_gradient, risk, np.zeros(10), 1, lr=1.0, damping=0.1, solver="dense")[0])


def test_the_moments_of_ekfac_are_means_from_the_first_step_on():
    run, seen = ekfac(LOSS, WEIGHTS, lr=0.0, labels="data"), []
    for _ in range(4):
        next(run)
        seen.append(run["s"])
    assert_allclose(seen, np.tile(seen[0], (4, 1)), rtol=1e-6, atol=1e-12)
    assert_allclose(seen[0].sum(), (LOSS.loss(1).per_example_gradients(WEIGHTS)**2).sum() / len(X))  # turned


def test_between_renewals_ekfac_keeps_its_eigenvectors_and_not_its_moments():
    run, seen = ekfac(LOSS, WEIGHTS, lr=0.01, every=5), []
    for t in range(1, 11):
        next(run)
        seen.append((run["U_A"][0], run["s"]))
        for U_i, S in [*zip(run["U_A"], run["A"]), *zip(run["U_G"], run["G"])] if t in (3, 5, 10) else []:
            assert_allclose(U_i.T @ S @ U_i, np.diag(np.diag(U_i.T @ S @ U_i)), atol=1e-12 * np.abs(S).max())
    renewed = [t + 1 for t in range(1, 10) if not np.array_equal(seen[t][0], seen[t - 1][0])]
    assert renewed == [2, 3, 5, 10]
    assert not any(np.array_equal(seen[t][1], seen[t - 1][1]) for t in range(1, 10))


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("ekfac", "eigenvalues that are K-FAC's",
     "loss.fisher_moments(theta, U_G, U_A, seed=[seed, t], labels=labels)",
     "flat(np.outer(*(np.diag(U.T @ B @ U) for U, B in pair)) for pair in (zip((U_G[i], U_A[i]), (G[i], A[i])) "
     "for i in range(len(A))))",
     "test_ekfac_is_nearer_to_the_fisher_matrix_than_kfac_always"),
    ("ekfac", "* the labels are those of the data",
     "U_G, U_A, seed=[seed, t], labels=labels)",
     "U_G, U_A, seed=[seed, t], labels='data')",
     "test_ekfac_is_nearer_to_the_fisher_matrix_than_kfac_always"),
    ("ekfac", "the way back is the way there",
     "between(U_G, loss.blocks(d), transposed(U_A))",
     "between(transposed(U_G), loss.blocks(d), U_A)",
     "test_where_kfac_is_exact_ekfac_is_the_natural_gradient"),
    ("muon", "the look ahead cannot be left out",
     "(1 - mu(t)) * g if nesterov else m",
     "(1 - mu(t)) * g",
     "test_without_look_ahead_muon_steps_by_the_momentum_itself"),
    ("full_matrix_adagrad", "† inverted, without the root",
     "inverse_root(S, 2, damping=eps)",
     "inverse_root(S, 1, damping=eps)",
     "test_with_the_root_the_scale_of_the_loss_does_not_matter_and_with_the_inverse_it_would"),
    ("full_matrix_adagrad", "† smoothed, where it is a sum",
     "S + np.outer(g, g)",
     "0.9 * S + 0.1 * np.outer(g, g)",
     "test_the_outer_products_are_summed_so_under_a_constant_gradient_the_steps_fall_with_the_root_of_t"),
    ("kfac", "the first average is mostly the zero it starts from",
     "eps = min(1 - 1 / t, beta)",
     "eps = beta",
     "test_the_factors_are_means_at_first_and_forget_when_that_many_are_gathered"),
    ("kfac", "the limit is on the step, not on its square",
     "np.sqrt(kappa / (lr(t)**2 * finite_inner(g, d)))",
     "(kappa / (lr(t)**2 * finite_inner(g, d)))",
     "test_a_step_is_no_longer_than_the_root_of_kappa_as_the_damped_factors_measure_it"),
    ("kfac", "the factors are renewed one step early",
     "t % every == 0",
     "(t + 1) % every == 0",
     "test_the_cholesky_factors_are_renewed_at_the_first_three_steps_and_then_now_and_then"),
    ("kfac", "the same labels are drawn at every step",
     "seed=[seed, t]",
     "seed=[seed]",
     "test_the_labels_are_drawn_anew_at_every_step_as_a_function_of_seed_and_step"),
    ("balance", "upside down: more damping where there is less to damp",
     "sqrt(A.trace() / len(A)) / sqrt(G.trace() / len(G))",
     "sqrt(G.trace() / len(G)) / sqrt(A.trace() / len(A))",
     "test_pi_by_hand"),
    ("balance", "traces, not mean eigenvalues",
     "sqrt(A.trace() / len(A)) / sqrt(G.trace() / len(G))",
     "sqrt(A.trace() / G.trace())",
     "test_pi_makes_what_factored_damping_adds_too_much_as_small_as_it_can_be"),
    ("average", "the old and the new have each other's share",
     "averaged(old_i, new_i, beta)",
     "averaged(old_i, new_i, 1 - beta)",
     "test_the_factors_are_means_at_first_and_forget_when_that_many_are_gathered"),
    ("kfac_martens", "* gamma can never grow",
     "gamma / omega2]",
     "omega2 * gamma]",
     "test_gamma_goes_where_the_model_is_least_which_may_be_down_up_or_nowhere"),
    ("kfac_martens", "the factors are renewed with gamma alone",
     "t <= 3 or t % T2 == 0 or t % T3 == 0", "t <= 3 or t % T2 == 0",
     "test_the_cholesky_factors_are_renewed_at_the_first_three_steps_and_then_now_and_then"),
    ("kfac_martens", "damping rises where the model is right",
     "omega1 * damping if rho > 3 / 4 else damping / omega1 if rho < 1 / 4",
     "omega1 * damping if rho < 1 / 4 else damping / omega1 if rho > 3 / 4",
     "test_damping_falls_where_the_model_foretold_the_change_and_rises_where_it_did_not"),
    ("kfac_martens", "the half of M is missing",
     "(g @ delta_i).item() / 2",
     "(g @ delta_i).item()",
     "test_damping_falls_where_the_model_foretold_the_change_and_rises_where_it_did_not"),
    ("kfac_martens", "the model has no damping",
     "F = damped(loss.fisher(theta), damping + eta)",
     "F = loss.fisher(theta)",
     "test_the_fisher_matrix_does_not_see_a_ridge_and_eta_says_it"),
    ("least_on_plane", "uphill",
     "-plane.T @ g",
     "plane.T @ g",
     "test_the_least_on_a_plane_is_what_a_general_minimizer_finds"),
    ("shampoo", "* a momentum of preconditioned gradients enters the sums",
     "G_i @ G_i.T for L_i, G_i in zip(L, G)",
     "G_i @ G_i.T for L_i, G_i in zip(L, G if t == 1 else loss.blocks(v))",
     "test_shampoo_is_the_power_of_a_kronecker_product_on_the_flat_gradient"),
    ("inverse_roots", "* the exponent is -1/k, not -1/2k",
     "inverse_root(L, 4), inverse_root(R, 4)",
     "inverse_root(L, 2), inverse_root(R, 2)",
     "test_its_first_step_has_singular_values_of_one_and_with_the_exponent_of_other_packages_of_one_over_s"),
    ("shampoo", "the roots are renewed late",
     "(t - 1) % every == 0",
     "t % every == 0 or t == 1",
     "test_between_renewals_the_roots_are_kept_and_the_sums_go_on"),
    ("lengthened", "divided by the length, but not given the other",
     "norm(onto_i) * unit(D_i)",
     "unit(D_i)",
     "test_grafting_keeps_the_direction_of_each_block_and_takes_the_length_of_the_other_method"),
    ("soap", "v averages squares in the old coordinates",
     "between(transposed(Q_L), G, Q_R)**2",
     "g**2",
     "test_turning_the_rows_and_the_columns_turns_the_path_of_soap_and_not_that_of_adam"),
    ("soap", "the correction counts the skipped step",
     "m / (1 - beta1**(t - 1))",
     "m / (1 - beta1**t)",
     "test_where_shampoos_matrices_are_diagonal_it_is_adam"),
    ("soap", "turned back by the wrong side",
     "between(Q_L, loss.blocks(d), transposed(Q_R))",
     "between(transposed(Q_L), loss.blocks(d), Q_R)",
     "test_its_second_step_is_the_sign_of_the_gradient_in_those_coordinates"),
    ("eigenvectors", "rows for columns",
     "eigh(L_i)[1][:, ::-1]",
     "eigh(L_i)[1].T[:, ::-1]",
     "test_the_first_gradient_says_what_the_coordinates_are_and_moves_nothing"),
    ("muon", "the gradient is made orthogonal, not the momentum",
     "loss.blocks(u)]",
     "loss.blocks(g)]",
     "test_its_momentum_looks_ahead"),
    ("muon", "no look ahead",
     "u = mu(t) * m + (1 - mu(t)) * g",
     "u = m",
     "test_its_momentum_looks_ahead"),
    ("SCALES.original", "wide matrices are shortened",
     "sqrt(max(1, m / n))",
     "sqrt(m / n)",
     "test_all_singular_values_of_a_step_are_about_one_times_its_scale"),
    ("ekfac", "the moments begin at zero",
     "eps * s + (1 - eps) * s_t", "beta * s + (1 - beta) * s_t",
     "test_the_moments_of_ekfac_are_means_from_the_first_step_on"),
    ("kfac", "the limit is for the first rate",
     "lr(t)**2 * finite_inner(g, d)", "lr(1)**2 * finite_inner(g, d)",
     "test_a_step_is_no_longer_than_the_root_of_kappa_as_the_damped_factors_measure_it"),
]


@pytest.mark.parametrize("method, each", [
    (full_matrix_adagrad, [0, 1, 0]), (kfac, [0, 2, 0]), (shampoo, [0, 1, 0]), (soap, [0, 1, 0]), (muon, [0, 1, 0]),
    (kfac_martens, [1, 2, 2])])
def test_what_a_step_of_each_costs(method, each):
    """Values, gradients and products; K-FAC's factors are one more backward pass."""
    counted = Counted(EmpiricalRisk(CLASSIFIER, X, LABELS, batch_size=10))
    run, rows = method(counted, WEIGHTS), []
    for _ in range(40):
        before = dict(counted.counts)
        next(run)
        rows.append([counted.counts[name] - before[name] for name in ("values", "gradients", "products")])
    expected = np.tile(each, (40, 1))
    if method is kfac_martens:
        expected[4::5, 0], expected[19::20, 2] = 2, 6
    assert_allclose(rows, expected)
    kept = sum(np.size(array) for name, value in run.memory.items() if name not in ("t", "damping", "gamma")
               for array in (value if isinstance(value, (list, tuple)) else [value]))
    n, sides = WEIGHTS.size, sum(len(W)**2 + len(W.T)**2 for W in CLASSIFIER.blocks(WEIGHTS))
    assert kept == {"full_matrix_adagrad": n**2, "kfac": n + 2 * sides, "kfac_martens": n + 2 * sides,
                    "shampoo": 2 * n + 2 * sides, "soap": 2 * n + 2 * sides, "muon": n}[method.__name__]
