"""Split data by document, so that no document is on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.table import require_column
from skol_rnn.errors import DataError

_DRAWS = 50  # random splits to choose from; the best of 50 is close to the fraction even for few documents


def split_documents(
    table: pd.DataFrame, fraction: float, seed: int | None, groups: str | Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Return training and validation documents, with a fraction of the lines in the second and all labels in both."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, not {fraction!r}.")
    group_of = document_groups(table, groups)
    group = table["doc_id"].map(group_of)
    lines = group.value_counts().sort_index()
    counts = lines.to_numpy(dtype=np.float64)[:, None]  # by group: all lines in column 0, then those of each label
    if "label" in table and table["label"].notna().any():
        by_label = pd.crosstab(group, table["label"].astype(object)).reindex(lines.index, fill_value=0)
        counts = np.hstack([counts, by_label.to_numpy(dtype=np.float64)])
    names = sorted(group_of.unique())
    ids = {name: sorted(group_of.index[group_of == name]) for name in names}
    if len(names) < 2:
        return sorted(group_of.index), []
    rng = np.random.default_rng(seed)
    draws = [_draw(counts, fraction, rng) for _ in range(max(5, min(_DRAWS, 50_000 // len(names))))]
    best = min(draws, key=lambda taken: _misfit(counts, taken, fraction))
    chosen = sorted(doc_id for name, out in zip(names, best, strict=True) if out for doc_id in ids[name])
    return sorted(set(group_of.index) - set(chosen)), chosen


def document_folds(
    table: pd.DataFrame, folds: int, seed: int = 0, groups: str | Mapping[str, str] | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the lines into folds of whole documents with similar label frequencies."""
    group_of = document_groups(table, groups)
    what = "documents" if groups is None else "groups of documents"
    if (number := group_of.nunique()) < folds:
        raise DataError(f"There are {number} {what} for {folds} folds; give more documents or fewer folds.")
    from sklearn.model_selection import StratifiedGroupKFold

    labels = table["label"].fillna("").astype(str) if "label" in table else np.zeros(len(table))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # scikit-learn warns about a label with fewer lines than folds; such labels are expected here.
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(table, labels, table["doc_id"].map(group_of)))


def consecutive_folds(names: np.ndarray, folds: int) -> list[np.ndarray]:
    """Split lines into folds of consecutive documents or groups, by their names, with similar numbers of lines.

    Documents that follow one another often come from one source, such as a volume; a fold then has whole sources.
    """
    _, first, group, lines = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    if len(order) < folds:
        return [np.arange(len(names))]
    middle, ends = np.cumsum(lines[order]) - lines[order] / 2, [0]
    for fold in range(1, folds):
        end = int(np.searchsorted(middle, len(names) * fold / folds))
        ends.append(min(max(end, ends[-1] + 1), len(order) - folds + fold))  # no fold is empty
    parts = np.split(order, ends[1:])
    return [np.flatnonzero(np.isin(group, part)) for part in parts]


def document_groups(table: pd.DataFrame, groups: str | Mapping[str, str] | None = None) -> pd.Series[Any]:
    """Return the group of each document; documents of one group stay together."""
    if groups is None:
        named = table["doc_id"]
    elif isinstance(groups, str):
        require_column(table, groups)
        named = table[groups]
    else:
        named = table["doc_id"].map(groups)
    pairs = pd.DataFrame({"doc_id": table["doc_id"].to_numpy(), "group": named.to_numpy()}).drop_duplicates()
    for doc_id in pairs.loc[pairs["group"].isna() | pairs["doc_id"].duplicated(), "doc_id"]:
        raise DataError(f"Document {doc_id!r} is in no group or in more than one.")
    return pairs.set_index("doc_id")["group"].astype(str).sort_index()


def _draw(counts: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Choose validation groups at random: first one for each label, then up to the fraction of lines."""
    present, order = counts > 0, rng.permutation(len(counts))
    shared = present.sum(axis=0) > 1
    taken = np.zeros(len(counts), dtype=bool)
    left = present.sum(axis=0)
    missing = fraction * counts[:, 0].sum()

    def may_take(group: int) -> bool:
        # Training keeps the last group of each label.
        return bool(not taken[group] and np.all(left[present[group]] > 1))

    def take(group: int) -> float:
        taken[group] = True
        left[present[group]] -= 1
        return float(missing - counts[group, 0])

    for label in np.argsort(left[1:], kind="stable") + 1:
        if shared[label] and not present[taken, label].any():
            for group in [u for u in order if present[u, label] and may_take(u)][:1]:
                missing = take(group)
    for group in order:
        if abs(missing - counts[group, 0]) < abs(missing) and may_take(group):
            missing = take(group)
    if not taken.any():
        # Every group holds the only lines of some label: take one that holds the fewest such labels.
        unshared = (present & ~shared).sum(axis=1)
        possible = [u for u in order if may_take(u)] or [u for u in order if unshared[u] == unshared.min()]
        take(min(possible, key=lambda u: counts[u, 0]))
    return taken


def _misfit(counts: np.ndarray, taken: np.ndarray, fraction: float) -> tuple[int, float]:
    """Score a split, lower is better: shared labels missing on a side, then the distance from the fraction."""
    shared = (counts > 0).sum(axis=0) > 1
    one_sided = sum(int((part[:, shared].sum(axis=0) == 0).sum()) for part in (counts[taken], counts[~taken]))
    shares = np.abs(counts[taken].sum(axis=0) / np.maximum(counts.sum(axis=0), 1) - fraction)
    return one_sided, float(4 * shares[0] + shares.mean())
