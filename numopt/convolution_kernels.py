"""The hot loops of convolution, each written twice: see kernels.py.

The NumPy versions copy out the patches and multiply by one large matrix.  The twins share out the images among the
threads, and copy out nothing: the numbers of a patch are in its image already, at fixed distances from each other.  All
three are sums of one form, and `tiles`, at the end, is told where the factors are:

    out[p, q] = start[p, q] + Σ_u Σ_t a[p, u, t] b[u, t, q],         u < U, t < T

    a[p, u, t] is number  a0 + p ap + u au + t at  of an array       given as (a0, ap, au, at)
    b[u, t, q] is number  b0 + u bu + t bt + q                       given as (b0, bu, bt)
    start[p, q] is number s0 + p sp + q, and out alike               given as (s0, sp) and (o0, op)
"""
import numpy as np

from numopt.kernels import helper, kernel, machine_code, prange
from numopt.patches import overlapped, patches, places


def pays(x, weights):
    """Is there enough to do for the twins, with a matrix that stays in the cache?"""
    return x.size >= 50_000 and weights <= 200_000


@helper
def bordered(x, padding, channels):
    """One image, row by row, with zeros around it, and behind its channels until there are so many."""
    rows, columns, given = x.shape
    across = (columns + 2 * padding) * channels
    image = aligned((rows + 2 * padding) * across, x)
    for place in range(image.size):
        image[place] = 0
    for r in range(rows):
        for c in range(columns):
            place = (r + padding) * across + (c + padding) * channels
            for channel in range(given):
                image[place + channel] = x[r, c, channel]
    return image


@helper
def narrowed(image, wide, x):
    """Into x the first channels of an image that has so many, `wide`."""
    rows, columns, channels = x.shape
    for r in range(rows):
        for c in range(columns):
            for channel in range(channels):
                x[r, c, channel] = image[(r * columns + c) * wide + channel]


@kernel(pays=lambda x, matrix, *others: pays(x, matrix.size))
def convolution(x, matrix, k, stride, padding):
    """[W | b] times every patch [x 1] of the images: images with an output of W in each channel.

    Where there is no b, the matrix is W alone, here and below.

    The twin is 3 times as fast on either layer of the CNN.
    """
    n, rows, columns, channels = x.shape
    W, b = matrix[:, :k * k * channels], matrix[:, k * k * channels:]
    y = patches(x, k, stride, padding) @ W.T + b.sum(axis=1)
    return y.reshape(n, places(rows, k, stride, padding), places(columns, k, stride, padding), len(W))


@convolution.twin(parallel=True)
def convolution_compiled(x, matrix, k, stride, padding):
    h, w = (x.shape[1] + 2 * padding - k) // stride + 1, (x.shape[2] + 2 * padding - k) // stride + 1
    W, y = by_columns(matrix), aligned(len(x) * h * w * len(matrix), x).reshape(len(x), h, w, len(matrix))
    for e in prange(len(x)):
        convolve(x[e], W, k, stride, padding, y[e])
    return y


@helper
def convolve(x, W, k, stride, padding, y):
    """One image: into y.  W is [W | b], a column after the other."""
    rows, columns, channels = x.shape
    h, w, outputs = y.shape
    wide, across, run = sixteens(outputs), (columns + 2 * padding) * channels, k * channels
    image = bordered(x, padding, channels)
    out = y.reshape(-1) if wide == outputs else aligned(h * w * wide, x)
    for q in range(0, wide, 32):
        for r in range(h):
            tiles(w, min(32, wide - q), image, (r * stride * across, stride * channels, across, 1),
                  W, (q, run * wide, wide), (k, run), W, (k * run * wide + q, 0), out, (r * w * wide + q, wide))
    if wide > outputs:
        narrowed(out, wide, y)


@kernel(pays=lambda x, dy, k, *others: pays(x, k * k * x.shape[3] * dy.shape[3]))
def convolution_by_weights(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b], from those by y.

    The twin is 3.5 to 4 times as fast on the layers of the CNN.
    """
    dy = dy.reshape(-1, dy.shape[3])
    dW = dy.T @ patches(x, k, stride, padding)
    return np.column_stack([dW, dy.sum(axis=0)]) if bias else dW


@convolution_by_weights.twin(parallel=True)
def convolution_by_weights_compiled(x, dy, k, stride, padding, bias):
    n, parts = len(x), min(len(x), 8)
    sums = np.zeros((parts, k * k * x.shape[3] + 1, sixteens(dy.shape[3])), x.dtype)
    for part in prange(parts):
        for e in range(part * n // parts, (part + 1) * n // parts):
            add_products(x[e], dy[e], k, stride, padding, sums[part])
    dW = np.zeros((dy.shape[3], k * k * x.shape[3] + bias), x.dtype)
    for part in range(parts):
        for i in range(dW.shape[0]):
            for j in range(dW.shape[1]):
                dW[i, j] += sums[part, j, i]
    return dW


@helper
def add_products(x, dy, k, stride, padding, total):
    """The derivatives by [W | b] of one image, a column after the other: added to `total`."""
    _, columns, channels = x.shape
    h, w, outputs = dy.shape
    wide, across, run = sixteens(outputs), (columns + 2 * padding) * channels, k * channels
    image = bordered(x, padding, channels)
    derivatives = bordered(dy, 0, wide) if wide > outputs else dy.reshape(-1)
    total, one = total.reshape(-1), np.ones(1, x.dtype)
    for q in range(0, wide, 32):
        for i in range(k + 1):
            here = i * run * wide + q, wide
            if i < k:
                tiles(run, min(32, wide - q), image, (i * across, 1, stride * across, stride * channels),
                      derivatives, (q, w * wide, wide), (h, w), total, here, total, here)
            else:
                tiles(1, min(32, wide - q), one, (0, 0, 0, 0),
                      derivatives, (q, w * wide, wide), (h, w), total, here, total, here)


@kernel(pays=lambda x, matrix, *others: pays(x, matrix.size))
def convolution_by_inputs(dy, matrix, shape, k, stride, padding):
    """The derivatives by x, images of this shape, from those by y.

    The twin is 8 times as fast on the CNN's second layer.
    """
    W = matrix[:, :k * k * shape[3]]
    return overlapped(dy.reshape(-1, dy.shape[3]) @ W, shape, k, stride, padding)


@convolution_by_inputs.twin(parallel=True)
def convolution_by_inputs_compiled(dy, matrix, shape, k, stride, padding):
    n, rows, columns, channels = shape
    W, dx = in_order(matrix, channels, k, stride), aligned(n * rows * columns * channels, dy).reshape(shape)
    for e in prange(n):
        spread(dy[e], W, k, stride, padding, dx[e])
    return dx


# Pixel (r, c) is at (i, j) in the patch of dy[r', c'] if r + padding = stride r' + i and c + padding = stride c' + j.
# When such a j goes up by stride, c' goes down by 1.  So W is laid out with the j that belong together beside each
# other, backwards: there are `many` that leave a certain remainder, and `before` them those that leave a smaller one.

@helper
def many(remainder, k, stride):
    return (k - 1 - remainder) // stride + 1


@helper
def before(remainder, k, stride):
    total = 0
    for smaller in range(remainder):
        total += many(smaller, k, stride)
    return total


@helper
def in_order(matrix, channels, k, stride):
    """W as (i, number of j, output, channel), one after the other."""
    outputs, wide = len(matrix), sixteens(channels)
    W = aligned(k * k * outputs * wide, matrix)
    for i in range(k):
        for j in range(k):
            number = before(j % stride, k, stride) + many(j % stride, k, stride) - 1 - j // stride
            for output in range(outputs):
                place = ((i * k + number) * outputs + output) * wide
                for channel in range(wide):
                    W[place + channel] = matrix[output, (i * k + j) * channels + channel] if channel < channels else 0
    return W


@helper
def spread(dy, W, k, stride, padding, dx):
    """The derivatives by one image: into dx."""
    rows, columns, channels = dx.shape
    h, w, outputs = dy.shape
    wide, nothing = sixteens(channels), np.zeros(32, dx.dtype)
    beyond = max(max(0, (k - 2 - padding) // stride + 1), max((rows - 1 + padding) // stride - h + 1,
                                                              (columns - 1 + padding) // stride - w + 1))
    across, one, derivatives = (w + 2 * beyond) * outputs, outputs * wide, bordered(dy, beyond, outputs)
    out = dx.reshape(-1) if wide == channels else aligned(rows * columns * wide, dx)
    for q in range(0, wide, 32):
        for r in range(rows):
            i, row = (r + padding) % stride, (r + padding) // stride + beyond
            for c in range(min(stride, columns)):
                j, column = (c + padding) % stride, (c + padding) // stride + beyond
                tiles((columns - c - 1) // stride + 1, min(32, wide - q), derivatives,
                      (row * across + (column - many(j, k, stride) + 1) * outputs, outputs, -across, 1),
                      W, ((i * k + before(j, k, stride)) * one + q, stride * k * one, wide),
                      (many(i, k, stride), many(j, k, stride) * outputs),
                      nothing, (0, 0), out, ((r * columns + c) * wide + q, stride * wide))
    if wide > channels:
        narrowed(out, wide, dx)


@machine_code
def tile(context, rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at):
    """out[p, q] for a few rows and for 16 or 32 columns, two numbers that stand in the source.

    A compiler that is given such sums as loops puts each back into memory after every term.  Here it is told in its own
    language to keep them in registers, as many as there is room for, until they are complete.
    """
    from llvmlite import ir
    from numba.core import cgutils, types

    size = a.dtype.bitwidth // 8

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        wide = "+avx512f" in str(context.codegen().magic_tuple())  # 32 registers of 64 bytes; otherwise 16 of 32
        lanes, together = (64 // size, 2) if wide else (32 // size, 1)
        vector = ir.VectorType(context.get_data_type(a.dtype), lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        first_lane = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)

        def known(kind, value):
            """A tuple's numbers; where an array's numbers are."""
            if isinstance(kind, types.BaseTuple):
                return [context.cast(builder, number, its_kind, types.intp)
                        for number, its_kind in zip(cgutils.unpack_tuple(builder, value), kind)]
            return context.make_array(kind)(context, builder, value).data

        def further(place, times, step):
            return builder.add(place, builder.mul(step.type(times) if isinstance(times, int) else times, step))

        def vector_at(array, place, q):
            return builder.bitcast(builder.gep(array, [builder.add(place, place.type(q))]), vector.as_pointer())

        def everywhere(number):
            """A vector of this number in every place."""
            only = builder.insert_element(undefined, number, ir.IntType(32)(0))
            return builder.shuffle_vector(only, undefined, first_lane)

        a_, (a0, ap, au, at), b_, (b0, bu, bt), (U, T), start_, (s0, sp), out_, (o0, op) = map(
            known, signature.args[2:], arguments[2:])
        for first in range(0, columns.literal_value, lanes * together):
            parts = range(first, min(first + lanes * together, columns.literal_value), lanes)
            sums = {(p, q): cgutils.alloca_once(builder, vector) for p in range(rows.literal_value) for q in parts}
            for (p, q), here in sums.items():
                builder.store(builder.load(vector_at(start_, further(s0, p, sp), q), align=size), here)
            with cgutils.for_range(builder, U) as u, cgutils.for_range(builder, T) as t:
                row = further(further(b0, u.index, bu), t.index, bt)
                row = {q: builder.load(vector_at(b_, row, q), align=size) for q in parts}
                column = further(further(a0, u.index, au), t.index, at)
                for p in range(rows.literal_value):
                    factor = everywhere(builder.load(builder.gep(a_, [further(column, p, ap)])))
                    for q in parts:
                        term = builder.fmul(factor, row[q], flags=["contract"])
                        builder.store(builder.fadd(builder.load(sums[p, q]), term, flags=["contract"]), sums[p, q])
            for (p, q), here in sums.items():
                builder.store(builder.load(here), vector_at(out_, further(o0, p, op), q), align=size)
        return context.get_dummy_value()

    return types.void(rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at), generate


@helper
def tiles(rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at):
    """out[p, q] for any number of rows, and 16 or 32 columns."""
    (a0, ap, au, at), (s0, sp), (o0, op) = a_at, start_at, out_at
    p = 0
    while p < rows:
        if sp == 0 and 8 <= rows < p + 8:
            p = rows - 8  # some rows once more, which start as they did before: better than the last ones one by one
        a_p, start_p, out_p = (a0 + p * ap, ap, au, at), (s0 + p * sp, sp), (o0 + p * op, op)
        together = 8 if rows - p >= 8 else 4 if rows - p >= 4 and columns == 16 else 1
        if together == 8 and columns == 32:
            tile(8, 32, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        elif together == 8:
            tile(8, 16, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        elif together == 4:
            tile(4, 16, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        elif columns == 32:
            tile(1, 32, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        else:
            tile(1, 16, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        p += together


@helper
def sixteens(number):
    """The next multiple of 16."""
    return (number + 15) // 16 * 16


@helper
def aligned(size, like):
    """Room for so many numbers, from where the processor can fetch 64 bytes at once."""
    together = 64 // like.itemsize
    room = np.empty(size + together, like.dtype)
    first = (together - room.ctypes.data // like.itemsize % together) % together
    return room[first:first + size]


@helper
def by_columns(matrix):
    """[W | b] a column after the other, with zeros behind each up to a multiple of 16; zeros also if there is no b."""
    outputs, length = matrix.shape
    wide = sixteens(outputs)
    columns = aligned((length + 1) * wide, matrix)
    for place in range(columns.size):
        columns[place] = 0
    for j in range(length):
        for i in range(outputs):
            columns[j * wide + i] = matrix[i, j]
    return columns
