"""The gate that every twin is entered through: it lets in what the twin was compiled for, and nothing else.

Compiled code reads and writes wherever the shapes lead it.  So each kernel says of what form its arguments are:

    "(n) (n) (n) . ."         three vectors of one length, then two numbers

    (n,c)        an array of two axes.  Where names are equal, so are the lengths; none is 0, unless marked (n,c?)
    (...)        an array with any axes; where there are several, all have the same
    k?(n)        a tuple of k such arrays, or of none
    int(n,3)     an array of whole numbers of 64 bits, with 3 columns; index(n) one of 16 or 32 bits, without a sign
    [n,c]        a tuple of lengths
    i            a whole number
    .            a number

All other arrays have one precision, single or double, in the machine's own byte order; so have NumPy's numbers.  What
is more to say of the shapes, a function of the same arguments says: it is asked when all this is so.

Step after step the arguments are of the same kinds and shapes, so those that were let in are remembered.
"""
import re

import numpy as np

KINDS = {"int": np.dtype(np.int64).char, "index": "HI", "": "fd"}  # NumPy's letters for their types
MANY = 64  # kinds and shapes that are remembered of one kernel
WORD = re.compile(r"(?P<many>k\??)?(?P<kind>int|index)?\((?P<axes>[^)]*)\)")


def gate(form, further=None):
    """The function that says of a kernel's arguments, a tuple, whether they may go in."""
    checks, let_in = [parsed(word) for word in form.split()], set()

    def is_of_the_form(arguments):
        known = {}
        return len(arguments) == len(checks) and all(check(argument, known)
                                                     for check, argument in zip(checks, arguments))

    def open_for(arguments):
        kinds = tuple([(argument.dtype, argument.shape) if type(argument) is np.ndarray
                       else argument >> 63 if type(argument) is int  # 0 or -1 where a register has room for it
                       else type(argument) for argument in arguments])
        if kinds not in let_in:
            if not is_of_the_form(arguments):
                return False
            if {np.ndarray, int, float}.issuperset(map(type, arguments)):  # of others this does not say everything
                if len(let_in) >= MANY:
                    let_in.clear()
                let_in.add(kinds)
        return further is None or further(*arguments)

    return open_for


def parsed(word):
    """A function of an argument, and of the lengths and the precision that are known by now, for a word of the form."""
    if word == ".":
        return number
    if word == "i":
        return lambda argument, known: whole(argument)
    if word.startswith("["):
        return lengths(axes_of(word[1:-1]))
    found = WORD.fullmatch(word)
    one = array(KINDS[found["kind"] or ""], axes_of(found["axes"]))
    return several(one, found["many"]) if found["many"] else one


def axes_of(text):
    """[(name, least length)]; None for any axes."""
    if text == "...":
        return None
    return [(name.rstrip("?"), 0 if name.endswith("?") else 1) for name in text.split(",")]


def array(kinds, axes):
    real = kinds == KINDS[""]

    def check(argument, known):
        if type(argument) is not np.ndarray and type(argument) is not np.memmap:
            return False  # a mask, or the products of a matrix, mean something else
        dtype = argument.dtype
        if dtype.char not in kinds or not dtype.isnative or real and known.setdefault("precision", dtype) != dtype:
            return False
        return fits(argument.shape, axes, known)

    return check


def fits(shape, axes, known):
    """Are these the lengths of the axes, as far as they are known?"""
    if axes is None:
        return len(shape) > 0 and known.setdefault("shape", shape) == shape
    if len(shape) != len(axes):
        return False
    for length, (name, least) in zip(shape, axes):
        if length < least or known.setdefault(name, int(name) if name.isdigit() else length) != length:
            return False
    return True


def several(one, many):
    name, least = many.rstrip("?"), 0 if many.endswith("?") else 1

    def check(argument, known):
        return (type(argument) is tuple and fits((len(argument),), [(name, least)], known)
                and all(one(vector, known) for vector in argument))

    return check


def lengths(axes):
    return lambda argument, known: type(argument) is tuple and all(map(whole, argument)) and fits(argument, axes, known)


def whole(argument):
    """Is it a whole number that a register has room for?"""
    return isinstance(argument, (int, np.integer)) and -2**63 <= argument < 2**63


def number(argument, known):
    """Is it a number, which does not make single precision double?"""
    if type(argument) is float:
        return True
    if isinstance(argument, np.floating):
        return argument.dtype == known.get("precision")
    return whole(argument) or isinstance(argument, np.bool_)
