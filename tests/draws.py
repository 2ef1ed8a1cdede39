"""Each test draws as if it were the only one: a generator that the tests of a module share starts anew for each."""
import numpy as np

STATES = {}


def afresh(module):
    """Put back every generator of this module to where it stood when the module had been imported."""
    for name, generator in vars(module).items():
        if isinstance(generator, np.random.Generator):
            bits = generator.bit_generator
            bits.state = STATES.setdefault((module.__name__, name), bits.state)
