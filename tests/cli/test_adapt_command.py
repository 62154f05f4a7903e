"""``skol-rnn adapt``."""

from __future__ import annotations

import json

import pytest
from commands import skol
from toy import toy_table


@pytest.fixture
def annotated(tmp_path):
    """Return a folder of the documents that the tiny model was trained on."""
    for name, rows in toy_table().groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
        (tmp_path / f"{name}.txt.ann").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def reviewed(tmp_path_factory):
    """Return a file of one line."""
    file = tmp_path_factory.mktemp("reviewed") / "new.txt.ann"
    file.write_text("[@Fusella minor#Nomenclature*]\n", encoding="utf-8")
    return file


def test_adapts_to_a_single_line(tiny_bundle, annotated, reviewed, tmp_path, capsys):
    out = tmp_path / "adapted.skol"
    assert skol("adapt", tiny_bundle, reviewed, "--training", annotated, "--out", out, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"model": str(out), "lines": 1, "documents": 1, "replayed": 240}
    assert skol("info", out) == 0
    assert "adapted to reviewed lines (1 line of 1 document)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("nobody has read this\n", 3, "No line of the reviewed documents has a label"),
        ("[@Fusella#Key*]\n", 3, "Label 'Key' of the reviewed documents is not among"),
    ],
)
def test_reviewed_lines_are_checked_before_anything_loads(
    tiny_bundle, annotated, reviewed, tmp_path, capsys, monkeypatch, text, status, message
):
    monkeypatch.setattr("skol_rnn.cli.common.load", lambda *_: pytest.fail("the model was loaded"))
    reviewed.write_text(text, encoding="utf-8")
    assert skol("adapt", tiny_bundle, reviewed, "--training", annotated, "--out", tmp_path / "out") == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_training_documents_are_required(tiny_bundle, reviewed, tmp_path, capsys):
    assert skol("adapt", tiny_bundle, reviewed, "--out", tmp_path / "out") == 2
    assert "--training" in capsys.readouterr().err


def test_reviewed_documents_alone_are_no_training_set(tiny_bundle, annotated, tmp_path, capsys):
    assert skol("adapt", tiny_bundle, annotated, "--training", annotated, "--out", tmp_path / "out") == 3
    assert "All training documents are among the reviewed ones" in capsys.readouterr().err


def test_standard_input_is_read_once(tiny_bundle, tmp_path, capsys):
    assert skol("adapt", tiny_bundle, "-", "--training", "-", "--out", tmp_path / "out") == 2
    assert "standard input can be read only once" in capsys.readouterr().err
