"""What becomes of a grading: a table, JSON, JUnit's XML, and a page for each student."""
import csv
import io
import json
import os
import re
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from lectures.coursework import handouts


def written(options, assignment, reports):
    """The files that were asked for: each whole, or not at all."""
    if options.json:
        save(options.json, json.dumps(reports, indent=1, ensure_ascii=False))
    if options.csv:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["submission", "points", "of", *(part.sentence for part in assignment.parts()), "words"])
        writer.writerows([safe(report["submission"]), report["points"], report["of"],
                          *(claim["points"] for claim in report["claims"]), safe("; ".join(report["words"]))]
                         for report in reports)
        save(options.csv, table.getvalue())
    if options.junit:
        save(options.junit, junit(reports))
    if options.gradescope:
        save(options.gradescope, json.dumps(handouts.of_gradescope(reports[0]), indent=1, ensure_ascii=False))
    if options.pages:
        folder = Path(options.pages)
        folder.mkdir(parents=True, exist_ok=True)
        for report in reports:
            save(folder / file_name(report["submission"]), page(assignment, report))


def told_apart(reports, paths):
    """The reports, those of submissions of one name with their folders' names too, or a number."""
    names = [report["submission"] for report in reports]
    known = set()
    for report, path in zip(reports, paths):
        name = report["submission"]
        if names.count(name) > 1:
            name = f"{printable(Path(path).resolve().parent.name)}/{name}"
        report["submission"], number = name, 1
        while file_name(report["submission"]) in known:
            number += 1
            report["submission"] = f"{name} ({number})"
        known.add(file_name(report["submission"]))
    return reports


def file_name(submission):
    """The name of a submission's page."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', submission)}.md".casefold()


def safe(text):
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r")) else text


def save(file, text):
    file = Path(file)
    handle, temporary = tempfile.mkstemp(dir=file.resolve().parent, prefix=f".{file.name}-")
    with open(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, file)


def junit(reports):
    """The reports as JUnit's XML, which forges and editors show."""
    root = ElementTree.Element("testsuites")
    for report in reports:
        failed = [claim for claim in report["claims"] if claim["message"]]
        suite = ElementTree.SubElement(root, "testsuite", name=printable(report["submission"]),
                                       tests=str(len(report["claims"])), failures=str(len(failed)))
        for claim in report["claims"]:
            case = ElementTree.SubElement(suite, "testcase", name=claim["sentence"],
                                          classname=f"assignment{report['assignment']}.{claim['about']}")
            if claim["message"]:
                ElementTree.SubElement(case, "failure", message=printable(claim["message"]))
    return ElementTree.tostring(root, encoding="unicode")


def printable(text):
    return "".join(letter for letter in text if letter.isprintable())


def page(assignment, report):
    """What the student gets: each sentence of the lecture, and whether it holds."""
    lines = [f"# Assignment {assignment.name}: {assignment.title}", "",
             f"{printable(report['submission'])}: **{report['points']} of {report['of']} points**", ""]
    for claim in report["claims"]:
        mark = "✘" if claim["message"] else "✔"
        lines.append(f"- {mark} {claim['points']}/{claim['of']} {claim['sentence']}")
        if claim["message"]:
            said = printable(claim["message"]).replace("`", "'")
            lines.append(f"  {claim['about']}: `{said}`")  # as it is, whatever Markdown or HTML would make of it
    return "\n".join(lines) + "\n"
