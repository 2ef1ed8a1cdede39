"""A matrix known by its products: an operator of scipy's, and an array where it is small."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import eigsh

from numopt.linalg import Symmetric
from numopt.problems import Function

A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 4.0]])


def test_its_array_is_made_of_its_products_with_unit_vectors():
    M = Symmetric(lambda v: A @ v, 3, A.dtype)
    assert_array_equal(np.asarray(M), A)
    assert_array_equal(M.dense(), A)
    assert np.asarray(M, np.float32).dtype == np.float32 and len(M) == 3
    assert_array_equal(M @ np.eye(3), A)
    assert_array_equal((M + M) @ np.ones(3), 2 * A @ np.ones(3))
    assert_array_equal(np.ones(3) @ M, A.sum(axis=0))
    assert_allclose(eigsh(M, 1)[0], np.linalg.eigvalsh(A)[-1:])


def test_one_that_is_too_large_says_how_large_its_array_would_be():
    M = Symmetric(lambda v: v, 285_670, np.dtype(float))
    with pytest.raises(ValueError, match=r"285,670 × 285,670 numbers, 653 GB: multiply it by vectors"):
        np.asarray(M)
    assert_array_equal(M @ np.ones(285_670), 1)


def test_the_hessian_of_a_function_of_ones_own_is_an_array_at_once():
    H = Function(lambda x: x @ A @ x / 2, lambda x: A @ x).hessian(np.ones(3))
    assert_allclose(np.asarray(H), A, atol=1e-8)
