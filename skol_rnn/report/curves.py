"""The numbers behind the charts: bootstrap intervals over documents, curves, thresholds and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.labels import NO_LABEL, LabelSet, label_counts, rare_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skol_rnn.evaluation.result import Evaluation

_LEVEL = 95  # percent of the resamples that an interval holds
_MOST_CURVES = 8
_MOST_POINTS = 400  # of one curve, which a screen cannot tell from all
_KINDS = ("precision", "recall", "f1")
_MEANS = ("important_f1", "macro_f1")


class Interval(NamedTuple):
    """The 95 % interval of a score."""

    low: float
    high: float


class Difference(NamedTuple):
    """The difference of a score, and its 95 % interval."""

    value: float
    low: float
    high: float


class Threshold(NamedTuple):
    """The probability from which a label has its best F1, and the scores there."""

    threshold: float
    precision: float
    recall: float
    f1: float


def bootstrap_intervals(evaluation: Evaluation, n: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute 95 % intervals of the scores, percentile bootstrap over documents; empty with fewer than two of them.

    Keys are ``important_f1`` and ``macro_f1`` (an `Interval` each) and ``by_label``: for each label a dict of
    ``precision``, ``recall`` and ``f1``, None where the score does not exist in any resample.
    """
    parts = [part for _, part in evaluation.per_document]
    if len(parts) < 2:
        return {}
    scores = _resampled(evaluation, parts, _draws(len(parts), n, seed))
    by_label: dict[str, dict[str, Interval | None]] = {
        name: {kind: _interval(scores[kind][:, k]) for kind in _KINDS} for k, name in enumerate(evaluation.labels)
    }
    return {**{kind: _interval(scores[kind]) for kind in _MEANS}, "by_label": by_label}


def paired_difference(a: Evaluation, b: Evaluation, n: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute how much better b is than a on the same documents, with 95 % intervals of the paired bootstrap.

    Keys are ``important_f1`` and ``macro_f1`` (a `Difference` each) and ``by_label``, the difference of each F1. The
    important labels are those of a. Intervals are NaN with fewer than two documents.
    """
    if set(a.labels) != set(b.labels) or a.unit != b.unit:
        raise ValueError("Two evaluations can only be compared if they have the same labels and unit.")
    b = b.with_important(a.important)
    ours, theirs = dict(a.per_document), dict(b.per_document)
    order = [b.labels.index(name) for name in a.labels]
    if set(ours) != set(theirs) or any(np.any(ours[d].support != theirs[d].support[order]) for d in ours):
        raise ValueError("Two evaluations can only be compared on the same documents with the same true labels.")
    draws = _draws(len(ours), n if len(ours) > 1 else 0, seed)
    # Documents are matched by name.
    first, second = _resampled(a, list(ours.values()), draws), _resampled(b, [theirs[d] for d in ours], draws)
    second["f1"] = second["f1"][:, order]
    found: dict[str, Any] = {
        kind: _difference(getattr(b, kind) - getattr(a, kind), second[kind] - first[kind]) for kind in _MEANS
    }
    gains, resampled = b.f1[order] - a.f1, second["f1"] - first["f1"]
    return {**found, "by_label": {name: _difference(gains[k], resampled[:, k]) for k, name in enumerate(a.labels)}}


def precision_recall(true: np.ndarray, probabilities: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision of label k at falling thresholds, at most some hundred points."""
    from sklearn.metrics import precision_recall_curve

    known = true != NO_LABEL
    precision, recall, _ = precision_recall_curve(true[known] == k, probabilities[known, k], drop_intermediate=True)
    recall, precision = recall[::-1], precision[::-1]
    if len(recall) > _MOST_POINTS:
        # The points nearest to evenly spaced recalls, the ends included.
        kept = np.unique(np.searchsorted(recall, np.linspace(0, recall[-1], _MOST_POINTS)))
        kept = np.union1d(kept, [0, len(recall) - 1])
        recall, precision = recall[kept], precision[kept]
    return recall, precision


def best_thresholds(
    true: np.ndarray, probabilities: np.ndarray, labels: LabelSet, names: Sequence[str] | None = None
) -> dict[str, Threshold]:
    """Return, for each label that occurs, the threshold with the best F1 on these rows (optimistic for others)."""
    from sklearn.metrics import precision_recall_curve

    known, found = true != NO_LABEL, {}
    for name in curve_labels(true, labels, names):
        k = labels.index(name)
        if not np.any(true == k):
            continue
        precision, recall, thresholds = precision_recall_curve(true[known] == k, probabilities[known, k])
        total = precision + recall
        f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
        best = int(np.argmax(f1))
        found[name] = Threshold(*map(float, (thresholds[best], precision[best], recall[best], f1[best])))
    return found


def reliability(
    true: np.ndarray, probabilities: np.ndarray, k: int, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each bin of probabilities of label k that holds rows, mean probability, share of k, and rows."""
    known = true != NO_LABEL
    hits, values = true[known] == k, probabilities[known, k]
    place = np.clip((values * bins).astype(int), 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    used = rows > 0
    means, shares = (np.bincount(place, column, bins)[used] / rows[used] for column in (values, hits))
    return means, shares, rows[used]


def calibration_error(true: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Compute the expected calibration error of the most probable label; NaN without labelled rows."""
    known = true != NO_LABEL
    if not known.any():
        return float("nan")
    top = probabilities[known].argmax(axis=1)
    confidence, right = probabilities[known, :].max(axis=1), top == true[known]
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    gaps = np.bincount(place, confidence, bins) - np.bincount(place, right, bins)
    return float(np.abs(gaps).sum() / known.sum())


def curve_labels(true: np.ndarray, labels: LabelSet, names: Sequence[str] | None = None) -> list[str]:
    """Return the labels to draw curves of: those given, else the most frequent of the rare ones that occur."""
    if names is not None:
        return [labels.names[labels.index(name)] for name in names]
    counts = label_counts(np.asarray(true), len(labels))
    rare = [name for name in rare_labels(counts, labels) if counts[labels.index(name)]]
    chosen = sorted(rare, key=lambda name: -counts[labels.index(name)])[:_MOST_CURVES]
    return [name for name in labels if name in chosen]


def _draws(documents: int, n: int, seed: int) -> np.ndarray:
    """Return how often each resample holds each document, shape (n, documents)."""
    shares = np.full(documents, 1 / max(documents, 1))
    return np.random.default_rng(seed).multinomial(documents, shares, size=n).astype(np.float64)


def _resampled(whole: Evaluation, parts: Sequence[Evaluation], draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of each resample, shape (n, K) or (n,); NaN where a score does not exist."""
    k = len(whole.labels)

    def summed(columns: list[np.ndarray]) -> np.ndarray:
        return draws @ np.array(columns, dtype=np.float64).reshape(-1, k)

    hits = summed([part.confusion.diagonal() for part in parts])
    true, predicted = summed([part.support for part in parts]), summed([part.predicted for part in parts])
    precision, recall, f1 = _ratio(hits, predicted), _ratio(hits, true), _ratio(2 * hits, true + predicted)
    # A label that no document holds counts 0 in the means, as in the evaluation; one that a resample misses does not.
    counted = np.where(whole.support + whole.predicted > 0, f1, 0.0)
    important = [whole.labels.index(name) for name in whole.important]
    means = {"important_f1": _mean(counted[:, important]), "macro_f1": _mean(counted)}
    return {"precision": precision, "recall": recall, "f1": f1, **means}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row without its NaN; NaN where nothing is left."""
    present = ~np.isnan(values)
    return _ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1).astype(np.float64))


def _interval(values: np.ndarray) -> Interval | None:
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def _difference(value: float, resampled: np.ndarray) -> Difference:
    found = _interval(resampled) or Interval(float("nan"), float("nan"))
    return Difference(float(value), *found)
