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


def test_gold_spans_come_back_from_the_labels_of_tokens(spans, tmp_path):
    gold = write_articles(tmp_path / "dev", 3, seed=0)
    table, read = spans.read_articles(tmp_path / "dev")
    for found in (read, spans.character_spans(table, table["label"].to_numpy())):
        assert sorted((name, k, a, b) for name, own in found.items() for a, b, k in own) == sorted(gold)


def test_the_sums_give_the_scores_of_the_package(spans):
    from skol_rnn.evaluation.span_scores import fragment_scores, strict_scores

    gold = {"1": [(0, 10, "L"), (20, 30, "N"), (40, 80, "D")], "2": [(0, 8, "N")]}
    predicted = {"1": [(0, 10, "L"), (20, 34, "D")], "2": [(4, 8, "N")]}
    sums = spans.sums_by_type(gold, predicted)
    assert spans.fragment_f1(sums) == pytest.approx(fragment_scores(gold, predicted).f1)
    assert spans.strict_f1(sums) == pytest.approx(strict_scores(gold, predicted).f1)
    untyped = spans.sums_by_type(gold, predicted, typed=False)
    assert spans.fragment_f1(untyped) == pytest.approx(fragment_scores(gold, predicted, typed=False).f1)


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
    assert scores["CRF"] > 0.8 > scores["each line as one span"]
    assert scores["CRF, offset of O tuned"] > 0.8
    assert (tmp_path / "s.md").read_text().count("| CRF") == 2
    capsys.readouterr()
    spans.main()
    assert capsys.readouterr().out == ""


def test_predictions_of_peers_are_one_label_a_token(spans, tmp_path):
    write_articles(tmp_path / "train", 4, seed=0)
    table, _ = spans.read_articles(tmp_path / "train")
    for name in (
        "each line as one span",
        "dictionary of training spans",
        "dictionary of training spans, reliable entries",
    ):
        model = spans.SYSTEMS[name]()
        model.fit(table, 0)
        labels = np.asarray(model.predict(table.drop(columns="label")), dtype=object)
        assert len(labels) == len(table)
        score = spans.fragment_f1(
            spans.sums_by_type(spans.read_articles(tmp_path / "train")[1], spans.character_spans(table, labels))
        )
        assert (score > 0.9) == name.startswith("dictionary")
