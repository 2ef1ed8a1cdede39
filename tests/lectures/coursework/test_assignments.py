"""Every assignment: its claims fail on the blank, pass with the answer, and notice what people get wrong."""
import ast
import json
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import blanks, holding, jobs
from lectures.coursework.judge import ROOT, hollow
from numopt.kernels import reading
from numopt.kernels.twins import Kernel
from tests.test_mutants import MISTAKES, executed, found, put_in_place, wrong_version

EVERY = [assignments.load(name) for name in assignments.names()]
CLAIMS = [pytest.param(assignment, claim, id=f"{assignment.name}: {claim.sentence}")
          for assignment in EVERY for claim in assignment.claims]


@cache
def performed(claim, seed):
    """A job of the claim, as it comes out of a file, and its result with the package, which nobody has changed yet."""
    job = json.loads(json.dumps(claim.job(np.random.default_rng([3, seed]))))
    with reading(), np.errstate(all="ignore"):
        return job, jobs.perform(job)


def test_there_is_one_for_each_lecture_and_four_to_break():
    assert {assignment.lecture for assignment in EVERY} == {
        int(file.name[:2]) for file in (ROOT / "lectures").glob("[0-9]*.md")}
    assert sum(bool(assignment.wrong) for assignment in EVERY) >= 4


@pytest.mark.parametrize("name", ["99", "4", "04c", "04 ", "", "assignment04"])
def test_what_is_no_assignment_is_said_with_those_that_there_are(name):
    with pytest.raises(ValueError, match=f"^there is no assignment '{name}'; there is 01, .*, 04b?, "):
        assignments.load(name)


@pytest.mark.parametrize("assignment, claim", CLAIMS)
def test_with_the_answer_it_holds_whatever_is_drawn(assignment, claim):
    for seed in range(3):
        job, truth = performed(claim, seed)
        assert claim.holds(job, truth, truth) is None
        assert all(np.isfinite(part).all() for part in truth.values())
        if job["do"] == "run":
            assert len(truth["path"]) == job["steps"] + 1, "the method ended before the job did"


@pytest.mark.parametrize("assignment, claim", CLAIMS)
def test_float_noise_is_forgiven_and_nothing_else(assignment, claim):
    job, truth = performed(claim, 0)
    noisy = {name: part * (1 + 1e-12) for name, part in truth.items()}
    assert claim.holds(job, noisy, truth) is None
    assert claim.holds(job, {}, truth)
    assert claim.holds(job, {name: np.full_like(part, np.nan) for name, part in truth.items()}, truth)
    for name, part in truth.items() if claim.holds is assignments.agrees else ():
        for wrong in (part * 1.001 + 1e-3, part[..., None], np.full_like(part, np.nan)):
            assert claim.holds(job, truth | {name: wrong}, truth)


@pytest.mark.parametrize("assignment", EVERY, ids=lambda assignment: assignment.name)
def test_each_blank_has_its_claims_and_each_claim_its_blank(assignment):
    assert {claim.about for claim in assignment.claims} == set(assignment.modules())
    assert len({claim.sentence for claim in assignment.claims}) == len(assignment.claims)
    assert all(getattr(holding, claim.holds.__name__) is claim.holds for claim in assignment.claims), "for students too"
    assert any(not claim.shown for claim in assignment.claims) and any(claim.shown for claim in assignment.claims)


@pytest.mark.parametrize("assignment", EVERY, ids=lambda assignment: assignment.name)
def test_what_is_blanked_still_compiles_and_keeps_signatures(assignment):
    for file, text in hollow(assignment.name).items():
        tree, whole = ast.parse(text), ast.parse((ROOT / file).read_text(encoding="utf-8"))
        module = file.removesuffix(".py").replace("/", ".")
        for name in [*assignment.blanks.get(module, []), *assignment.also.get(module, [])]:
            empty, full = blanks.found(tree, name), blanks.found(whole, name)
            if blanks.is_helper(full):
                assert empty is None
                assert name not in {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)}, "it is called"
                continue
            assert ast.dump(empty.args) == ast.dump(full.args)
            assert ast.get_docstring(empty) == ast.get_docstring(full)
            assert ast.dump(empty) != ast.dump(full)


# Of what the tables have no wrong version of, as other tests hold it: (module, name, what is wrong, right, wrong).
MORE = [
    ("numopt.problems.minibatch", "MiniBatch.hessian", "half of it is the sum", "Y, Rz) / self.n", "Y, Rz)"),
    ("numopt.problems.minibatch", "MiniBatch.hessian", "Gauss-Newton's for it", "Rsaved, dz,", "Rsaved, 0 * dz,"),
    ("numopt.problems.minibatch", "MiniBatch.hessian", "finite differences", "return symmetric(product, theta)",
     "return Objective.hessian(self, theta)"),
    ("numopt.problems.minibatch", "MiniBatch.through_outputs", "the sum", "product(Jv) / self.n", "product(Jv)"),
    ("numopt.problems.minibatch", "MiniBatch.through_outputs", "JᵀJ", "product(Jv) /", "Jv /"),
    ("numopt.problems.minibatch", "MiniBatch.jacobian", "outputs before examples", "axis=1", "axis=0"),
    ("numopt.networks.layers", "Dense.jvp", "the inputs' change goes through V", "Ry += Rx @ W.T", "Ry += Rx @ V.T"),
    ("numopt.networks.layers", "Dense.jvp", "without the bias", "Ry += Rb", "Ry += 0"),
    ("numopt.networks.layers", "Dense.r_backward", "half of the product rule", "RdW += dy.T @ Rx", "RdW += 0"),
    ("numopt.networks.layers", "Dense.r_backward", "the other half", "Rdy @ W + dy @ V", "Rdy @ W"),
    ("numopt.kernels.convolution", "convolution_by_weights", "the bias is averaged", "dy.sum(axis", "dy.mean(axis"),
    ("numopt.kernels.convolution", "convolution_by_weights", "always with a bias", "if bias else", "if True else"),
    ("numopt.kernels.convolution", "convolution_by_inputs", "no stride", "W, shape, k, stride", "W, shape, k, 1"),
    ("numopt.optimizers.diagonal", "hutchinson", "the signs do not cancel", "return z * (", "return ("),
    ("numopt.optimizers.kronecker", "damped_cholesky", "the damping is not shared out", "pi_i * gamma", "gamma"),
    ("numopt.optimizers.kronecker", "damped_cholesky", "shared out the other way", "gamma / pi_i", "gamma * pi_i"),
    ("numopt.linalg.systems", "gcr_iterates", "projected on r, not on A r", "beta = v @ v_i", "beta = r @ v_i"),
    ("numopt.linalg.systems", "gcr_iterates", "the window is forgotten", "deque(maxlen=window)", "deque()"),
]


@cache
def answer(module, name):
    """What is blanked of a function: a mistake beside it is not the student's."""
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    body, _ = blanks.answer(blanks.found(ast.parse(source), name))
    return "\n".join(source.splitlines()[body[0].lineno - 1:body[-1].end_lineno])


def concerning(assignment):
    """The mistakes in the tables that concern a blank."""
    for module, name, what, right, wrong, *_ in [*MISTAKES, *MORE]:
        if name in assignment.blanks.get(module, []) and right in answer(module, name):
            yield pytest.param(assignment, module, name, right, wrong, id=f"{assignment.name} {name}: {what}")


@pytest.mark.parametrize("assignment, module, name, right, wrong",
                         [case for assignment in EVERY for case in concerning(assignment)])
def test_a_wrong_version_loses_points(assignment, module, name, right, wrong, monkeypatch):
    claims = [claim for claim in assignment.claims if claim.about == name]
    truths = [[performed(claim, seed) for seed in range(3)] for claim in claims]
    source = import_module(module)
    put_in_place(monkeypatch, found(vars(source), name), wrong_version(source, name, right, wrong))
    for claim, cases in zip(claims, truths):
        for seed, (job, truth) in enumerate(cases):
            try:
                with reading(), np.errstate(all="ignore"):
                    got = jobs.perform(job)
            except Exception:
                return
            if claim.holds(job, got, truth):
                return
    pytest.fail(f"full marks for {wrong!r} in place of {right!r}")


@pytest.mark.parametrize("assignment", [assignment for assignment in EVERY if assignment.wrong],
                         ids=lambda assignment: assignment.name)
def test_what_stands_there_to_be_mended_is_wrong_and_runs(assignment, monkeypatch):
    for name, module in assignment.modules().items():
        source = blanks.blanked(Path(ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"), [name],
                                assignment.wrong)
        namespace = executed(source, "wrong", module)
        claims = [claim for claim in assignment.claims if claim.about == name]
        truths = [performed(claim, 0) for claim in claims]
        put_in_place(monkeypatch, found(vars(import_module(module)), name), found(namespace, name))
        got = [jobs.perform(job) for job, _ in truths]
        assert any(claim.holds(job, mine, truth) for claim, mine, (job, truth) in zip(claims, got, truths))
        assert all(np.isfinite(part).all() for mine in got for part in mine.values()), "it runs, to be diagnosed"


@pytest.mark.parametrize("assignment", EVERY, ids=lambda assignment: assignment.name)
def test_the_laws_of_a_method_are_asked_for_as_their_sentences_say(assignment):
    for about in assignment.modules():
        jobs_of = {claim.sentence.replace(about, "it"): claim.job(np.random.default_rng(0))
                   for claim in assignment.claims if claim.about == about}
        if "it does the same after many steps." not in jobs_of:
            continue
        asked = {sentence: (job["steps"], job["stops"], job["theta"]["dtype"], "made" in str(job["with"].get("lr")))
                 for sentence, job in jobs_of.items() if job["do"] == "run"}
        steps, *usual = asked["So is the path of it, whatever the hyperparameters."]
        assert steps > 5 and usual == [0, "float64", False]
        assert asked["The first two steps of it are those of the lecture."] == (2, *usual)
        assert asked["it does the same after many steps."] == (4 * steps, *usual)
        stops = asked["it stopped and begun again from its memory goes on as if nothing had happened."][1]
        assert 1 < stops < steps
        assert asked["it leaves its input alone, and single precision single."] == (steps, 0, "float32", False)
        assert asked.get("it asks for its rate at every step.", (steps, 0, "float64", True))[3]


def test_of_every_blank_there_is_a_wrong_version():
    known = {(module, name) for module, name, *_ in [*MISTAKES, *MORE]}
    assert {(module, name) for assignment in EVERY for name, module in assignment.modules().items()} <= known


def test_no_twin_answers_for_a_kernel_that_is_among_the_blanks():
    kernels = {(assignment.name, name): module for assignment in EVERY for name, module in assignment.modules().items()
               if isinstance(getattr(import_module(module), name.split(".")[0]), Kernel)}
    assert {name for name, _ in kernels} >= {"01", "13", "13b"}
    for (assignment, name), module in kernels.items():
        kernel = executed(hollow(assignment)[f"{module.replace('.', '/')}.py"], "hollow", module)[name]
        assert not kernel.pays(np.ones((10**4, 10**3))) and not hasattr(kernel, "twin_function")


# ---------------------------------------------------------------------------- what assignments and claims are made of

def test_what_may_be_wrong_is_lettered_in_the_order_of_the_alphabet_wherever_the_truth_stands():
    for what, letter in ("no sign", "c"), ("a sign", "a"), ("the sum", "d"):
        fault = assignments.Fault(("x = 1",), what, tuple({"a sign", "an end", "no sign", "the sum"} - {what}))
        assert fault.choices() == {"a": "a sign", "b": "an end", "c": "no sign", "d": "the sum"}
        assert fault.letter() == letter


def test_points_are_those_of_all_claims_and_one_for_each_question_which_come_last_and_are_not_shown():
    claims = [assignments.Claim("f", "It is quick.", None), assignments.Claim("g", "It ends.", None, 4, False, max)]
    assert claims[0][3:] == (1, True, assignments.agrees) and claims[1][3:] == (4, False, max)
    fault = assignments.Fault(("x",), "a", ("b",))
    made = assignments.Assignment("03b", "A title", {"m.a": ["f"], "m.b": ["g", "C.h"]}, {}, {"f": ""}, [], claims, 3,
                                  {"f": fault, "g": fault})
    asked = [("f", "line", "The line of f that was wrong is named.", 1, False),
             ("f", "what", "What was wrong with f is said.", 1, False),
             ("g", "line", "The line of g that was wrong is named.", 1, False),
             ("g", "what", "What was wrong with g is said.", 1, False)]
    assert made.questions() == asked and made.parts() == [*claims, *asked] and made.points == 9
    assert made.modules() == {"f": "m.a", "g": "m.b", "C.h": "m.b"}
    assert made._replace(faults={}).points == 5 and made._replace(faults={}).parts() == claims


def test_an_assignment_is_read_from_its_module_with_its_title_and_the_number_of_its_lecture(monkeypatch):
    module = SimpleNamespace(__doc__="A title: of two   that goes on\nA second line.", BLANKS={"m.a": ["f"]},
                             CLAIMS=("one", "two"))
    monkeypatch.setattr(assignments, "names", lambda: ["07", "12b"])
    monkeypatch.setattr(assignments, "import_module", {"lectures.assignments.assignment12b": module}.get)
    monkeypatch.setattr(assignments, "also", lambda module: {"m.a": ["g"]})
    assert assignments.load("12b") == assignments.Assignment(
        "12b", "A title: of two", {"m.a": ["f"]}, {"m.a": ["g"]}, {}, [], ["one", "two"], 12, {})
    module.WRONG, module.KNOWN, module.FAULTS = {"f": "wrong"}, ["a line"], {"f": "a fault"}
    assert assignments.load("12b")[4:] == ({"f": "wrong"}, ["a line"], ["one", "two"], 12, {"f": "a fault"})


def test_what_goes_besides_are_the_named_and_the_newcomers_and_never_a_blank(monkeypatch):
    asked = []

    def with_newcomers(taken, known):
        asked.append((taken, known))
        return {module: [*names, f"new in {module}"] if module != "m.c" else names for module, names in taken.items()}

    monkeypatch.setattr(assignments, "with_newcomers", with_newcomers)
    also = assignments.also.__wrapped__
    module = SimpleNamespace(BLANKS={"m.a": ["f"], "m.c": ["c"]}, ALSO={"m.a": ["g"], "m.b": ["h"]}, KNOWN=["a line"])
    assert also(module) == {"m.a": ["g", "new in m.a"], "m.b": ["h", "new in m.b"]}
    assert asked == [({"m.a": ["f", "g"], "m.b": ["h"], "m.c": ["c"]}, ["a line"])]
    assert also(SimpleNamespace(BLANKS={"m.a": ["f"]})) == {"m.a": ["new in m.a"]} and asked[1] == ({"m.a": ["f"]}, [])


def test_the_numbers_of_an_example_are_others_for_each_claim_and_each_seed_and_the_same_again():
    claims = [assignments.Claim("f", sentence, None) for sentence in "abc"]
    made = SimpleNamespace(claims=claims)
    drawn = {(k, seed): assignments.example(made, claims[k], seed).random() for k in range(3) for seed in (0, 1)}
    assert len(set(drawn.values())) == 6
    assert all(assignments.example(made, claims[k], seed).random() == x for (k, seed), x in drawn.items())
    assert drawn[2, 1] == np.random.default_rng([1, 11, 2]).random()


def test_jobs_are_plain_data_with_arrays_and_their_kinds():
    x = np.array([[1, 2]], "float32")
    plain = {"array": [[1.0, 2.0]], "dtype": "float32"}
    assert assignments.run("adam", {"kind": "net", "X": x, "n": 2}, x, 7, lr=0.1) == {
        "do": "run", "method": "adam", "on": {"kind": "net", "X": plain, "n": 2}, "theta": plain, "steps": 7,
        "stops": 0, "with": {"lr": 0.1}}
    assert assignments.run("adam", {}, x, 7, 3)["stops"] == 3
    assert assignments.call("numopt.f", x, [x, 1], alpha=x, b=2) == {
        "do": "call", "function": "numopt.f", "arguments": [plain, [plain, 1]], "keywords": {"alpha": plain, "b": 2}}
    assert assignments.layer("Dense", 2, 3, w=x, training=False) == {
        "do": "layer", "layer": ["Dense", 2, 3], "w": plain, "training": False}


def test_matrices_problems_and_rates_are_drawn_as_they_say():
    for n, kappa in (4, 30.0), (3, 100.0):
        A = assignments.positive(np.random.default_rng(0), n, kappa)
        np.testing.assert_allclose(np.linalg.eigvalsh(A), np.geomspace(1, kappa, n), rtol=1e-9)
        assert np.abs(A - np.diag(np.diag(A))).max() > 0.1, "it is turned"
        bowl = assignments.bowl(np.random.default_rng(0), n, kappa)
        np.testing.assert_allclose(bowl["A"], A, rtol=1e-12, atol=1e-12)
        assert bowl["kind"] == "Quadratic" and bowl["b"].shape == (n,) and (bowl["A"] == bowl["A"].T).all()
    assert np.shape(assignments.bowl(np.random.default_rng(0))["A"]) == (4, 4)
    slopes = [assignments.slopes(np.random.default_rng(seed), n=300, steps=50)["g"] for seed in range(2)]
    sizes = np.log10(np.sqrt((slopes[0]**2).mean(axis=0)))
    assert slopes[0].shape == (50, 300) and set(np.round(sizes)) == {-2, -1, 0, 1}, "one size for each coordinate"
    assert assignments.slopes(np.random.default_rng(0))["g"].shape == (12, 4) and (slopes[0] != slopes[1]).all()
    net = assignments.net(np.random.default_rng(0), (3, 6), 400, ridge=0.5)
    assert (net["sizes"], net["X"].shape, net["ridge"]) == ([3, 6], (400, 3), 0.5)
    assert set(net["Y"]) == set(range(6)) and len(net["Y"]) == 400 and 0 <= net["seed"] < 1000
    assert len({assignments.net(np.random.default_rng(k))["seed"] for k in range(9)}) > 5
    usual = assignments.net(np.random.default_rng(0))
    assert usual["sizes"] == [5, 4, 3] and usual["X"].shape == (12, 5) and set(usual["Y"]) == {0, 1, 2}
    x, y = (assignments.fit(np.random.default_rng(0))[key] for key in "xy")
    rate, size = np.polyfit(x, np.log(y), 1)
    assert len(x) == 9 and (x[0], x[-1]) == (0, 2) and 0.9 < np.exp(size) < 3.3 and -1.2 < rate < 0.7
    for k in range(5):
        x, y = (assignments.fit(np.random.default_rng(k))[key] for key in "xy")
        off = y - np.polyval(np.polyfit(x, y, 3), x)
        assert 0.01 < np.sqrt((off**2).sum() / 5) < 0.12, "noise of 0.05"
    drawn = np.array([assignments.between(np.random.default_rng(k), 1e-4, 1e2) for k in range(400)])
    assert 1e-4 <= drawn.min() < 1e-3 and 1e1 < drawn.max() <= 1e2 and 0.3 < (drawn < 0.1).mean() < 0.7
    rate = assignments.falling(np.random.default_rng(0))
    assert rate["made"] == "numopt.schedules.exponential" and rate["of"]["decay"] == 0.8
    assert 1e-3 <= rate["of"]["a"] <= 1e-2


@pytest.mark.parametrize("on, size", [(None, 4), (assignments.slopes, 4), (assignments.fit, 2),
                                      (lambda random: assignments.bowl(random, 7), 7)])
def test_the_laws_of_a_method_are_six_claims_two_of_them_hidden_on_its_own_problem(on, size):
    laws = assignments.laws("adam", lambda random: {"lr": 0.5, "beta1": 0.9}, on, steps=6, points=2)
    assert [claim.about for claim in laws] == ["adam"] * 6 and {claim.points for claim in laws} == {2}
    assert [claim.shown for claim in laws] == [True] * 4 + [False] * 2
    assert [claim.holds for claim in laws] == [holding.agrees] * 3 + [holding.kept] + [holding.agrees] * 2
    made = [claim.job(np.random.default_rng(1)) for claim in laws]
    assert [(job["steps"], job["stops"]) for job in made] == [(2, 0), (6, 0), (6, 5), (6, 0), (24, 0), (6, 0)]
    assert [job["theta"]["dtype"] for job in made] == ["float64"] * 3 + ["float32"] + ["float64"] * 2
    assert all(job["method"] == "adam" and np.shape(job["theta"]["array"]) == (size,) for job in made)
    assert [job["with"] for job in made[:5]] == [{"lr": 0.5, "beta1": 0.9}] * 5
    assert made[5]["with"]["beta1"] == 0.9 and made[5]["with"]["lr"]["made"] == "numopt.schedules.exponential"
    kind = (on or assignments.bowl)(np.random.default_rng(1))["kind"]
    assert {job["on"]["kind"] for job in made} == {kind}
    assert json.loads(json.dumps(made)) == made
    alone = assignments.laws("adam", lambda random: {}, on, schedule=False)
    assert [claim.sentence for claim in alone] == [claim.sentence for claim in laws[:5]]
    assert alone[1].job(np.random.default_rng(1))["steps"] == 15 and {claim.points for claim in alone} == {1}
