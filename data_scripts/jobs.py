"""One run of an experiment: what says what it is, its name in the record, and how it is done."""
import os
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from data_scripts import training
from data_scripts.experiments import EXPERIMENTS
from data_scripts.measurements import MEASUREMENTS
from figures.making import records
from numopt import optimizers


def declared(name):
    """The experiment or the measurement of this name."""
    return EXPERIMENTS[name] if name in EXPERIMENTS else MEASUREMENTS[name]


def job(name, data, label, seed, changes=(), epochs=None, whole=False, quick=False, images=None):
    """One run: all that says what it is, as a tuple that another process can be given, and a record's key made of."""
    epochs = epochs or (EXPERIMENTS[name].epochs if name in EXPERIMENTS else 1)
    return name, data, label, seed, tuple(changes), epochs, whole, quick, images


def key(job):
    """Its name in the record."""
    name, data, label, seed, changes, epochs, whole, quick, images = job
    if name in MEASUREMENTS:
        return f"{data}{', quick' if quick else ''}, seed {seed}"
    changed = "".join(f", {setting} {value:.4g}" for setting, value in changes)
    return f"{data}{examples(whole, images)}, {label}{changed}, {epochs} epochs, seed {seed}"


def examples(whole, images):
    """How a name says which of a set's training examples."""
    return f"{', whole' if whole else ''}{f', {images} images' if images else ''}"


def settings(job):
    method = EXPERIMENTS[job[0]].methods[job[2]]
    return method.settings | dict(job[4])


def code(job):
    """What a run is made with: the training, the loop of the method, the network; or what measures."""
    if job[0] in MEASUREMENTS:
        return MEASUREMENTS[job[0]].function,
    experiment = EXPERIMENTS[job[0]]
    method = experiment.methods[job[2]]
    then = [training.train_in_two, getattr(optimizers, method.then.optimizer)] if method.then else []
    return training.train, getattr(optimizers, method.optimizer), experiment.network, *then


def network(job):
    name, data, label, _, _, _, whole, *_ = job
    experiment = EXPERIMENTS[name]
    X, Y = training.parts(data, experiment.images, whole).training
    return experiment.network(X.shape[1:], int(Y.max()) + 1, **experiment.methods[label].network)


def perform(job, folder=None, tell=None):
    """Its arrays, and how they were made; with a checkpoint in the folder that is gone when it is done."""
    name, data, label, seed, _, epochs, whole, quick, images = job
    if name in MEASUREMENTS:
        return measured(name, data, seed, quick, code(job))
    experiment, method = EXPERIMENTS[name], EXPERIMENTS[name].methods[label]
    made = records.making(data, seed, settings(job), *code(job)) | {
        "net": experiment.net, "experiment": name, "method": label, "optimizer": method.optimizer,
        "epochs": epochs, "batch": experiment.batch_size, "whole": whole, "images": images,
        "threads": os.environ.get("OMP_NUM_THREADS")}
    with nullcontext(folder) if folder else TemporaryDirectory() as kept_in:
        checkpoint = Path(kept_in) / f"{name}, {key(job)}, {made['digest']}.npz"
        how = {"epochs": epochs, "batch_size": experiment.batch_size, "seed": seed, "checkpoint": checkpoint,
               "tell": tell, "probe": method.probe}
        parts, first = training.parts(data, experiment.images, whole, quick, images), (method.optimizer, settings(job))
        if method.then:
            optimizer, its_settings, after, afresh = method.then
            arrays = training.train_in_two(network(job), parts, first, (optimizer, its_settings),
                                           after=min(after, epochs), afresh=afresh, **how)
        else:
            arrays = training.train(network(job), parts, *first, **how)
        checkpoint.unlink(missing_ok=True)
    made["came"] = len(arrays["training loss"]) - 1
    return arrays, made


def measured(name, data, seed, quick, code):
    """The same of a measurement."""
    made = records.making(data, seed, {}, *code) | {"net": MEASUREMENTS[name].net, "experiment": name, "quick": quick,
                                                    "threads": os.environ.get("OMP_NUM_THREADS")}
    return MEASUREMENTS[name].function(data, seed, quick), made


def job_of(made):
    """The job that gave a run, by what its record says."""
    if made["experiment"] in MEASUREMENTS:
        return job(made["experiment"], made["set"], None, made["seed"], quick=made["quick"])
    usual = EXPERIMENTS[made["experiment"]].methods[made["method"]].settings
    changes = tuple((key, value) for key, value in made["settings"].items() if usual.get(key) != value)
    return job(made["experiment"], made["set"], made["method"], made["seed"], changes, made["epochs"], made["whole"],
               images=made.get("images"))
