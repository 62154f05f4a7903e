"""The parameter ``sampling``: which documents or windows are trained on more often, and how they are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import labelled_table
from skol_rnn.imbalance.options import finite_number, parse_options, whole_number
from skol_rnn.labels import plural, suggestion

SCHEMES: Mapping[str, Mapping[str, float]] = {
    "oversample": {"min_count": 1, "replication_factor": 5},
    "stratify": {"min_count": 1, "fraction": 0.5, "seed": 0},
    "rare_windows": {"boost": 4.0},
}
"""The options of each scheme and their defaults; all schemes have ``rare_label``, too."""

SOURCE = "source_doc_id"  # column: the document that a row was copied from, ``doc_id`` itself in an original
RareLabel = str | Sequence[str] | None


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
        if (rare := self.rare_label) is not None:
            names = tuple(rare) if isinstance(rare, (list, tuple, set, frozenset)) else (rare,)
            if not names or not all(isinstance(name, str) for name in names):
                raise ValueError(f"rare_label must be the name of a label or a list of names, not {rare!r}.")
            object.__setattr__(self, "rare_label", tuple(dict.fromkeys(names)))
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
        known = ["name", "rare_label", *SCHEMES[name]]
        for key in spec:
            if key not in known:
                hint = suggestion(str(key), known)
                raise ValueError(f"sampling={name!r} has the options {', '.join(known[1:])}, not {key!r}.{hint}")
        return cls(**spec)

    def draw(self, doc_ids: Iterable[str], labels: Iterable[str | None]) -> list[tuple[str, str]]:
        """Draw the documents to train on, as pairs of a new name and the document that it stands for."""
        doc_ids, labels = list(doc_ids), list(labels)
        if len(doc_ids) != len(labels):
            raise ValueError(
                f"{plural(len(labels), 'label')}, but {plural(len(doc_ids), 'document id')}: give one a row."
            )
        if self.name == "rare_windows":
            return [(doc_id, doc_id) for doc_id in dict.fromkeys(doc_ids)]
        rare = self.labels_among(labels)
        found = Counter(doc_id for doc_id, label in zip(doc_ids, labels, strict=True) if label in rare)
        if (most := max(found.values())) < self.min_count:
            names = ", ".join(sorted(rare))
            raise ValueError(f"No document has {self.min_count} lines of {names}: the most is {most}; lower min_count.")
        holders = {doc_id for doc_id, number in found.items() if number >= self.min_count}
        draw = self._oversampled if self.name == "oversample" else self._stratified
        return draw(Counter(doc_ids), holders)

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

    def _oversampled(self, lines: Mapping[str, int], rare: set[str]) -> list[tuple[str, str]]:
        """Take every document once, and those with a rare label several times."""
        taken, drawn = set(lines), []
        for doc_id in lines:
            free = (name for number in count(2) if (name := f"{doc_id}#copy{number}") not in taken)
            names = [doc_id, *islice(free, self.replication_factor - 1 if doc_id in rare else 0)]
            taken.update(names)
            drawn += [(name, doc_id) for name in names]
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
        raise ValueError(f"There are counts of {before.size} labels before sampling and of {after.size} after it.")
    shift, both = np.ones(before.shape), (before > 0) & (after > 0)
    shift[both] = (after[both] / after.sum()) / (before[both] / before.sum())
    return shift


def oversample_documents_with_rare_labels(
    data: Any,
    rare_label: RareLabel,
    min_count: int = 1,
    replication_factor: int = 5,
    *,
    y: Any = None,
    label_col: str = "label",
    line_no_col: str = "line_number",
) -> pd.DataFrame:
    """Copy the documents that hold a rare label, whole and in order, each copy under its own name.

    Copy training documents only: split off the validation and test documents first, or copies of one document end up
    on both sides.  A later split must keep the rows of one ``source_doc_id`` together.

    Parameters
    ----------
    data : table, list of lines or documents, Corpus, or path(s)
        Annotated documents, see :func:`skol_rnn.data.inputs.labelled_table`.
    rare_label : str or list of str
        Name of the label; lines of several labels count together.  None stands for the rarest label that occurs.
    min_count : int, default 1
        Least number of rare lines in a document that is copied.
    replication_factor : int, default 5
        How often such a document appears, the original included; others appear once.
    y : list of str or list of list of str, optional
        Labels of the lines, if the data have none: in one list, or in a list for each document.
    label_col, line_no_col : str
        Names of the columns of a table.

    Returns
    -------
    DataFrame
        The lines with the caller's columns and ``source_doc_id``; copies follow their original as ``doc_id#copy2``...

    Raises
    ------
    ValueError
        If a label is not text or does not occur, no document has enough of its lines, or a number is out of range.
    DataError
        If the data cannot be read or have no labels.

    Examples
    --------
    >>> documents, y = [["Fusella nova", "Thanks"], ["Thanks"]], [["Nomenclature", "Misc"], ["Misc"]]
    >>> table = oversample_documents_with_rare_labels(documents, "Nomenclature", replication_factor=2, y=y)
    >>> table[["doc_id", "line_number", "label"]].values.tolist()
    [['0', 0, 'Nomenclature'], ['0', 1, 'Misc'], ['0#copy2', 0, 'Nomenclature'], ['0#copy2', 1, 'Misc'], ['1', 0, 'Misc']]
    """
    sampling = Sampling("oversample", rare_label, min_count, replication_factor)
    return _sampled(labelled_table(data, y, label_col, line_no_col), sampling)


def stratified_document_sample(
    data: Any,
    rare_label: RareLabel,
    min_count: int = 1,
    fraction: float = 0.5,
    *,
    seed: int = 0,
    y: Any = None,
    label_col: str = "label",
    line_no_col: str = "line_number",
) -> pd.DataFrame:
    """Keep every document that holds a rare label, and a random share of the others.

    Parameters
    ----------
    data, rare_label, y, label_col, line_no_col
        As in :func:`oversample_documents_with_rare_labels`.
    min_count : int, default 1
        Least number of rare lines in a document that is always kept.
    fraction : float, default 0.5
        Share of the other documents' lines to keep, as near as whole documents allow.
    seed : int, default 0
        Seed of the random choice; the order of rows does not matter.

    Returns
    -------
    DataFrame
        The lines kept, with the caller's columns and ``source_doc_id``.

    Raises
    ------
    ValueError, DataError
        As in :func:`oversample_documents_with_rare_labels`.

    Examples
    --------
    >>> documents, y = [["Fusella nova"], ["Thanks"]], [["Nomenclature"], ["Misc"]]
    >>> stratified_document_sample(documents, "Nomenclature", fraction=0.0, y=y)["value"].tolist()
    ['Fusella nova']
    """
    sampling = Sampling("stratify", rare_label, min_count, fraction=fraction, seed=seed)
    return _sampled(labelled_table(data, y, label_col, line_no_col), sampling)


def copies_with_originals(table: pd.DataFrame) -> str | None:
    """Return the column by which a split must group documents, so that copies stay with their original."""
    return SOURCE if SOURCE in table else None


def _sampled(table: pd.DataFrame, sampling: Sampling) -> pd.DataFrame:
    """Return the lines of the documents drawn, one document after the other."""
    pairs = sampling.draw(table["doc_id"], table["label"])
    rows = table.groupby("doc_id", sort=False).indices
    result = table.iloc[np.concatenate([rows[source] for _, source in pairs])]
    result = result.drop(columns="order").reset_index(drop=True)
    # A sample of a sample keeps the names of the first sources.
    sources = result[SOURCE] if SOURCE in result else result["doc_id"]
    names = [name for name, source in pairs for _ in rows[source]]
    return result.assign(**{"doc_id": pd.Series(names, dtype=object), SOURCE: sources})
