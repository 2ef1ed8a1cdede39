"""Table 1 of all methods, and the cards' columns about it, from what each loop says of its place: see numopt.view."""
import re

import numopt.optimizers
from numopt.view import cells, place

HEADS = "length limited", "curvature from", "structure", "over time"


def row(name):
    """{head: cell} of a method."""
    return dict(zip(HEADS, cells(place(getattr(numopt.optimizers, name)))))


def table(file=None):
    """One row for all methods that differ in no more than what they gather over time."""
    yield "method", "length limitation", "calculating", "structure", "iterative"
    yield ("---",) * 5
    together = {}
    for name in numopt.optimizers.__all__:
        *first, over_time = row(name).values()
        together.setdefault(tuple(first), {}).setdefault(over_time, []).append(f"`{name}`")
    for first, times in together.items():
        yield "; ".join(map(", ".join, times.values())), *first, "; ".join(time or "–" for time in times if any(times))


def card(text):
    """A card, of whose table the cells under HEADS are written, in the rows of methods."""
    return re.sub(r"^\|.*\|$(?:\n^\|.*\|$)+", lambda found: "\n".join(filled(found[0].splitlines())), text,
                  flags=re.MULTILINE)


def filled(lines):
    """The lines of a table, with the cells under HEADS in each row that begins with the name of a method."""
    heads = split(lines[0])
    if not set(HEADS) <= set(heads):
        raise ValueError(f"a card has the columns {', '.join(HEADS)}; here is {lines[0]}")
    for line in lines:
        old = split(line)
        name = old[0].strip("`")
        if old[0] == f"`{name}`" and name in numopt.optimizers.__all__:
            new = row(name)
            old = [new.get(head, cell) for head, cell in zip(heads, old, strict=True)]
            line = "| " + " | ".join(old) + " |"
        yield re.sub(r"\|  (?=\|)", "| ", line)


def split(line):
    return [cell.strip() for cell in line.strip("|").split("|")]
