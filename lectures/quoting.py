"""Quotations: what stands between two markers is written by a program, from the code, the figures and the records."""
import ast
import difflib
import re
import textwrap
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parent
README = ROOT / "README.md"
KINDS = "card|code|difference|figure|number|runs|table"
QUOTATION = re.compile(rf"(<!-- ({KINDS}): ([^>]+?) -->)(.*?)(<!-- end -->)", re.DOTALL)

REDUCTIONS = {
    "first": lambda x: x[..., 0], "last": lambda x: x[..., -1],
    "least": np.min, "most": np.max, "mean": np.mean, "median": np.median, "size": np.size,
    "percent": lambda x: 100 * x,
}


def files():
    """The lectures that there are, in order."""
    return sorted(HERE.glob("[0-9][0-9]-*.md"))


def pages():
    """Every page with quotations."""
    return [*sorted(HERE.glob("*.md")), *sorted((HERE / "solutions").glob("*.md")), README]


def rewritten(file, text=None):
    """The text of a page with every quotation brought up to date; ValueError, with its name, where one cannot be."""
    text = file.read_text(encoding="utf-8") if text is None else text
    opened = len(re.findall(rf"<!-- (?:{KINDS}): ", text))
    if opened != len(QUOTATION.findall(text)) or opened != text.count("<!-- end -->"):
        raise ValueError(f"{file.name}: a marker is not closed by <!-- end -->, or closed twice")
    try:
        return QUOTATION.sub(lambda found: found[1] + QUOTED[found[2]](*quoted_as(found), file) + found[5], text)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


def quoted_as(found):
    """What a quotation is written from: its name, and of a card, whose own cells stay, what stands there."""
    return (found[3], found[4]) if found[2] == "card" else (found[3],)


def quoted(text, kind):
    """The names that a text quotes of "code", "difference", "figure", "number" or "table"."""
    return [name for _, found, name, *_ in QUOTATION.findall(text) if found == kind]


# ---------------------------------------------------------------------------------------------------------- code

def code(name, file=None):
    """A definition without its docstring, as a Markdown block."""
    return f"\n```python\n{definition(name)}\n```\n"


def definition(name):
    """The source of a function, class or method without its docstring; its name begins with that of a module."""
    source, node = located(name)
    shown = [decorator for decorator in node.decorator_list if not ast.unparse(decorator).startswith("kernel(")]
    start = min([node.lineno, *(decorator.lineno for decorator in shown)])  # of what form its arguments are: no reader
    lines = source.splitlines()[start - 1:node.end_lineno]
    for part in [node, *(inner for inner in node.body if hasattr(inner, "body"))]:
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(part) and len(part.body) > 1:
            text = part.body[0]
            lines[text.lineno - start:text.end_lineno - start + 1] = [None] * (text.end_lineno - text.lineno + 1)
    kept = [line for line in lines if line is not None]
    return re.sub(r"(class [^\n]*:)\n\n", r"\1\n", textwrap.dedent("\n".join(kept)))


def difference(names, file=None):
    """The lines that one definition has otherwise than another, "one to other", as a Markdown block: - and +."""
    one, separator, other = names.partition(" to ")
    if not separator:
        raise ValueError(f"a difference is named by 'one to other', and not by {names!r}")
    lines = difflib.unified_diff(definition(one).splitlines(), definition(other).splitlines(), n=0, lineterm="")
    changed = [line[0] + " " + line[1:] for line in list(lines)[2:] if not line.startswith("@@")]
    if not changed:
        raise ValueError(f"there is no difference from {one} to {other}")
    return "\n```diff\n" + "\n".join(changed) + "\n```\n"


def located(name):
    """(source, definition) of a dotted name, in the module that holds it, even where a package hands it on."""
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module, path = ".".join(parts[:split]), parts[split:]
        source = source_of(module)
        if source is None:
            continue
        node = within(parsed(source), path)
        if node is None:
            home = getattr(getattr(import_module(module), path[0], None), "__module__", None)
            if home not in (None, module) and source_of(home) is not None:
                source = source_of(home)
                node = within(parsed(source), path)
        if node is not None:
            return source, node
    raise ValueError(f"there is no definition {name!r} to quote")


parsed = cache(ast.parse)


@cache
def source_of(module):
    """The text of a module; None if there is no such module."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else None


def within(tree, path):
    """The definition that a path of names leads to; None if it leads nowhere."""
    for name in path:
        tree = next((node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                     and node.name == name), None)
        if tree is None:
            return None
    return tree


# ------------------------------------------------------------------------------------------- figures and numbers

def to(target, file):
    """The relative link from a page to a file of the repository."""
    up = len(file.relative_to(ROOT).parts) - 1
    return "../" * up + target


def figure(name, file):
    """A figure with its caption, which is the first line of its script."""
    caption = docstring(ROOT / "figures" / f"{name}.py").split("\n")[0]
    picture, script = to(f"figures/rendered/{name}.png", file), to(f"figures/{name}.py", file)
    return f"\n![{caption}]({picture})\n\n*{caption}* ([script]({script}))\n"


@cache
def docstring(file):
    if not file.exists():
        raise ValueError(f"there is no {file.relative_to(ROOT)} to quote")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def number(words, file=None):
    """A number from a record: "record; run; array; what to do with it; format"."""
    parts = [part.strip() for part in words.split(";")]
    if len(parts) != 5:
        raise ValueError(f"a number is named by record; run; array; words; format, and not by {words!r}")
    name, pattern, array, reductions, form = parts
    x = stacked(name, pattern, array)
    for word in reductions.split():
        if word not in REDUCTIONS:
            raise ValueError(f"{words!r}: {word!r} is not one of {', '.join(REDUCTIONS)}")
        x = REDUCTIONS[word](x)
    if np.size(x) != 1:
        raise ValueError(f"{words!r} is not one number but an array of shape {np.shape(x)}")
    return format(np.asarray(x).item(), form)


def stacked(name, pattern, array):
    """The arrays of all runs of a record that a pattern fits, one under the other; or of the run of that very name."""
    if not (ROOT / "figures" / "records" / f"{name}.npz").exists():
        raise ValueError(f"there is no record {name!r} to quote")
    record = loaded(name)
    runs = record.get("runs", record)
    chosen = [runs[run] for run in runs if fnmatchcase(run, pattern)] if pattern not in runs else [runs[pattern]]
    if not chosen:
        raise ValueError(f"no run of the record {name!r} is called {pattern!r}; there is {', '.join(list(runs)[:8])}")
    try:
        return np.stack([np.asarray(run[array] if array else run) for run in chosen])
    except (KeyError, TypeError, IndexError):
        raise ValueError(f"{name!r}, {pattern!r} has no array {array!r}") from None


@cache
def loaded(name):
    from figures.making.records import read
    return read(ROOT / "figures" / "records" / f"{name}.npz")


def table(name, file):
    """A table that is written by what it is about: "reading", that of the README, or "unified", that of lecture 9."""
    from lectures import reading, unified
    tables = {"reading": reading.table, "unified": unified.table}
    if name not in tables:
        raise ValueError(f"there is no table {name!r}; there is {', '.join(map(repr, tables))}")
    return "\n" + "\n".join("| " + " | ".join(row) + " |" for row in tables[name](file)) + "\n"


def card(lecture, text, file=None):
    """The card of a lecture, whose columns about length and curvature are what the loops say of themselves."""
    from lectures import unified
    return unified.card(text)


def runs(words, file=None):
    """What the runs of an experiment came to, as a table: "record; set, so many images", and methods, if not all."""
    from data_scripts.comparing import lines
    parts = [part.strip() for part in words.split(";")]
    if len(parts) < 2:
        raise ValueError(f"runs are named by record; set; methods, and not by {words!r}")
    name, where, *methods = parts
    if not (ROOT / "figures" / "records" / f"{name}.npz").exists():
        raise ValueError(f"there is no record {name!r} to quote")
    return "\n" + "\n".join(lines(name, where, methods or None, loaded(name))) + "\n"


QUOTED = {"card": card, "code": code, "difference": difference, "figure": figure, "number": number, "runs": runs,
          "table": table}
