"""Quasi-Newton methods in tests: each says something lecture 8 says."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from numopt.linalg import conjugate_gradient_iterates
from numopt.line_search import backtracking, exact, strong_wolfe
from numopt.networks import mlp
from numopt.optimizers import bfgs, gradient_descent, lbfgs, newton, nonlinear_cg, sr1
from numopt.optimizers.quasi_newton import appended, bfgs_update, downhill, sr1_update, two_loops
from numopt.problems import Beale, Counted, EmpiricalRisk, Function, Quadratic, Rosenbrock, Saddle, quadratic_with
from numopt.record import load, path, record, save

RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
BOWL = quadratic_with([1, 2, 5, 10, 30, 100], Q, RNG.standard_normal(6))
START = RNG.standard_normal(6)
EXACT = partial(exact, tolerance=1e-12)
VALLEYS = pytest.mark.parametrize("valley", [Rosenbrock(), Rosenbrock(10), Beale()], ids=["2", "10", "beale"])

NETWORK = mlp([3, 4, 2])
X = RNG.standard_normal((40, 3))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
WEIGHTS = NETWORK.initial(seed=1)
WHOLE = EmpiricalRisk(NETWORK, X, LABELS, seed=0).whole


@pytest.fixture(params=[sr1, bfgs, lbfgs], ids=lambda method: method.__name__)
def method(request):
    return request.param


def pairs_of(n, count, seed=1):
    """Steps in a quadratic of random curvature, positive definite: H, and its pairs (s, y)."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n))
    H = root @ root.T + 0.1 * np.eye(n)
    return H, tuple((s, H @ s) for s in rng.standard_normal((count, n)))


# ------------------------------------------------------------------------------------------------- the two updates

def test_after_the_update_bfgs_maps_the_last_change_of_the_gradient_to_the_last_step():
    H, pairs = pairs_of(5, 4)
    M = None
    for s, y in pairs:
        M = bfgs_update(M, s, y)
        assert_allclose(M @ y, s, atol=1e-10)
        assert_allclose(M, M.T, atol=1e-10)
        assert np.linalg.eigvalsh(M).min() > 0


def test_bfgs_is_the_product_form_of_nocedal_and_wright():
    _, ((s, y), *_) = pairs_of(5, 1)
    M = np.diag([1.0, 2, 3, 4, 5])
    V = np.eye(5) - np.outer(y, s) / (y @ s)
    assert_allclose(bfgs_update(M, s, y), V.T @ M @ V + np.outer(s, s) / (y @ s), atol=1e-10)


def test_the_bfgs_update_that_kashyap_prints_breaks_the_secant_equation():
    _, ((delta, phi), *_) = pairs_of(5, 1)
    M, c = np.diag([1.0, 2, 3, 4, 5]), delta @ phi
    first = (1 + phi @ M @ phi / c) * np.outer(delta, delta) / c
    second = (np.outer(delta, phi) @ M + M @ np.outer(phi, delta)) / c
    printed = M @ first - second  # without the + after M
    assert np.linalg.norm(printed @ phi - delta) > 1
    assert_allclose(M + first - second, bfgs_update(M, delta, phi), atol=1e-10)


def test_of_all_symmetric_matrices_with_the_secant_equation_bfgs_is_the_nearest_in_its_norm():
    """‖W½(M₊ − M)W½‖ in the Frobenius norm, for a W with W s = y: Nocedal and Wright, equation 6.16."""
    H, ((s, y), *_) = pairs_of(4, 1)
    L = np.linalg.cholesky(H)
    M = np.diag([1.0, 2, 3, 4])
    best = bfgs_update(M, s, y)
    for seed in range(20):
        E = np.random.default_rng(seed).standard_normal((4, 4))
        P = np.eye(4) - np.outer(y, y) / (y @ y)
        other = best + 0.1 * P @ (E + E.T) @ P
        assert_allclose(other @ y, s, atol=1e-10)
        assert np.linalg.norm(L.T @ (other - M) @ L) > np.linalg.norm(L.T @ (best - M) @ L)


def test_the_first_matrix_is_scaled_by_the_curvature_of_the_first_step():
    s, y = np.array([1.0, 0.0]), np.array([4.0, 3.0])
    # γ = sᵀy / yᵀy = 4/25, and then the update with M = γI
    assert_allclose(bfgs_update(None, s, y), bfgs_update(4 / 25 * np.eye(2), s, y))


def test_a_pair_without_positive_curvature_is_left_out():
    s, y, M = np.array([1.0, 0.0]), np.array([-1.0, 0.5]), np.diag([2.0, 3.0])
    assert bfgs_update(M, s, y) is M and bfgs_update(None, s, y) is None


@pytest.mark.parametrize("seed", range(5))
def test_sr1_knows_the_hessian_after_n_independent_steps_of_any_kind_and_sign(seed):
    rng = np.random.default_rng(seed)
    H = Q @ np.diag([-3.0, -1, 0.5, 1, 2, 8]) @ Q.T
    B = np.eye(6)
    for s in rng.standard_normal((6, 6)):
        B = sr1_update(B, s, H @ s)
    assert_allclose(B, H, atol=1e-8)


def test_sr1_keeps_all_earlier_pairs_on_a_quadratic_and_bfgs_only_the_last():
    H, pairs = pairs_of(5, 3)
    B, M = np.eye(5), np.eye(5)
    for s, y in pairs:
        B, M = sr1_update(B, s, y), bfgs_update(M, s, y)
    assert_allclose([B @ s for s, _ in pairs], [y for _, y in pairs], atol=1e-8)
    assert not np.allclose(M @ pairs[0][1], pairs[0][0], atol=1e-3)


@pytest.mark.parametrize("p", [None, [1.0, 0], [0.0, 5], [np.nan, 0], [-1e200, 0]])
def test_where_no_direction_leads_down_by_a_number_it_is_the_gradients_of_length_one(p):
    g, theta = np.array([1e200, 0]), np.array([3.0, -4])
    assert_array_equal(downhill(None if p is None else np.array(p), g, theta), [-1, 0])
    assert_array_equal(downhill(np.array([-1.0, 2]), g, theta), [-1, 2])


def test_sr1_skips_a_pair_whose_correction_would_be_nearly_infinite():
    s = np.array([1.0, 0.0])
    assert_array_equal(sr1_update(np.eye(2), s, np.array([1.0, 1.0])), np.eye(2))
    assert_array_equal(sr1_update(np.eye(2), s, s), np.eye(2))
    _, ((s, y), *_) = pairs_of(5, 1)
    scaled = (s @ y) / (s @ s) * np.eye(5)
    assert_array_equal(sr1_update(scaled, s, y), scaled)
    assert not np.allclose(sr1_update(np.eye(5), s, y), np.eye(5))
    for cosine, skipped in (1e-6, False), (3e-8, False), (3e-9, True):  # of the angle between s and y − Bs
        B = sr1_update(np.eye(2), np.array([1.0, 0]), np.array([1 + cosine, 1]))
        assert np.array_equal(B, np.eye(2)) == skipped


@pytest.mark.parametrize("units", [1e-300, 1e-200, 1e-12, 1e12, 1e200, 1e300])
def test_neither_update_depends_on_units(units):
    _, ((s, y), *_) = pairs_of(5, 1)
    B = np.diag([1.0, 2, 3, 4, 5])
    assert_allclose(sr1_update(B, units * s, units * y), sr1_update(B, s, y))
    assert_allclose(bfgs_update(B, units * s, units * y), bfgs_update(B, s, y))
    assert not np.allclose(sr1_update(B, s, y), B) and not np.allclose(bfgs_update(B, s, y), B)


@pytest.mark.parametrize("s, y", [([1.0, 0.0], [1e-12, 1.0]), ([1.0, 0.0], [0.0, 0.0]), ([1e-155, 0.0], [0.0, 1e-155]),
                                  ([1.0, 0.0], [np.nan, 1.0])])
def test_a_pair_whose_curvature_is_rounding_is_left_out(s, y):
    assert bfgs_update(None, np.array(s), np.array(y)) is None


@pytest.mark.parametrize("angle, kept", [(1e-3, 1), (1e-6, 1), (1e-9, 1), (1e-11, 0), (0.0, 0), (-1e-3, 0)])
def test_a_pair_is_kept_if_y_is_not_orthogonal_to_s_but_for_rounding(angle, kept):
    s, y = np.array([2.0, 0.0]), 3e5 * np.array([angle, 1.0])
    assert len(appended((), s, y, 5)) == kept
    assert np.array_equal(bfgs_update(np.eye(2), s, y), np.eye(2)) == (not kept)


def test_the_pairs_of_lbfgs_all_have_positive_curvature_whatever_the_search():
    run = lbfgs(Rosenbrock(), [-1.2, 1.0], search=backtracking)
    kept = [len(run["pairs"]) for _ in zip(range(30), run) if all(y @ s > 0 for s, y in run["pairs"])]
    assert len(kept) == 30 and kept[-1] == 10
    _, pairs = pairs_of(5, 3)
    s, y = pairs[-1]
    assert appended(pairs, s, -y, 10) is pairs and appended(pairs, 0 * s, y, 10) == ()  # left out; afresh


# ---------------------------------------------------------------------------------------------- the radius of SR1

@pytest.mark.parametrize("share, moves, radius", [(-1.0, 0, 0.5), (5e-4, 0, 0.5), (0.05, 1, 0.5), (0.15, 1, 1.0),
                                                  (0.7, 1, 1.0), (0.8, 1, 2.0)])
def test_the_radius_of_sr1_is_halved_where_the_model_fails_and_doubled_where_it_is_right(share, moves, radius):
    # B = 0 promises a fall of 1 at the distance 1, of which this share comes true; y = 0, so nothing is learned
    slope = Function(lambda x: -share * x.item(), lambda x: np.array([-1.0]))
    run = sr1(slope, [0.0], B=0.0)
    assert_allclose(next(run), moves)
    assert_allclose(run["rho"], share, rtol=1e-10)
    assert run["radius"] == radius


@pytest.mark.parametrize("length, radius", [(0.7, 1.0), (0.9, 2.0)])
def test_the_radius_of_sr1_grows_only_if_it_was_nearly_in_the_way(length, radius):
    # curvature 1/length: the model is least at this distance, and promises to fall by half of it, as f does
    bowl = Quadratic(np.array([[1 / length]]), b=[1.0])
    run = sr1(bowl, [0.0], B=1 / length)
    assert_allclose(next(run), length)
    assert_allclose(run["rho"], 1)
    assert run["radius"] == radius


def test_sr1_looks_the_more_exactly_where_its_model_is_least_the_smaller_the_gradient_is_against_the_first():
    A = np.diag(np.geomspace(1, 300, 40))
    run, theta, exact = sr1(Quadratic(A, np.ones(40)), np.zeros(40), radius=100.0), np.zeros(40), 0
    next(run)
    first = np.sqrt(40)
    for _ in range(40):
        theta = run.theta
        g = A @ theta - 1
        next(run)
        share = np.linalg.norm(run["M"] @ run["s"] + g) / np.linalg.norm(g)
        if np.linalg.norm(run["s"]) < 0.99 * run["radius"] / 2:
            assert share <= min(0.5, np.sqrt(np.linalg.norm(g) / first)) * (1 + 1e-6)
            exact += np.linalg.norm(g) < 0.01 * first
    assert exact


@pytest.mark.parametrize("units", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("radius", [0.25, 3.0])
def test_the_first_step_of_sr1_ends_on_the_radius_in_any_units_of_f(units, radius):
    run = sr1(Quadratic(units * np.diag([1.0, 5.0]), units * np.ones(2)), [4.0, -3.0], radius=radius)
    next(run)
    assert_allclose(np.linalg.norm(run["s"]), radius)


def test_sr1_learns_from_a_step_that_it_does_not_take():
    # at 3 the curvature of √(1 + x²) puts the minimum at −27, where f is far higher; on the way there it is greater
    valley = Function(lambda x: np.sqrt(1 + x.item()**2), lambda x: x / np.sqrt(1 + x**2))
    run = sr1(valley, [3.0], radius=64.0, B=10**-1.5)
    assert next(run) == 3
    assert_allclose(run["B"] @ run["s"], valley.gradient(np.array([-27.0])) - valley.gradient(np.array([3.0])))


# ------------------------------------------------------------------------------------------------------ two loops

def test_the_two_loops_multiply_with_the_matrix_that_bfgs_makes_of_the_same_pairs():
    H, pairs = pairs_of(6, 4)
    s, y = pairs[-1]
    M = (s @ y) / (y @ y) * np.eye(6)
    for s, y in pairs:
        M = bfgs_update(M, s, y)
    assert_allclose(two_loops(pairs, START), M @ START, atol=1e-10)


def test_with_one_pair_lbfgs_takes_the_second_step_of_bfgs():
    valley = Rosenbrock(4)
    assert_allclose(path(lbfgs(valley, valley.start), 2), path(bfgs(valley, valley.start), 2), rtol=1e-10)


def test_with_exact_steps_on_a_quadratic_lbfgs_is_bfgs_whatever_the_history_remembers():
    """For both are conjugate gradients there: one pair is enough."""
    steps = [path(lbfgs(BOWL, START, history=history, search=EXACT), 6) for history in (1, 3, 10)]
    for ours in steps:
        assert_allclose(ours, path(bfgs(BOWL, START, search=EXACT), 6), atol=1e-6)


def test_the_history_holds_the_last_pairs_and_no_more():
    run = lbfgs(Rosenbrock(), Rosenbrock().start, history=3)
    kept = [run["pairs"] for _ in zip(range(8), run)]
    assert [len(pairs) for pairs in kept] == [1, 2, 3, 3, 3, 3, 3, 3]
    assert kept[3][:2] == kept[2][1:]
    s, y = kept[-1][-1]
    assert_allclose(y, Rosenbrock().gradient(run.theta) - Rosenbrock().gradient(run.theta - s), atol=1e-8)


def test_a_longer_history_takes_fewer_steps():
    valley = Quadratic(np.diag(np.logspace(0, 4, 40)))
    runs = [lbfgs(valley, np.ones(40), history=history) for history in (1, 5, 40)]
    few, more, all_ = (record(run, steps=1000, objective=valley, gradient=1e-4)["step"][-1] for run in runs)
    assert few > more > all_


# ------------------------------------------------------------------------------------------------- equivalences

def test_with_exact_steps_on_a_quadratic_bfgs_takes_those_of_conjugate_gradients_and_ends_with_the_inverse_hessian():
    linear = [START + x for x, *_ in conjugate_gradient_iterates(BOWL.A, BOWL.b - BOWL.A @ START)]
    run = bfgs(BOWL, START, search=EXACT)
    assert_allclose(path(run, 6)[1:], linear[:6], atol=1e-7)
    assert_allclose(run["M"], np.linalg.inv(BOWL.A), atol=1e-6)


def test_a_tight_wolfe_search_is_as_good_as_an_exact_one():
    tight = partial(strong_wolfe, c1=1e-10, c2=1e-8, most=100)
    assert_allclose(path(bfgs(BOWL, START, search=tight), 6)[-1], BOWL.minimizers[0], atol=1e-6)


def test_bfgs_does_not_care_about_coordinates_if_its_first_matrix_does_not():
    valley, A = Rosenbrock(4), RNG.standard_normal((4, 4))
    there = Function(lambda x: valley.value(A @ x), lambda x: A.T @ valley.gradient(A @ x))
    M = np.eye(4)
    ours = path(bfgs(valley, valley.start, M=A @ M @ A.T), 15)
    assert_allclose(path(bfgs(there, np.linalg.solve(A, valley.start), M=M), 15) @ A.T, ours, rtol=1e-4, atol=1e-6)


def test_with_the_inverse_hessian_to_begin_with_the_first_step_is_newtons():
    valley, start = Rosenbrock(), np.array([1.05, 1.1])
    M = np.linalg.inv(valley.hessian(start))
    assert_allclose(path(bfgs(valley, start, M=M), 1), path(newton(valley, start), 1))


def test_with_the_printed_sign_the_direction_leads_uphill():
    run = bfgs(Rosenbrock(), Rosenbrock().start)
    for _ in zip(range(10), run):
        assert run["g"] @ run["p"] < 0 < run["g"] @ -run["p"]


def test_near_the_minimum_convergence_is_faster_than_any_share_of_the_error():
    valley = Rosenbrock()
    error = np.linalg.norm(path(bfgs(valley, [1.1, 1.1]), 12) - [1, 1], axis=1)
    shares = error[1:] / error[:-1]
    assert shares[-3:].max() < 0.1 and error[-1] < 1e-6
    assert np.linalg.norm(path(gradient_descent(valley, [1.1, 1.1], lr=1e-3), 12)[-1] - [1, 1]) > 0.01


@pytest.mark.parametrize("start", [(0.5, 1e-3), (-0.5, 1e-6), (1.0, -0.1), (0.2, 1e-2)])
def test_sr1_leaves_a_saddle_because_its_matrix_may_have_negative_curvature(start):
    pass_ = Saddle(c=0.5)
    run = sr1(pass_, start)
    lowest = min(np.linalg.eigvalsh(run["M"]).min() for _ in zip(range(40), run))
    assert lowest < 0
    assert_allclose(pass_.value(run.theta), pass_.minimum)


# ---------------------------------------------------------------------------------------- agreement with scipy, torch

@VALLEYS
@pytest.mark.parametrize("ours, theirs, factor", [(bfgs, "BFGS", 1.5), (lbfgs, "L-BFGS-B", 1.5), (sr1, "BFGS", 3)])
def test_they_find_what_scipys_find_and_ask_about_as_often(valley, ours, theirs, factor):
    options = {"ftol": 0, "gtol": 1e-6} if theirs == "L-BFGS-B" else {"gtol": 1e-6}
    start = valley.start if valley.size == 2 else 0.5 * valley.start  # elsewhere is another minimum
    answer = optimize.minimize(valley.value, start, jac=valley.gradient, method=theirs, options=options)
    counted = Counted(valley)
    run = ours(counted, start)
    assert record(run, steps=500, objective=valley, gradient=1e-6).reason == "gradient"
    assert_allclose(run.theta, valley.minimizers[0], atol=1e-5)
    assert_allclose(answer.x, valley.minimizers[0], atol=1e-4)
    assert counted.gradients == counted.values <= factor * answer.nfev


@pytest.mark.parametrize("ours, theirs", [(bfgs, "BFGS"), (lbfgs, "L-BFGS-B"), (sr1, "BFGS")])
def test_they_fit_a_network_as_far_down_as_scipys(ours, theirs):
    answer = optimize.minimize(WHOLE.value, WEIGHTS, jac=WHOLE.gradient, method=theirs, options={"maxiter": 60})
    assert WHOLE.value(path(ours(WHOLE, WEIGHTS), 60)[-1]) < answer.fun + 0.05 < WHOLE.value(WEIGHTS) - 0.3


@pytest.mark.parametrize("size", [2, 10])
def test_lbfgs_finds_what_pytorchs_finds_and_asks_no_more_than_one_and_a_half_times_as_often(size):
    """Not step by step: its first trial has length 1 in the 1-norm, and its search brackets otherwise."""
    torch = pytest.importorskip("torch")
    valley = Rosenbrock(size)
    x = torch.tensor(0.5 * valley.start, requires_grad=True)
    asked = []

    def closure():
        asked.append(1)
        x.grad = torch.from_numpy(valley.gradient(x.detach().numpy()))
        return torch.tensor(valley.value(x.detach().numpy()))

    torch.optim.LBFGS([x], max_iter=500, history_size=10, line_search_fn="strong_wolfe", tolerance_grad=1e-6,
                      tolerance_change=0, max_eval=10000).step(closure)
    counted = Counted(valley)
    run = lbfgs(counted, 0.5 * valley.start)
    record(run, steps=500, objective=valley, gradient=1e-6)
    assert_allclose(run.theta, x.detach().numpy(), atol=1e-5)
    assert counted.gradients <= 1.5 * len(asked)


# --------------------------------------------------------------------------------- the search, and mini-batches

def test_every_pair_of_a_wolfe_search_has_positive_curvature_and_backtracking_leaves_some_out():
    """From where Rosenbrock's valley is curved downwards along the step."""

    def share_kept(search):
        run, curvatures = lbfgs(Rosenbrock(), [-1.2, 1.0], search=search), []
        for _ in zip(range(30), run):
            curvatures.append(run["y"] @ run["s"])
        return np.mean(np.array(curvatures) > 0)

    assert share_kept(strong_wolfe) == 1 > share_kept(backtracking)


def test_between_the_ends_of_a_step_the_gradient_is_that_of_one_mini_batch():
    batches = EmpiricalRisk(NETWORK, X, LABELS, batch_size=10, seed=0)
    run, x = lbfgs(batches, WEIGHTS), WEIGHTS
    for theta, (t, batch) in zip(run, batches.losses()):
        assert_allclose(run["s"], theta - x, atol=1e-12)
        assert_allclose(run["y"], batch.gradient(theta) - batch.gradient(x), atol=1e-12)
        x = theta
        if t == 8:
            break


def test_on_one_objective_the_end_of_a_step_is_computed_once(method):
    counted = Counted(Quadratic(np.eye(2)))
    run = method(counted, [1.0, 0.0])
    path(run, 1)
    assert counted.gradients == 2 and not run.theta.any()


def test_they_go_on_from_what_they_remember(method, tmp_path):
    valley = Rosenbrock(4)
    run = method(valley, valley.start)
    path(run, 12)
    save(tmp_path / "run.npz", theta=run.theta, **run.memory)
    saved = load(tmp_path / "run.npz")
    again = method(valley, saved.pop("theta"), **saved)
    assert_array_equal(path(again, 8)[1:], path(method(valley, valley.start), 20)[13:])


# ------------------------------------------------------------------------------------------------------- the ends

def test_they_end_where_there_is_nothing_left_to_do(method):
    assert len(path(method(Quadratic(np.eye(2)), [0.0, 0.0]), 5)) == 1
    run = method(BOWL, START)
    seen = record(run, steps=500)
    assert_allclose(run.theta, BOWL.minimizers[0], atol=1e-6)
    assert seen.reason == "finished" or method is sr1


@pytest.mark.parametrize("method", [bfgs, lbfgs])
def test_a_memory_that_leads_uphill_is_not_followed_and_one_that_leads_nowhere_is_forgotten(method):
    wrong = {"M": -np.eye(6)} if method is bfgs else {"pairs": ((START, -START),)}
    run = method(BOWL, START, **wrong)
    record(run, steps=200)
    assert_allclose(run.theta, BOWL.minimizers[0], atol=1e-6)


@pytest.mark.parametrize("method", [bfgs, lbfgs])
def test_it_ends_only_if_the_gradient_itself_leads_nowhere(method):
    def nowhere(loss, theta, p, f, g):
        return exact(loss, theta, 0 * p, f, g)

    memory = {"M": np.eye(6)} if method is bfgs else {"pairs": ((START, START),)}
    run = method(BOWL, START, search=nowhere, **memory)
    assert_array_equal(path(run, 1), [START, START])
    assert not run["M" if method is bfgs else "pairs"]
    assert list(run) == []


def test_where_f_is_not_finite_the_step_is_shortened(method):
    """A wall at 0.95, beyond which the first step leads: its length is 1."""
    wall = Function(lambda x: (x[0] - 0.9)**2 - 1e-3 * np.log(0.95 - x[0]), lambda x: 2 * (x - 0.9) + 1e-3 / (0.95 - x))
    lowest = optimize.brentq(lambda x: 2 * (x - 0.9) + 1e-3 / (0.95 - x), 0.5, 0.94, xtol=1e-15)
    x = path(method(wall, [0.0]), 60)
    assert x.max() < 0.95
    assert_allclose(x[-1], lowest, atol=1e-7)


def test_single_precision_stays_single_and_ends_near_the_minimum(method):
    x = path(method(Rosenbrock(), np.array([-1.2, 1.0], np.float32)), 300)
    assert x.dtype == np.float32
    assert_allclose(x[-1], [1, 1], atol=2e-2)


def test_a_history_of_no_pairs_is_refused():
    with pytest.raises(ValueError, match="history is 0"):
        lbfgs(BOWL, START, history=0)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("bfgs", "† p = +M g, which leads uphill",
     "-(M @ g)",
     "M @ g",
     "test_with_the_inverse_hessian_to_begin_with_the_first_step_is_newtons"),
    ("bfgs", "what was learned when no step led down is kept for ever",
     "if alpha == 0 and M is None:",
     "if alpha == 0:",
     "test_it_ends_only_if_the_gradient_itself_leads_nowhere"),
    ("bfgs_update", "† the plus after M is missing",
     "M + (1 + y @ My / ys) / ys * np.outer(s, s)",
     "M @ ((1 + y @ My / ys) / ys * np.outer(s, s))",
     "test_after_the_update_bfgs_maps_the_last_change_of_the_gradient_to_the_last_step"),
    ("bfgs_update", "s and y have each other's place",
     "sMy = np.outer(s, My)",
     "sMy = np.outer(y, M @ s)",
     "test_bfgs_is_the_product_form_of_nocedal_and_wright"),
    ("bfgs_update", "the first matrix is I, whatever the units",
     "(s @ y) / (y @ y) * np.eye",
     "np.eye",
     "test_the_first_matrix_is_scaled_by_the_curvature_of_the_first_step"),
    ("bfgs_update", "a pair of negative curvature is learned as well",
     "if not curved(s, y):",
     "if False:",
     "test_a_pair_without_positive_curvature_is_left_out"),
    ("two_loops", "both loops go from the newest pair to the oldest",
     "zip(pairs, curvatures, reversed(alphas))",
     "zip(reversed(pairs), reversed(curvatures), alphas)",
     "test_the_two_loops_multiply_with_the_matrix_that_bfgs_makes_of_the_same_pairs"),
    ("two_loops", "the scale of the oldest pair, not of the last",
     "s, y = pairs[-1]",
     "s, y = pairs[0]",
     "test_the_two_loops_multiply_with_the_matrix_that_bfgs_makes_of_the_same_pairs"),
    ("two_loops", "the second loop subtracts",
     "r + (alpha - beta) * s",
     "r + (beta - alpha) * s",
     "test_with_one_pair_lbfgs_takes_the_second_step_of_bfgs"),
    ("appended", "one pair too many",
     "[-history:]",
     "[-history - 1:]",
     "test_the_history_holds_the_last_pairs_and_no_more"),
    ("appended", "pairs of negative curvature are kept",
     "(*pairs, (s, y))[-history:] if curved(s, y) else pairs",
     "(*pairs, (s, y))[-history:]",
     "test_the_pairs_of_lbfgs_all_have_positive_curvature_whatever_the_search"),
    ("curved", "a threshold in absolute units",
     "1e-10 * norm(y) * norm(s)",
     "1e-10",
     "test_neither_update_depends_on_units"),
    ("lbfgs", "y is the change of the gradient between two mini-batches",
     "y = loss.gradient(theta + s) - g",
     "y = problem.loss(t + 1).gradient(theta + s) - g",
     "test_between_the_ends_of_a_step_the_gradient_is_that_of_one_mini_batch"),
    ("sr1_update", "the sign of the correction",
     "B + np.outer(u, u)",
     "B - np.outer(u, u)",
     "test_sr1_knows_the_hessian_after_n_independent_steps_of_any_kind_and_sign"),
    ("sr1_update", "no pair is skipped",
     "if not abs(inner(u, s)) > 1e-8 * norm(u) * norm(s):",
     "if inner(u, s) == 0:",
     "test_sr1_skips_a_pair_whose_correction_would_be_nearly_infinite"),
    ("sr1", "it does not learn from a step that is not taken",
     "if rho > eta or B is not None else None",
     "if rho > eta else M",
     "test_sr1_learns_from_a_step_that_it_does_not_take"),
    ("sr1", "the radius shrinks where the model is right",
     "if rho < 0.1:",
     "if rho > 0.1:",
     "test_the_radius_of_sr1_is_halved_where_the_model_fails_and_doubled_where_it_is_right"),
    ("sr1", "the first gradient is always this one",
     "norm(g) if first is None else first", "norm(g)",
     "test_sr1_looks_the_more_exactly_where_its_model_is_least_the_smaller_the_gradient_is_against_the_first"),
]


# ------------------------------------------------------------------------------------------ why BFGS corrects itself

def of_b(B, s, y):
    """What BFGS does to B = M⁻¹."""
    return B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (y @ s)


def distance(B, H):
    """ψ = tr(H⁻¹B) − ln det(H⁻¹B), n where B is H and more where it is not."""
    ratio = np.linalg.solve(H, B)
    return np.trace(ratio) - np.linalg.slogdet(ratio)[1]


def test_in_terms_of_b_what_was_believed_goes_out_and_what_was_seen_comes_in():
    _, ((s, y), *_) = pairs_of(5, 1)
    M = np.diag([1.0, 2, 3, 4, 5])
    assert_allclose(of_b(np.linalg.inv(M), s, y), np.linalg.inv(bfgs_update(M, s, y)), rtol=1e-8, atol=1e-10)
    assert_allclose(np.linalg.det(of_b(np.linalg.inv(M), s, y)), (y @ s) / (s @ (s / np.diag(M))) / np.linalg.det(M))


@pytest.mark.parametrize("seed", range(4))
def test_on_a_quadratic_every_update_brings_b_nearer_to_h_from_wherever_it_began(seed):
    """Along a run, and for steps of chance: ψ never grows, and ends at n."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((6, 6))
    M = 10.0**rng.integers(-3, 4) * (root @ root.T + 1e-3 * np.eye(6))
    run, psi, bowl = bfgs(BOWL, START, M=M), [distance(np.linalg.inv(M), BOWL.A)], BOWL.A
    for _ in zip(range(60), run):
        if np.linalg.norm(run["y"]) < 1e-6:
            break
        psi.append(distance(np.linalg.inv(run["M"]), bowl))
    assert psi[0] > 10 and np.all(np.diff(psi) < 1e-6 * psi[0]) and psi[-1] < 6.5
    B, psi = np.linalg.inv(M), []
    for s in rng.standard_normal((200, 6)):
        psi.append(distance(B, bowl))
        B = of_b(B, s, bowl @ s)
    assert np.all(np.diff(psi) < 1e-6 * psi[0]) and psi[-1] < 6.5


@pytest.mark.parametrize("seed", range(3))
def test_the_trace_falls_by_what_the_gradient_feels_in_bfgs_and_by_what_the_step_feels_in_dfp(seed):
    """In coordinates with H = I, for a full step; DFP is the same update with s and y, B and M exchanged."""
    rng = np.random.default_rng(seed)
    root, g = rng.standard_normal((5, 5)), rng.standard_normal(5)
    B = root @ root.T + 0.1 * np.eye(5)
    M = np.linalg.inv(B)
    s = -M @ g
    assert_allclose(np.trace(of_b(B, s, s)) - np.trace(B), 1 - (g @ g) / (g @ M @ g))
    assert_allclose(np.trace(bfgs_update(B, s, s)) - np.trace(B), 1 - (g @ M @ g) / (g @ M @ M @ g))
    assert distance(bfgs_update(B, s, s), np.eye(5)) < distance(B, np.eye(5))


def steps_to_recover(update, curvature, angle):
    """Full steps on ½‖θ‖² from B = diag(1, curvature), until 1e-4 is left; 300 at most."""
    theta, B = np.array([np.cos(angle), np.sin(angle)]), np.diag([1.0, curvature])
    for steps in range(300):
        if np.linalg.norm(theta) < 1e-4:
            return steps
        s = -np.linalg.solve(B, theta)
        theta, B = theta + s, update(B, s, s.copy())
    return 300


def test_from_a_curvature_that_is_far_too_large_bfgs_recovers_in_a_dozen_steps_and_dfp_in_hundreds():
    """Powell (1986)."""
    angles = np.linspace(0.01, 1.5, 12)
    for curvature, most, least in ((10.0, 9, 12), (100.0, 12, 80), (1e4, 15, 300)):
        ours, dfp = (max(steps_to_recover(update, curvature, angle) for angle in angles)
                     for update in (of_b, lambda B, s, y: bfgs_update(B, y, s)))
        assert ours <= most and dfp >= least, curvature
        low, other = (max(steps_to_recover(update, 1 / curvature, angle) for angle in angles)
                      for update in (of_b, lambda B, s, y: bfgs_update(B, y, s)))
        assert other <= low <= 8, "too small, it is the other way round"


def test_with_one_pair_and_exact_steps_the_directions_are_those_of_hestenes_and_stiefel():
    valley = Rosenbrock(5)
    ours = lbfgs(valley, valley.start, history=1, search=EXACT)
    theirs = nonlinear_cg(valley, valley.start, formula="hestenes_stiefel", overlap=1e9, search=EXACT)
    for one, other, _ in zip(ours, theirs, range(5)):
        p, q = ours["p"], theirs["p"]
        assert_allclose(p / np.linalg.norm(p), q / np.linalg.norm(q), atol=1e-4)
    rough = lbfgs(valley, valley.start, history=1), nonlinear_cg(valley, valley.start, formula="hestenes_stiefel")
    assert not np.allclose(*(path(run, 5)[-1] for run in rough), atol=1e-2)


def test_what_a_step_costs():
    """Values and gradients, of which mostly one each: the search has left those of the end."""
    for method in (sr1, bfgs, lbfgs):
        counted = Counted(WHOLE)
        run, asked = method(counted, WEIGHTS), []
        next(run)
        for _ in range(25):
            before = counted.gradients
            next(run)
            asked.append(counted.gradients - before)
        assert counted.gradients == counted.values and counted.products == 0
        assert min(asked) == 1 and np.mean(asked) < 1.5


@pytest.mark.parametrize("seed", range(3))
def test_how_long_a_history_pays_depends_on_the_spectrum(seed):
    start = np.random.default_rng(seed).standard_normal(60)

    def gradients(eigenvalues, history):
        valley = Quadratic(np.diag(eigenvalues))
        counted = Counted(valley)
        record(lbfgs(counted, start, history=history), 5000, objective=valley, target=1e-9 * valley.value(start))
        return counted.gradients

    even = [gradients(np.linspace(1, 1e4, 60), history) for history in (10, 80)]
    assert even[0] < 1.35 * even[1]
    for wide in (np.geomspace(1, 1e4, 60), np.concatenate([np.linspace(1, 4, 57), [1e2, 1e3, 1e4]])):
        asked = [gradients(wide, history) for history in (1, 5, 10, 20, 40)]
        assert np.all(np.diff(asked) < 0) and asked[2] > 1.5 * gradients(wide, 80)
