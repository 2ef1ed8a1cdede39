"""Build the site: whole, or not at all; twice gives the same bytes."""
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from lectures import notebooks, quoting
from lectures.quoting import ROOT
from lectures.site import explorables, mathematics
from lectures.site.pages import Pages

HERE = Path(__file__).parent
MARK = ".numopt-site"
CACHE = ROOT / "figures" / "out" / "dark"
CONF = """
project, author, html_title = "numopt", "", "numopt"
extensions = ["myst_parser"]
myst_enable_extensions = ["alert"]
myst_heading_anchors = 4
html_theme = "furo"
html_static_path = ["_static"]
html_css_files, html_js_files = ["site.css"], ["letters.js", "explore.js"]
html_show_search_summary = html_show_sourcelink = html_copy_source = html_show_sphinx = html_show_copyright = False
html_last_updated_fmt = None
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"
suppress_warnings = ["myst.xref_missing", "toc.not_included", "myst.header"]

from functools import cache
from docutils import nodes
from docutils.parsers.rst import roles
from sphinx.search.en import SearchEnglish
roles.register_local_role("formula", lambda name, source, text, *_, **__: ([nodes.raw("", text, format="html")], []))
SearchEnglish.stem = cache(SearchEnglish.stem)  # a hundred thousand words, most of them again and again
"""


def built(out):
    """The folder of a new site; ValueError or OSError, with words, where something is wrong."""
    out = Path(out).resolve()
    if out.exists() and not (out / MARK).exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} holds something that is not a site of these lectures; give another folder")
    parent = next(folder for folder in out.parents if folder.exists())
    if not os.access(parent, os.W_OK):
        raise PermissionError(f"{out} cannot be written to")
    checked()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        source, html = Path(folder) / "source", Path(folder) / "html"
        with drawn_dark(html / "_static" / "figures" / "dark"):
            written(source)
            sphinx(source, html)
        for unneeded in (".doctrees", ".buildinfo", "objects.inv"):
            shutil.rmtree(html / unneeded) if (html / unneeded).is_dir() else (html / unneeded).unlink(missing_ok=True)
        (html / MARK).write_text("python -m lectures site\n", encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        os.replace(html, out)
    return out


def checked():
    """A quotation that has drifted is said before anything is built."""
    for file in quoting.pages():
        if quoting.rewritten(file) != file.read_text(encoding="utf-8"):
            raise ValueError(f"{file.name}: a quotation is out of date: python -m lectures quote")


def written(source):
    """Everything that Sphinx reads."""
    computed, explored = explorables.computed(), {}
    for name, after in explorables.places().items():
        explored[after] = explored.get(after, "") + explorables.markup(name, computed[name])
    pages = Pages(explored)
    for name, text in pages.pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    static = source / "_static"
    (static / "figures" / "light").mkdir(parents=True)
    for name in sorted(pages.figures):
        shutil.copy(ROOT / "figures" / "rendered" / f"{name}.png", static / "figures" / "light")
    for file in ("site.css", "explore.js"):
        shutil.copy(HERE / file, static)
    told, script = json.dumps(letters(), ensure_ascii=False), (HERE / "letters.js").read_text(encoding="utf-8")
    (static / "letters.js").write_text(f"const LETTERS = {told};\n{script}", encoding="utf-8")
    extra = source / "extra" / "notebooks"
    extra.mkdir(parents=True)
    for file in quoting.files():
        (extra / f"{file.stem}.ipynb").write_text(notebooks.notebook(file), encoding="utf-8")
    (source / "conf.py").write_text(CONF + 'html_extra_path = ["extra"]\nexclude_patterns = ["extra"]\n', "utf-8")


@contextmanager
def drawn_dark(folder):
    """While the site is built, the pictures in the dark are drawn beside it; then they come into this folder.

    Those of unchanged scripts are kept from one time to the next.
    """
    import figures
    from figures.making.processes import Processes
    from figures.making.rendering import drawn_with
    CACHE.mkdir(parents=True, exist_ok=True)
    names = sorted({name for file in Pages.files() for name in quoting.quoted(file.read_text("utf-8"), "figure")})
    version = {name: sha256(drawn_with().encode() + (figures.RENDERED / f"{name}.png").read_bytes()).hexdigest()[:16]
               for name in names}
    missing = [name for name in names if not (CACHE / f"{name}-{version[name]}.png").exists()]
    with Processes() as beside:
        drawings = {name: beside.submit(draw_dark, name, version[name]) for name in missing}
        yield
        for name, drawing in drawings.items():
            drawing.result()
            logging.getLogger("numopt").info("drawn %s", name)
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(CACHE / f"{name}-{version[name]}.png", folder / f"{name}.png")


def draw_dark(name, version):
    import figures
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        os.replace(figures.render(name, folder, style="dark"), CACHE / f"{name}-{version}.png")


def letters():
    """{source: {our letter: theirs}} of notation.md, for letters that are one sign in both."""
    text = (quoting.HERE / "notation.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines()
            if line.startswith("|")]
    head, told = rows[0], {}
    for source in head[3:]:
        told[source] = {}
        for row in rows[2:]:
            ours, theirs = (re.fullmatch(r"\$([^$]+)\$", cell) for cell in (row[0], row[head.index(source)]))
            pair = [mathematics.letters(cell[1]) for cell in (ours, theirs) if cell]
            if len(pair) == 2 and all(pair) and pair[0] != pair[1]:
                told[source][pair[0][0]] = list(pair[1])
    return told


def sphinx(source, html):
    """Run Sphinx in one process of its own, which ends when we do; its warnings are errors here."""
    done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-E", "--no-color",
                           "-d", source.parent / "doctrees", source, html],
                          capture_output=True, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    if done.returncode or done.stderr.strip():
        said = (done.stderr.strip() or done.stdout).splitlines()
        raise ValueError(f"Sphinx does not like a page: {said[0] if said else 'no word'}".replace(str(source), ""))
