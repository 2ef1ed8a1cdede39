"""draw() draws the arrays that it is given, each where and as what it says; see drawing.py."""
import matplotlib.pyplot as plt
import numpy as np
import pytest

import figures
from tests.figures.drawing import SHOWN, drawn, shown


@pytest.mark.parametrize("name", figures.names())
def test_every_line_is_the_array_that_it_was(name, arrays):
    file = SHOWN / f"{name}.txt"
    assert file.exists(), f"write down what {name} shows: python -m tests.figures.drawing {name}"
    expected = file.read_text(encoding="utf-8").splitlines()
    assert drawn(name, arrays(name)) == [line for line in expected if line]


ARRAYS = {"loss": np.random.default_rng(0).random((2, 3, 7)).cumsum(axis=-1), "t": np.arange(7.0)}


def picture(curves=(0, 1), words=("up", "down"), panels=(0, 1), shift=0):
    """Two panels with the mean of three rows each, and a word in the colour of the line."""
    figure, axes = plt.subplots(1, 2)
    for ax, panel in zip(axes, panels):
        for i, color in zip(curves, ["tab:blue", "tab:red"]):
            y = np.roll(ARRAYS["loss"].mean(axis=1)[i], shift) if panel == 0 else ARRAYS["loss"][i, 0]
            ax.plot(ARRAYS["t"], y, color=color)
        for word, color in zip(words, ["tab:blue", "tab:red"]):
            ax.text(0, 0, word, color=color)
    found = shown(figure, ARRAYS)
    plt.close(figure)
    return found


def test_what_is_shown_is_found_in_the_arrays():
    assert picture()[:2] == ["panel 0, colour 0: mean of loss[0] over t", "panel 0, colour 1: mean of loss[1] over t"]
    assert picture()[2] == "panel 1, colour 0: loss[0, 0] over t"
    assert picture()[-1] == "panel 1, colour 1: the words 'down'"


@pytest.mark.parametrize("wrong", [{"curves": (1, 0)}, {"words": ("down", "up")}, {"panels": (1, 0)}, {"shift": 1}])
def test_swapped_curves_labels_or_panels_and_a_shifted_line_are_seen(wrong):
    assert picture(**wrong) != picture()


def test_every_picture_with_lines_has_some_that_are_known():
    """Of some pictures all is computed in draw, or there are no lines, as in a table."""
    known = [file.stem for file in SHOWN.glob("*.txt") if " over " in file.read_text(encoding="utf-8")]
    assert len(known) > len(figures.names()) / 2
    assert {file.stem for file in SHOWN.glob("*.txt")} == set(figures.names())
