"""A matrix known by its products: an operator of scipy's, and an array where it is small."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import eigsh

from numopt.linalg import Operator, Symmetric, damped, nystrom
from numopt.networks import mlp
from numopt.optimizers import newton_cg
from numopt.problems import Bratu, Counted, EmpiricalRisk, Function, LennardJones, Ridge, Rosenbrock

A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 4.0]])
B = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 5.0], [-1.0, 0.0, 1.0]])


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
    for shape in (20_000, 2), (2, 20_000):
        with pytest.raises(ValueError, match="multiply it by vectors"):
            np.asarray(Operator(None, None, shape, np.dtype(float)))
    assert_array_equal(np.asarray(Symmetric(lambda v: v, 101, np.dtype(float))), np.eye(101))


def test_the_hessian_of_a_function_of_ones_own_is_an_array_at_once():
    H = Function(lambda x: x @ A @ x / 2, lambda x: A @ x).hessian(np.ones(3))
    assert_allclose(np.asarray(H), A, atol=1e-8)


def matrices():
    """{what it is: a matrix that the package hands out to be multiplied by}"""
    rng = np.random.default_rng(0)
    network = mlp([3, 4, 2], activation="tanh")
    risk = EmpiricalRisk(network, rng.standard_normal((6, 3)), rng.integers(0, 2, 6), batch_size=4)
    theta, batch, fog, atoms = network.initial(seed=0), risk.loss(1), Bratu(3, alpha=2.0), LennardJones(3)
    run = newton_cg(Rosenbrock(), [-1.2, 1.0], curvature="differences")
    next(run)
    return {
        **{f"{kind} of {type(loss).__name__}": getattr(loss, kind)(theta)
           for kind in ("hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher")
           for loss in (batch, risk.whole, Counted(batch))},
        "a ridge's": Ridge(batch, 0.1).hessian(theta), "damped": damped(batch.fisher(theta), 0.1),
        "damped line by line": damped(fog.jacobian(fog.start), np.arange(9.0)),
        "Nystrom": nystrom(batch.fisher(theta), [0, 3, 7]),
        "Jacobian": fog.jacobian(fog.start + 0.1), "its transpose": fog.jacobian(fog.start + 0.1).T,
        "its Gauss-Newton matrix": fog.gauss_newton(fog.start + 0.1), "of atoms": atoms.hessian(atoms.start),
        "of differences": run["H"], "a sum": batch.hessian(theta) + batch.fisher(theta),
    }


@pytest.mark.parametrize("what", matrices())
def test_every_matrix_that_is_handed_out_has_an_array_and_a_transpose(what):
    M = matrices()[what]
    columns = np.column_stack([M @ e for e in np.eye(M.shape[1])])
    assert columns.any() and M.shape == columns.shape
    assert_allclose(np.asarray(M), columns, rtol=1e-6, atol=1e-6 * np.abs(columns).max())
    if what != "of differences":    # which are symmetric only nearly
        rows = np.array([M.T @ e for e in np.eye(len(columns))])
        assert_allclose(rows, columns, rtol=1e-6, atol=1e-6 * np.abs(columns).max())


def test_what_is_calculated_with_operators_has_an_array_too():
    M, N = Symmetric(lambda v: A @ v, 3, A.dtype), Operator(lambda v: B @ v, lambda v: B.T @ v, (3, 3), B.dtype)
    for made, expected in {2 * N: 2 * B, N * 2: 2 * B, N / 2: B / 2, -N: -B, M + N: A + B, M - N: A - B, M @ N: A @ B,
                           N @ M: B @ A, N.T @ N: B.T @ B, N**2: B @ B, (M @ N).T: B.T @ A, N.H: B.T,
                           0.5 * (N + N.T): (B + B.T) / 2}.items():
        assert isinstance(made, Operator)
        assert_allclose(np.asarray(made), expected)
    assert_array_equal(N + np.eye(3), B + np.eye(3))
    assert_array_equal(np.eye(3) + N, B + np.eye(3))
    assert_array_equal(np.ones(3) @ N, B.sum(axis=0))
    assert_array_equal(N @ B, B @ B)


def test_a_matrix_that_is_not_square_has_an_array_of_its_shape():
    tall = Operator(lambda v: B[:, :2] @ v, lambda v: B[:, :2].T @ v, (3, 2), B.dtype)
    assert_array_equal(np.asarray(tall), B[:, :2])
    assert_array_equal(np.asarray(tall.T), B[:, :2].T)


MISTAKES = [
    ("Operator._adjoint", "the transpose is the matrix itself",
     "self.rmatvec, self.matvec",
     "self.matvec, self.rmatvec",
     "test_what_is_calculated_with_operators_has_an_array_too"),
]
