"""No test makes a secret where the teacher's is."""
import pytest

from lectures.coursework import secret


@pytest.fixture(autouse=True)
def secret_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(secret, "USUAL", tmp_path_factory.getbasetemp() / "grading-secret")
