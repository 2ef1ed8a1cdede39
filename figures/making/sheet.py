"""All pictures on one page, each with what it shows."""
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt

from figures.making import rendering

COLUMNS, WIDTH, HEIGHT = 6, 3.6, 4.9  # inches for each, the words included


def drawn(names, out):
    """Put the PNGs of these figures that are in the folder `out` onto sheet.png there."""
    there = [name for name in names if (Path(out) / f"{name}.png").exists()]
    rows = -(-len(there) // COLUMNS)
    with rendering.drawing():
        page, axes = plt.subplots(rows, COLUMNS, figsize=(COLUMNS * WIDTH, rows * HEIGHT), squeeze=False)
        for ax, name in zip(axes.flat, there):
            ax.imshow(plt.imread(Path(out) / f"{name}.png"), interpolation="lanczos")
            ax.set_title(name, fontsize=11, fontweight="bold")
            ax.text(0.5, -0.03, fill(rendering.caption(name), 46, break_on_hyphens=False), transform=ax.transAxes,
                    ha="center", va="top", fontsize=9)
        for ax in axes.flat:
            ax.set_axis_off()
        return rendering.saved(out, "sheet.png", lambda file: page.savefig(file, dpi=100, metadata={"Software": None}))
