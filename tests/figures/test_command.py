"""The command python -m figures: what it says, what it leaves behind, and what it answers when something goes wrong."""
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import figures
from figures.making import command, records, rendering, sheet
from figures.making.command import main
from figures.making.parameters import asked, like, parameters, spelt
from tests.figures.errands import until

ROOT = Path(__file__).parents[2]

GOOD = '''
"""A line."""
import matplotlib.pyplot as plt
import numpy as np


def compute():
    return {"line": np.arange(3.0)}


def draw(line):
    figure, ax = plt.subplots()
    ax.plot(line)
    return figure
'''

# Diverged takes two arguments, and so cannot be unpickled by the process that hears of it.
BROKEN = GOOD.replace("    return {", """    from numopt.optimizer import Diverged
    raise Diverged("adam became non-finite at step 7", 7)
    return {""")

# It leaves a mark when it has begun, and then waits to be interrupted: in short sleeps, as a signal that comes just
# before a sleep does not end it.
ENDLESS = GOOD.replace("    return {", """    import pathlib, time
    pathlib.Path("begun").touch()
    while True:
        time.sleep(0.05)
    return {""")


KILLED = GOOD.replace("    return {", """    import os, signal
    with open("tried", "a") as tried:
        tried.write("once")
    os.kill(os.getpid(), signal.SIGKILL)
    return {""")

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder of figures of their own, around the command, and gives the arguments to run it."""
    package = tmp_path / "figures"
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "figures" / name, package)
    shutil.copytree(ROOT / "figures" / "making", package / "making", ignore=shutil.ignore_patterns("__pycache__"))

    def command(*arguments, **scripts):
        for name, script in scripts.items():
            (package / f"{name}.py").write_text(script, encoding="utf-8")
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return {"args": [sys.executable, "-m", "figures", *arguments], "cwd": tmp_path, "text": True,
                "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": os.environ | {"PYTHONPATH": path}}

    return command


def loaded(name, file, text, monkeypatch):
    """A script as figures.NAME, in this process."""
    file.write_text(text, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(f"figures.{name}", file)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    monkeypatch.setitem(sys.modules, f"figures.{name}", script)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """A function that runs the command on figures of their own in this process: (its answer, stdout, stderr)."""
    def here(*arguments, **scripts):
        (tmp_path / "making").mkdir()
        shutil.copy(rendering.HERE / "making" / "lectures.mplstyle", tmp_path / "making")
        for name, text in scripts.items():
            loaded(name, tmp_path / f"{name}.py", text, monkeypatch)
        monkeypatch.setattr(rendering, "HERE", tmp_path)
        monkeypatch.setattr(records, "RECORDS", tmp_path / "records")
        monkeypatch.setattr(command, "sweep", lambda function, jobs, **how: [(job, function(job)) for job in jobs])
        monkeypatch.chdir(tmp_path)
        try:
            answer = main([*arguments])
        except SystemExit as refusal:
            answer = refusal.code
        return answer, *capsys.readouterr()

    return here


def files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_figure_that_is_named_twice_is_listed_once(here):
    answer, said, _ = here("--list", "one", "two", "one", one=GOOD, two=GOOD)
    assert answer == 0 and [line.split()[0] for line in said.splitlines()[::2]] == ["one", "two"]


# ------------------------------------------------------------------------------------------ what it says

def test_list_says_what_there_is_and_draws_nothing(capsys, tmp_path):
    assert main(["--list", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == figures.names() and files(tmp_path) == []
    assert all(line.endswith(figures.caption(name)) for name, line in zip(figures.names(), lines))


def test_list_of_some_names_lists_those(capsys):
    assert main(["--list", "saddle", "zigzag"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["saddle", "zigzag"]


def test_an_unknown_name_is_answered_with_the_nearest_ones_and_nothing_is_drawn(capsys, tmp_path):
    assert main(["zigzag", "zigzga", "sadle", "--out", str(tmp_path)]) == 2
    seen = capsys.readouterr()
    assert "there is no figure 'zigzga'; there is zigzag" in seen.err
    assert "there is no figure 'sadle'; there is saddle" in seen.err
    assert seen.out == "" and files(tmp_path) == []


def test_a_name_like_no_other_is_answered_with_all_there_are(capsys):
    assert main(["0123456789"]) == 2
    assert ", ".join(figures.names()) in capsys.readouterr().err


@pytest.mark.parametrize("arguments, said", [
    (["-j", "0"], "-j must be at least 1"), (["--format", "jpg"], "invalid choice: 'jpg'"),
    (["--out", __file__], "--out must be a folder")])
def test_arguments_that_make_no_sense_are_refused(arguments, said, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(["zigzag", *arguments])
    assert refusal.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize("arguments, said", [
    (["--animate", "--format", "svg"], "draw black on white, as --format png"),
    (["--sheet", "--style", "dark"], "draw black on white"), (["--maintain", "--transparent"], "draw black on white"),
    (["--maintain", "--format", "pdf"], "draw black on white"), (["--maintain", "--out", "x"], "without --out"),
    (["--maintain", "--sheet"], "without --out, --set, --animate and --sheet"),
    (["--maintain", "--animate"], "without --out"), (["--maintain", "--set", "gamma=5"], "without --out")])
def test_what_does_not_go_together_is_refused_and_nothing_drawn(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(command, "draw", lambda jobs, at_a_time: pytest.fail("it draws"))
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_a_picture_of_the_lectures_is_drawn_by_what_drew_the_others_and_all_together_by_anything(
        monkeypatch, tmp_path, capsys):
    file, jobs, answers = tmp_path / "drawn_with.txt", [], []
    monkeypatch.setattr(rendering, "DRAWN_WITH", file)
    monkeypatch.setattr(rendering, "RENDERED", tmp_path)
    monkeypatch.setattr(command, "draw", lambda each, at_a_time: jobs.append(each) or answers.pop())
    now = rendering.drawn_with()
    on_another_machine, older = f"{now.rsplit(',', 1)[0]}, another machine", "matplotlib 0.1, the same machine"
    for names, before, answer, after in ((["zigzag"], on_another_machine, 0, on_another_machine), ([], older, 1, older),
                                         ([], older, 0, now)):
        file.write_text(f"{before}\n", encoding="utf-8")
        answers.append(answer)
        assert main([*names, "--maintain"]) == answer and file.read_text(encoding="utf-8") == f"{after}\n"
        assert [(job["name"], job["out"]) for job in jobs.pop()] == [
            (name, tmp_path) for name in names or figures.names()]
    file.write_text(f"{older}\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["zigzag", "--maintain"])
    assert jobs == [] and "are drawn with matplotlib 0.1, and here is" in capsys.readouterr().err


def test_stale_lists_every_run_that_is_older_than_its_code_and_no_record_twice(monkeypatch, capsys):
    asked, found = [], {"loss_histories": ["a", "b 2"], "rate_lenet": ["c"]}
    monkeypatch.setattr(records, "stale", lambda name: asked.append(name) or found.get(name, []))
    monkeypatch.setattr(command, "draw", lambda jobs, at_a_time: pytest.fail("it draws"))
    assert main(["--stale", "zigzag", "accuracy_table", "sensitivity", "loss_histories"]) == 0  # two of one record
    assert asked == ["loss_histories", "sensitivity"]
    assert capsys.readouterr().out == "loss_histories: a\nloss_histories: b 2\n"
    assert main(["--stale", "sensitivity"]) == 0 and capsys.readouterr().out == "none is stale\n"
    assert main(["--stale"]) == 0 and capsys.readouterr().out.count("\n") == 3


def test_a_page_is_of_all_that_are_named_and_only_what_is_missing_is_drawn_for_it(monkeypatch, tmp_path, capsys):
    jobs, pages = [], []
    monkeypatch.setattr(command, "draw", lambda each, at_a_time: jobs.extend(each) or 1)
    monkeypatch.setattr(sheet, "drawn", lambda names, out: pages.append((names, out)))
    shutil.copy(figures.RENDERED / "zigzag.png", tmp_path)
    (tmp_path / "momentum.png").write_bytes(b"no picture")
    assert main(["--sheet", "zigzag", "momentum", "saddle", "--out", str(tmp_path)]) == 1
    assert [(job["name"], job["out"]) for job in jobs] == [(name, str(tmp_path)) for name in ("momentum", "saddle")]
    assert pages == [(["zigzag", "momentum", "saddle"], str(tmp_path))]
    assert capsys.readouterr().out == "there is no picture for the page\n"


def test_without_names_those_move_that_can_and_all_others_are_left(monkeypatch, tmp_path):
    jobs = []
    monkeypatch.setattr(command, "draw", lambda each, at_a_time: jobs.append(each) or 0)
    for names in [], ["saddle", "zigzag", "saddle"]:
        assert main([*names, "--animate", "--out", str(tmp_path)]) == 0
    assert [[job["name"] for job in each] for each in jobs] == [rendering.those_that_move(), ["saddle", "zigzag"]]
    assert all(job["animate"] and "format" not in job for each in jobs for job in each)


def test_neither_the_style_nor_a_file_of_the_package_is_a_figure():
    assert {"style", "records", "moving", "sheet", "__init__", "__main__"}.isdisjoint(figures.names())


# ---------------------------------------------------------------------------- what it leaves, and answers

@linux
def test_a_figure_that_fails_or_whose_process_is_killed_does_not_stop_the_others(folder, tmp_path):
    scripts = {"a_line": GOOD, "broken": BROKEN, "killed": KILLED, "no_python": "def compute(:", "z_line": GOOD}
    done = subprocess.run(**folder("-j", "1", **scripts))
    assert done.returncode == 1
    assert files(tmp_path / "figures" / "out") == ["a_line.png", "z_line.png"]
    assert sorted(Path(line).stem for line in done.stdout.split()) == ["a_line", "z_line"]
    assert "numopt.optimizer.Diverged: adam became non-finite at step 7" in done.stderr
    assert "killed: its process died, killed by SIGKILL" in done.stderr
    assert "SyntaxError" in done.stderr and "3 of 5 failed: broken, killed, no_python" in done.stderr
    assert (tmp_path / "tried").read_text() == "once", "another try would end as this one"


def workers_of(process):
    """The processes that draw for a command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if parent == str(process.pid) and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def runs(number):
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"


@linux
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_command(kill, folder, tmp_path):
    running = subprocess.Popen(**folder("-j", "2", "--out", "pictures", endless=ENDLESS, other=ENDLESS))
    try:
        assert until((tmp_path / "begun").exists)
        workers = workers_of(running)
        running.send_signal(kill)
        running.communicate()
    finally:
        running.kill()
    assert len(workers) == 2 and until(lambda: not any(map(runs, workers)))
    assert running.returncode == (143 if kill == signal.SIGTERM else -signal.SIGKILL)
    assert files(tmp_path / "pictures") == []


def test_a_terminal_without_the_letters_and_a_reader_who_has_had_enough_are_no_errors(folder):
    command = folder("--list", **{f"line{k}": GOOD.replace("A line.", "γ − 1.\n\nLecture 1." + 90 * " ")
                                  for k in range(900)})
    command["env"]["PYTHONIOENCODING"] = "ascii"
    running = subprocess.Popen(**command)
    assert "? ? 1." in running.stdout.readline()
    running.stdout.close()
    assert running.wait() == 1 and running.stderr.read() == ""
    running.stderr.close()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_computed(capsys, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(SystemExit):
        main(["zigzag", "--out", str(tmp_path / "closed")])
    assert "no file can be written there" in capsys.readouterr().err


def test_a_folder_below_a_file_is_said_before_anything_is_computed(here, tmp_path):
    (tmp_path / "file").touch()
    answer, _, said = here("--out", "file/below", endless=ENDLESS)
    assert answer == 2 and "--out file/below: no file can be written there" in said


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of this kind are those of Unix")
def test_ctrl_c_answers_130_and_leaves_only_whole_pictures(folder, tmp_path):
    # Who is started in the background of a script ignores Ctrl-C, and so do its children unless it is put back.
    running = subprocess.Popen(**folder("-j", "1", "--out", "pictures", endless=ENDLESS), start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        assert until((tmp_path / "begun").exists)
        os.killpg(running.pid, signal.SIGINT)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130 and "stopped; what has been drawn is whole" in said
    assert files(tmp_path / "pictures") == []


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
def test_a_picture_is_written_whole_or_not_at_all(error, monkeypatch, tmp_path):
    def half(self, file, **how):
        Path(file).write_bytes(b"half a picture")
        raise error

    (tmp_path / "zigzag.png").write_bytes(b"an earlier picture")
    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(type(error)):
        figures.render("zigzag", tmp_path)
    assert files(tmp_path) == ["zigzag.png"] and (tmp_path / "zigzag.png").read_bytes() == b"an earlier picture"


def test_two_may_write_a_picture_at_once(tmp_path):
    def meanwhile(file):
        file.write_bytes(b"one")
        rendering.saved(tmp_path, "a.png", lambda another: another.write_bytes(b"other"))
        assert (tmp_path / "a.png").read_bytes() == b"other" and file.read_bytes() == b"one"

    assert rendering.saved(tmp_path, "a.png", meanwhile).read_bytes() == b"one" and files(tmp_path) == ["a.png"]


@pytest.mark.parametrize("format, beginning", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_the_same_script_gives_the_same_bytes_in_every_format(format, beginning, monkeypatch, tmp_path):
    monkeypatch.setattr(rendering, "LARGE", 1000)       # a palette is for pixels, however large the others are
    first = figures.render("nesterov_step", tmp_path / "first", format).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")    # another day
    second = figures.render("nesterov_step", tmp_path / "second", format).read_bytes()
    assert first.startswith(beginning) and first == second and b"1970" not in second


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_who_may_read_a_picture_is_what_the_umask_says(mask, tmp_path):
    before = os.umask(mask)
    try:
        assert figures.render("nesterov_step", tmp_path).stat().st_mode & 0o777 == 0o666 & ~mask
    finally:
        os.umask(before)


def test_drawing_closes_its_figure_and_leaves_the_settings_alone(tmp_path):
    import matplotlib
    import matplotlib.pyplot as plt
    mine = plt.figure()
    before, size = plt.get_fignums(), matplotlib.rcParams["font.size"]
    figures.render("nesterov_step", tmp_path)
    assert plt.get_fignums() == before and matplotlib.rcParams["font.size"] == size
    plt.close(mine)


# ------------------------------------------------------------------------------------ figures with parameters

KEYWORDS = "points=3, low=0.0, kind='line', shares=(0.1, 0.2), grid=True"
WITH = GOOD.replace("def compute():", f"def compute({KEYWORDS}):").replace(
    "np.arange(3.0)", "np.linspace(low, 1, points)[{'line': slice(None)}[kind]]")


def test_other_parameters_go_to_a_file_of_another_name(here, tmp_path):
    answer, *_ = here("line", "--set", "low=-1", "--set", "points=4", "--out", "pictures", line=WITH)
    assert answer == 0 and files(tmp_path / "pictures") == ["line-points=4-low=-1.0.png"]


def test_a_parameter_that_is_as_usual_changes_nothing():
    exec(WITH, script := {})
    assert asked("line", SimpleNamespace(**script), ["points=3", "shares=0.1,0.2", "low=0"]) == {}
    assert asked("line", SimpleNamespace(**script), ["shares=1", "points=5"]) == {"points": 5, "shares": (1.0,)}


@pytest.mark.parametrize("setting, said", [
    ("pionts=4", "line has no parameter 'pionts'; do you mean points?; it has points=3, low=0.0, kind=line"),
    ("points", "--set takes NAME=VALUE, and not 'points'"), ("kind=", "--set takes NAME=VALUE, and not 'kind='"),
    ("=4", "--set takes NAME=VALUE, and not '=4'; line has points=3"), ("", "--set takes NAME=VALUE, and not ''"),
    ("points=0", "points must be a whole number of at least 1, as 3 is, and not '0'"),
    ("points=2.5", "points must be a whole number"), ("points=True", "points must be a whole number"),
    ("low=nan", "low must be a finite number, as 0.0 is, and not 'nan'"),
    ("low=1e999", "low must be a finite number"),
    ("shares=0.1,x", "shares must be a finite number, or several with commas between"),
    ("grid=1", "grid must be True or False"),
    ("low=" + 9999 * "(", "low must be a finite number")])
def test_a_wrong_parameter_is_refused_with_what_there_is(setting, said):
    exec(WITH, script := {})
    with pytest.raises(ValueError) as refusal:
        asked("line", SimpleNamespace(**script), ["low=-1", setting])
    assert said in str(refusal.value)


def test_what_is_refused_is_a_line_and_nothing_is_drawn(capsys, tmp_path):
    with pytest.raises(SystemExit) as refusal:
        main(["zigzag", "--set", "stesp=4", "--out", str(tmp_path / "pictures")])
    assert refusal.value.code == 2 and "do you mean steps?" in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()


def test_what_a_figure_cannot_draw_is_said_in_a_line(here):
    answer, _, said = here("line", "--set", "kind=dots", "--out", "pictures", line=WITH)
    assert answer == 1 and "line: there is no picture with kind=dots: KeyError: 'dots'" in said
    assert "Traceback" not in said


def test_list_of_a_name_says_its_parameters(here):
    _, said, _ = here("line", "--list", line=WITH)
    assert "--set points=3, low=0.0, kind=line, shares=0.1,0.2, grid=True" in said


def test_set_needs_names(capsys):
    with pytest.raises(SystemExit):
        main(["--set", "gamma=50"])
    assert "--set needs the names of figures" in capsys.readouterr().err


@pytest.mark.parametrize("how", [["-m", "figures.line"], ["figures/line.py"]], ids=["module", "script"])
def test_a_figure_that_is_run_by_itself_is_drawn(how, folder, tmp_path):
    command = folder("--set", "points=4", "--out", "pictures",
                     line=WITH.replace("import numpy", "from figures.making.style import BLUE\nimport numpy"))
    command["args"][1:3] = how
    assert subprocess.run(**command).returncode == 0 and files(tmp_path / "pictures") == ["line-points=4.png"]


@pytest.mark.parametrize("name", figures.names())
def test_every_figure_can_be_run_by_itself_and_has_parameters_with_defaults(name):
    text = (ROOT / "figures" / f"{name}.py").read_text(encoding="utf-8")
    assert "\nfrom figures.making" in text or "\nimport figures.making" in text
    known = parameters(figures.load(name))
    assert {"name", "out", "format", "style", "transparent"}.isdisjoint(known)
    for key, default in known.items():
        assert like(default, spelt(default), key) == (tuple(default) if isinstance(default, range) else default)


# ------------------------------------------------------------------------------------------- other grounds

def test_on_a_dark_ground_the_ink_is_light(tmp_path):
    from matplotlib.image import imread
    usual, dark = (imread(figures.render("nesterov_step", tmp_path, style=style)) for style in ("light", "dark"))
    assert files(tmp_path) == ["nesterov_step-dark.png", "nesterov_step.png"] and usual.shape == dark.shape
    assert np.median(usual[..., :3]) == 1 and np.median(dark[..., :3]) < 0.15
    black = (usual[..., :3] < 0.05).all(axis=-1)
    assert black.sum() > 1000 and (dark[black][:, :3] > 0.9).mean() > 0.95


def test_without_a_ground_what_was_white_is_transparent(tmp_path):
    from matplotlib.image import imread
    pixels = imread(figures.render("nesterov_step", tmp_path, transparent=True))
    assert files(tmp_path) == ["nesterov_step-transparent.png"] and (pixels[..., 3] == 0).mean() > 0.5


def test_a_picture_of_many_bytes_has_a_palette_and_looks_the_same(monkeypatch, tmp_path):
    whole = rendering.render("zigzag", tmp_path / "whole")
    monkeypatch.setattr(rendering, "LARGE", 1000)
    few = rendering.render("zigzag", tmp_path / "few")
    with Image.open(whole) as before, Image.open(few) as after:
        assert (before.mode, after.mode) == ("RGBA", "P") and before.info["dpi"] == after.info["dpi"]
        apart = np.abs(np.asarray(before.convert("RGB"), float) - np.asarray(after.convert("RGB"), float))
    assert len(few.read_bytes()) < len(whole.read_bytes()) / 2 and apart.mean() < 1 and apart.max() < 64
    with Image.open(rendering.render("nesterov_step", tmp_path, transparent=True)) as without_a_ground:
        assert without_a_ground.mode == "RGBA"


@pytest.mark.parametrize("alpha, mode", [(255, "P"), (254, "RGBA"), (0, "RGBA")])
def test_where_a_point_is_transparent_or_nearly_not_there_is_no_palette(alpha, mode, tmp_path):
    picture = Image.new("RGBA", (4, 4), (255, 0, 0, 255))
    picture.putpixel((1, 2), (255, 0, 0, alpha))
    picture.save(tmp_path / "picture.png", dpi=(100, 100))
    rendering.in_few_colours(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as seen:
        assert seen.mode == mode and seen.convert("RGBA").getpixel((1, 2)) == (255, 0, 0, alpha)


def test_no_picture_of_the_repository_is_large():
    assert [file.name for file in rendering.RENDERED.glob("*.png") if file.stat().st_size > rendering.LARGE] == []


def test_the_text_of_an_svg_is_text(tmp_path):
    picture = figures.render("condition_number", tmp_path, "svg").read_text(encoding="utf-8")
    assert "each step leaves" in picture and "<text" in picture


# ------------------------------------------------------------------------------ pictures drawn from a record

# Two runs, of which the second fails as long as there is a file of the name "trouble".
RECORDED = '''
"""A line.

Lecture 1.
"""
import pathlib
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded

SETS = ("digits", "boston", "mnist")
SEED = 5


def runs(data):
    return {"a/1": partial(run, data, 1), "b 2": partial(run, data, 2)}


def run(data, number):
    with open("done", "a") as file:
        file.write(f"{number}")
    if number == 2 and pathlib.Path("trouble").exists():
        return {"line": np.array([1.0, np.nan])}
    return {"line": np.random.default_rng([SEED, number]).normal(size=len(data))}


def compute():
    return {name[0]: arrays["line"] for name, arrays in recorded("line").items()}


def draw(a, b):
    figure, ax = plt.subplots()
    ax.plot(a)
    ax.plot(b)
    return figure
'''


@pytest.mark.slow
def test_a_record_is_made_once_and_drawn_from_until_it_is_made_again(folder, tmp_path):
    first = subprocess.run(**folder("--recompute", "--data", "boston", line=RECORDED))
    assert first.returncode == 0 and (tmp_path / "done").read_text() in ("12", "21")
    out = tmp_path / "figures" / "out"
    assert files(out) == ["line.png", "records/line.npz"] and "line.npz" in first.stdout  # nothing is left of the parts
    record = records.read(out / "records" / "line.npz")
    made = record["made"]["b 2"]
    assert (made["set"], made["seed"], made["date"]) == ("boston", [5], date.today().isoformat())
    assert "NumPy" in made["versions"] and record["runs"]["b 2"]["line"].shape == (len("boston"),)
    drawn = (out / "line.png").read_bytes()
    assert subprocess.run(**folder("line", "--recompute", "--maintain", "--data", "boston")).returncode == 0
    home = tmp_path / "figures"
    assert files(home / "records") == ["line.npz"] and (home / "rendered" / "line.png").read_bytes() == drawn
    assert subprocess.run(**folder("line", "--out", "pictures")).returncode == 0
    assert (tmp_path / "pictures" / "line.png").read_bytes() == drawn and len((tmp_path / "done").read_text()) == 4


@pytest.fixture
def line(tmp_path, monkeypatch):
    """The script above as figures.line, with a place for its record."""
    loaded("line", tmp_path / "line.py", RECORDED, monkeypatch)
    monkeypatch.setattr(records, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(records, "PARTS", tmp_path / "parts")
    monkeypatch.chdir(tmp_path)


def test_what_was_done_before_a_run_failed_is_not_repeated(line, tmp_path):
    records.perform("line", "digits", "a/1")
    (tmp_path / "trouble").touch()
    with pytest.raises(ValueError, match="in the run 'b 2' the array 'line' is not finite"):
        records.perform("line", "digits", "b 2")
    assert records.missing("line", "digits") == ["b 2"] and records.missing("line", "boston") == ["a/1", "b 2"]
    (tmp_path / "trouble").unlink()
    records.perform("line", "digits", "b 2")
    assert records.complete("line", "digits") == tmp_path / "records" / "line.npz"
    assert list(records.recorded("line")) == ["a/1", "b 2"] and files(tmp_path / "parts") == []


def test_a_record_is_stale_when_its_code_has_changed_and_not_when_its_prose_has(line, tmp_path, capsys):
    for run in "a/1", "b 2":
        records.perform("line", "digits", run)
    records.complete("line", "digits")
    (tmp_path / "line.py").write_text(RECORDED.replace("A line.", "Two lines.") + "# changed", encoding="utf-8")
    assert records.stale("line") == []
    (tmp_path / "line.py").write_text(RECORDED.replace("size=len(data)", "size=2"), encoding="utf-8")
    assert records.stale("line") == ["a/1", "b 2"]


def test_what_another_version_of_the_script_has_left_is_not_used(line, tmp_path):
    records.perform("line", "digits", "a/1")
    (tmp_path / "line.py").write_text(RECORDED.replace("size=len(data)", "size=2"), encoding="utf-8")
    assert records.missing("line", "digits") == ["a/1", "b 2"]


@pytest.mark.parametrize("arguments, said", [
    (["zigzag", "--recompute"], "nothing is recorded of zigzag"), (["zigzag", "--data", "digits"], "needs --recompute"),
    (["line", "--recompute", "--data", "iris"], "cannot be made from 'iris'; it can be from digits, boston, mnist"),
    (["line", "--recompute", "--data", "mnist"], "python -m data_scripts mnist")])
def test_what_cannot_be_recomputed_is_refused_with_the_reason(arguments, said, here, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMOPT_DATA", str(tmp_path / "no sets"))
    answer, _, words = here(*arguments, line=RECORDED, zigzag=GOOD)
    assert answer == 2 and said in words


def test_of_a_run_that_fails_there_is_no_record_and_the_others_have_theirs(here, tmp_path):
    (tmp_path / "trouble").touch()
    good = RECORDED.replace("number == 2", "False").replace('recorded("line")', 'recorded("other")')
    answer, said, trouble = here("line", "other", "--recompute", "--out", "pictures", line=RECORDED, other=good)
    assert answer == 1 and "other.npz" in said and "line.npz" not in said
    assert "line, b 2: Traceback" in trouble and "array 'line' is not finite" in trouble
    assert [file for file in files(tmp_path) if file.endswith(".npz") and "parts" not in file] == [
        "pictures/records/other.npz"]


def test_without_its_record_a_figure_says_how_to_make_it(here):
    answer, _, said = here("line", "--out", "pictures", line=RECORDED)
    assert answer == 1 and "make it with python -m figures line --recompute" in said and "Traceback" not in said
