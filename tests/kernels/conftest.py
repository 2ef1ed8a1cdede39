"""Here both versions of every hot loop run, whatever the other tests are to run."""
import pytest

from numopt.kernels.twins import Kernel


@pytest.fixture(autouse=True)
def not_reading(monkeypatch):
    monkeypatch.setattr(Kernel, "reading", False)
