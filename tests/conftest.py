"""What several test modules share."""
import pytest

import figures


@pytest.fixture(scope="session")
def arrays():
    """What a figure draws, by its name: computed once for all the tests, and so not to be written into."""
    known = {}

    def compute(name):
        if name not in known:
            known[name] = figures.load(name).compute()
            for array in known[name].values():
                array.flags.writeable = False
        return known[name]

    return compute
