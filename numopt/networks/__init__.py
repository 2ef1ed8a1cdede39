"""What is trained: layers, losses and the models made of them, with every derivative written out by hand."""
from numopt import handed_on

__getattr__, __dir__ = handed_on(__name__, __path__[0])
