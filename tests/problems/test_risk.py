"""The loss on mini-batches and on all the data."""
import copy
import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from numopt.networks import Conv2D, Dense, Dropout, Flatten, Network, SquaredError, Tanh, linear, mlp
from numopt.problems import EmpiricalRisk, MiniBatch, Whole

RANDOM = np.random.default_rng(2)
X = RANDOM.standard_normal((23, 4))
LABELS = RANDOM.integers(3, size=23)
NETWORK = mlp([4, 5, 3])
DROPPING = mlp([4, 50, 3], dropout=0.5)
THETA = NETWORK.initial(1)
V = RANDOM.standard_normal(NETWORK.size)
KINDS = ["hessian", "gauss_newton", "fisher", "empirical_fisher"]


def risk(batch_size=5, seed=0, network=NETWORK, X=X, Y=LABELS):
    return EmpiricalRisk(network, X, Y, batch_size, seed)


def numbered(n=23, **how):
    """A problem whose examples are 0, 1, 2, ..., so that a batch says which it has."""
    return EmpiricalRisk(linear(1), np.arange(float(n))[:, None], np.zeros(n), **how)


def examples(batch):
    return batch.X[:, 0].astype(int).tolist()


def read_only(theta):
    theta = theta.copy()
    theta.flags.writeable = False
    return theta


# ------------------------------------------------------------------------------------------------- which mini-batch

def test_every_epoch_has_every_example_once():
    problem = numbered(batch_size=5)
    for epoch in range(4):
        seen = sum((examples(problem.loss(t)) for t in range(5 * epoch + 1, 5 * epoch + 6)), [])
        assert sorted(seen) == list(range(23))


def test_masks_and_drawn_labels_are_others_in_every_epoch():
    def differ(some):
        """Beyond rounding, in five and more of eight: labels may be drawn as often as before, in another order."""
        return sum(not any(np.allclose(a, b, rtol=1e-9) for b in some[:i]) for i, a in enumerate(some)) >= 5

    theta = DROPPING.initial(1)
    alike = np.ones((24, 4)), np.zeros(24, int)  # so that their order makes no difference
    whole, halves = (EmpiricalRisk(DROPPING, *alike, size) for size in (24, 12))
    assert differ([whole.loss(t).gradient(theta) for t in range(1, 9)])
    assert differ([halves.loss(t).gradient(theta) for t in range(1, 9)])
    for batches in (EmpiricalRisk(NETWORK, *alike, size) for size in (24, 12)):
        losses = [batches.loss(t) for t in range(1, 9)]
        assert differ([loss.sampled_gradient(THETA) for loss in losses])
        assert differ([loss.sampled_fisher(THETA) @ V for loss in losses])
        assert differ([loss.kronecker_factors(THETA)[-1][1] for loss in losses])


def test_the_last_batch_of_an_epoch_is_smaller_where_the_sizes_do_not_divide():
    problem = numbered(batch_size=5)
    assert problem.steps_per_epoch == 5
    assert [problem.loss(t).n for t in range(1, 11)] == [5, 5, 5, 5, 3] * 2
    assert numbered(20, batch_size=5).steps_per_epoch == 4


def test_every_epoch_has_another_order():
    problem = numbered(batch_size=23)
    orders = [tuple(examples(problem.loss(t))) for t in range(1, 11)]
    assert len(set(orders)) == 10 and tuple(range(23)) not in orders


def test_examples_and_not_blocks_of_them_are_shuffled():
    problem = numbered(20, batch_size=5)
    together = [set(examples(problem.loss(t))) for t in range(1, 41)]
    assert not any({5 * i, 5 * i + 1, 5 * i + 2, 5 * i + 3, 5 * i + 4} in together for i in range(4))


def test_every_place_in_the_order_is_equally_likely():
    problem = numbered(4, batch_size=4)
    counts = np.zeros((4, 4))
    for t in range(1, 2001):
        counts[np.arange(4), examples(problem.loss(t))] += 1
    assert np.abs(counts - 500).max() < 4 * np.sqrt(2000 * 3 / 16)


def test_the_batch_of_a_step_does_not_depend_on_what_was_asked_before():
    forwards = [examples(problem.loss(t)) for problem in [numbered(batch_size=5)] for t in range(1, 31)]
    backwards = [examples(problem.loss(t)) for problem in [numbered(batch_size=5)] for t in range(30, 0, -1)]
    assert forwards == backwards[::-1]


def test_two_problems_with_one_seed_give_the_same_batches_and_with_two_others():
    same, other = numbered(batch_size=5, seed=3), numbered(batch_size=5, seed=4)
    assert examples(numbered(batch_size=5, seed=3).loss(7)) == examples(same.loss(7)) != examples(other.loss(7))


def test_losses_go_on_where_a_run_left_off():
    problem = risk()
    t, loss = next(problem.losses(after=12))
    assert t == 13 and loss.value(THETA) == problem.loss(13).value(THETA)


def test_labels_stay_with_their_examples():
    problem = EmpiricalRisk(linear(1), np.arange(23.0)[:, None], 10 * np.arange(23.0), batch_size=5)
    for t in range(1, 12):
        assert_array_equal(problem.loss(t).Y, 10 * problem.loss(t).X)


def test_without_a_batch_size_every_step_sees_all_the_examples():
    problem = numbered()
    assert problem.batch_size == 23 and problem.steps_per_epoch == 1
    assert sorted(examples(problem.loss(3))) == list(range(23))


def test_the_mean_of_an_epochs_gradients_is_the_gradient_of_the_whole():
    problem = risk(batch_size=5)
    gradients = [problem.loss(t).n / 23 * problem.loss(t).gradient(THETA) for t in range(1, 6)]
    assert_allclose(sum(gradients), problem.whole.gradient(THETA), atol=1e-15)


@pytest.mark.parametrize("batch_size", [0, -3, 24, 2.0, "all", "12", True])
def test_a_batch_size_that_cannot_be_says_what_could(batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size!r}; with 23 examples it must be a whole number "
                                         "from 1 to 23, or None for all of them"):
        risk(batch_size)


@pytest.mark.parametrize("theta, given", [(list(THETA), "of type list"), (np.ones(43, int), "one of int64"),
                                          (np.ma.masked_less(THETA, 0), "of type MaskedArray")])
def test_a_loss_that_is_asked_at_no_vector_of_real_numbers_says_what_was_given(theta, given):
    loss = risk().loss(1)
    for ask in loss.value, loss.gradient, loss.value_and_gradient, loss.jacobian, risk().whole.value:
        with pytest.raises(ValueError, match=f"theta must be an array of float32 or float64.* it is {given}"):
            ask(theta)


@pytest.mark.parametrize("seed", [None, -1, "now", 0.5, True])
def test_a_seed_is_a_whole_number_of_at_least_0(seed):
    with pytest.raises(ValueError, match=f"seed is {seed!r}; it must be a whole number of at least 0"):
        risk(seed=seed)


@pytest.mark.parametrize("question", ["value", "gradient", "hessian", "fisher", "accuracy", "gauss_newton"])
def test_what_is_asked_of_an_objective_is_not_asked_of_the_risk(question):
    with pytest.raises(AttributeError, match=rf"has no {question}: that is asked of risk.whole, .*risk.loss\(t\)"):
        getattr(risk(), question)
    assert not hasattr(risk(), "nonsense") and hasattr(risk().whole, question)


def test_a_risk_and_its_losses_say_what_they_are():
    assert repr(risk()) == "<EmpiricalRisk on 23 examples, 5 a mini-batch, seed 0, for a network of 43 weights>"
    assert repr(risk().whole) == "<the loss on all 23 examples, for a network of 43 weights>"
    assert repr(risk().loss(5)) == "<MiniBatch of 3 examples, for a network of 43 weights>"


def test_a_batch_size_may_be_a_numpy_number():
    assert risk(np.int32(5)).loss(1).n == 5


@pytest.mark.parametrize("t", [0, -1, 1.5, True])
def test_steps_are_counted_from_one(t):
    with pytest.raises(ValueError, match=f"steps are counted from 1; there is no mini-batch of step {t}"):
        risk().loss(t)


@pytest.mark.parametrize("X, Y, message", [
    (X[:0], LABELS[:0], "X holds no examples"),
    (X[:, :3], LABELS, r"X has shape \(23, 3\)"),
    (np.where(np.arange(92).reshape(23, 4) == 30, np.nan, X), LABELS, r"X\[7, 2\] is nan"),
    (np.where(np.arange(92).reshape(23, 4) == 30, np.inf, X), LABELS, r"X\[7, 2\] is inf"),
    (X, LABELS[:22], r"the labels have shape \(22,\)"),
    (X, LABELS + 1, "is not among the network's 3 classes"),
    (X, np.eye(3)[LABELS], "turn one-hot rows into labels"),
])
def test_data_that_does_not_fit_is_refused_at_once(X, Y, message):
    for make in (EmpiricalRisk, MiniBatch, Whole):
        with pytest.raises(ValueError, match=message):
            make(NETWORK, X, Y)


# ---------------------------------------------------------------------------------------------------- what is the whole

def test_the_whole_is_the_mean_over_all_examples():
    whole = risk().whole
    alone = [MiniBatch(NETWORK, X[i:i + 1], LABELS[i:i + 1]) for i in range(23)]
    assert_allclose(whole.value(THETA), np.mean([one.value(THETA) for one in alone]), rtol=1e-14)
    assert_allclose(whole.gradient(THETA), np.mean([one.gradient(THETA) for one in alone], axis=0), atol=1e-15)
    assert isinstance(whole.value(THETA), float) and whole.size == NETWORK.size


@pytest.mark.parametrize("batch_size", [1, 5, 22, 23, 100])
def test_adding_up_in_chunks_changes_nothing(batch_size):
    chunks, at_once = Whole(NETWORK, X, LABELS, batch_size), MiniBatch(NETWORK, X, LABELS)
    for theta in (THETA, read_only(THETA)):
        assert_allclose(chunks.value(theta), at_once.value(theta), rtol=1e-14)
        assert_allclose(chunks.gradient(theta), at_once.gradient(theta), atol=1e-15)
        f, g = chunks.value_and_gradient(theta)
        assert_allclose(f, at_once.value(theta), rtol=1e-14)
        assert_allclose(g, at_once.gradient(theta), atol=1e-15)
        assert_allclose(chunks.accuracy(theta), at_once.accuracy(theta))
        for kind in KINDS:
            matrix = getattr(chunks, kind)(theta)
            assert_allclose(matrix @ V, getattr(at_once, kind)(theta) @ V, atol=1e-14)
            assert_allclose(matrix @ V, matrix @ V)


def test_the_chunks_of_a_sampled_fisher_matrix_draw_independently():
    # All examples alike: were the draws too, more chunks would not bring the mean nearer.
    alike, labels = np.tile(X[:1], (150, 1)), np.zeros(150, int)
    exact = MiniBatch(NETWORK, X[:1], LABELS[:1]).fisher(THETA) @ V
    for whole in (Whole(NETWORK, alike, labels, batch_size=1), Whole(NETWORK, alike, labels)):
        for F in (whole.sampled_fisher(THETA), whole.fisher(THETA, samples=1, seed=5), whole.fisher(THETA, 1, [5, 6])):
            assert np.linalg.norm(F @ V - exact) < 0.3 * np.linalg.norm(exact)
            assert_array_equal(F @ V, F @ V)


def test_the_whole_in_one_chunk_draws_as_a_batch_does():
    expected = MiniBatch(NETWORK, X, LABELS).fisher(THETA, samples=2, seed=5) @ V
    assert_array_equal(Whole(NETWORK, X, LABELS).fisher(THETA, samples=2, seed=5) @ V, expected)


def test_the_matrix_of_a_whole_stays_that_of_its_theta_when_theta_is_written_into():
    for batch_size in (5, 23):
        for kind in KINDS:
            theta = THETA.copy()
            matrix = getattr(Whole(NETWORK, X, LABELS, batch_size), kind)(theta)
            before = matrix @ V
            theta += 1
            assert_array_equal(matrix @ V, before)


def test_the_whole_of_a_problem_is_made_once():
    problem = risk()
    assert problem.whole is problem.whole


def test_the_whole_needs_the_memory_of_256_examples_or_of_a_larger_batch():
    for batch_size, chunks in [(10, [256, 256, 88]), (300, [300, 300]), (None, [600])]:
        assert [batch.n for batch in numbered(600, batch_size=batch_size).whole.batches] == chunks


def test_the_whole_of_several_chunks_does_not_hold_on_to_their_passes():
    whole, theta = Whole(NETWORK, X, LABELS, batch_size=5), read_only(THETA)
    alive = weakref.ref(theta)
    whole.value_and_gradient(theta)
    whole.hessian(theta) @ V
    whole.accuracy(theta)
    del theta
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_the_chunks_must_have_a_size(batch_size):
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        Whole(NETWORK, X, LABELS, batch_size)


def test_blocks_are_those_of_the_network():
    problem = risk()
    for objective in (problem, problem.loss(1), problem.whole):
        for found, expected in zip(objective.blocks(THETA), NETWORK.blocks(THETA), strict=True):
            assert_array_equal(found, expected)


# -------------------------------------------------------------------------------------------- keeping the forward pass

class Watched(Network):
    """A network that counts its forward passes."""

    passes = 0

    def forward(self, w, x, mode):
        self.passes += 1
        return super().forward(w, x, mode)


def watched():
    network = Watched(Dense(4, 5), Tanh(), Dense(5, 3), inputs=4)
    return network, MiniBatch(network, X, LABELS)


def test_at_a_theta_that_nobody_can_write_into_everything_shares_one_forward_pass():
    network, batch = watched()
    theta = read_only(THETA)
    batch.value(theta), batch.gradient(theta), batch.hessian(theta) @ V, batch.gauss_newton(theta) @ V
    batch.fisher(theta) @ V, batch.per_example_gradients(theta), batch.kronecker_factors(theta), batch.accuracy(theta)
    assert network.passes == 1
    batch.value(read_only(THETA))
    assert network.passes == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_products_of_one_matrix_share_one_forward_pass_at_any_theta(kind):
    network, batch = watched()
    matrix = getattr(batch, kind)(THETA)
    matrix @ V, matrix @ V
    assert network.passes == 1


def test_value_and_gradient_share_one_forward_pass_at_any_theta():
    for objective, passes in [(watched()[1], 1), (Whole(watched()[0], X, LABELS, batch_size=5), 5)]:
        network = objective.network if passes == 1 else objective.batches[0].network
        f, g = objective.value_and_gradient(THETA)
        assert network.passes == passes
        assert f == objective.value(THETA)
        assert_array_equal(g, objective.gradient(THETA))


def test_the_whole_keeps_its_forward_pass_if_it_is_one_batch_and_none_of_several():
    for batch_size, passes in (len(X), 1), (len(X) - 1, 4):
        network, theta = watched()[0], read_only(THETA)
        whole = Whole(network, X, LABELS, batch_size)
        whole.value(theta), whole.gradient(theta)
        assert network.passes == passes and (whole.batches[0]._kept is None) == (passes == 4)


def ask_everything(batch, theta):
    return [batch.value(theta), batch.gradient(theta), *batch.value_and_gradient(theta),
            *(getattr(batch, kind)(theta) @ V for kind in KINDS), batch.per_example_gradients(theta)]


def test_after_theta_was_written_into_the_answers_are_new():
    batch, theta = MiniBatch(NETWORK, X, LABELS), THETA.copy()
    ask_everything(batch, theta)
    theta *= 2
    for found, expected in zip(ask_everything(batch, theta), ask_everything(MiniBatch(NETWORK, X, LABELS), 2 * THETA)):
        assert_array_equal(found, expected)


def test_after_the_array_behind_a_read_only_view_was_written_into_the_answers_are_new():
    batch, behind = MiniBatch(NETWORK, X, LABELS), THETA.copy()
    view = behind[:]
    view.flags.writeable = False
    ask_everything(batch, view)
    behind *= 2
    for found, expected in zip(ask_everything(batch, view), ask_everything(MiniBatch(NETWORK, X, LABELS), 2 * THETA)):
        assert_array_equal(found, expected)


def test_a_gradient_that_was_handed_out_does_not_change():
    batch, theta = MiniBatch(NETWORK, X, LABELS), read_only(THETA)
    g = batch.gradient(theta)
    before = g.copy()
    batch.gradient(theta), batch.gradient(2 * THETA), batch.hessian(theta) @ V
    assert_array_equal(g, before)
    g += 1
    assert_array_equal(batch.gradient(theta), before)


def test_nothing_that_is_asked_changes_theta_the_data_or_a_direction():
    theta, x, y, v = THETA.copy(), X.copy(), LABELS.copy(), V.copy()
    ask_everything(MiniBatch(NETWORK, x, y), theta)
    ask_everything(MiniBatch(NETWORK, x, y), theta.astype(np.float32))
    for array, before in [(theta, THETA), (x, X), (y, LABELS), (v, V)]:
        assert_array_equal(array, before)


def test_a_theta_of_another_size_is_refused():
    with pytest.raises(ValueError, match="this network has 43 weights; theta has shape"):
        MiniBatch(NETWORK, X, LABELS).gradient(np.zeros(40))


def test_single_precision_comes_back_in_single_precision():
    targets = RANDOM.standard_normal((23, 3))
    for batch in (MiniBatch(NETWORK, X, LABELS), MiniBatch(mlp([4, 5, 3], loss=SquaredError()), X, targets)):
        answers = ask_everything(batch, THETA.astype(np.float32))
        assert {np.asarray(answer).dtype for answer in answers[1:2] + answers[3:]} == {np.dtype(np.float32)}
        assert isinstance(answers[0], float) and isinstance(answers[2], float)
    whole = Whole(NETWORK, X, LABELS, batch_size=5)
    theta = THETA.astype(np.float32)
    assert whole.gradient(theta).dtype == (whole.hessian(theta) @ V).dtype == np.float32


@pytest.mark.parametrize("samples", [0, -2])
def test_a_sampled_fisher_matrix_needs_a_sample(samples):
    with pytest.raises(ValueError, match=f"samples is {samples}; it must be at least 1, or None"):
        MiniBatch(NETWORK, X, LABELS).fisher(THETA, samples=samples)


# -------------------------------------------------------------------------------------------------------- accuracy

def test_accuracy_is_the_share_of_right_answers():
    batch = MiniBatch(Network(Dense(2, 2, bias=False), inputs=2), [[1, 0], [2, 1], [0, 1], [1, 3.0]], [0, 1, 1, 1])
    assert batch.accuracy(np.array([1.0, 0, 0, 1])) == 0.75


def test_the_accuracy_of_one_hot_targets_is_that_of_their_labels():
    squared = MiniBatch(mlp([4, 5, 3], loss=SquaredError()), X, np.eye(3)[LABELS])
    assert squared.accuracy(THETA) == MiniBatch(NETWORK, X, LABELS).accuracy(THETA)


def test_a_single_output_has_no_accuracy():
    with pytest.raises(ValueError, match="accuracy is about the largest of several outputs; this network has one"):
        MiniBatch(linear(4), X, LABELS).accuracy(np.zeros(5))


# --------------------------------------------------------------------------------------------------------- dropout

def dropped(batch, theta):
    """Which hidden units were dropped, for each example."""
    return batch.forward(theta)[1][2] == 0


def test_value_gradient_and_products_of_one_loss_see_the_same_mask():
    loss = risk(network=DROPPING).loss(3)
    theta = DROPPING.initial(0)
    v = np.random.default_rng(0).standard_normal(theta.size)
    h = 1e-30
    assert_allclose(loss.gradient(theta) @ v, loss.value(theta + 1j * h * v).imag / h, rtol=1e-12)
    assert_allclose(loss.hessian(theta) @ v, loss.gradient(theta + 1j * h * v).imag / h, rtol=1e-10, atol=1e-14)
    assert loss.value(theta) == loss.value(theta.copy()) == risk(network=DROPPING).loss(3).value(theta)


def test_every_step_and_every_seed_has_a_mask_of_its_own():
    theta = DROPPING.initial(0)
    first, next_, other = (dropped(problem.loss(t), theta) for problem, t in [
        (risk(network=DROPPING), 1), (risk(network=DROPPING), 2), (risk(network=DROPPING, seed=1), 1)])
    for mask in (next_, other):
        assert 0.4 < (mask != first).mean() < 0.6


def test_the_masks_come_from_another_stream_than_the_weights_and_the_order():
    # The numbers of default_rng(0) start the weights of seed 0; the masks of seed 0 must not be made of the same.
    theta = DROPPING.initial(0)
    for t in range(1, 4):
        mask = dropped(risk(network=DROPPING).loss(t), theta)
        for stream in ([0], [0, t], [0, t - 1], [t]):
            assert (mask != (np.random.default_rng(stream).random(mask.shape, np.float32) < 0.5)).mean() > 0.3
    assert examples(numbered(batch_size=23).loss(1)) != np.random.default_rng(0).permutation(23).tolist()


def test_the_whole_drops_nothing():
    theta = DROPPING.initial(0)
    plain = mlp([4, 50, 3])
    assert risk(network=DROPPING).whole.value(theta) == risk(network=plain).whole.value(theta)
    assert_array_equal(DROPPING.outputs(theta, X), plain.outputs(theta, X))
    assert risk(network=DROPPING).loss(1).value(theta) != risk(network=plain).loss(1).value(theta)


def test_over_many_masks_a_linear_output_has_the_mean_that_evaluation_gives():
    network = Network(Dense(4, 6), Dropout(0.3), Dense(6, 3), inputs=4)
    theta = network.initial(0)
    z = np.mean([MiniBatch(network, X, LABELS, seed=(0, t)).forward(theta)[0] for t in range(4000)], axis=0)
    assert_allclose(z, network.outputs(theta, X), atol=0.15)


# ------------------------------------------------------------------------------------------------------ other shapes

def test_images_are_chosen_like_vectors():
    network = Network(Conv2D(1, 2, 2), Tanh(), Flatten(), Dense(8, 3), inputs=(3, 3, 1))
    images = RANDOM.standard_normal((23, 3, 3, 1))
    problem = risk(network=network, X=images)
    theta = network.initial(0)
    gradients = [problem.loss(t).n / 23 * problem.loss(t).gradient(theta) for t in range(1, 6)]
    assert_allclose(sum(gradients), problem.whole.gradient(theta), atol=1e-15)


def test_bytes_are_examples_too():
    pixels = RANDOM.integers(256, size=(23, 4)).astype(np.uint8)
    assert risk(X=pixels).whole.value(THETA) == risk(X=pixels.astype(float)).whole.value(THETA)


def test_a_problem_can_be_copied():
    problem = risk()
    assert copy.deepcopy(problem).loss(7).value(THETA) == problem.loss(7).value(THETA)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("EmpiricalRisk.loss", "* batches are shuffled, and not the examples",
     "self.order(epoch)[i * self.batch_size:(i + 1) * self.batch_size]",
     "np.roll(np.arange(self.n), -self.batch_size * self.order(epoch)[i])[:self.batch_size]",
     "test_examples_and_not_blocks_of_them_are_shuffled"),
    ("EmpiricalRisk.order", "every epoch has the same order",
     "[self.seed, epoch, ORDER]",
     "[self.seed, ORDER]",
     "test_every_epoch_has_another_order"),
    ("Whole.value", "the mean of the batches' means, though the last batch is smaller",
     "share * batch.value(theta)",
     "batch.value(theta) / len(self.batches)",
     "test_adding_up_in_chunks_changes_nothing"),
]
