"""What is let in to compiled code: a twin does with any input what its NumPy version does, or refuses it."""
import pkgutil
from importlib import import_module

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import numopt.kernels
from numopt.kernels.convolution import convolution_by_weights
from numopt.kernels.gate import gate
from numopt.kernels.twins import Kernel, described
from tests import kernels as tests_of_kernels
from tests.kernels.both import arrays_of, cases_of, needs_numba


def modules_of(package):
    """All modules of a package but this one, whether somebody has imported them or not."""
    names = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
    return [import_module(name) for name in names if name != __name__]


KERNELS = {name for module in modules_of(numopt.kernels) for name, value in vars(module).items()
           if isinstance(value, Kernel)}
CASES = {name: case for module in modules_of(tests_of_kernels) for name, case in getattr(module, "CASES", {}).items()}


# ---------------------------------------------------------------------------------------------------- the form

def test_lengths_of_one_name_are_equal_and_none_is_0_unless_it_may_be():
    fits = gate("(n) (n,c) (c?)")
    assert fits((np.ones(3), np.ones((3, 2)), np.ones(2)))
    assert not fits((np.ones(3), np.ones((4, 2)), np.ones(2)))
    assert not fits((np.ones(3), np.ones((3, 2)), np.ones(1)))
    assert not fits((np.ones(0), np.ones((0, 2)), np.ones(2)))
    assert gate("(n) (c?)")((np.ones(1), np.ones(0)))
    assert not fits((np.ones(3), np.ones((3, 2)))) and not fits((np.ones(3), np.ones((3, 2)), np.ones(2), 1))


def test_arrays_with_any_axes_have_all_the_same_and_one_at_least():
    fits = gate("(...) (...)")
    for shape in (3,), (2, 3), (2, 3, 1, 4):
        assert fits((np.ones(shape), np.ones(shape)))
        for other in (4,), (3, 2), (2, 3, 4), (6,), ():
            assert not fits((np.ones(shape), np.ones(other))) and not fits((np.ones(other), np.ones(shape)))
    assert not fits((np.array(1.0), np.array(1.0)))


def test_arrays_that_stay_on_the_disk_are_let_in_and_masked_ones_are_not(tmp_path):
    on_disk = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=float, shape=(3,))
    assert gate("(n)")((on_disk,))
    assert not gate("(n)")((np.ma.masked_array(np.ones(3)),))


def test_all_real_arrays_have_one_precision_in_the_byte_order_of_the_machine():
    fits = gate("(n) (n)")
    for kind in (np.float32, np.float64):
        assert fits((np.ones(3, kind), np.ones(3, kind)))
        assert not fits((np.ones(3, kind), np.ones(3, np.dtype(kind).newbyteorder())))
    for kind in (np.float16, np.longdouble, np.complex128, np.int64, bool, object):
        assert not fits((np.ones(3, kind), np.ones(3, kind)))
    assert not fits((np.ones(3), np.ones(3, np.float32)))
    assert not fits((np.ma.ones(3), np.ones(3))) and not fits(([1.0, 2.0, 3.0], np.ones(3)))
    assert not fits((np.ones((3, 1)), np.ones((3, 1)))) and not fits((np.array(1.0), np.array(1.0)))


def test_whole_numbers_indices_lengths_and_tuples_are_of_their_kinds():
    assert gate("int(n,3)")((np.ones((2, 3), np.int64),)) and not gate("int(n,3)")((np.ones((2, 4), np.int64),))
    assert not gate("int(n)")((np.ones(2, np.int32),)) and not gate("int(n)")((np.ones(2),))
    assert gate("index(n)")((np.ones(2, np.uint16),)) and gate("index(n)")((np.ones(2, np.uint32),))
    assert not gate("index(n)")((np.ones(2, np.int16),)) and not gate("index(n)")((np.ones(2, ">u2"),))
    assert gate("(n) [n,c]")((np.ones(2), (2, 3)))
    for wrong in ((3, 3), (2, 3, 4), (2.0, 3), [2, 3], (2, 0), None):
        assert not gate("(n) [n,c]")((np.ones(2), wrong))
    assert gate("k?(n)")(((),)) and gate("k(n) k(n)")(((np.ones(2),), (np.ones(2),)))
    assert not gate("k(n)")(((),)) and not gate("k(n) k(n)")(((np.ones(2),), (np.ones(2), np.ones(2))))
    assert not gate("k(n)")(((np.ones(2), np.ones(3)),)) and not gate("k(n)")(([np.ones(2)],))


def test_a_number_is_one_that_leaves_single_precision_single():
    fits = gate("(n) . i")
    for good in (1, 0.5, True, np.float32(1), np.int8(3), np.nan, -np.inf):
        assert fits((np.ones(2, np.float32), good, 1))
    for bad in (np.float64(1), 1j, "1", None, np.ones(1), np.array(1.0), 2**63, 10**400):
        assert not fits((np.ones(2, np.float32), bad, 1))
    for bad in (1.0, np.float64(1), None, 2**63, "1"):
        assert not fits((np.ones(2, np.float32), 0.5, bad))
    assert fits((np.ones(2), np.float64(1), np.uint8(1)))


def test_what_was_let_in_once_lets_nothing_else_in():
    fits = gate("(n) (n) . i", further=lambda x, y, number, whole: whole != 7)
    x, y = np.ones(3), np.ones(3)
    good = x, y, 0.5, 1
    for _ in range(2):
        assert fits(good) and fits((x, y, 1, 2**63 - 1)) and fits((x, y, 0.5, -2**63))
        for place, wrong in [(0, np.ones(4)), (0, np.ones((3, 1))), (1, np.ones(3, np.float32)), (1, np.ones(3, ">f8")),
                             (1, np.ma.ones(3)), (2, np.float32(1)), (2, 2**63), (2, None), (3, 1.0), (3, 2**63),
                             (3, -2**63 - 1), (3, 7)]:
            assert not fits((*good[:place], wrong, *good[place + 1:])), (place, wrong)
        assert not fits(good[:3]) and not fits((*good, 1))


@pytest.mark.parametrize("bias, fits", [(0, True), (1, True), (True, True), (2, False), (-1, False)])
def test_a_convolution_has_a_bias_or_none(bias, fits):
    x = np.ones((2, 4, 5, 3))
    assert convolution_by_weights.lets_in((x, np.ones((2, 4, 5, 2)), 3, 1, 1, bias)) == fits


def test_a_gate_remembers_no_more_than_it_has_room_for():
    fits = gate("(n) (n)")
    remembered = next(cell.cell_contents for cell in fits.__closure__ if type(cell.cell_contents) is set)
    for n in range(1, 300):
        assert fits((np.ones(n), np.ones(n))) and not fits((np.ones(n), np.ones(n + 1)))
        assert 1 <= len(remembered) <= 64


# ----------------------------------------------------------------------------------------------- hostile inputs

def other_arrays(x, random):
    """The array in other shapes and kinds, and with other numbers."""
    yield x[..., :-1].copy()
    yield x[:-1].copy()
    yield np.concatenate([x, x])
    yield x[None]
    yield x.ravel() if x.ndim > 1 else x[:, None]
    yield np.zeros((0, *x.shape[1:]), x.dtype)
    yield np.zeros((*x.shape[:-1], 0), x.dtype)
    yield x.reshape(-1)[:1].copy()
    yield np.array(x.reshape(-1)[0])
    yield x.T.copy()
    for kind in (np.float16, np.float32, np.longdouble, complex, np.int64, np.int16, bool):
        yield x.astype(kind)
    yield x.astype(x.dtype.newbyteorder())
    yield np.ma.masked_array(x, x > 0)
    yield x.tolist()
    yield None
    yield np.asfortranarray(np.repeat(x, 2, axis=0))[::2]
    if x.dtype.kind == "f":
        numbers = [np.nan, np.inf, -np.inf, -0.0, 1e300, 1e-320]
        if x.ndim == 2 and len(x) == x.shape[1]:
            numbers.remove(1e300)  # in a matrix of an equation that alone is seen: rounding decides what the rest is
        for number in numbers:
            changed = x.copy()
            changed.reshape(-1)[random.integers(x.size)] = number
            yield changed


def others(argument, random):
    if isinstance(argument, np.ndarray):
        return list(other_arrays(argument, random)) if argument.size else [None, np.ones(3)]
    if isinstance(argument, tuple) and argument and isinstance(argument[0], np.ndarray):
        return [argument[1:], argument + argument[:1], list(argument), (argument[0][:-1], *argument[1:]),
                (argument[0].astype(np.float32), *argument[1:]), (argument[0][:1], *argument[1:])]
    if isinstance(argument, tuple):
        return [argument[1:], (*argument, 1), (0, *argument[1:]), (-1, *argument[1:]),
                (*argument[:1], 3, *argument[2:]), tuple(map(float, argument)), list(argument), None]
    huge = [2**70] if isinstance(argument, float) else []  # so many steps would take their time
    return [-1, 0, 1, 2, 3, 2.5, np.nan, np.inf, -0.0, None, "1", 1j, *huge, np.float32(0.5), np.ones(1), np.array(2)]


def outcome(function, arguments):
    """(the arrays, None) or (None, the error)."""
    with np.errstate(all="ignore"):
        try:
            return arrays_of(function(*arguments)), None
        except Exception as error:
            return None, error


def test_every_kernel_of_every_module_is_tried():
    assert KERNELS and KERNELS <= {kernel.__name__ for kernel in Kernel.known} & CASES.keys()


@needs_numba
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", Kernel.known, ids=lambda kernel: kernel.__name__)
def test_whatever_it_is_given_a_twin_does_what_its_numpy_version_does_or_refuses(kernel, monkeypatch):
    random = np.random.default_rng(7)
    monkeypatch.setattr(kernel, "pays", lambda *arguments: True)
    cases = cases_of(CASES, kernel.__name__)
    tried = taken = 0
    for _ in range(60):
        arguments = list(cases[random.integers(len(cases))])
        place = random.integers(len(arguments))
        choices = others(arguments[place], random)
        arguments[place] = choices[random.integers(len(choices))]
        wanted, wrong = outcome(kernel.numpy, arguments)
        for function in (kernel, kernel.compiled):
            tried += 1
            found, error = outcome(function, arguments)
            if error is not None:
                assert isinstance(error, type(wrong)) if function is kernel else isinstance(error, ValueError), error
                continue
            assert wrong is None, f"took {', '.join(map(described, arguments))}, where NumPy says {wrong}"
            taken += function is not kernel
            for mine, other in zip(wanted, found, strict=True):
                assert mine.shape == other.shape and mine.dtype == other.dtype, arguments
                if mine.dtype.kind != "f":
                    assert_array_equal(other, mine)
                    continue
                finite = np.isfinite(mine)
                assert_array_equal(np.isfinite(other), finite)
                scale = np.abs(mine[finite]).max(initial=1.0)
                close = 1e4 * np.finfo(mine.dtype).eps
                assert_allclose(other[finite], mine[finite], rtol=close, atol=close * scale)
    assert tried == 120 and taken >= 6
