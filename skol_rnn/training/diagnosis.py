"""What went wrong in a training run, or may have: figures, their meaning, and the option to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from skol_rnn.evaluation.result import Evaluation
from skol_rnn.evaluation.weight_findings import Finding, findings
from skol_rnn.labels import LabelSet

__all__ = ["FEW_UPDATES", "Finding", "diagnose"]

FEW_UPDATES = 200
"""Optimiser steps below which a network has hardly begun."""

_STEEP = 10.0  # weight ratio over count ratio
_MUCH_PADDING = 0.3
_FEW_HELD_OUT = 10
_FEW_EXAMPLES = 30
_FALL = 0.02  # of the best F1, before it is called a fall
_RISE = 0.01  # of an F1, before it is called one
_HOPELESS = 0.1
_MUCH_HIGHER = 2.0  # weighted loss over unweighted


@dataclass(frozen=True)
class _Run:
    """What is known of a run; None where it is not."""

    labels: LabelSet
    evaluation: Evaluation | None
    weights: np.ndarray | None
    counts: np.ndarray | None
    given: Mapping[str, float] | None
    history: Mapping[str, list[float]] = field(default_factory=dict)
    padding_share: float | None = None
    updates: int | None = None
    decision: str = "corrected"
    unit: str = "line"

    def ratios(self) -> list[tuple[str, float, float]]:
        """Return label, weight ratio to the majority, and how many times rarer, for the labels that occur."""
        if self.weights is None or self.counts is None or not self.counts.any():
            return []
        majority = int(np.argmax(self.counts))
        base = self.weights[majority] if self.weights[majority] > 0 else np.finfo(float).tiny
        return [
            (name, self.weights[i] / base, self.counts[majority] / self.counts[i])
            for i, name in enumerate(self.labels)
            if i != majority and self.counts[i]
        ]

    def scores(self, name: str) -> list[float]:
        """Return a score of the held-out documents, epoch by epoch."""
        return self.history.get(f"val_{name}", [])


def diagnose(
    *,
    labels: LabelSet,
    evaluation: Evaluation | None = None,
    weights: np.ndarray | None = None,
    counts: np.ndarray | None = None,
    given: Mapping[str, float] | None = None,
    history: Mapping[str, list[float]] | None = None,
    padding_share: float | None = None,
    updates: int | None = None,
    decision: str = "corrected",
    unit: str = "line",
) -> list[Finding]:
    """Find what went wrong in a run, or may have.

    Parameters
    ----------
    labels : LabelSet
        The K labels.
    evaluation : Evaluation, optional
        Of documents that were not trained on.
    weights : ndarray, shape (K,), optional
        Class weights as given, before they are rescaled.
    counts : ndarray of int, shape (K,), optional
        Training lines of each label.
    given : mapping of str to float, optional
        The class weights as a user wrote them, if as a dict.
    history : mapping of str to list of float, optional
        Scores by epoch, as ``RNNSkolModel.history_``.
    padding_share : float, optional
        Share of the places in the training windows that is padding.
    updates : int, optional
        Optimiser steps.
    decision : str, default "corrected"
        How the evaluation was decided.
    unit : str, default "line"
        What one count stands for.

    Returns
    -------
    list of Finding
        The gravest first; empty where nothing was found.

    Examples
    --------
    >>> labels = LabelSet(("Nomenclature", "Misc"))
    >>> found = diagnose(labels=labels, weights=np.array([1e5, 1.0]), counts=np.array([10, 1000]), updates=9000)
    >>> [finding.name for finding in found]
    ['weights-too-steep', 'few-examples']
    """
    run = _Run(labels, evaluation, weights, counts, given, history or {}, padding_share, updates, decision, unit)
    return [finding for check in _CHECKS for finding in check(run)]


def _of_evaluation(run: _Run) -> list[Finding]:
    heavy = {name for name, weight, rarer in run.ratios() if weight > rarer}
    return findings(run.evaluation, heavy) if run.evaluation is not None else []


def _not_applied(run: _Run) -> list[Finding]:
    if run.weights is None or run.counts is None:
        return []
    found = []
    for name in run.given or {}:
        tags = [tag for tag in run.labels if tag == name or tag[2:] == name]
        if tags and not any(run.counts[run.labels.index(tag)] for tag in tags):
            seen = f"{name!r} was given the weight {run.given[name]:g}, but no training {run.unit} has it"  # type: ignore[index]
            change = "see that the label is spelt as in the data (skol-rnn weights PATHS lists them)"
            found.append(Finding("weights-not-applied", seen, "the weight is applied to nothing", change))
    occurring = run.weights[run.counts > 0]
    if run.given and len(occurring) > 1 and np.ptp(occurring) == 0:
        seen = f"All labels that occur weigh {occurring[0]:g}"
        change = 'give the rare label a larger weight than the others, or class_weights="smoothed"'
        return [*found, Finding("weights-not-applied", seen, "the loss is that without weights", change)]
    return found + _left_out(run)


def _left_out(run: _Run) -> list[Finding]:
    """Labels without a weight of their own that a weight of 1 puts behind a label more frequent than they are."""
    if not run.given or run.weights is None or run.counts is None:
        return []
    named = [i for i, tag in enumerate(run.labels) if tag in run.given or tag[2:] in run.given]
    found = []
    for i, tag in enumerate(run.labels):
        ahead = [j for j in named if run.counts[j] > run.counts[i] > 0 and run.weights[j] > run.weights[i]]
        if i not in named and ahead:
            other = run.labels.names[ahead[0]]
            seen = f"No weight was given for {tag!r}, so the weight is 1, but {run.weights[ahead[0]]:g} for {other!r}"
            means = f"the rarer of the two ({run.counts[i]:,} {run.unit}s against {run.counts[ahead[0]]:,}) weighs less"
            change = f"give {tag!r} a weight in class_weights, too"
            found.append(Finding("weights-not-applied", seen, means, change))
    return found


def _too_steep(run: _Run) -> list[Finding]:
    found = []
    for name, weight, rarer in run.ratios():
        if weight > _STEEP * rarer:
            majority = run.labels.names[int(np.argmax(run.counts))]  # type: ignore[arg-type]
            told = f"{weight:,.1f} times as much as" if weight < 1e12 else "infinitely more than"
            seen = f"{name!r} weighs {told} {majority!r} but is only {rarer:,.1f} times rarer"
            means = (
                "plain argmax floods the predictions with it"
                if run.decision == "argmax"
                else f"{majority!r} is learnt less well, which no decision makes good entirely"
            )
            change = f'set class_weights="smoothed", or a weight ratio of at most {rarer:,.1f}'
            found.append(Finding("weights-too-steep", seen, means, change))
    return found


def _not_learning(run: _Run) -> list[Finding]:
    found = []
    important = run.evaluation.important if run.evaluation is not None else ()
    for name in important:
        f1 = run.scores(f"f1/{name}")
        if len(f1) >= 2 and (max(f1) <= _HOPELESS or max(f1) <= f1[0] + _RISE) and max(f1) < 0.5:
            seen = (
                f"The F1 of {name!r} went from {f1[0]:.3f} to {f1[-1]:.3f} in {len(f1)} epochs, {max(f1):.3f} at best"
            )
            found.append(Finding("no-improvement", seen, "the label is not being learnt", _remedy(run, name)))
    return found


def _remedy(run: _Run, name: str) -> str:
    """Say what is most likely to make a label learnable, by what is known of the run."""
    index = run.labels.index(name)
    if run.updates is not None and run.updates < FEW_UPDATES:
        return f"train longer: epochs=, or a smaller batch_size= ({run.updates} updates are few)"
    weight = next(((w, rarer) for label, w, rarer in run.ratios() if label == name), None)
    if weight and weight[0] < weight[1] ** 0.25:
        return f'raise its weight, say class_weights="smoothed" (now {weight[0]:.3g} times that of the most frequent label)'
    if run.counts is not None and run.counts[index] < _FEW_EXAMPLES:
        return f"annotate more documents that hold it: {run.counts[index]:,} {run.unit}s are few"
    return 'oversample the documents that hold it (sampling="oversample"), or predict with decision="tuned"'


def _high_loss(run: _Run) -> list[Finding]:
    losses = run.history.get("loss", [])
    uniform = float(np.log(len(run.labels)))
    if not losses or run.weights is None:
        return []
    weights = run.weights if run.counts is None else run.weights[run.counts > 0]
    weighted = np.ptp(weights) > 0
    reference = run.evaluation.mean_loss if run.evaluation is not None else uniform
    if weighted and losses[-1] > _MUCH_HIGHER * reference:
        told = "of the held-out documents" if run.evaluation is not None else "of guessing"
        seen = f"The weighted training loss is {losses[-1]:.3f}, the unweighted one {told} {reference:.3f}"
        means = "a weighted loss multiplies the errors of rare labels, so its size is no sign of trouble"
        return [Finding("high-loss", seen, means, "look at the F1 and the loss of each class instead")]
    if not weighted and losses[-1] > uniform:
        seen = f"The training loss ended at {losses[-1]:.3f}, above the {uniform:.3f} of guessing"
        return [Finding("high-loss", seen, "the network learns nothing", "lower learning_rate")]
    return []


def _overfitting(run: _Run) -> list[Finding]:
    losses, f1 = run.history.get("loss", []), run.scores("important_f1")
    if len(f1) < 3 or len(losses) < 3 or losses[-1] >= losses[0]:
        return []
    best = int(np.argmax(f1))
    if best == len(f1) - 1 or f1[-1] > f1[best] - _FALL or losses[-1] >= losses[best]:
        return []
    seen = (
        f"The important F1 fell from {f1[best]:.3f} in epoch {best + 1} to {f1[-1]:.3f} while the training loss fell "
        f"from {losses[best]:.3f} to {losses[-1]:.3f}"
    )
    change = "raise feature_dropout= or dropout=, or train for fewer epochs; the best epoch's weights were kept"
    return [Finding("f1-falls-while-loss-falls", seen, "the network learns the training documents by heart", change)]


def _held_out(run: _Run) -> list[Finding]:
    if run.evaluation is None or run.counts is None:
        return []
    found = []
    for i, name in enumerate(run.labels):
        support = int(run.evaluation.support[i])
        if run.counts[i] and not support:
            seen = f"No held-out {run.unit} has the label {name!r}, though {run.counts[i]:,} in training have"
            change = "give validation documents that hold it (--dev), or a larger validation_fraction="
            found.append(Finding("rare-label-missing-in-dev", seen, "its F1 of 0 says nothing", change))
        elif run.counts[i] and support < _FEW_HELD_OUT:
            seen = f"Only {support} held-out {run.unit}s have the label {name!r}"
            change = "hold out more: validation_fraction=, or --dev"
            found.append(Finding("few-held-out", seen, "its F1 is mostly chance, and it gets no offset", change))
    return found


def _few_examples(run: _Run) -> list[Finding]:
    if run.counts is None:
        return []
    return [
        Finding(
            "few-examples",
            f"Only {run.counts[i]:,} training {run.unit}s have the label {name!r}",
            "no weight makes up for examples that are not there",
            "annotate more documents that hold it, or fold it into another label (other=)",
        )
        for i, name in enumerate(run.labels)
        if 0 < run.counts[i] < _FEW_EXAMPLES
    ]


def _padding(run: _Run) -> list[Finding]:
    if run.padding_share is None or run.padding_share <= _MUCH_PADDING:
        return []
    seen = f"{run.padding_share:.0%} of the places in the training windows are padding"
    return [Finding("padding", seen, "most documents are shorter than a window", "lower window_size=")]


def _few_updates(run: _Run) -> list[Finding]:
    if run.updates is None or run.updates >= FEW_UPDATES:
        return []
    seen = f"There were only {run.updates} updates in all"
    return [Finding("too-few-updates", seen, "the network has hardly begun", "raise epochs=, or lower batch_size=")]


_CHECKS: tuple[Callable[[_Run], list[Finding]], ...] = (
    _not_applied,
    _of_evaluation,
    _too_steep,
    _not_learning,
    _held_out,
    _overfitting,
    _few_updates,
    _high_loss,
    _few_examples,
    _padding,
)
"""The checks, the gravest first."""
