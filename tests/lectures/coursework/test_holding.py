"""When a result is the lecture's: from both sides of each border, in the words that a student gets."""
import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import holding

TRUTH = {"path": np.array([[1.0, 2.0], [3.0, 4.0]]), "given": np.array([5.0])}


def changed(**parts):
    return {name: np.array(part, float) for name, part in (TRUTH | parts).items()}


@pytest.mark.parametrize("test, relative", [(holding.agrees, 1e-6), (holding.agrees_closely, 1e-11)])
def test_rounding_agrees_and_more_than_that_does_not_and_is_told_by_its_place(test, relative):
    """Apart is what is more than the share of the largest number, and of itself."""
    assert test({}, changed(), TRUTH) is None and test({}, changed(more=[1.0]), TRUTH) is None
    near, far = 4 + 7.5 * relative, 4 + 9 * relative  # both shares are 4 times it, and there is next to nothing besides
    assert test({}, changed(path=[[1, 2], [3, near]]), TRUTH) is None
    assert test({}, changed(path=[[1, 2], [3, far]]), TRUTH).startswith("at step 1, coordinate 1: expected 4, got 4")
    assert test({}, {"dx": np.array([[1.5]])}, {"dx": np.array([[1.0]])}) == "at dx[0, 0]: expected 1, got 1.5"
    assert test({}, changed(given=[6.0]), TRUTH) == holding.WRITTEN_INTO


def test_of_several_mistakes_the_first_is_told():
    for path, place in (([[1, 9], [9, 9]], "step 0, coordinate 1"), ([[1, 2], [9, 9]], "step 1, coordinate 0")):
        assert holding.agrees({}, changed(path=path, given=[9]), TRUTH).startswith(f"at {place}: ")
    assert holding.agrees({}, {"y": np.array([1.0, 9, 9])}, {"y": np.ones(3)}) == "at y[1]: expected 1, got 9"
    job, truth = {"with": {"lr": 0.5}, "steps": 3}, {"path": np.array([[1.5, 0], [1.0, 0], [0.5, 0], [0.0, 0]])}
    for places, said in (([1.5, 1.0, 0.4, -0.2], "step 2 has the length 0.6; expected 0.5"),
                         ([1.5, 1.0, 1.5, 2.0], "step 2 leads away")):
        path = np.column_stack([places, np.zeros(4)])
        assert holding.one_length(job, {"path": path}, truth) == said
    job, truth = {"with": {"lr": 0.1}}, {"path": np.array([[0.0, 0, 0], [-7.0, 3, 1]])}
    assert holding.first_step(job, {"path": np.array([[0.0, 0, 0], [-0.1, 0.2, 0.3]])}, truth) == (
        "coordinate 1 moved by 0.2; expected 0.1")


def test_what_is_missing_of_another_shape_or_not_finite_is_said_so():
    assert holding.agrees({}, {}, TRUTH) == "there is no path"
    assert holding.agrees({}, changed(path=[[1.0, 2.0]]), TRUTH) == "path has the shape (1, 2); it should have (2, 2)"
    for wrong in np.nan, np.inf:
        assert holding.agrees({}, changed(path=[[1, 2], [3, wrong]]), TRUTH) == "path has entries that are not finite"


def test_single_precision_stays_and_the_input_is_left_alone_and_it_goes_the_same_way():
    truth = {"given": np.array([1.0, 1.0]), "path": np.array([[1.0, 1.0], [0.5, 2.0]])}
    assert holding.kept({}, dict(truth), truth) is None
    assert holding.kept({}, {"path": truth["path"]}, truth) == "the run gave nothing"
    assert holding.kept({}, truth | {"given": np.array([1.0, 1 + 2e-9])}, truth) == holding.WRITTEN_INTO
    assert holding.kept({}, truth | {"given": np.array([1.0, 1 + 5e-10])}, truth) is None
    assert "single precision and did not stay" in holding.kept({}, truth | {"path": truth["path"] + 1e-9}, truth)
    near, far = truth["path"] + np.array([[0, 0], [0, 2.0**-6]]), truth["path"] + np.array([[0, 0], [0, 2.0**-5]])
    assert holding.kept({}, truth | {"path": near}, truth) is None
    assert holding.kept({}, truth | {"path": far}, truth) == "in single precision it goes somewhere else"
    assert holding.kept({}, truth | {"path": truth["path"][:1]}, truth) == "in single precision it goes somewhere else"


def test_steps_of_one_length_are_all_there_of_that_length_and_downhill():
    job, truth = {"with": {"lr": 0.5}, "steps": 2}, {"path": np.array([[1.0, 0], [0.5, 0], [0.0, 0]])}
    assert holding.one_length(job, {"path": np.array([[1.0, 0], [0.6, 0.3], [0.1, 0.3]])}, truth) is None
    assert holding.one_length(job, {"path": truth["path"][:2]}, truth) == "the run took 1 steps; it should take 2"
    assert holding.one_length(job, {}, truth) == "the run took 0 steps; it should take 2"
    for longer, said in (4e-7, None), (6e-7, "step 2 has the length 0.500001; expected 0.5"):
        path = np.array([[1.0, 0], [0.5, 0], [-longer, 0]])
        assert holding.one_length(job, {"path": path}, truth) == said
    long = np.array([[1.0, 0], [0.5, 0], [-0.1, 0]])
    assert holding.one_length(job, {"path": long}, truth) == "step 2 has the length 0.6; expected 0.5"
    for away in [1.0, 0], [0.5, 0.5]:  # back, and across
        assert holding.one_length(job, {"path": np.array([[1.0, 0], [0.5, 0], away])}, truth) == "step 2 leads away"
    more = np.vstack([truth["path"], [-0.5, 0]])
    assert holding.one_length(job, {"path": more}, truth) == "the run took 3 steps; it should take 2"


def test_a_first_step_moves_every_coordinate_by_the_rate_downhill():
    job, truth = {"with": {"lr": 0.1}}, {"path": np.array([[0.0, 0], [-7.0, 3]])}
    assert holding.first_step(job, {"path": np.array([[0.0, 0], [-0.1, 0.1], [9, 9]])}, truth) is None
    assert holding.first_step(job, {"path": np.array([[0.0, 0]])}, truth) == "the run took no step"
    assert holding.first_step(job, {}, truth) == "the run took no step"
    for step, words in (([-0.1, -0.1], "coordinate 1 moved by -0.1; expected 0.1"),
                        ([-0.100009, 0.1], None),
                        ([-0.10002, 0.1], "coordinate 0 moved by -0.10002; expected -0.1")):
        assert holding.first_step(job, {"path": np.array([[0.0, 0], step])}, truth) == words


@pytest.mark.parametrize("keywords", [{}, {"c1": 0.3}, {"c2": 0.5}])
def test_a_step_meets_both_conditions_to_their_borders(keywords, monkeypatch):
    """On ½x² from 1 a step α has f = ½(1 − α)² and the slope −(1 − α): up to 2(1 − c1), and from 1 − c2 on."""
    theta, bowl = np.array([1.0]), {"kind": "Quadratic", "A": [[1.0]], "b": [0.0]}
    c1, c2 = keywords.get("c1", 1e-4), keywords.get("c2", 0.9)
    monkeypatch.setattr(holding, "made", lambda arguments: (None, bowl, theta, -theta))

    def said(alpha, f=None):
        result = np.array([alpha, (1 - alpha)**2 / 2 if f is None else f])
        return holding.meets_both({"arguments": None, "keywords": keywords}, {"result": result}, {})

    for alpha in 1 - c2 + 1e-4, 1.0, min(2 * (1 - c1), 1 + c2) - 1e-4:
        assert said(alpha) is None
    assert said(1 - c2 - 1e-3).startswith("at its step the slope is")
    assert said(2 * (1 - c1) + 1e-3).startswith("at its step f is")
    assert said(0.0) == "the step is 0; it should be positive" and said(-1.0).startswith("the step is -1")
    assert said(1.0, f=0.1) == "at its step f is 0; got 0.1"
    assert said(0.75, f=2.0**-5 * (1 + 5e-7)) is None and said(0.75, f=2.0**-5 * (1 + 2e-6)) is not None
    assert holding.meets_both({"arguments": None, "keywords": {}}, {}, {}) == "there is no step"
    assert holding.meets_both({"arguments": None, "keywords": {}}, {"result": np.array([np.nan, 1])}, {}) == (
        "there is no step")


def test_a_secant_equation_is_the_one_that_is_asked_for():
    B, s = np.diag([2.0, 3.0]), np.array([1.0, 1.0])
    job = {"arguments": assignments.call("f", np.eye(2), s, B @ s)["arguments"]}
    assert holding.makes_y_of_s(job, {"result": B}, {}) is None
    assert holding.makes_s_of_y(job, {"result": np.linalg.inv(B)}, {}) is None
    assert holding.makes_y_of_s(job, {"result": np.linalg.inv(B)}, {}).startswith("it is off by 2.67")
    assert holding.makes_s_of_y(job, {"result": B}, {}).startswith("it is off by 8")
    assert holding.makes_y_of_s(job, {"result": B + 2e-8 * np.eye(2)}, {}) is None
    assert holding.makes_y_of_s(job, {"result": B + 4e-8 * np.eye(2)}, {}) is not None
    for wrong in {}, {"result": np.ones(2)}:
        assert holding.makes_y_of_s(job, wrong, {}) == "it should give an array of shape (2, 2)"


def test_derivatives_balance_in_every_channel_and_are_not_all_zero():
    truth = {"dx": np.array([[1.0, -2.0], [-1.0, 2.0]])}
    assert holding.balance({}, dict(truth), truth) is None and holding.balance({}, {}, truth) == "there is no dx"
    assert holding.balance({}, {"dx": np.zeros((2, 2))}, truth) == "all derivatives are zero"
    assert holding.balance({}, {"dx": np.zeros((2, 2))}, {"dx": np.zeros((2, 2))}) is None
    for first in 0, -4e-9:  # where two channels are off they do not make up for one another
        assert holding.balance({}, {"dx": truth["dx"] + [[first, 4e-9], [0, 0]]}, truth) == (
            "in a channel they sum to 4e-09; expected 0")
    assert holding.balance({}, {"dx": truth["dx"] + [[0, 2e-9], [0, 0]]}, truth) is None


def test_what_is_wrong_is_chosen_from_letters_in_the_order_of_the_alphabet():
    fault = assignments.Fault(("a line",), "middle", ("zebra", "apple"))
    assert fault.choices() == {"a": "apple", "b": "middle", "c": "zebra"} and fault.letter() == "b"
