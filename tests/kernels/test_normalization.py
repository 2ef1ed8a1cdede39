"""The hot loops of batch normalisation: each twin does what its NumPy version does, for rows of any length."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.kernels import normalization
from tests.kernels.both import PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, needs_numba

SHAPES = (2, 1), (7, 3), (41, 16), (600, 7), (9, 600), (3, 512)  # fewer rows than pieces, lanes left over, long rows

CASES = {
    "normalized": lambda a: [(5 + 3 * a(n, c), a(c), a(c), 1e-5) for n, c in SHAPES],
    "normalized_backward": lambda a: [(2 + a(n, c), a(n, c), a(c), 1 + a(c)**2) for n, c in SHAPES],
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(normalization, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(normalization, name), cases_of(CASES, name, seed=1)[-1])


@needs_numba
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", CASES)
def test_what_is_not_finite_comes_out_as_in_numpy(name, value):
    for which in range(3):
        arguments = [np.copy(x) if isinstance(x, np.ndarray) else x for x in cases_of(CASES, name)[2]]
        arguments[which].reshape(-1)[3] = value
        kernel = getattr(normalization, name)
        with np.errstate(all="ignore"):
            for mine, other in zip(kernel.numpy(*arguments), kernel.compiled(*arguments), strict=True):
                assert_allclose(other, mine, rtol=1e-10)


@needs_numba
def test_sums_of_many_rows_in_single_precision_are_nearer_than_those_of_one_row_after_the_other():
    x = 3 + np.random.default_rng(0).standard_normal((65_536, 2)).astype(np.float32)
    one = np.ones(2, np.float32)
    exact = x.astype(float).mean(axis=0)
    _, x_hat, _, mean, _ = normalization.normalized.compiled(x, one, one, 1e-5)
    assert np.abs(mean - exact).max() <= np.abs(x.mean(axis=0) - exact).max()
    assert_allclose(x_hat.astype(float).std(axis=0), 1, rtol=1e-4)


@needs_numba
def test_a_variance_is_as_exact_where_the_first_rows_are_far_from_the_others():
    x = np.random.default_rng(1).standard_normal((8_000, 3)).astype(np.float32)
    x[:1_000] += np.array([0, 30, 1e4], np.float32)
    one = np.ones(3, np.float32)
    for rows in x, x[::-1].copy(), x + np.float32(100):
        _, _, _, mean, variance = normalization.normalized.compiled(rows, one, one, 1e-5)
        assert_allclose(mean, rows.astype(float).mean(axis=0), rtol=1e-6, atol=1e-7)
        assert_allclose(variance, rows.astype(float).var(axis=0), rtol=2e-6)


@needs_numba
def test_of_a_constant_channel_the_variance_is_rounding_and_no_root_of_it_is_missing():
    for value in 0.1, 1e3, 1e10:
        x = np.full((9_001, 2), value, np.float32)
        _, x_hat, s, mean, variance = normalization.normalized.compiled(x, x[0], x[0], 1e-5)
        assert_allclose(mean, value, rtol=1e-6)
        assert (variance >= 0).all() and (variance <= (1e-6 * value)**2).all() and np.isfinite(s).all()
