"""Gauss-Newton and Levenberg-Marquardt in tests: each says something lecture 6 says."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from numopt.line_search import full_step
from numopt.networks import SquaredError, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import gauss_newton, gradient_descent, levenberg_marquardt, newton
from numopt.optimizers.least_squares import damped_step, is_rounding, scales, shortest
from numopt.problems import Counted, LeastSquares, MiniBatch, Rosenbrock
from numopt.record import path, record

RNG = np.random.default_rng(0)
A, Y = RNG.standard_normal((12, 4)), RNG.standard_normal(12)
LINE = LeastSquares(lambda theta: A @ theta - Y, lambda theta: A)
START = RNG.standard_normal(4)
BEST = np.linalg.lstsq(A, Y, rcond=None)[0]
VALLEY = LeastSquares(lambda x: np.sqrt(2) * np.array([10 * (x[1] - x[0]**2), 1 - x[0]]),
                      lambda x: np.sqrt(2) * np.array([[-20 * x[0], 10], [-1, 0]]))
LEVENBERG = partial(levenberg_marquardt, scaling="levenberg")
ALL = [gauss_newton, partial(gauss_newton, search=full_step), LEVENBERG, levenberg_marquardt]


# ------------------------------------------------- nonlinear regression: NIST's reference data, with certified answers

def numbers(text):
    return np.array(text.split(), float)


def saturation(x):
    return (lambda b: b[0] * -np.expm1(-b[1] * x),
            lambda b: np.stack([-np.expm1(-b[1] * x), b[0] * x * np.exp(-b[1] * x)], axis=1))


def rational(x):
    def jacobian(b):
        top, bottom = x**2 + x * b[1], x**2 + x * b[2] + b[3]
        return np.stack([top, b[0] * x, -b[0] * top * x / bottom, -b[0] * top / bottom], axis=1) / bottom[:, None]

    return lambda b: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]), jacobian


def vapour(x):
    def jacobian(b):
        e = np.exp(b[1] / (x + b[2]))
        return np.stack([e, b[0] * e / (x + b[2]), -b[0] * b[1] * e / (x + b[2])**2], axis=1)

    return lambda b: b[0] * np.exp(b[1] / (x + b[2])), jacobian


# x, y, the far start, the near start, the certified parameters, and the certified sum of squares
NIST = {
    "Misra1a": (saturation, "77.6 114.9 141.1 190.8 239.9 289.0 332.8 378.4 434.8 477.3 536.8 593.1 689.1 760.0",
                "10.07 14.73 17.94 23.93 29.61 35.18 40.02 44.82 50.76 55.05 61.01 66.40 75.47 81.78",
                "500 0.0001", "250 0.0005", "2.3894212918E+02 5.5015643181E-04", 1.2455138894E-01),
    "BoxBOD": (saturation, "1 2 3 5 7 10", "109 149 149 191 213 224",
               "1 1", "100 0.75", "2.1380940889E+02 5.4723748542E-01", 1.1680088766E+03),
    "MGH09": (rational, "4 2 1 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625",
              ".1957 .1947 .1735 .1600 .0844 .0627 .0456 .0342 .0323 .0235 .0246",
              "25 39 41.5 39", "0.25 0.39 0.415 0.39",
              "1.9280693458E-01 1.9128232873E-01 1.2305650693E-01 1.3606233068E-01", 3.0750560385E-04),
    "MGH10": (vapour, "50 55 60 65 70 75 80 85 90 95 100 105 110 115 120 125",
              "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872",
              "2 400000 25000", "0.02 4000 250",
              "5.6096364710E-03 6.1813463463E+03 3.4522363462E+02", 8.7945855171E+01),
}


def regression(name):
    """The problem, its two starts, and the certified answer."""
    model, x, y, far, near, certified, squares = NIST[name]
    (f, jacobian), y, certified = model(numbers(x)), numbers(y), numbers(certified)
    problem = LeastSquares(lambda b: f(b) - y, jacobian, size=len(certified))
    assert_allclose(2 * problem.value(certified), squares, rtol=1e-9)
    return problem, numbers(far), numbers(near), certified


@pytest.mark.parametrize("name, start, scaling", [
    ("Misra1a", "far", "marquardt"), ("Misra1a", "far", "levenberg"), ("Misra1a", "near", "marquardt"),
    ("BoxBOD", "far", "levenberg"), ("BoxBOD", "near", "marquardt"),
    ("MGH09", "far", "marquardt"), ("MGH09", "far", "levenberg"), ("MGH09", "near", "marquardt"),
    ("MGH10", "near", "marquardt"), ("MGH10", "near", "levenberg")])
def test_levenberg_marquardt_finds_the_certified_parameters(name, start, scaling):
    problem, far, near, certified = regression(name)
    run = levenberg_marquardt(problem, far if start == "far" else near, scaling=scaling)
    assert record(run, steps=300).reason == "finished"
    assert_allclose(run.theta, certified, rtol=1e-7)


def test_far_from_the_answer_gauss_newton_without_a_search_is_lost():
    problem, far, near, certified = regression("MGH09")
    end = path(gauss_newton(problem, far, search=full_step), 100)[-1]
    assert not np.allclose(end, certified, rtol=1)


@pytest.mark.parametrize("name", ["Misra1a", "MGH09", "MGH10"])
def test_levenberg_marquardt_asks_little_more_often_than_minpack(name):
    """At most twice as often, to 7 digits, from the near start: of more, on MGH09, rounding in f decides."""
    problem, far, near, certified = regression(name)
    theirs = optimize.least_squares(problem.residuals, near, problem.jacobian, method="lm", x_scale="jac", xtol=1e-9,
                                    ftol=1e-15, gtol=1e-15)
    assert_allclose(theirs.x, certified, rtol=1e-5)
    counted = Counted(problem)
    for theta in levenberg_marquardt(counted, near, tau=1e-6):
        if np.allclose(theta, certified, rtol=1e-7, atol=0):
            break
    assert_allclose(theta, certified, rtol=1e-7)
    assert counted.values <= 2 * theirs.nfev


# --------------------------------------------------------------------------------------------------- gauss_newton

@pytest.mark.parametrize("search", [full_step, None])
def test_on_linear_residuals_gauss_newton_is_newton_and_arrives_in_one_step(search):
    run = gauss_newton(LINE, START, **({"search": search} if search else {}))
    assert_allclose(path(run, 1), path(newton(LINE, START), 1))
    assert_allclose(run.theta, BEST)


def test_a_step_is_minus_the_inverse_of_the_square_of_the_jacobian_times_the_gradient():
    x = np.array([-1.2, 1.0])
    J, g = VALLEY.jacobian(x), VALLEY.gradient(x)
    step = np.subtract(path(gauss_newton(VALLEY, x, search=full_step), 1)[1], x)
    assert_allclose(step, -np.linalg.solve(J.T @ J, g))
    printed = -step
    assert g @ step < 0 < g @ printed, "without the minus sign, as Kashyap prints it, the step leads uphill"
    assert VALLEY.value(x + 1e-3 * printed) > VALLEY.value(x) > VALLEY.value(x + 1e-3 * step)


def test_rosenbrocks_valley_is_a_sum_of_squares_that_gauss_newton_solves_in_two_steps():
    # r₂ = 1 − x is linear: the first step makes it zero, and the second r₁ = 10 (y − x²), which is linear in y
    x = path(gauss_newton(VALLEY, [-1.2, 1.0], search=full_step), 2)
    assert_allclose(x[1, 0], 1)
    assert_allclose(x[2], [1, 1])
    assert_allclose(VALLEY.value(START[:2]), Rosenbrock().value(START[:2]))


def test_where_the_jacobian_has_too_few_independent_columns_the_shortest_step_is_taken():
    twice = LeastSquares(lambda theta: A[:, 0] * (theta[0] + theta[1]) - Y,
                         lambda theta: np.stack([A[:, 0], A[:, 0]], axis=1))
    best = A[:, 0] @ Y / (A[:, 0] @ A[:, 0])
    assert_allclose(path(gauss_newton(twice, [0.0, 0.0]), 1)[-1], [best / 2, best / 2])


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_one_number_of_a_jacobian_that_is_not_finite_is_enough(row, wrong):
    J = np.eye(3, 2)
    J[row, 1] = wrong
    with pytest.raises(Diverged, match="the Jacobian is not finite here"):
        next(gauss_newton(LeastSquares(lambda theta: np.ones(3), lambda theta: J), [1.0, 2.0]))


def test_the_shortest_step_is_so_in_the_units_of_the_parameters():
    J, r = np.column_stack([A[:, 0], 5 * A[:, 0], A[:, 1]]), Y
    assert_allclose(shortest(J, r), np.linalg.pinv(J) @ r)
    J = J + 0.01 * np.random.default_rng(0).standard_normal(J.shape)
    assert_allclose(shortest(J, r), np.linalg.pinv(J) @ r)


def test_where_residuals_stay_large_gauss_newton_is_slower_than_newton():
    """By the sum Σ rᵢ ∇²rᵢ that it leaves out: at every step the error is multiplied by −Σ rᵢ ∇²rᵢ / JᵀJ."""
    far = LeastSquares(lambda x: np.array([x[0] - 1, x[0]**2 + 0.2]), lambda x: np.array([[1.0], [2 * x[0]]]),
                       lambda x: np.array([[[0.0]], [[2.0]]]))
    minimum = path(newton(far, [0.5]), 10)[-1]
    assert_allclose(far.gradient(minimum), 0, atol=1e-14)
    error = path(gauss_newton(far, [0.5], search=full_step), 12)[:, 0] - minimum
    (_, r), J = far.residuals(minimum), far.jacobian(minimum)
    assert_allclose(error[-1] / error[-2], -2 * r / (J.T @ J).item(), rtol=1e-2)
    assert abs(error[5]) > 1e-4 > 1e-12 > abs(path(newton(far, [0.5]), 5)[-1] - minimum)


def test_the_search_is_told_the_value_and_the_gradient_of_half_the_sum_of_squares():
    told = []

    def search(loss, theta, p, f, g):
        told.append((f, *g))
        return full_step(loss, theta, p)

    x = path(gauss_newton(VALLEY, [-1.2, 1.0], search=search), 2)
    assert_allclose(told, [(Rosenbrock().value(theta), *Rosenbrock().gradient(theta)) for theta in x[:2]], atol=1e-12)


# -------------------------------------------------------------------------------------------- levenberg_marquardt

def test_a_damped_step_solves_the_damped_normal_equations():
    r, D, mu = LINE.residuals(START), np.array([1.0, 10.0, 0.1, 3.0]), 0.7
    assert_allclose(damped_step(r, A, D, mu), -np.linalg.solve(A.T @ A + mu * np.diag(D**2), A.T @ r))


def test_without_damping_the_step_is_that_of_gauss_newton():
    assert_allclose(path(LEVENBERG(VALLEY, [0.9, 0.8], mu=1e-14), 1),
                    path(gauss_newton(VALLEY, [0.9, 0.8], search=full_step), 1), rtol=1e-6)


def test_with_much_damping_the_step_is_that_of_gradient_descent_with_the_rate_one_over_mu():
    descent = gradient_descent(VALLEY, START[:2], lr=1e-8)
    assert_allclose(path(LEVENBERG(VALLEY, START[:2], mu=1e8), 1), path(descent, 1), rtol=1e-8)
    step = np.diff(path(levenberg_marquardt(VALLEY, START[:2], mu=1e8), 1), axis=0)[0]
    J = VALLEY.jacobian(START[:2])
    assert_allclose(step, -1e-8 * J.T @ VALLEY.residuals(START[:2]) / (J**2).sum(axis=0), rtol=1e-5)


def in_other_units(problem, units):
    return LeastSquares(lambda theta: problem.residuals(theta / units),
                        lambda theta: problem.jacobian(theta / units) / units)


def test_marquardts_scaling_does_not_care_about_units_and_levenbergs_does():
    problem, far, near, _ = regression("MGH09")
    units = np.array([1e3, 1e-3, 1e6, 1.0])
    scaled = in_other_units(problem, units)
    for method, the_same in ((levenberg_marquardt, True), (LEVENBERG, False)):
        ours, theirs = path(method(problem, near), 20), path(method(scaled, near * units), 20) / units
        assert np.allclose(ours, theirs, rtol=1e-5 if the_same else 0.1) is the_same


def test_damping_falls_to_a_third_where_the_model_is_exact_and_grows_faster_and_faster_where_it_fails():
    run = LEVENBERG(LINE, START, mu=6.0)
    assert_allclose([run["mu"] for _ in zip(range(3), run)], [2, 2 / 3, 2 / 9])
    wall = LeastSquares(lambda x: np.array([1.0 if x[0] == 0 else 9.0]), lambda x: np.array([[1.0]]))
    run = LEVENBERG(wall, [0.0], mu=1.0)
    x = path(run, 4)
    assert_array_equal(x, np.zeros((5, 1)))
    assert run["mu"] == 2 * 4 * 8 * 16 and run["nu"] == 32


def test_a_step_is_taken_for_the_least_gain_and_damping_grows_with_what_was_missing():
    """From r = 1 with μ = 1 the step is −½ and ⅜ is promised: hardly any of it comes true, or less than none."""
    for gain in 1e-6, -1e-6:
        shelf = LeastSquares(lambda x: np.array([1.0 if x[0] > 0.9 else np.sqrt(1 - gain)]), lambda x: np.eye(1))
        run, rho = LEVENBERG(shelf, [1.0], mu=1.0), gain / 2 / (3 / 8)
        assert_allclose(next(run), 0.5 if gain > 0 else 1)
        assert_allclose(run["mu"], 1 - (2 * rho - 1)**3 if gain > 0 else 2, rtol=1e-9)


def test_after_a_step_that_is_taken_damping_would_again_be_doubled_at_first():
    run = LEVENBERG(LINE, START, mu=6.0, nu=64.0)
    next(run)
    assert run["nu"] == 2


def test_the_scale_of_a_parameter_is_the_largest_length_that_its_column_has_had():
    # e^x − 1 from 2: the column of J, e^x, is longest where it starts
    steep = LeastSquares(lambda x: np.exp(x) - 1, lambda x: np.diag(np.exp(x)))
    run = levenberg_marquardt(steep, [2.0])
    assert path(run, 8)[-1] < 0.1
    assert_allclose(run["D"], np.exp(2))
    run = levenberg_marquardt(steep, [-1.0], mu=1e-9)
    x = path(run, 3)[:-1]
    assert_allclose(run["D"], np.exp(x.max()))
    J = np.array([[3.0, 0, 0], [4, 0, 2]])  # one had a length and has none now, one has none yet
    assert_allclose(scales(0 * J + 0.1, scales(J, 0.0, "marquardt"), "marquardt"), [5, 1, 2])
    assert_allclose(scales(0 * J, np.array([0.1, 7, 0]), "marquardt"), [0.1, 7, 1])


def test_the_first_damping_is_tau_times_the_largest_diagonal_entry():
    largest = (VALLEY.jacobian(START[:2])**2).sum(axis=0).max()
    for tau in (1e-6, 1e-3, 1.0):
        one = path(LEVENBERG(VALLEY, START[:2], tau=tau), 1)
        assert_allclose(one, path(LEVENBERG(VALLEY, START[:2], mu=tau * largest), 1), rtol=1e-12)


def test_it_ends_when_no_step_is_left_and_stays_where_it_starts_at_the_answer():
    for method in ALL[2:]:
        assert len(path(method(VALLEY, [1.0, 1.0]), 5)) == 1
        assert record(method(LINE, START), steps=200).reason == "finished"
    assert len(path(gauss_newton(VALLEY, [1.0, 1.0]), 5)) == 1


@pytest.mark.parametrize("scaling", ["levenberg", "marquardt"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_ends_at_the_answer_whatever_the_rounding_and_the_units(scaling, dtype):
    """Where it waited for a step that changes no digit it went on for ever, from some of these starts."""
    for seed in range(12):
        random = np.random.default_rng(seed)
        n = int(random.integers(1, 7))
        units = 1 if seed % 2 else 10.0**random.integers(-4, 5, n)
        B = (random.standard_normal((n + int(random.integers(0, 8)), n)) * units).astype(dtype)
        y = (random.standard_normal(len(B)) * (seed % 3 > 0)).astype(dtype)  # every third is fitted exactly
        run = levenberg_marquardt(LeastSquares(lambda theta: B @ theta - y, lambda theta: B),
                                  (random.standard_normal(n) / units).astype(dtype), scaling=scaling)
        start = np.linalg.norm(B @ run.theta - y)
        assert record(run, steps=300).reason == "finished"
        if scaling == "marquardt" or seed % 2:  # with D = I units make the path long
            best = B / units @ np.linalg.lstsq(B / units, y, rcond=None)[0]
            assert_allclose(B @ run.theta, best, rtol=0, atol=1e3 * np.finfo(dtype).eps * start)


def test_a_step_is_rounding_only_where_it_is_in_every_parameter_that_counts():
    J, r, theta = np.diag([1e6, 1.0, 0]), np.array([0.0, 1, 1]), np.array([1.0, 2, 1e20])
    assert is_rounding(np.array([1e-16, 1e-16, 0]), theta, r, J)
    assert not is_rounding(np.array([1e-14, 0, 0]), theta, r, J)  # although the second alone could be as far away
    assert not is_rounding(np.array([1e-16, 1e-8, 0]), theta, r, J)
    assert is_rounding(np.zeros(3), 0 * theta, 0 * r, J)
    assert is_rounding(np.array([0, 1e-16, 0]), 0 * theta, r, np.eye(3))  # beside r, where θ is 0
    assert not is_rounding(np.array([0, 1e-200, 0]), np.array([0, 1e-200, 0]), 0 * r, np.eye(3))
    assert not is_rounding(np.array([1e-7]), np.array([1.0]), np.array([0.0]), np.eye(1))
    assert is_rounding(np.array([1e-7], np.float32), np.ones(1, np.float32), np.zeros(1, np.float32), np.eye(1))
    with np.errstate(over="ignore"):
        assert not is_rounding(np.full(1, 1e300), np.full(1, 1e300), np.ones(1), 1e300 * np.eye(1))


def test_a_trial_where_the_residuals_overflow_is_too_long_and_nothing_else():
    steep = LeastSquares(lambda x: np.exp(x) - 1, lambda x: np.diag(np.exp(x)))
    for method in (gauss_newton, LEVENBERG, levenberg_marquardt):
        assert_allclose(path(method(steep, [-8.0]), 60)[-1], [0], atol=1e-8)


def test_a_parameter_without_any_influence_stays_where_it_is():
    spare = LeastSquares(lambda x: x[:1] - 3, lambda x: np.array([[1.0, 0.0]]))
    for method in ALL:
        assert_allclose(path(method(spare, [0.0, 5.0]), 30)[-1], [3, 5], rtol=1e-6)


# --------------------------------------------------------------------------------------------------- a small network

def test_for_a_network_whose_jacobian_is_nearly_singular_damping_makes_the_difference():
    x = np.linspace(-1, 3, 30)[:, None]
    batch = MiniBatch(mlp([1, 5, 1], loss=SquaredError()), x, np.sin(2 * x))
    fit = LeastSquares(lambda w: (batch.network.outputs(w, x) - batch.Y).ravel() / 30**0.5,
                       lambda w: batch.jacobian(w).reshape(-1, w.size) / 30**0.5)
    w = batch.network.initial(seed=4)
    assert_allclose(fit.value(w), batch.value(w))
    assert_allclose(fit.gradient(w), batch.gradient(w), atol=1e-12)
    assert_allclose(fit.gauss_newton(w), batch.gauss_newton(w) @ np.eye(w.size), atol=1e-12)
    theirs = optimize.least_squares(fit.residuals, w, fit.jacobian, method="lm", max_nfev=60)
    undamped, levenberg, marquardt = (fit.value(path(method(fit, w), 60)[-1])
                                      for method in (gauss_newton, LEVENBERG, levenberg_marquardt))
    assert max(levenberg, marquardt, theirs.cost) < undamped / 100
    assert max(levenberg, marquardt) < 1e-5 * fit.value(w)


# ------------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("method", [gauss_newton, levenberg_marquardt])
def test_a_problem_without_residuals_is_refused_with_advice(method):
    with pytest.raises(NotImplementedError, match=r"residuals\(theta\).*LeastSquares.*newton_cg"):
        next(method(Rosenbrock(), [0.0, 0.0]))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="scaling is 'nielsen'; it must be 'marquardt' or 'levenberg'"):
        next(levenberg_marquardt(LINE, START, scaling="nielsen"))
    with pytest.raises(ValueError, match="tau is -1"):
        levenberg_marquardt(LINE, START, tau=-1)
    pole = LeastSquares(lambda x: np.sqrt(x), lambda x: np.diag(0.5 / np.sqrt(x)))
    with pytest.raises(Diverged, match=r"the Jacobian is not finite.*f is 0, its derivative by theta\[0\] nan"):
        next(gauss_newton(pole, [0.0]))


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("gauss_newton", "† the minus is missing: uphill",
     "-shortest(J, r)",
     "shortest(J, r)",
     "test_a_step_is_minus_the_inverse_of_the_square_of_the_jacobian_times_the_gradient"),
    ("gauss_newton", "the search is told the sum of squares, not half of it",
     "half_square(r)",
     "2 * half_square(r)",
     "test_the_search_is_told_the_value_and_the_gradient_of_half_the_sum_of_squares"),
    ("is_rounding", "a parameter without influence counts as one with",
     "J.any(axis=0) * column_norms(J)",
     "column_norms(J)",
     "test_a_step_is_rounding_only_where_it_is_in_every_parameter_that_counts"),
    ("damped_step", "† the minus is missing: uphill",
     "np.concatenate([-r,",
     "np.concatenate([r,",
     "test_a_damped_step_solves_the_damped_normal_equations"),
    ("damped_step", "mu squared: its root is forgotten",
     "math.sqrt(mu)",
     "mu",
     "test_a_damped_step_solves_the_damped_normal_equations"),
    ("damped_step", "the scales are forgotten on the way back",
     "np.linalg.lstsq(A, b, rcond=None)[0] / D",
     "np.linalg.lstsq(A, b, rcond=None)[0]",
     "test_marquardts_scaling_does_not_care_about_units_and_levenbergs_does"),
    ("levenberg_marquardt", "a step uphill is taken, too",
     "if rho > 0:",
     "if True:",
     "test_damping_falls_to_a_third_where_the_model_is_exact_and_grows_faster_and_faster_where_it_fails"),
    ("levenberg_marquardt", "damping is only ever doubled",
     "mu, nu = mu * nu, nu * 2",
     "mu, nu = mu * nu, nu",
     "test_damping_falls_to_a_third_where_the_model_is_exact_and_grows_faster_and_faster_where_it_fails"),
    ("levenberg_marquardt", "after a success the next failure is punished as the last one was",
     "1 - (2 * rho - 1)**3), 2.0",
     "1 - (2 * rho - 1)**3), nu",
     "test_after_a_step_that_is_taken_damping_would_again_be_doubled_at_first"),
    ("levenberg_marquardt", "the half is missing in the promised fall",
     "mu * D.astype(float)**2 * p - J.T @ r) / 2",
     "mu * D.astype(float)**2 * p - J.T @ r)",
     "test_damping_falls_to_a_third_where_the_model_is_exact_and_grows_faster_and_faster_where_it_fails"),
    ("scales", "the scale of a parameter forgets how long its column has been",
     "np.where(np.equal(D, 0), 1, D)), D).astype(J.dtype)",
     "1), 0).astype(J.dtype)",
     "test_the_scale_of_a_parameter_is_the_largest_length_that_its_column_has_had"),
    ("shortest", "the shortest in units of the columns",
     "if rank == len(D) else", "if rank <= len(D) else",
     "test_the_shortest_step_is_so_in_the_units_of_the_parameters"),
]


# ------------------------------------------------------------------------------------------- how fast, at what price

def bent(c):
    """r = (x + 1, c x² + x − 1): without a gradient at 0, where JᵀJ is 2 and the sum that is left out −2c."""
    return LeastSquares(lambda x: np.array([x[0] + 1, c * x[0]**2 + x[0] - 1]),
                        lambda x: np.array([[1.0], [2 * c * x[0] + 1]]))


@pytest.mark.parametrize("c", [-0.9, -0.5, 0.1, 0.5, 0.9])
def test_gauss_newton_leaves_the_share_that_the_curvature_of_the_residuals_has_in_the_hessian(c):
    problem = bent(c)
    H, JJ = problem.hessian([0.0]).item(), problem.gauss_newton([0.0]).item()
    assert_allclose([H, JJ], [2 - 2 * c, 2], rtol=1e-6)
    x = path(gauss_newton(problem, [1e-4], search=full_step), 6)[:, 0]
    assert_allclose(x[1:] / x[:-1], c, rtol=1e-2)


@pytest.mark.parametrize("c", [-1.5, -1.1, 1.1])
def test_where_that_share_is_above_one_gauss_newton_without_a_search_runs_away(c):
    x = path(gauss_newton(bent(c), [1e-4], search=full_step), 6)[:, 0]
    assert (np.abs(x[1:]) > 1.05 * np.abs(x[:-1])).all()


def test_what_a_step_of_either_costs():
    """Counted as values: residuals; as gradients: Jacobians."""
    for method, values in ((gauss_newton, 2), (levenberg_marquardt, 1)):
        counted = Counted(VALLEY)
        run = method(counted, [0.9, 0.8])
        next(run)
        before = dict(counted.counts)
        next(run)
        spent = {name: counted.counts[name] - before[name] for name in before}
        assert spent["gradients"] == 1 and spent["products"] == 0 and 1 <= spent["values"] <= values, method
