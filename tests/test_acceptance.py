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


def test_the_demo_ends_with_its_table_and_labelled_files(tmp_path):
    out = skol("demo", "--out", tmp_path / "demo")
    for row in ("none argmax", "100/10/0.1 argmax", "smoothed argmax"):
        assert re.search(rf"{row}\s+0\.\d{{4}}", out), out
    scores = [float(s) for s in re.findall(r"argmax\s+0\.\d{4}\s+0\.\d{4}\s+0\.\d{4}\s+(0\.\d{4})", out)]
    assert scores[2] > scores[1]  # mild weights beat 1000 : 1 where argmax decides
    labelled = sorted((tmp_path / "demo" / "labelled").rglob("*.ann"))
    assert len(labelled) == 6
    for path in labelled:
        source = next((tmp_path / "demo" / "sample").rglob(path.name))
        assert MARK.sub("", path.read_text("utf-8")) == MARK.sub("", source.read_text("utf-8"))


def test_real_volumes_from_training_to_an_independent_score(corpora, tmp_path):
    """One epoch instead of the default four, so a lower bar: a linear-chain CRF reaches 0.784 on these documents."""
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
    skol("predict", tmp_path / "model", plain, "--out", tmp_path / "labelled")
    gold, found = [], []
    for path in sorted((volumes / "dev").glob("*.ann")):
        expected = labelled_lines(path.read_text("utf-8"))
        labelled = labelled_lines((tmp_path / "labelled" / path.name).read_text("utf-8"))
        assert [line for line, _ in labelled] == [line for line, _ in expected]
        gold += [label for _, label in expected]
        found += [label for _, label in labelled]
    scores = json.loads(skol("evaluate", tmp_path / "model", volumes / "dev", "--json", "-"))
    for label in ("Nomenclature", "Description"):
        assert f"{scores[f'{label}_f1']:.4f}" == f"{f1(gold, found, label):.4f}"
    assert scores["important_f1"] >= 0.82
