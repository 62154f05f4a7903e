"""The estimate of a model's scores on documents without labels, some thousand lines at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from skol_rnn.data.table import Lines, lengths_of, rows_of, whole_documents
from skol_rnn.decoding.estimate import Estimate, Sums, expected_scores
from skol_rnn.errors import DataError
from skol_rnn.inference.predictor import CHUNK, Predictor


def estimate(predictor: Predictor, tables: Iterable[Lines], decision: str, counts: np.ndarray) -> Estimate:
    """Estimate the scores on tables in document order; ``counts`` are those of the labels in training."""
    decoder, how = predictor.decoder, predictor.decoder.resolved(decision)
    sums, documents = Sums.empty(len(predictor.labels)), []
    for table in tables:
        for start, end in whole_documents(table, CHUNK):
            part = rows_of(table, start, end)
            features, lengths = predictor.features.transform(part), lengths_of(part)
            raw = predictor.probabilities_of(features, lengths)
            posterior = decoder.posterior(raw)
            chosen = decoder.decide(raw, lengths, how, posterior)
            sums.add(chosen, posterior)
            names = np.asarray(part["doc_id"])
            for first, last in pairwise(np.cumsum([0, *lengths]).tolist()):
                lines = slice(first, last)
                of_document = (chosen[lines], posterior[lines], features.numbers[lines])
                documents.append({"document": str(names[first]), **_uncertainty(*of_document)})
            if predictor.watch:
                predictor.watch(end, len(table["value"]))
    if not sums.lines:
        raise DataError("There is no line to estimate scores for.")
    scores = expected_scores(sums, decoder, how)
    documents.sort(key=lambda document: -document["uncertain"])
    shares, trained = sums.values[2] / sums.lines, counts / max(counts.sum(), 1)
    return Estimate(decision, predictor.labels.names, scores, shares, trained, documents)


def _uncertainty(chosen: np.ndarray, posterior: np.ndarray, numbers: np.ndarray) -> dict[str, Any]:
    """Return how many lines a document has, which share is expected to be wrong, and how far its layout is from training."""
    wrong = 1.0 - float(posterior[np.arange(len(chosen)), chosen].mean())
    layout = float(np.sqrt(np.mean(numbers.mean(axis=0) ** 2))) if numbers.size else 0.0
    return {"lines": len(chosen), "uncertain": wrong, "layout": layout}
