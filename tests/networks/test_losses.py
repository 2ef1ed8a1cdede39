"""What outputs cost, and the derivatives by the outputs."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax
from scipy.stats import chi2, multivariate_normal

from numopt.networks import SoftmaxCrossEntropy, SquaredError, softmax

RANDOM = np.random.default_rng(9)
Z = 2 * RANDOM.standard_normal((5, 4))
U = RANDOM.standard_normal((5, 4))
TARGETS = RANDOM.standard_normal((5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
CASES = [pytest.param(SquaredError(), TARGETS, id="squared error"),
         pytest.param(SoftmaxCrossEntropy(), LABELS, id="cross-entropy")]
BOTH = pytest.mark.parametrize("loss, y", CASES)


# ------------------------------------------------------------------------------------------------------------- both

@BOTH
def test_the_gradient_is_the_derivative_of_the_values(loss, y):
    expected = np.stack([loss.values(Z + 1e-30j * e, y).imag / 1e-30 for e in np.eye(4)], axis=1)
    assert_allclose(loss.gradient(Z, y), expected, rtol=1e-13)


@BOTH
def test_the_hessian_product_is_the_derivative_of_the_gradient(loss, y):
    expected = loss.gradient(Z + 1e-30j * U, y).imag / 1e-30
    assert_allclose(loss.hessian_product(Z, y, U), expected, rtol=1e-12, atol=1e-15)


@BOTH
def test_the_root_of_the_fisher_matrix_is_one(loss, y):
    root = loss.fisher_root(Z)
    assert_allclose(sum(u * (u * U).sum(axis=1, keepdims=True) for u in root), loss.fisher_product(Z, U), rtol=1e-12,
                    atol=1e-15)
    assert all(u.shape == Z.shape for u in root)


@BOTH
def test_the_parts_of_the_fisher_matrix_add_up_to_it(loss, y):
    d, A, B = loss.fisher_parts(Z)
    assert d.shape == Z.shape and A.shape == B.shape == (len(A), *Z.shape)
    assert_allclose(d * U + sum(a * (b * U).sum(axis=1, keepdims=True) for a, b in zip(A, B)),
                    loss.fisher_product(Z, U), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ahead", [5, 20, 50])
def test_the_parts_of_a_confident_prediction_keep_its_small_variance(dtype, ahead):
    """Of two classes F is p q (1, −1; −1, 1), with q = 1/(1 + e^ahead): p − p² would be 0 where p is rounded to 1."""
    d, A, B = SoftmaxCrossEntropy().fisher_parts(np.array([[0, ahead], [ahead, 0]], dtype))
    q = 1 / (1 + np.exp(float(ahead)))
    for e in range(2):
        F = np.diag(d[e]) + sum(np.outer(a[e], b[e]) for a, b in zip(A, B))
        u = np.array([1, -1], dtype)
        assert_allclose(u @ (F @ u), 4 * q * (1 - q), rtol=20 * np.finfo(dtype).eps)


@BOTH
def test_the_fisher_matrix_over_the_outputs_is_their_hessian(loss, y):
    assert_array_equal(loss.fisher_product(Z, U), loss.hessian_product(Z, y, U))


@BOTH
def test_the_mean_gradient_over_labels_that_the_model_draws_is_zero_and_its_variance_the_fisher_matrix(loss, y):
    z, n = np.tile(Z[:1], (200_000, 1)), 200_000
    g = loss.gradient(z, loss.sample(z, np.random.default_rng(0)))
    F = np.stack([loss.fisher_product(Z[:1], e[None])[0] for e in np.eye(4)])
    assert np.abs(g.mean(axis=0)).max() < 4 * np.sqrt(np.diag(F).max() / n)
    assert_allclose(g.T @ g / n, F, atol=0.01)


@BOTH
def test_single_precision_stays_single_even_with_labels_in_double(loss, y):
    z, u = Z.astype(np.float32), U.astype(np.float32)
    y = loss.checked(y, 5, 4)
    rng = np.random.default_rng(0)
    answers = [loss.values(z, y), loss.gradient(z, y), loss.hessian_product(z, y, u), loss.fisher_product(z, u),
               *loss.fisher_root(z), *loss.fisher_parts(z), loss.gradient(z, loss.sample(z, rng))]
    assert {answer.dtype for answer in answers} == {np.dtype(np.float32)}
    assert loss.sample(z, rng).dtype in (np.float32, np.intp)
    assert_allclose(loss.values(z, y), loss.values(Z, y), rtol=1e-4)


@BOTH
def test_nothing_writes_into_what_it_is_given(loss, y):
    z, u, y = Z.copy(), U.copy(), y.copy()
    for array in (z, u, y):
        array.flags.writeable = False
    loss.values(z, y), loss.gradient(z, y), loss.hessian_product(z, y, u), loss.fisher_product(z, u)
    loss.fisher_root(z), loss.fisher_parts(z), loss.sample(z, np.random.default_rng(0)), loss.checked(y, 5, 4)
    assert_array_equal(z, Z)


# ---------------------------------------------------------------------------------------------------- squared error

def test_the_squared_error_is_half_the_squared_distance():
    assert_array_equal(SquaredError().values(np.array([[3.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 4.0], [1.0, 1.0]])),
                       [12.5, 0])


def test_the_squared_error_is_minus_the_logarithm_of_a_gaussian_up_to_a_constant():
    density = [multivariate_normal(z).logpdf(y) for z, y in zip(Z, TARGETS)]
    assert_allclose(SquaredError().values(Z, TARGETS) + 2 * np.log(2 * np.pi), -np.array(density))


def test_targets_drawn_from_a_gaussian_have_its_mean_and_variance():
    z = np.tile([[5.0, -2.0]], (50_000, 1))
    y = SquaredError().sample(z, np.random.default_rng(0))
    assert_allclose(y.mean(axis=0), [5, -2], atol=4 / np.sqrt(50_000))
    assert_allclose(np.cov(y.T), np.eye(2), atol=0.03)


@pytest.mark.parametrize("Y", [[1.0, 2.0, 3.0], [1, 2, 3], np.array([[1.0], [2.0], [3.0]], np.float32)])
def test_targets_of_one_output_may_be_a_row_or_a_column(Y):
    checked = SquaredError().checked(Y, 3, 1)
    assert checked.shape == (3, 1) and checked.dtype.kind == "f"
    assert_array_equal(checked[:, 0], [1, 2, 3])


def test_targets_keep_their_precision_and_whole_ones_are_exact():
    exact = np.array([[1 / 3, 2.0**40 + 1]])
    for Y in exact, exact.astype(np.float32), np.array([[2**40 + 1, 7]]), np.array([[200, 7]], np.uint8):
        checked = SquaredError().checked(Y, 1, 2)
        assert checked.dtype == (np.float32 if Y.dtype in (np.float32, np.uint8) else np.float64)
        assert_array_equal(checked, Y)


@pytest.mark.parametrize("Y, message", [
    (np.zeros(3), r"must be numbers of shape \(3, 2\).*they are float64 of shape \(3, 1\)"),
    (np.zeros((2, 2)), r"they are float64 of shape \(2, 2\)"),
    (np.zeros((3, 2), complex), "they are complex128"), (np.zeros((3, 2), bool), "they are bool"),
    ([["a", "b"]] * 3, "they are <U1"),
    ([[1, 2], [np.nan, 1], [0, 0]], "hold NaN or infinity; leave those examples out"),
    ([[1, 2], [np.inf, 1], [0, 0]], "hold NaN or infinity"),
    (np.ma.masked_equal([[1, 2], [3, 4], [5, 6]], 4), "Y is a masked array"),
    (np.ma.masked_invalid([[1, 2], [np.nan, 1], [0, 0]]), "Y is a masked array"),
])
def test_wrong_targets_say_what_is_wrong(Y, message):
    with pytest.raises(ValueError, match=message):
        SquaredError().checked(Y, 3, 2)


# ---------------------------------------------------------------------------------------------------- cross-entropy

def test_softmax_gives_probabilities():
    p = softmax(Z)
    assert_allclose(p, scipy_softmax(Z, axis=1), rtol=1e-13)
    assert_allclose(p.sum(axis=1), 1)


def test_the_cross_entropy_is_minus_the_logarithm_of_the_right_probability():
    assert_allclose(SoftmaxCrossEntropy().values(Z, LABELS), -log_softmax(Z, axis=1)[np.arange(5), LABELS], rtol=1e-13)


def test_two_classes_by_hand():
    # e^0 / (e^0 + e^{log 3}) = 1/4
    z, y = np.array([[0.0, np.log(3)]]), np.array([0])
    loss = SoftmaxCrossEntropy()
    assert_allclose(loss.values(z, y), [np.log(4)])
    assert_allclose(loss.gradient(z, y), [[-0.75, 0.75]])
    assert_allclose(loss.hessian_product(z, y, np.array([[1.0, 0.0]])), [[3 / 16, -3 / 16]])


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    assert_allclose(SoftmaxCrossEntropy().values(np.full((3, 10), 7.0), np.array([0, 4, 9])), np.log(10))


def test_what_is_added_to_all_logits_changes_nothing():
    loss = SoftmaxCrossEntropy()
    assert_allclose(loss.values(Z + 1000, LABELS), loss.values(Z, LABELS), rtol=1e-11)
    assert_allclose(loss.gradient(Z + 1000, LABELS), loss.gradient(Z, LABELS), rtol=1e-11)
    assert_allclose(loss.hessian_product(Z, LABELS, np.ones_like(Z)), 0, atol=1e-15)


def test_what_is_added_to_the_logits_of_one_example_changes_nothing_for_any_other():
    loss, shift = SoftmaxCrossEntropy(), np.array([0.0, 3000, -3000, 1e5, 0])[:, None]
    pairs = [(loss.values(z, LABELS), loss.gradient(z, LABELS), loss.hessian_product(z, LABELS, U), softmax(z),
              *loss.fisher_root(z), *loss.fisher_parts(z), loss.sample(z, np.random.default_rng(0)))
             for z in (Z + shift, Z)]
    for shifted, plain in zip(*pairs, strict=True):
        assert_allclose(shifted, plain, rtol=1e-8, atol=1e-10)


def test_the_order_in_memory_of_the_outputs_changes_nothing():
    loss, wide = SoftmaxCrossEntropy(), np.repeat(Z, 2, axis=1)
    for z in np.asfortranarray(Z), wide[:, ::2], np.flip(Z.copy(), axis=0)[::-1]:
        assert_allclose(loss.gradient(z, LABELS), loss.gradient(Z, LABELS), rtol=1e-14)


def test_the_fisher_matrix_is_the_mean_of_g_gᵀ_over_the_labels():
    loss = SoftmaxCrossEntropy()
    for z in Z:
        g = loss.gradient(np.tile(z, (4, 1)), np.arange(4))
        F = np.einsum("y,yi,yj->ij", scipy_softmax(z), g, g)
        assert_allclose([loss.fisher_product(z[None], e[None])[0] for e in np.eye(4)], F, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_ten_thousand_cost_ten_thousand(dtype):
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [1e4, 1e4, -1e4]], dtype)
    y, loss = np.array([0, 0, 2]), SoftmaxCrossEntropy()
    assert_allclose(loss.values(z, y), [0, 2e4, 2e4 + np.log(2)], rtol=1e-7)
    assert_array_equal(loss.gradient(z, y), [[0, 0, 0], [-1, 1, 0], [0.5, 0.5, -1]])
    u = np.array([[1, 2, 3]] * 3, dtype)
    assert_array_equal(loss.hessian_product(z, y, u), [[0, 0, 0], [0, 0, 0], [-0.25, 0.25, 0]])
    assert np.isfinite(loss.fisher_root(z)).all()
    assert_array_equal(loss.sample(z[:2], np.random.default_rng(0)), [0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_are_drawn_with_the_models_probabilities(dtype):
    z, n = np.array([[0.0, 2.0, -1.0, 1.0, -4.0]], dtype), 50_000
    drawn = SoftmaxCrossEntropy().sample(np.tile(z, (n, 1)), np.random.default_rng(0))
    expected = n * scipy_softmax(z[0].astype(float))
    found = np.bincount(drawn, minlength=5)
    assert np.sum((found - expected)**2 / expected) < chi2(4).ppf(0.99)


def test_each_example_draws_from_its_own_distribution():
    z = 50 * np.eye(6)[[3, 0, 5, 5, 1]]
    assert_array_equal(SoftmaxCrossEntropy().sample(z, np.random.default_rng(0)), [3, 0, 5, 5, 1])


def test_labels_are_drawn_independently():
    z = np.zeros((20_000, 2))
    y = 2 * SoftmaxCrossEntropy().sample(z, np.random.default_rng(0)) - 1
    assert abs((y[1:] * y[:-1]).mean()) < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("Y", [
    [0, 2, 1], [0.0, 2.0, 1.0], np.array([0, 2, 1], np.uint8), np.array([0, 2, 1], np.float32)])
def test_whole_numbers_are_labels(Y):
    checked = SoftmaxCrossEntropy().checked(Y, 3, 3)
    assert checked.dtype == np.intp
    assert_array_equal(checked, [0, 2, 1])


@pytest.mark.parametrize("Y, message", [
    ([0, 1, 3], "label 3 of example 2 is not among the network's 3 classes, the whole numbers from 0 to 2"),
    ([1, -1, 0], "label -1 of example 1 is not among"),
    ([0, 0.5, 1], "label 0.5 of example 1 is not among"),
    ([0, np.nan, 1], "label nan of example 1 is not among"),
    ([np.inf, 0, 1], "label inf of example 0 is not among"),
    ([0, 1e300, 1], "label 1e[+]300 of example 1 is not among"),
    (["a", "b", "c"], "labels must be whole numbers from 0 to 2; these are <U1"),
    ([0, 1], r"one label an example, shape \(3,\); the labels have shape \(2,\)$"),
    (0.9 * np.eye(3) + 0.1 / 3, r"shape \(3, 3\); this loss takes one class an example, and no prob.*\(soft labels\)$"),
    (np.ma.masked_equal([0, 1, 2], 1), "Y is a masked array"),
    (np.eye(3) + np.eye(3, k=1), r"no prob.*\(soft labels\)$"),
    (np.eye(3), r"the labels have shape \(3, 3\); turn one-hot rows into labels with Y.argmax\(axis=1\)"),
    ([[0], [2], [1]], r"the labels have shape \(3, 1\); use Y\[:, 0\]"),
    (1, r"the labels have shape \(\)$"),
])
def test_wrong_labels_say_what_is_wrong(Y, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxCrossEntropy().checked(Y, 3, 3)


# ------------------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize("dtype, ahead", [(np.float64, 40.0), (np.float64, 100.0), (np.float64, 700.0),
                                          (np.float32, 20.0), (np.float32, 80.0)])
def test_a_confident_prediction_has_the_small_loss_that_it_has(dtype, ahead):
    """log(1 + q) and derivatives of ∓q / (1 + q), q = exp(−ahead), where log Σ and p − 1 would be 0."""
    loss, q = SoftmaxCrossEntropy(), np.exp(-ahead)
    for z, y in (([ahead, 0.0], 0), ([0.0, ahead], 1)):
        z, y, sign = np.array([z], dtype), np.array([y]), np.array([-1, 1]) * (1 - 2 * y)
        np.testing.assert_allclose(loss.values(z, y), np.log1p(q), rtol=1e-3)
        np.testing.assert_allclose(loss.gradient(z, y)[0], sign * q / (1 + q), rtol=1e-3)
        p, u = q / (1 + q)**2, np.array([[2.0, -1.0]], dtype)
        np.testing.assert_allclose(loss.hessian_product(z, y, u)[0], [3 * p, -3 * p], rtol=1e-3)
        many = loss.hessian_product(np.tile(z, (4000, 1)), np.tile(y, 4000), np.tile(u, (4000, 1)))  # long: compiled
        np.testing.assert_allclose(many, [[3 * p, -3 * p]] * 4000, rtol=1e-3)
        np.testing.assert_allclose(sum(r[0, 0]**2 for r in loss.fisher_root(z)), p, rtol=1e-3)


MISTAKES = [
    ("SquaredError.values", "the half is missing",
     ".sum(axis=1) / 2",
     ".sum(axis=1)",
     "test_the_squared_error_is_half_the_squared_distance"),
    ("SquaredError.gradient", "target minus output: it climbs",
     "z - y.astype(z.dtype, copy=False)",
     "y.astype(z.dtype, copy=False) - z",
     "test_the_gradient_is_the_derivative_of_the_values"),
    ("SoftmaxCrossEntropy.gradient", "the label is not subtracted",
     "flat[right] = -others / total",
     "flat[right] = e_y / total",
     "test_two_classes_by_hand"),
    ("SoftmaxCrossEntropy.gradient", "large logits overflow",
     'np.subtract(z, z.max(axis=1, keepdims=True), order="C")',
     'np.array(z, order="C")',
     "test_what_is_added_to_all_logits_changes_nothing"),
    ("SoftmaxCrossEntropy.gradient", "the labels are looked for column by column",
     'order="C"',
     'order="K"',
     "test_the_order_in_memory_of_the_outputs_changes_nothing"),
    ("SoftmaxCrossEntropy.values", "large logits overflow",
     "z = z - z[rows, most, None]",
     "z = 1 * z",
     "test_what_is_added_to_all_logits_changes_nothing"),
    ("softmax", "large logits overflow",
     "np.exp(z - z.max(axis=1, keepdims=True))",
     "np.exp(z)",
     "test_logits_of_ten_thousand_cost_ten_thousand"),
    ("softmax", "over the examples, not over the classes",
     "p.sum(axis=1, keepdims=True)",
     "p.sum(axis=0, keepdims=True)",
     "test_softmax_gives_probabilities"),
    ("SoftmaxCrossEntropy.fisher_root", "the root of the probability is missing",
     "np.sqrt(softmax(z)).T[:, :, None]",
     "softmax(z).T[:, :, None]",
     "test_the_root_of_the_fisher_matrix_is_one"),
    ("SoftmaxCrossEntropy.sample", "the most probable label, not a drawn one",
     "rng.random((len(z), 1)) * below[:, -1:]",
     "0.5 * below[:, -1:]",
     "test_labels_are_drawn_with_the_models_probabilities"),
]
