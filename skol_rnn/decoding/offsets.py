"""One label for each line, with offsets of log posteriors that raise a metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skol_rnn.decoding.correction import log_of
from skol_rnn.labels import NO_LABEL, LabelSet, rare_labels, suggestion

DECISIONS = ("auto", "argmax", "corrected", "tuned", "viterbi")
"""How probabilities become labels: "argmax" takes the network's largest output, "corrected" the largest posterior, "tuned"
adds offsets tuned on the validation set, "viterbi" takes the most probable sequence.  "auto" is "tuned" with a validation
set, otherwise it adds the offsets of :func:`prior_offsets`."""

_PRIOR_SHARE = 0.45  # of the log ratio of counts; best of 0 to 0.6 on 2 and 8 documents
_LARGEST_PRIOR_OFFSET = 2.5

METRICS = ("important_f1", "macro_f1", "accuracy")
"""Metrics that offsets can maximise; ``f1/Label`` names the F1 of one label."""

_MIN_SUPPORT = 10  # validation lines below which a label's offset stays 0: it would fit noise
_ROUNDS = 4
_LARGEST_OFFSET = 6.0

_Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From counts of hits and of predictions, (cuts, labels) each, to the metric of each cut."""


def decide(probabilities: np.ndarray, offsets: np.ndarray | None = None) -> np.ndarray:
    """Choose the label with the largest log probability plus offset."""
    if offsets is None:
        return np.argmax(probabilities, axis=1)
    return np.argmax(log_of(probabilities) + offsets, axis=1)


def prior_offsets(counts: np.ndarray, *, together: bool = False) -> np.ndarray:
    """Derive offsets from the label counts, for training without a validation set."""
    counts = np.asarray(counts, np.float64)
    largest = max(counts.max(), 1.0)
    rare = np.arange(len(counts)) != int(np.argmax(counts))
    rarer = np.full(len(counts), counts[rare].sum()) if together else counts
    offsets = _PRIOR_SHARE * np.log(largest / np.clip(rarer, 1.0, largest))
    return np.where(rare & (counts > 0), np.minimum(offsets, _LARGEST_PRIOR_OFFSET), 0.0)


def tune_offsets(
    probabilities: np.ndarray,
    true: np.ndarray,
    labels: LabelSet,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
) -> np.ndarray:
    """Find the offset of each label that maximises a metric, by coordinate ascent."""
    known = true != NO_LABEL
    scores, true = log_of(probabilities[known]), true[known]
    support = np.bincount(true, minlength=len(labels))
    values_of = _metric(metric, labels, support, important)
    offsets = np.zeros(len(labels))
    best = metric_value(true, np.argmax(scores, axis=1), labels, metric, important)
    for _ in range(_ROUNDS):
        before = best
        for k in np.flatnonzero(support >= _MIN_SUPPORT):
            value, offset = _best_offset(scores + offsets, true, values_of, int(k))
            if value > best + 1e-9 and abs(offsets[k] + offset) <= _LARGEST_OFFSET:
                best = value
                offsets[k] += offset
        if best <= before:
            break
    return offsets


def metric_value(
    true: np.ndarray,
    predicted: np.ndarray,
    labels: LabelSet,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
) -> float:
    """Compute the metric that offsets maximise."""
    known = true != NO_LABEL
    true, predicted = true[known], predicted[known]
    support, hits, guessed = (
        np.bincount(rows, minlength=len(labels)) for rows in (true, true[predicted == true], predicted)
    )
    return float(_metric(metric, labels, support, important)(hits[None], guessed[None])[0])


def _metric(metric: str, labels: LabelSet, support: np.ndarray, important: Sequence[str] | None) -> _Metric:
    """Return the function that computes a metric."""
    if metric == "accuracy":
        return lambda hits, predicted: hits.sum(axis=1) / max(support.sum(), 1)
    if metric == "macro_f1":
        names = list(labels)
    elif metric == "important_f1":
        names = list(important) if important else rare_labels(support, labels)
    elif metric.startswith("f1/"):
        names = [metric.removeprefix("f1/")]
    else:
        known = f"{', '.join(METRICS)} and f1/Label"
        raise ValueError(f"Unknown metric {metric!r}; known are {known}.{suggestion(metric, METRICS)}")
    chosen = np.array([labels.index(name) for name in names])
    return lambda hits, predicted: (2.0 * hits / np.maximum(predicted + support, 1))[:, chosen].mean(axis=1)


def _best_offset(scores: np.ndarray, true: np.ndarray, values_of: _Metric, k: int) -> tuple[float, float]:
    """Return the best metric and the offset of label k that reaches it, all other scores fixed."""
    n_labels = scores.shape[1]
    rivals = np.delete(np.arange(n_labels), k)
    rival = rivals[np.argmax(scores[:, rivals], axis=1)]
    rows = np.arange(len(scores))
    needed = scores[rows, rival] - scores[:, k]  # the offset from which the line is labelled k
    order = np.argsort(needed, kind="stable")
    needed, rival, true_k = needed[order], rival[order], true[order]
    # (lines, labels): the change of hits and predictions when a line's label changes from its rival to k.
    turned_hits, turned = np.zeros((2, len(order), n_labels))
    turned[rows, rival] = -1.0
    turned[:, k] = 1.0
    turned_hits[rows, rival] = -(rival == true_k).astype(float)
    turned_hits[:, k] = true_k == k
    start_hits = np.bincount(true_k[rival == true_k], minlength=n_labels)
    start = np.bincount(rival, minlength=n_labels)
    hits = np.vstack([start_hits, start_hits + np.cumsum(turned_hits, axis=0)])
    predicted = np.vstack([start, start + np.cumsum(turned, axis=0)])
    values = values_of(hits, predicted)
    edges = np.concatenate([[needed[0] - 1.0], needed, [needed[-1] + 1.0]])
    usable = np.diff(edges) > 0  # between equal thresholds there is no offset
    middle = (edges[:-1] + edges[1:]) / 2
    # Among equally good offsets the smallest change is taken.
    candidates = np.flatnonzero(usable & (values >= values[usable].max() - 1e-12))
    pick = candidates[np.argmin(np.abs(middle[candidates]))]
    return float(values[pick]), float(middle[pick])
