"""At the edge of what numbers can hold: every registered method, in other units, and where something is not finite."""
from functools import partial
from itertools import islice, product
from math import inf, nan, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt import optimizers
from numopt.linalg import balanced, inner, newton_schulz, norm, nystrom
from numopt.linalg.roots import cholesky, solved
from numopt.line_search import Trial, cubic, remembering, strong_wolfe
from numopt.optimizer import Diverged, optimizer
from numopt.optimizers import (
    bfgs, damped_newton, dog, ekfac, gcr, hessian_free, kfac, lbfgs, levenberg_marquardt, momo, natural_gradient,
    newton_cg, nltgcr, nltgcr_adaptive, nonlinear_cg, normalized_descent, rprop, scion, sps, sr1, trust_region)
from numopt.optimizers.conjugate import first_trial
from numopt.optimizers.kronecker import balance
from numopt.optimizers.newton import downhill as downhill_or_by_1
from numopt.optimizers.newton import not_hidden
from numopt.optimizers.quasi_newton import downhill as downhill_by_1
from numopt.optimizers.residual import least_squares
from numopt.problems import Function, LeastSquares, Objective, Quadratic, Rosenbrock
from numopt.record import path

A = np.array([[3.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]])
GOAL, START = np.array([1.0, -2.0, 0.5]), np.array([1.5, -1.0, 2.0])


class In(Objective):
    """c f((θ − far) / u), a function of one's own in other units; as a sum of squares it has √c r."""

    def __init__(self, f, c=1.0, u=1.0, far=0.0):
        self.f, self.c, self.u, self.far, self.size = f, c, u, far, f.size

    def there(self, theta):
        return (theta.astype(float) - self.far) / self.u

    def value(self, theta):
        return self.c * self.f.value(self.there(theta))

    def gradient(self, theta):
        return (self.c / self.u * self.f.gradient(self.there(theta))).astype(theta.dtype)

    def hessian(self, theta):
        return (self.c / self.u / self.u * np.asarray(self.f.hessian(self.there(theta)))).astype(theta.dtype)

    def residuals(self, theta):
        return (sqrt(self.c) * self.f.residuals(self.there(theta))).astype(theta.dtype)

    def jacobian(self, theta):
        return (sqrt(self.c) / self.u * self.f.jacobian(self.there(theta))).astype(theta.dtype)


class Valley(Rosenbrock):
    """½‖r‖² with r = (√200 (y − x²), √2 (1 − x))."""

    def residuals(self, theta):
        return np.array([sqrt(200) * (theta[1] - theta[0]**2), sqrt(2) * (1 - theta[0])])

    def jacobian(self, theta):
        return np.array([[-2 * sqrt(200) * theta[0], sqrt(200)], [-sqrt(2), 0]])


# A rate, a damping, a number that is added to squares: these have the units of f, or of θ.
HAVE_UNITS = {"lr", "damping", "eps", "alpha", "delta", "share", "inner", "curvature"}
WITHOUT = [name for name in optimizers.__all__
           if not HAVE_UNITS & getattr(optimizers, name).__wrapped__.__kwdefaults__.keys()]
ALSO = [trust_region, newton_cg, gcr, nltgcr, nltgcr_adaptive, normalized_descent, rprop, scion]
UNITLESS = {method.__name__: method for method in [*(getattr(optimizers, name) for name in WITHOUT), *ALSO]}


def test_the_methods_without_units_are_those_of_second_order_and_of_steps_of_a_given_length():
    assert {"steepest_descent", "newton", "gauss_newton", "levenberg_marquardt", "nonlinear_cg", "sr1", "bfgs", "lbfgs"
            } <= set(WITHOUT)


@pytest.mark.parametrize("name", UNITLESS)
@pytest.mark.parametrize("c", [2.0**-34, 2.0**34, 2.0**-320, 2.0**320], ids=lambda c: f"{c:.0g}")
def test_f_in_other_units_takes_the_same_path(name, c):
    """Powers of 4, of which the roots are exact: the paths agree as long as nothing over- or underflows."""
    method, valley = UNITLESS[name], Valley()
    steps = 3 if name in ("gcr", "nltgcr", "nltgcr_adaptive", "newton") else 12
    assert_allclose(path(method(In(valley, c), valley.start), steps), path(method(valley, valley.start), steps),
                    rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["newton", "trust_region", "newton_cg", "nonlinear_cg", "sr1", "bfgs", "lbfgs", "gcr",
                                  "nltgcr", "nltgcr_adaptive", "steepest_descent"])
@pytest.mark.parametrize("c, u, dtype", [
    (1e-10, 1, float), (1e10, 1, float), (1, 1e-8, float), (1, 1e8, float), (1e-100, 1, float), (1e100, 1, float),
    (1e-30, 1, np.float32), (1e25, 1, np.float32), (1e-20, 1e-8, np.float32), (1, 1e8, np.float32)])
def test_in_whatever_units_the_same_minimum_is_found(name, c, u, dtype):
    """A first step of length 1 is lost in the rounding of 1.5e8 in single precision, and is 1e8 times θ where θ is
    small."""
    method = partial(trust_region, most=1e12) if name == "trust_region" else getattr(optimizers, name)
    bowl = Quadratic(A, A @ GOAL)
    thetas = path(method(In(bowl, c, u), (u * START).astype(dtype)), 70)
    assert_allclose(thetas[-1] / u, GOAL, atol=1e-6 if dtype is float else 1e-5)


@pytest.mark.parametrize("name", UNITLESS)
@pytest.mark.parametrize("u, far", [(1, 0), (1e-8, 0), (1e-2, 1e8)])
def test_in_whatever_units_a_run_that_is_interrupted_after_any_of_its_steps_goes_on_to_the_last_bit(name, u, far):
    """Far from 0 a radius may become less than a first one would be there."""
    method, problem = UNITLESS[name], In(Valley(), 1, u, far)
    run = method(problem, far + u * Valley().start)
    states, whole = [(run.theta, run.memory)], []
    for theta in islice(run, 20):
        states.append((theta, run.memory))
        whole.append(theta)
    for step, (theta, memory) in enumerate(states[:-1]):
        assert_array_equal(next(method(problem, theta, **memory)), whole[step], err_msg=f"after {step} steps")


@pytest.mark.parametrize("u", [1e-8, 1e-4, 1e4])
def test_a_radius_that_is_too_long_by_orders_of_magnitude_is_shortened_and_not_learned_from(u):
    """At first steps of length 1 the curvature is that of (1/u)⁴: with it in B every later step would be nothing."""
    valley = Rosenbrock()
    assert_allclose(path(sr1(In(valley, 1, u), u * valley.start), 150)[-1] / u, [1, 1], atol=1e-6)


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_the_cubic_through_two_trials_is_least_at_the_same_place_in_any_units(size):
    """(x − 1)³ − 3 (x − 1), with its minimum at 2."""
    def trial(x):
        return Trial(x, size * ((x - 1)**3 - 3 * (x - 1)), None, size * (3 * (x - 1)**2 - 3))

    assert_allclose(cubic(trial(1.0), trial(3.0)), 2)


def test_two_vectors_of_any_lengths_are_brought_to_units_in_which_both_have_squares():
    """Also where the first one needs no other units: 1.5 is above 1 and below 2."""
    s, y = np.array([1.5, 0], np.float32), np.array([1e25, 2e25], np.float32)
    s_in_units, y_in_units = balanced(s, y)
    assert np.isfinite([s_in_units @ s_in_units, y_in_units @ y_in_units]).all()
    assert_allclose(s_in_units / y_in_units[0], s / y[0])


def test_the_orthogonal_matrix_next_to_the_largest_one_there_is():
    for dtype in np.float32, np.float64:
        X = np.array([[1, 0.5, 0], [0, 1, 0.25]])
        assert_allclose(newton_schulz(X.astype(dtype) * np.finfo(dtype).max), newton_schulz(X), rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------ what is not finite is Diverged

class Wrong(Quadratic):
    """A bowl that answers every question of every method, and from some step on with wrong numbers."""

    n = 1

    def __init__(self, what=None, first=1):
        super().__init__(A, A @ GOAL, c=GOAL @ A @ GOAL / 2)
        self.what, self.first, self.wrong = what, first, False

    def loss(self, t):
        other = Wrong(self.what, self.first)
        other.wrong = t >= self.first
        return other

    def spoilt(self, name, numbers):
        return numbers * numbers.dtype.type(self.what[name]) if self.wrong and name in self.what else numbers

    def value(self, theta):
        return float(self.spoilt("f", np.float64(super().value(theta))))

    def gradient(self, theta):
        return self.spoilt("g", super().gradient(theta))

    def value_and_gradient(self, theta):
        return self.value(theta), self.gradient(theta)

    def hessian(self, theta):
        return self.spoilt("H", np.array(super().hessian(theta)))

    fisher = gauss_newton = sampled_fisher = empirical_fisher = hessian

    def residuals(self, theta):
        return self.spoilt("g", np.linalg.cholesky(A).T.astype(theta.dtype) @ (theta - GOAL.astype(theta.dtype)))

    def jacobian(self, theta):
        return np.linalg.cholesky(A).T.astype(theta.dtype)

    def sampled_gradient(self, theta, seed=None):
        return self.gradient(theta)

    def per_example_gradients(self, theta):
        return self.gradient(theta)[None]

    def kronecker_factors(self, theta, **how):
        return [(np.ones((1, 1), theta.dtype), self.hessian(theta))]

    def fisher_moments(self, theta, U_G, U_A, **how):
        U = np.kron(U_G[0], U_A[0])
        return self.spoilt("g", np.diag(U.T @ self.A.astype(theta.dtype) @ U))


@pytest.mark.parametrize("name", optimizers.__all__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", [1, 2])
def test_a_gradient_that_is_not_finite_is_diverged_and_nothing_else(name, first, dtype, capfd):
    """Not finished, not frozen, and not in the words of LAPACK."""
    for value in nan, inf:
        with pytest.raises(Diverged):
            path(getattr(optimizers, name)(Wrong({"f": value, "g": value, "H": value}, first), START.astype(dtype)), 12)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("downhill", [downhill_or_by_1, downhill_by_1], ids=["newton", "quasi_newton"])
def test_the_way_down_that_stands_for_one_that_leads_up_is_not_lost_in_the_rounding_of_theta(downhill, dtype):
    g = np.array([3, -4], dtype)
    for size in 0, 1, 1e4, 1e12, 1e30:
        theta = size * np.ones(2, dtype)
        p = downhill(g, g, theta)
        assert p.dtype == dtype and (theta + p != theta).all()
        assert_allclose(p / np.abs(p).max(), [-0.75, 1], rtol=1e-6)


def test_the_first_trial_of_conjugate_gradients_is_a_positive_number_whatever_the_fall_and_the_slope():
    for a, b in product([1e-320, 1e-300, 1e-150, 1.0, 1e150, 1e300], repeat=2):
        g = np.array([b, 0.0])
        alpha = first_trial(np.ones(2), g, -np.array([1.0, 0]), -a)
        assert 0 < alpha < inf
        if 1e-250 < a / b < 1e250:
            assert_allclose(alpha, a / b)


class Above(Wrong):
    """The bowl, one higher: a loss above what no loss is below, with nothing to be gained."""

    def value(self, theta):
        return super().value(theta) + 1

    def loss(self, t):
        return self


@pytest.mark.parametrize("name", sorted(set(optimizers.__all__) - {"ivon"}))  # which looks elsewhere
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_there_is_no_gradient_at_all_a_method_stays_where_it_is_or_ends(name, dtype):
    method = getattr(optimizers, name)
    how = {key: 0.0 for key in method.__wrapped__.__kwdefaults__ if key == "weight_decay"}
    thetas = path(method(Above({}), GOAL.astype(dtype), **how), 12)
    assert_array_equal(thetas, np.broadcast_to(thetas[0], thetas.shape))
    assert thetas.dtype == dtype


class Late(Wrong):
    """A bowl that grows like a fourth power, where nobody has arrived at step 3, which one answer is not finite at."""

    def __init__(self, question, value, where, t=0, asked=None):
        super().__init__()
        self.question, self.other, self.where, self.t, self.asked = question, value, where, t, [] if t == 0 else asked

    def loss(self, t):
        return Late(self.question, self.other, self.where, t, self.asked)

    def answer(self, question, answer):
        if self.t == 3 and question == self.question:
            self.asked.append(question)
            answer[self.where] = self.other
        return answer

    def value(self, theta):
        return float(self.answer("f", np.array([super().value(theta) + 0.1 * (theta**4).sum()]))[0])

    def gradient(self, theta):
        return self.answer("g", super().gradient(theta) + 0.4 * theta**3)

    def hessian(self, theta):
        return super().hessian(theta) + 1.2 * np.diag(theta**2)

    fisher = gauss_newton = sampled_fisher = empirical_fisher = hessian

    def residuals(self, theta):
        return self.answer(self.question, np.append(super().residuals(theta), sqrt(0.2) * theta**2))

    def jacobian(self, theta):
        return np.vstack([super().jacobian(theta), 2 * sqrt(0.2) * np.diag(theta)])


@pytest.mark.parametrize("name", optimizers.__all__)
def test_a_loss_or_a_gradient_that_is_not_finite_ends_the_run_at_its_step(name):
    """Infinity has a sign, by which some go; of Polyak's step it would be the longest."""
    for question, value, where in product("gf", (inf, -inf, nan), (0, slice(None))):
        problem = Late(question, value, where)
        run = getattr(optimizers, name)(problem, START, **{"vsgd": {"samples": 2}}.get(name, {}))
        try:
            path(run, 4)
        except Diverged as error:
            assert problem.asked and error.t == 3 and run["t"] < 3 and " at step 3: " in str(error), error
            with pytest.raises(Diverged):  # and again
                next(run)
        else:
            assert question == "f" and not problem.asked


def test_whatever_else_a_loop_has_under_these_letters_is_its_own_affair():
    @optimizer
    def other(problem, theta, *, t=0, best=inf):
        f = abs
        for t, loss in problem.losses(after=t):
            g, g_hat = np.array(["x"]), loss
            yield theta + 0 * f(0)
            del g, g_hat

    assert len(path(other(Wrong(), START), 3)) == 4


@pytest.mark.parametrize("name", [name for name in optimizers.__all__ if "lr" not in
                                  getattr(optimizers, name).memory and
                                  getattr(optimizers, name).__wrapped__.__kwdefaults__.get("curvature")])
def test_a_curvature_that_is_not_finite_is_diverged_and_nothing_else(name, capfd):
    for value in nan, inf:
        with pytest.raises(Diverged):
            path(getattr(optimizers, name)(Wrong({"H": value}, 3), START), 12)
    assert capfd.readouterr() == ("", "")


def test_factors_of_which_one_is_infinite_are_diverged():
    for method in kfac, ekfac, optimizers.kfac_martens:
        for value in nan, inf:
            with pytest.raises(Diverged):
                path(method(Wrong({"H": value}), START), 2)


def test_factors_may_be_of_sizes_whose_quotient_is_no_number():
    for dtype in np.float32, np.float64:
        large, small = np.finfo(dtype).max / 8, np.finfo(dtype).tiny * 8
        pi = balance(large * np.eye(2, dtype=dtype), small * np.eye(3, dtype=dtype))
        assert_allclose(pi, sqrt(large) / sqrt(small))


# --------------------------------------------------------------- squares of gradients that overflow are no standstill

class Slope(Objective):
    """gᵀθ + c."""

    def __init__(self, g, c=0.0):
        self.g, self.c, self.size = g, c, g.size

    def value(self, theta):
        return inner(self.g, theta) + self.c

    def gradient(self, theta):
        return self.g


@pytest.mark.parametrize("size", [1e-17, 1.0, 1e20])
def test_polyaks_step_does_not_depend_on_the_size_of_the_gradient_in_single_precision(size):
    """To where the tangent is 0: θ − f g / ‖g‖² for c = 1, the shortest way there."""
    g, theta = (size * np.array([3.0, -4.0])).astype(np.float32), np.array([1, 1], np.float32)
    f = 25 * size
    want = theta - (25 - 1) / 25 * np.array([3.0, -4.0])
    for run in (sps(Slope(g, f), theta, c=1.0, eps=0.0, gamma=1e30, lr=1e30),
                momo(Slope(g, f), theta, beta=0.0, lr=1e36)):
        assert_allclose(next(run), want, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-15, 1.0, 1e20])
def test_the_first_step_of_dog_has_its_length_whatever_that_of_the_gradient(size):
    g, theta = (size * np.array([3.0, -4.0])).astype(np.float32), np.array([1, 1], np.float32)
    step = next(dog(Slope(g), theta, share=0.1, eps=0.0)) - theta
    assert_allclose(step, -0.1 * (1 + sqrt(2)) * np.array([0.6, -0.8]), rtol=1e-4)


def test_a_step_of_kfac_is_as_long_as_kappa_allows_also_where_its_square_overflows_in_single_precision():
    """lr² gᵀd = κ for the first step lr d, whatever the size of f."""
    for size in 1.0, 1e20:
        bowl, theta = Wrong({"g": size}), START.astype(np.float32)
        run = kfac(bowl, theta, kappa=1e-3)
        step = next(run) - theta
        assert_allclose(norm(step) / norm(run["d"]) * sqrt(inner(run["g"], run["d"])), sqrt(1e-3), rtol=1e-4)
    with pytest.raises(Diverged, match="infinite in double precision"):
        next(kfac(Wrong({"g": 1e160}), START))


# ------------------------------------------------------------------------------- where there is nothing left to do

def test_at_an_exact_minimum_the_damping_of_hessian_free_does_not_grow_for_ever():
    """From f = 0 and g = 0 on there is no fall to foretell: ×3/2 a step, it was infinite after 220."""
    bowl = Quadratic(np.eye(2, dtype=np.float32))
    run = hessian_free(In(bowl), np.zeros(2, np.float32), curvature="hessian", preconditioned=False)
    path(run, 260)
    assert_array_equal(run.theta, [0, 0])
    assert run["damping"] == 1.0


@pytest.mark.parametrize("method", [sr1, trust_region])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_at_a_kink_in_the_origin_where_no_radius_helps_however_short_it_is_the_end(method, dtype, unit):
    """Nothing is lost beside a θ of 0: the radius shrinks until it is 0 itself."""
    kink = Function(lambda x: unit * np.abs(x).sum(), lambda x: np.where(x < 0, -unit, unit), lambda x: np.eye(2))
    thetas = path(method(kink, np.zeros(2, dtype)), 1200)
    assert 1 < len(thetas) < 1200 and not thetas.any()


@pytest.mark.parametrize("method", [sr1, trust_region])
def test_with_a_radius_of_0_there_is_no_step_from_the_origin(method):
    assert len(path(method(Quadratic(A, A @ GOAL), 0 * START, radius=0), 5)) == 1


def test_a_step_that_only_damping_has_made_too_short_is_no_end():
    bowl = Quadratic(A, A @ GOAL)
    with pytest.raises(ValueError, match="damping is 0.001, beside which the largest curvature"):
        next(damped_newton(In(bowl, 1e-30), START.astype(np.float32)))
    with pytest.raises(StopIteration):
        next(damped_newton(bowl, GOAL))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_curvature_is_nothing_beside_damping_where_it_is_less_than_their_rounding_in_its_precision(dtype, sign):
    damping, eps = 8.0, float(np.finfo(dtype).eps)
    not_hidden(np.array([0, sign * 16 * eps], dtype), damping)
    not_hidden(np.zeros(2, dtype), damping)  # where all is flat it is an end
    with pytest.raises(ValueError, match="damping is 8, beside which the largest curvature"):
        not_hidden(np.array([0, sign * 4 * eps], dtype), damping)
    with pytest.raises(StopIteration):
        next(damped_newton(Slope(np.zeros(2)), np.ones(2)))


def test_moments_without_damping_are_divided_by_only_where_they_are_some():
    with pytest.raises(ValueError, match="give it some damping"):
        next(ekfac(Wrong({"g": 0.0}), START, damping=0.0))


def test_where_single_precision_underflows_residuals_do_not_end():
    """Jr = 0 was taken for a singular J, and the method for finished."""
    bowl = In(Quadratic(A, A @ GOAL), 1e-30)
    for method in gcr, nltgcr, nltgcr_adaptive:
        assert len(path(method(bowl, START.astype(np.float32)), 2)) == 3


# ------------------------------------------------------------------------------------------------- what is held

def test_a_problem_may_hand_out_one_buffer_for_all_its_answers():
    class Buffered(Valley):
        def handed_out(self, name, numbers):
            vars(self).setdefault(name, np.empty_like(numbers))[...] = numbers
            return vars(self)[name]

        def residuals(self, theta):
            return self.handed_out("buffer_r", super().residuals(theta))

        def jacobian(self, theta):
            return self.handed_out("buffer_J", super().jacobian(theta))

        def gradient(self, theta):
            return self.handed_out("buffer_g", super().gradient(theta))

        def hessian(self, theta):
            return self.handed_out("buffer_H", super().hessian(theta))

    for method in levenberg_marquardt, optimizers.gauss_newton, bfgs, lbfgs, sr1, trust_region, nonlinear_cg, newton_cg:
        assert_array_equal(path(method(Buffered(), Valley().start), 12), path(method(Valley(), Valley().start), 12))
    loss = next(remembering(Buffered().losses()))[1]
    first = loss.hessian(np.zeros(2))
    loss.hessian(np.ones(2))
    assert_array_equal(first, Valley().hessian(np.zeros(2)))


def test_a_search_where_f_is_not_finite_says_so_before_it_says_anything_of_its_first_trial():
    with pytest.raises(FloatingPointError, match="f and its slope are finite"):
        strong_wolfe(Wrong({"g": nan}).loss(1), START, -START, alpha=nan)


# ----------------------------------------------------------- one parameter in other units, or with no curvature at all

T = np.linspace(0, 1, 6)
LINE = np.array([1.0, 2.0])  # y = 1 + 2t


def line(unit):
    """The fit of a + b t to it, with t in such units, and so b in others; also as a function, and its normal matrix."""
    J = np.column_stack([np.ones(6), unit * T])
    return LeastSquares(lambda p: J @ p - (LINE[0] + LINE[1] * T), lambda p: J, lambda p: np.zeros((6, 2, 2)))


@pytest.mark.parametrize("unit", [1e-20, 1e-16, 1e-7, 1.0, 1e16])
@pytest.mark.parametrize("solve", [
    lambda f, unit: path(optimizers.gauss_newton(f, np.zeros(2)), 5)[-1],
    lambda f, unit: path(levenberg_marquardt(f, np.zeros(2)), 60)[-1],
    lambda f, unit: path(optimizers.newton(f, np.zeros(2)), 1)[-1],
    lambda f, unit: path(damped_newton(f, np.zeros(2), damping=0.0), 3)[-1] if 1e-7 <= unit <= 1 else None,
    lambda f, unit: path(natural_gradient(f, np.zeros(2), curvature="gauss_newton", damping=0.0, solver="dense"),
                         1)[-1],
    lambda f, unit: least_squares(f.jacobian(LINE), LINE[0] + LINE[1] * T),
    lambda f, unit: -solved(cholesky(f.gauss_newton(LINE), 0.0), np.eye(2)) @ f.gradient(np.zeros(2)),
], ids=["gauss_newton", "levenberg_marquardt", "newton", "damped_newton", "natural_gradient", "least_squares",
        "cholesky"])
def test_columns_of_1_and_of_any_other_length_are_not_parallel(solve, unit):
    """Of how many dimensions they are is not said by how long they are."""
    found = solve(line(unit), unit)
    assert found is None or np.allclose(found * [1, unit], LINE, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-16, 1e-8, 1.0, 1e12])
def test_what_a_few_columns_tell_of_a_matrix_does_not_depend_on_their_units(unit):
    """W of rank 2, of which one row and column has other units."""
    D, F = np.diag([1.0, unit, 1.0]), np.array([[2.0, 1, 3], [1, 2, 3], [3, 3, 6]])
    found = np.asarray(nystrom(D @ F @ D, [0, 1, 2]) @ np.eye(3))
    assert_allclose(found / np.outer(np.diag(D), np.diag(D)), F, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-12, 1e-7, 1.0, 1e7])
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_a_decay_is_fitted_by_differences_whatever_the_units_of_time(unit, dtype):
    """y = 3 exp(−t/τ), with τ = 2 in such units: of a step of 1e-5 there would be nothing left of a τ of 2e-7."""
    t = unit * np.linspace(0, 6, 30)
    fit = LeastSquares(lambda p: p[0] * np.exp(-t / p[1]) - 3 * np.exp(-t / (2 * unit)))
    start = np.array([2.0, 1.5 * unit], dtype)
    for method in levenberg_marquardt, optimizers.gauss_newton:
        assert_allclose(path(method(fit, start), 60)[-1] / [1, unit], [3, 2], rtol=1e-5 if dtype is float else 1e-3)


@pytest.mark.parametrize("seed", [None, 0, 1, 6])
@pytest.mark.parametrize("name", ["steepest_descent", "nonlinear_cg", "sr1", "bfgs", "lbfgs", "natural_gradient", "gcr",
                                  "nltgcr", "nltgcr_adaptive"])
@pytest.mark.parametrize("c", [1.0, 1e-10])
def test_where_neither_curvature_nor_gradient_has_a_share_nothing_moves_and_the_rest_is_solved(name, seed, c):
    """½ (2x² + y²) − x − y of (x, y, z), turned: from any start to (½, 1), and z stays as it was; but SR1's B, which is
    no curvature of f, may take rounding for some: at one turn in ten its last steps lead along what is flat."""
    turn = np.eye(3) if seed is None else np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    H, b = c * turn @ np.diag([2.0, 1, 0]) @ turn.T, c * turn @ np.array([1.0, 1, 0])
    valley = Function(lambda x: float(x @ H @ x / 2 - b @ x), lambda x: H @ x - b, lambda x: (H + H.T) / 2)
    how = {"natural_gradient": {"curvature": "hessian", "damping": 0.0}}
    steps = {"natural_gradient": 1}.get(name, 80)
    theta = path(getattr(optimizers, name)(valley, turn @ np.array([3.0, -2, 5]), **how.get(name, {})), steps)[-1]
    some = slice(2) if name == "sr1" and seed is not None else slice(3)
    assert_allclose((turn.T @ theta)[some], np.array([0.5, 1, 5])[some], atol=1e-6)


@pytest.mark.parametrize("name", ["bfgs", "lbfgs", "sr1", "trust_region"])
def test_a_faint_line_is_fitted_from_a_start_whose_height_is_as_small(name):
    """f is some 1e-15 throughout, and the height 1e-8 of the width: neither is taken for rounding.

    SR1, whose B may learn a curvature of 1e7 where there is one of 1e-14, gets there from most starts, not from all.
    """
    w = np.linspace(1, 2, 100)
    line = lambda p: p[0] * np.exp(-((w - p[1]) / p[2])**2 / 2)  # noqa: E731
    want = np.array([1.2e-8, 1.4, 0.11])
    fit = Function(lambda p: float(((line(p) - line(want))**2).sum()))
    starts = np.array([1.5e-8, 1.6, 0.2]) * (1 + 1e-13 * np.random.default_rng(0).standard_normal((5, 3)))
    ends = [path(getattr(optimizers, name)(fit, start), 300)[-1] for start in starts]
    assert np.isclose(ends, want, rtol=1e-4).all(axis=1).sum() >= (3 if name == "sr1" else 5)


def turned(seed, n, rank, dtype, c=1.0, u=1.0, share=0.0):
    """A valley of f that is flat along n − rank directions of its own, in units c and u: also P, which takes the share
    in these, where to start, where to end; with such a share of a slope along one of them."""
    random = np.random.default_rng([seed, n, rank])
    Q = np.linalg.qr(random.standard_normal((n, n)))[0]
    lam, (start, goal) = np.append(random.uniform(0.5, 4, rank), np.zeros(n - rank)), random.standard_normal((2, n)) * u
    H, P = c / u**2 * (Q * lam) @ Q.T, Q[:, rank:] @ Q[:, rank:].T
    b, start = (H @ goal + share * c / u * Q[:, -1]).astype(dtype), start.astype(dtype)
    H = ((H + H.T) / 2).astype(dtype)
    f = Function(lambda x: float(x.astype(float) @ (H @ x.astype(float) / 2 - b)), lambda x: H @ x - b, lambda x: H)
    return f, P, start, goal + P @ (start - goal)


UNDAMPED = {
    "trust_region": lambda f, theta, u: path(trust_region(f, theta, radius=u, most=1e3 * u), 15),
    "newton_cg": lambda f, theta, u: path(newton_cg(f, theta), 12),
    "damped_newton": lambda f, theta, u: path(damped_newton(f, theta, damping=0.0), 4),
    "natural_gradient by cg": lambda f, theta, u: path(
        natural_gradient(f, theta, curvature="hessian", damping=0.0), 4),
    "natural_gradient": lambda f, theta, u: path(
        natural_gradient(f, theta, curvature="hessian", damping=0.0, solver="dense"), 4)}


@pytest.mark.parametrize("name", UNDAMPED)
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_a_flat_direction_is_left_alone_however_it_is_turned_also_where_all_of_the_gradient_is_rounding(name, dtype):
    """The last steps are where f has been solved, and g has no digit that is right."""
    for seed in range(20):
        for n, rank in (2, 1), (3, 1), (6, 5), (12, 5):
            c, u = (1e-10, 1, 1e10)[seed % 3], (1e-6, 1, 1e6)[seed // 3 % 3]
            f, P, start, goal = turned(seed, n, rank, dtype, c, u)
            thetas = UNDAMPED[name](f, start, u)
            assert np.abs((thetas - start) @ P).max() < (1e-11 if dtype is float else 1e-4) * u
            assert np.abs(thetas[-1] - goal).max() < (1e-7 if dtype is float else 1e-3) * u  # as near as f tells


@pytest.mark.parametrize("name", [*UNDAMPED, "newton"])
def test_a_slope_along_a_flat_direction_is_no_rounding_however_it_is_turned(name):
    for seed in range(20):
        f, P, start, _ = turned(seed, 6, 4, float, (1e-10, 1, 1e10)[seed % 3], share=1e-6)
        if name in ("trust_region", "newton_cg"):  # they follow it
            for theta in UNDAMPED[name](f, start, 1.0)[-1:]:
                assert np.abs(P @ (theta - start)).max() > 1e-3
        elif name == "newton":
            with pytest.raises(ValueError, match="the Hessian is singular"):
                next(optimizers.newton(f, start))
        else:
            with pytest.raises(ValueError, match="damping"):
                UNDAMPED[name](f, start, 1.0)


def test_a_search_along_a_line_without_a_lowest_point_ends():
    """Its last two trials were one: ZeroDivisionError."""
    for seed in range(6):
        for n, rank in (2, 1), (3, 1):
            f, P, start, _ = turned(seed, n, rank, float, share=0.1)
            for method in bfgs, lbfgs:
                assert f.value(path(method(f, start), 4)[-1]) < f.value(start)
