"""Activations: values, and derivatives finite everywhere; that these are right is tested with those of all layers."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import norm

from numopt.networks import ELU, GELU, LeakyReLU, Mode, ReLU, Sigmoid, Softplus, Tanh
from numopt.networks.models import ACTIVATIONS

EACH = pytest.mark.parametrize("activation", ACTIVATIONS.values())


@pytest.mark.parametrize("layer, function", [
    (Tanh(), np.tanh), (Sigmoid(), expit), (ReLU(), lambda x: np.where(x > 0, x, 0)),
    (LeakyReLU(), lambda x: np.maximum(x, 0.01 * x)), (LeakyReLU(0.3), lambda x: np.maximum(x, 0.3 * x)),
    (ELU(), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    (ELU(2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0)))),
    (Softplus(), lambda x: np.logaddexp(0, x)), (GELU(), lambda x: x * norm.cdf(x))])
def test_an_activation_is_its_function(layer, function):
    x = np.array([[-800.0, -37.0, -30.0, -1.0, -1e-3, -1e-9, -1e-18, 0.0, 1e-18, 1e-9, 0.5, 20.0, 800.0]])
    atol = 1e-16 if isinstance(layer, Sigmoid) else 0  # which is nowhere smaller than what 1 is rounded by
    assert_allclose(layer.forward(np.zeros(0), x, Mode())[0], function(x), rtol=1e-12, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_left_the_derivatives_of_softplus_are_as_small_as_they_are(dtype):
    x = np.array([[-80.0, -40.0, -17.0, -3.0]], dtype)
    _, saved = Softplus().forward(np.zeros(0, dtype), x, Mode())
    dx, Rdx = Softplus().r_backward(np.zeros(0, dtype), saved, None, np.ones_like(x), np.ones_like(x), 0 * x, None)
    exact = x.astype(float)
    assert_allclose(dx, expit(exact), rtol=100 * np.finfo(dtype).eps)
    assert_allclose(Rdx, expit(exact) * expit(-exact), rtol=100 * np.finfo(dtype).eps)


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_activation_and_its_derivatives_are_finite_for_inputs_of_any_size(activation, dtype):
    layer, x = activation(), np.array([[-1e30, -1e4, -90.0, 0.0, 90.0, 1e4, 1e30]], dtype)
    y, saved = layer.forward(np.zeros(0, dtype), x, Mode())
    dx, Rdx = layer.r_backward(np.zeros(0, dtype), saved, None, np.ones_like(x), np.ones_like(x), np.ones_like(x), None)
    assert np.isfinite([y, dx, Rdx]).all() and y.dtype == dx.dtype == Rdx.dtype == dtype


def elu(alpha):
    return lambda x: np.where(x > 0, 1, alpha * np.exp(x)), lambda x: np.where(x > 0, 0, alpha * np.exp(x))


@pytest.mark.parametrize("layer, slope, bend", [
    (Tanh(), lambda x: np.cosh(x)**-2, lambda x: -2 * np.tanh(x) * np.cosh(x)**-2),
    (Sigmoid(), lambda x: expit(x) * expit(-x), lambda x: expit(x) * expit(-x) * (1 - 2 * expit(x))),
    (ReLU(), lambda x: x > 0, lambda x: 0 * x), (LeakyReLU(0.3), lambda x: np.where(x > 0, 1, 0.3), lambda x: 0 * x),
    (ELU(0.7), *elu(0.7)), (ELU(3.0), *elu(3.0)), (Softplus(), expit, lambda x: expit(x) * expit(-x)),
    (GELU(), lambda x: norm.cdf(x) + x * norm.pdf(x), lambda x: (2 - x**2) * norm.pdf(x))],
    ids=lambda what: type(what).__name__ if hasattr(what, "forward") else "")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_first_and_second_derivative_are_those_of_the_books_from_far_left_to_far_right(layer, slope, bend, dtype):
    x = np.concatenate([-np.geomspace(300, 1e-9, 97), [0], np.geomspace(1e-9, 300, 97)])[None].astype(dtype)
    one, none = np.ones_like(x), np.zeros_like(x)
    _, saved = layer.forward(np.zeros(0, dtype), x, Mode())
    exact, atol = x.astype(float), 10 * np.finfo(dtype).eps
    assert_allclose(layer.backward(np.zeros(0, dtype), saved, 3 * one, None), 3 * slope(exact), atol=3 * atol)
    assert_allclose(layer.jvp(np.zeros(0, dtype), saved, None, 3 * one)[0], 3 * slope(exact), atol=3 * atol)
    for Rx, Rdy in (one, none), (none, one), (2 * one, -3 * one):
        dx, Rdx = layer.r_backward(np.zeros(0, dtype), saved, None, Rx, one, Rdy, None)
        assert_allclose(dx, slope(exact), atol=atol)
        assert_allclose(Rdx, slope(exact) * Rdy + bend(exact) * Rx, atol=10 * atol)


@EACH
def test_far_out_an_activation_is_a_line_or_a_constant(activation):
    layer, x = activation(), np.array([[-60.0, 60.0]])
    _, saved = layer.forward(np.zeros(0), x, Mode())
    slopes = {Tanh: [0, 0], Sigmoid: [0, 0], LeakyReLU: [0.01, 1]}.get(activation, [0, 1])
    assert_allclose(layer.backward(np.zeros(0), saved, np.ones((1, 2)), None), [slopes], atol=1e-15)


@pytest.mark.parametrize("layer", [LeakyReLU(0.3), LeakyReLU(), ELU(0.5), ELU(), Softplus(), GELU()], ids=repr)
def test_what_an_activation_says_makes_the_same_again(layer):
    x = np.linspace(-3, 3, 7)
    assert np.array_equal(eval(repr(layer)).value(x), layer.value(x))


@pytest.mark.parametrize("layer, slope", [(ReLU(), 0), (LeakyReLU(0.3), 0.3), (ELU(0.7), 0.7)])
def test_at_its_kink_the_derivative_is_that_of_the_left(layer, slope):
    y, saved = layer.forward(np.zeros(0), np.array([[0.0, -0.0]]), Mode())
    assert_array_equal(layer.backward(np.zeros(0), saved, np.ones((1, 2)), None), [[slope, slope]])


def test_a_slope_or_a_depth_that_there_is_not_is_refused():
    for slope in 0, 1, -0.1, float("nan"):
        with pytest.raises(ValueError, match=r"LeakyReLU has a slope in \(0, 1\)"):
            LeakyReLU(slope)
    for alpha in 0, -1, float("inf"), float("nan"):
        with pytest.raises(ValueError, match="ELU goes down to −alpha"):
            ELU(alpha)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("Softplus.slope", "the sigmoid of y, not of x",
     "-np.expm1(-y)",
     "1 / (1 + np.exp(-y))",
     "networks.test_layers::test_backward_gives_the_derivatives_of_forward"),
    ("ELU.slope", "alpha is 1",
     "y + self.alpha",
     "y + 1",
     "test_at_its_kink_the_derivative_is_that_of_the_left"),
    ("GELU.bend", "the product rule, once",
     "(2 - x**2)",
     "(1 - x**2)",
     "networks.test_layers::test_r_backward_gives_the_derivative_of_backward_along_a_direction"),
    ("Softplus.value", "overflow",
     "np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))",
     "np.log1p(np.exp(x))",
     "test_an_activation_and_its_derivatives_are_finite_for_inputs_of_any_size"),
]
