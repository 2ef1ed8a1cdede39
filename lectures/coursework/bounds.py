"""What a program in the jail has used: files and bytes of its folder, processes of its user."""
import os
from contextlib import suppress
from pathlib import Path

FILES, WRITTEN = 2000, 2**28  # that may be in the folder, and their bytes together


def heavy(folder):
    """Does a folder hold more files, or more bytes, than results can be?  However deep: os.walk cannot follow."""
    count, size, todo = 0, 0, [folder]
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                count += 1
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                if count > FILES or size > WRITTEN:
                    return True
    return False


def already(user):
    """How many processes and threads a user has: the limit counts them too."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            count += len(os.listdir(process / "task")) if process.stat().st_uid == user else 0
    return count
