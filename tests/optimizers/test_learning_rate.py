"""Lecture 5 in tests: each says something the lecture says."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.optimizer import Diverged
from numopt.optimizers import gradient_descent, gradient_rate, newton_rate, newton_rate_printed, vsgd
from numopt.problems import Counted, Function, Noisy, Objective, Quadratic, Rosenbrock
from numopt.record import path

BOWL = Quadratic(np.diag([1.0, 4.0]), b=[1.0, 2.0])
START = np.array([2.0, -1.0])


def rates(run, steps):
    """The rate after each step."""
    found = []
    for _, _ in zip(range(steps), run):
        found.append(run["lr"])
    return np.array(found)


def best_rate(theta):
    """Where f(η) = L(θ − η g) is least, on the quadratic."""
    g = BOWL.gradient(theta)
    return (g @ g) / (g @ BOWL.A @ g)


def test_the_derivative_of_the_loss_by_the_rate_is_minus_the_product_of_two_gradients():
    g, lr, h = BOWL.gradient(START), 0.1, 1e-6
    change = (BOWL.value(START - (lr + h) * g) - BOWL.value(START - (lr - h) * g)) / (2 * h)
    learned = rates(gradient_rate(BOWL, START, lr=lr, alpha=1e-3), 1)[0]
    assert_allclose(learned, lr - 1e-3 * change, rtol=1e-9)


def test_where_the_loss_stays_the_same_it_is_hypergradient_descent():
    x = path(gradient_rate(BOWL, START, lr=0.05, alpha=1e-3), 20)
    g = np.array([BOWL.gradient(theta) for theta in x])
    lr = 0.05 + 1e-3 * np.cumsum(np.sum(g[1:] * g[:-1], axis=1))
    assert_allclose(x[2:], x[1:-1] - lr[:-1, None] * g[1:-1])


def test_a_rate_that_is_too_low_rises_and_one_that_is_too_high_falls():
    assert rates(gradient_rate(BOWL, START, lr=0.01, alpha=1e-3), 1)[0] > 0.01
    assert rates(gradient_rate(BOWL, START, lr=0.45, alpha=1e-3), 1)[0] < 0.45


def test_the_first_order_method_depends_on_the_scale_of_the_loss_and_the_second_order_method_does_not():
    def scaled(factor):
        return Quadratic(factor * BOWL.A, factor * BOWL.b)

    def relative(method, factor, **settings):
        return rates(method(scaled(factor), START, lr=0.1 / factor, **settings), 10) * factor

    assert_allclose(relative(newton_rate, 10, delta=0), relative(newton_rate, 1, delta=0), rtol=1e-6)
    assert not np.allclose(relative(gradient_rate, 10, alpha=1e-3), relative(gradient_rate, 1, alpha=1e-3), rtol=0.1)
    assert_allclose(relative(gradient_rate, 10, alpha=1e-6), relative(gradient_rate, 1, alpha=1e-3))


@pytest.mark.parametrize("method", [newton_rate, newton_rate_printed])
def test_on_a_quadratic_the_newton_step_finds_the_best_rate_at_once(method):
    # f(η) is a parabola: its differences are exact
    settings = {"epsilon": 0.01, "delta": 0, **({"most": 100} if method is newton_rate else {})}
    assert_allclose(rates(method(BOWL, START, lr=0.05, **settings), 1)[0], best_rate(START), rtol=1e-8)


def test_it_takes_five_values_and_one_gradient_a_step():
    problem = Counted(BOWL)
    path(newton_rate(problem, START, lr=0.1), 7)
    assert problem.counts == {"values": 35, "gradients": 7, "products": 0}


def test_the_weights_move_before_the_rate_does():
    x = path(newton_rate(BOWL, START, lr=0.1), 1)
    assert_allclose(x[1], START - 0.1 * BOWL.gradient(START))


def bump(theta):
    """A loss with a maximum at 0 and minima at ±1."""
    return (theta @ theta - 1)**2 / 4


def test_where_the_curvature_is_negative_the_printed_step_goes_to_a_maximum_and_ours_away_from_it():
    problem, start = Function(bump, jac=lambda theta: (theta @ theta - 1) * theta), np.array([0.3])
    # the step η moves θ from 0.3 to 0.3 + 0.273 η: at η = 0.1 the loss falls in η and is curved downwards
    assert rates(newton_rate(problem, start, lr=0.1), 1)[0] > 0.1
    assert rates(newton_rate_printed(problem, start, lr=0.1, epsilon=1e-2, delta=0), 1)[0] < 0.1


def test_a_denominator_of_minus_delta_is_made_zero_by_the_printed_guard_and_not_by_ours():
    class Judge(Objective):
        """f(η) = −η² / 8, whatever θ: the denominator of equation 16 is then −ε²."""
        size = 1

        def gradient(self, theta):
            return np.array([1.0])

        def value(self, theta):
            return -(theta @ theta) / 8

    start = np.array([0.0])
    with pytest.raises(Diverged, match="step 2"):
        path(newton_rate_printed(Judge(), start, lr=1.0, epsilon=0.5, delta=0.25), 2)
    assert np.isfinite(path(newton_rate(Judge(), start, lr=1.0, epsilon=0.5, delta=0.25), 5)).all()


def test_the_papers_epsilon_makes_its_newton_step_a_gradient_step():
    """4 ε² f'' is far below the δ it is added to, so η moves by 4 ε² / δ = 4e-4 times the slope."""
    lr, g = 0.05, BOWL.gradient(START)
    slope = -g @ BOWL.gradient(START - lr * g)
    learned = rates(newton_rate_printed(BOWL, START, lr=lr, epsilon=1e-5, delta=1e-6), 1)[0]
    assert_allclose(learned - lr, -4e-4 * slope, rtol=0.1)
    assert abs(learned - best_rate(START)) > 0.9 * abs(lr - best_rate(START))


def test_in_single_precision_the_papers_epsilon_sees_only_rounding_and_ours_still_sees_the_curve():
    theta = START.astype(np.float32)
    g = BOWL.gradient(theta)
    f = {k: np.float32(BOWL.value(theta - np.float32(0.1 + k * 1e-5) * g)) for k in (-2, 0, 2)}
    true = 4e-10 * float(g @ BOWL.A @ g)
    assert abs(float(f[2] + f[-2] - 2 * f[0]) - true) > 0.5 * true

    def value(x):
        return np.float32(BOWL.value(x))

    single = Function(value, jac=BOWL.gradient)
    assert_allclose(rates(newton_rate(single, theta, lr=0.1, most=100), 1)[0], best_rate(START), rtol=1e-3)


@pytest.mark.parametrize("lr", [1e-4, 10.0])
@pytest.mark.parametrize("most", [2.0, 1.25])
def test_the_rate_changes_by_no_more_than_the_factor_that_is_allowed(lr, most):
    learned = rates(newton_rate(BOWL, START * 1e-3, lr=lr, most=most), 1)[0]
    assert_allclose(learned / lr, most if lr < 1 else 1 / most)


def test_delta_is_added_to_the_curvature_that_the_newton_step_is_divided_by():
    g = BOWL.gradient(START)
    bend, slope = g @ BOWL.A @ g, -g @ BOWL.gradient(START - 0.1 * g)
    for delta in (0.0, 0.3 * bend, bend, 3 * bend):
        learned = rates(newton_rate(BOWL, START, lr=0.1, delta=delta, most=1e9), 1)[0]
        assert_allclose(learned, 0.1 - slope / (bend + delta), rtol=1e-6)


def test_the_rate_never_reaches_zero():
    assert rates(gradient_rate(BOWL, START, lr=0.45, alpha=1.0), 1)[0] == 1e-6
    assert rates(gradient_rate(BOWL, START, lr=0.45, alpha=1.0, delta=0.02), 1)[0] == 0.02
    assert rates(newton_rate_printed(BOWL, START, lr=100.0, epsilon=0.1, delta=0.6), 1)[0] == 0.6
    assert (rates(newton_rate(BOWL, START, lr=10.0), 50) > 0).all()


def test_a_rate_learned_at_one_point_can_be_too_high_at_the_next():
    with pytest.raises(Diverged, match="newton_rate became non-finite at step"):
        path(newton_rate(Rosenbrock(), Rosenbrock().start, lr=1e-3), 200)


def test_momentum_on_the_rate_sums_its_past_steps():
    beta, settings = 0.9, {"lr": 0.05, "alpha": 1e-4}
    run = gradient_rate(BOWL, START, beta=beta, **settings)
    x = path(run, 3)
    g = [BOWL.gradient(theta) for theta in x]
    first, second, third = (1e-4 * g[k] @ g[k + 1] for k in range(3))
    step = beta * first + second
    assert_allclose(run["lr"], 0.05 + first + step + (beta * step + third))


@pytest.mark.parametrize("method", [gradient_rate, newton_rate, newton_rate_printed])
def test_a_probe_judges_the_rate_and_leaves_the_step_to_the_batch(method):
    validation = Quadratic(np.diag([2.0, 1.0]), b=[-1.0, 0.5])
    wide = {"most": 100} if method is newton_rate else {}
    plain, probed = method(BOWL, START, lr=0.1, **wide), method(BOWL, START, lr=0.1, probe=validation, **wide)
    assert_allclose(next(plain), next(probed))
    assert plain["lr"] != probed["lr"]
    assert_allclose(path(method(BOWL, START, lr=0.1, probe=BOWL), 9), path(method(BOWL, START, lr=0.1), 9))


class Changing(Objective):
    """Another bowl at every step."""

    def loss(self, t):
        return Quadratic(np.diag([1.0 + t, 1.0]), b=[-1.0, 0.5 * t])


@pytest.mark.parametrize("method", [gradient_rate, newton_rate, newton_rate_printed])
def test_a_probe_with_mini_batches_judges_by_that_of_the_step(method):
    wide = {"most": 100} if method is newton_rate else {}
    for t in 1, 2, 5:
        run, same = (method(BOWL, START, lr=0.1, t=t - 1, probe=probe, **wide)
                     for probe in (Changing(), Changing().loss(t)))
        assert_allclose(next(run), next(same))
        assert run["lr"] == same["lr"]


def test_a_learned_rate_beats_the_rate_it_starts_from():
    fixed, learned = gradient_descent(BOWL, START, lr=0.01), newton_rate(BOWL, START, lr=0.01)
    assert BOWL.value(path(learned, 30)[-1]) - BOWL.value([1, 0.5]) < 1e-3 * (
        BOWL.value(path(fixed, 30)[-1]) - BOWL.value([1, 0.5]))


@pytest.mark.parametrize("method", [newton_rate, newton_rate_printed])
def test_momentum_on_the_newton_rate_sums_its_past_steps_too(method):
    """Without momentum every step would go to the best rate of where it stands."""
    wide = {"most": 100} if method is newton_rate else {}
    run = method(BOWL, START, lr=0.1, epsilon=0.01, beta=0.5, delta=0, **wide)
    lr = np.r_[0.1, rates(run, 3)]
    x = path(method(BOWL, START, lr=0.1, epsilon=0.01, beta=0.5, delta=0, **wide), 2)
    newton = np.array([best_rate(theta) for theta in x]) - lr[:3]
    assert_allclose(np.diff(lr), [newton[0], newton[1] + newton[0] / 2, newton[2] + newton[1] / 2 + newton[0] / 4],
                    rtol=1e-6)


@pytest.mark.parametrize("method, settings", [
    (newton_rate, {"most": 1.2}), (newton_rate_printed, {"epsilon": 0.01, "delta": 0.05, "near": 0}),
    (gradient_rate, {"alpha": 0.1, "delta": 0.05})])
def test_momentum_on_the_rate_is_of_the_change_that_was_made_and_not_of_the_one_that_was_refused(method, settings):
    run = method(BOWL, START, lr=0.45, beta=0.9, **settings)
    lr, changes = 0.45, []
    for _, _ in zip(range(5), run):
        changes.append(run["v"] - (run["lr"] - lr))
        lr = run["lr"]
    assert_allclose(changes, 0, atol=1e-12)


def test_what_was_refused_does_not_add_up_and_let_the_rate_run_away():
    """Far below the best rate the guard refuses step after step; when they are no longer refused, v is one change."""
    run = newton_rate(BOWL, START, lr=1e-6, beta=0.9, most=1.5)
    found = rates(run, 60)
    assert found.max() < 1.0 and (found[1:] / found[:-1]).max() < 1.5 + 1e-9


class Parabola(Objective):
    """f(η) = c η² / 2 − η, whatever θ: its denominator in equation 16 is 4 ε² c, and its slope c η − 1."""
    size = 1

    def __init__(self, c):
        self.c = c

    def gradient(self, theta):
        return np.array([-1.0])

    def value(self, theta):
        return self.c * theta.item()**2 / 2 - theta.item()


@pytest.mark.parametrize("near, added_to", [(None, [0.5, -0.5]), (np.inf, [0.5, -0.5, 2.0, -2.0]), (0, [])])
def test_the_printed_smoothing_has_three_readings(near, added_to):
    """Equation 17: δ is added where the denominator is near 0; here δ is 1, and the denominator c, as 4 ε² = 1."""
    for c in (0.5, -0.5, 2.0, -2.0):
        learned = rates(newton_rate_printed(Parabola(c), [0.0], lr=3.0, epsilon=0.5, delta=1.0, near=near), 1)[0]
        assert_allclose(learned, max(3 - (3 * c - 1) / (c + (c in added_to)), 1.0), rtol=1e-9)


def test_read_as_underflow_the_printed_step_adds_the_smoothing_only_to_zero():
    straight = rates(newton_rate_printed(Parabola(0.0), [0.0], lr=3.0, epsilon=0.5, delta=1.0, near=0), 1)[0]
    assert_allclose(straight, 3 + 1)


@pytest.mark.parametrize("method, distance", [(newton_rate, 0.02), (newton_rate_printed, 0.1)])
def test_the_five_values_are_taken_at_shares_of_the_rate_or_as_printed_at_a_fixed_distance(method, distance):
    asked = []

    def value(theta):
        asked.append(-theta.item())
        return float(theta @ theta)

    # from 0 with the gradient 1, the rate η leads to −η
    next(method(Function(value, jac=np.ones_like), [0.0], lr=0.2, epsilon=0.1))
    assert_allclose(sorted(asked), 0.2 + distance * np.arange(-2, 3))


@pytest.mark.parametrize("method", [gradient_rate, newton_rate, newton_rate_printed])
def test_every_step_is_one_of_gradient_descent_with_the_rate_of_the_step_before(method):
    run, lr = method(BOWL, START, lr=0.1), 0.1
    for before, theta in zip(path(method(BOWL, START, lr=0.1), 4), run):
        assert_allclose(theta, before - lr * BOWL.gradient(before))
        lr = run["lr"]


def test_the_printed_rate_is_kept_above_delta_too():
    # L = −θ²/8 seen from −1 with the gradient 1: f(η) has its maximum at η = −1, and that is where Newton goes
    hill = Function(lambda theta: -(theta @ theta) / 8, jac=np.ones_like)
    assert rates(newton_rate_printed(hill, [-1.0], lr=1.0, epsilon=0.5, delta=1e-3), 1)[0] == 1e-3


class Lines(Objective):
    """Step t is asked for gradients on the line a + c θ."""

    def __init__(self, *lines):
        self.lines = lines

    def loss(self, t):
        a, c = self.lines[t - 1]
        return Function(lambda theta: 0.0, jac=lambda theta: a + c * theta)


def test_four_steps_of_vsgd_by_hand():
    # two samples, at 0, with gradients 1 and 3 and curvatures 2 and 4: averages of 2, 5 and 3, and v̄ is doubled
    problem = Lines((1.0, 2.0), (3.0, 4.0), (4.0, 5.0), (2 - 2 * 9 / 13, -2.0))
    run = vsgd(problem, [0.0], samples=2, slow=2.0, eps=0.0)
    assert_allclose(path(run, 2), 0)
    assert_allclose([run["g_bar"], run["v_bar"], run["h_bar"], run["tau"]], [[2], [10], [3], [2]])
    # gradient 4 and curvature 5, with the weight 1/τ = ½: the rate is 3² / (4 · 13)
    assert_allclose(next(run), -9 / (4 * 13) * 4)
    assert_allclose([run["g_bar"], run["v_bar"], run["h_bar"], run["tau"]], [[3], [13], [4], [(1 - 9 / 13) * 2 + 1]])
    # gradient 2 and curvature |−2|, with the weight 13/21
    assert_allclose(next(run), -9 / 13 - (50 / 21)**2 / ((156 / 21) * (58 / 21)) * 2)
    assert_allclose([run["g_bar"], run["v_bar"], run["h_bar"]], [[50 / 21], [156 / 21], [58 / 21]])
    assert_allclose(run["tau"], (1 - 50**2 / (21 * 156)) * 21 / 13 + 1)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-6), (np.float32, 2e-3)])
def test_the_curvature_of_vsgd_is_a_difference_over_a_step_of_the_average_gradient(dtype, rtol):
    # θ²/2 has over d the difference quotient θ + d/2: with next to nothing for the first d, and then with ḡ, 2 and −2
    cubic = Function(lambda theta: (theta[0]**3 - theta[1]**3) / 6, jac=lambda theta: np.array([1, -1]) * theta**2 / 2)
    run = vsgd(cubic, np.array([2, 2], dtype), samples=2)
    path(run, 2)
    assert_allclose(run["h_bar"], [(2 + 3) / 2, (2 + 1) / 2], rtol=rtol)


def test_vsgd_stays_on_a_plateau():
    assert_allclose(path(vsgd(Quadratic(np.zeros((2, 2))), START, samples=2), 5), np.tile(START, (6, 1)))


def test_vsgd_only_looks_at_its_first_samples():
    x = path(vsgd(Noisy(BOWL, 0.1), START, samples=10), 12)
    assert (x[:11] == START).all() and (x[11] != START).all() and (x[12] != x[11]).all()


def test_vsgd_without_noise_takes_newton_steps_once_its_slow_start_is_forgotten():
    """With ḡ² = v̄ the rate is 1/h̄ and τ falls to 1: it remembers one gradient only."""
    bowl = Quadratic(np.diag([1.0, 4.0]))
    run = vsgd(bowl, START, samples=2, slow=1.0)
    x = path(run, 3)
    assert_allclose(x[3], 0, atol=1e-6)
    assert_allclose(run["h_bar"], [1, 4], rtol=1e-6)


def test_vsgd_slows_down_where_there_is_only_noise_and_looks_back_further():
    bowl, far, near = Quadratic(np.eye(1)), np.array([100.0]), np.array([0.0])

    def share(start):
        run = vsgd(Noisy(bowl, 1.0, seed=1), start)
        path(run, 11)
        return run["share"].item(), run["tau"].item()

    (certain, short), (doubtful, long) = share(far), share(near)
    assert doubtful < 0.2 < 0.4 < certain and long > short


def test_vsgd_settles_on_noisy_bowls_of_any_scale_without_a_rate_to_set():
    for scale in (1e-2, 1.0, 1e2):
        bowl = Quadratic(scale * np.diag([1.0, 10.0]))
        run = vsgd(Noisy(bowl, 0.1 * scale, seed=2), START)
        x = path(run, 1000)
        assert np.linalg.norm(x[-1]) < 0.05 * np.linalg.norm(START)


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"beta": 1.0}, {"delta": float("nan")}])
def test_hyperparameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        gradient_rate(BOWL, START, **wrong)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("gradient_rate", "the rate climbs",
     "lr + beta * v - alpha * slope",
     "lr + beta * v + alpha * slope",
     "test_a_rate_that_is_too_low_rises_and_one_that_is_too_high_falls"),
    ("gradient_rate", "the minus of the derivative is missing",
     "-(g @ judge.gradient(theta)).item()",
     "(g @ judge.gradient(theta)).item()",
     "test_the_derivative_of_the_loss_by_the_rate_is_minus_the_product_of_two_gradients"),
    ("gradient_rate", "the gradient of the same point twice",
     "g @ judge.gradient(theta)",
     "g @ g",
     "test_where_the_loss_stays_the_same_it_is_hypergradient_descent"),
    ("gradient_rate", "nothing keeps the rate positive",
     "max(lr + beta * v - alpha * slope, delta)",
     "lr + beta * v - alpha * slope",
     "test_the_rate_never_reaches_zero"),
    ("gradient_rate", "the batch judges, though there is a probe",
     "loss if probe is None else probe.loss(t)",
     "loss",
     "test_a_probe_judges_the_rate_and_leaves_the_step_to_the_batch"),
    ("gradient_rate", "momentum keeps the last gradient, not the last step",
     "v = lr - before",
     "v = -alpha * slope",
     "test_momentum_on_the_rate_sums_its_past_steps"),
    ("newton_rate", "† f'' without its absolute value: the rate goes to a maximum",
     "abs(bend)",
     "bend",
     "test_where_the_curvature_is_negative_the_printed_step_goes_to_a_maximum_and_ours_away_from_it"),
    ("newton_rate", "the second difference has its points 2h apart, and is divided by h squared",
     "(4 * h**2)",
     "h**2",
     "test_on_a_quadratic_the_newton_step_finds_the_best_rate_at_once"),
    ("newton_rate", "the central difference is divided by h, not 2h",
     "(2 * h)",
     "h",
     "test_on_a_quadratic_the_newton_step_finds_the_best_rate_at_once"),
    ("newton_rate", "the distance of the differences does not follow the rate",
     "h = epsilon * lr",
     "h = epsilon",
     "test_the_five_values_are_taken_at_shares_of_the_rate_or_as_printed_at_a_fixed_distance"),
    ("newton_rate", "the rate may change by any factor",
     "min(max(lr + beta * v - slope / (abs(bend) + delta), lr / most), lr * most)",
     "max(lr + beta * v - slope / (abs(bend) + delta), lr / most)",
     "test_the_rate_changes_by_no_more_than_the_factor_that_is_allowed"),
    ("newton_rate", "the rate may fall by a factor of 2, whatever is allowed",
     "lr / most)", "lr / 2)",
     "test_the_rate_changes_by_no_more_than_the_factor_that_is_allowed"),
    ("newton_rate", "the weights move by the new rate",
     "theta = theta - lr * g\n        before, lr = lr, min(max(",
     "before, lr = lr, min(max(",
     "test_the_weights_move_before_the_rate_does"),
    ("newton_rate_printed", "the factor 2 epsilon is lost: the step is a slope, not a rate",
     "2 * epsilon * (f[1] - f[-1])",
     "(f[1] - f[-1])",
     "test_on_a_quadratic_the_newton_step_finds_the_best_rate_at_once"),
    ("newton_rate_printed", "the momentum of the rate is forgotten",
     "beta * v - 2",
     "-2",
     "test_momentum_on_the_newton_rate_sums_its_past_steps_too"),
    ("vsgd", "the memory only ever grows: it never looks back over fewer steps",
     "(1 - share) * tau + 1",
     "tau + 1",
     "test_vsgd_slows_down_where_there_is_only_noise_and_looks_back_further"),
    ("vsgd", "the first steps are taken with what the samples say, without the slow start",
     "slow * v_bar",
     "v_bar",
     "test_four_steps_of_vsgd_by_hand"),
    ("vsgd", "a distance that is lost in the rounding of single precision",
     "math.sqrt(np.finfo(theta.dtype).eps)", "1e-8",
     "test_the_curvature_of_vsgd_is_a_difference_over_a_step_of_the_average_gradient"),
    ("vsgd", "negative curvature climbs",
     "np.abs((loss.gradient(theta + d) - g) / d)",
     "(loss.gradient(theta + d) - g) / d",
     "test_the_curvature_of_vsgd_is_a_difference_over_a_step_of_the_average_gradient"),
    ("vsgd", "the mean gradient is not squared",
     "g_bar**2 / (v_bar + eps)",
     "g_bar / (v_bar + eps)",
     "test_vsgd_without_noise_takes_newton_steps_once_its_slow_start_is_forgotten"),
    ("vsgd", "the averages never forget",
     "1 / t if t <= samples else 1 / tau",
     "1 / t",
     "test_four_steps_of_vsgd_by_hand"),
    ("gradient_rate", "the first mini-batch of the probe judges always",
     "probe.loss(t)", "probe.loss(1)",
     "test_a_probe_with_mini_batches_judges_by_that_of_the_step"),
]
