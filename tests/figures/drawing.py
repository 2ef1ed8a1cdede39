"""What a picture shows of the arrays that it was drawn from: every line by the array that it is, every label by colour.

    python -m tests.figures.drawing NAME ...     write down anew what these figures show; then read the difference

`shown(figure, arrays)` is compared with tests/figures/shown/NAME.txt: curves, labels or panels that have changed places
and a line that is shifted by one are a difference there, and new measurements or other colours are not.
"""
import sys
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

import figures

SHOWN = Path(__file__).parent / "shown"
ROWS = 600    # an array of more rows than this is not drawn row by row
FACTORS = {"": 1, "100 × ": 100, "−": -1, "abs ": np.abs}


def shown(figure, arrays):
    """One line of text for each line, and for each text in a line's colour."""
    known, colors, found = sources(arrays), {}, []
    for panel, ax in enumerate(figure.axes):
        for line in ax.get_lines():
            color = colors.setdefault(to_rgba(line.get_color()), len(colors))
            x, y = (known.get(marks(data)) for data in (line.get_xdata(), line.get_ydata()))
            label = "" if line.get_label().startswith("_") else f", called {line.get_label()!r}"
            if x or y or label:
                found.append(f"panel {panel}, colour {color}: {y or 'something'} over {x or 'something'}{label}")
    for panel, ax in enumerate(figure.axes):
        for text in ax.texts:
            color = to_rgba(text.get_color())
            if color in colors and len(set(color[:3])) > 1 and not any(c.isdigit() for c in text.get_text()):
                found.append(f"panel {panel}, colour {colors[color]}: the words {text.get_text()!r}")
    return found


def sources(arrays):
    """{marks of a row of numbers: where it stands}, for the rows and columns of all arrays, and their means."""
    known = {}
    for key, value in arrays.items():
        value = np.asarray(value)
        if value.dtype.kind not in "fiu" or value.ndim == 0:
            continue
        ways = [(key, value)]
        if value.ndim > 1:
            ways += [(f"mean of {key}", np.mean(value, axis=-2)), (f"median of {key}", np.median(value, axis=-2))]
        if value.ndim == 2:
            ways += [(f"column of {key}", value.T)]
        if value.ndim == 3:
            ways += [(f"column of {key}", np.swapaxes(value, 1, 2))]
        for (name, rows), (factor, times) in product(ways, FACTORS.items()):
            if rows.size // rows.shape[-1] > ROWS:
                continue
            for place in np.ndindex(rows.shape[:-1]):
                row = times(rows[place]) if callable(times) else times * rows[place]
                known.setdefault(marks(row), f"{factor}{name}{list(place) or ''}")
    known.pop(None, None)
    return known


def marks(row):
    """What tells a row of numbers from others; None for one that says nothing."""
    row = np.asarray(row, float).ravel()
    row = row[np.isfinite(row)]
    if len(row) < 3 or np.ptp(row) == 0:
        return None
    return len(row), *(f"{number:.5g}" for number in (row[0], row[-1], row @ np.cos(np.arange(len(row)))))


def drawn(name, arrays):
    with plt.style.context(figures.HERE / "making" / "lectures.mplstyle"):
        figure = figures.load(name).draw(**arrays)
        figure.canvas.draw()
        found = shown(figure, arrays)
        plt.close(figure)
    return found


if __name__ == "__main__":
    import matplotlib
    matplotlib.use("Agg")
    SHOWN.mkdir(exist_ok=True)
    for figure_name in sys.argv[1:] or figures.names():
        lines = drawn(figure_name, figures.load(figure_name).compute())
        (SHOWN / f"{figure_name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(figure_name, len(lines), flush=True)
