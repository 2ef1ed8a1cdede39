"""Table 3 of Memon et al. (2024), seconds an epoch, remeasured: what compiling explains of it.  Lecture 14.

    python -m data_scripts timing                    this machine: plain Python, NumPy, compiled
    python -m data_scripts timing --against torch    and PyTorch beside them, where it is installed
    python -m data_scripts timing --rows LeNet cost  only these rows of the table; the record keeps the others

The paper compares a compiled nlTGCR, 0.42 s, with an Adam of 7.02 s that is not compiled.  Here every method runs in
every form, on the same batches of 128 numbers drawn at random, in single precision, in one process.  The contestants
take turns, a few steps each, so that what disturbs one disturbs all; a time is the median over the turns, without the
first, multiplied by the 391 steps of an epoch of 50,000 images.  Plain Python runs on a small net, and its time is
multiplied by how many times more multiplications the real one needs.  The record, figures/records/timing.npz, is what
the figure `timing` draws; the row `cost` has one of its own, for `second_order_cost`.  All takes less than ten minutes.
"""
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np

from data_scripts import element_loops, kernel_timing, side_by_side, torch_nets
from data_scripts.formats import DataError
from data_scripts.turns import medians
from figures.making.records import add
from numopt.kernels import twins
from numopt.kernels.twins import Kernel
from numopt.linalg import conjugate_gradient, damped
from numopt.networks import BatchNorm, ReLU, SoftmaxCrossEntropy, cnn, lenet, mlp
from numopt.networks.layers import Mode
from numopt.optimizers import adahessian, adam, kfac, momentum, natural_gradient, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, MiniBatch

RECORD = Path(__file__).parent.parent / "figures" / "records" / "timing.npz"
COST = RECORD.with_name("second_order_cost.npz")  # of the row `cost`, for the figure of that name
SEED, BATCH, STEPS, IMAGES = 0, 128, 391, 12_800
NETS = {"2x90 MLP": (3072, 90, 90, 10), "5x30 MLP": (3072, 30, 30, 30, 30, 30, 10), "CNN": None}
METHODS = {"Adam": partial(adam, lr=1e-3), "RMSProp": partial(rmsprop, lr=1e-3),
           "nlTGCR": partial(nltgcr_fisher, start=0), "K-FAC": partial(kfac, lr=1e-2),
           "natural gradient": partial(natural_gradient, lr=0.1, damping=0.1, cg_steps=10)}
LOOPS = {"Adam": (element_loops.adam, 0), "RMSProp": (element_loops.rmsprop, 0), "nlTGCR": (element_loops.nltgcr, 1),
         "natural gradient": (element_loops.natural_gradient, 10)}  # K-FAC's inverses are not for plain Python
SMALL = 32, 10, 10, 10


def network(name):
    return mlp(NETS[name]) if NETS[name] else cnn()


def matrices(name):
    """(outputs, inputs, places where it is used) of each layer."""
    if NETS[name] is None:
        return [(32, 27, 32 * 32), (32, 288, 16 * 16), (10, 2048, 1)]
    return [(o, i, 1) for i, o in zip(NETS[name][:-1], NETS[name][1:])]


def numbers(shape, seed=SEED):
    """Images and labels drawn at random: how long a step takes does not depend on them."""
    random = np.random.default_rng(seed)
    return random.standard_normal((IMAGES, *shape), np.float32), random.integers(0, 10, IMAGES)


def contestant(name, method, X, Y, compiled):
    """A function that takes one step."""
    net = network(name)
    risk = EmpiricalRisk(net, X, Y, batch_size=BATCH, seed=SEED)
    theta = net.initial(SEED, dtype=np.float32)
    if compiled:
        return partial(next, METHODS[method](risk, theta))
    with twins.reading():
        run = METHODS[method](risk, theta)

    def step():
        with twins.reading():
            next(run)

    return step


def torch_contestants(name, X, Y):
    """Adam and RMSProp of PyTorch, in each of their forms, on the same net and the same batches."""
    make = partial(torch_nets.dense, NETS[name]) if NETS[name] else torch_nets.cnn
    for method, theirs in {"Adam": "Adam", "RMSProp": "RMSprop"}.items():
        for step in torch_nets.steps(make, X, Y, BATCH, theirs):
            yield method, step


def loops(seconds=20.0):
    """Seconds an epoch in plain Python: {(net, method): seconds}."""
    random = np.random.default_rng(SEED)
    net, small = element_loops.Net(SMALL), [(o, i, 1) for i, o in zip(SMALL[:-1], SMALL[1:])]
    X, Y = random.standard_normal((BATCH, SMALL[0])).tolist(), random.integers(0, 10, BATCH).tolist()
    theta = mlp(SMALL).initial(SEED).tolist()
    runs = {method: partial(next, loop(net, theta, X, Y)) for method, (loop, _) in LOOPS.items()}
    taken = medians(runs, seconds)
    return {(name, method): taken[method] * STEPS * element_loops.multiplications(matrices(name), BATCH, products)
            / element_loops.multiplications(small, BATCH, products)
            for name in NETS for method, (_, products) in LOOPS.items()}


def epochs(against_torch, seconds):
    """{(net, method, form): seconds an epoch}."""
    found = {(name, method, "Python"): epoch for (name, method), epoch in loops().items()}
    for name in NETS:
        shape = (NETS[name][0],) if NETS[name] else (32, 32, 3)
        X, Y = numbers(shape)
        contestants = {(method, form, 0): contestant(name, method, X, Y, form == "compiled")
                       for method in METHODS for form in ("NumPy", "compiled")}
        if against_torch:
            contestants |= {(method, "PyTorch", number): step
                            for number, (method, step) in enumerate(torch_contestants(name, X, Y))}
        for (method, form, _), median in medians(contestants, seconds).items():
            key = name, method, form
            found[key] = min(found.get(key, np.inf), median * STEPS)  # of PyTorch's forms the fastest
    return found


def products(against_torch, seconds):
    """{what: milliseconds} of Fisher solves of 10 steps, Gauss-Newton products, and of what a gradient multiplies."""
    contestants = {}
    dense = {name: sizes for name, sizes in NETS.items() if sizes}
    for name, sizes in {"digits net": (64, 32, 32, 10), **dense}.items():
        net, (X, Y) = mlp(sizes), numbers((sizes[0],))
        loss, theta = MiniBatch(net, X[:BATCH], Y[:BATCH]), net.initial(SEED, dtype=np.float32)
        theta.flags.writeable = False
        g = loss.gradient(theta)

        def solve(loss=loss, theta=theta, g=g):
            conjugate_gradient(damped(loss.fisher(theta), 0.01), g, steps=10)

        def solve_in_numpy(solve=solve):
            with twins.reading():
                solve()

        contestants |= {f"Fisher solve, {name}, compiled": solve, f"Fisher solve, {name}, NumPy": solve_in_numpy}
        if name in NETS:
            contestants[f"matrix products of a gradient, {name}"] = kernel_timing.matrix_products(sizes)
            contestants[f"Gauss-Newton product, {name}"] = partial(loss.gauss_newton(theta).matvec, g)
            if against_torch:
                contestants[f"Gauss-Newton product, {name}, PyTorch"] = torch_gauss_newton(sizes, X[:BATCH], g)
    return {what: 1e3 * median for what, median in medians(contestants, seconds).items()}


def torch_gauss_newton(sizes, X, v):
    """Jᵀ H J v by torch.func: a jvp, the softmax Hessian, a vjp."""
    import torch
    shapes = [(o, i + 1) for i, o in zip(sizes[:-1], sizes[1:])]
    ends = np.cumsum([o * i for o, i in shapes])
    X, v = torch.from_numpy(X), torch.from_numpy(v.copy())
    theta = torch.from_numpy(mlp(sizes).initial(SEED, dtype=np.float32))

    def outputs(theta):
        z = X
        for number, ((o, i), end) in enumerate(zip(shapes, ends)):
            matrix = theta[end - o * i:end].reshape(o, i)
            z = torch.nn.functional.linear(z, matrix[:, :-1], matrix[:, -1])
            z = z if number == len(shapes) - 1 else torch.tanh(z)
        return z

    def product():
        z, Jv = torch.func.jvp(outputs, (theta,), (v,))
        p = torch.softmax(z, 1)
        u = (p * Jv - p * (p * Jv).sum(1, keepdim=True)) / len(X)
        _, back = torch.func.vjp(outputs, theta)
        return back(u)[0]

    return product


def loops_of_kernels(seconds=0.3):
    """{kernel, use: (milliseconds in NumPy, compiled)}, the medians."""
    found = {}
    for kernel in Kernel.known:
        for use, arguments in kernel_timing.cases()[kernel.__name__].items():
            both = {"NumPy": partial(kernel.numpy, *arguments), "compiled": partial(kernel.compiled, *arguments)}
            median = medians(both, seconds)
            found[f"{kernel.__name__}, {use}"] = [1e3 * median["NumPy"], 1e3 * median["compiled"]]
    return found


def batches(seconds=1.0):
    """Seconds for the mini-batches of a shuffled epoch of 50,000 images, without training on them."""
    X = np.random.default_rng(SEED).standard_normal((50_000, 3072), np.float32)
    risk = EmpiricalRisk(mlp(NETS["2x90 MLP"]), X, np.zeros(len(X), int), batch_size=BATCH, seed=SEED)
    steps = count(1)
    return STEPS * medians({"batch": lambda: risk.loss(next(steps))}, seconds, least=50)["batch"]


def compiling():
    """Seconds until every kernel has been compiled and called once in single precision, with nothing on the disk."""
    program = ("import time; from data_scripts.timing import call_all; start = time.perf_counter(); call_all();"
               "print(time.perf_counter() - start)")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                                    env=environment, cwd=RECORD.parents[2]).stdout)


def call_all():
    """Call every kernel: in two steps of each method, on a small net of each kind, and by itself what that leaves."""
    random = np.random.default_rng(SEED)
    for net, shape in ((mlp((64, 80, 10)), (64,)), (lenet((16, 16, 3)), (16, 16, 3)), (cnn((16, 16, 3)), (16, 16, 3))):
        X, Y = random.standard_normal((BATCH, *shape), np.float32), random.integers(0, 10, BATCH)
        risk, theta = EmpiricalRisk(net, X, Y), net.initial(SEED, dtype=np.float32)
        for method in (*METHODS.values(), momentum, adahessian):
            list(islice(method(risk, theta), 2))
        F = risk.loss(1).fisher(theta)
        F @ (F @ theta), risk.loss(1).per_example_gradients(theta)
    A, z, many = np.eye(20, dtype=np.float32), X.reshape(BATCH, -1), np.ones(500_000, np.float32)
    conjugate_gradient(A, A[0])
    ReLU().backward(None, ReLU().value(many), many, None)
    SoftmaxCrossEntropy().hessian_product(z, None, z)
    _, saved = BatchNorm(10).forward(np.ones(20, np.float32), many, Mode(training=True))
    BatchNorm(10).backward(np.ones(20, np.float32), saved, many, None)


TABLE = {
    "compile": lambda against_torch, seconds: compiling(),
    "batches": lambda against_torch, seconds: batches(),
    "products": lambda against_torch, seconds: products(against_torch, seconds),
    "kernels": lambda against_torch, seconds: loops_of_kernels(),
    "epochs": lambda against_torch, seconds: {" | ".join(key): epoch for key, epoch in
                                              epochs(against_torch, seconds).items()}}


def measured(rows, against_torch=False, seconds=15.0):
    """These rows, as one dict of numbers by name."""
    functions = TABLE | side_by_side.ROWS
    runs = {row: functions[row](against_torch, seconds) for row in functions if row in rows}
    made = {"set": "numbers drawn at random", "seed": SEED, "date": date.today().isoformat(), "versions": machine()}
    return {"runs": runs, "made": dict.fromkeys(runs, made)}


def machine():
    """What the times were measured with."""
    with_torch = ""
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        with_torch = f", PyTorch {torch.__version__} with {torch.get_num_threads()} threads"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {cores} cores, "
            f"{os.environ.get('OMP_NUM_THREADS', cores)} threads{with_torch}")


def report(record):
    """The table in words: as many of its rows as there are."""
    runs = record["runs"]
    forms = ["Python", "NumPy", "compiled", "PyTorch"]
    lines = [*dict.fromkeys(made["versions"] for made in record["made"].values())]
    if "epochs" in runs:
        lines += ["", f"seconds an epoch of 50,000 images in batches of {BATCH}:",
                  f"{'':10s}{'':18s}" + "".join(f"{form:>10s}" for form in forms)]
        for name in NETS:
            for method in METHODS:
                times = [runs["epochs"].get(f"{name} | {method} | {form}") for form in forms]
                lines.append(f"{name:10s}{method:18s}"
                             + "".join(f"{'':10s}" if s is None else f"{s:10.2f}" for s in times))
    lines += ["", *(f"{what:40s}{ms:10.2f} ms" for what, ms in runs.get("products", {}).items())]
    if "batches" in runs:
        lines.append(f"{'mini-batches of an epoch':40s}{runs['batches']:10.2f} s")
    if "compile" in runs:
        lines.append(f"{'compiling all kernels, once':40s}{runs['compile']:10.1f} s")
    if "kernels" in runs:
        lines += ["", f"{'milliseconds of a hot loop':50s}{'NumPy':>10s}{'compiled':>10s}",
                  *(f"{what:50s}{numpy:10.3f}{compiled:10.3f}" for what, (numpy, compiled) in runs["kernels"].items())]
    return "\n".join([*lines, *side_by_side.report(runs)])


def main(against, rows=None):
    """Measure these rows, or all, against PyTorch if that is wanted, keep them in the record, and return the table."""
    if against:
        import torch  # before anything is measured: is it installed?
        torch.set_num_threads(torch.get_num_threads())
    known = [*TABLE, *side_by_side.ROWS]
    if unknown := set(rows or ()).difference(known):
        raise DataError(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    found = measured(rows or known, against == "torch")
    for file in (RECORD, COST):
        here = {row: run for row, run in found["runs"].items() if (row == "cost") == (file == COST)}
        if here:
            add(file, here, {row: found["made"][row] for row in here})
    return report(found)
