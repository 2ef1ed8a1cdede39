"""Fetch, check and convert the larger data sets:  python -m data_scripts --list

    sources.py              which files make up a set, where they are, and their SHA-256 sums: one table
    fetch.py                find these files (a download, or a local copy), check them, store the set
    deadline.py             an end to a download that drips
    formats.py              the published formats, read into arrays; no pickle is ever read
    channel_statistics.py   Table 1 of Memon et al. (2024) remeasured
    experiments.py          the papers' experiments, one table; training.py is one run of them, runs.py the command

`numopt.data` reads what is stored.
"""
