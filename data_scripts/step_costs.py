"""What a step of every optimizer of the package costs on a network, in steps of Adam: the row `cost` of timing.py.

Nobody lists the methods here: those take part that take a step on a net without asking for more than one can answer, or
for a matrix with a row and a column for every weight.  That is found out on a small net, and so is
what a method asks of its problem.  All settings are the defaults, but for SETTINGS where a method has such a thing.
"""
import time
import tracemalloc
from contextlib import suppress
from itertools import islice

import numpy as np
from tqdm import tqdm

from numopt import optimizers
from numopt.kernels.sharing import one_thread_of_blas
from numopt.networks import cnn, lenet, mlp
from numopt.optimizer import Diverged
from numopt.problems import Counted, EmpiricalRisk
from numopt.signature import defaults

SEED, BATCH, IMAGES, STEPS = 0, 128, 2_560, 10
NETS = {"2 × 90": lambda: mlp((3072, 90, 90, 10)), "CNN": cnn, "LeNet": lenet}
# What a step costs does not depend on the rate, and at this one hardly any method diverges.  What is renewed now and
# then is renewed once in the STEPS that are timed together, and inner solves have as many steps.
SETTINGS = {"lr": 1e-6, "cg_steps": STEPS, "every": STEPS, "T2": STEPS, "T3": STEPS}
TINY = 7, 7, 7, 3
QUESTIONS = "values", "gradients", "products"


def numbers(shape, n=IMAGES):
    """Images and labels drawn at random: how long a step takes does not depend on them."""
    random = np.random.default_rng(SEED)
    return random.standard_normal((n, *shape), np.float32), random.integers(0, 10, n)


def begun(method, risk, theta):
    """A run with the settings above."""
    own = defaults(method).keys() - set(method.memory)
    return method(risk, theta, **{name: value for name, value in SETTINGS.items() if name in own})


def on_tiny(method):
    """(what it asks for in a step: as many numbers as QUESTIONS, None), or (None, why it takes none on a large net)."""
    with one_thread_of_blas():  # what it takes to switch between one and more is not the method's
        try:
            questions(method)  # nor is what is loaded at its first use
            tracemalloc.start()
            asked = questions(method)
            _, most = tracemalloc.get_traced_memory()
        except (NotImplementedError, ValueError, TypeError) as error:
            return None, str(error).split("; ")[0].split(": ")[0]
        finally:
            tracemalloc.stop()
    if most > 8 * mlp(TINY).size**2:
        return None, "a matrix with a row for every weight"
    return asked, None


def questions(method):
    """How many values, gradients and products it asks for in a step, after the first."""
    net, random = mlp(TINY), np.random.default_rng(SEED)
    problem = Counted(EmpiricalRisk(net, random.standard_normal((40, TINY[0])), np.arange(40) % TINY[-1], 10, SEED))
    steps = forever(method, problem, net.initial(SEED))
    next(steps)
    before = [problem.counts[question] for question in QUESTIONS]
    for _ in range(STEPS):
        next(steps)
    return [(problem.counts[question] - count) / STEPS for question, count in zip(QUESTIONS, before)]


def forever(method, problem, theta):
    """Its steps, from the start again whenever it has ended or diverged."""
    while True:
        steps = 0
        with suppress(Diverged):
            for steps, theta_t in enumerate(begun(method, problem, theta), 1):
                yield theta_t
        if steps == 0:
            raise ValueError("takes no step")


def period(steps, number=STEPS):
    """Seconds a step, over so many of them."""
    start = time.perf_counter()
    for _ in islice(steps, number):
        pass
    return (time.perf_counter() - start) / number


def of_methods(against_torch, seconds):
    """{"net | method": [seconds a step, the same in steps of Adam]}, and what is found out on a tiny net: what each
    method has "asked", and why it "cannot".

    The times are medians of up to four turns that a method and Adam both take, of STEPS each.
    """
    tiny = {name: on_tiny(getattr(optimizers, name)) for name in optimizers.__all__}
    asked = {name: asked for name, (asked, why) in tiny.items() if not why}
    cannot = {name: why for name, (_, why) in tiny.items() if why}
    times = {f"{title} | {name}": both for title, net in NETS.items()
             for name, both in of_methods_on(net(), asked, seconds / 30).items()}
    return times | {"asked": asked, "cannot": cannot}


def of_methods_on(net, names, seconds):
    """{method: [seconds a step, the same in steps of Adam]} on one net."""
    found, (X, Y) = {}, numbers(net.inputs)

    def run(name):
        risk = EmpiricalRisk(net, X, Y, BATCH, seed=SEED)
        return forever(getattr(optimizers, name), risk, net.initial(SEED, dtype=np.float32))

    adam = run("adam")
    for name in tqdm(names, desc=net.brief(), unit="method"):
        steps, turns, began = run(name), [], time.perf_counter()
        period(steps, 3)  # the first are unlike the others: K-FAC renews its inverses in them
        period(adam, 3)
        while len(turns) < 4 and (not turns or time.perf_counter() - began < seconds):
            ours, other = period(steps), period(adam)
            turns.append((ours, ours / other))
        found[name] = np.median(turns, axis=0).tolist()
    return found


def report(cost):
    """The table in words."""
    lines = ["", f"{'a step in steps of Adam':32s}" + "".join(f"{net:>10s}" for net in NETS)
             + "".join(f"{question:>11s}" for question in QUESTIONS)]
    for name, asked in cost["asked"].items():
        lines.append(f"{name:32s}" + "".join(f"{cost[f'{net} | {name}'][1]:10.2f}" for net in NETS)
                     + "".join(f"{count:11.1f}" for count in asked))
    return lines + [f"{name:32s}  {why}" for name, why in cost["cannot"].items()]
