"""What belongs to a lecture is found where it says so, and nowhere else."""
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
    monkeypatch.setattr(reading, "pages", lambda: {4: page})
    monkeypatch.setattr(reading, "methods", lambda: {12: ["gcr", "anderson"]})
    monkeypatch.setattr(reading, "figures", lambda: {5: ["valley"]})
    assert list(reading.table(tmp_path / "README.md"))[2:] == [
        ("3", "[b](numopt/b.py), [a](numopt/inner/a.py)", "", "", ""),
        ("[4 Rates](lectures/04-adaptive.md)", "", "", "", "[4.1 to 4.3](lectures/04-adaptive.md#exercises)"),
        ("5", "", "", "[valley](figures/valley.py)", ""), ("12", "", "gcr, anderson", "", "")]
