"""What is still unfound, with an interval that holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import skol
from toy import toy_table

from skol_rnn import review_status, start_review
from skol_rnn.decoding.estimate import Expected
from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.review.estimate import Recalibration, corrected


def world(seed, shift=0.0, n=4000):
    """Return posteriors, whether lines have the label, and which were read: the least certain."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-5, 2.5, n)
    truth = rng.random(n) < 1 / (1 + np.exp(-logit))
    p = 1 / (1 + np.exp(-(logit - shift)))
    read = np.argsort(-np.minimum(p, 1 - p))[:200]
    return p, truth, read


@pytest.mark.parametrize("shift", [0.0, -1.0, 1.0])
def test_the_interval_holds_the_truth_also_if_the_model_is_wrong(shift):
    held, errors, plain = 0, [], []
    for seed in range(10):
        p, truth, read = world(seed, shift)
        rest = np.setdiff1d(np.arange(len(p)), read)
        found = Recalibration(p[read], truth[read]).counts(p[rest])
        held += found.low <= truth[rest].sum() <= found.high
        errors.append(abs(found.value - truth[rest].sum()))
        plain.append(abs(p[rest].sum() - truth[rest].sum()))
    assert held >= 9
    if shift:
        assert np.mean(errors) < 0.8 * np.mean(plain)


def test_documents_held_out_correct_what_is_not_read():
    """A tail of tiny posteriors that are always too high is no pile of unfound lines."""
    (p, truth, read), (q, known, _) = world(0, -1.5), world(1, -1.5)
    rest = np.setdiff1d(np.arange(len(p)), read)
    held = HeldOut(np.stack([q, 1 - q], axis=1), np.where(known, 0, 1), np.full(4, 1000))
    better = corrected(np.stack([p, 1 - p], axis=1), held, [0])[:, 0]
    found, without = (Recalibration(each[read], truth[read]).counts(each[rest]) for each in (better, p))
    left = truth[rest].sum()
    assert found.low <= left <= found.high and found.high - found.low < without.high - without.low
    assert abs(found.value - left) < 0.5 * abs(without.value - left)
    np.testing.assert_array_equal(corrected(np.eye(2), None, [1]), [[0], [1]])


def test_nothing_unread_is_nothing_unfound():
    assert Recalibration(np.zeros(0), np.zeros(0, bool)).counts(np.zeros(0)) == Expected(0, 0, 0)
    p = np.full(50, 0.1)
    before = Recalibration(np.zeros(0), np.zeros(0, bool)).counts(p)
    assert before.low < 5 < before.high
    after = Recalibration(np.full(100, 0.1), np.zeros(100, bool)).counts(p)
    assert after.value < before.value


def test_status_counts_what_was_merged_and_draws_the_curve(tiny_bundle, tmp_path, capsys):
    rows = toy_table(2, 40, seed=5)
    for name, part in rows.groupby("doc_id"):
        (tmp_path / f"{name}.txt").write_text("\n".join(part["value"]) + "\n")
    gold = {name: part["label"].tolist() for name, part in rows.groupby("doc_id")}
    paths = [tmp_path / "doc0.txt", tmp_path / "doc1.txt"]
    rounds = []
    for number in range(2):
        found = start_review(tiny_bundle, paths, tmp_path / f"r{number}", lines=15, after=rounds)
        rounds.append(found.folder)
        records = []
        for line in found.lines:
            document = found.documents[line.document]
            label = gold[document.name][line.row]
            key = {"round": found.id, "sha256": document.sha256, "line": line.line}
            records.append(json.dumps({**key, "label": label}))
        (tmp_path / "c.jsonl").write_text("\n".join(records))
        assert skol("review", "merge", found.folder, tmp_path / "c.jsonl", "--out", tmp_path / "out") == 0
    assert skol("review", "status", *rounds, "--chart", tmp_path / "curve.svg") == 0
    assert (tmp_path / "curve.svg").read_text().lstrip().startswith("<?xml")
    status = review_status(rounds)
    assert (status.lines, status.chosen, status.read) == (80, 30, 30)
    assert str(status) + "\n" == capsys.readouterr().out
    by_label = {each.label: each for each in status.labels}
    read = [gold[f"doc{line.document}"][line.row] for folder in rounds for line in _lines(folder)]
    assert by_label["Nomenclature"].found == read.count("Nomenclature") == status.curve[-1]["Nomenclature"]
    assert len(status.curve) == 30
    left = rows["label"].eq("Nomenclature").sum() - read.count("Nomenclature")
    unread = by_label["Nomenclature"].unread
    assert unread.low <= left <= unread.high and unread.high <= 50
    assert status.to_frame()["unread_high"].iloc[0] == status.labels[0].unread.high
    assert status.plot().get_xlabel() == "Lines read"
    assert skol("review", "status", rounds[0], "--json") == 0
    assert json.loads(capsys.readouterr().out)["read"] == 15
    (rounds[0] / "probabilities.npz").unlink()
    assert skol("review", "status", rounds[0]) == 3
    assert "it holds the probabilities of the lines" in capsys.readouterr().err


def _lines(folder):
    from skol_rnn import ReviewRound

    return ReviewRound.read(folder).lines
