"""Lecture 2 in tests, where it is about rates that change."""
from functools import partial
from itertools import product
from math import inf, nan, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.optimizers import gradient_descent
from numopt.problems import Quadratic
from numopt.record import load, path, record, save
from numopt.schedules import (
    constant, cosine, exponential, inverse_time, one_cycle, piecewise_linear, reduce_on_plateau, schedule, step,
    warm_up, warmup_stable_decay)


def rates(lr, count, start=1):
    return np.array([lr(t) for t in range(start, start + count)])


# ------------------------------------------------------------------------------------------------- each by hand

def test_a_constant_rate_is_the_same_at_every_step():
    assert_array_equal(rates(constant(0.3), 100), 0.3)


def test_the_line_of_goodfellow_reaches_its_end_at_tau_and_stays_there():
    assert_allclose(rates(piecewise_linear(1.0, 0.2, 4), 6), [0.8, 0.6, 0.4, 0.2, 0.2, 0.2])
    assert_allclose(rates(piecewise_linear(0.5, 0.99, 2), 3), [0.745, 0.99, 0.99])  # a momentum that rises


def test_steps_fall_after_every_so_many_and_not_before():
    assert_allclose(rates(step(1.0, every=3), 7), [1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    assert_allclose(rates(step(1.0, every=2, factor=0.5), 5), [1, 1, 0.5, 0.5, 0.25])


def test_an_exponential_rate_falls_by_the_same_factor_at_every_step():
    assert_allclose(rates(exponential(2.0, 0.5), 4), [2, 1, 0.5, 0.25])
    assert_allclose(exponential(2.0, 0.5)(1001), 2 * 0.5**1000)
    assert_allclose(step(2.0, every=4, factor=0.5)(4001), 2 * 0.5**1000)


def test_the_inverse_time_of_ravaut_and_gorti():
    assert_allclose(rates(inverse_time(eta=6.0, beta=2.0), 4), [2, 1.5, 1.2, 1])


def test_a_cosine_begins_level_is_half_way_down_in_the_middle_and_ends_level():
    lr = cosine(3.0, steps=100, least=1.0)
    assert_allclose([lr(1), lr(51), lr(101), lr(1000)], [3, 2, 1, 1])
    assert_allclose(lr(26), 2 + 1 / sqrt(2))
    assert_allclose(lr(1 + 30) + lr(1 + 70), 4)
    assert (np.diff(rates(lr, 101)) < 0).all()
    assert -np.diff(rates(lr, 101))[[0, -1]].max() < np.ptp(rates(lr, 101)) / 1000


def test_a_rate_that_is_stable_rises_stays_and_falls_to_its_least_at_the_last_step():
    rate = warmup_stable_decay(0.4, steps=20, rise=3, fall=5, least=0.1)
    assert_allclose([rate(t) for t in (1, 2, 3)], [0.1, 0.2, 0.3])
    assert [rate(t) for t in range(4, 16)] == [0.4] * 12
    assert_allclose([rate(t) for t in range(16, 23)], [0.34, 0.28, 0.22, 0.16, 0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="rise and fall are 3 and 5 steps, and there are 7"):
        warmup_stable_decay(0.4, steps=7, rise=3, fall=5)


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_one_cycle_rises_from_a_25th_in_three_tenths_and_ends_ten_thousand_times_below_that(steps):
    rate = one_cycle(0.5, steps)
    rates = np.array([rate(t) for t in range(1, steps + 1)])
    assert_allclose(rates[[0, 3 * steps // 10 - 1, -1]], [0.02, 0.5, 0.02e-4])
    turned = int(rates.argmax())
    assert (np.diff(rates[:turned + 1]) > 0).all() and (np.diff(rates[turned:]) < 0).all()
    assert_allclose(rates[turned // 2] + rates[turned - turned // 2], 0.52)  # a cosine is even about its middle
    assert rate(steps + 7) == rate(steps)


def test_one_cycle_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    descent = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    theirs = torch.optim.lr_scheduler.OneCycleLR(descent, max_lr=0.5, total_steps=40)
    ours = one_cycle(0.5, 40)
    for t in range(1, 40):
        assert_allclose(theirs.get_last_lr(), ours(t))
        descent.step(), theirs.step()


def test_the_shortest_and_the_widest_that_a_schedule_can_be_made_of():
    """All of the steps may rise and fall; a cycle may be of two steps, and begin at its top, or end there."""
    triangle = warmup_stable_decay(1.0, 6, 2, 4)
    assert_allclose([triangle(t) for t in range(1, 8)], [1 / 3, 2 / 3, 0.75, 0.5, 0.25, 0, 0], atol=1e-12)
    falling = warmup_stable_decay(1.0, 4, 0, 4, least=0.2)
    assert_allclose([falling(t) for t in range(1, 6)], [0.8, 0.6, 0.4, 0.2, 0.2])
    with pytest.raises(ValueError, match="rise and fall are 3 and 4 steps, and there are 6"):
        warmup_stable_decay(1.0, 6, 3, 4)
    end = 1 / 25 * 1e-4
    assert_allclose([one_cycle(1.0, 2)(t) for t in (1, 2, 3)], [1, end, end])
    level = one_cycle(1.0, 9, share=0.0)
    assert_allclose([level(t) for t in (1, 5, 9)], [1, (1 + end) / 2, end])
    for schedule_of in (lambda steps: one_cycle(1.0, steps)), (lambda steps: one_cycle(1.0, 9, share=steps)):
        with pytest.raises(ValueError):
            schedule_of(1)


def test_the_numbers_that_need_not_be_given_are_those_of_who_is_quoted():
    """Of PyTorch: StepLR, ReduceLROnPlateau, OneCycleLR."""
    assert reduce_on_plateau.__init__.__defaults__ == (0.1, 10, 1e-4)
    assert step.__defaults__ == (0.1,) and one_cycle.__defaults__ == (0.3, 1 / 25, 1e-4)
    assert cosine.__defaults__ == warmup_stable_decay.__defaults__ == (0.0,)


def test_after_a_cut_the_waiting_begins_anew():
    lr, cuts = reduce_on_plateau(1.0, factor=0.5, patience=3), []
    for value in [1.0] * 10:
        lr.saw(value)
        cuts.append(lr.reductions)
    assert cuts == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_a_warm_up_rises_along_a_line_to_the_rate_and_then_follows_it_from_its_start():
    assert_allclose(rates(warm_up(1.0, steps=3), 6), [0.25, 0.5, 0.75, 1, 1, 1])
    assert_allclose(rates(warm_up(exponential(8.0, 0.5), steps=1), 4), [4, 8, 4, 2])
    assert_allclose(rates(warm_up(exponential(8.0, 0.5), steps=3), 6), [2, 4, 6, 8, 4, 2])


def test_the_harmonic_series_meets_the_conditions_of_robbins_and_monro():
    # Σ η / (β + t) grows by about η log 2 with every doubling, for ever; Σ of its squares is below η² / β
    a = rates(inverse_time(2.0, 5.0), 2**15)
    sums = np.cumsum(a)[2**np.arange(8, 16) - 1]
    assert_allclose(np.diff(sums), 2 * np.log(2), rtol=0.02)
    assert np.sum(a**2) < 2.0**2 / 5.0


def test_the_constant_end_that_ravasis_lecture_recommends_breaks_the_condition_it_states():
    a = rates(piecewise_linear(1.0, 0.01, 100), 20000)
    squares = np.cumsum(a**2)
    assert_allclose(squares[19999] - squares[9999], 10000 * 0.01**2)  # as much in every ten thousand steps to come


# --------------------------------------------------------------------------------------------- number or function

def test_a_number_is_a_schedule_and_a_function_is_one_too():
    assert schedule(0.1)(5) == 0.1 and schedule(lambda t: 1 / t)(4) == 0.25


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.array(0.5), 1])
def test_whatever_the_number_was_the_rate_is_a_python_float(number):
    assert type(schedule(number)(1)) is float and type(schedule(lambda t: number)(1)) is float


@pytest.mark.parametrize("bad", [-0.1, nan, inf, -inf])
def test_a_rate_has_to_be_a_number_of_at_least_zero(bad):
    with pytest.raises(ValueError, match="lr must be at least 0 and below inf, and is"):
        schedule(bad)
    for make in (constant, partial(exponential, decay=0.5), partial(step, every=3), partial(cosine, steps=3),
                 partial(piecewise_linear, a_tau=0.1, tau=3), partial(inverse_time, beta=1.0), reduce_on_plateau):
        with pytest.raises(ValueError, match="must be at least 0"):
            make(bad)


@pytest.mark.parametrize("bad", ["fast", None, [0.1, 0.2], {}])
def test_what_is_no_number_is_no_rate(bad):
    with pytest.raises(TypeError, match="lr must be a number or a function of t, not"):
        schedule(bad)
    with pytest.raises(TypeError, match="lr, which the schedule gives at t = 7, must be a number"):
        schedule(lambda t: bad)(7)


def test_a_schedule_that_becomes_negative_says_at_which_t():
    lr = schedule(lambda t: (3 - t) / 10)
    assert_allclose(rates(lr, 2), [0.2, 0.1])
    with pytest.raises(ValueError, match="lr, which the schedule gives at t = 4, must be at least 0 .* is -0.1"):
        lr(4)


def test_a_bound_from_above_is_kept_and_the_name_is_the_one_that_was_given():
    with pytest.raises(ValueError, match="mu must be at least 0 and below 1, and is 1.0"):
        schedule(1, "mu", below=1)
    with pytest.raises(ValueError, match="mu, which the schedule gives at t = 2, must be at least 0 and below 1"):
        schedule(lambda t: t / 2, "mu", below=1)(2)


@pytest.mark.parametrize("bad", [0, -3, 2.5, nan, inf, "3", None])
def test_lengths_are_whole_numbers_of_at_least_one(bad):
    for make in (partial(step, 1.0), partial(cosine, 1.0), partial(warm_up, 1.0), partial(piecewise_linear, 1.0, 0.1)):
        with pytest.raises(ValueError, match="must be a whole number of at least 1, and is"):
            make(bad)
    if bad != 0:
        with pytest.raises(ValueError, match="patience must be a whole number of at least 0, and is"):
            reduce_on_plateau(1.0, patience=bad)


def test_a_rate_is_asked_for_by_the_number_of_the_mini_batch():
    asked = []
    run = gradient_descent(Quadratic(np.eye(1)), [1.0], lr=lambda t: asked.append(t) or 0.1, t=40)
    path(run, 3)
    assert asked == [41, 42, 43]


# ------------------------------------------------------------------------------------------------ reduce_on_plateau

@pytest.mark.parametrize("patience, looks", [(0, 1), (1, 1), (2, 2), (3, 3), (10, 10)])
def test_the_rate_is_cut_at_the_last_of_patience_looks_without_a_fall(patience, looks):
    lr = reduce_on_plateau(1.0, factor=0.5, patience=patience)
    lr.saw(5.0)
    rates = [lr.saw(5.0) or lr(1) for _ in range(2 * looks)]
    assert rates == [1.0] * (looks - 1) + [0.5] * looks + [0.25]


def test_a_fall_begins_the_waiting_anew():
    lr = reduce_on_plateau(1.0, factor=0.5, patience=3)
    seen = []
    for loss in [5, 5, 5, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3]:
        lr.saw(loss)
        seen.append(lr(1))
    assert seen == [1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_a_fall_within_the_tolerance_does_not_count():
    lr = reduce_on_plateau(1.0, patience=2, tolerance=0.1)
    for loss in [10, 9.5, 9.2]:
        lr.saw(loss)
    assert lr(1) == 0.1
    lr.saw(8.9)
    assert lr.best == 8.9


def test_below_zero_a_loss_still_has_to_fall():
    lr = reduce_on_plateau(1.0, patience=2, tolerance=0.1)
    for loss in [-10, -10.5, -10.9]:  # not below -11
        lr.saw(loss)
    assert lr(1) == 0.1


def test_an_undefined_loss_is_no_fall():
    lr = reduce_on_plateau(1.0, patience=2)
    for loss in [nan, 5.0, nan, nan]:
        lr.saw(loss)
    assert lr.best == 5 and lr(1) == 0.1


def test_a_plateau_that_is_continued_from_its_memory_goes_on_where_it_was(tmp_path):
    losses = [5, 4, 4, 4, 3, 3, 3, 3, 3, 2, 2, 2]
    for cut, patience in product(range(len(losses) + 1), (1, 2, 3)):
        whole, first = reduce_on_plateau(1.0, patience=patience), reduce_on_plateau(1.0, patience=patience)
        for loss in losses[:cut]:
            first.saw(loss)
        save(tmp_path / "plateau.npz", **first.memory)
        second = reduce_on_plateau(1.0, patience=patience, **load(tmp_path / "plateau.npz"))
        for loss in losses[cut:]:
            second.saw(loss)
        for loss in losses:
            whole.saw(loss)
        assert second.memory == whole.memory and second(1) == whole(1)


def test_record_shows_the_plateau_what_it_measures():
    # at a rate of exactly 2 / λ descent bounces and its loss stays; one cut later it converges
    f, lr = Quadratic(np.array([[4.0]])), reduce_on_plateau(0.5, factor=0.5, patience=4)
    seen = record(gradient_descent(f, [1.0], lr=lr), steps=40, measure={"loss": f.value}, plateau=(lr, "loss"))
    assert_array_equal(seen["loss"][:5], 2.0)
    assert lr.reductions >= 1 and seen["loss"][-1] < 1e-12
    watched = reduce_on_plateau(0.1, patience=1)
    record(gradient_descent(f, [1.0], lr=0.1), steps=9, objective=f, measure={"loss": lambda theta: 1.0},
           plateau=(watched, "loss"))
    assert watched.reductions == 9  # the value falls, the loss does not
    with pytest.raises(ValueError, match="plateau watches 'value', which is not measured; measured are loss"):
        record(gradient_descent(f, [1.0]), steps=1, measure={"loss": f.value}, plateau=(lr, "value"))


@pytest.mark.parametrize("settings", [{"factor": 1.0}, {"factor": -0.1}, {"tolerance": 1.0}, {"tolerance": nan}])
def test_a_plateau_refuses_a_factor_that_does_not_cut(settings):
    with pytest.raises(ValueError, match="must be at least 0 and below 1"):
        reduce_on_plateau(1.0, **settings)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("warmup_stable_decay", "it falls to the least a step too early",
     "(steps - t) / fall",
     "(steps - 1 - t) / fall",
     "test_a_rate_that_is_stable_rises_stays_and_falls_to_its_least_at_the_last_step"),
    ("piecewise_linear", "the line goes on below the last rate",
     "min(t / tau, 1.0)",
     "t / tau",
     "test_the_line_of_goodfellow_reaches_its_end_at_tau_and_stays_there"),
    ("piecewise_linear", "the ends are exchanged",
     "(1 - beta) * a_0 + beta * a_tau",
     "beta * a_0 + (1 - beta) * a_tau",
     "test_the_line_of_goodfellow_reaches_its_end_at_tau_and_stays_there"),
    ("step", "the rate falls one step early",
     "(t - 1) // every",
     "t // every",
     "test_steps_fall_after_every_so_many_and_not_before"),
    ("cosine", "the half is missing",
     "(1 + cos(pi * min((t - 1) / steps, 1.0))) / 2",
     "(1 + cos(pi * min((t - 1) / steps, 1.0)))",
     "test_a_cosine_begins_level_is_half_way_down_in_the_middle_and_ends_level"),
    ("cosine", "the rate rises again after the last step",
     "min((t - 1) / steps, 1.0)",
     "(t - 1) / steps",
     "test_a_cosine_begins_level_is_half_way_down_in_the_middle_and_ends_level"),
    ("warm_up", "the schedule has run on while the rate was warming up",
     "after(t - steps)",
     "after(t)",
     "test_a_warm_up_rises_along_a_line_to_the_rate_and_then_follows_it_from_its_start"),
    ("inverse_time", "t is not added but multiplied",
     "eta / (beta + t)",
     "eta / (beta * t)",
     "test_the_inverse_time_of_ravaut_and_gorti"),
    ("warm_up", "the line rises to where the schedule is by now",
     "after(1) * t", "after(t) * t",
     "test_a_warm_up_rises_along_a_line_to_the_rate_and_then_follows_it_from_its_start"),
]
