"""A checkpoint appears whole or not at all, is read whole or not at all, and leaves everything else as it was."""
import io
import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from numopt import checkpoint
from numopt.record import load, save

needs_links = pytest.mark.skipif(os.name == "nt", reason="needs links, modes and pipes")


def archive(file, members, compression=zipfile.ZIP_STORED):
    """An archive of these bytes by their names, with an outline that asks for nothing but a number."""
    outline = io.BytesIO()
    np.save(outline, np.array(json.dumps({"t": 1})))
    with zipfile.ZipFile(file, "w", compression) as stream:
        for name, content in {"outline.npy": outline.getvalue(), **members}.items():
            stream.writestr(name, content)


def header(shape, kind="<f8"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


# -------------------------------------------------------------------------------------------------- what is read

def test_any_bit_that_is_flipped_is_found(tmp_path):
    file = tmp_path / "run.npz"
    save(file, theta=np.arange(7, dtype=np.float32), big=np.arange(6.0).reshape(2, 3).T, t=3)
    whole = file.read_bytes()
    for place in [*range(0, len(whole) - 100, 9), *range(len(whole) - 100, len(whole))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            found = load(file)
        except ValueError as error:
            assert "is not a whole checkpoint" in str(error)
        else:  # the sum itself is damaged so that it is none, and everything else is as it was
            assert place >= len(whole) - checkpoint.LENGTH - 2 and found["t"] == 3
            assert_array_equal(found["theta"], np.arange(7, dtype=np.float32))
            assert_array_equal(found["big"], np.arange(6.0).reshape(2, 3).T)


def test_what_somebody_has_added_at_the_end_is_damage(tmp_path):
    file = tmp_path / "run.npz"
    save(file, t=3)
    for more in b"\0", b"more", file.read_bytes()[-checkpoint.LENGTH:]:
        save(file, t=3)
        with open(file, "ab") as stream:
            stream.write(more)
        with pytest.raises(ValueError, match="is not a whole checkpoint"):
            load(file)


def test_an_archive_without_a_sum_as_they_were_once_written_can_be_read(tmp_path):
    archive(tmp_path / "old.npz", {})
    assert load(tmp_path / "old.npz") == {"t": 1}


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20), (3,), (2,), (-1,), (0, 2**62)])
@pytest.mark.parametrize("kind", ["<f8", "|u1", "<U0"])
def test_an_array_that_claims_to_be_longer_or_shorter_than_its_bytes_is_refused_before_there_is_room_for_it(
        shape, kind, tmp_path):
    good = header((1,), "<f8") + bytes(8)
    archive(tmp_path / "run.npz", {"array0.npy": good})
    assert load(tmp_path / "run.npz") == {"t": 1}
    for content in [bytes(8)] + [b""] * (kind == "<U0" and max(shape) > 3):  # of texts without letters any number
        archive(tmp_path / "run.npz", {"array0.npy": header(shape, kind) + content})
        with pytest.raises(ValueError, match="is not a whole checkpoint"):
            load(tmp_path / "run.npz")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    archive(tmp_path / "bomb.npz", {"array0.npy": header((10**6,)) + bytes(8 * 10**6)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        load(tmp_path / "bomb.npz")


def test_an_archive_whose_arrays_are_all_the_same_bytes_is_refused(tmp_path):
    archive(tmp_path / "bomb.npz", {"array0.npy": header((1000,)) + bytes(8000)})
    assert load(tmp_path / "bomb.npz") == {"t": 1}
    with zipfile.ZipFile(tmp_path / "bomb.npz", "a") as stream:
        known = stream.getinfo("array0.npy")
        stream.filelist += [known] * 10  # in the list of what there is, and once in the file
        stream._didModify = True
    with pytest.raises(ValueError, match="holds more than it is long"):
        load(tmp_path / "bomb.npz")


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    save(tmp_path / "run.npz", t=1)

    def full(contents):
        raise MemoryError

    monkeypatch.setattr(checkpoint, "array_of", full)
    with pytest.raises(MemoryError):
        load(tmp_path / "run.npz")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f4", np.int16])
def test_a_large_array_keeps_its_precision_its_order_and_every_bit(dtype, tmp_path):
    array = np.random.default_rng(0).standard_normal((300, 400)).astype(dtype)
    array[0, :2] = 0, -array[0, 0] * 0
    for kept in (array, np.asfortranarray(array)):
        save(tmp_path / "run.npz", array=kept)
        found = load(tmp_path / "run.npz")["array"]
        assert found.dtype == kept.dtype and found.tobytes("A") == kept.tobytes("A")
        assert found.flags.f_contiguous == kept.flags.f_contiguous and not found.flags.writeable


@needs_links
def test_what_is_no_file_is_not_read(tmp_path):
    with pytest.raises(ValueError, match="no file, but a device"):
        load("/dev/zero")


# ----------------------------------------------------------------------------------------------- what is written

@needs_links
def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    save(tmp_path / "there" / "real.npz", t=1)
    (tmp_path / "latest.npz").symlink_to(Path("there") / "real.npz")
    save(tmp_path / "latest.npz", t=2)
    assert (tmp_path / "latest.npz").is_symlink() and load(tmp_path / "there" / "real.npz") == {"t": 2}
    (tmp_path / "new.npz").symlink_to(Path("there") / "to come.npz")
    save(tmp_path / "new.npz", t=3)
    assert (tmp_path / "new.npz").is_symlink() and load(tmp_path / "there" / "to come.npz") == {"t": 3}
    assert len(list((tmp_path / "there").iterdir())) == 2


@needs_links
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660, 0o400])
def test_a_file_keeps_its_mode(mode, tmp_path):
    save(tmp_path / "run.npz", t=1)
    (tmp_path / "run.npz").chmod(mode)
    save(tmp_path / "run.npz", t=2)
    assert stat.S_IMODE((tmp_path / "run.npz").stat().st_mode) == mode and load(tmp_path / "run.npz") == {"t": 2}


@needs_links
def test_a_pipe_gets_the_checkpoint_if_somebody_reads_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.warns(UserWarning, match="a pipe that nobody reads"):
        save(tmp_path / "pipe", t=1)
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    save(tmp_path / "pipe", t=5)
    (tmp_path / "file").write_bytes(os.read(reading, 2**16))
    os.close(reading)
    assert (tmp_path / "pipe").is_fifo() and load(tmp_path / "file") == {"t": 5}
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


@needs_links
def test_what_is_more_than_a_pipe_holds_waits_for_whoever_reads(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reading, read = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), []
    os.set_blocking(reading, True)
    another = os.open(tmp_path / "pipe", os.O_WRONLY)  # without one who writes a pipe is at its end

    def read_it():
        for _ in range(4095):  # the rest of a page, so that whoever writes has to wait for a while
            read.append(os.read(reading, 1))
        while part := os.read(reading, 2**16):
            read.append(part)

    reader = threading.Thread(target=read_it)
    reader.start()
    try:
        save(tmp_path / "pipe", x=np.arange(50_000.0))
    finally:
        os.close(another)
        reader.join()
        os.close(reading)
    (tmp_path / "file").write_bytes(b"".join(read))
    assert load(tmp_path / "file")["x"][-1] == 49_999


@needs_links
def test_a_device_stays_a_device_and_a_folder_is_refused(tmp_path):
    save("/dev/null", t=1)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(ValueError, match="is there and is no file"):
        save(tmp_path, t=1)


def test_many_may_write_the_same_checkpoint_at_once(tmp_path):
    file, failed = tmp_path / "run.npz", []
    save(file, k=0, a=np.zeros(5000))

    def write(k):
        try:
            for _ in range(20):
                save(file, k=k, a=np.full(5000, float(k)))
        except OSError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(k,)) for k in (1, 2, 3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found = load(file)
        assert (found["a"] == found["k"]).all()
    assert not failed and os.listdir(tmp_path) == ["run.npz"]


KILLED = """
import os, signal, sys
import numpy as np
from numopt.record import save
np.savez = lambda stream, **arrays: (stream.write(b"half of it"), stream.flush(), os.kill(os.getpid(), signal.SIGKILL))
save(sys.argv[1], t=1)
"""


@needs_links
def test_what_a_killed_writer_left_goes_with_the_next_one_and_what_a_living_one_writes_stays(tmp_path):
    file = tmp_path / "run.npz"
    save(file, t=0)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, str(file)], cwd=Path(__file__).parents[1], check=False)
        assert len(os.listdir(tmp_path)) == 2 and load(file) == {"t": 0}
    with checkpoint.temporary(file, None) as (stream, name):
        others = [tmp_path / other for other in (
            ".run.npz.part", ".other.npz.0123456789abcdef.part", ".run.npz.0123456789abcdef.kept",
            ".run.npz.notes.part", "xrun.npz.0123456789abcdef.part")]
        for other in others:
            other.touch()
        save(file, t=2)
        assert set(os.listdir(tmp_path)) == {"run.npz", name.name, *(other.name for other in others)}
    assert load(file) == {"t": 2} and not name.exists()


def test_when_it_gets_its_name_a_file_is_whole(tmp_path, monkeypatch):
    """Whoever reads at that moment, or loses power, has the old one or the new one."""
    real, found = os.replace, []
    monkeypatch.setattr("os.replace", lambda part, file: found.append(load(part)) or real(part, file))
    save(tmp_path / "run.npz", t=3, theta=np.arange(5.0))
    assert found[0]["t"] == 3 and load(tmp_path / "run.npz")["t"] == 3


def test_a_temporary_file_that_another_took_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    taken, real = [], checkpoint.flock

    def flock(stream, how):
        if not taken:
            taken.extend(tmp_path.glob(".run.npz.*.part"))
            taken[0].unlink()
        return real(stream, how)

    monkeypatch.setattr(checkpoint, "flock", flock)
    save(tmp_path / "run.npz", t=1)
    assert taken and load(tmp_path / "run.npz") == {"t": 1} and os.listdir(tmp_path) == ["run.npz"]
