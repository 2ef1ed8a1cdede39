"""The report on a loop: what is right passes, and each broken law is named."""
from functools import partial

import numpy as np
import pytest

import numopt.check
from numopt.check import optimizer as check
from numopt.check.laws import Case, keeps_precision, problems
from numopt.optimizer import optimizer
from numopt.optimizers import adam, gradient_descent, newton
from numopt.problems import EmpiricalRisk, Function, Quadratic, Rosenbrock
from numopt.networks import mlp
from numopt.schedules import schedule

EVERYTHING = {}


@optimizer
def late(problem, theta, *, lr=0.1, t=0):
    """Momentum from the sixth step on, which nobody is told of."""
    lr, v = schedule(lr), 0.0
    for t, loss in problem.losses(after=t):
        v = (0.5 if t > 5 else 0.0) * v - lr(t) * loss.gradient(theta)
        theta = theta + v
        yield theta


@optimizer
def yogi(problem, theta, *, lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-3, t=0, m=0.0, v=1e-6):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = beta1 * m + (1 - beta1) * g
        v = v - (1 - beta2) * np.sign(v - g**2) * g**2
        theta = theta - lr(t) * m / (np.sqrt(v) + eps)
        yield theta


@optimizer
def climbing(problem, theta, *, lr=0.1, t=0):
    for t, loss in problem.losses(after=t):
        theta = theta + lr * loss.gradient(theta)
        yield theta


@optimizer
def at_random(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - lr(t) * loss.gradient(theta) * np.random.default_rng().uniform(0.5, 1.5)
        yield theta


@optimizer
def with_a_global(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        EVERYTHING[len(EVERYTHING)] = 1
        theta = theta - lr(t) * loss.gradient(theta) / (1 + len(EVERYTHING) / 1000)
        yield theta


@optimizer
def forgetful(problem, theta, *, lr=0.1, t=0):
    lr, v = schedule(lr), 0.0
    for t, loss in problem.losses(after=t):
        v = 0.5 * v - lr(t) * loss.gradient(theta)
        theta = theta + v
        yield theta


@optimizer
def from_the_start(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses():
        theta = theta - lr(t) * loss.gradient(theta)
        yield theta


@optimizer
def in_double(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - lr(t) * np.float64(0.5) * loss.gradient(theta)
        yield theta


@optimizer
def asked_once(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    rate = lr(1)
    for t, loss in problem.losses(after=t):
        theta = theta - rate * loss.gradient(theta)
        yield theta


@optimizer
def asked_in_vain(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - (lr(t) and lr(1)) * loss.gradient(theta)
        yield theta


@optimizer
def at_random_later(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - lr(t) * loss.gradient(theta) * (np.random.default_rng().uniform(0.5, 1.5) if t > 7 else 1.0)
        yield theta


@optimizer
def decaying(problem, theta, *, lr=0.1, power=0.5, t=0):
    """It goes on from t with a number of its own that t tells, and rebinds it all the same."""
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        power = 1.0 / (1 + t)
        theta = theta - lr(t) * power * loss.gradient(theta)
        yield theta


@optimizer
def idle(problem, theta, *, lr=0.1, t=0, share=0.5):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - share * lr(t) * loss.gradient(theta)
        yield theta


@optimizer
def a_list_later(problem, theta, *, lr=0.1, t=0, norms=()):
    """A new list at the first steps, and then one and the same."""
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        norms = [*norms, 1.0] if t < 5 else norms.append(1.0) or norms
        theta = theta - lr(t) * g / (1 + len(norms))
        yield theta


@optimizer
def a_list(problem, theta, *, lr=0.1, t=0, norms=()):
    lr, norms = schedule(lr), list(norms)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        norms.append(float(g @ g))
        norms = norms
        theta = theta - lr(t) * g / (1 + len(norms))
        yield theta


@optimizer
def changing(problem, theta, *, lr=0.1, t=0, v=0.0):
    for t, loss in problem.losses(after=t):
        lr = 0.99 * schedule(lr)(t)
        theta = theta - lr * loss.gradient(theta)
        yield theta


@optimizer
def in_place(problem, theta, *, lr=0.1, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta).copy()
        g[g > 1] = 1
        theta = theta - lr(t) * g
        yield theta


@optimizer
def remembering_in_double(problem, theta, *, lr=0.1, t=0, past=()):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        past = (*past, g.astype(float))[-2:]
        theta = theta - lr(t) * g
        yield theta


@optimizer
def asked_too_early(problem, theta, *, lr=0.1, t=0):
    """The first steps have the rate of the third."""
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        theta = theta - (lr(t) and lr(max(t, 3))) * loss.gradient(theta)
        yield theta


BREAKS = {
    climbing: "it learns", at_random: "the same run twice", with_a_global: "nothing from another run",
    forgetful: "interrupted, saved and continued", from_the_start: "interrupted, saved and continued",
    late: "interrupted, saved and continued", in_double: "keeps the precision",
    at_random_later: "the same run twice", asked_in_vain: "a schedule is asked", decaying: "what the loop rebinds",
    remembering_in_double: "keeps the precision", asked_too_early: "a schedule is asked",
    asked_once: "a schedule is asked", a_list: "not written over", a_list_later: "not written over",
    changing: "what the loop rebinds", idle: "what the loop rebinds", in_place: "writes into no array"}


def test_a_right_loop_of_ones_own_keeps_all_laws():
    report = check(yogi)
    assert report.holds, report
    assert str(report).startswith("yogi: all laws hold\nholds   it learns: the loss went from 1.")
    assert len(report) == 9
    assert any(finding.likely for finding in report)  # which is advice for what is broken, and said only then
    assert not any(finding.likely and finding.likely in str(report) for finding in report)


@pytest.mark.parametrize("loop", BREAKS, ids=lambda loop: loop.__name__)
def test_a_broken_law_is_named_with_the_likely_mistake(loop):
    broken = {finding.law: finding for finding in check(loop) if finding.holds is False}
    law, = [law for law in broken if BREAKS[loop] in law]
    assert broken[law].likely and broken[law].likely in str(check(loop))
    assert "BROKEN" in str(broken[law])


@pytest.mark.parametrize("held", [lambda x: x, lambda x: (1, x), lambda x: [x], lambda x: {"pair": [(1, x)]}])
def test_the_precision_of_an_array_is_looked_at_however_deep_in_the_memory_it_is(held):
    @optimizer
    def loop(problem, theta, *, dtype=None, t=0, kept=None):
        for t, loss in problem.losses(after=t):
            g = loss.gradient(theta)
            kept = held(g.astype(dtype or theta.dtype)) if t else kept
            theta = theta - 0.1 * g
            yield theta

    (what, (problem, theta)), *_ = problems().items()
    finding = keeps_precision(Case(partial(loop, dtype=float), loop, what, problem, theta, False))
    assert finding.holds is False and "kept became float64" in finding.seen
    assert keeps_precision(Case(partial(loop), loop, what, problem, theta, False)).holds


def test_a_report_counts_and_is_readable():
    report = check(in_double)
    assert not report.holds and str(report).splitlines()[0] == "in_double: 1 law broken"
    assert repr(report) == str(report)


def test_a_loop_without_the_decorator_is_told_so():
    def plain(problem, theta, *, t=0):
        yield theta

    assert "write @optimizer above def plain" in str(check(plain))


def test_a_method_is_known_by_name_with_settings_and_on_a_problem_of_ones_own():
    assert check("gradient_descent").holds
    assert check(partial(adam, lr=0.02), Rosenbrock()).holds
    assert "the given problem" in str(check(newton, Quadratic(np.diag([1.0, 5.0])), theta=[3.0, 4.0]))
    assert check(gradient_descent, EmpiricalRisk(mlp([2, 2]), np.eye(2), [0, 1]))[0].holds
    with pytest.raises(ValueError, match="say where to start, with theta="):
        check(gradient_descent, Function(lambda theta: theta @ theta))
    with pytest.raises(AttributeError, match="there is adam"):
        check("admm")


def test_a_loss_that_is_no_number_where_it_got_to_is_not_learned():
    hole = Function(lambda theta: theta @ theta if theta @ theta > 1 else np.nan, lambda theta: 2 * theta)
    learned = check(partial(gradient_descent, lr=0.1), hole, theta=[3.0, 4.0])[0]
    assert learned.holds is False and "to nan in" in learned.seen


def test_settings_with_which_it_does_not_learn_stay_as_they_are_given():
    assert not check(partial(gradient_descent, lr=0.0)).holds


def test_the_package_hands_on_what_it_checks():
    assert {"optimizer", "check_gradient", "network_errors", "table", "main"} <= set(dir(numopt.check))
