"""Fetching data: from a server on this machine and from local copies, whole, damaged, cut short and malicious."""
import gzip
import hashlib
import io
import lzma
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import weakref
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from data_scripts import channel_statistics, fetch, formats
from data_scripts.__main__ import main
from data_scripts.formats import DataError
from data_scripts.sources import SOURCES, File
from numopt import data

# ---- tiny sets in the real formats ----------------------------------------------------------------------------


def idx_bytes(array):
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def mnist_files(rng):
    files = {}
    for part, n in (("train", 6), ("t10k", 4)):
        files[f"{part}-images-idx3-ubyte"] = idx_bytes(rng.integers(256, size=(n, 28, 28), dtype=np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx_bytes(rng.integers(10, size=n, dtype=np.uint8))
    return files


def cifar_bytes(rng, n, *labels):
    return np.column_stack([rng.integers(classes, size=n) for classes in labels] +
                           [rng.integers(256, size=(n, 3072))]).astype(np.uint8).tobytes()


def cifar10_files(rng):
    names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
    return {name: cifar_bytes(rng, 4, 10) for name in names}


def cifar100_files(rng):
    return {"train.bin": cifar_bytes(rng, 5, 20, 100), "test.bin": cifar_bytes(rng, 3, 20, 100)}


def with_sums(source, files, **changes):
    """The source of a set with the sizes and sums of other files, found nowhere but where `changes` say."""
    of = {file.name: file for file in source.files}
    tiny = tuple(of[name]._replace(size=len(content), sha256=hashlib.sha256(content).hexdigest())
                 for name, content in files.items())
    prefixes = {name: () for name in source.prefixes}
    return source._replace(**({"files": tiny, "mirrors": (), "prefixes": prefixes, "archive_sha256": ""} | changes))


MAKE = {"mnist": mnist_files, "fashion_mnist": mnist_files, "cifar10": cifar10_files, "cifar100": cifar100_files}
FILES = {name: make(np.random.default_rng(0)) for name, make in MAKE.items()}
TINY = {name: with_sums(SOURCES[name], files) for name, files in FILES.items()} | {
    "boston": SOURCES["boston"]._replace(mirrors=())}


def archive(files, inside="cifar-10-batches-bin", more=()):
    """A .tar.gz of files in a folder, after the TarInfos in `more`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, content in [*more, *((tarfile.TarInfo(f"{inside}/{name}"), files[name]) for name in files)]:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; requests to this machine pass by any proxy."""
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def assert_stored(name):
    """The set is stored as the bytes of FILES say, and nothing else is left in the cache folder."""
    dataset = getattr(data, name)(normalise=False)
    if name in ("mnist", "fashion_mnist"):
        X = np.frombuffer(FILES[name]["train-images-idx3-ubyte"][16:], np.uint8).reshape(-1, 28, 28, 1)
        Y = np.frombuffer(FILES[name]["train-labels-idx1-ubyte"][8:], np.uint8)
    else:
        labels = 1 if name == "cifar10" else 2
        content = b"".join(content for file, content in FILES[name].items() if not file.startswith("test"))
        records = np.frombuffer(content, np.uint8).reshape(-1, labels + 3072)
        Y, red, green, blue = records[:, labels - 1], *np.split(records[:, labels:], 3, axis=1)
        X = np.stack([red, green, blue], axis=-1).reshape(-1, 32, 32, 3)
    assert np.array_equal(dataset.X_train, X) and np.array_equal(dataset.Y_train, Y)
    assert [path.name for path in data.folder().iterdir()] == [name]


def assert_refused(code, capsys, *words):
    """Exit code 1, one line that has all the words, and nothing at all in the cache folder."""
    message = capsys.readouterr().err.split("\r")[-1]    # before the \r there are progress bars
    assert code == 1 and message.startswith("data_scripts: ") and message.count("\n") == 1
    for word in words:
        assert word in message
    assert everything_in(data.folder()) == []


# ---- a server on this machine ---------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Serves `server.pages`, {path: bytes}; of a path in `server.cut` only the first half, then hangs up.

    What begins with /drip comes byte by byte, the header too with /drip-header, /endless never ends, and of /strange
    the header is no number where there should be one.
    """

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith(("/drip", "/endless")):
            return self.never_ends()
        if self.path not in self.server.pages:
            return self.send_error(404)
        content = self.server.pages[self.path]
        self.send_response(200)
        self.send_header("Content-Length", "many" if self.path.startswith("/strange") else str(len(content)))
        if self.path in self.server.encoded:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content[:len(content) // 2] if self.path in self.server.cut else content)

    def never_ends(self):
        if "header" not in self.path:
            self.send_response(200)
            self.end_headers()
        with suppress(OSError):
            while not self.server.closing.wait(0.02 if "drip" in self.path else 0):
                self.wfile.write(b"x" if "drip" in self.path else bytes(2**20))
                self.server.sent += 1

    def log_message(self, *words):
        """Keeps the tests' output free of a line for every request."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.pages, server.cut, server.encoded, server.asked = {}, set(), set(), []
        server.closing, server.sent, server.daemon_threads = threading.Event(), 0, True
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def served_by(server, name, *folders):
    return {name: TINY[name]._replace(mirrors=tuple(f"{server.address}/{folder}/" for folder in folders))}


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_four_idx_files_are_downloaded_checked_and_stored(name, cache, server, capsys):
    server.pages = {f"/a/{file}.gz": gzip.compress(content) for file, content in FILES[name].items()}
    assert main([name], served_by(server, name, "a")) == 0
    assert_stored(name)
    assert "is stored in" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_an_archive_is_downloaded_checked_and_stored(name, cache, server):
    source = TINY[name]
    server.pages = {f"/a/{source.downloads[0]}": archive(FILES[name], source.inside)}
    assert main([name], served_by(server, name, "a")) == 0
    assert_stored(name)


def test_an_archive_that_the_server_declares_as_compressed_in_transit_is_good_too(cache, server):
    server.pages = {"/a/cifar-10-binary.tar.gz": archive(FILES["cifar10"])}
    server.encoded = set(server.pages)
    assert main(["cifar10"], served_by(server, "cifar10", "a")) == 0
    assert_stored("cifar10")


def test_a_second_run_says_that_the_set_is_in_place_and_asks_the_server_nothing(cache, server, capsys):
    server.pages = {"/a/cifar-10-binary.tar.gz": archive(FILES["cifar10"])}
    main(["cifar10"], served_by(server, "cifar10", "a"))
    asked, before = list(server.asked), (cache / "cifar10" / "X_train.npy").stat()
    capsys.readouterr()
    assert main(["cifar10"], served_by(server, "cifar10", "a")) == 0
    assert "in place" in capsys.readouterr().out
    assert server.asked == asked and (cache / "cifar10" / "X_train.npy").stat() == before


@pytest.mark.parametrize("address", ["http://[/", "gopher://a/", "/strange/"])
def test_an_address_or_a_header_that_makes_no_sense_is_a_mirror_that_fails(address, cache, server, capsys):
    server.pages = {f"{folder}cifar-10-binary.tar.gz": archive(FILES["cifar10"]) for folder in ("/b/", "/strange/")}
    source, = served_by(server, "cifar10", "b").values()
    address = address if "//" in address else f"{server.address}{address}"
    assert main(["cifar10"], {"cifar10": source._replace(mirrors=(address, *source.mirrors))}) == 0
    assert_stored("cifar10")
    shutil.rmtree(cache / "cifar10")
    assert_refused(main(["cifar10"], {"cifar10": source._replace(mirrors=(address,))}), capsys, address, "--from")


@pytest.mark.parametrize("fault", ["missing", "changed", "cut", "web page"])
def test_when_one_mirror_fails_the_next_is_asked(fault, cache, server):
    good = archive(FILES["cifar10"])
    server.pages = {"/b/cifar-10-binary.tar.gz": good}
    if fault != "missing":
        bad = {"changed": good[:-3000] + b"?" + good[-2999:], "cut": good, "web page": b"<html>moved</html>"}[fault]
        server.pages["/a/cifar-10-binary.tar.gz"] = bad
        server.cut = {"/a/cifar-10-binary.tar.gz"} if fault == "cut" else set()
    assert main(["cifar10"], served_by(server, "cifar10", "a", "b")) == 0
    assert server.asked == ["/a/cifar-10-binary.tar.gz", "/b/cifar-10-binary.tar.gz"]
    assert_stored("cifar10")


@pytest.mark.parametrize("folder", ["drip", "drip-header"])
def test_a_server_that_drips_is_left_after_a_while_and_the_next_is_asked(folder, cache, server, monkeypatch, capsys):
    """A byte every 20 ms, for ever: there is always one within the 30 s that a read may take, and no chunk is whole."""
    monkeypatch.setattr("data_scripts.fetch.PATIENCE", 0.5)
    monkeypatch.setattr("data_scripts.fetch.SLOWEST", 1e9)
    server.pages = {"/b/cifar-10-binary.tar.gz": archive(FILES["cifar10"])}
    assert main(["cifar10"], served_by(server, "cifar10", folder, "b")) == 0
    assert server.asked[-1] == "/b/cifar-10-binary.tar.gz"
    assert_stored("cifar10")
    capsys.readouterr()
    code = main(["mnist"], served_by(server, "mnist", folder))
    assert code == 1 and "takes too long" in capsys.readouterr().err


def test_a_set_has_two_minutes_and_a_second_for_every_twenty_thousand_bytes(cache, monkeypatch, capsys):
    ends = []

    def in_time(end, bar, *rest, **how):
        ends.append((end, bar.most))
        raise DataError("too late")

    monkeypatch.setattr(fetch, "in_time", in_time)
    monkeypatch.setattr(fetch.time, "monotonic", lambda: 1000.0)
    for name, size in ("cifar100", 153_700_000 + 30_740_000), ("boston", 0):
        assert main([name]) == 1
        assert ends.pop() == (1000 + 120 + size / 20_000, size + 2**24)
    monkeypatch.undo()
    bar, late = SimpleNamespace(most=7, address="there"), threading.Event()
    assert fetch.in_time(time.monotonic() + 9, bar, divmod, 7, 2) == (3, 1) and bar.most == 7
    assert fetch.in_time(time.monotonic() + 9, bar, threading.current_thread).daemon  # it ends with the program
    with pytest.raises(ZeroDivisionError):
        fetch.in_time(time.monotonic() + 9, bar, divmod, 7, 0)
    with pytest.raises(DataError, match="there takes too long: .* in 120 s, and 20,000 bytes a second"):
        fetch.in_time(time.monotonic() + 0.01, bar, late.wait, timeout=9)
    assert bar.most == -1  # which ends the download at its next bytes
    late.set()


def test_the_error_of_a_download_that_was_given_up_holds_no_connection_open():
    late, seen = threading.Event(), []

    def reads():
        connection = socket.socket()
        seen[:] = threading.current_thread(), weakref.ref(connection)
        with connection:
            late.wait()
            raise OSError("broken off")

    with pytest.raises(DataError, match="takes too long"):
        fetch.in_time(time.monotonic() + 0.05, SimpleNamespace(most=7, address="there"), reads)
    thread, connection = seen
    late.set()
    thread.join()
    assert connection() is None


def test_as_many_bytes_as_a_set_can_have_are_taken_and_one_more_is_not():
    with fetch.Bar(total=1, file=io.StringIO()) as bar:
        bar.most, bar.address = 10, "there"
        for taken in fetch.Bounded(io.BytesIO(bytes(11)), "there", 10).read, bar.update:
            taken(4), taken(6)
            with pytest.raises(DataError, match="there .* more than 10 bytes"):
                taken(1)


def test_no_more_is_taken_from_a_server_that_never_ends_than_a_set_can_have(cache, server, monkeypatch, capsys):
    monkeypatch.setattr("data_scripts.fetch.SPARE", 2**22)
    code = main(["mnist"], served_by(server, "mnist", "endless"))
    assert_refused(code, capsys, "sends more than", "endless")
    assert server.sent < 40  # megabytes, of which the buffers of two sockets may hold some


def test_a_connection_cut_in_the_middle_leaves_nothing(cache, server, capsys):
    server.pages = {"/a/cifar-10-binary.tar.gz": archive(FILES["cifar10"])}
    server.cut = set(server.pages)
    code = main(["cifar10"], served_by(server, "cifar10", "a"))
    assert_refused(code, capsys, "broke in the middle", f"{server.address}/a/cifar-10-binary.tar.gz", "--from")


def test_one_changed_byte_is_named_with_the_expected_and_the_found_sum_and_leaves_nothing(cache, server, capsys):
    files = dict(FILES["mnist"])
    content = bytearray(files["t10k-images-idx3-ubyte"])
    content[100] ^= 1
    files["t10k-images-idx3-ubyte"] = bytes(content)
    server.pages = {f"/a/{file}.gz": gzip.compress(content) for file, content in files.items()}
    code = main(["mnist"], served_by(server, "mnist", "a"))
    assert_refused(code, capsys, f"{server.address}/a/t10k-images-idx3-ubyte.gz", hashlib.sha256(content).hexdigest(),
                   hashlib.sha256(FILES["mnist"]["t10k-images-idx3-ubyte"]).hexdigest())


def test_a_missing_page_leaves_nothing_and_says_what_to_fetch_by_hand(cache, server, capsys):
    code = main(["cifar10"], served_by(server, "cifar10", "a"))
    assert_refused(code, capsys, "404", f"by hand {server.address}/a/cifar-10-binary.tar.gz",
                   "python -m data_scripts cifar10 --from")


def test_without_a_server_the_message_says_what_to_fetch_by_hand(cache, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))    # bound but not listening: connections are refused
        mirror = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        code = main(["cifar10"], {"cifar10": TINY["cifar10"]._replace(mirrors=(mirror,))})
    assert_refused(code, capsys, f"{mirror}cifar-10-binary.tar.gz: no connection",
                   f"by hand {mirror}cifar-10-binary.tar.gz", "--from")


# ---- interruption ---------------------------------------------------------------------------------------------


class Interrupting:
    """Something to store that is interrupted as Ctrl-C would while it is written."""

    def __array__(self, *arguments, **keywords):
        raise KeyboardInterrupt


def test_ctrl_c_while_storing_leaves_nothing_half_written(cache, tmp_path, capsys):
    def half(contents):
        return {"X_train": np.zeros(1000, np.uint8), "Y_train": Interrupting()}
    sources = {"mnist": TINY["mnist"]._replace(convert=half)}
    assert main(["mnist", "--from", str(write(tmp_path / "copy", FILES["mnist"]))], sources) == 130
    assert "interrupted; nothing of mnist was stored" in capsys.readouterr().err
    assert everything_in(cache) == []


def test_ctrl_c_while_downloading_leaves_nothing(cache, server, monkeypatch):
    server.pages = {f"/a/{file}.gz": gzip.compress(content) for file, content in FILES["mnist"].items()}

    def interrupted(path, source, prefix=False):
        assert len(list(path.glob("*.gz"))) == 4    # the downloads are there, and are removed
        raise KeyboardInterrupt
    monkeypatch.setattr("data_scripts.fetch.find", interrupted)
    assert main(["mnist"], served_by(server, "mnist", "a")) == 130
    assert everything_in(cache) == []


def test_a_failed_replacement_of_a_part_leaves_the_part_as_it_was(cache, tmp_path, capsys):
    cut = prefix_copy(tmp_path / "cut", 2)
    assert main(["cifar10", "--from", str(cut), "--prefix"], TINY) == 0
    before = everything_in(cache)
    assert main(["cifar10", "--from", str(write(tmp_path / "none", {}))], TINY) == 1
    assert everything_in(cache) == before and len(data.cifar10().X_test) == 2


# ---- local copies ---------------------------------------------------------------------------------------------


PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", MAKE)
def test_a_folder_of_plain_or_compressed_files_is_taken(name, ending, cache, tmp_path):
    copy = write(tmp_path / "copy", {file + ending: PACK[ending](content) for file, content in FILES[name].items()})
    assert main([name, "--from", str(copy)], TINY) == 0
    assert_stored(name)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_archive_or_the_folder_that_holds_it_or_the_folder_unpacked_is_taken(name, cache, tmp_path):
    source = TINY[name]
    folder = write(tmp_path / "a", {source.downloads[0]: archive(FILES[name], source.inside)})
    write(tmp_path / "b" / source.inside, FILES[name])
    renamed = write(tmp_path / "c", {"renamed": archive(FILES[name], "./" + source.inside)}) / "renamed"
    for path in (folder, folder / source.downloads[0], tmp_path / "b", tmp_path / "b" / source.inside, renamed):
        assert main([name, "--from", str(path)], TINY) == 0
        assert_stored(name)
        (cache / name).rename(tmp_path / f"taken from {path.name} {path.parent.name}")


def test_of_several_copies_the_plain_one_is_taken_and_what_lies_right_in_the_folder(cache, tmp_path):
    good, wrong = FILES["cifar10"], {name: content[:-1] + b"\xff" for name, content in FILES["cifar10"].items()}
    for number, (chosen, other) in enumerate((("{}", "{}.gz"), ("{}.gz", "{}.xz"), ("{}", "cifar-10-batches-bin/{}"),
                                              ("cifar-10-batches-bin/{}", "{}.gz"))):
        copy = tmp_path / f"{number}"
        for named, files in (chosen, good), (other, wrong):
            for name, content in files.items():
                file = copy / named.format(name)
                write(file.parent, {file.name: PACK[file.suffix.replace(".bin", "")](content)})
        assert main(["cifar10", "--from", str(copy)], TINY) == 0
        assert_stored("cifar10")
        shutil.rmtree(cache / "cifar10")


def test_a_compression_is_known_by_the_content_not_by_the_name_and_mnists_names_may_have_a_dot(cache, tmp_path):
    files = {name.replace("-idx", ".idx") + ".gz": content for name, content in FILES["mnist"].items()}
    assert main(["mnist", "--from", str(write(tmp_path / "copy", files))], TINY) == 0
    assert_stored("mnist")


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_a_compressed_file_that_is_cut_short_or_damaged_is_named(ending, cache, tmp_path, capsys):
    for damage in (lambda content: content[:len(content) // 2], lambda content: content[:-40] + bytes(40)):
        files = {name + ending: PACK[ending](content) for name, content in FILES["mnist"].items()}
        files["train-images-idx3-ubyte" + ending] = damage(files["train-images-idx3-ubyte" + ending])
        code = main(["mnist", "--from", str(write(tmp_path / "copy", files))], TINY)
        assert_refused(code, capsys, "train-images-idx3-ubyte" + ending, "SHA-256",
                       hashlib.sha256(files["train-images-idx3-ubyte" + ending]).hexdigest())


def test_a_plain_file_that_is_too_short_too_long_or_another_one_is_named_with_both_sums(cache, tmp_path, capsys):
    good = FILES["cifar10"]["data_batch_3.bin"]
    for bad in (good[:-1], good + b"\0" * 100, FILES["cifar10"]["data_batch_2.bin"]):
        copy = write(tmp_path / "copy", FILES["cifar10"] | {"data_batch_3.bin": bad})
        code = main(["cifar10", "--from", str(copy)], TINY)
        assert_refused(code, capsys, "data_batch_3.bin", hashlib.sha256(good).hexdigest(),
                       hashlib.sha256(bad[:len(good) + 1]).hexdigest())


def test_a_changed_byte_in_an_archive_is_found_in_the_file_that_it_belongs_to(cache, tmp_path, capsys):
    good = FILES["cifar10"]["data_batch_5.bin"]
    bad = good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]
    path = write(tmp_path, {"a.tar.gz": archive(FILES["cifar10"] | {"data_batch_5.bin": bad})}) / "a.tar.gz"
    code = main(["cifar10", "--from", str(path)], TINY)
    assert_refused(code, capsys, "a.tar.gz: cifar-10-batches-bin/data_batch_5.bin",
                   hashlib.sha256(good).hexdigest(), hashlib.sha256(bad).hexdigest())


def test_a_member_of_an_archive_that_is_longer_shorter_or_as_long_is_told_its_length(cache, tmp_path, capsys):
    good = FILES["cifar10"]["data_batch_5.bin"]
    for bad, found in ((good + b"\0", "more than 12,292 bytes"), (good[:-1], "found 12,291 bytes"),
                       (good[:-1] + bytes([good[-1] ^ 1]), "found 12,292 bytes")):
        path = write(tmp_path, {"a.tar.gz": archive(FILES["cifar10"] | {"data_batch_5.bin": bad})}) / "a.tar.gz"
        code = main(["cifar10", "--from", str(path)], TINY)
        assert_refused(code, capsys, "data_batch_5.bin", "expected 12,292 bytes", found)


def test_missing_files_are_named(cache, tmp_path, capsys):
    files = {name: content for name, content in FILES["cifar10"].items() if name[-5] not in "24"}
    code = main(["cifar10", "--from", str(write(tmp_path / "copy", files))], TINY)
    assert_refused(code, capsys, "data_batch_2.bin, data_batch_4.bin")
    archived = write(tmp_path / "tar", {"some.tar.gz": archive(files)}) / "some.tar.gz"
    assert_refused(main(["cifar10", "--from", str(archived)], TINY), capsys, "data_batch_2.bin, data_batch_4.bin")


def test_a_path_that_does_not_exist_and_one_file_of_several_are_refused(cache, tmp_path, capsys):
    assert_refused(main(["mnist", "--from", str(tmp_path / "nowhere")], TINY), capsys, "nowhere does not exist")
    one = write(tmp_path / "copy", FILES["mnist"]) / "train-images-idx3-ubyte"
    assert_refused(main(["mnist", "--from", str(one)], TINY), capsys, "folder", "t10k-labels-idx1-ubyte")


def test_an_archive_that_is_cut_short_or_none_is_named_with_the_published_sum(cache, tmp_path, capsys):
    good = archive(FILES["cifar10"])
    for bad in (good[:len(good) // 2], b"x" + good, b""):
        path = write(tmp_path, {"cifar-10-binary.tar.gz": bad}) / "cifar-10-binary.tar.gz"
        code = main(["cifar10", "--from", str(path)], TINY)
        assert_refused(code, capsys, str(path), TINY["cifar10"].archive_sha256, hashlib.sha256(bad).hexdigest())


# ---- malicious archives ---------------------------------------------------------------------------------------


def evil_members(tmp_path):
    """Names that climb out of the folder, absolute ones, links to files and folders outside, and a device."""
    def member(name, kind=tarfile.REGTYPE, link=""):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, str(link)
        return info, b"" if kind != tarfile.REGTYPE else b"evil"
    return [member("../../evil"), member(f"{tmp_path}/evil"), member("cifar-10-batches-bin/../../evil"),
            member("cifar-10-batches-bin", tarfile.SYMTYPE, tmp_path / "outside"),
            member("cifar-10-batches-bin/evil", tarfile.SYMTYPE, tmp_path / "outside" / "secret"),
            member("cifar-10-batches-bin/pipe", tarfile.FIFOTYPE)]


def test_an_archive_with_hostile_names_and_links_writes_nothing_outside_the_cache(cache, tmp_path):
    write(tmp_path / "outside", {"secret": b"secret"})
    path = write(tmp_path / "copy", {"a.tar.gz": archive(FILES["cifar10"], more=evil_members(tmp_path))}) / "a.tar.gz"
    before = everything_in(tmp_path)
    assert main(["cifar10", "--from", str(path)], TINY) == 0
    assert_stored("cifar10")
    assert [name for name in everything_in(tmp_path) if not name.startswith("cache")] == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_the_place_of_an_expected_file_is_not_followed(kind, cache, tmp_path, capsys):
    outside = write(tmp_path / "outside", FILES["cifar10"]) / "test_batch.bin"
    link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
    link.type, link.linkname = kind, str(outside)
    files = {name: content for name, content in FILES["cifar10"].items() if name != "test_batch.bin"}
    path = write(tmp_path / "copy", {"a.tar.gz": archive(files, more=[(link, b"")])}) / "a.tar.gz"
    assert_refused(main(["cifar10", "--from", str(path)], TINY), capsys, "has no test_batch.bin")


def test_the_python_version_is_refused_because_it_is_made_of_pickles(cache, tmp_path, capsys):
    files = {"data_batch_1": b"cos\nsystem\n(S'exit 1'\ntR."}
    path = write(tmp_path, {"cifar-10-python.tar.gz": archive(files, "cifar-10-batches-py")})
    code = main(["cifar10", "--from", str(path / "cifar-10-python.tar.gz")], TINY)
    assert_refused(code, capsys, "pickles", "cifar-10-binary.tar.gz")


@pytest.mark.parametrize("error, words", [
    ("ConnectionError", "no connection"), ("ConnectTimeout", "no connection"), ("SSLError", "no safe connection"),
    ("ReadTimeout", "the server fell silent"), ("ChunkedEncodingError", "the connection broke in the middle"),
    ("InvalidURL", "by hand")])
def test_a_failed_request_is_told_in_few_words(error, words):
    assert fetch.plainly(getattr(requests.exceptions, error)("by hand")) == words
    answered = requests.exceptions.HTTPError(response=SimpleNamespace(status_code=404, reason="Not Found"))
    assert fetch.plainly(answered) == "the server answers 404 Not Found"
    assert fetch.plainly(OSError("the disk is full")) == "the disk is full"


# ---- beginnings of a set --------------------------------------------------------------------------------------


def prefix_copy(folder, n, content=None):
    """CIFAR-10 with the first n test images only, as a file named test_batch_first{n}.bin.xz."""
    files = {name: content for name, content in FILES["cifar10"].items() if name != "test_batch.bin"}
    content = FILES["cifar10"]["test_batch.bin"][:n * 3073] if content is None else content
    return write(folder, files | {f"test_batch_first{n}.bin.xz": lzma.compress(content)})


def test_a_beginning_is_taken_only_when_told_to_and_the_dataset_says_so(cache, tmp_path, capsys):
    copy = str(prefix_copy(tmp_path / "copy", 3))
    assert_refused(main(["cifar10", "--from", copy], TINY), capsys, "test_batch_first3.bin.xz", "--prefix")
    assert main(["cifar10", "--from", copy, "--prefix"], TINY) == 0
    assert_stored("cifar10")
    assert "in part" in capsys.readouterr().out
    assert len(data.cifar10().X_test) == 3 and "the first 3 of 10,000 test images" in data.cifar10().note


def test_a_beginning_that_is_in_place_is_enough_for_whoever_asks_for_one(cache, tmp_path, capsys):
    copy = str(prefix_copy(tmp_path / "copy", 3))
    assert main(["cifar10", "--from", copy, "--prefix"], TINY) == 0
    shutil.rmtree(copy)
    capsys.readouterr()
    assert main(["cifar10", "--from", copy, "--prefix"], TINY) == 0
    assert capsys.readouterr().out == f"cifar10 is in place: {cache / 'cifar10'}\n"
    assert main(["cifar10", "--from", copy], TINY) == 1 and "does not exist" in capsys.readouterr().err


def test_a_beginning_may_lie_in_the_folder_that_unpacking_the_archive_would_make(cache, tmp_path):
    prefix_copy(tmp_path / "copy" / "cifar-10-batches-bin", 3)
    assert main(["cifar10", "--from", str(tmp_path / "copy"), "--prefix"], TINY) == 0
    assert len(data.cifar10().X_test) == 3


def test_the_longest_beginning_is_taken_and_the_whole_file_before_any(cache, tmp_path):
    prefix_copy(tmp_path / "copy", 1)
    copy = str(prefix_copy(tmp_path / "copy", 2))
    main(["cifar10", "--from", copy, "--prefix"], TINY)
    assert len(data.cifar10().X_test) == 2
    write(tmp_path / "copy", FILES["cifar10"])
    main(["cifar10", "--from", copy], TINY)
    assert len(data.cifar10().X_test) == 4    # a part that is in place is replaced by the whole
    assert_stored("cifar10")


def test_a_beginning_that_is_not_as_many_whole_records_as_its_name_says_is_refused(cache, tmp_path, capsys):
    test = FILES["cifar10"]["test_batch.bin"]
    for wrong in (test[:3 * 3073 - 1], test[:2 * 3073], test):
        copy = prefix_copy(tmp_path / "copy", 3, wrong)
        code = main(["cifar10", "--from", str(copy), "--prefix"], TINY)
        assert_refused(code, capsys, "test_batch_first3.bin", "9,219 bytes")


def test_what_is_named_as_a_beginning_and_is_as_long_as_the_whole_or_has_nothing_is_none(cache, tmp_path, capsys):
    for n in 4, 0:
        code = main(["cifar10", "--from", str(prefix_copy(tmp_path / f"{n}", n)), "--prefix"], TINY)
        assert_refused(code, capsys, "has no test_batch.bin")


def test_a_known_beginning_must_have_its_sum(cache, tmp_path, capsys):
    sources = {"cifar10": TINY["cifar10"]._replace(
        prefixes={"test_batch.bin": (File("test_batch_first3.bin", 3 * 3073, 64 * "0"),)})}
    code = main(["cifar10", "--from", str(prefix_copy(tmp_path / "copy", 3)), "--prefix"], sources)
    assert_refused(code, capsys, "test_batch_first3.bin", 64 * "0")


# ---- what is inside the files ---------------------------------------------------------------------------------


def converted_from(name, tmp_path, changed):
    """The exit code for a set some of whose files are others with right sums, so that only the conversion can tell."""
    files = FILES[name] | changed
    return main([name, "--from", str(write(tmp_path / "copy", files))], {name: with_sums(SOURCES[name], files)})


def test_labels_out_of_range_are_found(cache, tmp_path, capsys):
    ten = bytearray(FILES["cifar10"]["data_batch_4.bin"])
    ten[2 * 3073] = 10
    code = converted_from("cifar10", tmp_path, {"data_batch_4.bin": bytes(ten)})
    assert_refused(code, capsys, "data_batch_4.bin", "record 2", "label 10", "0 to 9")
    for column, label in ((0, 20), (1, 100)):
        wrong = bytearray(FILES["cifar100"]["test.bin"])
        wrong[column] = label
        code = converted_from("cifar100", tmp_path, {"test.bin": bytes(wrong)})
        assert_refused(code, capsys, "test.bin", "record 0", f"label {label}")
    for label in 10, 60:
        wrong = idx_bytes(np.array([1, 2, 3, 4, 9, label], np.uint8))
        code = converted_from("mnist", tmp_path, {"train-labels-idx1-ubyte": wrong})
        assert_refused(code, capsys, "train-labels-idx1-ubyte", "record 5", f"label {label}", "0 to 9")


def test_records_of_a_wrong_length_are_found(cache, tmp_path, capsys):
    for content in (FILES["cifar10"]["test_batch.bin"][:-1], b""):
        code = converted_from("cifar10", tmp_path, {"test_batch.bin": content})
        assert_refused(code, capsys, "test_batch.bin", "3,073")


def test_files_that_are_not_idx_or_not_as_long_as_they_say_or_do_not_fit_together_are_found(cache, tmp_path, capsys):
    images = FILES["mnist"]["train-images-idx3-ubyte"]
    for wrong, words in ((b"GIF89a", "not an idx file"), (b"", "not an idx file"), (images[:-1], "(6, 28, 28)"),
                         (images + b"\0", "it has 4,721"), (images[:7], "not an idx file"),
                         (b"\0\0\x09" + images[3:], "begins with 00 00 09 03"),
                         (b"\0\x08\x08" + images[3:], "begins with 00 08 08 03"),
                         (b"\0\0\x08\x03" + b"\xff" * 12, "4294967295")):
        code = converted_from("mnist", tmp_path, {"train-images-idx3-ubyte": wrong})
        assert_refused(code, capsys, "train-images-idx3-ubyte", words)
    code = converted_from("mnist", tmp_path, {"train-labels-idx1-ubyte": idx_bytes(np.zeros(5, np.uint8))})
    assert_refused(code, capsys, "(6, 28, 28)", "(5,)")
    for part, wrong in ("images", np.zeros((6, 28, 28, 1), np.uint8)), ("images", np.zeros((6, 784), np.uint8)), (
            "labels", np.zeros((6, 1), np.uint8)):
        name = f"train-{part}-idx{3 if part == 'images' else 1}-ubyte"
        code = converted_from("mnist", tmp_path, {name: idx_bytes(wrong)})
        assert_refused(code, capsys, "train: images of shape", str(wrong.shape), "do not belong together")


def test_the_channels_of_a_record_are_red_then_green_then_blue_row_by_row():
    record = bytes([7]) + bytes([1]) * 1024 + bytes([2]) * 1024 + bytes(range(256)) * 4
    X, Y = formats.records(record, "one.bin", (10,))
    assert Y.tolist() == [[7]] and X.shape == (1, 32, 32, 3)
    assert (X[..., 0] == 1).all() and (X[..., 1] == 2).all()
    assert X[0, 0, :3, 2].tolist() == [0, 1, 2] and X[0, 1, 0, 2] == 32


def boston_text(change=lambda table: table):
    """The numbers of the embedded copy in StatLib's form: a description, then every row on two lines."""
    raw = data.boston(normalise=False)
    table = change(data._table("boston_house_prices.csv", skiprows=2).copy())
    assert table.shape == (len(raw.X_train) + len(raw.X_test), 14)
    rows = "".join(f" {' '.join(f'{x:8.5f}' for x in row[:11])}\n  {' '.join(f'{x:7.2f}' for x in row[11:])}\n"
                   for row in table)
    return (" The Boston house-price data of Harrison, D. and Rubinfeld, D.L., 1978.\n\n Variables in order:\n"
            " CRIM     per capita crime rate by town\n\n\n" + rows).encode()


def test_the_original_text_of_boston_is_compared_number_by_number(cache, tmp_path, server, capsys):
    server.pages = {"/a/boston": boston_text()}
    assert main(["boston"], served_by(server, "boston", "a")) == 0
    assert np.load(cache / "boston" / "table.npy").shape == (506, 14)

    def another(table):
        table[445, 0] = 0.6718    # as scikit-learn had it before version 0.20
        return table
    for text, words in ((boston_text(another), "SHA-256"), (boston_text()[:-20], "7,084"), (b"<html>", "found 0")):
        (cache / "boston").exists() and (cache / "boston").rename(tmp_path / "done")
        file = write(tmp_path / "copy", {"any name": text}) / "any name"
        assert_refused(main(["boston", "--from", str(file)], TINY), capsys, "boston", words)


@pytest.mark.parametrize("named, divider", [("housing.data", "  "), ("boston_house_prices.csv", ","), ("boston", " ")])
def test_a_table_of_boston_with_a_row_on_a_line_is_taken_with_commas_or_without(named, divider, cache, tmp_path):
    table = data._table("boston_house_prices.csv", skiprows=2)
    text = "506,13,,\nCRIM,ZN\n" * (divider == ",") + "\n".join(divider.join(map(str, row)) for row in table.tolist())
    assert main(["boston", "--from", str(write(tmp_path / "copy", {named: text.encode()}))], TINY) == 0
    assert (np.load(cache / "boston" / "table.npy") == table).all()


# ---- the command ----------------------------------------------------------------------------------------------


def test_an_unknown_name_gets_the_nearest_names(cache, capsys):
    assert_refused(main(["cifar-11"]), capsys, "cifar10 or cifar100")
    assert_refused(main(["Fashion-MNIST"]), capsys, "fashion_mnist")
    assert_refused(main(["zzz"]), capsys, *SOURCES, "channel_statistics")


def test_the_list_says_what_there_is_and_what_is_in_place(cache, tmp_path, capsys):
    main(["mnist", "--from", str(write(tmp_path / "copy", FILES["mnist"]))], TINY)
    capsys.readouterr()
    for arguments in (["--list"], []):
        assert main(arguments) == 0
        listing = capsys.readouterr().out
        assert all(name in listing for name in SOURCES) and str(cache) in listing
        assert listing.count("not here") == 4 and listing.count("in place") == 1


def test_every_published_file_has_a_size_and_a_sum_and_every_address_is_there():
    for name, source in SOURCES.items():
        assert all(re.fullmatch("https?://.+/", mirror) for mirror in source.mirrors) and source.mirrors
        for file in [*source.files, *(cut for cuts in source.prefixes.values() for cut in cuts)]:
            if name != "boston":
                assert file.size > 0 and re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert set(source.prefixes) <= {file.name for file in source.files}
    sums = [file.sha256 for source in SOURCES.values() for file in source.files]
    assert len(set(sums)) == len(sums)


def test_every_published_file_is_as_long_as_its_images_and_labels_are():
    for name in "mnist", "fashion_mnist":  # two zero bytes, the type, the number of axes, and four bytes for each axis
        assert {file.name: file.size for file in SOURCES[name].files} == {
            f"{part}-{what}": 4 + 4 * axes + n * each for part, n in (("train", 60_000), ("t10k", 10_000))
            for what, axes, each in (("images-idx3-ubyte", 3, 28 * 28), ("labels-idx1-ubyte", 1, 1))}
    for name, labels, parts in ("cifar10", 1, [10_000] * 6), ("cifar100", 2, [50_000, 10_000]):
        assert SOURCES[name].record == labels + 3 * 32 * 32
        assert [file.size for file in SOURCES[name].files] == [n * (labels + 3 * 32 * 32) for n in parts]


def test_a_file_that_may_be_cut_is_made_of_records_and_a_beginning_has_as_many_as_its_name_says():
    for source in SOURCES.values():
        for file in source.files:
            for beginning in source.prefixes.get(file.name, ()):
                stem, ending = file.name.split(".")
                count = int(re.fullmatch(rf"{stem}_first(\d+)\.{ending}", beginning.name)[1])
                assert beginning.size == count * source.record < file.size and file.size % source.record == 0


def test_the_channel_statistics_need_cifar10_and_say_so(cache, capsys):
    assert_refused(main(["channel_statistics"]), capsys, "python -m data_scripts cifar10")


# ---- Table 1 of Memon et al. (2024) ---------------------------------------------------------------------------


def test_ones_added_one_by_one_to_a_large_float32_total_are_lost_and_in_pieces_they_are_not():
    x = np.ones(2 * 8192, np.float32)
    x[:8192] = 0
    x[0] = 2**24    # above 2²⁴ neighbouring float32 numbers are 2 apart
    assert channel_statistics.sum_in_pieces(x, piece=1) == 2**24
    assert channel_statistics.sum_in_pieces(x, piece=8192) == 2**24 + 8192


def test_float32_sums_in_pieces_agree_with_the_exact_statistics_to_six_digits_but_not_to_nine():
    X = np.random.default_rng(0).integers(256, size=(600, 32, 32, 1), dtype=np.uint8)
    rounded, exact = channel_statistics.float32_mean_and_sd(X), np.ravel(data.channel_mean_and_sd(X))
    assert all(type(number) is np.float32 for number in rounded)
    assert np.allclose(rounded, exact, rtol=1e-6) and not np.allclose(rounded, exact, rtol=1e-9)


def test_the_report_has_for_each_channel_the_exact_statistics_and_those_in_pieces():
    X = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype=np.uint8) // np.array([1, 2, 4], np.uint8)
    report = channel_statistics.report(SimpleNamespace(X_train=X, note="made up", features=("red", "green", "blue")))
    rows = {tuple(line.split()[:2]): np.array(line.split()[-3:], float) for line in report.splitlines()[2:]}
    for quantity, values in zip(("mean", "SD"), data.channel_mean_and_sd(X)):
        for how in "exact", "float32,":
            np.testing.assert_allclose(rows[quantity, how], values, atol=1e-6)


def test_the_real_cifar10_gives_the_printed_table_digit_for_digit_when_summed_in_pieces():
    if "NUMOPT_DATA" not in os.environ or not (data.folder() / "cifar10").is_dir():
        pytest.skip("needs the environment variable NUMOPT_DATA and, there, python -m data_scripts cifar10")
    cifar = data.cifar10(normalise=False)
    if len(cifar.X_train) != 50_000:
        pytest.skip(f"needs the whole training part: {cifar.note}")
    for c in range(3):
        mean, sd = channel_statistics.float32_mean_and_sd(cifar.X_train[..., c])
        assert f"{mean:.8f}" == f"{channel_statistics.PRINTED[0][c]:.8f}"
        assert f"{sd:.8f}" == f"{channel_statistics.PRINTED[1][c]:.8f}"
    report = channel_statistics.report(cifar)
    assert "0.48215841" in report and report.count("0.48215827") == 2


# ---- hostile archives and servers, and changes that are broken off ---------------------------------------------

def tar_header(name, size, kind=b"0"):
    header = bytearray(512)
    header[:len(name)], header[100:108], header[124:136], header[156:157] = name, b"0000644\0", size, kind
    header[257:265], header[148:156] = b"ustar  \0", b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


NEGATIVE = (256**12 - 512).to_bytes(12, "big")


@pytest.mark.parametrize("kind", [b"0", b"L", b"x", b"5"])
def test_a_member_of_negative_size_ends_in_an_error_and_not_never(kind, tmp_path):
    (tmp_path / "some.tar").write_bytes(tar_header(b"x", NEGATIVE, kind) + bytes(1024))
    with pytest.raises(DataError):
        fetch.find_in_archive(tmp_path / "some.tar", TINY["cifar10"])


def test_no_more_of_an_archive_is_unpacked_than_a_set_can_have(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SPARE", 10_000)
    path, large = tmp_path / "some.tar.gz", bytes(10**7)
    path.write_bytes(archive(FILES["cifar10"], more=[(tarfile.TarInfo("large"), large)]))
    with pytest.raises(DataError, match="more than the whole set"):
        fetch.find_in_archive(path, TINY["cifar10"])
    path.write_bytes(archive(FILES["cifar10"] | {"large": large}))
    assert fetch.find_in_archive(path, TINY["cifar10"]) == FILES["cifar10"], "what comes after them is not looked at"


def test_the_sum_of_an_archive_is_compared_before_anything_in_it_is_read(tmp_path, monkeypatch):
    (tmp_path / "a.tar.gz").write_bytes(content := archive(FILES["cifar10"]))
    monkeypatch.setattr(fetch, "tarfile", None)
    with pytest.raises(DataError, match=f"SHA-256 {64 * '0'}, found {hashlib.sha256(content).hexdigest()}"):
        fetch.find_in_archive(tmp_path / "a.tar.gz", TINY["cifar10"]._replace(archive_sha256=64 * "0"))


def test_a_text_without_a_known_size_is_not_read_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SPARE", 1000)
    (tmp_path / "boston.gz").write_bytes(gzip.compress(bytes(10**6)))
    assert len(fetch.read(tmp_path / "boston.gz", File("boston"))) == 1001


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_a_change_that_is_broken_off_between_two_renames_leaves_the_old_set_or_the_new_one(
        number, done, tmp_path, monkeypatch):
    stored, calls, real = tmp_path / "some", [], fetch.os.replace
    fetch.store({"X": np.ones(3)}, False, stored)

    def replace(a, b):
        calls.append(a)
        if len(calls) == number and not done:
            raise KeyboardInterrupt
        real(a, b)
        if len(calls) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(fetch.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        fetch.store({"X": np.zeros(3)}, True, stored)
    X = np.load(stored / "X.npy")
    assert np.array_equal(X, np.zeros(3) if (number, done) == (2, True) else np.ones(3))
    assert everything_in(tmp_path) in (["some", "some/X.npy"], ["some", "some/X.npy", "some/complete"])


def test_what_a_kill_between_two_renames_left_aside_is_put_back(tmp_path):
    stored = tmp_path / "some"
    fetch.store({"X": np.ones(3)}, False, stored)
    fetch.os.replace(stored, fetch.aside(stored))
    fetch.recover(stored)
    assert everything_in(tmp_path) == ["some", "some/X.npy"]


def test_what_a_kill_after_the_second_rename_left_aside_is_no_hindrance_to_the_next_change(tmp_path):
    stored = tmp_path / "some"
    for number in range(3):
        fetch.store({"X": np.full(3, number)}, True, stored)
        if number == 0:
            shutil.copytree(stored, fetch.aside(stored))
    assert everything_in(tmp_path) == ["some", "some/X.npy", "some/complete"] and np.load(stored / "X.npy")[0] == 2


def test_a_stored_set_that_was_cut_short_is_not_in_place(cache, tmp_path, capsys):
    sources = {"mnist": TINY["mnist"]}
    assert main(["mnist", "--from", str(write(tmp_path / "copy", FILES["mnist"]))], sources) == 0
    path = cache / "mnist" / "X_test.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert not fetch.in_place(cache / "mnist")
    assert main(["mnist", "--from", str(tmp_path / "copy")], sources) == 0 and fetch.in_place(cache / "mnist")
    path.unlink()
    assert not fetch.in_place(cache / "mnist", prefix=True)
    capsys.readouterr()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder whose file is open cannot be removed there")
@pytest.mark.parametrize("prefix", [".storing-", ".downloading-"])
def test_what_a_kill_left_goes_with_the_next_that_fetches_and_what_others_have_stays(prefix, cache, tmp_path, capsys):
    killed = f"""
import os, signal
from pathlib import Path
from data_scripts import fetch
with fetch.temporary({prefix!r}, Path({str(cache)!r})) as folder:
    (Path(folder) / "half").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    cache.mkdir()
    assert subprocess.run([sys.executable, "-c", killed], check=False, cwd=Path(__file__).parents[2]).returncode == -9
    assert len(list(cache.glob(f"{prefix}*/half"))) == 1
    with fetch.temporary(prefix, cache) as folder:
        arguments = ["mnist", "--from", str(write(tmp_path / "copy", FILES["mnist"]))]
        assert main(arguments, {"mnist": TINY["mnist"]}) == 0
        assert sorted(path.name for path in cache.iterdir()) == sorted(["mnist", Path(folder).name])
    assert_stored("mnist")
    capsys.readouterr()
