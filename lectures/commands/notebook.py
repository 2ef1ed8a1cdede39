"""Write a lecture as a notebook whose cells run and can be changed."""
from pathlib import Path


def arguments(parser):
    parser.add_argument("lecture", metavar="NN", help="the number of a lecture")
    parser.add_argument("--out", default="figures/out", metavar="DIR", help="the folder (%(default)s)")


def run(options):
    from lectures import notebooks
    file, out = notebooks.lecture(options.lecture), Path(options.out)
    text = notebooks.notebook(file)
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{file.stem}.ipynb"
    target.write_text(text, encoding="utf-8")
    print(target)
    return 0
