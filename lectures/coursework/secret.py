"""The teacher's secret, from which and from a program the hidden numbers of its grading follow.

Without it nobody can draw them at home.  It is made once, and kept: the same program has the same grade again.
"""
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

USUAL = Path("~/.config/numopt/grading-secret")
LEAST = 16  # bytes


def kept(file=None):
    """The bytes in the file, which is made where there is none: for its owner alone."""
    file = Path(file or USUAL).expanduser()
    if not file.exists():
        if file != USUAL.expanduser() and not file.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {file.parent} for the secret")
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # only its owner may read it
        try:
            with open(handle, "w", encoding="ascii") as opened:
                opened.write(secrets.token_hex(32) + "\n")
            with suppress(FileExistsError):  # another grading has just made it
                os.link(fresh, file)
        finally:
            os.unlink(fresh)
    secret = file.read_bytes().strip()
    if len(secret) < LEAST:
        raise ValueError(f"the secret in {file} has {len(secret)} bytes; {LEAST} are the least: give another file, "
                         "which is made where there is none")
    return secret
