"""What the figures that move share: python -m figures NAME --animate.

A figure that moves has a function animate(**arrays) beside draw, which returns a Matplotlib animation.
"""
import numpy as np
from matplotlib.animation import FuncAnimation

from figures.making.rendering import settled

DPI, A_SECOND = 80, 8  # of the frames
PAUSE = 15  # frames at the end, before it begins again


def revealed(figure, steps, axes=None):
    """The lines of a drawn figure, from their first points to all that `steps`, one number a frame, allows.

    A line of n + 1 points stands for n steps; text and all that is not a line of several points stay as they are.
    """
    lines = [line for ax in (figure.axes if axes is None else axes) for line in ax.lines if len(line.get_xdata()) > 2]
    known = [(line, points(line)) for line in lines]

    def show(frame):
        for line, coordinates in known:
            put(line, [x[:steps[frame] + 1] for x in coordinates])
        return lines

    return animation(figure, show, len(steps))


def animation(figure, show, frames):
    """show(0), show(1), ..., which return what moves, and a pause.

    All else is laid out and drawn once, and then lies as a picture beneath what moves.
    """
    moving = set(show(0))
    figure.set_dpi(DPI)
    settled(figure)
    figure.canvas.draw()
    figure.set_layout_engine("none")
    seen_beneath(figure, moving)
    return FuncAnimation(figure, lambda frame: show(min(frame, frames - 1)), frames=frames + PAUSE)


def seen_beneath(figure, moving):
    """Draw all but what moves, and put that picture in its place."""
    for artist in moving:
        artist.set_visible(False)
    figure.canvas.draw()
    still = np.array(figure.canvas.buffer_rgba())
    for artist in [*figure.texts, *(artist for ax in figure.axes for artist in ax.get_children())]:
        artist.set_visible(artist in moving)
    figure.figimage(still, zorder=-1)


def points(line):
    """The coordinates of a line, in the plane or in space."""
    return [np.asarray(x) for x in (line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data())]


def put(line, coordinates):
    (line.set_data_3d if hasattr(line, "set_data_3d") else line.set_data)(*coordinates)
