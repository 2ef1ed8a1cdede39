"""One colour, one line and one mark for each method; colours that stay apart when they are copied; bands and labels."""
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import rc_params_from_file
from matplotlib.colors import to_hex, to_rgb
from numpy.testing import assert_allclose

import figures
from figures.making import adaptive_rate, style
from numopt import optimizers
from tests.figures.drawing import grey


def lightness(color):
    """CIE L*: what the eye makes of a colour, from 0 to 100."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055)**2.4 for c in to_rgb(color)])
    return 116 * np.cbrt(max(linear @ [0.2126, 0.7152, 0.0722], 1e-4)) - 16


def test_no_two_colours_have_the_same_grey_for_a_copier_nor_for_the_eye():
    assert len(style.COLORS) == 8
    for one, other in combinations(style.COLORS, 2):
        assert abs(grey(one) - grey(other)) > 17, (one, other)
        assert abs(lightness(one) - lightness(other)) > 3, (one, other)
    assert max(map(grey, style.COLORS)) < 170, "on white paper"


# How the cones of those who miss one kind of them mix red, green and blue (Machado, Oliveira and Fernandes 2009).
BLINDNESS = {"none": np.eye(3),
             "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]],
             "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_colour_blind_tell_all_apart(kind):
    seen = [np.array(BLINDNESS[kind]) @ to_rgb(color) for color in style.COLORS]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 0.1


def test_what_is_drawn_without_a_colour_has_one_of_these():
    cycle = rc_params_from_file(figures.HERE / "making" / "lectures.mplstyle", use_default_template=False)
    colors = [to_hex(color) for color in cycle["axes.prop_cycle"].by_key()["color"]]
    assert len(set(colors)) == len(colors) and set(colors) <= {color.lower() for color in style.COLORS}


def test_every_method_has_a_colour_and_a_mark_that_no_other_has():
    looks = [(style.METHODS[name][0], style.mark(name)) for name in optimizers.__all__]
    assert len(set(looks)) == len(looks)
    assert {color for color, _ in looks} <= set(style.COLORS)


def test_a_new_method_takes_no_other_ones_mark_and_has_one_of_its_own(monkeypatch):
    before = {name: style.mark(name) for name in optimizers.__all__}
    newcomers = [f"newcomer_{k}" for k in range(9)]
    monkeypatch.setattr(optimizers, "__all__", [*newcomers[:4], *optimizers.__all__, *newcomers[4:]])
    assert before == {name: style.mark(name) for name in before}
    looks = [(style.METHODS[name][0], style.mark(name)) for name in optimizers.__all__]
    assert len(set(looks)) == len(looks)
    known = {"known": (style.COLORS[0], style.SPARE[0], "known"), "other": (style.COLORS[2], style.SPARE[0], "other")}
    given = [style.Looks(known)[name][:2] for name in (*newcomers, "known", "other")]
    assert len(set(given)) == len(given), "nor one that was given to a method of those that are spare"


@pytest.mark.parametrize("name", [name for name in figures.names() if name.startswith("rate_")
                                  and hasattr(figures.load(name), "DRAWN") and hasattr(figures.load(name), "runs")])
def test_a_run_has_the_colour_of_its_method(name):
    script = figures.load(name)
    for run, function in script.runs("digits").items():
        drawn = script.DRAWN.get(run.split(", seed")[0])
        method, = (argument for argument in function.args if argument in adaptive_rate.METHODS)
        assert drawn is None or drawn[1] == style.METHODS[method][0], run
    looks = [look[1:] for look in script.DRAWN.values()]
    assert len(set(looks)) == len(looks)


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(4, 3), dpi=100)
    yield ax
    plt.close(figure)


def heights(ax):
    """Of the labels of a panel, by their words."""
    ax.figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in ax.texts}
    return {words: (box.y0 + box.y1) / 2 for words, box in boxes.items()}, boxes


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_label_stands_where_its_line_ends_and_those_of_lines_that_end_together_one_above_the_other(ax, scale):
    ax.set(yscale=scale, ylim=(1, 10), xlim=(0, 1))
    style.end_labels(ax, [("alone", 2.0, "black"), ("low", 8.0, "red"), ("middle", 8.01, "red"), ("high", 8.02, "red")])
    at, boxes = heights(ax)
    assert_allclose(at["alone"], ax.transData.transform((1, 2.0))[1], atol=1)
    assert at["low"] < at["middle"] < at["high"]
    assert boxes["low"].y1 < boxes["middle"].y0 and boxes["middle"].y1 < boxes["high"].y0
    assert all(box.x0 > ax.bbox.x1 for box in boxes.values())


def test_labels_stay_within_the_height_of_the_panel_and_one_of_two_lines_has_room_for_them(ax):
    ax.set(ylim=(0, 1), xlim=(0, 1))
    style.end_labels(ax, [("beyond", 3.0, "red"), ("two\nlines", 0.99, "black"), ("top", 1.0, "red")])
    at, boxes = heights(ax)
    assert max(at.values()) <= ax.bbox.y1 + 1
    for one, other in combinations(boxes.values(), 2):
        assert one.y1 <= other.y0 or other.y1 <= one.y0


@pytest.mark.parametrize("middle, reach, n", [(np.mean, (0, 100), 9), (np.median, (25, 75), 9), (np.mean, (0, 100), 2)])
def test_a_band_is_the_middle_of_the_rows_and_the_area_between_two_of_their_percentiles(ax, middle, reach, n):
    rows, x = np.random.default_rng(0).random((n, 5)), np.arange(7.0)
    line, = style.band(ax, x, rows, "red", "--", middle=middle, reach=reach, label="rows")
    assert_allclose(line.get_xydata(), np.column_stack([x[:5], middle(rows, axis=0)]))
    assert (line.get_color(), line.get_linestyle(), line.get_label()) == ("red", "--", "rows")
    low, high = np.sort(rows, axis=0)[[reach[0] * (n - 1) // 100, reach[1] * (n - 1) // 100]]
    area, = ax.collections
    vertices = area.get_paths()[0].vertices
    for k in range(5):
        found = vertices[vertices[:, 0] == k, 1]
        assert_allclose([found.min(), found.max()], [low[k], high[k]])


def test_of_one_row_there_is_no_band(ax):
    style.band(ax, np.arange(3), np.ones((1, 3)), "red")
    assert len(ax.lines) == 1 and not ax.collections
