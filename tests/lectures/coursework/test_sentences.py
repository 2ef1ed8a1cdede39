"""What is drawn for a claim is what its sentence speaks of: a share, a scaling, a window, a run that is stopped."""
import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import jobs
from numopt.signature import defaults


def drawn(name, begin, seed=0):
    """The job of the one claim whose sentence begins so."""
    claim, = [claim for claim in assignments.load(name).claims if claim.sentence.startswith(begin)]
    return claim.job(np.random.default_rng(seed)), claim


SAID = {
    ("02", "It asks for the share"): lambda job: job["keywords"]["c"] == 0.9,
    ("02", "After thirty trials"): lambda job: job["arguments"][3] > 1e19,
    ("02", "A step that is short enough"): lambda job: job["arguments"][3] < 1e-6,
    ("02", "Where the gradient is zero"): lambda job: not np.any(job["on"]["g"][0]),
    ("03", "Down a constant slope"): lambda job: len(job["on"]["g"]) == 1 and job["steps"] == 60,
    ("04", "It forgets"): lambda job: np.abs(job["on"]["g"][0]).min() > 99 * np.abs(job["on"]["g"][1]).max(),
    ("04", "The corrections fade"): lambda job: job["steps"] == 1000 and 0.99 < job["with"]["beta2"] < 0.999,
    ("05", "A probe judges the rate"): lambda job: job["with"]["probe"]["of"]["A"] != job["on"]["A"]["array"],
    ("05", "The rate grows"): lambda job: len(job["on"]["g"]) == 1 and job["with"]["beta"] == 0.5,
    ("05", "Where f bends the wrong way"): lambda job: np.linalg.eigvalsh(job["on"]["A"])[0] < 0,
    ("05", "It neither grows nor falls"): lambda job: 1.2 < job["with"]["most"] < 1.8,
    ("05", "It looks at a distance"): lambda job: job["on"]["kind"] == "Rosenbrock" and job["with"]["epsilon"] == 0.1,
    ("06", "It goes to whatever"): lambda job: np.prod(np.linalg.eigvalsh(job["on"]["A"])) < 0,
    ("06", "With |λ| + damping"): lambda job: np.prod(np.linalg.eigvalsh(job["on"]["A"])) < 0,
    ("06", "It does so with Levenberg's"): lambda job: job["with"]["scaling"] == "levenberg" and (
        0 < job["stops"] < job["steps"]),
    ("07", "It may begin anywhere"): lambda job: np.any(job["keywords"]["x"]["array"]),
    ("07", "With a matrix near"): lambda job: job["arguments"][2] > 2 and len(set(np.diag(
        job["keywords"]["preconditioner"]["array"]))) == 6,
    ("07b", "The slope is as flat"): lambda job: job["keywords"]["c2"] == 0.1,
    ("07b", "f falls as far"): lambda job: job["keywords"]["c1"] == 0.45,
    ("07b", "A step that was too short"): lambda job: job["arguments"][3] < 1e-4,
    ("07b", "A step that was too long"): lambda job: job["arguments"][3] > 0.09,
    ("07b", "Where there is no slope"): lambda job: job["arguments"][2]["array"] == [1, 1],
    ("08", "A pair without positive"): lambda job: np.dot(*(part["array"] for part in job["arguments"][1:])) < 0,
    ("08", "With them, L-BFGS"): lambda job: job["with"]["history"] == 3 < job["steps"],
    ("09", "Natural gradient solves"): lambda job: job["with"]["solver"] == "dense",
    ("09", "And with the Gauss-Newton"): lambda job: job["with"]["curvature"] == "gauss_newton",
    ("09", "So it has with F's diagonal"): lambda job: job["with"]["structure"] == "diagonal",
    ("09", "Where ε is large"): lambda job: job["with"]["epsilon"] == 1e3,
    ("10", "Its diagonal has the signs"): lambda job: job["with"]["block"] == 3,
    ("10", "Its power takes it"): lambda job: 0 < job["with"]["power"] < 1,
    ("10", "z ∘ Hz"): lambda job: job["with"]["estimator"] == "H",
    ("11", "Singular values above one"): lambda job: np.linalg.norm(job["arguments"][0]["array"], 2) > 10,
    ("11", "A wide matrix"): lambda job: np.shape(job["arguments"][0]["array"]) == (3, 6),
    ("11", "It does so with momentum"): lambda job: job["with"]["mu"] == 0.7 and (
        1 < job["with"]["every"] <= job["steps"] // 3),
    ("11", "It looks ahead"): lambda job: job["with"]["nesterov"] is False,
    ("11", "Its weights decay"): lambda job: job["with"]["weight_decay"] == 0.1,
    ("12", "With a window it remembers so"): lambda job: job["keywords"]["window"] < job["keywords"]["steps"] - 1,
    ("12", "With a window it remembers the"): lambda job: job["with"]["window"] < job["steps"] - 1,
    ("12", "It starts afresh"): lambda job: job["with"]["restart"] == 2 < job["with"]["window"] < job["steps"],
    ("12", "A step that would lead uphill"): lambda job: np.linalg.eigvalsh(job["on"]["A"])[-1] < 0,
    ("12", "It remembers no more"): lambda job: 0 < job["stops"] < job["steps"] and job["with"]["window"] == 2,
    ("13", "With a window it is the mean"): lambda job: job["with"]["window"] == 3 < job["steps"],
    ("13", "It goes on from its memory."): lambda job: 0 < job["stops"] < job["steps"],
    ("13", "After k steps"): lambda job: job["with"]["k"] < job["steps"] and job["with"]["alpha"] == 0.5,
    ("13", "A channel that hardly varies"): lambda job: np.var(job["arguments"][0]["array"]) < job["arguments"][3],
    ("14", "A search of one trial"): lambda job: job["arguments"][2] == 1,
    ("14", "It is so of hundreds"): lambda job: len(job["arguments"][0]["array"]) >= 150 and job["arguments"][2] >= 20,
    ("14", "A search of all trials"): lambda job: len(job["arguments"][0]["array"]) == job["arguments"][2] == 6,
    ("14", "Trials that diverged"): lambda job: np.isinf(job["arguments"][0]["array"]).sum() == 3,
}


@pytest.mark.parametrize("name, begin", SAID)
def test_a_job_has_what_its_sentence_speaks_of_whatever_is_drawn(name, begin):
    for seed in range(4):
        assert SAID[name, begin](drawn(name, begin, seed)[0])


def test_an_update_is_asked_for_the_equation_of_its_own_matrix_and_a_fault_is_none_of_the_others():
    for begin, holds in ("After SR1's correction", "makes_y_of_s"), ("After BFGS's correction", "makes_s_of_y"):
        assert drawn("08", begin)[1].holds.__name__ == holds
    for name in assignments.names():
        for fault in assignments.load(name).faults.values():
            assert len({fault.what, *fault.others}) == 1 + len(fault.others) == len(fault.choices())


HELD = {"gradient_descent": "lr", "normalized_descent": "lr", "sign_descent": "lr", "momentum": "lr mu",
        "nesterov": "lr mu", "rmsprop": "lr rho eps", "adam": "lr beta1 beta2 eps", "gradient_rate": "lr alpha",
        "newton_rate": "lr epsilon", "adahessian": "lr beta1 beta2 seed",
        "sophia": "lr beta1 beta2 seed gamma k weight_decay"}


@pytest.mark.parametrize("method", HELD)
def test_every_hyperparameter_of_a_law_is_drawn_anew_and_one_of_the_method(method):
    import numopt.optimizers
    name = next(name for name in assignments.names() if method in assignments.load(name).modules())
    begin = f"So is the path of {method}, whatever the hyperparameters."
    found = [drawn(name, begin, seed)[0]["with"] for seed in range(12)]
    for each in found:
        assert set(each) == set(HELD[method].split()) <= set(defaults(getattr(numopt.optimizers, method)))
    assert all(len({each[key] for each in found}) > 1 for key in found[0])


def test_as_many_points_are_shown_and_as_many_are_not_as_were_when_it_was_last_thought_about():
    """(points that are shown, points that are not), an assignment after the other."""
    told = {name: [sum(part.points for part in assignments.load(name).parts() if part.shown is shown)
                   for shown in (True, False)] for name in assignments.names()}
    assert told == {
        "01": [18, 7], "01b": [10, 5], "02": [17, 11], "03": [20, 8], "03b": [10, 6], "04": [16, 8], "04b": [8, 8],
        "05": [13, 5], "06": [14, 10], "07": [10, 8], "07b": [9, 5], "08": [13, 7], "08b": [5, 5], "09": [11, 5],
        "10": [15, 4], "11": [16, 8], "12": [15, 7], "13": [14, 4], "13b": [6, 4], "14": [8, 3]}


def test_a_fit_is_of_points_near_an_exponential_and_not_on_it():
    for seed in range(5):
        made = assignments.fit(np.random.default_rng(seed))
        x, y = made["x"], made["y"]
        design = np.column_stack([np.ones(9), x])
        line = design @ np.linalg.lstsq(design, np.log(np.maximum(y, 1e-3)), rcond=None)[0]
        assert 0.005 < np.std(y - np.exp(line)) < 0.3 and jobs.problem(**made).size == 2
