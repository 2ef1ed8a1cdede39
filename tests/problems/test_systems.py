"""Systems of equations and clusters of atoms: derivatives, closed forms, symmetries."""
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, optimize
from scipy.special import lambertw
from scipy.stats import special_ortho_group

from numopt.optimizers import gauss_newton, gradient_descent, nltgcr
from numopt.problems import Bratu, Counted, HEquation, LennardJones, System, piece_of_lattice
from numopt.record import path

SYSTEMS = [Bratu(4), Bratu(5, alpha=3.0, lam=2.0), HEquation(7, 0.5), HEquation(10, 0.99)]
CLUSTERS = [LennardJones(atoms) for atoms in (2, 5, 13)]


def near(problem, seed=0, spread=0.05):
    return problem.start + spread * np.random.default_rng(seed).standard_normal(problem.size)


def complex_step(f, theta, h=1e-30):
    """∂f/∂θ without a difference, hence without rounding: Im f(θ + ih) / h (Squire and Trapp 1998)."""
    return np.stack([np.imag(f(theta + 1j * h * e)) / h for e in np.eye(theta.size)], axis=-1)


def central(f, theta, h=1e-5):
    return np.stack([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(theta.size)], axis=-1)


def whole(A, n):
    return A @ np.eye(n)


# ---- systems

@pytest.mark.parametrize("system", SYSTEMS)
def test_the_jacobian_is_the_derivative_of_the_equations_and_its_transpose_its_transpose(system):
    theta = near(system)
    exact = complex_step(system.residuals, theta)
    assert_allclose(whole(system.jacobian(theta), system.size), exact, atol=1e-14)
    assert_allclose(whole(system.jacobian(theta).T, system.size), exact.T, atol=1e-14)


@pytest.mark.parametrize("system", SYSTEMS)
def test_as_an_objective_a_system_is_half_the_square_of_its_equations(system):
    theta = near(system)
    assert_allclose(system.value(theta), sum(system.residuals(theta)**2) / 2)
    assert_allclose(system.gradient(theta), complex_step(lambda x: (system.residuals(x)**2).sum() / 2, theta))
    J = whole(system.jacobian(theta), system.size)
    assert_allclose(whole(system.gauss_newton(theta), system.size), J.T @ J, atol=1e-14)
    assert_allclose(whole(system.hessian(theta), system.size), central(system.gradient, theta), atol=1e-7)


@pytest.mark.parametrize("problem", [*SYSTEMS, *CLUSTERS])
def test_single_precision_stays_single(problem):
    theta = near(problem).astype(np.float32)
    questions, matrices = [problem.gradient], [problem.hessian]
    if isinstance(problem, System):
        questions, matrices = [*questions, problem.residuals], [*matrices, problem.jacobian, problem.gauss_newton]
    assert all(question(theta).dtype == np.float32 for question in questions)
    assert all((matrix(theta) @ theta).dtype == np.float32 for matrix in matrices)
    assert isinstance(problem.value(theta), float)


def test_bratus_matrix_is_the_sum_of_second_differences_along_rows_and_columns():
    m, lam = 4, 1.5
    T, one = 2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1), np.eye(m)
    u = np.random.default_rng(1).standard_normal(m * m)
    A = np.kron(T, one) + np.kron(one, T)
    assert_allclose(Bratu(m, lam=lam).residuals(u), A @ u - lam / (m + 1)**2 * np.exp(u))


def test_bratus_differences_are_wrong_by_the_square_of_the_width_of_the_grid():
    alpha, lam = 2.0, 0.7

    def error(m):
        x, y = np.meshgrid(np.arange(1, m + 1) / (m + 1), np.arange(1, m + 1) / (m + 1))
        u = np.sin(np.pi * x) * np.sin(np.pi * y)
        u_x = np.pi * np.cos(np.pi * x) * np.sin(np.pi * y)
        exact = -2 * np.pi**2 * u + alpha * u_x + lam * np.exp(u)
        return np.abs(-(m + 1)**2 * Bratu(m, alpha, lam).residuals(u.ravel()) - exact.ravel()).max()

    assert_allclose(error(19) / error(39), 4, rtol=0.02)


def test_with_a_single_point_bratus_problem_has_the_solution_of_lambert():
    """4u = λ/4 exp(u): two solutions up to λ = 16/e, the cold one stable, and above it none."""
    lam = 3.0
    solution = -lambertw(-lam / 16).real
    assert_allclose(Bratu(1, lam=lam).residuals([solution]), 0, atol=1e-15)
    assert_allclose(path(nltgcr(Bratu(1, lam=lam), [0.0], curvature="jacobian"), 20)[-1], solution)
    limit = 16 / np.e
    assert Bratu(1, lam=1.001 * limit).residuals([1.0]) < 0 < Bratu(1, lam=0.999 * limit).residuals([1.0])


def test_without_wind_bratus_jacobian_is_symmetric_and_positive_definite_and_with_it_not_symmetric():
    J = whole(Bratu(5, lam=5.0).jacobian(np.zeros(25)), 25)
    assert_allclose(J, J.T)
    assert np.linalg.eigvalsh(J)[0] > 0
    J = whole(Bratu(5, alpha=3.0).jacobian(np.zeros(25)), 25)
    assert np.abs(J - J.T).max() > 0.1


@pytest.mark.parametrize("n", [1, 5, 40])
@pytest.mark.parametrize("c", [0.5, 0.99])
def test_the_mean_of_the_physical_h_function_is_known_on_every_grid(n, c):
    system = HEquation(n, c)
    solution = optimize.root(system.residuals, system.start, jac=system.jacobian, tol=1e-13).x
    assert_allclose(solution.mean(), 2 * (1 - np.sqrt(1 - c)) / c, rtol=1e-8)


def h_function(mu, c):
    """H(μ) by an integral that does not have H in it (Hopf 1934)."""
    def integrand(a):
        return np.log(1 - c * a / np.tan(a)) / (np.cos(a)**2 + mu**2 * np.sin(a)**2)

    return np.exp(-mu / np.pi * integrate.quad(integrand, 0, np.pi / 2)[0])


def test_as_the_grid_is_refined_the_solution_goes_to_the_h_function():
    assert_allclose(h_function(1, 1.0), 2.9078, atol=1e-4)     # where all light is scattered
    errors = []
    for n in (40, 80):
        system = HEquation(n, 0.5)
        solution = optimize.root(system.residuals, system.start, jac=system.jacobian).x
        errors.append(np.abs(solution - [h_function((i + 0.5) / n, 0.5) for i in range(n)]).max())
    assert errors[0] < 5e-4
    assert_allclose(errors[0] / errors[1], 2, rtol=0.05)


def test_at_c_equal_one_the_jacobian_is_nearly_singular_at_the_solution():
    smallest = []
    for c in (0.5, 0.99, 0.9999):
        system = HEquation(30, c)
        solution = optimize.root(system.residuals, system.start, jac=system.jacobian).x
        smallest.append(np.linalg.svd(system.jacobian(solution), compute_uv=False)[-1])
    assert_allclose(smallest[2] / smallest[1], 0.1, rtol=0.2)     # as √(1 − c)


def test_all_of_the_light_may_be_scattered_and_there_the_jacobian_is_singular():
    system = HEquation(1, 1.0)  # H = 1 / (1 − H/4), which has the one solution 2
    assert_array_equal(system.residuals(np.array([2.0])), [0])
    assert_array_equal(system.jacobian(np.array([2.0])), [[0]])


def test_the_methods_for_least_squares_solve_a_system_too():
    system = HEquation(20, 0.9)
    solution = path(gauss_newton(system, system.start), 8)[-1]
    assert_allclose(system.residuals(solution), 0, atol=1e-12)


def test_a_system_can_be_counted():
    system = Counted(HEquation(6))
    path(nltgcr(system, system.problem.start, curvature="jacobian"), 3)
    assert system.values == 3 and system.gradients == 3     # f is counted as a value, J as a gradient


def test_what_a_system_does_not_know_it_says():
    with pytest.raises(NotImplementedError, match="write its method `residuals"):
        System().value(np.zeros(2))
    with pytest.raises(NotImplementedError, match="write its method `jacobian"):
        System().jacobian(np.zeros(2))
    for c in 1.5, 0.0, -0.1, np.nan:
        with pytest.raises(ValueError, match="a share of the light"):
            HEquation(5, c=c)
    with pytest.raises(ValueError, match="Bratu takes 9 numbers; it was given 4"):
        Bratu(3).residuals(np.zeros(4))
    with pytest.raises(ValueError, match="atoms must be a whole number of at least 2"):
        LennardJones(1)


# ---- clusters

@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_energy_of_a_cluster_is_the_sum_over_its_pairs(cluster):
    x = near(cluster).reshape(-1, 3)
    r = np.array([np.linalg.norm(a - b) for a, b in combinations(x, 2)])
    assert_allclose(cluster.value(x.ravel()), sum(4 * (r**-12.0 - r**-6.0)))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_forces_and_hessian_of_a_cluster_are_its_derivatives(cluster):
    theta = near(cluster)
    scale = np.abs(cluster.gradient(theta)).max()
    assert_allclose(cluster.gradient(theta), central(cluster.value, theta), atol=1e-6 * scale)
    H = whole(cluster.hessian(theta), cluster.size)
    assert_allclose(H, central(cluster.gradient, theta), atol=1e-6 * np.abs(H).max())
    assert_allclose(H, H.T, atol=1e-12 * np.abs(H).max())


def test_two_atoms_rest_at_the_sixth_root_of_two_and_their_bond_is_a_spring_of_72_over_the_cube_root_of_two():
    pair = LennardJones(2)
    assert_allclose(np.linalg.norm(pair.start[:3] - pair.start[3:]), 2**(1 / 6))
    assert_allclose([pair.value(pair.start), pair.minimum], -1)
    assert_allclose(pair.gradient(pair.start), 0, atol=1e-13)
    eigenvalues = np.linalg.eigvalsh(whole(pair.hessian(pair.start), 6))
    assert_allclose(eigenvalues, [0, 0, 0, 0, 0, 2 * 72 / 2**(1 / 3)], atol=1e-10)


@pytest.mark.parametrize("atoms", [3, 4])
def test_three_atoms_and_four_rest_where_all_are_neighbours(atoms):
    cluster = LennardJones(atoms)
    found = optimize.minimize(cluster.value, near(cluster), jac=cluster.gradient, tol=1e-10)
    assert_allclose([found.fun, cluster.minimum], -atoms * (atoms - 1) / 2)


def test_the_least_energies_known_are_those_of_an_icosahedron_and_of_a_truncated_octahedron():
    golden = (1 + np.sqrt(5)) / 2
    corners = [np.roll([0, a, b * golden], k) for a in (1, -1) for b in (1, -1) for k in range(3)]
    for start in 0.55 * np.array([[0, 0, 0], *corners]), LennardJones(38).start.reshape(-1, 3):
        cluster = LennardJones(len(start))
        found = optimize.minimize(cluster.value, start.ravel(), jac=cluster.gradient, method="L-BFGS-B")
        assert_allclose(found.fun, cluster.minimum, rtol=0, atol=1e-6)


def test_moving_turning_and_renaming_atoms_changes_nothing():
    cluster = LennardJones(13)
    x, g = near(cluster).reshape(-1, 3), cluster.gradient(near(cluster)).reshape(-1, 3)
    turn = special_ortho_group.rvs(3, random_state=0)
    names = np.random.default_rng(1).permutation(13)
    for other in (x + [1, 2, 3], x @ turn, x[names]):
        assert_allclose(cluster.value(other.ravel()), cluster.value(x.ravel()))
    assert_allclose(cluster.gradient((x @ turn).ravel()), (g @ turn).ravel(), atol=1e-9)
    assert_allclose(g.sum(axis=0), 0, atol=1e-10)                       # no force on the whole
    assert_allclose(np.cross(x, g).sum(axis=0), 0, atol=1e-10)          # and no torque


def test_the_lattice_has_the_best_shape_for_38_atoms_and_for_13_a_saddle():
    best, saddle = LennardJones(38), LennardJones(13)
    assert best.value(best.start) < -172
    relaxed = path(gradient_descent(saddle, saddle.start, lr=1e-3), 500)[-1]      # keeps the symmetry of the lattice
    assert np.abs(saddle.gradient(relaxed)).max() < 1e-8
    eigenvalues = np.linalg.eigvalsh(whole(saddle.hessian(relaxed), 39))
    assert eigenvalues[0] < -1 and (np.abs(eigenvalues) < 1e-6).sum() == 6
    assert saddle.value(relaxed) > saddle.minimum + 3


@pytest.mark.parametrize("atoms", [2, 13, 38, 108])
def test_a_piece_of_the_lattice_has_all_its_atoms_and_no_two_nearer_than_neighbours(atoms):
    x = LennardJones(atoms).start.reshape(-1, 3)
    distances = np.array([np.linalg.norm(a - b) for a, b in combinations(x, 2)])
    assert len(x) == atoms
    assert_allclose(distances.min(), 2**(1 / 6))
    assert (LennardJones(atoms).minimum is None) == (atoms == 108)


@pytest.mark.parametrize("middle", [0.0, 0.5])
def test_of_atoms_as_far_from_the_middle_it_is_always_the_same_ones_that_are_taken(middle):
    for atoms in (3, 6, 15, 42):  # each in the midst of a shell
        more = piece_of_lattice(atoms + 1, middle)
        assert_array_equal(piece_of_lattice(atoms, middle), more[:3 * atoms])


def test_a_start_is_a_value_that_nobody_can_write_into():
    for make in (partial(Bratu, 3), partial(HEquation, 3), partial(LennardJones, 3)):
        with pytest.raises(ValueError, match="read-only"):
            make().start[0] = 1


@pytest.mark.parametrize("r", [0.2, 0.45, 0.9, 2**(1 / 6), 2.0, 7.0])
def test_two_atoms_at_any_distance_by_hand(r):
    pair, along = LennardJones(2), np.array([2, -1, 2]) / 3
    theta = np.concatenate([np.zeros(3), r * along])
    force, bend = 24 * r**-7 - 48 * r**-13, 624 * r**-14 - 168 * r**-8
    assert_allclose(pair.value(theta), 4 * (r**-12 - r**-6), rtol=1e-12, atol=1e-12)
    assert_allclose(pair.gradient(theta), np.concatenate([-force * along, force * along]), atol=1e-12 * r**-13)
    moved = np.concatenate([np.zeros(3), along])
    assert_allclose(pair.hessian(theta) @ moved, np.concatenate([-bend * along, bend * along]), atol=1e-11 * r**-14)
