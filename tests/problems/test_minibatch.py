"""The curvature matrices of networks, against dense ones that are built another way.

Derivatives are checked with the complex step: f(θ + ih v) = f(θ) + ih f'(θ)v + O(h²), so that the imaginary part
gives a derivative without subtracting, to the last digit.
"""
from functools import partial
from itertools import accumulate

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag
from scipy.special import softmax

from numopt.networks import (
    AveragePool, BatchNorm, Conv2D, Dense, Dropout, Flatten, Loss, MaxPool, Network, ReLU, Residual, Sigmoid,
    SoftmaxCrossEntropy, SquaredError, Tanh, cnn, lenet, lenet1, mlp, resnet18)
from numopt.problems import DenseFisher, MiniBatch, Whole

CROSS_ENTROPY, SQUARED = SoftmaxCrossEntropy(), SquaredError()


def convolutional(loss=None):
    return Network(Conv2D(2, 3, 3, padding=1), Tanh(), AveragePool(2), Conv2D(3, 4, 2, stride=2), Sigmoid(), Flatten(),
                   Dense(4, 3), inputs=(5, 4, 2), loss=loss)


def residual(loss=None):
    return Network(Residual([Dense(4, 4), Tanh()]),
                   Residual([Dense(4, 3), Tanh(), Dense(3, 2)], [Dense(4, 2, bias=False)]), Tanh(), Dense(2, 3),
                   inputs=4, loss=loss)


def normalized(loss=None):
    return Network(Conv2D(2, 3, 3, padding=1, bias=False), BatchNorm(3), Tanh(),
                   Residual([Conv2D(3, 3, 1), BatchNorm(3)]), AveragePool(2), Flatten(), Dense(6, 3),
                   inputs=(2, 5, 2), loss=loss)


def kinked(loss=None):
    return Network(Conv2D(1, 3, 3), ReLU(), MaxPool(3, 1), Flatten(), Dense(3 * 2 * 1, 4), ReLU(), Dense(4, 3),
                   inputs=(6, 5, 1), loss=loss)


SMALL = {
    "mlp with tanh": partial(mlp, [5, 4, 4, 3]),
    "mlp with sigmoid": partial(mlp, [5, 4, 3], activation="sigmoid"),
    "convolutional": convolutional, "residual": residual, "kinked": kinked,
}
TIED = {"normalized": normalized}
DROPPING = {"mlp with dropout": partial(mlp, [5, 6, 6, 3], dropout=0.4)}
LARGE = {
    "lenet": lambda: lenet((16, 16, 1), dropout=0.5), "cnn": lambda: cnn((8, 8, 2), channels=4),
    "lenet1": lambda: lenet1((8, 8, 1)), "resnet18": lambda: resnet18((8, 8, 1), width=2),
}
LOSSES = {"cross-entropy": CROSS_ENTROPY, "squared error": SQUARED}


def batch(network, n=6, seed=0):
    """Some examples drawn for a network, and a θ at which no bias is zero."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, *network.inputs))
    if isinstance(network.loss, SquaredError):
        Y = random.standard_normal((n, network.output_size))
    else:
        Y = random.integers(network.output_size, size=n)
    theta = network.initial(seed) + 0.1 * random.standard_normal(network.size)
    return MiniBatch(network, X, Y, seed=(seed, 1)), theta


def pairs(*groups):
    """Every network with every loss, as parameters of a test."""
    return pytest.mark.parametrize("network", [
        pytest.param((make, loss), id=f"{name}, {loss_name}")
        for group in groups for name, make in group.items() for loss_name, loss in LOSSES.items()])


def made(network):
    make, loss = network
    return batch(make(loss=loss))


def complex_step(f, theta, v, h=1e-30):
    """The derivative of f at θ along v."""
    return np.imag(f(theta + 1j * h * v)) / h


def dense(matrix):
    return matrix @ np.eye(matrix.shape[0])


def jacobian(loss, theta):
    """∂z/∂θ, of shape (n, outputs, size), from the forward pass alone."""
    columns = [complex_step(lambda theta: loss.forward(theta)[0], theta, e) for e in np.eye(theta.size)]
    return np.stack(columns, axis=-1)


def output_hessians(loss, z):
    """The Hessian of each example's loss by its outputs."""
    if isinstance(loss.network.loss, SquaredError):
        return np.broadcast_to(np.eye(z.shape[1]), (len(z), z.shape[1], z.shape[1]))
    p = softmax(z, axis=1)
    return np.array([np.diag(row) - np.outer(row, row) for row in p])


def alone(loss, i, y=None):
    """The i-th example of a mini-batch as a mini-batch, with another label if one is given."""
    return MiniBatch(loss.network, loss.X[i:i + 1], loss.Y[i:i + 1] if y is None else np.array([y]))


def block_slices(network):
    ends = list(accumulate((rows * columns for rows, columns in network.shapes), initial=0))
    return [slice(*ends) for ends in zip(ends[:-1], ends[1:])]


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


# ------------------------------------------------------------------------------------------- gradients and Hessians

@pairs(SMALL, TIED, DROPPING)
def test_the_gradient_is_the_derivative_of_the_value(network):
    loss, theta = made(network)
    expected = [complex_step(loss.value, theta, e) for e in np.eye(theta.size)]
    assert_allclose(loss.gradient(theta), expected, rtol=1e-12, atol=1e-14)


@pairs(SMALL, TIED, DROPPING)
def test_the_hessian_is_the_derivative_of_the_gradient(network):
    loss, theta = made(network)
    expected = [complex_step(loss.gradient, theta, e) for e in np.eye(theta.size)]
    assert relative(dense(loss.hessian(theta)), np.array(expected)) < 1e-12


@pairs(SMALL, TIED, DROPPING)
def test_the_hessian_is_symmetric(network):
    loss, theta = made(network)
    H = dense(loss.hessian(theta))
    assert_allclose(H, H.T, atol=1e-14 * np.abs(H).max(), rtol=1e-11)


@pytest.mark.parametrize("name", LARGE)
def test_the_derivatives_of_the_larger_networks_are_right_along_random_directions(name):
    loss, theta = batch(LARGE[name](), n=4)
    random = np.random.default_rng(7)
    for v in random.standard_normal((3, theta.size)):
        assert_allclose(loss.gradient(theta) @ v, complex_step(loss.value, theta, v), rtol=1e-10)
        assert relative(loss.hessian(theta) @ v, complex_step(loss.gradient, theta, v)) < 1e-11


@pytest.mark.parametrize("name", LARGE)
def test_gauss_newton_of_the_larger_networks_is_made_of_their_outputs_changes(name):
    loss, theta = batch(LARGE[name](), n=4)
    z = loss.forward(theta)[0]
    v, u = np.random.default_rng(7).standard_normal((2, theta.size))
    Jv, Ju = (complex_step(lambda theta: loss.forward(theta)[0], theta, along) for along in (v, u))
    expected = np.einsum("no,nop,np", Ju, output_hessians(loss, z), Jv) / loss.n
    assert_allclose(u @ (loss.gauss_newton(theta) @ v), expected, rtol=1e-9)


def test_the_gradient_agrees_with_differences_of_the_value():
    loss, theta = made((SMALL["mlp with tanh"], CROSS_ENTROPY))
    differences = [(loss.value(theta + 1e-5 * e) - loss.value(theta - 1e-5 * e)) / 2e-5 for e in np.eye(theta.size)]
    assert_allclose(loss.gradient(theta), differences, atol=1e-9)


# ------------------------------------------------------------------------------------- Gauss-Newton and both Fishers

@pairs(SMALL, TIED, DROPPING)
def test_gauss_newton_is_the_sum_of_JᵀHJ(network):
    loss, theta = made(network)
    J, H = jacobian(loss, theta), output_hessians(loss, loss.forward(theta)[0])
    assert relative(dense(loss.gauss_newton(theta)), np.einsum("noi,nop,npj->ij", J, H, J) / loss.n) < 1e-12


@pairs(SMALL, DROPPING)
def test_the_jacobian_is_the_derivative_of_the_outputs(network):
    loss, theta = made(network)
    assert_allclose(loss.jacobian(theta), jacobian(loss, theta), rtol=1e-11, atol=1e-14)


@pairs(SMALL, DROPPING)
def test_the_exact_fisher_matrix_is_gauss_newton(network):
    loss, theta = made(network)
    assert_array_equal(dense(loss.fisher(theta)), dense(loss.gauss_newton(theta)))


@pytest.mark.parametrize("name", SMALL)
def test_the_fisher_matrix_is_the_mean_of_g_gᵀ_over_every_label_that_the_model_could_draw(name):
    loss, theta = made((SMALL[name], CROSS_ENTROPY))
    expected = 0
    for i, p in enumerate(softmax(loss.forward(theta)[0], axis=1)):
        for y, probability in enumerate(p):
            g = alone(loss, i, y).gradient(theta)
            expected = expected + probability * np.outer(g, g) / loss.n
    assert relative(dense(loss.fisher(theta)), expected) < 1e-12


@pairs(SMALL)
def test_a_hessian_is_gauss_newton_and_what_the_residuals_weigh_of_the_models_own_curvature(network):
    loss, theta = made(network)
    residuals = loss.network.loss.gradient(loss.forward(theta)[0], loss.Y)
    bend = [complex_step(lambda theta: np.einsum("no,noi->i", residuals, loss.jacobian(theta)), theta, e) / loss.n
            for e in np.eye(theta.size)]
    assert relative(dense(loss.gauss_newton(theta)) + np.array(bend), dense(loss.hessian(theta))) < 1e-12


@pairs(SMALL, DROPPING)
def test_the_sampled_fisher_matrix_is_a_function_of_its_seed(network):
    loss, theta = made(network)
    once, again, other = (dense(loss.fisher(theta, samples=2, seed=seed)) for seed in (3, 3, 4))
    assert_array_equal(once, again)
    assert relative(other, once) > 1e-3


def test_without_a_seed_the_sampled_fisher_matrix_is_a_function_of_the_batchs_own():
    loss, theta = made((SMALL["mlp with tanh"], CROSS_ENTROPY))
    later = MiniBatch(loss.network, loss.X, loss.Y, seed=(0, 2))
    assert_array_equal(dense(loss.sampled_fisher(theta)), dense(loss.sampled_fisher(theta)))
    assert relative(dense(later.sampled_fisher(theta)), dense(loss.sampled_fisher(theta))) > 1e-2


def test_statistics_may_come_one_after_the_other_and_are_there_for_every_pass():
    network = Network(Dense(5, 4), BatchNorm(4), Dense(4, 3), inputs=5)
    random, theta = np.random.default_rng(0), network.initial(0)
    X, Y = random.standard_normal((6, 5)), random.integers(3, size=6)
    known = MiniBatch(network, X, Y).statistics_of(theta)
    once = MiniBatch(network, X, Y, training=False, statistics=iter(known))
    value = MiniBatch(network, X, Y, training=False, statistics=known).value(theta)
    assert once.value(theta) == value == once.value(theta)


def test_a_view_that_cannot_be_written_into_may_change_all_the_same():
    loss, theta = batch(mlp([5, 4, 3]))
    there = theta.copy()
    view = there[:]
    view.flags.writeable = False
    before = loss.value(view)
    there += 0.1
    assert loss.value(view) == loss.value(theta + 0.1) != before


def test_masks_and_labels_are_others_for_another_seed_and_for_another_step():
    network = mlp([5, 30, 3], dropout=0.5)
    random, theta = np.random.default_rng(0), network.initial(0)
    X, Y = random.standard_normal((6, 5)), random.integers(3, size=6)
    plain = mlp([5, 30, 3])
    masks, labels, factors = set(), set(), set()
    for seed in (0, 1), (1, 1), (0, 2), (1, 2), (2, 1):
        masks.add(MiniBatch(network, X, Y, seed=seed).value(theta))
        labels.add(MiniBatch(plain, X, Y, seed=seed).sampled_gradient(theta).sum().item())
        factors.add(np.trace(MiniBatch(plain, X, Y, seed=seed).kronecker_factors(theta)[0][1]).item())
    assert len(masks) == len(labels) == len(factors) == 5


@pytest.mark.parametrize("name", LOSSES)
def test_the_error_of_the_sampled_fisher_matrix_halves_with_four_times_the_samples(name):
    loss, theta = batch(mlp([3, 2, 3], loss=LOSSES[name]))
    F = dense(loss.fisher(theta))

    def squared_error(samples):
        return np.mean([np.sum((dense(loss.fisher(theta, samples, seed)) - F)**2) for seed in range(60)])

    assert 1.6 < np.sqrt(squared_error(6) / squared_error(24)) < 2.5


def test_the_mean_of_many_sampled_fisher_matrices_is_the_exact_one():
    loss, theta = batch(mlp([3, 2, 3]))
    assert relative(dense(loss.fisher(theta, samples=2000, seed=0)), dense(loss.fisher(theta))) < 0.05


@pytest.mark.parametrize("network", [mlp([3, 2, 3]), mlp([3, 2, 3], loss=SQUARED), normalized()])
def test_the_gradient_of_drawn_labels_has_the_mean_zero_and_the_fisher_matrix_over_n_as_its_variance(network):
    # With batch normalisation there are no gradients of single examples, but the variance is still Gauss-Newton's.
    loss, theta = batch(network)
    g = np.array([loss.sampled_gradient(theta, seed) for seed in range(2000)])
    F = dense(loss.gauss_newton(theta))
    assert np.abs(g.mean(axis=0)).max() < 4 * np.sqrt(np.diag(F).max() / loss.n / 2000)
    assert relative(loss.n * g.T @ g / 2000, F) < 0.1


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_drawn_with_a_seed_is_a_function_of_that_seed_alone_also_where_it_is_0(name):
    loss, theta = batch(mlp([3, 4, 3], loss=LOSSES[name]), n=40)
    others = [MiniBatch(loss.network, loss.X, loss.Y, seed=own) for own in ((0, 0), (0, 7), (3, 1))]
    v = np.random.default_rng(0).standard_normal(theta.size)
    ways = [lambda loss, seed: loss.fisher(theta, samples=1, seed=seed) @ v,
            lambda loss, seed: Whole(loss.network, loss.X, loss.Y).fisher(theta, samples=1, seed=seed) @ v,
            lambda loss, seed: loss.sampled_gradient(theta, seed), lambda loss, seed: loss.fisher_rows(theta, seed),
            lambda loss, seed: loss.fisher_moments(theta, *eyes(loss.network), seed),
            lambda loss, seed: loss.kronecker_factors(theta, seed)[0][1]]
    for way in ways:
        drawn = [way(loss, seed) for seed in (0, 1, [0, 1], [2, 1], [1, 2])]
        for i, one in enumerate(drawn):
            assert all(relative(one, other) > 1e-3 for other in drawn[:i])
        for other in others:
            assert_array_equal(way(other, 0), drawn[0])
            assert_array_equal(way(other, [1, 2]), drawn[4])


def test_the_labels_of_one_example_are_the_same_for_its_fisher_matrix_and_its_gradient_and_others_for_its_factors():
    loss, theta = batch(mlp([3, 4, 3], loss=SQUARED), n=1)
    v = np.random.default_rng(0).standard_normal(theta.size)
    for how in {}, {"seed": 0}, {"seed": [4, 2]}:
        g, F = loss.sampled_gradient(theta, **how), loss.fisher(theta, samples=1, **how)
        assert_allclose(F @ v, g * (g @ v), rtol=1e-10)
    g = loss.sampled_gradient(theta)
    assert_allclose(loss.sampled_fisher(theta) @ v, g * (g @ v), rtol=1e-10)
    assert relative(loss.fisher_rows(theta)[0], g) > 0.1
    factors = loss.kronecker_factors(theta)
    for (A, G), here in zip(factors, block_slices(loss.network)):
        row = loss.fisher_rows(theta)[0][here]
        assert_allclose(np.kron(G, A), np.outer(row, row), rtol=1e-10, atol=1e-14)


def eyes(network):
    """For every weight matrix the axes as they are: on its left, and on its right."""
    return zip(*((np.eye(o), np.eye(i)) for layer in network.layers for o, i in layer.shapes))


@pairs(SMALL)
@pytest.mark.parametrize("labels", ["sampled", "exact", "data"])
def test_the_moments_along_products_of_axes_are_those_of_the_rows(network, labels):
    loss, theta = made(network)
    random = np.random.default_rng(2)
    L, R = zip(*((random.standard_normal((len(W), len(W))), random.standard_normal((W.shape[1], W.shape[1])))
                 for W in loss.blocks(theta)))  # any matrices, not only orthogonal ones
    rows = loss.fisher_rows(theta, seed=[4, 1], labels=labels)
    assert labels != "sampled" or len(rows) == loss.n
    expected = sum((block_diag(*map(np.kron, L, R)).T @ row)**2 for row in rows) / loss.n
    s = loss.fisher_moments(theta, L, R, seed=[4, 1], labels=labels)
    assert_allclose(s, expected, rtol=1e-9, atol=1e-12 * expected.max())
    for side in (L, R[:-1]), (L + L[:1], R):
        with pytest.raises(ValueError):
            loss.fisher_moments(theta, *side)


def test_the_gradient_of_drawn_labels_is_a_function_of_its_seed():
    loss, theta = batch(mlp([3, 2, 3]))
    later = MiniBatch(loss.network, loss.X, loss.Y, seed=(0, 2))
    assert_array_equal(loss.sampled_gradient(theta, 3), loss.sampled_gradient(theta, 3))
    assert_array_equal(loss.sampled_gradient(theta), loss.sampled_gradient(theta))
    assert relative(later.sampled_gradient(theta), loss.sampled_gradient(theta)) > 1e-2


@pairs(SMALL)
def test_the_empirical_fisher_matrix_is_made_of_the_gradients_of_the_examples(network):
    loss, theta = made(network)
    P = np.array([alone(loss, i).gradient(theta) for i in range(loss.n)])
    assert relative(dense(loss.empirical_fisher(theta)), P.T @ P / loss.n) < 1e-12


@pairs(SMALL)
def test_the_empirical_fisher_matrix_is_not_the_fisher_matrix(network):
    loss, theta = made(network)
    assert relative(dense(loss.empirical_fisher(theta)), dense(loss.fisher(theta))) > 0.1


def test_the_empirical_fisher_matrix_is_not_the_fisher_matrix_even_at_a_minimum():
    # A line through data that is noisier than the model says, and less so on the right: at the best line the residuals
    # weigh the left, the Fisher matrix does not.  (Kunstner et al. 2019.)
    x = np.linspace(-1, 1, 40)[:, None]
    y = x + np.where(np.arange(40) % 2, 1, -1)[:, None] * np.where(x < 0, 3, 0.1)
    network = Network(Dense(1, 1), inputs=1, loss=SQUARED)
    loss = MiniBatch(network, x, y)
    theta = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), y[:, 0], rcond=None)[0]
    assert_allclose(loss.gradient(theta), 0, atol=1e-14)
    assert_allclose(dense(loss.fisher(theta)), [[np.mean(x**2), 0], [0, 1]], atol=1e-14)
    assert relative(dense(loss.empirical_fisher(theta)), dense(loss.fisher(theta))) > 1


@pairs(SMALL, DROPPING)
def test_the_curvature_matrices_of_a_likelihood_have_no_negative_eigenvalue(network):
    loss, theta = made(network)
    for matrix in (loss.gauss_newton(theta), loss.sampled_fisher(theta), loss.empirical_fisher(theta)):
        eigenvalues = np.linalg.eigvalsh(dense(matrix))
        assert eigenvalues[0] > -1e-14 * eigenvalues[-1]


# --------------------------------------------------------------------------------------------------- single examples

@pairs(SMALL)
def test_a_row_of_the_per_example_gradients_is_the_gradient_of_that_example_alone(network):
    loss, theta = made(network)
    expected = [alone(loss, i).gradient(theta) for i in range(loss.n)]
    assert_allclose(loss.per_example_gradients(theta), expected, rtol=1e-11, atol=1e-14)


@pairs(SMALL, DROPPING)
def test_the_mean_of_the_per_example_gradients_is_the_gradient(network):
    loss, theta = made(network)
    assert_allclose(loss.per_example_gradients(theta).mean(axis=0), loss.gradient(theta), rtol=1e-11, atol=1e-14)


@pairs(SMALL, DROPPING)
def test_the_gauss_newton_diagonal_is_its_diagonal(network):
    loss, theta = made(network)
    assert_allclose(loss.gauss_newton_diagonal(theta), np.diag(dense(loss.gauss_newton(theta))), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("ask", [
    "fisher", "sampled_fisher", "empirical_fisher", "per_example_gradients", "jacobian", "gauss_newton_diagonal",
    "kronecker_factors"])
def test_batch_normalisation_leaves_no_gradients_of_single_examples(ask):
    loss, theta = batch(normalized())
    with pytest.raises(NotImplementedError, match="ties the examples of a batch together.*use gauss_newton or hessian"):
        getattr(loss, ask)(theta)


# ------------------------------------------------------------------------------------------------ what an operator is

@pytest.mark.parametrize("kind", ["hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher"])
def test_a_curvature_matrix_is_a_linear_operator_in_the_precision_of_theta(kind):
    loss, theta = batch(convolutional())
    matrix = getattr(loss, kind)(theta)
    V = np.random.default_rng(0).standard_normal((theta.size, 2))
    assert matrix.shape == (theta.size, theta.size) and matrix.dtype == float
    assert_allclose(matrix @ V, np.stack([matrix @ V[:, 0], matrix @ V[:, 1]], axis=1))
    assert_allclose(matrix.T @ V[:, 0], matrix @ V[:, 0])
    single = getattr(loss, kind)(theta.astype(np.float32))
    assert single.dtype == (single @ V[:, 0]).dtype == np.float32
    assert relative(single @ V[:, 0], matrix @ V[:, 0]) < 1e-4


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton", "fisher", "sampled_fisher", "empirical_fisher"])
def test_a_curvature_matrix_stays_that_of_its_theta_when_theta_is_written_into(kind):
    loss, theta = batch(mlp([5, 4, 3]))
    matrix, v = getattr(loss, kind)(theta), np.ones(theta.size)
    before = matrix @ v
    theta *= 3
    assert_array_equal(matrix @ v, before)


# ------------------------------------------------------------------------------------------------- Kronecker factors

ACTIVATIONS = pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])


def kron_blocks(loss, theta, **how):
    return [np.kron(G, A) for A, G in loss.kronecker_factors(theta, **how)]


def fisher_blocks(loss, theta):
    F = dense(loss.fisher(theta))
    return [F[here, here] for here in block_slices(loss.network)]


def assert_same_blocks(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert relative(a, b) < 1e-12


@ACTIVATIONS
@pytest.mark.parametrize("name", LOSSES)
def test_for_a_batch_of_one_the_kronecker_product_is_the_block_of_the_fisher_matrix(name, activation):
    loss, theta = batch(mlp([5, 4, 4, 3], activation, loss=LOSSES[name]), n=1, seed=1)
    assert_same_blocks(kron_blocks(loss, theta, labels="exact"), fisher_blocks(loss, theta))


@pytest.mark.parametrize("outputs", [1, 3])
def test_for_one_linear_layer_and_squared_error_it_is_for_any_batch(outputs):
    loss, theta = batch(Network(Dense(5, outputs), inputs=5, loss=SQUARED))
    assert_same_blocks(kron_blocks(loss, theta, labels="exact"), fisher_blocks(loss, theta))


def test_for_a_deep_linear_network_and_squared_error_it_is_for_any_batch():
    loss, theta = batch(Network(Dense(5, 4), Dense(4, 2, bias=False), Dense(2, 3), inputs=5, loss=SQUARED))
    assert_same_blocks(kron_blocks(loss, theta, labels="exact"), fisher_blocks(loss, theta))


def test_in_general_it_is_not():
    loss, theta = batch(mlp([5, 4, 3]))
    for found, block in zip(kron_blocks(loss, theta, labels="exact"), fisher_blocks(loss, theta)):
        assert 0.01 < relative(found, block) < 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1)])
def test_the_reduced_form_is_exact_for_a_convolution_whose_outputs_are_averaged(stride, padding, bias):
    network = Network(Conv2D(2, 3, 3, stride, padding, bias), AveragePool(3), Flatten(), inputs=(5, 5, 2), loss=SQUARED)
    loss, theta = batch(network)
    assert_same_blocks(kron_blocks(loss, theta, labels="exact", form="reduce"), fisher_blocks(loss, theta))


def test_the_reduced_form_is_exact_for_the_last_convolution_before_the_average():
    network = Network(Conv2D(2, 2, 2), Tanh(), Conv2D(2, 3, 2), AveragePool(3), Flatten(), Dense(3, 2),
                      inputs=(5, 5, 2), loss=SQUARED)
    loss, theta = batch(network)
    found, blocks = kron_blocks(loss, theta, labels="exact", form="reduce"), fisher_blocks(loss, theta)
    assert relative(found[0], blocks[0]) > 0.01
    assert_same_blocks(found[1:], blocks[1:])


@pytest.mark.parametrize("name", LOSSES)
def test_for_a_batch_of_one_the_reduced_form_is_exact_for_either_loss(name):
    network = Network(Conv2D(2, 3, 3, padding=1), AveragePool(4), Flatten(), Dense(3, 3), inputs=(4, 4, 2),
                      loss=LOSSES[name])
    loss, theta = batch(network, n=1)
    assert_same_blocks(kron_blocks(loss, theta, labels="exact", form="reduce"), fisher_blocks(loss, theta))


def test_the_expanded_form_is_not_exact_there():
    network = Network(Conv2D(2, 3, 3), AveragePool(3), Flatten(), inputs=(5, 5, 2), loss=SQUARED)
    loss, theta = batch(network)
    found, block = kron_blocks(loss, theta, labels="exact")[0], fisher_blocks(loss, theta)[0]
    assert relative(found, block) > 0.1


@pytest.mark.parametrize("k, stride, padding", [(3, 1, 0), (3, 2, 1), (2, 2, 0), (1, 3, 0), (2, 3, 2)])
def test_the_expanded_form_sums_a_and_averages_g_over_the_places(k, stride, padding):
    # Grosse and Martens (2016), eqs. 31 and 32: A = E[Σ_t a_t a_tᵀ] and G = E[Σ_t g_t g_tᵀ] / |T|, patch by patch.
    network = Network(Conv2D(2, 3, k, stride, padding), Flatten(), inputs=(6, 5, 2), loss=SQUARED)
    loss, theta = batch(network, n=4)
    (A, G), = loss.kronecker_factors(theta, labels="data")
    residuals = (loss.forward(theta)[0] - loss.Y).reshape(4, *network.layers[0].output_shape((6, 5, 2)))
    expected_A, expected_G, places = 0, 0, residuals.shape[1] * residuals.shape[2]
    for image, g in zip(np.pad(loss.X, ((0, 0), (padding, padding), (padding, padding), (0, 0))), residuals):
        for i in range(g.shape[0]):
            for j in range(g.shape[1]):
                patch = image[i * stride:i * stride + k, j * stride:j * stride + k]
                a = np.append(patch.ravel(), 1)
                expected_A = expected_A + np.outer(a, a) / 4
                expected_G = expected_G + np.outer(g[i, j], g[i, j]) / (4 * places)
    assert_allclose(A, expected_A, rtol=1e-12, atol=1e-13)
    assert_allclose(G, expected_G, rtol=1e-12, atol=1e-13)


def test_the_factors_go_with_row_major_blocks():
    # vec(V) here is V.ravel(), row by row; texts with column-major vec write A ⊗ G.
    loss, theta = batch(mlp([5, 4, 3]), n=1)
    for (A, G), block in zip(loss.kronecker_factors(theta, labels="exact"), fisher_blocks(loss, theta)):
        assert relative(np.kron(G, A), block) < 1e-12
        assert relative(np.kron(A, G), block) > 0.5


def test_the_inverse_of_a_kronecker_product_works_from_both_sides():
    loss, theta = batch(mlp([3, 4, 3], loss=SQUARED), n=30)
    V = loss.network.blocks(loss.gradient(theta))[0]
    A, G = loss.kronecker_factors(theta, labels="exact")[0]
    A, G = A + 0.1 * np.eye(4), G + 0.1 * np.eye(4)
    solved = np.linalg.solve(np.kron(G, A), V.ravel()).reshape(V.shape)
    assert_allclose(np.linalg.inv(G) @ V @ np.linalg.inv(A), solved, rtol=1e-10)


def test_the_factors_are_second_moments_and_not_covariances():
    # Of the number 1 that stands for the bias, the second moment is 1 and the variance 0.
    loss, theta = batch(mlp([5, 4, 3]))
    A, G = loss.kronecker_factors(theta, labels="data")[0]
    x = np.hstack([loss.X, np.ones((loss.n, 1))])
    assert_allclose(A, np.mean([np.outer(a, a) for a in x], axis=0), rtol=1e-13)
    assert A[-1, -1] == 1 and np.cov(x.T, bias=True)[-1, -1] == 0
    assert relative(np.cov(x.T, bias=True), A) > 0.1


def test_the_labels_of_the_data_give_the_blocks_of_the_empirical_fisher_matrix():
    loss, theta = batch(mlp([5, 4, 3]), n=1)
    F = dense(loss.empirical_fisher(theta))
    assert_same_blocks(kron_blocks(loss, theta, labels="data"), [F[here, here] for here in block_slices(loss.network)])


@pytest.mark.parametrize("form", ["expand", "reduce"])
@pytest.mark.parametrize("network", [mlp([5, 4, 3]), convolutional(), residual()])
def test_the_mean_of_the_sampled_factors_is_the_exact_factor(network, form):
    loss, theta = batch(network)
    exact = loss.kronecker_factors(theta, labels="exact", form=form)
    sampled = [loss.kronecker_factors(theta, seed=seed, form=form) for seed in range(600)]
    for i, (A, G) in enumerate(exact):
        assert_array_equal(sampled[0][i][0], A)
        assert relative(np.mean([factors[i][1] for factors in sampled], axis=0), G) < 0.15


def test_the_sampled_factors_are_a_function_of_the_seed():
    loss, theta = batch(mlp([5, 4, 3]))
    assert_array_equal(loss.kronecker_factors(theta, seed=1)[0][1], loss.kronecker_factors(theta, seed=1)[0][1])
    assert relative(loss.kronecker_factors(theta, seed=2)[0][1], loss.kronecker_factors(theta, seed=1)[0][1]) > 0.01
    assert_array_equal(loss.kronecker_factors(theta)[0][1], loss.kronecker_factors(theta)[0][1])


def test_there_is_a_pair_of_factors_for_each_block_and_both_are_symmetric():
    for network in (convolutional(), residual(), lenet((16, 16, 1))):
        loss, theta = batch(network)
        factors = loss.kronecker_factors(theta)
        assert [(len(G), len(A)) for A, G in factors] == list(network.shapes)
        for factor in sum(factors, ()):
            assert_allclose(factor, factor.T, atol=1e-14 * np.abs(factor).max())


@pytest.mark.parametrize("arguments, message", [
    ({"labels": "true"}, "labels is 'true'; it is sampled, exact or data"),
    ({"form": "sum"}, "form is 'sum'; it is expand or reduce")])
def test_kronecker_factors_say_what_can_be_asked_for(arguments, message):
    loss, theta = batch(mlp([5, 4, 3]))
    with pytest.raises(ValueError, match=message):
        loss.kronecker_factors(theta, **arguments)


def test_a_layer_that_drops_half_does_not_change_what_kronecker_factors_mean():
    network = Network(Dense(5, 4), Tanh(), Dropout(0.5), Dense(4, 3), inputs=5)
    loss, theta = batch(network, n=1)
    assert_same_blocks(kron_blocks(loss, theta, labels="exact"), fisher_blocks(loss, theta))


def test_the_whole_kronecker_approximation_of_a_deep_linear_network_lacks_only_what_is_between_the_layers():
    loss, theta = batch(Network(Dense(4, 3), Dense(3, 2), inputs=4, loss=SQUARED))
    F, K = dense(loss.fisher(theta)), block_diag(*kron_blocks(loss, theta, labels="exact"))
    inside = block_diag(*(np.ones((s.stop - s.start,) * 2) for s in block_slices(loss.network)))
    assert_allclose(F * inside, K, atol=1e-13)
    assert np.abs(F * (1 - inside)).max() > 0.1


@pytest.mark.parametrize("n", [7, 60])
def test_with_squared_error_the_loss_is_half_a_sum_of_squared_residuals(n):
    network = mlp([3, 4, 2], loss=SquaredError())
    random = np.random.default_rng(0)
    batch = MiniBatch(network, random.standard_normal((n, 3)), random.standard_normal((n, 2)))
    squares, theta = batch.least_squares(), network.initial(seed=1)
    assert_allclose(squares.value(theta), batch.value(theta))
    assert_allclose(squares.gradient(theta), batch.gradient(theta), rtol=1e-12, atol=1e-15)
    assert_allclose(squares.gauss_newton(theta), batch.gauss_newton(theta) @ np.eye(network.size), atol=1e-14)
    with pytest.raises(NotImplementedError, match="is not a sum of squares"):
        MiniBatch(mlp([3, 2]), batch.X, np.zeros(n, int)).least_squares()


# --------------------------------------------------------------------------------- compiled for exactly some classes

class Doubled(SquaredError):
    """Twice the squared error: a subclass whose Hessian is another."""

    def values(self, z, y):
        return 2 * super().values(z, y)

    def gradient(self, z, y):
        return 2 * super().gradient(z, y)

    def hessian_product(self, z, y, u):
        return 2 * u


class Bent(Tanh):
    """tanh that hands on half of its derivatives."""

    def jvp(self, w, y, v, Rx):
        Ry, kept = super().jvp(w, y, v, Rx)
        return Ry / 2, kept


def test_every_product_with_the_matrix_of_a_loss_of_ones_own_is_that_of_its_derivatives():
    random = np.random.default_rng(0)
    X, Y = random.standard_normal((40, 20)), random.standard_normal((40, 3))
    ours, own = (MiniBatch(mlp([20, 25, 3], loss=loss), X, Y) for loss in (SquaredError(), Doubled()))
    theta = ours.network.initial(0)
    v = random.standard_normal(theta.size)
    G, F = own.gauss_newton(theta), own.empirical_fisher(theta)
    expected = 2 * (ours.gauss_newton(theta) @ v)
    for _ in range(4):
        assert_allclose(G @ v, expected, rtol=1e-10, atol=1e-13)
        assert_allclose(F @ v, 4 * (ours.empirical_fisher(theta) @ v), rtol=1e-10, atol=1e-13)
    assert not isinstance(G, DenseFisher)
    with pytest.raises(NotImplementedError, match="Doubled is not a sum of squares"):
        own.least_squares()


def test_every_product_through_a_layer_of_ones_own_takes_the_same_way():
    random = np.random.default_rng(0)
    network = Network(Dense(20, 25), Bent(), Dense(25, 3), inputs=20)
    batch = MiniBatch(network, random.standard_normal((40, 20)), random.integers(3, size=40))
    theta = network.initial(0)
    F, v = batch.fisher(theta), random.standard_normal(theta.size)
    first = F @ v
    assert not isinstance(F, DenseFisher)
    for _ in range(3):
        assert_array_equal(F @ v, first)


def test_a_loss_of_ones_own_says_what_it_does_not_answer():
    class Absolute(Loss):
        def values(self, z, y):
            return np.abs(z - y).sum(axis=1)

        def gradient(self, z, y):
            return np.sign(z - y)

    network = mlp([4, 3, 2], loss=Absolute())
    batch, theta = MiniBatch(network, np.ones((5, 4)), np.zeros((5, 2))), network.initial(0)
    assert batch.gradient(theta).shape == theta.shape
    for question, message in {"hessian": "write its method hessian_product", "fisher": "is not a likelihood",
                              "gauss_newton": "no second derivatives", "sampled_fisher": "write its method sample",
                              "gauss_newton_diagonal": r"fisher_root\(z\)"}.items():
        with pytest.raises(NotImplementedError, match=f"Absolute .*{message}"):
            M = getattr(batch, question)(theta)
            M @ theta
    with pytest.raises(ValueError, match=r"the targets must be numbers of shape \(5, 2\)"):
        MiniBatch(network, np.ones((5, 4)), np.zeros((5, 3)))


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton", "fisher", "empirical_fisher"])
def test_a_matrix_is_also_an_array_where_it_is_small(kind, monkeypatch):
    random, network = np.random.default_rng(0), mlp([20, 25, 3])
    batch = MiniBatch(network, random.standard_normal((10, 20)), random.integers(3, size=10))
    theta = network.initial(0)
    M, v = getattr(batch, kind)(theta), random.standard_normal(theta.size)
    assert_allclose(np.asarray(M) @ v, M @ v, rtol=1e-9, atol=1e-12)
    assert_array_equal(M.dense(), np.asarray(M))
    assert np.asarray(M, np.float32).dtype == np.float32
    monkeypatch.setattr(type(M), "most", 100)
    with pytest.raises(ValueError, match=r"would have 603 × 603 numbers, 0.00291 GB: multiply it by vectors"):
        np.asarray(M)


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES = [
    ("MiniBatch.compilable", "a subclass is given its parent's compiled product",
     "{type(self.network.loss), *map(type, self.network.layers)} <= DENSE",
     "all(isinstance(part, tuple(DENSE)) for part in [self.network.loss, *self.network.layers])",
     "test_every_product_with_the_matrix_of_a_loss_of_ones_own_is_that_of_its_derivatives"),
    ("MiniBatch.compilable", "a layer that is a subclass is given its parent's compiled product",
     "*map(type, self.network.layers)} <= DENSE",
     "} <= DENSE and all(isinstance(layer, tuple(DENSE)) for layer in self.network.layers)",
     "test_every_product_through_a_layer_of_ones_own_takes_the_same_way"),
    ("MiniBatch.least_squares", "a subclass of the squared error is taken for it",
     "type(self.network.loss) is not SquaredError",
     "not isinstance(self.network.loss, SquaredError)",
     "test_every_product_with_the_matrix_of_a_loss_of_ones_own_is_that_of_its_derivatives"),
]
