"""Findings of many labels fit a screen, and their advice contradicts neither itself nor the decision."""

from __future__ import annotations

import numpy as np
import pytest

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.findings import diagnose, summary
from skol_rnn.labels import LabelSet

TYPES = [f"Technique{i:02}" for i in range(14)]
BIO = LabelSet((*(f"B-{name}" for name in TYPES), *(f"I-{name}" for name in TYPES), "O"))


def scored_spans(never):
    """Score 29 labels of which some are never predicted, and one is predicted far too often."""
    true = np.repeat(np.arange(29), [20] * 28 + [4000])
    predicted = np.where(true < never, 28, true)
    predicted[-400:] = 27
    return evaluate_labels(true, predicted, BIO, unit="token")


@pytest.mark.parametrize(
    ("never", "start"),
    [
        (9, "9 of 29 labels are never predicted: 'B-Technique00' (20 tokens), "),
        (3, "Never predicted: 'B-Technique00' (20 tokens), "),
    ],
)
def test_labels_that_share_a_problem_are_counted_where_they_are_many(never, start):
    evaluation = scored_spans(never)
    (finding,) = [
        one for one in diagnose(labels=BIO, evaluation=evaluation, unit="token") if one.name == "never-predicted"
    ]
    assert finding.seen.startswith(start) and finding.seen.count("'") <= 10
    assert any(sentence.startswith(start) for sentence in evaluation.warnings())


@pytest.mark.parametrize(
    ("decision", "expected"), [("tuned", False), ("auto", False), ("corrected", True), ("argmax", True)]
)
def test_shares_that_the_tuned_offset_of_o_chooses_are_no_finding(decision, expected):
    names = [one.name for one in diagnose(labels=BIO, evaluation=scored_spans(2), decision=decision, unit="token")]
    assert ("share-off" in names) is expected
    assert "never-predicted" in names


@pytest.mark.parametrize(("updates", "fewer"), [(40, False), (400, True), (None, True)])
def test_who_is_told_to_train_longer_is_not_told_to_train_for_fewer_epochs(updates, fewer):
    history = {"loss": [1.0, 0.8, 0.6], "val_important_f1": [0.4, 0.6, 0.5]}
    changes = [one.change for one in diagnose(labels=LabelSet(("A", "B")), history=history, updates=updates)]
    assert any("fewer epochs" in change for change in changes) is fewer
    assert any("train longer" in change for change in changes) is not fewer
    assert any("feature_dropout=" in change for change in changes)


def test_the_score_that_selects_spans_says_whether_they_overfit():
    history = {"loss": [1.0, 0.8, 0.6], "val_important_f1": [0.4, 0.6, 0.5], "val_fragment_f1": [0.1, 0.2, 0.3]}
    assert not diagnose(labels=BIO, history=history)
    history["val_fragment_f1"] = [0.1, 0.3, 0.2]
    assert diagnose(labels=BIO, history=history)[0].seen.startswith(
        "The fragment F1 fell from 0.300 in epoch 2 to 0.200"
    )


@pytest.mark.parametrize("never", [0, 9, 28])
def test_the_summary_fits_a_screen(never):
    found = diagnose(
        labels=BIO,
        evaluation=scored_spans(never),
        counts=np.repeat([12, 4000], [28, 1]),
        weights=np.repeat([8.0, 0.5], [28, 1]),
        history={"loss": [3.0, 2.9]},
        updates=20,
        unit="token",
    )
    lines = summary(found)
    assert len(lines) <= 12 and max(map(len, lines)) <= 100
