"""Prepare labelled units for training: names of documents, collapsed labels, class weights from counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.classifier.labelling import by_number, document_name, documents_of
from skol_rnn.classifier.options import CHOICES
from skol_rnn.classifier.segmentation import page_markers
from skol_rnn.classifier.spark import collect_rows
from skol_rnn.data.splits import split_documents
from skol_rnn.data.table import check_texts, none_for_missing
from skol_rnn.errors import DataError, LabelWarning
from skol_rnn.imbalance.strategies import class_weight_strategy
from skol_rnn.labels import check_choice

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel

TEST_FRACTION = 0.2
_MOST_NAMED = 5
IMPORTANT = ("Nomenclature", "Description")  # what ``collapse_labels`` keeps; all other labels become one


def training_rows(units: Any, limit: int) -> pd.DataFrame:
    """Return the labelled units without page markers, sorted by document wherever they come from."""
    rows = units if isinstance(units, pd.DataFrame) else collect_rows(units, limit)
    if len(rows) > limit:
        raise DataError(f"There are {len(rows):,} training rows, but max_training_rows={limit:,}.")
    if "errors" in rows and rows["errors"].notna().any():
        raise DataError(str(rows["errors"].dropna().iloc[0]))
    rows = rows[~page_markers(rows)]
    rows = rows.assign(label=none_for_missing(rows["label"]))
    check_texts(rows["label"], "label", none_allowed=True)
    documents = _annotated([part.assign(doc_id=document_name(part)) for part in documents_of(rows)])
    rows = pd.concat([rows[:0], *documents]).drop(columns="attachment_name", errors="ignore")
    order = ["doc_id", "line_number"] if "line_number" in rows else ["doc_id"]
    return rows.sort_values(order, kind="stable", key=by_number).reset_index(drop=True)


def _annotated(documents: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Leave out the documents without any label, which would be negative examples, and name them in a warning."""
    without = [str(part["doc_id"].iloc[0]) for part in documents if part["label"].isna().all()]
    if documents and len(without) == len(documents):
        raise DataError("No training row has a label: give annotated files, or rows with a column 'label'.")
    if without:
        named = ", ".join(without[:_MOST_NAMED]) + ", ..." * (len(without) > _MOST_NAMED)
        verbs = ("s have", "are") if len(without) > 1 else (" has", "is")
        message = f"{len(without)} document{verbs[0]} no label and {verbs[1]} left out: {named}."
        warnings.warn(message, LabelWarning, stacklevel=4)
    return [part for part in documents if part["label"].notna().any()]


def split_rows(
    rows: pd.DataFrame, collapsing: bool, parameters: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str] | None]:
    """Return a training part and a test part of whole documents, and the labels if they collapse."""
    labels = None
    if collapsing:
        rows["label"], labels = collapse(rows["label"], parameters)
    _, test_ids = split_documents(rows, TEST_FRACTION, parameters.get("random_state", 0))
    if not test_ids:
        raise DataError("There is only one document: add a second one, which is scored.")
    chosen = rows["doc_id"].isin(test_ids)
    return rows[~chosen], rows[chosen], labels


def collapse(labels: pd.Series[Any], parameters: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Rename all labels but the important ones, as class weights or focal labels name them; return the label set too."""
    weights = parameters.get("class_weights")
    named = {*(weights if isinstance(weights, Mapping) else ()), *(parameters.get("focal_labels") or ())}
    rest = "Misc" if "Misc" in named else "Misc-exposition"
    collapsed = [label if label in IMPORTANT else rest for label in labels]
    return collapsed, [label for label in (*IMPORTANT, rest) if label in collapsed]


def label_counts(labels: pd.Series[Any]) -> dict[str, int]:
    """Count labels, the most frequent first."""
    counts = {str(label): int(number) for label, number in labels.value_counts().items()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def recommended_weights(counts: Mapping[str, int], strategy: str, least: float, most: float) -> dict[str, float]:
    """Derive weights from r = N / (K n): "balanced" is r, "inverse" clips r, "aggressive" clips r squared."""
    check_choice("weight_strategy", strategy, CHOICES["weight_strategy"][:3])
    if not 0 < least <= most < float("inf"):
        raise ValueError(f"0 < min_weight <= max_weight must hold, but they are {least!r} and {most!r}.")
    seen = {label: number for label, number in counts.items() if number}
    if not seen:
        raise ValueError("No row has a label, so there are no counts to derive weights from.")
    weights = class_weight_strategy("balanced", list(seen.values()))
    if strategy != "balanced":
        weights = np.clip(weights ** (2 if strategy == "aggressive" else 1), least, most)
    return dict(zip(seen, weights.tolist(), strict=True))


def test_statistics(model: RNNSkolModel, test: pd.DataFrame) -> dict[str, Any]:
    """Score the model on the test part, and count its labels."""
    counts = label_counts(test["label"])
    frequencies = [{"label_indexed": float(i), "count": counts.get(name, 0)} for i, name in enumerate(model.labels_)]
    return model.calculate_stats(model.predict(test)) | {"class_frequencies": frequencies}
