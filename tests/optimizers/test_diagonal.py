"""Lecture 10 in tests: each says something the lecture says."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import BatchNorm, SquaredError, cnn, logistic, mlp
from numopt.optimizers import adahessian, gradient_descent, ivon, lion, momentum, sign_descent, sophia
from numopt.optimizers.diagonal import gauss_newton_bartlett, hutchinson, signs, spatial_average
from numopt.problems import Counted, EmpiricalRisk, MiniBatch, Objective, Quadratic
from numopt.record import path

CURVATURES = np.array([0.5, 4.0, 1.0, 20.0])
BOWL = Quadratic(np.diag(CURVATURES), b=[1.0, -2.0, 0.5, 3.0])
START = np.array([1.0, 2.0, -1.0, 0.5])
G = BOWL.gradient(START)
BARE = {"beta1": 0.0, "eps": 0.0}

RANDOM = np.random.default_rng(0)
M = RANDOM.standard_normal((6, 6))
MIXED = Quadratic(M + M.T)
X, LABELS = RANDOM.standard_normal((12, 3)), RANDOM.integers(3, size=12)
NETWORK = mlp([3, 4, 3])
THETA = NETWORK.initial(seed=1, scale=2.0)


class InBlocks(Quadratic):
    """A quadratic function of a matrix of so many columns."""

    def __init__(self, A, columns, b=None):
        super().__init__(A, b)
        self.columns = columns

    def blocks(self, vector):
        return [vector.reshape(-1, self.columns)]


class Linear(Objective):
    """gᵀθ: the same gradient everywhere, and no curvature."""

    def __init__(self, g):
        self.g = np.array(g)

    def value(self, theta):
        return (self.g @ theta).item()

    def gradient(self, theta):
        return self.g


def step(method, problem=BOWL, start=START, **settings):
    """The first step of a method."""
    return path(method(problem, start, **settings), 1)[1] - start


def draws(estimator, loss, theta, n, seed=3):
    return np.array([estimator(loss, theta, seed, t) for t in range(1, n + 1)])


@pytest.fixture(scope="module")
def mixed_draws():
    return draws(hutchinson, MIXED, np.zeros(6), 4000)


@pytest.fixture(scope="module")
def bartlett_draws():
    return draws(gauss_newton_bartlett, MiniBatch(NETWORK, X, LABELS), THETA, 1500)


def assert_mean(samples, expected, errors=5):
    """The mean of the samples is as expected, within so many of its standard errors."""
    error = samples.std(axis=0) / np.sqrt(len(samples))
    assert (np.abs(samples.mean(axis=0) - expected) <= errors * error + 1e-12).all()


# Hutchinson's estimator


@pytest.mark.parametrize("method", [adahessian, sophia])
def test_a_step_whose_rate_is_zero_goes_nowhere_and_shrinks_nothing(method):
    x = path(method(BOWL, START, lr=lambda t: 0.0 if t == 2 else 0.1, weight_decay=0.1), 3)
    assert (x[2] == x[1]).all() and (x[1] != x[0]).all() and (x[3] != x[2]).all()


def test_without_curvature_adahessian_divides_by_eps():
    assert_allclose(step(adahessian, Linear([1.0, -2.0]), np.zeros(2), lr=0.5, eps=0.1), [-5, 10])


def test_the_numbers_of_the_bartlett_estimate_add_up_on_average_to_the_trace_of_the_fisher_matrix():
    """It has the factor B = 12: the mean of 12 gradients is, on average, shorter than one by the root of that."""
    batch = MiniBatch(NETWORK, X, LABELS)
    found = [gauss_newton_bartlett(batch, THETA, 0, t).sum() for t in range(1, 401)]
    assert_allclose(np.mean(found), np.trace(batch.fisher(THETA) @ np.eye(THETA.size)), rtol=0.1)


def test_random_signs_give_the_diagonal_of_the_hessian_on_average(mixed_draws):
    assert_mean(mixed_draws, np.diag(MIXED.A))


def test_the_error_of_an_entry_is_made_by_what_is_beside_the_diagonal_and_falls_with_the_root_of_the_draws(mixed_draws):
    beside = (MIXED.A**2).sum(axis=1) - np.diag(MIXED.A)**2
    assert_allclose(mixed_draws.var(axis=0), beside, rtol=0.1)
    assert_allclose(mixed_draws.reshape(80, 50, 6).mean(axis=1).var(axis=0).sum(), beside.sum() / 50, rtol=0.25)


def test_one_draw_is_exact_where_the_hessian_is_diagonal():
    assert_allclose(hutchinson(BOWL, START, seed=0, t=1), CURVATURES, rtol=1e-15)


def test_it_is_the_diagonal_for_a_network_too():
    batch = MiniBatch(NETWORK, X, LABELS)
    H = batch.hessian(THETA) @ np.eye(NETWORK.size)
    assert_mean(draws(hutchinson, batch, THETA, 800), np.diag(H))
    assert (np.diag(H) < -1e-3).any(), "the Hessian of a network has negative entries on its diagonal as well"


def test_the_signs_are_fair_independent_and_a_function_of_seed_and_step():
    z = np.array([signs(np.zeros(5), 0, t) for t in range(2000)])
    assert set(np.unique(z)) == {-1, 1}
    assert_allclose(z.T @ z / len(z), np.eye(5), atol=0.1)
    assert_allclose(z.mean(axis=0), 0, atol=0.1)
    assert np.array_equal(signs(START, 2, 3), signs(START, 2, 3))
    assert not np.array_equal(signs(np.zeros(50), 2, 3), signs(np.zeros(50), 3, 2))


# AdaHessian


def test_without_momentum_adahessian_is_newtons_method_where_the_hessian_is_diagonal():
    thetas = path(adahessian(BOWL, START, lr=0.5, **BARE), 4)
    expected = BOWL.minimizers[0] + 0.5**np.arange(5)[:, None] * (START - BOWL.minimizers[0])
    assert_allclose(thetas, expected, rtol=1e-12)


def test_where_the_curvature_is_negative_it_goes_downhill_and_newtons_method_uphill():
    saddle = Quadratic(np.diag([2.0, -3.0]))
    d = step(adahessian, saddle, np.array([1.0, 1.0]), lr=1.0, **BARE)
    assert_allclose(d, [-1.0, 1.0])
    assert_allclose(-np.linalg.solve(saddle.A, saddle.gradient(np.ones(2))), [-1.0, -1.0])


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_the_hessian_power_is_the_power_of_the_curvature(power):
    assert_allclose(step(adahessian, lr=0.1, power=power, **BARE), -0.1 * G / CURVATURES**power)


def test_with_the_power_zero_it_is_gradient_descent():
    assert_allclose(path(adahessian(MIXED, np.ones(6), lr=0.01, power=0.0, **BARE), 5),
                    path(gradient_descent(MIXED, np.ones(6), lr=0.01), 5))


def test_with_the_power_zero_and_an_average_of_gradients_it_is_momentum_corrected_for_its_start():
    beta1, lr = 0.9, 0.05
    run = adahessian(BOWL, START, lr=lambda t: lr * (1 - beta1**t), beta1=beta1, eps=0.0, power=0.0)
    assert_allclose(path(run, 10), path(momentum(BOWL, START, lr=lr * (1 - beta1), mu=beta1), 10), rtol=1e-12)


def test_the_mean_of_a_block_by_hand():
    D = [np.array([[1.0, -3.0], [2.0, 4.0]])]
    assert_allclose(spatial_average(D, "signed"), [-1, -1, 3, 3])
    assert_allclose(spatial_average(D, "absolute"), [2, 2, 3, 3])
    assert_allclose(spatial_average(D, "signed", block=1), [1, -3, 2, 4])


@pytest.mark.parametrize("seed", range(4))
def test_signed_and_absolute_averages_make_different_steps_on_a_matrix(seed):
    g = np.array([1.0, 2.0, 3.0, 4.0])
    problem = InBlocks(np.diag([1.0, -3.0, 2.0, 4.0]), columns=2, b=-g)
    settings = {**BARE, "lr": 1.0, "seed": seed}
    assert_allclose(step(adahessian, problem, np.zeros(4), **settings), -g / [1, 1, 3, 3])
    assert_allclose(step(adahessian, problem, np.zeros(4), averaging="absolute", **settings), -g / [2, 2, 3, 3])
    assert_allclose(step(adahessian, problem, np.zeros(4), block=1, **settings), -g / [1, 3, 2, 4])


def test_a_block_is_cut_short_at_the_end_of_a_row():
    D = np.array([[1.0, 3.0, 5.0, 7.0, 11.0], [0.0, 2.0, 4.0, 4.0, -6.0]])
    assert_allclose(spatial_average([D], "signed", block=2), [2, 2, 6, 6, 11, 1, 1, 4, 4, -6])
    assert_allclose(spatial_average([D], "signed", block=9), spatial_average([D], "signed"))


def test_in_a_signed_average_chance_cancels_and_in_an_absolute_one_it_adds_up(mixed_draws):
    rows = [D.reshape(2, 3) for D in mixed_draws]
    expected = np.repeat(np.diag(MIXED.A).reshape(2, 3).mean(axis=1), 3)
    assert_mean(np.array([spatial_average([D], "signed") for D in rows]), expected)
    assert (np.mean([spatial_average([D], "absolute") for D in rows], axis=0) > np.abs(expected) + 0.5).all()


def test_averaging_over_a_row_makes_the_estimate_of_a_flat_row_less_random():
    A = np.eye(8) + 0.5 * np.ones((8, 8))
    raw = draws(hutchinson, Quadratic(A), np.zeros(8), 1000)
    averaged = np.array([spatial_average([D.reshape(1, 8)], "signed") for D in raw])
    assert_mean(averaged, 1.5)
    assert averaged.var() < raw.var() / 3


def test_every_block_of_a_network_is_averaged_on_its_own():
    network = cnn((8, 8, 2), classes=3)
    D = np.arange(network.size, dtype=float)
    averaged = network.blocks(spatial_average(network.blocks(D), "signed"))
    for before, after in zip(network.blocks(D), averaged):
        assert_allclose(after, np.broadcast_to(before.mean(axis=1, keepdims=True), before.shape))


def test_the_printed_step_climbs():
    """Kashyap (2022) has Δw = diag(H)^(−k) g, without the minus."""
    printed = G / CURVATURES
    assert BOWL.value(START + 0.1 * printed) > BOWL.value(START)
    assert BOWL.value(START + step(adahessian, lr=0.1, **BARE)) < BOWL.value(START)
    assert_allclose(step(adahessian, lr=0.1, **BARE), -0.1 * printed)


def test_the_averages_are_those_of_adam_and_so_is_the_correction():
    """With a constant curvature and gradient every step is the same, from the first one on."""
    class Slope(Linear):
        def hessian(self, theta):
            return np.diag([2.0, 5.0])

    thetas = path(adahessian(Slope([1.0, 10.0]), np.zeros(2), lr=0.1, eps=0.0), 20)
    assert_allclose(np.diff(thetas, axis=0), np.broadcast_to([-0.05, -0.2], (20, 2)), rtol=1e-12)


def test_weight_decay_is_not_divided_by_the_curvature():
    d = step(adahessian, lr=0.1, weight_decay=0.3, **BARE)
    assert_allclose(d, step(adahessian, lr=0.1, **BARE) - 0.1 * 0.3 * START)


def test_another_seed_is_another_run():
    risk = EmpiricalRisk(NETWORK, X, LABELS, batch_size=4)
    for method, letter in ((adahessian, "v"), (sophia, "h")):
        first, second = method(risk, THETA, seed=0), method(risk, THETA, seed=1)
        next(first), next(second)
        assert not np.allclose(first[letter], second[letter], rtol=0.1)


@pytest.mark.parametrize("settings, message", [
    ({"averaging": "mean"}, "averaging is 'mean'; it must be 'signed' or 'absolute'"),
    ({"power": 1.5}, "power is 1.5; it must be a number in \\[0, 1\\]"),
    ({"block": 0}, "block is 0; it must be a whole number of at least 1"),
    ({"seed": -1}, "seed is -1; it must be a whole number of at least 0")])
def test_adahessian_says_what_it_can_do(settings, message):
    with pytest.raises(ValueError, match=message):
        next(adahessian(BOWL, START, **settings))


# Sophia


def test_with_unit_curvature_and_nothing_clipped_sophia_is_momentum():
    """h = 1/gamma everywhere, and a gradient below 1."""
    ball, gamma, beta1, lr = Quadratic(np.eye(4)), 1.0, 0.9, 0.1
    start = 0.5 * START / np.abs(START).max()
    run = sophia(ball, start, lr=lr, beta1=beta1, gamma=gamma, weight_decay=0.0, h=1.0)
    thetas = path(run, 20)
    assert_allclose(run["h"], 1.0)
    assert_allclose(thetas, path(momentum(ball, start, lr=lr * (1 - beta1), mu=beta1), 20), rtol=1e-12)


def test_where_it_does_not_clip_it_divides_by_gamma_times_the_curvature():
    d = step(sophia, lr=0.1, beta1=0.0, beta2=0.0, gamma=100.0, weight_decay=0.0)
    assert (np.abs(G) < 100 * CURVATURES).all(), "something is clipped"
    assert_allclose(d, -0.1 * G / (100 * CURVATURES))


def test_no_coordinate_moves_further_than_the_rate():
    lr, gamma = 0.01, 0.5
    d = step(sophia, lr=lr, beta1=0.0, beta2=0.0, gamma=gamma, weight_decay=0.0)
    whole = G / (gamma * CURVATURES)
    assert (np.abs(whole) > 1).any() and (np.abs(whole) < 1).any()
    assert_allclose(d, -lr * np.clip(whole, -1, 1))


def test_at_the_start_when_little_has_been_added_to_h_nearly_every_step_is_by_the_sign():
    run = sophia(EmpiricalRisk(NETWORK, X, LABELS), THETA, lr=0.01, weight_decay=0.0)
    d = next(run) - THETA
    assert (np.isclose(np.abs(d), 0.01)).mean() > 0.95 and np.abs(run["h"]).max() < 0.02


def test_without_curvature_it_steps_by_the_sign():
    slope = Linear([3.0, -1e-6, 0.5])
    assert_allclose(path(sophia(slope, np.zeros(3), lr=0.1, weight_decay=0.0), 5),
                    path(sign_descent(slope, np.zeros(3), lr=0.1), 5))


def test_where_the_curvature_is_negative_it_steps_by_the_sign_too():
    d = step(sophia, Quadratic(np.diag([-3.0, 2.0])), np.array([1.0, -1.0]), lr=0.1, beta1=0.0, gamma=100.0,
             weight_decay=0.0)
    assert d[0] == pytest.approx(0.1) and 0 < d[1] < 0.1


@pytest.mark.parametrize("gamma", [1e-9, 0.0])
def test_if_everything_is_clipped_it_is_lion_with_one_momentum(gamma):
    """Liu et al. (2024): Sophia is then the sign of the momentum, as Lion is with beta1 = beta2 for its memory."""
    clipped = path(sophia(BOWL, START, lr=0.01, beta1=0.9, gamma=gamma, weight_decay=0.1, h=1e4), 8)
    assert_allclose(clipped[1], path(lion(BOWL, START, lr=0.01, weight_decay=0.1), 1)[1])
    m, theta = 0.0, START
    for t in range(1, 9):
        m = 0.9 * m + 0.1 * BOWL.gradient(theta)
        theta = theta - 0.01 * np.sign(m) - 0.01 * 0.1 * theta
        assert_allclose(clipped[t], theta)


def test_the_bartlett_estimator_is_the_diagonal_of_the_fisher_matrix_on_average(bartlett_draws):
    batch = MiniBatch(NETWORK, X, LABELS)
    diagonal = batch.gauss_newton_diagonal(THETA)
    assert_mean(bartlett_draws, diagonal)
    assert_allclose(diagonal, np.diag(batch.fisher(THETA) @ np.eye(NETWORK.size)))
    assert (bartlett_draws >= 0).all()


def test_it_is_so_for_squared_error_too():
    network = mlp([3, 4, 2], loss=SquaredError())
    batch, theta = MiniBatch(network, X, np.zeros((12, 2))), network.initial(seed=1, scale=2.0)
    assert_mean(draws(gauss_newton_bartlett, batch, theta, 1000), batch.gauss_newton_diagonal(theta))


def test_without_the_factor_b_or_with_the_labels_of_the_data_it_is_not(bartlett_draws):
    batch = MiniBatch(NETWORK, X, LABELS)
    diagonal, h = batch.gauss_newton_diagonal(THETA), bartlett_draws.mean(axis=0)
    assert_allclose(h.sum(), diagonal.sum(), rtol=0.05)
    assert h.sum() / batch.n < 0.1 * diagonal.sum()
    assert abs(batch.n * (batch.gradient(THETA)**2).sum() / diagonal.sum() - 1) > 0.5


def test_the_gradient_at_labels_of_the_model_is_noise_around_zero_with_the_fisher_matrix_for_covariance():
    batch = MiniBatch(NETWORK, X, LABELS)
    g = np.array([batch.sampled_gradient(THETA, [0, t]) for t in range(1500)])
    assert_mean(g, 0)
    F = batch.fisher(THETA) @ np.eye(NETWORK.size)
    covariance = batch.n * g.T @ g / len(g)
    assert np.linalg.norm(covariance - F) < 0.15 * np.linalg.norm(F)


def test_that_gradient_is_the_gradient_of_the_loss_on_such_labels():
    batch = MiniBatch(NETWORK, X, LABELS)
    z, _, _ = batch.forward(THETA)
    drawn = NETWORK.loss.sample(z, np.random.default_rng([5, 6]))
    assert_allclose(batch.sampled_gradient(THETA, [5, 6]), MiniBatch(NETWORK, X, drawn).gradient(THETA))
    again = MiniBatch(NETWORK, X, LABELS, seed=(7, 8))
    assert np.array_equal(again.sampled_gradient(THETA), again.sampled_gradient(THETA))
    assert not np.array_equal(again.sampled_gradient(THETA), batch.sampled_gradient(THETA))


def test_batch_normalisation_leaves_it_the_diagonal_of_the_gauss_newton_matrix():
    """No label of one example enters the outputs of another, so their scores stay independent."""
    network = mlp([3, 3])
    network = type(network)(*network.layers, BatchNorm(3), inputs=3)
    batch, theta = MiniBatch(network, X, LABELS), network.initial(seed=1)
    matrix = batch.gauss_newton(theta) @ np.eye(network.size)
    assert_mean(draws(gauss_newton_bartlett, batch, theta, 1000), np.diag(matrix))


def test_for_a_model_linear_in_its_weights_both_estimators_have_the_same_mean():
    network = logistic(3, 3)
    batch, theta = MiniBatch(network, X, LABELS), network.initial(seed=2)
    H = np.diag(batch.hessian(theta) @ np.eye(network.size))
    for estimator in (hutchinson, gauss_newton_bartlett):
        assert_mean(draws(estimator, batch, theta, 1000), H)


@pytest.mark.parametrize("k, expected", [(10, [1, 11, 21]), (1, list(range(1, 26))), (7, [1, 8, 15, 22])])
@pytest.mark.parametrize("estimator", ["H", "G"])
def test_the_curvature_is_asked_for_at_every_kth_step_only(k, expected, estimator):
    run = sophia(EmpiricalRisk(NETWORK, X, LABELS, batch_size=5), THETA, lr=0.01, k=k, estimator=estimator)
    before, changed = run["h"], []
    for t in range(1, 26):
        next(run)
        if run["h"] is not before:
            changed.append(t)
        before = run["h"]
    assert changed == expected


def test_its_curvature_is_an_average_of_estimates_with_the_signs_that_they_have():
    run = sophia(Quadratic(np.diag([-3.0, 2.0])), np.ones(2), k=1, beta2=0.5, lr=0.01)
    for t in range(1, 6):
        next(run)
        assert_allclose(run["h"], (1 - 0.5**t) * np.array([-3, 2]))


def test_between_those_steps_it_costs_as_much_as_momentum():
    problem = Counted(BOWL)
    path(sophia(problem, START, k=10), 30)
    assert (problem.gradients, problem.products) == (30, 3)


def test_weight_decay_is_neither_clipped_nor_divided():
    without = step(sophia, lr=0.1, weight_decay=0.0)
    assert_allclose(step(sophia, lr=0.1, weight_decay=0.2), without - 0.1 * 0.2 * START)


def test_gamma_is_a_hundredth_for_hutchinson_and_a_twentieth_for_bartlett_unless_it_is_given():
    risk = EmpiricalRisk(NETWORK, X, LABELS)
    for estimator, gamma in (("H", 0.01), ("G", 0.05)):
        usual, given, other = (path(sophia(risk, THETA, lr=0.1, beta2=0.0, estimator=estimator, **how), 3)
                               for how in ({}, {"gamma": gamma}, {"gamma": 1.0}))
        assert np.array_equal(usual, given) and not np.array_equal(usual, other)


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="estimator is 'E'; it must be 'H' or 'G'"):
        next(sophia(BOWL, START, estimator="E"))


# ------------------------------------------------------------------------------------------------------------ mistakes

# IVON

def test_on_average_ivon_sees_the_diagonal_of_the_hessian_without_a_hessian_product():
    seen = []
    for t in range(4000):
        run = ivon(MIXED, np.zeros(6), t=t, ess=10.0)
        next(run)
        seen.append(run["h_hat"])
    error = np.abs(np.mean(seen, axis=0) - np.diag(MIXED.A)) / (np.std(seen, axis=0) / np.sqrt(4000))
    assert error.max() < 4


def test_its_curvature_comes_to_that_of_the_bowl_and_its_mean_to_the_minimum():
    run = ivon(BOWL, START, lr=0.05, beta2=0.999, ess=100.0, weight_decay=0.0)
    points = path(run, 10000)[-2000:]
    minimum = np.linalg.solve(BOWL.A, BOWL.b)
    assert_allclose(run["h"], CURVATURES, rtol=0.2)
    assert_allclose(points.mean(axis=0), minimum, atol=0.05)


def test_the_curvature_of_ivon_stays_positive_where_that_of_the_loss_is_not():
    run = ivon(Quadratic(np.diag([-5.0, 3.0])), [1.0, 1.0], lr=1e-3, beta2=0.9, ess=1.0, weight_decay=0.1)
    for _ in range(300):
        next(run)
        assert (run["h"] + 0.1 > 0).all() and np.isfinite(run.theta).all()


@pytest.mark.parametrize("beta2", [0.9, 0.99])
def test_the_curvature_of_ivon_goes_along_a_geodesic_of_variances_to_third_order(beta2):
    """On which H = h + weight_decay is multiplied by exp((1 − β₂) (ĥ − h) / H)."""
    for seed in range(5):
        run = ivon(BOWL, np.zeros(4), ess=1e6, h0=2.0, weight_decay=0.1, beta2=beta2, seed=seed, lr=0.0)
        for _ in range(3):
            H, h = run["h"] + 0.1 if run["t"] else 2.1, run["h"] if run["t"] else 2.0
            next(run)
            y = (1 - beta2) * (run["h_hat"] - h) / H
            near = np.abs(y) < 0.5
            assert (np.abs(np.log((run["h"] + 0.1) / H) - y)[near] <= np.abs(y[near])**3 / 4 + 1e-15).all()


def test_with_no_noise_and_a_curvature_that_stays_a_step_of_ivon_is_momentum_corrected_for_its_start():
    run = ivon(Linear([1.0, -2.0]), [0.0, 0.0], lr=0.3, beta2=1 - 1e-16, ess=1.0, h0=2.0, weight_decay=0.0)
    assert_allclose(path(run, 3), np.outer(np.arange(4), [-0.15, 0.3]), atol=1e-12)


def test_the_points_at_which_ivon_asks_are_spread_as_its_variances_say():
    asked = []
    for t in range(3000):
        run = ivon(Linear([1.0, 2.0]), [0.0, 0.0], t=t, ess=4.0, h0=0.9, weight_decay=0.1)
        next(run)
        asked.append(run["noise"])
    assert_allclose(np.var(asked, axis=0), 1 / 4, rtol=0.1)


MISTAKES = [
    ("ivon", "the product is not divided by the variance",
     "precision * noise * g",
     "noise * g",
     "test_on_average_ivon_sees_the_diagonal_of_the_hessian_without_a_hessian_product"),
    ("ivon", "without the last term h becomes negative",
     " + (1 - beta2)**2 / 2 * (h - h_hat)**2 / (h + weight_decay)",
     "",
     "test_the_curvature_of_ivon_stays_positive_where_that_of_the_loss_is_not"),
    ("ivon", "the noise is divided by the precision and not by its root",
     "/ np.sqrt(precision)",
     "/ precision",
     "test_the_points_at_which_ivon_asks_are_spread_as_its_variances_say"),
    ("adahessian", "† without its minus: it climbs",
     "theta = theta - lr(t)",
     "theta = theta + lr(t)",
     "test_the_printed_step_climbs"),
    ("adahessian", "D is averaged, not its square",
     "(1 - beta2) * D**2",
     "(1 - beta2) * D",
     "test_without_momentum_adahessian_is_newtons_method_where_the_hessian_is_diagonal"),
    ("adahessian", "H z without the z before it: its mean is zero",
     "D = z * (loss.hessian(theta) @ z)",
     "D = loss.hessian(theta) @ z",
     "test_signed_and_absolute_averages_make_different_steps_on_a_matrix"),
    ("adahessian", "the power is on v, before the root: k = 1 has no root at all",
     "np.sqrt(v_hat)**power",
     "v_hat**power",
     "test_the_hessian_power_is_the_power_of_the_curvature"),
    ("adahessian", "the correction forgets the power t",
     "v / (1 - beta2**t)",
     "v / (1 - beta2)",
     "test_the_averages_are_those_of_adam_and_so_is_the_correction"),
    ("spatial_average", "* |D| is averaged where D was asked for: chance no longer cancels",
     "D_i if averaging == \"signed\" else np.abs(D_i)",
     "np.abs(D_i)",
     "test_the_mean_of_a_block_by_hand"),
    ("block_means", "the last block is divided by the length of a whole one",
     "/ lengths.astype(D.dtype)",
     "/ (block or D.shape[1])",
     "test_a_block_is_cut_short_at_the_end_of_a_row"),
    ("signs", "the same signs at every step",
     "default_rng([seed, t])",
     "default_rng([seed])",
     "test_the_signs_are_fair_independent_and_a_function_of_seed_and_step"),
    ("sophia", "clipped from above only",
     "np.clip(m / np.maximum(gamma * h, eps), -1, 1)",
     "np.minimum(m / np.maximum(gamma * h, eps), 1)",
     "test_no_coordinate_moves_further_than_the_rate"),
    ("sophia", "a gamma of 0 is taken for none",
     "usual_gamma if gamma is None else gamma", "gamma or usual_gamma",
     "test_if_everything_is_clipped_it_is_lion_with_one_momentum"),
    ("sophia", "† negative curvature is divided by: uphill",
     "np.maximum(gamma * h, eps)",
     "(gamma * h + eps)",
     "test_where_the_curvature_is_negative_it_steps_by_the_sign_too"),
    ("sophia", "the curvature is estimated one step late",
     "(t - 1) % k == 0",
     "t % k == 0",
     "test_where_it_does_not_clip_it_divides_by_gamma_times_the_curvature"),
    ("gauss_newton_bartlett", "the factor B is missing",
     "loss.n * g_hat**2",
     "g_hat**2",
     "test_the_numbers_of_the_bartlett_estimate_add_up_on_average_to_the_trace_of_the_fisher_matrix"),
]


def test_what_a_step_of_each_costs():
    risk = EmpiricalRisk(NETWORK, X, LABELS, batch_size=6)
    seen = {}
    for name, method in (("adahessian", adahessian), ("H", lambda *problem: sophia(*problem, estimator="H")),
                         ("G", lambda *problem: sophia(*problem, estimator="G"))):
        counted = Counted(risk)
        run, rows = method(counted, THETA), []
        for _ in range(20):
            before = dict(counted.counts)
            next(run)
            rows.append([counted.counts[asked] - before[asked] for asked in ("values", "gradients", "products")])
        seen[name] = np.array(rows)
        assert sorted(set(run.memory) - {"t"}) == (["m", "v"] if name == "adahessian" else ["h", "m"])
        assert all(vector.shape == THETA.shape for key, vector in run.memory.items() if key != "t")
    every = (np.arange(20) % 10 == 0).astype(int)
    assert_allclose(seen["adahessian"], np.tile([0, 1, 1], (20, 1)))
    assert_allclose(seen["H"], np.column_stack([0 * every, 1 + 0 * every, every]))
    assert_allclose(seen["G"], np.column_stack([0 * every, 1 + every, 0 * every]))
