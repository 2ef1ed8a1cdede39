"""The hot loops of small dense nets: each twin does what its NumPy version does, and what the layers do."""
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import dense
from numopt.kernels.twins import reading
from numopt.linalg import conjugate_gradient, damped
from numopt.networks import Dense, Dropout, Network, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from numopt.optimizers import natural_gradient
from numopt.problems import DenseFisher, EmpiricalRisk, MiniBatch
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, needs_numba, normal


def nets(a):
    """The arguments of dense_fisher_product: one layer or three, with biases or without, one example or many, and no
    further terms in M, one or several."""
    for n, terms, shapes in [(1, 1, [(1, 1, 0)]), (5, 3, [(3, 4, 1), (2, 3, 1)]), (600, 0, [(7, 150, 0), (3, 7, 1)]),
                             (3, 2, [(17, 4, 1), (40, 17, 0), (2, 40, 1)]), (20, 1, [(33, 300, 1), (33, 33, 0)])]:
        shapes = np.array(shapes)
        outputs, inputs, _ = shapes.sum(axis=0)
        weights = sum(o * (i + bias) for o, i, bias in shapes)
        by_outputs = a(n, shapes[-1, 0]), a(terms, n, shapes[-1, 0]), a(terms, n, shapes[-1, 0])
        yield a(weights), a(n * inputs), a(n * outputs), *by_outputs, shapes, a(weights)


def positive_nets(a):
    """The same, with M no less than 0, and damping so large that rounding is not magnified."""
    for theta, X, S, D, A, _, shapes, v in nets(a):
        yield 0.1 * theta, X, S, abs(D), A, A, shapes, v


CASES = {
    "softmax_hessian_product": lambda a: [(a(1, 2), a(1, 2)), (a(7, 10), a(7, 10)), (100 * a(5, 3), a(5, 3))],
    "dense_fisher_product": lambda a: nets(a),
    "dense_fisher_solve": lambda a: ((*net, 1.0, *until) for net, steps in zip(positive_nets(a), (1, 4, 3, 3, 2))
                                     for until in [(steps, 1e-3), (30, 0.8)]),
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(dense, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(dense, name), cases_of(CASES, name, seed=1)[-1])


def test_the_arrays_of_a_net_of_which_one_is_of_another_size_are_not_let_in():
    for net in list(nets(normal(np.random.default_rng(0), float)))[1:]:
        theta, X, S, D, A, B, shapes, v = net
        for kernel, more in (dense.dense_fisher_product, ()), (dense.dense_fisher_solve, (0.1, 3, 1e-3)):
            assert kernel.lets_in((*net, *more))
            for place in 0, 1, 2, 7:
                for wrong in net[place][:-1], np.append(net[place], 1.0):
                    assert not kernel.lets_in((*net[:place], wrong, *net[place + 1:], *more))
            for by in (0, 0, 1), (0, 0, -2), (1, 0, 0), (0, -1, 0):
                for layer in range(len(shapes)):
                    other = shapes.copy()
                    other[layer] += by
                    size = sum(o * (i + bias) for o, i, bias in other.tolist())
                    X, S = np.ones(len(D) * max(0, other[:, 1].sum())), np.ones(len(D) * max(0, other[:, 0].sum()))
                    theta = v = np.ones(max(0, size))
                    of_another = theta, X, S, D, A, B, other, v, *more
                    whole = (set(other[:, 2]) <= {0, 1} and other.min(axis=0)[:2].min() > 0
                             and other[1:, 1].tolist() == other[:-1, 0].tolist() and other[-1, 0] == D.shape[1])
                    assert kernel.lets_in(of_another) == whole, (other, by)
            other = shapes.copy()
            other[-1, 0] = 0
            X, S = np.ones(len(D) * other[:, 1].sum()), np.ones(len(D) * other[:, 0].sum())
            v = np.ones(sum(o * (i + bias) for o, i, bias in other.tolist()))
            assert not dense.belong_together(v, X, S, D[:, :0], A, B, other, v, *more)  # a last layer without outputs


@needs_numba
@pytest.mark.parametrize("dtype, close", [(np.float32, 1e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("matrix", ["fisher", "sampled_fisher", "gauss_newton", "empirical_fisher"])
def test_a_solve_with_a_fisher_matrix_is_that_of_the_layers(matrix, activation, dtype, close):
    random = np.random.default_rng(2)
    network = mlp([20, 15, 12, 4], activation=activation, dropout=0.1)
    loss = MiniBatch(network, random.standard_normal((30, 20)).astype(dtype), random.integers(0, 4, 30))
    theta = network.initial(0, dtype=dtype)
    theta.flags.writeable = False
    g = loss.gradient(theta)
    F = getattr(loss, matrix)(theta)
    assert dense.dense_fisher_product.lets_in((*F.arguments(), g))
    compiled = conjugate_gradient(damped(F, 0.1), g, steps=8), F @ g, F @ (F @ g)
    with reading():
        F = getattr(loss, matrix)(theta)
        mine = conjugate_gradient(damped(F, 0.1), g, steps=8), F @ g, F @ (F @ g)
    for a, b in zip(compiled, mine):
        assert a.dtype == b.dtype == dtype
        assert_allclose(a, b, rtol=0, atol=close * np.abs(b).max())


@needs_numba
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()], ids=["softmax", "squared error"])
def test_a_net_without_some_biases_and_with_activations_at_both_ends_has_the_same_fisher_matrix(loss):
    random = np.random.default_rng(5)
    network = Network(Tanh(), Dropout(0.2), Dense(20, 15, bias=False), Tanh(), Dropout(0.2), Sigmoid(), Dense(15, 18),
                      Dense(18, 4, bias=False), Tanh(), inputs=20, loss=loss)
    Y = random.integers(0, 4, 30) if isinstance(loss, SoftmaxCrossEntropy) else random.standard_normal((30, 4))
    batch, theta = MiniBatch(network, random.standard_normal((30, 20)), Y), network.initial(0)
    for F in (batch.fisher(theta), batch.gauss_newton(theta), batch.fisher(theta, samples=3, seed=0)):
        v = random.standard_normal(network.size)
        assert isinstance(F, DenseFisher)
        assert_allclose(dense.dense_fisher_product.numpy(*F.arguments(), v), F.F @ v, rtol=1e-9, atol=1e-12)
        assert_allclose(dense.dense_fisher_product.compiled(*F.arguments(), v), F.F @ v, rtol=1e-9, atol=1e-12)


@needs_numba
def test_a_net_with_many_inputs_multiplies_by_its_fisher_matrix_the_way_of_the_layers():
    random, network = np.random.default_rng(2), mlp([2000, 5, 3])
    F = MiniBatch(network, random.standard_normal((60, 2000)), random.integers(0, 3, 60)).fisher(network.initial(0))
    v = random.standard_normal(network.size)
    assert isinstance(F, DenseFisher)
    for _ in range(3):
        assert_array_equal(F @ v, F.F @ v)
    solution = F.solve(v, 0.1, 300, 1e-12)
    assert_allclose(F.F @ solution + 0.1 * solution, v, atol=1e-8)


@needs_numba
def test_a_natural_gradient_step_solves_in_one_compiled_call(monkeypatch):
    calls = []
    original = dense.dense_fisher_solve.twin_function
    monkeypatch.setattr("numopt.problems.minibatch.dense_fisher_solve",
                        lambda *how: calls.append(how) or np.zeros_like(how[7]))
    random, network = np.random.default_rng(2), mlp([20, 25, 4])
    risk = EmpiricalRisk(network, random.standard_normal((30, 20)), random.integers(0, 4, 30))
    next(natural_gradient(risk, network.initial(0), cg_steps=7, damping=0.3))
    assert len(calls) == 1 and calls[0][8:10] == (0.3, 7) and original


@needs_numba
@pytest.mark.parametrize("dtype, far", [(np.float32, (1, 20, 49, 51, 80)), (np.float64, (1, 20, 49, 51, 80, 300, 700))])
def test_a_class_that_is_nearly_ruled_out_has_the_curvature_that_it_has(dtype, far):
    for d in far:
        z, u = np.array([[0.0, -d], [-d, 0.0]], dtype), np.array([[0.0, 1.0], [0.0, 1.0]], dtype)
        p = np.exp(-d) / (1 + np.exp(-d))
        expected = p * (1 - p) * np.array([[-1, 1], [-1, 1]])
        found = dense.softmax_hessian_product.compiled(z, u)
        assert_allclose(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-13)
        q, order = np.array([1, np.exp(-d), np.exp(-d / 2)]), np.array(list(permutations(range(3))))
        p, u = q / q.sum(), np.array([2.0, -1, 0.5])
        expected = p * [(u[i] - u) @ p for i in range(3)]  # H u = p (u − pᵀu), in differences alone
        z = np.array([0, -d, -d / 2])[order].astype(dtype)
        for version in dense.softmax_hessian_product.numpy, dense.softmax_hessian_product.compiled:
            for shift in 0, 1000:
                found = version(z + dtype(shift), u[order].astype(dtype))
                assert_allclose(found, expected[order], rtol=1e-3 if dtype is np.float32 else 1e-9, atol=1e-37)
