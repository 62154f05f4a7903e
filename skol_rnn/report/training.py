"""What the report says about the training of a model: facts, settings, and the scored documents that it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from skol_rnn.data.table import text_hashes

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 6


class Seen(NamedTuple):
    """Scored documents that were trained on, and those that chose the epoch and the decision."""

    training: list[str]
    validation: list[str]


def seen_documents(table: pd.DataFrame, card: Mapping[str, Any]) -> Seen:
    """Find the documents of a table that the model has seen, by the hash of their text or, without one, by name."""
    names = list(dict.fromkeys(table["doc_id"]))
    split, hashes = card.get("split") or {}, card.get("documents") or {}
    sides = [set(split.get(side, ())) for side in ("training", "validation")]
    if hashes:
        own = text_hashes(table)
        known = [{hashes[name] for name in side if name in hashes} for side in sides]
        return Seen(*([name for name in names if own[name] in side] for side in known))
    return Seen(*([name for name in names if name in side] for side in sides))


def seen_sentence(seen: Seen, n_documents: int, card: Mapping[str, Any]) -> str:
    """Warn of scores on documents that the model has seen; say so where that is not known."""
    if not card.get("split"):
        return "The model does not record its training documents: make sure that none of them is scored here."
    parts = []
    if seen.training:
        parts.append(f"{_some(len(seen.training), n_documents)} in the training set ({named(seen.training)})")
    if seen.validation:
        parts.append(f"{_some(len(seen.validation), n_documents)} in the validation set ({named(seen.validation)})")
    if not parts:
        return ""
    return f"{' and '.join(parts)}: their scores are too high. Score documents that the model has not seen."


def _some(number: int, whole: int) -> str:
    return f"{number} of the {whole} documents {'was' if number == 1 else 'were'}"


def named(names: Sequence[str]) -> str:
    """List the first names, and how many follow."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


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
