"""Each rule of the lectures finds what it is there to find, in a lecture made up for it, and nothing else."""
import re

import pytest

from lectures import quoting, rules

GOOD = """# 1 Made up

> **The question.** Is it found?

## Something

$$x = 1. \\tag{1.1}$$

By (1.1):

""" + 5 * """- **Momentum is quick.** [`test_momentum`](../tests/test_here.py)
""" + """
| a | $\\lvert x\\rvert$ |
|---|---|
| $a$ | $b$ |
| \\$5 | and \\$6 |

## What goes wrong

- **Much.** And this is no claim.

## As the sources print it

| source | printed | meant | shown by |
|---|---|---|---|
| A | $x$ | $y$ | `test_errata.py::test_printed` |
| A | $x$ | $y$ | the same |
| B | $x$ | $y$ | reading |

## The card

## Exercises

**1.1** ★ *(pencil)* Do it.

<details><summary>Hint 1</summary>Think.</details>
<details><summary>Hint 2</summary>Think again.</details>

**1.2** ★★ *(code)* Do it.

**1.3** ★★ *(experiment)* Do it.

**1.4** ★★★ *(break it)* Do it.

## Sources

Their (1.9), and [theirs](http://they.org/gone.md#nowhere), `[code](gone.md)` and
[`test_gone` of theirs](../tests/test_here.py), and

```
[a block](gone.md)
## no section
```

""" + 102 * "A line.\n"
SOLVED = "".join(f"## 1.{k}\n\nThus. [`test_momentum`](../../tests/test_here.py)\n\n" for k in range(1, 5))


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Write a lecture and its solutions somewhere, and hand back what is wrong with it."""
    for folder in ("lectures/solutions", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/test_here.py").write_text("def test_momentum():\n    pass\n", encoding="utf-8")
    (tmp_path / "tests/test_errata.py").write_text("def test_printed():\n    pass\n", encoding="utf-8")
    for module in (quoting, rules):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "HERE", tmp_path / "lectures")

    def faults(text, solved=SOLVED):
        file = tmp_path / "lectures" / "01-made-up.md"
        file.write_text(text, encoding="utf-8")
        (file.parent / "solutions" / file.name).write_text(solved, encoding="utf-8")
        return [fault for check in rules.EVERYWHERE + rules.OF_A_LECTURE for fault in check(text, file)]

    return faults


def test_nothing_is_wrong_with_a_good_one(made_up):
    assert made_up(GOOD) == []


@pytest.mark.parametrize("old, new, fault", [
    ("# 1 Made", "# 2 Made", "^its title has the number 2$"), ("# 1 Made", "# 0 Made", "^its title has the number 0$"),
    ("> **The question.** Is", "Is", "The question"),
    ("## The card\n", "## Card\n", "last sections"),
    ("## What goes wrong\n", "## What goes right\n", "What goes wrong"),
    ("## As the sources print it\n", "## As printed\n", "As the sources print it"),
    ("## As the sources print it\n", "### As the sources print it\n", "^there is no section 'As the sources print"),
    ("## The card\n\n## Exercises\n", "## Exercises\n\n## The card\n",
     "^its last sections are Exercises, The card, Sources, not The card, Exercises, Sources$"),
    ("## Sources\n", "## Sources\n\n## More\n", "^its last sections are Exercises, Sources, More, not The card"),
    (102 * "A line.\n", "", "lines"),
    (102 * "A line.\n", 352 * "A line.\n", "lines"),
    ("tag{1.1}", "tag{2.1}", "not this lecture's"), ("tag{1.1}", "tag{12.1}", "not this lecture's"),
    ("By (1.1)", "By (1.2)", r"no equation \(1.2\)"),
    ("By (1.1)", "$$x \\tag{1.1}$$", r"two equations are \(1.1\)"),
    ("## What goes", "- **A claim.**\n\n## What goes", "a claim without a test: - [*][*]A claim"),
    ("- **Momentum is quick.** [`test_m", "- **Momentum is quick.** It is. [`test_m", "0 claims"),
    ("`test_momentum`", "`test_nesterov`", "no test_nesterov in"),
    ("tests/test_here", "tests/test_there", "leads nowhere"),
    ("::test_printed", "::test_misprinted", "no test_misprinted"),
    ("| reading |", "| it is plain |", "shown by 'it is plain'"),
    ("\\lvert x\\rvert", "|x|", "split the table"),
    ("| $a$ | $b$ |", "| $a$ | $b$ | $c$ |", "a row has 3 cells"),
    ("| $a$ | $b$ |", "| `a|b` | $b$ |", "split the table"),
    ("**1.3** ★★", "**1.3** ★★★★", "do not become harder"),
    ("**1.3** ★★", "**1.4** ★★", "not numbered in order"),
    ("**1.3** ★★ *(experiment)*", "**1.3** ★★ (experiment)", "does not begin"),
    ("*(break it)*", "*(code)*", "no exercise is of the kind 'break it'"),
    ("**1.4** ★★★ *(break it)* Do it.\n", "", "3 exercises"),
    ("Hint 2", "Hint 3", "hints of"),
    ("again.</details>", "again.", "hints of"),
    ("## Sources", "## Sources\n\n<!-- code: numopt.optimizers.adam -->\n", "not closed"),
    ("## Sources", "## Sources\n\n<!-- code: numopt.optimizers.adam -->\n<!-- end -->\n",
     "^a quotation is out of date: python -m lectures quote$"),
])
def test_what_is_wrong_is_found(old, new, fault, made_up):
    assert GOOD.count(old)
    found = made_up(GOOD.replace(old, new))
    assert found and any(re.search(fault, each) for each in found), found


def lines_of(text, count):
    """The text with as many lines as that."""
    rest = len(text.splitlines()) - 102
    return text.replace(102 * "A line.\n", (count - rest) * "A line.\n")


def test_as_much_as_is_allowed_is_allowed_and_one_more_or_less_is_not(made_up):
    for count, fault in (150, None), (149, "149 lines, and not 150 to 400"), (400, None), (401, "401 lines"):
        found = made_up(lines_of(GOOD, count))
        assert found == [] if fault is None else len(found) == 1 and fault in found[0]
    claim = "- **Momentum is quick.** [`test_momentum`](../tests/test_here.py)\n"
    assert made_up(GOOD.replace(5 * claim, 4 * claim + "\n")) == ["it has 4 claims with a test; 5 at least"]
    for more in 3, 4:
        exercises = "".join(f"**1.{k}** ★★★ *(code)* Do it.\n\n" for k in range(5, 5 + more))
        solved = SOLVED + "".join(f"## 1.{k}\n\nThus. [`test_momentum`](../../tests/test_here.py)\n\n"
                                  for k in range(5, 5 + more))
        found = made_up(GOOD.replace("## Sources", exercises + "## Sources"), solved)
        assert found == ([] if more == 3 else ["it has 8 exercises, and not 4 to 7"])
    hints = "".join(f"<details><summary>Hint {k}</summary>Think.</details>\n" for k in range(3, 5))
    third, fourth = hints.splitlines(keepends=True)
    assert made_up(GOOD.replace("again.</details>\n", "again.</details>\n" + third)) == []
    found = made_up(GOOD.replace("again.</details>\n", "again.</details>\n" + hints))
    assert len(found) == 1 and "hints of" in found[0]
    same = GOOD.replace("★★★", "★").replace("★★", "★")
    assert made_up(same) == ["its exercises do not become harder: [1, 1, 1, 1]"]


@pytest.mark.parametrize("target, there", [
    ("#sources", True), ("#what-goes-wrong", True), ("#as-the-sources-print-it", True), ("#no-section", False),
    ("#source", False), ("gone.md", False), ("gone.md#sources", False), ("01-made-up.md#the-card", True),
    ("01-made-up.md#the-cart", False), ("../tests/test_here.py", True), ("https://x.y/z.md", True),
    ("solutions/01-made-up.md#by-hand-k-facs-and-by-code", True), ("http://x.y/z.md#a", True),
    ("httpx/z.md", False), ("solutions", True)])
def test_a_link_leads_to_a_file_that_is_there_and_to_a_section_of_it(target, there, made_up):
    found = made_up(GOOD.replace("A line.\n", f"[here]({target})\n", 1),
                    SOLVED + "## By hand: K-FAC's, and by code\n")
    assert found == ([] if there else [f"the link {target} leads nowhere"])


@pytest.mark.parametrize("last, fault", [
    ("[`test_momentum`](../tests/test_here.py)", None), ("`test_momentum`", None), ("reading", None),
    ("the same", None), ("`test_errata.py::test_printed` and `test_errata.py::test_printed`", None),
    ("[`test_errata.py::test_printed`](../tests/test_errata.py)", None),
    ("`test_errata.py::test_printed`, `test_errata.py::test_gone`", "there is no test_gone in tests/test_errata.py"),
    ("test_printed", "an erratum is shown by 'test_printed', and not by a test, 'reading' or 'the same'"),
    ("", "an erratum is shown by '', and not by a test, 'reading' or 'the same'"),
    ("reading it", "an erratum is shown by 'reading it', and not by a test, 'reading' or 'the same'")])
def test_a_misprint_is_shown_by_a_test_by_reading_or_as_the_one_above(last, fault, made_up):
    rows = "| A | $x$ | $y$ | `test_errata.py::test_printed` |", "| B | $x$ | $y$ | reading |"
    for row in rows:
        assert made_up(GOOD.replace(row, f"| A | $x$ | $y$ | {last} |")) == ([fault] if fault else []), row


@pytest.mark.parametrize("more, found", [
    # tables: bars inside, and rows of other lengths
    ("| a | b |\n|---|---|\n| c |\n", ["a row has 1 cells under one of 2: | c |"]),
    ("| a | b |\n|---|---|\n| c | d | e |\n",
     ["a row has 3 cells under one of 2: | c | d | e |"]),
    ("| a | b |\n|---|---|\n" + "| c | d |\n\n| e |\n", []), ("| a |\n\n| b | c |\n", []),
    ("| $a|b$ and `c|d` |\n|---|---|---|\n",
     ["code hosts split the table at $a|b$", "code hosts split the table at `c|d`"]),
    ("| $5 | $6 |\n|---|---|\n", ["code hosts split the table at $5 | $"]), ("$a|b$ and `c|d`\n", []),
    ("```\n| a|b | c |\n| d |\n```\n", []),
    ("| " + 80 * "x" + " |\n| a | b |\n", ["a row has 2 cells under one of 1: | a | b |"]),
    ("| a | b |\n| " + 80 * "x" + " |\n", ["a row has 1 cells under one of 2: | " + 58 * "x"]),
    # exercises spoken of, and sections of any depth
    ("As **1.2** ★★ *(code)* says, and\n **1.9** ★ *(code)* too.\n", []),
    ("#### A deep one!\n\n[a](#a-deep-one) [b](#1-made-up)\n", []), ("#No head\n[a](#no-head)\n", [
        "the link #no-head leads nowhere"]),
    # links in code, and behind a tick that closes nothing
    ("One ` tick.\n\n[there](gone.md) and ` another.\n", ["the link gone.md leads nowhere"]),
    ("```\na ` tick, [there](gone.md)\n```\nAnd [there](gone2.md) `code`.\n", ["the link gone2.md leads nowhere"]),
    ("`[a](gone.md)` [b](gone2.md) `[c](gone.md)`\n", ["the link gone2.md leads nowhere"]),
    ("[`code`](gone.md)\n", ["the link gone.md leads nowhere"]), ("```\n## A head\n```\n[a](#a-head)\n", [
        "the link #a-head leads nowhere"]),
    # tests by their names
    ("[`test_gone`](../tests/test_here.py)\n", ["there is no test_gone in ../tests/test_here.py"]),
    ("[`tests/test_here.py::test_gone`](../tests/test_here.py)\n", ["there is no test_gone in ../tests/test_here.py"]),
    ("[`test_gone` and more](../tests/test_here.py)\n[`helper`](../tests/test_here.py)\n", []),
    # claims
    ("- **A claim.**\n", ["a claim without a test: - **A claim.**"]),
    ("- **A claim:**  \n", ["a claim without a test: - **A claim:**  "]), ("- **No claim**\n", []),
    ("- **No claim** of anybody\n- **Of** this. **Too**\n", []), ("* **No claim.**\n", []),
    ("- **A.** [words](../tests/test_here.py)\n", []), ("```\n- **A claim.**\n```\n", []),
    ("- **" + 90 * "x" + ".**\n", ["a claim without a test: - **" + 76 * "x"]),
    # equations
    ("$$y \\tag{1.2}$$ and (1.2).\n", []), ("By (1.3) and (1.3).\n", ["there is no equation (1.3)"]),
    ("By (2.3) and 1.3.\n", []), ("$$y \\tag{1.2} z \\tag{1.2}$$\n", ["two equations are (1.2)"]),
    ("$$y \\tag{11.2}$$\n", ["the tag 11.2 is not this lecture's"]),
])
def test_what_is_wrong_in_a_line_is_found_once_and_in_these_words(more, found, made_up):
    text = GOOD.replace("## What goes wrong\n", more + "\n## What goes wrong\n")
    assert made_up(text) == found


@pytest.mark.parametrize("old, new, found", [
    ("**1.4** ★★★ *", "**1.4** ★★★★ *", []),
    *(("**1.4** ★★★ *", wrong, ["an exercise does not begin '**N.k** ★ *(kind)*'",
                                "no exercise is of the kind 'break it'"])
      for wrong in ("**1.4** ★★★★★ *", "**1.4** *")),
    ("**1.4** ★★★ *(break it)*", "**1.4** ★★★ *(break it)*" + 4 * "\n\n**1.5** Do it.", [
        "an exercise does not begin '**N.k** ★ *(kind)*'", "it has 8 exercises, and not 4 to 7"]),
    ("**1.1** ★ *(pencil)* Do", "**1.1** ★ *(by hand)* Do", ["no exercise is of the kind 'pencil'"]),
    ("*(experiment)*", "*(an experiment in code)*", []),
    ("**1.2** ★★ *(code)*", "**1.2** ★★★★ *(code)*", ["its exercises do not become harder: [1, 4, 2, 3]"]),
    ("Hint 1", "Hint 2", ["the hints of **1.1** ★  are not numbered 1 to 3, or not folded away"]),
    (">Think.</details>\n", ">Think.</details>\n<details><summary>Hint 3</summary>Think.</details>\n",
     ["the hints of **1.1** ★  are not numbered 1 to 3, or not folded away"]),
    ("> **The question.** Is", "> The question. Is", ["no line begins with '> **The question.** '"]),
    ("> **The question.** Is", "And > **The question.** Is", ["no line begins with '> **The question.** '"]),
    ("## What goes wrong\n", "## It goes wrong\n", ["no section begins with 'What goes wrong'"]),
    ("## What goes wrong\n", "## What goes wrong, and why\n", []),
    ("## What goes wrong\n", "```\n## What goes wrong\n```\n", ["no section begins with 'What goes wrong'"])])
def test_of_exercises_the_question_and_what_goes_wrong_each_fault_is_found_by_itself(old, new, found, made_up):
    assert GOOD.count(old) == 1
    assert [fault for fault in made_up(GOOD.replace(old, new)) if "in order" not in fault] == found


def test_tables_that_are_written_and_what_is_also_in_the_family_count_for_no_lines(made_up):
    file = rules.HERE / "01-made-up.md"
    for more in "<!-- table: reading -->\n" + 300 * "| a |\n" + "<!-- end -->\n", (
            rules.family.HEAD + "\n\n" + 300 * "A line.\n"):
        assert list(rules.shape(GOOD.replace("## The card\n", f"{more}\n## The card\n"), file)) == []
    more = "<!-- code: a -->\n" + 300 * "a\n" + "<!-- end -->\n"
    found, = rules.shape(GOOD.replace("## The card\n", f"{more}\n## The card\n"), file)
    assert found == f"it has {len(GOOD.splitlines()) + 303} lines, and not 150 to 400"


def test_hints_beyond_the_exercises_and_sections_within_blocks_are_none_of_their_business(made_up):
    hint = "<details><summary>Hint 2</summary>Look.</details>\n\n"
    assert made_up(GOOD.replace("Their (1.9)", f"{hint}Their (1.9)")) == []
    assert made_up(GOOD.replace("Think.</details>\n", "Think.</details>\n<details>More</details>\n")) == [
        "the hints of **1.1** ★  are not numbered 1 to 3, or not folded away"]
    assert made_up(GOOD.replace("**1.2** ★★ *(code)* Do it.", "**1.2** ★★ *(code)* <details>Do it.</details>")) == [
        "the hints of **1.2** ★★ are not numbered 1 to 3, or not folded away"]
    both = GOOD.replace("*(code)*", "*(pencil and code)*").replace("**1.1** ★ *(pencil)*", "**1.1** ★ *(code)*")
    assert made_up(both) == []


def test_what_the_misprints_show_is_shown(tmp_path, monkeypatch):
    page = tmp_path / "03-momentum.md"
    page.write_text("", encoding="utf-8")
    monkeypatch.setattr(rules, "HERE", tmp_path)
    monkeypatch.setattr(rules, "LECTURES", range(3, 5))
    monkeypatch.setattr(rules.reading, "pages", lambda: {3: page})
    monkeypatch.setattr(rules.reading, "methods", lambda: {3: ["momentum"], 4: ["adam"]})
    monkeypatch.setattr(rules.reading, "figures", lambda: {3: ["valley"], 4: ["ridge"]})
    monkeypatch.setattr(rules.reading, "lectures_of", lambda name: [3])
    assert list(rules.quoted_nowhere()) == ["there is no lecture 4", "no lecture quotes momentum",
                                            "no lecture shows valley"]
    (tmp_path / "errata.md").write_text("<!-- figure: valley --><!-- end -->", encoding="utf-8")
    assert list(rules.quoted_nowhere()) == ["there is no lecture 4", "no lecture quotes momentum"]
    (tmp_path / "other.md").write_text("<!-- code: m.momentum --><!-- end -->", encoding="utf-8")
    assert list(rules.quoted_nowhere([tmp_path / "other.md"])) == ["there is no lecture 4", "no lecture shows valley"]


def test_faults_are_said_with_their_page_those_of_all_pages_first_and_those_of_all_lectures_last(made_up, monkeypatch):
    made_up(GOOD)
    root, there = rules.ROOT, []
    pages = [root / "lectures" / name for name in (
        "01-made-up.md", "02-more.md", "notes.md", "solutions/01-made-up.md")]
    for page in pages[1:3]:
        page.write_text(page.stem, encoding="utf-8")

    def check(what):
        def found(text, file):
            there.append((what, file, text))
            return [f"{what} 1", f"{what} 2"] if file == pages[0] else []
        return found

    monkeypatch.setattr(rules, "EVERYWHERE", (check("a"), check("b")))
    monkeypatch.setattr(rules, "OF_A_LECTURE", (check("c"), check("d")))
    monkeypatch.setattr(rules, "quoted_nowhere", lambda: ["no lecture 2"])
    monkeypatch.setattr(quoting, "pages", lambda: pages)
    name = "lectures/01-made-up.md"
    assert list(rules.faults()) == [*((name, f"{what} {k}") for what in "abcd" for k in (1, 2)),
                                    ("lectures", "no lecture 2")]
    assert there == [*((what, file, file.read_text(encoding="utf-8")) for file in pages for what in "ab"),
                     *((what, pages[0], GOOD) for what in "cd"), *((what, pages[1], "02-more") for what in "cd")]


def test_a_figure_of_two_lectures_need_not_be_shown_before_both_are_there(monkeypatch, tmp_path):
    file = tmp_path / "03-momentum.md"
    file.write_text("", encoding="utf-8")
    monkeypatch.setattr(rules.reading, "figures", lambda: {3: ["one", "both"]})
    monkeypatch.setattr(rules.reading, "lectures_of", lambda name: [3] if name == "one" else [3, 4])
    for there, missing in ({3: file}, {"one"}), ({3: file, 4: file}, {"one", "both"}):
        monkeypatch.setattr(rules.reading, "pages", lambda there=there: there)
        found = [fault for fault in rules.quoted_nowhere() if fault.startswith("no lecture shows")]
        assert set(found) == {f"no lecture shows {name}" for name in missing}


def test_an_exercise_has_a_solution_and_its_solution_a_test(made_up):
    assert made_up(GOOD, SOLVED.replace("## 1.4", "## 1.5")) == [
        "exercise 1.4 has no solution in solutions/01-made-up.md"]
    for clear in "Clear.", "[`test_momentum` shows it](../../tests/test_here.py)":
        assert made_up(GOOD, SOLVED.replace("[`test_momentum`](../../tests/test_here.py)", clear)) == [
            f"no test is linked from the solution of 1.{k}" for k in range(1, 5)]


def test_a_method_or_a_figure_that_no_lecture_quotes_is_found(tmp_path, monkeypatch):
    file = tmp_path / "03-momentum.md"
    monkeypatch.setattr(rules.reading, "pages", lambda: {3: file})
    file.write_text("<!-- code: numopt.optimizers.momentum -->\n<!-- end -->\n"
                    "<!-- figure: momentum -->\n<!-- end -->\n", encoding="utf-8")
    found = list(rules.quoted_nowhere())
    assert "no lecture quotes nesterov" in found and "no lecture shows nesterov_step" in found
    assert "no lecture quotes momentum" not in found and "no lecture shows momentum" not in found
    assert "there is no lecture 4" in found and "there is no lecture 3" not in found
    assert "no lecture quotes adam" not in found
