"""The hot loops, each written twice, in NumPy and for the compiler: see twins.py."""
from numopt import handed_on

__getattr__, __dir__ = handed_on(__name__, __path__[0])
