"""The notebooks as files: no outputs, a beginning that says what one gets, imports that resolve; nbmake runs them."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path, kind):
    return [
        "".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind
    ]


def code_of(path):
    return ast.parse("\n".join(cells(path, "code")))


def test_there_are_six_notebooks():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_runs_with_any_python(path):
    notebook = json.loads(path.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    clear = all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert code and clear, "in Jupyter: Edit, Clear Outputs of All Cells; then save"
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_with_a_title_and_a_paragraph_that_says_what_one_has_at_the_end(path):
    first = json.loads(path.read_text("utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    title, paragraph = re.fullmatch(r"# (.+)\n\n(.+)", "".join(first["source"])).groups()
    assert title and paragraph.startswith("At the end you ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_import_of_a_notebook_resolves(path):
    imported = 0
    for node in ast.walk(code_of(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)
                imported += 1
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"
                imported += 1
    assert imported >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_ends_in_what_the_reader_should_see_in_words_and_as_assertions(path):
    assert len(re.findall(r"^## What you should see$", "\n\n".join(cells(path, "markdown")), re.M)) == 1
    statements = [node for node in ast.walk(code_of(path)) if isinstance(node, ast.Assert)]
    assert len(statements) >= 4 and all(node.msg is not None for node in statements)


def test_the_index_lists_the_notebooks():
    index = (FOLDER / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((\d\d_\w+\.ipynb)\)", index) == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_between_notebooks_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)\)", "\n".join(cells(path, "markdown")))
    assert all((FOLDER / link).exists() for link in links if "://" not in link)
