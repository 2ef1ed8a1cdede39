"""What platforms get, cell by cell: points, names to work with, numbers of the seed, and scripts that run."""
import json
import re
import zipfile

import numpy as np
import pytest

from lectures import assignments
from lectures.coursework import blanks, handouts, jobs, release


def cells(form, name, tmp_path, monkeypatch, seed=0):
    """{identity: cell} of the notebook that a platform gets."""
    monkeypatch.setattr(handouts, "support", lambda *given: None)
    monkeypatch.setattr(handouts.jobs, "perform", lambda job: {})
    getattr(handouts, form)(assignments.load(name), tmp_path / form, seed=seed)
    file, = (tmp_path / form).rglob("*.ipynb")
    return {cell["id"]: cell | {"text": "".join(cell["source"])}
            for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]}


@pytest.mark.parametrize("name", ["03b", "10", "13"])
def test_a_blank_is_worth_what_its_claims_are_and_a_notebook_what_the_assignment_is(name, tmp_path, monkeypatch):
    assignment = assignments.load(name)
    worth = {about: [sum(claim.points for claim in assignment.claims if claim.about == about and claim.shown in kinds)
                     for kinds in ([True], [False])] for about in assignment.modules()}
    asked = [len(assignment.questions())] if assignment.faults else []
    there = cells("otter", name, tmp_path, monkeypatch)
    told = [int(found[1]) for cell in there.values() if (found := re.search(r"BEGIN QUESTION\n.*\npoints: (\d+)\n",
                                                                            cell["text"]))]
    assert told == [*map(sum, worth.values()), *asked] and sum(told) == assignment.points
    assert all(f"**{about}** ({sum(points)} points)" in there[f"{about}-words"]["text"]
               for about, points in worth.items())
    there = cells("nbgrader", name, tmp_path, monkeypatch)
    told = [cell["metadata"]["nbgrader"]["points"] for cell in there.values() if cell["metadata"]["nbgrader"]["grade"]]
    assert told == [*(points for both in worth.values() for points in both if points), *asked]


@pytest.mark.parametrize("name", ["03b", "01"])
def test_an_answer_stands_between_the_markers_of_a_platform_and_nothing_else_does(name, tmp_path, monkeypatch):
    assignment = assignments.load(name)
    there, other = (cells(form, name, tmp_path, monkeypatch) for form in ("nbgrader", "otter"))
    for about in assignment.modules():
        before, answer, instead = handouts.texts(assignment, about)
        indent, = {text[:len(text) - len(text.lstrip())] for text in (answer, instead)}
        head = handouts.names_of(assignment, about) + before + "\n"
        assert there[about.replace(".", "-")]["text"] == (
            f"{head}{indent}### BEGIN SOLUTION\n{answer}\n{indent}### END SOLUTION")
        assert other[f"{about.replace('.', '_')}-answer"]["text"] == (
            f"{head}{indent}# BEGIN SOLUTION NO PROMPT\n{answer}\n{indent}# END SOLUTION\n"
            f'{indent}""" # BEGIN PROMPT\n{instead}\n{indent}""" # END PROMPT')
    right, blank = (release.said(assignment, solution) for solution in (True, False))
    if assignment.faults:
        assert there["diagnosis"]["text"] == f"### BEGIN SOLUTION\n{right}### END SOLUTION"
        assert other["diagnosis-answer"]["text"] == (
            f'# BEGIN SOLUTION NO PROMPT\n{right}# END SOLUTION\n""" # BEGIN PROMPT\n{blank}""" # END PROMPT')
    raw = [cell["text"].split("\n")[0] for cell in other.values() if cell["cell_type"] == "raw"]
    count = len(assignment.modules()) + bool(assignment.faults)
    assert raw == ["# ASSIGNMENT CONFIG", *["# BEGIN QUESTION", "# BEGIN SOLUTION", "# END SOLUTION", "# BEGIN TESTS",
                                            "# END TESTS", "# END QUESTION"] * count]


@pytest.mark.parametrize("name", ["03b", "04"])
def test_of_a_course_nbgrader_locks_all_but_the_answers_and_grades_tests_alone(name, tmp_path, monkeypatch):
    assignment, there = assignments.load(name), cells("nbgrader", name, tmp_path, monkeypatch)
    answers = {*assignment.modules(), *(["diagnosis"] if assignment.faults else [])}
    for identity, cell in there.items():
        about = cell["metadata"]["nbgrader"]
        tests = identity.endswith(("-shown", "-hidden"))
        assert about["grade_id"] == identity and not about["task"]
        assert (about["locked"], about["solution"], about["grade"]) == (
            identity not in answers, identity in answers, tests) and ("points" in about) == tests
    assert answers <= there.keys()
    for about in assignment.wrong:
        assert assignment.wrong[about].splitlines()[0] in there[f"{about}-wrong"]["text"]


@pytest.mark.parametrize("form", ["nbgrader", "otter"])
@pytest.mark.parametrize("name", ["01", "10", "13"])
def test_the_cell_of_a_blank_has_all_the_names_that_it_needs_but_those_of_other_cells(
        form, name, tmp_path, monkeypatch):
    there, assignment, namespace = cells(form, name, tmp_path, monkeypatch), assignments.load(name), {}
    for about in assignment.modules():
        identity = about.replace(".", "-") if form == "nbgrader" else f"{about.replace('.', '_')}-answer"
        text, last = there[identity]["text"], about.rpartition(".")[2]
        head = text.partition("\n")[0]
        exec(text, namespace)
        assert callable(namespace[last]) and head.startswith(f"from {assignment.modules()[about]} import ")
        known = {other.rpartition(".")[2] for other in assignment.modules()}
        assert known.isdisjoint(head.partition(" import ")[2].split(", "))


def test_the_numbers_of_a_notebook_follow_from_the_seed_and_are_those_of_the_claims(tmp_path, monkeypatch):
    assignment, told = assignments.load("02"), {}
    mine = [claim for claim in assignment.claims if claim.about == "backtracking" and not claim.shown]
    for seed in 3, 4:
        told[seed], points = handouts.claims(assignment, "backtracking", seed, shown=False)
        assert points == sum(claim.points for claim in mine)
        for claim, (sentence, holds, job, expected) in zip(mine, told[seed], strict=True):
            drawn = json.loads(json.dumps(claim.job(assignments.example(assignment, claim, seed))))
            assert (sentence, holds, job) == (claim.sentence, claim.holds.__name__, drawn)
            assert expected == {name: part.tolist() for name, part in jobs.perform(drawn).items()}
    assert told[3] != told[4]
    for form, cell in ("nbgrader", "backtracking-hidden"), ("otter", "backtracking-hidden"):
        namespace, text = {}, cells(form, "02", tmp_path, monkeypatch, seed=4)[cell]["text"]
        exec(next(line for line in text.splitlines() if line.startswith("CLAIMS = ")), namespace)
        assert [row[2] for row in namespace["CLAIMS"]] == [row[2] for row in told[4]]


def test_a_cell_of_tests_puts_the_function_in_its_place_and_says_the_sentence_and_what_does_not_hold(monkeypatch):
    assignment, put = assignments.load("04"), []
    rows = [("It moves.", "agrees", {"do": "call"}, {"path": [[1.0, 2.0]]})]
    text = handouts.tested(assignment, "adam", rows)
    monkeypatch.setattr(jobs, "put", lambda *given: put.append(given))
    for got, said in (np.array([[1.0, 2.0]]), None), (np.array([[1.0, 3.0]]), (
            "It moves. at step 0, coordinate 1: expected 2, got 3")):
        monkeypatch.setattr(jobs, "perform", lambda job: {"path": got} if job == {"do": "call"} else {})
        if said is None:
            exec(text, {"adam": "mine"})
        else:
            with pytest.raises(AssertionError) as failed:
                exec(text, {"adam": "mine"})
            assert str(failed.value) == said
    assert put == [("numopt.optimizers.adaptive", "adam", "mine")] * 2
    method = handouts.tested(assignments.load("01"), "Dense.backward", [])
    exec(method, {"backward": "other"})
    assert put[-1] == ("numopt.networks.layers", "Dense.backward", "other")


def test_what_was_wrong_is_asserted_line_by_line_and_letter_by_letter():
    assignment = assignments.load("04b")
    fault, text = assignment.faults["adam"], handouts.right(assignments.load("04b"))
    for line in fault.lines:
        exec(text, {"DIAGNOSIS": {"adam": {"line": f" {line} ".replace(" = ", "="), "what": f" {fault.letter()} "}}})
    for line, letter, said in (("yield theta", fault.letter(), "another line"),
                               (fault.lines[0], "z", "something else")):
        with pytest.raises(AssertionError, match=said):
            exec(text, {"DIAGNOSIS": {"adam": {"line": line, "what": letter}}})
    namespace = {}
    exec(release.said(assignment, solution=True), namespace)
    assert namespace["DIAGNOSIS"] == {"adam": {"line": fault.lines[0], "what": fault.letter()}}


def test_an_archive_of_gradescope_has_two_scripts_that_run_and_all_that_grades(tmp_path, monkeypatch):
    root = tmp_path / "root"
    for file in ("numopt/a.py", "numopt/__pycache__/a.pyc", "lectures/b.md", "setup.cfg", "pyproject.toml",
                 "README.md", "LICENSE", "tests/test_a.py"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    monkeypatch.setattr(handouts, "ROOT", root)
    handouts.gradescope(assignments.load("04b"), tmp_path / "gs", seed=5)
    with zipfile.ZipFile(tmp_path / "gs" / "autograder.zip") as archive:
        there = {info.filename: info for info in archive.infolist()}
        setup, run = (archive.read(name).decode() for name in ("setup.sh", "run_autograder"))
        assert archive.read("numopt/numopt/a.py") == b"numopt/a.py"
    assert set(there) == {"setup.sh", "run_autograder", *(f"numopt/{file}" for file in (
        "numopt/a.py", "lectures/b.md", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"))}
    assert all(there[name].external_attr >> 16 & 0o777 == 0o755 for name in ("setup.sh", "run_autograder"))
    assert " ".join(run.split("python ")[1].replace("\\\n", "").split()) == (
        "-m lectures grade 04b /autograder/submission --seed 5 --secret /autograder/grading-secret "
        "--gradescope /autograder/results/results.json")
    made, file = re.search(r"head -c (\d+) /dev/urandom \| base64 > (\S+)\)", setup).groups()
    assert int(made) >= 32 and file == "/autograder/grading-secret" and "umask 077" in setup


def test_a_job_is_done_with_all_that_it_says():
    """On quadratics and nets of which the results are known."""
    bowl, theta = {"kind": "Quadratic", "A": np.diag([1.0, 4.0])}, np.array([1.0, 2.0])
    job = assignments.run("gradient_descent", bowl, theta, 3, lr=0.1)
    assert np.allclose(jobs.perform(job)["path"], [theta * [0.9**t, 0.6**t] for t in range(4)])
    where = jobs.several("gradient_descent", {"kind": "Quadratic", "A": np.diag([1.0, 4.0])},
                         [theta, 2 * theta, -theta], 2, lr=0.1)
    assert np.allclose(where, [k * theta * [0.81, 0.36] for k in (1, 2, -1)])
    assert jobs.several("gradient_descent", bowl, [theta, -theta], 0, lr=0.1).tolist() == [[1, 2], [-1, -2]]
    alpha, f = jobs.searched("backtracking", {"kind": "Quadratic", "A": [[1.0]]}, np.array([2.0]), 0.5)
    assert (alpha, f) == (0.5, 0.5)  # f(2 − 0.5 · 2) of ½ x²
    X, Y = np.eye(2), np.array([0, 1])
    net = {"sizes": (2, 2), "X": X, "Y": Y}
    weights = np.array([1.0, 0, 0, 0, 1, 0])
    plain, ridged = (jobs.problem("net", **net, ridge=price).whole.value(weights) for price in (0.0, 0.5))
    assert np.isclose(plain, np.log(1 + np.exp(-1))) and np.isclose(ridged - plain, 0.5 / 2 * 2)
    orders = {seed: [jobs.problem("net", **net, batch_size=1, seed=seed).loss(t).Y[0] for t in range(1, 30)]
              for seed in (0, 1)}
    assert orders[0] != orders[1]


def test_problems_that_are_made_here_have_the_derivatives_that_they_say():
    rng = np.random.default_rng(0)
    fit, ridged = jobs.problem("fit", x=rng.random(4), y=rng.random(4)), jobs.problem("ridged")
    for loss in fit, ridged:
        theta = rng.standard_normal(2)
        steps = 1e-6 * np.eye(2)
        J = np.transpose([(loss.residuals(theta + e) - loss.residuals(theta - e)) / 2e-6 for e in steps])
        assert np.allclose(loss.jacobian(theta), J, rtol=1e-6, atol=1e-6)
    x = np.array([0.0, 1.0, 2.0])
    assert np.allclose(jobs.fit(x, 3 * np.exp(-0.5 * x)).residuals(np.array([3.0, -0.5])), 0)
    slopes = jobs.problem("slopes", g=[[1.0, 2.0], [3.0, 4.0]])
    for t, g in ((1, [1, 2]), (2, [3, 4]), (3, [1, 2])):
        at = slopes.loss(t)
        assert at.gradient(np.zeros(2)).tolist() == g and at.value(np.array([1.0, 1.0])) == sum(g)
        assert at.gradient(np.zeros(2, np.float32)).dtype == np.float32


def test_a_run_is_begun_anew_after_as_many_steps_as_it_says(monkeypatch):
    from numopt import optimizers
    begun, made = [], optimizers.momentum

    def counted(loss, theta, **memory):
        begun.append((np.array(theta), memory.get("t", 0)))
        return made(loss, theta, **memory)

    monkeypatch.setattr(optimizers, "momentum", counted)
    bowl = {"kind": "Quadratic", "A": np.diag([1.0, 4.0])}
    whole, halves = (jobs.perform(assignments.run("momentum", bowl, np.ones(2), 7, stops, lr=0.1, mu=0.9))["path"]
                     for stops in (0, 3))
    assert np.array_equal(whole, halves) and [t for _, t in begun] == [0, 0, 3]
    assert np.array_equal(begun[2][0], whole[3])


def test_factors_of_a_convolution_have_its_border():
    """With a border of one and patches of 3 × 3 a single pixel of 1 is seen once by every place of the patch."""
    x, dy = np.zeros((1, 3, 3, 1)), np.zeros((1, 3, 3, 2))
    x[0, 1, 1, 0], dy[0, 1, 1] = 1.0, (1.0, 2.0)
    A, G = jobs.factors(3, 1, x, dy, np.zeros(20), "expand")
    assert A.shape == (10, 10) and np.allclose(A[:9, :9], A[0, 0] * np.eye(9)) and A[0, 0] > 0
    assert np.allclose(G / G[0, 0], [[1, 2], [2, 4]])


def test_what_is_blanked_is_the_whole_of_a_loop_of_either_kind_and_a_hash_in_a_text_is_no_comment():
    body = ("@optimizer\ndef f(problem, theta, *, t=0):\n    a = 1\n    {}:\n        theta = theta - a\n"
            "        yield theta\n")
    for head in "for t, loss in problem.losses(after=t)", "while True":
        function, = blanks.ast.parse(body.format(head)).body
        statements, instead = blanks.answer(function)
        assert [type(part).__name__ for part in statements] == ["Assign", "Expr"] and instead[1] == "yield theta"
    assert blanks.packed("x = '#1'  # so") == "x='#1'" and blanks.packed("  a  =  1 ") == "a=1"


def test_what_is_drawn_for_a_claim_is_its_own_and_what_its_sentence_says():
    assignment = assignments.load("04")
    drawn = [assignments.example(assignment, claim, 3).random() for claim in assignment.claims]
    other = assignments.example(assignment, assignment.claims[0], 4).random()
    assert len({*drawn, other}) == len(drawn) + 1
    random = np.random.default_rng(0)
    rates = np.array([assignments.between(random, 1e-4, 1) for _ in range(2000)])
    assert ((rates > 1e-4) & (rates < 1)).all()
    assert np.allclose([(rates < 10.0**k).mean() for k in (-3, -2, -1)], [0.25, 0.5, 0.75], atol=0.05)
    for seed in range(5):
        random = np.random.default_rng(seed)
        A = assignments.positive(random, 6, 50.0)
        assert np.allclose(A, A.T) and np.allclose(np.linalg.eigvalsh(A), np.geomspace(1, 50, 6))
        tilted = assignments.import_module("lectures.assignments.assignment12").tilted(random)
        assert np.linalg.eigvalsh((tilted + tilted.T) / 2)[0] > 0 and not np.allclose(tilted, tilted.T)
        slopes = assignments.slopes(random, n=500, steps=3)["g"]
        sizes = np.log10(np.abs(slopes).mean(axis=0))
        assert slopes.shape == (3, 500) and np.quantile(sizes, 0.95) - np.quantile(sizes, 0.05) > 2
        job = assignments.import_module("lectures.assignments.assignment13").backward(random)
        dy, x_hat, gamma, s = (jobs.made(part) for part in job["arguments"])
        assert np.allclose(x_hat.mean(axis=0), 0, atol=1e-12) and np.allclose(x_hat.var(axis=0), 1, atol=1e-3)
        assert dy.shape == x_hat.shape and gamma.shape == s.shape == x_hat.shape[1:]


def test_a_gradient_of_a_net_is_that_at_theta_and_a_product_that_with_v():
    rng = np.random.default_rng(1)
    theta, v = rng.standard_normal((2, 8))
    net = {"sizes": [3, 2], "X": rng.standard_normal((5, 3)), "Y": np.array([0, 1, 1, 0, 1]), "seed": 0}
    p = np.exp(net["X"] @ theta.reshape(2, 4)[:, :3].T + theta.reshape(2, 4)[:, 3])
    p /= p.sum(axis=1, keepdims=True)
    dz = (p - np.eye(2)[net["Y"]]) / 5
    g = np.column_stack([dz.T @ net["X"], dz.sum(axis=0)]).ravel()
    done = {matrix: jobs.product(net, theta, matrix, v)["result"] for matrix in ("gradient", "hessian", "gauss_newton")}
    assert np.allclose(done["gradient"], g)
    dz = np.array([np.diag(p_i) - np.outer(p_i, p_i) for p_i in p])
    x = np.column_stack([net["X"], np.ones(5)])
    assert np.allclose(done["hessian"], np.einsum("nij,nk,nl,jl->ik", dz, x, x, v.reshape(2, 4)).ravel() / 5)
    assert np.allclose(done["hessian"], done["gauss_newton"])  # of one layer
