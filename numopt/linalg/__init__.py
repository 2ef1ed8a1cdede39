"""What is solved on the way: linear systems, spectra, and roots of matrices."""
from numopt import handed_on

__getattr__, __dir__ = handed_on(__name__, __path__[0])
