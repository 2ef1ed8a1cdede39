"""Coursework: what is handed out (release.py), and what comes back (judge.py).

    blanks        answers taken out of a source, and a student's put in
    newcomers     methods that no assignment names and whose loops would show its answers
    jobs          what an answer is asked to do, as plain data: judge and worker run the same lines
    holding       when a result is the lecture's, for the judge and for students' tests
    worker, jail, bounds    a student's functions, run where they can do no harm
    submissions   what was handed in, of which nothing is trusted
    judge         holds the claims of assignments/, and never imports what was handed in
    reports       what becomes of a grading
    release, handouts   the tree for students, and what nbgrader, otter and Gradescope want
"""
