"""Every figure draws and says where it comes from; what its caption claims is tested in test_figures_*.py."""
import pytest

import figures


@pytest.mark.parametrize("name", figures.names())
def test_it_draws_the_same_bytes_twice(name, arrays, tmp_path, monkeypatch):
    computed = arrays(name)
    monkeypatch.setattr(figures.load(name), "compute", lambda: computed)
    first = figures.render(name, tmp_path / "first").read_bytes()
    assert first[:8] == b"\x89PNG\r\n\x1a\n" and first == figures.render(name, tmp_path / "second").read_bytes()


@pytest.mark.parametrize("name", figures.names())
def test_its_docstring_is_a_caption_and_a_source(name):
    caption, *_, source = figures.load(name).__doc__.strip().split("\n\n")
    assert caption.endswith(".") and "\n" not in caption and "Lecture" in source


def test_the_pictures_of_the_lectures_are_those_of_the_scripts():
    assert sorted(file.stem for file in figures.RENDERED.glob("*")) == figures.names()
