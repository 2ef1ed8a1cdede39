"""Layers made of layers; that their derivatives are right is tested with all the other layers."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import (
    Chain, Conv2D, Dense, Flatten, MaxPool, Mode, Network, Residual, Sigmoid, SquaredError, Tanh)
from numopt.problems import MiniBatch

IMAGE = (5, 4, 2)


def close(a, b):
    assert a.shape == b.shape
    assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_a_chain_applies_its_layers_one_after_the_other():
    chain = Chain(Dense(4, 3), Tanh(), Dense(3, 2))
    w, x = np.random.default_rng(0).standard_normal((23,)), np.random.default_rng(1).standard_normal((5, 4))
    hidden = np.tanh(x @ w[:15].reshape(3, 5)[:, :4].T + w[:15].reshape(3, 5)[:, 4])
    close(chain.forward(w, x, Mode())[0], hidden @ w[15:].reshape(2, 4)[:, :3].T + w[15:].reshape(2, 4)[:, 3])


def test_a_chain_of_chains_is_a_chain():
    layers = [Conv2D(2, 2, 2), Sigmoid(), Flatten(), Dense(24, 3), Tanh(), Dense(3, 2)]
    flat, nested = Chain(*layers), Chain(Chain(*layers[:2]), Chain(*layers[2:4], Chain(*layers[4:])))
    random = np.random.default_rng(0)
    w, x, dy = random.standard_normal(flat.size), random.standard_normal((3, *IMAGE)), random.standard_normal((3, 2))
    assert flat.shapes == nested.shapes
    answers = []
    for chain in (flat, nested):
        dw = np.empty_like(w)
        y, saved = chain.forward(w, x, Mode())
        answers.append((y, chain.backward(w, saved, dy, dw), dw))
    for one, other in zip(*answers):
        assert_array_equal(one, other)


@pytest.mark.parametrize("first", [[], [Tanh()], [Tanh(), Sigmoid()]])
def test_where_nobody_asks_for_them_no_derivatives_by_the_inputs_are_calculated(first):
    layer = Chain(*first, Dense(4, 4), Tanh(), Dense(4, 4))
    random = np.random.default_rng(0)
    w, v, (x, dy, Rdy) = random.standard_normal(40), random.standard_normal(40), random.standard_normal((3, 5, 4))
    for layer in layer, Residual(layer.layers):
        _, saved = layer.forward(w, x, Mode())
        _, Rsaved = layer.jvp(w, saved, v, None)
        assert layer.backward(w, saved, dy, np.empty(40), inputs=False) is None
        assert layer.r_backward(w, saved, v, Rsaved, dy, Rdy, np.empty(40), inputs=False) == (None, None)
        assert layer.pairs(w, saved, dy, inputs=False)[0] is None


def test_a_residual_whose_main_way_gives_zero_is_the_identity():
    layer = Residual([Dense(4, 4), Tanh()])
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert_array_equal(layer.forward(np.zeros(layer.size), x, Mode())[0], x)


def test_a_residual_is_the_sum_of_its_two_ways():
    main, shortcut = [Dense(4, 3), Tanh()], [Dense(4, 3, bias=False)]
    random = np.random.default_rng(0)
    w, x = random.standard_normal(15 + 12), random.standard_normal((2, 4))
    close(Residual(main, shortcut).forward(w, x, Mode())[0],
          Chain(*main).forward(w[:15], x, Mode())[0] + Chain(*shortcut).forward(w[15:], x, Mode())[0])


def test_the_weights_of_the_main_way_stand_before_those_of_the_shortcut_in_every_answer():
    network = Network(Residual([Dense(4, 3), Tanh()], [Dense(4, 3, bias=False)]), inputs=4, loss=SquaredError())
    random = np.random.default_rng(0)
    X, Y, theta = random.standard_normal((7, 4)), random.standard_normal((7, 3)), network.initial(1)
    batch = MiniBatch(network, X, Y)
    assert [G.shape[0] * A.shape[0] for A, G in batch.kronecker_factors(theta)] == [15, 12]
    close(batch.per_example_gradients(theta).mean(axis=0), batch.gradient(theta))


def test_a_residual_whose_input_does_not_move_stays_in_single_precision():
    layer, random = Residual([Tanh(), Dense(4, 4)]), np.random.default_rng(0)
    w, v, x = (random.standard_normal(shape).astype(np.float32) for shape in (20, 20, (3, 4)))
    _, saved = layer.forward(w, x, Mode())
    Ry, _ = layer.jvp(w, saved, v, None)
    assert Ry.dtype == np.float32
    assert_allclose(Ry, np.tanh(x) @ v.reshape(4, 5)[:, :4].T + v.reshape(4, 5)[:, 4], rtol=1e-5)


@pytest.mark.parametrize("main, shortcut", [([Dense(4, 3)], []), ([Dense(4, 3)], [Dense(4, 1)])])
def test_two_ways_that_do_not_end_alike_are_refused(main, shortcut):
    with pytest.raises(ValueError, match=r"the two ways through Residual must end alike; they give \(3,\) and"):
        Network(Residual(main, shortcut), inputs=4)
    for shortcut in [], [Conv2D(2, 3, 1, padding=1)], [Conv2D(2, 3, 2), Conv2D(3, 3, 2, padding=1), MaxPool(1, 2)]:
        with pytest.raises(ValueError, match=r"must end alike; they give \(5, 4, 3\) and"):
            Residual([Conv2D(2, 3, 1)], shortcut).output_shape(IMAGE)
