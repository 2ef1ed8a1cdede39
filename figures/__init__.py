"""The figures of the lectures, one script each; how they are made stands in making/.

    python -m figures                            draw them all into figures/out
    python -m figures zigzag saddle              only these; also python figures/zigzag.py
    python -m figures --list                     what there is, and what each one shows; of a NAME its parameters
    python -m figures zigzag --set gamma=50      with other parameters, to a file of another name
    python -m figures zigzag --style dark        for dark slides; --transparent, --format svg or pdf
    python -m figures NAME --recompute           repeat the trainings that it is drawn from: see making/records.py
    python -m figures NAME --animate             the moving pictures, where there are: see making/moving.py
    python -m figures --sheet                    all of them on one page

A figure is a file NAME.py with a docstring, whose first line says what the figure shows and whose last paragraph says
where it comes from; a function compute(), whose keywords are what can be changed, that returns arrays by name; and a
function draw(**arrays) that returns a Figure.  It knows nothing of files, and its claim is tested on the arrays that it
draws.  The pictures that the lectures show are in figures/rendered.
"""
from importlib import import_module

# What making/rendering.py hands on: figures.names(), figures.caption("zigzag"), figures.render("zigzag"), ...
__all__ = ["HERE", "OUT", "RENDERED", "animated", "caption", "drawing", "load", "names", "render", "those_that_move"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"figures has no {name!r}")
    return getattr(import_module("figures.making.rendering"), name)
