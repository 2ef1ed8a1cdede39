"""Products with the curvature cost a few gradients on any net, and inverses and roots the cube of a layer's width.

A step of twelve methods, in steps of Adam that were timed beside it, on three nets, in batches of 128 colour images.
What is renewed now and then has its share in it: K-FAC's inverses, EKFAC's eigenvectors, SOAP's coordinates, FishLeg's
factors and Sophia's diagonal every ten steps, Shampoo's roots every twenty.  The words say what takes most.  The widest
layer of the dense net has 3,073 inputs with the bias, that of the CNN 2,049 and that of LeNet 401.

Made for this course, by python -m data_scripts timing --rows cost.          Lecture 11.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.records import recorded
from figures.making.style import BLUE, GREEN, ORANGE

RECORD = "second_order_cost"
NET = "steps with 128 images, single precision"
STYLES = {"2 × 90": (BLUE, "o"), "CNN": (ORANGE, "s"), "LeNet": (GREEN, "D")}
LIMITS = {
    "Adam": "the gradient",
    "L-BFGS": "two values and gradients",
    "Muon": "products of every matrix",
    "AdaHessian": "a product with the Hessian",
    "Sophia": "one such product in ten steps",
    "nlTGCR": "a product with the Fisher matrix",
    "natural gradient": "ten of them",
    "FishLeg": "products of its factors",
    "K-FAC": "second moments, inverses",
    "EKFAC": "single gradients between eigenvectors",
    "SOAP": "second moments, products with Q",
    "Shampoo": "second moments, eigenvectors"}


def compute():
    cost = recorded("second_order_cost")["cost"]
    pairs = np.array([[cost[f"{net} | {method}"] for net in STYLES] for method in LIMITS])
    return {"steps_of_adam": pairs[..., 0] / pairs[..., 1]}


def draw(steps_of_adam):
    figure, ax = plt.subplots(figsize=(8, 4.6))
    rows = np.arange(len(LIMITS))
    for column, (net, (color, marker)) in enumerate(STYLES.items()):
        ax.plot(steps_of_adam[:, column], rows, marker, color=color, label=net)
    ax.axvline(1, color="0.6", linewidth=1)
    ax.grid(axis="y", color="0.92")
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlabel="a step, in steps of Adam")
    ax.set_yticks(rows, [f"{method}: {limit}" for method, limit in LIMITS.items()])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=len(STYLES))
    return figure
