"""Formulas as MathML, by KaTeX within quickjs: what does not parse is an error, with its text."""
import html
import re
from functools import cache
from pathlib import Path

# Browsers know the variants of letters by their code points only: (first of A, of a, of α), and those that stand apart.
VARIANTS = {"double-struck": (0x1D538, 0x1D552, None), "bold": (0x1D400, 0x1D41A, 0x1D6C2),
            "script": (0x1D49C, 0x1D4B6, None), "bold-italic": (0x1D468, 0x1D482, 0x1D736)}
APART = {"double-struck": dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ")), "script": dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ"))}


@cache
def engine():
    """KaTeX's own function of (formula, is it displayed?)."""
    import quickjs
    import sphinxcontrib.katex
    script = next(Path(sphinxcontrib.katex.__file__).parent.rglob("katex.min.js"))
    context = quickjs.Context()
    context.eval(script.read_text(encoding="utf-8"))
    return context.eval("(formula, displayed) => katex.renderToString(formula, {displayMode: displayed,"
                        "output: 'mathml', throwOnError: true, strict: 'error'})")


def variant(found):
    """A letter of a variant, by its own code point."""
    kind, letter = found.groups()
    for first, base in zip(VARIANTS.get(kind, ()), "Aaα"):
        if first and 0 <= ord(letter) - ord(base) < (25 if base == "α" else 26):
            letter = APART.get(kind, {}).get(letter) or chr(first + ord(letter) - ord(base))
            return f'<mi mathvariant="normal">{letter}</mi>'
    return found[0]


@cache
def rendered(formula, displayed=False):
    """The MathML of a formula; ValueError where KaTeX cannot read it."""
    number = re.search(r"\\tag\{([\d.]+)\}", formula)
    try:
        text = engine()(formula.strip(), displayed)
    except Exception as error:
        words = str(error).split("\n")[0]
        raise ValueError(f"this formula does not parse: {formula.strip()!r} ({words})") from None
    text = re.sub(r'<mi mathvariant="([a-z-]+)">(\w)</mi>', variant, text)
    text = text.replace('<span class="katex">', "").removesuffix("</span>")
    name = f' id="equation-{number[1]}"' if number else ""
    return f'<div class="math"{name}>{text}</div>' if displayed else f'<span class="math">{text}</span>'


def letters(formula):
    """The one identifier that a formula is, as (text, variant); None if it is more than that."""
    inside = re.findall(r"<(m[a-z]+)([^>]*)>([^<]*)", rendered(formula))
    names = [(html.unescape(text), re.sub(r'.*mathvariant="([\w-]+)".*', r"\1", how) if "mathvariant" in how else "")
             for tag, how, text in inside if tag == "mi" and text]
    others = [tag for tag, _, text in inside if tag in ("mn", "mo") and text] + \
             [tag for tag, *_ in inside if tag in ("msub", "msup", "mover", "mfrac")]
    return names[0] if len(names) == 1 and not others else None
