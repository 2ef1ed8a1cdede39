"""Convolutions of 3 × 3 pixels with fewer multiplications: see convolution.py, whose twins these are then.

Two neighbouring sums of three products, d₀g₀ + d₁g₁ + d₂g₂ and d₁g₀ + d₂g₁ + d₃g₂, multiply six times; the same two
numbers are Aᵀ [(G g) ⊙ (Bᵀ d)], which multiplies four times (Winograd 1980).  So, in both directions, 2 × 2 pixels of y
come from 4 × 4 of x with 16 products in place of 36 (Lavin and Gray 2016), and the derivatives by W from the same:

    y = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ x B)] A            dW = Gᵀ [(Bᵀ x B) ⊙ (A dy Aᵀ)] G

Bᵀ and A only add and subtract.  Over all channels and squares, what stands at one of the 16 places is a matrix, and ⊙
one product of matrices for each: so it pays where there are many channels, and needs them by sixteens.  Rounding is as
small as otherwise, but beside the largest number of a square, not beside each.
"""
import numpy as np

from numopt.kernels import tiles
from numopt.kernels.pixels import few
from numopt.kernels.sharing import PIECES, share_out
from numopt.kernels.twins import helper, machine_code

TILES = 0x58ddbe04  # of tiles.py: see there
TOGETHER = 32  # squares that are multiplied at once

B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]).T
A = np.array([[1, 1, 1, 0], [0, 1, -1, 1]]).T
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
BY = B.T, A.T, A  # 0, 1 and 2 of `turned`
ALL = 5  # of the 16 places: what is added there is added to all four pixels of y


def in_squares(k, stride, channels, shape):
    """Are these convolutions with as many channels, to images of this shape that fall into squares of 2 × 2?"""
    _, h, w, outputs = shape
    return k == 3 and stride == 1 and channels % 16 == outputs % 16 == h % 2 == w % 2 == 0


def over_squares(x, W, b, border, shape):
    """Images of this shape: for each of their channels the sum over W[channel, i, j, from] times pixel (r + i, c + j)
    of the images x, with a border of zeros, and b; None where not all is finite: a square has all of what one has."""
    y, finite = np.empty(shape, x.dtype), np.zeros(PIECES, x.dtype)
    W = np.kron(G, G).astype(x.dtype) @ W.transpose(1, 2, 3, 0).reshape(9, -1)
    starts = np.zeros((16, shape[3]), x.dtype)
    starts[ALL] = b.sum(axis=1)
    share_out(len(x), lambda here, number: add_up_squares(
        x[here], border, W.reshape(-1), starts.reshape(-1), y[here], finite[number:number + 1]),
        alone=few(y, 3, x.shape[3]))
    return y if np.isfinite(finite).all() else None


def weights_over_squares(x, dy, padding, bias):
    """The derivatives by [W | b]; None if they are not finite."""
    channels, outputs = x.shape[3], dy.shape[3]
    sums = np.zeros((PIECES, 16 * channels + 1, outputs), x.dtype)
    share_out(len(x), lambda here, number: add_up_products(x[here], padding, dy[here], sums[number].reshape(-1)),
              alone=few(dy, 3, channels))
    sums = sums.sum(axis=0)
    dW = np.kron(G, G).T.astype(x.dtype) @ sums[:-1].reshape(16, -1)
    dW = dW.reshape(9 * channels, outputs).T
    return (np.column_stack([dW, sums[-1]]) if bias else dW) if np.isfinite(sums).all() else None


@machine_code
def turned(context, which, channels, x, x_at, y, y_at):
    """y = M x Mᵀ for a square of pixels and all channels, by sixteens; M is BY[which].

    Pixel (i, j) of channel q is number  x0 + i xi + j xj + q  of the array, given as (x0, xi, xj), and y alike.
    """
    from llvmlite import ir
    from numba.core import cgutils, types

    size, M = x.dtype.bitwidth // 8, BY[which.literal_value]

    def times(builder, rows):
        """M times a matrix of vectors, and the result on its side."""
        add = {1: builder.fadd, -1: builder.fsub}

        def summed(factors, column):
            (first, factor), *others = sorted(zip(column, factors), key=lambda pair: -pair[1])
            for vector, factor in others:
                first = add[factor](first, vector) if factor else first
            return first

        return [[summed(factors, column) for factors in M] for column in zip(*rows)]

    def generate(context, builder, signature, arguments):
        lanes = (64 if "+avx512f" in str(context.codegen().magic_tuple()) else 32) // size
        vector = ir.VectorType(context.get_data_type(x.dtype), lanes)
        kinds = signature.args

        def at(number, q, i, j):
            """Where the vector of pixel (i, j) is in an array, the argument of this number."""
            array = context.make_array(kinds[number])(context, builder, arguments[number]).data
            first, down, across = (context.cast(builder, one, kind, types.intp) for one, kind in zip(
                cgutils.unpack_tuple(builder, arguments[number + 1]), kinds[number + 1]))
            for step, times in ((down, i), (across, j)):
                first = builder.add(first, builder.mul(step, step.type(times)))
            return builder.bitcast(builder.gep(array, [builder.add(first, q)]), vector.as_pointer())

        count = context.cast(builder, arguments[1], kinds[1], types.intp)
        with cgutils.for_range_slice(builder, count.type(0), count, count.type(lanes), count.type) as (q, _):
            rows = [[builder.load(at(2, q, i, j), align=size) for j in range(M.shape[1])] for i in range(M.shape[1])]
            for i, row in enumerate(times(builder, times(builder, rows))):
                for j, value in enumerate(row):
                    builder.store(value, at(4, q, i, j), align=size)
        return context.get_dummy_value()

    return types.void(which, channels, x, x_at, y, y_at), generate


@helper(nogil=True)
def add_up_squares(x, border, W, starts, y, finite):
    """The images y; 0 is added to `finite` if they are, and NaN otherwise."""
    channels, (h, w, outputs) = x.shape[3], y.shape[1:]
    together, squares = rows_together(w)
    inside, products = tiles.zeros(16 * squares * channels, x), tiles.zeros(16 * squares * outputs, x)
    image, out, zero = tiles.zeros((h + 2) * (w + 2) * channels, x), y.reshape(-1), finite[0]
    nothing = zero
    for first in range(0, len(x) * h // 2, together):
        last = min(first + together, len(x) * h // 2)
        squares = turn_rows(x, border, image, first, last, w, inside)
        for i in range(16):
            for q in range(0, outputs, 32):
                tiles.fill(squares, min(32, outputs - q), inside, (i * channels, 16 * channels, 0, 1),
                           W, (i * channels * outputs + q, 0, outputs), (1, channels), starts, (i * outputs + q, 0),
                           products, (i * outputs + q, 16 * outputs))
        here = out[2 * first * w * outputs:2 * last * w * outputs]
        for square in range(squares):
            r, c = divmod(square, w // 2)
            turned(1, outputs, products, (square * 16 * outputs, 4 * outputs, outputs),
                   here, (2 * (r * w + c) * outputs, w * outputs, outputs))
        for i in range(here.size):
            nothing += zero * here[i]
    finite[0] = nothing


@helper(nogil=True)
def add_up_products(x, border, dy, sums):
    """What is added to the sums: for each of the 16 places those of its products, and then those of dy."""
    channels, (h, w, outputs) = x.shape[3], dy.shape[1:]
    together, squares = rows_together(w)
    inside, outside = tiles.zeros(16 * squares * channels, x), tiles.zeros(16 * squares * outputs, x)
    image, derivatives = tiles.zeros((h + 2) * (w + 2) * channels, x), dy.reshape(-1)
    for first in range(0, len(x) * h // 2, together):
        squares = turn_rows(x, border, image, first, min(first + together, len(x) * h // 2), w, inside)
        for square in range(squares):
            r, c = divmod(square, w // 2)
            turned(2, outputs, derivatives, (2 * ((first + r) * w + c) * outputs, w * outputs, outputs),
                   outside, (square * 16 * outputs, 4 * outputs, outputs))
            for q in range(outputs):
                sums[16 * channels * outputs + q] += outside[(square * 16 + ALL) * outputs + q]
        for i in range(16):
            for q in range(0, outputs, 32):
                here = i * channels * outputs + q, outputs
                tiles.fill(channels, min(32, outputs - q), inside, (i * channels, 1, 0, 16 * channels),
                           outside, (i * outputs + q, 0, 16 * outputs), (1, squares), sums, here, sums, here)


@helper
def rows_together(w):
    """How many rows of squares are multiplied at once, and how many squares they have."""
    rows = max(1, TOGETHER // (w // 2))
    return rows, rows * w // 2


@helper
def turn_rows(x, border, image, first, last, w, inside):
    """Bᵀ x B of these rows of squares, counted through all images; how many squares they have."""
    channels, rows, square = x.shape[3], (x.shape[1] + 2 * border - 2) // 2, 0
    for row in range(first, last):
        e, r = divmod(row, rows)
        if r == 0:
            tiles.put_inside(x[e], border, image)
        for c in range(w // 2):
            turned(0, channels, image, (2 * (r * (w + 2) + c) * channels, (w + 2) * channels, channels),
                   inside, (square * 16 * channels, 4 * channels, channels))
            square += 1
    return square
