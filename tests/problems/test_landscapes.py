"""Lecture 1 in tests: the shapes of the landscapes, and that every derivative of theirs is right."""
import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import rosen, rosen_der, rosen_hess

from numopt.problems import (
    Ackley, Beale, Booth, Cliff, Counted, Function, Himmelblau, Landscape, LeastSquares, MonkeySaddle, Noisy, Objective,
    Plane, Plateau, Quadratic, Rastrigin, Rosenbrock, Saddle, grid, landscapes, quadratic_with, shapes)

A = np.array([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]])
# Every class of the two modules that needs no arguments, and others.
ALL = {re.sub(r"\B(?=[A-Z])", " ", name).lower(): kind() for module in (shapes, landscapes)
       for name, kind in vars(module).items() if isinstance(kind, type) and kind.__module__ == module.__name__
       and issubclass(kind, Landscape) and kind not in (Landscape, Plane, Quadratic)}
ALL |= {"quadratic": Quadratic(A, [1, -2, 3], 4.0), "rosenbrock of 5": Rosenbrock(5), "rastrigin of 4": Rastrigin(4),
        "ackley of 3": Ackley(3), "saddle with walls": Saddle(2.0, 3.0, 0.5),
        "saddle with walls far away": Saddle(1.0, 1.0, 0.01),
        "gentle cliff": Cliff(height=2.0, width=0.5), "small plateau": Plateau(edge=3.0)}
PLANE = {name: f for name, f in ALL.items() if f.size == 2}


@pytest.fixture(params=ALL)
def landscape(request):
    return ALL[request.param]


def points(landscape, k=6):
    """Random points near enough to the origin for every feature: the wall of the cliff is at x = 0."""
    rng = np.random.default_rng(landscape.size)
    return np.concatenate([rng.uniform(-2, 2, (k, landscape.size)), rng.normal(0, 0.02, (k, landscape.size))])


def complex_step(f, theta, h=1e-30):
    """∂f/∂θ without a difference, hence without rounding: Im f(θ + ih) / h (Squire and Trapp 1998)."""
    return np.stack([np.imag(f(theta + 1j * h * e)) / h for e in np.eye(theta.size)], axis=-1)


def central(f, theta, h):
    return np.stack([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(theta.size)], axis=-1)


def test_the_gradient_is_that_of_the_value_to_the_last_digits(landscape):
    for theta in points(landscape):
        exact = complex_step(landscape.value, theta)
        assert_allclose(landscape.gradient(theta), exact, rtol=1e-11, atol=1e-13 * (1 + np.abs(exact).max()))


def test_the_hessian_is_that_of_the_gradient_to_the_last_digits(landscape):
    for theta in points(landscape):
        exact = complex_step(landscape.gradient, theta)
        assert_allclose(landscape.hessian(theta), exact, rtol=1e-11, atol=1e-12 * (1 + np.abs(exact).max()))


def test_central_differences_agree_with_the_gradient_and_the_hessian(landscape):
    for theta in points(landscape):
        scale = 1 + np.abs(landscape.hessian(theta)).max()
        assert_allclose(landscape.gradient(theta), central(landscape.value, theta, 1e-6), atol=1e-6 * scale)
        assert_allclose(landscape.hessian(theta), central(landscape.gradient, theta, 1e-6), atol=1e-5 * scale)


def test_the_hessian_is_a_symmetric_array(landscape):
    H = landscape.hessian(points(landscape)[0])
    assert isinstance(H, np.ndarray) and H.shape == (landscape.size, landscape.size) and np.array_equal(H, H.T)


def test_value_and_gradient_are_the_value_and_the_gradient(landscape):
    theta = points(landscape)[0]
    f, g = landscape.value_and_gradient(theta)
    assert f == landscape.value(theta) and np.array_equal(g, landscape.gradient(theta))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_answers_in_the_precision_of_theta_and_the_value_is_a_python_float(landscape, dtype):
    theta = points(landscape)[0].astype(dtype)
    f, g = landscape.value_and_gradient(theta)
    assert type(f) is type(landscape.value(theta)) is float
    assert g.dtype == landscape.gradient(theta).dtype == landscape.hessian(theta).dtype == dtype
    double = theta.astype(float)
    assert_allclose(f, landscape.value(double), rtol=1e-5, atol=1e-5)
    assert_allclose(g, landscape.gradient(double), rtol=1e-4, atol=1e-4 * np.abs(g).max())


def test_a_list_of_whole_numbers_is_as_good_as_an_array(landscape):
    ones = [1] * landscape.size
    assert landscape.value(ones) == landscape.value(np.ones(landscape.size))
    assert landscape.gradient(ones).dtype == float


def test_at_its_minimizers_the_slope_is_zero_the_curvature_is_not_negative_and_the_value_is_the_minimum(landscape):
    for theta in [] if landscape.minimizers is None else landscape.minimizers:
        assert theta.shape == (landscape.size,)
        assert_allclose(landscape.gradient(theta), 0, atol=1e-12)
        assert_allclose(landscape.value(theta), landscape.minimum, rtol=1e-14, atol=1e-28)
        if not isinstance(landscape, Ackley):
            eigenvalues = np.linalg.eigvalsh(landscape.hessian(theta))
            assert eigenvalues.min() > -1e-12 * eigenvalues.max()


def test_it_is_nowhere_below_its_minimum(landscape):
    if landscape.minimum is not None:
        away = np.random.default_rng(0).uniform(-5, 5, (500, landscape.size))
        assert min(landscape.value(theta) for theta in away) > landscape.minimum
        assert min(landscape.value(theta + 1e-3 * away[0]) for theta in landscape.minimizers) > landscape.minimum


def test_its_start_and_minimizers_lie_in_its_box(landscape):
    if landscape.box is not None:
        lower, upper = landscape.box
        for known in (landscape.start, landscape.minimizers):
            assert known is None or ((lower < known) & (known < upper)).all()
        assert lower.shape == upper.shape == (landscape.size,)


@pytest.mark.parametrize("landscape, start, side", [
    (Rosenbrock(), [-1.2, 1], 2.048), (Rosenbrock(5), [-1.2, 1, -1.2, 1, -1.2], 2.048), (Beale(), [1, 1], 4.5),
    (Booth(), None, 10), (Himmelblau(), None, 5), (Rastrigin(3), None, 5.12), (Ackley(3), None, 32.768)], ids=repr)
def test_starts_and_boxes_are_the_published_ones(landscape, start, side):
    assert landscape.start is None if start is None else landscape.start.tolist() == start
    assert [corner.tolist() for corner in landscape.box] == [[-side] * landscape.size, [side] * landscape.size]


def test_what_is_known_of_it_cannot_be_written_over(landscape):
    for known in (landscape.minimizers, landscape.start):
        assert known is None or not known.flags.writeable


def test_the_wrong_number_of_numbers_is_refused_with_both_numbers(landscape):
    name, n = type(landscape).__name__, landscape.size
    for question in (landscape.value, landscape.gradient, landscape.value_and_gradient, landscape.hessian):
        with pytest.raises(ValueError, match=f"{name} takes {n} numbers; it was given {n + 1}"):
            question(np.zeros(n + 1))
        with pytest.raises(ValueError, match="takes a vector"):
            question(np.zeros((n, 1)))
    with pytest.raises(ValueError, match=f"{name} takes numbers"):
        landscape.value(["a"] * n)


def test_far_away_it_is_infinite_or_not_a_number_and_never_an_error(landscape):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        for far in (1e120, 1e200, 1e308, np.inf, np.nan):
            assert isinstance(landscape.value(np.full(landscape.size, far)), float)
            assert landscape.gradient(np.full(landscape.size, far)).shape == (landscape.size,)


@pytest.mark.parametrize("f, theta, value", [
    (Rosenbrock(), [-1.2, 1], 24.2), (Rosenbrock(), [0, 0], 1), (Rosenbrock(3), [0, 1, 1], 101 + 0),
    (Beale(), [0, 0], 14.203125), (Beale(), [1, 1], 14.203125), (Himmelblau(), [0, 0], 170), (Himmelblau(), [3, 2], 0),
    (Booth(), [1, 3], 0), (Booth(), [0, 0], 74), (Ackley(), [0, 0], 0), (Ackley(4), [0] * 4, 0),
    (Ackley(), [3, 4], 20 * (1 - np.exp(-np.sqrt(12.5) / 5))), (Rastrigin(), [1, -2], 5),
    (Rastrigin(), [0.5, 0], 20.25),
    (Quadratic([[2, 0], [0, 4]], [1, 1], 7), [1, 2], 1 + 8 - 3 + 7)])
def test_values_by_hand(f, theta, value):
    assert_allclose(f.value(theta), value, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_rosenbrock_is_scipys(size):
    f = Rosenbrock(size)
    for theta in points(f):
        assert_allclose(f.value(theta), rosen(theta))
        assert_allclose(f.gradient(theta), rosen_der(theta), atol=1e-12)
        assert_allclose(f.hessian(theta), rosen_hess(theta), atol=1e-12)


def test_rosenbrock_and_beale_are_least_squares():
    def rosenbrock(theta):
        return np.sqrt(2) * np.array([10 * (theta[1] - theta[0]**2), 1 - theta[0]])

    def beale(theta):
        return np.sqrt(2) * (np.array([1.5, 2.25, 2.625]) - theta[0] * (1 - theta[1]**np.arange(1, 4)))

    for landscape, residuals in ((Rosenbrock(), rosenbrock), (Beale(), beale)):
        for theta in points(landscape):
            squares = LeastSquares(residuals)
            assert_allclose(squares.value(theta), landscape.value(theta))
            assert_allclose(squares.gradient(theta), landscape.gradient(theta), rtol=1e-6, atol=1e-6)
            assert_allclose(squares.hessian(theta), landscape.hessian(theta), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("f, theta, signs", [
    (Saddle(), [0, 0], [-1, 1]), (Beale(), [0, 1], [-1, 1]), (Saddle(1, 2, 1), [0, 0], [-1, 1]),
    (MonkeySaddle(), [0, 0], [0, 0]), (Himmelblau(), [-0.270845, -0.923039], [-1, -1])])
def test_where_the_slope_is_zero_and_there_is_no_minimum(f, theta, signs):
    assert_allclose(f.gradient(theta), 0, atol=1e-4)
    assert_allclose(np.sign(np.linalg.eigvalsh(f.hessian(theta))), signs)


@pytest.mark.parametrize("f", [Booth(), Quadratic([[2, 1], [1, 4]], [1, -3], 0.5)], ids=["Booth", "quadratic"])
def test_grid_has_the_value_at_x_i_y_j_in_row_j_and_column_i(f):
    x, y = [0, 1, 2], [5, 7]
    values = grid(f, x, y)
    assert values.shape == (2, 3)
    assert all(values[j, i] == f.value([x[i], y[j]]) for i in range(3) for j in range(2))


def test_the_minimizer_of_a_quadratic_is_where_A_theta_is_b():
    f = ALL["quadratic"]
    assert_allclose(A @ f.minimizers[0], [1, -2, 3])
    assert_allclose(f.minimum, 4 - 0.5 * np.array([1, -2, 3]) @ np.linalg.solve(A, [1, -2, 3]))


def test_of_the_many_minimizers_of_a_semidefinite_quadratic_the_nearest_to_the_origin_is_given():
    assert_allclose(Quadratic([[1, 1], [1, 1]], [2, 2]).minimizers, [[1, 1]])
    assert Quadratic([[1, 1], [1, 1]], [2, -2]).minimizers is None
    assert Quadratic([[1, 0], [0, 0]], [1, 1e-8]).minimizers is None
    assert_allclose(Quadratic(np.zeros((2, 2)), c=3).minimizers, [[0, 0]])


def test_an_eigenvalue_that_is_below_0_by_rounding_is_0():
    below = []
    for seed in range(10):
        V = np.random.default_rng(seed).standard_normal((5, 2))
        f, b = Quadratic(V @ V.T, V @ [1.0, 2.0]), V @ [1.0, 2.0]
        below.append(bool(np.linalg.eigvalsh(V @ V.T).min() < 0))
        assert_allclose(f.minimizers[0], np.linalg.lstsq(V @ V.T, b, rcond=1e-12)[0], atol=1e-9)
    assert any(below)


@pytest.mark.parametrize("curvature", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("slope", [1e-30, 1.0, 1e30])
def test_whether_there_is_a_minimum_does_not_depend_on_the_units_of_curvature_and_slope(curvature, slope):
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    A = curvature * (Q * [3, 1, 0]) @ Q.T
    (found,) = Quadratic((A + A.T) / 2, slope * Q @ [3, 1, 0]).minimizers
    assert_allclose(found, slope / curvature * Q @ [1, 1, 0], rtol=1e-9, atol=1e-12 * slope / curvature)
    assert Quadratic((A + A.T) / 2, slope * Q @ [3, 1, 1e-6]).minimizers is None


def test_what_goes_down_for_ever_has_no_minimum():
    f = Quadratic(np.diag([1.0, -1.0]))
    assert f.minimizers is None and f.minimum is None


def test_a_quadratic_keeps_what_it_was_given():
    given = A.copy()
    f = Quadratic(given)
    given[0, 0] = 100
    assert f.value([1, 0, 0]) == 2
    with pytest.raises(ValueError, match="read-only"):
        f.hessian(np.zeros(3))[0, 0] = 1


def test_a_quadratic_with_given_curvatures_has_them():
    assert_allclose(quadratic_with([5, 1], [[1, 8], [1, -8]]).A, [[3, 2], [2, 3]])  # of any length
    f = quadratic_with([5, 1], [[1, 1], [1, -1]])
    assert_allclose(f.A, [[3, 2], [2, 3]])
    assert_allclose(f.A @ [1, 1], [5, 5])
    assert_allclose(np.linalg.cond(f.A), 5)
    eigenvalues, Q = np.linalg.eigh(A)
    assert_allclose(quadratic_with(eigenvalues, Q).A, A, atol=1e-14)


@pytest.mark.parametrize("make, message", [
    (lambda: Quadratic([[1, 2, 3]]), r"A must be a square matrix; it has shape \(1, 3\)"),
    (lambda: Quadratic([1, 2]), "A must be a square matrix"),
    (lambda: Quadratic([[1, 2], [3, 1]]), r"A\[0, 1\] is 2 and A\[1, 0\] is 3; \(A \+ A.T\) / 2"),
    (lambda: Quadratic([[1, np.nan], [np.nan, 1]]), "A holds a number that is infinite or not a number"),
    (lambda: Quadratic(np.eye(2), [1, np.inf]), "b holds a number"),
    (lambda: Quadratic(np.eye(2), c=np.nan), "c holds a number"),
    (lambda: Quadratic(np.eye(2), [1, 2, 3]), "b must have 2 numbers"),
    (lambda: quadratic_with([1, 2], [[1, 1], [0, 1]]), "must be orthogonal"),
    (lambda: quadratic_with([1, 2], np.eye(3)), "2 eigenvalues need as many directions"),
    (lambda: quadratic_with([1, 2], [[1, 0], [1, 0]]), "must not be zero"),
    (lambda: Rosenbrock(1), "size must be a whole number of at least 2, and is 1"),
    (lambda: Function(len, size=True), "size must be a whole number of at least 1, and is True"),
    (lambda: Rastrigin(1), "size must be"), (lambda: Ackley(2.5), "size must be"),
    (lambda: Ackley().hessian([0, 0]), "kink"),
    (lambda: Noisy(Beale(), -1), "sigma is -1"), (lambda: Noisy(Beale(), np.nan), "sigma is nan"),
    (lambda: Noisy(Beale(), 1, seed=-1), "seed must be"), (lambda: Noisy(Beale(), 1, seed=0.5), "seed must be"),
    (lambda: Noisy(Function(len), 1), "give Function its size")])
def test_bad_input_is_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_matrix_that_is_symmetric_up_to_its_rounding_is_symmetric():
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 20)))
    M = Q @ np.diag(np.linspace(1, 100, 20)) @ Q.T
    assert not np.array_equal(M, M.T)
    for dtype in (np.float32, np.float64):
        f = Quadratic(M.astype(dtype))
        assert np.array_equal(f.A, f.A.T)
    for dtype, share in (np.float32, 1e-4), (np.float64, 1e-9):
        A = np.array([[2, 1], [1 + share, 3]], dtype)
        assert_allclose(Quadratic(A).A[0, 1], 1 + share / 2, rtol=1e-6)
        with pytest.raises(ValueError, match="A must be symmetric"):
            Quadratic(A + dtype(100 * share) * np.array([[0, 0], [1, 0]], dtype))


def test_a_landscape_says_what_it_is():
    assert repr(Rosenbrock(5)) == "<Rosenbrock of 5 parameters>" and repr(Function(sum)) == "<Function>"
    assert repr(Rosenbrock()) == "<Rosenbrock of 2 parameters: least 0 at (1, 1), start (-1.2, 1)>"
    assert repr(Himmelblau()).startswith("<Himmelblau of 2 parameters: least 0 at (3, 2) and (")
    flat = Quadratic(np.diag([1.0, -1.0]))
    assert repr(flat) == "<Quadratic of 2 parameters>" and flat.minimum is None


def test_landscapes_are_objectives():
    assert all(isinstance(f, Landscape) and isinstance(f, Objective) for f in ALL.values())
    assert all(isinstance(f, Objective) for f in (Function(sum), LeastSquares(sum), Counted(Beale())))
