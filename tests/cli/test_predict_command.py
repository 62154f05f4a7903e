"""``predict``: one bad document ends nothing, a run that was stopped goes on, and nobody's file is replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from commands import skol
from toy import QUICK, SMALL, toy_table, toy_tokens

from skol_rnn import RNNSkolModel
from skol_rnn.cli import common
from skol_rnn.data.outputs import JOURNAL
from skol_rnn.data.writing import DocumentWriter
from skol_rnn.inference.predictor import ServingModel


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pages(tmp_path):
    """Return a folder of five plain documents."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, part in toy_table(5, 12).groupby("doc_id"):
        (folder / f"{name}.txt").write_text("\n".join(part["value"]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    model = RNNSkolModel(unit="token", epochs=1, **(SMALL | QUICK)).fit(toy_tokens(4, 6))
    return model.save(tmp_path_factory.mktemp("spans") / "model")


BAD = {
    "markup": ("doc2.txt", "first\nsecond [@ third\n"),
    "long name": ("x" * 250 + ".txt", "text\n"),
    "leads out": ("z.jsonl", '{"id": "../../out", "text": "one"}\n'),
    "twice": ("z.jsonl", '{"id": "doc3", "text": "one"}\n'),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_document_ends_nothing_and_the_rest_can_follow(tiny_bundle, pages, tmp_path, capsys, kind, monkeypatch):
    name, text = BAD[kind]
    (pages / name).write_text(text, encoding="utf-8")
    if kind == "twice":  # two files of one place
        monkeypatch.setattr("skol_rnn.data.reading.unique_names", lambda found, files: [name for name, _ in found])
    labelled = []
    predict = ServingModel._predictions
    monkeypatch.setattr(
        ServingModel, "_predictions", lambda self, tables, how: (labelled.extend(tables), predict(self, tables, how))[1]
    )
    words = ["predict", tiny_bundle, pages, "--out", tmp_path / "out"]
    assert skol(*words) == 3
    said, done = capsys.readouterr().err, len(labelled)
    written = {name: data for name, data in files_below(tmp_path / "out").items() if JOURNAL not in name}
    assert len(written) == done == (2 if kind == "markup" else 5)
    assert f"{done} documents written to {tmp_path / 'out'}" in said and "--on-error skip" in said
    assert "Traceback" not in said and len(said.splitlines()) == 2
    assert skol(*words, "--on-error", "skip") == 1
    said = capsys.readouterr().err
    assert "1 document skipped." in said and f"{done} of them were done before" in said
    total = 4 if kind == "markup" else 5
    assert len(labelled) == total  # each once
    after = files_below(tmp_path / "out")
    assert len(after) == total + 1 and written.items() <= after.items()
    (pages / name).unlink()
    assert skol(*words) == 0
    assert len(labelled) == total and len(files_below(tmp_path / "out")) == total


@pytest.mark.parametrize("form", ["brat", "ptc"])
def test_labels_that_a_format_cannot_store_are_refused_before_anything_is_labelled(
    tiny_bundle, tmp_path, pages, form, monkeypatch, capsys
):
    load = common.load_predictor

    def with_odd_label(*words):
        predictor = load(*words)
        predictor.labels = (*predictor.labels[:-1], "All\tother")
        return predictor

    monkeypatch.setattr(common, "load_predictor", with_odd_label)
    monkeypatch.setattr(ServingModel, "predict_documents", None)
    assert skol("predict", tiny_bundle, pages, "--out", tmp_path / "out", "--format", form) == 3
    assert "'All\\tother'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_annotations_made_by_hand_are_not_replaced(tiny_bundle, pages, tmp_path, capsys):
    (pages / "doc1.txt.ann").write_text("[@mine#Nomenclature*]")
    (pages / "doc2.jsonl").write_text('{"text": "mine"}\n')
    (tmp_path / "pages.labels.tsv").write_text("gold\n")
    before = files_below(tmp_path)
    for words in ([], ["--format", "jsonl"], ["--format", "ptc"], ["--format", "text"]):
        for more in ([], ["--overwrite"]):
            skol("predict", tiny_bundle, pages, "--out", pages, *words, *more)
            after = files_below(tmp_path)
            assert {name: after[name] for name in before if name.startswith("pages/")} == {
                name: data for name, data in before.items() if name.startswith("pages/")
            }
            # It belongs to no document that is read, so --overwrite may replace it.
            assert more or after["pages.labels.tsv"] == b"gold\n"
            for name in after.keys() - before.keys():
                (tmp_path / name).unlink()
            (tmp_path / "pages.labels.tsv").write_text("gold\n")


def test_a_second_run_says_what_exists(tiny_bundle, pages, tmp_path, capsys):
    words = ["predict", tiny_bundle, pages, "--out", tmp_path / "out"]
    assert skol(*words) == 0
    assert len(files_below(tmp_path / "out")) == 5
    assert skol(*words) == 3
    assert f"{tmp_path / 'out' / 'doc0.txt.ann'} exists: give --overwrite" in capsys.readouterr().err
    assert skol(*words, "--overwrite") == 0


@pytest.mark.parametrize("place", ["model", "model/within", "file", "pipe.tsv"])
def test_a_model_or_a_file_is_no_output_folder(tiny_bundle, pages, tmp_path, capsys, place):
    (tmp_path / "model").symlink_to(tiny_bundle)
    (tmp_path / "file").write_text("mine")
    os.mkfifo(tmp_path / "pipe.tsv")
    before = files_below(tiny_bundle)
    assert skol("predict", tiny_bundle, pages, "--out", tmp_path / place, "--overwrite") in (2, 3)
    assert files_below(tiny_bundle) == before and (tmp_path / "file").read_text() == "mine"
    assert "Traceback" not in capsys.readouterr().err


def test_another_model_or_other_settings_do_not_go_on(tiny_bundle, pages, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(DocumentWriter, "add", _interrupt_at("doc3", DocumentWriter.add))
    words = ["predict", tiny_bundle, pages, "--out", tmp_path / "out"]
    assert skol(*words) == 130
    assert f"3 documents written to {tmp_path / 'out'}; run the same command again" in capsys.readouterr().err
    monkeypatch.undo()
    for more in (["--decision", "argmax"], ["--format", "jsonl"], ["--html", tmp_path / "html"]):
        assert skol(*words, *more) == 3
        assert "part of another run" in capsys.readouterr().err
    assert skol(*words, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["files"]) == 5 and sum(printed["labels"].values()) == printed["lines"] == 60
    assert len(files_below(tmp_path / "out")) == 5


def _interrupt_at(name, add):
    def stop(self, document, *more, **facts):
        if document.doc_id.endswith(name):
            raise KeyboardInterrupt
        return add(self, document, *more, **facts)

    return stop


def test_pages_of_an_interrupted_run_are_those_of_a_whole_one(tiny_bundle, pages, tmp_path, capsys, monkeypatch):
    def words(name):
        return ["predict", tiny_bundle, pages, "--out", tmp_path / name, "--html", tmp_path / name / "html"]

    assert skol(*words("whole")) == 0
    monkeypatch.setattr(DocumentWriter, "add", _interrupt_at("doc3", DocumentWriter.add))
    assert skol(*words("out")) == 130
    monkeypatch.undo()
    assert skol(*words("out")) == 0
    assert files_below(tmp_path / "out") == files_below(tmp_path / "whole")
    (tmp_path / "again" / "html").mkdir(parents=True)
    (tmp_path / "again" / "html" / "doc4.html").write_text("mine")
    assert skol(*words("again")) == 3
    assert (tmp_path / "again" / "html" / "doc4.html").read_text() == "mine"
    assert "doc4.html exists" in capsys.readouterr().err


def test_the_table_of_spans_of_an_interrupted_run_is_that_of_a_whole_one(spans, pages, tmp_path, monkeypatch):
    assert skol("predict", spans, pages, "--out", tmp_path / "whole.tsv") == 0
    monkeypatch.setattr(DocumentWriter, "add", _interrupt_at("doc3", DocumentWriter.add))
    words = ["predict", spans, pages, "--out", tmp_path / "out.tsv"]
    assert skol(*words) == 130
    monkeypatch.undo()
    assert (tmp_path / "whole.tsv").read_bytes().startswith((tmp_path / "out.tsv").read_bytes())
    assert skol(*words) == 0
    assert (tmp_path / "whole.tsv").read_bytes() == (tmp_path / "out.tsv").read_bytes()
    assert skol(*words) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tsv", "pages", "whole.tsv"]


def test_predict_to_standard_output(tiny_bundle, pages, tmp_path, capfdbinary):
    assert skol("predict", tiny_bundle, pages, "--out", tmp_path / "out", "--format", "jsonl") == 0
    capfdbinary.readouterr()
    assert skol("predict", tiny_bundle, pages, "--out", "-", "--format", "jsonl") == 0
    printed = capfdbinary.readouterr()
    assert printed.out == b"".join(data for _, data in sorted(files_below(tmp_path / "out").items()))
    assert b"5 documents" in printed.err
    assert skol("predict", tiny_bundle, pages / "doc0.txt", "--out", "-") == 0
    assert capfdbinary.readouterr().out.startswith(b"[@")
    assert skol("predict", tiny_bundle, pages / "doc0.txt", "--out", "-", "--json") == 2
    assert skol("predict", tiny_bundle, pages, "--out", "-", "--html", tmp_path / "html") == 2


KILLS = """
import os, signal, sys
from skol_rnn.cli import common
from skol_rnn.cli.app import run

left, out = int(sys.argv[1]), sys.argv[2]

def kill(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir") and out in str(arguments[0]):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

sys.addaudithook(kill)
run(sys.argv[3:])
"""


@pytest.mark.slow
def test_predict_killed_again_and_again_ends_with_the_files_of_a_whole_run(tiny_bundle, pages, tmp_path):
    words = ["predict", str(tiny_bundle), str(pages), "--html", str(tmp_path / "out" / "html"), "--backend", "onnx"]
    whole = [str(tmp_path / "whole") if word == "out" else word.replace("/out/", "/whole/") for word in words]
    assert skol(*whole, "--out", tmp_path / "whole") == 0
    kills, out = 0, tmp_path / "out"
    for moment in [*range(1, 10), *range(10, 100, 8)]:
        words_now = [sys.executable, "-c", KILLS, str(moment), str(out), *words, "--out", str(out)]
        ended = subprocess.run(words_now, capture_output=True, text=True)
        if ended.returncode == 0:
            break
        assert ended.returncode == -9, ended.stderr
        kills += 1
        whole_files = files_below(tmp_path / "whole")
        seen = {name: data for name, data in files_below(out).items() if not name.rpartition("/")[2].startswith(".")}
        assert seen.items() <= whole_files.items()
    assert kills > 5
    assert files_below(out) == files_below(tmp_path / "whole")
