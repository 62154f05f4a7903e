"""Predict a stream of documents, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee

from skol_rnn.data.document import Document
from skol_rnn.inference.predictor import Predictions, ServingModel


def predicted(
    predictor: ServingModel, documents: Iterable[Document], decision: str | None = None
) -> Iterator[tuple[Document, Predictions]]:
    """Predict documents a few at a time, and yield each with its labels and probabilities."""
    documents, ahead = tee(documents)  # holds the few documents that are predicted together
    # The features of lines need no pandas, those of tokens do.
    tables = (one.columns() if one.unit == "line" else one.table() for one in ahead)
    yield from zip(documents, predictor.predict_documents(tables, decision), strict=True)
