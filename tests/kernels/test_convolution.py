"""The hot loops of convolution: each twin does what its NumPy version does, wherever the border is."""
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.kernels import convolution, pixels, winograd
from numopt.kernels.patches import places
from numopt.kernels.tiles import sixteens
from numopt.kernels.twins import reading
from numopt.networks import cnn
from numopt.problems import MiniBatch
from tests.kernels.both import (
    PRECISIONS, assert_both_agree, assert_views_will_do, cases_of, images, needs_numba, normal, run)


def outputs_of(x, k, stride, padding, channels, a):
    h, w = (places(length, k, stride, padding) for length in x.shape[1:3])
    return a(len(x), h, w, channels)


CASES = {
    "convolution": lambda a: ((x, a(o, k * k * x.shape[3] + bias), k, stride, padding)
                              for (x, k, stride, padding), o, bias in product(images(a), (1, 5, 40), (0, 1))),
    "convolution_by_weights": lambda a: (
        (x, outputs_of(x, k, stride, padding, outputs, a), k, stride, padding, bias)
        for (x, k, stride, padding), outputs, bias in product(images(a), (5, 64), (False, True))),
    "convolution_by_weights_of_each": lambda a: (
        (x, outputs_of(x, k, stride, padding, outputs, a), k, stride, padding, bias)
        for (x, k, stride, padding), outputs, bias in product(images(a), (5, 64), (False, True))),
    "convolution_by_inputs": lambda a: ((outputs_of(x, k, stride, padding, 5, a), a(5, k * k * x.shape[3]), x.shape, k,
                                         stride, padding) for x, k, stride, padding in images(a)),
}


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_twin_agrees_with_the_numpy_version_to_rounding(name, dtype):
    for arguments in cases_of(CASES, name, dtype):
        assert_both_agree(getattr(convolution, name), arguments, dtype)


@needs_numba
@pytest.mark.parametrize("name", CASES)
def test_the_twin_takes_arrays_that_are_views_and_arrays_that_nobody_may_write_into(name):
    assert_views_will_do(getattr(convolution, name), cases_of(CASES, name, seed=1)[-1])


SUMS = """
import numpy as np
from numopt.kernels.convolution import convolution_by_weights
random = np.random.default_rng(0)
x, dy = random.standard_normal((40, 9, 9, 40)), random.standard_normal((40, 9, 9, 8))
print(convolution_by_weights.compiled(x, dy, 3, 1, 1, True).tobytes().hex())
"""


@needs_numba
def test_sums_do_not_depend_on_the_number_of_threads():
    one, several = run(SUMS, OMP_NUM_THREADS="1"), run(SUMS, OMP_NUM_THREADS="8")
    assert one.stdout == several.stdout and len(one.stdout) > 16 * 8 * 361, one.stderr


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_convolutional_network_has_the_same_derivatives_compiled(dtype):
    random, network = np.random.default_rng(2), cnn((12, 12, 3), channels=16)
    X, Y = random.standard_normal((40, 12, 12, 3)).astype(dtype), random.integers(0, 10, 40)
    theta, v = network.initial(0, dtype=dtype), random.standard_normal(network.size).astype(dtype)
    theta.flags.writeable = False

    def derivatives():
        loss = MiniBatch(network, X, Y)
        return [loss.gradient(theta), loss.hessian(theta) @ v, loss.fisher(theta) @ v,
                loss.per_example_gradients(theta)]

    compiled = derivatives()
    with reading():
        for a, b in zip(compiled, derivatives()):
            assert a.dtype == dtype
            assert_allclose(a, b, rtol=0, atol=2000 * np.finfo(dtype).eps * np.abs(b).max())


# ------------------------------------------------------------------------------------- where a twin may go its own way

SHAPES = [(rows, columns, k, stride, padding) for rows, columns in [(1, 1), (3, 8), (6, 5), (7, 7)]
          for k, stride, padding in product((1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 2, 4))
          if min(rows, columns) + 2 * padding >= k]


def reached(begin, *steps):
    """The first and the last number that `begin` leads to, with so many steps of a length each."""
    return (begin + sum(min(0, (number - 1) * length) for number, length in steps),
            begin + sum(max(0, (number - 1) * length) for number, length in steps))


def assert_inside(table, sizes):
    """Every number that the rows of a table lead tiles.fill to is there."""
    for P, Q, a0, ap, au, at, b0, bu, bt, U, T, s0, sp, o0, op in table.tolist():
        assert Q in (16, 32) and P > 0 and min(U, T) >= 0
        led = {"start": reached(s0, (P, sp), (Q, 1)), "out": reached(o0, (P, op), (Q, 1))}
        if U and T:
            led |= {"a": reached(a0, (P, ap), (U, au), (T, at)), "b": reached(b0, (U, bu), (T, bt), (Q, 1))}
        for name, (first, last) in led.items():
            assert 0 <= first and last < sizes[name], (name, first, last, sizes)


@pytest.mark.parametrize("channels, outputs", [(1, 1), (3, 16), (2, 40), (17, 33)])
def test_no_table_leads_out_of_its_arrays(channels, outputs):
    for rows, columns, k, stride, padding in SHAPES:
        h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
        image = (rows + 2 * padding) * (columns + 2 * padding) * channels + 1
        shape, wide = (rows, columns, channels), sixteens(outputs)
        W = convolution.by_columns(np.ones((outputs, k * k * channels + 1)), k * k * channels).size
        assert_inside(convolution.outputs_table(shape, outputs, k, stride, padding),
                      {"a": image, "b": W, "start": W, "out": h * w * wide})
        sums = (k * k * channels + 1) * wide
        assert_inside(convolution.weights_table(shape, outputs, k, stride, padding),
                      {"a": image, "b": h * w * wide, "start": sums, "out": sums})
        table, border = convolution.inputs_table(shape, (h, w, outputs), k, stride, padding)
        W = convolution.in_order(np.ones((outputs, k * k * channels)), k, stride, channels).size
        image = (h + 2 * border) * (w + 2 * border) * outputs + 1
        assert_inside(table, {"a": image, "b": W, "start": W, "out": rows * columns * sixteens(channels)})


def test_every_output_is_in_the_table_once():
    for rows, columns, k, stride, padding in SHAPES:
        h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
        for table, size in [
                (convolution.outputs_table((rows, columns, 2), 40, k, stride, padding), h * w * 48),
                (convolution.weights_table((rows, columns, 2), 40, k, stride, padding), (2 * k * k + 1) * 48),
                (convolution.inputs_table((rows, columns, 40), (h, w, 2), k, stride, padding)[0], rows * columns * 48)]:
            written = [o0 + p * op + q for P, Q, *_, o0, op in table.tolist() for p in range(P) for q in range(Q)]
            assert sorted(written) == list(range(size))


@needs_numba
@pytest.mark.parametrize("k, stride, padding", [(3, 1, 1), (3, 2, 1), (5, 2, 2), (2, 2, 1), (3, 3, 2), (1, 1, 2),
                                                (2, 1, 3), (1, 2, 1), (4, 3, 5)])
def test_the_twins_see_the_borders_on_all_four_sides(k, stride, padding):
    for rows, columns in [(6, 7), (7, 6)]:
        for place in [(0, 0), (0, -1), (-1, 0), (-1, -1)]:
            x = np.zeros((1, rows, columns, 2))
            x[0, *place] = 1, 2
            matrix = np.arange(1.0, 3 * (2 * k * k + 1) + 1).reshape(3, -1)
            y = convolution.convolution.numpy(x, matrix, k, stride, padding)
            assert_array_equal(convolution.convolution.compiled(x, matrix, k, stride, padding), y)
            corner, everywhere = np.zeros_like(y), np.arange(1.0, y.size + 1).reshape(y.shape)
            corner[0, *place] = 1, 2, 3
            for dy in corner, everywhere:
                for x in np.ones_like(x), np.arange(1.0, x.size + 1).reshape(x.shape):
                    for kernel in convolution.convolution_by_weights, convolution.convolution_by_weights_of_each:
                        assert_array_equal(kernel.compiled(x, dy, k, stride, padding, True),
                                           kernel.numpy(x, dy, k, stride, padding, True))
                assert_array_equal(convolution.convolution_by_inputs.compiled(dy, matrix, x.shape, k, stride, padding),
                                   convolution.convolution_by_inputs.numpy(dy, matrix, x.shape, k, stride, padding))


@needs_numba
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_each_loop_is_compiled_in_one_form_whatever_it_is_given(dtype):
    """With b and without; where arrays lie as they are wanted or not, may be written into or not; for all and each."""
    a = normal(np.random.default_rng(4), dtype)
    for h, w, channels, outputs, k in (8, 8, 16, 16, 3), (9, 9, 40, 33, 3), (16, 16, 2, 1, 3), (16, 16, 1, 2, 1):
        for n, bias in (1, 0), (5, 1):
            p = k // 2
            x, dy = a(n, h, w, channels), a(n, h, w, outputs)
            for matrix in a(outputs, k * k * channels + bias), np.asfortranarray(a(outputs, k * k * channels + bias)):
                convolution.convolution.compiled(x, matrix, k, 1, p)
                convolution.convolution_by_inputs.compiled(dy, matrix, x.shape, k, 1, p)
            convolution.convolution_by_weights.compiled(x, dy, k, 1, p, bias)
            convolution.convolution_by_weights_of_each.compiled(x, dy, k, 1, p, bias)
    for loop in (convolution.add_up, convolution.add_up_each, pixels.add_up_pixels, pixels.add_up_runs,
                 pixels.add_up_runs_of_each, winograd.add_up_squares, winograd.add_up_products):
        assert [form[-1].dtype.name for form in loop.signatures].count(np.dtype(dtype).name) == 1, loop.signatures
