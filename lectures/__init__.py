"""The lectures, Markdown that reads well as it is, and what keeps them true.

    python -m lectures quote             bring every quotation in lectures/ and README.md up to date
    python -m lectures quote --check     change nothing; say what is out of date or breaks a rule below

Commands are files of their own: see commands/__init__.py.

A lecture is NN-name.md and begins with "# N Title" and a line "> **The question.** …".  Its last three sections are
"## The card", "## Exercises" and "## Sources"; before them are "## What goes wrong…" and "## As the sources print it".
150 to 400 lines, quotations included, but not tables of all methods, nor what the command has put under "## Also in
this family": methods of its modules that no lecture had quoted, see family.py.  Letters are those of notation.md, which
code can read.

Quotations stand between markers, and the command writes what is between them:

    <!-- code: numopt.optimizers.momentum -->       a definition without its docstring: a function, a class or a method
    <!-- end -->                                    (also by its full place, numopt.optimizers.newton.inexact_newton)
    <!-- difference: numopt.optimizers.adam to numopt.optimizers.radam -->
    <!-- end -->                                    the lines that the second has otherwise
    <!-- figure: zigzag -->                         the picture, with its caption and a link to its script
    <!-- end -->
    <!-- number: rate_lenet; fixed, seed *; test accuracy; last mean percent; .1f -->97.1<!-- end -->
    <!-- table: reading -->                         the reading table of README.md; "unified" is Table 1 of lecture 9
    <!-- end -->
    <!-- card: 4 -->                                a table, of which the columns "length limited", "curvature from",
    <!-- end -->                                    "structure" and "over time" are written, and the others kept

A number names a record, a run of it (with * for several, which are stacked), an array of the run (nothing where the
run is one number), what to do with it (words from quoting.REDUCTIONS, in turn), and a format.  It may be in a line.

Equations are tagged \\tag{N.k}, once each.  A claim: a list item with a whole sentence in bold and the test that holds
it, by its name: - **Sentence.** [`test_name`](../tests/folder/test_file.py), further tests after a comma.  A list item
that is one bold sentence and nothing else is a claim, too, and must name its test.  In a table no | may stand inside
mathematics or code: code hosts split there; write \\lvert, \\lVert or \\mid.

"As the sources print it" is a table | source | printed | meant | shown by |, whose last column is a test of
tests/test_errata.py, `test_errata.py::test_name` (linked or not), or "reading", or "the same" as the line above.

Exercises begin a line with **N.k** ★ *(kind)*, ★ to ★★★★ never falling; each of pencil, code, experiment and break it
occurs; up to three hints, <details><summary>Hint 1</summary>…</details>.  Solutions stand in solutions/NN-name.md under
## N.k, each with the test that checks it; code solutions and checks of derivations are in
tests/lectures/test_solutions_NN.py.  Whoever hands out exercises leaves out solutions/ and these tests.

Where two changes of README.md's table meet, take either and quote again.  Every method and every figure is quoted by
a lecture: a figure by any, once those that its docstring names are there.
"""
