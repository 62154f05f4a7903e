"""Imports go one way, down the path, and the light ones stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import skol_rnn

PACKAGE = Path(skol_rnn.__file__).parent

HEAVY = {"tensorflow", "keras", "gensim", "sklearn", "pyspark", "redis", "onnxruntime"}


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def test_no_drawer():
    assert not [path for path in FILES if path.stem in {"utils", "helpers", "misc"}]


def loaded(code):
    """Return what a fresh process has loaded after some code, and what it printed."""
    probe = "\nimport sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code + probe], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stderr.split()}, result.stdout


def test_importing_the_package_loads_nothing_heavy_prints_nothing_and_changes_no_environment():
    modules, printed = loaded(
        "import os; before = dict(os.environ); import skol_rnn; assert dict(os.environ) == before"
    )
    assert not modules & HEAVY
    assert "pandas" not in modules
    assert printed == ""


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["predict", "-h"]])
def test_help_loads_nothing_heavy(words):
    code = f"from skol_rnn.cli.app import run\ntry: run({words!r})\nexcept SystemExit as stop: assert stop.code == 0"
    modules, printed = loaded(code)
    assert not modules & (HEAVY | {"pandas"})
    assert "Usage" in printed


def test_working_on_documents_loads_no_tensorflow(tmp_path):
    (tmp_path / "a.txt.ann").write_text("[@one#A*]\n[@two#B*]\n", encoding="utf-8")
    for command in ("validate", "weights"):
        code = f"from skol_rnn.cli.app import run\ntry: run([{command!r}, {str(tmp_path)!r}])\nexcept SystemExit: pass"
        modules, printed = loaded(code)
        assert not modules & (HEAVY - {"sklearn"})
        assert "A" in printed


def test_public_names_are_there():
    for name in skol_rnn.__all__:
        assert getattr(skol_rnn, name) is not None
    with pytest.raises(AttributeError, match="No skol_rnn attribute nothing"):
        _ = skol_rnn.nothing
