"""The parts of the site, by themselves: what moves, formulas, pages, sources, and what becomes of an old site."""
import inspect
import json
import os
import re
import subprocess
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import numopt
from lectures import assignments, quoting, reading
from lectures.quoting import ROOT
from lectures.site import build, explorables, mathematics, pages, sources
from numopt.problems import Quadratic

# --------------------------------------------------------------------------------------------------- what moves


@pytest.mark.parametrize("name", explorables.ALL)
def test_what_moves_has_a_slider_for_each_of_its_arguments_and_stands_beneath_what_is_quoted(name):
    title, sliders, function, after, back = explorables.ALL[name]
    assert list(inspect.signature(function).parameters) == list(sliders)
    for values in sliders.values():
        assert len(set(values)) == len(values) > 1 and (list(values) == sorted(values) or name == "conjugate")
    kind, _, quoted = after.partition(" ")
    texts = [file.read_text(encoding="utf-8") for file in quoting.files()]
    assert any(one.rpartition(".")[2] == quoted for text in texts for one in quoting.quoted(text, kind))
    ends = [function(**dict(zip(sliders, chosen))) for chosen in product(*[(v[0], v[-1]) for v in sliders.values()])]
    assert all(("path" in end) == (back is not None) for end in ends)
    for end in ends:
        curves = [end["path"]] if "path" in end else end["curves"].values()
        assert all(np.isfinite(curve).all() and len(curve) > 1 for curve in curves)
    assert len({json.dumps(explorables.short(end)) for end in ends}) == len(ends), "a slider moves nothing"


def test_exact_steps_in_a_valley_of_any_condition_fall_by_the_same_share_on_alternate_sides():
    for kappa in 3, 20:
        k, share = np.arange(26), (kappa - 1) / (kappa + 1)
        assert_allclose(explorables.zigzag(kappa)["path"], np.column_stack([share**k, (-share)**k]), rtol=1e-6)


def test_a_rate_for_two_curvatures_multiplies_each_error_by_its_own_factor():
    for rate in 0.05, 0.19:
        k = np.arange(41)
        assert_allclose(explorables.descent(rate)["path"],
                        np.column_stack([9 * (1 - rate)**k, (1 - 10 * rate)**k]), atol=1e-12)
    last = {rate: abs(explorables.descent(rate)["path"][-1, 1]) for rate in (0.19, 0.2, 0.205)}
    assert last[0.19] < 0.1 and last[0.2] == pytest.approx(1) and last[0.205] > 5


def test_a_ball_in_the_valley_goes_by_the_recurrence_of_two_terms():
    path = explorables.momentum(0.05, 0.9)["path"]
    assert len(path) == 61 and path[0].tolist() == [9, 1]
    for k in range(1, 60):
        assert_allclose(path[k + 1], path[k] - 0.05 * path[k] * [1, 10] + 0.9 * (path[k] - path[k - 1]), atol=1e-12)


def test_adam_s_first_steps_are_its_rate_and_what_its_second_memory_makes_of_it():
    def slope(x, y):
        return np.array([-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)])

    for rate, beta2 in (0.1, 0.5), (0.01, 0.99):
        start, one, two, *_ = explorables.adam(rate, beta2)["path"]
        assert_allclose(start, [-1.2, 1])
        assert_allclose(one, start - rate * np.sign(slope(*start)), rtol=1e-6)
        g, h = slope(*start), slope(*one)
        m, v = (0.09 * g + 0.1 * h) / 0.19, (beta2 * g**2 + h**2) / (beta2 + 1)
        assert_allclose(two, one - rate * m / np.sqrt(v), rtol=1e-6)


def test_a_saddle_holds_a_run_until_its_error_has_grown_and_what_leaves_is_not_drawn():
    path = explorables.escape(1e-8, 0.3)["path"]
    k = np.arange(len(path))
    assert len(path) == 54 and np.abs(path).max() < 1e3 < 1e-8 * 1.6**54
    assert_allclose(path, np.column_stack([0.4**k, 1e-8 * 1.6**k]), rtol=1e-6, atol=1e-15)  # x² − y²
    far = explorables.path("gradient_descent", explorables.valley(10.0), [9.0, 1.0], 40, lr=0.5)
    assert np.abs(far).max() < 1e3 <= 4**len(far) and len(far) == 5
    assert len(explorables.path("gradient_descent", explorables.valley(10.0), [9.0, 1.0], 40, lr=1e308)) == 1
    steep = explorables.path("gradient_descent", Quadratic(1e200 * np.eye(2)), [1e-3, 0], 40, lr=1e308)
    assert steep.tolist() == [[1e-3, 0]]


def test_a_path_ends_before_what_is_no_number(monkeypatch):
    places = [np.array([2.0, 1.0]), np.array([np.nan, 1.0]), np.array([1.0, 1.0])]
    monkeypatch.setattr(explorables.optimizers, "adam", lambda problem, start, **how: iter(places))
    assert explorables.path("adam", None, [3.0, 1.0], 9).tolist() == [[3, 1], [2, 1]]


def test_without_noise_an_average_lags_behind_descent_whose_loss_falls_by_two_factors():
    curves = explorables.averaged(0.1, 0.0)
    k = np.arange(151)
    assert curves["log"] and list(curves["curves"]) == ["gradient descent", "its average"]
    assert_allclose(curves["curves"]["gradient descent"], (9 * 0.9**(2 * k) + 3 * 4 * 0.7**(2 * k)) / 2, rtol=1e-9)
    assert curves["curves"]["its average"][100] > curves["curves"]["gradient descent"][100]
    noisy = explorables.averaged(0.3, 1.0)["curves"]
    assert np.mean(noisy["its average"][100:]) < np.mean(noisy["gradient descent"][100:]) / 3


def test_what_is_left_of_f_is_counted_from_its_minimum():
    A, shift = np.diag([1.0, 4.0]), np.array([3.0, -2.0])
    left = explorables.errors("gradient_descent", Quadratic(A, A @ shift, 7.0), shift + [1.0, 1.0], 5, lr=0.1)
    k = np.arange(6)
    assert_allclose(left, 0.5 * (0.9**(2 * k) + 4 * 0.6**(2 * k)), rtol=1e-12)


def test_what_is_remembered_helps_by_the_error_or_the_residual_from_the_start_on():
    few, many = (explorables.history(pairs, 1000) for pairs in (1, 20))
    errors = [result["curves"]["L-BFGS"] for result in (few, many)]
    assert few["log"] and [len(error) for error in errors] == [41, 41]
    assert errors[0][0] == errors[1][0] == pytest.approx(np.geomspace(1, 1000, 20).sum() / 2)
    assert errors[1][-1] < 0.1 * errors[0][-1]
    residuals = explorables.window(20, 100)["curves"]["GCR"]
    assert residuals[0] == pytest.approx(np.linalg.norm(np.geomspace(1, 100, 20)))
    assert residuals[20] < 1e-6 * residuals[0] and explorables.window(20, 100)["log"]


def test_singular_values_stay_at_no_step_and_come_near_to_one_after_ten():
    assert_allclose(explorables.roots(0, 0.01)["curves"]["singular values"], np.geomspace(0.01, 1, 12))
    for steps in 1, 3:
        known = np.geomspace(0.01, 1, 12) / np.linalg.norm(np.geomspace(0.01, 1, 12))
        for _ in range(steps):
            known = 3.4445 * known - 4.775 * known**3 + 2.0315 * known**5
        assert_allclose(explorables.roots(steps, 0.01)["curves"]["singular values"], np.sort(known))
    after = explorables.roots(10, 0.01)["curves"]
    assert (np.abs(np.array(after["singular values"]) - 1) < 0.4).all() and after["one"] == [1.0] * 12
    assert after["singular values"] == sorted(after["singular values"])


def test_a_learned_rate_begins_where_it_is_told_and_is_drawn_with_what_is_best():
    curves = explorables.learned(0.001, 1e-4)["curves"]
    assert curves["rate"][0] == 0.001 < curves["rate"][1] and len(curves["rate"]) == 61
    assert curves["1 / largest eigenvalue"] == [0.1] * 61
    assert list(explorables.learned(0.15, 1e-3)["curves"])[0] == "rate"


def test_of_a_rate_that_diverges_what_there_was_is_drawn(monkeypatch):
    class Run(dict):
        def __next__(self):
            self["lr"] = 2 * self.get("lr", 0.5)
            if self["lr"] > 5:
                raise FloatingPointError("it diverges")

        def __iter__(self):
            return self

    monkeypatch.setattr(explorables.optimizers, "gradient_rate", lambda problem, theta, lr, alpha: Run())
    assert explorables.learned(0.25, 1.0) == {"curves": {"rate": [0.25, 1.0, 2.0, 4.0]}}


def test_valleys_are_gone_down_to_the_minimum_and_a_natural_gradient_from_guessing():
    assert_allclose(explorables.damped(1e-3)["path"][-1], [1, 1], atol=1e-4)
    for formula in explorables.ALL["conjugate"][1]["formula"]:
        path = explorables.conjugate(formula, -1.2)["path"]
        assert path[0].tolist() == [-1.2, 1] and len(path) <= 41
    assert_allclose(explorables.conjugate("hestenes_stiefel", -1.2)["path"][-1], [1, 1], atol=0.1)
    assert explorables.adam(0.1, 0.999)["path"].shape == (151, 2)
    slow, quick = (explorables.natural(damping)["curves"] for damping in (10, 0.01))
    assert slow["gradient descent"] == quick["gradient descent"] and len(slow["natural gradient"]) == 41
    assert slow["natural gradient"][0] == quick["natural gradient"][0] == pytest.approx(np.log(2))
    assert quick["natural gradient"][-1] < quick["gradient descent"][-1] < slow["natural gradient"][-1]
    first = explorables.signs(1.0, 0.0)["path"]
    assert_allclose(first[1], 0.9 * first[0], rtol=1e-4)  # Newton's step by a tenth


def test_a_natural_gradient_is_moved_by_half_a_damped_step_and_descent_by_a_whole_one():
    X = np.random.default_rng(0).standard_normal((40, 2)) * [1.0, 0.2]
    Z, Y = np.column_stack([X, np.ones(40)]), np.eye(2)[(X @ [1.0, 3.0] > 0).astype(int)]
    slope = (0.5 - Y).T @ Z / 40
    for damping in 0.01, 1.0:
        fisher = np.kron(np.array([[1, -1], [-1, 1]]) / 4, Z.T @ Z / 40) + damping * np.eye(6)
        step = np.linalg.solve(fisher, slope.ravel()).reshape(2, 3)
        curves = explorables.natural(damping)["curves"]
        assert list(curves) == ["natural gradient", "gradient descent"]
        for name, V in ("natural gradient", -0.5 * step), ("gradient descent", -1.0 * slope):
            scores = Z @ V.T
            loss = np.mean(np.log(np.exp(scores).sum(axis=1)) - (scores * Y).sum(axis=1))
            assert curves[name][1] == pytest.approx(loss, rel=1e-6)


def test_results_are_in_the_order_of_positions_the_last_slider_fastest_with_four_digits(monkeypatch):
    def function(a, b):
        return {"curves": {"x": [a + b / 3]}, "log": a > 1}

    sliders = {"a": [1, 2], "b": [10, 20, 30]}
    monkeypatch.setattr(explorables, "ALL", {"one": ("a title", sliders, function, "x y", None)})
    told = explorables.computed()["one"]
    assert told["title"] == "a title" and told["sliders"] == sliders and told["back"] is None
    assert [result["curves"]["x"] for result in told["results"]] == [
        [4.333], [7.667], [11.0], [5.333], [8.667], [12.0]]
    assert [result["log"] for result in told["results"]] == [False] * 3 + [True] * 3
    assert explorables.places() == {"one": "x y"}
    assert explorables.short({"path": [[1 / 3, 1234.56]]}) == {"path": [[0.3333, 1235.0]]}


def test_level_lines_lie_where_the_paths_are_and_each_at_one_height_of_the_function():
    bowl = Quadratic(np.diag([1.0, 4.0]))
    near = [[0.0, 0.0], [2.0, 1.0]]
    told = explorables.ground(bowl, [{"path": near + [[20.0, 0.0]]}, {"path": [[1.0, 1.0]] * 20 + [[9.0, 9.0]]}])
    assert_allclose(told["box"], [-0.3, 2.3, -0.2, 1.2])
    x, y = np.meshgrid(np.linspace(-0.3, 2.3, 61), np.linspace(-0.2, 1.2, 61))
    known = np.quantile((x**2 + 4 * y**2) / 2, [0.02, 0.08, 0.2, 0.4, 0.65, 0.9])
    heights = [[bowl.value(np.array(point)) for point in line] for line in told["lines"]]
    for line in heights:
        level = known[np.argmin(np.abs(known - np.mean(line)))]
        assert_allclose(line, level, rtol=0.05, atol=0.01)
    assert {int(np.argmin(np.abs(known - np.mean(line)))) for line in heights} == set(range(6))


def test_of_a_level_line_every_second_point_is_drawn_and_nothing_of_one_with_three(monkeypatch):
    import contourpy
    lines = [np.column_stack([np.arange(count) / 3, np.zeros(count)]) for count in (3, 4, 5)]
    monkeypatch.setattr(contourpy, "contour_generator", lambda x, y, z: SimpleNamespace(lines=lambda level: lines))
    told = explorables.ground(Quadratic(np.eye(2)), [{"path": [[11.9, -11.9], [0.0, 0.0], [0.0, 12.0], [12.1, 0.0]]}])
    assert told["lines"] == 6 * [[[0, 0], [0.667, 0]], [[0, 0], [0.667, 0], [1.33, 0]]]
    assert_allclose(told["box"], [-1.29, 13.19, -13.19, 1.29])  # a tenth and 0.1 around what is nearer than 12


def test_what_moves_is_data_in_the_page_that_cannot_end_its_script():
    text = explorables.markup("one", {"title": "a </script> b", "results": [1, 2]})
    inside, = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert json.loads(inside) == {"title": "a </script> b", "results": [1, 2]} and "<" not in inside
    assert 'id="explore-one"' in text and 'aria-label="a </script> b"' in text and text.startswith("\n```{raw} html\n")


# ----------------------------------------------------------------------------------------------------- formulas

@pytest.fixture
def katex(monkeypatch):
    """In place of KaTeX: names and letters are <mi>, numbers <mn>, signs <mo>; what is in red is a mistake."""
    asked = []

    def engine(formula, displayed):
        asked.append((formula, displayed))
        if r"\red" in formula:
            raise RuntimeError("KaTeX parse error\n  at line 1")
        kinds = {"mathbb": "double-struck", "mathbf": "bold", "mathcal": "script", "boldsymbol": "bold-italic"}
        text = re.sub(r"\\tag\{.*?\}", "", formula)
        text = re.sub(r"\\(\w+) (\w|\\\w+)", lambda found: (
            f'<mi mathvariant="{kinds[found[1]]}">{found[2]}</mi>' if found[1] in kinds else found[0]), text)
        if not text.startswith("<mi"):
            text = re.sub(r"\\[a-zA-Z]+|[a-zA-Zα-ω]|\d+|[=+&]|_", lambda found: (
                "<msub></msub>" if found[0] == "_" else f"<mn>{found[0]}</mn>" if found[0].isdigit() else
                f"<mo>{found[0]}</mo>" if found[0] in "=+&" else f"<mi>{found[0]}</mi>"), text)
        return f'<span class="katex"><math>{text}</math></span>'

    monkeypatch.setattr(mathematics, "engine", lambda: engine)
    mathematics.rendered.cache_clear()
    yield asked
    mathematics.rendered.cache_clear()


@pytest.mark.parametrize("formula, letter", [
    (r"\mathbb R", "ℝ"), (r"\mathbb E", "𝔼"), (r"\mathbb Z", "ℤ"), (r"\mathbb A", "𝔸"), (r"\mathbb k", "𝕜"),
    (r"\mathbf g", "𝐠"), (r"\mathbf Z", "𝐙"), (r"\mathbf z", "𝐳"), (r"\mathbf α", "𝛂"), (r"\mathbf ω", "𝛚"),
    (r"\mathcal L", "ℒ"), (r"\mathcal N", "𝒩"), (r"\mathcal o", "ℴ"),
    (r"\mathcal a", "𝒶"), (r"\mathcal z", "𝓏"), (r"\mathcal M", "ℳ"), (r"\boldsymbol θ", "𝜽"),
    (r"\boldsymbol a", "𝒂"), (r"\boldsymbol M", "𝑴")])
def test_letters_of_a_variant_have_their_own_code_points(formula, letter, katex):
    assert mathematics.rendered(formula) == (
        f'<span class="math"><math><mi mathvariant="normal">{letter}</mi></math></span>')


def test_what_is_no_letter_of_a_variant_stays(katex):
    for formula in r"\mathbf 7", r"\mathcal θ", r"\mathbb β", r"\mathbf ϊ":  # which is right after ω
        assert re.search(r'mathvariant="(bold|script|double-struck)">[7θβϊ]<', mathematics.rendered(formula))


def test_a_formula_with_a_tick_in_it_stands_between_two(monkeypatch):
    monkeypatch.setattr(mathematics, "rendered", lambda formula, displayed=False: f"<{formula}{displayed}>")
    for text, told in (("$x$", "{formula}`<xFalse>`"), ("$x`$", "{formula}``<x`False>``"),
                       ("$$x$$", "\n\n```{raw} html\n<xTrue>\n```\n\n")):
        assert pages.MATHEMATICS.sub(pages.formula, text) == told


def test_a_formula_in_a_line_is_a_span_a_displayed_one_has_its_number_and_a_wrong_one_is_told(katex):
    assert mathematics.rendered(" x ") == '<span class="math"><math><mi>x</mi></math></span>'
    assert mathematics.rendered(r"x \tag{3.12}", True).startswith('<div class="math" id="equation-3.12"><math>')
    assert mathematics.rendered("x", True).startswith('<div class="math"><math>')
    assert katex == [("x", False), (r"x \tag{3.12}", True), ("x", True)]
    with pytest.raises(ValueError, match=r"this formula does not parse: '\\\\red x' \(KaTeX parse error\)$"):
        mathematics.rendered(r" \red x ")


def test_one_letter_is_a_letter_and_more_than_one_is_none(katex):
    assert mathematics.letters("x") == ("x", "") and mathematics.letters(r"\theta") == (r"\theta", "")
    assert mathematics.letters(r"\mathbf g") == ("𝐠", "normal")
    assert mathematics.letters("<mi>&amp;</mi>") == ("&", "")
    assert mathematics.letters("<mi></mi><mn></mn><mo></mo><mrow><mi>x</mi></mrow>") == ("x", ""), "others are empty"
    assert [mathematics.letters(formula) for formula in ("x y", "x_", "x = ", "2 x", "7")] == [None] * 5


def test_the_letters_of_the_sources_are_those_of_the_table_that_are_one_sign_in_both_and_differ(katex):
    sign, told = re.compile(r"\$(\\[a-zA-Z]+|[a-zA-Z])\$"), build.letters()
    assert list(told) == ["Memon", "Zheng", "Kashyap", "Ravaut", "Ravasi"]
    for source, pairs in told.items():
        cells = [(sign.fullmatch(row["letter"]), sign.fullmatch(row[source])) for row in reading.notation()]
        known = {ours[1]: [theirs[1], ""] for ours, theirs in cells if ours and theirs and ours[1] != theirs[1]}
        assert {ours: theirs for ours, theirs in pairs.items() if ours in known} == known
    assert told["Kashyap"][r"\eta"] == [r"\epsilon", ""] and r"\theta" not in told["Kashyap"]


def test_letters_are_given_where_both_are_one_sign_and_nothing_else_and_differ(katex, monkeypatch, tmp_path):
    rows = {"$x$": ("$y$", "$x$"), "$a$": ("$b$ or so", "$c$"), "$d$ here": ("$e$", "$e$"), "$f$": ("", "$g h$"),
            r"$\mathbf g$": ("$g$", r"$\mathbf g$"), "$p q$": ("$r$", "r"), "$s$": ("–", r"$\mathbf s$")}
    lines = [f"| {ours} | `code` | meaning | {' | '.join(theirs)} |" for ours, theirs in rows.items()]
    (tmp_path / "notation.md").write_text("\n".join(["Words.", "| letter | in code | means | A | B |",
                                                     "|---|---|---|---|---|", *lines]), encoding="utf-8")
    monkeypatch.setattr(quoting, "HERE", tmp_path)
    assert build.letters() == {"A": {"x": ["y", ""], "𝐠": ["g", ""]}, "B": {"a": ["c", ""], "s": ["𝐬", "normal"]}}


def test_a_formula_s_role_hands_its_mathml_through_as_it_is():
    role, = re.findall(r'register_local_role\("formula", (lambda .*)\)$', build.CONF, re.MULTILINE)
    nodes = SimpleNamespace(raw=lambda *given, **how: (given, how))
    assert eval(role, {"nodes": nodes})("formula", "`<b>`", "<b>", 3, None, options={}) == (
        [(("", "<b>"), {"format": "html"})], [])


# -------------------------------------------------------------------------------------------------------- pages

@pytest.fixture
def site():
    """Pages of which none has been made yet."""
    made = object.__new__(pages.Pages)
    made.explored, made.figures, made.linked, made.pages = {"code adam": "MOVES"}, set(), set(), {}
    return made


LECTURE = next(file for file in quoting.files() if file.name.startswith("04"))


def test_a_site_has_its_lectures_assignments_modules_and_every_file_that_they_lead_to(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("01-a.md", "02-b.md", "notation.md")]

    def page(self, file):
        self.linked |= {"tests/test_b.py", f"figures/{file.stem}.py"}
        return f"page {file.name} {self.explored}"

    monkeypatch.setattr(pages.Pages, "files", staticmethod(lambda: files))
    monkeypatch.setattr(pages.Pages, "page", page)
    monkeypatch.setattr(pages.Pages, "assignment", lambda self, name: f"sheet {name}")
    monkeypatch.setattr(pages.Pages, "index", lambda self: f"first of {len(self.pages)}")
    monkeypatch.setattr(assignments, "names", lambda: ["03b", "04"])
    for name, stand_in in {"modules": lambda: ["numopt.a", "numopt.b.c"], "api": lambda module: f"api {module}",
                           "page": lambda file: f"source {file}", "overview": lambda: "all modules",
                           "listed": lambda files: f"list {sorted(files)}"}.items():
        monkeypatch.setattr(sources, name, stand_in)
    linked = ["figures/01-a.py", "figures/02-b.py", "figures/notation.py", "numopt/a.py", "numopt/b/c.py",
              "tests/test_b.py"]
    explored = {"code adam": "MOVES"}
    assert pages.Pages(explored).pages == {
        **{f"lectures/{file.name}": f"page {file.name} {explored}" for file in files},
        "assignments/03b.md": "sheet 03b", "assignments/04.md": "sheet 04", "api/numopt.a.md": "api numopt.a",
        "api/numopt.b.c.md": "api numopt.b.c", **{f"source/{file}.md": f"source {file}" for file in linked},
        "source.md": f"list {linked}", "api.md": "all modules", "index.md": f"first of {7 + len(linked) + 2}"}


def test_beside_the_lectures_stand_the_letters_the_words_for_teachers_and_the_misprints_where_they_are(
        monkeypatch, tmp_path):
    monkeypatch.setattr(quoting, "HERE", tmp_path)
    for name in "errata.md", "02-b.md", "notation.md", "other.md", "01-a.md":
        (tmp_path / name).touch()
    assert [file.name for file in pages.Pages.files()] == ["01-a.md", "02-b.md", "notation.md", "errata.md"]
    (tmp_path / "teaching.md").touch()
    assert [file.name for file in pages.Pages.files()][2:] == ["notation.md", "teaching.md", "errata.md"]


def test_links_lead_to_what_the_site_has_and_the_rest_is_words(site):
    line = sources.line_of("tests/test_laws.py", "name")
    there = f"(/source/tests/test_laws.py.md#L-{line})"
    for text, there in {
            "[a](https://x.y) [b](#card) [c](/api.md)": "[a](https://x.y) [b](#card) [c](/api.md)",
            "[`test_laws.py::name`](../tests/test_laws.py)": "[`test_laws.py::name`]" + there,
            "[`name`](../tests/test_laws.py)": "[`name`]" + there,
            "[laws](../tests/test_laws.py)": "[laws](/source/tests/test_laws.py.md)",
            "[three](03-momentum.md#the-card)": "[three](/lectures/03-momentum.md#the-card)",
            "[letters](notation.md)": "[letters](/lectures/notation.md)",
            "[licence](../LICENSE), [out](../../x.py), [gone](../tests/no_such.py)": "licence, out, gone",
            "![picture](../figures/rendered/zigzag.png)": "![picture](../figures/rendered/zigzag.png)"}.items():
        assert site.links(text, LECTURE) == there
    assert site.linked == {"tests/test_laws.py"} and line > 1


def test_a_link_out_of_the_repository_is_words_though_there_is_something(site, tmp_path):
    (tmp_path / "there.py").write_text("x = 1\n")
    for target in os.path.relpath(tmp_path / "there.py", LECTURE.parent), "../..":
        assert site.links(f"[out]({target}) of here", LECTURE) == "out of here"
    assert site.linked == set()


def test_a_quoted_loop_says_where_it_stands_and_what_moves_is_beneath_the_first_of_them(site):
    found = quoting.QUOTATION.search("<!-- code: numopt.optimizers.adam -->\nTHE LOOP\n<!-- end -->")
    line = sources.line_of("numopt/optimizers/adaptive.py", "adam")
    place = f"[numopt/optimizers/adaptive.py](/source/numopt/optimizers/adaptive.py.md#L-{line})"
    assert site.quotation(found).split("\n\n") == ["\nTHE LOOP", f"{place}\nMOVES\n"]
    assert "MOVES" not in site.quotation(found) and site.linked == {"numopt/optimizers/adaptive.py"}
    number = quoting.QUOTATION.search("<!-- number: a; b; c; d; e -->1.5<!-- end -->")
    assert site.quotation(number) == "1.5"


@pytest.mark.parametrize("file, kind, method", [
    ("numopt/problems/wrappers.py", "Clipped", "gradient"), ("numopt/networks/layers.py", "Dropout", "forward"),
    ("numopt/networks/layers.py", "Dense", "backward")])
def test_a_quoted_method_leads_to_its_own_class_though_others_have_one_of_its_name(file, kind, method, site):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(lines) if re.match(rf"class {kind}\b", line))
    line = next(k for k, line in enumerate(lines, 1) if k > start and line.startswith(f"    def {method}("))
    assert site.module_of(f"{file[:-3].replace('/', '.')}.{kind}.{method}") == f"[{file}](/source/{file}.md#L-{line})"


def test_a_picture_comes_in_two_styles_with_its_caption_and_its_script(site):
    site.explored["figure zigzag"] = "MOVES"
    text = site.quotation(quoting.QUOTATION.search("<!-- figure: zigzag -->\nold\n<!-- end -->"))
    caption = quoting.docstring(ROOT / "figures" / "zigzag.py").split("\n")[0]
    for style in "light", "dark":
        assert f'<img class="only-{style}" src="../_static/figures/{style}/zigzag.png" alt="{caption}">' in text
    assert f"*{caption}* ([script](/source/figures/zigzag.py.md))" in text and text.endswith("MOVES")
    assert site.figures == {"zigzag"} and site.linked == {"figures/zigzag.py"} and "old" not in text


def test_formulas_are_rendered_everywhere_but_in_code_and_where_a_dollar_is_a_dollar(site, katex, tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# 4 A title\n\nLet $x$, ($y$)\nand $$z \\tag{4.1}$$ cost \\$5, $6 and $7.\n"
                    "Or \\$a$ for\n\n"
                    "```\n$a$ [b](c.md)\n```\nThen `$d$` and $e\nf$.\n", encoding="utf-8")
    text = site.page(file)
    assert [formula for formula, _ in katex] == ["x", "y", r"z \tag{4.1}", "e\nf"]
    assert '{formula}`<span class="math"><math><mi>x</mi></math></span>`, (' in text
    assert '\n\n```{raw} html\n<div class="math" id="equation-4.1"><math><mi>z</mi> </math></div>\n```\n\n' in text
    assert "cost \\$5, $6 and $7." in text and "\n```\n$a$ [b](c.md)\n```\n" in text and "`$d$`" in text
    assert text.startswith("# 4 A title\n\nLet {formula}") and "Or \\$a$ for" in text


def test_a_lecture_begins_with_its_notebook_and_its_assignments(site, katex):
    text = site.page(LECTURE)
    title, _, more, _, also, *_ = text.split("\n")
    assert title == LECTURE.read_text(encoding="utf-8").split("\n")[0]
    assert more == f'<p class="more"><a href="../notebooks/{LECTURE.stem}.ipynb" download>notebook</a></p>'
    assert also == "[assignment 04](/assignments/04.md) · [assignment 04b](/assignments/04b.md)"
    assert text.count("MOVES") == 1 and not re.search(r"<!-- (code|figure)", text)
    assert {"numopt/optimizers/adaptive.py"} <= site.linked and site.figures


def test_the_first_page_lists_each_lecture_with_what_it_quotes_once_and_leads_to_every_page(site):
    site.pages = {"assignments/04.md": "", "api/numopt.data.md": ""}
    text = site.index()
    for file in quoting.files():
        row, = re.findall(rf"^\| \[\d+ .*\]\(/lectures/{file.name}\) \| (.*) \|$", text, re.MULTILINE)
        names = row.split(", ")
        quoted = [name.rpartition(".")[2] for name in quoting.quoted(file.read_text(encoding="utf-8"), "code")
                  if name.startswith("numopt.optimizers.")]
        assert len(set(names)) == len(names) and set(names) - {""} == set(quoted)
    entries = re.findall(r"^/([\w./-]+)$", text, re.MULTILINE)
    assert entries == [*(f"lectures/{file.stem}" for file in pages.Pages.files()), "assignments/04", "api", "source"]
    assert re.findall(r":caption: (.*)", text) == ["Lectures", "Beside them", "Assignments", "The code"]


def test_of_a_lecture_s_row_methods_are_named_once_in_the_order_of_their_loops(site, tmp_path, monkeypatch):
    page = tmp_path / "07-made-up.md"
    page.write_text("# 7 Made up\n" + "".join(f"<!-- code: {name} -->\n<!-- end -->\n" for name in (
        "numopt.optimizers.sam", "numopt.optimizers.adam", "numopt.linalg.cg", "numopt.optimizers.newton.sam",
        "numopt.optimizers.adam")), encoding="utf-8")
    monkeypatch.setattr(quoting, "files", lambda: [page])
    monkeypatch.setattr(pages.Pages, "files", staticmethod(lambda: [page, tmp_path / "notation.md"]))
    text = site.index()
    assert "\n| [7 Made up](/lectures/07-made-up.md) | sam, adam |\n" in text
    assert re.findall(r"^/(.*)$", text, re.MULTILINE) == ["lectures/07-made-up", "lectures/notation", "api", "source"]


def test_an_assignment_s_sheet_leads_to_its_lecture(site):
    text = site.assignment("04b")
    assert f"\nIt belongs to [lecture 4](/lectures/{LECTURE.name}). These are" in text
    from lectures.coursework.release import sheet
    assert text.replace(f"[lecture 4](/lectures/{LECTURE.name})", "lecture 4") == sheet(assignments.load("04b"))


def test_a_sheet_leads_to_its_lecture_where_it_says_whose_it_is_and_only_there(site, monkeypatch):
    from lectures.coursework import release
    monkeypatch.setattr(release, "sheet", lambda assignment: f"{assignment.name} of lecture 4. As in lecture 4.\n")
    assert site.assignment("04") == f"04 of [lecture 4](/lectures/{LECTURE.name}). As in lecture 4.\n"


# ------------------------------------------------------------------------------------------------------ sources

def test_a_source_has_its_lines_numbered_and_a_name_is_where_it_is_defined_first():
    text, file = sources.page("numopt/searches.py"), ROOT / "numopt" / "searches.py"
    count = len(file.read_text(encoding="utf-8").splitlines())
    assert re.findall(r'id="L-(\d+)"', text) == [f"{k}" for k in range(1, count + 1)]
    assert re.findall(r'<span class="linenos"> *(\d+)</span>', text) == [f"{k}" for k in range(1, count + 1)]
    assert text.startswith("---\norphan: true\n---\n# numopt/searches.py\n\n```{raw} html\n")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[sources.line_of("numopt/searches.py", "best_of_search") - 1].startswith("def best_of_search(")
    lines = (ROOT / "numopt/networks/layers.py").read_text(encoding="utf-8").splitlines()
    first = next(k for k, line in enumerate(lines, 1) if re.match(r"\s+def forward\(", line))
    assert sources.line_of("numopt/networks/layers.py", "forward") == first
    assert sources.line_of("numopt/searches.py", "no_such") == 1


def test_files_are_listed_by_folder_in_order():
    assert sources.listed({"b/two.py", "a/x.py", "b/one.py", "top.py"}).split("\n")[2:] == [
        "## .", "", "- [top.py](/source/top.py.md)", "", "## a", "", "- [x.py](/source/a/x.py.md)", "", "## b", "",
        "- [one.py](/source/b/one.py.md)", "- [two.py](/source/b/two.py.md)", "", ""]


def test_the_package_s_own_modules_are_all_told_of_each_with_what_it_is_about():
    found = list(sources.modules())
    assert len(set(found)) == len(found) and "numopt.optimizers.adaptive" in found and "numopt.data" in found
    for room in ("optimizers", "problems", "networks", "linalg", "kernels"):
        files = [file.stem for file in (ROOT / "numopt" / room).glob("[!_]*.py")]
        assert sorted(files) == [name.split(".")[2] for name in found if name.startswith(f"numopt.{room}.")]
    assert all(not name.rpartition(".")[2].startswith("_") for name in found)
    rows = re.findall(r"^\| \[(.*)\]\(/api/\1\.md\) \| (.+) \|$", sources.overview(), re.MULTILINE)
    assert [name for name, _ in rows] == found
    assert dict(rows)["numopt.networks.layers"] == sources.html.escape(
        " ".join(numopt.networks.layers.__doc__.split("\n\n")[0].split())).replace("|", "\\|")
    assert not any("&lt;" not in text and "<" in text for _, text in rows)


def test_modules_are_those_that_there_are_room_by_room_in_the_order_of_the_api(monkeypatch, tmp_path):
    for name in "data.py", "other.py", "problems/b.py", "problems/a.py", "problems/_c.py", "optimizer.py":
        (tmp_path / "numopt" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "numopt" / name).touch()
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    assert list(sources.modules()) == ["numopt.optimizer", "numopt.problems.a", "numopt.problems.b", "numopt.data"]


def test_of_a_module_the_first_paragraph_is_told_in_a_cell_of_a_table(monkeypatch, tmp_path):
    (tmp_path / "numopt").mkdir()
    (tmp_path / "numopt" / "a.py").write_text('"""Of |x| < 1\nand more.\n\nNot this."""\n')
    (tmp_path / "numopt" / "b.py").write_text("x = 1\n")
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "modules", lambda: ["numopt.a", "numopt.b"])
    assert sources.overview().splitlines()[-2:] == [
        "| [numopt.a](/api/numopt.a.md) | Of \\|x\\| &lt; 1 and more. |", "| [numopt.b](/api/numopt.b.md) |  |"]


def test_what_a_module_offers_is_what_is_public_with_its_signature_and_its_docstring():
    text = sources.api("numopt.problems.wrappers")
    from numopt.problems import wrappers
    classes = [name for name, value in vars(wrappers).items() if inspect.isclass(value)
               and value.__module__ == wrappers.__name__ and not name.startswith("_")]
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE)[:len(classes)] and set(classes) <= set(
        re.findall(r"^## (\w+)$", text, re.MULTILINE))
    assert "```python\nclass Clipped(problem, element=None, norm=None)\n```" in text
    assert "[source](/source/numopt/problems/wrappers.py.md)" in text and "__init__" not in text
    text = sources.api("numopt.problems.objective")
    methods = [name for name, value in vars(numopt.problems.objective.Objective).items()
               if inspect.isfunction(value) and value.__doc__ and not name.startswith("_")]
    assert set(methods) <= set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert "```python\nsampled_gradient(self, theta, seed=None)\n```" in text and "class Objective()" in text
    assert '<div class="docstring">f(θ), a float.</div>' in text
    tree = sources.ast.parse('def f(x):\n    """a < b"""\n\n\ndef g():\n    pass\n')
    for arguments, told in (("self", "C()"), ("self, a, b=1", "C(a, b=1)"), ("self, *, a", "C(*, a)")):
        made, = sources.ast.parse(f"class C:\n    def __init__({arguments}): pass\n").body
        assert sources.signature(made) == told
    assert "a &lt; b" in sources.docstring(tree.body[0]) and sources.docstring(tree.body[1]) == ""


def test_of_what_is_private_or_within_a_function_nothing_is_offered_and_of_methods_those_that_say_what_they_do(
        monkeypatch, tmp_path):
    (tmp_path / "a.py").write_text('''"""Of a & b."""

class C:
    """A class."""

    def __init__(self, x): pass

    def told(self, *, y=2):
        """What it does."""

    def untold(self): pass

    def _hidden(self):
        """Nobody's business."""

class _Hidden:
    """Nobody's."""

def f(x):
    """What <it> does."""
    def inner():
        """Nobody's."""

def g(x=1): pass

def _hidden():
    """Nobody's."""
''')
    monkeypatch.setattr(sources, "import_module", lambda module: SimpleNamespace(__file__=tmp_path / "a.py"))
    text = sources.api("numopt.a")
    assert text.startswith("---\norphan: true\n---\n# numopt.a\n") and "[source](/source/numopt/a.py.md)" in text
    assert re.findall(r"^(#+ .*|(?:class )?\w+\(.*\)|<div.*</div>)$", text, re.MULTILINE) == [
        "# numopt.a", '<div class="docstring">Of a &amp; b.</div>',
        "## C", "class C(x)", '<div class="docstring">A class.</div>',
        "### told", "told(self, *, y=2)", '<div class="docstring">What it does.</div>',
        "## f", "f(x)", '<div class="docstring">What &lt;it&gt; does.</div>', "## g", "g(x=1)"]


# ------------------------------------------------------------------------------------------------------ a build

@pytest.fixture
def quick(monkeypatch):
    """A build without Sphinx and without pictures: a page, and what Sphinx leaves behind."""
    done = []

    def sphinx(source, html):
        (html / ".doctrees").mkdir(parents=True)
        for name in (".buildinfo", "objects.inv", "index.html"):
            (html / name).write_text(f"build {len(done)}", encoding="utf-8")
        done.append(source)

    @contextmanager
    def drawn_dark(folder):
        yield
        assert (folder.parents[2] / "index.html").exists()

    for name, stand_in in {"sphinx": sphinx, "drawn_dark": drawn_dark, "checked": lambda: None,
                           "written": lambda source: source.mkdir()}.items():
        monkeypatch.setattr(build, name, stand_in)
    return done


def test_a_new_site_takes_the_place_of_an_old_one_whole_and_nothing_else_stays(quick, tmp_path):
    out = tmp_path / "new" / "site"
    assert build.built(out) == out
    (out / "old.html").touch()
    build.built(out)
    assert sorted(file.name for file in out.iterdir()) == [build.MARK, "index.html"]
    assert (out / "index.html").read_text() == "build 1" and len(quick) == 2
    assert list(out.parent.iterdir()) == [out]
    assert all(source.parents[1] == out.parent and source.parent.name.startswith(".site-") for source in quick), (
        "where it can be put in its place at one stroke")


def test_where_a_build_fails_the_old_site_stays(quick, tmp_path, monkeypatch):
    out = build.built(tmp_path / "site")

    def fails(source, html):
        raise ValueError("Sphinx does not like a page")

    monkeypatch.setattr(build, "sphinx", fails)
    with pytest.raises(ValueError, match="does not like"):
        build.built(out)
    assert (out / "index.html").read_text() == "build 0" and list(tmp_path.iterdir()) == [out]


def test_a_site_with_a_drifted_quotation_is_not_built(quick, tmp_path, monkeypatch):
    def drifted():
        raise ValueError("a quotation is out of date")

    monkeypatch.setattr(build, "checked", drifted)
    with pytest.raises(ValueError, match="out of date"):
        build.built(tmp_path / "new" / "site")
    assert quick == [] and list(tmp_path.iterdir()) == []


def test_what_is_no_site_is_left_alone(quick, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    for name in "file", "mine":
        with pytest.raises(FileExistsError, match=f"{name} holds something that is not a site"):
            build.built(tmp_path / name)
    (tmp_path / "empty").mkdir()
    assert (build.built(tmp_path / "empty") / "index.html").exists()
    monkeypatch.setattr(os, "access", lambda place, how: (place, how) != (tmp_path, os.W_OK))
    with pytest.raises(PermissionError, match="cannot be written to"):
        build.built(tmp_path / "deep" / "er")
    assert len(quick) == 1


def test_a_drifted_quotation_is_said_with_its_page(monkeypatch):
    monkeypatch.setattr(quoting, "pages", lambda: [LECTURE])
    build.checked()
    monkeypatch.setattr(quoting, "rewritten", lambda file: "other")
    with pytest.raises(ValueError, match=f"{LECTURE.name}: a quotation is out of date"):
        build.checked()


@pytest.mark.parametrize("code, out, err, said", [
    (0, "", "", None), (0, "much", "", None), (1, "first\nsecond", "", "first"), (2, "", "", "no word"),
    (0, "", "HERE/page.md: WARNING: no such thing\nmore\n", "/page.md: WARNING: no such thing")])
def test_a_warning_of_sphinx_is_an_error_in_one_line(code, out, err, said, monkeypatch, tmp_path):
    def run(command, **how):
        assert command[1:3] == ["-m", "sphinx"] and command[-2:] == [tmp_path / "source", tmp_path / "html"]
        return SimpleNamespace(returncode=code, stdout=out, stderr=err.replace("HERE", str(tmp_path / "source")))

    monkeypatch.setattr(subprocess, "run", run)
    if said is None:
        return build.sphinx(tmp_path / "source", tmp_path / "html")
    with pytest.raises(ValueError, match=rf"^Sphinx does not like a page: {re.escape(said)}$"):
        build.sphinx(tmp_path / "source", tmp_path / "html")


def test_pictures_in_the_dark_are_drawn_anew_only_where_what_they_depend_on_is_another(monkeypatch, tmp_path):
    import figures
    from figures.making import processes, rendering
    drawn = []

    class Here:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, function, *arguments):
            return SimpleNamespace(result=partial(function, *arguments))  # it is done when it is waited for

    def render(name, folder, style):
        drawn.append((name, style))
        (Path(folder) / "p.png").write_text(f"{name} in the {style}")
        return Path(folder) / "p.png"

    page = tmp_path / "page.md"
    page.write_text("<!-- figure: zigzag -->\n<!-- end --><!-- figure: saddle -->\n<!-- end -->"
                    "<!-- figure: zigzag -->\n<!-- end -->", encoding="utf-8")
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(build.Pages, "files", staticmethod(lambda: [page]))
    monkeypatch.setattr(processes, "Processes", Here)
    monkeypatch.setattr(figures, "render", render)
    monkeypatch.setattr(figures, "RENDERED", tmp_path)
    (tmp_path / "saddle.png").write_bytes(b"light")
    for number, (with_what, light) in enumerate([("one", b"1"), ("one", b"1"), ("other", b"1"), ("other", b"2")]):
        (tmp_path / "zigzag.png").write_bytes(light)
        monkeypatch.setattr(rendering, "drawn_with", lambda with_what=with_what: with_what)
        with build.drawn_dark(tmp_path / f"html{number}"):
            assert not (tmp_path / f"html{number}").exists()
        assert {file.name: file.read_text() for file in (tmp_path / f"html{number}").iterdir()} == {
            f"{name}.png": f"{name} in the dark" for name in ("zigzag", "saddle")}
    assert drawn == [("saddle", "dark"), ("zigzag", "dark")] * 2 + [("zigzag", "dark")]


def test_all_that_sphinx_reads_is_written(monkeypatch, tmp_path, katex):
    monkeypatch.setattr(explorables, "computed", lambda: {name: {"title": name} for name in explorables.ALL})
    given = []

    class Few:
        def __init__(self, explored):
            given.append(explored)
            self.pages, self.figures = {"lectures/01.md": "text", "index.md": "first"}, {"zigzag"}

    monkeypatch.setattr(explorables, "places", lambda known=explorables.places(): known | {"damped": "code adam"})
    monkeypatch.setattr(build, "Pages", Few)
    monkeypatch.setattr(build.notebooks, "notebook", lambda file: file.stem)
    build.written(tmp_path)
    assert (tmp_path / "lectures" / "01.md").read_text() == "text" and (tmp_path / "index.md").read_text() == "first"
    assert set(given[0]) == set(explorables.places().values())
    assert re.findall(r'id="explore-(\w+)"', given[0]["code adam"]) == ["adam", "damped"], "one beneath the other"
    assert 'id="explore-escape"' in given[0]["figure saddle"]
    static = tmp_path / "_static"
    assert (static / "figures" / "light" / "zigzag.png").read_bytes() == (
        ROOT / "figures" / "rendered" / "zigzag.png").read_bytes()
    for file in ("site.css", "explore.js"):
        assert (static / file).read_bytes() == (build.HERE / file).read_bytes()
    first, script = (static / "letters.js").read_text(encoding="utf-8").split("\n", 1)
    assert json.loads(first.removeprefix("const LETTERS = ").removesuffix(";")) == build.letters()
    assert script == (build.HERE / "letters.js").read_text(encoding="utf-8")
    assert {file.name: file.read_text() for file in (tmp_path / "extra" / "notebooks").iterdir()} == {
        f"{file.stem}.ipynb": file.stem for file in quoting.files()}
    names = {}
    conf = (tmp_path / "conf.py").read_text(encoding="utf-8")
    exec(conf.split("\nfrom functools")[0] + "\n" + "\n".join(conf.splitlines()[-2:]), names)
    assert names["html_extra_path"] == names["exclude_patterns"] == ["extra"] and names["html_theme"] == "furo"
    assert names["html_js_files"] == ["letters.js", "explore.js"] and names["html_css_files"] == ["site.css"]
