"""A Python program run where it can do no harm: nothing to read but Python, the packages and one folder, nothing to
write but another, no network, and limits of time, memory, processes, files and output.

    jail = available()                       "bubblewrap", "landlock", or None
    run(jail, [file, ...], readable=[tree], writable=box)

Bubblewrap is used where a probe shows that it works; it does not in every container, nor where users may not make
namespaces.  Otherwise Landlock, by its three system calls (Linux 6.7 or later, for the network too; 6.12, for signals,
where it is not root who grades): the child shuts itself in, and only then becomes the program.  Where there is neither,
None: it is for the caller to refuse.  Root is given up first, for a user that nobody else is, so that its processes can
be counted.  (Bubblewrap then works only where everybody may read Python.)
At the end all of them are killed, whatever is left.
"""
import ctypes
import os
import resource
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lectures.coursework import bounds
from lectures.coursework.bounds import NOBODY, already, become, heavy, killed, nobody

SECONDS, MEMORY, FILE, OUTPUT, PROCESSES = 20.0, 3 * 2**30, 32 * 2**20, 2**20, 4
PATIENCE = 4  # times as long a program may take where others have the processors meanwhile
PACKAGES = "numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "mkl", "intel", "tbb"  # what ours needs to run
UNSEEN = "scipy/optimize", "scipy/sparse/linalg/_isolve"  # and of these, what would do an answer's work


class Ended(NamedTuple):
    """How a program ended: "done", "failed", "late", "loud" or "heavy", and the end of what it wrote to stderr."""
    how: str
    said: str


@cache
def available():
    """The best jail that works here."""
    return next((name for name in JAILS if probed(name)), None)


def probed(name):
    """Does a trivial program run in it, and is it kept from reading a file outside, and from the network?"""
    if sys.platform != "linux" or name == "bubblewrap" and not shutil.which("bwrap"):
        return False
    with room() as folder:
        secret, tree, box = (folder / part for part in ("secret", "tree", "box"))
        tree.mkdir()
        box.mkdir()
        secret.write_text("secret")
        secret.chmod(0o600)
        program = tree / "probe.py"
        program.write_text(PROBE)
        try:
            ended = run(name, [program, secret], readable=[tree], writable=box, seconds=30)
            return ended.how == "done" and (box / "result").read_text() == "numpy, no file, no network"
        except (OSError, subprocess.SubprocessError):  # the latter is what the child could not do, to itself
            return False


@contextmanager
def room():
    """A folder for what is to be read and written, which others may pass through to what they were given."""
    folder = tempfile.mkdtemp(prefix="numopt-")
    os.chmod(folder, 0o711)
    try:
        yield Path(folder)
    finally:  # not by Python's own means: folders may be nested deeper than it can follow, and closed to all
        for command in ("chmod", "-R", "u+rwX"), ("rm", "-rf", "--"):
            subprocess.run([*command, folder], capture_output=True)


PROBE = """
import os, socket, sys
import numpy
said = ["numpy"]
try:
    open(sys.argv[1]).read()
except OSError:
    said.append("no file")
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except ConnectionRefusedError:
    said.append("network" if os.readlink("/proc/self/ns/net") == os.environ.get("OUTSIDE") else "no network")
except OSError:
    said.append("no network")
open("result", "w").write(", ".join(said))
"""


def run(jail, arguments, *, readable, writable, seconds=None):
    """Run python with these arguments in the jail, in the folder `writable`; None is no jail, for whoever trusts.

    The program is over when its first process is; what it has left running is killed.
    """
    arguments, writable = [str(argument) for argument in arguments], Path(writable).resolve()
    readable = [Path(place).resolve() for place in readable]
    user = nobody() if os.geteuid() == 0 and jail else os.getuid()
    if user != os.getuid():
        os.chown(writable, user, user)
        subprocess.run(["chmod", "-R", "a+rX", *readable], capture_output=True)  # whatever the umask is
    command, start = JAILS.get(jail, unsafe)([sys.executable, "-B", *arguments], readable, writable, user)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(writable), "TMPDIR": str(writable), "PYTHONNOUSERSITE": "1",
                   "NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8",
                   "OUTSIDE": network(), "JAIL": (name := secrets.token_hex(8)),
                   **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}}
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, cwd=writable, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                                 stderr=said, start_new_session=True, preexec_fn=lambda: limited(start),
                                 close_fds=True)
        most, begun, look = seconds or SECONDS, time.monotonic(), 0.0
        mine = None if user == os.getuid() else user, f"JAIL={name}".encode()
        how, end, last = "late", begun + most, begun + PATIENCE * most
        try:
            while time.monotonic() < end or (end := min(last, most + begun + max(
                    map(bounds.waited, bounds.processes(*mine)), default=0))) > time.monotonic():
                if child.poll() is not None:
                    how = "failed" if child.returncode else "done"
                    break
                if os.fstat(said.fileno()).st_size >= OUTPUT:
                    how = "loud"
                    break
                if time.monotonic() > look:
                    look = time.monotonic() + 0.2
                    if heavy(writable) or sum(map(bounds.held, bounds.processes(*mine))) > bounds.HELD:
                        how = "heavy"
                        break
                time.sleep(0.01)
        finally:
            killed(child, *mine)
        size = os.fstat(said.fileno()).st_size
        how = "loud" if size >= OUTPUT else how
        said.seek(max(0, size - 1000))
        return Ended(how, said.read(1000).decode("utf-8", "replace"))


def network():
    """Which network this process has: in a jail it must be another."""
    try:
        return os.readlink("/proc/self/ns/net")
    except OSError:
        return ""


def limited(start):
    """In the child, before it becomes the program: what it may use."""
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_CPU, int(2 * SECONDS))):
        resource.setrlimit(limit, (most, most))
    start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))  # at last: until then all files of the judge are open here


@cache
def places():
    """What Python has to read, and no answer: folders, packages' folders, their entries, and what of them is unseen."""
    prefixes = {Path(sys.base_prefix).resolve(), *map(Path, ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives",
                                                             "/etc/ld.so.cache", "/etc/localtime"))}
    packages = {Path(place).resolve() for place in [*map(sysconfig.get_path, ("purelib", "platlib")), *(
        place for place in sys.path if place.endswith("-packages"))]}
    others = {folder.resolve() for prefix in (sys.base_prefix, "/usr", "/usr/local")  # of other Pythons
              for folder in Path(prefix).glob("lib*/python3*/*-packages")} - packages
    entries = [entry for folder in packages if folder.is_dir() for entry in folder.iterdir()
               if entry.name.lower().startswith(PACKAGES) and entry.suffix not in (".pth", ".egg-link")]
    unseen = {folder / part for folder in packages for part in UNSEEN if (folder / part).is_dir()}
    return [place for place in prefixes if place.exists()], {*packages, *filter(Path.is_dir, others)}, entries, unseen


def bubblewrap(command, readable, writable, user):
    """The command in namespaces of its own, with a file system made for it."""
    folders, packages, entries, unseen = places()
    how = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--uid", str(NOBODY), "--gid", str(NOBODY),
           "--proc", "/proc", "--dev", "/dev"]
    for place in folders:
        how += (["--symlink", os.readlink(place), str(place)] if place.is_symlink() else
                ["--ro-bind", str(place), str(place)])
    venv = Path(sys.prefix)
    if venv.resolve() != Path(sys.base_prefix).resolve():
        for part in ("bin", "pyvenv.cfg"):
            how += ["--ro-bind", str(venv / part), str(venv / part)]
    for folder in packages:
        how += ["--tmpfs", str(folder)]
    for place in [*entries, *readable]:
        how += ["--ro-bind", str(place), str(place)]
    for folder in unseen:
        how += ["--tmpfs", str(folder)]
    how += ["--bind", str(writable), str(writable), "--chdir", str(writable)]
    for place in ("/", "/dev", *map(str, [*packages, *unseen])):  # what is made in them would be in memory, unseen
        how += ["--remount-ro", place]

    most = already(user) + 2 + PROCESSES  # bubblewrap itself is two

    def start():
        become(user)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))

    return [*how, "--", *command], start


def unsafe(command, *places):
    """No jail at all."""
    return command, lambda: None


# --------------------------------------------------------------------------------------------------- Landlock

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446       # numbers of system calls, the same on every processor
EXECUTE, WRITE, READ, READ_DIR = 1, 2, 4, 8                   # what may be done with files: bits of access_fs
NEW_NETWORK, NEW_IPC = 0x40000000, 0x08000000                 # of unshare
NO_NEW_PRIVILEGES, KEEP_CAPABILITIES, READ_ANYWHERE = 38, 8, 1 << 2  # of prctl; CAP_DAC_READ_SEARCH


def landlock(command, readable, writable, user):
    """The command after it has shut itself in: see landlock(7)."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    needed = 4 if os.geteuid() == 0 else 6  # the network; and that nobody of the same user is sent a signal
    if version < needed:
        raise OSError(f"Landlock is of version {version} here, and {needed} is needed")
    whole, listed = opened()
    everything = (1 << 13) - 1 | (1 << 13 if version >= 2 else 0) | 1 << 14 | (1 << 15 if version >= 5 else 0)
    return command, lambda: shut_in(libc, version, everything, [*whole, *readable], listed, writable, user,
                                    already(user) + PROCESSES)


@cache
def opened():
    """What Python may read: whole folders and files, and folders that it may only list."""
    folders, packages, entries, unseen = places()
    whole = [*folders, Path(sys.prefix) / "bin", Path(sys.prefix) / "pyvenv.cfg",
             *map(Path, ("/dev/null", "/dev/urandom", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
                         "/sys/devices/system/cpu"))]
    whole = [place for place in whole if place.exists() and not hides(place, packages)]
    listed = {*packages, *(place.resolve() for place in folders if hides(place, packages))}
    for folder in listed:
        whole += without(folder, packages)
    for entry in entries:
        whole += without(entry, unseen)
    return whole, listed | {folder for part in unseen for folder in part.parents if folder.name and (
        any(entry == folder or entry in folder.parents for entry in entries))}


def hides(place, packages):
    """Does a folder hold site-packages, which is to be opened one by one?"""
    return any(folder == place.resolve() or place.resolve() in folder.parents for folder in packages)


def without(folder, packages):
    """Everything in a folder but these, and what leads to them."""
    if folder in packages or not hides(folder, packages):
        return [] if folder in packages else [folder]
    return [part for entry in folder.iterdir() for part in
            (without(entry, packages) if entry.is_dir() and hides(entry, packages) else [entry])]


def shut_in(libc, version, everything, whole, listed, writable, user, processes):
    """In the child: give up root, and then everything that was not said to be free."""
    def call(*arguments):
        if (result := libc.syscall(*arguments)) < 0:
            raise OSError(ctypes.get_errno(), "Landlock refused")
        return result

    attributes = (ctypes.c_uint64 * 3)(everything, 3, 3 if version >= 6 else 0)
    rules = call(CREATE_RULESET, attributes, 24 if version >= 6 else 16, 0)
    for place, access in [*((place, EXECUTE | READ | READ_DIR) for place in whole),
                          *((folder, READ_DIR) for folder in listed), (writable, everything & ~EXECUTE)]:
        where = os.open(place, os.O_PATH | os.O_CLOEXEC)
        allowed = access if os.path.isdir(place) else access & (EXECUTE | WRITE | READ)
        rule = (ctypes.c_ubyte * 12).from_buffer_copy(
            allowed.to_bytes(8, sys.byteorder) + where.to_bytes(4, sys.byteorder, signed=True))
        call(ADD_RULE, rules, 1, rule, 0)
        os.close(where)
    if os.geteuid() == 0:
        libc.unshare(NEW_NETWORK)  # where root may: one with nothing in it
        if libc.unshare(NEW_IPC) == 0:  # and no shared memory, that would stay
            with suppress(OSError), open("/proc/sys/kernel/shmall", "w") as pages:
                pages.write("0")
        libc.prctl(KEEP_CAPABILITIES, 1, 0, 0, 0)
        become(user)
        keep_reading(libc)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call(RESTRICT_SELF, rules, 0)


def keep_reading(libc):
    """Of root's rights keep that of reading: Python may be in root's own folder.  What, Landlock says."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(READ_ANYWHERE, READ_ANYWHERE, READ_ANYWHERE, 0, 0, 0)
    libc.capset(header, sets)
    libc.prctl(47, 2, 2, 0, 0)  # PR_CAP_AMBIENT, raise, CAP_DAC_READ_SEARCH: to have it after exec too


JAILS = {"bubblewrap": bubblewrap, "landlock": landlock}
