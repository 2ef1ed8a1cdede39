"""The sums that the twins of dense layers and convolutions are made of."""
import zlib

from numopt.kernels import convolution, dense
from tests.kernels.both import ROOT


def test_files_with_twins_that_call_the_tiles_change_with_them():
    source = (ROOT / "numopt" / "kernels" / "tiles.py").read_text(encoding="utf-8")
    assert dense.TILES == convolution.TILES == zlib.crc32(source.encode()), "put it into both files"
    callers = [file.stem for file in (ROOT / "numopt").rglob("*.py") if "import tiles" in file.read_text("utf-8")]
    assert sorted(callers) == ["convolution", "dense"]
