"""Convolutions of 3 × 3 pixels with fewer multiplications: see convolution.py, whose twins these are then.

Two neighbouring sums of three products, d₀g₀ + d₁g₁ + d₂g₂ and d₁g₀ + d₂g₁ + d₃g₂, multiply six times; the same two
numbers are Aᵀ [(G g) ⊙ (Bᵀ d)], which multiplies four times, and four such sums six times (Winograd 1980).  So, in both
directions, s × s pixels of y come from (s + 2) × (s + 2) of x, with 16 products in place of 36 where s is 2, and 36 in
place of 144 where it is 4 (Lavin and Gray 2016), and the derivatives by W from the same:

    y = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ x B)] A            dW = Gᵀ [(Bᵀ x B) ⊙ (A dy Aᵀ)] G

Over all channels and squares, what stands at one of the places is a matrix, and ⊙ one product of matrices for each: so
it pays where there are many channels, and needs them by sixteens.  Rounding is beside the largest number of a square,
not beside each.  For s = 2 it is as small as otherwise; for s = 4 up to three times as large, and by W, where otherwise
very little is rounded if images are small and channels many, up to eight times: a millionth in single precision.
"""
from math import prod

import numpy as np

from numopt.kernels import tiles
from numopt.kernels.pixels import few
from numopt.kernels.sharing import PIECES, share_out
from numopt.kernels.twins import helper, machine_code

TILES = 0x58a46629  # of tiles.py: see there
TOGETHER = 32  # squares that are multiplied at once
CHAIN = 16  # channels that are added up one after the other, before their sum is added to that of others
WIDE = 8_000  # weights at each place that fill a core's cache: where there are more, a piece of the work has
BLOCK = 64  # outputs of all images
APART = 16  # numbers between the weights of two places, lest all have the same place in their pages


def matrices(points):
    """(Bᵀ, A, G): the product of two polynomials is known from its values at these points and its first coefficient."""
    others = [np.delete(points, i) for i in range(len(points))]
    B = [[*np.poly(roots)[::-1], 0] for roots in others] + [np.poly(points)[::-1]]
    A, G = ([[point**j for j in range(n)] for point in points] + [[0] * (n - 1) + [1]]
            for n in (len(points) - 1, 3))
    by = [prod(point - roots) for point, roots in zip(points, others)] + [1]
    return np.array(B), np.array(A), np.array(G) / np.array(by)[:, None]


# By the side of a square, the points.  With 1 and 2 in place of 5/8 and 3/2 rounding would be twice as large for s = 4.
POINTS = {2: [0, 1, -1], 4: [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2]}
BY = {side: (B, A.T, A, G, G.T) for side, points in POINTS.items() for B, A, G in [matrices(points)]}


def in_squares(k, stride, channels, shape):
    """Are these convolutions with as many channels, to images of this shape that fall into squares of 2 × 2?"""
    _, h, w, outputs = shape
    return k == 3 and stride == 1 and channels % 16 == outputs % 16 == h % 2 == w % 2 == 0


def side_of(shape):
    """How large the squares are."""
    return 4 if shape[1] % 4 == shape[2] % 4 == 0 else 2


def is_wide(x, y):
    return x.shape[3] * y.shape[3] > WIDE


def share_out_squares(x, y, work):
    """Call work(number, these images, from this output, to this one) on all threads: each time for some of the images;
    or, where the weights are too many for a core's cache, for all of them, and some of the outputs, as number 0."""
    n, outputs, alone = len(y), y.shape[3], few(y, 3, x.shape[3])
    if is_wide(x, y):
        share_out((outputs + BLOCK - 1) // BLOCK, lambda here, number: work(
            0, slice(n), BLOCK * here.start, min(BLOCK * here.stop, outputs)), alone)
    else:
        share_out(n, lambda here, number: work(number, here, 0, outputs), alone)


def over_squares(x, W, b, border, shape):
    """Images of this shape: for each of their channels the sum over W[channel, i, j, from] times pixel (r + i, c + j)
    of the images x, with a border of zeros, and b; None where not all is finite: a square has all of what one has."""
    y, finite = np.empty(shape, x.dtype), []
    b = np.array(b).reshape(-1)  # a copy, as W is: to the compiler all are of one type
    W = np.ascontiguousarray(W.transpose(1, 2, 3, 0)).reshape(-1)
    share_out_squares(x, y, lambda number, here, q, end: finite.append(add_up_squares(
        x[here], border, W, b, q, end, side_of(shape), y[here])))
    return y if np.isfinite(finite).all() else None


def weights_over_squares(x, dy, padding, bias):
    """The derivatives by [W | b]; None if they are not finite."""
    channels, outputs = x.shape[3], dy.shape[3]
    sums = np.zeros((1 if is_wide(x, dy) else PIECES, 9 * channels + 1, outputs), x.dtype)
    share_out_squares(x, dy, lambda number, here, q, end: add_up_products(
        x[here], padding, dy[here], q, end, side_of(dy.shape), bias, sums[number].reshape(-1)))
    sums = sums.sum(axis=0)
    return sums[:9 * channels + bias].T if np.isfinite(sums).all() else None


@machine_code
def turned(context, what, side, channels, x, x_at, y, y_at):
    """y = M x Mᵀ for a square of pixels and all channels, by sixteens; M is BY[side][what].

    Pixel (i, j) of channel q is number  x0 + i xi + j xj + q  of the array, given as (x0, xi, xj), and y alike.
    """
    from llvmlite import ir
    from numba.core import cgutils, types

    size = x.dtype.bitwidth // 8

    def generate(context, builder, signature, arguments):
        lanes = (64 if "+avx512f" in str(context.codegen().magic_tuple()) else 32) // size
        vector = ir.VectorType(context.get_data_type(x.dtype), lanes)
        kinds = signature.args

        def sum_of(factors, vectors):
            """Their sum, each times its factor, from one whose factor is 1, if there is one."""
            total = None
            for factor, one in sorted(zip(factors, vectors), key=lambda pair: pair[0] != 1):
                if total is None:
                    total = one if factor == 1 else builder.fmul(one, ir.Constant(vector, [factor] * lanes))
                elif abs(factor) == 1:
                    total = (builder.fadd if factor == 1 else builder.fsub)(total, one)
                elif factor:
                    one = builder.fmul(one, ir.Constant(vector, [factor] * lanes), flags=["contract"])
                    total = builder.fadd(total, one, flags=["contract"])
            return total

        def times(M, vectors):
            """M times them.  Between its first point and the last, two and two are opposite: their even powers are the
            same, and their odd ones opposite."""
            points = range(1, max(M.shape) - 1, 2)
            if len(M) < len(vectors):
                both = [[first, *(join(vectors[i], vectors[i + 1]) for i in points), last]
                        for first, last in [(vectors[0], vectors[-1])] for join in (builder.fadd, builder.fsub)]
                return [sum_of([row[0], *row[1:-1:2], row[-1]], both[i % 2]) for i, row in enumerate(M)]
            found = [sum_of(M[0], vectors)]
            for i in points:
                even, odd = (sum_of(M[i][first::2], vectors[first::2]) for first in range(2))
                found += builder.fadd(even, odd), builder.fsub(even, odd)
            return [*found, sum_of(M[-1], vectors)]

        def at(number, q, i, j):
            """Where the vector of pixel (i, j) is in an array, the argument of this number."""
            array = context.make_array(kinds[number])(context, builder, arguments[number]).data
            first, down, across = (context.cast(builder, one, kind, types.intp) for one, kind in zip(
                cgutils.unpack_tuple(builder, arguments[number + 1]), kinds[number + 1]))
            for step, times in ((down, i), (across, j)):
                first = builder.add(first, builder.mul(step, step.type(times)))
            return builder.bitcast(builder.gep(array, [builder.add(first, q)]), vector.as_pointer())

        count, its_side = (context.cast(builder, arguments[i], kinds[i], types.intp) for i in (2, 1))
        for side, by in BY.items():
            M = by[what.literal_value]
            n = range(M.shape[1])
            with builder.if_then(builder.icmp_signed("==", its_side, its_side.type(side))), cgutils.for_range_slice(
                    builder, count.type(0), count, count.type(lanes), count.type) as (q, _):
                rows = [times(M, [builder.load(at(3, q, i, j), align=size) for i in n]) for j in n]
                for i, row in enumerate(zip(*rows)):
                    for j, value in enumerate(times(M, row)):
                        builder.store(value, at(5, q, i, j), align=size)
        return context.get_dummy_value()

    return types.void(what, side, channels, x, x_at, y, y_at), generate


@helper(nogil=True)
def add_up_squares(x, border, W, b, q0, end, side, y):
    """The images y, of them the outputs from q0 to the end; returned is 0 if they are finite, and NaN otherwise."""
    channels, (h, w, outputs), places = x.shape[3], y.shape[1:], (side + 2)**2
    together, squares = rows_together(w // side)
    many, rows = end - q0, len(x) * (h // side)
    inside, products = tiles.zeros(places * squares * channels, x), tiles.zeros(places * squares * many, x)
    image, out, zeros = tiles.zeros((h + 2) * (w + 2) * channels, x), y.reshape(-1), tiles.zeros(32, x)
    zero = nothing = zeros[0]
    apart = channels * many + APART
    turned_W = tiles.zeros(places * apart, x)
    for c in range(channels):
        turned(3, side, many, W, (c * outputs + q0, 3 * channels * outputs, channels * outputs),
               turned_W, (c * many, (side + 2) * apart, apart))
    run = outputs if many < outputs else y.size
    for first in range(0, rows, together):
        last = min(first + together, rows)
        squares = turn_rows(x, border, image, first, last, w, side, inside)
        for i in range(places):
            for q in range(0, many, 32):
                here = i * many + q, places * many
                for c in range(0, channels, CHAIN):
                    tiles.fill(squares, min(32, many - q), inside, (i * channels + c, places * channels, 0, 1),
                               turned_W, (i * apart + c * many + q, 0, many), (1, min(CHAIN, channels - c)),
                               products if c else zeros, here if c else (0, 0), products, here)
        for square in range(squares):
            r, c = divmod(square, w // side)
            turned(1, side, many, products, (square * places * many, (side + 2) * many, many),
                   out, (side * ((first + r) * w + c) * outputs + q0, w * outputs, outputs))
        if len(b) > 0:
            for p in range(first * side * w, last * side * w):
                for q in range(q0, end):
                    out[p * outputs + q] += b[q]
        for start in range(first * side * w * outputs + q0, last * side * w * outputs, run):
            here = out[start:start + (many if run == outputs else (last - first) * side * w * outputs)]
            for q in range(len(here)):
                nothing += zero * here[q]
    return nothing


@helper(nogil=True)
def add_up_products(x, border, dy, q0, end, side, bias, sums):
    """What is added to the sums: the derivatives by W, and then by b, for the outputs from q0 to the end."""
    channels, (h, w, outputs), places = x.shape[3], dy.shape[1:], (side + 2)**2
    together, squares = rows_together(w // side)
    many, rows = end - q0, len(x) * (h // side)
    inside, outside = tiles.zeros(places * squares * channels, x), tiles.zeros(places * squares * many, x)
    image, derivatives = tiles.zeros((h + 2) * (w + 2) * channels, x), dy.reshape(-1)
    apart = channels * many + APART
    found = tiles.zeros(places * apart, x)
    for first in range(0, rows, together):
        squares = turn_rows(x, border, image, first, min(first + together, rows), w, side, inside)
        for square in range(squares):
            r, c = divmod(square, w // side)
            turned(2, side, many, derivatives, (side * ((first + r) * w + c) * outputs + q0, w * outputs, outputs),
                   outside, (square * places * many, (side + 2) * many, many))
        for i in range(places):
            for q in range(0, many, 32):
                here = i * apart + q, many
                tiles.fill(channels, min(32, many - q), inside, (i * channels, 1, 0, places * channels),
                           outside, (i * many + q, 0, places * many), (1, squares), found, here, found, here)
    for c in range(channels):
        turned(4, side, many, found, (c * many, (side + 2) * apart, apart),
               sums, (c * outputs + q0, 3 * channels * outputs, channels * outputs))
    if bias:
        by_b = sums[9 * channels * outputs + q0:9 * channels * outputs + end]
        row = tiles.zeros(many, x)  # whose sum is added to that of others, which rounds less than all one by one
        for r in range(len(x) * h):
            row[:] = 0
            for p in range(r * w, r * w + w):
                for q in range(many):
                    row[q] += derivatives[p * outputs + q0 + q]
            for q in range(many):
                by_b[q] += row[q]


@helper
def rows_together(across):
    """How many rows of squares are multiplied at once, and how many squares they have."""
    rows = max(1, TOGETHER // across)
    return rows, rows * across


@helper
def turn_rows(x, border, image, first, last, w, side, inside):
    """Bᵀ x B of these rows of squares, counted through all images; how many squares they have."""
    channels, rows, square, n = x.shape[3], (x.shape[1] + 2 * border - 2) // side, 0, side + 2
    for row in range(first, last):
        e, r = divmod(row, rows)
        if r == 0:
            tiles.put_inside(x[e], border, image)
        for c in range(w // side):
            turned(0, side, channels, image, (side * (r * (w + 2) + c) * channels, (w + 2) * channels, channels),
                   inside, (square * n * n * channels, n * channels, channels))
            square += 1
    return square
