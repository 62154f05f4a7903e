"""Findings: what may have gone wrong in a run, what it means, and what to change under the decision in force."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.evaluation.facts import FEWER, LEARN, MORE, Note, count, facts, grouped
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

FEW_UPDATES = 200
"""Optimiser steps below which a network has learnt little."""
FEW_EXAMPLES = 30
FEW_DOCUMENTS = 5
_FEW_VALIDATION = 10
_STEEP = 10.0  # weight ratio over count ratio
_MUCH_PADDING = 0.3
_FALL = 0.02  # least fall of the best F1 that is reported
_RISE = 0.01  # least rise of an F1 that counts as progress
_LOW_F1, _GOOD_F1 = 0.1, 0.5
_MUCH_HIGHER = 2.0  # weighted loss over unweighted loss

_ANNOTATE = "annotate more documents that hold these labels, or fold the labels into another one (other=)"
_OFFSETS = 'predict with decision="tuned", whose offsets are fitted on validation documents'
_LONGER = "train longer: raise epochs=, or lower batch_size="

# All decisions except argmax divide class weights and sampling out of the probabilities: to raise them is in vain.
_CORRECTED = {MORE: _OFFSETS, FEWER: _OFFSETS, LEARN: _LONGER}
_WITH_OFFSETS = {MORE: _ANNOTATE, FEWER: _ANNOTATE, LEARN: _LONGER}
ADVICE: Mapping[str, Mapping[str, str]] = {
    "argmax": {
        MORE: 'raise the class weights of these labels, or predict with decision="tuned"',
        FEWER: 'lower their class weights (class_weights="smoothed"), or predict with decision="corrected"',
        LEARN: f'{_LONGER}, or set class_weights="smoothed"',
    },
    "corrected": _CORRECTED,
    "viterbi": _CORRECTED,
    "tuned": _WITH_OFFSETS,
    "auto": _WITH_OFFSETS,
}
"""How to reach a goal, by decision."""
_HEAVY = 'oversample the documents that hold these labels (sampling="oversample"), or predict with decision="tuned"'
"""How argmax predicts labels more often whose class weights are at the ratio of the counts already."""


@dataclass(frozen=True)
class Finding:
    """Something that should not be overlooked.

    Attributes
    ----------
    name : str
        Kind of finding, such as "never-predicted".
    seen : str
        What was seen, with figures.
    means : str
        What it means.
    change : str
        What to change, with the name of the option.

    Examples
    --------
    >>> print(Finding("too-few-updates", "There were 9 updates", "the network has learnt little", "raise epochs"))
    There were 9 updates; the network has learnt little; raise epochs.
    """

    name: str
    seen: str
    means: str
    change: str

    def __str__(self) -> str:
        return f"{self.seen}; {self.means}; {self.change}."


@dataclass(frozen=True)
class _Run:
    """What is known about a run; None where it is unknown."""

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

    def ratios(self) -> Iterator[tuple[str, float, float]]:
        """Yield each rarer label with its weight and count ratios to the most frequent label."""
        if self.weights is None or self.counts is None or not self.counts.any():
            return
        frequent = int(np.argmax(self.counts))
        base = self.weights[frequent] if self.weights[frequent] > 0 else np.finfo(float).tiny
        for i, name in enumerate(self.labels):
            if i != frequent and self.counts[i]:
                yield name, self.weights[i] / base, self.counts[frequent] / self.counts[i]

    def change(self, note: Note) -> str:
        """Return what to change under the decision in force."""
        heavy = {name for name, weight, rarer in self.ratios() if weight >= rarer}
        if self.decision == "argmax" and note.change == MORE and note.label in heavy:
            return _HEAVY
        return ADVICE[self.decision].get(note.change, note.change)


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
    """Find what may have gone wrong in a run, and what to change.

    Parameters
    ----------
    labels : LabelSet
        The K labels.
    evaluation : Evaluation, optional
        Scores of documents outside the training set.
    weights : ndarray, shape (K,), optional
        Class weights before they are rescaled.
    counts : ndarray of int, shape (K,), optional
        Training lines of each label.
    given : mapping of str to float, optional
        The class weights that the user passed, if they are a dict.
    history : mapping of str to list of float, optional
        Scores by epoch, as ``RNNSkolModel.history_``.
    padding_share : float, optional
        Share of the places in the training windows that is padding.
    updates : int, optional
        Number of optimiser steps.
    decision : {"auto", "corrected", "argmax", "tuned", "viterbi"}, default "corrected"
        The decision behind the evaluation; no advice is given that this decision would undo.
    unit : str, default "line"
        What one count stands for.

    Returns
    -------
    list of Finding
        The most serious first, one for all labels with the same problem; empty if there is nothing to report.

    Raises
    ------
    ValueError
        If the decision is unknown.

    Examples
    --------
    >>> labels = LabelSet(("Nomenclature", "Misc"))
    >>> found = diagnose(labels=labels, weights=np.array([1e5, 1.0]), counts=np.array([10, 1000]), updates=9000)
    >>> [finding.name for finding in found]
    ['weights-too-steep', 'few-examples']
    """
    run = _Run(labels, evaluation, weights, counts, given, history or {}, padding_share, updates, decision, unit)
    if decision not in ADVICE:
        raise ValueError(f"decision must be one of {', '.join(ADVICE)}, but is {decision!r}.")
    return _findings(note._replace(change=run.change(note)) for check in _CHECKS for note in check(run))


def count_findings(
    labels: Iterable[str], counts: Iterable[int], documents: Iterable[float], unit: str = "line"
) -> list[Finding]:
    """Find labels with too few examples, or in too few documents (NaN if unknown), to learn and to score them."""
    return _findings(_rare(zip(labels, counts, documents, strict=True), unit))


def summary(found: Sequence[Finding], lines: int = 12, width: int = 100) -> list[str]:
    """Return the most serious findings as lines that fit a screen, and how many are left out."""
    shown: list[str] = []
    for number, finding in enumerate(found):
        text = textwrap.wrap(str(finding), width, initial_indent="! ", subsequent_indent="  ")
        if len(shown) + len(text) > lines - (number < len(found) - 1):
            return [*shown, f"! ... and {len(found) - number} more findings"]
        shown += text
    return shown


def _findings(notes: Iterable[Note]) -> list[Finding]:
    return [Finding(note.name, note.seen, note.means, note.change) for note in grouped(notes)]


def _rare(rows: Iterable[tuple[str, int, float]], unit: str) -> Iterator[Note]:
    for label, number, holders in rows:
        counted = count(number, unit)
        if number == 0:
            yield Note("no-examples", "Without examples", "they cannot be learnt", _ANNOTATE, label, counted)
        elif holders < FEW_DOCUMENTS:
            seen, means = f"In fewer than {FEW_DOCUMENTS} documents", "validation documents may hold none of them"
            figures = f"{counted} in {count(int(holders), 'document')}"
            yield Note("few-documents", seen, means, _ANNOTATE, label, figures)
        elif number < FEW_EXAMPLES:
            seen, means = f"Fewer than {FEW_EXAMPLES} {unit}s", "the scores vary by chance"
            yield Note("few-examples", seen, means, _ANNOTATE, label, counted)


def _evaluation(run: _Run) -> Iterable[Note]:
    return facts(run.evaluation) if run.evaluation is not None else ()


def _not_applied(run: _Run) -> Iterator[Note]:
    if run.weights is None or run.counts is None or not run.given:
        return
    named = {name: [i for i, tag in enumerate(run.labels) if name in (tag, tag[2:])] for name in run.given}
    for name, tags in named.items():
        if tags and not run.counts[tags].any():
            seen, means = f"No training {run.unit} has these labels", "their class weights have no effect"
            change = "check the spelling against the data (skol-rnn weights PATHS lists the labels)"
            yield Note("weights-not-applied", seen, means, change, name, f"weight {run.given[name]:g}")
    occurring = run.weights[run.counts > 0]
    if len(occurring) > 1 and np.ptp(occurring) == 0:
        seen = f"All labels that occur have the class weight {occurring[0]:g}"
        yield Note("weights-not-applied", seen, "the loss is the same as without weights", "leave class_weights out")
        return
    weighted = {i for tags in named.values() for i in tags}
    for i, tag in enumerate(run.labels):
        ahead = [j for j in weighted if run.counts[j] > run.counts[i] > 0 and run.weights[j] > run.weights[i]]
        if i not in weighted and ahead:
            other = min(ahead)
            seen = "Rarer than a label with a larger class weight, but without a class weight, which means 1"
            figures = (
                f"{count(int(run.counts[i]), run.unit)}; {run.labels.names[other]!r} has "
                f"{run.counts[other]:,} and the weight {run.weights[other]:g}"
            )
            yield Note("weights-not-applied", seen, "it counts less", "add it to class_weights", tag, figures)


def _too_steep(run: _Run) -> Iterator[Note]:
    for name, weight, rarer in run.ratios():
        if weight > _STEEP * rarer:
            times = f"{weight:,.1f}" if weight < 1e12 else "infinitely many"
            frequent = run.labels.names[int(np.argmax(run.counts))]  # type: ignore[arg-type]
            seen = f"Class weights far beyond the ratio of the counts to {frequent!r}"
            argmax = "argmax predicts these labels far too often"
            means = argmax if run.decision == "argmax" else f"{frequent!r} is learnt less well under any decision"
            change = 'set class_weights="smoothed", or lower the weights to the ratio of the counts'
            figures = f"{times} times the weight, {rarer:,.1f} times rarer"
            yield Note("weights-too-steep", seen, means, change, name, figures)


def _not_learning(run: _Run) -> Iterator[Note]:
    for name in run.evaluation.important if run.evaluation is not None else ():
        f1 = run.history.get(f"val_f1/{name}", [])
        if len(f1) >= 2 and max(f1) < _GOOD_F1 and max(f1) <= max(_LOW_F1, f1[0] + _RISE):
            seen = f"The F1 does not improve in {len(f1)} epochs"
            figures = f"from {f1[0]:.3f} to {f1[-1]:.3f}, best {max(f1):.3f}"
            yield Note("no-improvement", seen, "the label is not learnt", _remedy(run, name), name, figures)


def _remedy(run: _Run, name: str) -> str:
    """Return the most likely remedy for a label that is not learnt."""
    if run.updates is not None and run.updates < FEW_UPDATES:
        return _LONGER
    if run.counts is not None and run.counts[run.labels.index(name)] < FEW_EXAMPLES:
        return _ANNOTATE
    return MORE


def _validation(run: _Run) -> Iterator[Note]:
    if run.evaluation is None or run.counts is None:
        return
    change = "enlarge the validation set: validation_fraction=, or documents of your own (--dev)"
    for name, trained, support in zip(run.labels, run.counts, run.evaluation.support, strict=True):
        if trained and not support:
            means = "its F1 of 0 means nothing"
            figures = f"{count(int(trained), run.unit)} in training"
            yield Note("rare-label-missing-in-dev", "Not in the validation set", means, change, name, figures)
        elif trained and support < _FEW_VALIDATION:
            seen, means = f"Fewer than {_FEW_VALIDATION} validation {run.unit}s", "the F1 is mostly chance"
            yield Note("few-held-out", seen, means, change, name, count(int(support), run.unit))


def _overfitting(run: _Run) -> Iterator[Note]:
    losses, f1 = run.history.get("loss", []), run.history.get("val_important_f1", [])
    if len(f1) < 3 or len(losses) < 3 or losses[-1] >= losses[0]:
        return
    best = int(np.argmax(f1))
    if best < len(f1) - 1 and f1[-1] <= f1[best] - _FALL and losses[-1] < losses[best]:
        seen = (
            f"The important F1 fell from {f1[best]:.3f} in epoch {best + 1} to {f1[-1]:.3f} while the training loss "
            f"fell from {losses[best]:.3f} to {losses[-1]:.3f}"
        )
        change = "raise feature_dropout= or dropout=, or train for fewer epochs; the best epoch is kept"
        yield Note("f1-falls-while-loss-falls", seen, "the network overfits", change)


def _few_updates(run: _Run) -> Iterator[Note]:
    if run.updates is not None and run.updates < FEW_UPDATES:
        seen = f"There were only {count(run.updates, 'update')}"
        yield Note("too-few-updates", seen, "the network has learnt little", _LONGER)


def _high_loss(run: _Run) -> Iterator[Note]:
    losses, uniform = run.history.get("loss", []), float(np.log(len(run.labels)))
    if not losses or run.weights is None:
        return
    weighted = np.ptp(run.weights if run.counts is None else run.weights[run.counts > 0]) > 0
    reference = run.evaluation.mean_loss if run.evaluation is not None else uniform
    if weighted and losses[-1] > _MUCH_HIGHER * reference:
        other = "the unweighted loss on the validation set" if run.evaluation is not None else "a uniform guess costs"
        seen = f"The weighted training loss is {losses[-1]:.3f}, {other} {reference:.3f}"
        means = "class weights multiply the errors of rare labels, so the loss alone shows no problem"
        yield Note("high-loss", seen, means, "compare the F1 and the loss of each class instead")
    elif not weighted and losses[-1] > uniform:
        seen = f"The training loss ended at {losses[-1]:.3f}; a uniform guess costs {uniform:.3f}"
        yield Note("high-loss", seen, "the network learns nothing", "lower learning_rate")


def _few_examples(run: _Run) -> Iterator[Note]:
    counts = () if run.counts is None else run.counts.tolist()
    occurring = [(name, number, np.inf) for name, number in zip(run.labels, counts, strict=False) if number]
    yield from _rare(occurring, f"training {run.unit}")


def _padding(run: _Run) -> Iterator[Note]:
    if run.padding_share is not None and run.padding_share > _MUCH_PADDING:
        seen = f"{run.padding_share:.0%} of the places in the training windows are padding"
        yield Note("padding", seen, "most documents are shorter than a window", "lower window_size=")


_CHECKS: tuple[Callable[[_Run], Iterable[Note]], ...] = (
    _not_applied,
    _evaluation,
    _too_steep,
    _not_learning,
    _validation,
    _overfitting,
    _few_updates,
    _high_loss,
    _few_examples,
    _padding,
)
"""The checks, the most serious first."""
