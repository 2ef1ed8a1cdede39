"""Run in the jail: a student's functions on jobs, whose results are left as arrays in files.

    python worker.py TREE JOBS RESULTS

JOBS is a file of jobs, a JSON list.  The results of job number i are RESULTS/i-NAME.npy; where it failed there is
RESULTS/i.txt with the error.  Nothing that comes out of here is believed: see grade.py.
"""
import json
import sys
import traceback
from importlib.machinery import PathFinder
from types import ModuleType


def main(tree, jobs, results):
    sys.path.insert(0, tree)
    with open(jobs, encoding="utf-8") as file:
        jobs = json.load(file)
    sys.meta_path.insert(0, Closed)
    for name in "scipy.sparse.linalg._isolve", "scipy.sparse.linalg._isolve.iterative":
        sys.modules[name] = Left(name)  # what would do an answer's work, and the jail does not show
    import numpy as np

    from lectures.coursework.jobs import perform
    for number, job in enumerate(jobs):
        try:
            arrays = {name: np.asarray(array, float) for name, array in perform(job).items()}
        except Exception as error:
            with open(f"{results}/{number}.txt", "w", encoding="utf-8") as file:
                file.write(explained(error, tree))
            continue
        for name, array in arrays.items():
            np.save(f"{results}/{number}-{name}.npy", array, allow_pickle=False)
        open(f"{results}/{number}.done", "w").close()


class Closed:
    """Packages that the jail shows nothing of are not there, for those that would do without them."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if spec and spec.has_location:
            try:
                open(spec.origin, "rb").close()
            except OSError:
                raise ModuleNotFoundError(f"there is no {name} here: it is to be written with NumPy") from None
        return spec


class Left(ModuleType):
    """A module that has been left out, for those that import from it what they do not need here."""
    __all__ = "bicg bicgstab cg cgs gcrotmk gmres lgmres lsmr lsqr minres qmr tfqmr".split()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return left


def left(*arguments, **keywords):
    raise NotImplementedError("that is yours to write")


def explained(error, tree):
    """What went wrong, and where in the tree last."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(tree)]
    where = f", in {frames[-1].name}" if frames else ""
    try:
        said = str(error)
    except Exception:
        said = "it cannot say what"
    return f"{type(error).__name__}{where}: {said}"[:500]


if __name__ == "__main__":
    main(*sys.argv[1:])
