"""What an objective answers when its author wrote down only a value and a gradient."""
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.linalg import eigsh

from numopt.problems import Objective


class Wave(Objective):
    """f(θ) = sin(θ₁) + θ₁ θ₂² + cos(θ₂ θ₃): third derivatives everywhere."""

    def value(self, theta):
        x, y, z = theta
        return float(np.sin(x) + x * y**2 + np.cos(y * z))

    def gradient(self, theta):
        x, y, z = theta
        s = np.sin(y * z)
        return np.array([np.cos(x) + y**2, 2 * x * y - z * s, -y * s], theta.dtype)

    def exact_hessian(self, theta):
        x, y, z = theta
        s, c = np.sin(y * z), np.cos(y * z)
        return np.array([[-np.sin(x), 2 * y, 0],
                         [2 * y, 2 * x - z**2 * c, -s - y * z * c],
                         [0, -s - y * z * c, -y**2 * c]])


THETA = np.array([0.7, -1.1, 0.4])
WAVE = Wave()


def test_value_and_gradient_are_the_value_and_the_gradient():
    f, g = WAVE.value_and_gradient(THETA)
    assert f == WAVE.value(THETA) and np.array_equal(g, WAVE.gradient(THETA))


def test_products_with_the_default_hessian_are_right_to_nine_digits():
    H = WAVE.hessian(THETA)
    for v in np.random.default_rng(0).standard_normal((5, 3)):
        assert_allclose(H @ v, WAVE.exact_hessian(THETA) @ v, atol=1e-8)
    assert_allclose(H @ np.eye(3), WAVE.exact_hessian(THETA), atol=1e-8)


def test_the_length_of_the_vector_does_not_matter_to_the_precision_of_a_product():
    H, exact = WAVE.hessian(THETA), WAVE.exact_hessian(THETA)
    v = np.array([1.0, -2.0, 0.5])
    for length in [1e-12, 1e-3, 1e3, 1e12]:
        assert_allclose(H @ (length * v) / length, exact @ v, rtol=1e-7)


def test_the_default_hessian_times_zero_is_zero():
    assert np.array_equal(WAVE.hessian(THETA) @ np.zeros(3), np.zeros(3))
    assert WAVE.hessian(THETA.astype(np.float32)).product(np.zeros(3)).dtype == np.float32


def test_the_default_hessian_is_its_own_transpose():
    H = WAVE.hessian(THETA)
    v = np.array([1.0, 2.0, 3.0])
    assert np.array_equal(H.T @ v, H @ v)


def test_scipy_takes_the_default_hessian_for_a_matrix():
    largest, = eigsh(WAVE.hessian(THETA), k=1, which="LA", v0=np.ones(3), return_eigenvectors=False)
    assert_allclose(largest, np.linalg.eigvalsh(WAVE.exact_hessian(THETA))[-1], rtol=1e-7)


def test_in_single_precision_the_default_hessian_stays_there_and_is_right_to_three_digits():
    theta = THETA.astype(np.float32)
    product = WAVE.hessian(theta) @ np.ones(3, np.float32)
    assert product.dtype == np.float32
    assert_allclose(product, WAVE.exact_hessian(THETA) @ np.ones(3), rtol=2e-3)


def test_asking_for_the_hessian_leaves_theta_alone():
    theta = THETA.copy()
    WAVE.hessian(theta) @ np.ones(3)
    assert np.array_equal(theta, THETA)


@pytest.mark.parametrize("question, reason", [
    ("value", "write its method"), ("gradient", "write its method"), ("gauss_newton", "not a model followed by a loss"),
    ("fisher", "not a likelihood"), ("empirical_fisher", "not a mean over examples")])
def test_what_an_objective_cannot_answer_it_refuses_by_name_and_with_the_reason(question, reason):
    class Blank(Objective):
        """It answers nothing."""

    with pytest.raises(NotImplementedError, match=f"Blank .*{reason}"):
        getattr(Blank(), question)(THETA)


def test_an_objective_is_the_loss_of_every_step():
    assert WAVE.loss(1) is WAVE and WAVE.loss(10**6) is WAVE


def test_losses_begin_after_the_step_that_was_done_and_do_not_end():
    assert [t for t, _ in islice(WAVE.losses(), 3)] == [1, 2, 3]
    assert [t for t, _ in islice(WAVE.losses(after=7), 3)] == [8, 9, 10]
    assert all(loss is WAVE for _, loss in islice(WAVE.losses(), 1000))


def test_the_losses_of_a_problem_are_those_it_gives_for_each_step():
    class Schedule(Objective):
        """The objective of step t is called t."""

        def loss(self, t):
            return f"the loss of step {t}"

    assert list(islice(Schedule().losses(after=4), 2)) == [(5, "the loss of step 5"), (6, "the loss of step 6")]


def test_a_vector_without_layers_is_one_column_seen_through_a_view():
    v = np.arange(3.0)
    block, = WAVE.blocks(v)
    assert block.shape == (3, 1)
    block[1] = 7
    assert v[1] == 7


def test_an_objective_takes_any_number_of_parameters_unless_it_says_otherwise():
    assert Objective().size is None
