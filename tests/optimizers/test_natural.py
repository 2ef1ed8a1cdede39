"""Lecture 9 in tests: each says something the lecture says."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import logistic, mlp, softmax
from numopt.optimizers import (
    block_tridiagonal, clipped_natural_gradient, eigenbasis_clipped, eigenbasis_normalized, gradient_norm_clipped,
    gradient_norm_normalized, natural_gradient, normalized_descent, normalized_natural_gradient, sign_descent)
from numopt.optimizers.natural import anatomy, eigenbasis, noise, solved_in_a_chain
from numopt.problems import Counted, EmpiricalRisk, MiniBatch, Objective, Quadratic
from numopt.record import path

SEVEN = [natural_gradient, normalized_natural_gradient, gradient_norm_normalized, eigenbasis_normalized,
         clipped_natural_gradient, gradient_norm_clipped, eigenbasis_clipped]
WITH_STRUCTURE = SEVEN[1:]

Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
LAM = np.array([0.1, 1.0, 5.0, 40.0])
BOWL = Quadratic(Q @ np.diag(LAM) @ Q.T, b=[1.0, -2.0, 0.5, 3.0])
START = np.array([1.0, 2.0, -1.0, 0.5])
G = BOWL.gradient(START)
G_HAT = Q.T @ G
EXACTLY = {"curvature": "hessian", "damping": 0.0}

NETWORK = logistic(3, 3)
X = np.random.default_rng(1).standard_normal((40, 3))
LABELS = np.random.default_rng(2).integers(0, 3, 40)


def step(method, problem=BOWL, start=START, **settings):
    """The first step of a method."""
    return path(method(problem, start, **{**EXACTLY, **settings}), 1)[1] - start


class Reparametrised(Objective):
    """The same loss as a function of φ, where θ = B φ."""

    def __init__(self, problem, B):
        self.problem, self.B = problem, B

    def value(self, phi):
        return self.problem.value(self.B @ phi)

    def gradient(self, phi):
        return self.B.T @ self.problem.gradient(self.B @ phi)

    def fisher(self, phi):
        return self.B.T @ (self.problem.fisher(self.B @ phi) @ np.eye(len(phi))) @ self.B


def test_natural_gradient_does_not_depend_on_how_the_model_is_parametrised_and_gradient_descent_does():
    batch = MiniBatch(mlp([3, 2], loss=None), X, LABELS % 2)
    n = batch.size
    B = np.random.default_rng(3).standard_normal((n, n)) + 2 * np.eye(n)
    # the Fisher matrix of a softmax is singular: the same damping in both sets of coordinates is B⁻ᵀ B⁻¹ in one
    F = batch.fisher(np.zeros(n)) @ np.eye(n) + 1e-2 * np.eye(n)
    batch.fisher = lambda theta: F
    theta = path(natural_gradient(batch, np.zeros(n), damping=0, cg_steps=100, lr=0.5), 5)
    phi = path(natural_gradient(Reparametrised(batch, B), np.zeros(n), damping=0, cg_steps=100, lr=0.5), 5)
    assert_allclose(phi @ B.T, theta, rtol=1e-6, atol=1e-8)
    assert not np.allclose(B @ Reparametrised(batch, B).gradient(np.zeros(n)), batch.gradient(np.zeros(n)), rtol=0.1)


def test_the_divergence_of_the_model_is_half_the_squared_length_of_the_step():
    """KL(p(θ) ‖ p(θ + d)) = ½‖d‖²_F to leading order; Zheng prints ½‖d‖."""
    batch = MiniBatch(NETWORK, X, LABELS)
    theta = NETWORK.initial(seed=4)
    d = 1e-3 * np.random.default_rng(5).standard_normal(NETWORK.size)
    p, q = softmax(NETWORK.outputs(theta, X)), softmax(NETWORK.outputs(theta + d, X))
    divergence = np.mean(np.sum(p * np.log(p / q), axis=1))
    squared = d @ (batch.fisher(theta) @ d)
    assert_allclose(divergence, squared / 2, rtol=1e-2)
    assert np.sqrt(squared) / 2 > 100 * divergence


def test_on_a_quadratic_a_whole_step_arrives():
    assert_allclose(START + step(natural_gradient), BOWL.minimizers[0], rtol=1e-9)


def test_a_share_alpha_of_the_newton_step_gains_alpha_times_one_minus_half_alpha():
    alpha = 0.3
    found = anatomy(BOWL.A, G, step(natural_gradient, lr=alpha))
    assert_allclose(found.decreases, alpha * (1 - alpha / 2) * G_HAT**2 / LAM)
    assert_allclose(found.lengths**2, alpha**2 * G_HAT**2 / LAM)


def test_elimination_and_enough_conjugate_gradients_give_the_same_step_and_few_do_not():
    dense, cg, few = (step(natural_gradient, **how) for how in ({"solver": "dense"}, {"cg_steps": 8}, {"cg_steps": 1}))
    assert_allclose(cg, dense, rtol=1e-8)
    assert_allclose(few @ G / (np.linalg.norm(few) * np.linalg.norm(G)), -1)    # the first direction is the gradient
    assert not np.allclose(few, dense, rtol=0.1)


def test_the_diagonal_form_divides_each_derivative_by_its_own_curvature():
    assert_allclose(step(natural_gradient, solver="diagonal"), -G / np.diag(BOWL.A))


@pytest.mark.parametrize("structure", ["full", "diagonal"])
def test_a_normalized_step_has_the_length_that_is_asked_for(structure):
    epsilon = 0.7
    H = BOWL.A if structure == "full" else np.diag(np.diag(BOWL.A))
    d = step(normalized_natural_gradient, lr=epsilon, structure=structure)
    assert_allclose(np.sqrt(d @ H @ d), epsilon)
    found = anatomy(H, G, d)
    assert_allclose(found.length, epsilon)
    assert_allclose(found.decrease, epsilon * np.sqrt(G @ np.linalg.solve(H, G)) - epsilon**2 / 2)


def test_along_an_eigenvector_of_negative_curvature_a_step_has_no_length_but_a_gain():
    found = anatomy(np.diag([-4.0, 9]), np.array([1.0, 2]), np.array([3.0, -1]))
    assert_allclose(found.lengths, [0, 3])
    assert_allclose(found.length, 3)
    assert_allclose(found.decreases, [15, -2.5])  # −(1 · 3 − ½ · 4 · 9) and −(2 · −1 + ½ · 9)


def test_the_printed_denominator_of_the_diagonal_form_gives_another_length():
    lam = np.diag(BOWL.A)
    newton = -G / lam
    printed = -0.7 / (lam @ newton**2) * G / lam
    assert abs(np.sqrt(lam @ printed**2) - 0.7) > 0.3


def test_gradient_norm_normalization_steps_by_epsilon_times_the_gradient_along_each_eigenvector():
    epsilon = 0.2
    found = anatomy(BOWL.A, G, step(gradient_norm_normalized, lr=epsilon))
    assert_allclose(found.lengths, epsilon * np.abs(found.g_hat))
    assert_allclose(found.length, epsilon * np.linalg.norm(G))
    root = Q @ np.diag(LAM**-0.5) @ Q.T
    assert_allclose(found.decrease, epsilon * G @ root @ G - epsilon**2 / 2 * G @ G)
    printed = epsilon * (root - epsilon / 2 * np.eye(4)) * np.linalg.norm(G)
    assert printed.shape != np.shape(found.decrease)


def test_it_gains_along_every_eigenvector_exactly_while_epsilon_is_below_two_over_root_lambda():
    limit = 2 / np.sqrt(LAM.max())
    assert (anatomy(BOWL.A, G, step(gradient_norm_normalized, lr=0.99 * limit)).decreases > 0).all()
    assert anatomy(BOWL.A, G, step(gradient_norm_normalized, lr=1.01 * limit)).decreases[-1] < 0


def test_eigenbasis_normalization_steps_equally_far_along_every_eigenvector():
    epsilon = 0.05
    found = anatomy(BOWL.A, G, step(eigenbasis_normalized, lr=epsilon))
    assert_allclose(found.lengths, epsilon)
    assert_allclose(found.decreases, epsilon * np.abs(found.g_hat) / np.sqrt(found.lam) - epsilon**2 / 2)


def test_the_printed_eigenbasis_step_has_another_length_along_every_eigenvector():
    printed = anatomy(BOWL.A, G, -0.05 * Q @ np.sign(G_HAT))
    assert_allclose(printed.lengths, 0.05 * np.sqrt(LAM))
    assert not np.allclose(printed.lengths, 0.05)


@pytest.mark.parametrize("clipped, settings, limit", [
    (clipped_natural_gradient, {"epsilon": 0.5}, lambda a: np.full(4, 0.5 * a.lengths / a.length)),
    (gradient_norm_clipped, {"epsilon": 0.3}, lambda a: 0.3 * np.abs(a.g_hat)),
    (eigenbasis_clipped, {"epsilon": 0.1}, lambda a: np.full(4, 0.1)),
])
def test_a_clipped_step_is_newtons_along_every_eigenvector_where_that_is_short_enough(clipped, settings, limit):
    whole, found = anatomy(BOWL.A, G, step(natural_gradient)), anatomy(BOWL.A, G, step(clipped, **settings))
    most = limit(whole)
    assert (whole.lengths > most).any(), "nothing is clipped: the test shows nothing"
    assert_allclose(found.lengths, np.minimum(whole.lengths, most))
    assert_allclose(np.sign(found.d_hat), -np.sign(found.g_hat))
    assert_allclose(step(clipped, epsilon=1e6), step(natural_gradient), rtol=1e-6)


@pytest.mark.parametrize("clipped, normalized", [
    (clipped_natural_gradient, normalized_natural_gradient),
    (gradient_norm_clipped, gradient_norm_normalized),
    (eigenbasis_clipped, eigenbasis_normalized)])
def test_clipping_everything_is_normalizing(clipped, normalized):
    assert_allclose(step(clipped, epsilon=1e-3), step(normalized, lr=1e-3))


@pytest.mark.parametrize("clipped, settings, limit", [
    (clipped_natural_gradient, {"epsilon": 0.5}, lambda a: 0.5 * a.lengths / a.length),
    (gradient_norm_clipped, {"epsilon": 0.1}, lambda a: 0.1 * np.abs(a.g_hat)),
    (eigenbasis_clipped, {"epsilon": 1.0}, lambda a: np.full(4, 1.0)),
])
def test_it_is_the_step_times_its_rate_that_is_clipped(clipped, settings, limit):
    whole = anatomy(BOWL.A, G, step(natural_gradient))
    assert (0.05 * whole.lengths < limit(whole)).any() and (whole.lengths > limit(whole)).any()
    for lr in (0.5, 0.05):
        found = anatomy(BOWL.A, G, step(clipped, lr=lr, **settings))
        assert_allclose(found.lengths, np.minimum(lr * whole.lengths, limit(whole)))


@pytest.mark.parametrize("method", SEVEN)
def test_the_rate_may_be_a_schedule(method):
    if "clipped" in method.__name__:
        method = partial(method, epsilon=1.0)
    first, second = np.diff(path(method(BOWL, START, lr=lambda t: {1: 0.2, 2: 0.05}[t], **EXACTLY), 2), axis=0)
    assert_allclose(first, step(method, lr=0.2))
    assert_allclose(second, step(method, start=START + first, lr=0.05))
    assert not np.allclose(second, step(method, start=START + first, lr=0.2))


class Curved(Quadratic):
    """The gradients of the bowl, with another matrix for its Hessian."""

    def __init__(self, H):
        super().__init__(BOWL.A, BOWL.b)
        self.H = H

    def hessian(self, theta):
        return self.H


@pytest.mark.parametrize("method", SEVEN)
def test_damping_is_a_multiple_of_the_identity_added_to_the_curvature(method):
    damped, undamped = step(method, damping=0.5), step(method, Curved(BOWL.A + 0.5 * np.eye(4)))
    assert_allclose(damped, undamped)
    assert not np.allclose(damped, step(method), rtol=1e-2)


@pytest.mark.parametrize("method", WITH_STRUCTURE)
def test_a_negative_curvature_counts_as_none(method):
    falling, flat = (Curved(Q @ np.diag([lowest, *LAM[1:]]) @ Q.T) for lowest in (-3.0, 0.0))
    lam, _ = eigenbasis(falling, START, "hessian", 0.5, "full")
    assert_allclose(lam, [0.5, *LAM[1:] + 0.5])
    assert_allclose(step(method, falling, damping=0.5), step(method, flat, damping=0.5))


@pytest.mark.parametrize("method", [partial(natural_gradient, solver="dense"), *SEVEN])
def test_what_rounding_far_from_the_origin_leaves_of_a_gradient_along_a_flat_direction_is_no_share(method):
    A = Q @ np.diag([0.0, 1, 5, 40]) @ Q.T
    A, b = (A + A.T) / 2, Q @ [0, 1, 2, 3]
    far = 1e6 * Q[:, 0]
    d = path(method(Quadratic(A, b), far, **EXACTLY), 1)[1] - far
    assert np.abs(Q[:, 0] @ Quadratic(A, b).gradient(far)) > 1e-12
    assert_allclose(Q[:, 0] @ d, 0, atol=1e-8)
    assert (Q[:, 1:].T @ d > 1e-3).all()


def test_by_the_diagonal_there_is_no_step_along_a_flat_coordinate_that_the_gradient_has_a_share_in():
    run = natural_gradient(Curved(np.diag([0.0, 1, 2, 3])), START, curvature="hessian", damping=0.0, solver="diagonal")
    with pytest.raises(ValueError, match="there is no curvature along a direction in which the gradient has a share"):
        next(run)
    level = Quadratic(np.diag([0.0, 1, 2, 3]), [0.0, 1, 1, 1])
    theta = next(natural_gradient(level, START, curvature="hessian", damping=0.0, solver="diagonal"))
    assert_allclose(theta, [START[0], 1, 1 / 2, 1 / 3])


@pytest.mark.parametrize("method", WITH_STRUCTURE)
def test_without_damping_there_is_no_step_along_a_negative_curvature_that_the_gradient_has_a_share_in(method):
    with pytest.raises(ValueError, match="there is no curvature along a direction in which the gradient has a share"):
        step(method, Curved(Q @ np.diag([-3.0, *LAM[1:]]) @ Q.T), damping=0.0)


def test_the_printed_clipping_has_the_norm_squared_and_so_another_length():
    epsilon = 0.5
    squared = G @ np.linalg.solve(BOWL.A, G)
    printed = -min(1, epsilon / squared) * np.linalg.solve(BOWL.A, G)
    assert_allclose(anatomy(BOWL.A, G, printed).length, epsilon / np.sqrt(squared))


@pytest.mark.parametrize("method", WITH_STRUCTURE)
def test_the_diagonal_form_is_the_full_one_where_the_curvature_is_diagonal(method):
    bowl = Quadratic(np.diag(LAM), b=[1.0, -2.0, 0.5, 3.0])
    assert_allclose(step(method, bowl, structure="diagonal"), step(method, bowl, structure="full"))
    assert not np.allclose(step(method, structure="diagonal"), step(method, structure="full"), rtol=1e-2)


def test_with_curvature_the_same_all_round_these_are_normalized_and_sign_descent():
    L, epsilon = 4.0, 0.3
    ball = Quadratic(L * np.eye(4), b=[1.0, -2.0, 0.5, 3.0])
    assert_allclose(step(normalized_natural_gradient, ball, lr=epsilon),
                    path(normalized_descent(ball, START, lr=epsilon / np.sqrt(L)), 1)[1] - START)
    assert_allclose(step(eigenbasis_normalized, ball, lr=epsilon, structure="diagonal"),
                    path(sign_descent(ball, START, lr=epsilon / np.sqrt(L)), 1)[1] - START)


@pytest.mark.parametrize("method", SEVEN)
def test_at_a_minimum_it_stays(method):
    bowl = Quadratic(np.diag(LAM))
    assert_allclose(path(method(bowl, np.zeros(4), **EXACTLY), 2), 0, atol=1e-15)


@pytest.mark.parametrize("curvature", ["fisher", "sampled_fisher", "empirical_fisher", "gauss_newton", "hessian"])
def test_the_kind_of_curvature_is_a_hyperparameter(curvature):
    risk = EmpiricalRisk(NETWORK, X, LABELS, batch_size=20)
    batch, theta, lr = risk.loss(1), NETWORK.initial(seed=4), 0.5
    H = getattr(batch, curvature)(theta) @ np.eye(NETWORK.size) + 0.1 * np.eye(NETWORK.size)
    expected = theta - lr * np.linalg.solve(H, batch.gradient(theta))
    run = natural_gradient(risk, theta, curvature=curvature, damping=0.1, lr=lr, cg_steps=200)
    assert_allclose(next(run), expected, rtol=1e-6)


def test_with_exact_fisher_and_gauss_newton_alike_the_runs_are_the_same():
    risk = EmpiricalRisk(NETWORK, X, LABELS, batch_size=20)
    theta = NETWORK.initial(seed=4)
    by_fisher = path(natural_gradient(risk, theta, curvature="fisher"), 5)
    assert_allclose(by_fisher, path(natural_gradient(risk, theta, curvature="gauss_newton"), 5), rtol=1e-8)


def test_the_gain_along_the_eigenvectors_adds_up_to_the_gain_and_to_the_change_of_a_quadratic():
    d = np.random.default_rng(6).standard_normal(4)
    found = anatomy(BOWL.A, G, d)
    assert_allclose(found.decreases.sum(), found.decrease)
    assert_allclose(found.decrease, BOWL.value(START) - BOWL.value(START + d))
    assert_allclose(found.length**2, d @ BOWL.A @ d)
    assert_allclose(np.sum(found.lengths**2), found.length**2)
    saddle = Quadratic(BOWL.A - LAM.mean() * np.eye(4))  # where a length is not real there is a gain all the same
    found = anatomy(saddle.A, saddle.gradient(START), d)
    assert_allclose(found.decrease, saddle.value(START) - saddle.value(START + d))


def test_gradient_descent_loses_half_the_curvature_term_not_the_whole():
    """Zheng prints (α/L)‖g‖² − (α²/L²)‖g‖²_H for the gain, without the ½."""
    alpha, L = 1.5, LAM.max()
    d = -alpha / L * G
    right = alpha / L * G @ G - alpha**2 / L**2 * G @ BOWL.A @ G / 2
    printed = alpha / L * G @ G - alpha**2 / L**2 * G @ BOWL.A @ G
    assert_allclose(anatomy(BOWL.A, G, d).decrease, right)
    assert abs(printed - right) > 0.1 * abs(right)


@pytest.mark.parametrize("power, alpha, increase, squares", [
    (-1, 0.5, lambda k, B, a: k / B * a**2 * 4 / 2, lambda k, B, a: k / B * a**2 / LAM),
    (-0.5, 0.5, lambda k, B, a: k / B * a**2 * LAM.sum() / 2, lambda k, B, a: np.full(4, k / B * a**2)),
    (0, 0.5, lambda k, B, a: k / B * a**2 * (LAM**2).sum() / 2, lambda k, B, a: k / B * a**2 * LAM),
])
def test_the_noise_of_a_step_is_alpha_squared_times_its_corrected_form(power, alpha, increase, squares):
    k, B = 0.3, 8
    A = alpha * Q @ np.diag(LAM**float(power)) @ Q.T
    found = noise(BOWL.A, A, k / B * BOWL.A)
    assert_allclose(found.increase, increase(k, B, alpha))
    assert_allclose(found.squares, squares(k, B, alpha))
    assert not np.isclose(found.increase, increase(k, B, np.sqrt(alpha))), "the printed form has α for α²"


def test_the_noise_is_what_sampling_shows():
    rng = np.random.default_rng(7)
    A = 0.3 * np.eye(4) + np.triu(np.full((4, 4), 0.1), 1)
    root = np.linalg.cholesky(0.05 * BOWL.A)
    d = rng.standard_normal((200_000, 4)) @ root.T @ A.T
    found = noise(BOWL.A, A, 0.05 * BOWL.A)
    assert_allclose(np.einsum("ni,ij,nj->n", d, BOWL.A, d).mean() / 2, found.increase, rtol=0.02)
    assert_allclose(((d @ Q)**2).mean(axis=0), found.squares, rtol=0.02)


@pytest.mark.parametrize("method", WITH_STRUCTURE)
def test_an_unknown_structure_is_refused(method):
    with pytest.raises(ValueError, match="structure is 'block'; it must be 'full' or 'diagonal'"):
        next(method(BOWL, START, structure="block", **EXACTLY))


def test_an_unknown_solver_is_refused():
    with pytest.raises(ValueError, match="solver is 'lu'; it must be 'cg', 'dense' or 'diagonal'"):
        next(natural_gradient(BOWL, START, solver="lu", **EXACTLY))


def test_a_problem_without_that_curvature_says_so():
    with pytest.raises(NotImplementedError, match="is not a likelihood"):
        next(natural_gradient(BOWL, START))


def test_single_precision_stays_single():
    bowl = Quadratic(BOWL.A.astype(np.float32))
    for method in SEVEN:
        assert path(partial(method, **EXACTLY)(bowl, START.astype(np.float32)), 2).dtype == np.float32


def test_without_damping_a_diagonal_is_judged_by_itself_and_not_by_the_matrix_it_is_of():
    """[1 1; 1 1] has a direction without curvature; its diagonal has none."""
    bowl, theta = Quadratic([[1.0, 1.0], [1.0, 1.0]], [3.0, -1.0]), np.array([1.0, 2.0])  # g = (0, 4)
    for method, d in ((normalized_natural_gradient, [0.0, -0.5]), (gradient_norm_normalized, [0.0, -2.0]),
                      (eigenbasis_normalized, [0.0, -0.5])):
        run = method(bowl, theta, lr=0.5, curvature="hessian", damping=0.0, structure="diagonal")
        assert_allclose(next(run) - theta, d, atol=1e-15)
        with pytest.raises(ValueError, match="no curvature along a direction"):
            next(method(bowl, theta, lr=0.5, curvature="hessian", damping=0.0))


# ------------------------------------------------------------------------------------------------------------ mistakes

# ------------------------------------------------------------------------------------------------ block_tridiagonal

def layered(sizes, seed):
    """A net, its Fisher matrix with some damping, and the places of its layers."""
    rng, network = np.random.default_rng(seed), mlp(sizes)
    batch = MiniBatch(network, rng.standard_normal((50, sizes[0])), rng.integers(sizes[-1], size=50))
    theta = network.initial(seed=seed)
    F = batch.fisher(theta) @ np.eye(theta.size) + 1e-2 * np.eye(theta.size)
    blocks = network.blocks(np.arange(theta.size))
    return batch, theta, F, [block.ravel() for block in blocks]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [[3, 2], [2, 4, 3]])
def test_with_one_or_two_layers_nothing_is_left_out(sizes, seed):
    batch, theta, *_ = layered(sizes, seed)
    chain, whole = (path(method(batch, theta, damping=1e-2), 3) for method in (
        block_tridiagonal, partial(natural_gradient, solver="dense")))
    assert_allclose(chain, whole, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [[2, 3, 2, 2], [2, 2, 3, 2, 3]])
def test_it_knows_neighbours_as_they_are_and_its_inverse_links_no_others(sizes, seed):
    batch, theta, F, layers = layered(sizes, seed)
    inverse = np.column_stack([solved_in_a_chain(F, e, batch.blocks(theta)) for e in np.eye(theta.size)])
    chain = np.linalg.inv(inverse)
    for i, a in enumerate(layers):
        for j, b in enumerate(layers):
            if abs(i - j) <= 1:
                assert_allclose(chain[np.ix_(a, b)], F[np.ix_(a, b)], atol=1e-9)
            else:
                assert_allclose(inverse[np.ix_(a, b)], 0, atol=1e-9 * np.abs(inverse).max())
                assert np.abs(F[np.ix_(a, b)]).max() > 1e-3  # which is left out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_without_curvature_along_a_direction_needs_damping(dtype):
    """The gradients of 50 examples by the outputs of softmax add up to 0: each block of F is singular, to rounding."""
    network, rng = mlp([3, 4, 3]), np.random.default_rng(0)
    batch = MiniBatch(network, rng.standard_normal((50, 3)), rng.integers(3, size=50))
    theta = network.initial(seed=0, dtype=dtype)
    with pytest.raises(ValueError, match="singular, and the step is not defined: give it some damping"):
        next(block_tridiagonal(batch, theta, damping=0))
    assert np.isfinite(next(block_tridiagonal(batch, theta, damping=1e-2))).all()


def divergence(F, B):
    """KL of the normal distribution with the covariance F from that with B."""
    return (np.trace(np.linalg.solve(B, F)) - len(F) + np.linalg.slogdet(B)[1] - np.linalg.slogdet(F)[1]) / 2


@pytest.mark.parametrize("seed", range(10))
def test_a_chain_of_layers_is_always_nearer_to_the_fisher_matrix_than_layers_on_their_own(seed):
    batch, theta, F, layers = layered([2, 3, 2, 3], seed)
    chain = np.linalg.inv(np.column_stack([solved_in_a_chain(F, e, batch.blocks(theta)) for e in np.eye(theta.size)]))
    alone = np.zeros_like(F)
    for a in layers:
        alone[np.ix_(a, a)] = F[np.ix_(a, a)]
    assert 0 < divergence(F, chain) < divergence(F, alone)


MISTAKES = [
    ("solved_in_a_chain", "what the next layer tells is added, not taken off", "g[a] - Psi @ g[b]", "g[a] + Psi @ g[b]",
     "test_with_one_or_two_layers_nothing_is_left_out"),
    ("block_tridiagonal", "the diagonal alone", "solved_in_a_chain(H, g,", "solved_in_a_chain(np.diag(np.diag(H)), g,",
     "test_with_one_or_two_layers_nothing_is_left_out"),
    ("natural_gradient", "the Fisher matrix, not its inverse",
     "solved(H, g, solver, cg_steps, theta)",
     "H @ g",
     "test_on_a_quadratic_a_whole_step_arrives"),
    ("natural_gradient", "* the empirical Fisher matrix, whatever was asked for",
     "getattr(loss, curvature)(theta)",
     "loss.empirical_fisher(theta)",
     "test_the_kind_of_curvature_is_a_hyperparameter"),
    ("natural_gradient", "damping is forgotten",
     "damped(getattr(loss, curvature)(theta), damping)",
     "getattr(loss, curvature)(theta)",
     "test_damping_is_a_multiple_of_the_identity_added_to_the_curvature"),
    ("normalized_natural_gradient", "† divided by the squared length",
     "length(g_hat / lam, lam) or 1",
     "length(g_hat / lam, lam)**2 or 1",
     "test_a_normalized_step_has_the_length_that_is_asked_for"),
    ("normalized_natural_gradient", "the length in coordinates of theta, not in those of the model",
     "length(g_hat / lam, lam) or 1",
     "np.linalg.norm(g_hat / lam) or 1",
     "test_with_curvature_the_same_all_round_these_are_normalized_and_sign_descent"),
    ("gradient_norm_normalized", "divided by the curvature, not by its root",
     "g_hat / np.sqrt(lam)",
     "g_hat / lam",
     "test_gradient_norm_normalization_steps_by_epsilon_times_the_gradient_along_each_eigenvector"),
    ("eigenbasis_normalized", "† the division by the root of the curvature is missing",
     "np.sign(g_hat) / np.sqrt(lam)",
     "np.sign(g_hat)",
     "test_eigenbasis_normalization_steps_equally_far_along_every_eigenvector"),
    ("eigenbasis_normalized", "Q for its transpose: these are not the coordinates along the eigenvectors",
     "g_hat = Q.T @ loss.gradient(theta)",
     "g_hat = Q @ loss.gradient(theta)",
     "test_eigenbasis_normalization_steps_equally_far_along_every_eigenvector"),
    ("clipped_natural_gradient", "† the norm in the quotient is squared",
     "epsilon / (step or epsilon)",
     "epsilon / (step**2 or epsilon)",
     "test_clipping_everything_is_normalizing"),
    ("clipped_natural_gradient", "short steps are made longer",
     "min(1, epsilon / (step or epsilon))",
     "epsilon / (step or epsilon)",
     "test_a_clipped_step_is_newtons_along_every_eigenvector_where_that_is_short_enough"),
    ("gradient_norm_clipped", "the root of the curvature is missing",
     "epsilon * np.sqrt(lam)",
     "epsilon * lam",
     "test_a_clipped_step_is_newtons_along_every_eigenvector_where_that_is_short_enough"),
    ("eigenbasis_clipped", "clipped on one side only",
     "np.clip(lr(t) * g_hat / lam, -most, most)",
     "np.minimum(lr(t) * g_hat / lam, most)",
     "test_a_clipped_step_is_newtons_along_every_eigenvector_where_that_is_short_enough"),
    ("eigenbasis_clipped", "the step is clipped before it is multiplied by the rate",
     "np.clip(lr(t) * g_hat / lam, -most, most)",
     "lr(t) * np.clip(g_hat / lam, -most, most)",
     "test_it_is_the_step_times_its_rate_that_is_clipped"),
    ("eigenbasis", "negative curvature is divided by",
     "np.maximum(lam, 0) + damping",
     "lam + damping",
     "test_a_negative_curvature_counts_as_none"),
    ("anatomy", "† the half is missing in the gain",
     "lam * d_hat**2 / 2",
     "lam * d_hat**2",
     "test_gradient_descent_loses_half_the_curvature_term_not_the_whole"),
    ("noise", "† alpha, not its square",
     "Q.T @ A @ Sigma_b @ A.T @ Q",
     "Q.T @ A @ Sigma_b @ Q",
     "test_the_noise_of_a_step_is_alpha_squared_times_its_corrected_form"),
    ("noise", "the matrix of the step the other way round: it shows where that is not symmetric",
     "Q.T @ A @ Sigma_b @ A.T @ Q", "Q.T @ A.T @ Sigma_b @ A @ Q",
     "test_the_noise_is_what_sampling_shows"),
]


def test_what_a_step_of_each_costs():
    """A gradient each; and a product for every column of a dense matrix, or for every step of conjugate gradients."""
    risk = EmpiricalRisk(mlp([4, 5, 3]), np.random.default_rng(0).standard_normal((30, 4)), np.arange(30) % 3)
    start = risk.network.initial(seed=0)
    for method in SEVEN:
        counted = Counted(risk.whole)
        run = method(counted, start)
        for step_number in range(1, 4):
            before = counted.products
            next(run)
            assert counted.values == 0 and counted.gradients == step_number
            products = counted.products - before
            assert products <= 50 if method is natural_gradient else products == start.size
        assert set(run.memory) == {"t"}, "it remembers nothing"
    few = Counted(risk.whole)
    next(natural_gradient(few, start, cg_steps=5))
    assert few.products == 5
