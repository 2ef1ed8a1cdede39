"""Problems made of other problems: clipped gradients, prices for large parameters, and noise."""
import copy
import inspect
import pkgutil
from importlib import import_module
from itertools import product
from math import inf, nan

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import numopt.problems
from numopt.networks import Dense, Network, SquaredError, linear, mlp
from numopt.optimizer import Diverged
from numopt.optimizers import adam, gradient_descent, lbfgs, sign_descent, steepest_descent
from numopt.problems import (
    Accumulated, Beale, Clipped, Counted, EmpiricalRisk, Lasso, MiniBatch, Noisy, Objective, Quadratic, Ridge, Tilted,
    Wrapped)
from numopt.record import path

RANDOM = np.random.default_rng(4)
X, LABELS = RANDOM.standard_normal((23, 4)), RANDOM.integers(3, size=23)
NETWORK = mlp([4, 5, 3])
THETA, V = NETWORK.initial(0), RANDOM.standard_normal(NETWORK.size)
TURNED = {"U_G": [np.linalg.qr(RANDOM.standard_normal((k, k)))[0] for k in (5, 3)],
          "U_A": [np.linalg.qr(RANDOM.standard_normal((k, k)))[0] for k in (5, 6)]}
KINDS = ["hessian", "gauss_newton", "fisher", "empirical_fisher", "sampled_fisher"]


def risk(batch_size=5):
    return EmpiricalRisk(NETWORK, X, LABELS, batch_size)


class Slope(Objective):
    """f(θ) = gᵀ θ"""

    def __init__(self, *g, dtype=float):
        self.g, self.size = np.array(g, dtype), len(g)

    def value(self, theta):
        return (self.g @ theta).item()

    def gradient(self, theta):
        return self.g


# -------------------------------------------------------------------------------------------------------- clipping

def test_every_number_of_a_gradient_is_cut_off_at_element():
    assert_array_equal(Clipped(Slope(-100.0, 0.5, 3, -2), element=2).gradient(np.zeros(4)), [-2, 0.5, 2, -2])


def test_the_printed_minimum_leaves_minus_one_hundred_as_it_is():
    g = np.array([-100.0, 0.5, 3])
    assert_array_equal(np.minimum(g, 2), [-100, 0.5, 2])
    assert_array_equal(Clipped(Slope(*g), element=2).gradient(np.zeros(3)), [-2, 0.5, 2])


def test_a_long_gradient_keeps_its_direction_and_gets_the_length_norm():
    g = Clipped(Slope(30.0, -40.0), norm=5).gradient(np.zeros(2))
    assert_allclose(g, [3, -4])
    assert_allclose(Clipped(Slope(3.0, -4.0), norm=4.5).gradient(np.zeros(2)), [2.7, -3.6])  # no number is above 4.5


def test_a_short_gradient_stays_as_it_is():
    assert_array_equal(Clipped(Slope(3.0, -4.0), norm=5).gradient(np.zeros(2)), [3, -4])
    assert_array_equal(Clipped(Slope(0.3, -0.4), norm=5).gradient(np.zeros(2)), [0.3, -0.4])
    assert_array_equal(Clipped(Slope(0.0, 0.0), norm=5).gradient(np.zeros(2)), [0, 0])


@pytest.mark.parametrize("how", [{"norm": 1.0}, {"element": 0.5}])
def test_a_gradient_whose_square_overflows_is_clipped_all_the_same(how):
    g = Clipped(Slope(3e30, -4e30, dtype=np.float32), **how).gradient(np.zeros(2, np.float32))
    assert g.dtype == np.float32
    assert_allclose(g, [0.6, -0.8] if "norm" in how else [0.5, -0.5], rtol=1e-6)


@pytest.mark.parametrize("number", [2, 4, 9])
@pytest.mark.parametrize("dtype, size", [(np.float32, 3e38), (float, 1e200), (float, 1.7e308)])
@pytest.mark.filterwarnings("error")
def test_a_gradient_of_the_largest_numbers_there_are_is_clipped_to_the_same_length(number, dtype, size):
    slope = Slope(*size * np.append(-1, np.ones(number - 1)), dtype=dtype)
    signs = np.append(-1, np.ones(number - 1))
    assert_allclose(Clipped(slope, norm=2).gradient(np.zeros(number, dtype)), 2 * signs / np.sqrt(number), rtol=1e-6)
    assert_array_equal(Clipped(slope, element=2).gradient(np.zeros(number, dtype)), 2 * signs)


@pytest.mark.parametrize("how", ["norm", "element"])
@pytest.mark.parametrize("dtype", [np.float32, float])
@pytest.mark.parametrize("number", [1, 3, 9])
@pytest.mark.parametrize("wrong", [inf, -inf, nan])
@pytest.mark.filterwarnings("error")
def test_a_derivative_that_is_not_finite_is_so_after_clipping_as_before(how, dtype, number, wrong):
    for i in 0, -1:
        g = np.linspace(-3, 3, number, dtype=dtype)
        g[i] = wrong
        assert_array_equal(Clipped(Slope(*g, dtype=dtype), **{how: 0.5}).gradient(np.zeros(number, dtype)), g)


def test_clipping_leaves_the_value_and_the_curvature_alone():
    problem, clipped = risk().whole, Clipped(risk(), norm=1e-3).whole
    assert clipped.value(THETA) == problem.value(THETA)
    assert_array_equal(clipped.hessian(THETA) @ V, problem.hessian(THETA) @ V)
    f, g = clipped.value_and_gradient(THETA)
    assert f == problem.value(THETA)
    assert_allclose(np.linalg.norm(g), 1e-3)


@pytest.mark.parametrize("how, message", [
    ({}, "takes one of element= and norm="), ({"element": 1, "norm": 1}, "takes one of element= and norm="),
    ({"element": 0}, "give Clipped a number above 0"), ({"norm": 0.0}, "give Clipped a number above 0"),
    ({"norm": -1}, "norm must be a number of at least 0, and is -1"),
    ({"element": "1"}, "element must be a number of at least 0, and is '1'"),
    ({"norm": float("nan")}, "norm must be a number"), ({"norm": float("inf")}, "norm must be a number")])
def test_a_clipping_that_cannot_be_says_so(how, message):
    with pytest.raises(ValueError, match=message):
        Clipped(Slope(1.0), **how)


# ----------------------------------------------------------------------------------------------------------- ridge

def test_ridge_regression_has_its_closed_form():
    # (XᵀX / n + strength I) w = Xᵀy / n
    y = RANDOM.standard_normal(23)
    network = Network(Dense(4, 1, bias=False), inputs=4, loss=SquaredError())
    ridge = Ridge(MiniBatch(network, X, y), 0.3)
    w = np.linalg.solve(X.T @ X / 23 + 0.3 * np.eye(4), X.T @ y / 23)
    assert_allclose(ridge.gradient(w), 0, atol=1e-15)
    assert_allclose(ridge.hessian(w) @ np.eye(4), X.T @ X / 23 + 0.3 * np.eye(4))


def test_the_gradient_of_ridge_is_the_derivative_of_its_value():
    ridge = Ridge(risk().whole, 0.7)
    slopes = [(ridge.value(THETA + 1e-5 * e) - ridge.value(THETA - 1e-5 * e)) / 2e-5 for e in np.eye(THETA.size)]
    assert_allclose(ridge.gradient(THETA), slopes, atol=1e-8)


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton"])
def test_ridge_adds_its_strength_to_the_diagonal(kind):
    problem = risk().whole
    difference = (getattr(Ridge(problem, 0.7), kind)(THETA) @ np.eye(43) - getattr(problem, kind)(THETA) @ np.eye(43))
    assert_allclose(difference, 0.7 * np.eye(43), atol=1e-14)


@pytest.mark.parametrize("kind", ["fisher", "empirical_fisher", "sampled_fisher"])
def test_a_fisher_matrix_is_about_the_data_and_knows_no_ridge(kind):
    problem = risk().loss(1)
    assert_array_equal(getattr(Ridge(problem, 0.7), kind)(THETA) @ V, getattr(problem, kind)(THETA) @ V)


# ----------------------------------------------------------------------------------------------------------- lasso

def test_the_gradient_of_lasso_is_the_derivative_of_its_value_away_from_zero():
    lasso, theta = Lasso(risk().whole, 0.7), THETA + np.where(THETA >= 0, 0.1, -0.1)
    slopes = [(lasso.value(theta + 1e-5 * e) - lasso.value(theta - 1e-5 * e)) / 2e-5 for e in np.eye(theta.size)]
    assert_allclose(lasso.gradient(theta), slopes, atol=1e-8)


def test_the_value_and_the_gradient_of_lasso_by_hand():
    lasso, theta = Lasso(Slope(1.0, 2.0, 3.0), 10), np.array([2.0, -1.0, 0.0])
    assert lasso.value(theta) == 2 - 2 + 10 * 3
    assert_array_equal(lasso.gradient(theta), [11, -8, 3])


def test_soft_thresholding_minimises_the_price_and_the_squared_distance():
    lasso, lr, grid = Lasso(Slope(0.0), 2.0), 0.3, np.linspace(-3, 3, 6001)
    for theta in (-2.5, -0.7, -0.6, -0.2, 0, 0.1, 0.59, 0.61, 2.0):
        best = grid[np.argmin(lr * 2.0 * np.abs(grid) + (grid - theta)**2 / 2)]
        assert_allclose(lasso.proximal(np.array([theta]), lr), [best], atol=1e-9)


def test_of_two_prices_with_a_kink_both_are_met():
    theta = np.array([0.3, -0.2, 0.05])
    one = Lasso(Quadratic(np.diag([1.0, 2, 3])), 0.5)
    for two in (Lasso(Lasso(one.problem, 0.2), 0.3), Lasso(Ridge(Lasso(one.problem, 0.1), 0.0), 0.4), Ridge(one, 0.0)):
        assert_allclose(two.value(theta), one.value(theta))
        assert_allclose(two.smooth.gradient(theta), one.smooth.gradient(theta))
        assert_allclose(two.proximal(theta, 0.3), one.proximal(theta, 0.3), atol=1e-15)


def test_proximal_steps_end_where_no_direction_goes_down():
    # At the minimum the slope of the loss is −strength sign(w) where w ≠ 0, and at most the strength where w = 0.
    y = X @ [1.0, -2.0, 0.0, 0.0] + 0.05 * RANDOM.standard_normal(23)
    problem = MiniBatch(Network(Dense(4, 1, bias=False), inputs=4, loss=SquaredError()), X, y)
    lasso, w = Lasso(problem, 0.2), np.zeros(4)
    for _ in range(2000):
        w = lasso.proximal(w - 0.3 * problem.gradient(w), 0.3)
    slope = problem.gradient(w)
    assert_array_equal(w == 0, [False, False, True, True])
    assert_allclose(slope[:2], -0.2 * np.sign(w[:2]), atol=1e-12)
    assert np.abs(slope[2:]).max() < 0.2
    for v in RANDOM.standard_normal((50, 4)):
        assert lasso.value(w + 1e-3 * v) > lasso.value(w)


# ------------------------------------------------------------------------------------ what is not finite stays so

AROUND = {  # each wrapper, in every way that it goes
    "Wrapped": Wrapped, "Counted": Counted, "Ridge": lambda problem: Ridge(problem, 0.1),
    "Lasso": lambda problem: Lasso(problem, 0.1), "Noisy": lambda problem: Noisy(problem, 0.1),
    "Tilted": lambda problem: Tilted(problem, np.array([0.1, -0.1, 0.2])),
    "Accumulated": lambda problem: Accumulated(problem, 1),
    "Accumulated in two": lambda problem: Accumulated(problem, 2),
    "Clipped by element": lambda problem: Clipped(problem, element=0.5),
    "Clipped by norm": lambda problem: Clipped(problem, norm=0.5)}


def test_all_wrappers_there_are_stand_in_the_table():
    modules = [import_module(f"numopt.problems.{each.name}") for each in pkgutil.iter_modules(numopt.problems.__path__)]
    known = {name for module in modules for name, each in vars(module).items()
             if isinstance(each, type) and issubclass(each, Wrapped)}
    assert {name.split()[0] for name in AROUND} == known


class Spoilt(Quadratic):
    """A bowl of which from the mini-batch `first` on the value f or the gradient g is not finite."""

    def __init__(self, question, wrong, where, first=3):
        super().__init__(np.diag([1.0, 2.0, 3.0]))
        self.question, self.wrong, self.where, self.first, self.t = question, wrong, where, first, 0

    def loss(self, t):
        loss = copy.copy(self)
        loss.t = t
        return loss

    def value(self, theta):
        return self.wrong if self.question == "f" and self.t >= self.first else super().value(theta)

    def gradient(self, theta):
        g = np.array(super().gradient(theta))
        if self.question == "g" and self.t >= self.first:
            g[self.where] = self.wrong
        return g

    def value_and_gradient(self, theta):
        return self.value(theta), self.gradient(theta)


SPOILT = [*product("g", (inf, -inf, nan), (0, 2, slice(None))), *product("f", (inf, -inf, nan), (0,))]


@pytest.mark.parametrize("outer", AROUND)
def test_what_is_not_finite_stays_so_through_all_wrappers_around_each_other(outer):
    theta = np.array([0.3, -0.2, 0.1])
    for inner, (question, wrong, where) in product(AROUND, SPOILT):
        loss = AROUND[outer](AROUND[inner](Spoilt(question, wrong, where))).loss(3)
        one = loss.value(theta) if question == "f" else loss.gradient(theta)
        other = loss.value_and_gradient(theta)["fg".index(question)]
        assert not np.isfinite(one).all() and not np.isfinite(other).all(), (inner, question, wrong, where)


@pytest.mark.parametrize("wrap", AROUND)
def test_through_every_wrapper_a_loss_or_a_gradient_that_is_not_finite_ends_a_run_at_its_step(wrap):
    step = 2 if wrap == "Accumulated in two" else 3
    for question, wrong, where in SPOILT:
        for method in (gradient_descent, sign_descent, adam, lbfgs) if question == "g" else (steepest_descent, lbfgs):
            run = method(AROUND[wrap](Spoilt(question, wrong, where)), [0.3, -0.2, 0.1])
            before = path(run, step - 1)[-1]
            with pytest.raises(Diverged, match=f"at step {step}: ") as error:
                next(run)
            assert error.value.t == step and run["t"] == step - 1
            assert_array_equal(run.theta, before)


# ---------------------------------------------------------------------------------------------------- all the others

WRAPPERS = pytest.mark.parametrize("wrap", [
    Wrapped, lambda problem: Clipped(problem, norm=1e-2), lambda problem: Ridge(problem, 0.1),
    lambda problem: Lasso(problem, 0.1)], ids=["Wrapped", "Clipped", "Ridge", "Lasso"])


def test_a_wrapped_problem_answers_as_the_problem_does():
    problem = risk()
    wrapped = Wrapped(problem)
    for inner, outer in [(problem.loss(3), wrapped.loss(3)), (problem.whole, wrapped.whole)]:
        assert outer.value(THETA) == inner.value(THETA)
        assert_array_equal(outer.gradient(THETA), inner.gradient(THETA))
        for kind in KINDS:
            assert_array_equal(getattr(outer, kind)(THETA) @ V, getattr(inner, kind)(THETA) @ V)
        assert_array_equal(outer.fisher(THETA, samples=2, seed=1) @ V, inner.fisher(THETA, samples=2, seed=1) @ V)
        assert outer.accuracy(THETA) == inner.accuracy(THETA)
    assert_array_equal(wrapped.loss(3).per_example_gradients(THETA), problem.loss(3).per_example_gradients(THETA))
    assert_array_equal(wrapped.loss(3).kronecker_factors(THETA)[0][1], problem.loss(3).kronecker_factors(THETA)[0][1])


@WRAPPERS
def test_a_wrapped_problem_has_the_size_the_blocks_and_the_epochs_of_the_problem(wrap):
    problem, wrapped = risk(), wrap(risk())
    assert (wrapped.size, wrapped.n, wrapped.steps_per_epoch) == (43, 23, 5)
    for objective in (wrapped, wrapped.loss(1), wrapped.whole):
        assert [block.shape for block in objective.blocks(THETA)] == [block.shape for block in problem.blocks(THETA)]


@WRAPPERS
def test_the_change_is_made_to_the_loss_of_every_step_and_to_the_whole(wrap):
    problem, wrapped = risk(), wrap(risk())
    for inner, outer in [(problem.loss(4), wrapped.loss(4)), (problem.whole, wrapped.whole)]:
        expected = wrap(inner)
        assert outer.value(THETA) == expected.value(THETA)
        assert_array_equal(outer.gradient(THETA), expected.gradient(THETA))
    (t, loss), = [pair for pair, _ in zip(wrapped.losses(after=6), range(1))]
    assert t == 7 and loss.value(THETA) == wrapped.loss(7).value(THETA)


@WRAPPERS
def test_single_precision_stays_single(wrap):
    theta = THETA.astype(np.float32)
    for objective in (wrap(risk()).loss(1), wrap(risk()).whole):
        assert objective.gradient(theta).dtype == np.float32 and isinstance(objective.value(theta), float)
        for kind in KINDS:
            assert (getattr(objective, kind)(theta) @ V.astype(np.float32)).dtype == np.float32


@WRAPPERS
def test_wrapping_changes_nothing_about_the_problem_itself(wrap):
    problem = risk()
    before = problem.loss(1).gradient(THETA)
    wrapped = wrap(problem)
    wrapped.loss(1).gradient(THETA), wrapped.whole.gradient(THETA)
    assert_array_equal(problem.loss(1).gradient(THETA), before)
    assert wrapped.problem is problem


def test_wrappers_go_around_each_other():
    problem = risk()
    outer = Clipped(Ridge(Lasso(problem, 0.2), 0.5), norm=0.1)
    loss = outer.loss(2)
    g = problem.loss(2).gradient(THETA) + 0.2 * np.sign(THETA) + 0.5 * THETA
    assert_allclose(loss.gradient(THETA), 0.1 * g / np.linalg.norm(g))
    assert_allclose(loss.hessian(THETA) @ V, problem.loss(2).hessian(THETA) @ V + 0.5 * V)
    price = 0.2 * np.abs(THETA).sum() + 0.25 * THETA @ THETA
    assert_allclose(outer.whole.value(THETA), problem.whole.value(THETA) + price)
    assert_allclose(loss.value(THETA), problem.loss(2).value(THETA) + price)
    assert outer.steps_per_epoch == 5 and outer.size == 43


def test_the_order_of_clipping_and_the_price_matters():
    problem, theta = Slope(30.0, 40.0), np.array([1.0, 1.0])
    assert_allclose(Ridge(Clipped(problem, norm=5), 2).gradient(theta), [5, 6])
    assert_allclose(Clipped(Ridge(problem, 2), norm=5).gradient(theta), 5 * np.array([32, 42]) / np.hypot(32, 42))


def test_a_problem_that_is_the_same_at_every_step_can_be_wrapped():
    ridge = Ridge(Slope(1.0, 2.0), 3)
    assert_array_equal(ridge.loss(5).gradient(np.ones(2)), [4, 5])


@WRAPPERS
def test_a_wrapped_problem_can_be_copied(wrap):
    wrapped = wrap(risk())
    for other in (copy.copy(wrapped), copy.deepcopy(wrapped)):
        assert other.loss(1).value(THETA) == wrapped.loss(1).value(THETA)


def test_what_the_problem_does_not_have_its_wrapper_does_not_have_either():
    with pytest.raises(AttributeError, match="residuals"):
        Ridge(risk(), 1).residuals
    with pytest.raises(AttributeError, match="whole"):
        Ridge(Slope(1.0), 1).whole
    with pytest.raises(NotImplementedError, match="Slope is not a likelihood"):
        Ridge(Slope(1.0), 1).fisher(np.ones(1))


@pytest.mark.parametrize("wrap", [Ridge, Lasso])
def test_a_strength_of_zero_changes_nothing(wrap):
    problem = risk().loss(1)
    assert wrap(problem, 0).value(THETA) == problem.value(THETA)
    assert_array_equal(wrap(problem, 0).gradient(THETA), problem.gradient(THETA))


@pytest.mark.parametrize("wrap", [Ridge, Lasso])
@pytest.mark.parametrize("strength", [-1, float("nan"), float("inf"), "much", None])
def test_a_strength_must_be_a_number(wrap, strength):
    with pytest.raises(ValueError, match="strength must be a number of at least 0, and is"):
        wrap(linear(3), strength)


# ------------------------------------------------------------------------------------------------------------ mistakes

def test_a_wrapped_problem_says_what_is_changed_and_what_is_inside():
    inside = Quadratic(np.diag([2.0, 4.0]))
    assert repr(Ridge(inside, 0.5)) == f"<Ridge(strength=0.5) of {inside!r}>"
    clipped = Clipped(inside, norm=2.0)
    assert repr(clipped) == f"<Clipped(norm=2.0) of {inside!r}>"
    assert repr(Noisy(clipped, 0.1)) == f"<Noisy(sigma=0.1, seed=0) of {clipped!r}>"


MISTAKES = [
    ("Clipped.gradient", "infinity is cut down to size as any number is",
     "if not np.isfinite(g).all():",
     "if False:",
     "test_a_derivative_that_is_not_finite_is_so_after_clipping_as_before"),
    ("Clipped.gradient", "† min(g, th), which leaves -100 as it is",
     "np.clip(g, -self.element, self.element)",
     "np.minimum(g, self.element)",
     "test_every_number_of_a_gradient_is_cut_off_at_element"),
    ("Clipped.gradient", "short gradients are made longer",
     "self.norm * unit(g) if norm(g) > self.norm else g",
     "self.norm * unit(g)",
     "test_a_short_gradient_stays_as_it_is"),
    ("Ridge.gradient", "twice the strength, as for a penalty without the half",
     "self.strength * theta",
     "2 * self.strength * theta",
     "test_the_gradient_of_ridge_is_the_derivative_of_its_value"),
    ("Ridge.hessian", "the penalty has no curvature",
     "damped(self.problem.hessian(theta), self.strength)",
     "self.problem.hessian(theta)",
     "test_ridge_adds_its_strength_to_the_diagonal"),
    ("Lasso.proximal", "small parameters are pulled through zero",
     "np.maximum(np.abs(theta) - lr * self.strength, 0)",
     "(np.abs(theta) - lr * self.strength)",
     "test_soft_thresholding_minimises_the_price_and_the_squared_distance"),
]


# ----------------------------------------------------------------------------------------------------------- noise
def test_the_noise_is_a_function_of_the_seed_and_the_step_alone():
    theta = np.array([1.0, 2.0])
    noisy = Noisy(Beale(), sigma=0.5, seed=3)
    later = noisy.loss(9).gradient(theta)
    first = noisy.loss(1).gradient(theta)
    assert np.array_equal(Noisy(Beale(), 0.5, seed=3).loss(1).gradient(theta), first)
    assert np.array_equal(noisy.loss(9).gradient(theta), later)
    assert not np.array_equal(first, later)
    assert not np.array_equal(Noisy(Beale(), 0.5, seed=4).loss(1).gradient(theta), first)
    assert_allclose(noisy.loss(9).gradient(2 * theta) - Beale().gradient(2 * theta), later - Beale().gradient(theta))


def test_around_another_problem_a_wrapper_takes_as_many_numbers_as_that():
    assert Ridge(Quadratic(np.eye(2)), 0.1).around(Quadratic(np.eye(3))).size == 3


@pytest.mark.parametrize("wrap", [Wrapped, Counted, lambda problem: Ridge(problem, 0.1)])
def test_labels_are_drawn_with_the_seed_that_a_wrapper_is_given(wrap):
    batch, theta = risk().loss(1), np.random.default_rng(1).standard_normal(NETWORK.size)
    wrapped = wrap(batch)
    for seed in 1, [2, 3]:
        g = batch.sampled_gradient(theta, seed)
        assert_allclose(wrapped.sampled_gradient(theta, seed), g)
        assert_allclose(wrapped.sampled_gradient(theta, seed=seed), g)
        assert not np.allclose(g, batch.sampled_gradient(theta))
        for (A, G), (B, H) in zip(wrapped.kronecker_factors(theta, seed=seed), batch.kronecker_factors(theta, seed)):
            assert_allclose(A, B)
            assert_allclose(G, H)


ASKED_WITH = {  # whatever a mini-batch is asked with
    "fisher": [{"samples": 2}, {"samples": 2, "seed": 5}], "sampled_gradient": [{"seed": 5}],
    "per_example_gradients": [{"dz": np.ones((5, 3))}], "fisher_rows": [{"seed": 5}, {"labels": "exact"}],
    "kronecker_factors": [{"seed": 5}, {"labels": "exact"}, {"labels": "data", "form": "reduce"}],
    "fisher_moments": [{"seed": 5, **TURNED}, {"labels": "exact", **TURNED}]}
UNCHANGED = [Wrapped, Counted, lambda batch: Ridge(batch, 0.0), lambda batch: Lasso(batch, 0.0),
             lambda batch: Clipped(batch, norm=1e9), lambda batch: Tilted(batch, np.zeros(batch.size))]


def all_of(answer):
    """All the numbers of an answer, of a matrix those of its products with V."""
    if isinstance(answer, (list, tuple)):
        return np.concatenate([all_of(one) for one in answer])
    return np.ravel(answer if isinstance(answer, np.ndarray) else answer @ V)


def test_what_a_mini_batch_can_be_asked_with_is_written_down():
    found = {name: {key for key in inspect.signature(method).parameters if key not in ("self", "theta")}
             for name, method in vars(MiniBatch).items() if inspect.isfunction(method) and name[0] != "_"
             and list(inspect.signature(method).parameters)[1:2] == ["theta"]}
    internal = "backward", "through_outputs", "of_gradients", "compilable", "layers_and_parts"
    assert {name: keys for name, keys in found.items() if keys and name not in internal} == {
        name: {key for how in hows for key in how} for name, hows in ASKED_WITH.items()}


@pytest.mark.parametrize("wrap", UNCHANGED)
@pytest.mark.parametrize("question", ASKED_WITH)
def test_a_wrapper_passes_on_whatever_the_problem_inside_is_asked_with(wrap, question):
    batch = risk().loss(1)
    plain = getattr(batch, question)(THETA, **({} if question != "fisher_moments" else TURNED))
    for how in ASKED_WITH[question]:
        inside, outside = (all_of(getattr(each, question)(THETA, **how)) for each in (batch, wrap(batch)))
        assert_allclose(outside, inside, atol=1e-12)
        assert inside.shape != all_of(plain).shape or not np.allclose(inside, all_of(plain))


def test_noise_is_added_to_the_mini_batch_of_the_step():
    batches = risk()
    noisy, theta = Noisy(batches, sigma=0.5, seed=3), np.random.default_rng(1).standard_normal(batches.size)
    for t in 1, 2, 3:
        noise = [noisy.loss(t).gradient(at) - batches.loss(t).gradient(at) for at in (theta, 2 * theta)]
        assert_allclose(*noise, atol=1e-12)
        assert np.abs(noise[0]).max() > 0.5


def test_the_mean_of_the_noise_is_zero_and_its_covariance_sigma_squared():
    theta, sigma, n = np.array([1.0, 2.0]), 0.5, 4000
    noisy = Noisy(Beale(), sigma, seed=1)
    noise = np.array([noisy.loss(t).gradient(theta) for t in range(1, n + 1)]) - Beale().gradient(theta)
    assert np.abs(noise.mean(axis=0)).max() < 4 * sigma / np.sqrt(n)
    assert_allclose(noise.T @ noise / n, sigma**2 * np.eye(2), atol=6 * sigma**2 / np.sqrt(n))


def test_each_noisy_loss_has_the_gradient_it_says_and_the_curvature_of_the_problem():
    theta = np.array([1.0, 2.0])
    loss = Noisy(Beale(), sigma=3.0, seed=5).loss(2)
    differences = [(loss.value(theta + h) - loss.value(theta - h)) / 2e-6 for h in 1e-6 * np.eye(2)]
    assert_allclose(loss.gradient(theta), differences, rtol=1e-7)
    assert np.array_equal(loss.hessian(theta), Beale().hessian(theta))
    f, g = loss.value_and_gradient(theta)
    assert f == loss.value(theta) and np.array_equal(g, loss.gradient(theta))
    assert loss.gradient(theta.astype(np.float32)).dtype == np.float32 and type(f) is float


def test_asked_itself_a_noisy_problem_answers_without_noise():
    theta = np.array([1.0, 2.0])
    noisy = Noisy(Beale(), sigma=3.0)
    assert noisy.value(theta) == Beale().value(theta) and noisy.size == 2
    assert np.array_equal(noisy.gradient(theta), Beale().gradient(theta))
    assert_allclose(Noisy(Beale(), sigma=0).loss(7).gradient(theta), Beale().gradient(theta))


@pytest.mark.parametrize("sigma", [-1, float("nan"), float("inf"), "much", None])
def test_a_standard_deviation_must_be_a_number(sigma):
    with pytest.raises(ValueError, match="a standard deviation is a number of at least 0"):
        Noisy(Beale(), sigma)
