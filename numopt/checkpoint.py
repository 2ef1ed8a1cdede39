"""Named arrays in a file that appears whole or not at all, and is read whole or not at all.

The file is a NumPy archive (.npz) without compression, whose comment is the SHA-256 of all that stands before it.

Whoever writes has a temporary file beside it that nobody else has, and holds a lock on it while it lives: what a
process that was killed has left there has none, and goes with the next that writes.
"""
import errno
import hashlib
import io
import os
import secrets
import stat
import warnings
import zipfile
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path

import numpy as np

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # as on Windows, where nobody can remove a file that another has open
    LOCK_EX = LOCK_NB = 0

    def flock(stream, how):
        pass

SUM = b"sha256 "
LENGTH = len(SUM) + 64
ONLY_MINE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write(file, arrays):
    """Write arrays by their names.  A link is followed, and a file keeps its mode; what is no file is left one."""
    there = mode_of(file)
    if there is not None and not stat.S_ISREG(there):
        write_into(file, there, arrays)
        return
    file = Path(os.path.realpath(file))
    remove_leftovers(file)
    with temporary(file, there) as (stream, name):
        write_archive(stream, arrays)
        stream.flush()
        os.replace(name, file)


def write_archive(stream, arrays):
    np.savez(stream, **arrays)
    stream.seek(-2, os.SEEK_END)
    stream.write(LENGTH.to_bytes(2, "little"))  # of the comment
    stream.flush()
    stream.seek(0)
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0, os.SEEK_END)
    stream.write(SUM + found.encode())


def mode_of(file):
    """What kind of file it is, and who may do what with it; None if there is none."""
    try:
        return os.stat(file).st_mode
    except FileNotFoundError:
        return None


def write_into(file, mode, arrays):
    """A pipe and a device stay what they are: a pipe gets the file if somebody reads there."""
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise ValueError(f"{file} is there and is no file: give another name")
    contents = io.BytesIO()
    write_archive(contents, arrays)
    try:
        number = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        warnings.warn(f"{file} is a pipe that nobody reads: what should have been saved is kept nowhere", stacklevel=4)
        return
    os.set_blocking(number, True)
    with open(number, "wb") as stream:
        stream.write(contents.getbuffer())


@contextmanager
def temporary(file, mode):
    """A file of our own in the same folder, locked, and its name; it is gone afterwards, unless it has another name."""
    while True:
        name = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
        stream = open(os.open(name, ONLY_MINE, 0o666 if mode is None else 0o600), "w+b")
        try:
            flock(stream, LOCK_EX)
            if not name.exists():  # another took it for a leftover before it was locked
                continue
            if mode is not None:
                os.chmod(name, stat.S_IMODE(mode))
            yield stream, name
            return
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
            stream.close()


def remove_leftovers(file):
    """Remove the temporary files of those that no longer live."""
    beginning, end = f".{file.name}.", ".part"
    for name in os.listdir(file.parent):
        if name.startswith(beginning) and name.endswith(end) and len(name) == len(beginning) + 16 + len(end):
            with suppress(OSError), open(file.with_name(name), "rb") as stream:
                flock(stream, LOCK_EX | LOCK_NB)
                os.unlink(file.with_name(name))


def read(file):
    """The arrays by their names, read-only; nothing is taken at its word before it is known to be there."""
    with open(file, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ValueError("it is no file, but a device or a pipe")
        contents = stream.read()
    with zipfile.ZipFile(io.BytesIO(contents)) as archive:
        if archive.comment.startswith(SUM):
            if hashlib.sha256(memoryview(contents)[:-LENGTH]).hexdigest().encode() != archive.comment[len(SUM):]:
                raise ValueError("its sum is not the one that was written")
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed, which save does not do")
        if sum(member.file_size for member in members) > len(contents):
            raise ValueError("it holds more than it is long")
        return {member.filename.removesuffix(".npy"): array_of(archive.read(member)) for member in members}


def array_of(contents):
    """The array of an .npy file, if there are as many bytes as its header says."""
    stream = io.BytesIO(contents)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    start = stream.tell()
    if dtype.hasobject or prod(shape) * dtype.itemsize != len(contents) - start or prod(shape) > len(contents):
        raise ValueError(f"an array of shape {shape} in {dtype} is not what {len(contents) - start} bytes hold")
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype)
    array = np.frombuffer(contents, dtype, offset=start).reshape(shape, order="F" if fortran else "C").copy(order="K")
    array.flags.writeable = False
    return array
