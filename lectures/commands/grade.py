"""Grade what came back of an assignment, in a jail: points, sentences that do not hold, and nothing believed.

A submission is a folder, a zip file, a module or a notebook with the functions of the assignment in it; a folder that
holds none of them itself is a folder of submissions.
"""
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path


def arguments(parser):
    parser.add_argument("assignment", help="04, or 04b")
    parser.add_argument("submissions", nargs="+", metavar="SUBMISSION",
                        help="a folder, a zip file, a module, a notebook, or a folder of them")
    parser.add_argument("--json", metavar="FILE", help="the whole reports")
    parser.add_argument("--csv", metavar="FILE", help="a line for each submission")
    parser.add_argument("--junit", metavar="FILE", help="a test suite for each submission")
    parser.add_argument("--pages", metavar="DIR", help="a page for each student")
    parser.add_argument("--gradescope", metavar="FILE", help="the results.json of one submission")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the release: its numbers are the example")
    parser.add_argument("--secret", metavar="FILE", help="what hidden numbers follow from besides the program; made if "
                        "it is not there (~/.config/numopt/grading-secret)")
    parser.add_argument("-j", type=int, metavar="N", help="how many at a time (the machine's cores)")
    parser.add_argument("--unsafe", action="store_true", help="without a jail: only for what you have read yourself")


def run(options):
    from tqdm import tqdm

    from lectures import assignments
    from lectures.coursework import jail, judge, reports, secret, submissions
    assignment = assignments.load(options.assignment)
    for target in filter(None, (options.json, options.csv, options.junit, options.pages, options.gradescope)):
        if not Path(target).resolve().parent.is_dir():
            raise FileNotFoundError(f"there is no folder {Path(target).resolve().parent} for {target}")
    if options.j is not None and options.j < 1:
        raise ValueError(f"-j is {options.j}; it must be at least 1")
    jailed = None if options.unsafe else jail.available()
    if jailed is None and not options.unsafe:
        raise OSError("there is no jail here to run what others wrote in: neither bubblewrap (bwrap) nor Landlock "
                      "(Linux 6.7) works; with --unsafe it runs as you, and can read, write and send whatever you can")
    hidden = secret.kept(options.secret)
    todo, done = submissions.each(options.submissions, judge.file_names(assignment)), {}
    with ThreadPoolExecutor(options.j or os.cpu_count()) as pool:
        under_way = {pool.submit(judge.graded, assignment.name, path, jailed, options.seed, hidden): path
                     for path in todo}
        try:
            for future in tqdm(as_completed(under_way), total=len(todo), unit="submission", disable=len(todo) < 2):
                path = under_way[future]
                try:
                    done[path] = future.result()
                except Exception as error:
                    done[path] = judge.could_not_be(assignment.name, path, error)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print("stopped; nothing has been written", file=sys.stderr)
            return 130
    graded = reports.told_apart([done[path] for path in todo], todo)
    for report in graded:
        print(f"{reports.printable(report['submission']):30} {report['points']:3} of {report['of']}")
    if len(graded) == 1:
        print(reports.page(assignment, graded[0]))
    reports.written(options, assignment, graded)
    return 0
