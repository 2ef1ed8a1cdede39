"""A method that no lecture quotes yet, put into that of its family: its loop, and its row of the card.

    ## Also in this family                      before the card, written the first time that it is needed

    **`adamax`.** Its idea, and its source, as the docstring has them; and its loop, between markers.

`python -m lectures quote` does it, once.  From then on both are the lecture's own: whoever writes about the method
moves the markers to where they belong, and whoever knows more than can be counted writes it into the row.
"""
import re
from contextlib import suppress

import numpy as np

import numopt.optimizers
from lectures import reading, unified
from numopt.networks import mlp
from numopt.problems import Counted, EmpiricalRisk, Quadratic
from numopt.signature import defaults, memory_names

HEAD, CARD = "## Also in this family", "## The card"
STEPS = 40
PLACE = re.compile(r".*?\(\d{4}\)(?:(?:,| and) (?:Algorithm|[Ee]quation|Section|Figure|Theorem|lecture)s? [\w.]+"
                   r"(?:, \d[\w.]*)*(?: (?:and|to) \d[\w.]*)?)*|[^,]*")
SECTION = re.compile(rf"^{HEAD}\n.*?(?=^## )", re.DOTALL | re.MULTILINE)


def welcomed(text, names, quoted):
    """The text of a lecture with those methods that are not among the quoted ones, and with all of them on its card."""
    if CARD not in text:
        return text
    for name in names:
        if name not in quoted:
            text = with_loop(text, name)
    return with_rows(text, names)


def with_loop(text, name):
    """The text with the method at the end of the section."""
    if not SECTION.search(text):
        text = text.replace(f"{CARD}\n", f"{HEAD}\n\n{CARD}\n", 1)
    idea, source = about(name)
    entry = f"**`{name}`.** {idea} {source}.\n\n<!-- code: numopt.optimizers.{name} -->\n<!-- end -->\n\n"
    return SECTION.sub(lambda found: found[0] + entry, text)


def about(name):
    """(the idea, the source) of a method: the first sentences of the first two paragraphs of its docstring."""
    idea, *rest = getattr(numopt.optimizers, name).__wrapped__.__doc__.strip().split("\n\n")
    source = " ".join(rest[0].split()) if rest else ""
    whole = re.match(r".*?\(\d{4}\)(?:[^.;]|\.\d)*|[^.;]*", source)[0]
    return " ".join(idea.split()), whole.rstrip(". ")


def with_rows(text, names):
    """The text with a row for each method that its card does not have."""
    found = re.search(r"(<!-- card: \d+ -->\n)(.*?)(<!-- end -->)", text, re.DOTALL)
    if not found:
        return text
    heads, *_ = (unified.split(line) for line in found[2].splitlines() if line.startswith("|"))
    new = "".join(f"| {' | '.join(row(name, heads))} |\n".replace("|  |", "| |").replace("|  |", "| |")
                  for name in names if f"| `{name}` |" not in found[2])
    return text[:found.end(2)] + new + text[found.end(2):]


def row(name, heads):
    """The cells of a method under these heads: what its docstring says, its numbers, and what is counted."""
    numbers = [f"{key}={shortest(value)}" for key, value in defaults(getattr(numopt.optimizers, name)).items()
               if isinstance(value, (int, float)) and not isinstance(value, bool)
               and key not in ("seed", *memory_names(getattr(numopt.optimizers, name)))]
    together = heads[0] == "method"
    separately = ", ".join(f"`{number}`" for number in numbers)
    asked, vectors, kept = counted(name, on_a_network=not together)
    cells = {heads[0]: f"`{name}`", "equation": PLACE.match(about(name)[1])[0],
             **dict.fromkeys(("usual numbers", "official numbers"),
                             (f"`{', '.join(numbers)}`" if together else separately) if numbers else "none"),
             **{what: shortest(round(count, 1)) for what, count in asked.items()}, "vectors": str(vectors),
             "a step costs": ", ".join(f"{shortest(round(count, 1))} {what if round(count, 1) != 1 else what[:-1]}"
                                       for what, count in asked.items() if count),
             "it remembers": ", ".join(f"${key}$" if len(key) == 1 else f"`{key}`" for key in kept) or "nothing",
             **unified.row(name)}
    return [cells.get(head, "") for head in heads]


def shortest(number):
    """A number in as few letters as say it."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def counted(name, on_a_network):
    """({gradients, products, values: how many a step asks for}, of how many vectors its memory is, and their names).

    What cannot be counted, as the method is for other problems, is left for its author to write.
    """
    rng, network = np.random.default_rng(0), mlp([3, 4, 3])
    if on_a_network:
        data = rng.standard_normal((40, 3)), rng.integers(3, size=40)
        problem, theta = EmpiricalRisk(network, *data, batch_size=10), network.initial(seed=0)
    else:
        problem, theta = Quadratic(np.diag(np.arange(1.0, 7)) / 10), np.ones(6)
    problem, asked = Counted(problem), []
    run = getattr(numopt.optimizers, name)(problem, theta)
    with suppress(ValueError, ArithmeticError, NotImplementedError, StopIteration):
        for _ in range(STEPS):
            before = dict(problem.counts)
            next(run)
            asked.append({what: problem.counts[what] - before[what] for what in ("gradients", "products", "values")})
    middle = np.median if on_a_network else np.mean
    kept = [key for key, value in run.memory.items() if isinstance(value, (np.ndarray, tuple, list))]
    vectors = sum(isinstance(value, np.ndarray) and value.shape == theta.shape for value in run.memory.values())
    return {what: float(middle([step[what] for step in asked])) for what in asked[0]} if asked else {}, vectors, kept


def new():
    """{file of a lecture: its text, with the methods of its family that no lecture quotes, and all on its card}."""
    texts = {file: file.read_text(encoding="utf-8") for file in reading.pages().values()}
    quoted = reading.quoted_methods(texts.values())
    return {file: welcomed(texts[file], names, quoted) for number, file in reading.pages().items()
            if (names := reading.methods().get(number))}
