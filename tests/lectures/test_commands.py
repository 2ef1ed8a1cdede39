"""The commands of python -m lectures: what they hand on and print, in which order, and how they end."""
import importlib.util
import json
from functools import partial
from types import SimpleNamespace

import pytest

from lectures import assignments, commands, notebooks, quoting
from lectures.__main__ import main
from lectures.commands import grade, quote
from lectures.coursework import jail, judge, release


def test_every_command_is_listed_with_the_first_line_of_what_it_says_of_itself(capsys):
    assert list(commands.all()) == sorted(commands.all()) and {"grade", "quote", "site"} <= commands.all().keys()
    for arguments, code in (["--help"], 0), ([], 2), (["no-such"], 2), (["quote", "--no-such"], 2), (["grade"], 2):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code
        told = " ".join(capsys.readouterr().out.split())
        assert all((command.__doc__.strip().split("\n")[0] in told) == (code == 0) and command.__doc__
                   for command in commands.all().values())


@pytest.mark.parametrize("error, code", [(ValueError("no such"), 1), (OSError("no such"), 1),
                                         (FileNotFoundError("no such"), 1), (None, 0), (None, 130)])
def test_what_makes_no_sense_is_said_beside_the_output_and_the_command_s_own_code_is_the_end(
        error, code, monkeypatch, capsys):
    def run(options):
        print(options.arguments)
        if error is not None:
            raise error
        return code

    command = SimpleNamespace(__doc__="Do it.\n\nAs told.", run=run,
                              arguments=lambda parser: parser.add_argument("arguments", nargs="*"))
    monkeypatch.setattr(commands, "all", lambda: {"do": command})
    assert main(["do", "a", "b"]) == code
    told = capsys.readouterr()
    assert told.out == "['a', 'b']\n" and told.err == ("" if error is None else "no such\n")


# -------------------------------------------------------------------------------------------------------- grade

class Promise:
    """What is done when it is asked for."""

    def __init__(self, function, *arguments):
        self.result = partial(function, *arguments)


class Here:
    """A pool in this very thread."""
    made = []

    def __init__(self, at_a_time):
        self.made.append(at_a_time)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, *arguments):
        return Promise(function, *arguments)

    def shutdown(self, cancel_futures=False):
        self.made.append("cancelled" if cancel_futures else "waited for")


@pytest.fixture
def graded(tmp_path, monkeypatch):
    """Grade files of these names, the last first, where some fail; hand back what graded them was told."""
    known = []

    def one(name, path, jailed, seed, secret):
        known.append((name, path.name, jailed, seed, secret))
        if "stumbles" in path.name:
            raise MemoryError("full")
        if "stopped" in path.name:
            raise KeyboardInterrupt
        return judge.could_not_be(name, path, "") | {"points": len(known), "of": 40, "words": ["told"]}

    monkeypatch.setattr(judge, "graded", one)
    monkeypatch.setattr(jail, "available", lambda: "landlock")
    monkeypatch.setattr(grade, "ThreadPoolExecutor", Here)
    monkeypatch.setattr(grade, "as_completed", lambda under_way: list(under_way)[::-1])
    monkeypatch.setattr(Here, "made", [])

    def run(*names, options=()):
        for name in names:
            (tmp_path / name).touch()
        known.clear()
        code = main(["grade", "04", *(str(tmp_path / name) for name in names), "--secret", str(tmp_path / "secret"),
                     *options])
        return code, list(known)

    return run


def test_rows_are_in_the_order_of_the_submissions_whichever_was_done_first(graded, tmp_path, capsys):
    code, known = graded("b.py", "a.py", "c.ipynb", options=["--json", f"{tmp_path}/all.json", "--seed", "7"])
    hidden = (tmp_path / "secret").read_bytes().strip()
    assert code == 0 and known == [("04", name, "landlock", 7, hidden) for name in ("c.ipynb", "a.py", "b.py")]
    assert capsys.readouterr().out == (f"{'b.py':30}   3 of 40\n{'a.py':30}   2 of 40\n{'c.ipynb':30}   1 of 40\n")
    assert [(report["submission"], report["points"]) for report in json.loads((tmp_path / "all.json").read_text())] == [
        ("b.py", 3), ("a.py", 2), ("c.ipynb", 1)]


def test_of_one_submission_its_page_is_printed_too_and_of_two_no_page(graded, capsys):
    title = f"# Assignment 04: {assignments.load('04').title}"
    assert graded("a.py", options=["--unsafe"])[1][0][2:4] == (None, 0)
    row, head, *rest = capsys.readouterr().out.split("\n")
    assert row == f"{'a.py':30}   1 of 40" and head == title
    assert "".join(rest).count("it could not be graded") == len(assignments.load("04").parts())
    assert graded("a.py", "b.py")[0] == 0 and title not in capsys.readouterr().out


def test_a_folder_with_the_assignment_s_files_is_one_submission_and_another_holds_several(graded, tmp_path):
    for name in "one/adaptive.py", "one/mine.py", "class/a.py", "class/b.py":
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    options = str(tmp_path / "one"), str(tmp_path / "class")
    code, known = graded(options=options)
    assert code == 0 and [name for _, name, *_ in known] == ["b.py", "a.py", "one"]


def test_where_the_judge_stumbles_the_others_have_their_marks(graded, capsys):
    code, _ = graded("a.py", "stumbles.py", "b.py")
    of = assignments.load("04").points
    assert code == 0 and capsys.readouterr().out.splitlines() == [
        f"{'a.py':30}   3 of 40", f"{'stumbles.py':30}   0 of {of}", f"{'b.py':30}   1 of 40"]


def test_whoever_stops_it_has_nothing_written_and_nothing_more_begun(graded, tmp_path, capsys):
    code, known = graded("a.py", "stopped.py", "b.py", options=["--csv", f"{tmp_path}/all.csv"])
    told = capsys.readouterr()
    assert code == 130 and [name for _, name, *_ in known] == ["b.py", "stopped.py"] and told.out == ""
    assert "stopped; nothing has been written" in told.err and not (tmp_path / "all.csv").exists()
    assert Here.made[-1] == "cancelled"


@pytest.mark.parametrize("option", ["--json", "--csv", "--junit", "--pages", "--gradescope"])
def test_a_report_has_its_folder_before_anything_is_run_and_is_there_afterwards(
        option, graded, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    for folder in "no", "file":
        assert graded("a.py", options=[option, f"{tmp_path}/{folder}/report"]) == (1, [])
        assert capsys.readouterr().err == (
            f"there is no folder {tmp_path / folder} for {tmp_path / folder / 'report'}\n")
    monkeypatch.chdir(tmp_path)
    assert graded("a.py", options=[option, "report"])[0] == 0 and (tmp_path / "report").exists()
    assert (tmp_path / "report").is_dir() == (option == "--pages")
    assert {file.name for file in tmp_path.iterdir()} == {"a.py", "file", "report", "secret"}


def test_so_many_at_a_time_as_are_asked_for_or_there_are_cores(graded, monkeypatch, capsys):
    monkeypatch.setattr(grade.os, "cpu_count", lambda: 48)
    for options, at_a_time in (["-j", "1"], 1), (["-j", "5"], 5), ([], 48):
        assert graded("a.py", options=options)[0] == 0 and Here.made[-1] == at_a_time
    for number in "0", "-1":
        assert graded("a.py", options=["-j", number]) == (1, [])
        assert f"-j is {number}; it must be at least 1" in capsys.readouterr().err


def test_without_a_jail_nothing_is_run_and_no_secret_made_unless_it_is_asked_for(
        graded, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jail, "available", lambda: None)
    assert graded("a.py") == (1, []) and not (tmp_path / "secret").exists()
    assert "there is no jail here" in capsys.readouterr().err
    monkeypatch.setattr(jail, "available", lambda: 1 / 0)
    code, ((*_, jailed, seed, hidden),) = graded("a.py", options=["--unsafe"])
    assert (code, jailed, seed) == (0, None, 0) and len(hidden) == 64


# ------------------------------------------------------------------------------ release, notebook, quote and site

@pytest.mark.parametrize("options, told", [
    ([], ("tree", False, 0)), (["--format", "tree", "--seed", "3"], ("tree", False, 3)),
    (["--solution"], ("tree", True, 0)),
    *((["--format", form], (form, False, 0)) for form in ("nbgrader", "otter", "gradescope"))])
def test_a_release_is_written_for_whom_it_is_asked_for_and_named(options, told, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(release, "written", lambda *given: asked.append(given) or "there")
    assert main(["release", "04b", "DIR", *options]) == 0 and capsys.readouterr().out == "there\n"
    assert asked == [("04b", "DIR", *told)] and type(asked[0][-1]) is int
    for wrong in ["--format", "moodle"], ["--seed", "x"], ["more"]:
        with pytest.raises(SystemExit) as ended:
            main(["release", "04b", "DIR", *wrong])
        assert ended.value.code == 2 and len(asked) == 1


def test_a_notebook_is_named_as_its_lecture_and_the_command_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "notebook", lambda file: f"θ of {file.name}")
    monkeypatch.chdir(tmp_path)
    for options, target in (["--out", "new/er"], "new/er/03-momentum.ipynb"), ([], "figures/out/03-momentum.ipynb"):
        assert main(["notebook", "3", *options]) == 0
        assert capsys.readouterr().out == f"{target}\n"
        assert (tmp_path / target).read_bytes() == "θ of 03-momentum.md".encode()


def test_of_all_pages_those_that_change_are_written_and_named_with_what_is_new_in_them(tmp_path, monkeypatch, capsys):
    pages = [tmp_path / name for name in ("same.md", "new.md", "old.md")]
    for page in pages:
        page.write_bytes(b"text\n")
    before = pages[0].stat().st_mtime_ns, pages[0].stat().st_ino
    monkeypatch.setattr(quoting, "ROOT", tmp_path)
    monkeypatch.setattr(quoting, "pages", lambda: pages)
    monkeypatch.setattr(quote.family, "new", lambda: {pages[1]: "text\nθ of a method\n"})
    monkeypatch.setattr(quoting, "rewritten", lambda file, text: text.replace("text", "now") if file == pages[2]
                        else text)
    assert main(["quote"]) == 0 and capsys.readouterr().out == "new.md\nold.md\n"
    assert [page.read_bytes() for page in pages] == [b"text\n", "text\nθ of a method\n".encode(), b"now\n"]
    assert (pages[0].stat().st_mtime_ns, pages[0].stat().st_ino) == before
    assert sorted(tmp_path.iterdir()) == sorted(pages)


def test_of_a_page_that_was_half_written_nothing_stays_whatever_stopped_it(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("old")

    def stopped(self, target):
        assert self.read_text() == "new" and self.parent == tmp_path
        raise KeyboardInterrupt

    monkeypatch.setattr(type(page), "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        quote.whole(page, "new")
    assert page.read_text() == "old" and list(tmp_path.iterdir()) == [page]


def test_what_the_site_is_built_with_and_is_not_there_is_named_before_anything_is_built(monkeypatch, capsys):
    from lectures.site import build
    built, missing = [], {"myst_parser", "sphinxcontrib"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else name)
    monkeypatch.setattr(build, "built", lambda out: built.append(out) or quoting.Path(out))
    assert main(["site"]) == 1 and built == []
    assert capsys.readouterr().err == ("the site is built with myst_parser, sphinxcontrib.katex, which is not here: "
                                       "pip install -e '.[site]'\n")
    missing.clear()
    assert main(["site"]) == main(["site", "--out", "there"]) == 0 and built == ["figures/out/site", "there"]
    assert capsys.readouterr().out == "figures/out/site/index.html\nthere/index.html\n"
