"""draw() draws the arrays that it is given, each where and as what it says; see drawing.py."""
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

import figures
from tests.figures.drawing import SHOWN, drawn, invented, shown


@pytest.mark.parametrize("name", figures.names())
def test_all_that_is_drawn_is_drawn_from_where_it_was(name, arrays):
    file = SHOWN / f"{name}.txt"
    assert file.exists(), f"write down what {name} shows: python -m tests.figures.drawing {name}"
    expected = file.read_text(encoding="utf-8").splitlines()
    found, strange = drawn(name, arrays(name))
    assert found == [line for line in expected if line]
    assert strange == [], "every method has one colour everywhere, and no two colours of a panel have the same grey"


ARRAYS = {"loss": np.random.default_rng(0).random((2, 3, 7)).cumsum(axis=-1), "t": np.arange(7.0)}
COLORS = "tab:blue", "tab:red"


def picture(curves=(0, 1), words=("up", "down"), panels=(0, 1), shift=0, later=0, titles=("mean", "first"), ticks="ab",
            bars=(0, 1), areas=(0, 1), key=("one", "two"), lines="-:", marks="os", places=(0, 1), scale="linear"):
    """Two panels with the mean of three rows each, a word in the colour of the line, bars, an area and an image."""
    figure, axes = plt.subplots(1, 2)
    for ax, panel, title in zip(axes, panels, titles):
        for i, color, line, mark, name in zip(curves, COLORS, lines, marks, key):
            y = np.roll(ARRAYS["loss"].mean(axis=1)[i], shift) if panel == 0 else ARRAYS["loss"][i, 0]
            ax.plot(np.arange(len(y)) + later, y, line, marker=mark, color=color, label=name)
        for word, color, place in zip(words, COLORS, places):
            ax.text(place, 0, word, color=color)
        ax.bar([0, 1], ARRAYS["loss"][list(bars), 0, -1], color="0.5")
        ax.fill_between(ARRAYS["t"], *ARRAYS["loss"][list(areas), 1], color="0.9")
        ax.set(title=title, yscale=scale)
        ax.set_xticks([0, 1], list(ticks))
    found = shown(figure, ARRAYS)
    plt.close(figure)
    return found


def test_what_is_shown_is_found_in_the_arrays():
    assert picture()[0] == "panel 0: 'mean', axes '', linear and linear, ticks ['a', 'b']"
    assert picture()[1] == "panel 0, colour 0 - with o: mean of loss[0] over t, called 'one'"
    assert picture()[2] == "panel 0, colour 1 : with s: mean of loss[1] over t, called 'two'"
    assert "panel 1, colour 0 - with o: loss[0, 0] over t, called 'one'" in picture()
    assert any(line.startswith("panel 1, colour 1: the words 'down' at ") for line in picture())


@pytest.mark.parametrize("wrong", [
    {"curves": (1, 0)}, {"words": ("down", "up")}, {"panels": (1, 0)}, {"shift": 1}, {"later": 1}, {"ticks": "ba"},
    {"titles": ("first", "mean")}, {"bars": (1, 0)}, {"areas": (1, 0)}, {"key": ("two", "one")}, {"lines": ":-"},
    {"marks": "so"}, {"places": (1, 0)}, {"scale": "log"}], ids=lambda wrong: next(iter(wrong)))
def test_swapped_curves_labels_or_panels_and_a_shifted_line_are_seen(wrong):
    assert picture(**wrong) != picture()


def test_what_is_invented_has_the_shape_of_what_is_measured_and_its_gaps():
    measured = {"rows": np.array([[1.0, np.nan], [np.inf, 2.0]]), "count": np.array([3, 4]), "rate": 0.1, "name": "x",
                "H": np.diag([1.0, 2.0])}
    made = invented(measured)
    assert np.array_equal(np.isfinite(made["rows"]), np.isfinite(measured["rows"]))
    assert made["rows"][0, 0] != 1 and list(made["count"]) == [3, 4] and (made["rate"], made["name"]) == (0.1, "x")
    assert (made["H"] == made["H"].T).all() and np.linalg.eigvalsh(made["H"]).min() > 0
    other = invented(measured | {"rows": measured["rows"] * 1.5})
    assert np.array_equal(made["rows"], other["rows"], equal_nan=True), "new measurements are no difference"


def test_most_pictures_with_lines_have_some_that_are_arrays():
    """Of some pictures all is worked out while they are drawn, or there are no lines, as in a table."""
    known = [file.stem for file in SHOWN.glob("*.txt")
             if re.search(r": [^:]*\w(\[[\d, ]+\])? over ", file.read_text(encoding="utf-8"))]
    assert len(known) > len(figures.names()) / 2
    assert {file.stem for file in SHOWN.glob("*.txt")} == set(figures.names())
