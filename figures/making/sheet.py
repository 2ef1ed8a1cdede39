"""All pictures on one page, each with what it shows."""
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt

from figures.making import rendering

COLUMNS, WIDTH, HEIGHT = 6, 3.6, 4.9  # inches for each, the words included


def picture(name, out):
    """The pixels of a PNG in the folder `out`; None where there is none, or a damaged one."""
    try:
        return plt.imread(Path(out) / f"{name}.png")
    except (OSError, ValueError, SyntaxError):  # the last is what Pillow says of a broken chunk
        return None


def missing(names, out):
    return [name for name in names if picture(name, out) is None]


def drawn(names, out):
    """Put the PNGs of these figures that are in the folder `out` onto sheet.png there; None if there are none."""
    there = {name: pixels for name in sorted(names, key=rendering.place) if (pixels := picture(name, out)) is not None}
    if not there:
        return None
    rows = -(-len(there) // COLUMNS)
    with rendering.drawing():
        page, axes = plt.subplots(rows, COLUMNS, figsize=(COLUMNS * WIDTH, rows * HEIGHT), squeeze=False)
        for ax, name in zip(axes.flat, there):
            ax.imshow(there[name], interpolation="lanczos")
            ax.set_title(name, fontsize=11, fontweight="bold")
            ax.text(0.5, -0.03, fill(rendering.caption(name), 46, break_on_hyphens=False), transform=ax.transAxes,
                    ha="center", va="top", fontsize=9)
        for ax in axes.flat:
            ax.set_axis_off()
        return rendering.saved(out, "sheet.png", lambda file: page.savefig(file, dpi=100, metadata={"Software": None}))
