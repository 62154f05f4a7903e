"""The benchmark of spans: its scores, its peers on made-up articles, and going on after a stop."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from toy import write_articles

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def spans():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("spans_benchmark", BENCHMARKS / "spans.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        (
            [("1", "L", 0, 10), ("1", "N", 20, 30), ("1", "D", 40, 80)],
            [("1", "L", 0, 10), ("1", "D", 20, 30)],
            0.4,
        ),
        ([("1", "L", 10, 20)], [("1", "L", 15, 35)], 1 / 3),
        ([("1", "D", 0, 100)], [("1", "D", 0, 30), ("1", "D", 50, 90)], 0.8235294117647058),
        ([("1", "L", 0, 10), ("2", "N", 0, 8), ("3", "D", 0, 50)], [("2", "N", 0, 8)], 0.5),
    ],
)
def test_the_fragment_score_is_that_of_the_definition(spans, gold, predicted, expected):
    assert spans.fragment_f1(spans.sums_by_type(gold, predicted)) == pytest.approx(expected)


def test_without_types_touching_spans_stay_two_and_overlapping_ones_become_one(spans):
    given = [("1", "A", 0, 10), ("1", "B", 10, 20), ("2", "A", 0, 10), ("2", "B", 4, 20)]
    assert spans.without_types(given) == [("1", "any", 0, 10), ("1", "any", 10, 20), ("2", "any", 0, 20)]


def test_gold_spans_come_back_from_the_labels_of_tokens(spans, tmp_path):
    gold = write_articles(tmp_path / "dev", 3, seed=0)
    table, read = spans.read_articles(tmp_path / "dev")
    assert sorted(read) == sorted(gold)
    assert sorted(spans.character_spans(table, table["label"].to_numpy())) == sorted(gold)


def test_peers_are_trained_scored_and_not_trained_again(spans, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn_crfsuite")
    for part, number, seed in (("train", 12, 0), ("dev", 3, 1)):
        write_articles(tmp_path / part, number, seed)
    peers = [name for name in spans.SYSTEMS if not name.startswith("skol_rnn")]
    words = ["spans.py", "--train", tmp_path / "train", "--dev", tmp_path / "dev", "--json", tmp_path / "s.json"]
    words += ["--markdown", tmp_path / "s.md", "--seeds", "0", "1", "--systems", *peers]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # the benchmark sets it, and it is put back
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    spans.main()
    runs = json.loads((tmp_path / "s.json").read_text())["runs"]
    assert len(runs) == len(peers) + 1  # only the tuned CRF has a seed
    scores = {run["system"]: spans.fragment_f1(run["by_type"]) for run in runs}
    assert scores["CRF"] > 0.8 > scores["every line one span"]
    assert scores["CRF, offset of O tuned"] > 0.8
    assert (tmp_path / "s.md").read_text().count("| CRF") == 2
    capsys.readouterr()
    spans.main()
    assert capsys.readouterr().out == ""


def test_predictions_of_peers_are_one_label_a_token(spans, tmp_path):
    write_articles(tmp_path / "train", 4, seed=0)
    table, _ = spans.read_articles(tmp_path / "train")
    for name in ("every line one span", "texts of training spans", "texts of training spans, reliable ones"):
        model = spans.SYSTEMS[name]()
        model.fit(table, 0)
        labels = np.asarray(model.predict(table.drop(columns="label")), dtype=object)
        assert len(labels) == len(table)
        score = spans.fragment_f1(
            spans.sums_by_type(spans.read_articles(tmp_path / "train")[1], spans.character_spans(table, labels))
        )
        assert (score > 0.9) == name.startswith("texts")
