"""Sums of products, a tile of them at a time: what the twins of dense layers and of convolutions are made of.

    out[p, q] = start[p, q] + Σ_u Σ_t a[p, u, t] b[u, t, q],         p < P, q < Q, u < U, t < T

    a[p, u, t] is number  a0 + p ap + u au + t at  of an array       given as (a0, ap, au, at)
    b[u, t, q] is number  b0 + u bu + t bt + q                       given as (b0, bu, bt)
    start[p, q] is number s0 + p sp + q, and out alike               given as (s0, sp) and (o0, op)

Q is 16 or 32: there are zeros behind the last column where their number is another.  The start is added last: where
sums go on from what is there already, not all terms are added one by one, which rounds less.

What is compiled of a file stays on the disk until that file changes, whatever becomes of the functions it calls.  So
a file with twins that call these holds a checksum of this one, TILES, to change with it; a test compares them.
"""
from itertools import product

import numpy as np

from numopt.kernels.twins import helper, machine_code

TALL = 8  # rows of a tile: with two vectors each, half of the registers of 64 bytes


@machine_code
def tile(context, rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at):
    """out[p, q] for 1 to TALL rows and for 16 or 32 columns.

    A compiler that is given such sums as loops puts each back into memory after every term.  Here it is told in its own
    language to keep them in registers, as many as there is room for, until they are complete; for each number of rows
    and columns there is a loop of its own.
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

        def unrelated(place):
            """A number that the compiler cannot tell from others: it would add ap, and again, and wait for each sum."""
            return builder.asm(ir.FunctionType(place.type, [place.type]), "", "=r,0", [place], False)

        def add_up(P, parts):
            """P rows of the sums, in the columns of these parts."""
            sums = {(p, q): cgutils.alloca_once(builder, vector) for p in range(P) for q in parts}
            for (p, q), here in sums.items():
                builder.store(ir.Constant(vector, [0.0] * lanes), here)
            rows_of_a = [builder.gep(a_, [unrelated(further(a0, p, ap))]) for p in range(P)]
            with cgutils.for_range(builder, U) as u, cgutils.for_range(builder, T) as t:
                row = further(further(b0, u.index, bu), t.index, bt)
                row = {q: builder.load(vector_at(b_, row, q), align=size) for q in parts}
                column = further(builder.mul(u.index, au), t.index, at)
                for p, row_of_a in enumerate(rows_of_a):
                    factor = everywhere(builder.load(builder.gep(row_of_a, [column])))
                    for q in parts:
                        term = builder.fmul(factor, row[q], flags=["contract"])
                        builder.store(builder.fadd(builder.load(sums[p, q]), term, flags=["contract"]), sums[p, q])
            for (p, q), here in sums.items():
                start = builder.load(vector_at(start_, further(s0, p, sp), q), align=size)
                there = vector_at(out_, further(o0, p, op), q)
                builder.store(builder.fadd(start, builder.load(here)), there, align=size)

        P, Q = (context.cast(builder, number, kind, types.intp) for number, kind in zip(arguments[:2], signature.args))
        a_, (a0, ap, au, at), b_, (b0, bu, bt), (U, T), start_, (s0, sp), out_, (o0, op) = map(
            known, signature.args[2:], arguments[2:])
        for columns, height in product((16, 32), range(1, TALL + 1)):
            here = builder.and_(*(builder.icmp_signed("==", found, found.type(number))
                                  for found, number in ((P, height), (Q, columns))))
            with builder.if_then(here):
                for first in range(0, columns, lanes * together):
                    add_up(height, range(first, min(first + lanes * together, columns), lanes))
        return context.get_dummy_value()

    return types.void(rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at), generate


@helper
def fill(rows, columns, a, a_at, b, b_at, terms, start, start_at, out, out_at):
    """out[p, q] for any number of rows, in tiles as tall as each other, and 16 or 32 columns."""
    (a0, ap, au, at), (s0, sp), (o0, op) = a_at, start_at, out_at
    tiles, p = (rows + TALL - 1) // TALL, 0
    while p < rows:
        height = (rows - p + tiles - 1) // tiles
        tile(height, columns, a, (a0 + p * ap, ap, au, at), b, b_at, terms, start, (s0 + p * sp, sp),
             out, (o0 + p * op, op))
        tiles, p = tiles - 1, p + height


@helper
def sixteens(number):
    """The next multiple of 16."""
    return (number + 15) // 16 * 16


@helper
def zeros(size, like):
    """So many zeros, from where the processor can fetch 64 bytes at once."""
    together = 64 // like.itemsize
    room = np.empty(size + together, like.dtype)
    first = (together - room.ctypes.data // like.itemsize % together) % together
    for i in range(room.size):
        room[i] = 0
    return room[first:first + size]


@helper
def put_inside(x, border, image):
    """One image into the middle of another, which is larger and laid out in a row."""
    rows, columns, channels = x.shape
    for r in range(rows):
        start = ((r + border) * (columns + 2 * border) + border) * channels
        inside, numbers = image[start:start + columns * channels], x[r].reshape(-1)
        for i in range(len(inside)):
            inside[i] = numbers[i]
