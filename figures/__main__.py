"""python -m figures: see making/command.py."""
import sys

from figures.making.command import main

if __name__ == "__main__":
    sys.exit(main())
