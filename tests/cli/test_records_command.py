"""``skol-rnn records``."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from commands import skol

TEXT = "[@Fusella minor#Nomenclature*]\n\n[@Pileus red, ob-\ntuse.#Description*]\n[@Thanks#Misc*]\n"
WANTED = ("--begin", "Nomenclature", "--with", "Description")


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "a.txt.ann"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_gold_records(file, tmp_path, capsys):
    out = tmp_path / "records.csv"
    assert skol("records", file, "--gold", *WANTED, "--out", out) == 0
    assert pd.read_csv(out)["Description"].tolist() == ["Pileus red, obtuse."]
    assert "Wrote 1 record of 1 document" in capsys.readouterr().err
    assert skol("records", file, "--gold", *WANTED, "--out", out) == 3
    assert "give --overwrite to replace it" in capsys.readouterr().err
    assert skol("records", file, "--gold", *WANTED, "--out", out, "--overwrite", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"file": str(out), "documents": 1, "records": 1, "flags": {}}


def test_records_of_a_model(tiny_bundle, file, tmp_path):
    out = tmp_path / "records.jsonl"
    assert skol("records", tiny_bundle, file, *WANTED, "--out", out) in (0, 1)
    assert all(json.loads(line)["document"] == "a" for line in out.read_text(encoding="utf-8").splitlines())


def test_predicted_files_are_read_again(tiny_bundle, file, tmp_path):
    """What predict writes, in any format that keeps labels, gives the records that the model gives."""
    direct = tmp_path / "direct.jsonl"
    skol("records", tiny_bundle, file, *WANTED, "--out", direct)
    for form in ("jsonl", "csv", "yedda"):
        folder, again = tmp_path / form, tmp_path / f"{form}.jsonl"
        assert skol("predict", tiny_bundle, file, "--out", folder, "--format", form) == 0
        skol("records", folder, "--gold", *WANTED, "--out", again)
        rows = [
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in (direct, again)
        ]
        columns = ("Nomenclature", "Description", "begin_line", "lines")
        assert [[row[c] for c in columns] for row in rows[0]] == [[row[c] for c in columns] for row in rows[1]]


def test_no_record_says_so_and_leaves_an_empty_table(file, tmp_path, capsys):
    out = tmp_path / "records.csv"
    file.write_text("[@Thanks#Misc*]\n", encoding="utf-8")
    assert skol("records", file, "--gold", *WANTED, "--out", out) == 1
    said = capsys.readouterr().err
    assert "No line has the label 'Nomenclature', so no record has a name; the lines are Misc 1." in said
    assert out.read_text(encoding="utf-8").startswith("document,record,begin_line,")
    file.write_text("Thanks\n", encoding="utf-8")
    assert skol("records", file, "--gold", *WANTED, "--out", out, "--overwrite") == 1
    assert "no line has a label. Give a model" in capsys.readouterr().err


def test_a_misspelt_label(file, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "records.csv"
    misspelt = ("--begin", "Nomenclatur", "--with", "Description", "--out", out)
    assert skol("records", tiny_bundle, file, *misspelt) == 3
    assert "Did you mean 'Nomenclature'?" in capsys.readouterr().err
    assert not out.exists()
    assert skol("records", file, "--gold", *misspelt) == 1
    assert "Did you mean 'Nomenclature'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["MODEL", "FILE", "--begin", "Misc", "--with", "Misc", "--out", "r.csv"], 2, "cannot both begin"),
        (["MODEL", "FILE", *WANTED, "--out", "r.txt"], 2, "--out must end in .jsonl, .csv or .parquet"),
        (["MODEL", *WANTED, "--out", "r.csv"], 2, "Give a model and the documents"),
        (["FILE", "--gold", *WANTED, "--out", "r.csv", "--decision", "argmax"], 2, "leave out --decision"),
        (["FILE", "--gold", *WANTED, "--out", "r.csv", "--rules", "none.toml"], 3, "none.toml cannot be read"),
        (["FILE", "--gold", "--begin", "Nomenclature", "--with", ",", "--out", "r.csv"], 2, "at least one label"),
        (["FILE", "FILE", *WANTED, "--out", "r.csv"], 3, "is not a saved model"),
    ],
)
def test_wrong_words(tiny_bundle, file, tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    given = {"MODEL": tiny_bundle, "FILE": file}
    assert skol("records", *(given.get(word, word) for word in words)) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.csv").exists()


def test_a_bad_document_is_skipped_on_request(file, tmp_path, capsys):
    (tmp_path / "b.jsonl").write_text("{", encoding="utf-8")
    out, paths = tmp_path / "records.csv", (file, tmp_path / "b.jsonl")
    assert skol("records", *paths, "--gold", *WANTED, "--out", out) == 3
    assert not out.exists()
    assert skol("records", *paths, "--gold", *WANTED, "--out", out, "--on-error", "skip") == 1
    assert "b.jsonl" in capsys.readouterr().err
    assert len(pd.read_csv(out)) == 1


def test_what_it_wrote_is_no_document(file, tmp_path, capsys):
    """A table of records below the folder that is read is replaced, another file is not."""
    words = ("records", tmp_path, "--gold", *WANTED, "--overwrite", "--out")
    for ending in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"records.{ending}"
        assert skol(*words, out) == 0
        assert skol(*words, out) == 0, capsys.readouterr().err
        out.unlink()
    mine = tmp_path / "mine.csv"
    mine.write_text("doc_id,value,label\nx,Fusella nova,Nomenclature\n", encoding="utf-8")
    assert skol(*words, mine) == 3
    assert "one of the files that are read" in capsys.readouterr().err
    assert mine.read_text(encoding="utf-8").startswith("doc_id")
