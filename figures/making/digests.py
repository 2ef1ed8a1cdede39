"""A digest of the code that something was made with: of a function, and of all of ours that it calls by name.

    digest(train, adam, mlp)       sixteen letters; others, where a line of one of them has been changed

Followed are the names in the source: a function, a class, a constant of the module, or one that is imported from
another module of ours.  Docstrings, comments, line breaks and the words of an error do not count, nor what else stands
in a module.  Of a kernel the NumPy version counts: its twin agrees with it to rounding, and has tests of its own.
"""
import ast
import hashlib
import inspect
import os
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

OURS = "numopt", "figures", "data_scripts"


def digest(*things):
    """Of functions and classes; of a partial, that of its function."""
    texts = {}
    for thing in map(bare, things):
        follow(thing.__module__, inspect.unwrap(thing).__name__, texts)
    whole = "\n".join(f"{module}.{name}\n{text}" for (module, name), text in sorted(texts.items()))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def bare(thing):
    """The function of a partial, of which that of another run may be one as well."""
    while isinstance(thing, partial):
        thing = thing.func
    return thing


def follow(module, name, texts):
    """Add to `texts` the source of a name of a module, and of all that it names."""
    if module.split(".")[0] not in OURS or (module, name) in texts:
        return
    file = import_module(module).__file__
    node = defined(file, os.stat(file).st_mtime_ns).get(name)
    if node is None:
        return
    if isinstance(node, ast.ImportFrom):
        original = next(alias.name for alias in node.names if name in (alias.asname, alias.name))
        value = getattr(import_module(node.module), original, None)
        if not isinstance(value, ModuleType):
            follow(getattr(value, "__module__", None) or node.module, original, texts)
        return
    texts[module, name] = ast.unparse(node)
    for used, attribute in sorted(named(node)):
        value = getattr(import_module(module), used, None)
        if isinstance(value, ModuleType):
            follow(value.__name__, attribute, texts)
        else:
            follow(module, used, texts)


@cache
def defined(file, changed):
    """{name: its definition} of the top level of a module, without docstrings; `changed` is when the file last was."""
    found = {}
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = Plain().visit(node)
        elif isinstance(node, ast.Assign):
            targets = (name for target in node.targets for name in ast.walk(target))
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
    return found


class Plain(ast.NodeTransformer):
    """Takes the docstrings away, and what an error says."""

    def visit_Raise(self, node):
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.copy_location(ast.Raise(error, None), node)

    def generic_visit(self, node):
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def named(node):
    """The names in a piece of source, each with what stands behind its dot, or the empty text."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            yield part.value.id, part.attr
        elif isinstance(part, ast.Name):
            yield part.id, ""
