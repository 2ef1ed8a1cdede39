"""What a run is: an iterator of read-only vectors, with a memory that is a value."""
import copy
import importlib
import pickle
from math import inf, nan

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import numopt.optimizers
from numopt.finite import all_finite
from numopt.line_search import strong_wolfe
from numopt.optimizer import Diverged, optimizer
from numopt.optimizers import (
    adam, bfgs, delta_bar_delta, gradient_descent, lookahead, momentum, nadam, polyak, rprop)
from numopt.problems import Function, Objective, Quadratic
from numopt.record import path, record
from numopt.schedules import schedule

BOWL, START = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]])), [1.0, -2.0]


class Shaky(Objective):
    """The bowl, which raises an error the first time that it is asked for the gradient at step 4."""

    def __init__(self, error):
        self.error, self.t = error, 0

    def loss(self, t):
        self.t = t
        return self

    def gradient(self, theta):
        if self.t == 4 and self.error is not None:
            error, self.error = self.error, None
            raise error
        return BOWL.gradient(theta)


# ------------------------------------------------------------------------------------------------------ iterates

def test_a_run_is_an_iterator_of_iterates():
    run = momentum(BOWL, START)
    assert iter(run) is run
    assert_array_equal([next(run), next(run)], path(momentum(BOWL, START), 2)[1:])
    assert_array_equal(run.theta, path(momentum(BOWL, START), 2)[-1])


def test_the_start_is_copied_and_every_iterate_is_read_only():
    theta = np.array(START)
    run = gradient_descent(BOWL, theta)
    for iterate in (run.theta, next(run), next(run)):
        with pytest.raises(ValueError, match="read-only"):
            iterate[0] = 7
    theta[0] = 7
    assert_array_equal(run.theta, path(gradient_descent(BOWL, START), 2)[-1])
    assert theta.flags.writeable


@pytest.mark.parametrize("theta, dtype", [
    ([1, 2], np.float64), ([1.0, 2.0], np.float64), (np.ones(2, np.float32), np.float32), ((1, 2), np.float64),
    (np.ones(2, int), np.float64), (range(2), np.float64)])
def test_theta_is_single_precision_if_it_came_so_and_double_otherwise(theta, dtype):
    assert gradient_descent(BOWL, theta).theta.dtype == dtype


@pytest.mark.parametrize("optimizer, settings", [
    (gradient_descent, {"lr": np.float64(0.1)}), (momentum, {"mu": np.float64(0.9)}),
    (adam, {"beta1": np.float64(0.9), "beta2": np.float64(0.99), "eps": np.float64(1e-8)}),
    (delta_bar_delta, {"kappa": np.float64(0.1), "rho": np.float64(0.5)}), (rprop, {"lr": np.float64(0.1)})])
def test_hyperparameters_that_are_numpy_numbers_do_not_change_the_precision(optimizer, settings):
    run = optimizer(Quadratic(np.eye(2, dtype=np.float32)), np.ones(2, np.float32), **settings)
    assert path(run, 3).dtype == np.float32


# -------------------------------------------------------------------------------------------- memory and variables

def test_the_memory_is_t_and_the_keywords_after_it():
    run = momentum(BOWL, START)
    assert run.memory == {"t": 0, "v": 0.0}
    next(run)
    assert list(run.memory) == ["t", "v"] and run.memory["t"] == 1
    assert_allclose(run.memory["v"], run.theta - START)


def test_any_variable_of_the_loop_can_be_read_under_its_name():
    run = adam(BOWL, START)
    with pytest.raises(KeyError, match="the loop of adam has no variable 'm_hat' yet; it has beta1, beta2"):
        run["m_hat"]
    next(run)
    assert_allclose(run["m_hat"], BOWL.gradient(np.array(START)))
    with pytest.raises(KeyError, match="no variable 'nonsense'"):
        run["nonsense"]


def test_a_memory_that_was_read_is_not_written_over_by_later_steps():
    run = adam(BOWL, START)
    path(run, 3)
    memory = run.memory
    copies = {name: np.copy(value) for name, value in memory.items()}
    path(run, 5)
    assert all(np.array_equal(memory[name], copies[name]) for name in copies)
    assert run["t"] == 8


def test_two_runs_do_not_share_anything():
    one, other = adam(BOWL, START), adam(BOWL, START)
    path(one, 5)
    assert other.memory == {"t": 0, "m": 0.0, "v": 0.0}
    assert_array_equal(path(other, 5), path(adam(BOWL, START), 5))


def falling(t):
    return 0.1 / t


def test_a_run_says_what_it_is_and_how_far_it_has_got():
    run = adam(BOWL, START)
    path(run, 5)
    assert repr(run) == (f"<adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08) after 5 mini-batches of {BOWL!r}>")
    assert run.name == "adam"
    assert "lr=falling) after 0 mini-batches" in repr(gradient_descent(BOWL, START, lr=falling))
    next(run := gradient_descent(BOWL, START))
    assert "after 1 mini-batch of" in repr(run)
    assert adam.__name__ == "adam" and "Kingma" in adam.__doc__


def test_a_method_of_your_own_is_a_loop_under_the_decorator():
    @optimizer
    def stepping(problem, theta, *, lr=0.5, t=0):
        for t, loss in problem.losses(after=t):
            if t == 4:
                return
            theta = theta + lr
            yield theta

    assert_array_equal(path(stepping(BOWL, [0.0, 1.0]), 10)[:, 0], [0, 0.5, 1, 1.5])


# ---------------------------------------------------------------------------------------------------- bad arguments

def test_an_unknown_keyword_is_answered_with_those_that_there_are():
    with pytest.raises(TypeError, match="momentum has no argument 'beta'; it has lr, mu, t, v"):
        momentum(BOWL, START, beta=0.9)


@pytest.mark.parametrize("name, meant", [
    ("admw", "adam"), ("sgd", "gradient_descent"), ("SGD", "gradient_descent"), ("gd", "gradient_descent"),
    ("heavy_ball", "momentum"), ("HeavyBall", "momentum"), ("RMSprop", "rmsprop"), ("Adam", "adam"), ("AdamW", "adamw"),
    ("cg", "nonlinear_cg"), ("lm", "levenberg_marquardt"), ("LBFGS", "lbfgs"), ("l_bfgs", "lbfgs"),
    ("gradientdescent", "gradient_descent"), ("KFAC", "kfac"), ("GaussNewton", "gauss_newton")])
def test_an_unknown_optimizer_is_answered_with_what_is_meant(name, meant):
    with pytest.raises(AttributeError, match=f"numopt.optimizers has no '{name}'; there is {meant}"):
        getattr(numopt.optimizers, name)
    with pytest.raises(ImportError, match=f"numopt.optimizers has no '{name}'; there is {meant}"):
        exec(f"from numopt.optimizers import {name}")
    assert not hasattr(numopt.optimizers, name)


def test_every_synonym_is_of_a_method_that_there_is():
    assert set(numopt.optimizers.SYNONYMS.values()) <= set(numopt.optimizers.__all__)
    assert not {name.replace("_", "") for name in numopt.optimizers.__all__} & set(numopt.optimizers.SYNONYMS)


@pytest.mark.parametrize("package, name, meant", [
    ("problems", "Rosenbrok", "Rosenbrock"), ("problems", "empirical_risk", "EmpiricalRisk"),
    ("networks", "MLP", "mlp"),
    ("networks", "Relu", "ReLU"), ("linalg", "conjugate_gradients", "conjugate_gradient"),
    ("check", "optimiser", "optimizer")])
def test_a_misspelt_name_is_answered_in_every_room_also_where_it_is_imported(package, name, meant):
    with pytest.raises(AttributeError, match=f"numopt.{package} has no '{name}'; there is {meant}"):
        getattr(importlib.import_module(f"numopt.{package}"), name)
    with pytest.raises(ImportError, match=f"numopt.{package} has no '{name}'; there is {meant}") as error:
        exec(f"from numopt.{package} import {name}")
    assert error.value.name == name
    with pytest.raises(ImportError, match="numopt has no 'problem'; there is problems"):
        exec("from numopt import problem")


@pytest.mark.parametrize("optimizer, name, value, wanted", [
    (gradient_descent, "lr", -0.1, "at least 0"), (gradient_descent, "lr", float("nan"), "at least 0"),
    (gradient_descent, "lr", float("inf"), "at least 0"), (gradient_descent, "lr", "0.1", "at least 0"),
    (gradient_descent, "lr", [0.1, 0.2], "at least 0"), (gradient_descent, "lr", 1j, "at least 0"),
    (momentum, "mu", 1.0, r"in \[0, 1\)"), (momentum, "mu", -0.5, r"in \[0, 1\)"),
    (adam, "beta1", 1, r"in \[0, 1\)"), (adam, "beta2", 1.5, r"in \[0, 1\)"), (adam, "beta2", -1e-9, r"in \[0, 1\)"),
    (adam, "eps", -1e-8, "at least 0"), (adam, "beta1", float("nan"), r"in \[0, 1\)"),
    (delta_bar_delta, "phi", 1.1, r"in \[0, 1\]"), (delta_bar_delta, "kappa", -1, "at least 0"),
    (rprop, "eta_plus", 0.9, "at least 1"), (rprop, "eta_minus", 1.2, r"in \[0, 1\]"), (nadam, "psi", -1, "at least 0"),
    (polyak, "window", 0, "whole number")])
def test_a_hyperparameter_out_of_its_range_is_refused_before_the_first_step(optimizer, name, value, wanted):
    with pytest.raises(ValueError, match=rf"{optimizer.__name__}: {name} is .*; it must be a .*{wanted}"):
        optimizer(BOWL, START, **{name: value})


@pytest.mark.parametrize("t", [-1, 1.5, "3", None, float("nan")])
def test_t_has_to_be_a_number_of_mini_batches(t):
    with pytest.raises(ValueError, match="adam: t is .*counts mini-batches"):
        adam(BOWL, START, t=t)


@pytest.mark.parametrize("lr", [lambda t: -1.0 if t == 3 else 0.1, lambda t: float("nan") if t == 3 else 0.1])
def test_a_schedule_that_gives_a_bad_rate_says_at_which_step(lr):
    run = gradient_descent(BOWL, START, lr=lr)
    with pytest.raises(ValueError, match="lr, which the schedule gives at t = 3, must be at least 0"):
        path(run, 10)
    assert run["t"] == 2


@pytest.mark.parametrize("theta, message", [
    ([[1.0, 2.0]], r"theta must be a vector.* it has shape \(1, 2\)"),
    (3.0, r"theta must be a vector.* it has shape \(\)"), ([], r"theta must be a vector.* it has shape \(0,\)"),
    ([1.0, float("nan")], r"theta\[1\] is nan"),
    ([float("-inf"), 1.0], r"theta\[0\] is -inf"), ([1.0, 2.0, 3.0], "theta has 3 numbers; Quadratic takes 2"),
    ([1j, 2.0], "theta must be real numbers; it was given as complex128"),
    (["1", "2"], "theta must be real numbers; it was given as <U1"),
    ([None, 1.0], "theta must be real numbers; it was given as object")])
def test_a_start_that_is_no_vector_of_finite_numbers_is_refused(theta, message):
    with pytest.raises(ValueError, match="gradient_descent: " + message):
        gradient_descent(BOWL, theta)


def test_a_bare_function_is_refused_with_the_way_to_make_a_problem_of_it():
    def square(theta):
        return theta @ theta

    with pytest.raises(TypeError, match=r"adam needs a problem to minimise .* as numopt.problems.Function\(fun\)"):
        adam(square, START)
    assert_allclose(next(gradient_descent(Function(square), START, lr=0.5)), 0, atol=1e-8)


def test_a_problem_without_a_gradient_says_so():
    class Nothing(Objective):
        """An objective that answers no question."""

    with pytest.raises(NotImplementedError, match="Nothing has no gradient; write its method"):
        next(gradient_descent(Nothing(), START))


# ---------------------------------------------------------------------------------------- steps that are broken off

@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
@pytest.mark.parametrize("optimizer", [momentum, adam, polyak])
def test_a_step_that_is_broken_off_leaves_the_last_whole_one_and_can_be_taken_again(optimizer, error):
    whole = path(optimizer(BOWL, START), 9)
    problem = Shaky(error)
    run = optimizer(problem, START)
    with pytest.raises(type(error)):
        path(run, 9)
    assert_array_equal(run.theta, whole[3])
    assert run["t"] == run.memory["t"] == 3
    again = optimizer(problem, run.theta, **run.memory)
    assert_array_equal(path(again, 6), whole[3:])
    assert_array_equal(path(run, 6), whole[3:])  # the run itself goes on, too


def test_broken_off_in_the_first_step_it_begins_again():
    problem = Shaky(KeyboardInterrupt())
    problem.loss = lambda t: setattr(problem, "t", t + 3) or problem
    run = momentum(problem, START)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert_array_equal(run.theta, START)
    assert_array_equal(next(run), path(momentum(BOWL, START), 1)[-1])


def test_an_iterate_that_is_not_finite_is_not_handed_out():
    run = gradient_descent(Quadratic(np.eye(2) * 10), START, lr=1e200)
    first = next(run)
    with pytest.raises(Diverged, match="gradient_descent became non-finite at step 2") as error:
        next(run)
    assert isinstance(error.value, ArithmeticError) and error.value.t == 2
    assert run.theta is first and run["t"] == 1


def test_numbers_whose_squares_are_too_large_are_still_finite():
    run = gradient_descent(Quadratic(np.eye(2)), [1e200, -1e200], lr=0.5)
    assert_array_equal(next(run), [5e199, -5e199])


def steep(size, dtype=np.float64):
    """A slope so steep, with a gradient of this size."""
    return Function(lambda x: size * float(x.sum()), lambda x: np.full(x.shape, size, x.dtype))


SQUARES = [numopt.optimizers.adagrad, numopt.optimizers.rmsprop, numopt.optimizers.adadelta, adam,
           numopt.optimizers.amsgrad, nadam, numopt.optimizers.adamw, numopt.optimizers.vsgd]


@pytest.mark.parametrize("method", SQUARES)
@pytest.mark.parametrize("size, dtype, precision", [(1e25, np.float32, "single"), (1e200, np.float64, "double")])
@pytest.mark.parametrize("number", [2, 6000])
def test_a_square_that_overflows_is_told_and_does_not_stop_the_method_for_ever(method, size, dtype, precision, number):
    """v would be infinite, and every later step 0; in short vectors as in those that are long enough to compile."""
    run = method(steep(size), np.ones(number, dtype))
    with pytest.raises(Diverged, match=f"at step 1: [sv_bar]+, which it remembers, .* in {precision} prec|at step 1"):
        path(run, 3)
    assert_array_equal(run.theta, 1)
    with pytest.raises(Diverged):  # and again
        next(run)


@pytest.mark.parametrize("number", [2, 6000])
@pytest.mark.parametrize("method", SQUARES)
def test_one_such_gradient_is_told_at_its_step(method, number):
    class Spike(Objective):
        t = 0

        def loss(self, t):
            self.t = t
            return self

        def gradient(self, theta):
            return np.full(number, 1e200 if self.t == 3 else 1.0)

    run = method(Spike(), np.ones(number))
    with pytest.raises(Diverged, match="at step 3") as error:
        path(run, 9)
    assert error.value.t == 3 and run["t"] == 2


@pytest.mark.parametrize("wrong", [nan, inf])
def test_however_deep_in_a_memory_an_array_is_that_is_not_finite_it_is_found(wrong):
    good, bad = np.ones(2), np.array([1.0, wrong])
    for deep in lambda x: x, lambda x: (1, x), lambda x: [good, (x,)], lambda x: {"v": good, "memory": {"m": [x]}}:
        assert all_finite(deep(good)) and not all_finite(deep(bad))
    assert all_finite({"best": inf, "name": "x", "k": np.array([1, 2])})  # a number may be: it is no iterate


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("method", [gradient_descent, adam, momentum, polyak, numopt.optimizers.lbfgs,
                                    numopt.optimizers.soap, numopt.optimizers.vsgd, numopt.optimizers.newton_cg])
def test_where_f_is_not_finite_at_the_start_nobody_is_told_to_take_shorter_steps(method, value):
    f = Function(lambda x: value, lambda x: np.array([0.0, value]), lambda x: np.eye(2))
    run = method(f, START)
    with pytest.raises(Diverged, match=rf"f is {value}, its derivative by theta\[1\] {value}; start where") as error:
        path(run, 30)
    assert "smaller" not in str(error.value)
    assert_array_equal(run.theta, START)


def test_a_run_that_became_infinite_on_its_way_is_told_to_take_shorter_steps():
    run = gradient_descent(Quadratic(np.eye(2) * 10), START, lr=1e200)
    with pytest.raises(Diverged, match="smaller learning rate"):
        path(run, 5)


def test_a_number_that_is_remembered_and_is_none_ends_the_run_and_an_infinite_one_does_not():
    @optimizer
    def remembering(problem, theta, *, t=0, best=inf, worst=0.0):
        for t, loss in problem.losses(after=t):
            worst = nan if t == 3 else worst
            yield theta

    run = remembering(BOWL, START)
    assert len(path(run, 2)) == 3 and run["best"] == inf
    with pytest.raises(Diverged, match="remembering became non-finite at step 3: worst, which it remembers, is not a"):
        next(remembering(BOWL, START, t=2))

    @optimizer
    def forgetful(problem, theta, *, t=0, worst=np.float32(0)):
        for t, loss in problem.losses(after=t):
            worst = np.float32(nan) if t == 3 else worst
            yield theta

    run = forgetful(BOWL, START)
    with pytest.raises(Diverged, match="at step 3: worst") as error:
        path(run, 5)
    assert error.value.t == 3 and run["t"] == 2 and run["worst"] == 0


def test_the_letter_of_a_gradient_in_another_basis_counts_too_and_a_loss_in_an_array():
    for name, value in ("g_hat", np.array([1.0, inf])), ("g", np.array([[nan]])), ("f", np.array(inf)), (
            "f", np.float32(nan)), ("f", -inf):
        @optimizer
        def loop(problem, theta, *, t=0):
            f = g = g_hat = 0.0
            for t, loss in problem.losses(after=t):
                wrong = value if t == 2 else 1.0
                f, g, g_hat = (wrong if letter == name else 1.0 for letter in ("f", "g", "g_hat"))
                yield theta + 0 * bool(f is g is g_hat)

        what = "loss" if name == "f" else "gradient"
        with pytest.raises(Diverged, match=f"loop became non-finite at step 2: the {what} was infinite or undefined"):
            path(loop(BOWL, START), 3)


@pytest.mark.parametrize("error", [OverflowError("too large"), np.linalg.LinAlgError("Eigenvalues did not converge"),
                                   FloatingPointError("undefined")])
def test_numbers_that_become_too_large_within_a_step_end_as_diverged(error):
    run = momentum(Shaky(error), START)
    seen = record(run, steps=9)
    assert (seen.reason, run["t"]) == ("diverged", 3) and str(error) in seen.stopped
    run = momentum(Shaky(np.linalg.LinAlgError("Singular matrix")), START)
    with pytest.raises(np.linalg.LinAlgError):
        path(run, 9)


def test_a_schedule_that_grows_beyond_all_numbers_ends_as_diverged():
    from numopt.schedules import exponential, step
    for lr in exponential(1e-3, 1e300), step(1e-3, 1, 1e300):
        assert record(gradient_descent(Quadratic(np.eye(2) * 1e-300), START, lr=lr), steps=9).reason == "diverged"


@pytest.mark.parametrize("method, name", [(adam, "eps"), (numopt.optimizers.adamw, "eps"), (nadam, "eps"),
                                          (numopt.optimizers.rmsprop, "eps"), (numopt.optimizers.adagrad, "eps"),
                                          (momentum, "lr"), (numopt.optimizers.damped_newton, "damping"),
                                          (numopt.optimizers.adamw, "weight_decay"),
                                          (numopt.optimizers.delta_bar_delta, "least")])
def test_what_single_precision_rounds_to_zero_is_refused_there(method, name):
    with pytest.raises(ValueError, match=f"{name} is 1e-50, which float32 rounds to 0"):
        method(BOWL, np.array(START, np.float32), **{name: 1e-50})
    method(BOWL, START, **{name: 1e-50})
    method(BOWL, np.array(START, np.float32), **{name: 0.0})


def test_a_method_that_has_come_to_its_end_stays_there():
    @optimizer
    def once(problem, theta, *, t=0):
        yield theta + 1

    run = once(BOWL, START)
    assert len(list(run)) == 1 and list(run) == []
    assert record(run, steps=3).reason == "finished"


@pytest.mark.parametrize("wrong", [{"beta1": lambda t: 0.9}, {"beta1": None}, {"lr": True}, {"eps": "small"}])
def test_only_rates_may_be_schedules_and_nothing_may_be_left_open(wrong):
    name, = wrong
    with pytest.raises(ValueError, match=f"adam: {name} is .* must be"):
        numopt.optimizers.adam(Quadratic(np.eye(2)), [1.0, 2.0], **wrong)


def test_a_rate_that_is_remembered_is_checked_where_it_is_a_number():
    with pytest.raises(ValueError, match="rprop: lr is -1"):
        numopt.optimizers.rprop(Quadratic(np.eye(2)), [1.0, 2.0], lr=-1)


def test_small_integers_start_in_double_precision():
    assert gradient_descent(Quadratic(np.eye(2)), np.array([1, 2], np.int8)).theta.dtype == np.float64


def test_a_run_that_diverged_in_another_process_can_say_so_in_this_one():
    sent = pickle.loads(pickle.dumps(Diverged("it became non-finite at step 7", 7)))
    assert sent.t == 7 and str(sent) == "it became non-finite at step 7"


# ------------------------------------------------------------------------------------------------- an author's mistakes

HEAD = "def yogi(problem, theta, *, lr=0.1, t=0, v=0.0):\n"
EACH = "    for t, loss in problem.losses(after=t):\n        g = loss.gradient(theta)\n"


def a_run_of(source, **arguments):
    namespace = {"schedule": schedule, "np": np}
    exec(source, namespace)
    return optimizer(namespace["yogi"])(BOWL, START, **arguments)


@pytest.mark.parametrize("step, seen", [
    ("yield", "None"), ("yield theta, t", "a tuple of 2"), ("yield theta[:, None]", r"an array of shape \(2, 1\)"),
    ("yield theta[:1]", r"an array of shape \(1,\)"), ("yield list(theta)", "a list of 2"),
    ("yield theta + 1j", "complex128"), ("yield np.outer(theta, theta)", r"an array of shape \(2, 2\)"),
    ("yield np.ma.masked_array(theta)", "MaskedArray")])
def test_what_a_loop_yields_that_is_no_iterate_is_named(step, seen):
    with pytest.raises(TypeError, match=f"yogi yielded .*{seen}.*`yield theta`, a vector of 2 numbers"):
        next(a_run_of(HEAD + EACH + f"        {step}\n"))


@pytest.mark.parametrize("step", [
    "theta -= lr * g\n        yield theta", "theta = theta - lr * g\n        yield theta\n        theta[0] = 1",
    "v = v + g if t == 1 else v\n        v += g\n        theta = theta - lr * v\n        yield theta",
    "v = v + g if t == 1 else v\n        theta = theta - lr * v\n        yield theta\n        np.copyto(v, 0)",
    "v = (g,) if t == 1 else v\n        v[0][:] = 1\n        theta = theta - lr * v[0]\n        yield theta"])
def test_writing_into_an_iterate_or_into_what_is_remembered_is_named(step):
    with pytest.raises(ValueError, match="yogi writes into an array, after step [01] of yogi .*make new ones"):
        path(a_run_of(HEAD + EACH + f"        {step}\n"), 3)


def test_a_problem_that_writes_into_its_argument_is_named():
    class Rude(Objective):
        def gradient(self, theta):
            theta *= 2
            return theta

    with pytest.raises(ValueError, match="^gradient writes into an array, after step 0 of adam"):
        next(adam(Rude(), START))


@pytest.mark.parametrize("source, arguments, message", [
    (HEAD + EACH + "        theta = theta - lr * g\n        yield theta", {"lr": lambda t: 0.1},
     r"calculates with lr, .*begin with `lr = schedule\(lr\)`, and write lr\(t\)"),
    (HEAD + "    lr = schedule(lr)\n" + EACH + "        theta = theta - lr * g\n        yield theta", {},
     r"calculates with lr, .*and write lr\(t\)"),
    (HEAD + EACH + "        theta = theta - lr(t) * g\n        yield theta", {},
     r"asks lr for its value at t: begin with `lr = schedule\(lr\)`")])
def test_a_schedule_taken_for_a_number_and_a_number_for_a_schedule_are_named(source, arguments, message):
    with pytest.raises(TypeError, match="yogi " + message):
        next(a_run_of(source, **arguments))


def test_other_errors_within_a_loop_stay_what_they_are():
    with pytest.raises(TypeError, match=r"^unsupported operand type\(s\) for \+: 'int' and 'str'$"):
        next(a_run_of(HEAD + EACH + "        yield 1 + '1'\n"))
    with pytest.raises(TypeError, match=r"^unsupported operand type\(s\) for \+: 'int' and 'str'$"):
        next(a_run_of(HEAD + "    lr = schedule(lr)\n" + EACH + "        yield 1 + '1'\n", lr=lambda t: 0.1))
    with pytest.raises(TypeError, match=r"^'int' object is not subscriptable$"):  # nor is a number taken for a schedule
        next(a_run_of(HEAD + EACH + "        yield t[0]\n"))


# ------------------------------------------------------------------------------------------------- the first gradient

class Answer(Objective):
    """½‖θ‖², whose gradient passes through a function."""

    def __init__(self, change):
        self.change, self.asked = change, 0

    def value(self, theta):
        return float(theta @ theta) / 2

    def gradient(self, theta):
        self.asked += 1
        return self.change(1 * theta)


@pytest.mark.parametrize("change, seen", [
    (lambda g: 0.5, "0.5"), (lambda g: g[:1], r"an array of shape \(1,\)"), (lambda g: np.array(0.5), r"shape \(\)"),
    (lambda g: g + 1j, "complex128"), (lambda g: g[:, None], r"shape \(3, 1\)"), (list, "a list of 3"),
    (lambda g: np.append(g, 1), r"shape \(4,\)"), (lambda g: g.astype(str), "<U"), (lambda g: None, "None"),
    (np.ma.masked_array, "MaskedArray")])
@pytest.mark.parametrize("name", numopt.optimizers.__all__)
def test_a_gradient_that_is_no_vector_of_real_numbers_as_long_as_theta_is_refused(name, change, seen):
    method = getattr(numopt.optimizers, name)
    try:
        next(method(Answer(lambda g: g), np.arange(1.0, 4.0)))
    except (NotImplementedError, TypeError, ValueError):
        return  # it asks for something else first, residuals or a Fisher matrix
    with pytest.raises(ValueError, match=f"the gradient of Answer is .*{seen}.*an array of 3 real numbers"):
        next(method(Answer(change), np.arange(1.0, 4.0)))


def test_gradients_are_looked_at_once_and_by_a_run_alone():
    problem = Answer(lambda g: g)
    run = gradient_descent(problem, START)
    next(run)
    assert "gradient" in vars(run["loss"]) and run["loss"].gradient == problem.gradient
    assert run["loss"].change is problem.change
    path(run, 4)
    assert problem.asked == 5


# -------------------------------------------------------------------------------- rates, hyperparameters and copies

def test_the_rate_of_a_run_is_a_number_at_all_times():
    run = momentum(BOWL, START, lr=lambda t: 1 / t, mu=0.5)
    assert run["lr"] == 1 and run["mu"] == 0.5
    for t in 1, 2, 3:
        next(run)
        assert run["lr"] == 1 / t and run["mu"] == 0.5
    assert adam(BOWL, START)["lr"] == 1e-3


def test_a_function_that_is_no_rate_is_handed_out_as_it_is():
    assert bfgs(BOWL, START)["search"] is strong_wolfe and lookahead(BOWL, START, inner=adam)["inner"] is adam


def test_a_run_names_its_hyperparameters_and_what_can_be_asked_of_it():
    run = adam(BOWL, START, lr=0.1)
    assert run.hyperparameters == {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    next(run)
    assert {"m_hat", "lr", "theta", "g"} <= set(run._ipython_key_completions_())
    assert all(run[name] is not None for name in run._ipython_key_completions_())


@pytest.mark.parametrize("method, settings", [(adam, {"lr": 0.1}), (momentum, {"mu": 0.5}), (polyak, {"window": 2})])
@pytest.mark.parametrize("copied", [lambda run: pickle.loads(pickle.dumps(run)), copy.copy, copy.deepcopy])
def test_a_copy_of_a_run_goes_on_as_it_does(method, settings, copied):
    run = method(BOWL, START, **settings)
    path(run, 3)
    other = copied(run)
    assert_array_equal(path(other, 4), path(run, 4))


def test_a_run_with_a_function_of_its_own_says_why_it_cannot_be_pickled():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(adam(BOWL, START, lr=lambda t: 0.1))


MISTAKES = [
    ("Run.__next__", "what is remembered can be written into",
     "value.setflags(False)",
     "value",
     "test_writing_into_an_iterate_or_into_what_is_remembered_is_named"),
    ("frozen", "arrays in tuples are forgotten",
     "elif isinstance(value, (tuple, list)):",
     "elif isinstance(value, list):",
     "test_writing_into_an_iterate_or_into_what_is_remembered_is_named"),
    ("Run.__getitem__", "the rate of the next step",
     "max(self._variables[\"t\"], 1)",
     "self._variables[\"t\"] + 1",
     "test_the_rate_of_a_run_is_a_number_at_all_times"),
    ("numopt.answers::checked_gradient", "one number for all is let through",
     "g.shape == theta.shape",
     "g.shape != ()",
     "test_a_gradient_that_is_no_vector_of_real_numbers_as_long_as_theta_is_refused"),
    ("Run.__reduce__", "a copy has forgotten its hyperparameters",
     "self.hyperparameters | self.memory",
     "self.memory",
     "test_a_copy_of_a_run_goes_on_as_it_does"),
]
