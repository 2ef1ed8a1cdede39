"""The command python -m figures: see figures/__init__.py."""
import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from difflib import get_close_matches
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from figures.making import records, rendering, sheet


def main(arguments=None):
    """Render the figures that were asked for; 0 if all went well, 1 if some failed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="python -m figures", description="Draw the figures of the lectures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a figure; without any, all are drawn")
    parser.add_argument("--list", action="store_true", help="say what there is, and draw nothing")
    parser.add_argument("--out", default=rendering.OUT, metavar="DIR", help="the folder for the pictures (figures/out)")
    parser.add_argument("--format", default="png", choices=sorted(rendering.METADATA))
    parser.add_argument("-j", type=int, default=cores(), metavar="N", help="how many to draw at a time (%(default)s)")
    parser.add_argument("--recompute", action="store_true", help="repeat the trainings of recorded figures, then draw")
    parser.add_argument("--data", metavar="SET", help="the set to --recompute from, if not the figure's usual one")
    parser.add_argument("--animate", action="store_true", help="the moving pictures of those that have one, as GIFs")
    parser.add_argument("--sheet", action="store_true", help="those in --out on one page; draws what is missing")
    options = parser.parse_args(arguments)
    there = rendering.names()
    unknown = [name for name in options.names if name not in there]
    for name in unknown:
        near = get_close_matches(name, there) or there
        print(f"there is no figure {name!r}; there is {', '.join(near)}", file=sys.stderr)
    if unknown:
        return 2
    if options.j < 1:
        parser.error("-j must be at least 1")
    if Path(options.out).exists() and not Path(options.out).is_dir():
        parser.error(f"--out must be a folder, and {options.out} is a file")
    chosen = list(dict.fromkeys(options.names)) or there
    if options.list:
        for name in chosen:
            print(f"{name:24} {rendering.caption(name)}")
        return 0
    if options.data and not options.recompute:
        parser.error("--data needs --recompute: a picture is drawn from the record that there is")
    if options.recompute:
        try:
            again = {name: records.checked(name, options.data) for name in map(records.remade, chosen) if name}
        except (ValueError, FileNotFoundError) as error:
            parser.error(str(error))
        if not again:
            parser.error(f"nothing is recorded of {', '.join(chosen)}: drawing is computing")
        trouble = recompute(again, options.j)
        if trouble:
            return trouble
    if options.animate:
        moving = rendering.those_that_move()
        still = [name for name in options.names if name not in moving]
        if still:
            parser.error(f"there is no moving picture of {', '.join(still)}; there is of {', '.join(moving)}")
        return draw(chosen if options.names else moving, options.out, "gif", options.j)
    if options.sheet:
        missing = [name for name in chosen if not (Path(options.out) / f"{name}.png").exists()]
        trouble = draw(missing, options.out, "png", options.j) if missing else 0
        if trouble != 130:
            print(sheet.drawn(chosen, options.out))
        return trouble
    return draw(chosen, options.out, options.format, options.j)


def recompute(again, at_a_time):
    """Do the runs that are missing of some records, in processes; write each record that is whole then."""
    one_thread()
    failed = set()
    with ProcessPoolExecutor(at_a_time, mp_context=get_context("spawn")) as pool:
        try:
            to_do = {name: records.missing(name, data) for name, data in again.items()}
            under_way = {pool.submit(rendering.performed, name, again[name], run): (name, run)
                         for name in again for run in to_do[name]}
            for done in tqdm(as_completed(under_way), total=len(under_way), unit="run"):
                name, run = under_way[done]
                trouble = str(done.exception()) if done.exception() else done.result()
                if trouble:
                    failed.add(name)
                    tqdm.write(f"{name}, {run}: {trouble}", file=sys.stderr)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print("stopped; what is done is kept, and the same command goes on from there", file=sys.stderr)
            return 130
    for name, data in again.items():
        if name not in failed:
            print(records.complete(name, data))
    return 1 if failed else 0


def one_thread():
    """One thread a process: the processes fill the machine, and sums come out the same whatever it has."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


def draw(chosen, out, format, at_a_time):
    """Draw in processes of their own; one that fails does not stop the others."""
    one_thread()
    failed = []
    with ProcessPoolExecutor(min(at_a_time, len(chosen)), mp_context=get_context("spawn")) as pool:
        try:
            under_way = {pool.submit(rendering.attempt, name, out, format): name for name in chosen}
            for done in tqdm(as_completed(under_way), total=len(under_way), unit="figure"):
                picture, trouble = (None, done.exception()) if done.exception() else done.result()
                if trouble:
                    failed.append(under_way[done])
                    tqdm.write(f"{under_way[done]}: {trouble}", file=sys.stderr)
                else:
                    tqdm.write(str(picture))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print("stopped; what has been drawn is whole", file=sys.stderr)
            return 130
    if failed:
        print(f"{len(failed)} of {len(chosen)} failed: {', '.join(sorted(failed))}", file=sys.stderr)
    return 1 if failed else 0


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
