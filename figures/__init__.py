"""The figures of the lectures, one script each.

    python -m figures                    draw them all into figures/out
    python -m figures zigzag saddle      only these
    python -m figures --list             what there is, and what each one shows
    python -m figures NAME --recompute   repeat the trainings that a picture is drawn from: see records.py

A figure is a file NAME.py with a docstring, whose first line says what the figure shows and whose last paragraph says
where it comes from; a function compute() that returns arrays by name; and a function draw(**arrays) that returns a
Figure.  It knows nothing of files, and its claim is tested on the arrays that it draws.  The pictures that the
lectures show are in figures/rendered.
"""
import os
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

from figures import records

HERE = Path(__file__).parent
RENDERED = HERE / "rendered"
OUT = HERE / "out"
NOT_FIGURES = {"style", "records", "adaptive_rate"}

# What a file says of itself besides the picture: nothing that changes from one day or version to the next.
METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None},
            "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}


def names():
    """Every figure there is: a figure is a script in this folder."""
    stems = {file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_")}
    return sorted(stems - NOT_FIGURES)


def load(name):
    """The script of a figure."""
    return import_module(f"figures.{name}")


def caption(name):
    """What a figure shows: the first line of its script."""
    return load(name).__doc__.strip().split("\n")[0]


def render(name, out=OUT, format="png"):
    """Compute one figure, draw it and save it: whole, or not at all.  The same script gives the same bytes."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    script, record = load(name), records.named(name)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with plt.style.context(HERE / "lectures.mplstyle"):
        figure = script.draw(**script.compute())
        if record:
            in_the_corner(figure, records.note(record))
        handle, temporary = tempfile.mkstemp(dir=out, prefix=f".{name}-", suffix=f".{format}")
        os.close(handle)
        try:
            figure.savefig(temporary, metadata=METADATA[format])
            os.chmod(temporary, 0o644)
            os.replace(temporary, out / f"{name}.{format}")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        finally:
            plt.close(figure)
    return out / f"{name}.{format}"


def in_the_corner(figure, note):
    """Below the picture on the right, in a strip of its own."""
    strip = 0.17 / figure.get_figheight()
    if figure.get_layout_engine() is not None:
        figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
    figure.text(0.995, strip / 4, note, fontsize=7.5, color="0.4", ha="right")


def attempt(name, out=OUT, format="png"):
    """(the picture, None), or (None, what went wrong) in words: not every error survives the way between processes."""
    try:
        return render(name, out, format), None
    except Exception:
        return None, traceback.format_exc()


def performed(name, data, run):
    """Do one run of a record: None, or what went wrong in words."""
    try:
        records.perform(name, data, run)
    except Exception:
        return traceback.format_exc()
