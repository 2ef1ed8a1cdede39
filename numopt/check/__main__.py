"""python -m numopt.check WHAT ..."""
import sys

from numopt.check.command import main

sys.exit(main())
