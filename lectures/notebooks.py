"""A lecture as a notebook whose cells run and can be changed: the place to edit a loop and see its picture change.

    use(momentum)       the function of the cell above in place of the package's, wherever that has been imported to
    show("momentum")    a figure, computed anew by what is in use; keywords are its parameters

Prose becomes cells of prose, a quoted loop a cell that defines it and puts it to use, a figure a cell that draws it.
Cells have ids of their own, so that two writings of a lecture are equal.
"""
import ast
import json
import re
import sys
from importlib import import_module

from lectures import quoting
from lectures.quoting import QUOTATION


def use(function, name=None):
    """Put a function in place of the package's own of that name, or of "Dense.backward", everywhere."""
    function = getattr(function, "numpy", function)
    module, path = name.rsplit(":", 1) if name and ":" in name else (function.__module__, name or function.__name__)
    holder = import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        holder = getattr(holder, part)
    before = getattr(holder, last)
    setattr(holder, last, function)
    for other in [other for key, other in sys.modules.items() if key.partition(".")[0] in ("numopt", "figures")]:
        for known in [known for known, value in list(vars(other).items()) if value is before]:
            setattr(other, known, function)
    return function


def show(name, **parameters):
    """Draw a figure from what is in use now."""
    import figures
    script = figures.load(name)
    with figures.drawing():
        figure = script.draw(**script.compute(**parameters))
        from IPython.display import Image, display
        from io import BytesIO
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=90)
        display(Image(picture.getvalue()))


def notebook(file):
    """The text of a lecture's notebook."""
    text, cells, end = file.read_text(encoding="utf-8"), [], 0
    cells.append(cell("code", OPENING, "opening"))
    for number, found in enumerate(QUOTATION.finditer(text)):
        if found[2] in ("code", "figure"):
            prose(cells, text[end:found.start()], number)
            body = defined(found[3]) if found[2] == "code" else f'show("{found[3]}")'
            cells.append(cell("code", body, f"{found[2]}-{number}"))
            end = found.end()
    prose(cells, text[end:], "end")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
                       "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


OPENING = """# Run this first. Then change a loop below, run its cell, and draw its picture again.
from lectures.notebooks import show, use"""


def prose(cells, text, number):
    """The words between two cells, without markers, and with links that lead to where the repository is."""
    text = re.sub(r"<!-- [^>]* -->", "", text).strip("\n")
    text = re.sub(r"(!?\[[^\]]*\]\()\.\./", r"\1../", text)
    if text:
        cells.append(cell("markdown", text, f"words-{number}"))


def cell(kind, text, identity):
    extra = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": identity, "metadata": {}, "source": text.splitlines(keepends=True)} | extra


def defined(name):
    """A cell that defines what is quoted, from its module's own names, and puts it to use."""
    source, node = quoting.located(name)
    module, path = home(name)
    tree, text = ast.parse(source), quoting.definition(name)
    text = re.sub(r"(?m)^@(kernel|twin_of)\(.*\)\n", "", text)
    there = {part.id for top in tree.body for part in ast.walk(top) if isinstance(part, ast.Name)} | {
        alias.asname or alias.name.split(".")[0] for top in tree.body for alias in getattr(top, "names", [])} | {
        top.name for top in tree.body if hasattr(top, "name")}
    used = {part.id for part in ast.walk(ast.parse(text)) if isinstance(part, ast.Name)}
    exact = vars(import_module(module))
    names = sorted(name for name in used & there if name in exact and name != node.name)
    lines = [f"from {module} import {', '.join(names)}", ""] if names else []
    return "\n".join([*lines, text, "", f'use({node.name}, "{module}:{path}")'])


def home(name):
    """(module, path in it) of a quoted name."""
    source, node = quoting.located(name)
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:split])
        if quoting.source_of(module) == source:
            return module, ".".join(parts[split:])
    value = import_module(".".join(parts[:-1]))
    return getattr(value, parts[-1]).__module__, parts[-1]


def lecture(number):
    """The file of the lecture of that number, "03" or 3."""
    found = [file for file in quoting.files() if str(number).isdecimal() and file.name[:2] == f"{int(number):02}"]
    if not found:
        there = ", ".join(file.name[:2] for file in quoting.files())
        raise ValueError(f"there is no lecture {number!r}; there is {there}")
    return found[0]
