"""What a picture shows of the arrays that it is drawn from: every line by the array that it is, and all else by a mark.

    python -m tests.figures.drawing NAME ...     write down anew what these figures show; then read the difference

Not the arrays of a measurement are drawn, but `invented` ones of the same shapes, in which no two rows are alike: so
new measurements, and sums that another processor rounds in another way, are no difference to tests/figures/shown, and
curves, labels or panels that have changed places and a line that is shifted by one are.  Of a line stands there its
colour (by number: other colours are no difference), how it is drawn and the arrays that it is; of what is worked out
while it is drawn, and of bars, areas, pictures and the places of words, four letters that other numbers would change.
"""
import sys
from functools import cache
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from zlib import crc32

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.contour import ContourSet
from matplotlib.ticker import LogFormatter, NullFormatter, ScalarFormatter

import figures
from figures.making.style import METHODS

SHOWN = Path(__file__).parent / "shown"
ROWS = 600    # an array of more rows than this is not drawn row by row
FACTORS = {"": np.asarray, "100 × ": lambda row: 100 * np.asarray(row), "−": np.negative, "abs ": np.abs}
DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dashdot": "-.", "-": "-", "--": "--", ":": ":", "-.": "-."}
NUMBERS = ScalarFormatter, LogFormatter, NullFormatter  # no words stand at the ticks of such an axis: not asked for


def invented(arrays):
    """Numbers from ½ to 1½ in place of those of a measurement; what is infinite, or no number, or counts, stays."""
    found = dict(arrays)
    for key, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind == "f" and array.ndim:
            new = 0.5 + np.random.default_rng(crc32(key.encode())).random(array.shape)
            if array.ndim == 2 and len(array) == len(array.T) and np.allclose(array, array.T):
                new = (new + new.T) / 2 + 3 * np.eye(len(new))
            found[key] = np.where(np.isfinite(array), new, array)
    return found


def settled(name, arrays):
    """The arrays without what sums in another order decide: if 80 steps are enough where they are hardly, and how many
    steps a walk that has arrived goes on for."""
    found = dict(arrays)
    if name == "adahessian_smoothing":
        found["steps"] = np.array(arrays["steps"])
        found["steps"][0, :2] = 80
    if name == "method_family_tree":
        walks = np.split(arrays["points"], np.cumsum(arrays["lengths"])[:-1])
        walks = [walk[:1 + np.count_nonzero(np.abs(walk - walk[-1]).max(axis=1) > 1e-7)] for walk in walks]
        found |= {"points": np.concatenate(walks), "lengths": np.array([len(walk) for walk in walks])}
    return found


def shown(figure, arrays):
    """One line of text for each thing that is drawn."""
    known, colors, found = Sources(arrays), {}, []

    def color(it):
        return f"colour {colors.setdefault(to_rgba(it), len(colors))}"

    for panel, ax in enumerate(figure.axes):
        found.append(f"panel {panel}: {heading(ax)}")
        for line in ax.get_lines():
            data = line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data()
            rows = " over ".join(known.get(row) or digest(row) for row in reversed(data))
            label = "" if line.get_label().startswith("_") else f", called {line.get_label()!r}"
            marker = "" if line.get_marker() in ("None", "", None) else f" with {filled(line)}{line.get_marker()}"
            found.append(f"panel {panel}, {color(line.get_color())} {dashes(line)}{marker}: {rows}{label}")
        for text in ax.texts:
            place = digest([*getattr(text, "xy", ()), *getattr(text, "xyann", text.get_position())])
            found.append(f"panel {panel}, {color(text.get_color())}: the words {text.get_text()!r} at {place}")
        kinds = [(color(patch.get_facecolor()), type(patch).__name__) for patch in ax.patches]
        for kind in dict.fromkeys(kinds):
            outlines = [outline(patch) for patch, other in zip(ax.patches, kinds) if other == kind]
            found.append(f"panel {panel}, {kind[0]}: {len(outlines)} × {kind[1]} {digest(np.concatenate(outlines))}")
        for collection in ax.collections:
            found.append(f"panel {panel}: a {type(collection).__name__} {content(collection, known)}")
        for image in ax.images:
            numbers = image.get_array()
            found.append(f"panel {panel}: a picture of {known.get(numbers) or digest(numbers)}")
    for text in figure.texts:
        found.append(f"the words {text.get_text()!r}")
    for legend in figure.legends:
        found.append(f"a key: {', '.join(text.get_text() for text in legend.get_texts())}")
    return found


def heading(ax):
    """Title, names of the axes, scales, and the words at their ticks."""
    titles = " / ".join(filter(None, (ax.get_title(loc=place) for place in ("left", "center", "right"))))
    ticks = [text.get_text() for side in (ax.xaxis, ax.yaxis) if not isinstance(side.get_major_formatter(), NUMBERS)
             for text in side.get_ticklabels()
             if any(letter.isalpha() for letter in text.get_text().replace("mathdefault", ""))]
    names = ", ".join(filter(None, (ax.get_xlabel(), ax.get_ylabel())))
    at = f", ticks {ticks}" if ticks else ""
    return f"{titles!r}, axes {names!r}, {ax.get_xscale()} and {ax.get_yscale()}{at}"


def dashes(line):
    style = line.get_linestyle()
    if style in ("None", "", " "):
        return "no line"
    offset, pattern = line._unscaled_dash_pattern
    return DASHES[style] if style != "--" or pattern is None else f"dashes {'-'.join(f'{part:g}' for part in pattern)}"


def outline(patch):
    """Of a bar its place and height, of another patch its path."""
    return (patch.get_bbox().get_points() if hasattr(patch, "get_bbox") else patch.get_path().vertices).ravel()


def filled(line):
    """Are its marks rings, or of another colour inside than around?"""
    inside, around = (to_rgba(color) for color in (line.get_markerfacecolor(), line.get_markeredgecolor()))
    strokes = line.get_marker() in tuple("x+|_1234,") or isinstance(line.get_marker(), int)
    return "" if strokes or inside == around else "hollow " if inside[3] == 0 or inside[:3] == (1, 1, 1) else "edged "


def content(collection, known):
    """What a collection is of: its numbers, its places and its paths; of contours, which are computed, the levels."""
    if isinstance(collection, ContourSet):
        return f"at {digest(collection.levels)}"
    numbers = collection.get_array()
    if numbers is not None:
        return f"of {known.get(numbers) or digest(numbers)}"
    paths = [path.vertices.ravel() for path in collection.get_paths()]
    return f"at {digest(np.concatenate([numbers_of(collection.get_offsets()), *paths]))}"


class Sources:
    """The rows and columns of all arrays, and their means: get(row) says where such a row stands first."""

    def __init__(self, arrays):
        self.blocks, ends = [], []  # (name, places, rows, factor), and the numbers that the rows begin and end with
        for key, value in arrays.items():
            value = np.asarray(value)
            if value.dtype.kind not in "fiu" or value.ndim == 0:
                continue
            ways = [(key, value)]
            if value.ndim > 1:
                ways += [(f"mean of {key}", np.mean(value, axis=-2)), (f"median of {key}", np.median(value, axis=-2))]
            if value.ndim == 2:
                ways += [(f"column of {key}", value.T), (f"all of {key}", value.ravel())]
            if value.ndim == 3:
                ways += [(f"column of {key}", np.swapaxes(value, 1, 2)),
                         (f"all of {key}", value.reshape(len(value), -1))]
            for name, rows in ways:
                places = list(np.ndindex(rows.shape[:-1]))
                if len(places) <= ROWS:
                    rows = rows.reshape(len(places), -1)
                    finite = np.isfinite(rows)
                    first, last = finite.argmax(axis=1), rows.shape[1] - 1 - finite[:, ::-1].argmax(axis=1)
                    for factor, times in FACTORS.items():
                        self.blocks.append((factor + name, places, rows, times))
                        ends.append(times([rows[range(len(rows)), at] for at in (first, last)]))
        self.ends = np.concatenate(ends, axis=1) if ends else np.empty((2, 0))
        self.begins = np.cumsum([0] + [len(places) for _, places, *_ in self.blocks])

    def get(self, row):
        wanted = marks(row)
        if wanted is None:
            return None
        ends = np.array(wanted[1:3], float)[:, None]
        for number in np.flatnonzero((np.abs(self.ends - ends) <= 1e-4 * np.abs(ends)).all(axis=0)):
            block = self.begins.searchsorted(number, side="right") - 1
            name, places, rows, times = self.blocks[block]
            place = number - self.begins[block]
            if marks(times(rows[place])) == wanted:
                return f"{name}{list(places[place]) or ''}"
        return None


def marks(row):
    """What tells a row of numbers from others; None for one that says nothing."""
    row = numbers_of(row)
    row = row[np.isfinite(row)]
    if len(row) < 3 or row.min() == row.max():
        return None
    return len(row), *(f"{number:.5g}" for number in (row[0], row[-1], row @ weights(len(row))))


@cache
def weights(n):
    return np.cos(np.arange(n))


def digest(numbers):
    """Four letters for some numbers, to six digits."""
    try:
        row = numbers_of(numbers)
    except (TypeError, ValueError):  # words, at the places of categories
        return sha256(repr(list(numbers)).encode()).hexdigest()[:4]
    return sha256(" ".join(f"{number:.6g}" for number in row + 0.0).encode()).hexdigest()[:4]


def numbers_of(array):
    if type(array) is np.ndarray and array.dtype == float:
        return array.ravel()
    return np.ma.filled(np.ma.asarray(array, float), np.nan).ravel()


def strange(figure):
    """Lines and words that bear a method's name without its colour, and colours in one panel that a copier confuses.

    Words may be black or grey.
    """
    names, found = {METHODS[name][2]: name for name in METHODS}, []
    for panel, ax in enumerate(figure.axes):
        lines = [line for line in ax.get_lines() if len(line.get_xdata()) > 1 and dashes(line) != "no line"]
        words = [text for text in ax.texts if len(set(to_rgb(text.get_color()))) > 1]
        for it, label in [(line, line.get_label()) for line in lines] + [(text, text.get_text()) for text in words]:
            if label in names and to_rgb(it.get_color()) != to_rgb(METHODS[names[label]][0]):
                found.append(f"panel {panel}: {label} has not its colour")
        looks = {(to_rgb(line.get_color()), dashes(line), line.get_marker()) for line in lines}
        for (one, *how), (other, *like) in combinations(sorted(looks, key=str), 2):
            if how == like and one != other and abs(grey(one) - grey(other)) < 15:
                found.append(f"panel {panel}: {to_hex(one)} and {to_hex(other)} are of the same grey")
    return found


def grey(color):
    """What a copier makes of a colour, from 0 to 255."""
    return 255 * np.array([0.299, 0.587, 0.114]) @ to_rgb(color)


def drawn(name, arrays):
    """What a figure shows of invented arrays of these shapes, and what is strange in it.

    If it cannot be drawn of them (no trusted radius without a minimum), of its own, which must be no measurements then.
    """
    draw, own, arrays = figures.load(name).draw, arrays, invented(settled(name, arrays))
    with plt.style.context(figures.HERE / "making" / "lectures.mplstyle"):
        try:
            figure = draw(**arrays)
        except ValueError:
            arrays, figure = own, draw(**own)
        found = shown(figure, arrays), strange(figure)
        plt.close(figure)
    return found


if __name__ == "__main__":
    import matplotlib
    matplotlib.use("Agg")
    SHOWN.mkdir(exist_ok=True)
    for figure_name in sys.argv[1:] or figures.names():
        lines, _ = drawn(figure_name, figures.load(figure_name).compute())
        (SHOWN / f"{figure_name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(figure_name, len(lines), flush=True)
