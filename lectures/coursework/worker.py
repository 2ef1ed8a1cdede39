"""Run in the jail: a student's functions on jobs, whose results are left as arrays in files.

    python worker.py TREE JOBS RESULTS

JOBS is a file of jobs, a JSON list.  The results of job number i are RESULTS/i-NAME.npy; where it failed there is
RESULTS/i.txt with the error.  Nothing that comes out of here is believed: see grade.py.
"""
import json
import sys
import traceback


def main(tree, jobs, results):
    sys.path.insert(0, tree)
    with open(jobs, encoding="utf-8") as file:
        jobs = json.load(file)
    import numpy as np
    import scipy.sparse.linalg

    for name in "torch", "jax", "tensorflow", "sklearn", "scipy.optimize", "scipy.sparse.linalg._isolve":
        sys.modules[name] = None  # what would do an answer's work, however it is imported
    for name in "cg", "cgs", "bicg", "bicgstab", "gmres", "lgmres", "gcrotmk", "minres", "qmr", "tfqmr":
        delattr(scipy.sparse.linalg, name)
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
