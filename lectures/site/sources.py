"""Source files as pages with numbered lines, and the API from the docstrings."""
import ast
import html
from functools import cache
from importlib import import_module
from pathlib import Path

from lectures.quoting import ROOT

API = "optimizer", "optimizers", "problems", "networks", "linalg", "kernels", "line_search", "schedules", "record", \
    "check", "data", "interop"


def page(file):
    """A module, a script or a test as a page; its line number n is #L-n. It stands in no menu, which all pages have."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
    text = (ROOT / file).read_text(encoding="utf-8")
    how = HtmlFormatter(lineanchors="L", anchorlinenos=True, linenos="inline", cssclass="highlight source")
    return f"---\norphan: true\n---\n# {file}\n\n```{{raw}} html\n{highlight(text, PythonLexer(), how)}\n```\n"


def listed(files):
    """The page that leads to all sources, folder by folder."""
    folders = {}
    for file in sorted(files):
        folders.setdefault(str(Path(file).parent), []).append(f"- [{Path(file).name}](/source/{file}.md)")
    lines = ["# Files that the lectures speak of", ""]
    for folder in sorted(folders):
        lines += [f"## {folder}", "", *folders[folder], ""]
    return "\n".join(lines) + "\n"


def overview():
    """The page that leads to all modules of the package, each with the first sentence of its docstring."""
    lines = ["# The package", "", "| module | what it is about |", "|---|---|"]
    for module in modules():
        told = ast.get_docstring(ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))) or ""
        first = " ".join(told.split("\n\n")[0].split()).replace("|", "\\|")
        lines.append(f"| [{module}](/api/{module}.md) | {html.escape(first)} |")
    return "\n".join(lines) + "\n"


def line_of(file, name):
    """Where a function or a class of that name begins in a file; 1 if it is nowhere."""
    return begun(file).get(name, 1)


@cache
def begun(file):
    """{name: the line on which the first of that name begins}."""
    nodes = list(ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))))
    return {node.name: node.lineno for node in reversed(nodes) if getattr(node, "name", None)}


def modules():
    """The modules of the package that the API tells of, one after the other."""
    for name in API:
        place = ROOT / "numopt" / name
        files = [place.with_suffix(".py")] if not place.is_dir() else sorted(place.glob("[!_]*.py"))
        yield from (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files if file.exists())


def api(module):
    """What a module offers: its docstring, and those of its functions, classes and methods, as they are written."""
    source = Path(import_module(module).__file__).read_text(encoding="utf-8")
    tree, file = ast.parse(source), f"{module.replace('.', '/')}.py"
    lines = ["---", "orphan: true", "---", f"# {module}", "", docstring(tree), "", f"[source](/source/{file}.md)", ""]
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            lines += entry(node, "##")
            lines += [line for inner in node.body if isinstance(node, ast.ClassDef)
                      and isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                      and ast.get_docstring(inner) for line in entry(inner, "###")]
    return "\n".join(lines) + "\n"


def entry(node, level):
    kind = "class " if isinstance(node, ast.ClassDef) else ""
    return [f"{level} {node.name}", "", "```python", kind + signature(node), "```", "", docstring(node), ""]


def signature(node):
    if isinstance(node, ast.FunctionDef):
        return f"{node.name}({ast.unparse(node.args)})"
    start = next((inner for inner in node.body if getattr(inner, "name", "") == "__init__"), None)
    arguments = ast.unparse(start.args).removeprefix("self").lstrip(", ") if start else ""
    return f"{node.name}({arguments})"


def docstring(node):
    text = html.escape(ast.get_docstring(node) or "")
    return f"```{{raw}} html\n<div class=\"docstring\">{text}</div>\n```" if text else ""
