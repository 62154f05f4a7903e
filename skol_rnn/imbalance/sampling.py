"""The parameter ``sampling``: which documents or windows are trained on more often, and how they are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.imbalance.checks import finite_number, whole_number
from skol_rnn.imbalance.options import parse_options
from skol_rnn.labels import suggestion

SCHEMES: Mapping[str, Mapping[str, float]] = {
    "oversample": {"min_count": 1, "replication_factor": 5},
    "stratify": {"min_count": 1, "fraction": 0.5, "seed": 0},
    "rare_windows": {"boost": 4.0},
}
"""The options of each scheme and their defaults; all schemes have ``rare_label``, too."""

RareLabel = str | Sequence[str] | None
"""A label by name, several that count together, or None for the rarest one that occurs."""


@dataclass(frozen=True)
class Sampling:
    """A sampling scheme with its options."""

    name: str
    rare_label: RareLabel = None
    min_count: int = 1
    replication_factor: int = 5
    fraction: float = 0.5
    boost: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rare_label is not None:
            object.__setattr__(self, "rare_label", _names(self.rare_label))
        for name, least in (("min_count", 1), ("replication_factor", 1), ("seed", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        finite_number("fraction", self.fraction, 0, 1)
        finite_number("boost", self.boost, 1, 1e6)

    @classmethod
    def parse(cls, spec: str | Mapping[str, Any] | None) -> Sampling | None:
        """Read ``sampling``: a scheme with options, as text or as a dict."""
        if spec is None:
            return None
        if isinstance(spec, str):
            name, options = parse_options(spec, SCHEMES, "sampling")
            return cls(name, **options)  # type: ignore[arg-type]
        if not isinstance(spec, Mapping) or "name" not in spec:
            raise ValueError(f"sampling must be {', '.join(SCHEMES)}, or a dict with such a 'name', but is {spec!r}.")
        name, _ = parse_options(str(spec["name"]), {key: {} for key in SCHEMES}, "sampling")
        known = ["rare_label", *SCHEMES[name]]
        for key in spec:
            if key not in ("name", *known):
                hint = suggestion(str(key), known)
                raise ValueError(f"sampling={name!r} has the options {', '.join(known)}, not {key!r}.{hint}")
        return cls(**spec)

    def draw(self, doc_ids: Iterable[str], labels: Iterable[str | None]) -> list[tuple[str, str]]:
        """Draw the documents to train on, as pairs of a new name and the document that it stands for."""
        doc_ids, labels = list(doc_ids), list(labels)
        if len(doc_ids) != len(labels):
            raise ValueError(f"There are {len(labels)} labels, but {len(doc_ids)} document ids.")
        if self.name == "rare_windows":
            return [(doc_id, doc_id) for doc_id in dict.fromkeys(doc_ids)]
        lines, rare = Counter(doc_ids), self._documents_with_rare_labels(doc_ids, labels)
        return self._oversampled(lines, rare) if self.name == "oversample" else self._stratified(lines, rare)

    def labels_among(self, labels: Iterable[str | None]) -> list[str]:
        """Return the rare labels by name, and check that they occur."""
        counts = Counter(label for label in labels if isinstance(label, str))
        if not counts:
            raise ValueError("No line has a label, so none can be rare: give annotated documents.")
        if self.rare_label is None:
            return [min(counts, key=lambda label: (counts[label], label))]
        for name in self.rare_label:
            if name not in counts:
                known = ", ".join(sorted(counts))
                raise ValueError(f"No line has the rare label {name!r}; there are {known}.{suggestion(name, counts)}")
        return list(self.rare_label)

    def _documents_with_rare_labels(self, doc_ids: list[str], labels: list[str | None]) -> set[str]:
        names = self.labels_among(labels)
        found = Counter(doc_id for doc_id, label in zip(doc_ids, labels, strict=True) if label in names)
        most = max(found.values())
        if most < self.min_count:
            rare = ", ".join(sorted(names))
            raise ValueError(f"No document has {self.min_count} lines of {rare}: the most is {most}; lower min_count.")
        return {doc_id for doc_id, number in found.items() if number >= self.min_count}

    def _oversampled(self, lines: Mapping[str, int], rare: set[str]) -> list[tuple[str, str]]:
        """Take every document once, and those with a rare label several times."""
        taken, drawn = set(lines), []
        for doc_id in lines:
            drawn.append((doc_id, doc_id))
            number = 2
            for _ in range(self.replication_factor - 1 if doc_id in rare else 0):
                while (name := f"{doc_id}#copy{number}") in taken:
                    number += 1
                taken.add(name)
                drawn.append((name, doc_id))
        return drawn

    def _stratified(self, lines: Mapping[str, int], rare: set[str]) -> list[tuple[str, str]]:
        """Keep every document with a rare label, and a random share of the others."""
        others, kept = sorted(set(lines) - rare), set(rare)
        missing = self.fraction * sum(lines[doc_id] for doc_id in others)
        for index in np.random.default_rng(self.seed).permutation(len(others)):
            doc_id = others[index]
            if abs(missing - lines[doc_id]) < abs(missing):
                missing -= lines[doc_id]
                kept.add(doc_id)
        return [(doc_id, doc_id) for doc_id in lines if doc_id in kept]


def sampling_shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the factor by which sampling changed the share of each label; 1 for labels that do not occur."""
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape:
        raise ValueError(f"Counts of {before.size} labels before and of {after.size} after do not go together.")
    both = (before > 0) & (after > 0)
    shift = np.ones(before.shape)
    shift[both] = (after[both] / after.sum()) / (before[both] / before.sum())
    return shift


def _names(rare_label: Any) -> tuple[str, ...]:
    names = tuple(rare_label) if isinstance(rare_label, (list, tuple, set, frozenset)) else (rare_label,)
    for name in names or (None,):
        if not isinstance(name, str):
            raise ValueError(f"rare_label must be the name of a label or a list of names, not {rare_label!r}.")
    return tuple(dict.fromkeys(names))
