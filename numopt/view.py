"""The unified view: what every method takes for a step's length and for the curvature.          Lecture 9.

    place(adam)   Place(length="each by gradient", curvature="F̃", structure="diagonal", over_time="average, momentum")

Four columns, those of Zheng's Table 1: which limit a step's length has, what stands for the Hessian, in which form, and
what is gathered over time.  A loop says its own place at the end of its docstring,

    In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum.

and leaves out a column in which nothing is limited or approximated.  The words are those of the tables below, each
with its cell in the lectures.  What follows from a place can be tested, and is: to which power of the loss, and of the
units of θ, a first step goes, and how θ may be turned without changing the path.
"""
import re
from typing import NamedTuple


class Place(NamedTuple):
    """The row of a method: a word of LENGTHS, of CURVATURES and of STRUCTURES, and words of OVER_TIME."""

    length: str = ""
    curvature: str = ""
    structure: str = ""
    over_time: str = ""


class Limit(NamedTuple):
    """The step is −ε H'^(−power) g; where it is `fixed`, as long as that in H', whatever g is, or "plain", in θ."""

    cell: str
    power: float = 1.0
    fixed: str = ""
    units: int = 0    # with how many units of θ ε goes


class Curvature(NamedTuple):
    """What stands for H, with which power of the loss it goes, and with how many of one over the units of θ."""

    cell: str
    loss: int = 0
    units: int = 0


EACH = r"\lVert d_i\rVert_{H'}"
GRADIENT = r"\epsilon\lvert\hat g_i\rvert"
LENGTHS = {
    "": Limit(""),
    "whole": Limit(r"$\lVert d\rVert_{H'}=\epsilon$", fixed="H'"),
    "whole at most": Limit(r"$\lVert d\rVert_{H'}\le\epsilon$"),
    "each by gradient": Limit(f"${EACH}={GRADIENT}$", power=0.5),
    "each by gradient at most": Limit(f"${EACH}\\le{GRADIENT}$"),
    "each by gradient and the way gone": Limit(f"${EACH}={GRADIENT}$, $\\epsilon$ from the way gone", 0.5, units=1),
    "each": Limit(f"${EACH}=\\epsilon$", fixed="H'"),
    "each at most": Limit(f"${EACH}\\le\\epsilon$"),
    "each number at most": Limit(r"$\lvert d_i\rvert\le\epsilon$"),
    "layers by their weights": Limit(r"$\lVert d\rVert=\epsilon\lVert\theta\rVert$ by layer", fixed="plain"),
    "radius": Limit(r"$\lVert d\rVert\le\Delta$", fixed="plain"),
    "search": Limit("by a search", fixed="plain"),
    "damping": Limit("by damping"),
    "damping and search": Limit("by damping and a search"),
    "rate at most": Limit("the rate, by a largest one"),
}
CURVATURES = {
    "": Curvature(""),
    "H": Curvature("$H$", 1, 2), "|H|": Curvature(r"$\lvert H\rvert$", 1, 2), "G": Curvature("$G$", 1, 2),
    "F": Curvature("$F$", 1, 2), "F sampled": Curvature("$F$, sampled", 1, 2),
    "H sampled": Curvature("$H$, sampled", 1, 2), "H or F sampled": Curvature("$H$ or $F$, sampled", 1, 2),
    "H along g": Curvature("$H$ along $g$", 1, 2), "changes of g": Curvature("changes of $g$", 1, 2),
    "F̃": Curvature(r"$\tilde F$ of batches", 2, 2), "covariance": Curvature(r"$\tilde F-mm^\top$ of batches", 2, 2),
    "fall": Curvature("how far $f$ has to fall", 1, 2), "signs": Curvature("signs of $g$"),
    "agreement": Curvature("agreement of $g$"), "δ": Curvature(r"$\delta$"),
}
# The cell, and what may be done to the coordinates of θ without another path: all may be turned; or the rows and the
# columns of each layer; or coordinates may change signs and places, all of them or within a layer.
STRUCTURES = {
    "": ("", "turns"), "LI": ("$LI$", "turns"), "cI": ("$cI$", "turns"),
    "pairs": ("rank of the pairs", "turns"), "rank 1": ("$cI$ and rank-1 updates", "turns"),
    "rank 2": ("$cI$ and rank-2 updates", "turns"), "diagonal": ("diagonal", "signs"),
    "diagonal by layer": ("diagonal, as long as a layer", "layer signs"),
    "diagonal by row": ("diagonal, alike in a row", "layer signs"),
    "diagonal turned": ("diagonal, turned by layer", "layer turns"),
    "blocks of neighbours": ("an inverse of blocks of neighbours", "layer turns"),
    "G ⊗ A": (r"by layer, $G\otimes A$", "layer turns"), "√(L ⊗ R)": (r"by layer, $(L\otimes R)^{1/2}$", "layer turns"),
    "L ⊗ I": (r"by layer, $L\otimes I$", "layer turns"),
    "triangles": (r"by layer, $G\otimes A$ between diagonals", "layer flips"),
}
OVER_TIME = {
    "sum", "average", "largest", "momentum", "gains", "lengths", "rate", "radius", "damping", "last direction",
    "last pair", "last pairs", "all pairs", "mean of iterates", "anchor", "learned", "first length"}
INNER = "the inner method's"
COLUMNS = {"length": LENGTHS, "curvature": CURVATURES, "structure": STRUCTURES}
DECLARED = re.compile(r"In Table 1: ([^.]*)\.$", re.MULTILINE)
EXAMPLE = "In Table 1: length each by gradient; curvature F̃; structure diagonal; over time average, momentum."


def place(method):
    """The place that a method declares in its docstring; ValueError says what is wrong, and what to write."""
    found = DECLARED.findall(method.__doc__ or "")
    name = method.__name__
    if len(found) != 1:
        raise ValueError(f"{name} says its place {len(found)} times, and must once: end its docstring with a line as "
                         f'"{EXAMPLE}"; a column without approximation is left out, and all of them are "none"')
    if found[0] == INNER or found[0].startswith(f"{INNER}; over time "):
        return Place(INNER, INNER, INNER, found[0].removeprefix(INNER).removeprefix("; over time "))
    columns = {}
    for part in [] if found[0] == "none" else found[0].split("; "):
        column = next((column for column in (*COLUMNS, "over time") if part.startswith(f"{column} ")), None)
        if column is None or column in columns:
            raise ValueError(f"{name}: {part!r} is no column of {EXAMPLE!r}")
        columns[column] = word = part.removeprefix(f"{column} ")
        known = COLUMNS.get(column, OVER_TIME)
        for one in [word] if column in COLUMNS else word.split(", "):
            if one not in known:
                raise ValueError(f"{name}: {one!r} is not known for {column}; numopt.view has "
                                 f"{', '.join(filter(None, sorted(known)))}")
    return Place(*(columns.get(column, "") for column in (*COLUMNS, "over time")))


def powers(place):
    """With which power of the loss a step goes, and of one over the units of θ, where nothing binds that is "at most".

    g goes with the power 1 of both.  Newton's step does not see the loss, and is as large as θ: 0 and −1.
    """
    limit, H = LENGTHS[place.length], CURVATURES[place.curvature]
    if limit.fixed == "plain":
        return 0, -1
    if limit.fixed:
        return -H.loss / 2, -H.units / 2
    return 1 - limit.power * H.loss, 1 - limit.power * H.units - limit.units


def turns(place):
    """What may be done to the coordinates of θ: a word of STRUCTURES' second column; the sides of L I are the axes."""
    if place.length in ("each", "each number at most") and place.structure in ("LI", "cI"):
        return "signs"
    return STRUCTURES[place.structure][1]


def cells(place):
    """The four cells of a row, as Markdown."""
    if place.structure == INNER:
        return (INNER, INNER, INNER, place.over_time)
    return (LENGTHS[place.length].cell, CURVATURES[place.curvature].cell, STRUCTURES[place.structure][0],
            place.over_time)
