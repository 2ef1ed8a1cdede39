"""How neural networks are optimized, in plain NumPy.

    from numopt.optimizers import adam
    from numopt.problems import Rosenbrock
    from numopt.record import path

    path(adam(Rosenbrock(), [-1.2, 1.0], lr=0.05), steps=500)[-1]

Read `optimizer.py` for what an optimizer is, `problems/objective.py` for what it may ask of a problem, and then any
file of `optimizers/` beside its lecture.
"""
import sys
from difflib import get_close_matches
from importlib import import_module
from opcode import opmap
from pathlib import Path

__version__ = "0.1.0"


def unknown(package, name, names, synonyms={}):
    """The exception for a name that a package does not have, with the names that may have been meant.

    It is asked for by the package's __getattr__.  Where that is asked by an import, an AttributeError would be replaced
    by Python's bare message.
    """
    plain = {other.lower().replace("_", ""): other for other in names}
    wanted = name.lower().replace("_", "")
    meant = synonyms.get(wanted) or plain.get(wanted)
    near = [meant] if meant else [plain[key] for key in get_close_matches(wanted, plain)] or sorted(names)
    message = f"{package} has no {name!r}; there is {', '.join(near)}"
    frame = sys._getframe(2)
    imports = opmap["IMPORT_FROM"] == frame.f_code.co_code[frame.f_lasti]
    return ImportError(message, name=name) if imports else AttributeError(message, name=name)


def handed_on(package, folder):
    """__getattr__ and __dir__ of a package handing on the public names of its modules, each read when it is needed."""
    modules = sorted(entry.name.removesuffix(".py") for entry in Path(folder).iterdir()
                     if entry.suffix == ".py" or (entry / "__init__.py").exists())
    modules = [name for name in modules if not name.startswith("_")]

    def public(module):
        """What is defined there: functions, classes, and constants in capitals."""
        module = import_module(f"{package}.{module}")
        return {name: value for name, value in vars(module).items() if not name.startswith("_")
                and (getattr(value, "__module__", None) == module.__name__
                     or name.isupper() and not hasattr(value, "__module__"))}

    def names():
        return sorted({*modules, *(name for module in modules for name in public(module))})

    def handed(name):
        if name == "__all__":
            return names()
        if name.startswith("_"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if name in modules:
            return import_module(f"{package}.{name}")
        for module in modules:
            if name in (found := public(module)):
                setattr(sys.modules[package], name, found[name])  # so that it is looked for only once
                return found[name]
        raise unknown(package, name, names())

    return handed, names


def __getattr__(name):
    """numopt.optimizers, numopt.problems and the others, without an import of their own."""
    rooms = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    rooms += sorted(file.parent.name for file in Path(__file__).parent.glob("*/__init__.py"))
    if name in rooms:
        return import_module(f"numopt.{name}")
    raise unknown("numopt", name, rooms)
