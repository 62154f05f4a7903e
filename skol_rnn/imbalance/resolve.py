"""The parameter ``class_weights``: what it may be, turned into one weight per label."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skol_rnn.data.bio import BEGIN, INSIDE
from skol_rnn.imbalance.class_weights import EXPLICIT, NONE, ClassWeights
from skol_rnn.imbalance.options import check_length, checked_counts
from skol_rnn.imbalance.strategies import parse_strategy
from skol_rnn.labels import LabelSet, suggestion

logger = logging.getLogger(__name__)

WeightsSpec = str | Mapping[str, float] | ClassWeights | None


def is_frozen_file(spec: Any) -> bool:
    """Whether ``class_weights`` is the path of saved weights and not the name of a strategy."""
    return isinstance(spec, str) and spec.endswith((".json", ".npz", ".pt"))


def check_spec(spec: Any) -> None:
    """Raise a ValueError for a misspelt strategy or option, before any data are read."""
    if isinstance(spec, str) and not is_frozen_file(spec):
        parse_strategy(spec)


def resolve_weights(
    spec: WeightsSpec | Sequence[float] | np.ndarray, labels: LabelSet, counts: np.ndarray
) -> ClassWeights:
    """Turn ``class_weights`` into one weight per label, with the counts that they belong to."""
    if isinstance(spec, ClassWeights):
        return spec
    if isinstance(spec, str):
        return ClassWeights.load(spec) if is_frozen_file(spec) else ClassWeights.from_counts(spec, labels.names, counts)
    if spec is None:
        return ClassWeights(labels.names, (1.0,) * len(labels), tuple(counts), NONE)
    weights = _by_label(spec, labels) if isinstance(spec, Mapping) else spec
    if not isinstance(weights, Sequence | np.ndarray):
        kind = type(spec).__name__
        raise TypeError(f"class_weights must be None, a strategy's name, a dict or an array, not {kind}.")
    return ClassWeights(labels.names, tuple(weights), tuple(counts), EXPLICIT)


def normalise_weights(weights: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Rescale weights to a mean of 1 over the training lines."""
    array, number = np.asarray(weights, dtype=np.float64), checked_counts(counts)
    if array.shape != number.shape:
        raise ValueError(f"There are weights of shape {array.shape} for counts of shape {number.shape}.")
    mean = float(array @ (number / number.sum())) if number.any() else 0.0
    if not (np.isfinite(mean) and mean > 0):
        raise ValueError("No label that occurs in the training documents has a class weight above zero.")
    return array / mean


def cap_weights(
    weights: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cap each weight at the count ratio to the most frequent label; also return the indices of those changed."""
    array, lines = np.asarray(weights, dtype=np.float64), np.maximum(checked_counts(counts), 1)
    most = int(np.argmax(lines))
    # With a weight of 0 the most frequent label is not learnt, so there is no ratio to keep to.
    limit = array[most] * lines[most] / lines if array[most] else np.full(array.shape, np.inf)
    # A weight equal to its limit up to rounding stays as it is.
    beyond = limit < array * (1 - 1e-9)
    return np.where(beyond, limit, array), np.flatnonzero(beyond)


def count_drift(frozen: ClassWeights, counts: Sequence[int] | np.ndarray, labels: LabelSet) -> list[str]:
    """Return a sentence for each label whose count has changed since the weights were saved."""
    check_length(labels, counts, "counts")
    frozen.vector(labels)  # raises if the labels differ
    found = []
    for name, now in zip(labels, checked_counts(counts), strict=True):
        if (then := frozen.counts[frozen.labels.index(name)]) != now:
            percent = f"{100 * (now - then) / then:+.1f} %" if then else "new"
            lines = "line" if then == 1 else "lines"
            found.append(
                f"{name!r} had {then:,} {lines} when the weights were saved and has {now:,.0f} now ({percent})"
            )
    return found


def describe_weights(weights: Sequence[float] | np.ndarray, labels: LabelSet) -> list[str]:
    """Return log lines with the weight of each label, rounded to six digits."""
    shown = [f"  {name}: {float(f'{w:.6g}')!r}" for name, w in sorted(zip(labels, weights, strict=True))]
    return ["[BiLSTM] Using weighted loss with class weights:", *shown]


def _by_label(spec: Mapping[str, float], labels: LabelSet) -> list[float]:
    """Return a weight for each label from a dict; a tag without BIO prefix stands for both B and I."""
    weights: dict[str, float] = {}
    for name, weight in spec.items():
        tags = [name] if name in labels else [p + str(name) for p in (BEGIN, INSIDE) if p + str(name) in labels]
        if not tags:
            known = ", ".join(labels)
            hint = suggestion(str(name), labels)
            raise ValueError(f"class_weights holds the unknown label {name!r}; known are {known}.{hint}")
        weights.update((tag, weight) for tag in tags if tag == name or tag not in spec)
    missing = [name for name in labels if name not in weights]
    if missing:
        logger.info("No class weight is given for %s: 1.0 is used.", ", ".join(missing))
    return [weights.get(name, 1.0) for name in labels]
