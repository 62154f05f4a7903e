"""The whole way on the sample and on real volumes, in processes of their own; minutes long."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

BLOCK = re.compile(r"\[@(.*?)#([^*#\]\n]+)\*\]", re.S)
MARK = re.compile(r"\[@|#[^*#\]\n]+\*\]")
THREE = ["--labels", "Nomenclature,Description", "--other", "Misc", "--important", "Nomenclature,Description"]


def skol(*words, cwd=None):
    command = [sys.executable, "-m", "skol_rnn", *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def labelled_lines(text):
    """Read lines and labels the way the YEDDA regex does, independently of the package."""
    pieces, position = [], 0
    for match in BLOCK.finditer(text):
        pieces += [(text[position : match.start()], None), (match[1], match[2])]
        position = match.end()
    pieces.append((text[position:], None))
    lines, line, label = [], "", None
    for chunk, chunk_label in pieces:
        for i, part in enumerate(MARK.sub("", chunk).split("\n")):
            if i:
                lines += [(line.strip(), label)] if line.strip() else []
                line, label = "", None
            if part.strip() and not line.strip():
                label = chunk_label
            line += part
    return lines + ([(line.strip(), label)] if line.strip() else [])


def f1(gold, found, label):
    hits = sum(g == f == label for g, f in zip(gold, found, strict=True))
    return 2 * hits / (gold.count(label) + found.count(label))


def test_the_demo_saves_the_default_model_and_says_what_its_scores_are(tmp_path):
    out = skol("demo", "--out", tmp_path / "demo")
    assert len(out.splitlines()) <= 25
    scores = json.loads(skol("evaluate", tmp_path / "demo" / "model", tmp_path / "demo" / "sample" / "test", "--json"))
    assert scores["important_f1"] > 0.9
    assert re.search(rf"important F1 +{scores['important_f1']:.3f}", out)
    hits = scores["confusion_matrix"][scores["labels"].index("Nomenclature")][scores["labels"].index("Nomenclature")]
    support, precision = scores["Nomenclature_support"], scores["Nomenclature_precision"]
    assert f"{hits} of {support:.0f} Nomenclature lines ({precision:.0%}" in " ".join(out.split())
    state = json.loads(skol("info", tmp_path / "demo" / "model", "--json"))
    assert state["not_given"], "the default settings"
    assert (state["parameters"]["preset"], state["parameters"]["ensemble_size"]) == ("default", 2)


def test_real_volumes_from_training_to_an_independent_score(corpora, tmp_path):
    """One epoch instead of the default eight, so a lower bar: a linear-chain CRF reaches 0.784 on these documents."""
    import resource

    volumes = corpora / "skol"
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in sorted((volumes / "dev").glob("*.ann")):
        text = MARK.sub("", path.read_text("utf-8"))
        (plain / path.name.removesuffix(".ann")).write_text(text, "utf-8")
    words = ["train", volumes / "train", "--dev", volumes / "dev", *THREE, "--epochs", "1", "--out", tmp_path / "model"]
    skol(*words)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3_000_000  # kilobytes
    skol("predict", tmp_path / "model", plain, "--precision", "float32", "--out", tmp_path / "labelled")
    gold, found = [], []
    for path in sorted((volumes / "dev").glob("*.ann")):
        expected = labelled_lines(path.read_text("utf-8"))
        labelled = labelled_lines((tmp_path / "labelled" / path.name).read_text("utf-8"))
        assert [line for line, _ in labelled] == [line for line, _ in expected]
        gold += [label for _, label in expected]
        found += [label for _, label in labelled]
    scores = json.loads(skol("evaluate", tmp_path / "model", volumes / "dev", "--json"))
    for label in ("Nomenclature", "Description"):
        assert f"{scores[f'{label}_f1']:.4f}" == f"{f1(gold, found, label):.4f}"
    assert scores["important_f1"] >= 0.82
