"""What the averages of an evaluation hide, said in words with figures and with what to try."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

SHARE_FACTOR = 2.0
"""A predicted share this many times the true share, or this many times below it, is worth a sentence."""
SHARE_MIN_COUNT = 20
"""Counts, true or predicted, below which a share says nothing."""


@dataclass(frozen=True)
class Finding:
    """Something that should not be overlooked.

    Attributes
    ----------
    name : str
        What kind of thing it is, say "never-predicted".
    seen : str
        The figures.
    means : str
        What they mean.
    change : str
        What to change, with the option's name.

    Examples
    --------
    >>> print(Finding("too-few-updates", "There were 9 updates", "the network has hardly begun", "raise epochs"))
    There were 9 updates; the network has hardly begun; raise epochs.
    """

    name: str
    seen: str
    means: str
    change: str

    def __str__(self) -> str:
        return f"{self.seen}; {self.means}; {self.change}."


def findings(evaluation: Evaluation, heavy: Collection[str] = ()) -> list[Finding]:
    """Find what should not be overlooked in an evaluation."""
    if not evaluation.support.any():
        seen = f"Nothing was scored: no {evaluation.unit} has a true label"
        return [Finding("nothing-scored", seen, "no score says anything", "give data with a label column")]
    return _collapse(evaluation, heavy) + _shares(evaluation) + _missing(evaluation)


def weight_findings(
    weights: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray, labels: LabelSet
) -> list[str]:
    """Find class weights far beyond what the counts call for."""
    weight, number = np.asarray(weights, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    majority = int(np.argmax(number))
    sentences = []
    for i in np.flatnonzero(
        (number > 0) & (weight > SHARE_FACTOR * weight[majority] * number.max() / np.maximum(number, 1))
    ):
        rarer = number[majority] / number[i]
        ratio = f"{weight[i] / weight[majority]:,.1f} times as much as" if weight[majority] else "infinitely more than"
        sentences.append(
            f"{labels.names[i]!r} weighs {ratio} {labels.names[majority]!r} but is only {rarer:,.1f} times rarer, "
            f"so plain argmax predicts it far too often; try a weight ratio of at most {rarer:,.1f}."
        )
    return sentences


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def _collapse(evaluation: Evaluation, heavy: Collection[str]) -> list[Finding]:
    counts = list(zip(evaluation.labels, evaluation.support.tolist(), evaluation.predicted.tolist(), strict=True))
    given = [(name, predicted) for name, _, predicted in counts if predicted]
    lost = [
        (name, _count(support, evaluation.unit)) for name, support, predicted in counts if support and not predicted
    ]
    if len(given) == 1 and lost:
        return [_one_class(evaluation, *given[0], lost)]
    return [
        Finding(
            "never-predicted",
            f"{name!r} is never predicted though it has {count}",
            "its F1 is 0",
            f"{'' if name in heavy else 'give it a larger class weight, '}oversample the documents that hold it "
            '(sampling="oversample"), or predict with decision="tuned"',
        )
        for name, count in lost
    ]


def _one_class(evaluation: Evaluation, name: str, number: int, lost: list[tuple[str, str]]) -> Finding:
    never = ", ".join(f"{label!r} ({count})" for label, count in lost)
    seen = (
        f"Only one class is predicted: all {_count(number, evaluation.unit)} got {name!r}, and {never} "
        f"{'is' if len(lost) == 1 else 'are'} never found"
    )
    if evaluation.support[evaluation.labels.index(name)] == evaluation.support.max():
        means = "the network has learnt no more than which class is frequent"
        return Finding("one-class", seen, means, 'train for more epochs, or set class_weights="smoothed"')
    return Finding(
        "one-class",
        seen,
        "the class weights are too steep for this way to decide",
        'set class_weights="smoothed", or predict with decision="corrected"',
    )


def _shares(evaluation: Evaluation) -> list[Finding]:
    found = []
    shares = zip(evaluation.true_share.tolist(), evaluation.predicted_share.tolist(), strict=True)
    for i, (true, predicted) in enumerate(shares):
        number = max(evaluation.support[i], evaluation.predicted[i])
        # A class never predicted has its own sentence; repeating it here would bury the others.
        if predicted == 0 or number < SHARE_MIN_COUNT:
            continue
        if predicted > SHARE_FACTOR * true:
            means, change = "most of these are wrong", 'lower its class weight, or predict with decision="corrected"'
        elif true > SHARE_FACTOR * predicted:
            means, change = "most of these are missed", 'raise its class weight, or predict with decision="tuned"'
        else:
            continue
        seen = (
            f"{evaluation.labels.names[i]!r} is {predicted:.2%} of the predictions but {true:.2%} of the true "
            f"{evaluation.unit}s ({evaluation.predicted[i]:,} against {evaluation.support[i]:,})"
        )
        found.append(Finding("share-off", seen, means, change))
    return found


def _missing(evaluation: Evaluation) -> list[Finding]:
    total = _count(int(evaluation.support.sum()), evaluation.unit)
    found = []
    if gone := int(evaluation.missing.sum()):
        change = "check that every document was passed to predict and that the rows are aligned"
        seen = f"{gone:,} of {total} got no prediction"
        found.append(Finding("missing-predictions", seen, "they are counted as errors", change))
    if gone := evaluation.missing_probabilities:
        change = "check that every document was passed to predict_proba"
        seen = f"{gone:,} of {total} got no probabilities"
        found.append(Finding("missing-probabilities", seen, "they are charged the largest loss", change))
    return found
