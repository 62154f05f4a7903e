"""What a user gives as ``class_weights``, checked and turned into one weight per label; scaling and description."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from skol_rnn.data.bio import BEGIN, INSIDE
from skol_rnn.imbalance.checks import check_weights, checked_counts
from skol_rnn.imbalance.strategies import class_weight_strategy
from skol_rnn.labels import LabelSet, suggestion

logger = logging.getLogger(__name__)


def resolve_class_weights(
    spec: None | str | Mapping[str, float] | Sequence[float] | np.ndarray,
    labels: LabelSet,
    counts: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """Turn what a user may give as ``class_weights`` into one weight per label."""
    if spec is None:
        return np.ones(len(labels))
    if isinstance(spec, str):
        return class_weight_strategy(spec, counts, labels=labels)
    if isinstance(spec, Mapping):
        return _in_order(_by_label(spec, labels), labels)
    if isinstance(spec, Sequence | np.ndarray):
        if len(spec) != len(labels):
            raise ValueError(f"class_weights has {len(spec)} weights, but there are {len(labels)} labels.")
        return _in_order(dict(zip(labels, spec, strict=True)), labels)
    raise TypeError(f"class_weights must be None, a strategy's name, a dict or an array, not {type(spec).__name__}.")


def normalise_weights(weights: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Rescale weights so that their mean over the training lines is 1."""
    array, number = np.asarray(weights, dtype=np.float64), checked_counts(counts)
    if array.shape != number.shape:
        raise ValueError(f"There are weights of shape {array.shape} for counts of shape {number.shape}.")
    mean = float(array @ (number / number.sum())) if number.any() else 0.0
    if not (np.isfinite(mean) and mean > 0):
        raise ValueError("No label that occurs in the training documents has a class weight above zero.")
    return array / mean


def describe_weights(weights: Sequence[float] | np.ndarray, labels: LabelSet) -> list[str]:
    """Say which weights the loss uses."""
    pairs = sorted(zip(labels, weights, strict=True))
    # Six digits are enough to read; a weight that was given by hand has fewer and is shown as it was given.
    shown = [f"  {name}: {float(f'{w:.6g}')!r}" for name, w in pairs]
    return ["[BiLSTM] Using weighted loss with class weights:", *shown]


def _by_label(spec: Mapping[str, float], labels: LabelSet) -> dict[str, object]:
    """Spread the weights over the labels; a tag without its BIO prefix stands for both."""
    weights: dict[str, object] = {}
    for name, weight in spec.items():
        tags = [name] if name in labels else [p + str(name) for p in (BEGIN, INSIDE) if p + str(name) in labels]
        if not tags:
            known = ", ".join(labels)
            hint = suggestion(str(name), labels)
            raise ValueError(f"class_weights holds the unknown label {name!r}; known are {known}.{hint}")
        weights.update((tag, weight) for tag in tags if tag == name or tag not in spec)
    if missing := [name for name in labels if name not in weights]:
        logger.info("No class weight is given for %s: 1.0 is used.", ", ".join(missing))
    return weights


def _in_order(weights: Mapping[str, object], labels: LabelSet) -> np.ndarray:
    check_weights(weights)
    array = np.array([weights.get(name, 1.0) for name in labels], dtype=np.float64)
    if not array.any():
        raise ValueError("All class weights are zero: nothing would be learnt; give at least one above zero.")
    return array
