"""From an address or a local copy to the stored set: download, find, check, convert, store.

Whatever goes wrong, nothing half-written stays: downloads and the file being written live in a temporary folder
inside the cache folder, and the finished file takes its name in one step (os.replace).
"""
import bz2
import gzip
import hashlib
import logging
import lzma
import os
import re
import shutil
import tarfile
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pooch
from tqdm import tqdm

from data_scripts.deadline import PATIENCE, SLOWEST, in_time
from data_scripts.formats import DataError
from data_scripts.sources import File
from numopt import data
from numopt.checkpoint import LOCK_EX, LOCK_NB, flock

LOCK = ".lock"    # in a temporary folder: whoever works there holds it
SPARE = 2**24    # bytes that a download or an archive may have more than its files: other members, a longer text
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError)
pooch.get_logger().setLevel(logging.WARNING)    # it announces every file and its sum


def fetch(name, source, path=None, prefix=False):
    """Store the set `name`, downloaded or from `path`, unless it is in place; return what was done, in one line."""
    stored = data.folder() / name
    recover(stored)
    if in_place(stored, prefix):
        return f"{name} is in place: {stored}"
    data.folder().mkdir(parents=True, exist_ok=True)
    remove_leftovers(data.folder())
    contents = find(Path(path), source, prefix) if path else download(name, source)
    complete = all(len(contents[file.name]) == file.size for file in source.files if file.size)
    store(source.convert(contents), complete, stored)
    return f"{name} is stored{'' if complete else ', in part,'} in {stored}"


def store(arrays, complete, stored):
    """One .npy file for each array in the folder `stored`, which appears only when it is whole."""
    with temporary(".storing-", stored.parent) as folder:
        new = Path(folder) / "new"
        new.mkdir()
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array, allow_pickle=False)
        if complete:
            (new / "complete").touch()
        recover(stored)
        try:
            if stored.exists():
                os.replace(stored, aside(stored))
            os.replace(new, stored)
        finally:
            recover(stored)


@contextmanager
def temporary(prefix, parent):
    """A folder that is gone afterwards, with a lock in it while we live."""
    with TemporaryDirectory(prefix=prefix, dir=parent) as folder, open(Path(folder) / LOCK, "wb") as lock:
        flock(lock, LOCK_EX)
        yield folder


def remove_leftovers(parent):
    """Remove the temporary folders of those that were killed: nobody has a lock on what is in there."""
    for folder in [*parent.glob(".storing-*"), *parent.glob(".downloading-*")] if LOCK_EX else []:
        with suppress(OSError), open(folder / LOCK, "rb") as lock:
            flock(lock, LOCK_EX | LOCK_NB)
            shutil.rmtree(folder)


def aside(stored):
    """Where the old set stands for a moment, while the new one takes its place."""
    return stored.parent / f".old-{stored.name}"


def recover(stored):
    """Put the old set back, if a change was broken off before the new one was there; or forget it."""
    if aside(stored).exists():
        if stored.exists():
            shutil.rmtree(aside(stored))
        else:
            os.replace(aside(stored), stored)


def in_place(stored, prefix=False):
    """Whether the set is stored as a whole, or with prefix=True at least its beginning, and can be read."""
    if not stored.is_dir() or not (prefix or (stored / "complete").exists()):
        return False
    try:
        return stored.name not in data.STORED or bool(data.whole(stored.name))
    except ValueError:
        return False


def download(name, source):
    """The contents of a set's files from the first mirror that has them all undamaged."""
    failures = []
    for mirror in source.mirrors:
        end = time.monotonic() + PATIENCE + sum(file.size or 0 for file in source.files) / SLOWEST
        with temporary(".downloading-", data.folder()) as folder:
            try:
                for file in source.downloads:
                    print(f"downloading {mirror}{file}")
                    with Bar(total=1, unit="B", unit_scale=True, leave=False) as bar:
                        bar.most, bar.address = most(source), mirror + file
                        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=30)
                        in_time(end, bar, pooch.retrieve, mirror + file, None, fname=file, path=folder,
                                downloader=downloader)
                return find(Path(folder), source)
            except DataError as error:
                failures.append(str(error).replace(folder + os.sep, mirror))
            except (OSError, ValueError) as error:  # an address or a header that makes no sense is a ValueError
                failures.append(f"{mirror}{file}: {plainly(error)}")
    addresses = " ".join(source.mirrors[0] + file for file in source.downloads)
    raise DataError(f"{'; '.join(failures)}.  Without a network, fetch by hand {addresses} and run  "
                    f"python -m data_scripts {name} --from FOLDER-OR-FILE")


class Bar(tqdm):
    """A bar that ends a download which is longer than all the files of its set."""

    def __bool__(self):
        return True  # pooch asks, and a bar that does not know its total would say no

    def update(self, n=1):
        super().update(n)
        if self.n > self.most:
            raise DataError(f"{self.address} sends more than {self.most:,} bytes, which is more than the whole set")


def most(source):
    """How many bytes the files of a set can have at most, with what else may be in an archive or a text."""
    return sum(file.size or 0 for file in source.files) + SPARE


def plainly(error):
    """A failed request in few words."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    words = {"ConnectionError": "no connection", "ConnectTimeout": "no connection", "SSLError": "no safe connection",
             "ReadTimeout": "the server fell silent", "ChunkedEncodingError": "the connection broke in the middle"}
    return words.get(type(error).__name__, str(error))


def find(path, source, prefix=False):
    """The checked contents {name: bytes} of a set's files in a folder, an archive, or for a set of one file, a file."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.is_dir():
        archive = path / source.downloads[0]
        if source.inside and archive.exists():
            return find_in_archive(archive, source)
        return find_in_folder(path, source, prefix)
    if source.inside:
        return find_in_archive(path, source)
    if len(source.files) == 1:
        return {source.files[0].name: read(path, source.files[0])}
    raise DataError(f"{path} is one file: give the folder that holds all of {', '.join(source.downloads)}")


def find_in_folder(folder, source, prefix):
    """The files of a set right in a folder, or in the folder inside it that unpacking the archive would make."""
    chosen, cut = {}, {}
    for file in source.files:
        names = [name + ending for name in (file.name, *file.other_names) for ending in ("", ".gz", ".xz")]
        paths = [path for name in names for path in (folder / name, folder / source.inside / name) if path.is_file()]
        if paths:
            chosen[file.name] = paths[0], file
        elif file.name in source.prefixes:
            cut |= beginning(folder, source, file)
    if prefix:
        chosen |= cut
    missing = [file.name for file in source.files if file.name not in chosen]
    if missing:
        hint = "".join(f"; {path.name} holds only the beginning of {name}: say --prefix to take it"
                       for name, (path, _) in cut.items() if not prefix)
        raise DataError(f"{folder} has no {', '.join(missing)} (plain, .gz or .xz){hint}")
    with tqdm(chosen.items(), "reading", unit="file", leave=False) as bar:
        return {name: read(path, file) for name, (path, file) in bar}


def beginning(folder, source, file):
    """{name: (path, File)} of the longest file that is named as the first N records, test_batch_first1017.bin.

    Where its sum is not known, its length must be right, and its labels are checked when it is converted.
    """
    stem, ending = file.name.split(".")
    named = re.compile(rf"({stem}_first(\d+)\.{ending})(\.gz|\.xz)?")
    paths = [*folder.glob("*"), *(folder / source.inside).glob("*")]
    matches = [(match, path) for path in paths if (match := named.fullmatch(path.name))]
    cut = [(int(match[2]) * source.record, match[1], path) for match, path in matches]
    cut = [(size, name, path) for size, name, path in cut if 0 < size < file.size]
    if not cut:
        return {}
    size, name, path = max(cut)
    known = {beginning.name: beginning for beginning in source.prefixes[file.name]}
    return {file.name: (path, known.get(name, File(name, size)))}


def find_in_archive(path, source):
    """The files of a set from a tar archive.

    Nothing is extracted: a member is read, as a stream, only if its name is exactly an expected one and it is a
    regular file.  So an archive can write nowhere, whatever the names and links in it.  Where the sum of the whole
    archive is published, it is compared before anything is read; no more is unpacked than such a set can have.
    """
    if source.archive_sha256 and (sum_found := pooch.file_hash(path)) != source.archive_sha256:
        raise DataError(f"{path} is damaged, cut short or another archive: expected {source.downloads[0]} with SHA-256 "
                        f"{source.archive_sha256}, found {sum_found}; a folder of the files unpacked can be given too")
    expected = {f"{source.inside}/{file.name}": file for file in source.files}
    found = {}
    try:
        with (unpacking(path) as stream,
              tarfile.open(fileobj=Bounded(stream, path, most(source)), mode="r|") as archive,
              tqdm(archive, "reading", unit="file", leave=False) as bar):
            for member in bar:
                if len(found) == len(expected):
                    break
                file = expected.get(member.name.removeprefix("./"))
                if file and member.isreg():
                    content = archive.extractfile(member).read(file.size + 1)
                    found[file.name] = check(content, file, f"{path}: {member.name}")
    except DAMAGED as error:
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise DataError(f"{path} is damaged, cut short or no archive ({why}): expected {source.downloads[0]} with "
                        f"SHA-256 {source.archive_sha256 or 'not known'}, found {pooch.file_hash(path)}") from error
    missing = [file.name for file in source.files if file.name not in found]
    if missing:
        pickles = " (the python version is made of pickles, which are never read)" if "python" in path.name else ""
        raise DataError(f"{path} has no {', '.join(missing)} in {source.inside}/{pickles}: take {source.downloads[0]}")
    return found


class Bounded:
    """A stream that ends in an error where it is too long; Python's tarfile asks it only for what follows."""

    def __init__(self, stream, path, most):
        self.stream, self.path, self.most, self.taken = stream, path, most, 0

    def read(self, n):
        content = self.stream.read(n)
        self.taken += len(content)
        if self.taken > self.most:
            raise DataError(f"{self.path} holds more than {self.most:,} bytes, which is more than the whole set")
        return content


def unpacking(path):
    """A stream of what a file holds without its compression, which is known by its first bytes, not by its name."""
    with open(path, "rb") as stream:
        first = stream.read(6)
    known = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}
    return next((opened for start, opened in known.items() if first.startswith(start)), open)(path, "rb")


def read(path, file):
    """The checked content of a file without its compression, which is known by its first bytes, not by its name.

    At most one byte more than it should have is read, so that a small file cannot unpack into all the memory.
    """
    try:
        with unpacking(path) as stream:
            content = stream.read((SPARE if file.size is None else file.size) + 1)
    except DAMAGED as error:
        raise DataError(f"{path} is damaged or cut short ({error}): expected a compressed {file.name} with SHA-256 "
                        f"{file.sha256}, found a file with SHA-256 {pooch.file_hash(path)}") from error
    return check(content, file, path)


def check(content, file, where):
    """The content, if its length and its SHA-256 are those of the file, as far as they are known."""
    found = hashlib.sha256(content).hexdigest()
    if len(content) != (file.size or len(content)) or found != (file.sha256 or found):
        length = f"{len(content):,}" if len(content) <= file.size else f"more than {file.size:,}"
        raise DataError(f"{where} is not {file.name} as published: expected {file.size:,} bytes with SHA-256 "
                        f"{file.sha256 or 'not known'}, found {length} bytes with SHA-256 {found}")
    return content
