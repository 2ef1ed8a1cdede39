"""The hot loops of convolution, each written twice: see kernels.py.

Images are (example, row, column, channel).  A patch is k × k pixels, `stride` apart from the next one, of an image with
`padding` zeros around it; it is laid out as (row, column, channel), and the patches of an image row by row.

The NumPy versions copy out the patches and multiply by one large matrix.  The twins share out the images among the
threads, and copy out nothing: the numbers of a patch are in its image already, at fixed distances from each other.  All
three are sums of one form, and `tiles`, at the end, is told where the factors are:

    out[p, q] = start[p, q] + Σ_u Σ_t a[p, u, t] b[u, t, q],         u < U, t < T

    a[p, u, t] is number  a0 + p ap + u au + t at  of an array       given as (a0, ap, au, at)
    b[u, t, q] is number  b0 + u bu + t bt + q                       given as (b0, bu, bt)
    start[p, q] is number s0 + p sp + q, and out alike               given as (s0, sp) and (o0, op)
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from numopt.kernels import helper, kernel, machine_code, prange
from numopt.pooling_kernels import offsets


def with_weights(x, weights, *others):
    """Is there enough to do for the twins, with a matrix that stays in the cache?"""
    return x.size >= 50_000 and weights.size <= 200_000


def for_weights(x, dy, k, *others):
    """The same, of the derivatives by the matrix."""
    return x.size >= 50_000 and k * k * x.shape[3] * dy.shape[3] <= 200_000


@helper
def places(length, k, stride, padding):
    """How many patches there are along a side."""
    return (length + 2 * padding - k) // stride + 1


def patches(x, k, stride, padding):
    """Every patch of every image, one a row (im2col)."""
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(x, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, k * k * x.shape[3])


def overlapped(dpatches, shape, k, stride, padding):
    """Every pixel's sum over the patches that it is in (col2im): images of this shape."""
    n, rows, columns, channels = shape
    h, w = places(rows, k, stride, padding), places(columns, k, stride, padding)
    dpatches = dpatches.reshape(n, h, w, k, k, channels)
    dx = np.zeros((n, rows + 2 * padding, columns + 2 * padding, channels), dpatches.dtype)
    for i, j, there in offsets(k, stride, h, w):
        dx[there] += dpatches[:, :, :, i, j]
    return dx[:, padding:padding + rows, padding:padding + columns]


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
def unbordered(image, padding, channels, x):
    """Into x, one image, what it is in one with zeros around it and so many channels."""
    rows, columns, wanted = x.shape
    for r in range(rows):
        for c in range(columns):
            place = ((r + padding) * (columns + 2 * padding) + c + padding) * channels
            for channel in range(wanted):
                x[r, c, channel] = image[place + channel]


@kernel(pays=with_weights)
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
    n, rows, columns, channels = x.shape
    h, w, outputs = places(rows, k, stride, padding), places(columns, k, stride, padding), len(matrix)
    wide, across, run = sixteens(outputs), (columns + 2 * padding) * channels, k * channels
    W, b = widened(matrix[:, :k * run].T, wide), widened(matrix[:, k * run:].T, wide)
    if matrix.shape[1] == k * run:
        b = np.zeros(wide, x.dtype)
    y = aligned(n * h * w * outputs, x).reshape(n, h, w, outputs)
    for e in prange(n):
        image = bordered(x[e], padding, channels)
        out = y[e].reshape(-1) if wide == outputs else aligned(h * w * wide, x)
        for q in range(0, wide, 32):
            for r in range(h):
                tiles(w, min(32, wide - q), image, (r * stride * across, stride * channels, across, 1),
                      W, (q, run * wide, wide), (k, run), b, (q, 0), out, (r * w * wide + q, wide))
        if wide > outputs:
            unbordered(out, 0, wide, y[e])
    return y


@kernel(pays=for_weights)
def convolution_by_weights(x, dy, k, stride, padding, bias):
    """The derivatives by [W | b], from those by y.

    The twin is 3.5 to 4 times as fast on the layers of the CNN.
    """
    dy = dy.reshape(-1, dy.shape[3])
    dW = dy.T @ patches(x, k, stride, padding)
    return np.column_stack([dW, dy.sum(axis=0)]) if bias else dW


@convolution_by_weights.twin(parallel=True)
def convolution_by_weights_compiled(x, dy, k, stride, padding, bias):
    n, rows, columns, channels = x.shape
    _, h, w, outputs = dy.shape
    wide, across, run, parts = sixteens(outputs), (columns + 2 * padding) * channels, k * channels, min(n, 8)
    sums, ones = np.zeros((parts, k * run + 1, wide), x.dtype), np.ones(1, x.dtype)
    for part in prange(parts):
        total = sums[part].reshape(-1)
        for e in range(part * n // parts, (part + 1) * n // parts):
            image = bordered(x[e], padding, channels)
            derivatives = dy[e].reshape(-1) if wide == outputs else bordered(dy[e], 0, wide)
            for q in range(0, wide, 32):
                for i in range(k):
                    here = i * run * wide + q, wide
                    tiles(run, min(32, wide - q), image, (i * across, 1, stride * across, stride * channels),
                          derivatives, (q, w * wide, wide), (h, w), total, here, total, here)
                if bias:
                    here = k * run * wide + q, wide
                    tiles(1, min(32, wide - q), ones, (0, 0, 0, 0),
                          derivatives, (q, w * wide, wide), (h, w), total, here, total, here)
    dW = np.zeros((outputs, k * run + bias), x.dtype)
    for part in range(parts):
        for i in range(outputs):
            for j in range(k * run + bias):
                dW[i, j] += sums[part, j, i]
    return dW


@kernel(pays=with_weights)
def convolution_by_inputs(dy, matrix, shape, k, stride, padding):
    """The derivatives by x, images of this shape, from those by y.

    The twin is 8 times as fast on the CNN's second layer.
    """
    W = matrix[:, :k * k * shape[3]]
    return overlapped(dy.reshape(-1, dy.shape[3]) @ W, shape, k, stride, padding)


@convolution_by_inputs.twin(parallel=True)
def convolution_by_inputs_compiled(dy, matrix, shape, k, stride, padding):
    n, rows, columns, channels = shape
    _, h, w, outputs = dy.shape
    # Pixel (r, c) is at (i, j) in the patch of dy[r', c'] if r + padding = stride r' + i, c + padding = stride c' + j.
    # When such a j goes up by stride, c' goes down by 1.  So W is laid out with the j that belong together beside each
    # other, backwards: `many` that leave this remainder, and `before` them those that leave a smaller one.
    many = [(k - 1 - remainder) // stride + 1 for remainder in range(stride)]
    before = [sum(many[:remainder]) for remainder in range(stride)]
    wide = sixteens(channels)
    W = np.empty((k, k, outputs, channels), dy.dtype)
    for i in range(k):
        for j in range(k):
            number = before[j % stride] + many[j % stride] - 1 - j // stride
            for output in range(outputs):
                for channel in range(channels):
                    W[i, number, output, channel] = matrix[output, (i * k + j) * channels + channel]
    W = widened(W.reshape(-1, channels), wide)
    beyond = max(0, (k - 2 - padding) // stride + 1, (rows - 1 + padding) // stride - h + 1,
                 (columns - 1 + padding) // stride - w + 1)
    across, one, nothing = (w + 2 * beyond) * outputs, outputs * wide, np.zeros(32, dy.dtype)
    dx = aligned(n * rows * columns * channels, dy).reshape(shape)
    for e in prange(n):
        derivatives = bordered(dy[e], beyond, outputs)
        out = dx[e].reshape(-1) if wide == channels else aligned(rows * columns * wide, dy)
        for q in range(0, wide, 32):
            for r in range(rows):
                i, row = (r + padding) % stride, (r + padding) // stride + beyond
                for c in range(min(stride, columns)):
                    j, column = (c + padding) % stride, (c + padding) // stride + beyond
                    tiles((columns - c - 1) // stride + 1, min(32, wide - q), derivatives,
                          (row * across + (column - many[j] + 1) * outputs, outputs, -across, 1),
                          W, ((i * k + before[j]) * one + q, stride * k * one, wide), (many[i], many[j] * outputs),
                          nothing, (0, 0), out, ((r * columns + c) * wide + q, stride * wide))
        if wide > channels:
            unbordered(out, 0, wide, dx[e])
    return dx


# A compiler that is given a sum of many terms as a loop puts it back into memory after every term.  Here it is said in
# the compiler's own language that so many sums, as there are registers for, stay in registers until they are complete.

@machine_code
def tile(context, rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at):
    """out[p, q] for a few rows and for 16 or 32 columns, two numbers that stand in the source."""
    from llvmlite import ir
    from numba.core import cgutils, types

    size = a.dtype.bitwidth // 8

    def generate(context, builder, signature, arguments):
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
        together = 8 if rows - p >= 8 else 4 if rows - p >= 4 else 1
        if columns == 32:
            if together == 8:
                tile(8, 32, a, a_p, b, b_at, terms, start, start_p, out, out_p)
            elif together == 4:
                tile(4, 32, a, a_p, b, b_at, terms, start, start_p, out, out_p)
            else:
                tile(1, 32, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        elif together == 8:
            tile(8, 16, a, a_p, b, b_at, terms, start, start_p, out, out_p)
        elif together == 4:
            tile(4, 16, a, a_p, b, b_at, terms, start, start_p, out, out_p)
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
def widened(matrix, columns):
    """Its numbers row by row, with zeros behind each row until it has so many columns."""
    wide = aligned(len(matrix) * columns, matrix)
    for i in range(len(matrix)):
        for j in range(columns):
            wide[i * columns + j] = matrix[i, j] if j < matrix.shape[1] else 0
    return wide
