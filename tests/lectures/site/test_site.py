"""The site works from the disk: in a browser, at two widths, light and dark, with nothing asked of any network."""
import json
import re
import shutil
import time
from math import prod
from pathlib import Path

import numpy as np
import pytest

from lectures import quoting
from lectures.__main__ import main

for needed in ("sphinx", "myst_parser", "furo", "quickjs", "sphinxcontrib.katex"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: pip install -e '.[site]'")

from lectures.site import build, explorables, mathematics, sources  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, built once."""
    return build.built(tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that says what it asked for."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    if BROWSER is None or not shutil.which("chromedriver"):
        pytest.skip("there is no chromium with its chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--allow-file-access-from-files", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


LOOK = """
const shown = element => element.offsetParent !== null;
function light(color) {
  const [r, g, b, a] = (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return [0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b), a === undefined ? 1 : a];
}
function ground(element) {
  for (; element; element = element.parentElement) {
    const [value, alpha] = light(getComputedStyle(element).backgroundColor);
    if (alpha > 0.99) return value;
  }
  return 1;
}
const words = "article p, article li, article td, article h1, article h2, article code span, article a, " +
  "figure.explore label, figure.explore text, .docstring";
const faint = [...document.querySelectorAll(words)]
  .filter(element => shown(element) || element instanceof SVGElement).filter(element => element.textContent.trim())
  .map(element => {
    const style = getComputedStyle(element);
    const [a] = light(element instanceof SVGElement ? style.fill : style.color);
    const b = ground(element instanceof SVGElement ? element.ownerSVGElement.parentElement : element);
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
return {
  formulas: document.querySelectorAll("article math").length,
  raw: (document.querySelector("article").innerText.match(/\\$[^$\\n]{1,60}\\$/g) || []).length,
  broken: [...document.images].filter(shown).filter(image => !image.complete || !image.naturalWidth).map(i => i.src),
  pictures: [...document.querySelectorAll("article figure img")].filter(shown).length,
  explored: [...document.querySelectorAll("figure.explore")].map(f => [
    f.id, f.querySelectorAll("input[type=range]").length, f.querySelectorAll("svg polyline, svg circle").length]),
  wide: document.documentElement.scrollWidth - window.innerWidth,
  faint: faint.slice(0, 5),
};
"""


def looked_at(browser, page, width, style):
    """What there is on a page, and what went wrong while it was opened."""
    browser.set_window_size(width, 900)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": style}]})
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(page.as_uri())
    found = browser.execute_script(LOOK)
    found["errors"] = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    found["asked"] = [message["params"]["request"]["url"] for message in asked
                      if message["method"] == "Network.requestWillBeSent"]
    return found


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("style", ["light", "dark"])
def test_every_page_is_whole_and_asks_for_nothing_outside(width, style, site, browser):
    for file in [*quoting.files(), quoting.HERE / "notation.md"]:
        text = file.read_text(encoding="utf-8")
        found = looked_at(browser, site / "lectures" / f"{file.stem}.html", width, style)
        assert found["errors"] == [] and found["broken"] == [], file.name
        assert all(url.startswith((site.as_uri(), "data:")) for url in found["asked"]), found["asked"]
        assert found["raw"] == 0 and found["wide"] <= 0 and found["faint"] == [], (file.name, found)
        assert found["formulas"] >= text.count("$$") / 2
        assert found["pictures"] == len(quoting.quoted(text, "figure"))
        for name, sliders, drawn in found["explored"]:
            assert sliders >= 1 and drawn >= 1, name
    for page in ("index.html", "search.html", "api.html", "api/numopt.optimizers.adaptive.html", "assignments/04.html",
                 "source/numopt/optimizers/adaptive.py.html"):
        found = looked_at(browser, site / page, width, style)
        assert found["errors"] == [] and found["wide"] <= 0 and found["faint"] == [], (page, found)


def test_two_pages_lead_to_every_module_and_to_every_file_that_is_quoted(site, browser):
    for start, folder in ("api.html", "api"), ("source.html", "source"):
        browser.get((site / start).as_uri())
        linked = browser.execute_script("return [...document.querySelectorAll('article a')].map(a => a.href)")
        pages = {file.as_uri() for file in (site / folder).rglob("*.html")}
        assert pages and pages <= set(linked)


def test_lectures_1_to_13_have_something_to_move_and_every_position_draws(site, browser):
    for file in quoting.files():
        if file.name[:2] == "14":
            continue
        browser.get((site / "lectures" / f"{file.stem}.html").as_uri())
        names = browser.execute_script("return [...document.querySelectorAll('figure.explore')].map(f => f.id)")
        assert names, file.name
        for name in names:
            drawings = browser.execute_script("""
                const figure = document.getElementById(arguments[0]), seen = [];
                const inputs = [...figure.querySelectorAll("input")];
                function walk(number) {
                  if (number === inputs.length) { seen.push(figure.querySelector("svg").innerHTML); return; }
                  for (let at = 0; at <= Number(inputs[number].max); at++) {
                    inputs[number].value = at;
                    inputs[number].dispatchEvent(new Event("input"));
                    walk(number + 1);
                  }
                }
                walk(0);
                return seen;""", name)
            told = explorables.ALL[name.removeprefix("explore-")]
            sizes = [len(values) for values in told[1].values()]
            assert len(drawings) == prod(sizes)
            assert not any("NaN" in drawing or "Infinity" in drawing for drawing in drawings)
            assert len(set(drawings)) > len(drawings) / 2, f"{name}: most positions show the same"


def test_what_moves_is_what_the_loop_computed(site, browser):
    from numopt.optimizers import momentum
    from numopt.problems import Quadratic
    browser.get((site / "lectures" / "03-momentum.html").as_uri())
    told = json.loads(browser.execute_script("return document.querySelector('#explore-momentum script').textContent"))
    rates, mus = told["sliders"]["rate"], told["sliders"]["momentum"]
    at = rates.index(0.05) * len(mus) + mus.index(0.9)
    run = momentum(Quadratic(np.diag([1.0, 10.0])), np.array([9.0, 1.0]), lr=0.05, mu=0.9)
    path = [[9.0, 1.0], *(next(run) for _ in range(60))]
    assert np.allclose(told["results"][at]["path"], path, rtol=1e-3, atol=1e-4)


def test_search_finds_a_word_without_a_server(site, browser):
    browser.get((site / "search.html").as_uri() + "?q=Rosenbrock")
    for _ in range(100):
        links = browser.execute_script("return [...document.querySelectorAll('#search-results li a')]"
                                       ".map(a => a.href)")
        if links:
            break
        time.sleep(0.1)
    assert any("lectures/" in link or "api/" in link for link in links)


def test_the_letters_of_a_source_can_stand_in_place_of_ours(site, browser):
    browser.get((site / "lectures" / "03-momentum.html").as_uri())
    count = ("return [...document.querySelectorAll('article math mi')]"
             ".filter(mi => mi.textContent === arguments[0]).length")
    ours, theirs = (browser.execute_script(count, letter) for letter in "ημ")
    assert ours > 10 and theirs > 10
    browser.execute_script("const s = document.querySelector('.letters select'); s.value = 'Kashyap';"
                           "s.dispatchEvent(new Event('change'))")
    assert browser.execute_script(count, "η") == 0 and browser.execute_script(count, "ϵ") >= ours
    browser.execute_script("const s = document.querySelector('.letters select'); s.selectedIndex = 0;"
                           "s.dispatchEvent(new Event('change'))")
    assert browser.execute_script(count, "η") == ours


# ------------------------------------------------------------------------------------------ without a browser

def test_every_picture_has_its_script_every_claim_its_test_every_loop_its_module_every_page_its_notebook(site):
    for file in quoting.files():
        text, page = file.read_text(encoding="utf-8"), (site / "lectures" / f"{file.stem}.html").read_text("utf-8")
        for name in quoting.quoted(text, "figure"):
            script = f"source/figures/{name}.py.html"
            assert f'{script}"' in page and (site / script).exists()
        for test in re.findall(r"\[`(?:.*::)?(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", text):
            line = sources.line_of(test[1], test[0])
            assert f'{test[1]}.html#L-{line}"' in page and line > 1
        assert f"notebooks/{file.stem}.ipynb" in page and (site / "notebooks" / f"{file.stem}.ipynb").exists()


def test_all_links_lead_somewhere_within(site):
    for page in site.rglob("*.html"):
        for target in set(re.findall(r'(?:href|src)="([^"#?]+)(?:[#?][^"]*)?"', page.read_text(encoding="utf-8"))):
            if not re.match(r"https?:|data:|mailto:|javascript:", target):
                assert (page.parent / target).exists(), (page.name, target)


def test_building_twice_gives_the_same_bytes(site, tmp_path):
    again = build.built(tmp_path / "again")
    files = sorted(file.relative_to(site) for file in site.rglob("*") if file.is_file())
    assert files == sorted(file.relative_to(again) for file in again.rglob("*") if file.is_file())
    assert [file for file in files if (site / file).read_bytes() != (again / file).read_bytes()] == []


def test_a_wrong_formula_a_drifted_quotation_and_a_folder_in_use_are_one_clear_line(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"this formula does not parse: .*frac"):
        mathematics.rendered(r"\frac{1}{")
    for formula, letter in ((r"\mathbb R", "ℝ"), (r"\mathbf g", "𝐠"), (r"\mathcal L", "ℒ"),
                            (r"\boldsymbol\theta", "𝜽")):
        assert letter in mathematics.rendered(formula)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years of work")
    assert main(["site", "--out", str(tmp_path / "mine")]) == 1
    assert "holds something that is not a site" in capsys.readouterr().err
    monkeypatch.setattr(quoting, "rewritten", lambda file: "other")
    assert main(["site", "--out", str(tmp_path / "site")]) == 1
    assert "a quotation is out of date" in capsys.readouterr().err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


def test_katex_takes_what_it_knows_in_mathml_and_nothing_that_it_guesses():
    assert mathematics.rendered(r"\mathbb R").startswith('<span class="math"><math')
    assert '<mi mathvariant="normal">ℝ</mi>' in mathematics.rendered(r"\mathbb R")
    assert 'display="block"' in mathematics.rendered("x + 1", True) and mathematics.letters(r"\theta") == ("θ", "")
    for wrong in r"\frac{1", r"\no_such x", "café", "x % and a comment":
        with pytest.raises(ValueError, match="this formula does not parse: "):
            mathematics.rendered(wrong)


def test_own_scripts_are_short():
    lines = [line for file in Path(build.HERE).glob("*.js") for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) <= 250 and not any("http" in line and "w3.org" not in line for line in lines)
