"""Bring quotations of code, figures, numbers and the reading table up to date in every lecture and in README.md.

A method that no lecture quotes comes into that of its family, at the end of "Also in this family", and on its card.
"""
from lectures import family, quoting, rules


def arguments(parser):
    parser.add_argument("--check", action="store_true",
                        help="change nothing; say what is out of date or breaks a rule of the lectures")


def run(options):
    if options.check:
        faults = [f"{place}: {fault}" for place, fault in rules.faults()]
        print("\n".join(faults) or "all is as it should be")
        return 1 if faults else 0
    there = family.new()
    for file in quoting.pages():
        old = file.read_text(encoding="utf-8")
        new = quoting.rewritten(file, there.get(file, old))
        if new != old:
            whole(file, new)
            print(file.relative_to(quoting.ROOT))
    return 0


def whole(file, text):
    """Write a page whole, or not at all."""
    temporary = file.with_name(f".{file.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
