"""Take the pictures of the README and the documentation: pages of ``skol-rnn demo`` in a headless Chromium."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SIZE = {"width": 1180, "height": 480}


def main() -> None:
    """Take the pictures from the folder that the demo wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder that skol-rnn demo wrote")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    report = arguments.demo / "report.html"
    (labelled,) = (path for path in arguments.demo.glob("*.html") if path != report)
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=1.25, offline=True)
        page.goto(labelled.resolve().as_uri())
        # The first treatment: a name whose gold and predicted labels agree, and its description.
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        name = page.locator("p:has(i.c0 + i.c0)").first
        for _ in range(2):  # rows get their heights when they come into view
            name.evaluate("row => { row.scrollIntoView(); scrollBy(0, -120); }")
            page.wait_for_timeout(200)
        take(page, arguments.out / "labelled-page.png")
        page.set_viewport_size({"width": 1000, "height": 680})
        page.goto(report.resolve().as_uri())
        take(page, arguments.out / "report.png")
        browser.close()


def take(page: Page, path: Path) -> None:
    """Save what a page shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
