"""Wrong answers are caught: with each of the mistakes that test files list, the ordinary test named beside it fails.

A test file may end with a table MISTAKES of what people get wrong in its module: (function, what is wrong, the right
text, the wrong text, name of a test).  A mistake marked * was found in teaching code or in a published package, one
marked † in a paper or in lecture notes; the others are slips that are easily made.  The function may stand in another
module, "figures.zigzag::compute", and the test in another file, "networks.test_layers::test_...".

The wrong version is compiled from the source of its module, in which the right text is exchanged, and its code takes
the place of the function's own: so it runs wherever the function has been imported to, and afterwards the right one is
put back.  The test is called here as it is, and has to fail by what it finds: a TypeError or NameError would only say
that the wrong text makes no sense, and is an error of the table.  A test that takes a fixture cannot be named.
"""
import inspect
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import numopt.networks
import numopt.optimizers
from numopt.kernels.twins import Kernel, started
from tests.draws import afresh

TESTS = Path(__file__).parent
NONSENSE = TypeError, NameError, AttributeError, LookupError, SyntaxError


def listed(tests=TESTS):
    """(module, function, what is wrong, right, wrong, test function's full name) of every mistake in these tests."""
    for file in sorted(tests.rglob("test_*.py")):
        if "\nMISTAKES = [\n" in file.read_text(encoding="utf-8"):
            place = file.relative_to(tests).with_suffix("").parts
            own = ".".join(["numopt", *place[:-1], place[-1].removeprefix("test_")])
            for function, what, right, wrong, test in import_module(".".join([tests.name, *place])).MISTAKES:
                module, _, function = function.rpartition("::")
                other, _, test = test.rpartition("::")
                yield module or own, function, what, right, wrong, f"{other or '.'.join(place)}::{test}"


MISTAKES = list(listed())


def found(namespace, name):
    """What has that name among these: "adam", "SquaredError.values", "FORMULAS.fletcher_reeves"."""
    for part in name.split("."):
        namespace = namespace[part] if isinstance(namespace, dict) else getattr(namespace, part)
    return inspect.unwrap(getattr(namespace, "numpy", namespace))  # of a kernel the version that is to be read


def wrong_version(module, name, right, wrong):
    """The function of that name, of a module in which it has the wrong text in place of the right one."""
    lines, start = inspect.getsourcelines(found(vars(module), name))
    text = "".join(lines)
    assert text.count(right) == 1, (f"{right!r} stands {text.count(right)} times in {name}, and must stand there once: "
                                    "bring the table of mistakes up to date")
    before_and_after = inspect.getsource(module).splitlines(keepends=True)
    source = "".join([*before_and_after[:start - 1], text.replace(right, wrong),
                      *before_and_after[start - 1 + len(lines):]])
    return found(executed(source, module.__file__, module.__name__), name)


def executed(source, file, name):
    """What a module of that name has in it after its source has run; its kernels are none of the package's."""
    namespace, known = {"__name__": name}, (Kernel.known[:], Kernel.uncompiled[:])
    exec(compile(source, file, "exec"), namespace)
    Kernel.known[:], Kernel.uncompiled[:] = known
    return namespace


def put_in_place(monkeypatch, function, other):
    """The other function's code where this one's is; monkeypatch puts it back."""
    for part in ("__code__", "__defaults__", "__kwdefaults__"):
        monkeypatch.setattr(function, part, getattr(other, part))


def ordinary_test(name):
    """The test function of that name: "networks.test_layers::test_..."."""
    file, function = name.split("::")
    return getattr(import_module(f"tests.{file}"), function)


def cases(test):
    """The arguments of a test function, as its parametrize marks give them: one dictionary a case."""
    choices = []
    for names, values in (mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"):
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
        choices.append([dict(zip(names, getattr(value, "values", value) if len(names) > 1 else
                                 getattr(value, "values", [value]))) for value in values])
    return [{name: value for choice in case for name, value in choice.items()} for case in product(*choices)]


def failure(test, arguments):
    """What the test raises with these arguments; None if it passes."""
    afresh(inspect.getmodule(test))
    try:
        test(**arguments)
    except NONSENSE:
        raise
    except (Exception, pytest.fail.Exception) as error:
        return error
    return None


def failing(test, function=""):
    """The number of a case of the test that fails, looked for first where the function is named; None if all pass."""
    known = cases(test)
    order = sorted(range(len(known)), key=lambda i: not any(str(value) == function for value in known[i].values()))
    return next((i for i in order if failure(test, known[i]) is not None), None)


@cache
def passes(test, case):
    return failure(test, cases(test)[case]) is None


def is_noticed(module, function, right, wrong, test):
    """The test fails with the mistake, and passes without it in the case in which it failed."""
    with pytest.MonkeyPatch.context() as monkeypatch, np.errstate():  # which a wrong version may have changed
        put_in_place(monkeypatch, found(vars(module), function), wrong_version(module, function, right, wrong))
        case = failing(test, function)
    assert case is not None, f"{test.__name__} passes all the same"
    assert passes(test, case), "it fails without the mistake"


@pytest.mark.parametrize("module, function, right, wrong, test", [
    pytest.param(module, function, right, wrong, test, id=f"{function}: {what.lstrip('*† ')}")
    for module, function, what, right, wrong, test in MISTAKES])
def test_this_mistake_would_be_noticed(module, function, right, wrong, test):
    if function.endswith(".compilable") and not started():
        pytest.skip("without the compiler no product is compiled")
    is_noticed(import_module(module), function, right, wrong, ordinary_test(test))


# --------------------------------------------------------------------------------------------- about the tables

def test_of_every_optimizer_there_is_a_wrong_version():
    assert set(numopt.optimizers.__all__) <= {function for module, function, *_ in MISTAKES
                                              if module.startswith("numopt.optimizers.")}


def test_tables_are_found_wherever_they_stand(tmp_path, monkeypatch):
    (tmp_path / "some_tests" / "room").mkdir(parents=True)
    (tmp_path / "some_tests" / "test_a.py").write_text('\nMISTAKES = [\n("f", "so", "1", "2", "test_f")]\n')
    (tmp_path / "some_tests" / "room" / "test_b.py").write_text(
        '\nMISTAKES = [\n("g", "so", "1", "2", "test_a::test_g"),\n("figures.it::f", "so", "3", "4", "test_h")]\n')
    (tmp_path / "some_tests" / "room" / "test_c.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(listed(tmp_path / "some_tests")) == [
        ("numopt.room.b", "g", "so", "1", "2", "test_a::test_g"),
        ("figures.it", "f", "so", "3", "4", "room.test_b::test_h"),
        ("numopt.a", "f", "so", "1", "2", "test_a::test_f")]


def test_no_mistake_is_listed_twice():
    changes = [(module, function, right, wrong) for module, function, _, right, wrong, _ in MISTAKES]
    assert len(set(changes)) == len(changes)


# -------------------------------------------------------------------------------------- about what is done with them

def test_a_wrong_version_runs_wherever_the_function_was_imported_to_and_then_no_longer():
    module, imported, even = import_module("numopt.networks.losses"), numopt.networks.losses.softmax, np.zeros((1, 2))
    with pytest.MonkeyPatch.context() as monkeypatch:
        put_in_place(monkeypatch, imported, wrong_version(module, "softmax", "return p", "return 2 * p"))
        assert numopt.networks.losses.softmax is imported and imported(even).sum() == 2
    assert imported(even).sum() == 1


@pytest.mark.parametrize("right", ["lr(t) * m_hat * 7", "theta"])
def test_a_text_that_does_not_stand_there_exactly_once_is_an_error(right):
    with pytest.raises(AssertionError, match="bring the table of mistakes up to date"):
        wrong_version(import_module("numopt.optimizers.adaptive"), "adam", right, "0")


def test_a_mistake_that_makes_no_sense_is_an_error_and_no_failure():
    def unknown():
        return undefined  # noqa: F821

    with pytest.raises(NameError):
        failing(unknown)


@pytest.mark.parametrize("wrong, holds, why", [
    ("return 2 * p", lambda p: p.sum() < 9, "passes all the same"),
    ("return  p", lambda p: p.sum() == 1, "passes all the same"),
    ("return 2 * p", lambda p: p.sum() > 9, "it fails without the mistake"),
    ("return 2 * p", lambda p: p.sum() == 1, None)])
def test_a_mistake_is_noticed_by_what_fails_with_it_and_passes_without(wrong, holds, why):
    def it_holds():
        assert holds(numopt.networks.losses.softmax(np.zeros((1, 2))))

    with pytest.raises(AssertionError, match=why) if why else nullcontext():
        is_noticed(import_module("numopt.networks.losses"), "softmax", "return p", wrong, it_holds)


def test_all_cases_of_a_test_are_tried():
    seen = []

    @pytest.mark.parametrize("a, b", [(1, 2), pytest.param(3, 4, id="last")])
    @pytest.mark.parametrize("c", [5, (6, 7)])
    def several(a, b, c):
        seen.append((a, b, c))
        assert c == 5 or b == 2

    number = failing(several)
    assert len(cases(several)) == 4 and (1, 2, 5) in seen and seen[-1] == (3, 4, (6, 7))
    assert cases(several)[number] == {"a": 3, "b": 4, "c": (6, 7)}
    assert [passes(several, i) for i in range(4)] == [i != number for i in range(4)]


def test_the_cases_that_are_about_the_function_come_first():
    tried = []

    @pytest.mark.parametrize("name", ["adam", "shampoo", "sgd"])
    def each(name):
        tried.append(name)

    assert failing(each, "shampoo") is None and tried == ["shampoo", "adam", "sgd"]
