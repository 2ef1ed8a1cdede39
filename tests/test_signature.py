"""What the signature of a loop says, and what is said to an author who has left something out."""
import re
from functools import partial
from math import inf, nan

import numpy as np
import pytest
from numpy.testing import assert_allclose

import numopt.optimizers
from numopt import signature
from numopt.networks import mlp
from numopt.optimizer import optimizer
from numopt.optimizers import (
    adam, dog, ivon, kfac, lbfgs, levenberg_marquardt, momentum, muon, nadam, natural_gradient, newton_rate,
    nonlinear_cg, polyak, prodigy, rprop, scion, sps, trust_region)
from numopt.optimizers.conjugate import FORMULAS
from numopt.optimizers.kronecker import SCALES
from numopt.optimizers.lmo import BALLS
from numopt.problems import LeastSquares, MiniBatch, Quadratic
from numopt.record import path
from numopt.signature import DECAY, HYPERPARAMETERS, RATE, SCHEDULES, Range, memory_names

BOWL, START = Quadratic(np.diag([3.0, 1.0])), [1.0, -2.0]
RANGES = {name: kind for name, kind in vars(signature).items() if isinstance(kind, Range)}


def test_the_memory_is_t_and_the_keywords_after_it():
    assert memory_names(nadam) == ["t", "m", "v", "mu_product"]


# ------------------------------------------------------------------------------------------------------ ranges

@pytest.mark.parametrize("name, inside, outside", [
    ("RATE", [0, 1e-9, 7, np.float32(2), np.longdouble(1)],
     [-1e-9, inf, nan, "1", None, True, 1j, np.complex64(1), 10**400]),
    ("POSITIVE", [1e-300, 7], [0, -1e-9, inf, nan]), ("DECAY", [0, 0.999], [1, -1e-9, nan, 10**400]),
    ("FRACTION", [0, 1], [1.001, -1e-9, nan]), ("SHARE", [1e-9, 1], [0, 1.001, nan]),
    ("GROWTH", [1, 1.5], [0.999, inf, nan]), ("COSINE", [-1, 1], [-1.001, 1.001, nan]),
    ("COUNT", [1, 7, np.int64(3)], [0, -1, 1.5, 2.0, inf, nan, True]),
    ("WHOLE", [0, np.int8(3)], [-1, 0.0, nan, False]),
    ("BOUND", [0, 7.5, inf], [-1, -inf, nan, True, "7"]),
    ("NUMBER", [-7, 0.5], [inf, nan, "7", True]), ("SWITCH", [True, np.False_], [1, "yes"]),
    ("SEARCH", [len], ["exact"]),
    ("METHOD", [adam, partial(adam, lr=0.1)], ["adam", len, partial(len), None]),
    ("PROBLEM", [BOWL], [3.0, len]), ("NUMBERS", [(1, 2.0)], [1, ("1",), (nan,)])])
def test_a_range_holds_what_it_says(name, inside, outside):
    _, good = RANGES[name]
    assert all(good(x) for x in inside) and not any(good(x) for x in outside)


@pytest.mark.parametrize("method, name, value, wanted", [
    (newton_rate, "lr", 0.0, "above 0$"), (newton_rate, "epsilon", 0, r"in \(0, 1\]"),
    (newton_rate, "most", 0, "at least 1"), (newton_rate, "epsilon", 1e300, r"in \(0, 1\]"),
    (adam, "lr", 10**400, "at least 0, or a schedule"),
    (adam, "eps", np.complex64(0.1), "at least 0"), (newton_rate, "probe", 3.0, "a problem"),
    (kfac, "labels", 3, "'sampled', 'exact' or 'data'$"), (levenberg_marquardt, "mu", -1, "at least 0$"),
    (rprop, "lr", -1, "at least 0$"),
    *((method, name, 0, "above 0$") for method, name in (  # of which 0 would be a standstill, or a division by it
        (dog, "share"), (prodigy, "share"), (ivon, "ess"), (ivon, "h0"), (sps, "c"), (trust_region, "most")))])
def test_a_use_of_its_own_has_a_range_of_its_own(method, name, value, wanted):
    with pytest.raises(ValueError, match=f"{method.__name__}: {name} is .*; it must be .*{wanted}"):
        method(BOWL, START, **{name: value})


TEXTS = [(name, key) for name in numopt.optimizers.__all__
         for key, default in getattr(numopt.optimizers, name).__wrapped__.__kwdefaults__.items()
         if isinstance(default, str) or key == "graft"]


def allowed(method, key):
    """The texts that the range of a hyperparameter names."""
    return re.findall(r"'(\w+)'", method.ranges[key][1].wanted)


@pytest.mark.parametrize("name, key", TEXTS)
def test_a_wrong_text_is_answered_with_those_that_are_allowed_and_each_of_these_runs(name, key):
    method = getattr(numopt.optimizers, name)
    with pytest.raises(ValueError, match=f"{name}: {key} is 'nonsense'; it must be '.*' or '") as error:
        method(BOWL, START, **{key: "nonsense"})
    texts = allowed(method, key)
    assert len(texts) > 1 and all(repr(text) in str(error.value) for text in texts)
    line = LeastSquares(lambda x: np.array([3 * x[0] - x[1] - 1, x[0] + x[1] - 2]),
                        lambda x: np.array([[3.0, -1.0], [1.0, 1.0]]))
    network = mlp([3, 2, 2])
    batch = MiniBatch(network, np.eye(5, 3), np.arange(5) % 2)
    firmly = {"damping": 1.0} if method.__wrapped__.__kwdefaults__.get("damping") and key == "curvature" else {}
    for text in texts:
        about_equations = key in ("scaling", "equations") or text == "jacobian"
        problem, theta = (line, [1.0, 2.0]) if about_equations else (batch, network.initial(seed=0))
        assert np.isfinite(next(method(problem, theta, **firmly, **{key: text}))).all(), text


@pytest.mark.parametrize("table, method, key", [
    (FORMULAS, nonlinear_cg, "formula"), (SCALES, muon, "scale"), (BALLS, scion, "ball")])
def test_a_table_of_functions_has_the_texts_of_its_range(table, method, key):
    assert list(table) == allowed(method, key)


def test_a_curvature_may_be_a_question_that_only_this_problem_answers():
    class WithHalf(Quadratic):
        def half(self, theta):
            return self.hessian(theta) / 2

    problem = WithHalf(np.diag([3.0, 1.0]))
    assert_allclose(next(natural_gradient(problem, START, curvature="half", solver="dense", damping=0.0)), [-1.0, 2.0])
    with pytest.raises(ValueError, match="curvature is 'half'; it must be 'hessian', .*, or another method of the pr"):
        natural_gradient(BOWL, START, curvature="half")


def test_a_line_search_by_its_name_is_answered_with_what_there_is():
    with pytest.raises(ValueError, match="search is 'wolfe'; it must be a function of numopt.line_search, exact, "):
        lbfgs(BOWL, START, search="wolfe")
    with pytest.raises(ValueError, match="inner is 'adam'; it must be a method, such as adam, or functools.partial"):
        polyak(BOWL, START, inner="adam")


def test_numbers_of_numpy_become_pythons_and_leave_single_precision_single():
    run = adam(Quadratic(np.eye(2, dtype=np.float32)), np.ones(2, np.float32), beta1=np.longdouble(0.9),
               eps=np.float64(1e-8))
    assert next(run).dtype == np.float32 and type(run["beta1"]) is float
    run = lbfgs(BOWL, START, history=np.int64(3))
    assert type(run.hyperparameters["history"]) is int and np.isfinite(path(run, 5)).all()


def test_every_hyperparameter_has_a_range_and_help_says_it_with_its_meaning():
    for name in numopt.optimizers.__all__:
        method = getattr(numopt.optimizers, name)
        for key in method.__wrapped__.__kwdefaults__.keys() - set(method.memory):
            if key not in method.ranges:  # a text or a function, which its module checks
                continue
            meaning, (wanted, _) = method.ranges[key]
            *_, line = [line for line in method.__doc__.splitlines() if line.strip().startswith(f"{key} ")]
            assert meaning in line and wanted in line, line
            assert ("schedule" in line) == (key in SCHEDULES)
    assert "the learning rate: a number of at least 0, or a function of t: a schedule; 0.001" in adam.__doc__
    assert adam.__doc__.startswith(adam.__wrapped__.__doc__.rstrip())


def test_the_table_knows_nothing_that_no_method_has():
    used = {key for name in numopt.optimizers.__all__ for method in [getattr(numopt.optimizers, name)]
            for keyword in method.__wrapped__.__kwdefaults__ for key in (keyword, f"{name}.{keyword}")}
    assert HYPERPARAMETERS.keys() <= used


# --------------------------------------------------------------------------------------- what an author leaves out

LOOP = """
    for t, loss in problem.losses(after=t):
        theta = theta - 0.1 * loss.gradient(theta)
        yield theta
"""


def made(source, **decorated):
    namespace = {}
    exec(source, namespace)
    return optimizer(namespace["yogi"]) if not decorated else optimizer(**decorated)(namespace["yogi"])


@pytest.mark.parametrize("source, message", [
    ("def yogi(problem, theta, *, lr=0.1):" + LOOP, r"yogi has no t=0 in its signature.*\*, lr=0.01, t=0\)"),
    ("def yogi(problem, theta, *, lr=0.1, t=0):\n    return theta", "yogi yields nothing.*`yield theta`"),
    ("def yogi(problem, theta, lr=0.1, t=0):" + LOOP, r"put a \* after theta"),
    ("def yogi(theta):" + LOOP, "has to take a problem and theta"),
    ("def yogi(*, problem, theta, t=0):" + LOOP, "has to take a problem and theta"),
    ("def yogi(problem, theta, *, lr, t=0):" + LOOP, "lr needs a default"),
    ("def yogi(problem, theta, *, t=0, **more):" + LOOP, r"\*\*more needs a default"),
    ("def yogi(problem, theta, *, t=1.0):" + LOOP, "begins at t=0, not at 1.0"),
    ("def yogi(problem, theta, *, c=0.3, t=0):" + LOOP, r"nobody knows what c may be; say so, as in @optimizer\(c=D"),
    ("class yogi: pass", "@optimizer stands above the loop of a method, and was given <class")])
def test_what_is_wrong_in_a_signature_is_named_where_the_loop_is_made(source, message):
    with pytest.raises(TypeError, match=message):
        made(source)


def test_a_loop_says_the_ranges_of_its_own_hyperparameters():
    yogi = made("def yogi(problem, theta, *, c=0.3, mu=7, t=0):" + LOOP, c=DECAY, mu=("the damping", RATE))
    next(yogi(BOWL, START, mu=1e6))
    with pytest.raises(ValueError, match=r"yogi: c is 5; it must be a number in \[0, 1\)"):
        yogi(BOWL, START, c=5)
    assert "the damping: a number of at least 0" in yogi.__doc__
    with pytest.raises(TypeError, match="yogi has no d, whose range"):
        made("def yogi(problem, theta, *, t=0):" + LOOP, d=RATE)


def test_a_number_at_the_end_of_a_known_name_changes_nothing():
    adan = made("def yogi(problem, theta, *, beta3=0.99, eps2=1e-8, t=0):" + LOOP)
    for name, value in {"beta3": 5, "eps2": -1}.items():
        with pytest.raises(ValueError, match=f"yogi: {name} is {value}; it must be"):
            adan(BOWL, START, **{name: value})


# -------------------------------------------------------------------------------------------- memory that is given

@pytest.mark.parametrize("m, message", [
    (np.zeros(2, np.float32), "adam: m holds float32 and theta float64: a run has one precision"),
    (np.zeros(2, complex), "holds complex128"), (np.zeros(2, int), "holds int64"), ("x", "adam: m is 'x'"),
    (None, "adam: m is None; what a method remembers are numbers and arrays"), (np.array(["a"]), "holds <U1"),
    (np.zeros(3), r"broadcast.*memory that adam was given, m: an array of shape \(3,\) .*another problem"),
    (np.zeros(1), r"was given m: an array of shape \(1,\) .*, and remembers an array of shape \(2,\)"),
    (np.zeros((2, 2)), r"memory that adam was given, m: an array of shape \(2, 2\)"),
    (np.zeros((2, 1)), r"memory that adam was given, m: an array of shape \(2, 1\)")])
def test_memory_of_another_shape_kind_or_precision_is_refused_and_named(m, message):
    with pytest.raises((ValueError, TypeError), match=message):
        next(adam(BOWL, START, t=3, m=m))


def test_memory_is_copied_so_that_nobody_can_change_it():
    v = np.array([1.0, 1.0])
    run, same = momentum(BOWL, START, v=v), momentum(BOWL, START, v=v.copy())
    v[:] = 7
    assert np.array_equal(next(run), next(same)) and v.flags.writeable
    kept = v[:]  # which nobody can write into, but through v
    kept.flags.writeable = False
    run, same = momentum(BOWL, START, v=kept), momentum(BOWL, START, v=v.copy())
    v[:] = 1
    assert np.array_equal(next(run), next(same))


def test_its_shape_is_compared_once_and_may_be_another_after_later_steps():
    @optimizer
    def in_pairs(problem, theta, *, t=0, kept=np.zeros(0)):
        for t, loss in problem.losses(after=t):
            kept = np.append(kept, t) if t % 2 else kept + 1
            theta = theta - 0.1 * loss.gradient(theta)
            yield theta

    run = in_pairs(BOWL, START, t=1, kept=np.ones(3))
    assert [next(run) is None or run["kept"].size for _ in range(3)] == [3, 4, 4]
    with pytest.raises(ValueError, match="in_pairs was given kept: an array of shape .3,. .*, and remembers"):
        next(in_pairs(BOWL, START, t=2, kept=np.ones(3)))


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("real", "numbers too large for a float",
     "and isfinite(float(x))",
     "and (isinstance(x, int) or isfinite(float(x)))",
     "test_a_range_holds_what_it_says"),
    ("checked_arguments", "a method's own range is not looked up",
     "method.ranges.get(key, (\"\", (None, None)))",
     "HYPERPARAMETERS.get(key, (\"\", (None, None)))",
     "test_a_use_of_its_own_has_a_range_of_its_own"),
    ("checked_memory", "an array is not copied",
     "value = value.copy()",
     "value = value.view()",
     "test_memory_is_copied_so_that_nobody_can_change_it"),
]
