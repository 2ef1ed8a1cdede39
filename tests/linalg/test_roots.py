"""Roots of matrices and their orthogonal factors: each test says something that lecture 11 says."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.linalg import inverse_root, inverse_root_newton, newton_schulz
from numopt.linalg.norms import NotFinite
from numopt.linalg.roots import INVERSES, NARROW, cholesky, divided, eigh, inverse, orthogonal_factor, solved
from tests.linalg.test_systems import EPS, low_rank, symmetric


@pytest.mark.parametrize("root", [inverse_root, inverse_root_newton])
@pytest.mark.parametrize("p", [1, 2, 4, 6])
def test_the_power_p_of_the_root_is_the_inverse(root, p):
    A = symmetric(np.geomspace(1e-3, 10, 15))
    R = root(A, p)
    assert_allclose(np.linalg.matrix_power(R, p) @ A, np.eye(15), atol=1e-9)
    assert_allclose(R, R.T, atol=1e-8)
    assert np.linalg.eigvalsh((R + R.T) / 2)[0] > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_damping_a_curvature_that_is_rounding_in_its_precision_is_not_divided_by(dtype):
    g, eps = np.ones(2, dtype), np.finfo(dtype).eps
    assert_allclose(divided(g, np.array([4, 80 * eps], dtype), 0.0), [0.25, 1 / (80 * eps)])
    for small in 20 * eps, 0.0, -1.0:
        with pytest.raises(ValueError, match="no curvature along a direction"):
            divided(g, np.array([4, small], dtype), 0.0)
    assert_allclose(divided(g, np.array([4, 0], dtype), 0.5), [1 / 4.5, 2])


def test_the_roots_of_a_diagonal_matrix_are_those_of_its_numbers():
    A = np.diag([1.0, 16.0, 81.0])
    for root in inverse_root, inverse_root_newton:
        assert_allclose(root(A, 4), np.diag([1, 1 / 2, 1 / 3]), atol=1e-12)
        assert_allclose(root(A, 2, damping=9.0), np.diag([10**-0.5, 0.2, 90**-0.5]), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_both_ways_to_the_root_agree_whatever_the_scale(dtype, scale):
    A = (scale * symmetric(np.geomspace(0.1, 10, 12))).astype(dtype)
    one, other = inverse_root(A, 4), inverse_root_newton(A, 4)
    assert one.dtype == other.dtype == dtype
    assert_allclose(one, other, atol=100 * EPS[dtype] * np.abs(one).max())


def test_rounding_below_zero_is_clamped():
    F = low_rank()                                 # rank 4, with some of the other eigenvalues just below 0
    R = inverse_root(F, 2, damping=1e-3)
    assert_allclose(R @ R @ (F + 1e-3 * np.eye(12)), np.eye(12), atol=1e-9)
    largest = np.linalg.eigvalsh(F)[-1]
    assert_allclose(np.linalg.eigvalsh(inverse_root(F, 2, eps=1e-6))[-1], (1e-6 * largest)**-0.5)
    assert np.isfinite(inverse_root(F, 4)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_eigenvalue_that_rounding_has_brought_below_0_counts_as_the_least_that_there_may_be(dtype):
    eps = float(np.finfo(dtype).eps)
    R = inverse_root(np.diag([4.0, -10 * eps, 1.0]).astype(dtype), 2, eps=0.01)
    assert_allclose(R, np.diag([0.5, 5.0, 1.0]), atol=10 * eps)


def test_with_an_eps_of_0_no_eigenvalue_is_raised_however_small_it_is():
    A = np.diag([1.0, 1e-20])
    assert_allclose(inverse_root(A, 2, eps=0), np.diag([1, 1e10]))
    assert_allclose(inverse_root(A, 2), np.diag([1, np.finfo(float).eps**-0.5]))


def test_roots_that_there_are_not_are_refused():
    for root in inverse_root, inverse_root_newton:
        with pytest.raises(ValueError, match="add damping"):
            root(np.zeros((3, 3)), 2)
        with pytest.raises(ValueError, match="add damping"):
            root(-np.eye(3), 2)
        with pytest.raises(ValueError, match="add damping"):
            root(np.diag([1.0, -0.1]), 4)
        with pytest.raises(ValueError, match=r"square array, not one of shape \(2, 3\)"):
            root(np.ones((2, 3)), 2)
    with pytest.raises(ValueError, match="add damping"):
        inverse_root_newton(np.diag([1.0, 0.0]), 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, NARROW, NARROW + 1, 2 * NARROW])
def test_eigenvectors_and_orthogonal_factors_have_the_precision_of_their_matrix(n, dtype):
    A = symmetric(np.linspace(-3, 10, n)).astype(dtype)
    before, M = A.copy(), np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    eigenvalues, V = eigh(A)
    assert_allclose(eigenvalues, np.linspace(-3, 10, n), atol=300 * EPS[dtype])
    assert_allclose(A @ V, V * eigenvalues, atol=300 * EPS[dtype])
    assert_allclose(V.T @ V, np.eye(n), atol=300 * EPS[dtype])
    Q = orthogonal_factor(M)
    R = Q.T @ M
    assert V.dtype == Q.dtype == eigenvalues.dtype == dtype and Q.flags.c_contiguous
    assert_allclose(Q.T @ Q, np.eye(n), atol=300 * EPS[dtype])
    assert_allclose(np.tril(R, -1), 0, atol=3000 * EPS[dtype])
    assert_allclose(Q, np.linalg.qr(M.astype(float)).Q, atol=3e4 * EPS[dtype])  # with the same signs
    assert_array_equal(A, before)


def test_of_columns_that_depend_on_each_other_the_orthogonal_factor_is_orthogonal_all_the_same():
    """As those of SOAP's matrices do at first: the squares of its singular values, as in CholeskyQR, would be lost."""
    random = np.random.default_rng(0)
    M = (random.standard_normal((300, 20)) @ random.standard_normal((20, 300))).astype(np.float32)
    Q = orthogonal_factor(M)
    assert_allclose(Q.T @ Q, np.eye(300), atol=1e-5)
    assert_allclose(np.tril(Q.T @ M, -1), 0, atol=1e-3)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(M.T @ M)
    for refused in (eigh, orthogonal_factor):
        with pytest.raises(NotFinite):
            refused(np.where(np.eye(300), np.nan, M).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 33, NARROW, NARROW + 1])
def test_a_positive_matrix_is_solved_with_by_its_cholesky_factor_alone(n, dtype):
    A = symmetric(np.linspace(1, 10, n)).astype(dtype)
    before, B = A.copy(), np.random.default_rng(0).standard_normal((n, 3)).astype(dtype)
    L = cholesky(A, 0.1)
    assert L.dtype == dtype and L.flags.c_contiguous
    assert_array_equal(A, before)
    assert_array_equal(L, np.tril(L))
    assert_allclose(L @ L.T, A, atol=100 * EPS[dtype])
    for columns in (B, np.asfortranarray(B), B[:, :1]):
        X = solved(L, columns)
        assert X.dtype == dtype and X.shape == columns.shape
        assert_allclose(A @ X, columns, atol=1000 * EPS[dtype])
    assert_allclose(solved(2 * L, B), solved(L, B) / 4, rtol=1e-4)


def test_the_inverse_of_a_narrow_matrix_is_kept_as_long_as_its_factor_and_no_longer():
    L = cholesky(symmetric(np.linspace(1, 10, 9)), 0.1)
    A_inv = inverse(L)
    assert inverse(L) is A_inv
    assert_array_equal(A_inv, A_inv.T)
    with pytest.raises(ValueError, match="read-only"):
        L[0, 0] = 2
    known = len(INVERSES)
    del L
    assert len(INVERSES) == known - 1
    writable = np.eye(3)
    assert_array_equal(inverse(writable), np.eye(3))
    writable *= 2
    assert_array_equal(inverse(writable), np.eye(3) / 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eigenvalues_that_rounding_has_brought_below_zero_are_raised_and_others_refused(dtype):
    eps = EPS[dtype]
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    A = (Q * np.array([-2 * eps, 0, 1, 2, 3, 4])) @ Q.T
    L = cholesky(((A + A.T) / 2).astype(dtype), 1e-30)
    assert L.dtype == dtype and L.flags.c_contiguous
    assert_array_equal(L, np.tril(L))
    assert_allclose(L @ L.T, A, atol=200 * eps)
    assert np.isfinite(solved(L, np.eye(6, dtype=dtype))).all()
    lengths = np.linalg.svd(L.astype(float), compute_uv=False)**2
    assert_allclose(lengths[-2:], 6 * 4 * np.finfo(dtype).eps, rtol=0.01)  # the rounding of six numbers up to 4
    for wrong in (np.diag([1.0, 2.0, -0.1]), np.zeros((3, 3)), -np.eye(3)):
        with pytest.raises(ValueError, match="give it more damping"):
            cholesky(wrong.astype(dtype), 1e-30)
        with pytest.raises(ValueError, match="singular: give it some damping"):
            cholesky(wrong.astype(dtype), 0)
    for number in (np.nan, np.inf):
        with pytest.raises(NotFinite, match="a matrix to solve with"):
            cholesky(np.diag([1, number, 1]).astype(dtype), 0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("range_of_units", [1, 1e3, 1e6])
def test_without_damping_it_is_the_matrix_and_not_its_units_that_are_singular(dtype, range_of_units):
    d = np.geomspace(1, range_of_units, 6)
    good, bad = symmetric(np.linspace(1, 3, 6)), symmetric(np.array([0, 1, 2, 2, 3, 3]))
    A = (d * good * d[:, None]).astype(dtype)
    assert_allclose(inverse(cholesky(A, 0)) * d * d[:, None], np.linalg.inv(good), atol=100 * EPS[dtype])
    with pytest.raises(ValueError, match="singular: give it some damping"):
        cholesky((d * bad * d[:, None]).astype(dtype), 0)
    nearly = symmetric(np.array([1e-17, 1, 2, 2, 3, 3]))  # with some, however little, it is taken at its word
    assert np.isfinite(inverse(cholesky(nearly + 1e-14 * np.eye(6), 1e-14))).all()


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_newton_schulz_keeps_singular_vectors_and_brings_singular_values_near_one(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    Y = newton_schulz(X)
    core = U.T @ Y @ Vt.T
    assert_allclose(U @ core @ Vt, Y, atol=1e-12)
    assert_allclose(core, np.diag(np.diag(core)), atol=1e-10)
    assert np.all((0.68 <= np.diag(core)) & (np.diag(core) <= 1.21))


def test_newton_schulz_on_a_number_is_its_polynomial():
    # a 1 x 1 matrix becomes 1 (its norm), and then 3.4445 - 4.7750 + 2.0315 = 0.701, and so on
    assert_allclose(newton_schulz(np.array([[-5.0]]), steps=1), [[-0.701]], rtol=1e-6)
    # two equal singular values become 1/√2 each
    x = 0.5**0.5
    assert_allclose(newton_schulz(3 * np.eye(2), steps=1), np.eye(2) * (3.4445 * x - 4.775 * x**3 + 2.0315 * x**5),
                    rtol=1e-6)


def test_with_the_classical_coefficients_newton_schulz_goes_to_the_polar_factor():
    X = np.random.default_rng(0).standard_normal((5, 9))
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    assert_allclose(newton_schulz(X, steps=30, coefficients=(1.875, -1.25, 0.375)), U @ Vt, atol=1e-10)


def test_newton_schulz_keeps_its_precision_and_a_matrix_of_zeros():
    assert newton_schulz(np.ones((2, 3), np.float32)).dtype == np.float32
    assert_array_equal(newton_schulz(np.zeros((2, 3))), 0)
    with pytest.raises(ValueError, match=r"a matrix, not an array of shape \(3,\)"):
        newton_schulz(np.ones(3))


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (1, 5), (5, 1)])
def test_a_tall_matrix_and_a_wide_one_are_treated_alike_with_any_steps_and_coefficients(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    U, _, Vt = np.linalg.svd(X, full_matrices=False)
    assert_allclose(newton_schulz(X, steps=40, coefficients=(1.5, -0.5, 0.0)), U @ Vt, atol=1e-8)
    a = 0.7 * X / np.linalg.norm(X)
    assert_allclose(newton_schulz(X, steps=1, coefficients=(0.7, 0.0, 0.0)), a)


def test_the_newton_iteration_takes_no_more_steps_than_it_is_allowed():
    A = np.diag([1.0, 100.0])
    assert_allclose(inverse_root_newton(A, 2, steps=30), np.diag([1.0, 0.1]))
    with pytest.raises(ValueError, match="no power -1/2 found in 3 steps"):
        inverse_root_newton(A, 2, steps=3)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("orthogonal_factor", "the factor of the transposed matrix",
     "lapack.sgeqrf(A,",
     "lapack.sgeqrf(A.T,",
     "test_eigenvectors_and_orthogonal_factors_have_the_precision_of_their_matrix"),
    ("inverse_root", "the root, not its inverse",
     "eigenvalues**(-1 / p)",
     "eigenvalues**(1 / p)",
     "test_the_power_p_of_the_root_is_the_inverse"),
    ("inverse_root", "the damping is forgotten",
     "* largest) + float(damping)",
     "* largest)",
     "test_the_roots_of_a_diagonal_matrix_are_those_of_its_numbers"),
    ("cholesky", "the factor of the other order, LᵀL",
     "factor(A.T, lower=0)",
     "factor(A.T, lower=1)",
     "test_a_positive_matrix_is_solved_with_by_its_cholesky_factor_alone"),
    ("solved", "the other triangle, which holds zeros",
     "solve(L.T, B, lower=0)",
     "solve(L.T, B, lower=1)",
     "test_a_positive_matrix_is_solved_with_by_its_cholesky_factor_alone"),
    ("inverse", "one half of it is forgotten",
     "half + np.triu(half, 1).T",
     "half",
     "test_the_inverse_of_a_narrow_matrix_is_kept_as_long_as_its_factor_and_no_longer"),
    ("inverse", "kept also where L may change",
     "if not L.flags.writeable:",
     "if True:",
     "test_the_inverse_of_a_narrow_matrix_is_kept_as_long_as_its_factor_and_no_longer"),
    ("raised", "what is negative is taken for rounding",
     "or smallest < -math.sqrt(eps) * largest",
     "",
     "test_eigenvalues_that_rounding_has_brought_below_zero_are_raised_and_others_refused"),
    ("inverse_root_newton", "M is multiplied by T once, not p times",
     "np.linalg.matrix_power(T, p) @ M",
     "T @ M",
     "test_both_ways_to_the_root_agree_whatever_the_scale"),
    ("newton_schulz", "singular values above 1 to begin with",
     "X / norm(X)",
     "X / (float(np.abs(X).max()) + 1e-7)",
     "test_newton_schulz_on_a_number_is_its_polynomial"),
]
