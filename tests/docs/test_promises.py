"""Each promise of the documentation and of the docstrings has a test that exists."""

from __future__ import annotations

import ast
import re

import pytest
from page_blocks import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
TABLE = PAGE.split("## Where each promise is tested")[1]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TABLE.splitlines() if "`tests/" in line]
STRONG = re.compile(
    r"\b(atomic(ally)?|all or (none|nothing)|constant memory|bit for bit|same bits|bit-equal|in one step|guarantee[sd]?|"
    r"without running (any )?code|runs? no code|opens no file|nothing is (lost|replaced|unpickled)|"
    r"never (replaced|becomes|illegal|trained on)|always (be )?(form )?legal|not on their number|does not grow|"
    r"twice the (input|time)|completely or not at all)\b",
    re.IGNORECASE,
)
INTERNAL = {
    "skol_rnn/persistence/__init__.py": "save_bundle",
    "skol_rnn/persistence/atomic.py": "write_atomically",
    "skol_rnn/persistence/bundle.py": "save_bundle",
    "skol_rnn/persistence/figures.py": "save_figure",
    "skol_rnn/batch_evaluate/store.py": "README",
    "skol_rnn/datasets/__init__.py": "datasets",
    "skol_rnn/inference/onnx_runner.py": "in one step (VNNI)",
    "skol_rnn/records/run.py": "Records.write",
    "skol_rnn/training/parameters.py": "decision",
}
"""Modules whose docstrings promise something, and where the table has it; the step of a processor is no promise."""


def functions_of(file):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_test_of_the_table_exists():
    assert len(ROWS) > 20
    for promise, said, tests in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
        assert named and tests.count("`") == 2 * len(named), promise
        missing = [name for file, name in named if name not in functions_of(file)]
        assert not missing, f"{promise}: {missing}"
        for page in re.findall(r"\((\w+\.md)\)", said):
            assert (ROOT / "docs" / page).is_file(), page


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_that_promises_is_in_the_table(page):
    if page.name.startswith("reliability") or not STRONG.search(page.read_text("utf-8")):
        return
    assert any(page.name.replace("README.md", "README") in said for _, said, _ in ROWS), STRONG.search(page.read_text())


def test_a_docstring_that_promises_is_in_the_table():
    promising = set()
    for file in (ROOT / "skol_rnn").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and STRONG.search(
                ast.get_docstring(node) or ""
            ):
                promising.add(file.relative_to(ROOT).as_posix())
    assert promising - set(INTERNAL) == set()
    listed = " ".join(said for _, said, _ in ROWS)
    assert [place for place in INTERNAL.values() if "VNNI" not in place and place not in listed] == []
