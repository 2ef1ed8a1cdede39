"""What is minimised: functions of a few numbers, least squares, systems, and the loss of a network on data."""
from numopt import handed_on

__getattr__, __dir__ = handed_on(__name__, __path__[0])
