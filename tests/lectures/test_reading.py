"""What belongs to a lecture is found where it says so, and nowhere else."""
from types import SimpleNamespace

import pytest

from lectures import quoting, reading


@pytest.mark.parametrize("docstring, numbers", [
    ("It falls.          Lecture 3.", [3]), ("It falls.  Lectures 2 and 14.", [2, 14]),
    ("It falls.\n\nSomebody (1999).          Lectures 2, 3, 4 and 13.\n", [2, 3, 4, 13]),
    ("It falls.          Lecture 1.\n\nAnd so on.", [1]),
    ("As in Lecture 3. it falls.", []), ("It falls, after Lecture 3", []), ("It falls.", []), ("", [])])
def test_the_lectures_of_a_docstring_stand_at_the_end_of_a_paragraph(docstring, numbers):
    assert reading.numbers(docstring) == numbers


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder in the repository's place, with three modules and a script."""
    for name, docstring in {"numopt/b.py": "B.  Lectures 3 and 2.", "numopt/inner/a.py": "A.  Lecture 3.",
                            "numopt/_hidden.py": "C.  Lecture 3.", "figures/valley.py": "A valley."}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'"""{docstring}"""\n', encoding="utf-8")
    for module in (quoting, reading):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def test_a_file_belongs_to_the_first_lecture_that_it_names_and_one_with_a_hyphen_in_front_to_none(root):
    assert reading.belonging("numopt", "figures") == {3: [root / "numopt" / "b.py", root / "numopt" / "inner" / "a.py"]}


def test_a_figure_that_names_no_lecture_and_a_page_without_a_title_are_refused(root):
    with pytest.raises(ValueError, match="figures/valley.py must end with its lecture"):
        reading.figures()
    for text in "## 3 Momentum\n", "# Momentum\n", "", "\n# 3 Momentum\n":
        with pytest.raises(ValueError, match="# N Title"):
            reading.title(text)
    assert reading.title("# 3 Momentum: it rolls\n\n## 4 More\n") == (3, "Momentum: it rolls")


def test_the_tests_of_a_file_are_its_functions_of_such_a_name_wherever_they_stand(tmp_path):
    file = tmp_path / "test_here.py"
    assert reading.tests(file) == set()
    file.write_text("def test_one(): pass\n\n\nclass Of:\n    def test_two(self): pass\n\n\ndef helper(): pass\n\n\n"
                    "test_three = 3\n", encoding="utf-8")
    assert reading.tests(file) == {"test_one", "test_two"}


def test_the_table_has_a_row_for_each_lecture_that_anything_belongs_to(tmp_path, monkeypatch, root):
    page = tmp_path / "04-adaptive.md"
    page.write_text("# 4 Rates\n\n**4.1** ★\n\n**4.2** ★\n\n**4.3** ★\n", encoding="utf-8")
    bare = tmp_path / "07-bare.md"
    bare.write_text("# 7 Bare\n\n7.1 is no exercise, nor **7.2** behind words.\n", encoding="utf-8")
    monkeypatch.setattr(reading, "pages", lambda: {7: bare, 4: page})
    monkeypatch.setattr(reading, "methods", lambda: {12: ["gcr", "anderson"]})
    monkeypatch.setattr(reading, "figures", lambda: {5: ["valley"]})
    assert list(reading.table(tmp_path / "README.md"))[2:] == [
        ("3", "[b](numopt/b.py), [a](numopt/inner/a.py)", "", "", ""),
        ("[4 Rates](lectures/04-adaptive.md)", "", "", "", "[4.1 to 4.3](lectures/04-adaptive.md#exercises)"),
        ("5", "", "", "[valley](figures/valley.py)", ""), ("[7 Bare](lectures/07-bare.md)", "", "", "", ""),
        ("12", "", "gcr, anderson", "", "")]
    assert list(reading.table(tmp_path / "lectures" / "04-adaptive.md"))[:2] == [
        ("lecture", "module", "methods", "figures", "exercises"), ("---",) * 5]
    row = list(reading.rows(tmp_path / "lectures" / "solutions" / "x.md"))
    assert row[0][1] == "[b](../../numopt/b.py), [a](../../numopt/inner/a.py)"
    assert row[1] == ("[4 Rates](../../lectures/04-adaptive.md)", "", "", "",
                      "[4.1 to 4.3](../../lectures/04-adaptive.md#exercises)")


def test_methods_and_figures_belong_to_the_first_lecture_of_their_file_in_the_order_of_the_registry(root, monkeypatch):
    for name, docstring in {"numopt/optimizers/one.py": "One.  Lectures 5 and 2.",
                            "numopt/optimizers/two.py": "Two.  Lecture 2.",
                            "data_scripts/run.py": "Runs.  Lecture 14.",
                            "figures/valley.py": "A valley.  Lecture 2.", "figures/_own.py": "Own.",
                            "figures/ball.py": "A ball.  Lectures 5 and 2.",
                            "numopt/problems/two.py": "Another two.  Lecture 9.",
                            "figures/arc.py": "Lecture 2."}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f'"""{docstring}"""\n', encoding="utf-8")
    quoting.docstring.cache_clear()
    homes = {"z": "one", "b": "two", "a": "two", "y": "one"}
    made_up = SimpleNamespace(__all__=list(homes), **{
        name: SimpleNamespace(__module__=f"numopt.optimizers.{home}") for name, home in homes.items()})
    monkeypatch.setattr(reading, "numopt", SimpleNamespace(optimizers=made_up))
    assert reading.methods() == {5: ["z", "y"], 2: ["b", "a"]}
    assert reading.figures() == {2: ["arc", "valley"], 5: ["ball"]}
    assert reading.lectures_of("ball") == [5, 2] and reading.lectures_of("valley") == [2]
    monkeypatch.setattr(reading, "pages", lambda: {})
    assert [(row[0], row[1]) for row in reading.rows(root / "README.md")] == [
        ("2", "[two](numopt/optimizers/two.py)"), ("3", "[b](numopt/b.py), [a](numopt/inner/a.py)"),
        ("5", "[one](numopt/optimizers/one.py)"),
        ("9", "[two](numopt/problems/two.py)"), ("14", "[run](data_scripts/run.py)")]


def test_what_is_quoted_are_the_last_names_of_code_and_of_differences_whole():
    texts = ["<!-- code: numopt.optimizers.newton.adam --><!-- end --><!-- figure: a.b --><!-- end -->",
             "<!-- difference: numopt.optimizers.adam to numopt.optimizers.radam --><!-- end -->"
             "<!-- code: lion --><!-- end -->"]
    assert reading.quoted_methods(texts) == {"adam", "radam", "lion"}


def test_the_table_of_letters_has_its_heads_and_its_rows(tmp_path, monkeypatch):
    (tmp_path / "notation.md").write_text("# Letters\n\n| letter | in code |\n|---|---|\n| $x$ | `x` |\n\nWords.\n\n"
                                          "| $y$ |  |\n", encoding="utf-8")
    monkeypatch.setattr(quoting, "HERE", tmp_path)
    assert reading.notation() == [{"letter": "$x$", "in code": "`x`"}, {"letter": "$y$", "in code": ""}]


def test_exercises_begin_a_line_with_their_number():
    text = "**1.1** ★\n **1.2** ★\nand **1.3** ★\n**1.10** *x*\n**1.x** ★\n**2.4**"
    assert reading.exercises(text) == ["1.1", "1.10", "2.4"]
