"""Errors of an annotation: lines whose label contradicts what a model predicts that was not trained on their document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import Input, choose_labels, fold_labels, labelled_table
from skol_rnn.data.splits import consecutive_folds
from skol_rnn.data.table import lengths_of
from skol_rnn.errors import DataError
from skol_rnn.imbalance.sampling import copies_with_originals
from skol_rnn.labels import NO_LABEL, LabelSet, plural
from skol_rnn.training.settings import INSTANT

COLUMNS = ("doc_id", "first_line", "last_line", "lines", "label", "predicted", "probability", "text")


def audit(
    data: Any,
    y: Any = None,
    *,
    labels: Sequence[str] | None = None,
    other: str | None = None,
    folds: int = 3,
    preset: str = "default",
    random_state: int = 0,
    verbosity: int = 0,
) -> pd.DataFrame:
    """List what may be errors of an annotation, the most probable first.

    Documents are split into folds of consecutive ones.  A model that is trained on the others predicts each fold.  Lines
    that follow one another with equal label and equal other prediction are one finding; findings are ordered by the
    smallest probability of the annotated label among their lines (self-confidence of Northcutt et al., Confident
    learning, JAIR 2021).

    Parameters
    ----------
    data, y, labels, other
        Annotated documents, as for ``RNNSkolModel.fit``.
    folds : int, default 3
        Number of folds.
    preset : {"instant", "fast", "default", "best"}, default "default"
        What is trained.  "instant" takes seconds, but half of its first findings are no errors (docs/review.md).
    random_state : int, default 0
        Seed of the training.
    verbosity : int, default 0
        1 prints the log of the training.

    Returns
    -------
    DataFrame
        One row a finding: ``doc_id``, ``first_line`` and ``last_line`` (line numbers), ``lines``, ``label`` (annotated),
        ``predicted``, ``probability`` (the smallest of the annotated label), and ``text`` of the least probable line.

    Raises
    ------
    DataError
        If there are fewer documents than folds, or the documents have no or one label.
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from skol_rnn import audit, read_documents
    >>> from skol_rnn.datasets import sample_documents
    >>> corpus = sample_documents()
    >>> findings = audit(corpus, labels=["Nomenclature", "Description"], other="Misc")
    >>> list(findings.columns[:5])
    ['doc_id', 'first_line', 'last_line', 'lines', 'label']
    """
    table, names, posterior = out_of_fold(data, y, labels, other, folds, preset, random_state, verbosity)
    return findings(table, names, posterior)


def out_of_fold(
    data: Any,
    y: Any,
    labels: Sequence[str] | None,
    other: str | None,
    folds: int,
    preset: str,
    random_state: int,
    verbosity: int,
) -> tuple[pd.DataFrame, LabelSet, np.ndarray]:
    """Return the lines in document order, the labels, and posteriors (lines, labels) of models of other documents."""
    from skol_rnn.model import RNNSkolModel

    if type(folds) is not int or folds < 2:
        raise ValueError(f"folds must be a whole number of at least 2, but is {folds!r}.")
    table = labelled_table(Input.of(data), y, other=other).reset_index(drop=True)
    names = choose_labels(table["label"], labels, other)
    table["label"] = fold_labels(table["label"], names, other, "the data")
    settings: dict[str, Any] = {"preset": preset, "random_state": random_state, "verbosity": verbosity}
    parts = consecutive_folds(table[copies_with_originals(table) or "doc_id"].to_numpy(), folds)
    if len(parts) < folds:
        documents = plural(table["doc_id"].nunique(), "document")
        raise DataError(f"There are {documents} for {folds} folds: give more documents, or fewer folds.")
    if preset != INSTANT:
        model = RNNSkolModel(folds=folds, **settings).fit(table.drop(columns="order"), labels=names)
        found = model.decoder_.held_out
        if found is not None and len(found.true) == len(table):  # large data keep a part
            return table, names, found.posterior.astype(np.float64)
        settings["folds"] = 0
    posterior = np.zeros((len(table), len(names)))
    for held in parts:
        kept = np.setdiff1d(np.arange(len(table)), held)
        train, part = (table.iloc[rows].drop(columns="order").reset_index(drop=True) for rows in (kept, held))
        model = RNNSkolModel(validation_fraction=0.0, **settings)
        posterior[held] = model.fit(train, labels=names).predict_proba(part.drop(columns="label"))
    return table, names, posterior


def findings(table: pd.DataFrame, names: LabelSet, posterior: np.ndarray) -> pd.DataFrame:
    """Group the lines whose prediction is not their label into findings, the least probable label first."""
    true, predicted = names.encode(table["label"]), posterior.argmax(axis=1)
    given = np.where(true == NO_LABEL, 1.0, posterior[np.arange(len(true)), true])
    doubted = (true != NO_LABEL) & (true != predicted)
    document = np.repeat(np.arange(len(lengths_of(table))), lengths_of(table))
    same = np.ones(len(true), bool)
    for values in (true, predicted, document, doubted):
        same[1:] &= values[1:] == values[:-1]
    run = np.cumsum(~same)
    rows = pd.DataFrame({"run": run, "row": np.arange(len(true)), "p": given})[doubted]
    found = (
        rows.sort_values("p", kind="stable")
        .groupby("run", sort=False)
        .agg(least=("row", "first"), first=("row", "min"), last=("row", "max"), lines=("row", "size"), p=("p", "first"))
    )
    least, first, last = (found[name].to_numpy() for name in ("least", "first", "last"))
    numbers = (
        table["line_number"].to_numpy() if "line_number" in table else table.groupby("doc_id").cumcount().to_numpy()
    )
    columns = (
        table["doc_id"].to_numpy()[first],
        numbers[first],
        numbers[last],
        found["lines"].to_numpy(),
        names.decode(true[least]),
        names.decode(predicted[least]),
        found["p"].to_numpy(),
        table["value"].to_numpy()[least],
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
