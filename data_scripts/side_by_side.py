"""Rows of the timing table that set something of ours beside what it is measured by: PyTorch, SciPy, or a step of Adam.

Each row is a function (against_torch, seconds) -> {what: [ours, the other's]}, in milliseconds but for the memory,
which is in MB; `cost` is that of step_costs.py.
"""
import re
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, rosen, rosen_der

from data_scripts import kernel_timing, step_costs, torch_nets
from data_scripts.step_costs import BATCH, SEED, numbers
from data_scripts.turns import medians
from numopt.networks import lenet, mlp, resnet18
from numopt.optimizers import adam, bfgs
from numopt.problems import EmpiricalRisk, Function, MiniBatch, Rosenbrock

STEPS = 1_000


def adam_step(net, X, Y, batch):
    """A function that takes a step of Adam."""
    return partial(next, adam(EmpiricalRisk(net, X, Y, batch, seed=SEED), net.initial(SEED, dtype=np.float32), lr=1e-3))


def beside_torch(name, net, make, batches, against_torch, seconds):
    """Steps of Adam at these sizes of a batch, beside the fastest of PyTorch's forms."""
    X, Y, found = *numbers((32, 32, 3)), {}
    for batch in batches:
        contestants = {"ours": adam_step(net(), X, Y, batch)}
        if against_torch:
            contestants |= {f"PyTorch {form}": step for form, step in enumerate(torch_nets.steps(make, X, Y, batch))}
        ours, *theirs = medians(contestants, seconds / len(batches)).values()
        found[f"Adam, {name}, batch {batch} | PyTorch"] = in_milliseconds(ours, min(theirs, default=np.nan))
    return found


def in_milliseconds(*seconds):
    return [1e3 * second for second in seconds]


def of_lenet(against_torch, seconds):
    return beside_torch("LeNet", lenet, torch_nets.lenet, (16, 32, 64), against_torch, seconds)


def of_resnet(against_torch, seconds):
    return beside_torch("ResNet-18 of width 16", partial(resnet18, width=16), partial(torch_nets.resnet18, 16),
                        (64, 256), against_torch, seconds)


def of_example_gradients(against_torch, seconds):
    net, (X, Y) = lenet(), numbers((32, 32, 3), BATCH)
    theta = net.initial(SEED, dtype=np.float32)
    theta.flags.writeable = False
    contestants = {"ours": lambda: MiniBatch(net, X, Y).per_example_gradients(theta)}
    if against_torch:
        contestants["theirs"] = torch_nets.example_gradients(torch_nets.lenet, X, Y)
    ours, *theirs = medians(contestants, seconds / 2).values()
    return {f"gradients of {BATCH} examples, LeNet | PyTorch, vmap(grad)": in_milliseconds(ours, *theirs or [np.nan])}


def to_the_minimum(start, tolerance=1e-5):
    """Minimise by our BFGS until no derivative is larger; the number of steps."""
    for steps, theta in enumerate(run := bfgs(Function(rosen, jac=rosen_der), start), 1):
        if np.abs(run["g"] + run["y"]).max() < tolerance:  # the gradient where the step has ended
            return steps
    raise ValueError("BFGS ended before it arrived")


def of_bfgs(against_torch, seconds):
    start = np.tile([-1.2, 1.0], 20)
    both = {"ours": partial(to_the_minimum, start),
            "theirs": partial(minimize, rosen, start, jac=rosen_der, method="BFGS", options={"gtol": 1e-5})}
    return {"BFGS, Rosenbrock of 40 numbers, to 1e-5 | SciPy": in_milliseconds(*medians(both, seconds / 4).values())}


def bare_adam(problem, theta, steps):
    """The loop with nothing around it."""
    m = v = 0.0
    for t in range(1, steps + 1):
        g = problem.gradient(theta)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return theta


def of_two_numbers(against_torch, seconds):
    problem, start = Rosenbrock(), np.array([-1.2, 1.0])
    both = {"ours": lambda: next(islice(adam(problem, start, lr=1e-3), STEPS - 1, None)),
            "theirs": partial(bare_adam, problem, start, STEPS)}
    ours, theirs = medians(both, seconds / 4).values()
    return {f"Adam on two numbers, {STEPS:,} steps | the bare loop": in_milliseconds(ours, theirs)}


def of_matrix_products(against_torch, seconds):
    sizes = 3072, 90, 90, 10
    both = {"ours": adam_step(mlp(sizes), *numbers((3072,)), BATCH), "theirs": kernel_timing.matrix_products(sizes)}
    return {"Adam, 2 × 90 | its matrix products": in_milliseconds(*medians(both, seconds / 2).values())}


PEAK = """
import sys
from data_scripts import side_by_side, torch_nets
from numopt.networks import cnn
X, Y = side_by_side.numbers((32, 32, 3))
if sys.argv[1] == "ours":
    step = side_by_side.adam_step(cnn(), X, Y, 4)
    large = side_by_side.adam_step(cnn(), X, Y, side_by_side.BATCH)
else:
    step = next(torch_nets.steps(torch_nets.cnn, X, Y, 4))
    large = next(torch_nets.steps(torch_nets.cnn, X, Y, side_by_side.BATCH))
for _ in range(3):
    step()
before = side_by_side.peak()
for _ in range(5):
    large()
print(side_by_side.peak() - before)
"""


def peak():
    """How many kB this process has had at most.

    Under Linux the system's own count, ru_maxrss, begins in a child with what its parent has had: it would not grow.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    import resource  # which Windows has not
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def of_memory(against_torch, seconds):
    """By how much a process grows, at its peak, in steps with 128 images, after some with four: all else is there."""
    def grown(who):
        done = subprocess.run([sys.executable, "-c", PEAK, who], capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parents[1])
        return float(done.stdout) / 1024

    both = [grown("ours"), grown("theirs") if against_torch else np.nan]
    return {f"MB at the peak of a step, CNN, batch {BATCH} | PyTorch": both}


ROWS = {"LeNet": of_lenet, "ResNet": of_resnet, "examples": of_example_gradients, "BFGS": of_bfgs,
        "two": of_two_numbers, "alone": of_matrix_products, "memory": of_memory, "cost": step_costs.of_methods}


def report(runs):
    """These rows in words."""
    lines = ["", f"{'':60s}{'ours':>10s}{'theirs':>10s}{'ratio':>8s}"]
    for row in ROWS:
        for what, (ours, other) in sorted(runs.get(row, {}).items()) if row != "cost" else ():
            lines.append(f"{what:60s}{ours:10.3f}{other:10.3f}{ours / (other or np.nan):8.2f}")
    if "cost" in runs:
        lines += step_costs.report(runs["cost"])
    return lines if len(lines) > 2 else []
