"""Scores of the rows of a table: the labelled lines or tokens of documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from skol_rnn.data.inputs import LabelledRows


def score_rows(
    rows: LabelledRows,
    predicted: np.ndarray,
    probabilities: np.ndarray | None,
    labels: LabelSet,
    important: Sequence[str] | None,
    unit: str = "line",
) -> Evaluation:
    """Score predictions by row and by character, pooled and by document; for BIO tokens also by fragment."""
    evaluation = evaluate_labels(
        rows.true,
        predicted,
        labels,
        probabilities=probabilities,
        documents=rows.table["doc_id"].to_numpy(),
        lengths=rows.table["value"].str.len().to_numpy(dtype=np.int64),
        important=important,
        unit=unit,
    )
    if unit != "token" or not is_bio(labels):
        return evaluation
    return replace(evaluation, fragment_f1=fragment_scorer(rows, labels).sums(predicted).f1())


def fragment_scorer(rows: LabelledRows, labels: LabelSet) -> FragmentScorer:
    """Return the scorer of the rows' spans; rows without offsets are placed one character apart."""
    if {"start", "end"} <= set(rows.table.columns):
        start, end = (rows.table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    else:
        size = rows.table["value"].str.len().to_numpy(dtype=np.int64)
        end = np.cumsum(size + 1) - 1
        start = end - size
    return FragmentScorer(rows.true, labels, rows.lengths, start, end)
