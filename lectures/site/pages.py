"""The Markdown of the lectures as pages of the site: the same words, and links that lead to what the site has."""
import re
from pathlib import Path

from lectures import assignments, quoting, reading
from lectures.quoting import QUOTATION, ROOT
from lectures.site import sources

MATHEMATICS = re.compile(r"(?<!\\)\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\s)((?:[^$\n]|\n(?!\n))+?)(?<!\s)\$(?![\w$])",
                         re.DOTALL)
BLOCK = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(^```.*?^```$|`+[^`\n]*`+)", re.DOTALL | re.MULTILINE)


class Pages:
    """The pages of a site, and what they need: {path: text} of pages, and the names of figures."""

    def __init__(self, explored):
        self.explored, self.figures, self.linked = dict(explored), set(), set()
        self.pages = {f"lectures/{file.name}": self.page(file) for file in self.files()}
        for name in assignments.names():
            self.pages[f"assignments/{name}.md"] = self.assignment(name)
        for module in sources.modules():
            self.pages[f"api/{module}.md"] = sources.api(module)
            self.linked.add(f"{module.replace('.', '/')}.py")
        self.pages |= {f"source/{file}.md": sources.page(file) for file in sorted(self.linked)}
        self.pages["source.md"], self.pages["api.md"] = sources.listed(self.linked), sources.overview()
        self.pages["index.md"] = self.index()

    @staticmethod
    def files():
        return [*quoting.files(), *(quoting.HERE / name for name in ("notation.md", "teaching.md", "errata.md")
                                    if (quoting.HERE / name).exists())]

    def page(self, file):
        """A lecture: pictures in both styles, what is explored beside its loop, links within the site."""
        text = QUOTATION.sub(self.quotation, file.read_text(encoding="utf-8"))
        parts = BLOCK.split(text)
        parts[::2] = [self.links(part, file) for part in parts[::2]]
        parts = CODE.split("".join(parts))
        parts[::2] = [MATHEMATICS.sub(formula, part) for part in parts[::2]]
        text = "".join(parts)
        if file in quoting.files():
            title, _, rest = text.partition("\n")
            number = file.name[:2]
            more = [f"<a href=\"../notebooks/{file.stem}.ipynb\" download>notebook</a>"]
            more += [f"[assignment {name}](/assignments/{name}.md)" for name in assignments.names()
                     if name.startswith(number)]
            text = f"{title}\n\n<p class=\"more\">{more[0]}</p>\n\n{' · '.join(more[1:])}\n{rest}"
        return text

    def quotation(self, found):
        _, kind, name, inside, _ = found.groups()
        if kind == "figure":
            return self.figure(name)
        if kind == "code":
            last = name.rpartition(".")[2]
            return f"{inside.rstrip()}\n\n{self.module_of(name)}\n{self.beneath(f'code {last}')}\n"
        return inside

    def figure(self, name):
        self.figures.add(name)
        self.linked.add(f"figures/{name}.py")
        caption = quoting.docstring(ROOT / "figures" / f"{name}.py").split("\n")[0]
        pictures = "\n".join(f'<img class="only-{style}" src="../_static/figures/{style}/{name}.png" alt="{caption}">'
                             for style in ("light", "dark"))
        return (f"\n```{{raw}} html\n<figure>{pictures}</figure>\n```\n\n*{caption}* "
                f"([script](/source/figures/{name}.py.md))\n{self.beneath(f'figure {name}')}")

    def beneath(self, quotation):
        """What is explored beneath a quotation, the first time that it stands somewhere."""
        return self.explored.pop(quotation, "")

    def module_of(self, name):
        """Where a quoted definition stands."""
        from lectures.notebooks import home
        file = f"{home(name)[0].replace('.', '/')}.py"
        self.linked.add(file)
        return f"[{file}](/source/{file}.md#L-{quoting.located(name)[1].lineno})"

    def links(self, text, file):
        return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", lambda found: self.link(found, file), text)

    def link(self, found, file):
        """A link to a source leads to its page, one to a test to its line; one to what the site has not is words."""
        words, target = found[1], found[2]
        if re.match(r"https?://|#|/", target):
            return found[0]
        target, _, anchor = target.partition("#")
        place = (file.parent / target).resolve()
        inside = place.relative_to(ROOT) if place.is_relative_to(ROOT) else Path("..")
        if inside.suffix == ".py" and place.exists():
            self.linked.add(str(inside))
            name = re.fullmatch(r"`(?:.*::)?(\w+)`", words)
            line = f"#L-{sources.line_of(inside, name[1])}" if name else ""
            return f"[{words}](/source/{inside}.md{line})"
        if place in self.files():
            return f"[{words}](/lectures/{inside.name}{'#' + anchor if anchor else ''})"
        return words

    def assignment(self, name):
        from lectures.coursework.release import sheet
        assignment = assignments.load(name)
        page, = (file.name for file in quoting.files() if int(file.name[:2]) == assignment.lecture)
        return sheet(assignment).replace(f"lecture {assignment.lecture}.",
                                         f"[lecture {assignment.lecture}](/lectures/{page}).", 1)

    def index(self):
        lectures = [file for file in quoting.files()]
        lines = ["# How neural networks are optimized", "",
                 "The lecture at the left, the loop at the right: every optimizer is a loop of some ten lines, and "
                 "every sentence in bold is held by a test.", "", "| lecture | methods |", "|---|---|"]
        for file in lectures:
            number, title = reading.title(file.read_text(encoding="utf-8"))
            methods = [name.rpartition(".")[2] for name in quoting.quoted(file.read_text(encoding="utf-8"), "code")
                       if name.startswith("numopt.optimizers.")]
            lines.append(f"| [{number} {title}](/lectures/{file.name}) | {', '.join(dict.fromkeys(methods))} |")
        for caption, entries in (("Lectures", [f"lectures/{file.name}" for file in lectures]),
                                 ("Beside them", [f"lectures/{file.name}" for file in self.files()
                                                  if file not in lectures]),
                                 ("Assignments", [page for page in self.pages if page.startswith("assignments/")]),
                                 ("The code", ["api.md", "source.md"])):
            hidden = ["```{toctree}", ":hidden:", ":maxdepth: 1", f":caption: {caption}", ""]
            lines += ["", *hidden, *(f"/{entry.removesuffix('.md')}" for entry in entries), "```"]
        return "\n".join(lines) + "\n"


def formula(found):
    from lectures.site.mathematics import rendered
    if found[1] is not None:
        return f"\n\n```{{raw}} html\n{rendered(found[1], True)}\n```\n\n"
    text = rendered(found[2])
    ticks = "``" if "`" in text else "`"
    return f"{{formula}}{ticks}{text}{ticks}"  # a role of conf.py: one node, and not one for every tag
