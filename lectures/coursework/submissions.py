"""What was handed in: a folder, a zip file, a module or a notebook, of which nothing is trusted and nothing is run."""
import ast
import codecs
import json
import os
import re
import stat
import zipfile
import zlib
from pathlib import Path

from lectures.coursework.blanks import Unusable

LARGEST, MEMBERS = 2**18, 2000    # bytes of a source file, or of a notebook's code; files of a folder or a zip file
PICTURES, ZIPPED = 2**23, 2**25   # bytes of a notebook with what its cells have shown; of a zip file
MOST = 20                         # files that are read


def handed_in(submission, names):
    """{file name: source} of the Python files and notebooks in a submission, small and bounded."""
    submission, seen = Path(submission), 0
    if submission.is_symlink():
        raise Unusable(f"{submission.name} is a link: hand in the files themselves")
    if submission.is_dir():
        found = {}
        for place, folders, there in os.walk(submission, followlinks=False):
            seen += len(there) + len(folders)
            if seen > MEMBERS:
                raise Unusable(f"{submission.name} holds more than {MEMBERS} files; hand in only yours")
            folders[:] = sorted(folder for folder in folders if not folder.startswith(".") and folder != "__pycache__")
            for file in map(Path(place).joinpath, sorted(there)):
                if file.name.startswith("."):
                    continue
                if file.name in names and file.is_symlink():
                    raise Unusable(f"{file.name} is a link: hand in the file itself")
                if file.suffix in (".py", ".ipynb") and file.name in names | {f"{Path(n).stem}.ipynb" for n in names}:
                    found[str(file.relative_to(submission))] = read(file)
                elif file.suffix == ".ipynb":
                    found.setdefault(str(file.relative_to(submission)), read(file))
                few(found)
        zips = [file for file in sorted(submission.glob("*.zip")) if not found]
        return handed_in(zips[0], names) if len(zips) == 1 else found
    if not submission.exists():
        raise Unusable(f"there is no {submission.name}")
    if submission.suffix == ".zip":
        return unzipped(submission, names)
    if submission.suffix not in (".py", ".ipynb"):
        raise Unusable(f"{submission.name} is neither a folder, a zip file, a module (.py) nor a notebook (.ipynb)")
    return {submission.name: read(submission)}


def few(found):
    if len(found) > MOST:
        raise Unusable(f"it holds more than {MOST} files of the assignment's names: hand in one of each")


def read(file):
    """The text of a source file, or of a notebook's code cells."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unusable(f"{file.name} is not an ordinary file")
        return text_of(file.name, opened.read(most(file.name) + 1))


def most(name):
    """How large a file may be: a notebook has pictures in it."""
    return PICTURES if name.endswith(".ipynb") else LARGEST


def text_of(name, content):
    """A file's text, with any line ends and any byte order mark; of a notebook the cells of code.

    Cells that Python cannot read, and that define nothing, are left out: "adam?", or a sentence.
    """
    if len(content) > most(name):
        raise Unusable(f"{name} has more than {most(name):,} bytes")
    try:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise Unusable(f"{name} is not text in UTF-8") from None
    if not name.endswith(".ipynb"):
        return text
    try:
        cells = json.loads(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unusable(f"{name} is not a whole notebook") from None
    code = [re.sub(r"(?m)^[ \t]*[%!].*$", "", cell) for cell in code]
    code = [cell for cell in code if cell.strip()]
    if sum(map(len, code)) > LARGEST:
        raise Unusable(f"the code in {name} has more than {LARGEST:,} letters")
    return "\n\n".join(cell for cell in code if re.search(r"(?m)^[ \t]*(def|class)\b", cell) or readable(cell))


def readable(text):
    """Can Python read it?"""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def unzipped(submission, names):
    """The sources in a zip file, by their names alone: nothing is written to the disk."""
    try:
        if not stat.S_ISREG(os.lstat(submission).st_mode):
            raise Unusable(f"{submission.name} is not an ordinary file")
        if os.path.getsize(submission) > ZIPPED:
            raise Unusable(f"{submission.name} has more than {ZIPPED:,} bytes; hand in only your files")
        with zipfile.ZipFile(submission) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS:
                raise Unusable(f"{submission.name} holds {len(members)} files; {MEMBERS} are the most")
            members = [member for member in members if not any(  # what systems and editors put beside
                part.startswith(".") and part != ".." or part == "__MACOSX" for part in Path(member.filename).parts)]
            wanted = [member for member in members if Path(member.filename).name in names
                      or member.filename.endswith(".ipynb")]
            if not wanted and any(member.filename.endswith(".zip") for member in members):
                raise Unusable(f"{submission.name} holds another zip file: hand in the files themselves")
            found = {}
            for member in wanted:
                if member.file_size > most(member.filename):
                    raise Unusable(f"{member.filename} has more than {most(member.filename):,} bytes")
                with archive.open(member) as opened:
                    found[member.filename] = text_of(member.filename, opened.read(most(member.filename) + 1))
                few(found)
            return found
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Unusable(f"{submission.name} is not a whole zip file ({error})") from None


def chosen(found, file, alone):
    """The text that holds the answers of one of our files: the same path, or the same name, or the only file."""
    for name, text in found.items():
        if name == file or name.endswith(f"/{file}"):
            return text
    same = [text for name, text in found.items() if Path(name).stem == Path(file).stem]
    notebooks = [text for name, text in found.items() if name.endswith(".ipynb")]
    if same or notebooks:
        return (same or notebooks)[0]
    if alone and len(found) == 1:
        return next(iter(found.values()))
    raise Unusable(f"there is no {Path(file).name} in it")


def each(paths, ours):
    """The submissions that these paths are, or hold."""
    found = []
    for path in map(Path, paths):
        inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith(".")) if path.is_dir() else []
        many = inside and not any(file.name in ours or file.suffix == ".ipynb" for file in path.rglob("*")
                                  if len(file.relative_to(path).parts) < 2) and not (path / "numopt").is_dir() and (
            all(entry.is_dir() or entry.suffix in (".py", ".zip", ".ipynb") for entry in inside))
        found += inside if many else [path]
    return found
