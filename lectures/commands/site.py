"""Build the lectures as a site that works from the disk, with sliders, search, and the code beside them."""


def arguments(parser):
    parser.add_argument("--out", default="figures/out/site", metavar="DIR", help="the folder (%(default)s)")


def run(options):
    from importlib.util import find_spec
    missing = [name for name in ("sphinx", "myst_parser", "furo", "quickjs", "sphinxcontrib.katex")
               if find_spec(name.split(".")[0]) is None]
    if missing:
        raise ValueError(f"the site is built with {', '.join(missing)}, which is not here: pip install -e '.[site]'")
    from lectures.site import build
    print(build.built(options.out) / "index.html")
    return 0
