"""What belongs to a lecture: its page, modules, methods, figures and exercises, each derived from where it stands.

A module or a figure says it at the end of the first or the last paragraph of its docstring: "Lecture 3." or
"Lectures 2 and 4."; the first of several is where the table has it.
"""
import ast
import re
from functools import cache

import numopt.optimizers
from lectures import quoting
from lectures.quoting import ROOT, docstring, to

BELONGS = re.compile(r"Lectures? ([\d, and]+)\.\s*$", re.MULTILINE)


def numbers(text):
    """The lectures that a docstring names; none if it names none."""
    found = BELONGS.search(text)
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else []


def belonging(*folders):
    """{number of a lecture: the files of these folders whose docstring names it first}."""
    there = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if not file.stem.startswith("_") and (named := numbers(docstring(file))):
                there.setdefault(named[0], []).append(file)
    return there


def methods():
    """{number of a lecture: the names of its optimizers, in the order of the registry}."""
    home = {file.stem: number for number, files in belonging("numopt/optimizers").items() for file in files}
    there = {}
    for name in numopt.optimizers.__all__:
        module = getattr(numopt.optimizers, name).__module__.rsplit(".")[-1]
        there.setdefault(home[module], []).append(name)
    return there


def quoted_methods(texts):
    """The names of what these pages quote of code, whole or as a difference."""
    return {name.rsplit(".")[-1] for text in texts for kind in ("code", "difference")
            for name in quoting.quoted(text, kind)}


def figures():
    """{number of a lecture: the names of its figures}."""
    there = {}
    for file in sorted((ROOT / "figures").glob("*.py")):
        if not file.stem.startswith("_"):
            there.setdefault(lectures_of(file.stem)[0], []).append(file.stem)
    return there


def lectures_of(figure):
    """The numbers of the lectures that a figure belongs to."""
    named = numbers(docstring(ROOT / "figures" / f"{figure}.py"))
    if not named:
        raise ValueError(f"the docstring of figures/{figure}.py must end with its lecture, as in 'Lecture 3.'")
    return named


def exercises(text):
    """The numbers of a lecture's exercises."""
    return re.findall(r"^\*\*(\d+\.\d+)\*\*", text, re.MULTILINE)


def title(text):
    """(number, title) of a lecture."""
    found = re.match(r"# (\d+) (.+)\n", text)
    if not found:
        raise ValueError("a lecture begins with a line '# N Title'")
    return int(found[1]), found[2]


def pages():
    """{number: file} of the lectures that there are."""
    return {int(file.name[:2]): file for file in quoting.files()}


def table(file):
    """The reading table, row by row, for the page that it stands on."""
    yield "lecture", "module", "methods", "figures", "exercises"
    yield ("---",) * 5
    yield from rows(file)


def rows(file):
    """Its rows, without the head."""
    there, modules, named, drawn = pages(), belonging("numopt", "data_scripts"), methods(), figures()
    for number in sorted(there.keys() | modules.keys() | named.keys() | drawn.keys()):
        first, last = f"{number}", ""
        if number in there:
            text = there[number].read_text(encoding="utf-8")
            page, asked = to(f"lectures/{there[number].name}", file), exercises(text)
            first = f"[{number} {title(text)[1]}]({page})"
            last = f"[{asked[0]} to {asked[-1]}]({page}#exercises)" if asked else ""
        yield (first, ", ".join(linked(module, file) for module in modules.get(number, [])),
               ", ".join(named.get(number, [])),
               ", ".join(f"[{name}]({to(f'figures/{name}.py', file)})" for name in drawn.get(number, [])), last)


def linked(module, file):
    place = module.relative_to(ROOT).as_posix()
    return f"[{module.stem}]({to(place, file)})"


def tests(file):
    """The names of all tests in a file; none if there is no such file."""
    if not file.exists():
        return set()
    return functions(file.read_text(encoding="utf-8"))


@cache
def functions(source):
    """The names of all tests in a source."""
    return {node.name for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def notation():
    """The table of notation.md, a dictionary a row: {"letter": r"$\theta$", "in code": "`theta`", "Ravaut": "$w$"}."""
    lines = (quoting.HERE / "notation.md").read_text(encoding="utf-8").splitlines()
    heads, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return [dict(zip(heads, row)) for row in rows]
