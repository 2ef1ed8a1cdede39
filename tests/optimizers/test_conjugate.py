"""Nonlinear conjugate gradients in tests: each says something lecture 7 says."""
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from numopt.linalg import conjugate_gradient_iterates
from numopt.line_search import Step, backtracking, exact, full_step, strong_wolfe
from numopt.networks import mlp
from numopt.optimizers import nonlinear_cg, steepest_descent
from numopt.optimizers.conjugate import FORMULAS, downhill, named
from numopt.problems import Beale, Counted, EmpiricalRisk, Function, Quadratic, Rosenbrock, quadratic_with
from numopt.record import path, record

RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
BOWL = quadratic_with([1, 2, 5, 10, 30, 100], Q, RNG.standard_normal(6))
START = RNG.standard_normal(6)
EXACT = partial(exact, tolerance=1e-12)
VALLEYS = pytest.mark.parametrize("valley", [Rosenbrock(), Rosenbrock(10), Beale()], ids=["2", "10", "beale"])


@pytest.fixture(params=FORMULAS)
def formula(request):
    return request.param


def directions(run, steps):
    """(θ, g, p) at each step."""
    for _, theta in zip(range(steps), run):
        yield theta, run["g"], run["p"]


def test_on_a_quadratic_with_exact_steps_every_formula_takes_the_steps_of_linear_conjugate_gradients(formula):
    linear = [START + x for x, *_ in conjugate_gradient_iterates(BOWL.A, BOWL.b - BOWL.A @ START)]
    assert_allclose(path(nonlinear_cg(BOWL, START, formula=formula, search=EXACT), 6)[1:], linear[:6], atol=1e-8)


def test_a_quadratic_of_six_parameters_takes_six_steps_and_steepest_descent_takes_hundreds(formula):
    end = path(nonlinear_cg(BOWL, START, formula=formula, search=EXACT), 6)[-1]
    assert_allclose(end, BOWL.minimizers[0], atol=1e-8)
    assert np.linalg.norm(path(steepest_descent(BOWL, START), 100)[-1] - BOWL.minimizers[0]) > 1e-4


def test_as_many_steps_are_enough_as_there_are_different_curvatures(formula):
    three = quadratic_with([1, 1, 1, 7, 7, 40], Q, BOWL.b)
    end = path(nonlinear_cg(three, START, formula=formula, search=EXACT), 3)[-1]
    assert_allclose(end, three.minimizers[0], atol=1e-8)


def test_directions_are_conjugate_and_gradients_orthogonal_but_directions_are_not_orthogonal():
    _, G, P = (np.array(rows) for rows in zip(*directions(nonlinear_cg(BOWL, START, search=EXACT), 6)))

    def cosines(M):
        products = M / np.sqrt(np.diag(M))
        return np.abs((products.T / np.sqrt(np.diag(M))).T - np.eye(6)).max()

    assert cosines(P @ BOWL.A @ P.T) < 1e-7
    assert cosines(G @ G.T) < 1e-7
    assert cosines(P @ P.T) > 0.1, "Kashyap calls conjugate directions orthogonal"


def test_with_the_printed_sign_of_the_gradient_the_direction_leads_uphill():
    def anywhere(loss, theta, p, f, g, alpha):
        return Step(1e-4, None, None)

    for search in anywhere, strong_wolfe:
        run = nonlinear_cg(Rosenbrock(), Rosenbrock().start, search=search, overlap=1e9 if search is anywhere else 0.1)
        slopes, printed = [], []
        for _, g, p in directions(run, 15):
            slopes.append(g @ p)
            printed.append(g @ (p + 2 * g))  # +∇J + βp for −∇J + βp
        assert max(slopes) < 0 < min(printed)


def test_beta_of_zero_at_every_step_is_steepest_descent():
    always = nonlinear_cg(BOWL, START, overlap=0.0, search=exact)
    assert_allclose(path(always, 20), path(steepest_descent(BOWL, START), 20), atol=1e-6)


def test_the_formulas_by_hand():
    g, g_last, p = np.array([1.0, 2.0]), np.array([2.0, -1.0]), np.array([-2.0, 0.0])
    # gᵀg = 5, g₀ᵀg₀ = 5, gᵀ(g − g₀) = 5, pᵀ(g − g₀) = 2
    assert {name: beta(g, g_last, p) for name, beta in FORMULAS.items()} == {
        "fletcher_reeves": 1, "polak_ribiere": 1, "polak_ribiere_plus": 1, "hestenes_stiefel": 2.5}
    # gᵀg₀ = 8 is more than gᵀg = 4: the step was too short to tell anything, and the plus starts afresh
    g, g_last = np.array([2.0, 0.0]), np.array([4.0, 1.0])
    assert FORMULAS["polak_ribiere"](g, g_last, p) == -4 / 17 and FORMULAS["polak_ribiere_plus"](g, g_last, p) == 0


def test_the_formulas_know_how_far_a_gradient_fell_whose_square_is_no_number():
    g, g_last, p = np.array([1e10, 0.0]), np.array([1e160, 0.0]), np.array([-1e160, 0.0])
    for name, beta in {"fletcher_reeves": 1e-300, "polak_ribiere": -1e-150, "hestenes_stiefel": -1e-150}.items():
        assert_allclose(named(name)(g, g_last, p), beta)


def test_where_the_gradients_are_not_orthogonal_hestenes_and_stiefel_count_only_the_change():
    g, g_last, p = np.array([2.0, 0.0]), np.array([4.0, 1.0]), np.array([-2.0, 0.0])
    # gᵀ(g − g₀) = −4 and pᵀ(g − g₀) = 4
    assert FORMULAS["hestenes_stiefel"](g, g_last, p) == -1 and FORMULAS["fletcher_reeves"](g, g_last, p) == 4 / 17


def test_a_direction_that_is_level_or_leads_up_gives_way_to_the_gradient():
    g = np.array([1.0, 2.0])
    for p, taken in ([-1.0, 0.0], [-1, 0]), ([2.0, -1.0], -g), ([1.0, 1.0], -g):
        assert_array_equal(downhill(np.array(p), g), taken)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("size", [1e-35, 1e-25, 1.0, 1e25, 1e36])
def test_beta_does_not_depend_on_units_that_single_precision_has_no_squares_of(formula, size):
    g, g_last, p = np.random.default_rng(0).standard_normal((3, 5))
    scaled = [(size * v).astype(np.float32) for v in (g, g_last, p)]
    assert_allclose(named(formula)(*scaled), FORMULAS[formula](g, g_last, p), rtol=1e-4)


def test_where_it_starts_afresh_does_not_depend_on_the_units_of_the_loss():
    valley = Rosenbrock(4)
    paths = [path(nonlinear_cg(Function(lambda x: unit * valley.value(x), lambda x: unit * valley.gradient(x)),
                               valley.start, search=EXACT), 12) for unit in (1e-3, 1, 1e3)]
    assert_allclose(paths[0], paths[1], rtol=1e-5)
    assert_allclose(paths[2], paths[1], rtol=1e-5)


def test_the_first_trial_of_a_step_is_to_change_f_to_first_order_as_much_as_the_last_step_did():
    valley, tried = Rosenbrock(4), []

    def search(loss, theta, p, f, g, alpha):
        step = strong_wolfe(loss, theta, p, f, g, alpha=alpha, c2=0.1)
        tried.append((alpha * (g @ p), step.alpha * (g @ p), alpha * np.linalg.norm(p)))
        return step

    path(nonlinear_cg(valley, valley.start, search=search), 10)
    first, found, length = np.array(tried).T
    assert_allclose(first[1:], found[:-1])
    assert_allclose(length[0], 1)
    tried.clear()
    path(nonlinear_cg(BOWL, BOWL.minimizers[0] + 1e-6 * START, search=search), 1)
    assert_allclose(tried[0][2], 1)  # however short the gradient is: f may be in any units


def test_a_direction_that_leads_uphill_is_not_taken():
    g = BOWL.gradient(START)
    uphill = {"t": 1, "p": 100 * g, "g_last": g, "fall": -1.0}
    run = nonlinear_cg(BOWL, START, formula="fletcher_reeves", overlap=1e9, **uphill,
                       search=lambda loss, theta, p, f, g, alpha: full_step(loss, theta, p))
    next(run)
    assert_array_equal(run["p"], -g)


def test_after_a_direction_without_a_lower_point_it_tries_the_gradient_and_only_then_ends():
    asked = []

    def search(loss, theta, p, f, g, alpha):
        asked.append(np.array_equal(p, -g))
        return exact(loss, theta, p, f, g) if len(asked) != 2 else exact(loss, theta, 0 * p, f, g)

    run = nonlinear_cg(BOWL, START, search=search)
    x = path(run, 3)
    assert asked == [True, False, True]
    assert_array_equal(x[2], x[1])
    assert BOWL.value(x[3]) < BOWL.value(x[2])


def test_it_starts_afresh_every_n_steps_and_where_gradients_are_far_from_orthogonal():
    run = nonlinear_cg(Rosenbrock(3), [-1.2, 1.0, 1.0], overlap=0.1)
    afresh, last = [], None
    for t, (_, g, p) in enumerate(directions(run, 40), 1):
        afresh.append(np.array_equal(p, -g))
        if t % 3 == 1 or abs(g @ last) >= 0.1 * (g @ g):
            assert afresh[-1], t
        last = g
    assert 40 / 3 < sum(afresh) < 40
    never = nonlinear_cg(Rosenbrock(3), [-1.2, 1.0, 1.0], overlap=1e9)
    assert sum(np.array_equal(p, -g) for _, g, p in directions(never, 40)) <= 14 + 3


@pytest.mark.parametrize("overlap, second", [(0.5, [-1.0, -0.5]), (0.51, [-2.0, -0.5])])
def test_gradients_that_overlap_by_exactly_so_much_are_far_from_orthogonal(overlap, second):
    # g₀ = (½, 0) and g = (½, ½): gᵀg₀ = ½ gᵀg, and the β of Fletcher and Reeves is 2
    slope = Function(lambda x: 0.0, lambda x: np.array([0.5, 0.5 * (x[0] != 0)]))
    run = nonlinear_cg(slope, [0.0, 0.0], formula="fletcher_reeves", overlap=overlap,
                       search=lambda loss, theta, p, f, g, alpha: Step(1.0, f, g))
    assert_array_equal(path(run, 2)[1:], [[-0.5, 0], second])


def test_the_steps_meet_the_strong_wolfe_conditions_with_a_tenth_of_the_slope():
    valley = Rosenbrock(4)
    run, x = nonlinear_cg(valley, valley.start), valley.start
    for theta, g, p in directions(run, 30):
        s, slope = theta - x, g @ p
        assert valley.value(theta) <= valley.value(x) + 1e-4 * (g @ s)
        assert abs(valley.gradient(theta) @ p) <= -0.1 * slope * (1 + 1e-6)
        x = theta


@VALLEYS
def test_it_finds_what_scipys_finds_and_asks_no_more_than_twice_as_often(valley, formula):
    answer = optimize.minimize(valley.value, valley.start, jac=valley.gradient, method="CG", options={"gtol": 1e-6})
    counted = Counted(valley)
    run = nonlinear_cg(counted, valley.start, formula=formula)
    assert record(run, steps=500, objective=valley, gradient=1e-6).reason == "gradient"
    assert_allclose(run.theta, valley.minimizers[0], atol=1e-5)
    assert_allclose(answer.x, valley.minimizers[0], atol=1e-4)
    assert counted.gradients == counted.values <= 2 * answer.nfev


def test_it_fits_a_network_as_far_down_as_scipys():
    network, X = mlp([3, 4, 2]), RNG.standard_normal((40, 3))
    whole = EmpiricalRisk(network, X, (X[:, 0] * X[:, 1] > 0).astype(int), seed=0).whole
    w = network.initial(seed=1)
    answer = optimize.minimize(whole.value, w, jac=whole.gradient, method="CG", options={"maxiter": 60})
    assert whole.value(path(nonlinear_cg(whole, w), 60)[-1]) < answer.fun + 0.05 < whole.value(w) - 0.3


def test_a_function_without_a_gradient_will_do():
    bare = Function(Rosenbrock().value)
    assert_allclose(path(nonlinear_cg(bare, [-1.2, 1.0]), 60)[-1], [1, 1], atol=1e-6)


def test_backtracking_gives_steps_that_lead_down_too():
    valley = Rosenbrock()
    values = [valley.value(x) for x in path(nonlinear_cg(valley, valley.start, search=backtracking), 300)]
    assert np.all(np.diff(values) < 0)


def test_it_ends_where_no_step_leads_down():
    assert len(path(nonlinear_cg(Quadratic(np.eye(2)), [0.0, 0.0]), 5)) == 1
    run = nonlinear_cg(BOWL, START)
    assert record(run, steps=500).reason == "finished"
    assert_allclose(run.theta, BOWL.minimizers[0], atol=1e-6)


def test_an_unknown_formula_is_refused():
    with pytest.raises(ValueError, match="formula is 'dai_yuan'; it must be 'fletcher_reeves', 'polak_ribiere', "):
        next(nonlinear_cg(BOWL, START, formula="dai_yuan"))


def test_single_precision_stays_single_and_ends():
    x = path(nonlinear_cg(Rosenbrock(), np.array([-1.2, 1.0], np.float32)), 200)
    assert x.dtype == np.float32
    assert_allclose(x[-1], [1, 1], atol=1e-2)
    assert_array_equal(np.isfinite(x), True)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("nonlinear_cg", "† +g + beta p, which leads uphill",
     "downhill(-g + beta(g, g_last, p) * p, g)",
     "g + beta(g, g_last, p) * p",
     "test_with_the_printed_sign_of_the_gradient_the_direction_leads_uphill"),
    ("nonlinear_cg", "† beta is set to zero at each step: steepest descent",
     "p = -g if fresh",
     "p = -g if True",
     "test_directions_are_conjugate_and_gradients_orthogonal_but_directions_are_not_orthogonal"),
    ("nonlinear_cg", "it never starts afresh",
     "(t - 1) % theta.size == 0 or abs(slope(g, g_last)) >= overlap * slope(g, g)",
     "t == 1",
     "test_it_starts_afresh_every_n_steps_and_where_gradients_are_far_from_orthogonal"),
    ("nonlinear_cg", "how far gradients may be from orthogonal depends on the units of the loss",
     "overlap * slope(g, g)",
     "overlap",
     "test_where_it_starts_afresh_does_not_depend_on_the_units_of_the_loss"),
    ("nonlinear_cg", "the gradient of the step before the last",
     "g_last, fall = g, alpha * slope(g, p)",
     "g_last, fall = g if g_last is None else g_last, alpha * slope(g, p)",
     "test_directions_are_conjugate_and_gradients_orthogonal_but_directions_are_not_orthogonal"),
    ("nonlinear_cg", "the next first trial forgets how far the last step went",
     "alpha * slope(g, p)",
     "slope(g, p)",
     "test_the_first_trial_of_a_step_is_to_change_f_to_first_order_as_much_as_the_last_step_did"),
    ("downhill", "whatever comes out is followed, uphill too",
     "p if slope(g, p) < 0 else -g",
     "p",
     "test_a_direction_that_leads_uphill_is_not_taken"),
    ("FORMULAS.fletcher_reeves", "upside down",
     "(g @ g) / (g_last @ g_last)",
     "(g_last @ g_last) / (g @ g)",
     "test_where_the_gradients_are_not_orthogonal_hestenes_and_stiefel_count_only_the_change"),
    ("FORMULAS.polak_ribiere_plus", "the plus is missing",
     "max(g @ (g - g_last) / (g_last @ g_last), 0)",
     "g @ (g - g_last) / (g_last @ g_last)",
     "test_the_formulas_by_hand"),
    ("FORMULAS.hestenes_stiefel", "divided as Polak and Ribiere do",
     "(p @ (g - g_last))",
     "(g_last @ g_last)",
     "test_the_formulas_by_hand"),
]


# ------------------------------------------------------------------- what the lecture derives, and what a step costs

@pytest.mark.parametrize("seed", range(3))
def test_the_points_of_conjugate_gradients_go_down_and_away_from_the_start(seed):
    b = np.random.default_rng(seed).standard_normal(6)
    points = np.array([np.zeros(6), *(x for x, *_ in conjugate_gradient_iterates(BOWL.A, b))][:7])
    energy = [x @ BOWL.A @ x / 2 - b @ x for x in points]
    assert np.all(np.diff(energy) < 0) and np.all(np.diff(np.linalg.norm(points, axis=1)) > 0)
    steps = np.diff(points, axis=0)
    assert np.all(steps @ steps.T > 0)


@pytest.mark.parametrize("alone", [[], [1e3], [1e3, 1e5], [50.0, 1e3, 1e4]])
def test_each_eigenvalue_that_stands_alone_costs_one_step_however_large_it_is_until_rounding_brings_it_back(alone):
    """The energy is at most that of the best polynomial for the heap, as many steps later."""
    lam = np.concatenate([np.linspace(1, 4, 30), alone])
    iterates = islice(conjugate_gradient_iterates(np.diag(lam), lam), 25)
    error = np.array([np.ones_like(lam), *(1 - x for x, *_ in iterates)])
    energy, steps = np.sqrt(np.sum(lam * error**2, axis=1)), np.arange(26)
    bound = 2 * (1 / 3)**(steps - len(alone)) * energy[0]
    assert np.all((energy <= bound)[len(alone):9])
    whole = (np.sqrt(lam.max()) - 1) / (np.sqrt(lam.max()) + 1)
    assert not alone or energy[8] < 0.1 * 2 * whole**8 * energy[0]
    assert bool(alone) != np.all((energy <= bound)[:18]), "rounding"


@pytest.mark.parametrize("name", ["fletcher_reeves", "polak_ribiere", "hestenes_stiefel"])
def test_after_an_exact_step_the_cosine_is_the_quotient_of_the_lengths(name):
    valley = Rosenbrock(5)
    run = nonlinear_cg(valley, valley.start, formula=name, overlap=1e9, search=EXACT)
    for _, g, p in directions(run, 12):
        cosine = -g @ p / np.linalg.norm(g) / np.linalg.norm(p)
        assert_allclose(cosine, np.linalg.norm(g) / np.linalg.norm(p), rtol=1e-5)


def test_hestenes_and_stiefel_keep_their_directions_conjugate_however_rough_the_search():
    """pᵀ(g − g₀) = 0 with backtracking, where the others have anything; unless it starts afresh."""
    worst = {}
    for name in ("hestenes_stiefel", "fletcher_reeves", "polak_ribiere"):
        run = nonlinear_cg(Rosenbrock(6), Rosenbrock(6).start, formula=name, overlap=1e9, search=backtracking)
        cosines, last = [], None
        for _, g, p in directions(run, 30):
            if last is not None and not np.array_equal(p, -g):
                y = g - last
                cosines.append(abs(p @ y) / np.linalg.norm(p) / np.linalg.norm(y))
            last = g
        worst[name] = max(cosines)
    assert worst["hestenes_stiefel"] < 1e-9 and min(worst["fletcher_reeves"], worst["polak_ribiere"]) > 0.1


def test_what_a_step_costs():
    network, X = mlp([3, 4, 2]), RNG.standard_normal((40, 3))
    counted = Counted(EmpiricalRisk(network, X, (X[:, 0] * X[:, 1] > 0).astype(int), seed=0).whole)
    run, trials = nonlinear_cg(counted, network.initial(seed=1)), []
    next(run)
    for _ in range(20):
        before = counted.gradients
        next(run)
        trials.append(counted.gradients - before)
    assert counted.gradients == counted.values and counted.products == 0
    assert min(trials) == 1 and 2 <= np.mean(trials) <= 3 and max(trials) <= 4
