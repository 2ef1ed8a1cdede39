"""What can be changed in a figure: the keywords of its compute(), as --set NAME=VALUE gives them."""
import inspect
from ast import literal_eval
from difflib import get_close_matches
from math import isfinite
from numbers import Real


def parameters(script):
    """{name: default} of a figure, in the order of its compute()."""
    return {name: parameter.default for name, parameter in inspect.signature(script.compute).parameters.items()}


def spelt(value):
    """A value as it is written behind --set."""
    if isinstance(value, range):
        value = tuple(value)
    return ",".join(map(spelt, value)) if isinstance(value, tuple | list) else f"{value}"


def listed(known):
    return ", ".join(f"{name}={spelt(default)}" for name, default in known.items()) or "no parameters"


def asked(name, script, settings):
    """The keywords for compute() of what --set says, without those that are as usual; ValueError with the reason."""
    known, changed = parameters(script), {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key or not text:
            raise ValueError(f"--set takes NAME=VALUE, and not {setting!r}; {name} has {listed(known)}")
        if key not in known:
            near = get_close_matches(key, known, 1)
            raise ValueError(f"{name} has no parameter {key!r}" + (f"; do you mean {near[0]}?" if near else "")
                             + f"; it has {listed(known)}")
        changed[key] = like(known[key], text, f"{name}: {key}")
    return {key: changed[key] for key in known if key in changed and spelt(changed[key]) != spelt(known[key])}


def like(default, text, what):
    """The text as a value of the kind of the default."""
    if isinstance(default, str):
        return text
    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    usual = f"{what} must be {kind(default)}, as {spelt(default)} is, and not {text!r}"
    if isinstance(default, tuple | list | range):
        value = tuple(value) if isinstance(value, tuple | list) else (value,)
        if not value or not all(fits(default[0], entry) for entry in value):
            raise ValueError(usual)
        return tuple(type(default[0])(entry) for entry in value)
    if not fits(default, value):
        raise ValueError(usual)
    return type(default)(value)


def fits(default, value):
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= min(default, 1)
    if isinstance(default, Real):
        return isinstance(value, Real) and isfinite(value)
    return isinstance(value, type(default))


def kind(default):
    if isinstance(default, tuple | list | range):
        return f"{kind(default[0])}, or several with commas between"
    if isinstance(default, bool):
        return "True or False"
    if isinstance(default, int):
        return "a whole number" + (f" of at least {min(default, 1)}" if default >= 0 else "")
    return "a finite number"


def file_name(name, changed, *forms):
    """The name of the picture's file: of its own for other parameters, and for other forms, such as a dark ground."""
    return "-".join([name, *(f"{key}={spelt(value)}" for key, value in changed.items()), *forms])
