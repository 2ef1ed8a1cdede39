"""Second moments and averages by blocks, against the same in one piece; outer products of every example."""
from contextlib import nullcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import moments, reading
from numopt.kernels.moments import averaged, outer_products, second_moment
from numopt.kernels.sharing import one_thread_of_blas, share_out
from numopt.networks import mlp
from numopt.problems import MiniBatch
from tests.kernels.both import PRECISIONS, needs_numba

DTYPES = pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])


@DTYPES
@pytest.mark.parametrize("rows, columns, block", [(7, 5, 384), (7, 5, 2), (3, 8, 4), (1, 1, 1), (20, 9, 3), (4, 10, 7)])
def test_a_second_moment_is_the_mean_of_outer_products_and_symmetric(rows, columns, block, dtype, rtol):
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    A = second_moment(x, 5, block)
    assert A.dtype == dtype
    assert_array_equal(A, A.T)
    assert_allclose(A, sum(np.outer(x_i, x_i) for x_i in x.astype(float)) / 5, rtol=rtol, atol=rtol)


def test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal():
    x = np.random.default_rng(1).standard_normal((6, 900)).astype(np.float32)
    A = second_moment(x, 6)
    assert_array_equal(A, A.T)
    assert_allclose(A, x.T.astype(float) @ x / 6, atol=1e-5)


@DTYPES
@pytest.mark.parametrize("numbers", [1, 7, 12, 1000])
def test_an_average_is_the_same_numbers_whatever_is_done_at_a_time(numbers, dtype, rtol):
    old, new = np.random.default_rng(2).standard_normal((2, 5, 4)).astype(dtype)
    before = old.copy(), new.copy()
    found = averaged(old, new, 0.9, numbers)
    assert found.dtype == dtype
    assert_array_equal(found, dtype(0.9) * old + dtype(1 - 0.9) * new)
    assert_array_equal(averaged(0.0, new, 0.0, numbers), new)
    assert_array_equal((old, new), before)


def whole_products(a, b):
    return np.pad(a[:, :, None] * b[:, None], ((0, 0), (0, 0), (0, 1)))


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_outer_products_of_all_examples_are_shared_out_where_blas_has_one_thread(dtype, reads, monkeypatch):
    random = np.random.default_rng(0)
    a, b = random.standard_normal((19, 30)).astype(dtype), random.standard_normal((19, 900)).astype(dtype)
    seen, out = [], np.zeros((19, 30, 901), dtype)
    monkeypatch.setattr(moments, "share_out", lambda n, work, alone: seen.append(alone) or share_out(n, work, alone))
    for context in (one_thread_of_blas(), nullcontext()):
        with context, reading() if reads else nullcontext():
            outer_products(a, b, out[:, :, :-1])
        assert_array_equal(out, whole_products(a, b))
        out[:] = 0
    assert seen == [False, True]


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("turned", ["nothing", "a", "b", "out", "backwards", "precision", "between bytes"])
def test_outer_products_are_the_same_compiled_wherever_the_numbers_stand(turned, dtype, monkeypatch):
    """Where rows of `out` are no rows in the memory, they are not compiled."""
    random, filled = np.random.default_rng(1), []
    monkeypatch.setattr(moments, "fill_rows", lambda *others, fill=compiled_rows(): filled.append(1) or fill(*others))
    a, b = random.standard_normal((40, 30)).astype(dtype), random.standard_normal((40, 100)).astype(dtype)
    expected = whole_products(a, b)
    whole = np.zeros((40, 9 + 30 * 101), dtype)
    out = whole[:, 9:].reshape(40, 30, 101)
    if turned == "a":
        a = np.asfortranarray(a)
    elif turned == "b":
        b = np.repeat(b, 2, axis=1)[:, ::2]
    elif turned == "out":
        out = np.asfortranarray(out)
    elif turned == "backwards":
        out = out[::-1]
    elif turned == "precision":
        out = out.astype(np.longdouble)
    elif turned == "between bytes":  # which are between one example and the next
        out = np.zeros(40, [("mark", "u1"), ("numbers", dtype, (30, 101))])["numbers"]
    outer_products(a, b, out[:, :, :-1])
    assert_allclose(out.astype(dtype), expected, rtol=0 if turned != "precision" else 1e-15)
    assert bool(filled) == (turned not in ("out", "backwards", "precision", "between bytes"))
    assert not whole[:, :9].any()


def compiled_rows():
    """fill_rows, as Numba has made it."""
    moments.compile_all()
    return moments.fill_rows


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_mean_of_the_gradients_of_single_examples_is_the_gradient_also_of_a_net_so_wide(dtype):
    network, random = mlp([200, 90, 10]), np.random.default_rng(2)
    batch = MiniBatch(network, random.standard_normal((17, 200)), random.integers(10, size=17))
    theta = network.initial(0, dtype=dtype)
    each = batch.per_example_gradients(theta)
    assert each.dtype == dtype
    assert_allclose(each.mean(axis=0), batch.gradient(theta), rtol=1e-3, atol=1e-6)
    with reading():
        assert_allclose(each, batch.per_example_gradients(theta), rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("second_moment", "the other side of the diagonal is forgotten",
     "A[there, here] = part.T",
     "A[there, here] = part.T if i == j else 0",
     "test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal"),
    ("second_moment", "the block is not turned round",
     "A[there, here] = part.T",
     "A[there, here] = part.reshape(part.T.shape)",
     "test_of_a_wide_layer_it_is_the_same_on_both_sides_of_the_diagonal"),
    ("outer_products", "the last example is forgotten",
     "share_out(len(a), some,",
     "share_out(len(a) - 1, some,",
     "test_the_mean_of_the_gradients_of_single_examples_is_the_gradient_also_of_a_net_so_wide"),
    ("averaged", "a block of the old for all",
     "beta * old[here]",
     "beta * old[:len(new[here])]",
     "test_an_average_is_the_same_numbers_whatever_is_done_at_a_time"),
]
