"""Problems that keep count: what counts as what, and what passes through."""
import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import mlp
from numopt.problems import Beale, Counted, CountedMatrix, LeastSquares, MiniBatch, Noisy, Quadratic

A = np.array([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]])


def test_values_gradients_and_products_are_counted():
    counted, theta = Counted(Quadratic(A)), np.ones(3)
    counted.value(theta), counted.value(theta), counted.gradient(theta), counted.value_and_gradient(theta)
    assert (counted.values, counted.gradients, counted.products) == (3, 2, 0)
    H = counted.hessian(theta)
    assert counted.products == 0
    assert_allclose(H @ theta, A @ theta)
    assert counted.products == 1
    assert_allclose(H @ np.ones((3, 2)), A @ np.ones((3, 2)))
    assert_allclose(H.T @ theta, A @ theta)
    assert counted.products == 4


def test_a_product_counts_on_whichever_side_it_is_taken():
    M, v = np.arange(6.0).reshape(2, 3), np.ones(2)
    for product in (lambda J: J.rmatvec(v), lambda J: J.T @ v, lambda J: J.H @ v, lambda J: J.T.matvec(v),
                    lambda J: J.T.T.rmatvec(v)):
        counts = {"products": 0}
        assert_allclose(product(CountedMatrix(M, counts)), M.T @ v)
        assert counts["products"] == 1
    counts = {"products": 0}
    assert_allclose(CountedMatrix(M, counts).T @ np.ones((2, 4)), M.T @ np.ones((2, 4)))
    assert_allclose(CountedMatrix(M, counts).rmatmat(np.ones((2, 4))), M.T @ np.ones((2, 4)))
    assert counts["products"] == 8


def test_where_the_loss_is_the_same_at_every_step_the_counted_one_is_too():
    """By which a line search knows that it need not ask again."""
    counted = Counted(Quadratic(A))
    assert counted.loss(1) is counted.loss(2) is counted


def test_a_matrix_used_as_an_array_counts_as_a_product_for_each_column():
    counted, theta = Counted(Quadratic(A)), np.ones(3)
    assert_allclose(np.linalg.solve(counted.hessian(theta), theta), np.linalg.solve(A, theta))
    assert counted.products == 3
    assert_allclose(counted.hessian(theta) + np.eye(3), A + np.eye(3))
    assert_allclose(np.eye(3) + counted.hessian(theta), A + np.eye(3))
    assert counted.products == 9
    squares = Counted(LeastSquares(lambda theta: A @ theta - 1, lambda theta: A))
    assert_allclose(squares.gauss_newton(theta) @ theta, A @ A @ theta)
    assert squares.products == 1


@pytest.mark.parametrize("question, how, counts", [
    ("sampled_gradient", {"seed": 3}, (0, 1, 0)), ("kronecker_factors", {"seed": 3, "labels": "sampled"}, (0, 1, 0)),
    ("kronecker_factors", {"labels": "data"}, (0, 1, 0)), ("per_example_gradients", {}, (0, 1, 0)),
    ("fisher", {"samples": 2, "seed": 3}, (0, 0, 7)), ("sampled_fisher", {}, (0, 0, 7)),
    ("empirical_fisher", {}, (0, 0, 7)), ("hessian", {}, (0, 0, 7)), ("gauss_newton", {}, (0, 0, 7))])
def test_what_a_network_answers_is_passed_on_with_its_seed_and_counted_as_what_it_costs(question, how, counts):
    random, network = np.random.default_rng(0), mlp([3, 1, 2])
    batch = MiniBatch(network, random.standard_normal((5, 3)), random.integers(2, size=5))
    theta, counted = network.initial(seed=1)[:], Counted(batch)
    V = np.eye(network.size)[:, :7]

    def asked(problem):
        answer = getattr(problem, question)(theta, **how)
        return np.concatenate([np.ravel(part) for pair in answer for part in pair]) if isinstance(answer, list) else (
            answer if isinstance(answer, np.ndarray) else answer @ V)

    assert_allclose(asked(counted), asked(batch), rtol=1e-12, atol=1e-14)
    assert (counted.values, counted.gradients, counted.products) == counts


def test_a_matrix_that_is_not_symmetric_has_the_transpose_that_it_has():
    M = CountedMatrix(np.arange(9.0).reshape(3, 3), {"products": 0})
    assert_allclose(M.T @ np.eye(3), np.arange(9.0).reshape(3, 3).T)
    assert M.counts["products"] == 3


def test_all_steps_of_a_problem_are_counted_together():
    counted = Counted(Noisy(Quadratic(A), 1.0))
    for t, loss in zip(range(4), (loss for _, loss in counted.losses())):
        loss.gradient(np.ones(3))
        loss.hessian(np.ones(3)) @ np.ones(3)
    assert (counted.values, counted.gradients, counted.products) == (0, 4, 4)
    assert np.array_equal(counted.loss(3).gradient(np.ones(3)), counted.problem.loss(3).gradient(np.ones(3)))


def test_what_else_a_counted_problem_knows_it_still_knows():
    assert Counted(Beale()).box is Beale.box and Counted(Beale()).size == 2
    assert np.array_equal(Counted(Beale()).minimizers, [[3, 0.5]])
    assert Counted(Beale()).loss(4).minimum == 0
    squares = Counted(LeastSquares(lambda theta: A @ theta - 1, lambda theta: A))
    squares.residuals([1, 2, 3]), squares.jacobian([1, 2, 3]), squares.jacobian([1, 2, 3])
    assert (squares.values, squares.gradients) == (1, 2)
    with pytest.raises(AttributeError, match="nonsense"):
        Counted(Beale()).nonsense
    with pytest.raises(NotImplementedError, match="Beale is not a likelihood"):
        Counted(Beale()).fisher([1, 2])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda problem: pickle.loads(pickle.dumps(problem))])
def test_a_copy_goes_on_counting_by_itself(duplicate):
    counted = Counted(Noisy(Beale(), 1.0))
    counted.gradient([1, 2])
    other = duplicate(counted)
    other.loss(1).gradient(np.array([1.0, 2.0]))
    assert (counted.gradients, other.gradients) == (1, 2)


def test_it_says_what_it_has_counted():
    problem = Counted(Beale())
    problem.gradient(np.ones(2))
    assert repr(problem) == f"<Counted of {Beale()!r}: 0 values, 1 gradients, 0 products>"
