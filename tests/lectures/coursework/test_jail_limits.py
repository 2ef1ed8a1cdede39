"""What a jail is told to keep a program from, and how its end is told: without a jail, as far as that goes."""
import ctypes
import os
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lectures.__main__ import main
from lectures.coursework import jail, judge, release

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a jail is one of Linux")


def run(folder, program):
    (folder / "box").mkdir(exist_ok=True)
    (folder / "program.py").write_text(program)
    return jail.run(None, [folder / "program.py", "one"], readable=[], writable=folder / "box", seconds=20)


def test_how_a_program_ended_is_told_by_its_code_and_by_the_end_of_what_it_wrote(tmp_path):
    ended = run(tmp_path, "import os, sys\nopen('told', 'w').write(repr((sys.argv[1:], dict(os.environ))))\n"
                          "sys.stderr.write('a' * 5000 + 'the end')\nsys.exit(3)\n")
    assert ended.how == "failed" and ended.said == "a" * 993 + "the end"
    arguments, environment = eval((tmp_path / "box" / "told").read_text())
    assert arguments == ["one"] and environment["OUTSIDE"] == jail.network() != ""
    assert environment["HOME"] == environment["TMPDIR"] == str(tmp_path / "box")
    assert environment["NUMBA_DISABLE_JIT"] == environment["OMP_NUM_THREADS"] == "1"
    assert run(tmp_path, "print('well')\n") == ("done", "well\n")
    assert run(tmp_path, "print('x' * 2**20)\n").how == "loud"
    assert run(tmp_path, "print('x' * (2**20 - 2))\n").how == "done"


def test_what_a_program_may_use_is_limited_before_it_shuts_itself_in(monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "setrlimit", lambda limit, both: asked.append((limit, both)))
    jail.limited(lambda: asked.append("start"))
    assert asked.pop() == "start" and dict(asked) == {
        resource.RLIMIT_AS: (3 * 2**30,) * 2, resource.RLIMIT_FSIZE: (2**25,) * 2, resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NOFILE: (128, 128), resource.RLIMIT_CPU: (40, 40)}


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
