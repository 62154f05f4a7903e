"""Tokens on the command line, from articles with spans to a table of predicted spans and back to scores."""

from __future__ import annotations

import json

import pytest
from commands import skol
from toy import write_articles

from skol_rnn import load_model, read_documents
from skol_rnn.data.tokens import document_spans

FAST = ["--hidden-size", "6", "--line-size", "8", "--input-size", "8", "--window-size", "24", "--batch-size", "8"]
FAST += ["--min-updates", "0", "--ensemble-size", "1", "--no-refit"]
LONG = ["--epochs", "20", "--learning-rate", "0.02", "--dropout", "0.1", "--validation-fraction", "0.25"]


@pytest.fixture(scope="module")
def articles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("articles")
    write_articles(folder / "train", 16, seed=0)
    write_articles(folder / "dev", 4, seed=1)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return the folder of a few articles, for trainings of which the scores do not matter."""
    folder = tmp_path_factory.mktemp("few") / "train"
    write_articles(folder, 4, seed=0)
    return folder


@pytest.fixture(scope="module")
def trained(articles, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "spans.skol"
    assert skol("train", articles / "train", "--unit", "token", "--out", path, *FAST, *LONG) == 0
    return path


def name_of(document):
    return document.doc_id.split("/")[-1].removeprefix("article")


def rows_of(path):
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()]


def test_predict_writes_the_table_of_spans(articles, trained, tmp_path):
    assert skol("predict", trained, articles / "dev", "--out", tmp_path / "spans.tsv") == 0
    gold, found = rows_of(articles / "dev.labels.tsv"), rows_of(tmp_path / "spans.tsv")
    assert len(set(gold) & set(found)) > 0.85 * len(gold)
    assert {len(row) for row in found} == {4}


def test_texts_without_a_table_of_labels_get_the_same_spans(articles, trained, tmp_path):
    (tmp_path / "new").mkdir()
    for path in (articles / "dev").glob("*.txt"):
        (tmp_path / "new" / path.name).write_bytes(path.read_bytes())
    for source, name in ((articles / "dev", "a.tsv"), (tmp_path / "new", "b.tsv")):
        assert skol("predict", trained, source, "--out", tmp_path / name) == 0
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes() != b""


@pytest.mark.parametrize("form", ["jsonl", "brat", "bio", "csv"])
def test_predicted_spans_in_other_formats_are_those_of_the_table(articles, trained, tmp_path, form):
    assert skol("predict", trained, articles / "dev", "--out", tmp_path / "spans.tsv") == 0
    words = [] if form == "jsonl" else ["--format", form]  # jsonl is the default of tokens
    assert skol("predict", trained, articles / "dev", "--out", tmp_path / "folder", *words) == 0
    read = read_documents(tmp_path / "folder", unit="token")
    texts = {row[0]: (articles / "dev" / f"article{row[0]}.txt").read_text() for row in rows_of(tmp_path / "spans.tsv")}
    found = [(name_of(d), k, d.text[a:b]) for d in read for a, b, k in document_spans(d)]
    assert sorted(found) == sorted(
        (name, kind, texts[name][int(a) : int(b)]) for name, kind, a, b in rows_of(tmp_path / "spans.tsv")
    )


def test_evaluate_prints_the_scores_of_spans_and_of_tokens(articles, trained, capsys):
    capsys.readouterr()
    assert skol("evaluate", trained, articles / "dev", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["unit"] == "token" and scores["decision"] == "tuned"
    assert scores["fragment_f1"] == load_model(trained).evaluate(articles / "dev").fragment_f1 > 0.85
    assert skol("evaluate", trained, articles / "dev") == 0
    out = capsys.readouterr().out
    assert "types do not count" in out and "Strict span scores" in out and "B-PLACE" in out
    typed, untyped, strict = scores["spans"]
    assert typed["f1"] == pytest.approx(scores["fragment_f1"]) and set(typed["types"]) == {"NAME", "PLACE"}
    assert untyped["f1"] >= typed["f1"] >= strict["f1"] > 0.8
    assert f"{strict['f1']:.3f}" in out


def test_what_a_table_cannot_take_is_refused(articles, trained, tmp_path, capsys):
    assert skol("predict", trained, articles / "dev", "--out", tmp_path / "s.tsv", "--format", "csv") == 2
    assert "no --format" in capsys.readouterr().err


def test_overlapping_spans_are_refused_unless_one_is_to_be_left_out(articles, tmp_path, capsys):
    write_articles(tmp_path / "two", 4, seed=2)
    table = tmp_path / "two.labels.tsv"
    first = rows_of(table)[0]
    table.write_text(table.read_text() + "\t".join([first[0], "NAME", "0", first[3]]) + "\n")
    short = ["--unit", "token", "--out", tmp_path / "m", *FAST, "--epochs", "1"]
    assert skol("train", tmp_path / "two", *short) == 3
    assert "two.labels.tsv" in capsys.readouterr().err
    assert skol("train", tmp_path / "two", *short, "--overlap", "longest") == 0


def test_the_unit_may_stand_in_a_file_of_settings(few, tmp_path, capsys):
    (tmp_path / "s.toml").write_text('unit = "token"\nepochs = 1\nclass_weights = {NAME = 5.0}\n')
    words = ["train", few, "--out", tmp_path / "m", "--config", tmp_path / "s.toml", *FAST, "--json"]
    assert skol(*words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parameters"]["unit"] == "token" and "I-PLACE" in printed["labels"]


def test_saved_weights_of_tokens_are_used_in_training(few, tmp_path, capsys):
    frozen = tmp_path / "weights.json"
    assert skol("weights", few, "--unit", "token", "--save", frozen) == 0
    assert "B-PLACE" in capsys.readouterr().out
    words = ["--unit", "token", "--out", tmp_path / "m", "--class-weights", frozen, "--epochs", "1", *FAST]
    assert skol("train", few, *words) == 0
    kept = json.loads(frozen.read_text())["weights"]
    trained = load_model(tmp_path / "m")
    assert dict(zip(trained.class_weights_.labels, trained.class_weights_.weights, strict=True)) == kept
    assert set(kept) == {"B-NAME", "I-NAME", "B-PLACE", "I-PLACE", "O"}
