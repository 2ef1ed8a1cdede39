"""How figures are made: style, records, moving pictures, the sheet, and the command.

A figure that is run by itself, `python figures/zigzag.py` or `python -m figures.zigzag`, is drawn by the command: the
first import from here sees which script was started, so that a figure needs no line for it.
"""
import sys
from pathlib import Path

STARTED = Path(getattr(sys.modules["__main__"], "__file__", None) or ".").resolve()

if STARTED.parent == Path(__file__).parents[1] and not STARTED.stem.startswith("_"):
    from figures.making.command import main
    sys.exit(main([STARTED.stem, *sys.argv[1:]]))
