"""Lecture 12 in tests: each says something the lecture says."""
from functools import partial
from itertools import islice
from math import inf, nan

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize
from scipy.sparse.linalg import LinearOperator, minres

from numopt.data import digits
from numopt.linalg import dense, gcr_iterates
from numopt.line_search import Step, backtracking
from numopt.networks import SquaredError, cnn, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import adam, anderson, fishleg, gcr, gradient_descent, nltgcr, nltgcr_adaptive, nltgcr_fisher
from numopt.optimizers.residual import (
    auxiliary_gradient, auxiliary_loss, inverse_times, kfac_inverse, parts, scaled_identity, started)
from numopt.problems import (
    Bratu, Counted, EmpiricalRisk, Function, HEquation, LeastSquares, LennardJones, MiniBatch, Noisy, Quadratic,
    Rosenbrock, Saddle, System)
from numopt.record import path, record

RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.standard_normal((8, 8)))[0]
A = Q * np.geomspace(1, 50, 8) @ Q.T
B = RNG.standard_normal(8)
BOWL = Quadratic(A, B)
START = RNG.standard_normal(8)

NETWORK = mlp([5, 4, 3])
X = np.random.default_rng(1).standard_normal((60, 5))
LABELS = (X @ np.random.default_rng(2).standard_normal((5, 3))).argmax(axis=1)
RISK = EmpiricalRisk(NETWORK, X, LABELS, batch_size=20)
WHOLE = EmpiricalRisk(NETWORK, X, LABELS)
WEIGHTS = NETWORK.initial(seed=3)
DIGITS = digits(images=True)

ON_BOWL = [gcr, nltgcr, nltgcr_adaptive, partial(nltgcr_adaptive, cosine=-1), partial(nltgcr_adaptive, cosine=1)]


class Linear(System):
    """Aθ = b, for any A, which can only be multiplied with: there is no transpose."""

    def __init__(self, A, b):
        self.A, self.b, self.size = A, b, len(b)

    def residuals(self, theta):
        return self.A @ theta - self.b

    def jacobian(self, theta):
        return LinearOperator(self.A.shape, matvec=lambda v: self.A @ v, dtype=theta.dtype)


SKEW = np.random.default_rng(4).standard_normal((8, 8))
WINDY = Linear(A / 10 + (SKEW - SKEW.T) / 2, B)     # xᵀAx > 0, but far from symmetric


def krylov(A, r, k):
    """An orthonormal basis of r, Ar, ..., Aᵏ⁻¹r."""
    columns = [r / np.linalg.norm(r)]
    for _ in range(k - 1):
        columns.append(np.linalg.qr(np.column_stack([*columns, A @ columns[-1]]))[0][:, -1])
    return np.column_stack(columns)


def least_residual(A, b, theta, k):
    """The point of θ + the Krylov space of k dimensions with the least ‖b − Ax‖, by elimination: GMRES, MINRES."""
    if k == 0:
        return theta
    K = krylov(A, b - A @ theta, k)
    return theta + K @ np.linalg.lstsq(A @ K, b - A @ theta, rcond=None)[0]


def norms(problem, thetas):
    question = problem.residuals if isinstance(problem, System) else problem.gradient
    return np.array([np.linalg.norm(question(theta)) for theta in thetas])


@pytest.mark.parametrize("optimizer", [
    partial(anderson, window=0), nltgcr, nltgcr_adaptive, partial(nltgcr_fisher, curvature="hessian", start=0),
    partial(fishleg, curvature="hessian")])
def test_a_step_whose_rate_is_zero_goes_nowhere_and_the_run_goes_on(optimizer):
    x = path(optimizer(BOWL, START, lr=lambda t: 0.0 if t == 2 else 0.01), 3)
    assert_array_equal(x[2], x[1])
    assert (x[1] != x[0]).all() and (x[3] != x[2]).all()


def test_where_a_search_finds_nothing_along_a_single_fresh_direction_the_run_ends():
    def nowhere(loss, theta, d, alpha):
        return backtracking(loss, theta, 0 * d)

    assert len(path(nltgcr(BOWL, START, search=nowhere), 5)) == 1


@pytest.mark.parametrize("lr", [1.0, 0.25])
def test_a_search_is_told_lr_times_the_step_for_a_first_trial_and_what_it_finds_is_taken_as_it_is(lr):
    trials = []

    def search(loss, theta, d, alpha):
        trials.append(alpha)
        return Step(0.3, None, None)

    run = nltgcr(BOWL, START, lr=lr, search=search)
    for theta in path(run, 3)[:-1]:
        pass
    assert trials == [lr] * 3
    assert_allclose(run.theta - theta, 0.3 * run["d"])


# ---- linear systems

@pytest.mark.parametrize("method", ON_BOWL)
def test_on_a_quadratic_every_residual_is_the_least_of_the_krylov_space(method):
    for k, theta in enumerate(path(method(BOWL, START), 7)):
        assert_allclose(theta, least_residual(A, B, START, k), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ON_BOWL)
def test_for_a_symmetric_matrix_a_window_of_one_does_the_same_as_a_full_one(method):
    assert_allclose(path(method(BOWL, START, window=1), 7), path(method(BOWL, START, window=8), 7), rtol=1e-7)


@pytest.mark.parametrize("method", ON_BOWL)
@pytest.mark.parametrize("window", [1, 8])
def test_on_a_quadratic_of_n_dimensions_it_arrives_in_n_steps(method, window):
    assert_allclose(path(method(BOWL, START, window=window), 8)[-1], BOWL.minimizers[0], atol=1e-8)


@pytest.mark.parametrize("method", [gcr, nltgcr])
def test_its_iterates_are_those_of_minres(method):
    seen = []
    minres(A, B, rtol=1e-14, maxiter=6, callback=lambda x: seen.append(x.copy()))
    assert_allclose(path(method(BOWL, np.zeros(8)), 6)[1:], seen, rtol=1e-8)


def test_the_loop_and_the_solver_are_the_same_method():
    for theta, (x, r) in zip(path(gcr(WINDY, START, curvature="jacobian"), 6)[1:], gcr_iterates(WINDY.A, B, START)):
        assert_allclose(theta, x)
        assert_allclose(-WINDY.residuals(theta), r, atol=1e-12)


@pytest.mark.parametrize("method", ON_BOWL)
def test_it_solves_systems_that_are_not_symmetric_and_needs_no_transpose(method):
    """Memon et al. (2024) say that the method is for symmetric positive definite matrices."""
    for k, theta in enumerate(path(method(WINDY, START, curvature="jacobian"), 7)):
        assert_allclose(theta, least_residual(WINDY.A, B, START, k), rtol=1e-6, atol=1e-9)
    full, short = (norms(WINDY, path(method(WINDY, START, curvature="jacobian", window=w), 8))[-1] for w in (8, 1))
    assert full < 1e-9 < 1e-2 < short


@pytest.mark.parametrize("method", [gcr, nltgcr, nltgcr_adaptive])
def test_where_no_step_is_left_it_ends(method):
    assert len(path(method(Quadratic(np.eye(3)), np.zeros(3)), 5)) == 1         # the residual is 0
    slope = Quadratic(np.diag([1.0, 2.0, 0.0]), [1.0, 1.0, 1.0])                # its image is 0: f has no minimum
    run = method(slope, np.zeros(3))
    assert record(run, steps=50).reason == "finished"
    assert_allclose(run.theta[:2], [1, 0.5])


def test_the_residual_is_minus_the_gradient_and_not_minus_the_network():
    """Memon et al. (2024) write r = −f(x; θ), which for three outputs has not even the right shape."""
    run = nltgcr_fisher(RISK, WEIGHTS, start=0)
    next(run)
    assert_allclose(run["r"], -RISK.loss(1).gradient(WEIGHTS))
    assert NETWORK.outputs(WEIGHTS, X[:1]).size != WEIGHTS.size


# ---- Anderson acceleration

@pytest.mark.parametrize("lr", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("system", [WINDY, Linear(A, B)], ids=["windy", "symmetric"])
def test_with_a_full_window_anderson_steps_from_where_gmres_has_got_to(system, lr):
    """Walker and Ni (2011), Theorem 2.2."""
    thetas = path(anderson(system, START, equations="residuals", window=8, lr=lr), 6)
    for k, theta in enumerate(thetas[1:]):
        best = least_residual(system.A, B, START, k)
        assert_allclose(theta, best + lr * (B - system.A @ best), rtol=1e-5, atol=1e-6)


def test_with_a_window_of_nothing_anderson_is_gradient_descent():
    assert_array_equal(path(anderson(RISK, WEIGHTS, window=0, lr=0.3), 9),
                       path(gradient_descent(RISK, WEIGHTS, lr=0.3), 9))


def test_of_one_equation_anderson_with_a_window_of_one_is_the_secant_method_whatever_its_rate():
    cube = Linear(np.eye(1), np.array([2.0]))
    cube.residuals = lambda x: x**3 - 2
    x = list(path(anderson(cube, [1.0], equations="residuals", window=1, lr=0.2), 8)[:, 0])
    expected = x[:2]
    for _ in range(7):
        (a, b), f = expected[-2:], lambda x: x**3 - 2
        expected.append(b - f(b) * (b - a) / (f(b) - f(a)) if f(b) != f(a) else b)
    assert_allclose(x, expected, rtol=1e-12)
    assert_allclose(x[-1], 2**(1 / 3))


def test_anderson_speeds_up_picards_iteration_for_the_h_equation():
    system = HEquation(100, 0.99)
    picard, five = (norms(system, path(anderson(system, system.start, equations="residuals", window=w, lr=1.0), 12))
                    for w in (0, 5))
    assert_allclose(path(anderson(system, system.start, equations="residuals", window=0, lr=1.0), 1)[1],
                    1 / (1 - system.kernel.sum(axis=1)))     # H ← 1 / (1 − K H)
    assert five[-1] < 1e-10 < 1e-3 < picard[-1]


# ---- nlTGCR

def test_the_images_are_orthonormal_and_each_direction_has_its_own():
    run = nltgcr(BOWL, START)
    path(run, 5)
    P, V, W = zip(*run["pairs"])
    assert_allclose(np.array(V) @ np.array(V).T, np.eye(5), atol=1e-12)
    assert_allclose(np.array(P) @ A, V, atol=1e-12)
    assert all(w >= np.abs(p).max() for p, w in zip(P, W))


def test_the_step_goes_to_the_least_residual_of_all_the_directions_that_are_kept():
    run = nltgcr(WHOLE, WEIGHTS, curvature="fisher", damping=0.1, window=4)
    before = path(run, 9)[-1]
    after = next(run)
    P, V, _ = zip(*run["pairs"])
    y = np.linalg.lstsq(np.transpose(V), -WHOLE.loss(1).gradient(before), rcond=None)[0]
    assert len(P) == 4
    assert_allclose(after - before, np.transpose(P) @ y, atol=1e-10)


def test_on_a_nonlinear_problem_the_older_directions_help():
    newest, all_ten = (norms(HEquation(50, 0.9), path(nltgcr(HEquation(50, 0.9), np.ones(50), curvature="jacobian",
                                                             window=w), 7))[-1] for w in (1, 10))
    assert all_ten < 1e-3 * newest


@pytest.mark.parametrize("settings", [{"restart": 1}, {"safeguard": 0}])
def test_after_a_restart_the_newest_direction_is_the_only_one(settings):
    run = nltgcr(BOWL, START, **settings)
    theta = START
    for _ in range(5):
        r = B - A @ theta
        theta = theta + (r @ A @ r) / (r @ A @ A @ r) * r
        assert_allclose(next(run), theta)
        assert len(run["pairs"]) == 1


def test_it_restarts_when_the_count_is_full():
    run = nltgcr(WHOLE, WEIGHTS, curvature="fisher", damping=0.1, restart=4)
    lengths = []
    for _ in range(9):
        next(run)
        lengths.append(len(run["pairs"]))
    assert lengths == [1, 2, 3, 4, 1, 2, 3, 4, 1]


def test_on_a_large_system_restarts_cost_more_than_they_are_good_for():
    system = Bratu(40)
    often, never = (norms(system, path(nltgcr(system, system.start, curvature="jacobian", restart=k), 130))[-1]
                    for k in (25, 10**6))
    assert never < 1e-10 < 1e-6 < often


def test_the_safeguard_keeps_directions_short_that_have_nearly_the_same_image():
    """Short in units of ‖r‖ / ‖Jr‖, which are those of 1/J."""
    limit, longest = 3.0, {}
    for safeguard in 1e9, limit:
        run = nltgcr(WHOLE, WEIGHTS, curvature="fisher", damping=0.1, safeguard=safeguard)
        lengths = [run["w"] * np.linalg.norm(run["Ju"]) / np.linalg.norm(run["u"]) for _ in zip(range(12), run)
                   if len(run["pairs"]) > 1]
        assert len(lengths) > 3
        longest[safeguard] = max(lengths)
    assert longest[limit] <= limit < longest[1e9]


@pytest.mark.parametrize("method", [nltgcr, nltgcr_adaptive, partial(nltgcr_fisher, curvature="hessian", damping=0.0,
                                                                     start=0, lr=1.0)])
def test_where_the_step_would_lead_uphill_it_is_turned_round(method):
    """Towards the pass: uphill on the ridge y ≠ 0 of a saddle that falls off along y."""
    pass_, theta = Saddle(), np.array([0.01, 0.5])
    r = -pass_.gradient(theta)
    v = pass_.hessian(theta) @ r
    towards = (v @ r) / (v @ v) * r
    assert r @ towards < 0
    assert_allclose(path(method(pass_, theta), 1)[1], theta - towards)


@pytest.mark.parametrize("method", [nltgcr, nltgcr_adaptive])
def test_in_a_system_of_equations_there_is_no_uphill(method):
    """J = −I: the step is −r, and right."""
    assert_allclose(path(method(Linear(-np.eye(8), B), START, curvature="jacobian"), 1)[1], -B)


def test_with_a_search_f_never_rises_and_without_one_it_does():
    valley = Rosenbrock()
    with_search, without = (np.array([valley.value(theta) for theta in path(nltgcr(valley, [-1.2, 1], search=s), 60)])
                            for s in (backtracking, None))
    assert (np.diff(with_search) <= 0).all() and with_search[-1] < 1e-12
    assert (np.diff(without) > 0).any()


@pytest.mark.parametrize("window", [1, 10])
def test_with_a_search_the_equations_of_a_system_come_nearer_to_zero_at_every_step(window):
    system = HEquation(100, 0.99)
    lengths = norms(system, path(nltgcr(system, system.start, curvature="jacobian", search=backtracking,
                                        window=window), 40))
    assert (np.diff(lengths) <= 0).all() and lengths[-1] < 1e-10


def test_when_no_step_lowers_f_the_search_ends_the_run():
    seen = record(nltgcr(Rosenbrock(), [-1.2, 1], search=backtracking), steps=500)
    assert seen.reason == "finished" and seen["step"][-1] < 100


# ---- nonlinear systems

@pytest.mark.parametrize("method", [nltgcr, nltgcr_adaptive, partial(nltgcr, search=backtracking)])
@pytest.mark.parametrize("settings", [{"lam": 0.5}, {"lam": 6.0}, {"lam": 2.0, "alpha": 5.0}])
def test_bratus_problem_is_solved_as_newton_and_krylov_do(method, settings):
    system = Bratu(12, **settings)
    solution = path(method(system, system.start, curvature="jacobian"), 100)[-1]
    assert np.linalg.norm(system.residuals(solution)) < 1e-10
    assert_allclose(solution, optimize.newton_krylov(system.residuals, system.start, f_tol=1e-12), atol=1e-9)


@pytest.mark.parametrize("c", [0.5, 0.99])
@pytest.mark.parametrize("method", [nltgcr, nltgcr_adaptive])
def test_the_h_equation_is_solved(method, c):
    system = HEquation(100, c)
    solution = path(method(system, system.start, curvature="jacobian"), 45)[-1]
    assert np.linalg.norm(system.residuals(solution)) < 1e-10
    assert_allclose(solution.mean(), 2 * (1 - np.sqrt(1 - c)) / c, rtol=1e-9)


@pytest.mark.parametrize("atoms", [13, 38])
def test_a_cluster_of_atoms_comes_to_rest_in_the_best_shape_known(atoms):
    cluster = LennardJones(atoms)
    shaken = cluster.start + 0.05 * np.random.default_rng(0).standard_normal(cluster.size)
    rough = path(nltgcr(cluster, shaken, search=backtracking), 100)[-1]     # until the fall is lost in the rounding
    rest = path(nltgcr(cluster, rough), 40)[-1]                             # of f, where forces are still to be seen
    assert_allclose(cluster.value(rest), cluster.minimum, atol=1e-6)
    assert np.abs(cluster.gradient(rest)).max() < 1e-10
    assert np.linalg.eigvalsh(dense(cluster.hessian(rest), cluster.size))[0] > -1e-8


def test_the_best_cluster_of_13_is_an_icosahedron():
    golden = (1 + np.sqrt(5)) / 2
    corners = np.array([np.roll([0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)])
    cluster = LennardJones(13)
    good = np.concatenate([np.zeros(3), 0.57 * corners.ravel()])
    rest = path(nltgcr(cluster, good), 30)[-1]
    assert_allclose(cluster.value(rest), -44.326801, atol=1e-6)
    assert np.abs(cluster.gradient(rest)).max() < 1e-10


def test_without_a_search_some_shaken_clusters_of_13_fly_apart_and_with_one_none_does():
    cluster = LennardJones(13)
    shaken = [cluster.start + 0.05 * np.random.default_rng(seed).standard_normal(39) for seed in range(6)]
    without, with_search = ([cluster.value(path(nltgcr(cluster, theta, search=search), 40)[-1]) for theta in shaken]
                            for search in (None, backtracking))
    assert max(without) > -1e-6 and max(with_search) < -44


# ---- true and predicted residuals

def test_that_never_turns_linear_is_nltgcr():
    for problem, settings in [(WHOLE, {"curvature": "fisher", "damping": 0.1}),
                              (HEquation(30), {"curvature": "jacobian"})]:
        theta = WEIGHTS if problem is WHOLE else problem.start
        assert_array_equal(path(nltgcr_adaptive(problem, theta, cosine=1, **settings), 12),
                           path(nltgcr(problem, theta, **settings), 12))


def test_it_turns_linear_at_the_first_step_where_guess_and_truth_point_the_same_way():
    system = HEquation(100, 0.99)
    run = nltgcr_adaptive(system, system.start, curvature="jacobian")
    next(run)
    cosines = []
    while run["linear"] == 0:
        truth, guess = -system.residuals(run.theta), run["guess"]
        cosines.append(truth @ guess / np.linalg.norm(truth) / np.linalg.norm(guess))
        next(run)
    assert run["linear"] == run["t"] == len(cosines) + 1
    assert cosines[-1] > 0.99 and all(cosine <= 0.99 for cosine in cosines[:-1])
    assert min(np.abs(cosines[:-1])) < 0.3 < 0.99     # nearly orthogonal they have been before, and it did not turn


@pytest.mark.parametrize("lr", [1.0, 0.5])
def test_on_a_quadratic_the_guess_is_the_next_residual_however_far_the_step_goes(lr):
    run = nltgcr_adaptive(BOWL, START, lr=lr, cosine=1)
    for _, theta in zip(range(5), run):
        assert_allclose(run["guess"], -BOWL.gradient(theta), atol=1e-10)


def test_while_it_is_linear_it_takes_the_guess_for_true_and_looks_again_every_tenth_step():
    system = HEquation(100, 0.99)
    counted = Counted(system)
    run = nltgcr_adaptive(counted, system.start, curvature="jacobian")
    while run["linear"] == 0:
        next(run)
    since, looked = run["linear"], []
    for t in range(since + 1, since + 11):
        before, guess = counted.values, run["guess"]
        next(run)
        looked.append(counted.values - before)
        if t < since + 10:
            assert_array_equal(run["r"], guess)
    assert looked == 9 * [0] + [1]
    assert run["linear"] == 0 and len(run["pairs"]) == 1        # they no longer agree: it starts afresh
    assert_array_equal(run["r"], run["true"])


def test_when_it_looks_and_they_agree_it_goes_on_with_the_guess():
    system = HEquation(100, 0.9)
    run = nltgcr_adaptive(system, system.start, curvature="jacobian", cosine=-1, every=3)
    path(run, 4)
    assert run["linear"] == 2
    guess = run["guess"]
    next(run)
    assert run["linear"] == 2  # since when, and not when it looked last
    assert_array_equal(run["r"], guess)
    assert np.linalg.norm(run["true"] - guess) > 0.1 * np.linalg.norm(guess)


def test_where_the_prediction_stays_right_it_hardly_ever_computes_the_residual():
    counted = Counted(Linear(A, B))
    path(nltgcr_adaptive(counted, START, curvature="jacobian", window=2), 12)
    assert counted.values == 3     # at the first step, at the second, where it turns linear, and ten steps later


def test_the_linear_update_is_an_inexact_newton_method():
    """Between restarts it solves a linear system, to an end that is not that of the true one; restarts square that."""
    system = HEquation(100, 0.9)
    run = nltgcr_adaptive(system, system.start, curvature="jacobian", cosine=-1, restart=10, every=100)
    lengths = norms(system, path(run, 31))
    assert_allclose(lengths[8:11], lengths[10], rtol=1e-3)
    assert lengths[10] > 1e-2 and lengths[20] < lengths[10]**2 and lengths[30] < lengths[20]**2


def test_after_a_restart_it_is_not_linear_before_it_has_seen_a_true_residual_agree():
    """On a quadratic the guess is always right: linear from the second step on, and from the second after a restart."""
    run = nltgcr_adaptive(Quadratic(np.diag(np.geomspace(1, 50, 9)), np.ones(9)), np.zeros(9), restart=4)
    assert [run["linear"] for _ in islice(run, 7)] == [0, 2, 2, 2, 0, 6, 6]


def test_on_a_quadratic_its_guess_is_the_residual_also_after_a_step_that_was_turned_round():
    saddle = Quadratic(np.diag([-1.0, 2.0, 3.0, -0.5]), np.array([1.0, -1.0, 2.0, 0.5]))
    run, turned = nltgcr_adaptive(saddle, np.array([0.3, 1.0, -1.0, 2.0]), lr=0.3, cosine=1.0), []
    for _ in range(8):
        theta = next(run)
        assert_allclose(run["guess"], -saddle.gradient(theta), atol=1e-9)
        turned.append(run["alpha"] < 0)
    assert {*turned} == {True, False}


# ---- with Fisher matrices

def test_on_one_batch_and_without_any_of_its_aids_it_is_nltgcr_with_the_fisher_matrix():
    plain = nltgcr(WHOLE, WEIGHTS, curvature="fisher", damping=0.1, restart=10**6, safeguard=1e9, lr=0.5)
    assert_allclose(path(nltgcr_fisher(WHOLE, WEIGHTS, damping=0.1, start=0, lr=0.5), 12), path(plain, 12), atol=1e-10)


def test_the_history_is_the_mean_of_all_fisher_matrices_so_far_if_it_has_as_many_columns_as_their_rank():
    risk = EmpiricalRisk(mlp([2, 2, 2]), X[:3, :2], LABELS[:3] % 2, batch_size=1)     # each of rank 1
    theta = risk.network.initial(seed=1)
    run = nltgcr_fisher(risk, theta, columns=4, start=0, lr=0)
    for k in range(1, 12):
        next(run)
        mean = np.mean([dense(risk.loss(t).fisher(theta), 12) for t in range(1, k + 1)], axis=0)
        assert np.linalg.matrix_rank(mean) == min(k, 3)
        assert_allclose(dense(run["F"], 12), mean, atol=1e-12)


def test_equation_8_as_printed_cannot_be_multiplied_and_its_inverse_does_not_exist():
    F = dense(MiniBatch(NETWORK, X[:2], LABELS[:2]).fisher(WEIGHTS), NETWORK.size)
    chosen = np.arange(6)
    with pytest.raises(ValueError, match="mismatch"):
        F[:, chosen] @ np.linalg.pinv(F[np.ix_(chosen, chosen)]) @ F[chosen, :].T
    # "guaranteed to be SPD": the rank is at most 2 examples times 2 free probabilities
    assert np.linalg.matrix_rank(F[np.ix_(chosen, chosen)]) <= 4 < 6
    assert np.linalg.matrix_rank(F) == 4 < NETWORK.size
    every = np.arange(NETWORK.size)
    assert np.linalg.cond(F[np.ix_(every, every)]) > 1e15


def test_where_k_fac_is_exact_the_preconditioned_method_arrives_in_one_step_and_the_other_does_not():
    """One linear layer with squared error: F = I ⊗ A, whatever the batch."""
    risk = EmpiricalRisk(mlp([5, 3], loss=SquaredError()), X, X @ RNG.standard_normal((5, 3)) + 1)
    settings = {"damping": 0, "start": 0, "lr": 1.0, "labels": "exact"}
    theta = risk.network.initial(seed=0)
    one_step, plain = (path(nltgcr_fisher(risk, theta, preconditioned=p, **settings), 1)[1] for p in (True, False))
    assert np.linalg.norm(risk.whole.gradient(one_step)) < 1e-12
    assert np.linalg.norm(risk.whole.gradient(plain)) > 1e-2


def test_the_damping_of_the_preconditioner_is_that_of_the_fisher_matrix():
    """In the limit of much damping both are damping · I."""
    u = np.random.default_rng(15).standard_normal(NETWORK.size)
    inverse = kfac_inverse(RISK.loss(1), WEIGHTS, damping=1e10, seed=0, labels="sampled")
    assert_allclose(1e10 * inverse(u), u, rtol=1e-3)


def test_a_batch_without_a_gradient_leaves_everything_as_it_was():
    run = nltgcr_fisher(Quadratic(np.eye(3)), np.zeros(3), curvature="hessian", start=0)
    assert not path(run, 3).any() and run["pairs"] == ()


def test_preconditioned_with_identity_matrices_it_is_the_method_without():
    class Identities(MiniBatch):
        def kronecker_factors(self, theta, **how):
            return [(np.eye(W.shape[1]), np.eye(W.shape[0])) for W in self.blocks(theta)]

    batch = Identities(NETWORK, X, LABELS)
    runs = [nltgcr_fisher(batch, WEIGHTS, preconditioned=p, start=0, lr=0.3) for p in (True, False)]
    assert_allclose(path(runs[0], 8), path(runs[1], 8), atol=1e-10)


def test_the_start_with_one_conjugate_gradient_goes_down_the_gradient_of_all_the_data_as_far_as_the_model_says():
    g, F = RISK.whole.gradient(WEIGHTS), dense(RISK.whole.fisher(WEIGHTS), NETWORK.size)
    cauchy = WEIGHTS - (g @ g) / (g @ F @ g + 1e-2 * g @ g) * g
    run = nltgcr_fisher(RISK, WEIGHTS, lr=0)
    assert_allclose(next(run), cauchy)
    assert np.array_equal(next(nltgcr_fisher(RISK, run.theta, lr=0, **run.memory)), run.theta)  # only at the start


def test_the_start_goes_down_the_gradient_also_where_f_is_the_same_everywhere():
    class Lying(Quadratic):
        def value(self, theta):
            return 0.0

        def fisher(self, theta):
            return self.A

    theta = started(Lying(A, B), START, "fisher", 0.0, 1)
    g = A @ START - B
    assert_allclose(theta, START - (g @ g) / (g @ A @ g) * g)


@pytest.mark.parametrize("start", [1, 2])
def test_the_start_takes_a_large_part_of_the_loss_of_a_dense_network(start):
    risk = EmpiricalRisk(mlp([64, 30, 30, 10]), DIGITS.X_train[:512].reshape(512, 64), DIGITS.Y_train[:512], 128)
    theta = risk.network.initial(seed=0)
    first, without = (path(nltgcr_fisher(risk, theta, start=s), 1)[1] for s in (start, 0))
    assert risk.whole.value(first) < 0.6 * risk.whole.value(theta)
    assert risk.whole.value(without) > 0.99 * risk.whole.value(theta)


def test_on_a_convolutional_network_the_start_can_diverge_and_that_is_said():
    risk = EmpiricalRisk(cnn((8, 8, 1), 10, channels=8), DIGITS.X_train[:256], DIGITS.Y_train[:256], 128)
    theta = risk.network.initial(seed=1)
    run = nltgcr_fisher(risk, theta, start=5)
    with pytest.raises(Diverged, match="took the loss on all the data from .* to .*: leave it out, with start=0"):
        next(run)
    assert_array_equal(run.theta, theta)
    assert record(nltgcr_fisher(risk, theta, start=5), steps=3).reason == "diverged"
    assert record(nltgcr_fisher(risk, theta, start=0), steps=3).reason == "steps"


@pytest.mark.parametrize("after, goes_on", [(1.0, True), (1.1, False), (nan, False), (inf, False)])
def test_a_start_that_leads_to_no_lower_loss_is_none(after, goes_on):
    class Ending(Quadratic):
        def value(self, theta):
            return 1.0 if (theta == 1).all() else after

        def value_and_gradient(self, theta):
            return self.value(theta), self.gradient(theta)

        fisher = Quadratic.hessian

    run = nltgcr_fisher(Ending(np.diag([1.0, 2.0])), np.ones(2), lr=0.0)
    if goes_on:
        next(run)
    else:
        with pytest.raises(Diverged, match=f"from 1 to {after:g}: leave it out"):
            next(run)


def test_a_start_that_raises_the_loss_by_however_little_is_an_error():
    """Newton's method for √(1 + x²) goes from x to −x³."""
    bow = Function(lambda x: np.sqrt(1 + x[0]**2), lambda x: x / np.sqrt(1 + x**2), lambda x: (1 + x**2)**-1.5 * [[1]])
    start = partial(nltgcr_fisher, bow, curvature="hessian", damping=0.0, lr=0.0)
    assert_allclose(next(start([0.9])), [-0.9**3])
    with pytest.raises(Diverged):
        next(start([1.01]))


def test_which_columns_are_taken_depends_on_the_seed_and_on_nothing_else():
    runs = [nltgcr_fisher(RISK, WEIGHTS, columns=5, seed=seed, lr=lr) for seed, lr in ((1, 0.1), (1, 0.2), (2, 0.1))]
    path(runs[0], 1), path(runs[1], 3), path(runs[2], 1)
    assert_array_equal(runs[0]["indices"], runs[1]["indices"])
    assert not np.array_equal(runs[0]["indices"], runs[2]["indices"])
    assert len(set(runs[0]["indices"])) == 5


# ---- FishLeg

BLOCKS = NETWORK.blocks


def random_lam(blocks, seed):
    """λ with triangular L and R."""
    lam = scaled_identity(blocks, 1.0)
    lam = lam + 0.3 * np.random.default_rng(seed).standard_normal(lam.size)
    return np.concatenate([part.ravel() for L, R, A, _ in parts(lam, blocks) for part in (np.tril(L), np.triu(R), A)])


def positive(n, seed):
    M = np.random.default_rng(seed).standard_normal((n, n))
    return M @ M.T / n + 0.2 * np.eye(n)


def column(u):
    """A vector as one block with one column: the Q of which can be any positive definite matrix."""
    return [u.reshape(-1, 1)]


def test_q_is_a_kronecker_product_between_two_diagonals_symmetric_and_positive():
    u = np.random.default_rng(6).standard_normal(NETWORK.size)
    lam = random_lam(BLOCKS(u), 7)
    for (L, R, A, U), result in zip(parts(lam, BLOCKS(u)), BLOCKS(inverse_times(lam, BLOCKS(u)))):
        block = np.diag(A.ravel()) @ np.kron(R.T @ R, L @ L.T) @ np.diag(A.ravel())
        assert_allclose(result.ravel(), block @ U.ravel())
        assert_allclose(block, block.T)
        assert np.linalg.eigvalsh(block)[0] > 0


@pytest.mark.parametrize("blocks", [BLOCKS, column], ids=["layers", "column"])
def test_the_gradient_of_the_auxiliary_loss_is_right(blocks):
    n = NETWORK.size
    F, u = positive(n, 8), np.random.default_rng(9).standard_normal(n)
    lam = random_lam(blocks(u), 10)
    numbers = np.array([auxiliary_loss(lam + 1e-6 * e, F, u, blocks) - auxiliary_loss(lam - 1e-6 * e, F, u, blocks)
                        for e in np.eye(lam.size)]) / 2e-6
    free = random_lam(blocks(u), 11) != 0         # what is not triangular stays zero
    assert_allclose(auxiliary_gradient(lam, F, u, blocks), numbers * free, atol=1e-6)


def test_the_auxiliary_loss_is_least_at_the_inverse_for_every_direction():
    n = 5
    F = positive(n, 12)
    root = np.linalg.cholesky(np.linalg.inv(F)).T                                  # RᵀR = F⁻¹
    exact = np.concatenate([[1.0], root.ravel(), np.ones(n)])
    for seed in range(5):
        u = np.random.default_rng(seed).standard_normal(n)
        assert_allclose(auxiliary_gradient(exact, F, u, column), 0, atol=1e-12)
        assert_allclose(auxiliary_loss(exact, F, u, column), -u @ np.linalg.solve(F, u) / 2)
        assert auxiliary_loss(exact, F, u, column) < auxiliary_loss(random_lam(column(u), seed), F, u, column)


def test_the_least_auxiliary_loss_over_all_directions_is_found_at_the_inverse():
    n = 4
    F = positive(n, 13)

    def mean(lam):
        return (sum(auxiliary_loss(lam, F, u, column) for u in np.eye(n)),
                sum(auxiliary_gradient(lam, F, u, column) for u in np.eye(n)))

    found = optimize.minimize(mean, scaled_identity(column(np.zeros(n)), 1.0), jac=True, tol=1e-12).x
    learned = np.column_stack([inverse_times(found, column(u)) for u in np.eye(n)])
    assert_allclose(learned, np.linalg.inv(F), atol=1e-5)


def test_fishleg_learns_the_inverse_of_the_damped_matrix_on_its_way():
    H = np.array([[2.0, 0.7, 0], [0.7, 1.0, -0.3], [0, -0.3, 0.5]])
    noisy = Noisy(Quadratic(H), sigma=1e-6)      # gradients in all directions, and so short that their squares are lost
    run = fishleg(noisy, np.zeros(3), curvature="hessian", damping=0.5, every=1, aux_lr=1e-2, lr=0.1)
    path(run, 3000)
    learned = np.column_stack([inverse_times(run["lam"], column(u)) for u in np.eye(3)])
    assert_allclose(learned, np.linalg.inv(H + 0.5 * np.eye(3)), atol=0.03)


def test_before_it_has_learned_anything_fishleg_is_gradient_descent():
    run = fishleg(RISK, WEIGHTS, scale=3.0, beta=0, aux_lr=0, weight_decay=0, lr=0.1)
    assert_allclose(path(run, 25), path(gradient_descent(RISK, WEIGHTS, lr=0.3), 25), rtol=1e-10)


def test_its_momentum_averages_the_steps_and_its_weight_decay_is_not_averaged():
    lr, beta, decay = 0.1, 0.8, 0.3
    run = fishleg(BOWL, START, lr=lr, beta=beta, weight_decay=decay)
    first = START - lr * ((1 - beta) * BOWL.gradient(START) + decay * START)
    d = beta * (1 - beta) * BOWL.gradient(START) + (1 - beta) * BOWL.gradient(first)
    assert_allclose(path(run, 2)[1:], [first, first - lr * (d + decay * first)])


def test_it_learns_only_every_tenth_step_and_at_first_by_the_length_of_the_auxiliary_rate():
    run = fishleg(RISK, WEIGHTS, aux_lr=1e-3)
    path(run, 9)
    before = run["lam"]
    assert_array_equal(before, scaled_identity(BLOCKS(WEIGHTS), 1.0))
    next(run)
    moved = run["lam"] - before
    free = random_lam(BLOCKS(WEIGHTS), 0) != 0
    assert_allclose(np.abs(moved[free]), 1e-3, rtol=1e-2)
    assert not moved[~free].any()
    path(run, 9)
    assert_array_equal(run["lam"], before + moved)


class Blocks(Quadratic):
    """A quadratic function of a 2 x 4 matrix."""

    def blocks(self, vector):
        return [vector.reshape(2, 4)]


def test_what_fishleg_learns_takes_the_steps_of_adam_down_the_gradient_of_the_auxiliary_loss():
    bowl = Blocks(A, B)
    run = fishleg(bowl, START, curvature="hessian", damping=0.5, every=2, aux_lr=0.01)
    lam, theta, learned, gradients = scaled_identity(bowl.blocks(START), 1.0), START, [], []
    for t in range(1, 9):
        g = bowl.gradient(theta)
        if t % 2 == 0:
            gradients.append(auxiliary_gradient(lam, A + 0.5 * np.eye(8), g / np.linalg.norm(g), bowl.blocks))
        theta = next(run)
        lam = run["lam"]
        if t % 2 == 0:
            learned.append(lam)
    down = iter(gradients)
    asked = Function(lambda lam: 0.0, jac=lambda lam: next(down))
    assert_allclose(learned, path(adam(asked, scaled_identity(bowl.blocks(START), 1.0), lr=0.01), 4)[1:], atol=1e-12)


def test_the_mean_gradient_at_drawn_labels_squared_is_the_fisher_product_divided_by_the_size_of_the_batch():
    """What their PyTorch code takes for uᵀQFQu, with the mean gradient ĝ of a batch of B: too small by B."""
    batch = MiniBatch(mlp([5, 3]), X[:8], LABELS[:8])
    theta = batch.network.initial(seed=1)
    theta.flags.writeable = False
    z = np.random.default_rng(14).standard_normal(batch.size)
    squares = [(z @ batch.sampled_gradient(theta, seed))**2 for seed in range(4000)]
    assert_allclose(8 * np.mean(squares), z @ (batch.fisher(theta) @ z), rtol=0.08)


# ---- refusals

@pytest.mark.parametrize("call, message", [
    (partial(anderson, window=-1), "anderson: window is -1; it must be a whole number of at least 0"),
    (partial(nltgcr, window=0), "nltgcr: window is 0; it must be a whole number of at least 1"),
    (partial(nltgcr_adaptive, cosine=2), r"cosine is 2; it must be a number in \[-1, 1\]"),
    (partial(nltgcr_fisher, start=0.5), "start is 0.5; it must be a whole number of at least 0"),
    (partial(fishleg, scale=-1), "scale is -1; it must be a number of at least 0"),
])
def test_settings_outside_their_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(BOWL, START)


@pytest.mark.parametrize("call", [partial(anderson, equations="residuals"), partial(nltgcr, curvature="jacobian")])
def test_what_is_no_system_of_equations_cannot_be_solved_as_one(call):
    with pytest.raises(NotImplementedError, match="is for a system of equations"):
        next(call(BOWL, START))
    with pytest.raises(ValueError, match="there are 3 equations for 2 unknowns"):
        next(call(LeastSquares(lambda theta: np.append(theta, 1.0), size=2), [1.0, 2.0]))


def test_unknown_equations_are_refused():
    with pytest.raises(ValueError, match="equations is 'hessian'; it must be 'gradient' or 'residuals'"):
        next(anderson(BOWL, START, equations="hessian"))


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("gcr", "the step is not measured by the new image",
     "(v @ r) * p",
     "(p @ r) * p",
     "test_its_iterates_are_those_of_minres"),
    ("gcr", "the window holds the first directions, not the last",
     "(*pairs, (p, v, w))[-window:] if window",
     "(*pairs, (p, v, w))[:window] if window",
     "test_for_a_symmetric_matrix_a_window_of_one_does_the_same_as_a_full_one"),
    ("anderson", "mixed the wrong way",
     "theta - dX @ gamma + lr(t)",
     "theta + dX @ gamma + lr(t)",
     "test_with_a_full_window_anderson_steps_from_where_gmres_has_got_to"),
    ("anderson", "the mixture of the residuals is forgotten",
     "(r - dR @ gamma)",
     "r",
     "test_of_one_equation_anderson_with_a_window_of_one_is_the_secant_method_whatever_its_rate"),
    ("anderson", "the window holds one difference less",
     "(*thetas, theta)[-window - 1:], (*residuals, r)[-window - 1:]",
     "(*thetas, theta)[-window:], (*residuals, r)[-window:]",
     "test_of_one_equation_anderson_with_a_window_of_one_is_the_secant_method_whatever_its_rate"),
    ("nltgcr", "the step goes along the newest direction only, as in the linear method",
     "d = combined(pairs, r)",
     "d = combined(pairs[-1:], r)",
     "test_on_a_nonlinear_problem_the_older_directions_help"),
    ("nltgcr", "it never starts afresh",
     "(t - 1) % restart == 0 or w > safeguard",
     "w > safeguard",
     "test_it_restarts_when_the_count_is_full"),
    ("nltgcr", "* the residual is silently brought to length 1",
     "r, J = residual(loss, theta, curvature), damped",
     "r, J = residual(loss, theta, curvature) / np.linalg.norm(loss.gradient(theta)), damped",
     "test_its_iterates_are_those_of_minres"),
    ("nltgcr", "uphill where the curvature is negative",
     "d = -d if r @ d < 0 and curvature != \"jacobian\" else d",
     "d = 1 * d",
     "test_where_the_step_would_lead_uphill_it_is_turned_round"),
    ("nltgcr_adaptive", "* the cosine is taken for a distance: linear where the two are nearly orthogonal",
     "inner(true, guess) > cosine * norm(true) * norm(guess)",
     "abs(inner(true, guess)) <= (1 - cosine) * norm(true) * norm(guess)",
     "test_it_turns_linear_at_the_first_step_where_guess_and_truth_point_the_same_way"),
    ("nltgcr_adaptive", "the guess forgets how far the step went",
     "r - alpha * projected(pairs, r)",
     "r - projected(pairs, r)",
     "test_on_a_quadratic_the_guess_is_the_next_residual_however_far_the_step_goes"),
    ("nltgcr_fisher", "the mean of all Fisher matrices is a moving average",
     "(nystrom(F, indices).C - C) / t",
     "(nystrom(F, indices).C - C) / 2",
     "test_the_history_is_the_mean_of_all_fisher_matrices_so_far_if_it_has_as_many_columns_as_their_rank"),
    ("nltgcr_fisher", "the residual is the gradient, not its negative: uphill",
     "r = -M(g)",
     "r = M(g)",
     "test_the_residual_is_minus_the_gradient_and_not_minus_the_network"),
    ("nltgcr_fisher", "the preconditioner is on one side of the equation only",
     "M(damped(F, damping) @ r)",
     "damped(F, damping) @ r",
     "test_where_k_fac_is_exact_the_preconditioned_method_arrives_in_one_step_and_the_other_does_not"),
    ("started", "uphill, before the first step",
     ", -g, steps=steps)",
     ", g, steps=steps)",
     "test_the_start_goes_down_the_gradient_also_where_f_is_the_same_everywhere"),
    ("orthonormal", "p does not follow v",
     "return p / length, v / length, w / length",
     "return p, v / length, w / length",
     "test_the_images_are_orthonormal_and_each_direction_has_its_own"),
    ("fishleg", "* (u^T Q g)^2 in the place of u^T Q F Q u",
     "auxiliary_gradient(lam, F, unit",
     "auxiliary_gradient(lam, np.outer(g, g), unit",
     "test_what_fishleg_learns_takes_the_steps_of_adam_down_the_gradient_of_the_auxiliary_loss"),
    ("fishleg", "the correction counts mini-batches, not steps of lambda",
     "m / (1 - 0.9**k)",
     "m / (1 - 0.9**t)",
     "test_it_learns_only_every_tenth_step_and_at_first_by_the_length_of_the_auxiliary_rate"),
    ("inverse_times", "R, not R^T R: no longer positive definite",
     "R.T @ R @ (A * U)",
     "R @ (A * U)",
     "test_the_gradient_of_the_auxiliary_loss_is_right"),
    ("nltgcr_adaptive", "a guess outlives the restart",
     "pairs, guess, linear = (), None, 0", "pairs, linear = (), 0",
     "test_after_a_restart_it_is_not_linear_before_it_has_seen_a_true_residual_agree"),
    ("nltgcr_adaptive", "the guess forgets that the step was turned round",
     "r - alpha * projected", "r - lr(t) * projected",
     "test_on_a_quadratic_its_guess_is_the_residual_also_after_a_step_that_was_turned_round"),
]


# ---- what a step costs

def spent(run, counted, steps):
    """Gradients and products of each step."""
    rows = []
    for _ in range(steps):
        before = counted.gradients, counted.products
        next(run)
        rows.append((counted.gradients - before[0], counted.products - before[1]))
    return rows


def test_what_a_step_of_each_costs():
    """Gradients and products with the curvature matrix, on all the data of a small network."""
    fisher = {"curvature": "fisher"}
    for method, first, later in ((partial(gcr, **fisher), (1, 1), (1, 1)), (anderson, (1, 0), (1, 0)),
                                 (partial(nltgcr, **fisher), (1, 1), (1, 1)),
                                 (partial(nltgcr_fisher, start=1), (2, 2), (1, 1)),
                                 (partial(nltgcr_fisher, start=0, columns=7), (1, 7), (1, 7))):
        counted = Counted(WHOLE)
        rows = spent(method(counted, WEIGHTS), counted, 9)
        assert rows[0] == first and set(rows[1:]) == {later}, method
    counted = Counted(WHOLE)
    assert spent(fishleg(counted, WEIGHTS, **fisher), counted, 20) == 2 * (9 * [(1, 0)] + [(1, 1)])
    counted = Counted(WHOLE)
    preconditioned = spent(nltgcr_fisher(counted, WEIGHTS, start=0, preconditioned=True), counted, 3)
    assert preconditioned == 3 * [(2, 1)], "K-FAC's factors count as a gradient"


def test_while_it_is_linear_a_step_costs_a_product_and_no_gradient():
    counted = Counted(BOWL)
    rows = spent(nltgcr_adaptive(counted, START, window=2), counted, 8)
    assert rows == 2 * [(1, 1)] + 6 * [(0, 1)]
