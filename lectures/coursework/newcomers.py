"""Methods that nobody has named in an assignment, and whose loops would show its answers.

An assignment says in ALSO what goes with its answers.  A method that came into the package later stands in no such
list; if a line of an answer is a line of its loop, the loop is taken out of what students get as well.
"""
import ast
from collections import Counter
from functools import cache
from pathlib import Path

import numopt.optimizers
from lectures.coursework.blanks import answer, blanked, found, packed

ROOT = Path(__file__).parents[2]
FLOW = "for", "if", "else", "elif", "while", "return", "def", "raise"
LEAST = 18  # an answer's line is recognised by so many characters, blanks apart


def with_newcomers(taken, known):
    """{module: names} of ALSO and BLANKS together, as `taken`: and the newcomers that show one of their lines."""
    lines = telling(taken, known)
    more = {module: list(names) for module, names in taken.items()}
    for name in numopt.optimizers.__all__:
        module = getattr(numopt.optimizers, name).__module__
        if name not in more.get(module, []) and not lines.isdisjoint(loop_lines(module, name)):
            more.setdefault(module, []).append(name)
    return more


def telling(taken, known):
    """The lines of what is taken out, but for those that are known, or stand in three files that stay."""
    gone, stay = set(), Counter()
    for file in (ROOT / "numopt").rglob("*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        before = packed_lines(text := source(module))
        after = packed_lines(blanked(text, taken[module])) if module in taken else before
        gone |= before - after
        stay.update(after)
    return {line for line in gone if len(line) >= LEAST and not line.startswith(FLOW) and stay[line] < 3} - {
        packed(line) for line in known}


@cache
def loop_lines(module, name):
    """The lines of the body of a loop, blanks apart."""
    text = source(module)
    body, _ = answer(found(ast.parse(text), name))
    return frozenset(packed_lines("\n".join(text.splitlines()[body[0].lineno - 1:body[-1].end_lineno])))


@cache
def source(module):
    return (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def packed_lines(text):
    return set(map(packed, text.splitlines()))
