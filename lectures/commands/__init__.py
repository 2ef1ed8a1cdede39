"""The commands of python -m lectures: a command is a file NAME.py in this folder, and nothing else registers it.

It has a docstring, whose first line is the help; arguments(parser), which adds its options to an argparse parser; and
run(options), which returns 0 if all went well, and raises ValueError or OSError with words for whoever typed it.
What it needs beyond the standard library it imports in run, so that the others work where that is missing.
"""
from importlib import import_module
from pathlib import Path


def all():
    """{name: module} of every command."""
    stems = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    return {stem: import_module(f"lectures.commands.{stem}") for stem in stems}
