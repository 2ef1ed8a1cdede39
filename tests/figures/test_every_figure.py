"""Every figure draws and says where it comes from; what its caption claims is tested in test_figures_*.py."""
import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

import figures
from figures.making import rendering
from numopt.kernels.twins import Kernel


@pytest.fixture
def drawn(arrays, tmp_path, monkeypatch):
    """A function that draws a figure, from arrays that are computed once for all tests, and gives the bytes."""
    def draw(name):
        computed = arrays(name)
        monkeypatch.setattr(figures.load(name), "compute", lambda: computed)
        return figures.render(name, tmp_path).read_bytes()

    return draw


@pytest.fixture(scope="module")
def before():
    """The bytes that were drawn of a figure before, by its name."""
    return {}


@pytest.mark.parametrize("name", figures.names())
def test_the_picture_in_the_repository_is_what_it_draws(name, drawn, before):
    there, here = rendering.DRAWN_WITH.read_text(encoding="utf-8").strip(), rendering.drawn_with()
    if there != here or Kernel.reading:
        pytest.skip(f"to the byte only with {there}, and compiled; here is {here}")
    before[name] = drawn(name)
    assert before[name] == (figures.RENDERED / f"{name}.png").read_bytes(), (
        f"look at it: python -m figures {name}; and if it is as it should be: python -m figures {name} --maintain")


@pytest.mark.parametrize("name", ["rate_momentum", "zigzag", "saddle"])
def test_it_draws_the_same_bytes_twice(name, drawn, before):
    first = before.get(name) or drawn(name)
    assert first[:8] == b"\x89PNG\r\n\x1a\n" and first == drawn(name)


def test_what_the_solver_of_the_layout_adds_up_in_another_order_moves_nothing(monkeypatch):
    lay_out, places = ConstrainedLayoutEngine.execute, []
    for noise in 0, 1e-13, -3e-13:
        def otherwise(self, figure):
            lay_out(self, figure)
            for ax in figure.axes:
                ax._set_position(np.array(ax.get_position(original=True).bounds) * (1 + noise), "both")

        monkeypatch.setattr(ConstrainedLayoutEngine, "execute", otherwise)
        with figures.drawing():
            figure, axes = plt.subplots(2, 2)
            axes[0, 0].set(title="one", ylabel="two")
            rendering.in_the_corner(figure, "a note")
            rendering.settled(figure)
            figure.canvas.draw()
            places.append([ax.get_position().bounds for ax in figure.axes])
    assert places[0] == places[1] == places[2]


SHORT = {"adahessian_smoothing": {"rates": (0.1,), "steps": 5}, "ivon_diagonal": {"steps": 100},
         "unified_table": {"steps": 3}, "one_matrix_eight_updates": {"batches": 2}, "momentum_and_noise": {"steps": 20}}


@pytest.mark.parametrize("name", [name for name in figures.names()
                                  if "seed" in inspect.signature(figures.load(name).compute).parameters])
def test_with_another_seed_it_computes_something_else(name):
    one, other = (figures.load(name).compute(**SHORT.get(name, {}), seed=seed) for seed in (1, 2))
    assert any(not np.array_equal(one[key], other[key], equal_nan=np.asarray(one[key]).dtype.kind == "f")
               for key in one), "the seed is not used"


@pytest.mark.parametrize("name", figures.names())
def test_its_docstring_is_a_caption_and_a_source(name):
    caption, *_, source = figures.load(name).__doc__.strip().split("\n\n")
    assert caption.endswith(".") and "\n" not in caption and "Lecture" in source


def test_the_pictures_of_the_lectures_are_those_of_the_scripts():
    assert sorted(file.stem for file in figures.RENDERED.glob("*")) == figures.names()
