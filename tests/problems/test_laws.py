"""What is true of every problem, and of every problem made of another, at its first step and much later."""
import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import (
    AveragePool, Conv2D, Dense, Dropout, Flatten, Network, ReLU, Residual, SquaredError, Tanh, mlp)
from numopt.problems import (
    Accumulated, Beale, Clipped, Counted, EmpiricalRisk, Lasso, MiniBatch, Noisy, Quadratic, Ridge, Rosenbrock, Whole,
    Wrapped)

RANDOM = np.random.default_rng(6)
X, LABELS, TARGETS = RANDOM.standard_normal((11, 4)), RANDOM.integers(3, size=11), RANDOM.standard_normal((11, 3))
IMAGES = RANDOM.standard_normal((7, 5, 4, 2))
SMALL, DROPPING = mlp([4, 3, 3]), mlp([4, 6, 3], dropout=0.5)
ANOTHER = Network(Conv2D(2, 3, 2, padding=1), Tanh(), Residual([Conv2D(3, 3, 3, padding=1), Tanh()]), AveragePool(2),
                  Flatten(), Dense(18, 2), inputs=(5, 4, 2), loss=SquaredError())
PLAIN = {
    "quadratic": Quadratic(np.diag([1.0, 2, 3]) + 0.1), "rosenbrock": Rosenbrock(3), "beale": Beale(),
    "mini-batches": EmpiricalRisk(SMALL, X, LABELS, batch_size=4, seed=2),
    "mini-batches with dropout": EmpiricalRisk(DROPPING, X, LABELS, batch_size=4, seed=2),
    "mini-batches of one": EmpiricalRisk(SMALL, X, LABELS, batch_size=1),
    "images, in mini-batches of 3": EmpiricalRisk(ANOTHER, IMAGES, IMAGES[:, 0, 0], batch_size=3)}
WRAPS = {
    "": lambda problem: problem, "wrapped ": Wrapped, "counted ": Counted,
    "ridge on ": lambda problem: Ridge(problem, 0.3), "lasso on ": lambda problem: Lasso(problem, 0.3),
    "noisy ": lambda problem: Noisy(problem, 0.5, seed=3), "gathered ": lambda problem: Accumulated(problem, 2),
    "clipped to 1000 ": lambda problem: Clipped(problem, norm=1000),
    "noisy ridge on ": lambda problem: Noisy(Ridge(problem, 0.3), 0.5),
    "ridge on gathered ": lambda problem: Ridge(Accumulated(problem, 3), 0.3)}
ALL = {wrap + name: (WRAPS[wrap], problem) for wrap in WRAPS for name, problem in PLAIN.items()
       if ("gathered" not in wrap or isinstance(problem, EmpiricalRisk))
       and (wrap in ("", "gathered ", "noisy ") or name not in ("images, in mini-batches of 3", "mini-batches of one"))}
EVERY = pytest.mark.parametrize("name", ALL)
STEPS = 1, 3, 1000


def made(name):
    wrap, problem = ALL[name]
    return wrap(copy.copy(problem))


def point(problem, seed=0):
    return 0.5 * np.random.default_rng(seed).standard_normal(problem.size)


def vectors(problem, seed=1):
    return np.random.default_rng(seed).standard_normal((2, problem.size))


def matrices(loss, theta):
    """{name: matrix} of what the loss has."""
    found = {}
    for name in "hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher":
        try:
            found[name] = getattr(loss, name)(theta)
        except (AttributeError, NotImplementedError):
            continue
    return found


@EVERY
def test_its_gradient_is_the_derivative_of_its_value_and_its_hessian_that_of_its_gradient_at_every_step(name):
    problem = made(name)
    theta, (v, u) = point(problem), vectors(problem)
    for loss in [problem.loss(t) for t in STEPS] + [getattr(problem, "whole", problem)]:
        f, g = loss.value_and_gradient(theta)
        assert f == loss.value(theta) and type(f) is float
        assert_array_equal(g, loss.gradient(theta))
        slope = (loss.value(theta + 1e-5 * v) - loss.value(theta - 1e-5 * v)) / 2e-5
        assert_allclose(g @ v, slope, rtol=1e-5, atol=1e-6)
        Hv = (loss.gradient(theta + 1e-5 * v) - loss.gradient(theta - 1e-5 * v)) / 2e-5
        assert_allclose(loss.hessian(theta) @ v, Hv, rtol=1e-5, atol=1e-6 * np.abs(Hv).max())
        for M in matrices(loss, theta).values():
            assert_allclose(u @ (M @ v), v @ (M @ u), rtol=1e-9, atol=1e-9)
            assert_allclose(M @ (2 * v - u), 2 * (M @ v) - M @ u, rtol=1e-9, atol=1e-9)


@EVERY
def test_what_it_answers_at_a_step_depends_on_nothing_that_was_asked_before(name):
    def answers(problem, t):
        loss = problem.loss(t)
        return loss.value(theta), loss.gradient(theta), *(M @ v for M in matrices(loss, theta).values())

    problem, again = made(name), pickle.loads(pickle.dumps(made(name)))
    theta, (v, _) = point(problem), vectors(problem)
    first = {t: answers(problem, t) for t in STEPS}
    for t in reversed(STEPS):
        for one, other, third in zip(first[t], answers(again, t), answers(problem, t), strict=True):
            assert_array_equal(one, other)
            assert_array_equal(one, third)
    for t, loss in zip(range(8, 11), (loss for _, loss in made(name).losses(after=7))):
        assert_array_equal(loss.gradient(theta), problem.loss(t).gradient(theta))


@EVERY
def test_all_that_it_answers_is_in_the_precision_of_theta_and_nearly_the_same_in_both(name):
    problem = made(name)
    theta, (v, _) = point(problem).astype(np.float32), vectors(problem)
    v = v.astype(np.float32)
    for loss in [problem.loss(t) for t in STEPS] + [getattr(problem, "whole", problem)]:
        pairs = [(loss.value_and_gradient(at)[1], loss.gradient(at), *(M @ d for M in matrices(loss, at).values()))
                 for at, d in ((theta, v), (theta.astype(float), v.astype(float)))]
        for single, double in zip(*pairs, strict=True):
            assert single.dtype == np.float32 and double.dtype == np.float64
            assert_allclose(single, double, atol=1e-4 * np.abs(double).max() + 1e-6)


@EVERY
def test_what_is_handed_out_is_nobody_elses_and_what_is_given_is_left_alone(name):
    problem = made(name)
    theta, (v, _) = point(problem), vectors(problem)
    theta_before, v_before, loss = theta.copy(), v.copy(), problem.loss(3)
    theta_constant = theta.copy()
    theta_constant.flags.writeable = False
    for at in theta, theta_constant:
        g, Mv = loss.gradient(at), {name: M @ v for name, M in matrices(loss, at).items()}
        copies = g.copy(), {name: product.copy() for name, product in Mv.items()}
        for array in (g, *Mv.values()):
            if array.flags.writeable:
                array.fill(7)
        assert_array_equal(loss.gradient(at), copies[0])
        for key, M in matrices(loss, at).items():
            assert_array_equal(M @ v, copies[1][key])
    assert_array_equal(theta, theta_before)
    assert_array_equal(v, v_before)


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_wrapper_hands_on_the_kink_the_blocks_and_what_it_does_not_know(wrap):
    if "gathered" not in wrap:
        kinked, theta = Lasso(PLAIN["quadratic"], 2.0), np.array([0.3, -3.0, 0.9])
        for problem in WRAPS[wrap](kinked), WRAPS[wrap](kinked).loss(7):
            weight = 2.3 if wrap == "lasso on " else 2.0  # with both prices in its value, both kinks
            assert_allclose(problem.proximal(theta, 0.25), np.sign(theta) * np.maximum(np.abs(theta) - weight / 4, 0))
    batches = PLAIN["mini-batches"]
    problem, theta = WRAPS[wrap](batches), point(batches)
    assert [block.shape for block in problem.loss(3).blocks(theta)] == [(3, 5), (3, 4)]
    assert problem.whole.accuracy(theta) == batches.whole.accuracy(theta)
    assert problem.size == problem.loss(2).size == batches.size
    assert problem.steps_per_epoch == (3 if "gathered" not in wrap else {"gathered ": 2}.get(wrap, 1))


# ---------------------------------------------------------------------------------- examples, and how they are divided

NETS = {
    "labels": (SMALL, X, LABELS), "targets": (mlp([4, 3, 3], loss=SquaredError()), X, TARGETS),
    "one example": (SMALL, X[:1], LABELS[:1]),
    "images": (ANOTHER, IMAGES, IMAGES[:, 0, 0]), "one image": (ANOTHER, IMAGES[:1], IMAGES[:1, 0, 0]),
    "averaged images": (Network(Conv2D(2, 3, 2, stride=2, bias=False), ReLU(), AveragePool(2), Flatten(),
                                Dense(3, 3), inputs=(5, 4, 2)), IMAGES, LABELS[:7])}


def all_about(batch, theta, v):
    """What does not depend on the order of the examples, and what has a row for each."""
    dense = {"factors": [M for pair in batch.kronecker_factors(theta, labels=labels, form=form) for M in pair]
             for labels in ("exact", "data") for form in ("expand", "reduce")}
    products = [getattr(batch, kind)(theta) @ v for kind in ("hessian", "gauss_newton", "fisher", "empirical_fisher")]
    means = [batch.value(theta), batch.gradient(theta), *products, *dense["factors"], batch.accuracy(theta),
             batch.gauss_newton_diagonal(theta)]
    return means, [batch.per_example_gradients(theta), batch.jacobian(theta)]


@pytest.mark.parametrize("name", NETS)
def test_the_order_of_the_examples_makes_no_difference_and_neither_does_each_twice(name):
    network, X, Y = NETS[name]
    if Y.ndim > 1 and Y.shape[1] != network.output_size:
        Y = Y[:, :network.output_size]
    theta = network.initial(1)
    v, order = np.random.default_rng(0).standard_normal(theta.size), np.random.default_rng(1).permutation(len(X))
    means, rows = all_about(MiniBatch(network, X, Y), theta, v)
    for chosen in order, np.repeat(order, 2):
        other, other_rows = all_about(MiniBatch(network, X[chosen], Y[chosen]), theta, v)
        for one, same in zip(means, other, strict=True):
            assert_allclose(same, one, rtol=1e-9, atol=1e-11)
        for one, same in zip(rows, other_rows, strict=True):
            assert_allclose(same, one[chosen], rtol=1e-9, atol=1e-11)
    assert_allclose(rows[0].mean(axis=0), means[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETS)
def test_the_whole_is_that_of_one_batch_however_it_is_divided(name):
    network, X, Y = NETS[name]
    theta = network.initial(1)
    v, batch = np.random.default_rng(0).standard_normal(theta.size), MiniBatch(network, X, Y)
    for size in (1, 2, 3, len(X) - 1, len(X), len(X) + 1):
        if size:
            whole = Whole(network, X, Y, batch_size=size)
            assert_allclose(whole.value(theta), batch.value(theta), rtol=1e-12)
            assert_allclose(whole.gradient(theta), batch.gradient(theta), rtol=1e-9, atol=1e-12)
            assert_allclose(whole.value_and_gradient(theta)[1], batch.gradient(theta), rtol=1e-9, atol=1e-12)
            assert_allclose(whole.accuracy(theta), batch.accuracy(theta))
            for kind in "hessian", "gauss_newton", "fisher", "empirical_fisher":
                assert_allclose(getattr(whole, kind)(theta) @ v, getattr(batch, kind)(theta) @ v, rtol=1e-9, atol=1e-11)


# ------------------------------------------------------------------------------------------------- what is drawn

def test_in_four_thousand_steps_no_mask_no_label_no_order_and_no_noise_comes_a_second_time():
    steps, n, ones = range(1, 4001), 40, np.ones((40, 1))
    network = Network(Dense(1, 40), Dropout(0.5), Dense(40, 2), inputs=1)
    alike = EmpiricalRisk(network, ones, np.zeros(n, int), batch_size=n)
    theta, counted = network.initial(0), EmpiricalRisk(mlp([1, 2]), np.arange(20.0)[:, None], np.zeros(20, int), 20)
    noisy = Noisy(Quadratic(np.eye(2)), 1.0)
    drawn = {
        "masks": (alike.loss(t).forward(theta)[0].tobytes() for t in steps),
        "labels": (alike.loss(t).derivatives_at(np.zeros((n, 2)), None, "sampled")[0].tobytes() for t in steps),
        "orders": (counted.loss(t).X.tobytes() for t in steps),
        "noise": (noisy.loss(t).gradient(np.zeros(2)).tobytes() for t in steps)}
    for what, answers in drawn.items():
        assert len(set(answers)) == 4000, f"{what} repeat"


def test_two_seeds_share_no_mask_no_label_no_order_and_no_noise_at_any_steps():
    n, ones, network = 40, np.ones((40, 1)), Network(Dense(1, 40), Dropout(0.5), Dense(40, 2), inputs=1)
    line = mlp([1, 1], loss=SquaredError())
    theta, drawn = network.initial(0), {"masks": [], "labels": [], "factors": [], "orders": [], "noise": []}
    for seed in (0, 1, 2, 30, 1000):
        alike = EmpiricalRisk(network, ones, np.zeros(n, int), batch_size=n, seed=seed)
        counted = EmpiricalRisk(mlp([1, 2]), np.arange(20.0)[:, None], np.zeros(20, int), 20, seed=seed)
        noisy = Noisy(Quadratic(np.eye(2)), 1.0, seed=seed)
        for t in [*range(1, 32), 1000, 1001]:
            loss = alike.loss(t)
            drawn["masks"].append(loss.forward(theta)[0].tobytes())
            drawn["labels"].append(MiniBatch(line, ones, ones, loss.seed).sampled_gradient(np.zeros(2)).tobytes())
            drawn["factors"].append(loss.derivatives_at(np.zeros((n, 2)), None, "sampled")[0].tobytes())
            drawn["orders"].append(counted.loss(t).X.tobytes())
            drawn["noise"].append(noisy.loss(t).gradient(np.zeros(2)).tobytes())
    for what, answers in drawn.items():
        assert len(set(answers)) == len(answers), f"{what} repeat"
