"""Networks, layers and losses that are right pass, and slips show in the questions that they concern."""
from itertools import count

import numpy as np
import pytest

from numopt.check import layer_errors, loss_errors, network_errors
from numopt.check.networks import Along, taken_shape
from numopt.linalg.operators import Symmetric
from numopt.networks import (
    ACTIVATIONS, Activation, BatchNorm, Conv2D, Dense, Loss, MaxPool, Network, Residual, SoftmaxCrossEntropy,
    SquaredError, Tanh, cnn, lenet, lenet1, mlp, resnet18)
from numopt.problems import MiniBatch

NETWORKS = {
    "mlp": lambda: mlp([5, 4, 3]), "relu": lambda: mlp([5, 8, 3], activation="relu"),
    "sigmoid, squared error": lambda: mlp([5, 4, 2], activation="sigmoid", loss=SquaredError()),
    "dropout": lambda: mlp([5, 9, 3], dropout=0.5), "cnn": lambda: cnn((8, 8, 2), 3, 4),
    "lenet": lambda: lenet((16, 16, 1), 3, dropout=0.3), "lenet1": lambda: lenet1((8, 8, 1), 3),
    "resnet18": lambda: resnet18((8, 8, 1), 3, width=2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_derivative_of_every_model_is_right_to_the_last_digits(name):
    errors = network_errors(NETWORKS[name]())
    unanswered = {"fisher", "empirical_fisher", "per_example_gradients"} if name == "resnet18" else set()
    assert {question for question, error in errors.items() if np.isnan(error)} == unanswered
    assert all(error < 1e-11 for error in errors.values() if not np.isnan(error)), errors
    assert errors.right and not errors.notes


def test_where_the_complex_step_sees_only_a_part_of_a_function_differences_are_taken():
    """Of θ + |θ|/10 it gives 1, and the derivative is 1.1 or 0.9."""
    theta, v = np.array([0.5, -2.0, 1.5]), np.array([1.0, 3.0, -1.0])
    for share in 0.1, 0.01, -0.1:
        by = Along()
        assert np.allclose(by(lambda x: x + share * np.abs(x), theta, v), v + share * np.sign(theta) * v)
        assert by.differences
    by = Along()
    assert by(lambda x: np.where(x.real > 0, x, 0), np.array([1e-7]), np.ones(1)) == 1 and not by.differences, "a kink"
    by = Along()
    assert np.allclose(by(np.sin, theta, v), np.cos(theta) * v, rtol=1e-14) and not by.differences


def test_a_matrix_is_judged_by_the_way_that_its_later_products_take(monkeypatch):
    right = MiniBatch.fisher

    def tiring(batch, theta):
        F, products = right(batch, theta), count(1)
        return Symmetric(lambda v: F @ v / min(next(products), 2), theta.size, theta.dtype)

    monkeypatch.setattr(MiniBatch, "fisher", tiring)
    errors = network_errors(mlp([5, 4, 3]), directions=1)
    assert np.isclose(errors["fisher"], 1 / 2) and not errors.right


def test_a_slip_in_one_pass_of_a_layer_shows_in_the_products_that_use_it():
    class Slipped(Tanh):
        def bend(self, y):
            return 2 * y * (1 - y**2)  # the sign

    network = Network(Dense(5, 4), Slipped(), Dense(4, 3), inputs=5)
    errors = network_errors(network)
    assert errors.pop("hessian") > 1e-3
    assert max(errors.values()) < 1e-12


class Huber(Loss):
    """Quadratic near zero and |z − y| beyond; written with functions that are not analytic."""

    def values(self, z, y):
        d = np.abs(z - y)
        return np.where(d < 1, d**2 / 2, d - 1 / 2).sum(axis=1)

    def gradient(self, z, y):
        return np.clip(z - y, -1, 1)

    def hessian_product(self, z, y, u):
        return np.where(np.abs(z - y) < 1, u, 0)


class Logistic(Loss):
    """Σ log(1 + exp(−yz)) for y of ±1, with logaddexp, which takes no complex numbers."""

    def values(self, z, y):
        return np.logaddexp(0, -y * z).sum(axis=1)

    def gradient(self, z, y):
        return -y / (1 + np.exp(y * z))

    def hessian_product(self, z, y, u):
        p = 1 / (1 + np.exp(-y * z))
        return y**2 * p * (1 - p) * u


@pytest.mark.parametrize("loss", [Huber(), Logistic()])
def test_a_right_loss_that_is_not_analytic_is_right_and_the_notes_say_that_differences_were_taken(loss):
    for errors in loss_errors(loss), network_errors(mlp([5, 8, 3], loss=loss)):
        assert errors.right and "not analytic, so differences were taken" in " ".join(errors.notes), errors
        assert errors["gradient"] < 1e-7
    assert errors["gauss_newton"] < 1e-5 and np.isnan(errors["fisher"])


@pytest.mark.parametrize("change", [
    {"gradient": lambda self, z, y: 2 * np.clip(z - y, -1, 1)},
    {"gradient": lambda self, z, y: np.clip(z - y, -1.2, 1.2)},
    {"hessian_product": lambda self, z, y, u: u}, {"hessian_product": lambda self, z, y, u: 0 * u}])
def test_a_wrong_loss_that_is_not_analytic_is_wrong(change):
    loss = type("Wrong", (Huber,), change)()
    assert not loss_errors(loss).right and not network_errors(mlp([5, 8, 3], loss=loss)).right


@pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy()])
def test_the_losses_are_right_to_the_last_digits(loss):
    errors = loss_errors(loss)
    assert max(errors.values()) < 1e-12 and not errors.notes


class Scaled(SquaredError):
    """A Gaussian of variance ½: its Fisher matrix is 2 I."""

    def gradient(self, z, y):
        return 2 * (z - y)

    def values(self, z, y):
        return ((z - y)**2).sum(axis=1)

    def hessian_product(self, z, y, u):
        return 2 * u

    def fisher_product(self, z, u):
        return 2 * u

    def fisher_root(self, z):
        return [np.sqrt(2) * e for e in super().fisher_root(z)]

    def sample(self, z, rng):
        return z + rng.standard_normal(z.shape) / np.sqrt(2)


def test_labels_of_all_classes_are_asked_about_where_the_loss_draws_none():
    class Undrawn(SoftmaxCrossEntropy):
        sample = Loss.sample

    class Wrong(Undrawn):
        def gradient(self, z, y):
            return super().gradient(z, y) * np.where(y == 0, 1, 2)[:, None]

    for seed in range(3):
        assert loss_errors(Undrawn(), seed=seed).right and loss_errors(Wrong(), seed=seed)["gradient"] > 0.1


def test_where_there_are_few_labels_a_fisher_product_is_held_against_all_of_them_to_the_last_digits():
    class Wrong(SoftmaxCrossEntropy):
        def fisher_product(self, z, u):
            return 1.01 * super().fisher_product(z, u)

    assert loss_errors(SoftmaxCrossEntropy()).right and not loss_errors(Wrong()).right


def test_a_fisher_product_of_ones_own_is_held_against_labels_that_are_drawn():
    assert loss_errors(Scaled()).right and network_errors(mlp([5, 4, 3], loss=Scaled())).right
    wrong = type("Wrong", (Scaled,), {"fisher_product": SquaredError.fisher_product})()
    assert loss_errors(wrong)["fisher_product"] > 0.3 and loss_errors(wrong)["fisher_root"] > 0.3
    a_quarter = type("Wrong", (Scaled,), {"fisher_product": lambda self, z, u: 1.25 * Scaled().fisher_product(z, u),
                                          "fisher_root": lambda self, z: [1.25**0.5 * c for c in
                                                                          Scaled().fisher_root(z)]})()
    errors = loss_errors(a_quarter)
    assert not errors.right and errors["fisher_product"] > 0.1 > errors["fisher_root"]


@pytest.mark.parametrize("layer", [
    Dense(4, 3), Conv2D(2, 3, 3, padding=1), MaxPool(2), BatchNorm(3), Residual([Dense(4, 4), Tanh()]),
    *(activation() for activation in ACTIVATIONS.values())])
def test_the_layers_are_right_to_the_last_digits(layer):
    errors = layer_errors(layer)
    assert max(errors.values()) < 1e-11 and not errors.notes


def test_a_layer_that_takes_any_vector_is_tried_on_a_long_one():
    assert (taken_shape(Tanh()), taken_shape(Dense(4, 3)), taken_shape(Conv2D(2, 3, 3))) == ((10,), (4,), (8, 8, 2))


class Swish(Activation):
    """x times its sigmoid, whose derivatives are known from x."""

    def forward(self, w, x, mode):
        return x / (1 + np.exp(-x)), x

    def slope(self, x):
        p = 1 / (1 + np.exp(-x))
        return p + x * p * (1 - p)

    def bend(self, x):
        p = 1 / (1 + np.exp(-x))
        return p * (1 - p) * (2 + x * (1 - 2 * p))


def test_a_layer_of_ones_own_is_checked_pass_by_pass():
    assert max(layer_errors(Swish()).values()) < 1e-12
    wrong = {"slope": (lambda self, x: 1 / (1 + np.exp(-x)), {"backward", "jvp", "r_backward"}),
             "bend": (lambda self, x: 0 * x, {"r_backward"})}
    for name, (method, questions) in wrong.items():
        errors = layer_errors(type("Wrong", (Swish,), {name: method})())
        assert {question for question, error in errors.items() if error > 1e-3} == questions
    with pytest.raises(ValueError, match="give layer_errors the shape of an example"):
        layer_errors(Dense(40, 3))
    assert layer_errors(Dense(40, 3), shape=(40,)).right


def test_the_errors_are_printed_with_their_readings():
    text = str(network_errors(mlp([5, 4, 3], loss=Huber())))
    assert "gradient" in text and text.count("right") > 4 and "not answered" in text
