"""Newton's method and its safeguards, in tests: each says something lecture 6 says."""
from functools import partial
from itertools import islice, pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from numopt.linalg import conjugate_gradient_iterates, steihaug, to_radius
from numopt.line_search import gain_ratio, remembering
from numopt.networks import mlp
from numopt.optimizers import damped_newton, gradient_descent, hessian_free, newton, newton_cg, sr1, trust_region
from numopt.optimizers.newton import differences, inexact_newton, lowest, preconditioner, solved
from numopt.problems import (
    Beale, Counted, EmpiricalRisk, Function, Himmelblau, Objective, Plateau, Quadratic, Rosenbrock, Saddle)
from numopt.record import path, record

RNG = np.random.default_rng(0)
ROOT = RNG.standard_normal((5, 5))
BOWL = Quadratic(ROOT @ ROOT.T + np.eye(5), RNG.standard_normal(5))
START = RNG.standard_normal(5)
GUARDED = [damped_newton, trust_region, newton_cg]

NETWORK = mlp([3, 4, 2])
X = RNG.standard_normal((40, 3))
RISK = EmpiricalRisk(NETWORK, X, (X[:, 0] * X[:, 1] > 0).astype(int), seed=0)
WEIGHTS = NETWORK.initial(seed=1)


def of_one(f, df, ddf):
    """A function of one parameter."""
    return Function(lambda x: f(x[0]), lambda x: np.array([df(x[0])]), lambda x: np.array([[ddf(x[0])]]), size=1)


def in_units(f, c, dtype=float):
    """c f: the same function in other units."""
    return Function(lambda x: c * f.value(x.astype(float)), lambda x: c * f.gradient(x.astype(float)),
                    lambda x: (c * f.hessian(x.astype(float))).astype(dtype), size=f.size)


# --------------------------------------------------------------------------------------------------------- newton

def test_on_a_quadratic_newton_arrives_in_one_step_from_anywhere():
    for start in (START, 1e4 * START):
        assert_allclose(path(newton(BOWL, start), 1)[-1], BOWL.minimizers[0], rtol=1e-9)


def test_the_number_of_right_digits_doubles_at_every_step():
    # f = x − log x: the step from x ends at 2x − x², so that the error 1 − x is squared
    valley = of_one(lambda x: x - np.log(x), lambda x: 1 - 1 / x, lambda x: 1 / x**2)
    error = 1 - path(newton(valley, [0.5]), 5)[:, 0]
    assert_allclose(error, 0.5**2.0**np.arange(6), rtol=1e-6)


def test_newton_does_not_care_in_which_coordinates_the_problem_is_written():
    valley, A, b = Rosenbrock(5), ROOT, START
    there = Function(lambda x: valley.value(A @ x + b), lambda x: A.T @ valley.gradient(A @ x + b),
                     lambda x: A.T @ valley.hessian(A @ x + b) @ A)
    x = 0.3 * RNG.standard_normal(5)
    assert_allclose(path(newton(there, x), 4) @ A.T + b, path(newton(valley, A @ x + b), 4), rtol=1e-6)
    descent = partial(gradient_descent, lr=1e-4)
    assert not np.allclose(path(descent(there, x), 4) @ A.T + b, path(descent(valley, A @ x + b), 4), rtol=1e-2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_curvature_is_positive_cholesky_finds_the_step_and_elimination_is_not_asked(seed, dtype, monkeypatch):
    A = np.random.default_rng(seed).standard_normal((6, 6)).astype(dtype)
    H, g = A @ A.T + np.eye(6, dtype=dtype), A[0]
    by_elimination = np.linalg.solve(H, g)
    monkeypatch.setattr(np.linalg, "solve", lambda H, g: pytest.fail("elimination"))
    found = solved(H, g)
    assert found.dtype == dtype
    assert_allclose(found, by_elimination, rtol=1e-3 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("lam", [(-1.0, 2, 3), (1e-3, -1e-3, 4), (-1, -2, -3)])
def test_where_it_is_not_there_are_no_such_factors_and_the_step_is_that_of_elimination(lam):
    Q = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    H, g = Q @ np.diag(lam) @ Q.T, RNG.standard_normal(3)
    assert_allclose(H @ solved(H, g), g, rtol=1e-8, atol=1e-10)


def test_newton_is_attracted_by_a_saddle():
    pass_ = Saddle(c=0.5)
    assert_allclose(path(newton(pass_, [0.5, 0.3]), 8)[-1], [0, 0], atol=1e-12)
    assert pass_.value([0, 0]) > pass_.value([0.0, 0.3]) > pass_.minimum


def test_from_the_customary_start_on_beale_newton_steps_right_onto_the_saddle():
    assert_allclose(path(newton(Beale(), [1.0, 1.0]), 2)[1:], [[0, 1], [0, 1]], atol=1e-12)


def test_where_the_curvature_is_negative_newton_climbs_to_a_maximum():
    hill = of_one(np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x))
    x = path(newton(hill, [0.5]), 4)[:, 0]
    assert np.all(np.diff(np.cos(x)) >= 0) and abs(x[-1]) < 1e-12


def test_a_singular_hessian_is_refused_with_advice():
    trough = Quadratic(np.diag([1.0, 0.0]))
    with pytest.raises(ValueError, match="singular.*damped_newton"):
        next(newton(trough, [1.0, 1.0]))
    assert_allclose(path(damped_newton(trough, [1.0, 1.0], damping=1e-9), 1)[-1], [0, 1], atol=1e-8)


def test_without_a_hessian_its_columns_are_differences_of_the_gradient():
    valley = Rosenbrock()
    bare = Function(valley.value, valley.gradient)
    assert_allclose(path(newton(bare, valley.start), 6), path(newton(valley, valley.start), 6), rtol=1e-4, atol=1e-8)


# -------------------------------------------------------------------------------------------------- damped_newton

@pytest.mark.parametrize("method", GUARDED)
@pytest.mark.parametrize("valley, start", [(Saddle(c=0.5), [0.5, 0.3]), (Saddle(c=0.5), [0.5, 1e-6]),
                                           (Beale(), [1.0, 1.0])], ids=["pass", "on the ridge", "beale"])
def test_the_guarded_methods_are_repelled_by_the_saddle_and_reach_a_minimum(method, valley, start):
    end = path(method(valley, start), 80)[-1]
    assert_allclose(valley.value(end), valley.minimum, atol=1e-8)


def test_along_negative_curvature_damped_newton_steps_as_far_as_newton_the_other_way():
    """Where f falls along either step: downhill alone does not tell them apart."""
    A, g = np.diag([2.0, -3.0]), np.array([0.6, 0.15])
    saddle = Quadratic(A, -g)
    assert_allclose(path(newton(saddle, [0.0, 0.0]), 1)[-1], [-0.3, 0.05])
    assert_allclose(path(damped_newton(saddle, [0.0, 0.0], damping=0.0), 1)[-1], [-0.3, -0.05])


def test_without_damping_and_where_newton_is_safe_damped_newton_is_newton():
    valley, start = Rosenbrock(), np.array([1.05, 1.1])
    assert np.linalg.eigvalsh(valley.hessian(start)).min() > 0
    assert_allclose(path(damped_newton(valley, start, damping=0.0), 3), path(newton(valley, start), 3), atol=1e-10)


def test_with_much_damping_damped_newton_is_gradient_descent_with_a_small_rate():
    lr = 1e-6
    assert_allclose(path(damped_newton(BOWL, START, damping=1 / lr), 5), path(gradient_descent(BOWL, START, lr=lr), 5),
                    rtol=1e-7)


def test_damped_newton_halves_its_step_until_f_falls_and_ends_where_no_step_is_left():
    # √(1 + x²) at 3: the model is least 30 away, at −27; half of that is too far, a quarter too, and an eighth is not
    slope = of_one(lambda x: np.sqrt(1 + x**2), lambda x: x / np.sqrt(1 + x**2), lambda x: (1 + x**2)**-1.5)
    assert_allclose(path(damped_newton(slope, [3.0], damping=0.0), 1)[-1], 3 - 30 / 8)
    assert len(path(damped_newton(slope, [0.0]), 5)) == 1


# --------------------------------------------------------------------------------------------------- trust_region

def test_the_radius_doubles_while_the_model_is_right_and_the_step_ends_on_it():
    # ½x² from 10: steps of 1, 2 and 4, and then the minimum is inside the radius
    run = trust_region(Quadratic(np.eye(1)), [10.0])
    assert_allclose(path(run, 4)[:, 0], [10, 9, 7, 3, 0])
    assert run["radius"] == 8


def test_the_radius_shrinks_to_a_quarter_and_theta_stays_where_the_model_was_wrong():
    slope = of_one(lambda x: np.sqrt(1 + x**2), lambda x: x / np.sqrt(1 + x**2), lambda x: (1 + x**2)**-1.5)
    run = trust_region(slope, [3.0], radius=64.0)
    x = path(run, 2)[:, 0]
    # the model's minimum is at −27, where f is higher than at 3, and so it is 16 away from there, at −13
    assert_array_equal(x, [3, 3, 3])
    assert run["radius"] == 4
    assert abs(path(run, 10)[-1, 0]) < 1e-6


def falling(share):
    """The model at 0 is −x without curvature, and of the fall that it promises this share comes true."""
    return of_one(lambda x: -share * x, lambda x: -1.0, lambda x: 0.0)


@pytest.mark.parametrize("share, moves, radius", [(-1.0, 0, 0.25), (0.1, 0, 0.25), (0.2, 1, 0.25), (0.3, 1, 1.0),
                                                  (0.7, 1, 1.0), (0.8, 1, 2.0)])
def test_the_radius_is_quartered_where_the_model_fails_and_doubled_where_it_is_right(share, moves, radius):
    run = trust_region(falling(share), [0.0])
    assert_allclose(next(run), moves)
    assert_allclose(run["rho"], share)
    assert run["radius"] == radius


def test_the_radius_grows_only_if_it_was_in_the_way_and_never_beyond_the_most():
    for length, radius in (0.9, 1), (0.998, 1), (0.9995, 2):
        inside = trust_region(Quadratic(np.eye(1)), [length], radius=1.0)
        assert_allclose(next(inside), 0, atol=1e-15)
        assert_allclose(inside["rho"], 1)
        assert inside["radius"] == radius
    far = trust_region(Quadratic(np.eye(1)), [100.0], radius=1.0, most=3.0)
    path(far, 5)
    assert far["radius"] == 3


@pytest.mark.parametrize("method", [trust_region, sr1])
def test_a_radius_that_has_become_very_small_is_still_so_when_the_run_goes_on(method):
    far = 1e3 * np.ones(3)
    assert 0 < np.linalg.norm(next(method(Quadratic(np.diag([1.0, 2, 3])), far, t=1, radius=1e-9)) - far) < 2e-9


def test_at_a_minimum_trust_region_ends():
    assert len(path(trust_region(Quadratic(np.eye(2)), [0.0, 0.0]), 5)) == 1


def test_steihaug_goes_to_newtons_point_or_to_the_radius_whichever_is_first():
    g = BOWL.gradient(START)
    tiny = 1e-12 * g
    assert_allclose(steihaug(BOWL.A, tiny, 1.0), np.linalg.solve(BOWL.A, -tiny), rtol=1e-4)
    assert_allclose(steihaug(BOWL.A, g, 1e-3), -1e-3 * g / np.linalg.norm(g))
    half = 0.5 * np.linalg.norm(np.linalg.solve(BOWL.A, -tiny))
    p = steihaug(BOWL.A, tiny, half)
    assert_allclose(np.linalg.norm(p), half)
    assert tiny @ p + p @ BOWL.A @ p / 2 < 0
    points = [np.zeros_like(g), *(iterate.x for iterate in conjugate_gradient_iterates(BOWL.A, -tiny))]
    for radius in np.array([0.02, 0.3, 0.6, 0.95, 0.99]) * np.linalg.norm(points[-1]):  # on the way between two of them
        p = steihaug(BOWL.A, tiny, radius)
        before, after = next((a, b) for a, b in pairwise(points) if np.linalg.norm(a) < radius <= np.linalg.norm(b))
        assert_allclose(np.linalg.norm(p), radius)
        assert_allclose(np.linalg.norm(p - before) + np.linalg.norm(after - p), np.linalg.norm(after - before))


@pytest.mark.parametrize("seed", range(5))
def test_where_curvature_is_negative_the_step_ends_on_the_radius_at_least_as_low_as_the_gradient_step(seed):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    B, g = Q @ np.diag([-2.0, -1, 0.5, 1, 2, 4]) @ Q.T, rng.standard_normal(6)

    def q(p):
        return g @ p + p @ B @ p / 2

    p = steihaug(B, g, 3.0)
    cauchy = min((-tau * g for tau in np.linspace(0, 3 / np.linalg.norm(g), 1001)), key=q)
    assert_allclose(np.linalg.norm(p), 3)
    assert q(p) <= q(cauchy) + 1e-12


def test_to_radius_gives_both_points_on_the_sphere():
    p, d = np.array([0.3, 0.1]), np.array([1.0, -2.0])
    back, ahead = to_radius(p, d, 2.0)
    assert back < 0 < ahead
    assert_allclose([np.linalg.norm(p + back * d), np.linalg.norm(p + ahead * d)], 2)


@pytest.mark.parametrize("valley", [Rosenbrock(), Rosenbrock(10), Beale()], ids=["2", "10", "beale"])
def test_trust_region_takes_the_steps_of_scipys_trust_ncg_and_asks_as_often(valley):
    """In units of f in which the first gradient has length 1: theirs depends on them."""
    theirs, f = [valley.start], in_units(valley, 1 / np.linalg.norm(valley.gradient(valley.start)))
    answer = optimize.minimize(f.value, valley.start, jac=f.gradient, hess=f.hessian, method="trust-ncg",
                               callback=lambda x: theirs.append(x.copy()), options={"gtol": 1e-11})
    counted = Counted(f)
    ours = path(trust_region(counted, valley.start), answer.nit)
    assert_allclose(ours, np.array(theirs[:len(ours)]), atol=1e-6)
    assert counted.values <= answer.nfev + 1 and counted.gradients <= answer.njev + 1


# ------------------------------------------------------------------------------------------------------ newton_cg

@pytest.mark.parametrize("valley", [Rosenbrock(), Rosenbrock(3), Beale()], ids=["2", "3", "beale"])
def test_newton_cg_finds_what_scipys_finds_and_asks_no_more_than_one_and_a_half_times_as_often(valley):
    answer = optimize.minimize(valley.value, valley.start, jac=valley.gradient, hess=valley.hessian, method="Newton-CG")
    counted = Counted(valley)
    run = newton_cg(counted, valley.start)
    seen = record(run, steps=300, objective=valley, gradient=1e-6)
    assert seen.reason == "gradient"
    assert_allclose(run.theta, valley.minimizers[0], atol=1e-4)
    assert_allclose(answer.x, valley.minimizers[0], atol=1e-3)
    assert counted.values <= 1.5 * answer.nfev and counted.gradients <= 1.5 * answer.njev


def test_differences_of_gradients_multiply_like_the_hessian():
    exact = path(newton_cg(RISK.whole, WEIGHTS), 6)
    assert_allclose(path(newton_cg(RISK.whole, WEIGHTS, curvature="differences"), 6), exact, atol=1e-4)


@pytest.mark.parametrize("distance", [0.0, 1.0, 1e9])
@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_a_difference_is_as_exact_far_from_the_origin_and_for_a_direction_of_any_length(distance, length):
    theta = distance * START
    H = differences(BOWL, theta, BOWL.gradient(theta))
    assert_allclose(H @ (length * START), length * (BOWL.A @ START), rtol=1e-5)


@pytest.mark.parametrize("dtype, digits", [(np.float32, 2e-3), (np.float64, 1e-6)])
def test_differences_of_gradients_have_half_of_the_digits_of_their_precision(dtype, digits):
    valley, theta = Rosenbrock(5), np.linspace(-1, 1, 5).astype(dtype)
    H = differences(valley, theta, valley.gradient(theta))
    for v in np.eye(5, dtype=dtype):
        exact = valley.hessian(theta) @ v
        assert (H @ v).dtype == dtype
        assert_allclose(H @ v, exact, atol=digits * np.linalg.norm(exact))


def test_differences_need_no_hessian_and_no_products():
    counted = Counted(Rosenbrock())
    run = newton_cg(counted, counted.problem.start, curvature="differences")
    assert record(run, steps=200, objective=counted.problem, gradient=1e-6).reason == "gradient"
    assert counted.products == 0


def test_the_equation_is_solved_more_exactly_the_smaller_the_gradient_is():
    direction = BOWL.gradient(START) / np.linalg.norm(BOWL.gradient(START))
    shares = []
    for length in (1.0, 1e-2, 1e-4, 1e-8):
        g = length * direction
        shares.append(np.linalg.norm(BOWL.A @ inexact_newton(BOWL.A, g, 250) + g) / length)
        assert shares[-1] <= min(0.5, length**0.5)
    assert shares[-1] < shares[0]


def test_a_first_direction_of_negative_curvature_gives_the_negative_gradient():
    g = np.array([0.0, 1.0])
    assert_array_equal(inexact_newton(np.diag([1.0, -1.0]), g, 250), -g)
    assert_allclose(inexact_newton(np.diag([1.0, -8.0]), 4 * g, 250), -g / 2)  # as far as if it were 8
    assert_allclose(inexact_newton(np.diag([1.0, 0.0]), 4 * g, 250), -g)       # and 1 if there is none


def test_a_later_direction_of_negative_curvature_keeps_what_was_found_before():
    A, g = np.diag([4.0, -0.1]), np.array([1.0, 0.1])
    p = inexact_newton(A, 1e-6 * g, 250)
    alpha = g @ g / (g @ A @ g)
    assert_allclose(p, -1e-6 * alpha * g)


# --------------------------------------------------------------------------------------------------- hessian_free

def test_on_a_quadratic_without_damping_hessian_free_is_newton():
    run = hessian_free(BOWL, START, curvature="hessian", damping=0.0, eps=1e-14)
    assert_allclose(path(run, 1)[-1], BOWL.minimizers[0], rtol=1e-6)


def test_hessian_free_judges_the_model_by_the_step_that_it_tries():
    loss, other = RISK.loss(1), 0
    run = hessian_free(loss, WEIGHTS, damping=1e-3, preconditioned=False)
    for _ in range(12):
        theta, damping = run.theta, run["damping"]
        next(run)
        d, B = run["d"], np.asarray(loss.gauss_newton(theta)) + damping * np.eye(theta.size)
        predicted = -(loss.gradient(theta) @ d + d @ B @ d / 2)
        assert_allclose(run["rho"], (loss.value(theta) - loss.value(theta + d)) / predicted, rtol=1e-6)
        other += not np.array_equal(d, run["p"])
    assert other


def test_hessian_free_looks_for_the_end_of_the_model_as_long_as_eps_says():
    slow = Counted(Quadratic(np.diag(np.geomspace(1, 1e4, 300)), np.ones(300)))
    products = []
    for eps in (0.3, 5e-4, 1e-7):
        next(hessian_free(slow, np.zeros(300), curvature="hessian", damping=0.0, preconditioned=False, eps=eps))
        products.append(slow.products - sum(products))
    assert products[0] < 0.8 * products[1] < 0.64 * products[2]


def test_damping_falls_to_two_thirds_where_the_model_is_right_and_rises_by_a_half_where_it_is_not():
    run = hessian_free(BOWL, START, curvature="hessian")
    assert_allclose([run["damping"] for _ in zip(range(3), run)], [2 / 3, 4 / 9, 8 / 27])
    # from 3, the minimum of the model of √(1 + x²) is at −27, where f is far higher
    slope = of_one(lambda x: np.sqrt(1 + x**2), lambda x: x / np.sqrt(1 + x**2), lambda x: (1 + x**2)**-1.5)
    run = hessian_free(slope, [3.0], curvature="hessian", damping=1e-3)
    next(run)
    assert_allclose(run["damping"], 1.5e-3)
    assert abs(run.theta[0]) < 3, "and the line search takes a shorter step"


@pytest.mark.parametrize("share, damping", [(0.2, 3 / 2), (0.3, 1.0), (0.7, 1.0), (0.8, 2 / 3)])
def test_damping_rises_below_a_quarter_of_the_promised_fall_and_falls_above_three_quarters(share, damping):
    # the damped model −x + ½x² is least at 1, and promises a fall of ½, of which this share comes true
    run = hessian_free(falling(share / 2), [0.0], curvature="hessian", damping=1.0)
    assert_allclose(next(run), 1)
    assert_allclose(run["rho"], share)
    assert_allclose(run["damping"], damping)


@pytest.mark.parametrize("length, power", [(1.99 / 0.8**2, 3), (1.97 / 0.8**2, 2), (300.0, 23)])
def test_its_search_shortens_by_a_fifth_until_a_hundredth_of_what_the_slope_promises_comes_true(length, power):
    """Of ½x² from 1 a step of 1.98 leads down by that; Martens (2010), Section 4.6."""
    bowl = of_one(lambda x: x**2 / 2, lambda x: x, lambda x: 1 / length - 1)
    run = hessian_free(bowl, [1.0], curvature="hessian", damping=1.0, preconditioned=False)
    assert_allclose(next(run), 1 - length * 0.8**power, rtol=1e-9)


def test_conjugate_gradients_go_on_from_nineteen_twentieths_of_the_last_step():
    p, g = RNG.standard_normal(5), BOWL.gradient(START)
    run = hessian_free(BOWL, START, curvature="hessian", damping=0.0, p=p, cg_steps=1)
    next(run)
    r = -g - BOWL.A @ (0.95 * p)
    assert_allclose(run["p"], 0.95 * p + (r @ r) / (r @ BOWL.A @ r) * r)


def test_without_the_preconditioner_the_first_direction_is_the_gradient_and_with_it_it_is_not():
    def cosine(preconditioned):
        run = hessian_free(RISK.loss(1), WEIGHTS, preconditioned=preconditioned, damping=0.01, cg_steps=1)
        next(run)
        return -run["p"] @ run["g"] / np.linalg.norm(run["p"]) / np.linalg.norm(run["g"])

    assert_allclose(cosine(False), 1)
    assert cosine(True) < 0.99


def test_going_back_along_the_way_begins_with_where_its_last_point_leads():
    # ½x² from 3: f is 2, ½, 0 and 2 where the points −1, −2, −3 and −5 lead, and 4½ at the start
    bowl, points = Quadratic(np.eye(1)), [np.array([p]) for p in (-1.0, -2.0, -3.0, -5.0)]
    assert lowest(bowl, np.array([3.0]), points[:3]) == -3
    assert lowest(bowl, np.array([3.0]), points) == -3
    assert lowest(bowl, np.array([3.0]), [np.array([p]) for p in (-2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0)]) == -3


def test_where_curvature_leaves_hessian_free_only_its_last_step_and_that_leads_uphill_it_takes_the_gradient():
    hill = of_one(lambda x: -x**2 / 2, lambda x: -x, lambda x: -1.0)
    for last, taken in ((-0.2, 1.0), (0.2, 0.95 * 0.2)):
        run = hessian_free(hill, [1.0], curvature="hessian", damping=0.5, p=np.array([last]))
        next(run)
        assert_allclose(run["d"], taken)


def test_a_step_solves_the_damped_equation():
    damping = 0.7
    run = hessian_free(RISK.whole, WEIGHTS, damping=damping, eps=1e-12, cg_steps=500)
    g = RISK.whole.gradient(WEIGHTS)
    G = RISK.whole.gauss_newton(WEIGHTS) @ np.eye(WEIGHTS.size)
    next(run)
    assert_allclose(run["p"], np.linalg.solve(G + damping * np.eye(len(G)), -g), atol=1e-6)


def test_the_next_step_goes_on_from_the_last_one_and_is_cheaper_for_it():
    def products(p):
        counted = Counted(RISK.loss(1))
        next(hessian_free(counted, WEIGHTS, p=p, damping=0.01, eps=1e-8))
        return counted.products

    run = hessian_free(RISK.loss(1), WEIGHTS, damping=0.01, eps=1e-8)
    next(run)
    assert products(p=run["p"]) < products(p=0.0)


def test_the_preconditioner_is_the_diagonal_of_the_empirical_fisher_to_the_power_of_three_quarters():
    batch = RISK.loss(1)
    F = batch.empirical_fisher(WEIGHTS) @ np.eye(WEIGHTS.size)
    M = preconditioner(batch, WEIGHTS, 0.1)
    assert_allclose(M @ WEIGHTS, (np.diag(F) + 0.1)**-0.75 * WEIGHTS)
    assert preconditioner(BOWL, START, 0.1) is None


def test_without_damping_the_preconditioner_leaves_a_parameter_without_gradients_as_it_is():
    class Two(Objective):
        def per_example_gradients(self, theta):
            return np.array([[4.0, 0.0], [0.0, 0.0]])

    for damping, diagonal in (0.0, [8**-0.75, 1]), (0.5, [8.5**-0.75, 0.5**-0.75]):
        assert_allclose(preconditioner(Two(), START, damping).diagonal(), diagonal)


def test_with_the_preconditioner_it_comes_to_the_same_point_if_it_goes_on_long_enough():
    ends = [path(hessian_free(RISK.loss(1), WEIGHTS, preconditioned=on, eps=1e-14, cg_steps=1000), 1)[-1]
            for on in (True, False)]
    assert_allclose(*ends, atol=1e-6)


def test_of_the_points_on_the_way_the_one_is_taken_from_which_both_neighbours_lead_up():
    f = {0: 5.0, 1: 1.0, 2: 3.0, 3: 2.0, 4: 4.0, 5: np.nan}
    loss = Function(lambda x: f[int(x[0])])
    points = [np.array([float(k)]) for k in range(6)]
    assert lowest(loss, np.zeros(1), points[:5]) == 3
    assert lowest(loss, np.zeros(1), points) == 3, "where f is not finite no step ends"
    assert lowest(loss, np.zeros(1), points[:2]) == 1
    assert lowest(Function(lambda x: float(x[0])), np.zeros(1), points) == 0, "all the way"
    assert lowest(Function(lambda x: 1.0), np.zeros(1), points) == 5, "it goes back only while f falls"


@pytest.mark.parametrize("method", [trust_region, newton_cg, hessian_free], ids=lambda method: method.__name__)
def test_they_fit_a_network_as_far_down_as_scipy_does(method):
    """From the same weights, with the Gauss-Newton matrix or the Hessian; scipy with BFGS."""
    whole = RISK.whole
    answer = optimize.minimize(whole.value, WEIGHTS, jac=whole.gradient, method="BFGS", options={"maxiter": 40})
    assert whole.value(path(method(whole, WEIGHTS), 40)[-1]) < answer.fun + 0.05 < whole.value(WEIGHTS) - 0.3


# ------------------------------------------------------------------------------------ the ends, and what is refused

@pytest.mark.parametrize("method", [newton, *GUARDED, partial(newton_cg, curvature="differences"),
                                    partial(hessian_free, curvature="hessian")])
def test_at_a_minimum_they_stay_and_say_nothing(method):
    x = path(method(BOWL, BOWL.minimizers[0]), 5)
    assert_allclose(x, np.broadcast_to(BOWL.minimizers[0], x.shape), atol=1e-12)
    x = path(method(Quadratic(np.eye(2)), [0.0, 0.0]), 5)
    assert not x.any()


@pytest.mark.parametrize("method", [*GUARDED, partial(hessian_free, curvature="hessian")])
def test_where_all_is_flat_they_do_not_break(method):
    plain = Plateau(edge=400.0)
    assert np.isfinite(path(method(plain, [10.0, 10.0]), 10)).all()


@pytest.mark.parametrize("method", [trust_region, newton_cg, hessian_free])
def test_a_curvature_that_the_problem_has_not_is_refused(method):
    with pytest.raises(NotImplementedError, match="not a likelihood"):
        next(method(Rosenbrock(), Rosenbrock().start, curvature="fisher"))


def test_a_share_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="eta is 2"):
        trust_region(BOWL, START, eta=2)
    with pytest.raises(ValueError, match="cg_steps is 0"):
        newton_cg(BOWL, START, cg_steps=0)


# ------------------------------------------------------------------------------- what they share with other methods

def test_the_gain_ratio_is_one_where_the_model_is_right_or_all_is_rounding():
    assert gain_ratio(5.0, 4.0, 1.0, float) == pytest.approx(1)
    assert gain_ratio(5.0, 4.5, 1.0, float) == pytest.approx(0.5)
    assert gain_ratio(5.0, 6.0, 1.0, float) == pytest.approx(-1)
    assert gain_ratio(5.0, 5.0, 1e-30, float) == pytest.approx(1)
    for f_new, predicted in ((np.inf, 1.0), (np.nan, 1.0), (4.0, -1.0), (4.0, np.nan)):
        assert gain_ratio(5.0, f_new, predicted, float) == -np.inf
    for f, predicted in ((np.nan, 1.0), (np.inf, 1.0), (5.0, np.inf)):  # of a model that is none there is no share
        with pytest.raises(FloatingPointError, match="a model is made where f is finite"):
            gain_ratio(f, 4.0, predicted, float)
    assert gain_ratio(0.0, 0.0, 0.0, float) == -np.inf
    for dtype in np.float32, np.float64:  # a change by a few of the last digits is rounding, and one by many is none
        eps = float(np.finfo(dtype).eps)
        for f in 5.0, -5.0:
            assert gain_ratio(f, f + 4 * eps * abs(f), 0.0, dtype) > 1 / 4
            assert gain_ratio(f, f + 100 * eps * abs(f), 0.0, dtype) < 0
    for unit in 1e-30, 1e30:  # what is rounding goes by f, or by its size where it is negative
        assert gain_ratio(5 * unit, 6 * unit, unit, float) == pytest.approx(-1)
        for f in 5 * unit, -5 * unit:
            assert gain_ratio(f, f, 1e-18 * unit, float) == pytest.approx(1, rel=1e-3)
            assert gain_ratio(f, f, 1e-18 * unit, float) == gain_ratio(abs(f), abs(f), 1e-18 * unit, float)


def test_at_a_point_that_is_remembered_nobody_can_write_another():
    """Whatever is asked first: an answer would be that of numbers which are no longer there."""
    for ask in "value", "gradient", "value_and_gradient", "hessian":
        _, loss = next(remembering(Rosenbrock().losses()))
        theta = np.array([1.5, 2.0])
        getattr(loss, ask)(theta)
        with pytest.raises(ValueError, match="read-only"):
            theta[0] = 7


def test_remembering_asks_nothing_twice_at_the_last_two_points():
    counted, (a, b, c) = Counted(Rosenbrock()), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    losses = remembering(counted.losses())
    _, loss = next(losses)
    f, g = loss.value_and_gradient(a)
    _, loss = next(losses)
    assert f == counted.problem.value(a) and loss.value(a.copy()) == f and loss.gradient(a) is g
    assert loss.hessian(a) is loss.hessian(a)
    assert loss.value(b) == loss.value_and_gradient(b)[0] == counted.problem.value(b) and loss.gradient(a) is g
    assert counted.values == 2 and counted.gradients == 2
    assert loss.value(c) != loss.value(b)
    assert counted.values == 4, "c took the place of b, and a was asked about later than b"


def test_what_is_remembered_of_one_mini_batch_is_not_the_answer_of_the_next():
    batches = EmpiricalRisk(NETWORK, RISK.X, RISK.Y, batch_size=10, seed=0)
    for (t, loss), _ in zip(remembering(batches.losses()), range(3)):
        assert loss.value(WEIGHTS) == batches.loss(t).value(WEIGHTS)
        assert_array_equal(loss.gradient(WEIGHTS), batches.loss(t).gradient(WEIGHTS))


def test_a_problem_without_the_answer_says_so_through_the_memory_too():
    class Bare(Objective):
        """Answers nothing."""

    _, loss = next(remembering(Bare().losses()))
    assert not hasattr(loss, "residuals")
    with pytest.raises(NotImplementedError, match="has no value"):
        loss.value(START)


def test_on_a_loss_without_a_bottom_a_line_search_ends_as_a_run_that_diverged():
    """f = x² − exp y falls without end: at some step it is no longer finite, and that is said."""
    slide = Function(lambda x: x[0]**2 - np.exp(x[1]), jac=lambda x: np.array([2 * x[0], -np.exp(x[1])]),
                     hess=lambda x: np.diag([2.0, -np.exp(x[1])]))
    found = record(newton_cg(slide, [1.0, 600.0]), steps=500, objective=slide)
    assert found.reason == "diverged" and "step" in found.stopped and np.isfinite(found["value"]).all()


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("numopt.linalg.spectra::solution", "the factors are those of a square", "cho_factor(H, ", "cho_factor(H.T @ H, ",
     "test_on_a_quadratic_newton_arrives_in_one_step_from_anywhere"),
    ("newton", "multiplied by H, not divided",
     "solved(H, g)",
     "H @ g",
     "test_the_number_of_right_digits_doubles_at_every_step"),
    ("newton", "it climbs where the curvature is positive",
     "theta - solved(H, g)",
     "theta + solved(H, g)",
     "test_on_a_quadratic_newton_arrives_in_one_step_from_anywhere"),
    ("damped_newton", "the sign of the curvature is kept: saddles attract",
     "np.abs(lam) + damping",
     "lam + damping",
     "test_along_negative_curvature_damped_newton_steps_as_far_as_newton_the_other_way"),
    ("damped_newton", "the whole step, whatever f says",
     "theta + alpha * p",
     "theta + p",
     "test_damped_newton_halves_its_step_until_f_falls_and_ends_where_no_step_is_left"),
    ("trust_region", "the half is missing in the promised fall",
     "slope(B @ p, p) / 2",
     "slope(B @ p, p)",
     "test_the_radius_grows_only_if_it_was_in_the_way_and_never_beyond_the_most"),
    ("trust_region", "the radius grows wherever the model is right",
     "rho > 3 / 4 and norm(p) > 0.999 * radius",
     "rho > 3 / 4",
     "test_the_radius_doubles_while_the_model_is_right_and_the_step_ends_on_it"),
    ("trust_region", "every step is taken",
     "if rho > eta:",
     "if True:",
     "test_the_radius_shrinks_to_a_quarter_and_theta_stays_where_the_model_was_wrong"),
    ("trust_region", "the radius shrinks where the model is right",
     "if rho < 1 / 4:",
     "if rho > 1 / 4:",
     "test_the_radius_is_quartered_where_the_model_fails_and_doubled_where_it_is_right"),
    ("newton_cg", "exact products, though differences were asked for",
     "differences(loss, theta, g) if curvature == \"differences\" else getattr(loss, curvature)(theta)",
     "loss.hessian(theta)",
     "test_differences_need_no_hessian_and_no_products"),
    ("inexact_newton", "negative curvature at once: no direction at all",
     "return p if p.any() else inner(r, d) / -curvature * d if curvature < 0 else unit(d)",
     "return p",
     "test_a_first_direction_of_negative_curvature_gives_the_negative_gradient"),
    ("inexact_newton", "the equation is always solved to the end",
     "if norm(r) <= enough:",
     "if norm(r) == 0:",
     "test_the_equation_is_solved_more_exactly_the_smaller_the_gradient_is"),
    ("differences", "the distance does not know the length of the direction",
     "reach(theta, d, ",
     "reach(theta, d / np.abs(d).max(), ",
     "test_a_difference_is_as_exact_far_from_the_origin_and_for_a_direction_of_any_length"),
    ("hessian_free", "more damping where the model is right",
     "damping = damping * 3 / 2\n        elif rho > 3 / 4:\n            damping = damping * 2 / 3",
     "damping = damping * 2 / 3\n        elif rho > 3 / 4:\n            damping = damping * 3 / 2",
     "test_damping_falls_to_two_thirds_where_the_model_is_right_and_rises_by_a_half_where_it_is_not"),
    ("hessian_free", "the last step is forgotten",
     "0.95 * p",
     "0 * p",
     "test_conjugate_gradients_go_on_from_nineteen_twentieths_of_the_last_step"),
    ("hessian_free", "damping falls in between, too",
     "elif rho > 3 / 4:",
     "else:",
     "test_damping_rises_below_a_quarter_of_the_promised_fall_and_falls_above_three_quarters"),
    ("preconditioner", "a sum over the examples, where the loss is a mean",
     "rows) / len(rows)",
     "rows)",
     "test_the_preconditioner_is_the_diagonal_of_the_empirical_fisher_to_the_power_of_three_quarters"),
    ("preconditioner", "the squares of the mean gradient, not the mean of the squares",
     'np.einsum("ei,ei->i", rows, rows) / len(rows)',
     "rows.mean(axis=0)**2",
     "test_the_preconditioner_is_the_diagonal_of_the_empirical_fisher_to_the_power_of_three_quarters"),
    ("lowest", "the last point, whatever f says",
     "for p in points[-2::-1]:",
     "for p in []:",
     "test_of_the_points_on_the_way_the_one_is_taken_from_which_both_neighbours_lead_up"),
    ("trust_region", "a small radius is widened when the run goes on",
     "radius if t else widest(radius, theta)", "widest(radius, theta)",
     "test_a_radius_that_has_become_very_small_is_still_so_when_the_run_goes_on"),
    ("hessian_free", "eps is not handed on",
     "eps=eps", "eps=5e-4",
     "test_hessian_free_looks_for_the_end_of_the_model_as_long_as_eps_says"),
]


# ------------------------------------------------------------------------- where they end, how fast, and at what price

@pytest.mark.parametrize("seed", [0, 1])
def test_from_starts_all_over_newton_ends_anywhere_without_a_gradient_and_the_guarded_methods_in_minima(seed):
    """Of Himmelblau's function, with four minima, four saddles and a maximum."""
    valley = Himmelblau()
    starts = np.random.default_rng(seed).uniform(*valley.box, (100, 2))

    def end(run):
        """Where it is after sixty steps, or has no gradient any more."""
        for x in islice(run, 60):
            if np.abs(valley.gradient(x)).max() < 1e-9:
                break
        assert np.linalg.norm(valley.gradient(run.theta)) < 1e-4
        return run.theta

    def ends(method):
        return np.array([(np.linalg.eigvalsh(valley.hessian(end(method(valley, start)))) > 0).sum()
                         for start in starts])

    upwards = ends(newton)
    assert np.mean(upwards < 2) > 1 / 3 and {0, 1, 2} == set(upwards.tolist())
    for method in GUARDED:
        assert (ends(method) == 2).all(), method.__name__


@pytest.mark.parametrize("valley, start", [(Rosenbrock(), [1.1, 1.15]), (Beale(), [2.8, 0.45]),
                                           (Rosenbrock(6), [1.05] * 6)], ids=["rosenbrock", "beale", "six"])
def test_near_the_minimum_newton_cg_converges_faster_than_any_share(valley, start):
    error = np.linalg.norm(path(newton_cg(valley, start), 12) - valley.minimizers[0], axis=1)
    error = error[error > 1e-13]
    shares = error[1:] / error[:-1]
    assert shares[-1] < 0.01 and error[-1] < 1e-6
    powers = np.log(error[1:]) / np.log(error[:-1])
    assert powers[-1] > 1.3
    twice = np.log(error[2:]) / np.log(error[:-2])  # a single step may only take the gradient's steep part away
    assert (twice[error[:-2] < 0.01] > 1.5).all()


def test_what_a_step_of_each_costs():
    """Values, gradients and products of five steps; a step begins with f where the last trial has left it."""
    counts = {}
    for method in (newton, damped_newton, trust_region, newton_cg, hessian_free):
        # of a network with softmax the Hessian is singular: the same number may be added to all logits
        problem, theta = (BOWL, START) if method is newton else (RISK.whole, WEIGHTS)
        counted = Counted(problem)
        run, rows = method(counted, theta), []
        for _ in range(5):
            before = dict(counted.counts)
            next(run)
            rows.append([counted.counts[name] - before[name] for name in before])
        counts[method.__name__] = np.array(rows)[1:]
    n = WEIGHTS.size
    for name, rows in counts.items():
        assert (rows[:, 1] <= 1).all() and ((rows[:, 1] == 1).all() or name == "trust_region")
    assert 0 in counts["trust_region"][:, 1], "after a step that was not taken g is known"
    assert (counts["newton"] == [0, 1, START.size]).all()
    assert (counts["damped_newton"][:, 2] == n).all() and (counts["damped_newton"][:, 0] >= 1).all()
    assert (counts["trust_region"][:, 0] == 1).all() and (counts["trust_region"][:, 2] >= 2).all()
    assert (counts["newton_cg"][:, 2] >= 1).all() and counts["newton_cg"][:, 2].max() < n
    assert (counts["hessian_free"][:, 2] > 10).all() and counts["hessian_free"][:, 0].max() < 10


@pytest.mark.parametrize("method, besides", [(trust_region, 1), (newton_cg, 0)])
def test_besides_the_products_of_conjugate_gradients_there_is_one_for_the_model(method, besides):
    counted = Counted(BOWL)
    run = method(counted, START)
    next(run)
    p = run["p"]
    alone = Counted(BOWL)
    solve = steihaug if method is trust_region else inexact_newton
    arguments = (run["g"], 1.0) if method is trust_region else (run["g"], 250)
    assert_allclose(solve(alone.hessian(START), *arguments), p)
    assert counted.products == alone.products + besides
