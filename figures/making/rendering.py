"""A figure by its name: what it shows, its picture and its moving picture, written whole or not at all."""
import platform
import re
import secrets
import traceback
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from figures.making import records
from figures.making.parameters import file_name, spelt

HERE = Path(__file__).parents[1]
RENDERED = HERE / "rendered"
OUT = HERE / "out"
STYLES = "light", "dark"
DRAWN_WITH = HERE / "making" / "drawn_with.txt"  # of the pictures in `rendered`

LARGE = 500_000  # bytes: a picture of more has a palette, of COLOURS
COLOURS = 128

# What a file says of itself besides the picture: nothing that changes from one day or version to the next.
METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None},
            "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}


def drawn_with():
    """What the bytes of a picture depend on besides its script; every processor's sums round in their own way."""
    import matplotlib
    import numpy
    import scipy
    from threadpoolctl import threadpool_info
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in (matplotlib, numpy, scipy))
    kinds = {library.get("architecture", "") for library in threadpool_info() if library["user_api"] == "blas"}
    return f"{versions}, {platform.machine()} {' '.join(sorted(kinds))}"


def names():
    """Every figure there is: a figure is a script in this folder."""
    return sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))


def load(name):
    """The script of a figure."""
    return import_module(f"figures.{name}")


def caption(name):
    """What a figure shows: the first line of its script."""
    return load(name).__doc__.strip().split("\n")[0]


def lectures(name):
    """The numbers of the lectures that a figure belongs to: its docstring ends "Lecture 3." or "Lectures 2, 3."."""
    found = re.search(r"Lectures? ([\d, and]+)\.\s*$", load(name).__doc__)
    if not found:
        raise ValueError(f"the docstring of figures/{name}.py must end with its lecture, as in 'Lecture 3.'")
    return [int(number) for number in re.findall(r"\d+", found[1])]


def place(name):
    """What puts figures in the order of the lectures, and of their pages."""
    first, mark = lectures(name)[0], f"<!-- figure: {name} -->"
    pages = [file.read_text(encoding="utf-8") for file in (HERE.parent / "lectures").glob(f"{first:02d}-*.md")]
    return first, min((page.index(mark) for page in pages if mark in page), default=10**9), name


def render(name, out=OUT, format="png", style="light", transparent=False, **changed):
    """Compute one figure, draw it and save it: whole, or not at all.  The same script gives the same bytes.

    What is `changed` are parameters of its compute(); the file's name says so.
    """
    script, record = load(name), records.named(name)
    forms = [form for form, wanted in (("dark", style == "dark"), ("transparent", transparent)) if wanted]
    with drawing():
        figure = script.draw(**script.compute(**changed))
        if record:
            in_the_corner(figure, records.note(record, script.drawn() if hasattr(script, "drawn") else None))
        laid_out(figure)
        if style == "dark":
            import_module("figures.making.ground").darken(figure)

        def save(file):
            figure.savefig(file, metadata=METADATA[format], transparent=transparent or None)
            if format == "png" and file.stat().st_size > LARGE:
                in_few_colours(file)

        return saved(out, f"{file_name(name, changed, *forms)}.{format}", save)


def in_few_colours(file):
    """Write a picture anew with a palette, if nothing in it is transparent: a third of the bytes, to the eye the same.

    What it has thousands of are the shades along the edges of lines and letters.
    """
    from PIL import Image  # which Matplotlib writes pictures with
    with Image.open(file) as picture:
        if picture.mode == "RGBA" and picture.getextrema()[3] != (255, 255):
            return
        how = {"dpi": picture.info["dpi"], "optimize": True}
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(file, "png", **how)


def animated(name, out=OUT, **changed):
    """Compute one figure, and save its moving picture, a GIF: whole, or not at all; and always the same bytes."""
    script, moving = load(name), import_module("figures.making.moving")
    with drawing():
        animation = script.animate(**script.compute(**changed))
        how = {"writer": "pillow", "fps": moving.A_SECOND, "dpi": moving.DPI}
        return saved(out, f"{file_name(name, changed)}.gif", lambda file: animation.save(file, **how))


def those_that_move():
    """The figures that move: by their text, so that one which cannot be imported is no hindrance to the others."""
    return [name for name in names() if "\ndef animate(" in (HERE / f"{name}.py").read_text(encoding="utf-8")]


@contextmanager
def drawing():
    """Draw without a window and in the lectures' style, and close what was drawn."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    before = plt.get_fignums()
    with plt.style.context(HERE / "making" / "lectures.mplstyle"):
        try:
            yield
        finally:
            for number in set(plt.get_fignums()) - set(before):
                plt.close(number)


def saved(out, name, save):
    """Let `save` write a file of that name into the folder `out`: whole, or not at all."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    stem, suffix = name.rsplit(".", 1)
    temporary = out / f".{stem}-{secrets.token_hex(4)}.{suffix}"
    try:
        temporary.open("xb").close()
        save(temporary)
        temporary.replace(out / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return out / name


def settled(figure):
    """Round where the layout of a figure puts its axes.

    Its solver takes sums in the order of addresses in memory.  In their last digits they differ from one time to the
    next, and with them, one time in hundreds, what lies on the border of two pixels.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    lay_out = engine.execute

    def rounded(figure):
        lay_out(figure)
        for ax in figure.axes:
            takes_part = ax.get_in_layout()
            for which, original in ("original", True), ("active", False):
                ax.set_position(np.round(ax.get_position(original).bounds, 9), which)
            ax.set_in_layout(takes_part)  # set_position ends it

    engine.execute = rounded


def laid_out(figure):
    """Lay a figure out, once and for all: to save it, Matplotlib would do that again, and draw all of it unseen."""
    import matplotlib
    settled(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        with matplotlib.rc_context({"figure.constrained_layout.use": False}):
            figure.set_layout_engine()


def in_the_corner(figure, note):
    """Below the picture on the right, in a strip of its own."""
    strip = 0.17 / figure.get_figheight()
    if figure.get_layout_engine() is not None:
        figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
    figure.text(0.995, strip / 4, note, fontsize=7.5, color="0.4", ha="right")


def attempt(job):
    """(the picture, None), or (None, what went wrong in words)."""
    how = dict(job)
    name, changed = how.pop("name"), how.pop("changed")
    records.RECORDS = how.pop("records_in", None) or records.RECORDS
    try:
        return (animated if how.pop("animate", False) else render)(name, **how, **changed), None
    except records.NotThere as error:
        return None, str(error)
    except Exception as error:
        if not changed:
            return None, traceback.format_exc()
        with_these = ", ".join(f"{key}={spelt(value)}" for key, value in changed.items())
        return None, f"there is no picture with {with_these}: {type(error).__name__}: {error}"


def performed(job):
    """Do one run of a record: None, or what went wrong in words."""
    records.RECORDS, records.PARTS = job["records_in"], job["parts_in"]
    try:
        records.perform(job["name"], job["data"], job["run"])
    except Exception:
        return traceback.format_exc()
