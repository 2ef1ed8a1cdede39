"""The sums that the twins of dense layers and convolutions are made of."""
import zlib
from importlib import import_module

from tests.kernels.both import ROOT


def assert_callers_change_with(made_of, callers):
    """These files, and no others, have twins that call what is in that one, and hold its checksum."""
    checksum = zlib.crc32((ROOT / "numopt" / "kernels" / f"{made_of}.py").read_bytes())
    for caller in callers:
        held = getattr(import_module(f"numopt.kernels.{caller}"), made_of.upper())
        assert held == checksum, f"{made_of.upper()} in {caller}.py is to be {checksum:#010x}"
    found = {file.stem for file in (ROOT / "numopt").rglob("*.py") if f"import {made_of}\n" in file.read_text("utf-8")}
    assert found == callers


def test_files_with_twins_that_call_the_tiles_change_with_them():
    assert_callers_change_with("tiles", {"convolution", "dense", "pixels", "winograd"})
