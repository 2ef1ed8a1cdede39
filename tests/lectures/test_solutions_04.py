"""The solutions of lecture 4, checked."""
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from numopt.optimizers import adam, momentum, rmsprop, rprop
from numopt.problems import Function, Quadratic, quadratic_with
from numopt.record import path
from tests.lectures.test_claims_adaptive import steps_in_a_valley


class Given(Function):
    """Gradients written down beforehand."""

    def __init__(self, *gradients):
        super().__init__(lambda theta: 0.0, size=1)
        self.gradients = gradients

    def loss(self, t):
        g = self.gradients[(t - 1) % len(self.gradients)]
        return Function(lambda theta: 0.0, lambda theta: np.array([g]), size=1)


def test_solution_4_1_lengths_of_steps():
    slope = Given(-3.0)
    first, late = (np.diff(path(method(slope, [0.0], lr=1.0), 300)[:, 0])[[0, -1]] for method in (rmsprop, adam))
    assert_allclose(first, [1 / np.sqrt(0.1), 1], rtol=1e-6) and assert_allclose(late, [1, 1], rtol=1e-3)
    t = np.arange(1, 5000)
    without = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    assert_allclose(without[0], np.sqrt(10), rtol=1e-3)
    assert 6.5 < without.max() < 6.6 and t[without.argmax()] in range(10, 15)


def test_solution_4_3_units():
    A, c = np.diag([1.0, 9.0]), np.array([1e3, 1e-2])
    start = np.array([1.0, -2.0])
    plain = path(adam(Quadratic(A), start, eps=0.0, lr=0.01), 100)
    assert_allclose(path(adam(Quadratic(1e5 * A), start, eps=0.0, lr=0.01), 100), plain, rtol=1e-10)
    other = Quadratic(A / np.outer(c, c))  # over u = c θ
    for i in range(2):  # the path of each coordinate, at a rate in its unit
        assert_allclose(path(adam(other, c * start, eps=0.0, lr=0.01 * c[i]), 100)[:, i] / c[i], plain[:, i], rtol=1e-9)
    turned = quadratic_with([1, 9], [[1, 1], [1, -1]])
    Q = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert np.abs(path(adam(turned, Q @ start, eps=0.0, lr=0.01), 100) @ Q - plain).max() > 0.1


def test_solution_4_4_the_sum():
    rng = np.random.default_rng(0)
    for g in (np.ones(50), rng.standard_normal(200), 10.0**rng.uniform(-3, 3, 100)):
        s = np.cumsum(g**2)
        roots = np.sqrt(np.r_[0, s])
        assert (g**2 / np.sqrt(s) <= 2 * np.diff(roots) + 1e-12).all()
        assert np.sum(g**2 / np.sqrt(s)) <= 2 * roots[-1]


def drift(beta2, C=10.0):
    """What three steps at the rate 1 move, in the long run, with v corrected and without momentum."""
    g = np.array([C, -1.0, -1.0])
    x = -path(adam(Given(*g), [0.0], lr=1.0, beta1=0.0, beta2=beta2, eps=0.0), 300)[:, 0]
    return x[300] - x[297]


def test_solution_4_5_reddi():
    assert_allclose(drift(1e-9), -1, atol=1e-6)  # C/C − 1/1 − 1/1

    def closed(b):
        v1 = ((1 - b) * (100 + b**2 + b)) / (1 - b**3)
        v2 = b * v1 + 1 - b
        v3 = b * v2 + 1 - b
        return 10 / np.sqrt(v1) - 1 / np.sqrt(v2) - 1 / np.sqrt(v3)

    for b in (0.01, 0.1, 0.5):
        assert_allclose(drift(b), closed(b), atol=1e-6)
    edge = brentq(closed, 1e-6, 0.9)
    assert drift(edge - 0.01) < 0 < drift(edge + 0.01)
    assert_allclose(edge, 0.0983, atol=1e-4)


@pytest.mark.parametrize("method", [adam, rprop])
def test_solution_4_6_how_the_number_of_steps_grows(method):
    if method is rprop:
        counts = []
        for turned in (False, True):
            valley = quadratic_with([1, 1000], [[1, 1], [1, -1]] if turned else np.eye(2))
            far = np.linalg.norm(path(rprop(valley, [1.0, 0.3]), 600), axis=1) > 0.01
            counts.append(601 - int(np.argmax(far[::-1])))
        assert counts[1] > 3 * counts[0]
    else:
        straight, turned = (steps_in_a_valley(adam, 100, turned=turned) for turned in (False, True))
        best = {"lr": 4 / (10 + 1)**2, "mu": ((10 - 1) / (10 + 1))**2}
        lengths = [np.linalg.norm(path(momentum(quadratic_with([1, 100], d), [1.0, 0.3], **best), 300), axis=1)
                   for d in (np.eye(2), [[1, 1], [1, -1]])]
        heavy = [301 - int(np.argmax(length[::-1] > 0.01)) for length in lengths]
        assert max(heavy) < 1.3 * min(heavy)  # it does not care how the valley lies
        assert straight <= min(heavy) and 2 * max(heavy) < turned


def test_solution_4_7_without_t():
    m, v, steps = 0.0, 0.0, []
    for _ in range(20_000):
        m, v = 0.9 * m + 0.1 * 3.0, 0.999 * v + 0.001 * 9.0
        steps.append(m / 0.1 / (np.sqrt(v / 0.001) + 1e-8))
    assert_allclose(steps[0], 1, rtol=1e-6)
    assert_allclose(steps[-1], 10 / np.sqrt(1000), rtol=1e-4)
    assert max(steps) > 2  # and on the way there they are twice too long
