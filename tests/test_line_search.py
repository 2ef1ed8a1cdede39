"""Line searches in tests: each says something lectures 2, 6, 7 and 8 say."""
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

from numopt.line_search import Step, Trial, backtracking, cubic, exact, slope, strong_wolfe
from numopt.problems import Objective

SEARCHES = [exact, backtracking, strong_wolfe]


class Valley(Objective):
    """A function and its gradient, written down for the test; it counts how often it is asked."""

    def __init__(self, f, g):
        self.f, self.g, self.values, self.gradients = f, g, 0, 0

    def value(self, theta):
        self.values += 1
        return self.f(theta)

    def gradient(self, theta):
        self.gradients += 1
        return self.g(theta)


def quadratic(A, c=0.0):
    return Valley(lambda x: x @ A @ x / 2 + c, lambda x: A @ x)


def rosenbrock():
    return Valley(optimize.rosen, optimize.rosen_der)


def rastrigin():
    return Valley(lambda x: 10 * len(x) + np.sum(x * x - 10 * np.cos(2 * np.pi * x)),
                  lambda x: 2 * x + 20 * np.pi * np.sin(2 * np.pi * x))


def on_a_line(f, slope):
    """A function of one parameter."""
    return Valley(lambda x: f(x[0]), lambda x: np.array([slope(x[0])]))


def random_lines(n, lengths=(0, 1), seed=0):
    """Points with directions downhill on Rosenbrock's function, half of them steepest."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        theta = rng.uniform(-2, 2, rng.integers(2, 8))
        g = optimize.rosen_der(theta)
        p = -g if i % 2 else rng.standard_normal(len(theta))
        yield theta, p * -np.sign(g @ p) * 10.0 ** rng.integers(*lengths), optimize.rosen(theta), g


ONE, MINUS = np.array([1.0]), np.array([-1.0])


# ---- exact

@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 7.0, 1e3, 1e6, 1e12])
def test_on_a_quadratic_the_exact_step_is_the_closed_form(scale):
    rng = np.random.default_rng(0)
    M = rng.standard_normal((6, 6))
    A, theta = scale * (M @ M.T + np.eye(6)), rng.standard_normal(6)
    g = A @ theta
    alpha, f, g_new = exact(quadratic(A), theta, -g)
    assert_allclose(alpha, (g @ g) / (g @ A @ g), rtol=1e-12)
    assert_allclose(g_new, g - alpha * A @ g, atol=1e-9 * np.linalg.norm(g))
    assert_allclose(f, (theta - alpha * g) @ A @ (theta - alpha * g) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share, trials", [(0.9, 1), (-0.9, 1), (1.1, 2), (-1.1, 2)])
def test_a_slope_is_zero_if_it_is_the_root_of_the_precision_of_what_it_was(dtype, share, trials):
    bend = 4 + 4 * share * np.finfo(dtype).eps**0.5  # so the slope begins at -4 and is zero a little before or behind 1
    loss = Valley(lambda x: bend * x[0]**2 / 2 - 4 * x[0], lambda x: np.array([bend * float(x[0]) - 4], dtype))
    exact(loss, np.zeros(1, dtype), np.ones(1, dtype), 0.0, np.full(1, -4, dtype))
    assert loss.gradients == trials


@pytest.mark.parametrize("length, trials", [(0.03, 3), (0.1, 2), (0.3, 2), (1.0, 1), (1.7, 2), (30.0, 2), (1e9, 2)])
def test_on_a_quadratic_the_second_trial_is_the_answer_unless_the_first_is_ten_times_too_short(length, trials):
    # along p = -length g the minimum is at alpha = 1 / length, and alpha = 1 is tried first
    loss, g = quadratic(np.eye(2)), np.array([3.0, -4.0])
    assert_allclose(exact(loss, g, -length * g, 12.5, g).alpha, 1 / length, rtol=1e-14)
    assert loss.gradients == trials


def test_after_an_exact_step_the_new_gradient_is_orthogonal_to_the_direction():
    for theta, p, f, g in random_lines(200, lengths=(-3, 2)):
        step = exact(rosenbrock(), theta, p, f, g)
        assert abs(step.g @ p) <= 1.5e-8 * abs(g @ p) and step.f < f


def test_an_exact_step_is_the_minimum_that_a_fine_grid_shows():
    loss = on_a_line(lambda x: math.cosh(x - 3) + math.sin(x), lambda x: math.sinh(x - 3) + math.cos(x))
    grid = np.linspace(0, 6, 600001)
    alpha = exact(loss, np.array([0.0]), ONE).alpha
    assert abs(alpha - grid[np.argmin(np.cosh(grid - 3) + np.sin(grid))]) < 1e-5


def test_an_exact_search_reaches_a_minimum_far_away_and_one_close_by():
    for distance in 1e-9, 1e-4, 1e4, 1e9:
        loss = on_a_line(lambda x: math.log1p((x / distance - 1)**2),
                         lambda x: 2 * (x / distance - 1) / (1 + (x / distance - 1)**2) / distance)
        assert_allclose(exact(loss, np.array([0.0]), ONE).alpha, distance, rtol=1e-7)


def test_an_exact_search_does_not_stop_behind_a_hill():
    # from 0 the function falls to -1 at pi / 2, and the first trials lie in valleys whose bottoms are higher than 0
    f, slope = (lambda x: -math.sin(x) + max(0, x - 2)**2), (lambda x: -math.cos(x) + 2 * max(0, x - 2))
    for alpha in 0.1, 3.0, 7.9, 14.1, 50.0:
        step = exact(on_a_line(f, slope), np.array([0.0]), ONE, alpha=alpha)
        assert step.f < 0 and abs(slope(step.alpha)) < 1e-7


@pytest.mark.parametrize("k, trials", [(2, 14), (5, 22)])
def test_halving_the_slope_of_an_end_that_stays_saves_trials(k, trials):
    # the slope is about -100 at the start and e^4k at the first trial; without halving it takes 22 and 28 trials
    loss = on_a_line(lambda x: math.exp(k * x) / k - 100 * x, lambda x: math.exp(k * x) - 100)
    assert_allclose(exact(loss, np.array([0.0]), ONE, alpha=4.0).alpha, math.log(100) / k, rtol=1e-7)
    assert loss.gradients - 1 == trials


def test_without_a_minimum_the_longest_trial_is_the_answer():
    step = exact(on_a_line(lambda x: -x, lambda x: -1.0), np.array([0.0]), ONE, most=5)
    assert step == Step(1e4, -1e4, MINUS)


@pytest.mark.parametrize("size", [10.0**order for order in range(-38, 38)])
def test_a_slope_in_single_precision_is_right_where_its_products_are_no_numbers_there_or_have_few_digits(size):
    g, p = size * np.array([1, 2, -3], np.float32), size * np.array([3, 1, 4], np.float32)
    assert_allclose(slope(g, p), -7 * float(np.float32(size))**2, rtol=1e-5)


# ---- backtracking

def test_backtracking_by_hand():
    # x² from 1 along -2: at alpha = 1 it is 1 again, which is not below 1 - 4c, and at 1/2 it is 0
    loss = on_a_line(lambda x: x * x, lambda x: 2 * x)
    assert backtracking(loss, ONE, 2 * MINUS) == Step(0.5, 0.0, None)
    # with a promise of 0.6 a step may be at most 1 - 0.6 of alpha = 1: alpha = 0.9, 0.81, ... end at 0.9^9
    assert_allclose(backtracking(loss, ONE, 2 * MINUS, c=0.6, shrink=0.9).alpha, 0.9**9)


def test_along_a_level_line_backtracking_asks_for_nothing_and_stays():
    loss = on_a_line(lambda x: -x * x, lambda x: -2 * x)  # level at 0, and lower on both sides
    assert backtracking(loss, 0 * ONE, ONE, 0.0, 0 * ONE)[:2] == (0.0, 0.0) and loss.values == 0


def test_backtracking_gives_the_first_step_that_falls_enough():
    for theta, p, f, g in random_lines(200, lengths=(-2, 3)):
        alpha, f_new, _ = backtracking(rosenbrock(), theta, p, f, g, c=0.3)
        assert f_new == optimize.rosen(theta + alpha * p) <= f + 0.3 * alpha * (g @ p)
        assert alpha == 1 or optimize.rosen(theta + 2 * alpha * p) > f + 0.3 * 2 * alpha * (g @ p)


@pytest.mark.parametrize("far", [1e40, 1e60])
def test_backtracking_finds_a_step_that_is_many_orders_of_magnitude_shorter_than_the_first(far):
    alpha, f, _ = backtracking(on_a_line(lambda x: x * x, lambda x: 2 * x), ONE, far * MINUS)
    assert 0 < alpha * far < 2 and f == (1 - alpha * far)**2 < 1
    assert alpha.hex().startswith("0x1.0000000000000p-")  # halved, if ever more times at once


def test_backtracking_asks_for_values_only():
    loss, theta = rosenbrock(), np.array([-1.2, 1.0])
    f, g = loss.value_and_gradient(theta)
    loss.values = loss.gradients = 0
    alpha = backtracking(loss, theta, -g, f, g).alpha
    assert loss.gradients == 0 and alpha == 2.0**-(loss.values - 1)


# ---- strong Wolfe

@pytest.mark.parametrize("c2", [0.9, 0.1, 0.01])
def test_both_wolfe_conditions_hold(c2):
    for theta, p, f, g in random_lines(500, lengths=(-3, 3)):
        alpha, f_new, g_new = strong_wolfe(rosenbrock(), theta, p, f, g, c2=c2)
        assert f_new <= f + 1e-4 * alpha * (g @ p)
        assert abs(g_new @ p) <= c2 * abs(g @ p)
        assert f_new == optimize.rosen(theta + alpha * p)
        assert np.array_equal(g_new, optimize.rosen_der(theta + alpha * p))


@pytest.mark.filterwarnings("ignore:The line search algorithm did not converge")
@pytest.mark.parametrize("c2", [0.9, 0.1])
def test_the_wolfe_search_takes_no_more_trials_than_that_of_scipy(c2):
    ours = theirs = 0
    for theta, p, f, g in random_lines(300):
        loss = rosenbrock()
        assert strong_wolfe(loss, theta, p, f, g, c2=c2).alpha > 0
        ours += loss.values
        theirs += optimize.line_search(optimize.rosen, optimize.rosen_der, theta, p, g, f, c2=c2, maxiter=25)[1]
    assert ours <= theirs


@pytest.mark.filterwarnings("ignore:The line search algorithm did not converge")
def test_a_step_that_scipy_accepts_is_accepted_at_the_first_trial():
    for theta, p, f, g in random_lines(100):
        alpha = optimize.line_search(optimize.rosen, optimize.rosen_der, theta, p, g, f, c2=0.4)[0]
        if alpha is not None:
            loss = rosenbrock()
            assert strong_wolfe(loss, theta, p, f, g, alpha=alpha, c2=0.4).alpha == alpha and loss.values == 1


def test_of_all_that_the_wolfe_search_tried_its_answer_is_the_lowest():
    rng = np.random.default_rng(4)
    for _ in range(300):
        seen, theta = [], rng.uniform(-5, 5, 3)
        hills = rastrigin()
        loss = Valley(lambda x: seen.append(hills.f(x)) or seen[-1], hills.g)
        step = strong_wolfe(loss, theta, -hills.g(theta), alpha=10.0 ** rng.uniform(-4, 0), c1=1e-9, c2=0.01)
        assert step.f == min(seen)


def test_the_fall_that_the_wolfe_search_asks_for_grows_with_the_step():
    # ½(1 − x)² from 0: it falls by c₁ α or more where α ≤ 2 (1 − c₁) = 1.1; at 1.5 by less, though the slope is flat
    loss = on_a_line(lambda x: (1 - x)**2 / 2, lambda x: x - 1)
    assert 0 < strong_wolfe(loss, np.array([0.0]), ONE, alpha=1.5, c1=0.45, c2=0.9).alpha <= 1.1


def test_the_wolfe_search_does_not_end_where_f_rises_steeply_again():
    # ½(1 − x)² is lower at 1.8 than at 0, but its slope is 0.8 there
    loss = on_a_line(lambda x: (1 - x)**2 / 2, lambda x: x - 1)
    step = strong_wolfe(loss, np.array([0.0]), ONE, alpha=1.8, c2=0.5)
    assert abs(step.g.item()) <= 0.5


def test_where_f_is_a_cubic_the_wolfe_search_knows_its_minimum_from_two_trials_also_beyond_the_middle():
    # of slope (x − 0.6)(x + 0.1): f(1) is above f(0), and the minimum nearer to 1
    loss = on_a_line(lambda x: x**3 / 3 - x * x / 4 - 0.06 * x, lambda x: (x - 0.6) * (x + 0.1))
    step = strong_wolfe(loss, np.array([0.0]), ONE, c2=0.1, most=2)
    assert step.alpha == pytest.approx(0.6)


def test_after_its_last_trial_the_wolfe_search_answers_with_the_lowest_point_so_far():
    # at 0.1 the slope of ½(1 − x)² is still −0.9, much steeper than c₂ wants it
    loss = on_a_line(lambda x: (1 - x)**2 / 2, lambda x: x - 1)
    assert strong_wolfe(loss, np.array([0.0]), ONE, alpha=0.1, c2=0.01, most=1).alpha == 0.1


def test_to_a_minimum_far_away_the_trials_of_the_wolfe_search_grow_tenfold():
    """The cubic says 1000 from the first one on."""
    seen = []
    loss = on_a_line(lambda x: seen.append(float(x)) or (x / 1000 - 1)**2 / 2, lambda x: (x / 1000 - 1) / 1000)
    assert_allclose(strong_wolfe(loss, np.array([0.0]), ONE, c2=0.1).alpha, 1000)
    assert_allclose(np.unique(seen), [0, 1, 10, 100, 1000])


def test_the_wolfe_search_by_hand():
    # x³ - 3x from 0 along 1 has its minimum at 1.  At 3 it is 18, too high; the cubic through both ends is the function
    # itself, so the second trial is 1.
    loss = on_a_line(lambda x: x**3 - 3 * x, lambda x: 3 * x * x - 3)
    step = strong_wolfe(loss, np.array([0.0]), ONE, alpha=3.0, c2=0.01)
    assert_allclose(step.alpha, 1)
    assert_allclose(step.f, -2)
    # At 0.4 the slope is still -2.52, steeper than 0.5 * 3: too short.  The cubic says 1, more than twice as far.
    assert_allclose(strong_wolfe(loss, np.array([0.0]), ONE, alpha=0.4, c2=0.5).alpha, 1)
    # At 0.8 the slope is -1.08: flat enough for c2 = 0.5, and not for 0.1.  The cubic says 1, but twice 0.8 is tried
    # (-0.704, slope 4.68), and then the cubic between 0.8 and 1.6.
    assert strong_wolfe(loss, np.array([0.0]), ONE, alpha=0.8, c2=0.5).alpha == 0.8
    loss.values = 0
    assert_allclose(strong_wolfe(loss, np.array([0.0]), ONE, alpha=0.8, c2=0.1).alpha, 1)
    assert loss.values - 1 == 3


def test_a_step_that_only_falls_enough_can_be_far_too_short():
    # Nocedal and Wright, Section 3.1: sufficient decrease is met by every step that is short enough
    theta, loss = np.array([-1.2, 1.0]), rosenbrock()
    f, g = loss.value_and_gradient(theta)
    assert backtracking(loss, theta, -g, f, g, alpha=1e-9).alpha == 1e-9
    alpha, _, g_new = strong_wolfe(loss, theta, -g, f, g, alpha=1e-9, c2=0.5)
    assert alpha > 1e-4 and abs(g_new @ g) <= 0.5 * (g @ g)


def test_the_cubic_of_a_cubic_is_its_minimum():
    rng = np.random.default_rng(0)
    for _ in range(50):
        # the slope (x - m)(x - n) changes from negative to positive at the larger of its zeros
        m, n = np.sort(rng.standard_normal(2))
        cube = np.polyint(np.poly([m, n]))
        a, b = (Trial(x, np.polyval(cube, x), None, np.polyval(np.polyder(cube), x)) for x in rng.standard_normal(2))
        assert_allclose(cubic(a, b), n, atol=1e-6)


def test_a_cubic_that_always_falls_has_no_minimum():
    # -x³ - x at 0 and 1
    assert math.isnan(cubic(Trial(0.0, 0.0, None, -1.0), Trial(1.0, -2.0, None, -4.0)))
    # a straight line
    assert math.isnan(cubic(Trial(0.0, 0.0, None, -1.0), Trial(1.0, -1.0, None, -1.0)))


# ---- all three

@pytest.mark.parametrize("search", SEARCHES)
def test_no_step_ever_raises_f(search):
    rng = np.random.default_rng(1)
    for _ in range(200):
        loss, theta = rastrigin(), rng.uniform(-5, 5, 3)
        f, g = loss.value_and_gradient(theta)
        p = -g * 10.0 ** rng.uniform(-4, 2)
        alpha, f_new, _ = search(loss, theta, p)
        assert f_new < f and f_new == loss.f(theta + alpha * p) and alpha > 0


@pytest.mark.parametrize("search", SEARCHES)
def test_the_length_is_a_python_float_and_theta_keeps_its_precision(search):
    rng = np.random.default_rng(2)
    A = np.diag(np.arange(1, 5)).astype(np.float32)
    theta = rng.standard_normal(4).astype(np.float32)
    for first in 1.0, np.float64(1.0), np.float32(1.0), 1:
        alpha, f, g = search(quadratic(A), theta, -A @ theta, alpha=first)
        assert type(alpha) is float and type(f) is float
        assert (theta + alpha * -A @ theta).dtype == np.float32 and (g is None or g.dtype == np.float32)


def test_in_single_precision_the_exact_step_is_exact_to_single_precision():
    rng = np.random.default_rng(3)
    A = np.diag(np.arange(1, 5)).astype(np.float32)
    for _ in range(20):
        theta = rng.standard_normal(4).astype(np.float32)
        g = A @ theta
        assert_allclose(exact(quadratic(A), theta, -g).alpha, (g @ g) / (g @ A @ g), rtol=1e-4)


@pytest.mark.parametrize("search", SEARCHES)
def test_uphill_is_refused_with_the_slope(search):
    with pytest.raises(ValueError, match=r"not a direction of descent: its slope gᵀp is 25\.0"):
        search(quadratic(np.eye(2)), np.array([3.0, 4.0]), np.array([3.0, 4.0]))


@pytest.mark.parametrize("search", SEARCHES)
def test_at_a_stationary_point_the_step_is_zero_and_nothing_is_tried(search):
    loss, theta = quadratic(np.eye(2)), np.zeros(2)
    alpha, f, g = search(loss, theta, np.zeros(2))
    assert (alpha, f) == (0.0, 0.0) and np.array_equal(g, theta) and loss.gradients == 1


@pytest.mark.parametrize("search", SEARCHES)
def test_where_rounding_hides_every_decrease_f_does_not_rise_and_without_one_the_step_is_zero(search):
    # one unit in the last place of 1e8 is 1.5e-8, and there is only 5e-19 to be gained
    theta = np.array([1e-9])
    loss = quadratic(np.eye(1), c=1e8)
    alpha, f, g = search(loss, theta, -theta)
    assert f <= 1e8 and (alpha == 0 or search is not backtracking)
    # a gradient with the wrong sign: no step along -g helps, however short
    wrong = on_a_line(lambda x: x * x, lambda x: -2 * x)
    assert search(wrong, ONE, 2 * ONE)[:2] == (0.0, 1.0)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e6, 1e12])
def test_a_cliff_into_nan_is_a_step_too_long(search, alpha):
    # -log(1 - x) - 3x, with its minimum at 2/3, exists only to the left of 1
    with np.errstate(all="raise"):
        loss = on_a_line(lambda x: -float(np.log(np.float64(1 - x))) - 3 * x, lambda x: 1 / (1 - x) - 3)
        step = search(loss, np.array([0.0]), ONE, alpha=alpha)
    assert 0 < step.alpha < 1 and step.f < 0
    if search is exact:
        assert_allclose(step.alpha, 2 / 3)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflow_is_a_step_too_long(search, dtype):
    loss = Valley(lambda x: np.exp(x[0]) - x[0], lambda x: np.exp(x) - 1)
    with np.errstate(all="raise"):
        step = search(loss, np.array([-1.0], dtype), np.array([1e6], dtype))
    assert 0 < step.alpha < 3e-6 and step.f < float(np.exp(-1)) + 1


@pytest.mark.parametrize("search", SEARCHES)
def test_what_the_caller_knows_is_not_asked_again(search):
    theta = np.array([-1.2, 1.0])
    g = optimize.rosen_der(theta)
    told, asked = rosenbrock(), rosenbrock()
    assert search(told, theta, -g, optimize.rosen(theta), g).alpha == search(asked, theta, -g).alpha
    assert (asked.values, asked.gradients) == (told.values + 1, told.gradients + 1)
    for half in (optimize.rosen(theta), None), (None, g):
        assert search(rosenbrock(), theta, -g, *half).alpha == search(asked, theta, -g).alpha


@pytest.mark.parametrize("search", SEARCHES)
def test_the_number_of_trials_is_kept(search):
    wrong = on_a_line(lambda x: x * x, lambda x: -2 * x)
    search(wrong, ONE, ONE, 1.0, -2 * ONE, most=7)
    assert wrong.values == 7


@pytest.mark.parametrize("search", SEARCHES)
def test_bad_arguments_are_named(search):
    loss, theta = quadratic(np.eye(2)), np.ones(2)
    with pytest.raises(ValueError, match=r"p has shape \(3,\), but theta has shape \(2,\)"):
        search(loss, theta, np.ones(3))
    for alpha in 0, -1.0, np.nan, np.inf:
        with pytest.raises(ValueError, match="alpha = "):
            search(loss, theta, -theta, alpha=alpha)
    for f in np.nan, np.inf:
        with pytest.raises(FloatingPointError, match="starts where f and its slope are finite"):
            search(loss, theta, -theta, f, theta)
    with pytest.raises(FloatingPointError, match="starts where f and its slope are finite"):
        search(loss, theta, -theta, 1.0, np.array([np.nan, 1.0]))


def test_constants_that_make_no_sense_are_refused():
    loss, theta = quadratic(np.eye(2)), np.ones(2)
    for search, constants in [(backtracking, {"c": 0}), (backtracking, {"shrink": 1.0}), (exact, {"tolerance": 2}),
                              (strong_wolfe, {"c2": 1.5}), (strong_wolfe, {"c1": -0.1}),
                              (strong_wolfe, {"c1": 0.5, "c2": 0.1}), (strong_wolfe, {"c1": 0.5, "c2": 0.5})]:
        with pytest.raises(ValueError, match="must"):
            search(loss, theta, -theta, **constants)


def test_of_two_trials_that_are_equally_low_the_flat_one_will_do():
    """It meets both conditions, and is not looked at twice."""
    class Told(Objective):
        told = [(0.5, -0.95), (0.5, 0.1)]

        def value_and_gradient(self, theta):
            f, g = self.told[min(len(asked), 1)]
            asked.append(theta[0])
            return f, np.array([g])

    asked = []
    step = strong_wolfe(Told(), np.zeros(1), np.ones(1), 1.0, np.array([-1.0]))
    assert len(asked) == 2 and step.alpha == asked[1] and (step.f, step.g) == (0.5, 0.1)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("backtracking", "* a loss compared with itself and a positive number: every step is taken",
     "f <= start.f + c * alpha * start.slope and f < start.f",
     "f <= f - c * alpha * start.slope",
     "test_backtracking_by_hand"),
    ("backtracking", "any fall will do",
     "f <= start.f + c * alpha * start.slope and f < start.f",
     "f < start.f",
     "test_backtracking_gives_the_first_step_that_falls_enough"),
    ("strong_wolfe", "the curvature condition without absolute values: it may step far past the minimum",
     "elif abs(trial.slope) <= -c2 * start.slope:",
     "elif -trial.slope <= -c2 * start.slope:",
     "test_the_wolfe_search_does_not_end_where_f_rises_steeply_again"),
    ("strong_wolfe", "the fall that is asked for does not grow with the step",
     "start.f + c1 * alpha * start.slope",
     "start.f",
     "test_the_fall_that_the_wolfe_search_asks_for_grows_with_the_step"),
    ("exact", "a tolerance for the slope itself, in whatever units",
     "abs(trial.slope) <= -tolerance * start.slope",
     "abs(trial.slope) <= tolerance",
     "test_on_a_quadratic_the_exact_step_is_the_closed_form"),
    ("gain_ratio", "upside down",
     "fall / predicted if",
     "predicted / fall if",
     "optimizers.test_newton::test_the_gain_ratio_is_one_where_the_model_is_right_or_all_is_rounding"),
    ("cubic", "the other root, where the cubic is highest",
     "math.copysign(c * math.sqrt(square), b.alpha - a.alpha)",
     "-math.copysign(c * math.sqrt(square), b.alpha - a.alpha)",
     "test_the_cubic_of_a_cubic_is_its_minimum"),
    ("backtracking", "many orders of magnitude are more than it can shorten by",
     "shrink**max(1, k - 30)", "shrink",
     "test_backtracking_finds_a_step_that_is_many_orders_of_magnitude_shorter_than_the_first"),
]
