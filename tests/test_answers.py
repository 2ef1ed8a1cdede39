"""What a problem answers that is no answer, and what is no start: every registered method refuses it in clear words."""
from itertools import islice
from math import nan

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.linalg import aslinearoperator

from numopt import optimizers
from numopt.answers import LookedAt
from numopt.optimizer import Diverged
from numopt.record import path
from tests.optimizers.test_edges import START, Wrong


class Strange(Wrong):
    """A bowl that answers every question of every method, one of them with what `change` makes of the right answer."""

    def __init__(self, question=None, change=None):
        super().__init__({})
        self.question, self.change, self.asked = question, change, 0

    def loss(self, t):
        return self

    def changed(self, question, answer):
        self.asked += question == self.question
        return self.change(answer) if question == self.question else answer

    def value(self, theta):
        return self.changed("value", super().value(theta))

    def gradient(self, theta):
        return self.changed("gradient", super().gradient(theta))

    def hessian(self, theta):
        return self.changed("curvature", super().hessian(theta))

    fisher = gauss_newton = sampled_fisher = empirical_fisher = hessian

    def residuals(self, theta):
        return self.changed("residuals", super().residuals(theta))

    def jacobian(self, theta):
        return self.changed("jacobian", super().jacobian(theta))

    def per_example_gradients(self, theta):
        return self.changed("rows", super().gradient(theta)[None])

    def sampled_gradient(self, theta, seed=None):
        return super().gradient(theta)

    def kronecker_factors(self, theta, **how):
        return self.changed("factors", [(np.ones((1, 1), theta.dtype), super().hessian(theta))])


def everywhere(answer, change):
    return [(A, change(G)) for A, G in answer]


FORMS = {"None": lambda a: None, "text": lambda a: "1", "complex": lambda a: a + 0j, "list": lambda a: a.tolist(),
         "object": lambda a: a.astype(object), "strings": lambda a: a.astype(str), "half": lambda a: a.astype("e"),
         "masked": lambda a: np.ma.masked_array(a, np.ones(a.shape, bool)), "one number": lambda a: float(a.flat[0]),
         "a row of it": lambda a: a[None], "cut short": lambda a: a[:-1], "one of it": lambda a: a[:1]}
REFUSED = {
    "value": {"None": lambda f: None, "text": str, "complex": lambda f: f + 0j, "masked": lambda f: np.ma.masked,
              "one in an array": lambda f: np.array([f]), "two": lambda f: np.array([f, f])},
    "curvature": FORMS | {"its diagonal": np.diag, "a corner": lambda H: H[:2, :2]}, "residuals": FORMS,
    "jacobian": FORMS | {"its diagonal": np.diag}, "rows": FORMS | {"cut short": lambda rows: rows[:, :-1]},
    "factors": {**{name: lambda pairs, change=change: everywhere(pairs, change) for name, change in FORMS.items()},
                "a corner": lambda pairs: everywhere(pairs, lambda G: G[:2, :2]), "no layer": lambda pairs: [],
                "a layer twice": lambda pairs: 2 * pairs,
                "no pairs": lambda pairs: [A for pair in pairs for A in pair], "nothing": lambda pairs: None}}
REFUSED["rows"].pop("one of it")  # there is but one row


def steps(name, problem, theta=START, most=2):
    with np.errstate(all="ignore"):
        return path(getattr(optimizers, name)(problem, theta), most)


@pytest.mark.parametrize("name", optimizers.__all__)
def test_what_is_no_answer_is_refused_by_every_method_that_asks_with_what_it_was_and_has_to_be(name):
    try:
        steps(name, Strange())
    except NotImplementedError:
        return
    for question, changes in REFUSED.items():
        for what, change in changes.items():
            problem = Strange(question, change)
            try:
                steps(name, problem)
            except (TypeError, ValueError) as error:
                text = str(error)
                assert "must be" in text and (" of Strange is " in text or "complex" in text or "mask" in text), (
                    f"{question}, {what}: {text}")
            else:
                assert not problem.asked, f"{question}, {what}: was taken"


@pytest.mark.parametrize("name", optimizers.__all__)
def test_what_is_an_answer_in_another_form_is_taken_for_what_it_is(name):
    try:
        whole = steps(name, Strange())
    except NotImplementedError:
        return
    buffer = np.empty(3)

    def handed_out(g):
        buffer[...] = g
        return buffer

    forms = {"in the other byte order": lambda a: a.astype(a.dtype.newbyteorder()), "by columns": np.asfortranarray,
             "not contiguous": lambda a: np.repeat(a, 2, axis=0)[::2],
             "read-only": lambda a: np.broadcast_to(a, a.shape)}
    for question in "gradient", "curvature", "residuals", "jacobian":
        for what, form in forms.items():
            assert_allclose(steps(name, Strange(question, form)), whole, rtol=1e-7, err_msg=f"{question} {what}")
    assert_allclose(steps(name, Strange("gradient", handed_out)), whole, err_msg="in one buffer")
    assert_allclose(steps(name, Strange("value", np.asarray)), whole)
    units = lambda a: np.where(a > 0, 2, -3).astype(int)  # noqa: E731: whole numbers are numbers
    assert_allclose(steps(name, Strange("gradient", units)), steps(name, Strange("gradient", lambda a: 1.0 * units(a))))


READ_ONLY = START.copy()
READ_ONLY.setflags(write=False)
STARTS = {
    "masked": (np.ma.masked_array(START, [0, 1, 0]), "masked"), "complex": (START + 0j, "real numbers"),
    "object": (START.astype(object), "real numbers"), "text": (START.astype(str), "real numbers"),
    "dates": (np.array([1, 2, 3], "M8[s]"), "real numbers"), "None": (None, "real numbers"),
    "empty": ([], "must be a vector"), "a number": (1.0, "must be a vector"), "a column": (START[:, None], "must be a"),
    "nan": (np.array([1, nan, 2]), r"theta\[1\] is nan"),
    "too long": (np.ones(4), "has 4 numbers"), "read-only": (READ_ONLY, None), "list": (START.tolist(), None),
    "not contiguous": (np.repeat(START, 2)[::2], None), "in the other byte order": (START.astype(">f8"), None),
    "longer than double": (START.astype(np.longdouble), None), "by columns": (np.asfortranarray(START), None)}


@pytest.mark.parametrize("name", optimizers.__all__)
def test_a_start_is_a_vector_of_real_numbers_in_whatever_form_or_refused(name):
    try:
        whole = steps(name, Strange())
    except NotImplementedError:
        whole = None
    for what, (theta, message) in STARTS.items():
        if message is not None:
            with pytest.raises(ValueError, match=message):
                steps(name, Strange(), theta)
        elif whole is not None:
            assert_allclose(steps(name, Strange(), theta), whole, err_msg=what)
    if whole is not None:
        assert_allclose(steps(name, Strange(), [1, -1, 2]), steps(name, Strange(), [1.0, -1.0, 2.0]))
        assert steps(name, Strange(), START.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize("name", ["sps", "momo", "newton_rate", "newton_cg", "bfgs"])
def test_a_value_that_is_not_a_number_is_no_reason_for_a_step(name):
    with pytest.raises(Diverged):
        steps(name, Strange("value", lambda f: nan), most=3)


def test_from_the_second_answer_on_a_problem_is_asked_itself():
    bowl = Strange()
    (_, first), (_, second) = islice(LookedAt(bowl).losses(), 2)
    assert first is second  # as the bowl is one and the same at every step
    for question in "value", "gradient", "hessian":
        assert getattr(first, question) != getattr(bowl, question)
        getattr(first, question)(START)
        assert getattr(first, question) == getattr(bowl, question)
    (_, first), (_, second) = islice(LookedAt(Wrong({})).losses(), 2)
    assert isinstance(first, LookedAt) and type(second) is Wrong


@pytest.mark.parametrize("name", ["newton", "newton_cg", "natural_gradient", "gcr"])
def test_a_complex_curvature_is_of_the_wrong_type_as_it_is_for_whoever_solves_with_it(name):
    for form in (lambda H: H + 0j), (lambda H: aslinearoperator(H + 0j)):
        with pytest.raises(TypeError, match="is complex, and must be real"):
            steps(name, Strange("curvature", form))


@pytest.mark.parametrize("form", [lambda J: J + 0j, lambda J: aslinearoperator(J + 0j)])
def test_a_complex_jacobian_is_refused(form):
    with pytest.raises((TypeError, ValueError), match="real numbers"):
        steps("gauss_newton", Strange("jacobian", form))


@pytest.mark.parametrize("question", ["residuals", "jacobian"])
@pytest.mark.parametrize("kind", [int, np.uint8])
def test_residuals_and_jacobians_of_whole_numbers_are_refused(question, kind):
    for name in "gauss_newton", "levenberg_marquardt":
        with pytest.raises(ValueError, match=f"the {question} of .*single or double precision: see .astype"):
            steps(name, Strange(question, lambda a: np.ones(a.shape, kind)))


def test_residuals_and_their_derivatives_are_as_many():
    for name in "gauss_newton", "levenberg_marquardt":
        for question in "residuals", "jacobian":
            with pytest.raises(ValueError, match="as long as the other of residuals and jacobian, [23]"):
                steps(name, Strange(question, lambda a: a[:2]))


MISTAKES = [
    ("is_real", "a mask is not seen", "and not isinstance(array, np.ma.MaskedArray)", "and True",
     "test_what_is_no_answer_is_refused_by_every_method_that_asks_with_what_it_was_and_has_to_be"),
    ("checked_matrix", "whatever its shape", "known in (None, (n, n))", "True",
     "test_what_is_no_answer_is_refused_by_every_method_that_asks_with_what_it_was_and_has_to_be"),
]
