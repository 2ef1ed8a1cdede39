"""Numbers of a window that stand beside each other, several at a time: what the twins of max-pooling are made of.

Number (i, j) of a window is at start + i across + j step, and with it go those behind it, `lanes` in all: 16 or 1, as
it stands in the source.  A compiler that is given this as loops over a few channels takes them one by one.  As with
tiles.py, a file with twins that call these holds a checksum of this one, LANES.
"""
from contextlib import contextmanager

from numopt.kernels.twins import machine_code


class Lanes:
    """Where the numbers are."""

    def __init__(self, context, builder, signature, arguments, lanes):
        from llvmlite import ir
        self.context, self.builder, self.ir, self.lanes = context, builder, ir, lanes
        self.kinds, self.arguments = signature.args, arguments

    def number(self, place, part=None):
        """Argument number `place`, or a part of it, as a whole number of 64 bits."""
        from numba.core import cgutils, types
        value, kind = self.arguments[place], self.kinds[place]
        if part is not None:
            value, kind = cgutils.unpack_tuple(self.builder, value)[part], kind[part]
        return self.context.cast(self.builder, value, kind, types.intp)

    def at(self, place, number):
        """Where the numbers of this array begin, from a number on."""
        array = self.context.make_array(self.kinds[place])(self.context, self.builder, self.arguments[place])
        vector = self.ir.VectorType(self.context.get_data_type(self.kinds[place].dtype), self.lanes)
        return self.builder.bitcast(self.builder.gep(array.data, [number]), vector.as_pointer())

    def load(self, place, number):
        return self.builder.load(self.at(place, number), align=self.kinds[place].dtype.bitwidth // 8)

    def store(self, vector, place, number):
        self.builder.store(vector, self.at(place, number), align=self.kinds[place].dtype.bitwidth // 8)

    def all(self, number):
        """A number in every lane."""
        kind = self.ir.VectorType(number.type, self.lanes)
        only = self.builder.insert_element(self.ir.Constant(kind, self.ir.Undefined), number, self.ir.IntType(32)(0))
        zeros = self.ir.Constant(self.ir.VectorType(self.ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(only, self.ir.Constant(kind, self.ir.Undefined), zeros)

    def index(self, place, number):
        """A whole number in every lane, of the kind in this array."""
        kind = self.context.get_data_type(self.kinds[place].dtype)
        return self.all(self.builder.trunc(number, kind))

    @contextmanager
    def window(self, place, k):
        """A loop over the places of a window: (number, where it is)."""
        from numba.core import cgutils
        start, across, step = (self.number(place, part) for part in range(3))
        builder = self.builder
        with cgutils.for_range(builder, k) as i, cgutils.for_range(builder, k) as j:
            here = builder.add(builder.add(start, builder.mul(i.index, across)), builder.mul(j.index, step))
            yield builder.add(builder.mul(i.index, k), j.index), here


@machine_code
def largest(context, lanes, x, at, k, least, y, which, out):
    """The largest number of a window, into `y`, and which one, from number `out` on."""
    from numba.core import cgutils, types

    def generate(context, builder, signature, arguments):
        numbers = Lanes(context, builder, signature, arguments, lanes.literal_value)
        k, out = numbers.number(3), numbers.number(7)
        y, which = numbers.all(arguments[4]), numbers.index(6, builder.mul(k, k))
        y, which = cgutils.alloca_once_value(builder, y), cgutils.alloca_once_value(builder, which)
        with numbers.window(2, k) as (number, place):
            here, before = numbers.load(1, place), builder.load(y)
            larger = builder.fcmp_ordered(">", here, before)
            builder.store(builder.select(larger, numbers.index(6, number), builder.load(which)), which)
            larger = builder.or_(larger, builder.fcmp_unordered("uno", here, here))  # what is NaN stays NaN
            builder.store(builder.select(larger, here, before), y)
        numbers.store(builder.load(y), 5, out)
        numbers.store(builder.load(which), 6, out)
        return context.get_dummy_value()

    return types.void(lanes, x, at, k, least, y, which, out), generate


@machine_code
def chosen(context, lanes, x, at, k, which, y, out):
    """The number of a window that was chosen in other images, or 0, into `y` from number `out` on."""
    from numba.core import cgutils, types

    def generate(context, builder, signature, arguments):
        numbers = Lanes(context, builder, signature, arguments, lanes.literal_value)
        k, out = numbers.number(3), numbers.number(6)
        which = numbers.load(4, out)
        y = cgutils.alloca_once_value(builder, numbers.all(context.get_data_type(x.dtype)(0.0)))
        with numbers.window(2, k) as (number, place):
            here = builder.icmp_unsigned("==", which, numbers.index(4, number))
            builder.store(builder.select(here, numbers.load(1, place), builder.load(y)), y)
        numbers.store(builder.load(y), 5, out)
        return context.get_dummy_value()

    return types.void(lanes, x, at, k, which, y, out), generate


@machine_code
def put(context, lanes, dy, which, here, number, only, dx, there):
    """dy where this number was chosen, otherwise 0, into dx from number `there` on; or if it is not the `only` one that
    is put there, added to it."""
    from numba.core import types

    def generate(context, builder, signature, arguments):
        numbers = Lanes(context, builder, signature, arguments, lanes.literal_value)
        here, number, there = numbers.number(3), numbers.number(4), numbers.number(7)
        nothing = numbers.all(context.get_data_type(dy.dtype)(0.0))
        chosen = builder.icmp_unsigned("==", numbers.load(2, here), numbers.index(2, number))
        found = builder.select(chosen, numbers.load(1, here), nothing)
        before = builder.select(arguments[5], nothing, numbers.load(6, there))
        numbers.store(builder.fadd(found, before), 6, there)
        return context.get_dummy_value()

    return types.void(lanes, dy, which, here, number, only, dx, there), generate
