"""Loss weights from how rare each label is: strategies, checks and scaling in numpy, usable without a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np

from skol_rnn.distribution import distribution_table, label_counts, label_distribution
from skol_rnn.labels import LabelSet, suggestion

__all__ = [
    "DEFAULT_ALPHA",
    "STRATEGIES",
    "Strategy",
    "class_weight_strategy",
    "describe_weights",
    "distribution_table",
    "label_counts",
    "label_distribution",
    "normalise_weights",
    "resolve_class_weights",
]

logger = logging.getLogger(__name__)

DEFAULT_ALPHA = 0.5
BIO_PREFIXES = ("B-", "I-")


class Strategy(NamedTuple):
    """How a named strategy turns counts into weights.

    Parameters
    ----------
    formula : callable
        Takes the counts of the labels that occur and alpha, returns their weights.
    mean_one : bool
        Whether the weights are then scaled to mean 1 over the labels.
    """

    formula: Callable[[np.ndarray, float], np.ndarray]
    mean_one: bool = False


STRATEGIES: Mapping[str, Strategy] = {
    "inverse": Strategy(lambda n, alpha: n.max() / n),
    "balanced": Strategy(lambda n, alpha: n.sum() / (n.size * n)),
    "smoothed": Strategy(lambda n, alpha: n**-alpha, mean_one=True),
}
"""The named strategies; every formula must give rarer labels weights that are no smaller."""


def class_weight_strategy(
    name: str,
    counts: Sequence[int] | np.ndarray,
    alpha: float = DEFAULT_ALPHA,
    max_ratio: float | None = None,
    labels: LabelSet | None = None,
) -> np.ndarray:
    """Derive class weights from the counts of the labels in the training documents.

    With n the count of a label, N their sum and K the number of labels that occur: "inverse" is the largest
    count / n, "balanced" N / (K n) as scikit-learn has it, "smoothed" n**-alpha scaled to mean 1 over all labels.
    A label that does not occur gets the largest weight of those that do.

    Parameters
    ----------
    name : str
        One of ``STRATEGIES``.
    counts : sequence of int, shape (K,)
        Lines of each label.
    alpha : float
        Exponent of "smoothed": 0 gives equal weights, 1 is proportional to "inverse". Others do without.
    max_ratio : float, optional
        Largest weight allowed, as a multiple of the smallest.
    labels : LabelSet, optional
        Names for the warning about labels that do not occur.

    Returns
    -------
    ndarray of float64, shape (K,)
        The weights.

    Raises
    ------
    ValueError
        If the name is unknown, no label occurs, or a count, alpha or max_ratio is not allowed.

    Examples
    --------
    >>> class_weight_strategy("inverse", [1000, 100, 10]).tolist()
    [1.0, 10.0, 100.0]
    >>> class_weight_strategy("inverse", [1000, 100, 10], max_ratio=20).tolist()
    [1.0, 10.0, 20.0]
    >>> class_weight_strategy("smoothed", [100, 25, 25]).round(6).tolist()
    [0.6, 1.2, 1.2]
    """
    if name not in STRATEGIES:
        allowed = ", ".join(STRATEGIES)
        raise ValueError(
            f"Unknown class weight strategy {name!r}; allowed are {allowed}.{suggestion(name, STRATEGIES)}"
        )
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must be finite and at least 0, not {alpha}.")
    if max_ratio is not None and not max_ratio >= 1:
        raise ValueError(f"max_ratio must be at least 1, not {max_ratio}.")
    number = _checked_counts(counts)
    seen = number > 0
    if not seen.any():
        raise ValueError(f"Class weights {name!r} need counts, but no label occurs; give data with a label column.")
    strategy = STRATEGIES[name]
    found = strategy.formula(number[seen], alpha)
    weights = np.full(number.shape, found.max())
    weights[seen] = found
    _warn_unseen(seen, labels)
    if max_ratio is not None:
        weights = np.minimum(weights, max_ratio * weights.min())
    return weights / weights.mean() if strategy.mean_one else weights


def resolve_class_weights(
    spec: None | str | Mapping[str, float] | Sequence[float] | np.ndarray,
    labels: LabelSet,
    counts: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """Turn what a user may give as ``class_weights`` into one weight per label.

    Parameters
    ----------
    spec : None, str, mapping of str to float, or sequence of float
        None for weights of 1; the name of a strategy; weights by label, where "PER" stands for both "B-PER" and
        "I-PER" unless these are given too, and a label without a weight gets 1; or K weights in the labels' order.
    labels : LabelSet
        The K labels.
    counts : sequence of int, shape (K,)
        Lines of each label in the training documents; only strategies use them.

    Returns
    -------
    ndarray of float64, shape (K,)
        The weights, as given: see `normalise_weights`.

    Raises
    ------
    TypeError
        If spec is of another type.
    ValueError
        If a name is unknown, or a weight is negative, not finite or not a number, or all are zero.

    Examples
    --------
    >>> labels = LabelSet(("Description", "Misc", "Nomenclature"))
    >>> resolve_class_weights({"Nomenclature": 100.0, "Misc": 0.1}, labels, [200, 700, 7]).tolist()
    [1.0, 0.1, 100.0]
    >>> resolve_class_weights({"Nomenclatur": 100.0}, labels, [200, 700, 7])
    Traceback (most recent call last):
    ...
    ValueError: class_weights holds the unknown label 'Nomenclatur'; known are Description, Misc, Nomenclature. \
Did you mean 'Nomenclature'?
    """
    if spec is None:
        return np.ones(len(labels))
    if isinstance(spec, str):
        return class_weight_strategy(spec, counts, labels=labels)
    if isinstance(spec, Mapping):
        return _checked_weights(_by_label(spec, labels), labels)
    if isinstance(spec, Sequence | np.ndarray):
        if len(spec) != len(labels):
            raise ValueError(f"class_weights has {len(spec)} weights, but there are {len(labels)} labels.")
        return _checked_weights(dict(zip(labels, spec, strict=True)), labels)
    raise TypeError(f"class_weights must be None, a strategy's name, a dict or an array, not {type(spec).__name__}.")


def normalise_weights(weights: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Rescale weights so that their mean over the training lines is 1.

    Multiplying all weights by ten then changes nothing, and the learning rate means the same with and without
    weights: sum(w n) / sum(n) = 1.

    Parameters
    ----------
    weights : sequence of float, shape (K,)
        Weights of the labels.
    counts : sequence of int, shape (K,)
        Lines of each label in the training documents.

    Returns
    -------
    ndarray of float64, shape (K,)
        The rescaled weights.

    Raises
    ------
    ValueError
        If shapes differ, or no label that occurs has a weight above zero.

    Examples
    --------
    >>> normalise_weights([1.0, 3.0], [50, 50]).tolist()
    [0.5, 1.5]
    """
    array, number = np.asarray(weights, dtype=np.float64), _checked_counts(counts)
    if array.shape != number.shape:
        raise ValueError(f"There are weights of shape {array.shape} for counts of shape {number.shape}.")
    mean = float(array @ (number / number.sum())) if number.any() else 0.0
    if not (np.isfinite(mean) and mean > 0):
        raise ValueError("No label that occurs in the training documents has a class weight above zero.")
    return array / mean


def describe_weights(weights: Sequence[float] | np.ndarray, labels: LabelSet) -> list[str]:
    """Say which weights the loss uses.

    Parameters
    ----------
    weights : sequence of float, shape (K,)
        Weights of the labels.
    labels : LabelSet
        The K labels.

    Returns
    -------
    list of str
        A headline, then one line per label, sorted by name.

    Examples
    --------
    >>> for line in describe_weights([100.0, 10.0], LabelSet(("Nomenclature", "Description"))):
    ...     print(line)
    [BiLSTM] Using weighted loss with class weights:
      Description: 10.0
      Nomenclature: 100.0
    """
    pairs = sorted(zip(labels, weights, strict=True))
    # Six digits are enough to read; a weight that was given by hand has fewer and is shown as it was given.
    shown = [f"  {name}: {float(f'{w:.6g}')!r}" for name, w in pairs]
    return ["[BiLSTM] Using weighted loss with class weights:", *shown]


def _checked_counts(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    number = np.asarray(counts, dtype=np.float64)
    wrong = number[~np.isfinite(number) | (number < 0)]
    if number.ndim != 1 or wrong.size:
        culprit = f"{wrong[0]:g}" if wrong.size else f"an array of shape {number.shape}"
        raise ValueError(f"counts must be one number of at least 0 per label, not {culprit}.")
    return number


def _warn_unseen(seen: np.ndarray, labels: LabelSet | None) -> None:
    unseen = np.flatnonzero(~seen)
    if unseen.size:
        names = ", ".join(repr(labels.names[i]) if labels else f"number {i}" for i in unseen)
        logger.warning("No training line has the label %s; it gets the largest weight of the others.", names)


def _by_label(spec: Mapping[str, float], labels: LabelSet) -> dict[str, object]:
    """Spread the weights over the labels; a tag without its BIO prefix stands for both."""
    weights: dict[str, object] = {}
    for name, weight in spec.items():
        tags = [name] if name in labels else [p + str(name) for p in BIO_PREFIXES if p + str(name) in labels]
        if not tags:
            known = ", ".join(labels)
            hint = suggestion(str(name), labels)
            raise ValueError(f"class_weights holds the unknown label {name!r}; known are {known}.{hint}")
        weights.update((tag, weight) for tag in tags if tag == name or tag not in spec)
    if missing := [name for name in labels if name not in weights]:
        logger.info("No class weight is given for %s: 1.0 is used.", ", ".join(missing))
    return weights


def _checked_weights(weights: Mapping[str, object], labels: LabelSet) -> np.ndarray:
    for name, weight in weights.items():
        if not isinstance(weight, Real) or not np.isfinite(float(weight)) or weight < 0:
            raise ValueError(f"The class weight of {name!r} must be a finite number of at least 0, not {weight!r}.")
    array = np.array([weights.get(name, 1.0) for name in labels], dtype=np.float64)
    if not array.any():
        raise ValueError("All class weights are zero: nothing would be learnt; give at least one above zero.")
    return array
