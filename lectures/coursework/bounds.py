"""What a program in the jail has used: files and bytes of its folder, memory, and processes of its user."""
import os
import secrets
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

NOBODY = 65534
FILES, WRITTEN = 2000, 2**28  # that may be in the folder, and their bytes together
HELD = 3 * 2**30              # bytes that all its processes together may hold, in memory and in files of no name


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


def processes(user, name):
    """The folders in /proc of a jail's processes: those of its user, where it has one, or with its name."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == user or name in (process / "environ").read_bytes().split(b"\0"):
                yield process


def held(process):
    """Bytes of memory of a process, and of open files that have no name any more, which no look at a folder finds."""
    size = 0
    with suppress(OSError, ValueError):
        size = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for handle in os.listdir(process / "fd"):
            with suppress(OSError):
                there = os.stat(process / "fd" / handle)
                if stat.S_ISREG(there.st_mode) and not there.st_nlink:
                    size += there.st_blocks * 512
    return size


def waited(process):
    """Seconds that a process was ready to run, and others ran."""
    with suppress(OSError, ValueError, IndexError):
        return int((process / "schedstat").read_text().split()[1]) / 1e9
    return 0.0


def killed(child, user, name):
    """End a child, its group, and what it has started and sent away: all of its user's, or of its name."""
    for target in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            target(child.pid, signal.SIGKILL)
    child.wait()
    if user is not None:  # at one stroke: what forks as fast as it is found is not found in the end
        subprocess.run(["sh", "-c", "kill -KILL -1"], capture_output=True, preexec_fn=lambda: become(user))
    for _ in range(20):
        there = list(processes(user, name))
        for process in there:
            with suppress(OSError):
                os.kill(int(process.name), signal.SIGKILL)
        if not there:
            break


def nobody():
    """A user that nobody is: its processes can be counted, and found."""
    return NOBODY + 1 + secrets.randbelow(2**30)


def become(user):
    """Give up root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
