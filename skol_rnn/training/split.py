"""The split of annotated documents into training and validation set."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from skol_rnn.data.inputs import LabelledRows
from skol_rnn.data.splits import split_documents
from skol_rnn.errors import DataError
from skol_rnn.imbalance.sampling import copies_with_originals
from skol_rnn.labels import LabelSet
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.settings import DEFAULT_FRACTION, HOLD_OUT_FROM


class Split(NamedTuple):
    """Rows to train on, rows of the validation set if there is one, and all rows that came as training data."""

    training: LabelledRows
    validation: LabelledRows | None
    all: LabelledRows


def given_split(table: pd.DataFrame, validation: pd.DataFrame, labels: LabelSet) -> Split:
    """Use the caller's validation documents."""
    if validation["label"].isna().all():
        raise DataError("The validation data have no line with a label: give other documents, or none.")
    rows = LabelledRows.of(table, labels)
    return Split(rows, LabelledRows.of(validation, labels), rows)


def drawn_split(
    table: pd.DataFrame, labels: LabelSet, fraction: float | None, unit: str, seed: int, log: TrainingLog
) -> Split:
    """Draw whole documents for validation, unless there are too few lines or a label would lose its only ones."""
    rows = LabelledRows.of(table, labels)
    if fraction is None and len(table) < HOLD_OUT_FROM[unit]:
        log.say(
            f"No validation set: all {len(table):,} {unit}s are trained on. validation_fraction=0.1 adds scores of epochs."
        )
        return Split(rows, None, rows)
    fraction = DEFAULT_FRACTION if fraction is None else fraction
    if not fraction or len(rows.lengths) < 2:
        return Split(rows, None, rows)
    _, chosen = split_documents(table, fraction, seed, copies_with_originals(table))
    out = table["doc_id"].isin(chosen)
    lost = sorted(set(table["label"].dropna()) - set(table.loc[~out, "label"].dropna()))
    if lost:
        log.warn(
            f"No validation set: the label {lost[0]!r} would lose its only training {unit}s. "
            "Annotate a second document that has it."
        )
        return Split(rows, None, rows)
    training, validation = (LabelledRows.of(table[mask].reset_index(drop=True), labels) for mask in (~out, out))
    return Split(training, validation, rows)
