"""The place of every method in Table 1 is what its loop does, where the loss, units or coordinates are changed."""
from functools import partial
from math import sqrt

import numpy as np
import pytest
from scipy.linalg import block_diag

import numopt.optimizers
from numopt.line_search import exact
from numopt.networks import SquaredError, mlp
from numopt.optimizer import memory_names, optimizer
from numopt.problems import LeastSquares, MiniBatch, Quadratic
from numopt.problems.wrappers import Wrapped
from numopt.view import CURVATURES, EXAMPLE, INNER, LENGTHS, OVER_TIME, STRUCTURES, Place, cells, place, powers, turns

METHODS = [name for name in numopt.optimizers.__all__
           if place(getattr(numopt.optimizers, name)).structure != INNER]


class Changed(Wrapped):
    """a f(Tθ) + sᵀθ: the loss in other units, and θ in other coordinates; T = diag(U_i ⊗ V_i), where there are any."""

    def __init__(self, problem, a=1.0, T=None, s=0.0, sides=None):
        super().__init__(problem)
        self.a, self.s, self.sides = a, s, sides
        self.T = np.eye(problem.size) if T is None else T

    def value(self, theta):
        return self.a * self.problem.value(self.T @ theta) + float(np.sum(self.s * theta))

    def gradient(self, theta):
        return self.a * self.T.T @ self.problem.gradient(self.T @ theta) + self.s

    def matrix(self, name, theta, a):
        n = self.size
        H = getattr(self.problem, name)(self.T @ theta) @ np.eye(n)
        return a * self.T.T @ H @ self.T

    def hessian(self, theta):
        return self.matrix("hessian", theta, self.a)

    def gauss_newton(self, theta):
        return self.matrix("gauss_newton", theta, self.a)

    def fisher(self, theta, **how):
        return self.matrix("fisher", theta, self.a)

    def sampled_fisher(self, theta):
        return self.matrix("fisher", theta, self.a)

    def sampled_gradient(self, theta, seed=None):
        return sqrt(self.a) * self.T.T @ self.problem.sampled_gradient(self.T @ theta, seed)

    def per_example_gradients(self, theta):
        return self.a * self.problem.per_example_gradients(self.T @ theta) @ self.T

    def fisher_rows(self, theta, **how):
        return sqrt(self.a) * self.problem.fisher_rows(self.T @ theta, **how) @ self.T

    def fisher_moments(self, theta, U_G, U_A, **how):
        U = block_diag(*map(np.kron, U_G, U_A))
        return ((self.fisher_rows(theta, **how) @ U)**2).sum(axis=0) / self.problem.n

    def kronecker_factors(self, theta, **how):
        factors = self.problem.kronecker_factors(self.T @ theta, **how)
        sides = self.sides or [(np.eye(len(G)), np.eye(len(A))) for A, G in factors]
        c = self.T[0, 0] if np.array_equal(self.T, self.T[0, 0] * np.eye(self.size)) else 1.0
        return [(c**2 * V.T @ A @ V, self.a * U.T @ G @ U) for (A, G), (U, V) in zip(factors, sides)]

    def residuals(self, theta):
        return sqrt(self.a) * self.problem.residuals(self.T @ theta)

    def jacobian(self, theta):
        return sqrt(self.a) * self.problem.jacobian(self.T @ theta) @ self.T


NETWORK = mlp([2, 2, 2, 2], activation="tanh", loss=SquaredError())
RNG = np.random.default_rng(0)
NET = MiniBatch(NETWORK, RNG.standard_normal((40, 2)), RNG.standard_normal((40, 2)))
START = NETWORK.initial(seed=3) + 0.3 * np.random.default_rng(1).standard_normal(NET.size)
SIZE = START.size


class Separable(LeastSquares):
    """A sum over the coordinates, in layers: the Hessian is diagonal, and Hutchinson's estimate of it exact."""

    def __init__(self):
        k = np.linspace(2.0, 3.0, SIZE)
        super().__init__(lambda x: k * x + x**3 / 3 + 1, lambda x: np.diag(x**2 + k), lambda x: 2 * np.diag(x), SIZE)

    def hessian(self, theta):
        r = self.residuals(theta)
        return np.diag(np.diag(self.jacobian(theta))**2 + 2 * theta * r)

    def blocks(self, vector):
        return NETWORK.blocks(vector)


SUM_OF_SQUARES = LeastSquares(lambda x: np.concatenate([x**3 / 3 + x + 1, [x.sum()]]),
                              lambda x: np.vstack([np.diag(x**2 + 1), np.ones(SIZE)]), size=SIZE)
PROBLEMS = {"gauss_newton": SUM_OF_SQUARES, "levenberg_marquardt": SUM_OF_SQUARES, "adahessian": Separable(),
            "sophia": Separable(), "vsgd": Quadratic(np.diag(np.linspace(0.5, 2.0, SIZE)))}
# What stands in no column of Table 1 is left out.
PLAIN = {"eps": 1e-13, "weight_decay": 0.0, "kappa": 1e12, "epsilon": 1e9}
# What a method is told in the units of θ, of f, or of both, when f is a f(cθ): a rate, a radius, a curvature.
TOLD = {
    "adadelta": lambda a, c: {"u": c**-2, "eps": 0.0},
    "newton_rate": lambda a, c: {"lr": 0.01 / (a * c**2), "delta": 1e-12, "epsilon": 1e-3, "most": 1e9},
    "barzilai_borwein": lambda a, c: {"lr": 0.01 / (a * c**2)},
    "yogi": lambda a, c: {"v": 0.0}, "sps": lambda a, c: {"lr": 1e9}, "momo": lambda a, c: {"lr": 1e9},
    "dog": lambda a, c: {"r": 0.1 / c}, "prodigy": lambda a, c: {"d": 0.01 / c},
    "trust_region": lambda a, c: {"radius": 0.01 / c}, "sr1": lambda a, c: {"radius": 0.01 / c},
    "newton_rate_printed": lambda a, c: {"epsilon": 1e-5},
    "bfgs": lambda a, c: {"M": np.eye(SIZE) / (a * c**2)},
    "lbfgs": lambda a, c: {"pairs": ((np.ones(SIZE) / c, a * c * np.ones(SIZE)),)},
    "nonlinear_cg": lambda a, c: {"search": exact},
    "hessian_free": lambda a, c: {"preconditioned": False, "cg_steps": 3, "damping": 0.3 * a * c**2},
    "sophia": lambda a, c: {"gamma": 100.0, "k": 1}, "sam": lambda a, c: {"rho": 0.05 / c},
    "ivon": lambda a, c: {"h0": a * c**2, "ess": 1e14, "beta2": 1 - 1e-15},
    "anderson": lambda a, c: {"lr": 0.1 / (a * c**2)}, "fishleg": lambda a, c: {"scale": 1 / (a * c**2)},
    "levenberg_marquardt": lambda a, c: {"scaling": "levenberg", "mu": 0.1 * a * c**2},
    "soap": lambda a, c: {"eps": 1e-9 * a * c}}
# So many steps at a rate of 0 come first, in which it only looks.
LOOKS = {"radam": 10, "soap": 3, "vsgd": 10}
AT_MOST = {"clipped_natural_gradient": ["epsilon"], "gradient_norm_clipped": ["epsilon"],
           "eigenbasis_clipped": ["epsilon"], "kfac": ["kappa"], "sophia": ["gamma"]}
# What may be done to coordinates, and what that includes.
KINDS = {"turns": ["turns", "layer turns", "signs", "layer signs", "layer flips"],
         "layer turns": ["layer turns", "layer signs", "layer flips"],
         "signs": ["signs", "layer signs", "layer flips"], "layer signs": ["layer signs", "layer flips"],
         "layer flips": ["layer flips"]}
MOMENTUM = {"scion": {"mu": 0.5}}
# Here what is remembered is more than a momentum, and has tests of its own.
OTHERWISE = {"last pairs", "all pairs", "last direction", "anchor", "learned"}


def method(name):
    return getattr(numopt.optimizers, name)


def words(name):
    return set(filter(None, place(method(name)).over_time.split(", ")))


def given(name, a=1.0, c=1.0):
    """The hyperparameters of a method, and what it remembers, where the loss is a f(cθ)."""
    known = method(name).__wrapped__.__kwdefaults__
    H = CURVATURES[place(method(name)).curvature]
    plain = {"damping": 1e-3 * a**H.loss * c**H.units, **PLAIN}
    return {key: value for key, value in plain.items() if key in known} | TOLD.get(name, lambda a, c: {})(a, c)


def steps(name, problem, theta, count, **arguments):
    """The first steps of a method, after those that only look."""
    looked, looks = {}, LOOKS.get(name, 0)
    if looks:
        run = method(name)(problem, theta, **arguments | ({} if name == "vsgd" else {"lr": 0.0}))
        for _ in range(looks):
            next(run)
        looked = run.memory
    run = method(name)(problem, theta, **arguments | looked)
    return np.diff([theta, *(next(run) for _ in range(count))], axis=0)


def power(one, other, base):
    """The p with other = base^p one, and by how much, of its length, that is wrong."""
    p = np.log(np.linalg.norm(other) / np.linalg.norm(one)) / np.log(base)
    return p, np.linalg.norm(other - base**p * one) / np.linalg.norm(other)


def turned(kind, seed=0):
    """(T, sides) of a change of coordinates of that kind, by chance."""
    rng = np.random.default_rng(seed)

    def turn(n):
        return np.linalg.qr(rng.standard_normal((n, n)))[0]

    def signed(n):
        return np.diag(rng.choice([-1.0, 1.0], n))[rng.permutation(n)]

    def flipped(n):
        return np.diag(rng.choice([-1.0, 1.0], n))

    of = {"turns": turn, "signs": signed, "flips": flipped}[kind.split()[-1]]
    if not kind.startswith("layer"):
        return of(SIZE), None
    sides = [(of(len(W)), of(W.shape[1])) for W in NETWORK.blocks(START)]
    return block_diag(*(np.kron(U, V) for U, V in sides)), sides


def remembered(name, T):
    """What a method is told in these coordinates besides."""
    told = {"ivon": {"h": T.T**2 @ np.linspace(1, 2, SIZE)}, "lbfgs": {"pairs": ()},
            "fishleg": {"every": 1, "aux_lr": 0.1}}
    return told.get(name, {})


@pytest.mark.parametrize("a, c", [(4.0, 2.0), (9.0, 1.5)])
@pytest.mark.parametrize("name", METHODS)
def test_loss_and_units_go_into_a_step_as_length_and_curvature_say(name, a, c):
    problem, row = PROBLEMS.get(name, NET), place(method(name))
    count = 3 if powers(row) == (0, -1) else 1  # where the path is the same, all steps are; and else the first
    step = steps(name, Changed(problem), START, count, **given(name))
    other_loss = steps(name, Changed(problem, a), START, count, **given(name, a))
    other_units = steps(name, Changed(problem, T=c * np.eye(SIZE)), START / c, count, **given(name, 1.0, c))
    for found, base, said in zip((other_loss, other_units), (a, c), powers(row)):
        assert power(step, found, base) == (pytest.approx(said, abs=1e-4), pytest.approx(0, abs=1e-4))


@pytest.mark.parametrize("a, c", [(4.0, 2.0), (9.0, 1.5)])
@pytest.mark.parametrize("name", AT_MOST)
def test_where_a_limit_of_at_most_is_met_the_step_is_the_normalized_one(name, a, c):
    row = place(method(name))
    row = row._replace(length=row.length.removesuffix(" at most"))
    tight, changed = (dict.fromkeys(AT_MOST[name], 1e-9), partial(Changed, PROBLEMS.get(name, NET)))
    step, loss, units = (steps(name, problem, theta, 1, **given(name, *told) | tight) for problem, theta, told in [
        (changed(), START, (1, 1)), (changed(a), START, (a, 1)), (changed(T=c * np.eye(SIZE)), START / c, (1, c))])
    said = (0, 0) if name == "sophia" else powers(row)   # which limits numbers, and not lengths in H
    assert power(step, loss, a) == (pytest.approx(said[0], abs=1e-3), pytest.approx(0, abs=1e-3))
    assert power(step, units, c) == (pytest.approx(said[1], abs=1e-3), pytest.approx(0, abs=1e-3))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", METHODS)
def test_coordinates_may_be_changed_as_far_as_the_structure_says_and_no_further(name, seed):
    problem = PROBLEMS.get(name, NET)
    path = steps(name, Changed(problem), START, 4, **given(name) | remembered(name, np.eye(SIZE)))
    same = {}
    for kind in KINDS:
        T, sides = turned(kind, seed)
        other = steps(name, Changed(problem, T=T, sides=sides), T.T @ START, 4, **given(name) | remembered(name, T))
        same[kind] = np.linalg.norm(other @ T.T - path) < 1e-4 * np.linalg.norm(path)
    assert same == {kind: kind in KINDS[turns(place(method(name)))] for kind in KINDS}


def test_a_length_of_each_number_knows_the_axes_whatever_the_structure():
    for length, structure, known in (
            ("each", "LI", "signs"), ("each number at most", "cI", "signs"),
            ("each number at most", "diagonal by layer", "layer signs"), ("whole", "LI", "turns")):
        assert turns(Place(length, "", structure)) == known


@pytest.mark.parametrize("name", METHODS)
def test_what_is_gathered_over_time_is_remembered(name):
    assert bool(place(method(name)).over_time) == (memory_names(method(name).__wrapped__) != ["t"])


@pytest.mark.parametrize("name", [name for name in METHODS if not OTHERWISE & words(name) and
                                  PROBLEMS.get(name) is not SUM_OF_SQUARES])
def test_it_goes_on_where_there_is_no_gradient_if_it_has_momentum_and_only_then(name):
    problem, more = PROBLEMS.get(name, NET), given(name) | MOMENTUM.get(name, {})
    run = method(name)(Changed(problem), START, **more)
    for _ in range(LOOKS.get(name, 0) + 3):
        theta = next(run)
    flat = Changed(problem, s=-problem.gradient(theta))
    with np.errstate(all="ignore"):
        after = next(method(name)(flat, theta, **more | run.memory), theta)
    moved = np.linalg.norm(after - theta) > 1e-8 * np.linalg.norm(theta - START)
    assert moved == bool({"momentum", "mean of iterates"} & words(name))


@pytest.mark.parametrize("name", [name for name in METHODS if {"sum", "average"} & words(name) and
                                  "lr" in method(name).__wrapped__.__kwdefaults__])
def test_a_sum_of_what_stays_the_same_grows_and_an_average_does_not(name):
    quick = {"beta2": 0.9} if "beta2" in method(name).__wrapped__.__kwdefaults__ and name != "ivon" else {}
    run = method(name)(NET if name != "sophia" else PROBLEMS[name], START, **given(name) | {"lr": 0.0} | quick)
    sizes = []
    for t in range(1, 401):
        next(run)
        if t in (200, 400):
            sizes.append({key: np.linalg.norm(np.concatenate([np.ravel(part) for part in (
                value if isinstance(value, (list, tuple)) else [value])])) for key, value in run.memory.items()
                if key not in ("t", "total") and value is not None})
    assert ("sum" in words(name)) == any(sizes[1][key] > 1.9 * sizes[0][key] > 0 for key in sizes[0])


def test_every_word_has_its_law_and_its_cell_and_is_that_of_a_method():
    rows = [place(method(name)) for name in METHODS]
    assert {row.length for row in rows} == set(LENGTHS)
    assert {row.curvature for row in rows} == set(CURVATURES)
    assert {row.structure for row in rows} == set(STRUCTURES)
    assert set().union(*map(words, numopt.optimizers.__all__)) == OVER_TIME
    assert all(len(cells(row)) == 4 for row in rows) and {turns(row) for row in rows} == set(KINDS)


def loop(docstring):
    def stroll(problem, theta, *, t=0):
        yield theta

    stroll.__doc__ = docstring
    return optimizer(stroll)


@pytest.mark.parametrize("said, message", [
    ("Walk.", f"stroll says its place 0 times.*end its docstring with a line as .*{EXAMPLE[:20]}"),
    (f"Walk.\n\n    {EXAMPLE}\n    {EXAMPLE}", "stroll says its place 2 times"),
    ("Walk.\n\n    In Table 1: structure round.", "'round' is not known for structure.*LI"),
    ("Walk.\n\n    In Table 1: over time momentum, sleep.", "'sleep' is not known for over time.*momentum"),
    ("Walk.\n\n    In Table 1: size 3.", "'size 3' is no column"),
    ("Walk.\n\n    In Table 1: structure LI; structure cI.", "'structure cI' is no column")])
def test_a_method_without_its_place_is_told_what_to_write(said, message):
    with pytest.raises(ValueError, match=message):
        place(loop(said))


def test_an_empty_row_is_said_to_be_one():
    assert place(loop("Walk.\n\n    In Table 1: none.")) == ("", "", "", "")


MISTAKES = [
    ("numopt.optimizers.adaptive::rmsprop", "divided by the average, and not by its root", "np.sqrt(s)", "s",
     "test_loss_and_units_go_into_a_step_as_length_and_curvature_say"),
    ("numopt.optimizers.kronecker::inverse_roots", "the power −½ on either side", "inverse_root(L, 4)",
     "inverse_root(L, 2)", "test_loss_and_units_go_into_a_step_as_length_and_curvature_say"),
    ("numopt.optimizers.natural::eigenbasis_clipped", "the length of θ is limited, and not that in H",
     "epsilon / np.sqrt(lam)", "epsilon", "test_where_a_limit_of_at_most_is_met_the_step_is_the_normalized_one"),
    ("numopt.optimizers.kronecker::shampoo", "the rows only", "L_root, R_root = zip(*map(inverse_roots, L, R))",
     "L_root, R_root = zip(*((L_i, np.diag(np.diag(R_i))) for L_i, R_i in map(inverse_roots, L, R)))",
     "test_coordinates_may_be_changed_as_far_as_the_structure_says_and_no_further"),
    ("numopt.optimizers.rate_free::dog", "the root of each square", "G = G + norm(g)**2",
     "G = 0.9 * G + norm(g)**2", "test_a_sum_of_what_stays_the_same_grows_and_an_average_does_not"),
]
