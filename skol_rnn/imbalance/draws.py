"""Draw documents to train on, so that those with a rare label weigh more; only names and counts are needed."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from skol_rnn.imbalance.rare import RareLabel, rare_labels_among


def draw_oversampled(
    doc_ids: Iterable[str],
    labels: Iterable[str | None],
    rare_label: RareLabel,
    min_count: int = 1,
    replication_factor: int = 5,
) -> list[tuple[str, str]]:
    """Draw every document once, and those with a rare label several times."""
    check_whole("replication_factor", replication_factor, 1)
    documents = _documents(doc_ids, labels, rare_label, min_count)
    taken = {document.doc_id for document in documents}
    drawn = []
    for doc_id, _, is_rare in documents:
        drawn.append((doc_id, doc_id))
        number = 2
        for _ in range(replication_factor - 1 if is_rare else 0):
            while (name := f"{doc_id}#copy{number}") in taken:
                number += 1
            taken.add(name)
            drawn.append((name, doc_id))
    return drawn


def draw_stratified(
    doc_ids: Iterable[str],
    labels: Iterable[str | None],
    rare_label: RareLabel,
    min_count: int = 1,
    fraction: float = 0.5,
    seed: int = 0,
) -> list[tuple[str, str]]:
    """Keep every document with a rare label, and a random share of the others."""
    check_between("fraction", fraction, 0.0, 1.0)
    documents = _documents(doc_ids, labels, rare_label, min_count)
    others = sorted(document for document in documents if not document.is_rare)
    missing = fraction * sum(document.lines for document in others)
    kept = {document.doc_id for document in documents if document.is_rare}
    for index in np.random.default_rng(seed).permutation(len(others)):
        doc_id, lines, _ = others[index]
        if abs(missing - lines) < abs(missing):
            missing -= lines
            kept.add(doc_id)
    return [(document.doc_id, document.doc_id) for document in documents if document.doc_id in kept]


def sampling_shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Compute by which factor sampling raised the share of each label."""
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape:
        raise ValueError(f"Counts of {before.size} labels before and of {after.size} after do not go together.")
    both = (before > 0) & (after > 0)
    shift = np.ones(before.shape)
    shift[both] = (after[both] / after.sum()) / (before[both] / before.sum())
    return shift


def check_whole(name: str, value: object, least: int) -> None:
    """Raise a ValueError unless an option is a whole number and not too small."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, but is {value!r}.")


def check_between(name: str, value: object, least: float, most: float) -> None:
    """Raise a ValueError unless an option is a number in its range."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real) or not least <= float(value) <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, but is {value!r}.")


class _Document(NamedTuple):
    doc_id: str
    lines: int
    is_rare: bool


def _documents(
    doc_ids: Iterable[str], labels: Iterable[str | None], rare_label: RareLabel, min_count: int
) -> list[_Document]:
    """List the documents in order of first appearance, with their lines and whether they hold the rare label."""
    check_whole("min_count", min_count, 1)
    doc_ids, labels = list(doc_ids), list(labels)
    if len(doc_ids) != len(labels):
        raise ValueError(f"There are {len(labels)} labels, but {len(doc_ids)} document ids.")
    rare = set(rare_labels_among(labels, rare_label))
    lines, found = dict.fromkeys(doc_ids, 0), dict.fromkeys(doc_ids, 0)
    for doc_id, label in zip(doc_ids, labels, strict=True):
        lines[doc_id] += 1
        found[doc_id] += isinstance(label, str) and label in rare
    most = max(found.values())
    if most < min_count:
        raise ValueError(
            f"No document has {min_count} lines of {', '.join(sorted(rare))}: the most is {most}; lower min_count."
        )
    return [_Document(doc_id, lines[doc_id], found[doc_id] >= min_count) for doc_id in lines]
