"""Split by document, never by line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.data.table import require_column
from skol_rnn.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DRAWS = 50  # random splits to choose from: the nearest of 50 misses the fraction by little even for few documents


def split_documents(
    table: pd.DataFrame, fraction: float, seed: int | None, groups: str | Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Split by document, so that a fraction of the lines is held out and labels occur on both sides."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, not {fraction!r}.")
    units = document_groups(table, groups)
    counts = _label_counts(table, units)
    names = sorted(units.unique())
    ids = {unit: sorted(units.index[units == unit]) for unit in names}
    if len(names) < 2:
        return sorted(units.index), []
    rng = np.random.default_rng(seed)
    draws = [_draw(counts, fraction, rng) for _ in range(max(5, min(_DRAWS, 50_000 // len(names))))]
    best = min(draws, key=lambda taken: _misfit(counts, taken, fraction))
    held_out = sorted(doc_id for unit, out in zip(names, best, strict=True) if out for doc_id in ids[unit])
    return sorted(set(units.index) - set(held_out)), held_out


def document_folds(
    table: pd.DataFrame, folds: int, seed: int = 0, groups: str | Mapping[str, str] | None = None
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut the lines into folds of whole documents that are alike in labels."""
    units = document_groups(table, groups)
    what = "documents" if groups is None else "groups of documents"
    if (number := units.nunique()) < folds:
        raise DataError(f"There are {number} {what} for {folds} folds; give more of them, or fewer folds.")
    from sklearn.model_selection import StratifiedGroupKFold

    labels = table["label"].fillna("").astype(str) if "label" in table else np.zeros(len(table))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A label with fewer lines than folds is no reason to warn: it is in as many folds as it can be.
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(table, labels, table["doc_id"].map(units)))


def document_groups(table: pd.DataFrame, groups: str | Mapping[str, str] | None = None) -> pd.Series[Any]:
    """Say which documents stay together in a split."""
    if groups is None:
        named = table["doc_id"]
    elif isinstance(groups, str):
        require_column(table, groups)
        named = table[groups]
    else:
        named = table["doc_id"].map(groups)
    pairs = pd.DataFrame({"doc_id": table["doc_id"].to_numpy(), "unit": named.to_numpy()}).drop_duplicates()
    for doc_id in pairs.loc[pairs["unit"].isna() | pairs["doc_id"].duplicated(), "doc_id"]:
        raise DataError(f"Document {doc_id!r} is in no group or in more than one.")
    return pairs.set_index("doc_id")["unit"].astype(str).sort_index()


def _label_counts(table: pd.DataFrame, units: pd.Series[Any]) -> NDArray[np.float64]:
    """Count lines: rows are sorted units, column 0 all lines, the others one label each."""
    unit = table["doc_id"].map(units)
    lines = unit.value_counts().sort_index()
    counts = lines.to_numpy(dtype=np.float64)[:, None]
    if "label" in table and table["label"].notna().any():
        by_label = pd.crosstab(unit, table["label"].astype(object)).reindex(lines.index, fill_value=0)
        counts = np.hstack([counts, by_label.to_numpy(dtype=np.float64)])
    return np.asarray(counts, dtype=np.float64)


def _draw(counts: NDArray[np.float64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose at random which units are held out: first one for each label, then up to the fraction of lines."""
    present, order = counts > 0, rng.permutation(len(counts))
    shared = present.sum(axis=0) > 1
    taken = np.zeros(len(counts), dtype=bool)
    left = present.sum(axis=0)
    missing = fraction * counts[:, 0].sum()

    def may_take(unit: int) -> bool:
        # The last unit of a label stays in training, and so does the only one.
        return bool(not taken[unit] and np.all(left[present[unit]] > 1))

    def take(unit: int) -> float:
        taken[unit] = True
        left[present[unit]] -= 1
        return float(missing - counts[unit, 0])

    for label in np.argsort(left[1:], kind="stable") + 1:
        if shared[label] and not present[taken, label].any():
            for unit in [u for u in order if present[u, label] and may_take(u)][:1]:
                missing = take(unit)
    for unit in order:
        if abs(missing - counts[unit, 0]) < abs(missing) and may_take(unit):
            missing = take(unit)
    if not taken.any():
        # Of units that each hold the only lines of a label, the one that loses the fewest labels.
        unshared = (present & ~shared).sum(axis=1)
        possible = [u for u in order if may_take(u)] or [u for u in order if unshared[u] == unshared.min()]
        take(min(possible, key=lambda u: counts[u, 0]))
    return taken


def _misfit(counts: NDArray[np.float64], taken: NDArray[np.bool_], fraction: float) -> tuple[int, float]:
    """Say how bad a split is: shared labels on one side only, then the distance from the fraction."""
    shared = (counts > 0).sum(axis=0) > 1
    one_sided = sum(int((part[:, shared].sum(axis=0) == 0).sum()) for part in (counts[taken], counts[~taken]))
    shares = np.abs(counts[taken].sum(axis=0) / np.maximum(counts.sum(axis=0), 1) - fraction)
    return one_sided, float(4 * shares[0] + shares.mean())
