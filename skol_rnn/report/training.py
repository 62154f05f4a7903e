"""What the report says about the training of a model: facts, settings, and the scored documents that it has seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from skol_rnn.data.near_copies import NearCopy, near_copies
from skol_rnn.data.table import text_hashes
from skol_rnn.errors import SeenWarning
from skol_rnn.evaluation.evaluate import of_documents
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import printable

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 6


class Seen(NamedTuple):
    """Scored documents that were trained on, those that chose the epoch and the decision, and near copies of either."""

    training: list[str]
    validation: list[str]
    copies: list[NearCopy]

    @property
    def names(self) -> set[str]:
        """All of these documents."""
        return {*self.training, *self.validation, *(copy.document for copy in self.copies)}


def seen_documents(table: pd.DataFrame, card: Mapping[str, Any]) -> Seen:
    """Find the documents of a table that the model has seen, by the hash of their text or, without one, by name."""
    names = list(dict.fromkeys(table["doc_id"]))
    split, hashes = card.get("split") or {}, card.get("documents") or {}
    sides = [set(split.get(side, ())) for side in ("training", "validation")]
    if not hashes:
        return Seen([name for name in names if name in sides[0]], [name for name in names if name in sides[1]], [])
    own = text_hashes(table)
    trained, validated = ({hashes[name] for name in side if name in hashes} for side in sides)
    sketched = {name: one for name, one in (card.get("sketches") or {}).items() if name in sides[0] | sides[1]}
    copies = [copy for copy in near_copies(table, sketched) if own[copy.document] not in trained | validated]
    return Seen([n for n in names if own[n] in trained], [n for n in names if own[n] in validated], copies)


def seen_sentence(seen: Seen, n_documents: int, card: Mapping[str, Any], scores: Evaluation | None = None) -> str:
    """Warn of scores on documents that the model has seen, and give those without; say so where that is not known."""
    if not card.get("split"):
        return "The model does not record its training documents: make sure that none of them is scored here."
    parts = []
    if seen.training:
        parts.append(f"{_some(len(seen.training), n_documents)} in the training set ({named(seen.training)})")
    if seen.validation:
        parts.append(f"{_some(len(seen.validation), n_documents)} in the validation set ({named(seen.validation)})")
    if seen.copies:
        number = len(seen.copies)
        kind = "is a near copy of one" if number == 1 else "are near copies of some"
        parts.append(f"{number} of the {n_documents} documents {kind} that the model has seen ({copied(seen.copies)})")
    if not parts:
        return ""
    advice = "their scores are too high. Score documents that the model has not seen."
    return f"{' and '.join(parts)}: {advice}{score_without(scores, seen)}"


def score_without(scores: Evaluation | None, seen: Seen) -> str:
    """Give the score of the other documents."""
    value = None if scores is None else important_f1_without(scores, seen)
    return "" if value is None else f" Without them: important F1 {value:.4f}."


def important_f1_without(scores: Evaluation, seen: Seen) -> float | None:
    """Return the score of the documents that are not seen, None if there are none with labels."""
    others = {name for name, _ in scores.per_document} - seen.names
    return of_documents(scores, others).important_f1 if others else None


def _some(number: int, whole: int) -> str:
    return f"{number} of the {whole} documents {'was' if number == 1 else 'were'}"


def named(names: Sequence[str]) -> str:
    """List the first names, and how many follow."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(printable, names[:_MOST_NAMED])) + more


def copied(copies: Sequence[NearCopy]) -> str:
    """List the first near copies with what they are copies of."""
    return named([f"{copy.document} of {copy.of}, {copy.share:.0%} of the text" for copy in copies])


def warn_of_shared_documents(validation: pd.DataFrame, card: Mapping[str, Any]) -> Seen:
    """Warn of validation documents that are trained on, or are near copies of training documents."""
    seen = seen_documents(validation, {**card, "split": {"training": card["split"]["training"]}})
    parts = []
    if seen.training:
        parts.append(f"Trained on and validated with the same text: {named(seen.training)}.")
    if seen.copies:
        parts.append(f"Validation documents are near copies of training documents: {copied(seen.copies)}.")
    if parts:
        advice = "The scores of epochs are too high: leave these documents out of one of the two sets."
        warnings.warn(" ".join([*parts, advice]), SeenWarning, stacklevel=3)
    return seen


def training_facts(card: Mapping[str, Any], unit: str) -> list[tuple[str, str]]:
    """Return what the model records about its training as pairs of a name and a value."""
    facts = [("Model", str(card["name"]))] if card.get("name") else []
    if card.get("date"):
        facts.append(("Date", str(card["date"])[:16].replace("T", " ")))
    if versions := card.get("versions"):
        facts.append(("With", ", ".join(f"{name} {number}" for name, number in versions.items())))
    if split := card.get("split"):
        training, validation = split.get("training") or [], split.get("validation") or []
        if training:
            facts.append(("Training documents", f"{len(training)}: {named(training)}"))
        facts.append(("Validation documents", f"{len(validation)}: {named(validation)}" if validation else "none"))
        if folds := split.get("folds"):
            facts.append(("Folds", f"{folds}: each predicted by a network trained on the others"))
        if validation and split.get("refit"):
            facts.append(("Refit", "on training and validation documents together"))
    if counts := card.get("counts"):
        facts.append((f"Training {unit}s", f"{sum(counts.values()):,.0f}"))
    if card.get("class_weights"):
        facts.append(("Class weights", str(card["class_weights"])))
    if card.get("decision"):
        facts.append(("Decision", str(card["decision"])))
    return facts


def settings_pairs(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings as pairs of a name and a value."""
    return [(name, "-" if value is None else str(value)) for name, value in settings.items()]
