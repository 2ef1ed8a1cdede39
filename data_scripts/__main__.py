"""python -m data_scripts NAME: fetch one data set, check it, and store it where numopt.data reads it; or measure."""
import argparse
import difflib
import sys

from data_scripts import channel_statistics
from data_scripts.fetch import fetch, in_place
from data_scripts.formats import DataError
from data_scripts.sources import SOURCES
from numopt import data


def main(arguments=None, sources=SOURCES):
    """Run one command; return its exit code: 0 done, 1 not done (one line says why), 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["run"]:
        return run(words[1:])
    parser = argparse.ArgumentParser(prog="python -m data_scripts", description=__doc__)
    parser.add_argument("name", nargs="?", help="a data set; channel_statistics: Table 1 of Memon et al. (2024); "
                        "timing: their Table 3, seconds an epoch; run: the papers' experiments, see run --help")
    parser.add_argument("--from", dest="path", help="take a local copy (an archive, a folder, .gz, .xz or plain files)")
    parser.add_argument("--prefix", action="store_true", help="accept files that hold only the first records of a set")
    parser.add_argument("--against", choices=["torch"], help="with timing: PyTorch's optimizers beside ours")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="with timing: only these rows of the table")
    parser.add_argument("--list", action="store_true", help="the data sets, and which are in place")
    given = parser.parse_args(arguments)
    try:
        if given.list or given.name is None:
            print(listing(sources))
        elif given.name == "channel_statistics":
            print(channel_statistics.report(data.cifar10(normalise=False)))
        elif given.name == "timing":
            from data_scripts import timing
            print(timing.main(given.against, given.rows))
        elif given.name in sources:
            print(fetch(given.name, sources[given.name], given.path, given.prefix))
        else:
            raise DataError(unknown(given.name, [*sources, "channel_statistics", "timing"]))
    except (DataError, ImportError, OSError) as error:
        print("data_scripts:", str(error).replace("\n", " "), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"data_scripts: interrupted; nothing of {given.name} was stored", file=sys.stderr)
        return 130
    return 0


def run(words):
    """The experiments, in a module of their own, as they need more than the data."""
    from data_scripts import runs
    parser = argparse.ArgumentParser(prog="python -m data_scripts run", description=runs.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    try:
        return runs.main(runs.arguments(parser).parse_args(words))
    except (DataError, ImportError, OSError, ValueError) as error:
        print("data_scripts:", str(error).replace("\n", " "), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("data_scripts: interrupted; the same command goes on from the last epoch", file=sys.stderr)
        return 130


def listing(sources):
    """Every set in two lines, and what to type."""
    lines = [f"kept in {data.folder()} (the variable NUMOPT_DATA names another folder)", ""]
    for name, source in sources.items():
        stored = data.folder() / name
        state = "in place" if in_place(stored) else "in place, in part" if in_place(stored, prefix=True) else "not here"
        lines += [f"{name:14s} {source.about}", f"{'':14s} {state}; from {source.mirrors[0]}"]
    return "\n".join(lines + ["", "python -m data_scripts NAME", "python -m data_scripts NAME --from PATH"])


def unknown(name, names):
    near = difflib.get_close_matches(name.lower().replace("-", "_"), names, n=3)
    return f"there is no {name}; " + (f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}")


if __name__ == "__main__":
    sys.exit(main())
