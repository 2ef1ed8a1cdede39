"""What a lecture must be, as functions that find what is wrong with one: see lectures/__init__.py."""
import re
from itertools import pairwise

from lectures import family, quoting, reading
from lectures.quoting import HERE, ROOT

LECTURES = range(1, 15)
LEAST_LINES, MOST_LINES = 150, 400
CLAIMS = 5
KINDS = "pencil", "code", "experiment", "break it"
EXERCISE = re.compile(r"^\*\*(\d+)\.(\d+)\*\* (★{1,4}) \*\(([^)]+)\)\*", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
TEST = re.compile(r"`(?:[\w/]*test_\w+\.py::)?(test_\w+)`")


def faults():
    """(page, what is wrong) of everything that is."""
    for file in quoting.pages():
        name, text = file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
        yield from ((name, fault) for check in EVERYWHERE for fault in check(text, file))
    for number, file in reading.pages().items():
        text = file.read_text(encoding="utf-8")
        yield from ((f"lectures/{file.name}", fault) for check in OF_A_LECTURE for fault in check(text, file))
    yield from (("lectures", fault) for fault in quoted_nowhere())


# ---------------------------------------------------------------------------------------------------- every page

def drift(text, file):
    """A quotation that the command would write otherwise."""
    try:
        if quoting.rewritten(file) != text:
            yield "a quotation is out of date: python -m lectures quote"
    except ValueError as error:
        yield str(error)


def dead_links(text, file):
    """A link to a file that is not there, or to a section that its page has not."""
    for _, target in LINK.findall(without_code(text)):
        if re.match(r"https?://", target):
            continue
        place, _, section = target.partition("#")
        page = file.parent / place if place else file
        if not page.exists() or section and section not in sections(page.read_text(encoding="utf-8")):
            yield f"the link {target} leads nowhere"


def sections(text):
    """The names by which code hosts link to the sections of a page."""
    heads = re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def missing_tests(text, file):
    """A link to a test, by its name, that is not in the file it leads to."""
    for label, target in LINK.findall(text):
        name = TEST.fullmatch(label)
        if name and name[1] not in reading.tests(file.parent / target):
            yield f"there is no {name[1]} in {target}"


def split_tables(text, file):
    """Rows with | inside mathematics or code, and tables whose rows differ in their number of cells."""
    lines = without_blocks(text).splitlines()
    for line in lines:
        if line.startswith("|"):
            inside = re.findall(r"\$[^$]*\$|`[^`]*`", line.replace(r"\$", ""))
            yield from (f"code hosts split the table at {part}" for part in inside if "|" in part)
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|") and above.count("|") != below.count("|"):
            yield f"a row has {below.count('|') - 1} cells under one of {above.count('|') - 1}: {below[:60]}"


def without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def without_code(text):
    return re.sub(r"`[^`\n]*`", "`", without_blocks(text))


# ----------------------------------------------------------------------------------------------------- a lecture

def shape(text, file):
    """The question first, the four sections that each lecture has, and a length that can be read at a sitting."""
    number, _ = reading.title(text)
    if number != int(file.name[:2]):
        yield f"its title has the number {number}"
    if "\n> **The question.** " not in text:
        yield "no line begins with '> **The question.** '"
    heads = re.findall(r"^## (.+)$", without_blocks(text), re.MULTILINE)
    if heads[-3:] != ["The card", "Exercises", "Sources"]:
        yield f"its last sections are {', '.join(heads[-3:])}, not The card, Exercises, Sources"
    if not any(head.startswith("What goes wrong") for head in heads):
        yield "no section begins with 'What goes wrong'"
    if "As the sources print it" not in heads:
        yield "there is no section 'As the sources print it'"
    length = len(re.sub(r"<!-- table: .*?<!-- end -->", "", family.SECTION.sub("", text), flags=re.DOTALL).splitlines())
    if not LEAST_LINES <= length <= MOST_LINES:
        yield f"it has {length} lines, and not {LEAST_LINES} to {MOST_LINES}"


def equations(text, file):
    """Tags of another lecture, twice the same tag, and a reference to a tag that is not there."""
    number, _ = reading.title(text)
    tags = re.findall(r"\\tag\{(\d+\.\d+)\}", text)
    yield from (f"the tag {tag} is not this lecture's" for tag in tags if not tag.startswith(f"{number}."))
    yield from (f"two equations are ({tag})" for tag in set(tags) if tags.count(tag) > 1)
    body = text.split("\n## Sources")[0]
    yield from (f"there is no equation ({tag})" for tag in set(re.findall(rf"\(({number}\.\d+)\)", body)) - set(tags))


def claims(text, file):
    """A sentence in bold, alone in its list item, is a claim and has its test; and some there are."""
    found = 0
    for item in re.findall(r"^- \*\*.+$", without_blocks(text), re.MULTILINE):
        sentence = re.match(r"- \*\*(.+?[.:])\*\*(.*)$", item)
        if sentence and not (rest := sentence[2].strip()):
            yield f"a claim without a test: {item[:80]}"
        elif sentence and LINK.match(rest) and TEST.search(rest):
            found += 1
    if found < CLAIMS:
        yield f"it has {found} claims with a test; {CLAIMS} at least"


def errata(text, file):
    """The last column of "As the sources print it"."""
    section = re.search(r"\n## As the sources print it\n(.*?)\n## ", text, re.DOTALL)
    there = reading.tests(ROOT / "tests" / "test_errata.py")
    for row in re.findall(r"^\|.*\|$", section[1] if section else "", re.MULTILINE)[2:]:
        last = row.split("|")[-2].strip()
        named = re.findall(r"`test_errata\.py::(test_\w+)`", last)
        yield from (f"there is no {name} in tests/test_errata.py" for name in named if name not in there)
        if not named and not TEST.search(last) and last not in ("reading", "the same"):
            yield f"an erratum is shown by {last!r}, and not by a test, 'reading' or 'the same'"


def misprints(text, file, there):
    """The rows of errata.md: an empty cell, or one that is shown by neither a test that there is nor "reading"; and
    tests of tests/test_errata.py, the last argument, that no row names."""
    above, named = None, set()
    for row in re.findall(r"^\| .*\|$", without_blocks(text), re.MULTILINE):
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        if cells[-1] == "shown by":
            above = None
            continue
        links = LINK.findall(cells[-1])
        tested = bool(links) and all(TEST.fullmatch(label) for label, _ in links)
        if len(cells) != 5 or not all(cells):
            yield f"a misprint has a place, what is printed, what is right, why, and what shows it: {row[:60]}"
        if not (tested or cells[-1] == "reading" or cells[-1] == "the same" and above):
            yield f"a misprint is shown by {cells[-1]!r}, and not by a linked test, 'reading' or 'the same'"
        above = tested or cells[-1] == "the same"
        named |= {TEST.fullmatch(label)[1] for label, target in links if tested and target.endswith("/test_errata.py")}
    yield from (f"no row names {name}" for name in sorted(set(there) - named))


def exercises(text, file):
    """Four to seven, numbered, of rising difficulty and of all kinds, with hints that are folded away, and solved."""
    number, _ = reading.title(text)
    found = EXERCISE.findall(text)
    count = len(reading.exercises(text))
    if len(found) != count:
        yield "an exercise does not begin '**N.k** ★ *(kind)*'"
    if not 4 <= count <= 7:
        yield f"it has {count} exercises, and not 4 to 7"
    if [f"{lecture}.{k}" for lecture, k, *_ in found] != [f"{number}.{k}" for k in range(1, len(found) + 1)]:
        yield "its exercises are not numbered in order"
    stars = [len(stars) for _, _, stars, _ in found]
    if stars != sorted(stars) or len(set(stars)) < 2:
        yield f"its exercises do not become harder: {stars}"
    missing = [kind for kind in KINDS if not any(kind in words for *_, words in found)]
    yield from (f"no exercise is of the kind {kind!r}" for kind in missing)
    section = text.split("\n## Exercises\n")[-1].split("\n## ")[0]
    for exercise in re.split(r"^(?=\*\*\d+\.\d+\*\*)", section, flags=re.MULTILINE)[1:]:
        hints = [int(hint) for hint in re.findall(r"<details><summary>Hint (\d)</summary>", exercise)]
        if hints != list(range(1, len(hints) + 1)) or len(hints) > 3 or exercise.count("</details>") != len(hints):
            yield f"the hints of {exercise[:10]} are not numbered 1 to 3, or not folded away"
    yield from unsolved(file, [f"{lecture}.{k}" for lecture, k, *_ in found])


def unsolved(file, asked):
    """Exercises without a solution that a test checks."""
    page = HERE / "solutions" / file.name
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    solved = dict(re.findall(r"^## (\d+\.\d+)\b(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    for exercise in asked:
        if exercise not in solved:
            yield f"exercise {exercise} has no solution in solutions/{file.name}"
        elif not any(TEST.fullmatch(label) for label, _ in LINK.findall(solved[exercise])):
            yield f"no test is linked from the solution of {exercise}"


# ------------------------------------------------------------------------------------------------------ together

def quoted_nowhere(files=None):
    """Lectures, and methods and figures of those that there are, that no lecture quotes."""
    there = reading.pages()
    showing = [*there.values(), *HERE.glob("errata.md")]  # the misprints of all lectures, with their picture
    texts = [file.read_text(encoding="utf-8") for file in (showing if files is None else files)]
    code = reading.quoted_methods(texts)
    drawn = {name for text in texts for name in quoting.quoted(text, "figure")}
    yield from (f"there is no lecture {number}" for number in LECTURES if number not in there)
    for number in there:
        yield from (f"no lecture quotes {name}" for name in reading.methods().get(number, []) if name not in code)
        yield from (f"no lecture shows {name}" for name in reading.figures().get(number, [])
                    if name not in drawn and set(reading.lectures_of(name)) <= there.keys())


EVERYWHERE = drift, dead_links, missing_tests, split_tables
OF_A_LECTURE = shape, equations, claims, errata, exercises
