"""What lecture 1 claims and no other test holds: symmetry, random saddles, recurrent nets, what a question costs."""
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lectures.quoting import HERE
from numopt.networks import mlp
from numopt.problems import MiniBatch


def batch(network, n=20, seed=0):
    rng = np.random.default_rng(seed)
    return MiniBatch(network, rng.standard_normal((n, 4)), rng.integers(3, size=n))


@pytest.mark.parametrize("unit", [0, 3, 4])
def test_along_the_scaling_of_a_relu_unit_the_gradient_has_no_part(unit):
    network = mlp([4, 5, 3], activation="relu")
    loss, theta = batch(network), network.initial(seed=1) + 0.1

    def scaled(c):
        moved = theta.copy()
        first, second = network.blocks(moved)
        first[unit] *= c
        second[:, unit] /= c
        return moved

    along = np.zeros_like(theta)
    first, second = network.blocks(along)
    first[unit], second[:, unit] = network.blocks(theta)[0][unit], -network.blocks(theta)[1][:, unit]
    assert np.abs(loss.gradient(theta)).max() > 0.01 and np.linalg.norm(along) > 0.1
    assert_allclose(loss.gradient(theta) @ along, 0, atol=1e-14)
    for c in (0.2, 5.0):
        assert_allclose(network.outputs(scaled(c), loss.X), network.outputs(theta, loss.X), atol=1e-13)
        assert np.linalg.norm(loss.gradient(scaled(c)) - loss.gradient(theta)) > 0.1  # the same net, not the same slope


def test_the_share_of_random_symmetric_matrices_that_are_positive_definite_falls_faster_than_coins():
    rng, draws = np.random.default_rng(0), 20_000
    exact = {1: 1 / 2, 2: (2 - np.sqrt(2)) / 4, 3: (np.pi - 2 * np.sqrt(2)) / (4 * np.pi)}
    for n, share in exact.items():
        A = rng.standard_normal((draws, n, n))
        found = np.mean(np.linalg.eigvalsh(A + A.transpose(0, 2, 1))[:, 0] > 0)
        assert abs(found - share) < 4 * np.sqrt(share / draws)
        assert share == 0.5 if n == 1 else share < 0.6 * 0.5**n


def jacobian(W, U, x, h):
    """∂h_T/∂h_0 of h_t = tanh(W h_{t−1} + U x_t), by the chain rule."""
    J = np.eye(len(W))
    for x_t in x:
        h = np.tanh(W @ h + U @ x_t)
        J = np.diag(1 - h**2) @ W @ J
    return J


@pytest.mark.parametrize("seed", range(5))
def test_the_derivative_of_a_recurrent_net_is_bounded_by_the_power_of_the_largest_singular_value(seed):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((8, 8))
    W *= 0.9 / np.linalg.norm(W, 2)
    U, x, h = rng.standard_normal((8, 3)), rng.standard_normal((60, 3)), rng.standard_normal(8)
    J = jacobian(W, U, x, h)
    assert np.linalg.norm(J, 2) <= 0.9**60
    step = 1e-6 * np.eye(8)[0]  # that this is the derivative: against differences, over a few steps
    few = [h + step, h - step]
    for x_t in x[:5]:
        few = [np.tanh(W @ each + U @ x_t) for each in few]
    assert_allclose((few[0] - few[1]) / 2e-6, jacobian(W, U, x[:5], h)[:, 0], atol=1e-9)


def test_at_rest_it_is_the_eigenvalue_that_decides_and_not_the_singular_value():
    x, U = np.zeros((60, 1)), np.zeros((2, 1))
    turns = np.array([[0.5, 3.0], [0.0, 0.5]])  # singular values 3.08 and 0.08, both eigenvalues 0.5
    grows = np.array([[1.1, 0.0], [0.0, 0.1]])
    assert np.linalg.norm(turns, 2) > 3 and np.linalg.norm(jacobian(turns, U, x, np.zeros(2)), 2) < 1e-15
    assert_allclose(np.linalg.norm(jacobian(grows, U, x, np.zeros(2)), 2), 1.1**60)
    saturated = jacobian(grows, np.ones((2, 1)), np.full((60, 1), 5.0), np.zeros(2))
    assert np.linalg.norm(saturated, 2) < 1e-15


def cards(lecture):
    """The rows of a lecture's card: {first cell: the others}."""
    text = next(HERE.glob(f"{lecture:02}-*.md")).read_text(encoding="utf-8")
    rows = re.findall(r"^\|(.*)\|$", text.split("\n## The card\n")[1].split("\n## ")[0], re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {row[0].strip("`"): dict(zip(cells[0][1:], row[1:])) for row in cells[2:]}


@pytest.mark.parametrize("asked", ["value", "gradient", "hessian", "gauss_newton", "fisher", "empirical_fisher"])
def test_what_is_asked_of_a_network_costs_the_passes_of_the_card(asked, monkeypatch):
    network = mlp([4, 5, 3])
    passes = {"forward": 0, "backward": 0, "jvp": 0, "r_backward": 0}
    for name in passes:
        def counting(*arguments, _name=name, _pass=getattr(network, name), **more):
            passes[_name] += 1
            return _pass(*arguments, **more)
        monkeypatch.setattr(network, name, counting)
    loss, theta = batch(network), network.initial(seed=0)
    theta.flags.writeable = False
    answer = getattr(loss, asked)(theta)
    if asked not in ("value", "gradient"):
        answer @ np.ones(network.size)
    assert passes == {name: int(cards(1)[asked][name]) for name in passes}
