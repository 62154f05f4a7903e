"""The task of a search: lines, folds, metric, and the settings that all trials share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import choose_labels, fold_labels, labelled_table
from skol_rnn.data.splits import document_folds, document_groups
from skol_rnn.decoding.offsets import METRICS
from skol_rnn.errors import DataError
from skol_rnn.imbalance.sampling import copies_with_originals
from skol_rnn.labels import NO_LABEL, LabelSet, check_choice, label_counts, rare_labels, suggestion
from skol_rnn.training.checks import check_parameters
from skol_rnn.training.parameters import PARAMETERS, ModelParameters, values_of
from skol_rnn.training.settings import INSTANT
from skol_rnn.tuning.space import SEARCHES, searched_parameters

_COLUMNS = ("label_col", "line_no_col")
_ARGUMENTS = {"important": "important", "monitor": "metric", "random_state": "seed"}


@dataclass(frozen=True)
class Task:
    """What all trials share."""

    table: pd.DataFrame
    labels: LabelSet
    other: str | None
    true: np.ndarray
    units: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    metric: str
    important: tuple[str, ...]
    settings: dict[str, Any]
    columns: dict[str, Any]
    search: tuple[str, ...]
    seed: int

    @classmethod
    def of(
        cls,
        data: Any,
        y: Any,
        labels: Sequence[str] | None,
        other: str | None,
        folds: int,
        groups: str | Mapping[str, str] | None,
        metric: str,
        important: Sequence[str] | None,
        seed: int,
        settings: Mapping[str, Any],
        search: Sequence[str],
    ) -> Task:
        """Prepare a search, and check everything that can be checked before training."""
        _check_search(search)
        _check_settings(settings, search)
        search = tuple(dict.fromkeys(search))
        columns = {name: settings[name] for name in _COLUMNS if name in settings}
        table = labelled_table(data, y, **columns)
        chosen = choose_labels(table["label"], labels, other)
        table["label"] = fold_labels(table["label"], chosen, other, "the data")
        table = table.drop(columns="order")
        true = chosen.encode(table["label"])
        counts = label_counts(true, len(chosen))
        counted = tuple(important) if important else tuple(rare_labels(counts, chosen))
        _check_metric(metric, chosen, counted)
        groups = groups if groups is not None else copies_with_originals(table)
        units = table["doc_id"].map(document_groups(table, groups)).to_numpy(dtype=object)
        _check_holders(true, units, chosen, "documents" if groups is None else "groups of documents")
        fixed = {name: value for name, value in settings.items() if name not in _COLUMNS}
        fixed |= {"important": list(counted), "monitor": metric, "random_state": seed}
        check_parameters(values_of(ModelParameters(**fixed)))
        pairs = document_folds(table, folds, seed, groups)
        return cls(table, chosen, other, true, units, pairs, metric, counted, fixed, columns, search, seed)

    @property
    def rarity(self) -> dict[str, float]:
        """Ratio of the largest label count to each label's, most frequent label last."""
        counts = np.maximum(np.bincount(self.true[self.true != NO_LABEL], minlength=len(self.labels)), 1)
        return {self.labels.names[i]: float(counts.max() / counts[i]) for i in np.argsort(counts, kind="stable")}

    def fingerprint(self) -> str:
        """Hash everything that comparable trials share."""
        shared = [list(self.labels), self.metric, self.important, self.settings, self.search, self.seed]
        digest = hashlib.sha256(json.dumps(shared, default=str, sort_keys=True).encode())
        for _, held in self.folds:
            rows = self.table.iloc[held][["doc_id", "value", "label"]].fillna("").astype(str)
            digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
        return digest.hexdigest()


def _check_search(search: Sequence[str]) -> None:
    wrong = [] if isinstance(search, str) else [str(name) for name in search if name not in SEARCHES]
    if isinstance(search, str) or not search or wrong:
        hint = suggestion(wrong[0], SEARCHES) if wrong else ""
        raise ValueError(f"search must list some of {', '.join(SEARCHES)}, but is {search!r}.{hint}")
    if "alpha" in search and "weights" in search:
        raise ValueError('search has both "alpha" and "weights", which both set the class weights: give one of them.')


def _check_settings(settings: Mapping[str, Any], search: Sequence[str]) -> None:
    for name in settings:
        if name not in PARAMETERS:
            raise ValueError(f"Unknown setting {name!r}.{suggestion(name, PARAMETERS)}")
        if name in searched_parameters(search):
            raise ValueError(f"The search chooses {name!r}: leave it out of the settings.")
        if name == "preset" and settings[name] == INSTANT and "loss" in search:
            raise ValueError(
                f'search has "loss", which has no effect with preset="{INSTANT}": give search=["alpha"] or ["weights"].'
            )
        if name in _ARGUMENTS:
            raise ValueError(f"Give {name!r} as the argument {_ARGUMENTS[name]!r}, not among the settings.")


def _check_metric(metric: str, labels: LabelSet, important: Sequence[str]) -> None:
    for name in important:
        labels.index(name)
    check_choice("metric", metric, [*METRICS, *(f"f1/{name}" for name in labels)])


def _check_holders(true: np.ndarray, units: np.ndarray, labels: LabelSet, what: str) -> None:
    for i, name in enumerate(labels):
        holders = len(set(units[true == i]))
        if holders < 2:
            raise DataError(
                f"Label {name!r} is in {holders} of the {what}, but two are needed, to train on and to score: "
                "annotate more, or leave it out of labels."
            )
