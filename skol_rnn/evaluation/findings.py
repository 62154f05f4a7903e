"""Findings: what may have gone wrong in a run, what it means, and what to change under its decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.evaluation.report import marked
from skol_rnn.labels import LabelSet, check_choice, plural

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

_History = Mapping[str, list[float]]

FEW_UPDATES = 200
"""Optimiser steps below which a network has learnt little."""
FEW_EXAMPLES, FEW_DOCUMENTS, _FEW_SCORED = 30, 5, 10
_SHARE_FACTOR = 2  # between true and predicted share, from which on a finding is reported
_SHARE_MIN_COUNT = 20  # true or predicted count from which shares are compared
_MUCH_PADDING = 0.3
_FALL = 0.02  # least fall of the best F1 that is reported
_LOW_F1 = 0.1
_MUCH_HIGHER = 2.0  # weighted loss over unweighted loss
_MOST_NAMED = 5

_OF_MANY = {
    "Never predicted": "are never predicted",
    "Predicted too often": "are predicted too often",
    "Predicted too rarely": "are predicted too rarely",
}
_MORE, _FEWER, _LEARN = "predict the label more often", "predict the label less often", "learn the rare labels"
_ANNOTATE = "annotate more documents that hold these labels, or fold the labels into another one (other=)"
_TUNED = 'train and predict with decision="tuned"'
_OFFSETS = f"{_TUNED}, whose offsets are fitted on validation documents"
_LONGER = "train longer: raise epochs=, or lower batch_size="
_SCORE_MORE = "score more documents: raise validation_fraction=, or pass documents of your own (--dev)"

# All decisions except argmax divide class weights and sampling out of the probabilities, so raising them is in vain.
ADVICE: Mapping[str, Mapping[str, str]] = {
    "argmax": {
        _MORE: f"raise the class weights of these labels, or {_TUNED}",
        _FEWER: 'lower their class weights (class_weights="smoothed"), or predict with decision="corrected"',
        _LEARN: f'{_LONGER}, or set class_weights="smoothed"',
    },
    **dict.fromkeys(("corrected", "viterbi"), {_MORE: _OFFSETS, _FEWER: _OFFSETS, _LEARN: _LONGER}),
    **dict.fromkeys(("tuned", "auto"), {_MORE: _ANNOTATE, _FEWER: _ANNOTATE, _LEARN: _LONGER}),
}
"""How to reach a goal, by decision."""
_OVERSAMPLE = f'oversample the documents that hold these labels (sampling="oversample"), or {_TUNED}'
"""How argmax predicts labels more often whose class weights cannot be raised: they are capped at the count ratio."""


@dataclass(frozen=True)
class Finding:
    """Something that should not be overlooked: what was seen, with figures, what it means, and what to change.

    Examples
    --------
    >>> print(Finding("too-few-updates", "There were 9 updates", "the network has learnt little", "raise epochs"))
    There were 9 updates; the network has learnt little; raise epochs.
    """

    name: str  # kind of finding, such as "never-predicted"
    seen: str
    means: str
    change: str

    def __str__(self) -> str:
        return f"{self.seen}; {self.means}; {self.change}."


@dataclass(frozen=True)
class Note(Finding):
    """One observation; those that differ only in the label and its figures become one finding."""

    label: str = ""
    figures: str = ""


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
    epochs: bool = True,
) -> list[Finding]:
    """Find what may have gone wrong in a run, and what to change.

    Parameters
    ----------
    labels : LabelSet
        The K labels.
    evaluation : Evaluation, optional
        Scores of documents outside the training set.
    weights : ndarray, shape (K,), optional
        Class weights as used in training; their scale does not matter.
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
    epochs : bool, default True
        Whether the model is trained in epochs, so that longer training can be advised; ``preset="instant"`` is not.

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
    >>> found = diagnose(labels=labels, weights=np.array([100.0, 1.0]), counts=np.array([10, 1000]), updates=90)
    >>> [finding.name for finding in found]
    ['too-few-updates', 'few-examples']
    """
    check_choice("decision", decision, ADVICE)
    trained, scores = np.full(len(labels), np.nan) if counts is None else counts, history or {}
    notes: list[Note] = []
    capped: list[str] = []
    if weights is not None:
        notes += _weights(labels, weights, trained, given or {}, unit)
        # A capped weight is equal to its limit up to rounding.
        most, totals = int(np.argmax(trained)), weights * trained
        reached = np.flatnonzero(totals >= totals[most] * (1 - 1e-9))
        capped = [labels.names[i] for i in reached if i != most and decision == "argmax"]
    if evaluation:
        # The offset of O that finds most of the spans predicts more tokens than there are, or fewer: it is chosen to.
        by_choice = is_bio(labels) and decision in ("auto", "tuned")
        notes += [note for note in evaluation_notes(evaluation) if not (by_choice and note.name == "share-off")]
        notes += _important_and_rare(evaluation, scores, trained, updates)
    notes += _training(evaluation, scores, weights, trained, updates)
    occurring = ((name, number, np.inf) for name, number in zip(labels, trained.tolist(), strict=True) if number > 0)
    notes += _rare(occurring, f"training {unit}")
    if padding_share is not None and padding_share > _MUCH_PADDING:
        seen = f"{padding_share:.0%} of the places in the training windows are padding"
        notes.append(Note("padding", seen, "most documents are shorter than a window", "lower window_size="))
    advice = {(name, _MORE): _OVERSAMPLE for name in capped}
    changes = [advice.get((note.label, note.change), ADVICE[decision].get(note.change, note.change)) for note in notes]
    if not epochs:
        changes = [change.replace(_LONGER, _ANNOTATE) for change in changes]
    advised = (replace(note, change=change) for note, change in zip(notes, changes, strict=True))
    return grouped(advised, len(labels))


def count_findings(
    labels: Iterable[str], counts: Iterable[int], documents: Iterable[float], unit: str = "line"
) -> list[Finding]:
    """Find labels with too few examples, or in too few documents (NaN if unknown), to learn and to score them."""
    return grouped(_rare(zip(labels, counts, documents, strict=True), unit))


def summary(found: Sequence[Finding], lines: int = 12, width: int = 100) -> list[str]:
    """Return findings as lines that fit a screen, the same advice once, and how many are left out."""
    by_change: dict[str, list[Finding]] = {}
    for finding in found:
        by_change.setdefault(finding.change, []).append(finding)
    shown: list[str] = []
    left = len(found)
    for change, group in by_change.items():
        left -= len(group)
        text = marked([f"{'. '.join(f'{one.seen}; {one.means}' for one in group)}; {change}."], width)
        if len(shown) + len(text) > lines - (left > 0):
            shown = shown or text[: lines - 1]
            return [*shown, f"! ... and {left + len(group)} more findings"]
        shown += text
    return shown


def grouped(notes: Iterable[Note], n_labels: int = 0) -> list[Finding]:
    """Join notes that differ only in their labels, and count these where there are many.

    Advice that a label already has is not repeated.
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    advised = set()
    for note in notes:
        if note.label and (note.label, note.change) in advised:
            continue
        advised.add((note.label, note.change))
        named = groups.setdefault((note.name, note.seen, note.means, note.change), [])
        if note.label:
            named.append(f"{note.label!r} ({note.figures})")
    return [
        Finding(name, _of_many(seen, len(named), n_labels) + _listed(named), *rest)
        for (name, seen, *rest), named in groups.items()
    ]


def _of_many(seen: str, n: int, n_labels: int) -> str:
    if n <= _MOST_NAMED or not n_labels:
        return seen
    return f"{n} of {n_labels} labels {_OF_MANY[seen]}" if seen in _OF_MANY else f"{seen} ({n} of {n_labels} labels)"


def evaluation_notes(e: Evaluation) -> Iterator[Note]:
    """Yield what the averages of an evaluation hide."""
    if not e.support.any():
        seen = f"Nothing was scored: no {e.unit} has a true label"
        yield Note("nothing-scored", seen, "the scores mean nothing", "give data with a label column")
        return
    yield from _never_predicted(e)
    yield from _shares(e)
    total = plural(e.support.sum(), e.unit)
    if gone := int(e.missing.sum()):
        change = "check that every document was passed to predict and that the rows are aligned"
        yield Note("missing-predictions", f"{gone:,} of {total} got no prediction", "they count as errors", change)
    if gone := e.missing_probabilities:
        change = "check that every document was passed to predict_proba"
        seen, means = f"{gone:,} of {total} got no probabilities", "they cost the largest loss"
        yield Note("missing-probabilities", seen, means, change)


def _listed(named: list[str]) -> str:
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f": {', '.join(named[:_MOST_NAMED])}{more}" if named else ""


def _never_predicted(e: Evaluation) -> Iterator[Note]:
    never = np.flatnonzero((e.support > 0) & (e.predicted == 0))
    lost = {e.labels.names[i]: plural(e.support[i], e.unit) for i in never}
    found = np.flatnonzero(e.predicted)
    if len(found) != 1:
        yield from (Note("never-predicted", "Never predicted", "the F1 is 0", _MORE, *row) for row in lost.items())
    elif lost:
        (only,) = found
        name, all_of_it = e.labels.names[only], plural(e.predicted[only], e.unit)
        others = _listed([f"{label!r} ({figures})" for label, figures in lost.items()])
        seen = f"Only one class is predicted: all {all_of_it} got {name!r}. Never predicted{others}"
        if e.support[only] == e.support.max():
            yield Note("one-class", seen, "the network has learnt only which class is the most frequent", _LEARN)
        else:
            yield Note("one-class", seen, f"{name!r} outweighs the more frequent classes", _FEWER)


def _shares(e: Evaluation) -> Iterator[Note]:
    compared = (e.predicted > 0) & (np.maximum(e.support, e.predicted) >= _SHARE_MIN_COUNT)
    for i in np.flatnonzero(compared):
        name, true, predicted = e.labels.names[i], e.true_share[i], e.predicted_share[i]
        figures = f"{predicted:.2%} of the predictions, true {true:.2%}"
        if predicted > _SHARE_FACTOR * true:
            yield Note("share-off", "Predicted too often", "most of these predictions are wrong", _FEWER, name, figures)
        elif true > _SHARE_FACTOR * predicted:
            yield Note("share-off", "Predicted too rarely", f"most of these {e.unit}s are missed", _MORE, name, figures)


def _weights(
    labels: LabelSet, weights: np.ndarray, counts: np.ndarray, given: Mapping[str, float], unit: str
) -> Iterator[Note]:
    for zero in np.flatnonzero((weights == 0) & (counts > 0)):
        means, change = "the network does not learn these labels", "give them class weights above 0"
        name, figures = labels.names[zero], plural(counts[zero], unit)
        yield Note("zero-weight", "The class weight is 0", means, change, name, figures)
    chosen: dict[int, float] = {}
    for name, weight in given.items():
        # The type of a span stands for both of its tags.
        tags = [i for i, tag in enumerate(labels) if name in (tag, tag[2:])]
        chosen |= dict.fromkeys(tags, weight)
        if tags and (counts[tags] == 0).all():
            seen, means = f"No training {unit} has these labels", "their class weights have no effect"
            change = "check the spelling against the data (skol-rnn weights PATHS lists the labels)"
            yield Note("weights-not-applied", seen, means, change, name, f"weight {weight:g}")
    occurring = weights[counts > 0]
    if given and len(occurring) > 1 and np.ptp(occurring) == 0:
        seen = f"All {len(occurring)} labels that occur have the same class weight"
        yield Note("weights-not-applied", seen, "the loss is the same as without weights", "leave class_weights out")
        return
    for i, tag in enumerate(labels):
        ahead = [j for j in chosen if counts[j] > counts[i] > 0 and weights[j] > weights[i]]
        if i not in chosen and ahead:
            j, means = min(ahead), "it counts less"
            seen = "Rarer than a label with a larger class weight, but without a class weight, which means 1"
            figures = f"{plural(counts[i], unit)}; {labels.names[j]!r} has {counts[j]:,} and the weight {chosen[j]:g}"
            yield Note("weights-not-applied", seen, means, "add it to class_weights", tag, figures)


def _important_and_rare(e: Evaluation, history: _History, counts: np.ndarray, updates: int | None) -> Iterator[Note]:
    for name in e.important:
        f1 = history.get(f"val_f1/{name}", [])
        # A label without scored lines has an F1 of 0 whatever the network learns, and a finding of its own below.
        scored = e.support[e.labels.index(name)] > 0
        # One that does not rise may be high from the first epoch on, by the linear model.
        if scored and len(f1) >= 2 and max(f1) <= _LOW_F1:
            seen = f"The F1 does not exceed {_LOW_F1} in {len(f1)} epochs"
            figures = f"from {f1[0]:.3f} to {f1[-1]:.3f}, best {max(f1):.3f}"
            few_updates = updates is not None and updates < FEW_UPDATES
            few_examples = counts[e.labels.index(name)] < FEW_EXAMPLES
            change = _LONGER if few_updates else _ANNOTATE if few_examples else _MORE
            yield Note("no-improvement", seen, "the label is not learnt", change, name, figures)
    for name, trained, support in zip(e.labels, counts, e.support, strict=True):
        if trained > 0 and not support:
            seen, means = "Not among the scored documents", "the F1 of 0 means nothing"
            figures = f"{plural(trained, e.unit)} in training"
            yield Note("rare-label-missing-in-dev", seen, means, _SCORE_MORE, name, figures)
        elif trained > 0 and support < _FEW_SCORED:
            seen, means = f"Fewer than {_FEW_SCORED} scored {e.unit}s", "the F1 is mostly chance"
            yield Note("few-held-out", seen, means, _SCORE_MORE, name, plural(support, e.unit))


def _training(
    e: Evaluation | None, history: _History, weights: np.ndarray | None, counts: np.ndarray, updates: int | None
) -> Iterator[Note]:
    # The score that spans are selected by may rise while that of their tokens falls.
    score = "fragment" if "val_fragment_f1" in history else "important"
    losses, f1 = history.get("loss", []), history.get(f"val_{score}_f1", [])
    if len(f1) >= 3 and len(losses) >= 3:
        best = int(np.argmax(f1))
        if f1[-1] <= f1[best] - _FALL and losses[-1] < min(losses[0], losses[best]):
            seen = (
                f"The {score} F1 fell from {f1[best]:.3f} in epoch {best + 1} to {f1[-1]:.3f} while the training "
                f"loss fell from {losses[best]:.3f} to {losses[-1]:.3f}"
            )
            # After few updates the advice is to train longer.
            fewer = "" if updates is not None and updates < FEW_UPDATES else ", or train for fewer epochs"
            change = f"raise feature_dropout= or dropout={fewer}; the best epoch is kept"
            yield Note("f1-falls-while-loss-falls", seen, "the network overfits", change)
    if updates is not None and updates < FEW_UPDATES:
        seen = f"There were only {plural(updates, 'update')}"
        yield Note("too-few-updates", seen, "the network has learnt little", _LONGER)
    if not losses or weights is None:
        return
    uniform, weighted = float(np.log(len(weights))), np.ptp(weights[~(counts == 0)]) > 0
    reference = e.mean_loss if e else uniform
    if weighted and losses[-1] > _MUCH_HIGHER * reference:
        other = "the unweighted loss on the validation set" if e else "a uniform guess costs"
        seen = f"The weighted training loss is {losses[-1]:.3f}, {other} {reference:.3f}"
        means = "class weights multiply the errors of rare labels, so the loss alone shows no problem"
        yield Note("high-loss", seen, means, "compare the F1 and the loss of each class instead")
    elif not weighted and losses[-1] > uniform:
        seen = f"The training loss ended at {losses[-1]:.3f}; a uniform guess costs {uniform:.3f}"
        yield Note("high-loss", seen, "the network learns nothing", "lower learning_rate")


def _rare(rows: Iterable[tuple[str, int, float]], unit: str) -> Iterator[Note]:
    for label, number, holders in rows:
        counted = plural(number, unit)
        if number == 0:
            yield Note("no-examples", "Without examples", "they cannot be learnt", _ANNOTATE, label, counted)
        elif holders < FEW_DOCUMENTS:
            seen, means = f"In fewer than {FEW_DOCUMENTS} documents", "validation documents may hold none of them"
            figures = f"{counted} in {plural(holders, 'document')}"
            yield Note("few-documents", seen, means, _ANNOTATE, label, figures)
        elif number < FEW_EXAMPLES:
            seen, means = f"Fewer than {FEW_EXAMPLES} {unit}s", "the scores vary by chance"
            yield Note("few-examples", seen, means, _ANNOTATE, label, counted)
