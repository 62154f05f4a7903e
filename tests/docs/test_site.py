"""The site: complete, made from the program, and readable in a real browser without a network."""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading

import draw_figures
import pytest
import site_pages
from page_blocks import ROOT

from skol_rnn.cli.app import COMMANDS
from skol_rnn.training.parameters import PARAMETERS

DOCS = ROOT / "docs"


def test_the_reference_of_commands_has_each_command_and_its_options():
    text = site_pages.commands()
    assert set(re.findall(r"^## (\S+)", text, re.M)) == set(COMMANDS)
    assert "`--window-size INTEGER`\n:   Lines in a window" in text
    assert "--members" not in text and "--weights STRATEGY" not in text  # former options are hidden


def test_the_settings_are_those_of_the_model_with_their_defaults():
    text = site_pages.settings()
    assert sorted(re.findall(r"^`(\w+)`", text, re.M)) == sorted(PARAMETERS)
    assert "`window_size` = `15` (lines), `128` (tokens)" in text
    assert "`stride` = `15` (lines), `128` (tokens)" in text


def test_the_python_reference_has_each_public_name():
    stub = (ROOT / "skol_rnn" / "__init__.pyi").read_text("utf-8")
    described = re.findall(r"^::: skol_rnn\.(\w+)$", (DOCS / "api.md").read_text("utf-8"), re.M)
    assert sorted(described) == sorted(re.findall(r" as (\w+)$", stub, re.M)), "add it to docs/api.md"


def test_the_pictures_are_those_that_the_script_draws(tmp_path, monkeypatch):
    (tmp_path / "learning_curve.json").write_bytes((DOCS / "learning_curve.json").read_bytes())
    monkeypatch.setattr(draw_figures, "DOCS", tmp_path)
    draw_figures.draw_all()
    drawn = {path.name: path.read_text("utf-8") for path in (tmp_path / "figures").iterdir()}
    kept = {path.name: path.read_text("utf-8") for path in (DOCS / "figures").iterdir()}
    assert len(drawn) >= 4 and drawn == kept, "run: python tools/draw_figures.py"


@pytest.mark.parametrize("place", ["README.md", "CHANGES.md", "CONTRIBUTING.md", "skol_rnn", "benchmarks"])
def test_each_page_that_is_named_exists(place):
    files = [ROOT / place] if place.endswith(".md") else [*(ROOT / place).rglob("*.py"), *(ROOT / place).rglob("*.md")]
    named = {name for file in files for name in re.findall(r"\bdocs/[\w/]+\.(?:md|svg)", file.read_text("utf-8"))}
    # A script may name a page that it has not written yet: they are written where the corpora are.
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site strictly and serve it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_):
        pass


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_each_page_fits_the_screen_and_needs_no_network(site, chromium, width, dark):
    problems = []
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith((site, "data:")) else problems.append(request.url)
    )
    for name in sorted(path.stem for path in DOCS.glob("*.md")):
        page.goto(site if name == "index" else f"{site}{name}/")
        assert page.locator("article h1").count() == 1, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.locator("article img:not([alt])").count() == 0, name
    page.goto(f"{site}how_it_works/")
    colours = page.evaluate(
        "['article p', 'svg.figure text'].map(found => getComputedStyle(document.querySelector(found)))"
        ".map((style, place) => place ? style.fill : style.color)"
    )
    assert page.locator("svg.figure").count() == 4
    assert colours[0] == colours[1]  # the words of a picture have the colour of the page
    context.close()
    assert problems == []
