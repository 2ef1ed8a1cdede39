"""The lectures as a site that works from the disk: no network, no server, nothing fetched when it is read.

    pages           the Markdown of the lectures as pages: pictures in two styles, links to sources and notebooks
    sources         every module, script and test that is linked to, with its lines numbered; the API, from docstrings
    mathematics     formulas, rendered while the site is built: a wrong one fails the build
    explorables     what moves: runs computed by the loops beside them
    build           all of it, by Sphinx with the theme furo

Sphinx, MyST and furo build in seconds, search from the disk, and ask for nothing outside.  Formulas become MathML, by
the KaTeX that comes with sphinxcontrib-katex, run in quickjs: one millisecond each, drawn by every current browser with
the reader's fonts, and searchable; pictures of formulas are heavier, and MathJax in the page fetches its fonts.
"""
