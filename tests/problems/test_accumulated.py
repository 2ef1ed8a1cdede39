"""A mini-batch in pieces of memory, in tests."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.networks import mlp
from numopt.optimizers import adam, newton_cg, proximal_descent
from numopt.problems import Accumulated, EmpiricalRisk, Lasso, Quadratic
from numopt.record import path

RANDOM = np.random.default_rng(0)
NETWORK = mlp([4, 5, 3])
X, Y = RANDOM.standard_normal((48, 4)), RANDOM.integers(3, size=48)
START = NETWORK.initial(seed=2)


def risk(batch_size):
    return EmpiricalRisk(NETWORK, X, Y, batch_size=batch_size, seed=5)


@pytest.mark.parametrize("pieces", [1, 2, 4, 8])
def test_in_pieces_a_run_is_that_on_mini_batches_as_large_as_all_of_them(pieces):
    gathered = Accumulated(risk(24 // pieces), pieces) if pieces != 1 else Accumulated(risk(24), 1)
    assert_allclose(path(adam(gathered, START), 12), path(adam(risk(24), START), 12), atol=1e-12)
    assert gathered.steps_per_epoch == 2
    assert Accumulated(risk(10), pieces).steps_per_epoch == -(-5 // pieces)  # the last of which goes on into the next


def test_it_adds_up_nothing_in_the_arrays_that_the_pieces_hand_out():
    class Constant(Quadratic):
        def gradient(self, theta):
            return self.b

    loss = Accumulated(Constant(np.eye(2), [1.0, 2.0]), 3).loss(1)
    held = [piece.b for piece in loss.losses_of_pieces]
    held[0].flags.writeable = True
    for _ in range(2):
        assert_allclose(loss.gradient(np.zeros(2)), [1, 2])
        assert_allclose(held, np.tile([1.0, 2.0], (3, 1)))


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton", "fisher", "empirical_fisher"])
def test_its_value_and_its_curvature_are_those_of_all_its_examples(kind):
    one, other, v = Accumulated(risk(8), 3).loss(2), risk(24).loss(2), RANDOM.standard_normal(START.size)
    assert_allclose(one.value(START), other.value(START))
    assert_allclose(getattr(one, kind)(START) @ v, getattr(other, kind)(START) @ v, atol=1e-12)
    assert [W.shape for W in one.blocks(START)] == [W.shape for W in other.blocks(START)]


def test_it_keeps_single_precision_and_what_it_is_around():
    gathered = Accumulated(risk(8), 3)
    assert gathered.loss(1).gradient(START.astype(np.float32)).dtype == np.float32
    assert gathered.whole.value(START) == risk(8).whole.value(START)
    assert_allclose(path(newton_cg(Accumulated(Quadratic(np.eye(2)), 3), [1.0, 2.0]), 1)[-1], 0, atol=1e-8)


def test_a_price_with_a_kink_is_met_in_pieces_as_in_one():
    gathered, whole = Accumulated(Lasso(risk(8), 0.1), 3), Lasso(risk(24), 0.1)
    ends = [path(proximal_descent(problem, START, lr=0.5), 12)[-1] for problem in (gathered, whole)]
    assert_allclose(*ends, atol=1e-12)
    assert (ends[0] == 0).any()


@pytest.mark.parametrize("pieces", [0, -1, 1.5, True, "2"])
def test_a_number_of_pieces_is_a_whole_number_of_at_least_one(pieces):
    with pytest.raises(ValueError, match="whole number of at least 1"):
        Accumulated(risk(8), pieces)


MISTAKES = [
    ("numopt.problems.wrappers::Pieces.gradient", "* the sum of the pieces for their mean",
     "return g / len(self.losses_of_pieces)",
     "return g",
     "test_in_pieces_a_run_is_that_on_mini_batches_as_large_as_all_of_them"),
    ("numopt.problems.wrappers::Pieces.curvature", "so with curvatures",
     "/ len(matrices)",
     "/ 1",
     "test_its_value_and_its_curvature_are_those_of_all_its_examples"),
    ("numopt.problems.wrappers::Accumulated.loss", "pieces are used twice",
     "self.pieces * (t - 1) + i",
     "t - 1 + i",
     "test_in_pieces_a_run_is_that_on_mini_batches_as_large_as_all_of_them"),
]
