"""Table 3 of Memon et al. (2024), seconds an epoch, remeasured: what compiling explains of it.  Lecture 14.

    python -m data_scripts timing                    this machine: plain Python, NumPy, compiled
    python -m data_scripts timing --against torch    and PyTorch's Adam and RMSProp beside them, where it is installed

The paper compares a compiled nlTGCR, 0.42 s, with an Adam of 7.02 s that is not compiled.  Here every method runs in
every form, on the same batches of 128 numbers drawn at random, in single precision, in one process.  The contestants
take turns, a few steps each, so that what disturbs one disturbs all; a time is the median over the turns, without the
first, multiplied by the 391 steps of an epoch of 50,000 images.  Plain Python runs on a small net, and its time is
multiplied by how many times more multiplications the real one needs.  The record, figures/records/timing.npz, is what
the figure `timing` draws.
"""
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_scripts import element_loops, kernel_timing
from figures.making.records import write
from numopt.kernels import twins
from numopt.kernels.twins import Kernel
from numopt.linalg import conjugate_gradient, damped
from numopt.networks import ReLU, SoftmaxCrossEntropy, cnn, lenet, mlp
from numopt.optimizers import adahessian, adam, kfac, momentum, natural_gradient, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, MiniBatch

RECORD = Path(__file__).parent.parent / "figures" / "records" / "timing.npz"
SEED, BATCH, STEPS, IMAGES = 0, 128, 391, 12_800
REST = 0.15  # seconds between the turns: BLAS's threads stay awake after their work, and disturbed others for over 0.05
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
    """Adam and RMSProp of PyTorch, in each of its forms, on the same net, channels last, and the same batches."""
    import torch
    from torch import nn
    forms = {"Adam": [{"fused": True}, {"foreach": True}], "RMSProp": [{"foreach": True}, {"foreach": False}]}
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    judge = nn.CrossEntropyLoss()
    for method, variants in forms.items():
        for settings in variants:
            torch.manual_seed(SEED)
            if NETS[name]:
                sizes = NETS[name]
                layers = [layer for i, o in zip(sizes[:-1], sizes[1:]) for layer in (nn.Linear(i, o), nn.Tanh())][:-1]
            else:
                layers = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, padding=1),
                          nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2048, 10)]
            model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
            optimizer = getattr(torch.optim, {"Adam": "Adam", "RMSProp": "RMSprop"}[method])(
                model.parameters(), lr=1e-3, **settings)
            yield method, partial(torch_step, model, optimizer, judge, X, Y, torch_batches())


def torch_batches():
    """The examples of each step: an order is drawn once an epoch, as it is for ours."""
    import torch
    for epoch in count():
        yield from torch.from_numpy(np.random.default_rng([SEED, epoch]).permutation(IMAGES)).split(BATCH)


def torch_step(model, optimizer, judge, X, Y, batches):
    chosen = next(batches)
    x = X[chosen]
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2)  # these are channels last in memory already
    optimizer.zero_grad(set_to_none=True)
    judge(model(x), Y[chosen]).backward()
    optimizer.step()


def medians(contestants, seconds, least=5):
    """The median seconds of a step of each, who take turns of several steps; at least so many turns."""
    turn = {}
    for key, step in tqdm(contestants.items(), desc="warm up", unit="method"):
        for _ in range(3):
            start = time.perf_counter()
            step()
        turn[key] = 10 if "K-FAC" in key else max(1, min(10, round(0.2 / (time.perf_counter() - start))))
    taken, began = {key: [] for key in contestants}, time.perf_counter()
    with tqdm(total=round(seconds), desc="measure", unit="s") as bar:
        while time.perf_counter() - began < seconds or min(map(len, taken.values())) <= least:
            for key, step in contestants.items():
                time.sleep(REST)
                step()
                start = time.perf_counter()
                for _ in range(turn[key]):
                    step()
                taken[key].append((time.perf_counter() - start) / turn[key])
            bar.n = min(round(time.perf_counter() - began), bar.total)
            bar.refresh()
    return {key: float(np.median(times[1:])) for key, times in taken.items()}


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
        F @ (F @ theta)
    A, z, many = np.eye(20, dtype=np.float32), X.reshape(BATCH, -1), np.ones(500_000, np.float32)
    conjugate_gradient(A, A[0])
    ReLU().backward(None, ReLU().value(many), many, None)
    SoftmaxCrossEntropy().hessian_product(z, None, z)


def measured(against_torch=False, seconds=20.0):
    """Everything, as one dict of arrays and texts."""
    record = {"compile": compiling(), "batches": batches(), "products": products(against_torch, seconds),
              "kernels": loops_of_kernels()}
    found = epochs(against_torch, seconds)
    runs = record | {"epochs": {" | ".join(key): epoch for key, epoch in found.items()}}
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
    """The table in words."""
    runs = record["runs"]
    forms = ["Python", "NumPy", "compiled", "PyTorch"]
    lines = [record["made"]["epochs"]["versions"], "", f"seconds an epoch of 50,000 images in batches of {BATCH}:",
             f"{'':10s}{'':18s}" + "".join(f"{form:>10s}" for form in forms)]
    for name in NETS:
        for method in METHODS:
            times = [runs["epochs"].get(f"{name} | {method} | {form}") for form in forms]
            lines.append(f"{name:10s}{method:18s}" + "".join(f"{'':10s}" if s is None else f"{s:10.2f}" for s in times))
    lines += ["", *(f"{what:40s}{ms:10.2f} ms" for what, ms in runs["products"].items()),
              f"{'mini-batches of an epoch':40s}{runs['batches']:10.2f} s",
              f"{'compiling all kernels, once':40s}{runs['compile']:10.1f} s", "",
              f"{'milliseconds of a hot loop':50s}{'NumPy':>10s}{'compiled':>10s}",
              *(f"{what:50s}{numpy:10.3f}{compiled:10.3f}" for what, (numpy, compiled) in runs["kernels"].items())]
    return "\n".join(lines)


def main(against):
    """Measure, against PyTorch if that is wanted, keep the record, and return the table."""
    if against:
        import torch  # before anything is measured: is it installed?
        torch.set_num_threads(torch.get_num_threads())
    record = measured(against == "torch")
    write(RECORD, record)
    return report(record)
