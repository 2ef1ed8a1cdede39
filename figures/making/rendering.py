"""A figure by its name: what it shows, its picture and its moving picture, written whole or not at all."""
import os
import tempfile
import traceback
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from figures.making import records

HERE = Path(__file__).parents[1]
RENDERED = HERE / "rendered"
OUT = HERE / "out"

# What a file says of itself besides the picture: nothing that changes from one day or version to the next.
METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None},
            "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}


def names():
    """Every figure there is: a figure is a script in this folder."""
    return sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))


def load(name):
    """The script of a figure."""
    return import_module(f"figures.{name}")


def caption(name):
    """What a figure shows: the first line of its script."""
    return load(name).__doc__.strip().split("\n")[0]


def render(name, out=OUT, format="png"):
    """Compute one figure, draw it and save it: whole, or not at all.  The same script gives the same bytes."""
    script, record = load(name), records.named(name)
    with drawing():
        figure = script.draw(**script.compute())
        if record:
            in_the_corner(figure, records.note(record))
        return saved(out, f"{name}.{format}", lambda file: figure.savefig(file, metadata=METADATA[format]))


def animated(name, out=OUT):
    """Compute one figure, and save its moving picture, a GIF: whole, or not at all; and always the same bytes."""
    script, moving = load(name), import_module("figures.making.moving")
    with drawing():
        animation = script.animate(**script.compute())
        how = {"writer": "pillow", "fps": moving.A_SECOND, "dpi": moving.DPI}
        return saved(out, f"{name}.gif", lambda file: animation.save(file, **how))


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
    handle, temporary = tempfile.mkstemp(dir=out, prefix=f".{stem}-", suffix=f".{suffix}")
    os.close(handle)
    try:
        save(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, out / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return out / name


def in_the_corner(figure, note):
    """Below the picture on the right, in a strip of its own."""
    strip = 0.17 / figure.get_figheight()
    if figure.get_layout_engine() is not None:
        figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
    figure.text(0.995, strip / 4, note, fontsize=7.5, color="0.4", ha="right")


def attempt(name, out=OUT, format="png"):
    """(the picture, None), or (None, what went wrong) in words: not every error survives the way between processes."""
    try:
        return animated(name, out) if format == "gif" else render(name, out, format), None
    except Exception:
        return None, traceback.format_exc()


def performed(name, data, run):
    """Do one run of a record: None, or what went wrong in words."""
    try:
        records.perform(name, data, run)
    except Exception:
        return traceback.format_exc()
