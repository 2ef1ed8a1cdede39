"""What a jail is told to keep a program from, and how its end is told: without a jail, as far as that goes."""
import ctypes
import os
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from lectures.__main__ import main
from lectures.coursework import jail, judge, release
from tests.lectures.coursework.test_judge import JAILS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a jail is one of Linux")


def run(folder, program, seconds=20):
    (folder / "box").mkdir(exist_ok=True)
    (folder / "program.py").write_text(program)
    return jail.run(None, [folder / "program.py", "one"], readable=[], writable=folder / "box", seconds=seconds)


def test_how_a_program_ended_is_told_by_its_code_and_by_the_end_of_what_it_wrote(tmp_path):
    ended = run(tmp_path, "import os, sys\nopen('told', 'w').write(repr((sys.argv[1:], dict(os.environ))))\n"
                          "sys.stderr.write('a' * 5000 + 'the end')\nsys.exit(3)\n")
    assert ended.how == "failed" and ended.said == "a" * 993 + "the end"
    arguments, environment = eval((tmp_path / "box" / "told").read_text())
    assert arguments == ["one"] and environment["OUTSIDE"] == jail.network() != ""
    assert environment["HOME"] == environment["TMPDIR"] == str(tmp_path / "box") and len(environment.pop("JAIL")) == 16
    assert {name: environment[name] for name in environment.keys() - {"HOME", "TMPDIR", "OUTSIDE"}} == {
        "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", **dict.fromkeys((
            "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE", "NUMBA_DISABLE_JIT", "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}, "and nothing of the judge's own"
    assert run(tmp_path, "print('well')\n") == ("done", "well\n")
    assert run(tmp_path, "print('x' * 2**20)\n").how == "loud"
    assert run(tmp_path, "print('x' * (2**20 - 2))\n").how == "done"
    assert run(tmp_path, "import os\nos.kill(os.getpid(), 9)\n").how == "failed"


def test_a_program_has_nothing_of_the_judge_s_but_its_words(tmp_path):
    """Neither what the judge is told from its keyboard, nor its open files; it is where it may write."""
    (tmp_path / "typed").write_text("typed")
    before = os.dup(0)
    with open(tmp_path / "typed") as typed:
        os.dup2(typed.fileno(), 0)
        os.set_inheritable(typed.fileno(), True)
        try:
            ended = run(tmp_path, "import os, sys\n"
                                  "print(repr(sys.stdin.read()), os.getcwd(), os.getsid(0) == os.getpid(), "
                                  "len([n for n in range(3, 99) if os.path.exists(f'/proc/self/fd/{n}')]))\n")
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert ended == ("done", f"'' {tmp_path / 'box'} True 0\n")


def test_a_room_is_cleared_away_whatever_has_been_shut_in_it_and_however_it_was_left(monkeypatch):
    really, asked = jail.subprocess.run, []
    monkeypatch.setattr(jail.subprocess, "run", lambda command, **how: asked.append(command) or really(command, **how))
    with pytest.raises(ZeroDivisionError):
        with jail.room() as folder:
            (folder / "shut" / "deep").mkdir(parents=True)
            (folder / "shut").chmod(0)
            1 / 0
    assert not folder.exists()
    assert [list(map(str, command)) for command in asked] == [  # root could do without the first
        ["chmod", "-R", "u+rwX", str(folder)], ["rm", "-rf", "--", str(folder)]]


@pytest.mark.parametrize("program, how", [
    ("", "late"), ("print('x' * 2**20, flush=True)", "loud"), ("for k in range(4): open(f'{k}', 'w')", "heavy"),
    ("kept = bytearray(b'x') * 2**27", "heavy")])
def test_a_program_that_takes_too_much_is_ended_while_it_runs(program, how, tmp_path, monkeypatch):
    monkeypatch.setattr(jail.bounds, "FILES", 3)
    monkeypatch.setattr(jail.bounds, "HELD", 2**26)
    monkeypatch.setattr(jail.bounds, "waited", lambda process: 0.0)
    assert run(tmp_path, f"{program}\nimport time\ntime.sleep(9)\n", 0.2 if how == "late" else 8).how == how


@pytest.mark.parametrize("waited, patience, how", [(0.0, 100, "late"), (9.0, 100, "done"), (9.0, 1, "late")])
def test_a_program_has_longer_where_others_have_the_processors_and_not_for_ever(
        waited, patience, how, tmp_path, monkeypatch):
    monkeypatch.setattr(jail.bounds, "waited", lambda process: waited)
    monkeypatch.setattr(jail, "PATIENCE", patience)
    assert run(tmp_path, "import time\ntime.sleep(0.1)\n", 0.05).how == how


def test_what_a_program_has_left_running_ends_with_it_by_its_group_or_by_its_name(tmp_path):
    """One child has nothing of its environment, the other is in a session of its own."""
    ended = run(tmp_path, "import os, subprocess\nfor how in {'env': {}}, {'start_new_session': True}:\n"
                          "    child = subprocess.Popen(['/bin/sleep', '60'], **how)\n"
                          "    open('left', 'a').write(f'{child.pid} ')\n")
    assert ended == ("done", "")
    left = [Path(f"/proc/{number}/stat") for number in (tmp_path / "box" / "left").read_text().split()]
    for _ in range(100):  # what is killed takes its time
        running = [file for file in left if file.exists() and ") Z " not in file.read_text()]
        time.sleep(0.01 if running else 0)
    assert len(left) == 2 and not running


@pytest.mark.parametrize("how, told, works", [
    ("done", "numpy, no file, no network", True), ("failed", "numpy, no file, no network", False),
    ("late", "numpy, no file, no network", False), ("done", "numpy, no file, network", False),
    ("done", "numpy, no network", False), ("done", None, False), (OSError(), None, False),
    (subprocess.SubprocessError("Exception occurred in preexec_fn."), None, False)])
def test_a_jail_is_one_where_a_program_has_ended_and_been_kept_from_a_file_and_from_the_network(
        how, told, works, monkeypatch):
    def run(name, arguments, *, readable, writable, seconds):
        program, secret = arguments
        assert readable == [program.parent] and secret.read_text() == "secret" and secret.stat().st_mode & 0o77 == 0
        assert not {program.parent, writable} & set(secret.parents) and writable.is_dir() and seconds >= 20
        compile(program.read_text(), "a probe", "exec")
        if isinstance(how, Exception):
            raise how
        if told is not None:
            (writable / "result").write_text(told)
        return jail.Ended(how, "")

    monkeypatch.setattr(jail, "run", run)
    monkeypatch.setattr(jail.shutil, "which", lambda name: "/usr/bin/bwrap")
    assert jail.probed("bubblewrap") == jail.probed("landlock") == works
    monkeypatch.setattr(jail.shutil, "which", lambda name: None)
    assert not jail.probed("bubblewrap") and jail.probed("landlock") == works
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not jail.probed("landlock")


@pytest.mark.parametrize("there, best", [({"bubblewrap", "landlock"}, "bubblewrap"), ({"landlock"}, "landlock"),
                                         (set(), None)])
def test_the_best_jail_is_the_first_that_works(there, best, monkeypatch):
    monkeypatch.setattr(jail, "probed", lambda name: name in there)
    assert jail.available.__wrapped__() == best


def test_root_is_given_up_in_a_jail_and_what_it_needs_is_given_to_whom_it_is_given_up_for(tmp_path, monkeypatch):
    done = []

    def mine(command, readable, writable, user):
        done.append(("jail", readable, writable, user))
        return command, lambda: None

    def killed(child, user, name):
        child.kill()
        child.wait()
        done.append(("killed", user, name[:5]))

    monkeypatch.setitem(jail.JAILS, "mine", mine)
    monkeypatch.setattr(jail, "killed", killed)
    monkeypatch.setattr(jail, "nobody", lambda: 2**29 + 7)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *given: done.append(("chown", *given)))
    monkeypatch.setattr(jail.subprocess, "run", lambda command, **how: done.append(tuple(command)))
    for place in "tree", "box":
        (tmp_path / place).mkdir()
    (tmp_path / "tree" / "program.py").touch()
    box, tree, user = tmp_path / "box", tmp_path / "tree", 2**29 + 7
    assert jail.run("mine", [tree / "program.py"], readable=[tree], writable=box).how == "done"
    assert done == [("chown", box, user, user), ("chmod", "-R", "a+rX", tree), ("jail", [tree], box, user),
                    ("killed", user, b"JAIL=")]
    done.clear()
    assert jail.run(None, [tree / "program.py"], readable=[tree], writable=box).how == "done"
    assert done == [("killed", None, b"JAIL=")]


def test_what_a_program_may_use_is_limited_before_it_shuts_itself_in(monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "setrlimit", lambda limit, both: asked.append((limit, both)))
    jail.limited(lambda: asked.append("start"))
    assert asked[-2:] == ["start", (resource.RLIMIT_NOFILE, (128, 128))]
    assert dict(asked[:-2]) == {
        resource.RLIMIT_AS: (3 * 2**30,) * 2, resource.RLIMIT_FSIZE: (2**25,) * 2, resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (40, 40)}


@pytest.mark.parametrize("name", JAILS)
def test_a_judge_with_many_open_files_has_its_jail(name):
    with ExitStack() as opened:
        for _ in range(200):
            opened.enter_context(open(os.devnull))
        assert jail.probed(name)


def test_of_packages_python_has_to_read_its_own_and_no_paths_that_lead_elsewhere(tmp_path, monkeypatch):
    packages = tmp_path / "site-packages"
    for name in ("numpy", "NumPy-2.dist-info", "scipy/optimize", "scipy/sparse/linalg/_isolve", "torch", "matplotlib"):
        (packages / name).mkdir(parents=True)
    for name in "numba.pth", "numpy.egg-link", "mkl.py", "__editable__.pth":
        (packages / name).touch()
    monkeypatch.setattr(jail.sysconfig, "get_path", lambda name: str(packages))
    monkeypatch.setattr(sys, "path", [])
    folders, there, entries, unseen = jail.places.__wrapped__()
    assert sorted(entry.name for entry in entries) == ["NumPy-2.dist-info", "mkl.py", "numpy", "scipy"]
    assert packages in there and unseen == {packages / "scipy/optimize", packages / "scipy/sparse/linalg/_isolve"}
    assert Path("/usr").resolve() in {Path(folder).resolve() for folder in folders}


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system of a few files, of which Python has to read some."""
    packages = tmp_path / "usr" / "lib" / "python3" / "site-packages"
    for place in ("usr/bin/tool", "usr/lib/libc", "usr/lib/python3/os", "etc/localtime", "tree/program", "box/mine",
                  "home/letter", *(f"{packages}/{part}" for part in ("numpy/core", "numpy/optimize/best", "torch/nn"))):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "bin").symlink_to("usr/bin")
    monkeypatch.setattr(jail, "places", lambda: (
        [tmp_path / "usr", tmp_path / "etc", tmp_path / "bin"], {packages}, [packages / "numpy"],
        {packages / "numpy" / "optimize"}))
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    return tmp_path, packages


def test_bubblewrap_shows_what_python_needs_and_lets_nothing_but_one_folder_be_written_to(system, monkeypatch):
    root, packages = system
    command, start = jail.bubblewrap(["python", "x"], [root / "tree"], root / "box", 99)
    options, program = command[:command.index("--", 1)], command[command.index("--", 1) + 1:]
    assert options[0] == "bwrap" and program == ["python", "x"]
    told, how = {}, options[1:]
    while how:
        count = {"--unshare-all": 0, "--die-with-parent": 0, "--new-session": 0, "--ro-bind": 2, "--bind": 2,
                 "--symlink": 2}.get(how[0], 1)
        told.setdefault(how[0], []).append(tuple(how[1:count + 1]))
        how = how[count + 1:]
    assert {"--unshare-all", "--die-with-parent", "--new-session"} <= told.keys()
    assert told["--uid"] == told["--gid"] == [("65534",)] and told["--chdir"] == [(str(root / "box"),)]
    assert told["--symlink"] == [("usr/bin", str(root / "bin"))] and told["--bind"] == [(str(root / "box"),) * 2]
    assert all(here == there for here, there in told["--ro-bind"])

    def seen(place):
        """What is there: the last that was put over it."""
        over = [(options[at], other) for at, other in enumerate(options[1:]) if options[at] in (
            "--ro-bind", "--bind", "--tmpfs") and Path(other) in [root / place, *(root / place).parents]]
        return over[-1][0][2:] if over else None

    assert [seen(place) for place in ("usr/bin/tool", "usr/lib/python3/os", "etc/localtime", "tree/program")] == [
        "ro-bind"] * 4
    assert seen(packages / "numpy" / "core") == "ro-bind" and seen("box/mine") == "bind" and seen("home/letter") is None
    assert seen(packages / "torch" / "nn") == seen(packages / "numpy" / "optimize" / "best") == "tmpfs"
    made = {"/", "/dev", *(place for place, in told["--tmpfs"])}
    assert {place for place, in told["--remount-ro"]} == made and options[-2] == "--remount-ro"
    asked = []
    monkeypatch.setattr(jail, "become", lambda user: asked.append(user))
    monkeypatch.setattr(jail, "already", lambda user: 7 if user == 99 else 0)
    monkeypatch.setattr(resource, "setrlimit", lambda *given: asked.append(given))
    jail.bubblewrap([], [], root / "box", 99)[1]()
    most = 7 + 2 + jail.PROCESSES
    assert asked == [99, (resource.RLIMIT_NPROC, (most, most))]


def test_landlock_opens_what_python_needs_and_no_folder_of_packages_as_a_whole(system):
    root, packages = system
    whole, listed = jail.opened.__wrapped__()

    def opened(place):
        return any(part in whole for part in [root / place, *(root / place).parents])

    for place in "usr/bin/tool", "usr/lib/libc", "usr/lib/python3/os", "etc/localtime", packages / "numpy" / "core":
        assert opened(place)
    for place in ("home/letter", "tree/program", "box/mine", packages / "torch" / "nn",
                  packages / "numpy" / "optimize" / "best"):
        assert not opened(place)
    assert {root / "usr", packages, packages / "numpy"} <= set(listed)
    assert not {Path("/"), root / "home", root} & {*whole, *listed}
    assert {Path("/dev/null"), Path("/proc/self"), Path(sys.prefix) / "bin"} <= set(whole) and Path("/dev") not in whole


@pytest.mark.parametrize("version, bits", [(4, 15), (5, 16), (6, 16)])
def test_landlock_is_asked_to_refuse_all_that_its_version_knows(version, bits, monkeypatch, tmp_path):
    shut = []
    monkeypatch.setattr(ctypes, "CDLL", lambda *given, **how: SimpleNamespace(syscall=lambda *call: version))
    monkeypatch.setattr(jail, "opened", lambda: ([tmp_path], {tmp_path / "listed"}))
    monkeypatch.setattr(jail, "shut_in", lambda libc, *given: shut.append(given))
    monkeypatch.setattr(jail, "already", lambda user: 7)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    command, start = jail.landlock(["python"], [tmp_path / "tree"], tmp_path / "box", 99)
    start()
    assert command == ["python"] and shut == [(version, 2**bits - 1, [tmp_path, tmp_path / "tree"],
                                               {tmp_path / "listed"}, tmp_path / "box", 99, 7 + jail.PROCESSES)]
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    if version < 6:
        with pytest.raises(OSError, match=f"of version {version} here, and 6 is needed"):
            jail.landlock(["python"], [], tmp_path, 99)


def test_what_is_allowed_of_a_file_is_not_what_only_folders_have(tmp_path, monkeypatch):
    """The rules, as they are handed to the system: 8 bytes of what is allowed, and the place."""
    (tmp_path / "file").touch()
    for name in "tree", "listed", "box":
        (tmp_path / name).mkdir()
    rules, calls = {}, []

    def syscall(number, *given):
        calls.append(number)
        if number == jail.CREATE_RULESET:
            assert list(given[0]) == [2**16 - 1, 3, 3] and given[1] == 24
        if number == jail.ADD_RULE:
            rule = bytes(given[2])
            place = os.readlink(f"/proc/self/fd/{int.from_bytes(rule[8:], sys.byteorder)}")
            rules[Path(place).name] = int.from_bytes(rule[:8], sys.byteorder)
        return 5

    asked = []
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    monkeypatch.setattr(resource, "setrlimit", lambda *given: asked.append(given))
    libc = SimpleNamespace(syscall=syscall, prctl=lambda *given: asked.append(given))
    jail.shut_in(libc, 6, 2**16 - 1, [tmp_path / "file", tmp_path / "tree"], [tmp_path / "listed"], tmp_path / "box",
                 1, 12)
    assert rules == {"file": 1 | 4, "tree": 1 | 4 | 8, "listed": 8, "box": 2**16 - 2}
    assert calls == [444, 445, 445, 445, 445, 446]
    assert asked == [(resource.RLIMIT_NPROC, (12, 12)), (38, 1, 0, 0, 0)]


def test_root_shuts_itself_in_before_it_is_given_up_and_keeps_of_its_rights_that_of_reading(tmp_path, monkeypatch):
    asked = []

    def opens(place, how):
        asked.append((place, how))
        return open(tmp_path / "pages", how)

    def syscall(number, *given):
        asked.append(number)
        return 5

    def told(name):
        return lambda *given: asked.append((name, *(list(each) if hasattr(each, "_length_") else each
                                                    for each in given))) or 0

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(jail, "become", told("become"))
    monkeypatch.setattr(jail, "open", opens, raising=False)
    monkeypatch.setattr(resource, "setrlimit", told("limit"))
    libc = SimpleNamespace(syscall=syscall, prctl=told("prctl"), unshare=told("unshare"), capset=told("capset"))
    jail.shut_in(libc, 4, 2**15 - 1, [], [], tmp_path, 99, 12)
    assert asked == [
        444, 445, ("unshare", 0x40000000), ("unshare", 0x08000000), ("/proc/sys/kernel/shmall", "w"),
        ("prctl", 8, 1, 0, 0, 0), ("become", 99), ("capset", [0x20080522, 0], [4, 4, 4, 0, 0, 0]),
        ("prctl", 47, 2, 2, 0, 0), ("limit", resource.RLIMIT_NPROC, (12, 12)), ("prctl", 38, 1, 0, 0, 0), 446]
    assert (tmp_path / "pages").read_text() == "0"
    asked.clear()
    libc.unshare = lambda what: asked.append(("unshare", what)) or -1  # without one of its own that of all stays
    jail.shut_in(libc, 4, 2**15 - 1, [], [], tmp_path, 99, 12)
    assert ("/proc/sys/kernel/shmall", "w") not in asked and ("become", 99) in asked
    for refused in 444, 445, 446:
        libc.syscall = lambda number, *given: -1 if number == refused else 5
        with pytest.raises(OSError, match="Landlock refused"):
            jail.shut_in(libc, 4, 2**15 - 1, [], [], tmp_path, 99, 12)


def test_commands_hand_on_what_they_are_told(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(judge, "graded", lambda *how: asked.append(how) or judge.could_not_be("04", how[1], ""))
    monkeypatch.setattr(jail, "available", lambda: "landlock")
    (tmp_path / "adaptive.py").touch()
    secret, one = ["--secret", str(tmp_path / "secret")], tmp_path / "adaptive.py"
    assert main(["grade", "04", str(one), "--seed", "5", *secret]) == 0
    assert main(["grade", "04", str(one), "--unsafe", *secret]) == 0
    hidden = (tmp_path / "secret").read_bytes().strip()
    assert asked == [("04", one, "landlock", 5, hidden), ("04", one, None, 0, hidden)]
    monkeypatch.setattr(release, "written", lambda *given: given)
    assert main(["release", "04b", "there", "--format", "otter", "--solution", "--seed", "6"]) == 0
    assert main(["release", "04", "there"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["('04b', 'there', 'otter', True, 6)",
                                                         "('04', 'there', 'tree', False, 0)"]
