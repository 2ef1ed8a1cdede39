"""Pictures for dark slides: what is black becomes white, and colours become lighter.

A figure is drawn as ever, in black on white, and then its ink is changed, so that no script needs to know of it.
"""
import colorsys

import numpy as np
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

DARK, LIGHT = np.array([0.09, 0.1, 0.12]), np.array([0.94, 0.94, 0.94])
LEAST = 0.6  # the lightness of a colour on a dark ground

INK = {Text: ["color"], Line2D: ["color", "markerfacecolor", "markeredgecolor"], Patch: ["facecolor", "edgecolor"],
       Collection: ["facecolor", "edgecolor"]}


def turned(color):
    """A colour for the dark ground: greys are turned round, and others made lighter, where they are not light."""
    r, g, b, alpha = to_rgba(color)
    if max(r, g, b) - min(r, g, b) < 0.02:
        return *(LIGHT + g * (DARK - LIGHT)), alpha
    hue, lightness, saturation = colorsys.rgb_to_hls(r, g, b)
    return *colorsys.hls_to_rgb(hue, max(lightness, LEAST), saturation), alpha


def darken(figure):
    """Change the ink of a figure, and lay it on a dark ground; images and what is coloured by values stay."""
    for axis in figure.findobj(Axis):
        axis.get_ticklabels()  # before that, there are no ticks
    artists = {id(artist): artist for artist in figure.findobj()}
    for artist in list(artists.values()):
        for other in (getattr(artist, "_bbox_patch", None), getattr(artist, "arrow_patch", None)):
            if other is not None:
                artists[id(other)] = other
    for artist in artists.values():
        for kind, properties in INK.items():
            if isinstance(artist, kind) and not (kind is Collection and artist.get_array() is not None):
                before = {key: getattr(artist, f"get_{key}")() for key in properties}
                artist.set(**{key: all_turned(color) for key, color in before.items()})
    return figure


def all_turned(colors):
    """One colour, or a row of them as collections have."""
    if isinstance(colors, np.ndarray) and colors.ndim == 2:
        return [turned(color) for color in colors]
    return colors if isinstance(colors, str) and colors == "none" else turned(colors)
