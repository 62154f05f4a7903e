"""Imports go one way, down the path, and the light ones stay light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skol_rnn

PACKAGE = Path(skol_rnn.__file__).parent

# Each module may import those above its own line, and those of its own line.
LEVELS = [
    {"errors", "labels", "presets"},
    {"documents", "npz", "windows", "pictures", "class_weights", "distribution", "findings", "scores", "spans"},
    {"units", "training_length"},
    {"formats", "evaluation", "decoding", "losses", "bundle", "features", "datasets", "annotations", "diagnosis"},
    {"linear_member", "prediction", "onnx_network"},
    {"sampling", "objective", "report_rows", "report_html", "report", "progress"},
    {"character_layer", "network", "batches", "training_lines", "parameters"},
    {"labeller", "training"},
    {"serving"},
    {"graph"},
    {"held_out"},
    {"fitting"},
    {"model"},
    {"model_store", "extraction", "unit_labels"},
    {"spark", "classifier_options"},
    {"classifier"},
    {"tuning"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
# Imported inside functions only, so that nothing is loaded: the results say how they are shown.
LATE = {("scores", "report"), ("documents", "formats"), ("report", "report_html")}
HEAVY = {"tensorflow", "keras", "gensim", "sklearn", "pyspark", "redis", "onnxruntime"}


def level(module):
    return next(i for i, names in enumerate(LEVELS) if module in names)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("skol_rnn."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("skol_rnn."))


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_before_it(path):
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    for other in imports(path):
        if other != own and (own, other) not in LATE:
            assert level(other) <= level(own), f"{relative} imports {other}"


def test_every_module_has_its_place():
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert names == set().union(*LEVELS)


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
    code = f"from skol_rnn.cli import run\ntry: run({words!r})\nexcept SystemExit as stop: assert stop.code == 0"
    modules, printed = loaded(code)
    assert not modules & (HEAVY | {"pandas"})
    assert "Usage" in printed


def test_working_on_documents_loads_no_tensorflow(tmp_path):
    (tmp_path / "a.txt.ann").write_text("[@one#A*]\n[@two#B*]\n", encoding="utf-8")
    for command in ("validate", "weights"):
        code = f"from skol_rnn.cli import run\ntry: run([{command!r}, {str(tmp_path)!r}])\nexcept SystemExit: pass"
        modules, printed = loaded(code)
        assert not modules & (HEAVY - {"sklearn"})
        assert "A" in printed


def test_public_names_are_there():
    for name in skol_rnn.__all__:
        assert getattr(skol_rnn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skol_rnn.nothing


def test_import_and_help_take_less_than_half_a_second():
    import time

    for words in (["-c", "import skol_rnn"], ["-m", "skol_rnn", "--help"]):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *words], check=True, capture_output=True, env={**os.environ, "COLUMNS": "80"}
            )
            times.append(time.perf_counter() - start)
        assert min(times) < 0.5
