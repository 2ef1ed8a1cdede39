"""The command python -m figures: see figures/__init__.py."""
import argparse
import os
import secrets
import sys
from difflib import get_close_matches
from pathlib import Path

from tqdm import tqdm

from figures.making import records, rendering
from figures.making.parameters import asked, listed, parameters
from figures.making.processes import cores
from figures.making.sweep import sweep


def main(arguments=None):
    """Draw what was asked for; 0 if all went well, 1 if some failed, 2 for what makes no sense, 130 after Ctrl-C."""
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # captions hold letters that some terminals have not
    try:
        answer = obey(arguments)
        sys.stdout.flush()
        return answer
    except KeyboardInterrupt:
        print("stopped; what has been drawn is whole, and runs that are done are kept for the next time",
              file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def obey(arguments):
    parser, options = read(arguments)
    there = rendering.names()
    unknown = [name for name in options.names if name not in there]
    for name in unknown:
        near = get_close_matches(name, there) or there
        print(f"there is no figure {name!r}; there is {', '.join(near)}", file=sys.stderr)
    if unknown:
        return 2
    chosen = list(dict.fromkeys(options.names)) or there
    if options.stale:
        found = {name: records.stale(name) for name in dict.fromkeys(filter(None, map(records.remade, chosen)))}
        print("\n".join(f"{name}: {run}" for name, runs in found.items() for run in runs) or "none is stale")
        return 0
    if options.list:
        return say(chosen, bool(options.names))
    changed = {name: {} for name in chosen}
    if options.settings:
        if not options.names or options.sheet:
            parser.error("--set needs the names of figures: python -m figures zigzag --set gamma=50")
        try:
            changed = {name: asked(name, rendering.load(name), options.settings) for name in chosen}
        except ValueError as error:
            parser.error(str(error))
    moving = rendering.those_that_move()
    still = [name for name in options.names if name not in moving]
    if options.animate and still:
        parser.error(f"there is no moving picture of {', '.join(still)}; there is of {', '.join(moving)}")
    again = to_make_again(parser, options, chosen) if options.recompute else {}
    writable(parser, options.out)
    how = {"out": options.out}
    if options.recompute:
        home = rendering.HERE if options.maintain else Path(options.out)
        how["records_in"], parts_in = home / "records", rendering.OUT / "parts" if options.maintain else home / "parts"
        if recompute(again, options.j, how["records_in"], parts_in):
            return 1
    if options.animate:
        jobs = {name: how | {"animate": True} for name in (chosen if options.names else moving)}
    elif options.sheet:
        from figures.making import sheet
        jobs = {name: how for name in sheet.missing(chosen, options.out)}
    else:
        form = {"format": options.format, "style": options.style, "transparent": options.transparent}
        jobs = {name: how | form for name in chosen}
    answer = draw([{"name": name, "changed": changed[name], **job} for name, job in jobs.items()], options.j)
    if options.maintain and not options.names and not answer:
        rendering.DRAWN_WITH.write_text(f"{rendering.drawn_with()}\n", encoding="utf-8")
    if options.sheet:
        page = sheet.drawn(chosen, options.out)
        print(page or "there is no picture for the page")
    return answer


def read(arguments):
    """(the parser, the options), which make sense each by itself."""
    parser = argparse.ArgumentParser(prog="python -m figures", description="Draw the figures of the lectures.")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="a figure; without any, all are drawn")
    add("--list", action="store_true", help="say what there is, and of a NAME its parameters; draw nothing")
    add("--stale", action="store_true", help="list the runs of records that are older than their code; draw nothing")
    add("--set", action="append", default=[], dest="settings", metavar="PARAMETER=VALUE",
        help="draw with another value of a parameter, into a file of another name; may be repeated")
    add("--out", default=rendering.OUT, metavar="DIR", help="the folder for the pictures (figures/out)")
    add("--format", default="png", choices=sorted(rendering.METADATA))
    add("--style", default="light", choices=rendering.STYLES, help="dark: for dark slides")
    add("--transparent", action="store_true", help="without a ground")
    add("-j", type=int, default=cores(), metavar="N", help="how many to draw at a time (%(default)s)")
    add("--recompute", action="store_true",
        help="repeat the trainings of recorded figures, keep them in --out, and draw from them")
    add("--data", metavar="SET", help="the set to --recompute from, if not the figure's usual one")
    add("--maintain", action="store_true",
        help="write into the repository: records into figures/records, pictures into figures/rendered")
    add("--animate", action="store_true", help="the moving pictures of those that have one, as GIFs")
    add("--sheet", action="store_true", help="those in --out on one page, as the lectures go; draws what is missing")
    options = parser.parse_args(arguments)
    if options.j < 1:
        parser.error("-j must be at least 1")
    if Path(options.out).exists() and not Path(options.out).is_dir():
        parser.error(f"--out must be a folder, and {options.out} is a file")
    if options.data and not options.recompute:
        parser.error("--data needs --recompute: a picture is drawn from the record that there is")
    if (options.style, options.transparent, options.format) != ("light", False, "png"):
        if options.animate or options.sheet or options.maintain:
            parser.error("--animate, --sheet and --maintain draw black on white, as --format png")
    if options.maintain:
        there, here = (text.rsplit(",", 1)[0] for text in (rendering.DRAWN_WITH.read_text(), rendering.drawn_with()))
        if options.names and there != here:
            parser.error(f"the pictures of the lectures are drawn with {there}, and here is {here}; "
                         f"draw all of them again, without naming any")
        if options.out != rendering.OUT or options.settings or options.animate or options.sheet:
            parser.error("--maintain writes the pictures of the lectures: without --out, --set, --animate and --sheet")
        options.out = rendering.RENDERED
    return parser, options


def say(chosen, in_full):
    for name in chosen:
        print(f"{name:24} {rendering.caption(name)}")
        if in_full:
            print(f"{'':24} --set {listed(parameters(rendering.load(name)))}"
                  if parameters(rendering.load(name)) else f"{'':24} it has no parameters")
    return 0


def writable(parser, out):
    """Say now, and not after hours of computing, that a folder cannot be written to."""
    probe = Path(out) / f".{secrets.token_hex(4)}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        parser.error(f"--out {out}: no file can be written there ({error.strerror or error})")


def to_make_again(parser, options, chosen):
    """{record: the set to make it from}."""
    try:
        again = {name: records.checked(name, options.data) for name in map(records.remade, chosen) if name}
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    if not again:
        parser.error(f"nothing is recorded of {', '.join(chosen)}: drawing is computing")
    return again


def recompute(again, at_a_time, records_in, parts_in):
    """Do the runs that are missing of some records; write each record that is whole then.  True if a run failed."""
    records.RECORDS, records.PARTS = records_in, parts_in
    jobs = [{"name": name, "data": data, "run": run, "records_in": records_in, "parts_in": parts_in}
            for name, data in again.items() for run in records.missing(name, data)]
    failed = set()
    for job, trouble in tqdm(sweep(rendering.performed, jobs, at_a_time=at_a_time), total=len(jobs), unit="run"):
        if trouble:
            failed.add(job["name"])
            tqdm.write(f"{job['name']}, {job['run']}: {trouble}", file=sys.stderr)
    for name, data in again.items():
        if name not in failed:
            print(records.complete(name, data))
    return bool(failed)


def draw(jobs, at_a_time):
    """Draw in processes of their own; one that fails does not stop the others."""
    failed = []
    done = sweep(rendering.attempt, jobs, at_a_time=at_a_time, tries=1)
    for job, answer in tqdm(done, total=len(jobs), unit="figure"):
        picture, trouble = (None, answer) if isinstance(answer, Exception) else answer
        if trouble:
            failed.append(job["name"])
            tqdm.write(f"{job['name']}: {trouble}", file=sys.stderr)
        else:
            tqdm.write(str(picture))
    if failed:
        print(f"{len(failed)} of {len(jobs)} failed: {', '.join(sorted(failed))}", file=sys.stderr)
    return 1 if failed else 0
