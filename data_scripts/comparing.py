"""What the runs of an experiment came to, as a table: after equal epochs, and after equal seconds.

    python -m data_scripts run mlp_2x90 --set fashion_mnist --images 10000 --table

A row is a method with its settings; of its runs those of the most epochs count, and only if there are at least two
seeds: a single one has no spread.  Each number is the mean over the seeds, with the least and the most.  The seconds
are the processor's.  Methods that were given fewer epochs, as they take longer, are compared at the least that all
have; and at the seconds that the quickest has taken: there with what each had after its last whole epoch.
"""
import numpy as np

from figures.making import records

SHOWN = {"training loss": ".3f", "test loss": ".3f", "test accuracy": ".1f"}


def grouped(record, where, methods=None):
    """({a method with its settings: its runs of the most epochs}, those that diverged), of a record on this set."""
    found, diverged = {}, []
    for run, made in record["made"].items():
        middle = run.removeprefix(f"{where}, ").rsplit(", ", 2)[0]
        if run.startswith(f"{where}, {made['method']}") and (methods is None or made["method"] in methods):
            found.setdefault(middle, {}).setdefault(made["epochs"], []).append(run)
    longest = {group: by_epochs[max(by_epochs)] for group, by_epochs in found.items()}
    longest = {group: runs for group, runs in longest.items() if len(runs) > 1}
    for group, runs in longest.items():
        if any(record["made"][run]["came"] < record["made"][run]["epochs"] for run in runs):
            diverged.append(group)
    return {group: [record["runs"][run] for run in runs] for group, runs in longest.items()
            if group not in diverged}, diverged


def compared(groups):
    """(epochs, seconds, {group: its numbers}): the epochs and the seconds after which all are compared."""
    epochs = min(len(run["training loss"]) - 1 for runs in groups.values() for run in runs)
    seconds = min(float(np.mean([run["processor"][-1] for run in runs])) for runs in groups.values())
    rows = {}
    for group, runs in groups.items():
        within = [int(np.searchsorted(run["processor"], seconds * 1.05, side="right")) - 1 for run in runs]
        rows[group] = {"epochs": len(runs[0]["training loss"]) - 1, "seeds": len(runs),
                       "seconds": np.array([run["processor"][-1] for run in runs]),
                       "then": np.array([run["training loss"][k] for run, k in zip(runs, within)]),
                       "whole epochs then": min(within),
                       **{name: np.array([run[name][epochs] for run in runs]) for name in SHOWN}}
    return epochs, seconds, rows


def lines(name, where, methods=None, record=None):
    """The table as lines of Markdown, and who was ahead with every seed."""
    record = records.whole(name) if record is None else record
    groups, diverged = grouped(record, where, methods)
    if not groups:
        raise ValueError(f"the record {name} has no runs on {where!r} with at least two seeds that came to their end")
    epochs, seconds, rows = compared(groups)
    shown = {name: form for name, form in SHOWN.items() if any(row[name].any() for row in rows.values())}
    heads = ["method", "epochs, seeds", f"training loss after {epochs}",
             *(f"{name}{', %' if name == 'test accuracy' else ''}" for name in list(shown)[1:]),
             "seconds", f"training loss after {two_digits(seconds)} s"]
    told = [row_of(heads), row_of(["---"] * len(heads)).replace(" ", "")]
    for group, row in rows.items():
        cells = [ranged(row[name] * (100 if name == "test accuracy" else 1), form) for name, form in shown.items()]
        then = ranged(row["then"], ".3f") if row["whole epochs then"] else "no whole epoch"
        cells += two_digits(row["seconds"].mean()), then
        told.append(row_of([group, f"{row['epochs']}, {row['seeds']}", *cells]))
    first = [f"by the {name} {ahead(rows, name, 1 if name == 'test accuracy' else -1)}" for name in shown]
    first.append(f"by the training loss after equal seconds {ahead(rows, 'then', -1)}")
    lost = f"  With some seed or all diverged: {'; '.join(diverged)}." if diverged else ""
    return [*told, "", f"Ahead of all others with every seed: {'; '.join(first)}.{lost}"]


def row_of(cells):
    return f"| {' | '.join(cells)} |"


def two_digits(x):
    """Two of its digits, or all before the point: never 2.7e+02."""
    return f"{x:.2g}" if x < 99.5 else f"{x:.0f}"


def ranged(x, form):
    return f"{x.mean():{form}} ({x.min():{form}}–{x.max():{form}})"


def ahead(rows, quantity, sign):
    """The row whose worst is better than the best of every other; "nobody", where there is none."""
    values = {group: sign * row[quantity] for group, row in rows.items()}
    best = max(values, key=lambda group: values[group].min())
    others = [value.max() for group, value in values.items() if group != best]
    return best if others and values[best].min() > max(others) else "nobody"
